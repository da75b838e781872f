/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The counters of rate limits: a sliding window in slices for each key. */
#include <string.h>

#include "sidecar/rules/ratelimit.h"

/*
 * SLICES cover the period and the slice that has just begun, so that what they add up to is never less than
 * what was counted in the last PERIOD, and at most the hundredth part of it older.
 */
enum { SLICES = 128 };

struct counts {
    uint64_t slice;           /* number of the newest slice */
    uint64_t mitigated_until; /* ms; 0: not */
    uint64_t total;           /* of all slices */
    uint32_t count[SLICES];
};

struct rules_lru *ratelimit_table_new(size_t entries, const uint8_t secret[16])
{
    return rules_lru_new(entries, sizeof(struct counts), secret);
}

/* Lets the window slide to slice number NOW. A clock of another worker may be a little behind: it stays. */
static void slide(struct counts *c, uint64_t now)
{
    if (now <= c->slice)
        return;
    if (now - c->slice >= SLICES) {
        memset(c->count, 0, sizeof c->count);
        c->total = 0;
    } else {
        for (uint64_t i = c->slice + 1; i <= now; i++) {
            c->total -= c->count[i % SLICES];
            c->count[i % SLICES] = 0;
        }
    }
    c->slice = now;
}

/* When so much has left the window that one more is let through. */
static uint64_t wait_for(const struct counts *c, const struct ratelimit_window *window, uint64_t length,
                         uint64_t now)
{
    uint64_t left = c->total;
    for (uint64_t i = 1; i <= SLICES; i++) {
        left -= c->count[(c->slice + i) % SLICES];
        if (left < window->requests) {
            uint64_t at = (c->slice + i) * length;
            return at > now ? at - now : 1;
        }
    }
    return window->period;
}

static bool hit(struct counts *c, const struct ratelimit_window *window, enum ratelimit_use use, uint64_t now,
                uint64_t *retry_after)
{
    uint64_t length = (window->period + SLICES - 2) / (SLICES - 1);
    bool counts = use != RATELIMIT_LOOK;
    slide(c, now / length);
    bool over = c->total + counts > window->requests;
    if (now < c->mitigated_until)
        over = true;
    else if (over && window->mitigation_timeout)
        c->mitigated_until = now + window->mitigation_timeout;
    uint32_t *newest = &c->count[c->slice % SLICES];
    if (counts && (use == RATELIMIT_COUNT || !over) && *newest < UINT32_MAX) {
        ++*newest;
        c->total++;
    }
    if (over && now < c->mitigated_until)
        *retry_after = c->mitigated_until - now;
    else if (over)
        *retry_after = wait_for(c, window, length, now);
    return over;
}

bool ratelimit_hit(struct rules_lru *table, const uint64_t key[2], const struct ratelimit_window *window,
                   enum ratelimit_use use, uint64_t now, uint64_t *retry_after)
{
    struct counts *counts = rules_lru_lock(table, key, use != RATELIMIT_LOOK);
    bool over = counts && hit(counts, window, use, now, retry_after);
    rules_lru_unlock(table, key);
    return over;
}
