/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Evaluation allocates nothing, whatever is evaluated; and gives the same with memory that is just enough. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "rules_scheme.h"
#include "sidecar/rules/ratelimit.h"
#include "sidecar/rules/sequence.h"
#include "sidecar/rules/ruleset.h"

/* The allocator of the C library, counted; sanitizers bring their own, and are not asked. */
static size_t calls;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COUNTED 1
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size)
{
    calls++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    calls++;
    return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    calls++;
    return __libc_realloc(old, size);
}
#endif

static const char *const expressions[] = {
    "http.host eq \"www.example.com\" and not ssl",
    "ip.src in {10.0.0.0/8 192.0.2.1 2001:db8::/32}",
    "cf.tls_client_auth.cert_serial in {\"01\" \"02\" \"03\" \"04\" \"05\" \"06\" \"07\"}",
    "http.host in $l",
    "http.request.uri.path matches \"^/(api|admin)/v[0-9]+/.*[a-f]{3}\"",
    "http.request.uri.path wildcard \"*/V1/*ABC\"",
    "any(http.request.headers[\"x-a\"][*] contains \"b\")",
    "all(lower(http.request.headers.names[*])[*] ne \"x\")",
    "any((http.request.headers.names[*] eq \"A\" or not http.request.headers.values[*] eq \"b\"))",
    "lower(upper(concat(http.host, \"/\", http.request.uri.path))) contains \"example\"",
    "url_decode(http.request.uri.query, \"ru\") contains \"script\"",
    "regex_replace(http.request.uri.path, \"(v)([0-9]+)\", \"${2}${1}\") eq \"x\"",
    "wildcard_replace(http.request.uri.path, \"/*/*\", \"${2}\") eq \"x\"",
    "encode_base64(sha256(http.host), \"p\") eq \"\"",
    "decode_base64(http.request.uri.query) ne \"x\"",
    "lookup_json_string(http.user_agent, \"a\", \"b\", 0) eq \"\\xc3\\xa9\"",
    "lookup_json_integer(http.user_agent, \"n\") == 7",
    "is_timed_hmac_valid_v0(\"key\", http.request.uri, 10, http.request.timestamp.sec)",
    "len(split(http.host, \".\", 10)) == 3 and join(split(http.host, \".\", 10), \"-\") eq "
    "\"www-example-com\"",
    "to_string(ip.src) eq \"10.1.2.3\" and to_string(cf.edge.server_port) eq \"443\"",
    "cidr(ip.src, 8, 32) == 10.0.0.0 and coalesce(http.request.uri.args[\"z\"][0], \"d\") eq \"d\"",
    "has_key(http.request.headers, \"x-a\") and has_value(http.request.headers[\"x-a\"], \"b\")",
    "remove_query_args(http.request.uri.query, \"a\") eq \"\"",
    "substring(remove_bytes(http.host, \".\"), -3) eq \"com\"",
};

enum { COUNT = sizeof expressions / sizeof *expressions };

static const char request[] =
    "{\"http.host\": \"www.example.com\", \"http.request.uri.path\": \"/api/v12/xabc\", \"ip.src\": "
    "\"10.1.2.3\", "
    "\"http.request.uri.query\": \"a=1&b=%2525%20+x\", \"cf.edge.server_port\": 443, \"http.user_agent\": "
    "\"{\\\"a\\\": {\\\"b\\\": [\\\"\\\\u00e9\\\"]}, \\\"n\\\": 7}\", \"http.request.headers\": {\"a\": "
    "[\"x\"], "
    "\"x-a\": [\"a\", \"b\"]}, \"http.request.headers.names\": [\"A\", \"X-A\", \"X-A\"], "
    "\"http.request.headers.values\": [\"x\", \"a\", \"b\"], \"http.request.uri\": "
    "\"/x1484063787-XsZ5NmtNBxOd4f4fBOtqVmpWRnDRNkHKVZieqDPKu3U%3D\", \"http.request.timestamp.sec\": 1}";

static const struct rules_list *find_list(void *arg, const char *name, size_t size, uint32_t type, int field)
{
    (void)name;
    (void)size;
    (void)type;
    (void)field;
    return arg;
}

struct fixture {
    struct rules_context context;
    struct rules_scratch scratch;
    struct rules_arena arena;
    struct rules_list *list;
    struct rules_env env;
    struct rules_program *program[COUNT];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    rules_context_init(&f->context, rules_scheme_standard(), NULL, NULL);
    assert_true(rules_scratch_init(&f->scratch, RULES_SCRATCH_DEFAULT));
    assert_null(test_context_set(&f->context, &f->arena, request, sizeof request - 1));
    f->list = rules_list_new(RULES_LIST_STRINGS);
    assert_null(rules_list_add(f->list, "www.example.com", 15));
    assert_true(rules_list_finish(f->list));
    f->env = (struct rules_env){.scheme = rules_scheme_standard(), .list = find_list, .list_arg = f->list};
    for (int i = 0; i < COUNT; i++) {
        struct rules_error error;
        f->program[i] = rules_compile(&f->env, expressions[i], strlen(expressions[i]), &error);
        if (!f->program[i])
            fail_msg("%s: %s", expressions[i], error.message);
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < COUNT; i++)
        rules_free(f->program[i]);
    rules_list_free(f->list);
    rules_scratch_clear(&f->scratch);
    rules_arena_free(&f->arena);
    free(f);
    return 0;
}

static void test_programs(void **state)
{
    struct fixture *f = *state;
    size_t before = calls;
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < COUNT; i++) {
            rules_eval(f->program[i], &f->context, &f->scratch);
            rules_eval_partly(f->program[i], &f->context, &f->scratch, RULES_CONNECTION);
        }
    assert_int_equal(calls, before);
#ifdef COUNTED
    free(malloc(1));
    assert_true(calls > before); /* they are counted */
#endif
}

static void test_rules_and_limits(void **state)
{
    struct fixture *f = *state;
    static const uint8_t secret[16] = {1}, fingerprint[32] = {1};
    struct ruleset *ruleset = ruleset_new(RULESET_AUTO);
    struct ratelimits *limits = ratelimits_new();
    struct rules_lru *table = ratelimit_table_new(100, secret);
    struct rules_error error;
    struct rules_bytes all = {(const uint8_t *)"true", 4},
                       by = {(const uint8_t *)"http.request.headers[\"x-a\"]", 27};
    int where;
    for (int i = 0; i < COUNT; i++) {
        struct ruleset_rule rule = {.name = "r",
                                    .expression = expressions[i],
                                    .expression_size = strlen(expressions[i]),
                                    .action = RULESET_LOG,
                                    .enabled = true};
        assert_true(ruleset_add(ruleset, &f->env, &rule, &error));
    }
    struct ratelimit_limit limit = {.name = "l",
                                    .expression = all,
                                    .characteristic = &by,
                                    .characteristics = 1,
                                    .requests = 5,
                                    .period = 1000};
    assert_true(ratelimits_add(limits, &f->env, &limit, &error, &where));
    struct sequences *sequences = sequences_new();
    struct rules_lru *steps = sequence_table_new(100, secret);
    struct sequence_rule order = {
        .name = "s", .steps = "a -> b", .window = 1000, .log_only = true, .enabled = true};
    assert_true(sequences_add_expression(sequences, &f->env, "a", "true", 4, &error));
    assert_true(
        sequences_add_expression(sequences, &f->env, "b", expressions[0], strlen(expressions[0]), &error));
    assert_true(sequences_add(sequences, &order, &error));
    const struct sequence_plan *sequence_plan = sequences_plan(sequences, "in");
    struct sequence_decision kept;
    const struct ruleset_plan *plan = ruleset_plan(ruleset, "in");
    const struct ratelimit_plan *limit_plan = ratelimits_plan(limits, "in");
    uint64_t words[8];
    struct ruleset_counter counter[COUNT] = {0};
    struct ruleset_decision decision;
    struct ratelimit_decision limited;
    struct ratelimit_pending pending;
    size_t before = calls;
    ruleset_connect(plan, &f->context, &f->scratch, false, words, counter, &decision);
    for (int i = 0; i < 10; i++) {
        ruleset_request(plan, &f->context, &f->scratch, words, counter, &decision);
        ratelimit_request(limit_plan, table, &f->context, &f->scratch, 5000, NULL, &pending, &limited);
        assert_int_equal(limited.refuse, i >= 5);
        sequence_request(sequence_plan, steps, fingerprint, &f->context, &f->scratch, 5000, NULL, &kept);
    }
    assert_int_equal(calls, before);
    assert_true(decision.notes > 5);
    ruleset_free(ruleset);
    ratelimits_free(limits);
    rules_lru_free(table);
    sequences_free(sequences);
    rules_lru_free(steps);
}

/* Whatever memory there is: either the result is right or the overflow is told. */
static void test_little_memory(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < COUNT; i++) {
        bool expect = rules_eval(f->program[i], &f->context, &f->scratch);
        assert_false(f->scratch.overflow);
        size_t room = f->scratch.size, enough = 0;
        for (size_t size = 0; size <= 4096; size += 8) {
            f->scratch.size = size;
            bool result = rules_eval(f->program[i], &f->context, &f->scratch);
            if (!f->scratch.overflow)
                enough++;
            if (!f->scratch.overflow && result != expect)
                fail_msg("%s with %zu bytes", expressions[i], size);
            assert_true(f->scratch.used <= size);
        }
        assert_true(enough > 0);
        f->scratch.size = room;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_programs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rules_and_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_little_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
