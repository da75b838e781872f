/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/admin/health.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sidecar/admin/probe.h"
#include "sidecar/net/endpoint.h"
#include "sidecar/net/listen.h"

struct health {
    uv_loop_t *loop;
    struct net_acceptor *acceptor;
    struct endpoint_io io;
    const struct health_calls *calls;
    void *arg;
    struct visit *visits;
    size_t count;
    bool stopped;
};

/* One connection: a request is read whole, answered, and that is all. */
struct visit {
    struct endpoint ep; /* first: an endpoint of ours is a visit */
    uv_timer_t timer;
    struct health *health;
    struct visit *next, **prev;
    int handles;
    size_t size;
    bool answered;
    bool head;           /* the answer has no body */
    struct probe *probe; /* the answer waits for it */
    char request[HEALTH_REQUEST_MAX];
};

static void on_io_closed(uv_handle_t *handle)
{
    free((char *)handle->data - offsetof(struct health, io));
}

static void health_free_if_done(struct health *h)
{
    if (h->stopped && h->count == 0)
        endpoint_io_close(&h->io, on_io_closed);
}

static void visit_handle_closed(struct visit *v)
{
    if (--v->handles != 0)
        return;
    *v->prev = v->next;
    if (v->next)
        v->next->prev = v->prev;
    v->health->count--;
    health_free_if_done(v->health);
    free(v);
}

static void on_timer_closed(uv_handle_t *handle)
{
    visit_handle_closed(handle->data);
}

static void on_closed(struct endpoint *ep)
{
    visit_handle_closed((struct visit *)(void *)ep);
}

static void visit_end(struct visit *v)
{
    probe_cancel(v->probe);
    v->probe = NULL;
    endpoint_close(&v->ep);
    if (!uv_is_closing((uv_handle_t *)&v->timer))
        uv_close((uv_handle_t *)&v->timer, on_timer_closed);
}

/* --- answering --- */

static void answer(struct visit *v, const char *status, const char *type, const char *body, size_t size,
                   bool head)
{
    char header[256];
    int n = snprintf(header, sizeof header,
                     "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n"
                     "Connection: close\r\n\r\n",
                     status, type, size);
    v->answered = true;
    (void)endpoint_write(&v->ep, (const uint8_t *)header, (size_t)n);
    if (!head)
        (void)endpoint_write(&v->ep, (const uint8_t *)body, size);
    endpoint_shutdown(&v->ep);
}

static void answer_text(struct visit *v, const char *status, const char *text, bool head)
{
    answer(v, status, "text/plain; charset=utf-8", text, strlen(text), head);
}

static void answer_state(struct visit *v, bool (*ask)(void *, char *), bool head)
{
    char reason[HEALTH_REASON] = "";
    bool good = ask(v->health->arg, reason);
    answer_text(v, good ? "200 OK" : "503 Service Unavailable", good ? "ok\n" : reason, head);
}

static void answer_metrics(struct visit *v, bool head)
{
    struct metrics_text out = {0};
    v->health->calls->metrics(v->health->arg, &out);
    if (out.failed || out.text == NULL)
        answer_text(v, "500 Internal Server Error", "out of memory\n", head);
    else
        answer(v, "200 OK", "text/plain; version=0.0.4; charset=utf-8", out.text, out.size, head);
    free(out.text);
}

static void on_probed(void *arg, bool good, const char *why)
{
    struct visit *v = arg;
    char text[HEALTH_REASON];
    v->probe = NULL;
    (void)snprintf(text, sizeof text, "%s\n", why);
    answer_text(v, good ? "200 OK" : "503 Service Unavailable", text, v->head);
}

static void on_timeout(uv_timer_t *timer);

static void answer_probe(struct visit *v, const char *name)
{
    const struct config *config = v->health->calls->config(v->health->arg);
    for (size_t i = 0; i < config->probe_count; i++) {
        const struct config_probe *probe = &config->probe[i];
        if (strcmp(probe->name, name) != 0)
            continue;
        (void)uv_timer_start(&v->timer, on_timeout, probe->timeout + HEALTH_TIMEOUT, 0);
        v->answered = true; /* what else the visitor says is of no interest */
        v->probe = probe_start(v->health->loop, &v->health->io, probe, on_probed, v);
        return;
    }
    answer_text(v, "404 Not Found", "there is no such probe\n", v->head);
}

static void respond(struct visit *v)
{
    const struct health_calls *calls = v->health->calls;
    char method[8], target[96], version[12];
    if (sscanf(v->request, "%7[A-Z] %95[^ \r\n] %11[^ \r\n]", method, target, version) != 3 ||
        strncmp(version, "HTTP/1.", 7) != 0) {
        answer_text(v, "400 Bad Request", "bad request\n", false);
        return;
    }
    bool head = strcmp(method, "HEAD") == 0;
    v->head = head;
    target[strcspn(target, "?")] = '\0';
    if (!head && strcmp(method, "GET") != 0)
        answer_text(v, "405 Method Not Allowed", "only GET and HEAD\n", false);
    else if (strcmp(target, "/healthz") == 0)
        answer_state(v, calls->alive, head);
    else if (strcmp(target, "/readyz") == 0)
        answer_state(v, calls->ready, head);
    else if (strcmp(target, "/metrics") == 0)
        answer_metrics(v, head);
    else if (strncmp(target, "/probes/", 8) == 0)
        answer_probe(v, target + 8);
    else
        answer_text(v, "404 Not Found", "not found: /healthz /readyz /metrics /probes/NAME\n", head);
}

/* --- reading --- */

static void on_data(struct endpoint *ep, const uint8_t *data, size_t size)
{
    struct visit *v = (struct visit *)(void *)ep;
    if (v->answered)
        return;
    if (size > sizeof v->request - 1 - v->size) {
        answer_text(v, "431 Request Header Fields Too Large", "request too large\n", false);
        return;
    }
    memcpy(v->request + v->size, data, size);
    v->size += size;
    v->request[v->size] = '\0';
    if (strstr(v->request, "\r\n\r\n") || strstr(v->request, "\n\n"))
        respond(v);
}

static void on_end(struct endpoint *ep)
{
    visit_end((struct visit *)(void *)ep);
}

static void on_broken(struct endpoint *ep, int err)
{
    (void)err;
    visit_end((struct visit *)(void *)ep);
}

static void on_drained(struct endpoint *ep)
{
    (void)ep;
}

static const struct endpoint_calls visit_calls = {on_data, on_end, on_broken, on_drained, on_closed};

static void on_timeout(uv_timer_t *timer)
{
    visit_end(timer->data);
}

static void on_accept(void *arg, int fd, const struct sockaddr *peer)
{
    struct health *h = arg;
    (void)peer;
    struct visit *v = h->count < HEALTH_CONNECTIONS ? calloc(1, sizeof *v) : NULL;
    if (v == NULL || uv_timer_init(h->loop, &v->timer) != 0) {
        free(v);
        (void)close(fd);
        return;
    }
    v->health = h;
    v->timer.data = v;
    v->handles = 1;
    v->next = h->visits;
    if (v->next)
        v->next->prev = &v->next;
    h->visits = v;
    v->prev = &h->visits;
    h->count++;
    int err = endpoint_open(&v->ep, h->loop, &h->io, fd, &visit_calls);
    v->handles += v->ep.open;
    if (err != 0) {
        visit_end(v);
        return;
    }
    (void)uv_timer_start(&v->timer, on_timeout, HEALTH_TIMEOUT, 0);
    endpoint_read_start(&v->ep);
}

struct health *health_start(uv_loop_t *loop, int fd, const struct health_calls *calls, void *arg)
{
    struct health *h = calloc(1, sizeof *h);
    if (h == NULL || endpoint_io_init(&h->io, loop) != 0) {
        free(h);
        (void)close(fd);
        return NULL;
    }
    h->loop = loop;
    h->calls = calls;
    h->arg = arg;
    h->acceptor = net_acceptor_start(loop, fd, on_accept, h);
    if (h->acceptor == NULL) {
        health_stop(h);
        return NULL;
    }
    return h;
}

void health_stop(struct health *h)
{
    if (h == NULL)
        return;
    h->stopped = true;
    net_acceptor_close(h->acceptor);
    h->acceptor = NULL;
    for (struct visit *v = h->visits; v; v = v->next)
        visit_end(v);
    health_free_if_done(h);
}
