/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an authority may issue: allowed names, key types and lifetime, read from a file. What the file does
 * not allow is refused.
 */
#ifndef CERTROTATE_POLICY_H
#define CERTROTATE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "certrotate/failure.h"
#include "certrotate/x509.h"

/* The file that a new authority gets. */
#define POLICY_DEFAULT                                                                                     \
    "# What this authority may issue. KEY = VALUE, VALUE ...; what is not allowed here is refused.\n"      \
    "#   max_lifetime  the longest lifetime: 30m, 24h, 90d, 2y\n"                                          \
    "#   keys          p256 p384 p521 rsa2048 rsa3072 rsa4096 ed25519\n"                                   \
    "#   dns           api.example.com, *.example.com (one label), .example.com (any number), *\n"         \
    "#   uri           spiffe://td/ns/a/sa/b, spiffe://td/ns/*/sa/web, spiffe://td/ns/a/* (the rest), *\n" \
    "#   ip            10.0.0.7, 10.0.0.0/8, fd00::/8, *\n"                                                \
    "#   email         me@example.com, *@example.com, *\n"                                                 \
    "#   subject       CN=web, O=Shop, OU=* (each attribute needs one that fits), *\n"                     \
    "max_lifetime = 90d\n"                                                                                 \
    "keys = p256, p384, p521, rsa2048, rsa3072, rsa4096, ed25519\n"                                        \
    "dns = *\n"                                                                                            \
    "uri = *\n"                                                                                            \
    "ip = *\n"                                                                                             \
    "email = *\n"                                                                                          \
    "subject = *\n"

struct policy;

/* Reads a policy from TEXT; NAME stands in messages. NULL: F names the line and what is wrong. */
struct policy *policy_read(const char *name, const char *text, struct failure *f)
    __attribute__((warn_unused_result));
void policy_free(struct policy *policy);

/* The longest lifetime, seconds. */
int64_t policy_max_lifetime(const struct policy *policy);

/* Whether REQUEST (x509_parse_request()) may be signed for LIFETIME seconds; else F gives the reason. */
bool policy_check(const struct policy *policy, const struct x509 *request, int64_t lifetime,
                  struct failure *f) __attribute__((warn_unused_result));

/* "90s", "30m", "24h", "7d", "2w", "1y" (365 days): seconds, at least 1. */
bool policy_duration(const char *text, int64_t *seconds);

#endif
