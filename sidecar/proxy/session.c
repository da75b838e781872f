/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/session.h"

#include <stddef.h>
#include <stdlib.h>

#include "sidecar/proxy/codec.h"
#include "sidecar/proxy/pool.h"
#include "sidecar/proxy/report.h"
#include "sidecar/proxy/tally.h"
#include "sidecar/proxy/worker.h"

enum {
    LINGER = 800,       /* ms that a refused peer has to read its alert */
    LINGER_MAX = 30000, /* and one that has not read its answer yet */
};

const struct config_limits *session_limits(const struct session *s)
{
    const struct config *config = s->runtime->snapshot->config;
    return s->inbound ? &config->inbound[s->index].limits : &config->outbound[s->index].limits;
}

const char *session_name(const struct session *s)
{
    const struct config *config = s->runtime->snapshot->config;
    return s->inbound ? config->inbound[s->index].name : config->outbound[s->index].name;
}

/* --- deadlines --- */

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* Until when the first request of an inbound for HTTP is waited for; 0: for ever. */
static uint64_t sniff_due(const struct session *s)
{
    if (!s->sniff || s->runtime->inbound[s->index].config->protocol != CONFIG_PROTOCOL_HTTP)
        return 0;
    uint64_t keepalive = s->runtime->inbound[s->index].config->keepalive_timeout;
    if (s->early_size != 0)
        return s->deadline;
    return keepalive ? s->activity + keepalive : 0;
}

/* When the session is to be looked at next, in ms; 0: never. */
static uint64_t next_deadline(const struct session *s)
{
    const struct config_limits *limits = session_limits(s);
    uint64_t due = s->deadline;
    if (s->state != SESSION_RELAY)
        return due;
    if (s->codec)
        due = sooner(due, codec_deadline(s->codec));
    due = sooner(due, sniff_due(s));
    if (s->leg[UP].shaking)
        due = sooner(due, s->shake_due);
    bool half_closed = s->leg[DOWN].in_end != s->leg[UP].in_end;
    if (limits->idle_timeout)
        due = sooner(due, s->activity + limits->idle_timeout);
    if (half_closed && limits->half_close_timeout)
        due = sooner(due, s->activity + limits->half_close_timeout);
    if (limits->total_timeout)
        due = sooner(due, s->started + limits->total_timeout);
    return due;
}

void session_arm(struct session *s)
{
    uint64_t due = next_deadline(s);
    /* One that is set sooner, or for nothing any more, is left: session_timer() finds that there is time yet.
     */
    if (due != 0 && (!wheel_is_set(&s->timer) || s->timer.due > due)) {
        wheel_set(&s->worker->wheel, &s->timer, due);
        worker_timer_update(s->worker);
    }
}

/* Whether it was the codec's patience that ended. */
static bool codec_due(struct session *s, uint64_t now)
{
    uint64_t due = codec_deadline(s->codec);
    if (due == 0 || due > now)
        return false;
    codec_timeout(s->codec);
    return true;
}

void session_timer(struct wheel_entry *entry)
{
    struct session *s = (struct session *)(void *)((char *)entry - offsetof(struct session, timer));
    uint64_t now = uv_now(&s->worker->loop);
    uint64_t due = next_deadline(s);
    if (due == 0 || due > now) {
        session_arm(s);
        return;
    }
    switch ((enum session_state)s->state) {
    case SESSION_SNIFF:
        session_finish(s, SESSION_END_TIMEOUT, "the client said nothing, and HTTP is expected here", true);
        break;
    case SESSION_PREFACE:
    case SESSION_HELLO:
    case SESSION_HANDSHAKE: session_finish(s, SESSION_END_TIMEOUT, "handshake timed out", true); break;
    case SESSION_CONNECT: session_judge_grace_over(s); break;
    case SESSION_FLUSH: relay_flush_poll(s); break;
    case SESSION_LINGER:
        /* The last answer may be long, and its reader slow. */
        if (endpoint_queued(&s->leg[DOWN].ep) != 0 && now < s->activity + LINGER_MAX) {
            s->deadline = now + LINGER;
            session_arm(s);
        } else {
            session_finish(s, (enum session_end)s->end, s->why, true);
        }
        break;
    case SESSION_RELAY:
        if (s->leg[UP].shaking && s->shake_due != 0 && now >= s->shake_due) {
            session_shake_failed(s, "handshake timed out", 504,
                                 "the TLS handshake with the upstream server timed out");
            break;
        }
        if (s->codec && !s->condemned && codec_due(s, now))
            break;
        if (!s->condemned && sniff_due(s) != 0 && sniff_due(s) <= now) {
            relay_sniff_over(s);
            break;
        }
        if (s->condemned)
            session_judge_grace_over(s);
        else
            session_kill(s, SESSION_END_TIMEOUT,
                         now >= s->started + session_limits(s)->total_timeout &&
                                 session_limits(s)->total_timeout
                             ? "total timeout"
                             : "idle timeout");
        break;
    case SESSION_CLOSED: break;
    }
}

/* --- the end --- */

void session_not_half_open(struct session *s)
{
    if (s->half_open) {
        s->half_open = false;
        gate_leave(&s->worker->shared->half_open);
        worker_room(s->worker);
    }
}

static void session_free(struct session *s)
{
    codec_free(s->codec);
    tls_stream_free(s->leg[DOWN].tls);
    tls_stream_free(s->leg[UP].tls);
    runtime_unref(s->runtime);
    gate_unref(s->gate);
    free(s->rule_state);
    free(s->hello);
    free(s->early);
    free(s->why);
    free(s);
}

void session_handle_closed(struct session *s)
{
    if (--s->handles == 0 && s->state == SESSION_CLOSED)
        session_free(s);
}

static void leave_worker(struct session *s)
{
    struct worker *w = s->worker;
    sweep_leave(&w->sweep, s);
    if (w->ask_at == s)
        w->ask_at = s->next;
    *s->prev = s->next;
    if (s->next)
        s->next->prev = s->prev;
    tally_leave(s);
    counter_sub(&w->counters, s->inbound ? COUNTER_OPEN_IN : COUNTER_OPEN_OUT, 1);
    gate_leave(&w->shared->sessions);
    gate_leave(s->gate);
    worker_room(w);
}

void session_finish(struct session *s, enum session_end end, const char *why, bool reset)
{
    if (s->state == SESSION_CLOSED)
        return;
    if (!s->reported)
        report_session(s, end, why);
    s->state = SESSION_CLOSED;
    session_not_half_open(s);
    leave_worker(s);
    wheel_clear(&s->worker->wheel, &s->timer);
    dial_cancel(s->dial);
    s->dial = NULL;
    /* The local connection's end is not the peer's. */
    if (!s->inbound && s->codec &&
        (end == SESSION_END_CLOSED || end == SESSION_END_RESET || end == SESSION_END_TRUNCATED))
        session_leave_service(s);
    for (int side = DOWN; side <= UP; side++) {
        struct leg *leg = &s->leg[side];
        if (reset && leg->ep.open && !leg->ep.shut)
            endpoint_reset(&leg->ep);
        else
            endpoint_close(&leg->ep);
    }
    if (s->handles == 0)
        session_free(s);
}

void session_kill(struct session *s, enum session_end end, const char *why)
{
    session_finish(s, end, why, true);
}

/* --- the service's transport, of outbounds with protocol = http --- */

bool session_is_http(const struct session *s)
{
    const struct snapshot *snapshot = s->runtime->snapshot;
    return s->inbound ? snapshot->shared->policy->inbound[s->index].http
                      : snapshot->config->outbound[s->index].http;
}

void session_drop_service(struct session *s)
{
    struct leg *leg = &s->leg[UP];
    struct worker *w = s->worker;
    if (leg->ep.open && leg->tls && !leg->shaking && !leg->out_end) {
        w->tls.out_size = 0;
        if (tls_stream_close_notify(leg->tls) == TLS_OK)
            (void)endpoint_write(&leg->ep, w->tls.out, w->tls.out_size);
        w->tls.out_size = 0;
    }
    leg->shaking = false;
    endpoint_close(&leg->ep);
}

/* Until when the pool may keep the up leg; 0: not at all. What arrived with what ended the session and was
 * not looked at is in tls.in still. */
static uint64_t poolable_until(struct session *s)
{
    const struct leg *leg = &s->leg[UP];
    const struct worker *w = s->worker;
    uint64_t now = uv_now(&w->loop);
    if (s->inbound || s->codec == NULL || !leg->ep.open || leg->tls == NULL || leg->shaking || w->leaving)
        return 0;
    const struct runtime_outbound *out = &s->runtime->outbound[s->index];
    const struct config_outbound *config = out->config;
    if (!config->http || config->proxy_out != CONFIG_PROXY_OUT_OFF || s->runtime != w->runtime ||
        tls_stream_ctx(leg->tls) != out->ctx || (config->pool_age && now >= leg->made + config->pool_age))
        return 0;
    bool clean = codec_reusable(s->codec) && !leg->in_end && !leg->out_end && !leg->ep.write_broken &&
                 !leg->ep.shut && !leg->ep.shut_pending && endpoint_queued(&leg->ep) == 0 &&
                 tls_stream_rests(leg->tls) && w->tls.in_size == 0;
    uint64_t most = codec_keep_alive(s->codec);
    uint64_t idle = most < config->pool_idle ? most : config->pool_idle;
    /* Its trust may have ended while [tls] on_untrusted let the last request finish. */
    char why[320];
    bool wanted = clean && config->pool_size != 0 && idle != 0 && session_admits_service(s, why, sizeof why);
    return wanted ? now + idle : 0;
}

void session_leave_service(struct session *s)
{
    struct worker *w = s->worker;
    struct leg *leg = &s->leg[UP];
    uint64_t due = poolable_until(s);
    if (due != 0 && w->pool == NULL)
        w->pool = pool_new(w);
    int fd = due != 0 && w->pool ? endpoint_release(&leg->ep) : -1;
    if (fd < 0) {
        session_drop_service(s);
        return;
    }
    struct pool_transport transport = {fd, leg->tls, leg->made};
    leg->tls = NULL;
    pool_give(w->pool, &transport, &s->captured, due, s->runtime->outbound[s->index].config->pool_size);
}

void session_linger(struct session *s, enum session_end end, const char *why)
{
    if (s->state == SESSION_CLOSED || s->state == SESSION_LINGER)
        return;
    if (!s->reported)
        report_session(s, end, why);
    s->reported = true;
    s->end = end;
    s->state = SESSION_LINGER;
    s->activity = uv_now(&s->worker->loop);
    s->deadline = s->activity + LINGER;
    session_not_half_open(s);
    endpoint_shutdown(&s->leg[DOWN].ep);
    endpoint_read_start(&s->leg[DOWN].ep);
    session_leave_service(s);
    dial_cancel(s->dial);
    s->dial = NULL;
    session_arm(s);
}

void session_refuse(struct session *s, enum tls_alert alert, enum session_end end, const char *why)
{
    enum session_side side = session_tls_side(s);
    struct leg *leg = &s->leg[side];
    if (s->state == SESSION_CLOSED || s->state == SESSION_LINGER)
        return;
    if (leg->tls && alert != TLS_ALERT_NONE) {
        s->worker->tls.out_size = 0;
        tls_stream_alert(leg->tls, alert, why);
        session_flush_tls(s, side);
    }
    if (s->state == SESSION_CLOSED)
        return;
    if (!s->reported)
        report_session(s, end, why);
    s->reported = true;
    s->end = end;
    s->state = SESSION_LINGER;
    s->deadline = uv_now(&s->worker->loop) + LINGER;
    session_not_half_open(s);
    endpoint_shutdown(&leg->ep);
    endpoint_read_start(&leg->ep);
    struct endpoint *plain = &s->leg[side == DOWN ? UP : DOWN].ep;
    endpoint_read_stop(plain);
    if (plain->open)
        endpoint_reset(plain);
    dial_cancel(s->dial);
    s->dial = NULL;
    session_arm(s);
}

void session_drain(struct session *s)
{
    bool silent = s->state == SESSION_RELAY && s->sniff && s->early_size == 0 &&
                  s->runtime->inbound[s->index].config->protocol == CONFIG_PROTOCOL_HTTP;
    if (s->state == SESSION_RELAY && s->codec)
        codec_drain(s->codec, false);
    else if (silent) /* the same for a connection whose first request has not begun */
        relay_close(s);
    else if (s->state == SESSION_SNIFF)
        session_finish(s, SESSION_END_CLOSED, NULL, false);
}
