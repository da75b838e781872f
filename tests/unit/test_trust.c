/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The judge: paths, what each certificate on them must say, and words. */
#include "judge.h"

#include "sidecar/tls/path.h"

/* --- whole chains of the test PKI --- */

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
    /* Nor is the CA: it is in the bundle, so that nobody sent it. */
    make("soon", (struct make_cert){.subject = "CN=S", .key = 1, .not_before = "20260201", CA});
    make("early", (struct make_cert){.subject = "CN=l", .issuer = "CN=S", .key = 2, .by = 1});
    struct x509 soon;
    assert_null(x509_parse(cert("soon").data, cert("soon").size, &soon));
    v = judge("soon", "early");
    assert_int_equal(v.status, TLS_NOT_YET_VALID);
    assert_int_equal(v.recheck_at, soon.not_before);
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

/* --- who may issue --- */

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

/* --- more than one path --- */

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

/* --- what the bundle holds --- */

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
    /* A namesake of its issuer did not issue it. */
    make("R2", (struct make_cert){.subject = "CN=R", .key = 5, CA, .not_after = "20210101"});
    expect("A R2", "l", TLS_TRUSTED);
    /* A CA's new key, vouched for by its old one: no anchor either, although it bears its own issuer's name.
     */
    make("new", (struct make_cert){.subject = "CN=R", .issuer = "CN=R", .key = 6, .by = 1, CA});
    make("m", (struct make_cert){.subject = "CN=m", .issuer = "CN=R", .key = 7, .by = 6});
    expect("new R", "m", TLS_EXPIRED);
    expect("new", "m", TLS_TRUSTED);
}

/* --- bombs --- */

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

/* --- the trust itself --- */

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
                                        .crls_release = count_release,
                                        .crls_arg = &stand_in};
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

/* --- OpenSSL's word --- */

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

static void weak_keys_by_their_numbers(void **state)
{
    (void)state;
    static const struct {
        enum x509_key_type type;
        unsigned bits;
        bool weak;
    } keys[] = {
        {X509_KEY_RSA, 1024, true},  {X509_KEY_RSA, 2047, true},     {X509_KEY_RSA, 2048, false},
        {X509_KEY_RSA, 4096, false}, {X509_KEY_RSA, 4097, true},     {X509_KEY_RSA, 16384, true},
        {X509_KEY_EC, 256, false},   {X509_KEY_ED25519, 256, false}, {X509_KEY_OTHER, 0, true},
    };
    struct x509 *key = pki_keep(calloc(1, sizeof *key));
    char words[80];
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        key->key_type = keys[i].type;
        key->key_bits = keys[i].bits;
        assert_int_equal(tls_path_weak_key(key, words, sizeof words), keys[i].weak);
    }
}

/* An issuer is who signed, whatever the leaf says of it; and nobody has one who is not trusted. */
static void the_issuer_is_proven(void **state)
{
    (void)state;
    make("a", (struct make_cert){.subject = "CN=A", .key = 1, .by = 1, .serial = 11, .key_ids = true, CA});
    make("b", (struct make_cert){.subject = "CN=B", .key = 2, .by = 2, .serial = 12, .key_ids = true, CA});
    make("by-a", (struct make_cert){.subject = "CN=l", .issuer = "CN=A", .key = 3, .by = 1, .key_ids = true});
    make("by-b",
         (struct make_cert){
             .subject = "CN=l", .issuer = "CN=B", .key = 4, .by = 2, .key_ids = true, .claimed_by = 1});
    struct tls_verdict v = judge("a b", "by-a");
    assert_int_equal(v.status, TLS_TRUSTED);
    struct x509 issuer;
    assert_null(x509_parse(cert("a").data, cert("a").size, &issuer));
    struct tls_trust *trust = trust_of("a b", NULL);
    v = judge_by(trust, "by-a", TLS_PURPOSE_CLIENT, PKI_NOW);
    assert_true(der_same(v.issuer.ski, issuer.ski) && der_same(v.issuer.serial, issuer.serial));
    assert_null(x509_parse(cert("b").data, cert("b").size, &issuer));
    v = judge_by(trust, "by-b", TLS_PURPOSE_CLIENT, PKI_NOW);
    assert_int_equal(v.status, TLS_TRUSTED);
    assert_true(der_same(v.issuer.ski, issuer.ski) && der_same(v.issuer.serial, issuer.serial));
    /* Sent along or not. */
    v = judge_by(trust, "by-b a b", TLS_PURPOSE_CLIENT, PKI_NOW);
    assert_true(der_same(v.issuer.ski, issuer.ski));
    tls_trust_unref(trust);
    trust = trust_of("a", NULL);
    v = judge_by(trust, "by-b a b", TLS_PURPOSE_CLIENT, PKI_NOW);
    assert_int_equal(v.status, TLS_ISSUER_UNKNOWN);
    assert_int_equal(v.issuer.ski.size, 0);
    tls_trust_unref(trust);
    /* Who stands in the bundle: issued by itself, or by somebody unknown. */
    make("self", (struct make_cert){.subject = "CN=S", .key = 5, .by = 5, .serial = 13, .key_ids = true});
    trust = trust_of("self by-b", NULL);
    v = judge_by(trust, "self", TLS_PURPOSE_CLIENT, PKI_NOW);
    assert_int_equal(v.status, TLS_TRUSTED);
    assert_int_equal(v.issuer.ski.size, 4);
    assert_int_equal(v.issuer.ski.data[0], 5);
    v = judge_by(trust, "by-b", TLS_PURPOSE_CLIENT, PKI_NOW);
    assert_int_equal(v.status, TLS_TRUSTED);
    assert_int_equal(v.issuer.ski.size + v.issuer.serial.size, 0);
    tls_trust_unref(trust);
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
        T(weak_keys_by_their_numbers),
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
        T(the_issuer_is_proven),
        T(test_trust),
        T(test_words),
        T(test_openssl_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
