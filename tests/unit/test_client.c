/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The client of the admin listener, before ends that answer by script. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sidecar/client.h"

/* An end in a process of its own: takes one connection, reads a head, sends the pieces, closes. */
struct end {
    pid_t pid;
    char address[32];
};

static void play(int listener, const char *const *pieces, bool stay)
{
    char head[4096];
    size_t n = 0;
    int fd = accept(listener, NULL, NULL);
    while (n < sizeof head - 1) {
        ssize_t some = recv(fd, head + n, sizeof head - 1 - n, 0);
        if (some <= 0)
            _exit(1);
        n += (size_t)some;
        head[n] = '\0';
        if (strstr(head, "\r\n\r\n"))
            break;
    }
    if (strncmp(head, "GET /status?x=1 HTTP/1.1\r\nHost: 127.0.0.1:", 42) != 0)
        _exit(2);
    for (; *pieces; pieces++) {
        (void)usleep(2000);
        (void)send(fd, *pieces, strlen(*pieces), MSG_NOSIGNAL);
    }
    if (stay)
        (void)recv(fd, head, 1, 0);
    _exit(0);
}

static struct end end_start(const char *const *pieces, bool stay)
{
    struct end end;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &size), 0);
    (void)snprintf(end.address, sizeof end.address, "127.0.0.1:%u", ntohs(in.sin_port));
    end.pid = fork();
    if (end.pid == 0)
        play(fd, pieces, stay);
    assert_true(end.pid > 0);
    (void)close(fd);
    return end;
}

/* Asks such an end; its verdict on the request must be good. */
static bool ask(const char *const *pieces, bool stay, unsigned timeout, struct client_answer *answer,
                char error[CLIENT_ERROR])
{
    struct client_place place;
    int status = -1;
    struct end end = end_start(pieces, stay);
    assert_true(client_find(end.address, NULL, &place, error));
    bool good = client_ask(&place, "GET", "/status?x=1", timeout, answer, error);
    client_place_free(&place);
    assert_int_equal(waitpid(end.pid, &status, 0), end.pid);
    assert_int_equal(status, 0);
    return good;
}

#define PIECES(...)       \
    (const char *const[]) \
    {                     \
        __VA_ARGS__, NULL \
    }

static void test_answers(void **state)
{
    struct client_answer answer;
    char error[CLIENT_ERROR] = "";
    (void)state;
    /* By length, in pieces, on a connection that stays open. */
    assert_true(ask(PIECES("HTTP/1.1 200 OK\r\nContent-Le", "ngth: 11\r\n\r\nhello", " world"), true, 5000,
                    &answer, error));
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.size, 11);
    assert_string_equal(answer.body, "hello world");
    client_answer_free(&answer);
    /* Chunked; an error is an answer, too. */
    assert_true(
        ask(PIECES("HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhel",
                   "lo\r\n6\r\n world\r\n0\r\n", "\r\n"),
            true, 5000, &answer, error));
    assert_int_equal(answer.status, 503);
    assert_string_equal(answer.body, "hello world");
    client_answer_free(&answer);
    /* Up to the connection's end; and nothing at all. */
    assert_true(ask(PIECES("HTTP/1.0 200 OK\r\n\r\nhello"), false, 5000, &answer, error));
    assert_string_equal(answer.body, "hello");
    client_answer_free(&answer);
    assert_true(ask(PIECES("HTTP/1.1 204 No Content\r\n\r\n"), true, 5000, &answer, error));
    assert_int_equal(answer.size, 0);
    assert_string_equal(answer.body, "");
    client_answer_free(&answer);
}

static void test_no_answers(void **state)
{
    struct client_answer answer;
    char error[CLIENT_ERROR] = "";
    (void)state;
    assert_false(
        ask(PIECES("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhello"), false, 5000, &answer, error));
    assert_non_null(strstr(error, "closed before"));
    assert_null(answer.body);
    assert_false(ask(PIECES("SSH-2.0-OpenSSH_9.2\r\n"), true, 5000, &answer, error));
    assert_non_null(strstr(error, "no answer by HTTP"));
    assert_false(ask(PIECES("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n"), true, 5000,
                     &answer, error));
    assert_non_null(strstr(error, "no answer by HTTP"));
    assert_false(ask(PIECES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), true, 100, &answer, error));
    assert_string_equal(error, "no answer in time");
}

static void test_nobody_there(void **state)
{
    struct client_answer answer;
    struct client_place place;
    char error[CLIENT_ERROR] = "";
    (void)state;
    assert_true(client_find("unix:/nonexistent/admin.sock", NULL, &place, error));
    assert_false(client_ask(&place, "GET", "/", 1000, &answer, error));
    assert_string_equal(error, "unix:/nonexistent/admin.sock: No such file or directory");
    client_place_free(&place);
    assert_false(client_find("nowhere", NULL, &place, error));
    assert_string_equal(error, "\"nowhere\" is no address: 127.0.0.1:9901 or unix:/path was expected");
    assert_false(client_find("127.0.0.1:1, 127.0.0.1:2", NULL, &place, error));
}

static void test_place_of_a_configuration(void **state)
{
    char path[] = "/tmp/test_client.XXXXXX", error[CLIENT_ERROR] = "";
    struct client_place place;
    int fd = mkstemp(path);
    (void)state;
    /* The rest of it is wrong: that is none of ours. */
    static const char text[] =
        "[sidecar]\nadmin = 127.0.0.1:9901, unix:/run/x.sock\n[inbound x]\nfoo = bar\n";
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    assert_true(client_find(NULL, path, &place, error));
    assert_string_equal(place.at->text, "unix:/run/x.sock");
    client_place_free(&place);
    assert_int_equal(ftruncate(fd, 10), 0);
    assert_false(client_find(NULL, path, &place, error));
    assert_non_null(strstr(error, "has no address under admin"));
    (void)close(fd);
    (void)unlink(path);
    assert_false(client_find(NULL, path, &place, error));
    assert_non_null(strstr(error, "No such file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers), cmocka_unit_test(test_no_answers),
                                       cmocka_unit_test(test_nobody_there),
                                       cmocka_unit_test(test_place_of_a_configuration)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
