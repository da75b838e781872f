/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The text that must stand in every match, and a fast search for it. */
#include <stdlib.h>
#include <string.h>

#include "sidecar/rules/regex_internal.h"

enum { RUN_MOST = 255 };

/* The tree is walked from its end: runs of bytes are gathered back to front. */
struct walk {
    const struct regex_parser *p;
    uint8_t run[RUN_MOST], best[RUN_MOST]; /* reversed */
    uint32_t run_size, best_size;
    bool whole; /* so far there is but one run, with at most ^ before and $ after it */
    bool any, first, last;
};

static void end_run(struct walk *walk)
{
    if (walk->run_size >= walk->best_size) {
        memcpy(walk->best, walk->run, walk->run_size);
        walk->best_size = walk->run_size;
    }
    walk->run_size = 0;
}

static void other(struct walk *walk)
{
    walk->whole = false;
    end_run(walk);
}

static void walk_look(struct walk *walk, unsigned look)
{
    if (look == LOOK_TEXT_END && !walk->any) {
        walk->last = true;
    } else if (look == LOOK_TEXT_START) {
        walk->first = true;
        /* What stands directly after ^ is best left to the automaton, which stops where it does not. */
        if (!walk->whole)
            walk->run_size = 0;
    } else {
        other(walk);
    }
    walk->any = true;
}

static void walk_tree(struct walk *walk, uint32_t number)
{
    const struct regex_ast *ast = regex_ast_at(walk->p, number);
    if (walk->first && ast->kind != AST_GROUP && ast->kind != AST_CONCAT && ast->kind != AST_EMPTY)
        other(walk); /* something before a ^ */
    switch ((enum regex_kind)ast->kind) {
    case AST_EMPTY: return;
    case AST_BYTE:
        if (walk->run_size == RUN_MOST)
            other(walk);
        walk->run[walk->run_size++] = ast->byte;
        walk->any = true;
        return;
    case AST_LOOK: walk_look(walk, ast->byte); return;
    case AST_GROUP: walk_tree(walk, ast->child); return;
    case AST_CONCAT:
        for (uint32_t i = ast->child; i != REGEX_NONE; i = regex_ast_at(walk->p, i)->previous)
            walk_tree(walk, i);
        return;
    case AST_REPEAT:
        other(walk);
        walk->any = true;
        if (ast->min > 0)
            walk_tree(walk, ast->child);
        other(walk);
        return;
    case AST_SET:
    case AST_ALTERNATION:
        other(walk);
        walk->any = true;
        return;
    }
}

/* Common bytes of URLs, headers and names, the rarer ones first; all others are rarer. */
static unsigned commonness(uint8_t byte)
{
    static const char common[] =
        "QZXJKYVWGUHBFPMLDCNROISTAE{}|\"'<>[]();+~!@*^$,#\\zqxj_: 9876543kvywgb%210=&"
        "fuphmldc?.-nrosiate/";
    const char *place = byte ? strchr(common, byte) : NULL;
    return place ? (unsigned)(place - common) + 1 : 0;
}

static void find_rare(struct regex *regex)
{
    for (uint32_t i = 0; i < regex->literal_size; i++)
        if (commonness(regex->literal[i]) < commonness(regex->literal[regex->rare]))
            regex->rare = i;
}

bool regex_find_literal(struct regex *regex, const struct regex_parser *p, uint32_t root)
{
    struct walk walk = {.p = p, .whole = true};
    walk_tree(&walk, root);
    const uint8_t *reversed = walk.run;
    uint32_t size = walk.run_size;
    if (walk.whole) {
        regex->whole = walk.first  ? walk.last ? WHOLE_ALONE : WHOLE_FIRST
                       : walk.last ? WHOLE_LAST
                                   : WHOLE_ANYWHERE;
    } else if (size < walk.best_size) {
        reversed = walk.best;
        size = walk.best_size;
    } else {
        regex->literal_first = size > 0;
    }
    regex->literal_size = size;
    if (size == 0)
        return true;
    regex->literal = malloc(size);
    if (!regex->literal)
        return false;
    for (uint32_t i = 0; i < size; i++)
        regex->literal[i] = reversed[size - 1 - i];
    find_rare(regex);
    return true;
}

const uint8_t *regex_literal_search(const struct regex *regex, const uint8_t *data, size_t size)
{
    enum { TRIES = 32 };
    size_t wanted = regex->literal_size;
    if (size < wanted)
        return NULL;
    if (wanted == 0)
        return data;
    /* Looking for the rarest byte is fastest, unless it is not rare here. */
    const uint8_t *at = data + regex->rare, *end = data + size - wanted + regex->rare + 1;
    for (int i = 0; i < TRIES && at < end; i++) {
        at = memchr(at, regex->literal[regex->rare], (size_t)(end - at));
        if (!at)
            return NULL;
        const uint8_t *start = at - regex->rare;
        if (memcmp(start, regex->literal, wanted) == 0)
            return start;
        at++;
    }
    at -= regex->rare;
    return memmem(at, (size_t)(data + size - at), regex->literal, wanted);
}
