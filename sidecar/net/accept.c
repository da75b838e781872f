/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The acceptor of listen.h. */
#include "sidecar/net/listen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAUSE_MIN = 100, PAUSE_MAX = 1000 };

struct net_acceptor {
    uv_poll_t poll;
    uv_timer_t timer;
    unsigned handles; /* not yet closed; the memory goes with the last */
    int fd;           /* -1: closed */
    bool paused;      /* by the owner */
    bool exhausted;   /* the timer runs */
    uint64_t backoff; /* ms of the latest pause in a row; 0: none */
    net_accept_cb cb;
    void *arg;
    struct net_acceptor_stats stats;
};

static void on_poll(uv_poll_t *poll, int status, int events);

static void listen_again(struct net_acceptor *a)
{
    if (!a->paused && !a->exhausted && a->fd >= 0)
        uv_poll_start(&a->poll, UV_READABLE, on_poll);
}

static void on_timer(uv_timer_t *timer)
{
    struct net_acceptor *a = timer->data;
    a->exhausted = false;
    listen_again(a);
}

static void back_off(struct net_acceptor *a, int number)
{
    a->stats.exhausted++;
    a->stats.last_errno = number;
    a->backoff = a->backoff ? a->backoff * 2 : PAUSE_MIN;
    if (a->backoff > PAUSE_MAX)
        a->backoff = PAUSE_MAX;
    a->exhausted = true;
    uv_poll_stop(&a->poll);
    uv_timer_start(&a->timer, on_timer, a->backoff, 0);
}

/* Errors of the one connection that accept(2) would have returned, not of the listening socket. */
static bool is_callers_error(int number)
{
    switch (number) {
    case ECONNABORTED:
    case EINTR:
    case EPROTO:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case ETIMEDOUT:
    case EPERM: return true;
    default: return false;
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct net_acceptor *a = poll->data;
    (void)status; /* accept4() says it better */
    (void)events;
    for (int i = 0; i < NET_ACCEPT_BATCH && a->fd >= 0 && !a->paused; i++) {
        struct sockaddr_storage peer;
        socklen_t size = sizeof(peer);
        memset(&peer, 0, sizeof(peer));
        int fd = accept4(a->fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            a->stats.accepted++;
            a->backoff = 0;
            a->cb(a->arg, fd, (const struct sockaddr *)&peer);
        } else if (errno == EAGAIN) {
            return;
        } else if (is_callers_error(errno)) {
            a->stats.aborted++;
        } else {
            back_off(a, errno); /* also for what should not happen: it must not spin either */
            return;
        }
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct net_acceptor *a = handle->data;
    if (--a->handles == 0)
        free(a);
}

struct net_acceptor *net_acceptor_start(uv_loop_t *loop, int fd, net_accept_cb cb, void *arg)
{
    struct net_acceptor *a = calloc(1, sizeof(*a));
    if (!a || uv_poll_init(loop, &a->poll, fd) != 0) {
        free(a);
        close(fd);
        return NULL;
    }
    uv_timer_init(loop, &a->timer);
    a->poll.data = a->timer.data = a;
    a->handles = 2;
    a->fd = fd;
    a->cb = cb;
    a->arg = arg;
    listen_again(a);
    return a;
}

void net_acceptor_pause(struct net_acceptor *a)
{
    a->paused = true;
    uv_poll_stop(&a->poll);
}

void net_acceptor_resume(struct net_acceptor *a)
{
    a->paused = false;
    listen_again(a);
}

const struct net_acceptor_stats *net_acceptor_stats(const struct net_acceptor *a)
{
    return &a->stats;
}

int net_acceptor_fd(const struct net_acceptor *a)
{
    return a->fd;
}

void net_acceptor_close(struct net_acceptor *a)
{
    if (!a)
        return;
    uv_close((uv_handle_t *)&a->poll, on_closed);
    uv_close((uv_handle_t *)&a->timer, on_closed);
    close(a->fd);
    a->fd = -1;
}
