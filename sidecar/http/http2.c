/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "sidecar/http/http2_private.h"

void http2_limits_default(struct http2_limits *limits)
{
    *limits = (struct http2_limits){
        .header_table_size = HTTP2_TABLE_DEFAULT,
        .header_block_size = 32 * 1024,
        .header_list_size = 64 * 1024,
        .header_fields = 128,
        .continuations = 8,
        .concurrent_streams = 256,
        .frame_size = 65536,
        .resets_per_second = 100,
        .pings_per_second = 200,
        .settings_per_second = 5,
        .empties_per_second = 100,
    };
}

struct http2_conn *http2_conn_new(const struct http2_limits *limits, struct http2_scratch *scratch,
                                  uint64_t now_ms)
{
    struct http2_conn *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->limits = limits;
    c->scratch = scratch;
    c->up_last = c->down_last = HTTP2_STREAM_MAX;
    c->filled_ms = UINT64_MAX;
    c->began_ms = now_ms;
    for (int side = HTTP2_DOWN; side <= HTTP2_UP; side++) {
        struct http2_peer *p = &c->peer[side];
        p->reading = side == HTTP2_DOWN ? HTTP2_READ_PREFACE : HTTP2_READ_HEAD;
        p->frame_accept = p->frame_max = HTTP2_FRAME_MIN;
        p->credit = p->window = HTTP2_WINDOW_DEFAULT;
        p->initial_window = p->initial_acked = p->initial_allowed = HTTP2_WINDOW_DEFAULT;
        /* A smaller table of ours may be exceeded until it is acknowledged. */
        hpack_decoder_init(&p->decoder, limits->header_table_size > HTTP2_TABLE_DEFAULT
                                            ? limits->header_table_size
                                            : HTTP2_TABLE_DEFAULT);
        p->table_min = p->table_size = HTTP2_TABLE_DEFAULT;
    }
    return c;
}

static void abandoned(struct http2_conn *c, struct http2_stream *st, void *arg)
{
    (void)arg;
    http2_stream_finish(c, st, HTTP2_RESET_DOWN, HTTP2_CANCEL);
}

void http2_conn_free(struct http2_conn *c, const struct http2_sink *sink)
{
    if (!c)
        return;
    c->sink = sink;
    http2_stream_each(c, 0, abandoned, NULL);
    for (int side = HTTP2_DOWN; side <= HTTP2_UP; side++) {
        free(c->peer[side].gather);
        free(c->peer[side].block);
        hpack_decoder_clear(&c->peer[side].decoder);
        if (c->peer[side].encoder)
            hpack_encoder_clear(c->peer[side].encoder);
        free(c->peer[side].encoder);
    }
    free(c->slots);
    free(c);
}

/* --- emitting ---------------------------------------------------------------------------------------- */

void http2_flush_run(struct http2_conn *c)
{
    size_t size = c->run_size;
    c->run_size = 0;
    if (size)
        c->sink->calls->emit(c->sink->ctx, c->run_side, c->run, size);
}

void http2_emit(struct http2_conn *c, enum http2_side side, const uint8_t *data, size_t size)
{
    if (!c->peer[side].greeted || (side == HTTP2_UP && c->up_lost)) {
        if (side == HTTP2_UP)
            return;
        http2_greet(c);
    }
    if (c->run_size && c->run_side == side)
        http2_flush_run(c);
    c->sink->calls->emit(c->sink->ctx, side, data, size);
}

void http2_emit_frame(struct http2_conn *c, enum http2_side side, enum http2_type type, unsigned flags,
                      uint32_t stream, const void *payload, size_t size)
{
    uint8_t frame[HTTP2_HEAD_LEN + 512];
    http2_put_head(frame, size, type, flags, stream);
    if (size)
        memcpy(frame + HTTP2_HEAD_LEN, payload, size);
    http2_emit(c, side, frame, HTTP2_HEAD_LEN + size);
}

void http2_goaway(struct http2_conn *c, enum http2_side side, uint32_t last, uint32_t code,
                  const uint8_t *text, size_t size)
{
    uint8_t payload[8 + HTTP2_GOAWAY_TEXT];
    if (side == HTTP2_DOWN) {
        if (last >= c->down_last) {
            last = c->down_last;
            if (code == HTTP2_NO_ERROR && last != HTTP2_STREAM_MAX)
                return; /* it knows */
        }
        c->down_last = last;
    }
    if (size > HTTP2_GOAWAY_TEXT)
        size = HTTP2_GOAWAY_TEXT;
    http2_put32(payload, last);
    http2_put32(payload + 4, code);
    if (size)
        memcpy(payload + 8, text, size);
    http2_emit_frame(c, side, HTTP2_GOAWAY, 0, 0, payload, 8 + size);
}

/* --- the end ----------------------------------------------------------------------------------------- */

struct loss {
    struct http2_answer answer;
    enum http2_outcome before, after; /* outcome of streams without and with a response begun */
};

static void lose(struct http2_conn *c, struct http2_stream *st, void *arg)
{
    const struct loss *loss = arg;
    if (st->ended[HTTP2_UP]) {
        http2_reset(c, HTTP2_DOWN, st->id, HTTP2_NO_ERROR);
        http2_stream_finish(c, st, HTTP2_COMPLETE, 0);
    } else if (!st->responded && http2_answer(c, st, &loss->answer)) {
        http2_stream_finish(c, st, loss->before, 0);
    } else {
        http2_reset(c, HTTP2_DOWN, st->id, HTTP2_INTERNAL_ERROR);
        http2_stream_finish(c, st, loss->after, HTTP2_INTERNAL_ERROR);
    }
}

static void lose_all(struct http2_conn *c, int status, const char *message, enum http2_outcome before,
                     enum http2_outcome after)
{
    struct loss loss = {
        .answer = {.status = status,
                   .grpc_status = http2_grpc_status(status),
                   .message = {message, strlen(message)}},
        .before = before,
        .after = after,
    };
    c->up_lost = true;
    /* First of all, so that who hears its answer makes no next request here. */
    http2_goaway(c, HTTP2_DOWN, c->last_id, HTTP2_NO_ERROR, NULL, 0);
    http2_stream_each(c, 0, lose, &loss);
}

static void die(struct http2_conn *c, enum http2_side side, uint32_t code, const char *text)
{
    c->dead = true;
    c->why = (struct http2_why){side, code, text};
    http2_flush_run(c);
}

static void broken_down(struct http2_conn *c, struct http2_stream *st, void *arg)
{
    http2_stream_finish(c, st, HTTP2_BROKEN_DOWN, *(const uint32_t *)arg);
}

bool http2_fail(struct http2_conn *c, enum http2_side side, uint32_t code, const char *text)
{
    if (c->dead)
        return false;
    die(c, side, code, text);
    if (side == HTTP2_UP) {
        http2_goaway(c, HTTP2_UP, 0, code, (const uint8_t *)text, strlen(text));
        lose_all(c, 502,
                 code == HTTP2_INTERNAL_ERROR ? "out of memory"
                                              : "the upstream server broke the HTTP/2 protocol",
                 HTTP2_BROKEN_UP, HTTP2_BROKEN_UP);
        return false;
    }
    /* A GOAWAY means nothing to who does not speak HTTP/2. */
    if (c->peer[HTTP2_DOWN].reading != HTTP2_READ_PREFACE)
        http2_goaway(c, HTTP2_DOWN, c->last_id, code, (const uint8_t *)text, strlen(text));
    http2_goaway(c, HTTP2_UP, 0, HTTP2_NO_ERROR, NULL, 0);
    http2_stream_each(c, 0, broken_down, &code);
    return false;
}

/* --- calls ------------------------------------------------------------------------------------------- */

void http2_enter(struct http2_conn *c, const struct http2_sink *sink)
{
    c->sink = sink;
    http2_tokens_fill(c);
    http2_linger_age(c);
}

enum http2_result http2_leave(struct http2_conn *c)
{
    if (!c->dead) {
        http2_flush_run(c);
        http2_flow_settle(c);
        if (c->lost_status && c->last_id)
            http2_drain_final(c);
        bool final = c->refusing || c->peer[HTTP2_DOWN].gone_away || c->up_last < HTTP2_STREAM_MAX;
        if (final && c->nstreams == 0 && !c->done) {
            c->done = true;
            if (!c->peer[HTTP2_DOWN].gone_away)
                http2_goaway(c, HTTP2_UP, 0, HTTP2_NO_ERROR, NULL, 0);
        }
    }
    c->sink = NULL;
    return c->dead ? HTTP2_CLOSE : HTTP2_MORE;
}

enum http2_result http2_feed(struct http2_conn *c, enum http2_side side, const uint8_t *data, size_t size,
                             const struct http2_sink *sink)
{
    if (c->dead)
        return HTTP2_CLOSE;
    http2_enter(c, sink);
    if (http2_read(c, side, data, size))
        http2_note_partial(c, side);
    return http2_leave(c);
}

enum http2_result http2_eof(struct http2_conn *c, enum http2_side side, const struct http2_sink *sink)
{
    if (side == HTTP2_UP)
        return http2_service_lost(c, 502, "the upstream server closed the connection", sink);
    if (c->dead)
        return HTTP2_CLOSE;
    http2_enter(c, sink);
    die(c, HTTP2_DOWN, HTTP2_NO_ERROR, "the client closed the connection");
    http2_goaway(c, HTTP2_UP, 0, HTTP2_NO_ERROR, NULL, 0);
    http2_stream_each(c, 0, abandoned, NULL);
    return http2_leave(c);
}

enum http2_result http2_service_lost(struct http2_conn *c, int status, const char *message,
                                     const struct http2_sink *sink)
{
    if (c->dead)
        return HTTP2_CLOSE;
    http2_enter(c, sink);
    if (c->last_id == 0 && !c->refusing && !c->peer[HTTP2_DOWN].gone_away) {
        /* Its preface alone has set the dial going. A GOAWAY would tell it nothing of why. */
        c->up_lost = true;
        c->peer[HTTP2_UP].credit = 0;
        c->lost_status = status;
        c->lost_ms = sink->now_ms;
        c->lost_message = message;
        http2_own_settings(c);
        return http2_leave(c);
    }
    die(c, HTTP2_UP, HTTP2_NO_ERROR, "the upstream server is gone");
    lose_all(c, status, message, HTTP2_ANSWERED, HTTP2_RESET_UP);
    return http2_leave(c);
}

void http2_drain(struct http2_conn *c, bool now, const struct http2_sink *sink)
{
    if (c->dead)
        return;
    http2_enter(c, sink);
    if (now || c->draining)
        http2_drain_final(c);
    else
        http2_drain_ping(c);
    c->draining = true;
    (void)http2_leave(c);
}

enum http2_state http2_state(const struct http2_conn *c)
{
    if (c->dead || c->done)
        return HTTP2_DONE;
    if (c->draining || c->peer[HTTP2_DOWN].gone_away || c->peer[HTTP2_UP].gone_away)
        return HTTP2_DRAINING;
    return HTTP2_OPEN;
}

size_t http2_streams(const struct http2_conn *c)
{
    return c->nstreams;
}

struct http2_why http2_why(const struct http2_conn *c)
{
    return c->why;
}
