/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * HTTP/1.1 (RFC 9112) between one client and one service: strict in what it takes, written anew in what it
 * passes on, so that client, sidecar and service can never disagree where a message begins and ends.
 *
 * Bytes in, bytes and verdicts out; no sockets, no TLS, no clock, no event loop. Heads are collected, checked
 * byte by byte, parsed by llhttp, judged by the session and written again with one framing of our own; bodies
 * stream through (what is emitted points into what was fed; only chunk headers are ours).
 *
 * What a session does with it: feed what each transport received, write what is emitted, tell of a
 * transport's end with http1_eof or http1_service_lost, stop reading from a side while http1_blocked says so,
 * and end both transports after HTTP1_CLOSE or HTTP1_ABORT.
 *
 * Decided here: the requests of a connection are passed on one at a time, each after the response before it;
 * what the client pipelines waits unread, or, as far as it was already fed, in a bounded store. HTTP/1.0 is
 * understood but its connections are closed after the response. CONNECT is refused; of upgrades only
 * websocket is passed on, and only a 101 from the service makes the connection a tunnel. Requests to the
 * service are always HTTP/1.1; a response without a length becomes chunked for a client of HTTP/1.1.
 */
#ifndef OUTRIDER_SIDECAR_HTTP_HTTP1_H
#define OUTRIDER_SIDECAR_HTTP_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sidecar/http/field.h"

enum http1_side {
    HTTP1_DOWN, /* the side that sends requests */
    HTTP1_UP,   /* the side that answers them */
};

/* What is allowed; every field has a default, see http1_limits_default. */
struct http1_limits {
    uint32_t
        head_size;   /* bytes of a request's or response's head; more is 431, 502 (64 KiB, at most 1 MiB) */
    uint32_t fields; /* fields of one head or trailer section; more is 431, 502 (128) */
    uint32_t target_size;  /* bytes of a request target; more is 414 (16 KiB) */
    uint32_t trailer_size; /* bytes of a trailer section; more ends the connection (8 KiB) */
    uint32_t chunk_line; /* bytes of one chunk's line, extensions included; more ends the connection (256) */
    uint32_t store;      /* bytes that may be fed while http1_blocked; more ends the connection (1 MiB) */
    uint32_t discard;    /* bytes of a request's body that are read and thrown away to keep a connection
                            whose request was answered here (64 KiB) */
};

/* Fills in the defaults named above. */
void http1_limits_default(struct http1_limits *limits);

/* What follows a request's head. */
enum http1_body {
    HTTP1_NO_BODY,
    HTTP1_LENGTH,  /* Content-Length, more than 0 */
    HTTP1_CHUNKED, /* Transfer-Encoding: chunked */
};

/* A request whose head is complete and valid; lives until the callback returns. */
struct http1_request {
    uint64_t number;                /* of the connection's requests, from 1 */
    struct http_str method, target; /* as sent */
    struct http_str host; /* the target's authority or Host's value, as sent, valid; empty only in HTTP/1.0 */
    struct http_str path; /* of the target, not decoded, never empty; "*" for OPTIONS alone */
    struct http_str query;     /* what follows the first "?"; p is NULL if there is none */
    int minor;                 /* HTTP/1.minor: 0 or 1 */
    bool https;                /* the target is in absolute form with scheme https */
    struct http_field *fields; /* all of them as received, in their order; no white space around values */
    size_t nfields;
    enum http1_body body;
    uint64_t length;      /* HTTP1_LENGTH: bytes of body */
    bool expect_continue; /* the client may wait for a 100 before it sends the body */
    bool websocket;       /* a 101 will make the connection a tunnel */
    bool idempotent;      /* by method (RFC 9110, 9.2.2) */
    void *user;           /* for the callback to set; handed back with the request's later events */
};

/* What becomes of a request. Zero-initialised: pass it unchanged. */
struct http1_verdict {
    int status;              /* 0: pass; else answered here with this status, and the service never sees it */
    struct http_str message; /* text of the small body; must be fit for the caller's eyes */
    struct http_str type;    /* content-type of the body, empty: text/plain */
    const struct http_field *add; /* passed: appended to the request; answered: to the answer's head */
    size_t nadd;                  /* all of these must stay valid until the call into the codec returns */
};

/* A final response's head (or a 101's), before it goes to the client. */
struct http1_response {
    uint64_t number;
    int status;
    struct http_field *fields; /* as for a request */
    size_t nfields;
    const struct http_field
        *add; /* for the callback to set: appended; valid until the call into the codec returns */
    size_t nadd;
    void *user;
};

enum http1_outcome {
    HTTP1_COMPLETE,    /* request and response ended as they should; also a tunnel that ended */
    HTTP1_ANSWERED,    /* answered here: a verdict, a timeout, or the service was lost before it responded */
    HTTP1_LOST_DOWN,   /* the client went away, or the connection was freed */
    HTTP1_LOST_UP,     /* the service went away or timed out in mid-response: the client sees an abort */
    HTTP1_BROKEN_DOWN, /* the client broke the protocol or a limit; status says what it was told, if anything
                        */
    HTTP1_BROKEN_UP,   /* the service did; likewise */
};

/* A request's end, for the access log. One for every request callback and one for every request refused
 * before it. */
struct http1_end {
    uint64_t number;
    enum http1_outcome outcome;
    int status;              /* sent to the client, 0: none */
    const char *why;         /* what was broken or lost: a static text; "" if nothing */
    uint64_t request_bytes;  /* of body, without chunk headers; of a tunnel, what the client sent */
    uint64_t response_bytes; /* likewise */
    uint64_t began_ms; /* sink time of the request's and, 0 if none, of the final response's complete head */
    uint64_t responded_ms;
    void *user;
};

/* How the codec speaks to the session. Any callback but emit may be NULL. None may call back into the codec.
 */
struct http1_calls {
    /* Bytes for `side`; valid during the call only. May point into what was fed. */
    void (*emit)(void *ctx, enum http1_side side, const uint8_t *data, size_t size);
    /* Judge a request. */
    void (*request)(void *ctx, struct http1_request *request, struct http1_verdict *verdict);
    /* A final response goes to the client. */
    void (*response)(void *ctx, struct http1_response *response);
    /* A field of a trailer section (from `side`) or an interim response: true leaves it out. */
    bool (*trailer)(void *ctx, enum http1_side side, const struct http_field *field);
    void (*end)(void *ctx, const struct http1_end *end);
    /* The service will take no further request on its transport (Connection: close, HTTP/1.0) or cannot be
     * trusted with one (it sent bytes that answer no request, or let http1_timeout happen): end that
     * transport and feed nothing more from it. What is emitted for HTTP1_UP after this call wants a new one.
     * NULL: the client's connection is closed with the service's. */
    void (*service_done)(void *ctx);
    /* An answer of the codec's own is about to be written, because the service was lost or either side broke
     * the protocol: its message and type may be given another form. USER: the request's; NULL if its head was
     * never complete. What VERDICT points to must stay valid until the call into the codec returns. */
    void (*answer)(void *ctx, void *user, struct http1_verdict *verdict);
};

struct http1_sink {
    const struct http1_calls *calls;
    void *ctx;
    uint64_t now_ms; /* any monotonic clock */
};

/* Buffers that the connections of one thread share: a head being worked on. */
struct http1_scratch;
/* limits must outlive it and fit every connection that uses it. NULL: out of memory. */
struct http1_scratch *http1_scratch_new(const struct http1_limits *limits)
    __attribute__((warn_unused_result));
void http1_scratch_free(struct http1_scratch *scratch);

struct http1_conn;
/* limits and scratch must outlive the connection. NULL: out of memory. */
struct http1_conn *http1_conn_new(const struct http1_limits *limits, struct http1_scratch *scratch)
    __attribute__((warn_unused_result));
/* Frees without a word to anybody; a request still open gets its end event if a sink is given. */
void http1_conn_free(struct http1_conn *conn, const struct http1_sink *sink);

enum http1_result {
    HTTP1_MORE,  /* go on */
    HTTP1_CLOSE, /* flush both sides, then close both; http1_why tells the cause, if there is one. The client
                    may still be sending: end the sending direction first and read on for a moment, or a reset
                    may overtake the answer */
    HTTP1_ABORT, /* flush, then cut the client's transport so that it can see the truncation: reset, no
                    close_notify; close the service's */
};

/* Bytes that `side` sent, in any portions. All of them are consumed. */
enum http1_result http1_feed(struct http1_conn *conn, enum http1_side side, const uint8_t *data, size_t size,
                             const struct http1_sink *sink) __attribute__((warn_unused_result));

/* Whether to stop reading from `side` for now: what was fed already has to wait for the other side. Look
 * after every call. (Backpressure of the transports is the session's own.) */
bool http1_blocked(const struct http1_conn *conn, enum http1_side side);

/* `side` sent its last byte, cleanly; for a reset, or TLS cut without close_notify, call http1_conn_free
 * (client) or http1_service_lost (service) instead.
 * HTTP1_DOWN: an open request whose body is complete is still served, then HTTP1_CLOSE. Never passed on,
 * except in a tunnel: HTTP1_MORE there means that the other side's sending direction is to be ended, too.
 * HTTP1_UP: ends a body that has no other end; before a response it is http1_service_lost with status 502;
 * between requests it returns HTTP1_MORE if service_done is not NULL (which is not called then): the next
 * emit for HTTP1_UP wants a new transport. */
enum http1_result http1_eof(struct http1_conn *conn, enum http1_side side, const struct http1_sink *sink)
    __attribute__((warn_unused_result));

/* The service could not be reached or is gone: a request without a response is answered with `status` (502,
 * 503, 504) and `message`; one in mid-response, or a tunnel, is HTTP1_ABORT. HTTP1_MORE if the client's
 * connection goes on: the next emit for HTTP1_UP wants a new transport. */
enum http1_result http1_service_lost(struct http1_conn *conn, int status, const char *message,
                                     const struct http1_sink *sink) __attribute__((warn_unused_result));

/* What the connection waits for, so that the session's timers know. */
enum http1_phase {
    HTTP1_IDLE,     /* the first byte of the next request */
    HTTP1_HEAD,     /* the rest of a request's head */
    HTTP1_BODY,     /* the rest of a request's body; no response yet */
    HTTP1_WAIT,     /* the service's response, the request being complete */
    HTTP1_RESPONSE, /* the rest of the response (and perhaps of the request) */
    HTTP1_TUNNEL,   /* nothing: bytes go either way until one side ends */
    HTTP1_ENDED,    /* HTTP1_CLOSE or HTTP1_ABORT was returned */
};

struct http1_progress {
    enum http1_phase phase;
    uint64_t since_ms; /* sink time of its beginning */
    uint64_t moved_ms; /* sink time of the last call that was fed bytes */
};
struct http1_progress http1_progress(const struct http1_conn *conn);

/* The session's patience with the phase is over. HTTP1_IDLE: HTTP1_CLOSE; HTTP1_HEAD and HTTP1_BODY: 408 and
 * HTTP1_CLOSE; HTTP1_WAIT: service_done, then http1_service_lost with 504; HTTP1_RESPONSE and HTTP1_TUNNEL:
 * HTTP1_ABORT. */
enum http1_result http1_timeout(struct http1_conn *conn, const struct http1_sink *sink)
    __attribute__((warn_unused_result));

/* Finish: the request in work is served, with Connection: close if its response has not begun, then
 * HTTP1_CLOSE comes from the call that ends it. `now`: a tunnel or a request whose head is not complete is
 * not waited for. Call http1_state afterwards. */
void http1_drain(struct http1_conn *conn, bool now);

enum http1_state {
    HTTP1_OPEN,
    HTTP1_DRAINING, /* http1_drain was called, or either side will not go on after this request */
    HTTP1_DONE,     /* draining and no request is open, or dead: close both sides once flushed */
};
enum http1_state http1_state(const struct http1_conn *conn);

/* Whether a request is open (1) or not (0). */
size_t http1_streams(const struct http1_conn *conn);

/* Whether the open request could be sent once more to another transport of the same service as if nothing had
 * happened: idempotent, complete with its body, nothing of a response seen. (The session keeps what was
 * emitted.) */
bool http1_replayable(const struct http1_conn *conn);

/* Whether the service's transport may serve another client's connection later: no request is open on it, the
 * last one went out whole and its response left the transport usable, with no byte behind it. */
bool http1_reusable(const struct http1_conn *conn);

/* After HTTP1_CLOSE or HTTP1_ABORT: which side broke what. text is static; "" if nothing was broken. */
struct http1_why {
    enum http1_side side;
    int status; /* that the client was told, 0: none */
    const char *text;
};
struct http1_why http1_why(const struct http1_conn *conn);

/* The reason phrase of a status ("Forbidden"); "" if unknown. Static. */
const char *http1_reason(int status);

#endif
