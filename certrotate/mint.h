/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Signs certificates, certificate requests and CRLs: what RFC 5280 and RFC 2986 want of them, as DER. */
#ifndef CERTROTATE_MINT_H
#define CERTROTATE_MINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "certrotate/der_write.h"
#include "certrotate/failure.h"
#include "certrotate/key.h"

enum { MINT_SERIAL = 16, MINT_KEY_ID = 20 };

struct mint_certificate {
    uint8_t serial[MINT_SERIAL]; /* mint_serial() */
    struct x509_slice subject;   /* Name, header included */
    struct x509_slice sans;      /* GeneralNames without their SEQUENCE; may be empty */
    struct x509_slice spki;      /* of the subject */
    int64_t not_before;          /* seconds since 1970 */
    int64_t not_after;
    bool is_ca;
    int path_len;              /* is_ca: -1: none */
    unsigned eku;              /* not is_ca: X509_EKU_SERVER_AUTH, X509_EKU_CLIENT_AUTH */
    const struct x509 *issuer; /* NULL: self-signed */
};

/* A random positive serial number of 16 octets. */
bool mint_serial(uint8_t serial[MINT_SERIAL]) __attribute__((warn_unused_result));

/* The key identifier we give a public key: SHA-256, its first 160 bits (RFC 7093 section 2, method 1). */
void mint_key_id(struct x509_slice public_key, uint8_t id[MINT_KEY_ID]);

/* Writes the certificate, signed by KEY (the issuer's). */
bool mint_certificate(const struct mint_certificate *m, const struct key *key, struct der_out *out,
                      struct failure *f) __attribute__((warn_unused_result));

/* Writes a request for SUBJECT and SANS, signed by KEY. */
bool mint_request(struct x509_slice subject, struct x509_slice sans, const struct key *key,
                  struct der_out *out, struct failure *f) __attribute__((warn_unused_result));

struct mint_revoked {
    struct x509_slice serial; /* big-endian, positive */
    int64_t time;
    int reason; /* CRLReason; 0 is left out */
};

struct mint_crl {
    const struct x509 *issuer;
    uint64_t number;
    int64_t this_update;
    int64_t next_update;
    const struct mint_revoked *revoked;
    size_t count;
};

bool mint_crl(const struct mint_crl *m, const struct key *key, struct der_out *out, struct failure *f)
    __attribute__((warn_unused_result));

#endif
