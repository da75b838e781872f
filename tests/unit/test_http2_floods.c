/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Floods end with ENHANCE_YOUR_CALM, and what a busy but honest peer does is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "http2_wire.h"

typedef void (*flood)(struct wire *w, uint32_t i);

static uint32_t id(uint32_t i)
{
    return 2 * i + 3; /* stream 1 is open */
}

static void rapid_reset(struct wire *w, uint32_t i)
{
    wire_headers(w, HTTP2_DOWN, id(i), true, WIRE_GET);
    wire_u32(w, HTTP2_DOWN, HTTP2_RST_STREAM, id(i), HTTP2_CANCEL);
}

/* Has the relay reset them (CVE-2025-8671). */
static void made_you_reset(struct wire *w, uint32_t i)
{
    wire_headers(w, HTTP2_DOWN, id(i), true, WIRE_GET);
    wire_u32(w, HTTP2_DOWN, HTTP2_WINDOW_UPDATE, id(i), 0);
}

static void malformed(struct wire *w, uint32_t i)
{
    wire_headers(w, HTTP2_DOWN, id(i), true, WIRE_GET "|Bad=1");
}

static void too_many_streams(struct wire *w, uint32_t i)
{
    wire_headers(w, HTTP2_DOWN, id(i), true, WIRE_GET);
}

static void pings(struct wire *w, uint32_t i)
{
    (void)i;
    wire_send(w, HTTP2_DOWN, HTTP2_PING, 0, 0, "12345678", 8);
}

static void ping_acks(struct wire *w, uint32_t i)
{
    (void)i;
    wire_send(w, HTTP2_DOWN, HTTP2_PING, 1, 0, "12345678", 8);
}

static void settings(struct wire *w, uint32_t i)
{
    (void)i;
    wire_send(w, HTTP2_DOWN, HTTP2_SETTINGS, 0, 0, NULL, 0);
    wire_send(w, HTTP2_UP, HTTP2_SETTINGS, 1, 0, NULL, 0);
}

static void settings_unacknowledged(struct wire *w, uint32_t i)
{
    (void)i;
    wire_send(w, HTTP2_DOWN, HTTP2_SETTINGS, 0, 0, NULL, 0);
}

static void settings_entries(struct wire *w, uint32_t i)
{
    uint8_t p[6 * 65] = {0};
    (void)i;
    wire_send(w, HTTP2_DOWN, HTTP2_SETTINGS, 0, 0, p, sizeof(p));
}

static void priorities(struct wire *w, uint32_t i)
{
    wire_send(w, HTTP2_DOWN, HTTP2_PRIORITY, 0, 1 + i % 100, "\0\0\0\0\1", 5);
}

static void windows(struct wire *w, uint32_t i)
{
    wire_u32(w, HTTP2_DOWN, HTTP2_WINDOW_UPDATE, i % 2, 1);
}

static void unknowns(struct wire *w, uint32_t i)
{
    wire_send(w, HTTP2_DOWN, 0x20 + i % 8, 0, 0, NULL, 0);
}

static void goaways(struct wire *w, uint32_t i)
{
    (void)i;
    wire_send(w, HTTP2_DOWN, HTTP2_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0", 8);
}

static void empty_data(struct wire *w, uint32_t i)
{
    (void)i;
    wire_data(w, HTTP2_DOWN, 1, false, 0);
}

static void padding_only(struct wire *w, uint32_t i)
{
    (void)i;
    wire_send(w, HTTP2_DOWN, HTTP2_DATA, 8, 1, "\3\0\0\0", 4);
}

static void empty_data_on_closed(struct wire *w, uint32_t i)
{
    if (i == 0)
        wire_u32(w, HTTP2_DOWN, HTTP2_RST_STREAM, 1, 8);
    wire_data(w, HTTP2_DOWN, 1, false, 0);
}

/* Beyond what could have been on its way when the stream closed. */
static void data_on_closed(struct wire *w, uint32_t i)
{
    if (i == 0)
        wire_u32(w, HTTP2_DOWN, HTTP2_RST_STREAM, 1, 8);
    wire_data(w, HTTP2_DOWN, 1, false, 64);
}

static void resets_of_closed(struct wire *w, uint32_t i)
{
    (void)i;
    wire_u32(w, HTTP2_DOWN, HTTP2_RST_STREAM, 1, 8);
}

static void trailers_on_closed(struct wire *w, uint32_t i)
{
    if (i == 0)
        wire_u32(w, HTTP2_DOWN, HTTP2_RST_STREAM, 1, 8);
    wire_headers(w, HTTP2_DOWN, 1, true, "a=b");
}

static void continuations(struct wire *w, uint32_t i)
{
    if (i == 0)
        wire_send(w, HTTP2_DOWN, HTTP2_HEADERS, 0, 3, "\x82", 1);
    else
        wire_send(w, HTTP2_DOWN, HTTP2_CONTINUATION, 0, 3, "\x87", 1);
}

static void empty_continuations(struct wire *w, uint32_t i)
{
    wire_send(w, HTTP2_DOWN, i ? HTTP2_CONTINUATION : HTTP2_HEADERS, 0, 3, NULL, 0);
}

static void empty_headers(struct wire *w, uint32_t i)
{
    wire_send(w, HTTP2_DOWN, HTTP2_HEADERS, 0, id(i), NULL, 0);
    wire_send(w, HTTP2_DOWN, HTTP2_CONTINUATION, 4, id(i), "\x82", 1);
}

static void large_block(struct wire *w, uint32_t i)
{
    static uint8_t p[16384];
    wire_send(w, HTTP2_DOWN, i ? HTTP2_CONTINUATION : HTTP2_HEADERS, 0, 3, p, sizeof(p));
}

/* One large field in the table, named again and again: 32 KiB become 120 MB. */
static void hpack_bomb(struct wire *w, uint32_t i)
{
    static uint8_t p[16384];
    char list[4200] = WIRE_GET "|x=";
    if (i == 0) {
        size_t n = strlen(list);
        memset(list + n, 'y', 3000);
        list[n + 3000] = 0;
        wire_headers(w, HTTP2_DOWN, 3, true, list);
        return;
    }
    memset(p, 0xbe, sizeof(p)); /* the newest entry */
    wire_send(w, HTTP2_DOWN, HTTP2_HEADERS, 5, 5, p, sizeof(p));
}

static const struct {
    const char *name;
    flood step;
    unsigned least, most; /* steps that pass, steps by which it ends */
} floods[] = {
    {"rapid reset", rapid_reset, 999, 1001},
    {"made you reset", made_you_reset, 999, 1001},
    {"malformed requests", malformed, 999, 1001},
    {"too many streams", too_many_streams, 255 + 999, 255 + 1001},
    {"PING", pings, 2000, 2002},
    {"PING ACK", ping_acks, 2000, 2002},
    {"SETTINGS", settings, 49, 51},
    {"SETTINGS, no ACK", settings_unacknowledged, 8, 9},
    {"SETTINGS, many entries", settings_entries, 0, 1},
    {"PRIORITY", priorities, 2000, 2002},
    {"WINDOW_UPDATE", windows, 2000, 2002},
    {"unknown frames", unknowns, 2000, 2002},
    {"GOAWAY", goaways, 2000, 2002},
    {"empty DATA", empty_data, 1000, 1002},
    {"DATA of padding", padding_only, 1000, 1002},
    {"empty DATA on a closed stream", empty_data_on_closed, 1000, 1020},
    {"DATA on a closed stream", data_on_closed, 65535 / 64 + 1000, 65535 / 64 + 1020},
    {"RST_STREAM on a closed stream", resets_of_closed, 1000, 1020},
    {"trailers on a closed stream", trailers_on_closed, 1000, 1020},
    {"CONTINUATION", continuations, 9, 10},
    {"empty CONTINUATION", empty_continuations, 9, 10},
    {"empty HEADERS", empty_headers, 1000, 1002},
    {"large header block", large_block, 2, 3},
    {"HPACK bomb", hpack_bomb, 1, 2},
};

static void floods_end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(floods) / sizeof(floods[0]); i++) {
        struct wire *w = wire_new();
        uint32_t n = 0;
        wire_hello(w);
        w->watch[0].quiet = w->watch[1].quiet = true;
        w->watch[0].window = w->watch[1].window = INT32_MAX;
        wire_headers(w, HTTP2_DOWN, 1, false, WIRE_POST);
        while (!w->closed && n < 5000)
            floods[i].step(w, n++);
        struct http2_why why = http2_why(w->conn);
        if (!w->closed || why.side != HTTP2_DOWN || why.code != HTTP2_ENHANCE_YOUR_CALM ||
            n <= floods[i].least || n > floods[i].most || w->watch[0].goaway_code != HTTP2_ENHANCE_YOUR_CALM)
            fail_msg("%s: after %u: %s, code %u", floods[i].name, n, why.text ? why.text : "open", why.code);
        wire_free(w);
    }
}

/* The same at the rates allowed, for a minute. */
static void rates_allowed_pass(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    wire_hello(w);
    w->watch[0].quiet = w->watch[1].quiet = true;
    w->watch[0].window = w->watch[1].window = INT32_MAX;
    wire_headers(w, HTTP2_DOWN, 1, false, WIRE_POST);
    for (uint32_t i = 0; i < 6000; i++) { /* every 10 ms */
        w->sink.now_ms += 10;
        rapid_reset(w, i);
        pings(w, i);
        windows(w, i);
        empty_data(w, i);
        if (i % 20 == 0)
            settings(w, i);
        assert_false(w->closed);
    }
    wire_free(w);
}

static void idling_saves_up_ten_seconds(void **state)
{
    struct wire *w = wire_new();
    uint32_t n = 0;
    (void)state;
    wire_hello(w);
    w->watch[0].quiet = w->watch[1].quiet = true;
    for (int i = 0; i < 5; i++) {
        w->sink.now_ms += 3600000;
        pings(w, 0);
    }
    while (!w->closed && n < 5000)
        pings(w, n++);
    assert_in_range(n, 1999, 2001);
    wire_free(w);
}

/* A great many short calls, each with a late WINDOW_UPDATE or two, and uploads that are refused. */
static void busy_is_no_flood(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    wire_hello(w);
    w->watch[0].quiet = w->watch[1].quiet = true;
    w->watch[0].window = w->watch[1].window = INT32_MAX;
    for (uint32_t i = 0; i < 5000; i++) {
        uint32_t n = 2 * i + 1;
        bool refused = i % 3 == 0;
        w->verdict.status = refused ? 403 : 0;
        wire_headers(w, HTTP2_DOWN, n, false, WIRE_GRPC);
        wire_data(w, HTTP2_DOWN, n, false, 900);
        wire_data(w, HTTP2_DOWN, n, true, 0);
        if (!refused) {
            wire_headers(w, HTTP2_UP, n, false, ":status=200");
            wire_window(w, HTTP2_UP, 0, 900);
            wire_window(w, HTTP2_UP, n, 900);
            wire_data(w, HTTP2_UP, n, false, 100);
            wire_headers(w, HTTP2_UP, n, true, "grpc-status=0");
            wire_window(w, HTTP2_DOWN, n, 100);
            wire_window(w, HTTP2_DOWN, 0, 100);
        }
        assert_false(w->closed);
    }
    wire_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floods_end),
        cmocka_unit_test(rates_allowed_pass),
        cmocka_unit_test(idling_saves_up_ten_seconds),
        cmocka_unit_test(busy_is_no_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
