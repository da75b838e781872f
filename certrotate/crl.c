/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "certrotate/crl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "certrotate/crl_parse.h"
#include "certrotate/der.h"
#include "certrotate/verify.h"

/* --- tables --- */

struct entry {
    int64_t revoked_at;
    uint32_t serial; /* offset in the list's octets: length (2 octets), sign (1), then the number */
    int reason;
};

/* One CRL. Tables are open addressing over powers of two, at most two thirds full; 0 is empty, else index
 * + 1. */
struct list {
    struct list *next; /* another one with the same hash of the issuer's name */
    uint8_t *issuer;
    size_t issuer_size;
    uint8_t *aki;
    size_t aki_size;
    bool covers_users;
    bool covers_cas;
    int64_t this_update;
    int64_t next_update;
    /* Signed by this key; SIZE 0: the issuer was not at hand, what follows is for the lookup to check. */
    uint8_t *spki;
    size_t spki_size;
    struct x509_digest digest;
    uint8_t *tbs; /* of Ed25519, which has no digest */
    size_t tbs_size;
    uint8_t *algorithm;
    size_t algorithm_size;
    uint8_t *signature;
    size_t signature_size;

    struct entry *entry;
    size_t entry_count;
    uint8_t *octets;
    uint32_t *slot;
    size_t slot_count;
};

struct crl_index {
    uint64_t seed;
    struct list *list;
    size_t list_count;
    struct list **bucket; /* by the issuer's name */
    size_t bucket_count;
    size_t entries;
    size_t bytes;
};

static uint64_t hash_of(uint64_t seed, const uint8_t *data, size_t size)
{
    uint64_t h = seed ^ size;
    for (size_t i = 0; i < size; i++) {
        h = (h ^ data[i]) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    h *= UINT64_C(0xbf58476d1ce4e5b9);
    return h ^ h >> 32;
}

static size_t table_size(size_t entries)
{
    size_t size = 8;
    while (size * 2 < entries * 3)
        size *= 2;
    return size;
}

/* --- building --- */

/* What is being built, and where trouble is told. */
struct builder {
    struct crl_index *index;
    const struct x509 *issuers;
    size_t issuer_count;
    crl_warn_fn warn;
    void *arg;
    char *error;
    size_t error_size;
};

/* A CRL that is read, with what is known of its signer. */
struct source {
    struct crl crl;
    const struct x509 *signer; /* NULL: not at hand */
    const char *left_out;      /* why */
};

static bool refuse(const struct builder *b, const struct crl *crl, const char *why)
{
    char name[256] = "";
    if (crl && crl->issuer.size > 0)
        x509_name_rfc2253(crl->issuer, name, sizeof name);
    snprintf(b->error, b->error_size, name[0] ? "%s (CRL of %s)" : "%s", why, name);
    return false;
}

static void *take(const struct builder *b, size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (memory)
        b->index->bytes += count * size;
    else
        refuse(b, NULL, "out of memory");
    return memory;
}

static bool copy(const struct builder *b, struct x509_slice from, uint8_t **to, size_t *size)
{
    *to = take(b, from.size, 1);
    if (!*to)
        return false;
    *size = from.size;
    if (from.size > 0)
        memcpy(*to, from.data, from.size);
    return true;
}

/* RFC 5280 section 6.3.3 (f) */
static bool may_sign(const struct x509 *issuer)
{
    return !issuer->has_key_usage || (issuer->key_usage & X509_KU_CRL_SIGN);
}

static bool key_id_fits(struct x509_slice aki, const struct x509 *issuer)
{
    return aki.size == 0 || issuer->ski.size == 0 || der_same(aki, issuer->ski);
}

/* Finds who signed it. None of the issuers having that name and key identifier is no error. */
static bool find_signer(const struct builder *b, struct source *source)
{
    const struct crl *crl = &source->crl;
    const char *wrong = x509_verify_algorithm(crl->signature_algorithm, NULL);
    for (size_t i = 0; i < b->issuer_count && !source->signer; i++) {
        const struct x509 *issuer = &b->issuers[i];
        if (!der_same(issuer->subject, crl->issuer) || !key_id_fits(crl->aki, issuer))
            continue;
        const char *failed = may_sign(issuer)
                                 ? x509_verify(issuer, crl->tbs, crl->signature_algorithm, crl->signature)
                                 : "its issuer's key usage does not allow to sign CRLs";
        if (failed)
            wrong = failed;
        else
            source->signer = issuer;
    }
    return source->signer || !wrong || refuse(b, crl, wrong);
}

static bool read_source(const struct builder *b, struct x509_slice der, struct source *source)
{
    struct crl *crl = &source->crl;
    const char *wrong = der.size > CRL_BYTES_MAX ? "too large" : crl_parse(der.data, der.size, crl);
    if (wrong)
        return refuse(b, NULL, wrong);
    if (crl->is_delta)
        source->left_out = "it is a delta CRL";
    else if (crl->is_indirect)
        source->left_out = "it is an indirect CRL";
    else if (crl->only_attributes)
        source->left_out = "it is about attribute certificates";
    else if (crl->unknown_critical)
        return refuse(b, crl, "unknown critical extension");
    else
        return find_signer(b, source);
    return true;
}

/* Leaves out all but the newest of those that speak of the same by the same key. */
static void drop_older(struct source *sources, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++) {
            const struct crl *a = &sources[i].crl, *b = &sources[k].crl;
            if (i == k || sources[i].left_out || sources[k].left_out || !der_same(a->issuer, b->issuer) ||
                !der_same(a->scope, b->scope))
                continue;
            /* Of signers that are not at hand the key identifiers tell. */
            bool same_key =
                sources[i].signer && sources[k].signer
                    ? der_same(sources[i].signer->spki, sources[k].signer->spki)
                    : !sources[i].signer && !sources[k].signer && a->aki.size > 0 && der_same(a->aki, b->aki);
            if (same_key && (a->this_update < b->this_update || (der_same(a->der, b->der) && i > k)))
                sources[i].left_out = "the same or a newer one of this issuer is there";
        }
    }
}

/* The serial that OCTETS hold at AT. */
static bool is_serial(const uint8_t *octets, struct x509_slice serial, bool negative)
{
    return (size_t)(octets[0] << 8 | octets[1]) == serial.size && octets[2] == negative &&
           memcmp(octets + 3, serial.data, serial.size) == 0;
}

/* The slot that holds SERIAL, or the empty one where it would stand. */
static size_t find_slot(const struct crl_index *index, const struct list *list, struct x509_slice serial,
                        bool negative)
{
    size_t at = hash_of(index->seed, serial.data, serial.size) & (list->slot_count - 1);
    while (list->slot[at] != 0 &&
           !is_serial(list->octets + list->entry[list->slot[at] - 1].serial, serial, negative))
        at = (at + 1) & (list->slot_count - 1);
    return at;
}

static bool count_entries(const struct builder *b, const struct crl *crl, size_t *count, size_t *octets)
{
    struct x509_slice left = crl->entries;
    struct crl_entry entry;
    int got;
    *count = *octets = 0;
    while ((got = crl_next(&left, &entry)) > 0) {
        if (entry.unknown_critical)
            return refuse(b, crl, "an entry has an unknown critical extension");
        if (entry.serial.size > UINT16_MAX)
            return refuse(b, crl, "a serial number is absurdly long");
        *octets += entry.serial.size + 3;
        if (++*count + b->index->entries > CRL_ENTRIES_MAX)
            return refuse(b, crl, "too many entries");
    }
    return got == 0 || refuse(b, crl, "malformed entry");
}

static void add_entry(const struct crl_index *index, struct list *list, const struct crl_entry *entry,
                      size_t *at)
{
    size_t slot = find_slot(index, list, entry->serial, entry->serial_negative);
    if (list->slot[slot] != 0)
        return;
    uint8_t *octets = list->octets + *at;
    octets[0] = (uint8_t)(entry->serial.size >> 8);
    octets[1] = (uint8_t)entry->serial.size;
    octets[2] = entry->serial_negative;
    memcpy(octets + 3, entry->serial.data, entry->serial.size);
    list->entry[list->entry_count] = (struct entry){entry->revoked_at, (uint32_t)*at, entry->reason};
    list->slot[slot] = (uint32_t)++list->entry_count;
    *at += entry->serial.size + 3;
}

static bool fill_entries(const struct builder *b, const struct crl *crl, struct list *list)
{
    size_t count, octets, at = 0;
    struct crl_entry entry;
    if (!count_entries(b, crl, &count, &octets))
        return false;
    list->slot_count = table_size(count);
    list->entry = take(b, count, sizeof *list->entry);
    list->octets = take(b, octets, 1);
    list->slot = take(b, list->slot_count, sizeof *list->slot);
    if (!list->entry || !list->octets || !list->slot)
        return false;
    for (struct x509_slice left = crl->entries; crl_next(&left, &entry) > 0;)
        add_entry(b->index, list, &entry, &at);
    b->index->entries += list->entry_count;
    return true;
}

static bool add_list(const struct builder *b, const struct source *source)
{
    const struct crl *crl = &source->crl;
    struct crl_index *index = b->index;
    struct list *list = &index->list[index->list_count++];
    list->this_update = crl->this_update;
    list->next_update = crl->next_update;
    list->covers_users = !crl->only_cas && !crl->only_some_reasons;
    list->covers_cas = !crl->only_users && !crl->only_some_reasons;
    if (!copy(b, crl->issuer, &list->issuer, &list->issuer_size) ||
        !copy(b, crl->aki, &list->aki, &list->aki_size))
        return false;
    if (source->signer) {
        if (!copy(b, source->signer->spki, &list->spki, &list->spki_size))
            return false;
    } else {
        const char *wrong = x509_verify_hash(crl->tbs, crl->signature_algorithm, &list->digest);
        if (wrong)
            return refuse(b, crl, wrong);
        if (!copy(b, crl->signature_algorithm, &list->algorithm, &list->algorithm_size) ||
            !copy(b, crl->signature, &list->signature, &list->signature_size) ||
            (list->digest.size == 0 && !copy(b, crl->tbs, &list->tbs, &list->tbs_size)))
            return false;
    }
    if (!fill_entries(b, crl, list))
        return false;
    size_t at = hash_of(index->seed, list->issuer, list->issuer_size) & (index->bucket_count - 1);
    list->next = index->bucket[at];
    index->bucket[at] = list;
    return true;
}

static void tell(const struct builder *b, const struct source *source, const char *what)
{
    char text[512], name[256];
    if (!b->warn)
        return;
    x509_name_rfc2253(source->crl.issuer, name, sizeof name);
    snprintf(text, sizeof text, "the CRL of %s %s", name, what);
    b->warn(text, b->arg);
}

static bool add_source(const struct builder *b, const struct source *source)
{
    char what[128];
    if (source->left_out) {
        snprintf(what, sizeof what, "is left out: %s", source->left_out);
        tell(b, source, what);
        return true;
    }
    if (!source->signer)
        tell(b, source, "waits for its issuer's certificate, which is not in the CA bundle");
    return add_list(b, source);
}

static bool build(const struct builder *b, const struct x509_slice *crls, struct source *sources,
                  size_t count)
{
    struct crl_index *index = b->index;
    index->bucket_count = table_size(count);
    index->list = take(b, count, sizeof *index->list);
    index->bucket = take(b, index->bucket_count, sizeof(struct list *));
    if (!index->list || !index->bucket)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!read_source(b, crls[i], &sources[i]))
            return false;
    drop_older(sources, count);
    for (size_t i = 0; i < count; i++)
        if (!add_source(b, &sources[i]))
            return false;
    return true;
}

struct crl_index *crl_index_new(const struct x509_slice *crls, size_t count, const struct x509 *issuers,
                                size_t issuer_count, crl_warn_fn warn, void *arg, char *error,
                                size_t error_size)
{
    struct builder b = {NULL, issuers, issuer_count, warn, arg, error, error_size};
    if (count > CRL_LISTS_MAX) {
        refuse(&b, NULL, "too many CRLs");
        return NULL;
    }
    struct source *sources = calloc(count ? count : 1, sizeof *sources);
    b.index = calloc(1, sizeof *b.index);
    bool ok = sources && b.index;
    if (!ok)
        refuse(&b, NULL, "out of memory");
    if (ok) {
        b.index->bytes = sizeof *b.index;
        /* Without it serials could still be found, only not kept from colliding on purpose. */
        if (getrandom(&b.index->seed, sizeof b.index->seed, GRND_NONBLOCK) < 0)
            b.index->seed = (uintptr_t)b.index;
        ok = build(&b, crls, sources, count);
    }
    free(sources);
    if (!ok) {
        crl_index_free(b.index);
        b.index = NULL;
    }
    return b.index;
}

void crl_index_free(struct crl_index *index)
{
    if (!index)
        return;
    for (size_t i = 0; i < index->list_count; i++) {
        struct list *list = &index->list[i];
        free(list->issuer);
        free(list->aki);
        free(list->spki);
        free(list->tbs);
        free(list->algorithm);
        free(list->signature);
        free(list->entry);
        free(list->octets);
        free(list->slot);
    }
    free(index->list);
    free(index->bucket);
    free(index);
}

/* --- looking up --- */

/* Whether LIST speaks for ISSUER; *BY_KEY: it is signed by this very key, not by another of the same CA. */
static bool speaks_for(const struct list *list, const struct x509 *issuer, bool *by_key)
{
    *by_key = true;
    if (!der_equal(issuer->subject, list->issuer, list->issuer_size))
        return false;
    if (list->spki_size > 0) {
        /* A CA that took a new key revokes what its old one issued: the name decides (RFC 5280 section 5). */
        *by_key = der_equal(issuer->spki, list->spki, list->spki_size);
        return true;
    }
    struct x509_slice aki = {list->aki, list->aki_size}, algorithm = {list->algorithm, list->algorithm_size},
                      signature = {list->signature, list->signature_size}, tbs = {list->tbs, list->tbs_size};
    if (!key_id_fits(aki, issuer) || !may_sign(issuer))
        return false;
    return !(tbs.size > 0 ? x509_verify(issuer, tbs, algorithm, signature)
                          : x509_verify_digest(issuer, &list->digest, algorithm, signature));
}

/* What this list alone says. */
static enum crl_status ask_list(const struct crl_index *index, const struct list *list, bool by_key,
                                const struct x509 *cert, int64_t now, struct crl_hit *hit)
{
    *hit = (struct crl_hit){0, -1, list->this_update, list->next_update};
    uint32_t found = list->slot[find_slot(index, list, cert->serial, cert->serial_negative)];
    if (found != 0) {
        hit->revoked_at = list->entry[found - 1].revoked_at;
        hit->reason = list->entry[found - 1].reason;
        return CRL_REVOKED;
    }
    if (!by_key || !(cert->is_ca ? list->covers_cas : list->covers_users))
        return CRL_MISSING;
    return list->this_update > now || (list->next_update != 0 && list->next_update <= now) ? CRL_EXPIRED
                                                                                           : CRL_GOOD;
}

/* Several lists may speak for one issuer (each for a part of its certificates): the worst answer counts. */
static bool is_worse(enum crl_status a, enum crl_status b)
{
    static const int rank[] = {[CRL_MISSING] = 0, [CRL_GOOD] = 1, [CRL_EXPIRED] = 2, [CRL_REVOKED] = 3};
    return rank[a] > rank[b];
}

enum crl_status crl_index_lookup(const struct crl_index *index, const struct x509 *issuer,
                                 const struct x509 *cert, int64_t now, struct crl_hit *hit)
{
    enum crl_status status = CRL_MISSING;
    struct crl_hit this_hit;
    bool by_key;
    if (!index)
        return CRL_MISSING;
    uint64_t hash = hash_of(index->seed, issuer->subject.data, issuer->subject.size);
    const struct list *list = index->bucket[hash & (index->bucket_count - 1)];
    for (; list && status != CRL_REVOKED; list = list->next) {
        if (!speaks_for(list, issuer, &by_key))
            continue;
        enum crl_status says = ask_list(index, list, by_key, cert, now, &this_hit);
        if (!is_worse(says, status))
            continue;
        status = says;
        if (hit)
            *hit = this_hit;
    }
    return status;
}

const char *crl_reason_name(int reason)
{
    static const char *const names[] = {
        "unspecified",   "keyCompromise",        "cACompromise",    "affiliationChanged",
        "superseded",    "cessationOfOperation", "certificateHold", "unknown",
        "removeFromCRL", "privilegeWithdrawn",   "aACompromise",
    };
    return reason < 0 ? names[0] : reason < (int)(sizeof names / sizeof *names) ? names[reason] : "unknown";
}

struct crl_stats crl_index_stats(const struct crl_index *index)
{
    struct crl_stats stats = {0};
    if (!index)
        return stats;
    stats.lists = index->list_count;
    stats.entries = index->entries;
    stats.bytes = index->bytes;
    for (size_t i = 0; i < index->list_count; i++) {
        int64_t next = index->list[i].next_update;
        if (next != 0 && (stats.next_update == 0 || next < stats.next_update))
            stats.next_update = next;
    }
    return stats;
}

bool crl_index_list(const struct crl_index *index, size_t number, struct crl_list *out)
{
    if (!index || number >= index->list_count)
        return false;
    const struct list *list = &index->list[number];
    *out = (struct crl_list){
        {list->issuer, list->issuer_size}, list->entry_count, list->this_update, list->next_update};
    return true;
}
