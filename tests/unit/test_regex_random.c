/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random patterns and subjects: all ways of searching against a slow matcher of another kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "sidecar/rules/regex_internal.h"

/* ---- A slow matcher over trees of its own ------------------------------------------------------------ */

enum kind { BYTE, CLASS, DOT, NOTHING, LOOK, CAT, EITHER, REPEAT, GROUP };

struct tree {
    enum kind kind;
    uint8_t byte;
    uint8_t class; /* bits: which of the alphabet */
    unsigned look;
    unsigned min, max, number;
    bool lazy, nullable;
    const struct tree *a, *b;
};

static const uint8_t alphabet[] = {'a', 'b', '-', '\n', '\r', 0xff};
static const char *const spelled[] = {"a", "b", "\\-", "\\n", "\\r", "\\xff"};
static const char *const looks[] = {
    "^", "$", "\\A", "\\z", "\\b", "\\B", "\\b{start}", "\\b{end}", "\\b{start-half}", "\\b{end-half}"};
enum { ALPHABET = sizeof alphabet, LOOKS = sizeof looks / sizeof *looks, UNLIMITED = 99, NODES = 256 };

struct world {
    uint64_t random;
    struct tree node[NODES];
    unsigned nodes, groups;
    char text[4096];
    size_t length;
    bool many, crlf, dotall, ungreedy;
    bool nullable_loop; /* where preference is a matter of definition */
    uint8_t subject[64];
    unsigned size;
    size_t span[2 * 16], end;
    unsigned budget;
};

static unsigned roll(struct world *w, unsigned sides)
{
    w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)((w->random >> 33) % sides);
}

static const struct tree *grow(struct world *w, unsigned depth)
{
    struct tree *t = &w->node[w->nodes++ % NODES];
    unsigned kind = depth == 0 ? roll(w, 6) : roll(w, 14);
    memset(t, 0, sizeof *t);
    if (kind < 3) {
        t->kind = BYTE;
        t->byte = (uint8_t)roll(w, roll(w, 3) ? 2 : ALPHABET);
    } else if (kind == 3) {
        t->kind = CLASS;
        t->class = (uint8_t)roll(w, 1 << ALPHABET);
    } else if (kind == 4) {
        t->kind = roll(w, 4) ? DOT : NOTHING;
        t->nullable = t->kind == NOTHING;
    } else if (kind == 5) {
        t->kind = LOOK;
        t->look = roll(w, LOOKS);
        t->nullable = true;
    } else if (kind < 9) {
        t->kind = CAT;
        t->a = grow(w, depth - 1);
        t->b = grow(w, depth - 1);
        t->nullable = t->a->nullable && t->b->nullable;
    } else if (kind < 11) {
        t->kind = EITHER;
        t->a = grow(w, depth - 1);
        t->b = grow(w, depth - 1);
        t->nullable = t->a->nullable || t->b->nullable;
    } else if (kind < 13) {
        t->kind = REPEAT;
        t->a = grow(w, depth - 1);
        t->min = roll(w, 3);
        t->max = roll(w, 2) ? UNLIMITED : t->min + roll(w, 3);
        t->lazy = roll(w, 2);
        t->nullable = t->min == 0 || t->a->nullable;
        w->nullable_loop |= t->a->nullable;
    } else {
        t->kind = GROUP;
        t->a = grow(w, depth - 1);
        t->nullable = t->a->nullable;
    }
    return t;
}

static void put(struct world *w, const char *text)
{
    size_t size = strlen(text);
    assert_true(w->length + size < sizeof w->text);
    memcpy(w->text + w->length, text, size + 1);
    w->length += size;
}

static void print_class(struct world *w, unsigned class)
{
    unsigned negated = roll(w, 2);
    if (class == 0 || class == (1 << ALPHABET) - 1) {
        put(w, class ? "[\\x00-\\xff]" : "[a&&b]");
        return;
    }
    put(w, negated ? "[^" : "[");
    for (unsigned i = 0; i < ALPHABET; i++)
        if ((class >> i & 1) != negated)
            put(w, spelled[i]);
    put(w, "]");
}

static void print_tree(struct world *w, struct tree *t)
{
    char number[32];
    switch (t->kind) {
    case BYTE: put(w, spelled[t->byte]); break;
    case CLASS: print_class(w, t->class); break;
    case DOT: put(w, "."); break;
    case NOTHING: put(w, "(?:)"); break;
    case LOOK: put(w, looks[t->look]); break;
    case CAT:
        for (int i = 0; i < 2; i++) {
            struct tree *part = (struct tree *)(uintptr_t)(i ? t->b : t->a);
            put(w, part->kind == EITHER ? "(?:" : "");
            print_tree(w, part);
            put(w, part->kind == EITHER ? ")" : "");
        }
        break;
    case EITHER:
        print_tree(w, (struct tree *)(uintptr_t)t->a);
        put(w, "|");
        print_tree(w, (struct tree *)(uintptr_t)t->b);
        break;
    case REPEAT:
        put(w, "(?:");
        print_tree(w, (struct tree *)(uintptr_t)t->a);
        put(w, ")");
        if (t->max == UNLIMITED)
            snprintf(number, sizeof number, t->min == 0 ? "*" : t->min == 1 ? "+" : "{%u,}", t->min);
        else
            snprintf(number, sizeof number, t->min == 0 && t->max == 1 ? "?" : "{%u,%u}", t->min, t->max);
        put(w, number);
        put(w, t->lazy ? "?" : "");
        break;
    case GROUP:
        t->number = ++w->groups;
        put(w, "(");
        print_tree(w, (struct tree *)(uintptr_t)t->a);
        put(w, ")");
        break;
    }
}

static bool word(const struct world *w, unsigned at)
{
    return at < w->size && (w->subject[at] == 'a' || w->subject[at] == 'b');
}

static bool line_start(const struct world *w, unsigned at)
{
    if (at == 0 || w->subject[at - 1] == '\n')
        return true;
    return w->crlf && w->subject[at - 1] == '\r' && !(at < w->size && w->subject[at] == '\n');
}

static bool line_end(const struct world *w, unsigned at)
{
    if (at == w->size)
        return true;
    if (w->subject[at] == '\n')
        return !w->crlf || at == 0 || w->subject[at - 1] != '\r';
    return w->crlf && w->subject[at] == '\r';
}

static bool look_holds(const struct world *w, unsigned look, unsigned at)
{
    bool before = at > 0 && word(w, at - 1), after = word(w, at);
    switch (look) {
    case 0: return w->many ? line_start(w, at) : at == 0;
    case 1: return w->many ? line_end(w, at) : at == w->size;
    case 2: return at == 0;
    case 3: return at == w->size;
    case 4: return before != after;
    case 5: return before == after;
    case 6: return !before && after;
    case 7: return before && !after;
    case 8: return !before;
    default: return !after;
    }
}

static bool takes(const struct world *w, const struct tree *t, uint8_t byte)
{
    if (t->kind == BYTE)
        return byte == alphabet[t->byte];
    if (t->kind == DOT)
        return w->dotall || !(byte == '\n' || (w->crlf && byte == '\r'));
    const uint8_t *place = memchr(alphabet, byte, sizeof alphabet);
    return place && (t->class >> (place - alphabet) & 1);
}

/* The places (bits) where T may end that begins at one of STARTS. */
static uint64_t ends(const struct world *w, const struct tree *t, uint64_t starts)
{
    uint64_t out = 0, now = starts, before;
    switch (t->kind) {
    case BYTE:
    case CLASS:
    case DOT:
        for (unsigned at = 0; at < w->size; at++)
            if (starts >> at & 1 && takes(w, t, w->subject[at]))
                out |= UINT64_C(2) << at;
        return out;
    case NOTHING: return starts;
    case LOOK:
        for (unsigned at = 0; at <= w->size; at++)
            if (starts >> at & 1 && look_holds(w, t->look, at))
                out |= UINT64_C(1) << at;
        return out;
    case CAT: return ends(w, t->b, ends(w, t->a, starts));
    case EITHER: return ends(w, t->a, starts) | ends(w, t->b, starts);
    case GROUP: return ends(w, t->a, starts);
    case REPEAT:
        for (unsigned i = 0; i < t->min; i++)
            now = ends(w, t->a, now);
        out = now;
        for (unsigned i = t->min; i < t->max; i++) {
            before = out;
            now = ends(w, t->a, now);
            out |= now;
            if (t->max == UNLIMITED && out == before)
                break;
        }
        return out;
    }
    return 0;
}

/* What remains to be matched, for a backtracking search with captures. */
struct todo {
    const struct tree *tree;
    enum { MATCH, AGAIN, CLOSE } what;
    unsigned done;
    const struct todo *next;
};

static bool go_on(struct world *w, const struct todo *todo, unsigned at);

static bool go_repeat(struct world *w, const struct tree *t, unsigned done, const struct todo *next,
                      unsigned at)
{
    struct todo again = {t, AGAIN, done + 1, next}, once = {t->a, MATCH, 0, &again};
    bool greedy = t->lazy == w->ungreedy;
    if (done < t->min)
        return go_on(w, &once, at);
    if (!greedy && go_on(w, next, at))
        return true;
    if (done < t->max && go_on(w, &once, at))
        return true;
    return greedy && go_on(w, next, at);
}

static bool go_slot(struct world *w, unsigned slot, const struct todo *next, unsigned at)
{
    size_t before = w->span[slot];
    w->span[slot] = at;
    if (go_on(w, next, at))
        return true;
    w->span[slot] = before;
    return false;
}

static bool go_on(struct world *w, const struct todo *todo, unsigned at)
{
    if (w->budget == 0)
        return false;
    w->budget--;
    if (!todo) {
        w->end = at;
        return true;
    }
    const struct tree *t = todo->tree;
    const struct todo *next = todo->next;
    if (todo->what == AGAIN)
        return go_repeat(w, t, todo->done, next, at);
    if (todo->what == CLOSE)
        return go_slot(w, t->number * 2 + 1, next, at);
    struct todo first = {t->a, MATCH, 0, next}, second = {t->b, MATCH, 0, next}, close = {t, CLOSE, 0, next};
    switch (t->kind) {
    case BYTE:
    case CLASS:
    case DOT: return at < w->size && takes(w, t, w->subject[at]) && go_on(w, next, at + 1);
    case NOTHING: return go_on(w, next, at);
    case LOOK: return look_holds(w, t->look, at) && go_on(w, next, at);
    case CAT: first.next = &second; return go_on(w, &first, at);
    case EITHER: return go_on(w, &first, at) || go_on(w, &second, at);
    case REPEAT: return go_repeat(w, t, 0, next, at);
    case GROUP: first.next = &close; return go_slot(w, t->number * 2, &first, at);
    }
    return false;
}

/* ---- Differential ------------------------------------------------------------------------------------ */

static void check_found(struct world *w, const struct tree *root, const struct regex_span *span)
{
    struct todo todo = {root, MATCH, 0, NULL};
    unsigned start = 0;
    while (!ends(w, root, UINT64_C(1) << start))
        start++;
    assert_int_equal(span[0].start, start);
    assert_true(ends(w, root, UINT64_C(1) << start) >> span[0].end & 1);
    if (w->nullable_loop || w->groups > REGEX_CAPTURES_MAX)
        return;
    memset(w->span, 0xff, sizeof w->span);
    w->budget = 20000;
    if (!go_on(w, &todo, start) && w->budget == 0)
        return;
    assert_int_equal(span[0].end, w->end);
    for (unsigned i = 1; i <= w->groups; i++) {
        bool has = w->span[2 * i] != SIZE_MAX && w->span[2 * i + 1] != SIZE_MAX;
        assert_int_equal(span[i].start, has ? w->span[2 * i] : SIZE_MAX);
        assert_int_equal(span[i].end, has ? w->span[2 * i + 1] : SIZE_MAX);
    }
}

static const struct tree *new_pattern(struct world *w)
{
    w->nodes = w->groups = 0;
    w->length = 0;
    w->nullable_loop = false;
    const struct tree *root = grow(w, 1 + roll(w, 5));
    unsigned flags = roll(w, 16);
    w->many = flags & 1;
    w->crlf = flags & 2;
    w->dotall = flags & 4;
    w->ungreedy = flags & 8;
    put(w, flags ? "(?" : "");
    put(w, w->many ? "m" : "");
    put(w, w->crlf ? "R" : "");
    put(w, w->dotall ? "s" : "");
    put(w, w->ungreedy ? "U" : "");
    put(w, flags ? ")" : "");
    print_tree(w, (struct tree *)(uintptr_t)root);
    return root;
}

static void test_random(void **state)
{
    (void)state;
    enum { PATTERNS = 6000, SUBJECTS = 5 };
    struct regex_limits captures = {.captures = true};
    struct regex_scratch *small = regex_scratch_new(1), *scratch = regex_scratch_new(0);
    struct world w = {.random = 20261124};
    unsigned matches = 0;
    for (unsigned i = 0; i < PATTERNS; i++) {
        const struct tree *root = new_pattern(&w);
        struct regex_error error;
        struct regex *regex = regex_compile(w.text, w.length, NULL, &error);
        struct regex *finder = regex_compile(w.text, w.length, &captures, &error);
        if (w.nodes > NODES) {
            regex_free(regex);
            regex_free(finder);
            continue;
        }
        if (!regex || !finder)
            fail_msg("%s: %s", w.text, error.words);
        assert_int_equal(regex_captures(regex), w.groups);
        for (unsigned j = 0; j < SUBJECTS; j++) {
            struct regex_span span[REGEX_CAPTURES_MAX + 1];
            w.size = roll(&w, 14);
            for (unsigned k = 0; k < w.size; k++)
                w.subject[k] = alphabet[roll(&w, roll(&w, 3) ? 2 : ALPHABET)];
            bool expected = ends(&w, root, (UINT64_C(2) << w.size) - 1) != 0;
            bool got = regex_match(regex, small, w.subject, w.size);
            bool dfa = regex_dfa_match(regex, scratch, w.subject, w.size);
            bool nfa = regex_nfa_match(regex, scratch, w.subject, w.size);
            bool found = regex_find(finder, scratch, w.subject, w.size, span, REGEX_CAPTURES_MAX + 1);
            if (got != expected || dfa != expected || nfa != expected || found != expected)
                fail_msg("%s on subject %u of pattern %u: %d, not %d%d%d%d", w.text, j, i, expected, got, dfa,
                         nfa, found);
            if (expected)
                check_found(&w, root, span);
            matches += expected;
        }
        regex_free(regex);
        regex_free(finder);
    }
    assert_in_range(matches, PATTERNS, (SUBJECTS - 1) * PATTERNS);
    assert_true(small->flushes > 0);
    regex_scratch_free(small);
    regex_scratch_free(scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
