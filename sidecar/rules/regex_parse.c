/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From a pattern to its tree. Groups are kept on a stack of our own, so that the depth of a pattern costs no
 * C stack; the depth of the tree is limited because the automaton is built by recursion.
 */
#include <stdlib.h>
#include <string.h>

#include "sidecar/rules/regex_internal.h"

/* An open group; the first stands for the pattern. */
struct frame {
    size_t at;
    uint32_t base;        /* where its items begin in the stack of items */
    uint32_t alternative; /* the last one that is complete, or REGEX_NONE */
    uint32_t capture;
    uint8_t flags;   /* to be restored at its end */
    bool flags_seen; /* the same */
};

static struct frame *frame_top(const struct regex_parser *p)
{
    return (struct frame *)p->frame.data + (p->frame.count - 1);
}

/* ---- Nodes ------------------------------------------------------------------------------------------- */

static uint32_t ast_add(struct regex_parser *p, struct regex_ast node)
{
    struct regex_ast *added = regex_array_add(&p->ast, sizeof *added);
    if (!added) {
        regex_no_memory(p);
        return REGEX_NONE;
    }
    *added = node;
    return p->ast.count - 1;
}

/* A node of the kinds that count as nesting: one higher than what it holds. */
static uint32_t ast_add_high(struct regex_parser *p, struct regex_ast node, size_t at)
{
    if (++node.height > p->nesting) {
        regex_fail(p, at, p->at - at, "nested more than %u deep", p->nesting);
        return REGEX_NONE;
    }
    return ast_add(p, node);
}

static uint32_t ast_add_byte(struct regex_parser *p, uint32_t byte, uint32_t previous)
{
    return ast_add(p, (struct regex_ast){.kind = AST_BYTE, .byte = (uint8_t)byte, .previous = previous});
}

static uint32_t ast_add_set(struct regex_parser *p, const struct regex_set *set, unsigned height, size_t at)
{
    /* The same few sets come again and again: letters without regard to case, \d, a dot. */
    enum { LOOK_BACK = 16 };
    const struct regex_set *known = p->set.data;
    uint32_t number = p->set.count;
    for (uint32_t i = p->set.count; i > 0 && p->set.count - i < LOOK_BACK; i--)
        if (memcmp(&known[i - 1], set, sizeof *set) == 0)
            number = i - 1;
    if (number == p->set.count) {
        struct regex_set *added = regex_array_add(&p->set, sizeof *added);
        if (!added) {
            regex_no_memory(p);
            return REGEX_NONE;
        }
        *added = *set;
    }
    struct regex_ast node = {.kind = AST_SET, .number = number, .height = (uint16_t)height};
    if (height > p->nesting) {
        regex_fail(p, at, p->at - at, "nested more than %u deep", p->nesting);
        return REGEX_NONE;
    }
    return ast_add(p, node);
}

/* One unit, however many bytes the character has. */
static uint32_t ast_add_char(struct regex_parser *p, uint32_t c)
{
    if (c < 0x80) {
        struct regex_set set = {0};
        bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
        if (!letter || !(p->flags & FLAG_I))
            return ast_add_byte(p, c, REGEX_NONE);
        regex_set_add(&set, c, c);
        regex_set_fold(&set);
        return ast_add_set(p, &set, 0, p->at);
    }
    unsigned more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
    uint32_t last = ast_add_byte(p, lead[more] | c >> 6 * more, REGEX_NONE);
    while (more-- > 0 && last != REGEX_NONE)
        last = ast_add_byte(p, 0x80 | (c >> 6 * more & 0x3f), last);
    if (last == REGEX_NONE)
        return REGEX_NONE;
    return ast_add(p, (struct regex_ast){.kind = AST_CONCAT, .child = last, .previous = REGEX_NONE});
}

/* Puts a node at the end of the concatenation being read. */
static bool item_push(struct regex_parser *p, uint32_t node)
{
    uint32_t *item = node == REGEX_NONE ? NULL : regex_array_add(&p->item, sizeof *item);
    if (!item)
        return node != REGEX_NONE && regex_no_memory(p);
    *item = node;
    p->repeatable = true;
    return true;
}

/* Makes the items of the innermost group one node. */
static uint32_t concat_finish(struct regex_parser *p)
{
    struct frame *frame = frame_top(p);
    uint32_t count = p->item.count - frame->base;
    bool flags_seen = p->flags_seen;
    p->item.count = frame->base;
    p->repeatable = p->flags_seen = false;
    if (count == 0)
        return ast_add(p, (struct regex_ast){.kind = AST_EMPTY, .nullable = true, .empty = true});
    const uint32_t *item = (const uint32_t *)p->item.data + frame->base;
    if (count == 1 && !flags_seen)
        return item[0];
    struct regex_ast concat = {.kind = AST_CONCAT, .child = item[count - 1], .nullable = true, .empty = true};
    for (uint32_t i = 0; i < count; i++) {
        struct regex_ast *child = regex_ast_at(p, item[i]);
        child->previous = i > 0 ? item[i - 1] : REGEX_NONE;
        concat.nullable &= child->nullable;
        concat.empty &= child->empty;
        if (concat.height < child->height)
            concat.height = child->height;
    }
    return ast_add_high(p, concat, frame->at);
}

/* Makes all alternatives of the innermost group one node. */
static uint32_t group_finish(struct regex_parser *p)
{
    uint32_t last = concat_finish(p);
    struct frame *frame = frame_top(p);
    if (last == REGEX_NONE || frame->alternative == REGEX_NONE)
        return last;
    struct regex_ast node = {.kind = AST_ALTERNATION, .child = last, .empty = true};
    regex_ast_at(p, last)->previous = frame->alternative;
    for (uint32_t i = last; i != REGEX_NONE; i = regex_ast_at(p, i)->previous) {
        const struct regex_ast *child = regex_ast_at(p, i);
        node.nullable |= child->nullable;
        node.empty &= child->empty;
        if (node.height < child->height)
            node.height = child->height;
    }
    return ast_add_high(p, node, frame->at);
}

/* ---- Groups and flags -------------------------------------------------------------------------------- */

static bool frame_push(struct regex_parser *p, size_t at, uint32_t capture, uint8_t outer_flags)
{
    if (p->frame.count > p->nesting)
        return regex_fail(p, at, 1, "nested more than %u deep", p->nesting);
    struct frame *frame = regex_array_add(&p->frame, sizeof *frame);
    if (!frame)
        return regex_no_memory(p);
    /* A group begins after what was read so far of the concatenation around it, which goes on after it. */
    *frame = (struct frame){.at = at,
                            .base = p->item.count,
                            .alternative = REGEX_NONE,
                            .capture = capture,
                            .flags = outer_flags,
                            .flags_seen = p->flags_seen};
    p->repeatable = p->flags_seen = false;
    return true;
}

static bool alternate(struct regex_parser *p)
{
    uint32_t node = concat_finish(p);
    if (node == REGEX_NONE)
        return false;
    struct frame *frame = frame_top(p);
    regex_ast_at(p, node)->previous = frame->alternative;
    frame->alternative = node;
    regex_next(p);
    return true;
}

static bool group_close(struct regex_parser *p)
{
    if (p->frame.count == 1)
        return regex_fail(p, p->at, 1, "no group is open here");
    uint32_t inner = group_finish(p);
    if (inner == REGEX_NONE)
        return false;
    struct frame frame = *frame_top(p);
    p->frame.count--;
    regex_next(p);
    p->flags = frame.flags;
    p->flags_seen = frame.flags_seen;
    const struct regex_ast *child = regex_ast_at(p, inner);
    struct regex_ast group = {.kind = AST_GROUP,
                              .child = inner,
                              .number = frame.capture,
                              .nullable = child->nullable,
                              .empty = child->empty,
                              .height = child->height};
    regex_ast_at(p, inner)->previous = REGEX_NONE;
    return item_push(p, ast_add_high(p, group, frame.at));
}

/* Up to the ) or : that ends them, which stays. *ANY: whether there were any. */
static bool read_flags(struct regex_parser *p, size_t group, bool *any)
{
    static const char names[] = "imsRUx";
    uint8_t seen = 0, on = p->flags;
    size_t minus = SIZE_MAX;
    uint32_t c;
    *any = false;
    while ((c = regex_char(p)) != ':' && c != ')') {
        const char *name = c > 0 && c < 128 ? strchr(names, (int)c) : NULL;
        uint8_t bit = (uint8_t)(name ? 1 << (name - names) : c == 'u' ? 0x40 : 0);
        if (c == REGEX_EOF)
            return regex_fail(p, group, p->at - group, "the group is not closed");
        if (c == '-' && minus != SIZE_MAX)
            return regex_fail(p, p->at, 1, "a second - among the flags");
        if (c != '-' && !bit)
            return regex_fail(p, p->at, regex_width(p),
                              "no such flag: there are i, m, s, R, U and x; look-around, comments and atomic "
                              "groups are not supported");
        if (seen & bit)
            return regex_fail(p, p->at, 1, "the flag stands here twice");
        if (c == 'u' && minus == SIZE_MAX)
            return regex_fail(p, p->at, 1, "Unicode mode (flag u) is not supported: patterns match bytes");
        if (c == '-')
            minus = p->at;
        seen |= bit;
        on = minus == SIZE_MAX ? on | bit : on & (uint8_t)~bit;
        *any = true;
        regex_next(p);
    }
    if (minus != SIZE_MAX && p->at == minus + 1)
        return regex_fail(p, minus, 1, "no flag after the -");
    p->flags = on & 0x3f;
    return true;
}

/* After the angle bracket. Letters beyond ASCII are not told from other such characters. */
static bool read_name(struct regex_parser *p, size_t group)
{
    size_t start = p->at;
    uint32_t c;
    while ((c = regex_char(p)) != '>') {
        bool first = p->at == start, letter = c == '_' || c > 127 || ((c | 32) >= 'a' && (c | 32) <= 'z');
        if (c == REGEX_EOF)
            return regex_fail(p, group, p->at - group, "the group's name is not closed");
        if (!letter && (first || !((c >= '0' && c <= '9') || c == '.' || c == '[' || c == ']')))
            return regex_fail(p, p->at, regex_width(p), "not allowed in a group's name");
        regex_next(p);
    }
    if (p->at == start)
        return regex_fail(p, group, p->at + 1 - group, "the group's name is empty");
    struct regex_name *name = regex_array_add(&p->name, sizeof *name);
    if (!name)
        return regex_no_memory(p);
    *name = (struct regex_name){(uint32_t)start, (uint32_t)(p->at - start)};
    regex_next(p);
    return true;
}

static bool starts(const struct regex_parser *p, const char *text)
{
    size_t size = strlen(text);
    return p->size - p->at >= size && memcmp(p->text + p->at, text, size) == 0;
}

static bool group_open(struct regex_parser *p)
{
    size_t at = p->at;
    uint8_t outer = p->flags;
    regex_next_skip(p);
    if (starts(p, "?=") || starts(p, "?!") || starts(p, "?<=") || starts(p, "?<!"))
        return regex_fail(p, at, p->at + 2 - at, "look-around is not supported");
    bool named = starts(p, "?P<") || starts(p, "?<");
    if (named) {
        p->at += starts(p, "?P<") ? 3 : 2;
        return read_name(p, at) && frame_push(p, at, ++p->groups, outer);
    }
    if (regex_char(p) != '?')
        return frame_push(p, at, ++p->groups, outer);
    regex_next(p);
    bool any;
    if (!read_flags(p, at, &any))
        return false;
    uint32_t end = regex_char(p);
    regex_next(p);
    if (end == ':')
        return frame_push(p, at, 0, outer);
    if (!any)
        return regex_fail(p, at, p->at - at, "no flags stand here");
    p->flags_seen = true;
    p->repeatable = false;
    return true;
}

/* ---- Repetition -------------------------------------------------------------------------------------- */

static bool repeat(struct regex_parser *p, size_t at, uint32_t min, uint32_t max, bool lazy)
{
    uint32_t *item = (uint32_t *)p->item.data + (p->item.count - 1);
    struct regex_ast *child = regex_ast_at(p, *item);
    child->previous = REGEX_NONE;
    if (child->empty) { /* once is as good as often */
        min = min > 1 ? 1 : min;
        max = max > 1 ? 1 : max;
    }
    struct regex_ast node = {.kind = AST_REPEAT,
                             .child = *item,
                             .greedy = lazy == !!(p->flags & FLAG_SWAP),
                             .nullable = min == 0 || child->nullable,
                             .empty = child->empty || max == 0,
                             .height = child->height,
                             .min = min,
                             .max = max};
    uint32_t number = ast_add_high(p, node, at);
    if (number == REGEX_NONE)
        return false;
    *item = number;
    return true;
}

static bool nothing_to_repeat(struct regex_parser *p)
{
    return regex_fail(p, p->at, 1, "nothing to repeat stands before this");
}

/* At * + or ?. */
static bool repeat_uncounted(struct regex_parser *p)
{
    size_t at = p->at;
    uint32_t c = regex_char(p);
    if (!p->repeatable)
        return nothing_to_repeat(p);
    bool lazy = regex_next(p) && regex_char(p) == '?';
    if (lazy)
        regex_next(p);
    return repeat(p, at, c == '+', c == '?' ? 1 : REGEX_ENDLESS, lazy);
}

/* A number with white space around it. False with the error set; *FOUND: whether there was one. */
static bool read_count(struct regex_parser *p, uint32_t *count, bool *found)
{
    uint64_t value = 0;
    while (regex_is_white(regex_char(p)))
        regex_next(p);
    size_t at = p->at;
    uint32_t c;
    *found = false;
    while ((c = regex_char(p)) >= '0' && c <= '9') {
        *found = true;
        value = value > UINT32_MAX ? value : value * 10 + (c - '0');
        regex_next_skip(p);
    }
    if (value > UINT32_MAX)
        return regex_fail(p, at, p->at - at, "the number is too large");
    while (regex_is_white(regex_char(p)))
        regex_next_skip(p);
    /* Endless is told apart from a limit that no program can have. */
    *count = value == UINT32_MAX ? UINT32_MAX - 1 : (uint32_t)value;
    return true;
}

static bool repeat_counted(struct regex_parser *p)
{
    size_t at = p->at;
    uint32_t min = 0, max;
    bool has_min, has_max = true, lazy;
    if (!p->repeatable)
        return nothing_to_repeat(p);
    regex_next_skip(p);
    if (!read_count(p, &min, &has_min))
        return false;
    max = min;
    if (regex_char(p) == ',') {
        regex_next_skip(p);
        has_max = regex_char(p) == '}';
        max = REGEX_ENDLESS;
        if (!has_max && !read_count(p, &max, &has_max))
            return false;
    }
    if (p->at >= p->size)
        return regex_fail(p, at, p->at - at, "the repetition is not closed; a plain brace is written \\{");
    if (!has_min || !has_max || regex_char(p) != '}')
        return regex_fail(p, at, p->at - at + regex_width(p),
                          "expected a number, as in {2}, {2,} or {2,3}; a plain brace is written \\{");
    lazy = regex_next_skip(p) && regex_char(p) == '?';
    if (lazy)
        regex_next(p);
    if (min > max)
        return regex_fail(p, at, p->at - at, "the least is more than the most");
    return repeat(p, at, min, max, lazy);
}

/* ---- The rest ---------------------------------------------------------------------------------------- */

static bool look_push(struct regex_parser *p, unsigned look)
{
    struct regex_ast node = {.kind = AST_LOOK, .byte = (uint8_t)look, .nullable = true, .empty = true};
    return item_push(p, ast_add(p, node));
}

static bool dot_push(struct regex_parser *p)
{
    struct regex_set set = {{0, 0, 0, 0}};
    if (!(p->flags & FLAG_S)) {
        regex_set_add(&set, '\n', '\n');
        if (p->flags & FLAG_R)
            regex_set_add(&set, '\r', '\r');
    }
    regex_set_negate(&set);
    return item_push(p, ast_add_set(p, &set, 0, p->at));
}

static bool class_push(struct regex_parser *p)
{
    struct regex_set set;
    unsigned height;
    size_t at = p->at;
    return regex_class(p, &set, &height) && item_push(p, ast_add_set(p, &set, height, at));
}

static bool escape_push(struct regex_parser *p)
{
    struct regex_primitive primitive;
    if (!regex_escape(p, &primitive))
        return false;
    switch (primitive.kind) {
    case PRIMITIVE_LOOK: return look_push(p, primitive.c);
    case PRIMITIVE_SET: return item_push(p, ast_add_set(p, &primitive.set, 0, primitive.at));
    case PRIMITIVE_BYTE: return item_push(p, ast_add_byte(p, primitive.c, REGEX_NONE));
    default: return item_push(p, ast_add_char(p, primitive.c));
    }
}

static bool read_one(struct regex_parser *p)
{
    uint32_t c = regex_char(p);
    bool many = p->flags & FLAG_M;
    switch (c) {
    case '(': return group_open(p);
    case ')': return group_close(p);
    case '|': return alternate(p);
    case '[': return class_push(p);
    case '*':
    case '+':
    case '?': return repeat_uncounted(p);
    case '{': return repeat_counted(p);
    case '\\': return escape_push(p);
    default: break;
    }
    regex_next(p);
    switch (c) {
    case '.': return dot_push(p);
    case '^':
        return look_push(p, !many               ? LOOK_TEXT_START
                            : p->flags & FLAG_R ? LOOK_LINE_START_R
                                                : LOOK_LINE_START);
    case '$':
        return look_push(p, !many ? LOOK_TEXT_END : p->flags & FLAG_R ? LOOK_LINE_END_R : LOOK_LINE_END);
    default: return item_push(p, ast_add_char(p, c));
    }
}

static int compare_names(const void *a, const void *b, void *parser)
{
    const struct regex_parser *p = parser;
    const struct regex_name *x = a, *y = b;
    uint32_t least = x->length < y->length ? x->length : y->length;
    int order = memcmp(p->text + x->offset, p->text + y->offset, least);
    if (order == 0)
        order = (x->length > y->length) - (x->length < y->length);
    return order ? order : (x->offset > y->offset) - (x->offset < y->offset);
}

static bool check_names(struct regex_parser *p)
{
    struct regex_name *name = p->name.data;
    if (p->name.count < 2)
        return true;
    qsort_r(name, p->name.count, sizeof *name, compare_names, p);
    for (uint32_t i = 1; i < p->name.count; i++)
        if (name[i].length == name[i - 1].length &&
            memcmp(p->text + name[i].offset, p->text + name[i - 1].offset, name[i].length) == 0)
            return regex_fail(p, name[i].offset, name[i].length, "another group has this name");
    return true;
}

uint32_t regex_parse(struct regex_parser *p)
{
    if (!frame_push(p, 0, 0, 0))
        return REGEX_NONE;
    for (;;) {
        regex_skip(p);
        if (p->at >= p->size)
            break;
        if (!read_one(p))
            return REGEX_NONE;
    }
    if (p->frame.count > 1) {
        regex_fail(p, frame_top(p)->at, 1, "the group is not closed");
        return REGEX_NONE;
    }
    uint32_t root = group_finish(p);
    return root != REGEX_NONE && check_names(p) ? root : REGEX_NONE;
}

void regex_parser_clear(struct regex_parser *p)
{
    free(p->ast.data);
    free(p->set.data);
    free(p->item.data);
    free(p->frame.data);
    free(p->name.data);
}
