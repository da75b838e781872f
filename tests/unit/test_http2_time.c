/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who is waited for, and how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/http2_wire.h"

static const struct http2_patience half_minute = {.request_ms = 30000, .response_ms = 40000};

/* Nothing happens until due, then calls. False: the connection is over. */
static bool wait_till(struct wire *w, const struct http2_patience *p, uint64_t due)
{
    assert_int_equal(http2_due(w->conn, p), due);
    w->sink.now_ms = due - 1;
    assert_int_equal(http2_timeout(w->conn, p, &w->sink), HTTP2_MORE);
    w->sink.now_ms = due;
    if (http2_timeout(w->conn, p, &w->sink) == HTTP2_CLOSE)
        w->closed = true;
    return !w->closed && http2_state(w->conn) != HTTP2_DONE;
}

static void the_preface_is_waited_for(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    assert_int_equal(http2_due(w->conn, &(struct http2_patience){0}), 0);
    wire_feed(w, HTTP2_DOWN, HTTP2_PREFACE, 10);
    w->sink.now_ms = 20000;
    wire_feed(w, HTTP2_DOWN, HTTP2_PREFACE + 10, 10); /* a little more is no excuse */
    assert_false(wait_till(w, &half_minute, 31000));
    assert_string_equal(wire_log(w, HTTP2_DOWN), ""); /* it may not even speak HTTP/2 */
    wire_free(w);

    w = wire_new();
    wire_feed(w, HTTP2_DOWN, HTTP2_PREFACE, 24);
    assert_false(wait_till(w, &half_minute, 31000));
    assert_string_equal(wire_log(w, HTTP2_DOWN),
                        "SETTINGS 3=256 6=65536\nGOAWAY 0 1 the preface did not come in time\n");
    wire_free(w);
}

static void settings_are_to_be_acknowledged(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    wire_feed(w, HTTP2_DOWN, HTTP2_PREFACE, 24);
    wire_send(w, HTTP2_DOWN, HTTP2_SETTINGS, 0, 0, NULL, 0);
    w->sink.now_ms = 5000;
    wire_send(w, HTTP2_UP, HTTP2_SETTINGS, 0, 0, NULL, 0);
    wire_send(w, HTTP2_UP, HTTP2_SETTINGS, 1, 0, NULL, 0);
    wire_log(w, HTTP2_DOWN);
    assert_false(wait_till(w, &half_minute, 35000));
    assert_string_equal(wire_log(w, HTTP2_DOWN), "GOAWAY 0 4 SETTINGS were not acknowledged in time\n");
    wire_free(w);

    /* The service's part: its client hears of 502. */
    w = wire_new();
    wire_feed(w, HTTP2_DOWN, HTTP2_PREFACE, 24);
    wire_send(w, HTTP2_DOWN, HTTP2_SETTINGS, 0, 0, NULL, 0);
    wire_send(w, HTTP2_UP, HTTP2_SETTINGS, 0, 0, NULL, 0);
    wire_send(w, HTTP2_DOWN, HTTP2_SETTINGS, 1, 0, NULL, 0);
    wire_headers(w, HTTP2_DOWN, 1, true, WIRE_GRPC);
    wire_log(w, HTTP2_DOWN);
    wire_log(w, HTTP2_UP);
    assert_false(wait_till(w, &(struct http2_patience){.request_ms = 30000}, 31000));
    assert_string_equal(wire_log(w, HTTP2_UP), "GOAWAY 0 4 SETTINGS were not acknowledged in time\n");
    assert_non_null(strstr(wire_log(w, HTTP2_DOWN), "grpc-status=14"));
    wire_free(w);
}

static void a_header_block_is_waited_for_as_a_whole(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    wire_hello(w);
    assert_int_equal(http2_due(w->conn, &half_minute), 0);
    w->sink.now_ms = 2000;
    wire_send(w, HTTP2_DOWN, HTTP2_HEADERS, 0, 1, "\x82", 1);
    w->sink.now_ms = 20000;
    wire_send(w, HTTP2_DOWN, HTTP2_CONTINUATION, 0, 1, "\x84", 1);
    assert_false(wait_till(w, &half_minute, 32000));
    assert_string_equal(wire_log(w, HTTP2_DOWN), "GOAWAY 0 1 a frame or header block did not come in time\n");
    wire_free(w);

    /* Any frame, byte by byte. */
    w = wire_new();
    wire_hello(w);
    w->sink.now_ms = 2000;
    wire_feed(w, HTTP2_DOWN, "\0\0\x08\x06\0", 5);
    w->sink.now_ms = 20000;
    wire_feed(w, HTTP2_DOWN, "\0\0\0\0abc", 7);
    assert_false(wait_till(w, &half_minute, 32000));
    wire_free(w);

    /* What is complete is forgotten; who could not be heard is not blamed. */
    w = wire_new();
    wire_hello(w);
    wire_feed(w, HTTP2_DOWN, "\0\0\x08\x06\0\0\0\0\0abc", 12);
    struct http2_patience deaf = half_minute;
    deaf.readable_ms[HTTP2_DOWN] = 9000;
    assert_int_equal(http2_due(w->conn, &deaf), 39000);
    wire_feed(w, HTTP2_DOWN, "defgh", 5);
    assert_int_equal(http2_due(w->conn, &half_minute), 0);
    wire_free(w);
}

static void a_body_is_waited_for_by_the_piece(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    wire_hello(w);
    wire_headers(w, HTTP2_DOWN, 1, false, WIRE_POST);
    wire_headers(w, HTTP2_DOWN, 3, false, WIRE_GRPC); /* which may be silent for hours */
    w->sink.now_ms = 25000;
    wire_data(w, HTTP2_DOWN, 1, false, 5);
    struct http2_patience p = {.request_ms = 30000};
    assert_true(wait_till(w, &p, 31000)); /* a look, no more */
    wire_log(w, HTTP2_DOWN);
    wire_log(w, HTTP2_UP);
    assert_true(wait_till(w, &p, 55000));
    assert_non_null(strstr(wire_log(w, HTTP2_DOWN), "HEADERS 1 END :status=408 "));
    assert_string_equal(wire_log(w, HTTP2_UP), "RST_STREAM 1 8\n");
    assert_string_equal(wire_ends(w), "1 answered code=0 status=408 grpc=-1 up=5 down=0 user=8\n");
    assert_int_equal(http2_streams(w->conn), 1);
    assert_true(wait_till(w, &p, 56000)); /* what is left of it lingers */
    assert_true(wait_till(w, &p, 85000));
    assert_int_equal(http2_streams(w->conn), 1);
    wire_free(w);
}

static void a_response_is_waited_for_by_the_piece(void **state)
{
    (void)state;
    struct http2_patience p = {.response_ms = 40000};
    struct wire *w = wire_new();
    wire_hello(w);
    wire_headers(w, HTTP2_DOWN, 1, true, WIRE_GET);
    wire_headers(w, HTTP2_DOWN, 3, false, WIRE_GRPC);
    wire_headers(w, HTTP2_DOWN, 5, true, WIRE_GET);
    wire_headers(w, HTTP2_DOWN, 7, false, WIRE_POST); /* the turn is the client's */
    w->sink.now_ms = 11000;
    wire_headers(w, HTTP2_UP, 5, false, ":status=200");
    wire_log(w, HTTP2_DOWN);
    wire_log(w, HTTP2_UP);
    assert_true(wait_till(w, &p, 41000));
    const char *log = wire_log(w, HTTP2_DOWN);
    assert_non_null(strstr(log, "HEADERS 1 END :status=504 "));
    assert_non_null(strstr(log, "HEADERS 3 END :status=200 content-type=application/grpc grpc-status=14 "));
    assert_string_equal(wire_log(w, HTTP2_UP), "RST_STREAM 1 8\nRST_STREAM 3 8\n");
    wire_ends(w);
    /* Part of the window is used up, all of it soon: then the service is not to blame. */
    w->sink.now_ms = 45000;
    wire_data(w, HTTP2_UP, 5, false, 16384);
    wire_data(w, HTTP2_UP, 5, false, 16384);
    wire_data(w, HTTP2_UP, 5, false, 16384);
    assert_int_equal(http2_due(w->conn, &p), 51000);
    w->sink.now_ms = 51000;
    assert_int_equal(http2_timeout(w->conn, &p, &w->sink), HTTP2_MORE);
    assert_true(wait_till(w, &p, 85000));
    assert_string_equal(wire_ends(w), "5 reset-up code=8 status=200 grpc=-1 up=0 down=49152 user=12\n");
    assert_non_null(strstr(wire_log(w, HTTP2_DOWN), "RST_STREAM 5 8\n"));
    assert_int_equal(http2_streams(w->conn), 1);
    wire_free(w);
}

static void a_slow_reader_is_not_the_services_fault(void **state)
{
    (void)state;
    struct http2_patience p = {.response_ms = 40000};
    struct wire *w = wire_new();
    wire_hello(w);
    wire_headers(w, HTTP2_DOWN, 1, true, WIRE_GET);
    wire_headers(w, HTTP2_UP, 1, false, ":status=200");
    w->watch[HTTP2_DOWN].quiet = true;
    for (size_t left = 65535; left;) {
        size_t n = left < 16384 ? left : 16384;
        wire_data(w, HTTP2_UP, 1, false, n);
        left -= n;
    }
    for (uint64_t t = 41000; t < 400000; t += 40000)
        assert_true(wait_till(w, &p, t));
    assert_int_equal(http2_streams(w->conn), 1);
    /* It reads on: the service has its time from now. */
    w->sink.now_ms = 362000;
    wire_window(w, HTTP2_DOWN, 0, 1000);
    wire_window(w, HTTP2_DOWN, 1, 1000);
    assert_true(wait_till(w, &p, 401000));
    assert_int_equal(http2_streams(w->conn), 1);
    (void)wait_till(w, &p, 402000);
    assert_int_equal(http2_streams(w->conn), 0);
    wire_free(w);
}

static void a_drain_has_its_second_step(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    wire_hello(w);
    wire_headers(w, HTTP2_DOWN, 1, false, WIRE_GRPC);
    http2_drain(w->conn, false, &w->sink);
    assert_string_equal(wire_log(w, HTTP2_DOWN), "GOAWAY 2147483647 0 \nPING 6f..72\n");
    assert_true(wait_till(w, &(struct http2_patience){0}, 2000));
    assert_string_equal(wire_log(w, HTTP2_DOWN), "GOAWAY 1 0 \n");
    assert_int_equal(http2_due(w->conn, &(struct http2_patience){0}), 0);
    wire_free(w);
}

static void a_first_request_is_waited_for_a_moment_when_the_service_is_lost(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    wire_feed(w, HTTP2_DOWN, HTTP2_PREFACE, 24);
    wire_send(w, HTTP2_DOWN, HTTP2_SETTINGS, 0, 0, NULL, 0);
    assert_int_equal(http2_service_lost(w->conn, 502, "no", &w->sink), HTTP2_MORE);
    wire_send(w, HTTP2_DOWN, HTTP2_SETTINGS, 1, 0, NULL, 0);
    wire_log(w, HTTP2_DOWN);
    assert_false(wait_till(w, &half_minute, 6000));
    assert_string_equal(wire_log(w, HTTP2_DOWN), "GOAWAY 0 0 \n");
    wire_free(w);
}

/* Nothing else happens on the connection: what was answered is reset all the same. */
static void an_answered_upload_lingers_for_a_second(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    wire_hello(w);
    w->verdict = (struct http2_verdict){.status = 403};
    wire_headers(w, HTTP2_DOWN, 1, false, WIRE_POST);
    assert_string_equal(wire_log(w, HTTP2_DOWN), "HEADERS 1 END :status=403 content-length=0\n");
    assert_true(wait_till(w, &(struct http2_patience){0}, 2000));
    assert_string_equal(wire_log(w, HTTP2_DOWN), "RST_STREAM 1 0\n");
    assert_int_equal(http2_due(w->conn, &half_minute), 0);
    wire_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_preface_is_waited_for),
        cmocka_unit_test(settings_are_to_be_acknowledged),
        cmocka_unit_test(a_header_block_is_waited_for_as_a_whole),
        cmocka_unit_test(a_body_is_waited_for_by_the_piece),
        cmocka_unit_test(a_response_is_waited_for_by_the_piece),
        cmocka_unit_test(a_slow_reader_is_not_the_services_fault),
        cmocka_unit_test(a_drain_has_its_second_step),
        cmocka_unit_test(an_answered_upload_lingers_for_a_second),
        cmocka_unit_test(a_first_request_is_waited_for_a_moment_when_the_service_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
