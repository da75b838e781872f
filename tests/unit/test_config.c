/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The configuration: what is read, what is refused and in which words, the sample and the reference. */
#include "reference.h"
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config_expect.h"

#include <arpa/inet.h>

#include "config/table.h"
#include "data/config/mistakes.h"

#define TABLE(which)                              \
    static void test_##which(void **state)        \
    {                                             \
        (void)state;                              \
        for (size_t i = 0; i < COUNT(which); i++) \
            expect(&which[i]);                    \
    }
TABLE(lines)
TABLE(values)
TABLE(environment)
TABLE(combinations)

static void assert_strings(const struct config_strings *s, const char *const *items)
{
    size_t n = 0;
    for (; items[n]; n++) {
        assert_true(n < s->count);
        assert_string_equal(s->item[n], items[n]);
    }
    assert_int_equal(s->count, n);
}
#define STRINGS(list, ...) assert_strings(&(list), (const char *const[]){__VA_ARGS__, NULL})

static void assert_ip(const struct sockaddr_storage *ip, const char *text, unsigned port)
{
    char found[INET6_ADDRSTRLEN];
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)ip;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)ip;
    bool four = ip->ss_family == AF_INET;
    inet_ntop(ip->ss_family, four ? (const void *)&v4->sin_addr : (const void *)&v6->sin6_addr, found,
              sizeof found);
    assert_string_equal(found, text);
    assert_int_equal(ntohs(four ? v4->sin_port : v6->sin6_port), port);
}

static void test_defaults(void **state)
{
    (void)state;
    struct config *c =
        good(BASE "[outbound o]\nlisten = 127.0.0.1:3\nconnect = Orders.shop.svc.:443\n"
                  "[rule r]\nexpression = ssl\n"
                  "[ratelimit l]\nexpression = ssl\ncharacteristics = ip.src\nrequests = 5\n"
                  "period = 10s\n[headers]\nforward = xfcc\n[ca c]\nfile = /c\nhostnames = c\n");
    assert_int_equal(c->sidecar.workers, 0);
    assert_int_equal(c->sidecar.health.kind, CONFIG_ADDR_NONE);
    assert_int_equal(c->sidecar.admin.count, 0);
    assert_int_equal(c->sidecar.drain_timeout, 25000);
    assert_int_equal(c->sidecar.drain_delay, 3000);
    assert_int_equal(c->sidecar.start_timeout, 60000);
    assert_int_equal(c->sidecar.max_connections, 0);
    assert_int_equal(c->sidecar.max_handshakes, 512);
    assert_int_equal(c->sidecar.log_format, CONFIG_LOG_JSON);
    assert_int_equal(c->sidecar.log_level, CONFIG_LOG_INFO);
    assert_true(c->sidecar.log_sessions);
    assert_int_equal(c->sidecar.log_refused_per_second, 10);
    assert_string_equal(c->tls.directory, "/t");
    assert_int_equal(c->tls.layout, CONFIG_LAYOUT_AUTO);
    assert_null(c->tls.certificate);
    assert_int_equal(c->tls.crl_missing, CONFIG_CRL_MISSING_ACCEPT);
    assert_int_equal(c->tls.crl_expired, CONFIG_CRL_EXPIRED_REJECT);
    assert_int_equal(c->tls.on_untrusted, CONFIG_ON_UNTRUSTED_CLOSE);
    assert_int_equal(c->tls.trust_grace, 10000);
    assert_false(c->tls.resumption);
    assert_false(c->tls.strict_permissions);
    assert_int_equal(c->tls.poll, 0);
    assert_int_equal(c->tls.min_version, CONFIG_TLS_1_2);
    assert_int_equal(c->tls.ciphers.count, 0);
    assert_int_equal(c->tls.client_auth, CONFIG_CLIENT_AUTH_REQUIRE);
    assert_int_equal(c->tls.handshake_timeout, 10000);
    const struct config_inbound *in = &c->inbound[0];
    assert_string_equal(in->name, "web");
    assert_int_equal(in->place.line, 3);
    assert_ip(&in->listen.ip, "0.0.0.0", 1);
    assert_string_equal(in->listen.text, "0.0.0.0:1");
    assert_string_equal(in->forward.host, "127.0.0.1");
    assert_int_equal(in->forward.port, 2);
    assert_int_equal(in->client_auth, CONFIG_CLIENT_AUTH_REQUIRE);
    assert_int_equal(in->revoked, CONFIG_REVOKED_REFUSE);
    assert_int_equal(in->path_ambiguity, CONFIG_PATH_AMBIGUITY_REFUSE);
    assert_false(in->tcp_fallback_allow);
    assert_false(in->plaintext_allow);
    assert_int_equal(in->proxy_in, CONFIG_PROXY_IN_OFF);
    assert_int_equal(in->limits.connect_timeout, 5000);
    assert_int_equal(in->limits.idle_timeout, 0);
    assert_int_equal(in->limits.keepalive, 60000);
    const struct config_outbound *out = &c->outbound[0];
    assert_string_equal(out->connect.host, "Orders.shop.svc.");
    assert_string_equal(out->server_name, "orders.shop.svc");
    assert_int_equal(out->limits.connect_timeout, 10000);
    assert_int_equal(c->rules.fallback, CONFIG_RULES_AUTO);
    assert_int_equal(c->rules.expression_max, 4096);
    assert_int_equal(c->rules.regexes_max, 64);
    assert_int_equal(c->rules.regex_max, 10 << 20);
    assert_int_equal(c->rules.ratelimit_entries, 16384);
    assert_int_equal(c->rules.certificate_entries, 4096);
    assert_int_equal(c->rule[0].action, CONFIG_ACTION_BLOCK);
    assert_int_equal(c->rule[0].status, 403);
    assert_true(c->rule[0].enabled);
    assert_false(c->rule[0].dry_run);
    assert_null(c->rule[0].body);
    assert_int_equal(c->ratelimit[0].status, 429);
    assert_int_equal(c->ratelimit[0].mitigation_timeout, 0);
    assert_null(c->ratelimit[0].counting_expression.text);
    assert_int_equal(c->headers[0].xfcc_mode, CONFIG_XFCC_SANITIZE_SET);
    assert_int_equal(c->headers[0].xfcc_details, CONFIG_XFCC_SUBJECT | CONFIG_XFCC_URI | CONFIG_XFCC_DNS);
    assert_int_equal(c->headers[0].max_value, 8192);
    config_free(c);
}

/* Every type, and what one section takes over from another. */
static void test_typed(void **state)
{
    (void)state;
    set_environment();
    struct config *c = good(
        "[sidecar]\nworkers = 3\nhealth = [::]:9902\nadmin = unix:/run/a.sock, [::1]:9901\ndrain_timeout = "
        "2m\n"
        "start_timeout = 0\nmax_connections = off\nlog_format = text\nlog_sessions = off\n"
        "[tls]\ncertificate = c.pem\nkey = k.pem\nca = ca.pem\nlayout = files\nresumption = on\npoll = 1d\n"
        "min_version = 1.3\nclient_auth = request\ncrl_missing = reject\ncrl_expired = warn\n"
        "groups = X25519MLKEM768,\n        P-256\n"
        "[inbound a]\nlisten = ${OUTRIDER_IP}:${OUTRIDER_PORT}\nforward = unix:/run/s\nprotocol = tcp\n"
        "plaintext = allow\nproxy_protocol = require\nproxy_from = ${OUTRIDER_LIST}, 192.168.0.0/16\n"
        "send_proxy = v2\nrevoked = rule\ntcp_fallback = allow\nidle_timeout = 1h\n"
        "[inbound b]\nlisten = 127.0.0.1:5\nforward = [2001:db8::1]:80\nclient_auth = require\nprotocol = "
        "http\n"
        "[ca x]\nfile = x\nhostnames = A.example, *.B.example\ninbounds = a, b\ncrl_expired = reject\n"
        "[outbound o]\nlisten = unix:/run/o\nconnect = 10.0.0.1:1\nserver_name = Peer.example\n"
        "[list l]\nkind = serial\nvalues = 01:ab, 2\nfile = f\n"
        "[expression e-1.x]\nexpression = ssl\n[expression f]\nexpression = ssl\n"
        "[sequence s]\nsequence = e-1.x\n   -> f\nwindow = 90s\naction = log\ndry_run = on\ninbound = b\n"
        "[quarantine q]\nthreshold = 5\nperiod = 10s\nduration = 1h\naction = log\n"
        "[headers]\nforward = rfc9440, xfcc\nxfcc_details = chain\nforwarded = yes\nhostnames = *.x\n"
        "request.X-Serial = cf.tls_client_auth.cert_serial\nresponse.X = ip.src\n");
    assert_int_equal(c->sidecar.workers, 3);
    assert_ip(&c->sidecar.health.ip, "::", 9902);
    assert_int_equal(c->sidecar.admin.count, 2);
    assert_string_equal(c->sidecar.admin.item[0].path, "/run/a.sock");
    assert_ip(&c->sidecar.admin.item[1].ip, "::1", 9901);
    assert_int_equal(c->sidecar.drain_timeout, 120000);
    assert_int_equal(c->sidecar.start_timeout, 0);
    assert_int_equal(c->sidecar.log_format, CONFIG_LOG_TEXT);
    assert_false(c->sidecar.log_sessions);
    assert_true(c->tls.resumption);
    assert_int_equal(c->tls.layout, CONFIG_LAYOUT_FILES);
    assert_int_equal(c->tls.poll, 86400000);
    assert_int_equal(c->tls.min_version, CONFIG_TLS_1_3);
    STRINGS(c->tls.groups, "X25519MLKEM768", "P-256");
    assert_int_equal(c->tls.groups.place[1].line, 22);
    assert_int_equal(c->tls.groups.place[1].column, 9);
    assert_int_equal(c->inbound_count, 2);
    const struct config_inbound *in = &c->inbound[0];
    assert_ip(&in->listen.ip, "10.0.0.1", 8443);
    assert_int_equal(in->forward.kind, CONFIG_TARGET_UNIX);
    assert_int_equal(in->client_auth, CONFIG_CLIENT_AUTH_REQUEST);
    assert_int_equal(in->revoked, CONFIG_REVOKED_RULE);
    assert_true(in->plaintext_allow);
    assert_true(in->tcp_fallback_allow);
    assert_int_equal(in->proxy_in, CONFIG_PROXY_IN_REQUIRE);
    assert_int_equal(in->proxy_out, CONFIG_PROXY_OUT_V2);
    assert_int_equal(in->proxy_from.count, 3);
    assert_ip(&in->proxy_from.item[1].ip, "::1", 0);
    assert_int_equal(in->proxy_from.item[1].bits, 128);
    assert_int_equal(in->proxy_from.item[2].bits, 16);
    assert_int_equal(in->limits.idle_timeout, 3600000);
    assert_int_equal(c->inbound[1].client_auth, CONFIG_CLIENT_AUTH_REQUIRE);
    assert_string_equal(c->inbound[1].forward.host, "2001:db8::1");
    STRINGS(c->ca[0].hostnames, "a.example", "*.b.example");
    STRINGS(c->ca[0].inbounds, "a", "b");
    assert_int_equal(c->ca[0].crl_missing, CONFIG_CRL_MISSING_REJECT);
    assert_int_equal(c->ca[0].crl_expired, CONFIG_CRL_EXPIRED_REJECT);
    assert_string_equal(c->outbound[0].server_name, "peer.example");
    assert_int_equal(c->list[0].kind, CONFIG_LIST_SERIAL);
    STRINGS(c->list[0].values, "01:ab", "2");
    assert_int_equal(c->quarantine[0].action, CONFIG_ACTION_LOG);
    assert_string_equal(c->expression[0].name, "e-1.x");
    assert_string_equal(c->sequence[0].steps.text, "e-1.x -> f");
    assert_int_equal(c->sequence[0].window, 90000);
    assert_int_equal(c->sequence[0].action, CONFIG_ACTION_LOG);
    assert_true(c->sequence[0].enabled && c->sequence[0].dry_run);
    STRINGS(c->sequence[0].inbound, "b");
    const struct config_headers *h = &c->headers[0];
    assert_null(h->name);
    assert_int_equal(h->forward, CONFIG_FORWARD_RFC9440 | CONFIG_FORWARD_XFCC);
    assert_int_equal(h->xfcc_details, CONFIG_XFCC_CHAIN);
    assert_true(h->forwarded);
    assert_int_equal(h->request_count, 1);
    assert_string_equal(h->request[0].name, "X-Serial");
    assert_string_equal(h->request[0].value.text, "cf.tls_client_auth.cert_serial");
    assert_int_equal(h->response_count, 1);
    config_free(c);
}

/* --- files --- */

static void test_size(void **state)
{
    (void)state;
    char *text = malloc(CONFIG_FILE_MAX + 1);
    memset(text, '\n', CONFIG_FILE_MAX + 1);
    memcpy(text, BASE, strlen(BASE));
    expect_bytes("1 MiB", text, CONFIG_FILE_MAX, "");
    expect_bytes("more", text, CONFIG_FILE_MAX + 1, "0:0+1 the file has more than 1048576 bytes (1 MiB)\n");
    /* One line of 1 MiB, one expression of many lines, many sections, garbage: all in good time. */
    memset(text, 'a', CONFIG_FILE_MAX);
    size_t n = (size_t)sprintf(text, BASE "[rule r]\nexpression = a");
    text[n] = 'a';
    struct config_report r;
    struct config *c = config_parse("t.ini", text, CONFIG_FILE_MAX, &r);
    assert_non_null(c);
    assert_int_equal(c->rule[0].expression.length, CONFIG_FILE_MAX - n + 1);
    assert_int_equal(c->rule[0].expression.segment_count, 1);
    config_free(c);
    config_report_clear(&r);
    for (size_t i = n; i + 3 < CONFIG_FILE_MAX; i += 3)
        memcpy(text + i, "\n b", 3);
    c = config_parse("t.ini", text, CONFIG_FILE_MAX - 3, &r);
    assert_non_null(c);
    config_free(c);
    config_report_clear(&r);
    for (size_t i = 0; i + 4 < CONFIG_FILE_MAX; i += 4)
        memcpy(text + i, "[l]\n", 4);
    assert_null(config_parse("t.ini", text, CONFIG_FILE_MAX, &r));
    config_report_clear(&r);
    for (size_t i = 0; i < CONFIG_FILE_MAX; i++)
        text[i] = (char)(i * 7919 >> 3);
    assert_null(config_parse("t.ini", text, CONFIG_FILE_MAX, &r));
    config_report_clear(&r);
    free(text);
}

static void test_many_sections(void **state)
{
    (void)state;
    char *text = malloc(CONFIG_FILE_MAX), *p = text;
    p += sprintf(p, BASE);
    for (int i = 0; i < 4094; i++)
        p += sprintf(p, "[rule r%d]\nexpression = ssl\n", i);
    expect_bytes("4096 sections", text, (size_t)(p - text), "");
    p += sprintf(p, "[rule x]\nnonsense = 1\n[rule y]\n");
    expect_bytes("more", text, (size_t)(p - text), "8195:1+8 more than 4096 sections\n");
    free(text);
}

static void test_load(void **state)
{
    (void)state;
    struct config_report r;
    assert_null(config_load("/nonexistent/x.ini", &r));
    char *out = printed(&r);
    assert_string_equal(out, "/nonexistent/x.ini: error: cannot be read: No such file or directory\n");
    free(out);
    config_report_clear(&r);
    assert_null(config_load("/", &r));
    out = printed(&r);
    assert_string_equal(out, "/: error: cannot be read: Is a directory\n");
    free(out);
    config_report_clear(&r);
    assert_null(config_load("/dev/zero", &r));
    out = printed(&r);
    assert_string_equal(out, "/dev/zero: error: the file has more than 1048576 bytes (1 MiB)\n");
    free(out);
    config_report_clear(&r);
}

/* A FIFO without a writer is empty; a pipe, as of the shell's <(...), is read to its end. */
static void test_load_fifo(void **state)
{
    (void)state;
    struct config_report r;
    char folder[] = "/tmp/outrider-test-XXXXXX", path[64];
    static const char text[] =
        "[tls]\ndirectory = /x\n[inbound web]\nlisten = 127.0.0.1:1\nforward = 127.0.0.1:2\n";
    int ends[2];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/fifo", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    alarm(20);
    assert_null(config_load(path, &r));
    char *out = printed(&r);
    assert_non_null(strstr(out, "there is neither an [inbound NAME] nor an [outbound NAME]"));
    free(out);
    config_report_clear(&r);
    unlink(path);
    rmdir(folder);
    assert_int_equal(pipe(ends), 0);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    pid_t writer = fork();
    if (writer == 0) {
        close(ends[0]);
        usleep(50000);
        _exit(write(ends[1], text, sizeof text - 1) < 0);
    }
    close(ends[1]);
    struct config *config = config_load(path, &r);
    assert_non_null(config);
    config_free(config);
    config_report_clear(&r);
    close(ends[0]);
    assert_int_equal(waitpid(writer, NULL, 0), writer);
    alarm(0);
}

/* What is shown of a configuration: all that was set, no secret, and it would be accepted again. */
static void test_shown(void **state)
{
    (void)state;
    set_environment();
    static const char text[] =
        "; a comment\n[sidecar]\nhealth = 127.0.0.1:9\n[tls]\ndirectory = /t/${OUTRIDER_WORD}\n"
        "[inbound web]\nlisten = 0.0.0.0:1\nforward = 127.0.0.1:2\nprotocol = http\nallow_san = a.b,\n\tc.d\n"
        "[list api_keys]\nvalues = hidden, hidden2\n[list paths]\nvalues = /a, /b\n[list key_ids]\nkind = "
        "integer\nvalues = 7\n"
        "[rule a]\nexpression = http.request.headers[\"x-api-key\"][0]\n   eq \"hid\\\"den\" or\n  http.host "
        "eq r#\"hidden\"#\n"
        "[rule b]\nexpression = http.request.uri.path eq \"/shown\"\n"
        "[rule c]\nexpression = http.cookie contains \"hidden\"\n"
        "[headers]\nrequest.X-One = \"hidden\"\nrequest.X-Token = concat(\"hidden\", http.host)\n"
        "request.X-Two = concat(\"shown\", http.host)\n"
        "[probe p]\nconnect = 127.0.0.1:1\nrequest = /live?t=hidden\n";
    static const char shown[] =
        "[sidecar]\nhealth = 127.0.0.1:9\n\n[tls]\ndirectory = /t/${OUTRIDER_WORD}\n\n"
        "[inbound web]\nlisten = 0.0.0.0:1\nforward = 127.0.0.1:2\nprotocol = http\nallow_san = a.b,\n    "
        "c.d\n\n"
        "[list api_keys]\nvalues = redacted\n\n[list paths]\nvalues = /a, /b\n\n"
        "[list key_ids]\nkind = integer\nvalues = 7\n\n"
        "[rule a]\nexpression = http.request.headers[\"x-api-key\"][0]\n    eq \"redacted\" or\n    "
        "http.host eq r#\"redacted\"#\n\n"
        "[rule b]\nexpression = http.request.uri.path eq \"/shown\"\n\n"
        "[rule c]\nexpression = http.cookie contains \"redacted\"\n\n"
        "[headers]\nrequest.X-One = \"redacted\"\nrequest.X-Token = concat(\"redacted\", http.host)\n"
        "request.X-Two = concat(\"shown\", http.host)\n\n"
        "[probe p]\nconnect = 127.0.0.1:1\nrequest = /live?redacted\n";
    struct config *c = good(text);
    assert_string_equal(c->effective, shown);
    struct config *again = good(c->effective);
    assert_string_equal(again->effective, shown);
    config_free(again);
    config_free(c);
}

/* The sample of the documentation is right, to the last warning. */
static void test_sample(void **state)
{
    (void)state;
    struct config_report r;
    struct config *c = config_load("config/sample.ini", &r);
    char *out = printed(&r);
    assert_string_equal(out, "");
    free(out);
    assert_non_null(c);
    assert_string_equal(c->path, "config/sample.ini");
    assert_int_equal(c->inbound_count, 1);
    assert_int_equal(c->outbound_count, 1);
    assert_int_equal(c->ca_count, 1);
    STRINGS(c->ca[0].hostnames, "partners.example.com", "*.partners.example.com");
    STRINGS(c->outbound[0].allow_san, "spiffe://cluster.local/ns/shop/sa/orders");
    assert_int_equal(c->ratelimit[0].mitigation_timeout, 600000);
    assert_string_equal(c->ratelimit[0].characteristics.item[0].text,
                        "cf.tls_client_auth.cert_fingerprint_sha256");
    assert_string_equal(c->list[0].file, "/etc/outrider/lists/revoked.txt");
    config_free(c);
    config_report_clear(&r);
}

/* config/reference.md is what the table says; OUTRIDER_REGENERATE=1 writes it. */
static void test_reference(void **state)
{
    (void)state;
    char *now = NULL;
    size_t size;
    FILE *f = open_memstream(&now, &size);
    config_reference_print(f);
    fclose(f);
    reference_is("config/reference.md", now);
    free(now);
}

/* The table itself: every key stands in its section's struct, has help that is a sentence, and no twin. */
static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *k = &config_keys[i];
        const struct config_section *s = &config_sections[k->section];
        assert_int_equal(s->id, k->section);
        assert_true((size_t)k->at + k->size <= s->size);
        assert_true(strlen(k->name) <= CONFIG_NAME_MAX);
        assert_true(k->help[0] != 0 && k->help[strlen(k->help) - 1] == '.');
        assert_null(strchr(k->help, '|'));
        assert_ptr_equal(config_key_find(k->section, k->name), k);
        assert_true(i == 0 || k->section >= config_keys[i - 1].section);
        if (k->type == KEY_NUMBER || k->type == KEY_DURATION || k->type == KEY_SIZE)
            assert_true(k->max > k->min && (!k->words || k->min == 0));
        if (k->type == KEY_ENUM || k->type == KEY_FLAGS)
            assert_non_null(k->words);
        assert_false(k->required && k->fallback);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),       cmocka_unit_test(test_values),
        cmocka_unit_test(test_environment), cmocka_unit_test(test_combinations),
        cmocka_unit_test(test_defaults),    cmocka_unit_test(test_typed),
        cmocka_unit_test(test_size),        cmocka_unit_test(test_many_sections),
        cmocka_unit_test(test_load),        cmocka_unit_test(test_load_fifo),
        cmocka_unit_test(test_shown),       cmocka_unit_test(test_sample),
        cmocka_unit_test(test_reference),   cmocka_unit_test(test_table),
    };
    set_environment();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
