/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The judge on revocation: who is revoked, and what is done without a good list. */
#include "judge.h"

/* --- revocation --- */

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
    options.crls_arg = (void *)(uintptr_t)options.crls;
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
    /* Without any CRL at all the policy holds as well: a file that went missing opens no door. */
    struct tls_trust_options options = {.crl_missing = TLS_CRL_MISSING_REJECT};
    struct tls_trust *trust = trust_of("root", &options);
    assert_int_equal(judge_by(trust, "leaf intermediate", 0, PKI_NOW).status, TLS_CRL_MISSING);
    tls_trust_unref(trust);
    options.crl_missing = TLS_CRL_MISSING_ACCEPT;
    trust = trust_of("root", &options);
    assert_int_equal(judge_by(trust, "leaf_revoked intermediate", 0, PKI_NOW).status, TLS_TRUSTED);
    tls_trust_unref(trust);
}

/* What is told of the way to a verdict: each certificate on it, and what its issuer's list says. */
static void test_told(void **state)
{
    (void)state;
    struct x509_slice chain[2];
    struct tls_judged judged;
    struct tls_trust *trust = trust_with_crls("root", "root intermediate", REJECT);
    certs("leaf_revoked intermediate", chain, 2);
    struct tls_verdict v = tls_judge_told(trust, chain, 2, TLS_PURPOSE_CLIENT, PKI_NOW, &judged);
    assert_int_equal(v.status, TLS_REVOKED);
    assert_int_equal(judged.count, 3);
    assert_true(der_same(judged.step[1].cert, cert("intermediate")));
    assert_true(judged.step[0].crl_known && judged.step[1].crl_known && !judged.step[2].crl_known);
    assert_int_equal(judged.step[0].crl, CRL_REVOKED);
    assert_string_equal(crl_reason_name(judged.step[0].hit.reason), "keyCompromise");
    assert_true(v.revoked_leaf && der_same(v.issuer.ski, pki_cert("intermediate")->ski));
    assert_int_equal(judged.step[1].crl, CRL_GOOD);
    certs("leaf_root2 intermediate", chain, 2);
    v = tls_judge_told(trust, chain, 2, TLS_PURPOSE_CLIENT, PKI_NOW, &judged);
    assert_int_equal(v.status, TLS_ISSUER_UNKNOWN);
    assert_int_equal(judged.count, 0);
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

/* A look at a CRL may be a signature check: it is counted as one. */
static void test_lists_count_as_signatures(void **state)
{
    (void)state;
    char chain[100] = "l";
    make("R", (struct make_cert){.subject = "CN=R", .key = 1, CA});
    make("l", (struct make_cert){.subject = "CN=l", .issuer = "CN=A", .key = 2, .by = 10});
    /* Four times three paths over 19 signatures, of which the last one alone is not expired. */
    for (unsigned i = 0; i < 7; i++) {
        char name[16];
        bool upper = i >= 4;
        snprintf(name, sizeof name, "n%u", i);
        make(name, (struct make_cert){.subject = upper ? "CN=B" : "CN=A",
                                      .issuer = upper ? "CN=R" : "CN=B",
                                      .key = upper ? 11 : 10,
                                      .by = upper ? 1 : 11,
                                      .serial = 50 + i,
                                      .not_after = i == 3 || i == 6 ? NULL : "20210101",
                                      CA});
        strcat(strcat(chain, " "), name);
    }
    expect("R", chain, TLS_TRUSTED);
    assert_int_not_equal(judge_crl("R root", "root", ACCEPT, chain).status, TLS_TRUSTED);
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

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, clean)
    const struct CMUnitTest tests[] = {
        T(test_revoked_leaf),
        T(test_told),
        T(test_revoked_and_more),
        T(test_revoked_intermediate),
        T(test_lists_count_as_signatures),
        T(test_missing_crl_policies),
        T(test_expired_crl_policies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
