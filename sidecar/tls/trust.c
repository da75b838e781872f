/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/tls/trust.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certrotate/crl.h"
#include "certrotate/der.h"
#include "certrotate/verify.h"
#include "sidecar/tls/judged.h"
#include "sidecar/tls/path.h"

struct root {
    struct x509 cert;
    bool anchor; /* a path may end here; else another member issued it and the path goes on to that one */
};

struct tls_trust {
    atomic_uint refs;
    uint64_t generation;
    struct tls_trust_options options;
    uint8_t *der; /* of all roots, one after the other */
    struct root *roots;
    size_t count;
    const struct root **by_subject; /* sorted */
};

/* --- the trust --- */

static uint64_t next_generation(void)
{
    static atomic_uint_fast64_t last;
    return atomic_fetch_add(&last, 1) + 1;
}

static int compare_slices(struct x509_slice a, struct x509_slice b)
{
    int c = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return c ? c : (a.size > b.size) - (a.size < b.size);
}

static int compare_subjects(const void *a, const void *b)
{
    const struct root *x = *(const struct root *const *)a, *y = *(const struct root *const *)b;
    int c = compare_slices(x->cert.subject, y->cert.subject);
    /* Same-named ones in the order they were given. */
    return c ? c : (x > y) - (x < y);
}

/* Where the roots with this SUBJECT begin in BY_SUBJECT, and how many they are. */
static size_t find_roots(const struct tls_trust *trust, struct x509_slice subject, size_t *count)
{
    size_t low = 0, high = trust->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_slices(trust->by_subject[middle]->cert.subject, subject) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (*count = 0; low + *count < trust->count; ++*count)
        if (!der_same(trust->by_subject[low + *count]->cert.subject, subject))
            break;
    return low;
}

static bool signed_by(const struct x509 *cert, const struct x509 *issuer)
{
    return x509_verify(issuer, cert->tbs, cert->signature_algorithm, cert->signature) == NULL;
}

/*
 * Whether a path may end at ROOT. An intermediate whose issuer is in the bundle, too, is no anchor: what its
 * issuer says of it (revoked, expired, constrained) must count.
 */
static bool is_anchor(const struct tls_trust *trust, const struct root *root)
{
    size_t count, first = find_roots(trust, root->cert.issuer, &count);
    bool issued = false, alone = count == 1 && trust->by_subject[first] == root;
    if (count == 0 || alone ||
        (der_same(root->cert.subject, root->cert.issuer) && signed_by(&root->cert, &root->cert)))
        return true;
    for (size_t i = first; i < first + count && !issued; i++)
        issued = trust->by_subject[i] != root && signed_by(&root->cert, &trust->by_subject[i]->cert);
    return !issued;
}

static bool add_roots(struct tls_trust *trust, const struct tls_der *roots, size_t count, char *error,
                      size_t error_size)
{
    uint8_t *at = trust->der;
    for (size_t i = 0; i < count; i++) {
        struct root *root = &trust->roots[trust->count];
        memcpy(at, roots[i].data, roots[i].size);
        const char *wrong = x509_parse(at, roots[i].size, &root->cert);
        if (wrong) {
            snprintf(error, error_size, "certificate %zu of the CA bundle: %s", i + 1, wrong);
            return false;
        }
        at += roots[i].size;
        trust->by_subject[trust->count++] = root;
    }
    qsort(trust->by_subject, trust->count, sizeof(struct root *), compare_subjects);
    for (size_t i = 0; i < trust->count; i++)
        trust->roots[i].anchor = is_anchor(trust, &trust->roots[i]);
    return true;
}

/* The options' release is called only once a trust was made: until then the CRLs are the caller's. */
static void free_trust(struct tls_trust *trust)
{
    free(trust->der);
    free(trust->roots);
    free(trust->by_subject);
    free(trust);
}

struct tls_trust *tls_trust_new(const struct tls_der *roots, size_t count,
                                const struct tls_trust_options *options, char *error, size_t error_size)
{
    size_t bytes = 0;
    if (count > TLS_ROOTS_MAX) {
        snprintf(error, error_size, "%zu certificates in the CA bundle; at most %d are accepted", count,
                 TLS_ROOTS_MAX);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (roots[i].size == 0 || roots[i].size > TLS_CERT_SIZE_MAX) {
            snprintf(error, error_size, "certificate %zu of the CA bundle has %zu bytes", i + 1,
                     roots[i].size);
            return NULL;
        }
        bytes += roots[i].size;
    }
    struct tls_trust *trust = calloc(1, sizeof *trust);
    if (trust) {
        trust->der = malloc(bytes + 1);
        trust->roots = calloc(count + 1, sizeof *trust->roots);
        trust->by_subject = calloc(count + 1, sizeof(struct root *));
    }
    if (!trust || !trust->der || !trust->roots || !trust->by_subject) {
        snprintf(error, error_size, "out of memory");
        goto fail;
    }
    if (!add_roots(trust, roots, count, error, error_size))
        goto fail;
    if (options)
        trust->options = *options;
    trust->generation = next_generation();
    atomic_init(&trust->refs, 1);
    return trust;
fail:
    if (trust)
        free_trust(trust);
    return NULL;
}

struct tls_trust *tls_trust_ref(struct tls_trust *trust)
{
    atomic_fetch_add_explicit(&trust->refs, 1, memory_order_relaxed);
    return trust;
}

void tls_trust_unref(struct tls_trust *trust)
{
    if (!trust || atomic_fetch_sub_explicit(&trust->refs, 1, memory_order_acq_rel) > 1)
        return;
    if (trust->options.crls_release)
        trust->options.crls_release(trust->options.crls_arg);
    free_trust(trust);
}

uint64_t tls_trust_generation(const struct tls_trust *trust)
{
    return trust->generation;
}

size_t tls_trust_count(const struct tls_trust *trust)
{
    return trust->count;
}

const struct x509 *tls_trust_root(const struct tls_trust *trust, size_t index)
{
    return &trust->roots[index].cert;
}

/* --- the search --- */

enum signature { SIGNATURE_GOOD, SIGNATURE_BAD, SIGNATURE_WEAK, SIGNATURE_UNCHECKED };

/* A pair whose signature was looked at. */
struct edge {
    struct tls_link link;
    enum signature signature;
};

struct judge {
    const struct tls_trust *trust;
    struct tls_path_rules rules;
    struct x509 certs[TLS_CHAIN_MAX]; /* presented, each once, well-formed, and not in the bundle but for the
                                         leaf */
    size_t cert_count;
    struct edge edges[TLS_SIGNATURES_MAX];
    size_t edge_count;
    struct tls_path path;
    bool exhausted;           /* a signature was not checked because enough have been */
    int64_t recheck_at;       /* when what is refused now may fare otherwise */
    struct tls_verdict best;  /* what tells most about why, so far */
    struct tls_verdict found; /* on the path at hand */
    struct tls_judged *told;  /* the path of what is trusted, or of BEST; NULL: nobody asks */
};

static void note(struct judge *j, enum tls_status status, size_t depth, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void note(struct judge *j, enum tls_status status, size_t depth, const char *format, ...)
{
    struct tls_verdict found = {.status = status, .depth = (unsigned)depth};
    if (!tls_path_tells_more(&found, &j->best))
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(found.words, sizeof found.words, format, args);
    va_end(args);
    j->best = found;
    if (j->told)
        j->told->count = 0;
}

static void tell_path(const struct judge *j)
{
    if (j->told == NULL)
        return;
    j->told->count = j->path.count;
    for (size_t i = 0; i < j->path.count; i++) {
        struct tls_judged_step *step = &j->told->step[i];
        *step = (struct tls_judged_step){.cert = j->path.cert[i]->der};
        if (i + 1 == j->path.count || !j->path.link[i]->crl_known)
            continue;
        step->crl_known = true;
        step->crl = j->path.link[i]->crl;
        step->hit = j->path.link[i]->hit;
    }
}

/* Who issued the leaf of the path; whoever is trusted by being in the bundle may be its own issuer. */
static struct tls_issuer issuer_on(const struct tls_path *path)
{
    const struct x509 *leaf = path->cert[0], *issuer = path->count > 1 ? path->cert[1] : leaf;
    if (!der_same(issuer->subject, leaf->issuer))
        return (struct tls_issuer){0};
    return (struct tls_issuer){issuer->ski, issuer->serial, issuer->serial_negative};
}

/* A path is there: judges it, and returns whether it is trusted. */
static bool arrive(struct judge *j)
{
    tls_path_judge(&j->path, &j->rules, &j->found);
    if (j->found.status == TLS_TRUSTED || j->found.revoked_leaf)
        j->found.issuer = issuer_on(&j->path);
    if (j->found.status == TLS_TRUSTED) {
        tell_path(j);
        return true;
    }
    if (j->found.recheck_at < j->recheck_at)
        j->recheck_at = j->found.recheck_at;
    if (tls_path_tells_more(&j->found, &j->best)) {
        j->best = j->found;
        tell_path(j);
    }
    return false;
}

/* Looks at whether ISSUER's key signed CERT, once per pair; SIGNATURE_UNCHECKED and NULL when enough are. */
static struct edge *look(struct judge *j, const struct x509 *cert, const struct x509 *issuer)
{
    for (size_t i = 0; i < j->edge_count; i++)
        if (j->edges[i].link.cert == cert && j->edges[i].link.issuer == issuer)
            return &j->edges[i];
    if (j->edge_count == TLS_SIGNATURES_MAX || j->rules.signatures == 0)
        return NULL;
    char words[100], name[TLS_PATH_NAME];
    struct edge *edge = &j->edges[j->edge_count++];
    *edge = (struct edge){.link = {.cert = cert, .issuer = issuer}, .signature = SIGNATURE_WEAK};
    size_t depth = j->path.count - 1;
    const char *wrong = x509_verify_algorithm(cert->signature_algorithm, NULL);
    if (wrong) {
        tls_path_cert_name(cert, name);
        note(j, TLS_WEAK, depth, "certificate has %s: %s", wrong, name);
    } else if (tls_path_weak_key(issuer, words, sizeof words)) {
        tls_path_cert_name(issuer, name);
        note(j, TLS_WEAK, depth + 1, "CA certificate has %s: %s", words, name);
    } else {
        j->rules.signatures--;
        edge->signature = signed_by(cert, issuer) ? SIGNATURE_GOOD : SIGNATURE_BAD;
    }
    return edge;
}

/* How well the key identifiers fit; only for trying the likeliest first. */
enum fit { FIT_SAME, FIT_UNKNOWN, FIT_DIFFERENT, FIT_COUNT };

static enum fit fit(const struct x509 *cert, const struct x509 *issuer)
{
    if (cert->aki.size == 0 || issuer->ski.size == 0)
        return FIT_UNKNOWN;
    return der_same(cert->aki, issuer->ski) ? FIT_SAME : FIT_DIFFERENT;
}

/* The same name and key twice on a path lead nowhere new, however many certificates say so. */
static bool on_path(const struct judge *j, const struct x509 *cert)
{
    for (size_t i = 0; i < j->path.count; i++)
        if (j->path.cert[i] == cert || (der_same(j->path.cert[i]->subject, cert->subject) &&
                                        der_same(j->path.cert[i]->spki, cert->spki)))
            return true;
    return false;
}

static bool search(struct judge *j);

/* What became of the candidates for one certificate's issuer. */
struct outcome {
    bool any, good; /* a name fitted; a signature, too */
};

/* Tries ISSUER as the next on the path; returns whether that led to a trusted one. */
static bool step(struct judge *j, const struct x509 *issuer, bool anchor, struct outcome *outcome)
{
    size_t depth = j->path.count - 1;
    const struct x509 *cert = j->path.cert[depth];
    if (!anchor && on_path(j, issuer))
        return false;
    outcome->any = true;
    struct edge *edge = look(j, cert, issuer);
    j->exhausted |= !edge;
    if (!edge || edge->signature != SIGNATURE_GOOD) {
        outcome->good |= !edge || edge->signature == SIGNATURE_WEAK; /* told otherwise */
        return false;
    }
    outcome->good = true;
    if (j->path.count == TLS_PATH_MAX) {
        char name[TLS_PATH_NAME];
        tls_path_cert_name(cert, name);
        note(j, TLS_PATH_LENGTH, depth,
             "more than %d certificates up to a CA of the bundle; the last one is %s", TLS_PATH_MAX, name);
        return false;
    }
    j->path.link[depth] = &edge->link;
    j->path.cert[j->path.count++] = issuer;
    bool trusted = anchor ? arrive(j) : search(j);
    if (!trusted)
        j->path.count--;
    return trusted;
}

/* Goes on from the last certificate of the path: the bundle first, then what the peer presented. */
static bool search(struct judge *j)
{
    size_t depth = j->path.count - 1, count;
    const struct x509 *cert = j->path.cert[depth];
    struct outcome outcome = {false, false};
    size_t first = find_roots(j->trust, cert->issuer, &count);
    for (enum fit f = FIT_SAME; f < FIT_COUNT; f++) {
        for (size_t i = first; i < first + count; i++) {
            const struct root *root = j->trust->by_subject[i];
            if (fit(cert, &root->cert) == f && step(j, &root->cert, root->anchor, &outcome))
                return true;
        }
        for (size_t i = 0; i < j->cert_count; i++) {
            const struct x509 *next = &j->certs[i];
            if (der_same(next->subject, cert->issuer) && fit(cert, next) == f &&
                step(j, next, false, &outcome))
                return true;
        }
    }
    char issuer[TLS_PATH_NAME], name[TLS_PATH_NAME];
    tls_path_name(cert->issuer, issuer);
    if (!outcome.any) {
        note(j, TLS_ISSUER_UNKNOWN, depth, "issuer not trusted: %s is not in the CA bundle", issuer);
    } else if (!outcome.good) {
        tls_path_cert_name(cert, name);
        note(j, TLS_BAD_SIGNATURE, depth, "signature is not by the %s that is at hand: %s", issuer, name);
    }
    return false;
}

/* --- the judge --- */

static bool refuse(struct tls_verdict *verdict, enum tls_status status, const char *words)
{
    verdict->status = status;
    snprintf(verdict->words, sizeof verdict->words, "%s", words);
    return false;
}

static const struct root *find_same(const struct tls_trust *trust, const struct x509 *cert)
{
    size_t count, first = find_roots(trust, cert->subject, &count);
    for (size_t i = first; i < first + count; i++)
        if (der_same(trust->by_subject[i]->cert.der, cert->der))
            return trust->by_subject[i];
    return NULL;
}

/* Reads what was presented; only the leaf must be well-formed. */
static bool read_chain(struct judge *j, const struct tls_der *chain, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct x509 *cert = &j->certs[j->cert_count];
        const char *wrong = x509_parse(chain[i].data, chain[i].size, cert);
        if (wrong) {
            note(j, TLS_MALFORMED, i, "certificate %zu of the chain is malformed: %s", i + 1, wrong);
            if (i == 0)
                return false;
            continue;
        }
        bool known = false;
        for (size_t k = 0; k < j->cert_count && !known; k++)
            known = der_same(j->certs[k].der, cert->der);
        if (known || (i > 0 && find_same(j->trust, cert)))
            continue;
        tls_path_recheck(&j->recheck_at, cert->not_before, j->rules.now);
        tls_path_recheck(&j->recheck_at, cert->not_after + 1, j->rules.now);
        j->cert_count++;
    }
    return true;
}

/* Looks for a trusted path from the leaf. */
static bool find(struct judge *j)
{
    const struct x509 *leaf = &j->certs[0];
    const struct root *same = find_same(j->trust, leaf);
    j->path.cert[0] = leaf;
    j->path.count = 1;
    /*
     * A leaf that is itself in the bundle, and that no other member issued (a self-signed peer, say): it was
     * put there to be trusted, so the path is the leaf alone. It must be valid now and fit for the purpose; a
     * CA's certificate, whose key usage is to sign others, is not.
     */
    if (same && same->anchor)
        return arrive(j);
    return search(j);
}

static void judge_chain(struct judge *j, const struct tls_der *chain, size_t count,
                        struct tls_verdict *verdict)
{
    int64_t now = j->rules.now;
    bool trusted = read_chain(j, chain, count) && find(j);
    if (trusted) {
        *verdict = j->found;
        return;
    }
    if (j->exhausted)
        note(j, TLS_TOO_COMPLEX, 0, "no trusted path within %d signature checks", TLS_SIGNATURES_MAX);
    *verdict = j->best;
    verdict->recheck_at = j->recheck_at;
    if (verdict->status == TLS_TRUSTED) {
        /* Nothing found and nothing noted: cannot be, and is no reason to trust. */
        refuse(verdict, TLS_OUT_OF_MEMORY, "not trusted");
        verdict->recheck_at = now;
    }
}

struct tls_verdict tls_judge(const struct tls_trust *trust, const struct tls_der *chain, size_t count,
                             enum tls_purpose purpose, int64_t now)
{
    return tls_judge_told(trust, chain, count, purpose, now, NULL);
}

struct tls_verdict tls_judge_told(const struct tls_trust *trust, const struct tls_der *chain, size_t count,
                                  enum tls_purpose purpose, int64_t now, struct tls_judged *judged)
{
    struct tls_verdict verdict = {.status = TLS_OUT_OF_MEMORY, .recheck_at = INT64_MAX};
    if (judged)
        judged->count = 0;
    if (count == 0) {
        refuse(&verdict, TLS_NONE_PRESENTED, "no certificate presented");
        goto done;
    }
    bool too_long = count > TLS_CHAIN_MAX;
    for (size_t i = 0; i < count; i++)
        too_long |= chain[i].size > TLS_CERT_SIZE_MAX;
    if (too_long) {
        refuse(&verdict, TLS_TOO_LONG, "certificate chain too long");
        goto done;
    }
    struct judge *j = calloc(1, sizeof *j);
    if (!j) {
        refuse(&verdict, TLS_OUT_OF_MEMORY, "out of memory");
        verdict.recheck_at = now;
        goto done;
    }
    j->trust = trust;
    j->rules = (struct tls_path_rules){.options = &trust->options,
                                       .purpose = purpose,
                                       .now = now,
                                       .signatures = TLS_SIGNATURES_MAX,
                                       .comparisons = TLS_COMPARISONS_MAX};
    j->recheck_at = INT64_MAX;
    j->told = judged;
    judge_chain(j, chain, count, &verdict);
    free(j);
done:
    verdict.generation = trust->generation;
    return verdict;
}

const char *tls_status_name(enum tls_status status)
{
    static const char *const names[TLS_STATUS_COUNT] = {
        [TLS_TRUSTED] = "trusted",
        [TLS_NONE_PRESENTED] = "none_presented",
        [TLS_MALFORMED] = "malformed",
        [TLS_TOO_LONG] = "too_long",
        [TLS_ISSUER_UNKNOWN] = "issuer_unknown",
        [TLS_BAD_SIGNATURE] = "bad_signature",
        [TLS_EXPIRED] = "expired",
        [TLS_NOT_YET_VALID] = "not_yet_valid",
        [TLS_REVOKED] = "revoked",
        [TLS_NOT_A_CA] = "not_a_ca",
        [TLS_PATH_LENGTH] = "path_length",
        [TLS_NAME_CONSTRAINTS] = "name_constraints",
        [TLS_WRONG_USAGE] = "wrong_usage",
        [TLS_UNKNOWN_CRITICAL] = "unknown_critical",
        [TLS_WEAK] = "weak",
        [TLS_CRL_MISSING] = "crl_missing",
        [TLS_CRL_EXPIRED] = "crl_expired",
        [TLS_TOO_COMPLEX] = "too_complex",
        [TLS_OUT_OF_MEMORY] = "out_of_memory",
    };
    return (unsigned)status < TLS_STATUS_COUNT ? names[status] : "unknown";
}
