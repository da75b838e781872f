/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A client and a server joined in memory, with certificates of the test PKI, for tests of TLS. */
#ifndef TESTS_UNIT_TLS_PAIR_H
#define TESTS_UNIT_TLS_PAIR_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "certrotate/crl.h"
#include "pki.h"
#include "sidecar/tls/tls.h"

enum { PAIR_ROOM = 2 * 1024 * 1024, PAIR_CERTS = 12 };

struct pair_end {
    struct tls_io io;
    struct tls_stream *stream;
    enum tls_result result; /* of the handshake */
    bool opened;            /* it was completed */
    uint8_t *inbox;         /* what the other end sent and this one has not been given yet */
    size_t inbox_size;
    struct tls_trust *trust;
    struct tls_peers *peers;
    struct tls_ctx *ctx;
};

struct pair {
    struct pair_end client, server;
    const char *peeked;
    char error[256];
};

/* Names of the PKI's files, separated by spaces; the chain's first one has the key. NULL: see pair_open(). */
struct pair_spec {
    const char *server_chain, *client_chain, *server_trust, *client_trust;
    struct tls_options server, client;
    const char *peeked;      /* NULL: the client's server_name; "": none */
    const char *server_crls; /* NULL: none */
};

/* A client that offers these speaks TLS 1.2. */
static const char *const only_1_2[] = {"ECDHE-ECDSA-AES128-GCM-SHA256",
                                       "ECDHE-RSA-AES128-GCM-SHA256",
                                       "ECDHE-ECDSA-AES256-GCM-SHA384",
                                       "ECDHE-RSA-AES256-GCM-SHA384",
                                       "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
                                       "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
                                       NULL};

/* A list of one name. */
#define ONE(name)         \
    (const char *const[]) \
    {                     \
        name, NULL        \
    }

/* Set-up and clean-up of a group. */
static inline int start(void **state)
{
    char error[128];
    (void)state;
    return tls_global_init(error, sizeof error) ? 0 : -1;
}

static inline int stop(void **state)
{
    (void)state;
    tls_global_cleanup();
    return 0;
}

static inline size_t pair_ders(const char *names, struct tls_der *out)
{
    char copy[256], *save = NULL;
    size_t n = 0;
    snprintf(copy, sizeof copy, "%s", names);
    for (char *name = strtok_r(copy, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
        assert_true(n < PAIR_CERTS);
        out[n++] = pki_der(name);
    }
    return n;
}

static inline void pair_credentials(const char *names, struct tls_der *chain, struct tls_credentials *own)
{
    char key[128];
    *own = (struct tls_credentials){.chain = chain, .chain_count = pair_ders(names, chain)};
    if (own->chain_count == 0)
        return;
    snprintf(key, sizeof key, "%.*s.key", (int)strcspn(names, " "), names);
    own->key = pki_der(key);
}

static inline void pair_crls_free(void *crls)
{
    crl_index_free(crls);
}

static inline struct tls_trust *pair_trust(const char *names, const char *crl_names)
{
    struct tls_der roots[PAIR_CERTS], crls[PAIR_CERTS];
    struct tls_trust_options options = {.crls_release = pair_crls_free};
    char error[256];
    size_t count = pair_ders(names, roots);
    if (crl_names) {
        struct crl_index *crls_made = crl_index_new(crls, pair_ders(crl_names, crls), pki_cert("root"), 1,
                                                    NULL, NULL, error, sizeof error);
        options.crls = options.crls_arg = crls_made;
        if (!options.crls)
            fail_msg("%s", error);
    }
    struct tls_trust *trust = tls_trust_new(roots, count, &options, error, sizeof error);
    if (!trust)
        fail_msg("%s", error);
    return trust;
}

/* The two contexts. Without chains and roots named: leaf and intermediate on both sides, root trusted. */
static inline void pair_open(struct pair *p, const struct pair_spec *spec)
{
    struct tls_der chain[PAIR_CERTS];
    struct tls_credentials own;
    struct tls_options client = spec->client;
    memset(p, 0, sizeof *p);
    if (!client.server_name && !client.allow_san)
        client.server_name = "web.shop.svc";
    p->peeked = spec->peeked ? (*spec->peeked ? spec->peeked : NULL) : client.server_name;
    struct pair_end *ends[] = {&p->client, &p->server};
    for (int i = 0; i < 2; i++) {
        struct pair_end *e = ends[i];
        const char *trust = i ? spec->server_trust : spec->client_trust;
        const char *names = i ? spec->server_chain : spec->client_chain;
        e->io.out = malloc(PAIR_ROOM);
        e->inbox = malloc(PAIR_ROOM);
        e->io.out_cap = PAIR_ROOM;
        e->trust = pair_trust(trust ? trust : "root", i ? spec->server_crls : NULL);
        e->peers = tls_peers_new(64 * 1024);
        assert_true(e->io.out && e->inbox && e->peers);
        pair_credentials(names ? names : "leaf intermediate", chain, &own);
        e->ctx = i ? tls_ctx_new_server(&own, e->trust, e->peers, &spec->server, p->error, sizeof p->error)
                   : tls_ctx_new_client(&own, e->trust, e->peers, &client, p->error, sizeof p->error);
        if (!e->ctx)
            fail_msg("%s: %s", i ? "server" : "client", p->error);
    }
}

static inline void pair_end_close(struct pair_end *e)
{
    tls_stream_free(e->stream);
    e->stream = NULL;
    e->io.out_size = e->io.in_size = e->inbox_size = 0;
}

static inline void pair_disconnect(struct pair *p)
{
    pair_end_close(&p->client);
    pair_end_close(&p->server);
}

static inline void pair_close(struct pair *p)
{
    struct pair_end *ends[] = {&p->client, &p->server};
    pair_disconnect(p);
    for (int i = 0; i < 2; i++) {
        tls_ctx_unref(ends[i]->ctx);
        tls_peers_free(ends[i]->peers);
        tls_trust_unref(ends[i]->trust);
        free(ends[i]->io.out);
        free(ends[i]->inbox);
    }
    pki_free_all();
}

static inline void pair_connect(struct pair *p)
{
    pair_disconnect(p);
    p->client.result = p->server.result = TLS_WANT;
    p->client.opened = p->server.opened = false;
    p->client.stream = tls_stream_new(p->client.ctx, &p->client.io, NULL);
    p->server.stream = tls_stream_new(p->server.ctx, &p->server.io, p->peeked);
    assert_true(p->client.stream && p->server.stream);
}

/* What one end has to send goes to the other's inbox. Returns whether there was anything. */
static inline bool pair_carry(struct pair_end *from, struct pair_end *to)
{
    size_t n = from->io.out_size;
    assert_true(to->inbox_size + n <= PAIR_ROOM);
    memcpy(to->inbox + to->inbox_size, from->io.out, n);
    to->inbox_size += n;
    from->io.out_size = 0;
    return n > 0;
}

/* Points IN at the first N bytes of the inbox, at most. */
static inline void pair_offer(struct pair_end *e, size_t n)
{
    e->io.in = e->inbox;
    e->io.in_size = n < e->inbox_size ? n : e->inbox_size;
}

/* Forgets what has been consumed of them. */
static inline void pair_taken(struct pair_end *e)
{
    size_t used = e->io.in_size == 0 && !e->io.in ? 0 : (size_t)(e->io.in - e->inbox);
    memmove(e->inbox, e->inbox + used, e->inbox_size - used);
    e->inbox_size -= used;
    e->io.in = NULL;
    e->io.in_size = 0;
}

static inline void pair_step(struct pair_end *e, size_t chunk)
{
    do {
        pair_offer(e, chunk);
        if (e->result == TLS_WANT)
            e->result = tls_stream_handshake(e->stream);
        e->opened = e->opened || e->result == TLS_OK;
        bool all = e->io.in_size == 0;
        pair_taken(e);
        if (e->result == TLS_WANT)
            assert_true(all); /* WANT means that the whole chunk was consumed */
    } while (e->result == TLS_WANT && e->inbox_size > 0);
}

/* Until both ends are done, or nothing moves any more. CHUNK: bytes delivered at a time. */
static inline void pair_handshake(struct pair *p, size_t chunk)
{
    bool moved = true;
    for (int i = 0; i < 20 && moved; i++) {
        pair_step(&p->client, chunk);
        moved = pair_carry(&p->client, &p->server);
        pair_step(&p->server, chunk);
        moved |= pair_carry(&p->server, &p->client);
    }
}

/* Connects and expects both ends to be content. */
static inline void pair_up(struct pair *p)
{
    pair_connect(p);
    pair_handshake(p, SIZE_MAX);
    if (p->client.result != TLS_OK || p->server.result != TLS_OK)
        fail_msg("client %d \"%s\", server %d \"%s\"", p->client.result,
                 tls_stream_error_text(p->client.stream), p->server.result,
                 tls_stream_error_text(p->server.stream));
}

/* Reads all that the inbox gives into DATA, CHUNK bytes delivered at a time; the last result is returned. */
static inline enum tls_result pair_read(struct pair_end *e, uint8_t *data, size_t cap, size_t *size,
                                        size_t chunk)
{
    enum tls_result result;
    *size = 0;
    do {
        pair_offer(e, chunk);
        do {
            size_t n = 0;
            result = tls_stream_read(e->stream, data + *size, cap - *size, &n);
            *size += n;
        } while (result == TLS_OK && *size < cap);
        pair_taken(e);
    } while (result == TLS_WANT && e->inbox_size > 0);
    return result;
}

/* Writes on one end and expects to read the same on the other. */
static inline void pair_says(struct pair *p, bool client, const char *text)
{
    struct pair_end *from = client ? &p->client : &p->server, *to = client ? &p->server : &p->client;
    uint8_t data[256];
    size_t n;
    assert_int_equal(tls_stream_write(from->stream, (const uint8_t *)text, strlen(text)), TLS_OK);
    pair_carry(from, to);
    assert_int_equal(pair_read(to, data, sizeof data, &n, SIZE_MAX), TLS_WANT);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(data, text, n);
}

/* Expects that FAILED failed with words that contain WORDS, and told the OTHER by exactly ALERT. */
static inline void pair_refused(struct pair_end *failed, struct pair_end *other, const char *words,
                                enum tls_alert alert)
{
    uint8_t data[64];
    size_t n;
    const char *text = tls_stream_error_text(failed->stream);
    if (failed->result != TLS_FAILED)
        fail_msg("not refused (%d), expected \"%s\"", failed->result, words);
    if (!strstr(text, words))
        fail_msg("refused by \"%s\", expected \"%s\"", text, words);
    if (tls_stream_alert_sent(failed->stream) != alert)
        fail_msg("%s: alert sent is %s, expected %s", text,
                 tls_alert_name(tls_stream_alert_sent(failed->stream)), tls_alert_name(alert));
    if (other->result == TLS_OK)
        other->result = pair_read(other, data, sizeof data, &n, SIZE_MAX);
    if (other->result != TLS_FAILED || tls_stream_alert_received(other->stream) != alert)
        fail_msg("%s: the other end saw %d \"%s\"", text, other->result,
                 tls_stream_error_text(other->stream));
    assert_true(strstr(tls_stream_error_text(other->stream), "peer sent alert ") != NULL);
    assert_true(strstr(tls_stream_error_text(other->stream), tls_alert_name(alert)) != NULL);
    assert_int_equal(other->inbox_size, 0); /* no second alert */
    assert_int_equal(other->io.out_size, 0);
    if (!failed->opened)
        assert_false(tls_stream_info(failed->stream).verified);
}

#endif
