/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A bounded table that threads share: entries of one size by a key of 128 bits. Where it is full the entry
 * that was used longest ago gives way. It is divided into shards by the key; only the shard of a key is
 * locked, and only for as long as its entry is used.
 */
#ifndef SIDECAR_RULES_LRU_H
#define SIDECAR_RULES_LRU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rules_lru;

/* ENTRIES at most (at least 16) with PAYLOAD bytes each, all taken now. NULL without memory. */
struct rules_lru *rules_lru_new(size_t entries, size_t payload, const uint8_t secret[16])
    __attribute__((warn_unused_result));
void rules_lru_free(struct rules_lru *lru);

/*
 * Locks the shard of KEY and returns the payload of its entry, now the one used last. Without one: makes it,
 * zeroed, where MAKE, else returns NULL. Either way rules_lru_unlock() must follow soon.
 */
void *rules_lru_lock(struct rules_lru *lru, const uint64_t key[2], bool make);
void rules_lru_unlock(struct rules_lru *lru, const uint64_t key[2]);

/* Visits every entry, the shard locked; an entry is taken away where VISIT returns false. */
void rules_lru_each(struct rules_lru *lru, bool (*visit)(void *arg, void *payload), void *arg);

struct rules_lru_stats {
    size_t room, used; /* entries */
    size_t memory;     /* bytes */
    uint64_t evicted;  /* entries that gave way */
};
void rules_lru_stats(struct rules_lru *lru, struct rules_lru_stats *stats);

/* --- Keys: SipHash-2-4 of 128 bits, with the table's secret --- */

struct rules_lru_hash {
    uint64_t v[4];
    uint64_t word; /* bytes not yet absorbed */
    unsigned held;
    uint64_t size;
};

void rules_lru_hash_start(struct rules_lru_hash *hash, const struct rules_lru *lru);
void rules_lru_hash_add(struct rules_lru_hash *hash, const void *data, size_t size);
void rules_lru_hash_end(struct rules_lru_hash *hash, uint64_t key[2]);

#endif
