/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A JSON text as a tree in an arena, by the strict reader of sidecar/rules/json.h: for answers that are
 * looked at more than once. */
#ifndef SIDECAR_JSON_TREE_H
#define SIDECAR_JSON_TREE_H

#include "sidecar/rules/json.h"
#include "sidecar/rules/memory.h"

struct json_node {
    enum json_event kind; /* JSON_OBJECT, ARRAY, STRING, NUMBER, TRUE, FALSE or NULL */
    const char *key;      /* of an object's member; else "" */
    const char *text;     /* of STRING: without escapes, ends in a zero byte and may have others; else "" */
    size_t size;          /* of the text */
    double number;
    const struct json_node *child, *next; /* members and items, in order */
};

/* NULL: *ERROR says why. */
const struct json_node *json_tree(struct rules_arena *arena, const void *text, size_t size,
                                  const char **error);

/* The member; NULL where there is none or NODE is no object (NULL is fine). */
const struct json_node *json_get(const struct json_node *node, const char *key);
/* What such a member is; "", 0, false and NULL where it is absent or another kind. */
const char *json_text_of(const struct json_node *node, const char *key);
double json_number_of(const struct json_node *node, const char *key);
bool json_true_of(const struct json_node *node, const char *key);
/* Its first item. */
const struct json_node *json_items_of(const struct json_node *node, const char *key);

#endif
