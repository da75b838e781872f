/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the admin interface tells, as JSON: tell_NAME writes the keys of /NAME. Main thread only. */
#ifndef SIDECAR_PROXY_TELL_H
#define SIDECAR_PROXY_TELL_H

#include "certrotate/x509.h"
#include "sidecar/admin/json_write.h"
#include "sidecar/admin/server.h"
#include "sidecar/proxy/gather.h"

struct proxy;

/* One certificate, DER, as an object; null where it is none. */
void tell_certificate(struct json_write *json, const char *key, struct x509_slice der);
/* Its fields alone, into an object that is open. */
void tell_certificate_fields(struct json_write *json, const struct x509 *cert);
/* "URI:spiffe://...", "IP:10.0.0.1", at most SIZE bytes; "EC P-256", which may lie in OUT. */
void tell_san_text(const struct x509_san *name, char *out, size_t size);
const char *tell_key_text(const struct x509 *cert, char *out, size_t size);

void tell_status(const struct proxy *p, struct json_write *json);
void tell_certs(const struct proxy *p, struct json_write *json);
void tell_rules(const struct proxy *p, struct json_write *json);
void tell_config(const struct proxy *p, struct json_write *json);
void tell_quarantine(const struct proxy *p, struct json_write *json);
/* The TOP certificates BY connections, requests, bytes or refused. False: out of memory. */
bool tell_peers(const struct proxy *p, struct json_write *json, size_t top, const char *by);
void tell_events(const struct proxy *p, struct json_write *json, size_t limit);

/* Answers at once. Takes the text over. */
void tell_answer(struct server_request *request, struct json_write *json);

/* --- what only the workers can tell --- */

/* A gather for a request; what DONE is given. */
struct tell_gather {
    struct proxy *proxy;
    struct server_request *request;
    struct gather *gather;
    size_t limit; /* as the request has it */
};

/* Asks all workers; QUESTION.done ends with tell_gather_answer(). ASK of ASK_SIZE bytes is copied. */
void tell_gather(struct proxy *p, struct server_request *request, const struct gather_question *question,
                 const void *ask, size_t ask_size, size_t limit);
/* Answers and frees T; takes the text over. */
void tell_gather_answer(struct tell_gather *t, struct json_write *json);

void tell_sessions(struct proxy *p, struct server_request *request, size_t limit);

#endif
