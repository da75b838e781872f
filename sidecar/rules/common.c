/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What rules, limits and sequences have in common. */
#include <string.h>

#include "sidecar/rules/internal.h"

char *rules_arena_text(struct rules_arena *arena, const char *text)
{
    return rules_arena_copy(arena, text, strlen(text) + 1);
}

bool where_copy(struct where *to, struct rules_arena *arena, const char *const *inbound, size_t count)
{
    to->inbound = rules_arena_take(arena, (count + 1) * sizeof *to->inbound);
    to->count = count;
    if (!to->inbound)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!(to->inbound[i] = rules_arena_text(arena, inbound[i])))
            return false;
    return true;
}

bool where_has(const struct where *where, const char *inbound)
{
    for (size_t i = 0; i < where->count; i++)
        if (strcmp(where->inbound[i], inbound) == 0)
            return true;
    return where->count == 0;
}

void needs_add(struct needs *needs, const struct rules_program *program)
{
    if (!program)
        return;
    needs->phases |= program->phases;
    for (unsigned word = 0; word < RULES_FIELD_WORDS; word++)
        needs->fields[word] |= program->fields[word];
}

bool needs_has(const struct needs *needs, unsigned field)
{
    return field < RULES_FIELDS_MAX && needs->fields[field / 64] >> field % 64 & 1;
}

bool rules_add_failed(struct rules_error *error, enum rules_error_kind kind, const char *message)
{
    memset(error, 0, sizeof *error);
    error->kind = kind;
    error->line = error->column = 1;
    snprintf(error->message, sizeof error->message, "%s", message);
    return false;
}
