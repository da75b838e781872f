/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What services answer to a scrape: HTTP. */
#include <llhttp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/admin/scrape.h"

struct scrape_answer {
    llhttp_t parser;
    char *body;
    size_t size, capacity;
    bool over;
    const char *error;
    char words[64];
};

static int on_body(llhttp_t *parser, const char *at, size_t n)
{
    struct scrape_answer *a = parser->data;
    if (n > SCRAPE_MAX - a->size) {
        a->error = "an answer that is too large";
        return -1;
    }
    if (n > a->capacity - a->size) {
        size_t capacity = a->capacity * 2 + n + 4096;
        char *body = realloc(a->body, capacity);
        if (body == NULL) {
            a->error = "out of memory";
            return -1;
        }
        a->body = body;
        a->capacity = capacity;
    }
    memcpy(a->body + a->size, at, n);
    a->size += n;
    return 0;
}

static int on_complete(llhttp_t *parser)
{
    struct scrape_answer *a = parser->data;
    if (parser->status_code / 100 == 1) /* an interim response (RFC 9110 section 15.2) */
        return 0;
    a->over = true;
    a->error = NULL;
    if (parser->status_code != 200) {
        (void)snprintf(a->words, sizeof a->words, "status %u", parser->status_code);
        a->error = a->words;
    }
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {.on_body = on_body, .on_message_complete = on_complete};

struct scrape_answer *scrape_answer_new(void)
{
    struct scrape_answer *a = calloc(1, sizeof *a);
    if (a) {
        llhttp_init(&a->parser, HTTP_RESPONSE, &settings);
        a->parser.data = a;
        a->error = "closed without an answer";
    }
    return a;
}

void scrape_answer_free(struct scrape_answer *a)
{
    if (a)
        free(a->body);
    free(a);
}

static void broken(struct scrape_answer *a, llhttp_errno_t err)
{
    if (a->over || err == HPE_OK)
        return;
    a->over = true;
    if (err != HPE_USER && err != HPE_CB_MESSAGE_COMPLETE)
        a->error = "an answer that is not HTTP";
}

bool scrape_answer_feed(struct scrape_answer *a, const void *data, size_t size)
{
    if (!a->over && size != 0)
        broken(a, llhttp_execute(&a->parser, data, size));
    return !a->over;
}

void scrape_answer_finish(struct scrape_answer *a)
{
    if (!a->over)
        (void)llhttp_finish(&a->parser); /* a body that ends with the connection */
    a->over = true;
}

const char *scrape_answer_error(const struct scrape_answer *a)
{
    return a->error;
}

const char *scrape_answer_body(const struct scrape_answer *a, size_t *size)
{
    *size = a->size;
    return a->body;
}
