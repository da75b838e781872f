/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HPACK tables stay in step with nghttp2's on both sides through random header blocks and table sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "http2_wire.h"

enum { BLOCKS = 10000 };

static void random_list(uint64_t *random, char *list, size_t size, const char *start)
{
    static const char *const names[] = {"x-a",
                                        "x-bb",
                                        "accept",
                                        "user-agent",
                                        "x-request-id",
                                        "etag",
                                        "set-cookie",
                                        "authorization",
                                        "via",
                                        "x-very-long-name-of-a-field",
                                        "grpc-trace-bin",
                                        "cache-control",
                                        "content-language"};
    size_t n = (size_t)snprintf(list, size, "%s", start);
    for (unsigned k = wire_random(random) % 12; k && n + 2300 < size; k--) {
        const char *name = names[wire_random(random) % (sizeof(names) / sizeof(names[0]))];
        uint32_t kind = wire_random(random) % 16;
        n += (size_t)snprintf(list + n, size - n, "%s%s%s=", n ? "|" : "", name, kind == 0 ? "!" : "");
        size_t length = kind < 8    ? kind * 3
                        : kind < 15 ? wire_random(random) % 60
                                    : wire_random(random) % 2000;
        /* few distinct values, so that tables get used */
        uint32_t seed = kind < 8 ? kind : wire_random(random) % 50;
        for (size_t i = 0; i < length; i++)
            list[n++] = (char)('0' + (seed + i * 7) % 42 + ((seed + i * 7) % 42 == 13) * 30);
        list[n] = 0;
    }
}

/* The log's line for a list: fields parted by blanks, sensitive ones marked. */
static void expect(const char *list, const char *line)
{
    char want[8192] = "", *out = want;
    char *copy = strdup(list);
    for (char *save, *f = strtok_r(copy, "|", &save); f; f = strtok_r(NULL, "|", &save)) {
        char *eq = strchr(f + 1, '=');
        size_t namelen = (size_t)(eq - f);
        bool sensitive = eq[-1] == '!';
        /* nghttp2 never indexes these, and so they are marked when they arrive */
        bool secret = !strncmp(f, "authorization", 13);
        out += sprintf(out, " %.*s=%.200s%s", (int)(namelen - sensitive), f, eq + 1,
                       sensitive || secret ? "(!)" : "");
    }
    free(copy);
    const char *fields = strchr(line, ' ');
    assert_non_null(fields);
    fields = strchr(fields + 1, ' ');
    if (fields && !strncmp(fields, " END", 4))
        fields += 4;
    size_t n = strcspn(fields, "\n");
    if (n != strlen(want) || memcmp(fields, want, n) != 0)
        fail_msg("sent:%s\ngot:%.*s", want, (int)n, fields);
}

/* side states a table size; the other side acknowledges it. */
static void state_table(struct wire *w, enum http2_side side, uint32_t smallest, uint32_t size)
{
    uint8_t p[12] = {0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0};
    http2_put32(p + 2, smallest);
    http2_put32(p + 8, size);
    unsigned acked = w->watch[side].acked;
    wire_send(w, side, HTTP2_SETTINGS, 0, 0, p, 12);
    wire_send(w, http2_other(side), HTTP2_SETTINGS, 1, 0, NULL, 0);
    assert_int_equal(w->watch[side].acked, acked + 1);
    /* What a decoder does when its SETTINGS are acknowledged. */
    if (smallest < size)
        assert_int_equal(nghttp2_hd_inflate_change_table_size(w->watch[side].inflater, smallest), 0);
    assert_int_equal(nghttp2_hd_inflate_change_table_size(w->watch[side].inflater, size), 0);
}

static void run(uint32_t table, uint64_t random, unsigned blocks)
{
    char list[8192], reply[8192];
    struct wire *w = wire_new();
    w->limits.header_table_size = table;
    w->limits.settings_per_second = 1000000;
    w->limits.header_list_size = 65536;
    wire_hello(w);
    /* Our limit is known to both now: their encoders keep it. */
    for (int i = 0; i < 2; i++)
        nghttp2_hd_deflate_change_table_size(w->deflater[i], table);
    for (uint32_t i = 0; i < blocks; i++) {
        uint32_t id = 2 * i + 1, dice = wire_random(&random);
        w->sink.now_ms += 1000;
        if (dice % 50 == 0) {
            uint32_t a = wire_random(&random) % 9000, b = wire_random(&random) % 9000;
            if (dice % 7 == 0)
                b = dice % 2 ? 0 : 65536;
            state_table(w, dice % 3 ? HTTP2_UP : HTTP2_DOWN, a < b ? a : b, b);
        } else if (dice % 50 == 1) { /* an encoder that uses less than it may */
            nghttp2_hd_deflate_change_table_size(w->deflater[dice % 2],
                                                 table ? wire_random(&random) % (table + 1) : 0);
        }
        wire_log(w, HTTP2_DOWN);
        wire_log(w, HTTP2_UP);
        random_list(&random, list, sizeof(list), WIRE_GET);
        random_list(&random, reply, sizeof(reply), ":status=200");
        wire_headers(w, HTTP2_DOWN, id, true, list);
        expect(list, wire_log(w, HTTP2_UP));
        if (w->closed)
            fail_msg("%s", http2_why(w->conn).text);
        wire_log(w, HTTP2_DOWN);
        wire_headers(w, HTTP2_UP, id, i % 2, reply);
        if (w->closed)
            fail_msg("%s", http2_why(w->conn).text);
        expect(reply, wire_log(w, HTTP2_DOWN));
        if (i % 2 == 0) {
            random_list(&random, reply, sizeof(reply), "x-trailer=1");
            wire_headers(w, HTTP2_UP, id, true, reply);
            expect(reply, wire_log(w, HTTP2_DOWN));
        }
        wire_ends(w);
        assert_false(w->closed);
        assert_int_equal(http2_streams(w->conn), 0);
    }
    wire_free(w);
}

static void tables_stay_in_step(void **state)
{
    (void)state;
    run(4096, 0x12345678abcdefu, BLOCKS);
}

static void tables_of_other_sizes(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0, 1, 64, 1000, 4095, 4097, 65536};
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        run(sizes[i], 77 + sizes[i], 600);
}

/* Below 4096 a peer may go on with 4096 until it has acknowledged, and must say so afterwards. */
static void a_smaller_table_waits_for_the_ack(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    w->limits.header_table_size = 100;
    wire_feed(w, HTTP2_DOWN, HTTP2_PREFACE, 24);
    wire_send(w, HTTP2_DOWN, HTTP2_SETTINGS, 0, 0, NULL, 0);
    assert_string_equal(wire_log(w, HTTP2_UP), "SETTINGS 1=100 2=0 6=65536\n");
    for (uint32_t id = 1; id < 20; id += 2)
        wire_headers(w, HTTP2_DOWN, id, true, WIRE_GRPC "|x-a=a-value-that-fits-a-table-of-100");
    wire_send(w, HTTP2_UP, HTTP2_SETTINGS, 0, 0, NULL, 0);
    assert_string_equal(wire_log(w, HTTP2_DOWN), "SETTINGS 1=100 3=256 6=65536\n");
    wire_headers(w, HTTP2_UP, 3, true, ":status=200|x-b=and-so-does-this-one");
    wire_headers(w, HTTP2_DOWN, 21, true, WIRE_GRPC);
    assert_false(w->closed);
    wire_send(w, HTTP2_DOWN, HTTP2_SETTINGS, 1, 0, NULL, 0);
    assert_int_equal(nghttp2_hd_deflate_change_table_size(w->deflater[HTTP2_DOWN], 100), 0);
    for (uint32_t id = 23; id < 40; id += 2)
        wire_headers(w, HTTP2_DOWN, id, true, WIRE_GRPC);
    assert_false(w->closed);
    wire_send(w, HTTP2_UP, HTTP2_SETTINGS, 1, 0, NULL, 0);
    wire_headers(w, HTTP2_UP, 1, true, ":status=200"); /* no size update */
    assert_true(w->closed);
    assert_int_equal(http2_why(w->conn).side, HTTP2_UP);
    assert_int_equal(http2_why(w->conn).code, HTTP2_COMPRESSION_ERROR);
    wire_free(w);

    w = wire_new();
    w->limits.header_table_size = 100;
    wire_hello(w);
    wire_headers(w, HTTP2_DOWN, 1, true, WIRE_GRPC); /* no size update */
    assert_true(w->closed);
    assert_int_equal(http2_why(w->conn).code, HTTP2_COMPRESSION_ERROR);
    wire_free(w);
}

/* A header block larger than a frame leaves as HEADERS and CONTINUATION. */
static void large_lists_are_continued(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    static char value[40001];
    wire_hello(w);
    memset(value, '{', sizeof(value) - 1); /* no Huffman code makes this shorter */
    struct http_field add[2] = {{.name = HTTP_STR("x-a"), .value = {value, 40000}, .sensitive = true},
                                {.name = HTTP_STR("x-b"), .value = HTTP_STR("end")}};
    w->verdict.add = add;
    w->verdict.nadd = 2;
    wire_headers(w, HTTP2_DOWN, 1, true, WIRE_GET);
    const char *log = wire_log(w, HTTP2_UP);
    assert_non_null(strstr(log, "x-a={{{{"));
    assert_non_null(strstr(log, " x-b=end\n"));
    assert_int_equal(w->watch[HTTP2_UP].frames[HTTP2_CONTINUATION], 2);
    wire_headers(w, HTTP2_UP, 1, true, ":status=200");
    assert_string_equal(wire_log(w, HTTP2_DOWN), "HEADERS 1 END :status=200\n");
    wire_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_stay_in_step),
        cmocka_unit_test(tables_of_other_sizes),
        cmocka_unit_test(a_smaller_table_waits_for_the_ack),
        cmocka_unit_test(large_lists_are_continued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
