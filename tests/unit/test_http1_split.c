/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * However the bytes are cut, the messages are the same: every input is fed whole, cut in two at every place,
 * and byte by byte; outputs as llhttp reads them, events and ends must not differ.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http1_drive.h"
#include "http1_hostile.h"
#include "http1_responses.h"

struct step {
    enum http1_side side;
    const char *p;
    size_t n;
};

struct script {
    struct step steps[8];
    bool eof; /* of the service, at the end */
    int status;
};

struct result {
    char *text;
    enum http1_result result;
};

/* CUT: where to cut the step numbered WHICH; BYTEWISE: everywhere. */
static struct result play(const struct script *script, size_t which, size_t cut, bool bytewise)
{
    struct drive d;
    struct text all = {0};
    drive_init(&d);
    d.status = script->status;
    for (size_t i = 0; i < 8 && script->steps[i].p; i++) {
        const struct step *s = &script->steps[i];
        size_t first = bytewise ? 1 : i == which ? cut : s->n;
        for (size_t off = 0; off < s->n;) {
            size_t n = bytewise ? 1 : off ? s->n - off : first;
            drive_feed(&d, s->side, s->p + off, n);
            off += n;
        }
    }
    if (script->eof && d.result == HTTP1_MORE)
        drive_eof(&d, HTTP1_UP);
    struct result r = {NULL, d.result};
    static const bool head_first[4096] = {true};
    bool head = script->steps[0].n > 4 && !memcmp(script->steps[0].p, "HEAD", 4);
    for (int side = 0; side < 2; side++) {
        struct opinion o = {0};
        opinion_of(&o, side == HTTP1_UP ? HTTP_REQUEST : HTTP_RESPONSE, drive_out(&d, side), d.out[side].n,
                   head ? head_first : NULL);
        text_addf(&all, "--- %d: %s\n", side, llhttp_errno_name(o.error));
        text_add(&all, o.text.p, o.text.n);
        text_free(&o.text);
    }
    text_addf(&all, "\n--- %s why %s, %d\n", d.log.p ? d.log.p : "", http1_why(d.conn).text,
              http1_state(d.conn));
    r.text = all.p;
    for (size_t i = 0; i < all.n; i++)
        if (!all.p[i])
            all.p[i] = '@';
    drive_free(&d);
    return r;
}

static void compare(const struct script *script, const struct result *whole, size_t which, size_t cut,
                    bool bytewise)
{
    struct result got = play(script, which, cut, bytewise);
    if (got.result != whole->result || strcmp(got.text, whole->text)) {
        print_error("step %zu cut at %zu (%d): %d\n%s\nwhole: %d\n%s\n", which, cut, bytewise, got.result,
                    got.text, whole->result, whole->text);
        fail();
    }
    free(got.text);
}

static void cut_everywhere(const struct script *script)
{
    struct result whole = play(script, 99, 0, false);
    for (size_t i = 0; i < 8 && script->steps[i].p; i++)
        for (size_t cut = 1; cut < script->steps[i].n; cut++)
            compare(script, &whole, i, cut, false);
    compare(script, &whole, 99, 0, true);
    free(whole.text);
}

static void hostile_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < HOSTILE_COUNT; i++) {
        struct script script = {.steps = {{HTTP1_DOWN, hostile[i].p, hostile[i].n}}};
        cut_everywhere(&script);
    }
}

static void responses(void **state)
{
    (void)state;
    for (size_t i = 0; i < ANSWER_COUNT; i++) {
        struct script script = {.steps = {{HTTP1_DOWN, answers[i].request, strlen(answers[i].request)},
                                          {HTTP1_UP, answers[i].response, answers[i].n}},
                                .eof = answers[i].eof};
        cut_everywhere(&script);
    }
}

#define DOWN(text)                           \
    {                                        \
        HTTP1_DOWN, (text), sizeof(text) - 1 \
    }
#define UP(text)                           \
    {                                      \
        HTTP1_UP, (text), sizeof(text) - 1 \
    }

static void conversations(void **state)
{
    (void)state;
    static const struct script scripts[] = {
        {.steps =
             {DOWN("\r\nPOST /a?b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\r\n"
                   "3;a=\"b;c\"\r\nabc\r\n000a\r\n0123456789\r\n0;e\r\nX-T: 1\r\nCookie: no\r\n\r\n"),
              UP("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "1\r\na\r\n1A\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nX-U: 2\r\n\r\n"),
              DOWN("\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n"), UP("HTTP/1.1 204 N\r\n\r\n")}},
        /* sent ahead: cuts must not matter to the order */
        {.steps = {DOWN("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: "
                        "4\r\n\r\nbodyGET /3 "
                        "HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET /4 HTTP/1.1\r\n"),
                   UP("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"),
                   UP("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2"),
                   UP("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n3")}},
        /* some answered here */
        {.steps = {DOWN("GET /no1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /no2 HTTP/1.1\r\nHost: "
                        "x\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "4\r\nbody\r\n0\r\nT: 1\r\n\r\nGET /3 HTTP/1.1\r\nHost: x\r\n\r\nPUT /no4 "
                        "HTTP/1.1\r\nHost: x\r\n"
                        "Content-Length: 3\r\n\r\nabcGET /no5 HTTP/1.1\r\nHost: x\r\n\r\n"),
                   UP("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n3")},
         .status = -1},
        /* a tunnel */
        {.steps = {DOWN("GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: "
                        "upgrade\r\n\r\nahead\r\n\r\n"),
                   UP("HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nbytes"),
                   DOWN("more bytes"), UP("and more")}},
        /* an early response */
        {.steps = {DOWN("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf"),
                   UP("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly"),
                   DOWN("halfGET / HTTP/1.1\r\nHost: x\r\n\r\n"), UP("HTTP/1.0 200 OK\r\n\r\nuntil the end")},
         .eof = true},
        /* broken in mid-body after a good request */
        {.steps = {DOWN("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"),
                   UP("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"),
                   DOWN("POST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                        "chunked\r\n\r\n3\r\nabc\r\n3\r\nabcd\r\n")}},
    };
    for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++)
        cut_everywhere(&scripts[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_requests),
        cmocka_unit_test(responses),
        cmocka_unit_test(conversations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
