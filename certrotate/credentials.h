/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One consistent set of credentials, read from a directory: certificate chain, private key, CA bundle and
 * CRLs. Each file is opened and read once, and all of one generation: through the folder that a `..data`
 * symlink names. What is loaded has been judged (parseable, key matches leaf, leaf valid now) and never
 * changes again.
 */
#ifndef CERTROTATE_CREDENTIALS_H
#define CERTROTATE_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "certrotate/crl.h"
#include "certrotate/x509.h"

/* Which files a directory is expected to hold; [in brackets] what may be missing. AUTO takes the first that
 * fits, in this order. */
enum credentials_layout {
    CREDENTIALS_AUTO,
    /* A TLS Secret, cert-manager's: tls.crt tls.key [ca.crt] [crl.pem] */
    CREDENTIALS_KUBERNETES,
    /* The SPIFFE helper's: svid.pem svid_key.pem [svid_bundle.pem] [crl.pem] */
    CREDENTIALS_SPIFFE,
    /* Key and chain in one file, a podCertificate volume: credentials.pem, credential-bundle.pem,
     * credentialbundle.pem or tls.pem, [ca.crt, ca.pem or trust-bundle.pem] [crl.pem] */
    CREDENTIALS_BUNDLE,
    /* The only *.pem that holds a private key, with its chain, haproxy's habit; companions as with BUNDLE */
    CREDENTIALS_SINGLE,
    /* What the source names and nothing else */
    CREDENTIALS_FILES,
};

const char *credentials_layout_name(enum credentials_layout layout); /* "auto", "kubernetes", "spiffe" ... */
bool credentials_layout_parse(const char *name, enum credentials_layout *layout);

/*
 * Where to read. Names of files are relative to DIRECTORY, or absolute; a name given here replaces the
 * layout's, and its file must be there. A certificate named without a key holds its key as well, if the
 * layout is AUTO or FILES. All strings may be NULL and are the caller's.
 */
struct credentials_source {
    const char *directory;
    enum credentials_layout layout;
    const char *certificate; /* chain, leaf first */
    const char *key;
    const char *ca;          /* CA bundle */
    const char *crl;         /* one or several CRLs */
    const char *password;    /* a file; its first line decrypts the key */
    bool trust_only;         /* CA bundle and CRLs alone: no certificate, no key */
    bool strict_permissions; /* refuse a key that group (beyond our own) or others may read or write */
    bool ca_required;        /* refuse a set without a CA bundle */
    size_t max_file;         /* bytes; 0: CREDENTIALS_FILE_MAX */
};

enum {
    CREDENTIALS_FILE_MAX = 1 << 20,   /* certificates and keys */
    CREDENTIALS_CHAIN_MAX = 16,       /* certificates in a chain */
    CREDENTIALS_ROOTS_MAX = 4096,     /* certificates in a CA bundle */
    CREDENTIALS_BUNDLE_MAX = 8 << 20, /* bytes of a CA bundle file */
};

/* A loaded set: immutable, shared by counting references from any thread. */
struct credentials {
    unsigned refs; /* credentials_ref() and credentials_unref() only */
    enum credentials_layout layout;
    char *directory;          /* as configured, or "" */
    struct x509_slice *chain; /* DER, leaf first; NULL when trust_only */
    size_t chain_count;
    struct x509_slice key; /* DER: PKCS#8, SEC1 or PKCS#1, decrypted; wiped when freed */
    enum x509_key_type key_type;
    struct x509_slice *roots; /* CA bundle, DER, each once */
    size_t root_count;
    struct crl_index *crls; /* NULL: no CRL file */
    uint8_t hash[32];       /* SHA-256 over all that was read */
    uint8_t trust_hash[32]; /* the same over CA bundle and CRLs alone: unchanged means no session need be
                               judged again */
    int64_t not_before;     /* of the leaf */
    int64_t not_after;
    int64_t roots_not_after;  /* the earliest end among the CA bundle; 0: none */
    int64_t roots_not_before; /* and when that one began */
    char *warnings; /* lines of text, or "" : CRLs left out, expired roots, a chain out of order ... */
};

enum credentials_fault {
    CREDENTIALS_OK,
    CREDENTIALS_MISSING,
    CREDENTIALS_EMPTY,
    CREDENTIALS_TOO_LARGE,
    CREDENTIALS_PERMISSIONS,
    CREDENTIALS_UNPARSABLE,
    CREDENTIALS_MISMATCH,
    CREDENTIALS_EXPIRED,
    CREDENTIALS_NOT_YET_VALID,
    CREDENTIALS_BAD_CRL,
    CREDENTIALS_UNREADABLE,     /* the system said no: text carries its words */
    CREDENTIALS_NO_DESCRIPTORS, /* this process has none left to look with: says nothing about the files */
};

/* The word of a fault, for a metric's label: "missing", "mismatch" ... */
const char *credentials_fault_name(enum credentials_fault fault);

struct credentials_error {
    enum credentials_fault fault;
    char text[512]; /* names the file and the cause */
};

/* Reads and judges the set at NOW (seconds since 1970). NULL: ERROR says why; nothing is kept. Blocks on the
 * disk. */
struct credentials *credentials_load(const struct credentials_source *source, int64_t now,
                                     struct credentials_error *error) __attribute__((warn_unused_result));

/*
 * The content hash alone, without judging: false when nothing could be read (the hash then stands for what is
 * missing, so it changes when that changes). ERROR: what is wrong with the files as such; may be NULL.
 */
bool credentials_peek(const struct credentials_source *source, uint8_t hash[32],
                      struct credentials_error *error);

struct credentials *credentials_ref(struct credentials *c);
void credentials_unref(struct credentials *c); /* NULL is fine */

/* How far a lifetime has run down: each step is worth one warning line. */
enum credentials_expiry {
    CREDENTIALS_FRESH,
    CREDENTIALS_THIRD,    /* a third of the lifetime or less is left */
    CREDENTIALS_TENTH,    /* a tenth */
    CREDENTIALS_FIFTIETH, /* a fiftieth */
    CREDENTIALS_OVER,     /* expired */
};
enum credentials_expiry credentials_expiry_level(int64_t not_before, int64_t not_after, int64_t now);

#endif
