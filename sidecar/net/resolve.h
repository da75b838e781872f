/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names to addresses, without threads: c-ares driven by one worker's loop, behind a bounded cache.
 *
 * A and AAAA, /etc/hosts, resolv.conf's servers, search and ndots. An answer is kept for its TTL (1 s to 5
 * min), "no such host" and failures for 1 s, doubling to 5 s while they go on. Lookups of a name that is
 * already asked for wait for the same answer. Where a refresh fails (no server answers, SERVFAIL; not where
 * the name is gone), the old addresses serve for 60 s past their TTL. One thread only; nothing here is
 * locked.
 */
#ifndef SIDECAR_NET_RESOLVE_H
#define SIDECAR_NET_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "sidecar/net/addr.h"

/* Addresses kept of one name, for each of the two families; what goes beyond is dropped. */
#define RESOLVER_ADDRS 16

struct resolver;

/* All zero or NULL: the defaults. */
struct resolver_options {
    const char *servers;        /* "127.0.0.1:5300,[::1]:53" in place of resolv.conf's */
    const char *resolv_conf;    /* path in place of /etc/resolv.conf */
    bool env_hosts;             /* the file that the variable CARES_HOSTS names in place of /etc/hosts */
    size_t max_names;           /* in the cache; 0: 256 */
    unsigned timeout;           /* ms for a server's first answer, doubling in each round; 0: 2 s. In place of
                                   resolv.conf's */
    unsigned tries;             /* rounds through the servers; 0: 3. In place of resolv.conf's */
    uint64_t (*now)(void *arg); /* ms, monotonic; NULL: the loop's clock. Decides TTLs alone */
    void *now_arg;
};

/* What a lookup came to. Valid during the callback alone. */
struct resolver_answer {
    /*
     * Addresses with the port filled in, in the order to try them: IPv6 and IPv4 alternate, the family that
     * RFC 6724 prefers here first; within a family they rotate from lookup to lookup.
     */
    const union net_addr *addr;
    size_t count;
    bool stale;        /* the last known ones: the refresh failed */
    const char *error; /* count 0: "no such host", "no DNS server answered in time", ...; else NULL */
};

typedef void (*resolver_cb)(void *arg, const struct resolver_answer *answer);

/* One waiting lookup; memory of the caller. All private. Zero it before the first use. */
struct resolver_lookup {
    struct resolver_entry *entry; /* NULL: not waiting */
    struct resolver_lookup *prev, *next;
    resolver_cb cb;
    void *arg;
    uint16_t port;
};

struct resolver_stats {
    uint64_t hits;     /* answered from the cache, stale ones included */
    uint64_t queries;  /* lookups sent to c-ares (each may be several DNS messages) */
    uint64_t failures; /* of these: any end but addresses */
    uint64_t stale;    /* answers given with addresses past their TTL */
};

/* OPTIONS may be NULL. NULL with *ERROR (static words) when c-ares or memory fails. */
struct resolver *resolver_new(uv_loop_t *loop, const struct resolver_options *options, const char **error)
    __attribute__((warn_unused_result));

/*
 * Looks HOST up (a name; at most 253 bytes; no literal, see net_addr_literal()). Either calls CB before it
 * returns, and returns false: the cache knew, or it failed at once. Or returns true: CB comes later, exactly
 * once, unless cancelled; LOOKUP must stay where it is until then. CB may do anything, closing the resolver
 * included.
 */
bool resolver_lookup(struct resolver *resolver, struct resolver_lookup *lookup, const char *host,
                     uint16_t port, resolver_cb cb, void *arg);

/* Forgets a waiting lookup: no callback comes. Fine for one that does not wait. */
void resolver_cancel(struct resolver_lookup *lookup);

/*
 * Reads resolv.conf again, asks the new servers what is still open, and lets every name be asked again at its
 * next use (the old addresses serve on failure). False, and all stays as it was, when that fails.
 */
bool resolver_reload(struct resolver *resolver);

const struct resolver_stats *resolver_stats(const struct resolver *resolver);

/*
 * Ends it. Waiting lookups are forgotten without a callback. Memory goes when the loop has run the close
 * callbacks. NULL is fine.
 */
void resolver_close(struct resolver *resolver);

#endif
