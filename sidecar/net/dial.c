/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/net/dial.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    ATTEMPTS = 8,    /* addresses of a name that are tried */
    STAGGER = 250,   /* ms until the next address is tried beside a silent one (RFC 8305 section 5) */
    UNIX_RETRY = 20, /* ms until a UNIX socket with a full backlog is tried again */
    HOST_MAX = 253,  /* RFC 1035: of a name as text */
    ERROR_SIZE = 704
};

struct attempt {
    uv_poll_t poll;
    struct dial *dial;
    int fd;            /* -1: not begun, or failed */
    union net_addr to; /* AF_UNSPEC: dial->path */
};

struct dial {
    uv_loop_t *loop;
    dial_cb cb;
    void *arg;
    uv_timer_t timer;
    bool timer_ready;  /* initialised */
    unsigned handles;  /* initialised and not yet closed; the memory goes with the last */
    uint64_t timeout;  /* ms, for the error text */
    uint64_t deadline; /* of the loop's clock; UINT64_MAX: none */
    uint64_t wake;     /* when the next attempt begins; UINT64_MAX: not by time */

    struct resolver_lookup lookup;
    bool looking;             /* the lookup did not end at once */
    const char *lookup_error; /* static words */

    struct sockaddr_un path;
    socklen_t path_size;
    char host[HOST_MAX + 1]; /* "": no name */
    uint16_t port;

    int cause;        /* errno's number of the latest failure; 0: none */
    unsigned failed;  /* the attempt it belongs to */
    unsigned pending; /* attempts under way */
    unsigned next;    /* the first attempt not begun */
    unsigned count;
    unsigned room; /* of attempt[] */
    struct attempt attempt[];
};

static bool advance(struct dial *d);
static void arm(struct dial *d);

static bool is_unix(const struct dial *d)
{
    return d->path_size != 0;
}

static const struct sockaddr *address(const struct dial *d, const struct attempt *a, socklen_t *size)
{
    *size = is_unix(d) ? d->path_size : net_addr_size(&a->to.sa);
    return is_unix(d) ? (const struct sockaddr *)&d->path : &a->to.sa;
}

/* --- ending --- */

static void on_closed(uv_handle_t *handle)
{
    struct dial *d = handle->data;
    if (--d->handles == 0)
        free(d);
}

static void close_handle(uv_handle_t *handle, struct dial *d)
{
    handle->data = d;
    uv_close(handle, on_closed);
}

/* Lets go of an attempt's poll handle; its descriptor is the caller's. */
static int detach(struct attempt *a)
{
    int fd = a->fd;
    a->fd = -1;
    if (a->poll.data) {
        a->dial->pending--;
        close_handle((uv_handle_t *)&a->poll, a->dial);
    }
    return fd;
}

static void dispose(struct dial *d)
{
    resolver_cancel(&d->lookup);
    for (unsigned i = 0; i < d->next; i++)
        if (d->attempt[i].fd >= 0)
            close(detach(&d->attempt[i]));
    if (d->timer_ready)
        close_handle((uv_handle_t *)&d->timer, d);
    if (d->handles == 0)
        free(d);
}

static void target_text(const struct dial *d, char *out, size_t size)
{
    socklen_t ignored;
    if (d->host[0])
        snprintf(out, size, "%s:%u", d->host, d->port);
    else
        net_addr_text(address(d, &d->attempt[0], &ignored), out, size);
}

static void timeout_text(uint64_t ms, char *out, size_t size)
{
    if (ms % 1000)
        snprintf(out, size, "timed out after %" PRIu64 "ms", ms);
    else
        snprintf(out, size, "timed out after %" PRIu64 "s", ms / 1000);
}

static void error_text(const struct dial *d, bool timed_out, char *out, size_t size)
{
    char target[HOST_MAX + NET_ADDR_TEXT], where[NET_ADDR_TEXT + 64] = "", cause[96];
    if (timed_out)
        timeout_text(d->timeout, cause, sizeof(cause));
    else
        uv_strerror_r(-d->cause, cause, sizeof(cause));
    if (d->count == 0) { /* no address to try */
        snprintf(out, size, "%s: %s%s", d->host, d->lookup_error ? "" : "name lookup ",
                 d->lookup_error ? d->lookup_error : cause);
        return;
    }
    target_text(d, target, sizeof(target));
    if (d->host[0]) {
        char last[NET_ADDR_TEXT];
        net_addr_text(&d->attempt[d->failed].to.sa, last, sizeof(last));
        if (d->next > 1)
            snprintf(where, sizeof(where), " (%s, the last of %u addresses)", last, d->next);
        else
            snprintf(where, sizeof(where), " (%s)", last);
    }
    snprintf(out, size, "connect to %s%s: %s", target, where, cause);
}

enum dial_fault dial_fault(const char *error)
{
    const char *cause = strrchr(error, ':');
    if (!cause)
        return DIAL_OTHER;
    if (strncmp(error, "connect to ", 11) != 0)
        return DIAL_NO_NAME;
    if (strstr(cause, "timed out"))
        return DIAL_TIMED_OUT;
    char refused[96];
    uv_strerror_r(UV_ECONNREFUSED, refused, sizeof(refused));
    return strcmp(cause + 2, refused) == 0 ? DIAL_REFUSED : DIAL_OTHER;
}

static void finish_badly(struct dial *d, bool timed_out)
{
    dial_cb cb = d->cb;
    void *arg = d->arg;
    char error[ERROR_SIZE];
    union net_addr to;
    struct sockaddr_un path = d->path;
    if (timed_out && d->next)
        d->failed = d->next - 1;
    bool tried = d->count > 0;
    if (tried)
        to = d->attempt[d->failed].to;
    error_text(d, timed_out, error, sizeof(error));
    const struct sockaddr *remote = !tried ? NULL : is_unix(d) ? (const struct sockaddr *)&path : &to.sa;
    dispose(d);
    cb(arg, -1, error, remote);
}

static void finish_well(struct dial *d, struct attempt *a)
{
    dial_cb cb = d->cb;
    void *arg = d->arg;
    union net_addr to = a->to;
    struct sockaddr_un path = d->path;
    const struct sockaddr *remote = is_unix(d) ? (const struct sockaddr *)&path : &to.sa;
    int fd = detach(a);
    dispose(d);
    cb(arg, fd, NULL, remote);
}

/* --- one attempt --- */

/*
 * A connection to one's own port, where nobody listens, can meet itself when the kernel picks that very port
 * for this end (TCP's simultaneous open).
 */
static bool met_itself(const struct attempt *a)
{
    union net_addr own;
    socklen_t size = sizeof(own);
    return getsockname(a->fd, &own.sa, &size) == 0 && net_addr_equal(&own.sa, &a->to.sa);
}

/* Calling connect() again tells how far a non-blocking one is: 0, EINPROGRESS, or why it failed. */
static int progress(const struct dial *d, const struct attempt *a)
{
    socklen_t size;
    const struct sockaddr *to = address(d, a, &size);
    int number = connect(a->fd, to, size) == 0 ? 0 : errno;
    if (number == EISCONN)
        number = 0;
    if (number == EALREADY || number == EINTR)
        number = EINPROGRESS;
    if (number == 0 && !is_unix(d) && met_itself(a))
        number = ECONNREFUSED;
    return number;
}

static void on_poll(uv_poll_t *poll, int status, int events);

/* Returns 0 (connected), EINPROGRESS (on_poll() will hear of it), or why it failed; then nothing is left
 * open. */
static int begin(struct dial *d, struct attempt *a)
{
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int number = 0;
    a->dial = d;
    a->poll.data = NULL;
    a->fd = socket(is_unix(d) ? AF_UNIX : a->to.sa.sa_family, type, 0);
    if (a->fd < 0)
        return errno;
    if (!is_unix(d)) {
        int one = 1;
        setsockopt(a->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }
    number = progress(d, a);
    if (number == EINPROGRESS)
        number = progress(d, a); /* on loopback the handshake is over by now */
    if (number == 0)
        return 0;
    if (number == EINPROGRESS) {
        number = -uv_poll_init(d->loop, &a->poll, a->fd);
        if (number == 0) {
            a->poll.data = a;
            d->handles++;
            d->pending++;
            number = -uv_poll_start(&a->poll, UV_WRITABLE, on_poll);
            if (number == 0)
                return EINPROGRESS;
        }
    }
    close(detach(a));
    return number;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct attempt *a = poll->data;
    struct dial *d = a->dial;
    (void)events;
    int number = progress(d, a);
    if (number == EINPROGRESS && status == 0)
        return;
    if (number == 0) {
        finish_well(d, a);
        return;
    }
    d->cause = number == EINPROGRESS ? EIO : number;
    d->failed = (unsigned)(a - d->attempt);
    close(detach(a));
    advance(d);
}

/* --- all of them --- */

/* Begins the next attempt, or those after it where it fails at once. True: it is over, D is gone. */
static bool advance(struct dial *d)
{
    d->wake = UINT64_MAX;
    while (d->next < d->count) {
        unsigned i = d->next++;
        int number = begin(d, &d->attempt[i]);
        if (number == 0) {
            finish_well(d, &d->attempt[i]);
            return true;
        }
        if (number == EAGAIN && is_unix(d)) {
            d->next = i;
            d->wake = uv_now(d->loop) + UNIX_RETRY;
            arm(d);
            return false;
        }
        if (number == EINPROGRESS) {
            if (d->next < d->count)
                d->wake = uv_now(d->loop) + STAGGER;
            arm(d);
            return false;
        }
        d->cause = number;
        d->failed = i;
    }
    if (d->pending == 0) {
        finish_badly(d, false);
        return true;
    }
    arm(d);
    return false;
}

static void on_timer(uv_timer_t *timer)
{
    struct dial *d = timer->data;
    uint64_t now = uv_now(d->loop);
    if (now >= d->deadline)
        finish_badly(d, true);
    else if (now >= d->wake)
        advance(d);
    else
        arm(d);
}

static void arm(struct dial *d)
{
    uint64_t due = d->deadline < d->wake ? d->deadline : d->wake;
    uint64_t now = uv_now(d->loop);
    if (!d->timer_ready) {
        uv_timer_init(d->loop, &d->timer);
        d->timer.data = d;
        d->timer_ready = true;
        d->handles++;
    }
    if (due == UINT64_MAX)
        uv_timer_stop(&d->timer);
    else
        uv_timer_start(&d->timer, on_timer, due > now ? due - now : 0, 0);
}

static bool proceed(struct dial *d)
{
    if (!d->lookup_error)
        return advance(d);
    finish_badly(d, false);
    return true;
}

static void on_answer(void *arg, const struct resolver_answer *answer)
{
    struct dial *d = arg;
    d->lookup_error = answer->error;
    for (size_t i = 0; i < answer->count && d->count < d->room; i++)
        d->attempt[d->count++].to = answer->addr[i];
    if (d->looking)
        proceed(d);
}

static bool set_path(struct dial *d, const char *path)
{
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof(d->path.sun_path))
        return false;
    d->path.sun_family = AF_UNIX;
    memcpy(d->path.sun_path, path, length);
    d->path_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    if (path[0] == '@') {
        d->path.sun_path[0] = 0;
        d->path_size -= 1;
    }
    return true;
}

struct dial *dial_start(uv_loop_t *loop, struct resolver *resolver, const struct dial_target *target,
                        uint64_t timeout_ms, dial_cb cb, void *arg)
{
    union net_addr literal = {.sa = {.sa_family = AF_UNSPEC}};
    bool name = !target->path && !net_addr_literal(target->host, target->port, &literal);
    unsigned room = name ? ATTEMPTS : 1;
    size_t size = sizeof(struct dial) + room * sizeof(struct attempt);
    struct dial *d = malloc(size);
    if (!d) {
        cb(arg, -1, "out of memory", NULL);
        return NULL;
    }
    memset(d, 0, sizeof(*d));
    d->loop = loop;
    d->cb = cb;
    d->arg = arg;
    d->timeout = timeout_ms;
    d->deadline = timeout_ms ? uv_now(loop) + timeout_ms : UINT64_MAX;
    d->wake = UINT64_MAX;
    d->port = target->port;
    d->room = room;

    if (!name) {
        d->attempt[0].to = literal;
        d->count = 1;
        if (target->path && !set_path(d, target->path)) {
            free(d);
            cb(arg, -1, "connect to a UNIX socket: its path is empty or too long", NULL);
            return NULL;
        }
        return advance(d) ? NULL : d;
    }
    snprintf(d->host, sizeof(d->host), "%s", target->host);
    if (!resolver || strlen(target->host) > HOST_MAX) {
        d->lookup_error = resolver ? "not a valid host name" : "names cannot be looked up here";
    } else if (resolver_lookup(resolver, &d->lookup, target->host, target->port, on_answer, d)) {
        d->looking = true;
        arm(d);
        return d;
    }
    return proceed(d) ? NULL : d;
}

void dial_cancel(struct dial *d)
{
    if (d)
        dispose(d);
}

void net_keepalive(int fd, uint64_t keepalive_ms)
{
    int on = 1, off = 0, count = 4;
    if (!keepalive_ms) {
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &off, sizeof(off));
        return;
    }
    uint64_t seconds = keepalive_ms / 1000 + (keepalive_ms % 1000 != 0);
    int idle = seconds > 32767 ? 32767 : (int)seconds; /* the kernel's limit */
    int interval = idle / 4 < 1 ? 1 : idle / 4 > 30 ? 30 : idle / 4;
    if (setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle)) != 0)
        return; /* a UNIX socket */
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}
