/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sidecar/net/listen.h: opening sockets, accepting from them, running out of descriptors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "sidecar/net/addr.h"
#include "sidecar/net/listen.h"

static char dir[] = "/tmp/outrider-listen-XXXXXX";

static union net_addr literal(const char *host, uint16_t port)
{
    union net_addr a;
    assert_true(net_addr_literal(host, port, &a));
    return a;
}

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof(value);
    assert_int_equal(getsockopt(fd, level, name, &value, &size), 0);
    return value;
}

static int listen_on(const char *host, uint16_t port, unsigned flags)
{
    char error[NET_LISTEN_ERROR] = "";
    union net_addr a = literal(host, port);
    int fd = net_listen_ip(&a.sa, flags, 0, error);
    if (fd < 0)
        fail_msg("%s", error);
    return fd;
}

static union net_addr bound(int fd)
{
    union net_addr a;
    socklen_t size = sizeof(a);
    assert_int_equal(getsockname(fd, &a.sa, &size), 0);
    return a;
}

/* A connected blocking client. */
static int call(const struct sockaddr *to, socklen_t size)
{
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, to, size), 0);
    return fd;
}

static void ip_socket(void **state)
{
    (void)state;
    int fd = listen_on("127.0.0.1", 0, 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(option(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
    assert_int_equal(option(fd, SOL_SOCKET, SO_REUSEPORT), 0);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
    union net_addr at = bound(fd);
    int client = call(&at.sa, net_addr_size(&at.sa));
    int served = accept4(fd, NULL, NULL, 0);
    assert_true(served >= 0);
    assert_true(option(served, IPPROTO_TCP, TCP_NODELAY) > 0);
    close(served);
    close(client);
    close(fd);
}

static void any_six_takes_four(void **state)
{
    (void)state;
    char error[NET_LISTEN_ERROR];
    union net_addr any = literal("::", 0);
    int fd = net_listen_ip(&any.sa, 0, 0, error);
    if (fd < 0)
        skip(); /* a machine without IPv6 */
    union net_addr at = bound(fd);
    at = literal("127.0.0.1", net_addr_port(&at.sa));
    int client = call(&at.sa, net_addr_size(&at.sa));
    struct sockaddr_storage peer;
    socklen_t size = sizeof(peer);
    int served = accept4(fd, (struct sockaddr *)&peer, &size, 0);
    assert_true(served >= 0);
    char text[NET_ADDR_TEXT];
    net_addr_host_text((struct sockaddr *)&peer, text, sizeof(text));
    assert_string_equal(text, "127.0.0.1");
    close(served);
    close(client);
    close(fd);
}

static void ports_in_use(void **state)
{
    (void)state;
    char error[NET_LISTEN_ERROR], want[NET_LISTEN_ERROR], text[NET_ADDR_TEXT];
    int a = listen_on("127.0.0.1", 0, NET_LISTEN_REUSEPORT);
    union net_addr at = bound(a);
    net_addr_text(&at.sa, text, sizeof(text));
    snprintf(want, sizeof(want), "listen on %s: address already in use", text);

    int b = net_listen_ip(&at.sa, NET_LISTEN_REUSEPORT, 0, error);
    assert_true(b >= 0);
    assert_int_equal(net_listen_ip(&at.sa, 0, 0, error), -1);
    assert_string_equal(error, want);
    error[0] = 0;
    assert_int_equal(net_listen_ip(&at.sa, NET_LISTEN_REUSEPORT | NET_LISTEN_EXCLUSIVE, 0, error), -1);
    assert_string_equal(error, want);
    close(a);
    close(b);
    a = net_listen_ip(&at.sa, NET_LISTEN_REUSEPORT | NET_LISTEN_EXCLUSIVE, 0, error);
    assert_true(a >= 0);
    close(a);

    struct sockaddr odd = {.sa_family = AF_NETLINK};
    assert_int_equal(net_listen_ip(&odd, 0, 0, error), -1);
    assert_string_equal(error, "listen on unknown: address family not supported");
    at = literal("192.0.2.1", 1);
    assert_int_equal(net_listen_ip(&at.sa, 0, 0, error), -1);
    assert_string_equal(error, "listen on 192.0.2.1:1: address not available");
}

static void unix_socket(void **state)
{
    (void)state;
    char error[NET_LISTEN_ERROR] = "", path[200], want[400];
    struct stat st;
    snprintf(path, sizeof(path), "%s/s", dir);
    mode_t before = umask(0177);
    int fd = net_listen_unix(path, 0660, 0, error);
    assert_string_equal(error, "");
    assert_true(fd >= 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    umask(before);

    /* Somebody listens there. */
    snprintf(want, sizeof(want), "listen on unix:%s: address already in use", path);
    assert_int_equal(net_listen_unix(path, 0600, 0, error), -1);
    assert_string_equal(error, want);
    assert_int_equal(stat(path, &st), 0);

    /* Left over. */
    close(fd);
    umask(0);
    fd = net_listen_unix(path, 0600, 0, error);
    umask(before);
    assert_true(fd >= 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    strcpy(un.sun_path, path);
    close(call((struct sockaddr *)&un, sizeof(un)));
    close(fd);
    unlink(path);

    /* Not a socket: never removed. */
    int file = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(file >= 0);
    close(file);
    assert_int_equal(net_listen_unix(path, 0600, 0, error), -1);
    snprintf(want, sizeof(want),
             "listen on unix:%s: a file that is no socket is in the way: file already exists", path);
    assert_string_equal(error, want);
    assert_int_equal(stat(path, &st), 0);
    unlink(path);

    snprintf(path, sizeof(path), "%s/no/such", dir);
    assert_int_equal(net_listen_unix(path, 0600, 0, error), -1);
    assert_non_null(strstr(error, "no such file or directory"));
    assert_int_equal(net_listen_unix("", 0600, 0, error), -1);
    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = 0;
    assert_int_equal(net_listen_unix(path, 0600, 0, error), -1);
    assert_non_null(strstr(error, "name too long"));
}

static void abstract_socket(void **state)
{
    (void)state;
    char error[NET_LISTEN_ERROR] = "", path[64];
    snprintf(path, sizeof(path), "@outrider-test-%d", (int)getpid());
    int fd = net_listen_unix(path, 0600, 0, error);
    assert_true(fd >= 0);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    memcpy(un.sun_path + 1, path + 1, strlen(path) - 1);
    int client =
        call((struct sockaddr *)&un, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
    assert_int_equal(net_listen_unix(path, 0600, 0, error), -1);
    assert_non_null(strstr(error, "address already in use"));
    close(client);
    close(fd);
}

/* --- accepting --- */

struct world {
    uv_loop_t loop;
    struct net_acceptor *acceptor;
    union net_addr at;
    int fds[200];
    unsigned count;
    char peer[NET_ADDR_TEXT];
    unsigned pause_at, close_at; /* after how many connections; 0: never */
};

static void on_accept(void *arg, int fd, const struct sockaddr *peer)
{
    struct world *w = arg;
    assert_true(w->count < 200);
    w->fds[w->count++] = fd;
    net_addr_text(peer, w->peer, sizeof(w->peer));
    if (w->count == w->pause_at)
        net_acceptor_pause(w->acceptor);
    if (w->count == w->close_at) {
        net_acceptor_close(w->acceptor);
        w->acceptor = NULL;
    }
}

static void begin(struct world *w)
{
    memset(w, 0, sizeof(*w));
    uv_loop_init(&w->loop);
    int fd = listen_on("127.0.0.1", 0, 0);
    w->at = bound(fd);
    w->acceptor = net_acceptor_start(&w->loop, fd, on_accept, w);
    assert_non_null(w->acceptor);
}

static void end(struct world *w)
{
    net_acceptor_close(w->acceptor);
    while (w->count)
        close(w->fds[--w->count]);
    assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&w->loop), 0);
}

static void spin(struct world *w)
{
    for (int i = 0; i < 4; i++)
        uv_run(&w->loop, UV_RUN_NOWAIT);
}

static void accepts(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    int client = call(&w.at.sa, net_addr_size(&w.at.sa));
    uv_run(&w.loop, UV_RUN_ONCE);
    assert_int_equal(w.count, 1);
    assert_true(fcntl(w.fds[0], F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(w.fds[0], F_GETFD) & FD_CLOEXEC);
    union net_addr own = bound(client);
    char text[NET_ADDR_TEXT];
    assert_string_equal(w.peer, net_addr_text(&own.sa, text, sizeof(text)));
    assert_int_equal(net_acceptor_stats(w.acceptor)->accepted, 1);
    close(client);
    end(&w);
}

static void accepts_unix(void **state)
{
    (void)state;
    struct world w;
    memset(&w, 0, sizeof(w));
    uv_loop_init(&w.loop);
    char error[NET_LISTEN_ERROR], path[200];
    snprintf(path, sizeof(path), "%s/s", dir);
    w.acceptor = net_acceptor_start(&w.loop, net_listen_unix(path, 0600, 0, error), on_accept, &w);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    strcpy(un.sun_path, path);
    int client = call((struct sockaddr *)&un, sizeof(un));
    uv_run(&w.loop, UV_RUN_ONCE);
    assert_int_equal(w.count, 1);
    assert_string_equal(w.peer, "unix:");
    close(client);
    unlink(path);
    end(&w);
}

static void one_turn_takes_a_batch(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    int clients[NET_ACCEPT_BATCH + 3];
    for (unsigned i = 0; i < NET_ACCEPT_BATCH + 3; i++)
        clients[i] = call(&w.at.sa, net_addr_size(&w.at.sa));
    uv_run(&w.loop, UV_RUN_NOWAIT);
    /* libuv's loop polls again within a turn only when its event array was full, which one event never does.
     */
    assert_int_equal(w.count, NET_ACCEPT_BATCH);
    spin(&w);
    assert_int_equal(w.count, NET_ACCEPT_BATCH + 3);
    for (unsigned i = 0; i < NET_ACCEPT_BATCH + 3; i++)
        close(clients[i]);
    end(&w);
}

static void pause_and_resume(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    w.pause_at = 1;
    int a = call(&w.at.sa, net_addr_size(&w.at.sa)), b = call(&w.at.sa, net_addr_size(&w.at.sa));
    spin(&w);
    assert_int_equal(w.count, 1);
    net_acceptor_pause(w.acceptor);
    spin(&w);
    assert_int_equal(w.count, 1);
    net_acceptor_resume(w.acceptor);
    net_acceptor_resume(w.acceptor);
    spin(&w);
    assert_int_equal(w.count, 2);
    close(a);
    close(b);
    end(&w);
}

static void close_in_callback(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    w.close_at = 1;
    int a = call(&w.at.sa, net_addr_size(&w.at.sa)), b = call(&w.at.sa, net_addr_size(&w.at.sa));
    spin(&w);
    assert_int_equal(w.count, 1);
    close(a);
    close(b);
    end(&w);
    net_acceptor_close(NULL);
}

/* The client hung up before it was accepted: Linux still hands the connection over, and it must not harm. */
static void gone_before_accept(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    int client = call(&w.at.sa, net_addr_size(&w.at.sa));
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(client);
    int second = call(&w.at.sa, net_addr_size(&w.at.sa));
    spin(&w);
    assert_int_equal(w.count + net_acceptor_stats(w.acceptor)->aborted, 2);
    close(second);
    end(&w);
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_stop(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

static void run_for(struct world *w, uint64_t ms)
{
    uv_timer_t stop;
    uv_timer_init(&w->loop, &stop);
    uv_update_time(&w->loop);
    uv_timer_start(&stop, on_stop, ms, 0);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&stop, NULL);
    uv_run(&w->loop, UV_RUN_NOWAIT);
}

static void out_of_descriptors(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    int client = call(&w.at.sa, net_addr_size(&w.at.sa));
    struct rlimit before, low;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = (rlim_t)client + 1; /* the next descriptor would be one too many */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);

    double cpu = cpu_seconds();
    run_for(&w, 450); /* tries at 0, 100, 300 ms; fewer on a slow machine */
    cpu = cpu_seconds() - cpu;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    const struct net_acceptor_stats *stats = net_acceptor_stats(w.acceptor);
    assert_int_equal(w.count, 0);
    assert_int_equal(stats->last_errno, EMFILE);
    assert_in_range(stats->exhausted, 1, 3);
    assert_true(cpu < 0.2); /* it did not spin */

    for (int i = 0; i < 100 && w.count == 0; i++)
        uv_run(&w.loop, UV_RUN_ONCE); /* the pause ends, the waiting caller is served */
    assert_int_equal(w.count, 1);

    /* Pausing and closing within such a pause. */
    low.rlim_cur = (rlim_t)w.fds[0] + 1;
    int second = call(&w.at.sa, net_addr_size(&w.at.sa));
    low.rlim_cur = (rlim_t)second + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    spin(&w);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(w.count, 1);
    net_acceptor_pause(w.acceptor);
    net_acceptor_resume(w.acceptor);
    spin(&w);
    assert_int_equal(w.count, 1); /* resuming does not cut the pause short */
    net_acceptor_pause(w.acceptor);
    run_for(&w, 150);
    assert_int_equal(w.count, 1); /* nor does its end overrule the owner */
    close(second);
    close(client);
    end(&w);
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ip_socket),          cmocka_unit_test(any_six_takes_four),
        cmocka_unit_test(ports_in_use),       cmocka_unit_test(unix_socket),
        cmocka_unit_test(abstract_socket),    cmocka_unit_test(accepts),
        cmocka_unit_test(accepts_unix),       cmocka_unit_test(one_turn_takes_a_batch),
        cmocka_unit_test(pause_and_resume),   cmocka_unit_test(close_in_callback),
        cmocka_unit_test(gone_before_accept), cmocka_unit_test(out_of_descriptors),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
