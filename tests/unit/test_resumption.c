/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Resumption: who goes on from a session is who had it, as long as he would be let in anew; and every way to
 * be taken for more than that (CVE-2025-23419 and its like). The clock is the test's.
 */
#include <wolfssl/options.h>
#include <wolfssl/internal.h>

#define CRL_MISSING crl_missing /* wolfSSL has an enumerator of that name */
#include "tls_pair.h"

#include <sys/time.h>
#include <time.h>

#include "make_cert.h"
#include "sidecar/tls/alert.h"
#include "sidecar/tls/stream_private.h"

static time_t shift;

/* In place of libc's, for all that is linked. */
time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec + shift;
    return now.tv_sec + shift;
}

static const uint8_t secret[TLS_TICKET_SECRET_SIZE] = "not so secret: it is the source";
static int reset_clock(void **state)
{
    (void)state;
    shift = 0;
    return 0;
}

/* --- pairs --- */

/* SPEC with resumption on at both ends. */
static struct pair_spec resuming(struct pair_spec spec, bool old)
{
    spec.server.resumption = spec.client.resumption = true;
    spec.server.ticket_secret = secret;
    if (!spec.server.ticket_scope)
        spec.server.ticket_scope = "web/0";
    if (old)
        spec.client.ciphers = only_1_2;
    return spec;
}

static void open_resuming(struct pair *p, struct pair_spec spec, bool old)
{
    spec = resuming(spec, old);
    pair_open(p, &spec);
}

/* Another worker's: a table of its own, the trust of FIRST. */
static void open_beside(struct pair *p, const struct pair *first, struct pair_spec spec, bool old)
{
    struct tls_der chain[PAIR_CERTS];
    struct tls_credentials own;
    spec = resuming(spec, old);
    pair_open(p, &spec);
    tls_ctx_unref(p->server.ctx);
    pair_credentials("leaf intermediate", chain, &own);
    p->server.ctx = tls_ctx_new_server(&own, first->server.trust, p->server.peers, &spec.server, p->error,
                                       sizeof p->error);
    assert_non_null(p->server.ctx);
}

/* The client of ONE and the server of OTHER. To be disconnected before either is used by itself again. */
static struct pair cross(const struct pair *one, const struct pair *other)
{
    return (struct pair){.client = one->client, .server = other->server, .peeked = one->peeked};
}

/* Lets the client see what came behind the handshake. */
static void settle(struct pair *p)
{
    pair_says(p, true, "ping");
    pair_says(p, false, "pong");
}

static bool resumed(const struct pair *p)
{
    bool client = tls_stream_info(p->client.stream).resumed,
         server = tls_stream_info(p->server.stream).resumed;
    assert_int_equal(client, server);
    return client;
}

/* Connects; whether that went on from an earlier session. */
static bool again(struct pair *p)
{
    pair_up(p);
    settle(p);
    return resumed(p);
}

static struct tls_session *newest(const struct pair *p)
{
    assert_true(p->client.ctx->session_count > 0);
    return &p->client.ctx->sessions[p->client.ctx->session_count - 1];
}

/* The client takes all its sessions to be good for long. */
static void client_never_minds(struct pair *p)
{
    for (unsigned i = 0; i < p->client.ctx->session_count; i++) {
        struct tls_session *s = &p->client.ctx->sessions[i];
        s->until = time(NULL) + TLS_TICKET_LIFETIME;
        s->wolfssl->bornOn = (word32)time(NULL);
        s->wolfssl->timeout = TLS_TICKET_LIFETIME;
    }
}

/* --- what is resumed --- */

static void the_same_verified_identity(void **state)
{
    (void)state;
    static const char *const leaves[] = {"leaf", "leaf_rsa2048", "leaf_ed25519"};
    for (size_t k = 0; k < sizeof leaves / sizeof *leaves; k++)
        for (int old = 0; old < 2; old++)
            for (int auth = TLS_CLIENT_AUTH_REQUIRE; auth <= TLS_CLIENT_AUTH_NONE; auth++) {
                struct pair p;
                char chain[64], words[256];
                bool asked = auth != TLS_CLIENT_AUTH_NONE;
                snprintf(chain, sizeof chain, "%s intermediate", leaves[k]);
                open_resuming(&p,
                              (struct pair_spec){
                                  .server_chain = chain,
                                  .client_chain = chain,
                                  .server = {.client_auth = (enum tls_client_auth)auth, .alpn = ONE("h2")},
                                  .client = {.alpn = ONE("h2")}},
                              old);
                assert_false(again(&p));
                struct tls_stream_info was[] = {tls_stream_info(p.client.stream),
                                                tls_stream_info(p.server.stream)};
                struct tls_peer *peers[] = {tls_stream_peer(p.client.stream),
                                            tls_stream_peer(p.server.stream)};
                for (int i = 0; i < 4; i++) {
                    assert_true(again(&p));
                    struct pair_end *ends[] = {&p.client, &p.server};
                    for (int e = 0; e < 2; e++) {
                        struct tls_stream_info is = tls_stream_info(ends[e]->stream);
                        assert_string_equal(is.version, was[e].version);
                        assert_string_equal(is.cipher, was[e].cipher);
                        assert_string_equal(is.sni, "web.shop.svc");
                        assert_string_equal(is.alpn, "h2");
                        assert_int_equal(is.verified, was[e].verified);
                        if (old)
                            assert_null(is.group);
                        else
                            assert_string_equal(is.group, was[e].group);
                        assert_ptr_equal(tls_stream_peer(ends[e]->stream), peers[e]);
                        assert_true(tls_stream_admitted(ends[e]->stream, ends[e]->ctx, time(NULL), words,
                                                        sizeof words));
                    }
                    assert_true(tls_stream_info(p.client.stream).verified);
                    assert_int_equal(tls_stream_info(p.server.stream).verified, asked);
                    assert_int_equal(peers[1] != NULL, asked);
                    assert_int_equal(tls_stream_verdict(p.server.stream)->status,
                                     asked ? TLS_TRUSTED : TLS_NONE_PRESENTED);
                    assert_int_equal(tls_stream_verdict(p.client.stream)->status, TLS_TRUSTED);
                }
                pair_close(&p);
            }
}

/* Byte by byte, by another cipher, through a HelloRetryRequest, and where the server changed its groups. */
static void by_every_way(void **state)
{
    (void)state;
    static const char *const retry[] = {"X25519", "P-256", NULL};
    struct pair p, other;
    for (int old = 0; old < 2; old++) {
        open_resuming(&p, (struct pair_spec){0}, old);
        assert_false(again(&p));
        pair_connect(&p);
        pair_handshake(&p, 1);
        assert_int_equal(p.server.result, TLS_OK);
        assert_true(resumed(&p));
        pair_close(&p);
    }
    for (int k = 0; k < 2; k++) {
        open_resuming(&p,
                      (struct pair_spec){.server = {.ciphers = ONE("TLS_AES_256_GCM_SHA384"),
                                                    .groups = k ? ONE("P-256") : NULL},
                                         .client = {.groups = k ? retry : NULL}},
                      false);
        assert_false(again(&p));
        assert_true(again(&p));
        assert_string_equal(tls_stream_info(p.server.stream).cipher, "TLS_AES_256_GCM_SHA384");
        assert_string_equal(tls_stream_info(p.server.stream).group, k ? "P-256" : "X25519MLKEM768");
        pair_close(&p);
    }
    open_resuming(&p, (struct pair_spec){.server = {.groups = ONE("X25519")}, .client = {.groups = retry}},
                  false);
    open_beside(&other, &p, (struct pair_spec){.server = {.groups = ONE("P-256")}}, false);
    assert_false(again(&p));
    pair_disconnect(&p);
    struct pair m = cross(&p, &other);
    assert_false(again(&m)); /* a stranger there */
    assert_true(again(&m));
    assert_string_equal(tls_stream_info(m.server.stream).group, "P-256");
    pair_disconnect(&m);
    assert_true(again(&p));
    assert_string_equal(tls_stream_info(p.client.stream).group, "X25519");
    pair_close(&other);
    pair_close(&p);
}

/* A server that has learnt TLS 1.3 since, and one that has forgotten it. */
static void another_version_since(void **state)
{
    (void)state;
    for (int known = 0; known < 2; known++) {
        struct pair less, more;
        open_resuming(&less, (struct pair_spec){.server = {.ciphers = only_1_2}}, false);
        open_resuming(&more, (struct pair_spec){0}, false);
        if (known) {
            pair_close(&more);
            open_beside(&more, &less, (struct pair_spec){0}, false);
            assert_false(again(&more));
            pair_disconnect(&more);
        }
        struct pair m = cross(&less, &more);
        assert_false(again(&less));
        assert_string_equal(tls_stream_info(less.client.stream).version, "TLSv1.2");
        pair_disconnect(&less);
        /* Bound to the old version once more. */
        assert_int_equal(again(&m), known);
        assert_string_equal(tls_stream_info(m.client.stream).version, "TLSv1.2");
        tls_ctx_forget_sessions(known ? m.client.ctx : more.client.ctx);
        assert_false(again(&m));
        assert_string_equal(tls_stream_info(m.client.stream).version, "TLSv1.3");
        assert_true(again(&m));
        assert_string_equal(tls_stream_info(m.client.stream).version, "TLSv1.3");
        pair_disconnect(&m);
        assert_false(again(&less));
        assert_string_equal(tls_stream_info(less.client.stream).version, "TLSv1.2");
        assert_true(again(&less));
        pair_close(&more);
        pair_close(&less);
    }
}

/* Again and again within the hour. */
static void many_in_a_row(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++) {
        struct pair p;
        open_resuming(&p, (struct pair_spec){0}, old);
        assert_false(again(&p));
        for (int i = 0; i < 600; i++)
            assert_true(again(&p));
        pair_close(&p);
    }
}

/* A ticket is good at another worker as soon as that one has seen the peer. */
static void between_workers(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++) {
        struct pair one, two;
        open_resuming(&one, (struct pair_spec){0}, old);
        open_beside(&two, &one, (struct pair_spec){0}, old);
        struct pair m = cross(&one, &two);
        assert_false(again(&one));
        pair_disconnect(&one);
        assert_false(again(&m));
        assert_true(tls_stream_info(m.server.stream).verified);
        pair_disconnect(&m);
        assert_true(again(&one));
        pair_disconnect(&one);
        assert_true(again(&m));
        assert_true(tls_stream_info(m.server.stream).verified);
        assert_int_equal(tls_peers_count(two.server.peers), 1);
        pair_disconnect(&m);
        pair_close(&two);
        pair_close(&one);
    }
}

/* --- what is not --- */

/* The ticket that P's client has, at the server of NEXT, then by the same client: refused with WORDS there.
 */
static void refused_there(struct pair *p, struct pair *next, const char *words, enum tls_alert alert)
{
    assert_false(again(p));
    assert_true(again(p));
    pair_disconnect(p);
    struct pair m = cross(p, next);
    pair_connect(&m);
    assert_int_equal(p->client.ctx->session_count, 0); /* it was offered */
    assert_non_null(m.client.stream->resumption);
    pair_handshake(&m, SIZE_MAX);
    pair_refused(&m.server, &m.client, words, alert);
    assert_false(tls_stream_info(m.server.stream).resumed);
    pair_disconnect(&m);
}

static void from_before_a_revocation(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++)
        for (int auth = TLS_CLIENT_AUTH_REQUIRE; auth <= TLS_CLIENT_AUTH_REQUEST; auth++) {
            struct pair p, next;
            open_resuming(&p,
                          (struct pair_spec){.client_chain = "leaf_revoked intermediate",
                                             .server = {.client_auth = (enum tls_client_auth)auth}},
                          old);
            open_resuming(&next,
                          (struct pair_spec){.server_crls = "root.crl intermediate.crl",
                                             .server = {.client_auth = (enum tls_client_auth)auth}},
                          old);
            refused_there(&p, &next, "revoked", TLS_ALERT_CERTIFICATE_REVOKED);
            pair_close(&next);
            pair_close(&p);
        }
}

static void after_a_change_of_the_ca(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++) {
        struct pair p, gone, both;
        open_resuming(&p, (struct pair_spec){0}, old);
        open_resuming(&gone, (struct pair_spec){.server_trust = "root2"}, old);
        refused_there(&p, &gone, "not trusted", TLS_ALERT_UNKNOWN_CA);
        /* The old one is still trusted, but it is another trust. */
        open_resuming(&both, (struct pair_spec){.server_trust = "root root2"}, old);
        assert_false(again(&p));
        pair_disconnect(&p);
        struct pair m = cross(&p, &both);
        assert_false(again(&m));
        assert_true(tls_stream_info(m.server.stream).verified);
        assert_true(again(&m));
        pair_disconnect(&m);
        /* Where a certificate is only requested, a resumption must not make a stranger a verified peer. */
        pair_close(&gone);
        open_resuming(
            &gone,
            (struct pair_spec){.server_trust = "root2", .server = {.client_auth = TLS_CLIENT_AUTH_REQUEST}},
            old);
        m = cross(&p, &gone);
        assert_false(again(&m));
        assert_false(tls_stream_info(m.server.stream).verified);
        pair_disconnect(&m);
        pair_close(&both);
        pair_close(&gone);
        pair_close(&p);
    }
}

/* The client gives NAME in its place. The server's certificate is good for it as well. */
static void another_server_name(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++) {
        struct pair p, other;
        open_resuming(&p, (struct pair_spec){0}, old);
        open_resuming(&other, (struct pair_spec){.client = {.server_name = "admin.web.shop.svc"}}, old);
        assert_false(again(&p));
        pair_disconnect(&p);
        other.client.ctx->sessions[0] = *newest(&p);
        other.client.ctx->session_count = 1;
        p.client.ctx->session_count = 0;
        struct pair m = cross(&other, &p);
        assert_false(again(&m));
        assert_string_equal(tls_stream_info(m.server.stream).sni, "admin.web.shop.svc");
        assert_true(again(&m));
        pair_disconnect(&m);

        /* Nor for none. */
        other.client.ctx->sessions[0].wolfssl->sniHash[0]++;
        assert_false(again(&p));
        pair_disconnect(&p);
        pair_close(&other);
        pair_close(&p);
    }
}

/* Even if wolfSSL let it through. */
static void sealed_for_one_name(void **state)
{
    (void)state;
    enum { END = 1000000 };
    static const char *const names[] = {NULL, "web.shop.svc", "WEB.shop.svc.", "web.shop.sv", "a.shop.svc"};
    struct tls_ticket_keys keys, others[3];
    assert_true(tls_ticket_keys_init(&keys, secret, 7, "web/0"));
    assert_true(tls_ticket_keys_init(&others[0], secret, 8, "web/0"));
    assert_true(tls_ticket_keys_init(&others[1], secret, 7, "web/1"));
    assert_true(tls_ticket_keys_init(&others[2], (const uint8_t *)"another secret, as good as the first", 7,
                                     "web/0"));
    for (int k = 0; k < 3; k++)
        memcpy(others[k].name, keys.name, sizeof keys.name); /* it is in the clear */
    for (size_t i = 0; i < 5; i++)
        for (size_t k = 0; k < 5; k++) {
            uint8_t name[16], iv[16], mac[32], data[100], plain[100];
            struct tls_ticket t = {name, iv, mac, data, sizeof data};
            int64_t until = 0;
            memset(plain, (int)i, sizeof plain);
            memcpy(data, plain, sizeof data);
            assert_true(tls_ticket_seal(&keys, &t, END, names[i]));
            assert_memory_not_equal(data, plain, sizeof data);
            for (int o = 0; o < 3; o++) {
                assert_false(tls_ticket_open(&others[o], &t, END - 100, names[i], &until));
                assert_true(tls_ticket_seal(&keys, &t, END, names[i]));
            }
            assert_true(tls_ticket_seal(&keys, &t, END, names[i]));
            bool same = i == k || (i >= 1 && i <= 2 && k >= 1 && k <= 2);
            assert_int_equal(tls_ticket_open(&keys, &t, END - 100, names[k], &until), same);
            assert_true(tls_ticket_seal(&keys, &t, END, names[i]));
            assert_false(tls_ticket_open(&keys, &t, END, names[i], &until));
            assert_false(tls_ticket_open(&keys, &t, END - TLS_TICKET_LIFETIME - 1, names[i], &until));
            memcpy(data, plain, sizeof data);
            assert_true(tls_ticket_seal(&keys, &t, END, names[i]));
            assert_true(tls_ticket_open(&keys, &t, END - TLS_TICKET_LIFETIME, names[i], &until));
            assert_int_equal(until, END);
            assert_memory_equal(data, plain, sizeof data);
        }
}

static void of_another_inbound_or_association(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++) {
        struct pair p, other;
        open_resuming(&p, (struct pair_spec){0}, old);
        open_beside(&other, &p, (struct pair_spec){.server = {.ticket_scope = "admin/0"}}, old);
        struct pair m = cross(&p, &other);
        /* The peer is known there. */
        assert_false(again(&m));
        pair_disconnect(&m);
        tls_ctx_forget_sessions(p.client.ctx);
        assert_false(again(&p));
        pair_disconnect(&p);
        assert_false(again(&m));
        assert_true(again(&m));
        pair_disconnect(&m);
        pair_close(&other);
        /* Another process: another secret. */
        open_beside(&other, &p, (struct pair_spec){0}, old);
        other.server.ctx->ticket_keys.secret[31] ^= 1;
        m = cross(&p, &other);
        tls_ctx_forget_sessions(p.client.ctx);
        assert_false(again(&m));
        pair_disconnect(&m);
        tls_ctx_forget_sessions(p.client.ctx);
        assert_false(again(&p));
        pair_disconnect(&p);
        assert_false(again(&m));
        pair_disconnect(&m);
        pair_close(&other);
        pair_close(&p);
    }
}

static void whose_peer_left_the_table(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++) {
        struct pair p;
        open_resuming(&p, (struct pair_spec){0}, old);
        assert_false(again(&p));
        pair_disconnect(&p);
        /* More idle peers than there is room for. */
        for (unsigned i = 0; i < 100; i++) {
            struct make_cert plan = {.subject = "CN=x", .key = 1, .serial = 1 + i, .padding = 2000};
            struct x509_slice der = make_cert(&plan);
            enum tls_status status;
            const char *error;
            tls_peer_unref(tls_peers_intern(p.server.peers, &der, 1, &status, &error));
            free((void *)(uintptr_t)der.data);
        }
        assert_false(again(&p));
        assert_true(tls_stream_info(p.server.stream).verified);
        assert_true(again(&p));
        pair_close(&p);
    }
}

/* Any bit of it, and pieces of it. */
static void tampered_with(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++) {
        struct pair p;
        open_resuming(&p, (struct pair_spec){0}, old);
        assert_false(again(&p));
        size_t size = newest(&p)->wolfssl->ticketLen;
        assert_true(size > 200);
        for (size_t i = 0; i < size; i++) {
            newest(&p)->wolfssl->ticket[i] ^= (byte)(1 << i % 8);
            if (again(&p))
                fail_msg("byte %zu of %zu does not matter", i, size);
            assert_true(tls_stream_info(p.server.stream).verified);
        }
        for (size_t i = 1; i < size; i += 29) {
            newest(&p)->wolfssl->ticketLen = (word16)i;
            assert_false(again(&p));
        }
        assert_true(again(&p));
        pair_close(&p);
    }
}

/* Who has seen a ticket does not have its secret. */
static void stolen(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++) {
        struct pair p, thief;
        open_resuming(&p, (struct pair_spec){0}, old);
        open_resuming(&thief, (struct pair_spec){.client_chain = ""}, old);
        assert_false(again(&p));
        pair_disconnect(&p);
        thief.client.ctx->sessions[0] = *newest(&p);
        thief.client.ctx->session_count = 1;
        p.client.ctx->session_count = 0;
        newest(&thief)->wolfssl->masterSecret[0] ^= 1;
        struct pair m = cross(&thief, &p);
        pair_connect(&m);
        pair_handshake(&m, SIZE_MAX);
        assert_int_equal(m.server.result, TLS_FAILED);
        assert_int_equal(m.client.result, TLS_FAILED);
        assert_null(tls_stream_peer(m.server.stream));
        assert_false(tls_stream_info(m.server.stream).resumed);
        assert_true(strlen(tls_stream_error_text(m.server.stream)) > 0);
        pair_disconnect(&m);
        pair_close(&thief);
        pair_close(&p);
    }
}

/* One's own ticket and somebody else's, in one ClientHello. */
static void two_tickets_at_once(void **state)
{
    (void)state;
    struct pair p, other;
    uint8_t mine[512], theirs[512];
    open_resuming(&p, (struct pair_spec){.client_chain = "leaf_client intermediate"}, false);
    open_resuming(&other, (struct pair_spec){0}, false);
    struct pair m = cross(&other, &p);
    assert_false(again(&p));
    pair_disconnect(&p);
    assert_false(again(&m));
    pair_disconnect(&m);
    size_t size = newest(&p)->wolfssl->ticketLen;
    assert_int_equal(newest(&m)->wolfssl->ticketLen, size);

    pair_connect(&p);
    WOLFSSL *ssl = p.server.stream->wolfssl;
    for (int round = 0; round < 2; round++) {
        /* A second ClientHello may bring the first one's ticket again, and no other. */
        p.server.stream->hellos = (uint8_t)(1 + round);
        memcpy(mine, p.client.stream->wolfssl->session->ticket, size);
        memcpy(theirs, newest(&m)->wolfssl->ticket, size);
        uint8_t *tickets[] = {mine, theirs, mine};
        for (int i = 0; i < 3; i++) {
            uint8_t *t = tickets[i];
            int sealed = (int)size - 16 - 16 - 2 - 32, plain = sealed;
            assert_int_equal(t[32] << 8 | t[33], sealed);
            if (i == 2)
                memcpy(t, p.client.stream->wolfssl->session->ticket, size);
            int result =
                tls_stream_ticket_callback(ssl, t, t + 16, t + 34 + sealed, 0, t + 34, sealed, &plain, NULL);
            assert_int_equal(result, i == 1 ? WOLFSSL_TICKET_RET_REJECT : WOLFSSL_TICKET_RET_OK);
            assert_int_equal(plain, i == 1 ? sealed : sealed - 32);
            assert_string_equal(p.server.stream->resumption->peer->common_name, "leaf_client");
        }
    }
    pair_disconnect(&p);
    pair_close(&other);
    pair_close(&p);
}

/* A first ClientHello with a ticket, and a second one, that a HelloRetryRequest asked for, without. */
static void ticket_left_out_after_a_retry(void **state)
{
    (void)state;
    static const char *const retry[] = {"X25519", "P-256", NULL};
    for (int auth = TLS_CLIENT_AUTH_REQUIRE; auth <= TLS_CLIENT_AUTH_REQUEST; auth++) {
        struct pair p;
        open_resuming(
            &p,
            (struct pair_spec){.server = {.groups = ONE("P-256"), .client_auth = (enum tls_client_auth)auth},
                               .client = {.groups = retry}},
            false);
        assert_false(again(&p));
        pair_connect(&p);
        pair_step(&p.client, SIZE_MAX);
        pair_carry(&p.client, &p.server);
        pair_step(&p.server, SIZE_MAX);
        pair_carry(&p.server, &p.client);
        assert_non_null(p.server.stream->resumption);
        p.client.stream->wolfssl->options.resuming = 0;
        pair_handshake(&p, SIZE_MAX);
        /* wolfSSL makes a full handshake of it, and then that is what it is. */
        if (p.server.result == TLS_OK) {
            assert_true(p.server.stream->presented);
            assert_false(tls_stream_info(p.server.stream).resumed);
        }
        pair_disconnect(&p);

        /* If wolfSSL took it for a resumption, we would not. */
        assert_true(again(&p) || again(&p));
        pair_connect(&p);
        pair_step(&p.client, SIZE_MAX);
        pair_carry(&p.client, &p.server);
        pair_step(&p.server, SIZE_MAX);
        assert_int_equal(p.server.stream->resumption->hello, 1);
        p.server.stream->hellos = 2;
        p.server.stream->wolfssl->options.resuming = 1;
        assert_false(tls_stream_take_resumed(p.server.stream));
        p.server.stream->hellos = 1;
        p.server.stream->presented = true;
        assert_false(tls_stream_take_resumed(p.server.stream));
        p.server.stream->presented = false;
        assert_true(tls_stream_take_resumed(p.server.stream));
        pair_close(&p);
    }
}

/* TLS 1.2 without extended master secret (RFC 7627): a session may be somebody else's. */
static void without_extended_master_secret(void **state)
{
    (void)state;
    struct pair p;
    open_resuming(&p, (struct pair_spec){0}, true);
    for (int i = 0; i < 3; i++) {
        pair_connect(&p);
        p.client.stream->wolfssl->options.haveEMS = 0;
        wolfSSL_DisableExtendedMasterSecret(p.client.stream->wolfssl);
        pair_handshake(&p, SIZE_MAX);
        assert_int_equal(p.server.result, TLS_OK);
        assert_false(tls_wolfssl_extended_master_secret(p.server.stream->wolfssl));
        assert_int_equal(p.server.ctx->wolfssl->ticketHint, 0); /* dead */
        assert_false(resumed(&p));
        assert_int_equal(p.client.ctx->session_count, 0);
    }
    pair_close(&p);
}

/* TLS 1.3 without a new key exchange (psk_ke): whoever learns a session's secret later reads what it begins.
 */
static void without_a_new_key_exchange(void **state)
{
    (void)state;
    struct pair p;
    open_resuming(&p, (struct pair_spec){0}, false);
    assert_false(again(&p));
    pair_connect(&p);
    assert_non_null(p.client.stream->resumption);
    assert_int_equal(wolfSSL_no_dhe_psk(p.client.stream->wolfssl), 0);
    p.client.stream->wolfssl->options.onlyPskDheKe = 0;
    pair_handshake(&p, SIZE_MAX);
    assert_false(resumed(&p));
    pair_close(&p);
}

/* --- time --- */

/* An hour from the full handshake, however often it was gone on from since. */
static void older_than_its_lifetime(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++) {
        struct pair p;
        shift = 0;
        open_resuming(&p, (struct pair_spec){0}, old);
        assert_false(again(&p));
        int64_t until = newest(&p)->until;
        assert_in_range(until, time(NULL) + TLS_TICKET_LIFETIME - 9, time(NULL) + TLS_TICKET_LIFETIME);
        assert_in_range(newest(&p)->wolfssl->timeout, TLS_TICKET_LIFETIME - 9, TLS_TICKET_LIFETIME);
        shift = 1800;
        assert_true(again(&p));
        assert_in_range(newest(&p)->wolfssl->timeout, 1800 - 9, 1800);
        assert_true(newest(&p)->until <= until + 9);
        shift = TLS_TICKET_LIFETIME + 1;
        client_never_minds(&p);
        pair_connect(&p);
        assert_non_null(p.client.stream->resumption);
        pair_handshake(&p, SIZE_MAX);
        assert_false(resumed(&p));
        assert_true(tls_stream_info(p.server.stream).verified);
        settle(&p);
        /* Nor would the client have offered it. */
        shift += TLS_TICKET_LIFETIME + 1;
        pair_connect(&p);
        assert_null(p.client.stream->resumption);
        pair_disconnect(&p);
        /* The clock was set back: who knows how old it is. */
        assert_false(again(&p));
        shift -= 3 * TLS_TICKET_LIFETIME;
        pair_connect(&p);
        assert_null(p.client.stream->resumption);
        pair_disconnect(&p);
        pair_close(&p);
    }
}

/* The peer's certificate runs out while the ticket is young. */
static void expired_since(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++) {
        struct pair p;
        shift = 0;
        open_resuming(&p, (struct pair_spec){.client_chain = "leaf_expired intermediate"}, old);
        shift = pki_cert("leaf_expired")->not_after - time(NULL) - 600;
        assert_false(again(&p));
        assert_in_range(newest(&p)->wolfssl->timeout, 590, 601); /* so the server says */
        assert_true(again(&p));
        shift += 602;
        client_never_minds(&p);
        pair_connect(&p);
        assert_non_null(p.client.stream->resumption);
        pair_handshake(&p, SIZE_MAX);
        assert_null(p.server.stream->resumption);
        pair_refused(&p.server, &p.client, "expired", TLS_ALERT_CERTIFICATE_EXPIRED);
        pair_close(&p);

        /* The server's: the client does not offer what it has. */
        shift = 0;
        open_resuming(&p, (struct pair_spec){.server_chain = "leaf_expired intermediate"}, old);
        shift = pki_cert("leaf_expired")->not_after - time(NULL) - 600;
        assert_false(again(&p));
        assert_true(newest(&p)->until <= time(NULL) + 601);
        assert_true(again(&p));
        shift += 602;
        client_never_minds(&p);
        pair_connect(&p);
        assert_null(p.client.stream->resumption);
        pair_handshake(&p, SIZE_MAX);
        pair_refused(&p.client, &p.server, "expired", TLS_ALERT_CERTIFICATE_EXPIRED);
        pair_close(&p);
    }
    /* The judge's word at the very end counts, too. */
    struct pair p;
    shift = 0;
    open_resuming(&p, (struct pair_spec){0}, false);
    assert_false(again(&p));
    pair_connect(&p);
    pair_step(&p.client, SIZE_MAX);
    pair_carry(&p.client, &p.server);
    pair_step(&p.server, SIZE_MAX);
    assert_non_null(p.server.stream->resumption);
    pair_carry(&p.server, &p.client);
    pair_step(&p.client, SIZE_MAX);
    assert_int_equal(p.client.result, TLS_OK);
    assert_true(tls_stream_info(p.client.stream).resumed);
    pair_carry(&p.client, &p.server);
    shift = pki_cert("leaf")->not_after - time(NULL) + 10;
    pair_step(&p.server, SIZE_MAX);
    assert_int_equal(p.server.result, TLS_FAILED);
    assert_non_null(strstr(tls_stream_error_text(p.server.stream), "expired"));
    assert_int_equal(tls_stream_alert_sent(p.server.stream), TLS_ALERT_CERTIFICATE_EXPIRED);
    assert_false(tls_stream_info(p.server.stream).verified);
    pair_close(&p);
}

/* --- who gets none --- */

static void the_unverified_stay_so(void **state)
{
    (void)state;
    static const char *const chains[] = {"", "leaf_expired intermediate", "leaf_root2", "leaf_self",
                                         "leaf_revoked intermediate"};
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++)
        for (int old = 0; old < 2; old++) {
            struct pair p;
            open_resuming(&p,
                          (struct pair_spec){
                              .client_chain = chains[i],
                              .server_crls = "root.crl intermediate.crl",
                              .server = {.client_auth = TLS_CLIENT_AUTH_REQUEST, .revoked_allowed = true}},
                          old);
            for (int k = 0; k < 3; k++) {
                assert_false(again(&p));
                assert_false(tls_stream_info(p.server.stream).verified);
                assert_int_equal(tls_stream_peer(p.server.stream) != NULL, i > 0);
                /* In TLS 1.2 the server has to give one that it promised, but a dead one. */
                assert_int_equal(p.client.ctx->session_count, old);
                client_never_minds(&p);
            }
            pair_close(&p);
        }
}

static void off_gives_none_and_takes_none(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++)
        for (int auth = TLS_CLIENT_AUTH_REQUIRE; auth <= TLS_CLIENT_AUTH_NONE; auth++) {
            struct pair on, off;
            struct pair_spec spec = {.server = {.client_auth = (enum tls_client_auth)auth},
                                     .client = {.ciphers = old ? only_1_2 : NULL}};
            open_resuming(&on, spec, old);
            pair_open(&off, &spec);
            struct pair m = cross(&on, &off), back = cross(&off, &on);
            assert_false(again(&on));
            pair_disconnect(&on);
            /* The server is off: the ticket is not taken. */
            pair_connect(&m);
            assert_non_null(m.client.stream->resumption);
            pair_handshake(&m, SIZE_MAX);
            assert_int_equal(m.server.result, TLS_OK);
            assert_int_equal(m.server.io.out_size + m.client.inbox_size,
                             0); /* nothing behind the handshake */
            settle(&m);
            assert_false(resumed(&m));
            assert_int_equal(m.client.ctx->session_count, 0);
            pair_disconnect(&m);
            /* The client is off: it keeps none, and not even the memory of it. */
            for (int i = 0; i < 2; i++) {
                assert_false(again(&back));
                assert_int_equal(back.client.ctx->session_count, 0);
                assert_int_equal(back.client.stream->wolfssl->session->ticketLen, 0);
                pair_disconnect(&back);
            }
            pair_close(&off);
            pair_close(&on);
        }
}

/* --- the client --- */

static void sessions_are_used_once_and_bounded(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++) {
        struct pair p;
        struct tls_stream *open[2 * TLS_SESSIONS_MAX][2];
        open_resuming(&p, (struct pair_spec){0}, old);
        for (int round = 0; round < 2; round++) {
            /* Many at once: the first have none to go on from. */
            for (int i = 0; i < 2 * TLS_SESSIONS_MAX; i++) {
                tls_ctx_forget_sessions(p.client.ctx);
                assert_false(again(&p));
                open[i][0] = p.client.stream;
                open[i][1] = p.server.stream;
                p.client.stream = p.server.stream = NULL;
            }
            for (int i = 0; i < 2 * TLS_SESSIONS_MAX; i++) {
                tls_stream_free(open[i][0]);
                tls_stream_free(open[i][1]);
            }
        }
        struct tls_session kept[TLS_SESSIONS_MAX];
        for (int i = 0; i < 2 * TLS_SESSIONS_MAX; i++) {
            struct tls_ctx *c = p.client.ctx;
            memcpy(kept, c->sessions, sizeof kept);
            unsigned count = c->session_count;
            c->session_count = 0;
            assert_false(again(&p));
            assert_int_equal(c->session_count, 1);
            struct tls_session fresh = c->sessions[0];
            /* Put back as if they had been kept all along. */
            memcpy(c->sessions, kept, sizeof kept);
            c->session_count = count;
            if (count == TLS_SESSIONS_MAX) {
                wolfSSL_SESSION_free(fresh.wolfssl);
                tls_peer_unref(fresh.peer);
            } else {
                c->sessions[c->session_count++] = fresh;
            }
        }
        assert_int_equal(p.client.ctx->session_count, TLS_SESSIONS_MAX);
        /* Each once, the newest first; what comes in goes on top and the oldest falls out. */
        for (int i = 0; i < 3; i++) {
            WOLFSSL_SESSION *top = newest(&p)->wolfssl;
            pair_connect(&p);
            assert_int_equal(p.client.ctx->session_count, TLS_SESSIONS_MAX - 1);
            for (unsigned k = 0; k < p.client.ctx->session_count; k++)
                assert_ptr_not_equal(p.client.ctx->sessions[k].wolfssl, top);
            pair_handshake(&p, SIZE_MAX);
            settle(&p);
            assert_true(resumed(&p));
            assert_int_equal(p.client.ctx->session_count, TLS_SESSIONS_MAX);
        }
        pair_close(&p);
    }
}

/* A new context, for a new trust, has none; and who the server is must still please. */
static void the_server_is_judged_again(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++) {
        struct pair p, next;
        open_resuming(&p, (struct pair_spec){0}, old);
        open_resuming(&next, (struct pair_spec){.client_trust = "root2"}, old);
        assert_false(again(&p));
        pair_disconnect(&p);
        assert_int_equal(next.client.ctx->session_count, 0);
        struct pair m = cross(&next, &p);
        pair_connect(&m);
        pair_handshake(&m, SIZE_MAX);
        pair_refused(&m.client, &m.server, "not trusted", TLS_ALERT_UNKNOWN_CA);
        pair_disconnect(&m);
        /* Even if it got there. */
        next.client.ctx->sessions[0] = *newest(&p);
        next.client.ctx->session_count = 1;
        p.client.ctx->session_count = 0;
        pair_connect(&m);
        assert_null(m.client.stream->resumption);
        assert_int_equal(next.client.ctx->session_count, 0);
        pair_disconnect(&m);
        pair_close(&next);
        pair_close(&p);
    }
}

/* What we have not given a ticket for, or not offered, or what shows more than a resumption, is none. */
static void past_the_judge(void **state)
{
    (void)state;
    struct pair p;
    open_resuming(&p, (struct pair_spec){0}, false);
    pair_up(&p);
    struct pair_end *ends[] = {&p.client, &p.server};
    for (int i = 0; i < 2; i++) {
        struct tls_stream *s = ends[i]->stream;
        assert_null(s->resumption);
        assert_false(tls_stream_take_resumed(s));
        s->presented = false;
        assert_false(tls_stream_take_resumed(s));
        s->wolfssl->options.havePeerCert = 0;
        assert_false(tls_stream_take_resumed(s));
    }
    pair_close(&p);

    /* wolfSSL takes a client without a certificate for one that resumes. */
    for (int on = 0; on < 2; on++) {
        struct pair_spec spec = {.client_chain = "", .server = {.client_auth = TLS_CLIENT_AUTH_REQUEST}};
        if (on)
            spec = resuming(spec, false);
        pair_open(&p, &spec);
        pair_connect(&p);
        pair_step(&p.client, SIZE_MAX);
        pair_carry(&p.client, &p.server);
        pair_step(&p.server, SIZE_MAX);
        pair_carry(&p.server, &p.client);
        p.server.stream->wolfssl->options.resuming = 1;
        p.server.stream->wolfssl->options.peerAuthGood = 1;
        pair_handshake(&p, SIZE_MAX);
        pair_refused(&p.server, &p.client, "a session was resumed past the judge",
                     TLS_ALERT_HANDSHAKE_FAILURE);
        pair_close(&p);
    }
}

/* A ticket with our own seal that names a peer who is not trusted: nobody can have it, and it is not taken.
 */
static void in_the_name_of_a_stranger(void **state)
{
    (void)state;
    static const char *const chains[] = {"leaf intermediate", "leaf_root2", "leaf_self", ""};
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) {
        struct pair p;
        uint8_t name[16], iv[16], mac[32], data[200] = {0};
        struct tls_ticket t = {name, iv, mac, data, sizeof data};
        int size = sizeof data;
        open_resuming(
            &p,
            (struct pair_spec){.client_chain = chains[i], .server = {.client_auth = TLS_CLIENT_AUTH_REQUEST}},
            false);
        pair_up(&p);
        struct tls_peer *peer = tls_stream_peer(p.server.stream);
        assert_int_equal(peer != NULL, i < 3);
        if (peer)
            memcpy(data + sizeof data - 32, peer->chain_hash, 32);
        assert_true(tls_ticket_seal(&p.server.ctx->ticket_keys, &t, time(NULL) + 100, "web.shop.svc"));
        pair_connect(&p);
        int result = tls_stream_ticket_callback(p.server.stream->wolfssl, name, iv, mac, 0, data, sizeof data,
                                                &size, NULL);
        assert_int_equal(result, i == 0 ? WOLFSSL_TICKET_RET_OK : WOLFSSL_TICKET_RET_REJECT);
        assert_int_equal(p.server.stream->resumption != NULL, i == 0);
        pair_close(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_verified_identity),
        cmocka_unit_test(by_every_way),
        cmocka_unit_test(another_version_since),
        cmocka_unit_test(many_in_a_row),
        cmocka_unit_test(between_workers),
        cmocka_unit_test(from_before_a_revocation),
        cmocka_unit_test(after_a_change_of_the_ca),
        cmocka_unit_test(another_server_name),
        cmocka_unit_test(sealed_for_one_name),
        cmocka_unit_test(of_another_inbound_or_association),
        cmocka_unit_test(whose_peer_left_the_table),
        cmocka_unit_test(tampered_with),
        cmocka_unit_test(stolen),
        cmocka_unit_test(two_tickets_at_once),
        cmocka_unit_test(ticket_left_out_after_a_retry),
        cmocka_unit_test(without_extended_master_secret),
        cmocka_unit_test(without_a_new_key_exchange),
        cmocka_unit_test_teardown(older_than_its_lifetime, reset_clock),
        cmocka_unit_test_teardown(expired_since, reset_clock),
        cmocka_unit_test(the_unverified_stay_so),
        cmocka_unit_test(off_gives_none_and_takes_none),
        cmocka_unit_test(sessions_are_used_once_and_bounded),
        cmocka_unit_test(the_server_is_judged_again),
        cmocka_unit_test(past_the_judge),
        cmocka_unit_test(in_the_name_of_a_stranger),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
