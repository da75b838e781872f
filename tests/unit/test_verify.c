/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "pki.h"
#include "certrotate/der_write.h"
#include "certrotate/verify.h"

static const char *verify(const char *issuer, const char *cert)
{
    const struct x509 *c = pki_cert(cert);
    return x509_verify(pki_cert(issuer), c->tbs, c->signature_algorithm, c->signature);
}

static void good_signatures(void **state)
{
    static const char *const pairs[][2] = {
        {"root", "root"},
        {"root", "intermediate"},
        {"root_renewed", "intermediate"},
        {"root2", "intermediate_cross"},
        {"intermediate", "leaf"},
        {"root_p384", "leaf_by_p384"},
        {"root_p521", "leaf_by_p521"},
        {"root_ed25519", "leaf_by_ed25519"},
        {"root_ed25519", "root_ed25519"},
        {"root_rsa", "leaf_by_rsa"},
        {"root_rsa", "leaf_by_rsa_sha384"},
        {"root_rsa", "leaf_by_rsa_sha512"},
        {"root_rsa", "leaf_by_rsa_pss"},
        {"root_rsa", "leaf_by_rsa_pss384"},
        {"root_rsa", "leaf_by_rsa_pss512"},
        {"root_rsa", "leaf_by_rsa_pss_long"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const char *wrong = verify(pairs[i][0], pairs[i][1]);
        if (wrong)
            fail_msg("%s by %s: %s", pairs[i][1], pairs[i][0], wrong);
        pki_free_all();
    }
}

static void wrong_issuer(void **state)
{
    (void)state;
    assert_string_equal(verify("root_impostor", "intermediate"), "the signature is wrong");
    assert_string_equal(verify("root2", "leaf"), "the signature is wrong");
    assert_non_null(strstr(verify("root_p384", "leaf"), "wrong"));
    assert_non_null(strstr(verify("root_rsa", "leaf"), "another kind of key"));
    assert_non_null(strstr(verify("root", "leaf_by_rsa"), "another kind of key"));
    assert_non_null(strstr(verify("root", "leaf_by_rsa_pss"), "another kind of key"));
    assert_non_null(strstr(verify("root_ed25519", "leaf"), "another kind of key"));
    assert_non_null(strstr(verify("root", "leaf_by_ed25519"), "another kind of key"));
    assert_non_null(strstr(verify("leaf_rsa2048", "leaf_by_rsa"), "wrong"));
    assert_non_null(strstr(verify("leaf_rsa2048", "leaf_by_rsa_pss"), "wrong"));
    assert_non_null(strstr(verify("leaf_ed25519", "leaf_by_ed25519"), "wrong"));
    assert_non_null(strstr(verify("leaf_rsa1024", "leaf_by_rsa"), "weak"));
    assert_non_null(strstr(verify("leaf_k256", "leaf"), "not supported"));
    pki_free_all();
}

/* Every octet of the signature and of what is signed counts, for each algorithm. */
static void damaged(void **state)
{
    static const char *const pairs[][2] = {
        {"intermediate", "leaf"},    {"root_p384", "leaf_by_p384"},   {"root_ed25519", "leaf_by_ed25519"},
        {"root_rsa", "leaf_by_rsa"}, {"root_rsa", "leaf_by_rsa_pss"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const struct x509 *issuer = pki_cert(pairs[i][0]), *cert = pki_cert(pairs[i][1]);
        uint8_t copy[1024];
        assert_true(cert->tbs.size < sizeof copy && cert->signature.size < sizeof copy);
        for (size_t at = 0; at < cert->signature.size; at++) {
            memcpy(copy, cert->signature.data, cert->signature.size);
            copy[at] ^= 0x01;
            struct x509_slice signature = {copy, cert->signature.size};
            assert_non_null(x509_verify(issuer, cert->tbs, cert->signature_algorithm, signature));
        }
        for (size_t size = 0; size < cert->signature.size; size += 7) {
            struct x509_slice signature = {cert->signature.data, size};
            assert_non_null(x509_verify(issuer, cert->tbs, cert->signature_algorithm, signature));
        }
        memcpy(copy, cert->signature.data, cert->signature.size);
        copy[cert->signature.size] = 0;
        struct x509_slice longer = {copy, cert->signature.size + 1};
        assert_non_null(x509_verify(issuer, cert->tbs, cert->signature_algorithm, longer));
        for (size_t at = 0; at < cert->tbs.size; at += 11) {
            memcpy(copy, cert->tbs.data, cert->tbs.size);
            copy[at] ^= 0x80;
            struct x509_slice tbs = {copy, cert->tbs.size};
            assert_non_null(x509_verify(issuer, tbs, cert->signature_algorithm, cert->signature));
        }
        pki_free_all();
    }
}

/* The same two numbers of an ECDSA signature in other encodings: none but DER passes. */
static void other_encodings(void **state)
{
    (void)state;
    const struct x509 *issuer = pki_cert("intermediate"), *cert = pki_cert("leaf");
    const uint8_t *der = cert->signature.data;
    size_t size = cert->signature.size;
    uint8_t copy[128];
    /* A zero in front of the first number. */
    memcpy(copy, der, 4);
    copy[1]++;
    copy[3]++;
    copy[4] = 0;
    memcpy(copy + 5, der + 4, size - 4);
    struct x509_slice signature = {copy, size + 1};
    assert_non_null(x509_verify(issuer, cert->tbs, cert->signature_algorithm, signature));
    /* A length in its long form. */
    copy[0] = 0x30;
    copy[1] = 0x81;
    memcpy(copy + 2, der + 1, size - 1);
    assert_non_null(x509_verify(issuer, cert->tbs, cert->signature_algorithm, signature));
    /* Data behind the two numbers. */
    memcpy(copy, der, size);
    copy[1] += 2;
    memcpy(copy + size, "\x05\x00", 2);
    signature.size = size + 2;
    assert_non_null(x509_verify(issuer, cert->tbs, cert->signature_algorithm, signature));
    pki_free_all();
}

static void weak_hashes(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"intermediate", "leaf_sha1"},
        {"root_rsa", "leaf_by_rsa_sha1"},
        {"root_rsa", "leaf_by_rsa_pss_sha1"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        bool weak = false;
        assert_non_null(strstr(verify(pairs[i][0], pairs[i][1]), "weak hash"));
        assert_non_null(x509_verify_algorithm(pki_cert(pairs[i][1])->signature_algorithm, &weak));
        assert_true(weak);
    }
    bool weak = true;
    assert_null(x509_verify_algorithm(pki_cert("leaf")->signature_algorithm, &weak));
    assert_false(weak);
    pki_free_all();
}

#define ALGORITHM(octets) ((struct x509_slice){(const uint8_t *)(octets), sizeof(octets) - 1})

static void odd_algorithms(void **state)
{
    (void)state;
    /* ECDSA with SHA-256, first as it should be. */
    assert_null(x509_verify_algorithm(ALGORITHM("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"), NULL));
    assert_non_null(
        x509_verify_algorithm(ALGORITHM("\x30\x0c\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x05\x00"), NULL));
    assert_non_null(
        x509_verify_algorithm(ALGORITHM("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x05\x00"), NULL));
    /* SHA-224 */
    assert_non_null(
        x509_verify_algorithm(ALGORITHM("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x01"), NULL));
    /* RSA with SHA-256: NULL or nothing. */
    assert_null(x509_verify_algorithm(
        ALGORITHM("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00"), NULL));
    assert_null(
        x509_verify_algorithm(ALGORITHM("\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"), NULL));
    assert_non_null(x509_verify_algorithm(
        ALGORITHM("\x30\x0e\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x01\x00"), NULL));
    /* RSA-PSS without parameters, and with none given: SHA-1. */
    bool weak = false;
    assert_non_null(
        x509_verify_algorithm(ALGORITHM("\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"), NULL));
    assert_non_null(x509_verify_algorithm(
        ALGORITHM("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x30\x00"), &weak));
    assert_true(weak);
    assert_non_null(x509_verify_algorithm(ALGORITHM(""), &weak));
    assert_false(weak);
}

/* An RSA key as it should not be: an exponent of E_SIZE octets in place of its own. */
static const char *with_exponent(const char *e, size_t e_size)
{
    const struct x509 *leaf = pki_cert("leaf_by_rsa");
    struct x509 issuer = *pki_cert("root_rsa");
    struct der in = der_from_slice(issuer.public_key), key;
    struct x509_slice n;
    bool negative;
    struct der_out out = {0};
    assert_true(der_take(&in, DER_SEQUENCE, &key) && der_integer(&key, &n, &negative));
    size_t begun = der_begin(&out, DER_SEQUENCE);
    der_put_integer(&out, n);
    der_put_integer(&out, (struct x509_slice){(const uint8_t *)e, e_size});
    der_end(&out, begun);
    issuer.public_key = der_out_slice(&out);
    const char *wrong = x509_verify(&issuer, leaf->tbs, leaf->signature_algorithm, leaf->signature);
    der_out_free(&out);
    return wrong;
}

static void odd_rsa_keys(void **state)
{
    (void)state;
    static const char bad[] = "the RSA key has a bad exponent";
    assert_null(with_exponent("\1\0\1", 3));
    assert_string_equal(with_exponent("\1", 1), bad); /* whatever is signed is its own signature */
    assert_string_equal(with_exponent("\2", 1), bad);
    assert_string_equal(with_exponent("\1\0\0", 3), bad);
    assert_string_equal(with_exponent("\1\0\0\0\0\0\0\0\1", 9), bad);
    assert_string_not_equal(with_exponent("\3", 1), bad);
    const struct x509 *leaf = pki_cert("leaf_by_rsa");
    struct x509 issuer = *pki_cert("root_rsa");
    issuer.key_bits = 4104;
    assert_non_null(strstr(x509_verify(&issuer, leaf->tbs, leaf->signature_algorithm, leaf->signature),
                           "larger than the 4096 bits"));
    pki_free_all();
}

/* RSASSA-PSS-params with these two hashes (last octets of 2.16.840.1.101.3.4.2.x; 0: left out) and trailer.
 */
static const char *pss(uint8_t hash, uint8_t mgf_hash, unsigned trailer, bool *weak)
{
    uint8_t oid[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, hash};
    struct der_out out = {0};
    size_t all = der_begin(&out, DER_SEQUENCE);
    der_put(&out, DER_OID, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a", 9);
    size_t params = der_begin(&out, DER_SEQUENCE);
    if (hash) {
        size_t explicit = der_begin(&out, DER_CONTEXT_CONS(0)), inner = der_begin(&out, DER_SEQUENCE);
        der_put(&out, DER_OID, oid, sizeof oid);
        der_end(&out, inner);
        der_end(&out, explicit);
    }
    if (mgf_hash) {
        oid[8] = mgf_hash;
        size_t explicit = der_begin(&out, DER_CONTEXT_CONS(1)), mgf = der_begin(&out, DER_SEQUENCE);
        der_put(&out, DER_OID, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08", 9);
        size_t inner = der_begin(&out, DER_SEQUENCE);
        der_put(&out, DER_OID, oid, sizeof oid);
        der_end(&out, inner);
        der_end(&out, mgf);
        der_end(&out, explicit);
    }
    size_t number = der_begin(&out, DER_CONTEXT_CONS(2));
    der_put_uint(&out, 32);
    der_end(&out, number);
    number = der_begin(&out, DER_CONTEXT_CONS(3));
    der_put_uint(&out, trailer);
    der_end(&out, number);
    der_end(&out, params);
    der_end(&out, all);
    const char *wrong = x509_verify_algorithm(der_out_slice(&out), weak);
    der_out_free(&out);
    return wrong;
}

static void odd_pss_parameters(void **state)
{
    (void)state;
    bool weak;
    assert_null(pss(1, 1, 1, &weak));
    assert_null(pss(2, 2, 1, &weak));
    assert_string_equal(pss(1, 2, 1, &weak), "RSA-PSS with hashes that are not supported");
    assert_false(weak);
    assert_string_equal(pss(4, 4, 1, &weak), "RSA-PSS with hashes that are not supported"); /* SHA-224 */
    assert_string_equal(pss(1, 0, 1, &weak), "RSA-PSS with the weak hash SHA-1");
    assert_true(weak);
    assert_string_equal(pss(0, 1, 1, &weak), "RSA-PSS with the weak hash SHA-1");
    assert_string_equal(pss(1, 1, 0, &weak), "malformed RSA-PSS parameters");
    assert_string_equal(pss(1, 1, 2, &weak), "malformed RSA-PSS parameters");
}

/* Two steps give what one gives. */
static void digest_first(void **state)
{
    (void)state;
    struct x509_digest digest;
    const struct x509 *leaf = pki_cert("leaf"), *ed = pki_cert("leaf_by_ed25519");
    assert_null(x509_verify_hash(leaf->tbs, leaf->signature_algorithm, &digest));
    assert_int_equal(digest.size, 32);
    assert_null(
        x509_verify_digest(pki_cert("intermediate"), &digest, leaf->signature_algorithm, leaf->signature));
    assert_non_null(
        x509_verify_digest(pki_cert("root"), &digest, leaf->signature_algorithm, leaf->signature));
    digest.octets[31] ^= 1;
    assert_non_null(
        x509_verify_digest(pki_cert("intermediate"), &digest, leaf->signature_algorithm, leaf->signature));
    assert_null(x509_verify_hash(ed->tbs, ed->signature_algorithm, &digest));
    assert_int_equal(digest.size, 0);
    assert_non_null(
        x509_verify_digest(pki_cert("root_ed25519"), &digest, ed->signature_algorithm, ed->signature));
    pki_free_all();
}

static void keys_match(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"leaf", "leaf.key"},
        {"leaf", "leaf.sec1"},
        {"leaf_p384", "leaf_p384.key"},
        {"leaf_p521", "leaf_p521.key"},
        {"leaf_ed25519", "leaf_ed25519.key"},
        {"leaf_rsa2048", "leaf_rsa2048.key"},
        {"leaf_rsa2048", "leaf_rsa2048.pkcs1"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        bool mismatch = true;
        const char *wrong = x509_key_matches(pki_cert(pairs[i][0]), pki_der(pairs[i][1]), &mismatch);
        if (wrong)
            fail_msg("%s: %s", pairs[i][1], wrong);
        assert_false(mismatch);
    }
    pki_free_all();
}

static void keys_do_not_match(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"leaf", "leaf_client.key"},
        {"leaf_ed25519", "root_ed25519.key"},
        {"leaf_rsa2048", "root_rsa.key"},
        {"leaf", "leaf_p384.key"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        bool mismatch = false;
        assert_non_null(x509_key_matches(pki_cert(pairs[i][0]), pki_der(pairs[i][1]), &mismatch));
        assert_true(mismatch);
    }
    assert_non_null(x509_key_matches(pki_cert("leaf"), pki_der("leaf_rsa2048.key"), NULL));
    assert_non_null(x509_key_matches(pki_cert("leaf"), pki_der("leaf_ed25519.key"), NULL));
    assert_non_null(x509_key_matches(pki_cert("leaf_rsa2048"), pki_der("leaf.key"), NULL));
    assert_non_null(x509_key_matches(pki_cert("leaf"), pki_der("leaf.encrypted"), NULL));
    assert_non_null(x509_key_matches(pki_cert("leaf_k256"), pki_der("leaf_k256.key"), NULL));
    assert_non_null(x509_key_matches(pki_cert("leaf"), (struct x509_slice){NULL, 0}, NULL));
    struct x509_slice cut = pki_der("leaf.key");
    cut.size -= 20;
    assert_non_null(x509_key_matches(pki_cert("leaf"), cut, NULL));
    pki_free_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_signatures),
        cmocka_unit_test(wrong_issuer),
        cmocka_unit_test(damaged),
        cmocka_unit_test(other_encodings),
        cmocka_unit_test(weak_hashes),
        cmocka_unit_test(odd_algorithms),
        cmocka_unit_test(digest_first),
        cmocka_unit_test(odd_rsa_keys),
        cmocka_unit_test(odd_pss_parameters),
        cmocka_unit_test(keys_match),
        cmocka_unit_test(keys_do_not_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
