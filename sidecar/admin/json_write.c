/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/admin/json_write.h"

#include <string.h>

#include "sidecar/rules/value_json.h"

/* What stands before a value. */
static void begin(struct json_write *json, const char *key)
{
    if (json->comma)
        rules_buffer_text(&json->out, ",");
    if (key) {
        rules_json_string(key, strlen(key), &json->out);
        rules_buffer_text(&json->out, ":");
    }
    json->comma = true;
}

static void open_with(struct json_write *json, const char *key, const char *bracket)
{
    begin(json, key);
    rules_buffer_text(&json->out, bracket);
    json->comma = false;
}

static void close_with(struct json_write *json, const char *bracket)
{
    rules_buffer_text(&json->out, bracket);
    json->comma = true;
}

void json_object(struct json_write *json, const char *key)
{
    open_with(json, key, "{");
}

void json_object_end(struct json_write *json)
{
    close_with(json, "}");
}

void json_array(struct json_write *json, const char *key)
{
    open_with(json, key, "[");
}

void json_array_end(struct json_write *json)
{
    close_with(json, "]");
}

void json_text(struct json_write *json, const char *key, const char *text)
{
    if (text)
        json_bytes(json, key, text, strlen(text));
    else
        json_null(json, key);
}

void json_bytes(struct json_write *json, const char *key, const void *text, size_t size)
{
    begin(json, key);
    rules_json_string(text, size, &json->out);
}

void json_number(struct json_write *json, const char *key, uint64_t number)
{
    begin(json, key);
    rules_buffer_format(&json->out, "%llu", (unsigned long long)number);
}

void json_signed(struct json_write *json, const char *key, int64_t number)
{
    begin(json, key);
    rules_buffer_format(&json->out, "%lld", (long long)number);
}

void json_bool(struct json_write *json, const char *key, bool value)
{
    begin(json, key);
    rules_buffer_text(&json->out, value ? "true" : "false");
}

void json_null(struct json_write *json, const char *key)
{
    begin(json, key);
    rules_buffer_text(&json->out, "null");
}

void json_seconds(struct json_write *json, const char *key, uint64_t ns)
{
    uint64_t us = ns / 1000;
    begin(json, key);
    rules_buffer_format(&json->out, "%llu.%06llu", (unsigned long long)(us / 1000000),
                        (unsigned long long)(us % 1000000));
}

void json_ready(struct json_write *json, const char *key, const void *text, size_t size)
{
    if (size == 0)
        return;
    begin(json, key);
    rules_buffer_add(&json->out, text, size);
}
