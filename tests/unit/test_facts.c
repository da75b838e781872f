/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Facts of a certificate: what was proven, and nothing left out in silence. */
#include "judge.h"

#include "sidecar/proxy/facts.h"

static struct facts f;
static struct tls_peers *peers;
static struct tls_peer *peer;
static struct tls_verdict verdict;

static int setup(void **state)
{
    (void)state;
    peers = tls_peers_new(1 << 20);
    assert_true(peers && facts_init(&f, 256 * 1024));
    return 0;
}

static int teardown(void **state)
{
    tls_peer_unref(peer);
    peer = NULL;
    tls_peers_free(peers);
    facts_clear(&f);
    return clean(state);
}

/* The facts are about the certificate NAME, judged by ROOTS. */
static void about(const char *name, const struct tls_trust *trust)
{
    enum tls_status status;
    const char *wrong;
    struct x509_slice chain[1] = {cert(name)};
    tls_peer_unref(peer);
    peer = tls_peers_intern(peers, chain, 1, &status, &wrong);
    assert_non_null(peer);
    verdict = *tls_peer_verdict(peer, trust, TLS_PURPOSE_CLIENT, PKI_NOW);
    facts_reset(&f);
    f.peer = peer;
    f.verdict = &verdict;
}

static void is_text(unsigned field, const char *expected)
{
    struct rules_value value;
    assert_true(facts_get(&f, field, &value));
    assert_int_equal(value.type, RULES_BYTES);
    assert_int_equal(value.bytes.size, strlen(expected));
    assert_memory_equal(value.bytes.data, expected, strlen(expected));
}

static void is_absent(unsigned field)
{
    struct rules_value value;
    assert_false(facts_get(&f, field, &value));
}

static void the_issuer(void **state)
{
    (void)state;
    make("a", (struct make_cert){.subject = "CN=A", .key = 1, .by = 1, .serial = 11, .key_ids = true, CA});
    make("b", (struct make_cert){.subject = "CN=B", .key = 2, .by = 2, .serial = 12, .key_ids = true, CA});
    make("liar",
         (struct make_cert){
             .subject = "CN=l", .issuer = "CN=B", .key = 4, .by = 2, .key_ids = true, .claimed_by = 1});
    struct tls_trust *both = trust_of("a b", NULL), *one = trust_of("a", NULL);
    about("liar", both);
    is_text(RULES_FIELD_CERT_ISSUER_SKI, "02000000");
    is_text(RULES_FIELD_CERT_ISSUER_SERIAL, "0C");
    about("liar", one);
    is_absent(RULES_FIELD_CERT_ISSUER_SKI);
    is_absent(RULES_FIELD_CERT_ISSUER_SERIAL);
    tls_trust_unref(both);
    tls_trust_unref(one);
}

/* What is left out could be what a rule asks for. */
static void more_names_than_there_is_room_for(void **state)
{
    (void)state;
    static const unsigned of_sans[] = {RULES_FIELD_SAN_DNS,   RULES_FIELD_SAN_URI,
                                       RULES_FIELD_SAN_IP,    RULES_FIELD_SAN_EMAIL,
                                       RULES_FIELD_SPIFFE_ID, RULES_FIELD_TRUST_DOMAIN};
    char sans[4096] = "DNS:a", subject[1024] = "O=a";
    struct rules_value value;
    for (int i = 1; i < X509_SANS_MAX; i++)
        strcat(sans, "|DNS:a");
    for (int i = 1; i < 32; i++)
        strcat(subject, ",O=a");
    make("root", (struct make_cert){.subject = "CN=R", .key = 1, .by = 1, CA});
    make("full", (struct make_cert){.subject = subject, .issuer = "CN=R", .key = 2, .by = 1, .san = sans});
    strcat(sans, "|URI:spiffe://td/x");
    strcat(subject, ",O=b");
    make("more", (struct make_cert){.subject = subject, .issuer = "CN=R", .key = 3, .by = 1, .san = sans});
    struct tls_trust *trust = trust_of("root", NULL);
    about("full", trust);
    assert_true(facts_get(&f, RULES_FIELD_SAN_DNS, &value));
    assert_int_equal(value.array.count, X509_SANS_MAX);
    assert_true(facts_get(&f, RULES_FIELD_SUBJECT_O, &value));
    assert_int_equal(value.array.count, 32);
    is_absent(RULES_FIELD_SPIFFE_ID);
    about("more", trust);
    for (size_t i = 0; i < sizeof of_sans / sizeof *of_sans; i++) {
        assert_true(facts_get(&f, of_sans[i], &value));
        assert_int_equal(value.type, RULES_TOO_LARGE);
    }
    assert_true(facts_get(&f, RULES_FIELD_SUBJECT_O, &value));
    assert_int_equal(value.type, RULES_TOO_LARGE);
    assert_true(facts_get(&f, RULES_FIELD_SUBJECT_OU, &value));
    assert_int_equal(value.array.count, 0);
    tls_trust_unref(trust);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_issuer, setup, teardown),
        cmocka_unit_test_setup_teardown(more_names_than_there_is_room_for, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
