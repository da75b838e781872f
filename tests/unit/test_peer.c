/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Peers: what their certificates say, sharing, what stays of idle ones, and verdicts kept. */
#include <string.h>

#include "pki.h"
#include "make_cert.h"
#include "sidecar/tls/peer.h"

static struct tls_peer *intern(struct tls_peers *table, const struct x509_slice *chain, size_t count)
{
    const char *error = NULL;
    enum tls_status status;
    struct tls_peer *peer = tls_peers_intern(table, chain, count, &status, &error);
    if (!peer)
        fail_msg("%s", error);
    return peer;
}

static void test_what_it_says(void **state)
{
    (void)state;
    struct tls_peers *table = tls_peers_new(1 << 20);
    struct x509_slice chain[2] = {pki_der("leaf"), pki_der("intermediate")};
    struct tls_peer *p = intern(table, chain, 2);
    struct x509 *leaf = pki_cert("leaf");
    char text[300];
    uint8_t digest[32];

    /* Of its own memory, not of ours. */
    assert_int_equal(p->chain_count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_ptr_not_equal(p->chain[i].data, chain[i].data);
        assert_true(der_same(p->chain[i], chain[i]));
    }
    assert_string_equal(p->subject, "CN=leaf,O=Outrider");
    assert_string_equal(p->issuer, "CN=intermediate,O=Outrider");
    assert_string_equal(p->subject_legacy, "/O=Outrider/CN=leaf");
    assert_string_equal(p->issuer_legacy, "/O=Outrider/CN=intermediate");
    assert_string_equal(p->common_name, "leaf");
    x509_serial_hex(leaf, text, sizeof text);
    assert_string_equal(p->serial, text);
    x509_hex(leaf->ski, true, text, sizeof text);
    assert_string_equal(p->ski, text);
    assert_int_equal(strlen(p->ski), 40);
    x509_sha256(leaf->der, digest);
    assert_memory_equal(p->fingerprint, digest, 32);
    x509_hex((struct x509_slice){digest, 32}, false, text, sizeof text);
    assert_string_equal(p->sha256, text);
    x509_sha1(leaf->der, digest);
    x509_hex((struct x509_slice){digest, 20}, false, text, sizeof text);
    assert_string_equal(p->sha1, text);
    assert_int_equal(p->not_before, leaf->not_before);
    assert_int_equal(p->not_after, leaf->not_after);

    static const struct {
        enum tls_san_kind kind;
        const char *text;
        size_t ip_size;
    } san[] = {
        {TLS_SAN_DNS, "web.shop.svc", 0},
        {TLS_SAN_DNS, "*.web.shop.svc", 0},
        {TLS_SAN_URI, "spiffe://cluster.local/ns/shop/sa/web", 0},
        {TLS_SAN_IP, "192.0.2.7", 4},
        {TLS_SAN_IP, "2001:db8::7", 16},
    };
    assert_int_equal(p->san_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(p->san[i].kind, san[i].kind);
        assert_string_equal(p->san[i].text, san[i].text);
        assert_int_equal(p->san[i].text_size, strlen(san[i].text));
        assert_int_equal(p->san[i].ip_size, san[i].ip_size);
    }
    assert_memory_equal(p->san[3].ip, "\xc0\0\2\7", 4);
    assert_memory_equal(p->san[4].ip, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7", 16);
    tls_peer_unref(p);
    tls_peers_free(table);
    pki_free_all();
}

static void test_what_is_not_there(void **state)
{
    (void)state;
    struct tls_peers *table = tls_peers_new(1 << 20);
    struct make_cert nameless = {.subject = "", .issuer = "CN=R", .key = 1, .by = 2};
    struct x509_slice chain[1] = {make_cert(&nameless)};
    struct tls_peer *p = intern(table, chain, 1);
    assert_string_equal(p->subject, "");
    assert_string_equal(p->subject_legacy, "");
    assert_string_equal(p->common_name, "");
    assert_string_equal(p->ski, "");
    assert_int_equal(p->san_count, 0);
    free((void *)(uintptr_t)chain[0].data);
    tls_peer_unref(p);
    tls_peers_free(table);
    pki_free_all();
}

static void test_odd_names(void **state)
{
    (void)state;
    struct tls_peers *table = tls_peers_new(1 << 20);
    struct make_cert plan = {.subject = "CN=first,CN=a\n\\\xc3\xa4", .key = 1};
    struct x509_slice der = make_cert(&plan);
    struct tls_peer *p = intern(table, &der, 1);
    assert_string_equal(p->common_name, "a\\x0A\\x5C\\xC3\\xA4");
    for (const char *c = p->subject; *c; c++)
        assert_true(*c >= 0x20 && *c < 0x7f);
    free((void *)(uintptr_t)der.data);
    tls_peer_unref(p);
    tls_peers_free(table);
}

static void test_one_peer_per_chain(void **state)
{
    (void)state;
    struct tls_peers *table = tls_peers_new(1 << 20);
    struct x509_slice chain[3] = {pki_der("leaf"), pki_der("intermediate"), pki_der("root")};
    struct tls_peer *a = intern(table, chain, 2), *b = intern(table, chain, 2), *c = intern(table, chain, 3);
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c);
    struct x509_slice turned[3] = {chain[0], chain[2], chain[1]};
    struct tls_peer *d = intern(table, turned, 3);
    assert_ptr_not_equal(c, d);
    assert_int_equal(tls_peers_count(table), 3);
    assert_ptr_equal(tls_peer_ref(a), a);
    for (int i = 0; i < 3; i++)
        tls_peer_unref(a);
    tls_peer_unref(c);
    tls_peer_unref(d);
    tls_peer_unref(NULL);
    /* Idle, not gone. */
    assert_int_equal(tls_peers_count(table), 3);
    assert_ptr_equal(intern(table, chain, 2), a);
    tls_peer_unref(a);
    tls_peers_free(table);
    pki_free_all();
}

/* What another worker knows a chain by finds it in any table that has it, be it idle. */
static void test_found_by_hash(void **state)
{
    (void)state;
    enum { MANY = 300 };
    struct tls_peers *one = tls_peers_new(1 << 20), *other = tls_peers_new(1 << 20);
    struct tls_peer *peer[MANY];
    struct x509_slice der[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        struct make_cert plan = {.subject = "CN=x", .key = 1, .serial = 1 + i};
        der[i] = make_cert(&plan);
        peer[i] = intern(one, &der[i], 1);
        assert_null(tls_peers_find(other, peer[i]->chain_hash));
        struct tls_peer *there = intern(other, &der[i], 1);
        assert_memory_equal(there->chain_hash, peer[i]->chain_hash, 32);
        tls_peer_unref(there);
        assert_int_equal(there->refs, 0);
        assert_ptr_equal(tls_peers_find(other, peer[i]->chain_hash), there);
        assert_int_equal(there->refs, 1);
        assert_ptr_equal(tls_peers_find(other, peer[i]->chain_hash), there);
        tls_peer_unref(there);
        tls_peer_unref(there);
    }
    for (unsigned i = 0; i < MANY; i++) {
        assert_ptr_equal(tls_peers_find(one, peer[i]->chain_hash), peer[i]);
        tls_peer_unref(peer[i]);
        tls_peer_unref(peer[i]);
        free((void *)(uintptr_t)der[i].data);
    }
    tls_peers_free(one);
    tls_peers_free(other);
}

static void test_refused(void **state)
{
    (void)state;
    struct tls_peers *table = tls_peers_new(1 << 20);
    struct x509_slice chain[TLS_CHAIN_MAX + 1];
    const char *error = NULL;
    enum tls_status status = TLS_TRUSTED;
    for (size_t i = 0; i <= TLS_CHAIN_MAX; i++)
        chain[i] = pki_der("leaf");
    assert_null(tls_peers_intern(table, chain, 0, &status, &error));
    assert_int_equal(status, TLS_NONE_PRESENTED);
    assert_string_equal(error, "no certificate");
    assert_null(tls_peers_intern(table, chain, TLS_CHAIN_MAX + 1, &status, &error));
    assert_int_equal(status, TLS_TOO_LONG);
    assert_string_equal(error, "certificate chain too long");
    struct tls_peer *p = intern(table, chain, TLS_CHAIN_MAX);
    tls_peer_unref(p);
    static uint8_t large[TLS_CERT_SIZE_MAX + 1];
    chain[1] = (struct x509_slice){large, sizeof large};
    assert_null(tls_peers_intern(table, chain, 2, &status, &error));
    assert_int_equal(status, TLS_TOO_LONG);
    assert_string_equal(error, "certificate chain too long");
    /* Only the leaf must be a certificate. */
    chain[1].size = 10;
    p = intern(table, chain, 2);
    tls_peer_unref(p);
    chain[0] = chain[1];
    error = NULL;
    assert_null(tls_peers_intern(table, chain, 2, &status, &error));
    assert_int_equal(status, TLS_MALFORMED);
    assert_non_null(error);
    chain[0].size = 0;
    assert_null(tls_peers_intern(table, chain, 1, &status, &error));
    assert_int_equal(tls_peers_count(table), 2);
    tls_peers_free(table);
    pki_free_all();
}

static size_t extras_freed;

static void free_extra(void *extra)
{
    assert_ptr_equal(extra, &extras_freed);
    extras_freed++;
}

static void test_idle_ones_are_bounded(void **state)
{
    (void)state;
    enum { MANY = 300 };
    struct x509_slice der[MANY];
    struct tls_peer *peer[MANY];
    struct tls_peers *table = tls_peers_new(1 << 20);
    for (unsigned i = 0; i < MANY; i++) {
        struct make_cert plan = {.subject = "CN=x", .key = 1, .serial = 1 + i};
        der[i] = make_cert(&plan);
    }
    struct tls_peer *p = intern(table, der, 1);
    size_t each = p->bytes;
    tls_peer_unref(p);
    tls_peers_free(table);

    /* Room for ten and a half. */
    extras_freed = 0;
    table = tls_peers_new(each * 21 / 2);
    for (size_t i = 0; i < MANY; i++) {
        peer[i] = intern(table, &der[i], 1);
        peer[i]->extra = &extras_freed;
        peer[i]->extra_free = free_extra;
    }
    assert_int_equal(tls_peers_count(table), MANY);
    for (size_t i = 0; i < MANY; i++)
        assert_ptr_equal(intern(table, &der[i], 1), peer[i]);
    for (size_t i = 0; i < MANY; i++)
        tls_peer_unref(peer[i]);
    for (size_t i = 0; i < MANY; i++)
        tls_peer_unref(peer[i]);
    assert_int_equal(tls_peers_count(table), 10);
    assert_int_equal(extras_freed, MANY - 10);
    /* The last ten are still there, and using the oldest of them keeps it: the next oldest goes. */
    for (size_t i = MANY - 10; i < MANY; i++) {
        p = intern(table, &der[i], 1);
        assert_ptr_equal(p->extra, &extras_freed);
        tls_peer_unref(p);
    }
    assert_int_equal(extras_freed, MANY - 10);
    p = intern(table, &der[MANY - 10], 1);
    tls_peer_unref(p);
    tls_peer_unref(intern(table, &der[0], 1));
    assert_int_equal(extras_freed, MANY - 10 + 1);
    p = intern(table, &der[MANY - 10], 1);
    assert_ptr_equal(p->extra, &extras_freed);
    tls_peer_unref(p);
    p = intern(table, &der[MANY - 9], 1);
    assert_null(p->extra);
    tls_peer_unref(p);
    tls_peers_free(table);

    /* No room at all: gone with the last session. */
    table = tls_peers_new(0);
    tls_peer_unref(intern(table, der, 1));
    assert_int_equal(tls_peers_count(table), 0);
    tls_peers_free(table);
    tls_peers_free(NULL);
    for (size_t i = 0; i < MANY; i++)
        free((void *)(uintptr_t)der[i].data);
}

static struct tls_trust *trust_of(const char *root)
{
    struct x509_slice der = pki_der(root);
    char error[200];
    struct tls_trust *trust = tls_trust_new(&der, 1, NULL, error, sizeof error);
    assert_non_null(trust);
    return trust;
}

static void test_verdicts(void **state)
{
    (void)state;
    struct tls_peers *table = tls_peers_new(1 << 20);
    struct x509_slice chain[2] = {pki_der("leaf_client"), pki_der("intermediate")};
    struct tls_peer *p = intern(table, chain, 2);
    struct tls_trust *good = trust_of("root"), *bad = trust_of("root2");
    for (int i = 0; i < 3; i++) {
        const struct tls_verdict *v = tls_peer_verdict(p, good, TLS_PURPOSE_CLIENT, PKI_NOW);
        assert_int_equal(v->status, TLS_TRUSTED);
        assert_int_equal(v->generation, tls_trust_generation(good));
        v = tls_peer_verdict(p, bad, TLS_PURPOSE_CLIENT, PKI_NOW);
        assert_int_equal(v->status, TLS_ISSUER_UNKNOWN);
        assert_int_equal(v->generation, tls_trust_generation(bad));
        v = tls_peer_verdict(p, good, TLS_PURPOSE_SERVER, PKI_NOW);
        assert_int_equal(v->status, TLS_WRONG_USAGE);
    }
    assert_int_equal(tls_peer_last_verdict(p, good, TLS_PURPOSE_CLIENT)->status, TLS_TRUSTED);
    assert_int_equal(tls_peer_last_verdict(p, good, TLS_PURPOSE_SERVER)->status, TLS_WRONG_USAGE);
    assert_null(tls_peer_last_verdict(p, bad, TLS_PURPOSE_SERVER));
    tls_trust_unref(good);
    tls_trust_unref(bad);
    tls_peer_unref(p);
    tls_peers_free(table);
    pki_free_all();
}

/* How often the judge spoke shows in what it would have to say anew: a verdict that was marked is gone. */
static void test_verdicts_are_kept(void **state)
{
    (void)state;
    struct tls_peers *table = tls_peers_new(1 << 20);
    struct x509_slice chain[2] = {pki_der("leaf_expired"), pki_der("intermediate")};
    struct tls_peer *p = intern(table, chain, 2);
    struct tls_trust *trust = trust_of("root");
    int64_t end = p->not_after;
    struct tls_verdict *v =
        (struct tls_verdict *)(uintptr_t)tls_peer_verdict(p, trust, TLS_PURPOSE_CLIENT, end - 9);
    assert_int_equal(v->status, TLS_TRUSTED);
    assert_int_equal(v->recheck_at, end + 1);
    v->depth = 99;
    assert_int_equal(tls_peer_verdict(p, trust, TLS_PURPOSE_CLIENT, end - 9)->depth, 99);
    assert_int_equal(tls_peer_verdict(p, trust, TLS_PURPOSE_CLIENT, end)->depth, 99);
    /* Its time is over. */
    assert_int_equal(tls_peer_verdict(p, trust, TLS_PURPOSE_CLIENT, end + 1)->status, TLS_EXPIRED);
    /* The clock was set back. */
    v = (struct tls_verdict *)(uintptr_t)tls_peer_verdict(p, trust, TLS_PURPOSE_CLIENT, end);
    assert_int_equal(v->status, TLS_TRUSTED);
    v->depth = 99;
    assert_int_equal(tls_peer_verdict(p, trust, TLS_PURPOSE_CLIENT, end - 1)->depth, 2);

    /* Many trusts one after the other: memory does not grow, and the last used ones are kept. */
    struct tls_trust *later[10];
    size_t before = 0;
    for (size_t i = 0; i < 10; i++) {
        later[i] = trust_of("root");
        assert_int_equal(tls_peer_verdict(p, later[i], TLS_PURPOSE_CLIENT, end)->generation,
                         tls_trust_generation(later[i]));
        if (i == 4)
            before = p->bytes;
        tls_peer_verdict(p, trust, TLS_PURPOSE_CLIENT, end);
    }
    assert_int_equal(p->bytes, before);
    v = (struct tls_verdict *)(uintptr_t)tls_peer_verdict(p, trust, TLS_PURPOSE_CLIENT, end);
    v->depth = 99;
    for (size_t i = 8; i < 10; i++)
        tls_peer_verdict(p, later[i], TLS_PURPOSE_CLIENT, end);
    assert_int_equal(tls_peer_verdict(p, trust, TLS_PURPOSE_CLIENT, end)->depth, 99);
    for (size_t i = 0; i < 10; i++)
        tls_trust_unref(later[i]);

    /* Idle and back: no new verdict. */
    tls_peer_unref(p);
    assert_ptr_equal(intern(table, chain, 2), p);
    assert_int_equal(tls_peer_verdict(p, trust, TLS_PURPOSE_CLIENT, end)->depth, 99);
    tls_trust_unref(trust);
    tls_peer_unref(p);
    tls_peers_free(table);
    pki_free_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_says),
        cmocka_unit_test(test_what_is_not_there),
        cmocka_unit_test(test_odd_names),
        cmocka_unit_test(test_one_peer_per_chain),
        cmocka_unit_test(test_found_by_hash),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_idle_ones_are_bounded),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_verdicts_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
