/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing JSON (RFC 8259) into a text that grows. Commas and escapes are done here; that objects and arrays
 * are closed in order is the caller's. KEY is NULL within an array and at the top.
 */
#ifndef SIDECAR_ADMIN_JSON_WRITE_H
#define SIDECAR_ADMIN_JSON_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sidecar/rules/memory.h"

/* Begins as {0}. OUT.data is to be freed, or handed on; OUT.failed: memory ran out, the text is no good. */
struct json_write {
    struct rules_buffer out;
    bool comma; /* a value stands before, at this level */
};

void json_object(struct json_write *json, const char *key);
void json_object_end(struct json_write *json);
void json_array(struct json_write *json, const char *key);
void json_array_end(struct json_write *json);

void json_text(struct json_write *json, const char *key, const char *text); /* NULL: null */
/* Bytes that are not UTF-8 become U+FFFD. */
void json_bytes(struct json_write *json, const char *key, const void *text, size_t size);
void json_number(struct json_write *json, const char *key, uint64_t number);
void json_signed(struct json_write *json, const char *key, int64_t number);
void json_bool(struct json_write *json, const char *key, bool value);
void json_null(struct json_write *json, const char *key);
/* NS nanoseconds as decimal seconds: 0.001250 */
void json_seconds(struct json_write *json, const char *key, uint64_t ns);
/* A value, or several with their commas, that is JSON already; nothing where SIZE is 0. */
void json_ready(struct json_write *json, const char *key, const void *text, size_t size);

#endif
