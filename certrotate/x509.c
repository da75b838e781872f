/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "certrotate/x509.h"

#include <limits.h>
#include <string.h>

#include "certrotate/der.h"

/* --- object identifiers, content octets --- */
#define OID_EC_KEY "\x2a\x86\x48\xce\x3d\x02\x01"
#define OID_P256 "\x2a\x86\x48\xce\x3d\x03\x01\x07"
#define OID_P384 "\x2b\x81\x04\x00\x22"
#define OID_P521 "\x2b\x81\x04\x00\x23"
#define OID_RSA "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
#define OID_ED25519 "\x2b\x65\x70"
#define OID_SERVER_AUTH "\x2b\x06\x01\x05\x05\x07\x03\x01"
#define OID_CLIENT_AUTH "\x2b\x06\x01\x05\x05\x07\x03\x02"
#define OID_ANY_EKU "\x55\x1d\x25\x00"
#define OID_EXTENSION_REQUEST "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e"

#define IS_OID(slice, oid) der_equal((slice), (oid), sizeof(oid) - 1)

/* Takes an OID with at least one arc, whose last one ends. */
static bool take_oid(struct der *in, struct x509_slice *oid)
{
    struct der content;
    if (!der_take(in, DER_OID, &content))
        return false;
    *oid = der_rest(&content);
    return oid->size > 0 && !(oid->data[oid->size - 1] & 0x80);
}

/* --- the public key --- */

/* Bits of the modulus, or 0 when this is no RSAPublicKey (RFC 8017 appendix A.1.1). */
static size_t rsa_bits(struct x509_slice octets)
{
    struct der in = der_from_slice(octets), key;
    struct x509_slice modulus, exponent;
    bool negative;
    if (!der_take(&in, DER_SEQUENCE, &key) || !der_empty(&in))
        return 0;
    if (!der_integer(&key, &modulus, &negative) || negative || modulus.data[0] == 0)
        return 0;
    if (!der_integer(&key, &exponent, &negative) || negative || exponent.data[0] == 0 || !der_empty(&key))
        return 0;
    size_t bits = modulus.size * 8;
    for (uint8_t top = modulus.data[0]; !(top & 0x80); top = (uint8_t)(top << 1))
        bits--;
    return bits;
}

static const char *read_ec_key(struct der *parameters, struct x509 *cert)
{
    struct x509_slice curve;
    if (der_peek(parameters) != DER_OID)
        return NULL; /* explicit curve parameters: OTHER */
    if (!take_oid(parameters, &curve) || !der_empty(parameters))
        return "malformed curve of the public key";
    unsigned bits = IS_OID(curve, OID_P256)   ? 256
                    : IS_OID(curve, OID_P384) ? 384
                    : IS_OID(curve, OID_P521) ? 521
                                              : 0;
    if (bits == 0 || cert->public_key.size == 0)
        return NULL;
    if (cert->public_key.data[0] != 0x04)
        return NULL; /* a compressed point: OTHER */
    if (cert->public_key.size != 1 + 2 * ((bits + 7) / 8))
        return "public key does not fit its curve";
    cert->key_type = X509_KEY_EC;
    cert->key_bits = bits;
    return NULL;
}

static const char *read_spki(struct der *tbs, struct x509 *cert)
{
    struct der spki, algorithm;
    struct x509_slice oid;
    unsigned unused;
    if (!der_take_whole(tbs, DER_SEQUENCE, &spki, &cert->spki) ||
        !der_take(&spki, DER_SEQUENCE, &algorithm) || !take_oid(&algorithm, &oid) ||
        !der_bits(&spki, &cert->public_key, &unused) || unused != 0 || !der_empty(&spki))
        return "malformed public key";
    if (IS_OID(oid, OID_RSA)) {
        struct der null;
        size_t bits = rsa_bits(cert->public_key);
        if (bits == 0 || bits > UINT_MAX || !der_take(&algorithm, DER_NULL, &null) || !der_empty(&null) ||
            !der_empty(&algorithm))
            return "malformed RSA public key";
        cert->key_type = X509_KEY_RSA;
        cert->key_bits = (unsigned)bits;
    } else if (IS_OID(oid, OID_EC_KEY)) {
        return read_ec_key(&algorithm, cert);
    } else if (IS_OID(oid, OID_ED25519)) {
        if (!der_empty(&algorithm) || cert->public_key.size != 32)
            return "malformed Ed25519 public key";
        cert->key_type = X509_KEY_ED25519;
        cert->key_bits = 256;
    }
    return NULL;
}

/* --- extensions (RFC 5280 section 4.2) --- */

/* A BOOLEAN DEFAULT FALSE. An encoded FALSE is not DER, but issuers write it and it means the same. */
static bool take_default_false(struct der *in, bool *value)
{
    *value = false;
    return der_peek(in) != DER_BOOLEAN || der_bool(in, value);
}

/* The value of an extension must be one SEQUENCE and nothing else. */
static bool only_sequence(struct x509_slice value, struct der *content)
{
    struct der in = der_from_slice(value);
    return der_take(&in, DER_SEQUENCE, content) && der_empty(&in);
}

static const char *read_basic_constraints(struct x509_slice value, struct x509 *cert)
{
    struct der in;
    uint32_t path_len;
    cert->has_basic_constraints = true;
    if (!only_sequence(value, &in) || !take_default_false(&in, &cert->is_ca))
        return "malformed basicConstraints";
    if (der_empty(&in))
        return NULL;
    if (!der_uint(&in, INT_MAX, &path_len) || !der_empty(&in))
        return "malformed basicConstraints";
    cert->path_len = (int)path_len;
    return NULL;
}

static const char *read_key_usage(struct x509_slice value, struct x509 *cert)
{
    struct der in = der_from_slice(value);
    struct x509_slice bits;
    unsigned unused;
    if (!der_bits(&in, &bits, &unused) || !der_empty(&in))
        return "malformed keyUsage";
    cert->has_key_usage = true;
    for (unsigned i = 0; i < 9 && i / 8 < bits.size; i++)
        if (bits.data[i / 8] & (0x80 >> i % 8))
            cert->key_usage |= 1u << i;
    return NULL;
}

static const char *read_eku(struct x509_slice value, struct x509 *cert)
{
    struct der in;
    struct x509_slice oid;
    if (!only_sequence(value, &in) || der_empty(&in))
        return "malformed extendedKeyUsage";
    cert->has_eku = true;
    while (!der_empty(&in)) {
        if (!take_oid(&in, &oid))
            return "malformed extendedKeyUsage";
        cert->eku |= IS_OID(oid, OID_SERVER_AUTH)   ? X509_EKU_SERVER_AUTH
                     : IS_OID(oid, OID_CLIENT_AUTH) ? X509_EKU_CLIENT_AUTH
                     : IS_OID(oid, OID_ANY_EKU)     ? X509_EKU_ANY
                                                    : X509_EKU_OTHER;
    }
    return NULL;
}

static const char *read_ski(struct x509_slice value, struct x509 *cert)
{
    struct der in = der_from_slice(value), content;
    if (!der_take(&in, DER_OCTET_STRING, &content) || !der_empty(&in))
        return "malformed subjectKeyIdentifier";
    cert->ski = der_rest(&content);
    return NULL;
}

static const char *read_aki(struct x509_slice value, struct x509 *cert)
{
    static const char wrong[] = "malformed authorityKeyIdentifier";
    struct der in, content;
    bool found;
    if (!only_sequence(value, &in) || !der_maybe(&in, DER_CONTEXT(0), &content, &found))
        return wrong;
    if (found)
        cert->aki = der_rest(&content);
    if (!der_maybe(&in, DER_CONTEXT_CONS(1), &content, &found))
        return wrong;
    if (found)
        cert->aki_issuer = der_rest(&content);
    if (!der_maybe(&in, DER_CONTEXT(2), &content, &found) || !der_empty(&in))
        return wrong;
    if (found) {
        struct x509_slice serial = der_rest(&content);
        if (serial.size == 0)
            return wrong;
        if (serial.size > 1 && serial.data[0] == 0)
            serial = (struct x509_slice){serial.data + 1, serial.size - 1};
        cert->aki_serial = serial;
    }
    return NULL;
}

/* IA5String as used for DNS names, URIs and mail addresses: printable, so that no text of ours is cut short.
 */
static bool printable(struct x509_slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < 0x20 || text.data[i] > 0x7e)
            return false;
    return text.size > 0;
}

static const char *read_general_name(struct der *in, struct x509 *cert)
{
    uint8_t tag;
    struct der content;
    struct x509_san san;
    if (!der_any(in, &tag, &content, NULL))
        return "malformed subjectAltName";
    san.value = der_rest(&content);
    switch (tag) {
    case DER_CONTEXT(1): san.kind = X509_SAN_EMAIL; break;
    case DER_CONTEXT(2): san.kind = X509_SAN_DNS; break;
    case DER_CONTEXT(6): san.kind = X509_SAN_URI; break;
    case DER_CONTEXT(7): san.kind = X509_SAN_IP; break;
    case DER_CONTEXT_CONS(0): /* otherName */
    case DER_CONTEXT_CONS(3): /* x400Address */
    case DER_CONTEXT_CONS(4): /* directoryName */
    case DER_CONTEXT_CONS(5): /* ediPartyName */
    case DER_CONTEXT(8): /* registeredID */ cert->san_has_other = true; return NULL;
    default: return "subjectAltName of an unknown kind";
    }
    if (san.kind == X509_SAN_IP) {
        if (san.value.size != 4 && san.value.size != 16)
            return "IP address in subjectAltName has neither 4 nor 16 octets";
    } else if (!printable(san.value)) {
        return "subjectAltName is empty or holds bytes outside printable ASCII";
    }
    if (cert->san_count == X509_SANS_MAX)
        cert->san_too_many = true;
    else
        cert->san[cert->san_count++] = san;
    return NULL;
}

static const char *read_san(struct x509_slice value, struct x509 *cert)
{
    struct der in;
    if (!only_sequence(value, &in) || der_empty(&in))
        return "malformed subjectAltName";
    cert->san_names = der_rest(&in);
    while (!der_empty(&in)) {
        const char *wrong = read_general_name(&in, cert);
        if (wrong)
            return wrong;
    }
    return NULL;
}

static const char *read_name_constraints(struct x509_slice value, struct x509 *cert)
{
    struct der in;
    if (!only_sequence(value, &in))
        return "malformed nameConstraints";
    cert->has_name_constraints = true;
    cert->name_constraints = value;
    return NULL;
}

/*
 * What we process, or what may be critical without changing who is trusted: we ask for no certificate policy
 * (RFC 5280 section 6.1.1 c to e), so policies, their mappings and inhibitAnyPolicy decide nothing, whereas
 * policyConstraints can demand one and is left unknown. Revocation looks at local CRLs, whatever
 * cRLDistributionPoints says.
 */
static const struct {
    uint8_t id; /* last octet of 2.5.29.id */
    const char *(*read)(struct x509_slice value, struct x509 *cert);
} EXTENSIONS[] = {
    {14, read_ski},
    {15, read_key_usage},
    {17, read_san},
    {19, read_basic_constraints},
    {30, read_name_constraints},
    {31, NULL}, /* cRLDistributionPoints */
    {32, NULL}, /* certificatePolicies */
    {33, NULL}, /* policyMappings */
    {35, read_aki},
    {37, read_eku},
    {54, NULL}, /* inhibitAnyPolicy */
};

static const char *read_extension(struct x509_slice oid, bool critical, struct x509_slice value,
                                  struct x509 *cert)
{
    if (oid.size == 3 && oid.data[0] == 0x55 && oid.data[1] == 0x1d)
        for (size_t i = 0; i < sizeof EXTENSIONS / sizeof *EXTENSIONS; i++)
            if (EXTENSIONS[i].id == oid.data[2])
                return EXTENSIONS[i].read ? EXTENSIONS[i].read(value, cert) : NULL;
    if (critical)
        cert->unknown_critical = true;
    return NULL;
}

static const char *read_extensions(struct der *explicit, struct x509 *cert)
{
    struct x509_slice seen[X509_EXTENSIONS_MAX];
    size_t count = 0;
    struct der list;
    if (!der_take(explicit, DER_SEQUENCE, &list) || !der_empty(explicit) || der_empty(&list))
        return "malformed extensions";
    while (!der_empty(&list)) {
        struct der in, value;
        struct x509_slice oid;
        bool critical;
        if (!der_take(&list, DER_SEQUENCE, &in) || !take_oid(&in, &oid) ||
            !take_default_false(&in, &critical) || !der_take(&in, DER_OCTET_STRING, &value) ||
            !der_empty(&in))
            return "malformed extension";
        for (size_t i = 0; i < count; i++)
            if (der_same(seen[i], oid))
                return "an extension comes twice";
        if (count == X509_EXTENSIONS_MAX)
            return "too many extensions";
        seen[count++] = oid;
        const char *wrong = read_extension(oid, critical, der_rest(&value), cert);
        if (wrong)
            return wrong;
    }
    return NULL;
}

/* --- the certificate (RFC 5280 section 4.1) --- */

static bool read_version(struct der *tbs, struct x509 *cert)
{
    struct der explicit;
    uint32_t version = 0;
    bool found;
    if (!der_maybe(tbs, DER_CONTEXT_CONS(0), &explicit, &found))
        return false;
    /* v1 is the default and DER leaves it out. */
    if (found && (!der_uint(&explicit, 2, &version) || version == 0 || !der_empty(&explicit)))
        return false;
    cert->version = version + 1;
    return true;
}

static bool read_validity(struct der *tbs, struct x509 *cert)
{
    struct der in;
    return der_take(tbs, DER_SEQUENCE, &in) && der_time(&in, &cert->not_before) &&
           der_time(&in, &cert->not_after) && der_empty(&in);
}

static const char *read_names(struct der *tbs, struct x509 *cert)
{
    struct der content;
    if (!der_take_whole(tbs, DER_SEQUENCE, &content, &cert->issuer) ||
        x509_name_attributes(cert->issuer, NULL, 0) < 0)
        return "malformed issuer name";
    if (!read_validity(tbs, cert))
        return "malformed validity";
    if (!der_take_whole(tbs, DER_SEQUENCE, &content, &cert->subject) ||
        x509_name_attributes(cert->subject, NULL, 0) < 0)
        return "malformed subject name";
    return NULL;
}

static const char *read_tail(struct der *tbs, struct x509 *cert)
{
    struct der unique, extensions;
    bool issuer_id, subject_id, found;
    if (!der_maybe(tbs, DER_CONTEXT(1), &unique, &issuer_id) ||
        !der_maybe(tbs, DER_CONTEXT(2), &unique, &subject_id))
        return "malformed unique identifier";
    if ((issuer_id || subject_id) && cert->version < 2)
        return "unique identifier in a version 1 certificate";
    if (!der_maybe(tbs, DER_CONTEXT_CONS(3), &extensions, &found))
        return "malformed extensions";
    if (!der_empty(tbs))
        return "unknown data at the end of the certificate's content";
    if (!found)
        return NULL;
    if (cert->version < 3)
        return "extensions in a certificate that is not of version 3";
    return read_extensions(&extensions, cert);
}

/* All but the table of SANs, of which only what SAN_COUNT covers counts. */
static void clear(struct x509 *cert, const uint8_t *der, size_t size)
{
    memset(cert, 0, offsetof(struct x509, san));
    memset((char *)cert + offsetof(struct x509, san_count), 0,
           sizeof *cert - offsetof(struct x509, san_count));
    cert->path_len = -1;
    cert->der = (struct x509_slice){der, size};
}

/* SEQUENCE {to be signed, AlgorithmIdentifier, BIT STRING}: certificates and requests alike. */
static const char *read_signed(struct x509 *cert, struct der *tbs)
{
    struct der in = der_from_slice(cert->der), outer, algorithm;
    unsigned unused;
    if (!der_take(&in, DER_SEQUENCE, &outer))
        return "not a certificate";
    if (!der_empty(&in))
        return "data after the end of the certificate";
    if (!der_take_whole(&outer, DER_SEQUENCE, tbs, &cert->tbs) ||
        !der_take_whole(&outer, DER_SEQUENCE, &algorithm, &cert->signature_algorithm) ||
        !der_bits(&outer, &cert->signature, &unused) || unused != 0 || !der_empty(&outer))
        return "not a certificate";
    if (!take_oid(&algorithm, &cert->signature_oid))
        return "malformed signature algorithm";
    return NULL;
}

const char *x509_parse(const uint8_t *der, size_t size, struct x509 *cert)
{
    struct der tbs, algorithm;
    struct x509_slice inner_algorithm;
    clear(cert, der, size);
    const char *wrong = read_signed(cert, &tbs);
    if (wrong)
        return wrong;
    if (!read_version(&tbs, cert))
        return "unknown version";
    if (!der_integer(&tbs, &cert->serial, &cert->serial_negative))
        return "malformed serial number";
    if (!der_take_whole(&tbs, DER_SEQUENCE, &algorithm, &inner_algorithm))
        return "malformed signature algorithm";
    if (!der_same(inner_algorithm, cert->signature_algorithm))
        return "inner and outer signature algorithm differ";
    wrong = read_names(&tbs, cert);
    if (!wrong)
        wrong = read_spki(&tbs, cert);
    return wrong ? wrong : read_tail(&tbs, cert);
}

/* The attributes of a request; of them only extensionRequest (RFC 2985 section 5.4.2) matters. */
static const char *read_request_attributes(struct der *list, struct x509 *request)
{
    static const char wrong[] = "malformed attributes";
    bool seen = false;
    while (!der_empty(list)) {
        struct der attribute, values;
        struct x509_slice oid;
        if (!der_take(list, DER_SEQUENCE, &attribute) || !take_oid(&attribute, &oid) ||
            !der_take(&attribute, DER_SET, &values) || !der_empty(&attribute))
            return wrong;
        if (!IS_OID(oid, OID_EXTENSION_REQUEST))
            continue;
        if (seen)
            return "two attributes ask for extensions";
        seen = true;
        const char *why = read_extensions(&values, request);
        if (why)
            return why;
    }
    return NULL;
}

const char *x509_parse_request(const uint8_t *der, size_t size, struct x509 *request)
{
    struct der tbs, content, attributes;
    uint32_t version;
    clear(request, der, size);
    if (read_signed(request, &tbs))
        return "not a certificate request";
    if (!der_uint(&tbs, 0, &version))
        return "unknown version";
    request->version = 1;
    if (!der_take_whole(&tbs, DER_SEQUENCE, &content, &request->subject) ||
        x509_name_attributes(request->subject, NULL, 0) < 0)
        return "malformed subject name";
    const char *wrong = read_spki(&tbs, request);
    if (wrong)
        return wrong;
    if (!der_take(&tbs, DER_CONTEXT_CONS(0), &attributes) || !der_empty(&tbs))
        return "malformed attributes";
    return read_request_attributes(&attributes, request);
}
