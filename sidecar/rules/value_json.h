/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Values as JSON: strings are JSON strings or {"$hex": "..."} for any bytes, integers are numbers, addresses
 * are strings, arrays are lists, maps are objects, null is a missing value.
 */
#ifndef SIDECAR_RULES_VALUE_JSON_H
#define SIDECAR_RULES_VALUE_JSON_H

#include "sidecar/rules/json.h"
#include "sidecar/rules/memory.h"
#include "sidecar/rules/value.h"

/*
 * Reads the value whose first event was EVENT as one of TYPE; what it points to is in ARENA. Missing elements
 * of arrays and maps are left out. Returns NULL, or what is wrong in words (a static string).
 */
const char *rules_value_from_json(struct json *json, enum json_event event, uint32_t type,
                                  struct rules_arena *arena, struct rules_value *value)
    __attribute__((warn_unused_result));

/* Reads a string or {"$hex": "..."}. */
const char *rules_bytes_from_json(struct json *json, enum json_event event, struct rules_arena *arena,
                                  struct rules_bytes *bytes) __attribute__((warn_unused_result));

/* Writes a value; bytes that are not UTF-8 as {"$hex": "..."}. */
void rules_value_to_json(const struct rules_value *value, struct rules_buffer *out);

/* Writes a JSON string, quotes included; bytes that are not UTF-8 become U+FFFD. */
void rules_json_string(const void *text, size_t size, struct rules_buffer *out);

#endif
