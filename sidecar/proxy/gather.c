/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/gather.h"

#include <stdlib.h>
#include <string.h>

#include "sidecar/proxy/worker.h"

struct gather_hub {
    uv_loop_t *loop;
    uv_async_t answered; /* a worker has */
    uv_timer_t timer;    /* the oldest gather's time */
    struct worker *const *workers;
    unsigned count;
    struct gather *first, **last; /* open ones, the oldest first */
    /* Workers may answer until they end, which is after the loop's handles are closed. */
    uv_mutex_t mutex;
    bool stopped;
    void *parts[]; /* of the gather being finished */
};

/* Counted: one of the hub while it is open, one of each worker that has not answered yet. */
struct gather {
    struct gather_hub *hub;
    struct gather *next;
    const struct gather_question *question;
    void *ask;
    void *arg;
    uint64_t deadline; /* ms of the loop's clock */
    unsigned refs;     /* atomic */
    unsigned count;
    struct gather_part part[];
};

static void unref(struct gather *g)
{
    if (__atomic_sub_fetch(&g->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    for (unsigned i = 0; i < g->count; i++) {
        if (g->part[i].memory && g->question->clear)
            g->question->clear(g->part[i].memory);
        free(g->part[i].memory);
    }
    free(g->ask);
    free(g);
}

/* --- on the worker's thread --- */

bool gather_visit(struct gather_part *part, struct worker *w)
{
    struct gather *g = part->gather;
    if (!g->question->visit(w, part->memory, g->ask, &part->begun))
        return false;
    __atomic_store_n(&part->answered, true, __ATOMIC_RELEASE);
    struct gather_hub *hub = g->hub;
    uv_mutex_lock(&hub->mutex);
    if (!hub->stopped)
        (void)uv_async_send(&hub->answered);
    uv_mutex_unlock(&hub->mutex);
    unref(g);
    return true;
}

void gather_drop(struct gather_part *part)
{
    unref(part->gather);
}

/* --- on the main thread --- */

static bool is_complete(const struct gather *g)
{
    for (unsigned i = 0; i < g->count; i++) {
        if (!__atomic_load_n(&g->part[i].answered, __ATOMIC_ACQUIRE))
            return false;
    }
    return true;
}

static void take_out(struct gather *g)
{
    struct gather_hub *hub = g->hub;
    struct gather **at = &hub->first;
    while (*at != g)
        at = &(*at)->next;
    *at = g->next;
    if (*at == NULL)
        hub->last = at;
}

static void finish(struct gather *g)
{
    void **parts = g->hub->parts;
    take_out(g);
    for (unsigned i = 0; i < g->count; i++)
        parts[i] = __atomic_load_n(&g->part[i].answered, __ATOMIC_ACQUIRE) ? g->part[i].memory : NULL;
    g->question->done(g->arg, parts, g->count);
    unref(g);
}

static void on_time(uv_timer_t *timer);

/* Finishes what is complete or over its time; DONE may start others, which come last. */
static void look(struct gather_hub *hub)
{
    uint64_t now = uv_now(hub->loop);
    for (struct gather *g = hub->first, *next; g; g = next) {
        next = g->next;
        if (is_complete(g) || now >= g->deadline)
            finish(g);
    }
    if (hub->stopped)
        return;
    if (hub->first)
        (void)uv_timer_start(&hub->timer, on_time,
                             hub->first->deadline > now ? hub->first->deadline - now : 0, 0);
    else
        (void)uv_timer_stop(&hub->timer);
}

static void on_answered(uv_async_t *async)
{
    look(async->data);
}

static void on_time(uv_timer_t *timer)
{
    look(timer->data);
}

struct gather_hub *gather_hub_new(uv_loop_t *loop, struct worker *const *workers, unsigned count)
{
    struct gather_hub *hub = calloc(1, sizeof *hub + (count + 1) * sizeof hub->parts[0]);
    if (hub == NULL)
        return NULL;
    hub->loop = loop;
    hub->workers = workers;
    hub->count = count;
    hub->last = &hub->first;
    if (uv_async_init(loop, &hub->answered, on_answered) != 0) {
        free(hub);
        return NULL;
    }
    (void)uv_timer_init(loop, &hub->timer);
    (void)uv_mutex_init(&hub->mutex);
    hub->answered.data = hub->timer.data = hub;
    return hub;
}

void gather_hub_stop(struct gather_hub *hub)
{
    if (hub == NULL)
        return;
    uv_mutex_lock(&hub->mutex);
    hub->stopped = true;
    uv_mutex_unlock(&hub->mutex);
    while (hub->first)
        gather_cancel(hub->first);
    uv_close((uv_handle_t *)&hub->answered, NULL);
    uv_close((uv_handle_t *)&hub->timer, NULL);
}

void gather_hub_free(struct gather_hub *hub)
{
    if (hub == NULL)
        return;
    uv_mutex_destroy(&hub->mutex);
    free(hub);
}

/* The parts are zeroed and nobody's yet. */
static bool fill_parts(struct gather *g)
{
    for (unsigned i = 0; i < g->count; i++) {
        g->part[i].gather = g;
        g->part[i].index = i;
        g->part[i].memory = calloc(1, g->question->size);
        if (g->part[i].memory == NULL)
            return false;
    }
    return true;
}

struct gather *gather_start(struct gather_hub *hub, const struct gather_question *question, const void *ask,
                            size_t ask_size, void *arg)
{
    struct gather *g = calloc(1, sizeof *g + hub->count * sizeof g->part[0]);
    if (g == NULL)
        return NULL;
    g->hub = hub;
    g->question = question;
    g->arg = arg;
    g->count = hub->count;
    g->refs = 1;
    g->ask = malloc(ask_size + 1);
    if (g->ask == NULL || !fill_parts(g)) {
        unref(g);
        return NULL;
    }
    if (ask_size)
        memcpy(g->ask, ask, ask_size);
    g->deadline = uv_now(hub->loop) + GATHER_TIME;
    *hub->last = g;
    hub->last = &g->next;
    g->refs += g->count;
    for (unsigned i = 0; i < g->count; i++)
        worker_ask(hub->workers[i], &g->part[i]);
    (void)uv_timer_start(&hub->timer, on_time, hub->first->deadline - uv_now(hub->loop), 0);
    return g;
}

void gather_cancel(struct gather *g)
{
    take_out(g);
    unref(g);
}
