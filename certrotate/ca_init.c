/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Making authorities: the first one, and those that follow it in a roll-over. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certrotate/ca.h"
#include "certrotate/file.h"
#include "certrotate/mint.h"
#include "certrotate/policy.h"

/* What a generation is made of. */
struct plan {
    enum key_spec spec;
    struct x509_slice root;   /* subject */
    struct x509_slice issuer; /* the intermediate's subject; empty: none */
    int64_t lifetime;
    int64_t intermediate_lifetime;
};

/* A certificate that was just made, and its record for the journal. */
struct made {
    struct der_out cert;
    struct key *key;
    struct x509 x509;
    struct journal_record record;
    char subject[1024];
};

static void made_free(struct made *m)
{
    der_out_free(&m->cert);
    key_free(m->key);
}

/* Makes a root (ISSUER NULL) or an intermediate. */
static bool make_authority(const struct plan *plan, struct made *issuer, int64_t now, struct made *out,
                           struct failure *f)
{
    struct der_out spki = {0};
    uint8_t digest[32];
    struct mint_certificate m = {
        .subject = issuer ? plan->issuer : plan->root,
        .not_before = now - CA_BACKDATE,
        .not_after = now + (issuer ? plan->intermediate_lifetime : plan->lifetime),
        .is_ca = true,
        .path_len = !issuer && plan->issuer.size > 0 ? 1 : 0,
        .issuer = issuer ? &issuer->x509 : NULL,
    };
    if (issuer && m.not_after > issuer->x509.not_after)
        m.not_after = issuer->x509.not_after;
    if (!(out->key = key_generate(plan->spec, f)))
        return false;
    key_put_public(out->key, &spki);
    m.spki = der_out_slice(&spki);
    bool ok = (mint_serial(m.serial) || failure(f, "no randomness")) &&
              (!spki.failed || failure(f, "out of memory")) &&
              mint_certificate(&m, issuer ? issuer->key : out->key, &out->cert, f);
    der_out_free(&spki);
    if (!ok)
        return false;
    const char *wrong = x509_parse(out->cert.data, out->cert.size, &out->x509);
    if (wrong)
        return failure(f, "the new authority: %s", wrong);
    struct journal_record *r = &out->record;
    *r = (struct journal_record){
        .kind = JOURNAL_CA, .time = now, .not_after = m.not_after, .text = out->subject};
    x509_serial_hex(&out->x509, r->serial, sizeof r->serial);
    x509_hex((issuer ? issuer : out)->x509.ski, true, r->issuer, sizeof r->issuer);
    x509_sha256(out->x509.der, digest);
    x509_hex((struct x509_slice){digest, 32}, false, r->sha256, sizeof r->sha256);
    x509_name_rfc2253(out->x509.subject, out->subject, sizeof out->subject);
    return true;
}

/* Writes DIRECTORY/NAME as PEM. */
static bool write_pem(const char *directory, const char *name, const char *label, const struct der_out *der,
                      mode_t mode, struct failure *f)
{
    size_t size = 0;
    char *path = file_join(directory, name);
    char *text = der->failed ? NULL : pem_write(label, der->data, der->size, &size);
    bool ok = path && text ? file_create(path, text, size, mode, f) : failure(f, "out of memory");
    if (text)
        pem_wipe_free(text, size);
    free(path);
    return ok;
}

static bool write_key(const char *directory, const char *name, const struct key *key, struct failure *f)
{
    struct der_out der = {0};
    key_put_private(key, &der);
    bool ok = write_pem(directory, name, "PRIVATE KEY", &der, 0600, f);
    der_out_free(&der);
    return ok;
}

/* Makes a generation and writes it to the new DIRECTORY. MADE[0] is the root, MADE[1] the intermediate. */
static bool make_generation(const struct plan *plan, const char *directory, int64_t now, struct made made[2],
                            struct failure *f)
{
    struct made *issuer = plan->issuer.size > 0 ? &made[1] : &made[0];
    if (!make_authority(plan, NULL, now, &made[0], f) ||
        (issuer != made && !make_authority(plan, &made[0], now, &made[1], f)))
        return false;
    if (mkdir(directory, 0700) != 0)
        return failure_errno(f, "%s", directory);
    return (issuer == made || write_key(directory, "root.key", made[0].key, f)) &&
           write_key(directory, "issuer.key", issuer->key, f) &&
           write_pem(directory, "root.crt", "CERTIFICATE", &made[0].cert, 0644, f) &&
           write_pem(directory, "issuer.crt", "CERTIFICATE", &issuer->cert, 0644, f);
}

/* --- init --- */

static bool write_journal(const char *path, struct made made[2], struct failure *f)
{
    char first[64];
    size_t size;
    if (!journal_begin(first, &size))
        return failure(f, "no randomness");
    if (!file_create(path, first, size, 0600, f))
        return false;
    struct journal *j = journal_open(path, true, f);
    bool ok =
        j && journal_append(j, &made[0].record, f) && (!made[1].key || journal_append(j, &made[1].record, f));
    journal_close(j);
    return ok;
}

/* Fills the directory that will become the authority. */
static bool fill(const char *directory, const struct plan *plan, int64_t now, struct failure *f)
{
    struct made made[2] = {0};
    size_t size;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/issuer-1", directory);
    bool ok = make_generation(plan, path, now, made, f) &&
              write_pem(directory, "ca.crt", "CERTIFICATE", &made[0].cert, 0644, f);
    if (ok) {
        snprintf(path, sizeof path, "%s/journal", directory);
        ok = write_journal(path, made, f);
    }
    if (ok) {
        snprintf(path, sizeof path, "%s/policy", directory);
        ok = file_create(path, POLICY_DEFAULT, strlen(POLICY_DEFAULT), 0644, f);
    }
    if (ok) {
        snprintf(path, sizeof path, "%s/issuer", directory);
        ok = file_link(path, "issuer-1", f);
    }
    made_free(&made[0]);
    made_free(&made[1]);
    if (!ok)
        return false;
    struct ca *ca = ca_open(directory, true, f);
    char *crl = ca ? ca_crl(ca, CA_CRL_LIFETIME, now, &size, f) : NULL;
    ca_close(ca);
    free(crl);
    return crl != NULL;
}

/* Removes what a failed init wrote. */
static void remove_half(const char *directory)
{
    struct failure ignored;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/issuer-1", directory);
    file_remove_directory(path, &ignored);
    file_remove_directory(directory, &ignored);
}

/* Appends SUBJECT with its common name changed to "COMMON NAME SUFFIX". */
static void put_renamed(struct x509_slice subject, const char *suffix, struct der_out *out)
{
    static const char cn[] = "\x55\x04\x03";
    struct x509_attribute list[X509_ATTRIBUTES_MAX];
    int count = x509_name_attributes(subject, list, X509_ATTRIBUTES_MAX);
    bool done = false;
    size_t name = der_begin(out, DER_SEQUENCE);
    for (int i = 0; i <= count; i++) {
        bool is_cn = i < count && der_equal(list[i].oid, cn, 3);
        /* A subject without a common name gets one. */
        if (i == count && done)
            break;
        size_t set = der_begin(out, DER_SET);
        size_t pair = der_begin(out, DER_SEQUENCE);
        if (i < count && (!is_cn || done)) {
            der_put_oid(out, list[i].oid);
            der_put_slice(out, list[i].whole);
        } else {
            der_put(out, DER_OID, cn, 3);
            size_t value = der_begin(out, DER_UTF8_STRING);
            if (is_cn) {
                der_put_slice(out, list[i].value);
                der_put_raw(out, " ", 1);
            }
            der_put_raw(out, suffix, strlen(suffix));
            der_end(out, value);
            done = true;
        }
        der_end(out, pair);
        der_end(out, set);
    }
    der_end(out, name);
}

/* "DIRECTORY.init-RANDOM", beside what DIRECTORY names. */
static char *temporary_beside(const char *directory)
{
    char *prefix, *out;
    size_t n = strlen(directory);
    while (n > 1 && directory[n - 1] == '/')
        n--;
    if (asprintf(&prefix, "%.*s.init-", (int)n, directory) < 0)
        return NULL;
    out = file_random_name(prefix);
    free(prefix);
    return out;
}

bool ca_init(const struct ca_options *options, int64_t now, struct failure *f)
{
    struct der_out root = {0}, issuer = {0};
    char *temporary = temporary_beside(options->directory), *parent = NULL;
    bool ok = false;
    labels_put_subject(options->subject, &root);
    if (options->intermediate)
        put_renamed(der_out_slice(&root), "Issuing", &issuer);
    struct plan plan = {options->spec, der_out_slice(&root), der_out_slice(&issuer), options->lifetime,
                        options->intermediate_lifetime};
    if (!temporary || root.failed || issuer.failed) {
        failure(f, "out of memory");
        goto done;
    }
    if (mkdir(temporary, 0700) != 0) {
        failure_errno(f, "%s", temporary);
        goto done;
    }
    if (!fill(temporary, &plan, now, f))
        goto done;
    /* One rename makes it all there are; it fails when something is there already. */
    if (rename(temporary, options->directory) != 0) {
        if (errno == ENOTEMPTY || errno == EEXIST)
            failure(f, "%s: exists already and is not empty", options->directory);
        else
            failure_errno(f, "%s", options->directory);
        goto done;
    }
    parent = file_directory(temporary);
    ok = parent ? file_sync_directory(parent, f) : failure(f, "out of memory");
done:
    if (!ok && temporary)
        remove_half(temporary);
    free(parent);
    free(temporary);
    der_out_free(&root);
    der_out_free(&issuer);
    return ok;
}

/* --- roll-over --- */

static enum key_spec spec_of(const struct x509 *cert)
{
    if (cert->key_type == X509_KEY_ED25519)
        return KEY_ED25519;
    if (cert->key_type == X509_KEY_RSA)
        return cert->key_bits > 3072 ? KEY_RSA4096 : cert->key_bits > 2048 ? KEY_RSA3072 : KEY_RSA2048;
    return cert->key_bits > 384 ? KEY_P521 : cert->key_bits > 256 ? KEY_P384 : KEY_P256;
}

/* The root of a generation: its own entry, or the issuer itself. */
static const struct ca_authority *root_of(const struct ca *ca, unsigned generation)
{
    const struct ca_authority *found = NULL;
    for (size_t i = 0; i < ca->count; i++)
        if (ca->authority[i].generation == generation && (!found || ca->authority[i].is_root))
            found = &ca->authority[i];
    return found;
}

static unsigned newest(const struct ca *ca)
{
    unsigned n = 0;
    for (size_t i = 0; i < ca->count; i++)
        if (ca->authority[i].generation > n)
            n = ca->authority[i].generation;
    return n;
}

static bool is_trusted(const struct ca *ca, const struct ca_authority *root)
{
    for (size_t i = 0; i < ca->roots.count; i++)
        if (der_equal(root->cert.der, ca->roots.block[i].data, ca->roots.block[i].size))
            return true;
    return false;
}

/* Writes ca.crt with the roots of all generations from FIRST on. */
static bool write_bundle(const struct ca *ca, unsigned first, struct failure *f)
{
    struct der_out text = {0};
    unsigned done = 0;
    for (size_t i = 0; i < ca->count; i++) {
        if (ca->authority[i].generation < first || ca->authority[i].generation == done)
            continue;
        done = ca->authority[i].generation;
        const struct ca_authority *root = root_of(ca, done);
        char *pem = pem_write("CERTIFICATE", root->block.data, root->block.size, NULL);
        if (!pem)
            text.failed = true;
        else
            der_put_raw(&text, pem, strlen(pem));
        free(pem);
    }
    char *path = file_join(ca->directory, "ca.crt");
    bool ok = path && !text.failed ? file_replace(path, text.data, text.size, 0644, f)
                                   : failure(f, "out of memory");
    free(path);
    der_out_free(&text);
    return ok;
}

/* Whether the journal knows this certificate. */
static bool is_known(const struct ca *ca, const struct ca_authority *a)
{
    char serial[48];
    x509_serial_hex(&a->cert, serial, sizeof serial);
    return journal_issued(ca->journal, serial) != NULL;
}

static bool make_next(struct ca *ca, unsigned generation, int64_t now, struct failure *f)
{
    const struct ca_authority *old = root_of(ca, ca->current), *issuer = ca_issuer(ca);
    struct made made[2] = {0};
    struct der_out root_name = {0}, issuer_name = {0};
    char suffix[16], prefix[PATH_MAX], path[PATH_MAX];
    snprintf(suffix, sizeof suffix, "G%u", generation);
    put_renamed(old->cert.subject, suffix, &root_name);
    if (issuer != old)
        put_renamed(issuer->cert.subject, suffix, &issuer_name);
    struct plan plan = {spec_of(&old->cert), der_out_slice(&root_name), der_out_slice(&issuer_name),
                        old->cert.not_after - old->cert.not_before - CA_BACKDATE,
                        issuer->cert.not_after - issuer->cert.not_before - CA_BACKDATE};
    snprintf(prefix, sizeof prefix, "%s/next-", ca->directory);
    snprintf(path, sizeof path, "%s/issuer-%u", ca->directory, generation);
    char *temporary = file_random_name(prefix);
    bool ok = temporary && !root_name.failed && !issuer_name.failed ? true : failure(f, "out of memory");
    /* The journal knows a certificate before its key can sign: its record comes before the rename. */
    ok = ok && make_generation(&plan, temporary, now, made, f) &&
         journal_append(ca->journal, &made[0].record, f) &&
         (!made[1].key || journal_append(ca->journal, &made[1].record, f)) &&
         (rename(temporary, path) == 0 || failure_errno(f, "%s", path)) &&
         file_sync_directory(ca->directory, f);
    if (!ok && temporary) {
        struct failure ignored;
        file_remove_directory(temporary, &ignored);
    }
    free(temporary);
    made_free(&made[0]);
    made_free(&made[1]);
    der_out_free(&root_name);
    der_out_free(&issuer_name);
    return ok;
}

/* Reads everything anew, as a later command would, and signs lists for the authorities there are now. */
static bool reload(struct ca *ca, struct failure *f)
{
    char *directory = strdup(ca->directory);
    /* Its lock would keep us waiting for ourselves. */
    journal_close(ca->journal);
    ca->journal = NULL;
    struct ca *again = directory ? ca_open(directory, true, f) : NULL;
    free(directory);
    if (!again)
        return false;
    struct ca swap = *ca;
    *ca = *again;
    *again = swap;
    ca_close(again);
    return true;
}

static bool renew_crl(struct ca *ca, int64_t now, struct failure *f)
{
    size_t size;
    char *crl = ca_crl(ca, CA_CRL_LIFETIME, now, &size, f);
    free(crl);
    return crl != NULL;
}

bool ca_prepare(struct ca *ca, int64_t now, struct failure *f)
{
    if (newest(ca) == ca->current && (!make_next(ca, ca->current + 1, now, f) || !reload(ca, f)))
        return false;
    const struct ca_authority *root = root_of(ca, newest(ca));
    if (!is_known(ca, root))
        return failure(f, "%s: generation %u is not in the journal", ca->directory, root->generation);
    return (is_trusted(ca, root) || write_bundle(ca, ca->current, f)) && renew_crl(ca, now, f);
}

bool ca_switch(struct ca *ca, struct failure *f)
{
    unsigned next = newest(ca);
    char target[32];
    if (next == ca->current)
        return failure(f, "%s: no new generation is prepared: certrotate ca prepare", ca->directory);
    if (!is_trusted(ca, root_of(ca, next)))
        return failure(f, "%s: the new root is not in ca.crt yet: certrotate ca prepare", ca->directory);
    snprintf(target, sizeof target, "issuer-%u", next);
    char *path = file_join(ca->directory, "issuer");
    bool ok = path ? file_link(path, target, f) : failure(f, "out of memory");
    free(path);
    return ok;
}

bool ca_retire(struct ca *ca, int64_t now, struct failure *f)
{
    unsigned last = 0;
    char from[PATH_MAX], to[PATH_MAX];
    /* ca.crt first: a generation that is away must not be trusted any more. */
    if (ca->authority[0].generation < ca->current && !write_bundle(ca, ca->current, f))
        return false;
    for (size_t i = 0; i < ca->count; i++) {
        unsigned g = ca->authority[i].generation;
        if (g >= ca->current || g == last)
            continue;
        last = g;
        snprintf(from, sizeof from, "%s/issuer-%u", ca->directory, g);
        snprintf(to, sizeof to, "%s/retired-%u", ca->directory, g);
        if (rename(from, to) != 0)
            return failure_errno(f, "%s", to);
    }
    if (last == 0)
        return failure(f, "%s: no old generation to retire", ca->directory);
    return file_sync_directory(ca->directory, f) && reload(ca, f) && renew_crl(ca, now, f);
}
