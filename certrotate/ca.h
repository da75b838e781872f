/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A certificate authority in a directory, safe against being killed at any point:
 *
 *   journal                 what was issued and revoked (certrotate/journal.h)
 *   policy                  what may be issued (certrotate/policy.h)
 *   ca.crt                  the roots that peers shall trust
 *   crl.pem                 the last CRLs, one for each authority whose key is here
 *   issuer -> issuer-N      the generation that signs now
 *   issuer-N/issuer.crt issuer.key
 *   issuer-N/root.crt root.key    the same files again where there is no intermediate: then without root.key
 *   retired-N/              generations that are trusted no more
 *
 * A roll-over takes three steps, each one rename: prepare (a new generation, its root trusted beside the
 * old), switch (the new one signs), retire (the old one's root is dropped).
 */
#ifndef CERTROTATE_CA_H
#define CERTROTATE_CA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "certrotate/failure.h"
#include "certrotate/journal.h"
#include "certrotate/key.h"
#include "certrotate/labels.h"
#include "certrotate/pem.h"
#include "certrotate/x509.h"

enum {
    CA_CRL_LIFETIME = 7 * 86400,
    CA_BACKDATE = 60, /* seconds that a certificate is valid before it was made: clocks differ */
};

struct ca_options {
    const char *directory; /* must not exist, or be empty */
    enum key_spec spec;
    const struct labels *subject;
    int64_t lifetime; /* seconds */
    bool intermediate;
    int64_t intermediate_lifetime;
};

/* Makes an authority: nothing of it exists until all of it does. */
bool ca_init(const struct ca_options *options, int64_t now, struct failure *f)
    __attribute__((warn_unused_result));

/* One authority: a root or an intermediate, with its key if that is here. */
struct ca_authority {
    unsigned generation;
    bool is_root; /* an intermediate's root */
    struct pem_block block;
    struct x509 cert;
    char id[48]; /* subject key identifier in hex, as journal_record.issuer */
    struct key *key;
};

struct ca {
    char *directory;
    struct journal *journal;
    struct pem_set roots; /* ca.crt */
    unsigned current;     /* the generation that signs */
    struct ca_authority *authority;
    size_t count;
};

/* Opens it: to read only, without keys and locks, or to write, waiting for other writers. */
struct ca *ca_open(const char *directory, bool to_write, struct failure *f)
    __attribute__((warn_unused_result));
void ca_close(struct ca *ca); /* NULL is fine */

/* Who signs certificates now. */
const struct ca_authority *ca_issuer(const struct ca *ca);

struct ca_request {
    struct x509_slice subject; /* Name, header included */
    struct x509_slice sans;    /* GeneralNames without their SEQUENCE */
    struct x509_slice spki;
    int64_t lifetime; /* seconds from now; never beyond the issuer's end */
    unsigned eku;     /* x509_eku bits */
};

/* Signs a certificate: it is in the journal before it is handed out. Appends its DER to CERT. */
bool ca_issue(struct ca *ca, const struct ca_request *request, int64_t now, struct der_out *cert,
              struct failure *f) __attribute__((warn_unused_result));

/* The chain to present: CERT and the intermediate, as PEM in heap memory; NULL when out of memory. */
char *ca_chain(const struct ca *ca, struct x509_slice cert, size_t *size);

/* ca.crt as it stands, in heap memory. */
char *ca_bundle(const struct ca *ca, size_t *size);

/*
 * Finds a certificate of ours by what names it: 64 hex digits are its SHA-256 fingerprint (colons may stand
 * between), fewer its serial number, else it is a file with the certificate. SERIAL has room for 48.
 */
bool ca_find(const struct ca *ca, const char *what, char serial[48], struct failure *f)
    __attribute__((warn_unused_result));

/* Revokes; *ALREADY tells that it was revoked before, and then nothing is changed. */
bool ca_revoke(struct ca *ca, const char *serial, int reason, int64_t now, bool *already, struct failure *f)
    __attribute__((warn_unused_result));

/* Signs new CRLs, writes them to crl.pem and returns them as PEM in heap memory; NULL: F says why. */
char *ca_crl(struct ca *ca, int64_t lifetime, int64_t now, size_t *size, struct failure *f)
    __attribute__((warn_unused_result));

/* The CRLs as they are in crl.pem, in heap memory; NULL with F when there are none. */
char *ca_last_crl(const struct ca *ca, size_t *size, struct failure *f) __attribute__((warn_unused_result));

/* The three steps of a roll-over; each may be repeated after it was interrupted. */
bool ca_prepare(struct ca *ca, int64_t now, struct failure *f) __attribute__((warn_unused_result));
bool ca_switch(struct ca *ca, struct failure *f) __attribute__((warn_unused_result));
bool ca_retire(struct ca *ca, int64_t now, struct failure *f) __attribute__((warn_unused_result));

#endif
