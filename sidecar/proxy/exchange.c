/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/exchange.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sidecar/http/headers.h"
#include "sidecar/http/identity.h"
#include "sidecar/proxy/caller.h"
#include "sidecar/proxy/codec.h"
#include "sidecar/proxy/decide.h"
#include "sidecar/proxy/filehash.h"
#include "sidecar/proxy/tally.h"
#include "sidecar/proxy/worker.h"

enum { HOST_MAX = 256 };

/* What refused a request; where it has a name, that is exchange.rule. */
enum refused_by {
    BY_NONE,
    BY_RULE,
    BY_DEFAULT,
    BY_RATELIMIT,
    BY_QUARANTINE,
    BY_SEQUENCE,
    BY_HOST,
    BY_PATH,
};

/* What is remembered of a request until it ends. */
struct exchange {
    const char *rule; /* that refused; its snapshot's, which the session holds */
    const char *step; /* of a sequence */
    enum refused_by by;
    uint64_t began; /* ns of uv_hrtime() */
    bool json;      /* what answers it of our own are to be */
    struct ratelimit_pending pending;
    struct facts_request *request;               /* a copy; where the response asks for it */
    struct snapshot_config *shared;              /* referenced where rule or pending are of it, else NULL */
    size_t host_at, host_size;                   /* in text */
    char trace[HEADERS_TRACEPARENT + 1];         /* "": it has none */
    char request_id[HEADERS_REQUEST_ID_MAX + 1]; /* likewise */
    char text[];                                 /* method, blank, host, blank, target */
};

/* A request as both codecs have it, and what becomes of it. */
struct ask {
    struct codec *codec;
    struct facts_request facts;
    struct http_field *fields;
    size_t field_count;
    /* The answer; status 0: pass. */
    int status;
    struct http_str message, type;
    const struct http_field *add;
    size_t add_count;
    bool recalled; /* the response asks for facts of the request */
    struct http_field extra[2];
    char retry_after[24];
    struct exchange *exchange;
};

static const struct proxy_policy *policy_of(const struct session *s)
{
    return s->runtime->snapshot->shared->policy;
}

static bool is_json_wanted(const struct ask *a)
{
    for (size_t i = 0; i < a->field_count; i++) {
        const struct http_field *f = &a->fields[i];
        if (f->name.n == 6 && memcmp(f->name.p, "accept", 6) == 0)
            return f->value.n >= 16 && memmem(f->value.p, f->value.n, "application/json", 16) != NULL;
    }
    return false;
}

static struct http_str str(const char *text)
{
    return (struct http_str){text, strlen(text)};
}

/* An answer of our own; BODY (or NULL for the usual one) is for the caller's eyes, so it tells no more. */
static void answer(struct ask *a, int status, const char *body)
{
    bool json = a->exchange ? a->exchange->json : is_json_wanted(a);
    a->status = status;
    a->type = json ? HTTP_STR("application/json") : HTTP_STR("text/plain; charset=utf-8");
    if (body) {
        a->message = str(body);
        a->type = body[0] == '{' ? HTTP_STR("application/json") : HTTP_STR("text/plain; charset=utf-8");
    } else if (json) {
        switch (status) {
        case 429: a->message = HTTP_STR("{\"error\":\"too many requests\"}\n"); break;
        case 421: a->message = HTTP_STR("{\"error\":\"misdirected request\"}\n"); break;
        case 400: a->message = HTTP_STR("{\"error\":\"bad request\"}\n"); break;
        default: a->message = HTTP_STR("{\"error\":\"access denied\"}\n"); break;
        }
    } else {
        switch (status) {
        case 429: a->message = HTTP_STR("too many requests\n"); break;
        case 421: a->message = HTTP_STR("misdirected request\n"); break;
        case 400: a->message = HTTP_STR("bad request\n"); break;
        default: a->message = HTTP_STR("access denied\n"); break;
        }
    }
}

void exchange_answer1(void *ctx, void *user, struct http1_verdict *verdict)
{
    const struct codec *c = ctx;
    const struct exchange *e = user;
    char *out = c->session->worker->codec->answer;
    const size_t room = sizeof c->session->worker->codec->answer - sizeof "{\"error\":\"\"}\n";
    bool json = e && e->json;
    size_t n = 0, size = verdict->message.n;
    while (size != 0 && verdict->message.p[size - 1] == '\n')
        size--;
    if (size > room)
        size = room;
    if (json)
        n = (size_t)sprintf(out, "{\"error\":\"");
    for (size_t i = 0; i < size; i++) {
        char character = verdict->message.p[i];
        bool harmless = character >= ' ' && character <= '~' && character != '"' && character != '\\';
        out[n++] = harmless || !json ? character : '\'';
    }
    n += (size_t)sprintf(out + n, json ? "\"}\n" : "\n");
    verdict->message = (struct http_str){out, n};
    verdict->type = json ? HTTP_STR("application/json") : HTTP_STR("text/plain; charset=utf-8");
}

/* --- judging --- */

/* A host that belongs to another CA than the one this connection's caller was judged by (RFC 9110, 15.5.20).
 */
static bool is_foreign(const struct session *s, struct http_str host)
{
    char name[HOST_MAX];
    size_t ca, n = 0;
    if (s->leg[DOWN].tls == NULL || s->runtime->snapshot->config->ca_count == 0)
        return false;
    while (n < host.n && n < sizeof name - 1 && host.p[n] != ':' && host.p[n] != '/') {
        name[n] = (char)tolower((unsigned char)host.p[n]);
        n++;
    }
    if (n > 0 && name[n - 1] == '.')
        n--;
    name[n] = '\0';
    (void)runtime_select(s->runtime, s->index, name, &ca);
    return ca != s->ca;
}

static bool by_quarantine(struct ask *a, const struct session *s)
{
    a->exchange->rule = decide_quarantined(s);
    if (a->exchange->rule == NULL)
        return true;
    a->exchange->by = BY_QUARANTINE;
    answer(a, 403, NULL);
    return false;
}

static const char by_default[] = "[rules] default";

static bool by_connection(struct ask *a, const struct session *s)
{
    if (s->verdict != RULESET_REFUSE)
        return true;
    a->exchange->rule = s->rule ? s->rule : by_default;
    a->exchange->by = s->rule ? BY_RULE : BY_DEFAULT;
    answer(a, s->rule_status ? (int)s->rule_status : 403, s->rule_body);
    return false;
}

static bool by_rules(struct ask *a, struct decide *d, const struct session *s)
{
    const struct snapshot_config *shared = s->runtime->snapshot->shared;
    const struct proxy_policy *policy = shared->policy;
    struct ruleset_decision decision;
    if (s->verdict != RULESET_WAIT)
        return true;
    ruleset_request(policy->inbound[s->index].rules, &d->context, &d->scratch, s->rule_state,
                    shared->rule_counters[s->worker->index], &decision);
    decide_note(s, policy->rules, &decision);
    if (decision.verdict != RULESET_REFUSE)
        return true;
    a->exchange->rule = decision.rule >= 0 ? ruleset_name(policy->rules, (size_t)decision.rule) : by_default;
    a->exchange->by = decision.rule >= 0 ? BY_RULE : BY_DEFAULT;
    answer(a, decision.status ? (int)decision.status : 403, decision.body);
    return false;
}

static bool by_limits(struct ask *a, struct decide *d, const struct session *s)
{
    const struct snapshot_config *shared = s->runtime->snapshot->shared;
    const struct ratelimit_plan *plan = shared->policy->inbound[s->index].limits;
    struct ratelimit_decision decision = {0};
    if (ratelimit_plan_count(plan) == 0)
        return true;
    ratelimit_request(plan, s->worker->shared->limits, &d->context, &d->scratch, uv_now(&s->worker->loop),
                      shared->limit_counters[s->worker->index], &a->exchange->pending, &decision);
    decide_note_limits(s, shared->policy->limits, &decision);
    if (!decision.refuse)
        return true;
    a->exchange->by = BY_RATELIMIT;
    a->exchange->rule = ratelimits_name(shared->policy->limits, (size_t)decision.limit);
    answer(a, decision.status ? (int)decision.status : 429, decision.body);
    (void)snprintf(a->retry_after, sizeof a->retry_after, "%llu",
                   (unsigned long long)((decision.retry_after + 999) / 1000));
    a->extra[0] = (struct http_field){
        .name = HTTP_STR("retry-after"), .value = str(a->retry_after), .spelling = "Retry-After"};
    a->add = a->extra;
    a->add_count = 1;
    return false;
}

/* The last: a request that is refused is no step. */
static bool by_order(struct ask *a, struct decide *d, const struct session *s)
{
    struct decide_broken broken;
    if (decide_order(d, s, &broken))
        return true;
    a->exchange->by = BY_SEQUENCE;
    a->exchange->rule = broken.sequence;
    a->exchange->step = broken.step;
    answer(a, (int)broken.status, broken.body);
    return false;
}

static bool judge(struct ask *a, struct decide *d)
{
    struct session *s = a->codec->session;
    const struct proxy_policy_inbound *in = &policy_of(s)->inbound[s->index];
    if (is_foreign(s, a->facts.host)) {
        a->exchange->by = BY_HOST;
        answer(a, 421, NULL);
        return false;
    }
    if (in->path && s->runtime->inbound[s->index].config->path_ambiguity == CONFIG_PATH_AMBIGUITY_REFUSE) {
        struct rules_value path;
        if (facts_get(&d->facts, RULES_FIELD_PATH, &path) && d->facts.ambiguous) {
            a->exchange->by = BY_PATH;
            answer(a, 400, NULL);
            return false;
        }
    }
    if (!by_quarantine(a, s))
        return false;
    if (by_connection(a, s) && by_rules(a, d, s) && by_limits(a, d, s) && by_order(a, d, s))
        return true;
    decide_refused(s);
    return false;
}

/* --- headers --- */

static size_t append(char *text, size_t at, struct http_str part, char after)
{
    if (part.n != 0)
        memcpy(text + at, part.p, part.n);
    text[at + part.n] = after;
    return at + part.n + 1;
}

/* The values of request.NAME or response.NAME, as text. */
static void values_of(struct decide *d, struct rules_program **programs, size_t count, struct http_str *out)
{
    for (size_t i = 0; i < count; i++) {
        struct rules_value value;
        rules_eval_value(programs[i], &d->context, &d->scratch, &value);
        out[i] = facts_text(&d->facts, &value);
    }
}

/* What tells the request from others, passed on or made; the log shows it. */
static void identify(struct ask *a, const struct proxy_policy_headers *h, struct headers_out *out)
{
    struct exchange *e = a->exchange;
    struct headers_ids ids;
    headers_identify(h ? &h->plan : NULL, a->fields, a->field_count, out, &ids);
    if (ids.traceparent.p) {
        memcpy(e->trace, ids.traceparent.p, HEADERS_TRACEPARENT);
        e->trace[HEADERS_TRACEPARENT] = '\0';
    }
    if (ids.request_id.p)
        (void)append(e->request_id, 0, ids.request_id, '\0');
}

static void plan_request(struct ask *a, struct decide *d)
{
    struct session *s = a->codec->session;
    const struct proxy_policy *policy = policy_of(s);
    const struct proxy_policy_headers *h = proxy_policy_headers(policy, true, session_name(s), a->facts.host);
    struct http_str values[PROXY_POLICY_VALUES];
    struct headers_caller caller;
    char address[NET_ADDR_TEXT];
    struct headers_out *out = &s->worker->codec->out;
    caller_fill(&caller, s, h, d->facts.verdict, address);
    if (h)
        values_of(d, h->request, h->plan.request_count, values);
    headers_request(policy->names, h ? &h->plan : NULL, &caller, a->facts.host, values, a->fields,
                    a->field_count, out);
    identify(a, h, out);
    if (out->left_out != 0)
        counter_add(&s->worker->counters, COUNTER_HEADERS_LEFT_OUT, out->left_out);
    a->add = out->add;
    a->add_count = out->nadd;
    a->recalled = h && h->recalls;
}

/*
 * Rules and limits on the identity headers see what the sidecar itself will set: the plan comes first. HTTP/2
 * has the host as a pseudo-header.
 */
static void see_own_headers(struct ask *a, struct http_field *room, size_t most)
{
    size_t n = 0;
    bool host = a->facts.host.n == 0;
    for (size_t i = 0; i < a->field_count && n < most; i++) {
        if (a->fields[i].drop)
            continue;
        host |= a->fields[i].name.n == 4 && memcmp(a->fields[i].name.p, "host", 4) == 0;
        room[n++] = a->fields[i];
    }
    if (!host && n < most)
        room[n++] = (struct http_field){.name = HTTP_STR("host"), .value = a->facts.host};
    for (size_t i = 0; i < a->add_count && n < most; i++)
        room[n++] = a->add[i];
    a->facts.fields = room;
    a->facts.field_count = n;
}

/* --- a request --- */

static uint64_t wall_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct exchange *exchange_new(const struct facts_request *r)
{
    struct exchange *e = malloc(sizeof *e + r->method.n + r->host.n + r->target.n + 3);
    if (e == NULL)
        return NULL;
    /* All but the texts, which end themselves. */
    memset(e, 0, offsetof(struct exchange, trace));
    e->trace[0] = e->request_id[0] = '\0';
    e->began = uv_hrtime();
    e->host_at = append(e->text, 0, r->method, ' ');
    e->host_size = r->host.n;
    (void)append(e->text, append(e->text, e->host_at, r->host, ' '), r->target, '\0');
    return e;
}

/* The local service's own request. */
static void ask_outbound(struct ask *a)
{
    struct session *s = a->codec->session;
    struct headers_out *out = &s->worker->codec->out;
    const struct proxy_policy_headers *h =
        proxy_policy_headers(policy_of(s), false, session_name(s), a->facts.host);
    out->nadd = 0;
    identify(a, h, out);
    a->add = out->add;
    a->add_count = out->nadd;
    if (h && h->recalls)
        a->exchange->request = facts_request_copy(&a->facts);
}

static void ask(struct ask *a)
{
    enum { FIELDS_MAX = 512 };
    struct session *s = a->codec->session;
    struct decide *d = s->worker->decide;
    struct http_field seen[FIELDS_MAX];
    a->facts.at_ms = wall_ms();
    s->requests++;
    a->exchange = exchange_new(&a->facts);
    if (a->exchange == NULL) {
        answer(a, 503, "out of memory\n");
        return;
    }
    a->exchange->json = is_json_wanted(a);
    if (!s->inbound) {
        ask_outbound(a);
        return;
    }
    tally_request(s, (int64_t)(a->facts.at_ms / 1000));
    decide_prepare(d, s);
    d->facts.request = &a->facts;
    plan_request(a, d);
    const struct http_field *add = a->add;
    size_t add_count = a->add_count;
    see_own_headers(a, seen, FIELDS_MAX);
    /* request.NAME was made of the request as it came: what rules see is the whole. */
    rules_context_reset(&d->context, RULES_REQUEST);
    d->facts.pair = NULL;
    a->add_count = 0;
    if (judge(a, d)) {
        a->add = add;
        a->add_count = add_count;
        if (a->recalled || a->exchange->pending.count != 0)
            a->exchange->request = facts_request_copy(&a->facts);
    }
    if (a->exchange->rule || a->exchange->pending.count != 0)
        a->exchange->shared = snapshot_config_ref(s->runtime->snapshot->shared);
    d->facts.request = NULL;
}

void exchange_request1(void *ctx, struct http1_request *r, struct http1_verdict *verdict)
{
    struct ask a = {.codec = ctx,
                    .fields = r->fields,
                    .field_count = r->nfields,
                    .facts = {.method = r->method,
                              .target = r->target,
                              .host = r->host,
                              .path = r->path,
                              .query = r->query,
                              .version = r->minor == 0 ? "HTTP/1.0" : "HTTP/1.1"}};
    struct session *s = a.codec->session;
    ask(&a);
    if (a.status != 0 && a.add_count != 0) {
        /* What is added must outlive this call. */
        s->worker->codec->out.add[0] = a.add[0];
        (void)snprintf(s->worker->retry_after, sizeof s->worker->retry_after, "%s", a.retry_after);
        s->worker->codec->out.add[0].value = str(s->worker->retry_after);
        a.add = s->worker->codec->out.add;
    }
    r->user = a.exchange;
    verdict->status = a.status;
    verdict->message = a.message;
    verdict->type = a.type;
    verdict->add = a.add;
    verdict->nadd = a.add_count;
}

void exchange_request2(void *ctx, struct http2_request *r, struct http2_verdict *verdict)
{
    const char *question = r->path.n ? memchr(r->path.p, '?', r->path.n) : NULL;
    struct http_str path = r->path, query = {NULL, 0};
    if (question) {
        path.n = (size_t)(question - r->path.p);
        query = (struct http_str){question + 1, r->path.n - path.n - 1};
    }
    struct ask a = {.codec = ctx,
                    .fields = r->fields,
                    .field_count = r->nfields,
                    .facts = {.method = r->method,
                              .target = r->path,
                              .host = r->authority,
                              .path = path,
                              .query = query,
                              .version = "HTTP/2"}};
    struct session *s = a.codec->session;
    ask(&a);
    if (a.status != 0 && a.add_count != 0) {
        s->worker->codec->out.add[0] = a.add[0];
        (void)snprintf(s->worker->retry_after, sizeof s->worker->retry_after, "%s", a.retry_after);
        s->worker->codec->out.add[0].value = str(s->worker->retry_after);
        a.add = s->worker->codec->out.add;
    }
    r->user = a.exchange;
    verdict->status = a.status;
    verdict->grpc_status = a.status && r->grpc ? http2_grpc_status(a.status) : 0;
    verdict->message = a.message;
    verdict->type = a.type;
    verdict->add = a.add;
    verdict->nadd = a.add_count;
}

/* --- a response --- */

static size_t respond(struct codec *c, struct exchange *e, int status, struct http_field *fields,
                      size_t count, const struct http_field **add)
{
    struct session *s = c->session;
    struct decide *d = s->worker->decide;
    const struct proxy_policy *policy = policy_of(s);
    struct http_str host = e ? (struct http_str){e->text + e->host_at, e->host_size} : (struct http_str){0};
    const struct proxy_policy_headers *h = proxy_policy_headers(policy, s->inbound, session_name(s), host);
    struct facts_response facts = {(unsigned)status, fields, count};
    struct headers_out *out = &s->worker->codec->out;
    bool counts = e && e->pending.count != 0 && e->shared == s->runtime->snapshot->shared;
    if (!counts && (h == NULL || h->plan.response_count == 0))
        return 0;
    decide_prepare(d, s);
    d->facts.request = e ? e->request : NULL;
    d->facts.response = &facts;
    if (counts)
        ratelimit_response(policy->inbound[s->index].limits, s->worker->shared->limits, &d->context,
                           &d->scratch, uv_now(&s->worker->loop), e->shared->limit_counters[s->worker->index],
                           &e->pending);
    out->nadd = 0;
    if (h && h->plan.response_count != 0) {
        struct http_str values[PROXY_POLICY_VALUES];
        values_of(d, h->response, h->plan.response_count, values);
        headers_response(&h->plan, values, fields, count, out);
    }
    d->facts.request = NULL;
    d->facts.response = NULL;
    *add = out->add;
    return out->nadd;
}

void exchange_response1(void *ctx, struct http1_response *r)
{
    r->nadd = respond(ctx, r->user, r->status, r->fields, r->nfields, &r->add);
}

void exchange_response2(void *ctx, struct http2_response *r)
{
    r->nadd = respond(ctx, r->user, r->status, r->fields, r->nfields, &r->add);
}

bool exchange_trailer1(void *ctx, enum http1_side side, const struct http_field *field)
{
    const struct codec *c = ctx;
    return side == HTTP1_DOWN && c->session->inbound &&
           headers_trailer_drop(policy_of(c->session)->names, field);
}

bool exchange_trailer2(void *ctx, enum http2_side side, const struct http_field *field)
{
    const struct codec *c = ctx;
    return c->session->inbound && side == HTTP2_DOWN &&
           headers_trailer_drop(policy_of(c->session)->names, field);
}

/* --- the end --- */

struct told {
    int status;
    const char *outcome;
    const char *why;
    uint64_t request_bytes, response_bytes, began_ms, responded_ms;
    int grpc_status;
    bool well; /* it ended as it should */
};

static void count_status(struct worker *w, int status)
{
    static const enum counter by_class[] = {COUNTER_REQUESTS_NONE, COUNTER_REQUESTS_1XX,
                                            COUNTER_REQUESTS_2XX,  COUNTER_REQUESTS_3XX,
                                            COUNTER_REQUESTS_4XX,  COUNTER_REQUESTS_5XX};
    int class = status / 100;
    counter_add(&w->counters, by_class[class >= 0 && class <= 5 ? class : 0], 1);
}

/* What makes a refused request the same as another: who sent it, and what refused it. */
static uint64_t kind_of(const struct session *s, const struct tls_peer *peer, const char *rule)
{
    uint64_t hash = filehash_more(FILEHASH_EMPTY, rule, strlen(rule));
    return peer ? filehash_more(hash, peer->fingerprint, sizeof peer->fingerprint)
                : filehash_more(hash, &s->inbound, sizeof s->inbound);
}

/* Of those that went well, each log_requests_every'th; *UNLOGGED: how many had none before it. */
static bool wants_line(struct worker *w, const struct config_sidecar *config, const struct exchange *e,
                       const struct told *t, uint64_t *unlogged)
{
    bool well = e && e->rule == NULL && t->well && t->status > 0 && t->status < 500;
    if (!config->log_requests || !log_wants(w->log, LOG_INFO))
        return false;
    if (well && w->requests_unlogged + 1 < config->log_requests_every) {
        w->requests_unlogged++;
        return false;
    }
    if (!well)
        return true;
    *unlogged = w->requests_unlogged;
    w->requests_unlogged = 0;
    return true;
}

static void tell(struct codec *c, struct exchange *e, const struct told *t)
{
    struct session *s = c->session;
    struct worker *w = s->worker;
    const struct tls_stream *tls = s->leg[session_tls_side(s)].tls;
    const struct tls_peer *peer = tls ? tls_stream_peer(tls) : NULL;
    uint64_t now = uv_now(&w->loop), unlogged = 0;
    struct log_line line;
    char address[NET_ADDR_TEXT], sans[256];
    count_status(w, t->status);
    static const struct {
        enum counter counter;
        const char *key;
    } refused[] = {[BY_RULE] = {COUNTER_REQUESTS_BLOCKED, "rule"},
                   [BY_DEFAULT] = {COUNTER_REQUESTS_UNVERIFIED, "rule"},
                   [BY_RATELIMIT] = {COUNTER_REQUESTS_LIMITED, "ratelimit"},
                   [BY_QUARANTINE] = {COUNTER_REQUESTS_QUARANTINE, "quarantine"},
                   [BY_SEQUENCE] = {COUNTER_REQUESTS_SEQUENCE, "sequence"},
                   [BY_HOST] = {COUNTER_REQUESTS_HOST, "host"},
                   [BY_PATH] = {COUNTER_REQUESTS_PATH, "path"}};
    if (e)
        histogram_add(&w->counters, s->inbound ? HISTOGRAM_REQUEST_IN : HISTOGRAM_REQUEST_OUT,
                      uv_hrtime() - e->began);
    if (e && e->by != BY_NONE)
        tally_refused_request(s, refused[e->by].counter, refused[e->by].key, e->rule);
    struct worker_unsaid unsaid = {0};
    bool each = wants_line(w, &s->runtime->snapshot->config->sidecar, e, t, &unlogged);
    bool blocked = !each && e && e->rule && log_wants(w->log, LOG_WARN) &&
                   worker_may_log_refusal(w, kind_of(s, peer, e->rule), &unsaid);
    if (!each && !blocked)
        return;
    log_begin(&line, w->log, each ? LOG_INFO : LOG_WARN, each ? "request" : "blocked",
              e && *e->text ? e->text : NULL);
    if (e && e->rule)
        log_keep(&line, "blocked");
    log_text(&line, s->inbound ? "inbound" : "outbound", session_name(s));
    log_number(&line, "status", (uint64_t)(t->status > 0 ? t->status : 0));
    log_text(&line, "outcome", t->outcome);
    log_text(&line, "why", t->why);
    if (e) {
        log_text(&line, refused[e->by].key, e->rule);
        log_text(&line, "step", e->step);
        log_text(&line, "decision", e->by != BY_NONE ? refused[e->by].key : "pass");
    }
    if (t->grpc_status >= 0)
        log_number(&line, "grpc_status", (uint64_t)t->grpc_status);
    log_text(&line, "protocol", c->kind == CODEC_HTTP1 ? "HTTP/1.1" : "HTTP/2");
    log_text(&line, "peer",
             s->peer.sa.sa_family == AF_UNSPEC ? "unix"
                                               : net_addr_text(&s->peer.sa, address, sizeof address));
    if (peer) {
        tls_san_describe(peer, sans, sizeof sans);
        log_text(&line, "san", sans);
        log_text(&line, "sha256", peer->sha256);
    }
    log_number(&line, "bytes_in", t->request_bytes);
    log_number(&line, "bytes_out", t->response_bytes);
    if (t->responded_ms != 0)
        log_number(&line, "first_byte_ms", t->responded_ms - t->began_ms);
    if (t->began_ms != 0)
        log_number(&line, "duration_ms", now - t->began_ms);
    if (e) {
        log_text(&line, "request_id", e->request_id);
        log_text(&line, "traceparent", e->trace);
    }
    if (unlogged != 0)
        log_number(&line, "not_logged", unlogged);
    worker_log_unsaid(&line, &unsaid);
    log_end(&line);
}

static void finish(struct exchange *e)
{
    if (e == NULL)
        return;
    snapshot_config_unref(e->shared);
    free(e->request);
    free(e);
}

void exchange_end1(void *ctx, const struct http1_end *end)
{
    static const char *const outcomes[] = {
        [HTTP1_COMPLETE] = "complete",       [HTTP1_ANSWERED] = "answered",
        [HTTP1_LOST_DOWN] = "client_lost",   [HTTP1_LOST_UP] = "service_lost",
        [HTTP1_BROKEN_DOWN] = "bad_request", [HTTP1_BROKEN_UP] = "bad_response"};
    struct told t = {end->status,
                     outcomes[end->outcome],
                     end->why,
                     end->request_bytes,
                     end->response_bytes,
                     end->began_ms,
                     end->responded_ms,
                     -1,
                     end->outcome == HTTP1_COMPLETE};
    tell(ctx, end->user, &t);
    finish(end->user);
}

void exchange_end2(void *ctx, const struct http2_end *end)
{
    static const char *const outcomes[] = {
        [HTTP2_COMPLETE] = "complete",       [HTTP2_ANSWERED] = "answered",
        [HTTP2_RESET_DOWN] = "client_lost",  [HTTP2_RESET_UP] = "service_lost",
        [HTTP2_BROKEN_DOWN] = "bad_request", [HTTP2_BROKEN_UP] = "bad_response"};
    struct told t = {end->status,        outcomes[end->outcome], NULL,
                     end->request_bytes, end->response_bytes,    end->began_ms,
                     end->responded_ms,  end->grpc_status,       end->outcome == HTTP2_COMPLETE};
    tell(ctx, end->user, &t);
    finish(end->user);
}
