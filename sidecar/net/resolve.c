/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/net/resolve.h"

#include <ares.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_NAMES = 256,
    TIMEOUT = 2000,
    TRIES = 3,
    TTL_MIN = 1000,
    TTL_MAX = 300 * 1000,
    RETRY_MIN = 1000, /* ms a failure is kept */
    RETRY_MAX = 5000,
    STALE = 60 * 1000,
    NAME_MAX_SIZE = 253
};

/* The addresses of one family. */
struct family {
    int family;
    unsigned count;
    union net_addr addr[RESOLVER_ADDRS];
};

/*
 * One name. It is asked for (asking), then holds a result until `expires`: addresses (error NULL), or an
 * error, beside which the last known addresses stay until `stale_until`.
 */
struct resolver_entry {
    struct resolver *resolver;
    struct resolver_entry *prev, *next;   /* by use, the latest first */
    struct resolver_lookup *first, *last; /* who waits */
    bool asking;                          /* c-ares will call on_result() */
    bool again;                           /* its channel went away under it */
    bool ready;                           /* it has a result for those who wait */
    const char *error;
    unsigned failures; /* in a row */
    uint64_t expires, stale_until;
    struct family by[2]; /* the preferred one first */
    unsigned turn;       /* of the rotation */
    char name[];         /* lower-case */
};

struct watch {
    uv_poll_t poll;
    struct resolver *resolver;
    struct watch *next;
    int fd;
};

struct resolver {
    uv_loop_t *loop;
    struct resolver_options options; /* with texts of our own */
    ares_channel channel;
    uv_timer_t timer;
    unsigned handles; /* not yet closed; the memory goes with the last */
    bool closing;
    struct watch *watches;
    struct resolver_entry *newest, *oldest;
    size_t names;
    unsigned ready; /* entries that are */
    struct resolver_stats stats;
};

static void settle(struct resolver *r);

static uint64_t now(const struct resolver *r)
{
    return r->options.now ? r->options.now(r->options.now_arg) : uv_now(r->loop);
}

/* --- c-ares on the loop --- */

static void release(struct resolver *r)
{
    if (--r->handles)
        return;
    free((char *)(uintptr_t)r->options.servers);
    free((char *)(uintptr_t)r->options.resolv_conf);
    free(r);
}

static void on_timer_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct watch *w = handle->data;
    release(w->resolver);
    free(w);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *w = poll->data;
    struct resolver *r = w->resolver;
    bool in = status < 0 || (events & UV_READABLE), out = status < 0 || (events & UV_WRITABLE);
    ares_process_fd(r->channel, in ? w->fd : ARES_SOCKET_BAD, out ? w->fd : ARES_SOCKET_BAD);
    settle(r);
}

/* c-ares tells what it waits for on a socket; neither: it is about to close it. */
static void on_sock_state(void *data, ares_socket_t fd, int readable, int writable)
{
    struct resolver *r = data;
    struct watch **at = &r->watches, *w;
    while (*at && (*at)->fd != fd)
        at = &(*at)->next;
    w = *at;
    if (!readable && !writable) {
        if (w) {
            *at = w->next;
            uv_close((uv_handle_t *)&w->poll, on_watch_closed);
        }
        return;
    }
    if (!w) {
        w = calloc(1, sizeof(*w));
        if (!w || uv_poll_init(r->loop, &w->poll, fd) != 0) {
            free(w); /* unheard, the query times out */
            return;
        }
        w->poll.data = w;
        w->resolver = r;
        w->fd = fd;
        w->next = r->watches;
        r->watches = w;
        r->handles++;
    }
    uv_poll_start(&w->poll, (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0), on_poll);
}

static void on_timer(uv_timer_t *timer)
{
    struct resolver *r = timer->data;
    ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    settle(r);
}

static void arm(struct resolver *r)
{
    struct timeval tv;
    if (r->closing)
        return;
    if (r->ready)
        uv_timer_start(&r->timer, on_timer, 0, 0);
    else if (ares_timeout(r->channel, NULL, &tv))
        uv_timer_start(&r->timer, on_timer, (uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000 + 1, 0);
    else
        uv_timer_stop(&r->timer);
}

static int open_channel(struct resolver *r, ares_channel *channel)
{
    char lookups[] = "fb", *path = NULL;
    struct ares_options o;
    int mask = ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS;
    memset(&o, 0, sizeof(o));
    o.sock_state_cb = on_sock_state;
    o.sock_state_cb_data = r;
    o.timeout = r->options.timeout ? (int)r->options.timeout : TIMEOUT;
    o.tries = r->options.tries ? (int)r->options.tries : TRIES;
    o.lookups = lookups;
    if (r->options.resolv_conf) {
        path = (char *)(uintptr_t)r->options.resolv_conf;
        o.resolvconf_path = path;
        mask |= ARES_OPT_RESOLVCONF;
    }
    int status = ares_init_options(channel, &o, mask);
    if (status == ARES_SUCCESS && r->options.servers) {
        status = ares_set_servers_ports_csv(*channel, r->options.servers);
        if (status != ARES_SUCCESS)
            ares_destroy(*channel);
    }
    return status;
}

/* --- results --- */

static const char *words(int status)
{
    switch (status) {
    case ARES_ENOTFOUND: return "no such host";
    case ARES_ENODATA: return "the name has no address";
    case ARES_EBADNAME: return "not a valid host name";
    case ARES_ETIMEOUT: return "no DNS server answered in time";
    /* c-ares before 1.28 ends so as well when every server answered SERVFAIL or REFUSED. */
    case ARES_ECONNREFUSED: return "no DNS server gave an answer (unreachable, SERVFAIL or REFUSED)";
    case ARES_ESERVFAIL: return "the DNS server failed (SERVFAIL)";
    case ARES_EREFUSED: return "the DNS server refused (REFUSED)";
    case ARES_ENOMEM: return "out of memory";
    default: return ares_strerror(status);
    }
}

static uint64_t take_addresses(struct resolver_entry *e, const struct ares_addrinfo *info)
{
    int ttl = TTL_MAX / 1000;
    memset(e->by, 0, sizeof(e->by));
    for (const struct ares_addrinfo_cname *c = info->cnames; c; c = c->next)
        if (c->ttl < ttl)
            ttl = c->ttl;
    for (const struct ares_addrinfo_node *n = info->nodes; n; n = n->ai_next) {
        union net_addr addr;
        net_addr_set(&addr, n->ai_addr);
        if (addr.sa.sa_family == AF_UNSPEC)
            continue;
        if (n->ai_ttl < ttl)
            ttl = n->ai_ttl;
        if (!e->by[0].family)
            e->by[0].family = addr.sa.sa_family;
        struct family *f = &e->by[addr.sa.sa_family != e->by[0].family];
        if (f->count < RESOLVER_ADDRS)
            f->addr[f->count++] = addr;
    }
    return ttl < TTL_MIN / 1000 ? TTL_MIN : (uint64_t)ttl * 1000;
}

static void on_result(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct resolver_entry *e = arg;
    struct resolver *r = e->resolver;
    (void)timeouts;
    e->asking = false;
    if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED) {
        e->again = true;
        return;
    }
    uint64_t ttl = 0;
    if (status == ARES_SUCCESS) {
        ttl = take_addresses(e, info);
        if (e->by[0].count == 0)
            status = ARES_ENODATA;
    }
    if (info)
        ares_freeaddrinfo(info);
    if (status == ARES_SUCCESS) {
        e->error = NULL;
        e->failures = 0;
        e->expires = now(r) + ttl;
        e->stale_until = e->expires + STALE;
    } else {
        r->stats.failures++;
        if (status == ARES_ENOTFOUND || status == ARES_ENODATA)
            memset(e->by, 0, sizeof(e->by)); /* the name is gone, and somebody knows that */
        uint64_t retry = e->failures < 3 ? (uint64_t)RETRY_MIN << e->failures : RETRY_MAX;
        e->failures++;
        e->error = words(status);
        e->expires = now(r) + retry;
    }
    if (e->first && !e->ready) {
        e->ready = true;
        r->ready++;
    }
}

/* May call on_result() at once: a hosts file, no server. */
static void ask(struct resolver_entry *e)
{
    struct resolver *r = e->resolver;
    struct ares_addrinfo_hints hints;
    memset(&hints, 0, sizeof(hints));
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = r->options.env_hosts ? ARES_AI_ENVHOSTS : 0;
    e->asking = true;
    e->again = false;
    r->stats.queries++;
    ares_getaddrinfo(r->channel, e->name, NULL, &hints, on_result, e);
}

/* --- answers --- */

static bool has_stale(const struct resolver_entry *e)
{
    return e->error && e->by[0].count && now(e->resolver) < e->stale_until;
}

/* Puts the addresses in the order to try them (RFC 8305 section 4) and calls CB, after which E may be gone.
 */
static void give(struct resolver_entry *e, uint16_t port, resolver_cb cb, void *arg)
{
    union net_addr addr[2 * RESOLVER_ADDRS];
    struct resolver_answer answer = {.addr = addr, .stale = has_stale(e)};
    if (e->error && !answer.stale) {
        answer.error = e->error;
    } else {
        for (unsigned i = 0; i < RESOLVER_ADDRS; i++)
            for (unsigned f = 0; f < 2; f++)
                if (i < e->by[f].count)
                    addr[answer.count++] = e->by[f].addr[(e->turn + i) % e->by[f].count];
        e->turn++;
    }
    for (size_t i = 0; i < answer.count; i++) {
        if (addr[i].sa.sa_family == AF_INET)
            addr[i].in.sin_port = htons(port);
        else
            addr[i].in6.sin6_port = htons(port);
    }
    e->resolver->stats.stale += answer.stale;
    cb(arg, &answer);
}

static void unlink_lookup(struct resolver_entry *e, struct resolver_lookup *l)
{
    *(l->prev ? &l->prev->next : &e->first) = l->next;
    *(l->next ? &l->next->prev : &e->last) = l->prev;
    l->entry = NULL;
    if (!e->first && e->ready) {
        e->ready = false;
        e->resolver->ready--;
    }
}

/*
 * After c-ares had its turn: gives those who wait their answers, never from within c-ares, so that their
 * callbacks may do anything. One at a time, since a callback may change every list.
 */
static void settle(struct resolver *r)
{
    while (r->ready && !r->closing) {
        struct resolver_entry *e = r->newest;
        while (!e->ready)
            e = e->next;
        struct resolver_lookup *l = e->first;
        resolver_cb cb = l->cb;
        void *arg = l->arg;
        uint16_t port = l->port;
        unlink_lookup(e, l);
        give(e, port, cb, arg);
    }
    arm(r);
}

/* --- the cache --- */

static void unlink_entry(struct resolver_entry *e)
{
    struct resolver *r = e->resolver;
    *(e->prev ? &e->prev->next : &r->newest) = e->next;
    *(e->next ? &e->next->prev : &r->oldest) = e->prev;
}

static void link_newest(struct resolver_entry *e)
{
    struct resolver *r = e->resolver;
    e->prev = NULL;
    e->next = r->newest;
    *(r->newest ? &r->newest->prev : &r->oldest) = e;
    r->newest = e;
}

static bool make_room(struct resolver *r)
{
    if (r->names < r->options.max_names)
        return true;
    struct resolver_entry *e = r->oldest;
    while (e && (e->asking || e->first))
        e = e->prev;
    if (!e)
        return false;
    unlink_entry(e);
    free(e);
    r->names--;
    return true;
}

/* The entry of HOST, new if need be, as the latest one used. NULL: see ERROR. */
static struct resolver_entry *entry_of(struct resolver *r, const char *host, const char **error)
{
    char name[NAME_MAX_SIZE + 1];
    size_t size = strlen(host);
    if (size == 0 || size > NAME_MAX_SIZE) {
        *error = words(ARES_EBADNAME);
        return NULL;
    }
    for (size_t i = 0; i <= size; i++)
        name[i] = (char)tolower((unsigned char)host[i]);
    struct resolver_entry *e = r->newest;
    while (e && strcmp(e->name, name) != 0)
        e = e->next;
    if (e) {
        unlink_entry(e);
        link_newest(e);
        return e;
    }
    if (!make_room(r)) {
        *error = "too many names are being looked up";
        return NULL;
    }
    e = calloc(1, sizeof(*e) + size + 1);
    if (!e) {
        *error = words(ARES_ENOMEM);
        return NULL;
    }
    e->resolver = r;
    memcpy(e->name, name, size);
    link_newest(e);
    r->names++;
    return e;
}

bool resolver_lookup(struct resolver *r, struct resolver_lookup *l, const char *host, uint16_t port,
                     resolver_cb cb, void *arg)
{
    struct resolver_answer refusal = {.error = NULL};
    struct resolver_entry *e = entry_of(r, host, &refusal.error);
    l->entry = NULL;
    if (!e) {
        cb(arg, &refusal);
        return false;
    }
    if (!e->asking && (now(r) >= e->expires)) {
        ask(e);
        arm(r);
    } else if (!e->asking) {
        r->stats.hits++;
    }
    /* While servers fail, the old addresses serve without waiting for the next failure. */
    if (!e->asking || has_stale(e)) {
        r->stats.hits += e->asking;
        give(e, port, cb, arg);
        return false;
    }
    *l = (struct resolver_lookup){.entry = e, .prev = e->last, .cb = cb, .arg = arg, .port = port};
    *(e->last ? &e->last->next : &e->first) = l;
    e->last = l;
    return true;
}

void resolver_cancel(struct resolver_lookup *l)
{
    if (l->entry)
        unlink_lookup(l->entry, l);
}

/* --- life --- */

struct resolver *resolver_new(uv_loop_t *loop, const struct resolver_options *options, const char **error)
{
    struct resolver *r = calloc(1, sizeof(*r));
    *error = words(ARES_ENOMEM);
    if (!r)
        return NULL;
    r->loop = loop;
    if (options) {
        r->options = *options;
        r->options.servers = options->servers ? strdup(options->servers) : NULL;
        r->options.resolv_conf = options->resolv_conf ? strdup(options->resolv_conf) : NULL;
        if ((options->servers && !r->options.servers) || (options->resolv_conf && !r->options.resolv_conf))
            goto fail;
    }
    if (!r->options.max_names)
        r->options.max_names = MAX_NAMES;
    int status = open_channel(r, &r->channel);
    if (status != ARES_SUCCESS) {
        *error = words(status);
        goto fail;
    }
    uv_timer_init(loop, &r->timer);
    r->timer.data = r;
    r->handles = 1;
    return r;
fail:
    r->handles = 1;
    release(r);
    return NULL;
}

bool resolver_reload(struct resolver *r)
{
    ares_channel fresh, old = r->channel;
    if (open_channel(r, &fresh) != ARES_SUCCESS)
        return false;
    r->channel = fresh;
    ares_destroy(old);
    for (struct resolver_entry *e = r->newest; e; e = e->next) {
        e->expires = 0;
        if (e->again)
            ask(e);
    }
    arm(r); /* results that came at once are given from the loop */
    return true;
}

const struct resolver_stats *resolver_stats(const struct resolver *r)
{
    return &r->stats;
}

void resolver_close(struct resolver *r)
{
    if (!r)
        return;
    r->closing = true;
    ares_destroy(r->channel);
    for (struct resolver_entry *e = r->newest, *next; e; e = next) {
        next = e->next;
        while (e->first)
            unlink_lookup(e, e->first);
        free(e);
    }
    r->newest = r->oldest = NULL;
    uv_close((uv_handle_t *)&r->timer, on_timer_closed);
}
