/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The CA's memory: an append-only file of what was issued and revoked, one line a record.
 *
 * A line begins with a checksum over itself and, through the checksum before, over every line before it: a
 * line that is changed, lost or moved is noticed. A record counts once journal_append() has returned true: it
 * is then synced to the disk. A process killed while it appends leaves a line without an end, which the next
 * writer removes; it had not been acknowledged.
 */
#ifndef CERTROTATE_JOURNAL_H
#define CERTROTATE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "certrotate/failure.h"

enum journal_kind {
    JOURNAL_CA,     /* an authority was made: serial, issuer, sha256, not_after, text */
    JOURNAL_ISSUE,  /* a certificate was signed: the same */
    JOURNAL_REVOKE, /* serial, reason */
    JOURNAL_CRL,    /* a list was signed: issuer, number, not_after is its nextUpdate */
};

struct journal_record {
    enum journal_kind kind;
    int64_t time;    /* seconds since 1970, when it happened */
    char serial[48]; /* upper-case hex, as x509_serial_hex() */
    char issuer[48]; /* subject key identifier of the issuing authority, upper-case hex */
    char sha256[65]; /* of the certificate, lower-case hex */
    int64_t not_after;
    int reason;      /* CRLReason */
    uint64_t number; /* CRL number */
    char *text;      /* subject, RFC 2253; owned by the journal once read; may be NULL */
};

struct journal;

enum { JOURNAL_BYTES_MAX = 1 << 30 };

/* What a new journal holds before its first record; *LENGTH octets in OUT. */
bool journal_begin(char out[64], size_t *length) __attribute__((warn_unused_result));

/*
 * Reads the journal at PATH. To write, it is locked against other writers (waiting for them) and a torn last
 * line is removed. NULL: F says why: a damaged journal is refused, with the line.
 */
struct journal *journal_open(const char *path, bool to_write, struct failure *f)
    __attribute__((warn_unused_result));
void journal_close(struct journal *j); /* NULL is fine */

size_t journal_count(const struct journal *j);
const struct journal_record *journal_get(const struct journal *j, size_t index);

/* Appends RECORD (copied) and syncs. False: nothing was added, F says why. */
bool journal_append(struct journal *j, const struct journal_record *record, struct failure *f)
    __attribute__((warn_unused_result));

/* The certificate with this serial (authorities included), or NULL; the record that revoked it, or NULL.
 * Valid until the next append. */
const struct journal_record *journal_issued(const struct journal *j, const char *serial);
const struct journal_record *journal_revoked(const struct journal *j, const char *serial);

#endif
