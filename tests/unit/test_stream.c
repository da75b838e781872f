/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Handshakes, data and endings between our own client and server; who is refused, and what both are told. */
#include <time.h>

#include "tls_pair.h"

/* --- handshakes that succeed --- */

static void every_key_version_and_client_auth(void **state)
{
    (void)state;
    static const char *const leaves[] = {"leaf", "leaf_p384", "leaf_rsa2048", "leaf_ed25519", "leaf_p521"};
    for (size_t k = 0; k < sizeof leaves / sizeof *leaves; k++)
        for (int old = 0; old < 2; old++)
            for (int auth = TLS_CLIENT_AUTH_REQUIRE; auth <= TLS_CLIENT_AUTH_NONE; auth++) {
                struct pair p;
                char chain[64];
                snprintf(chain, sizeof chain, "%s intermediate", leaves[k]);
                pair_open(&p, &(struct pair_spec){.server_chain = chain,
                                                  .client_chain = chain,
                                                  .server = {.client_auth = (enum tls_client_auth)auth},
                                                  .client = {.ciphers = old ? only_1_2 : NULL}});
                pair_up(&p);
                bool asked = auth != TLS_CLIENT_AUTH_NONE;
                struct tls_stream_info c = tls_stream_info(p.client.stream),
                                       s = tls_stream_info(p.server.stream);
                assert_string_equal(c.version, old ? "TLSv1.2" : "TLSv1.3");
                assert_string_equal(s.version, c.version);
                assert_string_equal(s.cipher, c.cipher);
                assert_string_equal(s.cipher, old ? k == 2 ? "ECDHE-RSA-AES128-GCM-SHA256"
                                                           : "ECDHE-ECDSA-AES128-GCM-SHA256"
                                                  : "TLS_AES_128_GCM_SHA256");
                assert_string_equal(c.group, old ? "X25519" : "X25519MLKEM768");
                assert_string_equal(s.group, c.group);
                assert_string_equal(s.sni, "web.shop.svc");
                assert_string_equal(c.sni, "web.shop.svc");
                assert_true(c.verified);
                assert_int_equal(s.verified, asked);
                assert_int_equal(tls_stream_peer(p.server.stream) != NULL, asked);
                assert_int_equal(tls_stream_verdict(p.server.stream)->status,
                                 asked ? TLS_TRUSTED : TLS_NONE_PRESENTED);
                assert_int_equal(tls_stream_verdict(p.client.stream)->status, TLS_TRUSTED);
                assert_false(c.resumed || s.resumed);
                assert_null(c.alpn);
                assert_string_equal(tls_stream_error_text(p.client.stream), "");
                assert_int_equal(tls_stream_handshake(p.client.stream), TLS_OK);
                assert_ptr_equal(tls_stream_ctx(p.server.stream), p.server.ctx);
                pair_says(&p, true, "from the client");
                pair_says(&p, false, "from the server");
                pair_close(&p);
            }
}

static void ciphers_by_either_name(void **state)
{
    (void)state;
    static const struct {
        const char *asked, *openssl, *iana;
    } cases[] = {
        {"TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256"},
        {"TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"},
        {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384",
         "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
        {"ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-CHACHA20-POLY1305",
         "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair p;
        pair_open(&p, &(struct pair_spec){.server = {.ciphers = ONE(cases[i].asked)}});
        pair_up(&p);
        struct tls_stream_info info = tls_stream_info(p.client.stream);
        assert_string_equal(info.cipher, cases[i].openssl);
        assert_string_equal(info.cipher_iana, cases[i].iana);
        pair_says(&p, true, "hello");
        pair_says(&p, false, "hello");
        pair_close(&p);
    }
    assert_true(tls_cipher_known("ecdhe-rsa-aes128-gcm-sha256"));
    assert_true(tls_cipher_known("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"));
    assert_false(tls_cipher_known("ECDHE-RSA-AES128-SHA"));
    assert_false(tls_cipher_known("AES128-GCM-SHA256"));
    assert_false(tls_cipher_known("DHE-RSA-AES128-GCM-SHA256"));
    assert_false(tls_cipher_known(""));
}

static void every_group(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"X25519MLKEM768", "X25519MLKEM768"},
        {"X25519", "X25519"},
        {"P-256", "P-256"},
        {"P-384", "P-384"},
        {"secp256r1", "P-256"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int old = i == 0 ? 0 : 1; old >= 0; old--) {
            struct pair p;
            /* The server's one group is not the client's first: a HelloRetryRequest under TLS 1.3. */
            pair_open(&p, &(struct pair_spec){
                              .server = {.groups = ONE(names[i][0]), .ciphers = old ? only_1_2 : NULL},
                              .client = {.groups = (const char *const[]){"X25519MLKEM768", "X25519", "P-256",
                                                                         "P-384", NULL}}});
            pair_up(&p);
            assert_string_equal(tls_stream_info(p.server.stream).group, names[i][1]);
            assert_string_equal(tls_stream_info(p.client.stream).group, names[i][1]);
            pair_close(&p);
        }
    assert_true(tls_group_known("x25519"));
    assert_false(tls_group_known("P-521"));
    assert_false(tls_group_known("ffdhe2048"));
}

/* The body of an extension of the client's first message. */
static const uint8_t *extension_of_hello(const uint8_t *hello, unsigned type, size_t *size)
{
    const uint8_t *p = hello + 5 + 4 + 2 + 32;
    p += 1 + p[0];               /* legacy_session_id */
    p += 2 + (p[0] << 8 | p[1]); /* cipher_suites */
    p += 1 + p[0];               /* legacy_compression_methods */
    const uint8_t *end = p + 2 + (p[0] << 8 | p[1]);
    for (p += 2; p < end; p += 4 + *size) {
        *size = (size_t)(p[2] << 8 | p[3]);
        if ((unsigned)(p[0] << 8 | p[1]) == type)
            return p + 4;
    }
    return NULL;
}

static void what_the_client_offers(void **state)
{
    (void)state;
    static const uint8_t groups[] = {0, 8, 0x11, 0xec, 0, 29, 0, 23, 0, 24};
    static const uint8_t new_groups[] = {0, 6, 0x11, 0xec, 0, 29, 0, 23};
    for (int old = -1; old < 2; old++) { /* 1.3 alone, both, 1.2 alone */
        struct pair p;
        size_t size;
        pair_open(
            &p, &(struct pair_spec){.client = {.ciphers = old > 0 ? only_1_2 : NULL,
                                               .min_version = old < 0 ? TLS_VERSION_1_3 : TLS_VERSION_1_2}});
        pair_connect(&p);
        pair_step(&p.client, SIZE_MAX);
        const uint8_t *hello = p.client.io.out;
        assert_int_equal(hello[0], 22);
        const uint8_t *x = extension_of_hello(hello, 13, &size); /* signature_algorithms */
        assert_non_null(x);
        for (size_t i = 2; i < size; i += 2)
            if (x[i] == 1 || x[i] == 2) /* MD5, SHA-1 */
                fail_msg("signature algorithm %02x%02x offered", x[i], x[i + 1]);
        x = extension_of_hello(hello, 10, &size); /* supported_groups */
        assert_non_null(x);
        if (old <= 0) {
            assert_int_equal(size, old < 0 ? sizeof new_groups : sizeof groups);
            assert_memory_equal(x, old < 0 ? new_groups : groups, size);
        }
        assert_null(extension_of_hello(hello, 35, &size)); /* session_ticket */
        assert_null(extension_of_hello(hello, 41, &size)); /* pre_shared_key */
        assert_null(extension_of_hello(hello, 42, &size)); /* early_data */
        assert_null(extension_of_hello(hello, 49, &size)); /* post_handshake_auth */
        assert_null(extension_of_hello(hello, 16, &size)); /* ALPN: not asked for */
        pair_close(&p);
    }
}

static void alpn(void **state)
{
    (void)state;
    static const char *const h2_first[] = {"h2", "http/1.1", NULL};
    static const char *const h1_first[] = {"http/1.1", "h2", NULL};
    for (int old = 0; old < 2; old++) {
        const char *const *ciphers = old ? only_1_2 : NULL;
        struct pair p;
        pair_open(&p, &(struct pair_spec){.server = {.alpn = h2_first, .ciphers = ciphers},
                                          .client = {.alpn = h1_first}});
        pair_up(&p);
        assert_string_equal(tls_stream_info(p.server.stream).alpn, "h2"); /* the server's preference */
        assert_string_equal(tls_stream_info(p.client.stream).alpn, "h2");
        pair_close(&p);

        /* Not offered: fine, even when strict. */
        pair_open(&p,
                  &(struct pair_spec){.server = {.alpn = h2_first, .alpn_strict = true, .ciphers = ciphers}});
        pair_up(&p);
        assert_null(tls_stream_info(p.server.stream).alpn);
        pair_close(&p);

        /* Nothing in common: ignored, or refused when strict. */
        pair_open(&p, &(struct pair_spec){.server = {.alpn = h2_first, .ciphers = ciphers},
                                          .client = {.alpn = ONE("postgresql")}});
        pair_up(&p);
        assert_null(tls_stream_info(p.server.stream).alpn);
        assert_null(tls_stream_info(p.client.stream).alpn);
        pair_close(&p);
        pair_open(&p,
                  &(struct pair_spec){.server = {.alpn = h2_first, .alpn_strict = true, .ciphers = ciphers},
                                      .client = {.alpn = ONE("postgresql")}});
        pair_connect(&p);
        pair_handshake(&p, SIZE_MAX);
        pair_refused(&p.server, &p.client, "no common application protocol",
                     TLS_ALERT_NO_APPLICATION_PROTOCOL);
        pair_close(&p);
    }
}

/* One protocol with a comma in its name is not two. */
static void alpn_with_a_comma(void **state)
{
    (void)state;
    static const char *const ours[] = {"h2", "x", NULL};
    for (int strict = 0; strict < 2; strict++) {
        struct pair p;
        uint8_t *name = NULL;
        pair_open(&p, &(struct pair_spec){.server = {.alpn = ours, .alpn_strict = strict},
                                          .client = {.alpn = ONE("h2.x")}});
        pair_connect(&p);
        assert_int_equal(tls_stream_handshake(p.client.stream), TLS_WANT);
        name = memmem(p.client.io.out, p.client.io.out_size, "h2.x", 4);
        assert_non_null(name);
        name[2] = ',';
        pair_carry(&p.client, &p.server);
        pair_step(&p.server, SIZE_MAX);
        assert_null(tls_stream_info(p.server.stream).alpn);
        assert_int_equal(p.server.result, strict ? TLS_FAILED : TLS_WANT);
        if (strict)
            assert_string_equal(tls_stream_error_text(p.server.stream), "no common application protocol");
        pair_close(&p);
    }
}

static void names_of_servers(void **state)
{
    (void)state;
    static const struct {
        const char *server_name, *allow, *sni, *refused;
    } cases[] = {
        {"web.shop.svc", NULL, "web.shop.svc", NULL},
        {"WEB.shop.svc", NULL, "WEB.shop.svc", NULL},
        {"a.web.shop.svc", NULL, "a.web.shop.svc", NULL},
        {"192.0.2.7", NULL, NULL, NULL}, /* an address is no SNI */
        {"2001:db8::7", NULL, NULL, NULL},
        {"other.example", "spiffe://cluster.local/ns/shop/sa/web", "other.example", NULL},
        {NULL, "spiffe://cluster.local/ns/shop/*", NULL, NULL},
        {"other.example", NULL, "other.example",
         "peer's certificate lacks the name demanded: wanted other.example, has DNS:web.shop.svc"},
        {"192.0.2.8", NULL, NULL, "wanted 192.0.2.8, has DNS:web.shop.svc"},
        {"web.shop.svc", "spiffe://cluster.local/ns/pay/*", "web.shop.svc",
         "wanted spiffe://cluster.local/ns/pay/*, has"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair p;
        pair_open(&p, &(struct pair_spec){.client = {.server_name = cases[i].server_name,
                                                     .allow_san = cases[i].allow ? &cases[i].allow : NULL,
                                                     .allow_san_count = cases[i].allow != NULL},
                                          .peeked = cases[i].sni ? cases[i].sni : ""});
        pair_connect(&p);
        pair_handshake(&p, SIZE_MAX);
        if (cases[i].refused) {
            pair_refused(&p.client, &p.server, cases[i].refused, TLS_ALERT_ACCESS_DENIED);
        } else {
            if (p.server.result != TLS_OK || p.client.result != TLS_OK)
                fail_msg("%zu: %s / %s", i, tls_stream_error_text(p.client.stream),
                         tls_stream_error_text(p.server.stream));
            const char *sni = tls_stream_info(p.server.stream).sni;
            if (cases[i].sni)
                assert_string_equal(sni, cases[i].sni);
            else
                assert_null(sni);
        }
        pair_close(&p);
    }
}

/* --- refusals --- */

struct refusal {
    struct pair_spec spec;
    bool by_client;
    const char *words;
    enum tls_alert alert, alert_1_2; /* the latter 0: the same */
};

static void refused(const struct refusal *r, bool old, size_t chunk)
{
    struct pair p;
    struct pair_spec spec = r->spec;
    if (old && !spec.client.ciphers)
        spec.client.ciphers = only_1_2;
    pair_open(&p, &spec);
    pair_connect(&p);
    pair_handshake(&p, chunk);
    pair_refused(r->by_client ? &p.client : &p.server, r->by_client ? &p.server : &p.client, r->words,
                 old && r->alert_1_2 ? r->alert_1_2 : r->alert);
    pair_close(&p);
}

static void refusals_by_trust(void **state)
{
    (void)state;
    static const char *const nobody[] = {"spiffe://cluster.local/ns/pay/*", "10.1.2.3"};
    static const struct refusal cases[] = {
        {.spec = {.client_chain = ""},
         .words = "no certificate presented",
         .alert = TLS_ALERT_CERTIFICATE_REQUIRED,
         .alert_1_2 = TLS_ALERT_HANDSHAKE_FAILURE},
        {.spec = {.client_chain = "leaf_expired intermediate"},
         .words = "expired",
         .alert = TLS_ALERT_CERTIFICATE_EXPIRED},
        {.spec = {.client_chain = "leaf_future intermediate"},
         .words = "valid",
         .alert = TLS_ALERT_CERTIFICATE_EXPIRED},
        {.spec = {.client_chain = "leaf_root2"},
         .words = "issuer not trusted",
         .alert = TLS_ALERT_UNKNOWN_CA},
        {.spec = {.client_chain = "leaf"}, .words = "issuer not trusted", .alert = TLS_ALERT_UNKNOWN_CA},
        {.spec = {.client_chain = "leaf_self"}, .words = "not trusted", .alert = TLS_ALERT_UNKNOWN_CA},
        {.spec = {.client_chain = "leaf_by_impostor"}, .words = "", .alert = TLS_ALERT_BAD_CERTIFICATE},
        {.spec = {.client_chain = "leaf_server intermediate"},
         .words = "",
         .alert = TLS_ALERT_UNSUPPORTED_CERTIFICATE},
        {.spec = {.client_chain = "leaf_codesign intermediate"},
         .words = "",
         .alert = TLS_ALERT_UNSUPPORTED_CERTIFICATE},
        {.spec = {.client_chain = "leaf_by_leaf leaf intermediate"},
         .words = "",
         .alert = TLS_ALERT_BAD_CERTIFICATE},
        {.spec = {.client_chain = "leaf_by_expired intermediate_expired"},
         .words = "",
         .alert = TLS_ALERT_CERTIFICATE_EXPIRED},
        {.spec = {.client_chain = "leaf_client intermediate",
                  .server = {.allow_san = nobody, .allow_san_count = 2}},
         .words = "peer's certificate lacks the name demanded: wanted spiffe://cluster.local/ns/pay/* or "
                  "10.1.2.3, "
                  "has "
                  "URI:spiffe://cluster.local/ns/shop/sa/client",
         .alert = TLS_ALERT_ACCESS_DENIED},
        {.spec = {.server_chain = "leaf_expired intermediate"},
         .by_client = true,
         .words = "expired",
         .alert = TLS_ALERT_CERTIFICATE_EXPIRED},
        {.spec = {.server_chain = "leaf_root2"},
         .by_client = true,
         .words = "issuer not trusted",
         .alert = TLS_ALERT_UNKNOWN_CA},
        {.spec = {.server_chain = "leaf_client intermediate"},
         .by_client = true,
         .words = "",
         .alert = TLS_ALERT_UNSUPPORTED_CERTIFICATE},
        {.spec = {.server_chain = "leaf_nosan intermediate"},
         .by_client = true,
         .words = "peer's certificate lacks the name demanded: wanted web.shop.svc, has none",
         .alert = TLS_ALERT_ACCESS_DENIED},
        {.spec = {.server = {.allow_san = nobody,
                             .allow_san_count = 2,
                             .client_auth = TLS_CLIENT_AUTH_REQUEST},
                  .client_chain = ""},
         .words = "no certificate presented",
         .alert = TLS_ALERT_CERTIFICATE_REQUIRED,
         .alert_1_2 = TLS_ALERT_HANDSHAKE_FAILURE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int old = 0; old < 2; old++)
            refused(&cases[i], old, old ? 7 : SIZE_MAX);
}

static void refusals_by_protocol(void **state)
{
    (void)state;
    static const char *const aes[] = {"TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", NULL};
    static const char *const chacha[] = {"TLS_CHACHA20_POLY1305_SHA256", NULL};
    static const char *const chacha_1_2[] = {"ECDHE-ECDSA-CHACHA20-POLY1305", NULL};
    static const char *const p384[] = {"P-384", NULL};
    static const struct refusal cases[] = {
        {.spec = {.server = {.min_version = TLS_VERSION_1_3}, .client = {.ciphers = only_1_2}},
         .words = "no common protocol version",
         .alert = TLS_ALERT_PROTOCOL_VERSION},
        {.spec = {.server = {.ciphers = only_1_2}, .client = {.min_version = TLS_VERSION_1_3}},
         .words = "no common cipher suite",
         .alert = TLS_ALERT_HANDSHAKE_FAILURE},
        {.spec = {.server = {.ciphers = aes}, .client = {.ciphers = chacha}},
         .words = "no common cipher suite",
         .alert = TLS_ALERT_HANDSHAKE_FAILURE},
        {.spec = {.server = {.ciphers = aes}, .client = {.ciphers = chacha_1_2}},
         .words = "no common cipher suite",
         .alert = TLS_ALERT_HANDSHAKE_FAILURE},
        {.spec = {.client = {.groups = p384}},
         .words = "no common group",
         .alert = TLS_ALERT_HANDSHAKE_FAILURE},
        {.spec = {.client = {.groups = p384, .ciphers = only_1_2}},
         .words = "no common group",
         .alert = TLS_ALERT_HANDSHAKE_FAILURE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(&cases[i], false, SIZE_MAX);
}

static void request_lets_strangers_in_unverified(void **state)
{
    (void)state;
    static const char *const chains[] = {"", "leaf_expired intermediate", "leaf_root2", "leaf_self",
                                         "leaf_codesign intermediate"};
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++)
        for (int old = 0; old < 2; old++) {
            struct pair p;
            pair_open(&p, &(struct pair_spec){.client_chain = chains[i],
                                              .server = {.client_auth = TLS_CLIENT_AUTH_REQUEST},
                                              .client = {.ciphers = old ? only_1_2 : NULL}});
            pair_up(&p);
            assert_false(tls_stream_info(p.server.stream).verified);
            assert_int_equal(tls_stream_peer(p.server.stream) != NULL, i > 0);
            assert_int_not_equal(tls_stream_verdict(p.server.stream)->status, TLS_TRUSTED);
            pair_says(&p, true, "let me in");
            pair_close(&p);
        }
}

/* A revoked leaf: refused by who requires and by who requests, unless the rules are to see it. */
static void revoked(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++)
        for (int auth = TLS_CLIENT_AUTH_REQUIRE; auth <= TLS_CLIENT_AUTH_REQUEST; auth++)
            for (int allowed = 0; allowed < 2; allowed++) {
                struct pair p;
                pair_open(&p, &(struct pair_spec){.client_chain = "leaf_revoked intermediate",
                                                  .server_crls = "root.crl intermediate.crl",
                                                  .server = {.client_auth = (enum tls_client_auth)auth,
                                                             .revoked_allowed = allowed},
                                                  .client = {.ciphers = old ? only_1_2 : NULL}});
                pair_connect(&p);
                pair_handshake(&p, SIZE_MAX);
                if (allowed) {
                    assert_int_equal(p.server.result, TLS_OK);
                    assert_false(tls_stream_info(p.server.stream).verified);
                    assert_true(tls_stream_verdict(p.server.stream)->revoked_leaf);
                } else {
                    pair_refused(&p.server, &p.client, "revoked", TLS_ALERT_CERTIFICATE_REVOKED);
                }
                assert_int_equal(tls_stream_verdict(p.server.stream)->status, TLS_REVOKED);
                pair_close(&p);
            }
    /* A revoked intermediate is never the rules' affair. */
    static const struct refusal by_intermediate = {
        .spec = {.client_chain = "leaf_by_revoked intermediate_revoked",
                 .server_crls = "root.crl",
                 .server = {.revoked_allowed = true}},
        .words = "revoked",
        .alert = TLS_ALERT_CERTIFICATE_REVOKED};
    refused(&by_intermediate, false, SIZE_MAX);
}

/* Who was let in as verified must stay trusted, even where certificates are only requested. */
static void open_streams_judged_again(void **state)
{
    (void)state;
    static const struct {
        enum tls_client_auth auth;
        const char *chain, *trust, *crls;
        bool revoked_allowed, admitted;
    } cases[] = {
        {TLS_CLIENT_AUTH_REQUEST, "leaf intermediate", "root", NULL, false, true},
        {TLS_CLIENT_AUTH_REQUEST, "leaf intermediate", "root_renewed", NULL, false, true},
        {TLS_CLIENT_AUTH_REQUEST, "leaf intermediate", "root2", NULL, false, false},
        {TLS_CLIENT_AUTH_REQUIRE, "leaf intermediate", "root2", NULL, false, false},
        {TLS_CLIENT_AUTH_NONE, "leaf intermediate", "root2", NULL, false, false},
        {TLS_CLIENT_AUTH_REQUEST, "leaf_revoked intermediate", "root", "root.crl intermediate.crl", false,
         false},
        {TLS_CLIENT_AUTH_REQUEST, "leaf_revoked intermediate", "root", "root.crl intermediate.crl", true,
         true},
        {TLS_CLIENT_AUTH_REQUIRE, "leaf_revoked intermediate", "root", "root.crl intermediate.crl", false,
         false},
        {TLS_CLIENT_AUTH_REQUEST, "", "root2", NULL, false, true},
        {TLS_CLIENT_AUTH_REQUIRE, "", "root", NULL, false, false},
        {TLS_CLIENT_AUTH_REQUEST, "leaf_root2", "root", NULL, false, true},
        {TLS_CLIENT_AUTH_REQUIRE, "leaf_root2", "root2", NULL, false, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair p, next;
        char words[256];
        pair_open(&p, &(struct pair_spec){.client_chain = cases[i].chain,
                                          .server = {.client_auth = TLS_CLIENT_AUTH_REQUEST}});
        pair_up(&p);
        assert_true(tls_stream_admitted(p.server.stream, p.server.ctx, time(NULL), words, sizeof words));
        pair_open(&next, &(struct pair_spec){.server_trust = cases[i].trust,
                                             .server_crls = cases[i].crls,
                                             .server = {.client_auth = cases[i].auth,
                                                        .revoked_allowed = cases[i].revoked_allowed}});
        bool admitted =
            tls_stream_admitted(p.server.stream, next.server.ctx, time(NULL), words, sizeof words);
        if (admitted != cases[i].admitted)
            fail_msg("case %zu: %d \"%s\"", i, admitted, words);
        assert_int_equal(strlen(words) > 0, !admitted);
        pair_close(&next);
        pair_close(&p);
    }
}

/* What a stream says of its handshake stays, whatever the same peer was judged to be since, and costs
 * nothing. */
static void the_verdict_of_the_handshake_stays(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p, &(struct pair_spec){0});
    pair_up(&p);
    struct tls_peer *peer = tls_stream_peer(p.server.stream);
    int64_t end = peer->not_after;
    assert_int_equal(tls_peer_verdict(peer, p.server.trust, TLS_PURPOSE_CLIENT, end + 1)->status,
                     TLS_EXPIRED);
    assert_int_equal(tls_stream_verdict(p.server.stream)->status, TLS_TRUSTED);
    assert_int_equal(tls_peer_verdict(peer, p.server.trust, TLS_PURPOSE_CLIENT, end + 1)->status,
                     TLS_EXPIRED);
    /* Judged later than the handshake, and the same: a verdict that was made anew would lose the mark. */
    struct tls_verdict *v =
        (struct tls_verdict *)(uintptr_t)tls_peer_verdict(peer, p.server.trust, TLS_PURPOSE_CLIENT, end - 9);
    v->depth = 99;
    assert_int_equal(tls_stream_verdict(p.server.stream)->depth, 99);
    pair_close(&p);
}

static void own_mistakes(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p, &(struct pair_spec){0});
    struct tls_der chain[PAIR_CERTS];
    struct tls_credentials own;
    pair_credentials("leaf intermediate", chain, &own);
    const char *bad_san = "spiffe://a/*/*/../*";
    const struct {
        const char *words;
        bool client;
        struct tls_options options;
        struct tls_credentials own;
    } cases[] = {
        {"unknown cipher RC4-MD5", false, {.ciphers = ONE("RC4-MD5")}, own},
        {"unknown group P-123", false, {.groups = ONE("P-123")}, own},
        {"no cipher is left", false, {.ciphers = only_1_2, .min_version = TLS_VERSION_1_3}, own},
        {"list of groups is empty", false, {.groups = ONE(NULL)}, own},
        {"bad ALPN name", false, {.alpn = ONE("a,b")}, own},
        {"bad ALPN name", false, {.alpn = ONE("")}, own},
        {"a server needs a certificate", false, {0}, {0}},
        {"private key does not match the certificate",
         false,
         {0},
         {.chain = chain, .chain_count = 1, .key = pki_der("leaf_client.key")}},
        {"private key not usable", false, {0}, {.chain = chain, .chain_count = 1, .key = chain[0]}},
        {"own certificate not usable",
         false,
         {0},
         {.chain = &own.key, .chain_count = 1, .key = pki_der("leaf.key")}},
        {"allow_san spiffe://a/*/*/../*", false, {.allow_san = &bad_san, .allow_san_count = 1}, own},
        {"neither server_name nor allow_san", true, {0}, own},
        {"server_name *.shop.svc: neither a host name nor an IP address",
         true,
         {.server_name = "*.shop.svc"},
         own},
        {"server_name", true, {.server_name = "a..b"}, own},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char error[256];
        struct tls_ctx *ctx = (cases[i].client ? tls_ctx_new_client : tls_ctx_new_server)(
            &cases[i].own, p.server.trust, p.server.peers, &cases[i].options, error, sizeof error);
        assert_null(ctx);
        if (!strstr(error, cases[i].words))
            fail_msg("\"%s\", expected \"%s\"", error, cases[i].words);
    }
    pair_close(&p);
}

/* The contexts may go before their streams, and are used by many. */
static void contexts_are_counted(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p, &(struct pair_spec){0});
    assert_int_equal(tls_ctx_purpose(p.server.ctx), TLS_PURPOSE_CLIENT);
    assert_int_equal(tls_ctx_purpose(p.client.ctx), TLS_PURPOSE_SERVER);
    assert_ptr_equal(tls_ctx_trust(p.server.ctx), p.server.trust);
    pair_connect(&p);
    tls_ctx_unref(p.server.ctx);
    tls_ctx_unref(p.client.ctx);
    p.server.ctx = p.client.ctx = NULL;
    pair_handshake(&p, SIZE_MAX);
    pair_says(&p, true, "still here");
    tls_ctx_unref(NULL);
    tls_stream_free(NULL);
    pair_close(&p);
}

/* Live sessions are judged again against a new snapshot's context. */
static void judging_again(void **state)
{
    (void)state;
    struct pair p, next;
    char words[256];
    pair_open(&p, &(struct pair_spec){0});
    pair_up(&p);
    struct tls_peer *peer = tls_peer_ref(tls_stream_peer(p.server.stream));
    assert_true(tls_ctx_admits(p.server.ctx, peer, PKI_NOW, words, sizeof words));
    assert_string_equal(words, "");
    assert_false(
        tls_ctx_admits(p.server.ctx, peer, PKI_NOW + (int64_t)100 * 366 * 86400, words, sizeof words));
    assert_non_null(strstr(words, "expired"));
    assert_false(tls_ctx_admits(p.server.ctx, NULL, PKI_NOW, words, sizeof words));
    assert_string_equal(words, "no certificate presented");

    const char *allow = "spiffe://cluster.local/ns/shop/sa/web", *other = "other.example";
    struct tls_options options[] = {
        {.client_auth = TLS_CLIENT_AUTH_REQUEST},
        {.client_auth = TLS_CLIENT_AUTH_NONE},
        {.client_auth = TLS_CLIENT_AUTH_REQUEST, .allow_san = &allow, .allow_san_count = 1},
        {.client_auth = TLS_CLIENT_AUTH_REQUEST, .allow_san = &other, .allow_san_count = 1},
        {.client_auth = TLS_CLIENT_AUTH_REQUIRE},
    };
    static const bool known[] = {true, true, true, false, true}, absent[] = {true, true, false, false, false};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        pair_open(&next, &(struct pair_spec){.server = options[i]});
        assert_int_equal(tls_ctx_admits(next.server.ctx, peer, PKI_NOW, words, sizeof words), known[i]);
        assert_int_equal(tls_ctx_admits(next.server.ctx, NULL, PKI_NOW, words, sizeof words), absent[i]);
        pair_close(&next);
    }
    pair_open(&next, &(struct pair_spec){.server_trust = "root2"});
    assert_false(tls_ctx_admits(next.server.ctx, peer, PKI_NOW, words, sizeof words));
    assert_non_null(strstr(words, "not trusted"));
    pair_close(&next);
    tls_peer_unref(peer);
    pair_close(&p);
}

/* --- bytes --- */

static void byte_by_byte(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++)
        for (size_t chunk = 1; chunk < 1000; chunk = chunk * 5 + 1) {
            struct pair p;
            uint8_t data[4096];
            size_t n;
            pair_open(&p, &(struct pair_spec){.client = {.ciphers = old ? only_1_2 : NULL}});
            pair_connect(&p);
            pair_handshake(&p, chunk);
            assert_int_equal(p.server.result, TLS_OK);
            assert_int_equal(p.client.result, TLS_OK);
            assert_int_equal(tls_stream_write(p.client.stream, (const uint8_t *)"abc", 3), TLS_OK);
            assert_int_equal(tls_stream_write(p.client.stream, (const uint8_t *)"def", 3), TLS_OK);
            pair_carry(&p.client, &p.server);
            assert_int_equal(pair_read(&p.server, data, sizeof data, &n, chunk), TLS_WANT);
            assert_int_equal(n, 6);
            assert_memory_equal(data, "abcdef", 6);
            pair_close(&p);
        }
}

static void a_mebibyte_both_ways(void **state)
{
    (void)state;
    enum { SIZE = 1024 * 1024 };
    uint8_t *sent = malloc(SIZE), *got = malloc(SIZE + 1);
    assert_true(sent && got);
    for (size_t i = 0; i < SIZE; i++)
        sent[i] = (uint8_t)(i * 2654435761u >> 13);
    for (int old = 0; old < 2; old++) {
        struct pair p;
        size_t n;
        pair_open(&p, &(struct pair_spec){.client = {.ciphers = old ? only_1_2 : NULL}});
        pair_up(&p);
        for (int way = 0; way < 2; way++) {
            struct pair_end *from = way ? &p.server : &p.client, *to = way ? &p.client : &p.server;
            assert_int_equal(tls_stream_write(from->stream, sent, SIZE), TLS_OK);
            assert_true(from->io.out_size <= tls_stream_out_bound(SIZE));
            /* Whole records of 16 KiB: header, tag and what the version adds. */
            assert_int_equal(from->io.out_size, SIZE + SIZE / TLS_RECORD_PLAIN_MAX * (old ? 29 : 22));
            pair_carry(from, to);
            assert_int_equal(pair_read(to, got, SIZE + 1, &n, 65537), TLS_WANT);
            assert_int_equal(n, SIZE);
            assert_memory_equal(sent, got, SIZE);
        }
        pair_close(&p);
    }
    free(sent);
    free(got);
}

/* A read smaller than a record leaves the rest pending, without more input. */
static void small_reads(void **state)
{
    (void)state;
    struct pair p;
    uint8_t data[4];
    size_t n;
    pair_open(&p, &(struct pair_spec){0});
    pair_up(&p);
    assert_false(tls_stream_pending(p.server.stream));
    assert_int_equal(tls_stream_write(p.client.stream, (const uint8_t *)"abcdefgh", 8), TLS_OK);
    pair_carry(&p.client, &p.server);
    pair_offer(&p.server, SIZE_MAX);
    assert_int_equal(tls_stream_read(p.server.stream, data, 4, &n), TLS_OK);
    assert_int_equal(n, 4);
    assert_int_equal(p.server.io.in_size, 0);
    assert_true(tls_stream_pending(p.server.stream));
    assert_int_equal(tls_stream_read(p.server.stream, data, 4, &n), TLS_OK);
    assert_memory_equal(data, "efgh", 4);
    assert_false(tls_stream_pending(p.server.stream));
    assert_int_equal(tls_stream_read(p.server.stream, data, 4, &n), TLS_WANT);
    assert_int_equal(n, 0);
    pair_taken(&p.server);
    assert_int_equal(tls_stream_write(p.server.stream, data, 0), TLS_OK);
    assert_int_equal(p.server.io.out_size, 0);
    pair_close(&p);
}

/* The client's first data comes in one chunk with its Finished. */
static void data_behind_finished(void **state)
{
    (void)state;
    struct pair p;
    uint8_t data[64];
    size_t n;
    pair_open(&p, &(struct pair_spec){0});
    pair_connect(&p);
    pair_step(&p.client, SIZE_MAX);
    pair_carry(&p.client, &p.server);
    pair_step(&p.server, SIZE_MAX);
    pair_carry(&p.server, &p.client);
    pair_step(&p.client, SIZE_MAX);
    assert_int_equal(p.client.result, TLS_OK);
    assert_int_equal(tls_stream_write(p.client.stream, (const uint8_t *)"GET /", 5), TLS_OK);
    assert_int_equal(tls_stream_close_notify(p.client.stream), TLS_OK);
    pair_carry(&p.client, &p.server);
    pair_step(&p.server, SIZE_MAX);
    assert_int_equal(p.server.result, TLS_OK);
    assert_int_equal(pair_read(&p.server, data, sizeof data, &n, SIZE_MAX), TLS_CLOSED);
    assert_int_equal(n, 5);
    assert_memory_equal(data, "GET /", 5);
    pair_close(&p);
}

/* Under TLS 1.3 a server could send before it knows the client: it must not. */
static void nothing_is_written_or_read_before_the_end(void **state)
{
    (void)state;
    struct pair p;
    uint8_t data[64];
    size_t n;
    pair_open(&p, &(struct pair_spec){0});
    pair_connect(&p);
    pair_step(&p.client, SIZE_MAX);
    pair_carry(&p.client, &p.server);
    pair_step(&p.server, SIZE_MAX);
    assert_int_equal(p.server.result, TLS_WANT);
    size_t before = p.server.io.out_size;
    assert_int_equal(tls_stream_write(p.server.stream, (const uint8_t *)"secret", 6), TLS_FAILED);
    assert_int_equal(tls_stream_read(p.server.stream, data, sizeof data, &n), TLS_FAILED);
    assert_int_equal(tls_stream_close_notify(p.server.stream), TLS_FAILED);
    assert_int_equal(p.server.io.out_size, before);
    assert_null(tls_stream_info(p.server.stream).version);
    assert_false(tls_stream_info(p.server.stream).verified);
    pair_close(&p);
}

/* --- endings --- */

static void half_close_both_ways(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++)
        for (int first = 0; first < 2; first++) {
            struct pair p;
            uint8_t data[64];
            size_t n;
            pair_open(&p, &(struct pair_spec){.client = {.ciphers = old ? only_1_2 : NULL}});
            pair_up(&p);
            struct pair_end *a = first ? &p.server : &p.client, *b = first ? &p.client : &p.server;
            assert_int_equal(tls_stream_close_notify(a->stream), TLS_OK);
            size_t once = a->io.out_size;
            assert_true(once > 0);
            assert_int_equal(tls_stream_close_notify(a->stream), TLS_OK);
            assert_int_equal(a->io.out_size, once);
            assert_int_equal(tls_stream_write(a->stream, (const uint8_t *)"x", 1), TLS_FAILED);
            pair_carry(a, b);
            assert_int_equal(pair_read(b, data, sizeof data, &n, SIZE_MAX), TLS_CLOSED);
            assert_int_equal(n, 0);
            assert_int_equal(pair_read(b, data, sizeof data, &n, SIZE_MAX), TLS_CLOSED);
            /* The other direction goes on. */
            pair_says(&p, first, "after you closed");
            pair_says(&p, first, "and more");
            assert_int_equal(tls_stream_close_notify(b->stream), TLS_OK);
            pair_carry(b, a);
            assert_int_equal(pair_read(a, data, sizeof data, &n, SIZE_MAX), TLS_CLOSED);
            assert_string_equal(tls_stream_error_text(a->stream), "");
            assert_int_equal(tls_stream_alert_sent(a->stream), TLS_ALERT_NONE);
            assert_int_equal(tls_stream_alert_received(b->stream), TLS_ALERT_NONE);
            pair_close(&p);
        }
}

static void alerts_in_every_state(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++)
        for (int when = 0; when < 4; when++) {
            struct pair p;
            pair_open(&p, &(struct pair_spec){.client = {.ciphers = old ? only_1_2 : NULL}});
            pair_connect(&p);
            if (when == 3) {
                pair_handshake(&p, SIZE_MAX);
            } else if (when > 0) {
                pair_step(&p.client, SIZE_MAX);
                pair_carry(&p.client, &p.server);
                if (when > 1) {
                    pair_step(&p.server, SIZE_MAX);
                    pair_carry(&p.server, &p.client);
                    pair_step(&p.client, SIZE_MAX);
                }
            }
            tls_stream_alert(p.server.stream, TLS_ALERT_UNRECOGNIZED_NAME, "no room for this name");
            size_t once = p.server.io.out_size;
            assert_int_equal(once > 0, 1);
            /* Who was verified stays so: the log says with whom it was over. */
            assert_int_equal(tls_stream_info(p.server.stream).verified, when == 3);
            p.server.result = tls_stream_handshake(p.server.stream);
            tls_stream_alert(p.server.stream, TLS_ALERT_INTERNAL_ERROR, NULL);
            assert_int_equal(p.server.io.out_size, once);
            assert_string_equal(tls_stream_error_text(p.server.stream), "no room for this name");
            pair_carry(&p.server, &p.client);
            if (p.client.result == TLS_WANT)
                pair_step(&p.client, SIZE_MAX);
            p.client.io.out_size = 0;
            pair_refused(&p.server, &p.client, "no room for this name", TLS_ALERT_UNRECOGNIZED_NAME);
            assert_int_equal(tls_stream_write(p.server.stream, (const uint8_t *)"x", 1), TLS_FAILED);
            assert_int_equal(tls_stream_close_notify(p.server.stream), TLS_FAILED);
            pair_close(&p);
        }
}

static void closed_in_mid_handshake(void **state)
{
    (void)state;
    static const uint8_t close_notify_record[] = {21, 3, 3, 0, 2, 1, 0};
    struct pair p;
    pair_open(&p, &(struct pair_spec){0});
    pair_connect(&p);
    memcpy(p.server.inbox, close_notify_record, sizeof close_notify_record);
    p.server.inbox_size = sizeof close_notify_record;
    pair_step(&p.server, SIZE_MAX);
    assert_int_equal(p.server.result, TLS_FAILED);
    assert_non_null(strstr(tls_stream_error_text(p.server.stream), "closed the connection in the handshake"));
    pair_close(&p);
}

/* --- memory --- */

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#include <malloc.h>

static size_t heap(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

/* An open stream without traffic holds less than 4 KB, whichever end it is; callers share one peer. */
static void idle_streams_are_small(void **state)
{
    (void)state;
    enum { COUNT = 100, LIMIT = 4096 };
    static const uint8_t secret[TLS_TICKET_SECRET_SIZE];
    for (int k = 0; k < 4; k++) {
        bool old = k & 1, resumption = k & 2;
        struct tls_stream *clients[COUNT], *servers[COUNT];
        struct pair p;
        pair_open(&p, &(struct pair_spec){
                          .client = {.ciphers = old ? only_1_2 : NULL, .resumption = resumption},
                          .server = {.resumption = resumption, .ticket_secret = secret, .ticket_scope = ""}});
        pair_up(&p);
        pair_says(&p, true, "hello");
        pair_says(&p, false, "hello");
        pair_disconnect(&p);
        size_t before = heap();
        for (int i = 0; i < COUNT; i++) {
            pair_up(&p);
            pair_says(&p, true, "hello");
            pair_says(&p, false, "hello");
            assert_int_equal(tls_stream_info(p.client.stream).resumed, resumption);
            clients[i] = p.client.stream;
            servers[i] = p.server.stream;
            p.client.stream = p.server.stream = NULL;
        }
        assert_int_equal(tls_peers_count(p.server.peers), 1);
        size_t both = heap();
        for (int i = 0; i < COUNT; i++)
            tls_stream_free(clients[i]);
        size_t one = heap();
        for (int i = 0; i < COUNT; i++)
            tls_stream_free(servers[i]);
        size_t none = heap();
        if (both - one > COUNT * LIMIT || one - none > COUNT * LIMIT || one - none < COUNT * LIMIT / 8)
            fail_msg("%zu and %zu bytes a stream", (both - one) / COUNT, (one - none) / COUNT);
        /* All comes back, but for what malloc counts as used while it keeps it at hand for the thread. */
        if (none >= before + 4 * LIMIT)
            fail_msg("%zu bytes stay", none - before);
        pair_close(&p);
    }
}
#define MEMORY_TESTS cmocka_unit_test(idle_streams_are_small),
#else
#define MEMORY_TESTS
#endif

/* --- nonsense --- */

static void what_is_not_tls(void **state)
{
    (void)state;
    static const char *const greetings[] = {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "SSH-2.0-OpenSSH_9.2p1\r\n",
                                            "\x16\x03\x01", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"};
    for (size_t i = 0; i < sizeof greetings / sizeof *greetings; i++) {
        struct pair p;
        pair_open(&p, &(struct pair_spec){0});
        pair_connect(&p);
        p.server.inbox_size = strlen(greetings[i]);
        memcpy(p.server.inbox, greetings[i], p.server.inbox_size);
        pair_step(&p.server, SIZE_MAX);
        if (i == 2) {
            assert_int_equal(p.server.result, TLS_WANT);
        } else {
            assert_int_equal(p.server.result, TLS_FAILED);
            assert_string_equal(tls_stream_error_text(p.server.stream), "not TLS");
        }
        pair_close(&p);
    }
}

/* The server's side of it: what a service without TLS says to our ClientHello. */
static void greeted_without_tls(void **state)
{
    (void)state;
    static const char *const greetings[] = {"hello from the service\n", "HTTP/1.1 400 Bad Request\r\n\r\n",
                                            "220 mail.example ESMTP\r\n",
                                            "\x4a\0\0\0\x0a"
                                            "8.0"};
    for (size_t i = 0; i < sizeof greetings / sizeof *greetings; i++) {
        struct pair p;
        pair_open(&p, &(struct pair_spec){0});
        pair_connect(&p);
        pair_step(&p.client, SIZE_MAX);
        p.client.inbox_size = 8;
        memcpy(p.client.inbox, greetings[i], 8);
        pair_step(&p.client, SIZE_MAX);
        assert_int_equal(p.client.result, TLS_FAILED);
        assert_string_equal(tls_stream_error_text(p.client.stream), "not TLS");
        pair_close(&p);
    }
}

static void garbage_records(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++)
        for (int i = 0; i < 6; i++) {
            struct pair p;
            uint8_t data[256];
            size_t n;
            pair_open(&p, &(struct pair_spec){.client = {.ciphers = old ? only_1_2 : NULL}});
            pair_up(&p);
            assert_int_equal(tls_stream_write(p.client.stream, (const uint8_t *)"first", 5), TLS_OK);
            size_t good = p.client.io.out_size;
            assert_int_equal(tls_stream_write(p.client.stream, (const uint8_t *)"hello", 5), TLS_OK);
            uint8_t *record = p.client.io.out + good;
            switch (i) {
            case 0: record[5] ^= 1; break;                                    /* ciphertext */
            case 1: p.client.io.out[p.client.io.out_size - 1] ^= 0x80; break; /* tag */
            case 2: record[0] = 99; break;                                    /* no such type */
            case 3: record[3] = 0xff; break;                                  /* too long */
            case 4:
                memcpy(record, p.client.io.out, good);
                p.client.io.out_size = 2 * good;
                break; /* replay */
            case 5:
                record[3] = record[4] = 0;
                p.client.io.out_size = good + 5;
                break; /* empty */
            }
            pair_carry(&p.client, &p.server);
            p.server.result = pair_read(&p.server, data, sizeof data, &n, SIZE_MAX);
            assert_int_equal(n, 5);
            assert_memory_equal(data, "first", 5);
            assert_int_equal(p.server.result, TLS_FAILED);
            assert_true(strlen(tls_stream_error_text(p.server.stream)) > 5);
            assert_int_not_equal(tls_stream_alert_sent(p.server.stream), TLS_ALERT_NONE);
            assert_int_equal(tls_stream_read(p.server.stream, data, sizeof data, &n), TLS_FAILED);
            assert_int_equal(tls_stream_write(p.server.stream, data, 5), TLS_FAILED);
            pair_carry(&p.server, &p.client);
            assert_int_equal(pair_read(&p.client, data, sizeof data, &n, SIZE_MAX), TLS_FAILED);
            assert_int_equal(tls_stream_alert_received(p.client.stream),
                             tls_stream_alert_sent(p.server.stream));
            pair_close(&p);
        }
}

static void names_of_alerts(void **state)
{
    (void)state;
    assert_string_equal(tls_alert_name(TLS_ALERT_UNKNOWN_CA), "unknown_ca");
    assert_string_equal(tls_alert_name(TLS_ALERT_CERTIFICATE_REQUIRED), "certificate_required");
    assert_string_equal(tls_alert_name((enum tls_alert)51), "decrypt_error");
    assert_string_equal(tls_alert_name((enum tls_alert)99), "unknown");
    assert_string_equal(tls_alert_name(TLS_ALERT_NONE), "unknown");
    assert_int_equal(tls_status_alert(TLS_REVOKED), TLS_ALERT_CERTIFICATE_REVOKED);
    for (int i = 1; i < TLS_STATUS_COUNT; i++)
        assert_string_not_equal(tls_alert_name(tls_status_alert((enum tls_status)i)), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_version_and_client_auth),
        cmocka_unit_test(ciphers_by_either_name),
        cmocka_unit_test(every_group),
        cmocka_unit_test(what_the_client_offers),
        cmocka_unit_test(alpn),
        cmocka_unit_test(alpn_with_a_comma),
        cmocka_unit_test(names_of_servers),
        cmocka_unit_test(refusals_by_trust),
        cmocka_unit_test(refusals_by_protocol),
        cmocka_unit_test(request_lets_strangers_in_unverified),
        cmocka_unit_test(revoked),
        cmocka_unit_test(open_streams_judged_again),
        cmocka_unit_test(the_verdict_of_the_handshake_stays),
        cmocka_unit_test(own_mistakes),
        cmocka_unit_test(contexts_are_counted),
        cmocka_unit_test(judging_again),
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(a_mebibyte_both_ways),
        cmocka_unit_test(small_reads),
        cmocka_unit_test(data_behind_finished),
        cmocka_unit_test(nothing_is_written_or_read_before_the_end),
        cmocka_unit_test(half_close_both_ways),
        cmocka_unit_test(alerts_in_every_state),
        cmocka_unit_test(closed_in_mid_handshake),
        MEMORY_TESTS cmocka_unit_test(what_is_not_tls),
        cmocka_unit_test(greeted_without_tls),
        cmocka_unit_test(garbage_records),
        cmocka_unit_test(names_of_alerts),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
