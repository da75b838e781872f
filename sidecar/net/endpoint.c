/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/net/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/sockios.h>
#include <unistd.h>

/* What waits for the kernel: the request and its bytes in one piece of heap. */
struct endpoint_write {
    uv_write_t req;
    struct endpoint *ep;
    size_t size;
    uint8_t data[];
};

/* After a full read libuv would read on, 32 times. Given no room it goes on to the other handles, and tells
 * of what waits here with the loop's next turn. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct endpoint *ep = handle->data;
    (void)suggested;
    buf->base = ep->had_turn ? NULL : (char *)ep->io->buffer;
    buf->len = ep->had_turn ? 0 : ENDPOINT_BUFFER;
    ep->had_turn = false;
}

/*
 * Whether an end of file that libuv tells is one, or hides a reset: it takes POLLHUP after a short read for
 * the end, and after a failed write, which had the error first, read() says no more than 0.
 */
static int hidden_error(const struct endpoint *ep)
{
    uv_os_fd_t fd;
    int err = 0;
    socklen_t size = sizeof err;
    if (ep->write_broken)
        return UV_ECONNRESET;
    if (uv_fileno(&ep->uv.handle, &fd) != 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size) != 0)
        return 0;
    /* EPIPE: the reset came after FIN, so all data was read. */
    return err == EPIPE ? 0 : -err;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct endpoint *ep = stream->data;
    if (n == 0 || n == UV_ENOBUFS)
        return;
    if (n > 0) {
        ep->had_turn = n == ENDPOINT_BUFFER;
        ep->calls->data(ep, (const uint8_t *)buf->base, (size_t)n);
        return;
    }
    ep->reading = false;
    (void)uv_read_stop(stream);
    int err = n == UV_EOF ? hidden_error(ep) : (int)n;
    if (err == 0)
        ep->calls->end(ep);
    else
        ep->calls->broken(ep, err);
}

bool endpoint_io_init(struct endpoint_io *io)
{
    io->buffer = malloc(ENDPOINT_BUFFER);
    return io->buffer != NULL;
}

void endpoint_io_free(struct endpoint_io *io)
{
    free(io->buffer);
    io->buffer = NULL;
}

int endpoint_open(struct endpoint *ep, uv_loop_t *loop, struct endpoint_io *io, int fd, int family,
                  const struct endpoint_calls *calls)
{
    socklen_t size = sizeof family;
    int err;

    memset(ep, 0, sizeof *ep);
    ep->calls = calls;
    ep->io = io;
    if (family == AF_UNSPEC && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) != 0) {
        err = -errno;
        (void)close(fd);
        return err;
    }
    bool unix_socket = family == AF_UNIX;
    err = unix_socket ? uv_pipe_init(loop, &ep->uv.pipe, 0) : uv_tcp_init(loop, &ep->uv.tcp);
    if (err != 0) {
        (void)close(fd);
        return err;
    }
    ep->open = true;
    ep->uv.handle.data = ep;
    err = unix_socket ? uv_pipe_open(&ep->uv.pipe, fd) : uv_tcp_open(&ep->uv.tcp, fd);
    if (err != 0)
        (void)close(fd);
    return err;
}

void endpoint_read_start(struct endpoint *ep)
{
    if (!ep->open || ep->reading)
        return;
    ep->reading = true;
    (void)uv_read_start(&ep->uv.stream, on_alloc, on_read);
}

void endpoint_read_stop(struct endpoint *ep)
{
    if (!ep->reading)
        return;
    ep->reading = false;
    if (ep->open)
        (void)uv_read_stop(&ep->uv.stream);
}

static void send_fin(struct endpoint *ep)
{
    uv_os_fd_t fd;
    ep->shut_pending = false;
    ep->shut = true;
    if (uv_fileno(&ep->uv.handle, &fd) == 0)
        (void)shutdown(fd, SHUT_WR);
}

static void on_written(uv_write_t *req, int status)
{
    struct endpoint_write *w = (struct endpoint_write *)req;
    struct endpoint *ep = w->ep;
    size_t size = w->size;
    free(w);
    ep->queued -= size;
    if (!ep->open)
        return;
    if (status < 0)
        ep->write_broken = true;
    if (ep->queued != 0)
        return;
    if (ep->shut_pending)
        send_fin(ep);
    ep->calls->drained(ep);
}

bool endpoint_write(struct endpoint *ep, const uint8_t *data, size_t size)
{
    if (!ep->open || ep->write_broken || ep->shut || ep->shut_pending || size == 0)
        return true;
    if (ep->queued == 0) {
        uv_buf_t buf = uv_buf_init((char *)(uintptr_t)data, (unsigned)size);
        int n = uv_try_write(&ep->uv.stream, &buf, 1);
        if (n == (int)size)
            return true;
        if (n < 0 && n != UV_EAGAIN) {
            ep->write_broken = true;
            return true;
        }
        if (n > 0) {
            data += n;
            size -= (size_t)n;
        }
    }
    struct endpoint_write *w = malloc(sizeof *w + size);
    if (w == NULL) {
        ep->write_broken = true;
        return false;
    }
    w->ep = ep;
    w->size = size;
    memcpy(w->data, data, size);
    uv_buf_t buf = uv_buf_init((char *)w->data, (unsigned)size);
    if (uv_write(&w->req, &ep->uv.stream, &buf, 1, on_written) != 0) {
        free(w);
        ep->write_broken = true;
        return true;
    }
    ep->queued += size;
    return true;
}

size_t endpoint_unsent(const struct endpoint *ep)
{
    uv_os_fd_t fd;
    int unsent = 0;
    struct tcp_info info;
    socklen_t size = sizeof info;
    if (!ep->open || uv_fileno(&ep->uv.handle, &fd) != 0 || ioctl(fd, SIOCOUTQ, &unsent) != 0 || unsent <= 0)
        return 0;
    /* A connection that was reset goes on counting what it will never send. */
    if (ep->uv.handle.type == UV_TCP && getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
        info.tcpi_state == TCP_CLOSE)
        return 0;
    return (size_t)unsent;
}

void endpoint_shutdown(struct endpoint *ep)
{
    if (!ep->open || ep->shut || ep->shut_pending)
        return;
    if (ep->queued == 0)
        send_fin(ep);
    else
        ep->shut_pending = true;
}

static void on_closed(uv_handle_t *handle)
{
    struct endpoint *ep = handle->data;
    ep->calls->closed(ep);
}

void endpoint_close(struct endpoint *ep)
{
    if (!ep->open)
        return;
    ep->open = false;
    ep->reading = false;
    uv_close(&ep->uv.handle, on_closed);
}

int endpoint_release(struct endpoint *ep)
{
    uv_os_fd_t fd;
    int err = uv_fileno(&ep->uv.handle, &fd);
    if (err != 0)
        return err;
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (own < 0)
        return -errno;
    endpoint_close(ep);
    return own;
}

void endpoint_reset(struct endpoint *ep)
{
    if (!ep->open)
        return;
    ep->open = false;
    ep->reading = false;
    if (ep->uv.handle.type != UV_TCP || uv_tcp_close_reset(&ep->uv.tcp, on_closed) != 0)
        uv_close(&ep->uv.handle, on_closed);
}
