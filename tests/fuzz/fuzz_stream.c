/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A stream at the mercy of its peer. The first byte says how far an honest handshake goes before (bits 0 to
 * 5, see the struct below), the second how the bytes are cut; then come bytes as they are on the wire, or,
 * under the connection's keys, pieces: a length, a record type, that many bytes. Whatever comes, nobody
 * without a key of the PKI is verified. Runs from the top of the tree.
 */
#include <wolfssl/options.h>
#include <wolfssl/internal.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certrotate/pem.h"
#include "sidecar/tls/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM = 256 * 1024, STAGE_NOTHING = 0, STAGE_HELLO = 1, STAGE_OPEN = 2, KEPT = 8 };

struct plan {
    bool client, old, wrapped, request;
    unsigned stage;
};

struct wire {
    uint8_t bytes[ROOM];
    size_t size;
    size_t limit; /* writes after so many bytes find no room */
};

static struct {
    struct tls_trust *trust;
    struct tls_peers *peers;
    struct tls_ctx *server[2][2], *client[2]; /* by request, old */
    WOLFSSL_CTX *raw_client[2], *raw_server[2];
} all;
static uint8_t kept[KEPT][4096];
static size_t kept_count;
static struct wire to_raw, from_raw;
static struct tls_io io;
static bool opened;

static void need(bool fine, const char *what)
{
    if (fine)
        return;
    fprintf(stderr, "fuzz_stream: %s\n", what);
    abort();
}

static int raw_send(WOLFSSL *ssl, char *data, int size, void *arg)
{
    (void)ssl;
    (void)arg;
    if (from_raw.size >= from_raw.limit || from_raw.size + (size_t)size > ROOM)
        return WOLFSSL_CBIO_ERR_WANT_WRITE;
    memcpy(from_raw.bytes + from_raw.size, data, (size_t)size);
    from_raw.size += (size_t)size;
    return size;
}

static int raw_receive(WOLFSSL *ssl, char *data, int size, void *arg)
{
    (void)ssl;
    (void)arg;
    size_t n = to_raw.size < (size_t)size ? to_raw.size : (size_t)size;
    if (n == 0)
        return WOLFSSL_CBIO_ERR_WANT_READ;
    memcpy(data, to_raw.bytes, n);
    memmove(to_raw.bytes, to_raw.bytes + n, to_raw.size - n);
    to_raw.size -= n;
    return (int)n;
}

static struct tls_der load(const char *name)
{
    char path[256];
    static uint8_t text[65536];
    struct pem_set set;
    snprintf(path, sizeof path, "tests/unit/data/pki/%s.pem", name);
    FILE *f = fopen(path, "rb");
    need(f != NULL, path);
    size_t size = fread(text, 1, sizeof text, f);
    fclose(f);
    need(pem_read(text, size, 4, &set) == NULL && set.count > 0, path);
    need(set.block[0].size <= sizeof *kept && kept_count < KEPT, path);
    struct tls_der der = {.data = kept[kept_count++], .size = set.block[0].size};
    memcpy(kept[kept_count - 1], set.block[0].data, der.size);
    pem_free(&set);
    return der;
}

static WOLFSSL_CTX *raw_ctx(WOLFSSL_METHOD *method, const struct tls_credentials *own)
{
    WOLFSSL_CTX *ctx = wolfSSL_CTX_new(method);
    need(ctx != NULL, "out of memory");
    wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_NONE, NULL);
    wolfSSL_CTX_SetIOSend(ctx, raw_send);
    wolfSSL_CTX_SetIORecv(ctx, raw_receive);
    need(wolfSSL_CTX_use_certificate_chain_buffer_format(ctx, own->chain[0].data, (long)own->chain[0].size,
                                                         WOLFSSL_FILETYPE_ASN1) == WOLFSSL_SUCCESS &&
             wolfSSL_CTX_use_PrivateKey_buffer(ctx, own->key.data, (long)own->key.size,
                                               WOLFSSL_FILETYPE_ASN1) == WOLFSSL_SUCCESS,
         "the raw peer's certificate");
    return ctx;
}

static void set_up(void)
{
    static const char *const ciphers[] = {"ECDHE-ECDSA-AES128-GCM-SHA256", NULL};
    static const char *const groups[] = {"X25519", "P-256", NULL};
    static const uint8_t secret[TLS_TICKET_SECRET_SIZE] = "fuzz";
    char error[256] = "";
    struct tls_der root = load("root_rsa"), chain = load("leaf_direct");
    struct tls_credentials own = {.chain = &chain, .chain_count = 1, .key = load("leaf_direct.key")};
    need(tls_global_init(error, sizeof error), error);
    /* Nobody here has a certificate of this root: a verified peer is a bug. */
    all.trust = tls_trust_new(&root, 1, &(struct tls_trust_options){0}, error, sizeof error);
    all.peers = tls_peers_new(65536);
    need(all.trust && all.peers, error);
    for (int old = 0; old < 2; old++) {
        struct tls_options o = {.ciphers = old ? ciphers : NULL,
                                .groups = groups,
                                .server_name = "web.shop.svc",
                                .resumption = true,
                                .ticket_secret = secret,
                                .ticket_scope = ""};
        for (int request = 0; request < 2; request++) {
            o.client_auth = request ? TLS_CLIENT_AUTH_REQUEST : TLS_CLIENT_AUTH_NONE;
            all.server[request][old] =
                tls_ctx_new_server(&own, all.trust, all.peers, &o, error, sizeof error);
        }
        all.client[old] = tls_ctx_new_client(&own, all.trust, all.peers, &o, error, sizeof error);
        need(all.server[0][old] && all.server[1][old] && all.client[old], error);
        all.raw_client[old] = raw_ctx(old ? wolfTLSv1_2_client_method() : wolfTLSv1_3_client_method(), &own);
        wolfSSL_CTX_UseSessionTicket(all.raw_client[old]);
        all.raw_server[old] = raw_ctx(old ? wolfTLSv1_2_server_method() : wolfTLSv1_3_server_method(), &own);
    }
}

/* Gives the stream N bytes; it must consume them unless it fails. */
static enum tls_result feed(struct tls_stream *s, const uint8_t *bytes, size_t n)
{
    uint8_t text[1000];
    size_t got;
    io.in = bytes;
    io.in_size = n;
    enum tls_result result = tls_stream_handshake(s);
    if (result == TLS_OK) {
        opened = true;
        /* Under TLS 1.2 a client knows its server before the end; no stranger gets that far. */
        need(!tls_stream_info(s).verified, "somebody was verified");
        do {
            result = tls_stream_read(s, text, sizeof text, &got);
        } while (result == TLS_OK);
    }
    if (result == TLS_WANT)
        need(io.in_size == 0, "WANT, but not all was consumed");
    if (result == TLS_FAILED) {
        need(*tls_stream_error_text(s) != 0, "no cause");
        need(tls_stream_handshake(s) == TLS_FAILED, "failed, then not");
    }
    if (to_raw.size + io.out_size <= ROOM) {
        memcpy(to_raw.bytes + to_raw.size, io.out, io.out_size);
        to_raw.size += io.out_size;
    }
    io.out_size = 0;
    io.in_size = 0;
    return result;
}

static enum tls_result feed_cut(struct tls_stream *s, const uint8_t *bytes, size_t n, size_t cut)
{
    enum tls_result result = TLS_WANT;
    for (size_t at = 0; at < n && result == TLS_WANT; at += cut)
        result = feed(s, bytes + at, n - at < cut ? n - at : cut);
    return result;
}

static void step(WOLFSSL *raw, const struct plan *plan)
{
    if (plan->client)
        wolfSSL_accept(raw);
    else
        wolfSSL_connect(raw);
}

/* The honest part. */
static enum tls_result prepare(const struct plan *plan, struct tls_stream *s, WOLFSSL *raw)
{
    enum tls_result result = TLS_WANT;
    from_raw.limit = ROOM;
    if (plan->stage == STAGE_NOTHING)
        return plan->client ? feed(s, NULL, 0) : TLS_WANT;
    if (plan->client)
        feed(s, NULL, 0);
    /* Its first flight and, of a server, ServerHello alone. */
    if (plan->stage == STAGE_HELLO)
        from_raw.limit = 1;
    for (int i = 0; i < (plan->stage == STAGE_HELLO ? 1 : 5) && result == TLS_WANT; i++) {
        step(raw, plan);
        result = feed(s, from_raw.bytes, from_raw.size);
        from_raw.size = 0;
    }
    if (plan->stage == STAGE_HELLO && !plan->client) {
        from_raw.limit = 0; /* keys of the handshake, but its own messages go nowhere */
        step(raw, plan);
    }
    if (plan->stage == STAGE_OPEN)
        need(result == TLS_WANT && tls_stream_info(s).version, "the honest handshake failed");
    raw->keys.sequence_number_hi = plan->stage == STAGE_HELLO ? 0 : raw->keys.sequence_number_hi;
    raw->keys.sequence_number_lo = plan->stage == STAGE_HELLO ? 0 : raw->keys.sequence_number_lo;
    from_raw.size = 0;
    return result;
}

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static size_t wrap(WOLFSSL *raw, uint8_t type, const uint8_t *bytes, size_t size, uint8_t *record, size_t cap)
{
    int n = 0;
    if (raw->keys.encryptionOn && IsAtLeastTLSv1_3(raw->version))
        n = BuildTls13Message(raw, record, (int)cap, bytes, (int)size, type, 0, 0, 0);
    else if (raw->keys.encryptionOn)
        n = BuildMessage(raw, record, (int)cap, bytes, (int)size, type, 0, 0, 0, CUR_ORDER);
    if (n > 0)
        return (size_t)n;
    record[0] = type;
    record[1] = record[2] = 3;
    record[3] = (uint8_t)(size >> 8);
    record[4] = (uint8_t)size;
    memcpy(record + 5, bytes, size);
    return size + 5;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t out[ROOM];
    if (!all.trust)
        set_up();
    if (size < 2)
        return 0;
    struct plan plan = {.client = data[0] & 1,
                        .old = data[0] >> 1 & 1,
                        .wrapped = data[0] >> 2 & 1,
                        .request = data[0] >> 3 & 1,
                        .stage = data[0] >> 4 & 3};
    size_t cut = data[1] ? data[1] : ROOM;
    if (plan.stage > STAGE_OPEN || (plan.client && plan.stage == STAGE_OPEN))
        return 0; /* a client refuses the only certificate there is */
    io = (struct tls_io){.out = out, .out_cap = ROOM};
    to_raw.size = from_raw.size = 0;
    opened = false;
    struct tls_ctx *ctx = plan.client ? all.client[plan.old] : all.server[plan.request][plan.old];
    struct tls_stream *s = tls_stream_new(ctx, &io, NULL);
    WOLFSSL *raw = wolfSSL_new(plan.client ? all.raw_server[plan.old] : all.raw_client[plan.old]);
    need(s && raw, "out of memory");
    enum tls_result result = prepare(&plan, s, raw);
    data += 2;
    size -= 2;
    if (!plan.wrapped)
        feed_cut(s, data, size, cut);
    while (plan.wrapped && size >= 2 && result == TLS_WANT) {
        uint8_t record[1024];
        size_t n = data[0] < size - 2 ? data[0] : size - 2;
        result = feed_cut(s, record, wrap(raw, data[1], data + 2, n, record, sizeof record), cut);
        data += n + 2;
        size -= n + 2;
    }
    if (plan.stage == STAGE_NOTHING)
        need(!opened, "a handshake out of nothing");
    wolfSSL_free(raw);
    tls_stream_free(s);
    return 0;
}
