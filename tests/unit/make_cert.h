/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Certificates made for a test while it runs, all with Ed25519 keys that are numbers: for what no tool would
 * issue, and for chains that no folder of files should hold. Not for use outside of tests.
 */
#ifndef TESTS_MAKE_CERT_H
#define TESTS_MAKE_CERT_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/ed25519.h>

#include "certrotate/der.h"

/*
 * What goes in. Names are "O=x,CN=y" in encoding order, "" for none; lists of GeneralNames are
 * "DNS:a|URI:b|IP:1.2.3.4|IP:10.0.0.0/255.0.0.0|email:a@b|dir:O=x|other:", NULL for none.
 */
struct make_cert {
    const char *subject, *issuer; /* issuer NULL: self-signed */
    unsigned key, by;             /* numbers of keys */
    unsigned serial;
    const char *not_before, *not_after; /* YYYYMMDD; NULL: 2020 and 2120 */
    bool ca;
    int path_len;       /* 0: none; n: n - 1 */
    unsigned key_usage; /* x509_key_usage bits; 0: no extension */
    unsigned eku;       /* x509_eku bits; 0: no extension */
    const char *san;
    const char *permitted, *excluded;
    const uint8_t *constraints; /* instead of the two: the whole value */
    size_t constraints_size;
    bool unknown_critical;
    bool key_ids;        /* subject and authority key identifiers */
    unsigned claimed_by; /* the number of a key that the latter names; 0: BY */
    bool bad_signature;
    bool sha1;          /* says so in its algorithm; the signature is worthless then */
    size_t padding;     /* bytes in an unknown extension that is not critical */
    uint8_t string_tag; /* of names; 0: UTF8String */
};

struct mc_buf {
    uint8_t *data;
    size_t size;
};

static inline void mc_put(struct mc_buf *b, const void *data, size_t size)
{
    b->data = realloc(b->data, b->size + size + 1);
    if (!b->data)
        abort();
    if (size > 0)
        memcpy(b->data + b->size, data, size);
    b->size += size;
}

/* One element with TAG around INNER, which is freed. */
static inline void mc_wrap(struct mc_buf *out, uint8_t tag, struct mc_buf inner)
{
    uint8_t head[6] = {tag};
    size_t n = 2;
    if (inner.size < 0x80) {
        head[1] = (uint8_t)inner.size;
    } else {
        size_t octets = inner.size > 0xffff ? 3 : inner.size > 0xff ? 2 : 1;
        head[1] = (uint8_t)(0x80 | octets);
        for (size_t i = 0; i < octets; i++)
            head[n++] = (uint8_t)(inner.size >> 8 * (octets - 1 - i));
    }
    mc_put(out, head, n);
    mc_put(out, inner.data, inner.size);
    free(inner.data);
}

static inline void mc_leaf(struct mc_buf *out, uint8_t tag, const void *data, size_t size)
{
    struct mc_buf inner = {NULL, 0};
    mc_put(&inner, data, size);
    mc_wrap(out, tag, inner);
}

static inline void mc_uint(struct mc_buf *out, unsigned value)
{
    uint8_t octets[5] = {0, (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                         (uint8_t)value};
    size_t skip = 0;
    while (skip < 4 && octets[skip] == 0 && !(octets[skip + 1] & 0x80))
        skip++;
    mc_leaf(out, DER_INTEGER, octets + skip, 5 - skip);
}

/* A Name; "+" before an attribute joins it to the RDN before. */
static inline void mc_name(struct mc_buf *out, const char *text, uint8_t tag)
{
    struct mc_buf rdns = {NULL, 0}, set = {NULL, 0};
    char *copy = strdup(text), *save = NULL;
    for (char *part = strtok_r(copy, ",", &save); part; part = strtok_r(NULL, ",", &save)) {
        bool joins = *part == '+';
        part += joins;
        if (!joins && set.size > 0) {
            mc_wrap(&rdns, DER_SET, set);
            set = (struct mc_buf){NULL, 0};
        }
        char *value = strchr(part, '=') + 1;
        struct mc_buf pair = {NULL, 0};
        if (strncmp(part, "CN=", 3) == 0)
            mc_leaf(&pair, DER_OID, "\x55\x04\x03", 3);
        else if (strncmp(part, "emailAddress=", 13) == 0)
            mc_leaf(&pair, DER_OID, "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", 9);
        else
            mc_leaf(&pair, DER_OID, "\x55\x04\x0a", 3);
        mc_leaf(&pair, tag ? tag : DER_UTF8_STRING, value, strlen(value));
        mc_wrap(&set, DER_SEQUENCE, pair);
    }
    if (set.size > 0)
        mc_wrap(&rdns, DER_SET, set);
    mc_wrap(out, DER_SEQUENCE, rdns);
    free(copy);
}

static inline void mc_address(struct mc_buf *out, const char *text)
{
    uint8_t address[16];
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;
    if (inet_pton(family, text, address) != 1)
        abort();
    mc_put(out, address, family == AF_INET ? 4 : 16);
}

static inline void mc_general_name(struct mc_buf *out, char *text, uint8_t tag)
{
    char *value = strchr(text, ':') + 1;
    if (strncmp(text, "DNS:", 4) == 0) {
        mc_leaf(out, DER_CONTEXT(2), value, strlen(value));
    } else if (strncmp(text, "URI:", 4) == 0) {
        mc_leaf(out, DER_CONTEXT(6), value, strlen(value));
    } else if (strncmp(text, "email:", 6) == 0) {
        mc_leaf(out, DER_CONTEXT(1), value, strlen(value));
    } else if (strncmp(text, "dir:", 4) == 0) {
        struct mc_buf name = {NULL, 0};
        mc_name(&name, value, tag);
        mc_wrap(out, DER_CONTEXT_CONS(4), name);
    } else if (strncmp(text, "IP:", 3) == 0) {
        struct mc_buf address = {NULL, 0};
        char *mask = strchr(value, '/');
        if (mask)
            *mask++ = 0;
        mc_address(&address, value);
        if (mask)
            mc_address(&address, mask);
        mc_wrap(out, DER_CONTEXT(7), address);
    } else {
        struct mc_buf other = {NULL, 0};
        mc_leaf(&other, DER_OID, "\x2a\x03\x04", 3);
        mc_leaf(&other, DER_CONTEXT_CONS(0), "\x05\x00", 2);
        mc_wrap(out, DER_CONTEXT_CONS(0), other);
    }
}

/* GeneralNames; as subtrees each stands in a SEQUENCE of its own. */
static inline void mc_general_names(struct mc_buf *out, const char *list, bool subtrees, uint8_t tag)
{
    char *copy = strdup(list), *save = NULL;
    for (char *part = strtok_r(copy, "|", &save); part; part = strtok_r(NULL, "|", &save)) {
        struct mc_buf subtree = {NULL, 0};
        if (!subtrees) {
            mc_general_name(out, part, tag);
            continue;
        }
        mc_general_name(&subtree, part, tag);
        mc_wrap(out, DER_SEQUENCE, subtree);
    }
    free(copy);
}

/* An extension whose value VALUE is freed. OID: content octets. */
static inline void mc_extension(struct mc_buf *out, const char *oid, size_t oid_size, bool critical,
                                struct mc_buf value)
{
    struct mc_buf ext = {NULL, 0};
    mc_leaf(&ext, DER_OID, oid, oid_size);
    if (critical)
        mc_leaf(&ext, DER_BOOLEAN, "\xff", 1);
    mc_wrap(&ext, DER_OCTET_STRING, value);
    mc_wrap(out, DER_SEQUENCE, ext);
}

static inline void mc_key(unsigned number, ed25519_key *key, uint8_t public[32])
{
    uint8_t seed[32] = {0x4f};
    word32 size = 32;
    memcpy(seed + 1, &number, sizeof number);
    if (wc_ed25519_init(key) != 0 || wc_ed25519_import_private_only(seed, 32, key) != 0 ||
        wc_ed25519_make_public(key, public, 32) != 0 ||
        wc_ed25519_import_private_key(seed, 32, public, size, key) != 0)
        abort();
}

static inline void mc_extensions(struct mc_buf *out, const struct make_cert *c, unsigned by)
{
    struct mc_buf value, inner;
    uint8_t bits[3] = {0};
    if (c->ca || c->path_len > 0) {
        value = inner = (struct mc_buf){NULL, 0};
        if (c->ca)
            mc_leaf(&inner, DER_BOOLEAN, "\xff", 1);
        if (c->path_len > 0)
            mc_uint(&inner, (unsigned)c->path_len - 1);
        mc_wrap(&value, DER_SEQUENCE, inner);
        mc_extension(out, "\x55\x1d\x13", 3, true, value);
    }
    if (c->key_usage) {
        value = (struct mc_buf){NULL, 0};
        unsigned last = 0;
        for (unsigned i = 0; i < 7; i++)
            if (c->key_usage & 1u << i) {
                bits[1] |= (uint8_t)(0x80 >> i);
                last = i;
            }
        bits[0] = (uint8_t)(7 - last);
        mc_leaf(&value, DER_BIT_STRING, bits, 2);
        mc_extension(out, "\x55\x1d\x0f", 3, true, value);
    }
    if (c->eku) {
        value = inner = (struct mc_buf){NULL, 0};
        if (c->eku & X509_EKU_ANY)
            mc_leaf(&inner, DER_OID, "\x55\x1d\x25\x00", 4);
        if (c->eku & X509_EKU_SERVER_AUTH)
            mc_leaf(&inner, DER_OID, "\x2b\x06\x01\x05\x05\x07\x03\x01", 8);
        if (c->eku & X509_EKU_CLIENT_AUTH)
            mc_leaf(&inner, DER_OID, "\x2b\x06\x01\x05\x05\x07\x03\x02", 8);
        if (c->eku & X509_EKU_OTHER)
            mc_leaf(&inner, DER_OID, "\x2b\x06\x01\x05\x05\x07\x03\x03", 8);
        mc_wrap(&value, DER_SEQUENCE, inner);
        mc_extension(out, "\x55\x1d\x25", 3, false, value);
    }
    if (c->san) {
        value = inner = (struct mc_buf){NULL, 0};
        mc_general_names(&inner, c->san, false, c->string_tag);
        mc_wrap(&value, DER_SEQUENCE, inner);
        mc_extension(out, "\x55\x1d\x11", 3, false, value);
    }
    if (c->permitted || c->excluded || c->constraints) {
        value = inner = (struct mc_buf){NULL, 0};
        for (int i = 0; i < 2; i++) {
            struct mc_buf trees = {NULL, 0};
            const char *list = i ? c->excluded : c->permitted;
            if (!list)
                continue;
            mc_general_names(&trees, list, true, c->string_tag);
            mc_wrap(&inner, (uint8_t)DER_CONTEXT_CONS(i), trees);
        }
        if (c->constraints)
            mc_put(&inner, c->constraints, c->constraints_size);
        mc_wrap(&value, DER_SEQUENCE, inner);
        mc_extension(out, "\x55\x1d\x1e", 3, true, value);
    }
    if (c->unknown_critical) {
        value = (struct mc_buf){NULL, 0};
        mc_leaf(&value, DER_NULL, "", 0);
        mc_extension(out, "\x2a\x03\x05", 3, true, value);
    }
    if (c->padding) {
        value = (struct mc_buf){calloc(1, c->padding + 1), c->padding};
        mc_extension(out, "\x2a\x03\x06", 3, false, value);
    }
    if (c->key_ids) {
        uint8_t id[4];
        value = inner = (struct mc_buf){NULL, 0};
        memcpy(id, &c->key, 4);
        mc_leaf(&value, DER_OCTET_STRING, id, 4);
        mc_extension(out, "\x55\x1d\x0e", 3, false, value);
        value = (struct mc_buf){NULL, 0};
        memcpy(id, c->claimed_by ? &c->claimed_by : &by, 4);
        mc_leaf(&inner, DER_CONTEXT(0), id, 4);
        mc_wrap(&value, DER_SEQUENCE, inner);
        mc_extension(out, "\x55\x1d\x23", 3, false, value);
    }
}

static inline void mc_time(struct mc_buf *out, const char *day)
{
    char text[16];
    snprintf(text, sizeof text, "%s000000Z", day);
    mc_leaf(out, DER_GENERALIZED_TIME, text, 15);
}

/* The certificate in DER; free its data. */
static inline struct x509_slice make_cert(const struct make_cert *c)
{
    struct mc_buf tbs = {NULL, 0}, part = {NULL, 0}, inner = {NULL, 0}, algorithm = {NULL, 0},
                  out = {NULL, 0};
    unsigned by = c->issuer ? c->by : c->key;
    uint8_t public[32], signature[64];
    word32 size = sizeof signature;
    ed25519_key key;

    mc_leaf(&inner, DER_INTEGER, "\2", 1);
    mc_wrap(&part, DER_CONTEXT_CONS(0), inner);
    mc_uint(&part, c->serial ? c->serial : 1 + c->key);
    inner = (struct mc_buf){NULL, 0};
    if (c->sha1)
        mc_leaf(&inner, DER_OID, "\x2a\x86\x48\xce\x3d\x04\x01", 7);
    else
        mc_leaf(&inner, DER_OID, "\x2b\x65\x70", 3);
    mc_wrap(&algorithm, DER_SEQUENCE, inner);
    mc_put(&part, algorithm.data, algorithm.size);
    mc_name(&part, c->issuer ? c->issuer : c->subject, c->string_tag);
    inner = (struct mc_buf){NULL, 0};
    mc_time(&inner, c->not_before ? c->not_before : "20200101");
    mc_time(&inner, c->not_after ? c->not_after : "21200101");
    mc_wrap(&part, DER_SEQUENCE, inner);
    mc_name(&part, c->subject, c->string_tag);

    mc_key(c->key, &key, public);
    wc_ed25519_free(&key);
    struct mc_buf spki = {NULL, 0}, bits = {NULL, 0};
    inner = (struct mc_buf){NULL, 0};
    mc_leaf(&inner, DER_OID, "\x2b\x65\x70", 3);
    mc_wrap(&spki, DER_SEQUENCE, inner);
    mc_put(&bits, "", 1);
    mc_put(&bits, public, 32);
    mc_wrap(&spki, DER_BIT_STRING, bits);
    mc_wrap(&part, DER_SEQUENCE, spki);

    struct mc_buf list = {NULL, 0}, explicit = {NULL, 0};
    mc_extensions(&list, c, by);
    if (list.size > 0) {
        mc_wrap(&explicit, DER_SEQUENCE, list);
        mc_wrap(&part, DER_CONTEXT_CONS(3), explicit);
    }
    mc_wrap(&tbs, DER_SEQUENCE, part);

    mc_key(by, &key, public);
    if (wc_ed25519_sign_msg(tbs.data, (word32)tbs.size, signature, &size, &key) != 0)
        abort();
    wc_ed25519_free(&key);
    signature[5] ^= c->bad_signature;
    bits = (struct mc_buf){NULL, 0};
    mc_put(&bits, "", 1);
    mc_put(&bits, signature, size);
    mc_put(&tbs, algorithm.data, algorithm.size);
    mc_wrap(&tbs, DER_BIT_STRING, bits);
    mc_wrap(&out, DER_SEQUENCE, tbs);
    free(algorithm.data);
    return (struct x509_slice){out.data, out.size};
}

#endif
