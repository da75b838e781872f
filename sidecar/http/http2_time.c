/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long the client and the service are waited for. Times are kept as they are met; whether one has passed
 * is asked seldom, so streams are looked through only when the one that moved first could be late. */
#include "sidecar/http/http2_private.h"

enum {
    DRAIN_MS = 1000, /* for a drain's PING to be answered */
    LOST_MS = 5000,  /* for the first request to come after the service was lost */
};

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t after(uint64_t since_ms, uint64_t ms)
{
    return since_ms && ms ? since_ms + ms : 0;
}

/* SIDE is waited for since then, but not while nobody read from it. */
static uint64_t patience(const struct http2_patience *t, enum http2_side side, uint64_t since_ms)
{
    return after(since_ms ? later(since_ms, t->readable_ms[side]) : 0, t->request_ms);
}

static bool late(uint64_t due, uint64_t now)
{
    return due != 0 && now >= due;
}

/* SETTINGS of which the ACK is due longest (RFC 9113, 6.5.3). */
static uint64_t unacked_since(const struct http2_peer *p)
{
    return p->nunacked ? p->unacked[0].since_ms : 0;
}

void http2_note_partial(struct http2_conn *c, enum http2_side side)
{
    struct http2_peer *p = &c->peer[side];
    bool body = p->reading == HTTP2_READ_DATA || p->reading == HTTP2_READ_SKIP;
    if (!p->nhead && p->reading == HTTP2_READ_HEAD && !p->block_stream)
        p->partial_ms = 0;
    else if (!p->partial_ms || (body && !p->block_stream))
        p->partial_ms = c->sink->now_ms;
}

/* What two lookings through the streams may be apart. */
static uint64_t shortest(const struct http2_patience *t)
{
    return sooner(t->request_ms, t->response_ms);
}

static uint64_t streams_due(const struct http2_conn *c, const struct http2_patience *t)
{
    if (!c->nstreams || shortest(t) == 0)
        return 0;
    return c->sweep_ms ? c->sweep_ms : c->calm_ms + shortest(t);
}

static uint64_t opening_due(const struct http2_conn *c, const struct http2_patience *t)
{
    return c->peer[HTTP2_DOWN].said ? 0 : patience(t, HTTP2_DOWN, c->began_ms);
}

static uint64_t partial_due(const struct http2_conn *c, const struct http2_patience *t)
{
    return patience(t, HTTP2_DOWN, c->peer[HTTP2_DOWN].partial_ms);
}

static uint64_t ack_due(const struct http2_conn *c, const struct http2_patience *t, enum http2_side side)
{
    return patience(t, side, unacked_since(&c->peer[side]));
}

static uint64_t linger_due(const struct http2_conn *c)
{
    return c->nlingering ? after(c->lingering[0].since_ms, HTTP2_LINGER_MS) : 0;
}

static uint64_t final_due(const struct http2_conn *c)
{
    if (c->refusing)
        return 0;
    return sooner(c->pinging ? after(c->drain_ms, DRAIN_MS) : 0,
                  c->lost_status ? after(c->lost_ms, LOST_MS) : 0);
}

uint64_t http2_due(const struct http2_conn *c, const struct http2_patience *t)
{
    if (c->dead || c->done)
        return 0;
    uint64_t client = sooner(opening_due(c, t), sooner(partial_due(c, t), ack_due(c, t, HTTP2_DOWN)));
    uint64_t own = sooner(final_due(c), linger_due(c));
    return sooner(sooner(client, ack_due(c, t, HTTP2_UP)), sooner(own, streams_due(c, t)));
}

struct sweep {
    const struct http2_patience *patience;
    uint64_t due; /* the next */
};

/* Whether the service could say more: it has window, and the turn is its own. */
static bool service_owes(const struct http2_conn *c, const struct http2_stream *st)
{
    if (st->ended[HTTP2_UP])
        return false;
    if (!st->responded)
        return st->ended[HTTP2_DOWN] || st->grpc;
    return c->peer[HTTP2_DOWN].window > 0 && http2_flow_left(c, st, HTTP2_UP) > 0;
}

/* Calls of gRPC may be silent for as long as their own deadlines let them. */
static bool client_owes(const struct http2_conn *c, const struct http2_stream *st)
{
    return !st->ended[HTTP2_DOWN] && !st->responded && !st->grpc && c->peer[HTTP2_UP].window > 0 &&
           http2_flow_left(c, st, HTTP2_DOWN) > 0;
}

static void give_up(struct http2_conn *c, struct http2_stream *st, int status, struct http_str message)
{
    const struct http2_answer a = {
        .status = status, .grpc_status = http2_grpc_status(status), .message = message};
    http2_reset(c, HTTP2_UP, st->id, HTTP2_CANCEL);
    if (!st->responded && http2_answer(c, st, &a)) {
        http2_stream_finish(c, st, HTTP2_ANSWERED, 0);
    } else if (!c->dead) {
        http2_reset(c, HTTP2_DOWN, st->id, HTTP2_CANCEL);
        http2_stream_finish(c, st, HTTP2_RESET_UP, HTTP2_CANCEL);
    }
}

static void sweep(struct http2_conn *c, struct http2_stream *st, void *arg)
{
    struct sweep *s = arg;
    uint64_t now = c->sink->now_ms, up = 0, down = 0;
    const struct http2_patience *t = s->patience;
    if (c->dead)
        return;
    if (service_owes(c, st))
        up = after(later(st->moved_ms, later(t->readable_ms[HTTP2_UP], c->peer[HTTP2_DOWN].opened_ms)),
                   t->response_ms);
    else if (client_owes(c, st))
        down = after(later(st->moved_ms, later(t->readable_ms[HTTP2_DOWN], c->peer[HTTP2_UP].opened_ms)),
                     t->request_ms);
    if (late(up, now))
        give_up(c, st, 504, HTTP_STR("the upstream server does not answer"));
    else if (late(down, now))
        give_up(c, st, 408, HTTP_STR("the request did not come in time"));
    else
        s->due = sooner(s->due, sooner(up, down));
}

static bool be_patient(struct http2_conn *c, const struct http2_patience *t)
{
    uint64_t now = c->sink->now_ms;
    if (late(opening_due(c, t), now))
        return http2_fail(c, HTTP2_DOWN, HTTP2_PROTOCOL_ERROR, "the preface did not come in time");
    if (late(partial_due(c, t), now))
        return http2_fail(c, HTTP2_DOWN, HTTP2_PROTOCOL_ERROR,
                          "a frame or header block did not come in time");
    for (int side = HTTP2_DOWN; side <= HTTP2_UP; side++)
        if (late(ack_due(c, t, side), now))
            return http2_fail(c, side, HTTP2_SETTINGS_TIMEOUT, "SETTINGS were not acknowledged in time");
    if (late(final_due(c), now))
        http2_drain_final(c);
    if (late(streams_due(c, t), now)) {
        struct sweep s = {.patience = t, .due = now + shortest(t)};
        http2_stream_each(c, 0, sweep, &s);
        c->sweep_ms = s.due;
    }
    return !c->dead;
}

enum http2_result http2_timeout(struct http2_conn *c, const struct http2_patience *t,
                                const struct http2_sink *sink)
{
    if (c->dead)
        return HTTP2_CLOSE;
    http2_enter(c, sink);
    (void)be_patient(c, t);
    return http2_leave(c);
}
