/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One TLS connection over memory: ciphertext in, plaintext out, and back. No descriptor, no event loop.
 *
 * All streams of a worker share one tls_io. The caller points in/in_size at a chunk that it received, calls
 * the stream until it says WANT (all of the chunk is consumed then: the stream itself keeps a partial
 * record), and sends out[0..out_size) after every call that may have produced some. out must have room:
 * tls_stream_out_bound(n) bytes for a write of n; TLS_IO_HANDSHAKE_ROOM for anything else.
 */
#ifndef SIDECAR_TLS_STREAM_H
#define SIDECAR_TLS_STREAM_H

#include "sidecar/tls/ctx.h"

enum {
    TLS_IO_HANDSHAKE_ROOM = 40 * 1024, /* out_cap - out_size that a handshake, read or close call may fill */
    TLS_RECORD_PLAIN_MAX = 16384,
    TLS_READ_ROOM = TLS_RECORD_PLAIN_MAX + 1, /* with this room any record is decrypted where it is to go */
    TLS_RECORD_OVERHEAD_MAX = 64,
};

struct tls_io {
    const uint8_t *in; /* ciphertext not consumed yet; advanced by the stream */
    size_t in_size;
    uint8_t *out; /* ciphertext to send; appended by the stream */
    size_t out_size;
    size_t out_cap;
};

enum tls_result {
    TLS_OK,     /* done; tls_stream_read: N bytes are there */
    TLS_WANT,   /* needs more input (or, for a write, more room) */
    TLS_CLOSED, /* read only: the peer sent close_notify; writing still works */
    TLS_FAILED, /* for good: see tls_stream_error_text(); an alert may stand in out */
};

/* Alerts (RFC 8446 section 6); close_notify is tls_stream_close_notify(). */
enum tls_alert {
    TLS_ALERT_NONE = -1,
    TLS_ALERT_UNEXPECTED_MESSAGE = 10,
    TLS_ALERT_BAD_RECORD_MAC = 20,
    TLS_ALERT_RECORD_OVERFLOW = 22,
    TLS_ALERT_HANDSHAKE_FAILURE = 40,
    TLS_ALERT_BAD_CERTIFICATE = 42,
    TLS_ALERT_UNSUPPORTED_CERTIFICATE = 43,
    TLS_ALERT_CERTIFICATE_REVOKED = 44,
    TLS_ALERT_CERTIFICATE_EXPIRED = 45,
    TLS_ALERT_CERTIFICATE_UNKNOWN = 46,
    TLS_ALERT_ILLEGAL_PARAMETER = 47,
    TLS_ALERT_UNKNOWN_CA = 48,
    TLS_ALERT_ACCESS_DENIED = 49,
    TLS_ALERT_DECODE_ERROR = 50,
    TLS_ALERT_PROTOCOL_VERSION = 70,
    TLS_ALERT_INTERNAL_ERROR = 80,
    TLS_ALERT_USER_CANCELED = 90,
    TLS_ALERT_UNRECOGNIZED_NAME = 112,
    TLS_ALERT_CERTIFICATE_REQUIRED = 116,
    TLS_ALERT_NO_APPLICATION_PROTOCOL = 120,
};

struct tls_stream_info {
    const char *version;     /* "TLSv1.3" */
    const char *cipher;      /* OpenSSL's name: "ECDHE-ECDSA-AES128-GCM-SHA256" or "TLS_AES_128_GCM_SHA256" */
    const char *cipher_iana; /* "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" */
    const char *group;       /* "X25519MLKEM768" */
    const char *sni;         /* server: as the caller asked; client: what we asked for; NULL: none */
    const char *alpn;        /* negotiated, zero-terminated; NULL: none */
    bool resumed;
    bool asked;    /* client: the server asked for a certificate, */
    bool showed;   /* and got ours */
    bool ticket;   /* client: the server gave a session ticket */
    bool verified; /* a certificate was presented in THIS handshake, which was completed, and the judge
                      trusted it then; stays so when the stream fails later */
};

struct tls_stream;

/*
 * A new connection, server or client as its context is. IO must outlive it. PEEKED_SNI (server only): the
 * name that tls_hello_parse() saw, or NULL if none; the handshake fails if the one negotiated differs. NULL
 * when out of memory.
 */
struct tls_stream *tls_stream_new(struct tls_ctx *ctx, struct tls_io *io, const char *peeked_sni)
    __attribute__((warn_unused_result));
/* Client, before its first step: offers PROTOCOL (static) alone by ALPN; its context must have none to offer.
 * False: out of memory. */
bool tls_stream_offer_alpn(struct tls_stream *stream, const char *protocol)
    __attribute__((warn_unused_result));
void tls_stream_free(struct tls_stream *stream); /* NULL is fine; sends nothing */

/*
 * Goes on with the handshake: OK, WANT or FAILED. OK means: the peer is admitted by our own judgement
 * (tls_ctx_admits), asserted from what was seen in this very handshake.
 */
enum tls_result tls_stream_handshake(struct tls_stream *stream) __attribute__((warn_unused_result));

/*
 * Reads at most CAP bytes of plaintext. OK (*SIZE > 0), WANT, CLOSED or FAILED. Call again after OK: several
 * records may have come in one chunk.
 */
enum tls_result tls_stream_read(struct tls_stream *stream, uint8_t *data, size_t cap, size_t *size)
    __attribute__((warn_unused_result));

/* Whether a read would give plaintext without more input. */
bool tls_stream_pending(const struct tls_stream *stream);

/*
 * Whether the stream is open, neither side has said that it ends, and nothing has been received that was not
 * read, not even a part of a record.
 */
bool tls_stream_rests(const struct tls_stream *stream);

/* Room in out that a write of SIZE bytes may need. */
size_t tls_stream_out_bound(size_t size);

/* Writes all of DATA into out, which must have tls_stream_out_bound(SIZE) bytes of room: OK or FAILED. */
enum tls_result tls_stream_write(struct tls_stream *stream, const uint8_t *data, size_t size)
    __attribute__((warn_unused_result));

/* Appends close_notify once: we write no more; reading goes on. OK or FAILED. */
enum tls_result tls_stream_close_notify(struct tls_stream *stream);

/*
 * Refuses: appends this fatal alert, in whichever state the stream is, and no other after it. The stream is
 * FAILED from then on with WORDS as its error text (copied; NULL keeps the text there is).
 */
void tls_stream_alert(struct tls_stream *stream, enum tls_alert alert, const char *words);

/*
 * Why the stream failed, in words: "issuer not trusted: ...", "no certificate presented", "peer sent alert
 * unknown_ca", "no common protocol version". Never NULL; "" while nothing failed. Valid until the next call
 * on the stream.
 */
const char *tls_stream_error_text(const struct tls_stream *stream);
enum tls_alert tls_stream_alert_sent(const struct tls_stream *stream);     /* fatal ones only; NONE if none */
enum tls_alert tls_stream_alert_received(const struct tls_stream *stream); /* likewise */
const char *tls_alert_name(enum tls_alert alert); /* "unknown_ca"; "alert 99" is not known: "unknown" */
enum tls_alert tls_status_alert(enum tls_status status); /* the alert that names this cause to the peer */

/*
 * After the handshake (fields that are not known yet are NULL or false before). Where it failed, version,
 * suite and group are there if they had been agreed on.
 */
struct tls_stream_info tls_stream_info(const struct tls_stream *stream);

/* The peer, if it presented a certificate that parses; borrowed from the stream. Set even when it was
 * refused. */
struct tls_peer *tls_stream_peer(const struct tls_stream *stream);

/* The verdict of the handshake in words and number; status NONE_PRESENTED if there was no certificate. */
const struct tls_verdict *tls_stream_verdict(const struct tls_stream *stream);
struct tls_ctx *tls_stream_ctx(const struct tls_stream *stream);

/*
 * Whether the open STREAM may go on under CTX, the context that a new snapshot has in its place:
 * tls_ctx_admits() of its peer, and who was let in as verified must still be trusted, even where CTX only
 * requests certificates.
 */
bool tls_stream_admitted(const struct tls_stream *stream, const struct tls_ctx *ctx, int64_t now, char *words,
                         size_t words_size);

#endif
