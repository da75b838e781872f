/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "certrotate/mint.h"

#include <string.h>

/* Last octet of 2.5.29.x. */
enum {
    EXT_SKI = 14,
    EXT_KEY_USAGE = 15,
    EXT_SAN = 17,
    EXT_BASIC_CONSTRAINTS = 19,
    EXT_CRL_NUMBER = 20,
    EXT_CRL_REASON = 21,
    EXT_AKI = 35,
    EXT_EKU = 37,
};

bool mint_serial(uint8_t serial[MINT_SERIAL])
{
    if (!key_random(serial, MINT_SERIAL))
        return false;
    /* Positive, and always of the same length. */
    serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40);
    return true;
}

void mint_key_id(struct x509_slice public_key, uint8_t id[MINT_KEY_ID])
{
    uint8_t digest[32];
    x509_sha256(public_key, digest);
    memcpy(id, digest, MINT_KEY_ID);
}

/* SEQUENCE {tbs, algorithm, signature} from a TBS; wipes TBS. */
static bool sign(struct der_out *tbs, const struct key *key, struct der_out *out, struct failure *f)
{
    size_t begun = der_begin(out, DER_SEQUENCE);
    der_put_slice(out, der_out_slice(tbs));
    key_put_algorithm(key, out);
    if (!tbs->failed)
        key_put_signature(key, der_out_slice(tbs), out);
    der_end(out, begun);
    bool ok = !tbs->failed && !out->failed;
    der_out_free(tbs);
    return ok || failure(f, "cannot sign: out of memory, or the key does not work");
}

/* Opens an extension up to its value; extension_end() closes it. */
struct extension {
    size_t whole;
    size_t value;
};

static struct extension extension_begin(struct der_out *out, uint8_t id, bool critical)
{
    uint8_t oid[] = {0x55, 0x1d, id};
    struct extension e;
    e.whole = der_begin(out, DER_SEQUENCE);
    der_put(out, DER_OID, oid, sizeof oid);
    if (critical)
        der_put_bool(out, true);
    e.value = der_begin(out, DER_OCTET_STRING);
    return e;
}

static void extension_end(struct der_out *out, struct extension e)
{
    der_end(out, e.value);
    der_end(out, e.whole);
}

static void put_aki(struct der_out *out, struct x509_slice id)
{
    if (id.size == 0)
        return;
    struct extension e = extension_begin(out, EXT_AKI, false);
    size_t sequence = der_begin(out, DER_SEQUENCE);
    der_put(out, DER_CONTEXT(0), id.data, id.size);
    der_end(out, sequence);
    extension_end(out, e);
}

static void put_basic_constraints(struct der_out *out, bool is_ca, int path_len)
{
    struct extension e = extension_begin(out, EXT_BASIC_CONSTRAINTS, true);
    size_t sequence = der_begin(out, DER_SEQUENCE);
    if (is_ca)
        der_put_bool(out, true);
    if (is_ca && path_len >= 0)
        der_put_uint(out, (uint64_t)path_len);
    der_end(out, sequence);
    extension_end(out, e);
}

static void put_eku(struct der_out *out, unsigned eku)
{
    static const char id_kp[] = "\x2b\x06\x01\x05\x05\x07\x03";
    struct extension e = extension_begin(out, EXT_EKU, false);
    size_t sequence = der_begin(out, DER_SEQUENCE);
    for (uint8_t last = 1; last <= 2; last++) {
        if (!(eku & (last == 1 ? X509_EKU_SERVER_AUTH : X509_EKU_CLIENT_AUTH)))
            continue;
        size_t oid = der_begin(out, DER_OID);
        der_put_raw(out, id_kp, sizeof id_kp - 1);
        der_put_raw(out, &last, 1);
        der_end(out, oid);
    }
    der_end(out, sequence);
    extension_end(out, e);
}

static void put_sans(struct der_out *out, struct x509_slice sans, bool critical)
{
    if (sans.size == 0)
        return;
    struct extension e = extension_begin(out, EXT_SAN, critical);
    der_put(out, DER_SEQUENCE, sans.data, sans.size);
    extension_end(out, e);
}

/* An empty Name: SEQUENCE without content. */
static bool is_empty_name(struct x509_slice name)
{
    return name.size == 2;
}

/* An RSA key may also decipher keys (TLS 1.2's static RSA is off, but the bit is expected of servers). */
static unsigned leaf_usage(struct x509_slice spki)
{
    static const char rsa[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
    struct der in = der_from_slice(spki), content, algorithm, oid;
    bool is_rsa = der_take(&in, DER_SEQUENCE, &content) && der_take(&content, DER_SEQUENCE, &algorithm) &&
                  der_take(&algorithm, DER_OID, &oid) && der_equal(der_rest(&oid), rsa, sizeof rsa - 1);
    return X509_KU_DIGITAL_SIGNATURE | (is_rsa ? X509_KU_KEY_ENCIPHERMENT : 0);
}

static void put_extensions(const struct mint_certificate *m, struct x509_slice public_key,
                           struct der_out *out)
{
    uint8_t id[MINT_KEY_ID];
    size_t explicit = der_begin(out, DER_CONTEXT_CONS(3));
    size_t list = der_begin(out, DER_SEQUENCE);
    put_basic_constraints(out, m->is_ca, m->path_len);

    struct extension e = extension_begin(out, EXT_KEY_USAGE, true);
    der_put_named_bits(out, m->is_ca ? X509_KU_KEY_CERT_SIGN | X509_KU_CRL_SIGN : leaf_usage(m->spki));
    extension_end(out, e);
    if (!m->is_ca)
        put_eku(out, m->eku);

    mint_key_id(public_key, id);
    e = extension_begin(out, EXT_SKI, false);
    der_put(out, DER_OCTET_STRING, id, sizeof id);
    extension_end(out, e);
    if (m->issuer)
        put_aki(out, m->issuer->ski);
    put_sans(out, m->sans, is_empty_name(m->subject));
    der_end(out, list);
    der_end(out, explicit);
}

/* The octets of the BIT STRING in a SubjectPublicKeyInfo. */
static bool public_key_of(struct x509_slice spki, struct x509_slice *octets)
{
    struct der in = der_from_slice(spki), content, algorithm;
    unsigned unused;
    return der_take(&in, DER_SEQUENCE, &content) && der_take(&content, DER_SEQUENCE, &algorithm) &&
           der_bits(&content, octets, &unused);
}

bool mint_certificate(const struct mint_certificate *m, const struct key *key, struct der_out *out,
                      struct failure *f)
{
    struct der_out tbs = {0};
    struct x509_slice public_key;
    if (!public_key_of(m->spki, &public_key))
        return failure(f, "malformed public key");
    size_t begun = der_begin(&tbs, DER_SEQUENCE);
    size_t version = der_begin(&tbs, DER_CONTEXT_CONS(0));
    der_put_uint(&tbs, 2);
    der_end(&tbs, version);
    der_put_integer(&tbs, (struct x509_slice){m->serial, MINT_SERIAL});
    key_put_algorithm(key, &tbs);
    der_put_slice(&tbs, m->issuer ? m->issuer->subject : m->subject);
    size_t validity = der_begin(&tbs, DER_SEQUENCE);
    der_put_time(&tbs, m->not_before);
    der_put_time(&tbs, m->not_after);
    der_end(&tbs, validity);
    der_put_slice(&tbs, m->subject);
    der_put_slice(&tbs, m->spki);
    put_extensions(m, public_key, &tbs);
    der_end(&tbs, begun);
    return sign(&tbs, key, out, f);
}

bool mint_request(struct x509_slice subject, struct x509_slice sans, const struct key *key,
                  struct der_out *out, struct failure *f)
{
    static const char extension_request[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e";
    struct der_out tbs = {0};
    size_t begun = der_begin(&tbs, DER_SEQUENCE);
    der_put_uint(&tbs, 0);
    der_put_slice(&tbs, subject);
    key_put_public(key, &tbs);
    size_t attributes = der_begin(&tbs, DER_CONTEXT_CONS(0));
    if (sans.size > 0) {
        size_t attribute = der_begin(&tbs, DER_SEQUENCE);
        der_put(&tbs, DER_OID, extension_request, sizeof extension_request - 1);
        size_t values = der_begin(&tbs, DER_SET);
        size_t list = der_begin(&tbs, DER_SEQUENCE);
        put_sans(&tbs, sans, is_empty_name(subject));
        der_end(&tbs, list);
        der_end(&tbs, values);
        der_end(&tbs, attribute);
    }
    der_end(&tbs, attributes);
    der_end(&tbs, begun);
    return sign(&tbs, key, out, f);
}

static void put_revoked(const struct mint_revoked *r, struct der_out *out)
{
    size_t entry = der_begin(out, DER_SEQUENCE);
    der_put_integer(out, r->serial);
    der_put_time(out, r->time);
    if (r->reason > 0) {
        uint8_t reason = (uint8_t)r->reason;
        size_t extensions = der_begin(out, DER_SEQUENCE);
        struct extension e = extension_begin(out, EXT_CRL_REASON, false);
        der_put(out, DER_ENUMERATED, &reason, 1);
        extension_end(out, e);
        der_end(out, extensions);
    }
    der_end(out, entry);
}

bool mint_crl(const struct mint_crl *m, const struct key *key, struct der_out *out, struct failure *f)
{
    struct der_out tbs = {0};
    size_t begun = der_begin(&tbs, DER_SEQUENCE);
    der_put_uint(&tbs, 1);
    key_put_algorithm(key, &tbs);
    der_put_slice(&tbs, m->issuer->subject);
    der_put_time(&tbs, m->this_update);
    der_put_time(&tbs, m->next_update);
    /* RFC 5280 section 5.1.2.6: absent when there are none. */
    if (m->count > 0) {
        size_t list = der_begin(&tbs, DER_SEQUENCE);
        for (size_t i = 0; i < m->count; i++)
            put_revoked(&m->revoked[i], &tbs);
        der_end(&tbs, list);
    }
    size_t explicit = der_begin(&tbs, DER_CONTEXT_CONS(0));
    size_t extensions = der_begin(&tbs, DER_SEQUENCE);
    put_aki(&tbs, m->issuer->ski);
    struct extension e = extension_begin(&tbs, EXT_CRL_NUMBER, false);
    der_put_uint(&tbs, m->number);
    extension_end(&tbs, e);
    der_end(&tbs, extensions);
    der_end(&tbs, explicit);
    der_end(&tbs, begun);
    return sign(&tbs, key, out, f);
}
