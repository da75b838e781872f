/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "sidecar/http/http2_private.h"

bool http2_stray(struct http2_conn *c, enum http2_side side)
{
    struct http2_peer *p = &c->peer[side];
    if (p->grace_frames) {
        p->grace_frames--;
        return true;
    }
    return http2_token(c, side, HTTP2_RATE_EMPTY) ||
           http2_fail(c, side, HTTP2_ENHANCE_YOUR_CALM, "too many frames on closed streams");
}

/* Has nobody used this stream yet? Only clients open streams, as push is off. */
static bool idle(const struct http2_conn *c, uint32_t id)
{
    return id % 2 == 0 || id > c->last_id;
}

/* --- what a frame must be by its head ---------------------------------------------------------------- */

static bool head_headers(struct http2_conn *c, enum http2_side side, const struct http2_frame *f)
{
    unsigned least = ((f->flags & HTTP2_FLAG_PADDED) ? 1 : 0) + ((f->flags & HTTP2_FLAG_PRIORITY) ? 5 : 0);
    if (f->stream % 2 == 0)
        return http2_fail(c, side, HTTP2_PROTOCOL_ERROR, "HEADERS on a stream that is not the client's");
    if (side == HTTP2_UP && idle(c, f->stream))
        return http2_fail(c, side, HTTP2_PROTOCOL_ERROR, "HEADERS on an idle stream");
    if (f->length < least)
        return http2_fail(c, side, HTTP2_FRAME_SIZE_ERROR, "HEADERS too short for its flags");
    if (f->length > c->limits->header_block_size + 256 + 5)
        return http2_fail(c, side, HTTP2_ENHANCE_YOUR_CALM, "header block too large");
    return true;
}

static bool head_continuation(struct http2_conn *c, enum http2_side side, const struct http2_frame *f)
{
    struct http2_peer *p = &c->peer[side];
    if (++p->continuations > c->limits->continuations)
        return http2_fail(c, side, HTTP2_ENHANCE_YOUR_CALM, "too many CONTINUATION frames");
    if (f->length > c->limits->header_block_size - p->block_size)
        return http2_fail(c, side, HTTP2_ENHANCE_YOUR_CALM, "header block too large");
    return true;
}

static bool head_settings(struct http2_conn *c, enum http2_side side, const struct http2_frame *f)
{
    if ((f->flags & HTTP2_FLAG_ACK) ? f->length != 0 : f->length % 6 != 0)
        return http2_fail(c, side, HTTP2_FRAME_SIZE_ERROR, "SETTINGS of a wrong length");
    if (f->length > 6 * HTTP2_SETTINGS_ENTRIES)
        return http2_fail(c, side, HTTP2_ENHANCE_YOUR_CALM, "too many settings");
    return true;
}

static bool head_priority(struct http2_conn *c, enum http2_side side, const struct http2_frame *f)
{
    if (f->length == 5)
        return true;
    c->peer[side].reading = HTTP2_READ_SKIP;
    struct http2_stream *st = http2_stream_find(c, side, f->stream);
    if (!st)
        return http2_fail(c, side, HTTP2_FRAME_SIZE_ERROR, "PRIORITY of a wrong length");
    return http2_stream_broken(c, st, side, HTTP2_FRAME_SIZE_ERROR);
}

static bool on_stream(enum http2_type type)
{
    return type == HTTP2_DATA || type == HTTP2_HEADERS || type == HTTP2_PRIORITY ||
           type == HTTP2_RST_STREAM || type == HTTP2_CONTINUATION;
}

static bool on_connection(enum http2_type type)
{
    return type == HTTP2_SETTINGS || type == HTTP2_PING || type == HTTP2_GOAWAY;
}

/* Sets how the payload is to be read. */
static bool head(struct http2_conn *c, enum http2_side side)
{
    struct http2_peer *p = &c->peer[side];
    const struct http2_frame *f = &p->frame;
    enum http2_type type = f->type;
    if (!p->said && (type != HTTP2_SETTINGS || f->flags & HTTP2_FLAG_ACK))
        return http2_fail(c, side, HTTP2_PROTOCOL_ERROR, "the first frame is not SETTINGS");
    if (f->length > p->frame_accept)
        return http2_fail(c, side, HTTP2_FRAME_SIZE_ERROR, "frame larger than MAX_FRAME_SIZE");
    if (p->block_stream ? type != HTTP2_CONTINUATION || f->stream != p->block_stream
                        : type == HTTP2_CONTINUATION)
        return http2_fail(c, side, HTTP2_PROTOCOL_ERROR, "CONTINUATION missing or out of place");
    if (on_stream(type) && f->stream == 0)
        return http2_fail(c, side, HTTP2_PROTOCOL_ERROR, "frame on stream 0 that belongs to a stream");
    if (on_connection(type) && f->stream != 0)
        return http2_fail(c, side, HTTP2_PROTOCOL_ERROR, "frame on a stream that belongs to stream 0");
    p->reading = HTTP2_READ_WHOLE;
    p->left = f->length;
    p->gathered = 0;
    switch (type) {
    case HTTP2_DATA:
        if (idle(c, f->stream))
            return http2_fail(c, side, HTTP2_PROTOCOL_ERROR, "DATA on an idle stream");
        return http2_data_head(c, side);
    case HTTP2_HEADERS: return head_headers(c, side, f);
    case HTTP2_CONTINUATION: return head_continuation(c, side, f);
    case HTTP2_SETTINGS: return head_settings(c, side, f);
    case HTTP2_PRIORITY: return head_priority(c, side, f);
    case HTTP2_PUSH_PROMISE:
        return http2_fail(c, side, HTTP2_PROTOCOL_ERROR, "PUSH_PROMISE, and push is off");
    case HTTP2_RST_STREAM:
        if (f->length != 4)
            return http2_fail(c, side, HTTP2_FRAME_SIZE_ERROR, "RST_STREAM of a wrong length");
        return !idle(c, f->stream) ||
               http2_fail(c, side, HTTP2_PROTOCOL_ERROR, "RST_STREAM on an idle stream");
    case HTTP2_WINDOW_UPDATE:
        if (f->length != 4)
            return http2_fail(c, side, HTTP2_FRAME_SIZE_ERROR, "WINDOW_UPDATE of a wrong length");
        return f->stream == 0 || !idle(c, f->stream) ||
               http2_fail(c, side, HTTP2_PROTOCOL_ERROR, "WINDOW_UPDATE on an idle stream");
    case HTTP2_PING:
        return f->length == 8 || http2_fail(c, side, HTTP2_FRAME_SIZE_ERROR, "PING of a wrong length");
    case HTTP2_GOAWAY:
        return f->length >= 8 || http2_fail(c, side, HTTP2_FRAME_SIZE_ERROR, "GOAWAY too short");
    }
    if (f->length > HTTP2_FRAME_MIN)
        p->reading = HTTP2_READ_SKIP;
    return http2_token(c, side, HTTP2_RATE_PING) ||
           http2_fail(c, side, HTTP2_ENHANCE_YOUR_CALM, "too many frames of unknown types");
}

/* --- payloads in one piece --------------------------------------------------------------------------- */

static bool block_append(struct http2_conn *c, enum http2_side side, const uint8_t *data, size_t size)
{
    struct http2_peer *p = &c->peer[side];
    if (size == 0)
        return http2_token(c, side, HTTP2_RATE_EMPTY) ||
               http2_fail(c, side, HTTP2_ENHANCE_YOUR_CALM, "too many empty header fragments");
    if (size > p->block_cap - p->block_size) {
        uint8_t *block = realloc(p->block, p->block_size + size);
        if (!block)
            return http2_fail(c, side, HTTP2_INTERNAL_ERROR, "out of memory");
        p->block = block;
        p->block_cap = p->block_size + size;
    }
    memcpy(p->block + p->block_size, data, size);
    p->block_size += size;
    return true;
}

static bool headers(struct http2_conn *c, enum http2_side side, const uint8_t *data, size_t size)
{
    struct http2_peer *p = &c->peer[side];
    const struct http2_frame *f = &p->frame;
    size_t padding = 0;
    if (f->flags & HTTP2_FLAG_PADDED) {
        padding = data[0];
        data++, size--;
    }
    if (f->flags & HTTP2_FLAG_PRIORITY) /* deprecated (RFC 9113, 5.3.2); not passed on */
        data += 5, size -= 5;
    if (padding > size)
        return http2_fail(c, side, HTTP2_PROTOCOL_ERROR, "HEADERS with more padding than payload");
    size -= padding;
    if (size > c->limits->header_block_size)
        return http2_fail(c, side, HTTP2_ENHANCE_YOUR_CALM, "header block too large");
    bool ends = f->flags & HTTP2_FLAG_END_STREAM;
    if (f->flags & HTTP2_FLAG_END_HEADERS)
        return http2_block(c, side, f->stream, ends, data, size);
    p->block_stream = f->stream;
    p->block_ends = ends;
    p->continuations = 0;
    return block_append(c, side, data, size);
}

static bool continuation(struct http2_conn *c, enum http2_side side, const uint8_t *data, size_t size)
{
    struct http2_peer *p = &c->peer[side];
    if (!(p->frame.flags & HTTP2_FLAG_END_HEADERS))
        return block_append(c, side, data, size);
    if (size && !block_append(c, side, data, size))
        return false;
    uint32_t stream = p->block_stream;
    uint8_t *block = p->block;
    size_t block_size = p->block_size;
    p->block_stream = 0;
    p->block = NULL;
    p->block_size = p->block_cap = 0;
    bool ok = http2_block(c, side, stream, p->block_ends, block, block_size);
    free(block);
    return ok;
}

static bool whole(struct http2_conn *c, enum http2_side side, const uint8_t *data)
{
    const struct http2_frame *f = &c->peer[side].frame;
    switch ((enum http2_type)f->type) {
    case HTTP2_HEADERS: return headers(c, side, data, f->length);
    case HTTP2_CONTINUATION: return continuation(c, side, data, f->length);
    case HTTP2_SETTINGS: return http2_settings(c, side, data, f->length);
    case HTTP2_PING: return http2_ping(c, side, data);
    case HTTP2_GOAWAY: return http2_goaway_received(c, side, data, f->length);
    case HTTP2_RST_STREAM: return http2_rst_stream(c, side, data);
    case HTTP2_WINDOW_UPDATE: return http2_window_update(c, side, data);
    case HTTP2_PRIORITY: return http2_priority(c, side, data);
    case HTTP2_DATA:
    case HTTP2_PUSH_PROMISE: break; /* never read whole */
    }
    return http2_unknown(c, side, data);
}

/* Handles the payload in place if all of it is there, else keeps what is. */
static bool read_whole(struct http2_conn *c, enum http2_side side, const uint8_t *data, size_t size,
                       size_t *used)
{
    struct http2_peer *p = &c->peer[side];
    const uint8_t *payload = data;
    *used = size < p->left ? size : p->left;
    if (p->gathered || *used < p->left) {
        uint8_t *kept = p->small;
        if (p->frame.length > HTTP2_SMALL) {
            if (!p->gather && !(p->gather = calloc(1, p->frame.length)))
                return http2_fail(c, side, HTTP2_INTERNAL_ERROR, "out of memory");
            kept = p->gather;
        }
        if (*used)
            memcpy(kept + p->gathered, data, *used);
        p->gathered += (uint32_t)*used;
        payload = kept;
    }
    p->left -= (uint32_t)*used;
    if (p->left)
        return true;
    p->reading = HTTP2_READ_HEAD;
    uint8_t *gather = p->gather;
    p->gather = NULL;
    bool ok = whole(c, side, payload);
    free(gather);
    return ok;
}

/* --- bytes to frames --------------------------------------------------------------------------------- */

static void parse_head(struct http2_peer *p, const uint8_t *b)
{
    p->frame = (struct http2_frame){
        .length = http2_get32(b) >> 8,
        .type = b[3],
        .flags = b[4],
        .stream = http2_get32(b + 5) & HTTP2_STREAM_MAX,
        .reserved = b[5] >> 7,
    };
    p->nhead = 0;
}

static bool read_preface(struct http2_conn *c, const uint8_t *data, size_t size, size_t *used)
{
    struct http2_peer *p = &c->peer[HTTP2_DOWN];
    size_t n = HTTP2_PREFACE_LEN - p->nhead;
    if (n > size)
        n = size;
    if (memcmp(data, &HTTP2_PREFACE[p->nhead], n) != 0)
        return http2_fail(c, HTTP2_DOWN, HTTP2_PROTOCOL_ERROR, "not the preface of HTTP/2");
    p->nhead = (uint8_t)(p->nhead + n);
    if (p->nhead == HTTP2_PREFACE_LEN) {
        p->nhead = 0;
        p->reading = HTTP2_READ_HEAD;
    }
    *used = n;
    return true;
}

static bool read_head(struct http2_conn *c, enum http2_side side, const uint8_t *data, size_t size,
                      size_t *used)
{
    struct http2_peer *p = &c->peer[side];
    bool in_place = p->nhead == 0 && size >= HTTP2_HEAD_LEN;
    *used = HTTP2_HEAD_LEN - p->nhead;
    if (in_place) {
        parse_head(p, data);
    } else {
        if (*used > size)
            *used = size;
        memcpy(p->head + p->nhead, data, *used);
        p->nhead = (uint8_t)(p->nhead + *used);
        if (p->nhead < HTTP2_HEAD_LEN)
            return true;
        parse_head(p, p->head);
    }
    if (!head(c, side))
        return false;
    if (p->reading == HTTP2_READ_DATA && in_place && p->deliver && size - *used >= p->frame.length &&
        p->data == p->frame.length && p->data <= c->peer[http2_other(side)].frame_max && !p->frame.reserved &&
        !(p->frame.flags & ~(unsigned)HTTP2_FLAG_END_STREAM)) {
        *used += p->frame.length;
        return http2_data_run(c, side, data);
    }
    if (p->left)
        return true;
    /* Nothing more will come that could set this going. */
    size_t none;
    if (p->reading == HTTP2_READ_WHOLE)
        return read_whole(c, side, p->small, 0, &none);
    p->reading = HTTP2_READ_HEAD;
    return true;
}

bool http2_read(struct http2_conn *c, enum http2_side side, const uint8_t *data, size_t size)
{
    struct http2_peer *p = &c->peer[side];
    while (size) {
        size_t used = 0;
        bool ok = true;
        switch (p->reading) {
        case HTTP2_READ_PREFACE: ok = read_preface(c, data, size, &used); break;
        case HTTP2_READ_HEAD: ok = read_head(c, side, data, size, &used); break;
        case HTTP2_READ_WHOLE: ok = read_whole(c, side, data, size, &used); break;
        case HTTP2_READ_PAD:
            used = 1;
            p->left--;
            ok = http2_data_begin(c, side, 1u + data[0]);
            break;
        case HTTP2_READ_DATA: ok = http2_data_part(c, side, data, size, &used); break;
        case HTTP2_READ_SKIP:
            used = size < p->left ? size : p->left;
            p->left -= (uint32_t)used;
            if (!p->left)
                p->reading = HTTP2_READ_HEAD;
            break;
        }
        if (!ok)
            return false;
        data += used;
        size -= used;
    }
    return true;
}
