/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/rules/lru.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { SHARDS_MOST = 64, ENTRIES_LEAST = 16, SHARD_LEAST = 16, NONE = 0 };

/* The payload follows. */
struct entry {
    uint64_t key[2];
    uint32_t next;         /* in the chain of its hash, or of the free ones; numbers are from 1 */
    uint32_t newer, older; /* by use */
    uint32_t unused;
};

/* Each on cache lines of its own. */
struct shard {
    _Alignas(64) atomic_flag lock;
    uint32_t room, used, made;
    uint32_t newest, oldest, free;
    uint32_t mask;
    uint32_t *chain;
    uint8_t *memory; /* ROOM entries */
    uint64_t evicted;
};

struct rules_lru {
    struct shard *shard;
    size_t shards; /* a power of two */
    size_t size;   /* of an entry with its payload */
    size_t memory;
    uint64_t secret[2];
};

static struct shard *shard_of(const struct rules_lru *lru, const uint64_t key[2])
{
    return &lru->shard[key[0] & (lru->shards - 1)];
}

static struct entry *at(const struct rules_lru *lru, const struct shard *shard, uint32_t number)
{
    return (struct entry *)(void *)(shard->memory + (size_t)(number - 1) * lru->size);
}

static void lock(struct shard *shard)
{
    for (unsigned spins = 0; atomic_flag_test_and_set_explicit(&shard->lock, memory_order_acquire);) {
        /* Whoever holds it may have lost its processor. */
        if (++spins % 64 == 0)
            sched_yield();
    }
}

static void unlock(struct shard *shard)
{
    atomic_flag_clear_explicit(&shard->lock, memory_order_release);
}

static bool shard_init(struct rules_lru *lru, struct shard *shard, uint32_t room)
{
    uint32_t chains = 16;
    while (chains < room)
        chains *= 2;
    atomic_flag_clear(&shard->lock);
    shard->room = room;
    shard->mask = chains - 1;
    shard->chain = calloc(chains, sizeof *shard->chain);
    shard->memory = calloc(room, lru->size);
    return shard->chain && shard->memory;
}

struct rules_lru *rules_lru_new(size_t entries, size_t payload, const uint8_t secret[16])
{
    struct rules_lru *lru = calloc(1, sizeof *lru);
    if (!lru)
        return NULL;
    if (entries < ENTRIES_LEAST)
        entries = ENTRIES_LEAST;
    if (entries > UINT32_MAX / 4)
        entries = UINT32_MAX / 4;
    memcpy(lru->secret, secret, sizeof lru->secret);
    lru->size = (sizeof(struct entry) + payload + 7) & ~(size_t)7;
    lru->shards = 1;
    while (lru->shards < SHARDS_MOST && entries / (lru->shards * 2) >= SHARD_LEAST)
        lru->shards *= 2;
    lru->shard = aligned_alloc(64, lru->shards * sizeof *lru->shard);
    if (!lru->shard) {
        free(lru);
        return NULL;
    }
    memset(lru->shard, 0, lru->shards * sizeof *lru->shard);
    uint32_t room = (uint32_t)(entries / lru->shards);
    for (size_t i = 0; i < lru->shards; i++) {
        if (!shard_init(lru, &lru->shard[i], room)) {
            rules_lru_free(lru);
            return NULL;
        }
    }
    lru->memory = sizeof *lru + lru->shards * (sizeof *lru->shard + room * lru->size +
                                               (lru->shard->mask + 1) * sizeof(uint32_t));
    return lru;
}

void rules_lru_free(struct rules_lru *lru)
{
    if (!lru)
        return;
    for (size_t i = 0; i < lru->shards; i++) {
        free(lru->shard[i].chain);
        free(lru->shard[i].memory);
    }
    free(lru->shard);
    free(lru);
}

static void unlink_use(const struct rules_lru *lru, struct shard *shard, uint32_t number)
{
    struct entry *entry = at(lru, shard, number);
    if (entry->newer)
        at(lru, shard, entry->newer)->older = entry->older;
    else
        shard->newest = entry->older;
    if (entry->older)
        at(lru, shard, entry->older)->newer = entry->newer;
    else
        shard->oldest = entry->newer;
}

static void link_use(const struct rules_lru *lru, struct shard *shard, uint32_t number)
{
    struct entry *entry = at(lru, shard, number);
    entry->newer = NONE;
    entry->older = shard->newest;
    if (shard->newest)
        at(lru, shard, shard->newest)->newer = number;
    else
        shard->oldest = number;
    shard->newest = number;
}

static void drop(const struct rules_lru *lru, struct shard *shard, uint32_t number)
{
    struct entry *entry = at(lru, shard, number);
    uint32_t *link = &shard->chain[entry->key[1] & shard->mask];
    while (*link != number)
        link = &at(lru, shard, *link)->next;
    *link = entry->next;
    unlink_use(lru, shard, number);
    entry->next = shard->free;
    shard->free = number;
    shard->used--;
}

static uint32_t find(const struct rules_lru *lru, const struct shard *shard, const uint64_t key[2])
{
    uint32_t number = shard->chain[key[1] & shard->mask];
    while (number) {
        const struct entry *entry = at(lru, shard, number);
        if (entry->key[0] == key[0] && entry->key[1] == key[1])
            break;
        number = entry->next;
    }
    return number;
}

static uint32_t make_entry(const struct rules_lru *lru, struct shard *shard, const uint64_t key[2])
{
    if (shard->used == shard->room) {
        drop(lru, shard, shard->oldest);
        shard->evicted++;
    }
    uint32_t number = shard->free;
    if (number)
        shard->free = at(lru, shard, number)->next;
    else
        number = ++shard->made;
    struct entry *entry = at(lru, shard, number);
    uint32_t *chain = &shard->chain[key[1] & shard->mask];
    memset(entry, 0, lru->size);
    entry->key[0] = key[0];
    entry->key[1] = key[1];
    entry->next = *chain;
    *chain = number;
    shard->used++;
    return number;
}

void *rules_lru_lock(struct rules_lru *lru, const uint64_t key[2], bool make)
{
    struct shard *shard = shard_of(lru, key);
    lock(shard);
    uint32_t number = find(lru, shard, key);
    if (number)
        unlink_use(lru, shard, number);
    else if (make)
        number = make_entry(lru, shard, key);
    else
        return NULL;
    link_use(lru, shard, number);
    return at(lru, shard, number) + 1;
}

void rules_lru_unlock(struct rules_lru *lru, const uint64_t key[2])
{
    unlock(shard_of(lru, key));
}

void rules_lru_each(struct rules_lru *lru, bool (*visit)(void *arg, void *payload), void *arg)
{
    for (size_t i = 0; i < lru->shards; i++) {
        struct shard *shard = &lru->shard[i];
        lock(shard);
        for (uint32_t number = shard->newest, older; number; number = older) {
            struct entry *entry = at(lru, shard, number);
            older = entry->older;
            if (!visit(arg, entry + 1))
                drop(lru, shard, number);
        }
        unlock(shard);
    }
}

void rules_lru_stats(struct rules_lru *lru, struct rules_lru_stats *stats)
{
    memset(stats, 0, sizeof *stats);
    stats->memory = lru->memory;
    for (size_t i = 0; i < lru->shards; i++) {
        struct shard *shard = &lru->shard[i];
        lock(shard);
        stats->room += shard->room;
        stats->used += shard->used;
        stats->evicted += shard->evicted;
        unlock(shard);
    }
}

/* --- SipHash-2-4 --- */

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static void round_of(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static void absorb(struct rules_lru_hash *hash, uint64_t word)
{
    hash->v[3] ^= word;
    round_of(hash->v);
    round_of(hash->v);
    hash->v[0] ^= word;
}

void rules_lru_hash_start(struct rules_lru_hash *hash, const struct rules_lru *lru)
{
    *hash = (struct rules_lru_hash){
        .v = {0x736f6d6570736575u ^ lru->secret[0], 0x646f72616e646f6du ^ lru->secret[1] ^ 0xee,
              0x6c7967656e657261u ^ lru->secret[0], 0x7465646279746573u ^ lru->secret[1]}};
}

void rules_lru_hash_add(struct rules_lru_hash *hash, const void *data, size_t size)
{
    const uint8_t *p = data;
    hash->size += size;
    for (; size > 0; p++, size--) {
        hash->word |= (uint64_t)*p << 8 * hash->held;
        if (++hash->held == 8) {
            absorb(hash, hash->word);
            hash->word = 0;
            hash->held = 0;
        }
    }
}

void rules_lru_hash_end(struct rules_lru_hash *hash, uint64_t key[2])
{
    uint64_t *v = hash->v;
    absorb(hash, hash->word | (uint64_t)hash->size << 56);
    v[2] ^= 0xee;
    for (int i = 0; i < 4; i++)
        round_of(v);
    key[0] = v[0] ^ v[1] ^ v[2] ^ v[3];
    v[1] ^= 0xdd;
    for (int i = 0; i < 4; i++)
        round_of(v);
    key[1] = v[0] ^ v[1] ^ v[2] ^ v[3];
}
