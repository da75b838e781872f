/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The limits of a snapshot: whom they hit, what they count, by what. */
#include "sidecar/rules/ratelimit.h"
#include "sidecar/rules/ruleset.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/rules/internal.h"

struct limit {
    const char *name;
    struct rules_program *expression;
    struct rules_program *counting; /* NULL: EXPRESSION */
    struct rules_program *characteristic[RATELIMIT_CHARACTERISTICS_MAX];
    size_t characteristics;
    struct ratelimit_window window;
    bool log_only;
    bool by_response;
    unsigned status;
    const char *body;
    struct where where;
};

struct ratelimit_plan {
    struct ratelimit_plan *next;
    const struct ratelimits *limits;
    const char *inbound;
    uint8_t number[RATELIMITS_MAX];
    size_t count;
    struct needs needs;
};

struct ratelimits {
    struct rules_arena arena;
    struct limit limit[RATELIMITS_MAX];
    size_t count;
    struct ratelimit_plan *plan;
};

struct ratelimits *ratelimits_new(void)
{
    return calloc(1, sizeof(struct ratelimits));
}

static void limit_clear(struct limit *limit)
{
    rules_free(limit->expression);
    rules_free(limit->counting);
    for (size_t i = 0; i < limit->characteristics; i++)
        rules_free(limit->characteristic[i]);
    memset(limit, 0, sizeof *limit);
}

void ratelimits_free(struct ratelimits *limits)
{
    if (!limits)
        return;
    for (size_t i = 0; i < limits->count; i++)
        limit_clear(&limits->limit[i]);
    rules_arena_free(&limits->arena);
    free(limits);
}

static bool no_memory(struct rules_error *error)
{
    return rules_add_failed(error, RULES_OUT_OF_MEMORY, "out of memory");
}

static bool compile(struct limit *to, const struct rules_env *env, const struct ratelimit_limit *from,
                    struct rules_error *error, int *where)
{
    struct rules_env before = *env, after = *env;
    before.phases = RULES_CONNECTION | RULES_REQUEST;
    after.phases = RULES_CONNECTION | RULES_REQUEST | RULES_RESPONSE;
    *where = -2;
    to->expression =
        rules_compile(&before, (const char *)from->expression.data, from->expression.size, error);
    if (!to->expression)
        return false;
    *where = -1;
    if (from->counting.size > 0) {
        to->counting = rules_compile(&after, (const char *)from->counting.data, from->counting.size, error);
        if (!to->counting)
            return false;
        to->by_response = rules_program_phases(to->counting) & RULES_RESPONSE;
    }
    for (size_t i = 0; i < from->characteristics; i++) {
        struct rules_bytes text = from->characteristic[i];
        *where = (int)i;
        to->characteristic[i] = rules_compile_key(&before, (const char *)text.data, text.size, error);
        if (!to->characteristic[i])
            return false;
        to->characteristics++;
    }
    return true;
}

static bool copy(struct ratelimits *limits, struct limit *to, const struct ratelimit_limit *from)
{
    struct rules_arena *arena = &limits->arena;
    to->window = (struct ratelimit_window){from->requests, from->period, from->mitigation_timeout};
    to->log_only = from->log_only;
    to->status = from->status ? from->status : 429;
    to->name = rules_arena_text(arena, from->name);
    to->body = from->body ? rules_arena_text(arena, from->body) : NULL;
    return to->name && (!from->body || to->body) &&
           where_copy(&to->where, arena, from->inbound, from->inbounds);
}

/* How many limits count by responses at INBOUND; NULL: at one that none of them names. */
static size_t by_response_at(const struct ratelimits *limits, const char *inbound)
{
    size_t n = 0;
    for (size_t i = 0; i < limits->count; i++) {
        const struct limit *limit = &limits->limit[i];
        n += limit->by_response && (inbound ? where_has(&limit->where, inbound) : limit->where.count == 0);
    }
    return n;
}

/* Whether each request can remember all the limits that its response is to be counted by. */
static bool responses_fit(const struct ratelimits *limits)
{
    bool fit = by_response_at(limits, NULL) <= RATELIMIT_PENDING_MAX;
    for (size_t i = 0; i < limits->count; i++)
        for (size_t k = 0; k < limits->limit[i].where.count; k++)
            fit = fit && by_response_at(limits, limits->limit[i].where.inbound[k]) <= RATELIMIT_PENDING_MAX;
    return fit;
}

bool ratelimits_add(struct ratelimits *limits, const struct rules_env *env,
                    const struct ratelimit_limit *limit, struct rules_error *error, int *where)
{
    struct limit *to = &limits->limit[limits->count];
    *where = -2;
    if (limits->count == RATELIMITS_MAX)
        return rules_add_failed(error, RULES_TOO_MANY, "too many rate limits");
    if (limit->characteristics < 1 || limit->characteristics > RATELIMIT_CHARACTERISTICS_MAX)
        return rules_add_failed(error, RULES_TOO_MANY, "a rate limit has one to eight characteristics");
    if (limit->requests < 1 || limit->period < 1 || limit->period > INT64_MAX / 4 ||
        limit->mitigation_timeout > INT64_MAX / 4)
        return rules_add_failed(error, RULES_INVALID_ARGUMENT_VALUE, "requests and period must be positive");
    memset(to, 0, sizeof *to);
    if (!compile(to, env, limit, error, where) || (!copy(limits, to, limit) && !no_memory(error))) {
        limit_clear(to);
        return false;
    }
    limits->count++;
    if (!to->by_response || responses_fit(limits))
        return true;
    limits->count--;
    limit_clear(to);
    *where = -1;
    return rules_add_failed(error, RULES_TOO_MANY,
                            "more than eight limits count by responses at one inbound");
}

const struct ratelimit_plan *ratelimits_plan(struct ratelimits *limits, const char *inbound)
{
    struct ratelimit_plan *plan;
    for (plan = limits->plan; plan; plan = plan->next)
        if (strcmp(plan->inbound, inbound) == 0)
            return plan;
    plan = rules_arena_take(&limits->arena, sizeof *plan);
    if (!plan)
        return NULL;
    plan->limits = limits;
    plan->inbound = rules_arena_text(&limits->arena, inbound);
    if (!plan->inbound)
        return NULL;
    for (size_t i = 0; i < limits->count; i++) {
        const struct limit *limit = &limits->limit[i];
        if (!where_has(&limit->where, inbound))
            continue;
        plan->number[plan->count++] = (uint8_t)i;
        needs_add(&plan->needs, limit->expression);
        needs_add(&plan->needs, limit->counting);
        for (size_t k = 0; k < limit->characteristics; k++)
            needs_add(&plan->needs, limit->characteristic[k]);
    }
    plan->next = limits->plan;
    limits->plan = plan;
    return plan;
}

size_t ratelimit_plan_count(const struct ratelimit_plan *plan)
{
    return plan->count;
}

bool ratelimit_plan_uses(const struct ratelimit_plan *plan, unsigned field)
{
    return needs_has(&plan->needs, field);
}

size_t ratelimits_count(const struct ratelimits *limits)
{
    return limits->count;
}

const char *ratelimits_name(const struct ratelimits *limits, size_t number)
{
    return limits->limit[number].name;
}

/* --- Keys --- */

/* So that no two different values are hashed from the same bytes; a missing one differs from an empty one. */
static void hash_value(struct rules_lru_hash *hash, const struct rules_value *value)
{
    uint64_t size = rules_type_layer(value->type) == RULES_ARRAY ? value->array.count
                    : value->type == RULES_BYTES                 ? value->bytes.size
                                                                 : 0;
    rules_lru_hash_add(hash, &value->type, sizeof value->type);
    rules_lru_hash_add(hash, &size, sizeof size);
    if (rules_type_layer(value->type) == RULES_ARRAY) {
        for (size_t i = 0; i < value->array.count; i++)
            hash_value(hash, &value->array.item[i]);
        return;
    }
    switch (value->type) {
    case RULES_BOOL: rules_lru_hash_add(hash, &value->boolean, 1); break;
    case RULES_INT: rules_lru_hash_add(hash, &value->integer, sizeof value->integer); break;
    case RULES_BYTES: rules_lru_hash_add(hash, value->bytes.data, value->bytes.size); break;
    case RULES_IP:
        rules_lru_hash_add(hash, &value->ip.family, 1);
        rules_lru_hash_add(hash, value->ip.addr, sizeof value->ip.addr);
        break;
    default: break;
    }
}

/* The entry of this request: the limit's name and period, and the characteristics. False: not evaluable. */
static bool key_of(const struct limit *limit, const struct rules_lru *table, struct rules_context *context,
                   struct rules_scratch *scratch, uint64_t key[2])
{
    struct rules_lru_hash hash;
    rules_lru_hash_start(&hash, table);
    rules_lru_hash_add(&hash, limit->name, strlen(limit->name) + 1);
    rules_lru_hash_add(&hash, &limit->window.period, sizeof limit->window.period);
    for (size_t i = 0; i < limit->characteristics; i++) {
        struct rules_value value;
        rules_eval_value(limit->characteristic[i], context, scratch, &value);
        if (scratch->overflow)
            return false;
        hash_value(&hash, &value);
    }
    rules_lru_hash_end(&hash, key);
    return true;
}

/* --- Deciding --- */

static void act(const struct limit *limit, size_t number, uint64_t retry_after,
                struct ratelimit_counter *counter, struct ratelimit_decision *decision)
{
    if (counter)
        ruleset_count_up(&counter[number].acted);
    if (limit->log_only) {
        if (decision->notes < RATELIMIT_NOTES_MAX)
            decision->note[decision->notes] = (uint16_t)number;
        decision->notes++;
        return;
    }
    decision->refuse = true;
    decision->limit = (int)number;
    decision->status = limit->status;
    decision->body = limit->body;
    decision->retry_after = retry_after;
}

static bool evaluate(const struct rules_program *program, struct rules_context *context,
                     struct rules_scratch *scratch)
{
    bool result = rules_eval(program, context, scratch);
    return result || scratch->overflow;
}

static void remember(struct ratelimit_pending *pending, size_t number, const uint64_t key[2])
{
    assert(pending->count < RATELIMIT_PENDING_MAX); /* ratelimits_add() */
    pending->item[pending->count].limit = (uint16_t)number;
    pending->item[pending->count].key[0] = key[0];
    pending->item[pending->count++].key[1] = key[1];
}

void ratelimit_request(const struct ratelimit_plan *plan, struct rules_lru *table,
                       struct rules_context *context, struct rules_scratch *scratch, uint64_t now,
                       struct ratelimit_counter *counter, struct ratelimit_pending *pending,
                       struct ratelimit_decision *decision)
{
    memset(decision, 0, sizeof *decision);
    decision->limit = -1;
    pending->count = 0;
    for (size_t i = 0; i < plan->count && !decision->refuse; i++) {
        size_t number = plan->number[i];
        const struct limit *limit = &plan->limits->limit[number];
        bool hits = evaluate(limit->expression, context, scratch);
        bool counts = limit->by_response ? false
                      : limit->counting  ? evaluate(limit->counting, context, scratch)
                                         : hits;
        uint64_t key[2], retry_after = 1;
        if (!hits && !counts && !limit->by_response)
            continue;
        if (!key_of(limit, table, context, scratch, key)) {
            if (hits)
                act(limit, number, retry_after, counter, decision);
            continue;
        }
        if (limit->by_response)
            remember(pending, number, key);
        enum ratelimit_use use = !counts                    ? RATELIMIT_LOOK
                                 : hits && !limit->log_only ? RATELIMIT_TAKE
                                                            : RATELIMIT_COUNT;
        if (counts && counter)
            ruleset_count_up(&counter[number].counted);
        bool over = (hits || counts) && ratelimit_hit(table, key, &limit->window, use, now, &retry_after);
        if (over && hits)
            act(limit, number, retry_after, counter, decision);
    }
}

void ratelimit_response(const struct ratelimit_plan *plan, struct rules_lru *table,
                        struct rules_context *context, struct rules_scratch *scratch, uint64_t now,
                        struct ratelimit_counter *counter, const struct ratelimit_pending *pending)
{
    for (unsigned i = 0; i < pending->count; i++) {
        size_t number = pending->item[i].limit;
        const struct limit *limit = &plan->limits->limit[number];
        uint64_t retry_after;
        if (!evaluate(limit->counting, context, scratch))
            continue;
        if (counter)
            ruleset_count_up(&counter[number].counted);
        ratelimit_hit(table, pending->item[i].key, &limit->window, RATELIMIT_COUNT, now, &retry_after);
    }
}
