/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/http/http1_private.h"

enum { INTERIMS_MAX = 32 }; /* 1xx responses before a final one */

static void broken(struct http1_conn *c, const char *why, const struct http1_sink *sink)
{
    http1_refuse(c, HTTP1_BROKEN_UP, 502, why, sink);
}

static void interim(struct http1_conn *c, struct http1_response *r, const struct http1_sink *sink)
{
    if (c->interims++ == INTERIMS_MAX) {
        broken(c, "too many interim responses", sink);
        return;
    }
    if (!c->http11) /* RFC 9110, 15.2 */
        return;
    for (size_t i = 0; i < r->nfields && sink->calls->trailer; i++)
        if (!r->fields[i].hop && sink->calls->trailer(sink->ctx, HTTP1_UP, &r->fields[i]))
            r->fields[i].drop = true;
    http1_write_response(c, r, NULL, sink);
}

static void switch_protocols(struct http1_conn *c, struct http1_response *r, const struct http1_sink *sink)
{
    const struct http1_head *h = &c->scratch->head;
    if (!c->websocket || !h->upgrade || !h->websocket || h->minor == 0) {
        broken(c, "a switch of protocols that was not asked for", sink);
        return;
    }
    if (sink->calls->response)
        sink->calls->response(sink->ctx, r);
    http1_write_response(c, r, NULL, sink);
    c->status = 101;
    c->responded_ms = sink->now_ms;
    c->response_begun = c->tunnel = true;
    c->in[HTTP1_UP].reading = HTTP1_AT_EOF;
}

/* How the body is framed, as it comes and as it goes (RFC 9112, 6.3). Returns the length to be said, if any.
 */
static const uint64_t *frame(struct http1_conn *c, int status)
{
    const struct http1_head *h = &c->scratch->head;
    struct http1_in *in = &c->in[HTTP1_UP];
    bool none = c->head || status == 204 || status == 304;
    c->chunked[HTTP1_DOWN] = false;
    if (none || (h->has_length && !h->length)) {
        in->reading = HTTP1_AT_DONE;
        return h->has_length && status != 204 ? &h->length : NULL;
    }
    if (h->has_length) {
        in->reading = HTTP1_AT_LENGTH;
        in->left = h->length;
        return &h->length;
    }
    in->reading = h->chunked ? HTTP1_AT_CHUNK_LINE : HTTP1_AT_EOF;
    c->chunked[HTTP1_DOWN] = c->http11;
    return NULL;
}

static void final(struct http1_conn *c, struct http1_response *r, const struct http1_sink *sink)
{
    const struct http1_head *h = &c->scratch->head;
    if (sink->calls->response)
        sink->calls->response(sink->ctx, r);
    const uint64_t *length = frame(c, r->status);
    bool at_eof = c->in[HTTP1_UP].reading == HTTP1_AT_EOF;
    c->service_keeps = !at_eof && !h->close && (h->minor == 1 || h->keep_alive);
    /* The service will not read what is missing of the request, and nobody else can be given the rest. */
    bool unread = !c->service_keeps && c->in[HTTP1_DOWN].reading != HTTP1_AT_DONE;
    c->last = c->closing || c->draining || unread || (!c->service_keeps && !sink->calls->service_done);
    http1_write_response(c, r, length, sink);
    c->status = (uint16_t)r->status;
    c->responded_ms = sink->now_ms;
    c->response_begun = true;
    if (c->in[HTTP1_UP].reading == HTTP1_AT_DONE)
        http1_response_done(c, sink);
}

size_t http1_response_bytes(struct http1_conn *c, const char *data, size_t size,
                            const struct http1_sink *sink)
{
    struct http1_in *in = &c->in[HTTP1_UP];
    struct http1_scratch *s = c->scratch;
    struct http1_fault fault = {0};
    struct http_str block;
    size_t used = 0;
    enum http1_got got = http1_collect(c, in, HTTP1_RESPONSE_HEAD, data, size, &used, &block, &fault);
    if (got == HTTP1_GOT_MORE)
        return used;
    if (got == HTTP1_GOT_BAD || !http1_parse(s, HTTP1_RESPONSE_HEAD, block, in->part.lines - 1, &fault)) {
        broken(c, fault.why, sink);
        return size;
    }
    struct http1_response r = {.number = c->number,
                               .status = s->head.status,
                               .fields = s->fields,
                               .nfields = s->nfields,
                               .user = c->user};
    /* the block must live until the head is written, and the request may be over by then */
    struct http1_part part = in->part;
    in->part = (struct http1_part){0};
    if (r.status == 101)
        switch_protocols(c, &r, sink);
    else if (r.status < 200)
        interim(c, &r, sink);
    else
        final(c, &r, sink);
    http1_part_free(&part);
    return used;
}

void http1_response_done(struct http1_conn *c, const struct http1_sink *sink)
{
    c->response_done = true;
    bool over = c->in[HTTP1_DOWN].reading == HTTP1_AT_DONE;
    c->service_ok = c->service_keeps && over;
    if (over)
        http1_request_end(c, HTTP1_COMPLETE, "", sink);
    else if (!c->service_keeps)
        http1_request_end(c, HTTP1_LOST_UP, "the upstream server did not wait for the whole request", sink);
    if (!c->open && (c->last || c->draining)) {
        http1_finish(c, HTTP1_CLOSE);
        return;
    }
    if (!c->service_keeps && !c->service_gone && sink->calls->service_done) {
        c->service_gone = true;
        sink->calls->service_done(sink->ctx);
    }
}
