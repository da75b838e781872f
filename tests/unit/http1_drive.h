/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Drives one HTTP/1 connection in memory: what it emitted, what it reported, and what llhttp makes of that.
 */
#ifndef TESTS_UNIT_HTTP1_DRIVE_H
#define TESTS_UNIT_HTTP1_DRIVE_H

#include <llhttp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/http/http1.h"

struct text {
    char *p;
    size_t n;
};

static inline void text_add(struct text *t, const void *data, size_t n)
{
    t->p = realloc(t->p, t->n + n + 1);
    if (!t->p)
        abort();
    if (n)
        memcpy(t->p + t->n, data, n);
    t->n += n;
    t->p[t->n] = 0;
}

static inline __attribute__((format(printf, 2, 3))) void text_addf(struct text *t, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    text_add(t, line, n < (int)sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

static inline void text_free(struct text *t)
{
    free(t->p);
    *t = (struct text){0};
}

struct drive {
    struct http1_limits limits;
    struct http1_scratch *scratch;
    struct http1_conn *conn;
    struct http1_calls calls;
    struct text out[2]; /* to the client, to the service */
    struct text log;    /* callbacks, one a line */
    uint64_t now;
    unsigned requests, responses, ends, dones, heads_mask;
    bool bodiless[4096]; /* response n (all that were emitted, in order) answers HEAD */
    unsigned answers;
    struct http1_end last_end;
    enum http1_result result;
    /* What the request callback does. */
    int status; /* verdict for every request; -1: for those whose path begins with /no, 403 */
    struct http_str message;
    const struct http_field *add;
    size_t nadd;
    const struct http_field *response_add;
    size_t response_nadd;
    const char *drop; /* this field is left out, in heads and trailers */
};

static inline const char *outcome_name(enum http1_outcome o)
{
    static const char *const names[] = {"complete", "answered",    "lost-down",
                                        "lost-up",  "broken-down", "broken-up"};
    return names[o];
}

static inline void drive_emit(void *ctx, enum http1_side side, const uint8_t *data, size_t size)
{
    struct drive *d = ctx;
    if (!size)
        abort();
    text_add(&d->out[side], data, size);
}

static inline bool is_dropped(const struct drive *d, struct http_str name)
{
    return d->drop && name.n == strlen(d->drop) && !memcmp(name.p, d->drop, name.n);
}

static inline void drive_request(void *ctx, struct http1_request *r, struct http1_verdict *v)
{
    struct drive *d = ctx;
    d->requests++;
    text_addf(&d->log,
              "request %llu %.*s path=%.*s query=%.*s host=%.*s 1.%d fields=%zu body=%d/%llu%s%s%s%s\n",
              (unsigned long long)r->number, (int)r->method.n, r->method.p,
              (int)(r->path.n < 200 ? r->path.n : 200), r->path.p, (int)(r->query.n < 200 ? r->query.n : 200),
              r->query.p ? r->query.p : "", (int)r->host.n, r->host.p, r->minor, r->nfields, r->body,
              (unsigned long long)r->length, r->expect_continue ? " expect" : "",
              r->websocket ? " websocket" : "", r->idempotent ? " idempotent" : "", r->https ? " https" : "");
    for (size_t i = 0; i < r->nfields; i++)
        if (is_dropped(d, r->fields[i].name))
            r->fields[i].drop = true;
    r->user = d;
    v->status = d->status;
    if (d->status < 0)
        v->status = r->path.n >= 3 && !memcmp(r->path.p, "/no", 3) ? 403 : 0;
    v->message = d->message;
    v->add = d->add;
    v->nadd = d->nadd;
}

static inline void drive_response(void *ctx, struct http1_response *r)
{
    struct drive *d = ctx;
    d->responses++;
    text_addf(&d->log, "response %llu %d fields=%zu\n", (unsigned long long)r->number, r->status, r->nfields);
    for (size_t i = 0; i < r->nfields; i++)
        if (is_dropped(d, r->fields[i].name))
            r->fields[i].drop = true;
    r->add = d->response_add;
    r->nadd = d->response_nadd;
    if (r->user != d)
        abort();
}

static inline bool drive_trailer(void *ctx, enum http1_side side, const struct http_field *f)
{
    struct drive *d = ctx;
    text_addf(&d->log, "trailer %d %.*s=%.*s\n", side, (int)f->name.n, f->name.p, (int)f->value.n,
              f->value.p);
    return is_dropped(d, f->name);
}

static inline void drive_end(void *ctx, const struct http1_end *e)
{
    struct drive *d = ctx;
    d->ends++;
    d->last_end = *e;
    text_addf(&d->log, "end %llu %s %d in=%llu out=%llu %s\n", (unsigned long long)e->number,
              outcome_name(e->outcome), e->status, (unsigned long long)e->request_bytes,
              (unsigned long long)e->response_bytes, e->why);
}

static inline void drive_done(void *ctx)
{
    struct drive *d = ctx;
    d->dones++;
    text_addf(&d->log, "service done\n");
}

static inline void drive_init(struct drive *d)
{
    *d = (struct drive){.now = 1000};
    http1_limits_default(&d->limits);
    d->calls = (struct http1_calls){drive_emit, drive_request, drive_response, drive_trailer, drive_end,
                                    drive_done, NULL};
    d->scratch = http1_scratch_new(&d->limits);
    d->conn = http1_conn_new(&d->limits, d->scratch);
}

static inline struct http1_sink drive_sink(struct drive *d)
{
    return (struct http1_sink){&d->calls, d, d->now};
}

static inline void drive_free(struct drive *d)
{
    struct http1_sink sink = drive_sink(d);
    http1_conn_free(d->conn, &sink);
    http1_scratch_free(d->scratch);
    text_free(&d->out[0]);
    text_free(&d->out[1]);
    text_free(&d->log);
}

/* From memory of its own, so that nothing is read beyond it or kept after the call. */
static inline enum http1_result drive_feed(struct drive *d, enum http1_side side, const void *data, size_t n)
{
    struct http1_sink sink = drive_sink(d);
    uint8_t *copy = calloc(1, n ? n : 1);
    if (n)
        memcpy(copy, data, n);
    d->result = http1_feed(d->conn, side, copy, n, &sink);
    memset(copy, 0xa5, n);
    free(copy);
    return d->result;
}

static inline enum http1_result drive_text(struct drive *d, enum http1_side side, const char *text)
{
    return drive_feed(d, side, text, strlen(text));
}

static inline enum http1_result drive_eof(struct drive *d, enum http1_side side)
{
    struct http1_sink sink = drive_sink(d);
    return d->result = http1_eof(d->conn, side, &sink);
}

static inline enum http1_result drive_lost(struct drive *d, int status)
{
    struct http1_sink sink = drive_sink(d);
    return d->result = http1_service_lost(d->conn, status, "gone\n", &sink);
}

static inline enum http1_result drive_timeout(struct drive *d)
{
    struct http1_sink sink = drive_sink(d);
    return d->result = http1_timeout(d->conn, &sink);
}

static inline const char *drive_out(struct drive *d, enum http1_side side)
{
    return d->out[side].p ? d->out[side].p : "";
}

/* Forgets what was emitted and logged so far. */
static inline void drive_clear(struct drive *d)
{
    text_free(&d->out[0]);
    text_free(&d->out[1]);
    text_free(&d->log);
}

/* --- llhttp's opinion --- */

/*
 * Messages as llhttp reads them, without regard to how they are chunked: method or status, fields ("|" behind
 * each), bytes of body. ERROR: HPE_OK, HPE_PAUSED_UPGRADE, or what it complained about.
 */
struct opinion {
    llhttp_t parser;
    struct text text;
    unsigned messages, complete;
    const bool *bodiless;                                    /* of responses, by number; NULL: none */
    void (*field)(const char *name, size_t n, bool trailer); /* called for each field's name; NULL is fine */
    struct text name;
    bool trailing;
    llhttp_errno_t error;
};

static inline int opinion_begin(llhttp_t *p)
{
    struct opinion *o = p->data;
    o->messages++;
    o->trailing = false;
    text_add(&o->text, "\n", 1);
    return 0;
}

static inline int opinion_piece(llhttp_t *p, const char *at, size_t n)
{
    struct opinion *o = p->data;
    text_add(&o->text, at, n);
    return 0;
}

static inline int opinion_bar(llhttp_t *p)
{
    struct opinion *o = p->data;
    text_add(&o->text, "|", 1);
    return 0;
}

static inline int opinion_name(llhttp_t *p, const char *at, size_t n)
{
    struct opinion *o = p->data;
    text_add(&o->name, at, n);
    return opinion_piece(p, at, n);
}

static inline int opinion_colon(llhttp_t *p)
{
    struct opinion *o = p->data;
    if (o->field)
        o->field(o->name.p, o->name.n, o->trailing);
    text_free(&o->name);
    text_add(&o->text, ":", 1);
    return 0;
}

static inline int opinion_head(llhttp_t *p)
{
    struct opinion *o = p->data;
    o->trailing = true;
    text_addf(&o->text, " %s %d ", p->type == HTTP_REQUEST ? llhttp_method_name(p->method) : "",
              p->status_code);
    if (p->type == HTTP_RESPONSE && p->status_code / 100 == 1)
        return 0;
    if (p->type == HTTP_RESPONSE && p->status_code == 304) /* which llhttp leaves to its caller */
        return 1;
    return p->type == HTTP_RESPONSE && o->bodiless && o->bodiless[o->complete];
}

static inline int opinion_complete(llhttp_t *p)
{
    struct opinion *o = p->data;
    if (p->type == HTTP_REQUEST || p->status_code / 100 != 1 || p->status_code == 101)
        o->complete++;
    text_add(&o->text, " END", 4);
    return 0;
}

static const llhttp_settings_t opinion_settings = {
    .on_message_begin = opinion_begin,
    .on_url = opinion_piece,
    .on_status = opinion_piece,
    .on_header_field = opinion_name,
    .on_header_field_complete = opinion_colon,
    .on_header_value = opinion_piece,
    .on_header_value_complete = opinion_bar,
    .on_headers_complete = opinion_head,
    .on_body = opinion_piece,
    .on_message_complete = opinion_complete,
};

static inline void opinion_of(struct opinion *o, llhttp_type_t type, const char *p, size_t n,
                              const bool *bodiless)
{
    *o = (struct opinion){.bodiless = bodiless, .field = o->field};
    llhttp_init(&o->parser, type, &opinion_settings);
    o->parser.data = o;
    text_add(&o->text, "", 0);
    o->error = llhttp_execute(&o->parser, p, n);
    if (o->error == HPE_PAUSED_UPGRADE) {
        const char *rest = llhttp_get_error_pos(&o->parser);
        text_add(&o->text, " TUNNEL ", 8);
        text_add(&o->text, rest, (size_t)(p + n - rest));
    } else if (o->error == HPE_OK && type == HTTP_RESPONSE) {
        llhttp_finish(&o->parser);
    }
    text_free(&o->name);
}

#endif
