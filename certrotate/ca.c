/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "certrotate/ca.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certrotate/file.h"
#include "certrotate/mint.h"
#include "certrotate/verify.h"

enum { FILE_MAX = 1 << 20, CRL_FILE_MAX = 64 << 20, ROOTS_MAX = 64 };

/* --- opening --- */

/* Reads the one object of a wanted kind in DIRECTORY/NAME. */
static bool read_one(const char *directory, const char *name, bool want_key, struct pem_set *set,
                     struct failure *f)
{
    char *path = file_join(directory, name);
    size_t size = 0;
    *set = (struct pem_set){NULL, 0};
    if (!path)
        return failure(f, "out of memory");
    uint8_t *text = file_read(path, FILE_MAX, &size, f);
    bool ok = text != NULL;
    if (ok) {
        const char *wrong = pem_read(text, size, 1, set);
        if (!wrong && set->count == 0)
            wrong = "nothing in it";
        if (!wrong && want_key != pem_is_key(set->block[0].kind))
            wrong = want_key ? "not a private key" : "not a certificate";
        if (wrong)
            ok = failure(f, "%s: %s", path, wrong);
        pem_wipe_free(text, size);
    }
    if (!ok)
        pem_free(set);
    free(path);
    return ok;
}

static bool file_exists(const char *directory, const char *name)
{
    char *path = file_join(directory, name);
    bool missing = path && access(path, F_OK) != 0 && errno == ENOENT;
    free(path);
    return !missing;
}

/* Adds NAME.crt (and NAME.key, if it is there) of one generation. */
static bool add_authority(struct ca *ca, unsigned generation, const char *name, bool with_key,
                          struct failure *f)
{
    char directory[PATH_MAX], file[32];
    struct pem_set set, key;
    struct ca_authority *grown = realloc(ca->authority, (ca->count + 1) * sizeof *grown);
    if (!grown)
        return failure(f, "out of memory");
    ca->authority = grown;
    struct ca_authority *a = &grown[ca->count];
    memset(a, 0, sizeof *a);
    a->generation = generation;
    a->is_root = strcmp(name, "root") == 0;
    snprintf(directory, sizeof directory, "%s/issuer-%u", ca->directory, generation);
    snprintf(file, sizeof file, "%s.crt", name);
    if (!read_one(directory, file, false, &set, f))
        return false;
    a->block = set.block[0];
    free(set.block);
    ca->count++;
    const char *wrong = x509_parse(a->block.data, a->block.size, &a->cert);
    if (wrong || a->cert.ski.size == 0 || a->cert.ski.size > 20)
        return failure(f, "%s/%s: %s", directory, file, wrong ? wrong : "no subject key identifier");
    x509_hex(a->cert.ski, true, a->id, sizeof a->id);
    if (!with_key)
        return true;
    snprintf(file, sizeof file, "%s.key", name);
    if (a->is_root && !file_exists(directory, file))
        return true; /* a root's key may be kept elsewhere */
    if (!read_one(directory, file, true, &key, f))
        return false;
    wrong = x509_key_matches(&a->cert, (struct x509_slice){key.block[0].data, key.block[0].size}, NULL);
    if (wrong)
        failure(f, "%s/%s: %s", directory, file, wrong);
    else
        a->key = key_read(&key.block[0], f);
    pem_free(&key);
    return a->key != NULL;
}

static bool is_self_issued(const struct ca_authority *a)
{
    return der_same(a->cert.issuer, a->cert.subject);
}

static bool add_generation(struct ca *ca, unsigned generation, bool with_key, struct failure *f)
{
    if (!add_authority(ca, generation, "issuer", with_key, f))
        return false;
    return is_self_issued(&ca->authority[ca->count - 1]) ||
           add_authority(ca, generation, "root", with_key, f);
}

/* "issuer-7": 7; else 0. */
static unsigned generation_number(const char *name)
{
    char *end;
    if (strncmp(name, "issuer-", 7) != 0 || !isdigit((unsigned char)name[7]))
        return 0;
    unsigned long n = strtoul(name + 7, &end, 10);
    return *end == 0 && n < 1000000 ? (unsigned)n : 0;
}

static int by_number(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return x < y ? -1 : x > y;
}

static bool add_generations(struct ca *ca, bool with_key, struct failure *f)
{
    unsigned number[ROOTS_MAX];
    size_t count = 0;
    const struct dirent *entry;
    DIR *dir = opendir(ca->directory);
    if (!dir)
        return failure_errno(f, "%s", ca->directory);
    while ((entry = readdir(dir)) && count < ROOTS_MAX)
        if ((number[count] = generation_number(entry->d_name)) > 0)
            count++;
    closedir(dir);
    qsort(number, count, sizeof *number, by_number);
    for (size_t i = 0; i < count; i++)
        if (!add_generation(ca, number[i], with_key, f))
            return false;
    return true;
}

static bool read_current(struct ca *ca, struct failure *f)
{
    char target[64];
    char *path = file_join(ca->directory, "issuer");
    ssize_t n = path ? readlink(path, target, sizeof target - 1) : -1;
    if (n > 0) {
        target[n] = 0;
        ca->current = generation_number(target);
    }
    free(path);
    return ca->current > 0 ||
           failure(f, "%s: no certificate authority (no `issuer` link): certrotate ca init", ca->directory);
}

static bool read_roots(struct ca *ca, struct failure *f)
{
    char *path = file_join(ca->directory, "ca.crt");
    size_t size = 0;
    uint8_t *text = path ? file_read(path, FILE_MAX, &size, f) : NULL;
    bool ok = text != NULL;
    if (ok) {
        const char *wrong = pem_read(text, size, ROOTS_MAX, &ca->roots);
        if (wrong)
            ok = failure(f, "%s: %s", path, wrong);
    }
    free(text);
    free(path);
    return ok;
}

struct ca *ca_open(const char *directory, bool to_write, struct failure *f)
{
    struct ca *ca = calloc(1, sizeof *ca);
    char *journal = file_join(directory, "journal");
    if (!ca || !journal || !(ca->directory = strdup(directory))) {
        failure(f, "out of memory");
        goto fail;
    }
    /* The lock comes first: what is read after it cannot change any more. */
    if (!read_current(ca, f) || !(ca->journal = journal_open(journal, to_write, f)) || !read_current(ca, f) ||
        !read_roots(ca, f) || !add_generations(ca, to_write, f))
        goto fail;
    /* The parsed certificates point into blocks that stay where they are; nothing points into the table. */
    if (!ca_issuer(ca)) {
        failure(f, "%s: generation %u is missing", directory, ca->current);
        goto fail;
    }
    free(journal);
    return ca;
fail:
    free(journal);
    ca_close(ca);
    return NULL;
}

void ca_close(struct ca *ca)
{
    if (!ca)
        return;
    for (size_t i = 0; i < ca->count; i++) {
        free(ca->authority[i].block.data);
        key_free(ca->authority[i].key);
    }
    free(ca->authority);
    pem_free(&ca->roots);
    journal_close(ca->journal);
    free(ca->directory);
    free(ca);
}

const struct ca_authority *ca_issuer(const struct ca *ca)
{
    for (size_t i = 0; i < ca->count; i++)
        if (ca->authority[i].generation == ca->current && !ca->authority[i].is_root)
            return &ca->authority[i];
    return NULL;
}

/* --- issuing --- */

bool ca_issue(struct ca *ca, const struct ca_request *request, int64_t now, struct der_out *cert,
              struct failure *f)
{
    const struct ca_authority *issuer = ca_issuer(ca);
    struct mint_certificate m = {
        .subject = request->subject,
        .sans = request->sans,
        .spki = request->spki,
        .not_before = now - CA_BACKDATE,
        .not_after = now + request->lifetime,
        .eku = request->eku,
        .issuer = &issuer->cert,
    };
    if (now >= issuer->cert.not_after)
        return failure(f, "the authority has expired: certrotate ca prepare");
    if (m.not_after > issuer->cert.not_after)
        m.not_after = issuer->cert.not_after;
    if (m.not_before < issuer->cert.not_before)
        m.not_before = issuer->cert.not_before;
    struct journal_record r = {.kind = JOURNAL_ISSUE, .time = now, .not_after = m.not_after};
    do {
        if (!mint_serial(m.serial))
            return failure(f, "no randomness");
        x509_hex((struct x509_slice){m.serial, MINT_SERIAL}, true, r.serial, sizeof r.serial);
    } while (journal_issued(ca->journal, r.serial));
    size_t before = cert->size;
    if (!mint_certificate(&m, issuer->key, cert, f))
        return false;
    uint8_t digest[32];
    x509_sha256((struct x509_slice){cert->data + before, cert->size - before}, digest);
    x509_hex((struct x509_slice){digest, 32}, false, r.sha256, sizeof r.sha256);
    memcpy(r.issuer, issuer->id, sizeof r.issuer);
    char subject[4096];
    if (x509_name_rfc2253(request->subject, subject, sizeof subject) >= sizeof subject)
        return failure(f, "the subject is too long");
    r.text = subject;
    return journal_append(ca->journal, &r, f);
}

/* Appends TEXT to *OUT; both are heap memory, TEXT is freed. */
static bool join(char **out, size_t *size, char *text)
{
    if (!text)
        return false;
    size_t n = strlen(text);
    char *grown = realloc(*out, *size + n + 1);
    if (grown) {
        memcpy(grown + *size, text, n + 1);
        *out = grown;
        *size += n;
    }
    free(text);
    return grown != NULL;
}

char *ca_chain(const struct ca *ca, struct x509_slice cert, size_t *size)
{
    const struct ca_authority *issuer = ca_issuer(ca);
    char *out = NULL;
    *size = 0;
    bool ok = join(&out, size, pem_write("CERTIFICATE", cert.data, cert.size, NULL));
    if (ok && !is_self_issued(issuer))
        ok = join(&out, size, pem_write("CERTIFICATE", issuer->block.data, issuer->block.size, NULL));
    if (ok)
        return out;
    free(out);
    return NULL;
}

char *ca_bundle(const struct ca *ca, size_t *size)
{
    char *out = NULL;
    bool ok = true;
    *size = 0;
    for (size_t i = 0; ok && i < ca->roots.count; i++)
        ok = join(&out, size,
                  pem_write("CERTIFICATE", ca->roots.block[i].data, ca->roots.block[i].size, NULL));
    if (ok)
        return out;
    free(out);
    return NULL;
}

/* --- revoking --- */

/* Hex digits of WHAT in one case without colons; false when it is something else. */
static bool plain_hex(const char *what, bool upper, char *out, size_t size)
{
    size_t n = 0;
    for (; *what; what++) {
        if (*what == ':')
            continue;
        if (!isxdigit((unsigned char)*what) || n + 1 >= size)
            return false;
        out[n++] = (char)(upper ? toupper((unsigned char)*what) : tolower((unsigned char)*what));
    }
    out[n] = 0;
    return n > 0;
}

static bool find_file(const struct ca *ca, const char *path, char serial[48], struct failure *f)
{
    struct pem_set set;
    struct x509 cert;
    uint8_t digest[32];
    char sha256[65];
    size_t size;
    uint8_t *text = file_read(path, FILE_MAX, &size, f);
    if (!text)
        return false;
    const char *wrong = pem_read(text, size, 16, &set);
    free(text);
    if (!wrong && set.count == 0)
        wrong = "no certificate in it";
    if (!wrong)
        wrong = x509_parse(set.block[0].data, set.block[0].size, &cert);
    bool ok = !wrong;
    if (ok) {
        x509_sha256(cert.der, digest);
        x509_hex((struct x509_slice){digest, 32}, false, sha256, sizeof sha256);
        ok = ca_find(ca, sha256, serial, f);
    } else {
        failure(f, "%s: %s", path, wrong);
    }
    pem_free(&set);
    return ok;
}

bool ca_find(const struct ca *ca, const char *what, char serial[48], struct failure *f)
{
    char hex[65];
    if (strchr(what, '/') || !plain_hex(what, true, hex, sizeof hex))
        return find_file(ca, what, serial, f);
    bool fingerprint = strlen(hex) == 64;
    for (size_t i = 0; i < journal_count(ca->journal); i++) {
        const struct journal_record *r = journal_get(ca->journal, i);
        if (r->kind > JOURNAL_ISSUE || strcasecmp(fingerprint ? r->sha256 : r->serial, hex) != 0)
            continue;
        memcpy(serial, r->serial, sizeof r->serial);
        return true;
    }
    return failure(f, "this authority never issued a certificate with %s %s",
                   fingerprint ? "fingerprint" : "serial number", hex);
}

bool ca_revoke(struct ca *ca, const char *serial, int reason, int64_t now, bool *already, struct failure *f)
{
    const struct journal_record *issued = journal_issued(ca->journal, serial);
    struct journal_record r = {.kind = JOURNAL_REVOKE, .time = now, .reason = reason};
    if (!issued)
        return failure(f, "this authority never issued a certificate with serial number %s", serial);
    for (size_t i = 0; i < ca->count; i++) {
        char own[48];
        x509_serial_hex(&ca->authority[i].cert, own, sizeof own);
        if (is_self_issued(&ca->authority[i]) && strcmp(own, serial) == 0)
            return failure(f,
                           "a root cannot be revoked: take it out of the CA bundle (certrotate ca retire)");
    }
    *already = journal_revoked(ca->journal, serial) != NULL;
    if (*already)
        return true;
    snprintf(r.serial, sizeof r.serial, "%s", serial);
    return journal_append(ca->journal, &r, f);
}

/* --- CRLs --- */

static bool unhex(const char *hex, uint8_t *out, size_t room, size_t *size)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n && n <= room; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], 0};
        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    *size = n;
    return n <= room;
}

/* What one authority's CRL lists: its certificates that are revoked and were valid when it signed last. */
struct listing {
    struct mint_revoked *revoked;
    uint8_t (*serial)[24];
    size_t count;
    uint64_t number;     /* of its last CRL */
    int64_t last_update; /* its thisUpdate; 0: none */
};

static bool list_revoked(const struct ca *ca, const char *issuer, struct listing *l)
{
    const struct journal *j = ca->journal;
    size_t count = journal_count(j);
    l->revoked = calloc(count + 1, sizeof *l->revoked);
    l->serial = calloc(count + 1, sizeof *l->serial);
    if (!l->revoked || !l->serial)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct journal_record *r = journal_get(j, i);
        if (r->kind == JOURNAL_CRL && strcmp(r->issuer, issuer) == 0) {
            l->number = r->number;
            l->last_update = r->time;
        }
    }
    for (size_t i = 0; i < count; i++) {
        const struct journal_record *r = journal_get(j, i), *issued;
        size_t size;
        if (r->kind != JOURNAL_REVOKE || !(issued = journal_issued(j, r->serial)) ||
            strcmp(issued->issuer, issuer) != 0)
            continue;
        /* RFC 5280 section 3.3: it stays until a list was issued after it has expired. */
        if (l->last_update > issued->not_after)
            continue;
        if (!unhex(r->serial, l->serial[l->count], sizeof *l->serial, &size))
            continue;
        l->revoked[l->count] = (struct mint_revoked){{l->serial[l->count], size}, r->time, r->reason};
        l->count++;
    }
    return true;
}

static bool crl_of(struct ca *ca, const struct ca_authority *a, int64_t lifetime, int64_t now, char **out,
                   size_t *size, struct failure *f)
{
    struct listing l = {0};
    struct der_out der = {0};
    bool ok = list_revoked(ca, a->id, &l) || failure(f, "out of memory");
    if (ok) {
        struct mint_crl m = {&a->cert, l.number + 1, now, now + lifetime, l.revoked, l.count};
        struct journal_record r = {
            .kind = JOURNAL_CRL, .time = now, .number = m.number, .not_after = m.next_update};
        memcpy(r.issuer, a->id, sizeof r.issuer);
        /* A number is used up before it is used: it never comes twice. */
        ok =
            journal_append(ca->journal, &r, f) && mint_crl(&m, a->key, &der, f) &&
            (join(out, size, pem_write("X509 CRL", der.data, der.size, NULL)) || failure(f, "out of memory"));
    }
    der_out_free(&der);
    free(l.revoked);
    free(l.serial);
    return ok;
}

char *ca_crl(struct ca *ca, int64_t lifetime, int64_t now, size_t *size, struct failure *f)
{
    char *out = NULL, *path = file_join(ca->directory, "crl.pem");
    bool ok = path || failure(f, "out of memory");
    *size = 0;
    for (size_t i = 0; ok && i < ca->count; i++)
        if (ca->authority[i].key)
            ok = crl_of(ca, &ca->authority[i], lifetime, now, &out, size, f);
    ok = ok && out && file_replace(path, out, *size, 0644, f);
    free(path);
    if (ok)
        return out;
    free(out);
    return NULL;
}

char *ca_last_crl(const struct ca *ca, size_t *size, struct failure *f)
{
    char *path = file_join(ca->directory, "crl.pem");
    char *out = path ? (char *)file_read(path, CRL_FILE_MAX, size, f) : NULL;
    if (!path)
        failure(f, "out of memory");
    free(path);
    return out;
}
