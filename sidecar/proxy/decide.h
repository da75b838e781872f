/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the rules say about a session, and what they need to say it: a worker's working memory, and the facts
 * of the session put before them.
 */
#ifndef SIDECAR_PROXY_DECIDE_H
#define SIDECAR_PROXY_DECIDE_H

#include <stdbool.h>

#include "sidecar/proxy/facts.h"
#include "sidecar/proxy/policy.h"

struct session;

/* A worker's. */
struct decide {
    struct facts facts;
    struct rules_context context;
    struct rules_scratch scratch;
    struct tls_stream_info info;   /* of the session whose facts these are */
    const struct session *session; /* of the last decide_prepare() */
    union net_addr local;
};

struct decide *decide_new(void) __attribute__((warn_unused_result)); /* NULL without memory */
void decide_free(struct decide *decide);                             /* NULL is fine */

/* Sets the facts of S's connection and its TLS peer, which of an outbound is the server; those of requests
 * are absent until facts.request is set. */
void decide_prepare(struct decide *d, const struct session *s);

/*
 * Decides about the connection of S, which is inbound and admitted by TLS, and leaves in it what its requests
 * need (rule_state, verdict). False: it is refused, and S->rule names by which rule; WORDS says it. LIVE: it
 * was let in before, so that a refusal now is no offence of its caller (decide_refused()).
 */
bool decide_connection(struct decide *d, struct session *s, bool live, char *words, size_t size);

/* Why DECISION, by RULE or (NULL) the default, refuses the connection of FACTS. */
void decide_words(const struct facts *facts, const struct ruleset_decision *decision, const char *rule,
                  char *words, size_t size);

/* Logs the rules of a decision that matched and have no effect. */
void decide_note(const struct session *s, const struct ruleset *rules,
                 const struct ruleset_decision *decision);

/* The same of limits that are exceeded and only log. */
void decide_note_limits(const struct session *s, const struct ratelimits *limits,
                        const struct ratelimit_decision *decision);

/*
 * The [quarantine] that refuses the peer of S now, by name; NULL: none does. One that only logs is told in
 * the log.
 */
const char *decide_quarantined(const struct session *s);
/* Policy has refused S, or a request of it, or one broke a sequence: that counts towards quarantine. */
void decide_refused(const struct session *s);

/* What a request broke. */
struct decide_broken {
    const char *sequence, *step; /* by name; the step came without its predecessor */
    unsigned status;
    const char *body;
};

/*
 * Whether the request before D keeps to the order of all sequences, so that it may pass; false: BROKEN tells
 * which refuses it. One that only logs is told in the log, and counts towards quarantine.
 */
bool decide_order(struct decide *d, const struct session *s, struct decide_broken *broken);

#endif
