/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The counters of rate limits: shards of entries, each with a sliding window in slices. */
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/rules/internal.h"
#include "sidecar/rules/ratelimit.h"
#include "sidecar/rules/ratelimit_internal.h"

/*
 * SLICES cover the period and the slice that has just begun, so that what they add up to is never less than
 * what was counted in the last PERIOD, and at most the hundredth part of it older.
 */
enum { SLICES = 128, SHARDS_MOST = 64, ENTRIES_LEAST = 16, SHARD_LEAST = 16, NONE = 0 };

struct entry {
    uint64_t key[2];
    uint64_t slice;           /* number of the newest slice */
    uint64_t mitigated_until; /* ms; 0: not */
    uint64_t total;           /* of all slices */
    uint32_t next;            /* in the chain of its hash; entries are numbered from 1 */
    uint32_t newer, older;    /* by use */
    uint32_t count[SLICES];
};

/* Each on cache lines of its own. */
struct shard {
    _Alignas(64) atomic_flag lock;
    uint32_t room, used;
    uint32_t newest, oldest;
    uint32_t mask;
    uint32_t *chain;
    struct entry *entry; /* [0] is not used */
    uint64_t evicted;
};

struct ratelimit_table {
    struct shard *shard;
    size_t shards; /* a power of two */
    size_t memory;
    uint64_t secret[2];
};

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

static bool shard_init(struct shard *shard, uint32_t room)
{
    uint32_t chains = 16;
    while (chains < room)
        chains *= 2;
    atomic_flag_clear(&shard->lock);
    shard->room = room;
    shard->mask = chains - 1;
    shard->chain = calloc(chains, sizeof *shard->chain);
    shard->entry = calloc((size_t)room + 1, sizeof *shard->entry);
    return shard->chain && shard->entry;
}

struct ratelimit_table *ratelimit_table_new(size_t entries, const uint8_t secret[16])
{
    struct ratelimit_table *table = calloc(1, sizeof *table);
    if (!table)
        return NULL;
    if (entries < ENTRIES_LEAST)
        entries = ENTRIES_LEAST;
    if (entries > UINT32_MAX / 2)
        entries = UINT32_MAX / 2;
    memcpy(table->secret, secret, sizeof table->secret);
    table->shards = 1;
    while (table->shards < SHARDS_MOST && entries / (table->shards * 2) >= SHARD_LEAST)
        table->shards *= 2;
    table->shard = aligned_alloc(64, table->shards * sizeof *table->shard);
    if (!table->shard) {
        free(table);
        return NULL;
    }
    memset(table->shard, 0, table->shards * sizeof *table->shard);
    uint32_t room = (uint32_t)(entries / table->shards);
    for (size_t i = 0; i < table->shards; i++) {
        if (!shard_init(&table->shard[i], room)) {
            ratelimit_table_free(table);
            return NULL;
        }
    }
    table->memory =
        sizeof *table + table->shards * (sizeof *table->shard + (room + 1) * sizeof(struct entry) +
                                         (table->shard->mask + 1) * sizeof(uint32_t));
    return table;
}

void ratelimit_table_free(struct ratelimit_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->shards; i++) {
        free(table->shard[i].chain);
        free(table->shard[i].entry);
    }
    free(table->shard);
    free(table);
}

void ratelimit_table_stats(struct ratelimit_table *table, struct ratelimit_table_stats *stats)
{
    memset(stats, 0, sizeof *stats);
    stats->memory = table->memory;
    for (size_t i = 0; i < table->shards; i++) {
        struct shard *shard = &table->shard[i];
        lock(shard);
        stats->room += shard->room;
        stats->used += shard->used;
        stats->evicted += shard->evicted;
        unlock(shard);
    }
}

/* ---- Keys: SipHash-2-4 with 128 bits of result
 * ---------------------------------------------------------------- */

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

static void absorb(struct ratelimit_hash *hash, uint64_t word)
{
    hash->v[3] ^= word;
    round_of(hash->v);
    round_of(hash->v);
    hash->v[0] ^= word;
}

void ratelimit_hash_start(struct ratelimit_hash *hash, const struct ratelimit_table *table)
{
    *hash = (struct ratelimit_hash){
        .v = {0x736f6d6570736575u ^ table->secret[0], 0x646f72616e646f6du ^ table->secret[1] ^ 0xee,
              0x6c7967656e657261u ^ table->secret[0], 0x7465646279746573u ^ table->secret[1]}};
}

void ratelimit_hash_add(struct ratelimit_hash *hash, const void *data, size_t size)
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

void ratelimit_hash_end(struct ratelimit_hash *hash, uint64_t key[2])
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

/* ---- Entries
 * ----------------------------------------------------------------------------------------------------- */

static void unlink_use(struct shard *shard, uint32_t number)
{
    struct entry *entry = &shard->entry[number];
    if (entry->newer)
        shard->entry[entry->newer].older = entry->older;
    else
        shard->newest = entry->older;
    if (entry->older)
        shard->entry[entry->older].newer = entry->newer;
    else
        shard->oldest = entry->newer;
}

static void link_use(struct shard *shard, uint32_t number)
{
    struct entry *entry = &shard->entry[number];
    entry->newer = NONE;
    entry->older = shard->newest;
    if (shard->newest)
        shard->entry[shard->newest].newer = number;
    else
        shard->oldest = number;
    shard->newest = number;
}

static void drop_oldest(struct shard *shard)
{
    uint32_t number = shard->oldest;
    uint32_t *link = &shard->chain[shard->entry[number].key[1] & shard->mask];
    while (*link != number)
        link = &shard->entry[*link].next;
    *link = shard->entry[number].next;
    unlink_use(shard, number);
    shard->evicted++;
}

/* Finds the entry of KEY, or where MAKE, makes it; it is then the one used last. */
static struct entry *find(struct shard *shard, const uint64_t key[2], bool make)
{
    uint32_t *chain = &shard->chain[key[1] & shard->mask], number = *chain;
    while (number && (shard->entry[number].key[0] != key[0] || shard->entry[number].key[1] != key[1]))
        number = shard->entry[number].next;
    if (number) {
        unlink_use(shard, number);
        link_use(shard, number);
        return &shard->entry[number];
    }
    if (!make)
        return NULL;
    if (shard->used == shard->room) {
        number = shard->oldest;
        drop_oldest(shard);
    } else {
        number = ++shard->used;
    }
    struct entry *entry = &shard->entry[number];
    memset(entry, 0, sizeof *entry);
    entry->key[0] = key[0];
    entry->key[1] = key[1];
    entry->next = *chain;
    *chain = number;
    link_use(shard, number);
    return entry;
}

/* Lets the window slide to slice number NOW. A clock of another worker may be a little behind: it stays. */
static void slide(struct entry *entry, uint64_t now)
{
    if (now <= entry->slice)
        return;
    uint64_t steps = now - entry->slice;
    if (steps >= SLICES) {
        memset(entry->count, 0, sizeof entry->count);
        entry->total = 0;
    } else {
        for (uint64_t i = entry->slice + 1; i <= now; i++) {
            entry->total -= entry->count[i % SLICES];
            entry->count[i % SLICES] = 0;
        }
    }
    entry->slice = now;
}

/* When so much has left the window that one more is let through. */
static uint64_t wait_for(const struct entry *entry, const struct ratelimit_window *window, uint64_t length,
                         uint64_t now)
{
    uint64_t left = entry->total;
    for (uint64_t i = 1; i <= SLICES; i++) {
        left -= entry->count[(entry->slice + i) % SLICES];
        if (left < window->requests) {
            uint64_t at = (entry->slice + i) * length;
            return at > now ? at - now : 1;
        }
    }
    return window->period;
}

bool ratelimit_hit(struct ratelimit_table *table, const uint64_t key[2],
                   const struct ratelimit_window *window, enum ratelimit_use use, uint64_t now,
                   uint64_t *retry_after)
{
    struct shard *shard = &table->shard[key[0] & (table->shards - 1)];
    uint64_t length = (window->period + SLICES - 2) / (SLICES - 1);
    bool over = false;
    lock(shard);
    struct entry *entry = find(shard, key, use != RATELIMIT_LOOK);
    if (!entry)
        goto done;
    slide(entry, now / length);
    bool counts = use != RATELIMIT_LOOK;
    over = entry->total + counts > window->requests;
    if (now < entry->mitigated_until) {
        over = true;
    } else if (over && window->mitigation_timeout) {
        entry->mitigated_until = now + window->mitigation_timeout;
    }
    if (counts && (use == RATELIMIT_COUNT || !over) && entry->count[entry->slice % SLICES] < UINT32_MAX) {
        entry->count[entry->slice % SLICES]++;
        entry->total++;
    }
    if (over && now < entry->mitigated_until)
        *retry_after = entry->mitigated_until - now;
    else if (over)
        *retry_after = wait_for(entry, window, length, now);
done:
    unlock(shard);
    return over;
}
