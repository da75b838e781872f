/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/pool.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sidecar/proxy/worker.h"

struct idle {
    struct endpoint ep; /* first: what has closed is found by it */
    struct idle *next, **prev;
    struct pool *pool;
    struct tls_stream *tls;
    union net_addr to;
    uint64_t made, due;
};

struct pool {
    struct worker *worker;
    uv_timer_t timer;  /* for the first DUE */
    struct idle *list; /* youngest first */
    size_t handles;    /* not closed yet: the timer's and those of the idle ones */
};

static struct idle *idle_of(struct endpoint *ep)
{
    return (struct idle *)(void *)ep;
}

static void handle_closed(struct pool *pool)
{
    if (--pool->handles == 0)
        free(pool);
}

/* --- one leaves --- */

static void leave(struct idle *i)
{
    *i->prev = i->next;
    if (i->next)
        i->next->prev = i->prev;
    i->next = NULL;
    i->prev = NULL;
    counter_sub(&i->pool->worker->counters, COUNTER_POOL_IDLE, 1);
}

static void flush(struct idle *i)
{
    struct tls_io *io = &i->pool->worker->tls;
    if (io->out_size != 0)
        (void)endpoint_write(&i->ep, io->out, io->out_size);
    io->out_size = 0;
}

static void close_idle(struct idle *i, enum counter why)
{
    struct worker *w = i->pool->worker;
    counter_add(&w->counters, why, 1);
    leave(i);
    w->tls.out_size = 0;
    if (tls_stream_close_notify(i->tls) == TLS_OK)
        flush(i);
    w->tls.out_size = 0;
    endpoint_close(&i->ep);
}

/* What an idle peer says is of TLS alone: tickets, new keys. Anything else answers nobody. */
static void on_data(struct endpoint *ep, const uint8_t *data, size_t size)
{
    struct idle *i = idle_of(ep);
    struct worker *w = i->pool->worker;
    size_t n;
    w->tls.in = data;
    w->tls.in_size = size;
    w->tls.out_size = 0;
    enum tls_result result = tls_stream_read(i->tls, w->plain, WORKER_PLAIN, &n);
    flush(i);
    w->tls.in_size = 0;
    if (result != TLS_WANT)
        close_idle(i, COUNTER_POOL_CLOSED_PEER);
}

static void on_end(struct endpoint *ep)
{
    close_idle(idle_of(ep), COUNTER_POOL_CLOSED_PEER);
}

static void on_broken(struct endpoint *ep, int err)
{
    (void)err;
    on_end(ep);
}

static void on_drained(struct endpoint *ep)
{
    (void)ep;
}

static void on_closed(struct endpoint *ep)
{
    struct idle *i = idle_of(ep);
    struct pool *pool = i->pool;
    tls_stream_free(i->tls);
    free(i);
    handle_closed(pool);
}

static const struct endpoint_calls calls = {on_data, on_end, on_broken, on_drained, on_closed};

/* --- time --- */

static void on_timer(uv_timer_t *timer)
{
    struct pool *pool = timer->data;
    uint64_t now = uv_now(&pool->worker->loop), first = UINT64_MAX;
    for (struct idle *i = pool->list, *next; i; i = next) {
        next = i->next;
        if (i->due <= now)
            close_idle(i, COUNTER_POOL_CLOSED_AGE);
        else if (i->due < first)
            first = i->due;
    }
    if (first != UINT64_MAX)
        (void)uv_timer_start(timer, on_timer, first - now, 0);
}

/* --- the pool --- */

struct pool *pool_new(struct worker *w)
{
    struct pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL || uv_timer_init(&w->loop, &pool->timer) != 0) {
        free(pool);
        return NULL;
    }
    pool->worker = w;
    pool->timer.data = pool;
    pool->handles = 1;
    return pool;
}

static void on_timer_closed(uv_handle_t *handle)
{
    handle_closed(handle->data);
}

void pool_free(struct pool *pool)
{
    if (pool == NULL)
        return;
    pool_empty(pool, COUNTER_POOL_CLOSED_DRAIN);
    uv_close((uv_handle_t *)&pool->timer, on_timer_closed);
}

void pool_empty(struct pool *pool, enum counter why)
{
    while (pool->list)
        close_idle(pool->list, why);
}

static bool same_destination(const union net_addr *a, const union net_addr *b)
{
    if (a->sa.sa_family == AF_UNSPEC || b->sa.sa_family == AF_UNSPEC)
        return a->sa.sa_family == b->sa.sa_family;
    return net_addr_equal(&a->sa, &b->sa);
}

/* Whether nothing has arrived since the loop last looked: no end, no error, no byte. */
static bool is_silent(const struct idle *i)
{
    uv_os_fd_t fd;
    char byte;
    return uv_fileno(&i->ep.uv.handle, &fd) == 0 && recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
}

bool pool_take(struct pool *pool, const struct tls_ctx *ctx, const union net_addr *to,
               struct pool_transport *out)
{
    uint64_t now = uv_now(&pool->worker->loop);
    for (struct idle *i = pool->list; i; i = i->next) {
        if (tls_stream_ctx(i->tls) != ctx || !same_destination(&i->to, to) || i->due <= now ||
            endpoint_queued(&i->ep) != 0 || i->ep.write_broken || !tls_stream_rests(i->tls) || !is_silent(i))
            continue;
        int fd = endpoint_release(&i->ep);
        if (fd < 0)
            return false;
        *out = (struct pool_transport){fd, i->tls, i->made};
        i->tls = NULL;
        leave(i);
        return true;
    }
    return false;
}

/* Beyond MOST of the context of TLS, the oldest goes. */
static void make_room(struct pool *pool, const struct tls_stream *tls, uint64_t most)
{
    const struct tls_ctx *ctx = tls_stream_ctx(tls);
    struct idle *oldest = NULL;
    uint64_t count = 0;
    for (struct idle *i = pool->list; i; i = i->next) {
        if (tls_stream_ctx(i->tls) != ctx)
            continue;
        oldest = i;
        count++;
    }
    if (oldest && count >= most)
        close_idle(oldest, COUNTER_POOL_CLOSED_FULL);
}

void pool_give(struct pool *pool, const struct pool_transport *transport, const union net_addr *to,
               uint64_t due, uint64_t most)
{
    struct worker *w = pool->worker;
    uint64_t now = uv_now(&w->loop);
    struct idle *i = calloc(1, sizeof *i);
    if (i == NULL) {
        (void)close(transport->fd);
        tls_stream_free(transport->tls);
        return;
    }
    make_room(pool, transport->tls, most);
    i->pool = pool;
    i->tls = transport->tls;
    i->made = transport->made;
    i->to = *to;
    i->due = due;
    int err = endpoint_open(&i->ep, &w->loop, &w->endpoints, transport->fd, AF_UNSPEC, &calls);
    if (err != 0 && !i->ep.open) {
        tls_stream_free(i->tls);
        free(i);
        return;
    }
    pool->handles++;
    if (err != 0) {
        endpoint_close(&i->ep);
        return;
    }
    i->next = pool->list;
    if (i->next)
        i->next->prev = &i->next;
    i->prev = &pool->list;
    pool->list = i;
    counter_add(&w->counters, COUNTER_POOL_IDLE, 1);
    endpoint_read_start(&i->ep);
    uint64_t in = due > now ? due - now : 0;
    if (!uv_is_active((uv_handle_t *)&pool->timer) || uv_timer_get_due_in(&pool->timer) > in)
        (void)uv_timer_start(&pool->timer, on_timer, in, 0);
}

/* --- judging --- */

/* The outbound of the worker's current runtime that I was made by; NULL: of an earlier one. */
static const struct runtime_outbound *outbound_of(const struct idle *i)
{
    const struct runtime *runtime = i->pool->worker->runtime;
    for (size_t n = 0; n < runtime->snapshot->config->outbound_count; n++) {
        if (runtime->outbound[n].ctx == tls_stream_ctx(i->tls))
            return &runtime->outbound[n];
    }
    return NULL;
}

static void say_untrusted(const struct idle *i, const struct runtime_outbound *outbound, const char *why)
{
    const struct tls_peer *peer = tls_stream_peer(i->tls);
    struct log_line line;
    log_begin(&line, i->pool->worker->log, LOG_WARN, "upstream", why);
    log_text(&line, "outbound", outbound->config->name);
    if (peer) {
        log_text(&line, "subject", peer->subject);
        log_text(&line, "sha256", peer->sha256);
    }
    log_end(&line);
}

void pool_judge(struct pool *pool)
{
    int64_t now = time(NULL);
    for (struct idle *i = pool->list, *next; i; i = next) {
        char why[320] = "";
        const struct runtime_outbound *outbound = outbound_of(i);
        next = i->next;
        if (outbound == NULL) {
            close_idle(i, COUNTER_POOL_CLOSED_RELOAD);
            continue;
        }
        if (!tls_stream_admitted(i->tls, outbound->ctx, now, why, sizeof why)) {
            say_untrusted(i, outbound, why);
            close_idle(i, COUNTER_POOL_CLOSED_UNTRUSTED);
            continue;
        }
        worker_recheck_at(
            pool->worker,
            tls_peer_verdict(tls_stream_peer(i->tls), tls_ctx_trust(outbound->ctx), TLS_PURPOSE_SERVER, now)
                ->recheck_at);
    }
}
