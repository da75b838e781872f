/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Functions that decode, encode and replace (rules-language section 11.2). */
#include <string.h>

#include "sidecar/rules/internal.h"

#define RUN(name)                                                                                   \
    static void run_##name(struct run *run, const struct node *node, const struct rules_value *arg, \
                           unsigned count, struct rules_value *out)

#define UNUSED (void)run, (void)node, (void)arg, (void)count

/* Reads a literal of option letters, each of LETTERS at most once: bits in their order. */
static bool options(struct parser *p, const struct node *arg, const char *letters, uintptr_t *bits)
{
    *bits = 0;
    for (size_t i = 0; i < arg->literal.bytes.size; i++) {
        const char *letter = arg->literal.bytes.data[i] ? strchr(letters, arg->literal.bytes.data[i]) : NULL;
        if (!letter)
            return parser_fail(p, RULES_INVALID_ARGUMENT_VALUE, arg->at, arg->length,
                               "unknown option; there %s %s", letters[1] ? "are" : "is", letters);
        *bits |= (uintptr_t)1 << (letter - letters);
    }
    return true;
}

static bool check_options(struct parser *p, struct node *call, unsigned number, const char *letters)
{
    uintptr_t bits = 0;
    if (call->call.count > number && !options(p, call->call.arg[number], letters, &bits))
        return false;
    call->call.data = (void *)bits; // NOLINT(performance-no-int-to-ptr)
    return true;
}

/* --- url_decode --- */

enum { DECODE_REPEAT = 1, DECODE_UNICODE = 2 };

static bool check_url_decode(struct parser *p, struct node *call)
{
    return check_options(p, call, 1, "ru");
}

/* COUNT hex digits at P, or -1. */
static int32_t hex_number(const uint8_t *p, unsigned count)
{
    int32_t number = 0;
    for (unsigned i = 0; i < count; i++) {
        int digit = rules_hex(p[i]);
        if (digit < 0)
            return -1;
        number = number << 4 | digit;
    }
    return number;
}

static bool is_u(const uint8_t *p)
{
    return p[0] == '%' && p[1] == 'u';
}

static int32_t pair(int32_t high, int32_t low)
{
    return high >= 0xd800 && high < 0xdc00 && low >= 0xdc00 && low < 0xe000
               ? 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)
               : -1;
}

/* One pass from left to right. */
static size_t decode_once(const uint8_t *in, size_t size, bool unicode, uint8_t *out)
{
    size_t n = 0;
    for (size_t i = 0; i < size;) {
        const uint8_t *p = in + i;
        size_t left = size - i;
        int32_t code;
        if (*p == '+') {
            out[n++] = ' ';
            i++;
        } else if (left >= 3 && *p == '%' && (code = hex_number(p + 1, 2)) >= 0) {
            out[n++] = (uint8_t)code;
            i += 3;
        } else if (unicode && left >= 6 && is_u(p) && (code = hex_number(p + 2, 4)) >= 0) {
            int32_t both = left >= 12 && is_u(p + 6) ? pair(code, hex_number(p + 8, 4)) : -1;
            if (both >= 0) {
                n += rules_utf8_put((uint32_t)both, out + n);
                i += 12;
            } else if (code >= 0xd800 && code < 0xe000) {
                out[n++] = in[i++];
            } else {
                n += rules_utf8_put((uint32_t)code, out + n);
                i += 6;
            }
        } else {
            out[n++] = in[i++];
        }
    }
    return n;
}

/* What a change at the end of OUT allows to be decoded there. Returns whether it did. */
static bool reduce(uint8_t *out, size_t *n, bool unicode)
{
    int32_t code;
    if (*n >= 1 && out[*n - 1] == '+') {
        out[*n - 1] = ' ';
        return true;
    }
    if (*n >= 3 && out[*n - 3] == '%' && (code = hex_number(out + *n - 2, 2)) >= 0) {
        *n -= 3;
        out[(*n)++] = (uint8_t)code;
        return true;
    }
    if (!unicode || *n < 6 || !is_u(out + *n - 6) || (code = hex_number(out + *n - 4, 4)) < 0)
        return false;
    int32_t both = *n >= 12 && is_u(out + *n - 12) ? pair(hex_number(out + *n - 10, 4), code) : -1;
    if (both < 0 && code >= 0xd800 && code < 0xe000)
        return false;
    *n -= both >= 0 ? 12 : 6;
    *n += rules_utf8_put((uint32_t)(both >= 0 ? both : code), out + *n);
    return true;
}

/*
 * Until nothing changes any more, in linear time: what can be decoded never overlaps, so the order does not
 * matter, and each decoded character may complete another one at the end of what is there.
 */
static size_t decode_all(const uint8_t *in, size_t size, bool unicode, uint8_t *out)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        out[n++] = in[i];
        while (reduce(out, &n, unicode)) {
        }
    }
    return n;
}

RUN(url_decode)
{
    UNUSED;
    struct rules_bytes in = arg[0].bytes;
    uintptr_t bits = (uintptr_t)node->call.data;
    if (in.size == 0 || (!memchr(in.data, '%', in.size) && !memchr(in.data, '+', in.size))) {
        *out = arg[0];
        return;
    }
    uint8_t *text = run_take(run, in.size);
    if (!text)
        return;
    bool unicode = bits & DECODE_UNICODE;
    size_t size = bits & DECODE_REPEAT ? decode_all(in.data, in.size, unicode, text)
                                       : decode_once(in.data, in.size, unicode, text);
    *out = rules_bytes(text, size);
}

/* --- Base64 --- */

static int base64_digit(uint8_t c, bool url)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (url ? '-' : '+'))
        return 62;
    return c == (url ? '_' : '/') ? 63 : -1;
}

bool rules_base64_decode(struct rules_bytes in, bool url, uint8_t *out, size_t *size)
{
    size_t length = in.size, n = 0;
    if (length % 4 == 0 && length > 0)
        for (int i = 0; i < 2 && in.data[length - 1] == '='; i++)
            length--;
    if (length % 4 == 1)
        return false;
    uint32_t bits = 0;
    for (size_t i = 0; i < length; i++) {
        int digit = base64_digit(in.data[i], url);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 0)
            out[n++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    *size = n;
    return true;
}

RUN(decode_base64)
{
    UNUSED;
    size_t size;
    uint8_t *decoded = run_take(run, arg[0].bytes.size);
    if (decoded && rules_base64_decode(arg[0].bytes, false, decoded, &size))
        *out = rules_bytes(decoded, size);
}

enum { ENCODE_PAD = 1, ENCODE_URL = 2 };

static bool check_encode_base64(struct parser *p, struct node *call)
{
    return check_options(p, call, 1, "pu");
}

RUN(encode_base64)
{
    UNUSED;
    static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uintptr_t bits = (uintptr_t)node->call.data;
    const char *letters = bits & ENCODE_URL ? url : standard;
    struct rules_bytes in = arg[0].bytes;
    uint8_t *text = run_take(run, in.size / 3 * 4 + 4);
    if (!text)
        return;
    size_t n = 0;
    for (size_t i = 0; i < in.size; i += 3) {
        size_t left = in.size - i;
        uint32_t group = (uint32_t)in.data[i] << 16;
        if (left > 1)
            group |= (uint32_t)in.data[i + 1] << 8;
        if (left > 2)
            group |= in.data[i + 2];
        text[n++] = (uint8_t)letters[group >> 18];
        text[n++] = (uint8_t)letters[group >> 12 & 63];
        if (left > 1)
            text[n++] = (uint8_t)letters[group >> 6 & 63];
        else if (bits & ENCODE_PAD)
            text[n++] = '=';
        if (left > 2)
            text[n++] = (uint8_t)letters[group & 63];
        else if (bits & ENCODE_PAD)
            text[n++] = '=';
    }
    *out = rules_bytes(text, n);
}

/* --- remove_query_args --- */

static bool check_remove_query_args(struct parser *p, struct node *call)
{
    const struct node *query = call->call.arg[0];
    const char *name = query->kind == NODE_FIELD ? p->env->scheme->field[query->field].name : "";
    if (strcmp(name, "http.request.uri.query") != 0 && strcmp(name, "raw.http.request.uri.query") != 0)
        return parser_fail(p, RULES_INVALID_ARGUMENT_VALUE, query->at, query->length,
                           "remove_query_args() works on http.request.uri.query or its raw. form only");
    return true;
}

static bool is_unwanted(struct rules_bytes piece, const struct rules_value *arg, unsigned count)
{
    const uint8_t *equals = piece.size ? memchr(piece.data, '=', piece.size) : NULL;
    size_t size = equals ? (size_t)(equals - piece.data) : piece.size;
    for (unsigned i = 1; i < count; i++)
        if (arg[i].bytes.size == size && memcmp(arg[i].bytes.data, piece.data, size) == 0 && piece.size > 0)
            return true;
    return false;
}

RUN(remove_query_args)
{
    UNUSED;
    struct rules_bytes query = arg[0].bytes;
    uint8_t *kept = run_take(run, query.size + 1);
    if (!kept)
        return;
    size_t n = 0;
    bool any = false;
    for (size_t at = 0; at < query.size || at == 0;) {
        const uint8_t *amp = query.size > at ? memchr(query.data + at, '&', query.size - at) : NULL;
        size_t end = amp ? (size_t)(amp - query.data) : query.size;
        struct rules_bytes piece = {query.data + at, end - at};
        if (!is_unwanted(piece, arg, count)) {
            if (any)
                kept[n++] = '&';
            if (piece.size)
                memcpy(kept + n, piece.data, piece.size);
            n += piece.size;
            any = true;
        }
        at = end + 1;
        if (amp && at == query.size) { /* an empty piece at the end */
            if (any)
                kept[n++] = '&';
            break;
        }
    }
    *out = rules_bytes(kept, n);
}

/* --- Replacements --- */

/* A replacement: text, and the numbers of what was taken. */
struct replacement {
    struct wildcard wildcard;
    const struct regex *regex;
    struct piece {
        struct rules_bytes text;
        unsigned number; /* 0: TEXT */
    } * piece;
    size_t count;
};

static bool parse_replacement(struct parser *p, const struct node *arg, unsigned most,
                              struct replacement *into)
{
    struct rules_bytes text = arg->literal.bytes;
    into->piece = rules_arena_take(&p->program->arena, (text.size + 1) * sizeof *into->piece);
    if (!into->piece)
        return parser_no_memory(p);
    size_t from = 0, i = 0;
    while (i < text.size) {
        if (text.data[i] != '$') {
            i++;
            continue;
        }
        if (i > from)
            into->piece[into->count++].text = (struct rules_bytes){text.data + from, i - from};
        unsigned number = 0;
        size_t at = i + 2;
        if (i + 1 < text.size && text.data[i + 1] == '$') {
            into->piece[into->count++].text = (struct rules_bytes){text.data + i, 1};
            from = i = i + 2;
            continue;
        }
        while (at < text.size && text.data[at] >= '0' && text.data[at] <= '9' && number <= most)
            number = number * 10 + (unsigned)(text.data[at++] - '0');
        if (i + 1 >= text.size || text.data[i + 1] != '{' || at >= text.size || text.data[at] != '}' ||
            at == i + 2)
            return parser_fail(p, RULES_INVALID_ARGUMENT_VALUE, arg->at, arg->length,
                               "a $ in a replacement is written $$; ${1} stands for what was taken first");
        if (number < 1 || number > most)
            return parser_fail(p, RULES_INVALID_ARGUMENT_VALUE, arg->at, arg->length,
                               "${%u} does not exist: there %s %u", number, most == 1 ? "is" : "are", most);
        into->piece[into->count++].number = number;
        from = i = at + 1;
    }
    if (i > from)
        into->piece[into->count++].text = (struct rules_bytes){text.data + from, i - from};
    return true;
}

static struct rules_bytes piece_text(const struct piece *piece, const struct rules_bytes *taken)
{
    return piece->number ? taken[piece->number - 1] : piece->text;
}

static void replace(struct run *run, const struct replacement *replacement, struct rules_bytes before,
                    struct rules_bytes after, const struct rules_bytes *taken, struct rules_value *out)
{
    size_t size = before.size + after.size, n = 0;
    for (size_t i = 0; i < replacement->count; i++)
        size += piece_text(&replacement->piece[i], taken).size;
    uint8_t *text = run_take(run, size);
    if (!text)
        return;
    struct rules_bytes part = before;
    for (size_t i = 0; i <= replacement->count + 1; i++) {
        if (i > 0)
            part = i <= replacement->count ? piece_text(&replacement->piece[i - 1], taken) : after;
        if (part.size)
            memcpy(text + n, part.data, part.size);
        n += part.size;
    }
    *out = rules_bytes(text, n);
}

static bool check_wildcard_replace(struct parser *p, struct node *call)
{
    struct node **arg = call->call.arg;
    uintptr_t strict = 0;
    size_t at;
    if (call->call.count > 3 && !options(p, arg[3], "s", &strict))
        return false;
    struct replacement *replacement = rules_arena_take(&p->program->arena, sizeof *replacement);
    if (!replacement)
        return parser_no_memory(p);
    const char *wrong = wildcard_compile(&p->program->arena, arg[1]->literal.bytes.data,
                                         arg[1]->literal.bytes.size, strict, &replacement->wildcard, &at);
    if (wrong && !*wrong)
        return parser_no_memory(p);
    if (wrong)
        return parser_fail(p, RULES_INVALID_ARGUMENT_VALUE, arg[1]->at, arg[1]->length, "bad wildcard: %s",
                           wrong);
    size_t stars = replacement->wildcard.count - 1;
    if (stars > WILDCARD_CAPTURES_MAX)
        stars = WILDCARD_CAPTURES_MAX;
    call->call.data = replacement;
    return parse_replacement(p, arg[2], (unsigned)stars, replacement);
}

RUN(wildcard_replace)
{
    UNUSED;
    const struct replacement *replacement = node->call.data;
    struct rules_bytes stars[WILDCARD_CAPTURES_MAX], none = {NULL, 0};
    if (!wildcard_match(&replacement->wildcard, arg[0].bytes.data, arg[0].bytes.size, stars,
                        WILDCARD_CAPTURES_MAX))
        *out = arg[0];
    else
        replace(run, replacement, none, none, stars, out);
}

static bool check_regex_replace(struct parser *p, struct node *call)
{
    struct node **arg = call->call.arg;
    if (p->regex_replaces++ > 0)
        return parser_fail(p, RULES_TOO_MANY, call->at, call->length,
                           "regex_replace() may be used once in an expression");
    struct replacement *replacement = rules_arena_take(&p->program->arena, sizeof *replacement);
    if (!replacement)
        return parser_no_memory(p);
    replacement->regex = parse_regex(p, arg[1]->literal.bytes, arg[1]->at, arg[1]->length, true);
    if (!replacement->regex)
        return false;
    unsigned groups = regex_captures(replacement->regex);
    call->call.data = replacement;
    return parse_replacement(p, arg[2], groups < REGEX_CAPTURES_MAX ? groups : REGEX_CAPTURES_MAX,
                             replacement);
}

RUN(regex_replace)
{
    UNUSED;
    const struct replacement *replacement = node->call.data;
    struct regex_span span[REGEX_CAPTURES_MAX + 1];
    struct rules_bytes group[REGEX_CAPTURES_MAX], all = arg[0].bytes;
    if (!regex_find(replacement->regex, run->scratch->regex, all.data, all.size, span,
                    REGEX_CAPTURES_MAX + 1)) {
        *out = arg[0];
        return;
    }
    for (unsigned i = 0; i < REGEX_CAPTURES_MAX; i++) {
        struct regex_span found = span[i + 1];
        group[i] = (struct rules_bytes){NULL, 0};
        if (found.start != SIZE_MAX)
            group[i] = (struct rules_bytes){all.data + found.start, found.end - found.start};
    }
    struct rules_bytes before = {all.data, span[0].start};
    struct rules_bytes after = {all.data + span[0].end, all.size - span[0].end};
    replace(run, replacement, before, after, group, out);
}

#define V PARAM_VALUE
#define L PARAM_LITERAL
#define B PARAM_BOTH

const struct function functions_text[] = {
    {"url_decode",
     RULES_BYTES,
     1,
     2,
     2,
     false,
     {{V, PARAM_BYTES, false}, {L, PARAM_BYTES, false}},
     check_url_decode,
     run_url_decode},
    {"decode_base64", RULES_BYTES, 1, 1, 1, false, {{V, PARAM_BYTES, false}}, NULL, run_decode_base64},
    {"encode_base64",
     RULES_BYTES,
     1,
     2,
     2,
     false,
     {{B, PARAM_BYTES, false}, {L, PARAM_BYTES, false}},
     check_encode_base64,
     run_encode_base64},
    {"remove_query_args",
     RULES_BYTES,
     2,
     64,
     2,
     false,
     {{V, PARAM_BYTES, false}, {L, PARAM_BYTES, false}},
     check_remove_query_args,
     run_remove_query_args},
    {"regex_replace",
     RULES_BYTES,
     3,
     3,
     3,
     false,
     {{V, PARAM_BYTES, false}, {L, PARAM_BYTES, true}, {L, PARAM_BYTES, false}},
     check_regex_replace,
     run_regex_replace},
    {"wildcard_replace",
     RULES_BYTES,
     3,
     4,
     4,
     false,
     {{V, PARAM_BYTES, false}, {L, PARAM_BYTES, false}, {L, PARAM_BYTES, false}, {L, PARAM_BYTES, false}},
     check_wildcard_replace,
     run_wildcard_replace},
    {.name = NULL},
};
