/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * load: a client of mutual TLS that opens many connections, on wolfSSL and epoll, in one thread.
 *
 *   load MODE --connect [HOST:]PORT --ca FILE --cert FILE --key FILE
 *     new      connect, handshake, send --size bytes, wait for their echo, close; --connections at a time
 *     resume   the same, with the session that the server gave on the connection before
 *     echo     --connections stay open and exchange --size bytes again and again
 *     bulk     --connections send as fast as they can; what comes back is thrown away
 *     hold     opens --connections, one echo on each, prints "held N failed N"; then for each line on
 * standard input one more echo on each ("again N failed N"); closes all at the end of the input
 *   --seconds S (5)  --connections N (1)  --size BYTES (1024)  --sni NAME  --group NAME  --cipher LIST
 *   --tls12          --plain (no TLS: what the machine gives without a proxy)
 *   --count N        new, resume: end after so many (0: by time alone)
 *   --identities DIR their number is --distinct N: connection I presents DIR/J.crt with --key, J = I modulo N
 *   --pause MS       new, resume, echo: each connection waits so long after an exchange
 * SIGTERM ends it as the time does, with the report.
 *
 * Prints one line of JSON (not in hold): done, failed, resumed, seconds, bytes, p50_us, p99_us, max_us,
 * group, cipher. Latency counts from connect() to the last byte of the echo in new and resume, from send to
 * last byte in echo. Exit status 0 when nothing failed, 1 otherwise.
 */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum mode { MODE_NEW, MODE_RESUME, MODE_ECHO, MODE_BULK, MODE_HOLD };
enum { HOLD_RAMP = 64, BULK_CHUNK = 64 * 1024, SIZE_MAX_BYTES = 1 << 20 };

static struct {
    enum mode mode;
    struct sockaddr_in address;
    const char *ca, *cert, *key, *sni, *group, *cipher, *identities;
    unsigned distinct;
    bool tls12, plain;
    uint64_t pause; /* us */
    double seconds;
    size_t size;
    unsigned connections;
    uint64_t count;
} opt = {.seconds = 5, .size = 1024, .connections = 1};

struct conn {
    int fd;
    enum { IDLE, CONNECTING, HANDSHAKE, SENDING, RECEIVING, HELD, PAUSED, FAILED } state;
    WOLFSSL *ssl;
    WOLFSSL_SESSION *session;
    size_t done;
    uint64_t since; /* us; PAUSED: until then */
    uint32_t events;
};

static int epoll_fd;
static WOLFSSL_CTX *ctx;
static struct conn *conns;
static uint8_t *payload, *scratch;
static uint64_t done, failed, resumed, bytes, started;
static unsigned in_flight; /* hold: not held yet */
static uint32_t *latency;
static size_t latency_count, latency_cap;
static char group[32], cipher[64], first_error[128];
static volatile sig_atomic_t told_to_end;

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void die(const char *what)
{
    fprintf(stderr, "load: %s\n", what);
    exit(2);
}

static void note_latency(uint64_t us)
{
    if (latency_count == latency_cap) {
        latency_cap = latency_cap ? latency_cap * 2 : 65536;
        latency = realloc(latency, latency_cap * sizeof *latency);
        if (latency == NULL)
            die("out of memory");
    }
    latency[latency_count++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static int io_recv(WOLFSSL *ssl, char *data, int size, void *arg)
{
    (void)ssl;
    ssize_t n = recv(((struct conn *)arg)->fd, data, (size_t)size, 0);
    if (n > 0)
        return (int)n;
    if (n == 0)
        return WOLFSSL_CBIO_ERR_CONN_CLOSE;
    return errno == EAGAIN       ? WOLFSSL_CBIO_ERR_WANT_READ
           : errno == ECONNRESET ? WOLFSSL_CBIO_ERR_CONN_RST
                                 : WOLFSSL_CBIO_ERR_GENERAL;
}

static int io_send(WOLFSSL *ssl, char *data, int size, void *arg)
{
    (void)ssl;
    ssize_t n = send(((struct conn *)arg)->fd, data, (size_t)size, MSG_NOSIGNAL);
    if (n >= 0)
        return (int)n;
    return errno == EAGAIN ? WOLFSSL_CBIO_ERR_WANT_WRITE : WOLFSSL_CBIO_ERR_GENERAL;
}

static void watch(struct conn *c, uint32_t events)
{
    if (c->events == events)
        return;
    struct epoll_event e = {.events = events, .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
    c->events = events;
}

static void close_conn(struct conn *c)
{
    if (c->ssl != NULL) {
        if (opt.mode == MODE_RESUME && c->state != FAILED) {
            wolfSSL_SESSION_free(c->session);
            c->session = wolfSSL_get1_session(c->ssl);
        }
        if (c->state != FAILED)
            (void)wolfSSL_shutdown(c->ssl);
        wolfSSL_free(c->ssl);
        c->ssl = NULL;
    }
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->events = 0;
}

static void fail(struct conn *c, const char *stage, int error)
{
    if (first_error[0] == 0) {
        char text[80] = "";
        if (error != 0 && c->ssl != NULL)
            wolfSSL_ERR_error_string_n((unsigned long)error, text, sizeof text);
        snprintf(first_error, sizeof first_error, "%s: %s", stage, text[0] ? text : strerror(errno));
    }
    if (c->state != HELD && in_flight > 0)
        in_flight--;
    c->state = FAILED;
    failed++;
    close_conn(c);
}

static bool time_is_up(void)
{
    return told_to_end || (double)(now_us() - started) >= opt.seconds * 1e6 ||
           (opt.count > 0 && done + failed >= opt.count);
}

static void open_conn(struct conn *c)
{
    int one = 1;
    c->done = 0;
    c->state = CONNECTING;
    c->since = now_us();
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0) {
        fail(c, "socket", 0);
        return;
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (opt.mode == MODE_HOLD)
        in_flight++;
    if (connect(c->fd, (struct sockaddr *)&opt.address, sizeof opt.address) != 0 && errno != EINPROGRESS) {
        fail(c, "connect", 0);
        return;
    }
    struct epoll_event e = {.events = EPOLLOUT, .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e);
    c->events = EPOLLOUT;
    if (opt.plain)
        return;
    c->ssl = wolfSSL_new(ctx);
    if (c->ssl == NULL)
        die("wolfSSL_new");
    wolfSSL_SetIOReadCtx(c->ssl, c);
    wolfSSL_SetIOWriteCtx(c->ssl, c);
    if (opt.sni != NULL) {
        wolfSSL_UseSNI(c->ssl, WOLFSSL_SNI_HOST_NAME, opt.sni, (unsigned short)strlen(opt.sni));
        wolfSSL_check_domain_name(c->ssl, opt.sni);
    }
    if (opt.identities != NULL) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%u.crt", opt.identities, (unsigned)(c - conns) % opt.distinct);
        if (wolfSSL_use_certificate_chain_file(c->ssl, path) != WOLFSSL_SUCCESS)
            die("cannot read a certificate of --identities");
    }
    if (c->session != NULL)
        wolfSSL_set_session(c->ssl, c->session);
}

/* Sends or takes once: bytes moved, 0: not now, -1: broken. */
static int put(struct conn *c, const uint8_t *data, size_t size, int *error)
{
    *error = 0;
    if (opt.plain) {
        ssize_t n = send(c->fd, data, size, MSG_NOSIGNAL);
        return n > 0 ? (int)n : n < 0 && errno == EAGAIN ? 0 : -1;
    }
    int n = wolfSSL_write(c->ssl, data, (int)size);
    if (n > 0)
        return n;
    *error = wolfSSL_get_error(c->ssl, n);
    return *error == WOLFSSL_ERROR_WANT_WRITE || *error == WOLFSSL_ERROR_WANT_READ ? 0 : -1;
}

static int get(struct conn *c, uint8_t *data, size_t size, int *error)
{
    *error = 0;
    if (opt.plain) {
        ssize_t n = recv(c->fd, data, size, 0);
        return n > 0 ? (int)n : n < 0 && errno == EAGAIN ? 0 : -1;
    }
    int n = wolfSSL_read(c->ssl, data, (int)size);
    if (n > 0)
        return n;
    *error = wolfSSL_get_error(c->ssl, n);
    return *error == WOLFSSL_ERROR_WANT_WRITE || *error == WOLFSSL_ERROR_WANT_READ ? 0 : -1;
}

static void step(struct conn *c);

/* What a connection does next in echo, and in its place in new and resume. */
static void next_exchange(struct conn *c)
{
    if (time_is_up())
        return;
    if (opt.mode != MODE_ECHO) {
        open_conn(c);
        return;
    }
    c->state = SENDING;
    c->done = 0;
    c->since = now_us();
    step(c);
}

static void exchange_done(struct conn *c)
{
    done++;
    note_latency(now_us() - c->since);
    if (opt.mode == MODE_HOLD) {
        c->state = HELD;
        in_flight--;
        watch(c, EPOLLIN | EPOLLRDHUP);
        return;
    }
    if (opt.mode != MODE_ECHO) {
        if (c->ssl != NULL && wolfSSL_session_reused(c->ssl))
            resumed++;
        close_conn(c);
    }
    if (opt.pause == 0) {
        next_exchange(c);
        return;
    }
    c->state = PAUSED;
    c->since = now_us() + opt.pause;
    if (c->fd >= 0)
        watch(c, EPOLLIN | EPOLLRDHUP);
}

static void sending(struct conn *c)
{
    int error, n;
    if (opt.mode == MODE_BULK) {
        for (int turn = 0; turn < 8; turn++) {
            n = put(c, payload, BULK_CHUNK, &error);
            if (n < 0) {
                fail(c, "send", error);
                return;
            }
            if (n == 0)
                break;
            bytes += (uint64_t)n;
        }
        watch(c, EPOLLOUT);
        return;
    }
    while (c->done < opt.size) {
        n = put(c, payload + c->done, opt.size - c->done, &error);
        if (n < 0) {
            fail(c, "send", error);
            return;
        }
        if (n == 0) {
            watch(c, EPOLLOUT);
            return;
        }
        c->done += (size_t)n;
    }
    c->done = 0;
    c->state = RECEIVING;
    watch(c, EPOLLIN);
}

static void receiving(struct conn *c)
{
    int error;
    while (c->done < opt.size) {
        int n = get(c, scratch, opt.size - c->done, &error);
        if (n < 0) {
            fail(c, "receive", error);
            return;
        }
        if (n == 0)
            return;
        if (memcmp(scratch, payload + c->done, (size_t)n) != 0) {
            errno = EBADMSG;
            fail(c, "echo differs", 0);
            return;
        }
        c->done += (size_t)n;
        bytes += (uint64_t)n;
    }
    exchange_done(c);
}

static void handshaking(struct conn *c)
{
    if (!opt.plain) {
        int rc = wolfSSL_connect(c->ssl);
        if (rc != WOLFSSL_SUCCESS) {
            int error = wolfSSL_get_error(c->ssl, rc);
            if (error == WOLFSSL_ERROR_WANT_READ)
                watch(c, EPOLLIN);
            else if (error == WOLFSSL_ERROR_WANT_WRITE)
                watch(c, EPOLLOUT);
            else
                fail(c, "handshake", error);
            return;
        }
        if (group[0] == 0) {
            const char *name = wolfSSL_get_curve_name(c->ssl);
            snprintf(group, sizeof group, "%s", name ? name : "");
            snprintf(cipher, sizeof cipher, "%s", wolfSSL_get_cipher_name(c->ssl));
        }
    }
    c->state = SENDING;
    sending(c);
}

static void step(struct conn *c)
{
    int error = 0;
    socklen_t size = sizeof error;
    switch (c->state) {
    case CONNECTING:
        if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
            errno = error;
            fail(c, "connect", 0);
            return;
        }
        c->state = HANDSHAKE;
        handshaking(c);
        break;
    case HANDSHAKE: handshaking(c); break;
    case SENDING: sending(c); break;
    case RECEIVING: receiving(c); break;
    case PAUSED: /* a message of TLS's own, or the end */
    case HELD: {
        int n = get(c, scratch, opt.size, &error);
        if (n < 0)
            fail(c, "held", error);
        break;
    }
    default: break;
    }
}

static void turn(int timeout)
{
    struct epoll_event events[512];
    int n = epoll_wait(epoll_fd, events, 512, timeout);
    for (int i = 0; i < n; i++) {
        struct conn *c = events[i].data.ptr;
        if (c->fd >= 0)
            step(c);
    }
}

/* Goes on with those whose pause is over, and tries again with those that failed: never as a storm, once a
 * turn. */
static void go_on(void)
{
    uint64_t now = now_us();
    for (unsigned i = 0; i < opt.connections && !time_is_up(); i++) {
        if (conns[i].state == PAUSED && conns[i].since <= now)
            next_exchange(&conns[i]);
        else if (conns[i].state == FAILED)
            open_conn(&conns[i]);
    }
}

static void on_term(int number)
{
    (void)number;
    told_to_end = 1;
}

static void hold(void)
{
    unsigned next = 0;
    while (next < opt.connections || in_flight > 0) {
        while (next < opt.connections && in_flight < HOLD_RAMP)
            open_conn(&conns[next++]);
        turn(1000);
        if (time_is_up())
            break;
    }
    printf("held %" PRIu64 " failed %" PRIu64 "\n", done, opt.connections - done);
    fflush(stdout);
    fcntl(0, F_SETFL, O_NONBLOCK);
    char line[64];
    for (;;) {
        ssize_t n = read(0, line, sizeof line);
        if (n == 0)
            break;
        if (n < 0) {
            turn(20); /* sees those that the server ends */
            continue;
        }
        done = failed = 0;
        started = now_us();
        for (next = 0; next < opt.connections || in_flight > 0;) {
            for (; next < opt.connections && in_flight < HOLD_RAMP; next++) {
                struct conn *c = &conns[next];
                if (c->state != HELD) {
                    failed++;
                    continue;
                }
                c->state = SENDING;
                c->done = 0;
                c->since = now_us();
                in_flight++;
                step(c);
            }
            turn(100);
            if (time_is_up())
                break;
        }
        printf("again %" PRIu64 " failed %" PRIu64 "\n", done, opt.connections - done);
        fflush(stdout);
    }
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void report(double seconds)
{
    if (latency_count > 0)
        qsort(latency, latency_count, sizeof *latency, compare);
    uint32_t p50 = latency_count ? latency[latency_count / 2] : 0;
    uint32_t p99 = latency_count ? latency[latency_count * 99 / 100] : 0;
    uint32_t most = latency_count ? latency[latency_count - 1] : 0;
    printf("{\"done\": %" PRIu64 ", \"failed\": %" PRIu64 ", \"resumed\": %" PRIu64 ", \"seconds\": %.3f, "
           "\"bytes\": %" PRIu64 ", \"p50_us\": %u, \"p99_us\": %u, \"max_us\": %u, \"group\": \"%s\", "
           "\"cipher\": \"%s\"}\n",
           done, failed, resumed, seconds, bytes, p50, p99, most, group, cipher);
}

static void make_ctx(void)
{
    wolfSSL_Init();
    ctx = wolfSSL_CTX_new(opt.tls12 ? wolfTLSv1_2_client_method() : wolfTLSv1_3_client_method());
    if (ctx == NULL)
        die("wolfSSL_CTX_new");
    if (opt.mode == MODE_RESUME)
        wolfSSL_CTX_UseSessionTicket(ctx);
    wolfSSL_CTX_SetIORecv(ctx, io_recv);
    wolfSSL_CTX_SetIOSend(ctx, io_send);
    if (opt.ca == NULL)
        wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_NONE, NULL);
    else if (wolfSSL_CTX_load_verify_locations(ctx, opt.ca, NULL) != WOLFSSL_SUCCESS)
        die("cannot read --ca");
    if (opt.cert != NULL && wolfSSL_CTX_use_certificate_chain_file(ctx, opt.cert) != WOLFSSL_SUCCESS)
        die("cannot read --cert");
    if (opt.key != NULL &&
        wolfSSL_CTX_use_PrivateKey_file(ctx, opt.key, WOLFSSL_FILETYPE_PEM) != WOLFSSL_SUCCESS)
        die("cannot read --key");
    if (opt.cipher != NULL && wolfSSL_CTX_set_cipher_list(ctx, opt.cipher) != WOLFSSL_SUCCESS)
        die("bad --cipher");
    static const struct {
        const char *name;
        int id;
    } groups[] = {{"X25519MLKEM768", WOLFSSL_X25519MLKEM768},
                  {"X25519", WOLFSSL_ECC_X25519},
                  {"P-256", WOLFSSL_ECC_SECP256R1},
                  {"P-384", WOLFSSL_ECC_SECP384R1}};
    if (opt.group == NULL)
        return;
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (!strcmp(opt.group, groups[i].name)) {
            int id = groups[i].id;
            if (wolfSSL_CTX_set_groups(ctx, &id, 1) != WOLFSSL_SUCCESS)
                die("cannot set --group");
            return;
        }
    die("unknown --group");
}

static void parse_address(const char *text)
{
    char host[64] = "127.0.0.1";
    const char *colon = strrchr(text, ':'), *port = text;
    if (colon != NULL && (size_t)(colon - text) < sizeof host) {
        memcpy(host, text, (size_t)(colon - text));
        host[colon - text] = 0;
        port = colon + 1;
    }
    opt.address.sin_family = AF_INET;
    opt.address.sin_port = htons((uint16_t)atoi(port));
    if (inet_pton(AF_INET, host, &opt.address.sin_addr) != 1)
        die("bad --connect");
}

static void parse(int argc, char **argv)
{
    static const char *const modes[] = {"new", "resume", "echo", "bulk", "hold"};
    static const struct option options[] = {
        {"connect", 1, NULL, 'c'},  {"ca", 1, NULL, 'a'},    {"cert", 1, NULL, 'C'},
        {"key", 1, NULL, 'k'},      {"sni", 1, NULL, 's'},   {"group", 1, NULL, 'g'},
        {"cipher", 1, NULL, 'i'},   {"tls12", 0, NULL, '2'}, {"plain", 0, NULL, 'p'},
        {"seconds", 1, NULL, 'S'},  {"size", 1, NULL, 'z'},  {"connections", 1, NULL, 'n'},
        {"count", 1, NULL, 'N'},    {"pause", 1, NULL, 'P'}, {"identities", 1, NULL, 'I'},
        {"distinct", 1, NULL, 'D'}, {NULL, 0, NULL, 0}};
    int mode = -1;
    for (int i = 0; argc > 1 && i < 5; i++)
        if (!strcmp(argv[1], modes[i]))
            mode = i;
    if (mode < 0)
        die("usage: load new|resume|echo|bulk|hold --connect PORT ...");
    opt.mode = (enum mode)mode;
    optind = 2;
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (o) {
        case 'c': parse_address(optarg); break;
        case 'a': opt.ca = optarg; break;
        case 'C': opt.cert = optarg; break;
        case 'k': opt.key = optarg; break;
        case 's': opt.sni = optarg; break;
        case 'g': opt.group = optarg; break;
        case 'i': opt.cipher = optarg; break;
        case '2': opt.tls12 = true; break;
        case 'p': opt.plain = true; break;
        case 'S': opt.seconds = atof(optarg); break;
        case 'z': opt.size = strtoul(optarg, NULL, 0); break;
        case 'n': opt.connections = (unsigned)strtoul(optarg, NULL, 0); break;
        case 'N': opt.count = strtoull(optarg, NULL, 0); break;
        case 'P': opt.pause = strtoul(optarg, NULL, 0) * 1000; break;
        case 'I': opt.identities = optarg; break;
        case 'D': opt.distinct = (unsigned)strtoul(optarg, NULL, 0); break;
        default: exit(2);
        }
    }
    if (opt.address.sin_port == 0 || opt.connections == 0 || opt.size == 0 || opt.size > SIZE_MAX_BYTES ||
        (opt.identities != NULL && opt.distinct == 0))
        die("bad options");
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    if (opt.mode != MODE_HOLD)
        signal(SIGTERM, on_term);
    struct rlimit files = {0};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    if (!opt.plain)
        make_ctx();
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    conns = calloc(opt.connections, sizeof *conns);
    payload = malloc(SIZE_MAX_BYTES);
    scratch = malloc(SIZE_MAX_BYTES);
    if (conns == NULL || payload == NULL || scratch == NULL)
        die("out of memory");
    for (size_t i = 0; i < SIZE_MAX_BYTES; i++)
        payload[i] = (uint8_t)(i * 2654435761u >> 13);
    payload[0] = opt.mode == MODE_BULK ? 0 : 1; /* tcp --echo-or-sink */
    started = now_us();
    for (unsigned i = 0; i < opt.connections; i++)
        conns[i].fd = -1;
    if (opt.mode == MODE_HOLD)
        hold();
    else {
        for (unsigned i = 0; i < opt.connections; i++)
            open_conn(&conns[i]);
        while (!time_is_up()) {
            turn(opt.pause ? 5 : 100);
            go_on();
        }
        report((double)(now_us() - started) / 1e6);
    }
    for (unsigned i = 0; i < opt.connections; i++) {
        close_conn(&conns[i]);
        wolfSSL_SESSION_free(conns[i].session);
    }
    wolfSSL_CTX_free(ctx);
    wolfSSL_Cleanup();
    free(latency);
    free(conns);
    free(payload);
    free(scratch);
    if (first_error[0] != 0)
        fprintf(stderr, "load: first failure: %s\n", first_error);
    return failed > 0 ? 1 : 0;
}
