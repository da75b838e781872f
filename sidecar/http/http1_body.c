/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Bodies. Chunks are decoded here and not by llhttp, which forgives too much (bare LFs, blanks, anything in
 * extensions) and keeps a parser per direction; what goes out is framed anew, so nobody sees the sender's.
 */
#include "sidecar/http/http1_private.h"

#include <string.h>

static bool bad(struct http1_fault *fault, const char *why)
{
    *fault = (struct http1_fault){400, why};
    return false;
}

/* chunk-ext-name [ "=" ( token / quoted-string ) ] without blanks around; returns its length, 0 if bad. */
static size_t extension(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && http_is(p[i], HTTP_TOKEN))
        i++;
    if (!i || i == n || p[i] != '=')
        return i;
    size_t value = ++i;
    if (i == n || p[i] != '"') {
        while (i < n && http_is(p[i], HTTP_TOKEN))
            i++;
        return i > value ? i : 0;
    }
    for (i++; i < n && p[i] != '"'; i++) {
        if (p[i] == '\\')
            i++;
        if (i >= n || !http_is(p[i], HTTP_VALUE))
            return 0;
    }
    return i < n ? i + 1 : 0;
}

/* chunk-size [ chunk-ext ] (RFC 9112, 7.1). */
static bool chunk_line(struct http_str line, uint64_t *size, struct http1_fault *fault)
{
    size_t i = 0;
    *size = 0;
    for (; i < line.n && http_is(line.p[i], HTTP_HEX); i++) {
        if (i == 15) /* 60 bits are enough for anybody, and can be added up */
            return bad(fault, "a chunk's size beyond all measure");
        *size = *size << 4 | http_hex(line.p[i]);
    }
    if (!i)
        return bad(fault, "a chunk without a size");
    while (i < line.n) {
        size_t n = line.p[i] == ';' ? extension(line.p + i + 1, line.n - i - 1) : 0;
        if (!n)
            return bad(fault, "a malformed chunk extension");
        i += 1 + n;
    }
    return true;
}

static void pass(struct http1_conn *c, enum http1_side side, const char *p, size_t n,
                 const struct http1_sink *sink)
{
    enum http1_side to = side == HTTP1_DOWN ? HTTP1_UP : HTTP1_DOWN;
    c->in[side].total += n;
    if (side == HTTP1_DOWN && c->answered)
        return;
    if (!c->chunked[to]) {
        http1_emit(sink, to, p, n);
        return;
    }
    char line[HTTP_NUMBER + 2];
    struct http_str size = http_number(n, 16, line);
    line[HTTP_NUMBER] = '\r';
    line[HTTP_NUMBER + 1] = '\n';
    http1_emit(sink, to, size.p, size.n + 2);
    http1_emit(sink, to, p, n);
    http1_emit(sink, to, "\r\n", 2);
}

void http1_body_end(struct http1_conn *c, enum http1_side to, const struct http1_sink *sink)
{
    if (c->chunked[to] && !(to == HTTP1_UP && c->answered))
        http1_emit(sink, to, "0\r\n\r\n", 5);
}

bool http1_trailer_forbidden(struct http_str name)
{
    static const char *const names[] = {"authorization",
                                        "cache-control",
                                        "connection",
                                        "content-encoding",
                                        "content-length",
                                        "content-range",
                                        "content-type",
                                        "cookie",
                                        "expect",
                                        "host",
                                        "http2-settings",
                                        "keep-alive",
                                        "max-forwards",
                                        "proxy-authenticate",
                                        "proxy-authorization",
                                        "proxy-connection",
                                        "range",
                                        "set-cookie",
                                        "te",
                                        "trailer",
                                        "transfer-encoding",
                                        "upgrade",
                                        "www-authenticate"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (http_same_name(name, (struct http_str){names[i], strlen(names[i])}))
            return true;
    return false;
}

static size_t read_chunk_line(struct http1_in *in, const struct http1_limits *limits, const char *data,
                              size_t size, struct http1_fault *fault)
{
    size_t used = 0;
    struct http_str line;
    uint64_t chunk = 0;
    if (http1_collect_line(in, limits->chunk_line, data, size, &used, &line, fault) != HTTP1_GOT_ALL)
        return used;
    if (chunk_line(line, &chunk, fault)) {
        in->left = chunk;
        in->reading = chunk ? HTTP1_AT_CHUNK_DATA : HTTP1_AT_TRAILER;
    }
    http1_part_free(&in->part);
    return used;
}

static size_t read_trailers(struct http1_conn *c, enum http1_side side, const char *data, size_t size,
                            const struct http1_sink *sink, struct http1_fault *fault)
{
    struct http1_in *in = &c->in[side];
    enum http1_side to = side == HTTP1_DOWN ? HTTP1_UP : HTTP1_DOWN;
    size_t used = 0;
    struct http_str block;
    if (http1_collect(c, in, HTTP1_TRAILERS, data, size, &used, &block, fault) != HTTP1_GOT_ALL)
        return used;
    if (block.n == 2) {
        http1_body_end(c, to, sink);
        in->reading = HTTP1_AT_DONE;
    } else if (http1_parse(c->scratch, HTTP1_TRAILERS, block, in->part.lines, fault)) {
        if (c->chunked[to] && !(side == HTTP1_DOWN && c->answered))
            http1_write_trailers(c, side, sink);
        in->reading = HTTP1_AT_DONE;
    }
    http1_part_free(&in->part);
    return used;
}

static size_t read_counted(struct http1_conn *c, enum http1_side side, const char *data, size_t size,
                           const struct http1_sink *sink)
{
    struct http1_in *in = &c->in[side];
    size_t n = size < in->left ? size : (size_t)in->left;
    in->left -= n;
    pass(c, side, data, n, sink);
    if (!in->left && in->reading == HTTP1_AT_CHUNK_DATA) {
        in->reading = HTTP1_AT_CHUNK_END;
        in->left = 2;
    } else if (!in->left) {
        in->reading = HTTP1_AT_DONE;
    }
    return n;
}

static size_t read_chunk_end(struct http1_in *in, const char *data, struct http1_fault *fault)
{
    if (*data != "\n\r"[in->left - 1])
        bad(fault, "a chunk that does not end where it should");
    else if (--in->left == 0)
        in->reading = HTTP1_AT_CHUNK_LINE;
    return 1;
}

size_t http1_body(struct http1_conn *c, enum http1_side side, const char *data, size_t size,
                  const struct http1_sink *sink, struct http1_fault *fault)
{
    struct http1_in *in = &c->in[side];
    size_t used = 0;
    while (used < size && in->reading != HTTP1_AT_DONE && !fault->status) {
        const char *p = data + used;
        size_t n = size - used;
        switch (in->reading) {
        case HTTP1_AT_CHUNK_LINE: used += read_chunk_line(in, c->limits, p, n, fault); break;
        case HTTP1_AT_CHUNK_END: used += read_chunk_end(in, p, fault); break;
        case HTTP1_AT_TRAILER: used += read_trailers(c, side, p, n, sink, fault); break;
        case HTTP1_AT_EOF:
            pass(c, side, p, n, sink);
            used += n;
            break;
        default: used += read_counted(c, side, p, n, sink); break;
        }
    }
    return used;
}
