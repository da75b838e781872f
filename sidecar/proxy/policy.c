/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sidecar/tls/san.h"

/* While a policy is built. */
struct builder {
    struct proxy_policy *policy;
    struct config_report *report;
    char *error; /* the first, in words */
    bool failed;
    bool skipped; /* something was left out that is wrong in the file itself, as config/ has told */
    bool *told;   /* parallel to the inbounds: that rules on requests need HTTP there */
    struct rules_limits limits;
};

static void problem(struct builder *b, struct config_place place, size_t length, const char *suggestion,
                    const char *what, const char *name, const char *message)
{
    if (!b->failed)
        (void)snprintf(b->error, POLICY_ERROR, "[%s %s]: %s", what, name, message);
    b->failed = true;
    if (b->report)
        config_report_add(b->report, CONFIG_ERROR, place, (unsigned)length,
                          suggestion && *suggestion ? suggestion : NULL, "%s", message);
}

static void text_problem(struct builder *b, const struct config_text *text, const struct rules_error *error,
                         const char *what, const char *name)
{
    problem(b, config_text_place(text, error->offset), error->length, error->suggestion, what, name,
            error->message);
}

static void out_of_memory(struct builder *b)
{
    if (!b->failed)
        (void)snprintf(b->error, POLICY_ERROR, "out of memory");
    b->failed = true;
}

static void list_problem(void *arg, struct config_place place, size_t length, const char *name,
                         const char *message)
{
    if (name)
        problem(arg, place, length, NULL, "list", name, message);
    else
        out_of_memory(arg);
}

/* --- rules, rate limits, sequences --- */

static struct rules_env env_of(struct builder *b, uint8_t phases)
{
    return (struct rules_env){.scheme = rules_scheme_standard(),
                              .limits = &b->limits,
                              .phases = phases,
                              .list = policy_lists_find,
                              .list_arg = b->policy->lists};
}

static bool has(const struct config_strings *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->item[i], name) == 0)
            return true;
    }
    return names->count == 0;
}

/* A rule that looks at requests, against the protocols of the inbounds where it applies. */
static void need_http(struct builder *b, const struct config_rule *rule)
{
    const struct config *config = b->policy->config;
    const char *tcp = NULL;
    size_t applies = 0, without = 0;
    for (size_t i = 0; i < config->inbound_count; i++) {
        const struct config_inbound *in = &config->inbound[i];
        const char *name = in->name ? in->name : "";
        char message[POLICY_ERROR];
        if (!has(&rule->inbound, name))
            continue;
        applies++;
        if (in->protocol == CONFIG_PROTOCOL_TCP) {
            without++;
            tcp = tcp ? tcp : name;
        } else if (in->protocol == CONFIG_PROTOCOL_AUTO && !in->tcp_fallback_allow && !b->told[i]) {
            (void)snprintf(
                message, sizeof message,
                "[rule %s] (line %u) looks at requests and cannot hold for what is not HTTP: write "
                "protocol = http, or tcp_fallback = allow to let it pass",
                rule->name, rule->place.line);
            problem(b, in->place, strlen("[inbound ]") + strlen(name), NULL, "inbound", name, message);
            b->told[i] = true;
        }
    }
    if (b->report && tcp && (rule->inbound.count > 0 || without == applies))
        config_report_add(
            b->report, CONFIG_WARNING, config_text_place(&rule->expression, 0),
            rule->expression.segment_count ? rule->expression.segment[0].length : 1, NULL,
            "[rule %s] looks at requests and has no effect on [inbound %s]: its protocol is tcp", rule->name,
            tcp);
}

static void add_rules(struct builder *b)
{
    const struct config *config = b->policy->config;
    struct ruleset *rules = b->policy->rules;
    for (size_t i = 0; i < config->rule_count; i++) {
        const struct config_rule *from = &config->rule[i];
        if (from->name == NULL || from->expression.text == NULL) {
            b->skipped = true;
            continue;
        }
        struct ruleset_rule rule = {.name = from->name,
                                    .expression = from->expression.text,
                                    .expression_size = from->expression.length,
                                    .action = (enum ruleset_action)from->action,
                                    .status = from->status,
                                    .body = from->body,
                                    .enabled = from->enabled,
                                    .dry_run = from->dry_run,
                                    .inbound = (const char *const *)from->inbound.item,
                                    .inbounds = from->inbound.count};
        struct rules_env env = env_of(b, RULES_CONNECTION | RULES_REQUEST);
        struct rules_error error;
        if (!ruleset_add(rules, &env, &rule, &error))
            text_problem(b, &from->expression, &error, "rule", from->name);
        else if (from->enabled && (rules_program_phases(ruleset_program(rules, ruleset_count(rules) - 1)) &
                                   RULES_REQUEST) != 0)
            need_http(b, from);
    }
}

static struct rules_bytes bytes_of(const struct config_text *text)
{
    return (struct rules_bytes){(const uint8_t *)text->text, text->text ? text->length : 0};
}

/* Whether all that a limit is made of is there. */
static bool is_whole(const struct config_ratelimit *limit)
{
    bool whole = limit->name && limit->expression.text && limit->characteristics.count != 0;
    for (size_t i = 0; i < limit->characteristics.count; i++)
        whole = whole && limit->characteristics.item[i].text;
    return whole;
}

static void add_limits(struct builder *b)
{
    const struct config *config = b->policy->config;
    for (size_t i = 0; i < config->ratelimit_count; i++) {
        const struct config_ratelimit *from = &config->ratelimit[i];
        struct rules_bytes characteristic[RATELIMIT_CHARACTERISTICS_MAX];
        size_t count = from->characteristics.count;
        if (!is_whole(from)) {
            b->skipped = true;
            continue;
        }
        if (count > RATELIMIT_CHARACTERISTICS_MAX) {
            problem(b, from->place, 1, NULL, "ratelimit", from->name, "too many characteristics (8 at most)");
            continue;
        }
        for (size_t c = 0; c < count; c++)
            characteristic[c] = bytes_of(&from->characteristics.item[c]);
        struct ratelimit_limit limit = {.name = from->name,
                                        .expression = bytes_of(&from->expression),
                                        .characteristic = characteristic,
                                        .characteristics = count,
                                        .counting = bytes_of(&from->counting_expression),
                                        .requests = from->requests,
                                        .period = from->period,
                                        .mitigation_timeout = from->mitigation_timeout,
                                        .log_only = from->action == CONFIG_ACTION_LOG,
                                        .status = from->status,
                                        .body = from->body,
                                        .inbound = (const char *const *)from->inbound.item,
                                        .inbounds = from->inbound.count};
        struct rules_env env = env_of(b, 0);
        struct rules_error error;
        int where = -2;
        if (!ratelimits_add(b->policy->limits, &env, &limit, &error, &where))
            text_problem(b,
                         where == -2   ? &from->expression
                         : where == -1 ? &from->counting_expression
                                       : &from->characteristics.item[where],
                         &error, "ratelimit", from->name);
    }
}

static void add_expressions(struct builder *b)
{
    const struct config *config = b->policy->config;
    for (size_t i = 0; i < config->expression_count; i++) {
        const struct config_expression *from = &config->expression[i];
        if (from->name == NULL || from->expression.text == NULL) {
            b->skipped = true;
            continue;
        }
        struct rules_env env = env_of(b, 0);
        struct rules_error error;
        if (!sequences_add_expression(b->policy->sequences, &env, from->name, from->expression.text,
                                      from->expression.length, &error))
            text_problem(b, &from->expression, &error, "expression", from->name);
    }
}

/* Whether there is an [expression] of the name that ERROR misses: then it was left out for its own mistake.
 */
static bool left_out(const struct config *config, const struct config_text *steps,
                     const struct rules_error *error)
{
    if (error->kind != RULES_UNKNOWN_IDENTIFIER)
        return false;
    for (size_t i = 0; i < config->expression_count; i++) {
        const char *name = config->expression[i].name;
        if (name && strlen(name) == error->length &&
            memcmp(name, steps->text + error->offset, error->length) == 0)
            return true;
    }
    return false;
}

static void add_sequences(struct builder *b)
{
    const struct config *config = b->policy->config;
    for (size_t i = 0; i < config->sequence_count; i++) {
        const struct config_sequence *from = &config->sequence[i];
        if (from->name == NULL || from->steps.text == NULL) {
            b->skipped = true;
            continue;
        }
        struct sequence_rule sequence = {.name = from->name,
                                         .steps = from->steps.text,
                                         .window = from->window,
                                         .log_only = from->action == CONFIG_ACTION_LOG,
                                         .status = from->status,
                                         .body = from->body,
                                         .enabled = from->enabled,
                                         .dry_run = from->dry_run,
                                         .inbound = (const char *const *)from->inbound.item,
                                         .inbounds = from->inbound.count};
        struct rules_error error;
        if (!sequences_add(b->policy->sequences, &sequence, &error) &&
            !left_out(config, &from->steps, &error))
            text_problem(b, &from->steps, &error, "sequence", from->name);
    }
}

static void warn_sequence(void *arg, int expression, int sequence, size_t offset, size_t length,
                          const char *message)
{
    struct builder *b = arg;
    const struct config *config = b->policy->config;
    const struct config_text *text =
        expression >= 0 ? &config->expression[expression].expression : &config->sequence[sequence].steps;
    config_report_add(b->report, CONFIG_WARNING, config_text_place(text, offset), (unsigned)length, NULL,
                      "[%s %s]: %s", expression >= 0 ? "expression" : "sequence",
                      expression >= 0 ? config->expression[expression].name : config->sequence[sequence].name,
                      message);
}

static void warn(void *arg, size_t rule, size_t offset, size_t length, const char *message)
{
    struct builder *b = arg;
    const struct config_rule *from = &b->policy->config->rule[rule];
    if (b->report)
        config_report_add(b->report, CONFIG_WARNING, config_text_place(&from->expression, offset),
                          (unsigned)length, NULL, "[rule %s]: %s", from->name, message);
}

/* --- headers --- */

static void compile_values(struct builder *b, const struct config_header *from, size_t count, uint8_t phases,
                           struct rules_program ***programs, const char *const **names)
{
    const char **name = calloc(count + 1, sizeof *name);
    *programs = calloc(count + 1, sizeof **programs);
    *names = name;
    if (*programs == NULL || name == NULL) {
        out_of_memory(b);
        return;
    }
    if (count > PROXY_POLICY_VALUES)
        problem(b, config_text_place(&from[PROXY_POLICY_VALUES].value, 0), 1, NULL, "headers",
                from[PROXY_POLICY_VALUES].name, "too many headers of one kind in a section (64 at most)");
    for (size_t i = 0; i < count; i++) {
        struct rules_env env = env_of(b, phases);
        struct rules_error error;
        name[i] = from[i].name;
        if (from[i].value.text == NULL) {
            b->skipped = true;
            continue;
        }
        (*programs)[i] = rules_compile_value(&env, from[i].value.text, from[i].value.length, &error);
        if ((*programs)[i] == NULL)
            text_problem(b, &from[i].value, &error, "headers", from[i].name);
        if (!headers_names_add(b->policy->names, from[i].name, strlen(from[i].name)))
            out_of_memory(b);
    }
}

static void compile_trusted(struct builder *b, struct proxy_policy_headers *to)
{
    const struct config_strings *from = &to->config->trusted_proxy_san;
    to->trusted = calloc(from->count + 1, sizeof *to->trusted);
    if (to->trusted == NULL)
        out_of_memory(b);
    for (size_t i = 0; to->trusted && i < from->count; i++) {
        const char *wrong = tls_san_compile(from->item[i], &to->trusted[i]);
        if (wrong)
            problem(b, from->place[i], strlen(from->item[i]), NULL, "headers",
                    to->config->name ? to->config->name : "", wrong);
    }
}

static void add_headers(struct builder *b)
{
    struct proxy_policy *p = b->policy;
    for (size_t i = 0; i < p->config->headers_count; i++) {
        const struct config_headers *from = &p->config->headers[i];
        struct proxy_policy_headers *to = &p->headers[i];
        to->config = from;
        to->plan = (struct headers_plan){.forward = from->forward,
                                         .xfcc_mode = (enum headers_xfcc)from->xfcc_mode,
                                         .x_forwarded_for = from->x_forwarded_for,
                                         .x_forwarded_proto = from->x_forwarded_proto,
                                         .forwarded = from->forwarded,
                                         .traceparent = (enum headers_traceparent)from->traceparent,
                                         .request_id = from->request_id,
                                         .max_value = from->max_value,
                                         .request_count = from->request_count,
                                         .response_count = from->response_count};
        compile_values(b, from->request, from->request_count, RULES_CONNECTION | RULES_REQUEST, &to->request,
                       &to->plan.request);
        compile_values(b, from->response, from->response_count, 0, &to->response, &to->plan.response);
        for (size_t k = 0; to->response && k < from->response_count; k++)
            to->recalls |= to->response[k] && (rules_program_phases(to->response[k]) & RULES_REQUEST) != 0;
        compile_trusted(b, to);
        if (!headers_names_add_plan(p->names, &to->plan))
            out_of_memory(b);
    }
}

static bool host_fits(const struct config_strings *hostnames, struct http_str host)
{
    size_t n = host.n;
    const char *colon = n != 0 && host.p[0] != '[' ? memchr(host.p, ':', n) : NULL;
    if (colon)
        n = (size_t)(colon - host.p);
    for (size_t i = 0; i < hostnames->count; i++) {
        const char *want = hostnames->item[i];
        const char *dot = n != 0 ? memchr(host.p, '.', n) : NULL;
        if (want[0] == '*' && dot) {
            size_t rest = n - (size_t)(dot - host.p);
            if (strlen(want + 1) == rest && strncasecmp(want + 1, dot, rest) == 0)
                return true;
        } else if (strlen(want) == n && strncasecmp(want, host.p, n) == 0) {
            return true;
        }
    }
    return hostnames->count == 0;
}

/* Naming the one side alone leaves the other out. */
static bool applies_at(const struct config_headers *c, bool inbound, const char *name)
{
    const struct config_strings *own = inbound ? &c->inbounds : &c->outbounds;
    const struct config_strings *other = inbound ? &c->outbounds : &c->inbounds;
    return has(own, name) && (own->count != 0 || other->count == 0);
}

const struct proxy_policy_headers *proxy_policy_headers(const struct proxy_policy *policy, bool inbound,
                                                        const char *name, struct http_str host)
{
    const struct proxy_policy_headers *plain = NULL;
    for (size_t i = 0; i < policy->config->headers_count; i++) {
        const struct config_headers *c = &policy->config->headers[i];
        if (c->name == NULL)
            plain = &policy->headers[i];
        else if (applies_at(c, inbound, name) && host_fits(&c->hostnames, host))
            return &policy->headers[i];
    }
    return plain && applies_at(plain->config, inbound, name) && host_fits(&plain->config->hostnames, host)
               ? plain
               : NULL;
}

/* --- quarantine --- */

static void add_quarantine(struct proxy_policy *p)
{
    for (size_t i = 0; i < p->config->quarantine_count; i++) {
        const struct config_quarantine *from = &p->config->quarantine[i];
        p->quarantine[i] = (struct proxy_policy_quarantine){
            .rule = {from->name, (uint32_t)from->threshold, from->period, from->duration},
            .log_only = from->action == CONFIG_ACTION_LOG,
            .config = from};
    }
}

bool proxy_policy_quarantines(const struct proxy_policy *policy, size_t index, const char *inbound)
{
    return has(&policy->quarantine[index].config->inbound, inbound);
}

/* --- inbounds --- */

static bool headers_apply(const struct proxy_policy *p, const char *inbound)
{
    for (size_t i = 0; i < p->config->headers_count; i++) {
        if (applies_at(&p->config->headers[i], true, inbound))
            return true;
    }
    return false;
}

static bool uses(const struct proxy_policy_inbound *in, unsigned field)
{
    return ruleset_plan_uses(in->rules, field) || ratelimit_plan_uses(in->limits, field) ||
           sequence_plan_uses(in->sequences, field);
}

static bool plan_inbound(struct proxy_policy *p, size_t index)
{
    const struct config_inbound *config = &p->config->inbound[index];
    struct proxy_policy_inbound *in = &p->inbound[index];
    in->rules = ruleset_plan(p->rules, config->name);
    in->limits = ratelimits_plan(p->limits, config->name);
    in->sequences = sequences_plan(p->sequences, config->name);
    if (in->rules == NULL || in->limits == NULL || in->sequences == NULL)
        return false;
    in->state_words = ruleset_plan_state_words(in->rules);
    in->hello = uses(in, RULES_FIELD_TLS_HELLO_LENGTH) || uses(in, RULES_FIELD_TLS_RANDOM) ||
                uses(in, RULES_FIELD_TLS_CIPHERS_SHA1) || uses(in, RULES_FIELD_TLS_EXTENSIONS_SHA1) ||
                uses(in, RULES_FIELD_TLS_EXTENSIONS_SHA1_LE);
    in->path = uses(in, RULES_FIELD_PATH) || uses(in, RULES_FIELD_URI) || uses(in, RULES_FIELD_FULL_URI) ||
               uses(in, RULES_FIELD_EXTENSION);
    bool asked = (ruleset_plan_phases(in->rules) & RULES_REQUEST) != 0 ||
                 ratelimit_plan_count(in->limits) != 0 || sequence_plan_count(in->sequences) != 0 ||
                 headers_apply(p, config->name);
    in->http =
        config->protocol == CONFIG_PROTOCOL_HTTP || (config->protocol == CONFIG_PROTOCOL_AUTO && asked);
    return true;
}

/* --- the whole --- */

static bool begin(struct builder *b)
{
    struct proxy_policy *p = b->policy;
    p->rules = ruleset_new((enum ruleset_default)p->config->rules.fallback);
    p->limits = ratelimits_new();
    p->sequences = sequences_new();
    p->names = headers_names_new();
    p->lists = policy_lists_new(p->config, list_problem, b);
    p->headers = calloc(p->config->headers_count + 1, sizeof *p->headers);
    p->inbound = calloc(p->config->inbound_count + 1, sizeof *p->inbound);
    p->quarantine = calloc(p->config->quarantine_count + 1, sizeof *p->quarantine);
    return p->rules && p->limits && p->sequences && p->quarantine && p->names && p->lists && p->headers &&
           p->inbound && headers_names_add_identity(p->names);
}

struct proxy_policy *proxy_policy_new(const struct config *config, struct config_report *report,
                                      char error[POLICY_ERROR])
{
    struct builder b = {.report = report, .error = error, .limits = rules_limits_default};
    struct proxy_policy *p = calloc(1, sizeof *p);
    b.policy = p;
    b.limits.text = config->rules.expression_max;
    b.limits.regexes = (unsigned)config->rules.regexes_max;
    b.limits.regex_memory = config->rules.regex_max;
    *error = '\0';
    if (p == NULL) {
        out_of_memory(&b);
        return NULL;
    }
    p->config = config;
    b.told = calloc(config->inbound_count + 1, sizeof *b.told);
    if (b.told == NULL || !begin(&b)) {
        out_of_memory(&b);
    } else {
        add_rules(&b);
        add_limits(&b);
        add_expressions(&b);
        add_sequences(&b);
        add_headers(&b);
        add_quarantine(p);
        b.skipped |= !policy_lists_read(p->lists);
    }
    free(b.told);
    b.failed = b.failed || b.skipped;
    for (size_t i = 0; !b.failed && i < config->inbound_count; i++) {
        if (config->inbound[i].name && !plan_inbound(p, i))
            out_of_memory(&b);
    }
    if (b.failed) {
        proxy_policy_free(p);
        return NULL;
    }
    if (report) {
        ruleset_warn(p->rules, warn, &b);
        sequences_warn(p->sequences, warn_sequence, &b);
    }
    return p;
}

static void free_programs(struct rules_program **programs, size_t count)
{
    for (size_t i = 0; programs && i < count; i++)
        rules_free(programs[i]);
    free(programs);
}

void proxy_policy_free(struct proxy_policy *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; p->headers && i < p->config->headers_count; i++) {
        struct proxy_policy_headers *h = &p->headers[i];
        free_programs(h->request, h->plan.request_count);
        free_programs(h->response, h->plan.response_count);
        free((void *)(uintptr_t)h->plan.request);
        free((void *)(uintptr_t)h->plan.response);
        free(h->trusted);
    }
    ruleset_free(p->rules);
    ratelimits_free(p->limits);
    sequences_free(p->sequences);
    policy_lists_free(p->lists);
    headers_names_free(p->names);
    free(p->headers);
    free(p->quarantine);
    free(p->inbound);
    free(p);
}
