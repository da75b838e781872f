/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of the HTTP/2 relay share; http2.h tells what it does, this tells how it is put together.
 *
 *   http2.c          the calls of http2.h: life, feeding, drain, loss; connection errors
 *   http2_frame.c    bytes to frames, and what every frame must be before its kind is looked at
 *   http2_flow.c     DATA, WINDOW_UPDATE: windows, padding, frames cut at the edge of what has arrived
 *   http2_control.c  SETTINGS, PING, GOAWAY, RST_STREAM, PRIORITY, unknown frames
 *   http2_hpack.c    header blocks to fields and back, by hpack.h; the scratch
 *   http2_fields.c   what header lists must be (RFC 9113, 8)
 *   http2_headers.c  requests, responses, trailers
 *   http2_stream.c   the table of open streams, their end, errors that end one
 *   http2_answer.c   responses of our own
 *   http2_flood.c    token buckets
 *   http2_time.c     timeouts
 *
 * Handlers return false when they ended the connection (by http2_fail); nothing of it may be touched then but
 * to return. The two sides are called S, who sent what is being looked at, and R, the other.
 */
#ifndef OUTRIDER_SIDECAR_HTTP_HTTP2_PRIVATE_H
#define OUTRIDER_SIDECAR_HTTP_HTTP2_PRIVATE_H

#include "sidecar/http/hpack.h"
#include "sidecar/http/http2.h"

/* RFC 9113, 6. */
enum http2_type {
    HTTP2_DATA = 0,
    HTTP2_HEADERS = 1,
    HTTP2_PRIORITY = 2,
    HTTP2_RST_STREAM = 3,
    HTTP2_SETTINGS = 4,
    HTTP2_PUSH_PROMISE = 5,
    HTTP2_PING = 6,
    HTTP2_GOAWAY = 7,
    HTTP2_WINDOW_UPDATE = 8,
    HTTP2_CONTINUATION = 9,
};

enum {
    HTTP2_FLAG_ACK = 0x1,
    HTTP2_FLAG_END_STREAM = 0x1,
    HTTP2_FLAG_END_HEADERS = 0x4,
    HTTP2_FLAG_PADDED = 0x8,
    HTTP2_FLAG_PRIORITY = 0x20,
};

/* RFC 9113, 6.5.2. */
enum http2_setting {
    HTTP2_SET_HEADER_TABLE_SIZE = 1,
    HTTP2_SET_ENABLE_PUSH = 2,
    HTTP2_SET_MAX_CONCURRENT_STREAMS = 3,
    HTTP2_SET_INITIAL_WINDOW_SIZE = 4,
    HTTP2_SET_MAX_FRAME_SIZE = 5,
    HTTP2_SET_MAX_HEADER_LIST_SIZE = 6,
};

enum {
    HTTP2_HEAD_LEN = 9,
    HTTP2_FRAME_MIN = 16384, /* the smallest SETTINGS_MAX_FRAME_SIZE, hence always allowed */
    HTTP2_TABLE_DEFAULT = 4096,
    HTTP2_SMALL = 16,  /* payloads up to this are gathered without an allocation */
    HTTP2_UNACKED = 8, /* SETTINGS on their way to a side without an ACK; more ends the connection */
    HTTP2_SETTINGS_ENTRIES = 64, /* entries of one SETTINGS; more ends the connection */
    HTTP2_GOAWAY_TEXT = 256,     /* bytes of a GOAWAY's debug data passed on */
    HTTP2_LINGERING = 8,         /* requests that may linger; with one more the oldest is reset */
    HTTP2_LINGER_MS = 1000,      /* and for how long */
    HTTP2_BOMB = 4,              /* header lists this many times over their limit end the connection */
};
#define HTTP2_WINDOW_MAX 0x7fffffff
#define HTTP2_WINDOW_DEFAULT 65535
#define HTTP2_STREAM_MAX 0x7fffffffu

struct http2_frame {
    uint32_t length;
    uint8_t type, flags;
    uint32_t stream; /* without the reserved bit */
    bool reserved;   /* that bit */
};

/* SETTINGS that a side has been sent and not acknowledged, and what the ACK puts in force. */
struct http2_unacked {
    uint64_t since_ms;
    bool own;                       /* ours: the ACK is not passed on */
    uint32_t initial_window;        /* of the SETTINGS that were passed on */
    bool table;                     /* ... which stated HEADER_TABLE_SIZE */
    uint32_t table_min, table_size; /* the smallest on the way, the last */
};

enum http2_rate {
    HTTP2_RATE_RESET,
    HTTP2_RATE_PING,
    HTTP2_RATE_SETTINGS,
    HTTP2_RATE_EMPTY,
    HTTP2_RATES,
};

enum http2_reading {
    HTTP2_READ_PREFACE, /* the client's 24 bytes; then HEAD */
    HTTP2_READ_HEAD,    /* a frame's 9 bytes; then one of the following, and back */
    HTTP2_READ_WHOLE,   /* a payload that is handled in one piece */
    HTTP2_READ_PAD,     /* a padded DATA frame's first byte; then DATA */
    HTTP2_READ_DATA,    /* DATA */
    HTTP2_READ_SKIP,    /* a payload that nobody wants */
};

/* One side of the connection: what it sends and what it is sent. */
struct http2_peer {
    /* the frame being read from it */
    enum http2_reading reading;
    uint8_t nhead; /* bytes of the preface or of head that are here */
    uint8_t head[HTTP2_HEAD_LEN];
    uint8_t small[HTTP2_SMALL];
    struct http2_frame frame;
    uint32_t left;         /* bytes of its payload to come */
    uint32_t data;         /* of DATA: those of them that are not padding */
    bool deliver;          /* of DATA: pass it on, else drop it */
    uint8_t *gather;       /* a payload of more than HTTP2_SMALL that came in parts; else NULL */
    uint32_t gathered;     /* bytes in gather or small */
    uint32_t frame_accept; /* the largest frame it may send: the largest MAX_FRAME_SIZE it has been told */

    /* the header block being read from it */
    uint32_t block_stream; /* 0: none */
    bool block_ends;       /* END_STREAM */
    uint32_t continuations;
    uint8_t *block;
    size_t block_size, block_cap;
    struct hpack_decoder decoder;
    bool table_acked; /* it knows our HEADER_TABLE_SIZE */

    uint64_t partial_ms; /* since when a frame or header block of it is incomplete, or for DATA the last part;
                          * 0: none
                          */
    bool said;           /* its first SETTINGS have come */
    bool greeted;        /* it has been sent SETTINGS */
    bool gone_away;      /* it sent GOAWAY */

    /* connection flow control: credit is what it may send, window what it may be sent. See http2_flow.c. */
    int64_t credit, window;
    uint64_t opened_ms; /* when window was last raised from nothing */

    /* stream flow control: INITIAL_WINDOW_SIZE as it stated it last, and the largest that the other side may
     * still go by */
    uint32_t initial_window, initial_acked, initial_allowed;
    uint32_t frame_max;             /* its MAX_FRAME_SIZE, capped: DATA to it is cut at this */
    struct hpack_encoder *encoder;  /* NULL until needed */
    uint32_t table_min, table_size; /* until then: its HEADER_TABLE_SIZE in force: smallest so far, last */

    struct http2_unacked unacked[HTTP2_UNACKED]; /* oldest first */
    uint8_t nunacked;
    uint32_t pings; /* PINGs of the other side that it owes an ACK */

    int64_t tokens[HTTP2_RATES]; /* thousandths */
    uint32_t grace_frames;       /* frames it may yet send on streams that are closed, beyond the rate */
    int64_t grace_bytes;         /* likewise, of DATA */
};

/* A request on its way. Indexed by side: who sends. */
struct http2_stream {
    uint32_t id;
    bool ended[2];  /* END_STREAM has been passed on from this side */
    bool responded; /* the final response's header section has been passed on */
    bool head;      /* HEAD: the response has no body */
    bool grpc;
    bool listed; /* is in the connection's table, and from malloc */
    int status, grpc_status;
    int64_t expect[2];   /* content-length, -1: not said */
    uint64_t bytes[2];   /* of DATA passed on */
    int64_t relative[2]; /* what this side may send, less the receiver's INITIAL_WINDOW_SIZE */
    uint64_t began_ms, responded_ms;
    uint64_t moved_ms; /* the last of anything on it that the other side waits for */
    void *user;
};

/* A request that was answered before it was complete. Many a client gets a reset right behind its answer
 * wrong, so it may send some more first. */
struct http2_lingering {
    uint32_t id;
    uint32_t left; /* bytes of DATA until it is reset */
    uint64_t since_ms;
};

struct http2_conn {
    const struct http2_limits *limits;
    struct http2_scratch *scratch;
    const struct http2_sink *sink; /* during a call; NULL only in http2_conn_free */
    struct http2_peer peer[2];

    struct http2_stream **slots;           /* open addressing by id / 2; NULL if there is none */
    uint32_t nslots, nstreams, ndisplaced; /* displaced: not in the slot of its id */
    struct http2_stream *recent[2];        /* the one found last for each side, or NULL */
    uint32_t last_id;                      /* the highest id that the client has used */

    /* whole frames of the fed bytes that go to run_side as they are and have not been emitted yet */
    const uint8_t *run;
    size_t run_size;
    enum http2_side run_side;

    struct http2_lingering lingering[HTTP2_LINGERING]; /* oldest first */
    uint8_t nlingering;

    int64_t reserve; /* of the client's connection window: what is kept for answers of our own */
    uint64_t began_ms;
    uint64_t calm_ms;   /* when the first stream came after there was none */
    uint64_t sweep_ms;  /* when the streams are to be looked through for late ones; 0: calm_ms tells */
    uint64_t drain_ms;  /* when the drain's PING went out */
    uint64_t lost_ms;   /* when lost_status was set */
    uint64_t filled_ms; /* when tokens were filled up */

    bool draining;   /* http2_drain was called, or the service is lost */
    bool refusing;   /* ... and the final GOAWAY sent */
    bool pinging;    /* ... and its PING waits for the answer */
    bool up_lost;    /* the service gets nothing any more */
    bool done;       /* nothing is left to do */
    bool dead;       /* a call returned HTTP2_CLOSE */
    int lost_status; /* ... before the client's first request, which gets this for an answer; 0: it did not */
    const char *lost_message;
    uint32_t up_last;   /* the service's GOAWAY; HTTP2_STREAM_MAX: all are welcome */
    uint32_t down_last; /* likewise what the client was told */
    struct http2_why why;
};

static inline enum http2_side http2_other(enum http2_side side)
{
    return side == HTTP2_DOWN ? HTTP2_UP : HTTP2_DOWN;
}

static inline uint32_t http2_get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void http2_put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static inline void http2_put_head(uint8_t *p, size_t length, enum http2_type type, unsigned flags,
                                  uint32_t stream)
{
    http2_put32(p, (uint32_t)length << 8 | (uint32_t)type);
    p[4] = (uint8_t)flags;
    http2_put32(p + 5, stream);
}

static inline bool http2_str_is(struct http_str s, const char *literal, size_t n)
{
    return s.n == n && __builtin_memcmp(s.p, literal, n) == 0;
}
#define HTTP2_IS(s, literal) http2_str_is(s, "" literal, sizeof(literal) - 1)

/* --- http2.c --- */
/* Around the work of every call; leave tells what is to be returned. */
void http2_enter(struct http2_conn *c, const struct http2_sink *sink);
enum http2_result http2_leave(struct http2_conn *c);
/* Frames for a side. Greets the client first if need be; says nothing to a service that was never greeted. */
void http2_emit(struct http2_conn *c, enum http2_side side, const uint8_t *data, size_t size);
/* A whole frame of at most 9 + 512 bytes. */
void http2_emit_frame(struct http2_conn *c, enum http2_side side, enum http2_type type, unsigned flags,
                      uint32_t stream, const void *payload, size_t size);
void http2_flush_run(struct http2_conn *c);
/* Side broke the protocol: says so to it, ends every request, tells the other side, closes. Returns false. */
bool http2_fail(struct http2_conn *c, enum http2_side side, uint32_t code, const char *text);
/* GOAWAY to a side; never raises what the client was told. text may be NULL. */
void http2_goaway(struct http2_conn *c, enum http2_side side, uint32_t last, uint32_t code,
                  const uint8_t *text, size_t size);

/* --- http2_frame.c --- */
bool http2_read(struct http2_conn *c, enum http2_side side, const uint8_t *data, size_t size);
/* A frame on a stream that is closed: harmless if it was on its way when that happened, a flood if not. */
bool http2_stray(struct http2_conn *c, enum http2_side side);

/* --- http2_flow.c --- */
/* The head of a DATA frame was read: sets how its payload is read. */
bool http2_data_head(struct http2_conn *c, enum http2_side side);
/* Its length without padding is known. */
bool http2_data_begin(struct http2_conn *c, enum http2_side side, uint32_t padding);
/* Up to size bytes at p: the payload from its present place on. Returns false as handlers do. */
bool http2_data_part(struct http2_conn *c, enum http2_side side, const uint8_t *p, size_t size, size_t *used);
/* A whole unpadded DATA frame at p, its 9 bytes included, that http2_data_head has accepted. */
bool http2_data_run(struct http2_conn *c, enum http2_side side, const uint8_t *p);
bool http2_window_update(struct http2_conn *c, enum http2_side side, const uint8_t *p);
/* Gives both sides the connection window that is due to them. */
void http2_flow_settle(struct http2_conn *c);
/* May a body of size bytes of ours go to the client on this stream? Then it is accounted for. */
bool http2_flow_borrow(struct http2_conn *c, struct http2_stream *st, size_t size);
/* WINDOW_UPDATE to side. */
void http2_grant(struct http2_conn *c, enum http2_side side, uint32_t stream, uint32_t size);
/* What the side may still send on this stream. */
int64_t http2_flow_left(const struct http2_conn *c, const struct http2_stream *st, enum http2_side side);

/* --- http2_control.c --- */
bool http2_settings(struct http2_conn *c, enum http2_side side, const uint8_t *p, uint32_t size);
bool http2_ping(struct http2_conn *c, enum http2_side side, const uint8_t *p);
bool http2_goaway_received(struct http2_conn *c, enum http2_side side, const uint8_t *p, uint32_t size);
bool http2_rst_stream(struct http2_conn *c, enum http2_side side, const uint8_t *p);
bool http2_priority(struct http2_conn *c, enum http2_side side, const uint8_t *p);
bool http2_unknown(struct http2_conn *c, enum http2_side side, const uint8_t *p);
/* SETTINGS of our own for a client to which the service has said nothing yet. */
void http2_greet(struct http2_conn *c);
/* The service is gone before the client's first request: its part in what the client said is ours. */
void http2_own_settings(struct http2_conn *c);
/* A drain's PING and the final GOAWAY. */
void http2_drain_ping(struct http2_conn *c);
void http2_drain_final(struct http2_conn *c);

/* --- http2_hpack.c --- */
struct http2_scratch {
    const struct http2_limits *limits;
    struct http_field *fields;
    size_t nfields, fields_cap;
    char *text; /* of the fields, where it is not in the block, and of joined crumbs */
    size_t ntext, text_cap;
    bool overflow; /* the list was larger than allowed: fields holds its beginning */

    enum http2_side to; /* the header list that is being written, behind room for a frame's head */
    uint8_t *out;
    size_t nout, out_cap;
    bool failed; /* no memory for it */
};
/* Decodes a block from side into the scratch. */
bool http2_decode(struct http2_conn *c, enum http2_side side, const uint8_t *block, size_t size);
/* Begins a header list to a side, adds to it, emits it; each that is begun must be emitted. */
void http2_list_start(struct http2_conn *c, enum http2_side to);
void http2_list_add(struct http2_conn *c, struct http_str name, struct http_str value, bool sensitive);
/* Likewise fields that callbacks added; what is not fit to be sent is left out. */
void http2_list_extend(struct http2_conn *c, const struct http_field *add, size_t n);
bool http2_list_send(struct http2_conn *c, uint32_t stream, bool end_stream);
/* Table sizes: what side stated comes into force; what it was told does. */
void http2_encode_limit(struct http2_conn *c, enum http2_side side, uint32_t smallest, uint32_t size);
void http2_decode_limit(struct http2_conn *c, enum http2_side side);

/* --- http2_fields.c --- */
enum http2_section_kind {
    HTTP2_SECTION_REQUEST,
    HTTP2_SECTION_RESPONSE,
    HTTP2_SECTION_TRAILER,
};
struct http2_section {
    struct http_str method, scheme, authority, path;
    int status;
    int64_t length;  /* content-length, -1: none */
    int grpc_status; /* -1: none */
    bool grpc;
    struct http_field *fields; /* the scratch's, without pseudo-header fields */
    size_t nfields;
};
/* Reads the scratch's list; false: malformed. With overflow it reads what it can and says true. */
bool http2_section_read(struct http2_scratch *s, enum http2_section_kind kind, struct http2_section *out);

/* --- http2_headers.c --- */
/* A complete header block. */
bool http2_block(struct http2_conn *c, enum http2_side side, uint32_t stream, bool end_stream,
                 const uint8_t *block, size_t size);

/* --- http2_stream.c --- */
struct http2_stream *http2_stream_find(struct http2_conn *c, enum http2_side side, uint32_t id);
/* A copy of st in the table; NULL: out of memory. */
struct http2_stream *http2_stream_insert(struct http2_conn *c, const struct http2_stream *st);
/* The stream is over: tells so and forgets it. */
void http2_stream_finish(struct http2_conn *c, struct http2_stream *st, enum http2_outcome outcome,
                         uint32_t code);
/* END_STREAM of side has been passed on. */
void http2_stream_ended(struct http2_conn *c, struct http2_stream *st, enum http2_side side);
void http2_reset(struct http2_conn *c, enum http2_side side, uint32_t id, uint32_t code);
/* Side broke this stream's rules: resets it on both sides. */
bool http2_stream_broken(struct http2_conn *c, struct http2_stream *st, enum http2_side side, uint32_t code);
/* Calls what for every stream with id > above; it may finish that one, but begin none. */
void http2_stream_each(struct http2_conn *c, uint32_t above,
                       void (*what)(struct http2_conn *c, struct http2_stream *st, void *arg), void *arg);

/* --- http2_answer.c --- */
struct http2_answer {
    int status, grpc_status; /* grpc_status > 0 and a gRPC request: trailers only */
    struct http_str message, type;
    const struct http_field *add;
    size_t nadd;
};
/* Answers; the caller finishes the stream. What is left of the request is dropped, and after a while reset.
 */
bool http2_answer(struct http2_conn *c, struct http2_stream *st, const struct http2_answer *a);
/* The client sent DATA, its last frame, or RST_STREAM on a closed stream. */
void http2_linger_frame(struct http2_conn *c, uint32_t id, uint32_t length, bool ends);
/* Resets those that have had their time. */
void http2_linger_age(struct http2_conn *c);

/* --- http2_time.c --- */
/* Bytes of side have been read. */
void http2_note_partial(struct http2_conn *c, enum http2_side side);

/* --- http2_flood.c --- */
void http2_tokens_fill(struct http2_conn *c);
bool http2_token(struct http2_conn *c, enum http2_side side, enum http2_rate rate);
/* A DATA or HEADERS frame went by. */
void http2_tokens_earn(struct http2_conn *c);

#endif
