/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Searches: hostile patterns and subjects, the cache, literals, what is found where, limits, memory, threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/rules/regex_internal.h"

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED 1
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

static unsigned long allocations;

#if defined __GLIBC__ && !defined SANITIZED
#define COUNTS_ALLOCATIONS 1
/* How many are not freed, and after how many more one fails. */
static long live, failing = -1;
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *old);

static void *counted(void *new)
{
    __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
    if (new)
        __atomic_fetch_add(&live, 1, __ATOMIC_RELAXED);
    return new;
}

static bool fails(void)
{
    return failing >= 0 && failing-- == 0;
}

void *malloc(size_t size)
{
    return counted(fails() ? NULL : __libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return counted(fails() ? NULL : __libc_calloc(count, size));
}

void *realloc(void *old, size_t size)
{
    void *new = fails() ? NULL : __libc_realloc(old, size);
    if (old && new)
        __atomic_fetch_sub(&live, 1, __ATOMIC_RELAXED);
    return counted(new);
}

void free(void *old)
{
    if (old)
        __atomic_fetch_sub(&live, 1, __ATOMIC_RELAXED);
    __libc_free(old);
}
#endif

/* A number below SIDES. */
static unsigned roll(uint64_t *random, unsigned sides)
{
    *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)((*random >> 33) % sides);
}

/* ---- Hostile subjects and patterns ------------------------------------------------------------------- */

static struct regex *compile(const char *pattern)
{
    struct regex_error error;
    struct regex *regex = regex_compile(pattern, strlen(pattern), NULL, &error);
    if (!regex)
        fail_msg("%s: %s", pattern, error.words);
    return regex;
}

/* Patterns that a backtracking matcher would need longer than the world has for. */
static void test_pathological(void **state)
{
    (void)state;
    enum { SIZE = 100000 };
    static const char *const patterns[] = {
        "(a*)*b",
        "(a+)+$b",
        "(?:a|a)*b",
        "(a|aa)+$b",
        "(?:a*)*(?:a*)*c",
        "(?:a?){30}a{30}b",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        "a*a*a*a*a*a*a*a*a*a*b",
        "(.*)(.*)(.*)(.*)(.*)[^a]",
        "(?:.*.*)*x$",
        "^(?:(?:(?:a*)*)*)*$c",
        "\\b(?:a\\B)*b",
        "(?:a{0,50}){0,50}b",
        "([a-z]+)*=",
        "(?m)(?:^a*$)*b",
    };
    uint8_t *subject = malloc(SIZE);
    memset(subject, 'a', SIZE);
    struct regex_scratch *scratch = regex_scratch_new(0);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        struct regex *regex = compile(patterns[i]);
        assert_false(regex_match(regex, scratch, subject, SIZE));
        assert_false(regex_dfa_match(regex, scratch, subject, SIZE));
        assert_false(regex_nfa_match(regex, scratch, subject, 1000));
        regex_free(regex);
    }
    struct regex *finder =
        regex_compile("(?:a?){30}(a{30})", 17, &(struct regex_limits){.captures = true}, NULL);
    struct regex_span span[2];
    assert_true(regex_find(finder, scratch, subject, 2000, span, 2));
    assert_int_equal(span[1].start, 30);
    assert_int_equal(span[1].end, 60);
    regex_free(finder);
    regex_scratch_free(scratch);
    free(subject);
}

/* More states than the cache can hold: it is emptied seldom, and the search goes on without it. */
static void test_full_cache(void **state)
{
    (void)state;
    enum { SIZE = 100000 };
    struct regex *wild = compile("[ab]*a[ab]{14}c"), *tame = compile("x[0-9]+y"),
                 *end = compile("a[ab]{10}$");
    struct regex_scratch *scratch = regex_scratch_new(1);
    uint8_t *subject = malloc(SIZE);
    uint64_t random = 1;
    for (size_t i = 0; i < SIZE; i++)
        subject[i] = roll(&random, 2) ? 'a' : 'b';
    assert_false(regex_dfa_match(wild, scratch, subject, SIZE));
    assert_int_equal(scratch->flushes, 0);
    for (int i = 0; i < 5; i++)
        assert_false(regex_dfa_match(wild, scratch, subject, SIZE / 2));
    assert_in_range(scratch->flushes, 1, 5);
    assert_true(scratch->used <= scratch->room);
    assert_true(regex_match(tame, scratch, (const uint8_t *)"ax123y", 6));
    assert_int_equal(regex_match(end, scratch, subject, SIZE), subject[SIZE - 11] == 'a');
    assert_int_equal(regex_match(end, scratch, subject, SIZE - 1), subject[SIZE - 12] == 'a');
    subject[SIZE - 1] = 'c';
    assert_int_equal(regex_dfa_match(wild, scratch, subject, SIZE), subject[SIZE - 16] == 'a');
    assert_int_equal(regex_nfa_match(wild, scratch, subject, SIZE), subject[SIZE - 16] == 'a');
    for (size_t size = SIZE - 100; size < SIZE; size++)
        assert_int_equal(regex_match(end, scratch, subject, size), subject[size - 11] == 'a');
    /* One state alone is more than this cache takes. */
    struct regex *wide = compile("(?:a?){20000}c");
    assert_false(regex_dfa_match(wide, scratch, subject, 40));
    regex_free(wide);
    regex_free(wild);
    regex_free(tame);
    regex_free(end);
    regex_scratch_free(scratch);
    free(subject);
}

/* The state that is left when the cache is emptied is gone: nothing may be written to it. */
static void test_emptied_midway(void **state)
{
    (void)state;
    enum { SIZE = 200000 };
    struct regex *early = compile("^a[bc]x*$"), *idle = compile("z[0-9]$"),
                 *wild = compile("[ab]*a[ab]{14}c");
    struct regex_scratch *scratch = regex_scratch_new(1);
    uint8_t *subject = malloc(SIZE);
    uint64_t random = 1;
    memset(subject, 'q', SIZE);
    assert_false(regex_dfa_match(early, scratch, subject, 1));
    assert_false(regex_dfa_match(idle, scratch, subject, 10));
    for (size_t i = 0; i < 4000; i++)
        subject[i] = roll(&random, 2) ? 'a' : 'b';
    assert_false(regex_dfa_match(wild, scratch, subject, 4000));
    memset(subject, 'q', SIZE);
    assert_false(regex_dfa_match(idle, scratch, subject, SIZE));
    assert_int_equal(scratch->flushes, 0);
    assert_true(regex_dfa_match(early, scratch, (const uint8_t *)"ab", 2));
    assert_int_equal(scratch->flushes, 1);
    assert_false(regex_dfa_match(early, scratch, (const uint8_t *)"aab", 3));
    assert_true(regex_dfa_match(early, scratch, (const uint8_t *)"acxx", 4));
    regex_free(early);
    regex_free(idle);
    regex_free(wild);
    regex_scratch_free(scratch);
    free(subject);
}

/* The same memory may hold another regex later; what was learnt of the first must not be used. */
static void test_recompiled(void **state)
{
    (void)state;
    struct regex_scratch *scratch = regex_scratch_new(0);
    for (int i = 0; i < 100; i++) {
        char pattern[32];
        snprintf(pattern, sizeof pattern, "^[%c-%c]+x$", 'a' + i % 20, 'a' + i % 20 + 2);
        struct regex *regex = compile(pattern);
        for (int c = 'a'; c <= 'w'; c++) {
            uint8_t subject[] = {(uint8_t)c, 'x'};
            assert_int_equal(regex_match(regex, scratch, subject, 2),
                             c >= 'a' + i % 20 && c <= 'a' + i % 20 + 2);
        }
        regex_free(regex);
    }
    regex_scratch_free(scratch);
}

static char *repeated(const char *text, size_t times, const char *end)
{
    size_t size = strlen(text), total = size * times;
    char *out = malloc(total + strlen(end) + 1);
    for (size_t i = 0; i < times; i++)
        memcpy(out + i * size, text, size);
    strcpy(out + total, end);
    return out;
}

/* Accepted N times over, refused once more, at OFFSET. */
static void check_depth(const char *open, const char *middle, const char *close, size_t times, size_t offset)
{
    for (size_t n = times; n <= times + 1; n++) {
        char *left = repeated(open, n, middle), *right = repeated(close, n, "");
        char *pattern = repeated(left, 1, right);
        struct regex_error error;
        struct regex *regex = regex_compile(pattern, strlen(pattern), NULL, &error);
        if (n == times && !regex)
            fail_msg("%s x %zu: %s", open, n, error.words);
        if (n > times) {
            assert_null(regex);
            assert_non_null(strstr(error.words, "nested more than 250 deep"));
            assert_int_equal(error.offset, offset);
        }
        regex_free(regex);
        free(left);
        free(right);
        free(pattern);
    }
}

static void test_nesting(void **state)
{
    (void)state;
    check_depth("(", "a", ")", 250, 250);
    check_depth("(?:", "a", ")", 250, 750);
    check_depth("", "a", "*", 250, 251);
    check_depth("[", "a", "]", 250, 251);
    check_depth("[b", "a", "]", 125, 378);
    check_depth("(?:b", "a", ")", 125, 0);
    check_depth("(?:|", "a", ")", 125, 0);
    char *chain = repeated("&&a", 250, "]"), *open = repeated("[a", 1, chain);
    struct regex_error error;
    assert_null(regex_compile(open, strlen(open), NULL, &error));
    assert_non_null(strstr(error.words, "nested more"));
    free(chain);
    free(open);
    assert_null(regex_compile("((a))", 5, &(struct regex_limits){.nesting = 1}, &error));
    assert_non_null(strstr(error.words, "nested more than 1 deep"));
}

static void test_large(void **state)
{
    (void)state;
    static const struct {
        const char *part, *end;
        bool good;
    } patterns[] = {
        {"(", "", false},      {"[", "", false},    {"(?i)", "", true},    {"a|", "b", true},
        {"[a]", "", true},     {"()", "", true},    {"[[a]", "", false},   {"\\b", "", true},
        {"a*", "", true},      {"[a&&", "", false}, {"(?x)#\n", "", true}, {"é", "", true},
        {"(?<a>)", "", false}, {"|", "", true},     {"a?", "", true},      {"(a)", "", true},
        {"a{2}", "", true},    {"a{0}", "", true},
    };
    struct regex_scratch *scratch = regex_scratch_new(0);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        char *pattern = repeated(patterns[i].part, 20000, patterns[i].end);
        struct regex_error error;
        struct regex *regex = regex_compile(pattern, strlen(pattern), NULL, &error);
        if (!regex != !patterns[i].good)
            fail_msg("%s: %s", patterns[i].part, error.words);
        if (regex) {
            regex_match(regex, scratch, (const uint8_t *)"aab", 3);
            regex_nfa_match(regex, scratch, (const uint8_t *)"aab", 3);
        }
        regex_free(regex);
        free(pattern);
    }
    char *pattern = repeated("a", REGEX_PATTERN_MAX + 1, "");
    struct regex_error error;
    assert_null(regex_compile(pattern, REGEX_PATTERN_MAX + 1, NULL, &error));
    assert_int_equal(error.offset, REGEX_PATTERN_MAX);
    assert_null(regex_compile(pattern, REGEX_PATTERN_MAX, NULL, &error));
    assert_non_null(strstr(error.words, "too large"));
    free(pattern);
    struct regex *regex = regex_compile("a{1001}", 7, NULL, &error);
    assert_non_null(regex);
    uint8_t subject[1001];
    memset(subject, 'a', sizeof subject);
    assert_true(regex_match(regex, scratch, subject, 1001));
    assert_false(regex_match(regex, scratch, subject, 1000));
    regex_free(regex);
    assert_null(regex_compile("a{100}", 6, &(struct regex_limits){.memory = 2000}, &error));
    regex = regex_compile("a{60000}", 8, &(struct regex_limits){.captures = true}, &error);
    assert_non_null(regex);
    struct regex_span span[1];
    assert_false(regex_find(regex, scratch, subject, sizeof subject, span, 1));
    regex_free(regex);
    assert_null(regex_compile("a{70000}", 8, &(struct regex_limits){.captures = true}, &error));
    regex = regex_compile("(?:a?){60000}", 13, &(struct regex_limits){.captures = true}, &error);
    assert_true(!regex || regex_find(regex, scratch, subject, 5, span, 1));
    regex_free(regex);
    regex_scratch_free(scratch);
}

/* ---- Literals ---------------------------------------------------------------------------------------- */

static void test_literal_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *literal;
        enum regex_whole whole;
        bool first;
    } vectors[] = {
        {"abc", "abc", WHOLE_ANYWHERE, false},
        {"^abc", "abc", WHOLE_FIRST, false},
        {"abc$", "abc", WHOLE_LAST, false},
        {"^abc$", "abc", WHOLE_ALONE, false},
        {"", "", WHOLE_ANYWHERE, false},
        {"^$", "", WHOLE_ALONE, false},
        {"(a)(?:b(c))", "abc", WHOLE_ANYWHERE, false},
        {"\\Aa\\z", "a", WHOLE_ALONE, false},
        {"(?m)^abc", "abc", WHOLE_NOT, false},
        {"(?m)abc$", "abc", WHOLE_NOT, true},
        {"abc.*", "abc", WHOLE_NOT, true},
        {".*abc", "abc", WHOLE_NOT, false},
        {"ab[0-9]cde", "cde", WHOLE_NOT, false},
        {"abcd[0-9]ef", "abcd", WHOLE_NOT, true},
        {"^abcd[0-9]ef", "ef", WHOLE_NOT, false},
        {"(?:abc)+", "abc", WHOLE_NOT, false},
        {"x(?:abc)*", "x", WHOLE_NOT, true},
        {"abc|def", "", WHOLE_NOT, false},
        {"(?i)abc", "", WHOLE_NOT, false},
        {"(?i)abc(?-i)de", "de", WHOLE_NOT, false},
        {"a^b", "a", WHOLE_NOT, true},
        {"\\bunion\\b.*x", "union", WHOLE_NOT, false},
        {"(?:^a)+b", "b", WHOLE_NOT, false},
        {"[^a]*é", "é", WHOLE_NOT, false},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct regex *regex = compile(vectors[i].pattern);
        if (regex->whole != vectors[i].whole || regex->literal_first != vectors[i].first ||
            regex->literal_size != strlen(vectors[i].literal) ||
            memcmp(vectors[i].literal, regex->literal ? (char *)regex->literal : "", regex->literal_size) !=
                0)
            fail_msg("%s: \"%.*s\" %d %d", vectors[i].pattern, (int)regex->literal_size,
                     regex->literal ? (char *)regex->literal : "", regex->whole, regex->literal_first);
        regex_free(regex);
    }
}

/* Also where the byte looked for is anything but rare. */
static void test_literal_search(void **state)
{
    (void)state;
    uint64_t random = 7;
    for (int i = 0; i < 300; i++) {
        char pattern[400];
        uint8_t subject[600];
        size_t size = 1 + roll(&random, i % 10 ? 8 : 300), length = roll(&random, sizeof subject);
        for (size_t j = 0; j < size; j++)
            pattern[j] = roll(&random, 8) ? 'a' : 'z';
        for (size_t j = 0; j < length; j++)
            subject[j] = roll(&random, 8) ? 'a' : 'z';
        if (length >= size && roll(&random, 2))
            memcpy(subject + length - size, pattern, size);
        struct regex *regex = regex_compile(pattern, size, NULL, NULL);
        assert_ptr_equal(regex_literal_search(regex, subject, length),
                         memmem(subject, length, regex->literal, regex->literal_size));
        regex_free(regex);
    }
}

/* ---- Finding ----------------------------------------------------------------------------------------- */

static void test_find(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *subject, *spans;
    } vectors[] = {
        {"a", "xa", "1,2"},
        {"", "x", "0,0"},
        {"b*", "abb", "0,0"},
        {"a|ab", "xab", "1,2"},
        {"ab|a", "xab", "1,3"},
        {"a+?", "aaa", "0,1"},
        {"a+", "aaa", "0,3"},
        {"(?U)a+", "aaa", "0,1"},
        {"(?U)a+?", "aaa", "0,3"},
        {"(a)(b)?", "a", "0,1 0,1 -"},
        {"(a*)(a*)", "aaa", "0,3 0,3 3,3"},
        {"(a*?)(a*)", "aaa", "0,3 0,0 0,3"},
        {"(?:(a)|b)*", "ab", "0,2 0,1"},
        {"(a)|(b)", "b", "0,1 - 0,1"},
        {"^/([^/]+)/(.*)$", "/x/y/z", "0,6 1,2 3,6"},
        {"(?P<n>b)c", "abc", "1,3 1,2"},
        {"(a{0})b", "b", "0,1 0,0"},
        {"(a){0}b", "b", "0,1 -"},
        {"(a){2}", "aa", "0,2 1,2"},
        {"(|a)*", "aaa", "0,0 0,0"},
        {"(|a)+", "aaa", "0,0 0,0"},
        {"(a|b*)*", "ab-", "0,2 1,2"},
        {"(?:a*)*", "aab", "0,2"},
        {"(1)(2)(3)(4)(5)(6)(7)(8)(9)", "123456789", "0,9 0,1 1,2 2,3 3,4 4,5 5,6 6,7 7,8"},
        {"\\bfoo\\b", "xfoo foo", "5,8"},
        {"$", "ab", "2,2"},
        {"(?m)^b", "a\nb", "2,3"},
        {"(a|ab)(c|bcd)(d*)", "abcd", "0,4 0,1 1,4 4,4"},
        {"x*", "", "0,0"},
        {"(x)?y", "y", "0,1 -"},
        {"(?:(x)|y)(z)", "yz", "0,2 - 1,2"},
        {"(a+|b+)+?c", "aabbc", "0,5 2,4"},
        {"zz", "az", NULL},
    };
    struct regex_scratch *scratch = regex_scratch_new(0);
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct regex_span span[REGEX_CAPTURES_MAX + 1];
        char text[256] = "";
        size_t n = 0;
        struct regex *regex = regex_compile(vectors[i].pattern, strlen(vectors[i].pattern),
                                            &(struct regex_limits){.captures = true}, NULL);
        assert_non_null(regex);
        bool found = regex_find(regex, scratch, (const uint8_t *)vectors[i].subject,
                                strlen(vectors[i].subject), span, REGEX_CAPTURES_MAX + 1);
        assert_int_equal(found, vectors[i].spans != NULL);
        for (size_t g = 0; found && g <= REGEX_CAPTURES_MAX; g++) {
            if (g > regex_captures(regex))
                assert_true(span[g].start == SIZE_MAX && span[g].end == SIZE_MAX);
            else if (span[g].start == SIZE_MAX)
                n += (size_t)snprintf(text + n, sizeof text - n, "%s-", g ? " " : "");
            else
                n += (size_t)snprintf(text + n, sizeof text - n, "%s%zu,%zu", g ? " " : "", span[g].start,
                                      span[g].end);
        }
        if (found && strcmp(text, vectors[i].spans) != 0)
            fail_msg("%s on %s: %s, not %s", vectors[i].pattern, vectors[i].subject, text, vectors[i].spans);
        regex_free(regex);
    }
    struct regex *regex = compile("a");
    assert_false(regex_find(regex, scratch, (const uint8_t *)"a", 1, NULL, 0));
    regex_free(regex);
    regex_scratch_free(scratch);
}

/* ---- Memory and threads ------------------------------------------------------------------------------ */

static void test_no_allocation(void **state)
{
    (void)state;
    struct regex *regex[] = {compile("a.*b|c+$"), compile("needle"), compile("\\bx[0-9]{1,20}"),
                             compile("[ab]*a[ab]{14}c")};
    struct regex *finder = regex_compile("(a+)(b+)", 8, &(struct regex_limits){.captures = true}, NULL);
    struct regex_scratch *scratch = regex_scratch_new(1);
    struct regex_span span[3];
    uint8_t subject[5000];
    uint64_t random = 3;
    for (size_t i = 0; i < sizeof subject; i++)
        subject[i] = roll(&random, 2) ? 'a' : 'b';
    unsigned long before = allocations;
    unsigned matched = 0;
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < sizeof regex / sizeof *regex; i++)
            matched += regex_match(regex[i], scratch, subject, sizeof subject);
        matched += regex_find(finder, scratch, subject, sizeof subject, span, 3);
    }
    assert_int_equal(allocations, before);
    assert_int_equal(matched, 40);
    assert_true(scratch->flushes > 0);
    for (size_t i = 0; i < sizeof regex / sizeof *regex; i++)
        regex_free(regex[i]);
    regex_free(finder);
    regex_scratch_free(scratch);
#ifdef COUNTS_ALLOCATIONS
    assert_true(allocations > 0);
#endif
}

/* Whichever allocation fails, the pattern is refused and nothing is lost. */
static void test_out_of_memory(void **state)
{
    (void)state;
#ifdef COUNTS_ALLOCATIONS
    static const char pattern[] = "(?<n>(a|b)+[c[d]&&e]?x{2,9}|(?i:yes))(?<m>0123456789abcdef|\\bend$)";
    struct regex *regex = NULL;
    struct regex_error error;
    long before = live, n = 0;
    for (; !regex; n++) {
        failing = n;
        regex = regex_compile(pattern, sizeof pattern - 1, NULL, &error);
        failing = -1;
        if (!regex) {
            assert_string_equal(error.words, "out of memory");
            assert_int_equal(live, before);
        }
    }
    assert_true(n > 10);
    failing = 0;
    assert_null(regex_scratch_new(0));
    failing = -1;
    regex_free(regex);
    assert_int_equal(live, before);
#endif
}

static void *search_much(void *arg)
{
    struct regex_scratch *scratch = regex_scratch_new(1);
    uint64_t random = 5;
    size_t matched = 0;
    for (int i = 0; i < 2000; i++) {
        uint8_t subject[20];
        for (size_t k = 0; k < sizeof subject; k++)
            subject[k] = (uint8_t)("abc"[roll(&random, 3)]);
        matched += regex_match(arg, scratch, subject, sizeof subject);
    }
    regex_scratch_free(scratch);
    return (void *)matched;
}

static void test_threads(void **state)
{
    (void)state;
    struct regex *regex = compile("a[ab]{4}(?:c|ba)c");
    pthread_t thread[3];
    void *result[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, search_much, regex), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_join(thread[i], &result[i]), 0);
    assert_true((size_t)result[0] > 0 && result[0] == result[1] && result[1] == result[2]);
    regex_free(regex);
}

/* A thousand rules cost little, and their states share one cache. */
static void test_many(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    struct regex *regex[MANY];
    struct regex_scratch *scratch = regex_scratch_new(0);
    size_t memory = 0;
    char subject[64];
    for (int i = 0; i < MANY; i++) {
        char pattern[64];
        snprintf(pattern, sizeof pattern, "(?i)^/api/v%d/(?:users|orders)/[0-9]+$", i);
        regex[i] = compile(pattern);
        memory += regex_memory(regex[i]);
    }
    assert_true(memory < 2 * 1024 * 1024);
    snprintf(subject, sizeof subject, "/API/v%d/Orders/42", MANY / 2);
    for (int round = 0; round < 3; round++) {
        int matched = 0;
        for (int i = 0; i < MANY; i++)
            matched += regex_match(regex[i], scratch, (const uint8_t *)subject, strlen(subject));
        assert_int_equal(matched, 1);
    }
    assert_int_equal(scratch->flushes, 0);
    for (int i = 0; i < MANY; i++)
        regex_free(regex[i]);
    regex_scratch_free(scratch);
    regex_scratch_free(NULL);
    regex_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pathological),  cmocka_unit_test(test_full_cache),
        cmocka_unit_test(test_recompiled),    cmocka_unit_test(test_emptied_midway),
        cmocka_unit_test(test_nesting),       cmocka_unit_test(test_large),
        cmocka_unit_test(test_literal_kinds), cmocka_unit_test(test_literal_search),
        cmocka_unit_test(test_find),          cmocka_unit_test(test_no_allocation),
        cmocka_unit_test(test_out_of_memory), cmocka_unit_test(test_threads),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
