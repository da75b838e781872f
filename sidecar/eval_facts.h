/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * For commands: a certificate file and a request as the proxy would have them, whose facts (proxy/facts.h)
 * are then the very same.
 */
#ifndef SIDECAR_EVAL_FACTS_H
#define SIDECAR_EVAL_FACTS_H

#include "sidecar/proxy/facts.h"
#include "sidecar/rules/memory.h"

/*
 * The peer that presents the certificates of TEXT (PEM or DER, leaf first), with one reference; other blocks
 * are passed over. Returns NULL, or what is wrong in words (static).
 */
const char *eval_peer(struct tls_peers *peers, const uint8_t *text, size_t size, struct tls_peer **peer)
    __attribute__((warn_unused_result));

/*
 * Who issued PEER's leaf, as a verdict that trusts it has it: the one presented whose key signed it; where
 * none did, what the leaf itself says of its issuer is taken for true.
 */
struct tls_issuer eval_issuer(const struct tls_peer *peer);

/* A request as it was put together from options or read from a file; what it points to is somebody else's. */
struct eval_request {
    struct rules_bytes method, target, version;
    struct rules_pair *header;
    size_t headers;
};

/* Reads a request: the line, header lines, an empty line; the body is passed over. HEADER is heap memory. */
const char *eval_request_read(struct eval_request *request, const char *text, size_t size)
    __attribute__((warn_unused_result));

/* Sets the request of FACTS, which is borrowed from REQUEST and ARENA. False: no memory. */
bool eval_request_facts(struct facts *facts, const struct eval_request *request, struct rules_arena *arena,
                        int64_t now_ms) __attribute__((warn_unused_result));

#endif
