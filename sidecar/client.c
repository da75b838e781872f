/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/client.h"

#include <errno.h>
#include <llhttp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { READ_SIZE = 65536 };

static bool failed(char error[CLIENT_ERROR], const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool failed(char error[CLIENT_ERROR], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(error, CLIENT_ERROR, format, args);
    va_end(args);
    return false;
}

/* --- where it is --- */

/* What else is wrong with a configuration is the sidecar's to say: here only the one key counts. */
static bool find_by_config(const char *path, struct client_place *place, char error[CLIENT_ERROR])
{
    struct config_report report;
    place->config = config_scan_file(path, &report);
    const char *why = report.count ? report.problem[0].message : "it cannot be read";
    const struct config_addrs *admin = place->config ? &place->config->sidecar.admin : NULL;
    if (admin == NULL)
        (void)failed(error, "%s: %s", path, why);
    else if (admin->count == 0)
        (void)failed(error, "%s has no address under admin in [sidecar]", path);
    else
        place->at = &admin->item[0];
    for (size_t i = 0; admin && i < admin->count; i++) {
        if (admin->item[i].kind == CONFIG_ADDR_UNIX) {
            place->at = &admin->item[i];
            break;
        }
    }
    config_report_clear(&report);
    return place->at != NULL;
}

static bool find_by_address(const char *address, struct client_place *place, char error[CLIENT_ERROR])
{
    char text[512];
    struct config_report report;
    int n = snprintf(text, sizeof text, "[sidecar]\nadmin = %s\n", address);
    if (n < 0 || (size_t)n >= sizeof text)
        return failed(error, "the address is too long");
    place->config = config_scan("", text, (size_t)n, &report);
    config_report_clear(&report);
    if (place->config && place->config->sidecar.admin.count == 1)
        place->at = &place->config->sidecar.admin.item[0];
    return place->at ||
           failed(error, "\"%s\" is no address: 127.0.0.1:9901 or unix:/path was expected", address);
}

bool client_find(const char *address, const char *config, struct client_place *place,
                 char error[CLIENT_ERROR])
{
    *place = (struct client_place){0};
    bool found = address ? find_by_address(address, place, error) : find_by_config(config, place, error);
    if (!found)
        client_place_free(place);
    return found;
}

void client_place_free(struct client_place *place)
{
    config_free(place->config);
    *place = (struct client_place){0};
}

/* --- the connection --- */

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waits for EVENTS on FD until UNTIL. */
static bool ready(int fd, short events, int64_t until, char error[CLIENT_ERROR])
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = events};
        int64_t left = until - now_ms();
        int n = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (n > 0)
            return true;
        if (n == 0)
            return failed(error, "no answer in time");
        if (errno != EINTR)
            return failed(error, "%s", strerror(errno));
    }
}

static socklen_t address_of(const struct config_addr *at, struct sockaddr_storage *out)
{
    if (at->kind == CONFIG_ADDR_IP) {
        *out = at->ip;
        return at->ip.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    }
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    (void)snprintf(un.sun_path, sizeof un.sun_path, "%s", at->path);
    memcpy(out, &un, sizeof un);
    return sizeof un;
}

static int open_connection(const struct config_addr *at, int64_t until, char error[CLIENT_ERROR])
{
    struct sockaddr_storage to = {0};
    socklen_t size = address_of(at, &to);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int err = 0;
    socklen_t err_size = sizeof err;
    if (fd < 0) {
        (void)failed(error, "%s", strerror(errno));
        return -1;
    }
    if (connect(fd, (const struct sockaddr *)&to, size) != 0) {
        err = errno;
        if (err == EINPROGRESS) {
            if (!ready(fd, POLLOUT, until, error))
                goto fail;
            (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &err_size);
        }
    }
    if (err == 0)
        return fd;
    (void)failed(error, "%s: %s", at->text, strerror(err));
fail:
    (void)close(fd);
    return -1;
}

pid_t client_process(const struct client_place *place)
{
    char error[CLIENT_ERROR];
    struct ucred who = {0};
    socklen_t size = sizeof who;
    if (place->at->kind != CONFIG_ADDR_UNIX)
        return 0;
    int fd = open_connection(place->at, now_ms() + 1000, error);
    if (fd < 0)
        return 0;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0)
        who.pid = 0;
    (void)close(fd);
    return who.pid;
}

static bool send_request(int fd, const struct config_addr *at, const char *method, const char *target,
                         int64_t until, char error[CLIENT_ERROR])
{
    char text[2048];
    size_t sent = 0;
    int n = snprintf(text, sizeof text,
                     "%s %s HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\nConnection: close\r\n\r\n",
                     method, target, at->kind == CONFIG_ADDR_IP ? at->text : "localhost");
    if (n < 0 || (size_t)n >= sizeof text)
        return failed(error, "the request is too long");
    while (sent < (size_t)n) {
        ssize_t some = send(fd, text + sent, (size_t)n - sent, MSG_NOSIGNAL);
        if (some > 0)
            sent += (size_t)some;
        else if (errno != EAGAIN && errno != EINTR)
            return failed(error, "%s: %s", at->text, strerror(errno));
        else if (!ready(fd, POLLOUT, until, error))
            return false;
    }
    return true;
}

/* --- the answer --- */

struct reading {
    llhttp_t parser; /* first */
    struct client_answer *answer;
    size_t room;
    bool complete;
};

static int on_body(llhttp_t *parser, const char *data, size_t size)
{
    struct reading *r = (struct reading *)(void *)parser;
    struct client_answer *a = r->answer;
    if (size > CLIENT_ANSWER_MAX - a->size)
        return HPE_USER;
    if (a->size + size + 1 > r->room) {
        size_t room = 2 * (a->size + size + 1);
        char *more = realloc(a->body, room);
        if (more == NULL)
            return HPE_USER;
        a->body = more;
        r->room = room;
    }
    memcpy(a->body + a->size, data, size);
    a->size += size;
    a->body[a->size] = '\0';
    return 0;
}

static int on_complete(llhttp_t *parser)
{
    struct reading *r = (struct reading *)(void *)parser;
    r->complete = true;
    return HPE_PAUSED;
}

static bool read_answer(int fd, struct reading *r, int64_t until, char error[CLIENT_ERROR])
{
    char *data = malloc(READ_SIZE);
    bool good = data != NULL || failed(error, "out of memory");
    while (good && !r->complete) {
        ssize_t n = recv(fd, data, READ_SIZE, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            good = ready(fd, POLLIN, until, error);
            continue;
        }
        if (n < 0) {
            good = failed(error, "%s", strerror(errno));
            break;
        }
        enum llhttp_errno err = n ? llhttp_execute(&r->parser, data, (size_t)n) : llhttp_finish(&r->parser);
        if (n == 0 && !r->complete)
            good = failed(error, "the connection was closed before the answer had come");
        else if (err != HPE_OK && !r->complete)
            good = failed(error, "what came is no answer by HTTP, or too large: %s",
                          llhttp_get_error_reason(&r->parser) ? llhttp_get_error_reason(&r->parser) : "");
    }
    free(data);
    return good;
}

bool client_ask(const struct client_place *place, const char *method, const char *target, unsigned timeout,
                struct client_answer *answer, char error[CLIENT_ERROR])
{
    int64_t until = now_ms() + timeout;
    *answer = (struct client_answer){.body = calloc(1, 1)};
    if (answer->body == NULL)
        return failed(error, "out of memory");
    struct reading reading = {.answer = answer, .room = 1};
    llhttp_settings_t settings;
    llhttp_settings_init(&settings);
    settings.on_body = on_body;
    settings.on_message_complete = on_complete;
    llhttp_init(&reading.parser, HTTP_RESPONSE, &settings);
    int fd = open_connection(place->at, until, error);
    bool good = fd >= 0 && send_request(fd, place->at, method, target, until, error) &&
                read_answer(fd, &reading, until, error);
    if (fd >= 0)
        (void)close(fd);
    answer->status = reading.parser.status_code;
    while (answer->size && answer->body[answer->size - 1] == '\n')
        answer->body[--answer->size] = '\0';
    if (!good)
        client_answer_free(answer);
    return good;
}

void client_answer_free(struct client_answer *answer)
{
    free(answer->body);
    *answer = (struct client_answer){0};
}
