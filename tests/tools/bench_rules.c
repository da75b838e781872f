/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What rules cost on one core, in CPU time: each line is repeated and the least counts. bench_rules
 * [SECONDS-PER-LINE]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sidecar/rules/list.h"
#include "sidecar/rules/ratelimit.h"
#include "sidecar/rules/ruleset.h"

static double seconds = 0.3;
static struct rules_context context;
static struct rules_scratch scratch;
static struct rules_list *lists[5];

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void need(bool fine, const char *what)
{
    if (fine)
        return;
    fprintf(stderr, "bench_rules: %s\n", what);
    exit(1);
}

/* Nanoseconds a call of WORK, which does TIMES things: the least of many rounds. */
static double measure(void (*work)(unsigned times), unsigned times)
{
    double best = 1e9, end = now() + seconds;
    do {
        double from = now();
        work(times);
        double spent = (now() - from) * 1e9 / times;
        best = spent < best ? spent : best;
    } while (now() < end);
    return best;
}

static void line(const char *what, double value, const char *unit, double goal)
{
    printf("%-58s %10.1f %-4s  goal %s%g\n", what, value, unit, value <= goal ? "<= " : "MISSED <= ", goal);
}

/* --- A typical request --- */

static struct rules_value strings[8], header_values[8];
static struct rules_entry headers[8];

static void set_text(unsigned field, const char *text)
{
    struct rules_value value = rules_bytes(text, strlen(text));
    rules_context_set(&context, field, &value);
}

static void set_connection(void)
{
    struct rules_value yes = rules_bool(true), port = rules_int(8443), ip = {.type = RULES_IP};
    need(rules_ip_parse("10.1.2.3", 8, &ip.ip), "address");
    rules_context_set(&context, RULES_FIELD_SSL, &yes);
    rules_context_set(&context, RULES_FIELD_CERT_PRESENTED, &yes);
    rules_context_set(&context, RULES_FIELD_CERT_VERIFIED, &yes);
    rules_context_set(&context, RULES_FIELD_SERVER_PORT, &port);
    rules_context_set(&context, RULES_FIELD_IP_SRC, &ip);
    set_text(RULES_FIELD_CERT_SERIAL, "527E0F20A20EA2A4146C78390F34CE7AF0878CA4");
    set_text(RULES_FIELD_CERT_SHA256, "af363dc85bc942a892d3cee9796190fdb36d89cd588a4f1cb17c74a943439714");
    set_text(RULES_FIELD_SPIFFE_ID, "spiffe://cluster.local/ns/shop/sa/orders");
}

static void set_request(void)
{
    static const char *const names[] = {"accept", "accept-encoding", "content-type",
                                        "host",   "user-agent",      "x-request-id"};
    static const char *const values[] = {"*/*",      "gzip",  "application/json", "api.example.com",
                                         "shop/2.1", "4c1d0a"};
    struct rules_value map = {.type = RULES_T_HEADERS}, all = {.type = RULES_T_STRINGS};
    for (size_t i = 0; i < 6; i++) {
        strings[i] = rules_bytes(names[i], strlen(names[i]));
        header_values[i] = rules_bytes(values[i], strlen(values[i]));
        headers[i].key = strings[i].bytes;
        headers[i].value.type = RULES_T_STRINGS;
        headers[i].value.array.item = &header_values[i];
        headers[i].value.array.count = 1;
    }
    map.map.entry = headers;
    map.map.count = 6;
    all.array.item = strings;
    all.array.count = 6;
    rules_context_set(&context, RULES_FIELD_HEADERS, &map);
    rules_context_set(&context, RULES_FIELD_HEADERS_NAMES, &all);
    set_text(RULES_FIELD_HOST, "api.example.com");
    set_text(RULES_FIELD_METHOD, "POST");
    set_text(RULES_FIELD_PATH, "/api/v2/orders/4711/items");
    set_text(RULES_FIELD_QUERY, "limit=20&offset=40");
    set_text(RULES_FIELD_USER_AGENT, "shop/2.1");
}

static const struct rules_list *find_list(void *arg, const char *name, size_t size, uint32_t type, int field)
{
    (void)arg;
    (void)name;
    (void)size;
    return lists[rules_list_kind_for(type, field)];
}

static struct rules_env environment(void)
{
    return (struct rules_env){.scheme = rules_scheme_standard(), .list = find_list};
}

static void make_lists(size_t members)
{
    for (unsigned kind = 0; kind < 5; kind++) {
        lists[kind] = rules_list_new((enum rules_list_kind)kind);
        for (size_t i = 0; i < members; i++) {
            char text[80];
            unsigned n = (unsigned)i * 7919u + 1;
            int size = kind == RULES_LIST_INTEGERS ? snprintf(text, sizeof text, "%u", n)
                       : kind == RULES_LIST_IPS
                           ? snprintf(text, sizeof text, "192.%u.%u.%u", n >> 16 & 255, n >> 8 & 255, n & 255)
                       : kind == RULES_LIST_FINGERPRINTS ? snprintf(text, sizeof text, "%064x", n)
                       : kind == RULES_LIST_SERIALS      ? snprintf(text, sizeof text, "52%036X", n)
                                                    : snprintf(text, sizeof text, "host-%u.example.com", n);
            need(!rules_list_add(lists[kind], text, (size_t)size), "list");
        }
        need(rules_list_finish(lists[kind]), "list");
    }
}

/* --- Rules --- */

/* Kinds in turn; none matches, so all are looked at. Four of ten are facts of the connection. */
static size_t rule_text(unsigned i, char *text, size_t size)
{
    switch (i % 10) {
    case 0: return (size_t)snprintf(text, size, "cf.tls_client_auth.cert_serial in $l");
    case 1:
        return (size_t)snprintf(
            text, size, "http.host eq \"host-%u.example.com\" and not cf.tls_client_auth.cert_verified", i);
    case 2: return (size_t)snprintf(text, size, "http.request.uri.path eq \"/admin/%u\"", i);
    case 3: return (size_t)snprintf(text, size, "ip.src in {192.0.%u.0/24 198.51.100.0/24}", i % 256);
    case 4:
        return (size_t)snprintf(
            text, size, "http.request.method eq \"DELETE\" and http.request.uri.path contains \"/x%u\"", i);
    case 5:
        return (size_t)snprintf(
            text, size, "cf.tls_client_auth.cert_fingerprint_sha256 in $l and http.host ne \"h%u\"", i);
    case 6: return (size_t)snprintf(text, size, "http.host in {\"a%u\" \"b\" \"c\" \"d\" \"e\" \"f\"}", i);
    case 7: return (size_t)snprintf(text, size, "starts_with(http.request.uri.path, \"/internal%u\")", i);
    case 8:
        return (size_t)snprintf(text, size,
                                "not outrider.spiffe_id wildcard \"spiffe://cluster.local/ns/*/sa/orders\"");
    default: return (size_t)snprintf(text, size, "http.request.headers[\"x-debug-%u\"][0] eq \"1\"", i);
    }
}

static struct ruleset *ruleset;
static uint64_t state[64];
static struct ruleset_counter counter[4096];
static struct ruleset_decision decision;

static void make_rules(unsigned count)
{
    struct rules_env env = environment();
    ruleset_free(ruleset);
    ruleset = ruleset_new(RULESET_AUTO);
    for (unsigned i = 0; i < count; i++) {
        char text[200];
        struct rules_error error;
        size_t size = rule_text(i, text, sizeof text);
        struct ruleset_rule rule = {.name = "r",
                                    .expression = text,
                                    .expression_size = size,
                                    .action = RULESET_BLOCK,
                                    .enabled = true};
        need(ruleset_add(ruleset, &env, &rule, &error), error.message);
    }
}

static void work_connect(unsigned times)
{
    const struct ruleset_plan *plan = ruleset_plan(ruleset, "web");
    for (unsigned i = 0; i < times; i++)
        ruleset_connect(plan, &context, &scratch, false, state, counter, &decision);
}

static void work_request(unsigned times)
{
    const struct ruleset_plan *plan = ruleset_plan(ruleset, "web");
    for (unsigned i = 0; i < times; i++) {
        ruleset_request(plan, &context, &scratch, state, counter, &decision);
        need(decision.verdict == RULESET_PASS, "a rule of the benchmark matches");
    }
}

static void work_compile(unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        make_rules(1000);
}

/* --- One expression --- */

static struct rules_program *program;
static unsigned hits;

static void work_program(unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        hits += rules_eval(program, &context, &scratch);
}

static void one(const char *expression, double goal)
{
    struct rules_env env = environment();
    struct rules_error error;
    char title[64];
    program = rules_compile(&env, expression, strlen(expression), &error);
    need(program, error.message);
    snprintf(title, sizeof title, "%.57s", expression);
    line(title, measure(work_program, 10000), "ns", goal);
    rules_free(program);
}

static unsigned list_kind;

static void work_lists(unsigned times)
{
    static struct rules_value value[5][64];
    static char text[5][64][72];
    for (unsigned k = 0; value[0][63].type == RULES_MISSING && k < 64; k++) {
        unsigned n = k * 157 * 7919u + 1 + k % 2;
        value[RULES_LIST_STRINGS][k] =
            rules_bytes(text[0][k], (size_t)snprintf(text[0][k], 72, "host-%u.example.com", n));
        value[RULES_LIST_INTEGERS][k] = rules_int(n);
        value[RULES_LIST_IPS][k] = rules_ip(rules_ip_from_v4(192u << 24 | (n & 0xffffff)));
        value[RULES_LIST_FINGERPRINTS][k] =
            rules_bytes(text[3][k], (size_t)snprintf(text[3][k], 72, "%064x", n));
        value[RULES_LIST_SERIALS][k] =
            rules_bytes(text[4][k], (size_t)snprintf(text[4][k], 72, "52%036X", n));
    }
    for (unsigned i = 0; i < times; i++)
        hits += rules_list_has(lists[list_kind], &value[list_kind][i % 64]);
}

/* --- Rate limits --- */

static struct rules_lru *table;

static void work_limit(unsigned times)
{
    static const struct ratelimit_window window = {100, 60000, 0};
    static uint64_t clock;
    for (unsigned i = 0; i < times; i++) {
        uint64_t key[2] = {i % 5000 * 0x9e3779b97f4a7c15u, i % 5000}, retry;
        hits += ratelimit_hit(table, key, &window, RATELIMIT_TAKE, clock++ / 100, &retry);
    }
}

int main(int argc, char **argv)
{
    static const uint8_t secret[16] = {1, 2, 3};
    static const char *const kinds[] = {"strings", "integers", "addresses", "fingerprints", "serials"};
    if (argc > 1)
        seconds = atof(argv[1]);
    rules_context_init(&context, rules_scheme_standard(), NULL, NULL);
    need(rules_scratch_init(&scratch, RULES_SCRATCH_DEFAULT), "memory");
    make_lists(10000);
    set_connection();
    set_request();

    make_rules(100);
    line("100 mixed rules, a connection", measure(work_connect, 1000), "ns", 10000);
    line("100 mixed rules, a request", measure(work_request, 1000), "ns", 1000);
    for (list_kind = 0; list_kind < 5; list_kind++) {
        char title[64];
        snprintf(title, sizeof title, "looking up in 10,000 %s", kinds[list_kind]);
        line(title, measure(work_lists, 10000), "ns", 50);
    }
    one("http.host eq \"api.example.com\"", 20);
    one("any(http.request.headers.names[*] eq \"x-debug\")", 100);
    one("http.request.uri.path contains \"/items\"", 50);
    one("http.request.uri.path wildcard \"/API/*/items\"", 200);
    one("lower(http.host) eq \"api.example.com\"", 100);
    one("http.request.uri.path matches \"^/api/v[0-9]+/orders/\"", 1000);
    one("http.request.uri.path matches \"(?i)\\\\.(php|aspx?|jsp)$\"", 1000);
    one("http.user_agent matches \"(curl|wget|python-requests)/[0-9.]+\"", 1000);
    line("compiling 1,000 rules", measure(work_compile, 1) / 1e6, "ms", 50);
    table = ratelimit_table_new(10000, secret);
    line("counting for a rate limit, 5,000 callers", measure(work_limit, 10000), "ns", 200);
    rules_lru_free(table);
    ruleset_free(ruleset);
    for (int i = 0; i < 5; i++)
        rules_list_free(lists[i]);
    rules_scratch_clear(&scratch);
    return hits == 1;
}
