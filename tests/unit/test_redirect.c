/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Transparent mode without a kernel: [capture] and destinations in the configuration, the rules from it, the
 * messages for the kernel. */
#include "config_expect.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sidecar/net/origdst.h"
#include "sidecar/proxy/capture.h"
#include "sidecar/redirect_netlink.h"

#define TLS "[tls]\ndirectory = /t\n"
#define CAPTURE TLS "[capture]\nport = 15001\n"
#define WEB "[inbound web]\nlisten = 0.0.0.0:8443\nforward = 127.0.0.1:8080\nprotocol = tcp\n"
#define SHOP "[outbound shop]\ndestinations = 10.0.0.0/8\nallow_san = a.example\n"

static struct config *parse(const char *text)
{
    struct config_report report;
    struct config *config = config_parse("t.ini", text, strlen(text), &report);
    config_report_print(&report, stderr);
    config_report_clear(&report);
    assert_non_null(config);
    return config;
}

static void test_config(void **state)
{
    (void)state;
    struct config *c =
        parse(CAPTURE "uids = 65532, 100-200\nexclude_ports = 22,9000-9100\nexclude = fd00::/8\n"
                      "[outbound shop]\ndestinations = 10.0.0.0/8, fd00::/8\nports = 1-2, 8080\n"
                      "server_name = a.example\n"
                      "[outbound rest]\ndestinations = 0.0.0.0/0\npassthrough = allow\n");
    assert_int_equal(c->capture.port, 15001);
    assert_string_equal(c->capture.listen[0].text, "127.0.0.1:15001");
    assert_string_equal(c->capture.listen[1].text, "[::1]:15001");
    assert_int_equal(c->capture.uids.count, 2);
    assert_int_equal(c->capture.uids.item[1].first, 100);
    assert_int_equal(c->capture.uids.item[1].last, 200);
    assert_int_equal(c->capture.exclude.count, 1);
    assert_int_equal(c->outbound[0].destinations.count, 2);
    assert_int_equal(c->outbound[0].ports.item[0].last, 2);
    assert_int_equal(c->outbound[0].ports.item[1].first, 8080);
    assert_false(c->outbound[0].passthrough);
    assert_true(c->outbound[1].passthrough);
    config_free(c);
    c = parse(CAPTURE SHOP);
    assert_int_equal(c->capture.uids.count, 1);
    assert_int_equal(c->capture.uids.item[0].first, 65532);
    config_free(c);
}

static void test_mistakes(void **state)
{
    (void)state;
    static const struct mistake mistakes[] = {
        {"neither", TLS "[outbound o]\nserver_name = a\n",
         "3:1+12 an outbound needs the keys listen and connect, or destinations\n"},
        {"half", TLS "[outbound o]\nlisten = 127.0.0.1:1\nserver_name = a\n",
         "4:10+11 listen needs the key connect beside it\n"},
        {"both", CAPTURE "[outbound o]\nlisten = 127.0.0.1:1\nserver_name = a\ndestinations = ::/0\n",
         "6:10+11 destinations stands in place of listen and connect\n"},
        {"anybody", CAPTURE "[outbound o]\ndestinations = ::/0\n",
         "6:16+4 with neither server_name nor allow_san, anybody whom the CA knows could answer\n"},
        {"h2 or not is seen",
         TLS "[outbound o]\nlisten = 127.0.0.1:1\nconnect = a:1\nprotocol = http\nalpn = h2\n",
         "7:8+2 alpn cannot hold with protocol = http: what the local service speaks decides it\n"},
        {"no TLS to ask for it",
         CAPTURE "[outbound o]\ndestinations = ::/0\npassthrough = allow\nprotocol = http\n",
         "8:12+4 protocol cannot hold with passthrough = allow: there is no TLS\n"},
        {"for HTTP alone",
         TLS "[outbound o]\nlisten = 127.0.0.1:1\nconnect = a:1\npool_idle = 5s\nresponse_timeout = 1s\n",
         "6:13+2 warning: pool_idle has no effect without protocol = http\n"
         "7:20+2 warning: response_timeout has no effect without protocol = http\n"},
        {"nowhere",
         TLS "[outbound orders]\nlisten = 127.0.0.1:1\nconnect = a:1\n[headers]\noutbounds = order\n",
         "7:13+5 there is no [outbound order] -> orders\n"},
        {"no TLS", CAPTURE "[outbound o]\ndestinations = ::/0\npassthrough = allow\nallow_san = a\n",
         "8:13+1 allow_san cannot hold with passthrough = allow: there is no TLS\n"},
        {"not captured", TLS SHOP,
         "4:16+10 destinations needs [capture] port: nothing is captured otherwise\n"},
        {"ports alone",
         TLS "[outbound o]\nlisten = 127.0.0.1:1\nconnect = a:1\nports = 1\npassthrough = allow\n",
         "6:9+1 ports belongs to destinations\n7:15+5 passthrough belongs to destinations\n"},
        {"spans", CAPTURE "exclude_ports = 0, 5-2, x, 70000, 1-, -1\n" SHOP,
         "5:17+1 \"0\" is neither a number from 1 to 65535 nor FIRST-LAST of such\n"
         "5:20+3 \"5-2\" ends before it begins\n"
         "5:25+1 \"x\" is neither a number from 1 to 65535 nor FIRST-LAST of such\n"
         "5:28+5 \"70000\" is neither a number from 1 to 65535 nor FIRST-LAST of such\n"
         "5:35+2 \"1-\" is neither a number from 1 to 65535 nor FIRST-LAST of such\n"
         "5:39+2 \"-1\" is neither a number from 1 to 65535 nor FIRST-LAST of such\n"},
        {"taken", CAPTURE SHOP "[outbound p]\nlisten = 127.0.0.1:15001\nconnect = a:1\n",
         "4:8+5 127.0.0.1:15001 is listened on already: listen of [outbound p], line 9\n"},
        {"refused", CAPTURE WEB,
         "4:8+5 warning: whatever is captured is refused: no [outbound NAME] has destinations\n"},
    };
    for (size_t i = 0; i < COUNT(mistakes); i++)
        expect(&mistakes[i]);
}

static char *printed_rules(const char *text, const char **error)
{
    struct config *c = parse(text);
    struct redirect_rules rules;
    char *out = NULL;
    size_t size;
    if (redirect_rules_from(c, &rules, error)) {
        FILE *f = open_memstream(&out, &size);
        redirect_rules_print(&rules, f);
        fclose(f);
        redirect_rules_clear(&rules);
    }
    config_free(c);
    return out;
}

static void test_rules(void **state)
{
    (void)state;
    const char *error;
    char *out =
        printed_rules(CAPTURE "uids = 65532, 100-200\nexclude_ports = 22\n"
                              "exclude = 169.254.169.254, fd00:9::/32\n" WEB SHOP
                              "[inbound far]\nlisten = 0.0.0.0:1\nforward = 10.0.0.1:2\nprotocol = tcp\n"
                              "[inbound own]\nlisten = 127.0.0.1:3\nforward = 127.0.0.1:4\nprotocol = tcp\n"
                              "[inbound six]\nlisten = [::]:5\nforward = localhost:6\nprotocol = tcp\n",
                      &error);
    assert_string_equal(out, "table inet outrider\ndelete table inet outrider\ntable inet outrider {\n"
                             "\tchain inbound {\n"
                             "\t\ttype nat hook prerouting priority -100; policy accept;\n"
                             "\t\tmeta l4proto != tcp accept\n"
                             "\t\tiifname \"lo\" accept\n"
                             "\t\ttcp dport 22 accept\n"
                             "\t\ttcp dport 8080 redirect to :8443\n"
                             "\t\ttcp dport 6 redirect to :5\n"
                             "\t}\n"
                             "\tchain outbound {\n"
                             "\t\ttype nat hook output priority -100; policy accept;\n"
                             "\t\tmeta l4proto != tcp accept\n"
                             "\t\tmeta skuid 65532 accept\n"
                             "\t\tmeta skuid 100-200 accept\n"
                             "\t\toifname \"lo\" accept\n"
                             "\t\ttcp dport 53 accept\n"
                             "\t\ttcp dport 22 accept\n"
                             "\t\tip daddr 169.254.169.254/32 accept\n"
                             "\t\tip6 daddr fd00:9::/32 accept\n"
                             "\t\tmeta l4proto tcp redirect to :15001\n"
                             "\t}\n"
                             "}\n");
    free(out);
    assert_null(printed_rules(TLS WEB, &error));
    assert_non_null(strstr(error, "[capture] port is off"));
    assert_null(printed_rules(CAPTURE WEB SHOP
                              "[inbound too]\nlisten = 0.0.0.0:1\nforward = 127.0.0.1:8080\nprotocol = tcp\n",
                              &error));
    assert_non_null(strstr(error, "same port"));
}

/* What is in the kernel is recognised: with more beside it, but not with anything changed or left out. */
static void test_covers(void **state)
{
    (void)state;
    struct redirect_rule rule = {.match = REDIRECT_PORT, .first = 80, .last = 90, .port = 8443};
    struct netlink_buffer a = {0}, b = {0}, more = {0};
    netlink_rule(&a, &rule);
    netlink_rule(&b, &rule);
    assert_true(netlink_covers(a.data, a.size, b.data, b.size));
    netlink_put_u32(&more, NFTA_RULE_POSITION, 7);
    netlink_rule(&more, &rule);
    netlink_put_text(&more, NFTA_RULE_USERDATA, "x");
    assert_true(netlink_covers(more.data, more.size, b.data, b.size));
    assert_false(netlink_covers(b.data, b.size, more.data, more.size));
    static const struct redirect_rule others[] = {
        {.match = REDIRECT_PORT, .first = 80, .last = 91, .port = 8443},
        {.match = REDIRECT_PORT, .first = 81, .last = 90, .port = 8443},
        {.match = REDIRECT_PORT, .first = 80, .last = 80, .port = 8443},
        {.match = REDIRECT_PORT, .first = 80, .last = 90, .port = 8444},
        {.match = REDIRECT_PORT, .first = 80, .last = 90},
        {.match = REDIRECT_REST, .port = 8443},
        {.match = REDIRECT_UID, .first = 80, .last = 90},
        {.match = REDIRECT_NOT_TCP},
        {.match = REDIRECT_LOOPBACK},
        {.match = REDIRECT_LOOPBACK, .outbound = true},
        {.match = REDIRECT_TO, .cidr = {.ip = {.ss_family = AF_INET}, .bits = 8}},
        {.match = REDIRECT_TO, .cidr = {.ip = {.ss_family = AF_INET}, .bits = 9}},
        {.match = REDIRECT_TO, .cidr = {.ip = {.ss_family = AF_INET6}, .bits = 9}},
    };
    for (size_t i = 0; i < COUNT(others); i++) {
        for (size_t j = 0; j < COUNT(others); j++) {
            struct netlink_buffer x = {0}, y = {0};
            netlink_rule(&x, &others[i]);
            netlink_rule(&y, &others[j]);
            assert_int_equal(netlink_covers(x.data, x.size, y.data, y.size), i == j);
            assert_false(netlink_covers(b.data, b.size, y.data, y.size));
            free(x.data);
            free(y.data);
        }
    }
    /* Cut anywhere, nothing is read beyond the end. */
    for (size_t i = 0; i < more.size; i++) {
        uint8_t *cut = malloc(i + 1);
        memcpy(cut, more.data, i);
        assert_false(netlink_covers(cut, i, b.data, b.size) && i + 8 < more.size - 8);
        free(cut);
    }
    free(a.data);
    free(b.data);
    free(more.data);
}

/* Whoever connects to the capture listener by himself gets nowhere. */
static void test_not_redirected(void **state)
{
    (void)state;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof at;
    union net_addr to;
    const char *why = NULL;
    int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(server, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(server, 1), 0);
    assert_int_equal(getsockname(server, (struct sockaddr *)&at, &size), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&at, size), 0);
    int fd = accept(server, NULL, NULL);
    assert_false(net_origdst(fd, &to, &why));
    assert_non_null(why);
    close(fd);
    close(client);
    close(server);
    assert_false(net_origdst(-1, &to, &why));
}

static void test_choose(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        uint16_t port;
        int index; /* -1: none */
    } wanted[] = {
        {"10.1.2.3", 80, 0}, {"10.1.2.3", 90, 0}, {"10.1.2.3", 91, 2}, {"10.1.2.3", 79, 2},
        {"11.0.0.1", 80, 2}, {"fd00::1", 80, 0},  {"fd01::1", 80, -1}, {"fd01::1", 443, 3},
        {"fe80::1", 443, 3}, {"10.9.0.1", 80, 0}, {"10.9.0.1", 1, 2},
    };
    struct config *c =
        parse(CAPTURE "[outbound a]\ndestinations = 10.0.0.0/8, fd00::/16\nports = 80-90\n"
                      "allow_san = a\n"
                      "[outbound own]\nlisten = 127.0.0.1:1\nconnect = 10.9.0.1:1\nserver_name = a\n"
                      "[outbound b]\ndestinations = 0.0.0.0/0\npassthrough = allow\n"
                      "[outbound c]\ndestinations = ::/0\nports = 443\nallow_san = a\n");
    for (size_t i = 0; i < COUNT(wanted); i++) {
        union net_addr to;
        size_t index = 99;
        assert_true(net_addr_literal(wanted[i].host, wanted[i].port, &to));
        bool found = capture_choose(c, &to.sa, &index);
        assert_int_equal(found ? (int)index : -1, wanted[i].index);
    }
    config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config), cmocka_unit_test(test_mistakes),       cmocka_unit_test(test_rules),
        cmocka_unit_test(test_covers), cmocka_unit_test(test_not_redirected), cmocka_unit_test(test_choose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
