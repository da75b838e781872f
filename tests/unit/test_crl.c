/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include "pki.h"
#include "certrotate/crl.h"
#include "certrotate/crl_parse.h"

static char error[512];
static char warnings[2048];

static void warn(const char *text, void *arg)
{
    (void)arg;
    strncat(warnings, text, sizeof warnings - strlen(warnings) - 1);
    strncat(warnings, "\n", sizeof warnings - strlen(warnings) - 1);
}

/* An index of the CRLs in NAMES ("root intermediate"), signed by ISSUERS, likewise. */
static struct crl_index *build(const char *names, const char *issuers)
{
    struct x509_slice crls[16];
    struct x509 certs[16];
    size_t count = 0, issuer_count = 0;
    char list[512], name[64], *save = NULL;
    snprintf(list, sizeof list, "%s", names);
    for (char *word = strtok_r(list, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        snprintf(name, sizeof name, "%s.crl", word);
        crls[count++] = pki_der(name);
    }
    snprintf(list, sizeof list, "%s", issuers);
    for (char *word = strtok_r(list, " ", &save); word; word = strtok_r(NULL, " ", &save))
        certs[issuer_count++] = *pki_cert(word);
    error[0] = warnings[0] = '\0';
    return crl_index_new(crls, count, certs, issuer_count, warn, NULL, error, sizeof error);
}

static enum crl_status look(const struct crl_index *index, const char *issuer, const char *cert)
{
    return crl_index_lookup(index, pki_cert(issuer), pki_cert(cert), PKI_NOW, NULL);
}

static void listed_and_not(void **state)
{
    (void)state;
    struct crl_hit hit;
    struct crl_index *index = build("root intermediate", "root intermediate");
    assert_non_null(index);
    assert_string_equal(warnings, "");
    assert_int_equal(look(index, "intermediate", "leaf"), CRL_GOOD);
    assert_int_equal(look(index, "root", "intermediate"), CRL_GOOD);
    assert_int_equal(look(index, "root", "intermediate_revoked"), CRL_REVOKED);
    assert_int_equal(
        crl_index_lookup(index, pki_cert("intermediate"), pki_cert("leaf_revoked"), PKI_NOW, &hit),
        CRL_REVOKED);
    assert_int_equal(hit.revoked_at, 1609459200); /* 2021-01-01 */
    assert_int_equal(hit.reason, 1);
    assert_int_equal(hit.this_update, 1577836800); /* 2020-01-01 */
    assert_int_equal(hit.next_update, 4733510400); /* 2120-01-01 */
    assert_int_equal(
        crl_index_lookup(index, pki_cert("intermediate"), pki_cert("leaf_by_rsa"), PKI_NOW, &hit),
        CRL_REVOKED);
    assert_int_equal(hit.reason, -1);
    struct crl_stats stats = crl_index_stats(index);
    assert_int_equal(stats.lists, 2);
    assert_int_equal(stats.entries, 3);
    assert_int_equal(stats.next_update, 4733510400);
    assert_true(stats.bytes > 100 && stats.bytes < 4096);
    crl_index_free(index);
    pki_free_all();
}

/* The same serial under another issuer is another certificate; an issuer without a CRL is only missing. */
static void issuers_are_apart(void **state)
{
    (void)state;
    struct crl_index *index = build("intermediate", "root intermediate");
    assert_int_equal(look(index, "root", "leaf_revoked"), CRL_MISSING);
    assert_int_equal(look(index, "root2", "leaf_root2"), CRL_MISSING);
    assert_int_equal(look(index, "intermediate", "leaf_revoked"), CRL_REVOKED);
    crl_index_free(index);
    assert_int_equal(look(NULL, "intermediate", "leaf_revoked"), CRL_MISSING);
    assert_int_equal(crl_index_stats(NULL).lists, 0);
    pki_free_all();
}

/* An intermediate that only peers send: its CRL is checked when it comes. */
static void issuer_not_at_hand(void **state)
{
    (void)state;
    struct crl_index *index = build("intermediate", "root");
    assert_non_null(index);
    assert_string_equal(warnings, "the CRL of CN=intermediate,O=Outrider waits for its issuer's certificate, "
                                  "which is not in the CA bundle\n");
    assert_int_equal(look(index, "intermediate", "leaf_revoked"), CRL_REVOKED);
    assert_int_equal(look(index, "intermediate", "leaf"), CRL_GOOD);
    assert_int_equal(look(index, "intermediate_cross", "leaf"), CRL_GOOD);
    assert_int_equal(look(index, "intermediate_impostor", "leaf_revoked"), CRL_MISSING);
    crl_index_free(index);
    /* Without a key identifier the signature alone tells them apart. */
    index = build("intermediate_plain intermediate_forged", "root");
    assert_int_equal(look(index, "intermediate", "leaf"), CRL_GOOD);
    assert_int_equal(look(index, "intermediate", "leaf_revoked"), CRL_REVOKED);
    assert_int_equal(look(index, "intermediate_impostor", "leaf"), CRL_REVOKED);
    assert_int_equal(look(index, "intermediate_impostor", "leaf_revoked"), CRL_GOOD);
    crl_index_free(index);
    /* RSA, and Ed25519, which needs the whole list for its check. */
    index = build("root_rsa root_ed25519", "root");
    assert_int_equal(look(index, "root_rsa", "leaf_by_rsa"), CRL_REVOKED);
    assert_int_equal(look(index, "root_rsa", "leaf_by_rsa_pss"), CRL_GOOD);
    assert_int_equal(look(index, "root_ed25519", "leaf_by_ed25519"), CRL_REVOKED);
    crl_index_free(index);
    pki_free_all();
}

static void all_algorithms(void **state)
{
    (void)state;
    struct crl_index *index = build("root_rsa root_ed25519 root2", "root_rsa root_ed25519 root2");
    assert_non_null(index);
    assert_int_equal(look(index, "root_rsa", "leaf_by_rsa"), CRL_REVOKED);
    assert_int_equal(look(index, "root_ed25519", "leaf_by_ed25519"), CRL_REVOKED);
    assert_int_equal(look(index, "root2", "leaf_root2"), CRL_GOOD);
    crl_index_free(index);
    pki_free_all();
}

static void same_key_renewed(void **state)
{
    (void)state;
    struct crl_index *index = build("root", "root");
    assert_int_equal(look(index, "root_renewed", "intermediate_revoked"), CRL_REVOKED);
    assert_int_equal(look(index, "root_by_root2", "intermediate_revoked"), CRL_REVOKED);
    assert_int_equal(look(index, "root_by_root2", "intermediate"), CRL_GOOD);
    crl_index_free(index);
    pki_free_all();
}

/* A CA with a new key: its new CRL also revokes what the old key signed, but says nothing good of it. */
static void same_name_new_key(void **state)
{
    (void)state;
    struct crl_index *index = build("intermediate_impostor", "intermediate intermediate_impostor");
    assert_non_null(index);
    assert_int_equal(look(index, "intermediate", "leaf"), CRL_REVOKED);
    assert_int_equal(look(index, "intermediate", "leaf_client"), CRL_MISSING);
    assert_int_equal(look(index, "intermediate_impostor", "leaf_client"), CRL_GOOD);
    crl_index_free(index);
    pki_free_all();
}

static void wrong_signatures(void **state)
{
    (void)state;
    assert_null(build("intermediate_forged", "root intermediate"));
    assert_string_equal(error, "the signature is wrong (CRL of CN=intermediate,O=Outrider)");
    assert_null(build("root intermediate_forged", "root intermediate"));
    assert_null(build("intermediate_sha1", "intermediate"));
    assert_non_null(strstr(error, "weak"));
    assert_null(build("intermediate_sha1", "root"));
    assert_non_null(strstr(error, "weak"));
    /* A list altered by one octet, the identifier of the key being right. */
    struct x509_slice der = pki_der("intermediate.crl");
    uint8_t *copy = pki_keep(malloc(der.size));
    memcpy(copy, der.data, der.size);
    struct crl crl;
    assert_null(crl_parse(copy, der.size, &crl));
    copy[crl.entries.data - copy + 5] ^= 1; /* in the first serial number */
    assert_null(crl_index_new(&(struct x509_slice){copy, der.size}, 1, pki_cert("intermediate"), 1, NULL,
                              NULL, error, sizeof error));
    assert_non_null(strstr(error, "signature is wrong"));
    pki_free_all();
}

static void issuer_may_not_sign(void **state)
{
    (void)state;
    struct x509 issuer = *pki_cert("intermediate");
    struct x509_slice der = pki_der("intermediate.crl");
    issuer.key_usage &= ~(unsigned)X509_KU_CRL_SIGN;
    assert_null(crl_index_new(&der, 1, &issuer, 1, NULL, NULL, error, sizeof error));
    assert_non_null(strstr(error, "key usage"));
    struct crl_index *index = crl_index_new(&der, 1, NULL, 0, NULL, NULL, error, sizeof error);
    assert_int_equal(crl_index_lookup(index, &issuer, pki_cert("leaf_revoked"), PKI_NOW, NULL), CRL_MISSING);
    crl_index_free(index);
    pki_free_all();
}

static void expired_and_future(void **state)
{
    (void)state;
    struct crl_hit hit;
    struct crl_index *index = build("intermediate_expired", "intermediate");
    assert_int_equal(crl_index_lookup(index, pki_cert("intermediate"), pki_cert("leaf"), PKI_NOW, &hit),
                     CRL_EXPIRED);
    assert_int_equal(hit.next_update, 1609459200);
    assert_int_equal(look(index, "intermediate", "leaf_revoked"), CRL_REVOKED);
    /* To the second. */
    assert_int_equal(crl_index_lookup(index, pki_cert("intermediate"), pki_cert("leaf"), 1609459199, NULL),
                     CRL_GOOD);
    assert_int_equal(crl_index_lookup(index, pki_cert("intermediate"), pki_cert("leaf"), 1609459200, NULL),
                     CRL_EXPIRED);
    crl_index_free(index);
    index = build("intermediate_future", "intermediate");
    assert_int_equal(look(index, "intermediate", "leaf"), CRL_EXPIRED);
    assert_int_equal(look(index, "intermediate", "leaf_revoked"), CRL_REVOKED);
    crl_index_free(index);
    pki_free_all();
}

static void newest_counts(void **state)
{
    (void)state;
    struct crl_hit hit;
    /* The same date: both count. */
    struct crl_index *index = build("intermediate intermediate_newer", "intermediate");
    assert_int_equal(crl_index_stats(index).lists, 2);
    assert_int_equal(look(index, "intermediate", "leaf_client"), CRL_REVOKED);
    assert_int_equal(look(index, "intermediate", "leaf_by_rsa"), CRL_REVOKED);
    crl_index_free(index);
    /* A later one supersedes, in any order, and so does a copy. */
    static const char *const orders[] = {"intermediate intermediate_future",
                                         "intermediate_future intermediate",
                                         "intermediate intermediate_future intermediate_future",
                                         /* One names its key, the other does not. */
                                         "intermediate_plain intermediate_future"};
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        index = build(orders[i], "intermediate");
        assert_int_equal(crl_index_stats(index).lists, 1);
        assert_non_null(strstr(warnings, "CRL of CN=intermediate,O=Outrider is left out"));
        assert_int_equal(
            crl_index_lookup(index, pki_cert("intermediate"), pki_cert("leaf_revoked"), PKI_NOW, &hit),
            CRL_REVOKED);
        assert_int_equal(hit.this_update, 4417977600);
        assert_int_equal(look(index, "intermediate", "leaf_by_rsa"), CRL_EXPIRED);
        crl_index_free(index);
    }
    pki_free_all();
}

static void kinds_left_out(void **state)
{
    (void)state;
    struct crl_index *index = build("intermediate_delta intermediate_indirect", "intermediate");
    assert_non_null(index);
    assert_int_equal(crl_index_stats(index).lists, 0);
    assert_non_null(strstr(warnings, "delta"));
    assert_non_null(strstr(warnings, "indirect"));
    assert_int_equal(look(index, "intermediate", "leaf"), CRL_MISSING);
    crl_index_free(index);
    assert_null(build("intermediate_unknown", "intermediate"));
    assert_non_null(strstr(error, "unknown critical extension"));
    /* One that speaks of no CA. */
    index = build("intermediate_users", "intermediate");
    assert_int_equal(look(index, "intermediate", "leaf_revoked"), CRL_REVOKED);
    assert_int_equal(look(index, "intermediate", "leaf"), CRL_GOOD);
    assert_int_equal(look(index, "intermediate", "intermediate_deep2"), CRL_MISSING);
    crl_index_free(index);
    index = build("intermediate_empty", "intermediate");
    assert_int_equal(look(index, "intermediate", "leaf"), CRL_GOOD);
    crl_index_free(index);
    pki_free_all();
}

static void malformed(void **state)
{
    (void)state;
    struct x509_slice der = pki_der("intermediate.crl");
    uint8_t *copy = pki_keep(malloc(der.size + 1));
    struct crl_index *index;
    for (size_t size = 0; size < der.size; size++) {
        memcpy(copy, der.data, size);
        struct x509_slice cut = {copy, size};
        assert_null(crl_index_new(&cut, 1, NULL, 0, NULL, NULL, error, sizeof error));
    }
    memcpy(copy, der.data, der.size);
    copy[der.size] = 0;
    struct x509_slice longer = {copy, der.size + 1};
    assert_null(crl_index_new(&longer, 1, NULL, 0, NULL, NULL, error, sizeof error));
    /* Any single bit: no crash, and by the issuer's key never a different answer. */
    for (size_t at = 0; at < der.size; at++) {
        memcpy(copy, der.data, der.size);
        copy[at] ^= 0x10;
        struct x509_slice odd = {copy, der.size};
        index = crl_index_new(&odd, 1, NULL, 0, NULL, NULL, error, sizeof error);
        if (index)
            assert_int_equal(look(index, "intermediate", "leaf_revoked"), CRL_MISSING);
        crl_index_free(index);
    }
    der = pki_der("leaf");
    assert_null(crl_index_new(&der, 1, NULL, 0, NULL, NULL, error, sizeof error));
    pki_free_all();
}

/* --- large lists, made here --- */

struct out {
    uint8_t *data;
    size_t size;
};

static void put(struct out *out, const void *data, size_t size)
{
    memcpy(out->data + out->size, data, size);
    out->size += size;
}

/* Puts a header before what was written since FROM. */
static void wrap(struct out *out, size_t from, uint8_t tag)
{
    size_t length = out->size - from, octets = 0;
    uint8_t header[6] = {tag, (uint8_t)length};
    if (length >= 0x80) {
        while (length >> 8 * octets)
            octets++;
        header[1] = (uint8_t)(0x80 | octets);
        for (size_t i = 0; i < octets; i++)
            header[2 + i] = (uint8_t)(length >> 8 * (octets - 1 - i));
    }
    size_t size = 2 + octets;
    memmove(out->data + from + size, out->data + from, length);
    memcpy(out->data + from, header, size);
    out->size += size;
}

/* A spread 17-octet serial for I. */
static void serial_of(uint32_t i, uint8_t serial[17])
{
    memset(serial, 0x55, 17);
    for (int k = 0; k < 4; k++)
        serial[13 + k] = (uint8_t)(i >> (24 - 8 * k));
    serial[4] = (uint8_t)(i * 7);
}

static void sign(struct out *out, size_t tbs_size)
{
    static const uint8_t algorithm[] = "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
    struct x509_slice der = pki_der("intermediate.key");
    uint8_t digest[32], signature[128] = {0};
    word32 at = 0, length = sizeof signature - 1;
    ecc_key key;
    WC_RNG rng;
    wc_InitRng(&rng);
    wc_ecc_init(&key);
    wc_ecc_set_rng(&key, &rng);
    wc_Sha256Hash(out->data, (word32)tbs_size, digest);
    assert_int_equal(wc_EccPrivateKeyDecode(der.data, &at, &key, (word32)der.size), 0);
    assert_int_equal(wc_ecc_sign_hash(digest, 32, signature + 1, &length, &rng, &key), 0);
    put(out, algorithm, 12);
    size_t from = out->size;
    put(out, signature, length + 1);
    wrap(out, from, 0x03);
    wc_ecc_free(&key);
    wc_FreeRng(&rng);
}

static struct x509_slice large(uint32_t entries)
{
    static const uint8_t head[] = "\x02\x01\x01\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
    static const uint8_t times[] = "\x17\x0d"
                                   "200101000000Z"
                                   "\x17\x0d"
                                   "490101000000Z";
    const struct x509 *issuer = pki_cert("intermediate");
    struct out out = {pki_keep(malloc((size_t)entries * 40 + 1024)), 0};
    put(&out, head, 15);
    put(&out, issuer->subject.data, issuer->subject.size);
    put(&out, times, 30);
    size_t from = out.size;
    for (uint32_t i = 0; i < entries; i++) {
        uint8_t serial[17];
        serial_of(i, serial);
        put(&out, "\x30\x22\x02\x11", 4);
        put(&out, serial, 17);
        put(&out,
            "\x17\x0d"
            "240101000000Z",
            15);
    }
    wrap(&out, from, 0x30);
    wrap(&out, 0, 0x30);
    sign(&out, out.size);
    wrap(&out, 0, 0x30);
    return (struct x509_slice){out.data, out.size};
}

static void hundred_thousand(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    struct x509_slice der = large(COUNT);
    const struct x509 *issuer = pki_cert("intermediate");
    struct crl_index *index = crl_index_new(&der, 1, issuer, 1, NULL, NULL, error, sizeof error);
    if (!index)
        fail_msg("%s", error);
    struct crl_stats stats = crl_index_stats(index);
    assert_int_equal(stats.entries, COUNT);
    assert_true(stats.bytes > COUNT * 30 && stats.bytes < COUNT * 56);
    struct x509 cert = *pki_cert("leaf");
    uint8_t serial[17];
    cert.serial = (struct x509_slice){serial, sizeof serial};
    for (uint32_t i = 0; i < COUNT; i++) {
        serial_of(i, serial);
        assert_int_equal(crl_index_lookup(index, issuer, &cert, PKI_NOW, NULL), CRL_REVOKED);
        serial[0] ^= 1;
        assert_int_equal(crl_index_lookup(index, issuer, &cert, PKI_NOW, NULL), CRL_GOOD);
    }
    serial_of(7, serial);
    cert.serial_negative = true;
    assert_int_equal(crl_index_lookup(index, issuer, &cert, PKI_NOW, NULL), CRL_GOOD);
    cert.serial_negative = false;
    cert.serial.size = 16;
    assert_int_equal(crl_index_lookup(index, issuer, &cert, PKI_NOW, NULL), CRL_GOOD);
    crl_index_free(index);
    pki_free_all();
}

static void too_many(void **state)
{
    (void)state;
    /* Within the limit of octets only in sum: entries of all lists together are bounded. */
    struct x509_slice half = large(CRL_ENTRIES_MAX / 2), rest = large(CRL_ENTRIES_MAX / 2 + 1);
    struct x509_slice both[2] = {half, rest};
    assert_null(crl_index_new(both, 2, pki_cert("intermediate"), 1, NULL, NULL, error, sizeof error));
    assert_non_null(strstr(error, "too many entries"));
    struct x509_slice huge = {half.data, CRL_BYTES_MAX + 1};
    assert_null(crl_index_new(&huge, 1, NULL, 0, NULL, NULL, error, sizeof error));
    assert_string_equal(error, "too large");
    struct x509_slice *many = pki_keep(calloc(CRL_LISTS_MAX + 1, sizeof *many));
    assert_null(crl_index_new(many, CRL_LISTS_MAX + 1, NULL, 0, NULL, NULL, error, sizeof error));
    assert_string_equal(error, "too many CRLs");
    pki_free_all();
}

static void reasons(void **state)
{
    (void)state;
    assert_string_equal(crl_reason_name(-1), "unspecified");
    assert_string_equal(crl_reason_name(0), "unspecified");
    assert_string_equal(crl_reason_name(1), "keyCompromise");
    assert_string_equal(crl_reason_name(10), "aACompromise");
    assert_string_equal(crl_reason_name(7), "unknown");
    assert_string_equal(crl_reason_name(11), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listed_and_not),
        cmocka_unit_test(issuers_are_apart),
        cmocka_unit_test(issuer_not_at_hand),
        cmocka_unit_test(all_algorithms),
        cmocka_unit_test(same_key_renewed),
        cmocka_unit_test(same_name_new_key),
        cmocka_unit_test(wrong_signatures),
        cmocka_unit_test(issuer_may_not_sign),
        cmocka_unit_test(expired_and_future),
        cmocka_unit_test(newest_counts),
        cmocka_unit_test(kinds_left_out),
        cmocka_unit_test(malformed),
        cmocka_unit_test(hundred_thousand),
        cmocka_unit_test(too_many),
        cmocka_unit_test(reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
