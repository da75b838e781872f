/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sidecar/proxy/codec.h"
#include "sidecar/proxy/decide.h"
#include "sidecar/proxy/pool.h"
#include "sidecar/proxy/session.h"

enum {
    IDLE_PEERS = 256 * 1024, /* bytes of peers without a session that are kept */
    SWEEP_SLICE = 1000000,   /* ns in one turn of the loop for judging live sessions */
    RECHECK_MAX = 60000,     /* ms after which verdicts are looked at, should the clock have jumped */
    RECHECK_SOON = 20,       /* ms at least until then */
};

/* --- time --- */

static void on_timer(uv_timer_t *timer)
{
    struct worker *w = timer->data;
    struct wheel_entry *e;
    while ((e = wheel_expire(&w->wheel, uv_now(&w->loop))) != NULL)
        session_timer(e);
    worker_timer_update(w);
}

void worker_timer_update(struct worker *w)
{
    uint64_t in = wheel_next(&w->wheel, uv_now(&w->loop));
    if (in == UINT64_MAX)
        (void)uv_timer_stop(&w->timer);
    else if (!uv_is_active((uv_handle_t *)&w->timer) || uv_timer_get_due_in(&w->timer) > in)
        (void)uv_timer_start(&w->timer, on_timer, in, 0);
}

static void on_sweep(uv_idle_t *idle)
{
    struct worker *w = idle->data;
    uint64_t start = uv_hrtime();
    struct session *s;
    while (uv_hrtime() - start < SWEEP_SLICE && (s = sweep_next(&w->sweep, w->sessions)) != NULL)
        session_judge(s);
    stall_reload_worked(&w->stall, start);
    if (!sweep_under_way(&w->sweep))
        (void)uv_idle_stop(idle);
}

/* Judges every live session, a slice a turn, and every idle connection at once. */
static void start_sweep(struct worker *w)
{
    if (!sweep_under_way(&w->sweep))
        w->recheck_at = 0; /* whoever is judged says anew when to judge it again */
    if (w->pool)
        pool_judge(w->pool);
    sweep_start(&w->sweep, w->sessions);
    if (sweep_under_way(&w->sweep))
        (void)uv_idle_start(&w->sweeper, on_sweep);
}

/* A certificate that went into quarantine has its live connections judged; they end as by a rule. */
static void follow_quarantine(struct worker *w)
{
    if (w->runtime == NULL || w->runtime->snapshot->config->quarantine_count == 0)
        return; /* the table may be in the making, for the snapshot that comes next */
    uint64_t changes = quarantine_changes(w->shared->quarantine);
    if (changes == w->quarantine_changes)
        return;
    w->quarantine_changes = changes;
    start_sweep(w);
}

/* ms since 1970 */
static int64_t wall_clock(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void on_judge(uv_timer_t *timer)
{
    struct worker *w = timer->data;
    if (w->recheck_at == 0)
        return;
    if (wall_clock() < w->recheck_at * 1000) {
        worker_recheck_at(w, w->recheck_at);
        return;
    }
    w->recheck_at = 0;
    start_sweep(w);
}

void worker_recheck_at(struct worker *w, int64_t at)
{
    if (at <= 0 || at >= INT64_MAX / 1000)
        return;
    if (w->recheck_at == 0 || at < w->recheck_at)
        w->recheck_at = at;
    int64_t in = w->recheck_at * 1000 - wall_clock();
    uint64_t ms = in < RECHECK_SOON ? RECHECK_SOON : in > RECHECK_MAX ? RECHECK_MAX : (uint64_t)in;
    if (!uv_is_active((uv_handle_t *)&w->judge) || uv_timer_get_due_in(&w->judge) > ms)
        (void)uv_timer_start(&w->judge, on_judge, ms, 0);
}

enum { SAID_MS = 10000 };

/* Whether WHAT has had its lines for now. *REPEATED: how many were left out, where it has not. */
static bool said_enough(struct worker *w, uint64_t what, uint64_t most, uint64_t *repeated)
{
    struct worker_said *s = &w->said[what % WORKER_SAID];
    uint64_t now = uv_now(&w->loop);
    if (s->what != what) {
        w->refused_unsaid += s->left_out;
        *s = (struct worker_said){.what = what, .since = now};
    }
    if (now - s->since >= SAID_MS) {
        s->since = now;
        s->written = 0;
    }
    *repeated = s->left_out;
    if (s->written < most)
        return false;
    s->left_out++;
    return true;
}

static bool take_token(struct worker *w, uint64_t per_second)
{
    uint64_t now = uv_now(&w->loop);
    double rate = (double)per_second / w->shared->workers;
    /* What a kind may have at once, and as much again: a flood of one leaves room for others. */
    double most = 2 * (rate < 1 ? 1 : rate);
    w->refused_tokens += (double)(now - w->refused_at) * rate / 1000;
    w->refused_at = now;
    if (w->refused_tokens > most)
        w->refused_tokens = most;
    if (w->refused_tokens < 1) {
        w->refused_unsaid++;
        return false;
    }
    w->refused_tokens -= 1;
    return true;
}

bool worker_may_log_refusal(struct worker *w, uint64_t what, struct worker_unsaid *unsaid)
{
    uint64_t per_second = w->runtime->snapshot->config->sidecar.log_refused_per_second;
    *unsaid = (struct worker_unsaid){0};
    if (per_second == 0)
        return true;
    if (what != 0 && said_enough(w, what, (per_second - 1) / w->shared->workers + 1, &unsaid->repeated))
        return false;
    if (!take_token(w, per_second))
        return false;
    if (what != 0) {
        w->said[what % WORKER_SAID].written++;
        w->said[what % WORKER_SAID].left_out = 0;
    }
    unsaid->others = w->refused_unsaid;
    w->refused_unsaid = 0;
    return true;
}

void worker_log_unsaid(struct log_line *line, const struct worker_unsaid *unsaid)
{
    if (unsaid->repeated != 0)
        log_number(line, "repeated", unsaid->repeated);
    if (unsaid->others != 0)
        log_number(line, "not_logged", unsaid->others);
}

struct resolver *worker_resolver(struct worker *w, const char *host)
{
    union net_addr literal;
    const char *cause = NULL;
    if (w->resolver || host == NULL || net_addr_literal(host, 0, &literal))
        return w->resolver;
    w->resolver = resolver_new(&w->loop, NULL, &cause);
    if (w->resolver == NULL)
        log_say(w->log, LOG_ERROR, "resolver", "worker %u cannot look up names: %s", w->index, cause);
    return w->resolver;
}

/* --- listeners --- */

enum { RETRY = 20 /* ms: another worker's gate may have been left */ };

static void on_retry(uv_timer_t *timer)
{
    struct worker *w = timer->data;
    bool waiting = false;
    for (struct worker_listener *l = w->listeners; l; l = l->next) {
        if (l->held < 0)
            continue;
        if (session_accept(w, l, l->held, (const struct sockaddr *)&l->held_peer)) {
            l->held = -1;
            net_acceptor_resume(l->acceptor);
        } else {
            waiting = true;
        }
    }
    if (waiting)
        (void)uv_timer_start(timer, on_retry, RETRY, 0);
}

void worker_room(struct worker *w)
{
    if (uv_is_active((uv_handle_t *)&w->retry))
        (void)uv_timer_start(&w->retry, on_retry, 0, 0);
}

static void on_accept(void *arg, int fd, const struct sockaddr *peer)
{
    struct worker_listener *l = arg;
    struct worker *w = l->worker;
    if (session_accept(w, l, fd, peer))
        return;
    l->held = fd;
    memcpy(&l->held_peer, peer, sizeof l->held_peer);
    net_acceptor_pause(l->acceptor);
    if (!uv_is_active((uv_handle_t *)&w->retry))
        (void)uv_timer_start(&w->retry, on_retry, RETRY, 0);
}

static void listener_close(struct worker_listener *l)
{
    net_acceptor_close(l->acceptor);
    if (l->held >= 0)
        (void)close(l->held);
    free(l);
}

static void close_listeners(struct worker *w, bool (*unwanted)(const struct worker_listener *))
{
    for (struct worker_listener **at = &w->listeners; *at;) {
        struct worker_listener *l = *at;
        if (unwanted(l)) {
            *at = l->next;
            listener_close(l);
        } else {
            at = &l->next;
        }
    }
}

static bool is_inbound(const struct worker_listener *l)
{
    return l->inbound;
}

static bool is_any(const struct worker_listener *l)
{
    (void)l;
    return true;
}

static bool is_not_kept(const struct worker_listener *l)
{
    return !l->keep;
}

static struct worker_listener *listener_of(struct worker *w, int fd)
{
    for (struct worker_listener *l = w->listeners; l; l = l->next) {
        if (l->fd == fd)
            return l;
    }
    return NULL;
}

static void open_listener(struct worker *w, const struct worker_socket *socket)
{
    struct worker_listener *l = calloc(1, sizeof *l);
    if (l == NULL) {
        (void)close(socket->fd);
        return;
    }
    *l = (struct worker_listener){.worker = w,
                                  .fd = socket->fd,
                                  .inbound = socket->inbound,
                                  .index = socket->index,
                                  .keep = true,
                                  .held = -1,
                                  .next = w->listeners};
    l->acceptor = net_acceptor_start(&w->loop, socket->fd, on_accept, l);
    if (l->acceptor == NULL) {
        log_say(w->log, LOG_ERROR, "listen", "worker %u cannot listen: out of memory", w->index);
        free(l);
        return;
    }
    w->listeners = l;
}

/* Connections have their listener's settings from the start; who waits in the backlog already, the old ones.
 */
static void set_keepalive(const struct worker *w, const struct worker_listener *l)
{
    const struct config *config = w->runtime->snapshot->config;
    if (l->index != WORKER_CAPTURE) /* session_accept() knows which outbound it is */
        net_keepalive(l->fd, l->inbound ? config->inbound[l->index].limits.keepalive
                                        : config->outbound[l->index].limits.keepalive);
}

static void take_sockets(struct worker *w, const struct worker_socket *sockets, size_t count)
{
    for (struct worker_listener *l = w->listeners; l; l = l->next)
        l->keep = false;
    for (size_t i = 0; i < count; i++) {
        struct worker_listener *l = sockets[i].fresh ? NULL : listener_of(w, sockets[i].fd);
        if (l) {
            l->keep = true;
            l->inbound = sockets[i].inbound;
            l->index = sockets[i].index;
        } else if (sockets[i].fresh) {
            open_listener(w, &sockets[i]);
        }
    }
    close_listeners(w, is_not_kept);
    for (struct worker_listener *l = w->listeners; l; l = l->next)
        set_keepalive(w, l);
}

/* --- what the main thread asks --- */

static void on_ask(uv_idle_t *idle)
{
    struct worker *w = idle->data;
    struct gather_part *part = w->asked;
    struct gather_part *next = part ? part->next : NULL;
    if (part && gather_visit(part, w))
        w->asked = next;
    if (w->asked == NULL)
        (void)uv_idle_stop(idle);
}

static void take_asked(struct worker *w, struct gather_part *first)
{
    struct gather_part **at = &w->asked;
    while (*at)
        at = &(*at)->next;
    *at = first;
    if (w->asked)
        (void)uv_idle_start(&w->ask, on_ask);
}

static void drop_asked(struct worker *w)
{
    while (w->asked) {
        struct gather_part *next = w->asked->next;
        gather_drop(w->asked);
        w->asked = next;
    }
}

static void adopt(struct worker *w, struct snapshot *snapshot, const struct worker_socket *sockets,
                  size_t count)
{
    char error[SNAPSHOT_ERROR];
    uint64_t start = uv_hrtime();
    struct runtime *runtime = runtime_new(snapshot, w->peers, error);
    if (runtime == NULL) {
        /* The main thread has built one on trial: memory ran out since. What there is goes on. */
        log_say(w->log, LOG_ERROR, "reload", "worker %u keeps its old snapshot: %s", w->index, error);
        for (size_t i = 0; i < count; i++) {
            if (sockets[i].fresh)
                (void)close(sockets[i].fd);
        }
        return;
    }
    runtime_unref(w->runtime);
    w->runtime = runtime;
    take_sockets(w, sockets, count);
    __atomic_store_n(&w->adopted, snapshot->generation, __ATOMIC_RELEASE);
    if (w->resolver)
        (void)resolver_reload(w->resolver);
    stall_reload_begins(&w->stall);
    stall_reload_worked(&w->stall, start);
    start_sweep(w);
}

/* What is idle goes first when the process ends; nothing more is kept. */
static void leave_pool(struct worker *w)
{
    pool_free(w->pool);
    w->pool = NULL;
}

static void end_everything(struct worker *w)
{
    close_listeners(w, is_any);
    w->leaving = true;
    leave_pool(w);
    while (w->sessions)
        session_kill(w->sessions, SESSION_END_DRAINED, "the sidecar stops");
    (void)uv_idle_stop(&w->sweeper);
    (void)uv_idle_stop(&w->ask);
    drop_asked(w);
    uv_close((uv_handle_t *)&w->timer, NULL);
    uv_close((uv_handle_t *)&w->retry, NULL);
    uv_close((uv_handle_t *)&w->judge, NULL);
    uv_close((uv_handle_t *)&w->sweeper, NULL);
    uv_close((uv_handle_t *)&w->ask, NULL);
    uv_close((uv_handle_t *)&w->wake, NULL);
    stall_close(&w->stall);
    resolver_close(w->resolver);
}

static void count_accept_errors(struct worker *w)
{
    for (struct worker_listener *l = w->listeners; l; l = l->next) {
        uint64_t exhausted = net_acceptor_stats(l->acceptor)->exhausted;
        counter_add(&w->counters, COUNTER_ACCEPT_ERRORS, exhausted - l->exhausted);
        l->exhausted = exhausted;
    }
}

static void on_wake(uv_async_t *async)
{
    struct worker *w = async->data;
    __atomic_store_n(&w->beat, uv_hrtime() / 1000000, __ATOMIC_RELAXED);
    count_accept_errors(w);
    uv_mutex_lock(&w->mutex);
    struct snapshot *next = w->next;
    struct worker_socket *sockets = w->next_sockets;
    size_t count = w->next_socket_count;
    bool close_inbound = w->next_close_inbound, close_all = w->next_close_all, stop = w->next_stop;
    struct gather_part *asked = w->next_asked;
    w->next_asked = NULL;
    w->next_asked_last = &w->next_asked;
    w->next = NULL;
    w->next_sockets = NULL;
    w->next_socket_count = 0;
    uv_mutex_unlock(&w->mutex);
    take_asked(w, asked);
    if (next)
        adopt(w, next, sockets, count);
    snapshot_unref(next);
    free(sockets);
    follow_quarantine(w);
    if (close_inbound && !w->leaving) {
        w->leaving = true;
        close_listeners(w, is_inbound);
        leave_pool(w);
        for (struct session *s = w->sessions, *after; s; s = after) {
            after = s->next;
            session_drain(s);
        }
    }
    if (close_all)
        close_listeners(w, is_any);
    if (stop)
        end_everything(w);
}

static void run(void *arg)
{
    struct worker *w = arg;
    (void)uv_run(&w->loop, UV_RUN_DEFAULT);
}

/* --- from the main thread --- */

static void worker_free(struct worker *w)
{
    runtime_unref(w->runtime);
    decide_free(w->decide);
    codec_shared_free(w->codec);
    tls_peers_free(w->peers);
    endpoint_io_free(&w->endpoints);
    free(w->plain);
    free(w->tls.out);
    uv_mutex_destroy(&w->mutex);
    free(w);
}

static bool init_loop(struct worker *w, const char **cause)
{
    int err = uv_loop_init(&w->loop);
    if (err == 0)
        err = uv_async_init(&w->loop, &w->wake, on_wake);
    if (err == 0)
        err = uv_timer_init(&w->loop, &w->timer);
    if (err == 0)
        err = uv_timer_init(&w->loop, &w->retry);
    if (err == 0)
        err = uv_timer_init(&w->loop, &w->judge);
    if (err == 0)
        err = uv_idle_init(&w->loop, &w->sweeper);
    if (err == 0)
        err = uv_idle_init(&w->loop, &w->ask);
    if (err == 0)
        err = stall_init(&w->stall, &w->loop);
    w->wake.data = w;
    w->timer.data = w;
    w->retry.data = w;
    w->judge.data = w;
    w->sweeper.data = w;
    w->ask.data = w;
    if (err != 0)
        *cause = uv_strerror(err);
    return err == 0;
}

struct worker *worker_start(unsigned index, struct worker_shared *shared, char error[SNAPSHOT_ERROR])
{
    const char *cause = "out of memory";
    struct worker *w = calloc(1, sizeof *w);
    if (w == NULL)
        goto fail;
    w->index = index;
    w->shared = shared;
    w->log = shared->log;
    w->next_asked_last = &w->next_asked;
    (void)uv_mutex_init(&w->mutex);
    w->plain = malloc(WORKER_PLAIN);
    w->tls.out_cap = tls_stream_out_bound(ENDPOINT_BUFFER) + TLS_IO_HANDSHAKE_ROOM;
    w->tls.out = malloc(w->tls.out_cap);
    w->peers = tls_peers_new(IDLE_PEERS);
    w->decide = decide_new();
    if (w->plain == NULL || w->tls.out == NULL || w->peers == NULL || w->decide == NULL ||
        !endpoint_io_init(&w->endpoints) || !init_loop(w, &cause))
        goto fail;
    wheel_init(&w->wheel, uv_now(&w->loop));
    w->beat = uv_hrtime() / 1000000;
    if (uv_thread_create(&w->thread, run, w) != 0) {
        cause = "cannot start a thread";
        goto fail;
    }
    return w;
fail:
    /* The process ends after this: the loop's own memory goes with it. */
    (void)snprintf(error, SNAPSHOT_ERROR, "worker %u: %s", index, cause);
    return NULL;
}

void worker_adopt(struct worker *w, struct snapshot *snapshot, const struct worker_socket *sockets,
                  size_t count)
{
    struct worker_socket *copy = malloc((count + 1) * sizeof *copy);
    if (copy == NULL)
        return;
    memcpy(copy, sockets, count * sizeof *copy);
    uv_mutex_lock(&w->mutex);
    /* A snapshot that was not taken yet is passed over; the sockets it was to open must not be. */
    for (size_t i = 0; i < w->next_socket_count; i++) {
        bool wanted = !w->next_sockets[i].fresh;
        for (size_t j = 0; !wanted && j < count; j++) {
            if (copy[j].fd == w->next_sockets[i].fd)
                wanted = copy[j].fresh = true;
        }
        if (!wanted)
            (void)close(w->next_sockets[i].fd);
    }
    struct snapshot *passed = w->next;
    free(w->next_sockets);
    w->next = snapshot_ref(snapshot);
    w->next_sockets = copy;
    w->next_socket_count = count;
    uv_mutex_unlock(&w->mutex);
    snapshot_unref(passed);
    (void)uv_async_send(&w->wake);
}

uint64_t worker_adopted(const struct worker *w)
{
    return __atomic_load_n(&w->adopted, __ATOMIC_ACQUIRE);
}

void worker_close_listeners(struct worker *w, bool outbound_too)
{
    uv_mutex_lock(&w->mutex);
    w->next_close_inbound = true;
    w->next_close_all = w->next_close_all || outbound_too;
    uv_mutex_unlock(&w->mutex);
    (void)uv_async_send(&w->wake);
}

void worker_ask(struct worker *w, struct gather_part *part)
{
    uv_mutex_lock(&w->mutex);
    *w->next_asked_last = part;
    w->next_asked_last = &part->next;
    uv_mutex_unlock(&w->mutex);
    (void)uv_async_send(&w->wake);
}

void worker_poke(struct worker *w)
{
    (void)uv_async_send(&w->wake);
}

uint64_t worker_beat(const struct worker *w)
{
    return __atomic_load_n(&w->beat, __ATOMIC_RELAXED);
}

void worker_stop(struct worker *w)
{
    if (w == NULL)
        return;
    uv_mutex_lock(&w->mutex);
    w->next_stop = true;
    uv_mutex_unlock(&w->mutex);
    (void)uv_async_send(&w->wake);
    (void)uv_thread_join(&w->thread);
    (void)uv_loop_close(&w->loop);
    worker_free(w);
}
