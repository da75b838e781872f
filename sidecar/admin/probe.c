/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/admin/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/admin/ask.h"

struct probe {
    struct ask *ask;
    probe_cb cb;
    void *arg;
    enum config_probe_kind kind;
    enum probe_verdict verdict;
    const char *why; /* PROBE_BAD: static words; NULL: STATUS */
    unsigned status;
    size_t size;
    uint8_t answer[PROBE_ANSWER_MAX];
};

static bool on_data(void *arg, const uint8_t *data, size_t size)
{
    struct probe *p = arg;
    size_t room = sizeof p->answer - p->size;
    size = size < room ? size : room;
    memcpy(p->answer + p->size, data, size);
    p->size += size;
    p->verdict = probe_read(p->kind, p->answer, p->size, &p->why, &p->status);
    if (p->verdict == PROBE_MORE && p->size == sizeof p->answer) {
        p->verdict = PROBE_BAD;
        p->why = "an answer that is too large";
    }
    return p->verdict == PROBE_MORE;
}

static void on_end(void *arg, enum ask_end end, const char *why)
{
    struct probe *p = arg;
    char text[64];
    bool good = end == ASK_ENOUGH && p->verdict != PROBE_BAD;
    if (good) {
        why = "ok";
    } else if (end == ASK_CLOSED) {
        why = "closed without an answer";
    } else if (end == ASK_ENOUGH) {
        (void)snprintf(text, sizeof text, "status %u", p->status);
        why = p->why ? p->why : text;
    }
    p->cb(p->arg, good, why);
    free(p);
}

static const struct ask_calls calls = {on_data, on_end};

struct probe *probe_start(uv_loop_t *loop, struct endpoint_io *io, const struct config_probe *config,
                          probe_cb cb, void *arg)
{
    uint8_t request[PROBE_REQUEST_MAX];
    size_t size = probe_request(config->kind, config->request ? config->request : "", request);
    struct probe *p = calloc(1, sizeof *p);
    if (p == NULL) {
        cb(arg, false, "out of memory");
        return NULL;
    }
    p->cb = cb;
    p->arg = arg;
    p->kind = config->kind;
    struct ask *ask = ask_start(loop, io, &config->connect, request, size, config->timeout, &calls, p);
    if (ask == NULL) /* the end has come, and P is gone */
        return NULL;
    p->ask = ask;
    return p;
}

void probe_cancel(struct probe *p)
{
    if (p == NULL)
        return;
    ask_cancel(p->ask);
    free(p);
}
