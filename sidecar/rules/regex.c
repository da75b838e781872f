/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Compiling and matching: the way in to the engine. */
#include <stdlib.h>
#include <string.h>

#include "sidecar/rules/regex_internal.h"

static uint64_t hash(const char *text, size_t size, uint64_t seed)
{
    uint64_t state = seed ^ size * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t at = 0; at < size; at += 8) {
        uint64_t word = 0;
        memcpy(&word, text + at, size - at < 8 ? size - at : 8);
        state = (state ^ word) * UINT64_C(0xd6e8feb86659fd93);
        state ^= state >> 32;
    }
    return state * UINT64_C(0xff51afd7ed558ccd) ^ state >> 29;
}

struct regex *regex_compile(const char *pattern, size_t size, const struct regex_limits *limits,
                            struct regex_error *error)
{
    struct regex_limits capped = limits ? *limits : (struct regex_limits){0};
    if (capped.memory == 0 || capped.memory > REGEX_MEMORY_MAX)
        capped.memory = REGEX_MEMORY_MAX;
    if (capped.nesting == 0 || capped.nesting > REGEX_NESTING_MAX)
        capped.nesting = REGEX_NESTING_MAX;
    struct regex_error unused;
    struct regex_parser p = {
        .text = pattern, .size = size, .nesting = capped.nesting, .error = error ? error : &unused};
    memset(p.error, 0, sizeof *p.error);
    struct regex *regex = calloc(1, sizeof *regex);
    size_t bad;
    uint32_t root = REGEX_NONE;
    if (!regex)
        regex_no_memory(&p);
    else if (size > REGEX_PATTERN_MAX)
        regex_fail(&p, REGEX_PATTERN_MAX, 0, "longer than %d bytes", REGEX_PATTERN_MAX);
    else if (!regex_utf8_valid(pattern, size, &bad))
        regex_fail(&p, bad, 1, "not UTF-8");
    else
        root = regex_parse(&p);
    if (root == REGEX_NONE || !regex_build(regex, &p, root, &capped))
        goto fail;
    if (!regex_find_literal(regex, &p, root)) {
        regex_no_memory(&p);
        goto fail;
    }
    regex->groups = p.groups;
    if (capped.captures)
        regex->slots = 2 * (1 + (p.groups < REGEX_CAPTURES_MAX ? p.groups : REGEX_CAPTURES_MAX));
    regex->id[0] = hash(pattern, size, capped.captures);
    regex->id[1] = hash(pattern, size, UINT64_C(0x2545f4914f6cdd1d));
    regex_parser_clear(&p);
    return regex;
fail:
    regex_parser_clear(&p);
    regex_free(regex);
    return NULL;
}

void regex_free(struct regex *regex)
{
    if (!regex)
        return;
    free(regex->node);
    free(regex->set);
    free(regex->literal);
    free(regex);
}

unsigned regex_captures(const struct regex *regex)
{
    return regex->groups;
}

size_t regex_memory(const struct regex *regex)
{
    return sizeof *regex + regex->count * sizeof *regex->node + regex->sets * sizeof *regex->set +
           regex->literal_size;
}

bool regex_match(const struct regex *regex, struct regex_scratch *scratch, const uint8_t *data, size_t size)
{
    static const uint8_t nothing[1];
    size_t wanted = regex->literal_size;
    if (size == 0)
        data = nothing;
    if (wanted > size)
        return false;
    switch (regex->whole) {
    case WHOLE_ANYWHERE: return regex_literal_search(regex, data, size);
    case WHOLE_ALONE:
        if (size != wanted)
            return false;
        __attribute__((fallthrough));
    case WHOLE_FIRST: return wanted == 0 || memcmp(data, regex->literal, wanted) == 0;
    case WHOLE_LAST: return wanted == 0 || memcmp(data + size - wanted, regex->literal, wanted) == 0;
    case WHOLE_NOT: break;
    }
    if (wanted > 0) {
        const uint8_t *place = regex_literal_search(regex, data, size);
        if (!place)
            return false;
        if (regex->literal_first) {
            size -= (size_t)(place - data);
            data = place;
        }
    }
    return regex_dfa_match(regex, scratch, data, size);
}
