/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rate limits (rules-language section 19): how often callers that share some facts may ask.
 *
 * The counters stand in one bounded table that all workers share; a request locks one of its shards for as
 * long as it takes to count, never the whole. The window slides: within any stretch of PERIOD no more than
 * REQUESTS are let through, and room comes back at most a hundredth of the period late. Where the table is
 * full the entry that was used longest ago gives way.
 */
#ifndef SIDECAR_RULES_RATELIMIT_H
#define SIDECAR_RULES_RATELIMIT_H

#include "sidecar/rules/lru.h"
#include "sidecar/rules/rules.h"

/* --- The table: lives as long as the process, across snapshots --- */

/* ENTRIES at most; about 600 bytes each. NULL without memory. Free with rules_lru_free(). */
struct rules_lru *ratelimit_table_new(size_t entries, const uint8_t secret[16])
    __attribute__((warn_unused_result));

/* --- The limits of a snapshot --- */

enum { RATELIMITS_MAX = 64, RATELIMIT_CHARACTERISTICS_MAX = 8 };

/* A limit as it is added; everything is copied. Times are milliseconds. */
struct ratelimit_limit {
    const char *name;
    struct rules_bytes expression;            /* which requests the action can hit */
    const struct rules_bytes *characteristic; /* what requests are counted by: values, arrays too */
    size_t characteristics;                   /* 1..RATELIMIT_CHARACTERISTICS_MAX */
    struct rules_bytes counting; /* which are counted; empty: those that EXPRESSION hits. May use responses */
    uint64_t requests;           /* let through in a period, at least 1 */
    uint64_t period;             /* at least 1 */
    uint64_t mitigation_timeout; /* for how long the action stays on; 0: only what is over the limit */
    bool log_only;               /* the action is log, not block */
    unsigned status;             /* 0: 429 */
    const char *body;            /* NULL: the usual one */
    const char *const *inbound;  /* names; INBOUNDS 0: every one */
    size_t inbounds;
};

struct ratelimits;
struct ratelimit_plan;

struct ratelimits *ratelimits_new(void) __attribute__((warn_unused_result));
void ratelimits_free(struct ratelimits *limits);

/*
 * Compiles and appends a limit. False on a mistake: ERROR tells which, and *WHERE in what text (-2:
 * expression, -1: counting, else the number of the characteristic).
 */
bool ratelimits_add(struct ratelimits *limits, const struct rules_env *env,
                    const struct ratelimit_limit *limit, struct rules_error *error, int *where)
    __attribute__((warn_unused_result));

/* The limits of the inbound called NAME, in order, made at the first call. NULL without memory. */
const struct ratelimit_plan *ratelimits_plan(struct ratelimits *limits, const char *inbound)
    __attribute__((warn_unused_result));
size_t ratelimit_plan_count(const struct ratelimit_plan *plan);
bool ratelimit_plan_uses(const struct ratelimit_plan *plan, unsigned field);

size_t ratelimits_count(const struct ratelimits *limits);
const char *ratelimits_name(const struct ratelimits *limits, size_t number);

/* Of one limit; each worker has an array of ratelimits_count() of them. */
struct ratelimit_counter {
    uint64_t counted; /* requests */
    uint64_t acted;   /* refused, or logged as over the limit */
};

enum { RATELIMIT_NOTES_MAX = 8, RATELIMIT_PENDING_MAX = 8 };

struct ratelimit_decision {
    bool refuse;
    int limit;                          /* number of the limit that refuses, or -1 */
    unsigned status;                    /* of a refusal */
    const char *body;                   /* of a refusal; NULL: the usual one */
    uint64_t retry_after;               /* of a refusal: ms until it is worth asking again, at least 1 */
    uint16_t note[RATELIMIT_NOTES_MAX]; /* limits that are exceeded and only log */
    unsigned notes;                     /* how many, which may be more than fit */
};

/* What a request remembers for its response: limits that count by it, of which an inbound has no more. */
struct ratelimit_pending {
    unsigned count;
    struct {
        uint16_t limit;
        uint64_t key[2];
    } item[RATELIMIT_PENDING_MAX];
};

/*
 * Counts a request and decides about it. NOW is milliseconds of a clock that never goes back, the same for
 * all workers. COUNTER may be NULL. What cannot be evaluated counts, and is refused where the limit is not
 * log only.
 */
void ratelimit_request(const struct ratelimit_plan *plan, struct rules_lru *table,
                       struct rules_context *context, struct rules_scratch *scratch, uint64_t now,
                       struct ratelimit_counter *counter, struct ratelimit_pending *pending,
                       struct ratelimit_decision *decision);

/* Counts what the response decides; CONTEXT knows the fields of the request and of the response. */
void ratelimit_response(const struct ratelimit_plan *plan, struct rules_lru *table,
                        struct rules_context *context, struct rules_scratch *scratch, uint64_t now,
                        struct ratelimit_counter *counter, const struct ratelimit_pending *pending);

/* --- One entry (also for tests) --- */

struct ratelimit_window {
    uint64_t requests, period, mitigation_timeout;
};

enum ratelimit_use {
    RATELIMIT_LOOK,  /* nothing is counted */
    RATELIMIT_COUNT, /* counted whatever comes out */
    RATELIMIT_TAKE,  /* counted unless it is over the limit */
};

/* Whether the key is over its limit (with this request, if it counts); then *RETRY_AFTER says for how long.
 */
bool ratelimit_hit(struct rules_lru *table, const uint64_t key[2], const struct ratelimit_window *window,
                   enum ratelimit_use use, uint64_t now, uint64_t *retry_after);

#endif
