/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "certrotate/show.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "certrotate/ca.h"
#include "certrotate/crl.h"
#include "certrotate/crl_parse.h"
#include "certrotate/der.h"
#include "certrotate/file.h"
#include "certrotate/verify.h"
#include "certrotate/x509.h"

enum { FILE_MAX = 64 << 20, OBJECTS_MAX = 4096, TEXT = 4096, LINES_MAX = 20 };

/* --- output: an object of named fields --- */

struct object {
    struct show *s;
    bool more; /* JSON: a field stands before the next one */
};

static void put_json_string(FILE *out, const char *text)
{
    fputc('"', out);
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\')
            fputc('\\', out);
        if (*p < 0x20 || *p == 0x7f)
            fprintf(out, "\\u%04x", *p);
        else
            fputc(*p, out);
    }
    fputc('"', out);
}

void show_begin(struct show *s)
{
    s->more = false;
    if (s->json)
        fputc('[', s->out);
}

void show_end(struct show *s)
{
    if (s->json)
        fputs("\n]\n", s->out);
}

/* A field's name: in JSON KEY, else LABEL; no LABEL: JSON alone. False: nothing is to be written. */
static bool name(struct object *o, const char *label, const char *key)
{
    if (o->s->json) {
        fputs(o->more ? ", " : "", o->s->out);
        put_json_string(o->s->out, key);
        fputs(": ", o->s->out);
        o->more = true;
        return true;
    }
    if (label)
        fprintf(o->s->out, "  %-16s ", label);
    return label != NULL;
}

static void text(struct object *o, const char *label, const char *key, const char *value)
{
    if (!name(o, label, key))
        return;
    if (o->s->json)
        put_json_string(o->s->out, value);
    else
        fprintf(o->s->out, "%s\n", value);
}

static void number(struct object *o, const char *label, const char *key, int64_t value)
{
    if (name(o, label, key))
        fprintf(o->s->out, o->s->json ? "%" PRId64 : "%" PRId64 "\n", value);
}

static void boolean(struct object *o, const char *label, const char *key, bool value)
{
    if (name(o, label, key))
        fputs(o->s->json ? (value ? "true" : "false") : value ? "yes\n" : "no\n", o->s->out);
}

static struct object object_begin(struct show *s, const char *kind, const char *path)
{
    struct object o = {s, false};
    if (s->json)
        fputs(s->more ? ",\n {" : "\n {", s->out);
    else
        fprintf(s->out, "%s%s: %s\n", s->more ? "\n" : "", path, kind);
    s->more = true;
    if (s->json) {
        text(&o, NULL, "type", kind);
        text(&o, NULL, "file", path);
    }
    return o;
}

static void object_end(struct object *o)
{
    if (o->s->json)
        fputc('}', o->s->out);
}

/* A list of words, opened by name(): one JSON array, or one line with commas. */
struct list {
    struct object *o;
    size_t count;
};

static struct list list_begin(struct object *o, const char *label, const char *key)
{
    name(o, label, key);
    if (o->s->json)
        fputc('[', o->s->out);
    return (struct list){o, 0};
}

static void list_add(struct list *l, const char *word)
{
    fputs(l->count++ ? ", " : "", l->o->s->out);
    if (l->o->s->json)
        put_json_string(l->o->s->out, word);
    else
        fputs(word, l->o->s->out);
}

static void list_end(struct list *l)
{
    fputs(l->o->s->json ? "]" : l->count ? "\n" : "none\n", l->o->s->out);
}

/* --- parts of certificates --- */

static void put_name(struct object *o, const char *label, const char *key, const char *legacy_key,
                     struct x509_slice dn)
{
    char words[TEXT];
    x509_name_rfc2253(dn, words, sizeof words);
    text(o, label, key, words);
    x509_name_legacy(dn, words, sizeof words);
    text(o, NULL, legacy_key, words);
}

static void put_hex(struct object *o, const char *label, const char *key, struct x509_slice octets)
{
    char words[TEXT];
    if (octets.size == 0 && !o->s->json)
        return;
    x509_hex(octets, true, words, sizeof words);
    text(o, label, key, words);
}

/* "in 3 days", "5 hours ago" */
static void put_time(struct object *o, const char *label, const char *key, const char *seconds_key,
                     int64_t seconds)
{
    char words[128], when[64];
    x509_time_text(seconds, when, sizeof when);
    if (!o->s->json) {
        int64_t far = seconds > o->s->now ? seconds - o->s->now : o->s->now - seconds;
        const char *unit = far >= 172800 ? "days"
                           : far >= 7200 ? "hours"
                           : far >= 120  ? "minutes"
                                         : "seconds";
        int64_t count = far / (far >= 172800 ? 86400 : far >= 7200 ? 3600 : far >= 120 ? 60 : 1);
        snprintf(words, sizeof words, seconds > o->s->now ? "%s (in %lld %s)" : "%s (%lld %s ago)", when,
                 (long long)count, unit);
    }
    text(o, label, key, o->s->json ? when : words);
    number(o, NULL, seconds_key, seconds);
}

static void put_digests(struct object *o, struct x509_slice der)
{
    uint8_t digest[32];
    char words[65];
    x509_sha256(der, digest);
    x509_hex((struct x509_slice){digest, 32}, false, words, sizeof words);
    text(o, "SHA-256", "fingerprint_sha256", words);
    x509_sha1(der, digest);
    x509_hex((struct x509_slice){digest, 20}, false, words, sizeof words);
    text(o, "SHA-1", "fingerprint_sha1", words);
}

static void put_sans(struct object *o, const struct x509 *c)
{
    static const char *const kinds[] = {
        [X509_SAN_DNS] = "DNS", [X509_SAN_URI] = "URI", [X509_SAN_IP] = "IP", [X509_SAN_EMAIL] = "email"};
    struct list l = list_begin(o, "names", "names");
    for (size_t i = 0; i < c->san_count; i++) {
        char value[TEXT], words[TEXT + 16];
        const struct x509_san *san = &c->san[i];
        if (san->kind == X509_SAN_IP)
            inet_ntop(san->value.size == 4 ? AF_INET : AF_INET6, san->value.data, value, sizeof value);
        else
            snprintf(value, sizeof value, "%.*s", (int)san->value.size, (const char *)san->value.data);
        snprintf(words, sizeof words, "%s:%s", kinds[san->kind], value);
        list_add(&l, words);
    }
    if (c->san_has_other)
        list_add(&l, "(others)");
    if (c->san_too_many)
        list_add(&l, "(and more)");
    list_end(&l);
}

static void put_key(struct object *o, const struct x509 *c)
{
    static const char *const kinds[] = {[X509_KEY_OTHER] = "other",
                                        [X509_KEY_RSA] = "RSA",
                                        [X509_KEY_EC] = "EC",
                                        [X509_KEY_ED25519] = "Ed25519"};
    char words[64];
    if (o->s->json) {
        text(o, NULL, "key_type", kinds[c->key_type]);
        number(o, NULL, "key_bits", c->key_bits);
        return;
    }
    if (c->key_type == X509_KEY_EC)
        snprintf(words, sizeof words, "EC P-%u", c->key_bits);
    else if (c->key_type == X509_KEY_RSA)
        snprintf(words, sizeof words, "RSA, %u bits", c->key_bits);
    else
        snprintf(words, sizeof words, "%s", kinds[c->key_type]);
    text(o, "key", "key", words);
}

static void put_usages(struct object *o, const struct x509 *c)
{
    static const char *const usages[] = {"digitalSignature", "nonRepudiation", "keyEncipherment",
                                         "dataEncipherment", "keyAgreement",   "keyCertSign",
                                         "cRLSign",          "encipherOnly",   "decipherOnly"};
    static const struct {
        unsigned bit;
        const char *name;
    } ekus[] = {{X509_EKU_SERVER_AUTH, "serverAuth"},
                {X509_EKU_CLIENT_AUTH, "clientAuth"},
                {X509_EKU_ANY, "any"},
                {X509_EKU_OTHER, "others"}};
    struct list l;
    if (c->has_key_usage) {
        l = list_begin(o, "key usage", "key_usage");
        for (size_t i = 0; i < sizeof usages / sizeof *usages; i++)
            if (c->key_usage & 1u << i)
                list_add(&l, usages[i]);
        list_end(&l);
    }
    if (c->has_eku) {
        l = list_begin(o, "used by", "extended_key_usage");
        for (size_t i = 0; i < sizeof ekus / sizeof *ekus; i++)
            if (c->eku & ekus[i].bit)
                list_add(&l, ekus[i].name);
        list_end(&l);
    }
}

static void put_authority(struct object *o, const struct x509 *c)
{
    boolean(o, "authority", "is_ca", c->is_ca);
    if (c->path_len >= 0)
        number(o, "path length", "path_length", c->path_len);
    if (c->has_name_constraints)
        boolean(o, "name constraints", "name_constraints", true);
    if (c->unknown_critical)
        boolean(o, "unknown critical extension", "unknown_critical", true);
}

static void put_algorithm(struct object *o, const struct x509 *c)
{
    static const struct {
        const char *oid;
        const char *name;
    } names[] = {{"1.2.840.10045.4.3.2", "ECDSA with SHA-256"},
                 {"1.2.840.10045.4.3.3", "ECDSA with SHA-384"},
                 {"1.2.840.10045.4.3.4", "ECDSA with SHA-512"},
                 {"1.2.840.113549.1.1.11", "RSA with SHA-256"},
                 {"1.2.840.113549.1.1.12", "RSA with SHA-384"},
                 {"1.2.840.113549.1.1.13", "RSA with SHA-512"},
                 {"1.2.840.113549.1.1.10", "RSA-PSS"},
                 {"1.3.101.112", "Ed25519"},
                 {"1.2.840.113549.1.1.5", "RSA with SHA-1 (weak)"},
                 {"1.2.840.10045.4.1", "ECDSA with SHA-1 (weak)"}};
    char oid[128];
    const char *words = oid;
    x509_oid_text(c->signature_oid, oid, sizeof oid);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].oid, oid) == 0)
            words = names[i].name;
    text(o, "signed", "signature_algorithm", words);
}

/* --- objects --- */

static bool show_certificate(struct show *s, const char *path, const struct pem_block *block, struct x509 *c,
                             struct failure *f)
{
    char serial[TEXT];
    const char *wrong = x509_parse(block->data, block->size, c);
    if (wrong)
        return failure(f, "%s: not a certificate that can be used: %s", path, wrong);
    struct object o = object_begin(s, "certificate", path);
    put_name(&o, "subject", "subject_dn", "subject_dn_legacy", c->subject);
    put_name(&o, "issuer", "issuer_dn", "issuer_dn_legacy", c->issuer);
    x509_serial_hex(c, serial, sizeof serial);
    text(&o, "serial", "serial", serial);
    put_time(&o, "not before", "not_before", "not_before_seconds", c->not_before);
    put_time(&o, "not after", "not_after", "not_after_seconds", c->not_after);
    put_sans(&o, c);
    put_key(&o, c);
    put_algorithm(&o, c);
    put_authority(&o, c);
    put_usages(&o, c);
    put_hex(&o, "key id", "ski", c->ski);
    put_hex(&o, "issuer's key id", "aki", c->aki);
    put_digests(&o, c->der);
    object_end(&o);
    return true;
}

static bool show_request(struct show *s, const char *path, const struct pem_block *block, struct x509 *c,
                         struct failure *f)
{
    const char *wrong = x509_parse_request(block->data, block->size, c);
    if (wrong)
        return failure(f, "%s: not a request that can be used: %s", path, wrong);
    struct object o = object_begin(s, "request", path);
    put_name(&o, "subject", "subject_dn", "subject_dn_legacy", c->subject);
    put_sans(&o, c);
    put_key(&o, c);
    put_algorithm(&o, c);
    wrong = x509_verify(c, c->tbs, c->signature_algorithm, c->signature);
    text(&o, "own signature", "own_signature", wrong ? wrong : "good");
    object_end(&o);
    return true;
}

static void put_entry(struct object *o, const struct crl_entry *e)
{
    char serial[TEXT], when[64];
    x509_integer_hex(e->serial, e->serial_negative, serial, sizeof serial);
    x509_time_text(e->revoked_at, when, sizeof when);
    if (!o->s->json) {
        fprintf(o->s->out, "    %s  %s  %s\n", serial, when, crl_reason_name(e->reason));
        return;
    }
    fputs(o->more ? ", {" : "{", o->s->out);
    struct object entry = {o->s, false};
    text(&entry, NULL, "serial", serial);
    text(&entry, NULL, "revoked", when);
    text(&entry, NULL, "reason", crl_reason_name(e->reason));
    fputc('}', o->s->out);
    o->more = true;
}

/* All entries as JSON; in words the first few. */
static void put_entries(struct object *o, const struct crl *crl, size_t count)
{
    struct x509_slice left = crl->entries;
    struct crl_entry e;
    number(o, "revoked", "count", (int64_t)count);
    if (o->s->json) {
        name(o, NULL, "revoked");
        fputc('[', o->s->out);
    }
    struct object inner = {o->s, false};
    for (size_t i = 0; i < count && (o->s->json || i < LINES_MAX) && crl_next(&left, &e) == 1; i++)
        put_entry(&inner, &e);
    if (o->s->json)
        fputc(']', o->s->out);
    else if (count > LINES_MAX)
        fprintf(o->s->out, "    ... and %zu more\n", count - LINES_MAX);
}

/* Decimal where it fits 64 bits, else hex. */
static void put_crl_number(struct object *o, struct x509_slice number)
{
    char words[64] = "0x";
    uint64_t n = 0;
    for (size_t i = 0; i < number.size; i++)
        n = n << 8 | number.data[i];
    if (number.size <= 8)
        snprintf(words, sizeof words, "%" PRIu64, n);
    else
        x509_hex(number, true, words + 2, sizeof words - 2);
    if (number.size > 0)
        text(o, "number", "number", words);
}

static bool show_crl(struct show *s, const char *path, const struct pem_block *block, struct failure *f)
{
    struct crl crl;
    struct crl_entry e;
    size_t count = 0;
    int more;
    const char *wrong = crl_parse(block->data, block->size, &crl);
    if (wrong)
        return failure(f, "%s: not a revocation list that can be used: %s", path, wrong);
    for (struct x509_slice left = crl.entries; (more = crl_next(&left, &e)) == 1;)
        count++;
    if (more < 0)
        return failure(f, "%s: entry %zu of the revocation list is malformed", path, count + 1);
    struct object o = object_begin(s, "crl", path);
    put_name(&o, "issuer", "issuer_dn", "issuer_dn_legacy", crl.issuer);
    put_crl_number(&o, crl.number);
    put_time(&o, "this update", "this_update", "this_update_seconds", crl.this_update);
    if (crl.next_update)
        put_time(&o, "next update", "next_update", "next_update_seconds", crl.next_update);
    put_hex(&o, "issuer's key id", "aki", crl.aki);
    if (crl.is_delta)
        boolean(&o, "delta", "is_delta", true);
    if (crl.is_indirect)
        boolean(&o, "indirect", "is_indirect", true);
    put_entries(&o, &crl, count);
    object_end(&o);
    return true;
}

bool show_block(struct show *s, const char *path, const struct pem_block *block, struct failure *f)
{
    static const char *const keys[] = {[PEM_KEY_PKCS8] = "private key (PKCS #8)",
                                       [PEM_KEY_PKCS8_SECRET] = "private key (PKCS #8, encrypted)",
                                       [PEM_KEY_SEC1] = "private key (SEC 1)",
                                       [PEM_KEY_PKCS1] = "private key (PKCS #1)"};
    struct x509 *c;
    bool ok;
    if (pem_is_key(block->kind)) {
        struct object o = object_begin(s, keys[block->kind], path);
        object_end(&o);
        return true;
    }
    if (block->kind == PEM_CRL)
        return show_crl(s, path, block, f);
    if (!(c = calloc(1, sizeof *c)))
        return failure(f, "out of memory");
    ok = block->kind == PEM_CERTIFICATE ? show_certificate(s, path, block, c, f)
         : block->kind == PEM_REQUEST   ? show_request(s, path, block, c, f)
                                        : failure(f, "%s: neither certificate, request, CRL nor key", path);
    free(c);
    return ok;
}

bool show_file(struct show *s, const char *path, struct failure *f)
{
    struct pem_set set;
    size_t size;
    uint8_t *data = file_read(path, FILE_MAX, &size, f);
    if (!data)
        return false;
    const char *wrong = pem_read(data, size, OBJECTS_MAX, &set);
    pem_wipe_free(data, size);
    if (!wrong && set.count == 0)
        wrong = "neither PEM nor DER";
    bool ok = !wrong || failure(f, "%s: %s", path, wrong);
    for (size_t i = 0; ok && i < set.count; i++)
        ok = show_block(s, path, &set.block[i], f);
    pem_free(&set);
    return ok;
}

bool show_authority(struct show *s, const char *path, struct failure *f)
{
    struct ca *ca = ca_open(path, false, f);
    size_t issued = 0, revoked = 0, valid = 0;
    bool ok = true;
    if (!ca)
        return false;
    for (size_t i = 0; i < journal_count(ca->journal); i++) {
        const struct journal_record *r = journal_get(ca->journal, i);
        issued += r->kind == JOURNAL_ISSUE;
        revoked += r->kind == JOURNAL_REVOKE;
        valid +=
            r->kind == JOURNAL_ISSUE && r->not_after >= s->now && !journal_revoked(ca->journal, r->serial);
    }
    struct object o = object_begin(s, "authority", path);
    number(&o, "generation", "generation", ca->current);
    number(&o, "roots trusted", "roots", (int64_t)ca->roots.count);
    number(&o, "issued", "issued", (int64_t)issued);
    number(&o, "revoked", "revoked", (int64_t)revoked);
    number(&o, "valid now", "valid", (int64_t)valid);
    object_end(&o);
    for (size_t i = 0; ok && i < ca->count; i++) {
        char *file;
        if (asprintf(&file, "%s/issuer-%u/%s.crt", path, ca->authority[i].generation,
                     ca->authority[i].is_root ? "root" : "issuer") < 0) {
            ok = failure(f, "out of memory");
            break;
        }
        ok = show_block(s, file, &ca->authority[i].block, f);
        free(file);
    }
    ca_close(ca);
    return ok;
}
