/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rate limits: the window against an exact count, the table, keys, mitigation, counting by responses,
 * threads. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "rules_scheme.h"
#include "sidecar/rules/ratelimit.h"

static const uint8_t secret[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static uint64_t random_state;

static uint64_t random_number(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return random_state >> 33;
}

/* The published SipHash-2-4-128 vector of the empty message; pieces hash as the whole. */
static void test_hash(void **state)
{
    (void)state;
    static const uint8_t message[15] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
    struct rules_lru *table = ratelimit_table_new(16, secret);
    struct rules_lru_hash hash;
    uint64_t key[2];
    rules_lru_hash_start(&hash, table);
    rules_lru_hash_end(&hash, key);
    assert_int_equal(key[0], 0xe6a825ba047f81a3u);
    assert_int_equal(key[1], 0x930255c71472f66du);
    rules_lru_hash_start(&hash, table);
    rules_lru_hash_add(&hash, message, 7);
    rules_lru_hash_add(&hash, message + 7, 8);
    rules_lru_hash_end(&hash, key);
    uint64_t whole[2];
    rules_lru_hash_start(&hash, table);
    rules_lru_hash_add(&hash, message, sizeof message);
    rules_lru_hash_end(&hash, whole);
    assert_memory_equal(key, whole, sizeof key);
    rules_lru_free(table);
}

/* Never more than allowed within any period, and at least what an exact window would let through but for 1 %.
 */
static void test_window(void **state)
{
    (void)state;
    enum { REQUESTS = 100, PERIOD = 60000, OFFERED = 4000 };
    static const struct ratelimit_window window = {REQUESTS, PERIOD, 0};
    static uint64_t passed[OFFERED];
    for (unsigned seed = 1; seed <= 20; seed++) {
        struct rules_lru *table = ratelimit_table_new(16, secret);
        uint64_t key[2] = {seed, 7}, now = 1000000 + seed * 977, start = now;
        size_t n = 0;
        random_state = seed;
        for (size_t i = 0; i < OFFERED; i++) {
            now += random_number() % (seed % 4 == 0 ? 100 : 400);
            if (seed % 4 && random_number() % 100 == 0)
                now += random_number() % PERIOD;
            uint64_t retry_after = 0;
            bool over = ratelimit_hit(table, key, &window, RATELIMIT_TAKE, now, &retry_after);
            /* Refused although even the period and a hundredth of it held less than the limit? */
            size_t recent = 0;
            for (size_t k = n; k > 0 && now - passed[k - 1] < PERIOD + PERIOD / 100; k--)
                recent++;
            if (over && recent < REQUESTS)
                fail_msg("refused with %zu in the window", recent);
            if (over) {
                assert_true(retry_after >= 1 && retry_after <= PERIOD + PERIOD / 100);
                continue;
            }
            passed[n++] = now;
            if (n > REQUESTS && now - passed[n - 1 - REQUESTS] < PERIOD)
                fail_msg("more than %d within the period", REQUESTS);
        }
        /* Offered much more than allowed all the time, nearly all of the allowance is used. */
        if (seed % 4 == 0)
            assert_true(n >= (now - start) / PERIOD * REQUESTS * 98 / 100);
        rules_lru_free(table);
    }
}

static void test_retry_after(void **state)
{
    (void)state;
    static const struct ratelimit_window window = {2, 10000, 0};
    struct rules_lru *table = ratelimit_table_new(16, secret);
    uint64_t key[2] = {1, 1}, retry = 0;
    assert_false(ratelimit_hit(table, key, &window, RATELIMIT_TAKE, 50000, &retry));
    assert_false(ratelimit_hit(table, key, &window, RATELIMIT_TAKE, 53000, &retry));
    assert_true(ratelimit_hit(table, key, &window, RATELIMIT_TAKE, 54000, &retry));
    assert_in_range(retry, 6000, 6100);
    assert_true(ratelimit_hit(table, key, &window, RATELIMIT_TAKE, 54000 + retry - 1, &(uint64_t){0}));
    assert_false(ratelimit_hit(table, key, &window, RATELIMIT_TAKE, 54000 + retry, &(uint64_t){0}));
    /* The clock of another worker is a little behind. */
    assert_true(ratelimit_hit(table, key, &window, RATELIMIT_TAKE, 53900, &retry));
    assert_true(retry >= 1);
    rules_lru_free(table);
}

static void test_mitigation(void **state)
{
    (void)state;
    static const struct ratelimit_window window = {1, 1000, 60000};
    struct rules_lru *table = ratelimit_table_new(16, secret);
    uint64_t key[2] = {1, 1}, retry = 0;
    assert_false(ratelimit_hit(table, key, &window, RATELIMIT_TAKE, 5000, &retry));
    assert_true(ratelimit_hit(table, key, &window, RATELIMIT_TAKE, 5001, &retry));
    assert_int_equal(retry, 60000);
    assert_true(ratelimit_hit(table, key, &window, RATELIMIT_TAKE, 65000, &retry));
    assert_int_equal(retry, 1);
    assert_true(ratelimit_hit(table, key, &window, RATELIMIT_LOOK, 65000, &retry));
    assert_false(ratelimit_hit(table, key, &window, RATELIMIT_TAKE, 65001, &retry));
    rules_lru_free(table);
}

static void test_full_table(void **state)
{
    (void)state;
    static const struct ratelimit_window window = {1, 60000, 0};
    struct rules_lru *table = ratelimit_table_new(1000, secret);
    struct rules_lru_stats stats;
    uint64_t retry;
    rules_lru_stats(table, &stats);
    assert_in_range(stats.room, 900, 1000);
    size_t memory = stats.memory;
    uint64_t hot[2] = {12345, 6789};
    assert_false(ratelimit_hit(table, hot, &window, RATELIMIT_TAKE, 1000, &retry));
    for (uint64_t i = 0; i < 100000; i++) {
        uint64_t key[2] = {i * 0x9e3779b97f4a7c15u, i};
        assert_false(ratelimit_hit(table, key, &window, RATELIMIT_TAKE, 1000, &retry));
        /* What is in use stays. */
        if (i % 8 == 0)
            assert_true(ratelimit_hit(table, hot, &window, RATELIMIT_TAKE, 1000, &retry));
    }
    rules_lru_stats(table, &stats);
    assert_int_equal(stats.used, stats.room);
    assert_int_equal(stats.memory, memory);
    assert_int_equal(stats.evicted, 100001 - stats.room);
    /* Looking makes no entry. */
    uint64_t unknown[2] = {1, 1};
    assert_false(ratelimit_hit(table, unknown, &window, RATELIMIT_LOOK, 1000, &retry));
    rules_lru_stats(table, &stats);
    assert_int_equal(stats.evicted, 100001 - stats.room);
    rules_lru_free(table);
}

/* --- Workers --- */

enum { WORKERS = 4, EACH = 20000, KEYS = 7 };

struct worker {
    struct rules_lru *table;
    uint64_t passed[KEYS];
};

static void *work(void *arg)
{
    static const struct ratelimit_window window = {1000, 3600000, 0};
    struct worker *w = arg;
    for (uint64_t i = 0; i < EACH; i++) {
        uint64_t key[2] = {i % KEYS, 1}, retry;
        w->passed[i % KEYS] += !ratelimit_hit(w->table, key, &window, RATELIMIT_TAKE, 1000 + i / 100, &retry);
    }
    return NULL;
}

static void test_workers(void **state)
{
    (void)state;
    struct rules_lru *table = ratelimit_table_new(1000, secret);
    struct worker worker[WORKERS];
    pthread_t thread[WORKERS];
    memset(worker, 0, sizeof worker);
    for (int i = 0; i < WORKERS; i++) {
        worker[i].table = table;
        assert_int_equal(pthread_create(&thread[i], NULL, work, &worker[i]), 0);
    }
    for (int i = 0; i < WORKERS; i++)
        pthread_join(thread[i], NULL);
    for (int k = 0; k < KEYS; k++) {
        uint64_t passed = 0;
        for (int i = 0; i < WORKERS; i++)
            passed += worker[i].passed[k];
        assert_int_equal(passed, 1000);
    }
    rules_lru_free(table);
}

/* --- Limits --- */

struct fixture {
    struct rules_context context;
    struct rules_scratch scratch;
    struct rules_arena arena;
    struct ratelimits *limits;
    struct rules_lru *table;
    struct ratelimit_counter counter[RATELIMITS_MAX];
    struct ratelimit_pending pending;
    struct ratelimit_decision decision;
    uint64_t now;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    rules_context_init(&f->context, rules_scheme_standard(), NULL, NULL);
    assert_true(rules_scratch_init(&f->scratch, RULES_SCRATCH_DEFAULT));
    f->limits = ratelimits_new();
    f->table = ratelimit_table_new(1000, secret);
    f->now = 1000000;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    ratelimits_free(f->limits);
    rules_lru_free(f->table);
    rules_scratch_clear(&f->scratch);
    rules_arena_free(&f->arena);
    free(f);
    return 0;
}

static struct rules_bytes text(const char *s)
{
    return (struct rules_bytes){(const uint8_t *)s, s ? strlen(s) : 0};
}

static bool add(struct fixture *f, const char *expression, const char *characteristic, const char *counting,
                struct ratelimit_limit limit, struct rules_error *error)
{
    struct rules_env env = {.scheme = rules_scheme_standard()};
    struct rules_bytes by = text(characteristic);
    int where;
    limit.name = limit.name ? limit.name : "l";
    limit.expression = text(expression);
    limit.counting = text(counting);
    limit.characteristic = &by;
    limit.characteristics = 1;
    limit.period = limit.period ? limit.period : 60000;
    return ratelimits_add(f->limits, &env, &limit, error, &where);
}

/* A request with these fields: refused by which limit, or -1. */
static int ask(struct fixture *f, const char *json)
{
    rules_context_reset(&f->context, 0xff);
    const char *wrong = test_context_set(&f->context, &f->arena, json, strlen(json));
    if (wrong)
        fail_msg("%s: %s", json, wrong);
    ratelimit_request(ratelimits_plan(f->limits, "web"), f->table, &f->context, &f->scratch, f->now,
                      f->counter, &f->pending, &f->decision);
    assert_int_equal(f->decision.refuse, f->decision.limit >= 0);
    return f->decision.limit;
}

static void answer(struct fixture *f, const char *json)
{
    assert_null(test_context_set(&f->context, &f->arena, json, strlen(json)));
    ratelimit_response(ratelimits_plan(f->limits, "web"), f->table, &f->context, &f->scratch, f->now,
                       f->counter, &f->pending);
}

static void test_characteristics(void **state)
{
    struct fixture *f = *state;
    struct rules_error error;
    assert_true(add(f, "ssl", "http.request.headers[\"x-key\"]", NULL,
                    (struct ratelimit_limit){.requests = 1}, &error));
    assert_int_equal(ask(f, "{\"ssl\": true}"), -1);
    assert_int_equal(ask(f, "{\"ssl\": true}"), 0);
    assert_int_equal(f->decision.status, 429);
    assert_int_equal(ask(f, "{\"ssl\": true, \"http.request.headers\": {\"x-key\": [\"\"]}}"), -1);
    assert_int_equal(ask(f, "{\"ssl\": true, \"http.request.headers\": {\"x-key\": [\"\"]}}"), 0);
    assert_int_equal(ask(f, "{\"ssl\": true, \"http.request.headers\": {\"x-key\": [\"a\", \"b\"]}}"), -1);
    assert_int_equal(ask(f, "{\"ssl\": true, \"http.request.headers\": {\"x-key\": [\"ab\"]}}"), -1);
    assert_int_equal(ask(f, "{\"ssl\": true, \"http.request.headers\": {\"x-key\": [\"b\", \"a\"]}}"), -1);
    assert_int_equal(ask(f, "{\"ssl\": true, \"http.request.headers\": {\"x-key\": [\"a\", \"b\"]}}"), 0);
    /* The expression does not hit: neither counted nor refused. */
    assert_int_equal(ask(f, "{}"), -1);
    assert_int_equal(ask(f, "{}"), -1);
    assert_int_equal(f->counter[0].counted, 8);
    assert_int_equal(f->counter[0].acted, 3);
}

static void test_counting_expression(void **state)
{
    struct fixture *f = *state;
    struct rules_error error;
    assert_true(add(f, "http.request.method eq \"GET\"", "ip.src", "http.request.method eq \"POST\"",
                    (struct ratelimit_limit){.requests = 2, .status = 420, .body = "slow down"}, &error));
    for (int i = 0; i < 4; i++)
        assert_int_equal(ask(f, "{\"http.request.method\": \"GET\", \"ip.src\": \"10.0.0.1\"}"), -1);
    /* What is counted but not hit passes, however much. */
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(f, "{\"http.request.method\": \"POST\", \"ip.src\": \"10.0.0.1\"}"), -1);
    assert_int_equal(ask(f, "{\"http.request.method\": \"GET\", \"ip.src\": \"10.0.0.1\"}"), 0);
    assert_int_equal(f->decision.status, 420);
    assert_string_equal(f->decision.body, "slow down");
    assert_true(f->decision.retry_after > 0);
    assert_int_equal(ask(f, "{\"http.request.method\": \"GET\", \"ip.src\": \"10.0.0.2\"}"), -1);
}

static void test_response(void **state)
{
    struct fixture *f = *state;
    struct rules_error error;
    assert_true(add(f, "true", "ip.src", "http.response.code == 401",
                    (struct ratelimit_limit){.requests = 1, .mitigation_timeout = 600000}, &error));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask(f, "{\"ip.src\": \"10.0.0.1\"}"), -1);
        answer(f, "{\"http.response.code\": 200}");
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ask(f, "{\"ip.src\": \"10.0.0.1\"}"), -1);
        answer(f, "{\"http.response.code\": 401}");
    }
    assert_int_equal(ask(f, "{\"ip.src\": \"10.0.0.1\"}"), 0);
    assert_int_equal(ask(f, "{\"ip.src\": \"10.0.0.2\"}"), -1);
    f->now += 599999;
    assert_int_equal(ask(f, "{\"ip.src\": \"10.0.0.1\"}"), 0);
    f->now += 2;
    assert_int_equal(ask(f, "{\"ip.src\": \"10.0.0.1\"}"), -1);
    assert_int_equal(f->counter[0].counted, 2);
    assert_int_equal(f->counter[0].acted, 2);
}

static void test_log_and_order(void **state)
{
    struct fixture *f = *state;
    struct rules_error error;
    static const char *const api[] = {"api"};
    assert_true(add(f, "true", "ip.src", NULL,
                    (struct ratelimit_limit){.name = "a", .requests = 1, .log_only = true}, &error));
    assert_true(
        add(f, "true", "http.host", NULL, (struct ratelimit_limit){.name = "b", .requests = 2}, &error));
    assert_true(add(f, "true", "ip.src", NULL,
                    (struct ratelimit_limit){.name = "c", .requests = 1, .inbound = api, .inbounds = 1},
                    &error));
    assert_int_equal(ask(f, "{\"http.host\": \"h\", \"ip.src\": \"::1\"}"), -1);
    assert_int_equal(f->decision.notes, 0);
    assert_int_equal(ask(f, "{\"http.host\": \"h\", \"ip.src\": \"::1\"}"), -1);
    assert_int_equal(f->decision.notes, 1);
    assert_int_equal(f->decision.note[0], 0);
    assert_int_equal(ask(f, "{\"http.host\": \"h\", \"ip.src\": \"::1\"}"), 1);
    assert_int_equal(ratelimit_plan_count(ratelimits_plan(f->limits, "web")), 2);
    assert_int_equal(ratelimit_plan_count(ratelimits_plan(f->limits, "api")), 3);
    assert_true(ratelimit_plan_uses(ratelimits_plan(f->limits, "web"), RULES_FIELD_HOST));
}

static void test_errors(void **state)
{
    struct fixture *f = *state;
    struct rules_error error;
    struct ratelimit_limit limit = {.requests = 1};
    assert_false(add(f, "ssl and", "ip.src", NULL, limit, &error));
    assert_false(add(f, "http.response.code == 1", "ip.src", NULL, limit, &error));
    assert_int_equal(error.kind, RULES_WRONG_PHASE);
    assert_false(add(f, "ssl", "http.response.code", NULL, limit, &error));
    assert_int_equal(error.kind, RULES_WRONG_PHASE);
    assert_false(add(f, "ssl", "http.request.headers", NULL, limit, &error));
    assert_int_equal(error.kind, RULES_TYPE_MISMATCH);
    assert_false(add(f, "ssl", "http.request.headers.names[*]", NULL, limit, &error));
    assert_false(add(f, "ssl", "", NULL, limit, &error));
    assert_false(add(f, "ssl", "ip.src", "nope", limit, &error));
    limit.requests = 0;
    assert_false(add(f, "ssl", "ip.src", NULL, limit, &error));
    assert_int_equal(ratelimits_count(f->limits), 0);
    limit.requests = 1;
    assert_true(add(f, "ssl", "lower(http.host)", NULL, limit, &error));
    assert_int_equal(ratelimits_count(f->limits), 1);
}

/* None is left out in silence: what a request cannot remember for its response is a mistake. */
static void test_many_by_response(void **state)
{
    struct fixture *f = *state;
    static const char *const web[] = {"web"}, *const other[] = {"other", "third"};
    static const char by_response[] = "http.response.code eq 404";
    struct rules_error error;
    struct ratelimit_limit everywhere = {.requests = 1000},
                           here = {.requests = 1000, .inbound = web, .inbounds = 1},
                           there = {.requests = 1000, .inbound = other, .inbounds = 2};
    for (int i = 0; i < RATELIMIT_PENDING_MAX - 1; i++) {
        assert_true(add(f, "true", "ssl", by_response, here, &error));
        assert_true(add(f, "true", "ssl", by_response, there, &error));
        assert_true(add(f, "true", "ssl", NULL, everywhere, &error));
    }
    assert_true(add(f, "true", "ssl", by_response, everywhere, &error));
    assert_false(add(f, "true", "ssl", by_response, here, &error));
    assert_int_equal(error.kind, RULES_TOO_MANY);
    assert_false(add(f, "true", "ssl", by_response, there, &error));
    assert_false(add(f, "true", "ssl", by_response, everywhere, &error));
    /* Others may follow, and each of those that there are counts. */
    here.requests = 1;
    here.name = "last";
    assert_true(add(f, "true", "ssl", NULL, here, &error));
    int last = (int)ratelimits_count(f->limits) - 1;
    assert_int_equal(ask(f, "{}"), -1);
    assert_int_equal(f->pending.count, RATELIMIT_PENDING_MAX);
    answer(f, "{\"http.response.code\": 404}");
    for (int i = 0; i < 3 * (RATELIMIT_PENDING_MAX - 1); i += 3)
        assert_int_equal(f->counter[i].counted, 1);
    assert_int_equal(ask(f, "{}"), last);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_mitigation),
        cmocka_unit_test(test_full_table),
        cmocka_unit_test(test_workers),
        cmocka_unit_test_setup_teardown(test_characteristics, setup, teardown),
        cmocka_unit_test_setup_teardown(test_counting_expression, setup, teardown),
        cmocka_unit_test_setup_teardown(test_response, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_and_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_by_response, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
