/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Certificates, requests, CRLs and keys in words or as JSON. Texts that rule fields show too (names, serial
 * numbers, fingerprints, times, key identifiers) are the very same here.
 */
#ifndef CERTROTATE_SHOW_H
#define CERTROTATE_SHOW_H

#include <stdbool.h>
#include <stdio.h>

#include "certrotate/failure.h"
#include "certrotate/pem.h"

struct show {
    FILE *out;
    bool json;
    int64_t now;
    /* Private. */
    bool more; /* JSON: an object stands before the next one */
};

/* Begins and ends the whole (JSON: an array). */
void show_begin(struct show *s);
void show_end(struct show *s);

/* Shows one object that was read from PATH; of a private key its kind alone. */
bool show_block(struct show *s, const char *path, const struct pem_block *block, struct failure *f)
    __attribute__((warn_unused_result));

/* Shows every object in a file; MAX_ENTRIES of a CRL. */
bool show_file(struct show *s, const char *path, struct failure *f) __attribute__((warn_unused_result));

/* Shows an authority's directory in short. */
bool show_authority(struct show *s, const char *path, struct failure *f) __attribute__((warn_unused_result));

#endif
