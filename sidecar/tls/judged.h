/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a verdict came about, for people: apart from trust.h, since wolfSSL has names of certrotate/crl.h, too.
 */
#ifndef SIDECAR_TLS_JUDGED_H
#define SIDECAR_TLS_JUDGED_H

#include "certrotate/crl.h"
#include "sidecar/tls/trust.h"

/* The path that a verdict is about. */
struct tls_judged {
    size_t count; /* 0: no path to a CA of the bundle was found */
    struct tls_judged_step {
        struct tls_der cert; /* leaf first, the CA of the bundle last; memory of the chain or of the trust */
        bool crl_known;      /* its issuer's revocation lists were asked about it */
        enum crl_status crl;
        struct crl_hit hit;
    } step[TLS_PATH_MAX];
};

/* The judgement of tls_judge(), telling how it came about. */
struct tls_verdict tls_judge_told(const struct tls_trust *trust, const struct tls_der *chain, size_t count,
                                  enum tls_purpose purpose, int64_t now, struct tls_judged *judged);

#endif
