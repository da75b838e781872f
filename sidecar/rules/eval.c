/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Evaluation (rules-language sections 5 to 8): no allocation, no failure. */
#include <string.h>

#include "sidecar/rules/internal.h"

/* --- Values --- */

const struct rules_value *eval_field(struct run *run, unsigned field)
{
    struct rules_context *context = run->context;
    if (!(context->ready[field / 64] >> field % 64 & 1)) {
        struct rules_value *value = &context->value[field];
        *value = context->scheme->field[field].absent;
        if (context->get && !context->get(context->arg, field, value))
            *value = context->scheme->field[field].absent;
        context->ready[field / 64] |= (uint64_t)1 << field % 64;
    }
    if (context->value[field].type == RULES_TOO_LARGE) {
        static const struct rules_value missing = {.type = RULES_MISSING};
        run->scratch->overflow = true;
        return &missing;
    }
    return &context->value[field];
}

/* The value without a copy where it lies somewhere already, else in *ROOM. */
static const struct rules_value *value_of(struct run *run, const struct node *node, struct rules_value *room)
{
    if (node->kind == NODE_FIELD)
        return eval_field(run, node->field);
    if (node->kind == NODE_LITERAL)
        return &node->literal;
    eval_value(run, node, room);
    return room;
}

static const struct rules_value *step(const struct rules_value *value, const struct index *index)
{
    if (index->kind == INDEX_KEY)
        return rules_type_layer(value->type) == RULES_MAP
                   ? rules_map_find(&value->map, index->key.data, index->key.size)
                   : NULL;
    if (rules_type_layer(value->type) != RULES_ARRAY || index->number >= value->array.count)
        return NULL;
    return &value->array.item[index->number];
}

/* Every element that INDEX leads to, in order; VISIT returns false to stop. */
struct walk {
    bool (*visit)(struct walk *walk, const struct rules_value *value);
    struct run *run;
    const struct node *node; /* what the visitor needs */
    struct rules_value *out;
    size_t count;
    bool found;
};

static bool walk_each(struct walk *walk, const struct rules_value *value, const struct index *index,
                      unsigned left)
{
    while (left > 0 && index->kind != INDEX_EACH) {
        value = step(value, index++);
        left--;
        if (!value)
            return true;
    }
    if (left == 0)
        return walk->visit(walk, value);
    switch (rules_type_layer(value->type)) {
    case RULES_ARRAY:
        for (size_t i = 0; i < value->array.count; i++)
            if (!walk_each(walk, &value->array.item[i], index + 1, left - 1))
                return false;
        return true;
    case RULES_MAP:
        for (size_t i = 0; i < value->map.count; i++)
            if (!walk_each(walk, &value->map.entry[i].value, index + 1, left - 1))
                return false;
        return true;
    default: return true;
    }
}

/* What the indexes before the first [*] lead to; NULL: missing. */
static const struct rules_value *each_base(struct run *run, const struct node *node, struct rules_value *room)
{
    const struct rules_value *value = value_of(run, node->index.base, room);
    for (unsigned i = 0; i < node->index.first_each && value && !rules_missing(value); i++)
        value = step(value, &node->index.index[i]);
    return value && !rules_missing(value) ? value : NULL;
}

static bool walk_node(struct walk *walk, const struct node *node, const struct rules_value *base)
{
    unsigned first = node->index.first_each;
    return walk_each(walk, base, node->index.index + first, node->index.count - first);
}

static bool visit_count(struct walk *walk, const struct rules_value *value)
{
    (void)value;
    walk->count++;
    return true;
}

static bool visit_copy(struct walk *walk, const struct rules_value *value)
{
    walk->out[walk->count++] = *value;
    return true;
}

/* All elements of a value with [*] as one array; missing where the base is. */
static void eval_each(struct run *run, const struct node *node, struct rules_value *out)
{
    struct rules_value room;
    const struct rules_value *base = each_base(run, node, &room);
    out->type = RULES_MISSING;
    if (!base)
        return;
    struct walk count = {.visit = visit_count};
    walk_node(&count, node, base);
    struct walk copy = {.visit = visit_copy, .out = run_take(run, count.count * sizeof *out)};
    if (!copy.out)
        return;
    walk_node(&copy, node, base);
    out->type = RULES_ARRAY_OF(node->type);
    out->array.item = copy.out;
    out->array.count = copy.count;
}

static void eval_index(struct run *run, const struct node *node, struct rules_value *out)
{
    struct rules_value room;
    if (node->each) {
        eval_each(run, node, out);
        return;
    }
    const struct rules_value *value = each_base(run, node, &room);
    if (value)
        *out = *value;
    else
        out->type = RULES_MISSING;
}

enum { ARGS_INLINE = 4 };

static void call(struct run *run, const struct node *node, const struct rules_value *arg,
                 struct rules_value *out)
{
    const struct function *function = node->call.function;
    out->type = RULES_MISSING;
    for (unsigned i = 0; i < node->call.count && !function->with_missing; i++)
        if (rules_missing(&arg[i]))
            return;
    function->run(run, node, arg, node->call.count, out);
}

static void eval_call(struct run *run, const struct node *node, struct rules_value *out)
{
    struct rules_value few[ARGS_INLINE], *arg = few;
    unsigned count = node->call.count;
    out->type = RULES_MISSING;
    if (count > ARGS_INLINE && !(arg = run_take(run, count * sizeof *arg)))
        return;
    for (unsigned i = 0; i < count; i++)
        eval_value(run, node->call.arg[i], &arg[i]);
    if (!node->call.mapped) {
        call(run, node, arg, out);
        return;
    }
    struct rules_value each = arg[0];
    if (rules_missing(&each))
        return;
    struct rules_value *item = run_take(run, each.array.count * sizeof *item);
    if (!item)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < each.array.count; i++) {
        arg[0] = each.array.item[i];
        call(run, node, arg, &item[kept]);
        kept += !rules_missing(&item[kept]);
    }
    out->type = node->type;
    out->array.item = item;
    out->array.count = kept;
}

/* --- Comparisons --- */

static bool ordered(enum compare_op op, int order)
{
    switch (op) {
    case CMP_EQ: return order == 0;
    case CMP_NE: return order != 0;
    case CMP_GE: return order >= 0;
    case CMP_LE: return order <= 0;
    case CMP_GT: return order > 0;
    default: return order < 0;
    }
}

static bool order_values(enum compare_op op, const struct rules_value *left, const struct rules_value *right)
{
    switch (left->type) {
    case RULES_INT: return ordered(op, left->integer < right->integer ? -1 : left->integer > right->integer);
    case RULES_BYTES:
        if (op <= CMP_NE && left->bytes.size != right->bytes.size)
            return op == CMP_NE;
        return ordered(op, rules_bytes_compare(left->bytes, right->bytes));
    default:
        /* Across families nothing holds but "not equal". */
        if (left->ip.family != right->ip.family)
            return op == CMP_NE;
        return ordered(op, rules_ip_compare(&left->ip, &right->ip));
    }
}

static bool contains(struct rules_bytes all, struct rules_bytes part)
{
    if (part.size == 0)
        return true;
    return all.size >= part.size && memmem(all.data, all.size, part.data, part.size);
}

static bool in_set(const struct node *node, const struct rules_value *left)
{
    switch (left->type) {
    case RULES_INT: return set_int_has(node->compare.ints, left->integer);
    case RULES_BYTES: return set_bytes_has(node->compare.strings, left->bytes.data, left->bytes.size);
    default: return set_ip_has(node->compare.ips, &left->ip);
    }
}

/* LEFT is there; RIGHT is what a value on the right side gave, or the literal. */
static bool compare(struct run *run, const struct node *node, const struct rules_value *left,
                    const struct rules_value *right)
{
    switch (node->op) {
    case CMP_IN: return in_set(node, left);
    case CMP_IN_LIST: return rules_list_has(node->compare.list.list, left);
    case CMP_BIT_AND: return left->integer & right->integer;
    case CMP_CONTAINS: return contains(left->bytes, right->bytes);
    case CMP_MATCHES:
        return regex_match(node->compare.regex.regex, run->scratch->regex, left->bytes.data,
                           left->bytes.size);
    case CMP_WILDCARD:
    case CMP_STRICT_WILDCARD:
        return wildcard_match(node->compare.wildcard, left->bytes.data, left->bytes.size, NULL, 0);
    default:
        if (rules_missing(right))
            return node->op == CMP_NE && node->compare.missing_is_unequal;
        return order_values((enum compare_op)node->op, left, right);
    }
}

static const struct rules_value *right_of(struct run *run, const struct node *node, struct rules_value *room)
{
    return node->compare.right ? value_of(run, node->compare.right, room) : &node->compare.literal;
}

static bool eval_compare(struct run *run, const struct node *node)
{
    struct rules_value left_room, right_room;
    size_t mark = run->scratch->used;
    const struct rules_value *left = value_of(run, node->compare.left, &left_room);
    bool result;
    if (rules_missing(left))
        result = node->op == CMP_NE && node->compare.missing_is_unequal;
    else
        result = compare(run, node, left, right_of(run, node, &right_room));
    run->scratch->used = mark;
    return result;
}

/* --- Arrays of Bool --- */

struct compare_walk {
    struct walk walk; /* first, so that a visitor finds the rest */
    const struct rules_value *right;
};

static bool visit_compare(struct walk *walk, const struct rules_value *value)
{
    struct compare_walk *w = (struct compare_walk *)walk;
    walk->out[walk->count++] = rules_bool(compare(walk->run, walk->node, value, w->right));
    return true;
}

/* FOUND: the result that decides a quantifier, true for any and false for all. */
static bool visit_find(struct walk *walk, const struct rules_value *value)
{
    struct compare_walk *w = (struct compare_walk *)walk;
    if (compare(walk->run, walk->node, value, w->right) != walk->found)
        return true;
    walk->count++;
    return false;
}

static void empty_bools(struct rules_value *out)
{
    out->type = RULES_ARRAY_OF(RULES_BOOL);
    out->array.item = NULL;
    out->array.count = 0;
}

/* A comparison over each element; empty where the left side is missing. */
static void compare_each(struct run *run, const struct node *node, struct rules_value *out)
{
    const struct node *left = node->compare.left;
    struct rules_value room, right_room;
    const struct rules_value *base = each_base(run, left, &room);
    empty_bools(out);
    if (!base)
        return;
    struct compare_walk w = {.walk = {.visit = visit_count, .run = run, .node = node}};
    walk_node(&w.walk, left, base);
    w.right = right_of(run, node, &right_room);
    w.walk.out = run_take(run, w.walk.count * sizeof *out);
    if (!w.walk.out) {
        out->type = RULES_MISSING;
        return;
    }
    w.walk.count = 0;
    w.walk.visit = visit_compare;
    walk_node(&w.walk, left, base);
    out->array.item = w.walk.out;
    out->array.count = w.walk.count;
}

/* any and all over one comparison, without making the array. */
static bool quantify_compare(struct run *run, const struct node *node, bool decides)
{
    const struct node *left = node->compare.left;
    struct rules_value room, right_room;
    size_t mark = run->scratch->used;
    const struct rules_value *base = each_base(run, left, &room);
    bool decided = false;
    if (base) {
        struct compare_walk w = {.walk = {.visit = visit_find, .run = run, .node = node, .found = decides},
                                 .right = right_of(run, node, &right_room)};
        decided = !walk_node(&w.walk, left, base);
    }
    run->scratch->used = mark;
    return decided == decides;
}

static bool bool_item(const struct rules_value *array, size_t i)
{
    return array->array.item[i].boolean;
}

/* A logical expression of type Array(Bool); a missing array counts as an empty one (section 8). */
static void eval_bools(struct run *run, const struct node *node, struct rules_value *out)
{
    struct rules_value next;
    switch (node->kind) {
    case NODE_TRUTH:
        eval_value(run, node->logic.operand[0], out);
        if (rules_missing(out))
            empty_bools(out);
        return;
    case NODE_COMPARE: compare_each(run, node, out); return;
    default: break;
    }
    eval_bools(run, node->logic.operand[0], out);
    if (rules_missing(out))
        return;
    size_t count = out->array.count;
    struct rules_value *item = run_take(run, count * sizeof *item);
    if (!item) {
        out->type = RULES_MISSING;
        return;
    }
    for (size_t i = 0; i < count; i++)
        item[i] = rules_bool(bool_item(out, i) != (node->kind == NODE_NOT));
    for (unsigned n = 1; n < node->logic.count; n++) {
        eval_bools(run, node->logic.operand[n], &next);
        if (rules_missing(&next)) {
            *out = next;
            return;
        }
        if (next.array.count < count)
            count = next.array.count;
        for (size_t i = 0; i < count; i++) {
            bool a = item[i].boolean, b = bool_item(&next, i);
            item[i].boolean = node->kind == NODE_AND ? a && b : node->kind == NODE_OR ? a || b : a != b;
        }
    }
    out->array.item = item;
    out->array.count = count;
}

static bool eval_quantifier(struct run *run, const struct node *node)
{
    const struct node *arg = node->logic.operand[0];
    bool any = node->kind == NODE_ANY;
    if (arg->kind == NODE_COMPARE)
        return quantify_compare(run, arg, any);
    struct rules_value bools;
    size_t mark = run->scratch->used;
    eval_value(run, arg, &bools);
    bool result = !any;
    if (rules_missing(&bools))
        result = false; /* of the direct argument: false for both */
    else
        for (size_t i = 0; i < bools.array.count && result != any; i++)
            if (bool_item(&bools, i) == any)
                result = any;
    run->scratch->used = mark;
    return result;
}

/* --- Expressions --- */

bool eval_bool(struct run *run, const struct node *node)
{
    switch (node->kind) {
    case NODE_COMPARE: return eval_compare(run, node);
    case NODE_TRUTH: {
        struct rules_value room;
        size_t mark = run->scratch->used;
        const struct rules_value *value = value_of(run, node->logic.operand[0], &room);
        bool result = !rules_missing(value) && value->boolean;
        run->scratch->used = mark;
        return result;
    }
    case NODE_NOT: return !eval_bool(run, node->logic.operand[0]);
    case NODE_AND:
        for (unsigned i = 0; i < node->logic.count; i++)
            if (!eval_bool(run, node->logic.operand[i]))
                return false;
        return true;
    case NODE_OR:
        for (unsigned i = 0; i < node->logic.count; i++)
            if (eval_bool(run, node->logic.operand[i]))
                return true;
        return false;
    case NODE_XOR: {
        bool result = false;
        for (unsigned i = 0; i < node->logic.count; i++)
            result ^= eval_bool(run, node->logic.operand[i]);
        return result;
    }
    case NODE_ANY:
    case NODE_ALL: return eval_quantifier(run, node);
    default: return false;
    }
}

void eval_value(struct run *run, const struct node *node, struct rules_value *out)
{
    switch (node->kind) {
    case NODE_FIELD: *out = *eval_field(run, node->field); return;
    case NODE_LITERAL: *out = node->literal; return;
    case NODE_INDEX: eval_index(run, node, out); return;
    case NODE_CALL: eval_call(run, node, out); return;
    default: break;
    }
    if (node->type == RULES_BOOL)
        *out = rules_bool(eval_bool(run, node));
    else
        eval_bools(run, node, out);
}

/* --- With part of the fields --- */

static enum rules_verdict both(const struct node *node, enum rules_verdict a, enum rules_verdict b)
{
    enum rules_verdict decides = node->kind == NODE_AND ? RULES_FALSE : RULES_TRUE;
    if (node->kind == NODE_XOR)
        return a == RULES_OPEN || b == RULES_OPEN ? RULES_OPEN : a != b ? RULES_TRUE : RULES_FALSE;
    if (a == decides || b == decides)
        return decides;
    return a == RULES_OPEN || b == RULES_OPEN ? RULES_OPEN : a;
}

static enum rules_verdict partly(struct run *run, const struct node *node, uint8_t phases)
{
    if (!(node->phases & ~phases))
        return eval_bool(run, node) ? RULES_TRUE : RULES_FALSE;
    enum rules_verdict verdict;
    switch (node->kind) {
    case NODE_NOT:
        verdict = partly(run, node->logic.operand[0], phases);
        return verdict == RULES_OPEN ? verdict : verdict == RULES_TRUE ? RULES_FALSE : RULES_TRUE;
    case NODE_AND:
    case NODE_OR:
    case NODE_XOR:
        verdict = partly(run, node->logic.operand[0], phases);
        for (unsigned i = 1; i < node->logic.count; i++)
            verdict = both(node, verdict, partly(run, node->logic.operand[i], phases));
        return verdict;
    default: return RULES_OPEN;
    }
}

static struct run start(struct rules_context *context, struct rules_scratch *scratch)
{
    scratch->used = 0;
    scratch->overflow = false;
    return (struct run){context, scratch};
}

bool rules_eval(const struct rules_program *program, struct rules_context *context,
                struct rules_scratch *scratch)
{
    struct run run = start(context, scratch);
    return eval_bool(&run, program->root);
}

enum rules_verdict rules_eval_partly(const struct rules_program *program, struct rules_context *context,
                                     struct rules_scratch *scratch, uint8_t phases)
{
    struct run run = start(context, scratch);
    return partly(&run, program->root, phases);
}

void rules_eval_value(const struct rules_program *program, struct rules_context *context,
                      struct rules_scratch *scratch, struct rules_value *value)
{
    struct run run = start(context, scratch);
    eval_value(&run, program->root, value);
}
