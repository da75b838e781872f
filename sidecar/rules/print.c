/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a program back to text: canonical, so that what compiles to the same program prints the same. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/rules/internal.h"

void print_string(struct rules_buffer *out, struct rules_bytes bytes)
{
    size_t done = 0, wrong = 0;
    bool valid = rules_utf8_valid(bytes.data, bytes.size, &wrong);
    rules_buffer_text(out, "\"");
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t c = bytes.data[i];
        bool is_wrong = !valid && i == wrong;
        if (!is_wrong && c != '"' && c != '\\' && c >= 0x20 && c != 0x7f)
            continue;
        rules_buffer_add(out, bytes.data + done, i - done);
        if (is_wrong || c < 0x20 || c == 0x7f)
            rules_buffer_format(out, "\\x%02x", c);
        else
            rules_buffer_format(out, "\\%c", c);
        done = i + 1;
        if (is_wrong) {
            valid = rules_utf8_valid(bytes.data + done, bytes.size - done, &wrong);
            wrong += done;
        }
    }
    rules_buffer_add(out, bytes.data + done, bytes.size - done);
    rules_buffer_text(out, "\"");
}

/* Raw, with as many # as it takes; the rare pattern that no number fits is quoted. */
static void print_regex(struct rules_buffer *out, struct rules_bytes pattern)
{
    size_t hashes = 0;
    for (size_t i = 0; i < pattern.size; i++) {
        size_t n = 0;
        if (pattern.data[i] != '"')
            continue;
        while (i + 1 + n < pattern.size && pattern.data[i + 1 + n] == '#')
            n++;
        if (n + 1 > hashes)
            hashes = n + 1;
    }
    if (hashes <= 255) {
        rules_buffer_text(out, "r");
        for (size_t i = 0; i < hashes; i++)
            rules_buffer_text(out, "#");
        rules_buffer_text(out, "\"");
        rules_buffer_add(out, pattern.data, pattern.size);
        rules_buffer_text(out, "\"");
        for (size_t i = 0; i < hashes; i++)
            rules_buffer_text(out, "#");
        return;
    }
    bool class = false;
    rules_buffer_text(out, "\"");
    for (size_t i = 0; i < pattern.size; i++) {
        uint8_t c = pattern.data[i];
        if (c == '\\' && i + 1 < pattern.size) {
            rules_buffer_add(out, pattern.data + i++, 2);
            continue;
        }
        if (c == '"' && !class)
            rules_buffer_text(out, "\\");
        class = class ? c != ']' : c == '[';
        rules_buffer_add(out, &c, 1);
    }
    rules_buffer_text(out, "\"");
}

static void print_ip(struct rules_buffer *out, struct rules_ip ip)
{
    char text[RULES_IP_TEXT];
    rules_ip_text(&ip, text);
    rules_buffer_text(out, text);
}

static void print_literal(struct rules_buffer *out, const struct rules_value *value)
{
    if (value->type == RULES_INT)
        rules_buffer_format(out, "%" PRId64, value->integer);
    else if (value->type == RULES_IP)
        print_ip(out, value->ip);
    else
        print_string(out, value->bytes);
}

static void print_ips(struct rules_buffer *out, const struct ip_set *set)
{
    const char *blank = "";
    for (size_t i = 0; i < set->v4_count; i++, blank = " ") {
        rules_buffer_text(out, blank);
        print_ip(out, rules_ip_from_v4(set->v4[i].low));
        if (set->v4[i].high != set->v4[i].low) {
            rules_buffer_text(out, "..");
            print_ip(out, rules_ip_from_v4(set->v4[i].high));
        }
    }
    for (size_t i = 0; i < set->v6_count; i++, blank = " ") {
        rules_buffer_text(out, blank);
        print_ip(out, rules_ip_from_v6(set->v6[i].low));
        if (set->v6[i].high != set->v6[i].low) {
            rules_buffer_text(out, "..");
            print_ip(out, rules_ip_from_v6(set->v6[i].high));
        }
    }
}

static void print_set(struct rules_buffer *out, const struct node *node)
{
    rules_buffer_text(out, "{");
    switch (node->compare.left->type) {
    case RULES_INT:
        for (size_t i = 0; i < node->compare.ints->count; i++) {
            const struct int_range *range = &node->compare.ints->item[i];
            rules_buffer_format(out, "%s%" PRId64, i ? " " : "", range->low);
            if (range->high != range->low)
                rules_buffer_format(out, "..%" PRId64, range->high);
        }
        break;
    case RULES_BYTES:
        for (size_t i = 0; i < node->compare.strings->count; i++) {
            rules_buffer_text(out, i ? " " : "");
            print_string(out, node->compare.strings->item[i]);
        }
        break;
    default: print_ips(out, node->compare.ips);
    }
    rules_buffer_text(out, "}");
}

static void print_compare(struct rules_buffer *out, const struct rules_program *program,
                          const struct node *node)
{
    static const char *const words[] = {
        [CMP_EQ] = "eq",
        [CMP_NE] = "ne",
        [CMP_GE] = "ge",
        [CMP_LE] = "le",
        [CMP_GT] = "gt",
        [CMP_LT] = "lt",
        [CMP_IN] = "in",
        [CMP_IN_LIST] = "in",
        [CMP_BIT_AND] = "&",
        [CMP_CONTAINS] = "contains",
        [CMP_MATCHES] = "matches",
        [CMP_WILDCARD] = "wildcard",
        [CMP_STRICT_WILDCARD] = "strict wildcard",
    };
    print_node(out, program, node->compare.left);
    rules_buffer_format(out, " %s ", words[node->op]);
    switch (node->op) {
    case CMP_IN: print_set(out, node); return;
    case CMP_IN_LIST:
        rules_buffer_text(out, "$");
        rules_buffer_add(out, node->compare.list.name.data, node->compare.list.name.size);
        return;
    case CMP_MATCHES: print_regex(out, node->compare.regex.pattern); return;
    default: break;
    }
    if (node->compare.right)
        print_node(out, program, node->compare.right);
    else
        print_literal(out, &node->compare.literal);
}

static void print_index(struct rules_buffer *out, const struct index *index)
{
    rules_buffer_text(out, "[");
    if (index->kind == INDEX_EACH)
        rules_buffer_text(out, "*");
    else if (index->kind == INDEX_KEY)
        print_string(out, index->key);
    else
        rules_buffer_format(out, "%" PRIu32, index->number);
    rules_buffer_text(out, "]");
}

static bool is_joined(const struct node *node)
{
    return node->kind == NODE_AND || node->kind == NODE_OR || node->kind == NODE_XOR;
}

static void print_parenthesised(struct rules_buffer *out, const struct rules_program *program,
                                const struct node *node, bool parentheses)
{
    rules_buffer_text(out, parentheses ? "(" : "");
    print_node(out, program, node);
    rules_buffer_text(out, parentheses ? ")" : "");
}

/* An argument that is a condition but neither one comparison nor a quantifier needs parentheses. */
static void print_arg(struct rules_buffer *out, const struct rules_program *program, const struct node *node)
{
    print_parenthesised(out, program, node, node->kind == NODE_TRUTH || is_joined(node));
}

static void print_joined(struct rules_buffer *out, const struct rules_program *program,
                         const struct node *node)
{
    const char *word = node->kind == NODE_AND ? " and " : node->kind == NODE_OR ? " or " : " xor ";
    for (unsigned i = 0; i < node->logic.count; i++) {
        const struct node *operand = node->logic.operand[i];
        rules_buffer_text(out, i ? word : "");
        /* OR, XOR and AND stand in this order of strength, weakest first. */
        bool weaker = operand->kind == NODE_OR || operand->kind == node->kind ||
                      (operand->kind == NODE_XOR && node->kind == NODE_AND);
        print_parenthesised(out, program, operand, is_joined(operand) && weaker);
    }
}

static void print_call(struct rules_buffer *out, const struct rules_program *program, const struct node *node)
{
    const struct function *function = node->call.function;
    rules_buffer_format(out, "%s(", function->name);
    for (unsigned i = 0; i < node->call.count; i++) {
        const struct node *arg = node->call.arg[i];
        rules_buffer_text(out, i ? ", " : "");
        if (arg->kind == NODE_LITERAL &&
            function->param[i < function->params ? i : function->params - 1u].regex)
            print_regex(out, arg->literal.bytes);
        else
            print_arg(out, program, arg);
    }
    rules_buffer_text(out, ")");
}

void print_node(struct rules_buffer *out, const struct rules_program *program, const struct node *node)
{
    switch (node->kind) {
    case NODE_FIELD: rules_buffer_text(out, program->scheme->field[node->field].name); break;
    case NODE_LITERAL: print_literal(out, &node->literal); break;
    case NODE_INDEX:
        print_node(out, program, node->index.base);
        for (unsigned i = 0; i < node->index.count; i++)
            print_index(out, &node->index.index[i]);
        break;
    case NODE_CALL: print_call(out, program, node); break;
    case NODE_TRUTH: print_node(out, program, node->logic.operand[0]); break;
    case NODE_COMPARE: print_compare(out, program, node); break;
    case NODE_NOT:
        rules_buffer_text(out, "not ");
        print_parenthesised(out, program, node->logic.operand[0], is_joined(node->logic.operand[0]));
        break;
    case NODE_ANY:
    case NODE_ALL:
        rules_buffer_text(out, node->kind == NODE_ANY ? "any(" : "all(");
        print_arg(out, program, node->logic.operand[0]);
        rules_buffer_text(out, ")");
        break;
    default: print_joined(out, program, node);
    }
}

static char *finish(struct rules_buffer *out, size_t *size)
{
    rules_buffer_add(out, "", 1);
    if (out->failed) {
        rules_buffer_free(out);
        return NULL;
    }
    if (size)
        *size = out->size - 1;
    return (char *)out->data;
}

char *rules_program_print(const struct rules_program *program, size_t *size)
{
    struct rules_buffer out = {0};
    print_node(&out, program, program->root);
    return finish(&out, size);
}

/* --- Explaining --- */

struct explain {
    const struct rules_program *program;
    struct run run;
    rules_explain_fn report;
    void *arg;
    bool failed;
};

static void explain(struct explain *e, const struct node *node, unsigned depth)
{
    struct rules_buffer out = {0};
    struct rules_value value;
    if (node->kind == NODE_LITERAL)
        return;
    print_node(&out, e->program, node);
    char *text = finish(&out, NULL);
    if (!text) {
        e->failed = true;
        return;
    }
    e->run.scratch->used = 0;
    eval_value(&e->run, node, &value);
    e->report(e->arg, depth, text, &value);
    free(text);
    switch (node->kind) {
    case NODE_FIELD: return;
    case NODE_INDEX: explain(e, node->index.base, depth + 1); return;
    case NODE_CALL:
        for (unsigned i = 0; i < node->call.count; i++)
            explain(e, node->call.arg[i], depth + 1);
        return;
    case NODE_COMPARE:
        explain(e, node->compare.left, depth + 1);
        if (node->compare.right)
            explain(e, node->compare.right, depth + 1);
        return;
    case NODE_TRUTH:
        /* It reads as its operand does: only what lies below that is new. */
        if (node->logic.operand[0]->kind != NODE_FIELD) {
            const struct node *inner = node->logic.operand[0];
            if (inner->kind == NODE_INDEX)
                explain(e, inner->index.base, depth + 1);
            for (unsigned i = 0; inner->kind == NODE_CALL && i < inner->call.count; i++)
                explain(e, inner->call.arg[i], depth + 1);
        }
        return;
    default:
        for (unsigned i = 0; i < node->logic.count; i++)
            explain(e, node->logic.operand[i], depth + 1);
    }
}

bool rules_explain(const struct rules_program *program, struct rules_context *context,
                   struct rules_scratch *scratch, rules_explain_fn report, void *arg)
{
    struct explain e = {.program = program, .run = {context, scratch}, .report = report, .arg = arg};
    scratch->overflow = false;
    explain(&e, program->root, 0);
    return !e.failed;
}
