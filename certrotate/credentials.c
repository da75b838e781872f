/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "certrotate/credentials.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certrotate/credentials_read.h"
#include "certrotate/der.h"
#include "certrotate/pem.h"
#include "certrotate/verify.h"

enum {
    WARNINGS_MAX = 4096,
    OBJECTS_MAX = 64,                             /* in a file of certificates and keys */
    ROOT_OBJECTS_MAX = 2 * CREDENTIALS_ROOTS_MAX, /* in a CA bundle, duplicates included */
};

static const char *const LAYOUTS[] = {"auto", "kubernetes", "spiffe", "bundle", "single", "files"};
static const char *const FAULTS[] = {
    "none",     "missing", "empty",         "too_large", "permissions", "unparsable",
    "mismatch", "expired", "not_yet_valid", "bad_crl",   "unreadable",  "no_descriptors",
};

const char *credentials_layout_name(enum credentials_layout layout)
{
    return LAYOUTS[layout];
}

bool credentials_layout_parse(const char *name, enum credentials_layout *layout)
{
    for (size_t i = 0; i < sizeof LAYOUTS / sizeof *LAYOUTS; i++) {
        if (strcmp(name, LAYOUTS[i]) == 0) {
            *layout = (enum credentials_layout)i;
            return true;
        }
    }
    return false;
}

const char *credentials_fault_name(enum credentials_fault fault)
{
    return FAULTS[fault];
}

/* --- what is being put together --- */

struct loader {
    const struct credentials_source *source;
    struct credentials_files files;
    struct credentials *c;
    struct credentials_error *error;
    int64_t now;
    struct x509 *chain; /* parsed, as many as c->chain_count */
    struct x509 *roots; /* as many as c->root_count */
};

static void warn(struct loader *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void warn(struct loader *l, const char *format, ...)
{
    size_t used = strlen(l->c->warnings);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(l->c->warnings + used, WARNINGS_MAX - used, format, args);
    va_end(args);
    /* What does not fit is left out as a whole. */
    if (n < 0 || used + (size_t)n + 2 > WARNINGS_MAX)
        l->c->warnings[used] = '\0';
    else
        memcpy(l->c->warnings + used + (size_t)n, "\n", 2);
}

static const char *path_of(const struct loader *l, enum credentials_role role)
{
    return l->files.file[role].path;
}

static bool out_of_memory(struct loader *l)
{
    return credentials_fail(l->error, CREDENTIALS_UNREADABLE, "out of memory");
}

static bool read_objects(struct loader *l, enum credentials_role role, size_t max, struct pem_set *set)
{
    const struct credentials_file *file = &l->files.file[role];
    const char *wrong = pem_read(file->data, file->size, max, set);
    return !wrong || credentials_fail(l->error, CREDENTIALS_UNPARSABLE, "%s: %s", file->path, wrong);
}

/* Moves the certificates out of SET, parsed; *CERTS and *PARSED have room for all. */
static bool take_certificates(struct loader *l, enum credentials_role role, struct pem_set *set, size_t max,
                              struct x509_slice **certs, struct x509 **parsed, size_t *count)
{
    size_t found = 0;
    for (size_t i = 0; i < set->count; i++)
        found += set->block[i].kind == PEM_CERTIFICATE;
    if (found == 0)
        return credentials_fail(l->error, CREDENTIALS_UNPARSABLE, "%s: no certificate in it",
                                path_of(l, role));
    if (found > max)
        return credentials_fail(l->error, CREDENTIALS_UNPARSABLE, "%s: more than %zu certificates",
                                path_of(l, role), max);
    *certs = calloc(found, sizeof **certs);
    *parsed = calloc(found, sizeof **parsed);
    if (!*certs || !*parsed)
        return out_of_memory(l);
    for (size_t i = 0; i < set->count; i++) {
        struct pem_block *block = &set->block[i];
        if (block->kind != PEM_CERTIFICATE)
            continue;
        const char *wrong = x509_parse(block->data, block->size, &(*parsed)[*count]);
        if (wrong)
            return credentials_fail(l->error, CREDENTIALS_UNPARSABLE, "%s: certificate %zu: %s",
                                    path_of(l, role), *count + 1, wrong);
        (*certs)[(*count)++] = (struct x509_slice){block->data, block->size};
        block->data = NULL;
        block->size = 0;
    }
    return true;
}

/* --- certificate and key --- */

static const char *name_of(struct x509_slice name, char text[256])
{
    x509_name_rfc2253(name, text, 256);
    return text;
}

/* The texts say nothing of now: follow would take each second's for another. */
static bool judge_leaf(struct loader *l)
{
    const struct x509 *leaf = &l->chain[0];
    const char *path = path_of(l, CREDENTIALS_CERTIFICATE);
    char from[32], to[32];
    l->c->not_before = leaf->not_before;
    l->c->not_after = leaf->not_after;
    x509_time_text(leaf->not_before, from, sizeof from);
    x509_time_text(leaf->not_after, to, sizeof to);
    if (l->now < leaf->not_before)
        return credentials_fail(l->error, CREDENTIALS_NOT_YET_VALID,
                                "%s: the certificate is valid from %s on", path, from);
    if (l->now > leaf->not_after)
        return credentials_fail(l->error, CREDENTIALS_EXPIRED, "%s: the certificate has expired on %s", path,
                                to);
    return true;
}

static void judge_chain(struct loader *l)
{
    char name[256], next[256];
    for (size_t i = 1; i < l->c->chain_count; i++) {
        const struct x509 *cert = &l->chain[i];
        if (!der_same(l->chain[i - 1].issuer, cert->subject))
            warn(l,
                 "%s: the chain is out of order: certificate %zu (%s) did not issue the one before it (%s)",
                 path_of(l, CREDENTIALS_CERTIFICATE), i + 1, name_of(cert->subject, name),
                 name_of(l->chain[i - 1].subject, next));
        if (l->now > cert->not_after)
            warn(l, "%s: certificate %zu of the chain (%s) has expired", path_of(l, CREDENTIALS_CERTIFICATE),
                 i + 1, name_of(cert->subject, name));
    }
}

static bool decrypt_key(struct loader *l, struct pem_block *block, const char *path)
{
    const struct credentials_file *file = &l->files.file[CREDENTIALS_PASSWORD];
    if (!file->data)
        return credentials_fail(l->error, CREDENTIALS_UNPARSABLE,
                                "%s: the key is encrypted and no password file is named", path);
    const char *password = (const char *)file->data;
    const char *end = memchr(password, '\n', file->size);
    size_t size = end ? (size_t)(end - password) : file->size;
    if (size > 0 && password[size - 1] == '\r')
        size--;
    const char *wrong = pem_decrypt(block, password, size);
    return !wrong || credentials_fail(l->error, CREDENTIALS_UNPARSABLE, "%s: %s", path, wrong);
}

/* Takes the only key of SET, whose file is PATH. */
static bool take_key(struct loader *l, struct pem_set *set, const char *path)
{
    struct pem_block *key = NULL;
    bool mismatch;
    for (size_t i = 0; i < set->count; i++) {
        if (!pem_is_key(set->block[i].kind))
            continue;
        if (key)
            return credentials_fail(l->error, CREDENTIALS_UNPARSABLE, "%s: more than one private key in it",
                                    path);
        key = &set->block[i];
    }
    if (!key)
        return credentials_fail(l->error, CREDENTIALS_UNPARSABLE, "%s: no private key in it", path);
    if (key->kind == PEM_KEY_PKCS8_SECRET && !decrypt_key(l, key, path))
        return false;
    l->c->key = (struct x509_slice){key->data, key->size};
    key->data = NULL;
    key->size = 0;
    l->c->key_type = l->chain[0].key_type;
    const char *wrong = x509_key_matches(&l->chain[0], l->c->key, &mismatch);
    return !wrong || credentials_fail(l->error, mismatch ? CREDENTIALS_MISMATCH : CREDENTIALS_UNPARSABLE,
                                      "%s: %s", path, wrong);
}

static bool load_identity(struct loader *l)
{
    struct credentials *c = l->c;
    struct pem_set set, key_set = {NULL, 0};
    bool apart = !l->files.key_in_certificate;
    bool ok =
        read_objects(l, CREDENTIALS_CERTIFICATE, OBJECTS_MAX, &set) &&
        take_certificates(l, CREDENTIALS_CERTIFICATE, &set, CREDENTIALS_CHAIN_MAX, &c->chain, &l->chain,
                          &c->chain_count) &&
        (!apart || read_objects(l, CREDENTIALS_KEY, OBJECTS_MAX, &key_set)) &&
        take_key(l, apart ? &key_set : &set, path_of(l, apart ? CREDENTIALS_KEY : CREDENTIALS_CERTIFICATE)) &&
        judge_leaf(l);
    pem_free(&set);
    pem_free(&key_set);
    if (ok)
        judge_chain(l);
    return ok;
}

/* --- CA bundle --- */

/* Drops certificates that come more than once. */
static void drop_duplicates(struct loader *l)
{
    struct credentials *c = l->c;
    size_t kept = 0;
    for (size_t i = 0; i < c->root_count; i++) {
        size_t k = 0;
        while (k < kept && !der_same(c->roots[k], c->roots[i]))
            k++;
        if (k < kept) {
            free((void *)(uintptr_t)c->roots[i].data);
            continue;
        }
        c->roots[kept] = c->roots[i];
        l->roots[kept++] = l->roots[i];
    }
    c->root_count = kept;
}

static void judge_roots(struct loader *l)
{
    char name[256];
    for (size_t i = 0; i < l->c->root_count; i++) {
        const struct x509 *root = &l->roots[i];
        if (i == 0 || root->not_after < l->c->roots_not_after) {
            l->c->roots_not_before = root->not_before;
            l->c->roots_not_after = root->not_after;
        }
        if (l->now > root->not_after)
            warn(l, "%s: the CA %s has expired", path_of(l, CREDENTIALS_CA), name_of(root->subject, name));
    }
}

static bool load_roots(struct loader *l)
{
    struct credentials *c = l->c;
    const struct credentials_file *file = &l->files.file[CREDENTIALS_CA];
    struct pem_set set;
    if (!file->data)
        return true;
    if (file->size == 0) {
        warn(l, "%s: empty, so there is no CA bundle", file->path);
        return true;
    }
    bool ok =
        read_objects(l, CREDENTIALS_CA, ROOT_OBJECTS_MAX, &set) &&
        take_certificates(l, CREDENTIALS_CA, &set, ROOT_OBJECTS_MAX, &c->roots, &l->roots, &c->root_count);
    for (size_t i = 0; ok && i < set.count; i++) {
        if (set.block[i].kind == PEM_CRL) {
            warn(l, "%s: the CRL in it is not read: CRLs stand in a file of their own", file->path);
            break;
        }
    }
    pem_free(&set);
    if (!ok)
        return false;
    drop_duplicates(l);
    if (c->root_count > CREDENTIALS_ROOTS_MAX)
        return credentials_fail(l->error, CREDENTIALS_TOO_LARGE, "%s: more than %d certificates", file->path,
                                CREDENTIALS_ROOTS_MAX);
    judge_roots(l);
    return true;
}

/* --- CRLs --- */

static void warn_crl(const char *text, void *arg)
{
    struct loader *l = arg;
    warn(l, "%s: %s", path_of(l, CREDENTIALS_CRL), text);
}

/* Those whose keys may have signed a CRL: the CA bundle, and the authorities of our own chain. */
static bool index_crls(struct loader *l, const struct x509_slice *crls, size_t count)
{
    char words[384] = "";
    size_t authorities = l->c->chain_count > 0 ? l->c->chain_count - 1 : 0;
    size_t issuer_count = l->c->root_count + authorities;
    struct x509 *issuers = calloc(issuer_count ? issuer_count : 1, sizeof *issuers);
    if (!issuers)
        return out_of_memory(l);
    if (l->c->root_count > 0)
        memcpy(issuers, l->roots, l->c->root_count * sizeof *issuers);
    if (authorities > 0)
        memcpy(issuers + l->c->root_count, l->chain + 1, authorities * sizeof *issuers);
    l->c->crls = crl_index_new(crls, count, issuers, issuer_count, warn_crl, l, words, sizeof words);
    free(issuers);
    int64_t end = crl_index_stats(l->c->crls).next_update;
    if (end != 0 && end <= l->now)
        warn(l, "%s: a CRL has expired", path_of(l, CREDENTIALS_CRL));
    return l->c->crls ||
           credentials_fail(l->error, CREDENTIALS_BAD_CRL, "%s: %s", path_of(l, CREDENTIALS_CRL), words);
}

static bool load_crls(struct loader *l)
{
    const struct credentials_file *file = &l->files.file[CREDENTIALS_CRL];
    struct pem_set set;
    size_t count = 0;
    if (!file->data)
        return true;
    const char *wrong = pem_read(file->data, file->size, CRL_LISTS_MAX + OBJECTS_MAX, &set);
    if (wrong)
        return credentials_fail(l->error, CREDENTIALS_BAD_CRL, "%s: %s", file->path, wrong);
    struct x509_slice *crls = calloc(set.count ? set.count : 1, sizeof *crls);
    bool ok = crls != NULL;
    if (!ok)
        out_of_memory(l);
    for (size_t i = 0; crls && i < set.count; i++)
        if (set.block[i].kind == PEM_CRL)
            crls[count++] = (struct x509_slice){set.block[i].data, set.block[i].size};
    if (ok && count == 0)
        ok = credentials_fail(l->error, CREDENTIALS_BAD_CRL, "%s: no CRL in it", file->path);
    ok = ok && index_crls(l, crls, count);
    free(crls);
    pem_free(&set);
    return ok;
}

/* --- the set --- */

static struct credentials *new_credentials(const struct loader *l)
{
    struct credentials *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->refs = 1;
    c->layout = l->files.layout;
    c->directory = strdup(l->source->directory ? l->source->directory : "");
    c->warnings = calloc(1, WARNINGS_MAX);
    memcpy(c->hash, l->files.hash, sizeof c->hash);
    memcpy(c->trust_hash, l->files.trust_hash, sizeof c->trust_hash);
    if (c->directory && c->warnings)
        return c;
    credentials_unref(c);
    return NULL;
}

static void shrink_warnings(struct credentials *c)
{
    char *shorter = realloc(c->warnings, strlen(c->warnings) + 1);
    if (shorter)
        c->warnings = shorter;
}

struct credentials *credentials_load(const struct credentials_source *source, int64_t now,
                                     struct credentials_error *error)
{
    struct loader l = {.source = source, .error = error, .now = now};
    *error = (struct credentials_error){CREDENTIALS_OK, ""};
    bool ok = credentials_read(source, &l.files);
    if (!ok)
        *error = l.files.error;
    if (ok) {
        l.c = new_credentials(&l);
        ok = l.c || out_of_memory(&l);
    }
    ok = ok && (source->trust_only || load_identity(&l)) && load_roots(&l) && load_crls(&l);
    if (ok) {
        shrink_warnings(l.c);
    } else {
        credentials_unref(l.c);
        l.c = NULL;
    }
    free(l.chain);
    free(l.roots);
    credentials_files_free(&l.files);
    return l.c;
}

bool credentials_peek(const struct credentials_source *source, uint8_t hash[32],
                      struct credentials_error *error)
{
    struct credentials_files files;
    bool any = false;
    credentials_read(source, &files);
    memcpy(hash, files.hash, 32);
    if (error)
        *error = files.error;
    for (size_t i = 0; i < CREDENTIALS_ROLES; i++)
        any |= files.file[i].data != NULL;
    credentials_files_free(&files);
    return any;
}

struct credentials *credentials_ref(struct credentials *c)
{
    __atomic_add_fetch(&c->refs, 1, __ATOMIC_RELAXED);
    return c;
}

static void free_slices(struct x509_slice *slices, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free((void *)(uintptr_t)slices[i].data);
    free(slices);
}

void credentials_unref(struct credentials *c)
{
    if (!c || __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    free_slices(c->chain, c->chain_count);
    free_slices(c->roots, c->root_count);
    pem_wipe_free((void *)(uintptr_t)c->key.data, c->key.size);
    crl_index_free(c->crls);
    free(c->directory);
    free(c->warnings);
    free(c);
}

enum credentials_expiry credentials_expiry_level(int64_t not_before, int64_t not_after, int64_t now)
{
    int64_t lifetime = not_after - not_before, left = not_after - now;
    return left < 0                ? CREDENTIALS_OVER
           : left <= lifetime / 50 ? CREDENTIALS_FIFTIETH
           : left <= lifetime / 10 ? CREDENTIALS_TENTH
           : left <= lifetime / 3  ? CREDENTIALS_THIRD
                                   : CREDENTIALS_FRESH;
}
