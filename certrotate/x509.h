/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an X.509 certificate says (RFC 5280), read strictly from its DER: memory in, facts out. No signature
 * is checked and nothing is trusted here; the judge in sidecar/tls/ does that.
 */
#ifndef CERTROTATE_X509_H
#define CERTROTATE_X509_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A piece of somebody else's memory. */
struct x509_slice {
    const uint8_t *data;
    size_t size;
};

enum x509_key_type { X509_KEY_OTHER, X509_KEY_RSA, X509_KEY_EC, X509_KEY_ED25519 };

enum x509_san_kind { X509_SAN_DNS, X509_SAN_URI, X509_SAN_IP, X509_SAN_EMAIL };

struct x509_san {
    enum x509_san_kind kind;
    struct x509_slice value; /* text, or 4 or 16 address bytes */
};

enum { X509_SANS_MAX = 128 };

/* Bits of key usage (RFC 5280 section 4.2.1.3), bit 0 of the BIT STRING first. */
enum x509_key_usage {
    X509_KU_DIGITAL_SIGNATURE = 1 << 0,
    X509_KU_NON_REPUDIATION = 1 << 1,
    X509_KU_KEY_ENCIPHERMENT = 1 << 2,
    X509_KU_DATA_ENCIPHERMENT = 1 << 3,
    X509_KU_KEY_AGREEMENT = 1 << 4,
    X509_KU_KEY_CERT_SIGN = 1 << 5,
    X509_KU_CRL_SIGN = 1 << 6,
};

enum x509_eku {
    X509_EKU_ANY = 1 << 0,
    X509_EKU_SERVER_AUTH = 1 << 1,
    X509_EKU_CLIENT_AUTH = 1 << 2,
    X509_EKU_OTHER = 1 << 3,
};

/* Slices point into the DER given to x509_parse(), which must outlive this. */
struct x509 {
    struct x509_slice der;    /* the whole certificate */
    struct x509_slice tbs;    /* what is signed, header included */
    struct x509_slice serial; /* content octets of the INTEGER without the sign octet, big-endian */
    bool serial_negative;
    struct x509_slice issuer; /* Name, header included: byte-comparable */
    struct x509_slice subject;
    int64_t not_before; /* seconds since 1970, UTC */
    int64_t not_after;
    struct x509_slice spki; /* SubjectPublicKeyInfo, header included */
    enum x509_key_type key_type;
    unsigned key_bits;
    struct x509_slice ski; /* subject key identifier's octets; empty if absent */
    struct x509_slice aki; /* authority key identifier's keyIdentifier octets; empty if absent */
    bool has_basic_constraints;
    bool is_ca;
    int path_len; /* -1: none */
    bool has_key_usage;
    unsigned key_usage; /* x509_key_usage bits */
    bool has_eku;
    unsigned eku; /* x509_eku bits */
    bool has_name_constraints;
    bool unknown_critical; /* a critical extension that we do not process */
    struct x509_san san[X509_SANS_MAX];
    size_t san_count;
    struct x509_slice signature_oid;
};

/*
 * Reads one certificate that fills DER exactly. Returns NULL when it is well-formed, else what is wrong in
 * words (a static string) and CERT is undefined.
 */
const char *x509_parse(const uint8_t *der, size_t size, struct x509 *cert)
    __attribute__((warn_unused_result));

/*
 * Texts of names and numbers, in the formats of the rule fields. Each writes at most SIZE bytes with a final
 * zero and returns the length the whole text has (like snprintf).
 */
size_t x509_name_rfc2253(struct x509_slice name, char *out, size_t size); /* CN=a,O=b\, c */
size_t x509_name_legacy(struct x509_slice name, char *out, size_t size);  /* /O=b, c/CN=a */
size_t x509_serial_hex(const struct x509 *cert, char *out, size_t size);  /* upper-case, two digits a byte */
size_t x509_time_text(int64_t seconds, char *out, size_t size);           /* Dec 25 00:00:00 2026 GMT */

#endif
