/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the admin interface tells, as JSON: each function writes the keys of one answer. Main thread only. */
#ifndef SIDECAR_PROXY_TELL_H
#define SIDECAR_PROXY_TELL_H

#include "certrotate/x509.h"
#include "sidecar/admin/json_write.h"

struct proxy;

/* One certificate, DER, as an object; null where it is none. */
void tell_certificate(struct json_write *json, const char *key, struct x509_slice der);
/* Its fields alone, into an object that is open. */
void tell_certificate_fields(struct json_write *json, const struct x509 *cert);

void tell_status(const struct proxy *p, struct json_write *json);

#endif
