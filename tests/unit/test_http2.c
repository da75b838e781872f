/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the relay passes on, answers and tells; drain and loss. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "http2_wire.h"

static void greets_and_passes_settings(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    static const uint8_t client[] = {0, 1, 0, 0, 16, 0, 0, 2, 0, 0, 0, 0, 0, 3, 0, 0, 0, 5,
                                     0, 4, 0, 1, 0,  0, 0, 5, 0, 1, 0, 1, 0, 8, 0, 0, 0, 1};
    static const uint8_t service[] = {0, 3, 0, 0,   1,   1,   0, 4, 0, 0, 1, 0,
                                      0, 5, 0, 255, 255, 255, 0, 6, 0, 0, 0, 9};
    wire_feed(w, HTTP2_DOWN, HTTP2_PREFACE, 24);
    assert_int_equal(w->watch[HTTP2_UP].frames[HTTP2_SETTINGS], 0);
    wire_send(w, HTTP2_DOWN, HTTP2_SETTINGS, 0, 0, client, sizeof(client));
    assert_string_equal(wire_log(w, HTTP2_UP), "SETTINGS 2=0 6=65536 5=65536 4=65536\n");
    wire_send(w, HTTP2_UP, HTTP2_SETTINGS, 0, 0, service, sizeof(service));
    assert_string_equal(wire_log(w, HTTP2_DOWN), "SETTINGS 3=256 6=9 5=65536 4=256\n");
    wire_send(w, HTTP2_UP, HTTP2_SETTINGS, 1, 0, NULL, 0);
    assert_string_equal(wire_log(w, HTTP2_DOWN), "SETTINGS ACK\n");
    wire_send(w, HTTP2_DOWN, HTTP2_SETTINGS, 1, 0, NULL, 0);
    assert_string_equal(wire_log(w, HTTP2_UP), "SETTINGS ACK\n");
    assert_int_equal(http2_state(w->conn), HTTP2_OPEN);
    wire_free(w);
}

/* A service that is slow to speak must not keep the client from an answer, nor lose its ACK. */
static void greets_for_a_silent_service(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    w->verdict.status = 403;
    wire_feed(w, HTTP2_DOWN, HTTP2_PREFACE, 24);
    wire_send(w, HTTP2_DOWN, HTTP2_SETTINGS, 0, 0, NULL, 0);
    wire_headers(w, HTTP2_DOWN, 1, true, WIRE_GET);
    assert_string_equal(wire_log(w, HTTP2_DOWN),
                        "SETTINGS 3=256 6=65536\nHEADERS 1 END :status=403 content-length=0\n");
    wire_send(w, HTTP2_UP, HTTP2_SETTINGS, 0, 0, NULL, 0);
    assert_string_equal(wire_log(w, HTTP2_DOWN), "SETTINGS\n");
    wire_log(w, HTTP2_UP);
    wire_send(w, HTTP2_DOWN, HTTP2_SETTINGS, 1, 0, NULL, 0);
    assert_string_equal(wire_log(w, HTTP2_UP), "");
    wire_send(w, HTTP2_DOWN, HTTP2_SETTINGS, 1, 0, NULL, 0);
    assert_string_equal(wire_log(w, HTTP2_UP), "SETTINGS ACK\n");
    wire_free(w);
}

static void passes_an_exchange(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    struct http_field add[] = {{.name = HTTP_STR("x-id"), .value = HTTP_STR("spiffe://a")},
                               {.name = HTTP_STR("x-bad"), .value = HTTP_STR("a\r\nb: c")},
                               {.name = HTTP_STR("X-Bad"), .value = HTTP_STR("1")},
                               {.name = HTTP_STR(":path"), .value = HTTP_STR("/y")}};
    w->verdict.add = add;
    w->verdict.nadd = 4;
    w->response_add = (struct http_field){.name = HTTP_STR("x-back"), .value = HTTP_STR("1")};
    wire_hello(w);
    wire_headers(w, HTTP2_DOWN, 1, false, WIRE_POST "|drop=me|secret!=x|content-length=5");
    assert_string_equal(wire_log(w, HTTP2_UP),
                        "HEADERS 1 :method=POST :scheme=https :authority=a.example :path=/up secret=x(!) "
                        "content-length=5 x-id=spiffe://a\n");
    assert_int_equal(http2_streams(w->conn), 1);
    wire_data(w, HTTP2_DOWN, 1, true, 5);
    wire_headers(w, HTTP2_UP, 1, false, ":status=103|link=x|drop=y");
    w->sink.now_ms += 70;
    wire_headers(w, HTTP2_UP, 1, false, ":status=200|drop=1|a=b");
    wire_data(w, HTTP2_UP, 1, false, 3);
    wire_headers(w, HTTP2_UP, 1, true, "grpc-status=5|drop=z");
    assert_string_equal(wire_log(w, HTTP2_UP), "DATA 1 5 END\n");
    assert_string_equal(wire_log(w, HTTP2_DOWN), "HEADERS 1 :status=103 link=x\n"
                                                 "HEADERS 1 :status=200 a=b x-back=1\n"
                                                 "DATA 1 3\n"
                                                 "HEADERS 1 END grpc-status=5\n");
    assert_string_equal(wire_ends(w), "1 complete code=0 status=200 grpc=5 up=5 down=3 user=8\n");
    assert_int_equal(http2_streams(w->conn), 0);
    wire_free(w);
}

static void gives_host_as_authority(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    wire_hello(w);
    wire_headers(w, HTTP2_DOWN, 1, true, ":method=GET|:scheme=https|:path=/|host=h.example");
    assert_string_equal(
        wire_log(w, HTTP2_UP),
        "HEADERS 1 END :method=GET :scheme=https :authority=h.example :path=/ host=h.example\n");
    wire_free(w);
}

static void joins_cookie_crumbs(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    wire_hello(w);
    wire_headers(w, HTTP2_DOWN, 1, true,
                 WIRE_GET "|cookie=a=twenty bytes or more so|x=y|cookie!=b=2|cookie=c|z=z");
    assert_string_equal(wire_log(w, HTTP2_UP),
                        "HEADERS 1 END :method=GET :scheme=https :authority=a.example :path=/x "
                        "cookie=a=twenty bytes or more so; b=2; c(!) x=y z=z\n");
    wire_free(w);
}

static void strips_padding_and_priority(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    struct wire_bytes b = {0};
    wire_hello(w);
    wire_append(&b, "\x03\x80\x00\x00\x00\xff", 6);
    wire_encode(w->deflater[HTTP2_DOWN], &b, WIRE_POST);
    wire_append(&b, "\0\0\0", 3);
    wire_send(w, HTTP2_DOWN, HTTP2_HEADERS, 4 | 8 | 32, 1, b.p, b.n);
    free(b.p);
    wire_send(w, HTTP2_DOWN, HTTP2_DATA, 8, 1,
              "\x04"
              "abc"
              "\0\0\0\0",
              8);
    wire_send(w, HTTP2_DOWN, HTTP2_DATA, 8 | 1, 1, "\x02\0\0", 3);
    assert_string_equal(wire_log(w, HTTP2_UP),
                        "HEADERS 1 :method=POST :scheme=https :authority=a.example :path=/up\n"
                        "DATA 1 3 END\n");
    assert_string_equal(wire_log(w, HTTP2_DOWN), "WINDOW_UPDATE 1 5\nWINDOW_UPDATE 0 5\nWINDOW_UPDATE 0 3\n");
    wire_free(w);
}

static void passes_control_frames(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    wire_hello(w);
    wire_headers(w, HTTP2_DOWN, 1, false, WIRE_POST);
    wire_log(w, HTTP2_UP);
    wire_send(w, HTTP2_DOWN, HTTP2_PING, 0, 0, "abcdefgh", 8);
    wire_send(w, HTTP2_DOWN, HTTP2_PRIORITY, 0, 1, "\0\0\0\0\x10", 5);
    wire_send(w, HTTP2_DOWN, 0x10, 0, 0, "u=1", 3);
    wire_send(w, HTTP2_DOWN, 0x55, 0xff, 1, NULL, 0);
    wire_send(w, HTTP2_DOWN, 0x55, 0xff, 3, NULL, 0);
    wire_window(w, HTTP2_DOWN, 1, 9);
    wire_window(w, HTTP2_DOWN, 0, 5000);
    assert_string_equal(wire_log(w, HTTP2_UP), "PING 61..68\nPRIORITY 2 1 00 5\nUNKNOWN 16 0 00 3\n"
                                               "UNKNOWN 85 1 ff 0\nWINDOW_UPDATE 1 9\nWINDOW_UPDATE 0 592\n");
    wire_send(w, HTTP2_UP, HTTP2_PING, 1, 0, "abcdefgh", 8);
    wire_send(w, HTTP2_UP, HTTP2_PING, 1, 0, "abcdefgh", 8); /* nobody asked */
    wire_window(w, HTTP2_UP, 0, 5000);
    wire_u32(w, HTTP2_UP, HTTP2_RST_STREAM, 1, 11);
    assert_string_equal(wire_log(w, HTTP2_DOWN), "PING ACK 61..68\nWINDOW_UPDATE 0 5000\nRST_STREAM 1 11\n");
    assert_string_equal(wire_ends(w), "1 reset-up code=11 status=0 grpc=-1 up=0 down=0 user=8\n");
    wire_free(w);
}

static void cuts_data_at_the_receivers_frame_size(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    wire_feed(w, HTTP2_DOWN, HTTP2_PREFACE, 24);
    wire_send(w, HTTP2_DOWN, HTTP2_SETTINGS, 0, 0, NULL, 0);
    wire_send(w, HTTP2_UP, HTTP2_SETTINGS, 0, 0, "\0\5\0\0\xff\xff", 6);
    w->watch[HTTP2_UP].frame_max = 0xffff;
    wire_headers(w, HTTP2_DOWN, 1, false, WIRE_POST);
    /* The service changes its mind while a large frame is on its way. */
    wire_send(w, HTTP2_UP, HTTP2_SETTINGS, 0, 0, "\0\5\0\0\x40\0", 6);
    w->watch[HTTP2_UP].frame_max = 0x4000;
    wire_log(w, HTTP2_UP);
    wire_data(w, HTTP2_DOWN, 1, true, 40000);
    assert_string_equal(wire_log(w, HTTP2_UP), "DATA 1 40000 END\n");
    assert_int_equal(w->watch[HTTP2_UP].frames[HTTP2_DATA], 3);
    wire_free(w);
}

static void answers_by_verdict(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    struct http_field add = {.name = HTTP_STR("retry-after"), .value = HTTP_STR("7")};
    wire_hello(w);
    w->verdict = (struct http2_verdict){.status = 429,
                                        .grpc_status = 8,
                                        .message = HTTP_STR("50% too \xc3\xa9lev\n"),
                                        .type = HTTP_STR("application/json"),
                                        .add = &add,
                                        .nadd = 1};
    wire_headers(w, HTTP2_DOWN, 1, false, WIRE_GRPC);
    assert_string_equal(wire_log(w, HTTP2_DOWN),
                        "HEADERS 1 END :status=200 content-type=application/grpc grpc-status=8 "
                        "grpc-message=50%25 too %C3%A9lev retry-after=7\n");
    assert_string_equal(wire_ends(w), "1 answered code=0 status=200 grpc=8 up=0 down=0 user=8\n");
    /* The client has lent nothing yet: no body. */
    wire_headers(w, HTTP2_DOWN, 3, true, WIRE_GET);
    assert_string_equal(wire_log(w, HTTP2_DOWN),
                        "HEADERS 3 END :status=429 content-length=0 retry-after=7\n");
    wire_window(w, HTTP2_DOWN, 0, 100);
    wire_headers(w, HTTP2_DOWN, 5, false, WIRE_POST);
    assert_string_equal(wire_log(w, HTTP2_DOWN),
                        "HEADERS 5 :status=429 content-type=application/json content-length=14 "
                        "retry-after=7\nDATA 5 14 END\n");
    assert_int_equal(w->conn->peer[HTTP2_UP].credit, 65535);
    assert_int_equal(w->conn->peer[HTTP2_DOWN].window, 65535 + 86);
    wire_headers(w, HTTP2_DOWN, 7, true, ":method=HEAD|:scheme=http|:authority=a|:path=/");
    assert_string_equal(wire_log(w, HTTP2_DOWN), "HEADERS 7 END :status=429 content-type=application/json "
                                                 "content-length=14 retry-after=7\n");
    assert_string_equal(wire_log(w, HTTP2_UP), "");
    assert_int_equal(http2_streams(w->conn), 0);
    /* What was on its way is dropped, its window given back. */
    wire_data(w, HTTP2_DOWN, 5, false, 1000);
    wire_data(w, HTTP2_DOWN, 1, true, 2000);
    wire_headers(w, HTTP2_DOWN, 5, true, "a=b");
    assert_string_equal(wire_log(w, HTTP2_DOWN),
                        "WINDOW_UPDATE 5 1000\nWINDOW_UPDATE 0 1000\nWINDOW_UPDATE 0 2000\n");
    assert_string_equal(wire_log(w, HTTP2_UP), "");
    wire_free(w);
}

/* An upload that is not wanted may end by itself, or is reset when it is long, or takes long. */
static void lets_answered_uploads_end(void **state)
{
    struct wire *w = wire_new();
    (void)state;
    wire_hello(w);
    w->verdict.status = 403;
    for (uint32_t id = 1; id < 10; id += 2)
        wire_headers(w, HTTP2_DOWN, id, false, WIRE_POST);
    wire_log(w, HTTP2_DOWN);
    wire_data(w, HTTP2_DOWN, 1, false, 16000);
    wire_data(w, HTTP2_DOWN, 1, true, 16000);
    wire_headers(w, HTTP2_DOWN, 3, true, "a=b");
    wire_u32(w, HTTP2_DOWN, HTTP2_RST_STREAM, 5, HTTP2_CANCEL);
    const char *log = wire_log(w, HTTP2_DOWN);
    assert_string_equal(log, "WINDOW_UPDATE 1 16000\nWINDOW_UPDATE 0 16000\nWINDOW_UPDATE 0 16000\n");
    for (int i = 0; i < 9; i++) {
        assert_null(strstr(log, "RST_STREAM"));
        wire_data(w, HTTP2_DOWN, 7, false, 16000);
        log = wire_log(w, HTTP2_DOWN);
        assert_non_null(strstr(log, "WINDOW_UPDATE 0 16000"));
    }
    assert_non_null(strstr(log, "RST_STREAM 7 0"));
    w->sink.now_ms += 1000;
    wire_send(w, HTTP2_DOWN, HTTP2_PING, 0, 0, "12345678", 8);
    assert_string_equal(wire_log(w, HTTP2_DOWN), "RST_STREAM 9 0\n");
    for (uint32_t id = 11; id < 11 + 2 * (HTTP2_LINGERING + 2); id += 2)
        wire_headers(w, HTTP2_DOWN, id, false, WIRE_POST);
    log = wire_log(w, HTTP2_DOWN);
    assert_non_null(strstr(log, "RST_STREAM 11 0\n"));
    assert_non_null(strstr(log, "RST_STREAM 13 0\n"));
    assert_null(strstr(log, "RST_STREAM 15 0\n"));
    wire_free(w);
}

/* A reserve for bodies never lets the service stand still. */
static void gives_up_the_reserve_when_the_service_runs_short(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    wire_hello(w);
    wire_headers(w, HTTP2_DOWN, 1, true, WIRE_GET);
    wire_headers(w, HTTP2_UP, 1, false, ":status=200");
    wire_window(w, HTTP2_DOWN, 0, 4000);
    wire_window(w, HTTP2_DOWN, 1, 1000000);
    wire_log(w, HTTP2_UP);
    for (int i = 0; i < 3; i++)
        wire_data(w, HTTP2_UP, 1, false, 16383);
    assert_string_equal(wire_log(w, HTTP2_UP), "");
    assert_int_equal(w->conn->peer[HTTP2_UP].credit, 16386);
    wire_data(w, HTTP2_UP, 1, false, 3);
    assert_string_equal(wire_log(w, HTTP2_UP), "WINDOW_UPDATE 0 4000\n");
    wire_free(w);
}

static void answers_what_exceeds_limits(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    w->limits.header_list_size = 2000;
    w->limits.header_fields = 10;
    http2_conn_free(w->conn, NULL);
    http2_scratch_free(w->scratch);
    for (int i = 0; i < 2; i++) {
        nghttp2_hd_deflate_del(w->deflater[i]);
        nghttp2_hd_inflate_del(w->watch[i].inflater);
    }
    wire_start(w);
    wire_hello(w);
    wire_headers(w, HTTP2_DOWN, 1, true, WIRE_GET "|a=b|a=b|a=b|a=b|a=b|a=b|a=b");
    char list[4096] = WIRE_GRPC "|x=";
    memset(list + strlen(list), 'y', 2000);
    wire_headers(w, HTTP2_DOWN, 3, true, list);
    wire_headers(w, HTTP2_DOWN, 5, false, ":method=CONNECT|:authority=a:1");
    assert_string_equal(wire_log(w, HTTP2_DOWN),
                        "HEADERS 1 END :status=431 content-length=0\n"
                        "HEADERS 3 END :status=200 content-type=application/grpc grpc-status=13 "
                        "grpc-message=the request's header fields are too large\n"
                        "HEADERS 5 END :status=501 content-length=0\n");
    strcpy(list, ":method=GET|:scheme=https|:authority=a|:path=/");
    memset(list + strlen(list), 'y', 2000);
    assert_int_equal(w->nrequests, 0);
    assert_string_equal(wire_ends(w), "1 answered code=0 status=431 grpc=-1 up=0 down=0 user=0\n"
                                      "3 answered code=0 status=200 grpc=13 up=0 down=0 user=0\n"
                                      "5 answered code=0 status=501 grpc=-1 up=0 down=0 user=0\n");
    wire_headers(w, HTTP2_DOWN, 7, true, list);
    assert_string_equal(wire_log(w, HTTP2_DOWN), "HEADERS 7 END :status=431 content-length=0\n");
    /* The table is still in step. */
    wire_headers(w, HTTP2_DOWN, 9, true, WIRE_GRPC);
    wire_headers(w, HTTP2_UP, 9, false, ":status=200|a=b|a=b|a=b|a=b|a=b|a=b|a=b|a=b|a=b|a=b");
    assert_string_equal(wire_log(w, HTTP2_DOWN),
                        "HEADERS 9 END :status=200 content-type=application/grpc grpc-status=14 "
                        "grpc-message=the upstream server broke the HTTP/2 protocol\n");
    wire_free(w);
}

static void knows_grpc_by_its_type(void **state)
{
    static const struct {
        const char *type;
        bool grpc;
    } types[] = {{"application/grpc", true},      {"application/grpc+proto", true},
                 {"application/grpc;x=y", true},  {"Application/gRPC", true},
                 {"application/grpc-web", false}, {"application/grpcx", false},
                 {"application/json", false},     {"application/grp", false}};
    struct wire *w = wire_new();
    (void)state;
    wire_hello(w);
    w->verdict = (struct http2_verdict){.status = 403, .grpc_status = 7};
    for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        char list[200];
        snprintf(list, sizeof(list), WIRE_POST "|content-type=%s", types[i].type);
        wire_headers(w, HTTP2_DOWN, 2 * i + 1, true, list);
        assert_int_equal(strstr(wire_log(w, HTTP2_DOWN), "grpc-status=7") != NULL, types[i].grpc);
    }
    wire_free(w);
}

/* The client may still grant window for a response that is complete. */
static void keeps_windows_of_ended_senders(void **state)
{
    struct wire *w = wire_new();
    (void)state;
    wire_hello(w);
    wire_headers(w, HTTP2_DOWN, 1, false, WIRE_POST);
    wire_headers(w, HTTP2_UP, 1, true, ":status=200");
    wire_log(w, HTTP2_UP);
    wire_window(w, HTTP2_DOWN, 1, 5);
    assert_string_equal(wire_log(w, HTTP2_UP), "");
    wire_u32(w, HTTP2_DOWN, HTTP2_RST_STREAM, 1, 8);
    assert_string_equal(wire_log(w, HTTP2_UP), "RST_STREAM 1 8\n");
    assert_string_equal(wire_ends(w), "1 complete code=8 status=200 grpc=-1 up=0 down=0 user=8\n");
    wire_free(w);
}

/* --- drain ------------------------------------------------------------------------------------------- */

static void drains(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    wire_hello(w);
    wire_headers(w, HTTP2_DOWN, 1, false, WIRE_POST);
    http2_drain(w->conn, false, &w->sink);
    assert_string_equal(wire_log(w, HTTP2_DOWN), "GOAWAY 2147483647 0 \nPING 6f..72\n");
    assert_int_equal(http2_state(w->conn), HTTP2_DRAINING);
    wire_headers(w, HTTP2_DOWN, 3, true, WIRE_GET); /* was on its way */
    wire_log(w, HTTP2_UP);
    wire_send(w, HTTP2_DOWN, HTTP2_PING, 1, 0, "outrider", 8);
    assert_string_equal(wire_log(w, HTTP2_DOWN), "GOAWAY 3 0 \n");
    wire_send(w, HTTP2_UP, HTTP2_GOAWAY, 0, 0, "\x7f\xff\xff\xff\0\0\0\0", 8); /* says nothing new */
    assert_string_equal(wire_log(w, HTTP2_DOWN), "");
    wire_headers(w, HTTP2_DOWN, 5, true, WIRE_GET);
    assert_string_equal(wire_log(w, HTTP2_DOWN), "RST_STREAM 5 7\n");
    assert_int_equal(http2_streams(w->conn), 2);
    wire_headers(w, HTTP2_UP, 3, true, ":status=200");
    assert_string_equal(wire_log(w, HTTP2_UP), "");
    assert_int_equal(http2_state(w->conn), HTTP2_DRAINING);
    wire_data(w, HTTP2_DOWN, 1, true, 5);
    wire_headers(w, HTTP2_UP, 1, true, ":status=200");
    assert_int_equal(http2_state(w->conn), HTTP2_DONE);
    assert_string_equal(wire_log(w, HTTP2_UP), "DATA 1 5 END\nGOAWAY 0 0 \n");
    assert_false(w->closed);
    wire_free(w);
}

static void drains_at_once_and_before_anything(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    wire_hello(w);
    wire_headers(w, HTTP2_DOWN, 1, false, WIRE_POST);
    wire_log(w, HTTP2_UP);
    http2_drain(w->conn, true, &w->sink);
    assert_string_equal(wire_log(w, HTTP2_DOWN), "GOAWAY 1 0 \n");
    wire_u32(w, HTTP2_DOWN, HTTP2_RST_STREAM, 1, 8);
    assert_int_equal(http2_state(w->conn), HTTP2_DONE);
    wire_free(w);

    w = wire_new();
    http2_drain(w->conn, false, &w->sink);
    http2_drain(w->conn, false, &w->sink);
    assert_string_equal(wire_log(w, HTTP2_DOWN),
                        "SETTINGS 3=256 6=65536\nGOAWAY 2147483647 0 \nPING 6f..72\nGOAWAY 0 0 \n");
    assert_int_equal(http2_state(w->conn), HTTP2_DONE);
    wire_free(w);
}

static void passes_the_services_goaway(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    wire_hello(w);
    wire_headers(w, HTTP2_DOWN, 1, false, WIRE_POST);
    wire_headers(w, HTTP2_DOWN, 3, false, WIRE_POST);
    wire_send(w, HTTP2_UP, HTTP2_GOAWAY, 0, 0, "\x7f\xff\xff\xff\0\0\0\0", 8);
    wire_headers(w, HTTP2_DOWN, 5, false, WIRE_POST);
    wire_send(w, HTTP2_UP, HTTP2_GOAWAY, 0, 0,
              "\0\0\0\3\0\0\0\x0b"
              "too_many_pings",
              22);
    assert_string_equal(wire_log(w, HTTP2_DOWN), "GOAWAY 2147483647 0 \nGOAWAY 3 11 too_many_pings\n");
    assert_string_equal(wire_ends(w), "5 reset-up code=7 status=0 grpc=-1 up=0 down=0 user=12\n");
    wire_log(w, HTTP2_UP);
    wire_headers(w, HTTP2_DOWN, 7, false, WIRE_POST);
    wire_data(w, HTTP2_DOWN, 5, false, 10);
    assert_string_equal(wire_log(w, HTTP2_DOWN), "RST_STREAM 7 7\nWINDOW_UPDATE 0 10\n");
    assert_string_equal(wire_log(w, HTTP2_UP), "");
    wire_data(w, HTTP2_DOWN, 3, true, 10);
    wire_headers(w, HTTP2_UP, 3, true, ":status=200");
    assert_int_equal(http2_state(w->conn), HTTP2_DRAINING);
    wire_u32(w, HTTP2_UP, HTTP2_RST_STREAM, 1, 2);
    assert_int_equal(http2_state(w->conn), HTTP2_DONE);
    wire_free(w);
}

/* grpc-js for one gives up its calls as cancelled when a GOAWAY has another code. */
static void softens_the_services_last_words(void **state)
{
    struct wire *w = wire_new();
    (void)state;
    wire_hello(w);
    wire_headers(w, HTTP2_DOWN, 1, true, WIRE_GRPC);
    wire_send(w, HTTP2_UP, HTTP2_GOAWAY, 0, 0, "\0\0\0\1\0\0\0\x08", 8);
    assert_int_equal(http2_eof(w->conn, HTTP2_UP, &w->sink), HTTP2_CLOSE);
    assert_string_equal(wire_log(w, HTTP2_DOWN),
                        "GOAWAY 1 0 \nHEADERS 1 END :status=200 content-type=application/grpc grpc-status=14 "
                        "grpc-message=the upstream server closed the connection\n");
    wire_free(w);
}

static void passes_the_clients_goaway(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    wire_hello(w);
    wire_headers(w, HTTP2_DOWN, 1, true, WIRE_GET);
    wire_log(w, HTTP2_UP);
    wire_send(w, HTTP2_DOWN, HTTP2_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0bye", 11);
    assert_string_equal(wire_log(w, HTTP2_UP), "GOAWAY 0 0 bye\n");
    static uint8_t talk[1000] = {0, 0, 0, 1};
    memset(talk + 8, 'x', sizeof(talk) - 8);
    wire_send(w, HTTP2_DOWN, HTTP2_GOAWAY, 0, 0, talk, sizeof(talk));
    assert_int_equal(strspn(strchr(wire_log(w, HTTP2_UP), 'x'), "x"), HTTP2_GOAWAY_TEXT);
    assert_int_equal(http2_state(w->conn), HTTP2_DRAINING);
    wire_headers(w, HTTP2_UP, 1, true, ":status=200");
    assert_int_equal(http2_state(w->conn), HTTP2_DONE);
    assert_string_equal(wire_log(w, HTTP2_UP), "");
    wire_free(w);
}

/* --- loss -------------------------------------------------------------------------------------------- */

static void tells_of_a_lost_service(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    wire_hello(w);
    wire_window(w, HTTP2_DOWN, 0, 10);
    wire_headers(w, HTTP2_DOWN, 1, true, WIRE_GET);   /* no response */
    wire_headers(w, HTTP2_DOWN, 3, false, WIRE_GRPC); /* nor here */
    wire_headers(w, HTTP2_DOWN, 5, true, WIRE_GRPC);
    wire_headers(w, HTTP2_UP, 5, false, ":status=200"); /* begun */
    wire_headers(w, HTTP2_DOWN, 7, false, WIRE_POST);
    wire_headers(w, HTTP2_UP, 7, true, ":status=200"); /* complete, early */
    wire_headers(w, HTTP2_DOWN, 9, true, WIRE_GET);
    wire_headers(w, HTTP2_UP, 9, false, ":status=100"); /* interim only */
    wire_log(w, HTTP2_DOWN);
    wire_log(w, HTTP2_UP);
    assert_int_equal(http2_service_lost(w->conn, 503, "the service is down", &w->sink), HTTP2_CLOSE);
    assert_string_equal(
        wire_log(w, HTTP2_DOWN),
        "GOAWAY 9 0 \n"
        "HEADERS 1 :status=503 content-type=text/plain content-length=19\nDATA 1 19 END\n"
        "HEADERS 3 END :status=200 content-type=application/grpc grpc-status=14 grpc-message=the service "
        "is down\n"
        "RST_STREAM 5 2\n"
        "RST_STREAM 7 0\n"
        "HEADERS 9 :status=503 content-type=text/plain content-length=19\nDATA 9 19 END\n");
    assert_string_equal(wire_log(w, HTTP2_UP), "");
    assert_string_equal(wire_ends(w), "1 answered code=0 status=503 grpc=-1 up=0 down=19 user=8\n"
                                      "3 answered code=0 status=200 grpc=14 up=0 down=0 user=10\n"
                                      "5 reset-up code=2 status=200 grpc=-1 up=0 down=0 user=12\n"
                                      "7 complete code=0 status=200 grpc=-1 up=0 down=0 user=14\n"
                                      "9 answered code=0 status=503 grpc=-1 up=0 down=19 user=16\n");
    assert_int_equal(http2_state(w->conn), HTTP2_DONE);
    assert_int_equal(http2_feed(w->conn, HTTP2_DOWN, (const uint8_t *)"x", 1, &w->sink), HTTP2_CLOSE);
    assert_int_equal(http2_eof(w->conn, HTTP2_DOWN, &w->sink), HTTP2_CLOSE);
    http2_drain(w->conn, true, &w->sink);
    wire_free(w);
}

static void tells_of_a_service_that_never_was(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    wire_feed(w, HTTP2_DOWN, HTTP2_PREFACE, 24);
    wire_send(w, HTTP2_DOWN, HTTP2_SETTINGS, 0, 0, NULL, 0);
    wire_headers(w, HTTP2_DOWN, 1, true, WIRE_GRPC);
    assert_int_equal(http2_service_lost(w->conn, 503, "no", &w->sink), HTTP2_CLOSE);
    assert_string_equal(
        wire_log(w, HTTP2_DOWN),
        "SETTINGS 3=256 6=65536\nGOAWAY 1 0 \nHEADERS 1 END :status=200 content-type=application/grpc "
        "grpc-status=14 grpc-message=no\n");
    wire_free(w);
}

/* The preface alone makes the sidecar connect: who sends its first request a moment later is told on it. */
static void tells_the_first_request_of_a_service_lost_before_it(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    wire_feed(w, HTTP2_DOWN, HTTP2_PREFACE, 24);
    wire_send(w, HTTP2_DOWN, HTTP2_SETTINGS, 0, 0, "\0\1\0\0\0\0", 6);
    wire_send(w, HTTP2_DOWN, HTTP2_PING, 0, 0, "12345678", 8);
    assert_int_equal(http2_service_lost(w->conn, 502, "no\n", &w->sink), HTTP2_MORE);
    assert_int_equal(http2_state(w->conn), HTTP2_OPEN);
    assert_string_equal(wire_log(w, HTTP2_DOWN), "SETTINGS 3=256 6=65536\nSETTINGS ACK\n");
    wire_log(w, HTTP2_UP);
    wire_send(w, HTTP2_DOWN, HTTP2_SETTINGS, 1, 0, NULL, 0);
    wire_send(w, HTTP2_DOWN, HTTP2_SETTINGS, 0, 0, NULL, 0);
    wire_send(w, HTTP2_DOWN, HTTP2_PING, 0, 0, "12345678", 8);
    assert_string_equal(wire_log(w, HTTP2_DOWN), "SETTINGS ACK\nPING ACK 31..38\n");
    assert_int_equal(w->conn->peer[HTTP2_DOWN].table_size, 0);
    struct wire_bytes b = {0};
    wire_put_headers(w, &b, HTTP2_DOWN, 1, false, WIRE_GRPC);
    wire_put_headers(w, &b, HTTP2_DOWN, 3, true, WIRE_GET);
    wire_feed(w, HTTP2_DOWN, b.p, b.n);
    free(b.p);
    assert_string_equal(
        wire_log(w, HTTP2_DOWN),
        "GOAWAY 2147483647 0 \n"
        "HEADERS 1 END :status=200 content-type=application/grpc grpc-status=14 grpc-message=no\n"
        "HEADERS 3 :status=502 content-type=text/plain content-length=3\nDATA 3 3 END\n"
        "GOAWAY 3 0 \n");
    assert_string_equal(wire_log(w, HTTP2_UP), "");
    assert_string_equal(wire_ends(w), "1 answered code=0 status=200 grpc=14 up=0 down=0 user=8\n"
                                      "3 answered code=0 status=502 grpc=-1 up=0 down=3 user=10\n");
    assert_int_equal(http2_state(w->conn), HTTP2_DONE);
    wire_free(w);

    /* Rules come first; and who has sent nothing at all is greeted. */
    w = wire_new();
    assert_int_equal(http2_eof(w->conn, HTTP2_UP, &w->sink), HTTP2_MORE);
    assert_string_equal(wire_log(w, HTTP2_DOWN), "SETTINGS 3=256 6=65536\n");
    wire_feed(w, HTTP2_DOWN, HTTP2_PREFACE, 24);
    wire_send(w, HTTP2_DOWN, HTTP2_SETTINGS, 0, 0, NULL, 0);
    w->verdict = (struct http2_verdict){.status = 403, .grpc_status = 7};
    wire_headers(w, HTTP2_DOWN, 1, true, WIRE_GRPC);
    assert_string_equal(
        wire_log(w, HTTP2_DOWN),
        "SETTINGS ACK\nHEADERS 1 END :status=200 content-type=application/grpc grpc-status=7\n"
        "GOAWAY 1 0 \n");
    assert_int_equal(http2_state(w->conn), HTTP2_DONE);
    wire_free(w);

    /* Nor is a drain held up by it. */
    w = wire_new();
    assert_int_equal(http2_eof(w->conn, HTTP2_UP, &w->sink), HTTP2_MORE);
    http2_drain(w->conn, true, &w->sink);
    assert_string_equal(wire_log(w, HTTP2_DOWN), "SETTINGS 3=256 6=65536\nGOAWAY 0 0 \n");
    assert_int_equal(http2_state(w->conn), HTTP2_DONE);
    wire_free(w);
}

static void tells_of_a_client_gone(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    wire_hello(w);
    wire_headers(w, HTTP2_DOWN, 1, false, WIRE_POST);
    wire_log(w, HTTP2_UP);
    assert_int_equal(http2_eof(w->conn, HTTP2_DOWN, &w->sink), HTTP2_CLOSE);
    assert_string_equal(wire_log(w, HTTP2_UP), "GOAWAY 0 0 \n");
    assert_string_equal(wire_ends(w), "1 reset-down code=8 status=0 grpc=-1 up=0 down=0 user=8\n");
    wire_free(w);
}

static void a_broken_service_is_a_502(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    wire_hello(w);
    wire_headers(w, HTTP2_DOWN, 1, false, WIRE_GRPC);
    wire_headers(w, HTTP2_DOWN, 3, true, WIRE_GET);
    wire_headers(w, HTTP2_UP, 3, false, ":status=200");
    wire_log(w, HTTP2_DOWN);
    wire_log(w, HTTP2_UP);
    wire_window(w, HTTP2_UP, 0, 0);
    assert_true(w->closed);
    assert_string_equal(wire_log(w, HTTP2_UP), "GOAWAY 0 1 WINDOW_UPDATE of nothing\n");
    assert_string_equal(wire_log(w, HTTP2_DOWN),
                        "GOAWAY 3 0 \nHEADERS 1 END :status=200 content-type=application/grpc grpc-status=14 "
                        "grpc-message=the upstream server broke the HTTP/2 protocol\nRST_STREAM 3 2\n");
    assert_string_equal(wire_ends(w), "1 broken-up code=0 status=200 grpc=14 up=0 down=0 user=8\n"
                                      "3 broken-up code=2 status=200 grpc=-1 up=0 down=0 user=10\n");
    wire_free(w);
}

/* --- streams ----------------------------------------------------------------------------------------- */

static void keeps_many_streams_apart(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    uint64_t random = 42;
    bool open[8192] = {0};
    unsigned count = 0;
    uint32_t id = 1;
    w->limits.concurrent_streams = 1000;
    w->limits.resets_per_second = 100000;
    wire_hello(w);
    w->watch[0].quiet = w->watch[1].quiet = true;
    for (int i = 0; i < 4000; i++) {
        uint32_t pick = wire_random(&random) % 8192;
        if (wire_random(&random) % 3 && id / 2 < 8192 && count < 1000) {
            wire_headers(w, HTTP2_DOWN, id, false, WIRE_POST);
            open[id / 2] = true;
            id += 2 + 2 * (wire_random(&random) % 8);
            count++;
        } else if (open[pick]) {
            wire_u32(w, i % 2 ? HTTP2_UP : HTTP2_DOWN, HTTP2_RST_STREAM, pick * 2 + 1, 8);
            open[pick] = false;
            count--;
        }
        assert_int_equal(http2_streams(w->conn), count);
        assert_int_equal(http2_stream_find(w->conn, HTTP2_UP, pick * 2 + 1) != NULL, open[pick]);
    }
    assert_true(count > 100);
    assert_int_equal(http2_service_lost(w->conn, 503, "", &w->sink), HTTP2_CLOSE);
    assert_int_equal(http2_streams(w->conn), 0);
    assert_int_equal(w->nends, w->nrequests);
    wire_free(w);
}

static void frees_with_and_without_a_word(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    wire_hello(w);
    wire_headers(w, HTTP2_DOWN, 1, false, WIRE_POST);
    wire_send(w, HTTP2_DOWN, HTTP2_HEADERS, 0, 3, "\x82", 1);
    wire_feed(w, HTTP2_UP,
              "\0\0\x30\x55\0\0\0\0\0"
              "partial",
              16);
    wire_log(w, HTTP2_UP);
    http2_conn_free(w->conn, NULL);
    assert_int_equal(w->nends, 0);
    w->conn = http2_conn_new(&w->limits, w->scratch, w->sink.now_ms);
    w->nrequests = 0;
    wire_free(w);
    http2_conn_free(NULL, NULL);
    http2_scratch_free(NULL);
}

static void grpc_statuses(void **state)
{
    (void)state;
    assert_int_equal(http2_grpc_status(403), 7);
    assert_int_equal(http2_grpc_status(429), 8);
    assert_int_equal(http2_grpc_status(401), 16);
    assert_int_equal(http2_grpc_status(503), 14);
    assert_int_equal(http2_grpc_status(431), 13);
    assert_int_equal(http2_grpc_status(421), 2);
}

/* One character in authority, path, and method: what passes is what nghttp2 thinks valid, but for "@" and
 * "#". */
static void characters_of_targets(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    uint32_t id = 1;
    wire_hello(w);
    for (int c = 1; c < 256; c++) {
        if (c == '|') /* parts fields here */
            continue;
        const uint8_t text[] = {'/', (uint8_t)c, 'b', 0};
        const uint8_t *name = text + 1;
        char list[3][128];
        bool fine[3] = {nghttp2_check_authority(name, 2) && c != '@', nghttp2_check_path(text, 3) && c != '#',
                        nghttp2_check_method(name, 2)};
        snprintf(list[0], sizeof(list[0]), ":method=GET|:scheme=https|:authority=%s|:path=/",
                 (const char *)name);
        snprintf(list[1], sizeof(list[1]), ":method=GET|:scheme=https|:authority=a|:path=%s",
                 (const char *)text);
        snprintf(list[2], sizeof(list[2]), ":method=%s|:scheme=https|:authority=a|:path=/",
                 (const char *)name);
        for (int k = 0; k < 3; k++, id += 2) {
            w->sink.now_ms += 1000;
            wire_log(w, HTTP2_UP);
            wire_headers(w, HTTP2_DOWN, id, true, list[k]);
            bool passed = strncmp(wire_log(w, HTTP2_UP), "HEADERS ", 8) == 0;
            if (passed != fine[k])
                fail_msg("%s: %d", list[k], passed);
            if (passed)
                wire_headers(w, HTTP2_UP, id, true, ":status=200");
        }
    }
    wire_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greets_and_passes_settings),
        cmocka_unit_test(greets_for_a_silent_service),
        cmocka_unit_test(passes_an_exchange),
        cmocka_unit_test(gives_host_as_authority),
        cmocka_unit_test(joins_cookie_crumbs),
        cmocka_unit_test(strips_padding_and_priority),
        cmocka_unit_test(passes_control_frames),
        cmocka_unit_test(cuts_data_at_the_receivers_frame_size),
        cmocka_unit_test(answers_by_verdict),
        cmocka_unit_test(lets_answered_uploads_end),
        cmocka_unit_test(gives_up_the_reserve_when_the_service_runs_short),
        cmocka_unit_test(answers_what_exceeds_limits),
        cmocka_unit_test(knows_grpc_by_its_type),
        cmocka_unit_test(keeps_windows_of_ended_senders),
        cmocka_unit_test(drains),
        cmocka_unit_test(drains_at_once_and_before_anything),
        cmocka_unit_test(passes_the_services_goaway),
        cmocka_unit_test(softens_the_services_last_words),
        cmocka_unit_test(passes_the_clients_goaway),
        cmocka_unit_test(tells_of_a_lost_service),
        cmocka_unit_test(tells_of_a_service_that_never_was),
        cmocka_unit_test(tells_the_first_request_of_a_service_lost_before_it),
        cmocka_unit_test(tells_of_a_client_gone),
        cmocka_unit_test(a_broken_service_is_a_502),
        cmocka_unit_test(keeps_many_streams_apart),
        cmocka_unit_test(frees_with_and_without_a_word),
        cmocka_unit_test(grpc_statuses),
        cmocka_unit_test(characters_of_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
