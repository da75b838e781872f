/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/codec.h"

#include <stdlib.h>
#include <string.h>

#include "sidecar/proxy/exchange.h"
#include "sidecar/proxy/worker.h"

enum { HELD_MAX = 4 << 20 /* bytes for a service that is being connected to */ };

struct codec_shared *codec_shared_new(void)
{
    struct codec_shared *shared = calloc(1, sizeof *shared);
    if (shared == NULL)
        return NULL;
    http1_limits_default(&shared->limits1);
    http2_limits_default(&shared->limits2);
    shared->scratch1 = http1_scratch_new(&shared->limits1);
    shared->scratch2 = http2_scratch_new(&shared->limits2);
    shared->gather[DOWN] = malloc(ENDPOINT_BUFFER);
    shared->gather[UP] = malloc(ENDPOINT_BUFFER);
    if (shared->scratch1 && shared->scratch2 && shared->gather[DOWN] && shared->gather[UP])
        return shared;
    codec_shared_free(shared);
    return NULL;
}

void codec_shared_free(struct codec_shared *shared)
{
    if (shared == NULL)
        return;
    if (shared->scratch1)
        http1_scratch_free(shared->scratch1);
    if (shared->scratch2)
        http2_scratch_free(shared->scratch2);
    free(shared->gather[DOWN]);
    free(shared->gather[UP]);
    headers_out_clear(&shared->out);
    free(shared);
}

/* --- sniffing --- */

static bool is_token(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

enum codec_sniff codec_sniff(const uint8_t *data, size_t size)
{
    enum { METHOD_MAX = 32 };
    size_t preface = size < HTTP2_PREFACE_LEN ? size : HTTP2_PREFACE_LEN;
    size_t i = 0;
    if (size == 0)
        return CODEC_SNIFF_MORE;
    if (memcmp(data, HTTP2_PREFACE, preface) == 0) {
        if (preface == HTTP2_PREFACE_LEN)
            return CODEC_SNIFF_HTTP2;
        return CODEC_SNIFF_MORE;
    }
    /* A request line: METHOD SP, and then what a target begins with (RFC 9112 section 3.2). */
    while (i < size && i < METHOD_MAX && is_token(data[i]))
        i++;
    if (i == size && i < METHOD_MAX)
        return CODEC_SNIFF_MORE;
    if (i == 0 || data[i] != ' ')
        return CODEC_SNIFF_NEITHER;
    if (i + 1 == size)
        return CODEC_SNIFF_MORE;
    uint8_t c = data[i + 1];
    return c == '/' || c == '*' || is_token(c) || c == '[' ? CODEC_SNIFF_HTTP1 : CODEC_SNIFF_NEITHER;
}

/* --- what is emitted --- */

static struct codec_shared *shared_of(const struct codec *c)
{
    return c->session->worker->codec;
}

static void hold(struct codec *c, const uint8_t *data, size_t size)
{
    uint8_t *more = c->held_size + size <= HELD_MAX ? realloc(c->held, c->held_size + size) : NULL;
    c->wanted = true;
    if (more == NULL) {
        session_kill(c->session, SESSION_END_ERROR, "out of memory");
        return;
    }
    memcpy(more + c->held_size, data, size);
    c->held = more;
    c->held_size += size;
}

static void dispatch(struct codec *c, enum session_side side, const uint8_t *data, size_t size)
{
    struct session *s = c->session;
    if (s->state != SESSION_RELAY || size == 0)
        return;
    if (side == UP && !session_has_service(s))
        hold(c, data, size);
    else
        relay_send(s, side, data, size);
}

static void flush(struct codec *c, enum session_side side)
{
    struct codec_shared *shared = shared_of(c);
    size_t size = shared->gathered[side];
    shared->gathered[side] = 0;
    if (side == UP)
        c->mark = SIZE_MAX;
    dispatch(c, side, shared->gather[side], size);
}

/* Small pieces are gathered, so that a head and its body cost one record and one system call. */
static void gather(struct codec *c, enum session_side side, const uint8_t *data, size_t size)
{
    struct codec_shared *shared = shared_of(c);
    if (size > ENDPOINT_BUFFER - shared->gathered[side])
        flush(c, side);
    if (size > ENDPOINT_BUFFER / 2) {
        flush(c, side);
        dispatch(c, side, data, size);
        return;
    }
    memcpy(shared->gather[side] + shared->gathered[side], data, size);
    shared->gathered[side] += size;
}

static void emit1(void *ctx, enum http1_side side, const uint8_t *data, size_t size)
{
    gather(ctx, side == HTTP1_DOWN ? DOWN : UP, data, size);
}

static void emit2(void *ctx, enum http2_side side, const uint8_t *data, size_t size)
{
    gather(ctx, side == HTTP2_DOWN ? DOWN : UP, data, size);
}

static void forget(struct codec *c)
{
    free(c->kept);
    c->kept = NULL;
    c->kept_size = 0;
}

/* A request that goes out on a connection that was idle before may meet its end on the way (RFC 9112 section
 * 9.3.1): it is kept while it can be sent again as if nothing had happened. */
static void keep(struct codec *c)
{
    const struct codec_shared *shared = shared_of(c);
    if (c->mark == SIZE_MAX || c->kind != CODEC_HTTP1 || !http1_replayable(c->http1))
        return;
    bool there = session_has_service(c->session);
    c->repeatable = there || (c->mark == 0 && c->held_size == 0);
    if (!there)
        return; /* it will be what is held */
    forget(c);
    c->kept_size = shared->gathered[UP] - c->mark;
    c->kept = malloc(c->kept_size + 1);
    if (c->kept)
        memcpy(c->kept, shared->gather[UP] + c->mark, c->kept_size);
}

static void request1(void *ctx, struct http1_request *request, struct http1_verdict *verdict)
{
    struct codec *c = ctx;
    c->mark = shared_of(c)->gathered[UP];
    c->repeatable = c->fresh = false;
    exchange_request1(ctx, request, verdict);
}

/* Keep-Alive: timeout=SECONDS, which is how some servers say when they will end an idle connection. */
static void note_keep_alive(struct codec *c, const struct http1_response *r)
{
    enum { MARGIN = 1000 /* ms: their clock began earlier than ours */ };
    c->keep_alive = UINT64_MAX;
    for (size_t i = 0; !c->session->inbound && i < r->nfields; i++) {
        const struct http_field *f = &r->fields[i];
        if (f->name.n != 10 || memcmp(f->name.p, "keep-alive", 10) != 0)
            continue;
        const char *at = memmem(f->value.p, f->value.n, "timeout=", 8);
        uint64_t seconds = 0;
        for (at = at ? at + 8 : NULL; at && at < f->value.p + f->value.n && *at >= '0' && *at <= '9'; at++)
            seconds = seconds < 1000000 ? seconds * 10 + (uint64_t)(*at - '0') : seconds;
        if (at)
            c->keep_alive = seconds * 1000 > MARGIN ? seconds * 1000 - MARGIN : 0;
    }
}

static void response1(void *ctx, struct http1_response *response)
{
    forget(ctx);
    note_keep_alive(ctx, response);
    exchange_response1(ctx, response);
}

static void end1(void *ctx, const struct http1_end *end)
{
    forget(ctx);
    exchange_end1(ctx, end);
}

static void service_done1(void *ctx)
{
    struct codec *c = ctx;
    flush(c, UP);
    session_drop_service(c->session);
}

static const struct http1_calls calls1 = {
    emit1, request1, response1, exchange_trailer1, end1, service_done1, exchange_answer1,
};
static const struct http2_calls calls2 = {
    emit2, exchange_request2, exchange_response2, exchange_trailer2, exchange_end2,
};

static struct http1_sink sink1(struct codec *c)
{
    return (struct http1_sink){&calls1, c, uv_now(&c->session->worker->loop)};
}

static struct http2_sink sink2(struct codec *c)
{
    return (struct http2_sink){&calls2, c, uv_now(&c->session->worker->loop)};
}

/* --- results --- */

enum result { MORE, CLOSE, ABORT };

static enum result result1(enum http1_result result)
{
    return result == HTTP1_MORE ? MORE : result == HTTP1_CLOSE ? CLOSE : ABORT;
}

static enum result result2(enum http2_result result)
{
    return result == HTTP2_MORE ? MORE : CLOSE;
}

static bool is_done(const struct codec *c)
{
    return c->kind == CODEC_HTTP1 ? http1_state(c->http1) == HTTP1_DONE : http2_state(c->http2) == HTTP2_DONE;
}

/* Connects when the service is wanted; not while the old transport is still closing. It may fail at once, and
 * the next of the requests that the client sent ahead want it again: each in its turn, not within the other.
 */
static void want_service(struct codec *c)
{
    struct session *s = c->session;
    if (c->wanting)
        return;
    c->wanting = true;
    while (c->wanted && s->state == SESSION_RELAY && !s->dial && !s->leg[UP].ep.open && s->handles <= 1) {
        c->wanted = false;
        session_connect(s);
    }
    c->wanting = false;
}

/* After every call into a codec: what was emitted goes out, and what the result asks for is done. */
static void settle(struct codec *c, enum result result)
{
    struct session *s = c->session;
    keep(c);
    flush(c, UP);
    flush(c, DOWN);
    if (s->state != SESSION_RELAY || c->ending)
        return;
    if (result == MORE && is_done(c))
        result = CLOSE;
    if (result != MORE) {
        c->ending = true;
        if (result == CLOSE)
            relay_close(s);
        else
            relay_abort(s, UP, SESSION_END_TRUNCATED, "the upstream server did not finish its answer");
        return;
    }
    want_service(c);
    if (s->state == SESSION_RELAY) {
        relay_pace(s);
        session_arm(s);
    }
}

struct codec *codec_new(struct session *s, enum codec_kind kind)
{
    struct worker *w = s->worker;
    struct codec *c = calloc(1, sizeof *c);
    if (w->codec == NULL)
        w->codec = codec_shared_new();
    if (c == NULL || w->codec == NULL) {
        free(c);
        return NULL;
    }
    c->session = s;
    c->kind = kind;
    c->mark = SIZE_MAX;
    c->keep_alive = UINT64_MAX;
    if (kind == CODEC_HTTP1)
        c->http1 = http1_conn_new(&w->codec->limits1, w->codec->scratch1);
    else
        c->http2 = http2_conn_new(&w->codec->limits2, w->codec->scratch2, uv_now(&w->loop));
    /* The request that is about to come is served, as the last. */
    if (c->http1 && (w->leaving || s->condemned))
        http1_drain(c->http1, false);
    if (c->http1 || c->http2)
        return c;
    free(c);
    return NULL;
}

void codec_free(struct codec *c)
{
    if (c == NULL)
        return;
    struct http1_sink s1 = sink1(c);
    struct http2_sink s2 = sink2(c);
    if (c->http1)
        http1_conn_free(c->http1, &s1);
    if (c->http2)
        http2_conn_free(c->http2, &s2);
    free(c->held);
    free(c->kept);
    free(c);
}

/* The service's transport is lost: whether the open request is sent again, on another. */
static bool replay(struct codec *c)
{
    if (c->kept == NULL || !http1_replayable(c->http1))
        return false;
    endpoint_close(&c->session->leg[UP].ep);
    free(c->held);
    c->held = c->kept;
    c->held_size = c->kept_size;
    c->kept = NULL;
    c->wanted = true;
    c->fresh = true;
    counter_add(&c->session->worker->counters, COUNTER_REQUESTS_REPEATED, 1);
    settle(c, MORE);
    return true;
}

void codec_feed(struct codec *c, enum session_side side, const uint8_t *data, size_t size)
{
    if (c->ending)
        return;
    if (c->kind == CODEC_HTTP1) {
        struct http1_sink sink = sink1(c);
        settle(c, result1(http1_feed(c->http1, side == DOWN ? HTTP1_DOWN : HTTP1_UP, data, size, &sink)));
    } else {
        struct http2_sink sink = sink2(c);
        settle(c, result2(http2_feed(c->http2, side == DOWN ? HTTP2_DOWN : HTTP2_UP, data, size, &sink)));
    }
}

void codec_end(struct codec *c, enum session_side side)
{
    struct session *s = c->session;
    enum result result;
    if (c->ending || (side == UP && replay(c)))
        return;
    if (c->kind == CODEC_HTTP1) {
        struct http1_sink sink = sink1(c);
        result = result1(http1_eof(c->http1, side == DOWN ? HTTP1_DOWN : HTTP1_UP, &sink));
        /* In a tunnel the end passes on; between requests the service may close, and be connected to again.
         */
        if (result == MORE && http1_progress(c->http1).phase == HTTP1_TUNNEL) {
            settle(c, MORE);
            relay_end_output(s, side == DOWN ? UP : DOWN);
            return;
        }
    } else {
        struct http2_sink sink = sink2(c);
        result = result2(http2_eof(c->http2, side == DOWN ? HTTP2_DOWN : HTTP2_UP, &sink));
    }
    if (side == UP && result == MORE)
        session_drop_service(s);
    settle(c, result);
}

void codec_service_lost(struct codec *c, int status, const char *message)
{
    if (c->ending || replay(c))
        return;
    c->held_size = 0;
    c->wanted = false;
    if (c->kind == CODEC_HTTP1) {
        struct http1_sink sink = sink1(c);
        settle(c, result1(http1_service_lost(c->http1, status, message, &sink)));
    } else {
        struct http2_sink sink = sink2(c);
        settle(c, result2(http2_service_lost(c->http2, status, message, &sink)));
    }
}

void codec_connected(struct codec *c)
{
    struct session *s = c->session;
    uint8_t *held = c->held;
    size_t size = c->held_size;
    c->held = NULL;
    c->held_size = 0;
    bool keeps = s->leg[UP].pooled && c->repeatable && c->kept == NULL;
    if (keeps) {
        c->kept = held;
        c->kept_size = size;
    }
    if (size != 0)
        relay_send(s, UP, held, size);
    if (!keeps)
        free(held);
    if (s->state == SESSION_RELAY)
        relay_pace(s);
}

void codec_service_closed(struct codec *c)
{
    if (c->session->state == SESSION_RELAY)
        want_service(c);
}

void codec_drain(struct codec *c, bool now)
{
    if (c->ending)
        return;
    if (c->kind == CODEC_HTTP1) {
        http1_drain(c->http1, now);
    } else {
        struct http2_sink sink = sink2(c);
        http2_drain(c->http2, now, &sink);
    }
    settle(c, MORE);
}

/* --- deadlines --- */

/* How long what may take: of the inbound or outbound. */
struct patience {
    uint64_t request_timeout, response_timeout, keepalive_timeout;
};

static struct patience patience_of(const struct session *s)
{
    if (s->inbound) {
        const struct config_inbound *in = s->runtime->inbound[s->index].config;
        return (struct patience){in->request_timeout, in->response_timeout, in->keepalive_timeout};
    }
    const struct config_outbound *out = s->runtime->outbound[s->index].config;
    return (struct patience){out->request_timeout, out->response_timeout, out->keepalive_timeout};
}

static struct http2_patience patience2(const struct codec *c)
{
    const struct session *s = c->session;
    const struct patience own = patience_of(s);
    struct http2_patience p = {.request_ms = own.request_timeout, .response_ms = own.response_timeout};
    for (int side = DOWN; side <= UP; side++)
        p.readable_ms[side] = s->leg[side].ep.reading ? c->readable_ms[side] : uv_now(&s->worker->loop);
    return p;
}

/* Without a request; 0: never. */
static uint64_t idle_due2(const struct codec *c)
{
    uint64_t timeout = patience_of(c->session).keepalive_timeout;
    return timeout && http2_streams(c->http2) == 0 ? c->session->activity + timeout : 0;
}

static uint64_t deadline2(const struct codec *c)
{
    struct http2_patience patience = patience2(c);
    uint64_t due = http2_due(c->http2, &patience), idle = idle_due2(c);
    return due == 0 || (idle != 0 && idle < due) ? idle : due;
}

void codec_timeout(struct codec *c)
{
    if (c->ending)
        return;
    if (c->kind == CODEC_HTTP2) {
        uint64_t idle = idle_due2(c);
        if (idle != 0 && idle <= uv_now(&c->session->worker->loop)) {
            codec_drain(c, true);
            return;
        }
        struct http2_sink sink = sink2(c);
        struct http2_patience patience = patience2(c);
        settle(c, result2(http2_timeout(c->http2, &patience, &sink)));
        return;
    }
    struct http1_sink sink = sink1(c);
    settle(c, result1(http1_timeout(c->http1, &sink)));
}

bool codec_idle(const struct codec *c)
{
    return c->kind == CODEC_HTTP1 ? http1_streams(c->http1) == 0 : http2_streams(c->http2) == 0;
}

bool codec_blocked(const struct codec *c, enum session_side side)
{
    return c->kind == CODEC_HTTP1 && http1_blocked(c->http1, side == DOWN ? HTTP1_DOWN : HTTP1_UP);
}

bool codec_may_reuse(const struct codec *c)
{
    const struct session *s = c->session;
    return c->kind == CODEC_HTTP1 && !c->fresh &&
           (c->repeatable || s->runtime->outbound[s->index].config->pool_any);
}

bool codec_reusable(const struct codec *c)
{
    return c->kind == CODEC_HTTP1 && c->held_size == 0 && http1_reusable(c->http1);
}

uint64_t codec_keep_alive(const struct codec *c)
{
    return c->keep_alive;
}

bool codec_alpn_contradicts(const struct codec *c, const char *alpn)
{
    return (alpn && strcmp(alpn, "h2") == 0) != (c->kind == CODEC_HTTP2);
}

uint64_t codec_deadline(const struct codec *c)
{
    if (c->kind == CODEC_HTTP2)
        return deadline2(c);
    const struct patience patience = patience_of(c->session), *config = &patience;
    struct http1_progress p = http1_progress(c->http1);
    /* Chosen by ALPN, and fed nothing yet. */
    if (p.since_ms == 0)
        p.since_ms = c->session->activity;
    switch (p.phase) {
    case HTTP1_IDLE: return config->keepalive_timeout ? p.since_ms + config->keepalive_timeout : 0;
    case HTTP1_HEAD: return config->request_timeout ? p.since_ms + config->request_timeout : 0;
    case HTTP1_BODY: return config->request_timeout ? p.moved_ms + config->request_timeout : 0;
    case HTTP1_WAIT: return config->response_timeout ? p.since_ms + config->response_timeout : 0;
    case HTTP1_RESPONSE: return config->response_timeout ? p.moved_ms + config->response_timeout : 0;
    case HTTP1_TUNNEL:
    case HTTP1_ENDED: break;
    }
    return 0;
}
