/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Attacks on the handshake, by chains that abuse who connected earlier and by a peer that breaks the
 * protocol: wolfSSL itself, its internal state bent in its callbacks.
 */
#include <wolfssl/options.h>
#include <wolfssl/internal.h>

#define CRL_MISSING crl_missing /* wolfSSL has an enumerator of that name */
#include "tls_pair.h"

#include "sidecar/tls/ctx_private.h"

/* --- a peer that breaks the protocol --- */

enum trick {
    HONEST,
    OMIT,      /* neither Certificate nor CertificateVerify */
    EMPTY,     /* a Certificate message without a certificate */
    UNPROVED,  /* Certificate, but no CertificateVerify */
    ANONYMOUS, /* TLS 1.2 server: no Certificate, key exchange not signed */
    RENAME,    /* client: another SNI after a HelloRetryRequest */
};

struct raw {
    WOLFSSL_CTX *ctx;
    WOLFSSL *ssl;
    struct pair_end *end; /* whose place it takes */
    enum trick trick;
    bool server;
};

static void bend(struct raw *r, bool sending)
{
    WOLFSSL *ssl = r->ssl;
    bool certificate = r->server ? sending && ssl->options.acceptState == TLS13_CERT_REQ_SENT
                                 : sending && (ssl->options.serverState == SERVER_FINISHED_COMPLETE ||
                                               ssl->options.serverState == SERVER_HELLODONE_COMPLETE);
    switch (r->trick) {
    case HONEST: break;
    case OMIT: ssl->options.sendVerify = 0; break;
    case EMPTY: ssl->options.sendVerify = SEND_BLANK_CERT; break;
    case UNPROVED:
        if (certificate)
            ssl->options.sendVerify = 0;
        break;
    case ANONYMOUS: ssl->options.usingAnon_cipher = 1; break;
    case RENAME:
        if (!sending && ssl->options.connectState == CLIENT_HELLO_SENT)
            wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, "admin.shop.svc", 14);
        break;
    }
}

static int raw_send(WOLFSSL *ssl, char *data, int size, void *arg)
{
    struct raw *r = arg;
    struct tls_io *io = &r->end->io;
    (void)ssl;
    bend(r, true);
    assert_true(io->out_size + (size_t)size <= io->out_cap);
    memcpy(io->out + io->out_size, data, (size_t)size);
    io->out_size += (size_t)size;
    return size;
}

static int raw_receive(WOLFSSL *ssl, char *data, int size, void *arg)
{
    struct raw *r = arg;
    (void)ssl;
    bend(r, false);
    size_t n = r->end->inbox_size < (size_t)size ? r->end->inbox_size : (size_t)size;
    if (n == 0)
        return WOLFSSL_CBIO_ERR_WANT_READ;
    memcpy(data, r->end->inbox, n);
    memmove(r->end->inbox, r->end->inbox + n, r->end->inbox_size - n);
    r->end->inbox_size -= n;
    return (int)n;
}

static int anything_goes(int ok, WOLFSSL_X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1;
}

/* CHAIN as in pair_spec; KEY: whose key it uses, NULL: the right one. */
static void raw_open(struct raw *r, struct pair_end *end, bool server, bool old, const char *chain,
                     const char *key)
{
    struct tls_der ders[PAIR_CERTS];
    struct tls_credentials own;
    uint8_t all[16384];
    size_t n = 0;
    *r = (struct raw){.end = end, .server = server};
    r->ctx = wolfSSL_CTX_new(server ? old ? wolfTLSv1_2_server_method() : wolfTLSv1_3_server_method()
                             : old ? wolfTLSv1_2_client_method()
                                    : wolfTLSv1_3_client_method());
    assert_non_null(r->ctx);
    wolfSSL_CTX_set_verify(r->ctx, server ? WOLFSSL_VERIFY_PEER : WOLFSSL_VERIFY_NONE, anything_goes);
    wolfSSL_CTX_SetIOSend(r->ctx, raw_send);
    wolfSSL_CTX_SetIORecv(r->ctx, raw_receive);
    pair_credentials(chain, ders, &own);
    for (size_t i = 0; i < own.chain_count; i++) {
        memcpy(all + n, ders[i].data, ders[i].size);
        n += ders[i].size;
    }
    if (n > 0) {
        if (key)
            own.key = pki_der(key);
        assert_int_equal(
            wolfSSL_CTX_use_certificate_chain_buffer_format(r->ctx, all, (long)n, WOLFSSL_FILETYPE_ASN1),
            WOLFSSL_SUCCESS);
        assert_int_equal(wolfSSL_CTX_use_PrivateKey_buffer(r->ctx, own.key.data, (long)own.key.size,
                                                           WOLFSSL_FILETYPE_ASN1),
                         WOLFSSL_SUCCESS);
    }
}

static void raw_connect(struct raw *r, enum trick trick)
{
    r->trick = trick;
    r->end->io.out_size = r->end->inbox_size = 0;
    r->ssl = wolfSSL_new(r->ctx);
    assert_non_null(r->ssl);
    wolfSSL_SetIOReadCtx(r->ssl, r);
    wolfSSL_SetIOWriteCtx(r->ssl, r);
    if (!r->server)
        wolfSSL_UseSNI(r->ssl, WOLFSSL_SNI_HOST_NAME, "web.shop.svc", 12);
}

static void raw_disconnect(struct raw *r)
{
    r->trick = HONEST;
    wolfSSL_free(r->ssl);
    r->ssl = NULL;
}

static void raw_close(struct raw *r)
{
    if (r->ssl)
        raw_disconnect(r);
    wolfSSL_CTX_free(r->ctx);
}

/* The raw end against the honest one, until nothing moves. Returns whether the raw one believes it is done.
 */
static bool raw_handshake(struct raw *r, struct pair_end *honest)
{
    bool done = false;
    for (int i = 0; i < 10; i++) {
        if (!done)
            done = (r->server ? wolfSSL_accept(r->ssl) : wolfSSL_connect(r->ssl)) == WOLFSSL_SUCCESS;
        pair_carry(r->end, honest);
        pair_step(honest, SIZE_MAX);
        pair_carry(honest, r->end);
    }
    return done;
}

/* What the raw end reads as the alert that it was sent. */
static int raw_alert(struct raw *r)
{
    uint8_t data[64];
    WOLFSSL_ALERT_HISTORY history;
    wolfSSL_read(r->ssl, data, sizeof data);
    wolfSSL_get_alert_history(r->ssl, &history);
    return history.last_rx.level == alert_fatal ? history.last_rx.code : -1;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
/* Sends one handshake message under the keys in use. */
static void raw_message(struct raw *r, const void *message, size_t size)
{
    uint8_t record[1024];
    int n =
        IsAtLeastTLSv1_3(r->ssl->version)
            ? BuildTls13Message(r->ssl, record, sizeof record, message, (int)size, handshake, 0, 0, 0)
            : BuildMessage(r->ssl, record, sizeof record, message, (int)size, handshake, 0, 0, 0, CUR_ORDER);
    assert_true(n > 0);
    raw_send(r->ssl, (char *)record, n, r);
}
#pragma GCC diagnostic pop

/* --- the certificate left out (CVE-2022-25640, CVE-2026-55962 and their like) --- */

static void client_leaves_its_certificate_out(void **state)
{
    (void)state;
    static const struct {
        enum trick trick;
        const char *chain, *key;
        bool optional_ok; /* fine where a certificate is only requested */
    } cases[] = {
        {OMIT, "leaf intermediate", NULL, false},
        {OMIT, "", NULL, false},
        {EMPTY, "leaf intermediate", NULL, true},
        {UNPROVED, "leaf intermediate", NULL, false},
        {HONEST, "leaf intermediate", "leaf_client.key", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int old = 0; old < 2; old++)
            for (int auth = TLS_CLIENT_AUTH_REQUIRE; auth <= TLS_CLIENT_AUTH_REQUEST; auth++) {
                struct pair p;
                struct raw r;
                pair_open(&p, &(struct pair_spec){.server = {.client_auth = (enum tls_client_auth)auth}});
                raw_open(&r, &p.client, false, old, cases[i].chain, cases[i].key);
                pair_connect(&p);
                raw_connect(&r, cases[i].trick);
                raw_handshake(&r, &p.server);
                bool fine = cases[i].optional_ok && auth == TLS_CLIENT_AUTH_REQUEST;
                if (p.server.result != (fine ? TLS_OK : TLS_FAILED))
                    fail_msg("case %zu, TLS 1.%d, auth %d: %d \"%s\"", i, old ? 2 : 3, auth, p.server.result,
                             tls_stream_error_text(p.server.stream));
                assert_false(tls_stream_info(p.server.stream).verified);
                if (!fine) {
                    assert_true(strlen(tls_stream_error_text(p.server.stream)) > 10);
                    assert_int_not_equal(tls_stream_alert_sent(p.server.stream), TLS_ALERT_NONE);
                    assert_int_equal(raw_alert(&r), tls_stream_alert_sent(p.server.stream));
                    assert_int_equal(tls_stream_write(p.server.stream, (const uint8_t *)"x", 1), TLS_FAILED);
                }
                raw_close(&r);
                pair_close(&p);
            }
}

static void server_leaves_its_certificate_out(void **state)
{
    (void)state;
    static const struct {
        enum trick trick;
        bool old;
        const char *key;
    } cases[] = {
        {OMIT, false, NULL},         {EMPTY, false, NULL},    {UNPROVED, false, NULL},
        {HONEST, false, "root.key"}, {ANONYMOUS, true, NULL}, {HONEST, true, "root.key"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair p;
        struct raw r;
        pair_open(&p, &(struct pair_spec){0});
        raw_open(&r, &p.server, true, cases[i].old, "leaf intermediate", cases[i].key);
        pair_connect(&p);
        raw_connect(&r, cases[i].trick);
        pair_step(&p.client, SIZE_MAX);
        pair_carry(&p.client, &p.server);
        raw_handshake(&r, &p.client);
        if (p.client.result != TLS_FAILED)
            fail_msg("case %zu: %d", i, p.client.result);
        assert_true(strlen(tls_stream_error_text(p.client.stream)) > 10);
        assert_int_not_equal(tls_stream_alert_sent(p.client.stream), TLS_ALERT_NONE);
        assert_false(tls_stream_info(p.client.stream).verified);
        raw_close(&r);
        pair_close(&p);
    }
}

/* As if wolfSSL had the next bug of this kind: its checks are switched off, and ours still hold. */
static void wolfssls_word_is_not_enough(void **state)
{
    (void)state;
    static const struct {
        const char *chain, *words;
        bool ask, demand, judge;
    } cases[] = {
        {"leaf intermediate", "no certificate presented", false, true, true},
        {"", "no certificate presented", true, false, true},
        {"leaf intermediate", "a certificate was presented past the judge", true, true, false},
        {"leaf_root2", "a certificate was presented past the judge", true, true, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int old = 0; old < 2; old++) {
            struct pair p;
            pair_open(&p, &(struct pair_spec){.client_chain = cases[i].chain,
                                              .client = {.ciphers = old ? only_1_2 : NULL}});
            WOLFSSL_CTX *w = p.server.ctx->wolfssl;
            w->verifyPeer = cases[i].ask;
            w->failNoCert = cases[i].ask && cases[i].demand;
            if (!cases[i].judge)
                w->verifyCallback = anything_goes;
            pair_connect(&p);
            pair_handshake(&p, SIZE_MAX);
            enum tls_alert none = old ? TLS_ALERT_HANDSHAKE_FAILURE : TLS_ALERT_CERTIFICATE_REQUIRED;
            pair_refused(&p.server, &p.client, cases[i].words,
                         cases[i].judge ? none : TLS_ALERT_HANDSHAKE_FAILURE);
            pair_close(&p);
            if (cases[i].judge)
                continue;
            pair_open(&p, &(struct pair_spec){.server_chain = cases[i].chain,
                                              .client = {.ciphers = old ? only_1_2 : NULL}});
            p.client.ctx->wolfssl->verifyCallback = anything_goes;
            pair_connect(&p);
            pair_handshake(&p, SIZE_MAX);
            pair_refused(&p.client, &p.server, cases[i].words, TLS_ALERT_HANDSHAKE_FAILURE);
            pair_close(&p);
        }
}

/* The bending tools do reach the server: without a trick the raw client gets in. */
static void the_raw_client_works(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++) {
        struct pair p;
        struct raw r;
        pair_open(&p, &(struct pair_spec){0});
        raw_open(&r, &p.client, false, old, "leaf intermediate", NULL);
        pair_connect(&p);
        raw_connect(&r, HONEST);
        assert_true(raw_handshake(&r, &p.server));
        assert_int_equal(p.server.result, TLS_OK);
        assert_true(tls_stream_info(p.server.stream).verified);
        raw_close(&r);
        raw_open(&r, &p.server, true, old, "leaf intermediate", NULL);
        pair_connect(&p);
        raw_connect(&r, HONEST);
        pair_step(&p.client, SIZE_MAX);
        pair_carry(&p.client, &p.server);
        raw_handshake(&r, &p.client);
        assert_int_equal(p.client.result, TLS_OK);
        raw_close(&r);
        pair_close(&p);
    }
}

/* --- chains --- */

/* Whether anything got into the store that all connections of a context share. */
static bool store_is_empty(const struct tls_ctx *ctx)
{
    for (int i = 0; i < CA_TABLE_SIZE; i++)
        if (ctx->wolfssl->cm->caTable[i])
            return false;
    return true;
}

/* One client after another to the same server context; each line's last word says how it ends. */
static void in_turn(enum tls_client_auth auth, const char *server_trust, const char *const (*chains)[2])
{
    for (int old = 0; old < 2; old++) {
        struct pair p;
        pair_open(&p, &(struct pair_spec){.server = {.client_auth = auth}, .server_trust = server_trust});
        for (size_t i = 0; chains[i][0]; i++) {
            struct tls_der ders[PAIR_CERTS];
            struct tls_credentials own;
            const char *name = "web.shop.svc";
            pair_credentials(chains[i][0], ders, &own);
            pair_disconnect(&p);
            tls_ctx_unref(p.client.ctx);
            p.client.ctx = tls_ctx_new_client(
                &own, p.client.trust, p.client.peers,
                &(struct tls_options){.server_name = name, .ciphers = old ? only_1_2 : NULL}, p.error,
                sizeof p.error);
            assert_non_null(p.client.ctx);
            pair_connect(&p);
            pair_handshake(&p, SIZE_MAX);
            bool verified = tls_stream_info(p.server.stream).verified;
            bool in = p.server.result == TLS_OK;
            const char *how = verified ? "verified" : in ? "unverified" : "refused";
            if (strcmp(how, chains[i][1]) != 0)
                fail_msg("%zu, %s: %s \"%s\", expected %s", i, chains[i][0], how,
                         tls_stream_error_text(p.server.stream), chains[i][1]);
            assert_true(store_is_empty(p.server.ctx));
            assert_true(store_is_empty(p.client.ctx));
        }
        pair_close(&p);
    }
}

/* The first connection brings an intermediate that must not be trusted; the second only what it issued. */
static void two_connections_through_an_overridden_intermediate(void **state)
{
    (void)state;
    static const char *const require[][2] = {
        {"leaf_by_expired intermediate_expired", "refused"},
        {"leaf_by_expired", "refused"},
        {"leaf_by_impostor root_impostor", "refused"},
        {"leaf_by_impostor", "refused"},
        {"leaf_root2 root2", "refused"},
        {"leaf_root2", "refused"},
        {"leaf_by_leaf leaf intermediate", "refused"},
        {"leaf_by_leaf", "refused"},
        {"leaf intermediate", "verified"}, /* a good intermediate is not remembered, either */
        {"leaf", "refused"},
        {NULL, NULL},
    };
    static const char *const request[][2] = {
        {"leaf_by_expired intermediate_expired", "unverified"},
        {"leaf_by_expired", "unverified"},
        {"leaf_root2 root2", "unverified"},
        {"leaf_root2", "unverified"},
        {"leaf_by_leaf leaf intermediate", "unverified"},
        {"leaf intermediate", "verified"},
        {"leaf", "unverified"},
        {NULL, NULL},
    };
    in_turn(TLS_CLIENT_AUTH_REQUIRE, "root", require);
    in_turn(TLS_CLIENT_AUTH_REQUEST, "root", request);
}

static void a_lone_stranger_leaf(void **state)
{
    (void)state;
    static const char *const require[][2] = {
        {"leaf_self", "refused"}, {"leaf_self", "refused"}, {"leaf_by_rsa", "refused"}, {NULL, NULL}};
    static const char *const request[][2] = {{"leaf_self", "unverified"},
                                             {"leaf_self", "unverified"},
                                             {"leaf_by_rsa", "unverified"},
                                             {NULL, NULL}};
    in_turn(TLS_CLIENT_AUTH_REQUIRE, "root", require);
    in_turn(TLS_CLIENT_AUTH_REQUEST, "root", request);
}

/* What is superfluous in a peer's chain does no harm: old, foreign, expired, in any order, leaves even. */
static void extra_certificates_in_the_peers_chain(void **state)
{
    (void)state;
    static const char *const chains[][2] = {
        {"leaf intermediate root", "verified"},
        {"leaf intermediate root_expired", "verified"},
        {"leaf intermediate_expired intermediate", "verified"},
        {"leaf root2 intermediate", "verified"},
        {"leaf intermediate leaf_client", "verified"},
        {"leaf leaf_self intermediate", "verified"},
        {"leaf intermediate root_by_root2 root2", "verified"},
        {"leaf intermediate_cross intermediate", "verified"},
        {"leaf intermediate intermediate_cross root2", "verified"},
        {"leaf leaf_expired leaf_codesign leaf_critical root_rsa intermediate", "verified"},
        {"leaf leaf_k256 leaf_rsa1024 leaf_sha1 leaf_p521 leaf_ed25519 intermediate", "verified"},
        {NULL, NULL},
    };
    in_turn(TLS_CLIENT_AUTH_REQUIRE, "root", chains);
}

static void a_root_renewed_with_the_same_key(void **state)
{
    (void)state;
    static const char *const chains[][2] = {
        {"leaf intermediate", "verified"},
        {"leaf intermediate root", "verified"},
        {"leaf intermediate root_renewed", "verified"},
        {"leaf intermediate root root_renewed", "verified"},
        {NULL, NULL},
    };
    in_turn(TLS_CLIENT_AUTH_REQUIRE, "root", chains);
    in_turn(TLS_CLIENT_AUTH_REQUIRE, "root_renewed", chains);
    in_turn(TLS_CLIENT_AUTH_REQUIRE, "root root_renewed", chains);
    static const char *const impostor[][2] = {
        {"leaf intermediate", "refused"}, {"leaf intermediate root", "refused"}, {NULL, NULL}};
    in_turn(TLS_CLIENT_AUTH_REQUIRE, "root_impostor", impostor);
}

static void too_many_certificates(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++) {
        struct pair p;
        struct raw r;
        pair_open(&p, &(struct pair_spec){0});
        raw_open(&r, &p.client, false, old,
                 "leaf intermediate root root2 root_rsa root_p384 root_p521 root_ed25519 root_expired "
                 "root_renewed",
                 NULL);
        pair_connect(&p);
        raw_connect(&r, HONEST);
        raw_handshake(&r, &p.server);
        assert_int_equal(p.server.result, TLS_FAILED);
        assert_string_equal(tls_stream_error_text(p.server.stream), "too many certificates presented");
        assert_int_equal(tls_stream_verdict(p.server.stream)->status, TLS_TOO_LONG);
        assert_int_equal(raw_alert(&r), TLS_ALERT_BAD_CERTIFICATE);
        raw_close(&r);
        pair_close(&p);
    }
}

/* --- names --- */

static void sni(void **state)
{
    (void)state;
    static const struct {
        const char *asked, *peeked;
        bool fine;
    } cases[] = {
        {"web.shop.svc", "web.shop.svc", true},
        {"WEB.Shop.svc", "web.shop.svc", true},
        {"unknown.example", "unknown.example", true}, /* the caller chose what unknown names get */
        {"192.0.2.7", "", true},                      /* none */
        {"web.shop.svc", "other.shop.svc", false},    /* changed on the way from the peek */
        {"web.shop.svc", "", false},
        {"web.shop.svc", "web.shop.sv", false},
        {"192.0.2.7", "web.shop.svc", false},
    };
    static const char *const anybody[] = {"*"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int old = 0; old < 2; old++) {
            struct pair p;
            pair_open(&p, &(struct pair_spec){.client = {.server_name = cases[i].asked,
                                                         .ciphers = old ? only_1_2 : NULL,
                                                         .allow_san = anybody,
                                                         .allow_san_count = 1},
                                              .peeked = cases[i].peeked});
            pair_connect(&p);
            pair_handshake(&p, 11);
            if (cases[i].fine) {
                assert_int_equal(p.server.result, TLS_OK);
                assert_int_equal(p.client.result, TLS_OK);
            } else {
                pair_refused(&p.server, &p.client,
                             "server name differs from the one the context was chosen by",
                             TLS_ALERT_ILLEGAL_PARAMETER);
                assert_null(tls_stream_peer(p.server.stream)); /* at once, before any certificate */
                assert_null(tls_stream_peer(p.client.stream));
            }
            pair_close(&p);
        }
}

/* The second one is not looked at: the name that counts stays the one that was peeked. */
static void sni_changed_in_the_second_hello(void **state)
{
    (void)state;
    for (int trick = 0; trick < 2; trick++) {
        struct pair p;
        struct raw r;
        const char *const p256[] = {"P-256", NULL};
        pair_open(&p, &(struct pair_spec){.server = {.groups = p256}});
        raw_open(&r, &p.client, false, false, "leaf intermediate", NULL);
        pair_connect(&p);
        raw_connect(&r, trick ? RENAME : HONEST);
        assert_int_equal(wolfSSL_UseKeyShare(r.ssl, WOLFSSL_ECC_X25519), WOLFSSL_SUCCESS);
        raw_handshake(&r, &p.server);
        assert_int_equal(p.server.result, TLS_OK);
        assert_string_equal(tls_stream_info(p.server.stream).sni, "web.shop.svc");
        raw_close(&r);
        pair_close(&p);
    }
}

/* --- alerts --- */

/* Under TLS 1.2 the alerts of a refusal are there to be counted. */
static void exactly_one_alert(void **state)
{
    (void)state;
    static const char *const chains[] = {"leaf_root2", "leaf_expired intermediate",
                                         "leaf_server intermediate", ""};
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) {
        struct pair p;
        pair_open(&p, &(struct pair_spec){.client_chain = chains[i], .client = {.ciphers = only_1_2}});
        pair_connect(&p);
        for (int k = 0; k < 4 && p.server.result == TLS_WANT; k++) {
            pair_step(&p.client, SIZE_MAX);
            pair_carry(&p.client, &p.server);
            p.server.io.out_size = p.server.result == TLS_WANT ? 0 : p.server.io.out_size;
            pair_step(&p.server, SIZE_MAX);
            if (p.server.result == TLS_WANT)
                pair_carry(&p.server, &p.client);
        }
        assert_int_equal(p.server.result, TLS_FAILED);
        uint8_t wanted[] = {21, 3, 3, 0, 2, 2, (uint8_t)tls_stream_alert_sent(p.server.stream)};
        for (int k = 0; k < 3; k++) {
            assert_int_equal(p.server.io.out_size, sizeof wanted);
            assert_memory_equal(p.server.io.out, wanted, sizeof wanted);
            assert_int_equal(tls_stream_handshake(p.server.stream), TLS_FAILED);
            tls_stream_alert(p.server.stream, TLS_ALERT_INTERNAL_ERROR, "again");
        }
        pair_close(&p);
    }
}

/* --- resumption (CVE-2025-23419 and its like) --- */

static void nothing_is_resumed(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++)
        for (int other = 0; other < 2; other++) {
            struct pair p, strict;
            struct raw r;
            uint8_t data[64];
            pair_open(&p, &(struct pair_spec){.server = {.client_auth = other ? TLS_CLIENT_AUTH_NONE
                                                                              : TLS_CLIENT_AUTH_REQUIRE}});
            raw_open(&r, &p.client, false, old, other ? "" : "leaf intermediate", NULL);
            wolfSSL_CTX_UseSessionTicket(r.ctx);
            pair_connect(&p);
            raw_connect(&r, HONEST);
            assert_true(raw_handshake(&r, &p.server));
            assert_int_equal(p.server.result, TLS_OK);
            assert_int_equal(p.server.io.out_size, 0);
            size_t ticket_bytes = p.client.inbox_size;
            assert_int_equal(ticket_bytes, 0); /* no NewSessionTicket behind the handshake */
            assert_int_equal(wolfSSL_read(r.ssl, data, sizeof data), -1);
            WOLFSSL_SESSION *session = wolfSSL_get1_session(r.ssl);
            raw_disconnect(&r);

            /* The same session, by somebody without the certificate, and at a context that demands one. */
            pair_open(&strict, &(struct pair_spec){0});
            struct pair *victims[] = {&p, &strict};
            for (int i = other; i < 2; i++) {
                struct raw thief;
                raw_open(&thief, &victims[i]->client, false, old, "", NULL);
                pair_connect(victims[i]);
                raw_connect(&thief, HONEST);
                if (session)
                    wolfSSL_set_session(thief.ssl, session);
                raw_handshake(&thief, &victims[i]->server);
                assert_int_equal(victims[i]->server.result, TLS_FAILED);
                assert_string_equal(tls_stream_error_text(victims[i]->server.stream),
                                    "no certificate presented");
                raw_close(&thief);
            }
            wolfSSL_SESSION_free(session);
            raw_close(&r);
            pair_close(&strict);
            pair_close(&p);
        }
}

/* --- after the handshake --- */

static void key_updates(void **state)
{
    (void)state;
    for (int server = 0; server < 2; server++) {
        struct pair p;
        struct raw r;
        uint8_t data[64];
        size_t n;
        pair_open(&p, &(struct pair_spec){0});
        struct pair_end *honest = server ? &p.client : &p.server;
        raw_open(&r, server ? &p.server : &p.client, server, false, "leaf intermediate", NULL);
        pair_connect(&p);
        raw_connect(&r, HONEST);
        if (server) {
            pair_step(&p.client, SIZE_MAX);
            pair_carry(&p.client, &p.server);
        }
        raw_handshake(&r, honest);
        assert_int_equal(honest->result, TLS_OK);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(wolfSSL_update_keys(r.ssl), WOLFSSL_SUCCESS);
            assert_int_equal(wolfSSL_write(r.ssl, "after", 5), 5);
            pair_carry(r.end, honest);
            assert_int_equal(pair_read(honest, data, sizeof data, &n, SIZE_MAX), TLS_WANT);
            assert_int_equal(n, 5);
            assert_true(honest->io.out_size > 0); /* the answer, under the old key */
            assert_int_equal(tls_stream_write(honest->stream, (const uint8_t *)"mine", 4), TLS_OK);
            pair_carry(honest, r.end);
            assert_int_equal(wolfSSL_read(r.ssl, data, sizeof data), 4);
            assert_memory_equal(data, "mine", 4);
        }
        raw_close(&r);
        pair_close(&p);
    }
}

/* More answers than there is room for: refused, not lost. */
static void a_flood_of_key_updates(void **state)
{
    (void)state;
    struct pair p;
    struct raw r;
    uint8_t data[64];
    size_t n;
    pair_open(&p, &(struct pair_spec){0});
    raw_open(&r, &p.client, false, false, "leaf intermediate", NULL);
    pair_connect(&p);
    raw_connect(&r, HONEST);
    raw_handshake(&r, &p.server);
    p.server.io.out_cap = TLS_IO_HANDSHAKE_ROOM;
    for (int i = 0; i < 3000; i++) {
        r.ssl->keys.updateResponseReq = 0; /* it waits for no answer */
        assert_int_equal(wolfSSL_update_keys(r.ssl), WOLFSSL_SUCCESS);
    }
    pair_carry(&p.client, &p.server);
    p.server.result = pair_read(&p.server, data, sizeof data, &n, SIZE_MAX);
    assert_int_equal(p.server.result, TLS_FAILED);
    assert_non_null(strstr(tls_stream_error_text(p.server.stream), "more answers"));
    assert_true(p.server.io.out_size <= TLS_IO_HANDSHAKE_ROOM);
    p.server.io.out_cap = PAIR_ROOM;
    raw_close(&r);
    pair_close(&p);
}

/* Renegotiation, post-handshake authentication, a second Certificate, tickets to a server: all refused. */
static void handshake_messages_after_the_handshake(void **state)
{
    (void)state;
    static const struct {
        bool server, old; /* the raw end is */
        uint8_t message[64];
        size_t size;
        bool ignored;
    } cases[] = {
        {false, false, {1, 0, 0, 2, 3, 3}, 6, false},        /* ClientHello */
        {false, false, {11, 0, 0, 4, 0, 0, 0, 0}, 8, false}, /* Certificate */
        {false, false, {15, 0, 0, 4, 4, 3, 0, 0}, 8, false}, /* CertificateVerify */
        {false, false, {20, 0, 0, 4, 4, 3, 0, 0}, 8, false}, /* Finished */
        {false,
         false,
         {4, 0, 0, 13, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
         17,
         false},                                                                    /* NewSessionTicket */
        {false, false, {24, 0, 0, 1, 7}, 5, false},                                 /* KeyUpdate, malformed */
        {true, false, {13, 0, 0, 11, 0, 0, 8, 0, 13, 0, 4, 0, 2, 4, 3}, 15, false}, /* CertificateRequest */
        {true, false, {2, 0, 0, 2, 3, 3}, 6, false},                                /* ServerHello */
        {true, false, {8, 0, 0, 2, 0, 0}, 6, false},                                /* EncryptedExtensions */
        {false, true, {1, 0, 0, 2, 3, 3}, 6, false},                                /* ClientHello */
        {false, true, {11, 0, 0, 3, 0, 0, 0}, 7, false},                            /* Certificate */
        {false, true, {16, 0, 0, 1, 0}, 5, false},                                  /* ClientKeyExchange */
        {true, true, {0, 0, 0, 0}, 4, true},                                        /* HelloRequest */
        {true, true, {14, 0, 0, 0}, 4, false},                                      /* ServerHelloDone */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair p;
        struct raw r;
        uint8_t data[64];
        size_t n;
        pair_open(&p, &(struct pair_spec){0});
        struct pair_end *honest = cases[i].server ? &p.client : &p.server;
        raw_open(&r, cases[i].server ? &p.server : &p.client, cases[i].server, cases[i].old,
                 "leaf intermediate", NULL);
        pair_connect(&p);
        raw_connect(&r, HONEST);
        if (cases[i].server) {
            pair_step(&p.client, SIZE_MAX);
            pair_carry(&p.client, &p.server);
        }
        raw_handshake(&r, honest);
        assert_int_equal(honest->result, TLS_OK);
        struct tls_peer *before = tls_stream_peer(honest->stream);
        raw_message(&r, cases[i].message, cases[i].size);
        pair_carry(r.end, honest);
        enum tls_result result = pair_read(honest, data, sizeof data, &n, SIZE_MAX);
        if (result != (cases[i].ignored ? TLS_WANT : TLS_FAILED))
            fail_msg("case %zu: %d", i, result);
        if (!cases[i].ignored) {
            assert_true(strlen(tls_stream_error_text(honest->stream)) > 5);
            assert_int_not_equal(tls_stream_alert_sent(honest->stream), TLS_ALERT_NONE);
        }
        assert_ptr_equal(tls_stream_peer(honest->stream), before);
        raw_close(&r);
        pair_close(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_raw_client_works),
        cmocka_unit_test(client_leaves_its_certificate_out),
        cmocka_unit_test(server_leaves_its_certificate_out),
        cmocka_unit_test(wolfssls_word_is_not_enough),
        cmocka_unit_test(two_connections_through_an_overridden_intermediate),
        cmocka_unit_test(a_lone_stranger_leaf),
        cmocka_unit_test(extra_certificates_in_the_peers_chain),
        cmocka_unit_test(a_root_renewed_with_the_same_key),
        cmocka_unit_test(too_many_certificates),
        cmocka_unit_test(sni),
        cmocka_unit_test(sni_changed_in_the_second_hello),
        cmocka_unit_test(exactly_one_alert),
        cmocka_unit_test(nothing_is_resumed),
        cmocka_unit_test(key_updates),
        cmocka_unit_test(a_flood_of_key_updates),
        cmocka_unit_test(handshake_messages_after_the_handshake),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
