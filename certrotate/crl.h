/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Certificate revocation lists (RFC 5280 section 5) as one immutable index: issuer to a hash set of serials,
 * looked up in constant time. Built once per set of credentials, then only read, from any thread.
 *
 * Signatures are checked when the index is built, against the certificates that come with it. A CRL whose
 * issuer is not among them (an intermediate that only peers send) is kept and checked against the issuer's
 * key at each lookup: its digest is at hand, so that costs one signature verification and no pass over the
 * list.
 */
#ifndef CERTROTATE_CRL_H
#define CERTROTATE_CRL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "certrotate/x509.h"

struct crl_index;

enum crl_status {
    CRL_GOOD,    /* a current CRL of this issuer does not list it */
    CRL_REVOKED, /* listed, be the CRL current or expired */
    CRL_MISSING, /* no CRL of this issuer covers it */
    CRL_EXPIRED, /* not listed, but nextUpdate has passed (or thisUpdate is still to come) */
};

/* What a lookup found; filled for every status but CRL_MISSING. */
struct crl_hit {
    int64_t revoked_at;  /* CRL_REVOKED: seconds since 1970 */
    int reason;          /* CRL_REVOKED: CRLReason (RFC 5280 section 5.3.1), -1 when none is given */
    int64_t this_update; /* of the CRL */
    int64_t next_update; /* 0 when it names none */
};

/* Limits; beyond them a CRL is refused. */
enum { CRL_BYTES_MAX = 32 << 20, CRL_ENTRIES_MAX = 1000000, CRL_LISTS_MAX = 1024 };

/* Told of every CRL that is left out and why (a delta, an indirect CRL, an older one of the same issuer ...),
 * and of those whose issuer is not at hand yet. */
typedef void (*crl_warn_fn)(const char *text, void *arg);

/*
 * Builds an index of COUNT CRLs in DER. ISSUERS are the certificates whose keys may have signed them, parsed,
 * and only needed during the call; nothing of CRLS is referred to afterwards either. Returns NULL and writes
 * the cause in words to ERROR when one is malformed, has an unknown critical extension, is too large or
 * carries a wrong signature. WARN may be NULL.
 */
struct crl_index *crl_index_new(const struct x509_slice *crls, size_t count, const struct x509 *issuers,
                                size_t issuer_count, crl_warn_fn warn, void *arg, char *error,
                                size_t error_size) __attribute__((warn_unused_result));
void crl_index_free(struct crl_index *index);

/*
 * Whether ISSUER has revoked CERT, at NOW (seconds since 1970). That ISSUER issued CERT is the caller's to
 * know. A NULL index means CRL_MISSING. HIT may be NULL.
 */
enum crl_status crl_index_lookup(const struct crl_index *index, const struct x509 *issuer,
                                 const struct x509 *cert, int64_t now, struct crl_hit *hit)
    __attribute__((warn_unused_result));

/* The words of RFC 5280 for a reason: "keyCompromise"; "unspecified" for -1 and 0. */
const char *crl_reason_name(int reason);

/* Figures for metrics: lists and entries held, bytes of memory, and the earliest nextUpdate (0: none). */
struct crl_stats {
    size_t lists;
    size_t entries;
    size_t bytes;
    int64_t next_update;
};
struct crl_stats crl_index_stats(const struct crl_index *index);

/* One list of an index. */
struct crl_list {
    struct x509_slice issuer; /* Name, header included; the index's own memory */
    size_t entries;
    int64_t this_update;
    int64_t next_update; /* 0: none */
};
/* The NUMBERth list, from 0; false: there are no more. A NULL index has none. */
bool crl_index_list(const struct crl_index *index, size_t number, struct crl_list *out);

#endif
