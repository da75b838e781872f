/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fields, calls, indexes and arguments (rules-language sections 7 and 11.1). */
#include <assert.h>
#include <string.h>

#include "sidecar/rules/internal.h"

/* --- Names --- */

static void consider(const char *word, size_t size, const char *name, unsigned *least, const char **best)
{
    size_t length = strlen(name);
    /* Each character that one has more costs one at least. */
    if ((length > size ? length - size : size - length) >= *least)
        return;
    unsigned distance = rules_distance(word, size, name, length);
    if (distance < *least) {
        *least = distance;
        *best = name;
    }
}

/* Whether NAME ends in "." and the word: a field without its prefix. */
static bool is_tail(const char *name, const char *word, size_t size)
{
    size_t length = strlen(name);
    return length > size && name[length - size - 1] == '.' && memcmp(name + length - size, word, size) == 0;
}

static void suggest_name(struct parser *p, const char *word, size_t size)
{
    unsigned least = size < 4 ? 2 : size < 12 ? 3 : 5;
    const char *best = NULL;
    const struct rules_scheme *scheme = p->env->scheme;
    char lower[80];
    size_t length = size < sizeof lower ? size : sizeof lower;
    for (size_t i = 0; i < length; i++)
        lower[i] = (char)(word[i] >= 'A' && word[i] <= 'Z' ? word[i] + 32 : word[i]);
    if (size == 5 && memcmp(lower, "false", 5) == 0) {
        parser_suggest(p, "not true");
        return;
    }
    for (size_t i = 0; i < scheme->count; i++)
        consider(lower, length, scheme->field[i].name, &least, &best);
    for (size_t i = 0; function_tables[i]; i++)
        for (const struct function *f = function_tables[i]; f->name; f++)
            consider(lower, length, f->name, &least, &best);
    for (size_t i = 0; !best && size >= 4 && i < scheme->count; i++)
        if (is_tail(scheme->field[i].name, word, size))
            best = scheme->field[i].name;
    if (best)
        parser_suggest(p, "%s", best);
}

static bool no_identifier(struct parser *p)
{
    static const char expected[] = "a field, a function, \"not\" or \"(\"";
    int c = p->at < p->end ? (unsigned char)p->text[p->at] : -1;
    if (c < 0)
        return parser_fail(p, p->end == p->start ? RULES_EOF : RULES_EXPECTED_NAME, p->at, 0,
                           p->end == p->start
                               ? "the expression is empty"
                               : "expected a field or a function, not the end of the expression");
    if (c == '"' || (c >= '0' && c <= '9'))
        return parser_fail(p, RULES_EXPECTED_NAME, p->at, 1, "a literal may not stand here: expected %s",
                           expected);
    size_t length = 1;
    while (p->at + length < p->end && ((unsigned char)p->text[p->at + length] & 0xc0) == 0x80)
        length++;
    return parser_fail(p, RULES_EXPECTED_NAME, p->at, length, "expected %s", expected);
}

/* --- Indexes --- */

static bool parse_index(struct parser *p, struct node *node, struct index *index)
{
    char type[RULES_TYPE_TEXT];
    size_t opened = p->at++;
    lex_space(p);
    size_t at = p->at;
    enum rules_layer layer = rules_type_layer(node->type), needs;
    rules_type_text(node->type, type, sizeof type);
    if (lex_take(p, "*")) {
        index->kind = INDEX_EACH;
        needs = layer;
    } else if (lex_peek(p, "\"")) {
        size_t bad;
        index->kind = INDEX_KEY;
        needs = RULES_MAP;
        if (!lex_string(p, false, &index->key))
            return false;
        if (!rules_utf8_valid(index->key.data, index->key.size, &bad))
            return parser_fail(p, RULES_INVALID_UTF8, at, p->at - at, "a key must be UTF-8");
    } else {
        int64_t number;
        index->kind = INDEX_NUMBER;
        needs = RULES_ARRAY;
        if (p->at < p->end && p->text[p->at] != '-' && rules_hex((unsigned char)p->text[p->at]) < 0)
            return parser_fail(p, RULES_EXPECTED_NAME, at, 1, "expected an index: a number, \"key\" or *");
        if (!lex_int(p, &number))
            return false;
        if (number < 0 || number > UINT32_MAX)
            return parser_fail(p, RULES_PARSE_INT, at, p->at - at, "an index is between 0 and 4294967295");
        index->number = (uint32_t)number;
    }
    lex_space(p);
    if (!lex_take(p, "]"))
        return parser_fail(p, RULES_EXPECTED_LITERAL, p->at, p->at < p->end, "expected \"]\"");
    if (layer == RULES_NO_LAYER)
        return parser_fail(p, RULES_INVALID_INDEX_ACCESS, opened, p->at - opened, "%s has no elements", type);
    if (needs != layer)
        return parser_fail(p, RULES_INVALID_INDEX_ACCESS, opened, p->at - opened, "%s is indexed by %s", type,
                           layer == RULES_MAP ? "a quoted key or *" : "a number or *");
    node->type = rules_type_inner(node->type);
    return true;
}

static bool parse_indexes(struct parser *p, struct node **value)
{
    if (!lex_peek(p, "["))
        return true;
    struct node *node = parse_node(p, NODE_INDEX, (*value)->type, (*value)->at, p->at);
    if (!node)
        return false;
    struct rules_buffer indexes = {0};
    bool ok = true;
    node->index.base = *value;
    node->phases = (*value)->phases;
    node->index.first_each = UINT32_MAX;
    while (ok && lex_peek(p, "[")) {
        struct index index = {0};
        ok = parse_index(p, node, &index);
        if (!ok)
            break;
        if (index.kind == INDEX_EACH && !node->each) {
            node->each = true;
            node->index.first_each = node->index.count;
        }
        rules_buffer_add(&indexes, &index, sizeof index);
        node->index.count++;
    }
    if (ok) {
        if (!node->each)
            node->index.first_each = node->index.count;
        node->length = (uint32_t)(p->at - node->at);
        node->index.index =
            indexes.failed ? NULL : rules_arena_copy(&p->program->arena, indexes.data, indexes.size);
        ok = node->index.index || parser_no_memory(p);
        *value = node;
    }
    rules_buffer_free(&indexes);
    return ok;
}

static bool parse_field(struct parser *p, unsigned number, size_t at, size_t size, struct node **node)
{
    const struct rules_field *field = &p->env->scheme->field[number];
    if (p->env->phases && field->phase & ~p->env->phases)
        return parser_fail(p, RULES_WRONG_PHASE, at, size, "%s is not known yet where this is evaluated",
                           field->name);
    *node = parse_node(p, NODE_FIELD, field->type, at, at + size);
    if (!*node)
        return false;
    (*node)->field = number;
    (*node)->phases = field->phase;
    p->program->fields[number / 64] |= (uint64_t)1 << number % 64;
    return true;
}

bool parse_value(struct parser *p, struct node **node)
{
    size_t at = p->at, size = lex_identifier(p, at);
    const char *word = p->text + at;
    if (size == 0)
        return no_identifier(p);
    if (at + size < p->end && word[size] == '.')
        return parser_fail(p, RULES_EXPECTED_NAME, at + size, 1,
                           "a name does not end in a dot, nor have two in a row");
    p->at += size;
    const struct function *function = function_find(word, size);
    int number = rules_scheme_find(p->env->scheme, word, size);
    if (number >= 0) {
        if (!parse_field(p, (unsigned)number, at, size, node))
            return false;
    } else if (function) {
        if (!parse_call(p, function, at, node))
            return false;
    } else {
        parser_set_error(p, RULES_UNKNOWN_IDENTIFIER, at, size, "there is no field or function \"%.*s\"",
                         (int)(size < 100 ? size : 100), word);
        suggest_name(p, word, size);
        return false;
    }
    return parse_indexes(p, node);
}

/* --- Arguments --- */

static bool literal_node(struct parser *p, size_t at, struct rules_value value, struct node **node)
{
    *node = parse_node(p, NODE_LITERAL, value.type, at, p->at);
    if (*node)
        (*node)->literal = value;
    return *node;
}

/* Whether the next three characters tell a name from a literal: a letter that is no hex digit among them. */
static bool surely_name(const struct parser *p)
{
    for (size_t i = p->at; i < p->end && i < p->at + 3; i++) {
        char c = p->text[i];
        if ((c >= 'g' && c <= 'z') || (c >= 'G' && c <= 'Z') || c == '_')
            return true;
        if (rules_hex((unsigned char)c) < 0)
            return false;
    }
    return false;
}

static bool parse_value_or_comparison(struct parser *p, struct node **node)
{
    struct node *value;
    if (!parse_value(p, &value))
        return false;
    if (value->type != RULES_BOOL && parse_comparison_starts(p))
        return parse_comparison(p, value, node);
    *node = value;
    return true;
}

bool parse_arg(struct parser *p, enum arg_want want, struct node **node)
{
    size_t at = p->at, size = lex_identifier(p, at);
    struct rules_value value = {.type = RULES_BYTES};
    if (lex_string_starts(p))
        return (want == ARG_REGEX ? lex_regex(p, &value.bytes) : lex_string(p, false, &value.bytes)) &&
               literal_node(p, at, value, node);
    if (parse_expression_starts(p))
        return parse_expression(p, node);
    if (surely_name(p) || rules_scheme_find(p->env->scheme, p->text + at, size) >= 0 ||
        function_find(p->text + at, size))
        return parse_value_or_comparison(p, node);
    if (lex_ip(p, &value.ip)) {
        value.type = RULES_IP;
        return literal_node(p, at, value, node);
    }
    p->at = at;
    if (lex_int(p, &value.integer)) {
        value.type = RULES_INT;
        return literal_node(p, at, value, node);
    }
    p->at = at;
    if (lex_string(p, true, &value.bytes)) {
        value.type = RULES_BYTES;
        return literal_node(p, at, value, node);
    }
    p->at = at;
    if (size > 0 && rules_hex((unsigned char)p->text[at]) >= 10)
        return parse_value(p, node);
    size_t length = 0;
    while (at + length < p->end && !strchr(" \r\n,)", p->text[at + length]))
        length++;
    if (length == 0)
        return parser_fail(p, RULES_EXPECTED_NAME, at, at < p->end, "expected an argument");
    return parser_fail(p, RULES_EXPECTED_NAME, at, length,
                       "\"%.*s\" is neither a field, a string nor a number", (int)(length < 64 ? length : 64),
                       p->text + at);
}

/* --- Calls --- */

static bool type_fits(uint16_t types, uint32_t type)
{
    switch (rules_type_layer(type)) {
    case RULES_ARRAY: return types & PARAM_ARRAY;
    case RULES_MAP: return types & PARAM_MAP;
    default: return types >> type & 1;
    }
}

static void types_text(uint16_t types, char *out, size_t size)
{
    static const struct {
        uint16_t type;
        const char *text;
    } texts[] = {{PARAM_BYTES, "Bytes"}, {PARAM_INT, "Int"},     {PARAM_IP, "Ip"},
                 {PARAM_BOOL, "Bool"},   {PARAM_ARRAY, "Array"}, {PARAM_MAP, "Map"}};
    size_t n = 0;
    out[0] = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (types & texts[i].type && n < size)
            n += (size_t)snprintf(out + n, size - n, "%s%s", n ? " or " : "", texts[i].text);
}

static bool check_arg(struct parser *p, const struct function *function, unsigned number,
                      const struct node *arg)
{
    const struct param *param = &function->param[number < function->params ? number : function->params - 1u];
    assert(arg);
    size_t length = arg->length;
    bool literal = arg->kind == NODE_LITERAL;
    char want[RULES_TYPE_TEXT], have[RULES_TYPE_TEXT];
    types_text(param->types, want, sizeof want);
    if (arg->each && number > 0)
        return parser_fail(p, RULES_INVALID_MAP_EACH_ACCESS, arg->at, length,
                           "[*] is possible in the first argument only");
    if (literal && !(param->kind & PARAM_LITERAL))
        return parser_fail(p, RULES_INVALID_ARGUMENT_KIND, arg->at, length,
                           "argument %u of %s() must be a field or a function call, not a literal",
                           number + 1, function->name);
    if (!literal && !(param->kind & PARAM_VALUE))
        return parser_fail(p, RULES_INVALID_ARGUMENT_KIND, arg->at, length,
                           "argument %u of %s() must be a literal", number + 1, function->name);
    if (!type_fits(param->types, arg->type))
        return parser_fail(p, RULES_INVALID_ARGUMENT_TYPE, arg->at, length,
                           "argument %u of %s() must be %s, not %s", number + 1, function->name, want,
                           rules_type_text(arg->type, have, sizeof have));
    return true;
}

static bool parse_arguments(struct parser *p, const struct function *function, size_t at, size_t opened,
                            struct rules_buffer *args)
{
    lex_space(p);
    for (unsigned number = 0; !lex_take(p, ")"); number++) {
        if (number > 0) {
            if (p->at == p->end)
                return parser_fail(p, RULES_EXPECTED_LITERAL, opened, 1, "this parenthesis is not closed");
            if (!lex_take(p, ","))
                return parser_fail(p, RULES_EXPECTED_LITERAL, p->at, 1, "expected \",\" or \")\"");
            lex_space(p);
        }
        if (number == function->most)
            return parser_fail(p, RULES_INVALID_ARGUMENTS_COUNT, at, p->at - at,
                               "%s() takes at most %u argument%s", function->name, function->most,
                               function->most == 1 ? "" : "s");
        const struct param *param =
            &function->param[number < function->params ? number : function->params - 1u];
        struct node *arg = NULL;
        if (!parse_arg(p, param->regex ? ARG_REGEX : ARG_ANY, &arg) || !check_arg(p, function, number, arg))
            return false;
        rules_buffer_add(args, &arg, sizeof arg);
        if (args->failed)
            return parser_no_memory(p);
        lex_space(p);
    }
    unsigned count = (unsigned)(args->size / sizeof(struct node *));
    if (count < function->required)
        return parser_fail(p, RULES_INVALID_ARGUMENTS_COUNT, at, p->at - at, "%s() needs %s%u argument%s",
                           function->name, function->most > function->required ? "at least " : "",
                           function->required, function->required == 1 ? "" : "s");
    return true;
}

bool parse_call(struct parser *p, const struct function *function, size_t at, struct node **node)
{
    lex_space(p);
    size_t opened = p->at;
    if (!lex_take(p, "("))
        return parser_fail(p, RULES_EXPECTED_LITERAL, p->at, p->at < p->end,
                           "expected \"(\" after the function %s", function->name);
    if (!parse_enter(p, at))
        return false;
    struct rules_buffer args = {0};
    struct node *call = NULL;
    bool ok = parse_arguments(p, function, at, opened, &args);
    if (ok)
        ok = (call = parse_node(p, NODE_CALL, function->result, at, p->at));
    if (ok) {
        call->call.function = function;
        call->call.count = (unsigned)(args.size / sizeof(struct node *));
        call->call.arg = rules_arena_copy(&p->program->arena, args.data, args.size);
        ok = call->call.arg || parser_no_memory(p);
    }
    rules_buffer_free(&args);
    if (!ok)
        return false;
    for (unsigned i = 0; i < call->call.count; i++)
        call->phases |= call->call.arg[i]->phases;
    if (function->check && !function->check(p, call))
        return false;
    if (call->call.count > 0 && call->call.arg[0]->each) {
        call->call.mapped = true;
        call->type = RULES_ARRAY_OF(call->type);
    }
    p->depth--;
    *node = call;
    return true;
}
