/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A stream's inside, for stream.c and stream_resume.c alone. */
#ifndef SIDECAR_TLS_STREAM_PRIVATE_H
#define SIDECAR_TLS_STREAM_PRIVATE_H

#include "sidecar/tls/ctx_private.h"
#include "sidecar/tls/stream.h"
#include "sidecar/tls/ticket.h"

/* The session that a handshake may go on from. Freed at its end. */
struct tls_resumption {
    struct tls_peer *peer; /* who proved then to be it; NULL: no certificate was asked for */
    int64_t until;
    uint8_t iv[TLS_TICKET_IV_SIZE]; /* server: tells tickets apart */
    uint8_t hello;                  /* server: the ClientHello that the ticket came in, counted from 1 */
    bool binds;                     /* client: to a version older than the context's */
};

struct tls_stream {
    WOLFSSL *wolfssl;
    struct tls_ctx *ctx;
    struct tls_io *io;
    struct tls_peer *peer;
    struct tls_resumption
        *resumption;     /* in the handshake: the ticket taken or the session offered; or NULL */
    char *sni;           /* server: as peeked, NULL: none */
    char *error;         /* NULL: nothing failed yet */
    int64_t judged_at;   /* seconds since 1970 */
    int64_t until;       /* seconds since 1970: what was proved in the full handshake can be gone on from */
    const char *offered; /* client: by ALPN, in place of what the context has; NULL: nothing */
    const char *alpn;    /* one of the context's, or what was offered */
    const char *group;
    const struct tls_cipher *cipher;
    int16_t alert_sent, alert_received;
    uint8_t status; /* enum tls_status of the verdict; of what PEER could not be made of */
    uint8_t hellos; /* server: ClientHellos looked at */
    enum {
        HANDSHAKE, /* -> OPEN when the peer is admitted, -> FAILED */
        OPEN,      /* -> FAILED */
        FAILED,    /* for good */
    } state : 8;
    bool presented;      /* in this handshake the peer presented a certificate, and it was judged */
    bool resumed;        /* in this handshake the peer proved to be the one of an earlier one */
    bool verified;       /* it did one or the other, and the judge trusts it */
    bool opened;         /* the handshake was completed, whatever came of the stream since */
    bool ticket_came;    /* client: since it was last looked at */
    bool ticket;         /* client: one came at all */
    bool overflow;       /* there was no room in out */
    bool muted;          /* a fatal alert has been sent: nothing follows it */
    bool closed_by_us;   /* close_notify sent */
    bool closed_by_peer; /* close_notify received */
};

/* --- stream_resume.c --- */

/* Client: offers a session of the context's, if there is one whose server is still admitted. */
void tls_stream_offer_session(struct tls_stream *stream);
/* Client: a ticket came: the context keeps its session, if it is any good. */
void tls_stream_keep_session(struct tls_stream *stream);
int tls_stream_ticket_came(WOLFSSL *ssl, const unsigned char *ticket, int size, void *stream);

/*
 * wolfSSL resumed a session: makes its peer the stream's, judged now. False: it is not one that we gave a
 * ticket for or offered, or more was seen than a resumption has.
 */
bool tls_stream_take_resumed(struct tls_stream *stream) __attribute__((warn_unused_result));
/* Forgets what the handshake might have gone on from. */
void tls_stream_forget_resumption(struct tls_stream *stream);

#endif
