/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * rawrelay LISTEN_PORT CONNECT_PORT: a plain TCP relay on libuv without TLS, rules or limits. The benchmark
 * uses it as the mark of what any proxy on this machine could reach at best. Loopback only.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct side {
    uv_tcp_t tcp;
    struct side *other;
    uv_write_t write; /* in flight while `stuck` is set */
    char *stuck;
    int eof, closed, shut;
    uv_shutdown_t shutdown;
};

struct pair {
    struct side side[2];
    uv_connect_t connect;
    int open;
};

static uv_loop_t *loop;
static struct sockaddr_in target;
static char shared[256 * 1024];

static void on_closed(uv_handle_t *handle)
{
    struct pair *pair = handle->data;
    if (--pair->open == 0) {
        free(pair->side[0].stuck);
        free(pair->side[1].stuck);
        free(pair);
    }
}

static void end(struct pair *pair)
{
    for (int i = 0; i < 2; i++)
        if (!pair->side[i].closed) {
            pair->side[i].closed = 1;
            uv_close((uv_handle_t *)&pair->side[i].tcp, on_closed);
        }
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    (void)handle, (void)size;
    *buf = uv_buf_init(shared, sizeof shared);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    struct side *to = request->data;
    struct pair *pair = to->tcp.data;
    to->shut = 1;
    if (status < 0 || pair->side[0].shut + pair->side[1].shut == 2)
        end(pair);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void on_write(uv_write_t *request, int status)
{
    struct side *to = request->data;
    free(to->stuck);
    to->stuck = NULL;
    if (status < 0)
        end(to->tcp.data);
    else if (!to->other->closed && !to->other->eof)
        uv_read_start((uv_stream_t *)&to->other->tcp, on_alloc, on_read);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct side *from = (struct side *)stream, *to = from->other;
    if (n == UV_EOF) {
        from->eof = 1;
        to->shutdown.data = to;
        uv_read_stop(stream);
        if (uv_shutdown(&to->shutdown, (uv_stream_t *)&to->tcp, on_shutdown) != 0)
            end(stream->data);
        return;
    }
    if (n <= 0) {
        if (n < 0)
            end(stream->data);
        return;
    }
    uv_buf_t part = uv_buf_init(buf->base, (unsigned)n);
    int done = uv_try_write((uv_stream_t *)&to->tcp, &part, 1);
    if (done == UV_EAGAIN)
        done = 0;
    if (done < 0) {
        end(stream->data);
        return;
    }
    if (done == n)
        return;
    size_t rest = (size_t)(n - done);
    to->stuck = malloc(rest);
    if (to->stuck == NULL) {
        end(stream->data);
        return;
    }
    memcpy(to->stuck, buf->base + done, rest);
    part = uv_buf_init(to->stuck, (unsigned)rest);
    to->write.data = to;
    uv_read_stop(stream);
    if (uv_write(&to->write, (uv_stream_t *)&to->tcp, &part, 1, on_write) != 0)
        end(stream->data);
}

static void on_connect(uv_connect_t *request, int status)
{
    struct pair *pair = request->data;
    if (status < 0) {
        end(pair);
        return;
    }
    for (int i = 0; i < 2; i++)
        uv_read_start((uv_stream_t *)&pair->side[i].tcp, on_alloc, on_read);
}

static void on_connection(uv_stream_t *server, int status)
{
    if (status < 0)
        return;
    struct pair *pair = calloc(1, sizeof *pair);
    if (pair == NULL)
        return;
    pair->open = 2;
    for (int i = 0; i < 2; i++) {
        uv_tcp_init(loop, &pair->side[i].tcp);
        pair->side[i].tcp.data = pair;
        pair->side[i].other = &pair->side[1 - i];
    }
    pair->connect.data = pair;
    if (uv_accept(server, (uv_stream_t *)&pair->side[0].tcp) != 0 ||
        uv_tcp_connect(&pair->connect, &pair->side[1].tcp, (struct sockaddr *)&target, on_connect) != 0) {
        end(pair);
        return;
    }
    uv_tcp_nodelay(&pair->side[0].tcp, 1);
    uv_tcp_nodelay(&pair->side[1].tcp, 1);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fputs("usage: rawrelay LISTEN_PORT CONNECT_PORT\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    loop = uv_default_loop();
    struct sockaddr_in address;
    uv_tcp_t server;
    uv_ip4_addr("127.0.0.1", atoi(argv[1]), &address);
    uv_ip4_addr("127.0.0.1", atoi(argv[2]), &target);
    uv_tcp_init(loop, &server);
    int rc = uv_tcp_bind(&server, (struct sockaddr *)&address, 0);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&server, 4096, on_connection);
    if (rc != 0) {
        fprintf(stderr, "rawrelay: %s\n", uv_strerror(rc));
        return 1;
    }
    return uv_run(loop, UV_RUN_DEFAULT);
}
