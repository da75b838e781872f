/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Does a certificate carry the name we want? Only subject alternative names count, never the CN (RFC 9525).
 *
 * Patterns, as written in allow_san and server_name (STAR stands for * where C would see a comment's end or
 * begin):
 *
 *   orders.shop.svc           DNS name, case-insensitive. A certificate's *.shop.svc matches it (one label,
 *                             RFC 9525 section 6.3; at least two labels must follow its star)
 *   *.shop.svc                any DNS SAN with exactly one more label (the SAN *.shop.svc included)
 *   10.0.0.7, fd00::7         IP address
 *   spiffe://td/ns/a/sa/b     URI, exact; scheme and trust domain without regard to case
 *   spiffe://td/ns/shop/STAR  URI whose path goes on from here by one or more segments, none of them empty,
 *                             "." or "..", and none with a percent sign, a query or a fragment
 *   spiffe://td/ns/STAR/sa/x  a segment that is * alone, but not the last, matches one such segment
 *   *                         any certificate
 */
#ifndef SIDECAR_TLS_SAN_H
#define SIDECAR_TLS_SAN_H

#include "sidecar/tls/peer.h"

struct tls_san_pattern {
    enum tls_san_pattern_kind {
        TLS_SAN_PATTERN_ANY,
        TLS_SAN_PATTERN_DNS,
        TLS_SAN_PATTERN_DNS_SUFFIX,
        TLS_SAN_PATTERN_IP,
        TLS_SAN_PATTERN_URI,
    } kind;
    uint8_t ip_size;
    uint8_t ip[16];
    const char *text; /* as given, not copied: must outlive the pattern */
    size_t text_size;
};

/* Reads one pattern. Returns NULL if it is good, else what is wrong in words (a static string). */
const char *tls_san_compile(const char *text, struct tls_san_pattern *pattern)
    __attribute__((warn_unused_result));

bool tls_san_match(const struct tls_san_pattern *pattern, const struct tls_san *san);

/* Whether any SAN of PEER matches any of the patterns. */
bool tls_san_match_peer(const struct tls_san_pattern *patterns, size_t count, const struct tls_peer *peer);

/*
 * Whether TEXT is a DNS name as a certificate may carry it, wildcards apart: labels of letters, digits,
 * hyphens and underscores, no final dot, the last label not digits alone.
 */
bool tls_san_is_dns_name(const char *text, size_t size);

/* The SANs as one line for logs: "DNS:a, URI:b, IP:10.0.0.1", cut with "..." to fit SIZE. */
void tls_san_describe(const struct tls_peer *peer, char *out, size_t size);

#endif
