/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The credentials that a configuration names, each followed on disk: [tls] first, then every [ca NAME]. Main
 * thread only.
 */
#ifndef SIDECAR_PROXY_SOURCES_H
#define SIDECAR_PROXY_SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "certrotate/watch.h"
#include "config/config.h"

struct sources;

struct sources_calls {
    /* A new valid set came, or the first. */
    void (*loaded)(void *arg, const struct sources *sources, size_t index);
    /* What is on disk cannot be used; what was loaded before stays. */
    void (*failed)(void *arg, const struct sources *sources, size_t index,
                   const struct credentials_error *error);
};

/*
 * Reads and follows all sources of CONFIG, which must outlive this. A source that OLD (or NULL) follows as
 * well starts with what OLD has, should its files be unusable right now. CALLS may come before it returns.
 * NULL with *ERROR a negative UV_ error.
 */
struct sources *sources_start(uv_loop_t *loop, struct notify *notify, const struct config *config,
                              const struct sources *old, const struct sources_calls *calls, void *arg,
                              int *error) __attribute__((warn_unused_result));
void sources_stop(struct sources *sources); /* freed at once; NULL is fine */
/* Follows them no more: what is loaded stays, and no call comes. */
void sources_unfollow(struct sources *sources);

/* Where source INDEX reads: 0 is [tls], 1 + i config->ca[i]. Strings are the configuration's. */
struct credentials_source sources_where(const struct config *config, size_t index);

size_t sources_count(const struct sources *sources);
/* "[tls]" or "[ca NAME]". */
const char *sources_name(const struct sources *sources, size_t index);
/* What is loaded, in order; an item is NULL where nothing valid has come yet. Borrowed. */
struct credentials *const *sources_credentials(const struct sources *sources);
bool sources_complete(const struct sources *sources);
/* Whether what is on disk now can be used. */
bool sources_failing(const struct sources *sources, size_t index);

#endif
