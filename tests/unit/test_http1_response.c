/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What services answer: passed on in one framing, or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http1_drive.h"
#include "http1_responses.h"

#define DOWN HTTP1_DOWN
#define UP HTTP1_UP

static void show(const struct answer *a, struct drive *d, const char *what)
{
    print_error("%s of\n%s  got %d, %s\n", what, a->response, d->result, drive_out(d, DOWN));
}

static void run(const struct answer *a, struct drive *d)
{
    assert_int_equal(drive_text(d, DOWN, a->request), HTTP1_MORE);
    text_free(&d->out[UP]);
    drive_feed(d, UP, a->response, a->n);
    if (a->eof && d->result == HTTP1_MORE)
        drive_eof(d, UP);
}

static void table(void **state)
{
    (void)state;
    static const char malformed[] = "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain; charset=utf-8\r\n"
                                    "Content-Length: 57\r\nConnection: close\r\n\r\n"
                                    "Bad Gateway: the upstream server's response is malformed\n";
    for (size_t i = 0; i < ANSWER_COUNT; i++) {
        const struct answer *a = &answers[i];
        struct drive d;
        drive_init(&d);
        run(a, &d);
        const char *client = a->client ? a->client : malformed;
        if (strcmp(drive_out(&d, DOWN), client)) {
            show(a, &d, "output");
            fail();
        }
        static const enum http1_result results[] = {HTTP1_MORE, HTTP1_MORE, HTTP1_MORE, HTTP1_CLOSE,
                                                    HTTP1_ABORT};
        if (d.result != results[a->after] || d.dones != (a->after == GOES_ON_ANEW)) {
            show(a, &d, "result");
            fail();
        }
        assert_int_equal(d.ends, a->after != OPEN_STILL);
        assert_int_equal(http1_streams(d.conn), a->after == OPEN_STILL);
        if (a->after != OPEN_STILL) {
            if (d.last_end.outcome != a->outcome || !strstr(d.last_end.why, a->why)) {
                show(a, &d, d.last_end.why);
                fail();
            }
        }
        if (a->outcome == HTTP1_BROKEN_UP)
            assert_int_equal(http1_why(d.conn).side, UP);
        if (a->after == GOES_ON)
            assert_int_equal(http1_reusable(d.conn), !a->eof);
        if (a->after == GOES_ON_ANEW)
            assert_false(http1_reusable(d.conn));
        if (a->after == CLOSES) /* for the client: another may follow on the service's transport */
            assert_int_equal(http1_reusable(d.conn), a->outcome == HTTP1_COMPLETE && !a->eof &&
                                                         !strstr(a->response, "Connection: close"));
        if (a->after <= GOES_ON_ANEW) { /* and the next request is like the first */
            text_free(&d.out[DOWN]);
            assert_int_equal(drive_text(&d, DOWN, "GET /2 HTTP/1.1\r\nHost: x\r\n\r\n"), HTTP1_MORE);
            assert_string_equal(drive_out(&d, UP), "GET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
            assert_int_equal(drive_text(&d, UP, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2"), HTTP1_MORE);
            assert_string_equal(drive_out(&d, DOWN), "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2");
        }
        drive_free(&d);
    }
}

/* Without new transports, the client's connection ends when the service's does, and the client is told
 * before. */
static void no_new_transport(void **state)
{
    (void)state;
    for (size_t i = 0; i < ANSWER_COUNT; i++) {
        const struct answer *a = &answers[i];
        struct drive d;
        if (a->after != GOES_ON_ANEW && !(a->after == GOES_ON && a->eof))
            continue;
        drive_init(&d);
        d.calls.service_done = NULL;
        run(a, &d);
        assert_int_equal(d.result, HTTP1_CLOSE);
        bool stray = strstr(a->client, "keep") == NULL && strstr(a->response, "close") == NULL &&
                     strstr(a->response, "HTTP/1.0") == NULL && !a->eof;
        if (!stray && !strstr(drive_out(&d, DOWN), "\r\nConnection: close\r\n")) {
            show(a, &d, "no close");
            fail();
        }
        assert_int_equal(d.last_end.outcome, HTTP1_COMPLETE);
        drive_free(&d);
    }
}

static void unsolicited(void **state)
{
    (void)state;
    struct drive d;
    drive_init(&d);
    assert_int_equal(drive_text(&d, UP, "220 mail ESMTP\r\n"), HTTP1_MORE);
    assert_int_equal(d.dones, 1);
    assert_int_equal(drive_text(&d, UP, "220 mail ESMTP\r\n"),
                     HTTP1_MORE); /* from a transport that is done with */
    assert_int_equal(d.dones, 1);
    assert_string_equal(drive_out(&d, DOWN), "");
    drive_free(&d);
    drive_init(&d);
    d.calls.service_done = NULL;
    assert_int_equal(drive_text(&d, UP, "x"), HTTP1_CLOSE);
    assert_int_equal(http1_why(d.conn).side, UP);
    drive_free(&d);
    /* while the body of a request that we answered is thrown away */
    for (int anew = 0; anew < 2; anew++) {
        drive_init(&d);
        d.status = 403;
        if (!anew)
            d.calls.service_done = NULL;
        assert_int_equal(drive_text(&d, DOWN, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na"),
                         HTTP1_MORE);
        text_free(&d.out[DOWN]);
        assert_int_equal(drive_text(&d, UP, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
                         anew ? HTTP1_MORE : HTTP1_CLOSE);
        assert_string_equal(drive_out(&d, DOWN), "");
        assert_int_equal(d.ends, !anew);
        if (anew)
            assert_int_equal(drive_text(&d, DOWN, "b"), HTTP1_MORE);
        assert_int_equal(d.last_end.outcome, HTTP1_ANSWERED);
        drive_free(&d);
    }
    /* the service's end in the same place */
    for (int anew = 0; anew < 2; anew++) {
        drive_init(&d);
        d.status = 403;
        if (!anew)
            d.calls.service_done = NULL;
        assert_int_equal(drive_text(&d, DOWN, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na"),
                         HTTP1_MORE);
        assert_int_equal(drive_eof(&d, UP), HTTP1_MORE);
        assert_int_equal(drive_text(&d, DOWN, "b"), anew ? HTTP1_MORE : HTTP1_CLOSE);
        assert_int_equal(d.ends, 1);
        drive_free(&d);
    }
}

static void too_many_interims(void **state)
{
    (void)state;
    struct drive d;
    drive_init(&d);
    assert_int_equal(drive_text(&d, DOWN, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), HTTP1_MORE);
    for (int i = 0; i < 32; i++)
        assert_int_equal(drive_text(&d, UP, "HTTP/1.1 102 P\r\n\r\n"), HTTP1_MORE);
    text_free(&d.out[DOWN]);
    assert_int_equal(drive_text(&d, UP, "HTTP/1.1 102 P\r\n\r\n"), HTTP1_CLOSE);
    assert_memory_equal(drive_out(&d, DOWN), "HTTP/1.1 502 ", 13);
    drive_free(&d);
}

/* An interim response has no framing, whatever the response before it had (RFC 9112, 6.1). */
static void after_chunks(void **state)
{
    (void)state;
    struct drive d;
    drive_init(&d);
    assert_int_equal(drive_text(&d, DOWN, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), HTTP1_MORE);
    assert_int_equal(drive_text(&d, UP, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
                     HTTP1_MORE);
    text_free(&d.out[DOWN]);
    assert_int_equal(drive_text(&d, DOWN, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), HTTP1_MORE);
    assert_int_equal(drive_text(&d, UP, "HTTP/1.1 103 E\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
                     HTTP1_MORE);
    assert_string_equal(drive_out(&d, DOWN),
                        "HTTP/1.1 103 E\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    drive_free(&d);
}

static void too_large(void **state)
{
    (void)state;
    struct drive d;
    struct text in = {0};
    text_addf(&in, "HTTP/1.1 200 OK\r\nX: ");
    while (in.n < 70000)
        text_addf(&in, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    for (size_t step = 1000; step < 200000; step *= 200) {
        drive_init(&d);
        assert_int_equal(drive_text(&d, DOWN, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), HTTP1_MORE);
        for (size_t off = 0; off < in.n && d.result == HTTP1_MORE; off += step)
            drive_feed(&d, UP, in.p + off, in.n - off < step ? in.n - off : step);
        assert_int_equal(d.result, HTTP1_CLOSE);
        assert_memory_equal(drive_out(&d, DOWN), "HTTP/1.1 502 ", 13);
        assert_string_equal(http1_why(d.conn).text, "the head is too large");
        drive_free(&d);
    }
    text_free(&in);
}

/* Fields that a callback leaves out: in heads, interim responses, trailers, both ways. */
static void dropped(void **state)
{
    (void)state;
    struct drive d;
    drive_init(&d);
    d.drop = "client-cert";
    assert_int_equal(
        drive_text(&d, DOWN,
                   "POST / HTTP/1.1\r\nHost: x\r\nCLIENT-cert: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "1\r\na\r\n0\r\nClient-Cert: 2\r\nOther: 3\r\n\r\n"),
        HTTP1_MORE);
    assert_string_equal(drive_out(&d, UP), "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                                           "1\r\na\r\n0\r\nOther: 3\r\n\r\n");
    assert_int_equal(drive_text(&d, UP,
                                "HTTP/1.1 103 E\r\nClient-Cert: 4\r\nLink: l\r\n\r\n"
                                "HTTP/1.1 200 OK\r\nclient-Cert: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
                                "0\r\nCLIENT-CERT: 6\r\n\r\n"),
                     HTTP1_MORE);
    assert_string_equal(drive_out(&d, DOWN),
                        "HTTP/1.1 103 E\r\nLink: l\r\n\r\n"
                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    drive_free(&d);
}

/* Nothing but emit is needed. */
static void no_callbacks(void **state)
{
    (void)state;
    for (size_t i = 0; i < ANSWER_COUNT; i++) {
        struct drive d;
        drive_init(&d);
        d.calls = (struct http1_calls){.emit = d.calls.emit};
        assert_int_equal(drive_text(&d, DOWN, answers[i].request), HTTP1_MORE);
        drive_feed(&d, UP, answers[i].response, answers[i].n);
        drive_free(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),        cmocka_unit_test(no_new_transport),  cmocka_unit_test(unsolicited),
        cmocka_unit_test(too_large),    cmocka_unit_test(too_many_interims), cmocka_unit_test(dropped),
        cmocka_unit_test(no_callbacks), cmocka_unit_test(after_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
