/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/rules/value_json.h"

#include <inttypes.h>
#include <string.h>

#include "sidecar/rules/internal.h"

static const char no_memory[] = "out of memory";

static const char *json_error(const struct json *json)
{
    return json->error ? json->error : "not JSON";
}

static const char *plain_string(struct json *json, struct rules_arena *arena, struct rules_bytes *bytes)
{
    uint8_t *text = rules_arena_take(arena, json->size + 1);
    if (!text)
        return no_memory;
    *bytes = (struct rules_bytes){text, json_unescape(json, text)};
    return NULL;
}

/* After "{": "$hex": "..." }. */
static const char *hex_string(struct json *json, struct rules_arena *arena, struct rules_bytes *bytes)
{
    static const char wrong[] = "expected a string or {\"$hex\": \"...\"}";
    enum json_event event = json_next(json);
    if (event != JSON_KEY || json->size != 4 || memcmp(json->text, "$hex", 4) != 0)
        return event == JSON_BAD ? json_error(json) : wrong;
    event = json_next(json);
    if (event != JSON_STRING || json->escaped)
        return event == JSON_BAD ? json_error(json) : wrong;
    if (json->size % 2)
        return "$hex needs two digits for each byte";
    uint8_t *data = rules_arena_take(arena, json->size / 2 + 1);
    if (!data)
        return no_memory;
    for (size_t i = 0; i < json->size; i++) {
        int digit = rules_hex(json->text[i]);
        if (digit < 0)
            return "$hex needs hexadecimal digits";
        data[i / 2] = (uint8_t)(data[i / 2] << 4 | digit);
    }
    *bytes = (struct rules_bytes){data, json->size / 2};
    event = json_next(json);
    return event == JSON_OBJECT_END ? NULL : event == JSON_BAD ? json_error(json) : wrong;
}

const char *rules_bytes_from_json(struct json *json, enum json_event event, struct rules_arena *arena,
                                  struct rules_bytes *bytes)
{
    if (event == JSON_STRING)
        return plain_string(json, arena, bytes);
    if (event == JSON_OBJECT)
        return hex_string(json, arena, bytes);
    return event == JSON_BAD ? json_error(json) : "expected a string";
}

static const char *array_from(struct json *json, enum json_event event, uint32_t type,
                              struct rules_arena *arena, struct rules_value *value)
{
    struct rules_buffer items = {0};
    const char *wrong = event == JSON_ARRAY ? NULL : event == JSON_BAD ? json_error(json) : "expected a list";
    while (!wrong && (event = json_next(json)) != JSON_ARRAY_END) {
        struct rules_value item = {0};
        wrong = rules_value_from_json(json, event, rules_type_inner(type), arena, &item);
        if (!wrong && !rules_missing(&item))
            rules_buffer_add(&items, &item, sizeof item);
    }
    value->type = type;
    value->array.count = items.size / sizeof *value;
    value->array.item = items.failed ? NULL : rules_arena_copy(arena, items.data, items.size);
    rules_buffer_free(&items);
    return wrong ? wrong : value->array.item ? NULL : no_memory;
}

static const char *map_from(struct json *json, enum json_event event, uint32_t type,
                            struct rules_arena *arena, struct rules_value *value)
{
    struct rules_buffer entries = {0};
    const char *wrong = event == JSON_OBJECT ? NULL
                        : event == JSON_BAD  ? json_error(json)
                                             : "expected an object";
    while (!wrong && (event = json_next(json)) != JSON_OBJECT_END) {
        struct rules_entry entry = {0};
        wrong = event == JSON_KEY ? plain_string(json, arena, &entry.key) : json_error(json);
        if (!wrong)
            wrong = rules_value_from_json(json, json_next(json), rules_type_inner(type), arena, &entry.value);
        if (!wrong && !rules_missing(&entry.value))
            rules_buffer_add(&entries, &entry, sizeof entry);
    }
    struct rules_entry *entry = entries.failed ? NULL : rules_arena_copy(arena, entries.data, entries.size);
    value->type = type;
    value->map.entry = entry;
    value->map.count = entry ? rules_map_sort(entry, entries.size / sizeof *entry) : 0;
    rules_buffer_free(&entries);
    return wrong ? wrong : entry ? NULL : no_memory;
}

const char *rules_value_from_json(struct json *json, enum json_event event, uint32_t type,
                                  struct rules_arena *arena, struct rules_value *value)
{
    struct rules_bytes text = {NULL, 0};
    const char *wrong;
    value->type = RULES_MISSING;
    if (event == JSON_NULL)
        return NULL;
    if (rules_type_layer(type))
        return rules_type_layer(type) == RULES_ARRAY ? array_from(json, event, type, arena, value)
                                                     : map_from(json, event, type, arena, value);
    switch (type) {
    case RULES_BOOL:
        if (event != JSON_TRUE && event != JSON_FALSE)
            return event == JSON_BAD ? json_error(json) : "expected true or false";
        value->boolean = event == JSON_TRUE;
        break;
    case RULES_INT:
        if (event != JSON_NUMBER || !json_integer(json, &value->integer))
            return event == JSON_BAD ? json_error(json) : "expected a whole number of 64 bits";
        break;
    case RULES_IP:
        wrong = rules_bytes_from_json(json, event, arena, &text);
        if (wrong || !rules_ip_parse((const char *)text.data, text.size, &value->ip))
            return wrong ? wrong : "expected an IP address";
        break;
    default:
        wrong = rules_bytes_from_json(json, event, arena, &value->bytes);
        if (wrong)
            return wrong;
    }
    value->type = type;
    return NULL;
}

static void add(void *arg, const void *piece, size_t size)
{
    rules_buffer_add(arg, piece, size);
}

void rules_json_string(const void *text, size_t size, struct rules_buffer *out)
{
    rules_buffer_text(out, "\"");
    json_escape(text, size, add, out);
    rules_buffer_text(out, "\"");
}

static void bytes_to(struct rules_bytes bytes, struct rules_buffer *out)
{
    size_t bad;
    if (rules_utf8_valid(bytes.data, bytes.size, &bad)) {
        rules_json_string(bytes.data, bytes.size, out);
        return;
    }
    rules_buffer_text(out, "{\"$hex\": \"");
    for (size_t i = 0; i < bytes.size; i++)
        rules_buffer_format(out, "%02x", bytes.data[i]);
    rules_buffer_text(out, "\"}");
}

void rules_value_to_json(const struct rules_value *value, struct rules_buffer *out)
{
    char text[RULES_IP_TEXT];
    switch (rules_type_layer(value->type)) {
    case RULES_ARRAY:
        rules_buffer_text(out, "[");
        for (size_t i = 0; i < value->array.count; i++) {
            rules_buffer_text(out, i ? ", " : "");
            rules_value_to_json(&value->array.item[i], out);
        }
        rules_buffer_text(out, "]");
        return;
    case RULES_MAP:
        rules_buffer_text(out, "{");
        for (size_t i = 0; i < value->map.count; i++) {
            rules_buffer_text(out, i ? ", " : "");
            rules_json_string(value->map.entry[i].key.data, value->map.entry[i].key.size, out);
            rules_buffer_text(out, ": ");
            rules_value_to_json(&value->map.entry[i].value, out);
        }
        rules_buffer_text(out, "}");
        return;
    case RULES_NO_LAYER: break;
    }
    switch (value->type) {
    case RULES_BOOL: rules_buffer_text(out, value->boolean ? "true" : "false"); return;
    case RULES_INT: rules_buffer_format(out, "%" PRId64, value->integer); return;
    case RULES_IP:
        rules_ip_text(&value->ip, text);
        rules_buffer_format(out, "\"%s\"", text);
        return;
    case RULES_BYTES: bytes_to(value->bytes, out); return;
    default: rules_buffer_text(out, "null");
    }
}
