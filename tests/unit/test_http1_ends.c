/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sidecar/http/http1.h: how connections go on, and how they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http1_drive.h"
#include "sidecar/http/http1_private.h"

#define DOWN HTTP1_DOWN
#define UP HTTP1_UP
#define OUT(d, side) drive_out(&(d), (side))

static const char get[] = "GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n";
static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

static void expect(struct drive *d, enum http1_side side, const char *text)
{
    assert_string_equal(drive_out(d, side), text);
    text_free(&d->out[side]);
}

static void starts_with(const char *text, const char *prefix)
{
    if (strncmp(text, prefix, strlen(prefix)))
        fail_msg("%s", text);
}

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no %s in %s", part, text);
}

static void has_not(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("%s in %s", part, text);
}

static enum http1_phase phase(struct drive *d)
{
    return http1_progress(d->conn).phase;
}

static void early_response(void **state)
{
    (void)state;
    static const char post[] = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\na";
    struct drive d;
    drive_init(&d);
    /* the rest of the body still goes to the service */
    assert_int_equal(drive_text(&d, DOWN, post), HTTP1_MORE);
    assert_int_equal(phase(&d), HTTP1_BODY);
    assert_int_equal(drive_text(&d, UP, ok), HTTP1_MORE);
    expect(&d, DOWN, ok);
    assert_int_equal(d.ends, 0);
    assert_int_equal(phase(&d), HTTP1_BODY);
    assert_int_equal(drive_text(&d, DOWN, "bcdGET /2 HTTP/1.1\r\nHost: x\r\n\r\n"), HTTP1_MORE);
    expect(&d, UP,
           "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcdGET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(d.ends, 1);
    assert_int_equal(d.last_end.outcome, HTTP1_COMPLETE);
    drive_free(&d);
    /* unless the service will not read it: then the client is told */
    drive_init(&d);
    assert_int_equal(drive_text(&d, DOWN, post), HTTP1_MORE);
    assert_int_equal(
        drive_text(&d, UP, "HTTP/1.1 413 Too big\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
        HTTP1_CLOSE);
    expect(&d, DOWN, "HTTP/1.1 413 Too big\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    assert_int_equal(d.last_end.outcome, HTTP1_LOST_UP);
    drive_free(&d);
    /* the service answers, and goes */
    drive_init(&d);
    assert_int_equal(drive_text(&d, DOWN, post), HTTP1_MORE);
    assert_int_equal(drive_text(&d, UP, ok), HTTP1_MORE);
    assert_int_equal(drive_eof(&d, UP), HTTP1_CLOSE);
    assert_int_equal(d.last_end.outcome, HTTP1_LOST_UP);
    expect(&d, DOWN, ok);
    drive_free(&d);
    /* and says more than one response */
    drive_init(&d);
    assert_int_equal(drive_text(&d, DOWN, post), HTTP1_MORE);
    assert_int_equal(drive_text(&d, UP, ok), HTTP1_MORE);
    assert_int_equal(drive_text(&d, UP, ok), HTTP1_CLOSE);
    assert_int_equal(d.last_end.outcome, HTTP1_BROKEN_UP);
    expect(&d, DOWN, ok);
    drive_free(&d);
}

static void drained(void **state)
{
    (void)state;
    struct drive d;
    /* idle: at once */
    drive_init(&d);
    http1_drain(d.conn, false);
    assert_int_equal(http1_state(d.conn), HTTP1_DONE);
    drive_free(&d);
    /* before the response: told */
    drive_init(&d);
    assert_int_equal(drive_text(&d, DOWN, get), HTTP1_MORE);
    http1_drain(d.conn, false);
    assert_int_equal(http1_state(d.conn), HTTP1_DRAINING);
    assert_int_equal(drive_text(&d, UP, ok), HTTP1_CLOSE);
    expect(&d, DOWN, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
    assert_int_equal(d.last_end.outcome, HTTP1_COMPLETE);
    assert_int_equal(http1_state(d.conn), HTTP1_DONE);
    drive_free(&d);
    /* in mid-response; what was pipelined is not served */
    drive_init(&d);
    assert_int_equal(drive_text(&d, DOWN, get), HTTP1_MORE);
    assert_int_equal(drive_text(&d, DOWN, get), HTTP1_MORE);
    assert_int_equal(drive_text(&d, UP, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh"), HTTP1_MORE);
    http1_drain(d.conn, true);
    assert_int_equal(http1_state(d.conn), HTTP1_DRAINING);
    assert_int_equal(drive_text(&d, UP, "i"), HTTP1_CLOSE);
    expect(&d, DOWN, ok);
    assert_int_equal(d.requests, 1);
    drive_free(&d);
    /* half a head is waited for, unless it must be now */
    drive_init(&d);
    assert_int_equal(drive_text(&d, DOWN, "GET /"), HTTP1_MORE);
    http1_drain(d.conn, false);
    assert_int_equal(http1_state(d.conn), HTTP1_DRAINING);
    http1_drain(d.conn, true);
    assert_int_equal(http1_state(d.conn), HTTP1_DONE);
    drive_free(&d);
    drive_init(&d);
    d.status = 403;
    assert_int_equal(drive_text(&d, DOWN, "GET / HTTP/1.1\r\nHost:"), HTTP1_MORE);
    http1_drain(d.conn, false);
    assert_int_equal(drive_text(&d, DOWN, "x\r\n\r\n"), HTTP1_CLOSE);
    has(OUT(d, DOWN), "Connection: close\r\n");
    drive_free(&d);
}

static void timeouts(void **state)
{
    (void)state;
    struct drive d;
    drive_init(&d);
    assert_int_equal(drive_timeout(&d), HTTP1_CLOSE);
    expect(&d, DOWN, "");
    assert_int_equal(d.ends, 0);
    drive_free(&d);

    static const char *const slow[] = {"G", "\r", "GET / HTTP/1.1\r\nHost: x\r\nX: ",
                                       "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"};
    for (size_t i = 0; i < 4; i++) {
        drive_init(&d);
        d.now = 5000;
        assert_int_equal(drive_text(&d, DOWN, slow[i]), HTTP1_MORE);
        assert_int_equal(phase(&d), i == 3 ? HTTP1_BODY : HTTP1_HEAD);
        d.now = 6000; /* a byte more does not begin the phase anew */
        assert_int_equal(drive_text(&d, DOWN, i == 1 ? "\nG" : "x"), HTTP1_MORE);
        if (i != 1)
            assert_int_equal(http1_progress(d.conn).since_ms, 5000);
        assert_int_equal(http1_progress(d.conn).moved_ms, 6000);
        assert_int_equal(drive_timeout(&d), HTTP1_CLOSE);
        starts_with(OUT(d, DOWN), "HTTP/1.1 408 Request Timeout\r\n");
        has(OUT(d, DOWN), "Connection: close\r\n");
        assert_int_equal(d.ends, 1);
        assert_int_equal(d.last_end.status, 408);
        assert_int_equal(d.last_end.outcome, HTTP1_ANSWERED);
        assert_int_equal(phase(&d), HTTP1_ENDED);
        drive_free(&d);
    }
    drive_init(&d);
    assert_int_equal(drive_text(&d, DOWN, get), HTTP1_MORE);
    assert_int_equal(drive_timeout(&d), HTTP1_MORE); /* the service's fault: the client may go on */
    starts_with(OUT(d, DOWN), "HTTP/1.1 504 Gateway Timeout\r\n");
    assert_int_equal(d.dones, 1);
    assert_int_equal(drive_text(&d, UP, ok), HTTP1_MORE); /* too late: it answers nothing */
    has_not(OUT(d, DOWN), "200");
    assert_int_equal(phase(&d), HTTP1_IDLE);
    drive_free(&d);
    drive_init(&d);
    assert_int_equal(drive_text(&d, DOWN, get), HTTP1_MORE);
    assert_int_equal(drive_text(&d, UP, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh"), HTTP1_MORE);
    assert_int_equal(drive_timeout(&d), HTTP1_ABORT);
    assert_int_equal(d.last_end.outcome, HTTP1_LOST_UP);
    drive_free(&d);
}

static void client_ends(void **state)
{
    (void)state;
    struct drive d;
    drive_init(&d);
    assert_int_equal(drive_eof(&d, DOWN), HTTP1_CLOSE);
    drive_free(&d);
    /* after whole requests: served to the last */
    drive_init(&d);
    assert_int_equal(drive_text(&d, DOWN, get), HTTP1_MORE);
    assert_int_equal(drive_text(&d, DOWN, get), HTTP1_MORE);
    assert_int_equal(drive_eof(&d, DOWN), HTTP1_MORE);
    assert_int_equal(drive_text(&d, UP, ok), HTTP1_MORE);
    assert_int_equal(drive_text(&d, UP, ok), HTTP1_CLOSE);
    assert_int_equal(d.ends, 2);
    drive_free(&d);
    /* in mid-request */
    static const char *const parts[] = {
        "GET / HT", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"};
    for (size_t i = 0; i < 3; i++) {
        drive_init(&d);
        assert_int_equal(drive_text(&d, DOWN, parts[i]), HTTP1_MORE);
        assert_int_equal(drive_eof(&d, DOWN), HTTP1_CLOSE);
        expect(&d, DOWN, "");
        has_not(OUT(d, UP), "0\r\n\r\n"); /* the service must not take it for whole */
        assert_int_equal(d.ends, i > 0);
        if (i)
            assert_int_equal(d.last_end.outcome, HTTP1_LOST_DOWN);
        drive_free(&d);
    }
    drive_init(&d);
    assert_int_equal(drive_text(&d, DOWN, get), HTTP1_MORE);
    drive_free(&d);
    assert_int_equal(d.ends, 1);
    assert_int_equal(d.last_end.outcome, HTTP1_LOST_DOWN);
}

static void service_lost(void **state)
{
    (void)state;
    struct drive d;
    for (int status = 502; status <= 504; status++) {
        drive_init(&d);
        assert_int_equal(drive_text(&d, DOWN, get), HTTP1_MORE);
        assert_int_equal(drive_text(&d, DOWN, get), HTTP1_MORE);
        text_free(&d.out[UP]);
        assert_int_equal(drive_lost(&d, status), HTTP1_MORE);
        has(OUT(d, DOWN), "\r\n\r\ngone\n");
        has_not(OUT(d, DOWN), "close");
        assert_int_equal(d.last_end.outcome, HTTP1_ANSWERED);
        assert_int_equal(d.last_end.status, status);
        assert_int_equal(d.dones, 0);
        expect(&d, UP, get); /* what waited goes to the next transport */
        assert_int_equal(drive_text(&d, UP, ok), HTTP1_MORE);
        drive_free(&d);
    }
    /* no new transports: the client's connection ends, too */
    drive_init(&d);
    d.calls.service_done = NULL;
    assert_int_equal(drive_text(&d, DOWN, get), HTTP1_MORE);
    assert_int_equal(drive_lost(&d, 503), HTTP1_CLOSE);
    has(OUT(d, DOWN), "Connection: close\r\n");
    assert_int_equal(http1_why(d.conn).status, 503);
    assert_int_equal(http1_why(d.conn).side, UP);
    drive_free(&d);
    drive_init(&d);
    d.calls.service_done = NULL;
    assert_int_equal(drive_eof(&d, UP), HTTP1_CLOSE);
    drive_free(&d);
    /* in mid-request: nothing of the rest goes anywhere */
    drive_init(&d);
    assert_int_equal(drive_text(&d, DOWN, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"),
                     HTTP1_MORE);
    assert_int_equal(drive_lost(&d, 502), HTTP1_CLOSE);
    has(OUT(d, DOWN), "Connection: close\r\n");
    drive_free(&d);
    /* idle */
    drive_init(&d);
    assert_int_equal(drive_eof(&d, UP), HTTP1_MORE);
    assert_false(http1_reusable(d.conn));
    assert_int_equal(drive_text(&d, DOWN, get), HTTP1_MORE);
    expect(&d, UP, get);
    assert_int_equal(drive_text(&d, UP, ok), HTTP1_MORE);
    assert_true(http1_reusable(d.conn));
    drive_free(&d);
    /* closed while a request was on its way: replayable until something is seen of a response */
    drive_init(&d);
    assert_int_equal(drive_text(&d, DOWN, get), HTTP1_MORE);
    assert_true(http1_replayable(d.conn));
    assert_int_equal(drive_text(&d, UP, "H"), HTTP1_MORE);
    assert_false(http1_replayable(d.conn));
    assert_int_equal(drive_eof(&d, UP), HTTP1_MORE);
    starts_with(OUT(d, DOWN), "HTTP/1.1 502 Bad Gateway\r\n");
    assert_false(http1_replayable(d.conn));
    assert_int_equal(drive_text(&d, DOWN, "POST / HTTP/1.1\r\nHost: x\r\n\r\n"), HTTP1_MORE);
    assert_false(http1_replayable(d.conn));
    drive_free(&d);
    drive_init(&d);
    assert_int_equal(drive_text(&d, DOWN, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n1"),
                     HTTP1_MORE);
    assert_false(http1_replayable(d.conn));
    assert_int_equal(drive_text(&d, DOWN, "2"), HTTP1_MORE);
    assert_true(http1_replayable(d.conn));
    drive_free(&d);
}

/* The service's transport goes to another client only when nothing of this one's is left on it. */
static void reusable(void **state)
{
    (void)state;
    static const char post[] = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\na";
    struct drive d;
    /* answered early, and the client goes before the request is whole */
    drive_init(&d);
    assert_int_equal(drive_text(&d, DOWN, post), HTTP1_MORE);
    assert_int_equal(drive_text(&d, UP, ok), HTTP1_MORE);
    assert_false(http1_reusable(d.conn));
    assert_int_equal(drive_eof(&d, DOWN), HTTP1_CLOSE);
    assert_false(http1_reusable(d.conn));
    drive_free(&d);
    /* answered early, and then whole */
    drive_init(&d);
    assert_int_equal(drive_text(&d, DOWN, post), HTTP1_MORE);
    assert_int_equal(drive_text(&d, UP, ok), HTTP1_MORE);
    assert_int_equal(drive_text(&d, DOWN, "bcd"), HTTP1_MORE);
    assert_true(http1_reusable(d.conn));
    assert_int_equal(drive_eof(&d, DOWN), HTTP1_CLOSE);
    assert_true(http1_reusable(d.conn));
    drive_free(&d);
    /* the client asked to close: what follows the response in the same bytes is not lost sight of */
    drive_init(&d);
    assert_int_equal(drive_text(&d, DOWN, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
                     HTTP1_MORE);
    assert_int_equal(drive_text(&d, UP, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiH"), HTTP1_CLOSE);
    assert_false(http1_reusable(d.conn));
    drive_free(&d);
    drive_init(&d);
    assert_int_equal(drive_text(&d, DOWN, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
                     HTTP1_MORE);
    assert_int_equal(drive_text(&d, UP, ok), HTTP1_CLOSE);
    assert_true(http1_reusable(d.conn));
    drive_free(&d);
    /* a tunnel that has come to its end */
    drive_init(&d);
    assert_int_equal(
        drive_text(&d, DOWN,
                   "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
        HTTP1_MORE);
    assert_int_equal(
        drive_text(&d, UP, "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
        HTTP1_MORE);
    assert_int_equal(drive_eof(&d, DOWN), HTTP1_MORE);
    assert_false(http1_reusable(d.conn));
    assert_int_equal(drive_eof(&d, UP), HTTP1_CLOSE);
    assert_false(http1_reusable(d.conn));
    drive_free(&d);
    /* in mid-response */
    drive_init(&d);
    assert_int_equal(drive_text(&d, DOWN, get), HTTP1_MORE);
    assert_int_equal(drive_text(&d, UP, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh"), HTTP1_MORE);
    assert_int_equal(drive_eof(&d, DOWN), HTTP1_MORE);
    assert_false(http1_reusable(d.conn));
    drive_free(&d);
}

/* Bytes that no request begins with are refused at once, wherever they are cut; nobody waits for a line's
 * end. */
static void not_a_request(void **state)
{
    (void)state;
    static const char *const begins[] = {"\x16\x03\x01", "\x80", "{\"a\"", "*1\rx", " GET", "GET\t/", "a:b"};
    for (size_t i = 0; i < sizeof(begins) / sizeof(*begins); i++) {
        for (size_t step = 1; step < 40; step += 38) {
            struct drive d;
            drive_init(&d);
            size_t size = strlen(begins[i]);
            for (size_t at = 0; at < size && d.result == HTTP1_MORE; at += step)
                drive_feed(&d, DOWN, begins[i] + at, size - at < step ? size - at : step);
            if (d.result != HTTP1_CLOSE)
                fail_msg("%s", begins[i]);
            starts_with(OUT(d, DOWN), "HTTP/1.1 400 Bad Request\r\n");
            drive_free(&d);
        }
    }
    struct drive d;
    drive_init(&d);
    assert_int_equal(drive_text(&d, DOWN, "VERSION-CONTROL"), HTTP1_MORE);
    assert_int_equal(drive_text(&d, DOWN, " /\x7f"),
                     HTTP1_MORE); /* the whole line is looked at when it is there */
    drive_free(&d);
}

static void idle_is_small(void **state)
{
    (void)state;
    struct drive d;
    drive_init(&d);
    static const char post[] =
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: 1\r\n\r\n";
    for (size_t i = 0; i < sizeof(post) - 1; i++)
        assert_int_equal(drive_feed(&d, DOWN, post + i, 1), HTTP1_MORE);
    assert_int_equal(drive_text(&d, DOWN, get), HTTP1_MORE);
    assert_int_equal(drive_text(&d, UP, ok), HTTP1_MORE);
    assert_int_equal(drive_text(&d, UP, ok), HTTP1_MORE);
    assert_int_equal(d.ends, 2);
    assert_false(http1_blocked(d.conn, DOWN));
    assert_null(d.conn->store);
    assert_null(d.conn->in[DOWN].part.p);
    assert_null(d.conn->in[UP].part.p);
    assert_true(sizeof(struct http1_conn) <= 256);
    drive_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(early_response), cmocka_unit_test(drained),       cmocka_unit_test(timeouts),
        cmocka_unit_test(client_ends),    cmocka_unit_test(service_lost),  cmocka_unit_test(reusable),
        cmocka_unit_test(not_a_request),  cmocka_unit_test(idle_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
