/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HPACK beside nghttp2's: what one decodes the other does, what ours encodes nghttp2 decodes. The asserts are
 * cmocka's, or a fuzzer's own. */
#ifndef HPACK_BESIDE_H
#define HPACK_BESIDE_H

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/http/hpack.h"

enum { BESIDE_TEXT = 200000 };

/* Decodes with both and compares; false: they refuse the block. */
static inline bool beside_decode(struct hpack_decoder *d, nghttp2_hd_inflater *other, const uint8_t *p,
                                 size_t size)
{
    static char text[BESIDE_TEXT];
    uint8_t *copy = malloc(size ? size : 1); /* exactly as large */
    struct http_field field;
    enum hpack_result result;
    memcpy(copy, p, size);
    struct hpack_block block = {.p = copy, .end = copy + size, .text = text, .text_end = text + sizeof(text)};
    for (;;) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t n;
        do {
            n = nghttp2_hd_inflate_hd2(other, &nv, &flags, p, size, 1);
            if (n > 0)
                p += n, size -= (size_t)n;
        } while (n >= 0 && !(flags & (NGHTTP2_HD_INFLATE_FINAL | NGHTTP2_HD_INFLATE_EMIT)));
        block.text = text;
        result = hpack_decode(d, &block, &field);
        assert_int_not_equal(result, HPACK_NO_MEMORY);
        if (n < 0) {
            assert_int_equal(result, HPACK_BROKEN);
            break;
        }
        if (!(flags & NGHTTP2_HD_INFLATE_EMIT)) {
            assert_int_equal(result, HPACK_END);
            nghttp2_hd_inflate_end_headers(other);
            break;
        }
        assert_int_equal(result, HPACK_FIELD);
        assert_int_equal(field.name.n, nv.namelen);
        assert_int_equal(field.value.n, nv.valuelen);
        assert_memory_equal(field.name.p, nv.name, nv.namelen);
        assert_memory_equal(field.value.p, nv.value, nv.valuelen);
        assert_int_equal(field.sensitive, (nv.flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0);
        bool blanks = nv.valuelen && (strchr(" \t", nv.value[0]) || strchr(" \t", nv.value[nv.valuelen - 1]));
        assert_int_equal(field.sound, nghttp2_check_header_name(nv.name, nv.namelen) &&
                                          nghttp2_check_header_value(nv.value, nv.valuelen) && !blanks);
    }
    assert_int_equal(d->table.size, nghttp2_hd_inflate_get_dynamic_table_size(other));
    free(copy);
    return result == HPACK_END;
}

struct beside {
    struct hpack_encoder e;
    nghttp2_hd_inflater *inflater;
    uint8_t out[BESIDE_TEXT];
    size_t size; /* of the last block */
};

static inline struct beside *beside_new(uint32_t limit)
{
    struct beside *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    hpack_encoder_init(&p->e, limit);
    assert_int_equal(nghttp2_hd_inflate_new(&p->inflater), 0);
    return p;
}

static inline void beside_free(struct beside *p)
{
    hpack_encoder_clear(&p->e);
    nghttp2_hd_inflate_del(p->inflater);
    free(p);
}

static inline void beside_limit(struct beside *p, uint32_t smallest, uint32_t size)
{
    hpack_encoder_limit(&p->e, smallest, size);
    if (smallest < size)
        assert_int_equal(nghttp2_hd_inflate_change_table_size(p->inflater, smallest), 0);
    assert_int_equal(nghttp2_hd_inflate_change_table_size(p->inflater, size), 0);
}

/* Encodes, and nghttp2 decodes. */
static inline void beside_encode(struct beside *p, const struct http_field *fields, size_t n)
{
    uint8_t *end = hpack_encode_begin(&p->e, p->out);
    assert_true(end - p->out <= HPACK_BEGIN_BOUND);
    for (size_t i = 0; i < n; i++) {
        uint8_t *before = end;
        end = hpack_encode(&p->e, fields[i].name, fields[i].value, fields[i].sensitive, end);
        assert_non_null(end);
        assert_true((size_t)(end - before) <= fields[i].name.n + fields[i].value.n + HPACK_FIELD_BOUND);
    }
    const uint8_t *in = p->out;
    size_t left = p->size = (size_t)(end - p->out), got = 0;
    for (int flags = 0; !(flags & NGHTTP2_HD_INFLATE_FINAL);) {
        nghttp2_nv nv;
        flags = 0;
        ssize_t used = nghttp2_hd_inflate_hd2(p->inflater, &nv, &flags, in, left, 1);
        assert_true(used >= 0);
        in += used;
        left -= (size_t)used;
        if (!(flags & NGHTTP2_HD_INFLATE_EMIT))
            continue;
        assert_true(got < n);
        const struct http_field *f = &fields[got++];
        assert_int_equal(nv.namelen, f->name.n);
        assert_int_equal(nv.valuelen, f->value.n);
        assert_memory_equal(nv.name, f->name.p, nv.namelen);
        assert_memory_equal(nv.value, f->value.p, nv.valuelen);
        assert_true(!f->sensitive || nv.flags & NGHTTP2_NV_FLAG_NO_INDEX);
    }
    assert_int_equal(got, n);
    nghttp2_hd_inflate_end_headers(p->inflater);
    assert_int_equal(p->e.table.size, nghttp2_hd_inflate_get_dynamic_table_size(p->inflater));
}

#endif
