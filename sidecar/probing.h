/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `sidecar probe`: one connection to a peer, made as an outbound makes it (the same resolver, dialler, TLS
 * stream and judge), with what was seen on the way kept, to be told. Blocks; for commands alone.
 */
#ifndef SIDECAR_PROBING_H
#define SIDECAR_PROBING_H

#include <uv.h>

#include "sidecar/net/dial.h"
#include "sidecar/offline.h"
#include "sidecar/tls/judged.h"

/* The exit statuses of the command. */
enum probing_result {
    PROBING_WELL = 0,
    PROBING_LOCAL = 1, /* configuration or credentials cannot be used */
    PROBING_USAGE = 2,
    PROBING_UNREACHABLE = 3, /* no such name, no connection, or no answer in time */
    PROBING_NO_TLS = 4,      /* not TLS, or nothing in common, or a broken handshake */
    PROBING_UNTRUSTED = 5,   /* the peer's certificate is not trusted, or has not the name expected */
    PROBING_REFUSED = 6,     /* the peer refused us */
};

const char *probing_result_name(enum probing_result result); /* "ok", "unreachable" ... */

struct probing {
    /* Where to and with what, set by the caller. */
    struct offline *offline; /* its first outbound is used */
    uint64_t timeout;        /* ms for each step */
    uint64_t wait;           /* ms after the handshake for a refusal to arrive */

    /* What came of it. */
    enum probing_result result;
    char words[768]; /* of the result; "" where all is well */
    union net_addr addr[2 * RESOLVER_ADDRS];
    size_t addr_count; /* 0: the target was no name */
    uint64_t resolve_ns, connect_ns, handshake_ns;
    char remote[NET_ADDR_TEXT]; /* "": not connected */
    bool handshaken;            /* the handshake was completed on our side */
    struct tls_stream_info info;
    enum tls_alert alert_sent, alert_received;
    struct tls_peer *peer; /* NULL: none presented; lives as long as the probing */
    struct tls_verdict verdict;
    struct tls_judged judged;
    bool named; /* PEER has one of the names expected */
    enum { PROBING_UNKNOWN, PROBING_ACCEPTED, PROBING_SILENT } own;
    /* Of our certificate, or of us without one. SILENT: no refusal came while we waited */

    /* Private. */
    int fd;
    bool looked; /* the resolver has answered, or the dialler */
    uv_loop_t loop;
    struct tls_stream *tls;
    struct tls_io io;
    uint8_t *in;
    bool spoke, closed; /* the peer, after the handshake */
};

void probing_run(struct probing *probing);
void probing_clear(struct probing *probing);

/* What an alert from the peer says about us. */
const char *probing_alert_words(enum tls_alert alert);

#endif
