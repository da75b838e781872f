/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A strict reader of JSON (RFC 8259): events over somebody else's memory, without allocating; and the
 * escaping of strings for writing it.
 */
#ifndef SIDECAR_RULES_JSON_H
#define SIDECAR_RULES_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_event {
    JSON_END, /* after the one value, nothing but white space follows */
    JSON_BAD, /* not JSON, or nested too deep; every later call says so again */
    JSON_OBJECT,
    JSON_OBJECT_END,
    JSON_ARRAY,
    JSON_ARRAY_END,
    JSON_KEY,
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
};

enum { JSON_DEPTH_MAX = 128 };

struct json {
    const uint8_t *text; /* of KEY and STRING, without quotes, escapes as they stand; of NUMBER */
    size_t size;
    bool escaped;      /* the text has escapes: json_unescape() */
    const char *error; /* after JSON_BAD, in words */
    /* Private. */
    const uint8_t *start, *at, *end;
    unsigned depth;
    uint64_t object[JSON_DEPTH_MAX / 64]; /* which of the open ones are objects */
    enum json_state { JSON_AT_VALUE, JSON_AT_FIRST, JSON_AT_COLON, JSON_AFTER, JSON_DONE, JSON_FAILED } state;
};

void json_start(struct json *json, const void *text, size_t size);
enum json_event json_next(struct json *json);
size_t json_offset(const struct json *json); /* where the reader is, in bytes */

/* The text without escapes, into OUT of at least SIZE bytes (it never grows). Returns its length. */
size_t json_unescape(const struct json *json, uint8_t *out);

/* The number, if it is written without fraction and exponent and fits. */
bool json_integer(const struct json *json, int64_t *value);

/*
 * Passes over the value whose first event was EVENT, to its end. False: not JSON.
 */
bool json_skip(struct json *json, enum json_event event);

/*
 * The escapes of a string that is written between quotes; bytes that are not UTF-8 become U+FFFD. Calls ADD
 * with the pieces.
 */
void json_escape(const void *text, size_t size, void (*add)(void *arg, const void *piece, size_t size),
                 void *arg);
/* The same in ASCII alone: what is beyond is written as \uXXXX. */
void json_escape_ascii(const void *text, size_t size, void (*add)(void *arg, const void *piece, size_t size),
                       void *arg);

#endif
