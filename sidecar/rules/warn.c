/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is suspicious about a program that compiles. */
#include <stdlib.h>
#include <string.h>

#include "sidecar/rules/internal.h"

struct warn {
    const struct rules_program *program;
    rules_warn_fn report;
    void *arg;
};

static void report(const struct warn *w, const struct node *node, const char *message)
{
    w->report(w->arg, node->at, node->length, message);
}

/* --- What is known without any field --- */

static bool is_all(const struct int_set *set)
{
    return set->count == 1 && set->item[0].low == INT64_MIN && set->item[0].high == INT64_MAX;
}

/* A comparison that gives one result for every value that is not missing. */
static enum rules_verdict compare_constant(const struct node *node)
{
    const struct rules_value *literal = &node->compare.literal;
    uint32_t type = node->compare.left->type;
    switch (node->op) {
    case CMP_IN:
        if (type == RULES_INT)
            return node->compare.ints->count == 0 ? RULES_FALSE
                   : is_all(node->compare.ints)   ? RULES_TRUE
                                                  : RULES_OPEN;
        if (type == RULES_BYTES)
            return node->compare.strings->count ? RULES_OPEN : RULES_FALSE;
        return node->compare.ips->v4_count + node->compare.ips->v6_count ? RULES_OPEN : RULES_FALSE;
    case CMP_IN_LIST: return rules_list_count(node->compare.list.list) ? RULES_OPEN : RULES_FALSE;
    case CMP_BIT_AND: return literal->integer == 0 ? RULES_FALSE : RULES_OPEN;
    case CMP_CONTAINS: return literal->bytes.size == 0 ? RULES_TRUE : RULES_OPEN;
    case CMP_WILDCARD:
    case CMP_STRICT_WILDCARD:
        return literal->bytes.size == 1 && literal->bytes.data[0] == '*' ? RULES_TRUE : RULES_OPEN;
    default: break;
    }
    if (node->compare.right || type != RULES_BYTES || literal->bytes.size > 0)
        return RULES_OPEN;
    return node->op == CMP_GE ? RULES_TRUE : node->op == CMP_LT ? RULES_FALSE : RULES_OPEN;
}

static bool is_true_field(const struct warn *w, const struct node *node)
{
    return node->kind == NODE_FIELD && strcmp(w->program->scheme->field[node->field].name, "true") == 0;
}

/* A condition whose result no field changes; missing values are left out of account. */
static enum rules_verdict constant(const struct warn *w, const struct node *node)
{
    enum rules_verdict verdict, decides;
    switch (node->kind) {
    case NODE_TRUTH: return is_true_field(w, node->logic.operand[0]) ? RULES_TRUE : RULES_OPEN;
    case NODE_COMPARE: return compare_constant(node);
    case NODE_NOT:
        verdict = constant(w, node->logic.operand[0]);
        return verdict == RULES_OPEN ? verdict : verdict == RULES_TRUE ? RULES_FALSE : RULES_TRUE;
    case NODE_AND:
    case NODE_OR:
        decides = node->kind == NODE_AND ? RULES_FALSE : RULES_TRUE;
        verdict = decides == RULES_TRUE ? RULES_FALSE : RULES_TRUE;
        for (unsigned i = 0; i < node->logic.count; i++) {
            enum rules_verdict next = constant(w, node->logic.operand[i]);
            if (next == decides)
                return decides;
            if (next == RULES_OPEN)
                verdict = RULES_OPEN;
        }
        return verdict;
    default: return RULES_OPEN;
    }
}

/* Operands of "and" that exclude one another: the same plain field, two different literals. */
static bool excludes(const struct node *a, const struct node *b)
{
    return a->kind == NODE_COMPARE && b->kind == NODE_COMPARE && a->op == CMP_EQ && b->op == CMP_EQ &&
           a->compare.left->kind == NODE_FIELD && b->compare.left->kind == NODE_FIELD && !a->compare.right &&
           !b->compare.right && a->compare.left->field == b->compare.left->field &&
           !rules_value_equal(&a->compare.literal, &b->compare.literal);
}

static void warn_excluding(const struct warn *w, const struct node *node)
{
    for (unsigned i = 0; i < node->logic.count; i++)
        for (unsigned k = i + 1; k < node->logic.count && k < i + 32; k++)
            if (excludes(node->logic.operand[i], node->logic.operand[k])) {
                report(w, node->logic.operand[k], "never together with the other value of the same field");
                return;
            }
}

/* --- Literals in a form that the field never has --- */

enum form { FORM_ANY, FORM_HEX_UPPER, FORM_HEX_LOWER };

static enum form form_of(const struct warn *w, const struct node *left)
{
    if (left->kind == NODE_INDEX)
        left = left->index.base;
    if (left->kind != NODE_FIELD)
        return FORM_ANY;
    const char *name = w->program->scheme->field[left->field].name;
    if (strstr(name, "fingerprint"))
        return FORM_HEX_LOWER;
    return strstr(name, "cert_") && (strstr(name, "_serial") || strstr(name, "_ski")) ? FORM_HEX_UPPER
                                                                                      : FORM_ANY;
}

static void warn_hex(const struct warn *w, const struct node *node, struct rules_bytes text, enum form form)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool lower = c >= 'a' && c <= 'f', upper = c >= 'A' && c <= 'F';
        if (c == ':' || c == ' ') {
            report(w, node, "the field has no separators between its digits: this never matches");
            return;
        }
        if ((lower && form == FORM_HEX_UPPER) || (upper && form == FORM_HEX_LOWER)) {
            report(w, node,
                   lower ? "the field has capital hexadecimal digits: this never matches"
                         : "the field has small hexadecimal digits: this never matches");
            return;
        }
    }
}

static void warn_case(const struct warn *w, const struct node *node)
{
    const struct node *left = node->compare.left;
    enum form form = form_of(w, left);
    if (node->op <= CMP_NE && !node->compare.right && left->type == RULES_BYTES && form != FORM_ANY)
        warn_hex(w, node, node->compare.literal.bytes, form);
    for (size_t i = 0; node->op == CMP_IN && left->type == RULES_BYTES && i < node->compare.strings->count;
         i++) {
        if (form != FORM_ANY)
            warn_hex(w, node, node->compare.strings->item[i], form);
    }
    bool lowered = left->kind == NODE_CALL && node->op <= CMP_NE && !node->compare.right;
    for (size_t i = 0; lowered && i < node->compare.literal.bytes.size; i++) {
        uint8_t c = node->compare.literal.bytes.data[i];
        const char *name = left->call.function->name;
        if ((strcmp(name, "lower") == 0 && c >= 'A' && c <= 'Z') ||
            (strcmp(name, "upper") == 0 && c >= 'a' && c <= 'z')) {
            report(w, node, "the function never gives a letter of this case: this never matches");
            return;
        }
    }
}

static void warn_key(const struct warn *w, const struct node *node)
{
    const struct node *base = node->index.base;
    const char *name = base->kind == NODE_FIELD ? w->program->scheme->field[base->field].name : "";
    const struct index *index = &node->index.index[0];
    size_t size = strlen(name);
    if (size < 8 || strcmp(name + size - 8, ".headers") != 0 || index->kind != INDEX_KEY)
        return;
    for (size_t i = 0; i < index->key.size; i++)
        if (index->key.data[i] >= 'A' && index->key.data[i] <= 'Z') {
            report(w, node, "names of headers are in small letters here: this key never exists");
            return;
        }
}

/* --- All of it --- */

static void visit(const struct warn *w, const struct node *node)
{
    switch (node->kind) {
    case NODE_INDEX:
        warn_key(w, node);
        visit(w, node->index.base);
        return;
    case NODE_CALL:
        for (unsigned i = 0; i < node->call.count; i++)
            visit(w, node->call.arg[i]);
        return;
    case NODE_COMPARE:
        if (node->type == RULES_BOOL || node->compare.left->each) {
            enum rules_verdict verdict = compare_constant(node);
            if (verdict != RULES_OPEN)
                report(w, node,
                       verdict == RULES_TRUE     ? "always matches where the value exists"
                       : node->op == CMP_IN_LIST ? "the list is empty: this matches nothing now"
                                                 : "never matches");
        }
        warn_case(w, node);
        visit(w, node->compare.left);
        if (node->compare.right)
            visit(w, node->compare.right);
        return;
    case NODE_FIELD:
    case NODE_LITERAL: return;
    case NODE_AND: warn_excluding(w, node); break;
    default: break;
    }
    for (unsigned i = 0; i < node->logic.count; i++)
        visit(w, node->logic.operand[i]);
}

void rules_program_warn(const struct rules_program *program, rules_warn_fn fn, void *arg)
{
    struct warn w = {program, fn, arg};
    const struct node *root = program->root;
    if (root->type == RULES_BOOL && root->kind != NODE_COMPARE) {
        enum rules_verdict verdict = constant(&w, root);
        if (verdict != RULES_OPEN)
            report(&w, root, verdict == RULES_TRUE ? "matches everything" : "never matches");
    }
    visit(&w, root);
}

static bool same_text(const struct rules_program *a_program, const struct node *a,
                      const struct rules_program *b_program, const struct node *b)
{
    struct rules_buffer a_text = {0}, b_text = {0};
    if (a->kind != b->kind)
        return false;
    print_node(&a_text, a_program, a);
    print_node(&b_text, b_program, b);
    bool same = !a_text.failed && !b_text.failed && a_text.size == b_text.size &&
                memcmp(a_text.data, b_text.data, a_text.size) == 0;
    rules_buffer_free(&a_text);
    rules_buffer_free(&b_text);
    return same;
}

static bool is_always(const struct rules_program *program)
{
    struct warn w = {program, NULL, NULL};
    const struct node *root = program->root;
    return constant(&w, root) == RULES_TRUE &&
           (root->kind != NODE_COMPARE || root->compare.left->kind == NODE_FIELD);
}

bool rules_program_implies(const struct rules_program *a, const struct rules_program *b)
{
    const struct node *left = a->root, *right = b->root;
    if (is_always(b))
        return true;
    if (same_text(a, left, b, right))
        return true;
    for (unsigned i = 0; left->kind == NODE_AND && i < left->logic.count; i++)
        if (same_text(a, left->logic.operand[i], b, right))
            return true;
    for (unsigned i = 0; right->kind == NODE_OR && i < right->logic.count; i++)
        if (same_text(a, left, b, right->logic.operand[i]))
            return true;
    return false;
}

static bool hash_text(const struct rules_program *program, const struct node *node, uint64_t *hash)
{
    struct rules_buffer text = {0};
    print_node(&text, program, node);
    bool ok = !text.failed;
    *hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; ok && i < text.size; i++)
        *hash = (*hash ^ text.data[i]) * UINT64_C(1099511628211);
    rules_buffer_free(&text);
    return ok;
}

bool rules_gist_of(const struct rules_program *program, struct rules_gist *gist)
{
    const struct node *root = program->root;
    *gist = (struct rules_gist){.is_and = root->kind == NODE_AND, .always = is_always(program)};
    if (!hash_text(program, root, &gist->whole))
        return false;
    if (root->kind != NODE_AND && root->kind != NODE_OR)
        return true;
    gist->operand = calloc(root->logic.count, sizeof *gist->operand);
    if (!gist->operand)
        return false;
    for (; gist->count < root->logic.count; gist->count++) {
        if (!hash_text(program, root->logic.operand[gist->count], &gist->operand[gist->count])) {
            rules_gist_clear(gist);
            return false;
        }
    }
    return true;
}

void rules_gist_clear(struct rules_gist *gist)
{
    free(gist->operand);
    *gist = (struct rules_gist){0};
}

bool rules_gist_may_imply(const struct rules_gist *a, const struct rules_gist *b)
{
    if (b->always || a->whole == b->whole)
        return true;
    for (unsigned i = 0; a->is_and && i < a->count; i++)
        if (a->operand[i] == b->whole)
            return true;
    for (unsigned i = 0; !b->is_and && i < b->count; i++)
        if (a->whole == b->operand[i])
            return true;
    return false;
}
