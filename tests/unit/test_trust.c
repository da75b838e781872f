/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The judge. Certificates are named: files of tests/unit/data/pki, or what a test made itself with make();
 * bundles and chains are lists of names.
 */
#include <string.h>

#include "pki.h"
#include "make_cert.h"
#include "certrotate/crl.h"
#include "sidecar/tls/trust.h"

enum { MADE_MAX = 80 };

struct made {
    char name[24];
    struct x509_slice der;
};

static struct made made[MADE_MAX];
static size_t made_count;

static struct x509_slice make(const char *name, struct make_cert plan)
{
    assert_true(made_count < MADE_MAX);
    struct made *m = &made[made_count++];
    snprintf(m->name, sizeof m->name, "%s", name);
    m->der = make_cert(&plan);
    return m->der;
}

static int clean(void **state)
{
    (void)state;
    while (made_count > 0)
        free((void *)(uintptr_t)made[--made_count].der.data);
    pki_free_all();
    return 0;
}

static struct x509_slice cert(const char *name)
{
    for (size_t i = 0; i < made_count; i++)
        if (strcmp(made[i].name, name) == 0)
            return made[i].der;
    return pki_der(name);
}

static size_t certs(const char *names, struct x509_slice *out, size_t max)
{
    char *copy = strdup(names), *save = NULL;
    size_t n = 0;
    for (char *name = strtok_r(copy, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
        assert_true(n < max);
        out[n++] = cert(name);
    }
    free(copy);
    return n;
}

static struct tls_trust *trust_of(const char *roots, const struct tls_trust_options *options)
{
    struct x509_slice list[64];
    char error[200] = "";
    size_t n = certs(roots, list, 64);
    struct tls_trust *trust = tls_trust_new(list, n, options, error, sizeof error);
    if (!trust)
        fail_msg("%s: %s", roots, error);
    return trust;
}

static struct tls_verdict judge_by(const struct tls_trust *trust, const char *chain, enum tls_purpose purpose,
                                   int64_t now)
{
    struct x509_slice list[TLS_CHAIN_MAX + 4];
    size_t n = certs(chain, list, TLS_CHAIN_MAX + 4);
    struct tls_verdict v = tls_judge(trust, list, n, purpose, now);
    assert_int_equal(v.generation, tls_trust_generation(trust));
    assert_true(strlen(v.words) > 0);
    assert_true(v.status != TLS_TRUSTED || v.recheck_at > now);
    assert_true(!v.revoked_leaf || v.status == TLS_REVOKED);
    return v;
}

static struct tls_verdict judge_at(const char *roots, const char *chain, enum tls_purpose purpose,
                                   int64_t now)
{
    struct tls_trust *trust = trust_of(roots, NULL);
    struct tls_verdict v = judge_by(trust, chain, purpose, now);
    tls_trust_unref(trust);
    return v;
}

static struct tls_verdict judge(const char *roots, const char *chain)
{
    return judge_at(roots, chain, TLS_PURPOSE_CLIENT, PKI_NOW);
}

static void expect(const char *roots, const char *chain, enum tls_status status)
{
    struct tls_verdict v = judge(roots, chain);
    if (v.status != status)
        fail_msg("[%s] | %s: %s instead of %s: %s", roots, chain, tls_status_name(v.status),
                 tls_status_name(status), v.words);
}

static void expect_words(const char *roots, const char *chain, enum tls_status status, unsigned depth,
                         const char *words)
{
    struct tls_verdict v = judge(roots, chain);
    expect(roots, chain, status);
    assert_int_equal(v.depth, depth);
    assert_string_equal(v.words, words);
}

#define CA .ca = true, .key_usage = X509_KU_KEY_CERT_SIGN

/* --- whole chains of the test PKI
 * --------------------------------------------------------------------------- */

static void test_trusted(void **state)
{
    (void)state;
    expect_words("root", "leaf intermediate", TLS_TRUSTED, 2, "trusted by CN=root,O=Outrider");
    expect_words("root", "leaf_direct", TLS_TRUSTED, 1, "trusted by CN=root,O=Outrider");
    static const char *const chains[][2] = {
        {"root", "leaf_client intermediate"},
        {"root", "leaf_noeku intermediate"},
        {"root", "leaf_nosan intermediate"},
        {"root", "leaf_rsa2048 intermediate"},
        {"root", "leaf_p384 intermediate"},
        {"root", "leaf_p521 intermediate"},
        {"root", "leaf_ed25519 intermediate"},
        {"root", "leaf_by_deep3 intermediate_deep3 intermediate_deep2 intermediate"},
        {"root", "leaf_by_deep3 intermediate intermediate_deep2 intermediate_deep3"},
        {"root", "leaf_nc_good intermediate_constrained"},
        {"root_rsa", "leaf_by_rsa"},
        {"root_rsa", "leaf_by_rsa_sha384"},
        {"root_rsa", "leaf_by_rsa_sha512"},
        {"root_rsa", "leaf_by_rsa_pss"},
        {"root_rsa", "leaf_by_rsa_pss384"},
        {"root_rsa", "leaf_by_rsa_pss512"},
        {"root_p384", "leaf_by_p384"},
        {"root_p521", "leaf_by_p521"},
        {"root_ed25519", "leaf_by_ed25519"},
    };
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++)
        expect(chains[i][0], chains[i][1], TLS_TRUSTED);
}

static void test_nothing_presented(void **state)
{
    (void)state;
    expect_words("root", "", TLS_NONE_PRESENTED, 0, "no certificate presented");
}

static void test_issuer_unknown(void **state)
{
    (void)state;
    expect_words("root", "leaf", TLS_ISSUER_UNKNOWN, 0,
                 "issuer not trusted: CN=intermediate,O=Outrider is not in the CA bundle");
    expect_words("root2", "leaf intermediate", TLS_ISSUER_UNKNOWN, 1,
                 "issuer not trusted: CN=root,O=Outrider is not in the CA bundle");
    expect_words("root2", "leaf intermediate root", TLS_ISSUER_UNKNOWN, 2,
                 "issuer not trusted: CN=root,O=Outrider is not in the CA bundle");
    /* A lone stranger, and nobody at all to trust. */
    expect_words("root", "leaf_self", TLS_ISSUER_UNKNOWN, 0,
                 "issuer not trusted: CN=leaf_self,O=Outrider is not in the CA bundle");
    expect("", "leaf intermediate root", TLS_ISSUER_UNKNOWN);
}

static void test_malformed(void **state)
{
    (void)state;
    struct tls_trust *trust = trust_of("root", NULL);
    struct x509_slice chain[4] = {cert("leaf"), {(const uint8_t *)"\x30\x03zzz", 5}, cert("intermediate")};
    struct tls_verdict v = tls_judge(trust, chain, 3, TLS_PURPOSE_CLIENT, PKI_NOW);
    /* What is not needed need not be a certificate. */
    assert_int_equal(v.status, TLS_TRUSTED);
    v = tls_judge(trust, chain, 2, TLS_PURPOSE_CLIENT, PKI_NOW);
    assert_int_equal(v.status, TLS_MALFORMED);
    assert_int_equal(v.depth, 1);
    assert_non_null(strstr(v.words, "certificate 2 of the chain is malformed: "));
    chain[0] = chain[1];
    v = tls_judge(trust, chain, 3, TLS_PURPOSE_CLIENT, PKI_NOW);
    assert_int_equal(v.status, TLS_MALFORMED);
    assert_int_equal(v.depth, 0);
    chain[0] = (struct x509_slice){NULL, 0};
    v = tls_judge(trust, chain, 3, TLS_PURPOSE_CLIENT, PKI_NOW);
    assert_int_equal(v.status, TLS_MALFORMED);
    tls_trust_unref(trust);
}

static void test_validity(void **state)
{
    (void)state;
    expect_words("root", "leaf_expired intermediate", TLS_EXPIRED, 0,
                 "certificate expired 1826 days ago (2021-01-01 00:00:00 GMT): CN=leaf_expired,O=Outrider");
    expect_words(
        "root", "leaf_by_expired intermediate_expired", TLS_EXPIRED, 1,
        "CA certificate expired 1826 days ago (2021-01-01 00:00:00 GMT): CN=intermediate_expired,O=Outrider");
    expect_words(
        "root_expired", "leaf_by_root_expired", TLS_EXPIRED, 1,
        "CA certificate expired 1826 days ago (2021-01-01 00:00:00 GMT): CN=root_expired,O=Outrider");
    expect_words("root", "leaf_future intermediate", TLS_NOT_YET_VALID, 0,
                 "certificate becomes valid only in 30680 days (2110-01-01 00:00:00 GMT): "
                 "CN=leaf_future,O=Outrider");
    /* To the second, both ends included (RFC 5280 section 4.1.2.5). */
    struct x509 *expired = pki_cert("leaf_expired");
    const char *chain = "leaf_expired intermediate";
    assert_int_equal(judge_at("root", chain, 0, expired->not_before - 1).status, TLS_NOT_YET_VALID);
    assert_int_equal(judge_at("root", chain, 0, expired->not_before).status, TLS_TRUSTED);
    assert_int_equal(judge_at("root", chain, 0, expired->not_after).status, TLS_TRUSTED);
    struct tls_verdict v = judge_at("root", chain, 0, expired->not_after + 1);
    assert_int_equal(v.status, TLS_EXPIRED);
    assert_non_null(strstr(v.words, "expired 1 second ago"));
    v = judge_at("root", chain, 0, expired->not_after + 2 * 3600);
    assert_non_null(strstr(v.words, "expired 2 hours ago"));
}

static void test_recheck(void **state)
{
    (void)state;
    /* Trusted: until the first certificate of the path ends, unrelated ones left aside. */
    struct x509 *expired = pki_cert("leaf_expired");
    struct tls_verdict v = judge_at("root", "leaf_expired intermediate", 0, expired->not_after - 5);
    assert_int_equal(v.status, TLS_TRUSTED);
    assert_int_equal(v.recheck_at, expired->not_after + 1);
    v = judge_at("root", "leaf intermediate leaf_expired", 0, expired->not_after - 5);
    assert_int_equal(v.recheck_at, pki_cert("leaf")->not_after + 1);
    /* Not valid yet: when it will be. */
    v = judge("root", "leaf_future intermediate");
    assert_int_equal(v.recheck_at, pki_cert("leaf_future")->not_before);
    /* Refused for good. */
    v = judge_at("root", "leaf_self", 0, pki_cert("leaf_self")->not_after + 1);
    assert_int_equal(v.recheck_at, INT64_MAX);
}

static void test_usage(void **state)
{
    (void)state;
    expect_words("root", "leaf_codesign intermediate", TLS_WRONG_USAGE, 0,
                 "certificate not for clients (extended key usage): CN=leaf_codesign,O=Outrider");
    expect("root", "leaf_server intermediate", TLS_WRONG_USAGE);
    expect_words("root", "leaf_encipher intermediate", TLS_WRONG_USAGE, 0,
                 "certificate whose key usage lacks digitalSignature: CN=leaf_encipher,O=Outrider");
    static const struct {
        const char *leaf;
        enum tls_status client, server;
    } leaves[] = {
        {"leaf", TLS_TRUSTED, TLS_TRUSTED},
        {"leaf_noeku", TLS_TRUSTED, TLS_TRUSTED},
        {"leaf_client", TLS_TRUSTED, TLS_WRONG_USAGE},
        {"leaf_server", TLS_WRONG_USAGE, TLS_TRUSTED},
        {"leaf_codesign", TLS_WRONG_USAGE, TLS_WRONG_USAGE},
    };
    for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++) {
        char chain[80];
        snprintf(chain, sizeof chain, "%s intermediate", leaves[i].leaf);
        assert_int_equal(judge_at("root", chain, TLS_PURPOSE_CLIENT, PKI_NOW).status, leaves[i].client);
        assert_int_equal(judge_at("root", chain, TLS_PURPOSE_SERVER, PKI_NOW).status, leaves[i].server);
    }
}

static void test_usage_of_issuers(void **state)
{
    (void)state;
    make("R", (struct make_cert){.subject = "CN=R", .key = 1, CA});
    make("S", (struct make_cert){
                  .subject = "CN=S", .issuer = "CN=R", .key = 2, .by = 1, CA, .eku = X509_EKU_SERVER_AUTH});
    make("A", (struct make_cert){.subject = "CN=A",
                                 .issuer = "CN=R",
                                 .key = 3,
                                 .by = 1,
                                 CA,
                                 .eku = X509_EKU_SERVER_AUTH | X509_EKU_ANY});
    make("by_s", (struct make_cert){.subject = "CN=l", .issuer = "CN=S", .key = 4, .by = 2});
    make("by_a", (struct make_cert){.subject = "CN=l", .issuer = "CN=A", .key = 4, .by = 3});
    expect_words("R", "by_s S", TLS_WRONG_USAGE, 1,
                 "CA certificate not for clients (extended key usage): CN=S");
    assert_int_equal(judge_at("R", "by_s S", TLS_PURPOSE_SERVER, PKI_NOW).status, TLS_TRUSTED);
    expect("R", "by_a A", TLS_TRUSTED);
    /* As a trust anchor, too. */
    expect("S", "by_s", TLS_WRONG_USAGE);
    /* A leaf may say anything but what it is used for. */
    make("other",
         (struct make_cert){.subject = "CN=l", .issuer = "CN=R", .key = 4, .by = 1, .eku = X509_EKU_OTHER});
    make("any",
         (struct make_cert){
             .subject = "CN=l", .issuer = "CN=R", .key = 4, .by = 1, .eku = X509_EKU_OTHER | X509_EKU_ANY});
    expect("R", "other", TLS_WRONG_USAGE);
    expect("R", "any", TLS_TRUSTED);
}

static void test_unknown_critical(void **state)
{
    (void)state;
    expect_words("root", "leaf_critical intermediate", TLS_UNKNOWN_CRITICAL, 0,
                 "unknown critical extension in CN=leaf_critical,O=Outrider");
    make("R", (struct make_cert){.subject = "CN=R", .key = 1, CA, .unknown_critical = true});
    make("l", (struct make_cert){.subject = "CN=l", .issuer = "CN=R", .key = 4, .by = 1});
    expect("R", "l", TLS_UNKNOWN_CRITICAL);
}

static void test_weak(void **state)
{
    (void)state;
    expect_words("root", "leaf_rsa1024 intermediate", TLS_WEAK, 0,
                 "certificate has an RSA key of 1024 bits (2048 to 4096 are accepted): "
                 "CN=leaf_rsa1024,O=Outrider");
    expect("root", "leaf_k256 intermediate", TLS_WEAK);
    expect_words("root", "leaf_sha1 intermediate", TLS_WEAK, 0,
                 "certificate has a signature with a weak hash (SHA-1, MD5 or MD2): CN=leaf_sha1,O=Outrider");
    expect("root_rsa", "leaf_by_rsa_sha1", TLS_WEAK);
    expect("root_rsa", "leaf_by_rsa_pss_sha1", TLS_WEAK);
    /* A root's own signature says nothing: only its key counts. */
    make("R", (struct make_cert){.subject = "CN=R", .key = 1, CA, .sha1 = true});
    make("l", (struct make_cert){.subject = "CN=l", .issuer = "CN=R", .key = 4, .by = 1});
    expect("R", "l", TLS_TRUSTED);
}

static void test_bad_signature(void **state)
{
    (void)state;
    expect_words(
        "root", "leaf_by_impostor", TLS_BAD_SIGNATURE, 0,
        "signature is not by the CN=root,O=Outrider that is at hand: CN=leaf_by_impostor,O=Outrider");
    expect("root", "leaf_by_impostor root_impostor", TLS_BAD_SIGNATURE);
    expect("root", "leaf intermediate_impostor", TLS_BAD_SIGNATURE);
    make("R", (struct make_cert){.subject = "CN=R", .key = 1, CA});
    make("l",
         (struct make_cert){.subject = "CN=l", .issuer = "CN=R", .key = 4, .by = 1, .bad_signature = true});
    expect("R", "l", TLS_BAD_SIGNATURE);
}

/* --- who may issue
 * ------------------------------------------------------------------------------------------ */

static void test_evil_intermediate_without_ca(void **state)
{
    (void)state;
    expect_words("root", "leaf_by_leaf leaf intermediate", TLS_NOT_A_CA, 1,
                 "issued by a certificate that is not a CA's: CN=leaf,O=Outrider");
    expect_words("root", "leaf_by_nosign intermediate_nosign", TLS_NOT_A_CA, 1,
                 "issued by a CA whose key usage lacks keyCertSign: CN=intermediate_nosign,O=Outrider");
    /* No basicConstraints at all, although keyCertSign is there; and as a root. */
    make("R", (struct make_cert){.subject = "CN=R", .key = 1, .key_usage = X509_KU_KEY_CERT_SIGN});
    make("l", (struct make_cert){.subject = "CN=l", .issuer = "CN=R", .key = 4, .by = 1});
    expect("R", "l", TLS_NOT_A_CA);
    make("Q", (struct make_cert){.subject = "CN=Q", .key = 2, .ca = true});
    make("m", (struct make_cert){.subject = "CN=m", .issuer = "CN=Q", .key = 4, .by = 2});
    expect("Q", "m", TLS_TRUSTED);
}

static void test_path_length_constraint(void **state)
{
    (void)state;
    expect_words("root", "leaf_by_below intermediate_below intermediate_pathlen0", TLS_PATH_LENGTH, 2,
                 "1 intermediate CAs where 0 are allowed by CN=intermediate_pathlen0,O=Outrider");
    /* On the root; self-issued certificates are not counted (RFC 5280 section 6.1.4 (l)). */
    make("R", (struct make_cert){.subject = "CN=R", .key = 1, CA, .path_len = 1 + 1});
    make("R2", (struct make_cert){.subject = "CN=R", .issuer = "CN=R", .key = 2, .by = 1, CA});
    make("A", (struct make_cert){.subject = "CN=A", .issuer = "CN=R", .key = 3, .by = 2, CA});
    make("B", (struct make_cert){.subject = "CN=B", .issuer = "CN=A", .key = 4, .by = 3, CA});
    make("by_a", (struct make_cert){.subject = "CN=l", .issuer = "CN=A", .key = 5, .by = 3});
    make("by_b", (struct make_cert){.subject = "CN=l", .issuer = "CN=B", .key = 5, .by = 4});
    expect("R", "by_a A R2", TLS_TRUSTED);
    expect("R", "by_b B A R2", TLS_PATH_LENGTH);
    /* A CA at the end of a path is no intermediate. */
    make("Z", (struct make_cert){.subject = "CN=Z", .key = 6, CA, .path_len = 1});
    make("ca", (struct make_cert){.subject = "CN=c", .issuer = "CN=Z", .key = 7, .by = 6, .ca = true});
    expect("Z", "ca", TLS_TRUSTED);
}

/* c0 is self-signed, each next one is issued by the one before; the last is no CA. */
static void make_line(unsigned length)
{
    for (unsigned i = 0; i < length; i++) {
        char name[16], subject[16], issuer[16];
        snprintf(name, sizeof name, "c%u", i);
        snprintf(subject, sizeof subject, "CN=c%u", i);
        snprintf(issuer, sizeof issuer, "CN=c%u", i ? i - 1 : 0);
        make(name,
             (struct make_cert){
                 .subject = subject, .issuer = issuer, .key = i, .by = i ? i - 1 : 0, .ca = i + 1 < length});
    }
}

static void test_path_too_long(void **state)
{
    (void)state;
    make_line(9);
    expect("c1", "c8 c7 c6 c5 c4 c3 c2", TLS_TRUSTED);
    expect("c0", "c7 c6 c5 c4 c3 c2 c1", TLS_TRUSTED);
    expect("c0", "c8 c7 c6 c5 c4 c3 c2 c1", TLS_PATH_LENGTH);
    expect("c0", "c8 c1 c2 c3 c4 c5 c6 c7", TLS_PATH_LENGTH);
}

static void test_chain_too_long(void **state)
{
    (void)state;
    const char *sixteen =
        "leaf intermediate root root root root root root root root root root root root root root";
    char more[200];
    snprintf(more, sizeof more, "%s root", sixteen);
    expect("root", sixteen, TLS_TRUSTED);
    expect("root", more, TLS_TOO_LONG);
    make("R", (struct make_cert){.subject = "CN=R", .key = 1, CA});
    make("big", (struct make_cert){.subject = "CN=l", .issuer = "CN=R", .key = 4, .by = 1, .padding = 60000});
    make("huge",
         (struct make_cert){.subject = "CN=l", .issuer = "CN=R", .key = 4, .by = 1, .padding = 66000});
    expect("R", "big", TLS_TRUSTED);
    expect("R", "huge", TLS_TOO_LONG);
    expect("R", "big huge", TLS_TOO_LONG);
}

/* --- more than one path
 * ------------------------------------------------------------------------------------- */

static void test_any_order_and_strangers_do_no_harm(void **state)
{
    (void)state;
    expect("root", "leaf root intermediate", TLS_TRUSTED);
    expect("root", "leaf intermediate intermediate leaf leaf", TLS_TRUSTED);
    expect("root", "leaf root2 leaf_self intermediate root_rsa leaf_expired intermediate_revoked",
           TLS_TRUSTED);
    expect("root", "leaf intermediate_impostor intermediate root_impostor", TLS_TRUSTED);
    expect("root", "leaf root_impostor intermediate_impostor intermediate", TLS_TRUSTED);
    /* The leaf is the first one, whatever else is there. */
    expect("root", "leaf_self leaf intermediate", TLS_ISSUER_UNKNOWN);
    expect("root", "intermediate leaf", TLS_WRONG_USAGE);
}

static void test_extra_old_root_in_the_chain(void **state)
{
    (void)state;
    make("old", (struct make_cert){.subject = "CN=R", .key = 1, CA, .not_after = "20210101"});
    make("new", (struct make_cert){.subject = "CN=R", .key = 2, CA});
    make("new_by_old",
         (struct make_cert){
             .subject = "CN=R", .issuer = "CN=R", .key = 2, .by = 1, CA, .not_after = "20210101"});
    make("l", (struct make_cert){.subject = "CN=l", .issuer = "CN=R", .key = 4, .by = 2});
    expect("new", "l old", TLS_TRUSTED);
    expect("new", "l new_by_old old", TLS_TRUSTED);
    expect("new old", "l new_by_old old", TLS_TRUSTED);
    expect("new old new_by_old", "l", TLS_TRUSTED);
    /* Its own issuer is gone from the bundle: the old root alone verifies nothing any more. */
    expect("old", "l new_by_old", TLS_EXPIRED);
}

static void test_same_key_root_renewal(void **state)
{
    (void)state;
    expect("root_renewed", "leaf intermediate", TLS_TRUSTED);
    expect("root_renewed", "leaf intermediate root", TLS_TRUSTED);
    expect("root", "leaf intermediate root_renewed", TLS_TRUSTED);
    expect("root root_renewed", "leaf intermediate", TLS_TRUSTED);
    make("old",
         (struct make_cert){.subject = "CN=R", .key = 1, CA, .not_after = "20210101", .key_ids = true});
    make("new", (struct make_cert){.subject = "CN=R", .key = 1, CA, .serial = 77, .not_before = "20201201"});
    make("l", (struct make_cert){.subject = "CN=l", .issuer = "CN=R", .key = 4, .by = 1, .key_ids = true});
    expect("new", "l old", TLS_TRUSTED);
    expect("old new", "l", TLS_TRUSTED);
    expect("new old", "l old", TLS_TRUSTED);
    expect("old", "l new", TLS_EXPIRED);
}

static void test_cross_signed_intermediate(void **state)
{
    (void)state;
    expect("root2", "leaf intermediate_cross", TLS_TRUSTED);
    expect("root2", "leaf intermediate intermediate_cross", TLS_TRUSTED);
    expect("root", "leaf intermediate_cross intermediate", TLS_TRUSTED);
    expect("root", "leaf intermediate_cross", TLS_ISSUER_UNKNOWN);
    expect("root2", "leaf intermediate root_by_root2", TLS_TRUSTED);
    expect("root2 root_by_root2", "leaf intermediate", TLS_TRUSTED);
    expect("root", "leaf root_by_root2 intermediate root2 intermediate_cross", TLS_TRUSTED);
    assert_int_equal(judge("root2", "leaf intermediate root_by_root2").depth, 3);
}

static void test_same_named_roots(void **state)
{
    (void)state;
    expect("root root_impostor", "leaf intermediate", TLS_TRUSTED);
    expect("root_impostor root", "leaf intermediate", TLS_TRUSTED);
    expect("root root_impostor", "leaf_by_impostor", TLS_TRUSTED);
    expect("root_impostor", "leaf intermediate", TLS_BAD_SIGNATURE);
    /* Key identifiers only say what to try first: here they lie. */
    make("A", (struct make_cert){.subject = "CN=R", .key = 1, CA, .key_ids = true});
    make("B",
         (struct make_cert){.subject = "CN=R", .issuer = "CN=R", .key = 2, .by = 1, CA, .key_ids = true});
    make("l", (struct make_cert){.subject = "CN=l", .issuer = "CN=R", .key = 4, .by = 2});
    expect("A B", "l", TLS_TRUSTED);
    expect("B", "l", TLS_TRUSTED);
}

static void test_circles_end(void **state)
{
    (void)state;
    make("R", (struct make_cert){.subject = "CN=R", .key = 1, CA});
    make("AB", (struct make_cert){.subject = "CN=A", .issuer = "CN=B", .key = 2, .by = 3, CA});
    make("BA", (struct make_cert){.subject = "CN=B", .issuer = "CN=A", .key = 3, .by = 2, CA});
    make("AR", (struct make_cert){.subject = "CN=A", .issuer = "CN=R", .key = 2, .by = 1, CA});
    make("l", (struct make_cert){.subject = "CN=l", .issuer = "CN=A", .key = 4, .by = 2});
    expect("R", "l AB BA", TLS_ISSUER_UNKNOWN);
    expect("R", "l AB BA AR", TLS_TRUSTED);
}

/* The verdict on one peer is the same whoever was judged before. */
static void test_who_came_earlier_never_matters(void **state)
{
    (void)state;
    static const struct {
        const char *chain;
        enum tls_status status;
    } peers[] = {
        {"leaf intermediate", TLS_TRUSTED},
        {"leaf_by_leaf leaf intermediate", TLS_NOT_A_CA},
        {"leaf_by_leaf", TLS_ISSUER_UNKNOWN},
        {"leaf_by_leaf leaf", TLS_ISSUER_UNKNOWN},
        {"leaf", TLS_ISSUER_UNKNOWN},
        {"leaf_by_impostor root_impostor", TLS_BAD_SIGNATURE},
        {"leaf_root2 root2", TLS_ISSUER_UNKNOWN},
        {"leaf_self", TLS_ISSUER_UNKNOWN},
    };
    enum { COUNT = sizeof peers / sizeof *peers };
    struct tls_trust *trust = trust_of("root", NULL);
    for (size_t first = 0; first < COUNT; first++)
        for (size_t second = 0; second < COUNT; second++) {
            struct tls_verdict a = judge_by(trust, peers[first].chain, TLS_PURPOSE_CLIENT, PKI_NOW);
            struct tls_verdict b = judge_by(trust, peers[second].chain, TLS_PURPOSE_CLIENT, PKI_NOW);
            assert_int_equal(a.status, peers[first].status);
            assert_int_equal(b.status, peers[second].status);
        }
    tls_trust_unref(trust);
}

static void test_most_helpful_failure(void **state)
{
    (void)state;
    /* A path that reaches a root tells more than one that does not. */
    expect("root", "leaf_expired intermediate_impostor intermediate", TLS_EXPIRED);
    expect("root_expired root", "leaf_by_root_expired root", TLS_EXPIRED);
    make("R", (struct make_cert){.subject = "CN=R", .key = 1, CA});
    make("A", (struct make_cert){.subject = "CN=A", .issuer = "CN=R", .key = 2, .by = 1});
    make("B", (struct make_cert){.subject = "CN=A",
                                 .issuer = "CN=R",
                                 .key = 2,
                                 .by = 1,
                                 CA,
                                 .serial = 9,
                                 .not_after = "20210101"});
    make("l", (struct make_cert){.subject = "CN=l", .issuer = "CN=A", .key = 4, .by = 2});
    /* The CA:FALSE twin would say NOT_A_CA. */
    expect("R", "l A B", TLS_EXPIRED);
    expect("R", "l B A", TLS_EXPIRED);
    expect("R", "l A", TLS_NOT_A_CA);
}

/* --- what the bundle holds
 * ---------------------------------------------------------------------------------- */

static void test_leaf_in_the_bundle(void **state)
{
    (void)state;
    /* A self-signed peer that was put there on purpose. */
    expect_words("leaf_self", "leaf_self", TLS_TRUSTED, 0, "trusted by CN=leaf_self,O=Outrider");
    expect("root leaf_self", "leaf_self", TLS_TRUSTED);
    expect("root leaf_self", "leaf_self intermediate", TLS_TRUSTED);
    /* A CA's certificate is for signing others. */
    expect("root", "root", TLS_WRONG_USAGE);
    expect("root", "root leaf intermediate", TLS_WRONG_USAGE);
    /* It speaks for nobody else. */
    make("self", (struct make_cert){.subject = "CN=s", .key = 1});
    make("l", (struct make_cert){.subject = "CN=l", .issuer = "CN=s", .key = 2, .by = 1});
    expect("self", "self", TLS_TRUSTED);
    expect("self", "l", TLS_NOT_A_CA);
    /* Time and purpose count all the same. */
    assert_int_equal(judge_at("leaf_self", "leaf_self", 0, pki_cert("leaf_self")->not_after + 1).status,
                     TLS_EXPIRED);
    make("server", (struct make_cert){.subject = "CN=x", .key = 3, .eku = X509_EKU_SERVER_AUTH});
    expect("server", "server", TLS_WRONG_USAGE);
    /* Somebody else's certificate with the same name and key is not the one in the bundle. */
    make("twin", (struct make_cert){.subject = "CN=s", .key = 1, .serial = 99});
    expect("self", "twin", TLS_NOT_A_CA);
}

static void test_intermediate_in_the_bundle(void **state)
{
    (void)state;
    /* Alone it is a trust anchor; beside its root it only helps along. */
    assert_int_equal(judge("intermediate", "leaf").depth, 1);
    expect("intermediate", "leaf", TLS_TRUSTED);
    assert_int_equal(judge("intermediate root", "leaf").depth, 2);
    expect("intermediate root", "leaf", TLS_TRUSTED);
    expect("root intermediate", "leaf intermediate", TLS_TRUSTED);
    make("R", (struct make_cert){.subject = "CN=R", .key = 1, CA, .not_after = "20210101"});
    make("A", (struct make_cert){.subject = "CN=A", .issuer = "CN=R", .key = 2, .by = 1, CA});
    make("l", (struct make_cert){.subject = "CN=l", .issuer = "CN=A", .key = 4, .by = 2});
    expect("A R", "l", TLS_EXPIRED);
    expect("A", "l", TLS_TRUSTED);
    expect("A R", "A", TLS_EXPIRED);
}

/* --- bombs
 * -------------------------------------------------------------------------------------------------- */

static void test_signature_bomb(void **state)
{
    (void)state;
    /* Fifteen candidates of one name, each signed by the one before: 15 + 14 + 13 + ... signatures to look
     * at. */
    char chain[200] = "l";
    make("R", (struct make_cert){.subject = "CN=R", .key = 1, CA});
    make("l", (struct make_cert){.subject = "CN=l", .issuer = "CN=A", .key = 2, .by = 24});
    for (unsigned i = 0; i < 15; i++) {
        char name[16];
        snprintf(name, sizeof name, "b%u", i);
        make(name, (struct make_cert){.subject = "CN=A", .issuer = "CN=A", .key = 10 + i, .by = 9 + i, CA});
        strcat(strcat(chain, " "), name);
    }
    expect("R", chain, TLS_TOO_COMPLEX);
}

static void test_many_paths_bomb(void **state)
{
    (void)state;
    /* Three layers of five, each signed by all of the layer above: 125 paths and 5 + 25 + 25 signatures. */
    char chain[200] = "l";
    make("R", (struct make_cert){.subject = "CN=R", .key = 1, CA});
    make("l", (struct make_cert){.subject = "CN=l", .issuer = "CN=L0", .key = 2, .by = 10});
    for (unsigned layer = 0; layer < 3; layer++)
        for (unsigned i = 0; i < 5; i++) {
            char name[16], subject[16], issuer[16];
            snprintf(name, sizeof name, "n%u%u", layer, i);
            snprintf(subject, sizeof subject, "CN=L%u", layer);
            snprintf(issuer, sizeof issuer, "CN=L%u", layer + 1);
            make(name, (struct make_cert){.subject = subject,
                                          .issuer = issuer,
                                          .key = 10 + layer,
                                          .by = 11 + layer,
                                          .serial = 100 + i,
                                          CA});
            strcat(strcat(chain, " "), name);
        }
    expect("R", chain, TLS_TOO_COMPLEX);
}

static void test_many_roots_of_one_name(void **state)
{
    (void)state;
    char roots[400] = "";
    for (unsigned i = 0; i < 40; i++) {
        char name[16];
        snprintf(name, sizeof name, "r%u", i);
        make(name, (struct make_cert){.subject = "CN=R", .key = 100 + i, CA, .key_ids = true});
        strcat(strcat(roots, " "), name);
    }
    make("plain", (struct make_cert){.subject = "CN=l", .issuer = "CN=R", .key = 4, .by = 139});
    make("with_id",
         (struct make_cert){.subject = "CN=l", .issuer = "CN=R", .key = 4, .by = 139, .key_ids = true});
    make("early", (struct make_cert){.subject = "CN=l", .issuer = "CN=R", .key = 4, .by = 130});
    expect(roots, "with_id", TLS_TRUSTED);
    expect(roots, "early", TLS_TRUSTED);
    expect(roots, "plain", TLS_TOO_COMPLEX);
}

/* --- name constraints
 * --------------------------------------------------------------------------------------- */

static void test_name_constraints_of_openssl(void **state)
{
    (void)state;
    expect("root", "leaf_nc_good intermediate_constrained", TLS_TRUSTED);
    expect_words(
        "root", "leaf_nc_dns intermediate_constrained", TLS_NAME_CONSTRAINTS, 0,
        "name outside of the constraints of CN=intermediate_constrained,O=Outrider: DNS:a.other.example");
    expect_words(
        "root", "leaf_nc_ip intermediate_constrained", TLS_NAME_CONSTRAINTS, 0,
        "name outside of the constraints of CN=intermediate_constrained,O=Outrider: IP:198.51.100.1");
    expect("root", "leaf_nc_uri intermediate_constrained", TLS_NAME_CONSTRAINTS);
    expect("root", "leaf_nc_excluded intermediate_constrained", TLS_NAME_CONSTRAINTS);
}

/* Judges a leaf with SUBJECT and SAN below a CA with these constraints. */
static enum tls_status constrained(const char *permitted, const char *excluded, const char *subject,
                                   const char *san)
{
    clean(NULL);
    make("R", (struct make_cert){.subject = "O=x,CN=R", .key = 1, CA});
    make("A", (struct make_cert){.subject = "O=x,CN=A",
                                 .issuer = "O=x,CN=R",
                                 .key = 2,
                                 .by = 1,
                                 .permitted = permitted,
                                 .excluded = excluded,
                                 CA});
    make("l", (struct make_cert){.subject = subject, .issuer = "O=x,CN=A", .key = 3, .by = 2, .san = san});
    return judge("R", "l A").status;
}

struct constrained {
    const char *subtree, *name;
    bool permitted; /* when the subtree is */
    bool excluded;
};

/* Whether NAME passes when SUBTREE alone is permitted, and when it is excluded. */
static void constrained_table(const struct constrained *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum tls_status p = constrained(table[i].subtree, NULL, "CN=l", table[i].name);
        enum tls_status e = constrained(NULL, table[i].subtree, "CN=l", table[i].name);
        if ((p == TLS_TRUSTED) != table[i].permitted || (p != TLS_TRUSTED && p != TLS_NAME_CONSTRAINTS))
            fail_msg("%s permitted, %s: %s", table[i].subtree, table[i].name, tls_status_name(p));
        if ((e != TLS_TRUSTED) != table[i].excluded || (e != TLS_TRUSTED && e != TLS_NAME_CONSTRAINTS))
            fail_msg("%s excluded, %s: %s", table[i].subtree, table[i].name, tls_status_name(e));
    }
}

#define TABLE(t) constrained_table((t), sizeof(t) / sizeof *(t))

static void test_name_constraints_on_dns(void **state)
{
    (void)state;
    static const struct constrained table[] = {
        {"DNS:good.example", "DNS:good.example", true, true},
        {"DNS:good.example", "DNS:GOOD.Example", true, true},
        {"DNS:good.example", "DNS:a.b.good.example", true, true},
        {"DNS:good.example", "DNS:notgood.example", false, false},
        {"DNS:good.example", "DNS:good.example.evil", false, false},
        {"DNS:good.example", "DNS:example", false, false},
        {"DNS:good.example", "DNS:good.example|DNS:evil.example", false, true},
        {"DNS:.good.example", "DNS:a.good.example", true, true},
        {"DNS:.good.example", "DNS:good.example", false, false},
        {"DNS:", "DNS:anything", true, true},
        /* A wildcard speaks for all it can stand for. */
        {"DNS:good.example", "DNS:*.good.example", true, true},
        {"DNS:.good.example", "DNS:*.good.example", true, true},
        {"DNS:a.good.example", "DNS:*.good.example", false, true},
        {"DNS:a.b.good.example", "DNS:*.good.example", false, false},
        {"DNS:.a.good.example", "DNS:*.good.example", false, false},
        {"DNS:good.example", "DNS:*.evil.example", false, false},
        /* What is no name is on neither side. */
        {"DNS:good.example", "DNS:a.good.example.", false, true},
        {"DNS:good.example", "DNS:a b.good.example", false, true},
        {"DNS:good.example", "DNS:*", false, true},
        {"DNS:good.example", "DNS:a*.good.example", false, true},
        /* Other forms are not asked about. */
        {"DNS:good.example", "URI:spiffe://evil/x|IP:10.0.0.1|email:a@evil.example|other:", true, false},
    };
    TABLE(table);
}

static void test_name_constraints_on_uris(void **state)
{
    (void)state;
    static const struct constrained table[] = {
        {"URI:td.example", "URI:spiffe://td.example/ns/x", true, true},
        {"URI:td.example", "URI:spiffe://TD.example/ns/x", true, true},
        {"URI:td.example", "URI:https://td.example:8443/x", true, true},
        {"URI:td.example", "URI:https://td.example?x", true, true},
        {"URI:td.example", "URI:spiffe://a.td.example/x", false, false},
        {"URI:.td.example", "URI:spiffe://a.td.example/x", true, true},
        {"URI:.td.example", "URI:spiffe://td.example/x", false, false},
        {"URI:td.example", "URI:spiffe://evil/td.example", false, false},
        {"URI:td.example", "URI:spiffe://evil?@td.example/", false, false},
        /* No host that could be told: RFC 5280 section 4.2.1.10. */
        {"URI:td.example", "URI:spiffe://td.example@evil/x", false, true},
        {"URI:td.example", "URI:spiffe://evil@td.example/x", false, true},
        {"URI:td.example", "URI:urn:td.example", false, true},
        {"URI:td.example", "URI:spiffe://10.0.0.1/x", false, true},
        {"URI:td.example", "URI:spiffe://[fd00::1]/x", false, true},
        {"URI:td.example", "URI:spiffe:///x", false, true},
        {"URI:td.example", "URI:td.example", false, true},
        {"URI:", "URI:spiffe://td.example/x", false, true},
    };
    TABLE(table);
}

static void test_name_constraints_on_addresses(void **state)
{
    (void)state;
    static const struct constrained table[] = {
        {"IP:10.0.0.0/255.0.0.0", "IP:10.1.2.3", true, true},
        {"IP:10.0.0.0/255.0.0.0", "IP:11.1.2.3", false, false},
        {"IP:10.1.2.3/255.255.255.255", "IP:10.1.2.3", true, true},
        {"IP:0.0.0.0/0.0.0.0", "IP:10.1.2.3", true, true},
        {"IP:0.0.0.0/0.0.0.0", "IP:fd00::1", false, false},
        {"IP:fd00::/ffff::", "IP:fd00::1", true, true},
        {"IP:fd00::/ffff::", "IP:fd01::1", false, false},
        {"IP:::/::", "IP:fd01::1", true, true},
        {"IP:::/::", "IP:10.0.0.1", false, false},
    };
    TABLE(table);
}

static void test_name_constraints_on_email(void **state)
{
    (void)state;
    static const struct constrained table[] = {
        {"email:good.example", "email:a@good.example", true, true},
        {"email:good.example", "email:a@GOOD.example", true, true},
        {"email:good.example", "email:a@b.good.example", false, false},
        {"email:.good.example", "email:a@b.good.example", true, true},
        {"email:.good.example", "email:a@good.example", false, false},
        {"email:a@good.example", "email:a@good.example", true, true},
        {"email:a@good.example", "email:b@good.example", false, false},
        {"email:a@good.example", "email:A@good.example", false, true},
        {"email:good.example", "email:good.example", false, true},
        {"email:good.example", "email:a@evil@good.example", false, true},
        {"email:good.example", "email:@good.example", false, true},
    };
    TABLE(table);
    /* Also those in the subject, where they stood of old. */
    assert_int_equal(constrained("email:good.example", NULL, "CN=l,emailAddress=a@good.example", NULL),
                     TLS_TRUSTED);
    assert_int_equal(constrained("email:good.example", NULL, "CN=l,emailAddress=a@evil.example", NULL),
                     TLS_NAME_CONSTRAINTS);
    assert_int_equal(
        constrained(NULL, "email:evil.example", "CN=l,emailAddress=a@evil.example", "email:a@b.example"),
        TLS_NAME_CONSTRAINTS);
}

static void test_name_constraints_on_directory_names(void **state)
{
    (void)state;
    static const struct {
        const char *subtree, *subject, *san;
        bool permitted, excluded;
    } table[] = {
        {"dir:O=x", "O=x,CN=l", NULL, true, true},
        {"dir:O=x", "O=x", NULL, true, true},
        {"dir:O=x", "O=X,CN=l", NULL, true, true},
        {"dir:O=two  words", "O= Two words ,CN=l", NULL, true, true},
        {"dir:O=x", "O=y,CN=l", NULL, false, false},
        {"dir:O=x", "CN=l,O=x", NULL, false, false},
        {"dir:O=x", "CN=x", NULL, false, false},
        {"dir:O=x,CN=a", "O=x", NULL, false, false},
        {"dir:O=x,CN=a", "O=x,CN=a,CN=b", NULL, true, true},
        {"dir:O=x", "O=x,+CN=y", NULL, false, false},
        {"dir:O=x,+CN=y", "O=x,+CN=y,CN=z", NULL, true, true},
        {"dir:O=x,+CN=y", "CN=y,+O=x,CN=z", NULL, true, true},
        {"dir:", "O=y,CN=l", NULL, true, true},
        /* What others may fold to the same is neither permitted nor clear of what is excluded. */
        {"dir:O=\xc3\xa9", "O=\xc3\xa9,CN=l", NULL, true, true},
        {"dir:O=\xc3\xa9", "O=\xc3\x89,CN=l", NULL, false, true},
        {"dir:O=x", "O=\xef\xbd\x98,CN=l", NULL, false, true},
        /* In the SANs as well. */
        {"dir:O=x", "O=x,CN=l", "dir:O=x,CN=m", true, true},
        {"dir:O=x", "O=x,CN=l", "dir:O=y,CN=m", false, true},
        {"dir:O=x", "", "dir:O=y", false, false},
        /* No name, nothing to be within. */
        {"dir:O=x", "", "DNS:a.example", true, false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        enum tls_status p = constrained(table[i].subtree, NULL, table[i].subject, table[i].san);
        enum tls_status e = constrained(NULL, table[i].subtree, table[i].subject, table[i].san);
        if ((p == TLS_TRUSTED) != table[i].permitted)
            fail_msg("%s permitted, %s: %s", table[i].subtree, table[i].subject, tls_status_name(p));
        if ((e != TLS_TRUSTED) != table[i].excluded)
            fail_msg("%s excluded, %s: %s", table[i].subtree, table[i].subject, tls_status_name(e));
    }
    /* Another string type may hide the same letters. */
    make("R", (struct make_cert){.subject = "CN=R", .key = 1, CA, .excluded = "dir:O=evil"});
    make("b", (struct make_cert){
                  .subject = "O=evil", .issuer = "CN=R", .key = 2, .by = 1, .string_tag = DER_BMP_STRING});
    make("p", (struct make_cert){
                  .subject = "O=Evil", .issuer = "CN=R", .key = 2, .by = 1, .string_tag = DER_IA5_STRING});
    expect("R", "b", TLS_ISSUER_UNKNOWN); /* the issuer's name is in the other type, too */
    make("Rb",
         (struct make_cert){
             .subject = "CN=RR", .key = 1, CA, .excluded = "dir:O=evil,CN=x", .string_tag = DER_BMP_STRING});
    make("bb",
         (struct make_cert){
             .subject = "O=evil,CN=x", .issuer = "CN=RR", .key = 2, .by = 1, .string_tag = DER_BMP_STRING});
    make("bc",
         (struct make_cert){
             .subject = "O=Evil,CN=x", .issuer = "CN=RR", .key = 2, .by = 1, .string_tag = DER_BMP_STRING});
    expect("Rb", "bb", TLS_NAME_CONSTRAINTS);
    expect("Rb", "bc", TLS_NAME_CONSTRAINTS);
}

static void test_name_constraints_of_every_issuer(void **state)
{
    (void)state;
    /* Of the root as of each intermediate; on intermediates, but not on those that a CA issued to itself. */
    make("R", (struct make_cert){.subject = "O=x,CN=R", .key = 1, CA, .permitted = "DNS:example|dir:O=x"});
    make("A", (struct make_cert){.subject = "O=x,CN=A",
                                 .issuer = "O=x,CN=R",
                                 .key = 2,
                                 .by = 1,
                                 CA,
                                 .excluded = "DNS:evil.example"});
    make("E", (struct make_cert){.subject = "O=evil,CN=E", .issuer = "O=x,CN=R", .key = 3, .by = 1, CA});
    make("ok", (struct make_cert){
                   .subject = "", .issuer = "O=x,CN=A", .key = 9, .by = 2, .san = "DNS:good.example"});
    make("no1", (struct make_cert){
                    .subject = "", .issuer = "O=x,CN=A", .key = 9, .by = 2, .san = "DNS:evil.example"});
    make("no2",
         (struct make_cert){.subject = "", .issuer = "O=x,CN=A", .key = 9, .by = 2, .san = "DNS:other.test"});
    make("no3", (struct make_cert){.subject = "O=x,CN=l", .issuer = "O=evil,CN=E", .key = 9, .by = 3});
    expect("R", "ok A", TLS_TRUSTED);
    expect_words("R", "no1 A", TLS_NAME_CONSTRAINTS, 0,
                 "name outside of the constraints of CN=A,O=x: DNS:evil.example");
    expect_words("R", "no2 A", TLS_NAME_CONSTRAINTS, 0,
                 "name outside of the constraints of CN=R,O=x: DNS:other.test");
    expect_words("R", "no3 E", TLS_NAME_CONSTRAINTS, 1,
                 "name outside of the constraints of CN=R,O=x: CN=E,O=evil");

    make("T", (struct make_cert){.subject = "O=t,CN=T", .key = 4, CA, .permitted = "dir:O=u"});
    make("T2", (struct make_cert){.subject = "O=t,CN=T", .issuer = "O=t,CN=T", .key = 5, .by = 4, CA});
    make("lu", (struct make_cert){.subject = "O=u", .issuer = "O=t,CN=T", .key = 9, .by = 5});
    make("lt", (struct make_cert){.subject = "O=t,CN=T", .issuer = "O=t,CN=T", .key = 9, .by = 5});
    expect("T", "lu T2", TLS_TRUSTED);
    expect("T", "lt T2", TLS_NAME_CONSTRAINTS);
}

static void test_name_constraints_that_cannot_be_processed(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        size_t size;
    } bad[] = {
        {"", 0},
        {"\xa0\x00", 2},                         /* no subtree */
        {"\xa0\x06\x30\x04\x88\x02\x2a\x03", 8}, /* registeredID */
        {"\xa0\x09\x30\x07\x82\x02"
         "ab"
         "\x80\x01\x00",
         11}, /* a minimum, although the default */
        {"\xa0\x09\x30\x07\x82\x02"
         "ab"
         "\x80\x01\x01",
         11},
        {"\xa0\x09\x30\x07\x82\x02"
         "ab"
         "\x81\x01\x01",
         11},                                             /* a maximum */
        {"\xa0\x08\x30\x06\x87\x04\x0a\x00\x00\x00", 10}, /* an address without a mask */
        {"\xa0\x06\x30\x04\x82\x02"
         "a\xc3",
         8},
        {"\xa0\x06\x30\x04\xa4\x02\x05\x00", 8}, /* no name */
        {"\xa1\x06\x30\x04\x82\x02"
         "ab"
         "\xa0\x06\x30\x04\x82\x02"
         "ab",
         16}, /* out of order */
        {"\xa0\x06\x30\x04\x82\x02"
         "ab"
         "\x05\x00",
         10},
        {"\xa0\x04\x82\x02"
         "ab",
         6},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        clean(NULL);
        make("R", (struct make_cert){.subject = "CN=R",
                                     .key = 1,
                                     CA,
                                     .constraints = (const uint8_t *)bad[i].value,
                                     .constraints_size = bad[i].size});
        make("l", (struct make_cert){.subject = "", .issuer = "CN=R", .key = 9, .by = 1, .san = "DNS:ab"});
        expect_words("R", "l", TLS_NAME_CONSTRAINTS, 1, "name constraints that cannot be processed: CN=R");
    }
    assert_int_equal(constrained("other:", NULL, "CN=l", NULL), TLS_NAME_CONSTRAINTS);
}

static void test_name_constraints_bomb(void **state)
{
    (void)state;
    enum { MANY = 3000 };
    char *list = malloc(MANY * 8), *at = list;
    for (size_t i = 0; i < MANY; i++)
        at += sprintf(at, "%sDNS:a%c", i ? "|" : "", (char)('a' + i % 26));
    char *names = malloc(100 * 8);
    at = names;
    for (size_t i = 0; i < 100; i++)
        at += sprintf(at, "%sDNS:zz", i ? "|" : "");
    assert_int_equal(constrained(NULL, list, "CN=l", "DNS:zz"), TLS_TRUSTED);
    assert_int_equal(constrained(NULL, list, "CN=l", names), TLS_TOO_COMPLEX);
    free(list);
    free(names);
}

/* --- revocation
 * --------------------------------------------------------------------------------------------- */

static void release(void *crls)
{
    crl_index_free(crls);
}

/* A trust with CRLs of the test PKI, whose signers are the roots given. */
static struct tls_trust *trust_with_crls(const char *roots, const char *crls, enum tls_crl_missing missing,
                                         enum tls_crl_expired expired)
{
    struct x509_slice der[8], list[8];
    struct x509 *issuers = calloc(8, sizeof *issuers);
    char error[300] = "", name[64], *copy = strdup(crls), *save = NULL;
    size_t n = certs(roots, der, 8), count = 0;
    for (size_t i = 0; i < n; i++)
        assert_null(x509_parse(der[i].data, der[i].size, &issuers[i]));
    for (char *p = strtok_r(copy, " ", &save); p; p = strtok_r(NULL, " ", &save)) {
        snprintf(name, sizeof name, "%s.crl", p);
        list[count++] = pki_der(name);
    }
    struct tls_trust_options options = {
        .crls_release = release, .crl_missing = missing, .crl_expired = expired};
    options.crls = crl_index_new(list, count, issuers, n, NULL, NULL, error, sizeof error);
    if (!options.crls)
        fail_msg("%s", error);
    free(issuers);
    free(copy);
    return trust_of(roots, &options);
}

static struct tls_verdict judge_crl(const char *roots, const char *crls, enum tls_crl_missing missing,
                                    enum tls_crl_expired expired, const char *chain)
{
    struct tls_trust *trust = trust_with_crls(roots, crls, missing, expired);
    struct tls_verdict v = judge_by(trust, chain, TLS_PURPOSE_CLIENT, PKI_NOW);
    tls_trust_unref(trust);
    return v;
}

#define ACCEPT TLS_CRL_MISSING_ACCEPT, TLS_CRL_EXPIRED_WARN
#define REJECT TLS_CRL_MISSING_REJECT, TLS_CRL_EXPIRED_REJECT

static void test_revoked_leaf(void **state)
{
    (void)state;
    struct tls_verdict v = judge_crl("root", "root intermediate", REJECT, "leaf_revoked intermediate");
    assert_int_equal(v.status, TLS_REVOKED);
    assert_true(v.revoked_leaf);
    assert_int_equal(v.depth, 0);
    assert_string_equal(v.words,
                        "certificate revoked 1826 days ago (2021-01-01 00:00:00 GMT), keyCompromise: "
                        "CN=leaf_revoked,O=Outrider");
    v = judge_crl("root", "root intermediate", REJECT, "leaf intermediate");
    assert_int_equal(v.status, TLS_TRUSTED);
    /* Without CRLs nobody is asked about them, whatever the policy. */
    struct tls_trust_options options = {.crl_missing = TLS_CRL_MISSING_REJECT};
    struct tls_trust *trust = trust_of("root", &options);
    assert_int_equal(judge_by(trust, "leaf_revoked intermediate", 0, PKI_NOW).status, TLS_TRUSTED);
    tls_trust_unref(trust);
}

/* REVOKED comes before all else, but the leaf is "only revoked" when nothing else is wrong. */
static void test_revoked_and_more(void **state)
{
    (void)state;
    struct tls_trust *trust = trust_with_crls("root", "root intermediate", REJECT);
    struct tls_verdict v = judge_by(trust, "leaf_revoked intermediate", TLS_PURPOSE_CLIENT,
                                    pki_cert("leaf_revoked")->not_after + 1);
    assert_int_equal(v.status, TLS_REVOKED);
    assert_false(v.revoked_leaf);
    tls_trust_unref(trust);
    /* Missing CRL of the root: rejected for that, too. */
    v = judge_crl("root", "intermediate", REJECT, "leaf_revoked intermediate");
    assert_int_equal(v.status, TLS_REVOKED);
    assert_false(v.revoked_leaf);
    v = judge_crl("root", "intermediate", ACCEPT, "leaf_revoked intermediate");
    assert_true(v.revoked_leaf);
    /* Not reached by any path: not even that. */
    v = judge_crl("root2", "intermediate", ACCEPT, "leaf_revoked intermediate");
    assert_int_equal(v.status, TLS_ISSUER_UNKNOWN);
    assert_false(v.revoked_leaf);
}

static void test_revoked_intermediate(void **state)
{
    (void)state;
    struct tls_verdict v =
        judge_crl("root", "root intermediate", ACCEPT, "leaf_by_revoked intermediate_revoked");
    assert_int_equal(v.status, TLS_REVOKED);
    assert_int_equal(v.depth, 1);
    assert_false(v.revoked_leaf);
    assert_non_null(strstr(v.words, "CA certificate revoked 1826 days ago"));
    /* In the bundle beside its root it is as revoked as ever. */
    v = judge_crl("root intermediate_revoked", "root", ACCEPT, "leaf_by_revoked");
    assert_int_equal(v.status, TLS_REVOKED);
    v = judge_crl("intermediate_revoked root", "root", ACCEPT, "intermediate_revoked");
    assert_int_equal(v.status, TLS_REVOKED);
    /* Another way round it is fine. */
    make("R", (struct make_cert){.subject = "O=Outrider,CN=root", .key = 1, CA});
    v = judge_crl("root", "root", ACCEPT, "leaf intermediate intermediate_revoked");
    assert_int_equal(v.status, TLS_TRUSTED);
}

static void test_missing_crl_policies(void **state)
{
    (void)state;
    static const struct {
        const char *crls;
        enum tls_status accept, reject;
    } cases[] = {
        {"root intermediate", TLS_TRUSTED, TLS_TRUSTED},
        {"root", TLS_TRUSTED, TLS_CRL_MISSING},
        {"intermediate", TLS_TRUSTED, TLS_CRL_MISSING},
        {"root2", TLS_TRUSTED, TLS_CRL_MISSING},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(judge_crl("root", cases[i].crls, ACCEPT, "leaf intermediate").status,
                         cases[i].accept);
        assert_int_equal(judge_crl("root", cases[i].crls, REJECT, "leaf intermediate").status,
                         cases[i].reject);
    }
    struct tls_verdict v = judge_crl("root", "root", REJECT, "leaf intermediate");
    assert_int_equal(v.depth, 0);
    assert_string_equal(v.words, "no revocation list of CN=intermediate,O=Outrider");
    v = judge_crl("root", "intermediate", REJECT, "leaf intermediate");
    assert_int_equal(v.depth, 1);
}

static void test_expired_crl_policies(void **state)
{
    (void)state;
    const char *chain = "leaf intermediate";
    struct tls_verdict v = judge_crl("root", "root intermediate_expired", REJECT, chain);
    assert_int_equal(v.status, TLS_CRL_EXPIRED);
    assert_string_equal(v.words, "revocation list expired 1826 days ago (2021-01-01 00:00:00 GMT): "
                                 "CN=intermediate,O=Outrider");
    v = judge_crl("root", "root intermediate_expired", ACCEPT, chain);
    assert_int_equal(v.status, TLS_TRUSTED);
    assert_string_equal(v.words, "trusted by CN=root,O=Outrider; its revocation list expired 1826 days ago "
                                 "(2021-01-01 00:00:00 GMT)");
    /* Who is listed there stays revoked. */
    v = judge_crl("root", "root intermediate_expired", ACCEPT, "leaf_revoked intermediate");
    assert_int_equal(v.status, TLS_REVOKED);
    /* One that is still to come is no better, and will be looked at again in time. */
    v = judge_crl("root", "root intermediate_future", REJECT, chain);
    assert_int_equal(v.status, TLS_CRL_EXPIRED);
    assert_non_null(strstr(v.words, "becomes valid only in 30680 days"));
    v = judge_crl("root", "root intermediate_future", ACCEPT, chain);
    assert_int_equal(v.status, TLS_TRUSTED);
    assert_int_equal(v.recheck_at, INT64_C(4417977600));
    /* The verdict lasts no longer than the list. */
    struct tls_trust *trust = trust_with_crls("root", "root intermediate_expired", REJECT);
    v = judge_by(trust, chain, TLS_PURPOSE_CLIENT, PKI_NOW - 6 * 365 * 86400);
    assert_int_equal(v.status, TLS_TRUSTED);
    int64_t end = v.recheck_at;
    assert_int_equal(judge_by(trust, chain, TLS_PURPOSE_CLIENT, end - 1).status, TLS_TRUSTED);
    assert_int_equal(judge_by(trust, chain, TLS_PURPOSE_CLIENT, end).status, TLS_CRL_EXPIRED);
    tls_trust_unref(trust);
}

/* --- the trust itself
 * --------------------------------------------------------------------------------------- */

static unsigned releases;

static void count_release(void *crls)
{
    assert_non_null(crls);
    releases++;
}

static void test_trust(void **state)
{
    (void)state;
    char error[200] = "";
    struct x509_slice list[3] = {pki_der("root"), pki_der("root_expired"), {(const uint8_t *)"\x30\x00", 2}};
    int stand_in;
    struct tls_trust_options options = {.crls = (const struct crl_index *)(const void *)&stand_in,
                                        .crls_release = count_release};
    releases = 0;
    assert_null(tls_trust_new(list, 3, &options, error, sizeof error));
    assert_non_null(strstr(error, "certificate 3 of the CA bundle: "));
    list[2].size = 0;
    assert_null(tls_trust_new(list, 3, &options, error, sizeof error));
    assert_null(tls_trust_new(list, TLS_ROOTS_MAX + 1, &options, error, sizeof error));
    assert_non_null(strstr(error, "4097 certificates"));
    assert_int_equal(releases, 0);

    struct tls_trust *a = tls_trust_new(list, 2, &options, error, sizeof error);
    struct tls_trust *b = tls_trust_new(NULL, 0, NULL, error, sizeof error);
    assert_non_null(a);
    assert_non_null(b);
    assert_true(tls_trust_generation(a) < tls_trust_generation(b));
    assert_int_equal(tls_trust_count(a), 2);
    assert_true(der_same(tls_trust_root(a, 1)->der, list[1]));
    assert_ptr_not_equal(tls_trust_root(a, 1)->der.data, list[1].data);
    assert_int_equal(tls_trust_count(b), 0);
    assert_ptr_equal(tls_trust_ref(a), a);
    tls_trust_unref(a);
    assert_int_equal(releases, 0);
    tls_trust_unref(a);
    assert_int_equal(releases, 1);
    tls_trust_unref(b);
    tls_trust_unref(NULL);
}

static void test_words(void **state)
{
    (void)state;
    for (unsigned s = 0; s < TLS_STATUS_COUNT; s++) {
        assert_non_null(tls_status_name(s));
        for (unsigned t = 0; t < s; t++)
            assert_string_not_equal(tls_status_name(s), tls_status_name(t));
    }
    assert_string_equal(tls_status_name(TLS_EXPIRED), "expired");
    assert_string_equal(tls_status_name(TLS_ISSUER_UNKNOWN), "issuer_unknown");
    assert_string_equal(tls_status_name(TLS_STATUS_COUNT), "unknown");
    /* Long names are cut, odd bytes never reach a log, and a nameless certificate goes by its SAN. */
    char subject[1100] = "CN=";
    for (size_t i = 3; i < 1000; i++)
        subject[i] = i % 2 ? 'x' : '\n';
    make("self", (struct make_cert){.subject = subject, .key = 1});
    struct tls_verdict v = judge("root", "self");
    assert_true(strlen(v.words) < sizeof v.words - 1);
    assert_non_null(strstr(v.words, "... is not in the CA bundle"));
    for (const char *c = v.words; *c; c++)
        assert_true(*c >= 0x20 && *c < 0x7f);
    make("R", (struct make_cert){.subject = "CN=R", .key = 1, CA});
    make("l", (struct make_cert){.subject = "",
                                 .issuer = "CN=R",
                                 .key = 2,
                                 .by = 1,
                                 .not_after = "20210101",
                                 .san = "URI:spiffe://td/ns/a/sa/b"});
    v = judge("R", "l");
    assert_non_null(strstr(v.words, "GMT): URI:spiffe://td/ns/a/sa/b"));
    make("n",
         (struct make_cert){.subject = "", .issuer = "CN=R", .key = 2, .by = 1, .not_after = "20210101"});
    assert_non_null(strstr(judge("R", "n").words, "GMT): (no name)"));
    make("i", (struct make_cert){.subject = "",
                                 .issuer = "CN=R",
                                 .key = 2,
                                 .by = 1,
                                 .not_after = "20210101",
                                 .san = "IP:fd00::7"});
    assert_non_null(strstr(judge("R", "i").words, "GMT): IP:fd00::7"));
}

/* --- OpenSSL's word
 * ----------------------------------------------------------------------------------------- */

static bool openssl_verifies(const char *roots, const char *chain, enum tls_purpose purpose)
{
    char command[2000], *copy = strdup(roots), *save = NULL;
    size_t n =
        (size_t)snprintf(command, sizeof command,
                         "openssl verify -no-CApath -no-CAstore -no-CAfile -auth_level 2 "
                         "-attime %lld -purpose %s",
                         (long long)PKI_NOW, purpose == TLS_PURPOSE_CLIENT ? "sslclient" : "sslserver");
    for (char *p = strtok_r(copy, " ", &save); p; p = strtok_r(NULL, " ", &save))
        n += (size_t)snprintf(command + n, sizeof command - n, " -trusted " PKI_FOLDER "/%s.pem", p);
    free(copy);
    copy = strdup(chain);
    char *leaf = strtok_r(copy, " ", &save);
    for (char *p = strtok_r(NULL, " ", &save); p; p = strtok_r(NULL, " ", &save))
        n += (size_t)snprintf(command + n, sizeof command - n, " -untrusted " PKI_FOLDER "/%s.pem", p);
    snprintf(command + n, sizeof command - n, " " PKI_FOLDER "/%s.pem >/dev/null 2>&1", leaf);
    free(copy);
    return system(command) == 0;
}

static void test_openssl_agrees(void **state)
{
    (void)state;
    if (system("openssl version >/dev/null 2>&1") != 0)
        skip();
    static const char *const cases[][2] = {
        {"root", "leaf intermediate"},
        {"root", "leaf root intermediate root2"},
        {"root", "leaf"},
        {"root2", "leaf intermediate"},
        {"root2", "leaf intermediate_cross"},
        {"root2", "leaf intermediate root_by_root2"},
        {"root_renewed", "leaf intermediate root"},
        {"root root_impostor", "leaf intermediate"},
        {"root_impostor", "leaf intermediate"},
        {"root", "leaf_by_impostor root_impostor"},
        {"root", "leaf_direct"},
        {"root", "leaf_client intermediate"},
        {"root", "leaf_server intermediate"},
        {"root", "leaf_codesign intermediate"},
        {"root", "leaf_noeku intermediate"},
        {"root", "leaf_critical intermediate"},
        {"root", "leaf_expired intermediate"},
        {"root", "leaf_future intermediate"},
        {"root", "leaf_by_expired intermediate_expired"},
        {"root_expired", "leaf_by_root_expired"},
        {"root", "leaf_by_leaf leaf intermediate"},
        {"root", "leaf_by_nosign intermediate_nosign"},
        {"root", "leaf_by_below intermediate_below intermediate_pathlen0"},
        {"root", "leaf_by_deep3 intermediate_deep3 intermediate_deep2 intermediate"},
        {"root", "leaf_nc_good intermediate_constrained"},
        {"root", "leaf_nc_dns intermediate_constrained"},
        {"root", "leaf_nc_ip intermediate_constrained"},
        {"root", "leaf_nc_uri intermediate_constrained"},
        {"root", "leaf_nc_excluded intermediate_constrained"},
        {"root", "leaf_rsa1024 intermediate"},
        {"root", "leaf_sha1 intermediate"},
        {"root", "leaf_p384 intermediate"},
        {"root", "leaf_ed25519 intermediate"},
        {"root_rsa", "leaf_by_rsa_pss"},
        {"root_rsa", "leaf_by_rsa_sha1"},
        {"root_p521", "leaf_by_p521"},
        {"root_ed25519", "leaf_by_ed25519"},
        {"root", "leaf_self"},
        {"leaf_self", "leaf_self"},
        {"root intermediate", "leaf"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum tls_purpose purpose = i % 2 ? TLS_PURPOSE_SERVER : TLS_PURPOSE_CLIENT;
        bool ours = judge_at(cases[i][0], cases[i][1], purpose, PKI_NOW).status == TLS_TRUSTED;
        if (openssl_verifies(cases[i][0], cases[i][1], purpose) != ours)
            fail_msg("[%s] | %s: OpenSSL %s", cases[i][0], cases[i][1], ours ? "refuses" : "accepts");
        pki_free_all();
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, clean)
    const struct CMUnitTest tests[] = {
        T(test_trusted),
        T(test_nothing_presented),
        T(test_issuer_unknown),
        T(test_malformed),
        T(test_validity),
        T(test_recheck),
        T(test_usage),
        T(test_usage_of_issuers),
        T(test_unknown_critical),
        T(test_weak),
        T(test_bad_signature),
        T(test_evil_intermediate_without_ca),
        T(test_path_length_constraint),
        T(test_path_too_long),
        T(test_chain_too_long),
        T(test_any_order_and_strangers_do_no_harm),
        T(test_extra_old_root_in_the_chain),
        T(test_same_key_root_renewal),
        T(test_cross_signed_intermediate),
        T(test_same_named_roots),
        T(test_circles_end),
        T(test_who_came_earlier_never_matters),
        T(test_most_helpful_failure),
        T(test_leaf_in_the_bundle),
        T(test_intermediate_in_the_bundle),
        T(test_signature_bomb),
        T(test_many_paths_bomb),
        T(test_many_roots_of_one_name),

        T(test_name_constraints_of_openssl),
        T(test_name_constraints_on_dns),
        T(test_name_constraints_on_uris),
        T(test_name_constraints_on_addresses),
        T(test_name_constraints_on_email),
        T(test_name_constraints_on_directory_names),
        T(test_name_constraints_of_every_issuer),
        T(test_name_constraints_that_cannot_be_processed),
        T(test_name_constraints_bomb),
        T(test_revoked_leaf),
        T(test_revoked_and_more),
        T(test_revoked_intermediate),
        T(test_missing_crl_policies),
        T(test_expired_crl_policies),
        T(test_trust),
        T(test_words),
        T(test_openssl_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
