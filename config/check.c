/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "config/build.h"

static bool loopback(const struct config_addr *a)
{
    if (a->ip.ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)&a->ip)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&a->ip)->sin6_addr);
}

static void check_sidecar(struct config_build *b)
{
    const struct config_sidecar *c = &b->config->sidecar;
    const struct config_lines_section *s = b->origin[SECTION_SIDECAR][0];
    for (size_t i = 0; i < c->admin.count; i++) {
        const struct config_addr *a = &c->admin.item[i];
        if (a->kind == CONFIG_ADDR_IP && !loopback(a))
            config_report_add(b->report, CONFIG_ERROR, c->admin.place[i], (unsigned)strlen(a->text), NULL,
                              "admin listens only on a loopback address or a UNIX socket");
    }
    if (c->drain_delay > 0 && c->drain_delay >= c->drain_timeout)
        config_build_tell(
            b, CONFIG_ERROR, s, config_build_entry(s, "drain_delay") ? "drain_delay" : "drain_timeout", NULL,
            "drain_delay (%llu ms) must be shorter than drain_timeout (%llu ms), of which it is a part",
            (unsigned long long)c->drain_delay, (unsigned long long)c->drain_timeout);
}

/* --- listeners --- */

struct listener {
    const struct config_addr *addr;
    const struct config_lines_section *section;
    const char *key;
};

static bool same_addr(const struct config_addr *a, const struct config_addr *b)
{
    if (a->kind != b->kind)
        return false;
    return a->kind == CONFIG_ADDR_UNIX ? strcmp(a->path, b->path) == 0
                                       : memcmp(&a->ip, &b->ip, sizeof a->ip) == 0;
}

static bool check_listeners(struct config_build *b)
{
    const struct config *c = b->config;
    char label[CONFIG_LABEL_MAX];
    size_t n = 0;
    struct listener *all = config_arena_alloc(
        b->arena, 3 + c->sidecar.admin.count + c->inbound_count + c->outbound_count, sizeof *all);
    if (!all)
        return false;
    const struct config_lines_section *sidecar = b->origin[SECTION_SIDECAR][0];
    all[n++] = (struct listener){&c->sidecar.health, sidecar, "health"};
    for (size_t i = 0; i < c->sidecar.admin.count; i++)
        all[n++] = (struct listener){&c->sidecar.admin.item[i], sidecar, "admin"};
    for (size_t i = 0; i < c->inbound_count; i++)
        all[n++] = (struct listener){&c->inbound[i].listen, b->origin[SECTION_INBOUND][i], "listen"};
    for (size_t i = 0; i < c->outbound_count; i++)
        all[n++] = (struct listener){&c->outbound[i].listen, b->origin[SECTION_OUTBOUND][i], "listen"};
    for (size_t i = 0; i < 2; i++)
        all[n++] = (struct listener){&c->capture.listen[i], b->origin[SECTION_CAPTURE][0], "port"};
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i && all[i].addr->kind != CONFIG_ADDR_NONE; j++) {
            if (!same_addr(all[i].addr, all[j].addr))
                continue;
            config_build_tell(b, CONFIG_ERROR, all[i].section, all[i].key, NULL,
                              "%s is listened on already: %s of %s, line %u", all[i].addr->text, all[j].key,
                              config_build_label(all[j].section, label),
                              config_build_entry(all[j].section, all[j].key)->place.line);
            break;
        }
    }
    return true;
}

/* --- [tls] --- */

static void check_credentials(struct config_build *b)
{
    const struct config *c = b->config;
    const struct config_tls *t = &c->tls;
    const struct config_lines_section *s = b->origin[SECTION_TLS][0];
    bool directory = config_build_entry(s, "directory") != NULL,
         certificate = config_build_entry(s, "certificate") != NULL,
         key = config_build_entry(s, "key") != NULL, ca = config_build_entry(s, "ca") != NULL;
    bool one_file = t->layout == CONFIG_LAYOUT_BUNDLE || t->layout == CONFIG_LAYOUT_SINGLE,
         judges = c->outbound_count > 0;
    for (size_t i = 0; i < c->inbound_count; i++)
        judges |= c->inbound[i].client_auth != CONFIG_CLIENT_AUTH_NONE;
    if (c->inbound_count + c->outbound_count == 0)
        return;
    if (t->layout == CONFIG_LAYOUT_FILES && (!certificate || !key))
        config_build_tell(b, CONFIG_ERROR, s, "layout", NULL,
                          "layout = files needs the keys certificate and key");
    else if (!directory && !certificate)
        config_build_tell(
            b, CONFIG_ERROR, s, NULL, NULL,
            "[tls] names no credentials: it needs the key directory, or certificate, key and ca");
    else if (!directory && !key && !one_file)
        config_build_tell(b, CONFIG_ERROR, s, "certificate", NULL,
                          "certificate needs the key \"key\" beside it");
    if (!ca && judges && (t->layout == CONFIG_LAYOUT_FILES || (!directory && certificate)))
        config_build_tell(b, CONFIG_ERROR, s, NULL, NULL,
                          "[tls] names no ca, so that no peer could be verified");
}

/* --- [ca NAME] --- */

static bool share_inbound(const struct config_ca *a, const struct config_ca *b)
{
    for (size_t i = 0; i < a->inbounds.count; i++)
        if (config_build_applies(&b->inbounds, a->inbounds.item[i]))
            return true;
    return a->inbounds.count == 0;
}

static void check_hostname(struct config_build *b, size_t ca, size_t name)
{
    const struct config_ca *all = b->config->ca;
    const char *hostname = all[ca].hostnames.item[name];
    for (size_t i = 0; i <= ca; i++) {
        size_t end = i == ca ? name : all[i].hostnames.count;
        if (i < ca && !share_inbound(&all[i], &all[ca]))
            continue;
        for (size_t j = 0; j < end; j++) {
            if (strcmp(all[i].hostnames.item[j], hostname) != 0)
                continue;
            config_report_add(b->report, CONFIG_ERROR, all[ca].hostnames.place[name],
                              (unsigned)strlen(hostname), NULL, "%s chooses [ca %s] already, line %u",
                              hostname, all[i].name ? all[i].name : "", all[i].hostnames.place[j].line);
            return;
        }
    }
}

static void check_cas(struct config_build *b)
{
    for (size_t i = 0; i < b->config->ca_count; i++) {
        struct config_ca *ca = &b->config->ca[i];
        const struct config_lines_section *s = b->origin[SECTION_CA][i];
        if (!config_build_entry(s, "crl_missing"))
            ca->crl_missing = b->config->tls.crl_missing;
        if (!config_build_entry(s, "crl_expired"))
            ca->crl_expired = b->config->tls.crl_expired;
        for (size_t j = 0; j < ca->hostnames.count; j++)
            check_hostname(b, i, j);
    }
}

/* --- inbounds and outbounds --- */

/* Whether the service would be the sidecar itself. */
static bool leads_back(const struct config_inbound *in)
{
    const struct config_target *to = &in->forward;
    if (to->kind == CONFIG_TARGET_UNIX)
        return in->listen.kind == CONFIG_ADDR_UNIX && strcmp(to->path, in->listen.path) == 0;
    if (to->kind != CONFIG_TARGET_HOST || in->listen.kind != CONFIG_ADDR_IP)
        return false;
    struct config_addr a = {.kind = CONFIG_ADDR_IP};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&a.ip;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a.ip;
    bool any;
    if (inet_pton(AF_INET, to->host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(to->port);
        const struct sockaddr_in *l = (const struct sockaddr_in *)&in->listen.ip;
        any = l->sin_family == AF_INET && l->sin_addr.s_addr == 0 && l->sin_port == v4->sin_port;
    } else if (inet_pton(AF_INET6, to->host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(to->port);
        const struct sockaddr_in6 *l = (const struct sockaddr_in6 *)&in->listen.ip;
        any = l->sin6_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&l->sin6_addr) &&
              l->sin6_port == v6->sin6_port;
    } else {
        return false;
    }
    return (any && loopback(&a)) || same_addr(&a, &in->listen);
}

static void check_inbound(struct config_build *b, size_t i)
{
    struct config_inbound *in = &b->config->inbound[i];
    const struct config_lines_section *s = b->origin[SECTION_INBOUND][i];
    if (!config_build_entry(s, "client_auth"))
        in->client_auth = b->config->tls.client_auth;
    if (in->client_auth == CONFIG_CLIENT_AUTH_NONE && config_build_entry(s, "allow_san"))
        config_build_tell(b, CONFIG_ERROR, s, "allow_san", NULL,
                          "allow_san cannot hold with client_auth = none: no caller shows a certificate");
    if (in->proxy_in == CONFIG_PROXY_IN_REQUIRE && !config_build_entry(s, "proxy_from"))
        config_build_tell(b, CONFIG_ERROR, s, "proxy_protocol", NULL,
                          "proxy_protocol = require needs proxy_from: the networks whose header is believed");
    if (in->proxy_in == CONFIG_PROXY_IN_OFF && config_build_entry(s, "proxy_from"))
        config_build_tell(b, CONFIG_WARNING, s, "proxy_from", NULL,
                          "proxy_from has no effect without proxy_protocol = require");
    if (leads_back(in))
        config_build_tell(b, CONFIG_ERROR, s, "forward", NULL,
                          "forward leads back to this inbound's own listener");
}

static bool check_outbound(struct config_build *b, size_t i)
{
    struct config_outbound *out = &b->config->outbound[i];
    const struct config_lines_section *s = b->origin[SECTION_OUTBOUND][i];
    struct in6_addr ip;
    const char *host = out->connect.kind == CONFIG_TARGET_HOST ? out->connect.host : NULL;
    if (!config_build_entry(s, "server_name") && host && inet_pton(AF_INET, host, &ip) != 1 &&
        inet_pton(AF_INET6, host, &ip) != 1) {
        size_t length = strlen(host);
        out->server_name = config_arena_copy(b->arena, host, length - (host[length - 1] == '.'));
        if (!out->server_name)
            return false;
        for (char *p = out->server_name; *p; p++)
            if (*p >= 'A' && *p <= 'Z')
                *p = (char)(*p + 32);
    }
    if (out->connect.kind != CONFIG_TARGET_NONE && !out->server_name &&
        !config_build_entry(s, "server_name") && !config_build_entry(s, "allow_san"))
        config_build_tell(
            b, CONFIG_ERROR, s, "connect", NULL,
            "with neither server_name nor allow_san, anybody whom the CA knows could answer for %s",
            out->connect.text);
    static const char *const http_only[] = {"pool_size",        "pool_idle",       "pool_age",
                                            "pool_for",         "request_timeout", "response_timeout",
                                            "keepalive_timeout"};
    for (size_t k = 0; !out->http && k < sizeof http_only / sizeof *http_only; k++)
        if (config_build_entry(s, http_only[k]))
            config_build_tell(b, CONFIG_WARNING, s, http_only[k], NULL,
                              "%s has no effect without protocol = http", http_only[k]);
    if (out->listen.kind == CONFIG_ADDR_IP && !loopback(&out->listen))
        config_build_tell(
            b, CONFIG_WARNING, s, "listen", NULL,
            "whoever reaches %s calls with this sidecar's identity: a loopback address or a UNIX "
            "socket is safer",
            out->listen.text);
    return true;
}

/* --- [probe NAME], [scrape NAME] --- */

static bool loopback_host(const char *host)
{
    struct config_addr a = {.kind = CONFIG_ADDR_IP, .ip = {.ss_family = AF_INET}};
    if (inet_pton(AF_INET, host, &((struct sockaddr_in *)&a.ip)->sin_addr) == 1)
        return loopback(&a);
    a.ip.ss_family = AF_INET6;
    return inet_pton(AF_INET6, host, &((struct sockaddr_in6 *)&a.ip)->sin6_addr) == 1 && loopback(&a);
}

static void check_path(struct config_build *b, const struct config_lines_section *s, const char *path)
{
    if (path[0] != '/' || strchr(path, ' '))
        config_build_tell(b, CONFIG_ERROR, s, "request", NULL,
                          "request is a path, which begins with / and has no blank");
    if (strlen(path) > 512)
        config_build_tell(b, CONFIG_ERROR, s, "request", NULL, "request is longer than 512 bytes");
}

static bool check_probe(struct config_build *b, size_t i)
{
    struct config_probe *p = &b->config->probe[i];
    const struct config_lines_section *s = b->origin[SECTION_PROBE][i];
    if (p->connect.kind == CONFIG_TARGET_HOST && !loopback_host(p->connect.host))
        config_build_tell(b, CONFIG_ERROR, s, "connect", NULL,
                          "a probe connects only to a loopback address or a UNIX socket");
    if (p->kind == CONFIG_PROBE_HTTP && !p->request)
        p->request = config_arena_copy(b->arena, "/", 1);
    else if (p->kind == CONFIG_PROBE_HTTP)
        check_path(b, s, p->request);
    else if (p->kind == CONFIG_PROBE_TCP && p->request)
        config_build_tell(b, CONFIG_ERROR, s, "request", NULL, "a TCP probe asks for nothing");
    else if (p->kind == CONFIG_PROBE_GRPC && p->request && strlen(p->request) > 120)
        config_build_tell(b, CONFIG_ERROR, s, "request", NULL, "request is longer than 120 bytes");
    if (b->config->sidecar.health.kind == CONFIG_ADDR_NONE)
        config_build_tell(b, CONFIG_WARNING, s, NULL, NULL,
                          "nobody can ask for this probe: [sidecar] health is not set");
    return p->kind != CONFIG_PROBE_HTTP || p->request;
}

static void check_scrape(struct config_build *b, size_t i)
{
    const struct config_scrape *p = &b->config->scrape[i];
    const struct config_lines_section *s = b->origin[SECTION_SCRAPE][i];
    if (p->connect.kind == CONFIG_TARGET_HOST && !loopback_host(p->connect.host))
        config_build_tell(b, CONFIG_ERROR, s, "connect", NULL,
                          "figures come only from a loopback address or a UNIX socket");
    check_path(b, s, p->request);
    if (b->config->sidecar.health.kind == CONFIG_ADDR_NONE && b->config->sidecar.admin.count == 0)
        config_build_tell(b, CONFIG_WARNING, s, NULL, NULL,
                          "nobody can ask for these figures: neither health nor admin of [sidecar] is set");
}

bool config_check_all(struct config_build *b)
{
    struct config *c = b->config;
    if (c->inbound_count + c->outbound_count == 0)
        config_build_tell(b, CONFIG_ERROR, NULL, NULL, NULL,
                          "there is neither an [inbound NAME] nor an [outbound NAME]");
    check_sidecar(b);
    for (size_t i = 0; i < c->inbound_count; i++)
        check_inbound(b, i);
    for (size_t i = 0; i < c->outbound_count; i++)
        if (!check_outbound(b, i))
            return false;
    for (size_t i = 0; i < c->probe_count; i++)
        if (!check_probe(b, i))
            return false;
    for (size_t i = 0; i < c->scrape_count; i++)
        check_scrape(b, i);
    check_cas(b);
    check_credentials(b);
    return config_check_capture(b) && check_listeners(b) && config_check_where(b);
}
