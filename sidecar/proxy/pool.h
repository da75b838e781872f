/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Idle connections to peers, of outbounds with protocol = http: what one local connection leaves behind
 * spares the next one its handshake. One pool a worker, no locks.
 *
 * A connection has one owner at a time. A session makes it and has it for as long as its local connection
 * lives, one request after another; then the pool has it, where it lies idle and is only listened to; then
 * the next session. What goes from owner to owner is a transport: a descriptor and its TLS stream.
 *
 * Nobody gets a connection that was not made for the very same thing: by the same TLS context, which stands
 * for the outbound, its server_name, whom it believes, the own certificate and the snapshot that all of this
 * is of; and to the same captured destination. So a reload empties the pool, and no connection outlives a
 * change of trust; when only time passes, idle ones are judged as live sessions are.
 */
#ifndef SIDECAR_PROXY_POOL_H
#define SIDECAR_PROXY_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "sidecar/admin/counters.h"
#include "sidecar/net/addr.h"
#include "sidecar/tls/tls.h"

struct pool;
struct worker;

struct pool_transport {
    int fd;
    struct tls_stream *tls;
    uint64_t made; /* ms of the loop's clock */
};

struct pool *pool_new(struct worker *worker) __attribute__((warn_unused_result)); /* NULL without memory */
/* Closes what lies idle, and the pool with it; its memory goes with the loop's next turns. NULL is fine. */
void pool_free(struct pool *pool);

/* Takes one over that was made by CTX to TO (AF_UNSPEC: not captured), the youngest. False: there is none. */
bool pool_take(struct pool *pool, const struct tls_ctx *ctx, const union net_addr *to,
               struct pool_transport *out) __attribute__((warn_unused_result));

/*
 * Gives the pool one that nothing is wrong with (tls_stream_rests()), to be kept until DUE, in ms of the
 * loop's clock. Beyond MOST of its context the oldest of them goes.
 */
void pool_give(struct pool *pool, const struct pool_transport *transport, const union net_addr *to,
               uint64_t due, uint64_t most);

/* Closes those that are not of the worker's current runtime, or whose peer is no longer trusted. */
void pool_judge(struct pool *pool);

/* Closes all of them; WHY is the counter for it. */
void pool_empty(struct pool *pool, enum counter why);

#endif
