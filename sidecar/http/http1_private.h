/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the files of the HTTP/1 codec share.
 *
 *   http1.c           the public interface: who is fed, what waits, how a connection ends
 *   http1_head.c      a head or trailer section: collected, checked line by line, parsed, classified
 *   http1_body.c      bodies: counted, decoded and framed anew
 *   http1_request.c   a request's head: what it means, judged, passed on or answered
 *   http1_response.c  a response's head likewise
 *   http1_write.c     heads and answers as bytes
 */
#ifndef OUTRIDER_SIDECAR_HTTP_HTTP1_PRIVATE_H
#define OUTRIDER_SIDECAR_HTTP_HTTP1_PRIVATE_H

#include <llhttp.h>

#include "sidecar/http/chars.h"
#include "sidecar/http/http1.h"

/* What a message is refused with; status 0: nothing wrong. */
struct http1_fault {
    int status; /* as for a request; from a service it always means 502 */
    const char *why;
};

/* What came of a head, trailer section or chunk line that is not complete yet. */
struct http1_part {
    char *p;
    uint32_t n, room;
    uint32_t line;  /* where the first line that is not checked yet begins */
    uint32_t lines; /* checked so far */
};

enum http1_reading {
    HTTP1_AT_START,      /* DOWN: between messages */
    HTTP1_AT_START_LF,   /* DOWN: in the empty line that may stand before a request (RFC 9112, 2.2) */
    HTTP1_AT_HEAD,       /* -> one of those below, by the framing */
    HTTP1_AT_LENGTH,     /* in.left bytes of body -> DONE */
    HTTP1_AT_CHUNK_LINE, /* -> CHUNK_DATA; after a size of 0 TRAILER */
    HTTP1_AT_CHUNK_DATA, /* in.left bytes -> CHUNK_END */
    HTTP1_AT_CHUNK_END,  /* in.left bytes of CRLF -> CHUNK_LINE */
    HTTP1_AT_TRAILER,    /* -> DONE */
    HTTP1_AT_EOF,        /* UP: a body that the transport's end ends -> DONE */
    HTTP1_AT_DONE,       /* complete; next: START (DOWN) or HEAD (UP) when a request begins */
};

/* One direction. */
struct http1_in {
    struct http1_part part;
    uint64_t left;
    uint64_t total; /* bytes of body */
    uint8_t reading;
};

struct http1_conn {
    const struct http1_limits *limits;
    struct http1_scratch *scratch;
    struct http1_in in[2];
    char *store; /* what the client sent ahead: store_off..store_n is still to be read */
    size_t store_n, store_off;
    void *user;
    uint64_t number;
    uint64_t began_ms, responded_ms, since_ms, moved_ms;
    const char *why;
    uint64_t phase_number; /* since_ms is of this request's phase */
    uint16_t status;       /* that the client was told for the open request */
    uint16_t why_status;
    uint8_t why_side;
    uint8_t result; /* enum http1_result: MORE until the end */
    uint8_t phase;
    uint8_t interims; /* 1xx responses of the open request */
    /* The open request. */
    bool open : 1;
    bool answered : 1;       /* by us: the service has nothing to do with it */
    bool response_begun : 1; /* a final head went to the client */
    bool response_done : 1;
    bool head : 1; /* by method: the response has no body */
    bool idempotent : 1;
    bool http11 : 1;  /* the client speaks HTTP/1.1 */
    bool closing : 1; /* the client asked to close */
    bool websocket : 1;
    bool service_keeps : 1; /* by the response's head: the service's transport stays usable */
    bool chunked[2];        /* how the body is framed for each side */
    /* The connection. */
    bool blank : 1; /* an empty line was skipped */
    bool tunnel : 1;
    bool eof[2];
    bool draining : 1, drain_now : 1;
    bool last : 1;         /* the client was told, or will see, that no request after this one is served */
    bool service_ok : 1;   /* between requests: the service's transport may be used again */
    bool service_gone : 1; /* the transport that bytes came from has ended: the next is new */
};

enum http1_kind { HTTP1_REQUEST_HEAD, HTTP1_RESPONSE_HEAD, HTTP1_TRAILERS };

/* A complete head in scratch. */
struct http1_head {
    struct http_str method, target; /* request */
    int status;                     /* response */
    struct http_str reason;
    int minor;
    struct http_str host;
    unsigned hosts;
    bool has_length, chunked;
    uint64_t length;
    bool close, keep_alive, upgrade; /* connection options */
    bool websocket;                  /* among the protocols of Upgrade */
    bool te_trailers;
    bool expect_continue;
};

enum { HTTP1_OUT_SIZE = 16384 };

struct http1_scratch {
    const struct http1_limits *limits;
    llhttp_t parser;
    struct http1_head head;
    struct http_field *fields;
    size_t nfields;
    char *names;       /* lowered; as large as a head may be */
    unsigned messages; /* that llhttp saw begin, */
    unsigned framing;  /* and fields that frame them */
    bool complete;     /* llhttp saw the end of the fields, */
    uint64_t length;   /* and thought this of the framing */
    bool has_chunked;
    int minor;
    size_t out_n;
    char out[HTTP1_OUT_SIZE];
};

/* --- http1_head.c --- */

enum http1_got {
    HTTP1_GOT_MORE, /* all of the bytes were taken, more are needed */
    HTTP1_GOT_ALL,
    HTTP1_GOT_BAD, /* see fault */
};

/* Collects a head or trailer section. When there, BLOCK is all of it, in DATA or in the part: valid until
 * http1_part_free. Every line has been checked. */
enum http1_got http1_collect(struct http1_conn *c, struct http1_in *in, enum http1_kind kind,
                             const char *data, size_t size, size_t *used, struct http_str *block,
                             struct http1_fault *fault);
/* The same for one line, without its CRLF. */
enum http1_got http1_collect_line(struct http1_in *in, uint32_t limit, const char *data, size_t size,
                                  size_t *used, struct http_str *line, struct http1_fault *fault);
void http1_part_free(struct http1_part *part);
/* Parses a block into scratch->fields and, but for trailers, scratch->head; LINES of fields were counted. */
bool http1_parse(struct http1_scratch *s, enum http1_kind kind, struct http_str block, size_t lines,
                 struct http1_fault *fault);

/* --- http1_body.c --- */

/* Reads body bytes from SIDE and passes them to the other. Returns how many were taken: all, unless the
 * message is complete (in.reading is DONE) or bad (fault). */
size_t http1_body(struct http1_conn *c, enum http1_side side, const char *data, size_t size,
                  const struct http1_sink *sink, struct http1_fault *fault);
/* Ends a chunked body that was framed by us (also one that came without chunks). */
void http1_body_end(struct http1_conn *c, enum http1_side to, const struct http1_sink *sink);
/* Whether a field named so must not stand in trailers (RFC 9110, 6.5.1). */
bool http1_trailer_forbidden(struct http_str name);

/* --- http1_request.c, http1_response.c --- */

/* Takes bytes of a head. Returns how many. */
size_t http1_request_bytes(struct http1_conn *c, const char *data, size_t size,
                           const struct http1_sink *sink);
size_t http1_response_bytes(struct http1_conn *c, const char *data, size_t size,
                            const struct http1_sink *sink);
/* The request's body is complete, the response is complete: what now. */
void http1_request_done(struct http1_conn *c, const struct http1_sink *sink);
void http1_response_done(struct http1_conn *c, const struct http1_sink *sink);
/* A request that was refused (outcome BROKEN_DOWN) or whose service broke the protocol (BROKEN_UP): answers
 * if that is still possible, and ends the connection. */
void http1_refuse(struct http1_conn *c, enum http1_outcome outcome, int status, const char *why,
                  const struct http1_sink *sink);
/* The open request ends: its event. The connection goes on unless http1_finish was or is called. */
void http1_request_end(struct http1_conn *c, enum http1_outcome outcome, const char *why,
                       const struct http1_sink *sink);
void http1_finish(struct http1_conn *c, enum http1_result result);

/* --- http1_write.c --- */

/* The open request's head for the service; what scratch has of it. */
void http1_write_request(struct http1_conn *c, const struct http1_request *request,
                         const struct http1_verdict *verdict, const struct http1_sink *sink);
/* A response's head for the client. LENGTH: NULL if none is to be said. */
void http1_write_response(struct http1_conn *c, const struct http1_response *response, const uint64_t *length,
                          const struct http1_sink *sink);
/* Trailers in scratch, from SIDE: those that may pass. */
void http1_write_trailers(struct http1_conn *c, enum http1_side side, const struct http1_sink *sink);
/* An answer of our own, with its body; sets response_begun, response_done and answered. Closing: c->last. */
void http1_write_answer(struct http1_conn *c, const struct http1_verdict *verdict,
                        const struct http1_sink *sink);

static inline void http1_emit(const struct http1_sink *sink, enum http1_side side, const char *p, size_t n)
{
    if (n)
        sink->calls->emit(sink->ctx, side, (const uint8_t *)p, n);
}

#endif
