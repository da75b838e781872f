/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Words and literals (rules-language sections 2 and 4). */
#include <string.h>

#include "sidecar/rules/internal.h"

static int peek(const struct parser *p, size_t at)
{
    return at < p->end ? (unsigned char)p->text[at] : -1;
}

void lex_space(struct parser *p)
{
    while (p->at < p->end && (p->text[p->at] == ' ' || p->text[p->at] == '\r' || p->text[p->at] == '\n'))
        p->at++;
}

bool lex_peek(const struct parser *p, const char *text)
{
    size_t size = strlen(text);
    return p->end - p->at >= size && memcmp(p->text + p->at, text, size) == 0;
}

bool lex_take(struct parser *p, const char *text)
{
    if (!lex_peek(p, text))
        return false;
    p->at += strlen(text);
    return true;
}

static bool word(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

size_t lex_identifier(const struct parser *p, size_t at)
{
    size_t i = at;
    while (word(peek(p, i)))
        i++;
    while (i > at && peek(p, i) == '.' && word(peek(p, i + 1))) {
        i++;
        while (word(peek(p, i)))
            i++;
    }
    return i - at;
}

bool lex_int(struct parser *p, int64_t *value)
{
    size_t start = p->at;
    unsigned radix = 10;
    bool negative = false;
    if (lex_take(p, "0x"))
        radix = 16;
    else if (lex_peek(p, "0"))
        radix = 8;
    else
        negative = lex_take(p, "-");
    size_t digits = p->at;
    while (rules_hex(peek(p, p->at)) >= 0)
        p->at++;
    if (p->at == digits)
        return parser_fail(p, RULES_EXPECTED_NAME, p->at, p->at < p->end, "expected a %s",
                           radix == 16 ? "hexadecimal digit"
                           : negative  ? "digit"
                                       : "whole number");
    uint64_t limit = negative ? (uint64_t)1 << 63 : INT64_MAX, number = 0;
    for (size_t i = digits; i < p->at; i++) {
        unsigned digit = (unsigned)rules_hex((unsigned char)p->text[i]);
        if (digit >= radix) {
            parser_set_error(p, RULES_PARSE_INT, start, p->at - start, "\"%.*s\" is not a %s number",
                             (int)(p->at - start), p->text + start,
                             radix == 8 ? "valid octal (it begins with 0)" : "valid decimal");
            return false;
        }
        if (number > (limit - digit) / radix)
            return parser_fail(p, RULES_PARSE_INT, start, p->at - start,
                               "the number does not fit in 64 bits");
        number = number * radix + digit;
    }
    *value = (int64_t)(negative ? 0 - number : number);
    return true;
}

bool lex_string_starts(const struct parser *p)
{
    int c = peek(p, p->at);
    return c == '"' || (c == 'r' && (peek(p, p->at + 1) == '"' || peek(p, p->at + 1) == '#'));
}

static bool no_ending_quote(struct parser *p, size_t start)
{
    return parser_fail(p, RULES_MISSING_ENDING_QUOTE, start, p->end - start,
                       "the string has no closing quote");
}

/* Digits of one escape; P->at is at the first. */
static bool escape_number(struct parser *p, size_t escape, unsigned count, unsigned radix, uint8_t *byte)
{
    unsigned value = 0;
    for (unsigned i = 0; i < count; i++) {
        int c = peek(p, p->at + i);
        if (c < 0)
            return parser_fail(p, RULES_COUNT_MISMATCH, escape, p->end - escape, "the escape needs %u digits",
                               count);
        int digit = rules_hex(c);
        if (digit < 0 || (unsigned)digit >= radix)
            return parser_fail(p, RULES_PARSE_INT, escape, p->at + i - escape + 1,
                               "the escape needs %u %s digits", count, radix == 8 ? "octal" : "hexadecimal");
        value = value * radix + (unsigned)digit;
    }
    if (value > 255)
        return parser_fail(p, RULES_PARSE_INT, escape, p->at + count - escape,
                           "the escape is greater than \\377");
    p->at += count;
    *byte = (uint8_t)value;
    return true;
}

static bool lex_quoted(struct parser *p, struct rules_bytes *value)
{
    size_t start = p->at++;
    size_t closing = p->at;
    while (closing < p->end && p->text[closing] != '"')
        closing += p->text[closing] == '\\' ? 2 : 1;
    if (closing > p->end)
        closing = p->end;
    uint8_t *out = rules_arena_take(&p->program->arena, closing - p->at + 1);
    if (!out)
        return parser_no_memory(p);
    size_t n = 0;
    for (;;) {
        int c = peek(p, p->at);
        if (c < 0)
            return no_ending_quote(p, start);
        size_t escape = p->at++;
        if (c == '"')
            break;
        if (c != '\\') {
            out[n++] = (uint8_t)c;
            continue;
        }
        c = peek(p, p->at);
        if (c < 0)
            return no_ending_quote(p, start);
        if (c == '"' || c == '\\') {
            out[n++] = (uint8_t)c;
            p->at++;
        } else if (c == 'x') {
            p->at++;
            if (!escape_number(p, escape, 2, 16, &out[n++]))
                return false;
        } else if (c >= '0' && c <= '7') {
            if (!escape_number(p, escape, 3, 8, &out[n++]))
                return false;
        } else {
            size_t length = 2;
            while ((peek(p, escape + length) & 0xc0) == 0x80 && peek(p, escape + length) >= 0)
                length++;
            return parser_fail(p, RULES_INVALID_CHARACTER_ESCAPE, escape, length,
                               "unknown escape; there are \\\" \\\\ \\xHH \\OOO, and raw strings r\"...\"");
        }
    }
    *value = (struct rules_bytes){out, n};
    return true;
}

/* Finds the content of a raw string: START is the r. */
static bool raw_content(struct parser *p, struct rules_bytes *value)
{
    size_t start = p->at++;
    size_t hashes = 0;
    while (peek(p, p->at) == '#') {
        p->at++;
        hashes++;
    }
    if (hashes > 255)
        return parser_fail(p, RULES_INVALID_RAW_STRING_HASH_COUNT, start, p->at - start,
                           "a raw string may have at most 255 #");
    if (peek(p, p->at) != '"')
        return parser_fail(p, RULES_EXPECTED_NAME, p->at, p->at < p->end,
                           "expected # or \" of a raw string after r");
    size_t content = ++p->at;
    for (size_t i = content; i < p->end; i++) {
        if (p->text[i] != '"')
            continue;
        size_t n = 0;
        while (n < hashes && peek(p, i + 1 + n) == '#')
            n++;
        if (n == hashes) {
            value->data = (const uint8_t *)p->text + content;
            value->size = i - content;
            p->at = i + 1 + hashes;
            return true;
        }
    }
    return no_ending_quote(p, start);
}

static bool lex_raw(struct parser *p, struct rules_bytes *value)
{
    struct rules_bytes content = {NULL, 0};
    if (!raw_content(p, &content))
        return false;
    uint8_t *copy = rules_arena_copy(&p->program->arena, content.data, content.size);
    if (!copy)
        return parser_no_memory(p);
    *value = (struct rules_bytes){copy, content.size};
    return true;
}

static bool separator(int c)
{
    return c == ':' || c == '-' || c == '.';
}

static bool lex_byte_string(struct parser *p, struct rules_bytes *value)
{
    size_t start = p->at, pairs = 0;
    for (size_t at = p->at; rules_hex(peek(p, at)) >= 0; at += 3)
        pairs++;
    uint8_t *out = rules_arena_take(&p->program->arena, pairs + 1);
    if (!out)
        return parser_no_memory(p);
    size_t n = 0;
    for (;;) {
        int high = rules_hex(peek(p, p->at)), low = rules_hex(peek(p, p->at + 1));
        if (high < 0 || low < 0) {
            const char *words = n ? "expected two hexadecimal digits after the separator"
                                  : "expected a string: \"...\", r\"...\" or bytes as 61:62";
            if (peek(p, p->at) < 0 || (high >= 0 && peek(p, p->at + 1) < 0))
                return parser_fail(p, RULES_COUNT_MISMATCH, start, p->end - start, "%s", words);
            return parser_fail(p, RULES_EXPECTED_NAME, p->at + (high >= 0), 1, "%s", words);
        }
        out[n++] = (uint8_t)(high << 4 | low);
        p->at += 2;
        if (!separator(peek(p, p->at)))
            break;
        p->at++;
    }
    if (n < 2)
        return parser_fail(p, RULES_EXPECTED_NAME, p->at, p->at < p->end,
                           "expected a separator (: - .) and one more byte at least");
    *value = (struct rules_bytes){out, n};
    return true;
}

bool lex_string(struct parser *p, bool bytes, struct rules_bytes *value)
{
    int c = peek(p, p->at);
    if (c == '"')
        return lex_quoted(p, value);
    if (c == 'r')
        return lex_raw(p, value);
    if (bytes && c >= 0 && c != '\'')
        return lex_byte_string(p, value);
    return parser_fail(p, RULES_EXPECTED_NAME, p->at, p->at < p->end,
                       c == '\'' ? "strings stand in double quotes"
                                 : "expected a string: \"...\" or r\"...\"");
}

/* Section 9.1: no escapes but \" outside a class. */
bool lex_regex(struct parser *p, struct rules_bytes *pattern)
{
    size_t start = p->at;
    if (peek(p, p->at) == 'r')
        return lex_raw(p, pattern);
    if (peek(p, p->at) != '"')
        return parser_fail(p, RULES_EXPECTED_NAME, p->at, p->at < p->end,
                           "expected a regular expression: \"...\" or r\"...\"");
    p->at++;
    uint8_t *out = rules_arena_take(&p->program->arena, p->end - p->at + 1);
    if (!out)
        return parser_no_memory(p);
    size_t n = 0;
    bool class = false;
    for (;;) {
        int c = peek(p, p->at);
        if (c < 0)
            return no_ending_quote(p, start);
        p->at++;
        if (c == '\\') {
            int next = peek(p, p->at);
            if (next < 0)
                return no_ending_quote(p, start);
            p->at++;
            if (class || next != '"')
                out[n++] = '\\';
            out[n++] = (uint8_t)next;
            continue;
        }
        if (!class && c == '"')
            break;
        if (!class && c == '[')
            class = true;
        else if (class && c == ']')
            class = false;
        out[n++] = (uint8_t)c;
    }
    *pattern = (struct rules_bytes){out, n};
    return true;
}

/* The greedy run of characters that addresses are made of. */
static size_t ip_token(const struct parser *p)
{
    size_t at = p->at;
    while (rules_hex(peek(p, at)) >= 0 || peek(p, at) == ':' || peek(p, at) == '.' || peek(p, at) == '/')
        at++;
    return at - p->at;
}

bool lex_ip(struct parser *p, struct rules_ip *ip)
{
    size_t size = ip_token(p);
    if (size == 0)
        return parser_fail(p, RULES_EXPECTED_NAME, p->at, p->at < p->end, "expected an IP address");
    if (!rules_ip_parse(p->text + p->at, size, ip)) {
        bool network = memchr(p->text + p->at, '/', size);
        parser_set_error(p, RULES_PARSE_NETWORK, p->at, size, "\"%.*s\" is not an IP address%s",
                         (int)(size < 64 ? size : 64), p->text + p->at, network ? " but a network" : "");
        if (network)
            parser_suggest(p, "in {%.*s}", (int)(size < 64 ? size : 64), p->text + p->at);
        return false;
    }
    p->at += size;
    return true;
}

bool lex_ip_item(struct parser *p, struct rules_ip *low, struct rules_ip *high)
{
    size_t size = ip_token(p);
    int shown = (int)(size < 100 ? size : 100);
    if (size == 0)
        return parser_fail(p, RULES_EXPECTED_NAME, p->at, p->at < p->end,
                           "expected an IP address, a network or a range, or }");
    switch (rules_ip_parse_item(p->text + p->at, size, low, high)) {
    case RULES_IP_OK: p->at += size; return true;
    case RULES_IP_BAD_RANGE:
        return parser_fail(p, RULES_INCOMPATIBLE_RANGE_BOUNDS, p->at, size,
                           "the ends of the range are reversed or of different families");
    case RULES_IP_HOST_BITS:
        parser_set_error(p, RULES_PARSE_NETWORK, p->at, size, "the network \"%.*s\" has host bits set", shown,
                         p->text + p->at);
        const char *slash = memchr(p->text + p->at, '/', size);
        char text[RULES_IP_TEXT];
        unsigned bits = 0;
        for (const char *digit = slash + 1; digit < p->text + p->at + size; digit++)
            bits = bits * 10 + (unsigned)(*digit - '0');
        rules_ip_mask(low, bits);
        rules_ip_text(low, text);
        parser_suggest(p, "%s/%u", text, bits);
        return false;
    case RULES_IP_BAD: break;
    }
    return parser_fail(p, RULES_PARSE_NETWORK, p->at, size, "\"%.*s\" is not an IP address, network or range",
                       shown, p->text + p->at);
}
