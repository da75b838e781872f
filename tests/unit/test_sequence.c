/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sequences of requests: their steps read, what breaks them, what is remembered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sidecar/rules/sequence.h"

static const uint8_t secret[16] = "0123456789abcde";

static const char *const named[][2] = {{"login", "http.request.uri.path eq \"/login\""},
                                       {"cart", "http.request.uri.path eq \"/cart\""},
                                       {"pay-now", "http.request.uri.path eq \"/pay\""},
                                       {"post", "http.request.method eq \"POST\""},
                                       {"pay.post", "http.request.method eq \"POST\" and "
                                                    "http.request.uri.path eq \"/pay\""},
                                       {"huge", "len(concat(http.user_agent, http.user_agent)) gt 5"}};
enum { NAMED = sizeof named / sizeof *named };

static struct sequences *expressions(void)
{
    struct rules_env env = {.scheme = rules_scheme_standard()};
    struct rules_error error;
    struct sequences *s = sequences_new();
    assert_non_null(s);
    for (size_t i = 0; i < NAMED; i++)
        if (!sequences_add_expression(s, &env, named[i][0], named[i][1], strlen(named[i][1]), &error))
            fail_msg("%s", error.message);
    return s;
}

static void add(struct sequences *s, struct sequence_rule rule)
{
    struct rules_error error;
    rule.enabled = true;
    rule.window = rule.window ? rule.window : 10000;
    if (!sequences_add(s, &rule, &error))
        fail_msg("%s at %zu", error.message, error.offset);
}

/* A caller of one plan. */
struct caller {
    struct sequences *s;
    const struct sequence_plan *plan;
    struct rules_lru *table;
    struct rules_context context;
    struct rules_scratch scratch;
    struct ruleset_counter counter[4];
    struct sequence_decision decision;
    uint8_t fingerprint[32];
    bool nobody;
};

static struct caller *caller(struct sequences *s, size_t scratch)
{
    struct caller *c = calloc(1, sizeof *c);
    assert_non_null(c);
    c->s = s;
    c->plan = sequences_plan(s, "web");
    c->table = sequence_table_new(100, secret);
    assert_non_null(c->plan);
    assert_non_null(c->table);
    assert_true(rules_scratch_init(&c->scratch, scratch));
    rules_context_init(&c->context, rules_scheme_standard(), NULL, NULL);
    return c;
}

static void done(struct caller *c)
{
    sequences_free(c->s);
    rules_lru_free(c->table);
    rules_scratch_clear(&c->scratch);
    free(c);
}

static void set(struct caller *c, unsigned field, const char *text)
{
    struct rules_value value = rules_bytes(text, strlen(text));
    rules_context_set(&c->context, field, &value);
}

static int decide(struct caller *c, uint64_t now)
{
    sequence_request(c->plan, c->table, c->nobody ? NULL : c->fingerprint, &c->context, &c->scratch, now,
                     c->counter, &c->decision);
    return c->decision.refuse ? (int)c->decision.step : -1;
}

/* The step that a request to PATH takes without its predecessor, or -1. */
static int ask(struct caller *c, const char *path, uint64_t now)
{
    rules_context_reset(&c->context, 0xff);
    set(c, RULES_FIELD_PATH, path);
    return decide(c, now);
}

static int post(struct caller *c, const char *path, uint64_t now)
{
    rules_context_reset(&c->context, 0xff);
    set(c, RULES_FIELD_PATH, path);
    set(c, RULES_FIELD_METHOD, "POST");
    return decide(c, now);
}

static void test_order_and_window(void **state)
{
    (void)state;
    struct sequences *s = expressions();
    add(s, (struct sequence_rule){.name = "s", .steps = " login->cart\n -> pay-now ", .body = "no"});
    struct caller *c = caller(s, 4096);
    assert_int_equal(sequence_plan_count(c->plan), 1);
    assert_int_equal(sequence_plan_phases(c->plan), RULES_REQUEST);
    assert_true(sequence_plan_uses(c->plan, RULES_FIELD_PATH));
    assert_false(sequence_plan_uses(c->plan, RULES_FIELD_METHOD));
    assert_int_equal(ask(c, "/", 0), -1);
    assert_false(c->decision.broken);
    assert_int_equal(ask(c, "/pay", 1), 2);
    assert_true(c->decision.broken);
    assert_int_equal(c->decision.sequence, 0);
    assert_int_equal(c->decision.status, 403);
    assert_string_equal(c->decision.body, "no");
    assert_string_equal(sequences_step(s, 0, c->decision.step), "pay-now");
    assert_int_equal(ask(c, "/cart", 2), 1);
    assert_int_equal(ask(c, "/login", 3), -1);
    assert_int_equal(ask(c, "/pay", 4), 2);
    assert_int_equal(ask(c, "/cart", 5), -1);
    assert_int_equal(ask(c, "/other", 6), -1);
    assert_int_equal(ask(c, "/pay", 7), -1);
    assert_int_equal(ask(c, "/pay", 8), -1);
    /* The window is over for the one, and not yet for the other. */
    assert_int_equal(ask(c, "/pay", 10005), -1);
    assert_int_equal(ask(c, "/pay", 10006), 2);
    assert_int_equal(ask(c, "/cart", 10004), 1);
    assert_int_equal(ask(c, "/login", 20000), -1);
    assert_int_equal(ask(c, "/cart", 30000), -1);
    assert_int_equal(ask(c, "/pay", 30001), -1);
    assert_int_equal(c->counter[0].evaluated, 15);
    assert_int_equal(c->counter[0].matched, 5);
    assert_int_equal(c->counter[0].acted, 5);
    /* Another certificate has its own steps; without one, no step is ever taken. */
    c->fingerprint[0] = 1;
    assert_int_equal(ask(c, "/pay", 30002), 2);
    c->nobody = true;
    assert_int_equal(ask(c, "/login", 30003), -1);
    assert_int_equal(ask(c, "/cart", 30004), 1);
    done(c);
}

/* The clock of a worker may be behind that of the one which saw the step before. */
static void test_clock_behind(void **state)
{
    (void)state;
    struct sequences *s = expressions();
    add(s, (struct sequence_rule){.name = "s", .steps = "login -> cart -> pay-now"});
    struct caller *c = caller(s, 4096);
    assert_int_equal(ask(c, "/login", 1000), -1);
    assert_int_equal(ask(c, "/cart", 990), -1);
    assert_int_equal(ask(c, "/pay", 980), -1);
    /* And what was taken is not taken back by it. */
    assert_int_equal(ask(c, "/login", 500), -1);
    assert_int_equal(ask(c, "/cart", 10999), -1);
    done(c);
}

/* A request that is two steps must be in order as each; one that breaks a sequence takes no step of any. */
static void test_overlap(void **state)
{
    (void)state;
    struct sequences *s = expressions();
    add(s, (struct sequence_rule){.name = "a", .steps = "login -> cart"});
    add(s, (struct sequence_rule){.name = "b", .steps = "post -> cart -> pay.post"});
    struct caller *c = caller(s, 4096);
    assert_int_equal(post(c, "/pay", 1), 2);
    /* It was a POST, and refused: that is no first step. */
    assert_int_equal(post(c, "/login", 2), -1);
    assert_int_equal(ask(c, "/cart", 3), -1);
    assert_int_equal(post(c, "/pay", 4), -1);
    c->fingerprint[0] = 1;
    assert_int_equal(ask(c, "/login", 5), -1);
    assert_int_equal(ask(c, "/cart", 6), 1);
    assert_int_equal(c->decision.sequence, 1);
    /* Refused by the second, it is no step of the first either: nor would it be later. */
    assert_int_equal(post(c, "/x", 10004), -1);
    assert_int_equal(ask(c, "/cart", 10005), -1);
    done(c);
}

static void test_log_and_dry_run(void **state)
{
    (void)state;
    static const char *const elsewhere[] = {"other"};
    struct sequences *s = expressions();
    struct rules_error error;
    add(s, (struct sequence_rule){.name = "dry", .steps = "login -> cart", .dry_run = true});
    add(s, (struct sequence_rule){.name = "log", .steps = "login -> pay-now", .log_only = true});
    add(s, (struct sequence_rule){
               .name = "elsewhere", .steps = "login -> cart", .inbound = elsewhere, .inbounds = 1});
    struct sequence_rule off = {.name = "off", .steps = "login -> cart", .window = 1};
    assert_true(sequences_add(s, &off, &error));
    struct caller *c = caller(s, 4096);
    assert_int_equal(sequences_count(s), 4);
    assert_int_equal(sequence_plan_count(c->plan), 2);
    assert_int_equal(ask(c, "/cart", 1), -1);
    assert_false(c->decision.broken);
    assert_int_equal(c->decision.notes, 1);
    assert_int_equal(c->decision.note[0].sequence, 0);
    assert_int_equal(c->decision.note[0].step, 1);
    assert_true(sequences_dry_run(s, 0));
    assert_int_equal(ask(c, "/pay", 1), -1);
    assert_true(c->decision.broken);
    assert_int_equal(c->decision.notes, 1);
    assert_int_equal(c->decision.note[0].sequence, 1);
    assert_int_equal(sequences_action(s, 1), RULESET_LOG);
    assert_int_equal(c->counter[0].matched, 1);
    assert_int_equal(c->counter[0].acted, 0);
    assert_int_equal(c->counter[1].acted, 1);
    done(c);
    /* What broke it is no step, though it passed. */
    s = expressions();
    add(s, (struct sequence_rule){.name = "log", .steps = "login -> cart -> pay-now", .log_only = true});
    c = caller(s, 4096);
    assert_int_equal(ask(c, "/cart", 1), -1);
    assert_int_equal(c->decision.note[0].step, 1);
    assert_int_equal(ask(c, "/pay", 2), -1);
    assert_int_equal(c->decision.notes, 1);
    assert_int_equal(c->decision.note[0].step, 2);
    done(c);
}

/* What cannot be evaluated must be in order, and is not taken. */
static void test_doubt(void **state)
{
    (void)state;
    struct sequences *s = expressions();
    char long_text[3000];
    memset(long_text, 'a', sizeof long_text);
    long_text[sizeof long_text - 1] = 0;
    add(s, (struct sequence_rule){.name = "s", .steps = "login -> huge -> cart"});
    struct caller *c = caller(s, 4096);
    rules_context_reset(&c->context, 0xff);
    set(c, RULES_FIELD_USER_AGENT, long_text);
    assert_int_equal(decide(c, 1), 1);
    assert_int_equal(ask(c, "/login", 2), -1);
    rules_context_reset(&c->context, 0xff);
    set(c, RULES_FIELD_USER_AGENT, long_text);
    assert_int_equal(decide(c, 3), -1);
    assert_int_equal(ask(c, "/cart", 4), 2);
    rules_context_reset(&c->context, 0xff);
    set(c, RULES_FIELD_USER_AGENT, "short");
    assert_int_equal(decide(c, 5), -1);
    assert_int_equal(ask(c, "/cart", 6), -1);
    done(c);
}

/* A sequence of the same name in the next snapshot: with other expressions, what was done does not count. */
static void test_next_snapshot(void **state)
{
    (void)state;
    struct sequences *s = expressions(), *same = expressions(), *other = expressions();
    add(s, (struct sequence_rule){.name = "s", .steps = "login -> cart"});
    add(same, (struct sequence_rule){.name = "s", .steps = "login -> cart"});
    add(other, (struct sequence_rule){.name = "s", .steps = "post -> cart"});
    struct caller *c = caller(s, 4096);
    assert_int_equal(ask(c, "/login", 1), -1);
    c->plan = sequences_plan(same, "web");
    assert_int_equal(ask(c, "/cart", 2), -1);
    c->plan = sequences_plan(other, "web");
    assert_int_equal(ask(c, "/cart", 3), 1);
    sequences_free(same);
    sequences_free(other);
    done(c);
}

static void refused(const char *steps, enum rules_error_kind kind, size_t offset, size_t length,
                    const char *suggestion)
{
    struct sequences *s = expressions();
    struct rules_error error;
    struct sequence_rule rule = {.name = "s", .steps = steps, .window = 1, .enabled = true};
    assert_false(sequences_add(s, &rule, &error));
    assert_int_equal(error.kind, kind);
    assert_int_equal(error.offset, offset);
    assert_int_equal(error.length, length);
    assert_string_equal(error.suggestion, suggestion);
    assert_int_equal(sequences_count(s), 0);
    sequences_free(s);
}

static void test_errors(void **state)
{
    (void)state;
    struct rules_env env = {.scheme = rules_scheme_standard()};
    refused("", RULES_EXPECTED_NAME, 0, 0, "");
    refused("login", RULES_EXPECTED_LITERAL, 5, 0, "");
    refused("login -> ", RULES_EXPECTED_NAME, 9, 0, "");
    refused("login -> (", RULES_EXPECTED_NAME, 9, 1, "");
    refused("login cart", RULES_EXPECTED_LITERAL, 6, 1, "");
    refused("login - cart", RULES_EXPECTED_LITERAL, 6, 1, "");
    refused("login -> nope", RULES_UNKNOWN_IDENTIFIER, 9, 4, "");
    refused("login -> pay-mow", RULES_UNKNOWN_IDENTIFIER, 9, 7, "pay-now");
    refused("login -> cart -> login", RULES_INVALID_ARGUMENT_VALUE, 17, 5, "");
    struct sequences *s = expressions();
    struct rules_error error;
    for (int i = 0; i < 3; i++) {
        char name[8];
        snprintf(name, sizeof name, "more%d", i);
        assert_true(sequences_add_expression(s, &env, name, "ssl", 3, &error));
    }
    struct sequence_rule rule = {
        .name = "s", .steps = "login->cart->pay-now->post->pay.post->huge->more0->more1->more2", .window = 1};
    assert_false(sequences_add(s, &rule, &error));
    assert_int_equal(error.kind, RULES_TOO_MANY);
    assert_int_equal(error.offset, 58);
    /* Neither an expression that does not compile nor one by the answer. */
    assert_false(sequences_add_expression(s, &env, "x", "http.hst eq \"a\"", 15, &error));
    assert_string_equal(error.suggestion, "http.host");
    assert_false(sequences_add_expression(s, &env, "x", "http.response.code eq 200", 25, &error));
    assert_int_equal(error.kind, RULES_WRONG_PHASE);
    sequences_free(s);
}

struct warned {
    char text[512];
};

static void warn(void *arg, int expression, int sequence, size_t offset, size_t length, const char *message)
{
    struct warned *w = arg;
    size_t used = strlen(w->text);
    snprintf(w->text + used, sizeof w->text - used, "%d/%d %zu+%zu %s\n", expression, sequence, offset,
             length, message);
}

static void test_warnings(void **state)
{
    (void)state;
    struct rules_env env = {.scheme = rules_scheme_standard()};
    struct rules_error error;
    struct warned w = {""};
    struct sequences *s = sequences_new();
    static const char *const texts[][2] = {{"pay", "http.host eq \"a\" and ssl"},
                                           {"ssl", "ssl"},
                                           {"unused", "http.host eq \"b\""},
                                           {"never", "http.host in {}"}};
    for (size_t i = 0; i < 4; i++)
        assert_true(sequences_add_expression(s, &env, texts[i][0], texts[i][1], strlen(texts[i][1]), &error));
    add(s, (struct sequence_rule){.name = "s", .steps = "pay -> never -> ssl"});
    add(s, (struct sequence_rule){.name = "t", .steps = "ssl -> pay"});
    sequences_warn(s, warn, &w);
    assert_string_equal(w.text, "2/-1 0+16 no sequence uses it\n"
                                "3/-1 0+15 never matches\n"
                                "-1/0 16+3 nobody can keep to this: whatever is pay is ssl as well, which "
                                "must come after it\n");
    sequences_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_window),
        cmocka_unit_test(test_clock_behind),
        cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_log_and_dry_run),
        cmocka_unit_test(test_doubt),
        cmocka_unit_test(test_next_snapshot),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_warnings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
