/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "sidecar/http/http2_private.h"

enum {
    GRPC_MESSAGE_MAX = 1024,
    LINGER_BYTES = 128 * 1024,
};

int http2_grpc_status(int status)
{
    switch (status) {
    case 400:
    case 431: return 13; /* INTERNAL */
    case 401: return 16; /* UNAUTHENTICATED */
    case 403: return 7;  /* PERMISSION_DENIED */
    case 429: return 8;  /* RESOURCE_EXHAUSTED */
    case 502:
    case 503:
    case 504: return 14; /* UNAVAILABLE */
    default: return 2;   /* UNKNOWN */
    }
}

/* gRPC over HTTP/2, "Percent-Byte-Encoded". */
static struct http_str encode(struct http_str message, char *out)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t n = 0;
    /* What ends the last line of a body ends no message. */
    while (message.n && (message.p[message.n - 1] == '\n' || message.p[message.n - 1] == '\r'))
        message.n--;
    for (size_t i = 0; i < message.n && i < GRPC_MESSAGE_MAX; i++) {
        unsigned char b = (unsigned char)message.p[i];
        if (b >= 0x20 && b <= 0x7e && b != '%') {
            out[n++] = (char)b;
            continue;
        }
        out[n++] = '%';
        out[n++] = hex[b >> 4];
        out[n++] = hex[b & 15];
    }
    return (struct http_str){out, n};
}

static struct http_str decimal(char out[24], size_t n)
{
    return (struct http_str){out, (size_t)snprintf(out, 24, "%zu", n)};
}

static bool answer_grpc(struct http2_conn *c, struct http2_stream *st, const struct http2_answer *a)
{
    char status[24], message[3 * GRPC_MESSAGE_MAX];
    st->status = 200;
    st->grpc_status = a->grpc_status;
    http2_list_start(c, HTTP2_DOWN);
    http2_list_add(c, HTTP_STR(":status"), HTTP_STR("200"), false);
    http2_list_add(c, HTTP_STR("content-type"), HTTP_STR("application/grpc"), false);
    http2_list_add(c, HTTP_STR("grpc-status"), decimal(status, (size_t)a->grpc_status), false);
    if (a->message.n)
        http2_list_add(c, HTTP_STR("grpc-message"), encode(a->message, message), false);
    http2_list_extend(c, a->add, a->nadd);
    return http2_list_send(c, st->id, true);
}

static bool answer_http(struct http2_conn *c, struct http2_stream *st, const struct http2_answer *a)
{
    char status[24], length[24];
    size_t size = a->message.n;
    /* Where the client's windows have no room to spare, the status has to do. */
    bool body = size && !st->head && http2_flow_borrow(c, st, size);
    if (!body && !st->head)
        size = 0;
    st->status = a->status;
    http2_list_start(c, HTTP2_DOWN);
    http2_list_add(c, HTTP_STR(":status"), decimal(status, (size_t)a->status), false);
    if (size)
        http2_list_add(c, HTTP_STR("content-type"), a->type.n ? a->type : HTTP_STR("text/plain"), false);
    http2_list_add(c, HTTP_STR("content-length"), decimal(length, size), false);
    http2_list_extend(c, a->add, a->nadd);
    if (!http2_list_send(c, st->id, !body))
        return false;
    if (body) {
        uint8_t head[HTTP2_HEAD_LEN];
        http2_put_head(head, size, HTTP2_DATA, HTTP2_FLAG_END_STREAM, st->id);
        http2_emit(c, HTTP2_DOWN, head, sizeof(head));
        http2_emit(c, HTTP2_DOWN, (const uint8_t *)a->message.p, size);
    }
    return true;
}

/* --- what is left of an answered request --- */

static void stop(struct http2_conn *c, unsigned i, bool reset)
{
    if (reset)
        http2_reset(c, HTTP2_DOWN, c->lingering[i].id, HTTP2_NO_ERROR); /* RFC 9113, 8.1 */
    c->nlingering--;
    memmove(&c->lingering[i], &c->lingering[i + 1], (c->nlingering - i) * sizeof(c->lingering[0]));
}

static void linger(struct http2_conn *c, const struct http2_stream *st)
{
    /* Without window it may wait for ever. */
    if (http2_flow_left(c, st, HTTP2_DOWN) <= 0) {
        http2_reset(c, HTTP2_DOWN, st->id, HTTP2_NO_ERROR);
        return;
    }
    if (c->nlingering == HTTP2_LINGERING)
        stop(c, 0, true);
    c->lingering[c->nlingering++] = (struct http2_lingering){
        .id = st->id,
        .left = LINGER_BYTES,
        .since_ms = c->sink->now_ms,
    };
}

void http2_linger_frame(struct http2_conn *c, uint32_t id, uint32_t length, bool ends)
{
    for (unsigned i = 0; i < c->nlingering; i++) {
        struct http2_lingering *l = &c->lingering[i];
        if (l->id != id)
            continue;
        if (ends || length >= l->left) {
            stop(c, i, !ends);
        } else if (length) {
            l->left -= length;
            http2_grant(c, HTTP2_DOWN, id, length);
        }
        return;
    }
}

void http2_linger_age(struct http2_conn *c)
{
    while (c->nlingering && c->sink->now_ms - c->lingering[0].since_ms >= HTTP2_LINGER_MS)
        stop(c, 0, true);
}

bool http2_answer(struct http2_conn *c, struct http2_stream *st, const struct http2_answer *a)
{
    bool grpc = st->grpc && a->grpc_status > 0;
    if (!(grpc ? answer_grpc(c, st, a) : answer_http(c, st, a)))
        return false;
    st->responded = true;
    st->responded_ms = c->sink->now_ms;
    if (!st->ended[HTTP2_DOWN])
        linger(c, st);
    return true;
}
