/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Quarantine and sequences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "rules_scheme.h"
#include "sidecar/rules/quarantine.h"
#include "sidecar/rules/sequence.h"

static const uint8_t secret[16] = "0123456789abcde";
static const struct quarantine_rule rule = {"repeat-offenders", 3, 10000, 600000};

static void test_threshold(void **state)
{
    (void)state;
    struct quarantine *q = quarantine_new(100, secret);
    uint8_t a[32] = {1}, b[32] = {2};
    assert_non_null(q);
    assert_false(quarantine_note(q, &rule, a, 1000000));
    assert_false(quarantine_note(q, &rule, b, 1000001));
    assert_false(quarantine_note(q, &rule, a, 1000002));
    assert_int_equal(quarantine_left(q, &rule, a, 1000003), 0);
    assert_true(quarantine_note(q, &rule, a, 1000004));
    assert_int_equal(quarantine_left(q, &rule, a, 1000004), 600000);
    assert_int_equal(quarantine_left(q, &rule, a, 1600003), 1);
    assert_int_equal(quarantine_left(q, &rule, b, 1000004), 0);
    /* It is not prolonged by what is refused meanwhile. */
    assert_false(quarantine_note(q, &rule, a, 1300000));
    assert_int_equal(quarantine_left(q, &rule, a, 1600004), 0);
    assert_int_equal(quarantine_count(q, 1600003), 1);
    assert_int_equal(quarantine_count(q, 1600004), 0);
    /* Afterwards it takes as many again. */
    assert_false(quarantine_note(q, &rule, a, 1700000));
    assert_false(quarantine_note(q, &rule, a, 1700001));
    assert_true(quarantine_note(q, &rule, a, 1700002));
    quarantine_free(q);
}

static void test_period(void **state)
{
    (void)state;
    struct quarantine *q = quarantine_new(100, secret);
    uint8_t a[32] = {1};
    /* Two in each period, for ever: never three in one. */
    for (uint64_t now = 1000000; now < 2000000; now += 5500)
        assert_false(quarantine_note(q, &rule, a, now));
    /* Three within it, at its edges. */
    uint8_t b[32] = {3};
    assert_false(quarantine_note(q, &rule, b, 3000000));
    assert_false(quarantine_note(q, &rule, b, 3005000));
    assert_true(quarantine_note(q, &rule, b, 3009999));
    /* Another rule counts for itself. */
    struct quarantine_rule other = {"other", 1, 10000, 5};
    assert_int_equal(quarantine_left(q, &other, b, 3010000), 0);
    assert_true(quarantine_note(q, &other, b, 3010000));
    assert_int_equal(quarantine_left(q, &other, b, 3010000), 5);
    quarantine_free(q);
}

struct seen {
    size_t count;
    struct quarantine_entry last;
};

static void see(void *arg, const struct quarantine_entry *entry)
{
    struct seen *seen = arg;
    seen->count++;
    seen->last = *entry;
}

static void test_list_and_lift(void **state)
{
    (void)state;
    struct quarantine *q = quarantine_new(1000, secret);
    struct quarantine_rule other = {
        "a-name-that-is-longer-than-the-sixty-three-bytes-that-are-kept-of-a-name", 1, 1000, 1000};
    struct seen seen = {0};
    uint8_t a[32] = {7, 7}, b[32] = {7, 7, 1};
    for (int i = 0; i < 3; i++)
        quarantine_note(q, &rule, a, 50000);
    quarantine_note(q, &other, a, 50000);
    quarantine_note(q, &other, b, 50000);
    quarantine_list(q, 50500, see, &seen);
    assert_int_equal(seen.count, 3);
    seen.count = 0;
    quarantine_list(q, 51000, see, &seen);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.last.rule, "repeat-offenders");
    assert_memory_equal(seen.last.fingerprint, a, 32);
    assert_int_equal(seen.last.since, 50000);
    assert_int_equal(seen.last.until, 650000);
    assert_int_equal(seen.last.noted, 3);
    assert_int_equal(quarantine_lift(q, b, 51000), 0);
    assert_int_equal(quarantine_lift(q, a, 51000), 1);
    assert_int_equal(quarantine_left(q, &rule, a, 51000), 0);
    assert_int_equal(quarantine_lift(q, a, 51000), 0);
    /* Lifted, it begins from nothing. */
    assert_false(quarantine_note(q, &rule, a, 51001));
    assert_true(quarantine_memory(q) > 1000);
    quarantine_free(q);
}

static void test_many(void **state)
{
    (void)state;
    struct quarantine *q = quarantine_new(256, secret);
    struct quarantine_rule one = {"one", 1, 1000, 1000000};
    for (unsigned i = 0; i < 5000; i++) {
        uint8_t f[32] = {(uint8_t)i, (uint8_t)(i >> 8)};
        assert_true(quarantine_note(q, &one, f, 1000 + i));
        assert_true(quarantine_left(q, &one, f, 1000 + i) > 0);
    }
    assert_in_range(quarantine_count(q, 6000), 200, 256);
    quarantine_free(q);
}

/* ---- Sequences
 * ------------------------------------------------------------------------------------------------------ */

static bool find(void *arg, const char *name, size_t size, struct rules_bytes *expression)
{
    static const char *const named[][2] = {{"login", "http.request.uri.path eq \"/login\""},
                                           {"cart", "http.request.uri.path eq \"/cart\""},
                                           {"pay-now", "http.request.uri.path eq \"/pay\""},
                                           {"any", "http.request.method eq \"POST\""},
                                           {"bad", "http.request.uri.path eq"}};
    (void)arg;
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        if (strlen(named[i][0]) != size || memcmp(named[i][0], name, size) != 0)
            continue;
        *expression = (struct rules_bytes){(const uint8_t *)named[i][1], strlen(named[i][1])};
        return true;
    }
    return false;
}

static struct sequence *sequence(const char *text, struct rules_error *error, int *step)
{
    struct rules_env env = {.scheme = rules_scheme_standard()};
    return sequence_new("s", text, 10000, &env, find, NULL, error, step);
}

struct caller {
    struct sequence *s;
    struct rules_lru *table;
    struct rules_context context;
    struct rules_scratch scratch;
    uint8_t fingerprint[32];
};

static int ask(struct caller *c, const char *path, uint64_t now)
{
    struct rules_value value = rules_bytes(path, strlen(path));
    rules_context_reset(&c->context, 0xff);
    rules_context_set(&c->context, RULES_FIELD_PATH, &value);
    return sequence_request(c->s, c->table, c->fingerprint, &c->context, &c->scratch, now);
}

static void test_sequence(void **state)
{
    (void)state;
    struct rules_error error;
    int step;
    struct caller *c = calloc(1, sizeof *c);
    c->s = sequence(" login->cart -> pay-now ", &error, &step);
    if (!c->s)
        fail_msg("%s at %zu", error.message, error.offset);
    c->table = sequence_table_new(100, secret);
    rules_context_init(&c->context, rules_scheme_standard(), NULL, NULL);
    assert_true(rules_scratch_init(&c->scratch, 4096));
    assert_int_equal(sequence_phases(c->s), RULES_REQUEST);
    assert_true(sequence_uses(c->s, RULES_FIELD_PATH));
    assert_false(sequence_uses(c->s, RULES_FIELD_METHOD));
    assert_int_equal(ask(c, "/", 0), -1);
    assert_int_equal(ask(c, "/pay", 1), 2);
    assert_int_equal(ask(c, "/cart", 2), 1);
    assert_int_equal(ask(c, "/login", 3), -1);
    assert_int_equal(ask(c, "/pay", 4), 2);
    assert_int_equal(ask(c, "/cart", 5), -1);
    assert_int_equal(ask(c, "/other", 6), -1);
    assert_int_equal(ask(c, "/pay", 7), -1);
    assert_int_equal(ask(c, "/pay", 8), -1);
    /* The window is over. */
    assert_int_equal(ask(c, "/pay", 10006), 2);
    assert_int_equal(ask(c, "/cart", 10004), 1);
    assert_int_equal(ask(c, "/login", 20000), -1);
    assert_int_equal(ask(c, "/cart", 30000), -1);
    assert_int_equal(ask(c, "/pay", 30001), -1);
    /* Another certificate has its own steps. */
    c->fingerprint[0] = 1;
    assert_int_equal(ask(c, "/pay", 30002), 2);
    sequence_free(c->s);
    rules_lru_free(c->table);
    rules_scratch_clear(&c->scratch);
    free(c);
}

static void refused(const char *text, enum rules_error_kind kind, size_t offset, int in_step)
{
    struct rules_error error;
    int step;
    assert_null(sequence(text, &error, &step));
    assert_int_equal(error.kind, kind);
    assert_int_equal(step, in_step);
    if (step < 0)
        assert_int_equal(error.offset, offset);
}

static void test_sequence_errors(void **state)
{
    (void)state;
    refused("", RULES_EXPECTED_NAME, 0, -1);
    refused("login", RULES_EXPECTED_LITERAL, 5, -1);
    refused("login -> ", RULES_EXPECTED_NAME, 9, -1);
    refused("login cart", RULES_EXPECTED_LITERAL, 6, -1);
    refused("login -> nope", RULES_UNKNOWN_IDENTIFIER, 9, -1);
    refused("login -> bad", RULES_EXPECTED_NAME, 0, 1);
    refused("any->any->any->any->any->any->any->any->any", RULES_TOO_MANY, 40, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threshold),     cmocka_unit_test(test_period),
        cmocka_unit_test(test_list_and_lift), cmocka_unit_test(test_many),
        cmocka_unit_test(test_sequence),      cmocka_unit_test(test_sequence_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
