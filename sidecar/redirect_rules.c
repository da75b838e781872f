/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/redirect_rules.h"

#include <stdlib.h>
#include <string.h>

#include "sidecar/net/addr.h"

enum { DNS = 53 };

static void add(struct redirect_rules *rules, struct redirect_rule rule)
{
    rules->rule[rules->count++] = rule;
}

static void add_ports(struct redirect_rules *rules, bool outbound, const struct config_ranges *ports)
{
    for (size_t i = 0; i < ports->count; i++)
        add(rules, (struct redirect_rule){.outbound = outbound,
                                          .match = REDIRECT_PORT,
                                          .first = ports->item[i].first,
                                          .last = ports->item[i].last});
}

/* Whether callers of the service's own port can be led to IN: both are ports, on this host and apart. */
static bool leads_inbound(const struct config_inbound *in)
{
    return in->listen.kind == CONFIG_ADDR_IP && in->forward.kind == CONFIG_TARGET_HOST &&
           !net_addr_is_loopback((const struct sockaddr *)&in->listen.ip) &&
           net_addr_port((const struct sockaddr *)&in->listen.ip) != in->forward.port;
}

static bool is_here(const struct config_target *to)
{
    union net_addr addr;
    return strcmp(to->host, "localhost") == 0 ||
           (net_addr_literal(to->host, to->port, &addr) && net_addr_is_loopback(&addr.sa));
}

static bool add_inbounds(struct redirect_rules *rules, const struct config *config)
{
    for (size_t i = 0; i < config->inbound_count; i++) {
        const struct config_inbound *in = &config->inbound[i];
        uint16_t port = net_addr_port((const struct sockaddr *)&in->listen.ip);
        if (!leads_inbound(in) || !is_here(&in->forward))
            continue;
        for (size_t j = 0; j < rules->count; j++)
            if (rules->rule[j].port != 0 && rules->rule[j].first == in->forward.port)
                return false;
        add(rules,
            (struct redirect_rule){
                .match = REDIRECT_PORT, .first = in->forward.port, .last = in->forward.port, .port = port});
    }
    return true;
}

bool redirect_rules_from(const struct config *config, struct redirect_rules *rules, const char **error)
{
    const struct config_capture *capture = &config->capture;
    size_t most = 8 + 2 * capture->exclude_ports.count + capture->exclude.count + capture->uids.count +
                  config->inbound_count;
    *rules = (struct redirect_rules){.rule = calloc(most, sizeof *rules->rule)};
    *error = "out of memory";
    if (rules->rule == NULL)
        return false;
    *error = "there is nothing to redirect to: [capture] port is off";
    if (capture->port == 0)
        goto fail;
    add(rules, (struct redirect_rule){.match = REDIRECT_NOT_TCP});
    add(rules, (struct redirect_rule){.match = REDIRECT_LOOPBACK});
    add_ports(rules, false, &capture->exclude_ports);
    *error = "two inbounds forward to the same port: callers of it cannot be led to both";
    if (!add_inbounds(rules, config))
        goto fail;
    add(rules, (struct redirect_rule){.outbound = true, .match = REDIRECT_NOT_TCP});
    for (size_t i = 0; i < capture->uids.count; i++)
        add(rules, (struct redirect_rule){.outbound = true,
                                          .match = REDIRECT_UID,
                                          .first = capture->uids.item[i].first,
                                          .last = capture->uids.item[i].last});
    add(rules, (struct redirect_rule){.outbound = true, .match = REDIRECT_LOOPBACK});
    add(rules, (struct redirect_rule){.outbound = true, .match = REDIRECT_PORT, .first = DNS, .last = DNS});
    add_ports(rules, true, &capture->exclude_ports);
    for (size_t i = 0; i < capture->exclude.count; i++)
        add(rules,
            (struct redirect_rule){.outbound = true, .match = REDIRECT_TO, .cidr = capture->exclude.item[i]});
    add(rules,
        (struct redirect_rule){.outbound = true, .match = REDIRECT_REST, .port = (uint16_t)capture->port});
    *error = NULL;
    return true;
fail:
    redirect_rules_clear(rules);
    return false;
}

void redirect_rules_clear(struct redirect_rules *rules)
{
    free(rules->rule);
    *rules = (struct redirect_rules){0};
}

static void print_span(const char *what, const struct redirect_rule *r, FILE *out)
{
    if (r->first == r->last)
        (void)fprintf(out, "%s %u", what, r->first);
    else
        (void)fprintf(out, "%s %u-%u", what, r->first, r->last);
}

static void print_rule(const struct redirect_rule *r, FILE *out)
{
    char address[NET_ADDR_TEXT];
    const struct sockaddr *to = (const struct sockaddr *)&r->cidr.ip;
    (void)fputs("\t\t", out);
    switch (r->match) {
    case REDIRECT_NOT_TCP: (void)fputs("meta l4proto != tcp", out); break;
    case REDIRECT_LOOPBACK: (void)fputs(r->outbound ? "oifname \"lo\"" : "iifname \"lo\"", out); break;
    case REDIRECT_UID: print_span("meta skuid", r, out); break;
    case REDIRECT_PORT: print_span("tcp dport", r, out); break;
    case REDIRECT_REST: (void)fputs("meta l4proto tcp", out); break;
    case REDIRECT_TO:
        (void)fprintf(out, "%s daddr %s/%u", to->sa_family == AF_INET ? "ip" : "ip6",
                      net_addr_host_text(to, address, sizeof address), r->cidr.bits);
        break;
    }
    if (r->port)
        (void)fprintf(out, " redirect to :%u\n", r->port);
    else
        (void)fputs(" accept\n", out);
}

void redirect_rules_print(const struct redirect_rules *rules, FILE *out)
{
    (void)fputs("table inet outrider\ndelete table inet outrider\ntable inet outrider {\n", out);
    for (int outbound = 0; outbound <= 1; outbound++) {
        (void)fprintf(out, "\tchain %s {\n\t\ttype nat hook %s priority -100; policy accept;\n",
                      outbound ? "outbound" : "inbound", outbound ? "output" : "prerouting");
        for (size_t i = 0; i < rules->count; i++)
            if (rules->rule[i].outbound == (outbound != 0))
                print_rule(&rules->rule[i], out);
        (void)fputs("\t}\n", out);
    }
    (void)fputs("}\n", out);
}
