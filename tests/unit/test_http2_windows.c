/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two ends that keep to their windows, at random, through the relay: neither is ever sent more than it has
 * granted (the watchers see to that), what the relay believes is what the ends believe after every step, and
 * when all is over nothing has leaked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "http2_wire.h"

enum { STEPS = 6000, OPEN = 40, FIFO = 8 };

struct end {
    int64_t sent, using_initial; /* on the connection; INITIAL_WINDOW_SIZE as far as acknowledged */
    int64_t total;               /* the connection window it keeps open */
    uint32_t stated[FIFO];       /* its SETTINGS that the other has not acknowledged */
    unsigned nstated;
    int64_t acked; /* its INITIAL_WINDOW_SIZE that the other has */
};

struct open {
    uint32_t id;
    bool ended[2], responded, answered;
    int64_t sent[2];
};

struct model {
    struct wire *w;
    uint64_t random;
    struct end end[2];
    struct open open[OPEN];
    unsigned nopen;
    uint32_t next;
    unsigned bodies;
};

static uint32_t dice(struct model *m, uint32_t n)
{
    return wire_random(&m->random) % n;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Both ends' beliefs against the relay's. */
static void agree(struct model *m)
{
    for (int side = 0; side < 2; side++) {
        const struct http2_peer *p = &m->w->conn->peer[side], *r = &m->w->conn->peer[!side];
        assert_int_equal(p->window, m->w->watch[side].window);
        assert_int_equal(p->credit, 65535 + m->w->watch[side].granted[WIRE_CONN] - m->end[side].sent);
        assert_true(p->credit <= r->window);
        /* Nothing is held back but the reserve, and not even that when it is needed. */
        assert_true(r->window - p->credit <=
                    (side == HTTP2_UP && p->credit >= 16384 ? m->w->conn->reserve : 0));
    }
    assert_false(m->w->closed);
}

static void forget(struct model *m, struct open *o)
{
    *o = m->open[--m->nopen];
}

static void send_data(struct model *m, enum http2_side side, struct open *o, bool all)
{
    struct wire_watch *x = &m->w->watch[side];
    static uint8_t p[20000];
    int64_t can = least(65535 + x->granted[WIRE_CONN] - m->end[side].sent,
                        m->end[side].using_initial + x->granted[o->id / 2 % WIRE_STREAMS] - o->sent[side]);
    int64_t n = least(can, dice(m, 3) ? dice(m, 3000) : dice(m, 16384));
    bool ends = all || dice(m, 12) == 0;
    if (o->ended[side] || (side == HTTP2_UP && !o->responded))
        return;
    if (n <= 0 && !ends)
        return;
    if (n < 0)
        n = 0;
    bool padded = n > 0 && dice(m, 4) == 0;
    p[0] = padded ? (uint8_t)(dice(m, 256) % (uint32_t)n) : 0;
    m->end[side].sent += n;
    o->sent[side] += n;
    o->ended[side] = ends;
    /* In two portions, with something else between them. */
    struct wire_bytes b = {0};
    wire_put(&b, HTTP2_DATA, (padded ? 8u : 0) | ends, o->id, p, (size_t)n);
    size_t cut = dice(m, 2) ? dice(m, (uint32_t)b.n) : b.n;
    wire_feed(m->w, side, b.p, cut);
    if (cut < b.n && dice(m, 5) == 0 && !m->w->watch[!side].reset[o->id / 2]) {
        wire_u32(m->w, http2_other(side), HTTP2_RST_STREAM, o->id, HTTP2_CANCEL);
        o->ended[!side] = true;
    }
    if (cut < b.n)
        wire_feed(m->w, side, b.p + cut, b.n - cut);
    free(b.p);
}

static void grant(struct model *m, enum http2_side side, bool all)
{
    struct wire_watch *x = &m->w->watch[side];
    int64_t conn = m->end[side].total - x->window;
    if (conn > 0)
        wire_window(m->w, side, 0, all ? (uint32_t)conn : 1 + dice(m, (uint32_t)conn));
    if (!m->nopen || all)
        return;
    struct open *o = &m->open[dice(m, m->nopen)];
    if (!o->answered && !x->reset[o->id / 2])
        wire_window(m->w, side, o->id, 1 + dice(m, 20000));
}

static void state_initial(struct model *m, enum http2_side side)
{
    struct end *e = &m->end[side];
    uint8_t p[6] = {0, 4};
    uint32_t v = dice(m, 3) ? dice(m, 100000) : dice(m, 200);
    if (e->nstated == FIFO - 1)
        return;
    e->stated[e->nstated++] = v;
    if (v > m->w->watch[side].initial)
        m->w->watch[side].initial = v;
    http2_put32(p + 2, v);
    wire_send(m->w, side, HTTP2_SETTINGS, 0, 0, p, 6);
}

static void acknowledge(struct model *m, enum http2_side side)
{
    struct end *r = &m->end[!side];
    if (!r->nstated)
        return;
    r->acked = m->end[side].using_initial = r->stated[0];
    memmove(r->stated, r->stated + 1, --r->nstated * sizeof(r->stated[0]));
    int64_t most = r->acked;
    for (unsigned i = 0; i < r->nstated; i++)
        most = r->stated[i] > most ? r->stated[i] : most;
    wire_send(m->w, side, HTTP2_SETTINGS, 1, 0, NULL, 0);
    m->w->watch[!side].initial = most;
}

static void judge(struct wire *w, struct http2_request *r, struct http2_verdict *v)
{
    struct model *m = w->arg;
    (void)r;
    if (dice(m, 4) == 0) {
        v->status = 403;
        v->message = HTTP_STR("a body that has to find room in the client's windows");
    }
}

static void begin(struct model *m)
{
    if (m->nopen == OPEN)
        return;
    struct open *o = &m->open[m->nopen++];
    *o = (struct open){.id = m->next};
    m->next += 2;
    uint64_t data = m->w->watch[HTTP2_DOWN].frames[HTTP2_DATA];
    size_t streams = http2_streams(m->w->conn);
    wire_headers(m->w, HTTP2_DOWN, o->id, false, WIRE_POST);
    o->answered = http2_streams(m->w->conn) == streams;
    m->bodies += m->w->watch[HTTP2_DOWN].frames[HTTP2_DATA] > data;
}

static void step(struct model *m)
{
    uint32_t what = dice(m, 100);
    enum http2_side side = dice(m, 2);
    struct open *o = m->nopen ? &m->open[dice(m, m->nopen)] : NULL;
    if (what < 10) {
        begin(m);
    } else if (what < 12) {
        state_initial(m, side);
    } else if (what < 15) {
        acknowledge(m, side);
    } else if (what < 35) {
        grant(m, side, false);
    } else if (o && what < 45) {
        if (!o->responded && !o->answered && !m->w->watch[HTTP2_UP].reset[o->id / 2])
            wire_headers(m->w, HTTP2_UP, o->id, false, ":status=200");
        o->responded = !o->answered;
    } else if (o && what < 47) {
        wire_u32(m->w, HTTP2_DOWN, HTTP2_RST_STREAM, o->id, HTTP2_CANCEL);
        o->ended[HTTP2_DOWN] = true;
    } else if (o && what < 49) {
        if (!o->answered && !o->ended[HTTP2_UP])
            wire_u32(m->w, HTTP2_UP, HTTP2_RST_STREAM, o->id, HTTP2_CANCEL);
        o->ended[HTTP2_UP] = true;
    } else if (o) {
        /* Also on streams that are reset, as if that had not arrived yet; for a while. */
        send_data(m, side, o, false);
    }
    if (o && o->ended[HTTP2_DOWN] && (o->answered || o->ended[HTTP2_UP]))
        forget(m, o);
}

static void run(uint64_t random, int64_t down_total, int64_t up_total)
{
    struct model m = {.random = random, .next = 1};
    m.w = wire_new();
    m.w->limits.settings_per_second = m.w->limits.empties_per_second = m.w->limits.resets_per_second =
        1000000;
    m.w->limits.pings_per_second = 1000000;
    m.w->arg = &m;
    m.w->on_request = judge;
    wire_hello(m.w);
    m.w->watch[0].quiet = m.w->watch[1].quiet = true;
    m.end[HTTP2_DOWN].total = down_total;
    m.end[HTTP2_UP].total = up_total;
    for (int side = 0; side < 2; side++)
        m.end[side].using_initial = m.end[side].acked = 65535;
    for (unsigned i = 0; i < STEPS; i++) {
        m.w->sink.now_ms += 10;
        step(&m);
        agree(&m);
    }
    assert_true(m.bodies > 5);
    /* Everything comes to its end. */
    while (m.nopen) {
        struct open *o = &m.open[0];
        if (!o->ended[HTTP2_DOWN])
            wire_u32(m.w, HTTP2_DOWN, HTTP2_RST_STREAM, o->id, HTTP2_CANCEL);
        else if (!o->answered)
            wire_u32(m.w, HTTP2_UP, HTTP2_RST_STREAM, o->id, HTTP2_CANCEL);
        forget(&m, o);
        agree(&m);
    }
    assert_int_equal(http2_streams(m.w->conn), 0);
    grant(&m, HTTP2_DOWN, true);
    grant(&m, HTTP2_UP, true);
    agree(&m);
    const struct http2_peer *down = &m.w->conn->peer[HTTP2_DOWN], *up = &m.w->conn->peer[HTTP2_UP];
    assert_int_equal(down->window, down_total);
    assert_int_equal(up->window, up_total);
    assert_int_equal(down->credit, up_total);
    assert_in_range(up->credit, down_total - m.w->conn->reserve, down_total);
    wire_free(m.w);
}

static void windows_hold_and_nothing_leaks(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++)
        run(seed * 0x9e3779b97f4a7c15u, seed % 3 ? 65535 : 300000, seed % 2 ? 65535 : 200000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_hold_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
