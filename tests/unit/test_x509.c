/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Certificates made by OpenSSL (tests/unit/data/x509/make.sh) and what OpenSSL says of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "certrotate/der.h"
#include "certrotate/x509.h"

#define DATA "tests/unit/data/x509/"

struct file {
    uint8_t *data;
    size_t size;
};

/* Heap memory of exactly the file's size, so that ASan sees each octet read beyond it. */
static struct file load(const char *name, const char *suffix)
{
    char path[256];
    static uint8_t buffer[65536];
    struct file f;
    snprintf(path, sizeof path, DATA "%s%s", name, suffix);
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    f.size = fread(buffer, 1, sizeof buffer, in);
    fclose(in);
    f.data = malloc(f.size);
    memcpy(f.data, buffer, f.size);
    return f;
}

static const char *const ALL[] = {"rich", "root", "multi", "v1", "ed25519", "p384", "p521", "rsa3072", "k1"};

static struct file parse(const char *name, struct x509 *cert)
{
    struct file f = load(name, ".der");
    const char *wrong = x509_parse(f.data, f.size, cert);
    if (wrong)
        fail_msg("%s: %s", name, wrong);
    return f;
}

/*
 * OpenSSL 3 joins the attributes of one RDN with '+' in the legacy form, and escapes '+' and '/'; the rule
 * fields do neither.
 */
static void without_openssl3_escapes(char *line)
{
    char *to = line;
    for (const char *p = line; *p; p++) {
        if (*p == '\\' && (p[1] == '+' || p[1] == '/'))
            *to++ = *++p;
        else
            *to++ = *p == '+' ? '/' : *p;
    }
    *to = 0;
}

static void texts_are_openssls(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ALL / sizeof *ALL; i++) {
        struct x509 cert;
        uint8_t digest[32];
        char text[9][1024], line[1024];
        struct file f = parse(ALL[i], &cert);
        x509_name_rfc2253(cert.subject, text[0], 1024);
        x509_name_rfc2253(cert.issuer, text[1], 1024);
        x509_name_legacy(cert.subject, text[2], 1024);
        x509_name_legacy(cert.issuer, text[3], 1024);
        x509_serial_hex(&cert, text[4], 1024);
        x509_sha256(cert.der, digest);
        x509_hex((struct x509_slice){digest, 32}, false, text[5], 1024);
        x509_sha1(cert.der, digest);
        x509_hex((struct x509_slice){digest, 20}, false, text[6], 1024);
        x509_time_text(cert.not_before, text[7], 1024);
        x509_time_text(cert.not_after, text[8], 1024);
        char path[256];
        snprintf(path, sizeof path, DATA "%s.txt", ALL[i]);
        FILE *in = fopen(path, "r");
        assert_non_null(in);
        for (size_t k = 0; k < 9; k++) {
            assert_non_null(fgets(line, sizeof line, in));
            line[strcspn(line, "\n")] = 0;
            if (k == 2 || k == 3)
                without_openssl3_escapes(line);
            assert_string_equal(text[k], line);
        }
        fclose(in);
        free(f.data);
    }
}

static bool same(struct x509_slice s, const char *text)
{
    return der_equal(s, text, strlen(text));
}

static void a_rich_leaf(void **state)
{
    (void)state;
    struct x509 c;
    struct file f = parse("rich", &c);
    assert_int_equal(c.version, 3);
    assert_int_equal(c.key_type, X509_KEY_RSA);
    assert_int_equal(c.key_bits, 2048);
    assert_int_equal(c.serial.size, 20);
    assert_false(c.serial_negative);
    assert_true(c.has_basic_constraints);
    assert_false(c.is_ca);
    assert_int_equal(c.path_len, -1);
    assert_true(c.has_key_usage);
    assert_int_equal(c.key_usage, X509_KU_DIGITAL_SIGNATURE | X509_KU_KEY_ENCIPHERMENT);
    assert_true(c.has_eku);
    assert_int_equal(c.eku, X509_EKU_SERVER_AUTH | X509_EKU_CLIENT_AUTH);
    assert_int_equal(c.ski.size, 20);
    assert_true(der_same(c.ski, c.aki));
    assert_false(c.unknown_critical);
    assert_false(c.has_name_constraints);
    assert_int_equal(c.san_count, 6);
    assert_true(c.san_has_other);
    assert_false(c.san_too_many);
    assert_int_equal(c.san[0].kind, X509_SAN_DNS);
    assert_true(same(c.san[0].value, "a.example.com"));
    assert_true(same(c.san[1].value, "*.b.example.com"));
    assert_int_equal(c.san[2].kind, X509_SAN_URI);
    assert_true(same(c.san[2].value, "spiffe://cluster.local/ns/shop/sa/web"));
    assert_int_equal(c.san[3].kind, X509_SAN_IP);
    assert_true(der_equal(c.san[3].value, "\xc0\x00\x02\x07", 4));
    assert_int_equal(c.san[4].value.size, 16);
    assert_int_equal(c.san[5].kind, X509_SAN_EMAIL);
    assert_true(same(c.san[5].value, "me@example.com"));
    assert_true(der_same(c.issuer, c.subject));
    assert_int_equal(c.signature.size, 256);
    assert_true(c.der.data + c.der.size == c.signature.data + c.signature.size);
    free(f.data);
}

static void authorities_and_usages(void **state)
{
    (void)state;
    struct x509 c;
    struct file f = parse("root", &c);
    assert_true(c.is_ca);
    assert_int_equal(c.path_len, 3);
    assert_int_equal(c.key_usage, X509_KU_KEY_CERT_SIGN | X509_KU_CRL_SIGN);
    assert_true(c.has_name_constraints);
    assert_false(c.unknown_critical);
    assert_true(c.name_constraints.size > 0 && c.name_constraints.data[0] == DER_SEQUENCE);
    assert_int_equal(c.key_type, X509_KEY_EC);
    assert_int_equal(c.key_bits, 256);
    free(f.data);
    f = parse("p521", &c);
    assert_int_equal(c.key_bits, 521);
    assert_int_equal(c.key_usage, X509_KU_DIGITAL_SIGNATURE | X509_KU_KEY_AGREEMENT | X509_KU_DECIPHER_ONLY);
    assert_int_equal(c.eku, X509_EKU_ANY | X509_EKU_OTHER);
    free(f.data);
    f = parse("p384", &c);
    assert_int_equal(c.key_bits, 384);
    assert_true(c.unknown_critical);
    free(f.data);
    f = parse("ed25519", &c);
    assert_int_equal(c.key_type, X509_KEY_ED25519);
    assert_int_equal(c.public_key.size, 32);
    assert_true(c.serial_negative);
    free(f.data);
    f = parse("rsa3072", &c);
    assert_int_equal(c.key_bits, 3072);
    free(f.data);
    f = parse("k1", &c);
    assert_int_equal(c.key_type, X509_KEY_OTHER);
    assert_int_equal(c.key_bits, 0);
    free(f.data);
    f = parse("v1", &c);
    assert_int_equal(c.version, 1);
    assert_false(c.has_basic_constraints);
    free(f.data);
}

static void every_cut_is_refused(void **state)
{
    (void)state;
    struct x509 c;
    struct file f = load("rich", ".der");
    for (size_t size = 0; size < f.size; size++) {
        uint8_t *cut = malloc(size ? size : 1);
        memcpy(cut, f.data, size);
        assert_non_null(x509_parse(cut, size, &c));
        free(cut);
    }
    uint8_t *more = malloc(f.size + 1);
    memcpy(more, f.data, f.size);
    more[f.size] = 0;
    assert_string_equal(x509_parse(more, f.size + 1, &c), "data after the end of the certificate");
    free(more);
    free(f.data);
}

/* A change of any octet is refused or read, but never read beyond the end, and texts stay within bounds. */
static void every_changed_octet_is_survived(void **state)
{
    (void)state;
    struct file f = load("multi", ".der");
    for (size_t i = 0; i < f.size; i++) {
        static const uint8_t values[] = {0x00, 0x01, 0x30, 0x7f, 0x80, 0x84, 0xff};
        uint8_t old = f.data[i];
        for (size_t v = 0; v < sizeof values; v++) {
            struct x509 c;
            char text[64];
            f.data[i] = values[v];
            if (x509_parse(f.data, f.size, &c))
                continue;
            x509_name_rfc2253(c.subject, text, sizeof text);
            assert_true(strlen(text) < sizeof text);
            x509_name_legacy(c.issuer, text, sizeof text);
            x509_serial_hex(&c, text, sizeof text);
        }
        f.data[i] = old;
    }
    free(f.data);
}

static void attributes(void **state)
{
    (void)state;
    struct x509 c;
    struct x509_attribute list[4];
    char text[64];
    size_t length;
    struct file f = parse("rich", &c);
    assert_true(x509_name_attribute(c.subject, "CN", 0, text, sizeof text, &length));
    assert_string_equal(text, "James Royal");
    assert_int_equal(length, 11);
    assert_true(x509_name_attribute(c.subject, "OU", 1, text, sizeof text, NULL));
    assert_string_equal(text, "a+b=\"c\";<d>\\e");
    assert_false(x509_name_attribute(c.subject, "OU", 2, text, sizeof text, NULL));
    assert_false(x509_name_attribute(c.subject, "UID", 0, text, sizeof text, NULL));
    assert_int_equal(x509_name_attributes(c.subject, list, 4), 7);
    assert_string_equal(x509_oid_name(list[0].oid), "C");
    x509_oid_text(list[0].oid, text, sizeof text);
    assert_string_equal(text, "2.5.4.6");
    free(f.data);
    f = parse("multi", &c);
    x509_oid_text(c.signature_oid, text, sizeof text);
    assert_string_equal(text, "1.2.840.10045.4.3.2");
    free(f.data);
}

static void text_lengths(void **state)
{
    (void)state;
    struct x509 c;
    char text[5] = "....";
    struct file f = parse("v1", &c);
    assert_int_equal(x509_name_rfc2253(c.subject, text, 5), strlen("CN=version one"));
    assert_string_equal(text, "CN=v");
    assert_int_equal(x509_name_rfc2253(c.subject, NULL, 0), strlen("CN=version one"));
    free(f.data);
    assert_int_equal(x509_name_rfc2253((struct x509_slice){NULL, 0}, text, 5), 0);
    assert_string_equal(text, "");
}

static void numbers(void **state)
{
    (void)state;
    static const struct {
        const char *octets;
        size_t size;
        bool negative;
        const char *text;
    } cases[] = {
        {"\x00", 1, false, "00"},       {"\x01", 1, false, "01"},       {"\xff", 1, false, "FF"},
        {"\xff", 1, true, "-01"},       {"\x80", 1, true, "-80"},       {"\xff\x01", 2, true, "-FF"},
        {"\xff\x00", 2, true, "-0100"}, {"\x80\x00", 2, true, "-8000"}, {"\xfe\xff\xff", 3, true, "-010001"},
        {"\xff\x7f", 2, true, "-81"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[32];
        struct x509_slice s = {(const uint8_t *)cases[i].octets, cases[i].size};
        assert_int_equal(x509_integer_hex(s, cases[i].negative, text, sizeof text), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
}

static void times(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        {0, "Jan  1 00:00:00 1970 GMT"},
        {-1, "Dec 31 23:59:59 1969 GMT"},
        {951782400, "Feb 29 00:00:00 2000 GMT"},
        {1798156800, "Dec 25 00:00:00 2026 GMT"},
        {4107542399, "Feb 28 23:59:59 2100 GMT"},
        {4107542400, "Mar  1 00:00:00 2100 GMT"},
        {253402300799, "Dec 31 23:59:59 9999 GMT"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[32];
        assert_int_equal(x509_time_text(cases[i].seconds, text, sizeof text), 24);
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_openssls),
        cmocka_unit_test(a_rich_leaf),
        cmocka_unit_test(authorities_and_usages),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(every_changed_octet_is_survived),
        cmocka_unit_test(attributes),
        cmocka_unit_test(text_lengths),
        cmocka_unit_test(numbers),
        cmocka_unit_test(times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
