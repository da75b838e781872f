/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Named lists ($name): built once, then immutable and shared by all threads. Looking up costs O(1) (strings,
 * fingerprints, serials) or O(log n) (integers, addresses), whatever the size.
 */
#ifndef SIDECAR_RULES_LIST_H
#define SIDECAR_RULES_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sidecar/rules/value.h"

enum rules_list_kind {
    RULES_LIST_STRINGS,
    RULES_LIST_INTEGERS,     /* each one or LOW..HIGH */
    RULES_LIST_IPS,          /* addresses, networks, ranges */
    RULES_LIST_FINGERPRINTS, /* hex, compared without case and colons */
    RULES_LIST_SERIALS,      /* hex, compared without case, colons, leading zeros and 0x */
};

struct rules_list;

/* The kind that suits a left side of TYPE that is the standard field numbered FIELD (or -1). */
enum rules_list_kind rules_list_kind_for(uint32_t type, int field);

/* An empty list to add to; NULL without memory. */
struct rules_list *rules_list_new(enum rules_list_kind kind) __attribute__((warn_unused_result));
void rules_list_free(struct rules_list *list);

/*
 * Adds one member from its text. Returns NULL or what is wrong with it in words (a static string).
 */
const char *rules_list_add(struct rules_list *list, const char *text, size_t size)
    __attribute__((warn_unused_result));

/*
 * Adds every line of a text; blanks around a member, empty lines and lines that begin with # are passed over,
 * and so is, but for strings, what follows a blank and a #. On the first bad line returns what is wrong with
 * it, and its number from 1 in *LINE.
 */
const char *rules_list_add_lines(struct rules_list *list, const char *text, size_t size, size_t *line)
    __attribute__((warn_unused_result));

/* Makes it ready to be looked up in; nothing may be added afterwards. False without memory. */
bool rules_list_finish(struct rules_list *list) __attribute__((warn_unused_result));

/* Whether VALUE is a member. A value of another type is none. */
bool rules_list_has(const struct rules_list *list, const struct rules_value *value);

enum rules_list_kind rules_list_kind(const struct rules_list *list);
uint32_t rules_list_type(const struct rules_list *list); /* of the values that can be members */
size_t
rules_list_count(const struct rules_list *list); /* members; of ranges, the ranges left after merging */
size_t rules_list_memory(const struct rules_list *list); /* bytes held */

#endif
