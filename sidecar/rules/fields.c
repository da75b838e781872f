/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "sidecar/rules/rules.h"

/* clang-format off */
#define ABSENT_NONE(t) {.type = RULES_MISSING}
/* No pointer of a string is NULL; where it is no string, all bits are zero. */
#define ABSENT_EMPTY(t) {.type = (t), .bytes = {(t) == RULES_BYTES ? (const uint8_t *)"" : NULL, 0}}
#define ABSENT_YES(t) {.type = (t), .boolean = true}
#define ABSENT_SLASH(t) {.type = (t), .bytes = {(const uint8_t *)"/", 1}}
/* clang-format on */

static const struct rules_field fields[] = {
#define X(number, name, type, phase, absent) {name, type, phase, ABSENT_##absent(type)},
    RULES_FIELDS(X)
#undef X
};

static const struct rules_scheme standard = {fields, RULES_FIELD_COUNT};

_Static_assert((int)RULES_FIELD_COUNT <= (int)RULES_FIELDS_MAX, "RULES_FIELDS_MAX is too small");

const struct rules_scheme *rules_scheme_standard(void)
{
    return &standard;
}

int rules_scheme_find(const struct rules_scheme *scheme, const char *name, size_t size)
{
    for (size_t i = 0; i < scheme->count; i++) {
        const char *field = scheme->field[i].name;
        if (strncmp(field, name, size) == 0 && field[size] == 0)
            return (int)i;
    }
    return -1;
}

void rules_context_init(struct rules_context *context, const struct rules_scheme *scheme,
                        bool (*get)(void *arg, unsigned field, struct rules_value *value), void *arg)
{
    memset(context->ready, 0, sizeof context->ready);
    memset(context->of_phase, 0, sizeof context->of_phase);
    context->scheme = scheme;
    context->get = get;
    context->arg = arg;
    for (size_t i = 0; i < scheme->count; i++)
        for (unsigned bit = 0; bit < 8; bit++)
            if (scheme->field[i].phase >> bit & 1)
                context->of_phase[bit][i / 64] |= (uint64_t)1 << i % 64;
}

void rules_context_reset(struct rules_context *context, uint8_t phases)
{
    if (phases == 0xff) {
        memset(context->ready, 0, sizeof context->ready);
        return;
    }
    for (unsigned bit = 0; bit < 8; bit++)
        if (phases >> bit & 1)
            for (unsigned word = 0; word < RULES_FIELD_WORDS; word++)
                context->ready[word] &= ~context->of_phase[bit][word];
}

void rules_context_set(struct rules_context *context, unsigned field, const struct rules_value *value)
{
    context->value[field] = *value;
    context->ready[field / 64] |= (uint64_t)1 << field % 64;
}
