/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/rules/sequence.h"

#include <stdlib.h>
#include <string.h>

#include "sidecar/rules/internal.h"

struct expression {
    const char *name;
    struct rules_program *program;
    bool used;
};

struct sequence {
    const char *name;
    uint64_t window;
    uint64_t identity; /* of name and steps: what was done under other expressions does not count */
    uint16_t step[SEQUENCE_STEPS_MAX]; /* numbers of expressions */
    size_t at[SEQUENCE_STEPS_MAX];     /* where their names stand */
    unsigned steps;
    enum ruleset_action action;
    unsigned status;
    const char *body;
    bool enabled, dry_run;
    struct where where;
};

struct sequence_plan {
    struct sequence_plan *next;
    const struct sequences *sequences;
    const char *inbound;
    uint8_t number[SEQUENCES_MAX];
    size_t count;
    struct needs needs;
};

struct sequences {
    struct rules_arena arena;
    struct expression expression[SEQUENCE_EXPRESSIONS_MAX];
    size_t expressions;
    struct sequence sequence[SEQUENCES_MAX];
    size_t count;
    struct sequence_plan *plan;
};

struct sequences *sequences_new(void)
{
    return calloc(1, sizeof(struct sequences));
}

void sequences_free(struct sequences *sequences)
{
    if (!sequences)
        return;
    for (size_t i = 0; i < sequences->expressions; i++)
        rules_free(sequences->expression[i].program);
    rules_arena_free(&sequences->arena);
    free(sequences);
}

/* ---- Adding --- */

static bool failed(struct rules_error *error, enum rules_error_kind kind, size_t at, size_t length,
                   const char *message)
{
    rules_add_failed(error, kind, message);
    error->offset = at;
    error->length = length;
    error->column = (unsigned)at + 1;
    return false;
}

static bool no_memory(struct rules_error *error)
{
    return rules_add_failed(error, RULES_OUT_OF_MEMORY, "out of memory");
}

bool sequences_add_expression(struct sequences *sequences, const struct rules_env *env, const char *name,
                              const char *expression, size_t size, struct rules_error *error)
{
    struct expression *to = &sequences->expression[sequences->expressions];
    struct rules_env here = *env;
    if (sequences->expressions == SEQUENCE_EXPRESSIONS_MAX)
        return failed(error, RULES_TOO_MANY, 0, 0, "too many named expressions");
    here.phases = RULES_CONNECTION | RULES_REQUEST;
    *to = (struct expression){.name = rules_arena_text(&sequences->arena, name)};
    if (!to->name)
        return no_memory(error);
    to->program = rules_compile(&here, expression, size, error);
    if (!to->program)
        return false;
    sequences->expressions++;
    return true;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
}

/* Reads one name; a dash that begins an arrow is not part of it. */
static size_t name_length(const char *text)
{
    size_t size = 0;
    while (name_character(text[size]) && !(text[size] == '-' && text[size + 1] == '>'))
        size++;
    return size;
}

static bool unknown(const struct sequences *sequences, const char *name, size_t size, size_t at,
                    struct rules_error *error)
{
    unsigned least = size < 4 ? 2 : 3;
    failed(error, RULES_UNKNOWN_IDENTIFIER, at, size, "");
    snprintf(error->message, sizeof error->message, "there is no [expression %.*s]",
             (int)(size < 64 ? size : 64), name);
    for (size_t i = 0; i < sequences->expressions; i++) {
        const char *candidate = sequences->expression[i].name;
        unsigned distance = rules_distance(name, size, candidate, strlen(candidate));
        if (distance >= least)
            continue;
        least = distance;
        snprintf(error->suggestion, sizeof error->suggestion, "%s", candidate);
    }
    return false;
}

static bool add_step(struct sequences *sequences, struct sequence *s, const char *name, size_t size,
                     size_t at, struct rules_error *error)
{
    size_t i = 0;
    while (i < sequences->expressions && (strlen(sequences->expression[i].name) != size ||
                                          memcmp(sequences->expression[i].name, name, size) != 0))
        i++;
    if (i == sequences->expressions)
        return unknown(sequences, name, size, at, error);
    if (s->steps == SEQUENCE_STEPS_MAX)
        return failed(error, RULES_TOO_MANY, at, size, "a sequence has at most eight steps");
    for (unsigned k = 0; k < s->steps; k++)
        if (s->step[k] == i)
            return failed(error, RULES_INVALID_ARGUMENT_VALUE, at, size,
                          "this step stands twice in the sequence");
    sequences->expression[i].used = true;
    s->at[s->steps] = at;
    s->step[s->steps++] = (uint16_t)i;
    return true;
}

static bool parse_steps(struct sequences *sequences, struct sequence *s, const char *text,
                        struct rules_error *error)
{
    const char *p = text;
    for (;;) {
        while (blank(*p))
            p++;
        size_t size = name_length(p), at = (size_t)(p - text);
        if (size == 0)
            return failed(error, RULES_EXPECTED_NAME, at, *p != 0, "expected the name of an expression");
        if (!add_step(sequences, s, p, size, at, error))
            return false;
        p += size;
        while (blank(*p))
            p++;
        if (!*p)
            break;
        if (p[0] != '-' || p[1] != '>')
            return failed(error, RULES_EXPECTED_LITERAL, (size_t)(p - text), 1, "expected ->");
        p += 2;
    }
    return s->steps >= 2 ||
           failed(error, RULES_EXPECTED_LITERAL, strlen(text), 0, "a sequence has two steps at least");
}

/* FNV-1a, with the zero byte. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
    do
        hash = (hash ^ (uint8_t)*text) * UINT64_C(1099511628211);
    while (*text++);
    return hash;
}

static bool copy_rule(struct sequences *sequences, struct sequence *to, const struct sequence_rule *from)
{
    to->name = rules_arena_text(&sequences->arena, from->name);
    to->window = from->window;
    to->action = from->log_only ? RULESET_LOG : RULESET_BLOCK;
    to->status = from->status ? from->status : 403;
    to->body = from->body ? rules_arena_text(&sequences->arena, from->body) : NULL;
    to->enabled = from->enabled;
    to->dry_run = from->dry_run;
    if (!to->name || (from->body && !to->body) ||
        !where_copy(&to->where, &sequences->arena, from->inbound, from->inbounds))
        return false;
    to->identity = hash_text(UINT64_C(14695981039346656037), to->name);
    for (unsigned i = 0; i < to->steps; i++)
        to->identity =
            hash_text(to->identity, rules_program_text(sequences->expression[to->step[i]].program));
    return true;
}

bool sequences_add(struct sequences *sequences, const struct sequence_rule *rule, struct rules_error *error)
{
    struct sequence *to = &sequences->sequence[sequences->count];
    if (sequences->count == SEQUENCES_MAX)
        return failed(error, RULES_TOO_MANY, 0, 0, "too many sequences");
    memset(to, 0, sizeof *to);
    if (!parse_steps(sequences, to, rule->steps, error))
        return false;
    if (!copy_rule(sequences, to, rule))
        return no_memory(error);
    sequences->count++;
    return true;
}

/* ---- Plans --- */

const struct sequence_plan *sequences_plan(struct sequences *sequences, const char *inbound)
{
    struct sequence_plan *plan;
    for (plan = sequences->plan; plan; plan = plan->next)
        if (strcmp(plan->inbound, inbound) == 0)
            return plan;
    plan = rules_arena_take(&sequences->arena, sizeof *plan);
    if (!plan)
        return NULL;
    plan->sequences = sequences;
    plan->inbound = rules_arena_text(&sequences->arena, inbound);
    if (!plan->inbound)
        return NULL;
    for (size_t i = 0; i < sequences->count; i++) {
        const struct sequence *s = &sequences->sequence[i];
        if (!s->enabled || !where_has(&s->where, inbound))
            continue;
        plan->number[plan->count++] = (uint8_t)i;
        for (unsigned k = 0; k < s->steps; k++)
            needs_add(&plan->needs, sequences->expression[s->step[k]].program);
    }
    plan->next = sequences->plan;
    sequences->plan = plan;
    return plan;
}

size_t sequence_plan_count(const struct sequence_plan *plan)
{
    return plan->count;
}

uint8_t sequence_plan_phases(const struct sequence_plan *plan)
{
    return plan->needs.phases;
}

bool sequence_plan_uses(const struct sequence_plan *plan, unsigned field)
{
    return needs_has(&plan->needs, field);
}

size_t sequences_count(const struct sequences *sequences)
{
    return sequences->count;
}

const char *sequences_name(const struct sequences *sequences, size_t number)
{
    return sequences->sequence[number].name;
}

const char *sequences_step(const struct sequences *sequences, size_t number, unsigned step)
{
    return sequences->expression[sequences->sequence[number].step[step]].name;
}

enum ruleset_action sequences_action(const struct sequences *sequences, size_t number)
{
    return sequences->sequence[number].action;
}

bool sequences_dry_run(const struct sequences *sequences, size_t number)
{
    return sequences->sequence[number].dry_run;
}

/* ---- Requests --- */

/* When each step was last rightly taken, plus one; 0: never. */
struct taken {
    uint64_t at[SEQUENCE_STEPS_MAX];
};

struct rules_lru *sequence_table_new(size_t entries, const uint8_t secret[16])
{
    return rules_lru_new(entries, sizeof(struct taken), secret);
}

/* A request, before the sequences of a plan. */
struct asking {
    const struct sequences *sequences;
    struct rules_lru *table;
    const uint8_t *fingerprint;
    struct rules_context *context;
    struct rules_scratch *scratch;
    uint64_t now;
    uint8_t result[SEQUENCE_EXPRESSIONS_MAX]; /* of each expression, so that none is evaluated twice */
};

enum { UNKNOWN, MISSED, HIT, DOUBTFUL };

static void key_of(const struct asking *a, const struct sequence *s, uint64_t key[2])
{
    struct rules_lru_hash hash;
    rules_lru_hash_start(&hash, a->table);
    rules_lru_hash_add(&hash, a->fingerprint, 32);
    rules_lru_hash_add(&hash, &s->identity, sizeof s->identity);
    rules_lru_hash_end(&hash, key);
}

/* Which steps the request is, as bits; *SURE: those of them that could be evaluated. */
static unsigned steps_of(struct asking *a, const struct sequence *s, unsigned *sure)
{
    unsigned hit = 0;
    *sure = 0;
    for (unsigned i = 0; i < s->steps; i++) {
        unsigned e = s->step[i];
        if (a->result[e] == UNKNOWN) {
            bool match = rules_eval(a->sequences->expression[e].program, a->context, a->scratch);
            a->result[e] = (uint8_t)(a->scratch->overflow ? DOUBTFUL : match ? HIT : MISSED);
        }
        hit |= (unsigned)(a->result[e] != MISSED) << i;
        *sure |= (unsigned)(a->result[e] == HIT) << i;
    }
    return hit;
}

/* The first of the steps HIT that comes without its predecessor, or -1. */
static int broken_step(const struct asking *a, const struct sequence *s, unsigned hit)
{
    struct taken taken = {0};
    if (a->fingerprint && (hit & ~1u)) {
        uint64_t key[2];
        key_of(a, s, key);
        const struct taken *known = rules_lru_lock(a->table, key, false);
        if (known)
            taken = *known;
        rules_lru_unlock(a->table, key);
    }
    for (unsigned i = 1; i < s->steps; i++) {
        uint64_t before = taken.at[i - 1], age = a->now + 1 > before ? a->now + 1 - before : 0;
        if ((hit >> i & 1) && (before == 0 || age > s->window))
            return (int)i;
    }
    return -1;
}

static void take(const struct asking *a, const struct sequence *s, unsigned steps)
{
    uint64_t key[2];
    if (!a->fingerprint || !steps)
        return;
    key_of(a, s, key);
    struct taken *taken = rules_lru_lock(a->table, key, true);
    for (unsigned i = 0; i < s->steps; i++)
        if ((steps >> i & 1) && taken->at[i] < a->now + 1)
            taken->at[i] = a->now + 1;
    rules_lru_unlock(a->table, key);
}

static void broken(const struct asking *a, size_t number, unsigned step, struct ruleset_counter *counter,
                   struct sequence_decision *decision)
{
    const struct sequence *s = &a->sequences->sequence[number];
    if (counter) {
        ruleset_count_up(&counter[number].matched);
        if (!s->dry_run)
            ruleset_count_up(&counter[number].acted);
    }
    decision->broken |= !s->dry_run;
    if (s->dry_run || s->action == RULESET_LOG) {
        if (decision->notes < SEQUENCE_NOTES_MAX) {
            decision->note[decision->notes].sequence = (uint16_t)number;
            decision->note[decision->notes].step = (uint16_t)step;
        }
        decision->notes++;
        return;
    }
    decision->refuse = true;
    decision->sequence = (int)number;
    decision->step = step;
    decision->status = s->status;
    decision->body = s->body;
}

void sequence_request(const struct sequence_plan *plan, struct rules_lru *table,
                      const uint8_t fingerprint[32], struct rules_context *context,
                      struct rules_scratch *scratch, uint64_t now, struct ruleset_counter *counter,
                      struct sequence_decision *decision)
{
    struct asking a = {plan->sequences, table, fingerprint, context, scratch, now, {0}};
    uint8_t taken[SEQUENCES_MAX];
    memset(decision, 0, sizeof *decision);
    decision->sequence = -1;
    for (size_t i = 0; i < plan->count && !decision->refuse; i++) {
        size_t number = plan->number[i];
        const struct sequence *s = &a.sequences->sequence[number];
        unsigned sure, hit = steps_of(&a, s, &sure);
        int step = hit ? broken_step(&a, s, hit) : -1;
        if (counter)
            ruleset_count_up(&counter[number].evaluated);
        if (step >= 0)
            broken(&a, number, (unsigned)step, counter, decision);
        taken[i] = (uint8_t)(step < 0 ? sure : 0);
    }
    for (size_t i = 0; i < plan->count && !decision->refuse; i++)
        take(&a, &a.sequences->sequence[plan->number[i]], taken[i]);
}

/* ---- Warnings --- */

struct expression_warn {
    sequences_warn_fn report;
    void *arg;
    int expression;
};

static void pass_on(void *arg, size_t offset, size_t length, const char *message)
{
    const struct expression_warn *w = arg;
    w->report(w->arg, w->expression, -1, offset, length, message);
}

/* A step that every request of an earlier one is as well. */
static void warn_steps(const struct sequences *sequences, size_t number, sequences_warn_fn report, void *arg)
{
    const struct sequence *s = &sequences->sequence[number];
    for (unsigned later = 1; later < s->steps; later++) {
        const struct expression *what = &sequences->expression[s->step[later]];
        for (unsigned i = 0; i < later; i++) {
            const struct expression *earlier = &sequences->expression[s->step[i]];
            char message[192];
            if (!rules_program_implies(earlier->program, what->program))
                continue;
            snprintf(message, sizeof message,
                     "nobody can keep to this: whatever is %.50s is %.50s as well, which must come after it",
                     earlier->name, what->name);
            report(arg, -1, (int)number, s->at[later], strlen(what->name), message);
            break;
        }
    }
}

void sequences_warn(const struct sequences *sequences, sequences_warn_fn report, void *arg)
{
    for (size_t i = 0; i < sequences->expressions; i++) {
        const struct expression *e = &sequences->expression[i];
        struct expression_warn w = {report, arg, (int)i};
        rules_program_warn(e->program, pass_on, &w);
        if (!e->used)
            report(arg, (int)i, -1, 0, strlen(rules_program_text(e->program)), "no sequence uses it");
    }
    for (size_t i = 0; i < sequences->count; i++)
        warn_steps(sequences, i, report, arg);
}
