/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sets of integers, addresses and byte strings: { ... } of an expression, and what lists are made of. */
#include <stdlib.h>
#include <string.h>

#include "sidecar/rules/internal.h"

enum { LINEAR_MOST = 4 };

static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load(const uint8_t *data, size_t size)
{
    uint64_t word = 0;
    memcpy(&word, data, size);
    return word;
}

uint64_t rules_hash(const uint8_t *data, size_t size)
{
    uint64_t hash = 0x9e3779b97f4a7c15u ^ size;
    for (; size >= 16; data += 16, size -= 16)
        hash = mix(load(data, 8) ^ 0xa0761d6478bd642fu, load(data + 8, 8) ^ hash);
    uint64_t a = 0, b = 0;
    if (size >= 8) {
        a = load(data, 8);
        b = load(data + 8, size - 8);
    } else if (size > 0) {
        a = load(data, size);
    }
    hash = mix(a ^ 0xe7037ed1a0b428dbu, b ^ hash);
    return mix(hash, 0x8ebc6af09c88c6e3u);
}

static int by_int(const void *a, const void *b)
{
    int64_t x = ((const struct int_range *)a)->low, y = ((const struct int_range *)b)->low;
    return x < y ? -1 : x > y;
}

static int by_v4(const void *a, const void *b)
{
    uint32_t x = ((const struct v4_range *)a)->low, y = ((const struct v4_range *)b)->low;
    return x < y ? -1 : x > y;
}

static int by_v6(const void *a, const void *b)
{
    unsigned __int128 x = ((const struct v6_range *)a)->low, y = ((const struct v6_range *)b)->low;
    return x < y ? -1 : x > y;
}

/* Sorts ranges and joins those that overlap or touch; most files come sorted already. */
#define SORT_RANGES(item, count, most, compare)                                                       \
    do {                                                                                              \
        size_t n = 0;                                                                                 \
        bool sorted = true;                                                                           \
        for (size_t i = 1; i < (count) && sorted; i++)                                                \
            sorted = (item)[i - 1].low <= (item)[i].low;                                              \
        if (!sorted)                                                                                  \
            qsort(item, count, sizeof *(item), compare);                                              \
        for (size_t i = 0; i < (count); i++) {                                                        \
            if (n > 0 && ((item)[n - 1].high == (most) || (item)[i].low <= (item)[n - 1].high + 1)) { \
                if ((item)[i].high > (item)[n - 1].high)                                              \
                    (item)[n - 1].high = (item)[i].high;                                              \
            } else {                                                                                  \
                (item)[n++] = (item)[i];                                                              \
            }                                                                                         \
        }                                                                                             \
        (count) = n;                                                                                  \
    } while (0)

void set_int_sort(struct int_set *set)
{
    SORT_RANGES(set->item, set->count, INT64_MAX, by_int);
}

void set_ip_sort(struct ip_set *set)
{
    SORT_RANGES(set->v4, set->v4_count, UINT32_MAX, by_v4);
    SORT_RANGES(set->v6, set->v6_count, ~(unsigned __int128)0, by_v6);
}

/* Binary search without a branch that can be mispredicted: the last range that begins at or below VALUE. */
#define FIND_RANGE(item, count, value, found)                                          \
    do {                                                                               \
        size_t base = 0, left = (count);                                               \
        while (left > 1) {                                                             \
            size_t half = left / 2;                                                    \
            base = (item)[base + half].low <= (value) ? base + half : base;            \
            left -= half;                                                              \
        }                                                                              \
        (found) = left && (item)[base].low <= (value) && (value) <= (item)[base].high; \
    } while (0)

bool set_int_has(const struct int_set *set, int64_t value)
{
    bool found;
    FIND_RANGE(set->item, set->count, value, found);
    return found;
}

bool set_ip_has(const struct ip_set *set, const struct rules_ip *ip)
{
    bool found;
    if (ip->family == 4) {
        uint32_t v4 = rules_ip_v4(ip);
        FIND_RANGE(set->v4, set->v4_count, v4, found);
    } else {
        unsigned __int128 v6 = rules_ip_v6(ip);
        FIND_RANGE(set->v6, set->v6_count, v6, found);
    }
    return found;
}

size_t set_bytes_slots(size_t count)
{
    size_t slots = 8;
    while (slots < count * 2)
        slots *= 2;
    return slots;
}

static bool same(struct rules_bytes item, const uint8_t *data, size_t size)
{
    return item.size == size && (size == 0 || memcmp(item.data, data, size) == 0);
}

/* The number of the item, or SIZE_MAX with *FREE_SLOT where it would go. */
static size_t find(const struct bytes_set *set, uint64_t hash, const uint8_t *data, size_t size,
                   size_t *free_slot)
{
    for (size_t i = hash & set->mask;; i = (i + 1) & set->mask) {
        uint64_t slot = set->slot[i];
        if (slot == 0) {
            *free_slot = i;
            return SIZE_MAX;
        }
        if (slot >> 32 == hash >> 32 && same(set->item[(uint32_t)slot - 1], data, size))
            return (uint32_t)slot - 1;
    }
}

void set_bytes_fill(struct bytes_set *set, uint64_t *slot, size_t mask)
{
    size_t kept = 0;
    set->slot = slot;
    set->mask = mask;
    for (size_t i = 0; i < set->count; i++) {
        struct rules_bytes item = set->item[i];
        uint64_t hash = rules_hash(item.data, item.size);
        size_t at;
        if (find(set, hash, item.data, item.size, &at) != SIZE_MAX)
            continue;
        set->item[kept++] = item;
        slot[at] = (hash >> 32) << 32 | kept;
    }
    set->count = kept;
}

bool set_bytes_has(const struct bytes_set *set, const uint8_t *data, size_t size)
{
    if (set->slot) {
        size_t at;
        return find(set, rules_hash(data, size), data, size, &at) != SIZE_MAX;
    }
    for (size_t i = 0; i < set->count; i++)
        if (same(set->item[i], data, size))
            return true;
    return false;
}

static int by_bytes(const void *a, const void *b)
{
    return rules_bytes_compare(*(const struct rules_bytes *)a, *(const struct rules_bytes *)b);
}

/* Moves what BUFFER holds into the arena. */
static void *settle(struct parser *p, struct rules_buffer *buffer)
{
    void *settled = buffer->failed ? NULL : rules_arena_copy(&p->program->arena, buffer->data, buffer->size);
    if (!settled)
        parser_set_no_memory(p);
    return settled;
}

static bool finish_strings(struct parser *p, struct rules_buffer *items, struct node *compare)
{
    struct bytes_set *set = rules_arena_take(&p->program->arena, sizeof *set);
    if (!set)
        return parser_no_memory(p);
    set->item = settle(p, items);
    if (!set->item)
        return false;
    set->count = items->size / sizeof *set->item;
    qsort(set->item, set->count, sizeof *set->item, by_bytes);
    if (set->count > LINEAR_MOST) {
        size_t slots = set_bytes_slots(set->count);
        uint64_t *slot = rules_arena_take(&p->program->arena, slots * sizeof *slot);
        if (!slot)
            return parser_no_memory(p);
        set_bytes_fill(set, slot, slots - 1);
    } else {
        size_t kept = 0;
        for (size_t i = 0; i < set->count; i++)
            if (kept == 0 || rules_bytes_compare(set->item[kept - 1], set->item[i]) != 0)
                set->item[kept++] = set->item[i];
        set->count = kept;
    }
    compare->compare.strings = set;
    return true;
}

static bool finish_ints(struct parser *p, struct rules_buffer *items, struct node *compare)
{
    struct int_set *set = rules_arena_take(&p->program->arena, sizeof *set);
    if (!set)
        return parser_no_memory(p);
    set->item = settle(p, items);
    if (!set->item)
        return false;
    set->count = items->size / sizeof *set->item;
    set_int_sort(set);
    compare->compare.ints = set;
    return true;
}

static bool finish_ips(struct parser *p, struct rules_buffer *v4, struct rules_buffer *v6,
                       struct node *compare)
{
    struct ip_set *set = rules_arena_take(&p->program->arena, sizeof *set);
    if (!set)
        return parser_no_memory(p);
    set->v4 = settle(p, v4);
    set->v6 = settle(p, v6);
    if (!set->v4 || !set->v6)
        return false;
    set->v4_count = v4->size / sizeof *set->v4;
    set->v6_count = v6->size / sizeof *set->v6;
    set_ip_sort(set);
    compare->compare.ips = set;
    return true;
}

static bool item_string(struct parser *p, struct rules_buffer *items)
{
    struct rules_bytes bytes;
    if (!lex_string(p, true, &bytes))
        return false;
    rules_buffer_add(items, &bytes, sizeof bytes);
    return true;
}

static bool item_int(struct parser *p, struct rules_buffer *items)
{
    size_t at = p->at;
    struct int_range range;
    if (!lex_int(p, &range.low))
        return false;
    range.high = range.low;
    if (lex_take(p, "..") && !lex_int(p, &range.high))
        return false;
    if (range.high < range.low)
        return parser_fail(p, RULES_INCOMPATIBLE_RANGE_BOUNDS, at, p->at - at,
                           "the ends of the range are reversed");
    rules_buffer_add(items, &range, sizeof range);
    return true;
}

static bool item_ip(struct parser *p, struct rules_buffer *items, struct rules_buffer *items6)
{
    struct rules_ip low, high;
    if (!lex_ip_item(p, &low, &high))
        return false;
    if (low.family == 4) {
        struct v4_range range = {rules_ip_v4(&low), rules_ip_v4(&high)};
        rules_buffer_add(items, &range, sizeof range);
    } else {
        struct v6_range range = {rules_ip_v6(&low), rules_ip_v6(&high)};
        rules_buffer_add(items6, &range, sizeof range);
    }
    return true;
}

bool lex_set(struct parser *p, struct node *compare)
{
    uint32_t type = compare->compare.left->type;
    struct rules_buffer items = {0}, items6 = {0};
    size_t start = p->at++;
    bool ok = true;
    for (;;) {
        lex_space(p);
        if (lex_take(p, "}"))
            break;
        if (p->at == p->end) {
            ok = parser_fail(p, RULES_EXPECTED_LITERAL, start, p->end - start, "the set has no closing }");
            break;
        }
        if (lex_peek(p, ",")) {
            ok = parser_fail(p, RULES_EXPECTED_NAME, p->at, 1,
                             "the members of a set are separated by blanks, not by commas");
            break;
        }
        ok = type == RULES_BYTES ? item_string(p, &items)
             : type == RULES_INT ? item_int(p, &items)
                                 : item_ip(p, &items, &items6);
        if (!ok)
            break;
    }
    if (ok)
        ok = type == RULES_BYTES ? finish_strings(p, &items, compare)
             : type == RULES_INT ? finish_ints(p, &items, compare)
                                 : finish_ips(p, &items, &items6, compare);
    rules_buffer_free(&items);
    rules_buffer_free(&items6);
    return ok;
}
