/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/report.h"

#include <string.h>

#include "sidecar/proxy/filehash.h"
#include "sidecar/proxy/tally.h"
#include "sidecar/proxy/worker.h"

static const struct {
    const char *name;
    enum counter counter;
} ends[] = {
    [SESSION_END_CLOSED] = {"closed", COUNTER_END_CLOSED},
    [SESSION_END_RESET] = {"reset", COUNTER_END_RESET},
    [SESSION_END_TRUNCATED] = {"truncated", COUNTER_END_TRUNCATED},
    [SESSION_END_REFUSED] = {"refused", COUNTER_END_REFUSED},
    [SESSION_END_CONNECT] = {"connect_failed", COUNTER_END_CONNECT},
    [SESSION_END_TIMEOUT] = {"timeout", COUNTER_END_TIMEOUT},
    [SESSION_END_UNTRUSTED] = {"untrusted", COUNTER_END_UNTRUSTED},
    [SESSION_END_DRAINED] = {"drained", COUNTER_END_DRAINED},
    [SESSION_END_ERROR] = {"error", COUNTER_END_ERROR},
};

static void identity(struct log_line *line, const struct tls_peer *peer)
{
    char sans[512];
    if (peer == NULL)
        return;
    tls_san_describe(peer, sans, sizeof sans);
    log_text(line, "subject", peer->subject);
    log_text(line, "san", sans);
    log_text(line, "serial", peer->serial);
    log_text(line, "sha256", peer->sha256);
    log_text(line, "issuer", peer->issuer);
}

static void tls_facts(struct log_line *line, const struct tls_stream *tls)
{
    struct tls_stream_info info = tls_stream_info(tls);
    log_text(line, "tls", info.version);
    log_text(line, "cipher", info.cipher);
    log_text(line, "group", info.group);
    log_text(line, "sni", info.sni);
    log_text(line, "alpn", info.alpn);
    log_bool(line, "verified", info.verified);
    if (info.resumed)
        log_bool(line, "resumed", true);
    if (tls_stream_alert_sent(tls) != TLS_ALERT_NONE)
        log_text(line, "alert_sent", tls_alert_name(tls_stream_alert_sent(tls)));
    if (tls_stream_alert_received(tls) != TLS_ALERT_NONE)
        log_text(line, "alert_received", tls_alert_name(tls_stream_alert_received(tls)));
}

/* Who it is and why: what makes a refusal the same as another. */
static uint64_t kind(const struct session *s, enum session_end end, const char *why)
{
    const struct tls_stream *tls = s->leg[session_tls_side(s)].tls;
    const struct tls_peer *peer = tls ? tls_stream_peer(tls) : NULL;
    const char *name = session_name(s);
    char address[NET_ADDR_TEXT];
    uint64_t hash = filehash_more(FILEHASH_EMPTY, &end, sizeof end);
    hash = filehash_more(hash, name, strlen(name));
    hash = filehash_more(hash, why ? why : "", why ? strlen(why) : 0);
    if (peer)
        return filehash_more(hash, peer->fingerprint, sizeof peer->fingerprint);
    (void)net_addr_host_text(&s->peer.sa, address, sizeof address);
    return filehash_more(hash, address, strlen(address));
}

/* Whether this end is worth its own line now. */
static bool wanted(const struct session *s, enum session_end end, const char *why, enum log_level level,
                   struct worker_unsaid *unsaid)
{
    const struct config *config = s->runtime->snapshot->config;
    *unsaid = (struct worker_unsaid){0};
    if (!log_wants(s->worker->log, level))
        return false;
    if (end == SESSION_END_REFUSED || end == SESSION_END_CONNECT)
        return worker_may_log_refusal(s->worker, kind(s, end, why), unsaid);
    return end == SESSION_END_UNTRUSTED || config->sidecar.log_sessions;
}

void report_session(struct session *s, enum session_end end, const char *why)
{
    struct worker *w = s->worker;
    const struct tls_stream *tls = s->leg[session_tls_side(s)].tls;
    bool failed = end == SESSION_END_REFUSED || end == SESSION_END_CONNECT || end == SESSION_END_UNTRUSTED;
    enum log_level level = failed ? LOG_WARN : LOG_INFO;
    struct log_line line;
    char address[NET_ADDR_TEXT];
    struct worker_unsaid unsaid;

    counter_add(&w->counters, ends[end].counter, 1);
    tally_end(s, end, why);
    /* Somebody who connected and went without a byte, a probe of the port, is no news. */
    if (end == SESSION_END_CLOSED && s->inbound && tls == NULL && s->bytes[DOWN] + s->bytes[UP] == 0)
        level = LOG_DEBUG;
    if (!wanted(s, end, why, level, &unsaid))
        return;
    log_begin(&line, w->log, level, end == SESSION_END_REFUSED ? "refused" : "session", why);
    log_text(&line, s->inbound ? "inbound" : "outbound", session_name(s));
    log_text(&line, "end", ends[end].name);
    log_text(&line, "peer",
             s->peer.sa.sa_family == AF_UNSPEC ? "unix"
                                               : net_addr_text(&s->peer.sa, address, sizeof address));
    if (s->captured.sa.sa_family != AF_UNSPEC)
        log_text(&line, "destination", net_addr_text(&s->captured.sa, address, sizeof address));
    if (tls) {
        identity(&line, tls_stream_peer(tls));
        tls_facts(&line, tls);
    }
    if (end == SESSION_END_REFUSED || end == SESSION_END_UNTRUSTED)
        log_text(&line, "rule", s->rule);
    log_number(&line, "bytes_in", s->bytes[DOWN]);
    log_number(&line, "bytes_out", s->bytes[UP]);
    log_number(&line, "duration_ms", uv_now(&w->loop) - s->started);
    worker_log_unsaid(&line, &unsaid);
    log_end(&line);
}

void report_service(const struct session *s, const char *why)
{
    struct worker *w = s->worker;
    const struct tls_stream *tls = s->inbound ? NULL : s->leg[UP].tls;
    struct log_line line;
    char address[NET_ADDR_TEXT];
    struct worker_unsaid unsaid;
    if (!log_wants(w->log, LOG_WARN) ||
        !worker_may_log_refusal(w, kind(s, SESSION_END_CONNECT, why), &unsaid))
        return;
    log_begin(&line, w->log, LOG_WARN, "upstream", why);
    log_text(&line, s->inbound ? "inbound" : "outbound", session_name(s));
    if (s->captured.sa.sa_family != AF_UNSPEC)
        log_text(&line, "destination", net_addr_text(&s->captured.sa, address, sizeof address));
    if (tls) {
        identity(&line, tls_stream_peer(tls));
        tls_facts(&line, tls);
    }
    worker_log_unsaid(&line, &unsaid);
    log_end(&line);
}
