/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/admin/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sidecar/net/dial.h"

struct probe {
    struct endpoint ep; /* first: an endpoint of ours is a probe */
    uv_timer_t timer;
    uv_loop_t *loop;
    struct endpoint_io *io;
    struct dial *dial;
    probe_cb cb;
    void *arg;
    enum config_probe_kind kind;
    int handles;
    bool over; /* told, or cancelled */
    size_t request_size, answer_size;
    uint8_t request[PROBE_REQUEST_MAX];
    uint8_t answer[PROBE_ANSWER_MAX];
};

static void handle_closed(struct probe *p)
{
    if (--p->handles == 0)
        free(p);
}

static void on_timer_closed(uv_handle_t *timer)
{
    handle_closed(timer->data);
}

static void on_closed(struct endpoint *ep)
{
    handle_closed((struct probe *)(void *)ep);
}

void probe_cancel(struct probe *p)
{
    if (p == NULL || p->over)
        return;
    p->over = true;
    dial_cancel(p->dial);
    p->dial = NULL;
    endpoint_close(&p->ep);
    uv_close((uv_handle_t *)&p->timer, on_timer_closed);
}

static void tell(struct probe *p, bool good, const char *why)
{
    probe_cb cb = p->cb;
    void *arg = p->arg;
    probe_cancel(p);
    cb(arg, good, why);
}

static void on_timeout(uv_timer_t *timer)
{
    tell(timer->data, false, "no answer in time");
}

static void on_data(struct endpoint *ep, const uint8_t *data, size_t size)
{
    struct probe *p = (struct probe *)(void *)ep;
    const char *why;
    unsigned status;
    char text[64];
    size_t room = sizeof p->answer - p->answer_size;
    size = size < room ? size : room;
    memcpy(p->answer + p->answer_size, data, size);
    p->answer_size += size;
    switch (probe_read(p->kind, p->answer, p->answer_size, &why, &status)) {
    case PROBE_GOOD: tell(p, true, "ok"); break;
    case PROBE_BAD:
        (void)snprintf(text, sizeof text, "status %u", status);
        tell(p, false, why ? why : text);
        break;
    case PROBE_MORE:
        if (p->answer_size == sizeof p->answer)
            tell(p, false, "an answer that is too large");
        break;
    }
}

static void on_end(struct endpoint *ep)
{
    tell((struct probe *)(void *)ep, false, "closed without an answer");
}

static void on_broken(struct endpoint *ep, int err)
{
    tell((struct probe *)(void *)ep, false, uv_strerror(err));
}

static void on_drained(struct endpoint *ep)
{
    (void)ep;
}

static const struct endpoint_calls calls = {on_data, on_end, on_broken, on_drained, on_closed};

static void on_connected(void *arg, int fd, const char *error, const struct sockaddr *remote)
{
    struct probe *p = arg;
    (void)remote;
    p->dial = NULL;
    if (fd < 0) {
        tell(p, false, error);
        return;
    }
    if (p->kind == CONFIG_PROBE_TCP) {
        (void)close(fd);
        tell(p, true, "ok");
        return;
    }
    int err = endpoint_open(&p->ep, p->loop, p->io, fd, &calls);
    p->handles += p->ep.open;
    if (err != 0) {
        tell(p, false, uv_strerror(err));
        return;
    }
    (void)endpoint_write(&p->ep, p->request, p->request_size);
    endpoint_read_start(&p->ep);
}

struct probe *probe_start(uv_loop_t *loop, struct endpoint_io *io, const struct config_probe *config,
                          probe_cb cb, void *arg)
{
    const struct config_target *to = &config->connect;
    struct dial_target target = {.host = to->host, .port = to->port, .path = to->path};
    struct probe *p = calloc(1, sizeof *p);
    if (p == NULL || uv_timer_init(loop, &p->timer) != 0) {
        free(p);
        cb(arg, false, "out of memory");
        return NULL;
    }
    p->timer.data = p;
    p->handles = 2; /* the timer, and this call */
    p->loop = loop;
    p->io = io;
    p->cb = cb;
    p->arg = arg;
    p->kind = config->kind;
    p->request_size = probe_request(p->kind, config->request ? config->request : "", p->request);
    (void)uv_timer_start(&p->timer, on_timeout, config->timeout, 0);
    struct dial *dial = dial_start(loop, NULL, &target, config->timeout, on_connected, p);
    if (dial)
        p->dial = dial;
    if (p->over) {
        handle_closed(p);
        return NULL;
    }
    p->handles--;
    return p;
}
