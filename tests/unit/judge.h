/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Helpers of the judge's tests. Certificates are named: files of tests/unit/data/pki, or what a test made
 * itself with make(); bundles and chains are lists of names. clean() is every test's teardown.
 */
#ifndef TESTS_UNIT_JUDGE_H
#define TESTS_UNIT_JUDGE_H

#include <string.h>

#include "pki.h"
#include "make_cert.h"
#include "certrotate/der.h"
#include "sidecar/tls/judged.h"

enum { MADE_MAX = 80 };

struct made {
    char name[24];
    struct x509_slice der;
};

static struct made made[MADE_MAX];
static size_t made_count;

static inline struct x509_slice make(const char *name, struct make_cert plan)
{
    assert_true(made_count < MADE_MAX);
    struct made *m = &made[made_count++];
    snprintf(m->name, sizeof m->name, "%s", name);
    m->der = make_cert(&plan);
    return m->der;
}

static inline int clean(void **state)
{
    (void)state;
    while (made_count > 0)
        free((void *)(uintptr_t)made[--made_count].der.data);
    pki_free_all();
    return 0;
}

static inline struct x509_slice cert(const char *name)
{
    for (size_t i = 0; i < made_count; i++)
        if (strcmp(made[i].name, name) == 0)
            return made[i].der;
    return pki_der(name);
}

static inline size_t certs(const char *names, struct x509_slice *out, size_t max)
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

static inline struct tls_trust *trust_of(const char *roots, const struct tls_trust_options *options)
{
    struct x509_slice list[64];
    char error[200] = "";
    size_t n = certs(roots, list, 64);
    struct tls_trust *trust = tls_trust_new(list, n, options, error, sizeof error);
    if (!trust)
        fail_msg("%s: %s", roots, error);
    return trust;
}

/* Who asks how a verdict came about gets the same verdict, and a path from the leaf to the bundle, or none.
 */
static inline void told_the_same(const struct tls_trust *trust, const struct x509_slice *chain, size_t count,
                                 enum tls_purpose purpose, int64_t now, const struct tls_verdict *v)
{
    struct tls_judged judged;
    struct tls_verdict told = tls_judge_told(trust, chain, count, purpose, now, &judged);
    bool root = false;
    assert_int_equal(told.status, v->status);
    assert_int_equal(told.depth, v->depth);
    assert_int_equal(told.recheck_at, v->recheck_at);
    assert_string_equal(told.words, v->words);
    if (v->status == TLS_TRUSTED)
        assert_int_equal(judged.count, v->depth + 1);
    if (judged.count == 0)
        return;
    assert_true(v->depth < judged.count && der_same(judged.step[0].cert, chain[0]));
    for (size_t i = 0; i < tls_trust_count(trust); i++)
        root |= der_same(judged.step[judged.count - 1].cert, tls_trust_root(trust, i)->der);
    assert_true(root);
}

static inline struct tls_verdict judge_by(const struct tls_trust *trust, const char *chain,
                                          enum tls_purpose purpose, int64_t now)
{
    struct x509_slice list[TLS_CHAIN_MAX + 4];
    size_t n = certs(chain, list, TLS_CHAIN_MAX + 4);
    struct tls_verdict v = tls_judge(trust, list, n, purpose, now);
    assert_int_equal(v.generation, tls_trust_generation(trust));
    assert_true(strlen(v.words) > 0);
    assert_true(v.status != TLS_TRUSTED || v.recheck_at > now);
    assert_true(!v.revoked_leaf || v.status == TLS_REVOKED);
    told_the_same(trust, list, n, purpose, now, &v);
    return v;
}

static inline struct tls_verdict judge_at(const char *roots, const char *chain, enum tls_purpose purpose,
                                          int64_t now)
{
    struct tls_trust *trust = trust_of(roots, NULL);
    struct tls_verdict v = judge_by(trust, chain, purpose, now);
    tls_trust_unref(trust);
    return v;
}

static inline struct tls_verdict judge(const char *roots, const char *chain)
{
    return judge_at(roots, chain, TLS_PURPOSE_CLIENT, PKI_NOW);
}

static inline void expect(const char *roots, const char *chain, enum tls_status status)
{
    struct tls_verdict v = judge(roots, chain);
    if (v.status != status)
        fail_msg("[%s] | %s: %s instead of %s: %s", roots, chain, tls_status_name(v.status),
                 tls_status_name(status), v.words);
}

static inline void expect_words(const char *roots, const char *chain, enum tls_status status, unsigned depth,
                                const char *words)
{
    struct tls_verdict v = judge(roots, chain);
    expect(roots, chain, status);
    assert_int_equal(v.depth, depth);
    assert_string_equal(v.words, words);
}

#define CA .ca = true, .key_usage = X509_KU_KEY_CERT_SIGN

#endif
