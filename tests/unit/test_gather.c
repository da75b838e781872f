/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sidecar/proxy/gather.h with real workers: slices, one that is stuck, one that is cancelled, the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sidecar/proxy/worker.h"

enum { WORKERS = 3, SLICES = 5 };

static struct {
    uv_loop_t loop;
    struct worker_shared shared;
    struct worker *workers[WORKERS];
    struct gather_hub *hub;
    unsigned done;       /* calls */
    unsigned answered;   /* parts that came */
    unsigned long heard; /* what they said */
    bool in_order;
} t;

static unsigned cleared; /* atomic */

/* What the question is. */
struct ask {
    unsigned stuck;     /* index of the worker that is; WORKERS: none */
    unsigned long what; /* to be said */
};

struct part {
    unsigned slices;
    unsigned long said;
    char *held;
};

static bool visit(struct worker *w, void *memory, const void *question, bool *begun)
{
    struct part *part = memory;
    const struct ask *ask = question;
    assert_int_equal(*begun, part->slices != 0);
    *begun = true;
    if (part->slices == 0)
        part->held = strdup("to be freed");
    if (w->index == ask->stuck && part->slices == 0)
        (void)usleep((GATHER_TIME + 300) * 1000);
    if (++part->slices < SLICES)
        return false;
    part->said = ask->what + w->index;
    return true;
}

static void clear(void *memory)
{
    struct part *part = memory;
    free(part->held);
    (void)__atomic_add_fetch(&cleared, 1, __ATOMIC_RELAXED);
}

static void done(void *arg, void *const *parts, unsigned count)
{
    assert_int_equal(count, WORKERS);
    t.done++;
    for (unsigned i = 0; i < count; i++) {
        const struct part *part = parts[i];
        if (part == NULL)
            continue;
        assert_int_equal(part->slices, SLICES);
        t.answered++;
        t.heard += part->said;
        t.in_order = t.in_order && part->said == (unsigned long)(uintptr_t)arg + i;
    }
}

static const struct gather_question question = {sizeof(struct part), visit, clear, done};

static struct gather *start(unsigned stuck, unsigned long what)
{
    struct ask ask = {stuck, what};
    struct gather *g = gather_start(t.hub, &question, &ask, sizeof ask, (void *)(uintptr_t)what);
    memset(&ask, 0xff, sizeof ask); /* it has been copied */
    assert_non_null(g);
    return g;
}

static void run_until_done(unsigned calls)
{
    while (t.done < calls)
        (void)uv_run(&t.loop, UV_RUN_ONCE);
}

static int setup(void **state)
{
    char error[SNAPSHOT_ERROR];
    (void)state;
    memset(&t, 0, sizeof t);
    t.in_order = true;
    cleared = 0;
    assert_int_equal(uv_loop_init(&t.loop), 0);
    t.shared.workers = WORKERS;
    for (unsigned i = 0; i < WORKERS; i++) {
        t.workers[i] = worker_start(i, &t.shared, error);
        assert_non_null(t.workers[i]);
    }
    t.hub = gather_hub_new(&t.loop, t.workers, WORKERS);
    return t.hub ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    gather_hub_stop(t.hub);
    (void)uv_run(&t.loop, UV_RUN_DEFAULT);
    for (unsigned i = 0; i < WORKERS; i++)
        worker_stop(t.workers[i]);
    gather_hub_free(t.hub);
    return uv_loop_close(&t.loop);
}

/* The last to let a gather go clears its parts, which may be a worker, and after DONE. */
static void wait_cleared(unsigned count)
{
    for (unsigned i = 0; i < 5000 && __atomic_load_n(&cleared, __ATOMIC_RELAXED) < count; i++)
        (void)usleep(1000);
    assert_int_equal(cleared, count);
}

static void all_answer(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++)
        (void)start(WORKERS, 100 * i);
    run_until_done(20);
    assert_int_equal(t.answered, 20 * WORKERS);
    assert_true(t.in_order);
    assert_int_equal(t.heard, WORKERS * 100 * 190 + 20 * 3);
    wait_cleared(20 * WORKERS);
}

/* The others' answers come when the time is over; what is asked of the stuck one later waits, and comes. */
static void one_is_stuck(void **state)
{
    (void)state;
    uint64_t began = uv_hrtime();
    (void)start(1, 1000);
    run_until_done(1);
    uint64_t took = (uv_hrtime() - began) / 1000000;
    assert_true(took >= GATHER_TIME - 20 && took < GATHER_TIME + 250);
    assert_int_equal(t.answered, WORKERS - 1);
    assert_true(t.in_order);
    t.answered = 0;
    wait_cleared(WORKERS);
    (void)uv_run(&t.loop, UV_RUN_NOWAIT);
    (void)start(WORKERS, 2000);
    run_until_done(2);
    assert_int_equal(t.answered, WORKERS);
}

static void cancelled(void **state)
{
    (void)state;
    struct gather *first = start(0, 1), *second = start(WORKERS, 2), *third = start(WORKERS, 3);
    (void)third;
    gather_cancel(second);
    gather_cancel(first);
    run_until_done(1);
    assert_int_equal(t.done, 1);
}

/* Teardown stops the hub and the workers while two are asked; nothing is left over (ASan looks). */
static void ends_while_asked(void **state)
{
    (void)state;
    (void)start(2, 1);
    (void)start(WORKERS, 2);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(all_answer), TEST(one_is_stuck), TEST(cancelled),
                                       TEST(ends_while_asked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
