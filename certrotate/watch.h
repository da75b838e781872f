/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Following what changes on disk. `watch` notices that something under a path may have changed (inotify,
 * with polling as fall-back); `follow` turns that into new sets of credentials, judged by
 * content, never by time stamps. Both run on one libuv loop that carries no data: files are read
 * synchronously there.
 */
#ifndef CERTROTATE_WATCH_H
#define CERTROTATE_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "certrotate/credentials.h"
#include "certrotate/notify.h"

/* --- watch: something may have changed --- */

struct watch;

/* May come without cause, never too rarely: after each burst of events (debounced), and each poll period. */
typedef void (*watch_fn)(void *arg);

struct watch_options {
    const char *const
        *paths; /* files or directories; of each, the directory that holds it is watched, and `..data` */
    size_t path_count;
    unsigned poll_ms;      /* period of the poll; 0: 10 s where events work, 800 ms where they do not */
    unsigned debounce_ms;  /* quiet time after the last event; 0: 50 ms */
    bool poll_only;        /* no events at all */
    bool call_first;       /* CHANGED comes as soon as the loop runs: what was read before the watch began */
    struct notify *notify; /* shared by watches of the loop, each takes a reference; NULL: one of its own */
    watch_fn changed;
    void *arg;
};

/* Starts watching; a path that is not there yet is watched for from its nearest parent. Negative: a UV_
 * error. */
int watch_start(uv_loop_t *loop, const struct watch_options *options, struct watch **out);

/* Whether events work for every path (else the poll alone does). */
bool watch_has_events(const struct watch *w);

/* Ends it: no callback comes any more; memory is freed once the loop has run. NULL is fine. */
void watch_stop(struct watch *w);

/* --- follow: credentials as they rotate --- */

struct follow;

/*
 * A new valid set; C is borrowed: credentials_ref() it to keep it. A set that has lost its CA bundle or its
 * CRLs is handed out only if it still is so half a second later: who deletes and writes anew is not believed
 * in between. Going back to what is in service already hands out nothing.
 */
typedef void (*follow_fn)(struct credentials *c, void *arg);
/* A set that cannot be used, or (NO_DESCRIPTORS) not be looked at now; the old one stays, and what is there
 * is tried again each second at least. Told once per distinct text until a good set comes. Either callback
 * may stop what called it. */
typedef void (*follow_error_fn)(const struct credentials_error *error, void *arg);

struct follow_options {
    struct credentials_source source; /* copied, strings too */
    unsigned poll_ms;                 /* as in watch_options, and what follows */
    unsigned debounce_ms;
    bool poll_only;
    struct notify *notify;
    follow_fn loaded;
    follow_error_fn failed;
    void *arg;
};

struct follow_stats {
    uint64_t loads;    /* sets handed out, the first included */
    uint64_t failures; /* loads that failed, repetitions of the same cause not counted */
    bool failing;      /* what is on disk now cannot be used */
};

/*
 * Loads once, at once (LOADED or FAILED is called before this returns), and follows from then on. Negative: a
 * UV_ error, and nothing is running.
 */
int follow_start(uv_loop_t *loop, const struct follow_options *options, struct follow **out);

/* Reads again now (SIGHUP). */
void follow_poke(struct follow *f);
struct follow_stats follow_stats(const struct follow *f);
void follow_stop(struct follow *f); /* as watch_stop() */

#endif
