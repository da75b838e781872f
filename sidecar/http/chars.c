/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/http/chars.h"

#include <string.h>

#define V HTTP_VALUE
#define VT (HTTP_VALUE | HTTP_TARGET)
#define TOK (VT | HTTP_TOKEN | HTTP_NAME)
#define UNR (TOK | HTTP_UNRESERVED)
#define ALN (UNR | HTTP_ALNUM)
#define HEX (ALN | HTTP_HEX)
#define DIG (HEX | HTTP_DIGIT)

const uint8_t http_class[256] = {
    ['\t'] = V,
    [' '] = V,
    ['!'] = TOK,
    ['"'] = VT,
    ['#'] = V | HTTP_TOKEN | HTTP_NAME,
    ['$' ... '\''] = TOK,
    ['(' ... ')'] = VT,
    ['*' ... '+'] = TOK,
    [','] = VT,
    ['-' ... '.'] = UNR,
    ['/'] = VT,
    ['0' ... '9'] = DIG,
    [':' ... '@'] = VT,
    ['A' ... 'F'] = HEX & ~HTTP_NAME,
    ['G' ... 'Z'] = ALN & ~HTTP_NAME,
    ['[' ... ']'] = VT,
    ['^'] = TOK,
    ['_'] = UNR,
    ['`'] = TOK,
    ['a' ... 'f'] = HEX,
    ['g' ... 'z'] = ALN,
    ['{'] = VT,
    ['|'] = TOK,
    ['}'] = VT,
    ['~'] = UNR,
    [0x80 ... 0xff] = V,
};

/* Words of eight characters: most names and values are longer than one. */
static const uint64_t each = UINT64_C(0x0101010101010101), high = UINT64_C(0x8080808080808080);

static uint64_t word_at(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    return word;
}

/* Whether one of eight is below blank or DEL: what no value may have, but tab. */
static bool has_control(const char *p)
{
    uint64_t word = word_at(p), del = word ^ each * 0x7f;
    return (((word - each * 0x20) & ~word) | ((del - each) & ~del)) & high;
}

/* False for less than eight. */
static bool no_controls(const char *p, size_t n)
{
    if (n < 8)
        return false;
    for (size_t i = 0; n - i > 8; i += 8)
        if (has_control(p + i))
            return false;
    return !has_control(p + n - 8);
}

bool http_all(const char *p, size_t n, unsigned bits)
{
    if (bits == HTTP_VALUE && no_controls(p, n))
        return true;
    for (size_t i = 0; i < n; i++)
        if (!http_is(p[i], bits))
            return false;
    return true;
}

/* All are below 0x80, so that no sum reaches its neighbour. */
void http_lower_token(const char *token, size_t n, char *out)
{
    size_t i = 0;
    for (; n - i >= 8; i += 8) {
        uint64_t word = word_at(token + i);
        uint64_t capital = (word + each * (0x80 - 'A')) & ~(word + each * (0x80 - 'Z' - 1)) & high;
        word |= capital >> 2;
        memcpy(out + i, &word, sizeof(word));
    }
    for (; i < n; i++)
        out[i] = http_lower(token[i]);
}

bool http_value_ok(struct http_str value)
{
    return http_all(value.p, value.n, HTTP_VALUE) && http_trim(value).n == value.n;
}

bool http_same(struct http_str text, const char *literal)
{
    size_t i = 0;
    for (; i < text.n && literal[i]; i++)
        if (http_lower(text.p[i]) != literal[i])
            return false;
    return i == text.n && !literal[i];
}

bool http_same_str(struct http_str a, struct http_str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (http_lower(a.p[i]) != http_lower(b.p[i]))
            return false;
    return true;
}

bool http_same_name(struct http_str a, struct http_str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (http_canonical(a.p[i]) != http_canonical(b.p[i]))
            return false;
    return true;
}

struct http_str http_number(uint64_t number, unsigned base, char buffer[HTTP_NUMBER])
{
    size_t i = HTTP_NUMBER;
    do
        buffer[--i] = "0123456789abcdef"[number % base];
    while (number /= base);
    return (struct http_str){buffer + i, HTTP_NUMBER - i};
}

struct http_str http_trim(struct http_str text)
{
    while (text.n && (*text.p == ' ' || *text.p == '\t'))
        text.p++, text.n--;
    while (text.n && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\t'))
        text.n--;
    return text;
}

bool http_list_next(struct http_str *list, struct http_str *element)
{
    while (list->n) {
        const char *comma = memchr(list->p, ',', list->n);
        size_t n = comma ? (size_t)(comma - list->p) : list->n;
        *element = http_trim((struct http_str){list->p, n});
        n += comma != NULL;
        list->p += n;
        list->n -= n;
        if (element->n)
            return true;
    }
    return false;
}

bool http_host_valid(struct http_str host)
{
    size_t n = 0;
    if (host.n && host.p[0] == '[') {
        for (n = 1; n < host.n && (http_is(host.p[n], HTTP_HEX) || host.p[n] == ':' || host.p[n] == '.'); n++)
            ;
        if (n < 3 || n == host.n || host.p[n++] != ']')
            return false;
    } else {
        while (n < host.n && http_is(host.p[n], HTTP_UNRESERVED))
            n++;
        if (!n)
            return false;
    }
    if (n == host.n)
        return true;
    if (host.p[n++] != ':' || host.n - n > 5)
        return false;
    unsigned port = 0;
    for (; n < host.n; n++) {
        if (!http_is(host.p[n], HTTP_DIGIT))
            return false;
        port = port * 10 + (unsigned)(host.p[n] - '0');
    }
    return port <= 65535;
}
