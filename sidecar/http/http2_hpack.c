/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Header blocks to fields and back, on nghttp2's HPACK (RFC 7541). */
#include <stdlib.h>
#include <string.h>

#include "sidecar/http/chars.h"
#include "sidecar/http/http2_private.h"

struct http2_scratch *http2_scratch_new(const struct http2_limits *limits)
{
    struct http2_scratch *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->limits = limits;
    s->fields_cap = limits->header_fields;
    s->text_cap = 2 * (size_t)limits->header_list_size;
    s->fields = calloc(s->fields_cap + 1, sizeof(*s->fields));
    s->text = malloc(s->text_cap + 1);
    if (!s->fields || !s->text) {
        http2_scratch_free(s);
        return NULL;
    }
    return s;
}

void http2_scratch_free(struct http2_scratch *s)
{
    if (!s)
        return;
    free(s->fields);
    free(s->text);
    free(s->nv);
    free(s->out);
    free(s);
}

/* --- decoding ---------------------------------------------------------------------------------------- */

/* The peer has acknowledged our table size. nghttp2 minds a decrease only; an increase was allowed at once.
 */
bool http2_inflate_limit(struct http2_conn *c, enum http2_side side)
{
    struct http2_peer *p = &c->peer[side];
    p->table_acked = true;
    return !p->inflater || c->limits->header_table_size >= HTTP2_TABLE_DEFAULT ||
           nghttp2_hd_inflate_change_table_size(p->inflater, c->limits->header_table_size) == 0 ||
           http2_fail(c, side, HTTP2_INTERNAL_ERROR, "out of memory");
}

static bool inflater(struct http2_conn *c, enum http2_side side)
{
    struct http2_peer *p = &c->peer[side];
    uint32_t size = c->limits->header_table_size;
    if (p->inflater)
        return true;
    if (nghttp2_hd_inflate_new(&p->inflater) != 0)
        return false;
    if (size == HTTP2_TABLE_DEFAULT || (size < HTTP2_TABLE_DEFAULT && !p->table_acked))
        return true;
    return nghttp2_hd_inflate_change_table_size(p->inflater, size) == 0;
}

static struct http_str keep(struct http2_scratch *s, const uint8_t *p, size_t n)
{
    struct http_str str = {s->text + s->ntext, n};
    memcpy(s->text + s->ntext, p, n);
    s->ntext += n;
    return str;
}

bool http2_decode(struct http2_conn *c, enum http2_side side, const uint8_t *block, size_t size)
{
    struct http2_scratch *s = c->scratch;
    const size_t most = c->limits->header_list_size;
    size_t total = 0, count = 0;
    s->nfields = s->ntext = 0;
    s->overflow = false;
    if (!inflater(c, side))
        return http2_fail(c, side, HTTP2_INTERNAL_ERROR, "out of memory");
    for (int flags = 0; !(flags & NGHTTP2_HD_INFLATE_FINAL);) {
        nghttp2_nv nv;
        flags = 0;
        ssize_t n = nghttp2_hd_inflate_hd2(c->peer[side].inflater, &nv, &flags, block, size, 1);
        if (n < 0)
            return http2_fail(c, side, HTTP2_COMPRESSION_ERROR, "header block that cannot be decoded");
        block += n;
        size -= (size_t)n;
        if (!(flags & NGHTTP2_HD_INFLATE_EMIT))
            continue;
        total += nv.namelen + nv.valuelen + 32; /* RFC 9113, 6.5.2 */
        if (total > most || ++count > s->fields_cap) {
            /* The rest is decoded for the table's sake. */
            s->overflow = true;
            if (total > most * HTTP2_BOMB)
                return http2_fail(c, side, HTTP2_ENHANCE_YOUR_CALM, "header list far too large");
            continue;
        }
        s->fields[s->nfields++] = (struct http_field){
            .name = keep(s, nv.name, nv.namelen),
            .value = keep(s, nv.value, nv.valuelen),
            .sensitive = nv.flags & NGHTTP2_NV_FLAG_NO_INDEX,
        };
    }
    nghttp2_hd_inflate_end_headers(c->peer[side].inflater);
    return true;
}

/* --- encoding ---------------------------------------------------------------------------------------- */

static bool deflate_sizes(struct http2_peer *p)
{
    /* A table that shrank and grew again tells both (RFC 7541, 4.2). */
    if (p->table_min < p->table_size && nghttp2_hd_deflate_change_table_size(p->deflater, p->table_min) != 0)
        return false;
    p->table_min = p->table_size;
    return nghttp2_hd_deflate_change_table_size(p->deflater, p->table_size) == 0;
}

bool http2_deflate_limit(struct http2_conn *c, enum http2_side side, uint32_t smallest, uint32_t size)
{
    struct http2_peer *p = &c->peer[side];
    if (smallest < p->table_min)
        p->table_min = smallest;
    p->table_size = size;
    return !p->deflater || deflate_sizes(p) || http2_fail(c, side, HTTP2_INTERNAL_ERROR, "out of memory");
}

static bool deflater(struct http2_conn *c, enum http2_side side)
{
    struct http2_peer *p = &c->peer[side];
    if (p->deflater)
        return true;
    if (nghttp2_hd_deflate_new(&p->deflater, c->limits->header_table_size) != 0)
        return false;
    return (p->table_min == HTTP2_TABLE_DEFAULT && p->table_size == HTTP2_TABLE_DEFAULT) || deflate_sizes(p);
}

void http2_list_start(struct http2_conn *c)
{
    c->scratch->nnv = 0;
    c->scratch->failed = false;
}

void http2_list_add(struct http2_conn *c, struct http_str name, struct http_str value, bool sensitive)
{
    struct http2_scratch *s = c->scratch;
    if (s->nnv == s->nv_cap) {
        size_t cap = s->nv_cap ? s->nv_cap * 2 : 64;
        nghttp2_nv *nv = realloc(s->nv, cap * sizeof(*nv));
        if (!nv) {
            s->failed = true;
            return;
        }
        s->nv = nv;
        s->nv_cap = cap;
    }
    /* nghttp2 does not write to them, whatever the types say. */
    s->nv[s->nnv++] = (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name.p,
        .value = (uint8_t *)(uintptr_t)value.p,
        .namelen = name.n,
        .valuelen = value.n,
        .flags = sensitive ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE,
    };
}

void http2_list_extend(struct http2_conn *c, const struct http_field *add, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct http_field *f = &add[i];
        if (!f->drop && f->name.n && f->name.p[0] != ':' &&
            nghttp2_check_header_name((const uint8_t *)f->name.p, f->name.n) && http_value_ok(f->value))
            http2_list_add(c, f->name, f->value, f->sensitive);
    }
}

bool http2_list_send(struct http2_conn *c, enum http2_side side, uint32_t stream, bool end_stream)
{
    struct http2_scratch *s = c->scratch;
    size_t need = HTTP2_HEAD_LEN + nghttp2_hd_deflate_bound(NULL, s->nv, s->nnv);
    if (need > s->out_cap) {
        uint8_t *out = realloc(s->out, need);
        if (out) {
            s->out = out;
            s->out_cap = need;
        }
    }
    /* Left out of step with its peer, a table is of no use: these end the connection. */
    if (need > s->out_cap || s->failed || !deflater(c, side))
        return http2_fail(c, side, HTTP2_INTERNAL_ERROR, "out of memory");
    ssize_t size = nghttp2_hd_deflate_hd(c->peer[side].deflater, s->out + HTTP2_HEAD_LEN,
                                         s->out_cap - HTTP2_HEAD_LEN, s->nv, s->nnv);
    if (size < 0)
        return http2_fail(c, side, HTTP2_INTERNAL_ERROR, "out of memory");
    http2_tokens_earn(c);

    enum http2_type type = HTTP2_HEADERS;
    unsigned flags = end_stream ? HTTP2_FLAG_END_STREAM : 0;
    uint8_t *p = s->out;
    for (size_t left = (size_t)size;;) {
        size_t n = left < HTTP2_FRAME_MIN ? left : HTTP2_FRAME_MIN;
        left -= n;
        if (left == 0)
            flags |= HTTP2_FLAG_END_HEADERS;
        /* Over the end of the previous part, which has been emitted. */
        http2_put_head(p, n, type, flags, stream);
        http2_emit(c, side, p, HTTP2_HEAD_LEN + n);
        if (left == 0)
            return true;
        p += n;
        type = HTTP2_CONTINUATION;
        flags = 0;
    }
}
