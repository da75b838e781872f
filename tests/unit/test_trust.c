/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The judge. Certificates are named: files of tests/unit/data/pki, or what a test made itself with make();
 * bundles and chains are lists of names.
 */
#include <string.h>

#include "pki.h"
#include "make_cert.h"
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

    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
