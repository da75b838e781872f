/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the relay passes on, answers and tells. */
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

static void passes_an_exchange(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    struct http_field add[] = {{.name = HTTP_STR("x-id"), .value = HTTP_STR("spiffe://a")},
                               {.name = HTTP_STR("x-bad"), .value = HTTP_STR("a\r\nb: c")}};
    w->verdict.add = add;
    w->verdict.nadd = 2;
    w->response_add = (struct http_field){.name = HTTP_STR("x-back"), .value = HTTP_STR("1")};
    wire_hello(w);
    wire_headers(w, HTTP2_DOWN, 1, false, WIRE_POST "|drop=me|secret!=x|content-length=5");
    assert_string_equal(wire_log(w, HTTP2_UP),
                        "HEADERS 1 :method=POST :scheme=https :authority=a.example :path=/up secret=x(!) "
                        "content-length=5 x-id=spiffe://a\n");
    assert_int_equal(http2_streams(w->conn), 1);
    wire_data(w, HTTP2_DOWN, 1, true, 5);
    wire_headers(w, HTTP2_UP, 1, false, ":status=103|link=x|drop=y");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greets_and_passes_settings),
        cmocka_unit_test(passes_an_exchange),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
