/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/http/hpack.h"

#include <stdlib.h>
#include <string.h>

/* --- the static table (RFC 7541, appendix A) --- */

#define NAME(name)      \
    {                   \
        HTTP_STR(name), \
        {               \
            "", 0       \
        }               \
    }
#define FIELD(name, value)              \
    {                                   \
        HTTP_STR(name), HTTP_STR(value) \
    }
const struct hpack_static hpack_static[1 + HPACK_STATIC] = {
    [1] = NAME(":authority"),
    FIELD(":method", "GET"),
    FIELD(":method", "POST"),
    FIELD(":path", "/"),
    FIELD(":path", "/index.html"),
    FIELD(":scheme", "http"),
    FIELD(":scheme", "https"),
    FIELD(":status", "200"),
    FIELD(":status", "204"),
    FIELD(":status", "206"),
    FIELD(":status", "304"),
    FIELD(":status", "400"),
    FIELD(":status", "404"),
    FIELD(":status", "500"),
    NAME("accept-charset"),
    FIELD("accept-encoding", "gzip, deflate"),
    NAME("accept-language"),
    NAME("accept-ranges"),
    NAME("accept"),
    NAME("access-control-allow-origin"),
    NAME("age"),
    NAME("allow"),
    NAME("authorization"),
    NAME("cache-control"),
    NAME("content-disposition"),
    NAME("content-encoding"),
    NAME("content-language"),
    NAME("content-length"),
    NAME("content-location"),
    NAME("content-range"),
    NAME("content-type"),
    NAME("cookie"),
    NAME("date"),
    NAME("etag"),
    NAME("expect"),
    NAME("expires"),
    NAME("from"),
    NAME("host"),
    NAME("if-match"),
    NAME("if-modified-since"),
    NAME("if-none-match"),
    NAME("if-range"),
    NAME("if-unmodified-since"),
    NAME("last-modified"),
    NAME("link"),
    NAME("location"),
    NAME("max-forwards"),
    NAME("proxy-authenticate"),
    NAME("proxy-authorization"),
    NAME("range"),
    NAME("referer"),
    NAME("refresh"),
    NAME("retry-after"),
    NAME("server"),
    NAME("set-cookie"),
    NAME("strict-transport-security"),
    NAME("transfer-encoding"),
    NAME("user-agent"),
    NAME("vary"),
    NAME("via"),
    NAME("www-authenticate"),
};

unsigned hpack_static_find(struct http_str name)
{
    /* The names' numbers by their length, from 3 on; 0 ends a length. */
    static const uint8_t numbers[][8] = {
        [3] = {21, 60},
        [4] = {33, 34, 37, 38, 45, 59},
        [5] = {4, 22, 50},
        [6] = {19, 32, 35, 54},
        [7] = {8, 2, 6, 36, 51, 52},
        [8] = {39, 42, 46},
        [10] = {1, 55, 58},
        [11] = {53},
        [12] = {31, 47},
        [13] = {18, 23, 24, 30, 41, 44},
        [14] = {15, 28},
        [15] = {16, 17},
        [16] = {26, 27, 29, 61},
        [17] = {40, 57},
        [18] = {48},
        [19] = {25, 43, 49},
        [25] = {56},
        [27] = {20},
    };
    if (name.n >= sizeof(numbers) / sizeof(numbers[0]))
        return 0;
    for (const uint8_t *number = numbers[name.n]; *number; number++) {
        const char *known = hpack_static[*number].name.p;
        if (known[name.n - 1] == name.p[name.n - 1] && memcmp(known, name.p, name.n) == 0)
            return *number;
    }
    return 0;
}

/* --- the dynamic table --- */

enum { ENTRIES_MIN = 16, TEXT_MIN = 1024 };

void hpack_table_clear(struct hpack_table *t)
{
    free(t->entry);
    free(t->text);
    *t = (struct hpack_table){.max = t->max};
}

static uint32_t counted(const struct hpack_entry *e)
{
    return e->name + e->value + HPACK_ENTRY;
}

/* Down to a size. */
static void evict(struct hpack_table *t, uint32_t size)
{
    while (t->size > size) {
        const struct hpack_entry *oldest = hpack_entry(t, t->first);
        t->size -= counted(oldest);
        t->begin += oldest->name + oldest->value;
        t->first++;
        t->count--;
    }
    if (!t->count)
        t->begin = t->end = 0;
}

void hpack_table_limit(struct hpack_table *t, uint32_t max)
{
    evict(t, max);
    t->max = max;
}

static bool grow_entries(struct hpack_table *t)
{
    uint32_t cap = t->cap ? 2 * t->cap : ENTRIES_MIN;
    if (t->count < t->cap)
        return true;
    struct hpack_entry *entry = malloc(cap * sizeof(*entry));
    if (!entry)
        return false;
    for (uint32_t i = 0; i < t->count; i++)
        entry[(t->first + i) & (cap - 1)] = *hpack_entry(t, t->first + i);
    free(t->entry);
    t->entry = entry;
    t->cap = cap;
    return true;
}

/* Room for size bytes at the end. Where at least half of the room is free it is moved together, so that a
 * byte is moved but once for another that comes. */
static bool grow_text(struct hpack_table *t, uint32_t size)
{
    uint32_t live = t->end - t->begin, room = t->room ? t->room : TEXT_MIN;
    if (t->text && size <= t->room - t->end)
        return true;
    while (live + size > room / 2)
        room *= 2;
    char *text = room == t->room ? t->text : malloc(room);
    if (!text)
        return false;
    if (t->text)
        memmove(text, t->text + t->begin, live);
    for (uint32_t i = 0; i < t->count; i++)
        hpack_entry(t, t->first + i)->at -= t->begin;
    if (text != t->text)
        free(t->text);
    t->text = text;
    t->room = room;
    t->begin = 0;
    t->end = live;
    return true;
}

struct hpack_entry *hpack_table_add(struct hpack_table *t, struct http_str name, struct http_str value,
                                    bool *no_memory)
{
    if (name.n + value.n + HPACK_ENTRY > t->max) {
        evict(t, 0);
        return NULL;
    }
    uint32_t size = (uint32_t)(name.n + value.n);
    evict(t, t->max - size - HPACK_ENTRY);
    if (!grow_entries(t) || !grow_text(t, size)) {
        *no_memory = true;
        return NULL;
    }
    struct hpack_entry *e = hpack_entry(t, t->first + t->count);
    *e = (struct hpack_entry){.at = t->end, .name = (uint32_t)name.n, .value = (uint32_t)value.n};
    if (name.n)
        memcpy(t->text + t->end, name.p, name.n);
    if (value.n)
        memcpy(t->text + t->end + name.n, value.p, value.n);
    t->end += size;
    t->size += size + HPACK_ENTRY;
    t->count++;
    return e;
}
