/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Options for a context, with the NULL-terminated arrays that they point to. */
struct options {
    struct tls_options tls;
    const char **ciphers, **groups, **alpn;
};

/* False: out of memory. No names: *OUT stays NULL, the default. */
static bool terminated(const struct config_strings *strings, const char ***out)
{
    if (strings->count == 0)
        return true;
    *out = calloc(strings->count + 1, sizeof **out);
    for (size_t i = 0; *out && i < strings->count; i++)
        (*out)[i] = strings->item[i];
    return *out != NULL;
}

static void options_clear(struct options *o)
{
    free(o->ciphers);
    free(o->groups);
    free(o->alpn);
}

static bool options_init(struct options *o, const struct config *config, const struct config_strings *alpn,
                         const struct config_strings *allow_san)
{
    memset(o, 0, sizeof *o);
    if (!terminated(&config->tls.ciphers, &o->ciphers) || !terminated(&config->tls.groups, &o->groups) ||
        !terminated(alpn, &o->alpn))
        return false;
    o->tls.min_version = config->tls.min_version == CONFIG_TLS_1_3 ? TLS_VERSION_1_3 : TLS_VERSION_1_2;
    o->tls.ciphers = o->ciphers;
    o->tls.groups = o->groups;
    o->tls.alpn = o->alpn;
    o->tls.allow_san = (const char *const *)allow_san->item;
    o->tls.allow_san_count = allow_san->count;
    o->tls.resumption = config->tls.resumption;
    return true;
}

static enum tls_client_auth client_auth(enum config_client_auth auth)
{
    switch (auth) {
    case CONFIG_CLIENT_AUTH_REQUEST: return TLS_CLIENT_AUTH_REQUEST;
    case CONFIG_CLIENT_AUTH_NONE: return TLS_CLIENT_AUTH_NONE;
    case CONFIG_CLIENT_AUTH_REQUIRE: break;
    }
    return TLS_CLIENT_AUTH_REQUIRE;
}

/* Whether config->ca[CA] serves the inbound of this name. */
static bool ca_serves(const struct config_ca *ca, const char *inbound)
{
    for (size_t i = 0; i < ca->inbounds.count; i++) {
        if (strcmp(ca->inbounds.item[i], inbound) == 0)
            return true;
    }
    return ca->inbounds.count == 0;
}

static struct tls_credentials own_identity(const struct snapshot *s)
{
    const struct credentials *c = s->trust[0].credentials;
    /* credentials_load() has tried the key. */
    return (struct tls_credentials){c->chain, c->chain_count, c->key, .matched = true};
}

static bool build_inbound(struct runtime *r, size_t index, struct tls_peers *peers,
                          char error[SNAPSHOT_ERROR])
{
    const struct snapshot *s = r->snapshot;
    const struct config_inbound *config = &s->config->inbound[index];
    struct runtime_inbound *in = &r->inbound[index];
    struct tls_credentials own = own_identity(s);
    struct options options;
    bool ok = false;

    in->config = config;
    in->gate = s->inbound_gate[index];
    in->ctx = calloc(s->trust_count, sizeof(struct tls_ctx *));
    if (!options_init(&options, s->config, &config->alpn, &config->allow_san) || in->ctx == NULL)
        goto done;
    options.tls.client_auth = client_auth(config->client_auth);
    options.tls.revoked_allowed = config->revoked == CONFIG_REVOKED_RULE;
    options.tls.ticket_secret = s->ticket_secret;
    for (size_t i = 0; i < s->trust_count; i++) {
        char cause[512] = "out of memory", scope[32];
        if (i > 0 && !ca_serves(&s->config->ca[i - 1], config->name))
            continue;
        (void)snprintf(scope, sizeof scope, "%zu/%zu", index, i);
        options.tls.ticket_scope = scope;
        in->ctx[i] = tls_ctx_new_server(&own, s->trust[i].trust, peers, &options.tls, cause, sizeof cause);
        if (in->ctx[i] == NULL) {
            (void)snprintf(error, SNAPSHOT_ERROR, "inbound %s: %s", config->name, cause);
            goto done;
        }
    }
    ok = true;
done:
    options_clear(&options);
    return ok;
}

static bool build_outbound(struct runtime *r, size_t index, struct tls_peers *peers,
                           char error[SNAPSHOT_ERROR])
{
    const struct snapshot *s = r->snapshot;
    const struct config_outbound *config = &s->config->outbound[index];
    struct runtime_outbound *out = &r->outbound[index];
    struct tls_credentials own = own_identity(s);
    struct options options;
    char cause[512] = "out of memory";

    out->config = config;
    out->gate = s->outbound_gate[index];
    if (config->passthrough)
        return true;
    if (options_init(&options, s->config, &config->alpn, &config->allow_san)) {
        options.tls.server_name = config->server_name;
        out->ctx = tls_ctx_new_client(&own, s->trust[0].trust, peers, &options.tls, cause, sizeof cause);
    }
    if (out->ctx == NULL)
        (void)snprintf(error, SNAPSHOT_ERROR, "outbound %s: %s", config->name, cause);
    options_clear(&options);
    return out->ctx != NULL;
}

static bool read_own_names(struct runtime *r)
{
    const struct credentials *own = r->snapshot->trust[0].credentials;
    struct x509 *leaf = malloc(sizeof *leaf);
    bool ok = leaf != NULL;
    if (ok && own->chain_count != 0 && x509_parse(own->chain[0].data, own->chain[0].size, leaf) == NULL) {
        r->own_uri = calloc(leaf->san_count + 1, sizeof *r->own_uri);
        ok = r->own_uri != NULL;
        for (size_t i = 0; ok && i < leaf->san_count; i++) {
            if (leaf->san[i].kind != X509_SAN_URI)
                continue;
            char *uri = strndup((const char *)leaf->san[i].value.data, leaf->san[i].value.size);
            ok = uri != NULL;
            if (ok)
                r->own_uri[r->own_uri_count++] = uri;
        }
    }
    free(leaf);
    return ok;
}

struct runtime *runtime_new(struct snapshot *s, struct tls_peers *peers, char error[SNAPSHOT_ERROR])
{
    struct runtime *r = calloc(1, sizeof *r);
    (void)snprintf(error, SNAPSHOT_ERROR, "out of memory");
    if (r == NULL)
        return NULL;
    r->refs = 1;
    r->snapshot = snapshot_ref(s);
    r->inbound = calloc(s->config->inbound_count + 1, sizeof *r->inbound);
    r->outbound = calloc(s->config->outbound_count + 1, sizeof *r->outbound);
    if (r->inbound == NULL || r->outbound == NULL || !read_own_names(r))
        goto fail;
    for (size_t i = 0; i < s->config->inbound_count; i++) {
        if (!build_inbound(r, i, peers, error))
            goto fail;
    }
    for (size_t i = 0; i < s->config->outbound_count; i++) {
        if (!build_outbound(r, i, peers, error))
            goto fail;
    }
    return r;
fail:
    runtime_unref(r);
    return NULL;
}

struct runtime *runtime_ref(struct runtime *r)
{
    r->refs++;
    return r;
}

void runtime_unref(struct runtime *r)
{
    if (r == NULL || --r->refs != 0)
        return;
    const struct snapshot *s = r->snapshot;
    for (size_t i = 0; r->inbound && i < s->config->inbound_count; i++) {
        for (size_t c = 0; r->inbound[i].ctx && c < s->trust_count; c++)
            tls_ctx_unref(r->inbound[i].ctx[c]);
        free(r->inbound[i].ctx);
    }
    for (size_t i = 0; r->outbound && i < s->config->outbound_count; i++)
        tls_ctx_unref(r->outbound[i].ctx);
    for (size_t i = 0; i < r->own_uri_count; i++)
        free(r->own_uri[i]);
    free(r->own_uri);
    free(r->inbound);
    free(r->outbound);
    snapshot_unref(r->snapshot);
    free(r);
}

/* "*.shop.svc" and a name with exactly one more label. */
static bool wildcard_matches(const char *pattern, const char *name)
{
    const char *dot = strchr(name, '.');
    return pattern[0] == '*' && pattern[1] == '.' && dot != NULL && dot != name &&
           strcmp(pattern + 1, dot) == 0;
}

struct tls_ctx *runtime_select(const struct runtime *r, size_t inbound, const char *sni, size_t *ca)
{
    struct tls_ctx *const *ctx = r->inbound[inbound].ctx;
    const struct config *config = r->snapshot->config;
    size_t best = 0;
    for (size_t i = 0; sni && *sni && i < config->ca_count; i++) {
        for (size_t h = 0; ctx[i + 1] && h < config->ca[i].hostnames.count; h++) {
            const char *hostname = config->ca[i].hostnames.item[h];
            if (strcmp(hostname, sni) == 0) {
                *ca = i + 1;
                return ctx[i + 1];
            }
            if (best == 0 && wildcard_matches(hostname, sni))
                best = i + 1;
        }
    }
    *ca = best;
    return ctx[best];
}
