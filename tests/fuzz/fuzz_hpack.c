/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Header blocks of any bytes, and table sizes in between: nghttp2 makes the same of them, and the same again
 * of what our encoder makes of that. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define assert_true(x)                                              \
    do {                                                            \
        if (!(x)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
            abort();                                                \
        }                                                           \
    } while (0)
#define assert_non_null(x) assert_true((x) != NULL)
#define assert_int_equal(a, b) assert_true((a) == (b))
#define assert_int_not_equal(a, b) assert_true((a) != (b))
#define assert_memory_equal(a, b, n) assert_true(memcmp(a, b, n) == 0)

#include "tests/unit/hpack_beside.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIELDS = 64 };

/* Encodes what a block decodes to. */
static void again(struct hpack_decoder *d, struct beside *pair, const uint8_t *p, size_t size)
{
    static char text[BESIDE_TEXT];
    struct http_field fields[FIELDS];
    struct hpack_block block = {.p = p, .end = p + size, .text = text, .text_end = text + sizeof(text)};
    size_t n = 0, total = 0;
    while (n < FIELDS && total < BESIDE_TEXT / 2 && hpack_decode(d, &block, &fields[n]) == HPACK_FIELD) {
        total += fields[n].name.n + fields[n].value.n + HPACK_FIELD_BOUND;
        n++;
    }
    beside_encode(pair, fields, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t limits[] = {4096, 4096, 100, 65536};
    const uint8_t *end = data + size;
    nghttp2_hd_inflater *inflater;
    struct hpack_decoder d, same;
    struct beside *pair = beside_new(size ? limits[data[0] & 3] : 0);
    hpack_decoder_init(&d, 4096);
    hpack_decoder_init(&same, 4096);
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    while (end - data >= 3) {
        uint32_t table = (uint32_t)(data[0] << 8 | data[1]), n = data[2];
        data += 3;
        if (table & 0x8000) {
            table &= 0x1fff;
            assert_int_equal(nghttp2_hd_inflate_change_table_size(inflater, table), 0);
            hpack_decoder_limit(&d, table);
            hpack_decoder_limit(&same, table);
            beside_limit(pair, table / 2, table);
        }
        n = n < (size_t)(end - data) ? n : (uint32_t)(end - data);
        if (!beside_decode(&d, inflater, data, n))
            break;
        again(&same, pair, data, n);
        data += n;
    }
    nghttp2_hd_inflate_del(inflater);
    hpack_decoder_clear(&d);
    hpack_decoder_clear(&same);
    beside_free(pair);
    return 0;
}
