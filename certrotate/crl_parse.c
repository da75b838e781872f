/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "certrotate/crl_parse.h"

#include <string.h>

#include "certrotate/der.h"

/* Last octets of 2.5.29.id */
enum {
    ID_ISSUER_ALT_NAME = 18,
    ID_CRL_NUMBER = 20,
    ID_REASON = 21,
    ID_HOLD_INSTRUCTION = 23,
    ID_INVALIDITY_DATE = 24,
    ID_DELTA = 27,
    ID_SCOPE = 28,
    ID_AUTHORITY_KEY = 35,
    ID_FRESHEST = 46,
};

/* --- extensions --- */

struct extension {
    int id; /* of 2.5.29, or -1 */
    bool critical;
    struct der value;
};

static bool take_extension(struct der *list, struct extension *out)
{
    struct der in, oid;
    if (!der_take(list, DER_SEQUENCE, &in) || !der_take(&in, DER_OID, &oid) || der_empty(&oid))
        return false;
    out->id = der_left(&oid) == 3 && oid.p[0] == 0x55 && oid.p[1] == 0x1d ? oid.p[2] : -1;
    out->critical = false;
    if (der_peek(&in) == DER_BOOLEAN && !der_bool(&in, &out->critical))
        return false;
    return der_take(&in, DER_OCTET_STRING, &out->value) && der_empty(&in);
}

static bool read_authority_key(struct der value, struct crl *crl)
{
    struct der in, content;
    bool found;
    if (!der_take(&value, DER_SEQUENCE, &in) || !der_empty(&value) ||
        !der_maybe(&in, DER_CONTEXT(0), &content, &found))
        return false;
    if (found)
        crl->aki = der_rest(&content);
    return true;
}

/* An implicit BOOLEAN DEFAULT FALSE. */
static bool read_flag(struct der *in, unsigned number, bool *flag)
{
    struct der content;
    bool found;
    if (!der_maybe(in, (uint8_t)DER_CONTEXT(number), &content, &found))
        return false;
    if (found && der_left(&content) != 1)
        return false;
    *flag = found && *content.p != 0;
    return true;
}

/* IssuingDistributionPoint (RFC 5280 section 5.2.5) */
static bool read_scope(struct der value, struct crl *crl)
{
    struct der in, content;
    bool found;
    if (!der_take_whole(&value, DER_SEQUENCE, &in, &crl->scope) || !der_empty(&value))
        return false;
    return der_maybe(&in, DER_CONTEXT_CONS(0), &content, &found) && read_flag(&in, 1, &crl->only_users) &&
           read_flag(&in, 2, &crl->only_cas) &&
           der_maybe(&in, DER_CONTEXT(3), &content, &crl->only_some_reasons) &&
           read_flag(&in, 4, &crl->is_indirect) && read_flag(&in, 5, &crl->only_attributes) && der_empty(&in);
}

static bool read_extension(const struct extension *extension, struct crl *crl)
{
    struct der value = extension->value;
    bool negative;
    switch (extension->id) {
    case ID_AUTHORITY_KEY: return read_authority_key(value, crl);
    case ID_SCOPE: return read_scope(value, crl);
    case ID_CRL_NUMBER: return der_integer(&value, &crl->number, &negative) && !negative && der_empty(&value);
    case ID_DELTA: crl->is_delta = true; return true;
    case ID_ISSUER_ALT_NAME:
    case ID_FRESHEST: return true;
    default: crl->unknown_critical |= extension->critical; return true;
    }
}

static bool read_extensions(struct der *explicit, struct crl *crl)
{
    struct der list;
    uint64_t seen = 0;
    if (!der_take(explicit, DER_SEQUENCE, &list) || !der_empty(explicit))
        return false;
    while (!der_empty(&list)) {
        struct extension extension;
        if (!take_extension(&list, &extension))
            return false;
        /* Those that decide something may come but once (RFC 5280 section 4.2). */
        if (extension.id >= 0 && extension.id < 64) {
            if (seen & UINT64_C(1) << extension.id)
                return false;
            seen |= UINT64_C(1) << extension.id;
        }
        if (!read_extension(&extension, crl))
            return false;
    }
    return true;
}

/* --- the list --- */

static bool is_time(const struct der *in)
{
    int tag = der_peek(in);
    return tag == DER_UTC_TIME || tag == DER_GENERALIZED_TIME;
}

static const char *read_tbs(struct der *tbs, struct crl *crl)
{
    struct der content;
    struct x509_slice algorithm;
    uint32_t version = 0;
    bool found;
    if (der_peek(tbs) == DER_INTEGER && (!der_uint(tbs, 1, &version) || version != 1))
        return "unknown version of a CRL";
    if (!der_take_whole(tbs, DER_SEQUENCE, &content, &algorithm))
        return "malformed signature algorithm of a CRL";
    if (!der_same(algorithm, crl->signature_algorithm))
        return "inner and outer signature algorithm of a CRL differ";
    if (!der_take_whole(tbs, DER_SEQUENCE, &content, &crl->issuer) ||
        x509_name_attributes(crl->issuer, NULL, 0) < 0)
        return "malformed issuer name of a CRL";
    if (!der_time(tbs, &crl->this_update) || (is_time(tbs) && !der_time(tbs, &crl->next_update)))
        return "malformed thisUpdate or nextUpdate of a CRL";
    if (!der_maybe(tbs, DER_SEQUENCE, &content, &found))
        return "malformed entries of a CRL";
    if (found)
        crl->entries = der_rest(&content);
    if (!der_maybe(tbs, DER_CONTEXT_CONS(0), &content, &found) || !der_empty(tbs) ||
        (found && (version != 1 || !read_extensions(&content, crl))))
        return "malformed extensions of a CRL";
    return NULL;
}

const char *crl_parse(const uint8_t *der, size_t size, struct crl *crl)
{
    static const char none[] = "not a CRL";
    struct der in = der_from(der, size), outer, tbs, algorithm;
    unsigned unused;
    *crl = (struct crl){.der = {der, size}};
    if (!der_take(&in, DER_SEQUENCE, &outer))
        return none;
    if (!der_empty(&in))
        return "data after the end of a CRL";
    if (!der_take_whole(&outer, DER_SEQUENCE, &tbs, &crl->tbs) ||
        !der_take_whole(&outer, DER_SEQUENCE, &algorithm, &crl->signature_algorithm) ||
        !der_bits(&outer, &crl->signature, &unused) || unused != 0 || !der_empty(&outer))
        return none;
    return read_tbs(&tbs, crl);
}

/* --- its entries --- */

static bool read_reason(struct der value, int *reason)
{
    struct der content;
    if (!der_take(&value, DER_ENUMERATED, &content) || der_left(&content) != 1 || !der_empty(&value) ||
        *content.p > 127)
        return false;
    *reason = *content.p;
    return true;
}

int crl_next(struct x509_slice *entries, struct crl_entry *entry)
{
    struct der list = der_from_slice(*entries), in, extensions;
    bool found;
    if (der_empty(&list))
        return 0;
    *entry = (struct crl_entry){.reason = -1};
    if (!der_take(&list, DER_SEQUENCE, &in) || !der_integer(&in, &entry->serial, &entry->serial_negative) ||
        !der_time(&in, &entry->revoked_at) || !der_maybe(&in, DER_SEQUENCE, &extensions, &found) ||
        !der_empty(&in))
        return -1;
    while (found && !der_empty(&extensions)) {
        struct extension extension;
        if (!take_extension(&extensions, &extension))
            return -1;
        if (extension.id == ID_REASON) {
            if (!read_reason(extension.value, &entry->reason))
                return -1;
        } else if (extension.id != ID_HOLD_INSTRUCTION && extension.id != ID_INVALIDITY_DATE) {
            /* certificateIssuer too: where it comes the entry is about another issuer's certificate. */
            entry->unknown_critical |= extension.critical;
        }
    }
    *entries = der_rest(&list);
    return 1;
}
