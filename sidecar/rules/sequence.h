/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sequences: requests of one certificate in an order that is expected, A -> B -> C, where each is an
 * expression with a name. A step may come again, and the first may always come; a later one that comes
 * without the one before it (itself rightly come) within the window breaks the sequence. A request that is
 * several steps must be in order as each of them.
 *
 * What certificates have done stands in a bounded table that all workers share and that outlives snapshots;
 * whoever gave way there to others, and who has no certificate, has done nothing yet. Times are milliseconds
 * of a clock that never goes back, though that of another worker may be a little behind.
 */
#ifndef SIDECAR_RULES_SEQUENCE_H
#define SIDECAR_RULES_SEQUENCE_H

#include "sidecar/rules/lru.h"
#include "sidecar/rules/ruleset.h"

/* ---- The table: lives as long as the process --- */

/* ENTRIES at most, of a certificate in a sequence each. NULL without memory. Free with rules_lru_free(). */
struct rules_lru *sequence_table_new(size_t entries, const uint8_t secret[16])
    __attribute__((warn_unused_result));

/* ---- The sequences of a snapshot --- */

enum { SEQUENCE_STEPS_MAX = 8, SEQUENCES_MAX = 64, SEQUENCE_EXPRESSIONS_MAX = 256 };

/* A sequence as it is added; everything is copied. */
struct sequence_rule {
    const char *name;
    const char *steps; /* "A -> B -> C": two to SEQUENCE_STEPS_MAX different names of expressions */
    uint64_t window;
    bool log_only;    /* the action is log, not block */
    unsigned status;  /* of the answer; 0: 403 */
    const char *body; /* NULL: the usual one */
    bool enabled;
    bool dry_run;               /* it is counted and noted, and has no effect */
    const char *const *inbound; /* names; INBOUNDS 0: every one */
    size_t inbounds;
};

struct sequences;
struct sequence_plan;

struct sequences *sequences_new(void) __attribute__((warn_unused_result)); /* NULL without memory */
void sequences_free(struct sequences *sequences);                          /* its plans with it */

/*
 * Compiles a named expression, for sequences that are added later; NAME holds letters, digits, "_", "." and
 * "-". Fields of RULES_CONNECTION and RULES_REQUEST may be used. False on a mistake, which ERROR tells.
 */
bool sequences_add_expression(struct sequences *sequences, const struct rules_env *env, const char *name,
                              const char *expression, size_t size, struct rules_error *error)
    __attribute__((warn_unused_result));

/* Appends a sequence. False on a mistake, which ERROR tells, with its offset in RULE->steps. */
bool sequences_add(struct sequences *sequences, const struct sequence_rule *rule, struct rules_error *error)
    __attribute__((warn_unused_result));

/* The enabled sequences of the inbound called NAME, made at the first call. NULL without memory. */
const struct sequence_plan *sequences_plan(struct sequences *sequences, const char *inbound)
    __attribute__((warn_unused_result));
size_t sequence_plan_count(const struct sequence_plan *plan);
uint8_t sequence_plan_phases(const struct sequence_plan *plan);
bool sequence_plan_uses(const struct sequence_plan *plan, unsigned field);

size_t sequences_count(const struct sequences *sequences);
const char *sequences_name(const struct sequences *sequences, size_t number);
const char *sequences_step(const struct sequences *sequences, size_t number, unsigned step); /* its name */
enum ruleset_action sequences_action(const struct sequences *sequences, size_t number); /* block or log */
bool sequences_dry_run(const struct sequences *sequences, size_t number);

enum { SEQUENCE_NOTES_MAX = 8 };

struct sequence_decision {
    bool refuse;
    bool broken;      /* some sequence that is no dry run */
    int sequence;     /* number of the one that refuses, or -1 */
    unsigned step;    /* of it, which came without its predecessor */
    unsigned status;  /* of a refusal */
    const char *body; /* of a refusal; NULL: the usual one */
    struct {
        uint16_t sequence, step;
    } note[SEQUENCE_NOTES_MAX]; /* those broken that only log or are dry runs */
    unsigned notes;             /* how many there were, which may be more than fit */
};

/*
 * Decides a request of the certificate with FINGERPRINT (NULL: there is none), and unless it is refused
 * remembers the steps that it took; a request that breaks a sequence takes no step of it. A step that cannot
 * be evaluated (a value was too large) must be in order and is not taken. COUNTER may be NULL; else one for
 * each sequence, of the calling worker: evaluated is a request, matched a broken sequence.
 */
void sequence_request(const struct sequence_plan *plan, struct rules_lru *table,
                      const uint8_t fingerprint[32], struct rules_context *context,
                      struct rules_scratch *scratch, uint64_t now, struct ruleset_counter *counter,
                      struct sequence_decision *decision);

/* ---- Warnings --- */

/*
 * Expressions that nothing uses or that are suspicious in themselves, and steps that can never be reached.
 * EXPRESSION or SEQUENCE is a number in the order of adding, the other -1; the span is in its text.
 */
typedef void (*sequences_warn_fn)(void *arg, int expression, int sequence, size_t offset, size_t length,
                                  const char *message);
void sequences_warn(const struct sequences *sequences, sequences_warn_fn report, void *arg);

#endif
