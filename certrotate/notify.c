/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "certrotate/notify.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum {
    BUCKETS = 64,
    READ_BYTES = 16384,
    PAUSE_MS = 25, /* between two looks, where the last one brought nothing of ours */
};

/* Of a directory alone; nothing here concerns the files in it, see the header. */
static const uint32_t ENTRIES = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;
static const uint32_t CONTENT = IN_MODIFY | IN_ATTRIB;
static const uint32_t ITSELF = IN_DELETE_SELF | IN_MOVE_SELF;
/* Comes whether asked for or not. */
static const uint32_t UNASKED = IN_IGNORED | IN_UNMOUNT;

struct notify_place {
    struct notify_place *next, **link;
    int wd; /* shared by all places that are the same inode; -1: the kernel watches it no more */
    uint32_t mask;
    notify_fn fn;
    void *arg;
    char name[]; /* "": all */
};

struct notify {
    uv_loop_t *loop;
    uv_poll_t poll;   /* none of both keeps the loop alive */
    uv_timer_t pause; /* until it is read again */
    int fd;           /* -1: not yet */
    unsigned refs;
    int handles_open;
    struct notify_place *places[BUCKETS]; /* by wd */
};

/* --- what comes --- */

static void on_readable(uv_poll_t *poll, int status, int events);

static void on_pause_over(uv_timer_t *timer)
{
    struct notify *n = timer->data;
    (void)uv_poll_start(&n->poll, UV_READABLE, on_readable);
}

static struct notify_place **bucket(struct notify *n, int wd)
{
    return &n->places[(unsigned)wd % BUCKETS];
}

/* The queue was full: anything may have happened. */
static void tell_all(struct notify *n)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (const struct notify_place *p = n->places[i]; p; p = p->next)
            p->fn(p->arg);
}

/* True: it concerned someone. */
static bool dispatch(struct notify *n, const struct inotify_event *event)
{
    bool ours = false;
    if (event->mask & IN_Q_OVERFLOW) {
        tell_all(n);
        return true;
    }
    for (struct notify_place *p = *bucket(n, event->wd); p; p = p->next) {
        if (p->wd != event->wd || !(event->mask & (p->mask | UNASKED)) ||
            (event->len && *p->name && strcmp(p->name, event->name) != 0))
            continue;
        if (event->mask & IN_IGNORED)
            p->wd = -1;
        ours = true;
        p->fn(p->arg);
    }
    return ours;
}

/* Takes what has come; true: some of it concerned someone. */
static bool take(struct notify *n)
{
    _Alignas(struct inotify_event) char buffer[READ_BYTES];
    bool ours = false;
    ssize_t got;
    do {
        got = read(n->fd, buffer, sizeof buffer);
        for (ssize_t at = 0; at < got;) {
            const struct inotify_event *event = (const void *)(buffer + at);
            ours = dispatch(n, event) || ours;
            at += (ssize_t)(sizeof *event + event->len);
        }
    } while (got > READ_BYTES / 2); /* else there was no more: an event is far smaller */
    return ours;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct notify *n = poll->data;
    (void)events;
    if (status < 0 || take(n))
        return;
    /* In a directory where strangers come and go: all are looked at, but not one by one. */
    (void)uv_poll_stop(poll);
    (void)uv_timer_start(&n->pause, on_pause_over, PAUSE_MS, 0);
}

/* --- places --- */

static bool open_descriptor(struct notify *n)
{
    if (n->fd >= 0)
        return true;
    n->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (n->fd < 0)
        return false;
    if (uv_poll_init(n->loop, &n->poll, n->fd) != 0) {
        (void)close(n->fd);
        n->fd = -1;
        return false;
    }
    n->poll.data = n;
    n->handles_open++;
    uv_unref((uv_handle_t *)&n->poll);
    (void)uv_poll_start(&n->poll, UV_READABLE, on_readable);
    return true;
}

static uint32_t mask_of(enum notify_kind kind)
{
    switch (kind) {
    case NOTIFY_NAME: return ENTRIES | ITSELF | IN_ONLYDIR;
    case NOTIFY_DIRECTORY: return ENTRIES | CONTENT | ITSELF | IN_ONLYDIR;
    case NOTIFY_FILE: break;
    }
    return CONTENT | ITSELF | IN_DONT_FOLLOW;
}

struct notify_place *notify_add(struct notify *n, enum notify_kind kind, const char *path, const char *name,
                                notify_fn fn, void *arg)
{
    size_t length = kind == NOTIFY_NAME ? strlen(name) : 0;
    struct notify_place *place = calloc(1, sizeof *place + length + 1);
    if (place == NULL || !open_descriptor(n))
        goto fail;
    if (length != 0)
        memcpy(place->name, name, length);
    place->mask = mask_of(kind);
    place->fn = fn;
    place->arg = arg;
    /* Others may have asked for more of the same inode. */
    place->wd = inotify_add_watch(n->fd, path, place->mask | IN_MASK_ADD);
    if (place->wd < 0)
        goto fail;
    place->link = bucket(n, place->wd);
    place->next = *place->link;
    if (place->next)
        place->next->link = &place->next;
    *place->link = place;
    return place;
fail:
    free(place);
    return NULL;
}

void notify_remove(struct notify *n, struct notify_place *place)
{
    bool shared = place->wd < 0;
    *place->link = place->next;
    if (place->next)
        place->next->link = place->link;
    for (const struct notify_place *p = shared ? NULL : *bucket(n, place->wd); p; p = p->next)
        shared = shared || p->wd == place->wd;
    if (!shared)
        (void)inotify_rm_watch(n->fd, place->wd);
    free(place);
}

/* --- life --- */

struct notify *notify_new(uv_loop_t *loop)
{
    struct notify *n = calloc(1, sizeof *n);
    if (n == NULL)
        return NULL;
    n->loop = loop;
    n->fd = -1;
    n->refs = 1;
    (void)uv_timer_init(loop, &n->pause);
    uv_unref((uv_handle_t *)&n->pause);
    n->pause.data = n;
    n->handles_open = 1;
    return n;
}

struct notify *notify_ref(struct notify *n)
{
    n->refs++;
    return n;
}

static void on_closed(uv_handle_t *handle)
{
    struct notify *n = handle->data;
    if (--n->handles_open != 0)
        return;
    if (n->fd >= 0)
        (void)close(n->fd);
    free(n);
}

void notify_unref(struct notify *n)
{
    if (n == NULL || --n->refs != 0)
        return;
    bool opened = n->fd >= 0;
    uv_close((uv_handle_t *)&n->pause, on_closed);
    if (opened)
        uv_close((uv_handle_t *)&n->poll, on_closed);
}
