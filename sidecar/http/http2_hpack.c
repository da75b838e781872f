/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Header blocks to fields and back. */
#include <stdlib.h>
#include <string.h>

#include "sidecar/http/chars.h"
#include "sidecar/http/http2_private.h"

/* The largest dynamic table that a peer may use. */
static uint32_t table_most(const struct http2_limits *limits)
{
    uint32_t size = limits->header_table_size;
    return size > HTTP2_TABLE_DEFAULT ? size : HTTP2_TABLE_DEFAULT;
}

struct http2_scratch *http2_scratch_new(const struct http2_limits *limits)
{
    struct http2_scratch *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->limits = limits;
    s->fields_cap = limits->header_fields;
    /* Twice the list, so that crumbs can be joined; and what is beyond it has to be decoded, too. */
    s->text_cap = 2 * (size_t)limits->header_list_size +
                  hpack_text_bound(limits->header_block_size, table_most(limits));
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
    free(s->out);
    free(s);
}

/* --- decoding ---------------------------------------------------------------------------------------- */

void http2_decode_limit(struct http2_conn *c, enum http2_side side)
{
    struct http2_peer *p = &c->peer[side];
    p->table_acked = true;
    hpack_decoder_limit(&p->decoder, c->limits->header_table_size);
}

bool http2_decode(struct http2_conn *c, enum http2_side side, const uint8_t *block, size_t size)
{
    struct http2_scratch *s = c->scratch;
    const size_t most = c->limits->header_list_size;
    struct hpack_block b = {
        .p = block, .end = block + size, .text = s->text, .text_end = s->text + s->text_cap};
    size_t total = 0, count = 0;
    s->nfields = 0;
    s->overflow = false;
    for (;;) {
        struct http_field *f = &s->fields[s->nfields];
        char *before = b.text;
        switch (hpack_decode(&c->peer[side].decoder, &b, f)) {
        case HPACK_FIELD: break;
        case HPACK_END: s->ntext = (size_t)(b.text - s->text); return true;
        case HPACK_BROKEN:
            return http2_fail(c, side, HTTP2_COMPRESSION_ERROR, "header block that cannot be decoded");
        case HPACK_NO_MEMORY: return http2_fail(c, side, HTTP2_INTERNAL_ERROR, "out of memory");
        }
        total += f->name.n + f->value.n + 32; /* RFC 9113, 6.5.2 */
        if (total <= most && ++count <= s->fields_cap) {
            s->nfields++;
            continue;
        }
        /* The rest is decoded for the table's sake. */
        s->overflow = true;
        b.text = before;
        if (total > most * HTTP2_BOMB)
            return http2_fail(c, side, HTTP2_ENHANCE_YOUR_CALM, "header list far too large");
    }
}

/* --- encoding ---------------------------------------------------------------------------------------- */

void http2_encode_limit(struct http2_conn *c, enum http2_side side, uint32_t smallest, uint32_t size)
{
    struct http2_peer *p = &c->peer[side];
    if (p->encoder) {
        hpack_encoder_limit(p->encoder, smallest, size);
        return;
    }
    if (smallest < p->table_min)
        p->table_min = smallest;
    p->table_size = size;
}

static struct hpack_encoder *encoder(struct http2_conn *c, enum http2_side side)
{
    struct http2_peer *p = &c->peer[side];
    if (p->encoder)
        return p->encoder;
    p->encoder = malloc(sizeof(*p->encoder));
    if (!p->encoder)
        return NULL;
    hpack_encoder_init(p->encoder, c->limits->header_table_size);
    hpack_encoder_limit(p->encoder, p->table_min, p->table_size);
    return p->encoder;
}

static bool reserve(struct http2_scratch *s, size_t size)
{
    if (size <= s->out_cap - s->nout)
        return true;
    size_t cap = s->nout + size > 2 * s->out_cap ? s->nout + size : 2 * s->out_cap;
    uint8_t *out = realloc(s->out, cap);
    if (!out)
        return false;
    s->out = out;
    s->out_cap = cap;
    return true;
}

void http2_list_start(struct http2_conn *c, enum http2_side to)
{
    struct http2_scratch *s = c->scratch;
    struct hpack_encoder *e = encoder(c, to);
    s->to = to;
    s->nout = 0;
    s->failed = !e || !reserve(s, HTTP2_HEAD_LEN + HPACK_BEGIN_BOUND);
    if (!s->failed)
        s->nout = (size_t)(hpack_encode_begin(e, s->out + HTTP2_HEAD_LEN) - s->out);
}

void http2_list_add(struct http2_conn *c, struct http_str name, struct http_str value, bool sensitive)
{
    struct http2_scratch *s = c->scratch;
    if (s->failed || !reserve(s, name.n + value.n + HPACK_FIELD_BOUND)) {
        s->failed = true;
        return;
    }
    const uint8_t *end = hpack_encode(c->peer[s->to].encoder, name, value, sensitive, s->out + s->nout);
    if (end)
        s->nout = (size_t)(end - s->out);
    else
        s->failed = true;
}

void http2_list_extend(struct http2_conn *c, const struct http_field *add, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct http_field *f = &add[i];
        if (!f->drop &&
            (f->sound || (f->name.n && http_all(f->name.p, f->name.n, HTTP_NAME) && http_value_ok(f->value))))
            http2_list_add(c, f->name, f->value, f->sensitive);
    }
}

bool http2_list_send(struct http2_conn *c, uint32_t stream, bool end_stream)
{
    struct http2_scratch *s = c->scratch;
    /* Left out of step with its peer, a table is of no use: this ends the connection. */
    if (s->failed)
        return http2_fail(c, s->to, HTTP2_INTERNAL_ERROR, "out of memory");
    http2_tokens_earn(c);

    enum http2_type type = HTTP2_HEADERS;
    unsigned flags = end_stream ? HTTP2_FLAG_END_STREAM : 0;
    uint8_t *p = s->out;
    for (size_t left = s->nout - HTTP2_HEAD_LEN;;) {
        size_t n = left < HTTP2_FRAME_MIN ? left : HTTP2_FRAME_MIN;
        left -= n;
        if (left == 0)
            flags |= HTTP2_FLAG_END_HEADERS;
        /* Over the end of the previous part, which has been emitted. */
        http2_put_head(p, n, type, flags, stream);
        http2_emit(c, s->to, p, HTTP2_HEAD_LEN + n);
        if (left == 0)
            return true;
        p += n;
        type = HTTP2_CONTINUATION;
        flags = 0;
    }
}
