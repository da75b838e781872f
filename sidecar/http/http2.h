/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HTTP/2 (RFC 9113) as a frame relay: one connection from a client joined to one connection to a service.
 *
 * Bytes in, bytes and verdicts out; no sockets, no TLS, no clock, no event loop. Frames are validated and
 * passed on as they are; only header blocks are decoded (HPACK, RFC 7541) and encoded again, so that rules
 * can see each request and identity fields can be removed and added. Stream ids are the same on both sides.
 * Flow control is end to end: a slow reader holds back its sender through the windows, and the relay queues
 * nothing.
 *
 * What a session does with it: feed what each transport received, write what is emitted, tell of a
 * transport's end with http2_eof or http2_service_lost, close both transports after http2_feed returned
 * HTTP2_CLOSE or http2_state says HTTP2_DONE. Whatever is emitted is a whole frame or a run of frames by the
 * time a call returns, so calls for the two sides may be interleaved freely.
 *
 * Decided here: server push is switched off (a pushed request would pass no rule), CONNECT and RFC 8441 are
 * not relayed, DATA padding is stripped and its window given back, frames of unknown types pass up to 16 KiB.
 */
#ifndef OUTRIDER_SIDECAR_HTTP_HTTP2_H
#define OUTRIDER_SIDECAR_HTTP_HTTP2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sidecar/http/field.h"

/* The 24 bytes that open every client connection (RFC 9113, 3.4). */
#define HTTP2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define HTTP2_PREFACE_LEN 24u

enum http2_side {
    HTTP2_DOWN, /* the side that sends requests */
    HTTP2_UP,   /* the side that answers them */
};

/* RFC 9113, 7. */
enum http2_error {
    HTTP2_NO_ERROR = 0x0,
    HTTP2_PROTOCOL_ERROR = 0x1,
    HTTP2_INTERNAL_ERROR = 0x2,
    HTTP2_FLOW_CONTROL_ERROR = 0x3,
    HTTP2_SETTINGS_TIMEOUT = 0x4,
    HTTP2_STREAM_CLOSED = 0x5,
    HTTP2_FRAME_SIZE_ERROR = 0x6,
    HTTP2_REFUSED_STREAM = 0x7,
    HTTP2_CANCEL = 0x8,
    HTTP2_COMPRESSION_ERROR = 0x9,
    HTTP2_CONNECT_ERROR = 0xa,
    HTTP2_ENHANCE_YOUR_CALM = 0xb,
    HTTP2_INADEQUATE_SECURITY = 0xc,
    HTTP2_HTTP_1_1_REQUIRED = 0xd,
};

/* What is allowed; every field has a default, see http2_limits_default. Rates are token buckets that hold ten
 * seconds' worth. */
struct http2_limits {
    uint32_t header_table_size;  /* bytes of HPACK dynamic table per direction, at most 65536 (4096) */
    uint32_t header_block_size;  /* bytes of one encoded header block; more ends the connection (32 KiB) */
    uint32_t header_list_size;   /* bytes of one decoded header list as RFC 9113 6.5.2 counts; more is 431 (64
                                    KiB) */
    uint32_t header_fields;      /* fields of one header list; more is 431 (128) */
    uint32_t continuations;      /* CONTINUATION frames of one block; more ends the connection (8) */
    uint32_t concurrent_streams; /* open requests; more is REFUSED_STREAM (256) */
    uint32_t frame_size;         /* largest SETTINGS_MAX_FRAME_SIZE passed on, 16384..2^24-1 (65536) */
    uint32_t resets_per_second;  /* streams that the client resets or has reset by its errors (100) */
    uint32_t pings_per_second;   /* PING, PRIORITY, WINDOW_UPDATE, unknown; each DATA or HEADERS allows 4 more
                                    (200) */
    uint32_t settings_per_second; /* SETTINGS without ACK (5) */
    uint32_t
        empties_per_second; /* DATA and header fragments without content, frames on closed streams (100) */
};

/* Fills in the defaults named above. */
void http2_limits_default(struct http2_limits *limits);

/* A request whose header block is complete and valid; lives until the callback returns. */
struct http2_request {
    uint32_t stream;
    struct http_str method, scheme, authority, path; /* authority is Host's value if :authority is missing */
    struct http_field *fields;                       /* in the order received, without pseudo-header fields */
    size_t nfields;
    bool grpc;       /* content-type: application/grpc, or that followed by + or ; */
    bool end_stream; /* no body and no trailers follow */
    void *user;      /* for the callback to set; handed back with the stream's later events */
};

/* What becomes of a request. Zero-initialised: pass it unchanged. An answer comes without its body where the
 * client has granted no more of its connection window than the service may use (RFC 9113 starts so). What is
 * left of an answered request is dropped; it is reset, with NO_ERROR, after 128 KiB or a second. */
struct http2_verdict {
    int status;      /* 0: pass; else answered here with this HTTP status, and the service never sees it */
    int grpc_status; /* > 0: a gRPC request gets a trailers-only answer with this grpc-status instead */
    struct http_str
        message;          /* text of the small body or of grpc-message; must be fit for the caller's eyes */
    struct http_str type; /* content-type of the body, empty: text/plain */
    const struct http_field
        *add;    /* passed: appended to the request; answered: to the answer's header section */
    size_t nadd; /* all of these must stay valid until http2_feed returns */
};

/* A final response's header section, before it goes to the client. */
struct http2_response {
    uint32_t stream;
    int status;
    struct http_field *fields;
    size_t nfields;
    const struct http_field *add; /* for the callback to set: appended; valid until http2_feed returns */
    size_t nadd;
    void *user;
};

enum http2_outcome {
    HTTP2_COMPLETE,   /* both directions ended as they should */
    HTTP2_ANSWERED,   /* answered here: a verdict, a limit, or the service was lost before it responded */
    HTTP2_RESET_DOWN, /* the client reset the stream or went away */
    HTTP2_RESET_UP,   /* the service reset the stream, refused it by GOAWAY or went away after it had begun to
                         respond */
    HTTP2_BROKEN_DOWN, /* the client broke the protocol */
    HTTP2_BROKEN_UP,   /* the service broke the protocol */
};

/* A request's end, for the access log. One for every request callback and one for every request refused
 * before it. */
struct http2_end {
    uint32_t stream;
    enum http2_outcome outcome;
    uint32_t code;           /* HTTP/2 error code of a reset, else 0 */
    int status;              /* HTTP status sent to the client, 0: none */
    int grpc_status;         /* -1: none seen */
    uint64_t request_bytes;  /* of body, without padding */
    uint64_t response_bytes; /* likewise */
    uint64_t began_ms; /* sink time of the request's and, 0 if none, of the final response's header section */
    uint64_t responded_ms;
    void *user;
};

/* How the codec speaks to the session. Any callback but emit may be NULL. None may call back into the codec.
 */
struct http2_calls {
    /* Bytes for `side`; valid during the call only. May point into what was fed. */
    void (*emit)(void *ctx, enum http2_side side, const uint8_t *data, size_t size);
    /* Judge a request. */
    void (*request)(void *ctx, struct http2_request *request, struct http2_verdict *verdict);
    /* A final response goes to the client. */
    void (*response)(void *ctx, struct http2_response *response);
    /* A field of a trailer section (from `side`) or an interim response: true leaves it out. */
    bool (*trailer)(void *ctx, enum http2_side side, const struct http_field *field);
    void (*end)(void *ctx, const struct http2_end *end);
};

struct http2_sink {
    const struct http2_calls *calls;
    void *ctx;
    uint64_t now_ms; /* any monotonic clock */
};

/* Buffers that the connections of one thread share: a header list and a header block being worked on. */
struct http2_scratch;
/* limits must outlive it and fit every connection that uses it. NULL: out of memory. */
struct http2_scratch *http2_scratch_new(const struct http2_limits *limits);
void http2_scratch_free(struct http2_scratch *scratch);

struct http2_conn;
/* limits and scratch must outlive the connection; now_ms: of the sink's clock. NULL: out of memory. */
struct http2_conn *http2_conn_new(const struct http2_limits *limits, struct http2_scratch *scratch,
                                  uint64_t now_ms);
/* Frees without a word to anybody; requests still open get their end event if a sink is given. */
void http2_conn_free(struct http2_conn *conn, const struct http2_sink *sink);

enum http2_result {
    HTTP2_MORE,  /* go on */
    HTTP2_CLOSE, /* flush both sides, then close both; http2_why tells the cause */
};

/* Bytes that `side` sent, in any portions. All of them are consumed. */
enum http2_result http2_feed(struct http2_conn *conn, enum http2_side side, const uint8_t *data, size_t size,
                             const struct http2_sink *sink) __attribute__((warn_unused_result));

/* `side` sent its last byte (end of file or reset). For HTTP2_UP it is http2_service_lost with status 502. */
enum http2_result http2_eof(struct http2_conn *conn, enum http2_side side, const struct http2_sink *sink);

/* The service could not be reached or is gone: requests without a response are answered with `status` (502,
 * 503, 504; grpc-status 14 UNAVAILABLE) and `message`, others are reset, the client gets GOAWAY. Returns
 * HTTP2_CLOSE; but HTTP2_MORE where the client has made no request yet: its first will be told so, and then
 * it gets GOAWAY. message must outlive the connection. */
enum http2_result http2_service_lost(struct http2_conn *conn, int status, const char *message,
                                     const struct http2_sink *sink);

/* Finish: GOAWAY to the client, no new requests, open ones go on. The first call announces it and lets
 * requests on their way still in (GOAWAY with 2^31-1, then a PING; its answer, http2_timeout or a second call
 * sets the final id); `now` sets it at once. Call http2_state afterwards. */
void http2_drain(struct http2_conn *conn, bool now, const struct http2_sink *sink);

/* How long is waited; 0: for ever. */
struct http2_patience {
    uint64_t request_ms;  /* for the client's preface, for a header block or other frame as a whole, for each
                             next  piece of a body (but of gRPC, whose calls have deadlines of their own), and
                             for either  side's ACK of SETTINGS (RFC 9113, 6.5.3) */
    uint64_t response_ms; /* for the service to begin its response, and for each next piece of it; not while
                             the client grants no window for one */
    uint64_t readable_ms[2]; /* since when the transports are read from without a pause: what a side could not
                                be heard to say before is not held against it */
};
/* When the connection's patience ends, on the sink's clock; 0: never. A drain's second step is timed by it,
 * too. */
uint64_t http2_due(const struct http2_conn *conn, const struct http2_patience *patience);
/* It may have ended: the streams that are late are answered 408, 504 or reset; a client that is late with
 * what holds up the connection itself ends it. */
enum http2_result http2_timeout(struct http2_conn *conn, const struct http2_patience *patience,
                                const struct http2_sink *sink) __attribute__((warn_unused_result));

enum http2_state {
    HTTP2_OPEN,
    HTTP2_DRAINING, /* http2_drain was called or either side sent GOAWAY */
    HTTP2_DONE,     /* draining and no request is open, or dead: close both sides once flushed */
};
enum http2_state http2_state(const struct http2_conn *conn);

/* Number of requests open, those answered here not counted. */
size_t http2_streams(const struct http2_conn *conn);

/* After HTTP2_CLOSE: which side broke what. code is what GOAWAY carried; text is static. */
struct http2_why {
    enum http2_side side;
    uint32_t code;
    const char *text;
};
struct http2_why http2_why(const struct http2_conn *conn);

/* The grpc-status for an HTTP status that the sidecar answers with: 403 PERMISSION_DENIED, 429
 * RESOURCE_EXHAUSTED, 401 UNAUTHENTICATED, 502, 503 and 504 UNAVAILABLE, 400 and 431 INTERNAL, else UNKNOWN.
 */
int http2_grpc_status(int status);

#endif
