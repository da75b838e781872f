/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "certrotate/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    RETRY_MS = 1000, /* while what is on disk cannot be used */
    LOSS_MS = 500,   /* so long a set must have been without its CA bundle or CRLs to be believed */
    TOLD_MAX = 16,   /* texts of errors that are remembered */
    PATHS_MAX = 6,   /* the directory, and five files */
};

struct follow {
    uv_loop_t *loop;
    struct watch *watch;
    uv_timer_t retry;
    bool stopped;
    struct follow_options options; /* strings are our own */
    char *strings[PATHS_MAX];
    struct credentials *current; /* what was handed out last */
    bool tried;                  /* and tried_hash is that of what was read last */
    uint8_t tried_hash[32];
    enum credentials_fault fault; /* what came of it */
    bool losing;                  /* waiting whether it stays without CA bundle or CRLs */
    uint64_t told[TOLD_MAX];      /* hashes of the texts that were told since the last good set */
    size_t told_count;
    struct follow_stats stats;
};

/* --- errors, each told once --- */

static uint64_t hash_text(const char *text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    return h;
}

static void tell(struct follow *f, const struct credentials_error *error)
{
    uint64_t hash = hash_text(error->text);
    size_t known = f->told_count < TOLD_MAX ? f->told_count : TOLD_MAX;
    for (size_t i = 0; i < known; i++)
        if (f->told[i] == hash)
            return;
    f->told[f->told_count++ % TOLD_MAX] = hash;
    f->stats.failures++;
    f->options.failed(error, f->options.arg);
}

/* --- reading --- */

static void check(struct follow *f, bool waited);

static void on_retry(uv_timer_t *timer)
{
    struct follow *f = timer->data;
    check(f, f->losing);
}

static void retry_in(struct follow *f, unsigned ms)
{
    if (!uv_is_active((uv_handle_t *)&f->retry))
        uv_timer_start(&f->retry, on_retry, ms, 0);
}

/* Whether C lacks what the set in service has: perhaps only because someone is about to write it. */
static bool loses(const struct follow *f, const struct credentials *c)
{
    return f->current &&
           ((f->current->root_count > 0 && c->root_count == 0) || (f->current->crls && !c->crls));
}

/* Faults that may mend themselves although no file changes. */
static bool may_pass(enum credentials_fault fault)
{
    return fault == CREDENTIALS_EXPIRED || fault == CREDENTIALS_NOT_YET_VALID ||
           fault == CREDENTIALS_UNREADABLE;
}

static void hand_out(struct follow *f, struct credentials *c)
{
    struct credentials *old = f->current;
    f->told_count = 0;
    f->losing = f->stats.failing = false;
    uv_timer_stop(&f->retry);
    if (old && memcmp(old->hash, c->hash, sizeof c->hash) == 0) {
        /* Back to what is in service. */
        credentials_unref(c);
        return;
    }
    f->current = c;
    f->stats.loads++;
    f->options.loaded(c, f->options.arg);
    credentials_unref(old);
}

/* Nothing could be seen: that says nothing about what is on disk. */
static void starve(struct follow *f, const struct credentials_error *error)
{
    f->tried = false;
    retry_in(f, RETRY_MS);
    tell(f, error);
}

static void load(struct follow *f, bool waited)
{
    struct credentials_error error;
    struct credentials *c = credentials_load(&f->options.source, (int64_t)time(NULL), &error);
    if (error.fault == CREDENTIALS_NO_DESCRIPTORS && f->current) {
        starve(f, &error);
        return;
    }
    f->fault = error.fault;
    if (!c) {
        f->losing = false;
        f->stats.failing = true;
        retry_in(f, RETRY_MS);
        tell(f, &error);
        return;
    }
    f->tried = true;
    memcpy(f->tried_hash, c->hash, sizeof f->tried_hash);
    if (loses(f, c) && !(waited && f->losing)) {
        f->losing = true;
        uv_timer_start(&f->retry, on_retry, LOSS_MS, 0);
        credentials_unref(c);
        return;
    }
    hand_out(f, c);
}

/* Reads if there is something new, or the last attempt may fare better now. WAITED: a loss has lasted. */
static void check(struct follow *f, bool waited)
{
    uint8_t hash[32];
    struct credentials_error error;
    if (!f->tried) {
        load(f, false);
        return;
    }
    credentials_peek(&f->options.source, hash, &error);
    if (error.fault == CREDENTIALS_NO_DESCRIPTORS && f->current) {
        starve(f, &error);
        return;
    }
    bool same = memcmp(hash, f->tried_hash, sizeof hash) == 0;
    if (f->losing && !same)
        waited = false;
    memcpy(f->tried_hash, hash, sizeof hash);
    if (!same || waited || (f->stats.failing && may_pass(f->fault)))
        load(f, waited);
    else if (f->stats.failing)
        retry_in(f, RETRY_MS);
}

static void on_changed(void *arg)
{
    check(arg, false);
}

/* --- life --- */

static void free_follow(struct follow *f)
{
    for (size_t i = 0; i < PATHS_MAX; i++)
        free(f->strings[i]);
    credentials_unref(f->current);
    free(f);
}

static void on_closed(uv_handle_t *handle)
{
    free_follow(handle->data);
}

static bool copy_source(struct follow *f)
{
    struct credentials_source *source = &f->options.source;
    const char **fields[PATHS_MAX] = {&source->directory, &source->certificate, &source->key,
                                      &source->ca,        &source->crl,         &source->password};
    for (size_t i = 0; i < PATHS_MAX; i++) {
        if (!*fields[i])
            continue;
        f->strings[i] = strdup(*fields[i]);
        if (!f->strings[i])
            return false;
        *fields[i] = f->strings[i];
    }
    return true;
}

/* Watches the directory and every file that may lie elsewhere. */
static int start_watch(struct follow *f)
{
    const struct credentials_source *source = &f->options.source;
    char joined[PATHS_MAX][4096];
    const char *paths[PATHS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < PATHS_MAX; i++) {
        const char *name = f->strings[i];
        if (!name)
            continue;
        bool within = i > 0 && source->directory && name[0] != '/';
        int n = snprintf(joined[i], sizeof joined[i], "%s%s%s", within ? source->directory : "",
                         within ? "/" : "", name);
        if (n < 0 || (size_t)n >= sizeof joined[i])
            return UV_ENAMETOOLONG;
        paths[count++] = joined[i];
    }
    struct watch_options options = {.paths = paths,
                                    .path_count = count,
                                    .poll_ms = f->options.poll_ms,
                                    .debounce_ms = f->options.debounce_ms,
                                    .poll_only = f->options.poll_only,
                                    .notify = f->options.notify,
                                    .changed = on_changed,
                                    .arg = f};
    return watch_start(f->loop, &options, &f->watch);
}

int follow_start(uv_loop_t *loop, const struct follow_options *options, struct follow **out)
{
    struct follow *f = calloc(1, sizeof *f);
    *out = NULL;
    if (!f)
        return UV_ENOMEM;
    f->loop = loop;
    f->options = *options;
    /* The watch comes first: what changes while the first set is read is seen. */
    int error = copy_source(f) ? start_watch(f) : UV_ENOMEM;
    if (error < 0) {
        free_follow(f);
        return error;
    }
    uv_timer_init(loop, &f->retry);
    f->retry.data = f;
    *out = f;
    check(f, false);
    return 0;
}

void follow_poke(struct follow *f)
{
    if (f && !f->stopped)
        check(f, false);
}

struct follow_stats follow_stats(const struct follow *f)
{
    return f->stats;
}

void follow_stop(struct follow *f)
{
    if (!f || f->stopped)
        return;
    f->stopped = true;
    watch_stop(f->watch);
    uv_close((uv_handle_t *)&f->retry, on_closed);
}
