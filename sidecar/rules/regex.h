/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Regular expressions over bytes, in the dialect of the rule language: that of Rust's regex crate with
 * Unicode off. A search takes time linear in its subject, whatever the pattern and the subject are.
 *
 * A compiled regex is immutable and may be used by any number of threads at once. What a search writes to is
 * the thread's scratch, one for all regexes: no search allocates, fails or takes a lock.
 */
#ifndef SIDECAR_RULES_REGEX_H
#define SIDECAR_RULES_REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct regex;
struct regex_scratch;

enum {
    REGEX_MEMORY_MAX = 10 * 1024 * 1024, /* bytes of one program, as its automaton is charged */
    REGEX_NESTING_MAX = 250,         /* groups, repetitions, alternations and classes within one another */
    REGEX_PATTERN_MAX = 1024 * 1024, /* bytes of a pattern */
    REGEX_CAPTURES_MAX = 8,          /* groups that regex_find() tells of; more may be written */
    REGEX_CACHE_DEFAULT = 4 * 1024 * 1024,
    REGEX_CACHE_LEAST = 64 * 1024,
};

/* Zero stands for the most; what is more than that is taken for it. */
struct regex_limits {
    size_t memory;
    unsigned nesting;
    bool captures; /* regex_find() will be used: a program may then be about a seventh as large */
};

/* What is wrong with a pattern, and where: LENGTH bytes from OFFSET (0: between two characters, or the end).
 */
struct regex_error {
    size_t offset, length;
    char words[128]; /* "repetition of nothing": lower case, no full stop */
};

/*
 * Compiles PATTERN (SIZE bytes of UTF-8). LIMITS may be NULL: all at their most, no captures. NULL on a
 * mistake or without memory: ERROR (which may be NULL) then tells. Free with regex_free(), which takes NULL.
 */
struct regex *regex_compile(const char *pattern, size_t size, const struct regex_limits *limits,
                            struct regex_error *error) __attribute__((warn_unused_result));
void regex_free(struct regex *regex);

/* The number of groups that capture, also beyond REGEX_CAPTURES_MAX; the bytes held. */
unsigned regex_captures(const struct regex *regex);
size_t regex_memory(const struct regex *regex);

/*
 * The scratch of one thread, NULL without memory. CACHE bytes (0: REGEX_CACHE_DEFAULT) are for what searches
 * have learnt of all regexes together; memory is reserved at once and becomes resident as far as it is used.
 * It may outlive the regexes that it was used with. Free with regex_scratch_free(), which takes NULL.
 */
struct regex_scratch *regex_scratch_new(size_t cache) __attribute__((warn_unused_result));
void regex_scratch_free(struct regex_scratch *scratch);

/* Whether the regex matches anywhere in DATA (NULL where SIZE is 0). */
bool regex_match(const struct regex *regex, struct regex_scratch *scratch, const uint8_t *data, size_t size);

struct regex_span {
    size_t start, end; /* both SIZE_MAX: the group took no part */
};

/*
 * Finds the leftmost match, of several there the one that the pattern prefers (as Perl does). SPAN[0] is the
 * whole match, SPAN[n] the nth group; at most COUNT of them (<= REGEX_CAPTURES_MAX + 1) are filled in, those
 * that the pattern lacks with SIZE_MAX. The regex must have been compiled with captures. SIZE is below 4 GiB.
 */
bool regex_find(const struct regex *regex, struct regex_scratch *scratch, const uint8_t *data, size_t size,
                struct regex_span *span, size_t count);

#endif
