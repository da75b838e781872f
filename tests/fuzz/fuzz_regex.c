/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Regular expressions: the input is a pattern, a zero, and a subject. All ways of searching must agree. */
#include <stdlib.h>
#include <string.h>

#include "sidecar/rules/regex_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A heap copy as long as it is, so that a read beyond its end is seen. */
static uint8_t *copy(const uint8_t *data, size_t size)
{
    uint8_t *out = malloc(size ? size : 1);
    if (!out)
        abort();
    if (size)
        memcpy(out, data, size);
    return out;
}

static void search(const struct regex *regex, const struct regex *finder, struct regex_scratch *scratch,
                   const uint8_t *subject, size_t size)
{
    struct regex_span span[REGEX_CAPTURES_MAX + 1];
    bool matched = regex_match(regex, scratch, subject, size);
    if (regex_dfa_match(regex, scratch, subject, size) != matched ||
        regex_dfa_match(finder, scratch, subject, size) != matched ||
        regex_nfa_match(regex, scratch, subject, size) != matched)
        abort();
    if (regex_find(finder, scratch, subject, size, span, REGEX_CAPTURES_MAX + 1) != matched)
        abort();
    for (unsigned i = 0; matched && i <= REGEX_CAPTURES_MAX; i++) {
        bool has = span[i].start != SIZE_MAX;
        if (has != (span[i].end != SIZE_MAX) || (has && (span[i].start > span[i].end || span[i].end > size)))
            abort();
        if ((i == 0 && !has) || (i > regex_captures(regex) && has))
            abort();
    }
    /* A match that begins at the end found is one of the text up to the end. */
    if (matched && regex->remember == 0 && span[0].end < size) {
        bool looks = false;
        for (uint32_t i = 0; i < regex->count; i++)
            looks |= regex->node[i].op == OP_LOOK;
        if (!looks && !regex_match(regex, scratch, subject, span[0].end))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    size_t pattern_size = zero ? (size_t)(zero - data) : size;
    size_t subject_size = zero ? size - pattern_size - 1 : 0;
    uint8_t *pattern = copy(data, pattern_size), *subject = copy(zero ? zero + 1 : NULL, subject_size);
    struct regex_error error;
    /* Small programs, so that an input costs little. */
    struct regex_limits limits = {.memory = 64 * 1024},
                        captures = {.memory = 7 * 64 * 1024, .captures = true};
    struct regex *regex = regex_compile((const char *)pattern, pattern_size, &limits, &error);
    if (!regex &&
        (error.offset > pattern_size || error.length > pattern_size - error.offset || !error.words[0]))
        abort();
    struct regex *finder = regex_compile((const char *)pattern, pattern_size, &captures, NULL);
    struct regex_scratch *scratch = regex_scratch_new(1);
    if (regex && finder && scratch)
        search(regex, finder, scratch, subject, subject_size);
    regex_scratch_free(scratch);
    regex_free(finder);
    regex_free(regex);
    free(subject);
    free(pattern);
    return 0;
}
