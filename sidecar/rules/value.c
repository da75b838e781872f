/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/rules/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int rules_bytes_compare(struct rules_bytes a, struct rules_bytes b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size ? memcmp(a.data, b.data, size) : 0;
    if (order)
        return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

const struct rules_value *rules_map_find(const struct rules_map *map, const uint8_t *key, size_t size)
{
    size_t low = 0, high = map->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = rules_bytes_compare(map->entry[middle].key, (struct rules_bytes){key, size});
        if (order == 0)
            return &map->entry[middle].value;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* A heap sort: no allocation, and no quadratic case for a hostile order. */
static void sift(struct rules_entry *entry, size_t root, size_t count)
{
    for (;;) {
        size_t child = 2 * root + 1;
        if (child >= count)
            return;
        if (child + 1 < count && rules_bytes_compare(entry[child].key, entry[child + 1].key) < 0)
            child++;
        if (rules_bytes_compare(entry[root].key, entry[child].key) >= 0)
            return;
        struct rules_entry swap = entry[root];
        entry[root] = entry[child];
        entry[child] = swap;
        root = child;
    }
}

size_t rules_map_sort(struct rules_entry *entry, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        sift(entry, i, count);
    for (size_t i = count; i-- > 1;) {
        struct rules_entry swap = entry[0];
        entry[0] = entry[i];
        entry[i] = swap;
        sift(entry, 0, i);
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && rules_bytes_compare(entry[kept - 1].key, entry[i].key) == 0)
            continue;
        entry[kept++] = entry[i];
    }
    return kept;
}

bool rules_value_equal(const struct rules_value *a, const struct rules_value *b)
{
    if (a->type != b->type)
        return false;
    switch (rules_type_layer(a->type)) {
    case RULES_ARRAY:
        if (a->array.count != b->array.count)
            return false;
        for (size_t i = 0; i < a->array.count; i++)
            if (!rules_value_equal(&a->array.item[i], &b->array.item[i]))
                return false;
        return true;
    case RULES_MAP:
        if (a->map.count != b->map.count)
            return false;
        for (size_t i = 0; i < a->map.count; i++)
            if (rules_bytes_compare(a->map.entry[i].key, b->map.entry[i].key) != 0 ||
                !rules_value_equal(&a->map.entry[i].value, &b->map.entry[i].value))
                return false;
        return true;
    case RULES_NO_LAYER: break;
    }
    switch (a->type) {
    case RULES_BOOL: return a->boolean == b->boolean;
    case RULES_INT: return a->integer == b->integer;
    case RULES_BYTES:
        return a->bytes.size == b->bytes.size &&
               (a->bytes.size == 0 || memcmp(a->bytes.data, b->bytes.data, a->bytes.size) == 0);
    case RULES_IP: return rules_ip_compare(&a->ip, &b->ip) == 0;
    default: return true;
    }
}

char *rules_type_text(uint32_t type, char *out, size_t size)
{
    static const char *const base[] = {"missing", "Bool", "Int", "Bytes", "Ip"};
    size_t n = 0;
    int layers = 0;
    for (; rules_type_layer(type); type = rules_type_inner(type), layers++) {
        int more =
            snprintf(out + n, size - n, "%s", rules_type_layer(type) == RULES_ARRAY ? "Array(" : "Map(");
        n += (size_t)more < size - n ? (size_t)more : size - n - 1;
    }
    snprintf(out + n, size - n, "%s%.*s", base[(type & 15) <= RULES_IP ? type & 15 : 0], layers,
             "))))))))))))))");
    return out;
}
