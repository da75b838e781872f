/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Types and values of the rule language. A value points into memory of whoever made it and owns nothing.
 */
#ifndef SIDECAR_RULES_VALUE_H
#define SIDECAR_RULES_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sidecar/rules/ip.h"

/*
 * A type: one of these in the low four bits; above them, two bits for each layer around it, the outermost
 * layer lowest. RULES_MISSING is the type of a value that is not there, RULES_TOO_LARGE that of a field's
 * value which could not be held: it is missing too, and whatever depends on it is in doubt.
 */
enum rules_base { RULES_MISSING, RULES_BOOL, RULES_INT, RULES_BYTES, RULES_IP, RULES_TOO_LARGE = 15 };
enum rules_layer { RULES_NO_LAYER, RULES_ARRAY, RULES_MAP };

enum { RULES_LAYERS_MAX = 8 };

#define RULES_LAYER_OF(layer, t) ((uint32_t)(((t)&15u) | ((((t) >> 4) << 2) | (layer)) << 4))
#define RULES_ARRAY_OF(t) RULES_LAYER_OF(1u, t)
#define RULES_MAP_OF(t) RULES_LAYER_OF(2u, t)

/* The outermost layer of a type, and the type within it. */
static inline enum rules_layer rules_type_layer(uint32_t type)
{
    return (enum rules_layer)((type >> 4) & 3);
}

static inline uint32_t rules_type_inner(uint32_t type)
{
    return (type & 15) | ((type >> 6) << 4);
}

struct rules_bytes {
    const uint8_t *data;
    size_t size;
};

struct rules_array {
    const struct rules_value *item; /* none is missing */
    size_t count;
};

/* Entries are unique and in ascending byte order of their keys. */
struct rules_map {
    const struct rules_entry *entry;
    size_t count;
};

struct rules_value {
    uint32_t type;
    union {
        bool boolean;
        int64_t integer;
        struct rules_bytes bytes;
        struct rules_ip ip;
        struct rules_array array;
        struct rules_map map;
    };
};

struct rules_entry {
    struct rules_bytes key;
    struct rules_value value;
};

static inline struct rules_value rules_bool(bool boolean)
{
    return (struct rules_value){.type = RULES_BOOL, .boolean = boolean};
}

static inline struct rules_value rules_int(int64_t integer)
{
    return (struct rules_value){.type = RULES_INT, .integer = integer};
}

static inline struct rules_value rules_bytes(const void *data, size_t size)
{
    return (struct rules_value){.type = RULES_BYTES, .bytes = {(const uint8_t *)data, size}};
}

static inline struct rules_value rules_ip(struct rules_ip ip)
{
    return (struct rules_value){.type = RULES_IP, .ip = ip};
}

static inline bool rules_missing(const struct rules_value *value)
{
    return value->type == RULES_MISSING;
}

/* Byte-wise order; a proper prefix is smaller. */
int rules_bytes_compare(struct rules_bytes a, struct rules_bytes b);

/* The value of a key, or NULL. */
const struct rules_value *rules_map_find(const struct rules_map *map, const uint8_t *key, size_t size);

/* Sorts entries by key; of those with one key the first stays. Returns how many are left. */
size_t rules_map_sort(struct rules_entry *entry, size_t count);

/* Equal type and content, element by element. */
bool rules_value_equal(const struct rules_value *a, const struct rules_value *b);

/* "Array(Bytes)". Writes at most SIZE bytes with a final zero; returns OUT. */
enum { RULES_TYPE_TEXT = 64 };
char *rules_type_text(uint32_t type, char *out, size_t size);

#endif
