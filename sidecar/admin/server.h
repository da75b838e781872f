/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A small HTTP/1.1 server on the main thread's loop, for the health and the admin listeners. Requests are
 * read by the sidecar's own codec (sidecar/http/http1.h), as strictly as those of callers; what is served is
 * a table of routes. An answer may come at once or later, and may be large: it is sent as the client reads
 * it.
 *
 * Bounded: connections (of those from the address that has most, the one that has been still for longest
 * makes room for a new one, so that whoever holds connections open, or makes many at once, neither locks out
 * nor pushes out others), the size of a head, the memory of answers that wait for their readers, and each
 * wait for a client. Requests have no body: one that has is refused.
 */
#ifndef SIDECAR_ADMIN_SERVER_H
#define SIDECAR_ADMIN_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

enum {
    SERVER_CONNECTIONS = 64,
    SERVER_HEAD_MAX = 8192,     /* bytes of a request's head */
    SERVER_HELD_MAX = 64 << 20, /* bytes of answers at once; a small one, as of health, is always given */
    SERVER_SMALL = 4096,
    SERVER_REQUEST_TIME = 5000, /* ms for a request to come, whole */
    SERVER_IDLE_TIME = 75000,   /* ms between requests */
    SERVER_STILL_TIME = 10000,  /* ms in which a client takes nothing of its answer */
};

enum server_method { SERVER_GET = 1, SERVER_POST = 2, SERVER_DELETE = 4 };

/* A request; valid until it is answered or cancelled. */
struct server_request {
    enum server_method method; /* HEAD counts as GET: its body is not sent */
    const char *path;
    const char *rest;            /* what follows the path of a route that ends in "/" */
    const char *query;           /* "" where there is none; not decoded */
    const char *accept;          /* of the field Accept; "" where there is none */
    const char *accept_encoding; /* likewise */
};

struct server_route {
    const char *path; /* a final "/" takes whatever follows; "/" alone is itself */
    unsigned methods; /* those taken. All but GET only from a UNIX socket, as they change something */
    const char *help; /* what it is, in a few words */
    /* Answers, or says that it will: server_later(). */
    void (*serve)(struct server_request *request, void *arg);
};

struct server_routes {
    const struct server_route *route;
    size_t count;
    bool guarded; /* over TCP: Host and Origin must be ours (sidecar/admin/guard.h) */
};

struct server;

/* ROUTES and ARG must outlive it. NULL when out of memory. */
struct server *server_start(uv_loop_t *loop, const struct server_routes *routes, void *arg)
    __attribute__((warn_unused_result));
/* Serves on the listening TCP socket FD, taken over. False: out of memory. */
bool server_listen(struct server *server, int fd, uint16_t port) __attribute__((warn_unused_result));
/* The same on a UNIX socket, whose PATH (copied) is unlinked at the end. */
bool server_listen_unix(struct server *server, int fd, const char *path) __attribute__((warn_unused_result));
/* Serves one connection, FD, taken over. PORT: of the TCP listener; 0: a UNIX socket. PEER: who came. */
void server_take(struct server *server, int fd, uint16_t port, const struct sockaddr *peer);
/* Stops at once, open requests are cancelled; freed when the loop has run the close callbacks. NULL is fine.
 */
void server_stop(struct server *server);

/* --- for routes --- */

struct server_answer {
    int status;
    const char *type;   /* Content-Type */
    const char *fields; /* further fields, each line with its CRLF; NULL: none */
    const void *body;
    size_t size;
    bool owned; /* BODY is from malloc() and becomes the server's, to be freed */
};

void server_answer(struct server_request *request, const struct server_answer *answer);
/* By a short text, made by printf's rules. */
void server_answer_text(struct server_request *request, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The answer comes later; should the client go before, CANCEL(ARG) is called, and it must not come any more.
 */
void server_later(struct server_request *request, void (*cancel)(void *arg), void *arg);

/* The value of NAME in the query into OUT, cut off at SIZE; false where it is not there. Nothing is decoded.
 */
bool server_query(const struct server_request *request, const char *name, char *out, size_t size);
/* The same for a number from LOW to HIGH; FALLBACK where it is absent. False: it is no such number, and the
 * request has been answered so. */
bool server_query_number(struct server_request *request, const char *name, uint64_t low, uint64_t high,
                         uint64_t fallback, uint64_t *out) __attribute__((warn_unused_result));

#endif
