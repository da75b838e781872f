/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of open streams: open addressing by id / 2, so that the ids in use, which follow one another,
 * fall into slots that do. */
#include <stdlib.h>

#include "sidecar/http/http2_private.h"

enum {
    SLOTS_MIN = 8,
    SLOTS_KEPT = 16,  /* an empty table of more is freed */
    GRACE_FRAMES = 8, /* frames per closed stream that may still be on their way, without DATA */
    GRACE_FRAMES_MAX = 1 << 14,
};
#define GRACE_BYTES_MAX ((int64_t)1 << 32)

static uint32_t slot_of(const struct http2_conn *c, uint32_t id)
{
    return id >> 1 & (c->nslots - 1);
}

static uint32_t next(const struct http2_conn *c, uint32_t slot)
{
    return (slot + 1) & (c->nslots - 1);
}

struct http2_stream *http2_stream_find(struct http2_conn *c, enum http2_side side, uint32_t id)
{
    if (c->recent[side] && c->recent[side]->id == id)
        return c->recent[side];
    if (!c->nstreams)
        return NULL;
    uint32_t i = slot_of(c, id);
    while (c->slots[i] && c->slots[i]->id != id)
        i = next(c, i);
    if (c->slots[i])
        c->recent[side] = c->slots[i];
    return c->slots[i];
}

static void place(struct http2_conn *c, struct http2_stream *st)
{
    uint32_t home = slot_of(c, st->id), i = home;
    while (c->slots[i])
        i = next(c, i);
    c->slots[i] = st;
    c->ndisplaced += i != home;
}

static bool grow(struct http2_conn *c)
{
    struct http2_stream **old = c->slots;
    uint32_t n = c->nslots, more = n ? n * 2 : SLOTS_MIN;
    if (c->nstreams + 1 <= n / 2)
        return true;
    struct http2_stream **slots = calloc(more, sizeof(*slots));
    if (!slots)
        return false;
    c->slots = slots;
    c->nslots = more;
    c->ndisplaced = 0;
    for (uint32_t i = 0; i < n; i++)
        if (old[i])
            place(c, old[i]);
    free(old);
    return true;
}

struct http2_stream *http2_stream_insert(struct http2_conn *c, const struct http2_stream *st)
{
    struct http2_stream *s = malloc(sizeof(*s));
    if (!s || !grow(c)) {
        free(s);
        return NULL;
    }
    *s = *st;
    s->listed = true;
    place(c, s);
    if (c->nstreams++ == 0) {
        c->calm_ms = c->sink->now_ms;
        c->sweep_ms = 0;
    }
    return s;
}

/* Takes st out and closes the gap, so that a search never meets a hole before its end. As ids follow one
 * another, there is seldom one that is not where it belongs. */
static void take(struct http2_conn *c, const struct http2_stream *st)
{
    uint32_t i = slot_of(c, st->id);
    c->ndisplaced -= c->slots[i] != st;
    while (c->slots[i] != st)
        i = next(c, i);
    c->slots[i] = NULL;
    for (uint32_t j = next(c, i); c->ndisplaced && c->slots[j]; j = next(c, j)) {
        uint32_t home = slot_of(c, c->slots[j]->id);
        if (((j - home) & (c->nslots - 1)) >= ((j - i) & (c->nslots - 1))) {
            c->ndisplaced -= i == home;
            c->slots[i] = c->slots[j];
            c->slots[j] = NULL;
            i = j;
        }
    }
    for (int side = HTTP2_DOWN; side <= HTTP2_UP; side++)
        if (c->recent[side] == st)
            c->recent[side] = NULL;
    if (--c->nstreams == 0 && c->nslots > SLOTS_KEPT) {
        free(c->slots);
        c->slots = NULL;
        c->nslots = 0;
    }
}

/* Frames for this stream may be on their way, at most as much DATA as its window allows. */
static void grace(struct http2_conn *c, const struct http2_stream *st, enum http2_side side)
{
    struct http2_peer *p = &c->peer[side];
    int64_t bytes = st->ended[side] ? 0 : http2_flow_left(c, st, side);
    if (p->grace_frames < GRACE_FRAMES_MAX)
        p->grace_frames += GRACE_FRAMES;
    if (bytes > 0)
        p->grace_bytes = p->grace_bytes + bytes < GRACE_BYTES_MAX ? p->grace_bytes + bytes : GRACE_BYTES_MAX;
}

void http2_stream_finish(struct http2_conn *c, struct http2_stream *st, enum http2_outcome outcome,
                         uint32_t code)
{
    const struct http2_sink *sink = c->sink;
    grace(c, st, HTTP2_DOWN);
    grace(c, st, HTTP2_UP);
    if (sink && sink->calls->end) {
        struct http2_end end = {
            .stream = st->id,
            .outcome = outcome,
            .code = code,
            .status = st->status,
            .grpc_status = st->grpc_status,
            .request_bytes = st->bytes[HTTP2_DOWN],
            .response_bytes = st->bytes[HTTP2_UP],
            .began_ms = st->began_ms,
            .responded_ms = st->responded_ms,
            .user = st->user,
        };
        sink->calls->end(sink->ctx, &end);
    }
    if (st->listed) {
        take(c, st);
        free(st);
    }
}

void http2_stream_ended(struct http2_conn *c, struct http2_stream *st, enum http2_side side)
{
    st->ended[side] = true;
    st->moved_ms = c->sink->now_ms;
    if (st->ended[http2_other(side)])
        http2_stream_finish(c, st, HTTP2_COMPLETE, 0);
}

void http2_reset(struct http2_conn *c, enum http2_side side, uint32_t id, uint32_t code)
{
    uint8_t payload[4];
    http2_put32(payload, code);
    http2_emit_frame(c, side, HTTP2_RST_STREAM, 0, id, payload, sizeof(payload));
}

bool http2_stream_broken(struct http2_conn *c, struct http2_stream *st, enum http2_side side, uint32_t code)
{
    http2_reset(c, side, st->id, code);
    if (side == HTTP2_DOWN) {
        if (st->listed)
            http2_reset(c, HTTP2_UP, st->id, HTTP2_CANCEL);
        http2_stream_finish(c, st, HTTP2_BROKEN_DOWN, code);
        return http2_token(c, side, HTTP2_RATE_RESET) ||
               http2_fail(c, side, HTTP2_ENHANCE_YOUR_CALM, "too many streams broken");
    }
    const struct http2_answer answer = {
        .status = 502,
        .grpc_status = http2_grpc_status(502),
        .message = HTTP_STR("the upstream server broke the HTTP/2 protocol"),
    };
    if (st->responded)
        http2_reset(c, HTTP2_DOWN, st->id, HTTP2_INTERNAL_ERROR);
    else if (!http2_answer(c, st, &answer))
        return false;
    http2_stream_finish(c, st, HTTP2_BROKEN_UP, code);
    return true;
}

void http2_stream_each(struct http2_conn *c, uint32_t above,
                       void (*what)(struct http2_conn *c, struct http2_stream *st, void *arg), void *arg)
{
    /* When one is taken out, others move towards its slot and never past it, so looking at the slot again
     * misses none. */
    for (uint32_t i = 0; c->nstreams && i < c->nslots;) {
        uint32_t before = c->nstreams;
        if (c->slots[i] && c->slots[i]->id > above)
            what(c, c->slots[i], arg);
        if (c->nstreams == before)
            i++;
    }
}
