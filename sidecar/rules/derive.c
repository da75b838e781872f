/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/rules/derive.h"

#include <string.h>

#include "sidecar/rules/internal.h"

static void *take(struct rules_pool *pool, size_t size)
{
    size_t used = (pool->used + 7) & ~(size_t)7;
    if (used > pool->size || pool->size - used < size) {
        pool->full = true;
        return NULL;
    }
    pool->used = used + size;
    return pool->base + used;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static struct rules_bytes lower_bytes(struct rules_pool *pool, struct rules_bytes in)
{
    size_t i = 0;
    while (i < in.size && lower(in.data[i]) == in.data[i])
        i++;
    if (i == in.size)
        return in;
    uint8_t *out = take(pool, in.size);
    if (!out)
        return (struct rules_bytes){NULL, 0};
    for (i = 0; i < in.size; i++)
        out[i] = lower(in.data[i]);
    return (struct rules_bytes){out, in.size};
}

static struct rules_bytes trim(struct rules_bytes text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
        text.size--;
    return text;
}

/* Cuts off what stands before the next SEPARATOR; false at the end. */
static bool next_piece(struct rules_bytes *rest, char separator, struct rules_bytes *piece)
{
    if (!rest->data)
        return false;
    const uint8_t *found = rest->size ? memchr(rest->data, separator, rest->size) : NULL;
    piece->data = rest->data;
    piece->size = found ? (size_t)(found - rest->data) : rest->size;
    rest->size -= piece->size + (found ? 1 : 0);
    rest->data = found ? found + 1 : NULL;
    return true;
}

/* --- Maps --- */

struct sorted {
    struct rules_bytes name;
    size_t number;
};

static int by_name(const struct sorted *a, const struct sorted *b)
{
    int order = rules_bytes_compare(a->name, b->name);
    return order ? order : a->number < b->number ? -1 : 1;
}

/* A heap sort, as for entries: hostile names cost no more than others. */
static void sift(struct sorted *item, size_t root, size_t count)
{
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && by_name(&item[child], &item[child + 1]) < 0)
            child++;
        if (by_name(&item[root], &item[child]) >= 0)
            return;
        struct sorted swap = item[root];
        item[root] = item[child];
        item[child] = swap;
    }
}

static void sort(struct sorted *item, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        sift(item, i, count);
    for (size_t i = count; i-- > 1;) {
        struct sorted swap = item[0];
        item[0] = item[i];
        item[i] = swap;
        sift(item, 0, i);
    }
}

struct rules_value rules_derive_map(struct rules_pool *pool, const struct rules_pair *pair, size_t count,
                                    bool fold)
{
    const uint32_t strings = RULES_ARRAY_OF(RULES_BYTES);
    struct rules_value map = {.type = RULES_MAP_OF(strings)};
    struct sorted *sorted = take(pool, count * sizeof *sorted);
    struct rules_value *value = take(pool, count * sizeof *value);
    struct rules_entry *entry = take(pool, count * sizeof *entry);
    if (!sorted || !value || !entry)
        return map;
    for (size_t i = 0; i < count; i++)
        sorted[i] = (struct sorted){fold ? lower_bytes(pool, pair[i].name) : pair[i].name, i};
    if (pool->full)
        return map;
    sort(sorted, count);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        struct rules_bytes text = pair[sorted[i].number].value;
        value[i] = rules_bytes(text.data, text.size);
        if (n > 0 && rules_bytes_compare(entry[n - 1].key, sorted[i].name) == 0) {
            entry[n - 1].value.array.count++;
            continue;
        }
        entry[n].key = sorted[i].name;
        entry[n].value.type = strings;
        entry[n].value.array.item = &value[i];
        entry[n++].value.array.count = 1;
    }
    map.map.entry = entry;
    map.map.count = n;
    return map;
}

static struct rules_value strings(struct rules_pool *pool, const struct rules_pair *pair, size_t count,
                                  bool names)
{
    struct rules_value array = {.type = RULES_ARRAY_OF(RULES_BYTES)};
    struct rules_value *item = take(pool, count * sizeof *item);
    if (!item)
        return array;
    for (size_t i = 0; i < count; i++) {
        struct rules_bytes text = names ? pair[i].name : pair[i].value;
        item[i] = rules_bytes(text.data, text.size);
    }
    array.array.item = item;
    array.array.count = count;
    return array;
}

struct rules_value rules_derive_names(struct rules_pool *pool, const struct rules_pair *pair, size_t count)
{
    return strings(pool, pair, count, true);
}

struct rules_value rules_derive_values(struct rules_pool *pool, const struct rules_pair *pair, size_t count)
{
    return strings(pool, pair, count, false);
}

static size_t count_of(struct rules_bytes text, char c)
{
    size_t n = 1;
    for (size_t i = 0; i < text.size; i++)
        n += text.data[i] == (uint8_t)c;
    return n;
}

static struct rules_pair split_pair(struct rules_bytes piece)
{
    const uint8_t *equals = piece.size ? memchr(piece.data, '=', piece.size) : NULL;
    if (!equals)
        return (struct rules_pair){piece, {piece.data + piece.size, 0}};
    size_t name = (size_t)(equals - piece.data);
    return (struct rules_pair){{piece.data, name}, {equals + 1, piece.size - name - 1}};
}

const struct rules_pair *rules_derive_args(struct rules_pool *pool, struct rules_bytes query, size_t *count)
{
    struct rules_pair *pair = take(pool, count_of(query, '&') * sizeof *pair);
    struct rules_bytes piece;
    *count = 0;
    while (pair && next_piece(&query, '&', &piece))
        if (piece.size > 0)
            pair[(*count)++] = split_pair(piece);
    return pair;
}

static struct rules_bytes percent_decoded(struct rules_pool *pool, struct rules_bytes in)
{
    if (in.size == 0 || !memchr(in.data, '%', in.size))
        return in;
    uint8_t *out = take(pool, in.size);
    size_t n = 0;
    for (size_t i = 0; out && i < in.size; i++) {
        int high = -1, low = -1;
        if (in.data[i] == '%' && in.size - i > 2) {
            high = rules_hex(in.data[i + 1]);
            low = rules_hex(in.data[i + 2]);
        }
        bool escape = high >= 0 && low >= 0;
        out[n++] = (uint8_t)(escape ? high << 4 | low : in.data[i]);
        i += escape ? 2 : 0;
    }
    return (struct rules_bytes){out, n};
}

static bool is_called(struct rules_bytes name, const char *lower_name)
{
    size_t size = strlen(lower_name);
    if (name.size != size)
        return false;
    for (size_t i = 0; i < size; i++)
        if (lower(name.data[i]) != (uint8_t)lower_name[i])
            return false;
    return true;
}

const struct rules_pair *rules_derive_cookies(struct rules_pool *pool, const struct rules_pair *header,
                                              size_t headers, size_t *count)
{
    size_t room = 0;
    *count = 0;
    for (size_t i = 0; i < headers; i++)
        if (is_called(header[i].name, "cookie"))
            room += count_of(header[i].value, ';');
    struct rules_pair *pair = take(pool, room * sizeof *pair);
    for (size_t i = 0; pair && i < headers; i++) {
        struct rules_bytes rest = header[i].value, piece;
        while (is_called(header[i].name, "cookie") && next_piece(&rest, ';', &piece)) {
            piece = trim(piece);
            if (piece.size == 0)
                continue;
            pair[*count] = split_pair(piece);
            pair[*count].name = percent_decoded(pool, trim(pair[*count].name));
            pair[*count].value = trim(pair[*count].value);
            ++*count;
        }
    }
    return pair;
}

struct rules_bytes rules_derive_header(const struct rules_pair *header, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (is_called(header[i].name, name))
            return header[i].value;
    return (struct rules_bytes){(const uint8_t *)"", 0};
}

/* --- Paths --- */

struct rules_value rules_derive_extension(struct rules_pool *pool, struct rules_bytes path)
{
    size_t start = path.size, dot;
    while (start > 0 && path.data[start - 1] != '/')
        start--;
    for (dot = path.size; dot > start && path.data[dot - 1] != '.';)
        dot--;
    /* No dot, only a leading one, or nothing after it. */
    if (dot <= start + 1 || dot == path.size)
        return rules_bytes("", 0);
    struct rules_bytes extension = lower_bytes(pool, (struct rules_bytes){path.data + dot, path.size - dot});
    return rules_bytes(extension.data, extension.size);
}

/* --- Headers --- */

/* Thousandths of a "q=0.8"; -1: not a quality. */
static int quality(struct rules_bytes parameters)
{
    struct rules_bytes piece;
    while (next_piece(&parameters, ';', &piece)) {
        piece = trim(piece);
        if (piece.size < 3 || lower(piece.data[0]) != 'q' || piece.data[1] != '=')
            continue;
        int value = 0, scale = 1000;
        for (size_t i = 2; i < piece.size; i++) {
            if (piece.data[i] == '.' && i == 3)
                continue;
            if (piece.data[i] < '0' || piece.data[i] > '9' || i == 3)
                return -1;
            value += (piece.data[i] - '0') * scale;
            scale /= 10;
        }
        return value > 1000 ? -1 : value;
    }
    return 1000;
}

struct rules_value rules_derive_languages(struct rules_pool *pool, struct rules_bytes header)
{
    struct rules_value array = {.type = RULES_ARRAY_OF(RULES_BYTES)};
    enum { MOST = 32 };
    struct rules_value *item = take(pool, MOST * sizeof *item);
    int q[MOST];
    size_t n = 0;
    struct rules_bytes piece;
    if (header.size == 0 || !item)
        return array;
    while (n < MOST && next_piece(&header, ',', &piece)) {
        struct rules_bytes rest = trim(piece), tag;
        if (!next_piece(&rest, ';', &tag))
            continue;
        tag = trim(tag);
        int value = rest.data ? quality(rest) : 1000;
        if (tag.size == 0 || value <= 0 || (tag.size == 1 && tag.data[0] == '*'))
            continue;
        size_t at = n++;
        for (; at > 0 && q[at - 1] < value; at--) {
            q[at] = q[at - 1];
            item[at] = item[at - 1];
        }
        q[at] = value;
        item[at] = rules_bytes(tag.data, tag.size);
    }
    pool->full |= n == MOST && header.data;
    array.array.item = item;
    array.array.count = n;
    return array;
}

struct rules_value rules_derive_media_type(struct rules_pool *pool, struct rules_bytes header)
{
    struct rules_bytes type;
    if (header.size == 0 || !next_piece(&header, ';', &type))
        return rules_bytes("", 0);
    type = lower_bytes(pool, trim(type));
    return rules_bytes(type.data, type.size);
}
