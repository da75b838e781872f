/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a stream costs, without a socket: mutual handshakes a second (both ends), full and resumed, bulk MB/s
 * (both ends), bytes of heap per idle stream. To be run from the top of the tree:
 * bench_handshake [SECONDS-PER-LINE]
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "certrotate/pem.h"
#include "sidecar/tls/tls.h"

enum { ROOM = 256 * 1024, IDLE = 500, CHUNK = 128 * 1024 };

struct end {
    struct tls_io io;
    struct tls_trust *trust;
    struct tls_peers *peers;
    struct tls_ctx *ctx;
    struct tls_stream *stream;
    uint8_t out[ROOM];
};

static struct end client, server;
static double seconds = 0.5;

static void need(bool fine, const char *what)
{
    if (fine)
        return;
    fprintf(stderr, "bench_handshake: %s\n", what);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
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
    struct tls_der der = {.data = set.block[0].data, .size = set.block[0].size};
    return der; /* lives as long as the program */
}

static void open_end(struct end *e, bool is_server, const char *const line[3], bool resumption)
{
    static const uint8_t secret[TLS_TICKET_SECRET_SIZE] = "bench";
    const char *leaf = line[0], *group = line[1], *cipher = line[2];
    char key[64], error[256] = "";
    const char *groups[] = {group, NULL}, *ciphers[] = {cipher, NULL};
    struct tls_der root = load("root"), chain[] = {load(leaf), load("intermediate")};
    snprintf(key, sizeof key, "%s.key", leaf);
    struct tls_credentials own = {.chain = chain, .chain_count = 2, .key = load(key)};
    struct tls_options options = {.groups = groups,
                                  .ciphers = ciphers,
                                  .server_name = is_server ? NULL : "web.shop.svc",
                                  .resumption = resumption,
                                  .ticket_secret = secret,
                                  .ticket_scope = "bench"};
    memset(&e->io, 0, sizeof e->io);
    e->io.out = e->out;
    e->io.out_cap = ROOM;
    e->trust = tls_trust_new(&root, 1, &(struct tls_trust_options){0}, error, sizeof error);
    need(e->trust != NULL, error);
    e->peers = tls_peers_new(65536);
    e->ctx = (is_server ? tls_ctx_new_server : tls_ctx_new_client)(&own, e->trust, e->peers, &options, error,
                                                                   sizeof error);
    need(e->ctx != NULL, error);
}

static void close_end(struct end *e)
{
    tls_ctx_unref(e->ctx);
    tls_peers_free(e->peers);
    tls_trust_unref(e->trust);
}

static void give(struct end *from, struct end *to)
{
    to->io.in = from->io.out;
    to->io.in_size = from->io.out_size;
    from->io.out_size = 0;
}

static void connect(void)
{
    client.stream = tls_stream_new(client.ctx, &client.io, NULL);
    server.stream = tls_stream_new(server.ctx, &server.io, "web.shop.svc");
    need(client.stream && server.stream, "out of memory");
    enum tls_result c = TLS_WANT, s = TLS_WANT;
    for (int i = 0; i < 6 && (c == TLS_WANT || s == TLS_WANT); i++) {
        c = tls_stream_handshake(client.stream);
        give(&client, &server);
        s = tls_stream_handshake(server.stream);
        give(&server, &client);
    }
    need(c == TLS_OK && s == TLS_OK, tls_stream_error_text(c == TLS_FAILED ? client.stream : server.stream));
}

/* The client sees what came behind the handshake. */
static void take_ticket(void)
{
    uint8_t byte;
    size_t n;
    need(tls_stream_read(client.stream, &byte, 1, &n) == TLS_WANT, "more than a ticket");
}

static void disconnect(void)
{
    tls_stream_free(client.stream);
    tls_stream_free(server.stream);
}

static double handshakes(bool resumed)
{
    unsigned n = 0;
    if (resumed) {
        connect();
        take_ticket();
        disconnect();
    }
    double start = now();
    do {
        for (int i = 0; i < 10; i++, n++) {
            connect();
            if (resumed)
                take_ticket();
            need(tls_stream_info(server.stream).resumed == resumed, "resumed, or not");
            disconnect();
        }
    } while (now() - start < seconds);
    return n / (now() - start);
}

static double megabytes(void)
{
    static uint8_t data[CHUNK], got[CHUNK];
    double bytes = 0, start = now();
    connect();
    do {
        need(tls_stream_write(client.stream, data, sizeof data) == TLS_OK, "write");
        give(&client, &server);
        size_t n;
        while (tls_stream_read(server.stream, got, sizeof got, &n) == TLS_OK)
            bytes += (double)n;
    } while (now() - start < seconds);
    double spent = now() - start;
    disconnect();
    return bytes / spent / 1e6;
}

static size_t heap(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

/* Of each end by itself: the other's streams are freed first. */
static void idle(size_t *of_client, size_t *of_server)
{
    static struct tls_stream *c[IDLE], *s[IDLE];
    connect();
    disconnect();
    size_t before = heap();
    for (int i = 0; i < IDLE; i++) {
        connect();
        c[i] = client.stream;
        s[i] = server.stream;
    }
    size_t both = heap();
    for (int i = 0; i < IDLE; i++)
        tls_stream_free(c[i]);
    size_t one = heap();
    for (int i = 0; i < IDLE; i++)
        tls_stream_free(s[i]);
    *of_client = (both - one) / IDLE;
    *of_server = (one - before) / IDLE;
}

/* Of a server that has answered ClientHello and waits. */
static size_t half_open(void)
{
    static struct tls_stream *s[IDLE];
    size_t before = heap();
    for (int i = 0; i < IDLE; i++) {
        client.stream = tls_stream_new(client.ctx, &client.io, NULL);
        s[i] = server.stream = tls_stream_new(server.ctx, &server.io, "web.shop.svc");
        need(client.stream && s[i], "out of memory");
        need(tls_stream_handshake(client.stream) == TLS_WANT, "client");
        give(&client, &server);
        need(tls_stream_handshake(s[i]) == TLS_WANT, "server");
        server.io.out_size = 0;
        tls_stream_free(client.stream);
    }
    size_t held = heap() - before;
    for (int i = 0; i < IDLE; i++)
        tls_stream_free(s[i]);
    return held / IDLE;
}

int main(int argc, char **argv)
{
    static const char *const lines[][3] = {
        {"leaf", "X25519", "TLS_AES_128_GCM_SHA256"},
        {"leaf", "X25519MLKEM768", "TLS_AES_128_GCM_SHA256"},
        {"leaf", "P-256", "TLS_AES_128_GCM_SHA256"},
        {"leaf", "X25519", "TLS_AES_256_GCM_SHA384"},
        {"leaf", "X25519", "TLS_CHACHA20_POLY1305_SHA256"},
        {"leaf_ed25519", "X25519", "TLS_AES_128_GCM_SHA256"},
        {"leaf_p384", "X25519", "TLS_AES_128_GCM_SHA256"},
        {"leaf_rsa2048", "X25519", "TLS_AES_128_GCM_SHA256"},
        {"leaf", "X25519", "ECDHE-ECDSA-AES128-GCM-SHA256"},
        {"leaf_rsa2048", "X25519", "ECDHE-RSA-AES128-GCM-SHA256"},
    };
    char error[256];
    if (argc > 1)
        seconds = atof(argv[1]);
    need(tls_global_init(error, sizeof error), error);
    puts("both ends' CPU time; bytes of heap of an open client, an open server, a server in mid-handshake");
    printf("%-13s %-15s %-30s %12s %8s %8s %7s %7s %7s %7s\n", "certificate", "group", "cipher",
           "handshakes/s", "ms", "resumed", "MB/s", "client", "server", "mid");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        size_t of_client, of_server;
        open_end(&client, false, lines[i], true);
        open_end(&server, true, lines[i], true);
        double resumed = handshakes(true);
        close_end(&client);
        close_end(&server);
        open_end(&client, false, lines[i], false);
        open_end(&server, true, lines[i], false);
        double rate = handshakes(false), bulk = megabytes();
        idle(&of_client, &of_server);
        printf("%-13s %-15s %-30s %12.0f %8.3f %8.3f %7.0f %7zu %7zu %7zu\n", lines[i][0], lines[i][1],
               lines[i][2], rate, 1000 / rate, 1000 / resumed, bulk, of_client, of_server, half_open());
        close_end(&client);
        close_end(&server);
    }
    tls_global_cleanup();
    return 0;
}
