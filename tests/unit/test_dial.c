/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sidecar/net/dial.h: literals, names, UNIX sockets; refusal, silence, cancelling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake_dns.h"
#include "sidecar/net/dial.h"
#include "sidecar/net/listen.h"

static char dir[] = "/tmp/outrider-dial-XXXXXX";

struct world {
    uv_loop_t loop;
    struct fake_dns dns;
    struct resolver *resolver;
    unsigned calls;
    int fd;
    char error[600];
    char remote[NET_ADDR_TEXT];
};

static void on_dialled(void *arg, int fd, const char *error, const struct sockaddr *remote)
{
    struct world *w = arg;
    w->calls++;
    w->fd = fd;
    snprintf(w->error, sizeof(w->error), "%s", error ? error : "");
    w->remote[0] = 0;
    if (remote)
        net_addr_text(remote, w->remote, sizeof(w->remote));
    assert_true((fd >= 0) == !error);
}

static void begin(struct world *w)
{
    char path[200];
    const char *error;
    memset(w, 0, sizeof(*w));
    w->fd = -1;
    uv_loop_init(&w->loop);
    assert_true(fake_dns_start(&w->dns, &w->loop));
    snprintf(path, sizeof(path), "%s/resolv.conf", dir);
    struct resolver_options options = {.servers = w->dns.servers, .resolv_conf = path, .env_hosts = true};
    w->resolver = resolver_new(&w->loop, &options, &error);
    assert_non_null(w->resolver);
}

static void end(struct world *w)
{
    if (w->fd >= 0)
        close(w->fd);
    resolver_close(w->resolver);
    fake_dns_stop(&w->dns);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0); /* nothing left open */
}

static void forget(struct world *w)
{
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
    w->calls = 0;
}

static struct dial *dial(struct world *w, const char *host, uint16_t port, uint64_t timeout)
{
    struct dial_target target = {.host = host, .port = port};
    uv_update_time(&w->loop);
    return dial_start(&w->loop, w->resolver, &target, timeout, on_dialled, w);
}

/* Dials and waits for the end. */
static void dial_through(struct world *w, const char *host, uint16_t port, uint64_t timeout)
{
    struct dial *d = dial(w, host, port, timeout);
    assert_int_equal(w->calls, d ? 0 : 1);
    while (w->calls == 0)
        uv_run(&w->loop, UV_RUN_ONCE);
    assert_int_equal(w->calls, 1);
}

static int serve(const char *host, uint16_t *port)
{
    union net_addr a;
    socklen_t size = sizeof(a);
    char error[NET_LISTEN_ERROR];
    assert_true(net_addr_literal(host, *port, &a));
    int fd = net_listen_ip(&a.sa, 0, 0, error);
    if (fd < 0)
        fail_msg("%s", error);
    getsockname(fd, &a.sa, &size);
    *port = net_addr_port(&a.sa);
    return fd;
}

/* A port where nobody listens, for as long as the descriptor returned is open. */
static int deaf(const char *host, uint16_t *port)
{
    union net_addr a;
    socklen_t size = sizeof(a);
    assert_true(net_addr_literal(host, *port, &a));
    int fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, &a.sa, net_addr_size(&a.sa)), 0);
    getsockname(fd, &a.sa, &size);
    *port = net_addr_port(&a.sa);
    return fd;
}

/* An address whose backlog is full: it drops SYNs, so that connecting hangs. */
struct silent {
    int fd[4];
};

static struct silent hush(const char *host, uint16_t *port)
{
    struct silent s;
    union net_addr a;
    s.fd[0] = deaf(host, port);
    assert_true(net_addr_literal(host, *port, &a));
    assert_int_equal(listen(s.fd[0], 0), 0);
    for (int i = 1; i < 4; i++) {
        s.fd[i] = socket(a.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(s.fd[i], &a.sa, net_addr_size(&a.sa));
    }
    return s;
}

static void unhush(struct silent *s)
{
    for (int i = 0; i < 4; i++)
        close(s->fd[i]);
}

static void literal_at_once(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    uint16_t port = 0;
    int server = serve("127.0.0.1", &port);
    /* On loopback the kernel completes the handshake within connect(): no turn of the loop is needed. */
    assert_null(dial(&w, "127.0.0.1", port, 5000));
    assert_int_equal(w.calls, 1);
    assert_string_equal(w.error, "");
    assert_true(fcntl(w.fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(w.fd, F_GETFD) & FD_CLOEXEC);
    int value = 0;
    socklen_t size = sizeof(value);
    assert_int_equal(getsockopt(w.fd, IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
    assert_true(value > 0);
    char want[32];
    snprintf(want, sizeof(want), "127.0.0.1:%u", port);
    assert_string_equal(w.remote, want);

    /* It is the very connection. */
    int served = accept(server, NULL, NULL);
    char c = 0;
    assert_int_equal(write(w.fd, "x", 1), 1);
    assert_int_equal(read(served, &c, 1), 1);
    close(served);
    close(server);
    end(&w);
}

static bool has_six(void)
{
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    bool yes = fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
    if (fd >= 0)
        close(fd);
    return yes;
}

static void six(void **state)
{
    (void)state;
    struct world w;
    uint16_t port = 0;
    if (!has_six())
        skip();
    begin(&w);
    int server = serve("::1", &port);
    dial_through(&w, "::1", port, 5000);
    assert_string_equal(w.error, "");
    forget(&w);
    dial_through(&w, "[::1]", port, 5000);
    assert_string_equal(w.error, "");
    close(server);
    end(&w);
}

static void refused(void **state)
{
    (void)state;
    struct world w;
    char want[100];
    begin(&w);
    uint16_t port = 0;
    int hold = deaf("127.0.0.1", &port);
    dial_through(&w, "127.0.0.1", port, 5000);
    snprintf(want, sizeof(want), "connect to 127.0.0.1:%u: connection refused", port);
    assert_string_equal(w.error, want);
    assert_int_equal(w.fd, -1);
    assert_non_null(strstr(want, w.remote));
    close(hold);
    end(&w);
}

/*
 * A port of the ephemeral range where nobody listens: sooner or later the kernel gives the caller that very
 * port and TCP connects it to itself. That is a refusal.
 */
static void never_itself(void **state)
{
    (void)state;
    struct world w;
    uint16_t port = 0;
    begin(&w);
    close(deaf("127.0.0.1", &port));
    port &= (uint16_t)~1u; /* connect() takes even ports first */
    dial_through(&w, "127.0.0.1", port, 5000);
    if (w.fd >= 0) {
        end(&w);
        skip(); /* somebody else's service */
    }
    for (int i = 0; i < 20000 && w.fd < 0; i++) {
        forget(&w);
        dial_through(&w, "127.0.0.1", port, 5000);
    }
    assert_int_equal(w.fd, -1);
    end(&w);
}

static void no_route(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    dial_through(&w, "255.255.255.255", 9, 5000); /* TCP never reaches a broadcast address */
    assert_int_equal(w.fd, -1);
    assert_memory_equal(w.error, "connect to 255.255.255.255:9: ", 30);
    end(&w);
}

static void times_out(void **state)
{
    (void)state;
    struct world w;
    char want[100];
    begin(&w);
    uint16_t port = 0;
    struct silent s = hush("127.0.0.1", &port);
    dial_through(&w, "127.0.0.1", port, 70);
    snprintf(want, sizeof(want), "connect to 127.0.0.1:%u: timed out after 70ms", port);
    assert_string_equal(w.error, want);
    unhush(&s);
    end(&w);
}

static void cancelled(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    uint16_t port = 0;
    struct silent s = hush("127.0.0.1", &port);
    int before = dup(0);
    close(before);
    struct dial *d = dial(&w, "127.0.0.1", port, 50);
    assert_non_null(d);
    dial_cancel(d);
    int after = dup(0);
    close(after);
    assert_int_equal(after, before); /* its descriptor is closed already */

    w.dns.silent = true;
    d = dial(&w, "nobody.test", 1, 50);
    assert_non_null(d);
    uv_run(&w.loop, UV_RUN_NOWAIT);
    dial_cancel(d);
    dial_cancel(NULL);
    unhush(&s);
    end(&w);
    assert_int_equal(w.calls, 0);
}

static void by_name(void **state)
{
    (void)state;
    struct world w;
    char want[200];
    begin(&w);
    uint16_t port = 0;
    int server = serve("127.0.0.1", &port);
    fake_dns_add(&w.dns, "good.test", FAKE_A, 60, "127.0.0.1");
    dial_through(&w, "good.test", port, 5000);
    assert_string_equal(w.error, "");
    snprintf(want, sizeof(want), "127.0.0.1:%u", port);
    assert_string_equal(w.remote, want);
    forget(&w);
    assert_null(dial(&w, "GOOD.test", port, 5000)); /* from the cache: at once */
    assert_string_equal(w.error, "");
    forget(&w);
    close(server);

    int hold = deaf("127.0.0.1", &port);
    dial_through(&w, "good.test", port, 5000);
    snprintf(want, sizeof(want), "connect to good.test:%u (127.0.0.1:%u): connection refused", port, port);
    assert_string_equal(w.error, want);
    forget(&w);
    close(hold);

    dial_through(&w, "bad.test", 80, 5000);
    assert_string_equal(w.error, "bad.test: no such host");
    assert_string_equal(w.remote, "");
    forget(&w);
    w.dns.silent = true;
    dial_through(&w, "silent.test", 80, 60);
    assert_string_equal(w.error, "silent.test: name lookup timed out after 60ms");
    forget(&w);

    struct dial_target target = {.host = "x.test", .port = 1};
    assert_null(dial_start(&w.loop, NULL, &target, 1, on_dialled, &w));
    assert_string_equal(w.error, "x.test: names cannot be looked up here");
    char endless[400];
    memset(endless, 'a', sizeof(endless) - 1);
    endless[sizeof(endless) - 1] = 0;
    assert_null(dial(&w, endless, 1, 1));
    assert_non_null(strstr(w.error, "not a valid host name"));
    end(&w);
}

static void next_address_on_refusal(void **state)
{
    (void)state;
    struct world w;
    char want[200];
    begin(&w);
    uint16_t port = 0;
    int server = serve("127.0.0.3", &port);
    int hold = deaf("127.0.0.2", &port);
    fake_dns_add(&w.dns, "two.test", FAKE_A, 60, "127.0.0.2");
    fake_dns_add(&w.dns, "two.test", FAKE_A, 60, "127.0.0.3");
    snprintf(want, sizeof(want), "127.0.0.3:%u", port);
    for (int i = 0; i < 3; i++) { /* the first address rotates */
        dial_through(&w, "two.test", port, 5000);
        assert_string_equal(w.error, "");
        assert_string_equal(w.remote, want);
        forget(&w);
    }
    close(server);
    server = deaf("127.0.0.3", &port);
    dial_through(&w, "two.test", port, 5000);
    assert_non_null(strstr(w.error, ", the last of 2 addresses): connection refused"));
    close(server);
    close(hold);
    end(&w);
}

static void next_address_on_silence(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    uint16_t port = 0;
    int server = serve("127.0.0.3", &port);
    struct silent s = hush("127.0.0.2", &port);
    fake_dns_add(&w.dns, "two.test", FAKE_A, 60, "127.0.0.2");
    fake_dns_add(&w.dns, "two.test", FAKE_A, 60, "127.0.0.3");
    for (int i = 0; i < 2; i++) { /* one of the two begins with the silent one */
        dial_through(&w, "two.test", port, 5000);
        assert_string_equal(w.error, "");
        assert_memory_equal(w.remote, "127.0.0.3", 9);
        forget(&w);
    }
    close(server);
    /* Both silent: the timeout counts for all of it. */
    struct silent t = hush("127.0.0.3", &port);
    dial_through(&w, "two.test", port, 300);
    assert_non_null(strstr(w.error, ", the last of 2 addresses): timed out after 300ms"));
    unhush(&s);
    unhush(&t);
    end(&w);
}

static void unix_path(void **state)
{
    (void)state;
    struct world w;
    char path[200], error[NET_LISTEN_ERROR], want[300];
    begin(&w);
    snprintf(path, sizeof(path), "%s/s", dir);
    int server = net_listen_unix(path, 0600, 0, error);
    assert_true(server >= 0);
    struct dial_target target = {.path = path};
    assert_null(dial_start(&w.loop, NULL, &target, 1000, on_dialled, &w));
    assert_string_equal(w.error, "");
    snprintf(want, sizeof(want), "unix:%s", path);
    assert_string_equal(w.remote, want);
    forget(&w);
    close(server);
    assert_null(dial_start(&w.loop, NULL, &target, 1000, on_dialled, &w));
    snprintf(want, sizeof(want), "connect to unix:%s: connection refused", path);
    assert_string_equal(w.error, want);
    unlink(path);
    assert_null(dial_start(&w.loop, NULL, &target, 1000, on_dialled, &w));
    snprintf(want, sizeof(want), "connect to unix:%s: no such file or directory", path);
    assert_string_equal(w.error, want);
    target.path = "";
    assert_null(dial_start(&w.loop, NULL, &target, 1000, on_dialled, &w));
    assert_non_null(strstr(w.error, "empty or too long"));
    end(&w);
}

static void unix_backlog_full(void **state)
{
    (void)state;
    struct world w;
    char path[200], error[NET_LISTEN_ERROR];
    begin(&w);
    snprintf(path, sizeof(path), "%s/s", dir);
    int server = net_listen_unix(path, 0600, 1, error), held[64];
    unsigned n = 0;
    struct dial_target target = {.path = path};
    struct dial *d;
    while (!(d = dial_start(&w.loop, NULL, &target, 60, on_dialled, &w))) {
        assert_string_equal(w.error, "");
        assert_true(n < 64);
        held[n++] = w.fd;
        w.calls = 0;
        w.fd = -1;
    }
    while (!w.calls)
        uv_run(&w.loop, UV_RUN_ONCE);
    assert_non_null(strstr(w.error, "timed out after 60ms"));

    /* Room is made while it waits. */
    w.calls = 0;
    d = dial_start(&w.loop, NULL, &target, 5000, on_dialled, &w);
    assert_non_null(d);
    close(accept(server, NULL, NULL));
    while (!w.calls)
        uv_run(&w.loop, UV_RUN_ONCE);
    assert_string_equal(w.error, "");
    while (n)
        close(held[--n]);
    close(server);
    unlink(path);
    end(&w);
}

static void out_of_descriptors(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    struct rlimit before, low;
    int next = dup(0);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    struct dial *d = dial(&w, "127.0.0.1", 9, 100);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_null(d);
    assert_string_equal(w.error, "connect to 127.0.0.1:9: too many open files");
    end(&w);
}

static void tuning(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    uint16_t port = 0;
    int server = serve("127.0.0.1", &port), value = 0;
    socklen_t size = sizeof(value);
    dial_through(&w, "127.0.0.1", port, 5000);
    const struct {
        uint64_t ms;
        int on, idle, interval;
    } want[] = {
        {10000, 1, 10, 2}, {1, 1, 1, 1}, {7200001, 1, 7201, 30}, {UINT64_MAX, 1, 32767, 30}, {0, 0, 0, 0}};
    for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
        net_keepalive(w.fd, want[i].ms);
        getsockopt(w.fd, SOL_SOCKET, SO_KEEPALIVE, &value, &size);
        assert_int_equal(value, want[i].on);
        if (!want[i].on)
            continue;
        getsockopt(w.fd, IPPROTO_TCP, TCP_KEEPIDLE, &value, &size);
        assert_int_equal(value, want[i].idle);
        getsockopt(w.fd, IPPROTO_TCP, TCP_KEEPINTVL, &value, &size);
        assert_int_equal(value, want[i].interval);
    }
    close(server);
    end(&w);
}

/* Accepted sockets have it from the listening one; a UNIX socket has nothing of that. */
static void inheritance(void **state)
{
    (void)state;
    int pair[2], value = 0;
    socklen_t size = sizeof(value);
    for (int on = 1; on >= 0; on--) {
        struct world w;
        begin(&w);
        uint16_t port = 0;
        int server = serve("127.0.0.1", &port);
        net_keepalive(server, 10000);
        net_keepalive(server, on ? 20000 : 0);
        dial_through(&w, "127.0.0.1", port, 5000);
        int accepted = accept(server, NULL, NULL);
        assert_true(accepted >= 0);
        assert_int_equal(getsockopt(accepted, SOL_SOCKET, SO_KEEPALIVE, &value, &size), 0);
        assert_int_equal(value, on);
        assert_int_equal(getsockopt(accepted, IPPROTO_TCP, TCP_KEEPIDLE, &value, &size), 0);
        assert_true(!on || value == 20);
        assert_int_equal(getsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
        assert_int_equal(value, 1);
        close(accepted);
        close(server);
        end(&w);
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    net_keepalive(pair[0], 10000);
    assert_int_equal(getsockopt(pair[0], SOL_SOCKET, SO_KEEPALIVE, &value, &size), 0);
    assert_int_equal(value, 0);
    close(pair[0]);
    close(pair[1]);
}

static void write_file(const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int setup(void **state)
{
    (void)state;
    char path[200];
    if (!mkdtemp(dir))
        return -1;
    write_file("resolv.conf", "search search.test\n");
    write_file("hosts", "");
    snprintf(path, sizeof(path), "%s/hosts", dir);
    return setenv("CARES_HOSTS", path, 1);
}

static int teardown(void **state)
{
    (void)state;
    char path[200];
    snprintf(path, sizeof(path), "%s/resolv.conf", dir);
    unlink(path);
    snprintf(path, sizeof(path), "%s/hosts", dir);
    unlink(path);
    return rmdir(dir);
}

static void kinds_of_failure(void **state)
{
    (void)state;
    assert_int_equal(dial_fault("connect to 127.0.0.1:80: connection refused"), DIAL_REFUSED);
    assert_int_equal(dial_fault("connect to a.b:80 (10.0.0.1:80): connection refused"), DIAL_REFUSED);
    assert_int_equal(dial_fault("connect to [::1]:80: timed out after 5s"), DIAL_TIMED_OUT);
    assert_int_equal(dial_fault("connect to a.b:80 (10.0.0.1:80): connection timed out"), DIAL_TIMED_OUT);
    assert_int_equal(dial_fault("a.b: no such host"), DIAL_NO_NAME);
    assert_int_equal(dial_fault("a.b: name lookup timed out after 5s"), DIAL_NO_NAME);
    assert_int_equal(dial_fault("connect to /run/x: no such file or directory"), DIAL_OTHER);
    assert_int_equal(dial_fault("out of memory"), DIAL_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literal_at_once),
        cmocka_unit_test(six),
        cmocka_unit_test(refused),
        cmocka_unit_test(kinds_of_failure),
        cmocka_unit_test(never_itself),
        cmocka_unit_test(no_route),
        cmocka_unit_test(times_out),
        cmocka_unit_test(cancelled),
        cmocka_unit_test(by_name),
        cmocka_unit_test(next_address_on_refusal),
        cmocka_unit_test(next_address_on_silence),
        cmocka_unit_test(unix_path),
        cmocka_unit_test(unix_backlog_full),
        cmocka_unit_test(out_of_descriptors),
        cmocka_unit_test(tuning),
        cmocka_unit_test(inheritance),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
