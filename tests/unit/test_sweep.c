/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "sidecar/proxy/sweep.h"

enum { N = 5 };

/* As a worker has them; the first is the newest. */
struct house {
    struct session session[N + 1];
    struct session *first;
    struct sweep sweep;
    unsigned judged[N + 1];
};

static void setup(struct house *h)
{
    memset(h, 0, sizeof *h);
    for (size_t i = 0; i < N - 1; i++)
        h->session[i].next = &h->session[i + 1];
    h->first = &h->session[0];
}

/* Judges at most MOST. */
static size_t judge(struct house *h, size_t most)
{
    size_t count = 0;
    struct session *s;
    while (count < most && (s = sweep_next(&h->sweep, h->first)) != NULL) {
        h->judged[s - h->session]++;
        count++;
    }
    return count;
}

static void each_is_judged_once(void **state)
{
    struct house h;
    (void)state;
    setup(&h);
    assert_false(sweep_under_way(&h.sweep));
    assert_int_equal(judge(&h, 100), 0);
    sweep_start(&h.sweep, h.first);
    assert_int_equal(judge(&h, 2), 2);
    assert_true(sweep_under_way(&h.sweep));
    assert_int_equal(judge(&h, 100), N - 2);
    assert_false(sweep_under_way(&h.sweep));
    for (size_t i = 0; i < N; i++)
        assert_int_equal(h.judged[i], 1);
    sweep_start(&h.sweep, NULL);
    assert_false(sweep_under_way(&h.sweep));
}

static void what_changes_meanwhile_is_for_all(void **state)
{
    struct house h;
    (void)state;
    setup(&h);
    sweep_start(&h.sweep, h.first);
    assert_int_equal(judge(&h, 3), 3);
    sweep_start(&h.sweep, h.first);
    sweep_start(&h.sweep, h.first);
    /* The last have their turn before the first have theirs again. */
    assert_int_equal(judge(&h, N - 3), N - 3);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(h.judged[i], 1);
    assert_true(sweep_under_way(&h.sweep));
    assert_int_equal(judge(&h, 100), N);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(h.judged[i], 2);
    assert_false(sweep_under_way(&h.sweep));
}

/* Between two passes, too. */
static void changes_without_end_starve_nobody(void **state)
{
    struct house h;
    (void)state;
    setup(&h);
    sweep_start(&h.sweep, h.first);
    for (size_t i = 0; i < 4 * (size_t)N; i++) {
        assert_int_equal(judge(&h, 1), 1);
        sweep_start(&h.sweep, h.first);
    }
    for (size_t i = 0; i < N; i++)
        assert_int_equal(h.judged[i], 4);
    assert_int_equal(judge(&h, 100), N);
    assert_false(sweep_under_way(&h.sweep));
}

static void who_comes_and_who_goes(void **state)
{
    struct house h;
    (void)state;
    setup(&h);
    sweep_start(&h.sweep, h.first);
    assert_int_equal(judge(&h, 2), 2);
    /* The next one goes, and one that was judged. */
    sweep_leave(&h.sweep, &h.session[2]);
    h.session[1].next = &h.session[3];
    sweep_leave(&h.sweep, &h.session[0]);
    h.first = &h.session[1];
    /* Another comes, is judged by itself, and once more with all the others. */
    h.session[N].next = h.first;
    h.first = &h.session[N];
    assert_int_equal(judge(&h, 100), 2);
    sweep_start(&h.sweep, h.first);
    assert_int_equal(judge(&h, 1), 1);
    assert_int_equal(h.judged[N], 1);
    sweep_start(&h.sweep, h.first);
    /* All go, the oldest first. */
    h.session[3].next = NULL;
    sweep_leave(&h.sweep, &h.session[4]);
    h.session[1].next = NULL;
    sweep_leave(&h.sweep, &h.session[3]);
    h.session[N].next = NULL;
    sweep_leave(&h.sweep, &h.session[1]);
    sweep_leave(&h.sweep, &h.session[N]);
    h.first = NULL;
    assert_int_equal(judge(&h, 100), 0);
    assert_false(sweep_under_way(&h.sweep));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_judged_once),
        cmocka_unit_test(what_changes_meanwhile_is_for_all),
        cmocka_unit_test(changes_without_end_starve_nobody),
        cmocka_unit_test(who_comes_and_who_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
