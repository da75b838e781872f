/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a certificate revocation list says (RFC 5280 section 5), read strictly from its DER: memory in, facts
 * out. No signature is checked here; crl.h does, and answers who is revoked.
 */
#ifndef CERTROTATE_CRL_PARSE_H
#define CERTROTATE_CRL_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "certrotate/x509.h"

/* Slices point into the DER given to crl_parse(), which must outlive this. */
struct crl {
    struct x509_slice der;
    struct x509_slice tbs;    /* what is signed, header included */
    struct x509_slice issuer; /* Name, header included: byte-comparable */
    int64_t this_update;      /* seconds since 1970 */
    int64_t next_update;      /* 0: none given */
    struct x509_slice aki;    /* authority key identifier's keyIdentifier; empty if absent */
    struct x509_slice number; /* cRLNumber, big-endian; empty if absent */
    struct x509_slice scope;  /* issuingDistributionPoint, header included; empty if absent */
    bool is_delta;
    bool is_indirect;          /* lists certificates of other issuers as well */
    bool only_users;           /* speaks of no CA */
    bool only_cas;             /* speaks of CAs alone */
    bool only_attributes;      /* speaks of attribute certificates alone */
    bool only_some_reasons;    /* what it does not list may be revoked elsewhere */
    bool unknown_critical;     /* a critical extension that we do not process; those of entries: crl_next() */
    struct x509_slice entries; /* for crl_next() */
    struct x509_slice signature_algorithm;
    struct x509_slice signature;
};

/* Reads a CRL that fills DER exactly; its entries are not looked at. NULL, or what is wrong in words
 * (static). */
const char *crl_parse(const uint8_t *der, size_t size, struct crl *crl) __attribute__((warn_unused_result));

struct crl_entry {
    struct x509_slice serial; /* as in struct x509 */
    bool serial_negative;
    int64_t revoked_at;
    int reason;            /* CRLReason, or -1 */
    bool unknown_critical; /* the whole CRL cannot be used then (RFC 5280 section 5.3) */
};

/* Takes the next of ENTRIES: 1, or 0 at the end, or -1 when it is malformed. */
int crl_next(struct x509_slice *entries, struct crl_entry *entry) __attribute__((warn_unused_result));

#endif
