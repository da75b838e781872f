/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How many may be in at once: a counter shared by all workers, entered once per connection, never per read.
 */
#ifndef SIDECAR_PROXY_GATE_H
#define SIDECAR_PROXY_GATE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct gate {
    uint64_t refs;
    uint64_t inside;
};

/* One reference; NULL when out of memory. */
static inline struct gate *gate_new(void)
{
    struct gate *gate = calloc(1, sizeof *gate);
    if (gate)
        gate->refs = 1;
    return gate;
}

static inline struct gate *gate_ref(struct gate *gate)
{
    __atomic_add_fetch(&gate->refs, 1, __ATOMIC_RELAXED);
    return gate;
}

static inline void gate_unref(struct gate *gate)
{
    if (gate && __atomic_sub_fetch(&gate->refs, 1, __ATOMIC_ACQ_REL) == 0)
        free(gate);
}

/* Goes in unless LIMIT are in already; 0: no limit. */
static inline bool gate_enter(struct gate *gate, uint64_t limit)
{
    if (__atomic_add_fetch(&gate->inside, 1, __ATOMIC_RELAXED) <= limit || limit == 0)
        return true;
    __atomic_sub_fetch(&gate->inside, 1, __ATOMIC_RELAXED);
    return false;
}

static inline void gate_leave(struct gate *gate)
{
    __atomic_sub_fetch(&gate->inside, 1, __ATOMIC_RELAXED);
}

#endif
