/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/tls/path.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "certrotate/der.h"
#include "sidecar/tls/constraints.h"

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 4096, WHEN_SIZE = 96 };

/* --- words --- */

static void ellipsis(char *out, size_t size)
{
    memcpy(out + size - 4, "...", 4);
}

void tls_path_name(struct x509_slice name, char out[TLS_PATH_NAME])
{
    size_t length = x509_name_rfc2253(name, out, TLS_PATH_NAME);
    if (length == 0)
        snprintf(out, TLS_PATH_NAME, "(no name)");
    else if (length >= TLS_PATH_NAME)
        ellipsis(out, TLS_PATH_NAME);
}

void tls_path_cert_name(const struct x509 *cert, char out[TLS_PATH_NAME])
{
    static const char *const label[] = {
        [X509_SAN_DNS] = "DNS", [X509_SAN_URI] = "URI", [X509_SAN_EMAIL] = "email", [X509_SAN_IP] = "IP"};
    if (x509_name_rfc2253(cert->subject, NULL, 0) > 0 || cert->san_count == 0) {
        tls_path_name(cert->subject, out);
        return;
    }
    const struct x509_san *san = &cert->san[0];
    char ip[INET6_ADDRSTRLEN];
    struct x509_slice text = san->value;
    if (san->kind == X509_SAN_IP) {
        inet_ntop(text.size == 4 ? AF_INET : AF_INET6, text.data, ip, sizeof ip);
        text = (struct x509_slice){(const uint8_t *)ip, strlen(ip)};
    }
    int n = snprintf(out, TLS_PATH_NAME, "%s:%.*s", label[san->kind],
                     (int)(text.size < TLS_PATH_NAME ? text.size : TLS_PATH_NAME), (const char *)text.data);
    if (n >= TLS_PATH_NAME)
        ellipsis(out, TLS_PATH_NAME);
}

/* "3 days", "1 hour" */
static void span_words(int64_t seconds, char *out, size_t size)
{
    static const struct {
        int64_t seconds;
        const char *word;
    } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
    size_t u = 0;
    while (u < 3 && seconds < units[u].seconds)
        u++;
    int64_t n = seconds / units[u].seconds;
    snprintf(out, size, "%" PRId64 " %s%s", n, units[u].word, n == 1 ? "" : "s");
}

/* "3 days ago (2026-11-21 10:00:00 GMT)" or "in 2 hours (...)" */
static void when_words(int64_t at, int64_t now, char out[WHEN_SIZE])
{
    char span[40], date[32];
    time_t t = (time_t)at;
    struct tm tm;
    if (!gmtime_r(&t, &tm) || strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S GMT", &tm) == 0)
        snprintf(date, sizeof date, "%" PRId64, at);
    span_words(at > now ? at - now : now - at, span, sizeof span);
    snprintf(out, WHEN_SIZE, "%s%s%s (%s)", at > now ? "in " : "", span, at > now ? "" : " ago", date);
}

/* --- findings --- */

/* Higher: tells more. */
static int rank(enum tls_status status)
{
    static const enum tls_status order[] = {
        TLS_ISSUER_UNKNOWN, TLS_MALFORMED,   TLS_BAD_SIGNATURE,    TLS_TOO_COMPLEX, TLS_PATH_LENGTH,
        TLS_NOT_A_CA,       TLS_WEAK,        TLS_UNKNOWN_CRITICAL, TLS_WRONG_USAGE, TLS_NAME_CONSTRAINTS,
        TLS_CRL_MISSING,    TLS_CRL_EXPIRED, TLS_NOT_YET_VALID,    TLS_EXPIRED,     TLS_REVOKED,
    };
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (order[i] == status)
            return (int)i;
    return -1;
}

bool tls_path_tells_more(const struct tls_verdict *new, const struct tls_verdict *old)
{
    int a = rank(new->status), b = rank(old->status);
    return a > b || (a == b && new->revoked_leaf && !old->revoked_leaf);
}

void tls_path_recheck(int64_t *recheck_at, int64_t at, int64_t now)
{
    if (at > now && at < *recheck_at)
        *recheck_at = at;
}

/* One path, as its faults are gathered. */
struct judging {
    const struct tls_path *path;
    struct tls_path_rules *rules;
    struct tls_verdict *verdict;
    unsigned faults, leaf_revocations;
    char remark[160]; /* what the words of a trusted one add; "" if nothing */
};

static void fault(struct judging *j, enum tls_status status, size_t depth, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void fault(struct judging *j, enum tls_status status, size_t depth, const char *format, ...)
{
    struct tls_verdict found = {.status = status, .depth = (unsigned)depth};
    j->faults++;
    if (j->verdict->status != TLS_TRUSTED && !tls_path_tells_more(&found, j->verdict))
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(j->verdict->words, sizeof j->verdict->words, format, args);
    va_end(args);
    j->verdict->status = status;
    j->verdict->depth = (unsigned)depth;
}

/* --- the checks of each certificate --- */

static bool self_issued(const struct x509 *cert)
{
    return der_same(cert->subject, cert->issuer);
}

static void check_time(struct judging *j, size_t i)
{
    const struct x509 *cert = j->path->cert[i];
    int64_t now = j->rules->now;
    char name[TLS_PATH_NAME], when[WHEN_SIZE];
    const char *what = i > 0 ? "CA certificate" : "certificate";
    tls_path_recheck(&j->verdict->recheck_at, cert->not_before, now);
    tls_path_recheck(&j->verdict->recheck_at, cert->not_after + 1, now);
    if (now >= cert->not_before && now <= cert->not_after)
        return;
    tls_path_cert_name(cert, name);
    if (now > cert->not_after) {
        when_words(cert->not_after, now, when);
        fault(j, TLS_EXPIRED, i, "%s expired %s: %s", what, when, name);
    } else {
        when_words(cert->not_before, now, when);
        fault(j, TLS_NOT_YET_VALID, i, "%s becomes valid only %s: %s", what, when, name);
    }
}

bool tls_path_weak_key(const struct x509 *cert, char *words, size_t words_size)
{
    if (cert->key_type == X509_KEY_OTHER) {
        snprintf(words, words_size, "a public key of an unsupported kind");
        return true;
    }
    if (cert->key_type != X509_KEY_RSA || (cert->key_bits >= RSA_BITS_MIN && cert->key_bits <= RSA_BITS_MAX))
        return false;
    snprintf(words, words_size, "an RSA key of %u bits (%d to %d are accepted)", cert->key_bits, RSA_BITS_MIN,
             RSA_BITS_MAX);
    return true;
}

static void check_key(struct judging *j, size_t i)
{
    char name[TLS_PATH_NAME], why[80];
    if (!tls_path_weak_key(j->path->cert[i], why, sizeof why))
        return;
    tls_path_cert_name(j->path->cert[i], name);
    fault(j, TLS_WEAK, i, "certificate has %s: %s", why, name);
}

/* basicConstraints, pathLenConstraint and keyCertSign: RFC 5280 section 6.1.4 (k) to (n). */
static void check_ca(struct judging *j, size_t i)
{
    const struct x509 *cert = j->path->cert[i];
    char name[TLS_PATH_NAME];
    int below = 0;
    tls_path_cert_name(cert, name);
    if (!cert->is_ca)
        fault(j, TLS_NOT_A_CA, i, "issued by a certificate that is not a CA's: %s", name);
    else if (cert->has_key_usage && !(cert->key_usage & X509_KU_KEY_CERT_SIGN))
        fault(j, TLS_NOT_A_CA, i, "issued by a CA whose key usage lacks keyCertSign: %s", name);
    for (size_t k = 1; k < i; k++)
        below += !self_issued(j->path->cert[k]);
    if (cert->path_len >= 0 && below > cert->path_len)
        fault(j, TLS_PATH_LENGTH, i, "%d intermediate CAs where %d are allowed by %s", below, cert->path_len,
              name);
}

static void check_usage(struct judging *j, size_t i)
{
    const struct x509 *cert = j->path->cert[i];
    bool client = j->rules->purpose == TLS_PURPOSE_CLIENT;
    unsigned wanted = X509_EKU_ANY | (unsigned)(client ? X509_EKU_CLIENT_AUTH : X509_EKU_SERVER_AUTH);
    char name[TLS_PATH_NAME];
    tls_path_cert_name(cert, name);
    if (cert->has_eku && !(cert->eku & wanted))
        fault(j, TLS_WRONG_USAGE, i, "%s not for %s (extended key usage): %s",
              i > 0 ? "CA certificate" : "certificate", client ? "clients" : "servers", name);
    /* Every handshake of ours is signed by the leaf's key. */
    if (i == 0 && cert->has_key_usage && !(cert->key_usage & X509_KU_DIGITAL_SIGNATURE))
        fault(j, TLS_WRONG_USAGE, i, "certificate whose key usage lacks digitalSignature: %s", name);
}

static void check_extensions(struct judging *j, size_t i)
{
    char name[TLS_PATH_NAME];
    if (!j->path->cert[i]->unknown_critical)
        return;
    tls_path_cert_name(j->path->cert[i], name);
    fault(j, TLS_UNKNOWN_CRITICAL, i, "unknown critical extension in %s", name);
}

/* --- name constraints --- */

static void check_constraints(struct judging *j, size_t i)
{
    const struct x509 *ca = j->path->cert[i];
    char ca_name[TLS_PATH_NAME], outside[TLS_PATH_NAME];
    if (!ca->has_name_constraints)
        return;
    tls_path_cert_name(ca, ca_name);
    for (size_t k = 0; k < i; k++) {
        /* RFC 5280 section 6.1.4 (b): a self-issued intermediate is exempt. */
        if (k > 0 && self_issued(j->path->cert[k]))
            continue;
        switch (
            tls_constraints_check(ca, j->path->cert[k], &j->rules->comparisons, outside, sizeof outside)) {
        case TLS_CONSTRAINTS_OK: break;
        case TLS_CONSTRAINTS_OUTSIDE:
            fault(j, TLS_NAME_CONSTRAINTS, k, "name outside of the constraints of %s: %s", ca_name, outside);
            break;
        case TLS_CONSTRAINTS_UNSUPPORTED:
            fault(j, TLS_NAME_CONSTRAINTS, i, "name constraints that cannot be processed: %s", ca_name);
            return;
        case TLS_CONSTRAINTS_TOO_COMPLEX:
            fault(j, TLS_TOO_COMPLEX, i, "too many name constraints: %s", ca_name);
            return;
        }
    }
}

/* --- revocation --- */

static bool look_up(struct judging *j, struct tls_link *link)
{
    if (link->crl_known)
        return true;
    if (j->rules->signatures == 0)
        return false;
    j->rules->signatures--;
    link->hit = (struct crl_hit){0};
    link->crl =
        crl_index_lookup(j->rules->options->crls, link->issuer, link->cert, j->rules->now, &link->hit);
    link->crl_known = true;
    return true;
}

static void crl_expired(struct judging *j, size_t i, const struct crl_hit *hit, const char *issuer)
{
    int64_t now = j->rules->now;
    bool early = hit->this_update > now;
    char when[WHEN_SIZE];
    when_words(early ? hit->this_update : hit->next_update, now, when);
    if (j->rules->options->crl_expired == TLS_CRL_EXPIRED_REJECT)
        fault(j, TLS_CRL_EXPIRED, i, "revocation list %s %s: %s", early ? "becomes valid only" : "expired",
              when, issuer);
    else
        snprintf(j->remark, sizeof j->remark, "; its revocation list %s %s",
                 early ? "becomes valid only" : "expired", when);
}

static void check_revocation(struct judging *j, size_t i)
{
    struct tls_link *link = j->path->link[i];
    char name[TLS_PATH_NAME], issuer[TLS_PATH_NAME], when[WHEN_SIZE];
    tls_path_cert_name(link->cert, name);
    tls_path_cert_name(link->issuer, issuer);
    if (!look_up(j, link)) {
        fault(j, TLS_TOO_COMPLEX, i, "too many signatures to check: %s", name);
        return;
    }
    if (link->crl != CRL_MISSING) {
        tls_path_recheck(&j->verdict->recheck_at, link->hit.this_update, j->rules->now);
        tls_path_recheck(&j->verdict->recheck_at, link->hit.next_update, j->rules->now);
    }
    switch (link->crl) {
    case CRL_GOOD: return;
    case CRL_REVOKED:
        when_words(link->hit.revoked_at, j->rules->now, when);
        fault(j, TLS_REVOKED, i, "%s revoked %s, %s: %s", i > 0 ? "CA certificate" : "certificate", when,
              crl_reason_name(link->hit.reason), name);
        j->leaf_revocations += i == 0;
        return;
    case CRL_MISSING:
        if (j->rules->options->crl_missing == TLS_CRL_MISSING_REJECT)
            fault(j, TLS_CRL_MISSING, i, "no revocation list of %s", issuer);
        return;
    case CRL_EXPIRED: crl_expired(j, i, &link->hit, issuer); return;
    }
    fault(j, TLS_CRL_MISSING, i, "revocation cannot be told: %s", name);
}

/* --- the whole --- */

void tls_path_judge(const struct tls_path *path, struct tls_path_rules *rules, struct tls_verdict *verdict)
{
    struct judging j = {.path = path, .rules = rules, .verdict = verdict};
    bool revocation = rules->options->crls || rules->options->crl_missing == TLS_CRL_MISSING_REJECT;
    *verdict = (struct tls_verdict){.status = TLS_TRUSTED, .recheck_at = INT64_MAX};
    for (size_t i = 0; i < path->count; i++) {
        check_time(&j, i);
        check_key(&j, i);
        check_extensions(&j, i);
        check_usage(&j, i);
        if (i > 0) {
            check_ca(&j, i);
            check_constraints(&j, i);
        }
        if (revocation && i + 1 < path->count)
            check_revocation(&j, i);
    }
    /* All else being fine: the leaf's own revocation is the only fault there is. */
    verdict->revoked_leaf = j.leaf_revocations == 1 && j.faults == 1;
    if (verdict->status != TLS_TRUSTED)
        return;
    char name[TLS_PATH_NAME];
    tls_path_cert_name(path->cert[path->count - 1], name);
    verdict->depth = (unsigned)path->count - 1;
    snprintf(verdict->words, sizeof verdict->words, "trusted by %s%.120s", name, j.remark);
}
