/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Characters of a pattern, white space where x is on, and escapes. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/rules/regex_internal.h"

bool regex_fail(struct regex_parser *p, size_t at, size_t length, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    p->error->offset = at;
    p->error->length = length;
    vsnprintf(p->error->words, sizeof p->error->words, format, args);
    va_end(args);
    return false;
}

bool regex_no_memory(struct regex_parser *p)
{
    return regex_fail(p, 0, 0, "out of memory");
}

void *regex_array_add(struct regex_array *array, size_t size)
{
    if (array->count == array->room) {
        uint32_t room = array->room ? array->room * 2 : 16;
        void *data = realloc(array->data, room * size);
        if (!data)
            return NULL;
        array->data = data;
        array->room = room;
    }
    return (char *)array->data + array->count++ * size;
}

bool regex_utf8_valid(const char *text, size_t size, size_t *bad)
{
    size_t at = 0;
    while (at < size) {
        const unsigned char *s = (const unsigned char *)text + at;
        size_t more = s[0] < 0x80   ? 0
                      : s[0] < 0xc2 ? 4
                      : s[0] < 0xe0 ? 1
                      : s[0] < 0xf0 ? 2
                      : s[0] < 0xf5 ? 3
                                    : 4;
        *bad = at;
        if (more > 3 || size - at <= more)
            return false;
        for (size_t i = 1; i <= more; i++)
            if ((s[i] & 0xc0) != 0x80)
                return false;
        /* Overlong forms, surrogates, and what is above 10FFFF. */
        if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
            (s[0] == 0xf4 && s[1] > 0x8f))
            return false;
        at += more + 1;
    }
    return true;
}

static size_t width_at(const struct regex_parser *p, size_t at)
{
    if (at >= p->size)
        return 0;
    unsigned char c = (unsigned char)p->text[at];
    return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

static uint32_t char_at(const struct regex_parser *p, size_t at)
{
    const unsigned char *s = (const unsigned char *)p->text + at;
    switch (width_at(p, at)) {
    case 0: return REGEX_EOF;
    case 1: return s[0];
    case 2: return (s[0] & 0x1fu) << 6 | (s[1] & 0x3fu);
    case 3: return (s[0] & 0x0fu) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu);
    default: return (s[0] & 0x07u) << 18 | (s[1] & 0x3fu) << 12 | (s[2] & 0x3fu) << 6 | (s[3] & 0x3fu);
    }
}

uint32_t regex_char(const struct regex_parser *p)
{
    return char_at(p, p->at);
}

size_t regex_width(const struct regex_parser *p)
{
    return width_at(p, p->at);
}

uint32_t regex_peek(const struct regex_parser *p)
{
    return char_at(p, p->at + regex_width(p));
}

/* Unicode's White_Space. */
bool regex_is_white(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
           c == 0x3000;
}

static size_t skip_at(const struct regex_parser *p, size_t at)
{
    bool comment = false;
    uint32_t c;
    while ((c = char_at(p, at)) != REGEX_EOF) {
        if (comment ? c == '\n' : c == '#')
            comment = !comment;
        else if (!comment && !regex_is_white(c))
            break;
        at += width_at(p, at);
    }
    return at;
}

uint32_t regex_peek_far(const struct regex_parser *p)
{
    size_t at = p->at + regex_width(p);
    return char_at(p, p->flags & FLAG_X ? skip_at(p, at) : at);
}

bool regex_next(struct regex_parser *p)
{
    p->at += regex_width(p);
    return p->at < p->size;
}

void regex_skip(struct regex_parser *p)
{
    if (p->flags & FLAG_X)
        p->at = skip_at(p, p->at);
}

bool regex_next_skip(struct regex_parser *p)
{
    regex_next(p);
    regex_skip(p);
    return p->at < p->size;
}

/* ---- Escapes ----------------------------------------------------------------------------------------- */

static int hex_digit(uint32_t c)
{
    return c >= '0' && c <= '9'                 ? (int)(c - '0')
           : (c | 32) >= 'a' && (c | 32) <= 'f' ? (int)((c | 32) - 'a' + 10)
                                                : -1;
}

static bool is_ended(struct regex_parser *p, size_t at)
{
    return regex_fail(p, at, p->size - at, "the pattern ends within an escape");
}

static bool bad_digit(struct regex_parser *p)
{
    return regex_fail(p, p->at, regex_width(p), "not a hexadecimal digit");
}

/* At x, u or U: two, four or eight digits, or any number of them in braces. */
static bool escape_hex(struct regex_parser *p, struct regex_primitive *primitive)
{
    uint32_t letter = regex_char(p), code = 0;
    unsigned want = letter == 'x' ? 2 : letter == 'u' ? 4 : 8, digits = 0;
    size_t start = primitive->at;
    if (!regex_next_skip(p))
        return is_ended(p, start);
    bool braces = regex_char(p) == '{';
    if (braces)
        regex_next_skip(p);
    for (; braces ? regex_char(p) != '}' : digits < want; digits++) {
        if (p->at >= p->size)
            return is_ended(p, start);
        int digit = hex_digit(regex_char(p));
        if (digit < 0)
            return bad_digit(p);
        code = code > 0x10ffff ? code : code << 4 | (uint32_t)digit;
        regex_next_skip(p);
    }
    if (braces)
        regex_next(p);
    if (digits == 0)
        return regex_fail(p, start, p->at - start, "no hexadecimal digits");
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return regex_fail(p, start, p->at - start, "not the number of a Unicode character");
    primitive->kind = letter == 'x' && !braces && code > 0x7f ? PRIMITIVE_BYTE : PRIMITIVE_CHAR;
    primitive->c = code;
    return true;
}

static void perl_class(uint32_t letter, struct regex_set *set)
{
    memset(set, 0, sizeof *set);
    if ((letter | 32) == 'd' || (letter | 32) == 'w')
        regex_set_add(set, '0', '9');
    if ((letter | 32) == 'w') {
        regex_set_add(set, 'A', 'Z');
        regex_set_add(set, 'a', 'z');
        regex_set_add(set, '_', '_');
    }
    if ((letter | 32) == 's') {
        regex_set_add(set, '\t', '\r');
        regex_set_add(set, ' ', ' ');
    }
    if (letter < 'a')
        regex_set_negate(set);
}

/* After \b, at a brace: {start} and the like; a repetition is left alone. */
static bool word_boundary(struct regex_parser *p, struct regex_primitive *primitive)
{
    static const struct {
        const char *name;
        enum regex_look look;
    } names[] = {{"start", LOOK_WORD_START},
                 {"end", LOOK_WORD_END},
                 {"start-half", LOOK_WORD_START_HALF},
                 {"end-half", LOOK_WORD_END_HALF}};
    size_t brace = p->at, n = 0;
    char name[16];
    regex_next_skip(p);
    uint32_t c = regex_char(p);
    if (c != REGEX_EOF && c != '-' && !((c | 32) >= 'a' && (c | 32) <= 'z')) {
        p->at = brace;
        return true;
    }
    while ((c = regex_char(p)) == '-' || ((c | 32) >= 'a' && (c | 32) <= 'z')) {
        if (n < sizeof name - 1)
            name[n++] = (char)c;
        regex_next_skip(p);
    }
    name[n] = 0;
    if (c != '}')
        return regex_fail(p, brace, p->at - brace, "the brace after \\b is not closed");
    regex_next(p);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i].name) == 0) {
            primitive->c = names[i].look;
            return true;
        }
    return regex_fail(p, brace, p->at - brace,
                      "after \\b may stand {start}, {end}, {start-half} or {end-half}");
}

static bool is_alphanumeric(uint32_t c)
{
    return (c >= '0' && c <= '9') || (c < 128 && (c | 32) >= 'a' && (c | 32) <= 'z');
}

static bool unknown_escape(struct regex_parser *p, size_t start, uint32_t c)
{
    size_t length = p->at - start;
    if (c >= '0' && c <= '9')
        return regex_fail(p, start, length, "back-references and octal escapes are not supported");
    if (c == 'p' || c == 'P')
        return regex_fail(p, start, length, "Unicode classes are not supported");
    if (c == 'Z')
        return regex_fail(p, start, length, "unknown escape: the end of the text is \\z");
    return regex_fail(p, start, length, "unknown escape");
}

bool regex_escape(struct regex_parser *p, struct regex_primitive *primitive)
{
    static const char controls[] = "afnrtv", meaning[] = "\a\f\n\r\t\v";
    size_t start = p->at;
    primitive->at = start;
    if (!regex_next(p))
        return is_ended(p, start);
    uint32_t c = regex_char(p);
    primitive->c = c;
    if (c == 'x' || c == 'u' || c == 'U')
        return escape_hex(p, primitive);
    regex_next(p);
    if (c >= 128)
        return unknown_escape(p, start, c);
    if (!is_alphanumeric(c) && c != '<' && c != '>') {
        primitive->kind = PRIMITIVE_CHAR;
        return true;
    }
    const char *control = strchr(controls, (int)c);
    if (control) {
        primitive->kind = PRIMITIVE_CHAR;
        primitive->c = (unsigned char)meaning[control - controls];
        return true;
    }
    primitive->kind = PRIMITIVE_LOOK;
    switch (c) {
    case 'd':
    case 'D':
    case 's':
    case 'S':
    case 'w':
    case 'W':
        primitive->kind = PRIMITIVE_SET;
        perl_class(c, &primitive->set);
        return true;
    case 'A': primitive->c = LOOK_TEXT_START; return true;
    case 'z': primitive->c = LOOK_TEXT_END; return true;
    case 'B': primitive->c = LOOK_NOT_WORD; return true;
    case '<': primitive->c = LOOK_WORD_START; return true;
    case '>': primitive->c = LOOK_WORD_END; return true;
    case 'b': primitive->c = LOOK_WORD; return regex_char(p) != '{' || word_boundary(p, primitive);
    default: return unknown_escape(p, start, c);
    }
}
