/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/probing.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = TLS_IO_HANDSHAKE_ROOM + 24 * 1024, CHUNK = 16 * 1024 };

const char *probing_result_name(enum probing_result result)
{
    static const char *const names[] = {"ok",     "local",     "usage",  "unreachable",
                                        "no_tls", "untrusted", "refused"};
    return names[result];
}

const char *probing_alert_words(enum tls_alert alert)
{
    switch (alert) {
    case TLS_ALERT_CERTIFICATE_REQUIRED: return "it demands a certificate, and we showed none";
    case TLS_ALERT_UNKNOWN_CA: return "it does not trust the CA that issued our certificate";
    case TLS_ALERT_CERTIFICATE_EXPIRED: return "by its clock our certificate is not valid now";
    case TLS_ALERT_CERTIFICATE_REVOKED: return "our certificate is on its revocation list";
    case TLS_ALERT_ACCESS_DENIED:
        return "it knows who we are, and its rules or the names that it lets in are against us";
    case TLS_ALERT_BAD_CERTIFICATE:
    case TLS_ALERT_CERTIFICATE_UNKNOWN: return "it cannot take our certificate; its log should say why";
    case TLS_ALERT_UNSUPPORTED_CERTIFICATE:
        return "our certificate is of a kind that it does not take: its key, or its usage";
    case TLS_ALERT_HANDSHAKE_FAILURE:
        return "nothing in common to go on with: suites, groups, or in TLS 1.2 a certificate that it would "
               "take";
    case TLS_ALERT_PROTOCOL_VERSION: return "it does not speak the TLS versions that we do";
    case TLS_ALERT_UNRECOGNIZED_NAME: return "it does not serve the name that we asked for by SNI";
    case TLS_ALERT_NO_APPLICATION_PROTOCOL: return "it speaks none of the protocols that we offered by ALPN";
    case TLS_ALERT_INTERNAL_ERROR: return "something went wrong on its side; its log should say what";
    default: return "its log should say why";
    }
}

static void end(struct probing *p, enum probing_result result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The first cause stays. */
static void end(struct probing *p, enum probing_result result, const char *format, ...)
{
    va_list args;
    if (p->result != PROBING_WELL)
        return;
    p->result = result;
    va_start(args, format);
    (void)vsnprintf(p->words, sizeof p->words, format, args);
    va_end(args);
}

/* --- resolving and connecting --- */

static void on_resolved(void *arg, const struct resolver_answer *answer)
{
    struct probing *p = arg;
    p->looked = true;
    for (size_t i = 0; i < answer->count && i < sizeof p->addr / sizeof *p->addr; i++)
        p->addr[p->addr_count++] = answer->addr[i];
    if (answer->count == 0)
        end(p, PROBING_UNREACHABLE, "%s: %s", p->offline->runtime->outbound[0].config->connect.host,
            answer->error);
}

static void on_dialled(void *arg, int fd, const char *error, const struct sockaddr *remote)
{
    struct probing *p = arg;
    p->looked = true;
    p->fd = fd;
    if (fd >= 0)
        (void)net_addr_text(remote, p->remote, sizeof p->remote);
    else
        end(p, PROBING_UNREACHABLE, "%s", error);
}

static void on_too_late(uv_timer_t *timer)
{
    struct probing *p = timer->data;
    end(p, PROBING_UNREACHABLE, "%s: no answer within %llu ms",
        p->offline->runtime->outbound[0].config->connect.host, (unsigned long long)p->timeout);
    p->looked = true;
}

static void wait_for(struct probing *p)
{
    while (!p->looked && uv_run(&p->loop, UV_RUN_ONCE) != 0) {
    }
}

static void resolve(struct probing *p, struct resolver *resolver, const struct config_target *to)
{
    struct resolver_lookup lookup = {0};
    union net_addr literal;
    uv_timer_t timer;
    uint64_t began = uv_hrtime();
    if (net_addr_literal(to->host, to->port, &literal))
        return;
    p->looked = false;
    (void)uv_timer_init(&p->loop, &timer);
    timer.data = p;
    (void)uv_timer_start(&timer, on_too_late, p->timeout, 0);
    (void)resolver_lookup(resolver, &lookup, to->host, to->port, on_resolved, p);
    wait_for(p);
    resolver_cancel(&lookup);
    uv_close((uv_handle_t *)&timer, NULL);
    (void)uv_run(&p->loop, UV_RUN_NOWAIT);
    p->resolve_ns = uv_hrtime() - began;
}

static void dial(struct probing *p, struct resolver *resolver, const struct config_target *to)
{
    struct dial_target target = {.host = to->host, .port = to->port, .path = to->path};
    uint64_t began = uv_hrtime();
    p->looked = false;
    struct dial *dialling = dial_start(&p->loop, resolver, &target, p->timeout, on_dialled, p);
    if (dialling)
        wait_for(p);
    p->connect_ns = uv_hrtime() - began;
}

static void reach(struct probing *p)
{
    const struct config_target *to = &p->offline->runtime->outbound[0].config->connect;
    struct resolver *resolver = NULL;
    const char *cause = "out of memory";
    if (uv_loop_init(&p->loop) != 0) {
        end(p, PROBING_LOCAL, "out of memory");
        return;
    }
    if (to->kind == CONFIG_TARGET_HOST && (resolver = resolver_new(&p->loop, NULL, &cause)) == NULL)
        end(p, PROBING_LOCAL, "names cannot be looked up: %s", cause);
    if (resolver)
        resolve(p, resolver, to);
    if (p->result == PROBING_WELL)
        dial(p, resolver, to);
    resolver_close(resolver);
    (void)uv_run(&p->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&p->loop);
}

/* --- bytes --- */

/* Sends what the stream has made. What cannot be sent is dropped: the peer's last word may still be read. */
static void flush(struct probing *p)
{
    const uint8_t *data = p->io.out;
    while (p->io.out_size != 0) {
        ssize_t n = write(p->fd, data, p->io.out_size);
        struct pollfd ready = {.fd = p->fd, .events = POLLOUT};
        if (n > 0) {
            data += n;
            p->io.out_size -= (size_t)n;
        } else if (n < 0 && errno != EINTR && (errno != EAGAIN || poll(&ready, 1, (int)p->timeout) <= 0)) {
            p->io.out_size = 0;
        }
    }
}

enum arrival { BYTES, TOO_LATE, GONE /* errno: why, 0: closed */ };

static enum arrival receive(struct probing *p, uint64_t deadline)
{
    while (true) {
        uint64_t now = uv_hrtime();
        struct pollfd ready = {.fd = p->fd, .events = POLLIN};
        int left = now < deadline ? (int)((deadline - now + 999999) / 1000000) : 0;
        ssize_t n = read(p->fd, p->in, CHUNK);
        if (n > 0) {
            p->io.in = p->in;
            p->io.in_size = (size_t)n;
            return BYTES;
        }
        if (n == 0)
            errno = 0;
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            return GONE;
        if (left == 0 || poll(&ready, 1, left) == 0)
            return TOO_LATE;
    }
}

/* --- TLS --- */

/* Whom we expect: allow_san, else server_name. */
static bool has_name(const struct config_outbound *out, const struct tls_peer *peer)
{
    struct tls_san_pattern pattern;
    for (size_t i = 0; i < out->allow_san.count; i++) {
        if (tls_san_compile(out->allow_san.item[i], &pattern) == NULL &&
            tls_san_match_peer(&pattern, 1, peer))
            return true;
    }
    return out->allow_san.count == 0 && out->server_name &&
           tls_san_compile(out->server_name, &pattern) == NULL && tls_san_match_peer(&pattern, 1, peer);
}

static void note(struct probing *p)
{
    const struct tls_ctx *ctx = p->offline->runtime->outbound[0].ctx;
    p->info = tls_stream_info(p->tls);
    p->alert_sent = tls_stream_alert_sent(p->tls);
    p->alert_received = tls_stream_alert_received(p->tls);
    /* Where we are the one to end it, ours is still to be sent. */
    p->info.showed = p->info.showed && (p->handshaken || p->alert_received != TLS_ALERT_NONE);
    p->verdict = *tls_stream_verdict(p->tls);
    p->peer = tls_stream_peer(p->tls);
    if (p->peer == NULL)
        return;
    p->named = has_name(p->offline->runtime->outbound[0].config, p->peer);
    (void)tls_judge_told(tls_ctx_trust(ctx), p->peer->chain, p->peer->chain_count, TLS_PURPOSE_SERVER,
                         time(NULL), &p->judged);
}

/* The stream failed, at once or after the handshake. */
static void failed(struct probing *p)
{
    note(p);
    if (p->alert_received != TLS_ALERT_NONE)
        end(p, PROBING_REFUSED, "peer sent alert %s: %s", tls_alert_name(p->alert_received),
            probing_alert_words(p->alert_received));
    else if (p->peer && (p->verdict.status != TLS_TRUSTED || !p->named))
        end(p, PROBING_UNTRUSTED, "%s", tls_stream_error_text(p->tls));
    else
        end(p, PROBING_NO_TLS, "%s", tls_stream_error_text(p->tls));
}

static void handshake(struct probing *p)
{
    uint64_t began = uv_hrtime(), deadline = began + p->timeout * 1000000;
    enum tls_result result;
    enum arrival arrival = BYTES;
    while (true) {
        result = tls_stream_handshake(p->tls);
        flush(p);
        if (result != TLS_WANT || (arrival = receive(p, deadline)) != BYTES)
            break;
    }
    p->handshake_ns = uv_hrtime() - began;
    p->handshaken = result == TLS_OK;
    note(p);
    if (result == TLS_FAILED)
        failed(p);
    else if (result == TLS_OK)
        return;
    else if (arrival == TOO_LATE)
        end(p, PROBING_UNREACHABLE, "the peer did not go on with the handshake within %llu ms",
            (unsigned long long)p->timeout);
    else
        end(p, PROBING_NO_TLS, "the peer closed the connection in the handshake without an alert%s%s",
            errno ? ": " : "", errno ? strerror(errno) : "");
}

/* Reads what is there. False: the stream is over. */
static bool read_all(struct probing *p)
{
    uint8_t data[4096];
    size_t size;
    enum tls_result result;
    while ((result = tls_stream_read(p->tls, data, sizeof data, &size)) == TLS_OK)
        p->spoke = true;
    explicit_bzero(data, sizeof data);
    p->closed = result == TLS_CLOSED;
    if (result == TLS_FAILED)
        failed(p);
    return result == TLS_WANT;
}

/*
 * In TLS 1.3 we are done before the peer has looked at our certificate, and rules are asked later still: a
 * refusal comes as an alert now, or never.
 */
static void hear(struct probing *p)
{
    uint64_t deadline = uv_hrtime() + p->wait * 1000000;
    enum arrival arrival = BYTES;
    while (read_all(p) && (arrival = receive(p, deadline)) == BYTES) {
    }
    if (p->result != PROBING_WELL)
        return;
    p->own = p->spoke ? PROBING_ACCEPTED : PROBING_SILENT;
    /* Without a word even of farewell: a way to refuse that says nothing. */
    if (arrival == GONE && !p->spoke && !p->closed)
        end(p, PROBING_REFUSED,
            "the peer closed the connection after the handshake, without an alert or a word");
    note(p);
}

static void speak_tls(struct probing *p)
{
    p->io.out = malloc(ROOM);
    p->io.out_cap = ROOM;
    p->in = malloc(CHUNK);
    p->tls = p->io.out && p->in ? tls_stream_new(p->offline->runtime->outbound[0].ctx, &p->io, NULL) : NULL;
    if (p->tls == NULL) {
        end(p, PROBING_LOCAL, "out of memory");
        return;
    }
    handshake(p);
    if (p->handshaken) {
        hear(p);
        (void)tls_stream_close_notify(p->tls);
        flush(p);
    }
}

void probing_run(struct probing *p)
{
    p->fd = -1;
    p->alert_sent = p->alert_received = TLS_ALERT_NONE;
    reach(p);
    if (p->fd >= 0)
        speak_tls(p);
    if (p->fd >= 0)
        (void)close(p->fd);
}

void probing_clear(struct probing *p)
{
    tls_stream_free(p->tls);
    free(p->io.out);
    free(p->in);
}
