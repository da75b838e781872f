/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A writer of DER: a growing buffer to which elements are appended. When memory runs out, or an element
 * cannot be written, FAILED sticks and nothing more is written: check it once, at the end.
 */
#ifndef CERTROTATE_DER_WRITE_H
#define CERTROTATE_DER_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "certrotate/der.h"

/* Zero-initialised it is empty. */
struct der_out {
    uint8_t *data;
    size_t size;
    size_t room;
    bool failed;
};

/* Wipes and frees. */
void der_out_free(struct der_out *out);
struct x509_slice der_out_slice(const struct der_out *out);

/* Appends octets as they are. */
void der_put_raw(struct der_out *out, const void *data, size_t size);
void der_put_slice(struct der_out *out, struct x509_slice slice);

/* One whole element. */
void der_put(struct der_out *out, uint8_t tag, const void *content, size_t size);
void der_put_oid(struct der_out *out, struct x509_slice oid); /* content octets */
void der_put_bool(struct der_out *out, bool value);
void der_put_uint(struct der_out *out, uint64_t value);
void der_put_integer(struct der_out *out, struct x509_slice magnitude); /* big-endian, not negative */
void der_put_bits(struct der_out *out, struct x509_slice octets);       /* BIT STRING, no unused bits */
/* A BIT STRING of named bits: bit 0 of BITS is the first one; trailing zeros are left out. */
void der_put_named_bits(struct der_out *out, unsigned bits);
/* UTCTime until 2049, GeneralizedTime after and before 1950 (RFC 5280 section 4.1.2.5). */
void der_put_time(struct der_out *out, int64_t seconds);

/* An element that holds others: what is written between begin and end is its content. */
size_t der_begin(struct der_out *out, uint8_t tag);
void der_end(struct der_out *out, size_t begun);

#endif
