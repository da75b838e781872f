/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Signatures on certificates, CRLs and requests: RSA PKCS #1 v1.5 and RSA-PSS (2048 to 4096 bits), ECDSA on
 * P-256, P-384 and P-521, each with SHA-256, SHA-384 or SHA-512, and Ed25519. Nothing else passes; SHA-1 and
 * MD5 are refused as weak. Pure: may be called from any thread.
 */
#ifndef CERTROTATE_VERIFY_H
#define CERTROTATE_VERIFY_H

#include "certrotate/x509.h"

/*
 * Whether ISSUER's key made SIGNATURE over TBS by SIGNATURE_ALGORITHM (a whole AlgorithmIdentifier, as in
 * struct x509). NULL: it did. Else why not, in words (static).
 */
const char *x509_verify(const struct x509 *issuer, struct x509_slice tbs,
                        struct x509_slice signature_algorithm, struct x509_slice signature)
    __attribute__((warn_unused_result));

/* Whether an algorithm is one of ours: NULL, or words that say why it is not. WEAK (may be NULL): because of
 * its hash. */
const char *x509_verify_algorithm(struct x509_slice signature_algorithm, bool *weak)
    __attribute__((warn_unused_result));

/*
 * The same check in two steps, for something large that is met again: the digest first, the key later.
 * Ed25519 hashes the key along with the message, so that it has no such digest: SIZE is 0 then, and TBS
 * itself must be at hand for x509_verify().
 */
struct x509_digest {
    uint8_t octets[64];
    size_t size;
};
const char *x509_verify_hash(struct x509_slice tbs, struct x509_slice signature_algorithm,
                             struct x509_digest *digest) __attribute__((warn_unused_result));
const char *x509_verify_digest(const struct x509 *issuer, const struct x509_digest *digest,
                               struct x509_slice signature_algorithm, struct x509_slice signature)
    __attribute__((warn_unused_result));

/*
 * Whether KEY (DER: PKCS #8, SEC 1 or PKCS #1, not encrypted) is the private key of CERT: signs with it and
 * verifies by the certificate. NULL: it is. Else words; MISMATCH (may be NULL) tells a sound key of another
 * certificate from one that cannot be used.
 */
const char *x509_key_matches(const struct x509 *cert, struct x509_slice key, bool *mismatch)
    __attribute__((warn_unused_result));

#endif
