/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/admin/server.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "sidecar/admin/guard.h"
#include "sidecar/http/http1.h"
#include "sidecar/net/addr.h"
#include "sidecar/net/endpoint.h"
#include "sidecar/net/listen.h"

enum {
    TARGET_MAX = 2048,
    ACCEPT_MAX = 512,
    PIECE = 64 * 1024, /* of an answer, given to the socket at once */
    LINGER = 2000,     /* ms for a client to end after us */
};

static const char TEXT[] = "text/plain; charset=utf-8";

struct door {
    struct door *next;
    struct server *server;
    struct net_acceptor *acceptor;
    uint16_t port; /* 0: a UNIX socket */
    char *path;    /* of it, to be unlinked; else NULL */
};

struct server {
    uv_loop_t *loop;
    const struct server_routes *routes;
    void *arg;
    struct endpoint_io io;
    struct http1_limits limits;
    struct http1_scratch *scratch;
    struct door *doors;
    struct visit *visits; /* the one that moved last first */
    struct visit *last;
    size_t count; /* of visits, those included whose handles are still closing */
    size_t open;
    size_t held; /* bytes of answers */
    bool stopped;
};

enum visit_state {
    VISIT_READ,   /* a request is awaited; then ASKED */
    VISIT_ASKED,  /* one is there; then SERVED */
    VISIT_SERVED, /* a route has it; then ANSWER */
    VISIT_ANSWER, /* the answer is there, its head not sent; then SEND or READ */
    VISIT_SEND,   /* its body is being sent; then READ */
    VISIT_LINGER, /* all is sent; the client's end is awaited; then ENDED */
    VISIT_ENDED,  /* the handles are closing */
};

/* One connection. */
struct visit {
    struct endpoint ep; /* first: an endpoint of ours is a visit */
    uv_timer_t timer;
    struct server *server;
    struct visit *newer, *older; /* in the server's list, until ENDED */
    struct http1_conn *conn;
    uint16_t port;
    uint64_t origin; /* whence it came: net_addr_network() */
    uint64_t opened; /* ms of the loop's clock */
    uint8_t handles;
    enum visit_state state : 8;
    bool head_only; /* HEAD: the answer has no body */
    bool working;   /* go() is at it */
    bool in_end;    /* the client has ended its side */

    struct server_request request;
    const struct server_route *route;
    void (*cancel)(void *arg);
    void *cancel_arg;
    struct server_answer answer;
    size_t sent; /* of its body */

    char target[TARGET_MAX + 1];
    char accept[ACCEPT_MAX];
    char accept_encoding[ACCEPT_MAX];
    char allow[40];           /* a field of a refusal, or "" */
    int refused;              /* status; 0: a route serves it */
    const char *refused_text; /* static */
};

/* --- the list --- */

static void list_remove(struct visit *v)
{
    struct server *s = v->server;
    *(v->newer ? &v->newer->older : &s->visits) = v->older;
    *(v->older ? &v->older->newer : &s->last) = v->newer;
    v->newer = v->older = NULL;
}

static void list_push(struct visit *v)
{
    struct server *s = v->server;
    v->older = s->visits;
    *(s->visits ? &s->visits->newer : &s->last) = v;
    s->visits = v;
}

static void moved(struct visit *v)
{
    list_remove(v);
    list_push(v);
}

/* --- the end --- */

static void free_if_done(struct server *s)
{
    if (!s->stopped || s->count != 0)
        return;
    endpoint_io_free(&s->io);
    http1_scratch_free(s->scratch);
    free(s);
}

static void handle_closed(struct visit *v)
{
    struct server *s = v->server;
    if (--v->handles != 0)
        return;
    s->count--;
    http1_conn_free(v->conn, NULL);
    free(v);
    free_if_done(s);
}

static void on_timer_closed(uv_handle_t *handle)
{
    handle_closed(handle->data);
}

static void on_closed(struct endpoint *ep)
{
    handle_closed((struct visit *)(void *)ep);
}

static void drop_answer(struct visit *v)
{
    v->server->held -= v->answer.size;
    if (v->answer.owned)
        free((void *)(uintptr_t)v->answer.body);
    v->answer = (struct server_answer){0};
    v->sent = 0;
}

static void visit_end(struct visit *v)
{
    if (v->state == VISIT_ENDED)
        return;
    void (*cancel)(void *) = v->state == VISIT_SERVED ? v->cancel : NULL;
    v->state = VISIT_ENDED;
    list_remove(v);
    v->server->open--;
    drop_answer(v);
    endpoint_close(&v->ep);
    uv_close((uv_handle_t *)&v->timer, on_timer_closed);
    if (cancel)
        cancel(v->cancel_arg);
}

static void on_time(uv_timer_t *timer);

static void linger(struct visit *v)
{
    v->state = VISIT_LINGER;
    endpoint_shutdown(&v->ep);
    if (v->in_end && endpoint_queued(&v->ep) == 0) {
        visit_end(v);
        return;
    }
    endpoint_read_start(&v->ep);
    (void)uv_timer_start(&v->timer, on_time, endpoint_queued(&v->ep) ? SERVER_STILL_TIME : LINGER, 0);
}

/* --- what is asked --- */

static bool is(struct http_str s, const char *text)
{
    return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

/* The only field of this name; P NULL: there is none. False: there are several. */
static bool only(const struct http1_request *r, const char *name, struct http_str *value)
{
    *value = (struct http_str){0};
    for (size_t i = 0; i < r->nfields; i++) {
        if (!is(r->fields[i].name, name))
            continue;
        if (value->p)
            return false;
        *value = r->fields[i].value;
    }
    return true;
}

static bool ends_open(const struct server_route *route)
{
    size_t n = strlen(route->path);
    return n > 1 && route->path[n - 1] == '/';
}

static const struct server_route *find_route(const struct server_routes *routes, const char *path)
{
    for (size_t i = 0; i < routes->count; i++) {
        const struct server_route *r = &routes->route[i];
        if (strcmp(path, r->path) == 0 || (ends_open(r) && strncmp(path, r->path, strlen(r->path)) == 0))
            return r;
    }
    return NULL;
}

static bool method_of(struct http_str name, enum server_method *method)
{
    if (is(name, "GET") || is(name, "HEAD"))
        *method = SERVER_GET;
    else if (is(name, "POST"))
        *method = SERVER_POST;
    else if (is(name, "DELETE"))
        *method = SERVER_DELETE;
    else
        return false;
    return true;
}

static void refuse(struct visit *v, int status, const char *message)
{
    v->refused = status;
    v->refused_text = message;
}

static void refuse_method(struct visit *v)
{
    unsigned methods = v->route->methods;
    (void)snprintf(v->allow, sizeof v->allow, "Allow: %s%s%s\r\n", methods & SERVER_GET ? "GET, HEAD" : "",
                   methods & SERVER_POST ? methods & SERVER_GET ? ", POST" : "POST" : "",
                   methods & SERVER_DELETE ? methods & ~SERVER_DELETE ? ", DELETE" : "DELETE" : "");
    refuse(v, 405, "this is not to be had by that method\n");
}

/* Whether a page of another site may be behind it. */
static bool is_foreign(struct visit *v, const struct http1_request *r)
{
    struct http_str origin;
    bool one = only(r, "origin", &origin);
    if (!v->server->routes->guarded || v->port == 0)
        return false;
    if (!guard_host(r->host))
        refuse(v, 421, "Host is no loopback name or address\n");
    else if (!one || (origin.p && !guard_origin(origin, r->host)))
        refuse(v, 403, "asked for by a page of another site (Origin)\n");
    return v->refused != 0;
}

/* The one field NAME of the request; "" where there is none or where it is too long to be of use. */
static void copy_field(const struct http1_request *r, const char *name, char out[ACCEPT_MAX])
{
    struct http_str value;
    if (!only(r, name, &value) || value.n >= ACCEPT_MAX)
        value.n = 0;
    if (value.n)
        memcpy(out, value.p, value.n);
    out[value.n] = '\0';
}

/* Takes down what is asked, and by which route it is served or why not. */
static void take_down(struct visit *v, const struct http1_request *r)
{
    size_t n = r->path.n;
    memcpy(v->target, r->path.p, n);
    v->target[n] = '\0';
    v->request = (struct server_request){.path = v->target,
                                         .rest = "",
                                         .query = "",
                                         .accept = v->accept,
                                         .accept_encoding = v->accept_encoding};
    if (r->query.p) {
        memcpy(v->target + n + 1, r->query.p, r->query.n);
        v->target[n + 1 + r->query.n] = '\0';
        v->request.query = v->target + n + 1;
    }
    copy_field(r, "accept", v->accept);
    copy_field(r, "accept-encoding", v->accept_encoding);
    v->head_only = is(r->method, "HEAD");
    v->allow[0] = '\0';
    v->refused = 0;
    v->route = find_route(v->server->routes, v->target);
    if (is_foreign(v, r))
        return;
    if (v->route == NULL)
        refuse(v, 404, "there is nothing of this name\n");
    else if (!method_of(r->method, &v->request.method) || !(v->route->methods & v->request.method))
        refuse_method(v);
    else if (v->request.method != SERVER_GET && v->port != 0)
        refuse(v, 403, "what changes something is to be had over a UNIX socket only\n");
    else if (ends_open(v->route))
        v->request.rest = v->target + strlen(v->route->path);
}

static void on_request(void *ctx, struct http1_request *r, struct http1_verdict *verdict)
{
    struct visit *v = ctx;
    if (r->body != HTTP1_NO_BODY) {
        verdict->status = 413;
        verdict->message = HTTP_STR("requests have no body here\n");
        return;
    }
    take_down(v, r);
    v->state = VISIT_ASKED;
}

static void on_emit(void *ctx, enum http1_side side, const uint8_t *data, size_t size)
{
    struct visit *v = ctx;
    if (side == HTTP1_DOWN)
        (void)endpoint_write(&v->ep, data, size);
}

static const struct http1_calls codec_calls = {.emit = on_emit, .request = on_request};

static struct http1_sink sink_of(struct visit *v)
{
    return (struct http1_sink){&codec_calls, v, uv_now(v->server->loop)};
}

/* --- answering --- */

/* To the codec, as if a service had sent it. */
static enum http1_result feed_up(struct visit *v, const void *data, size_t size)
{
    struct http1_sink sink = sink_of(v);
    return http1_feed(v->conn, HTTP1_UP, data, size, &sink);
}

static enum http1_result send_head(struct visit *v)
{
    char head[1024], date[40];
    time_t now = time(NULL);
    struct tm tm;
    (void)strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                     "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n%s\r\n",
                     v->answer.status, http1_reason(v->answer.status), date, v->answer.type, v->answer.size,
                     v->answer.fields ? v->answer.fields : "");
    if (v->head_only)
        drop_answer(v);
    v->state = v->answer.size ? VISIT_SEND : VISIT_READ;
    return feed_up(v, head, (size_t)n < sizeof head ? (size_t)n : sizeof head - 1);
}

static enum http1_result send_piece(struct visit *v)
{
    const uint8_t *data = (const uint8_t *)v->answer.body + v->sent;
    size_t left = v->answer.size - v->sent;
    if (left > PIECE) {
        v->sent += PIECE;
        return feed_up(v, data, PIECE);
    }
    /* With its last byte the codec may come with the next request. */
    struct server_answer sent = v->answer;
    v->answer = (struct server_answer){0};
    v->sent = 0;
    v->state = VISIT_READ;
    enum http1_result result = feed_up(v, data, left);
    v->server->held -= sent.size;
    if (sent.owned)
        free((void *)(uintptr_t)sent.body);
    return result;
}

static void ask(struct visit *v)
{
    v->state = VISIT_SERVED;
    v->cancel = NULL;
    if (v->refused)
        server_answer(&v->request, &(struct server_answer){.status = v->refused,
                                                           .type = TEXT,
                                                           .fields = v->allow,
                                                           .body = v->refused_text,
                                                           .size = strlen(v->refused_text)});
    else
        v->route->serve(&v->request, v->server->arg);
}

/* Reads on or not, and waits for what is due next. */
static void pace(struct visit *v)
{
    struct http1_progress p = http1_progress(v->conn);
    uint64_t now = uv_now(v->server->loop), due = 0;
    if (http1_blocked(v->conn, HTTP1_DOWN) || endpoint_queued(&v->ep) != 0)
        endpoint_read_stop(&v->ep);
    else
        endpoint_read_start(&v->ep);
    if (v->state == VISIT_SERVED) {
        (void)uv_timer_stop(&v->timer); /* whoever serves keeps time */
        return;
    }
    if (v->state == VISIT_SEND || v->state == VISIT_ANSWER)
        due = now + SERVER_STILL_TIME;
    else if (p.moved_ms == 0) /* the first is to come at once */
        due = now + SERVER_REQUEST_TIME;
    else /* the codec's phase may be the one it began in, at no time */
        due = (p.since_ms ? p.since_ms : v->opened) +
              (p.phase == HTTP1_IDLE ? SERVER_IDLE_TIME : SERVER_REQUEST_TIME);
    (void)uv_timer_start(&v->timer, on_time, due > now ? due - now : 0, 0);
}

/* Goes on from RESULT, as far as it goes. */
static void go(struct visit *v, enum http1_result result)
{
    if (v->working || v->state >= VISIT_LINGER)
        return;
    v->working = true;
    while (result == HTTP1_MORE) {
        if (v->state == VISIT_ASKED)
            ask(v);
        else if (v->state == VISIT_ANSWER && endpoint_queued(&v->ep) == 0)
            result = send_head(v);
        else if (v->state == VISIT_SEND && endpoint_queued(&v->ep) == 0)
            result = send_piece(v);
        else
            break;
    }
    v->working = false;
    if (v->state == VISIT_ENDED)
        return;
    if (result == HTTP1_CLOSE)
        linger(v);
    else if (result == HTTP1_ABORT)
        visit_end(v);
    else
        pace(v);
}

void server_answer(struct server_request *request, const struct server_answer *answer)
{
    struct visit *v = (struct visit *)(void *)((char *)request - offsetof(struct visit, request));
    if (v->state != VISIT_SERVED) {
        if (answer->owned)
            free((void *)(uintptr_t)answer->body);
        return;
    }
    v->state = VISIT_ANSWER;
    if (answer->size > SERVER_SMALL && v->server->held + answer->size > SERVER_HELD_MAX) {
        static const char busy[] = "too many answers wait for their readers\n";
        if (answer->owned)
            free((void *)(uintptr_t)answer->body);
        v->answer = (struct server_answer){503, TEXT, NULL, busy, sizeof busy - 1, false};
    } else {
        v->answer = *answer;
    }
    v->server->held += v->answer.size;
    go(v, HTTP1_MORE);
}

void server_answer_text(struct server_request *request, int status, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    server_answer(request, &(struct server_answer){.status = status,
                                                   .type = TEXT,
                                                   .body = n < 0 ? NULL : text,
                                                   .size = n < 0 ? 0 : (size_t)n,
                                                   .owned = n >= 0});
}

void server_later(struct server_request *request, void (*cancel)(void *arg), void *arg)
{
    struct visit *v = (struct visit *)(void *)((char *)request - offsetof(struct visit, request));
    v->cancel = cancel;
    v->cancel_arg = arg;
}

bool server_query(const struct server_request *request, const char *name, char *out, size_t size)
{
    size_t length = strlen(name);
    for (const char *p = request->query; *p;) {
        size_t n = strcspn(p, "&");
        if (n > length && p[length] == '=' && memcmp(p, name, length) == 0) {
            (void)snprintf(out, size, "%.*s", (int)(n - length - 1), p + length + 1);
            return true;
        }
        p += n + (p[n] == '&');
    }
    return false;
}

bool server_query_number(struct server_request *request, const char *name, uint64_t low, uint64_t high,
                         uint64_t fallback, uint64_t *out)
{
    char text[24];
    *out = fallback;
    if (!server_query(request, name, text, sizeof text))
        return true;
    char *end;
    *out = strtoull(text, &end, 10);
    if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && strlen(text) < 19 && *out >= low && *out <= high)
        return true;
    server_answer_text(request, 400, "%s is a number from %llu to %llu\n", name, (unsigned long long)low,
                       (unsigned long long)high);
    return false;
}

/* --- the socket --- */

static void on_data(struct endpoint *ep, const uint8_t *data, size_t size)
{
    struct visit *v = (struct visit *)(void *)ep;
    if (v->state == VISIT_LINGER)
        return;
    moved(v);
    struct http1_sink sink = sink_of(v);
    go(v, http1_feed(v->conn, HTTP1_DOWN, data, size, &sink));
}

static void on_end(struct endpoint *ep)
{
    struct visit *v = (struct visit *)(void *)ep;
    v->in_end = true;
    if (v->state == VISIT_LINGER) {
        linger(v);
        return;
    }
    struct http1_sink sink = sink_of(v);
    go(v, http1_eof(v->conn, HTTP1_DOWN, &sink));
}

static void on_broken(struct endpoint *ep, int err)
{
    (void)err;
    visit_end((struct visit *)(void *)ep);
}

static void on_drained(struct endpoint *ep)
{
    struct visit *v = (struct visit *)(void *)ep;
    if (v->state == VISIT_LINGER) {
        linger(v);
        return;
    }
    moved(v);
    go(v, HTTP1_MORE);
}

static const struct endpoint_calls visit_calls = {on_data, on_end, on_broken, on_drained, on_closed};

static void on_time(uv_timer_t *timer)
{
    struct visit *v = timer->data;
    if (v->state != VISIT_READ) {
        visit_end(v);
        return;
    }
    struct http1_sink sink = sink_of(v);
    go(v, http1_timeout(v->conn, &sink));
}

/*
 * Who makes room: of the origin that has most connections, so that nobody pushes out who comes from
 * elsewhere, the one that has been still for longest; one that awaits no answer, if there is any.
 */
static struct visit *stillest(const struct server *s)
{
    struct visit *found = NULL;
    size_t most = 0;
    for (struct visit *v = s->last; v; v = v->newer) {
        size_t weight = v->state == VISIT_READ || v->state == VISIT_LINGER;
        for (const struct visit *other = s->visits; other; other = other->older)
            weight += other->origin == v->origin ? 2 : 0;
        if (weight > most) {
            most = weight;
            found = v;
        }
    }
    return found;
}

void server_take(struct server *s, int fd, uint16_t port, const struct sockaddr *peer)
{
    if (s->open >= SERVER_CONNECTIONS)
        visit_end(stillest(s));
    struct visit *v = calloc(1, sizeof *v);
    if (v)
        v->conn = http1_conn_new(&s->limits, s->scratch);
    if (v == NULL || v->conn == NULL || uv_timer_init(s->loop, &v->timer) != 0) {
        if (v)
            http1_conn_free(v->conn, NULL);
        free(v);
        (void)close(fd);
        return;
    }
    v->server = s;
    v->port = port;
    v->origin = net_addr_network(peer);
    v->opened = uv_now(s->loop);
    v->timer.data = v;
    v->handles = 1;
    list_push(v);
    s->count++;
    s->open++;
    int err = endpoint_open(&v->ep, s->loop, &s->io, fd, AF_UNSPEC, &visit_calls);
    v->handles = (uint8_t)(v->handles + v->ep.open);
    if (err != 0)
        visit_end(v);
    else
        go(v, HTTP1_MORE);
}

static void on_accept(void *arg, int fd, const struct sockaddr *peer)
{
    const struct door *door = arg;
    server_take(door->server, fd, door->port, peer);
}

/* PATH is the door's, also when it fails. */
static bool open_door(struct server *s, int fd, uint16_t port, char *path)
{
    struct door *door = malloc(sizeof *door);
    if (door == NULL) {
        (void)close(fd);
        free(path);
        return false;
    }
    *door = (struct door){.next = s->doors, .server = s, .port = port, .path = path};
    s->doors = door;
    door->acceptor = net_acceptor_start(s->loop, fd, on_accept, door);
    return door->acceptor != NULL;
}

bool server_listen(struct server *s, int fd, uint16_t port)
{
    return open_door(s, fd, port, NULL);
}

bool server_listen_unix(struct server *s, int fd, const char *path)
{
    char *copy = strdup(path);
    return open_door(s, fd, 0, copy) && copy;
}

struct server *server_start(uv_loop_t *loop, const struct server_routes *routes, void *arg)
{
    struct server *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->loop = loop;
    s->routes = routes;
    s->arg = arg;
    http1_limits_default(&s->limits);
    s->limits.head_size = SERVER_HEAD_MAX;
    s->limits.target_size = TARGET_MAX;
    s->limits.store = 2 * ENDPOINT_BUFFER; /* what one read may bring */
    s->limits.discard = 0;
    s->scratch = http1_scratch_new(&s->limits);
    if (s->scratch == NULL || !endpoint_io_init(&s->io)) {
        http1_scratch_free(s->scratch);
        free(s);
        return NULL;
    }
    return s;
}

void server_stop(struct server *s)
{
    if (s == NULL)
        return;
    s->stopped = true;
    while (s->doors) {
        struct door *next = s->doors->next;
        net_acceptor_close(s->doors->acceptor);
        if (s->doors->path)
            (void)unlink(s->doors->path);
        free(s->doors->path);
        free(s->doors);
        s->doors = next;
    }
    while (s->visits)
        visit_end(s->visits);
    free_if_done(s);
}
