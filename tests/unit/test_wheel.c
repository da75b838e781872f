/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "sidecar/proxy/wheel.h"

static void told_neither_early_nor_much_late(void **state)
{
    enum { N = 2000 };
    static struct wheel_entry entries[N];
    struct wheel wheel;
    uint64_t now = 123456789;
    size_t told = 0;
    (void)state;
    srand(7);
    wheel_init(&wheel, now);
    for (size_t i = 0; i < N; i++)
        wheel_set(&wheel, &entries[i], now + (uint64_t)(rand() % 40000));
    while (told < N) {
        uint64_t in = wheel_next(&wheel, now);
        assert_true(in != UINT64_MAX && in <= (uint64_t)WHEEL_SLOTS * WHEEL_TICK);
        now += in;
        struct wheel_entry *e;
        while ((e = wheel_expire(&wheel, now)) != NULL) {
            assert_true(e->due <= now);
            assert_true(now - e->due <= 2 * WHEEL_TICK);
            assert_false(wheel_is_set(e));
            told++;
        }
    }
    assert_int_equal(wheel_next(&wheel, now), UINT64_MAX);
}

static void cleared_is_never_told(void **state)
{
    struct wheel wheel;
    struct wheel_entry a = {0}, b = {0};
    (void)state;
    wheel_init(&wheel, 0);
    wheel_set(&wheel, &a, 100);
    wheel_set(&wheel, &b, 100);
    wheel_clear(&wheel, &a);
    wheel_clear(&wheel, &a);
    assert_ptr_equal(wheel_expire(&wheel, 1000), &b);
    assert_null(wheel_expire(&wheel, 1000));
}

static void moved_is_told_at_its_new_time(void **state)
{
    struct wheel wheel;
    struct wheel_entry a = {0};
    (void)state;
    wheel_init(&wheel, 0);
    wheel_set(&wheel, &a, 100);
    wheel_set(&wheel, &a, 50000);
    assert_null(wheel_expire(&wheel, 49999));
    assert_ptr_equal(wheel_expire(&wheel, 50000 + WHEEL_TICK), &a);
}

static void past_deadline_comes_with_the_next_tick(void **state)
{
    struct wheel wheel;
    struct wheel_entry a = {0};
    (void)state;
    wheel_init(&wheel, 1000);
    wheel_set(&wheel, &a, 10);
    assert_true(wheel_next(&wheel, 1000) <= WHEEL_TICK);
    assert_ptr_equal(wheel_expire(&wheel, 1000 + WHEEL_TICK), &a);
}

static void after_a_long_sleep_everything_due_is_told(void **state)
{
    struct wheel wheel;
    struct wheel_entry entries[64] = {0};
    size_t told = 0;
    (void)state;
    wheel_init(&wheel, 0);
    for (size_t i = 0; i < 64; i++)
        wheel_set(&wheel, &entries[i], 1 + i * 997);
    while (wheel_expire(&wheel, 100000000) != NULL)
        told++;
    assert_int_equal(told, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(told_neither_early_nor_much_late),
        cmocka_unit_test(cleared_is_never_told),
        cmocka_unit_test(moved_is_told_at_its_new_time),
        cmocka_unit_test(past_deadline_comes_with_the_next_tick),
        cmocka_unit_test(after_a_long_sleep_everything_due_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
