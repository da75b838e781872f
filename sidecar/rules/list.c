/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "sidecar/rules/internal.h"

/* Hex digits of a fingerprint (SHA-512 is the longest) or a serial, normalised. */
enum { HEX_MAX = 160 };

struct rules_list {
    enum rules_list_kind kind;
    struct rules_arena arena;
    struct rules_buffer items, items6; /* until it is finished */
    struct int_set ints;
    struct ip_set ips;
    struct bytes_set strings;
    uint64_t *slot;
    size_t memory;
};

enum rules_list_kind rules_list_kind_for(uint32_t type, int field)
{
    if (type == RULES_INT || type == RULES_IP)
        return type == RULES_INT ? RULES_LIST_INTEGERS : RULES_LIST_IPS;
    switch (field) {
    case RULES_FIELD_CERT_SERIAL:
    case RULES_FIELD_CERT_ISSUER_SERIAL: return RULES_LIST_SERIALS;
    case RULES_FIELD_CERT_SHA256:
    case RULES_FIELD_CERT_SHA1:
    case RULES_FIELD_CERT_SKI:
    case RULES_FIELD_CERT_ISSUER_SKI:
    case RULES_FIELD_CHAIN_SHA256: return RULES_LIST_FINGERPRINTS;
    default: return RULES_LIST_STRINGS;
    }
}

struct rules_list *rules_list_new(enum rules_list_kind kind)
{
    struct rules_list *list = calloc(1, sizeof *list);
    if (list)
        list->kind = kind;
    return list;
}

void rules_list_free(struct rules_list *list)
{
    if (!list)
        return;
    rules_arena_free(&list->arena);
    rules_buffer_free(&list->items);
    rules_buffer_free(&list->items6);
    free(list->slot);
    free(list);
}

/* Of a character: the digit in small letters, 1 for a separator between digits, 0 for what is neither. */
static const uint8_t hex_fold[256] = {
    [' '] = 1,   [':'] = 1,   ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4', ['5'] = '5',
    ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9', ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd',
    ['e'] = 'e', ['f'] = 'f', ['A'] = 'a', ['B'] = 'b', ['C'] = 'c', ['D'] = 'd', ['E'] = 'e', ['F'] = 'f',
};

/*
 * Hex digits without colons and blanks, in small letters; of a serial without 0x and leading zeros. Returns
 * how many, or SIZE_MAX where it is something else or too long.
 */
static size_t normalise(enum rules_list_kind kind, const char *text, size_t size, uint8_t out[HEX_MAX])
{
    const uint8_t *p = (const uint8_t *)text, *end = p + size;
    size_t n = 0;
    bool bad = false;
    if (kind == RULES_LIST_SERIALS && size > 0 && *p == '-')
        out[n++] = *p++;
    if (end - p >= 2 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X'))
        p += 2;
    if (p == end || hex_fold[*p] <= 1)
        return SIZE_MAX;
    size_t start = n;
    while (kind == RULES_LIST_SERIALS && p < end && (*p == '0' || hex_fold[*p] == 1))
        p++;
    if (end - p > (ptrdiff_t)(HEX_MAX * 3 / 2))
        return SIZE_MAX;
    for (; p < end && n < HEX_MAX; p++) {
        uint8_t digit = hex_fold[*p];
        out[n] = digit;
        n += digit > 1;
        bad |= digit == 0;
    }
    if (bad || p < end)
        return SIZE_MAX;
    return n == start ? 0 : n; /* -0 is 0 */
}

static const char no_memory[] = "out of memory";

static const char *add_string(struct rules_list *list, const void *text, size_t size)
{
    struct rules_bytes bytes = {rules_arena_copy(&list->arena, text, size), size};
    if (!bytes.data)
        return no_memory;
    rules_buffer_add(&list->items, &bytes, sizeof bytes);
    return NULL;
}

static const char *add_integer(struct rules_list *list, const char *text, size_t size)
{
    struct int_range range;
    struct rules_error error;
    struct parser p = {.text = text, .end = size, .error = &error};
    if (!lex_int(&p, &range.low))
        return "not a whole number";
    range.high = range.low;
    if (lex_take(&p, "..") && !lex_int(&p, &range.high))
        return "not a range of whole numbers";
    if (p.at != size)
        return "not a whole number";
    if (range.high < range.low)
        return "the ends of the range are reversed";
    rules_buffer_add(&list->items, &range, sizeof range);
    return NULL;
}

static const char *add_ip(struct rules_list *list, const char *text, size_t size)
{
    struct rules_ip low, high;
    switch (rules_ip_parse_item(text, size, &low, &high)) {
    case RULES_IP_BAD: return "not an IP address, network or range";
    case RULES_IP_HOST_BITS: return "the network has host bits set";
    case RULES_IP_BAD_RANGE: return "the ends of the range are reversed or of different families";
    case RULES_IP_OK: break;
    }
    if (low.family == 4) {
        struct v4_range range = {rules_ip_v4(&low), rules_ip_v4(&high)};
        rules_buffer_add(&list->items, &range, sizeof range);
    } else {
        struct v6_range range = {rules_ip_v6(&low), rules_ip_v6(&high)};
        rules_buffer_add(&list->items6, &range, sizeof range);
    }
    return NULL;
}

static const char *add_hex(struct rules_list *list, const char *text, size_t size)
{
    uint8_t hex[HEX_MAX];
    size_t n = normalise(list->kind, text, size, hex);
    if (n == SIZE_MAX)
        return "not hexadecimal digits, or too many of them";
    if (list->kind == RULES_LIST_FINGERPRINTS && n != 40 && n != 64 && n != 96 && n != 128)
        return "a fingerprint has 40 (SHA-1) or 64 (SHA-256) hexadecimal digits";
    return add_string(list, hex, n);
}

const char *rules_list_add(struct rules_list *list, const char *text, size_t size)
{
    const char *wrong = NULL;
    switch (list->kind) {
    case RULES_LIST_STRINGS: wrong = add_string(list, text, size); break;
    case RULES_LIST_INTEGERS: wrong = add_integer(list, text, size); break;
    case RULES_LIST_IPS: wrong = add_ip(list, text, size); break;
    default: wrong = add_hex(list, text, size);
    }
    return wrong ? wrong : list->items.failed || list->items6.failed ? no_memory : NULL;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

const char *rules_list_add_lines(struct rules_list *list, const char *text, size_t size, size_t *line)
{
    const char *end = text + size;
    *line = 0;
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3;
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *stop = newline ? newline : end, *next = newline ? newline + 1 : end;
        ++*line;
        while (text < stop && blank(*text))
            text++;
        for (const char *p = text; list->kind != RULES_LIST_STRINGS && p < stop; p++)
            if (*p == '#' && p > text && blank(p[-1]))
                stop = p;
        while (stop > text && blank(stop[-1]))
            stop--;
        if (stop > text && *text != '#') {
            const char *wrong = rules_list_add(list, text, (size_t)(stop - text));
            if (wrong)
                return wrong;
        }
        text = next;
    }
    return NULL;
}

bool rules_list_finish(struct rules_list *list)
{
    void *items = list->items.data, *items6 = list->items6.data;
    size_t size = list->items.size;
    if (list->items.failed || list->items6.failed)
        return false;
    switch (rules_list_type(list)) {
    case RULES_INT:
        list->ints = (struct int_set){items, size / sizeof *list->ints.item};
        set_int_sort(&list->ints);
        break;
    case RULES_IP:
        list->ips = (struct ip_set){items, items6, size / sizeof *list->ips.v4,
                                    list->items6.size / sizeof *list->ips.v6};
        set_ip_sort(&list->ips);
        break;
    default:
        list->strings.item = items;
        list->strings.count = size / sizeof *list->strings.item;
        if (list->strings.count > UINT32_MAX / 4)
            return false;
        size_t slots = set_bytes_slots(list->strings.count);
        list->slot = calloc(slots, sizeof *list->slot);
        if (!list->slot)
            return false;
        set_bytes_fill(&list->strings, list->slot, slots - 1);
        list->memory = slots * sizeof *list->slot;
    }
    list->memory += sizeof *list + list->arena.memory + list->items.room + list->items6.room;
    return true;
}

/* Whether all are digits and small letters of hex, eight at a time: the usual form of a fingerprint. */
static bool is_plain_hex(const uint8_t *data, size_t size)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x80 * ones;
    uint64_t bad = size % 8;
    for (size_t i = 0; i + 8 <= size; i += 8) {
        uint64_t c;
        memcpy(&c, data + i, 8);
        /* The top bit of a byte tells that it is at least the other one; no sum leaves its byte. */
        uint64_t low = c & ~tops;
        uint64_t digit = (low + (0x80 - '0') * ones) & ~(low + (0x80 - '9' - 1) * ones);
        uint64_t letter = (low + (0x80 - 'a') * ones) & ~(low + (0x80 - 'f' - 1) * ones);
        bad |= c & tops;
        bad |= ~(digit | letter) & tops;
    }
    return !bad;
}

bool rules_list_has(const struct rules_list *list, const struct rules_value *value)
{
    uint8_t hex[HEX_MAX];
    if (value->type != rules_list_type(list))
        return false;
    switch (list->kind) {
    case RULES_LIST_INTEGERS: return set_int_has(&list->ints, value->integer);
    case RULES_LIST_IPS: return set_ip_has(&list->ips, &value->ip);
    case RULES_LIST_STRINGS: return set_bytes_has(&list->strings, value->bytes.data, value->bytes.size);
    case RULES_LIST_FINGERPRINTS:
        if (is_plain_hex(value->bytes.data, value->bytes.size))
            return set_bytes_has(&list->strings, value->bytes.data, value->bytes.size);
        break;
    default: break;
    }
    size_t n = normalise(list->kind, (const char *)value->bytes.data, value->bytes.size, hex);
    return n != SIZE_MAX && set_bytes_has(&list->strings, hex, n);
}

enum rules_list_kind rules_list_kind(const struct rules_list *list)
{
    return list->kind;
}

uint32_t rules_list_type(const struct rules_list *list)
{
    return list->kind == RULES_LIST_INTEGERS ? RULES_INT
           : list->kind == RULES_LIST_IPS    ? RULES_IP
                                             : RULES_BYTES;
}

size_t rules_list_count(const struct rules_list *list)
{
    return list->ints.count + list->ips.v4_count + list->ips.v6_count + list->strings.count;
}

size_t rules_list_memory(const struct rules_list *list)
{
    return list->memory;
}
