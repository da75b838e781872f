/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/json_tree.h"

#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX = 64 };

static char *text_of(struct rules_arena *arena, const struct json *json, size_t *size)
{
    char *text = rules_arena_take(arena, json->size + 1);
    if (text)
        *size = json_unescape(json, (uint8_t *)text);
    return text;
}

static double number_of(const struct json *json)
{
    char text[NUMBER_MAX];
    if (json->size >= sizeof text)
        return 0;
    memcpy(text, json->text, json->size);
    text[json->size] = '\0';
    return strtod(text, NULL);
}

static bool fill(struct json_node *node, struct rules_arena *arena, const struct json *json,
                 enum json_event event)
{
    node->kind = event;
    node->text = "";
    if (event == JSON_STRING)
        node->text = text_of(arena, json, &node->size);
    else if (event == JSON_NUMBER)
        node->number = number_of(json);
    return node->text != NULL;
}

const struct json_node *json_tree(struct rules_arena *arena, const void *text, size_t size,
                                  const char **error)
{
    struct json json;
    const struct json_node *root = NULL, **link[JSON_DEPTH_MAX + 1]; /* where the next one belongs */
    unsigned depth = 0;
    const char *key = "";
    for (unsigned i = 0; i <= JSON_DEPTH_MAX; i++)
        link[i] = &root;
    json_start(&json, text, size);
    for (;;) {
        enum json_event event = json_next(&json);
        size_t key_size;
        if (event == JSON_END)
            return root;
        if (event == JSON_BAD) {
            *error = json.error ? json.error : "not JSON";
            return NULL;
        }
        if (event == JSON_OBJECT_END || event == JSON_ARRAY_END) {
            depth--;
            continue;
        }
        if (event == JSON_KEY) {
            key = text_of(arena, &json, &key_size);
            if (key == NULL)
                break;
            continue;
        }
        struct json_node *node = rules_arena_take(arena, sizeof *node);
        if (node == NULL || !fill(node, arena, &json, event))
            break;
        node->key = key;
        key = "";
        *link[depth] = node;
        link[depth] = &node->next;
        if (event == JSON_OBJECT || event == JSON_ARRAY)
            link[++depth] = &node->child;
    }
    *error = "out of memory";
    return NULL;
}

const struct json_node *json_get(const struct json_node *node, const char *key)
{
    if (node == NULL || node->kind != JSON_OBJECT)
        return NULL;
    node = node->child;
    while (node && strcmp(node->key, key) != 0)
        node = node->next;
    return node;
}

const char *json_text_of(const struct json_node *node, const char *key)
{
    const struct json_node *member = json_get(node, key);
    return member ? member->text : "";
}

double json_number_of(const struct json_node *node, const char *key)
{
    const struct json_node *member = json_get(node, key);
    return member ? member->number : 0;
}

bool json_true_of(const struct json_node *node, const char *key)
{
    const struct json_node *member = json_get(node, key);
    return member && member->kind == JSON_TRUE;
}

const struct json_node *json_items_of(const struct json_node *node, const char *key)
{
    const struct json_node *member = json_get(node, key);
    return member && member->kind == JSON_ARRAY ? member->child : NULL;
}
