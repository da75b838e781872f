/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A snapshot: everything that sessions consult, built whole or not at all by the main thread, immutable, and
 * shared by the workers by counting. A runtime is one worker's own view of it: its TLS contexts.
 */
#ifndef SIDECAR_PROXY_SNAPSHOT_H
#define SIDECAR_PROXY_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "certrotate/credentials.h"
#include "config/config.h"
#include "sidecar/proxy/gate.h"
#include "sidecar/proxy/policy.h"
#include "sidecar/tls/tls.h"

enum { SNAPSHOT_ERROR = 1024 }; /* room for an error in words */

/* A configuration and its policy, which several snapshots share. */
struct snapshot_config {
    unsigned refs; /* atomic */
    struct config *config;
    struct proxy_policy *policy;
    unsigned workers;
    /* One array a worker, of as many as there are of each; written by that worker alone. */
    struct ruleset_counter **rule_counters;
    struct ratelimit_counter **limit_counters;
    struct ruleset_counter **sequence_counters;
};
/* Takes CONFIG and POLICY over. NULL when out of memory (they are freed then). */
struct snapshot_config *snapshot_config_new(struct config *config, struct proxy_policy *policy,
                                            unsigned workers) __attribute__((warn_unused_result));
struct snapshot_config *snapshot_config_ref(struct snapshot_config *shared);
void snapshot_config_unref(struct snapshot_config *shared); /* NULL is fine */

/* Whom a set of peers is judged by: [tls] or one [ca NAME]. */
struct snapshot_trust {
    struct credentials *credentials;
    struct tls_trust *trust;
};

struct snapshot {
    unsigned refs; /* atomic */
    uint64_t generation;
    struct snapshot_config *shared;
    const struct config *config;  /* of shared */
    struct snapshot_trust *trust; /* [0]: [tls]; [1 + i]: config->ca[i] */
    size_t trust_count;
    uint8_t ticket_secret[TLS_TICKET_SECRET_SIZE]; /* of this snapshot alone, so that no ticket outlives it */
    struct gate **inbound_gate;                    /* parallel to config->inbound and config->outbound */
    struct gate **outbound_gate;
};

/*
 * Builds a snapshot of SHARED and of CREDENTIALS (parallel to snapshot.trust), referencing both. Where the
 * trust of OLD (or NULL) is the same in content and policy it is taken over, so that verdicts stay cached.
 * One runtime is built on trial: contexts that could not be made are an error here. NULL with ERROR in words.
 */
struct snapshot *snapshot_new(struct snapshot_config *shared, struct credentials *const *credentials,
                              const struct snapshot *old, char error[SNAPSHOT_ERROR])
    __attribute__((warn_unused_result));
struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot *snapshot); /* NULL is fine */

/* --- a worker's view --- */

struct runtime_inbound {
    const struct config_inbound *config;
    struct gate *gate;
    struct tls_ctx **ctx; /* parallel to snapshot.trust; NULL where that CA does not serve here */
};

struct runtime_outbound {
    const struct config_outbound *config;
    struct gate *gate;
    struct tls_ctx *ctx; /* NULL: passthrough */
};

struct runtime {
    unsigned refs; /* one thread: not atomic */
    struct snapshot *snapshot;
    struct runtime_inbound *inbound; /* parallel to the configuration */
    struct runtime_outbound *outbound;
    char **own_uri; /* URI names of the own certificate: XFCC's By */
    size_t own_uri_count;
};

/* References SNAPSHOT; PEERS must outlive it. NULL with ERROR in words. */
struct runtime *runtime_new(struct snapshot *snapshot, struct tls_peers *peers, char error[SNAPSHOT_ERROR])
    __attribute__((warn_unused_result));
struct runtime *runtime_ref(struct runtime *runtime);
void runtime_unref(struct runtime *runtime); /* NULL is fine */

/*
 * The context for a caller of INBOUND who asks for SNI ("" or NULL: for none): that of the [ca NAME] with
 * this hostname, an exact one before a wildcard (one label), else [tls]'s. *CA is its index in
 * snapshot.trust.
 */
struct tls_ctx *runtime_select(const struct runtime *runtime, size_t inbound, const char *sni, size_t *ca);

#endif
