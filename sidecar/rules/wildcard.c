/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wildcard patterns (rules-language section 10), matched in linear time. */
#include <string.h>

#include "sidecar/rules/internal.h"

static uint8_t fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

/* Splits at unescaped stars into OUT, which has room for the pattern; ENDS gets where each part ends. */
static const char *split(const uint8_t *pattern, size_t size, uint8_t *out, size_t *end, size_t *parts,
                         size_t *at)
{
    size_t n = 0;
    bool star = false;
    *parts = 0;
    for (size_t i = 0; i < size; i++) {
        *at = i;
        if (pattern[i] == '*') {
            if (star)
                return "two stars in a row";
            star = true;
            end[(*parts)++] = n;
            continue;
        }
        star = false;
        if (pattern[i] == '\\') {
            if (++i == size || (pattern[i] != '*' && pattern[i] != '\\'))
                return "a backslash must stand before a star or a backslash";
        }
        out[n++] = pattern[i];
    }
    end[(*parts)++] = n;
    return NULL;
}

static uint16_t *search_table(struct rules_arena *arena, struct rules_bytes part)
{
    uint16_t *next = rules_arena_take(arena, (part.size + 1) * sizeof *next);
    if (!next)
        return NULL;
    size_t k = 0;
    for (size_t i = 1; i < part.size; i++) {
        while (k > 0 && part.data[i] != part.data[k])
            k = next[k];
        if (part.data[i] == part.data[k])
            k++;
        next[i + 1] = (uint16_t)k;
    }
    return next;
}

const char *wildcard_compile(struct rules_arena *arena, const uint8_t *pattern, size_t size, bool strict,
                             struct wildcard *wildcard, size_t *at)
{
    *at = 0;
    if (size > UINT16_MAX - 1)
        return "too long";
    uint8_t *text = rules_arena_take(arena, size + 1);
    size_t *end = rules_arena_take(arena, (size + 1) * sizeof *end);
    if (!text || !end)
        return "";
    size_t parts;
    const char *wrong = split(pattern, size, text, end, &parts, at);
    if (wrong)
        return wrong;
    for (size_t i = 0; !strict && i < end[parts - 1]; i++)
        text[i] = fold(text[i]);
    wildcard->strict = strict;
    wildcard->count = parts;
    wildcard->part = rules_arena_take(arena, parts * sizeof *wildcard->part);
    wildcard->next = rules_arena_take(arena, parts * sizeof *wildcard->next);
    if (!wildcard->part || !wildcard->next)
        return "";
    for (size_t i = 0, start = 0; i < parts; start = end[i++]) {
        wildcard->part[i] = (struct rules_bytes){text + start, end[i] - start};
        /* The first and the last part are not searched for. */
        if (i > 0 && i + 1 < parts && !(wildcard->next[i] = search_table(arena, wildcard->part[i])))
            return "";
    }
    return NULL;
}

static bool same(const struct wildcard *wildcard, struct rules_bytes part, const uint8_t *data)
{
    if (wildcard->strict)
        return part.size == 0 || memcmp(part.data, data, part.size) == 0;
    for (size_t i = 0; i < part.size; i++)
        if (fold(data[i]) != part.data[i])
            return false;
    return true;
}

/* Where the part begins first at or after AT, or SIZE_MAX. */
static size_t search(const struct wildcard *wildcard, size_t number, const uint8_t *data, size_t at,
                     size_t size)
{
    struct rules_bytes part = wildcard->part[number];
    const uint16_t *next = wildcard->next[number];
    size_t k = 0;
    for (size_t i = at; i < size; i++) {
        uint8_t c = wildcard->strict ? data[i] : fold(data[i]);
        while (k > 0 && part.data[k] != c)
            k = next[k];
        if (part.data[k] == c && ++k == part.size)
            return i + 1 - k;
    }
    return SIZE_MAX;
}

bool wildcard_match(const struct wildcard *wildcard, const uint8_t *data, size_t size,
                    struct rules_bytes *stars, size_t room)
{
    struct rules_bytes first = wildcard->part[0], last = wildcard->part[wildcard->count - 1];
    if (size == 0)
        data = (const uint8_t *)"";
    if (wildcard->count == 1)
        return size == first.size && same(wildcard, first, data);
    if (size < first.size + last.size || !same(wildcard, first, data) ||
        !same(wildcard, last, data + size - last.size))
        return false;
    /* Each part between at its first place: if any way matches, this one does, and its stars are lazy. */
    size_t at = first.size, stop = size - last.size;
    for (size_t i = 1; i < wildcard->count; i++) {
        size_t found = stop;
        if (i + 1 < wildcard->count) {
            found = search(wildcard, i, data, at, stop);
            if (found == SIZE_MAX)
                return false;
        }
        if (i <= room)
            stars[i - 1] = (struct rules_bytes){data + at, found - at};
        at = found + (i + 1 < wildcard->count ? wildcard->part[i].size : 0);
    }
    return true;
}
