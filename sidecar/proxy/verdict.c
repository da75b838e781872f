/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Judging live sessions again: after a change of trust or configuration, and when a verdict runs out. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sidecar/proxy/codec.h"
#include "sidecar/proxy/decide.h"
#include "sidecar/proxy/report.h"
#include "sidecar/proxy/session.h"
#include "sidecar/proxy/worker.h"

/* The inbound or outbound of the same name in RUNTIME; false: it is gone. */
static bool find_section(const struct session *s, const struct runtime *runtime, uint32_t *index)
{
    const struct config *config = runtime->snapshot->config;
    const char *name = session_name(s);
    size_t count = s->inbound ? config->inbound_count : config->outbound_count;
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(s->inbound ? config->inbound[i].name : config->outbound[i].name, name) == 0) {
            *index = i;
            return true;
        }
    }
    return false;
}

static struct tls_ctx *context_of(struct session *s, const struct runtime *runtime, uint32_t index)
{
    size_t ca;
    if (!s->inbound)
        return runtime->outbound[index].ctx;
    struct tls_ctx *ctx = runtime_select(runtime, index, tls_stream_info(s->leg[DOWN].tls).sni, &ca);
    s->ca = (uint16_t)ca;
    return ctx;
}

static void end_untrusted(struct session *s, enum tls_alert alert, const char *why)
{
    enum session_side side = session_tls_side(s);
    struct worker *w = s->worker;
    counter_add(&w->counters, COUNTER_JUDGED_ENDED, 1);
    if (s->leg[side].tls) {
        w->tls.out_size = 0;
        tls_stream_alert(s->leg[side].tls, alert, why);
        session_flush_tls(s, side);
    }
    /* The alert goes out, then the connection: both sides learn at once that it is over. */
    if (s->state != SESSION_CLOSED)
        session_refuse(s, TLS_ALERT_NONE, SESSION_END_UNTRUSTED, why);
}

static void condemn(struct session *s, enum tls_alert alert, const char *why, enum config_on_untrusted how)
{
    const struct config *config = s->runtime->snapshot->config;
    if (how == CONFIG_ON_UNTRUSTED_KEEP)
        return;
    /* Whoever is in the grace that a rule gave and then loses its trust has no more of it. */
    if (how == CONFIG_ON_UNTRUSTED_CLOSE || config->tls.trust_grace == 0) {
        end_untrusted(s, alert, why);
        return;
    }
    if (s->condemned)
        return;
    s->condemned = true;
    s->condemned_alert = (int8_t)alert;
    if (s->codec)
        codec_drain(s->codec, false);
    if (s->state != SESSION_RELAY && s->state != SESSION_CONNECT)
        return;
    free(s->why);
    s->why = strdup(why);
    s->deadline = uv_now(&s->worker->loop) + config->tls.trust_grace;
    session_arm(s);
}

void session_judge_grace_over(struct session *s)
{
    end_untrusted(s, (enum tls_alert)s->condemned_alert, s->why ? s->why : "no longer trusted");
}

/* Whether a session of this state has been admitted and can be judged at all. */
static bool is_live(const struct session *s)
{
    return s->state == SESSION_RELAY || (s->state == SESSION_CONNECT && s->inbound);
}

/* A rule that refuses now drains; of HTTP what is in work is finished, and further requests are told so. */
static bool judge_by_rules(struct session *s)
{
    char words[320];
    bool http = session_is_http(s) && !s->tcp;
    if (http && s->state == SESSION_RELAY && s->codec == NULL && !s->sniff) {
        condemn(s, TLS_ALERT_ACCESS_DENIED, "it began before its requests were looked at",
                CONFIG_ON_UNTRUSTED_DRAIN);
        return false;
    }
    if (decide_connection(s->worker->decide, s, true, words, sizeof words))
        return true;
    if (http) {
        if (s->codec)
            codec_drain(s->codec, false);
        return true;
    }
    condemn(s, TLS_ALERT_ACCESS_DENIED, words, CONFIG_ON_UNTRUSTED_DRAIN);
    return false;
}

static void keep(struct session *s)
{
    counter_add(&s->worker->counters, COUNTER_JUDGED_KEPT, 1);
    if (!s->condemned)
        return;
    s->condemned = false;
    s->deadline = 0;
    session_arm(s);
}

static const char gone[] = "its section is no longer in the configuration";

static void move_to(struct session *s, struct runtime *runtime, uint32_t index)
{
    if (s->runtime == runtime)
        return;
    runtime_unref(s->runtime);
    s->runtime = runtime_ref(runtime);
    s->index = index;
    s->rule = NULL; /* it was the old snapshot's */
    session_arm(s);
}

bool session_renew(struct session *s)
{
    struct runtime *runtime = s->worker->runtime;
    uint32_t index = 0;
    if (s->runtime == runtime)
        return true;
    if (!find_section(s, runtime, &index)) {
        session_finish(s, SESSION_END_REFUSED, gone, true);
        return false;
    }
    move_to(s, runtime, index);
    return true;
}

/* Whether the peer of S, which has a TLS leg, is admitted by the runtime that S is in; else *ALERT and WHY.
 */
static bool is_admitted(struct session *s, enum tls_alert *alert, char *why, size_t why_size)
{
    struct tls_stream *tls = s->leg[session_tls_side(s)].tls;
    struct tls_ctx *ctx = context_of(s, s->runtime, s->index);
    struct tls_peer *peer = tls_stream_peer(tls);
    int64_t now = time(NULL);
    *alert = TLS_ALERT_ACCESS_DENIED;
    if (ctx == NULL) {
        (void)snprintf(why, why_size, "its section no longer speaks TLS");
        return false;
    }
    bool admitted = tls_stream_admitted(tls, ctx, now, why, why_size);
    const struct tls_verdict *verdict =
        peer ? tls_peer_verdict(peer, tls_ctx_trust(ctx), tls_ctx_purpose(ctx), now) : NULL;
    if (admitted && verdict)
        worker_recheck_at(s->worker, verdict->recheck_at);
    enum tls_status status = verdict ? verdict->status : TLS_NONE_PRESENTED;
    if (!admitted && status != TLS_TRUSTED)
        *alert = tls_status_alert(status);
    return admitted;
}

bool session_admits_service(struct session *s, char *why, size_t size)
{
    enum tls_alert alert;
    return is_admitted(s, &alert, why, size);
}

/*
 * Requests outlive the connection that they go out on: one that is no longer trusted is closed, and who waits
 * for an answer on it is told; where no request is open, the next one has a new connection made, by what
 * holds then.
 */
static void judge_service(struct session *s)
{
    struct leg *leg = &s->leg[UP];
    struct worker *w = s->worker;
    enum config_on_untrusted how = s->runtime->snapshot->config->tls.on_untrusted;
    enum tls_alert alert;
    char why[320] = "";
    if (leg->in_end) {
        keep(s);
        return;
    }
    if (is_admitted(s, &alert, why, sizeof why)) {
        if (codec_idle(s->codec) && tls_stream_ctx(leg->tls) != context_of(s, s->runtime, s->index))
            session_drop_service(s);
        keep(s);
        return;
    }
    if (how == CONFIG_ON_UNTRUSTED_KEEP || (how == CONFIG_ON_UNTRUSTED_DRAIN && !codec_idle(s->codec))) {
        condemn(s, alert, why, how);
        return;
    }
    counter_add(&w->counters, COUNTER_JUDGED_ENDED, 1);
    report_service(s, why);
    w->tls.out_size = 0;
    tls_stream_alert(leg->tls, alert, why);
    session_flush_tls(s, UP);
    if (s->state == SESSION_RELAY)
        relay_lose_service(s, 502, "the upstream server is no longer trusted");
}

bool session_judge_new(struct session *s)
{
    struct runtime *runtime = s->worker->runtime;
    uint32_t index = 0;
    enum tls_alert alert = TLS_ALERT_ACCESS_DENIED;
    char why[320] = "";
    if (s->runtime == runtime)
        return true;
    if (!find_section(s, runtime, &index)) {
        session_refuse(s, alert, SESSION_END_REFUSED, gone);
        return false;
    }
    move_to(s, runtime, index);
    if (is_admitted(s, &alert, why, sizeof why))
        return true;
    session_refuse(s, alert, SESSION_END_REFUSED, why);
    return false;
}

void session_judge(struct session *s)
{
    struct runtime *runtime = s->worker->runtime;
    uint32_t index = 0;
    enum tls_alert alert;
    char why[320] = "";
    if (!is_live(s))
        return;
    if (!find_section(s, runtime, &index)) {
        condemn(s, TLS_ALERT_ACCESS_DENIED, gone, CONFIG_ON_UNTRUSTED_DRAIN);
        return;
    }
    move_to(s, runtime, index);
    if (!s->inbound && s->codec && !session_has_service(s)) {
        keep(s); /* a handshake that is not over is judged when it is */
        return;
    }
    if (!s->inbound && s->codec && s->codec->kind == CODEC_HTTP1) {
        judge_service(s);
        return;
    }
    if (s->leg[session_tls_side(s)].tls && !is_admitted(s, &alert, why, sizeof why)) {
        condemn(s, alert, why, runtime->snapshot->config->tls.on_untrusted);
        return;
    }
    if (!s->inbound || judge_by_rules(s))
        keep(s);
}
