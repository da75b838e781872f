/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/http/http1_private.h"

#include <stdlib.h>
#include <string.h>

void http1_limits_default(struct http1_limits *limits)
{
    *limits = (struct http1_limits){.head_size = 64 * 1024,
                                    .fields = 128,
                                    .target_size = 16 * 1024,
                                    .trailer_size = 8 * 1024,
                                    .chunk_line = 256,
                                    .store = 1024 * 1024,
                                    .discard = 64 * 1024};
}

struct http1_scratch *http1_scratch_new(const struct http1_limits *limits)
{
    struct http1_scratch *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->limits = limits;
    s->fields = calloc(limits->fields, sizeof(*s->fields));
    s->names = malloc(limits->head_size > limits->trailer_size ? limits->head_size : limits->trailer_size);
    if (!s->fields || !s->names) {
        http1_scratch_free(s);
        return NULL;
    }
    return s;
}

void http1_scratch_free(struct http1_scratch *s)
{
    if (!s)
        return;
    free(s->fields);
    free(s->names);
    free(s);
}

struct http1_conn *http1_conn_new(const struct http1_limits *limits, struct http1_scratch *scratch)
{
    struct http1_conn *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->limits = limits;
    c->scratch = scratch;
    c->in[HTTP1_UP].reading = HTTP1_AT_DONE;
    c->why = "";
    c->service_ok = true;
    return c;
}

static void store_free(struct http1_conn *c)
{
    free(c->store);
    c->store = NULL;
    c->store_n = c->store_off = 0;
}

void http1_conn_free(struct http1_conn *c, const struct http1_sink *sink)
{
    if (!c)
        return;
    if (c->open && sink)
        http1_request_end(c, HTTP1_LOST_DOWN, "the connection ended", sink);
    http1_finish(c, HTTP1_CLOSE);
    free(c);
}

void http1_finish(struct http1_conn *c, enum http1_result result)
{
    c->result = (uint8_t)result;
    http1_part_free(&c->in[HTTP1_DOWN].part);
    http1_part_free(&c->in[HTTP1_UP].part);
    store_free(c);
}

/* The open request ends, and the connection with it. */
static void cut(struct http1_conn *c, enum http1_outcome outcome, enum http1_result result, const char *why,
                const struct http1_sink *sink)
{
    c->why = why;
    c->why_side = outcome == HTTP1_LOST_UP || outcome == HTTP1_BROKEN_UP ? HTTP1_UP : HTTP1_DOWN;
    c->why_status = c->status;
    http1_request_end(c, outcome, why, sink);
    http1_finish(c, result);
}

static size_t tunnel(struct http1_conn *c, enum http1_side side, const char *data, size_t size,
                     const struct http1_sink *sink)
{
    c->in[side].total += size;
    http1_emit(sink, side == HTTP1_DOWN ? HTTP1_UP : HTTP1_DOWN, data, size);
    return size;
}

/* Body bytes of the open request. */
static size_t request_body(struct http1_conn *c, const char *data, size_t size, const struct http1_sink *sink)
{
    struct http1_in *in = &c->in[HTTP1_DOWN];
    struct http1_fault fault = {0};
    size_t used = http1_body(c, HTTP1_DOWN, data, size, sink, &fault);
    if (fault.status)
        http1_refuse(c, HTTP1_BROKEN_DOWN, fault.status, fault.why, sink);
    else if (in->reading == HTTP1_AT_DONE)
        http1_request_done(c, sink);
    else if (c->answered && in->total > c->limits->discard)
        cut(c, HTTP1_ANSWERED, HTTP1_CLOSE, "", sink);
    return used;
}

/* Bytes from the client, as many as can be made use of now. */
static size_t down(struct http1_conn *c, const char *data, size_t size, const struct http1_sink *sink)
{
    size_t used = 0;
    while (used < size && c->result == HTTP1_MORE) {
        if (c->tunnel)
            used += tunnel(c, HTTP1_DOWN, data + used, size - used, sink);
        else if (!c->open)
            used += http1_request_bytes(c, data + used, size - used, sink);
        else if (c->in[HTTP1_DOWN].reading == HTTP1_AT_DONE)
            break;
        else
            used += request_body(c, data + used, size - used, sink);
    }
    return used;
}

/* Bytes from the service that answer no request: whatever they are, they must not answer the next one. */
static void stray(struct http1_conn *c, const struct http1_sink *sink)
{
    static const char why[] = "the upstream server sent what answers no request";
    if (c->open && !c->answered) { /* its response is complete, the request is not */
        cut(c, HTTP1_BROKEN_UP, HTTP1_CLOSE, why, sink);
        return;
    }
    if (sink->calls->service_done) {
        c->service_gone = true;
        c->service_ok = false;
        sink->calls->service_done(sink->ctx);
        return;
    }
    c->why = why;
    c->why_side = HTTP1_UP;
    if (c->open)
        cut(c, HTTP1_ANSWERED, HTTP1_CLOSE, why, sink);
    else
        http1_finish(c, HTTP1_CLOSE);
}

static void up(struct http1_conn *c, const char *data, size_t size, const struct http1_sink *sink)
{
    struct http1_in *in = &c->in[HTTP1_UP];
    for (size_t used = 0; used < size && c->result == HTTP1_MORE && !c->service_gone;) {
        if (c->tunnel) {
            used += tunnel(c, HTTP1_UP, data + used, size - used, sink);
        } else if (!c->open || c->response_done) {
            stray(c, sink);
            return;
        } else if (in->reading == HTTP1_AT_HEAD) {
            used += http1_response_bytes(c, data + used, size - used, sink);
        } else {
            struct http1_fault fault = {0};
            used += http1_body(c, HTTP1_UP, data + used, size - used, sink, &fault);
            if (fault.status)
                http1_refuse(c, HTTP1_BROKEN_UP, 502, fault.why, sink);
            else if (in->reading == HTTP1_AT_DONE)
                http1_response_done(c, sink);
        }
        if (c->result != HTTP1_MORE && used < size)
            c->service_ok = false; /* what is left answers nobody */
    }
}

static bool store(struct http1_conn *c, const char *data, size_t size)
{
    size_t have = c->store_n - c->store_off;
    if (have + size > c->limits->store)
        return false;
    if (c->store_off) {
        memmove(c->store, c->store + c->store_off, have);
        c->store_off = 0;
        c->store_n = have;
    }
    char *p = realloc(c->store, have + size);
    if (!p)
        return false;
    memcpy(p + have, data, size);
    c->store = p;
    c->store_n = have + size;
    return true;
}

static enum http1_phase phase(const struct http1_conn *c)
{
    uint8_t down_at = c->in[HTTP1_DOWN].reading;
    if (c->result != HTTP1_MORE)
        return HTTP1_ENDED;
    if (c->tunnel)
        return HTTP1_TUNNEL;
    if (!c->open)
        return down_at == HTTP1_AT_START ? HTTP1_IDLE : HTTP1_HEAD;
    if (c->response_begun && !c->response_done)
        return HTTP1_RESPONSE;
    return down_at == HTTP1_AT_DONE ? HTTP1_WAIT : HTTP1_BODY;
}

/* The end of every call: reads on in what waited, sees to the client's end, keeps time. */
static enum http1_result settle(struct http1_conn *c, const struct http1_sink *sink)
{
    while (c->result == HTTP1_MORE && c->store) {
        size_t used = down(c, c->store + c->store_off, c->store_n - c->store_off, sink);
        if (c->result != HTTP1_MORE || !used)
            break;
        c->store_off += used;
        if (c->store_off == c->store_n)
            store_free(c);
    }
    if (c->result == HTTP1_MORE && c->eof[HTTP1_DOWN] && !c->tunnel && !c->store) {
        if (!c->open)
            http1_finish(c, HTTP1_CLOSE);
        else if (c->in[HTTP1_DOWN].reading != HTTP1_AT_DONE)
            cut(c, c->answered ? HTTP1_ANSWERED : HTTP1_LOST_DOWN, HTTP1_CLOSE,
                "the client ended in mid-request", sink);
    }
    enum http1_phase now = phase(c);
    if (now != c->phase || c->number != c->phase_number) {
        c->phase = (uint8_t)now;
        c->phase_number = c->number;
        c->since_ms = sink->now_ms;
    }
    return (enum http1_result)c->result;
}

enum http1_result http1_feed(struct http1_conn *c, enum http1_side side, const uint8_t *bytes, size_t size,
                             const struct http1_sink *sink)
{
    const char *data = (const char *)bytes;
    if (c->result != HTTP1_MORE || !size)
        return (enum http1_result)c->result;
    c->moved_ms = sink->now_ms;
    if (side == HTTP1_UP) {
        up(c, data, size, sink);
        return settle(c, sink);
    }
    size_t used = c->store ? 0 : down(c, data, size, sink);
    if (c->result == HTTP1_MORE && used < size && !store(c, data + used, size - used))
        http1_refuse(c, HTTP1_BROKEN_DOWN, 413, "too much was sent ahead", sink);
    return settle(c, sink);
}

bool http1_blocked(const struct http1_conn *c, enum http1_side side)
{
    return side == HTTP1_DOWN && c->store;
}

/* The service's transport ended; how does not matter if nobody waits for a response. True if that settles it.
 */
static bool service_ended(struct http1_conn *c, const struct http1_sink *sink)
{
    c->service_gone = true;
    c->service_ok = false;
    if (c->open && !c->answered) {
        if (!c->response_done)
            return false;
        cut(c, HTTP1_LOST_UP, HTTP1_CLOSE, "the upstream server did not wait for the whole request", sink);
    } else if (!sink->calls->service_done) {
        c->last = true;
        if (!c->open)
            http1_finish(c, HTTP1_CLOSE);
    }
    return true;
}

enum http1_result http1_eof(struct http1_conn *c, enum http1_side side, const struct http1_sink *sink)
{
    if (c->result != HTTP1_MORE)
        return (enum http1_result)c->result;
    c->eof[side] = true;
    if (c->tunnel) {
        if (c->eof[HTTP1_DOWN] && c->eof[HTTP1_UP]) {
            http1_request_end(c, HTTP1_COMPLETE, "", sink);
            http1_finish(c, HTTP1_CLOSE);
        }
        return settle(c, sink);
    }
    if (side == HTTP1_DOWN)
        return settle(c, sink);
    c->eof[HTTP1_UP] = false; /* the next transport's is another matter */
    if (service_ended(c, sink))
        return settle(c, sink);
    if (c->in[HTTP1_UP].reading == HTTP1_AT_EOF) {
        http1_body_end(c, HTTP1_DOWN, sink);
        c->in[HTTP1_UP].reading = HTTP1_AT_DONE;
        http1_response_done(c, sink);
        return settle(c, sink);
    }
    return http1_service_lost(c, 502, "the upstream server closed the connection before it responded\n",
                              sink);
}

enum http1_result http1_service_lost(struct http1_conn *c, int status, const char *message,
                                     const struct http1_sink *sink)
{
    if (c->result != HTTP1_MORE || service_ended(c, sink))
        return settle(c, sink);
    if (c->response_begun) {
        cut(c, HTTP1_LOST_UP, HTTP1_ABORT, "the upstream server went away in mid-response", sink);
        return settle(c, sink);
    }
    const char *why =
        status == 504 ? "the upstream server did not respond in time" : "the upstream server was lost";
    struct http1_verdict verdict = {.status = status, .message = {message, strlen(message)}};
    c->last =
        c->closing || c->draining || c->in[HTTP1_DOWN].reading != HTTP1_AT_DONE || !sink->calls->service_done;
    if (sink->calls->answer)
        sink->calls->answer(sink->ctx, c->user, &verdict);
    http1_write_answer(c, &verdict, sink);
    c->responded_ms = sink->now_ms;
    http1_request_end(c, HTTP1_ANSWERED, why, sink);
    if (c->last) {
        c->why = why;
        c->why_side = HTTP1_UP;
        c->why_status = (uint16_t)status;
        http1_finish(c, HTTP1_CLOSE);
    }
    return settle(c, sink);
}

struct http1_progress http1_progress(const struct http1_conn *c)
{
    return (struct http1_progress){phase(c), c->since_ms, c->moved_ms};
}

static void too_slow(struct http1_conn *c, const char *why, const struct http1_sink *sink)
{
    if (c->response_begun) {
        cut(c, c->answered ? HTTP1_ANSWERED : HTTP1_LOST_DOWN, HTTP1_CLOSE, why, sink);
        return;
    }
    if (!c->open) {
        c->number++;
        c->began_ms = sink->now_ms;
    }
    http1_refuse(c, HTTP1_ANSWERED, 408, why, sink);
}

enum http1_result http1_timeout(struct http1_conn *c, const struct http1_sink *sink)
{
    switch (phase(c)) {
    case HTTP1_IDLE: http1_finish(c, HTTP1_CLOSE); break;
    case HTTP1_HEAD: too_slow(c, "the request's head took too long", sink); break;
    case HTTP1_BODY: too_slow(c, "the request's body took too long", sink); break;
    case HTTP1_WAIT:
        if (sink->calls->service_done) /* a response that comes later must not answer the next request */
            sink->calls->service_done(sink->ctx);
        return http1_service_lost(c, 504, "the upstream server did not respond in time\n", sink);
    case HTTP1_RESPONSE: cut(c, HTTP1_LOST_UP, HTTP1_ABORT, "the response took too long", sink); break;
    case HTTP1_TUNNEL: cut(c, HTTP1_COMPLETE, HTTP1_ABORT, "the tunnel was idle for too long", sink); break;
    case HTTP1_ENDED: break;
    }
    return settle(c, sink);
}

void http1_drain(struct http1_conn *c, bool now)
{
    c->draining = true;
    c->drain_now |= now;
}

enum http1_state http1_state(const struct http1_conn *c)
{
    if (c->result != HTTP1_MORE)
        return HTTP1_DONE;
    bool quiet = !c->open && c->in[HTTP1_DOWN].reading == HTTP1_AT_START;
    if (c->draining && (quiet || (c->drain_now && (!c->open || c->tunnel))))
        return HTTP1_DONE;
    return c->draining || (c->open && c->last) ? HTTP1_DRAINING : HTTP1_OPEN;
}

size_t http1_streams(const struct http1_conn *c)
{
    return c->open;
}

bool http1_replayable(const struct http1_conn *c)
{
    const struct http1_in *in = &c->in[HTTP1_UP];
    return c->open && !c->answered && c->idempotent && !c->interims && !c->websocket &&
           c->in[HTTP1_DOWN].reading == HTTP1_AT_DONE && in->reading == HTTP1_AT_HEAD && !in->part.n;
}

bool http1_reusable(const struct http1_conn *c)
{
    return !c->open && c->service_ok && !c->service_gone;
}

struct http1_why http1_why(const struct http1_conn *c)
{
    return (struct http1_why){(enum http1_side)c->why_side, c->why_status, c->why};
}
