/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A session: one connection that was accepted (down) and the one made for it (up), TLS on one of them, from
 * accept to the line in the log. opening.c is its beginning, session.c its deadlines and its end, relay.c
 * moves its bytes, verdict.c judges it.
 *
 *   inbound:   [PROXY header] -> ClientHello -> handshake -> connect to the service -> relay
 *   outbound:  [first bytes] -> connect to the peer -> handshake -> relay
 *   outbound, HTTP/1.1 by protocol = http:
 *              first bytes -> relay; whenever a request wants the peer: an idle connection from pool.h, or
 *              connect -> handshake, while the session stays in SESSION_RELAY; at the end the connection goes
 *              to the pool, if it is clean
 *
 * An idle session owns no buffer: what is received lands in the worker's scratch buffers and leaves at once,
 * or is queued by the endpoint it goes to, whose source then is not read until the queue is empty.
 */
#ifndef SIDECAR_PROXY_SESSION_H
#define SIDECAR_PROXY_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sidecar/admin/ledger.h"
#include "sidecar/net/addr.h"
#include "sidecar/net/dial.h"
#include "sidecar/net/endpoint.h"
#include "sidecar/proxy/snapshot.h"
#include "sidecar/proxy/wheel.h"
#include "sidecar/tls/tls.h"

struct worker;
struct worker_listener;

enum session_side { DOWN, UP };

enum session_state {
    SESSION_PREFACE,   /* inbound: waits for the PROXY header; then HELLO */
    SESSION_SNIFF,     /* outbound for HTTP: waits for the bytes that tell which; then CONNECT */
    SESSION_HELLO,     /* inbound: waits for a whole ClientHello; then HANDSHAKE, or CONNECT for plaintext */
    SESSION_HANDSHAKE, /* then CONNECT (inbound) or RELAY (outbound) */
    SESSION_CONNECT,   /* then RELAY (inbound) or HANDSHAKE (outbound) */
    SESSION_RELAY,     /* both legs are open */
    SESSION_FLUSH,     /* one leg is lost: the other gets what is on its way, then RST; then CLOSED */
    SESSION_LINGER,    /* refused: the alert is on its way; waits for the peer's end; then CLOSED */
    SESSION_CLOSED,    /* logged; waits for its handles to close */
};

enum session_end {
    SESSION_END_CLOSED,    /* both sides ended as they should */
    SESSION_END_RESET,     /* one side sent RST */
    SESSION_END_TRUNCATED, /* a TLS peer went away without close_notify */
    SESSION_END_REFUSED,   /* no session came about: handshake or identity */
    SESSION_END_CONNECT,   /* the service or the peer could not be reached */
    SESSION_END_TIMEOUT,
    SESSION_END_UNTRUSTED, /* trust, time or configuration changed */
    SESSION_END_DRAINED,   /* the process ends */
    SESSION_END_ERROR,     /* TLS broke in mid-stream, or memory ran out */
};

struct leg {
    struct endpoint ep;
    struct tls_stream *tls; /* NULL: plaintext */
    bool in_end;            /* nothing comes from here any more */
    bool out_end;           /* we have sent our last byte here, or will with the queue */
    /* Up, of an outbound with protocol = http: */
    bool shaking;  /* in the handshake; nothing is sent to it yet */
    bool pooled;   /* it was another session's before */
    uint64_t made; /* ms of the loop's clock */
};

struct session {
    struct session *next, **prev; /* in worker.sessions */
    struct worker *worker;
    struct wheel_entry timer;
    struct runtime *runtime; /* the one it was admitted by last */
    struct gate *gate;
    struct dial *dial;
    uint8_t *early; /* received before there is somewhere to send it to; heap */
    size_t early_size;
    char *why;               /* how it ended, in words; heap; NULL: nothing to say */
    union net_addr peer;     /* who called, by PROXY header where one is believed; AF_UNSPEC: a UNIX client */
    union net_addr captured; /* outbound: where it wanted to go; AF_UNSPEC: it was not captured */
    uint64_t started;        /* ms of the loop's clock */
    uint64_t activity;       /* last byte either way */
    uint64_t deadline;       /* of the state or of the verdict; 0: none */
    uint64_t shake_due;      /* of the up leg's handshake, while it is shaking; 0: none */
    uint64_t bytes[2];       /* payload received, by side */
    uint64_t handshake_began; /* ns of uv_hrtime(); 0: not yet, or it is over */
    struct ledger_ticket ticket;
    uint64_t *rule_state;    /* what the rules leave open for requests; heap; HTTP alone */
    const char *rule;        /* that decided last; its snapshot's; NULL: none did */
    const char *rule_body;   /* and what it answers; NULL: the usual */
    unsigned rule_status;    /* 0: the usual */
    struct tls_hello *hello; /* heap; where rules ask for it */
    uint16_t ca;             /* index in snapshot.trust of who judges the peer */
    uint32_t index;          /* of the inbound or outbound in runtime */
    uint8_t handles;         /* endpoints not closed yet */
    uint32_t requests;       /* HTTP, begun */
    uint64_t id;             /* of the process's sessions */
    bool inbound;
    bool half_open;         /* counted among the half-open */
    bool condemned;         /* its trust has ended, the grace goes on */
    int8_t condemned_alert; /* enum tls_alert for its end */
    bool reported;          /* its end is logged and counted */
    uint8_t verdict;        /* enum ruleset_verdict of the connection */
    enum session_state state : 8;
    enum session_end end : 8;
    const char
        *alpn;  /* outbound for HTTP: what is offered to the peer, "h2" or "http/1.1"; NULL: not known */
    bool sniff; /* what the client speaks is still to be seen */
    bool tcp;   /* it is not HTTP, and may be so (tcp_fallback) */
    struct codec *codec; /* HTTP; NULL: bytes pass as they are */
    struct leg leg[2];
};

/* Takes FD over. False: a limit is reached, and FD is the caller's still, to try again. */
bool session_accept(struct worker *worker, const struct worker_listener *listener, int fd,
                    const struct sockaddr *peer);

/* The wheel told ENTRY (of a session) that its deadline passed. */
void session_timer(struct wheel_entry *entry);

/* Ends it, in whichever state: what is queued is dropped; the other side of a relay gets RST. WHY may be
 * NULL. */
void session_kill(struct session *s, enum session_end end, const char *why);

/* The process ends: what is open is finished; HTTP connections end with their requests. */
void session_drain(struct session *s);

/* --- verdict.c --- */

/*
 * Judges a live session by the worker's current runtime and moves it there. One that does not pass, or whose
 * inbound or outbound is gone, is ended as [tls] on_untrusted says.
 */
void session_judge(struct session *s);
/* The same for one whose handshake is just over, and that began it under an older runtime: false when it does
 * not get in, which it is told. */
bool session_judge_new(struct session *s);
/* Moves one that nothing was decided about yet to the worker's current runtime. False: its section is gone,
 * and it with it. */
bool session_renew(struct session *s);
/* Whether the peer of the up leg is admitted by the runtime that S is in; else WHY says why not. */
bool session_admits_service(struct session *s, char *why, size_t size);
/* The grace of a condemned session is over. */
void session_judge_grace_over(struct session *s);

/* --- relay.c --- */

extern const struct endpoint_calls relay_down_calls, relay_up_calls;

/* Both legs are open: sends what came early, and lets both be read. */
void relay_begin(struct session *s);
/* Sends to SIDE, by TLS where it has it; holds the other side's reading while something is queued. */
void relay_send(struct session *s, enum session_side side, const uint8_t *data, size_t size);
/* Decrypts what the worker's tls.in has for SIDE and sends it on. */
void relay_decrypt(struct session *s, enum session_side side);
/* One side is lost: the other gets what is on its way and then RST. */
void relay_abort(struct session *s, enum session_side lost, enum session_end end, const char *why);
/* The service's transport is lost, or could not be had: STATUS and MESSAGE for the requests that wait for it.
 */
void relay_lose_service(struct session *s, int status, const char *message);
/* No byte more goes to SIDE: close_notify and FIN, after what is queued. */
void relay_end_output(struct session *s, enum session_side side);
/* All that is to be sent has been written: ends it in good order, the service's side at once. */
void relay_close(struct session *s);
/* Reads on or holds reading, on both sides, as there is room for what comes. */
void relay_pace(struct session *s);
/* The client's first request has not come in time: it is told, if it began. */
void relay_sniff_over(struct session *s);
/* In SESSION_FLUSH: whether all is out; then the session is over. */
void relay_flush_poll(struct session *s);

/* --- session.c, for the others --- */

/* Whether the up leg can be sent to. */
static inline bool session_has_service(const struct session *s)
{
    return s->leg[UP].ep.open && !s->leg[UP].shaking;
}

static inline enum session_side session_tls_side(const struct session *s)
{
    return s->inbound ? DOWN : UP;
}

const struct config_limits *session_limits(const struct session *s);
const char *session_name(const struct session *s); /* of its section */
/* Sends what TLS wrote to the worker's tls.out. */
void session_flush_tls(struct session *s, enum session_side side);
/* Reads on in the state it is in (before SESSION_RELAY): data, end and error of the down or up leg. */
void session_early_data(struct session *s, enum session_side side, const uint8_t *data, size_t size);
void session_early_end(struct session *s, enum session_side side, int err);
/* Ends sending to the client and gives it a moment to end, too; the service's side is closed. Then it is
 * over. */
void session_linger(struct session *s, enum session_end end, const char *why);
/* Connects to the service (again): on_connected. */
void session_connect(struct session *s);
/* Whether requests are looked at here. */
bool session_is_http(const struct session *s);
/* Goes on with the handshake of an up leg that is shaking; what came for it is in the worker's tls.in. */
void session_shake(struct session *s);
/* That handshake comes to nothing: WHY for the log, STATUS (502, 504) and TOLD (static; NULL: the usual) for
 * the requests that wait. */
void session_shake_failed(struct session *s, const char *why, int status, const char *told);
/* The up leg is not wanted any more: into the pool, or closed in good order. */
void session_leave_service(struct session *s);
/* The same, but never into the pool. */
void session_drop_service(struct session *s);
/* Ends it: logs, counts, closes; RESET: by RST. */
void session_finish(struct session *s, enum session_end end, const char *why, bool reset);
/* Its handshake is over, one way or the other: it counts as half-open no more. */
void session_not_half_open(struct session *s);
/* Sets the next deadline. */
void session_arm(struct session *s);
/* An endpoint of it has closed. */
void session_handle_closed(struct session *s);
/* ALERT to the TLS peer, which gets a moment to read it, then the end. */
void session_refuse(struct session *s, enum tls_alert alert, enum session_end end, const char *why);

#endif
