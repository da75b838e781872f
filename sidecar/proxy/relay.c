/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/session.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/proxy/codec.h"
#include "sidecar/proxy/decide.h"
#include "sidecar/proxy/tally.h"
#include "sidecar/proxy/worker.h"

static struct session *session_of(struct endpoint *ep, enum session_side side)
{
    return (struct session *)(void *)((char *)ep - offsetof(struct session, leg) -
                                      (size_t)side * sizeof(struct leg));
}

static enum session_side other(enum session_side side)
{
    return side == DOWN ? UP : DOWN;
}

/* --- pace --- */

enum { ANSWERED_MAX = 256 * 1024 /* bytes that may wait for a side whose own bytes are answered here */ };

static bool may_read(const struct session *s, enum session_side side)
{
    const struct leg *from = &s->leg[side], *to = &s->leg[other(side)];
    if (s->state != SESSION_RELAY || from->in_end || !from->ep.open)
        return false;
    if (from->shaking)
        return true;
    /* What is spoken must be known before it can be told that the service is away. */
    if (s->sniff && side == DOWN && !to->ep.open)
        return true;
    if (s->codec == NULL)
        return to->ep.open && endpoint_queued(&to->ep) == 0 && !to->ep.write_broken;
    if (codec_blocked(s->codec, side) || endpoint_queued(&from->ep) > ANSWERED_MAX)
        return false;
    /* Without a transport to the service what it would get is held, and one portion of it is enough. */
    if (!to->ep.open || to->shaking)
        return s->codec->held_size == 0;
    return endpoint_queued(&to->ep) == 0 && !to->ep.write_broken;
}

void relay_pace(struct session *s)
{
    for (int side = DOWN; side <= UP; side++) {
        if (may_read(s, (enum session_side)side)) {
            if (s->codec && !s->leg[side].ep.reading)
                s->codec->readable_ms[side] = uv_now(&s->worker->loop);
            endpoint_read_start(&s->leg[side].ep);
        } else {
            endpoint_read_stop(&s->leg[side].ep);
        }
    }
}

/* --- sending --- */

static bool send_tls(struct session *s, enum session_side to, const uint8_t *data, size_t size)
{
    struct worker *w = s->worker;
    struct leg *leg = &s->leg[to];
    while (size != 0) {
        size_t n = size < ENDPOINT_BUFFER ? size : ENDPOINT_BUFFER;
        w->tls.out_size = 0;
        if (tls_stream_write(leg->tls, data, n) != TLS_OK)
            return false;
        if (!endpoint_write(&leg->ep, w->tls.out, w->tls.out_size))
            return false;
        data += n;
        size -= n;
    }
    w->tls.out_size = 0;
    return true;
}

void relay_send(struct session *s, enum session_side to, const uint8_t *data, size_t size)
{
    struct leg *leg = &s->leg[to];
    if (leg->out_end || leg->ep.write_broken || !leg->ep.open)
        return;
    bool ok = leg->tls ? send_tls(s, to, data, size) : endpoint_write(&leg->ep, data, size);
    if (!ok) {
        session_kill(s, SESSION_END_ERROR,
                     leg->tls && *tls_stream_error_text(leg->tls) ? tls_stream_error_text(leg->tls)
                                                                  : "out of memory");
        return;
    }
    /* A broken leg is read on: what it sent before it broke is still to be passed on. */
    if (leg->ep.write_broken && leg->in_end && s->codec == NULL)
        relay_abort(s, to, SESSION_END_RESET, "connection reset");
    else if (endpoint_queued(&leg->ep) != 0 || leg->ep.write_broken)
        relay_pace(s);
}

/* --- ends --- */

/* Over once both sides have ended and nothing is queued. */
static void close_if_done(struct session *s)
{
    const struct leg *down = &s->leg[DOWN], *up = &s->leg[UP];
    if (s->state == SESSION_RELAY && down->in_end && up->in_end && endpoint_queued(&down->ep) == 0 &&
        endpoint_queued(&up->ep) == 0)
        session_finish(s, SESSION_END_CLOSED, NULL, false);
}

void relay_end_output(struct session *s, enum session_side side)
{
    struct worker *w = s->worker;
    struct leg *to = &s->leg[side];
    if (to->out_end)
        return;
    to->out_end = true;
    w->tls.out_size = 0;
    if (to->tls && tls_stream_close_notify(to->tls) == TLS_OK)
        (void)endpoint_write(&to->ep, w->tls.out, w->tls.out_size);
    w->tls.out_size = 0;
    endpoint_shutdown(&to->ep);
}

void relay_close(struct session *s)
{
    if (s->state != SESSION_RELAY)
        return;
    relay_end_output(s, DOWN);
    session_linger(s, SESSION_END_CLOSED, NULL);
}

void relay_lose_service(struct session *s, int status, const char *message)
{
    s->leg[UP].shaking = false;
    endpoint_close(&s->leg[UP].ep);
    codec_service_lost(s->codec, status, message);
}

/* A leg broke, by reset, failed TLS, or an end that is none. */
static void lose(struct session *s, enum session_side lost, enum session_end end, const char *why)
{
    if (s->codec && lost == UP) {
        relay_lose_service(s, 502, "the upstream server ended the connection");
        return;
    }
    relay_abort(s, lost, end, why);
}

/* FROM has sent its last byte: the other side learns of it. */
static void end_of(struct session *s, enum session_side from)
{
    /* A write to it failed and took the socket's error along: what looks like an end is a reset. */
    if (s->leg[from].ep.write_broken && !s->leg[from].out_end) {
        lose(s, from, SESSION_END_RESET, "connection reset");
        return;
    }
    s->leg[from].in_end = true;
    endpoint_read_stop(&s->leg[from].ep);
    if (s->codec) {
        codec_end(s->codec, from);
        return;
    }
    relay_end_output(s, other(from));
    close_if_done(s);
    if (s->state == SESSION_RELAY)
        session_arm(s);
}

void relay_abort(struct session *s, enum session_side lost, enum session_end end, const char *why)
{
    struct leg *to = &s->leg[other(lost)];
    if (s->state != SESSION_RELAY)
        return;
    s->state = SESSION_FLUSH;
    s->end = end;
    free(s->why);
    s->why = why ? strdup(why) : NULL;
    s->leg[lost].in_end = true;
    endpoint_read_stop(&s->leg[lost].ep);
    endpoint_read_stop(&to->ep);
    relay_flush_poll(s);
}

enum { FLUSH_POLL = 20, FLUSH_MAX = 10000 /* ms */ };

void relay_flush_poll(struct session *s)
{
    uint64_t now = uv_now(&s->worker->loop);
    const struct endpoint *down = &s->leg[DOWN].ep, *up = &s->leg[UP].ep;
    bool pending = endpoint_queued(down) != 0 || endpoint_queued(up) != 0 || endpoint_unsent(down) != 0 ||
                   endpoint_unsent(up) != 0;
    bool broken = down->write_broken && up->write_broken;
    if (!pending || broken || now > s->activity + FLUSH_MAX) {
        session_finish(s, (enum session_end)s->end, s->why, true);
        return;
    }
    s->deadline = now + FLUSH_POLL;
    session_arm(s);
}

/* --- receiving --- */

/* Onwards: through the codec, where there is one. */
static void pass(struct session *s, enum session_side from, const uint8_t *data, size_t size)
{
    if (s->codec)
        codec_feed(s->codec, from, data, size);
    else
        relay_send(s, other(from), data, size);
}

/* What was held back until it was known what it is. */
static void pass_early(struct session *s)
{
    uint8_t *early = s->early;
    size_t size = s->early_size;
    s->early = NULL;
    s->early_size = 0;
    if (!s->condemned)
        s->deadline = 0;
    if (s->state == SESSION_RELAY && size != 0)
        pass(s, DOWN, early, size);
    free(early);
}

/* The beginning of a request's head: all of it has its time from here on. */
static void wait_for_more(struct session *s)
{
    const struct config_inbound *config = s->runtime->inbound[s->index].config;
    if (config->protocol != CONFIG_PROTOCOL_HTTP || s->deadline != 0 || config->request_timeout == 0)
        return;
    s->deadline = uv_now(&s->worker->loop) + config->request_timeout;
    session_arm(s);
}

static void begin_codec(struct session *s, enum codec_kind kind)
{
    s->sniff = false;
    s->codec = codec_new(s, kind);
    if (s->codec == NULL)
        session_kill(s, SESSION_END_ERROR, "out of memory");
    else if (kind == CODEC_HTTP2 && (s->condemned || (s->inbound && s->worker->leaving)))
        codec_drain(s->codec, false);
}

/* What is spoken is not HTTP. Rules and limits on requests must not be got round by that. */
static void not_http(struct session *s)
{
    const struct config_inbound *config = s->runtime->inbound[s->index].config;
    char words[320];
    s->sniff = false;
    s->tcp = true;
    if (!config->tcp_fallback_allow)
        (void)snprintf(words, sizeof words, "not HTTP, where rules, limits or headers for HTTP apply");
    else if (decide_connection(s->worker->decide, s, false, words, sizeof words))
        return;
    tally_blocked(s, !config->tcp_fallback_allow, words);
    session_refuse(s, TLS_ALERT_ACCESS_DENIED, SESSION_END_REFUSED, words);
}

/* The first bytes tell what is spoken: who speaks first decides. */
static void look(struct session *s, enum session_side from, const uint8_t *data, size_t size)
{
    bool other_allowed = s->inbound && s->runtime->inbound[s->index].config->protocol == CONFIG_PROTOCOL_AUTO;
    enum codec_sniff found = CODEC_SNIFF_NEITHER;
    if (from == DOWN) {
        uint8_t *more = realloc(s->early, s->early_size + size);
        if (more == NULL) {
            session_kill(s, SESSION_END_ERROR, "out of memory");
            return;
        }
        memcpy(more + s->early_size, data, size);
        s->early = more;
        s->early_size += size;
        found = codec_sniff(s->early, s->early_size);
    }
    if (found == CODEC_SNIFF_MORE) {
        wait_for_more(s);
        return;
    }
    if (found == CODEC_SNIFF_NEITHER && other_allowed)
        not_http(s);
    else
        begin_codec(s, found == CODEC_SNIFF_HTTP2 ? CODEC_HTTP2 : CODEC_HTTP1);
    pass_early(s);
    if (s->state == SESSION_RELAY && from == UP)
        pass(s, UP, data, size);
}

void relay_sniff_over(struct session *s)
{
    begin_codec(s, CODEC_HTTP1);
    pass_early(s);
    if (s->state == SESSION_RELAY)
        codec_timeout(s->codec);
}

static void deliver(struct session *s, enum session_side from, const uint8_t *data, size_t size)
{
    static const enum counter counters[2][2] = {{COUNTER_BYTES_DOWN_OUT, COUNTER_BYTES_UP_OUT},
                                                {COUNTER_BYTES_DOWN_IN, COUNTER_BYTES_UP_IN}};
    s->bytes[from] += size;
    counter_add(&s->worker->counters, counters[s->inbound][from], size);
    if (s->ticket.slot != 0)
        ledger_add(s->worker->shared->ledger, s->worker->index, &s->ticket,
                   from == DOWN ? LEDGER_RECEIVED : LEDGER_SENT, size);
    if (s->sniff)
        look(s, from, data, size);
    else
        pass(s, from, data, size);
}

void relay_decrypt(struct session *s, enum session_side side)
{
    struct worker *w = s->worker;
    struct tls_stream *tls = s->leg[side].tls;
    enum tls_result result = TLS_OK;
    size_t filled = 0;

    w->tls.out_size = 0;
    /* What the codec does not want any more, it has had the leg closed for. */
    while (result == TLS_OK && s->state == SESSION_RELAY && s->leg[side].ep.open) {
        size_t n = 0;
        result = tls_stream_read(tls, w->plain + filled, WORKER_PLAIN - filled, &n);
        filled += n;
        if (w->tls.out_size != 0)
            session_flush_tls(s, side);
        if (filled != 0 && (result != TLS_OK || WORKER_PLAIN - filled < TLS_READ_ROOM)) {
            deliver(s, side, w->plain, filled);
            filled = 0;
        }
    }
    if (s->state != SESSION_RELAY || !s->leg[side].ep.open)
        return;
    if (result == TLS_CLOSED && !s->leg[side].in_end) {
        end_of(s, side);
    } else if (result == TLS_FAILED) {
        session_flush_tls(s, side);
        lose(s, side, SESSION_END_ERROR, tls_stream_error_text(tls));
    }
}

static void received(struct session *s, enum session_side side, const uint8_t *data, size_t size)
{
    struct worker *w = s->worker;
    if (s->state == SESSION_FLUSH || s->state == SESSION_LINGER || s->state == SESSION_CLOSED)
        return; /* what still comes is of no interest, and holds nothing up */
    s->activity = uv_now(&w->loop);
    if (s->state != SESSION_RELAY) {
        session_early_data(s, side, data, size);
    } else if (s->leg[side].shaking) {
        w->tls.in = data;
        w->tls.in_size = size;
        session_shake(s);
    } else if (s->leg[side].tls == NULL) {
        deliver(s, side, data, size);
    } else {
        w->tls.in = data;
        w->tls.in_size = size;
        relay_decrypt(s, side);
    }
    w->tls.in_size = 0;
}

static void ended(struct session *s, enum session_side side)
{
    struct leg *leg = &s->leg[side];
    if (s->state != SESSION_RELAY) {
        session_early_end(s, side, 0);
        return;
    }
    if (leg->in_end)
        return;
    if (leg->shaking) {
        session_shake_failed(s, "peer closed the connection in the handshake", 502, NULL);
        return;
    }
    /* FIN without close_notify: what TLS carried may have been cut (RFC 8446 section 6.1), unless we had
     * ended first and the peer just goes, or HTTP's own framing says that nothing is missing. */
    if (leg->tls && !leg->out_end && !(s->codec && side == DOWN && codec_idle(s->codec)))
        lose(s, side, SESSION_END_TRUNCATED, "TLS ended without close_notify");
    else
        end_of(s, side);
}

static void broken(struct session *s, enum session_side side, int err)
{
    char why[96];
    if (s->state != SESSION_RELAY) {
        session_early_end(s, side, err);
        return;
    }
    if (s->leg[side].in_end && s->leg[side].out_end && s->leg[other(side)].in_end) {
        session_finish(s, SESSION_END_CLOSED, NULL, false);
        return;
    }
    if (s->leg[side].shaking) {
        (void)snprintf(why, sizeof why, "peer in the handshake: %s", uv_strerror(err));
        session_shake_failed(s, why, 502, NULL);
        return;
    }
    (void)snprintf(why, sizeof why, "%s: %s", side == DOWN ? "client" : "upstream", uv_strerror(err));
    lose(s, side, SESSION_END_RESET, why);
}

static void drained(struct session *s, enum session_side side)
{
    if (s->state == SESSION_FLUSH) {
        relay_flush_poll(s);
        return;
    }
    if (s->state != SESSION_RELAY)
        return;
    if (s->leg[side].ep.write_broken && s->leg[side].in_end && s->codec == NULL) {
        relay_abort(s, side, SESSION_END_RESET, "connection reset");
        return;
    }
    relay_pace(s);
    if (s->codec == NULL)
        close_if_done(s);
}

static void down_data(struct endpoint *ep, const uint8_t *data, size_t size)
{
    received(session_of(ep, DOWN), DOWN, data, size);
}

static void up_data(struct endpoint *ep, const uint8_t *data, size_t size)
{
    received(session_of(ep, UP), UP, data, size);
}

static void down_end(struct endpoint *ep)
{
    ended(session_of(ep, DOWN), DOWN);
}

static void up_end(struct endpoint *ep)
{
    ended(session_of(ep, UP), UP);
}

static void down_broken(struct endpoint *ep, int err)
{
    broken(session_of(ep, DOWN), DOWN, err);
}

static void up_broken(struct endpoint *ep, int err)
{
    broken(session_of(ep, UP), UP, err);
}

static void down_drained(struct endpoint *ep)
{
    drained(session_of(ep, DOWN), DOWN);
}

static void up_drained(struct endpoint *ep)
{
    drained(session_of(ep, UP), UP);
}

static void down_closed(struct endpoint *ep)
{
    session_handle_closed(session_of(ep, DOWN));
}

static void up_closed(struct endpoint *ep)
{
    struct session *s = session_of(ep, UP);
    bool again = s->state == SESSION_RELAY && s->codec;
    session_handle_closed(s);
    if (again)
        codec_service_closed(s->codec);
}

const struct endpoint_calls relay_down_calls = {down_data, down_end, down_broken, down_drained, down_closed};
const struct endpoint_calls relay_up_calls = {up_data, up_end, up_broken, up_drained, up_closed};

/* --- the beginning --- */

/* By ALPN, where it was agreed on; else the first bytes will tell. */
static void choose_protocol(struct session *s)
{
    if (!s->inbound) {
        if (s->alpn)
            begin_codec(s, strcmp(s->alpn, "h2") == 0 ? CODEC_HTTP2 : CODEC_HTTP1);
        return;
    }
    if (!session_is_http(s))
        return;
    const char *alpn = s->leg[DOWN].tls ? tls_stream_info(s->leg[DOWN].tls).alpn : NULL;
    s->sniff = true;
    if (alpn && strcmp(alpn, "h2") == 0)
        begin_codec(s, CODEC_HTTP2);
    else if (alpn && strcmp(alpn, "http/1.1") == 0)
        begin_codec(s, CODEC_HTTP1);
}

void relay_begin(struct session *s)
{
    uint8_t *early = s->early;
    size_t size = s->early_size;
    s->state = SESSION_RELAY;
    if (!s->condemned)
        s->deadline = 0;
    s->activity = uv_now(&s->worker->loop);
    s->early = NULL;
    s->early_size = 0;
    choose_protocol(s);
    if (s->state == SESSION_RELAY)
        relay_pace(s);
    if (size != 0 && s->state == SESSION_RELAY)
        deliver(s, DOWN, early, size);
    free(early);
    /* What followed the handshake in the same chunk, close_notify included. */
    const struct leg *tls = &s->leg[session_tls_side(s)];
    if (s->state == SESSION_RELAY && tls->tls && tls->ep.open && !tls->shaking)
        relay_decrypt(s, session_tls_side(s));
    if (s->state == SESSION_RELAY)
        session_arm(s);
}
