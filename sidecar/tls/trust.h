/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whom to trust, and the one judge of it: an immutable set of roots with its policies, and the verdict on a
 * chain of certificates that a peer presented.
 *
 * The judge knows nothing but what it is given: the presented DERs, the snapshot's roots, a time. Who
 * connected earlier never matters; nothing is added to any store. It looks for a path leaf -> root among the
 * presented certificates in any order (extra roots, cross-signed and unrelated ones do no harm), with a bound
 * on depth and on signature checks, and accepts if one path passes in full: signatures, validity,
 * basicConstraints, pathLen, keyUsage, EKU, name constraints, no unknown critical extension, no weak key or
 * hash, revocation (RFC 5280 section 6).
 *
 * A path ends at a trust anchor: a member of the CA bundle that no other member issued. A member that another
 * one issued (an intermediate beside its root) only helps to find the way, so that what its issuer says of it
 * counts: revoked, expired, constrained. An anchor's own validity, constraints and usage count as well; its
 * signature and its revocation do not. A leaf that is itself an anchor (a self-signed peer that was put into
 * the bundle) is trusted when it is valid and fit for the purpose, which a CA's certificate is not.
 */
#ifndef SIDECAR_TLS_TRUST_H
#define SIDECAR_TLS_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "certrotate/x509.h"

struct crl_index; /* certrotate/crl.h */

/* A certificate (or key) in DER, somebody else's memory. Same shape as x509_slice on purpose. */
#define tls_der x509_slice

enum {
    TLS_CHAIN_MAX = 16,        /* certificates of a presented chain that are looked at */
    TLS_CERT_SIZE_MAX = 65536, /* bytes of one certificate */
    TLS_ROOTS_MAX = 4096,      /* roots in one trust */
    TLS_PATH_MAX = 8,          /* certificates on a path, leaf and root included */
    TLS_SIGNATURES_MAX = 32,   /* signature checks that one verdict may cost, CRLs looked up included */
};

enum tls_purpose {
    TLS_PURPOSE_CLIENT, /* the peer calls us: clientAuth */
    TLS_PURPOSE_SERVER, /* we call the peer: serverAuth */
};

enum tls_crl_missing { TLS_CRL_MISSING_ACCEPT, TLS_CRL_MISSING_REJECT };
enum tls_crl_expired { TLS_CRL_EXPIRED_REJECT, TLS_CRL_EXPIRED_WARN };

enum tls_status {
    TLS_TRUSTED = 0,
    TLS_NONE_PRESENTED,
    TLS_MALFORMED,      /* a certificate that is none */
    TLS_TOO_LONG,       /* more certificates, or bytes, than are looked at */
    TLS_ISSUER_UNKNOWN, /* no path to a root */
    TLS_BAD_SIGNATURE,  /* names fit, the signature does not */
    TLS_EXPIRED,
    TLS_NOT_YET_VALID,
    TLS_REVOKED,
    TLS_NOT_A_CA,         /* an issuer without basicConstraints CA or keyUsage keyCertSign */
    TLS_PATH_LENGTH,      /* pathLenConstraint exceeded, or deeper than TLS_PATH_MAX */
    TLS_NAME_CONSTRAINTS, /* a name outside of an issuer's name constraints */
    TLS_WRONG_USAGE,      /* keyUsage or extended key usage forbids this */
    TLS_UNKNOWN_CRITICAL, /* a critical extension that we do not process */
    TLS_WEAK,             /* RSA below 2048 bits, SHA-1 or MD5, an unsupported key */
    TLS_CRL_MISSING,
    TLS_CRL_EXPIRED,
    TLS_TOO_COMPLEX, /* the search took more signature checks than TLS_SIGNATURES_MAX */
    TLS_OUT_OF_MEMORY,
    TLS_STATUS_COUNT
};

/* Of the certificate that issued the leaf, by a signature that was checked. */
struct tls_issuer {
    struct x509_slice
        ski; /* its subject key identifier; empty: it has none. Memory of the chain or the trust */
    struct x509_slice serial; /* as in struct x509; likewise */
    bool serial_negative;
};

struct tls_verdict {
    enum tls_status status;
    unsigned depth;    /* the certificate it is about: 0 is the leaf; TRUSTED: certificates on the path - 1 */
    bool revoked_leaf; /* status REVOKED and it is the leaf itself that is revoked, all else being fine */
    struct tls_issuer issuer; /* of a leaf that is trusted, or revoked and all else being fine; else empty */
    uint64_t generation;      /* of the trust that it was judged by */
    int64_t
        recheck_at;  /* seconds since 1970; from then on the verdict is to be made anew (INT64_MAX: never) */
    char words[256]; /* e.g. "issuer not trusted: CN=evil,O=x is not in the CA bundle"; never empty */
};

/* Short, stable name of a status for metrics and the rule field cert_verified: "expired", "issuer_unknown"
 * ... */
const char *tls_status_name(enum tls_status status);

struct tls_trust; /* immutable; counted with atomics: workers share it */

struct tls_trust_options {
    const struct crl_index *crls;    /* or NULL; must live until crls_release */
    void (*crls_release)(void *arg); /* called when the trust is freed; may be NULL */
    void *crls_arg;
    enum tls_crl_missing crl_missing; /* REJECT without any crls: nothing is trusted */
    enum tls_crl_expired crl_expired;
};

/*
 * Builds a trust from COUNT roots in DER (copied). Every root must parse; an expired one is kept (it just
 * verifies nothing). Returns it with one reference, or NULL with ERROR (at most ERROR_SIZE bytes) in words.
 * Each trust gets a generation number of its own, never used again in this process. OPTIONS may be NULL: no
 * CRLs.
 */
struct tls_trust *tls_trust_new(const struct tls_der *roots, size_t count,
                                const struct tls_trust_options *options, char *error, size_t error_size)
    __attribute__((warn_unused_result));
struct tls_trust *tls_trust_ref(struct tls_trust *trust);
void tls_trust_unref(struct tls_trust *trust); /* NULL is fine */
uint64_t tls_trust_generation(const struct tls_trust *trust);
size_t tls_trust_count(const struct tls_trust *trust);
const struct x509 *tls_trust_root(const struct tls_trust *trust, size_t index);

/*
 * The judge. CHAIN: DERs as presented, leaf first. NOW: seconds since 1970. Never fails: what it cannot
 * decide is not trusted. Costs a signature check per certificate; callers cache it by tls_peer_verdict().
 */
struct tls_verdict tls_judge(const struct tls_trust *trust, const struct tls_der *chain, size_t count,
                             enum tls_purpose purpose, int64_t now);

#endif
