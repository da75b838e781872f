/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From the tree to the automaton, back to front: each part is built knowing where it leads. Branches are in
 * the order in which the pattern prefers them.
 */
#include <stdlib.h>
#include <string.h>

#include "sidecar/rules/regex_internal.h"

struct builder {
    const struct regex_parser *p;
    struct regex_array node;
    size_t charge, charged, limit;
    bool captures;
    bool too_large, no_memory;
};

static bool failed(const struct builder *b)
{
    return b->too_large || b->no_memory;
}

/* Counts a part of the tree that is built, so that parts without nodes cannot be repeated without end. */
static void count(struct builder *b)
{
    b->charged += b->charge;
    if (b->charged > b->limit)
        b->too_large = true;
}

static struct regex_node *node_at(const struct builder *b, uint32_t number)
{
    return (struct regex_node *)b->node.data + number;
}

/* After a failure the number is not to be used, and is always one that exists or 0. */
static uint32_t emit(struct builder *b, enum regex_op op, uint32_t out, uint32_t other)
{
    count(b);
    struct regex_node *node = failed(b) ? NULL : regex_array_add(&b->node, sizeof *node);
    if (!node) {
        b->no_memory |= !failed(b);
        return 0;
    }
    *node = (struct regex_node){.op = (uint8_t)op, .out = out, .other = other};
    return b->node.count - 1;
}

static uint32_t emit_range(struct builder *b, unsigned low, unsigned high, uint32_t next)
{
    uint32_t number = emit(b, OP_RANGE, next, 0);
    if (!failed(b)) {
        node_at(b, number)->low = (uint8_t)low;
        node_at(b, number)->high = (uint8_t)high;
    }
    return number;
}

static uint32_t emit_set(struct builder *b, uint32_t number, uint32_t next)
{
    const struct regex_set *set = (const struct regex_set *)b->p->set.data + number;
    int low = -1, high = -1, members = 0;
    for (int i = 0; i < 4; i++) {
        if (!set->bits[i])
            continue;
        low = low < 0 ? i * 64 + __builtin_ctzll(set->bits[i]) : low;
        high = i * 64 + 63 - __builtin_clzll(set->bits[i]);
        members += __builtin_popcountll(set->bits[i]);
    }
    if (members == 0)
        return emit(b, OP_FAIL, next, 0);
    if (high - low + 1 == members)
        return emit_range(b, (unsigned)low, (unsigned)high, next);
    return emit(b, OP_SET, next, number);
}

static uint32_t emit_split(struct builder *b, bool first, uint32_t yes, uint32_t no)
{
    return emit(b, OP_SPLIT, first ? yes : no, first ? no : yes);
}

/* The split at NUMBER chooses between a part and what follows it. */
static void close_loop(struct builder *b, uint32_t number, bool greedy, uint32_t part, uint32_t next)
{
    if (failed(b))
        return;
    node_at(b, number)->out = greedy ? part : next;
    node_at(b, number)->other = greedy ? next : part;
}

static uint32_t build(struct builder *b, uint32_t number, uint32_t next);

/* PART, then again or NEXT. */
static uint32_t build_plus(struct builder *b, const struct regex_ast *repeat, uint32_t next)
{
    uint32_t split = emit(b, OP_SPLIT, next, next);
    uint32_t part = build(b, repeat->child, split);
    close_loop(b, split, repeat->greedy, part, next);
    return part;
}

static uint32_t build_repeat(struct builder *b, const struct regex_ast *repeat, uint32_t next)
{
    uint32_t start = next, copies = repeat->min;
    if (repeat->max == REGEX_ENDLESS && repeat->min > 0) {
        start = build_plus(b, repeat, next);
        copies--;
    } else if (repeat->max == REGEX_ENDLESS && regex_ast_at(b->p, repeat->child)->nullable) {
        /* As (x+)?, since x* prefers wrongly where x may match nothing. */
        uint32_t part = build_plus(b, repeat, next);
        start = emit_split(b, repeat->greedy, part, next);
    } else if (repeat->max == REGEX_ENDLESS) {
        start = emit(b, OP_SPLIT, next, next);
        close_loop(b, start, repeat->greedy, build(b, repeat->child, start), next);
    } else {
        for (uint32_t i = repeat->min; i < repeat->max && !failed(b); i++)
            start = emit_split(b, repeat->greedy, build(b, repeat->child, start), next);
    }
    for (uint32_t i = 0; i < copies && !failed(b); i++)
        start = build(b, repeat->child, start);
    return start;
}

static uint32_t build_group(struct builder *b, const struct regex_ast *group, uint32_t next)
{
    if (group->number == 0 || group->number > REGEX_CAPTURES_MAX || !b->captures)
        return build(b, group->child, next);
    uint32_t end = emit(b, OP_SAVE, next, group->number * 2 + 1);
    return emit(b, OP_SAVE, build(b, group->child, end), group->number * 2);
}

/* Recursion goes as deep as the tree is high. */
static uint32_t build(struct builder *b, uint32_t number, uint32_t next)
{
    const struct regex_ast *ast = regex_ast_at(b->p, number);
    uint32_t start = next, child;
    if (failed(b))
        return 0;
    switch ((enum regex_kind)ast->kind) {
    case AST_EMPTY: count(b); return next;
    case AST_BYTE: return emit_range(b, ast->byte, ast->byte, next);
    case AST_SET: return emit_set(b, ast->number, next);
    case AST_LOOK:
        start = emit(b, OP_LOOK, next, 0);
        if (!failed(b))
            node_at(b, start)->low = ast->byte;
        return start;
    case AST_CONCAT:
        for (child = ast->child; child != REGEX_NONE && !failed(b);
             child = regex_ast_at(b->p, child)->previous)
            start = build(b, child, start);
        return start;
    case AST_ALTERNATION:
        start = build(b, ast->child, next);
        for (child = regex_ast_at(b->p, ast->child)->previous; child != REGEX_NONE && !failed(b);
             child = regex_ast_at(b->p, child)->previous) {
            uint32_t first = build(b, child, next);
            start = emit_split(b, true, first, start);
        }
        return start;
    case AST_REPEAT: count(b); return build_repeat(b, ast, next);
    case AST_GROUP: count(b); return build_group(b, ast, next);
    }
    return 0;
}

/* ---- Byte classes ------------------------------------------------------------------------------------ */

/* Splits each class that has bytes both within the set and outside. */
static void refine(struct regex *regex, const struct regex_set *set)
{
    uint8_t inside[256]; /* class of the members of a class, once known */
    bool has_inside[256] = {false}, has_outside[256] = {false};
    for (unsigned byte = 0; byte < 256; byte++)
        *(regex_set_has(set, byte) ? &has_inside[regex->class_of[byte]]
                                   : &has_outside[regex->class_of[byte]]) = true;
    uint32_t known = regex->classes;
    for (uint32_t class = 0; class < known; class ++)
        inside[class] = (uint8_t)(has_inside[class] && has_outside[class] ? regex->classes++ : class);
    if (regex->classes == known)
        return;
    for (unsigned byte = 0; byte < 256; byte++)
        if (regex_set_has(set, byte))
            regex->class_of[byte] = inside[regex->class_of[byte]];
}

static void refine_range(struct regex *regex, unsigned low, unsigned high)
{
    struct regex_set set = {{0, 0, 0, 0}};
    regex_set_add(&set, low, high);
    refine(regex, &set);
}

static void refine_look(struct regex *regex, unsigned look)
{
    switch ((enum regex_look)look) {
    case LOOK_TEXT_START: regex->remember |= CONTEXT_EDGE; return;
    case LOOK_TEXT_END: return;
    case LOOK_LINE_START_R:
    case LOOK_LINE_END_R:
        refine_range(regex, '\r', '\r');
        refine_range(regex, '\n', '\n');
        regex->remember |= CONTEXT_EDGE | CONTEXT_LF | CONTEXT_CR;
        return;
    case LOOK_LINE_START:
    case LOOK_LINE_END:
        refine_range(regex, '\n', '\n');
        regex->remember |= CONTEXT_EDGE | CONTEXT_LF;
        return;
    default: break;
    }
    struct regex_set words = {{0, 0, 0, 0}};
    for (unsigned byte = 0; byte < 256; byte++)
        if (regex_context(byte) & CONTEXT_WORD)
            regex_set_add(&words, byte, byte);
    refine(regex, &words);
    regex->remember |= CONTEXT_WORD;
}

static void find_classes(struct regex *regex)
{
    bool ranges[256] = {false}, looks[256] = {false};
    struct regex_set single = {{0, 0, 0, 0}};
    regex->classes = 1;
    for (uint32_t i = 0; i < regex->sets; i++)
        refine(regex, &regex->set[i]);
    for (uint32_t i = 0; i < regex->count; i++) {
        const struct regex_node *node = &regex->node[i];
        if (node->op == OP_RANGE && node->low == node->high) {
            regex_set_add(&single, node->low, node->low);
        } else if (node->op == OP_RANGE && !(ranges[node->low] && ranges[node->high])) {
            ranges[node->low] = ranges[node->high] = true;
            refine_range(regex, node->low, node->high);
        } else if (node->op == OP_LOOK && !looks[node->low]) {
            looks[node->low] = true;
            refine_look(regex, node->low);
        }
    }
    for (unsigned byte = 0; byte < 256; byte++)
        if (regex_set_has(&single, byte))
            refine_range(regex, byte, byte);
    for (unsigned byte = 256; byte-- > 0;)
        regex->byte_of[regex->class_of[byte]] = (uint8_t)byte;
}

/* Whether every match of this part begins at the start of the text. */
static bool is_anchored(const struct regex_parser *p, uint32_t number)
{
    const struct regex_ast *ast = regex_ast_at(p, number);
    uint32_t child = ast->child;
    bool anchored;
    switch ((enum regex_kind)ast->kind) {
    case AST_LOOK: return ast->byte == LOOK_TEXT_START;
    case AST_GROUP: return is_anchored(p, child);
    case AST_REPEAT: return ast->min > 0 && is_anchored(p, child);
    case AST_CONCAT:
        for (anchored = false; child != REGEX_NONE; child = regex_ast_at(p, child)->previous)
            anchored = is_anchored(p, child) || (anchored && regex_ast_at(p, child)->empty);
        return anchored;
    case AST_ALTERNATION:
        for (anchored = true; anchored && child != REGEX_NONE; child = regex_ast_at(p, child)->previous)
            anchored = is_anchored(p, child);
        return anchored;
    default: return false;
    }
}

/* A copy that is no larger than it must be; NULL without memory. */
static void *copy_array(const struct regex_array *array, size_t size)
{
    void *copy = malloc(array->count * size + 1);
    if (copy && array->count > 0)
        memcpy(copy, array->data, array->count * size);
    return copy;
}

bool regex_build(struct regex *regex, struct regex_parser *p, uint32_t root,
                 const struct regex_limits *limits)
{
    struct builder b = {.p = p,
                        .charge = limits->captures ? REGEX_CAPTURES_CHARGE : REGEX_NODE_CHARGE,
                        .limit = limits->memory,
                        .captures = limits->captures};
    uint32_t match = emit(&b, OP_MATCH, 0, 0);
    if (limits->captures)
        match = emit(&b, OP_SAVE, match, 1);
    uint32_t start = build(&b, root, match);
    if (limits->captures)
        start = emit(&b, OP_SAVE, start, 0);
    if (!failed(&b)) {
        regex->node = copy_array(&b.node, sizeof *regex->node);
        regex->set = copy_array(&p->set, sizeof *regex->set);
        b.no_memory = !regex->node || !regex->set;
    }
    regex->count = b.node.count;
    regex->sets = p->set.count;
    regex->start = start;
    regex->anchored = is_anchored(p, root);
    free(b.node.data);
    if (b.no_memory)
        return regex_no_memory(p);
    if (b.too_large)
        return regex_fail(p, 0, p->size, "too large: its program exceeds %zu bytes", limits->memory);
    find_classes(regex);
    return true;
}
