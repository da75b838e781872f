/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DATA and the windows (RFC 9113, 5.2, 6.1, 6.9).
 *
 * Stream windows are those of the two ends: a WINDOW_UPDATE on a stream goes through. Connection windows are
 * kept on both sides: `window` is what R may be sent, `credit` what S may send. What R grants is passed on to
 * S; what S sent and R never got (padding, DATA on closed streams) is given back to S. Both are one rule:
 * whatever window exceeds credit is due to S, but for the part of a frame that is still on its way in, and
 * but for a reserve towards the client, from which bodies of our own are paid. The reserve is given up when
 * the service runs short, so that it can never keep the two ends waiting for each other.
 */
#include "sidecar/http/http2_private.h"

enum {
    RESERVE_MIN = 4096,
    RESERVE_MAX = 1024 * 1024,
    RESERVE_SHIFT = 4, /* a sixteenth of the client's window */
    SHORT = 16384,     /* credit below which the reserve is given up */
};

int64_t http2_flow_left(const struct http2_conn *c, const struct http2_stream *st, enum http2_side side)
{
    return c->peer[http2_other(side)].initial_allowed + st->relative[side];
}

/* Window towards R that S's credit does not cover. */
static int64_t spare(const struct http2_conn *c, enum http2_side side)
{
    const struct http2_peer *s = &c->peer[side];
    int64_t coming = 0;
    if (s->reading == HTTP2_READ_PAD)
        coming = s->frame.length;
    else if (s->reading == HTTP2_READ_DATA && s->deliver)
        coming = s->data;
    return c->peer[http2_other(side)].window - s->credit - coming;
}

void http2_grant(struct http2_conn *c, enum http2_side side, uint32_t stream, uint32_t size)
{
    uint8_t payload[4];
    http2_put32(payload, size);
    http2_emit_frame(c, side, HTTP2_WINDOW_UPDATE, 0, stream, payload, sizeof(payload));
}

void http2_flow_settle(struct http2_conn *c)
{
    for (int side = HTTP2_DOWN; side <= HTTP2_UP; side++) {
        struct http2_peer *s = &c->peer[side];
        int64_t due = spare(c, side);
        if (side == HTTP2_UP && s->credit >= SHORT)
            due -= c->reserve;
        if (due <= 0 || !s->greeted || (side == HTTP2_UP && c->up_lost))
            continue;
        s->credit += due;
        http2_grant(c, side, 0, (uint32_t)due);
    }
}

bool http2_flow_borrow(struct http2_conn *c, struct http2_stream *st, size_t size)
{
    struct http2_peer *down = &c->peer[HTTP2_DOWN];
    int64_t have = c->up_lost ? down->window : spare(c, HTTP2_UP);
    int64_t on_stream = down->initial_window + st->relative[HTTP2_UP];
    if (size > HTTP2_FRAME_MIN || (int64_t)size > have || (int64_t)size > on_stream)
        return false;
    down->window -= (int64_t)size;
    st->relative[HTTP2_UP] -= (int64_t)size;
    st->bytes[HTTP2_UP] += size;
    return true;
}

bool http2_data_head(struct http2_conn *c, enum http2_side side)
{
    struct http2_peer *s = &c->peer[side];
    const struct http2_frame *f = &s->frame;
    s->deliver = false;
    s->credit -= f->length;
    if (s->credit < 0)
        return http2_fail(c, side, HTTP2_FLOW_CONTROL_ERROR, "DATA beyond the connection's window");
    if (!(f->flags & HTTP2_FLAG_PADDED))
        return http2_data_begin(c, side, 0);
    if (f->length == 0)
        return http2_fail(c, side, HTTP2_FRAME_SIZE_ERROR, "padded DATA without a pad length");
    s->reading = HTTP2_READ_PAD;
    return true;
}

/* Accounts for size bytes that have been passed on. */
static void passed(struct http2_conn *c, struct http2_stream *st, enum http2_side side, uint32_t size)
{
    c->peer[side].data -= size;
    c->peer[http2_other(side)].window -= size;
    st->relative[side] -= size;
    st->bytes[side] += size;
    st->moved_ms = c->sink->now_ms;
    http2_tokens_earn(c);
}

static bool on_closed(struct http2_conn *c, enum http2_side side, uint32_t length, bool ends)
{
    struct http2_peer *s = &c->peer[side];
    if (side == HTTP2_DOWN)
        http2_linger_frame(c, s->frame.stream, length, ends);
    if (length && s->grace_bytes >= length) {
        s->grace_bytes -= length;
        return true;
    }
    return http2_stray(c, side);
}

bool http2_data_begin(struct http2_conn *c, enum http2_side side, uint32_t padding)
{
    struct http2_peer *s = &c->peer[side];
    const struct http2_frame *f = &s->frame;
    bool ends = f->flags & HTTP2_FLAG_END_STREAM;
    s->reading = s->left ? HTTP2_READ_DATA : HTTP2_READ_HEAD;
    if (padding > f->length)
        return http2_fail(c, side, HTTP2_PROTOCOL_ERROR, "DATA with more padding than payload");
    s->data = f->length - padding;

    struct http2_stream *st = http2_stream_find(c, side, f->stream);
    if (!st)
        return on_closed(c, side, f->length, ends);
    if (st->ended[side])
        return http2_stream_broken(c, st, side, HTTP2_STREAM_CLOSED);
    if (http2_flow_left(c, st, side) < f->length)
        return http2_stream_broken(c, st, side, HTTP2_FLOW_CONTROL_ERROR);
    if (side == HTTP2_UP && !st->responded)
        return http2_stream_broken(c, st, side, HTTP2_PROTOCOL_ERROR);
    if (st->expect[side] >= 0) { /* RFC 9113, 8.1.1 */
        uint64_t total = st->bytes[side] + s->data, expect = (uint64_t)st->expect[side];
        if (total > expect || (ends && total < expect))
            return http2_stream_broken(c, st, side, HTTP2_PROTOCOL_ERROR);
    }
    if (padding && !ends)
        http2_grant(c, side, f->stream, padding);
    if (s->data) {
        s->deliver = true;
    } else if (ends) {
        http2_emit_frame(c, http2_other(side), HTTP2_DATA, HTTP2_FLAG_END_STREAM, f->stream, NULL, 0);
        http2_stream_ended(c, st, side);
    } else if (!http2_token(c, side, HTTP2_RATE_EMPTY)) {
        return http2_fail(c, side, HTTP2_ENHANCE_YOUR_CALM, "too many empty DATA frames");
    }
    return true;
}

bool http2_data_part(struct http2_conn *c, enum http2_side side, const uint8_t *p, size_t size, size_t *used)
{
    struct http2_peer *s = &c->peer[side];
    const struct http2_frame *f = &s->frame;
    uint32_t most = c->peer[http2_other(side)].frame_max;
    struct http2_stream *st = s->deliver ? http2_stream_find(c, side, f->stream) : NULL;
    *used = size < s->left ? size : s->left;
    if (!st)
        s->deliver = false; /* reset since its last part */
    size_t rest = s->deliver ? (*used < s->data ? *used : s->data) : 0;
    while (rest) {
        uint32_t n = rest < most ? (uint32_t)rest : most;
        uint8_t head[HTTP2_HEAD_LEN];
        bool ends = n == s->data && f->flags & HTTP2_FLAG_END_STREAM;
        http2_put_head(head, n, HTTP2_DATA, ends ? HTTP2_FLAG_END_STREAM : 0, f->stream);
        http2_emit(c, http2_other(side), head, sizeof(head));
        http2_emit(c, http2_other(side), p, n);
        passed(c, st, side, n);
        p += n;
        rest -= n;
        if (ends)
            http2_stream_ended(c, st, side);
    }
    if (s->data == 0)
        s->deliver = false;
    s->left -= (uint32_t)*used;
    if (!s->left)
        s->reading = HTTP2_READ_HEAD;
    return true;
}

bool http2_data_run(struct http2_conn *c, enum http2_side side, const uint8_t *p)
{
    struct http2_peer *s = &c->peer[side];
    size_t size = HTTP2_HEAD_LEN + s->frame.length;
    struct http2_stream *st = http2_stream_find(c, side, s->frame.stream);
    if (c->run_size && c->run + c->run_size != p)
        http2_flush_run(c);
    if (!c->run_size) {
        c->run = p;
        c->run_side = http2_other(side);
    }
    c->run_size += size;
    s->left = 0;
    s->reading = HTTP2_READ_HEAD;
    passed(c, st, side, s->frame.length);
    if (s->frame.flags & HTTP2_FLAG_END_STREAM)
        http2_stream_ended(c, st, side);
    return true;
}

bool http2_window_update(struct http2_conn *c, enum http2_side side, const uint8_t *p)
{
    struct http2_peer *r = &c->peer[side];
    enum http2_side sender = http2_other(side);
    uint32_t id = r->frame.stream, size = http2_get32(p) & HTTP2_WINDOW_MAX;
    if (!http2_token(c, side, HTTP2_RATE_PING))
        return http2_fail(c, side, HTTP2_ENHANCE_YOUR_CALM, "too many WINDOW_UPDATE frames");
    if (id == 0) {
        if (size == 0)
            return http2_fail(c, side, HTTP2_PROTOCOL_ERROR, "WINDOW_UPDATE of nothing");
        if (r->window + size > HTTP2_WINDOW_MAX)
            return http2_fail(c, side, HTTP2_FLOW_CONTROL_ERROR, "the connection's window overflows");
        if (r->window <= 0)
            r->opened_ms = c->sink->now_ms;
        r->window += size;
        if (side == HTTP2_DOWN) {
            int64_t reserve = r->window >> RESERVE_SHIFT;
            reserve = reserve < RESERVE_MIN ? RESERVE_MIN : reserve > RESERVE_MAX ? RESERVE_MAX : reserve;
            if (reserve > c->reserve)
                c->reserve = reserve;
        }
        return true;
    }
    struct http2_stream *st = http2_stream_find(c, side, id);
    if (!st)
        return http2_stray(c, side);
    if (size == 0)
        return http2_stream_broken(c, st, side, HTTP2_PROTOCOL_ERROR);
    if (r->initial_window + st->relative[sender] + size > HTTP2_WINDOW_MAX)
        return http2_stream_broken(c, st, side, HTTP2_FLOW_CONTROL_ERROR);
    st->relative[sender] += size;
    st->moved_ms = c->sink->now_ms;
    if (!st->ended[sender])
        http2_grant(c, sender, id, size);
    return true;
}
