/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names: which patterns are good, and what each matches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "sidecar/tls/san.h"

/* A SAN as peer.c makes them, from "DNS:a", "URI:b", "IP:c", "email:d". */
static struct tls_san san_of(const char *spec)
{
    struct tls_san san = {0};
    const char *text = strchr(spec, ':') + 1;
    san.text = text;
    san.text_size = (uint32_t)strlen(text);
    if (strncmp(spec, "DNS:", 4) == 0) {
        san.kind = TLS_SAN_DNS;
    } else if (strncmp(spec, "URI:", 4) == 0) {
        san.kind = TLS_SAN_URI;
    } else if (strncmp(spec, "email:", 6) == 0) {
        san.kind = TLS_SAN_EMAIL;
    } else {
        san.kind = TLS_SAN_IP;
        san.ip_size = strchr(text, ':') ? 16 : 4;
        assert_int_equal(inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, text, san.ip), 1);
    }
    return san;
}

static bool match(const char *pattern, const char *spec)
{
    struct tls_san_pattern p;
    const char *error = tls_san_compile(pattern, &p);
    if (error)
        fail_msg("%s: %s", pattern, error);
    struct tls_san san = san_of(spec);
    return tls_san_match(&p, &san);
}

static void yes(const char *pattern, const char *san)
{
    if (!match(pattern, san))
        fail_msg("%s should match %s", pattern, san);
}

static void no(const char *pattern, const char *san)
{
    if (match(pattern, san))
        fail_msg("%s must not match %s", pattern, san);
}

static void bad(const char *pattern, const char *words)
{
    struct tls_san_pattern p;
    const char *error = tls_san_compile(pattern, &p);
    if (!error)
        fail_msg("%s should be refused", pattern);
    if (!strstr(error, words))
        fail_msg("%s: %s: does not say \"%s\"", pattern, error, words);
}

static void test_dns(void **state)
{
    (void)state;
    yes("orders.shop.svc", "DNS:orders.shop.svc");
    yes("orders.shop.svc", "DNS:Orders.SHOP.svc");
    yes("ORDERS.shop.svc.", "DNS:orders.shop.svc");
    yes("localhost", "DNS:localhost");
    yes("my_svc.a-b.svc", "DNS:my_svc.a-b.svc");
    no("orders.shop.svc", "DNS:orders.shop.svc.");
    no("orders.shop.svc", "DNS:xorders.shop.svc");
    no("orders.shop.svc", "DNS:orders.shop.svc.evil");
    no("orders.shop.svc", "URI:orders.shop.svc");
    no("orders.shop.svc", "email:orders.shop.svc");
    no("orders.shop.svc", "DNS:");
    /* Bytes that are not a name's are escaped in the SAN's text: they never match. */
    no("*.svc", "DNS:orders\\x00.svc");
    no("*.svc", "DNS:a b.svc");
}

static void test_dns_wildcard_in_the_certificate(void **state)
{
    (void)state;
    yes("orders.shop.svc", "DNS:*.shop.svc");
    yes("orders.shop.svc", "DNS:*.SHOP.svc");
    yes("xn--bcher-kva.shop.svc", "DNS:*.shop.svc");
    no("shop.svc", "DNS:*.shop.svc");
    no("a.orders.shop.svc", "DNS:*.shop.svc");
    no("orders.shop.svc", "DNS:o*.shop.svc");
    no("orders.shop.svc", "DNS:*rders.shop.svc");
    no("orders.shop.svc", "DNS:orders.*.svc");
    no("orders.shop.svc", "DNS:*.*.svc");
    no("orders.shop.svc", "DNS:**.shop.svc");
    no("orders.svc", "DNS:*.svc");
    no("orders.shop.svc", "DNS:*");
    no("orders.shop.svc", "DNS:*.");
    no("orders.shop.svc", "DNS:.shop.svc");
}

static void test_dns_suffix(void **state)
{
    (void)state;
    yes("*.shop.svc", "DNS:orders.shop.svc");
    yes("*.Shop.svc", "DNS:orders.shoP.svc");
    yes("*.shop.svc", "DNS:*.shop.svc");
    yes("*.svc", "DNS:orders.svc");
    no("*.svc", "DNS:*.svc");
    no("*.shop.svc", "DNS:shop.svc");
    no("*.shop.svc", "DNS:.shop.svc");
    no("*.shop.svc", "DNS:a.orders.shop.svc");
    no("*.shop.svc", "DNS:*.orders.shop.svc");
    no("*.shop.svc", "DNS:*.svc");
    no("*.shop.svc", "DNS:ordersshop.svc");
    no("*.0.0.7.svc", "IP:10.0.0.7");
    no("*.shop.svc", "email:orders.shop.svc");
    no("*.shop.svc", "URI:orders.shop.svc");
}

static void test_ip(void **state)
{
    (void)state;
    yes("10.0.0.7", "IP:10.0.0.7");
    yes("fd00::7", "IP:fd00:0:0::7");
    yes("FD00::7", "IP:fd00::7");
    no("10.0.0.7", "IP:10.0.0.8");
    no("10.0.0.7", "DNS:10.0.0.7");
    no("10.0.0.7", "URI:10.0.0.7");
    no("::ffff:10.0.0.7", "IP:10.0.0.7");
    no("10.0.0.7", "IP:::ffff:10.0.0.7");
    /* The first four of sixteen bytes are not an address. */
    no("253.0.0.0", "IP:fd00::");
}

static void test_uri_exact(void **state)
{
    (void)state;
    yes("spiffe://td/ns/a/sa/b", "URI:spiffe://td/ns/a/sa/b");
    yes("SPIFFE://TD/ns/a/sa/b", "URI:spiffe://td/ns/a/sa/b");
    yes("spiffe://td", "URI:spiffe://td");
    yes("https://h:8443/a?b=c", "URI:https://h:8443/a?b=c");
    yes("https://h/", "URI:https://h/");
    no("https://h", "URI:https://h/");
    no("spiffe://td/ns/a/sa/b", "URI:spiffe://td/ns/A/sa/b");
    no("spiffe://td/ns/a/sa/b", "URI:spiffe://td/ns/a/sa/b/");
    no("spiffe://td/ns/a/sa/b", "URI:spiffe://td/ns/a/sa/bb");
    no("spiffe://td/ns/a/sa/b", "URI:spiffe://td.evil/ns/a/sa/b");
    no("spiffe://td/ns/a/sa/b", "URI:spiffe://x@td/ns/a/sa/b");
    no("spiffe://td/ns/a/sa/b", "URI:https://td/ns/a/sa/b");
    no("spiffe://td/ns/a/sa/b", "URI:spiffe:td/ns/a/sa/b");
    no("spiffe://td/ns/a/sa/b", "URI:spiffe://td/ns/%61/sa/b");
    no("spiffe://td/ns/a/sa/b", "DNS:spiffe://td/ns/a/sa/b");
    no("spiffe://td", "URI:spiffe://");
    no("spiffe://td", "URI:");
}

static void test_uri_rest_of_the_path(void **state)
{
    (void)state;
    yes("spiffe://cluster.local/ns/shop/*", "URI:spiffe://cluster.local/ns/shop/sa");
    yes("spiffe://cluster.local/ns/shop/*", "URI:spiffe://Cluster.Local/ns/shop/sa/orders");
    yes("spiffe://td/*", "URI:spiffe://td/x");
    no("spiffe://td/ns/shop/*", "URI:spiffe://td/ns/shop");
    no("spiffe://td/ns/shop/*", "URI:spiffe://td/ns/shop/");
    no("spiffe://td/ns/shop/*", "URI:spiffe://td/ns/shop2/sa/x");
    no("spiffe://td/ns/shop/*", "URI:spiffe://td/ns/shop/sa/");
    no("spiffe://td/ns/shop/*", "URI:spiffe://td/ns/shop//sa");
    no("spiffe://td/ns/shop/*", "URI:spiffe://td/ns/shop/../admin");
    no("spiffe://td/ns/shop/*", "URI:spiffe://td/ns/shop/sa/..");
    no("spiffe://td/ns/shop/*", "URI:spiffe://td/ns/shop/./sa");
    no("spiffe://td/ns/shop/*", "URI:spiffe://td/ns/shop/%2e%2e/admin");
    no("spiffe://td/ns/shop/*", "URI:spiffe://td/ns/shop/sa?x=/y");
    no("spiffe://td/ns/shop/*", "URI:spiffe://td/ns/shop/sa#y");
    no("spiffe://td/ns/shop/*", "URI:spiffe://td/ns/shop/\\x00sa");
    no("spiffe://td/ns/shop/*", "URI:spiffe://td/ns/shop/a b");
    no("spiffe://td/*", "URI:spiffe://td");
    no("spiffe://td/*", "URI:spiffe://td/");
    no("spiffe://td/*", "URI:spiffe://td.evil/x");
    no("spiffe://td/*", "URI:spiffe://td?/x");
    no("spiffe://td/*", "URI:spiffe://td#/x");
}

static void test_uri_one_segment(void **state)
{
    (void)state;
    yes("spiffe://td/ns/*/sa/x", "URI:spiffe://td/ns/shop/sa/x");
    yes("spiffe://td/*/*/sa/*", "URI:spiffe://td/ns/shop/sa/x/y");
    no("spiffe://td/ns/*/sa/x", "URI:spiffe://td/ns/a/b/sa/x");
    no("spiffe://td/ns/*/sa/x", "URI:spiffe://td/ns//sa/x");
    no("spiffe://td/ns/*/sa/x", "URI:spiffe://td/ns/../sa/x");
    no("spiffe://td/ns/*/sa/x", "URI:spiffe://td/ns/shop/sa/x/y");
    no("spiffe://td/ns/*/sa/x", "URI:spiffe://td/ns/shop/sa");
    no("spiffe://td/ns/*/sa/x", "URI:spiffe://td/ns/sa/x");
    no("spiffe://td/ns/*/sa/x", "URI:spiffe://td/ns/a%2Fb/sa/x");
    no("spiffe://td/ns/*/sa/x", "URI:spiffe://td");
    no("spiffe://td/ns/*/sa/x", "URI:spiffe://td/ns/*/sa/y");
}

static void test_any(void **state)
{
    (void)state;
    yes("*", "DNS:x");
    yes("*", "email:a@b");
    struct tls_san_pattern p;
    struct tls_peer nameless = {0};
    assert_null(tls_san_compile("*", &p));
    assert_true(tls_san_match_peer(&p, 1, &nameless));
    assert_false(tls_san_match_peer(&p, 0, &nameless));
    assert_null(tls_san_compile("a.b", &p));
    assert_false(tls_san_match_peer(&p, 1, &nameless));
}

static void test_peer(void **state)
{
    (void)state;
    struct tls_san san[] = {san_of("DNS:a.svc"), san_of("URI:spiffe://td/x")};
    struct tls_peer peer = {.san = san, .san_count = 2, .common_name = "b.svc", .subject = "CN=b.svc"};
    struct tls_san_pattern p[2];
    assert_null(tls_san_compile("other.svc", &p[0]));
    assert_null(tls_san_compile("spiffe://td/*", &p[1]));
    assert_true(tls_san_match_peer(p, 2, &peer));
    assert_false(tls_san_match_peer(p, 1, &peer));
    /* The common name is no name. */
    assert_null(tls_san_compile("b.svc", &p[0]));
    assert_false(tls_san_match_peer(p, 1, &peer));
}

static void test_bad_patterns(void **state)
{
    (void)state;
    bad("", "empty");
    bad("a..b", "neither a DNS name");
    bad(".a", "neither a DNS name");
    bad(".", "neither a DNS name");
    bad("-a.b", "neither a DNS name");
    bad("a b", "neither a DNS name");
    bad("10.0.0", "neither a DNS name");
    bad("10.0.0.256", "neither a DNS name");
    bad("*.10", "neither a DNS name");
    bad("b\xc3\xbc"
        "cher.svc",
        "xn--");
    bad("a.*.b", "first label");
    bad("o*.b", "first label");
    bad("**", "first label");
    bad("*.*", "first label");
    bad("*.", "first label");
    bad("*.*.b", "first label");
    bad("me@example.com", "e-mail");
    bad("10.0.0.0/8", "ranges");
    bad("cluster.local/ns/x", "scheme://");
    bad("orders.shop.svc:8443", "port");
    bad("10.0.0.7:8443", "port");
    bad("[fd00::7]", "brackets");
    bad("fd00:::7", "port");
    bad("spiffe://", "scheme://authority");
    bad("spiffe:///ns", "scheme://authority");
    bad("://td/x", "scheme://authority");
    bad("1x://td/x", "scheme://authority");
    bad("spiffe://*/ns", "only in the path");
    bad("spiffe://*.td/ns", "only in the path");
    bad("*://td/ns", "scheme://authority");
    bad("spiffe://td/ns/a*", "whole segment");
    bad("spiffe://td/ns/**", "whole segment");
    bad("spiffe://td/ns//x", "empty segment");
    bad("spiffe://td/ns/", "empty segment");
    bad("spiffe://td/ns/../x", "..");
    bad("spiffe://../ns/shop/*", "authority");
    bad("spiffe://./x", "authority");
    bad("spiffe://td/ns/.", "..");
    bad("spiffe://td/ns/*?x", "no query");
    bad("spiffe://td/ns/\\x41", "character");
    bad("spiffe://td/n s", "character");
    char name[300];
    memset(name, 'a', sizeof name);
    name[64] = 0;
    bad(name, "neither a DNS name");
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = i % 10 == 9 ? '.' : 'a';
    name[254] = 0;
    bad(name, "neither a DNS name");
    name[253] = 0;
    char spec[310];
    snprintf(spec, sizeof spec, "DNS:%s", name);
    yes(name, spec);
}

static void test_describe(void **state)
{
    (void)state;
    struct tls_san san[] = {san_of("DNS:a"), san_of("URI:b://c"), san_of("IP:10.0.0.1"), san_of("email:d@e")};
    struct tls_peer peer = {.san = san, .san_count = 4};
    char out[64];
    tls_san_describe(&peer, out, sizeof out);
    assert_string_equal(out, "DNS:a, URI:b://c, IP:10.0.0.1, email:d@e");
    size_t length = strlen(out);
    for (size_t size = 0; size <= length + 1; size++) {
        char small[64];
        memset(small, 'x', sizeof small);
        tls_san_describe(&peer, small, size);
        assert_int_equal(small[size], 'x');
        if (size == 0)
            continue;
        assert_true(strlen(small) < size);
        if (size == length + 1)
            assert_string_equal(small, out);
        else if (size >= 4)
            assert_string_equal(small + strlen(small) - 3, "...");
    }
    peer.san_count = 0;
    tls_san_describe(&peer, out, sizeof out);
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dns),
        cmocka_unit_test(test_dns_wildcard_in_the_certificate),
        cmocka_unit_test(test_dns_suffix),
        cmocka_unit_test(test_ip),
        cmocka_unit_test(test_uri_exact),
        cmocka_unit_test(test_uri_rest_of_the_path),
        cmocka_unit_test(test_uri_one_segment),
        cmocka_unit_test(test_any),
        cmocka_unit_test(test_peer),
        cmocka_unit_test(test_bad_patterns),
        cmocka_unit_test(test_describe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
