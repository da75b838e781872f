/* SPDX-License-Identifier: GPL-3.0-or-later */
/* However the bytes are portioned, the outcome is the same; DATA costs no allocation; what a connection
 * costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <malloc.h>

#include "http2_wire.h"

/* --- counting allocations ---------------------------------------------------------------------------- */

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COUNTS_ALLOCATIONS 1
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
void *malloc(size_t n);
void *calloc(size_t n, size_t size);
void *realloc(void *p, size_t n);
static unsigned allocations;
void *malloc(size_t n)
{
    allocations++;
    return __libc_malloc(n);
}
void *calloc(size_t n, size_t size)
{
    allocations++;
    return __libc_calloc(n, size);
}
void *realloc(void *p, size_t n)
{
    allocations++;
    return __libc_realloc(p, n);
}
#else
#define COUNTS_ALLOCATIONS 0
static unsigned allocations;
#endif

/* --- portions ---------------------------------------------------------------------------------------- */

enum { SEGMENTS = 40 };

struct transcript {
    struct {
        enum http2_side side;
        struct wire_bytes bytes;
    } part[SEGMENTS];
    unsigned n;
};

static struct wire_bytes *part(struct transcript *t, enum http2_side side)
{
    if (t->n == 0 || t->part[t->n - 1].side != side) {
        assert_true(t->n < SEGMENTS);
        t->part[t->n++].side = side;
    }
    return &t->part[t->n - 1].bytes;
}

static void say(struct transcript *t, enum http2_side side, unsigned type, unsigned flags, uint32_t stream,
                const void *p, size_t n)
{
    wire_put(part(t, side), type, flags, stream, p, n);
}

static void say_headers(struct wire *w, struct transcript *t, enum http2_side side, uint32_t stream,
                        bool ends, const char *list)
{
    wire_put_headers(w, part(t, side), side, stream, ends, list);
}

/* Every kind of frame, and every way a payload is read. */
static void compose(struct wire *w, struct transcript *t)
{
    const enum http2_side c = HTTP2_DOWN, s = HTTP2_UP;
    struct wire_bytes block = {0};
    uint8_t body[600];
    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (uint8_t)(i * 11 + (i >> 8));
    wire_append(part(t, c), HTTP2_PREFACE, 24);
    say(t, c, HTTP2_SETTINGS, 0, 0, "\0\4\0\1\0\0\0\1\0\0\10\0", 12);
    say(t, c, HTTP2_WINDOW_UPDATE, 0, 0, "\0\1\0\0", 4);
    say_headers(w, t, c, 1, false, WIRE_GRPC "|x-long=0123456789012345678901234567890123456789");
    say(t, s, HTTP2_SETTINGS, 0, 0, "\0\5\0\0\x50\0\x0a\x0a\0\0\0\0", 12);
    say(t, s, HTTP2_SETTINGS, 1, 0, NULL, 0);
    say(t, s, HTTP2_WINDOW_UPDATE, 0, 0, "\0\1\0\0", 4);
    say(t, c, HTTP2_SETTINGS, 1, 0, NULL, 0);
    say(t, c, HTTP2_DATA, 0, 1, body, 300);
    say(t, c, HTTP2_DATA, 8, 1, "\x05hello\0\0\0\0\0", 11);
    say(t, c, HTTP2_DATA, 0, 1, body + 300, 1);
    say(t, c, HTTP2_PRIORITY, 0, 1, "\0\0\0\0\1", 5);
    say(t, c, 0x42, 7, 0, "twenty bytes or more than sixteen", 33);
    say(t, c, HTTP2_PING, 0, 0, "pingping", 8);
    /* A header block in pieces, padded and with priority. */
    wire_encode(w->deflater[c], &block, WIRE_POST "|a=b|cookie=x|cookie=y|block=me");
    uint8_t first[64] = {2, 0, 0, 0, 0, 16};
    memcpy(first + 6, block.p, 7);
    say(t, c, HTTP2_HEADERS, 8 | 32, 3, first, 15);
    say(t, c, HTTP2_CONTINUATION, 0, 3, block.p + 7, 5);
    say(t, c, HTTP2_CONTINUATION, 0, 3, NULL, 0);
    say(t, c, HTTP2_CONTINUATION, 4, 3, block.p + 12, block.n - 12);
    free(block.p);
    say(t, c, HTTP2_DATA, 1, 3, body, 100); /* dropped: stream 3 is answered */
    say_headers(w, t, c, 5, true, WIRE_GET);
    say_headers(w, t, s, 1, false, ":status=200|content-type=application/grpc");
    say(t, s, HTTP2_DATA, 0, 1, body, 500);
    say_headers(w, t, s, 5, false, ":status=200|content-length=4");
    say(t, s, HTTP2_PING, 1, 0, "pingping", 8);
    say(t, s, HTTP2_DATA, 9, 5, "\3body\0\0\0", 8);
    say(t, s, HTTP2_WINDOW_UPDATE, 0, 1, "\0\0\0\x63", 4);
    say_headers(w, t, s, 1, true, "grpc-status=0|grpc-message=fine");
    say(t, c, HTTP2_RST_STREAM, 0, 1, "\0\0\0\x8", 4);
    say_headers(w, t, c, 7, false, WIRE_POST "|content-length=9");
    say(t, c, HTTP2_DATA, 0, 7, "12345", 5);
    say_headers(w, t, c, 9, false, WIRE_POST "|Bad=1");
    say(t, s, HTTP2_RST_STREAM, 0, 7, "\0\0\0\x5", 4);
    say(t, c, HTTP2_DATA, 1, 7, "6789", 4);
    say_headers(w, t, c, 11, true, WIRE_GET);
    say(t, s, HTTP2_GOAWAY, 0, 0, "\0\0\0\x0b\0\0\0\0all done", 16);
    say_headers(w, t, s, 11, true, ":status=404");
    say(t, c, HTTP2_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0", 8);
}

static void block_some(struct wire *w, struct http2_request *r, struct http2_verdict *v)
{
    (void)w;
    for (size_t i = 0; i < r->nfields; i++) {
        if (r->fields[i].name.n == 5 && memcmp(r->fields[i].name.p, "block", 5) == 0) {
            v->status = 403;
            v->message = HTTP_STR("no");
        }
    }
}

/* Plays t with part `which` cut before byte `at`, and all in portions of `step` if that is not 0. */
static char *play(const struct transcript *t, unsigned which, size_t at, size_t step)
{
    struct wire *w = wire_new();
    struct wire_bytes text = {0};
    w->on_request = block_some;
    w->watch[0].sums = w->watch[1].sums = true;
    w->watch[0].frame_max = w->watch[1].frame_max = 0x5000;
    w->watch[0].initial = 65536;
    w->watch[0].window = w->watch[1].window = 65535 + 65536;
    for (unsigned i = 0; i < t->n; i++) {
        const struct wire_bytes *b = &t->part[i].bytes;
        size_t cut = i == which ? at : b->n;
        if (step) {
            for (size_t k = 0; k < b->n; k += step)
                wire_feed(w, t->part[i].side, b->p + k, b->n - k < step ? b->n - k : step);
        } else {
            wire_feed(w, t->part[i].side, b->p, cut);
            if (cut < b->n)
                wire_feed(w, t->part[i].side, b->p + cut, b->n - cut);
        }
        assert_false(w->closed);
    }
    assert_int_equal(http2_state(w->conn), HTTP2_DONE);
    for (int side = 0; side < 2; side++) {
        wire_text(&text, "-- %d, window %lld %lld\n%s", side, (long long)w->watch[side].granted[WIRE_CONN],
                  (long long)w->conn->peer[side].credit, wire_log(w, side));
    }
    wire_text(&text, "--\n%s", wire_ends(w));
    wire_append(&text, "", 1);
    wire_free(w);
    return (char *)text.p;
}

static void portions_do_not_matter(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    struct transcript t = {0};
    compose(w, &t);
    wire_free(w);
    char *whole = play(&t, UINT32_MAX, 0, 0);
    assert_non_null(strstr(whole, "DATA 1 306:"));
    assert_non_null(strstr(whole, ":status=403 content-type=text/plain content-length=2\nDATA 3 2:"));
    assert_non_null(strstr(whole, "9 broken-down"));
    unsigned cuts = 0;
    for (unsigned i = 0; i < t.n; i++) {
        for (size_t at = 1; at < t.part[i].bytes.n; at++) {
            char *split = play(&t, i, at, 0);
            assert_string_equal(split, whole);
            free(split);
            cuts++;
        }
    }
    for (size_t step = 1; step < 20; step++) {
        char *split = play(&t, UINT32_MAX, 0, step);
        assert_string_equal(split, whole);
        free(split);
    }
    print_message("%u cuts\n", cuts);
    free(whole);
    for (unsigned i = 0; i < t.n; i++)
        free(t.part[i].bytes.p);
}

/* --- costs ------------------------------------------------------------------------------------------- */

static uint64_t sunk;

static void sink_emit(void *ctx, enum http2_side side, const uint8_t *data, size_t size)
{
    (void)ctx, (void)side, (void)data;
    sunk += size;
}

static void data_costs_no_allocation(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    struct wire_bytes b = {0};
    static uint8_t body[16384];
    wire_hello(w);
    wire_headers(w, HTTP2_DOWN, 1, false, WIRE_POST);
    w->calls.emit = sink_emit;
    for (int i = 0; i < 3; i++)
        wire_put(&b, HTTP2_DATA, 0, 1, body, 5000);
    wire_put(&b, HTTP2_DATA, 8, 1, body, 77);
    unsigned before = allocations;
    for (int round = 0; round < 200; round++) {
        static const uint8_t window[] = {0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 59, 228,
                                         0, 0, 4, 8, 0, 0, 0, 0, 1, 0, 0, 59, 228};
        for (size_t at = 0, step = 1 + (size_t)round * 97; at < b.n; at += step)
            assert_int_equal(
                http2_feed(w->conn, HTTP2_DOWN, b.p + at, b.n - at < step ? b.n - at : step, &w->sink),
                HTTP2_MORE);
        for (size_t at = 0; at < sizeof(window); at += 5)
            assert_int_equal(http2_feed(w->conn, HTTP2_UP, window + at,
                                        sizeof(window) - at < 5 ? sizeof(window) - at : 5, &w->sink),
                             HTTP2_MORE);
    }
    assert_int_equal(allocations, before);
    assert_true(sunk > 200u * 15000);
    assert_true(!COUNTS_ALLOCATIONS || before > 0);
    free(b.p);
    wire_free(w);
}

static size_t used(void)
{
    return mallinfo2().uordblks;
}

static void an_idle_connection_is_small(void **state)
{
    (void)state;
    enum { N = 50 };
    struct wire *w = wire_new();
    struct http2_conn *conns[N];
    size_t fresh, greeted, exchanged;
    w->watch[0].quiet = w->watch[1].quiet = true;
    w->calls.emit = sink_emit;
    struct http2_conn *own = w->conn;
    size_t before = used();
    for (int i = 0; i < N; i++)
        conns[i] = http2_conn_new(&w->limits, w->scratch, w->sink.now_ms);
    fresh = (used() - before) / N;
    for (int i = 0; i < N; i++) {
        w->conn = conns[i];
        wire_hello(w);
    }
    greeted = (used() - before) / N;
    for (int i = 0; i < N; i++) {
        nghttp2_hd_deflate_del(w->deflater[0]);
        nghttp2_hd_deflate_del(w->deflater[1]);
        nghttp2_hd_deflate_new(&w->deflater[0], 4096);
        nghttp2_hd_deflate_new(&w->deflater[1], 4096);
        w->conn = conns[i];
        for (uint32_t id = 1; id < 40; id += 2) {
            wire_headers(w, HTTP2_DOWN, id, true, WIRE_GRPC "|user-agent=grpc-go/1.60|grpc-timeout=1S");
            wire_headers(w, HTTP2_UP, id, false,
                         ":status=200|content-type=application/grpc|server=x|date=today");
            wire_headers(w, HTTP2_UP, id, true, "grpc-status=0");
        }
        assert_int_equal(http2_streams(w->conn), 0);
    }
    exchanged = (used() - before) / N;
    print_message("bytes per connection: %zu new, %zu greeted, %zu after 20 gRPC calls (4 HPACK tables); per "
                  "stream %zu\n",
                  fresh, greeted, exchanged, sizeof(struct http2_stream));
    if (COUNTS_ALLOCATIONS) {
        assert_true(fresh < 2048);
        assert_true(greeted < 2048);
        assert_true(exchanged < 12 * 1024);
    }
    for (int i = 0; i < N; i++)
        http2_conn_free(conns[i], NULL);
    w->conn = own;
    w->nrequests = 0;
    wire_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(portions_do_not_matter),
        cmocka_unit_test(data_costs_no_allocation),
        cmocka_unit_test(an_idle_connection_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
