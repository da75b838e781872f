/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For tests of the rule language: the standard scheme with fields of every type added, and contexts from
 * JSON. */
#ifndef TESTS_UNIT_RULES_SCHEME_H
#define TESTS_UNIT_RULES_SCHEME_H

#include <stdlib.h>
#include <string.h>

#include "sidecar/rules/list.h"
#include "sidecar/rules/rules.h"
#include "sidecar/rules/value_json.h"

static const struct rules_field test_extra_fields[] = {
    {"b", RULES_BOOL, RULES_REQUEST, {.type = RULES_BOOL}},
    {"c", RULES_BOOL, RULES_CONNECTION, {.type = RULES_BOOL}},
    {"port", RULES_INT, RULES_CONNECTION, {.type = RULES_INT}},
    {"s", RULES_BYTES, RULES_REQUEST, {.type = RULES_BYTES}},
    {"addr", RULES_IP, RULES_CONNECTION, {.type = RULES_MISSING}},
    {"flags", RULES_ARRAY_OF(RULES_BOOL), RULES_REQUEST, {.type = RULES_ARRAY_OF(RULES_BOOL)}},
    {"flags2", RULES_ARRAY_OF(RULES_BOOL), RULES_REQUEST, {.type = RULES_ARRAY_OF(RULES_BOOL)}},
    {"ints", RULES_ARRAY_OF(RULES_INT), RULES_REQUEST, {.type = RULES_ARRAY_OF(RULES_INT)}},
    {"strs", RULES_ARRAY_OF(RULES_BYTES), RULES_REQUEST, {.type = RULES_ARRAY_OF(RULES_BYTES)}},
    {"ips", RULES_ARRAY_OF(RULES_IP), RULES_REQUEST, {.type = RULES_ARRAY_OF(RULES_IP)}},
    {"mb", RULES_MAP_OF(RULES_BOOL), RULES_REQUEST, {.type = RULES_MAP_OF(RULES_BOOL)}},
    {"mi", RULES_MAP_OF(RULES_INT), RULES_REQUEST, {.type = RULES_MAP_OF(RULES_INT)}},
    {"ms", RULES_MAP_OF(RULES_BYTES), RULES_REQUEST, {.type = RULES_MAP_OF(RULES_BYTES)}},
    {"mip", RULES_MAP_OF(RULES_IP), RULES_REQUEST, {.type = RULES_MAP_OF(RULES_IP)}},
    {"ma",
     RULES_MAP_OF(RULES_ARRAY_OF(RULES_BYTES)),
     RULES_REQUEST,
     {.type = RULES_MAP_OF(RULES_ARRAY_OF(RULES_BYTES))}},
    {"mai",
     RULES_MAP_OF(RULES_ARRAY_OF(RULES_INT)),
     RULES_REQUEST,
     {.type = RULES_MAP_OF(RULES_ARRAY_OF(RULES_INT))}},
    {"mab",
     RULES_MAP_OF(RULES_ARRAY_OF(RULES_BOOL)),
     RULES_REQUEST,
     {.type = RULES_MAP_OF(RULES_ARRAY_OF(RULES_BOOL))}},
    {"aa",
     RULES_ARRAY_OF(RULES_ARRAY_OF(RULES_BYTES)),
     RULES_REQUEST,
     {.type = RULES_ARRAY_OF(RULES_ARRAY_OF(RULES_BYTES))}},
    {"mm",
     RULES_MAP_OF(RULES_MAP_OF(RULES_BYTES)),
     RULES_REQUEST,
     {.type = RULES_MAP_OF(RULES_MAP_OF(RULES_BYTES))}},
    {"any_x", RULES_BOOL, RULES_REQUEST, {.type = RULES_BOOL}},
};

struct test_scheme {
    struct rules_field field[RULES_FIELDS_MAX];
    struct rules_scheme scheme;
};

static inline void test_scheme_init(struct test_scheme *t)
{
    const struct rules_scheme *standard = rules_scheme_standard();
    size_t extra = sizeof test_extra_fields / sizeof *test_extra_fields;
    memcpy(t->field, standard->field, standard->count * sizeof *t->field);
    memcpy(t->field + standard->count, test_extra_fields, sizeof test_extra_fields);
    t->scheme = (struct rules_scheme){t->field, standard->count + extra};
}

/* Sets the fields of a JSON object; NULL or what is wrong. */
static inline const char *test_context_set(struct rules_context *context, struct rules_arena *arena,
                                           const char *text, size_t size)
{
    struct json json;
    json_start(&json, text, size);
    if (json_next(&json) != JSON_OBJECT)
        return "not an object";
    for (;;) {
        enum json_event event = json_next(&json);
        if (event == JSON_OBJECT_END)
            return json_next(&json) == JSON_END ? NULL : "text after the object";
        if (event != JSON_KEY)
            return json.error;
        int field = rules_scheme_find(context->scheme, (const char *)json.text, json.size);
        if (field < 0)
            return "no such field";
        struct rules_value value;
        const char *wrong =
            rules_value_from_json(&json, json_next(&json), context->scheme->field[field].type, arena, &value);
        if (wrong)
            return wrong;
        rules_context_set(context, (unsigned)field, &value);
    }
}

#endif
