/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/rules/quarantine.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { SLICES = 16, GROUPS = 4096 };

struct record {
    struct quarantine_entry entry; /* UNTIL 0: only counted so far */
    uint64_t length;               /* of a slice */
    uint64_t slice;                /* number of the newest one */
    uint32_t count[SLICES];
};

/*
 * GROUP counts, for each of a number of groups of fingerprints, how many are or were lately in quarantine: as
 * long as it is zero, nobody needs to look. It is set before a record is, and cleared after it.
 */
struct quarantine {
    struct rules_lru *lru;
    atomic_uint group[GROUPS];
    atomic_uint_fast64_t changes;
};

struct quarantine *quarantine_new(size_t entries, const uint8_t secret[16])
{
    struct quarantine *q = calloc(1, sizeof *q);
    if (!q)
        return NULL;
    q->lru = rules_lru_new(entries, sizeof(struct record), secret);
    if (q->lru)
        return q;
    free(q);
    return NULL;
}

void quarantine_free(struct quarantine *q)
{
    if (!q)
        return;
    rules_lru_free(q->lru);
    free(q);
}

static atomic_uint *group_of(struct quarantine *q, const uint8_t *fingerprint)
{
    return &q->group[((unsigned)fingerprint[0] << 8 | fingerprint[1]) % GROUPS];
}

static void key_of(const struct quarantine *q, const struct quarantine_rule *rule, const uint8_t *fingerprint,
                   uint64_t key[2])
{
    struct rules_lru_hash hash;
    rules_lru_hash_start(&hash, q->lru);
    rules_lru_hash_add(&hash, fingerprint, QUARANTINE_FINGERPRINT);
    rules_lru_hash_add(&hash, rule->name, strnlen(rule->name, QUARANTINE_NAME_MAX - 1));
    rules_lru_hash_end(&hash, key);
}

/* Adds one and returns how many there were in the period; up to a fifteenth of it more may be looked at. */
static uint64_t count_one(struct record *r, uint64_t period, uint64_t now)
{
    uint64_t length = (period + SLICES - 2) / (SLICES - 1), slice = now / (length ? length : 1), total = 0;
    /* Another period since a reload: what was counted by the old one lies in slices of another length. */
    if (length != r->length) {
        memset(r->count, 0, sizeof r->count);
        r->length = length;
        r->slice = slice;
    }
    if (slice > r->slice) {
        uint64_t steps = slice - r->slice < SLICES ? slice - r->slice : SLICES;
        for (uint64_t i = 0; i < steps; i++)
            r->count[(slice - i) % SLICES] = 0;
        r->slice = slice;
    }
    if (r->count[r->slice % SLICES] < UINT32_MAX)
        r->count[r->slice % SLICES]++;
    for (unsigned i = 0; i < SLICES; i++)
        total += r->count[i];
    return total;
}

/*
 * An entry whose time is over keeps its mark in GROUP until the next list or count, one that gave way to
 * others for good: looking then costs a lock and finds nothing.
 */
static bool note_locked(struct quarantine *q, struct record *r, const struct quarantine_rule *rule,
                        const uint8_t *fingerprint, uint64_t now)
{
    uint64_t noted = count_one(r, rule->period, now);
    if (now < r->entry.until) {
        r->entry.noted++;
        return false;
    }
    if (noted < rule->threshold)
        return false;
    if (r->entry.until == 0)
        atomic_fetch_add_explicit(group_of(q, fingerprint), 1, memory_order_relaxed);
    memcpy(r->entry.fingerprint, fingerprint, QUARANTINE_FINGERPRINT);
    memset(r->entry.rule, 0, sizeof r->entry.rule);
    memcpy(r->entry.rule, rule->name, strnlen(rule->name, QUARANTINE_NAME_MAX - 1));
    r->entry.since = now;
    r->entry.until = now + rule->duration;
    r->entry.noted = noted;
    memset(r->count, 0, sizeof r->count);
    return true;
}

bool quarantine_note(struct quarantine *q, const struct quarantine_rule *rule,
                     const uint8_t fingerprint[QUARANTINE_FINGERPRINT], uint64_t now)
{
    uint64_t key[2];
    key_of(q, rule, fingerprint, key);
    bool begins = note_locked(q, rules_lru_lock(q->lru, key, true), rule, fingerprint, now);
    rules_lru_unlock(q->lru, key);
    if (begins)
        atomic_fetch_add_explicit(&q->changes, 1, memory_order_release);
    return begins;
}

uint64_t quarantine_changes(const struct quarantine *q)
{
    return atomic_load_explicit(&q->changes, memory_order_acquire);
}

uint64_t quarantine_left(struct quarantine *q, const struct quarantine_rule *rule,
                         const uint8_t fingerprint[QUARANTINE_FINGERPRINT], uint64_t now)
{
    uint64_t key[2], left = 0;
    if (atomic_load_explicit(group_of(q, fingerprint), memory_order_relaxed) == 0)
        return 0;
    key_of(q, rule, fingerprint, key);
    const struct record *r = rules_lru_lock(q->lru, key, false);
    if (r && now < r->entry.until)
        left = r->entry.until - now;
    rules_lru_unlock(q->lru, key);
    return left;
}

struct walk {
    struct quarantine *q;
    uint64_t now;
    void (*see)(void *arg, const struct quarantine_entry *entry);
    void *arg;
    const uint8_t *lift;
    size_t count;
};

static bool visit(void *arg, void *payload)
{
    struct walk *walk = arg;
    struct record *r = payload;
    if (r->entry.until == 0)
        return true;
    bool held = walk->now < r->entry.until;
    bool lifted = walk->lift && memcmp(walk->lift, r->entry.fingerprint, QUARANTINE_FINGERPRINT) == 0;
    if (!held || lifted) {
        walk->count += held && lifted;
        atomic_fetch_sub_explicit(group_of(walk->q, r->entry.fingerprint), 1, memory_order_relaxed);
        return false;
    }
    if (walk->lift)
        return true;
    walk->count++;
    if (walk->see)
        walk->see(walk->arg, &r->entry);
    return true;
}

void quarantine_list(struct quarantine *q, uint64_t now,
                     void (*see)(void *arg, const struct quarantine_entry *entry), void *arg)
{
    struct walk walk = {.q = q, .now = now, .see = see, .arg = arg};
    rules_lru_each(q->lru, visit, &walk);
}

size_t quarantine_lift(struct quarantine *q, const uint8_t fingerprint[QUARANTINE_FINGERPRINT], uint64_t now)
{
    struct walk walk = {.q = q, .now = now, .lift = fingerprint};
    rules_lru_each(q->lru, visit, &walk);
    if (walk.count != 0)
        atomic_fetch_add_explicit(&q->changes, 1, memory_order_release);
    return walk.count;
}

size_t quarantine_count(struct quarantine *q, uint64_t now)
{
    struct walk walk = {.q = q, .now = now};
    rules_lru_each(q->lru, visit, &walk);
    return walk.count;
}

void quarantine_stats(struct quarantine *q, struct rules_lru_stats *stats)
{
    rules_lru_stats(q->lru, stats);
    stats->memory += sizeof *q;
}
