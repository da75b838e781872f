/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/rules/json.h"

#include <stdio.h>
#include <string.h>

#include "sidecar/rules/internal.h"

void json_start(struct json *json, const void *text, size_t size)
{
    memset(json, 0, sizeof *json);
    json->start = json->at = text ? text : (const void *)"";
    json->end = json->at + size;
    json->state = JSON_AT_VALUE;
}

size_t json_offset(const struct json *json)
{
    return (size_t)(json->at - json->start);
}

static enum json_event bad(struct json *json, const char *error)
{
    json->state = JSON_FAILED;
    json->error = error;
    return JSON_BAD;
}

static void space(struct json *json)
{
    while (json->at < json->end &&
           (*json->at == ' ' || *json->at == '\t' || *json->at == '\n' || *json->at == '\r'))
        json->at++;
}

static bool in_object(const struct json *json)
{
    unsigned n = json->depth - 1;
    return json->object[n / 64] >> n % 64 & 1;
}

/* The four digits of \u at P, or -1. */
static int32_t four(const uint8_t *p, const uint8_t *end)
{
    int32_t code = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = rules_hex(p[i]);
        if (digit < 0)
            return -1;
        code = code << 4 | digit;
    }
    return code;
}

/* The character of the escape whose u is at *P; moves past it. -1: bad, surrogates without partner included.
 */
static int32_t unicode_escape(const uint8_t **p, const uint8_t *end)
{
    int32_t code = four(*p + 1, end);
    *p += 5;
    if (code < 0xd800 || code > 0xdfff)
        return code;
    if (code > 0xdbff || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u')
        return -1;
    int32_t low = four(*p + 2, end);
    if (low < 0xdc00 || low > 0xdfff)
        return -1;
    *p += 6;
    return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
}

static bool read_string(struct json *json)
{
    const uint8_t *p = ++json->at;
    json->text = p;
    json->escaped = false;
    while (p < json->end && *p != '"') {
        if (*p < 0x20)
            return bad(json, "a control character in a string") != JSON_BAD;
        if (*p++ != '\\')
            continue;
        json->escaped = true;
        if (p == json->end)
            break;
        if (*p == 'u') {
            if (unicode_escape(&p, json->end) < 0)
                return bad(json, "a bad \\u escape") != JSON_BAD;
        } else if (!strchr("\"\\/bfnrt", *p) || !*p) {
            return bad(json, "an unknown escape") != JSON_BAD;
        } else {
            p++;
        }
    }
    if (p >= json->end)
        return bad(json, "a string without its closing quote") != JSON_BAD;
    size_t wrong;
    json->size = (size_t)(p - json->text);
    if (!rules_utf8_valid(json->text, json->size, &wrong))
        return bad(json, "a string that is not UTF-8") != JSON_BAD;
    json->at = p + 1;
    return true;
}

static bool digits(struct json *json)
{
    const uint8_t *from = json->at;
    while (json->at < json->end && *json->at >= '0' && *json->at <= '9')
        json->at++;
    return json->at > from;
}

static bool sign(struct json *json, const char *signs)
{
    if (json->at == json->end || !*json->at || !strchr(signs, *json->at))
        return false;
    json->at++;
    return true;
}

static bool read_number(struct json *json)
{
    json->text = json->at;
    sign(json, "-");
    if (!sign(json, "0") && !digits(json))
        return false;
    if (sign(json, ".") && !digits(json))
        return false;
    if (sign(json, "eE")) {
        sign(json, "+-");
        if (!digits(json))
            return false;
    }
    json->size = (size_t)(json->at - json->text);
    return true;
}

static enum json_event word(struct json *json, const char *text, enum json_event event)
{
    size_t size = strlen(text);
    if ((size_t)(json->end - json->at) < size || memcmp(json->at, text, size) != 0)
        return bad(json, "an unknown word");
    json->at += size;
    json->state = JSON_AFTER;
    return event;
}

static enum json_event open(struct json *json, bool object)
{
    if (json->depth == JSON_DEPTH_MAX)
        return bad(json, "nested too deep");
    uint64_t bit = (uint64_t)1 << json->depth % 64;
    json->object[json->depth / 64] &= ~bit;
    if (object)
        json->object[json->depth / 64] |= bit;
    json->depth++;
    json->at++;
    json->state = JSON_AT_FIRST;
    return object ? JSON_OBJECT : JSON_ARRAY;
}

static enum json_event close(struct json *json)
{
    bool object = in_object(json);
    if (*json->at != (object ? '}' : ']'))
        return bad(json, "the wrong closing bracket");
    json->at++;
    json->depth--;
    json->state = JSON_AFTER;
    return object ? JSON_OBJECT_END : JSON_ARRAY_END;
}

static enum json_event value(struct json *json)
{
    switch (*json->at) {
    case '{': return open(json, true);
    case '[': return open(json, false);
    case 't': return word(json, "true", JSON_TRUE);
    case 'f': return word(json, "false", JSON_FALSE);
    case 'n': return word(json, "null", JSON_NULL);
    case '"':
        if (!read_string(json))
            return JSON_BAD;
        json->state = JSON_AFTER;
        return JSON_STRING;
    default:
        if (*json->at != '-' && (*json->at < '0' || *json->at > '9'))
            return bad(json, "an unexpected character");
        if (!read_number(json))
            return bad(json, "a bad number");
        json->state = JSON_AFTER;
        return JSON_NUMBER;
    }
}

static enum json_event key(struct json *json)
{
    if (*json->at != '"')
        return bad(json, "a name in quotes was expected");
    if (!read_string(json))
        return JSON_BAD;
    json->state = JSON_AT_COLON;
    return JSON_KEY;
}

enum json_event json_next(struct json *json)
{
    if (json->state == JSON_FAILED)
        return JSON_BAD;
    space(json);
    if (json->state == JSON_AFTER && json->depth == 0)
        json->state = JSON_DONE;
    if (json->state == JSON_DONE)
        return json->at == json->end ? JSON_END : bad(json, "text after the value");
    if (json->at == json->end)
        return bad(json, "the text ends too early");
    switch (json->state) {
    case JSON_AT_COLON:
        if (*json->at++ != ':')
            return bad(json, "a colon was expected");
        space(json);
        return json->at < json->end ? value(json) : bad(json, "the text ends too early");
    case JSON_AFTER:
        if (*json->at != ',')
            return *json->at == '}' || *json->at == ']' ? close(json) : bad(json, "a comma was expected");
        json->at++;
        space(json);
        if (json->at == json->end)
            return bad(json, "the text ends too early");
        return in_object(json) ? key(json) : value(json);
    case JSON_AT_FIRST:
        if (*json->at == '}' || *json->at == ']')
            return close(json);
        return in_object(json) ? key(json) : value(json);
    default: return value(json);
    }
}

bool json_skip(struct json *json, enum json_event event)
{
    if (event != JSON_OBJECT && event != JSON_ARRAY)
        return event != JSON_BAD;
    unsigned depth = json->depth;
    while (json->depth >= depth)
        if (json_next(json) == JSON_BAD)
            return false;
    return true;
}

size_t json_unescape(const struct json *json, uint8_t *out)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const uint8_t *p = json->text, *end = p + json->size;
    size_t n = 0;
    while (p < end) {
        if (*p != '\\') {
            out[n++] = *p++;
            continue;
        }
        p++;
        const char *simple = strchr(from, *p);
        if (*p == 'u') {
            n += rules_utf8_put((uint32_t)unicode_escape(&p, end), out + n);
            continue;
        }
        out[n++] = simple ? (uint8_t)to[simple - from] : *p;
        p++;
    }
    return n;
}

bool json_integer(const struct json *json, int64_t *number)
{
    bool negative = json->text[0] == '-';
    uint64_t limit = negative ? (uint64_t)1 << 63 : INT64_MAX, n = 0;
    for (size_t i = negative; i < json->size; i++) {
        if (json->text[i] < '0' || json->text[i] > '9')
            return false;
        unsigned digit = json->text[i] - '0';
        if (n > (limit - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *number = (int64_t)(negative ? 0 - n : n);
    return true;
}

/* The code point of the valid UTF-8 at *P, which moves on to its last byte. */
static uint32_t decode(const uint8_t *data, size_t *i)
{
    uint8_t lead = data[*i];
    unsigned more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    uint32_t code = lead & (0x3fu >> more);
    while (more-- > 0)
        code = code << 6 | (data[++*i] & 0x3fu);
    return code;
}

static int escape_code(uint32_t code, char *out, size_t size)
{
    if (code < 0x10000)
        return snprintf(out, size, "\\u%04x", code);
    code -= 0x10000;
    return snprintf(out, size, "\\u%04x\\u%04x", 0xd800 + (code >> 10), 0xdc00 + (code & 0x3ff));
}

static void escape(const void *text, size_t size, bool ascii,
                   void (*add)(void *arg, const void *piece, size_t size), void *arg)
{
    const uint8_t *data = text;
    size_t done = 0, wrong = 0;
    bool valid = rules_utf8_valid(data, size, &wrong);
    for (size_t i = 0; i < size; i++) {
        char piece[16];
        size_t from = i;
        if (!valid && i == wrong) {
            (void)snprintf(piece, sizeof piece, "\\ufffd");
        } else if (data[i] == '"' || data[i] == '\\') {
            (void)snprintf(piece, sizeof piece, "\\%c", data[i]);
        } else if (data[i] == '\n') {
            (void)snprintf(piece, sizeof piece, "\\n");
        } else if (data[i] < 0x20 || data[i] == 0x7f) {
            (void)snprintf(piece, sizeof piece, "\\u%04x", data[i]);
        } else if (ascii && data[i] >= 0x80) {
            (void)escape_code(decode(data, &i), piece, sizeof piece);
        } else {
            continue;
        }
        add(arg, data + done, from - done);
        add(arg, piece, strlen(piece));
        done = i + 1;
        if (!valid && from == wrong) {
            valid = rules_utf8_valid(data + done, size - done, &wrong);
            wrong += done;
        }
    }
    add(arg, data + done, size - done);
}

void json_escape(const void *text, size_t size, void (*add)(void *arg, const void *piece, size_t size),
                 void *arg)
{
    escape(text, size, false, add, arg);
}

void json_escape_ascii(const void *text, size_t size, void (*add)(void *arg, const void *piece, size_t size),
                       void *arg)
{
    escape(text, size, true, add, arg);
}
