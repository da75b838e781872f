/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Quarantine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "rules_scheme.h"
#include "sidecar/rules/quarantine.h"

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
    /* Also where it was shorter than the period. */
    struct quarantine_rule brief = {"brief", 2, 10000, 5};
    assert_false(quarantine_note(q, &brief, b, 2000000));
    assert_true(quarantine_note(q, &brief, b, 2000001));
    assert_false(quarantine_note(q, &brief, b, 2000006));
    assert_true(quarantine_note(q, &brief, b, 2000007));
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

/* A reload that changes the period begins to count anew, and what it counts is forgotten in time. */
static void test_another_period(void **state)
{
    (void)state;
    struct quarantine *q = quarantine_new(100, secret);
    const struct quarantine_rule longer = {rule.name, 3, 10 * rule.period, 600000};
    uint8_t a[32] = {1};
    uint64_t now = 1000000;
    assert_false(quarantine_note(q, &rule, a, now));
    assert_false(quarantine_note(q, &rule, a, now + 1));
    assert_false(quarantine_note(q, &longer, a, now + 2));
    for (int i = 0; i < 20; i++)
        assert_false(quarantine_note(q, &longer, a, now += 2 * longer.period));
    for (int i = 0; i < 20; i++)
        assert_false(quarantine_note(q, &rule, a, now += 2 * rule.period));
    assert_false(quarantine_note(q, &rule, a, now + 1));
    assert_true(quarantine_note(q, &rule, a, now + 2));
    /* Who is in quarantine stays there. */
    assert_false(quarantine_note(q, &longer, a, now + 3));
    assert_int_equal(quarantine_left(q, &longer, a, now + 3), 599999);
    quarantine_free(q);
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
    struct rules_lru_stats stats;
    quarantine_stats(q, &stats);
    assert_int_equal(stats.used, 1);
    assert_true(stats.memory > 1000);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threshold),      cmocka_unit_test(test_period),
        cmocka_unit_test(test_another_period), cmocka_unit_test(test_list_and_lift),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
