/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What applies to which inbound: rules, limits and headers against the protocol spoken there. */
#include <string.h>
#include <strings.h>

#include "config/build.h"
#include "config/report.h"

static void check_names(struct config_build *b, const struct config_strings *names, bool inbound)
{
    const struct config *c = b->config;
    size_t count = inbound ? c->inbound_count : c->outbound_count;
    for (size_t i = 0; i < names->count; i++) {
        const char *name = names->item[i];
        struct config_nearest n;
        bool found = false;
        config_nearest_begin(&n, name, strlen(name));
        for (size_t j = 0; j < count && !found; j++) {
            const char *known = inbound ? c->inbound[j].name : c->outbound[j].name;
            if (!known)
                continue;
            found = strcmp(known, name) == 0;
            config_nearest_feed(&n, known);
        }
        if (!found)
            config_report_add(b->report, CONFIG_ERROR, names->place[i], (unsigned)strlen(name), n.best,
                              "there is no [%s %s]", inbound ? "inbound" : "outbound", name);
    }
}

/*
 * What needs HTTP (a limit, [headers]; of rules only their programs tell) against the inbounds where it
 * applies: one that may carry anything else must say which way it wants that, and one that carries TCP alone
 * makes it pointless.
 */
static void need_http(struct config_build *b, const struct config_lines_section *s,
                      const struct config_strings *inbounds, bool *told)
{
    const struct config *c = b->config;
    char label[CONFIG_LABEL_MAX];
    const char *tcp = NULL;
    size_t applies = 0, without = 0;
    config_build_label(s, label);
    for (size_t i = 0; i < c->inbound_count; i++) {
        const struct config_inbound *in = &c->inbound[i];
        const char *name = in->name ? in->name : "";
        if (!config_build_applies(inbounds, name))
            continue;
        applies++;
        if (in->protocol == CONFIG_PROTOCOL_TCP) {
            without++;
            tcp = tcp ? tcp : name;
        } else if (in->protocol == CONFIG_PROTOCOL_AUTO && !in->tcp_fallback_allow && !told[i]) {
            config_build_tell(
                b, CONFIG_ERROR, b->origin[SECTION_INBOUND][i], "protocol", NULL,
                "%s (line %u) cannot hold for what is not HTTP: write protocol = http, or tcp_fallback = "
                "allow to let it pass",
                label, s->place.line);
            told[i] = true;
        }
    }
    if (tcp && (inbounds->count > 0 || without == applies))
        config_build_tell(b, CONFIG_WARNING, s, NULL, NULL,
                          "%s has no effect on [inbound %s]: its protocol is tcp", label, tcp);
}

static void check_limits(struct config_build *b, bool *told)
{
    for (size_t i = 0; i < b->config->ratelimit_count; i++) {
        const struct config_ratelimit *r = &b->config->ratelimit[i];
        check_names(b, &r->inbound, true);
        need_http(b, b->origin[SECTION_RATELIMIT][i], &r->inbound, told);
    }
    for (size_t i = 0; i < b->config->sequence_count; i++) {
        const struct config_sequence *q = &b->config->sequence[i];
        check_names(b, &q->inbound, true);
        if (q->enabled)
            need_http(b, b->origin[SECTION_SEQUENCE][i], &q->inbound, told);
    }
    for (size_t i = 0; i < b->config->quarantine_count; i++)
        check_names(b, &b->config->quarantine[i].inbound, true);
}

/* What frames a message or belongs to one hop cannot come from an expression (RFC 9110, section 7.6.1). */
static void check_header(struct config_build *b, const struct config_header *h)
{
    static const char *const ours[] = {
        "host",    "connection", "content-length", "transfer-encoding", "te",
        "trailer", "upgrade",    "keep-alive",     "proxy-connection",  "expect",
        "date"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strcasecmp(h->name, ours[i]) == 0)
            config_report_add(b->report, CONFIG_ERROR, h->place, (unsigned)strlen(h->name), NULL,
                              "the header %s cannot be set", h->name);
}

static void check_headers(struct config_build *b, bool *told)
{
    for (size_t i = 0; i < b->config->headers_count; i++) {
        const struct config_headers *h = &b->config->headers[i];
        const struct config_lines_section *s = b->origin[SECTION_HEADERS][i];
        check_names(b, &h->inbounds, true);
        check_names(b, &h->outbounds, false);
        if (h->outbounds.count == 0 || h->inbounds.count != 0)
            need_http(b, s, &h->inbounds, told);
        for (size_t j = 0; j < h->request_count; j++)
            check_header(b, &h->request[j]);
        for (size_t j = 0; j < h->response_count; j++)
            check_header(b, &h->response[j]);
        bool keeps = h->xfcc_mode != CONFIG_XFCC_SANITIZE_SET && h->xfcc_mode != CONFIG_XFCC_SANITIZE;
        if (keeps && !config_build_entry(s, "trusted_proxy_san"))
            config_build_tell(
                b, CONFIG_ERROR, s, "xfcc_mode", NULL,
                "this xfcc_mode keeps what callers say of themselves: it needs trusted_proxy_san");
        if (!(h->forward & CONFIG_FORWARD_XFCC) && !config_build_entry(s, "xfcc_mode") &&
            config_build_entry(s, "xfcc_details"))
            config_build_tell(b, CONFIG_WARNING, s, "xfcc_details", NULL,
                              "xfcc_details has no effect without xfcc among forward");
    }
}

/* An inbound that can let nobody in, because nobody there is ever verified. */
static void check_nobody(struct config_build *b)
{
    const struct config *c = b->config;
    if (c->rules.fallback != CONFIG_RULES_AUTO)
        return;
    for (size_t i = 0; i < c->inbound_count; i++) {
        bool allowed = c->inbound[i].client_auth != CONFIG_CLIENT_AUTH_NONE;
        for (size_t j = 0; j < c->rule_count && !allowed; j++)
            allowed = c->rule[j].action == CONFIG_ACTION_ALLOW && c->rule[j].enabled &&
                      config_build_applies(&c->rule[j].inbound, c->inbound[i].name ? c->inbound[i].name : "");
        if (!allowed)
            config_build_tell(
                b, CONFIG_WARNING, b->origin[SECTION_INBOUND][i], "client_auth", NULL,
                "nobody gets in: with client_auth = none no caller is verified, and [rules] default = auto "
                "lets only verified callers pass where no rule allows them");
    }
}

bool config_check_where(struct config_build *b)
{
    /* Inbounds whose protocol = auto was told already: once is enough. */
    bool *told = config_arena_alloc(b->arena, b->config->inbound_count + 1, sizeof *told);
    if (!told)
        return false;
    for (size_t i = 0; i < b->config->ca_count; i++)
        check_names(b, &b->config->ca[i].inbounds, true);
    for (size_t i = 0; i < b->config->rule_count; i++)
        check_names(b, &b->config->rule[i].inbound, true);
    check_limits(b, told);
    check_headers(b, told);
    check_nobody(b);
    for (size_t i = 0; i < b->config->list_count; i++) {
        const struct config_lines_section *s = b->origin[SECTION_LIST][i];
        if (!config_build_entry(s, "values") && !config_build_entry(s, "file"))
            config_build_tell(b, CONFIG_ERROR, s, NULL, NULL, "[list %s] has neither values nor a file",
                              s->name ? s->name : "");
    }
    return true;
}
