/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "sidecar/http/http2_private.h"

/* --- passing on -------------------------------------------------------------------------------------- */

static void add_fields(struct http2_conn *c, const struct http2_section *s)
{
    for (size_t i = 0; i < s->nfields; i++)
        if (!s->fields[i].drop)
            http2_list_add(c, s->fields[i].name, s->fields[i].value, s->fields[i].sensitive);
}

static void ask_trailers(struct http2_conn *c, enum http2_side side, const struct http2_section *s)
{
    if (!c->sink->calls->trailer)
        return;
    for (size_t i = 0; i < s->nfields; i++)
        s->fields[i].drop = c->sink->calls->trailer(c->sink->ctx, side, &s->fields[i]);
}

/* --- requests ---------------------------------------------------------------------------------------- */

/* A request for which there is no room, or no longer. */
static bool refuse(struct http2_conn *c, struct http2_stream *st)
{
    http2_reset(c, HTTP2_DOWN, st->id, HTTP2_REFUSED_STREAM);
    http2_stream_finish(c, st, HTTP2_ANSWERED, HTTP2_REFUSED_STREAM);
    return http2_token(c, HTTP2_DOWN, HTTP2_RATE_RESET) ||
           http2_fail(c, HTTP2_DOWN, HTTP2_ENHANCE_YOUR_CALM, "too many streams refused");
}

static bool answer(struct http2_conn *c, struct http2_stream *st, const struct http2_answer *a)
{
    if (!http2_answer(c, st, a))
        return false;
    http2_stream_finish(c, st, HTTP2_ANSWERED, 0);
    return true;
}

static bool answer_plainly(struct http2_conn *c, struct http2_stream *st, int status, struct http_str message)
{
    const struct http2_answer a = {
        .status = status,
        .grpc_status = http2_grpc_status(status),
        .message = message,
    };
    return answer(c, st, &a);
}

static bool pass_request(struct http2_conn *c, struct http2_stream *st, const struct http2_section *s,
                         const struct http2_verdict *verdict)
{
    if (c->lost_status) {
        /* Who hears its answer makes no next request here; the final id follows. */
        if (!c->draining)
            http2_goaway(c, HTTP2_DOWN, HTTP2_STREAM_MAX, HTTP2_NO_ERROR, NULL, 0);
        c->draining = true;
        return answer_plainly(c, st, c->lost_status,
                              (struct http_str){c->lost_message, strlen(c->lost_message)});
    }
    struct http2_stream *listed = http2_stream_insert(c, st);
    if (!listed)
        return refuse(c, st);
    http2_list_start(c, HTTP2_UP);
    http2_list_add(c, HTTP_STR(":method"), s->method, false);
    http2_list_add(c, HTTP_STR(":scheme"), s->scheme, false);
    http2_list_add(c, HTTP_STR(":authority"), s->authority, false);
    http2_list_add(c, HTTP_STR(":path"), s->path, false);
    add_fields(c, s);
    http2_list_extend(c, verdict->add, verdict->nadd);
    return http2_list_send(c, listed->id, listed->ended[HTTP2_DOWN]);
}

static bool request(struct http2_conn *c, uint32_t id, bool end_stream)
{
    struct http2_section s;
    struct http2_stream st = {
        .id = id,
        .ended = {end_stream, false},
        .grpc_status = -1,
        .expect = {-1, -1},
        .began_ms = c->sink->now_ms,
        .moved_ms = c->sink->now_ms,
    };
    c->last_id = id;
    bool valid = http2_section_read(c->scratch, HTTP2_SECTION_REQUEST, &s);
    st.head = HTTP2_IS(s.method, "HEAD");
    st.grpc = s.grpc;
    st.expect[HTTP2_DOWN] = s.length;
    if (!valid || (end_stream && s.length > 0))
        return http2_stream_broken(c, &st, HTTP2_DOWN, HTTP2_PROTOCOL_ERROR);
    if (c->refusing || id > c->up_last || c->nstreams >= c->limits->concurrent_streams)
        return refuse(c, &st);
    if (c->scratch->overflow)
        return answer_plainly(c, &st, 431, HTTP_STR("the request's header fields are too large"));
    if (HTTP2_IS(s.method, "CONNECT"))
        return answer_plainly(c, &st, 501, HTTP_STR("CONNECT is not served here"));

    struct http2_request req = {
        .stream = id,
        .method = s.method,
        .scheme = s.scheme,
        .authority = s.authority,
        .path = s.path,
        .fields = s.fields,
        .nfields = s.nfields,
        .grpc = s.grpc,
        .end_stream = end_stream,
    };
    struct http2_verdict verdict = {0};
    if (c->sink->calls->request)
        c->sink->calls->request(c->sink->ctx, &req, &verdict);
    st.user = req.user;
    if (verdict.status == 0)
        return pass_request(c, &st, &s, &verdict);
    const struct http2_answer a = {
        .status = verdict.status,
        .grpc_status = verdict.grpc_status,
        .message = verdict.message,
        .type = verdict.type,
        .add = verdict.add,
        .nadd = verdict.nadd,
    };
    return answer(c, &st, &a);
}

/* --- trailers ---------------------------------------------------------------------------------------- */

static bool trailers(struct http2_conn *c, enum http2_side side, struct http2_stream *st, bool end_stream)
{
    struct http2_section s;
    if (!end_stream || !http2_section_read(c->scratch, HTTP2_SECTION_TRAILER, &s) || c->scratch->overflow)
        return http2_stream_broken(c, st, side, HTTP2_PROTOCOL_ERROR);
    if (st->expect[side] >= 0 && st->bytes[side] != (uint64_t)st->expect[side])
        return http2_stream_broken(c, st, side, HTTP2_PROTOCOL_ERROR);
    if (side == HTTP2_UP && s.grpc_status >= 0)
        st->grpc_status = s.grpc_status;
    ask_trailers(c, side, &s);
    http2_list_start(c, http2_other(side));
    add_fields(c, &s);
    if (!http2_list_send(c, st->id, true))
        return false;
    http2_stream_ended(c, st, side);
    return true;
}

/* --- responses --------------------------------------------------------------------------------------- */

static bool response(struct http2_conn *c, struct http2_stream *st, bool end_stream)
{
    struct http2_section s;
    if (!http2_section_read(c->scratch, HTTP2_SECTION_RESPONSE, &s) || c->scratch->overflow)
        return http2_stream_broken(c, st, HTTP2_UP, HTTP2_PROTOCOL_ERROR);
    bool interim = s.status < 200, bodiless = st->head || s.status == 204 || s.status == 304;
    if (end_stream && (interim || (!bodiless && s.length > 0)))
        return http2_stream_broken(c, st, HTTP2_UP, HTTP2_PROTOCOL_ERROR);

    struct http2_response r = {
        .stream = st->id,
        .status = s.status,
        .fields = s.fields,
        .nfields = s.nfields,
        .user = st->user,
    };
    if (interim) {
        ask_trailers(c, HTTP2_UP, &s);
    } else {
        st->responded = true;
        st->responded_ms = st->moved_ms = c->sink->now_ms;
        st->status = s.status;
        st->grpc_status = s.grpc_status;
        st->expect[HTTP2_UP] = bodiless ? 0 : s.length;
        if (c->sink->calls->response)
            c->sink->calls->response(c->sink->ctx, &r);
    }
    char digits[3] = {(char)('0' + s.status / 100), (char)('0' + s.status / 10 % 10),
                      (char)('0' + s.status % 10)};
    http2_list_start(c, HTTP2_DOWN);
    http2_list_add(c, HTTP_STR(":status"), (struct http_str){digits, sizeof(digits)}, false);
    add_fields(c, &s);
    http2_list_extend(c, r.add, r.nadd);
    if (!http2_list_send(c, st->id, end_stream))
        return false;
    if (end_stream)
        http2_stream_ended(c, st, HTTP2_UP);
    return true;
}

/* --- any block --------------------------------------------------------------------------------------- */

bool http2_block(struct http2_conn *c, enum http2_side side, uint32_t id, bool end_stream,
                 const uint8_t *block, size_t size)
{
    if (!http2_decode(c, side, block, size))
        return false;
    if (side == HTTP2_DOWN && id > c->last_id)
        return request(c, id, end_stream);
    struct http2_stream *st = http2_stream_find(c, side, id);
    if (!st) {
        const struct http2_scratch *s = c->scratch;
        if (side == HTTP2_DOWN && s->nfields && s->fields[0].name.n && s->fields[0].name.p[0] == ':')
            return http2_fail(c, side, HTTP2_PROTOCOL_ERROR, "a request on a stream id that is used up");
        if (side == HTTP2_DOWN)
            http2_linger_frame(c, id, 0, end_stream);
        return http2_stray(c, side);
    }
    if (st->ended[side])
        return http2_stream_broken(c, st, side, HTTP2_STREAM_CLOSED);
    if (side == HTTP2_UP && !st->responded)
        return response(c, st, end_stream);
    return trailers(c, side, st, end_stream);
}
