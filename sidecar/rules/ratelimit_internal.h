/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Private to rate limits: the keyed hash that names an entry. */
#ifndef SIDECAR_RULES_RATELIMIT_INTERNAL_H
#define SIDECAR_RULES_RATELIMIT_INTERNAL_H

#include "sidecar/rules/ratelimit.h"

struct ratelimit_hash {
    uint64_t v[4];
    uint64_t word; /* bytes not yet absorbed */
    unsigned held;
    uint64_t size;
};

void ratelimit_hash_start(struct ratelimit_hash *hash, const struct ratelimit_table *table);
void ratelimit_hash_add(struct ratelimit_hash *hash, const void *data, size_t size);
void ratelimit_hash_end(struct ratelimit_hash *hash, uint64_t key[2]);

#endif
