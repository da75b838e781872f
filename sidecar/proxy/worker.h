/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A worker: one thread, one loop, its own listeners, sessions, peers and counters; nothing shared on the hot
 * path. The main thread speaks to it through worker_adopt(), worker_close_listeners(), worker_ask() and
 * worker_stop().
 */
#ifndef SIDECAR_PROXY_WORKER_H
#define SIDECAR_PROXY_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "sidecar/admin/counters.h"
#include "sidecar/admin/ledger.h"
#include "sidecar/admin/log.h"
#include "sidecar/net/endpoint.h"
#include "sidecar/net/listen.h"
#include "sidecar/net/resolve.h"
#include "sidecar/proxy/gate.h"
#include "sidecar/proxy/gather.h"
#include "sidecar/proxy/snapshot.h"
#include "sidecar/proxy/stall.h"
#include "sidecar/proxy/sweep.h"
#include "sidecar/proxy/wheel.h"

/* What all workers have in common. */
struct worker_shared {
    struct log *log;
    struct gate sessions;          /* all of them, against max_connections */
    struct gate half_open;         /* those whose handshake goes on, against max_handshakes */
    struct rules_lru *limits;      /* counters of all rate limits; NULL: no snapshot had any */
    struct quarantine *quarantine; /* NULL: no snapshot had any */
    struct rules_lru *sequences;   /* what certificates have done; NULL: no snapshot had any */
    struct ledger *ledger;         /* what each certificate of a caller did */
    unsigned workers;
};

/* Index of the capture listener: each of its sessions is an [outbound]'s, by where it wanted to go. */
#define WORKER_CAPTURE SIZE_MAX

/* A socket to listen on, named as configuration names it: [inbound] or [outbound] number INDEX. */
struct worker_socket {
    bool inbound;
    size_t index;
    int fd;
    bool fresh; /* not listened on before: to be opened; else one of the sockets that the worker has */
};

enum {
    WORKER_SAID = 64, /* refusals that are told apart at once */
    WORKER_PLAIN =
        ENDPOINT_BUFFER + TLS_RECORD_OVERHEAD_MAX, /* what one read may bring, decrypted, and room */
};

struct worker_listener {
    struct worker_listener *next;
    struct worker *worker;
    struct net_acceptor *acceptor;
    int fd;
    bool inbound;
    size_t index; /* in the current configuration */
    bool keep;    /* while a new snapshot is adopted: it is still wanted */
    int held;     /* accepted where there was no room: it waits, and the others in the backlog; -1: none */
    struct sockaddr_storage held_peer;
    uint64_t exhausted; /* of the acceptor's, those counted */
};

struct worker {
    unsigned index;
    struct worker_shared *shared;
    struct log *log;
    uv_thread_t thread;
    uv_loop_t loop;
    uv_async_t wake;
    uv_timer_t timer;  /* the wheel's */
    uv_timer_t retry;  /* looks for room again, for the connections that listeners hold */
    uv_timer_t judge;  /* when the first verdict on a live session runs out */
    uv_idle_t sweeper; /* judging live sessions, a slice a turn */
    uv_idle_t ask;     /* answering the main thread, likewise */
    struct stall stall;

    struct endpoint_io endpoints;
    struct tls_io tls;
    uint8_t *plain; /* what was decrypted; WORKER_PLAIN bytes */
    struct tls_peers *peers;
    struct codec_shared *codec; /* what HTTP needs; NULL until it is spoken */
    struct decide *decide;      /* working memory of the rules */
    struct pool *pool;          /* idle connections to peers; NULL: none was kept yet, or no more are */
    struct resolver *resolver;  /* NULL until a name is to be looked up: it takes 70 KB */
    struct wheel wheel;
    struct runtime *runtime; /* what new sessions use */
    struct worker_listener *listeners;
    struct session *sessions; /* newest first */
    uint64_t session_count;   /* since the start */
    struct sweep sweep;
    struct session *ask_at; /* next to be told of */
    struct gather_part *asked;
    uint64_t quarantine_changes; /* that live sessions were judged by */
    int64_t recheck_at;          /* earliest end of a verdict that holds a live session; seconds since 1970 */
    struct counters counters;

    char retry_after[24];       /* of the answer being made */
    uint64_t requests_unlogged; /* since the last that had a line, by log_requests_every */
    uint64_t entered_at;        /* ms: when a session was last entered anew in the ledger */

    /* Lines for refusals: a bucket, and which ones were written lately. */
    double refused_tokens;
    uint64_t refused_at;
    uint64_t refused_unsaid;
    struct worker_said {
        uint64_t what, since; /* ms of the loop */
        uint64_t written, left_out;
    } said[WORKER_SAID];

    /* Written by the main thread under the mutex, taken by the worker when it wakes. */
    uv_mutex_t mutex;
    struct snapshot *next; /* referenced */
    struct worker_socket *next_sockets;
    size_t next_socket_count;
    struct gather_part *next_asked, **next_asked_last;
    bool next_close_inbound; /* stop accepting inbound */
    bool next_close_all;
    bool next_stop;   /* end every session and the thread */
    bool leaving;     /* the drain has begun */
    uint64_t adopted; /* atomic: generation of the snapshot in use */
    uint64_t beat;    /* atomic: uv_hrtime() / 10^6 of the last turn of the loop that the wake-up asked for */
};

/* Starts the thread; it serves nothing until worker_adopt(). NULL with ERROR in words. */
struct worker *worker_start(unsigned index, struct worker_shared *shared, char error[SNAPSHOT_ERROR])
    __attribute__((warn_unused_result));

/*
 * Hands over SNAPSHOT (referenced) and the sockets to listen on from then on; those that the worker has and
 * that are not named are closed. SOCKETS is copied; fresh descriptors are the worker's from now on.
 */
void worker_adopt(struct worker *worker, struct snapshot *snapshot, const struct worker_socket *sockets,
                  size_t count);
uint64_t worker_adopted(const struct worker *worker); /* generation in use; 0: none yet */

/* Stops accepting: inbounds alone, or all. Sessions go on; HTTP ends each connection after its request. */
void worker_close_listeners(struct worker *worker, bool outbound_too);

/* Makes the loop note that it lives: see worker_beat(). */
void worker_poke(struct worker *worker);
uint64_t worker_beat(const struct worker *worker); /* ms of uv_hrtime() */

/* Asks it for PART (sidecar/proxy/gather.h), after what it was asked before. */
void worker_ask(struct worker *worker, struct gather_part *part);

/* Ends all sessions and the thread, waits for it, frees. */
void worker_stop(struct worker *worker);

/* --- for sessions, on the worker's own thread --- */

/* A gate has been left: held connections may go in, with the loop's next turn. */
void worker_room(struct worker *worker);
/* The wheel has a nearer deadline than before, perhaps. */
void worker_timer_update(struct worker *worker);
/* A verdict that holds a live session ends at AT (seconds since 1970). */
void worker_recheck_at(struct worker *worker, int64_t at);
/* What looks HOST up; NULL where it is a literal (or a path: NULL), or when memory is out. */
struct resolver *worker_resolver(struct worker *worker, const char *host);

struct worker_unsaid {
    uint64_t repeated; /* lines like this one that were not written */
    uint64_t others;   /* of whatever kind: there were too many at once */
};
/*
 * Whether a line for a refusal may be written now. WHAT stands for all that makes it the same as another
 * (filehash.h), 0: nothing does; each kind gets as many lines in ten seconds as all of them in one, so that
 * one caller who comes again and again hides no other. UNSAID: what was left out since the last line.
 */
bool worker_may_log_refusal(struct worker *worker, uint64_t what, struct worker_unsaid *unsaid);
/* Adds that to its line. */
void worker_log_unsaid(struct log_line *line, const struct worker_unsaid *unsaid);

#endif
