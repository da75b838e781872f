/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/http/http1_private.h"

#include <stdio.h>
#include <string.h>

static bool refused(struct http1_fault *fault, int status, const char *why)
{
    *fault = (struct http1_fault){status, why};
    return false;
}

/* Takes the scheme and authority off an absolute-form target. */
static bool split_absolute(struct http_str *rest, struct http1_request *r, struct http1_fault *fault)
{
    if (rest->n > 7 && http_same((struct http_str){rest->p, 7}, "http://")) {
        rest->p += 7, rest->n -= 7;
    } else if (rest->n > 8 && http_same((struct http_str){rest->p, 8}, "https://")) {
        rest->p += 8, rest->n -= 8;
        r->https = true;
    } else {
        return refused(fault, 400, "a request target that is neither a path nor an http URI");
    }
    size_t n = 0;
    while (n < rest->n && rest->p[n] != '/' && rest->p[n] != '?')
        n++;
    struct http_str authority = {rest->p, n};
    if (!http_host_valid(authority))
        return refused(fault, 400, "a request target without a valid host");
    if (r->host.n && !http_same_str(r->host, authority))
        return refused(fault, 400, "a Host that contradicts the request target");
    r->host = authority;
    rest->p += n;
    rest->n -= n;
    return true;
}

/* The four forms of RFC 9112, 3.2. */
static bool read_target(struct http1_request *r, struct http1_fault *fault)
{
    struct http_str rest = r->target;
    bool options = http_same(r->method, "options");
    if (options && rest.n == 1 && rest.p[0] == '*') {
        r->path = rest;
        return true;
    }
    if (rest.p[0] != '/' && !split_absolute(&rest, r, fault))
        return false;
    const char *mark = memchr(rest.p, '?', rest.n);
    r->path = (struct http_str){rest.p, mark ? (size_t)(mark - rest.p) : rest.n};
    if (mark)
        r->query = (struct http_str){mark + 1, rest.n - r->path.n - 1};
    if (!r->path.n)
        r->path = options && !mark ? HTTP_STR("*") : HTTP_STR("/");
    return true;
}

static bool is_idempotent(struct http_str method)
{
    static const char *const methods[] = {"get", "head", "put", "delete", "options", "trace"};
    for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
        if (http_same(method, methods[i]))
            return true;
    return false;
}

/* What the head in scratch asks for. */
static bool read_request(struct http1_conn *c, struct http1_request *r, struct http1_fault *fault)
{
    struct http1_scratch *s = c->scratch;
    const struct http1_head *h = &s->head;
    *r = (struct http1_request){.number = c->number,
                                .method = h->method,
                                .target = h->target,
                                .host = h->host,
                                .minor = h->minor,
                                .fields = s->fields,
                                .nfields = s->nfields,
                                .length = h->length,
                                .expect_continue = h->expect_continue,
                                .idempotent = is_idempotent(h->method)};
    if (http_same(h->method, "connect"))
        return refused(fault, 501, "CONNECT is not served");
    if (h->hosts > 1)
        return refused(fault, 400, "more than one Host");
    if (h->minor == 1 && !h->hosts)
        return refused(fault, 400, "no Host");
    if (h->hosts && !http_host_valid(r->host) && (h->minor == 1 || r->host.n))
        return refused(fault, 400, "a malformed Host");
    if (!read_target(r, fault))
        return false;
    r->body = h->chunked ? HTTP1_CHUNKED : h->length ? HTTP1_LENGTH : HTTP1_NO_BODY;
    r->websocket = h->upgrade && h->websocket && h->minor == 1 && r->body == HTTP1_NO_BODY &&
                   h->method.n == 3 && http_same(h->method, "get");
    return true;
}

static void open_request(struct http1_conn *c, const struct http1_request *r, const struct http1_sink *sink)
{
    c->open = true;
    c->idempotent = r->idempotent;
    c->http11 = r->minor == 1;
    c->closing = r->minor == 0 || c->scratch->head.close;
    c->websocket = r->websocket;
    c->began_ms = sink->now_ms;
    struct http1_in *in = &c->in[HTTP1_DOWN];
    in->reading = r->body == HTTP1_CHUNKED  ? HTTP1_AT_CHUNK_LINE
                  : r->body == HTTP1_LENGTH ? HTTP1_AT_LENGTH
                                            : HTTP1_AT_DONE;
    in->left = r->length;
    c->chunked[HTTP1_UP] = r->body == HTTP1_CHUNKED;
    c->chunked[HTTP1_DOWN] = false; /* of interim responses and of a 101, which have no body */
}

/* A connection outlives an answer of ours if the rest of the request can be read and thrown away: not if the
 * client may be waiting for a 100 and send the body or the next request, as it likes (RFC 9110, 10.1.1). */
static bool can_discard(const struct http1_conn *c, const struct http1_request *r)
{
    return r->body == HTTP1_NO_BODY ||
           (!r->expect_continue && (r->body == HTTP1_CHUNKED || r->length <= c->limits->discard));
}

static void judge(struct http1_conn *c, struct http1_request *r, const struct http1_sink *sink)
{
    struct http1_verdict verdict = {0};
    if (sink->calls->request)
        sink->calls->request(sink->ctx, r, &verdict);
    c->user = r->user;
    c->last = c->closing || c->draining;
    if (verdict.status) {
        c->last |= !can_discard(c, r);
        http1_write_answer(c, &verdict, sink);
        c->responded_ms = sink->now_ms;
        if (c->last) { /* what is missing of the request is not waited for */
            http1_request_end(c, HTTP1_ANSWERED, "", sink);
            http1_finish(c, HTTP1_CLOSE);
        }
        return;
    }
    c->in[HTTP1_UP].reading = HTTP1_AT_HEAD;
    c->service_gone = c->service_ok = false;
    http1_write_request(c, r, &verdict, sink);
}

static void request_head(struct http1_conn *c, struct http_str block, const struct http1_sink *sink)
{
    struct http1_in *in = &c->in[HTTP1_DOWN];
    struct http1_fault fault = {0};
    struct http1_request r;
    c->number++;
    bool good = http1_parse(c->scratch, HTTP1_REQUEST_HEAD, block, in->part.lines - 1, &fault);
    c->head = http_same(c->scratch->head.method, "head");
    if (good && read_request(c, &r, &fault)) {
        open_request(c, &r, sink);
        judge(c, &r, sink);
    } else {
        c->began_ms = sink->now_ms;
        http1_refuse(c, HTTP1_BROKEN_DOWN, fault.status, fault.why, sink);
    }
    http1_part_free(&in->part);
    if (c->open && in->reading == HTTP1_AT_DONE)
        http1_request_done(c, sink);
}

/*
 * What no request line begins with need not wait for the end of a line that may never come. PART is what came
 * before DATA. A line that ends within its method is left to the line's own check.
 */
static bool may_be_request(const struct http1_part *part, const char *data, size_t size,
                           struct http1_fault *fault)
{
    size_t n = 0;
    if (part->lines || (part->n && memchr(part->p, ' ', part->n)))
        return true;
    bool cr = part->n && part->p[part->n - 1] == '\r';
    while (!cr && n < size && http_is(data[n], HTTP_TOKEN))
        n++;
    if (!cr && n < size && data[n] == '\r') {
        cr = true;
        n++;
    }
    if (n == size || data[n] == '\n' || (!cr && data[n] == ' ' && (n || part->n)))
        return true;
    return refused(fault, 400, "a request line without a method");
}

size_t http1_request_bytes(struct http1_conn *c, const char *data, size_t size, const struct http1_sink *sink)
{
    struct http1_in *in = &c->in[HTTP1_DOWN];
    struct http1_fault fault = {0};
    size_t used = 0;
    if (in->reading == HTTP1_AT_START) {
        if (*data == '\r' && !c->blank) {
            in->reading = HTTP1_AT_START_LF;
            return 1;
        }
        in->reading = HTTP1_AT_HEAD;
    } else if (in->reading == HTTP1_AT_START_LF) {
        if (*data == '\n') {
            c->blank = true;
            in->reading = HTTP1_AT_START;
            return 1;
        }
        fault = (struct http1_fault){400, "a line that does not end in CR LF"};
    }
    if (!fault.status && may_be_request(&in->part, data, size, &fault)) {
        struct http_str block;
        switch (http1_collect(c, in, HTTP1_REQUEST_HEAD, data, size, &used, &block, &fault)) {
        case HTTP1_GOT_MORE: return used;
        case HTTP1_GOT_ALL: request_head(c, block, sink); return used;
        case HTTP1_GOT_BAD: break;
        }
    }
    c->number++;
    c->began_ms = sink->now_ms;
    http1_refuse(c, HTTP1_BROKEN_DOWN, fault.status, fault.why, sink);
    return size;
}

void http1_request_done(struct http1_conn *c, const struct http1_sink *sink)
{
    if (!c->response_done)
        return;
    if (!c->answered)
        c->service_ok = c->service_keeps;
    http1_request_end(c, c->answered ? HTTP1_ANSWERED : HTTP1_COMPLETE, "", sink);
    if (c->last || c->draining)
        http1_finish(c, HTTP1_CLOSE);
}

void http1_request_end(struct http1_conn *c, enum http1_outcome outcome, const char *why,
                       const struct http1_sink *sink)
{
    if (sink->calls->end) {
        struct http1_end end = {.number = c->number,
                                .outcome = outcome,
                                .status = c->status,
                                .why = why,
                                .request_bytes = c->in[HTTP1_DOWN].total,
                                .response_bytes = c->in[HTTP1_UP].total,
                                .began_ms = c->began_ms,
                                .responded_ms = c->responded_ms,
                                .user = c->user};
        sink->calls->end(sink->ctx, &end);
    }
    c->open = c->answered = c->response_begun = c->response_done = c->head = c->websocket = c->blank = false;
    c->tunnel = false;
    c->status = 0;
    c->interims = 0;
    c->user = NULL;
    c->responded_ms = 0;
    for (int side = 0; side < 2; side++) {
        http1_part_free(&c->in[side].part);
        c->in[side].total = 0;
    }
    c->in[HTTP1_DOWN].reading = HTTP1_AT_START;
    c->in[HTTP1_UP].reading = HTTP1_AT_DONE;
}

void http1_refuse(struct http1_conn *c, enum http1_outcome outcome, int status, const char *why,
                  const struct http1_sink *sink)
{
    char text[160];
    bool abort = c->response_begun && !c->response_done;
    c->why = why;
    c->why_side = outcome == HTTP1_BROKEN_UP ? HTTP1_UP : HTTP1_DOWN;
    if (!c->response_begun) {
        /* what a service did wrong is not for the caller's eyes */
        const char *told = outcome == HTTP1_BROKEN_UP ? "the upstream server's response is malformed" : why;
        int n = snprintf(text, sizeof(text), "%s: %s\n", http1_reason(status), told);
        struct http1_verdict verdict = {
            .status = status, .message = {text, n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1}};
        c->last = true;
        if (sink->calls->answer)
            sink->calls->answer(sink->ctx, c->user, &verdict);
        http1_write_answer(c, &verdict, sink);
        c->responded_ms = sink->now_ms;
        c->why_status = (uint16_t)status;
    }
    http1_request_end(c, outcome, why, sink);
    http1_finish(c, abort ? HTTP1_ABORT : HTTP1_CLOSE);
}
