/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/http/http1_private.h"

#include <string.h>

#include "sidecar/http/headers.h"

/* Text is gathered in scratch and goes out when it is full, or at the end. */
struct out {
    struct http1_scratch *s;
    const struct http1_sink *sink;
    enum http1_side side;
};

static void flush(struct out *o)
{
    http1_emit(o->sink, o->side, o->s->out, o->s->out_n);
    o->s->out_n = 0;
}

static void put_beyond(struct out *o, const char *p, size_t n)
{
    while (n) {
        size_t room = sizeof(o->s->out) - o->s->out_n;
        size_t take = n < room ? n : room;
        memcpy(o->s->out + o->s->out_n, p, take);
        o->s->out_n += take;
        p += take;
        n -= take;
        if (o->s->out_n == sizeof(o->s->out))
            flush(o);
    }
}

static inline void put(struct out *o, const char *p, size_t n)
{
    if (n >= sizeof(o->s->out) - o->s->out_n) {
        put_beyond(o, p, n);
        return;
    }
    memcpy(o->s->out + o->s->out_n, p, n);
    o->s->out_n += n;
}

static inline void put_str(struct out *o, struct http_str s)
{
    if (s.n)
        put(o, s.p, s.n);
}

static inline void put_text(struct out *o, const char *text)
{
    put(o, text, strlen(text));
}

static void put_length(struct out *o, uint64_t length)
{
    char number[HTTP_NUMBER];
    put_text(o, "Content-Length: ");
    put_str(o, http_number(length, 10, number));
    put_text(o, "\r\n");
}

static void put_field(struct out *o, const struct http_field *f)
{
    put(o, f->spelling ? f->spelling : f->name.p, f->name.n);
    put(o, ": ", 2);
    put_str(o, f->value);
    put(o, "\r\n", 2);
}

static bool passes(const struct http_field *f)
{
    return !f->drop && !f->hop;
}

/* Whether it was received as it would be written: NAME ": " VALUE CRLF. F is of a parsed head. */
static bool is_ready(const struct http_field *f)
{
    const char *blank = f->spelling + f->name.n + 1;
    return f->value.p == blank + 1 && *blank == ' ' && f->value.p[f->value.n] == '\r';
}

/* Of a parsed head; those that follow one another as they are to be written are copied as one. */
static void put_fields(struct out *o, const struct http_field *fields, size_t n)
{
    for (size_t i = 0; i < n;) {
        const char *start = fields[i].spelling, *end = start;
        for (; i < n && passes(&fields[i]) && fields[i].spelling == end && is_ready(&fields[i]); i++)
            end = fields[i].value.p + fields[i].value.n + 2;
        if (end != start) {
            put(o, start, (size_t)(end - start));
            continue;
        }
        if (passes(&fields[i]))
            put_field(o, &fields[i]);
        i++;
    }
}

/* What a callback adds. What could split the message or change its framing is left out, whoever asks for it.
 */
static void put_added(struct out *o, const struct http_field *add, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (add[i].sound ||
            (!headers_forbidden(add[i].name.p, add[i].name.n) && headers_value_ok(add[i].value)))
            put_field(o, &add[i]);
}

void http1_write_request(struct http1_conn *c, const struct http1_request *request,
                         const struct http1_verdict *verdict, const struct http1_sink *sink)
{
    struct out o = {c->scratch, sink, HTTP1_UP};
    const struct http1_head *h = &c->scratch->head;
    put_str(&o, request->method);
    put_text(&o, " ");
    put_str(&o, request->path);
    if (request->query.p) {
        put_text(&o, "?");
        put_str(&o, request->query);
    }
    put_text(&o, " HTTP/1.1\r\nHost: ");
    put_str(&o, request->host);
    put_text(&o, "\r\n");
    put_fields(&o, request->fields, request->nfields);
    if (h->has_length)
        put_length(&o, h->length);
    else if (h->chunked)
        put_text(&o, "Transfer-Encoding: chunked\r\n");
    if (h->te_trailers)
        put_text(&o, "TE: trailers\r\n");
    if (c->websocket)
        put_text(&o, "Upgrade: websocket\r\n");
    if (c->websocket || h->te_trailers)
        put_text(&o, !h->te_trailers ? "Connection: Upgrade\r\n"
                     : c->websocket  ? "Connection: Upgrade, TE\r\n"
                                     : "Connection: TE\r\n");
    put_added(&o, verdict->add, verdict->nadd);
    put_text(&o, "\r\n");
    flush(&o);
}

static void put_status_line(struct out *o, int status, struct http_str reason)
{
    char number[HTTP_NUMBER];
    put_text(o, "HTTP/1.1 ");
    put_str(o, http_number((uint64_t)status, 10, number));
    put_text(o, " ");
    put_str(o, reason);
    put_text(o, "\r\n");
}

void http1_write_response(struct http1_conn *c, const struct http1_response *response, const uint64_t *length,
                          const struct http1_sink *sink)
{
    struct out o = {c->scratch, sink, HTTP1_DOWN};
    put_status_line(&o, response->status, c->scratch->head.reason);
    put_fields(&o, response->fields, response->nfields);
    if (length)
        put_length(&o, *length);
    if (c->chunked[HTTP1_DOWN])
        put_text(&o, "Transfer-Encoding: chunked\r\n");
    if (response->status == 101)
        put_text(&o, "Upgrade: websocket\r\nConnection: Upgrade\r\n");
    else if (c->last && response->status >= 200)
        put_text(&o, "Connection: close\r\n");
    put_added(&o, response->add, response->nadd);
    put_text(&o, "\r\n");
    flush(&o);
}

void http1_write_trailers(struct http1_conn *c, enum http1_side side, const struct http1_sink *sink)
{
    struct http1_scratch *s = c->scratch;
    struct out o = {s, sink, side == HTTP1_DOWN ? HTTP1_UP : HTTP1_DOWN};
    put_text(&o, "0\r\n");
    for (size_t i = 0; i < s->nfields; i++)
        if (!http1_trailer_forbidden(s->fields[i].name) &&
            !(sink->calls->trailer && sink->calls->trailer(sink->ctx, side, &s->fields[i])))
            put_field(&o, &s->fields[i]);
    put_text(&o, "\r\n");
    flush(&o);
}

void http1_write_answer(struct http1_conn *c, const struct http1_verdict *verdict,
                        const struct http1_sink *sink)
{
    struct out o = {c->scratch, sink, HTTP1_DOWN};
    int status = verdict->status >= 200 && verdict->status <= 599 ? verdict->status : 500;
    bool bodiless = status == 204 || status == 304;
    put_status_line(&o, status, (struct http_str){http1_reason(status), strlen(http1_reason(status))});
    if (!bodiless && verdict->message.n) {
        bool typed = verdict->type.n && headers_value_ok(verdict->type);
        put_text(&o, "Content-Type: ");
        put_str(&o, typed ? verdict->type : HTTP_STR("text/plain; charset=utf-8"));
        put_text(&o, "\r\n");
    }
    if (!bodiless)
        put_length(&o, verdict->message.n);
    if (c->last)
        put_text(&o, "Connection: close\r\n");
    put_added(&o, verdict->add, verdict->nadd);
    put_text(&o, "\r\n");
    if (!bodiless && !c->head) {
        put_str(&o, verdict->message);
        c->in[HTTP1_UP].total = verdict->message.n;
    }
    flush(&o);
    c->status = (uint16_t)status;
    c->answered = c->response_begun = c->response_done = true;
}

const char *http1_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } table[] = {{200, "OK"},
                 {204, "No Content"},
                 {301, "Moved Permanently"},
                 {302, "Found"},
                 {303, "See Other"},
                 {304, "Not Modified"},
                 {307, "Temporary Redirect"},
                 {308, "Permanent Redirect"},
                 {400, "Bad Request"},
                 {401, "Unauthorized"},
                 {402, "Payment Required"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {406, "Not Acceptable"},
                 {408, "Request Timeout"},
                 {409, "Conflict"},
                 {410, "Gone"},
                 {411, "Length Required"},
                 {412, "Precondition Failed"},
                 {413, "Content Too Large"},
                 {414, "URI Too Long"},
                 {415, "Unsupported Media Type"},
                 {417, "Expectation Failed"},
                 {418, "I'm a teapot"},
                 {421, "Misdirected Request"},
                 {422, "Unprocessable Content"},
                 {425, "Too Early"},
                 {426, "Upgrade Required"},
                 {428, "Precondition Required"},
                 {429, "Too Many Requests"},
                 {431, "Request Header Fields Too Large"},
                 {451, "Unavailable For Legal Reasons"},
                 {500, "Internal Server Error"},
                 {501, "Not Implemented"},
                 {502, "Bad Gateway"},
                 {503, "Service Unavailable"},
                 {504, "Gateway Timeout"},
                 {505, "HTTP Version Not Supported"}};
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (table[i].status == status)
            return table[i].reason;
    return "";
}
