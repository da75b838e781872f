/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests that somebody might read in another way: all are refused, none reaches the service. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http1_drive.h"
#include "http1_hostile.h"

static void refused(struct drive *d, const struct hostile *h, const char *name)
{
    const char *out = drive_out(d, HTTP1_DOWN);
    char line[16];
    snprintf(line, sizeof(line), "HTTP/1.1 %03d ", h->status);
    if (d->result != HTTP1_CLOSE || strncmp(out, line, strlen(line)) || !strstr(out, h->why) ||
        !strstr(out, "\r\nConnection: close\r\n")) {
        print_error("expected %d %s: %s\n  got %d: %s\n", h->status, h->why, name, d->result, out);
        fail();
    }
    assert_int_equal(d->ends, 1);
    assert_int_equal(d->last_end.outcome, HTTP1_BROKEN_DOWN);
    assert_int_equal(d->last_end.status, h->status);
    assert_int_equal(http1_why(d->conn).side, HTTP1_DOWN);
    assert_int_equal(http1_why(d->conn).status, h->status);
    assert_non_null(strstr(http1_why(d->conn).text, h->why));
    assert_int_equal(http1_state(d->conn), HTTP1_DONE);
    /* the answer is one, and whole */
    struct opinion o = {0};
    opinion_of(&o, HTTP_RESPONSE, out, d->out[HTTP1_DOWN].n, NULL);
    if (o.complete != 1 || o.messages != 1 || o.error != HPE_OK)
        fail_msg("%s: %s: %s", name, llhttp_errno_name(o.error), out);
    text_free(&o.text);
    /* the service saw nothing, or an unfinished body at most */
    opinion_of(&o, HTTP_REQUEST, drive_out(d, HTTP1_UP), d->out[HTTP1_UP].n, NULL);
    if (o.complete || o.error != HPE_OK || o.messages > d->requests)
        fail_msg("%s: reached the service: %s", name, o.text.p);
    text_free(&o.text);
}

static void table(void **state)
{
    (void)state;
    assert_true(HOSTILE_COUNT >= 150);
    for (size_t i = 0; i < HOSTILE_COUNT; i++) {
        struct drive d;
        drive_init(&d);
        drive_feed(&d, HTTP1_DOWN, hostile[i].p, hostile[i].n);
        refused(&d, &hostile[i], hostile[i].p);
        /* whatever comes later is not read */
        size_t n = d.out[HTTP1_DOWN].n;
        assert_int_equal(drive_text(&d, HTTP1_DOWN, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), HTTP1_CLOSE);
        assert_int_equal(d.out[HTTP1_DOWN].n, n);
        drive_free(&d);
        assert_int_equal(d.ends, 1);
    }
}

/* The same behind a good request: that is served, and not disturbed. */
static void behind_a_good_one(void **state)
{
    (void)state;
    static const char good[] = "GET /good HTTP/1.1\r\nHost: x\r\n\r\n";
    static const char response[] = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood";
    for (size_t i = 0; i < HOSTILE_COUNT; i++) {
        struct drive d;
        struct text in = {0};
        drive_init(&d);
        text_add(&in, good, sizeof(good) - 1);
        text_add(&in, hostile[i].p, hostile[i].n);
        assert_int_equal(drive_feed(&d, HTTP1_DOWN, in.p, in.n), HTTP1_MORE);
        assert_string_equal(drive_out(&d, HTTP1_UP), good);
        text_free(&d.out[HTTP1_UP]);
        enum http1_result result = drive_text(&d, HTTP1_UP, response);
        assert_memory_equal(drive_out(&d, HTTP1_DOWN), response, sizeof(response) - 1);
        assert_int_equal(d.ends, 2);
        char *rest = strdup(drive_out(&d, HTTP1_DOWN) + sizeof(response) - 1);
        text_free(&d.out[HTTP1_DOWN]);
        text_add(&d.out[HTTP1_DOWN], rest, strlen(rest));
        free(rest);
        d.ends = 1;
        d.result = result;
        refused(&d, &hostile[i], hostile[i].p);
        text_free(&in);
        drive_free(&d);
    }
}

static void too_large(void **state)
{
    (void)state;
    enum { BIG = 200 * 1024 };
    static char big[BIG];
    memset(big, 'a', sizeof(big));
    static const struct {
        const char *before;
        size_t fill;
        const char *after;
        struct hostile h;
    } table[] = {
        {"GET /", 16384, " HTTP/1.1\r\nHost: x\r\n\r\n", {NULL, 0, 414, "too long"}},
        {"GET /", 20000, " HTTP/1.1\r\nHost: x\r\n\r\n", {NULL, 0, 414, "too long"}},
        {"GET /", BIG, "", {NULL, 0, 414, "too long"}},
        {"", BIG, "", {NULL, 0, 414, "too long"}},
        {"GET / HTTP/1.1\r\nHost: x\r\nX: ", 65536, "\r\n\r\n", {NULL, 0, 431, "head is too large"}},
        {"GET / HTTP/1.1\r\nHost: x\r\nX: ", BIG, "", {NULL, 0, 431, "head is too large"}},
        {"GET / HTTP/1.1\r\nHost: x\r\n", BIG, "", {NULL, 0, 431, "head is too large"}},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ",
         8192,
         "\r\n\r\n",
         {NULL, 0, 431, "trailers are too large"}},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;",
         253,
         "\r\n",
         {NULL, 0, 400, "chunk's line is too long"}},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;",
         BIG,
         "",
         {NULL, 0, 400, "chunk's line is too long"}},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        static const size_t steps[] = {97, 999, 2 * BIG};
        for (size_t k = 0; k < 3; k++) {
            size_t step = steps[k];
            struct drive d;
            struct text in = {0};
            text_add(&in, table[i].before, strlen(table[i].before));
            text_add(&in, big, table[i].fill);
            text_add(&in, table[i].after, strlen(table[i].after));
            drive_init(&d);
            for (size_t off = 0; off < in.n && d.result == HTTP1_MORE; off += step)
                drive_feed(&d, HTTP1_DOWN, in.p + off, in.n - off < step ? in.n - off : step);
            refused(&d, &table[i].h, table[i].before);
            drive_free(&d);
            text_free(&in);
        }
    }
}

static void limits_reached_but_not_passed(void **state)
{
    (void)state;
    struct drive d;
    struct text in = {0};
    drive_init(&d);
    text_addf(&in, "GET /");
    while (in.n < 5 + 16383)
        text_addf(&in, "a");
    text_addf(&in, " HTTP/1.1\r\nHost: x\r\n");
    for (int i = 1; i < 127; i++)
        text_addf(&in, "X%d: 1\r\n", i);
    text_addf(&in, "X: ");
    while (in.n < 65536 - 4)
        text_addf(&in, "b");
    text_addf(&in, "\r\n\r\n");
    assert_int_equal(in.n, 65536);
    assert_int_equal(drive_feed(&d, HTTP1_DOWN, in.p, in.n), HTTP1_MORE);
    assert_int_equal(d.requests, 1);
    assert_memory_equal(d.out[HTTP1_UP].p, in.p, in.n); /* as it came: the limits are not on what we write */
    assert_int_equal(d.out[HTTP1_UP].n, in.n);
    text_free(&in);
    drive_free(&d);
    /* one field more */
    drive_init(&d);
    text_addf(&in, "GET / HTTP/1.1\r\nHost: x\r\n");
    for (int i = 1; i <= 128; i++)
        text_addf(&in, "X%d: 1\r\n", i);
    text_addf(&in, "\r\n");
    const struct hostile fields = {NULL, 0, 431, "too many fields"};
    drive_feed(&d, HTTP1_DOWN, in.p, in.n);
    refused(&d, &fields, "fields");
    text_free(&in);
    drive_free(&d);
    /* the longest chunk line */
    drive_init(&d);
    text_addf(&in, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;");
    for (int i = 0; i < 252; i++)
        text_addf(&in, "a");
    text_addf(&in, "\r\nabc\r\n0\r\n\r\n");
    assert_int_equal(drive_feed(&d, HTTP1_DOWN, in.p, in.n), HTTP1_MORE);
    assert_non_null(strstr(drive_out(&d, HTTP1_UP), "\r\n\r\n3\r\nabc\r\n0\r\n\r\n"));
    text_free(&in);
    drive_free(&d);
}

/* A body that breaks after its response has begun cannot be answered any more. */
static void broken_late(void **state)
{
    (void)state;
    static const char post[] = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    struct drive d;
    drive_init(&d);
    assert_int_equal(drive_text(&d, HTTP1_DOWN, post), HTTP1_MORE);
    assert_int_equal(drive_text(&d, HTTP1_UP, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh"), HTTP1_MORE);
    assert_int_equal(drive_text(&d, HTTP1_DOWN, "x\r\n"), HTTP1_ABORT);
    assert_string_equal(drive_out(&d, HTTP1_DOWN), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh");
    assert_int_equal(d.last_end.outcome, HTTP1_BROKEN_DOWN);
    drive_free(&d);
    drive_init(&d);
    assert_int_equal(drive_text(&d, HTTP1_DOWN, post), HTTP1_MORE);
    assert_int_equal(drive_text(&d, HTTP1_UP, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), HTTP1_MORE);
    assert_int_equal(drive_text(&d, HTTP1_DOWN, "x\r\n"), HTTP1_CLOSE);
    assert_int_equal(d.last_end.outcome, HTTP1_BROKEN_DOWN);
    drive_free(&d);
    /* one that was answered here is not answered again */
    drive_init(&d);
    d.status = 403;
    assert_int_equal(
        drive_text(&d, HTTP1_DOWN, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"),
        HTTP1_CLOSE);
    assert_string_equal(drive_out(&d, HTTP1_DOWN), "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    drive_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),       cmocka_unit_test(behind_a_good_one),
        cmocka_unit_test(too_large),   cmocka_unit_test(limits_reached_but_not_passed),
        cmocka_unit_test(broken_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
