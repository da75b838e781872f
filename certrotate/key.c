/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "certrotate/key.h"

#include <stdlib.h>
#include <string.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/rsa.h>
#include <wolfssl/wolfcrypt/signature.h>

enum { SIGNATURE_MAX = 512, PRIVATE_MAX = 4096 };

struct key {
    enum x509_key_type type;
    int curve; /* EC: index into CURVES */
    /* Signing needs randomness and wolfCrypt takes its keys unconst: both belong to this object alone. */
    WC_RNG rng;
    bool has_rng;
    union {
        ecc_key ec;
        RsaKey rsa;
        ed25519_key ed;
    } u;
};

#define OID(s)                              \
    {                                       \
        (const uint8_t *)(s), sizeof(s) - 1 \
    }
static const struct x509_slice OID_EC = OID("\x2a\x86\x48\xce\x3d\x02\x01");
static const struct x509_slice OID_RSA = OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01");
static const struct x509_slice OID_ED25519 = OID("\x2b\x65\x70");

static const struct {
    struct x509_slice oid;
    int id;
    int octets;
    struct x509_slice signature; /* the algorithm that goes with it */
    enum wc_HashType hash;
} CURVES[] = {
    {OID("\x2a\x86\x48\xce\x3d\x03\x01\x07"), ECC_SECP256R1, 32, OID("\x2a\x86\x48\xce\x3d\x04\x03\x02"),
     WC_HASH_TYPE_SHA256},
    {OID("\x2b\x81\x04\x00\x22"), ECC_SECP384R1, 48, OID("\x2a\x86\x48\xce\x3d\x04\x03\x03"),
     WC_HASH_TYPE_SHA384},
    {OID("\x2b\x81\x04\x00\x23"), ECC_SECP521R1, 66, OID("\x2a\x86\x48\xce\x3d\x04\x03\x04"),
     WC_HASH_TYPE_SHA512},
};
enum { CURVE_COUNT = sizeof CURVES / sizeof *CURVES };

static const struct {
    struct x509_slice oid;
    enum wc_HashType hash;
} RSA_SIGNATURES[] = {
    {OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"), WC_HASH_TYPE_SHA256},
    {OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"), WC_HASH_TYPE_SHA384},
    {OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"), WC_HASH_TYPE_SHA512},
};

static const char *const SPECS[] = {
    [KEY_P256] = "p256",       [KEY_P384] = "p384",       [KEY_P521] = "p521",
    [KEY_RSA2048] = "rsa2048", [KEY_RSA3072] = "rsa3072", [KEY_RSA4096] = "rsa4096",
    [KEY_ED25519] = "ed25519",
};

bool key_spec_parse(const char *name, enum key_spec *spec)
{
    for (size_t i = 0; i < sizeof SPECS / sizeof *SPECS; i++)
        if (strcmp(SPECS[i], name) == 0) {
            *spec = (enum key_spec)i;
            return true;
        }
    return false;
}

const char *key_spec_name(enum key_spec spec)
{
    return SPECS[spec];
}

bool key_random(void *out, size_t size)
{
    WC_RNG rng;
    if (wc_InitRng(&rng) != 0)
        return false;
    int ret = wc_RNG_GenerateBlock(&rng, out, (word32)size);
    wc_FreeRng(&rng);
    return ret == 0;
}

/* --- life --- */

static struct key *key_new(enum x509_key_type type, struct failure *f)
{
    struct key *key = calloc(1, sizeof *key);
    int ret = MEMORY_E;
    if (!key)
        goto fail;
    ret = wc_InitRng(&key->rng);
    if (ret != 0)
        goto fail;
    key->has_rng = true;
    switch (type) {
    case X509_KEY_EC: ret = wc_ecc_init(&key->u.ec); break;
    case X509_KEY_RSA: ret = wc_InitRsaKey(&key->u.rsa, NULL); break;
    case X509_KEY_ED25519: ret = wc_ed25519_init(&key->u.ed); break;
    case X509_KEY_OTHER: ret = BAD_FUNC_ARG; break;
    }
    if (ret != 0)
        goto fail;
    key->type = type;
    return key;
fail:
    failure(f, "cannot set up a key: %s", wc_GetErrorString(ret));
    key_free(key);
    return NULL;
}

void key_free(struct key *key)
{
    if (!key)
        return;
    switch (key->type) {
    case X509_KEY_EC: wc_ecc_free(&key->u.ec); break;
    case X509_KEY_RSA: wc_FreeRsaKey(&key->u.rsa); break;
    case X509_KEY_ED25519: wc_ed25519_free(&key->u.ed); break;
    case X509_KEY_OTHER: break;
    }
    if (key->has_rng)
        wc_FreeRng(&key->rng);
    pem_wipe_free(key, sizeof *key);
}

enum x509_key_type key_type(const struct key *key)
{
    return key->type;
}

struct key *key_generate(enum key_spec spec, struct failure *f)
{
    static const enum x509_key_type types[] = {
        [KEY_P256] = X509_KEY_EC,         [KEY_P384] = X509_KEY_EC,     [KEY_P521] = X509_KEY_EC,
        [KEY_RSA2048] = X509_KEY_RSA,     [KEY_RSA3072] = X509_KEY_RSA, [KEY_RSA4096] = X509_KEY_RSA,
        [KEY_ED25519] = X509_KEY_ED25519,
    };
    struct key *key = key_new(types[spec], f);
    int ret = BAD_FUNC_ARG;
    if (!key)
        return NULL;
    switch (spec) {
    case KEY_P256:
    case KEY_P384:
    case KEY_P521:
        key->curve = (int)(spec - KEY_P256);
        ret = wc_ecc_make_key_ex(&key->rng, CURVES[key->curve].octets, &key->u.ec, CURVES[key->curve].id);
        break;
    case KEY_RSA2048: ret = wc_MakeRsaKey(&key->u.rsa, 2048, WC_RSA_EXPONENT, &key->rng); break;
    case KEY_RSA3072: ret = wc_MakeRsaKey(&key->u.rsa, 3072, WC_RSA_EXPONENT, &key->rng); break;
    case KEY_RSA4096: ret = wc_MakeRsaKey(&key->u.rsa, 4096, WC_RSA_EXPONENT, &key->rng); break;
    case KEY_ED25519: ret = wc_ed25519_make_key(&key->rng, ED25519_KEY_SIZE, &key->u.ed); break;
    }
    if (ret == 0)
        return key;
    failure(f, "cannot make a key: %s", wc_GetErrorString(ret));
    key_free(key);
    return NULL;
}

/* --- reading --- */

static enum x509_key_type block_type(const struct pem_block *block)
{
    if (block->kind == PEM_KEY_SEC1)
        return X509_KEY_EC;
    if (block->kind == PEM_KEY_PKCS1)
        return X509_KEY_RSA;
    struct der in = der_from(block->data, block->size), key, algorithm, oid;
    uint32_t version;
    if (block->kind != PEM_KEY_PKCS8 || !der_take(&in, DER_SEQUENCE, &key) || !der_uint(&key, 1, &version) ||
        !der_take(&key, DER_SEQUENCE, &algorithm) || !der_take(&algorithm, DER_OID, &oid))
        return X509_KEY_OTHER;
    struct x509_slice name = der_rest(&oid);
    return der_same(name, OID_EC)        ? X509_KEY_EC
           : der_same(name, OID_RSA)     ? X509_KEY_RSA
           : der_same(name, OID_ED25519) ? X509_KEY_ED25519
                                         : X509_KEY_OTHER;
}

static int read_ec(struct key *key, const struct pem_block *block)
{
    word32 at = 0;
    int ret = wc_EccPrivateKeyDecode(block->data, &at, &key->u.ec, (word32)block->size);
    if (ret != 0)
        return ret;
    if (key->u.ec.type == ECC_PRIVATEKEY_ONLY)
        ret = wc_ecc_make_pub_ex(&key->u.ec, NULL, &key->rng);
    for (key->curve = 0; ret == 0 && key->curve < CURVE_COUNT; key->curve++)
        if (wc_ecc_get_curve_id(key->u.ec.idx) == CURVES[key->curve].id)
            return 0;
    return ret != 0 ? ret : ECC_CURVE_OID_E;
}

/* RFC 8410 keys hold the seed alone; wolfCrypt signs wrongly until it is given the public half as well. */
static int read_ed25519(struct key *key, const struct pem_block *block)
{
    word32 at = 0, size = ED25519_KEY_SIZE;
    uint8_t seed[ED25519_KEY_SIZE], public[ED25519_PUB_KEY_SIZE];
    int ret = wc_Ed25519PrivateKeyDecode(block->data, &at, &key->u.ed, (word32)block->size);
    if (ret == 0 && !key->u.ed.pubKeySet) {
        ret = wc_ed25519_make_public(&key->u.ed, public, sizeof public);
        if (ret == 0)
            ret = wc_ed25519_export_private_only(&key->u.ed, seed, &size);
        if (ret == 0)
            ret = wc_ed25519_import_private_key(seed, size, public, sizeof public, &key->u.ed);
    }
    pem_wipe(seed, sizeof seed);
    return ret;
}

struct key *key_read(const struct pem_block *block, struct failure *f)
{
    enum x509_key_type type = block_type(block);
    word32 at = 0;
    int ret = BAD_FUNC_ARG;
    if (block->kind == PEM_KEY_PKCS8_SECRET || type == X509_KEY_OTHER) {
        failure(f, block->kind == PEM_KEY_PKCS8_SECRET ? "the key is encrypted"
                                                       : "not a key of a kind that is supported");
        return NULL;
    }
    struct key *key = key_new(type, f);
    if (!key)
        return NULL;
    if (type == X509_KEY_EC)
        ret = read_ec(key, block);
    else if (type == X509_KEY_RSA)
        ret = wc_RsaPrivateKeyDecode(block->data, &at, &key->u.rsa, (word32)block->size);
    else
        ret = read_ed25519(key, block);
    if (ret == 0)
        return key;
    failure(f, "cannot read the key: %s", wc_GetErrorString(ret));
    key_free(key);
    return NULL;
}

/* --- writing --- */

/* wolfCrypt takes its keys unconst even where it only reads them. */
static struct key *unconst(const struct key *key)
{
    union {
        const struct key *in;
        struct key *out;
    } cast = {key};
    return cast.out;
}

/* AlgorithmIdentifier of the key itself. */
static void put_key_algorithm(const struct key *key, struct der_out *out)
{
    size_t begun = der_begin(out, DER_SEQUENCE);
    if (key->type == X509_KEY_EC) {
        der_put_oid(out, OID_EC);
        der_put_oid(out, CURVES[key->curve].oid);
    } else if (key->type == X509_KEY_RSA) {
        der_put_oid(out, OID_RSA);
        der_put(out, DER_NULL, NULL, 0);
    } else {
        der_put_oid(out, OID_ED25519);
    }
    der_end(out, begun);
}

/* The public key's own octets, as they stand in the BIT STRING; returns their number, 0 on failure. */
static size_t public_octets(const struct key *key, uint8_t *out, size_t size)
{
    struct key *k = unconst(key);
    word32 length = (word32)size;
    int ret;
    if (key->type == X509_KEY_EC) {
        ret = wc_ecc_export_x963(&k->u.ec, out, &length);
    } else if (key->type == X509_KEY_ED25519) {
        ret = wc_ed25519_export_public(&k->u.ed, out, &length);
    } else {
        ret = wc_RsaKeyToPublicDer_ex(&k->u.rsa, out, length, 0);
        if (ret > 0) {
            length = (word32)ret;
            ret = 0;
        }
    }
    return ret == 0 ? length : 0;
}

void key_put_public(const struct key *key, struct der_out *out)
{
    uint8_t octets[1024];
    size_t size = public_octets(key, octets, sizeof octets);
    if (size == 0)
        out->failed = true;
    size_t begun = der_begin(out, DER_SEQUENCE);
    put_key_algorithm(key, out);
    der_put_bits(out, (struct x509_slice){octets, size});
    der_end(out, begun);
}

/* What stands in PKCS#8's OCTET STRING. */
static void put_private_octets(const struct key *key, struct der_out *out)
{
    struct key *k = unconst(key);
    uint8_t octets[PRIVATE_MAX];
    word32 size = sizeof octets;
    int ret;
    if (key->type == X509_KEY_RSA) {
        ret = wc_RsaKeyToDer(&k->u.rsa, octets, size);
        if (ret > 0)
            der_put_raw(out, octets, (size_t)ret);
    } else if (key->type == X509_KEY_ED25519) {
        ret = wc_ed25519_export_private_only(&k->u.ed, octets, &size);
        der_put(out, DER_OCTET_STRING, octets, ret == 0 ? size : 0);
    } else {
        /* ECPrivateKey of RFC 5915, its curve named by PKCS#8. */
        uint8_t public[256];
        size_t public_size = public_octets(key, public, sizeof public);
        ret = wc_ecc_export_private_only(&k->u.ec, octets, &size);
        if (public_size == 0)
            ret = BAD_FUNC_ARG;
        size_t begun = der_begin(out, DER_SEQUENCE);
        der_put_uint(out, 1);
        der_put(out, DER_OCTET_STRING, octets, ret == 0 ? size : 0);
        size_t optional = der_begin(out, DER_CONTEXT_CONS(1));
        der_put_bits(out, (struct x509_slice){public, public_size});
        der_end(out, optional);
        der_end(out, begun);
    }
    if (ret < 0)
        out->failed = true;
    pem_wipe(octets, sizeof octets);
}

void key_put_private(const struct key *key, struct der_out *out)
{
    size_t begun = der_begin(out, DER_SEQUENCE);
    der_put_uint(out, 0);
    put_key_algorithm(key, out);
    size_t octets = der_begin(out, DER_OCTET_STRING);
    put_private_octets(key, out);
    der_end(out, octets);
    der_end(out, begun);
}

/* --- signing --- */

void key_put_algorithm(const struct key *key, struct der_out *out)
{
    size_t begun = der_begin(out, DER_SEQUENCE);
    if (key->type == X509_KEY_EC) {
        der_put_oid(out, CURVES[key->curve].signature);
    } else if (key->type == X509_KEY_RSA) {
        der_put_oid(out, RSA_SIGNATURES[0].oid);
        der_put(out, DER_NULL, NULL, 0);
    } else {
        der_put_oid(out, OID_ED25519);
    }
    der_end(out, begun);
}

void key_put_signature(const struct key *key, struct x509_slice data, struct der_out *out)
{
    struct key *k = unconst(key);
    uint8_t signature[SIGNATURE_MAX];
    word32 size = sizeof signature, length = (word32)data.size;
    int ret;
    if (data.size > INT32_MAX) {
        out->failed = true;
        return;
    }
    if (key->type == X509_KEY_ED25519) {
        ret = wc_ed25519_sign_msg(data.data, length, signature, &size, &k->u.ed);
    } else if (key->type == X509_KEY_EC) {
        ret = wc_SignatureGenerate_ex(CURVES[key->curve].hash, WC_SIGNATURE_TYPE_ECC, data.data, length,
                                      signature, &size, &k->u.ec, sizeof k->u.ec, &k->rng, 0);
    } else {
        int need = wc_RsaEncryptSize(&k->u.rsa);
        size = need > 0 && need <= SIGNATURE_MAX ? (word32)need : 0;
        ret = wc_SignatureGenerate_ex(RSA_SIGNATURES[0].hash, WC_SIGNATURE_TYPE_RSA_W_ENC, data.data, length,
                                      signature, &size, &k->u.rsa, sizeof k->u.rsa, &k->rng, 1);
    }
    if (ret != 0)
        out->failed = true;
    der_put_bits(out, (struct x509_slice){signature, size});
}
