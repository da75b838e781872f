/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For `sidecar eval`: the fields that a certificate file and a request give. */
#ifndef SIDECAR_EVAL_FACTS_H
#define SIDECAR_EVAL_FACTS_H

#include "sidecar/rules/derive.h"
#include "sidecar/rules/memory.h"
#include "sidecar/rules/rules.h"

/*
 * Sets cf.tls_client_auth.* and outrider.* as of a connection whose client presented the certificates of TEXT
 * (PEM or DER, leaf first). Returns NULL, or what is wrong in words (static). Values lie in ARENA.
 */
const char *eval_certificate(struct rules_context *context, struct rules_arena *arena, const uint8_t *text,
                             size_t size, int64_t now) __attribute__((warn_unused_result));

/* A request as it was put together from options or read from a file; what it points to is somebody else's. */
struct eval_request {
    struct rules_bytes method, target, version, scheme;
    struct rules_pair *header;
    size_t headers;
};

/* Reads a request: the line, header lines, an empty line; the body is passed over. HEADER is heap memory. */
const char *eval_request_read(struct eval_request *request, const char *text, size_t size)
    __attribute__((warn_unused_result));

/* Sets http.* and raw.http.*. POOL must be large enough for what is derived. */
void eval_request_facts(struct rules_context *context, struct rules_arena *arena, struct rules_pool *pool,
                        const struct eval_request *request, int64_t now_ms);

#endif
