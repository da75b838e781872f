/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tcp: one scripted end of TCP connections, for tests and benchmarks: an echo, a sink, a source, a slow
 * reader, a sender of tiny writes, of resets, of half-closes. What it sends is a pseudo-random stream of a
 * seed, so that the other end can check every byte at its place.
 *
 *   tcp --listen [HOST:]PORT | --connect [HOST:]PORT     HOST is an IPv4 address, 127.0.0.1 unless given
 *       --echo            send back what comes in (and FIN after EOF)
 *       --echo-or-sink    the same, but swallow what comes in where its first byte is 0
 *       --send BYTES      send so much of the stream (--seed, 1 unless given)
 *       --seed N          of what is sent
 *       --check N         what comes in must be the stream of seed N
 *       --expect BYTES    exactly so many bytes must come in
 *       --chunk BYTES     size of a write
 *       --read-rate N     read at most so many bytes a second
 *       --read-after MS   read nothing before that
 *       --send-after-eof  send only once the other side has closed
 *       --end fin|rst|hold|never   when all is sent: half-close and read on; reset at once; close when the
 * other side does; not even then
 *       --rst-after BYTES reset once so many bytes have come in
 *       --connections N   connect: so many at once; listen: end after so many (0: never)
 *
 * Prints "ready" when listening, and for each connection that ended "sent=N received=N end=eof|reset|error
 * check=ok|bad" (not in --echo with --connections 0). Exit status 0: all of them ended by EOF, sent
 * everything, and met --check and --expect.
 */
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

enum { BUFFER = 256 * 1024 };

static struct {
    bool listen, echo, sink_zero, check, expect_set, send_after_eof;
    enum { END_FIN, END_RST, END_HOLD, END_NEVER } end;
    struct sockaddr_in address;
    uint64_t send, seed, check_seed, expect, read_rate, read_after, rst_after, connections;
    size_t chunk;
} opt = {.seed = 1, .chunk = 65536};

struct conn {
    int fd;
    bool eof, fin_sent, bad, swallow;
    uint64_t sent, received, start;
    uint8_t *pending; /* echo only: what could not be written yet */
    size_t pending_at, pending_size;
    uint32_t events;
    struct conn *next;
};

static int epoll_fd;
static struct conn *all, *dead;
static uint64_t ended, live;
static bool failed;
static uint8_t buffer[BUFFER], wanted[BUFFER];

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void die(const char *what)
{
    perror(what);
    exit(3);
}

/* splitmix64 of the word's index: any place of the stream can be made on its own. */
static uint64_t word(uint64_t seed, uint64_t i)
{
    uint64_t z = (seed << 40) + (i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Bytes OFFSET .. OFFSET + SIZE of the stream. */
static void stream(uint64_t seed, uint64_t offset, uint8_t *out, size_t size)
{
    while (size > 0) {
        uint64_t w = word(seed, offset / 8);
        size_t skip = offset % 8, n = 8 - skip;
        if (n > size)
            n = size;
        memcpy(out, (uint8_t *)&w + skip, n);
        out += n, offset += n, size -= n;
    }
}

static void watch(struct conn *c, uint32_t events)
{
    if (events == c->events)
        return;
    /* Out of the set altogether while nothing is wanted: EPOLLHUP would be told again and again otherwise. */
    int what = events == 0 ? EPOLL_CTL_DEL : c->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    struct epoll_event e = {.events = events, .data.ptr = c};
    if (epoll_ctl(epoll_fd, what, c->fd, &e) != 0)
        die("epoll_ctl");
    c->events = events;
}

static void finish(struct conn *c, const char *how)
{
    bool good = !strcmp(how, "eof") && !c->bad && (!opt.expect_set || c->received == opt.expect) &&
                (opt.echo || c->sent == opt.send);
    if (!strcmp(how, "rst"))
        good = !c->bad;
    if (!opt.echo || opt.connections != 0) {
        printf("sent=%" PRIu64 " received=%" PRIu64 " end=%s check=%s\n", c->sent, c->received, how,
               c->bad ? "bad" : "ok");
        fflush(stdout);
    }
    failed |= !good;
    close(c->fd);
    c->fd = -1;
    live--;
    ended++;
    for (struct conn **p = &all; *p != NULL; p = &(*p)->next)
        if (*p == c) {
            *p = c->next;
            break;
        }
    c->next = dead;
    dead = c;
}

static void reset(struct conn *c)
{
    struct linger l = {.l_onoff = 1, .l_linger = 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
    finish(c, "rst");
}

static bool all_sent(const struct conn *c)
{
    return opt.echo ? c->pending_size == 0 && c->eof : c->sent == opt.send;
}

/* Writes what it may; false when the connection is gone. */
static bool do_write(struct conn *c)
{
    for (int turn = 0; turn < 16; turn++) {
        const uint8_t *from = wanted;
        size_t size;
        if (opt.echo) {
            from = c->pending + c->pending_at;
            size = c->pending_size;
        } else {
            if (opt.send_after_eof && !c->eof)
                return true;
            size = opt.send - c->sent < opt.chunk ? (size_t)(opt.send - c->sent) : opt.chunk;
            stream(opt.seed, c->sent, wanted, size);
        }
        if (size == 0)
            break;
        ssize_t n = send(c->fd, from, size, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EAGAIN || errno == EINTR)
                return true;
            finish(c, errno == ECONNRESET || errno == EPIPE ? "reset" : "error");
            return false;
        }
        c->sent += (uint64_t)n;
        if (opt.echo) {
            c->pending_at += (size_t)n;
            c->pending_size -= (size_t)n;
            if (c->pending_size == 0) {
                free(c->pending);
                c->pending = NULL;
            }
        }
    }
    if (all_sent(c) && !c->fin_sent) {
        if (opt.end == END_RST) {
            reset(c);
            return false;
        }
        if (opt.end == END_FIN || (opt.end == END_HOLD && c->eof)) {
            shutdown(c->fd, SHUT_WR);
            c->fin_sent = true;
        }
    }
    return true;
}

static void take(struct conn *c, size_t size)
{
    if (opt.check && !c->bad) {
        stream(opt.check_seed, c->received, wanted, size);
        c->bad = memcmp(wanted, buffer, size) != 0;
    }
    c->received += size;
}

/* How much may be read now; 0: later. */
static size_t allowance(const struct conn *c)
{
    uint64_t age = now_ms() - c->start;
    if (age < opt.read_after || (opt.echo && c->pending_size > 0))
        return 0;
    if (opt.read_rate == 0)
        return BUFFER;
    uint64_t may = (age - opt.read_after) * opt.read_rate / 1000;
    return may <= c->received ? 0 : may - c->received > BUFFER ? BUFFER : (size_t)(may - c->received);
}

static bool do_read(struct conn *c)
{
    for (int turn = 0; turn < 8 && !c->eof; turn++) {
        size_t room = allowance(c);
        if (room == 0)
            return true;
        ssize_t n = recv(c->fd, buffer, room, 0);
        if (n < 0) {
            if (errno == EAGAIN || errno == EINTR)
                return true;
            finish(c, errno == ECONNRESET ? "reset" : "error");
            return false;
        }
        if (n == 0) {
            c->eof = true;
            break;
        }
        if (opt.sink_zero && c->received == 0)
            c->swallow = buffer[0] == 0;
        take(c, (size_t)n);
        if (opt.rst_after > 0 && c->received >= opt.rst_after) {
            reset(c);
            return false;
        }
        if (opt.echo && !c->swallow) {
            ssize_t w = send(c->fd, buffer, (size_t)n, MSG_NOSIGNAL);
            if (w < 0 && errno != EAGAIN) {
                finish(c, "reset");
                return false;
            }
            w = w < 0 ? 0 : w;
            c->sent += (uint64_t)w;
            if (w < n) {
                c->pending_size = (size_t)(n - w);
                c->pending_at = 0;
                c->pending = malloc(c->pending_size);
                if (c->pending == NULL)
                    die("malloc");
                memcpy(c->pending, buffer + w, c->pending_size);
            }
        }
    }
    return true;
}

static void step(struct conn *c, uint32_t events)
{
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP)) && !do_read(c))
        return;
    if (!do_write(c))
        return;
    if (c->eof && c->fin_sent) {
        finish(c, "eof");
        return;
    }
    bool want_write = opt.echo ? c->pending_size > 0 : c->sent < opt.send && (!opt.send_after_eof || c->eof);
    watch(c, (!c->eof && allowance(c) > 0 ? EPOLLIN : 0) | (want_write ? EPOLLOUT : 0));
}

static void adopt(int fd)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct conn *c = calloc(1, sizeof *c);
    if (c == NULL)
        die("malloc");
    c->fd = fd;
    c->start = now_ms();
    c->events = EPOLLIN | EPOLLOUT;
    c->next = all;
    all = c;
    live++;
    struct epoll_event e = {.events = c->events, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e) != 0)
        die("epoll_ctl");
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
    if (inet_pton(AF_INET, host, &opt.address.sin_addr) != 1 || opt.address.sin_port == 0) {
        fprintf(stderr, "tcp: bad address %s\n", text);
        exit(2);
    }
}

static void parse(int argc, char **argv)
{
    static const struct option options[] = {{"listen", 1, NULL, 'l'},      {"connect", 1, NULL, 'c'},
                                            {"echo", 0, NULL, 'e'},        {"echo-or-sink", 0, NULL, 'z'},
                                            {"send", 1, NULL, 's'},        {"seed", 1, NULL, 'S'},
                                            {"check", 1, NULL, 'C'},       {"expect", 1, NULL, 'x'},
                                            {"chunk", 1, NULL, 'k'},       {"read-rate", 1, NULL, 'r'},
                                            {"read-after", 1, NULL, 'a'},  {"send-after-eof", 0, NULL, 'E'},
                                            {"end", 1, NULL, 'n'},         {"rst-after", 1, NULL, 'R'},
                                            {"connections", 1, NULL, 'N'}, {NULL, 0, NULL, 0}};
    bool connections_set = false;
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        uint64_t n = optarg != NULL ? strtoull(optarg, NULL, 0) : 0;
        switch (o) {
        case 'l':
            opt.listen = true;
            parse_address(optarg);
            break;
        case 'c': parse_address(optarg); break;
        case 'e': opt.echo = true; break;
        case 'z': opt.echo = opt.sink_zero = true; break;
        case 's': opt.send = n; break;
        case 'S': opt.seed = n; break;
        case 'C': opt.check = true, opt.check_seed = n; break;
        case 'x': opt.expect_set = true, opt.expect = n; break;
        case 'k': opt.chunk = n > 0 && n < BUFFER ? (size_t)n : BUFFER; break;
        case 'r': opt.read_rate = n; break;
        case 'a': opt.read_after = n; break;
        case 'E': opt.send_after_eof = true; break;
        case 'n':
            opt.end = !strcmp(optarg, "rst")     ? END_RST
                      : !strcmp(optarg, "hold")  ? END_HOLD
                      : !strcmp(optarg, "never") ? END_NEVER
                                                 : END_FIN;
            break;
        case 'R': opt.rst_after = n; break;
        case 'N': opt.connections = n, connections_set = true; break;
        default: exit(2);
        }
    }
    if (opt.address.sin_port == 0) {
        fputs("tcp: --listen or --connect is needed\n", stderr);
        exit(2);
    }
    if (!opt.listen && !connections_set)
        opt.connections = 1;
}

static int listen_or_connect(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0)
        die("socket");
    if (opt.listen) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        if (bind(fd, (struct sockaddr *)&opt.address, sizeof opt.address) != 0 || listen(fd, 4096) != 0)
            die("listen");
    } else if (connect(fd, (struct sockaddr *)&opt.address, sizeof opt.address) != 0)
        die("connect");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files = {0};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int listener = -1;
    if (opt.listen) {
        listener = listen_or_connect();
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e);
        puts("ready");
        fflush(stdout);
    } else {
        for (uint64_t i = 0; i < opt.connections; i++)
            adopt(listen_or_connect());
    }
    bool paced = opt.read_rate > 0 || opt.read_after > 0;
    while (live > 0 || (opt.listen && (opt.connections == 0 || ended < opt.connections))) {
        struct epoll_event events[256];
        int n = epoll_wait(epoll_fd, events, 256, paced && live > 0 ? 5 : -1);
        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;
            if (c != NULL) {
                if (c->fd >= 0)
                    step(c, events[i].events);
                continue;
            }
            for (int fd, turn = 0; turn < 64; turn++) {
                fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd < 0)
                    break;
                adopt(fd);
            }
        }
        if (paced)
            for (struct conn *c = all, *next; c != NULL; c = next) {
                next = c->next;
                step(c, allowance(c) > 0 ? EPOLLIN : 0);
            }
        while (dead != NULL) {
            struct conn *c = dead;
            dead = c->next;
            free(c->pending);
            free(c);
        }
    }
    return failed ? 1 : 0;
}
