/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Revocation lists made here, for what no tool would issue: scopes, extensions, several lists of one name. */
#include "judge.h"

#include "certrotate/crl.h"

enum { LISTS_MAX = 4 };

/* A list by Ed25519 key BY; times are YYYYMMDD. */
struct plan {
    const char *issuer;
    unsigned by, claimed_by; /* claimed_by: the key of its authority key identifier; 0: none */
    const char *since, *until;
    struct x509_slice scope; /* content of its issuingDistributionPoint */
    unsigned serial;         /* the one listed; 0: none */
    size_t padding;          /* octets behind the serial number's */
    bool entry_critical, critical, twice, other_algorithm;
    uint8_t version; /* 0: 2, as it should be; 255: left out; else one more than what is encoded */
};

static struct x509_slice lists[LISTS_MAX];
static size_t list_count;
static char error[256];

static int clean_lists(void **state)
{
    while (list_count > 0)
        free((void *)(uintptr_t)lists[--list_count].data);
    return clean(state);
}

static void put_entry(struct mc_buf *out, const struct plan *p)
{
    struct mc_buf entry = {NULL, 0}, extensions = {NULL, 0}, number = {NULL, 0};
    mc_put(&number, &(uint8_t){(uint8_t)p->serial}, 1);
    for (size_t i = 0; i < p->padding; i++)
        mc_put(&number, "\1", 1);
    mc_wrap(&entry, DER_INTEGER, number);
    mc_time(&entry, "20250101");
    if (p->entry_critical) {
        mc_extension(&extensions, "\x2a\x03\x05", 3, true, (struct mc_buf){calloc(1, 1), 0});
        mc_wrap(&entry, DER_SEQUENCE, extensions);
    }
    mc_wrap(out, DER_SEQUENCE, entry);
}

static void put_extensions(struct mc_buf *out, const struct plan *p)
{
    struct mc_buf value = {NULL, 0}, inner = {NULL, 0};
    if (p->scope.size > 0) {
        mc_leaf(&value, DER_SEQUENCE, p->scope.data, p->scope.size);
        mc_extension(out, "\x55\x1d\x1c", 3, true, value);
    }
    if (p->claimed_by) {
        value = (struct mc_buf){NULL, 0};
        mc_leaf(&inner, DER_CONTEXT(0), &p->claimed_by, 4);
        mc_wrap(&value, DER_SEQUENCE, inner);
        mc_extension(out, "\x55\x1d\x23", 3, false, value);
    }
    for (int i = 0; i < (p->twice ? 2 : 1); i++) {
        value = (struct mc_buf){NULL, 0};
        mc_uint(&value, 7);
        mc_extension(out, "\x55\x1d\x14", 3, false, value);
    }
    if (p->critical)
        mc_extension(out, "\x2a\x03\x05", 3, true, (struct mc_buf){calloc(1, 1), 0});
}

static void put_algorithm(struct mc_buf *out, bool other)
{
    struct mc_buf inner = {NULL, 0};
    mc_leaf(&inner, DER_OID, "\x2b\x65\x70", 3);
    if (other)
        mc_leaf(&inner, DER_NULL, "", 0);
    mc_wrap(out, DER_SEQUENCE, inner);
}

static void list(struct plan p)
{
    struct mc_buf part = {NULL, 0}, tbs = {NULL, 0}, entries = {NULL, 0}, inner = {NULL, 0}, out = {NULL, 0},
                  der = {NULL, 0};
    uint8_t public[32], signature[64];
    word32 size = sizeof signature;
    ed25519_key key;
    uint8_t version = p.version ? (uint8_t)(p.version - 1) : 1;
    if (p.version != 255)
        mc_leaf(&part, DER_INTEGER, &version, 1);
    put_algorithm(&part, p.other_algorithm);
    mc_name(&part, p.issuer ? p.issuer : "CN=R", 0);
    mc_time(&part, p.since ? p.since : "20250601");
    mc_time(&part, p.until ? p.until : "21200101");
    if (p.serial) {
        put_entry(&entries, &p);
        mc_wrap(&part, DER_SEQUENCE, entries);
    }
    put_extensions(&inner, &p);
    struct mc_buf explicit = {NULL, 0};
    mc_wrap(&explicit, DER_SEQUENCE, inner);
    mc_wrap(&part, DER_CONTEXT_CONS(0), explicit);
    mc_wrap(&tbs, DER_SEQUENCE, part);
    mc_key(p.by ? p.by : 1, &key, public);
    assert_int_equal(wc_ed25519_sign_msg(tbs.data, (word32)tbs.size, signature, &size, &key), 0);
    wc_ed25519_free(&key);
    mc_put(&out, tbs.data, tbs.size);
    free(tbs.data);
    put_algorithm(&out, false);
    struct mc_buf bits = {NULL, 0};
    mc_put(&bits, "", 1);
    mc_put(&bits, signature, sizeof signature);
    mc_wrap(&out, DER_BIT_STRING, bits);
    mc_wrap(&der, DER_SEQUENCE, out);
    assert_true(list_count < LISTS_MAX);
    lists[list_count++] = (struct x509_slice){der.data, der.size};
}

/* An index of the lists made since the last one, with the certificates NAMES at hand. */
static struct crl_index *build(const char *names)
{
    struct x509_slice ders[8];
    struct x509 issuers[8];
    size_t n = certs(names, ders, 8);
    for (size_t i = 0; i < n; i++)
        assert_null(x509_parse(ders[i].data, ders[i].size, &issuers[i]));
    error[0] = 0;
    struct crl_index *index = crl_index_new(lists, list_count, issuers, n, NULL, NULL, error, sizeof error);
    while (list_count > 0)
        free((void *)(uintptr_t)lists[--list_count].data);
    return index;
}

static void refused(struct plan p, const char *words)
{
    list(p);
    assert_null(build("R"));
    if (!strstr(error, words))
        fail_msg("\"%s\" does not say %s", error, words);
}

static enum crl_status look(const struct crl_index *index, const char *issuer, const char *name)
{
    struct x509 by, of;
    assert_null(x509_parse(cert(issuer).data, cert(issuer).size, &by));
    assert_null(x509_parse(cert(name).data, cert(name).size, &of));
    return crl_index_lookup(index, &by, &of, PKI_NOW, NULL);
}

/* What an index of the lists made says of a leaf, and of a CA, that it does not list, and of leaf 9. */
static void says(const char *names, enum crl_status user, enum crl_status ca, enum crl_status ninth)
{
    struct crl_index *index = build(names);
    if (!index)
        fail_msg("%s", error);
    assert_int_equal(look(index, "R", "l"), user);
    assert_int_equal(look(index, "R", "A"), ca);
    assert_int_equal(look(index, "R", "ninth"), ninth);
    crl_index_free(index);
}

static int setup(void **state)
{
    (void)state;
    make("R", (struct make_cert){
                  .subject = "CN=R", .key = 1, .key_ids = true, .ca = true, .key_usage = X509_KU_CRL_SIGN});
    make("R2", (struct make_cert){.subject = "CN=R", .key = 2, .key_ids = true, .ca = true});
    make("plain", (struct make_cert){.subject = "CN=R", .key = 1, .ca = true});
    make("A", (struct make_cert){.subject = "CN=A", .issuer = "CN=R", .key = 3, .by = 1, .serial = 7, CA});
    make("l", (struct make_cert){.subject = "CN=l", .issuer = "CN=R", .key = 4, .by = 1, .serial = 8});
    make("ninth", (struct make_cert){.subject = "CN=n", .issuer = "CN=R", .key = 5, .by = 1, .serial = 9});
    return 0;
}

#define SCOPE(octets) .scope = {(const uint8_t *)(octets), sizeof(octets) - 1}

/* What a list does not speak of, its silence says nothing about. */
static void scopes(void **state)
{
    (void)state;
    list((struct plan){.serial = 9});
    says("R", CRL_GOOD, CRL_GOOD, CRL_REVOKED);
    list((struct plan){.serial = 9, SCOPE("\x81\x01\xff")}); /* users */
    says("R", CRL_GOOD, CRL_MISSING, CRL_REVOKED);
    list((struct plan){.serial = 9, SCOPE("\x82\x01\xff")}); /* CAs */
    says("R", CRL_MISSING, CRL_GOOD, CRL_REVOKED);
    list((struct plan){.serial = 9, SCOPE("\x83\x02\x01\x40")}); /* some reasons */
    says("R", CRL_MISSING, CRL_MISSING, CRL_REVOKED);
    list((struct plan){.serial = 9, SCOPE("\x84\x01\xff")}); /* indirect: left out */
    says("R", CRL_MISSING, CRL_MISSING, CRL_MISSING);
    list((struct plan){.serial = 9, SCOPE("\x85\x01\xff")}); /* attribute certificates: likewise */
    says("R", CRL_MISSING, CRL_MISSING, CRL_MISSING);
    refused((struct plan){SCOPE("\x81\x02\xff\xff")}, "malformed");
    refused((struct plan){SCOPE("\x81\x00")}, "malformed");
    refused((struct plan){SCOPE("\x82\x01\xff\x81\x01\xff")}, "malformed");
}

static void several(void **state)
{
    (void)state;
    /* One for all and one for users, which does not make up for the other, whichever is older. */
    for (int i = 0; i < 2; i++) {
        list((struct plan){.since = i ? "20250101" : "20250801", .until = "20251231", .serial = 9});
        list((struct plan){SCOPE("\x81\x01\xff")});
        says("R", CRL_EXPIRED, CRL_EXPIRED, CRL_REVOKED);
    }
    /* Two keys of one name: neither supersedes the other; only by its own key is a certificate vouched for.
     */
    list((struct plan){.by = 1, .since = "20250101", .serial = 9});
    list((struct plan){.by = 2});
    says("R R2", CRL_GOOD, CRL_GOOD, CRL_REVOKED);
    list((struct plan){.by = 2});
    says("R R2", CRL_MISSING, CRL_MISSING, CRL_MISSING);
    /* Of unknown signers that say nothing of their keys, each may be another's. */
    list((struct plan){.by = 1, .since = "20250101", .serial = 9});
    list((struct plan){.by = 2});
    says("A", CRL_GOOD, CRL_GOOD, CRL_REVOKED);
}

/* A list that names another key is not this one's, though it made the signature. */
static void named_keys(void **state)
{
    (void)state;
    list((struct plan){.serial = 9, .claimed_by = 1});
    says("R", CRL_GOOD, CRL_GOOD, CRL_REVOKED);
    list((struct plan){.serial = 9, .claimed_by = 2});
    says("R", CRL_MISSING, CRL_MISSING, CRL_MISSING);
    list((struct plan){.serial = 9, .claimed_by = 2});
    says("plain", CRL_GOOD, CRL_GOOD, CRL_REVOKED);
}

static void not_to_be_used(void **state)
{
    (void)state;
    refused((struct plan){.serial = 9, .entry_critical = true}, "an entry has an unknown critical extension");
    refused((struct plan){.critical = true}, "unknown critical extension");
    refused((struct plan){.twice = true}, "malformed extensions");
    refused((struct plan){.other_algorithm = true}, "inner and outer signature algorithm of a CRL differ");
    refused((struct plan){.version = 255}, "malformed extensions"); /* version 1 has none */
    refused((struct plan){.version = 1}, "unknown version");        /* 0, which DER leaves out */
    refused((struct plan){.version = 3}, "unknown version");
    refused((struct plan){.serial = 9, .padding = 70000}, "absurdly long");
    refused((struct plan){.by = 2}, "signature is wrong");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, clean_lists)
    const struct CMUnitTest tests[] = {
        T(scopes),
        T(several),
        T(named_keys),
        T(not_to_be_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
