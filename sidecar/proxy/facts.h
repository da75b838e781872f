/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What rules can know of a connection, its caller's certificate, and a request, as the fields of the rule
 * language. Values are made when a rule asks for them, never before.
 */
#ifndef SIDECAR_PROXY_FACTS_H
#define SIDECAR_PROXY_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sidecar/admin/ledger.h"
#include "sidecar/http/field.h"
#include "sidecar/net/addr.h"
#include "sidecar/rules/derive.h"
#include "sidecar/rules/rules.h"
#include "sidecar/tls/tls.h"

/* Of one request; NULL members are absent. */
struct facts_request {
    struct http_str method, target, host, path, query;
    const char *version;             /* "HTTP/1.1" */
    const struct http_field *fields; /* those with drop set are not seen */
    size_t field_count;
    uint64_t at_ms; /* since 1970 */
};

/* A copy that stands alone, in one allocation, for when the request is gone; NULL without memory. */
struct facts_request *facts_request_copy(const struct facts_request *request)
    __attribute__((warn_unused_result));

struct facts_response {
    unsigned status;
    const struct http_field *fields;
    size_t field_count;
};

/* Everything is borrowed; what is not known stays zero. */
struct facts {
    /* The connection. */
    const char *inbound; /* name of the section; NULL: it is an outbound's */
    const char *ca;      /* of the [ca NAME] chosen; NULL: [tls]'s */
    const union net_addr *source;
    const union net_addr *(*local)(
        void *arg); /* called when first asked for; NULL: not known. May give NULL */
    void *local_arg;
    const struct tls_stream_info *tls; /* NULL: plaintext */
    const struct tls_peer *peer;       /* NULL: no certificate */
    const struct tls_verdict *verdict; /* on peer */
    const struct tls_hello *hello;     /* where kept */
    const struct ledger *ledger;       /* NULL: nothing is counted */
    const struct ledger_ticket *ticket;
    int64_t now; /* seconds since 1970 */
    /* The request, and its response. */
    const struct facts_request *request;
    const struct facts_response *response;

    /* Room for what is made of them; begin again by facts_reset(). */
    struct rules_pool pool;
    struct x509 *leaf; /* room for the peer's leaf, parsed when first asked for */
    bool leaf_parsed;
    bool ambiguous;          /* the path, once asked for: servers may read it in different ways */
    struct http_str path;    /* likewise, normalised; p NULL: not asked for yet */
    struct rules_pair *pair; /* the request's fields, once asked for */
    size_t pair_count;
};

/* Room for values: POOL bytes. False without memory. */
bool facts_init(struct facts *facts, size_t pool) __attribute__((warn_unused_result));
void facts_clear(struct facts *facts);
/* Forgets what was made; the sources may be set anew. */
void facts_reset(struct facts *facts);

/*
 * A scalar as the value of a header: a number in decimal, true or false, an address; p NULL: missing, or
 * there is no room. It lasts as long as the facts, whatever is evaluated next.
 */
struct http_str facts_text(struct facts *facts, const struct rules_value *value);

/* A getter for rules_context_init(); ARG is the facts. */
bool facts_get(void *arg, unsigned field, struct rules_value *value);

#endif
