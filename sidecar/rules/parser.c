/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expressions and comparisons (rules-language sections 3, 5, 6, 7), checked as they are read. */
#include <assert.h>
#include <string.h>

#include "sidecar/rules/internal.h"

static const struct op {
    const char *text;
    enum compare_op op;
} ops[] = {
    {"eq", CMP_EQ},
    {"==", CMP_EQ},
    {"ne", CMP_NE},
    {"!=", CMP_NE},
    {"ge", CMP_GE},
    {">=", CMP_GE},
    {"le", CMP_LE},
    {"<=", CMP_LE},
    {"gt", CMP_GT},
    {">", CMP_GT},
    {"lt", CMP_LT},
    {"<", CMP_LT},
    {"in", CMP_IN},
    {"&", CMP_BIT_AND},
    {"bitwise_and", CMP_BIT_AND},
    {"contains", CMP_CONTAINS},
    {"matches", CMP_MATCHES},
    {"~", CMP_MATCHES},
    {"wildcard", CMP_WILDCARD},
    {"strict wildcard", CMP_STRICT_WILDCARD},
};

enum { OPS = sizeof ops / sizeof *ops };

static const struct op *find_op(const struct parser *p)
{
    for (size_t i = 0; i < OPS; i++)
        if (lex_peek(p, ops[i].text))
            return &ops[i];
    return NULL;
}

struct node *parse_node(struct parser *p, enum node_kind kind, uint32_t type, size_t at, size_t end)
{
    struct node *node = rules_arena_take(&p->program->arena, sizeof *node);
    if (!node) {
        parser_set_no_memory(p);
        return NULL;
    }
    node->kind = (uint8_t)kind;
    node->type = type;
    node->at = (uint32_t)at;
    node->length = (uint32_t)(end - at);
    return node;
}

bool parse_enter(struct parser *p, size_t at)
{
    if (p->depth >= p->limits->nesting)
        return parser_fail(p, RULES_NESTING_LIMIT_EXCEEDED, at, 1, "nested more than %u levels deep",
                           p->limits->nesting);
    p->depth++;
    return true;
}

bool parse_comparison_starts(const struct parser *p)
{
    struct parser ahead = *p;
    lex_space(&ahead);
    return find_op(&ahead);
}

/* --- What was meant instead of an operator --- */

/* The word or the run of signs at AT. */
static size_t token_length(const struct parser *p, size_t at)
{
    size_t size = lex_identifier(p, at);
    if (size > 0)
        return size;
    while (at + size < p->end && strchr("=!<>&|^~", p->text[at + size]))
        size++;
    if (size == 0 && at < p->end)
        for (size = 1; at + size < p->end && ((unsigned char)p->text[at + size] & 0xc0) == 0x80;)
            size++;
    return size;
}

static const char *meant_op(const char *word, size_t size)
{
    static const char *const wrong[][2] = {
        {"=", "=="},
        {"===", "=="},
        {"is", "eq"},
        {"equals", "eq"},
        {"equal", "eq"},
        {"like", "wildcard"},
        {"<>", "!="},
        {"=~", "matches"},
        {"match", "matches"},
        {"regex", "matches"},
        {"has", "contains"},
        {"include", "contains"},
        {"not", "not x in { }"},
        {"notin", "not x in { }"},
        {"starts_with", "starts_with(x, \"...\")"},
        {"ends_with", "ends_with(x, \"...\")"},
        {"!in", "not x in { }"},
        {"|", "or"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (strlen(wrong[i][0]) == size && memcmp(wrong[i][0], word, size) == 0)
            return wrong[i][1];
    static const char *const logic[] = {"and", "or", "xor"};
    const char *best = NULL;
    unsigned least = size > 4 ? 3 : 2;
    char lower[16] = "";
    for (size_t i = 0; i < size && i < sizeof lower - 1; i++)
        lower[i] = (char)(word[i] >= 'A' && word[i] <= 'Z' ? word[i] + 32 : word[i]);
    for (size_t i = 0; i < OPS + sizeof logic / sizeof *logic; i++) {
        const char *op = i < OPS ? ops[i].text : logic[i - OPS];
        if (op[0] < 'a')
            continue;
        unsigned distance = rules_distance(lower, strlen(lower), op, strlen(op));
        if (distance < least && distance < strlen(op)) {
            least = distance;
            best = op;
        }
    }
    return best;
}

/* Says what is at AT where an operator should be. */
static bool fail_no_op(struct parser *p, enum rules_error_kind kind, const char *expected)
{
    size_t length = token_length(p, p->at);
    const char *word = p->text + p->at;
    if (p->at == p->end)
        return parser_fail(p, kind, p->at, 0, "expected %s, not the end of the expression", expected);
    if (*word == '#' || (*word == '/' && lex_peek(p, "//")))
        return parser_fail(p, kind, p->at, 1, "there are no comments in expressions");
    parser_set_error(p, kind, p->at, length, "expected %s, not \"%.*s\"", expected,
                     (int)(length < 40 ? length : 40), word);
    const char *meant = meant_op(word, length);
    if (meant)
        parser_suggest(p, "%s", meant);
    return false;
}

/* --- Comparisons --- */

static bool op_fits(enum compare_op op, uint32_t type)
{
    switch (op) {
    case CMP_CONTAINS:
    case CMP_MATCHES:
    case CMP_WILDCARD:
    case CMP_STRICT_WILDCARD: return type == RULES_BYTES;
    case CMP_BIT_AND: return type == RULES_INT;
    default: return type == RULES_BYTES || type == RULES_INT || type == RULES_IP;
    }
}

/* Section 14: whether the right side of an ordering is a field or a call. */
static bool right_is_value(const struct parser *p, uint32_t type)
{
    size_t size = lex_identifier(p, p->at);
    const char *word = p->text + p->at;
    if (size == 0 || lex_string_starts(p))
        return false;
    if (rules_scheme_find(p->env->scheme, word, size) >= 0 || function_find(word, size))
        return true;
    /* An unknown name is better reported as such than as a bad literal. */
    if (*word >= '0' && *word <= '9')
        return false;
    size_t hex = 0;
    while (p->at + hex < p->end && rules_hex((unsigned char)word[hex]) >= 0)
        hex++;
    char next = p->at + hex < p->end ? word[hex] : ' ';
    if (type == RULES_IP)
        return next != ':';
    return type == RULES_INT || hex != 2 || !strchr(":-.", next);
}

static bool right_value(struct parser *p, struct node *compare)
{
    struct node *right;
    size_t at = p->at;
    if (!parse_value(p, &right)) {
        if (p->error->kind == RULES_UNKNOWN_IDENTIFIER && !p->error->suggestion[0] &&
            compare->compare.left->type == RULES_BYTES)
            parser_suggest(p, "\"%.*s\"", (int)(p->error->length < 64 ? p->error->length : 64), p->text + at);
        return false;
    }
    char left_type[RULES_TYPE_TEXT], right_type[RULES_TYPE_TEXT];
    if (right->each)
        return parser_fail(p, RULES_INVALID_MAP_EACH_ACCESS, at, p->at - at,
                           "[*] is not possible on the right side");
    if (right->type != compare->compare.left->type)
        return parser_fail(p, RULES_TYPE_MISMATCH, at, p->at - at, "%s is compared with %s",
                           rules_type_text(compare->compare.left->type, left_type, sizeof left_type),
                           rules_type_text(right->type, right_type, sizeof right_type));
    compare->compare.right = right;
    compare->phases |= right->phases;
    return true;
}

static bool right_ordered(struct parser *p, struct node *compare)
{
    uint32_t type = compare->compare.left->type;
    struct rules_value *literal = &compare->compare.literal;
    if (right_is_value(p, type))
        return right_value(p, compare);
    literal->type = type;
    if (type == RULES_INT)
        return lex_int(p, &literal->integer);
    if (type == RULES_IP)
        return lex_ip(p, &literal->ip);
    return lex_string(p, true, &literal->bytes);
}

static bool right_list(struct parser *p, struct node *compare)
{
    size_t at = p->at++, size = 0;
    const char *name = p->text + p->at;
    while (p->at + size < p->end &&
           ((name[size] >= 'a' && name[size] <= 'z') || (name[size] >= '0' && name[size] <= '9') ||
            name[size] == '_' || name[size] == '.'))
        size++;
    if (size == 0 || name[0] == '.' || name[size - 1] == '.')
        return parser_fail(p, RULES_INVALID_LIST_NAME, at, size + 1,
                           "a list's name has the letters a-z 0-9 _ and dots within");
    p->at += size;
    const struct node *left = compare->compare.left;
    const struct node *base = left->kind == NODE_INDEX ? left->index.base : left;
    int field = base->kind == NODE_FIELD ? (int)base->field : -1;
    const struct rules_list *list =
        p->env->list ? p->env->list(p->env->list_arg, name, size, left->type, field) : NULL;
    if (!list)
        return parser_fail(p, RULES_UNKNOWN_LIST, at, size + 1, "there is no list called $%.*s",
                           (int)(size < 100 ? size : 100), name);
    char want[RULES_TYPE_TEXT], have[RULES_TYPE_TEXT];
    if (rules_list_type(list) != compare->compare.left->type)
        return parser_fail(p, RULES_TYPE_MISMATCH, at, size + 1,
                           "the list $%.*s holds %s, the left side is %s", (int)(size < 100 ? size : 100),
                           name, rules_type_text(rules_list_type(list), have, sizeof have),
                           rules_type_text(compare->compare.left->type, want, sizeof want));
    compare->op = CMP_IN_LIST;
    compare->compare.list.list = list;
    compare->compare.list.name.data = rules_arena_copy(&p->program->arena, name, size);
    compare->compare.list.name.size = size;
    return compare->compare.list.name.data || parser_no_memory(p);
}

static bool right_in(struct parser *p, struct node *compare)
{
    if (lex_peek(p, "{"))
        return lex_set(p, compare);
    if (lex_peek(p, "$"))
        return right_list(p, compare);
    parser_set_error(p, RULES_EXPECTED_LITERAL, p->at, p->at < p->end,
                     "expected { or $ of a list after \"in\"");
    size_t size = 0;
    while (p->at + size < p->end && !strchr(" \r\n)", p->text[p->at + size]))
        size++;
    if (size > 0 && size < 64)
        parser_suggest(p, "in {%.*s}", (int)size, p->text + p->at);
    return false;
}

static bool right_regex(struct parser *p, struct node *compare)
{
    size_t at = p->at;
    if (!lex_regex(p, &compare->compare.regex.pattern))
        return false;
    compare->compare.regex.regex = parse_regex(p, compare->compare.regex.pattern, at, p->at - at, false);
    return compare->compare.regex.regex;
}

static bool right_wildcard(struct parser *p, struct node *compare)
{
    size_t at = p->at, wrong_at;
    struct rules_value *literal = &compare->compare.literal;
    literal->type = RULES_BYTES;
    if (!lex_string(p, false, &literal->bytes))
        return false;
    struct wildcard *wildcard = rules_arena_take(&p->program->arena, sizeof *wildcard);
    if (!wildcard)
        return parser_no_memory(p);
    const char *wrong = wildcard_compile(&p->program->arena, literal->bytes.data, literal->bytes.size,
                                         compare->op == CMP_STRICT_WILDCARD, wildcard, &wrong_at);
    if (wrong && !*wrong)
        return parser_no_memory(p);
    if (wrong)
        return parser_fail(p, RULES_PARSE_WILDCARD, at, p->at - at, "bad wildcard: %s", wrong);
    compare->compare.wildcard = wildcard;
    return true;
}

static bool right_side(struct parser *p, struct node *compare)
{
    struct rules_value *literal = &compare->compare.literal;
    switch (compare->op) {
    case CMP_IN: return right_in(p, compare);
    case CMP_BIT_AND: literal->type = RULES_INT; return lex_int(p, &literal->integer);
    case CMP_CONTAINS: literal->type = RULES_BYTES; return lex_string(p, true, &literal->bytes);
    case CMP_MATCHES: return right_regex(p, compare);
    case CMP_WILDCARD:
    case CMP_STRICT_WILDCARD: return right_wildcard(p, compare);
    default: return right_ordered(p, compare);
    }
}

static bool as_truth(struct parser *p, struct node *value, struct node **node)
{
    uint32_t bools = RULES_ARRAY_OF(RULES_BOOL);
    struct node *truth =
        parse_node(p, NODE_TRUTH, value->each ? bools : value->type, value->at, value->at + value->length);
    if (!truth)
        return false;
    truth->logic.operand = rules_arena_copy(&p->program->arena, &value, sizeof value);
    truth->logic.count = 1;
    truth->phases = value->phases;
    *node = truth;
    return truth->logic.operand || parser_no_memory(p);
}

bool parse_comparison(struct parser *p, struct node *value, struct node **node)
{
    char type[RULES_TYPE_TEXT];
    if (value->type == RULES_BOOL || (value->type == RULES_ARRAY_OF(RULES_BOOL) && !value->each))
        return as_truth(p, value, node);
    lex_space(p);
    size_t at = p->at;
    const struct op *op = find_op(p);
    rules_type_text(value->type, type, sizeof type);
    if (!op) {
        if (rules_type_layer(value->type))
            return parser_fail(
                p, RULES_TYPE_MISMATCH, value->at, value->length,
                "%s is not a condition; take one element by an index, or each by any(...[*] ...)", type);
        return fail_no_op(p, RULES_EXPECTED_NAME, "a comparison operator");
    }
    p->at += strlen(op->text);
    if (!op_fits(op->op, value->type))
        return parser_fail(
            p, RULES_UNSUPPORTED_OP, at, strlen(op->text), "\"%s\" does not apply to %s%s", op->text, type,
            rules_type_layer(value->type) ? "; take one element by an index, or each by [*]" : "");
    struct node *compare =
        parse_node(p, NODE_COMPARE, value->each ? RULES_ARRAY_OF(RULES_BOOL) : RULES_BOOL, value->at, p->at);
    if (!compare)
        return false;
    compare->op = (uint8_t)op->op;
    compare->phases = value->phases;
    compare->compare.left = value;
    compare->compare.missing_is_unequal = p->env->missing_is_unequal;
    lex_space(p);
    if (!right_side(p, compare))
        return false;
    compare->length = (uint32_t)(p->at - value->at);
    *node = compare;
    return true;
}

/* --- Expressions --- */

/* any or all, if a parenthesis follows: it is a word of the language only then. */
static enum node_kind quantifier_ahead(const struct parser *p)
{
    struct parser ahead = *p;
    enum node_kind kind = lex_take(&ahead, "any")   ? NODE_ANY
                          : lex_take(&ahead, "all") ? NODE_ALL
                                                    : NODE_FIELD;
    lex_space(&ahead);
    return lex_peek(&ahead, "(") ? kind : NODE_FIELD;
}

bool parse_expression_starts(const struct parser *p)
{
    return lex_peek(p, "(") || lex_peek(p, "not") || lex_peek(p, "!") || quantifier_ahead(p) != NODE_FIELD;
}

static bool wrap(struct parser *p, enum node_kind kind, uint32_t type, size_t at, struct node *operand,
                 struct node **node)
{
    struct node *outer = parse_node(p, kind, type, at, p->at);
    if (!outer)
        return false;
    outer->logic.operand = rules_arena_copy(&p->program->arena, &operand, sizeof operand);
    outer->logic.count = 1;
    outer->phases = operand->phases;
    *node = outer;
    return outer->logic.operand || parser_no_memory(p);
}

static bool closing(struct parser *p, size_t opened)
{
    lex_space(p);
    if (lex_take(p, ")"))
        return true;
    if (p->at == p->end)
        return parser_fail(p, RULES_EXPECTED_LITERAL, opened, 1, "this parenthesis is not closed");
    return fail_no_op(p, RULES_EXPECTED_LITERAL, "an operator or \")\"");
}

static bool parse_quantifier(struct parser *p, enum node_kind kind, struct node **node)
{
    size_t at = p->at;
    p->at += 3;
    lex_space(p);
    size_t opened = p->at++;
    if (!parse_enter(p, at))
        return false;
    lex_space(p);
    struct node *arg;
    size_t arg_at = p->at;
    if (!parse_arg(p, ARG_ANY, &arg))
        return false;
    char type[RULES_TYPE_TEXT];
    if (arg->kind == NODE_LITERAL || arg->each || arg->type != RULES_ARRAY_OF(RULES_BOOL))
        return parser_fail(p, RULES_TYPE_MISMATCH, arg_at, p->at - arg_at,
                           arg->each && arg->type == RULES_BOOL
                               ? "%s() takes the Array(Bool) itself: leave out [*]%.0s"
                               : "%s() takes Array(Bool), as x[*] == \"a\" is; this is %s",
                           kind == NODE_ANY ? "any" : "all", rules_type_text(arg->type, type, sizeof type));
    lex_space(p);
    if (p->at < p->end && (lex_peek(p, "or") || lex_peek(p, "and") || lex_peek(p, "xor") ||
                           lex_peek(p, "||") || lex_peek(p, "&&") || lex_peek(p, "^^")))
        return parser_fail(p, RULES_EXPECTED_LITERAL, p->at, token_length(p, p->at),
                           "several conditions within %s() need parentheses of their own: %s((...))",
                           kind == NODE_ANY ? "any" : "all", kind == NODE_ANY ? "any" : "all");
    if (!closing(p, opened))
        return false;
    p->depth--;
    return wrap(p, kind, RULES_BOOL, at, arg, node);
}

static bool parse_not(struct parser *p, size_t at, struct node **node);

static bool parse_simple(struct parser *p, struct node **node)
{
    size_t at = p->at;
    if (lex_take(p, "(")) {
        if (!parse_enter(p, at))
            return false;
        lex_space(p);
        if (!parse_expression(p, node) || !closing(p, at))
            return false;
        p->depth--;
        return true;
    }
    if (lex_take(p, "not") || lex_take(p, "!"))
        return parse_not(p, at, node);
    enum node_kind quantifier = quantifier_ahead(p);
    if (quantifier != NODE_FIELD)
        return parse_quantifier(p, quantifier, node);
    struct node *value;
    return parse_value(p, &value) && parse_comparison(p, value, node);
}

static bool parse_not(struct parser *p, size_t at, struct node **node)
{
    struct node *operand = NULL;
    if (!parse_enter(p, at))
        return false;
    lex_space(p);
    if (!parse_simple(p, &operand))
        return false;
    assert(operand);
    p->depth--;
    return wrap(p, NODE_NOT, operand->type, at, operand, node);
}

static const struct {
    enum node_kind kind;
    const char *word, *sign;
} logic[] = {{NODE_OR, "or", "||"}, {NODE_XOR, "xor", "^^"}, {NODE_AND, "and", "&&"}};

enum { LOGICS = sizeof logic / sizeof *logic };

static bool add_operand(struct parser *p, unsigned level, struct node *first, struct node *node,
                        struct rules_buffer *operands)
{
    char a[RULES_TYPE_TEXT], b[RULES_TYPE_TEXT];
    if (node->type != first->type)
        return parser_fail(p, RULES_TYPE_MISMATCH, node->at, node->length,
                           "\"%s\" needs two conditions of one kind; left is %s, right %s", logic[level].word,
                           rules_type_text(first->type, a, sizeof a),
                           rules_type_text(node->type, b, sizeof b));
    rules_buffer_add(operands, &node, sizeof node);
    return !operands->failed || parser_no_memory(p);
}

static bool parse_level(struct parser *p, unsigned level, struct node **node)
{
    if (level == LOGICS)
        return parse_simple(p, node);
    if (!parse_level(p, level + 1, node))
        return false;
    struct node *first = *node;
    struct rules_buffer operands = {0};
    bool ok = true;
    size_t end = p->at;
    while (ok) {
        end = p->at;
        lex_space(p);
        if (!lex_take(p, logic[level].word) && !lex_take(p, logic[level].sign)) {
            p->at = end;
            break;
        }
        lex_space(p);
        if (operands.size == 0)
            rules_buffer_add(&operands, &first, sizeof first);
        struct node *next;
        ok = parse_level(p, level + 1, &next) && add_operand(p, level, first, next, &operands);
    }
    if (ok && operands.size > 0) {
        struct node *joined = parse_node(p, logic[level].kind, first->type, first->at, end);
        if (joined) {
            joined->logic.operand = rules_arena_copy(&p->program->arena, operands.data, operands.size);
            joined->logic.count = (unsigned)(operands.size / sizeof first);
            for (unsigned i = 0; joined->logic.operand && i < joined->logic.count; i++)
                joined->phases |= joined->logic.operand[i]->phases;
            ok = joined->logic.operand || parser_no_memory(p);
            *node = joined;
        } else {
            ok = false;
        }
    }
    rules_buffer_free(&operands);
    return ok;
}

bool parse_expression(struct parser *p, struct node **node)
{
    return parse_level(p, 0, node);
}

static bool at_end(struct parser *p)
{
    lex_space(p);
    if (p->at == p->end)
        return true;
    if (lex_peek(p, ")"))
        return parser_fail(p, RULES_EOF, p->at, 1, "this parenthesis closes none");
    return fail_no_op(p, RULES_EOF, "\"and\", \"or\", \"xor\" or the end");
}

bool parse_filter(struct parser *p, struct node **node)
{
    char type[RULES_TYPE_TEXT];
    if (!parse_expression(p, node) || !at_end(p))
        return false;
    if ((*node)->type != RULES_BOOL)
        return parser_fail(p, RULES_TYPE_MISMATCH, (*node)->at, (*node)->length,
                           "the expression gives %s; any(...) or all(...) makes one Bool of it",
                           rules_type_text((*node)->type, type, sizeof type));
    return true;
}

/* A literal, a value or a condition, up to the end. */
static bool parse_whole(struct parser *p, struct node **node)
{
    size_t start = p->at;
    if (!parse_arg(p, ARG_ANY, node))
        return false;
    lex_space(p);
    if (p->at < p->end && (*node)->kind != NODE_LITERAL) {
        p->at = start;
        p->regex_replaces = 0;
        return parse_filter(p, node);
    }
    return at_end(p);
}

bool parse_whole_value(struct parser *p, struct node **node)
{
    char type[RULES_TYPE_TEXT];
    if (!parse_whole(p, node))
        return false;
    if ((*node)->each || rules_type_layer((*node)->type))
        return parser_fail(p, RULES_TYPE_MISMATCH, (*node)->at, (*node)->length,
                           "expected one Bytes, Int, Ip or Bool; this is %s%s",
                           (*node)->each ? "each of several " : "",
                           rules_type_text((*node)->type, type, sizeof type));
    return true;
}

bool parse_whole_key(struct parser *p, struct node **node)
{
    char type[RULES_TYPE_TEXT];
    if (!parse_whole(p, node))
        return false;
    uint32_t element = (*node)->type;
    if (rules_type_layer(element) == RULES_ARRAY)
        element = rules_type_inner(element);
    if ((*node)->each || rules_type_layer(element))
        return parser_fail(p, RULES_TYPE_MISMATCH, (*node)->at, (*node)->length,
                           "expected a single value or an array of such; this is %s%s",
                           (*node)->each ? "each of several " : "",
                           rules_type_text((*node)->type, type, sizeof type));
    return true;
}
