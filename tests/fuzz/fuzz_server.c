/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What clients send to the health and admin listeners (sidecar/admin/server.h), over a socket pair. The first
 * byte says over what it comes and in which pieces: however they are cut, the same is served and answered,
 * and what changes something is only reached over a UNIX socket.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sidecar/admin/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PORT = 9901, ROOM = 1 << 20 };

struct run {
    char out[ROOM];
    size_t size;
    unsigned served;
};

static struct run runs[2], *run;
static uint16_t port;

static void serve(struct server_request *r, void *arg)
{
    (void)arg;
    uint64_t n;
    if (port != 0 && r->method != SERVER_GET)
        abort();
    if (strlen(r->path) + strlen(r->query) > SERVER_HEAD_MAX || strstr(r->path, r->rest) == NULL)
        abort();
    run->served++;
    if (server_query_number(r, "n", 1, 100000, 10, &n))
        server_answer_text(r, 200, "%d %s %s %*s", (int)r->method, r->path, r->query, (int)n, "");
}

static const struct server_route table[] = {
    {"/", SERVER_GET, "", serve},
    {"/a", SERVER_GET | SERVER_POST, "", serve},
    {"/b/", SERVER_GET | SERVER_DELETE, "", serve},
};
static const struct server_routes routes = {table, sizeof table / sizeof *table, true};

static void hear(int fd)
{
    ssize_t n;
    while ((n = read(fd, run->out + run->size, ROOM - 1 - run->size)) > 0)
        run->size += (size_t)n;
}

static unsigned answers(struct run *r)
{
    unsigned n = 0;
    r->out[r->size] = '\0';
    for (const char *p = r->out; (p = memmem(p, r->size - (size_t)(p - r->out), "HTTP/1.1 ", 9)) != NULL;
         p += 9)
        n += p == r->out || memmem(p, r->size - (size_t)(p - r->out), "\r\n\r\n", 4) != NULL;
    return n;
}

static void play(struct run *to, const uint8_t *data, size_t size, size_t piece)
{
    uv_loop_t loop;
    int fds[2];
    run = to;
    run->size = run->served = 0;
    if (uv_loop_init(&loop) != 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
        abort();
    struct server *server = server_start(&loop, &routes, NULL);
    if (server == NULL)
        abort();
    server_take(server, fds[1], port, NULL);
    for (size_t at = 0; at < size; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        if (send(fds[0], data + at, n, MSG_NOSIGNAL) != (ssize_t)n)
            break;
        for (int i = 0; i < 3; i++)
            (void)uv_run(&loop, UV_RUN_NOWAIT);
        hear(fds[0]);
    }
    (void)shutdown(fds[0], SHUT_WR);
    for (int i = 0; i < 64; i++) {
        (void)uv_run(&loop, UV_RUN_NOWAIT);
        hear(fds[0]);
    }
    (void)close(fds[0]);
    server_stop(server);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&loop) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 16384)
        return 0;
    (void)signal(SIGPIPE, SIG_IGN);
    port = data[0] & 1 ? PORT : 0;
    size_t piece = (data[0] >> 1) + 1;
    play(&runs[0], data + 1, size - 1, size);
    play(&runs[1], data + 1, size - 1, piece);
    /* A body ends the connection, unless it was there, whole, when it was refused. */
    if (memmem(runs[0].out, runs[0].size, " 413 Content", 12))
        return 0;
    /* The words of a refusal depend on what was seen first. */
    if (runs[0].served != runs[1].served || answers(&runs[0]) != answers(&runs[1]))
        abort();
    return 0;
}
