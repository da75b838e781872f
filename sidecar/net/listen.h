/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Listening sockets: opening them, and accepting from them on a libuv loop.
 *
 * Opening is separate from accepting so that a process can open all its sockets, fail with words, or hand one
 * over, before any loop runs. Running out of descriptors or memory pauses an acceptor, never ends or spins
 * it.
 */
#ifndef SIDECAR_NET_LISTEN_H
#define SIDECAR_NET_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <uv.h>

/* Room for any error text of this module. */
#define NET_LISTEN_ERROR 384

enum {
    NET_LISTEN_REUSEPORT = 1, /* IP: several sockets share the port, one a worker */
    /*
     * IP: fail with "address already in use" where any other socket listens there already, even one that
     * would share it. Meant for the first of the sockets that share a port, so that two sidecars by mistake
     * on one port do not take half of each other's callers.
     */
    NET_LISTEN_EXCLUSIVE = 2
};

/*
 * Opens a listening TCP socket on ADDR (IPv4 or IPv6; "::" takes IPv4 as well; port 0 lets the kernel
 * choose). It is non-blocking and closed on exec; sockets accepted from it inherit TCP_NODELAY. BACKLOG 0: a
 * default (4096; the kernel caps it at net.core.somaxconn). Returns the descriptor, owned by the caller, or
 * -1 with the cause in ERROR ("listen on 127.0.0.1:8443: address already in use").
 */
int net_listen_ip(const struct sockaddr *addr, unsigned flags, int backlog, char error[NET_LISTEN_ERROR])
    __attribute__((warn_unused_result));

/*
 * The same for a UNIX stream socket at PATH ("@name": abstract), created with MODE (0600, 0660) exactly,
 * whatever the umask. A socket file that is left over, where nobody answers, is replaced; one where somebody
 * listens, or a file that is no socket, is left alone and an error. Whoever closes the descriptor for good
 * unlinks PATH itself; workers that share it use dup().
 */
int net_listen_unix(const char *path, mode_t mode, int backlog, char error[NET_LISTEN_ERROR])
    __attribute__((warn_unused_result));

struct net_acceptor;

/*
 * Called for each connection: FD, non-blocking, closed on exec, is the callee's; PEER (zeroed to the size of
 * a sockaddr_storage) is valid during the call. May pause or close the acceptor.
 */
typedef void (*net_accept_cb)(void *arg, int fd, const struct sockaddr *peer);

struct net_acceptor_stats {
    uint64_t accepted;
    uint64_t aborted;   /* gone before they were accepted (ECONNABORTED and the like) */
    uint64_t exhausted; /* pauses for want of descriptors or memory */
    int last_errno;     /* of the last such pause; 0: none yet */
};

/*
 * Accepts on LOOP from the listening socket FD, at most NET_ACCEPT_BATCH a turn of the loop. Takes FD over
 * (also on failure, where it is closed). NULL when out of memory or when FD cannot be polled. Not paused at
 * first.
 *
 * On EMFILE, ENFILE, ENOMEM and ENOBUFS it stops listening to the descriptor for 100 ms, doubling up to 1 s
 * while it goes on, and then tries again; stats.exhausted counts these pauses.
 */
#define NET_ACCEPT_BATCH 64
struct net_acceptor *net_acceptor_start(uv_loop_t *loop, int fd, net_accept_cb cb, void *arg)
    __attribute__((warn_unused_result));

/* Stops accepting for a while: callers wait in the backlog. Both are idempotent. */
void net_acceptor_pause(struct net_acceptor *acceptor);
void net_acceptor_resume(struct net_acceptor *acceptor);

const struct net_acceptor_stats *net_acceptor_stats(const struct net_acceptor *acceptor);
int net_acceptor_fd(const struct net_acceptor *acceptor);

/*
 * Stops, closes the socket at once, and frees the acceptor when the loop has run the close callbacks. No
 * callback comes afterwards. NULL is fine.
 */
void net_acceptor_close(struct net_acceptor *acceptor);

#endif
