/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sidecar/http/http1.h: what passes and how it is written, what is answered here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http1_drive.h"

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

static void expect_log(struct drive *d, const char *text)
{
    assert_string_equal(d->log.p ? d->log.p : "", text);
    text_free(&d->log);
}

static void starts_with(const char *text, const char *prefix)
{
    if (strncmp(text, prefix, strlen(prefix)))
        fail_msg("%s", text);
}

static enum http1_phase phase(struct drive *d)
{
    return http1_progress(d->conn).phase;
}

static void exchange(void **state)
{
    (void)state;
    struct drive d;
    drive_init(&d);
    assert_int_equal(phase(&d), HTTP1_IDLE);
    for (int i = 1; i <= 3; i++) {
        d.now += 10;
        assert_int_equal(drive_text(&d, DOWN, get), HTTP1_MORE);
        expect(&d, UP, get);
        assert_int_equal(phase(&d), HTTP1_WAIT);
        assert_int_equal(http1_streams(d.conn), 1);
        assert_false(http1_reusable(d.conn));
        d.now += 10;
        assert_int_equal(drive_text(&d, UP, ok), HTTP1_MORE);
        expect(&d, DOWN, ok);
        assert_int_equal(d.last_end.number, i);
        assert_int_equal(d.last_end.began_ms, d.now - 10);
        assert_int_equal(d.last_end.responded_ms, d.now);
        assert_ptr_equal(d.last_end.user, &d);
        assert_int_equal(phase(&d), HTTP1_IDLE);
        assert_int_equal(http1_streams(d.conn), 0);
        assert_true(http1_reusable(d.conn));
        assert_int_equal(http1_state(d.conn), HTTP1_OPEN);
    }
    assert_int_equal(d.dones, 0);
    drive_free(&d);
}

/* What a request looks like to the callback, and what of it goes on. */
static void rewritten(void **state)
{
    (void)state;
    static const struct {
        const char *in, *log, *out;
    } table[] = {
        {"\r\nGET / HTTP/1.1\r\nhOST:  x \r\nX-Y:\t1 2 \t\r\nEmpty:\r\n\r\n",
         "request 1 GET path=/ query= host=x 1.1 fields=3 body=0/0 idempotent\n",
         "GET / HTTP/1.1\r\nHost: x\r\nX-Y: 1 2\r\nEmpty: \r\n\r\n"},
        {"GET http://Ex.com:81?q HTTP/1.1\r\nHost: eX.com:81\r\n\r\n",
         "request 1 GET path=/ query=q host=Ex.com:81 1.1 fields=1 body=0/0 idempotent\n",
         "GET /?q HTTP/1.1\r\nHost: Ex.com:81\r\n\r\n"},
        {"POST HTTPS://x/p?a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
         "request 1 POST path=/p query=a?b host=x 1.1 fields=2 body=0/0 https\n",
         "POST /p?a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"},
        {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
         "request 1 OPTIONS path=* query= host=x 1.1 fields=1 body=0/0 idempotent\n",
         "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"},
        {"OPTIONS http://x HTTP/1.1\r\nHost: x\r\n\r\n",
         "request 1 OPTIONS path=* query= host=x 1.1 fields=1 body=0/0 idempotent\n",
         "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"},
        {"GET /? HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
         "request 1 GET path=/ query= host=[::1]:8080 1.1 fields=1 body=0/0 idempotent\n",
         "GET /? HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"},
        /* neighbours that go on as they came, and others between them */
        {"GET / HTTP/1.1\r\nA: 1\r\nb: 2\r\nHost: x\r\nC:3\r\nD: 4 \r\nE: \t5\r\nF:\t6\r\nG: 7\r\nH:\r\n"
         "I: \r\nJ: 8\r\n\r\n",
         "request 1 GET path=/ query= host=x 1.1 fields=11 body=0/0 idempotent\n",
         "GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\nb: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\nF: 6\r\nG: 7\r\nH: \r\n"
         "I: \r\nJ: 8\r\n\r\n"},
        {"GET / HTTP/1.0\r\n\r\n", "request 1 GET path=/ query= host= 1.0 fields=0 body=0/0 idempotent\n",
         "GET / HTTP/1.1\r\nHost: \r\n\r\n"},
        {"POST / HTTP/1.0\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nz",
         "request 1 POST path=/ query= host=x 1.0 fields=3 body=1/1\n",
         "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nz"},
        {"PUT / HTTP/1.1\r\nHost: x\r\ncontent-length: 0003\r\nExpect: 100-Continue\r\n\r\nabc",
         "request 1 PUT path=/ query= host=x 1.1 fields=3 body=1/3 expect idempotent\n",
         "PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\nabc"},
        {"POST / HTTP/1.1\r\nHost: x\r\ntransfer-encoding:CHUNKED\r\n\r\n"
         "03;a=b;c=\"d;\\\"e\"\r\nabc\r\n0\r\n\r\n",
         "request 1 POST path=/ query= host=x 1.1 fields=2 body=2/0\n",
         "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"},
        /* hop by hop: removed, with what Connection nominates; h2c never passes */
        {"GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, X-Secret,upgrade, HTTP2-Settings\r\n"
         "Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nX-Secret: 1\r\nx-secret: 2\r\nX-Open: "
         "3\r\n"
         "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nTE: gzip\r\n\r\n",
         "request 1 GET path=/ query= host=x 1.1 fields=10 body=0/0 idempotent\n",
         "GET / HTTP/1.1\r\nHost: x\r\nX-Open: 3\r\n\r\n"},
        {"GET / HTTP/1.1\r\nHost: x\r\nTE: gzip;q=0.5, trailers\r\nConnection: TE\r\n\r\n",
         "request 1 GET path=/ query= host=x 1.1 fields=3 body=0/0 idempotent\n",
         "GET / HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: TE\r\n\r\n"},
        {"GET / HTTP/1.1\r\nHost: x\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
         "request 1 GET path=/ query= host=x 1.1 fields=2 body=0/0 idempotent\n",
         "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
        /* an upgrade to websocket only in a GET without a body, and with the option */
        {"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n",
         "request 1 GET path=/ query= host=x 1.1 fields=2 body=0/0 idempotent\n",
         "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
        {"POST / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
         "request 1 POST path=/ query= host=x 1.1 fields=3 body=0/0\n", "POST / HTTP/1.1\r\nHost: x\r\n\r\n"},
        {"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c, WebSocket\r\n\r\n",
         "request 1 GET path=/ query= host=x 1.1 fields=3 body=0/0 websocket idempotent\n",
         "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"},
        {"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: "
         "1\r\n\r\na",
         "request 1 GET path=/ query= host=x 1.1 fields=4 body=1/1 idempotent\n",
         "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na"},
        {"M-SEARCH / HTTP/1.1\r\nHost: x\r\n\r\n",
         "request 1 M-SEARCH path=/ query= host=x 1.1 fields=1 body=0/0\n",
         "M-SEARCH / HTTP/1.1\r\nHost: x\r\n\r\n"},
        {"GET /a|b{c}^\"d\\e HTTP/1.1\r\nHost: x\r\nX: \x80\xff\r\n\r\n",
         "request 1 GET path=/a|b{c}^\"d\\e query= host=x 1.1 fields=2 body=0/0 idempotent\n",
         "GET /a|b{c}^\"d\\e HTTP/1.1\r\nHost: x\r\nX: \x80\xff\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        struct drive d;
        drive_init(&d);
        assert_int_equal(drive_text(&d, DOWN, table[i].in), HTTP1_MORE);
        expect_log(&d, table[i].log);
        expect(&d, UP, table[i].out);
        assert_string_equal(OUT(d, DOWN), "");
        drive_free(&d);
    }
}

static void added(void **state)
{
    (void)state;
    const struct http_field add[] = {
        {.name = HTTP_STR("x-one"), .value = HTTP_STR("1"), .spelling = "X-One"},
        {.name = HTTP_STR("x-two"), .value = HTTP_STR("a\r\nEvil: 1")},
        {.name = HTTP_STR("x-zero"), .value = {"a\0b", 3}},
        {.name = HTTP_STR("evil: 1\r\nx"), .value = HTTP_STR("1")},
        {.name = HTTP_STR("content-length"), .value = HTTP_STR("7")},
        {.name = HTTP_STR("transfer_encoding"), .value = HTTP_STR("chunked")},
        {.name = HTTP_STR(""), .value = HTTP_STR("1")},
        {.name = HTTP_STR("x-three"), .value = HTTP_STR("3")},
    };
    struct drive d;
    drive_init(&d);
    d.drop = "x-own";
    d.add = d.response_add = add;
    d.nadd = d.response_nadd = sizeof(add) / sizeof(*add);
    assert_int_equal(
        drive_text(&d, DOWN,
                   "GET / HTTP/1.1\r\nX-OWN: a\r\nHost: x\r\nx-own: b\r\nConnection: x-one\r\n\r\n"),
        HTTP1_MORE);
    expect(&d, UP, "GET / HTTP/1.1\r\nHost: x\r\nX-One: 1\r\nx-three: 3\r\n\r\n");
    assert_int_equal(drive_text(&d, UP, "HTTP/1.1 204 No\r\nX-Own: c\r\nX: 1\r\n\r\n"), HTTP1_MORE);
    expect(&d, DOWN, "HTTP/1.1 204 No\r\nX: 1\r\nX-One: 1\r\nx-three: 3\r\n\r\n");
    d.status = 429;
    assert_int_equal(drive_text(&d, DOWN, get), HTTP1_MORE);
    expect(&d, DOWN, "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nX-One: 1\r\nx-three: 3\r\n\r\n");
    drive_free(&d);
}

/* Answers of ours: the connection goes on where the framing allows it. */
static void answered(void **state)
{
    (void)state;
    struct drive d;
    drive_init(&d);
    d.status = 403;
    d.message = HTTP_STR("no\n");
    static const char goes_on[] = "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\n"
                                  "Content-Length: 3\r\n\r\nno\n";
    assert_int_equal(drive_text(&d, DOWN, get), HTTP1_MORE);
    expect(&d, DOWN, goes_on);
    assert_int_equal(d.last_end.outcome, HTTP1_ANSWERED);
    assert_int_equal(d.last_end.status, 403);
    assert_int_equal(d.last_end.response_bytes, 3);
    /* a body is thrown away, and what follows it is the next request */
    assert_int_equal(drive_text(&d, DOWN, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"),
                     HTTP1_MORE);
    expect(&d, DOWN, goes_on);
    assert_int_equal(d.ends, 1);
    assert_int_equal(phase(&d), HTTP1_BODY);
    assert_int_equal(
        drive_text(&d, DOWN, "cdePOST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"),
        HTTP1_MORE);
    expect(&d, DOWN, goes_on);
    assert_int_equal(d.ends, 2);
    assert_int_equal(d.last_end.request_bytes, 5);
    assert_int_equal(drive_text(&d, DOWN, "3\r\nabc\r\n0\r\nX: y\r\n\r\nHEAD / HTTP/1.1\r\nHost: x\r\n\r\n"),
                     HTTP1_MORE);
    expect(&d, DOWN,
           "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n\r\n");
    assert_int_equal(d.ends, 4);
    text_free(&d.out[DOWN]);
    assert_int_equal(
        drive_text(&d, DOWN,
                   "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
        HTTP1_MORE);
    expect(&d, DOWN, goes_on);
    assert_int_equal(d.ends, 5);
    assert_string_equal(OUT(d, UP), "");
    drive_free(&d);

    static const char *const closing[] = {
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(closing) / sizeof(*closing); i++) {
        drive_init(&d);
        d.status = 403;
        assert_int_equal(drive_text(&d, DOWN, closing[i]), HTTP1_CLOSE);
        expect(&d, DOWN, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        assert_int_equal(d.ends, 1);
        assert_int_equal(drive_text(&d, DOWN, get), HTTP1_CLOSE);
        expect(&d, DOWN, "");
        drive_free(&d);
    }
    /* chunks without end are thrown away only so long */
    drive_init(&d);
    d.status = 403;
    assert_int_equal(drive_text(&d, DOWN, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"),
                     HTTP1_MORE);
    enum http1_result result = HTTP1_MORE;
    for (int i = 0; i < 17 && result == HTTP1_MORE; i++) {
        char chunk[4096 + 8];
        memset(chunk, 'x', sizeof(chunk));
        memcpy(chunk, "1000\r\n", 6);
        memcpy(chunk + sizeof(chunk) - 2, "\r\n", 2);
        result = drive_feed(&d, DOWN, chunk, sizeof(chunk));
    }
    assert_int_equal(result, HTTP1_CLOSE);
    assert_int_equal(d.ends, 1);
    drive_free(&d);
    /* statuses that have no body, or are none */
    static const struct {
        int status;
        const char *answer;
    } odd[] = {
        {204, "HTTP/1.1 204 No Content\r\n\r\n"},
        {304, "HTTP/1.1 304 Not Modified\r\n\r\n"},
        {599, "HTTP/1.1 599 \r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 1\r\n\r\nm"},
        {101, "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain; "
              "charset=utf-8\r\nContent-Length: 1\r\n\r\nm"},
        {99999, "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain; "
                "charset=utf-8\r\nContent-Length: 1\r\n\r\nm"},
    };
    for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
        drive_init(&d);
        d.status = odd[i].status;
        d.message = HTTP_STR("m");
        assert_int_equal(drive_text(&d, DOWN, get), HTTP1_MORE);
        expect(&d, DOWN, odd[i].answer);
        drive_free(&d);
    }
}

static void pipelined(void **state)
{
    (void)state;
    struct drive d;
    struct text all = {0};
    drive_init(&d);
    d.status = -1;
    for (int i = 0; i < 1000; i++)
        text_addf(&all, "POST /%s%d HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n%03d", i % 7 ? "" : "no",
                  i, i);
    assert_int_equal(drive_feed(&d, DOWN, all.p, all.n), HTTP1_MORE);
    assert_true(http1_blocked(d.conn, DOWN));
    assert_false(http1_blocked(d.conn, UP));
    for (int i = 0; i < 1000; i++) {
        char line[96];
        if (i % 7 == 0)
            continue; /* answered in its turn */
        snprintf(line, sizeof(line), "POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n%03d", i, i);
        expect(&d, UP, line); /* one, and not the next before this one's response */
        assert_int_equal(http1_progress(d.conn).since_ms, d.now);
        d.now++;
        assert_int_equal(drive_text(&d, UP, ok), HTTP1_MORE);
    }
    assert_false(http1_blocked(d.conn, DOWN));
    assert_int_equal(d.ends, 1000);
    struct opinion o = {0};
    opinion_of(&o, HTTP_RESPONSE, d.out[DOWN].p, d.out[DOWN].n, NULL);
    assert_int_equal(o.error, HPE_OK);
    assert_int_equal(o.complete, 1000);
    text_free(&o.text);
    text_free(&all);
    drive_free(&d);
}

static void stored_too_much(void **state)
{
    (void)state;
    struct drive d;
    drive_init(&d);
    assert_int_equal(drive_text(&d, DOWN, get), HTTP1_MORE);
    char *much = calloc(1, 1024 * 1024);
    assert_int_equal(drive_feed(&d, DOWN, much, 1024 * 1024), HTTP1_MORE);
    assert_true(http1_blocked(d.conn, DOWN));
    assert_int_equal(drive_feed(&d, DOWN, much, 1), HTTP1_CLOSE);
    starts_with(OUT(d, DOWN), "HTTP/1.1 413 ");
    free(much);
    drive_free(&d);
}

static void websocket(void **state)
{
    (void)state;
    static const char upgrade[] =
        "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Key: k\r\n\r\n";
    static const char forwarded[] =
        "GET /ws HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Key: k\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\n\r\n";
    static const char switched[] = "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: a\r\n"
                                   "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    struct drive d;
    drive_init(&d);
    assert_int_equal(drive_text(&d, DOWN, upgrade), HTTP1_MORE);
    assert_int_equal(drive_text(&d, DOWN, "too early"), HTTP1_MORE);
    expect(&d, UP, forwarded);
    assert_int_equal(phase(&d), HTTP1_WAIT);
    assert_int_equal(drive_text(&d, UP,
                                "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\n"
                                "Connection: upgrade\r\nSec-WebSocket-Accept: a\r\n\r\nfirst"),
                     HTTP1_MORE);
    expect(&d, DOWN,
           "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: a\r\nUpgrade: websocket\r\n"
           "Connection: Upgrade\r\n\r\nfirst");
    expect(&d, UP, "too early");
    assert_false(http1_blocked(d.conn, DOWN));
    assert_int_equal(phase(&d), HTTP1_TUNNEL);
    assert_int_equal(drive_feed(&d, DOWN, "\0\r\n\r\nGET", 8), HTTP1_MORE);
    assert_int_equal(d.out[UP].n, 8);
    http1_drain(d.conn, false);
    assert_int_equal(http1_state(d.conn), HTTP1_DRAINING);
    assert_int_equal(drive_eof(&d, DOWN), HTTP1_MORE);
    assert_int_equal(drive_text(&d, UP, "bye"), HTTP1_MORE);
    expect(&d, DOWN, "bye");
    assert_int_equal(d.ends, 0);
    assert_int_equal(drive_eof(&d, UP), HTTP1_CLOSE);
    assert_int_equal(d.last_end.outcome, HTTP1_COMPLETE);
    assert_int_equal(d.last_end.status, 101);
    assert_int_equal(d.last_end.request_bytes, 17);
    assert_int_equal(d.last_end.response_bytes, 8);
    drive_free(&d);

    /* declined: what was sent ahead is a request like any other */
    drive_init(&d);
    assert_int_equal(drive_text(&d, DOWN, upgrade), HTTP1_MORE);
    assert_int_equal(drive_text(&d, DOWN, get), HTTP1_MORE);
    assert_int_equal(drive_text(&d, UP, ok), HTTP1_MORE);
    expect(&d, DOWN, ok);
    assert_int_equal(d.requests, 2);
    drive_free(&d);

    /* a 101 that nobody asked for, or to something else, is no tunnel */
    static const char *const requests[] = {get, upgrade, upgrade, upgrade};
    static const char *const responses[] = {
        switched,
        "HTTP/1.1 101 S\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n",
        "HTTP/1.0 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    };
    for (size_t i = 0; i < 4; i++) {
        drive_init(&d);
        assert_int_equal(drive_text(&d, DOWN, requests[i]), HTTP1_MORE);
        assert_int_equal(drive_text(&d, UP, responses[i]), HTTP1_CLOSE);
        starts_with(OUT(d, DOWN), "HTTP/1.1 502 ");
        assert_int_equal(d.last_end.outcome, HTTP1_BROKEN_UP);
        drive_free(&d);
    }
    /* an end between requests is not the tunnel's */
    drive_init(&d);
    assert_int_equal(drive_eof(&d, UP), HTTP1_MORE);
    assert_int_equal(drive_text(&d, DOWN, upgrade), HTTP1_MORE);
    assert_int_equal(drive_text(&d, UP, switched), HTTP1_MORE);
    assert_int_equal(drive_eof(&d, DOWN), HTTP1_MORE);
    assert_int_equal(drive_eof(&d, UP), HTTP1_CLOSE);
    drive_free(&d);
    for (int now = 0; now < 2; now++) {
        drive_init(&d);
        assert_int_equal(drive_text(&d, DOWN, upgrade), HTTP1_MORE);
        assert_int_equal(drive_text(&d, UP, switched), HTTP1_MORE);
        if (now) {
            http1_drain(d.conn, true);
            assert_int_equal(http1_state(d.conn), HTTP1_DONE);
        } else {
            assert_int_equal(drive_timeout(&d), HTTP1_ABORT);
            assert_int_equal(d.last_end.outcome, HTTP1_COMPLETE);
        }
        drive_free(&d);
        assert_int_equal(d.ends, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exchange),  cmocka_unit_test(rewritten), cmocka_unit_test(added),
        cmocka_unit_test(answered),  cmocka_unit_test(pipelined), cmocka_unit_test(stored_too_much),
        cmocka_unit_test(websocket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
