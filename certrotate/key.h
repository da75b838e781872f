/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Private keys of the certrotate command: made, read, written and used to sign. Wiped when freed. */
#ifndef CERTROTATE_KEY_H
#define CERTROTATE_KEY_H

#include <stdbool.h>

#include "certrotate/der_write.h"
#include "certrotate/failure.h"
#include "certrotate/pem.h"

enum key_spec { KEY_P256, KEY_P384, KEY_P521, KEY_RSA2048, KEY_RSA3072, KEY_RSA4096, KEY_ED25519 };

/* By its name: "p256", "p384", "p521", "rsa2048", "rsa3072", "rsa4096", "ed25519". */
bool key_spec_parse(const char *name, enum key_spec *spec);
const char *key_spec_name(enum key_spec spec);

struct key;

struct key *key_generate(enum key_spec spec, struct failure *f) __attribute__((warn_unused_result));

/* Reads a key out of an unencrypted PKCS#8, SEC1 or PKCS#1 block. */
struct key *key_read(const struct pem_block *block, struct failure *f) __attribute__((warn_unused_result));
void key_free(struct key *key); /* NULL is fine */

enum x509_key_type key_type(const struct key *key);

/* Appends the SubjectPublicKeyInfo; the private key as PKCS#8 (RFC 5958, RFC 8410). */
void key_put_public(const struct key *key, struct der_out *out);
void key_put_private(const struct key *key, struct der_out *out);

/* Appends the AlgorithmIdentifier that key_put_signature() signs with: SHA-2 as wide as the key. */
void key_put_algorithm(const struct key *key, struct der_out *out);

/* Appends the signature over DATA as BIT STRING; OUT fails when it cannot be made. */
void key_put_signature(const struct key *key, struct x509_slice data, struct der_out *out);

/* Octets from wolfCrypt's DRBG; false when it fails. */
bool key_random(void *out, size_t size) __attribute__((warn_unused_result));

#endif
