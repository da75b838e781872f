/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HPACK beside nghttp2's: whatever either encodes the other decodes to the same, and what one refuses the
 * other does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "hpack_beside.h"

static uint32_t draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 16);
}

static struct http_str str(const char *s)
{
    return (struct http_str){s, strlen(s)};
}

static void the_static_table(void **state)
{
    (void)state;
    nghttp2_hd_inflater *inflater;
    struct hpack_decoder d;
    hpack_decoder_init(&d, 4096);
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    for (unsigned i = 1; i <= HPACK_STATIC; i++) {
        const uint8_t block = (uint8_t)(0x80 | i);
        assert_true(beside_decode(&d, inflater, &block, 1));
        unsigned found = hpack_static_find(hpack_static[i].name);
        assert_true(found && found <= i);
        assert_string_equal(hpack_static[found].name.p, hpack_static[i].name.p);
        assert_true(found == 1 || strcmp(hpack_static[found - 1].name.p, hpack_static[i].name.p) != 0);
    }
    const uint8_t beyond[] = {0x80 | (HPACK_STATIC + 1)};
    assert_false(beside_decode(&d, inflater, beyond, 1));
    static const char *const none[] = {"",     "a", "hosts", ":statu5", "x-very-long-name-that-nobody-has",
                                       ":Path"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_int_equal(hpack_static_find(str(none[i])), 0);
    nghttp2_hd_inflate_del(inflater);
    hpack_decoder_clear(&d);
}

/* Every character, by what nghttp2 makes of it. */
static void huffman_codes(void **state)
{
    (void)state;
    uint64_t random = 4711;
    nghttp2_hd_inflater *inflater;
    nghttp2_hd_deflater *deflater;
    struct hpack_decoder d;
    uint8_t out[2000];
    char value[600];
    hpack_decoder_init(&d, 4096);
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    assert_int_equal(nghttp2_hd_deflate_new(&deflater, 4096), 0);
    for (int i = 0; i < 20000; i++) {
        /* enough short codes for the whole to be worth it */
        size_t n = 60 + draw(&random) % 500, rare = draw(&random) % 20;
        for (size_t k = 0; k < n; k++)
            value[k] = "0123aceiost"[draw(&random) % 11];
        for (size_t k = 0; k < rare; k++)
            value[draw(&random) % n] = (char)(i < 256 * 20 ? i / 20 : (int)draw(&random) % 256);
        nghttp2_nv nv = {(uint8_t *)(uintptr_t) "x-a", (uint8_t *)value, 3, n, 0};
        ssize_t size = nghttp2_hd_deflate_hd(deflater, out, sizeof(out), &nv, 1);
        assert_true(size > 0);
        assert_true(beside_decode(&d, inflater, out, (size_t)size));
    }
    nghttp2_hd_inflate_del(inflater);
    nghttp2_hd_deflate_del(deflater);
    hpack_decoder_clear(&d);
}

/* Blocks that nghttp2 made, damaged, and bytes at random. */
static void damaged_blocks(void **state)
{
    (void)state;
    uint64_t random = 99;
    unsigned fine = 0, broken = 0;
    for (int round = 0; round < 20000; round++) {
        nghttp2_hd_inflater *inflater;
        nghttp2_hd_deflater *deflater;
        struct hpack_decoder d;
        uint8_t out[4000];
        hpack_decoder_init(&d, 4096);
        assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
        assert_int_equal(nghttp2_hd_deflate_new(&deflater, 4096), 0);
        for (int i = 0; i < 20; i++) {
            char value[3][300];
            nghttp2_nv nv[3];
            static const char *const names[] = {"x-a", ":path", "date", "Bad", "x y", ":", "x-bcd", ""};
            for (int k = 0; k < 3; k++) {
                const char *name = names[draw(&random) % 8];
                size_t n = draw(&random) % (draw(&random) % 8 ? 10 : 300);
                for (size_t c = 0; c < n; c++)
                    value[k][c] = (char)(draw(&random) % 8 ? 'a' + draw(&random) % 3 : draw(&random) % 256);
                nv[k] = (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)value[k], strlen(name), n,
                                     draw(&random) % 5 == 0 ? NGHTTP2_NV_FLAG_NO_INDEX : 0};
            }
            if (draw(&random) % 8 == 0)
                assert_int_equal(nghttp2_hd_deflate_change_table_size(deflater, draw(&random) % 6000), 0);
            ssize_t size = nghttp2_hd_deflate_hd(deflater, out, sizeof(out), nv, 3);
            assert_true(size > 0);
            for (unsigned hits = draw(&random) % 4 == 0 ? 1 + draw(&random) % 3 : 0; hits; hits--)
                out[draw(&random) % (size_t)size] = (uint8_t)draw(&random);
            if (draw(&random) % 16 == 0)
                size = draw(&random) % size;
            if (draw(&random) % 32 == 0)
                for (ssize_t k = 0; k < size; k++)
                    out[k] = (uint8_t)draw(&random);
            if (!beside_decode(&d, inflater, out, (size_t)size)) {
                broken++;
                break;
            }
            fine++;
        }
        nghttp2_hd_inflate_del(inflater);
        nghttp2_hd_deflate_del(deflater);
        hpack_decoder_clear(&d);
    }
    assert_true(fine > 50000 && broken > 5000);
}

/* --- encoding --- */

static void tables_stay_in_step(void **state)
{
    (void)state;
    static const uint32_t limits[] = {4096, 0, 1, 33, 100, 1000, 4095, 4097, 65536};
    static const char *const names[] = {
        ":status",    ":path",         "x-a",          "x-bb",
        "accept",     "user-agent",    "x-request-id", "via",
        "set-cookie", "authorization", "cookie",       "x-very-long-name-of-a-field",
        "q"};
    uint64_t random = 7;
    static char values[12][3000];
    for (size_t l = 0; l < sizeof(limits) / sizeof(limits[0]); l++) {
        struct beside *p = beside_new(limits[l]);
        for (int block = 0; block < 10000; block++) {
            struct http_field fields[12] = {0};
            size_t n = draw(&random) % 12;
            for (size_t i = 0; i < n; i++) {
                uint32_t kind = draw(&random) % 16;
                size_t length = kind < 8 ? kind * 3 : kind < 15 ? draw(&random) % 60 : draw(&random) % 3000;
                uint32_t seed = kind < 8 ? kind : draw(&random) % 50;
                for (size_t k = 0; k < length; k++)
                    values[i][k] = (char)('0' + (seed + k * 7) % 42);
                if (length > 20 && draw(&random) % 2) /* differs in the middle alone */
                    values[i][length / 2] = 'a';
                fields[i].name = str(names[draw(&random) % (sizeof(names) / sizeof(names[0]))]);
                fields[i].value = (struct http_str){values[i], length};
                fields[i].sensitive = draw(&random) % 20 == 0;
            }
            if (draw(&random) % 50 == 0) {
                uint32_t a = draw(&random) % 9000, b = draw(&random) % 9000;
                if (a % 7 == 0)
                    b = a % 2 ? 0 : 100000;
                beside_limit(p, a < b ? a : b, b);
                if (a % 3 == 0) /* two before the next block */
                    beside_limit(p, a / 2 < b ? a / 2 : b, b);
            }
            beside_encode(p, fields, n);
        }
        beside_free(p);
    }
}

static struct http_field field(const char *name, const char *value)
{
    return (struct http_field){.name = str(name), .value = str(value)};
}

/* Ids that are others each time neither push out what is said again nor stay in the table. */
static void what_is_said_again_stays(void **state)
{
    (void)state;
    struct beside *p = beside_new(4096);
    static char cert[701], xfcc[401];
    memset(cert, 'c', 700);
    memset(xfcc, 'x', 400);
    for (int i = 0; i < 1000; i++) {
        char id[40], trace[60];
        snprintf(id, sizeof(id), "%08x-0000-4000-8000-%012x", i, i * 7919);
        snprintf(trace, sizeof(trace), "00-%032x-%016x-01", i * 31, i * 17);
        struct http_field fields[] = {field(":method", "GET"),    field(":path", "/orders.Orders/Get"),
                                      field("x-request-id", id),  field("traceparent", trace),
                                      field("client-cert", cert), field("x-forwarded-client-cert", xfcc),
                                      field("te", "trailers")};
        beside_encode(p, fields, sizeof(fields) / sizeof(fields[0]));
        if (i > 0) /* one byte each, but for the ids and their names' indices */
            assert_int_equal(p->size, 5 + (36 + 3) + (55 + 3));
        if (i > 0)
            assert_int_equal(p->e.table.count, 6);
    }
    /* One that comes again after all. */
    struct http_field first = field("x-request-id", "00000000-0000-4000-8000-000000000000");
    beside_encode(p, &first, 1);
    assert_int_equal(p->size, 1);
    struct http_field other = field("x-request-id", "11111111-0000-4000-8000-000000000000");
    beside_encode(p, &other, 1);
    assert_true(p->size > 30);
    beside_encode(p, &other, 1);
    assert_int_equal(p->size, 1);
    beside_free(p);
}

/* Certificates that do not fit in together do not push each other out for ever: some stay. */
static void too_much_to_keep(void **state)
{
    (void)state;
    struct beside *p = beside_new(4096);
    static char cert[3][1901];
    for (int i = 0; i < 3; i++)
        memset(cert[i], "abc"[i], 1900);
    for (int i = 0; i < 50; i++) {
        struct http_field fields[] = {
            field("user-agent", "shop/2.1"), field("cf-client-cert-der-base64", cert[0]),
            field("client-cert", cert[1]), field("client-cert-chain", cert[2]), field("accept", "*/*")};
        beside_encode(p, fields, sizeof(fields) / sizeof(fields[0]));
        if (i > 2)
            assert_true(p->size < 2 * 1900);
    }
    beside_free(p);
}

static void secrets_are_not_indexed(void **state)
{
    (void)state;
    struct beside *p = beside_new(4096);
    struct http_field fields[] = {field("authorization", "Bearer abc"),
                                  field("cookie", "a=b"),
                                  {.name = HTTP_STR("x-key"), .value = HTTP_STR("1234"), .sensitive = true},
                                  {.name = HTTP_STR(":method"), .value = HTTP_STR("GET"), .sensitive = true}};
    for (int i = 0; i < 3; i++) {
        beside_encode(p, fields, 4);
        assert_int_equal(p->e.table.count, 0);
        assert_int_equal(p->out[0] & 0xf0, 0x10);
    }
    beside_free(p);
}

/* What the other side may no longer hold is said, and both sizes where it shrank in between (4.2). */
static void sizes_are_told(void **state)
{
    (void)state;
    struct beside *p = beside_new(4096);
    struct http_field f = field("x-a", "value");
    beside_encode(p, &f, 1);
    beside_encode(p, &f, 1);
    assert_int_equal(p->size, 1);
    beside_limit(p, 0, 4096);
    beside_encode(p, &f, 1);
    static const uint8_t told[] = {0x20, 0x3f, 0xe1, 0x1f, 0x40};
    assert_memory_equal(p->out, told, sizeof(told));
    beside_encode(p, &f, 1);
    assert_int_equal(p->size, 1);
    beside_limit(p, 100000, 100000); /* beyond our own limit: nothing changes */
    beside_encode(p, &f, 1);
    assert_int_equal(p->size, 1);
    beside_limit(p, 30, 30);
    beside_encode(p, &f, 1);
    assert_int_equal(p->out[0], 0x20 | 30);
    assert_int_equal(p->e.table.count, 0);
    beside_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_static_table),         cmocka_unit_test(huffman_codes),
        cmocka_unit_test(damaged_blocks),           cmocka_unit_test(tables_stay_in_step),
        cmocka_unit_test(what_is_said_again_stays), cmocka_unit_test(too_much_to_keep),
        cmocka_unit_test(secrets_are_not_indexed),  cmocka_unit_test(sizes_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
