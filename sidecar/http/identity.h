/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who called, as header values: Cloudflare's, Envoy's X-Forwarded-Client-Cert, RFC 9440's; and Forwarded (RFC
 * 7239).
 *
 * Pure: certificates and texts in, text out. Made once per peer and kept with it; no value is ever limited
 * here (headers.h leaves out what is over its budget).
 */
#ifndef OUTRIDER_SIDECAR_HTTP_IDENTITY_H
#define OUTRIDER_SIDECAR_HTTP_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sidecar/http/field.h"

struct identity_der {
    const uint8_t *data;
    size_t size;
};

/* What the XFCC element says beside By and Hash; bits, the same as enum config_xfcc_detail. */
enum identity_detail {
    IDENTITY_SUBJECT = 1 << 0,
    IDENTITY_URI = 1 << 1,
    IDENTITY_DNS = 1 << 2,
    IDENTITY_CERT = 1 << 3,
    IDENTITY_CHAIN = 1 << 4,
};

/* A verified peer, and what it is called in our own certificate. Everything is only read. */
struct identity_source {
    const struct identity_der *chain; /* leaf first, as presented */
    size_t chain_count;               /* at least 1 */
    const char *sha256;               /* of the leaf, hex, lower-case */
    const char *subject;              /* RFC 2253 */
    const char *const *uri;           /* its URI and DNS names */
    size_t uri_count;
    const char *const *dns;
    size_t dns_count;
    const char *const *by; /* URI names of this side's own certificate */
    size_t by_count;
};

/* Ready values, all in one allocation. */
struct identity {
    struct http_str der_base64;    /* Cf-Client-Cert-Der-Base64 */
    struct http_str sha256;        /* Cf-Client-Cert-Sha256 */
    struct http_str rfc9440;       /* Client-Cert */
    struct http_str rfc9440_chain; /* Client-Cert-Chain: without the leaf; empty if there is no more */
    struct http_str xfcc;          /* one element of X-Forwarded-Client-Cert */
};

/*
 * DETAILS: bits of enum identity_detail. Names that no header could carry unambiguously (control characters,
 * quotes, backslashes, blanks) are left out. NULL: out of memory. Release with free().
 */
struct identity *identity_new(const struct identity_source *source, unsigned details)
    __attribute__((warn_unused_result));

/* Each of these writes to OUT, unless it is NULL, and returns the length, without a zero byte at the end. */
size_t identity_base64(const uint8_t *data, size_t size, char *out);                /* one line, padded */
size_t identity_rfc9440(const struct identity_der *certs, size_t count, char *out); /* ":..:, :..:" */
size_t identity_pem_escaped(const struct identity_der *certs, size_t count,
                            char *out); /* XFCC's Cert, Chain */
size_t identity_xfcc(const struct identity_source *source, unsigned details, char *out); /* one element */

/* Whether TEXT is a list of well-formed XFCC elements, so that another can be appended and will be read as
 * such. */
bool identity_xfcc_valid(const char *text, size_t size);

/* One element of Forwarded. ADDRESS: the caller's IP address as text, "": unknown; PROTO: https or http; HOST
 * may be empty, and is left out unless it is a host as RFC 3986 has it. */
size_t identity_forwarded(const char *address, const char *proto, struct http_str host, char *out);

#endif
