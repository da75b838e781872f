/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Certificates, and what the judge made of them, in words for a terminal and as JSON. */
#ifndef SIDECAR_CERT_H
#define SIDECAR_CERT_H

#include <stdio.h>

#include "sidecar/admin/json_write.h"
#include "sidecar/tls/judged.h"

/* One certificate in some lines, each behind INDENT blanks. */
void cert_print(FILE *out, int indent, struct tls_der der, int64_t now);

/* The path of a judgement, and what the revocation lists say on its way; nothing where there is no path. */
void cert_print_path(FILE *out, int indent, const struct tls_judged *judged);
void cert_json_path(struct json_write *json, const char *key, const struct tls_judged *judged);

#endif
