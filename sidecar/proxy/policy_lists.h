/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The [list NAME] sections of a configuration, each made ready for every way in which rules use it. */
#ifndef SIDECAR_PROXY_POLICY_LISTS_H
#define SIDECAR_PROXY_POLICY_LISTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "sidecar/rules/list.h"

struct policy_lists;

/* Told of a mistake in the list called NAME, once for each list; NAME NULL: memory is out. */
typedef void (*policy_lists_tell_fn)(void *arg, struct config_place place, size_t length, const char *name,
                                     const char *message);

/* Of CONFIG, which must outlive it; reads nothing yet. TELL is called only until policy_lists_read() ends. */
struct policy_lists *policy_lists_new(const struct config *config, policy_lists_tell_fn tell, void *arg)
    __attribute__((warn_unused_result));
void policy_lists_free(struct policy_lists *lists); /* NULL is fine */

/* As struct rules_env wants it, with the struct policy_lists as ARG. */
const struct rules_list *policy_lists_find(void *arg, const char *name, size_t size, uint32_t type,
                                           int field);

/*
 * Reads those of a declared kind that no rule has asked for: a mistake in them is one all the same. False:
 * some have no name, as config/ has told.
 */
bool policy_lists_read(struct policy_lists *lists);

/* Members of list number INDEX; 0 while nobody has asked for it. */
size_t policy_lists_entries(const struct policy_lists *lists, size_t index);

/*
 * Whether the file of some list has another content now than the one that was read; NOW stands for what all
 * of them hold. A file that cannot be read has changed, too.
 */
bool policy_lists_changed(const struct policy_lists *lists, uint64_t *now);

size_t policy_lists_memory(const struct policy_lists *lists); /* bytes held */

#endif
