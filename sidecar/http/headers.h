/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The header plan, the same for HTTP/1 and HTTP/2: which incoming fields go, which of our own are set.
 *
 * Two things. A set of names, one for the whole configuration: every name the sidecar could set anywhere, so
 * that no caller can speak for another whatever the section. And a plan, one per [headers] section: what is
 * set where it applies. Both are immutable once built and shared by all threads.
 *
 * Names are compared without regard to case, and every character but letters and digits counts as a dash:
 * X_Forwarded.Client-CERT is X-Forwarded-Client-Cert to some server behind us.
 */
#ifndef OUTRIDER_SIDECAR_HTTP_HEADERS_H
#define OUTRIDER_SIDECAR_HTTP_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sidecar/http/field.h"
#include "sidecar/http/identity.h"

/* --- the names that nobody but us may send --- */

struct headers_names;
/* Empty. NULL: out of memory. */
struct headers_names *headers_names_new(void) __attribute__((warn_unused_result));
/* Those of every certificate header known (Cf-Client-Cert-*, Cf-Cert-*, Client-Cert*,
 * X-Forwarded-Client-Cert): to be removed even where none of them is set. False: out of memory. */
bool headers_names_add_identity(struct headers_names *names) __attribute__((warn_unused_result));
/* One more, copied. False: out of memory. */
bool headers_names_add(struct headers_names *names, const char *name, size_t size)
    __attribute__((warn_unused_result));
bool headers_names_has(const struct headers_names *names, const char *name, size_t size);
void headers_names_free(struct headers_names *names); /* NULL is fine */

/* Whether NAME may not be set by request.NAME or response.NAME, because it says how the message is framed or
 * routed (Content-Length, Transfer-Encoding, Connection, Host, ...), or is no token. */
bool headers_forbidden(const char *name, size_t size);

/* --- what is set --- */

enum headers_forward { /* bits, the same as enum config_forward */
                       HEADERS_CLOUDFLARE = 1 << 0,
                       HEADERS_XFCC = 1 << 1,
                       HEADERS_RFC9440 = 1 << 2,
};

enum headers_xfcc { /* the same as enum config_xfcc_mode */
                    HEADERS_SANITIZE_SET,
                    HEADERS_APPEND_FORWARD,
                    HEADERS_SANITIZE,
                    HEADERS_FORWARD_ONLY,
                    HEADERS_ALWAYS_FORWARD_ONLY,
};

enum headers_traceparent { /* the same as enum config_traceparent */
                           HEADERS_TRACEPARENT_PASS,
                           HEADERS_TRACEPARENT_SAMPLED,
                           HEADERS_TRACEPARENT_UNSAMPLED,
};

/* One [headers] section. Texts are not copied: they must outlive the plan. */
struct headers_plan {
    unsigned forward;
    enum headers_xfcc xfcc_mode;
    bool x_forwarded_for;
    bool x_forwarded_proto;
    bool forwarded;
    enum headers_traceparent traceparent; /* what is made where there is none that is well-formed */
    bool request_id;                      /* likewise */
    size_t max_value;                     /* bytes; a value beyond is left out */
    const char *const *request;           /* names of request.NAME */
    size_t request_count;
    const char *const *response; /* names of response.NAME */
    size_t response_count;
};

/* Adds every name that PLAN could set in a request. False: out of memory. */
bool headers_names_add_plan(struct headers_names *names, const struct headers_plan *plan)
    __attribute__((warn_unused_result));

/* What is known of a connection's caller. */
struct headers_caller {
    const struct identity *identity; /* NULL: not verified, or revoked: no identity is forwarded */
    bool trusted;        /* a trusted proxy: what it says in XFCC, X-Forwarded-For, Forwarded may be kept */
    const char *address; /* IP address as text */
    const char *proto;   /* https or http */
};

enum { HEADERS_ADD_MAX = 160, HEADERS_TRACEPARENT = 55, HEADERS_UUID = 36, HEADERS_REQUEST_ID_MAX = 128 };

/* What is to be added. Big: one per thread. */
struct headers_out {
    struct http_field add[HEADERS_ADD_MAX]; /* valid until the next call with this struct */
    size_t nadd;
    unsigned left_out; /* values over the budget or of forbidden bytes, and fields without room */
    char *text;        /* owned; room for values put together */
    size_t room;
    uint64_t random[2]; /* state of a generator; 0: not seeded yet */
    char made[HEADERS_TRACEPARENT + HEADERS_UUID];
};
void headers_out_clear(struct headers_out *out); /* frees; zero-initialised is fine */

/*
 * Plans a request: sets drop in those of FIELDS that NAMES has (kept values are taken from there first), and
 * fills OUT. VALUES: one for each of the plan's request names, p NULL: not to be set. HOST: as the request
 * has it, for Forwarded. PLAN may be NULL: then fields are only removed.
 */
void headers_request(const struct headers_names *names, const struct headers_plan *plan,
                     const struct headers_caller *caller, struct http_str host, const struct http_str *values,
                     struct http_field *fields, size_t nfields, struct headers_out *out);

/* What tells a request from all others, for the log; p NULL: it has none. */
struct headers_ids {
    struct http_str traceparent, request_id;
};

/*
 * Finds Traceparent (W3C Trace Context) and X-Request-Id among FIELDS and what OUT has, sets drop in
 * malformed ones where PLAN has them made, and a tracestate beside, and adds to OUT what PLAN has made. PLAN
 * may be NULL. To be called after headers_request(), or with an empty OUT.
 */
void headers_identify(const struct headers_plan *plan, struct http_field *fields, size_t nfields,
                      struct headers_out *out, struct headers_ids *ids);

/* Plans a response: drops the service's own fields of the plan's response names, adds VALUES under them. */
void headers_response(const struct headers_plan *plan, const struct http_str *values,
                      struct http_field *fields, size_t nfields, struct headers_out *out);

/* For the codecs' trailer callback: whether a trailer field from the client must go. */
static inline bool headers_trailer_drop(const struct headers_names *names, const struct http_field *field)
{
    return headers_names_has(names, field->name.p, field->name.n);
}

/* Whether VALUE may be sent as a field's value (RFC 9110, 5.5): no control characters, no blanks at its ends.
 */
bool headers_value_ok(struct http_str value);

#endif
