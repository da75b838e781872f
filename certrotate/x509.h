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
    X509_KU_ENCIPHER_ONLY = 1 << 7,
    X509_KU_DECIPHER_ONLY = 1 << 8,
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
    unsigned version;         /* 1, 2 or 3 */
    struct x509_slice serial; /* content octets of the INTEGER without the sign octet, big-endian */
    bool serial_negative;
    struct x509_slice issuer; /* Name, header included: byte-comparable */
    struct x509_slice subject;
    int64_t not_before; /* seconds since 1970, UTC */
    int64_t not_after;
    struct x509_slice spki; /* SubjectPublicKeyInfo, header included */
    struct x509_slice
        public_key; /* octets of its BIT STRING: RSAPublicKey, an EC point, 32 octets of Ed25519 */
    enum x509_key_type key_type;  /* OTHER: an algorithm, curve or point form that is not named above */
    unsigned key_bits;            /* 0 with OTHER */
    struct x509_slice ski;        /* subject key identifier's octets; empty if absent */
    struct x509_slice aki;        /* authority key identifier's keyIdentifier octets; empty if absent */
    struct x509_slice aki_issuer; /* its authorityCertIssuer: content of the GeneralNames; empty if absent */
    struct x509_slice aki_serial; /* its authorityCertSerialNumber, as SERIAL (sign left aside) */
    bool has_basic_constraints;
    bool is_ca;
    int path_len; /* -1: none */
    bool has_key_usage;
    unsigned key_usage; /* x509_key_usage bits */
    bool has_eku;
    unsigned eku; /* x509_eku bits */
    bool has_name_constraints;
    struct x509_slice name_constraints; /* the extension's value: NameConstraints, header included */
    bool unknown_critical;              /* a critical extension that we do not process */
    struct x509_san san[X509_SANS_MAX];
    size_t san_count;
    bool san_has_other;          /* names of other kinds were left out of SAN: otherName, directoryName ... */
    bool san_too_many;           /* more than X509_SANS_MAX: the rest was checked but left out of SAN */
    struct x509_slice san_names; /* every GeneralName: the SEQUENCE's content */
    struct x509_slice signature_oid;       /* content octets of the OID */
    struct x509_slice signature_algorithm; /* whole AlgorithmIdentifier, parameters included */
    struct x509_slice signature;           /* octets of the BIT STRING */
};

enum {
    X509_ATTRIBUTES_MAX = 128, /* attributes in one Name; more is malformed */
    X509_EXTENSIONS_MAX = 128, /* extensions of one certificate; more is malformed */
};

/*
 * Reads one certificate that fills DER exactly. Returns NULL when it is well-formed, else what is wrong in
 * words (a static string) and CERT is undefined. Refused beyond RFC 5280's syntax: an extension that comes
 * twice, inner and outer signature algorithm that differ, SANs with bytes outside printable ASCII. Accepted
 * although RFC 5280 forbids it, because it is in use and does no harm: serial numbers that are zero, negative
 * or longer than 20 octets, and a FALSE that DER would leave out.
 */
const char *x509_parse(const uint8_t *der, size_t size, struct x509 *cert)
    __attribute__((warn_unused_result));

/*
 * Reads one certificate request (PKCS #10, RFC 2986) in the same way: subject, public key, the extensions
 * that it asks for, and the signature are filled in; tbs is the CertificationRequestInfo. The signature is
 * not checked.
 */
const char *x509_parse_request(const uint8_t *der, size_t size, struct x509 *request)
    __attribute__((warn_unused_result));

/*
 * Texts of names and numbers, in the formats of the rule fields. Each writes at most SIZE bytes with a final
 * zero and returns the length the whole text has (like snprintf).
 */
size_t x509_name_rfc2253(struct x509_slice name, char *out, size_t size); /* CN=a,O=b\, c */
size_t x509_name_legacy(struct x509_slice name, char *out, size_t size);  /* /O=b, c/CN=a */
size_t x509_serial_hex(const struct x509 *cert, char *out, size_t size);  /* upper-case, two digits a byte */
size_t x509_time_text(int64_t seconds, char *out, size_t size);           /* Dec 25 00:00:00 2026 GMT */
size_t x509_hex(struct x509_slice octets, bool upper, char *out, size_t size);
size_t x509_integer_hex(struct x509_slice octets, bool negative, char *out, size_t size); /* as serial_hex */

/* Digests of DER (a whole certificate), raw. */
void x509_sha256(struct x509_slice der, uint8_t digest[32]);
void x509_sha1(struct x509_slice der, uint8_t digest[20]);

/* --- names --- */

/* One attribute of a Name. */
struct x509_attribute {
    struct x509_slice oid;   /* content octets */
    uint8_t tag;             /* of the value: DER_UTF8_STRING ... */
    struct x509_slice value; /* content octets, as encoded */
    struct x509_slice whole; /* the value, header included */
    bool joins;              /* stands in the same RDN as the attribute before */
};

/*
 * Checks a Name (a SEQUENCE, header included) and lists its attributes in encoding order. Returns their
 * number, or -1 when NAME is malformed or has more than X509_ATTRIBUTES_MAX. OUT has room for MAX; more are
 * counted only. May be NULL with MAX 0.
 */
int x509_name_attributes(struct x509_slice name, struct x509_attribute *out, size_t max);

/* The attribute's short name, or NULL: "CN", "O", "OU", "emailAddress" ... */
const char *x509_oid_name(struct x509_slice oid);

/* An OID in dotted form: 2.5.4.3 */
size_t x509_oid_text(struct x509_slice oid, char *out, size_t size);

/*
 * The INDEXth attribute (from 0, in encoding order) whose short name is TYPE ("CN"), as UTF-8 (a byte that
 * cannot be shown as such stays as it is). False: there is none. *LENGTH: as snprintf; may be NULL.
 */
bool x509_name_attribute(struct x509_slice name, const char *type, size_t index, char *out, size_t size,
                         size_t *length);

#endif
