/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The character classes of HTTP (RFC 9110, 5.6) and URIs (RFC 3986), by one table.
 */
#ifndef OUTRIDER_SIDECAR_HTTP_CHARS_H
#define OUTRIDER_SIDECAR_HTTP_CHARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sidecar/http/field.h"

enum http_class_bit {
    HTTP_TOKEN = 1 << 0,      /* tchar */
    HTTP_VALUE = 1 << 1,      /* field-vchar, blank, tab */
    HTTP_TARGET = 1 << 2,     /* printable ASCII but "#": what a request target may have */
    HTTP_UNRESERVED = 1 << 3, /* RFC 3986, 2.3 */
    HTTP_HEX = 1 << 4,
    HTTP_DIGIT = 1 << 5,
    HTTP_ALNUM = 1 << 6,
    HTTP_NAME = 1 << 7, /* tchar, but no capital letter: what HTTP/2 has in names */
};
extern const uint8_t http_class[256];

static inline bool http_is(char c, unsigned bits)
{
    return http_class[(uint8_t)c] & bits;
}

static inline char http_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* N characters of a token (HTTP_TOKEN) in lower case. */
void http_lower_token(const char *token, size_t n, char *out);

/* Value of a hex digit. */
static inline unsigned http_hex(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
}

/* Whether every byte is of a class in BITS; true if there is none. */
bool http_all(const char *p, size_t n, unsigned bits);

/* A field's value as HTTP/2 wants it (RFC 9113, 8.2.1), and as nobody reads it differently in HTTP/1.1. */
bool http_value_ok(struct http_str value);

/* Equal without regard to ASCII case. LITERAL is lower case. */
bool http_same(struct http_str text, const char *literal);
bool http_same_str(struct http_str a, struct http_str b);
/* Likewise, and every character but letters and digits counts as a dash: the same name to some servers. */
bool http_same_name(struct http_str a, struct http_str b);

/* NUMBER in decimal or lower-case hex, at the end of BUFFER. */
enum { HTTP_NUMBER = 20 };
struct http_str http_number(uint64_t number, unsigned base, char buffer[HTTP_NUMBER]);

static inline char http_canonical(char c)
{
    return http_is(c, HTTP_ALNUM) ? http_lower(c) : '-';
}

/* Without blanks and tabs at either end. */
struct http_str http_trim(struct http_str text);

/* Takes the next element, trimmed, off a list separated by commas (RFC 9110, 5.6.1); empty ones are skipped.
 * False at the end. */
bool http_list_next(struct http_str *list, struct http_str *element);

/* uri-host [ ":" port ] with a host that names something: letters, digits, "-._~", or an IP literal. */
bool http_host_valid(struct http_str host);

#endif
