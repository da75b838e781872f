/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any frames from both sides. What is emitted must be whole frames, in order, whose header blocks decode; and
 * all of it must be the same when the bytes come one by one. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define assert_true(x)                                              \
    do {                                                            \
        if (!(x)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
            abort();                                                \
        }                                                           \
    } while (0)
#define assert_false(x) assert_true(!(x))
#define assert_non_null(x) assert_true((x) != NULL)
#define assert_int_equal(a, b) assert_true((a) == (b))
#define assert_int_not_equal(a, b) assert_true((a) != (b))
#define assert_ptr_equal(a, b) assert_true((a) == (b))
#define assert_memory_equal(a, b, n) assert_true(memcmp(a, b, n) == 0)
#define fail_msg(...)                 \
    do {                              \
        fprintf(stderr, __VA_ARGS__); \
        abort();                      \
    } while (0)

#define WIRE_STREAMS 256
#include "tests/unit/http2_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS = 200 };
enum kind { FEED, END_DOWN, END_UP, LOST, DRAIN, DRAIN_NOW, LATER, WAIT };

struct step {
    enum kind kind;
    enum http2_side side;
    struct wire_bytes bytes;
};

static const char *const lists[] = {
    WIRE_GET,
    WIRE_POST "|content-length=5",
    WIRE_GRPC "|grpc-timeout=1S",
    WIRE_GET "|cookie=a|cookie=b|block=1",
    WIRE_GRPC "|block=1",
    ":status=200|content-type=application/grpc",
    ":status=200|content-length=3",
    ":status=100",
    ":status=304",
    "grpc-status=0|drop=1",
    ":method=HEAD|:scheme=http|:authority=a|:path=/",
    ":method=CONNECT|:authority=a",
};

static void judge(struct wire *w, struct http2_request *r, struct http2_verdict *v)
{
    (void)w;
    for (size_t i = 0; i < r->nfields; i++) {
        if (r->fields[i].name.n == 5 && memcmp(r->fields[i].name.p, "block", 5) == 0) {
            v->status = 403;
            v->grpc_status = 7;
        }
    }
}

static uint8_t take(const uint8_t **p, const uint8_t *end)
{
    return *p < end ? *(*p)++ : 0;
}

/* One step of the input: raw bytes, a frame around bytes, a frame of ours, or a turn of events. */
static void compose(struct step *s, nghttp2_hd_deflater *const deflater[2], const uint8_t **p,
                    const uint8_t *end)
{
    static const uint8_t initial[] = {0, 4, 0, 0, 0, 100};
    uint8_t op = take(p, end), what = (op >> 1) & 7;
    size_t n;
    s->kind = FEED;
    s->side = op & 1;
    switch (what) {
    case 0: /* raw */
        n = take(p, end);
        n = n < (size_t)(end - *p) ? n : (size_t)(end - *p);
        wire_append(&s->bytes, *p, n);
        *p += n;
        return;
    case 1:
    case 2: { /* a frame */
        uint8_t type = take(p, end), flags = take(p, end), stream = take(p, end);
        n = take(p, end);
        n = n < (size_t)(end - *p) ? n : (size_t)(end - *p);
        wire_put(&s->bytes, type % 12, flags, stream, *p, n);
        *p += n;
        return;
    }
    case 3:
    case 4: { /* a header block */
        struct wire_bytes block = {0};
        uint8_t list = take(p, end), stream = take(p, end);
        wire_encode(deflater[s->side], &block, lists[list % (sizeof(lists) / sizeof(lists[0]))]);
        if (op & 0x40) {
            wire_put(&s->bytes, HTTP2_HEADERS, (op & 0x10) != 0, stream, block.p, block.n / 2);
            wire_put(&s->bytes, HTTP2_CONTINUATION, 4, stream, block.p + block.n / 2, block.n - block.n / 2);
        } else {
            wire_put(&s->bytes, HTTP2_HEADERS, 4u | ((op & 0x10) != 0), stream, block.p, block.n);
        }
        free(block.p);
        return;
    }
    case 5: /* greetings */
        if (s->side == HTTP2_DOWN && !(op & 0x20))
            wire_append(&s->bytes, HTTP2_PREFACE, 24);
        wire_put(&s->bytes, HTTP2_SETTINGS, (op & 0x20) != 0, 0, initial, op & 0x20 ? 0 : op & 0x10 ? 6 : 0);
        return;
    case 6: { /* much DATA */
        static uint8_t zeros[16384];
        wire_put(&s->bytes, HTTP2_DATA, 0, take(p, end), zeros, (size_t)take(p, end) * 64);
        return;
    }
    default: s->kind = (enum kind)(1 + (op >> 4) % WAIT);
    }
}

static bool play(const struct step *s, unsigned n, bool apart, struct wire_bytes *text)
{
    struct wire *w = wire_new();
    w->on_request = judge;
    for (int i = 0; i < 2; i++) {
        struct wire_watch *x = &w->watch[i];
        x->sums = true;
        x->frame_max = 65536;
        x->window = x->initial = INT64_MAX / 4;
    }
    for (unsigned i = 0; i < n && !w->closed; i++) {
        enum http2_result result = HTTP2_MORE;
        switch (s[i].kind) {
        case FEED:
            if (!apart && s[i].bytes.n > 0)
                wire_feed(w, s[i].side, s[i].bytes.p, s[i].bytes.n);
            for (size_t k = 0; apart && k < s[i].bytes.n && !w->closed; k++)
                wire_feed(w, s[i].side, s[i].bytes.p + k, 1);
            break;
        case END_DOWN: result = http2_eof(w->conn, HTTP2_DOWN, &w->sink); break;
        case END_UP: result = http2_eof(w->conn, HTTP2_UP, &w->sink); break;
        case LOST: result = http2_service_lost(w->conn, 503, "", &w->sink); break;
        case DRAIN: http2_drain(w->conn, false, &w->sink); break;
        case DRAIN_NOW: http2_drain(w->conn, true, &w->sink); break;
        case LATER: w->sink.now_ms += 100; break;
        case WAIT: {
            const struct http2_patience patience = {.request_ms = 300, .response_ms = 400};
            w->sink.now_ms += 150;
            result = http2_timeout(w->conn, &patience, &w->sink);
            /* What was due is done with: a timer set by it would not fire for ever. */
            uint64_t due = http2_due(w->conn, &patience);
            assert_true(due == 0 || due > w->sink.now_ms);
            break;
        }
        }
        if (result == HTTP2_CLOSE) {
            w->closed = true;
            assert_int_equal(http2_streams(w->conn), 0);
        }
        assert_int_equal(w->watch[0].pending.n, 0);
        assert_int_equal(w->watch[1].pending.n, 0);
        assert_true(w->nends + http2_streams(w->conn) >= w->nrequests);
        for (int side = 0; side < 2; side++) {
            const struct http2_peer *p = &w->conn->peer[side], *r = &w->conn->peer[!side];
            assert_true(w->closed || (p->credit <= r->window && p->window <= HTTP2_WINDOW_MAX));
        }
    }
    struct http2_why why = http2_why(w->conn);
    for (int side = 0; side < 2; side++)
        wire_text(text, "%d %d\n%s", side, (int)w->conn->peer[side].nunacked, "");
    for (int side = 0; side < 2; side++) {
        wire_append(text, w->watch[side].log.p, w->watch[side].log.n);
        wire_append(text, "-\n", 2);
    }
    wire_append(text, w->ends.p, w->ends.n);
    wire_text(text, "%s %d %u %d\n", why.text ? why.text : "", why.side, why.code, http2_state(w->conn));
    wire_free(w);
    /* How much window a sender has been given back depends on where its bytes were cut. */
    return why.code != HTTP2_FLOW_CONTROL_ERROR;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct step steps[STEPS];
    const uint8_t *end = data + size;
    nghttp2_hd_deflater *deflater[2];
    struct wire_bytes whole = {0}, apart = {0};
    unsigned n = 0;
    assert_int_equal(nghttp2_hd_deflate_new(&deflater[0], 4096), 0);
    assert_int_equal(nghttp2_hd_deflate_new(&deflater[1], 4096), 0);
    memset(steps, 0, sizeof(steps));
    for (; data < end && n < STEPS; n++)
        compose(&steps[n], deflater, &data, end);
    nghttp2_hd_deflate_del(deflater[0]);
    nghttp2_hd_deflate_del(deflater[1]);
    bool comparable = play(steps, n, false, &whole);
    comparable &= play(steps, n, true, &apart);
    if (comparable && (whole.n != apart.n || memcmp(whole.p, apart.p, whole.n) != 0))
        fail_msg("whole:\n%.*s\napart:\n%.*s\n", (int)whole.n, (char *)whole.p, (int)apart.n,
                 (char *)apart.p);
    free(whole.p);
    free(apart.p);
    for (unsigned i = 0; i < n; i++)
        free(steps[i].bytes.p);
    return 0;
}
