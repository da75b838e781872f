/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Name constraints (RFC 5280 section 4.2.1.10): which names a CA may vouch for. DNS names, URIs, e-mail
 * addresses, IP addresses and directory names; what cannot be decided counts against the certificate.
 */
#ifndef SIDECAR_TLS_CONSTRAINTS_H
#define SIDECAR_TLS_CONSTRAINTS_H

#include "certrotate/x509.h"

enum tls_constraints_result {
    TLS_CONSTRAINTS_OK,
    TLS_CONSTRAINTS_OUTSIDE,     /* a name that is not permitted, or excluded */
    TLS_CONSTRAINTS_UNSUPPORTED, /* malformed, or of a form that is not processed */
    TLS_CONSTRAINTS_TOO_COMPLEX, /* more comparisons than BUDGET */
};

/*
 * Whether every name of CERT (subject and subject alternative names) stands within the constraints of CA,
 * which has some. BUDGET: comparisons that may still be made, taken from. OUTSIDE: NAME says which name, at
 * most NAME_SIZE bytes: "DNS:evil.example".
 */
enum tls_constraints_result tls_constraints_check(const struct x509 *ca, const struct x509 *cert,
                                                  unsigned *budget, char *name, size_t name_size)
    __attribute__((warn_unused_result));

#endif
