/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is said again is found by a hash of lengths and edges: values may be long (a certificate), and those
 * of one length that differ in the middle alone are told apart by comparing them. Of HPACK_WINDOW slots from
 * the hash on one has the number of the entry, if it is there at all; that it is overlooked costs some bytes.
 *
 * Two kinds of fields are kept out of the table, as they would push out what is in use: those whose name is
 * there with a value that never came again (request ids), and large ones before which another large one that
 * is in use would have to go (certificates that do not fit in together).
 */
#include <string.h>

#include "sidecar/http/hpack.h"

enum {
    TABLE_DEFAULT = 4096,
    LARGE_SHIFT = 3, /* an eighth of the table is large */
    RECENT = 8,      /* blocks for which an entry is in use that was said */
};

void hpack_encoder_init(struct hpack_encoder *e, uint32_t limit)
{
    *e = (struct hpack_encoder){.table.max = TABLE_DEFAULT, .limit = limit};
    if (limit < TABLE_DEFAULT)
        hpack_encoder_limit(e, limit, limit);
}

void hpack_encoder_clear(struct hpack_encoder *e)
{
    hpack_table_clear(&e->table);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

void hpack_encoder_limit(struct hpack_encoder *e, uint32_t smallest, uint32_t size)
{
    smallest = least(smallest, e->limit);
    size = least(size, e->limit);
    if (!e->tell && smallest >= e->table.max && size == e->table.max)
        return;
    e->smallest = e->tell ? least(e->smallest, smallest) : smallest;
    e->tell = true;
    hpack_table_limit(&e->table, smallest);
    hpack_table_limit(&e->table, size);
}

/* --- finding --- */

/* Up to eight bytes at either end. */
static uint64_t edges(struct http_str s)
{
    uint64_t a = 0, b = 0;
    if (s.n >= 8) {
        memcpy(&a, s.p, 8);
        memcpy(&b, s.p + s.n - 8, 8);
    } else if (s.n >= 4) {
        memcpy(&a, s.p, 4);
        memcpy(&b, s.p + s.n - 4, 4);
    } else if (s.n) {
        a = (uint8_t)s.p[0];
        b = (uint64_t)(uint8_t)s.p[s.n / 2] << 8 | (uint8_t)s.p[s.n - 1];
    }
    return (a ^ b << 29 ^ b >> 35) + s.n;
}

static uint32_t mix(uint64_t a, uint64_t b)
{
    uint64_t h = (a ^ (b << 17 | b >> 47)) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(h >> 32 ^ h >> 15);
}

static bool is(const struct hpack_table *t, const struct hpack_entry *entry, struct http_str name)
{
    return entry->name == name.n && memcmp(t->text + entry->at, name.p, name.n) == 0;
}

static bool has(const struct hpack_table *t, const struct hpack_entry *entry, struct http_str value)
{
    return entry->value == value.n &&
           (!value.n || memcmp(t->text + entry->at + entry->name, value.p, value.n) == 0);
}

/* Of the static table; 0: none. But for one, the names that have values there are those of pseudo-header
 * fields. */
static unsigned find_static(struct http_str name, struct http_str value)
{
    if (!name.n || name.p[0] != ':')
        return 0;
    for (unsigned i = hpack_static_find(name); i && hpack_static[i].value.n; i++) {
        const struct hpack_static *s = &hpack_static[i];
        if (s->name.n != name.n || memcmp(s->name.p, name.p, name.n) != 0)
            break;
        if (s->value.n == value.n && memcmp(s->value.p, value.p, value.n) == 0)
            return i;
    }
    return 0;
}

static struct hpack_entry *find(const struct hpack_encoder *e, uint32_t hash, struct http_str name,
                                struct http_str value, uint32_t *number)
{
    const struct hpack_table *t = &e->table;
    for (uint32_t i = 0; i < HPACK_WINDOW; i++) {
        *number = e->slots[(hash + i) % HPACK_SLOTS];
        if (!hpack_lives(t, *number))
            continue;
        struct hpack_entry *entry = hpack_entry(t, *number);
        if (entry->hash == hash && is(t, entry, name) && has(t, entry, value))
            return entry;
    }
    return NULL;
}

static struct hpack_entry *find_name(const struct hpack_encoder *e, uint32_t hash, struct http_str name,
                                     uint32_t *number)
{
    const struct hpack_table *t = &e->table;
    for (uint32_t i = 0; i < HPACK_WINDOW; i++) {
        *number = e->names[(hash + i) % HPACK_SLOTS];
        if (!hpack_lives(t, *number))
            continue;
        struct hpack_entry *entry = hpack_entry(t, *number);
        if (entry->name_hash == hash && is(t, entry, name))
            return entry;
    }
    return NULL;
}

/* Puts a number into a slot: that of the entry which it takes the place of, a free one, or the oldest. */
static void note(const struct hpack_table *t, uint32_t *slots, uint32_t hash, uint32_t number, bool names)
{
    uint32_t *best = &slots[hash % HPACK_SLOTS];
    for (uint32_t i = 0; i < HPACK_WINDOW; i++) {
        uint32_t *slot = &slots[(hash + i) % HPACK_SLOTS];
        if (!hpack_lives(t, *slot) || (names && hpack_entry(t, *slot)->name_hash == hash)) {
            best = slot;
            break;
        }
        if (number - *slot > number - *best)
            best = slot;
    }
    *best = number;
}

/* --- what goes into the table --- */

/* Never what is a secret, nor, as others do, a cookie so short that it could be guessed by trying (7.1). */
static bool secret(struct http_str name, struct http_str value)
{
    return (name.n == 13 && memcmp(name.p, "authorization", 13) == 0) ||
           (name.n == 6 && value.n < 20 && memcmp(name.p, "cookie", 6) == 0);
}

static bool worthwhile(const struct hpack_encoder *e, const struct hpack_entry *same, size_t size)
{
    const struct hpack_table *t = &e->table;
    const uint32_t large = t->max >> LARGE_SHIFT;
    size += HPACK_ENTRY;
    if (size > t->max - t->max / 4 || (same && !same->again))
        return false;
    if (size <= large)
        return true;
    uint32_t left = t->size;
    for (uint32_t i = 0; i < t->count && left > t->max - size; i++) {
        const struct hpack_entry *oldest = hpack_entry(t, t->first + i);
        uint32_t its = oldest->name + oldest->value + HPACK_ENTRY;
        if (its > large && e->block - oldest->last < RECENT)
            return false;
        left -= its;
    }
    return true;
}

/* --- writing --- */

static uint8_t *integer(uint8_t *p, unsigned first, unsigned bits, size_t n)
{
    const unsigned most = (1u << bits) - 1;
    if (n < most) {
        *p++ = (uint8_t)(first | n);
        return p;
    }
    *p++ = (uint8_t)(first | most);
    for (n -= most; n >= 0x80; n >>= 7)
        *p++ = (uint8_t)(n | 0x80);
    *p++ = (uint8_t)n;
    return p;
}

static uint8_t *string(uint8_t *p, struct http_str s)
{
    p = integer(p, 0, 7, s.n);
    if (s.n)
        memcpy(p, s.p, s.n);
    return p + s.n;
}

uint8_t *hpack_encode_begin(struct hpack_encoder *e, uint8_t *p)
{
    e->block++;
    if (!e->tell)
        return p;
    e->tell = false;
    if (e->smallest < e->table.max)
        p = integer(p, 0x20, 5, e->smallest);
    return integer(p, 0x20, 5, e->table.max);
}

static size_t index_of(const struct hpack_table *t, uint32_t number)
{
    return HPACK_STATIC + t->first + t->count - number;
}

static uint8_t *literal(uint8_t *p, unsigned first, unsigned bits, size_t index, struct http_str name,
                        struct http_str value)
{
    p = integer(p, first, bits, index);
    if (!index)
        p = string(p, name);
    return string(p, value);
}

/* A field that is not there as a whole. */
static uint8_t *spell_out(struct hpack_encoder *e, struct http_str name, struct http_str value, bool never,
                          uint32_t name_hash, uint32_t hash, uint8_t *p)
{
    struct hpack_table *t = &e->table;
    uint32_t number;
    bool no_memory = false;
    struct hpack_entry *entry = find_name(e, name_hash, name, &number);
    const unsigned known = hpack_static_find(name);
    const size_t index = known ? known : entry ? index_of(t, number) : 0;
    if (never)
        return literal(p, 0x10, 4, index, name, value);
    if (!worthwhile(e, entry, name.n + value.n))
        return literal(p, 0, 4, index, name, value);
    p = literal(p, 0x40, 6, index, name, value);
    number = t->first + t->count;
    entry = hpack_table_add(t, name, value, &no_memory);
    if (!entry)
        return NULL;
    entry->hash = hash;
    entry->name_hash = name_hash;
    entry->last = e->block;
    note(t, e->slots, hash, number, false);
    note(t, e->names, name_hash, number, true);
    return p;
}

uint8_t *hpack_encode(struct hpack_encoder *e, struct http_str name, struct http_str value, bool sensitive,
                      uint8_t *p)
{
    uint32_t number;
    const bool never = sensitive || secret(name, value);
    const unsigned whole = never ? 0 : find_static(name, value);
    if (whole)
        return integer(p, 0x80, 7, whole);
    const uint64_t name_edges = edges(name);
    const uint32_t hash = mix(edges(value), name_edges);
    struct hpack_entry *entry = never ? NULL : find(e, hash, name, value, &number);
    if (!entry)
        return spell_out(e, name, value, never, mix(name_edges, name.n), hash, p);
    entry->last = e->block;
    entry->again = true;
    return integer(p, 0x80, 7, index_of(&e->table, number));
}
