/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A timer wheel: very many deadlines, each set and taken back in constant time, none with a libuv handle of
 * its own. Pure: the caller brings the clock and asks when to come again.
 *
 * A deadline may be told up to WHEEL_TICK late, never early.
 */
#ifndef SIDECAR_PROXY_WHEEL_H
#define SIDECAR_PROXY_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WHEEL_SLOTS = 256, WHEEL_TICK = 32 /* ms */ };

/* Embedded in what has a deadline; zero-initialised when not set. */
struct wheel_entry {
    struct wheel_entry *next, **prev;
    uint64_t due; /* ms */
};

struct wheel {
    struct wheel_entry *slot[WHEEL_SLOTS];
    uint64_t tick; /* every tick up to and including this one has been told */
    size_t count;
};

/* NOW in ms of any monotonic clock, the same in all calls. */
void wheel_init(struct wheel *wheel, uint64_t now);

/* Sets or moves ENTRY's deadline to DUE. */
void wheel_set(struct wheel *wheel, struct wheel_entry *entry, uint64_t due);
void wheel_clear(struct wheel *wheel, struct wheel_entry *entry); /* not set is fine */

static inline bool wheel_is_set(const struct wheel_entry *entry)
{
    return entry->prev != NULL;
}

/* Takes one entry out whose deadline has passed at NOW; NULL: none. Call until NULL. */
struct wheel_entry *wheel_expire(struct wheel *wheel, uint64_t now);

/* Milliseconds from NOW until wheel_expire() is worth calling; UINT64_MAX: no deadline is set. */
uint64_t wheel_next(const struct wheel *wheel, uint64_t now);

#endif
