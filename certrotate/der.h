/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A strict reader of DER (X.690): a bounded cursor over somebody else's memory. Definite minimal lengths
 * only, one-octet tags only; nothing is copied, nothing is allocated, no read passes the end.
 */
#ifndef CERTROTATE_DER_H
#define CERTROTATE_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "certrotate/x509.h"

enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_NULL = 0x05,
    DER_OID = 0x06,
    DER_ENUMERATED = 0x0a,
    DER_UTF8_STRING = 0x0c,
    DER_NUMERIC_STRING = 0x12,
    DER_PRINTABLE_STRING = 0x13,
    DER_T61_STRING = 0x14,
    DER_IA5_STRING = 0x16,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_VISIBLE_STRING = 0x1a,
    DER_UNIVERSAL_STRING = 0x1c,
    DER_BMP_STRING = 0x1e,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
};

/* [n] primitive (implicit) and [n] constructed. */
#define DER_CONTEXT(n) (0x80 | (n))
#define DER_CONTEXT_CONS(n) (0xa0 | (n))

/* What is still to be read: P up to, not including, END. */
struct der {
    const uint8_t *p;
    const uint8_t *end;
};

struct der der_from(const uint8_t *data, size_t size);
struct der der_from_slice(struct x509_slice slice);
size_t der_left(const struct der *in);
bool der_empty(const struct der *in);

/* The tag of the next element, or -1 at the end. */
int der_peek(const struct der *in);

/* Reads one element of any tag; TAG, CONTENT and WHOLE (header included) may each be NULL. False: malformed,
 * IN unchanged. */
bool der_any(struct der *in, uint8_t *tag, struct der *content, struct x509_slice *whole);

/* Reads one element that must have TAG. */
bool der_take(struct der *in, uint8_t tag, struct der *content);
bool der_take_whole(struct der *in, uint8_t tag, struct der *content, struct x509_slice *whole);

/* Reads an element if it has TAG: *FOUND tells; false only when what is there is malformed. */
bool der_maybe(struct der *in, uint8_t tag, struct der *content, bool *found);

/* A BOOLEAN of exactly 00 or FF. */
bool der_bool(struct der *in, bool *value);

/* A minimal INTEGER: its content octets without a leading sign octet; zero has one octet 00. */
bool der_integer(struct der *in, struct x509_slice *magnitude, bool *negative);

/* A non-negative INTEGER up to MAX. */
bool der_uint(struct der *in, uint32_t max, uint32_t *value);

/* A BIT STRING; UNUSED bits are below 8 and, as DER demands, zero. */
bool der_bits(struct der *in, struct x509_slice *bits, unsigned *unused);

/* UTCTime or GeneralizedTime in the forms of RFC 5280 section 4.1.2.5: seconds since 1970. */
bool der_time(struct der *in, int64_t *seconds);

/* Whether SLICE holds exactly these octets. */
bool der_equal(struct x509_slice slice, const void *data, size_t size);
bool der_same(struct x509_slice a, struct x509_slice b);
struct x509_slice der_rest(const struct der *in);

#endif
