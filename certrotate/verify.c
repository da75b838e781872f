/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "certrotate/verify.h"

#include <string.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/rsa.h>

#include "certrotate/der.h"

static const char NOT_SIGNED[] = "the signature is wrong";
static const char OTHER_KEY[] = "the signature is by another kind of key than the issuer's";

/* --- which algorithm --- */

enum scheme { SCHEME_NONE, SCHEME_PKCS1, SCHEME_PSS, SCHEME_ECDSA, SCHEME_ED25519 };

struct algorithm {
    enum scheme scheme;
    enum wc_HashType hash;
    int salt; /* octets, PSS */
};

#define RSA_ARC "\x2a\x86\x48\x86\xf7\x0d\x01\x01"
#define ECDSA_ARC "\x2a\x86\x48\xce\x3d\x04"
#define HASH_ARC "\x60\x86\x48\x01\x65\x03\x04\x02"
#define OID_PSS RSA_ARC "\x0a"
#define OID_MGF1 RSA_ARC "\x08"
#define ENTRY(oid) oid, sizeof(oid) - 1

/* A scheme of NONE is known to be weak. */
static const struct {
    const char *oid;
    size_t size;
    enum scheme scheme;
    enum wc_HashType hash;
} SIGNATURES[] = {
    {ENTRY(ECDSA_ARC "\x03\x02"), SCHEME_ECDSA, WC_HASH_TYPE_SHA256},
    {ENTRY(ECDSA_ARC "\x03\x03"), SCHEME_ECDSA, WC_HASH_TYPE_SHA384},
    {ENTRY(ECDSA_ARC "\x03\x04"), SCHEME_ECDSA, WC_HASH_TYPE_SHA512},
    {ENTRY(RSA_ARC "\x0b"), SCHEME_PKCS1, WC_HASH_TYPE_SHA256},
    {ENTRY(RSA_ARC "\x0c"), SCHEME_PKCS1, WC_HASH_TYPE_SHA384},
    {ENTRY(RSA_ARC "\x0d"), SCHEME_PKCS1, WC_HASH_TYPE_SHA512},
    {ENTRY(OID_PSS), SCHEME_PSS, WC_HASH_TYPE_NONE},
    {ENTRY("\x2b\x65\x70"), SCHEME_ED25519, WC_HASH_TYPE_NONE},
    {ENTRY(RSA_ARC "\x02"), SCHEME_NONE, WC_HASH_TYPE_NONE},                 /* MD2 */
    {ENTRY(RSA_ARC "\x04"), SCHEME_NONE, WC_HASH_TYPE_NONE},                 /* MD5 */
    {ENTRY(RSA_ARC "\x05"), SCHEME_NONE, WC_HASH_TYPE_NONE},                 /* SHA-1 */
    {ENTRY("\x2b\x0e\x03\x02\x1d"), SCHEME_NONE, WC_HASH_TYPE_NONE},         /* SHA-1 with RSA, OIW */
    {ENTRY(ECDSA_ARC "\x01"), SCHEME_NONE, WC_HASH_TYPE_NONE},               /* ECDSA with SHA-1 */
    {ENTRY("\x2a\x86\x48\xce\x38\x04\x03"), SCHEME_NONE, WC_HASH_TYPE_NONE}, /* DSA with SHA-1 */
};

static const struct {
    const char *oid;
    size_t size;
    enum wc_HashType hash;
} HASHES[] = {
    {ENTRY(HASH_ARC "\x01"), WC_HASH_TYPE_SHA256},
    {ENTRY(HASH_ARC "\x02"), WC_HASH_TYPE_SHA384},
    {ENTRY(HASH_ARC "\x03"), WC_HASH_TYPE_SHA512},
};

/* Takes an OID and, if parameters follow, a NULL and nothing else. */
static bool take_plain_algorithm(struct der *in, struct x509_slice *oid, bool *parameters)
{
    struct der algorithm, content;
    if (!der_take(in, DER_SEQUENCE, &algorithm) || !der_take(&algorithm, DER_OID, &content))
        return false;
    *oid = der_rest(&content);
    return der_maybe(&algorithm, DER_NULL, &content, parameters) && (!*parameters || der_empty(&content)) &&
           der_empty(&algorithm);
}

static enum wc_HashType hash_of(struct x509_slice oid)
{
    for (size_t i = 0; i < sizeof HASHES / sizeof *HASHES; i++)
        if (der_equal(oid, HASHES[i].oid, HASHES[i].size))
            return HASHES[i].hash;
    return WC_HASH_TYPE_NONE;
}

/* MGF1 with a hash, as an explicit [1] of RSASSA-PSS-params. */
static bool take_mgf1(struct der *explicit, struct x509_slice *hash)
{
    struct der mgf, oid;
    bool parameters;
    return der_take(explicit, DER_SEQUENCE, &mgf) && der_empty(explicit) && der_take(&mgf, DER_OID, &oid) &&
           der_equal(der_rest(&oid), OID_MGF1, sizeof OID_MGF1 - 1) &&
           take_plain_algorithm(&mgf, hash, &parameters) && der_empty(&mgf);
}

/* RSASSA-PSS-params (RFC 4055 section 3.1). What is left out defaults to SHA-1, MGF1 with SHA-1, 20 octets.
 */
static const char *read_pss(struct der *algorithm, struct algorithm *out, bool *weak)
{
    static const char wrong[] = "malformed RSA-PSS parameters";
    struct der in, explicit;
    struct x509_slice hash, mgf_hash;
    uint32_t number;
    bool found, mgf_found, parameters;
    if (!der_take(algorithm, DER_SEQUENCE, &in) || !der_empty(algorithm))
        return wrong;
    if (!der_maybe(&in, DER_CONTEXT_CONS(0), &explicit, &found) ||
        (found && (!take_plain_algorithm(&explicit, &hash, &parameters) || !der_empty(&explicit))))
        return wrong;
    if (!der_maybe(&in, DER_CONTEXT_CONS(1), &explicit, &mgf_found) ||
        (mgf_found && !take_mgf1(&explicit, &mgf_hash)))
        return wrong;
    if (!found || !mgf_found) {
        *weak = true;
        return "RSA-PSS with the weak hash SHA-1";
    }
    out->hash = hash_of(hash);
    if (out->hash == WC_HASH_TYPE_NONE || !der_same(hash, mgf_hash))
        return "RSA-PSS with hashes that are not supported";
    out->salt = 20;
    if (!der_maybe(&in, DER_CONTEXT_CONS(2), &explicit, &found) ||
        (found && (!der_uint(&explicit, 512, &number) || !der_empty(&explicit))))
        return wrong;
    if (found)
        out->salt = (int)number;
    if (!der_maybe(&in, DER_CONTEXT_CONS(3), &explicit, &found) ||
        (found && (!der_uint(&explicit, 1, &number) || number != 1 || !der_empty(&explicit))) ||
        !der_empty(&in))
        return wrong;
    return NULL;
}

static const char *read_algorithm(struct x509_slice whole, struct algorithm *out, bool *weak)
{
    struct der in = der_from_slice(whole), algorithm, content;
    *weak = false;
    *out = (struct algorithm){SCHEME_NONE, WC_HASH_TYPE_NONE, 0};
    if (!der_take(&in, DER_SEQUENCE, &algorithm) || !der_empty(&in) ||
        !der_take(&algorithm, DER_OID, &content))
        return "malformed signature algorithm";
    struct x509_slice oid = der_rest(&content);
    size_t i = 0, count = sizeof SIGNATURES / sizeof *SIGNATURES;
    while (i < count && !der_equal(oid, SIGNATURES[i].oid, SIGNATURES[i].size))
        i++;
    if (i == count)
        return "a signature algorithm that is not supported";
    if (SIGNATURES[i].scheme == SCHEME_NONE) {
        *weak = true;
        return "a signature with a weak hash (SHA-1, MD5 or MD2)";
    }
    out->scheme = SIGNATURES[i].scheme;
    out->hash = SIGNATURES[i].hash;
    if (out->scheme == SCHEME_PSS)
        return read_pss(&algorithm, out, weak);
    /* RFC 4055 section 5: NULL, or nothing, for PKCS #1; RFC 5758 and RFC 8410: nothing for the others. */
    bool null = false;
    if ((out->scheme == SCHEME_PKCS1 && !der_maybe(&algorithm, DER_NULL, &content, &null)) ||
        (null && !der_empty(&content)) || !der_empty(&algorithm))
        return "malformed parameters of the signature algorithm";
    return NULL;
}

const char *x509_verify_algorithm(struct x509_slice signature_algorithm, bool *weak)
{
    struct algorithm algorithm;
    bool ignored;
    return read_algorithm(signature_algorithm, &algorithm, weak ? weak : &ignored);
}

/* --- RSA --- */

static const char *load_rsa(struct x509_slice octets, RsaKey *key)
{
    struct der in = der_from_slice(octets), content;
    struct x509_slice n, e;
    bool negative;
    if (!der_take(&in, DER_SEQUENCE, &content) || !der_integer(&content, &n, &negative) || negative ||
        !der_integer(&content, &e, &negative) || negative)
        return "malformed RSA key";
    /* An exponent of 1 signs everything, a very long one is there to cost time. */
    if (e.size > 8 || !(e.data[e.size - 1] & 1) || (e.size == 1 && e.data[0] < 3))
        return "the RSA key has a bad exponent";
    if (wc_RsaPublicKeyDecodeRaw(n.data, (word32)n.size, e.data, (word32)e.size, key) != 0)
        return "the RSA key cannot be used";
    return NULL;
}

/* DigestInfo (RFC 8017 section 9.2), compared as a whole: its encoding is the only one there is. */
static const char *check_pkcs1(RsaKey *key, enum wc_HashType hash, const struct x509_digest *digest,
                               struct x509_slice signature)
{
    uint8_t expected[MAX_ENCODED_SIG_SZ], found[512];
    word32 size = wc_EncodeSignature(expected, digest->octets, (word32)digest->size, wc_HashGetOID(hash));
    int length = wc_RsaSSL_Verify(signature.data, (word32)signature.size, found, sizeof found, key);
    return length > 0 && size > 0 && (word32)length == size && memcmp(found, expected, size) == 0
               ? NULL
               : NOT_SIGNED;
}

static const char *check_pss(RsaKey *key, const struct algorithm *algorithm, unsigned bits,
                             const struct x509_digest *digest, struct x509_slice signature)
{
    uint8_t found[512];
    int mgf = algorithm->hash == WC_HASH_TYPE_SHA256   ? WC_MGF1SHA256
              : algorithm->hash == WC_HASH_TYPE_SHA384 ? WC_MGF1SHA384
                                                       : WC_MGF1SHA512;
    int length = wc_RsaPSS_Verify_ex(signature.data, (word32)signature.size, found, sizeof found,
                                     algorithm->hash, mgf, algorithm->salt, key);
    return length > 0 &&
                   wc_RsaPSS_CheckPadding_ex(digest->octets, (word32)digest->size, found, (word32)length,
                                             algorithm->hash, algorithm->salt, (int)bits) == 0
               ? NULL
               : NOT_SIGNED;
}

static const char *check_rsa(const struct x509 *issuer, const struct algorithm *algorithm,
                             const struct x509_digest *digest, struct x509_slice signature)
{
    RsaKey key;
    if (issuer->key_bits < 2048)
        return "the RSA key is weak: below 2048 bits";
    if (issuer->key_bits > 4096)
        return "the RSA key is larger than the 4096 bits that are supported";
    /* RFC 8017 section 8.1.2: exactly as long as the modulus. */
    if (signature.size != (issuer->key_bits + 7) / 8)
        return NOT_SIGNED;
    if (wc_InitRsaKey(&key, NULL) != 0)
        return "out of memory";
    const char *wrong = load_rsa(issuer->public_key, &key);
    if (!wrong)
        wrong = algorithm->scheme == SCHEME_PSS
                    ? check_pss(&key, algorithm, issuer->key_bits, digest, signature)
                    : check_pkcs1(&key, algorithm->hash, digest, signature);
    wc_FreeRsaKey(&key);
    return wrong;
}

/* --- elliptic curves --- */

static int curve_of(const struct x509 *cert)
{
    return cert->key_bits == 256 ? ECC_SECP256R1 : cert->key_bits == 384 ? ECC_SECP384R1 : ECC_SECP521R1;
}

static const char *check_ecdsa(const struct x509 *issuer, const struct x509_digest *digest,
                               struct x509_slice signature)
{
    ecc_key key;
    int good = 0;
    const char *wrong = NULL;
    if (wc_ecc_init(&key) != 0)
        return "out of memory";
    if (wc_ecc_import_x963_ex2(issuer->public_key.data, (word32)issuer->public_key.size, &key,
                               curve_of(issuer), 1) != 0)
        wrong = "the issuer's key is not a point of its curve";
    else if (wc_ecc_verify_hash(signature.data, (word32)signature.size, digest->octets, (word32)digest->size,
                                &good, &key) != 0 ||
             good != 1)
        wrong = NOT_SIGNED;
    wc_ecc_free(&key);
    return wrong;
}

static const char *check_ed25519(const struct x509 *issuer, struct x509_slice tbs,
                                 struct x509_slice signature)
{
    ed25519_key key;
    int good = 0;
    const char *wrong = NULL;
    if (issuer->key_type != X509_KEY_ED25519)
        return OTHER_KEY;
    if (signature.size != ED25519_SIG_SIZE)
        return NOT_SIGNED;
    if (wc_ed25519_init(&key) != 0)
        return "out of memory";
    if (wc_ed25519_import_public(issuer->public_key.data, (word32)issuer->public_key.size, &key) != 0)
        wrong = "the issuer's Ed25519 key cannot be used";
    else if (wc_ed25519_verify_msg(signature.data, (word32)signature.size, tbs.data, (word32)tbs.size, &good,
                                   &key) != 0 ||
             good != 1)
        wrong = NOT_SIGNED;
    wc_ed25519_free(&key);
    return wrong;
}

/* --- the two steps, and both --- */

const char *x509_verify_hash(struct x509_slice tbs, struct x509_slice signature_algorithm,
                             struct x509_digest *digest)
{
    struct algorithm algorithm;
    bool weak;
    digest->size = 0;
    const char *wrong = read_algorithm(signature_algorithm, &algorithm, &weak);
    if (wrong || algorithm.scheme == SCHEME_ED25519)
        return wrong;
    int size = wc_HashGetDigestSize(algorithm.hash);
    if (size <= 0 || (size_t)size > sizeof digest->octets || tbs.size > UINT32_MAX ||
        wc_Hash(algorithm.hash, tbs.data, (word32)tbs.size, digest->octets, (word32)size) != 0)
        return "the hash cannot be computed";
    digest->size = (size_t)size;
    return NULL;
}

const char *x509_verify_digest(const struct x509 *issuer, const struct x509_digest *digest,
                               struct x509_slice signature_algorithm, struct x509_slice signature)
{
    struct algorithm algorithm;
    bool weak;
    const char *wrong = read_algorithm(signature_algorithm, &algorithm, &weak);
    if (wrong)
        return wrong;
    if (algorithm.scheme == SCHEME_ED25519 || digest->size != (size_t)wc_HashGetDigestSize(algorithm.hash))
        return "no digest of this algorithm is at hand";
    enum x509_key_type expected = algorithm.scheme == SCHEME_ECDSA ? X509_KEY_EC : X509_KEY_RSA;
    if (issuer->key_type == X509_KEY_OTHER)
        return "the issuer's key is of a kind that is not supported";
    if (issuer->key_type != expected)
        return OTHER_KEY;
    return expected == X509_KEY_EC ? check_ecdsa(issuer, digest, signature)
                                   : check_rsa(issuer, &algorithm, digest, signature);
}

const char *x509_verify(const struct x509 *issuer, struct x509_slice tbs,
                        struct x509_slice signature_algorithm, struct x509_slice signature)
{
    struct x509_digest digest;
    const char *wrong = x509_verify_hash(tbs, signature_algorithm, &digest);
    if (wrong)
        return wrong;
    return digest.size == 0 ? check_ed25519(issuer, tbs, signature)
                            : x509_verify_digest(issuer, &digest, signature_algorithm, signature);
}

/* --- the private key of a certificate --- */

static const char UNUSABLE_KEY[] = "the private key cannot be used (damaged, or of another kind than the "
                                   "certificate's)";

/* Each signs DIGEST; *SIZE is the room in SIGNATURE, then its length. */
static bool sign_rsa(struct x509_slice der, WC_RNG *rng, const struct x509_digest *digest, uint8_t *signature,
                     size_t *size)
{
    RsaKey key;
    word32 at = 0;
    uint8_t encoded[MAX_ENCODED_SIG_SZ];
    int length = -1;
    word32 encoded_size =
        wc_EncodeSignature(encoded, digest->octets, (word32)digest->size, wc_HashGetOID(WC_HASH_TYPE_SHA256));
    if (wc_InitRsaKey(&key, NULL) != 0)
        return false;
    if (wc_RsaPrivateKeyDecode(der.data, &at, &key, (word32)der.size) == 0 && wc_RsaSetRNG(&key, rng) == 0)
        length = wc_RsaSSL_Sign(encoded, encoded_size, signature, (word32)*size, &key, rng);
    wc_FreeRsaKey(&key);
    *size = length > 0 ? (size_t)length : 0;
    return length > 0;
}

static bool sign_ec(struct x509_slice der, WC_RNG *rng, const struct x509_digest *digest, uint8_t *signature,
                    size_t *size)
{
    ecc_key key;
    word32 at = 0, length = (word32)*size;
    if (wc_ecc_init(&key) != 0)
        return false;
    bool ok = wc_EccPrivateKeyDecode(der.data, &at, &key, (word32)der.size) == 0 &&
              wc_ecc_set_rng(&key, rng) == 0 &&
              wc_ecc_sign_hash(digest->octets, (word32)digest->size, signature, &length, rng, &key) == 0;
    wc_ecc_free(&key);
    *size = length;
    return ok;
}

static bool sign_ed25519(struct x509_slice der, const struct x509_digest *message, uint8_t *signature,
                         size_t *size)
{
    ed25519_key key;
    word32 at = 0, length = (word32)*size;
    if (wc_ed25519_init(&key) != 0)
        return false;
    bool ok = wc_Ed25519PrivateKeyDecode(der.data, &at, &key, (word32)der.size) == 0 &&
              wc_ed25519_make_public(&key, key.p, sizeof key.p) == 0 &&
              wc_ed25519_sign_msg(message->octets, (word32)message->size, signature, &length, &key) == 0;
    wc_ed25519_free(&key);
    *size = length;
    return ok;
}

static const char *sign_and_check(const struct x509 *cert, struct x509_slice key, WC_RNG *rng, bool *mismatch)
{
    static const char other[] = "the private key belongs to another certificate";
    struct x509_digest digest = {.octets = "outrider: does the key match?", .size = 32};
    uint8_t signature[512];
    size_t size = sizeof signature;
    struct algorithm pkcs1 = {SCHEME_PKCS1, WC_HASH_TYPE_SHA256, 0};
    const char *wrong = NULL;
    bool signed_it = cert->key_type == X509_KEY_RSA  ? sign_rsa(key, rng, &digest, signature, &size)
                     : cert->key_type == X509_KEY_EC ? sign_ec(key, rng, &digest, signature, &size)
                                                     : sign_ed25519(key, &digest, signature, &size);
    if (!signed_it)
        return UNUSABLE_KEY;
    struct x509_slice made = {signature, size};
    switch (cert->key_type) {
    case X509_KEY_RSA: wrong = check_rsa(cert, &pkcs1, &digest, made); break;
    case X509_KEY_EC: wrong = check_ecdsa(cert, &digest, made); break;
    default: wrong = check_ed25519(cert, (struct x509_slice){digest.octets, digest.size}, made); break;
    }
    *mismatch = wrong == NOT_SIGNED;
    return wrong == NOT_SIGNED ? other : wrong;
}

const char *x509_key_matches(const struct x509 *cert, struct x509_slice key, bool *mismatch)
{
    WC_RNG rng;
    bool ignored;
    if (!mismatch)
        mismatch = &ignored;
    *mismatch = false;
    if (cert->key_type == X509_KEY_OTHER)
        return "the certificate's key is of a kind that is not supported";
    if (key.size > INT32_MAX)
        return UNUSABLE_KEY;
    if (wc_InitRng(&rng) != 0)
        return "no random numbers";
    const char *wrong = sign_and_check(cert, key, &rng, mismatch);
    wc_FreeRng(&rng);
    return wrong;
}
