/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What contexts and streams share; private to this room. */
#ifndef SIDECAR_TLS_CTX_PRIVATE_H
#define SIDECAR_TLS_CTX_PRIVATE_H

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "sidecar/tls/ctx.h"
#include "sidecar/tls/ticket.h"

enum {
    TLS_GROUP_COUNT = 4,
    TLS_SESSIONS_MAX = 8, /* that a client's context keeps */
};

struct tls_cipher {
    unsigned id; /* RFC 8446 section B.4, RFC 5289, RFC 7905 */
    enum tls_version version;
    const char *openssl;
    const char *iana;
    const char *wolfssl; /* as its list parser wants it */
};

/* Client: what a later handshake may go on from. */
struct tls_session {
    WOLFSSL_SESSION *wolfssl;
    struct tls_peer *peer; /* the server of it */
    int64_t until;         /* seconds since 1970 */
};

struct tls_ctx {
    WOLFSSL_CTX *wolfssl;
    bool server;
    bool revoked_allowed;
    bool alpn_strict;
    enum tls_client_auth client_auth;
    enum tls_version min_version, max_version; /* that the ciphers leave */
    int groups[TLS_GROUP_COUNT];               /* wolfSSL's numbers, in order of preference */
    int group_count;
    struct tls_trust *trust;
    struct tls_peers *peers;
    struct tls_san_pattern *allow; /* whose texts are in allow_text */
    char **allow_text;
    size_t allow_count;
    char *sni;        /* client: the name to ask for; NULL: none */
    char *alpn;       /* "h2,http/1.1"; NULL: none */
    char **alpn_list; /* the same one by one, NULL-terminated; NULL: none */
    unsigned refs;
    bool resumption;
    struct tls_ticket_keys ticket_keys;            /* server */
    struct tls_session sessions[TLS_SESSIONS_MAX]; /* client: the newest is last */
    unsigned session_count;
};

const struct tls_cipher *tls_cipher_by_id(unsigned id);

/* "P-256" for wolfSSL's "SECP256R1"; NULL if it is not one of the context's groups. */
const char *tls_ctx_group_name(const struct tls_ctx *ctx, const char *wolfssl_name);

/* stream.c: wolfSSL's callbacks, installed in each context. */
int tls_stream_send_callback(WOLFSSL *ssl, char *data, int size, void *arg);
int tls_stream_receive_callback(WOLFSSL *ssl, char *data, int size, void *arg);
int tls_stream_verify_callback(int preverify, WOLFSSL_X509_STORE_CTX *store);
int tls_stream_hello_callback(WOLFSSL *ssl, int *alert, void *arg);
/* stream_resume.c: likewise, and for a context that goes. */
int tls_stream_ticket_callback(WOLFSSL *ssl, unsigned char *name, unsigned char *iv, unsigned char *mac,
                               int seal, unsigned char *data, int data_size, int *size, void *arg);
void tls_ctx_forget_sessions(struct tls_ctx *ctx);

#endif
