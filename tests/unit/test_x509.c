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

#include "certrotate/der_write.h"
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

/* --- certificates made to be wrong, octet by octet --- */

#define SLICE(text)                               \
    {                                             \
        (const uint8_t *)(text), sizeof(text) - 1 \
    }
#define LITERAL(text) ((struct x509_slice)SLICE(text))
#define ED25519 LITERAL("\x30\x05\x06\x03\x2b\x65\x70")

/* Parts in DER; an empty one is left out, NULL means the good one. */
struct craft {
    int version; /* 0: left out, else encoded as it is minus one */
    struct x509_slice inner, outer;
    struct x509_slice name;
    struct x509_slice extensions; /* content of the SEQUENCE; DATA NULL: none */
    struct x509_slice spki;
    struct x509_slice tail; /* behind everything in the TBS */
    struct x509_slice serial;
};

static const char *crafted(const struct craft *c, struct x509 *cert, struct der_out *out)
{
    static const char name[] = "\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01x";
    *out = (struct der_out){0};
    size_t all = der_begin(out, DER_SEQUENCE);
    size_t tbs = der_begin(out, DER_SEQUENCE);
    if (c->version) {
        size_t explicit = der_begin(out, DER_CONTEXT_CONS(0));
        der_put_uint(out, (uint64_t)c->version - 1);
        der_end(out, explicit);
    }
    der_put_slice(out, c->serial.data ? c->serial : LITERAL("\x02\x01\x01"));
    der_put_slice(out, c->inner.data ? c->inner : ED25519);
    der_put_slice(out, c->name.data ? c->name : LITERAL(name));
    size_t validity = der_begin(out, DER_SEQUENCE);
    der_put_time(out, 0);
    der_put_time(out, 4102444800);
    der_end(out, validity);
    der_put_slice(out, c->name.data ? c->name : LITERAL(name));
    if (c->spki.data) {
        der_put_slice(out, c->spki);
    } else {
        uint8_t key[32] = {1};
        size_t spki = der_begin(out, DER_SEQUENCE);
        der_put_slice(out, ED25519);
        der_put_bits(out, (struct x509_slice){key, sizeof key});
        der_end(out, spki);
    }
    if (c->extensions.data) {
        size_t explicit = der_begin(out, DER_CONTEXT_CONS(3));
        der_put(out, DER_SEQUENCE, c->extensions.data, c->extensions.size);
        der_end(out, explicit);
    }
    der_put_slice(out, c->tail);
    der_end(out, tbs);
    der_put_slice(out, c->outer.data ? c->outer : ED25519);
    der_put_bits(out, LITERAL("signature"));
    der_end(out, all);
    assert_false(out->failed);
    return x509_parse(out->data, out->size, cert);
}

static void wrong_parts_are_refused(void **state)
{
    (void)state;
    static const struct {
        struct craft craft;
        const char *wrong; /* NULL: accepted */
    } cases[] = {
        {{.version = 3}, NULL},
        {{.version = 0}, NULL},
        {{.version = 2}, NULL},
        {{.version = 1}, "unknown version"}, /* the default, which DER leaves out */
        {{.version = 4}, "unknown version"},
        {{.version = 3, .outer = SLICE("\x30\x05\x06\x03\x2b\x65\x71")},
         "inner and outer signature algorithm differ"},
        {{.version = 3, .outer = SLICE("\x30\x07\x06\x03\x2b\x65\x70\x05\x00")},
         "inner and outer signature algorithm differ"},
        {{.version = 3, .inner = SLICE("\x30\x00"), .outer = SLICE("\x30\x00")},
         "malformed signature algorithm"},
        {{.version = 3, .serial = SLICE("\x02\x02\x00\x01")}, "malformed serial number"},
        {{.version = 3, .serial = SLICE("\x02\x01\x00")}, NULL},
        {{.version = 3, .name = SLICE("\x30\x00")}, NULL},
        {{.version = 3, .name = SLICE("\x30\x02\x31\x00")}, "malformed issuer name"},
        {{.version = 3, .name = SLICE("\x30\x04\x31\x02\x30\x00")}, "malformed issuer name"},
        {{.version = 3, .tail = SLICE("\x05\x00")}, "unknown data at the end of the certificate's content"},
        {{.version = 3, .extensions = SLICE("")}, "malformed extensions"},
        {{.version = 2, .extensions = SLICE("\x30\x09\x06\x03\x55\x1d\x0e\x04\x02\x04\x00")},
         "extensions in a certificate that is not of version 3"},
        {{.version = 3, .extensions = SLICE("\x30\x09\x06\x03\x55\x1d\x0e\x04\x02\x04\x00")}, NULL},
        {{.version = 3,
          .extensions = SLICE("\x30\x09\x06\x03\x55\x1d\x0e\x04\x02\x04\x00"
                              "\x30\x09\x06\x03\x55\x1d\x0e\x04\x02\x04\x00")},
         "an extension comes twice"},
        {{.version = 3,
          .extensions = SLICE("\x30\x06\x06\x02\x2a\x03\x04\x00\x30\x06\x06\x02\x2a\x03\x04\x00")},
         "an extension comes twice"}, /* one that we do not know */
        {{.version = 3, .extensions = SLICE("\x30\x09\x06\x02\x2a\x03\x01\x01\x01\x04\x00")},
         "malformed extension"}, /* critical is 01 */
        {{.version = 3, .extensions = SLICE("\x30\x09\x06\x02\x2a\x03\x01\x01\x00\x04\x00")}, NULL},
        {{.version = 3, .extensions = SLICE("\x30\x0b\x06\x03\x55\x1d\x13\x04\x04\x30\x02\x05\x00")},
         "malformed basicConstraints"},
        {{.version = 3, .extensions = SLICE("\x30\x0b\x06\x03\x55\x1d\x13\x04\x04\x30\x00\x05\x00")},
         "malformed basicConstraints"}, /* data behind its value */
        {{.version = 3, .extensions = SLICE("\x30\x09\x06\x03\x55\x1d\x25\x04\x02\x30\x00")},
         "malformed extendedKeyUsage"},
        {{.version = 3, .extensions = SLICE("\x30\x09\x06\x03\x55\x1d\x0f\x04\x02\x03\x00")},
         "malformed keyUsage"},
        {{.version = 3, .extensions = SLICE("\x30\x09\x06\x03\x55\x1d\x1e\x04\x02\x04\x00")},
         "malformed nameConstraints"},
        {{.version = 3, .extensions = SLICE("\x30\x0b\x06\x03\x55\x1d\x23\x04\x04\x30\x02\x82\x00")},
         "malformed authorityKeyIdentifier"},
        {{.version = 3, .spki = SLICE("\x30\x0b\x30\x05\x06\x03\x2b\x65\x70\x03\x02\x00\x01")},
         "malformed Ed25519 public key"},
        {{.version = 3,
          .spki = SLICE("\x30\x19\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce"
                        "\x3d\x03\x01\x07\x03\x02\x00\x04")},
         "public key does not fit its curve"},
        {{.version = 3,
          .spki = SLICE("\x30\x13\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x02"
                        "\x00\x01")},
         "malformed RSA public key"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct x509 cert;
        struct der_out out;
        const char *wrong = crafted(&cases[i].craft, &cert, &out);
        if (!cases[i].wrong != !wrong || (wrong && strcmp(wrong, cases[i].wrong) != 0))
            fail_msg("case %zu: %s", i, wrong ? wrong : "accepted");
        der_out_free(&out);
    }
}

/* A certificate with these GeneralNames. */
static const char *with_names(struct x509_slice names, struct x509 *cert, struct der_out *out)
{
    struct der_out e = {0};
    size_t extension = der_begin(&e, DER_SEQUENCE);
    der_put(&e, DER_OID, "\x55\x1d\x11", 3);
    size_t value = der_begin(&e, DER_OCTET_STRING);
    der_put(&e, DER_SEQUENCE, names.data, names.size);
    der_end(&e, value);
    der_end(&e, extension);
    struct craft c = {.version = 3, .extensions = der_out_slice(&e)};
    const char *wrong = crafted(&c, cert, out);
    der_out_free(&e);
    return wrong;
}

static void alternative_names_are_strict(void **state)
{
    (void)state;
    static const char text[] = "subjectAltName is empty or holds bytes outside printable ASCII";
    static const struct {
        struct x509_slice names;
        const char *wrong;
    } cases[] = {
        {SLICE(""), "malformed subjectAltName"},
        {SLICE("\x82\x01x"), NULL},
        {SLICE("\x82\x00"), text},
        {SLICE("\x82\x03x\0y"), text},
        {SLICE("\x86\x03x\ny"), text},
        {SLICE("\x81\x03x\x7fy"), text},
        {SLICE("\x82\x03x\xc3\xbc"), text},
        {SLICE("\x87\x04\x01\x02\x03\x04"), NULL},
        {SLICE("\x87\x05\x01\x02\x03\x04\x05"), "IP address in subjectAltName has neither 4 nor 16 octets"},
        {SLICE("\x87\x08\x01\x02\x03\x04\xff\xff\xff\xff"),
         "IP address in subjectAltName has neither 4 nor 16 octets"},
        {SLICE("\x89\x01x"), "subjectAltName of an unknown kind"},
        {SLICE("\xa2\x01x"), "subjectAltName of an unknown kind"}, /* constructed */
        {SLICE("\x82\x02x"), "malformed subjectAltName"},
    };
    struct x509 cert;
    struct der_out out, many = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *wrong = with_names(cases[i].names, &cert, &out);
        if (!cases[i].wrong != !wrong || (wrong && strcmp(wrong, cases[i].wrong) != 0))
            fail_msg("case %zu: %s", i, wrong ? wrong : "accepted");
        der_out_free(&out);
    }
    for (size_t i = 0; i < X509_SANS_MAX; i++)
        der_put_raw(&many, "\x82\x01x", 3);
    assert_null(with_names(der_out_slice(&many), &cert, &out));
    assert_int_equal(cert.san_count, X509_SANS_MAX);
    assert_false(cert.san_too_many);
    der_out_free(&out);
    der_put_raw(&many, "\x82\x01x", 3);
    assert_null(with_names(der_out_slice(&many), &cert, &out));
    assert_int_equal(cert.san_count, X509_SANS_MAX);
    assert_true(cert.san_too_many);
    assert_int_equal(cert.san_names.size, 3 * (X509_SANS_MAX + 1));
    der_out_free(&out);
    /* What is left out is looked at all the same. */
    der_put_raw(&many, "\x82\x01\0", 3);
    assert_string_equal(with_names(der_out_slice(&many), &cert, &out), text);
    der_out_free(&out);
    der_out_free(&many);
}

/* Strings of every type as characters; what is no string as #hex. */
static void strings_of_every_type(void **state)
{
    (void)state;
    static const struct {
        struct x509_slice value;
        const char *rfc2253;
        const char *legacy;
        const char *plain;
    } cases[] = {
        {SLICE("\x0c\x02\xc3\xbc"), "CN=\\C3\\BC", "/CN=\\xC3\\xBC", "\xc3\xbc"},
        {SLICE("\x14\x01\xfc"), "CN=\\C3\\BC", "/CN=\\xFC", "\xc3\xbc"},
        {SLICE("\x1e\x04\x00x\x00\xfc"), "CN=x\\C3\\BC", "/CN=\\x00x\\x00\\xFC", "x\xc3\xbc"},
        {SLICE("\x1e\x02\x65\xe5"), "CN=\\E6\\97\\A5", "/CN=e\\xE5", "\xe6\x97\xa5"},
        {SLICE("\x1c\x04\x00\x01\xf6\x80"), "CN=\\F0\\9F\\9A\\80", "/CN=\\x00\\x01\\xF6\\x80",
         "\xf0\x9f\x9a\x80"},
        {SLICE("\x1e\x03\x00x\x00"), "CN=#1E03007800", "/CN=\\x00x\\x00", NULL},
        {SLICE("\x1e\x02\xd8\x00"), "CN=#1E02D800", "/CN=\\xD8\\x00", NULL},
        {SLICE("\x1c\x04\x00\x11\x00\x00"), "CN=#1C0400110000", "/CN=\\x00\\x11\\x00\\x00", NULL},
        {SLICE("\x02\x01\x05"), "CN=#020105", "/CN=\\x05", NULL},
        {SLICE("\x13\x03 # "), "CN=\\ #\\ ", "/CN= # ", " # "},
        {SLICE("\x13\x01 "), "CN=\\ ", "/CN= ", " "},
        {SLICE("\x13\x01#"), "CN=\\#", "/CN=#", "#"},
        {SLICE("\x13\x00"), "CN=", "/CN=", ""},
        {SLICE("\x16\x02\x00\n"), "CN=\\00\\0A", "/CN=\\x00\\x0A", NULL},
        {SLICE("\x0c\x01\xff"), "CN=\\FF", "/CN=\\xFF", "\xff"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct der_out n = {0};
        char text[128];
        size_t name = der_begin(&n, DER_SEQUENCE);
        size_t set = der_begin(&n, DER_SET);
        size_t pair = der_begin(&n, DER_SEQUENCE);
        der_put(&n, DER_OID, "\x55\x04\x03", 3);
        der_put_slice(&n, cases[i].value);
        der_end(&n, pair);
        der_end(&n, set);
        der_end(&n, name);
        x509_name_rfc2253(der_out_slice(&n), text, sizeof text);
        assert_string_equal(text, cases[i].rfc2253);
        x509_name_legacy(der_out_slice(&n), text, sizeof text);
        assert_string_equal(text, cases[i].legacy);
        assert_true(x509_name_attribute(der_out_slice(&n), "CN", 0, text, sizeof text, NULL));
        if (cases[i].plain)
            assert_string_equal(text, cases[i].plain);
        der_out_free(&n);
    }
}

static void object_identifiers(void **state)
{
    (void)state;
    static const struct {
        struct x509_slice oid;
        const char *text;
    } cases[] = {
        {SLICE("\x2a\x03"), "1.2.3"},
        {SLICE("\x00"), "0.0"},
        {SLICE("\x27"), "0.39"},
        {SLICE("\x28"), "1.0"},
        {SLICE("\x50"), "2.0"},
        {SLICE("\x88\x37"), "2.999"},
        {SLICE("\x2a\x84\x80\x00"), "1.2.65536"},
        {SLICE("\x2a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), "1.2.9223372036854775807"},
        {SLICE("\x2a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x03"), "1.2.?.3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[64];
        x509_oid_text(cases[i].oid, text, sizeof text);
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
        cmocka_unit_test(wrong_parts_are_refused),
        cmocka_unit_test(alternative_names_are_strict),
        cmocka_unit_test(strings_of_every_type),
        cmocka_unit_test(object_identifiers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
