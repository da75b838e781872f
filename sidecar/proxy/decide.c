/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/decide.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "sidecar/proxy/session.h"
#include "sidecar/proxy/worker.h"

enum { POOL = 512 * 1024 };

struct decide *decide_new(void)
{
    struct decide *d = calloc(1, sizeof *d);
    if (d == NULL)
        return NULL;
    if (!facts_init(&d->facts, POOL) || !rules_scratch_init(&d->scratch, RULES_SCRATCH_DEFAULT)) {
        decide_free(d);
        return NULL;
    }
    rules_context_init(&d->context, rules_scheme_standard(), facts_get, &d->facts);
    return d;
}

void decide_free(struct decide *d)
{
    if (d == NULL)
        return;
    facts_clear(&d->facts);
    rules_scratch_clear(&d->scratch);
    free(d);
}

/* A system call: only for rules that ask for it. */
static const union net_addr *local_address(void *arg)
{
    struct decide *d = arg;
    const struct session *s = d->session;
    struct sockaddr_storage addr = {0};
    socklen_t size = sizeof addr;
    uv_os_fd_t fd;
    if (uv_fileno(&s->leg[DOWN].ep.uv.handle, &fd) != 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &size) != 0)
        return NULL;
    net_addr_set(&d->local, (const struct sockaddr *)&addr);
    return &d->local;
}

void decide_prepare(struct decide *d, const struct session *s)
{
    const struct config *config = s->runtime->snapshot->config;
    const struct tls_stream *tls = s->leg[session_tls_side(s)].tls;
    struct facts *f = &d->facts;
    d->session = s;
    facts_reset(f);
    rules_context_reset(&d->context, 0xff);
    f->inbound = s->inbound ? session_name(s) : NULL;
    f->source = &s->peer;
    f->local = local_address;
    f->local_arg = d;
    f->hello = s->hello;
    f->ledger = s->worker->shared->ledger;
    f->ticket = &s->ticket;
    f->now = time(NULL);
    if (tls == NULL)
        return;
    d->info = tls_stream_info(tls);
    f->tls = &d->info;
    f->ca = s->ca != 0 && s->ca <= config->ca_count ? config->ca[s->ca - 1].name : NULL;
    f->peer = tls_stream_peer(tls);
    f->verdict = tls_stream_verdict(tls);
    /* Trust may have changed since the handshake. */
    const struct tls_ctx *ctx =
        s->inbound ? s->runtime->inbound[s->index].ctx[s->ca] : s->runtime->outbound[s->index].ctx;
    if (f->peer && ctx)
        f->verdict = tls_peer_verdict(tls_stream_peer(tls), tls_ctx_trust(ctx), tls_ctx_purpose(ctx), f->now);
}

/* Begins a line about what matched and has no effect; false: none may be written now. */
static bool begin_note(const struct session *s, struct log_line *line, const char *event, const char *what)
{
    struct worker_unsaid unsaid;
    if (!log_wants(s->worker->log, LOG_INFO) || !worker_may_log_refusal(s->worker, 0, &unsaid))
        return false;
    log_begin(line, s->worker->log, LOG_INFO, event, what);
    worker_log_unsaid(line, &unsaid);
    return true;
}

static void end_note(const struct session *s, struct log_line *line, bool dry_run)
{
    char address[NET_ADDR_TEXT];
    log_bool(line, "dry_run", dry_run);
    log_text(line, "inbound", session_name(s));
    log_text(line, "peer", net_addr_text(&s->peer.sa, address, sizeof address));
    log_end(line);
}

void decide_note(const struct session *s, const struct ruleset *rules,
                 const struct ruleset_decision *decision)
{
    unsigned count = decision->notes < RULESET_NOTES_MAX ? decision->notes : RULESET_NOTES_MAX;
    for (unsigned i = 0; i < count; i++) {
        static const char *const would[] = {"would refuse", "would allow", "matches", "would skip the rest"};
        size_t rule = decision->note[i];
        struct log_line line;
        if (!begin_note(s, &line, "rule", would[ruleset_action(rules, rule)]))
            return;
        log_text(&line, "rule", ruleset_name(rules, rule));
        end_note(s, &line, ruleset_dry_run(rules, rule));
    }
}

void decide_note_limits(const struct session *s, const struct ratelimits *limits,
                        const struct ratelimit_decision *decision)
{
    unsigned count = decision->notes < RATELIMIT_NOTES_MAX ? decision->notes : RATELIMIT_NOTES_MAX;
    for (unsigned i = 0; i < count; i++) {
        struct log_line line;
        if (!begin_note(s, &line, "ratelimit", "over the limit"))
            return;
        log_text(&line, "ratelimit", ratelimits_name(limits, decision->note[i]));
        end_note(s, &line, false);
    }
}

/* --- quarantine --- */

static void say_quarantine(const struct session *s, const char *name, const char *what)
{
    const struct tls_peer *peer = tls_stream_peer(s->leg[DOWN].tls);
    struct log_line line;
    log_begin(&line, s->worker->log, LOG_WARN, "quarantine", what);
    log_text(&line, "quarantine", name);
    log_text(&line, "inbound", session_name(s));
    log_text(&line, "subject", peer->subject);
    log_text(&line, "sha256", peer->sha256);
    log_end(&line);
}

/* The table is there for snapshots that ask for it, and must not be looked for by others: the main thread
 * takes it when the first comes. */
static const struct tls_peer *quarantine_peer(const struct session *s)
{
    if (s->runtime->snapshot->config->quarantine_count == 0 || s->leg[DOWN].tls == NULL)
        return NULL;
    return tls_stream_peer(s->leg[DOWN].tls);
}

const char *decide_quarantined(const struct session *s)
{
    const struct proxy_policy *policy = s->runtime->snapshot->shared->policy;
    const struct tls_peer *peer = quarantine_peer(s);
    uint64_t now = uv_now(&s->worker->loop);
    for (size_t i = 0; peer && i < policy->config->quarantine_count; i++) {
        const struct proxy_policy_quarantine *q = &policy->quarantine[i];
        if (!q->log_only && proxy_policy_quarantines(policy, i, session_name(s)) &&
            quarantine_left(s->worker->shared->quarantine, &q->rule, peer->fingerprint, now) != 0)
            return q->rule.name;
    }
    return NULL;
}

void decide_refused(const struct session *s)
{
    const struct proxy_policy *policy = s->runtime->snapshot->shared->policy;
    const struct tls_peer *peer = quarantine_peer(s);
    uint64_t now = uv_now(&s->worker->loop);
    for (size_t i = 0; peer && i < policy->config->quarantine_count; i++) {
        const struct proxy_policy_quarantine *q = &policy->quarantine[i];
        if (!proxy_policy_quarantines(policy, i, session_name(s)) ||
            !quarantine_note(s->worker->shared->quarantine, &q->rule, peer->fingerprint, now))
            continue;
        counter_add(&s->worker->counters, COUNTER_QUARANTINED, 1);
        say_quarantine(s, q->rule.name, q->log_only ? "would refuse it from now on" : "refused from now on");
    }
}

/* --- sequences --- */

static void note_broken(const struct session *s, const struct sequences *sequences,
                        const struct sequence_decision *decision)
{
    unsigned count = decision->notes < SEQUENCE_NOTES_MAX ? decision->notes : SEQUENCE_NOTES_MAX;
    for (unsigned i = 0; i < count; i++) {
        size_t number = decision->note[i].sequence;
        struct log_line line;
        if (!begin_note(s, &line, "sequence",
                        sequences_action(sequences, number) == RULESET_LOG ? "broken" : "would refuse"))
            return;
        log_text(&line, "sequence", sequences_name(sequences, number));
        log_text(&line, "step", sequences_step(sequences, number, decision->note[i].step));
        end_note(s, &line, sequences_dry_run(sequences, number));
    }
}

bool decide_order(struct decide *d, const struct session *s, struct decide_broken *broken)
{
    const struct snapshot_config *shared = s->runtime->snapshot->shared;
    const struct sequences *sequences = shared->policy->sequences;
    const struct sequence_plan *plan = shared->policy->inbound[s->index].sequences;
    const struct tls_peer *peer = s->leg[DOWN].tls ? tls_stream_peer(s->leg[DOWN].tls) : NULL;
    struct sequence_decision decision;
    if (sequence_plan_count(plan) == 0)
        return true;
    sequence_request(plan, s->worker->shared->sequences, peer ? peer->fingerprint : NULL, &d->context,
                     &d->scratch, uv_now(&s->worker->loop), shared->sequence_counters[s->worker->index],
                     &decision);
    note_broken(s, sequences, &decision);
    if (!decision.refuse) {
        if (decision.broken)
            decide_refused(s);
        return true;
    }
    *broken = (struct decide_broken){
        .sequence = sequences_name(sequences, (size_t)decision.sequence),
        .step = sequences_step(sequences, (size_t)decision.sequence, decision.step),
        .status = decision.status,
        .body = decision.body,
    };
    return false;
}

/* --- connections --- */

void decide_words(const struct facts *f, const struct ruleset_decision *decision, const char *rule,
                  char *words, size_t size)
{
    if (decision->reason != RULESET_BY_DEFAULT)
        (void)snprintf(words, size, "rule %s refuses", rule);
    else if (f->peer && f->verdict->status != TLS_TRUSTED)
        (void)snprintf(words, size, "not verified: %s", f->verdict->words);
    else
        (void)snprintf(words, size, "not verified: %s",
                       f->peer ? "no rule lets it pass" : "no certificate presented");
}

bool decide_connection(struct decide *d, struct session *s, bool live, char *words, size_t size)
{
    const struct snapshot *snapshot = s->runtime->snapshot;
    const struct proxy_policy *policy = snapshot->shared->policy;
    const struct proxy_policy_inbound *in = &policy->inbound[s->index];
    struct ruleset_counter *counters = snapshot->shared->rule_counters[s->worker->index];
    struct ruleset_decision decision;

    free(s->rule_state);
    bool final = !in->http || s->tcp;
    s->rule_state = !final ? calloc(in->state_words + 1, sizeof *s->rule_state) : NULL;
    if (!final && s->rule_state == NULL) {
        (void)snprintf(words, size, "out of memory");
        return false;
    }
    decide_prepare(d, s);
    ruleset_connect(in->rules, &d->context, &d->scratch, final, s->rule_state, counters, &decision);
    decide_note(s, policy->rules, &decision);
    const char *quarantine = decide_quarantined(s);
    if (quarantine && final) {
        s->verdict = RULESET_REFUSE;
        s->rule = quarantine;
        (void)snprintf(words, size, "quarantine %s refuses", quarantine);
        return false;
    }
    s->verdict = (uint8_t)decision.verdict;
    s->rule = decision.rule >= 0 ? ruleset_name(policy->rules, (size_t)decision.rule) : NULL;
    s->rule_body = decision.body;
    s->rule_status = decision.status;
    if (decision.verdict != RULESET_REFUSE)
        return true;
    /* plaintext = allow says that such callers may come; rules may still say otherwise. */
    if (decision.reason == RULESET_BY_DEFAULT && s->leg[DOWN].tls == NULL &&
        snapshot->config->rules.fallback == CONFIG_RULES_AUTO) {
        s->verdict = RULESET_PASS;
        return true;
    }
    decide_words(&d->facts, &decision, s->rule, words, size);
    if (final && !live)
        decide_refused(s);
    return false;
}
