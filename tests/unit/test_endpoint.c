/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sidecar/net/endpoint.h"

/* One endpoint on a loop, and the other end of its TCP connection as a plain descriptor. */
struct fixture {
    uv_loop_t loop;
    struct endpoint_io io;
    struct endpoint ep; /* calls find the fixture by it */
    int far;
    size_t received;
    unsigned ends, drains, closes;
    int broken;
};

static struct fixture *of(struct endpoint *ep)
{
    return (struct fixture *)(void *)((char *)ep - offsetof(struct fixture, ep));
}

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 31 + i / 251);
}

static void on_data(struct endpoint *ep, const uint8_t *data, size_t size)
{
    struct fixture *f = of(ep);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(data[i], byte_at(f->received + i));
    f->received += size;
}

static void on_end(struct endpoint *ep)
{
    of(ep)->ends++;
}

static void on_broken(struct endpoint *ep, int err)
{
    of(ep)->broken = err;
}

static void on_drained(struct endpoint *ep)
{
    of(ep)->drains++;
}

static void on_closed(struct endpoint *ep)
{
    of(ep)->closes++;
}

static const struct endpoint_calls calls = {on_data, on_end, on_broken, on_drained, on_closed};

static void tcp_pair(int fd[2])
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof addr;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&addr, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &size), 0);
    fd[1] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd[1], (struct sockaddr *)&addr, size), 0);
    fd[0] = accept(listener, NULL, NULL);
    assert_true(fd[0] >= 0);
    assert_int_equal(fcntl(fd[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(fcntl(fd[1], F_SETFL, O_NONBLOCK), 0);
    (void)close(listener);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    int fd[2];
    (void)signal(SIGPIPE, SIG_IGN);
    tcp_pair(fd);
    f->far = fd[1];
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_true(endpoint_io_init(&f->io));
    assert_int_equal(endpoint_open(&f->ep, &f->loop, &f->io, fd[0], AF_INET, &calls), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    endpoint_close(&f->ep);
    endpoint_io_free(&f->io);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(f->closes, 1);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    if (f->far >= 0)
        (void)close(f->far);
    free(f);
    return 0;
}

/* Turns the loop until DONE or the end of patience. */
#define TURN_UNTIL(f, done)                                     \
    do {                                                        \
        for (int turns = 0; !(done) && turns < 5000; turns++) { \
            (void)uv_run(&(f)->loop, UV_RUN_NOWAIT);            \
            if (!(done))                                        \
                (void)usleep(500);                              \
        }                                                       \
        assert_true(done);                                      \
    } while (0)

static void far_send(const struct fixture *f, size_t from, size_t size)
{
    uint8_t *data = malloc(size);
    for (size_t i = 0; i < size; i++)
        data[i] = byte_at(from + i);
    assert_int_equal(write(f->far, data, size), size);
    free(data);
}

static void far_reset(struct fixture *f)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(f->far, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    assert_int_equal(close(f->far), 0);
    f->far = -1;
}

/* Reads at the far end until SIZE bytes or EOF; checks them; returns how many there were. */
static size_t far_receive(struct fixture *f, size_t size)
{
    static uint8_t buffer[65536];
    size_t got = 0;
    while (got < size) {
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
        ssize_t n = read(f->far, buffer, sizeof buffer);
        if (n == 0)
            break;
        if (n < 0) {
            assert_int_equal(errno, EAGAIN);
            (void)usleep(200);
            continue;
        }
        for (ssize_t i = 0; i < n; i++)
            assert_int_equal(buffer[i], byte_at(got + (size_t)i));
        got += (size_t)n;
    }
    return got;
}

static void what_the_kernel_does_not_take_is_queued_and_sent_in_order(void **state)
{
    struct fixture *f = *state;
    enum { CHUNK = 300000, CHUNKS = 40 };
    uint8_t *data = malloc((size_t)CHUNK * CHUNKS);
    for (size_t i = 0; i < (size_t)CHUNK * CHUNKS; i++)
        data[i] = byte_at(i);
    for (size_t i = 0; i < CHUNKS; i++)
        assert_true(endpoint_write(&f->ep, data + i * CHUNK, CHUNK));
    free(data); /* what waits was copied */
    assert_true(endpoint_queued(&f->ep) > 0);
    assert_true(endpoint_unsent(&f->ep) > 0);
    endpoint_shutdown(&f->ep);
    assert_true(endpoint_write(&f->ep, (const uint8_t *)"late", 4)); /* after FIN was asked for: nowhere */
    assert_int_equal(far_receive(f, SIZE_MAX), (size_t)CHUNK * CHUNKS);
    assert_int_equal(endpoint_queued(&f->ep), 0);
    assert_int_equal(f->drains, 1);
}

static void an_end_is_an_end_and_writing_goes_on(void **state)
{
    struct fixture *f = *state;
    endpoint_read_start(&f->ep);
    far_send(f, 0, 1000);
    assert_int_equal(shutdown(f->far, SHUT_WR), 0);
    TURN_UNTIL(f, f->ends == 1);
    assert_int_equal(f->received, 1000);
    assert_int_equal(f->broken, 0);
    uint8_t data[] = {byte_at(0), byte_at(1)};
    assert_true(endpoint_write(&f->ep, data, 2));
    assert_int_equal(far_receive(f, 2), 2);
}

/* libuv tells POLLHUP after a short read as the end of the stream; it is a reset all the same. */
static void data_then_a_reset_is_no_end(void **state)
{
    struct fixture *f = *state;
    far_send(f, 0, 1000);
    far_reset(f);
    endpoint_read_start(&f->ep);
    TURN_UNTIL(f, f->ends != 0 || f->broken != 0);
    assert_int_equal(f->broken, UV_ECONNRESET);
    assert_int_equal(f->ends, 0);
    assert_int_equal(f->received, 1000);
}

/* The write has the error first; read() then says 0. */
static void after_a_failed_write_the_end_is_a_reset(void **state)
{
    struct fixture *f = *state;
    uint8_t data[4096] = {0};
    far_reset(f);
    TURN_UNTIL(f, (endpoint_write(&f->ep, data, sizeof data), f->ep.write_broken));
    endpoint_read_start(&f->ep);
    TURN_UNTIL(f, f->ends != 0 || f->broken != 0);
    assert_int_equal(f->broken, UV_ECONNRESET);
    assert_int_equal(f->ends, 0);
}

static void a_queue_that_fails_is_given_up(void **state)
{
    struct fixture *f = *state;
    static uint8_t data[8 << 20];
    assert_true(endpoint_write(&f->ep, data, sizeof data));
    assert_true(endpoint_queued(&f->ep) > 0);
    far_reset(f);
    TURN_UNTIL(f, f->drains == 1);
    assert_true(f->ep.write_broken);
    assert_int_equal(endpoint_queued(&f->ep), 0);
}

static void stopped_reads_nothing(void **state)
{
    struct fixture *f = *state;
    endpoint_read_start(&f->ep);
    endpoint_read_stop(&f->ep);
    far_send(f, 0, 100);
    for (int i = 0; i < 20; i++)
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_int_equal(f->received, 0);
    endpoint_read_start(&f->ep);
    TURN_UNTIL(f, f->received == 100);
}

/* However much there is, one endpoint reads no more than its share before the loop turns. */
static void one_endpoint_does_not_hold_the_loop(void **state)
{
    struct fixture *f = *state;
    int size = 4 << 20;
    (void)setsockopt(f->ep.uv.tcp.io_watcher.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    size_t sent = 0;
    static uint8_t data[65536];
    while (true) {
        for (size_t i = 0; i < sizeof data; i++)
            data[i] = byte_at(sent + i);
        struct pollfd p = {.fd = f->far, .events = POLLOUT};
        ssize_t n = poll(&p, 1, 50) == 1 ? write(f->far, data, sizeof data) : -1;
        if (n <= 0)
            break;
        sent += (size_t)n;
    }
    assert_true(sent > (size_t)4 * ENDPOINT_BUFFER);
    endpoint_read_start(&f->ep);
    (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_true(f->received <= ENDPOINT_BUFFER);
    TURN_UNTIL(f, f->received == sent);
}

static void a_reset_is_sent(void **state)
{
    struct fixture *f = *state;
    char c;
    endpoint_reset(&f->ep);
    TURN_UNTIL(f, f->closes == 1);
    (void)usleep(1000);
    assert_int_equal(read(f->far, &c, 1), -1);
    assert_int_equal(errno, ECONNRESET);
}

/* What has arrived and was not read belongs to whoever has the connection next. */
static void a_connection_that_is_given_away_goes_on(void **state)
{
    struct fixture *f = *state;
    uint8_t buffer[16];
    endpoint_read_start(&f->ep);
    far_send(f, 0, 10);
    TURN_UNTIL(f, f->received == 10);
    int fd = endpoint_release(&f->ep);
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    far_send(f, 10, 6);
    TURN_UNTIL(f, f->closes == 1);
    assert_int_equal(f->received, 10);
    assert_int_equal(f->ends, 0);
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 5000), 1);
    assert_int_equal(read(fd, buffer, sizeof buffer), 6);
    assert_int_equal(buffer[0], byte_at(10));
    assert_int_equal(write(fd, buffer, 1), 1);
    ready.fd = f->far;
    assert_int_equal(poll(&ready, 1, 5000), 1);
    assert_int_equal(read(f->far, buffer, sizeof buffer), 1);
    (void)close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_the_kernel_does_not_take_is_queued_and_sent_in_order),
        TEST(an_end_is_an_end_and_writing_goes_on),
        TEST(data_then_a_reset_is_no_end),
        TEST(after_a_failed_write_the_end_is_a_reset),
        TEST(a_queue_that_fails_is_given_up),
        TEST(stopped_reads_nothing),
        TEST(one_endpoint_does_not_hold_the_loop),
        TEST(a_reset_is_sent),
        TEST(a_connection_that_is_given_away_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
