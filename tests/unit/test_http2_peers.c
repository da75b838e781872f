/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nghttp2 as client and as service, the relay between them, everything in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "http2_wire.h"

enum { REQUESTS = 1000, STREAMS = 100, SIZE_MAX_BODY = 60000 };

/* The body of a message is a pattern of its number and side, so that either end can check what arrives. */
static uint8_t pattern(unsigned id, size_t at)
{
    return (uint8_t)(id * 131 + at * 7 + (at >> 8) * 13);
}

struct message {
    unsigned id;
    size_t size, sent, got, want;
    bool trailers, ended, closed, status;
    uint32_t code;
};

struct peers {
    struct wire *w;
    nghttp2_session *session[2];
    struct message request[REQUESTS + 1], response[REQUESTS + 1]; /* by number: (stream + 1) / 2 */
    unsigned started, finished, refused, trailers_seen;
    unsigned block_every; /* requests answered by the relay; 0: none */
    uint64_t random;
    bool pad;
};

static unsigned number(int32_t stream)
{
    return ((unsigned)stream + 1) / 2;
}

static ssize_t read_body(nghttp2_session *session, int32_t stream, uint8_t *buf, size_t length,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct message *m = source->ptr;
    (void)user;
    size_t n = m->size - m->sent < length ? m->size - m->sent : length;
    for (size_t i = 0; i < n; i++)
        buf[i] = pattern(m->id, m->sent + i);
    m->sent += n;
    if (m->sent == m->size) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (m->trailers) {
            nghttp2_nv nv[] = {wire_nv("grpc-status", "0", 0)};
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            assert_int_equal(nghttp2_submit_trailer(session, stream, nv, 1), 0);
        }
    }
    return (ssize_t)n;
}

static int on_chunk(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data, size_t n,
                    void *user)
{
    struct peers *p = user;
    (void)flags;
    bool server = session == p->session[HTTP2_UP];
    struct message *m = server ? &p->request[number(stream)] : &p->response[number(stream)];
    if (!server && p->block_every && number(stream) % p->block_every == 0) {
        m->got += n; /* the relay's own body */
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        assert_int_equal(data[i], pattern(m->id, m->got + i));
    m->got += n;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct peers *p = user;
    if (session != p->session[HTTP2_UP])
        return 0;
    if ((frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) ||
        !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    unsigned n = number(frame->hd.stream_id);
    struct message *m = &p->response[n];
    nghttp2_data_provider body = {.source.ptr = m, .read_callback = read_body};
    char size[24];
    snprintf(size, sizeof(size), "%zu", m->size);
    nghttp2_nv nv[] = {
        wire_nv(":status", "200", 0),
        wire_nv("content-type", "application/grpc", 0),
        wire_nv("content-length", size, 0),
        wire_nv("x-number", size, 0),
    };
    assert_int_equal(p->request[n].got, p->request[n].size);
    assert_int_equal(nghttp2_submit_response(session, frame->hd.stream_id, nv, 4, &body), 0);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t namelen, const uint8_t *value, size_t valuelen, uint8_t flags, void *user)
{
    struct peers *p = user;
    (void)flags, (void)value, (void)valuelen;
    if (session == p->session[HTTP2_DOWN] && namelen == 11 && memcmp(name, "grpc-status", 11) == 0 &&
        frame->headers.cat == NGHTTP2_HCAT_HEADERS)
        p->trailers_seen++;
    return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *user)
{
    struct peers *p = user;
    struct message *m = &p->response[number(stream)];
    if (session != p->session[HTTP2_DOWN])
        return 0;
    assert_int_equal(code, 0);
    assert_false(m->closed);
    m->closed = true;
    p->finished++;
    if (!p->block_every || number(stream) % p->block_every != 0)
        assert_int_equal(m->got, m->size);
    return 0;
}

static ssize_t on_padding(nghttp2_session *session, const nghttp2_frame *frame, size_t max, void *user)
{
    struct peers *p = user;
    (void)session;
    size_t n =
        frame->hd.length + (p->pad && frame->hd.type == NGHTTP2_DATA ? wire_random(&p->random) % 200 : 0);
    return (ssize_t)(n < max ? n : max);
}

static void start(struct peers *p)
{
    unsigned n = ++p->started;
    struct message *up = &p->request[n], *down = &p->response[n];
    uint32_t r = wire_random(&p->random);
    *up = (struct message){
        .id = n, .size = r % 3 ? wire_random(&p->random) % SIZE_MAX_BODY : 0, .trailers = r % 5 == 0};
    *down = (struct message){
        .id = n + 5000, .size = r % 4 ? wire_random(&p->random) % SIZE_MAX_BODY : r % 90, .trailers = r % 2};
    char path[40], id[40];
    snprintf(path, sizeof(path), "/pkg.Service/Method%u", n % 17);
    snprintf(id, sizeof(id), "%08x-%u", wire_random(&p->random), n);
    nghttp2_nv nv[] = {
        wire_nv(":method", "POST", 0),
        wire_nv(":scheme", "http", 0),
        wire_nv(":authority", "orders.shop.svc", 0),
        wire_nv(":path", path, 0),
        wire_nv("content-type", "application/grpc", 0),
        wire_nv("x-request-id", id, 0),
        wire_nv("authorization", "Bearer x", NGHTTP2_NV_FLAG_NO_INDEX),
    };
    nghttp2_data_provider body = {.source.ptr = up, .read_callback = read_body};
    int32_t stream = nghttp2_submit_request(p->session[HTTP2_DOWN], NULL, nv, 7, &body, NULL);
    assert_int_equal(stream, (int)(2 * n - 1));
}

static bool pump(struct peers *p, enum http2_side side)
{
    struct wire *w = p->w;
    const uint8_t *data;
    ssize_t n = nghttp2_session_mem_send(p->session[side], &data);
    assert_true(n >= 0);
    for (ssize_t at = 0; at < n;) {
        ssize_t k = 1 + wire_random(&p->random) % 9000;
        k = k < n - at ? k : n - at;
        wire_feed(w, side, data + at, (size_t)k);
        assert_false(w->closed);
        at += k;
    }
    for (int to = 0; to < 2; to++) {
        struct wire_bytes *out = &w->out[to];
        ssize_t used = nghttp2_session_mem_recv(p->session[to], out->p, out->n);
        if (used != (ssize_t)out->n)
            fail_msg("peer %d: %s", to, nghttp2_strerror((int)used));
        out->n = 0;
    }
    return n > 0;
}

static void block_some(struct wire *w, struct http2_request *r, struct http2_verdict *v)
{
    struct peers *p = w->arg;
    assert_true(r->grpc);
    if (!p->block_every || number((int32_t)r->stream) % p->block_every != 0)
        return;
    v->status = 403;
    v->message = HTTP_STR("blocked by a rule");
    if (number((int32_t)r->stream) % 2)
        v->grpc_status = 7;
}

static struct peers *peers_new(bool pad, unsigned block_every, uint32_t conn_window, uint32_t stream_window)
{
    struct peers *p = calloc(1, sizeof(*p));
    nghttp2_session_callbacks *calls;
    nghttp2_option *option;
    assert_non_null(p);
    p->random = 0x9e3779b97f4a7c15u;
    p->pad = pad;
    p->block_every = block_every;
    p->w = wire_new();
    p->w->keep = true;
    p->w->arg = p;
    p->w->on_request = block_some;
    for (int i = 0; i < 2; i++) {
        /* nghttp2 minds its own windows and frames */
        p->w->watch[i].quiet = true;
        p->w->watch[i].window = p->w->watch[i].initial = INT64_MAX / 2;
        p->w->watch[i].frame_max = 65536;
    }
    nghttp2_session_callbacks_new(&calls);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, on_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(calls, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_close);
    nghttp2_session_callbacks_set_on_header_callback(calls, on_header);
    nghttp2_session_callbacks_set_select_padding_callback(calls, on_padding);
    nghttp2_option_new(&option);
    nghttp2_option_set_peer_max_concurrent_streams(option, STREAMS);
    assert_int_equal(nghttp2_session_client_new2(&p->session[HTTP2_DOWN], calls, p, option), 0);
    assert_int_equal(nghttp2_session_server_new2(&p->session[HTTP2_UP], calls, p, option), 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(calls);
    nghttp2_settings_entry entries[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window},
                                        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS},
                                        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 40000}};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(nghttp2_submit_settings(p->session[i], 0, entries, 3), 0);
        if (conn_window > 65535)
            assert_int_equal(nghttp2_session_set_local_window_size(p->session[i], 0, 0, (int32_t)conn_window),
                             0);
    }
    return p;
}

static void peers_free(struct peers *p)
{
    nghttp2_session_del(p->session[0]);
    nghttp2_session_del(p->session[1]);
    wire_free(p->w);
    free(p);
}

static void run(struct peers *p)
{
    for (bool busy = true; busy || p->started < REQUESTS;) {
        while (p->started < REQUESTS && p->started - p->finished < STREAMS)
            start(p);
        busy = pump(p, HTTP2_DOWN);
        busy |= pump(p, HTTP2_UP);
    }
    assert_int_equal(p->finished, REQUESTS);
    assert_int_equal(http2_streams(p->w->conn), 0);
    assert_int_equal(p->w->nends, REQUESTS);
    assert_int_equal(p->w->nrequests, REQUESTS);
    /* Either end's idea of the window is the relay's, but for the reserve. */
    for (int i = 0; i < 2; i++) {
        int64_t window = nghttp2_session_get_local_window_size(p->session[i]);
        int64_t remote = nghttp2_session_get_remote_window_size(p->session[!i]);
        const struct http2_peer *s = &p->w->conn->peer[!i];
        assert_int_equal(p->w->conn->peer[i].window, window);
        assert_int_equal(s->credit, remote);
        assert_int_equal(window - remote, i == HTTP2_DOWN ? p->w->conn->reserve : 0);
    }
}

static void a_thousand_calls(void **state)
{
    (void)state;
    struct peers *p = peers_new(false, 0, 65535, 65535);
    run(p);
    assert_true(p->trailers_seen > 400);
    peers_free(p);
}

static void a_thousand_padded_calls_with_large_windows(void **state)
{
    (void)state;
    struct peers *p = peers_new(true, 0, 1 << 20, 1 << 18);
    run(p);
    peers_free(p);
}

static void a_thousand_calls_a_third_of_them_answered(void **state)
{
    (void)state;
    struct peers *p = peers_new(true, 3, 65535, 20000);
    run(p);
    peers_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thousand_calls),
        cmocka_unit_test(a_thousand_padded_calls_with_large_windows),
        cmocka_unit_test(a_thousand_calls_a_third_of_them_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
