/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/stall.h"

#include <string.h>

static void store(uint64_t *at, uint64_t value)
{
    __atomic_store_n(at, value, __ATOMIC_RELAXED);
}

static uint64_t load(const uint64_t *at)
{
    return __atomic_load_n(at, __ATOMIC_RELAXED);
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct stall *s = prepare->data;
    s->polled = uv_hrtime();
    if (s->woken != 0)
        stall_note_turn(s, s->polled, s->polled - s->woken);
}

/* libuv has taken the time when the wait ended, in whole milliseconds; the callbacks have run since. */
static void on_check(uv_check_t *check)
{
    struct stall *s = check->data;
    uint64_t ended = uv_now(check->loop) * 1000000;
    s->woken = ended > s->polled ? ended : s->polled;
}

int stall_init(struct stall *s, uv_loop_t *loop)
{
    memset(s, 0, sizeof *s);
    int err = uv_prepare_init(loop, &s->prepare);
    if (err == 0)
        err = uv_check_init(loop, &s->check);
    if (err != 0)
        return err;
    s->prepare.data = s->check.data = s;
    (void)uv_prepare_start(&s->prepare, on_prepare);
    (void)uv_check_start(&s->check, on_check);
    uv_unref((uv_handle_t *)&s->prepare);
    uv_unref((uv_handle_t *)&s->check);
    return 0;
}

void stall_close(struct stall *s)
{
    uv_close((uv_handle_t *)&s->prepare, NULL);
    uv_close((uv_handle_t *)&s->check, NULL);
}

void stall_note_turn(struct stall *s, uint64_t now, uint64_t ns)
{
    const uint64_t window = (uint64_t)STALL_WINDOW * 1000000000;
    if (now >= s->window_end) {
        store(&s->longest_before, now < s->window_end + window ? s->longest : 0);
        store(&s->longest, 0);
        s->window_end = now + window;
    }
    if (ns > s->longest)
        store(&s->longest, ns);
    store(&s->busy, s->busy + ns);
}

uint64_t stall_busy(const struct stall *s)
{
    return load(&s->busy);
}

uint64_t stall_longest(const struct stall *s)
{
    uint64_t now = load(&s->longest), before = load(&s->longest_before);
    return now > before ? now : before;
}

void stall_reload_begins(struct stall *s)
{
    store(&s->reload, 0);
}

void stall_reload_worked(struct stall *s, uint64_t start)
{
    uint64_t ns = uv_hrtime() - start;
    if (ns > s->reload)
        store(&s->reload, ns);
}

uint64_t stall_reload(const struct stall *s)
{
    return load(&s->reload);
}
