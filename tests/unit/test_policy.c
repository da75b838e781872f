/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What may be issued, and the names, keys and DER that certificates are made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "certrotate/der_write.h"
#include "certrotate/key.h"
#include "certrotate/labels.h"
#include "certrotate/mint.h"
#include "certrotate/policy.h"
#include "certrotate/verify.h"

/* --- policy --- */

static struct policy *policy(const char *text)
{
    struct failure f;
    struct policy *p = policy_read("P", text, &f);
    if (!p)
        fail_msg("%s", f.text);
    return p;
}

/* A request for these names by a P-256 key, parsed; free OUT. */
static void request(const struct labels *l, enum key_spec spec, struct der_out *out, struct x509 *x)
{
    struct failure f;
    struct der_out subject = {0}, sans = {0};
    struct key *key = key_generate(spec, &f);
    assert_non_null(key);
    labels_put_subject(l, &subject);
    labels_put_sans(l, &sans);
    *out = (struct der_out){0};
    assert_true(mint_request(der_out_slice(&subject), der_out_slice(&sans), key, out, &f));
    const char *wrong = x509_parse_request(out->data, out->size, x);
    if (wrong)
        fail_msg("%s", wrong);
    assert_null(x509_verify(x, x->tbs, x->signature_algorithm, x->signature));
    key_free(key);
    der_out_free(&subject);
    der_out_free(&sans);
}

#define BASE "max_lifetime = 1h\nkeys = p256\n"

static void names_are_matched(void **state)
{
    (void)state;
    static const struct {
        enum label label;
        const char *name;
        const char *rules;
        bool ok;
    } cases[] = {
        {LABEL_DNS, "a.example", "dns = a.example", true},
        {LABEL_DNS, "A.example", "dns = a.Example", true},
        {LABEL_DNS, "b.example", "dns = a.example", false},
        {LABEL_DNS, "a.example", "uri = *", false},
        {LABEL_DNS, "a.example", "", false},
        {LABEL_DNS, "a.example", "dns = *.example", true},
        {LABEL_DNS, "a.b.example", "dns = *.example", false},
        {LABEL_DNS, "example", "dns = *.example", false},
        {LABEL_DNS, "a.b.example", "dns = .example", true},
        {LABEL_DNS, "example", "dns = .example", false},
        {LABEL_DNS, "notexample", "dns = .example", false},
        {LABEL_DNS, "a.example", "dns = b.example, a.example", true},
        {LABEL_DNS, "*.a.example", "dns = *.example", false},
        {LABEL_DNS, "*.a.example", "dns = *.a.example", true},
        {LABEL_DNS, "a.example.evil", "dns = *.example", false},
        {LABEL_URI, "spiffe://td/ns/a/sa/b", "uri = spiffe://td/ns/a/sa/b", true},
        {LABEL_URI, "spiffe://td/ns/a/sa/b", "uri = spiffe://td/ns/a/sa/c", false},
        {LABEL_URI, "spiffe://td/ns/a/sa/b", "uri = spiffe://td/ns/*/sa/b", true},
        {LABEL_URI, "spiffe://td/ns/a/x/sa/b", "uri = spiffe://td/ns/*/sa/b", false},
        {LABEL_URI, "spiffe://td/ns/a/sa/b", "uri = spiffe://td/ns/a/*", true},
        {LABEL_URI, "spiffe://td/ns/a", "uri = spiffe://td/ns/a/*", false},
        {LABEL_URI, "spiffe://td/ns/a/", "uri = spiffe://td/ns/a/*", false},
        {LABEL_URI, "spiffe://td/ns/a/..", "uri = spiffe://td/ns/a/*", false},
        {LABEL_URI, "spiffe://td/ns/a/b/../../c", "uri = spiffe://td/ns/a/*", false},
        {LABEL_URI, "spiffe://td/ns/a/b?c", "uri = spiffe://td/ns/a/*", false},
        {LABEL_URI, "spiffe://td/ns/a/b%2fc", "uri = spiffe://td/ns/a/*", false},
        {LABEL_URI, "spiffe://td2/ns/a", "uri = spiffe://td/*", false},
        {LABEL_URI, "spiffe://td", "uri = spiffe://td/x", false},
        {LABEL_URI, "spiffe://td/x/y", "uri = spiffe://td/x", false},
        {LABEL_IP, "10.1.2.3", "ip = 10.0.0.0/8", true},
        {LABEL_IP, "11.1.2.3", "ip = 10.0.0.0/8", false},
        {LABEL_IP, "10.1.2.3", "ip = 10.1.2.3", true},
        {LABEL_IP, "10.1.2.4", "ip = 10.1.2.3", false},
        {LABEL_IP, "10.1.2.4", "ip = 10.1.2.3/31", false},
        {LABEL_IP, "10.1.2.3", "ip = 10.1.2.2/31", true},
        {LABEL_IP, "fd00::1", "ip = fd00::/8", true},
        {LABEL_IP, "fe00::1", "ip = fd00::/8", false},
        {LABEL_IP, "10.1.2.3", "ip = ::/0", false},
        {LABEL_IP, "10.1.2.3", "ip = *", true},
        {LABEL_EMAIL, "a@b.example", "email = *@b.example", true},
        {LABEL_EMAIL, "a@c.example", "email = *@b.example", false},
        {LABEL_EMAIL, "a@b.example", "email = a@b.example", true},
        {LABEL_EMAIL, "b@b.example", "email = a@b.example", false},
        {LABEL_CN, "web", "subject = CN=web", true},
        {LABEL_CN, "web2", "subject = CN=web", false},
        {LABEL_CN, "web", "subject = CN=*", true},
        {LABEL_CN, "web", "subject = *", true},
        {LABEL_O, "web", "subject = CN=*", false},
        {LABEL_O, "web", "subject = CN=*, O=web", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        struct failure f;
        struct labels l = {0};
        struct der_out der;
        struct x509 x;
        snprintf(text, sizeof text, BASE "%s\n", cases[i].rules);
        struct policy *p = policy(text);
        if (!labels_add(&l, cases[i].label, cases[i].name, &f))
            fail_msg("%s", f.text);
        request(&l, KEY_P256, &der, &x);
        if (policy_check(p, &x, 3600, &f) != cases[i].ok)
            fail_msg("%s and %s", cases[i].rules, cases[i].name);
        if (!cases[i].ok)
            assert_non_null(strstr(f.text, "does not allow"));
        policy_free(p);
        der_out_free(&der);
    }
}

static void lifetimes_and_keys(void **state)
{
    (void)state;
    struct failure f;
    struct labels l = {0};
    struct der_out der;
    struct x509 x;
    struct policy *p = policy(BASE "dns = *\nsubject = *");
    assert_true(labels_add(&l, LABEL_DNS, "a.example", &f));
    request(&l, KEY_P256, &der, &x);
    assert_true(policy_check(p, &x, 3600, &f));
    assert_false(policy_check(p, &x, 3601, &f));
    assert_string_equal(f.text, "the policy P allows a lifetime of 3600 s, not of 3601 s");
    x.is_ca = true;
    assert_false(policy_check(p, &x, 3600, &f));
    x.is_ca = false;
    x.san_has_other = true;
    assert_false(policy_check(p, &x, 3600, &f));
    x.san_has_other = false;
    x.unknown_critical = true;
    assert_false(policy_check(p, &x, 3600, &f));
    der_out_free(&der);
    request(&l, KEY_P384, &der, &x);
    assert_false(policy_check(p, &x, 3600, &f));
    assert_string_equal(f.text, "the policy P does not allow a key of type p384");
    der_out_free(&der);
    request(&(struct labels){0}, KEY_P256, &der, &x);
    assert_false(policy_check(p, &x, 3600, &f));
    der_out_free(&der);
    policy_free(p);
    p = policy(POLICY_DEFAULT);
    for (enum key_spec spec = KEY_P256; spec <= KEY_ED25519; spec++) {
        if (spec == KEY_RSA3072 || spec == KEY_RSA4096)
            continue; /* takes its time */
        request(&l, spec, &der, &x);
        assert_true(policy_check(p, &x, policy_max_lifetime(p), &f));
        der_out_free(&der);
    }
    policy_free(p);
}

/* Names that labels_add() would refuse, but a request of another's making can hold. */
static void strange_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *rule;
        enum x509_san_kind kind;
    } cases[] = {
        {".example", "dns = *.example", X509_SAN_DNS},
        {"", "dns = .example", X509_SAN_DNS},
        {"..example", "dns = *.example", X509_SAN_DNS},
        {"evil.com/.example", "dns = .example", X509_SAN_DNS},
        {"evil.com, DNS:a.example", "dns = .example", X509_SAN_DNS},
        {"evil.com;URI=spiffe://td/x;DNS=a.example", "dns = *", X509_SAN_DNS},
        {"a b.example", "dns = *.example", X509_SAN_DNS},
        {"a..example", "dns = .example", X509_SAN_DNS},
        {"*.*.example", "dns = .example", X509_SAN_DNS},
        {"spiffe://td/a\\b", "uri = spiffe://td/*", X509_SAN_URI},
        {"spiffe://td/a,URI:spiffe://td b", "uri = spiffe://td/*", X509_SAN_URI},
        {"evil@evil.com, a@b.example", "email = *@b.example", X509_SAN_EMAIL},
        {"@b.example", "email = *@b.example", X509_SAN_EMAIL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[128];
        struct failure f;
        struct labels l = {0};
        struct der_out der;
        struct x509 x;
        snprintf(text, sizeof text, BASE "%s\n", cases[i].rule);
        struct policy *p = policy(text);
        assert_true(labels_add(&l, LABEL_DNS, "a.example", &f));
        request(&l, KEY_P256, &der, &x);
        x.san[0].kind = cases[i].kind;
        x.san[0].value = (struct x509_slice){(const uint8_t *)cases[i].name, strlen(cases[i].name)};
        if (policy_check(p, &x, 3600, &f))
            fail_msg("%s and %s", cases[i].rule, cases[i].name);
        policy_free(p);
        der_out_free(&der);
    }
}

static void bad_policies(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *wrong;
    } cases[] = {
        {"", "P: max_lifetime is missing"},
        {"max_lifetime = 5", "P:1: not a duration (30m, 24h, 90d): 5"},
        {"max_lifetime = 1h\nnonsense\n", "P:2: want KEY = VALUE: nonsense"},
        {"max_lifetime = 1h\n\nname = x\n", "P:3: unknown key: name"},
        {BASE "ip = 10.0.0.0/33", "P:3: not a value of `ip`: 10.0.0.0/33"},
        {BASE "ip = ten", "P:3: not a value of `ip`: ten"},
        {BASE "dns = a*.example", "P:3: not a value of `dns`: a*.example"},
        {BASE "uri = path", "P:3: not a value of `uri`: path"},
        {BASE "email = me", "P:3: not a value of `email`: me"},
        {BASE "subject = web", "P:3: not a value of `subject`: web"},
        {BASE "keys = rsa1024", "P:3: not a value of `keys`: rsa1024"},
        {BASE "keys = *", "P:3: not a value of `keys`: *"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct failure f;
        assert_null(policy_read("P", cases[i].text, &f));
        assert_string_equal(f.text, cases[i].wrong);
    }
}

static void durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds; /* 0: refused */
    } cases[] = {{"1s", 1},      {"90s", 90},     {"30m", 1800},    {"24h", 86400},
                 {"7d", 604800}, {"2w", 1209600}, {"1y", 31536000}, {"0s", 0},
                 {"", 0},        {"s", 0},        {"5", 0},         {"5x", 0},
                 {"5ms", 0},     {"-5s", 0},      {" 5s", 0},       {"1000000000000y", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t seconds = 0;
        assert_int_equal(policy_duration(cases[i].text, &seconds), cases[i].seconds > 0);
        if (cases[i].seconds)
            assert_int_equal(seconds, cases[i].seconds);
    }
}

/* --- names --- */

static void labels_are_checked(void **state)
{
    (void)state;
    static const struct {
        enum label label;
        const char *text;
        bool ok;
    } cases[] = {
        {LABEL_C, "DE", true},
        {LABEL_C, "de", false},
        {LABEL_C, "DEU", false},
        {LABEL_C, "", false},
        {LABEL_CN, "M\xc3\xbcller", true},
        {LABEL_CN, "", false},
        {LABEL_CN, "a\nb", false},
        {LABEL_CN, "a\x7f", false},
        {LABEL_CN, "\xc3", false},
        {LABEL_CN, "\xc0\x80", false},
        {LABEL_CN, "\xed\xa0\x80", false},
        {LABEL_CN, "\xf4\x90\x80\x80", false},
        {LABEL_CN, "\xf0\x9f\x9a\x80", true},
        {LABEL_CN, "1234567890123456789012345678901234567890123456789012345678901234", true},
        {LABEL_CN, "12345678901234567890123456789012345678901234567890123456789012345", false},
        {LABEL_DNS, "a", true},
        {LABEL_DNS, "a_b.example", true},
        {LABEL_DNS, "*.a.example", true},
        {LABEL_DNS, "*.a", false},
        {LABEL_DNS, "*", false},
        {LABEL_DNS, "a.*.b", false},
        {LABEL_DNS, "a.", false},
        {LABEL_DNS, ".a", false},
        {LABEL_DNS, "-a", false},
        {LABEL_DNS, "a b", false},
        {LABEL_URI, "spiffe://td/a", true},
        {LABEL_URI, "urn:x", true},
        {LABEL_URI, "1a:b", false},
        {LABEL_URI, "a:", false},
        {LABEL_URI, "a:b c", false},
        {LABEL_URI, "a:b,c", true},
        {LABEL_URI, "a:b\"", false},
        {LABEL_IP, "10.0.0.1", true},
        {LABEL_IP, "fd00::1", true},
        {LABEL_IP, "10.0.0.1/8", false},
        {LABEL_IP, "10.0.0", false},
        {LABEL_EMAIL, "a@b.example", true},
        {LABEL_EMAIL, "@b.example", false},
        {LABEL_EMAIL, "a@", false},
        {LABEL_EMAIL, "a", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct labels l = {0};
        struct failure f;
        if (labels_add(&l, cases[i].label, cases[i].text, &f) != cases[i].ok)
            fail_msg("%s", cases[i].text);
        assert_int_equal(l.count, cases[i].ok);
    }
    struct labels l = {0};
    struct failure f;
    for (size_t i = 0; i < LABELS_MAX; i++)
        assert_true(labels_add(&l, LABEL_OU, "x", &f));
    assert_false(labels_add(&l, LABEL_OU, "x", &f));
}

/* --- keys --- */

static void keys_are_written_and_read(void **state)
{
    (void)state;
    static const enum key_spec specs[] = {KEY_P256, KEY_P384, KEY_P521, KEY_RSA2048, KEY_ED25519};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        struct failure f;
        struct der_out secret = {0}, public = {0}, again = {0}, signature = {0};
        struct key *key = key_generate(specs[i], &f);
        assert_non_null(key);
        key_put_private(key, &secret);
        key_put_public(key, &public);
        struct pem_block block = {PEM_KEY_PKCS8, secret.data, secret.size};
        struct key *read = key_read(&block, &f);
        if (!read)
            fail_msg("%s: %s", key_spec_name(specs[i]), f.text);
        key_put_public(read, &again);
        assert_true(der_same(der_out_slice(&public), der_out_slice(&again)));
        assert_false(public.failed || secret.failed);
        /* A cut key is refused. */
        block.size--;
        assert_null(key_read(&block, &f));
        key_free(key);
        key_free(read);
        der_out_free(&secret);
        der_out_free(&public);
        der_out_free(&again);
        der_out_free(&signature);
    }
    enum key_spec spec;
    assert_true(key_spec_parse("rsa4096", &spec) && spec == KEY_RSA4096);
    assert_false(key_spec_parse("dsa", &spec));
}

/* --- DER --- */

static void what_is_written_is_read(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 127, 128, 255, 256, 65535, 65536, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct der_out out = {0};
        struct der in, content, inner;
        uint8_t *data = calloc(1, sizes[i] + 1);
        size_t begun = der_begin(&out, DER_SEQUENCE);
        der_put(&out, DER_OCTET_STRING, data, sizes[i]);
        der_end(&out, begun);
        assert_false(out.failed);
        in = der_from(out.data, out.size);
        assert_true(der_take(&in, DER_SEQUENCE, &content) && der_empty(&in));
        assert_true(der_take(&content, DER_OCTET_STRING, &inner) && der_empty(&content));
        assert_int_equal(der_left(&inner), sizes[i]);
        der_out_free(&out);
        free(data);
    }
    static const uint64_t numbers[] = {0, 1, 127, 128, 255, 256, 0x7fffffff, 0xffffffff};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct der_out out = {0};
        uint32_t value;
        der_put_uint(&out, numbers[i]);
        struct der in = der_from(out.data, out.size);
        assert_true(der_uint(&in, UINT32_MAX, &value) && der_empty(&in));
        assert_int_equal(value, numbers[i]);
        der_out_free(&out);
    }
    static const int64_t times[] = {0,          951782400, 2524607999, 2524608000, 253402300799,
                                    -631152000, -631152001};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct der_out out = {0};
        int64_t value;
        der_put_time(&out, times[i]);
        assert_int_equal(out.data[0], times[i] >= 2524608000 || times[i] < -631152000 ? DER_GENERALIZED_TIME
                                                                                      : DER_UTC_TIME);
        struct der in = der_from(out.data, out.size);
        assert_true(der_time(&in, &value) && der_empty(&in));
        assert_true(value == times[i]);
        der_out_free(&out);
    }
    for (unsigned bits = 0; bits < 512; bits++) {
        struct der_out out = {0};
        struct x509_slice octets;
        unsigned unused, value = 0;
        der_put_named_bits(&out, bits);
        struct der in = der_from(out.data, out.size);
        assert_true(der_bits(&in, &octets, &unused) && der_empty(&in));
        for (size_t k = 0; k < octets.size * 8; k++)
            value |= (octets.data[k / 8] >> (7 - k % 8) & 1u) << k;
        assert_int_equal(value, bits);
        /* DER: no trailing zero bits in a list of named bits. */
        if (bits)
            assert_true(octets.data[octets.size - 1] >> unused & 1);
        der_out_free(&out);
    }
    struct der_out out = {0};
    der_put_time(&out, INT64_MAX);
    assert_true(out.failed);
    der_put_bool(&out, true);
    assert_int_equal(out.size, 0);
    der_out_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_matched),
        cmocka_unit_test(lifetimes_and_keys),
        cmocka_unit_test(strange_names),
        cmocka_unit_test(bad_policies),
        cmocka_unit_test(durations),
        cmocka_unit_test(labels_are_checked),
        cmocka_unit_test(keys_are_written_and_read),
        cmocka_unit_test(what_is_written_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
