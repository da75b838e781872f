/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small PKI made at run time, for tests of TLS: keys, roots, intermediates and leaves in memory. */
#ifndef TESTS_UNIT_TLS_PKI_H
#define TESTS_UNIT_TLS_PKI_H

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/rsa.h>
#include <wolfssl/wolfcrypt/sha256.h>
#include <wolfssl/wolfcrypt/signature.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sidecar/tls/trust.h"

enum pki_key { PKI_P256, PKI_P384, PKI_RSA, PKI_ED25519 };

/* An entity: its key and its certificate. */
struct pki {
    enum pki_key type;
    union {
        ecc_key ecc;
        RsaKey rsa;
        ed25519_key ed;
    } key;
    uint8_t key_der[2048];
    size_t key_size;
    uint8_t cert[4096];
    size_t cert_size;
    char cn[64];
};

enum {
    PKI_EKU_BOTH = 0,
    PKI_EKU_SERVER,
    PKI_EKU_CLIENT,
    PKI_EKU_NONE, /* no such extension */
};

struct pki_spec {
    const char *cn;
    bool ca;
    const char *sans;       /* "DNS:a,URI:b,IP:c"; NULL: none */
    int eku;                /* leaves only */
    int key_usage;          /* the BIT STRING's first octet; 0: what is usual; -1: no such extension */
    int from_days, to_days; /* validity relative to now; both 0: -1 .. 3650 */
    bool odd_critical;      /* with a critical extension that nobody knows */
};

static WC_RNG pki_rng;

#define PKI_CHECK(x)                                                \
    do {                                                            \
        if (!(x)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
            abort();                                                \
        }                                                           \
    } while (0)

static inline void pki_start(void)
{
    PKI_CHECK(wc_InitRng(&pki_rng) == 0);
}

static inline void pki_stop(void)
{
    wc_FreeRng(&pki_rng);
}

static inline void pki_make_key(struct pki *p, enum pki_key type)
{
    int n = 0;
    memset(p, 0, sizeof *p);
    p->type = type;
    switch (type) {
    case PKI_P256:
    case PKI_P384:
        PKI_CHECK(wc_ecc_init(&p->key.ecc) == 0);
        PKI_CHECK(wc_ecc_make_key(&pki_rng, type == PKI_P256 ? 32 : 48, &p->key.ecc) == 0);
        n = wc_EccKeyToDer(&p->key.ecc, p->key_der, sizeof p->key_der);
        break;
    case PKI_RSA:
        PKI_CHECK(wc_InitRsaKey(&p->key.rsa, NULL) == 0);
        PKI_CHECK(wc_MakeRsaKey(&p->key.rsa, 2048, 65537, &pki_rng) == 0);
        n = wc_RsaKeyToDer(&p->key.rsa, p->key_der, sizeof p->key_der);
        break;
    case PKI_ED25519:
        PKI_CHECK(wc_ed25519_init(&p->key.ed) == 0);
        PKI_CHECK(wc_ed25519_make_key(&pki_rng, ED25519_KEY_SIZE, &p->key.ed) == 0);
        n = wc_Ed25519KeyToDer(&p->key.ed, p->key_der, sizeof p->key_der);
        break;
    }
    PKI_CHECK(n > 0);
    p->key_size = (size_t)n;
}

static inline void pki_free(struct pki *p)
{
    if (p->type == PKI_RSA)
        wc_FreeRsaKey(&p->key.rsa);
    else if (p->type == PKI_ED25519)
        wc_ed25519_free(&p->key.ed);
    else
        wc_ecc_free(&p->key.ecc);
}

/* --- DER, written from its end ---------------------------------------------------------------------------
 */

struct pki_der {
    uint8_t bytes[4096];
    size_t at; /* first byte written; all up to the end is content */
};

static inline void pki_raw(struct pki_der *d, const void *data, size_t size)
{
    PKI_CHECK(d->at >= size);
    d->at -= size;
    memcpy(d->bytes + d->at, data, size);
}

/* Puts a header before all that was written since END was the position. */
static inline void pki_wrap(struct pki_der *d, uint8_t tag, size_t end)
{
    size_t n = end - d->at;
    uint8_t head[4] = {tag, (uint8_t)n};
    size_t size = 2;
    if (n >= 256) {
        head[1] = 0x82, head[2] = (uint8_t)(n >> 8), head[3] = (uint8_t)n, size = 4;
    } else if (n >= 128) {
        head[1] = 0x81, head[2] = (uint8_t)n, size = 3;
    }
    pki_raw(d, head, size);
}

static inline void pki_put(struct pki_der *d, uint8_t tag, const void *data, size_t size)
{
    size_t end = d->at;
    pki_raw(d, data, size);
    pki_wrap(d, tag, end);
}

static inline void pki_name(struct pki_der *d, const char *cn)
{
    size_t end = d->at;
    pki_put(d, 0x0c, cn, strlen(cn));
    pki_put(d, 0x06, "\x55\x04\x03", 3);
    pki_wrap(d, 0x30, end);
    pki_wrap(d, 0x31, end);
    pki_wrap(d, 0x30, end);
}

static inline void pki_time(struct pki_der *d, int days)
{
    time_t t = time(NULL) + (time_t)days * 86400;
    struct tm tm;
    char text[32];
    gmtime_r(&t, &tm);
    bool general = tm.tm_year >= 150;
    size_t n = strftime(text, sizeof text, general ? "%Y%m%d%H%M%SZ" : "%y%m%d%H%M%SZ", &tm);
    pki_put(d, general ? 0x18 : 0x17, text, n);
}

/* Wraps what stands between d->at and END as the extension with this OID of 3 bytes. */
static inline void pki_extension(struct pki_der *d, const char *oid, bool critical, size_t end)
{
    pki_wrap(d, 0x04, end);
    if (critical)
        pki_put(d, 0x01, "\xff", 1);
    pki_put(d, 0x06, oid, 3);
    pki_wrap(d, 0x30, end);
}

static inline void pki_sans(struct pki_der *d, const char *list)
{
    char copy[512], *comma;
    size_t end = d->at;
    snprintf(copy, sizeof copy, "%s", list);
    do { /* from the last one to the first */
        comma = strrchr(copy, ',');
        char *one = comma ? comma + 1 : copy, *value = strchr(one, ':') + 1;
        uint8_t ip[16];
        if (one[0] == 'I') {
            bool v6 = strchr(value, ':') != NULL;
            PKI_CHECK(inet_pton(v6 ? AF_INET6 : AF_INET, value, ip) == 1);
            pki_put(d, 0x87, ip, v6 ? 16 : 4);
        } else {
            pki_put(d, one[0] == 'D' ? 0x82 : 0x86, value, strlen(value));
        }
        if (comma)
            *comma = 0;
    } while (comma);
    pki_wrap(d, 0x30, end);
    pki_extension(d, "\x55\x1d\x11", false, end);
}

static inline size_t pki_public(const struct pki *p, uint8_t *out, size_t size)
{
    int n;
    if (p->type == PKI_RSA)
        n = wc_RsaKeyToPublicDer((RsaKey *)&p->key.rsa, out, (word32)size);
    else if (p->type == PKI_ED25519)
        n = wc_Ed25519PublicKeyToDer(&p->key.ed, out, (word32)size, 1);
    else
        n = wc_EccPublicKeyToDer((ecc_key *)&p->key.ecc, out, (word32)size, 1);
    PKI_CHECK(n > 0);
    return (size_t)n;
}

static inline void pki_key_id(const struct pki *p, uint8_t id[20])
{
    uint8_t spki[1024], hash[32];
    wc_Sha256Hash(spki, (word32)pki_public(p, spki, sizeof spki), hash);
    memcpy(id, hash, 20);
}

static inline void pki_extensions(struct pki_der *d, const struct pki *p, const struct pki_spec *spec,
                                  const struct pki *by)
{
    uint8_t id[20];
    size_t all = d->at, end = d->at;
    if (spec->odd_critical) {
        pki_put(d, 0x05, "", 0);
        pki_extension(d, "\x2a\x03\x04", true, end);
    }
    end = d->at;
    pki_key_id(by, id);
    pki_put(d, 0x80, id, 20);
    pki_wrap(d, 0x30, end);
    pki_extension(d, "\x55\x1d\x23", false, end);
    end = d->at;
    pki_key_id(p, id);
    pki_put(d, 0x04, id, 20);
    pki_extension(d, "\x55\x1d\x0e", false, end);
    if (spec->sans)
        pki_sans(d, spec->sans);
    if (!spec->ca && spec->eku != PKI_EKU_NONE) {
        end = d->at;
        if (spec->eku != PKI_EKU_SERVER)
            pki_put(d, 0x06, "\x2b\x06\x01\x05\x05\x07\x03\x02", 8);
        if (spec->eku != PKI_EKU_CLIENT)
            pki_put(d, 0x06, "\x2b\x06\x01\x05\x05\x07\x03\x01", 8);
        pki_wrap(d, 0x30, end);
        pki_extension(d, "\x55\x1d\x25", false, end);
    }
    if (spec->key_usage >= 0) {
        uint8_t bits[2] = {0, (uint8_t)(spec->key_usage ? spec->key_usage : spec->ca ? 0x06 : 0x80)};
        while (!(bits[1] >> bits[0] & 1))
            bits[0]++;
        end = d->at;
        pki_put(d, 0x03, bits, 2);
        pki_extension(d, "\x55\x1d\x0f", true, end);
    }
    if (spec->ca) {
        end = d->at;
        pki_put(d, 0x01, "\xff", 1);
        pki_wrap(d, 0x30, end);
        pki_extension(d, "\x55\x1d\x13", true, end);
    }
    pki_wrap(d, 0x30, all);
    pki_wrap(d, 0xa3, all);
}

static inline void pki_algorithm(struct pki_der *d, enum pki_key type)
{
    size_t end = d->at;
    switch (type) {
    case PKI_P256: pki_put(d, 0x06, "\x2a\x86\x48\xce\x3d\x04\x03\x02", 8); break;
    case PKI_P384: pki_put(d, 0x06, "\x2a\x86\x48\xce\x3d\x04\x03\x03", 8); break;
    case PKI_ED25519: pki_put(d, 0x06, "\x2b\x65\x70", 3); break;
    case PKI_RSA:
        pki_put(d, 0x05, "", 0);
        pki_put(d, 0x06, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", 9);
        break;
    }
    pki_wrap(d, 0x30, end);
}

static inline size_t pki_sign(struct pki *by, const uint8_t *data, size_t size, uint8_t *out, size_t cap)
{
    word32 n = (word32)cap;
    int bad;
    if (by->type == PKI_ED25519)
        bad = wc_ed25519_sign_msg(data, (word32)size, out, &n, &by->key.ed);
    else if (by->type == PKI_RSA) {
        n = 256;
        bad = wc_SignatureGenerate(WC_HASH_TYPE_SHA256, WC_SIGNATURE_TYPE_RSA_W_ENC, data, (word32)size, out,
                                   &n, &by->key.rsa, sizeof by->key.rsa, &pki_rng);
    } else
        bad = wc_SignatureGenerate(by->type == PKI_P384 ? WC_HASH_TYPE_SHA384 : WC_HASH_TYPE_SHA256,
                                   WC_SIGNATURE_TYPE_ECC, data, (word32)size, out, &n, &by->key.ecc,
                                   sizeof by->key.ecc, &pki_rng);
    PKI_CHECK(bad == 0);
    return n;
}

/* Certifies P's key. ISSUER NULL: self-signed. */
static inline void pki_certify(struct pki *p, const struct pki_spec *spec, struct pki *issuer)
{
    struct pki *by = issuer ? issuer : p;
    struct pki_der tbs = {.at = sizeof tbs.bytes}, cert = {.at = sizeof cert.bytes};
    uint8_t spki[1024], serial[9], signature[513] = {0};
    bool usual = spec->from_days == 0 && spec->to_days == 0;
    snprintf(p->cn, sizeof p->cn, "%s", spec->cn);

    size_t end = tbs.at;
    pki_extensions(&tbs, p, spec, by);
    pki_raw(&tbs, spki, pki_public(p, spki, sizeof spki));
    pki_name(&tbs, p->cn);
    size_t validity = tbs.at;
    pki_time(&tbs, usual ? 3650 : spec->to_days);
    pki_time(&tbs, usual ? -1 : spec->from_days);
    pki_wrap(&tbs, 0x30, validity);
    pki_name(&tbs, by->cn);
    pki_algorithm(&tbs, by->type);
    PKI_CHECK(wc_RNG_GenerateBlock(&pki_rng, serial, sizeof serial) == 0);
    serial[0] = 0x5a;
    pki_put(&tbs, 0x02, serial, sizeof serial);
    pki_raw(&tbs, "\xa0\x03\x02\x01\x02", 5);
    pki_wrap(&tbs, 0x30, end);

    end = cert.at;
    size_t n =
        pki_sign(by, tbs.bytes + tbs.at, sizeof tbs.bytes - tbs.at, signature + 1, sizeof signature - 1);
    pki_put(&cert, 0x03, signature, n + 1);
    pki_algorithm(&cert, by->type);
    pki_raw(&cert, tbs.bytes + tbs.at, sizeof tbs.bytes - tbs.at);
    pki_wrap(&cert, 0x30, end);
    p->cert_size = sizeof cert.bytes - cert.at;
    memcpy(p->cert, cert.bytes + cert.at, p->cert_size);
}

static inline void pki_make(struct pki *p, enum pki_key type, const struct pki_spec *spec, struct pki *issuer)
{
    pki_make_key(p, type);
    pki_certify(p, spec, issuer);
}

static inline struct tls_der pki_cert(const struct pki *p)
{
    return (struct tls_der){.data = p->cert, .size = p->cert_size};
}

static inline struct tls_der pki_key_der(const struct pki *p)
{
    return (struct tls_der){.data = p->key_der, .size = p->key_size};
}

#endif
