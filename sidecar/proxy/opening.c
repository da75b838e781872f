/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a session comes about: accepted, what it speaks, the handshake, the connection onwards. */
#include "sidecar/proxy/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sidecar/net/proxyproto.h"
#include "sidecar/proxy/capture.h"
#include "sidecar/proxy/codec.h"
#include "sidecar/proxy/decide.h"
#include "sidecar/proxy/pool.h"
#include "sidecar/proxy/report.h"
#include "sidecar/proxy/tally.h"
#include "sidecar/proxy/worker.h"

static void start_handshake(struct session *s, struct tls_ctx *ctx, const char *peeked_sni);
static void go_on_handshake(struct session *s);
static void start_connect(struct session *s);
static void established(struct session *s);
static bool rules_admit(struct session *s);
static void send_proxy_header(struct session *s);

static const struct config_inbound *inbound_of(const struct session *s)
{
    return s->runtime->inbound[s->index].config;
}

/* --- accepting --- */

/* All three gates or none. */
static bool enter_gates(struct worker *w, struct gate *gate, uint64_t own_limit)
{
    const struct config_sidecar *limits = &w->runtime->snapshot->config->sidecar;
    if (!gate_enter(&w->shared->sessions, limits->max_connections))
        return false;
    if (gate_enter(gate, own_limit)) {
        if (gate_enter(&w->shared->half_open, limits->max_handshakes))
            return true;
        gate_leave(gate);
    }
    gate_leave(&w->shared->sessions);
    return false;
}

static struct session *session_new(struct worker *w, const struct worker_listener *listener)
{
    struct session *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->worker = w;
    s->inbound = listener->inbound;
    s->index = (uint32_t)listener->index;
    s->runtime = runtime_ref(w->runtime);
    s->gate = gate_ref(s->inbound ? w->runtime->inbound[s->index].gate : w->runtime->outbound[s->index].gate);
    s->started = uv_now(&w->loop);
    s->activity = s->started;
    return s;
}

static void join_worker(struct session *s)
{
    struct worker *w = s->worker;
    s->id = w->session_count++ * w->shared->workers + w->index;
    s->next = w->sessions;
    if (s->next)
        s->next->prev = &s->next;
    w->sessions = s;
    s->prev = &w->sessions;
    counter_add(&w->counters, s->inbound ? COUNTER_OPEN_IN : COUNTER_OPEN_OUT, 1);
}

static void begin_inbound(struct session *s)
{
    const struct config *config = s->runtime->snapshot->config;
    s->state = inbound_of(s)->proxy_in == CONFIG_PROXY_IN_REQUIRE ? SESSION_PREFACE : SESSION_HELLO;
    s->deadline = config->tls.handshake_timeout ? s->started + config->tls.handshake_timeout : 0;
    session_arm(s);
    endpoint_read_start(&s->leg[DOWN].ep);
}

static void begin_outbound(struct session *s)
{
    const struct config *config = s->runtime->snapshot->config;
    if (!session_is_http(s)) {
        start_connect(s);
        return;
    }
    s->state = SESSION_SNIFF;
    s->deadline = config->tls.handshake_timeout ? s->started + config->tls.handshake_timeout : 0;
    session_arm(s);
    endpoint_read_start(&s->leg[DOWN].ep);
}

bool session_accept(struct worker *w, const struct worker_listener *listener, int fd,
                    const struct sockaddr *peer)
{
    const struct config *config = w->runtime->snapshot->config;
    bool inbound = listener->inbound;
    union net_addr captured = {.sa = {.sa_family = AF_UNSPEC}};
    struct worker_listener chosen = *listener;
    if (listener->index == WORKER_CAPTURE) {
        if (!capture_accept(w, fd, peer, &captured, &chosen.index))
            return true;
        listener = &chosen;
    }
    const struct config_limits *limits =
        inbound ? &config->inbound[listener->index].limits : &config->outbound[listener->index].limits;
    struct gate *gate =
        inbound ? w->runtime->inbound[listener->index].gate : w->runtime->outbound[listener->index].gate;

    if (!enter_gates(w, gate, limits->max_connections)) {
        counter_add(&w->counters, COUNTER_ACCEPT_WAITS, 1);
        return false;
    }
    counter_add(&w->counters, inbound ? COUNTER_ACCEPTED_IN : COUNTER_ACCEPTED_OUT, 1);
    struct session *s = session_new(w, listener);
    if (s == NULL) {
        counter_add(&w->counters, COUNTER_END_ERROR, 1);
        gate_leave(&w->shared->half_open);
        gate_leave(gate);
        gate_leave(&w->shared->sessions);
        (void)close(fd);
        return true;
    }
    s->half_open = true;
    net_addr_set(&s->peer, peer);
    s->captured = captured;
    if (captured.sa.sa_family != AF_UNSPEC)
        net_keepalive(fd, limits->keepalive); /* the listening socket is that of all outbounds */
    join_worker(s);
    int err =
        endpoint_open(&s->leg[DOWN].ep, &w->loop, &w->endpoints, fd, peer->sa_family, &relay_down_calls);
    s->handles += s->leg[DOWN].ep.open;
    if (err != 0)
        session_finish(s, SESSION_END_ERROR, uv_strerror(err), false);
    else if (inbound)
        begin_inbound(s);
    else
        begin_outbound(s);
    return true;
}

/* --- before the relay: bytes by state --- */

/* Keeps bytes that cannot be used yet. False: out of memory, and the session has ended. */
static bool keep_early(struct session *s, const uint8_t *data, size_t size)
{
    uint8_t *more = realloc(s->early, s->early_size + size);
    if (more == NULL) {
        session_finish(s, SESSION_END_ERROR, "out of memory", true);
        return false;
    }
    memcpy(more + s->early_size, data, size);
    s->early = more;
    s->early_size += size;
    return true;
}

/* What the client speaks is what the peer is asked for. */
static void sniff(struct session *s)
{
    switch (codec_sniff(s->early, s->early_size)) {
    case CODEC_SNIFF_MORE: return;
    case CODEC_SNIFF_HTTP2: s->alpn = "h2"; break;
    case CODEC_SNIFF_HTTP1: s->alpn = "http/1.1"; break;
    case CODEC_SNIFF_NEITHER:
        session_finish(s, SESSION_END_REFUSED, "the client does not speak HTTP, which is expected here",
                       true);
        return;
    }
    session_not_half_open(s);
    if (session_renew(s))
        relay_begin(s);
}

static void take_plaintext(struct session *s, const uint8_t *data, size_t size)
{
    if (s->early_size == 0 && !keep_early(s, data, size))
        return;
    session_not_half_open(s);
    endpoint_read_stop(&s->leg[DOWN].ep);
    if (rules_admit(s))
        start_connect(s);
}

/* For the rules that ask for it; what of it points elsewhere they do not. */
static void keep_hello(struct session *s, const struct tls_hello *hello)
{
    s->hello = malloc(sizeof *hello);
    if (s->hello == NULL)
        return;
    *s->hello = *hello;
    s->hello->alpn_count = 0;
}

/* DATA: all that has come since the PROXY header. */
static void read_hello(struct session *s, const uint8_t *data, size_t size)
{
    struct worker *w = s->worker;
    struct tls_hello hello;
    const char *sni = NULL;
    size_t ca;
    if (!session_renew(s))
        return;
    switch (tls_hello_parse(data, size, w->plain, &hello)) {
    case TLS_HELLO_MORE:
        if (s->early_size == 0)
            (void)keep_early(s, data, size);
        return;
    case TLS_HELLO_NOT_TLS:
        if (inbound_of(s)->plaintext_allow)
            take_plaintext(s, data, size);
        else
            session_finish(s, SESSION_END_REFUSED, "plaintext: the client does not speak TLS", true);
        return;
    case TLS_HELLO_BAD: break; /* goes to TLS as well, which knows the alert for it */
    case TLS_HELLO_OK: sni = hello.has_sni ? hello.sni : NULL; break;
    }
    uint8_t *held = s->early; /* DATA may be this; what is decrypted is kept in its place */
    s->early = NULL;
    s->early_size = 0;
    w->tls.in = data;
    w->tls.in_size = size;
    s->state = SESSION_HANDSHAKE;
    struct tls_ctx *ctx = runtime_select(s->runtime, s->index, sni, &ca);
    s->ca = (uint16_t)ca;
    if (s->runtime->snapshot->shared->policy->inbound[s->index].hello)
        keep_hello(s, &hello);
    start_handshake(s, ctx, sni);
    free(held);
}

static bool proxy_allowed(const struct session *s)
{
    const struct config_cidrs *from = &inbound_of(s)->proxy_from;
    for (size_t i = 0; i < from->count; i++) {
        if (net_addr_in(&s->peer.sa, (const struct sockaddr *)&from->item[i].ip, from->item[i].bits))
            return true;
    }
    return false;
}

static void read_preface(struct session *s)
{
    struct proxyproto header;
    char why[160];
    if (!proxy_allowed(s)) {
        session_finish(s, SESSION_END_REFUSED, "PROXY header from an address outside of proxy_from", true);
        return;
    }
    switch (proxyproto_parse(s->early, s->early_size, &header)) {
    case PROXYPROTO_MORE: return;
    case PROXYPROTO_BAD:
        (void)snprintf(why, sizeof why, "PROXY header: %s", header.error);
        session_finish(s, SESSION_END_REFUSED, why, true);
        return;
    case PROXYPROTO_OK: break;
    }
    if (header.proxied)
        s->peer = header.source;
    s->state = SESSION_HELLO;
    s->early_size -= header.consumed;
    memmove(s->early, s->early + header.consumed, s->early_size);
    if (s->early_size != 0)
        read_hello(s, s->early, s->early_size);
}

void session_early_data(struct session *s, enum session_side side, const uint8_t *data, size_t size)
{
    struct worker *w = s->worker;
    switch ((enum session_state)s->state) {
    case SESSION_PREFACE:
        if (keep_early(s, data, size))
            read_preface(s);
        break;
    case SESSION_SNIFF:
        if (keep_early(s, data, size))
            sniff(s);
        break;
    case SESSION_HELLO:
        if (s->early_size == 0)
            read_hello(s, data, size);
        else if (keep_early(s, data, size))
            read_hello(s, s->early, s->early_size);
        break;
    case SESSION_HANDSHAKE:
        if (side != session_tls_side(s))
            break;
        w->tls.in = data;
        w->tls.in_size = size;
        go_on_handshake(s);
        break;
    default: break; /* LINGER: what still comes is of no interest */
    }
}

void session_early_end(struct session *s, enum session_side side, int err)
{
    char why[128];
    const char *who = side == DOWN ? "client" : "peer";
    switch ((enum session_state)s->state) {
    case SESSION_LINGER: session_finish(s, (enum session_end)s->end, s->why, false); break;
    case SESSION_CLOSED: break;
    case SESSION_SNIFF:
    case SESSION_HELLO:
        /* A port scan or a probe of the port: connected and went. */
        if (s->early_size == 0 && err == 0) {
            session_finish(s, SESSION_END_CLOSED, NULL, false);
            break;
        }
        /* fall through */
    default:
        if (err != 0)
            (void)snprintf(why, sizeof why, "%s in the handshake: %s", who, uv_strerror(err));
        else
            (void)snprintf(why, sizeof why, "%s closed the connection in the handshake", who);
        session_finish(s, s->state == SESSION_CONNECT ? SESSION_END_RESET : SESSION_END_REFUSED, why, false);
    }
}

/* --- the handshake --- */

void session_flush_tls(struct session *s, enum session_side side)
{
    struct worker *w = s->worker;
    if (w->tls.out_size != 0 && !endpoint_write(&s->leg[side].ep, w->tls.out, w->tls.out_size))
        session_finish(s, SESSION_END_ERROR, "out of memory", true);
    w->tls.out_size = 0;
}

static void start_handshake(struct session *s, struct tls_ctx *ctx, const char *peeked_sni)
{
    struct worker *w = s->worker;
    struct leg *leg = &s->leg[session_tls_side(s)];
    s->handshake_began = uv_hrtime();
    w->tls.out_size = 0;
    leg->tls = tls_stream_new(ctx, &w->tls, peeked_sni);
    if (leg->tls == NULL)
        session_finish(s, SESSION_END_ERROR, "out of memory", true);
    else
        go_on_handshake(s);
}

/* Plaintext that came in the chunk of the handshake's end, while the service is not connected yet. */
static void keep_decrypted(struct session *s)
{
    struct worker *w = s->worker;
    struct tls_stream *tls = s->leg[DOWN].tls;
    enum tls_result result = TLS_OK;
    while (result == TLS_OK) {
        size_t n = 0;
        result = tls_stream_read(tls, w->plain, WORKER_PLAIN, &n);
        if (n != 0 && !keep_early(s, w->plain, n))
            return;
    }
    session_flush_tls(s, DOWN);
    if (s->state == SESSION_CLOSED)
        return;
    if (result == TLS_FAILED)
        session_refuse(s, TLS_ALERT_NONE, SESSION_END_REFUSED, tls_stream_error_text(tls));
}

/* Asks the rules; false: they refuse, and S is on its way out. An HTTP request is told so itself. */
static bool rules_admit(struct session *s)
{
    char words[320];
    if (decide_connection(s->worker->decide, s, false, words, sizeof words) || session_is_http(s))
        return true;
    tally_blocked(s, false, words);
    if (s->leg[DOWN].tls)
        session_refuse(s, TLS_ALERT_ACCESS_DENIED, SESSION_END_REFUSED, words);
    else
        session_finish(s, SESSION_END_REFUSED, words, true);
    return false;
}

static void admitted(struct session *s)
{
    const struct tls_stream *tls = s->leg[session_tls_side(s)].tls;
    const struct tls_verdict *verdict = tls_stream_verdict(tls);
    tally_handshake(s);
    session_not_half_open(s);
    s->deadline = 0;
    worker_recheck_at(s->worker, verdict->recheck_at);
    if (!s->inbound) {
        established(s);
        return;
    }
    if (!rules_admit(s))
        return;
    start_connect(s);
    if (s->state == SESSION_CONNECT) {
        endpoint_read_stop(&s->leg[DOWN].ep);
        keep_decrypted(s);
    }
}

static void go_on_handshake(struct session *s)
{
    struct worker *w = s->worker;
    enum session_side side = session_tls_side(s);
    struct tls_stream *tls = s->leg[side].tls;
    w->tls.out_size = 0;
    enum tls_result result = tls_stream_handshake(tls);
    session_flush_tls(s, side);
    if (s->state == SESSION_CLOSED)
        return;
    if (result == TLS_OK) {
        /* Trust may have changed since the hello. */
        if (session_judge_new(s))
            admitted(s);
    } else if (result != TLS_WANT) {
        session_refuse(s, TLS_ALERT_NONE, SESSION_END_REFUSED, tls_stream_error_text(tls));
    }
}

/* --- connecting --- */

static size_t proxy_header(const struct session *s, enum config_proxy_out version,
                           uint8_t out[PROXYPROTO_MAX])
{
    struct sockaddr_storage own = {0};
    socklen_t own_size = sizeof own;
    uv_os_fd_t fd;
    struct proxyproto_say say = {.source = &s->peer.sa, .destination = (const struct sockaddr *)&own};
    struct tls_stream *tls = s->leg[DOWN].tls;
    if (uv_fileno(&s->leg[DOWN].ep.uv.handle, &fd) == 0)
        (void)getsockname(fd, (struct sockaddr *)&own, &own_size);
    if (tls) {
        struct tls_stream_info info = tls_stream_info(tls);
        const struct tls_peer *peer = tls_stream_peer(tls);
        say.ssl = true;
        say.client = PROXYPROTO_CLIENT_SSL;
        if (peer)
            say.client |= PROXYPROTO_CLIENT_CERT_CONN | PROXYPROTO_CLIENT_CERT_SESS;
        say.verify = info.verified ? 0 : 1;
        say.ssl_version = info.version;
        say.cipher = info.cipher;
        say.group = info.group;
        say.common_name = peer ? peer->common_name : NULL;
        say.authority = info.sni;
        if (info.alpn)
            say.alpn = (struct proxyproto_slice){(const uint8_t *)info.alpn, strlen(info.alpn)};
    }
    return version == CONFIG_PROXY_OUT_V1 ? proxyproto_write_v1(&say, out, PROXYPROTO_MAX)
                                          : proxyproto_write_v2(&say, out, PROXYPROTO_MAX);
}

static void send_proxy_header(struct session *s)
{
    const struct config *config = s->runtime->snapshot->config;
    enum config_proxy_out version =
        s->inbound ? config->inbound[s->index].proxy_out : config->outbound[s->index].proxy_out;
    uint8_t header[PROXYPROTO_MAX];
    if (version != CONFIG_PROXY_OUT_OFF)
        relay_send(s, UP, header, proxy_header(s, version, header));
}

static void established(struct session *s)
{
    s->state = SESSION_RELAY;
    send_proxy_header(s);
    if (s->state == SESSION_RELAY)
        relay_begin(s);
    if (s->state == SESSION_RELAY && s->runtime != s->worker->runtime)
        session_judge(s);
}

/* --- the peer of an outbound's requests --- */

void session_shake_failed(struct session *s, const char *why, int status, const char *told)
{
    tally_handshake_failed(s, status == 504 ? SESSION_END_TIMEOUT : SESSION_END_REFUSED, why);
    report_service(s, why);
    relay_lose_service(s, status, told ? told : "the TLS handshake with the upstream server failed");
}

/* The handshake is over, well or not: the requests that wait go on, or are told. */
static void shaken(struct session *s, enum tls_result result)
{
    struct leg *leg = &s->leg[UP];
    struct tls_stream_info info = tls_stream_info(leg->tls);
    char why[320] = "";
    const char *told = NULL;
    enum tls_alert alert = TLS_ALERT_ACCESS_DENIED;
    bool ok = result == TLS_OK && session_admits_service(s, why, sizeof why);
    if (result != TLS_OK)
        (void)snprintf(why, sizeof why, "%s", tls_stream_error_text(leg->tls));
    /* Bytes of HTTP/2 must not reach a peer that has not agreed to them (RFC 9113 section 3.3). */
    if (ok && codec_alpn_contradicts(s->codec, info.alpn)) {
        ok = false;
        alert = TLS_ALERT_NO_APPLICATION_PROTOCOL;
        if (s->codec->kind == CODEC_HTTP2)
            told = "the upstream server does not speak HTTP/2";
        (void)snprintf(why, sizeof why, "the peer chose %s by ALPN, which the request is not",
                       info.alpn ? info.alpn : "nothing");
    }
    if (!ok) {
        tls_stream_alert(leg->tls, alert, why);
        session_flush_tls(s, UP);
        session_shake_failed(s, why, 502, told);
        return;
    }
    leg->shaking = false;
    tally_handshake(s);
    counter_add(&s->worker->counters, COUNTER_PEER_CONNECTIONS_NEW, 1);
    worker_recheck_at(s->worker, tls_stream_verdict(leg->tls)->recheck_at);
    send_proxy_header(s);
    if (s->state == SESSION_RELAY)
        codec_connected(s->codec);
    if (s->state == SESSION_RELAY && session_has_service(s)) {
        relay_decrypt(s, UP); /* what came behind the handshake in the same chunk */
        session_arm(s);
    }
}

void session_shake(struct session *s)
{
    struct worker *w = s->worker;
    w->tls.out_size = 0;
    enum tls_result result = tls_stream_handshake(s->leg[UP].tls);
    session_flush_tls(s, UP);
    if (s->state == SESSION_RELAY && result != TLS_WANT)
        shaken(s, result);
}

/* For a new transport: forgets what was of the one before. */
static void renew_service(struct session *s, struct tls_stream *tls, uint64_t made, bool pooled)
{
    struct leg *leg = &s->leg[UP];
    tls_stream_free(leg->tls);
    leg->tls = tls;
    leg->in_end = leg->out_end = false;
    leg->made = made;
    leg->pooled = pooled;
}

static void start_shaking(struct session *s)
{
    struct worker *w = s->worker;
    const struct config *config = s->runtime->snapshot->config;
    struct tls_ctx *ctx = s->runtime->outbound[s->index].ctx;
    uint64_t now = uv_now(&w->loop);
    w->tls.in_size = 0;
    if (ctx == NULL) { /* since a reload */
        relay_lose_service(s, 502, "the upstream server is no longer reached by TLS");
        return;
    }
    renew_service(s, tls_stream_new(ctx, &w->tls, NULL), now, false);
    if (s->leg[UP].tls == NULL || !tls_stream_offer_alpn(s->leg[UP].tls, s->alpn)) {
        relay_lose_service(s, 503, "out of memory");
        return;
    }
    s->handshake_began = uv_hrtime();
    s->leg[UP].shaking = true;
    s->shake_due = config->tls.handshake_timeout ? now + config->tls.handshake_timeout : 0;
    endpoint_read_start(&s->leg[UP].ep);
    session_arm(s);
    session_shake(s);
}

/* An idle connection, where there is one that the waiting request may have. */
static bool take_idle(struct session *s)
{
    struct worker *w = s->worker;
    struct pool_transport idle;
    if (s->inbound || s->codec == NULL || w->pool == NULL || !codec_may_reuse(s->codec) ||
        !pool_take(w->pool, s->runtime->outbound[s->index].ctx, &s->captured, &idle))
        return false;
    renew_service(s, idle.tls, idle.made, true);
    int err = endpoint_open(&s->leg[UP].ep, &w->loop, &w->endpoints, idle.fd, AF_UNSPEC, &relay_up_calls);
    s->handles += s->leg[UP].ep.open;
    if (err != 0) {
        relay_lose_service(s, 503, "out of memory");
        return true;
    }
    counter_add(&w->counters, COUNTER_PEER_CONNECTIONS_POOL, 1);
    codec_connected(s->codec);
    return true;
}

static void unreachable(struct session *s, const char *error)
{
    report_service(s, error);
    switch (dial_fault(error)) {
    case DIAL_TIMED_OUT:
        codec_service_lost(s->codec, 504, "the upstream server did not accept the connection in time");
        break;
    case DIAL_NO_NAME:
        codec_service_lost(s->codec, 503, "the name of the upstream server cannot be looked up");
        break;
    case DIAL_REFUSED: codec_service_lost(s->codec, 502, "the upstream server refused the connection"); break;
    case DIAL_OTHER: codec_service_lost(s->codec, 502, "the upstream server cannot be reached"); break;
    }
}

static void on_connected(void *arg, int fd, const char *error, const struct sockaddr *remote)
{
    struct session *s = arg;
    bool http = s->inbound && session_is_http(s) && !s->tcp;
    s->dial = NULL;
    if (fd < 0) {
        /* A request is told so, when it comes; until then, another attempt may do better. */
        if (s->codec)
            unreachable(s, error);
        else if (http)
            relay_begin(s);
        else if (s->inbound && s->leg[DOWN].tls)
            session_refuse(s, TLS_ALERT_INTERNAL_ERROR, SESSION_END_CONNECT, error);
        else
            session_finish(s, SESSION_END_CONNECT, error, true);
        return;
    }
    net_keepalive(fd, session_limits(s)->keepalive);
    int err = endpoint_open(&s->leg[UP].ep, &s->worker->loop, &s->worker->endpoints, fd, remote->sa_family,
                            &relay_up_calls);
    s->handles += s->leg[UP].ep.open;
    if (err != 0) {
        session_finish(s, SESSION_END_ERROR, uv_strerror(err), true);
    } else if (s->codec && !s->inbound) {
        start_shaking(s);
    } else if (s->codec) {
        s->leg[UP].in_end = s->leg[UP].out_end = false;
        send_proxy_header(s);
        codec_connected(s->codec);
    } else if (s->inbound || s->runtime->outbound[s->index].ctx == NULL) {
        session_not_half_open(s);
        established(s);
    } else {
        const struct config *config = s->runtime->snapshot->config;
        s->state = SESSION_HANDSHAKE;
        s->deadline =
            config->tls.handshake_timeout ? uv_now(&s->worker->loop) + config->tls.handshake_timeout : 0;
        session_arm(s);
        s->worker->tls.in_size = 0;
        endpoint_read_start(&s->leg[UP].ep);
        start_handshake(s, s->runtime->outbound[s->index].ctx, NULL);
    }
}

void session_connect(struct session *s)
{
    const struct config *config = s->runtime->snapshot->config;
    const struct config_target *to =
        s->inbound ? &config->inbound[s->index].forward : &config->outbound[s->index].connect;
    struct dial_target target = {.host = to->host, .port = to->port, .path = to->path};
    char captured[NET_ADDR_TEXT];
    if (take_idle(s))
        return;
    if (s->captured.sa.sa_family != AF_UNSPEC) {
        target.host = net_addr_host_text(&s->captured.sa, captured, sizeof captured);
        target.port = net_addr_port(&s->captured.sa);
    }
    /* It may be over before it returns: then on_connected() has moved the state on. The session itself lives,
     * for its down leg's handle cannot be gone yet. */
    struct dial *dial = dial_start(&s->worker->loop, worker_resolver(s->worker, target.host), &target,
                                   session_limits(s)->connect_timeout, on_connected, s);
    if (dial)
        s->dial = dial;
}

static void start_connect(struct session *s)
{
    s->state = SESSION_CONNECT;
    s->deadline = 0;
    session_arm(s);
    session_connect(s);
}
