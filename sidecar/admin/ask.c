/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/admin/ask.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sidecar/net/dial.h"

struct ask {
    struct endpoint ep; /* first: an endpoint of ours is a question */
    uv_timer_t timer;
    uv_loop_t *loop;
    struct endpoint_io *io;
    struct dial *dial;
    const struct ask_calls *calls;
    void *arg;
    int handles;
    bool over; /* told, or cancelled */
    size_t size;
    uint8_t request[];
};

static void handle_closed(struct ask *a)
{
    if (--a->handles == 0)
        free(a);
}

static void on_timer_closed(uv_handle_t *timer)
{
    handle_closed(timer->data);
}

static void on_closed(struct endpoint *ep)
{
    handle_closed((struct ask *)(void *)ep);
}

void ask_cancel(struct ask *a)
{
    if (a == NULL || a->over)
        return;
    a->over = true;
    dial_cancel(a->dial);
    a->dial = NULL;
    endpoint_close(&a->ep);
    uv_close((uv_handle_t *)&a->timer, on_timer_closed);
}

static void tell(struct ask *a, enum ask_end end, const char *why)
{
    const struct ask_calls *calls = a->calls;
    void *arg = a->arg;
    ask_cancel(a);
    calls->end(arg, end, why);
}

static void on_timeout(uv_timer_t *timer)
{
    tell(timer->data, ASK_FAILED, "no answer in time");
}

static void on_data(struct endpoint *ep, const uint8_t *data, size_t size)
{
    struct ask *a = (struct ask *)(void *)ep;
    if (!a->calls->data(a->arg, data, size))
        tell(a, ASK_ENOUGH, NULL);
}

static void on_end(struct endpoint *ep)
{
    tell((struct ask *)(void *)ep, ASK_CLOSED, NULL);
}

static void on_broken(struct endpoint *ep, int err)
{
    tell((struct ask *)(void *)ep, ASK_FAILED, uv_strerror(err));
}

static void on_drained(struct endpoint *ep)
{
    (void)ep;
}

static const struct endpoint_calls endpoint_calls = {on_data, on_end, on_broken, on_drained, on_closed};

static void on_connected(void *arg, int fd, const char *error, const struct sockaddr *remote)
{
    struct ask *a = arg;
    a->dial = NULL;
    if (fd < 0) {
        tell(a, ASK_FAILED, error);
        return;
    }
    if (a->size == 0) {
        (void)close(fd);
        tell(a, ASK_ENOUGH, NULL);
        return;
    }
    int err = endpoint_open(&a->ep, a->loop, a->io, fd, remote->sa_family, &endpoint_calls);
    a->handles += a->ep.open;
    if (err != 0) {
        tell(a, ASK_FAILED, uv_strerror(err));
        return;
    }
    (void)endpoint_write(&a->ep, a->request, a->size);
    endpoint_read_start(&a->ep);
}

struct ask *ask_start(uv_loop_t *loop, struct endpoint_io *io, const struct config_target *to,
                      const void *request, size_t size, uint64_t timeout, const struct ask_calls *calls,
                      void *arg)
{
    struct dial_target target = {.host = to->host, .port = to->port, .path = to->path};
    struct ask *a = calloc(1, sizeof *a + size);
    if (a == NULL || uv_timer_init(loop, &a->timer) != 0) {
        free(a);
        calls->end(arg, ASK_FAILED, "out of memory");
        return NULL;
    }
    a->timer.data = a;
    a->handles = 2; /* the timer, and this call */
    a->loop = loop;
    a->io = io;
    a->calls = calls;
    a->arg = arg;
    a->size = size;
    if (size != 0)
        memcpy(a->request, request, size);
    (void)uv_timer_start(&a->timer, on_timeout, timeout, 0);
    struct dial *dial = dial_start(loop, NULL, &target, timeout, on_connected, a);
    if (dial)
        a->dial = dial;
    if (a->over) {
        handle_closed(a);
        return NULL;
    }
    a->handles--;
    return a;
}
