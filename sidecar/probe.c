/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/probe.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sidecar/cert.h"
#include "sidecar/probing.h"
#include "sidecar/proxy/tell.h"
#include "sidecar/top_text.h"

enum { TIMEOUT = 5000, WAIT = 500, ALPN_MAX = 8, HOST_MAX = 253, MS_MAX = 600000 };

struct options {
    const char *target, *cert_dir, *config, *outbound, *sni;
    char *alpn[ALPN_MAX];
    size_t alpn_count;
    bool anonymous, json;
    uint64_t timeout, wait;
};

static void usage(FILE *out)
{
    (void)fputs(
        "usage: sidecar probe [OPTION]... HOST:PORT\n"
        "       sidecar probe -c FILE --outbound NAME [OPTION]... [HOST:PORT]\n"
        "\n"
        "Makes a mutual TLS connection as the sidecar would, and tells each step of it: name, connection,\n"
        "handshake, the peer's certificates and what the judge says of them, whether ours was demanded and\n"
        "refused. Sends nothing but the handshake.\n"
        "\n"
        "      --cert-dir DIR    own certificate, key and CA bundle, as [tls] directory\n"
        "  -c, --config FILE     those of [tls] in this configuration\n"
        "      --outbound NAME   its [outbound NAME]: where to, server_name, allow_san, ALPN\n"
        "      --sni NAME        the name to ask for, and to expect in the certificate (HOST)\n"
        "      --alpn NAME       a protocol to offer; may be repeated\n"
        "      --no-cert         shows no certificate; of the directory only the CA bundle is read\n"
        "      --timeout MS      for looking up, connecting and the handshake each (5000)\n"
        "      --wait MS         after the handshake, for the peer's refusal (500)\n"
        "      --json            as one JSON object\n"
        "  -h, --help            this text\n"
        "\n"
        "Exit status: 0 all is well; 1 own configuration or credentials cannot be used; 2 wrong usage;\n"
        "3 unreachable; 4 not TLS, or nothing in common; 5 the peer is not trusted, or is somebody else;\n"
        "6 the peer refused us.\n",
        out);
}

static bool milliseconds(const char *text, uint64_t *out)
{
    char *rest;
    unsigned long n = strtoul(text, &rest, 10);
    *out = n;
    return isdigit((unsigned char)*text) && *rest == '\0' && n <= MS_MAX;
}

/* 0: go on; else 1 help, 2 wrong usage. */
static int options_read(struct options *o, int argc, char **argv)
{
    enum { CERT_DIR = 256, OUTBOUND, SNI, ALPN, NO_CERT, TIMEOUT_MS, WAIT_MS, JSON };
    static const struct option longs[] = {{"cert-dir", required_argument, NULL, CERT_DIR},
                                          {"config", required_argument, NULL, 'c'},
                                          {"outbound", required_argument, NULL, OUTBOUND},
                                          {"sni", required_argument, NULL, SNI},
                                          {"alpn", required_argument, NULL, ALPN},
                                          {"no-cert", no_argument, NULL, NO_CERT},
                                          {"timeout", required_argument, NULL, TIMEOUT_MS},
                                          {"wait", required_argument, NULL, WAIT_MS},
                                          {"json", no_argument, NULL, JSON},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    bool good = true;
    int option;
    while (good && (option = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
        switch (option) {
        case 'c': o->config = optarg; break;
        case CERT_DIR: o->cert_dir = optarg; break;
        case OUTBOUND: o->outbound = optarg; break;
        case SNI: o->sni = optarg; break;
        case ALPN:
            good = o->alpn_count < ALPN_MAX;
            if (good)
                o->alpn[o->alpn_count++] = optarg;
            break;
        case NO_CERT: o->anonymous = true; break;
        case TIMEOUT_MS: good = milliseconds(optarg, &o->timeout) && o->timeout != 0; break;
        case WAIT_MS: good = milliseconds(optarg, &o->wait); break;
        case JSON: o->json = true; break;
        case 'h': return 1;
        default: return 2;
        }
        if (!good)
            (void)fprintf(stderr, "sidecar probe: cannot be understood: %s\n", optarg);
    }
    if (optind < argc)
        o->target = argv[optind++];
    if (!good || optind != argc || (!o->config && !o->cert_dir) || (o->outbound && !o->config) ||
        (!o->target && !o->outbound))
        return 2;
    return 0;
}

/* "HOST:PORT" or "[ADDRESS]:PORT"; HOST is written in lower case to NAME. */
static bool target_read(const char *text, char name[HOST_MAX + 1], struct config_target *target)
{
    const char *colon = strrchr(text, ':');
    char *rest;
    if (colon == NULL || !isdigit((unsigned char)colon[1]))
        return false;
    unsigned long port = strtoul(colon + 1, &rest, 10);
    bool brackets = *text == '[' && colon > text && colon[-1] == ']';
    size_t length = (size_t)(colon - text) - (brackets ? 2 : 0);
    if (*rest != '\0' || port == 0 || port > 65535 || length == 0 || length > HOST_MAX ||
        (!brackets && memchr(text, ':', length)))
        return false;
    for (size_t i = 0; i < length; i++)
        name[i] = (char)tolower((unsigned char)text[i + brackets]);
    name[length] = '\0';
    *target = (struct config_target){.kind = CONFIG_TARGET_HOST, .host = name, .port = (uint16_t)port};
    return true;
}

/* --- words -------------------------------------------------------------------------------------------- */

static void step(const char *label, uint64_t ns)
{
    char time[32];
    if (ns != 0)
        (void)snprintf(time, sizeof time, "%8.1f ms", (double)ns / 1e6);
    (void)printf("%-11s %11s  ", label, ns ? time : "");
}

static void print_names(const struct config_outbound *out)
{
    for (size_t i = 0; i < out->allow_san.count; i++)
        (void)printf("%s%s", i ? " or " : "", out->allow_san.item[i]);
    if (out->allow_san.count == 0)
        (void)fputs(out->server_name ? out->server_name : "(nobody)", stdout);
}

static void print_peer(const struct probing *p)
{
    int64_t now = time(NULL);
    for (size_t i = 0; i < p->peer->chain_count; i++) {
        (void)printf("certificate %zu of %zu that the peer showed\n", i + 1, p->peer->chain_count);
        cert_print(stdout, 2, p->peer->chain[i], now);
    }
    step("trust", 0);
    top_text_print(stdout, p->verdict.words);
    (void)putchar('\n');
    cert_print_path(stdout, 25, &p->judged);
    step("name", 0);
    (void)fputs("expected ", stdout);
    print_names(p->offline->runtime->outbound[0].config);
    (void)puts(p->named ? ": it is there" : ": it is NOT there");
}

static void print_own(const struct probing *p)
{
    const struct credentials *own = p->offline->snapshot->trust[0].credentials;
    step("our own", 0);
    if (!p->info.asked)
        (void)puts("no certificate was demanded of us");
    else if (!p->info.showed && p->alert_sent != TLS_ALERT_NONE)
        (void)puts("a certificate was demanded of us; it came to nothing before ours was shown");
    else if (!p->info.showed)
        (void)puts(own->chain_count ? "a certificate was demanded of us; ours does not fit what was asked for"
                                    : "a certificate was demanded of us; we have shown none");
    else
        (void)puts("a certificate was demanded of us, and shown:");
    if (p->info.showed)
        cert_print(stdout, 25, own->chain[0], time(NULL));
    if (p->own == PROBING_UNKNOWN && p->result == PROBING_WELL)
        return;
    step("admitted", 0);
    if (p->alert_received != TLS_ALERT_NONE)
        (void)printf("no: alert %s\n", tls_alert_name(p->alert_received));
    else if (p->own == PROBING_ACCEPTED)
        (void)puts("yes: the peer began to speak");
    else if (p->own == PROBING_SILENT && p->result == PROBING_WELL)
        (void)printf("yes: no refusal within %llu ms\n", (unsigned long long)p->wait);
    else
        (void)puts("not known");
}

static void print_words(const struct probing *p)
{
    const struct config_outbound *out = p->offline->runtime->outbound[0].config;
    char address[NET_ADDR_TEXT];
    if (p->addr_count) {
        step("resolved", p->resolve_ns);
        for (size_t i = 0; i < p->addr_count; i++)
            (void)printf("%s%s", i ? ", " : "", net_addr_host_text(&p->addr[i].sa, address, sizeof address));
        (void)putchar('\n');
    }
    if (*p->remote) {
        step("connected", p->connect_ns);
        (void)puts(p->remote);
    }
    if (p->handshake_ns) {
        step("handshake", p->handshake_ns);
        if (p->info.version)
            (void)printf("%s, %s, %s", p->info.version, p->info.cipher,
                         p->info.group ? p->info.group : "group not known");
        else
            (void)fputs("not completed", stdout);
        (void)printf("; asked for %s by SNI\n", p->info.sni ? p->info.sni : "no name");
    }
    if (p->peer)
        print_peer(p);
    if (p->info.version)
        print_own(p);
    if (p->handshaken) {
        step("ALPN", 0);
        (void)puts(p->info.alpn ? p->info.alpn : out->alpn.count ? "nothing agreed on" : "none offered");
        step("ticket", 0);
        (void)puts(p->info.ticket ? "given: sessions may be resumed" : "none given");
    }
    (void)printf("%s%s", probing_result_name(p->result), *p->words ? ": " : "");
    top_text_print(stdout, p->words);
    (void)putchar('\n');
}

/* --- JSON --------------------------------------------------------------------------------------------- */

static void json_peer(struct json_write *json, const struct probing *p)
{
    const struct config_outbound *out = p->offline->runtime->outbound[0].config;
    if (p->peer == NULL) {
        json_null(json, "peer");
        return;
    }
    json_object(json, "peer");
    json_array(json, "chain");
    for (size_t i = 0; i < p->peer->chain_count; i++)
        tell_certificate(json, NULL, p->peer->chain[i]);
    json_array_end(json);
    json_bool(json, "trusted", p->verdict.status == TLS_TRUSTED);
    json_text(json, "status", tls_status_name(p->verdict.status));
    json_text(json, "words", p->verdict.words);
    cert_json_path(json, "path", &p->judged);
    json_array(json, "names_expected");
    for (size_t i = 0; i < out->allow_san.count; i++)
        json_text(json, NULL, out->allow_san.item[i]);
    if (out->allow_san.count == 0 && out->server_name)
        json_text(json, NULL, out->server_name);
    json_array_end(json);
    json_bool(json, "name_matches", p->named);
    json_object_end(json);
}

static void json_own(struct json_write *json, const struct probing *p)
{
    const struct credentials *own = p->offline->snapshot->trust[0].credentials;
    json_object(json, "own");
    json_bool(json, "demanded", p->info.asked);
    json_bool(json, "shown", p->info.showed);
    if (own->chain_count)
        tell_certificate(json, "certificate", own->chain[0]);
    else
        json_null(json, "certificate");
    if (p->result == PROBING_REFUSED || (p->result == PROBING_WELL && p->own != PROBING_UNKNOWN))
        json_bool(json, "accepted", p->result == PROBING_WELL);
    else
        json_null(json, "accepted");
    json_object_end(json);
}

static void json_time(struct json_write *json, const char *key, uint64_t ns)
{
    if (ns != 0)
        json_seconds(json, key, ns);
    else
        json_null(json, key);
}

static void alert_json(struct json_write *json, const char *key, enum tls_alert alert)
{
    json_text(json, key, alert == TLS_ALERT_NONE ? NULL : tls_alert_name(alert));
}

static bool print_json(const struct probing *p)
{
    struct json_write json = {0};
    char address[NET_ADDR_TEXT];
    json_object(&json, NULL);
    json_text(&json, "result", probing_result_name(p->result));
    json_text(&json, "words", *p->words ? p->words : NULL);
    json_array(&json, "addresses");
    for (size_t i = 0; i < p->addr_count; i++)
        json_text(&json, NULL, net_addr_host_text(&p->addr[i].sa, address, sizeof address));
    json_array_end(&json);
    json_text(&json, "connected", *p->remote ? p->remote : NULL);
    json_time(&json, "resolve_seconds", p->resolve_ns);
    json_time(&json, "connect_seconds", p->connect_ns);
    json_time(&json, "handshake_seconds", p->handshake_ns);
    json_bool(&json, "handshaken", p->handshaken);
    json_text(&json, "version", p->info.version);
    json_text(&json, "cipher", p->info.cipher);
    json_text(&json, "group", p->info.group);
    json_text(&json, "sni", p->info.sni);
    json_text(&json, "alpn", p->info.alpn);
    json_bool(&json, "ticket", p->info.ticket);
    alert_json(&json, "alert_sent", p->alert_sent);
    alert_json(&json, "alert_received", p->alert_received);
    json_peer(&json, p);
    json_own(&json, p);
    json_object_end(&json);
    bool ok = !json.out.failed;
    if (ok)
        (void)printf("%.*s\n", (int)json.out.size, (const char *)json.out.data);
    rules_buffer_free(&json.out);
    return ok;
}

/* --- the command -------------------------------------------------------------------------------------- */

/* The one outbound that is probed, in place of all that CONFIG has. False: it has been said why. */
static bool aim(const struct options *o, struct config *config, struct config_outbound *out,
                char name[HOST_MAX + 1])
{
    *out = (struct config_outbound){.name = (char *)(uintptr_t) "probe"};
    bool found = o->outbound == NULL;
    for (size_t i = 0; !found && i < config->outbound_count; i++) {
        found = strcmp(config->outbound[i].name, o->outbound) == 0;
        if (found)
            *out = config->outbound[i];
    }
    if (!found || out->passthrough) {
        (void)fprintf(stderr, "sidecar probe: %s\n",
                      found ? "that outbound passes connections through, without TLS"
                            : "there is no outbound of that name");
        return false;
    }
    if (o->target && !target_read(o->target, name, &out->connect)) {
        (void)fprintf(stderr, "sidecar probe: not HOST:PORT: %s\n", o->target);
        return false;
    }
    if (out->connect.kind == CONFIG_TARGET_NONE) {
        (void)fputs("sidecar probe: that outbound has no connect: name HOST:PORT\n", stderr);
        return false;
    }
    if (o->sni || (out->server_name == NULL && out->allow_san.count == 0))
        out->server_name = o->sni ? (char *)(uintptr_t)o->sni : out->connect.host;
    if (o->sni)
        out->allow_san.count = 0;
    if (o->alpn_count)
        out->alpn = (struct config_strings){(char **)(uintptr_t)o->alpn, NULL, o->alpn_count};
    config->outbound = out;
    config->outbound_count = 1;
    config->inbound_count = config->ca_count = 0;
    /* To see whether a ticket would come. */
    config->tls.resumption = true;
    return true;
}

static int probe(const struct options *o, struct config *config, struct proxy_policy *policy)
{
    struct offline offline;
    char error[SNAPSHOT_ERROR];
    if (!offline_open(&offline, config, policy, o->anonymous, error)) {
        (void)fprintf(stderr, "sidecar probe: %s\n", error);
        return PROBING_LOCAL;
    }
    struct probing p = {.offline = &offline, .timeout = o->timeout, .wait = o->wait};
    probing_run(&p);
    int status = p.result;
    if (!o->json)
        print_words(&p);
    else if (!print_json(&p))
        status = PROBING_LOCAL;
    probing_clear(&p);
    offline_close(&offline);
    return status;
}

int probe_main(int argc, char **argv)
{
    struct options o = {.timeout = TIMEOUT, .wait = WAIT};
    struct proxy_policy *policy = NULL;
    struct config_outbound out;
    char name[HOST_MAX + 1];
    int wrong = options_read(&o, argc, argv);
    if (wrong) {
        usage(wrong == 1 ? stdout : stderr);
        return wrong == 1 ? 0 : PROBING_USAGE;
    }
    struct config *config = offline_config(o.config, o.cert_dir, &policy);
    if (config == NULL)
        return PROBING_LOCAL;
    if (!aim(&o, config, &out, name)) {
        proxy_policy_free(policy);
        config_free(config);
        return PROBING_USAGE;
    }
    return probe(&o, config, policy);
}
