/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sidecar/http/identity.h: vectors, the specifications' examples, and texts that try to break out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "sidecar/http/identity.h"

#define HASH "468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688"

static const uint8_t der_a[] = {0x30, 0x03, 0x02, 0x01, 0xff}, der_b[] = {0x30, 0x00};
static const struct identity_der chain[] = {{der_a, sizeof(der_a)}, {der_b, sizeof(der_b)}, {der_a, 1}};

static void check(struct http_str got, const char *expected)
{
    if (got.n != strlen(expected) || memcmp(got.p, expected, got.n))
        fail_msg("%.*s\nis not\n%s", (int)got.n, got.p, expected);
}

/* Counts first, then writes into exactly as much. */
static void check_xfcc(const struct identity_source *source, unsigned details, const char *expected)
{
    size_t n = identity_xfcc(source, details, NULL);
    char *out = malloc(n);
    assert_int_equal(identity_xfcc(source, details, out), n);
    check((struct http_str){out, n}, expected);
    assert_true(identity_xfcc_valid(out, n));
    free(out);
}

static void base64(void **state)
{
    (void)state;
    static const char *const table[][2] = {/* RFC 4648, 10 */
                                           {"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xff\xfe\xfd?>", "//79Pz4="}};
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        size_t n = strlen(table[i][1]);
        char *out = malloc(n ? n : 1);
        assert_int_equal(identity_base64((const uint8_t *)table[i][0], strlen(table[i][0]), NULL), n);
        assert_int_equal(identity_base64((const uint8_t *)table[i][0], strlen(table[i][0]), out), n);
        assert_memory_equal(out, table[i][1], n);
        free(out);
    }
}

static void rfc9440(void **state)
{
    (void)state;
    char out[64];
    check((struct http_str){out, identity_rfc9440(chain, 1, out)}, ":MAMCAf8=:");
    check((struct http_str){out, identity_rfc9440(chain, 3, out)}, ":MAMCAf8=:, :MAA=:, :MA==:");
    assert_int_equal(identity_rfc9440(chain, 0, out), 0);
}

static void pem(void **state)
{
    (void)state;
    uint8_t der[49];
    memset(der, 0xff, sizeof(der));
    const struct identity_der certs[] = {{der, 49}, {der_b, 2}};
    size_t n = identity_pem_escaped(certs, 2, NULL);
    char *out = malloc(n);
    assert_int_equal(identity_pem_escaped(certs, 2, out), n);
    check(
        (struct http_str){out, n},
        "-----BEGIN%20CERTIFICATE-----%0A"
        "%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F"
        "%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%0A"
        "%2Fw%3D%3D%0A-----END%20CERTIFICATE-----%0A"
        "-----BEGIN%20CERTIFICATE-----%0AMAA%3D%0A-----END%20CERTIFICATE-----%0A");
    free(out);
}

static void xfcc(void **state)
{
    (void)state;
    static const char *const by[] = {"http://frontend.lyft.com"},
                             *const uri[] = {"http://testclient.lyft.com"},
                             *const dns[] = {"lyft.com", "www.lyft.com"};
    struct identity_source s = {
        chain, 1, HASH, "/C=US/ST=CA/L=San Francisco/OU=Lyft/CN=Test Client", uri, 1, dns, 2, by, 1};
    check_xfcc(&s, IDENTITY_SUBJECT | IDENTITY_URI | IDENTITY_DNS,
               "By=http://frontend.lyft.com;Hash=" HASH
               ";Subject=\"/C=US/ST=CA/L=San Francisco/OU=Lyft/CN=Test Client\""
               ";URI=http://testclient.lyft.com;DNS=lyft.com;DNS=www.lyft.com");
    check_xfcc(&s, 0, "By=http://frontend.lyft.com;Hash=" HASH);
    s.chain_count = 2;
    check_xfcc(&s, IDENTITY_CERT | IDENTITY_CHAIN | IDENTITY_DNS,
               "By=http://frontend.lyft.com;Hash=" HASH
               ";Cert=\"-----BEGIN%20CERTIFICATE-----%0AMAMCAf8%3D%0A-----END%20CERTIFICATE-----%0A\""
               ";Chain=\"-----BEGIN%20CERTIFICATE-----%0AMAMCAf8%3D%0A-----END%20CERTIFICATE-----%0A"
               "-----BEGIN%20CERTIFICATE-----%0AMAA%3D%0A-----END%20CERTIFICATE-----%0A\""
               ";DNS=lyft.com;DNS=www.lyft.com");
    /* what is not there */
    struct identity_source none = {.chain = chain, .chain_count = 1, .sha256 = HASH, .subject = ""};
    check_xfcc(&none, IDENTITY_SUBJECT | IDENTITY_URI | IDENTITY_DNS, "Hash=" HASH ";Subject=\"\";URI=");
}

static void xfcc_breaks_not_out(void **state)
{
    (void)state;
    static const char *const uri[] = {"spiffe://a/b;URI=spiffe://a/admin",
                                      "spiffe://a/b,By=x",
                                      "urn:a=b",
                                      "spiffe://a/\";URI=\"spiffe://a/admin",
                                      "spiffe://a/\\",
                                      "spiffe://a/ b",
                                      "spiffe://a/\r\nX: y",
                                      "spiffe://a/\x80",
                                      "spiffe://a/ok"};
    static const char *const dns[] = {"a\"b", "ok"};
    struct identity_source s = {chain, 1, HASH, "", uri, 9, dns, 2, uri + 1, 3};
    check_xfcc(&s, IDENTITY_URI | IDENTITY_DNS,
               "By=\"spiffe://a/b,By=x\";By=\"urn:a=b\";Hash=" HASH
               ";URI=\"spiffe://a/b;URI=spiffe://a/admin\";URI=\"spiffe://a/"
               "b,By=x\";URI=\"urn:a=b\";URI=spiffe://a/ok;DNS=ok");
    static const struct {
        const char *subject, *expected;
    } table[] = {
        {"CN=a\\,b,O=\\\"x\\\"", "Subject=\"CN=a\\,b,O=\\22x\\22\""},
        {"CN=a\";URI=spiffe://a/admin;Subject=\"b",
         "Subject=\"CN=a\\22;URI=spiffe://a/admin;Subject=\\22b\""},
        {"CN=a\\\";URI=x", "Subject=\"CN=a\\22;URI=x\""},
        {"CN=a\\\\", "Subject=\"CN=a\\5C\""},
        {"CN=a\\", "Subject=\"CN=a\\5C\""},
        {"CN=a\\\\\\\"", "Subject=\"CN=a\\5C\\22\""},
        {"CN=\\C3\\A9\\ ", "Subject=\"CN=\\C3\\A9\\ \""},
        {"CN=\xc3\xa9\r\n\t\x7f", "Subject=\"CN=\\C3\\A9\\0D\\0A\\09\\7F\""},
        {"CN=\\#a\\+b\\;c=d", "Subject=\"CN=\\#a\\+b\\;c=d\""},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        char expected[256] = "Hash=" HASH ";";
        struct identity_source one = {
            .chain = chain, .chain_count = 1, .sha256 = HASH, .subject = table[i].subject};
        check_xfcc(&one, IDENTITY_SUBJECT, strcat(expected, table[i].expected));
    }
}

static void xfcc_validity(void **state)
{
    (void)state;
    static const char *const good[] = {
        "By=a",
        "Hash=",
        "By=a;Hash=b,By=c;Hash=d",
        "By=a, By=b",
        "By=a ; Hash=b",
        "Subject=\"a,b;c=d\";URI=x",
        "Subject=\"a\\\"b\"",
        "Subject=\"\"",
        "Subject=\"a\\,b\"",
        "By=a;by=b",
        "By=http://a/b?c",
    };
    static const char *const bad[] = {
        "",         " ",          "By",        "=a",     "By=a;",         "By=a,",
        ",By=a",    "By=a,,By=b", "By=\"a",    "By=\"",  "By=\"a\\\"",    "By=\"a\\\\\"",
        "By=\"a\\", "By=\"a\"b",  "By=a\"b\"", "By=a=b", "By=\"a\"\"b\"", "B y=a",
        "By =a",    ";By=a",      "\"By\"=a",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        if (!identity_xfcc_valid(good[i], strlen(good[i])))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        size_t n = strlen(bad[i]);
        char *copy = malloc(n ? n : 1);
        memcpy(copy, bad[i], n);
        if (identity_xfcc_valid(copy, n))
            fail_msg("taken: %s", bad[i]);
        free(copy);
    }
}

static void all_in_one(void **state)
{
    (void)state;
    static const char *const uri[] = {"spiffe://a/b"};
    struct identity_source s = {chain, 2, HASH, "CN=a", uri, 1, NULL, 0, NULL, 0};
    struct identity *id = identity_new(&s, IDENTITY_URI);
    check(id->der_base64, "MAMCAf8=");
    check(id->sha256, HASH);
    check(id->rfc9440, ":MAMCAf8=:");
    check(id->rfc9440_chain, ":MAA=:");
    check(id->xfcc, "Hash=" HASH ";URI=spiffe://a/b");
    free(id);
    s.chain_count = 1;
    id = identity_new(&s, 0);
    check(id->rfc9440_chain, "");
    check(id->xfcc, "Hash=" HASH);
    free(id);
}

static void forwarded(void **state)
{
    (void)state;
    static const struct {
        const char *address, *proto, *host, *expected;
    } table[] = {
        {"192.0.2.43", "https", "example.com", "for=192.0.2.43;host=example.com;proto=https"},
        {"2001:db8:cafe::17", "http", "example.com:8080",
         "for=\"[2001:db8:cafe::17]\";host=\"example.com:8080\";proto=http"},
        {"", "https", "", "for=unknown;proto=https"},
        {"192.0.2.43", "https", "[::1]", "for=192.0.2.43;host=\"[::1]\";proto=https"},
        {"192.0.2.43", "https", "x\";for=\"evil", "for=192.0.2.43;proto=https"},
        {"192.0.2.43", "https", "x,for=evil", "for=192.0.2.43;proto=https"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        struct http_str host = {table[i].host, strlen(table[i].host)};
        size_t n = identity_forwarded(table[i].address, table[i].proto, host, NULL);
        char *out = malloc(n);
        assert_int_equal(identity_forwarded(table[i].address, table[i].proto, host, out), n);
        check((struct http_str){out, n}, table[i].expected);
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64),
        cmocka_unit_test(rfc9440),
        cmocka_unit_test(pem),
        cmocka_unit_test(xfcc),
        cmocka_unit_test(xfcc_breaks_not_out),
        cmocka_unit_test(xfcc_validity),
        cmocka_unit_test(all_in_one),
        cmocka_unit_test(forwarded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
