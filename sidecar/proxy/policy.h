/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the configuration says about who may pass and what the service learns: lists, rules, rate limits and
 * header plans, compiled once per snapshot, immutable, shared by all threads.
 */
#ifndef SIDECAR_PROXY_POLICY_H
#define SIDECAR_PROXY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "sidecar/http/headers.h"
#include "sidecar/proxy/policy_lists.h"
#include "sidecar/rules/quarantine.h"
#include "sidecar/rules/ratelimit.h"
#include "sidecar/rules/ruleset.h"
#include "sidecar/rules/sequence.h"

enum { PROXY_POLICY_VALUES = 64 /* request.NAME, and as many response.NAME, of one section */ };

/* A [headers] section: its plan, and the programs whose values it sets, parallel to the plan's names. */
struct proxy_policy_headers {
    const struct config_headers *config;
    struct headers_plan plan;
    struct rules_program **request;
    struct rules_program **response;
    bool recalls;                    /* some response.NAME asks for facts of the request */
    struct tls_san_pattern *trusted; /* trusted_proxy_san, compiled */
};

struct proxy_policy_inbound {
    const struct ruleset_plan *rules;
    const struct ratelimit_plan *limits;
    const struct sequence_plan *sequences;
    size_t state_words; /* of uint64_t that a connection needs for its rules */
    bool http;          /* requests are looked at here: the bytes must be HTTP */
    bool hello;         /* some rule asks for facts of the ClientHello */
    bool path;          /* some rule looks at the normalised path */
};

/* A [quarantine NAME]. */
struct proxy_policy_quarantine {
    struct quarantine_rule rule;
    bool log_only;
    const struct config_quarantine *config;
};

struct proxy_policy {
    const struct config *config;
    struct policy_lists *lists;
    struct ruleset *rules;
    struct ratelimits *limits;
    struct sequences *sequences;                /* numbered as config->sequence and config->expression */
    struct proxy_policy_quarantine *quarantine; /* parallel to config->quarantine */
    struct headers_names *names;
    struct proxy_policy_headers *headers; /* parallel to config->headers */
    struct proxy_policy_inbound *inbound; /* parallel to config->inbound */
};

enum { POLICY_ERROR = 512 };

/*
 * Compiles what CONFIG says, which must outlive it. Problems, warnings too, go to REPORT (may be NULL). NULL
 * on any error, of which ERROR tells the first. CONFIG may come from config_scan(): what is missing in it is
 * passed over without a word, and the result is NULL.
 */
struct proxy_policy *proxy_policy_new(const struct config *config, struct config_report *report,
                                      char error[POLICY_ERROR]) __attribute__((warn_unused_result));
void proxy_policy_free(struct proxy_policy *policy); /* NULL is fine */

/* The [headers] section for a request to HOST at an inbound, or outbound, of this NAME; NULL: none. */
const struct proxy_policy_headers *proxy_policy_headers(const struct proxy_policy *policy, bool inbound,
                                                        const char *name, struct http_str host);

/* Whether [quarantine] number INDEX applies at an inbound. */
bool proxy_policy_quarantines(const struct proxy_policy *policy, size_t index, const char *inbound);

#endif
