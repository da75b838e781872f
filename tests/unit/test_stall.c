/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <time.h>

#include "sidecar/proxy/stall.h"

static const uint64_t MS = 1000000, WINDOW = (uint64_t)STALL_WINDOW * 1000000000;

static void the_longest_of_two_windows_is_told(void **state)
{
    struct stall s = {0};
    uint64_t now = 1000 * WINDOW;
    (void)state;
    stall_note_turn(&s, now, 3 * MS);
    stall_note_turn(&s, now + 1, 7 * MS);
    stall_note_turn(&s, now + 2, 2 * MS);
    assert_int_equal(stall_longest(&s), 7 * MS);
    stall_note_turn(&s, now + WINDOW, MS);
    assert_int_equal(stall_longest(&s), 7 * MS);
    stall_note_turn(&s, now + 2 * WINDOW, MS);
    assert_int_equal(stall_longest(&s), MS);
    /* A window without a turn is one without a stall. */
    stall_note_turn(&s, now + 2 * WINDOW + 1, 9 * MS);
    stall_note_turn(&s, now + 9 * WINDOW, 2 * MS);
    assert_int_equal(stall_longest(&s), 2 * MS);
}

static void work(unsigned ms)
{
    const struct timespec t = {.tv_nsec = (long)ms * 1000000};
    (void)nanosleep(&t, NULL);
}

/* The first firing may come before the loop has waited once; the second is within a turn. */
static unsigned firings;

static void on_timer(uv_timer_t *timer)
{
    firings++;
    if (firings == 2)
        work(20);
    if (firings < 4)
        return;
    uv_close((uv_handle_t *)timer, NULL);
    stall_close(timer->data);
}

static void work_in_a_turn_is_noted(void **state)
{
    struct stall s;
    uv_loop_t loop;
    uv_timer_t timer;
    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(stall_init(&s, &loop), 0);
    assert_int_equal(uv_timer_init(&loop, &timer), 0);
    timer.data = &s;
    assert_int_equal(uv_timer_start(&timer, on_timer, 1, 1), 0);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_true(stall_longest(&s) >= 20 * MS);
}

static void the_longest_piece_of_a_reload_is_told(void **state)
{
    struct stall s = {0};
    uint64_t start = uv_hrtime();
    (void)state;
    work(5);
    stall_reload_worked(&s, start);
    uint64_t longest = stall_reload(&s);
    assert_true(longest >= 5 * MS);
    stall_reload_worked(&s, uv_hrtime());
    assert_int_equal(stall_reload(&s), longest);
    stall_reload_begins(&s);
    assert_int_equal(stall_reload(&s), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_of_two_windows_is_told),
        cmocka_unit_test(work_in_a_turn_is_noted),
        cmocka_unit_test(the_longest_piece_of_a_reload_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
