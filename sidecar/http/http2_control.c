/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SETTINGS, PING, GOAWAY, RST_STREAM, PRIORITY and unknown frames.
 *
 * Every SETTINGS of S becomes one SETTINGS to R, and R's ACK becomes S's: only then may S rely on R going by
 * a smaller window or frame. What concerns one hop only is replaced by ours (table size, push) or capped.
 */
#include <string.h>

#include "sidecar/http/http2_private.h"

static const uint8_t drain_payload[8] = {'o', 'u', 't', 'r', 'i', 'd', 'e', 'r'};

/* --- SETTINGS ---------------------------------------------------------------------------------------- */

/* What one SETTINGS frame says; seen has a bit per enum http2_setting. */
struct stated {
    unsigned seen;
    uint32_t value[HTTP2_SET_MAX_HEADER_LIST_SIZE + 1]; /* the last of each */
    uint32_t table_min;
};

struct settings_out {
    uint8_t payload[6 * 6];
    size_t size;
};

static void put(struct settings_out *out, enum http2_setting id, uint32_t value)
{
    uint8_t *p = out->payload + out->size;
    p[0] = 0;
    p[1] = (uint8_t)id;
    http2_put32(p + 2, value);
    out->size += 6;
}

static bool has(const struct stated *s, enum http2_setting id)
{
    return s->seen >> id & 1;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Our part of the first SETTINGS to a side. */
static void put_own(struct http2_conn *c, enum http2_side to, struct settings_out *out)
{
    if (c->limits->header_table_size != HTTP2_TABLE_DEFAULT)
        put(out, HTTP2_SET_HEADER_TABLE_SIZE, c->limits->header_table_size);
    if (to == HTTP2_UP)
        put(out, HTTP2_SET_ENABLE_PUSH, 0);
}

static void send_settings(struct http2_conn *c, enum http2_side to, const struct settings_out *out,
                          struct http2_unacked unacked)
{
    struct http2_peer *r = &c->peer[to];
    bool preface = to == HTTP2_UP && !r->greeted;
    r->greeted = true;
    unacked.since_ms = c->sink->now_ms;
    r->unacked[r->nunacked++] = unacked;
    if (preface)
        http2_emit(c, to, (const uint8_t *)HTTP2_PREFACE, HTTP2_PREFACE_LEN);
    http2_emit_frame(c, to, HTTP2_SETTINGS, 0, 0, out->payload, out->size);
}

void http2_greet(struct http2_conn *c)
{
    struct settings_out out = {.size = 0};
    put_own(c, HTTP2_DOWN, &out);
    put(&out, HTTP2_SET_MAX_CONCURRENT_STREAMS, c->limits->concurrent_streams);
    put(&out, HTTP2_SET_MAX_HEADER_LIST_SIZE, c->limits->header_list_size);
    send_settings(c, HTTP2_DOWN, &out, (struct http2_unacked){.own = true});
}

static bool parse(struct http2_conn *c, enum http2_side side, const uint8_t *p, uint32_t size,
                  struct stated *s)
{
    *s = (struct stated){.table_min = UINT32_MAX};
    for (const uint8_t *end = p + size; p < end; p += 6) {
        unsigned id = (unsigned)p[0] << 8 | p[1];
        uint32_t value = http2_get32(p + 2);
        if (id == 0 || id > HTTP2_SET_MAX_HEADER_LIST_SIZE)
            continue; /* ours to ignore, and not to be promised for the other side */
        if (id == HTTP2_SET_ENABLE_PUSH && value > (side == HTTP2_DOWN))
            return http2_fail(c, side, HTTP2_PROTOCOL_ERROR, "ENABLE_PUSH of a wrong value");
        if (id == HTTP2_SET_INITIAL_WINDOW_SIZE && value > HTTP2_WINDOW_MAX)
            return http2_fail(c, side, HTTP2_FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE too large");
        if (id == HTTP2_SET_MAX_FRAME_SIZE && (value < HTTP2_FRAME_MIN || value > 0xffffff))
            return http2_fail(c, side, HTTP2_PROTOCOL_ERROR, "MAX_FRAME_SIZE out of range");
        if (id == HTTP2_SET_HEADER_TABLE_SIZE)
            s->table_min = least(s->table_min, value);
        s->seen |= 1u << id;
        s->value[id] = value;
    }
    return true;
}

/* The other side may go by the smaller windows of SETTINGS only once it has acknowledged them. */
static void allow(struct http2_conn *c, enum http2_side side)
{
    struct http2_peer *r = &c->peer[side], *s = &c->peer[http2_other(side)];
    uint32_t most = r->initial_acked;
    for (unsigned i = 0; i < s->nunacked; i++)
        if (!s->unacked[i].own && s->unacked[i].initial_window > most)
            most = s->unacked[i].initial_window;
    r->initial_allowed = most;
}

struct raise {
    enum http2_side side;
    bool overflow;
};

static void raised(struct http2_conn *c, struct http2_stream *st, void *arg)
{
    struct raise *r = arg;
    int64_t now = c->peer[r->side].initial_window + st->relative[http2_other(r->side)];
    if (now > HTTP2_WINDOW_MAX)
        r->overflow = true;
}

static bool acknowledged(struct http2_conn *c, enum http2_side side)
{
    struct http2_peer *s = &c->peer[side], *r = &c->peer[http2_other(side)];
    if (s->nunacked == 0)
        return http2_fail(c, side, HTTP2_PROTOCOL_ERROR, "SETTINGS ACK for nothing");
    struct http2_unacked first = s->unacked[0];
    memmove(s->unacked, s->unacked + 1, --s->nunacked * sizeof(s->unacked[0]));
    if (!s->table_acked)
        http2_decode_limit(c, side);
    if (first.own)
        return true;
    http2_emit_frame(c, http2_other(side), HTTP2_SETTINGS, HTTP2_FLAG_ACK, 0, NULL, 0);
    r->initial_acked = first.initial_window;
    allow(c, http2_other(side));
    if (first.table)
        http2_encode_limit(c, http2_other(side), first.table_min, first.table_size);
    return true;
}

void http2_own_settings(struct http2_conn *c)
{
    struct http2_peer *up = &c->peer[HTTP2_UP];
    if (!c->peer[HTTP2_DOWN].greeted)
        http2_greet(c);
    for (unsigned i = 0; i < up->nunacked; i++) {
        const struct http2_unacked *u = &up->unacked[i];
        http2_emit_frame(c, HTTP2_DOWN, HTTP2_SETTINGS, HTTP2_FLAG_ACK, 0, NULL, 0);
        if (u->table)
            http2_encode_limit(c, HTTP2_DOWN, u->table_min, u->table_size);
    }
    up->nunacked = 0;
}

/* What side said, for the other; own: with our part, as it is the first that the other hears. */
static void put_stated(struct http2_conn *c, enum http2_side side, const struct stated *said, bool own,
                       struct settings_out *out)
{
    struct http2_peer *s = &c->peer[side], *r = &c->peer[http2_other(side)];
    uint32_t list = c->limits->header_list_size, streams = c->limits->concurrent_streams;
    if (own)
        put_own(c, http2_other(side), out);
    if (side == HTTP2_UP && has(said, HTTP2_SET_MAX_CONCURRENT_STREAMS))
        put(out, HTTP2_SET_MAX_CONCURRENT_STREAMS,
            least(streams, said->value[HTTP2_SET_MAX_CONCURRENT_STREAMS]));
    else if (side == HTTP2_UP && own)
        put(out, HTTP2_SET_MAX_CONCURRENT_STREAMS, streams);
    if (has(said, HTTP2_SET_MAX_HEADER_LIST_SIZE))
        put(out, HTTP2_SET_MAX_HEADER_LIST_SIZE, least(list, said->value[HTTP2_SET_MAX_HEADER_LIST_SIZE]));
    else if (own)
        put(out, HTTP2_SET_MAX_HEADER_LIST_SIZE, list);
    if (has(said, HTTP2_SET_MAX_FRAME_SIZE)) {
        s->frame_max = least(said->value[HTTP2_SET_MAX_FRAME_SIZE], c->limits->frame_size);
        if (s->frame_max > r->frame_accept)
            r->frame_accept = s->frame_max;
        put(out, HTTP2_SET_MAX_FRAME_SIZE, s->frame_max);
    }
    if (has(said, HTTP2_SET_INITIAL_WINDOW_SIZE))
        put(out, HTTP2_SET_INITIAL_WINDOW_SIZE, said->value[HTTP2_SET_INITIAL_WINDOW_SIZE]);
}

/* RFC 9113, 6.9.2: the change applies to open streams too. */
static bool change_initial(struct http2_conn *c, enum http2_side side, uint32_t window)
{
    struct http2_peer *s = &c->peer[side];
    struct raise raise = {.side = side};
    bool grows = window > s->initial_window;
    s->initial_window = window;
    if (grows)
        http2_stream_each(c, 0, raised, &raise);
    return !raise.overflow ||
           http2_fail(c, side, HTTP2_FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE overflows a stream's window");
}

bool http2_settings(struct http2_conn *c, enum http2_side side, const uint8_t *p, uint32_t size)
{
    enum http2_side to = http2_other(side);
    struct http2_peer *s = &c->peer[side], *r = &c->peer[to];
    struct settings_out out = {.size = 0};
    struct stated said;
    if (s->frame.flags & HTTP2_FLAG_ACK)
        return acknowledged(c, side);
    if (!http2_token(c, side, HTTP2_RATE_SETTINGS) || r->nunacked == HTTP2_UNACKED)
        return http2_fail(c, side, HTTP2_ENHANCE_YOUR_CALM, "too many SETTINGS");
    if (!parse(c, side, p, size, &said))
        return false;
    if (has(&said, HTTP2_SET_INITIAL_WINDOW_SIZE) &&
        !change_initial(c, side, said.value[HTTP2_SET_INITIAL_WINDOW_SIZE]))
        return false;
    put_stated(c, side, &said, !s->said && !r->greeted, &out);
    s->said = true;
    send_settings(c, to, &out,
                  (struct http2_unacked){
                      .initial_window = s->initial_window,
                      .table = has(&said, HTTP2_SET_HEADER_TABLE_SIZE),
                      .table_min = said.table_min,
                      .table_size = said.value[HTTP2_SET_HEADER_TABLE_SIZE],
                  });
    allow(c, side);
    if (c->up_lost)
        http2_own_settings(c);
    return true;
}

/* --- PING and drain ---------------------------------------------------------------------------------- */

void http2_drain_ping(struct http2_conn *c)
{
    http2_goaway(c, HTTP2_DOWN, HTTP2_STREAM_MAX, HTTP2_NO_ERROR, NULL, 0);
    http2_emit_frame(c, HTTP2_DOWN, HTTP2_PING, 0, 0, drain_payload, sizeof(drain_payload));
    c->pinging = true;
    c->drain_ms = c->sink->now_ms;
}

void http2_drain_final(struct http2_conn *c)
{
    c->pinging = false;
    c->refusing = true;
    http2_goaway(c, HTTP2_DOWN, c->last_id, HTTP2_NO_ERROR, NULL, 0);
}

bool http2_ping(struct http2_conn *c, enum http2_side side, const uint8_t *p)
{
    struct http2_peer *s = &c->peer[side];
    bool ack = s->frame.flags & HTTP2_FLAG_ACK;
    if (ack && side == HTTP2_DOWN && c->pinging && memcmp(p, drain_payload, sizeof(drain_payload)) == 0) {
        http2_drain_final(c);
        return true;
    }
    if (ack && s->pings) {
        s->pings--;
    } else {
        if (!http2_token(c, side, HTTP2_RATE_PING))
            return http2_fail(c, side, HTTP2_ENHANCE_YOUR_CALM, "too many PING frames");
        if (ack)
            return true; /* for nothing that is known */
        if (c->up_lost) {
            http2_emit_frame(c, side, HTTP2_PING, HTTP2_FLAG_ACK, 0, p, 8);
            return true;
        }
        c->peer[http2_other(side)].pings++;
    }
    http2_emit_frame(c, http2_other(side), HTTP2_PING, ack ? HTTP2_FLAG_ACK : 0, 0, p, 8);
    return true;
}

/* --- GOAWAY ------------------------------------------------------------------------------------------ */

static void refused(struct http2_conn *c, struct http2_stream *st, void *arg)
{
    (void)arg;
    http2_stream_finish(c, st, HTTP2_RESET_UP, HTTP2_REFUSED_STREAM);
}

bool http2_goaway_received(struct http2_conn *c, enum http2_side side, const uint8_t *p, uint32_t size)
{
    uint32_t last = http2_get32(p) & HTTP2_STREAM_MAX, code = http2_get32(p + 4);
    if (!http2_token(c, side, HTTP2_RATE_PING))
        return http2_fail(c, side, HTTP2_ENHANCE_YOUR_CALM, "too many GOAWAY frames");
    c->peer[side].gone_away = true;
    if (side == HTTP2_DOWN) {
        /* Services open no streams, so what it says of theirs is always 0. */
        http2_goaway(c, HTTP2_UP, 0, code, p + 8, size - 8);
        return true;
    }
    /* An error between us and the service is none between the client and us: clients let go of a connection
     * at once that ends with one, and would miss our answers to what the service leaves undone. */
    if (code != HTTP2_ENHANCE_YOUR_CALM)
        code = HTTP2_NO_ERROR;
    if (last < c->up_last)
        c->up_last = last;
    http2_goaway(c, HTTP2_DOWN, c->up_last, code, p + 8, size - 8);
    /* The client takes these for refused by the GOAWAY itself (RFC 9113, 6.8). */
    http2_stream_each(c, c->up_last, refused, NULL);
    return true;
}

/* --- streams ----------------------------------------------------------------------------------------- */

bool http2_rst_stream(struct http2_conn *c, enum http2_side side, const uint8_t *p)
{
    uint32_t id = c->peer[side].frame.stream, code = http2_get32(p);
    struct http2_stream *st = http2_stream_find(c, side, id);
    if (!st) {
        if (side == HTTP2_DOWN)
            http2_linger_frame(c, id, 0, true);
        return http2_stray(c, side);
    }
    http2_reset(c, http2_other(side), id, code);
    if (side == HTTP2_UP) {
        bool complete = st->ended[HTTP2_UP] && code == HTTP2_NO_ERROR;
        http2_stream_finish(c, st, complete ? HTTP2_COMPLETE : HTTP2_RESET_UP, code);
        return true;
    }
    /* gRPC clients end so what they have heard enough of. */
    bool complete = st->ended[HTTP2_UP];
    http2_stream_finish(c, st, complete ? HTTP2_COMPLETE : HTTP2_RESET_DOWN, code);
    return complete || http2_token(c, side, HTTP2_RATE_RESET) ||
           http2_fail(c, side, HTTP2_ENHANCE_YOUR_CALM, "too many streams reset");
}

bool http2_priority(struct http2_conn *c, enum http2_side side, const uint8_t *p)
{
    uint32_t id = c->peer[side].frame.stream;
    if (!http2_token(c, side, HTTP2_RATE_PING))
        return http2_fail(c, side, HTTP2_ENHANCE_YOUR_CALM, "too many PRIORITY frames");
    if (http2_stream_find(c, side, id))
        http2_emit_frame(c, http2_other(side), HTTP2_PRIORITY, 0, id, p, 5);
    return true;
}

bool http2_unknown(struct http2_conn *c, enum http2_side side, const uint8_t *p)
{
    const struct http2_frame *f = &c->peer[side].frame;
    uint8_t head[HTTP2_HEAD_LEN];
    if (f->stream != 0 && !http2_stream_find(c, side, f->stream))
        return true;
    http2_put_head(head, f->length, (enum http2_type)f->type, f->flags, f->stream);
    http2_emit(c, http2_other(side), head, sizeof(head));
    if (f->length)
        http2_emit(c, http2_other(side), p, f->length);
    return true;
}
