/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rules in their order, with actions: who may pass.
 *
 * A ruleset is built once per snapshot and then immutable. For each inbound there is a plan: its enabled
 * rules. ruleset_connect() decides with the facts of the connection; what then is still open,
 * ruleset_request() decides for each request, looking only at the rules that the connection has left open. A
 * block ends with refusal, an allow with passing, a skip leaves out the rules that follow; where no rule
 * decides, the default does. On any doubt (a value too large to evaluate with) an allow or skip does not
 * count and a block does.
 */
#ifndef SIDECAR_RULES_RULESET_H
#define SIDECAR_RULES_RULESET_H

#include "sidecar/rules/rules.h"

enum ruleset_action { RULESET_BLOCK, RULESET_ALLOW, RULESET_LOG, RULESET_SKIP };

enum ruleset_default {
    RULESET_AUTO, /* callers with a verified, unrevoked certificate pass and no one else */
    RULESET_ALLOW_ALL,
    RULESET_DENY_ALL,
};

/* A rule as it is added; everything is copied. */
struct ruleset_rule {
    const char *name;
    const char *expression;
    size_t expression_size;
    enum ruleset_action action;
    unsigned status;  /* of the answer to HTTP; 0: 403 */
    const char *body; /* of it; NULL: the usual one */
    bool enabled;
    bool dry_run;               /* matches are counted and noted, and have no effect */
    const char *const *inbound; /* names; INBOUNDS 0: every one */
    size_t inbounds;
};

enum { RULESET_RULES_MAX = 4096 };

struct ruleset;
struct ruleset_plan;

/* NULL without memory. */
struct ruleset *ruleset_new(enum ruleset_default fallback) __attribute__((warn_unused_result));
void ruleset_free(struct ruleset *ruleset); /* its plans with it */

/*
 * Compiles and appends a rule, which then has the next number from 0. Fields of RULES_CONNECTION and
 * RULES_REQUEST may be used. False on a mistake, which ERROR tells.
 */
bool ruleset_add(struct ruleset *ruleset, const struct rules_env *env, const struct ruleset_rule *rule,
                 struct rules_error *error) __attribute__((warn_unused_result));

/* The plan for the inbound called NAME, made at the first call. NULL without memory. */
const struct ruleset_plan *ruleset_plan(struct ruleset *ruleset, const char *inbound)
    __attribute__((warn_unused_result));

/* What a plan needs: bits of enum rules_phase, and whether some rule uses FIELD. */
uint8_t ruleset_plan_phases(const struct ruleset_plan *plan);
bool ruleset_plan_uses(const struct ruleset_plan *plan, unsigned field);

size_t ruleset_count(const struct ruleset *ruleset);
const char *ruleset_name(const struct ruleset *ruleset, size_t number);
enum ruleset_action ruleset_action(const struct ruleset *ruleset, size_t number);
bool ruleset_enabled(const struct ruleset *ruleset, size_t number);
bool ruleset_dry_run(const struct ruleset *ruleset, size_t number);
const struct rules_program *ruleset_program(const struct ruleset *ruleset, size_t number);

/* One more of a counter that its own thread alone writes and any may read. */
static inline void ruleset_count_up(uint64_t *counter)
{
    __atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

/* Of one rule; each worker has an array of ruleset_count() of them. */
struct ruleset_counter {
    uint64_t evaluated; /* once a connection where that decides it, else once a request */
    uint64_t matched;
    uint64_t acted; /* matched, and not a dry run */
};

enum { RULESET_NOTES_MAX = 8 };

struct ruleset_decision {
    enum ruleset_verdict {
        RULESET_PASS,
        RULESET_REFUSE,
        RULESET_WAIT, /* of ruleset_connect() only: each request decides */
    } verdict;
    enum ruleset_reason {
        RULESET_BY_RULE,    /* RULE matched */
        RULESET_BY_DEFAULT, /* no rule decided */
        RULESET_BY_DOUBT,   /* RULE blocks and could not be evaluated: a value was too large */
    } reason;
    int rule;                         /* number, or -1 */
    unsigned status;                  /* of a refusal */
    const char *body;                 /* of a refusal; NULL: the usual one */
    uint16_t note[RULESET_NOTES_MAX]; /* numbers of rules that matched and only log or are dry runs */
    unsigned notes;                   /* how many there were, which may be more than fit */
};

/* What a connection remembers: RULESET_STATE_WORDS of these, zero or not before ruleset_connect(). */
size_t ruleset_plan_state_words(const struct ruleset_plan *plan); /* of uint64_t */

/*
 * Decides with the facts of the connection. FINAL: no requests will follow (TCP), so fields of requests have
 * their absent values and the verdict is never RULESET_WAIT. Else STATE is filled for ruleset_request(). A
 * verdict of RULESET_PASS also waives ruleset_request(). COUNTER may be NULL.
 */
void ruleset_connect(const struct ruleset_plan *plan, struct rules_context *context,
                     struct rules_scratch *scratch, bool final, uint64_t *state,
                     struct ruleset_counter *counter, struct ruleset_decision *decision);

/* Decides a request of a connection whose verdict was RULESET_WAIT. */
void ruleset_request(const struct ruleset_plan *plan, struct rules_context *context,
                     struct rules_scratch *scratch, const uint64_t *state, struct ruleset_counter *counter,
                     struct ruleset_decision *decision);

/* Rules that can never match, match everything, or are never reached because of another. */
typedef void (*ruleset_warn_fn)(void *arg, size_t rule, size_t offset, size_t length, const char *message);
void ruleset_warn(const struct ruleset *ruleset, ruleset_warn_fn report, void *arg);

#endif
