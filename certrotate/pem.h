/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * PEM (RFC 7468) and DER files: certificates, private keys, CRLs and certificate requests out of memory. Text
 * around the blocks is skipped; a block that does not end, or is not Base64, is an error.
 */
#ifndef CERTROTATE_PEM_H
#define CERTROTATE_PEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "certrotate/x509.h"

enum pem_kind {
    PEM_CERTIFICATE,
    PEM_CRL,
    PEM_REQUEST,          /* CERTIFICATE REQUEST */
    PEM_KEY_PKCS8,        /* PRIVATE KEY */
    PEM_KEY_PKCS8_SECRET, /* ENCRYPTED PRIVATE KEY */
    PEM_KEY_SEC1,         /* EC PRIVATE KEY */
    PEM_KEY_PKCS1,        /* RSA PRIVATE KEY */
    PEM_OTHER,            /* anything else (EC PARAMETERS ...): skipped by pem_read() */
};

/* One object; DATA is heap memory of its own. */
struct pem_block {
    enum pem_kind kind;
    uint8_t *data;
    size_t size;
};

struct pem_set {
    struct pem_block *block;
    size_t count;
};

/*
 * Reads every object of TEXT: PEM, or, when it begins with a SEQUENCE, a single DER object whose kind is told
 * from its structure. At most MAX objects. Returns NULL, or what is wrong in words (static) with SET empty.
 * Free with pem_free().
 */
const char *pem_read(const uint8_t *text, size_t size, size_t max, struct pem_set *set)
    __attribute__((warn_unused_result));

/* Wipes and frees every block. */
void pem_free(struct pem_set *set);

/* Whether KIND is a private key. */
bool pem_is_key(enum pem_kind kind);

/*
 * Decrypts a PKCS#8 EncryptedPrivateKeyInfo (PBES2, and what else wolfCrypt knows) in place, with PASSWORD of
 * SIZE bytes. Returns NULL with BLOCK now of kind PEM_KEY_PKCS8, else what is wrong in words.
 */
const char *pem_decrypt(struct pem_block *block, const char *password, size_t size)
    __attribute__((warn_unused_result));

/*
 * Writes DER as PEM with LABEL ("CERTIFICATE"), 64 characters a line, a zero at the end. Returns heap memory
 * (wipe it if it is a key) or NULL when out of memory; *LENGTH may be NULL.
 */
char *pem_write(const char *label, const uint8_t *der, size_t size, size_t *length);

/* Overwrites memory so that the compiler cannot leave it out; wipe and free. */
void pem_wipe(void *data, size_t size);
void pem_wipe_free(void *data, size_t size);

#endif
