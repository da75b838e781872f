/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The judgement on one path whose signatures are known to be good (RFC 5280 section 6.1): everything but who
 * signed whom. trust.c finds the paths; this says what is wrong with one.
 */
#ifndef SIDECAR_TLS_PATH_H
#define SIDECAR_TLS_PATH_H

#include "certrotate/crl.h"
#include "sidecar/tls/trust.h"

enum { TLS_COMPARISONS_MAX = 100000 }; /* of names with constraints, that one verdict may cost */

/* That ISSUER's key signed CERT, and, once asked, whether ISSUER has revoked it. */
struct tls_link {
    const struct x509 *cert, *issuer;
    bool crl_known;
    enum crl_status crl;
    struct crl_hit hit;
};

struct tls_path {
    const struct x509 *cert[TLS_PATH_MAX]; /* leaf first, trust anchor last */
    struct tls_link *link[TLS_PATH_MAX];   /* link[i]: cert[i + 1] signed cert[i] */
    size_t count;
};

/* What all paths of one verdict share. */
struct tls_path_rules {
    const struct tls_trust_options *options;
    enum tls_purpose purpose;
    int64_t now;
    unsigned signatures;  /* checks still allowed; a look at a CRL may be one */
    unsigned comparisons; /* likewise, of names */
};

/* Judges PATH: VERDICT is filled but for its generation. */
void tls_path_judge(const struct tls_path *path, struct tls_path_rules *rules, struct tls_verdict *verdict);

/*
 * Whether NEW tells more about why a peer is refused than OLD: what names a cause that the peer's owner can
 * mend goes before what only says that no path was found.
 */
bool tls_path_tells_more(const struct tls_verdict *new, const struct tls_verdict *old);

/* Whether CERT's key is too weak, or none that is supported; WORDS says why. */
bool tls_path_weak_key(const struct x509 *cert, char *words, size_t words_size);

/* A name in one short line: NAME as RFC 2253, "(no name)" if empty, cut with "..." to fit. */
enum { TLS_PATH_NAME = 100 };
void tls_path_name(struct x509_slice name, char out[TLS_PATH_NAME]);
/* The same for a certificate: its subject, or its first SAN where the subject is empty. */
void tls_path_cert_name(const struct x509 *cert, char out[TLS_PATH_NAME]);

/* Moves RECHECK_AT down to AT, if AT is still to come. */
void tls_path_recheck(int64_t *recheck_at, int64_t at, int64_t now);

#endif
