/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sidecar/net/addr.h: literals, text, CIDR blocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "sidecar/net/addr.h"

static union net_addr addr(const char *host, uint16_t port)
{
    union net_addr a;
    if (!net_addr_literal(host, port, &a))
        fail_msg("%s should be a literal", host);
    return a;
}

static void check_text(const char *host, uint16_t port, const char *whole, const char *bare)
{
    union net_addr a = addr(host, port);
    char out[NET_ADDR_TEXT];
    assert_string_equal(net_addr_text(&a.sa, out, sizeof(out)), whole);
    assert_string_equal(net_addr_host_text(&a.sa, out, sizeof(out)), bare);
    assert_int_equal(net_addr_port(&a.sa), port);
}

static void texts(void **state)
{
    (void)state;
    check_text("10.0.0.1", 80, "10.0.0.1:80", "10.0.0.1");
    check_text("0.0.0.0", 0, "0.0.0.0:0", "0.0.0.0");
    check_text("::1", 80, "[::1]:80", "::1");
    check_text("[2001:DB8::0:1]", 65535, "[2001:db8::1]:65535", "2001:db8::1");
    check_text("::ffff:10.0.0.1", 80, "10.0.0.1:80", "10.0.0.1");
    check_text("fe80::1%7", 80, "[fe80::1%7]:80", "fe80::1%7");
    check_text("fe80::1%lo", 80, "[fe80::1%1]:80", "fe80::1%1");

    char out[NET_ADDR_TEXT];
    assert_string_equal(net_addr_text(NULL, out, sizeof(out)), "unknown");
    struct sockaddr odd = {.sa_family = AF_NETLINK};
    assert_string_equal(net_addr_text(&odd, out, sizeof(out)), "unknown");
    assert_int_equal(net_addr_port(&odd), 0);
}

static void unix_texts(void **state)
{
    (void)state;
    char out[NET_ADDR_TEXT];
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    const struct sockaddr *sa = (const struct sockaddr *)&un;
    assert_string_equal(net_addr_text(sa, out, sizeof(out)), "unix:");
    strcpy(un.sun_path, "/run/app.sock");
    assert_string_equal(net_addr_text(sa, out, sizeof(out)), "unix:/run/app.sock");
    memset(un.sun_path, 0, sizeof(un.sun_path));
    strcpy(un.sun_path + 1, "app");
    assert_string_equal(net_addr_text(sa, out, sizeof(out)), "unix:@app");
    memset(un.sun_path, 'x', sizeof(un.sun_path)); /* the kernel leaves no room for a zero */
    assert_int_equal(strlen(net_addr_text(sa, out, sizeof(out))), 5 + sizeof(un.sun_path));
    assert_string_equal(net_addr_text(sa, out, 8), "unix:xx");
    assert_true(net_addr_is_loopback(sa));
}

static void longest_text_fits(void **state)
{
    (void)state;
    union net_addr a = addr("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", 65535);
    a.in6.sin6_scope_id = UINT32_MAX;
    char out[NET_ADDR_TEXT];
    assert_string_equal(net_addr_text(&a.sa, out, sizeof(out)),
                        "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535");
}

static void no_literals(void **state)
{
    (void)state;
    const char *const bad[] = {"",           "localhost",  "10.0.0",    "10.0.0.1.",
                               "010.0.0.1",  "10.0.0.256", " 10.0.0.1", "10.0.0.1 ",
                               "[10.0.0.1]", "[]",         "[::1",      "::1]",
                               "1:2",        ":::",        "fe80::1%",  "fe80::1%no-such0",
                               "10.1",       "0x7f.0.0.1", "::1%0",     "2130706433"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        union net_addr a, before;
        memset(&a, 0xaa, sizeof(a));
        before = a;
        if (net_addr_literal(bad[i], 1, &a))
            fail_msg("\"%s\" should be no literal", bad[i]);
        assert_memory_equal(&a, &before, sizeof(a));
    }
    char endless[300];
    memset(endless, '1', sizeof(endless) - 1);
    endless[sizeof(endless) - 1] = 0;
    union net_addr a;
    assert_false(net_addr_literal(endless, 1, &a));
}

static bool in(const char *host, const char *block, unsigned bits)
{
    union net_addr a = addr(host, 1234), b = addr(block, 0);
    return net_addr_in(&a.sa, &b.sa, bits);
}

static void blocks(void **state)
{
    (void)state;
    assert_true(in("10.1.2.3", "10.0.0.0", 8));
    assert_false(in("11.1.2.3", "10.0.0.0", 8));
    assert_true(in("10.1.2.3", "10.1.2.3", 32));
    assert_false(in("10.1.2.2", "10.1.2.3", 32));
    assert_true(in("10.1.2.3", "192.168.0.0", 0));
    assert_true(in("10.127.255.255", "10.0.0.0", 9));
    assert_false(in("10.128.0.0", "10.0.0.0", 9));
    assert_false(in("10.1.2.3", "10.1.2.3", 33));
    assert_true(in("2001:db8::1", "2001:db8::", 32));
    assert_false(in("2001:db9::1", "2001:db8::", 32));
    assert_true(in("2001:db8::1", "2001:db8::1", 128));
    assert_false(in("2001:db8::1", "2001:db8::", 128));
    assert_false(in("2001:db8::1", "2001:db8::1", 129));
    assert_true(in("2001:db8::1", "::", 0));

    /* Families do not mix, save where mapped. */
    assert_false(in("10.1.2.3", "::", 0));
    assert_false(in("::1", "0.0.0.0", 0));
    assert_true(in("::ffff:10.1.2.3", "10.0.0.0", 8));
    assert_false(in("::ffff:11.1.2.3", "10.0.0.0", 8));
    assert_true(in("10.1.2.3", "::ffff:10.0.0.0", 104));
    assert_true(in("::ffff:10.1.2.3", "::ffff:10.1.2.3", 128));
    assert_false(in("::ffff:10.1.2.4", "::ffff:10.1.2.3", 128));
    assert_true(in("10.1.2.3", "::ffff:0.0.0.0", 96));
    assert_false(in("10.1.2.3", "::ffff:0.0.0.0", 95));
    assert_false(in("10.1.2.3", "::ffff:10.1.2.3", 129));

    struct sockaddr_un un = {.sun_family = AF_UNIX};
    union net_addr any = addr("0.0.0.0", 0);
    assert_false(net_addr_in((const struct sockaddr *)&un, &any.sa, 0));
    union net_addr none = {.sa = {.sa_family = AF_UNSPEC}};
    assert_false(net_addr_in(&none.sa, &none.sa, 0));
}

static void comparing(void **state)
{
    (void)state;
    union net_addr a = addr("10.0.0.1", 80), mapped = addr("::ffff:10.0.0.1", 80),
                   port = addr("10.0.0.1", 81), other = addr("10.0.0.2", 80), six = addr("2001:db8::1", 80),
                   six2 = addr("2001:db8::2", 80), zone = addr("fe80::1%1", 80),
                   zone2 = addr("fe80::1%2", 80);
    assert_true(net_addr_equal(&a.sa, &a.sa));
    assert_true(net_addr_equal(&a.sa, &mapped.sa));
    assert_false(net_addr_equal(&a.sa, &port.sa));
    assert_false(net_addr_equal(&a.sa, &other.sa));
    assert_false(net_addr_equal(&a.sa, &six.sa));
    assert_true(net_addr_equal(&six.sa, &six.sa));
    assert_false(net_addr_equal(&six.sa, &six2.sa));
    assert_false(net_addr_equal(&zone.sa, &zone2.sa));
    union net_addr none = {.sa = {.sa_family = AF_UNSPEC}};
    assert_false(net_addr_equal(&none.sa, &none.sa));

    union net_addr set;
    net_addr_set(&set, &mapped.sa);
    assert_int_equal(set.sa.sa_family, AF_INET);
    assert_int_equal(net_addr_size(&set.sa), sizeof(struct sockaddr_in));
    assert_int_equal(net_addr_size(&mapped.sa), sizeof(struct sockaddr_in6));
    net_addr_set(&set, NULL);
    assert_int_equal(set.sa.sa_family, AF_UNSPEC);
}

static void loopback(void **state)
{
    (void)state;
    const char *const yes[] = {"127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"};
    const char *const no[] = {"128.0.0.1", "10.0.0.1", "0.0.0.0", "::", "::2", "::ffff:10.0.0.1"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++) {
        union net_addr a = addr(yes[i], 0);
        assert_true(net_addr_is_loopback(&a.sa));
    }
    for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++) {
        union net_addr a = addr(no[i], 0);
        assert_false(net_addr_is_loopback(&a.sa));
    }
    assert_false(net_addr_is_loopback(NULL));
}

static void every_octet(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 256; n++) {
        char text[NET_ADDR_TEXT], want[64];
        union net_addr addr;
        (void)snprintf(want, sizeof want, "%u.%u.0.%u", n, 255 - n, n);
        assert_true(net_addr_literal(want, 80, &addr));
        assert_string_equal(net_addr_host_text(&addr.sa, text, sizeof text), want);
        (void)snprintf(want, sizeof want, "%u.%u.0.%u:80", n, 255 - n, n);
        assert_string_equal(net_addr_text(&addr.sa, text, sizeof text), want);
    }
}

static uint64_t network_of(const char *text)
{
    union net_addr a;
    assert_true(net_addr_literal(text, 80, &a));
    return net_addr_network(&a.sa);
}

static void networks(void **state)
{
    (void)state;
    assert_true(network_of("10.0.0.1") == network_of("::ffff:10.0.0.1"));
    assert_true(network_of("10.0.0.1") != network_of("10.0.0.2"));
    assert_true(network_of("2001:db8::1") == network_of("2001:db8::ffff:1"));
    assert_true(network_of("2001:db8::1") != network_of("2001:db8:0:1::1"));
    assert_true(network_of("0.0.0.0") != 0);
    assert_true(net_addr_network(NULL) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),       cmocka_unit_test(unix_texts),  cmocka_unit_test(longest_text_fits),
        cmocka_unit_test(no_literals), cmocka_unit_test(blocks),      cmocka_unit_test(comparing),
        cmocka_unit_test(loopback),    cmocka_unit_test(every_octet), cmocka_unit_test(networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
