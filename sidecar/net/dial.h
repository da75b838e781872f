/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Connecting out: a name, a literal or a UNIX socket in, a connected descriptor or an error in words out.
 *
 * All addresses of a name are tried, the next one at once when one fails, and alongside after 250 ms when one
 * is silent; the first that connects wins (RFC 8305). What connects at once (loopback, UNIX) costs no
 * allocation and no turn of the loop; anything else one malloc, freed when it is over.
 */
#ifndef SIDECAR_NET_DIAL_H
#define SIDECAR_NET_DIAL_H

#include <stdint.h>
#include <uv.h>

#include "sidecar/net/addr.h"
#include "sidecar/net/resolve.h"

struct dial;

/* Where to; either host and port, or path. The texts need not outlive dial_start(). */
struct dial_target {
    const char *host; /* name or literal, without brackets */
    uint16_t port;
    const char *path; /* UNIX socket, "@name" for an abstract one; NULL: host counts */
};

/*
 * FD >= 0: connected, non-blocking, closed on exec, TCP_NODELAY set; the callee owns it. ERROR is NULL and
 * REMOTE the address that answered (AF_UNIX for a path). FD -1: ERROR says why ("connect to 127.0.0.1:8080:
 * connection refused", "connect to orders.shop:8443 (10.0.0.7:8443): timed out after 5s", "connect to
 * orders.shop:8443 (10.0.0.7:8443, the last of 3 addresses): connection refused", "orders.shop: no such
 * host"), and REMOTE is the address that failed last or NULL. ERROR and REMOTE are valid during the call
 * only.
 */
typedef void (*dial_cb)(void *arg, int fd, const char *error, const struct sockaddr *remote);

/*
 * Connects to TARGET within TIMEOUT_MS (name lookup and all addresses together; 0: no limit of our own).
 *
 * MIND: this may be over before it returns. NULL: CB has been called already, with a descriptor or an error
 * (out of memory is one). Otherwise CB comes later from the loop, exactly once, unless dial_cancel() comes
 * before. So a caller writes `s->dial = dial_start(...)` only after making sure that CB did not free S, or
 * lets CB set a result that it looks at after the call. The struct dial is gone as soon as CB is called.
 *
 * RESOLVER may be NULL where TARGET is no name.
 */
struct dial *dial_start(uv_loop_t *loop, struct resolver *resolver, const struct dial_target *target,
                        uint64_t timeout_ms, dial_cb cb, void *arg) __attribute__((warn_unused_result));

/* Which kind of failure an ERROR of dial_cb tells. */
enum dial_fault {
    DIAL_TIMED_OUT,
    DIAL_NO_NAME, /* it cannot be looked up, for whatever reason */
    DIAL_REFUSED,
    DIAL_OTHER,
};
enum dial_fault dial_fault(const char *error);

/* Gives up; CB is not called. Only before CB was called. NULL is fine. */
void dial_cancel(struct dial *dial);

/*
 * Keepalive probes on a TCP socket after KEEPALIVE_MS of silence (0: none), every quarter of that (1 s to 30
 * s) four times before it counts as dead. Whoever connects to a listening socket from then on has it so from
 * the start, without a call for each. UNIX sockets are left alone.
 */
void net_keepalive(int fd, uint64_t keepalive_ms);

#endif
