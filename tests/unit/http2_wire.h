/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A relay over memory with a watcher on each side: what is emitted must be whole frames that a peer could
 * take, header blocks must decode, DATA must fit the windows that side has granted. Include after cmocka. */
#ifndef OUTRIDER_TESTS_HTTP2_WIRE_H
#define OUTRIDER_TESTS_HTTP2_WIRE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

#include "sidecar/http/http2_private.h"

struct wire_bytes {
    uint8_t *p;
    size_t n, cap;
};

static inline void wire_append(struct wire_bytes *b, const void *p, size_t n)
{
    if (b->n + n > b->cap) {
        b->cap = (b->n + n) * 2 + 64;
        b->p = realloc(b->p, b->cap);
        assert_non_null(b->p);
    }
    if (n)
        memcpy(b->p + b->n, p, n);
    b->n += n;
}

static inline void wire_text(struct wire_bytes *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static inline void wire_text(struct wire_bytes *b, const char *format, ...)
{
    char line[4096];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < sizeof(line));
    wire_append(b, line, (size_t)n);
}

/* nghttp2 writes to neither. */
static inline nghttp2_nv wire_nv(const char *name, const char *value, uint8_t flags)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                        .value = (uint8_t *)(uintptr_t)value,
                        .namelen = strlen(name),
                        .valuelen = strlen(value),
                        .flags = flags};
}

/* --- what a side is sent ----------------------------------------------------------------------------- */

#ifndef WIRE_STREAMS
#define WIRE_STREAMS 8192
#endif
#define WIRE_CONN (WIRE_STREAMS - 1)

struct wire_watch {
    bool server; /* expects the preface */
    bool greeted;
    nghttp2_hd_inflater *inflater;
    struct wire_bytes pending; /* of a frame or block that is not complete */
    struct wire_bytes block;
    uint32_t block_stream;
    bool block_ends;
    bool sums;             /* the log has checksums of DATA */
    bool quiet;            /* no log */
    struct wire_bytes log; /* a line per frame; runs of DATA on one stream are joined */
    uint32_t data_stream;  /* the log's last line is DATA of this stream */
    size_t data_line, data_size;
    unsigned data_sum;
    int64_t window; /* of the connection, as this side has granted it */
    int64_t initial;
    int64_t stream_window[WIRE_STREAMS]; /* relative to initial, by id / 2 */
    int64_t granted[WIRE_STREAMS];       /* by WINDOW_UPDATE to this side; [WIRE_CONN]: the connection */
    uint32_t frame_max;
    int64_t told_initial; /* by SETTINGS emitted to this side */
    unsigned acked;       /* ACKs to its SETTINGS */
    bool goaway, pinged;
    uint32_t goaway_code, goaway_last;
    unsigned frames[11];          /* seen, by type */
    uint32_t reset[WIRE_STREAMS]; /* code + 1 */
};

static inline const char *wire_type(unsigned type)
{
    static const char *const names[] = {"DATA", "HEADERS", "PRIORITY", "RST_STREAM",    "SETTINGS",
                                        "PUSH", "PING",    "GOAWAY",   "WINDOW_UPDATE", "CONTINUATION"};
    return type < 10 ? names[type] : "UNKNOWN";
}

static inline void wire_line_data(struct wire_watch *w, uint32_t stream, const uint8_t *p, size_t n,
                                  bool ends)
{
    if (w->data_stream != stream || w->data_line == 0) {
        w->data_size = 0;
        w->data_sum = 1;
        w->data_stream = stream;
        w->data_line = w->log.n + 1;
    }
    for (size_t i = 0; i < n; i++)
        w->data_sum = w->data_sum * 31 + p[i];
    w->data_size += n;
    w->log.n = w->data_line - 1;
    wire_text(&w->log, "DATA %u %zu", stream, w->data_size);
    if (w->sums)
        wire_text(&w->log, ":%08x", w->data_sum);
    wire_text(&w->log, ends ? " END\n" : "\n");
    if (ends)
        w->data_line = 0;
}

static inline void wire_block(struct wire_watch *w, const uint8_t *p, size_t n)
{
    struct wire_bytes line = {0};
    bool end = false;
    while (!end) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t used = nghttp2_hd_inflate_hd2(w->inflater, &nv, &flags, p, n, 1);
        if (used < 0)
            fail_msg("emitted header block does not decode: %s", nghttp2_strerror((int)used));
        p += used;
        n -= (size_t)used;
        if (flags & NGHTTP2_HD_INFLATE_EMIT && !w->quiet)
            wire_text(&line, " %.*s=%.*s%s", (int)nv.namelen, (const char *)nv.name,
                      nv.valuelen > 200 ? 200 : (int)nv.valuelen, (const char *)nv.value,
                      nv.flags & NGHTTP2_NV_FLAG_NO_INDEX ? "(!)" : "");
        end = flags & NGHTTP2_HD_INFLATE_FINAL;
    }
    nghttp2_hd_inflate_end_headers(w->inflater);
    if (!w->quiet) {
        wire_text(&w->log, "HEADERS %u%s", w->block_stream, w->block_ends ? " END" : "");
        wire_append(&w->log, line.p, line.n);
        wire_append(&w->log, "\n", 1);
    }
    free(line.p);
}

static inline void wire_frame(struct wire_watch *w, const uint8_t *f, size_t length)
{
    unsigned type = f[3], flags = f[4];
    uint32_t stream = http2_get32(f + 5);
    const uint8_t *p = f + 9;
    w->frames[type < 10 ? type : 10]++;
    assert_true(length <= w->frame_max);
    assert_int_equal(stream >> 31, 0);
    if (!w->greeted)
        assert_true(type == HTTP2_SETTINGS && !(flags & 1));
    w->greeted = true;
    if (w->block_stream)
        assert_true(type == HTTP2_CONTINUATION && stream == w->block_stream);
    else
        assert_int_not_equal(type, HTTP2_CONTINUATION);
    if (type != HTTP2_DATA)
        w->data_line = 0;
    switch (type) {
    case HTTP2_DATA:
        assert_true(stream % 2 == 1 && !(flags & ~1u));
        w->window -= (int64_t)length;
        w->stream_window[stream / 2 % WIRE_STREAMS] -= (int64_t)length;
        if (w->window < 0 || (length && w->initial + w->stream_window[stream / 2 % WIRE_STREAMS] < 0))
            fail_msg("DATA beyond a window on stream %u", stream);
        if (!w->quiet)
            wire_line_data(w, stream, p, length, flags & 1);
        return;
    case HTTP2_HEADERS:
        assert_true(stream % 2 == 1 && !(flags & ~5u));
        w->block_ends = flags & 1;
        w->block_stream = stream;
        w->block.n = 0;
        /* fall through */
    case HTTP2_CONTINUATION:
        wire_append(&w->block, p, length);
        if (flags & 4) {
            wire_block(w, w->block.p, w->block.n);
            w->block_stream = 0;
        }
        return;
    case HTTP2_RST_STREAM:
        assert_true(length == 4 && stream % 2 == 1);
        w->reset[stream / 2 % WIRE_STREAMS] = http2_get32(p) + 1;
        if (!w->quiet)
            wire_text(&w->log, "RST_STREAM %u %u\n", stream, http2_get32(p));
        return;
    case HTTP2_SETTINGS:
        assert_true(stream == 0 && length % 6 == 0 && (!(flags & 1) || length == 0));
        for (size_t i = 0; i < length; i += 6)
            if (p[i + 1] == HTTP2_SET_INITIAL_WINDOW_SIZE)
                w->told_initial = http2_get32(p + i + 2);
        w->acked += flags & 1;
        if (w->quiet)
            return;
        wire_text(&w->log, "SETTINGS%s", flags & 1 ? " ACK" : "");
        for (size_t i = 0; i < length; i += 6)
            wire_text(&w->log, " %u=%u", p[i] << 8 | p[i + 1], http2_get32(p + i + 2));
        wire_append(&w->log, "\n", 1);
        return;
    case HTTP2_PING:
        assert_true(stream == 0 && length == 8);
        w->pinged = true;
        if (!w->quiet)
            wire_text(&w->log, "PING%s %02x..%02x\n", flags & 1 ? " ACK" : "", p[0], p[7]);
        return;
    case HTTP2_GOAWAY:
        assert_true(stream == 0 && length >= 8);
        if (w->goaway)
            assert_true(http2_get32(p) <= w->goaway_last);
        w->goaway = true;
        w->goaway_last = http2_get32(p);
        w->goaway_code = http2_get32(p + 4);
        if (!w->quiet)
            wire_text(&w->log, "GOAWAY %u %u %.*s\n", http2_get32(p), http2_get32(p + 4), (int)length - 8,
                      p + 8);
        return;
    case HTTP2_WINDOW_UPDATE:
        assert_true(length == 4 && http2_get32(p) > 0 && http2_get32(p) <= 0x7fffffff);
        w->granted[stream ? stream / 2 % WIRE_STREAMS : WIRE_CONN] += http2_get32(p);
        if (!w->quiet && (stream || !w->sums))
            wire_text(&w->log, "WINDOW_UPDATE %u %u\n", stream, http2_get32(p));
        return;
    case HTTP2_PUSH_PROMISE: fail_msg("PUSH_PROMISE emitted"); return;
    default:
        if (!w->quiet)
            wire_text(&w->log, "%s %u %u %02x %zu\n", wire_type(type), type, stream, flags, length);
    }
}

static inline void wire_watch(struct wire_watch *w, const uint8_t *p, size_t n)
{
    size_t at = 0;
    wire_append(&w->pending, p, n);
    if (w->server && w->pending.n - at >= 24) {
        assert_memory_equal(w->pending.p, HTTP2_PREFACE, 24);
        w->server = false;
        at = 24;
    }
    while (!w->server && w->pending.n - at >= 9) {
        const uint8_t *f = w->pending.p + at;
        size_t length = http2_get32(f) >> 8;
        if (w->pending.n - at < 9 + length)
            break;
        wire_frame(w, f, length);
        at += 9 + length;
    }
    memmove(w->pending.p, w->pending.p + at, w->pending.n - at);
    w->pending.n -= at;
}

/* --- the relay --------------------------------------------------------------------------------------- */

struct wire {
    struct http2_limits limits;
    struct http2_scratch *scratch;
    struct http2_conn *conn;
    struct http2_calls calls;
    struct http2_sink sink;
    struct wire_watch watch[2];
    struct wire_bytes out[2]; /* everything emitted, where keep is set */
    bool keep;
    nghttp2_hd_deflater *deflater[2]; /* for what is fed from each side */
    struct wire_bytes ends;           /* a line per end event */
    bool closed;
    size_t nrequests, nends;
    struct http2_verdict verdict;   /* for every request */
    struct http_field response_add; /* if it has a name */
    void (*on_request)(struct wire *w, struct http2_request *r, struct http2_verdict *v);
    void *arg;
};

static inline void wire_on_emit(void *ctx, enum http2_side side, const uint8_t *data, size_t size)
{
    struct wire *w = ctx;
    assert_true(size > 0);
    wire_watch(&w->watch[side], data, size);
    if (w->keep)
        wire_append(&w->out[side], data, size);
}

static inline void wire_on_request(void *ctx, struct http2_request *r, struct http2_verdict *v)
{
    struct wire *w = ctx;
    w->nrequests++;
    *v = w->verdict;
    r->user = (void *)(uintptr_t)(r->stream + 7);
    for (size_t i = 0; i < r->nfields; i++)
        if (r->fields[i].name.n == 4 && memcmp(r->fields[i].name.p, "drop", 4) == 0)
            r->fields[i].drop = true;
    if (w->on_request)
        w->on_request(w, r, v);
}

static inline void wire_on_response(void *ctx, struct http2_response *r)
{
    struct wire *w = ctx;
    assert_ptr_equal(r->user, (void *)(uintptr_t)(r->stream + 7));
    if (w->response_add.name.n) {
        r->add = &w->response_add;
        r->nadd = 1;
    }
    for (size_t i = 0; i < r->nfields; i++)
        if (r->fields[i].name.n == 4 && memcmp(r->fields[i].name.p, "drop", 4) == 0)
            r->fields[i].drop = true;
}

static inline bool wire_on_trailer(void *ctx, enum http2_side side, const struct http_field *f)
{
    (void)ctx, (void)side;
    return f->name.n == 4 && memcmp(f->name.p, "drop", 4) == 0;
}

static inline void wire_on_end(void *ctx, const struct http2_end *e)
{
    static const char *const outcome[] = {"complete", "answered",    "reset-down",
                                          "reset-up", "broken-down", "broken-up"};
    struct wire *w = ctx;
    w->nends++;
    if (!w->watch[0].quiet)
        wire_text(&w->ends, "%u %s code=%u status=%d grpc=%d up=%zu down=%zu user=%zu\n", e->stream,
                  outcome[e->outcome], e->code, e->status, e->grpc_status, (size_t)e->request_bytes,
                  (size_t)e->response_bytes, (size_t)(uintptr_t)e->user);
}

static inline void wire_start(struct wire *w)
{
    w->calls = (struct http2_calls){.emit = wire_on_emit,
                                    .request = wire_on_request,
                                    .response = wire_on_response,
                                    .trailer = wire_on_trailer,
                                    .end = wire_on_end};
    w->sink = (struct http2_sink){.calls = &w->calls, .ctx = w, .now_ms = 1000};
    w->scratch = http2_scratch_new(&w->limits);
    w->conn = http2_conn_new(&w->limits, w->scratch, w->sink.now_ms);
    assert_true(w->scratch && w->conn);
    for (int i = 0; i < 2; i++) {
        struct wire_watch *x = &w->watch[i];
        assert_int_equal(nghttp2_hd_deflate_new(&w->deflater[i], 4096), 0);
        assert_int_equal(nghttp2_hd_inflate_new(&x->inflater), 0);
        x->window = x->initial = x->told_initial = 65535;
        x->frame_max = 16384;
    }
    w->watch[HTTP2_UP].server = true;
}

static inline struct wire *wire_new(void)
{
    struct wire *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    http2_limits_default(&w->limits);
    wire_start(w);
    return w;
}

static inline void wire_free(struct wire *w)
{
    http2_conn_free(w->conn, &w->sink);
    assert_true(w->nends >= w->nrequests);
    http2_scratch_free(w->scratch);
    for (int i = 0; i < 2; i++) {
        nghttp2_hd_deflate_del(w->deflater[i]);
        nghttp2_hd_inflate_del(w->watch[i].inflater);
        free(w->watch[i].pending.p);
        free(w->watch[i].block.p);
        free(w->watch[i].log.p);
        free(w->out[i].p);
    }
    free(w->ends.p);
    free(w);
}

/* Feeds, and checks what must hold after any call. */
static inline void wire_feed(struct wire *w, enum http2_side side, const void *p, size_t n)
{
    if (http2_feed(w->conn, side, p, n, &w->sink) == HTTP2_CLOSE)
        w->closed = true;
    for (int i = 0; i < 2; i++) {
        const struct http2_peer *s = &w->conn->peer[i], *r = &w->conn->peer[!i];
        assert_int_equal(w->watch[i].pending.n, 0);
        assert_int_equal(w->watch[i].block_stream, 0);
        assert_true(w->closed || (s->credit >= 0 && s->credit <= r->window));
    }
    assert_true(w->closed == (http2_why(w->conn).text != NULL));
}

static inline const char *wire_log(struct wire *w, enum http2_side side)
{
    wire_append(&w->watch[side].log, "", 1);
    w->watch[side].log.n = 0;
    w->watch[side].data_line = 0;
    return (const char *)w->watch[side].log.p;
}

static inline const char *wire_ends(struct wire *w)
{
    wire_append(&w->ends, "", 1);
    w->ends.n = 0;
    return (const char *)w->ends.p;
}

/* --- frames to feed ---------------------------------------------------------------------------------- */

static inline void wire_put(struct wire_bytes *b, unsigned type, unsigned flags, uint32_t stream,
                            const void *p, size_t n)
{
    uint8_t head[9];
    http2_put_head(head, n, (enum http2_type)type, flags, stream);
    wire_append(b, head, 9);
    wire_append(b, p, n);
}

static inline void wire_send(struct wire *w, enum http2_side side, unsigned type, unsigned flags,
                             uint32_t stream, const void *p, size_t n)
{
    struct wire_bytes b = {0};
    wire_put(&b, type, flags, stream, p, n);
    wire_feed(w, side, b.p, b.n);
    free(b.p);
}

/* Encodes "name=value|name=value"; a name ending in ! is sensitive. */
static inline void wire_encode(nghttp2_hd_deflater *d, struct wire_bytes *b, const char *list)
{
    nghttp2_nv nv[512];
    size_t n = 0;
    char *copy = strdup(list);
    for (char *save, *f = strtok_r(copy, "|", &save); f; f = strtok_r(NULL, "|", &save)) {
        char *eq = strchr(f + 1, '=');
        assert_true(eq && n < 512);
        size_t namelen = (size_t)(eq - f);
        bool sensitive = namelen > 0 && eq[-1] == '!';
        nv[n++] = (nghttp2_nv){.name = (uint8_t *)f,
                               .namelen = namelen - sensitive,
                               .value = (uint8_t *)eq + 1,
                               .valuelen = strlen(eq + 1),
                               .flags = sensitive ? NGHTTP2_NV_FLAG_NO_INDEX : 0};
    }
    size_t bound = nghttp2_hd_deflate_bound(d, nv, n);
    uint8_t *buf = malloc(bound + 1);
    ssize_t size = nghttp2_hd_deflate_hd(d, buf, bound, nv, n);
    assert_true(size >= 0);
    wire_append(b, buf, (size_t)size);
    free(buf);
    free(copy);
}

static inline void wire_put_headers(struct wire *w, struct wire_bytes *b, enum http2_side side,
                                    uint32_t stream, bool ends, const char *list)
{
    struct wire_bytes block = {0};
    wire_encode(w->deflater[side], &block, list);
    wire_put(b, HTTP2_HEADERS, 4u | ends, stream, block.p, block.n);
    free(block.p);
}

static inline void wire_headers(struct wire *w, enum http2_side side, uint32_t stream, bool ends,
                                const char *list)
{
    struct wire_bytes b = {0};
    wire_put_headers(w, &b, side, stream, ends, list);
    wire_feed(w, side, b.p, b.n);
    free(b.p);
}

static inline void wire_u32(struct wire *w, enum http2_side side, unsigned type, uint32_t stream,
                            uint32_t value)
{
    uint8_t p[4];
    http2_put32(p, value);
    wire_send(w, side, type, 0, stream, p, 4);
}

/* WINDOW_UPDATE, which the watcher of that side hears of. */
static inline void wire_window(struct wire *w, enum http2_side side, uint32_t stream, uint32_t size)
{
    if (stream)
        w->watch[side].stream_window[stream / 2 % WIRE_STREAMS] += size;
    else
        w->watch[side].window += size;
    wire_u32(w, side, HTTP2_WINDOW_UPDATE, stream, size);
}

static inline void wire_data(struct wire *w, enum http2_side side, uint32_t stream, bool ends, size_t n)
{
    uint8_t *p = malloc(n + 1);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i * 7 + stream);
    wire_send(w, side, HTTP2_DATA, ends, stream, p, n);
    free(p);
}

#define WIRE_GET ":method=GET|:scheme=https|:authority=a.example|:path=/x"
#define WIRE_POST ":method=POST|:scheme=https|:authority=a.example|:path=/up"
#define WIRE_GRPC                                                                                      \
    ":method=POST|:scheme=http|:authority=g.example|:path=/pkg.Service/Call|content-type=application/" \
    "grpc|te=trailers"

/* Both prefaces and both ACKs. */
static inline void wire_hello(struct wire *w)
{
    wire_feed(w, HTTP2_DOWN, HTTP2_PREFACE, 24);
    wire_send(w, HTTP2_DOWN, HTTP2_SETTINGS, 0, 0, NULL, 0);
    wire_send(w, HTTP2_UP, HTTP2_SETTINGS, 0, 0, NULL, 0);
    wire_send(w, HTTP2_UP, HTTP2_SETTINGS, 1, 0, NULL, 0);
    wire_send(w, HTTP2_DOWN, HTTP2_SETTINGS, 1, 0, NULL, 0);
    assert_false(w->closed);
    w->watch[0].log.n = w->watch[1].log.n = 0;
}

/* A small generator, the same everywhere. */
static inline uint32_t wire_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 16);
}

#endif
