/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sidecar/admin/server.h over a socket pair: what is served, in which pieces it may come, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sidecar/admin/guard.h"
#include "sidecar/admin/json_write.h"
#include "sidecar/admin/server.h"
#include "sidecar/net/addr.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
enum { PORT = 9901, BIG = 3 << 20, ROOM = BIG + (1 << 20) };

static struct {
    uv_loop_t loop;
    struct server *server;
    struct server_request *later; /* the one that /later keeps */
    unsigned served, cancelled;
    char out[ROOM];
    size_t size;
    bool end; /* the server ended the connection */
} t;

/* --- routes --- */

static void serve_echo(struct server_request *r, void *arg)
{
    char limit[8] = "-";
    (void)arg;
    t.served++;
    (void)server_query(r, "limit", limit, sizeof limit);
    server_answer_text(r, 200, "%d %s|%s|%s|%s|%s", (int)r->method, r->path, r->rest, r->query, r->accept,
                       limit);
}

static void serve_number(struct server_request *r, void *arg)
{
    uint64_t n;
    (void)arg;
    if (server_query_number(r, "n", 1, 1000, 100, &n))
        server_answer_text(r, 200, "%llu", (unsigned long long)n);
}

static void on_cancel(void *arg)
{
    (void)arg;
    t.later = NULL;
    t.cancelled++;
}

static void serve_later(struct server_request *r, void *arg)
{
    (void)arg;
    t.later = r;
    server_later(r, on_cancel, NULL);
}

static void serve_big(struct server_request *r, void *arg)
{
    char *body = malloc(BIG);
    (void)arg;
    for (size_t i = 0; i < BIG; i++)
        body[i] = (char)('a' + i % 23);
    server_answer(r, &(struct server_answer){.status = 200,
                                             .type = "text/x",
                                             .fields = "X-A: b\r\n",
                                             .body = body,
                                             .size = BIG,
                                             .owned = true});
}

static const struct server_route table[] = {
    {"/", SERVER_GET, "", serve_echo},
    {"/echo", SERVER_GET | SERVER_POST, "", serve_echo},
    {"/item/", SERVER_GET | SERVER_DELETE, "", serve_echo},
    {"/post", SERVER_POST, "", serve_echo},
    {"/n", SERVER_GET, "", serve_number},
    {"/later", SERVER_GET, "", serve_later},
    {"/big", SERVER_GET, "", serve_big},
};
static const struct server_routes routes = {table, COUNT(table), true};

/* --- driving --- */

static void turn(void)
{
    for (int i = 0; i < 4; i++)
        (void)uv_run(&t.loop, UV_RUN_NOWAIT);
}

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    assert_int_equal(uv_loop_init(&t.loop), 0);
    t.server = server_start(&t.loop, &routes, NULL);
    return t.server ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    server_stop(t.server);
    (void)uv_run(&t.loop, UV_RUN_DEFAULT);
    return uv_loop_close(&t.loop);
}

/* FROM: an address; NULL: a UNIX client. */
static int dial_from(uint16_t port, const char *from)
{
    int fds[2];
    union net_addr peer = {.sa.sa_family = AF_UNSPEC};
    assert_true(from == NULL || net_addr_literal(from, 1, &peer));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    server_take(t.server, fds[1], port, from ? &peer.sa : NULL);
    t.size = 0;
    t.end = false;
    t.out[0] = '\0';
    turn();
    return fds[0];
}

static int dial(uint16_t port)
{
    return dial_from(port, NULL);
}

static void hear(int fd)
{
    ssize_t n;
    while ((n = read(fd, t.out + t.size, ROOM - 1 - t.size)) > 0)
        t.size += (size_t)n;
    t.out[t.size] = '\0';
    t.end = t.end || n == 0;
}

static void say(int fd, const char *text, size_t size)
{
    assert_int_equal(send(fd, text, size, MSG_NOSIGNAL), size);
    turn();
    hear(fd);
}

#define SAY(fd, text) say((fd), (text), strlen(text))
#define HOST "Host: localhost:9901\r\n"

/* Whether the next answer in what was heard from AT on has STATUS and BODY; moves AT behind it. */
static void expect(size_t *at, int status, const char *body)
{
    char line[32];
    const char *head = t.out + *at, *end = strstr(head, "\r\n\r\n");
    (void)snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
    if (end == NULL || strncmp(head, line, strlen(line)) != 0)
        fail_msg("not %d: %s", status, head);
    const char *length = strcasestr(head, "\r\nContent-Length: ");
    assert_true(length && length < end);
    size_t n = strtoul(length + 18, NULL, 10);
    if (body && (n != strlen(body) || memcmp(end + 4, body, n) != 0))
        fail_msg("body %.*s is not %s", (int)n, end + 4, body);
    *at = (size_t)(end + 4 - t.out) + n;
}

/* One request on a connection of its own, to a UNIX socket (port 0) or TCP. */
static void once(uint16_t port, const char *request, int status, const char *body)
{
    size_t at = 0;
    int fd = dial(port);
    SAY(fd, request);
    expect(&at, status, body);
    (void)close(fd);
    turn();
}

/* --- tests --- */

static void serves(void **state)
{
    (void)state;
    once(0, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 200, "1 /||||-");
    once(0, "GET /echo?limit=12&x HTTP/1.1\r\nHost: x\r\nAccept: a/b\r\n\r\n", 200,
         "1 /echo||limit=12&x|a/b|12");
    once(0, "GET /echo?xlimit=1&limit=123456789 HTTP/1.1\r\nHost: x\r\n\r\n", 200,
         "1 /echo||xlimit=1&limit=123456789||1234567");
    once(0, "GET /item/a%20b/c HTTP/1.1\r\nHost: x\r\n\r\n", 200, "1 /item/a%20b/c|a%20b/c|||-");
    once(0, "DELETE /item/ HTTP/1.1\r\nHost: x\r\n\r\n", 200, "4 /item/||||-");
    once(0, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 200, "2 /echo||||-");
    once(0, "GET /n HTTP/1.1\r\nHost: x\r\n\r\n", 200, "100");
    once(0, "GET /n?n=7 HTTP/1.1\r\nHost: x\r\n\r\n", 200, "7");
    static const char *const bad[] = {"", "0", "1001", "-1", "+1", "1x", "99999999999999999999", " 1", "%31"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        char request[128];
        if (strchr(bad[i], ' '))
            continue;
        (void)snprintf(request, sizeof request, "GET /n?n=%s HTTP/1.1\r\nHost: x\r\n\r\n", bad[i]);
        once(0, request, 400, "n is a number from 1 to 1000\n");
    }
}

static void refuses(void **state)
{
    (void)state;
    once(0, "GET /item HTTP/1.1\r\nHost: x\r\n\r\n", 404, "there is nothing of this name\n");
    once(0, "GET /Echo HTTP/1.1\r\nHost: x\r\n\r\n", 404, NULL);
    once(0, "GET //echo HTTP/1.1\r\nHost: x\r\n\r\n", 404, NULL);
    once(0, "GET /%65cho HTTP/1.1\r\nHost: x\r\n\r\n", 404, NULL);
    once(0, "POST /n HTTP/1.1\r\nHost: x\r\n\r\n", 405, NULL);
    assert_non_null(strstr(t.out, "\r\nAllow: GET, HEAD\r\n"));
    once(0, "PUT /item/x HTTP/1.1\r\nHost: x\r\n\r\n", 405, NULL);
    assert_non_null(strstr(t.out, "\r\nAllow: GET, HEAD, DELETE\r\n"));
    once(0, "GET /post HTTP/1.1\r\nHost: x\r\n\r\n", 405, NULL);
    assert_non_null(strstr(t.out, "\r\nAllow: POST\r\n"));
    once(0, "HEAD /post HTTP/1.1\r\nHost: x\r\n\r\n", 405, NULL);
    assert_int_equal(t.served, 0);
}

/* Over TCP: no foreign page, and nothing that changes anything. */
static void guarded(void **state)
{
    (void)state;
    once(PORT, "GET / HTTP/1.1\r\n" HOST "\r\n", 200, NULL);
    once(PORT, "GET / HTTP/1.1\r\n" HOST "Origin: http://localhost:9901\r\n\r\n", 200, NULL);
    once(PORT, "GET / HTTP/1.1\r\n" HOST "Origin: http://localhost:9902\r\n\r\n", 403, NULL);
    once(PORT, "GET / HTTP/1.1\r\n" HOST "Origin: https://localhost:9901\r\n\r\n", 403, NULL);
    once(PORT, "GET / HTTP/1.1\r\n" HOST "Origin: null\r\n\r\n", 403, NULL);
    once(PORT, "GET / HTTP/1.1\r\n" HOST "Origin: \r\n\r\n", 403, NULL);
    once(PORT, "GET / HTTP/1.1\r\n" HOST "Origin: http://localhost:9901\r\nOrigin: http://evil\r\n\r\n", 403,
         NULL);
    once(PORT, "GET / HTTP/1.1\r\nHost: localhost:8080\r\nOrigin: http://localhost:8080\r\n\r\n", 200, NULL);
    once(PORT, "GET / HTTP/1.1\r\nHost: localhost:8080\r\nOrigin: http://localhost:9901\r\n\r\n", 403, NULL);
    once(PORT, "GET / HTTP/1.1\r\nHost: evil.example:9901\r\n\r\n", 421, NULL);
    once(PORT, "GET / HTTP/1.1\r\nHost: evil.example:9901\r\nOrigin: http://evil.example:9901\r\n\r\n", 421,
         NULL);
    /* The target's authority is what counts, as the codec has it. */
    once(PORT, "GET http://evil.example:9901/ HTTP/1.1\r\nHost: evil.example:9901\r\n\r\n", 421, NULL);
    once(PORT, "GET / HTTP/1.0\r\n\r\n", 421, NULL);
    once(PORT, "GET /nothing HTTP/1.1\r\nHost: evil\r\n\r\n", 421, NULL);
    assert_int_equal(t.served, 3);
    once(PORT, "POST /echo HTTP/1.1\r\n" HOST "\r\n", 403,
         "what changes something is to be had over a UNIX socket only\n");
    once(PORT, "DELETE /item/x HTTP/1.1\r\n" HOST "\r\n", 403, NULL);
    assert_int_equal(t.served, 3);

    static const struct {
        const char *host;
        bool good;
    } hosts[] = {
        {"localhost:9901", true},
        {"LocalHost:9901", true},
        {"127.0.0.1:9901", true},
        {"127.8.9.10:9901", true},
        {"[::1]:9901", true},
        {"[::ffff:127.0.0.1]:9901", true},
        {"", false},
        {"localhost", true},
        {"127.0.0.1", true},
        {"localhost:8080", true}, /* as through a tunnel that begins there */
        {"localhost:0", false},
        {"localhost:", false},
        {"localhost:09901x", false},
        {"localhost:99010", false},
        {"localhost:65536", false},
        {"localhost.:9901", false},
        {"localhost.evil.example:9901", false},
        {"evil.localhost.example:9901", false},
        {"::1:9901", false},
        {"[::1]", true},
        {"[::2]:9901", false},
        {"10.0.0.1:9901", false},
        {"128.0.0.1:9901", false},
        {"127.0.0.1.evil.example:9901", false},
        {"127.1:9901", false},
        {"2130706433:9901", false},
        {"0.0.0.0:9901", false},
        {"[127.0.0.1]:9901", false},
        {"@localhost:9901", false},
        {":9901", false},
    };
    for (size_t i = 0; i < COUNT(hosts); i++) {
        if (guard_host((struct http_str){hosts[i].host, strlen(hosts[i].host)}) != hosts[i].good)
            fail_msg("%s", hosts[i].host);
    }
}

static const char several[] = "\r\nGET /echo?1 HTTP/1.1\r\nHost: x\r\n\r\n"
                              "\r\nHEAD /echo?2 HTTP/1.1\r\nHost: x\r\n\r\n"
                              "GET /none HTTP/1.1\r\nHost: x\r\n\r\n"
                              "POST /echo?3 HTTP/1.1\r\nHost: x\r\n\r\n"
                              "GET /echo?4 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                              "GET /echo?5 HTTP/1.1\r\nHost: x\r\n\r\n";

static void expect_several(void)
{
    size_t at = 0;
    expect(&at, 200, "1 /echo||1||-");
    const char *head = t.out + at, *end = strstr(head, "\r\n\r\n");
    assert_true(end && strncmp(head, "HTTP/1.1 200", 12) == 0 && strstr(head, "Content-Length: 13") < end);
    at = (size_t)(end + 4 - t.out);
    expect(&at, 404, NULL);
    expect(&at, 200, "2 /echo||3||-");
    expect(&at, 200, "1 /echo||4||-");
    assert_int_equal(at, t.size);
    assert_true(t.end);
}

static void pipelined(void **state)
{
    (void)state;
    int fd = dial(0);
    SAY(fd, several);
    expect_several();
    (void)close(fd);
}

static void split_anywhere(void **state)
{
    (void)state;
    for (size_t cut = 1; cut < sizeof several - 1; cut++) {
        int fd = dial(0);
        say(fd, several, cut);
        if (!t.end)
            (void)send(fd, several + cut, sizeof several - 1 - cut, MSG_NOSIGNAL);
        turn();
        hear(fd);
        expect_several();
        (void)close(fd);
        turn();
    }
    int fd = dial(0);
    for (size_t i = 0; i < sizeof several - 1 && !t.end; i++)
        say(fd, several + i, 1);
    expect_several();
    (void)close(fd);
}

/* What would be understood in two ways is refused, and nothing after it is served. */
static void hostile(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        int status;
    } bad[] = {
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\nHost: x\n\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400},
        {"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505},
        {"GET / HTTP/1.1\r\nHost: x\r\n A: b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400},
        {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 413},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", 413},
        {"CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n", 501},
        {"\x16\x03\x01\x02\x01\x01\x01\x01\xfc\x03\x03 tls \r\n\r\n", 400},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        int fd = dial(0);
        size_t at = 0;
        t.served = 0;
        SAY(fd, bad[i].request);
        expect(&at, bad[i].status, NULL);
        if (!t.end) {
            (void)send(fd, several, sizeof several - 1, MSG_NOSIGNAL);
            turn();
            hear(fd);
        }
        if (t.served != 0 || !t.end)
            fail_msg("goes on after %s", bad[i].request);
        (void)close(fd);
        turn();
    }
    /* Heads and targets that are too large. */
    static char large[SERVER_HEAD_MAX + 64];
    size_t at = 0;
    int fd = dial(0);
    memset(large, 'a', sizeof large);
    memcpy(large, "GET / HTTP/1.1\r\nHost: ", 22);
    say(fd, large, sizeof large);
    expect(&at, 431, NULL);
    (void)close(fd);
    memcpy(large, "GET /", 5);
    memset(large + 5, 'a', 30);
    fd = dial(0);
    at = 0;
    say(fd, large, 4000);
    expect(&at, 414, NULL);
    (void)close(fd);
    turn();
    /* A body that was read whole ends nothing; who never reads the refusals is not read either. */
    fd = dial(0);
    at = 0;
    for (int i = 0; i < 1000; i++)
        SAY(fd,
            "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    for (int i = 0; i < 1000; i++)
        expect(&at, 413, "requests have no body here\n");
    static const char chunked[] =
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    unsigned said = 0;
    while (said < 1000000 && send(fd, chunked, sizeof chunked - 1, MSG_NOSIGNAL) == sizeof chunked - 1) {
        said++;
        turn();
    }
    assert_true(said < 100000);
    (void)close(fd);
    /* An upgrade is no tunnel: the answer ends it, and requests go on. */
    fd = dial(0);
    at = 0;
    SAY(fd, "GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
            "GET /n HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(&at, 200, "1 /echo||||-");
    expect(&at, 200, "100");
    (void)close(fd);
}

static void old_and_half_closed(void **state)
{
    (void)state;
    size_t at = 0;
    int fd = dial(0);
    SAY(fd, "GET /echo HTTP/1.0\r\n\r\n");
    expect(&at, 200, NULL);
    assert_true(t.end);
    (void)close(fd);
    /* Who ends its side after the request still gets the answer, also one that comes later. */
    fd = dial(0);
    SAY(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_non_null(t.later);
    (void)shutdown(fd, SHUT_WR);
    turn();
    server_answer_text(t.later, 200, "late");
    turn();
    hear(fd);
    at = 0;
    expect(&at, 200, "late");
    assert_true(t.end);
    assert_int_equal(t.cancelled, 0);
    (void)close(fd);
}

static void later(void **state)
{
    (void)state;
    size_t at = 0;
    int fd = dial(0);
    SAY(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\nGET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(t.size, 0);
    assert_int_equal(t.served, 0); /* in order */
    server_answer_text(t.later, 200, "late");
    turn();
    hear(fd);
    expect(&at, 200, "late");
    expect(&at, 200, "1 /echo||||-");
    /* The client goes, then the server. */
    SAY(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_non_null(t.later);
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    (void)close(fd);
    turn();
    fd = dial(0);
    SAY(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    server_stop(t.server);
    turn();
    assert_int_equal(t.cancelled, 2);
    t.server = NULL;
    (void)close(fd);
}

/* Several megabytes to a reader that takes them as it likes; memory is held only until they are sent. */
static void big(void **state)
{
    (void)state;
    size_t at = 0;
    int fd = dial(0);
    SAY(fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\nGET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(t.size < BIG);
    for (int i = 0; i < 1000 && t.size < BIG + 300; i++) {
        turn();
        hear(fd);
    }
    expect(&at, 200, NULL);
    assert_non_null(strstr(t.out, "\r\nX-A: b\r\n"));
    for (size_t i = 0; i < BIG; i++)
        assert_int_equal(t.out[at - BIG + i], 'a' + (int)(i % 23));
    expect(&at, 200, "1 /echo||||-");
    assert_int_equal(at, t.size);
    /* One that goes in the middle. */
    SAY(fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    (void)close(fd);
    turn();
    /* More answers than may wait: the last are told so. */
    int readers[SERVER_HELD_MAX / BIG + 1];
    for (size_t i = 0; i < COUNT(readers); i++) {
        readers[i] = dial(0);
        (void)send(readers[i], "GET /big HTTP/1.1\r\nHost: x\r\n\r\n", 30, MSG_NOSIGNAL);
        turn();
    }
    hear(readers[COUNT(readers) - 1]);
    at = 0;
    expect(&at, 503, NULL);
    /* Not who asks for its health. */
    once(0, "GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200, NULL);
    for (size_t i = 0; i < COUNT(readers); i++)
        (void)close(readers[i]);
    turn();
    once(0, "HEAD /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200, NULL);
}

/* Whoever holds connections open does not lock out others: the stillest makes room. */
static void room_for_others(void **state)
{
    (void)state;
    int fds[SERVER_CONNECTIONS];
    size_t at = 0;
    for (size_t i = 0; i < COUNT(fds); i++)
        fds[i] = dial(0);
    SAY(fds[0], "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"); /* not still any more */
    once(0, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n", 200, NULL);
    t.size = 0;
    t.end = false;
    hear(fds[1]);
    assert_true(t.end);
    t.end = false;
    hear(fds[2]);
    assert_false(t.end);
    SAY(fds[0], "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(&at, 200, NULL);
    for (size_t i = 0; i < COUNT(fds); i++)
        (void)close(fds[i]);
}

/* Nor does who makes very many, all at once, push out who comes from elsewhere. */
static void room_by_origin(void **state)
{
    (void)state;
    enum { FLOOD = 3 * SERVER_CONNECTIONS };
    int fds[FLOOD], still = dial_from(PORT, "10.0.0.1"), asking = dial_from(PORT, "2001:db8:0:1::1");
    size_t ended = 0, at = 0;
    for (size_t i = 0; i < COUNT(fds); i++) {
        fds[i] = dial_from(PORT, i % 3   ? "10.0.0.2"
                                 : i % 2 ? "2001:db8::5"
                                         : "2001:db8::6"); /* of one network */
        SAY(fds[i], "GET /later HTTP/1.1\r\n");            /* it moves */
    }
    for (size_t i = 0; i < COUNT(fds); i++) {
        t.end = false;
        hear(fds[i]);
        ended += t.end;
    }
    assert_int_equal(ended, COUNT(fds) - SERVER_CONNECTIONS + 2);
    t.size = 0;
    SAY(still, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
    hear(still);
    expect(&at, 200, NULL);
    t.size = at = 0;
    SAY(asking, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
    hear(asking);
    expect(&at, 200, NULL);
    for (size_t i = 0; i < COUNT(fds); i++)
        (void)close(fds[i]);
    (void)close(still);
    (void)close(asking);
}

static void json_is_written(void **state)
{
    (void)state;
    struct json_write j = {0};
    json_object(&j, NULL);
    json_text(&j, "te\"xt",
              "a\n\\\x01\xff"
              "\xc3\xa9");
    json_text(&j, "null", NULL);
    json_array(&j, "array");
    json_array_end(&j);
    json_array(&j, "numbers");
    json_number(&j, NULL, UINT64_MAX);
    json_signed(&j, NULL, INT64_MIN);
    json_bool(&j, NULL, true);
    json_ready(&j, NULL, "", 0);
    json_ready(&j, NULL, "{},{}", 5);
    json_object(&j, NULL);
    json_object_end(&j);
    json_array_end(&j);
    json_seconds(&j, "s", 61001002003);
    json_bytes(&j, "bytes", "x\0y", 3);
    json_object_end(&j);
    rules_buffer_add(&j.out, "", 1);
    assert_string_equal((char *)j.out.data,
                        "{\"te\\\"xt\":\"a\\n\\\\\\u0001\\ufffd\xc3\xa9\",\"null\":null,\"array\":[],"
                        "\"numbers\":[18446744073709551615,-9223372036854775808,true,{},{},{}],"
                        "\"s\":61.001002,\"bytes\":\"x\\u0000y\"}");
    rules_buffer_free(&j.out);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(serves),
        TEST(refuses),
        TEST(guarded),
        TEST(pipelined),
        TEST(split_anywhere),
        TEST(hostile),
        TEST(later),
        TEST(old_and_half_closed),
        TEST(big),
        TEST(room_for_others),
        TEST(room_by_origin),
        cmocka_unit_test(json_is_written),
    };
    (void)signal(SIGPIPE, SIG_IGN); /* as the sidecar does */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
