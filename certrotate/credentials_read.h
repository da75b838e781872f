/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The files of one set of credentials, found by layout and read once each, all of one generation. Nothing is
 * parsed here; what went wrong is kept per file, so that the hash of a set that is missing something changes
 * when that comes. Internal to credentials.
 */
#ifndef CERTROTATE_CREDENTIALS_READ_H
#define CERTROTATE_CREDENTIALS_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "certrotate/credentials.h"

enum credentials_role {
    CREDENTIALS_CERTIFICATE,
    CREDENTIALS_KEY,
    CREDENTIALS_CA,
    CREDENTIALS_CRL,
    CREDENTIALS_PASSWORD,
    CREDENTIALS_ROLES,
};

struct credentials_file {
    char *path;    /* as told to the operator; NULL: this set has no such file */
    uint8_t *data; /* NULL: absent, or not read */
    size_t size;
};

struct credentials_files {
    enum credentials_layout layout;
    struct credentials_file file[CREDENTIALS_ROLES];
    bool key_in_certificate;        /* the certificate's file holds the key as well */
    struct credentials_error error; /* the first thing that is wrong with them */
    uint8_t hash[32];
    uint8_t trust_hash[32];
};

/* Reads what SOURCE names; OUT is filled whatever happens. False: OUT->error says why the set is of no use.
 */
bool credentials_read(const struct credentials_source *source, struct credentials_files *out);

/* Wipes and frees. */
void credentials_files_free(struct credentials_files *files);

/* Writes an error, if it is the first. Returns false. */
bool credentials_fail(struct credentials_error *error, enum credentials_fault fault, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
