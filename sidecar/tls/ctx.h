/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * TLS contexts: what all handshakes of one inbound (per CA association) or one outbound have in common.
 *
 * A context belongs to one worker and is never shared by threads. It is built whole or not at all. wolfSSL is
 * given no trusted CA, so it can accept no peer by itself: the judge (trust.h) decides in the handshake, on
 * the leaf.
 */
#ifndef SIDECAR_TLS_CTX_H
#define SIDECAR_TLS_CTX_H

#include "sidecar/tls/peer.h"
#include "sidecar/tls/san.h"

enum tls_client_auth {
    TLS_CLIENT_AUTH_REQUIRE, /* no trusted certificate, no session */
    TLS_CLIENT_AUTH_REQUEST, /* asked for; absent or not trusted is accepted as not verified, but a revoked
                                leaf only with revoked_allowed, and if allow_san is set it is as REQUIRE */
    TLS_CLIENT_AUTH_NONE,    /* not asked for */
};

enum { TLS_TICKET_SECRET_SIZE = 32 };

enum tls_version { TLS_VERSION_1_2, TLS_VERSION_1_3 };

/* Own identity: borrowed, copied by tls_ctx_new_server() and tls_ctx_new_client(). The key is PKCS#8 or
 * traditional DER, unencrypted. */
struct tls_credentials {
    const struct tls_der *chain; /* leaf first; empty: present none */
    size_t chain_count;
    struct tls_der key;
    bool matched; /* the key is known to be the leaf's: trying it costs more than the rest of a context */
};

struct tls_options {
    enum tls_version min_version;
    const char *const
        *ciphers; /* IANA or OpenSSL names in order of preference, NULL-terminated; NULL: defaults */
    const char *const
        *groups; /* X25519MLKEM768, X25519, P-256, P-384; NULL-terminated; NULL: defaults, see ctx.c */
    const char *const *alpn; /* in order of preference, NULL-terminated; NULL: none */
    bool alpn_strict; /* server: a peer that offers ALPN but none of ours is refused (RFC 7301), else ignored
                       */

    enum tls_client_auth client_auth; /* server only */
    bool revoked_allowed; /* server: a revoked, else trusted, leaf completes the handshake (the rules decide)
                           */

    const char
        *server_name; /* client only: SNI (unless an IP literal) and, without allow_san, the SAN demanded */

    /* Who the peer must be, beside being trusted. Copied. NULL or 0: server: anyone; client: server_name. */
    const char *const *allow_san;
    size_t allow_san_count;

    /*
     * Sessions may be gone on from (no 0-RTT, never), within an hour and by verified peers alone, who are
     * judged again; where no certificate is asked for, by anyone. False: no ticket is given, taken or
     * offered. A server's ticket is good at contexts with the same TICKET_SECRET (TLS_TICKET_SECRET_SIZE
     * bytes), TICKET_SCOPE and trust, for the same name, where the peer is in the table of peers; what a
     * client keeps goes with its context.
     */
    bool resumption;
    const uint8_t *ticket_secret; /* server with resumption */
    const char *ticket_scope;     /* likewise: the inbound and the CA association */
};

struct tls_ctx;

/*
 * PEERS must outlive the context; TRUST is referenced. Returns NULL with ERROR in words, e.g. "private key
 * does not match the certificate", "unknown cipher X".
 */
struct tls_ctx *tls_ctx_new_server(const struct tls_credentials *own, struct tls_trust *trust,
                                   struct tls_peers *peers, const struct tls_options *options, char *error,
                                   size_t error_size) __attribute__((warn_unused_result));
struct tls_ctx *tls_ctx_new_client(const struct tls_credentials *own, struct tls_trust *trust,
                                   struct tls_peers *peers, const struct tls_options *options, char *error,
                                   size_t error_size) __attribute__((warn_unused_result));
/* Contexts are counted by their streams: a context that was replaced lives until its last stream is freed. */
struct tls_ctx *tls_ctx_ref(struct tls_ctx *ctx);
void tls_ctx_unref(struct tls_ctx *ctx); /* NULL is fine */
struct tls_trust *tls_ctx_trust(const struct tls_ctx *ctx);
enum tls_purpose tls_ctx_purpose(const struct tls_ctx *ctx); /* of the peers it judges */

/*
 * Whether a peer may (still) hold a session under CTX's client_auth, allow_san and revoked_allowed, judged
 * against TRUST at NOW. PEER is NULL if none was presented. WORDS gets the reason of a refusal. For judging
 * live sessions again see tls_stream_admitted().
 */
bool tls_ctx_admits(const struct tls_ctx *ctx, struct tls_peer *peer, int64_t now, char *words,
                    size_t words_size);

/* Whether names are known, for the configuration's check. */
bool tls_cipher_known(const char *name);
bool tls_group_known(const char *name);

/* Once per process, before any thread: wolfSSL_Init. Returns false with ERROR in words. */
bool tls_global_init(char *error, size_t error_size) __attribute__((warn_unused_result));
void tls_global_cleanup(void);

#endif
