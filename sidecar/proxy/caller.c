/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/caller.h"

#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 32 };

/* In tls_peer.extra. */
struct ready {
    uint64_t generation; /* of the snapshot whose own names (By) it has */
    unsigned details;
    struct identity *identity;
};

static void ready_free(void *extra)
{
    struct ready *ready = extra;
    free(ready->identity);
    free(ready);
}

static size_t names_of(const struct tls_peer *peer, enum tls_san_kind kind, const char *out[NAMES_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < peer->san_count && n < NAMES_MAX; i++) {
        if (peer->san[i].kind == kind)
            out[n++] = peer->san[i].text;
    }
    return n;
}

static struct identity *make(const struct tls_peer *peer, const struct runtime *runtime, unsigned details)
{
    struct identity_der chain[TLS_CHAIN_MAX];
    const char *uri[NAMES_MAX], *dns[NAMES_MAX];
    size_t count = peer->chain_count < TLS_CHAIN_MAX ? peer->chain_count : TLS_CHAIN_MAX;
    for (size_t i = 0; i < count; i++)
        chain[i] = (struct identity_der){peer->chain[i].data, peer->chain[i].size};
    struct identity_source source = {.chain = chain,
                                     .chain_count = count,
                                     .sha256 = peer->sha256,
                                     .subject = peer->subject,
                                     .uri = uri,
                                     .uri_count = names_of(peer, TLS_SAN_URI, uri),
                                     .dns = dns,
                                     .dns_count = names_of(peer, TLS_SAN_DNS, dns),
                                     .by = (const char *const *)runtime->own_uri,
                                     .by_count = runtime->own_uri_count};
    return identity_new(&source, details);
}

static const struct identity *identity_of(struct tls_peer *peer, const struct runtime *runtime,
                                          unsigned details)
{
    struct ready *ready = peer->extra;
    if (ready && ready->generation == runtime->snapshot->generation && ready->details == details)
        return ready->identity;
    if (ready == NULL) {
        ready = calloc(1, sizeof *ready);
        if (ready == NULL)
            return NULL;
        peer->extra = ready;
        peer->extra_free = ready_free;
    }
    free(ready->identity);
    ready->identity = make(peer, runtime, details);
    ready->generation = runtime->snapshot->generation;
    ready->details = details;
    return ready->identity;
}

void caller_fill(struct headers_caller *caller, const struct session *s,
                 const struct proxy_policy_headers *headers, const struct tls_verdict *verdict,
                 char address[NET_ADDR_TEXT])
{
    const struct tls_stream *tls = s->leg[DOWN].tls;
    struct tls_peer *peer = tls ? tls_stream_peer(tls) : NULL;
    bool verified = peer && verdict && verdict->status == TLS_TRUSTED;
    bool asked = headers && (headers->plan.x_forwarded_for || headers->plan.forwarded);
    caller->address = asked && s->peer.sa.sa_family != AF_UNSPEC
                          ? net_addr_host_text(&s->peer.sa, address, NET_ADDR_TEXT)
                          : "";
    caller->proto = tls ? "https" : "http";
    caller->identity = verified && headers && headers->plan.forward != 0
                           ? identity_of(peer, s->runtime, headers->config->xfcc_details)
                           : NULL;
    caller->trusted = verified && headers &&
                      tls_san_match_peer(headers->trusted, headers->config->trusted_proxy_san.count, peer);
}
