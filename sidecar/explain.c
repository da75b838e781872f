/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/explain.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sidecar/cert.h"
#include "sidecar/eval_facts.h"
#include "sidecar/offline.h"
#include "sidecar/proxy/decide.h"
#include "sidecar/proxy/tell.h"
#include "sidecar/top_text.h"

enum { FILE_MAX = 1 << 20, ACCEPTED = 0, UNUSABLE = 1, USAGE = 2, NOT_ACCEPTED = 3 };

struct options {
    const char *file, *config, *cert_dir, *inbound, *outbound;
    char *sni;
    bool json;
};

struct explain {
    const struct options *options;
    struct offline offline;
    struct tls_peer *peer;
    struct decide *decide;
    struct json_write json;
    int64_t now;
    bool refused; /* by some section */
};

/* What one section makes of the certificate. */
struct finding {
    const char *name;
    bool inbound;
    size_t index;
    const struct config_strings *allow_san;
    const char *server_name; /* expected where there is no allow_san; NULL: anybody */
    const char *ca;          /* of the [ca NAME] that judges; NULL: [tls]'s */
    struct tls_verdict verdict;
    struct tls_judged judged;
    bool admitted; /* by TLS */
    bool accepted; /* by the rules, too */
    char words[320];
    struct ruleset_decision decision; /* inbound and admitted */
    const char *rule;
};

static void usage(FILE *out)
{
    (void)fputs(
        "usage: sidecar explain -c FILE [OPTION]... CERTIFICATE\n"
        "       sidecar explain --cert-dir DIR [OPTION]... CERTIFICATE\n"
        "\n"
        "Tells, without a connection, whether a certificate would be accepted: by which CA, what revocation\n"
        "lists, allow_san and the rules on connections say, or why not. Rules on what only a connection has\n"
        "(addresses, TLS version) see nothing there; those on requests are left open.\n"
        "\n"
        "  -c, --config FILE     the configuration; - is standard input\n"
        "      --cert-dir DIR    in place of [tls] directory; without -c, the defaults hold\n"
        "      --sni NAME        the name that the caller asks for: chooses the [ca NAME]\n"
        "      --inbound NAME    as a caller of this inbound alone (all of them)\n"
        "      --outbound NAME   as the server of this outbound instead\n"
        "      --json            as one JSON object\n"
        "  -h, --help            this text\n"
        "\n"
        "CERTIFICATE: PEM or DER, the leaf first, then its chain; - is standard input.\n"
        "Exit status: 0 accepted everywhere it was asked for; 1 a file cannot be used; 2 wrong usage; 3 not\n"
        "accepted.\n",
        out);
}

/* 0: go on; else 1 help, 2 wrong usage. */
static int options_read(struct options *o, int argc, char **argv)
{
    enum { CERT_DIR = 256, SNI, INBOUND, OUTBOUND, JSON };
    static const struct option longs[] = {{"config", required_argument, NULL, 'c'},
                                          {"cert-dir", required_argument, NULL, CERT_DIR},
                                          {"sni", required_argument, NULL, SNI},
                                          {"inbound", required_argument, NULL, INBOUND},
                                          {"outbound", required_argument, NULL, OUTBOUND},
                                          {"json", no_argument, NULL, JSON},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
        switch (option) {
        case 'c': o->config = optarg; break;
        case CERT_DIR: o->cert_dir = optarg; break;
        case SNI: o->sni = optarg; break;
        case INBOUND: o->inbound = optarg; break;
        case OUTBOUND: o->outbound = optarg; break;
        case JSON: o->json = true; break;
        case 'h': return 1;
        default: return 2;
        }
    }
    if (optind < argc)
        o->file = argv[optind++];
    for (char *p = o->sni; p && *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return o->file && optind == argc && (o->config || o->cert_dir) && !(o->inbound && o->outbound) ? 0 : 2;
}

static int complain(const char *subject, const char *words)
{
    (void)fprintf(stderr, "sidecar explain: %s: %s\n", subject, words);
    return UNUSABLE;
}

static bool read_peer(struct explain *e)
{
    const char *path = e->options->file, *wrong = NULL;
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
    uint8_t *text = in ? malloc(FILE_MAX) : NULL;
    size_t size = text ? fread(text, 1, FILE_MAX, in) : 0;
    if (in == NULL || text == NULL || ferror(in))
        wrong = strerror(errno);
    else if (size == FILE_MAX)
        wrong = "too large";
    else
        wrong = eval_peer(e->offline.peers, text, size, &e->peer);
    if (in && in != stdin)
        (void)fclose(in);
    /* There may have been a key in it. */
    if (text)
        explicit_bzero(text, size);
    free(text);
    if (wrong)
        (void)complain(path, wrong);
    return wrong == NULL;
}

/* --- finding out --- */

/* The rules on connections, with the facts that a certificate alone gives. */
static void ask_rules(struct explain *e, struct finding *f)
{
    const struct snapshot *snapshot = e->offline.snapshot;
    const struct proxy_policy *policy = snapshot->shared->policy;
    const struct proxy_policy_inbound *in = &policy->inbound[f->index];
    struct decide *d = e->decide;
    uint64_t *state = calloc(in->state_words + 1, sizeof *state);
    if (state == NULL) {
        (void)snprintf(f->words, sizeof f->words, "out of memory");
        return;
    }
    facts_reset(&d->facts);
    rules_context_reset(&d->context, 0xff);
    d->info = (struct tls_stream_info){.sni = e->options->sni, .verified = f->verdict.status == TLS_TRUSTED};
    d->facts.inbound = f->name;
    d->facts.ca = f->ca;
    d->facts.tls = &d->info;
    d->facts.peer = e->peer;
    d->facts.verdict = &f->verdict;
    d->facts.now = e->now;
    ruleset_connect(in->rules, &d->context, &d->scratch, !in->http, state, NULL, &f->decision);
    free(state);
    f->rule = f->decision.rule >= 0 ? ruleset_name(policy->rules, (size_t)f->decision.rule) : NULL;
    f->accepted = f->decision.verdict != RULESET_REFUSE;
    if (!f->accepted)
        decide_words(&d->facts, &f->decision, f->rule, f->words, sizeof f->words);
}

static void find(struct explain *e, const struct tls_ctx *ctx, struct finding *f)
{
    f->verdict = tls_judge_told(tls_ctx_trust(ctx), e->peer->chain, e->peer->chain_count,
                                tls_ctx_purpose(ctx), e->now, &f->judged);
    f->admitted = tls_ctx_admits(ctx, e->peer, e->now, f->words, sizeof f->words);
    f->accepted = f->admitted;
    if (f->admitted && f->inbound)
        ask_rules(e, f);
    e->refused = e->refused || !f->accepted;
}

/* --- telling --- */

/* Calls TELL for each rule of the inbound: whether it matches, as far as a certificate tells. */
static void each_rule(struct explain *e, const struct finding *f,
                      void (*tell)(struct explain *e, const char *name, const char *action, bool dry_run,
                                   enum rules_verdict matches))
{
    static const char *const actions[] = {"block", "allow", "log", "skip"};
    const struct ruleset *rules = e->offline.snapshot->shared->policy->rules;
    const struct config *config = e->offline.snapshot->config;
    for (size_t i = 0; i < ruleset_count(rules); i++) {
        bool applies = config->rule[i].inbound.count == 0;
        for (size_t k = 0; k < config->rule[i].inbound.count; k++)
            applies = applies || strcmp(config->rule[i].inbound.item[k], f->name) == 0;
        if (applies && ruleset_enabled(rules, i))
            tell(e, ruleset_name(rules, i), actions[ruleset_action(rules, i)], ruleset_dry_run(rules, i),
                 rules_eval_partly(ruleset_program(rules, i), &e->decide->context, &e->decide->scratch,
                                   RULES_CONNECTION));
    }
}

static void print_rule(struct explain *e, const char *name, const char *action, bool dry_run,
                       enum rules_verdict matches)
{
    static const char *const words[] = {
        [RULES_FALSE] = "does not match", [RULES_TRUE] = "matches", [RULES_OPEN] = "depends on the request"};
    (void)e;
    (void)printf("    rule %s (%s%s) %s\n", name, action, dry_run ? ", dry run" : "", words[matches]);
}

static void print_decision(struct explain *e, const struct finding *f)
{
    static const char *const words[] = {[RULESET_PASS] = "lets it pass",
                                        [RULESET_REFUSE] = "refuses it",
                                        [RULESET_WAIT] = "decides by request"};
    each_rule(e, f, print_rule);
    if (f->rule)
        (void)printf("  rules     %s %s\n", f->rule, words[f->decision.verdict]);
    else if (f->decision.verdict == RULESET_WAIT)
        (void)puts("  rules     the connection passes; each request is decided on");
    else
        (void)printf("  rules     no rule decides; the default %s\n", words[f->decision.verdict]);
}

static void print_names(const struct explain *e, const struct finding *f)
{
    struct tls_san_pattern pattern;
    for (size_t i = 0; i < f->allow_san->count; i++) {
        const char *text = f->allow_san->item[i];
        bool has = tls_san_compile(text, &pattern) == NULL && tls_san_match_peer(&pattern, 1, e->peer);
        (void)printf("  allow_san %s: %s\n", text, has ? "it has that name" : "no");
    }
    if (f->allow_san->count == 0 && f->server_name && tls_san_compile(f->server_name, &pattern) == NULL)
        (void)printf("  name      %s: %s\n", f->server_name,
                     tls_san_match_peer(&pattern, 1, e->peer) ? "it has that name" : "no");
}

static void print_finding(struct explain *e, const struct finding *f)
{
    (void)printf("%s %s, judged by %s%s%s\n", f->inbound ? "inbound" : "outbound", f->name,
                 f->ca ? "[ca " : "[tls]", f->ca ? f->ca : "", f->ca ? "]" : "");
    (void)fputs("  trust     ", stdout);
    top_text_print(stdout, f->verdict.words);
    (void)putchar('\n');
    cert_print_path(stdout, 12, &f->judged);
    print_names(e, f);
    if (f->admitted && f->inbound)
        print_decision(e, f);
    (void)fputs(f->accepted ? "  accepted" : "  not accepted: ", stdout);
    top_text_print(stdout, f->accepted ? "" : f->words);
    (void)putchar('\n');
}

static void json_rule(struct explain *e, const char *name, const char *action, bool dry_run,
                      enum rules_verdict matches)
{
    json_object(&e->json, NULL);
    json_text(&e->json, "name", name);
    json_text(&e->json, "action", action);
    json_bool(&e->json, "dry_run", dry_run);
    if (matches == RULES_OPEN)
        json_null(&e->json, "matches");
    else
        json_bool(&e->json, "matches", matches == RULES_TRUE);
    json_object_end(&e->json);
}

static void json_finding(struct explain *e, const struct finding *f)
{
    static const char *const verdicts[] = {
        [RULESET_PASS] = "pass", [RULESET_REFUSE] = "refuse", [RULESET_WAIT] = "wait"};
    struct json_write *json = &e->json;
    json_object(json, NULL);
    json_text(json, "direction", f->inbound ? "inbound" : "outbound");
    json_text(json, "section", f->name);
    json_text(json, "ca", f->ca ? f->ca : "");
    json_bool(json, "accepted", f->accepted);
    json_text(json, "words", f->accepted ? NULL : f->words);
    json_bool(json, "trusted", f->verdict.status == TLS_TRUSTED);
    json_text(json, "status", tls_status_name(f->verdict.status));
    json_text(json, "trust", f->verdict.words);
    cert_json_path(json, "path", &f->judged);
    json_array(json, "names_expected");
    for (size_t i = 0; i < f->allow_san->count; i++)
        json_text(json, NULL, f->allow_san->item[i]);
    if (f->allow_san->count == 0 && f->server_name)
        json_text(json, NULL, f->server_name);
    json_array_end(json);
    if (f->admitted && f->inbound) {
        json_text(json, "rules_verdict", verdicts[f->decision.verdict]);
        json_text(json, "rule", f->rule);
        json_array(json, "rules");
        each_rule(e, f, json_rule);
        json_array_end(json);
    } else {
        json_null(json, "rules_verdict");
        json_null(json, "rule");
        json_null(json, "rules");
    }
    json_object_end(json);
}

static void explain_section(struct explain *e, bool inbound, size_t index)
{
    const struct config *config = e->offline.snapshot->config;
    struct finding f = {.inbound = inbound, .index = index};
    const struct tls_ctx *ctx;
    size_t ca = 0;
    if (inbound) {
        f.name = config->inbound[index].name;
        f.allow_san = &config->inbound[index].allow_san;
        ctx = runtime_select(e->offline.runtime, index, e->options->sni, &ca);
        f.ca = ca ? config->ca[ca - 1].name : NULL;
    } else {
        f.name = config->outbound[index].name;
        f.allow_san = &config->outbound[index].allow_san;
        f.server_name = config->outbound[index].server_name;
        ctx = e->offline.runtime->outbound[index].ctx;
    }
    if (ctx == NULL)
        return;
    find(e, ctx, &f);
    if (e->options->json)
        json_finding(e, &f);
    else
        print_finding(e, &f);
}

/* The sections asked for. False: there is none. */
static bool explain_all(struct explain *e)
{
    const struct config *config = e->offline.snapshot->config;
    const struct options *o = e->options;
    bool any = false;
    for (size_t i = 0; !o->outbound && i < config->inbound_count; i++) {
        if (o->inbound && strcmp(config->inbound[i].name, o->inbound) != 0)
            continue;
        explain_section(e, true, i);
        any = true;
    }
    for (size_t i = 0; o->outbound && i < config->outbound_count; i++) {
        if (strcmp(config->outbound[i].name, o->outbound) != 0 || config->outbound[i].passthrough)
            continue;
        explain_section(e, false, i);
        any = true;
    }
    return any;
}

static int explain(struct explain *e)
{
    struct json_write *json = &e->json;
    if (!read_peer(e))
        return UNUSABLE;
    e->decide = decide_new();
    if (e->decide == NULL)
        return complain("start", "out of memory");
    if (e->options->json) {
        json_object(json, NULL);
        json_array(json, "chain");
        for (size_t i = 0; i < e->peer->chain_count; i++)
            tell_certificate(json, NULL, e->peer->chain[i]);
        json_array_end(json);
        json_array(json, "findings");
    } else {
        cert_print(stdout, 0, e->peer->chain[0], e->now);
    }
    bool any = explain_all(e);
    if (e->options->json && any) {
        json_array_end(json);
        json_object_end(json);
        (void)printf("%.*s\n", (int)json->out.size, (const char *)json->out.data);
    }
    if (!any) {
        (void)fputs("sidecar explain: there is no inbound or outbound to ask\n", stderr);
        return USAGE;
    }
    if (json->out.failed)
        return complain("output", "out of memory");
    return e->refused ? NOT_ACCEPTED : ACCEPTED;
}

int explain_main(int argc, char **argv)
{
    struct options o = {0};
    struct explain e = {.options = &o, .now = time(NULL)};
    struct proxy_policy *policy = NULL;
    char error[SNAPSHOT_ERROR];
    int wrong = options_read(&o, argc, argv);
    if (wrong) {
        usage(wrong == 1 ? stdout : stderr);
        return wrong == 1 ? 0 : USAGE;
    }
    struct config *config = offline_config(o.config, o.cert_dir, &policy);
    if (config == NULL)
        return UNUSABLE;
    if (!offline_open(&e.offline, config, policy, false, error))
        return complain(o.config ? o.config : o.cert_dir, error);
    int status = explain(&e);
    decide_free(e.decide);
    rules_buffer_free(&e.json.out);
    tls_peer_unref(e.peer);
    offline_close(&e.offline);
    return status;
}
