/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/admin/scrape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/admin/ask.h"

enum { REQUEST_MAX = 1024 };

struct one {
    struct scrape *all;
    struct ask *ask; /* NULL: it is over */
    struct scrape_answer *answer;
    char *name;
    bool up;
};

struct scrape {
    scrape_cb cb;
    void *arg;
    size_t count, open;
    struct one one[];
};

static void scrape_free(struct scrape *s)
{
    for (size_t i = 0; i < s->count; i++) {
        scrape_answer_free(s->one[i].answer);
        free(s->one[i].name);
    }
    free(s);
}

static void finish(struct scrape *s)
{
    struct metrics_text out = {0};
    struct scrape_merge merge = {0};
    metrics_family(&out, METRIC_SCRAPE_UP);
    for (size_t i = 0; i < s->count; i++) {
        size_t size;
        struct one *one = &s->one[i];
        const char *body = scrape_answer_body(one->answer, &size);
        one->up = one->up && scrape_merge_take(&merge, s->count > 1 ? one->name : NULL, body, size);
        metrics_integer(&out, "scrape", one->name, one->up);
    }
    scrape_merge_write(&merge, &out);
    scrape_cb cb = s->cb;
    void *arg = s->arg;
    scrape_free(s);
    cb(arg, &out);
}

static bool on_data(void *arg, const uint8_t *data, size_t size)
{
    struct one *one = arg;
    return scrape_answer_feed(one->answer, data, size);
}

static void on_end(void *arg, enum ask_end end, const char *why)
{
    struct one *one = arg;
    (void)why;
    one->ask = NULL;
    if (end == ASK_CLOSED)
        scrape_answer_finish(one->answer);
    one->up = end != ASK_FAILED && scrape_answer_error(one->answer) == NULL;
    if (--one->all->open == 0)
        finish(one->all);
}

static const struct ask_calls calls = {on_data, on_end};

static struct scrape *scrape_new(const struct config_scrape *config, size_t count)
{
    struct scrape *s = calloc(1, sizeof *s + count * sizeof *s->one);
    if (s == NULL)
        return NULL;
    s->count = count;
    for (size_t i = 0; i < count; i++) {
        struct one *one = &s->one[i];
        one->all = s;
        one->name = strdup(config[i].name);
        one->answer = scrape_answer_new();
        if (one->name == NULL || one->answer == NULL) {
            scrape_free(s);
            return NULL;
        }
    }
    return s;
}

struct scrape *scrape_start(uv_loop_t *loop, struct endpoint_io *io, const struct config_scrape *config,
                            size_t count, scrape_cb cb, void *arg)
{
    struct scrape *s = scrape_new(config, count);
    if (s == NULL) {
        cb(arg, &(struct metrics_text){.failed = true});
        return NULL;
    }
    s->cb = cb;
    s->arg = arg;
    s->open = count + 1; /* and this call */
    for (size_t i = 0; i < count; i++) {
        char request[REQUEST_MAX];
        int n = snprintf(request, sizeof request,
                         "GET %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: outrider-scrape\r\n"
                         "Accept: text/plain;version=0.0.4\r\nConnection: close\r\n\r\n",
                         config[i].request);
        struct ask *ask = ask_start(loop, io, &config[i].connect, request, (size_t)n, config[i].timeout,
                                    &calls, &s->one[i]);
        if (ask)
            s->one[i].ask = ask;
    }
    if (--s->open == 0) {
        finish(s);
        return NULL;
    }
    return s;
}

void scrape_cancel(struct scrape *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->count; i++)
        ask_cancel(s->one[i].ask);
    scrape_free(s);
}
