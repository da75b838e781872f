/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/rules/ruleset.h"

#include <stdlib.h>
#include <string.h>

#include "sidecar/rules/internal.h"

struct rule {
    char *name;
    struct rules_program *program;
    enum ruleset_action action;
    unsigned status;
    char *body;
    bool enabled, dry_run;
    struct where where;
};

struct ruleset_plan {
    struct ruleset_plan *next;
    const struct ruleset *ruleset;
    char *inbound;
    uint16_t *rule; /* numbers, in order */
    size_t count, words;
    struct needs needs;
    enum ruleset_default fallback;
    int verified, revoked; /* fields */
};

struct ruleset {
    enum ruleset_default fallback;
    struct rules_arena arena;
    struct rule *rule;
    size_t count, room;
    struct ruleset_plan *plan;
};

struct ruleset *ruleset_new(enum ruleset_default fallback)
{
    struct ruleset *ruleset = calloc(1, sizeof *ruleset);
    if (ruleset)
        ruleset->fallback = fallback;
    return ruleset;
}

void ruleset_free(struct ruleset *ruleset)
{
    if (!ruleset)
        return;
    for (size_t i = 0; i < ruleset->count; i++)
        rules_free(ruleset->rule[i].program);
    free(ruleset->rule);
    rules_arena_free(&ruleset->arena);
    free(ruleset);
}

static bool copy_rule(struct ruleset *ruleset, struct rule *to, const struct ruleset_rule *from)
{
    struct rules_arena *arena = &ruleset->arena;
    to->action = from->action;
    to->status = from->status ? from->status : 403;
    to->enabled = from->enabled;
    to->dry_run = from->dry_run;
    to->name = rules_arena_text(arena, from->name);
    to->body = from->body ? rules_arena_text(arena, from->body) : NULL;
    return to->name && (!from->body || to->body) &&
           where_copy(&to->where, arena, from->inbound, from->inbounds);
}

bool ruleset_add(struct ruleset *ruleset, const struct rules_env *env, const struct ruleset_rule *rule,
                 struct rules_error *error)
{
    struct rules_env here = *env;
    if (ruleset->count == RULESET_RULES_MAX)
        return rules_add_failed(error, RULES_TOO_MANY, "too many rules");
    if (ruleset->count == ruleset->room) {
        size_t room = ruleset->room ? ruleset->room * 2 : 16;
        struct rule *grown = realloc(ruleset->rule, room * sizeof *grown);
        if (!grown)
            return rules_add_failed(error, RULES_OUT_OF_MEMORY, "out of memory");
        ruleset->rule = grown;
        ruleset->room = room;
    }
    struct rule *to = &ruleset->rule[ruleset->count];
    memset(to, 0, sizeof *to);
    here.phases = RULES_CONNECTION | RULES_REQUEST;
    to->program = rules_compile(&here, rule->expression, rule->expression_size, error);
    if (!to->program)
        return false;
    ruleset->count++;
    return copy_rule(ruleset, to, rule) || rules_add_failed(error, RULES_OUT_OF_MEMORY, "out of memory");
}

const struct ruleset_plan *ruleset_plan(struct ruleset *ruleset, const char *inbound)
{
    struct ruleset_plan *plan;
    for (plan = ruleset->plan; plan; plan = plan->next)
        if (strcmp(plan->inbound, inbound) == 0)
            return plan;
    plan = rules_arena_take(&ruleset->arena, sizeof *plan);
    if (!plan)
        return NULL;
    plan->ruleset = ruleset;
    plan->fallback = ruleset->fallback;
    plan->inbound = rules_arena_text(&ruleset->arena, inbound);
    plan->rule = rules_arena_take(&ruleset->arena, (ruleset->count + 1) * sizeof *plan->rule);
    if (!plan->inbound || !plan->rule)
        return NULL;
    for (size_t i = 0; i < ruleset->count; i++) {
        const struct rule *rule = &ruleset->rule[i];
        if (!rule->enabled || !where_has(&rule->where, inbound))
            continue;
        plan->rule[plan->count++] = (uint16_t)i;
        needs_add(&plan->needs, rule->program);
    }
    plan->words = (plan->count + 63) / 64;
    plan->next = ruleset->plan;
    ruleset->plan = plan;
    return plan;
}

uint8_t ruleset_plan_phases(const struct ruleset_plan *plan)
{
    return plan->needs.phases;
}

bool ruleset_plan_uses(const struct ruleset_plan *plan, unsigned field)
{
    return needs_has(&plan->needs, field);
}

size_t ruleset_plan_state_words(const struct ruleset_plan *plan)
{
    return 2 * plan->words;
}

size_t ruleset_count(const struct ruleset *ruleset)
{
    return ruleset->count;
}

const char *ruleset_name(const struct ruleset *ruleset, size_t number)
{
    return ruleset->rule[number].name;
}

enum ruleset_action ruleset_action(const struct ruleset *ruleset, size_t number)
{
    return ruleset->rule[number].action;
}

bool ruleset_enabled(const struct ruleset *ruleset, size_t number)
{
    return ruleset->rule[number].enabled;
}

bool ruleset_dry_run(const struct ruleset *ruleset, size_t number)
{
    return ruleset->rule[number].dry_run;
}

const struct rules_program *ruleset_program(const struct ruleset *ruleset, size_t number)
{
    return ruleset->rule[number].program;
}

/* --- Deciding --- */

struct judge {
    const struct ruleset_plan *plan;
    struct rules_context *context;
    struct rules_scratch *scratch;
    struct ruleset_counter *counter; /* NULL: nothing is counted */
    struct ruleset_decision *decision;
};

static void begin(struct ruleset_decision *decision)
{
    memset(decision, 0, sizeof *decision);
    decision->verdict = RULESET_PASS;
    decision->reason = RULESET_BY_DEFAULT;
    decision->rule = -1;
    decision->status = 403;
}

static bool truth(struct rules_context *context, unsigned field)
{
    struct rules_scratch none = {0};
    struct run run = {context, &none};
    const struct rules_value *value = eval_field(&run, field);
    return value->type == RULES_BOOL && value->boolean;
}

static void by_default(const struct judge *j)
{
    bool pass = j->plan->fallback == RULESET_ALLOW_ALL ||
                (j->plan->fallback == RULESET_AUTO && truth(j->context, RULES_FIELD_CERT_VERIFIED) &&
                 !truth(j->context, RULES_FIELD_CERT_REVOKED));
    j->decision->verdict = pass ? RULESET_PASS : RULESET_REFUSE;
}

static void decide(const struct judge *j, size_t number, enum ruleset_reason reason)
{
    const struct rule *rule = &j->plan->ruleset->rule[number];
    j->decision->verdict = rule->action == RULESET_ALLOW ? RULESET_PASS : RULESET_REFUSE;
    j->decision->reason = reason;
    j->decision->rule = (int)number;
    j->decision->status = rule->status;
    j->decision->body = rule->body;
}

static void note(struct ruleset_decision *decision, size_t number)
{
    if (decision->notes < RULESET_NOTES_MAX)
        decision->note[decision->notes] = (uint16_t)number;
    decision->notes++;
}

/* What follows from a match. Returns whether the rules after it do not count any more. */
static bool matched(const struct judge *j, size_t number)
{
    const struct rule *rule = &j->plan->ruleset->rule[number];
    if (j->counter) {
        ruleset_count_up(&j->counter[number].matched);
        if (!rule->dry_run)
            ruleset_count_up(&j->counter[number].acted);
    }
    if (rule->dry_run || rule->action == RULESET_LOG) {
        note(j->decision, number);
        return false;
    }
    if (rule->action == RULESET_SKIP)
        by_default(j);
    else
        decide(j, number, RULESET_BY_RULE);
    return true;
}

/* A value did not fit while NUMBER was evaluated. Returns whether that refuses. */
static bool doubtful(const struct judge *j, size_t number)
{
    const struct rule *rule = &j->plan->ruleset->rule[number];
    if (rule->dry_run || rule->action != RULESET_BLOCK)
        return false;
    decide(j, number, RULESET_BY_DOUBT);
    return true;
}

static void count_evaluated(const struct judge *j, size_t number)
{
    if (j->counter)
        ruleset_count_up(&j->counter[number].evaluated);
}

/* Whether a match of the rule refuses, given that no rule before it decides. */
static bool refuses(const struct judge *j, const struct rule *rule)
{
    struct ruleset_decision unused;
    struct judge here = {.plan = j->plan, .context = j->context, .decision = &unused};
    if (rule->action != RULESET_SKIP)
        return rule->action == RULESET_BLOCK;
    by_default(&here);
    return unused.verdict == RULESET_REFUSE;
}

/* What is open when a connection has been looked at up to some rule. */
struct left_open {
    bool any;    /* some rule */
    bool ending; /* one that would decide */
};

/*
 * A rule that matches by the facts of the connection. One that decides does so now only if no request can be
 * decided before it, and if there is nothing that must still be noted about requests that pass.
 */
static bool matched_early(const struct judge *j, size_t number, const struct left_open *open,
                          uint64_t *state_word, uint64_t bit)
{
    const struct rule *rule = &j->plan->ruleset->rule[number];
    bool decides = !rule->dry_run && rule->action != RULESET_LOG;
    if (!decides || !open->any || (refuses(j, rule) && !open->ending)) {
        count_evaluated(j, number);
        return matched(j, number);
    }
    *state_word |= bit;
    return true;
}

/*
 * State: for each rule of the plan a bit in the first half, that it matches, and one in the second, that
 * requests decide it. Rules with neither have been found not to match, or are never reached.
 */
void ruleset_connect(const struct ruleset_plan *plan, struct rules_context *context,
                     struct rules_scratch *scratch, bool final, uint64_t *state,
                     struct ruleset_counter *counter, struct ruleset_decision *decision)
{
    struct judge j = {plan, context, scratch, counter, decision};
    struct left_open open = {false, false};
    bool ended = false;
    uint64_t nowhere = 0; /* nothing is open where FINAL */
    if (!final)
        memset(state, 0, 2 * plan->words * sizeof *state);
    begin(decision);
    for (size_t i = 0; i < plan->count && !ended; i++) {
        size_t number = plan->rule[i];
        const struct rule *rule = &plan->ruleset->rule[number];
        uint64_t bit = (uint64_t)1 << i % 64;
        enum rules_verdict verdict =
            rules_eval_partly(rule->program, context, scratch, final ? 0xff : RULES_CONNECTION);
        if (verdict == RULES_OPEN || (scratch->overflow && !final)) {
            /* Where a value did not fit, the request finds that out again, and then it counts. */
            state[plan->words + i / 64] |= bit;
            open.any = true;
            open.ending |= !rule->dry_run && rule->action != RULESET_LOG;
            continue;
        }
        if (scratch->overflow) {
            count_evaluated(&j, number);
            ended = doubtful(&j, number);
        } else if (verdict == RULES_TRUE) {
            ended = matched_early(&j, number, &open, final ? &nowhere : &state[i / 64], bit);
        } else {
            count_evaluated(&j, number);
        }
    }
    if (!ended && !open.any)
        by_default(&j);
    if (open.any && decision->verdict != RULESET_REFUSE)
        decision->verdict = RULESET_WAIT;
}

static bool request_rule(const struct judge *j, size_t number, bool open)
{
    if (!open)
        return matched(j, number);
    bool matches = rules_eval(j->plan->ruleset->rule[number].program, j->context, j->scratch);
    count_evaluated(j, number);
    if (j->scratch->overflow)
        return doubtful(j, number);
    return matches && matched(j, number);
}

void ruleset_request(const struct ruleset_plan *plan, struct rules_context *context,
                     struct rules_scratch *scratch, const uint64_t *state, struct ruleset_counter *counter,
                     struct ruleset_decision *decision)
{
    struct judge j = {plan, context, scratch, counter, decision};
    begin(decision);
    for (size_t word = 0; word < plan->words; word++) {
        uint64_t open = state[plan->words + word];
        for (uint64_t left = open | state[word]; left; left &= left - 1) {
            unsigned bit = (unsigned)__builtin_ctzll(left);
            if (request_rule(&j, plan->rule[word * 64 + bit], open >> bit & 1))
                return;
        }
    }
    by_default(&j);
}

/* --- Warnings --- */

struct rule_warn {
    ruleset_warn_fn report;
    void *arg;
    size_t rule;
};

static void pass_on(void *arg, size_t offset, size_t length, const char *message)
{
    const struct rule_warn *w = arg;
    w->report(w->arg, w->rule, offset, length, message);
}

/* Whether EARLIER applies wherever LATER does. */
static bool covers(const struct rule *earlier, const struct rule *later)
{
    if (earlier->where.count == 0)
        return true;
    for (size_t i = 0; i < later->where.count; i++)
        if (!where_has(&earlier->where, later->where.inbound[i]))
            return false;
    return later->where.count > 0;
}

/* The first rule before number LATER that matches all that it matches and ends what it could do; or NULL. */
static const struct rule *shadow_of(const struct ruleset *ruleset, const struct rules_gist *gist,
                                    size_t later)
{
    const struct rule *rule = &ruleset->rule[later];
    for (size_t k = 0; k < later && rule->enabled; k++) {
        const struct rule *earlier = &ruleset->rule[k];
        if (earlier->enabled && !earlier->dry_run && earlier->action != RULESET_LOG &&
            rules_gist_may_imply(&gist[later], &gist[k]) && covers(earlier, rule) &&
            rules_program_implies(rule->program, earlier->program))
            return earlier;
    }
    return NULL;
}

void ruleset_warn(const struct ruleset *ruleset, ruleset_warn_fn report, void *arg)
{
    struct rules_gist *gist = calloc(ruleset->count + 1, sizeof *gist);
    size_t known = 0;
    while (gist && known < ruleset->count && rules_gist_of(ruleset->rule[known].program, &gist[known]))
        known++;
    for (size_t i = 0; i < ruleset->count; i++) {
        const struct rule *later = &ruleset->rule[i];
        struct rule_warn w = {report, arg, i};
        rules_program_warn(later->program, pass_on, &w);
        /* Without memory for it this warning is left out. */
        const struct rule *shadow = i < known ? shadow_of(ruleset, gist, i) : NULL;
        if (!shadow)
            continue;
        char message[192];
        snprintf(message, sizeof message,
                 "never reached: the rule %.100s before it matches all that it matches", shadow->name);
        report(arg, i, 0, strlen(later->program->text), message);
    }
    for (size_t i = 0; i < known; i++)
        rules_gist_clear(&gist[i]);
    free(gist);
}
