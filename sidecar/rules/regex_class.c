/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sets of bytes, and classes in brackets: ranges, named and nested classes, and what is done with two of
 * them. */
#include <stdlib.h>
#include <string.h>

#include "sidecar/rules/regex_internal.h"

void regex_set_add(struct regex_set *set, unsigned low, unsigned high)
{
    for (unsigned byte = low; byte <= high; byte++)
        set->bits[byte / 64] |= UINT64_C(1) << byte % 64;
}

void regex_set_union(struct regex_set *set, const struct regex_set *other)
{
    for (int i = 0; i < 4; i++)
        set->bits[i] |= other->bits[i];
}

void regex_set_negate(struct regex_set *set)
{
    for (int i = 0; i < 4; i++)
        set->bits[i] = ~set->bits[i];
}

void regex_set_fold(struct regex_set *set)
{
    /* A-Z are bits 1..26 of the second word, a-z the same 32 further. */
    uint64_t letters = UINT64_C(0x07fffffe), word = set->bits[1];
    uint64_t either = (word | word >> 32) & letters;
    set->bits[1] |= either | either << 32;
}

static const struct {
    const char *name;
    uint8_t range[4][2]; /* ends where both are 0, but for the first */
} posix[] = {
    {"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}},
    {"alpha", {{'A', 'Z'}, {'a', 'z'}}},
    {"ascii", {{0, 127}}},
    {"blank", {{'\t', '\t'}, {' ', ' '}}},
    {"cntrl", {{0, 31}, {127, 127}}},
    {"digit", {{'0', '9'}}},
    {"graph", {{'!', '~'}}},
    {"lower", {{'a', 'z'}}},
    {"print", {{' ', '~'}}},
    {"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}},
    {"space", {{'\t', '\r'}, {' ', ' '}}},
    {"upper", {{'A', 'Z'}}},
    {"word", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
    {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}},
};

/* What is between brackets, or between two operators there: a union. HEIGHT as the tree would have. */
struct part {
    struct regex_set set;
    unsigned items, height;
};

enum set_op { SET_NO_OP, SET_AND, SET_MINUS, SET_EITHER };

/* An open bracket, and the left side of its operator. */
struct open {
    size_t at;
    bool negated;
    enum set_op op;
    struct part left, part; /* PART: what has been read since the bracket or the operator */
};

static bool unclosed(struct regex_parser *p, const struct open *open)
{
    return regex_fail(p, open->at, 1, "the class is not closed");
}

static void part_add(struct part *part, const struct regex_set *set, unsigned height)
{
    regex_set_union(&part->set, set);
    part->items++;
    if (part->height < height)
        part->height = height;
}

static void part_add_byte(struct part *part, unsigned low, unsigned high)
{
    struct regex_set set = {0};
    regex_set_add(&set, low, high);
    part_add(part, &set, 0);
}

static unsigned part_height(const struct part *part)
{
    return part->height + (part->items > 1);
}

/* Works the operator that waits, if any: the left side then has all that was read. */
static void open_join(struct regex_parser *p, struct open *open)
{
    unsigned height = part_height(&open->part);
    if (open->op == SET_NO_OP) {
        open->left = open->part;
        open->left.height = height;
        return;
    }
    if (p->flags & FLAG_I) {
        regex_set_fold(&open->left.set);
        regex_set_fold(&open->part.set);
    }
    for (int i = 0; i < 4; i++) {
        uint64_t *left = &open->left.set.bits[i], right = open->part.set.bits[i];
        *left = open->op == SET_AND ? *left & right : open->op == SET_MINUS ? *left & ~right : *left ^ right;
    }
    open->left.height = 1 + (height > open->left.height ? height : open->left.height);
}

static void set_finish(struct regex_parser *p, struct regex_set *set, bool negated)
{
    if (p->flags & FLAG_I)
        regex_set_fold(set);
    if (negated)
        regex_set_negate(set);
}

/* At a bracket within a class: [:name:], or false and the place as it was. */
static bool posix_class(struct regex_parser *p, struct part *part)
{
    size_t at = p->at + 2, end;
    if (p->size - p->at < 4 || p->text[p->at + 1] != ':')
        return false;
    bool negated = p->text[at] == '^';
    at += negated;
    const char *colon = memchr(p->text + at, ':', p->size - at);
    if (!colon || (end = (size_t)(colon - p->text)) + 1 >= p->size || colon[1] != ']')
        return false;
    for (size_t i = 0; i < sizeof posix / sizeof *posix; i++) {
        if (strlen(posix[i].name) != end - at || memcmp(posix[i].name, p->text + at, end - at) != 0)
            continue;
        struct regex_set set = {0};
        for (int r = 0; r < 4 && (r == 0 || posix[i].range[r][1]); r++)
            regex_set_add(&set, posix[i].range[r][0], posix[i].range[r][1]);
        set_finish(p, &set, negated);
        part_add(part, &set, 0);
        p->at = end + 2;
        return true;
    }
    return false;
}

static bool class_item(struct regex_parser *p, struct regex_primitive *item)
{
    if (regex_char(p) == '\\')
        return regex_escape(p, item);
    *item = (struct regex_primitive){.kind = PRIMITIVE_CHAR, .at = p->at, .c = regex_char(p)};
    regex_next(p);
    return true;
}

/* END is where the item ends. */
static bool item_is_byte(struct regex_parser *p, const struct regex_primitive *item, size_t end)
{
    if (item->kind == PRIMITIVE_LOOK)
        return regex_fail(p, item->at, end - item->at, "not allowed in a class");
    if (item->kind == PRIMITIVE_SET)
        return regex_fail(p, item->at, end - item->at, "a class cannot be the end of a range");
    if (item->kind == PRIMITIVE_CHAR && item->c > 127)
        return regex_fail(p, item->at, end - item->at,
                          "a class matches one byte: only ASCII, or \\x80 to \\xff, may stand here");
    return true;
}

/* A character, an escape or a range. */
static bool class_range(struct regex_parser *p, struct open *open)
{
    struct regex_primitive low, high;
    if (!class_item(p, &low))
        return false;
    size_t low_end = p->at;
    regex_skip(p);
    if (p->at >= p->size)
        return unclosed(p, open);
    uint32_t after = regex_char(p) == '-' ? regex_peek_far(p) : ']';
    if (after == ']' || after == '-') {
        if (low.kind == PRIMITIVE_SET) {
            part_add(&open->part, &low.set, 0);
            return true;
        }
        if (!item_is_byte(p, &low, low_end))
            return false;
        part_add_byte(&open->part, low.c, low.c);
        return true;
    }
    if (!regex_next_skip(p))
        return unclosed(p, open);
    if (!class_item(p, &high))
        return false;
    if (!item_is_byte(p, &low, low_end) || !item_is_byte(p, &high, p->at))
        return false;
    if (low.c > high.c)
        return regex_fail(p, low.at, p->at - low.at, "the range ends before it begins");
    part_add_byte(&open->part, low.c, high.c);
    return true;
}

/* At a bracket: past it, a ^, and what directly after them stands for itself. */
static bool class_open(struct regex_parser *p, struct regex_array *stack)
{
    struct open *open = regex_array_add(stack, sizeof *open);
    if (!open)
        return regex_no_memory(p);
    *open = (struct open){.at = p->at};
    if (!regex_next_skip(p))
        return unclosed(p, open);
    if (regex_char(p) == '^') {
        open->negated = true;
        if (!regex_next_skip(p))
            return unclosed(p, open);
    }
    uint32_t c;
    while ((c = regex_char(p)) == '-' || (c == ']' && open->part.items == 0)) {
        part_add_byte(&open->part, c, c);
        if (!regex_next_skip(p))
            return unclosed(p, open);
        if (c == ']')
            break;
    }
    return true;
}

/* At a closing bracket. Leaves the outermost on the stack, as one part. */
static void class_close(struct regex_parser *p, struct regex_array *stack)
{
    struct open *open = (struct open *)stack->data + (stack->count - 1);
    regex_next(p);
    open_join(p, open);
    set_finish(p, &open->left.set, open->negated);
    if (stack->count == 1)
        return;
    stack->count--;
    part_add(&open[-1].part, &open->left.set, 1 + open->left.height);
}

static enum set_op class_op(const struct regex_parser *p)
{
    uint32_t c = regex_char(p);
    if (c != regex_peek(p))
        return SET_NO_OP;
    return c == '&' ? SET_AND : c == '-' ? SET_MINUS : c == '~' ? SET_EITHER : SET_NO_OP;
}

static bool class_rest(struct regex_parser *p, struct regex_array *stack)
{
    for (;;) {
        struct open *open = (struct open *)stack->data + (stack->count - 1);
        regex_skip(p);
        uint32_t c = regex_char(p);
        enum set_op op = class_op(p);
        if (p->at >= p->size)
            return unclosed(p, open);
        if (stack->count > p->nesting || open->left.height >= p->nesting || open->part.height >= p->nesting)
            return regex_fail(p, p->at, 1, "nested more than %u deep", p->nesting);
        if (c == '[') {
            if (!posix_class(p, &open->part) && !class_open(p, stack))
                return false;
        } else if (c == ']') {
            class_close(p, stack);
            if (stack->count == 1 && open == stack->data)
                return true;
        } else if (op != SET_NO_OP) {
            open_join(p, open);
            open->op = op;
            memset(&open->part, 0, sizeof open->part);
            p->at += 2;
        } else if (!class_range(p, open)) {
            return false;
        }
    }
}

bool regex_class(struct regex_parser *p, struct regex_set *set, unsigned *height)
{
    struct regex_array stack = {0};
    bool done = class_open(p, &stack) && class_rest(p, &stack);
    if (done) {
        const struct open *open = stack.data;
        *set = open->left.set;
        *height = 1 + open->left.height;
    }
    free(stack.data);
    return done;
}
