/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static void free_counters(void *counters, unsigned workers)
{
    void **array = counters;
    for (unsigned i = 0; array && i < workers; i++)
        free(array[i]);
    free(array);
}

/* WORKERS arrays of COUNT zeroed entries of SIZE bytes; NULL without memory. */
static void *make_counters(unsigned workers, size_t count, size_t size)
{
    void **array = calloc(workers, sizeof *array);
    for (unsigned i = 0; array && i < workers; i++) {
        array[i] = calloc(count + 1, size);
        if (array[i] == NULL) {
            free_counters(array, workers);
            return NULL;
        }
    }
    return array;
}

struct snapshot_config *snapshot_config_new(struct config *config, struct proxy_policy *policy,
                                            unsigned workers)
{
    struct snapshot_config *shared = calloc(1, sizeof *shared);
    if (shared == NULL) {
        proxy_policy_free(policy);
        config_free(config);
        return NULL;
    }
    shared->refs = 1;
    shared->config = config;
    shared->policy = policy;
    shared->workers = workers;
    shared->rule_counters =
        make_counters(workers, ruleset_count(policy->rules), sizeof **shared->rule_counters);
    shared->limit_counters =
        make_counters(workers, ratelimits_count(policy->limits), sizeof **shared->limit_counters);
    shared->sequence_counters =
        make_counters(workers, sequences_count(policy->sequences), sizeof **shared->sequence_counters);
    if (!shared->rule_counters || !shared->limit_counters || !shared->sequence_counters) {
        snapshot_config_unref(shared);
        return NULL;
    }
    return shared;
}

struct snapshot_config *snapshot_config_ref(struct snapshot_config *shared)
{
    __atomic_add_fetch(&shared->refs, 1, __ATOMIC_RELAXED);
    return shared;
}

void snapshot_config_unref(struct snapshot_config *shared)
{
    if (shared == NULL || __atomic_sub_fetch(&shared->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    free_counters(shared->rule_counters, shared->workers);
    free_counters(shared->limit_counters, shared->workers);
    free_counters(shared->sequence_counters, shared->workers);
    proxy_policy_free(shared->policy);
    config_free(shared->config);
    free(shared);
}

/* --- trust --- */

struct crl_policy {
    enum tls_crl_missing missing;
    enum tls_crl_expired expired;
};

static struct crl_policy policy_of(const struct config *config, size_t index)
{
    enum config_crl_missing missing =
        index == 0 ? config->tls.crl_missing : config->ca[index - 1].crl_missing;
    enum config_crl_expired expired =
        index == 0 ? config->tls.crl_expired : config->ca[index - 1].crl_expired;
    return (struct crl_policy){
        missing == CONFIG_CRL_MISSING_REJECT ? TLS_CRL_MISSING_REJECT : TLS_CRL_MISSING_ACCEPT,
        expired == CONFIG_CRL_EXPIRED_WARN ? TLS_CRL_EXPIRED_WARN : TLS_CRL_EXPIRED_REJECT,
    };
}

static void release_credentials(void *credentials)
{
    credentials_unref(credentials);
}

/* The trust of OLD with the same content under the same policy, else NULL. */
static struct tls_trust *same_trust(const struct snapshot *old, const struct credentials *credentials,
                                    struct crl_policy policy)
{
    for (size_t i = 0; old && i < old->trust_count; i++) {
        struct crl_policy was = policy_of(old->config, i);
        if (was.missing == policy.missing && was.expired == policy.expired &&
            memcmp(old->trust[i].credentials->trust_hash, credentials->trust_hash,
                   sizeof credentials->trust_hash) == 0)
            return tls_trust_ref(old->trust[i].trust);
    }
    return NULL;
}

static struct tls_trust *make_trust(const struct snapshot *old, struct credentials *credentials,
                                    struct crl_policy policy, char error[SNAPSHOT_ERROR])
{
    struct tls_trust *trust = same_trust(old, credentials, policy);
    if (trust)
        return trust;
    struct tls_trust_options options = {
        .crls = credentials->crls,
        .crls_release = credentials->crls ? release_credentials : NULL,
        .crls_arg = credentials->crls ? credentials_ref(credentials) : NULL,
        .crl_missing = policy.missing,
        .crl_expired = policy.expired,
    };
    trust = tls_trust_new(credentials->roots, credentials->root_count, &options, error, SNAPSHOT_ERROR);
    if (trust == NULL && options.crls_arg)
        credentials_unref(credentials);
    return trust;
}

/* --- snapshot --- */

static struct gate *gate_from(struct gate *const *gates, size_t i)
{
    return gates ? gate_ref(gates[i]) : gate_new();
}

/* Gates follow the name of their section from snapshot to snapshot. */
static struct gate *inbound_gate(const struct snapshot *old, const char *name)
{
    for (size_t i = 0; old && i < old->config->inbound_count; i++) {
        if (strcmp(old->config->inbound[i].name, name) == 0)
            return gate_from(old->inbound_gate, i);
    }
    return gate_new();
}

static struct gate *outbound_gate(const struct snapshot *old, const char *name)
{
    for (size_t i = 0; old && i < old->config->outbound_count; i++) {
        if (strcmp(old->config->outbound[i].name, name) == 0)
            return gate_from(old->outbound_gate, i);
    }
    return gate_new();
}

static bool make_gates(struct snapshot *s, const struct snapshot *old)
{
    s->inbound_gate = calloc(s->config->inbound_count + 1, sizeof *s->inbound_gate);
    s->outbound_gate = calloc(s->config->outbound_count + 1, sizeof *s->outbound_gate);
    if (s->inbound_gate == NULL || s->outbound_gate == NULL)
        return false;
    for (size_t i = 0; i < s->config->inbound_count; i++) {
        if ((s->inbound_gate[i] = inbound_gate(old, s->config->inbound[i].name)) == NULL)
            return false;
    }
    for (size_t i = 0; i < s->config->outbound_count; i++) {
        if ((s->outbound_gate[i] = outbound_gate(old, s->config->outbound[i].name)) == NULL)
            return false;
    }
    return true;
}

static bool try_runtime(struct snapshot *s, char error[SNAPSHOT_ERROR])
{
    struct tls_peers *peers = tls_peers_new(0);
    struct runtime *runtime = peers ? runtime_new(s, peers, error) : NULL;
    bool ok = runtime != NULL;
    if (peers == NULL)
        (void)snprintf(error, SNAPSHOT_ERROR, "out of memory");
    runtime_unref(runtime);
    tls_peers_free(peers);
    return ok;
}

struct snapshot *snapshot_new(struct snapshot_config *shared, struct credentials *const *credentials,
                              const struct snapshot *old, char error[SNAPSHOT_ERROR])
{
    struct snapshot *s = calloc(1, sizeof *s);
    (void)snprintf(error, SNAPSHOT_ERROR, "out of memory");
    if (s == NULL)
        return NULL;
    s->refs = 1;
    s->generation = old ? old->generation + 1 : 1;
    s->shared = snapshot_config_ref(shared);
    s->config = shared->config;
    s->trust = calloc(1 + s->config->ca_count, sizeof *s->trust);
    if (s->trust == NULL || !make_gates(s, old))
        goto fail;
    if (getrandom(s->ticket_secret, sizeof s->ticket_secret, 0) != (ssize_t)sizeof s->ticket_secret) {
        (void)snprintf(error, SNAPSHOT_ERROR, "no randomness from the system");
        goto fail;
    }
    for (size_t i = 0; i < 1 + s->config->ca_count; i++) {
        s->trust[i].credentials = credentials_ref(credentials[i]);
        s->trust_count++;
        s->trust[i].trust = make_trust(old, credentials[i], policy_of(s->config, i), error);
        if (s->trust[i].trust == NULL)
            goto fail;
    }
    if (!try_runtime(s, error))
        goto fail;
    return s;
fail:
    snapshot_unref(s);
    return NULL;
}

struct snapshot *snapshot_ref(struct snapshot *s)
{
    __atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
    return s;
}

void snapshot_unref(struct snapshot *s)
{
    if (s == NULL || __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    for (size_t i = 0; i < s->trust_count; i++) {
        tls_trust_unref(s->trust[i].trust);
        credentials_unref(s->trust[i].credentials);
    }
    for (size_t i = 0; s->inbound_gate && i < s->config->inbound_count; i++)
        gate_unref(s->inbound_gate[i]);
    for (size_t i = 0; s->outbound_gate && i < s->config->outbound_count; i++)
        gate_unref(s->outbound_gate[i]);
    free(s->inbound_gate);
    free(s->outbound_gate);
    free(s->trust);
    snapshot_config_unref(s->shared);
    explicit_bzero(s->ticket_secret, sizeof s->ticket_secret);
    free(s);
}
