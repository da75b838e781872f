/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The two HTTP listeners of the main thread: what they serve, by table. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sidecar/admin/page.h"
#include "sidecar/admin/probe.h"
#include "sidecar/admin/scrape.h"
#include "sidecar/net/listen.h"
#include "sidecar/proxy/proxy_private.h"
#include "sidecar/proxy/tell.h"

enum { LIMIT_DEFAULT = 100, SESSIONS_MAX = 20000, EVENTS_MAX = 1000, PEERS_MAX = 1000000 };
enum { SCRAPINGS_MAX = 4 }; /* at once: each holds up to SCRAPE_MAX of each service, for whoever may ask */

/* --- health --- */

static void answer_reasons(struct server_request *request, bool good, const struct proxy_reasons *reasons)
{
    char text[PROXY_REASONS * PROXY_REASON];
    size_t n = 0;
    for (unsigned i = 0; i < reasons->count; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s\n", reasons->text[i]);
    server_answer_text(request, good ? 200 : 503, "%s", good ? "ok\n" : text);
}

static void serve_healthz(struct server_request *request, void *arg)
{
    struct proxy_reasons reasons = {0};
    answer_reasons(request, proxy_is_alive(arg, &reasons), &reasons);
}

static void serve_readyz(struct server_request *request, void *arg)
{
    struct proxy_reasons reasons;
    answer_reasons(request, proxy_is_ready(arg, &reasons), &reasons);
}

static void serve_startupz(struct server_request *request, void *arg)
{
    struct proxy_reasons reasons;
    answer_reasons(request, proxy_has_started(arg, &reasons), &reasons);
}

static void answer_metrics(struct server_request *request, struct metrics_text *out)
{
    if (out->failed || out->text == NULL) {
        free(out->text);
        server_answer_text(request, 500, "out of memory\n");
        return;
    }
    server_answer(request, &(struct server_answer){.status = 200,
                                                   .type = metrics_content_type(out->openmetrics),
                                                   .body = out->text,
                                                   .size = out->size,
                                                   .owned = true});
}

/* A scrape of the services under way for a request. */
struct scraping {
    struct server_request *request;
    struct proxy *proxy;
    struct scrape *scrape;
};

static void scraping_cancel(void *arg)
{
    struct scraping *scraping = arg;
    scraping->proxy->scrapings--;
    scrape_cancel(scraping->scrape);
    free(scraping);
}

static void on_scraped(void *arg, struct metrics_text *text)
{
    struct scraping *scraping = arg;
    scraping->proxy->scrapings--;
    proxy_render_metrics(scraping->proxy, text);
    answer_metrics(scraping->request, text);
    free(scraping);
}

static void serve_metrics(struct server_request *request, void *arg)
{
    struct proxy *p = arg;
    const struct config *config = proxy_config(p);
    /* What services say is in the text format, and goes out as it is. */
    struct metrics_text out = {.openmetrics =
                                   config->scrape_count == 0 && metrics_wants_openmetrics(request->accept)};
    if (config->scrape_count == 0) {
        proxy_render_metrics(p, &out);
        answer_metrics(request, &out);
        return;
    }
    if (p->scrapings >= SCRAPINGS_MAX) {
        server_answer_text(request, 503, "others ask for the service's figures, too\n");
        return;
    }
    struct scraping *scraping = calloc(1, sizeof *scraping);
    if (scraping == NULL) {
        server_answer_text(request, 500, "out of memory\n");
        return;
    }
    p->scrapings++;
    scraping->request = request;
    scraping->proxy = p;
    server_later(request, scraping_cancel, scraping);
    struct scrape *scrape =
        scrape_start(&p->loop, &p->probe_io, config->scrape, config->scrape_count, on_scraped, scraping);
    if (scrape) /* else it has been answered, and SCRAPING is gone */
        scraping->scrape = scrape;
}

/* A probe under way for a request. */
struct probing {
    struct server_request *request;
    struct probe *probe;
};

static void probing_cancel(void *arg)
{
    struct probing *probing = arg;
    probe_cancel(probing->probe);
    free(probing);
}

static void on_probed(void *arg, bool good, const char *why)
{
    struct probing *probing = arg;
    struct server_request *request = probing->request;
    free(probing);
    server_answer_text(request, good ? 200 : 503, "%s\n", why);
}

static void serve_probe(struct server_request *request, void *arg)
{
    struct proxy *p = arg;
    const struct config *config = proxy_config(p);
    for (size_t i = 0; i < config->probe_count; i++) {
        if (strcmp(config->probe[i].name, request->rest) != 0)
            continue;
        struct probing *probing = calloc(1, sizeof *probing);
        if (probing == NULL) {
            server_answer_text(request, 500, "out of memory\n");
            return;
        }
        probing->request = request;
        server_later(request, probing_cancel, probing);
        struct probe *probe = probe_start(&p->loop, &p->probe_io, &config->probe[i], on_probed, probing);
        if (probe) /* else it has been answered, and PROBING is gone */
            probing->probe = probe;
        return;
    }
    server_answer_text(request, 404, "there is no such probe\n");
}

/* --- JSON --- */

void tell_answer(struct server_request *request, struct json_write *json)
{
    rules_buffer_text(&json->out, "\n");
    if (json->out.failed) {
        rules_buffer_free(&json->out);
        server_answer_text(request, 500, "out of memory\n");
        return;
    }
    server_answer(request, &(struct server_answer){.status = 200,
                                                   .type = "application/json",
                                                   .body = json->out.data,
                                                   .size = json->out.size,
                                                   .owned = true});
}

/* An object whose keys TELL writes. */
static void answer_object(struct server_request *request, const struct proxy *p,
                          void (*tell)(const struct proxy *p, struct json_write *json))
{
    struct json_write json = {0};
    json_object(&json, NULL);
    tell(p, &json);
    json_object_end(&json);
    tell_answer(request, &json);
}

static void serve_status(struct server_request *request, void *arg)
{
    answer_object(request, arg, tell_status);
}

static void serve_certs(struct server_request *request, void *arg)
{
    answer_object(request, arg, tell_certs);
}

static void serve_rules(struct server_request *request, void *arg)
{
    answer_object(request, arg, tell_rules);
}

static void serve_config(struct server_request *request, void *arg)
{
    answer_object(request, arg, tell_config);
}

static void serve_quarantine(struct server_request *request, void *arg)
{
    answer_object(request, arg, tell_quarantine);
}

static void serve_sessions(struct server_request *request, void *arg)
{
    uint64_t limit;
    if (server_query_number(request, "limit", 1, SESSIONS_MAX, LIMIT_DEFAULT, &limit))
        tell_sessions(arg, request, limit);
}

static void serve_peers(struct server_request *request, void *arg)
{
    static const char *const ranks[] = {"requests", "connections", "bytes", "refused"};
    char by[16] = "requests";
    struct json_write json = {0};
    uint64_t top;
    size_t rank = 0;
    if (!server_query_number(request, "top", 1, PEERS_MAX, LIMIT_DEFAULT, &top))
        return;
    (void)server_query(request, "by", by, sizeof by);
    while (rank < sizeof ranks / sizeof *ranks && strcmp(ranks[rank], by) != 0)
        rank++;
    if (rank == sizeof ranks / sizeof *ranks) {
        server_answer_text(request, 400, "by is connections, requests, bytes or refused\n");
        return;
    }
    json_object(&json, NULL);
    json.out.failed |= !tell_peers(arg, &json, top, by);
    json_object_end(&json);
    tell_answer(request, &json);
}

static void serve_events(struct server_request *request, void *arg)
{
    struct json_write json = {0};
    uint64_t limit;
    if (!server_query_number(request, "limit", 1, EVENTS_MAX, LIMIT_DEFAULT, &limit))
        return;
    json_object(&json, NULL);
    tell_events(arg, &json, limit);
    json_object_end(&json);
    tell_answer(request, &json);
}

/* --- what only workers know --- */

static void gather_gone(void *arg)
{
    struct tell_gather *t = arg;
    gather_cancel(t->gather);
    free(t);
}

void tell_gather(struct proxy *p, struct server_request *request, const struct gather_question *question,
                 const void *ask, size_t ask_size, size_t limit)
{
    struct tell_gather *t = calloc(1, sizeof *t);
    if (t)
        *t = (struct tell_gather){.proxy = p, .request = request, .limit = limit};
    if (t == NULL || (t->gather = gather_start(p->hub, question, ask, ask_size, t)) == NULL) {
        free(t);
        server_answer_text(request, 500, "out of memory\n");
        return;
    }
    server_later(request, gather_gone, t);
}

void tell_gather_answer(struct tell_gather *t, struct json_write *json)
{
    struct server_request *request = t->request;
    free(t);
    tell_answer(request, json);
}

/* --- the tables --- */

/* clang-format off */
#define HEALTH_ROUTES                                                                                        \
    {"/healthz", SERVER_GET, "whether every worker answers", serve_healthz},                                 \
    {"/readyz", SERVER_GET, "whether it is ready for callers, and why not", serve_readyz},                   \
    {"/startupz", SERVER_GET, "whether the start is over", serve_startupz},                                  \
    {"/metrics", SERVER_GET, "figures for Prometheus", serve_metrics},                                       \
    {"/probes/", SERVER_GET, "a declared probe of the service: /probes/NAME", serve_probe}
/* clang-format on */

static const struct server_route health_table[] = {HEALTH_ROUTES};

static const struct server_route admin_table[] = {
    HEALTH_ROUTES,
    {"/", SERVER_GET, "the status page", page_serve},
    {"/status", SERVER_GET, "what it is doing, and all counters", serve_status},
    {"/certs", SERVER_GET, "the own certificate, and who is trusted", serve_certs},
    {"/sessions", SERVER_GET, "open connections, the newest first: ?limit=N", serve_sessions},
    {"/peers", SERVER_GET,
     "what each caller's certificate has done: ?top=N&by=requests|connections|bytes|refused", serve_peers},
    {"/rules", SERVER_GET, "rules, limits, lists, and what came of them", serve_rules},
    {"/config", SERVER_GET, "the configuration in service, without secrets", serve_config},
    {"/events", SERVER_GET, "refusals, reloads and what else happened, the newest first: ?limit=N",
     serve_events},
    {"/quarantine", SERVER_GET, "certificates that are refused for a time", serve_quarantine},
    {"/quarantine/", SERVER_DELETE, "lets a certificate in again: /quarantine/SHA256", proxy_act_lift},
    {"/log", SERVER_POST, "logs more or less for a time: ?level=debug&for=60s", proxy_act_log},
    {"/reload", SERVER_POST, "reads configuration, credentials and lists again", proxy_act_reload},
    {"/drain", SERVER_POST, "ends in good order, as SIGTERM does", proxy_act_drain},
};

static const struct server_routes health_routes = {.route = health_table,
                                                   .count = sizeof health_table / sizeof *health_table};
static const struct server_routes admin_routes = {
    .route = admin_table, .count = sizeof admin_table / sizeof *admin_table, .guarded = true};

static void print_routes(FILE *out, const struct server_route *route, const struct server_route *end)
{
    for (; route < end; route++)
        (void)fprintf(out, "  %-6s %-13s %s\n",
                      route->methods & SERVER_GET    ? "GET"
                      : route->methods & SERVER_POST ? "POST"
                                                     : "DELETE",
                      route->path, route->help);
}

void proxy_admin_help(FILE *out)
{
    (void)fputs("\nThe health and the admin listener ([sidecar] health, admin) serve:\n", out);
    print_routes(out, health_table, health_table + health_routes.count);
    (void)fputs(
        "\nThe admin listener alone, as JSON but for the page; POST and DELETE over a UNIX socket only:\n",
        out);
    print_routes(out, admin_table + health_routes.count, admin_table + admin_routes.count);
}

/* --- listening --- */

static bool listen_on(struct server *server, const struct config_addr *at, mode_t mode,
                      char error[SNAPSHOT_ERROR])
{
    const struct sockaddr *ip = (const struct sockaddr *)&at->ip;
    bool local = at->kind == CONFIG_ADDR_UNIX;
    int fd =
        local ? net_listen_unix(at->path, mode, 0, error) : net_listen_ip(ip, NET_LISTEN_EXCLUSIVE, 0, error);
    if (fd < 0)
        return false;
    if (local ? server_listen_unix(server, fd, at->path) : server_listen(server, fd, net_addr_port(ip)))
        return true;
    (void)snprintf(error, SNAPSHOT_ERROR, "out of memory");
    return false;
}

bool proxy_admin_start(struct proxy *p, char error[SNAPSHOT_ERROR])
{
    const struct config_sidecar *s = &proxy_config(p)->sidecar;
    (void)snprintf(error, SNAPSHOT_ERROR, "out of memory");
    p->hub = gather_hub_new(&p->loop, p->workers, p->count);
    if (p->hub == NULL || !endpoint_io_init(&p->probe_io))
        return false;
    if (s->health.kind != CONFIG_ADDR_NONE) {
        p->health = server_start(&p->loop, &health_routes, p);
        if (p->health == NULL || !listen_on(p->health, &s->health, 0660, error))
            return false;
    }
    if (s->admin.count != 0) {
        p->admin = server_start(&p->loop, &admin_routes, p);
        if (p->admin == NULL)
            return false;
    }
    for (size_t i = 0; i < s->admin.count; i++) {
        if (!listen_on(p->admin, &s->admin.item[i], 0600, error))
            return false;
    }
    return true;
}

void proxy_admin_stop(struct proxy *p)
{
    server_stop(p->health);
    server_stop(p->admin);
    gather_hub_stop(p->hub);
    endpoint_io_free(&p->probe_io);
}
