/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/eval_jsonl.h"

#include <stdlib.h>
#include <string.h>

#include "sidecar/rules/list.h"
#include "sidecar/rules/value_json.h"

enum { LINE_MAX_BYTES = 64 * 1024 * 1024, LISTS_MAX = 32 };

/* One line: its three members as readers that stand before their values. */
struct line {
    struct rules_context *context;
    struct rules_arena arena;
    struct json expression, fields, lists;
    bool has_expression, has_fields, has_lists;
    struct rules_list *list[LISTS_MAX]; /* those that the expression uses */
    size_t list_count;
    const char *list_problem;
};

static void put_error(struct rules_buffer *out, const char *kind, unsigned line, unsigned column,
                      const char *message, const char *suggestion)
{
    rules_buffer_format(out, "{\"error\": \"%s\", \"line\": %u, \"column\": %u, \"message\": ", kind, line,
                        column);
    rules_json_string(message, strlen(message), out);
    if (suggestion && *suggestion) {
        rules_buffer_text(out, ", \"suggestion\": ");
        rules_json_string(suggestion, strlen(suggestion), out);
    }
    rules_buffer_text(out, "}\n");
}

void eval_jsonl_error(struct rules_buffer *out, const struct rules_error *error)
{
    put_error(out, rules_error_kind_name(error->kind), error->line, error->column, error->message,
              error->suggestion);
}

/* A mistake in the line itself, not in its expression. */
static void put_line_error(struct rules_buffer *out, const char *kind, const struct json *json,
                           const char *message)
{
    put_error(out, kind, 1, (unsigned)json_offset(json) + 1, message, NULL);
}

static bool is_key(const struct json *json, const char *name)
{
    return json->size == strlen(name) && memcmp(json->text, name, json->size) == 0;
}

/* Finds the members; on a mistake, JSON says where. */
static const char *split_line(struct line *l, struct json *json)
{
    if (json_next(json) != JSON_OBJECT)
        return json->error ? json->error : "expected an object";
    for (;;) {
        enum json_event event = json_next(json);
        if (event == JSON_OBJECT_END)
            break;
        if (event != JSON_KEY)
            return json->error;
        struct json at = *json;
        if (is_key(json, "expression")) {
            l->expression = at;
            l->has_expression = true;
        } else if (is_key(json, "fields")) {
            l->fields = at;
            l->has_fields = true;
        } else if (is_key(json, "lists")) {
            l->lists = at;
            l->has_lists = true;
        }
        if (!json_skip(json, json_next(json)))
            return json->error;
    }
    if (json_next(json) != JSON_END)
        return json->error;
    return l->has_expression ? NULL : "there is no \"expression\"";
}

static const char *set_fields(struct line *l)
{
    struct json *json = &l->fields;
    if (json_next(json) != JSON_OBJECT)
        return "\"fields\" must be an object";
    while (json_next(json) == JSON_KEY) {
        const struct rules_scheme *scheme = l->context->scheme;
        int field = json->escaped ? -1 : rules_scheme_find(scheme, (const char *)json->text, json->size);
        if (field < 0 || !scheme->field[field].phase)
            return "there is no such field";
        struct rules_value value;
        const char *wrong =
            rules_value_from_json(json, json_next(json), scheme->field[field].type, &l->arena, &value);
        if (wrong)
            return wrong;
        rules_context_set(l->context, (unsigned)field, &value);
    }
    return NULL;
}

/* Makes the list from its members: those of one list have one type. */
static struct rules_list *read_list(struct line *l, struct json *json, uint32_t type)
{
    struct rules_list *list = rules_list_new(type == RULES_INT  ? RULES_LIST_INTEGERS
                                             : type == RULES_IP ? RULES_LIST_IPS
                                                                : RULES_LIST_STRINGS);
    if (!list)
        return NULL;
    const char *wrong = json_next(json) == JSON_ARRAY ? NULL : "a list must be an array";
    enum json_event event;
    while (!wrong && (event = json_next(json)) != JSON_ARRAY_END) {
        struct rules_bytes member = {json->text, json->size};
        if (event == JSON_NUMBER)
            wrong = type == RULES_INT ? NULL : "the list has a number among its members";
        else if (type == RULES_INT)
            wrong = "the list has a member that is no number";
        else
            wrong = rules_bytes_from_json(json, event, &l->arena, &member);
        if (!wrong)
            wrong = rules_list_add(list, (const char *)member.data, member.size);
    }
    if (!wrong && rules_list_finish(list))
        return list;
    l->list_problem = wrong ? wrong : "out of memory";
    rules_list_free(list);
    return NULL;
}

static const struct rules_list *find_list(void *arg, const char *name, size_t size, uint32_t type, int field)
{
    struct line *l = arg;
    (void)field;
    struct json json = l->lists;
    if (!l->has_lists || l->list_count == LISTS_MAX || json_next(&json) != JSON_OBJECT)
        return NULL;
    while (json_next(&json) == JSON_KEY) {
        if (!json.escaped && json.size == size && memcmp(json.text, name, size) == 0) {
            struct rules_list *list = read_list(l, &json, type);
            if (list)
                l->list[l->list_count++] = list;
            return list;
        }
        if (!json_skip(&json, json_next(&json)))
            return NULL;
    }
    return NULL;
}

static void evaluate(struct line *l, struct rules_scratch *scratch, struct rules_buffer *out)
{
    struct rules_env env = {.scheme = l->context->scheme, .list = find_list, .list_arg = l};
    struct rules_error error;
    struct rules_bytes text;
    const char *wrong = rules_bytes_from_json(&l->expression, json_next(&l->expression), &l->arena, &text);
    if (wrong) {
        put_line_error(out, "Json", &l->expression, wrong);
        return;
    }
    struct rules_program *program = rules_compile(&env, (const char *)text.data, text.size, &error);
    if (!program && l->list_problem)
        put_error(out, "InvalidList", error.line, error.column, l->list_problem, NULL);
    else if (!program)
        eval_jsonl_error(out, &error);
    else
        rules_buffer_text(out, rules_eval(program, l->context, scratch) ? "{\"result\": true}\n"
                                                                        : "{\"result\": false}\n");
    rules_free(program);
}

void eval_jsonl_line(const char *text, size_t size, struct rules_context *context,
                     struct rules_scratch *scratch, struct rules_buffer *out)
{
    struct line l = {.context = context};
    struct json json;
    json_start(&json, text, size);
    rules_context_init(context, rules_scheme_standard(), NULL, NULL);
    const char *wrong = split_line(&l, &json);
    if (wrong) {
        put_line_error(out, "Json", &json, wrong);
    } else if (l.has_fields && (wrong = set_fields(&l))) {
        put_line_error(out, "InvalidField", &l.fields, wrong);
    } else {
        evaluate(&l, scratch, out);
    }
    for (size_t i = 0; i < l.list_count; i++)
        rules_list_free(l.list[i]);
    rules_arena_free(&l.arena);
}

int eval_jsonl(FILE *in, FILE *out, struct rules_context *context, struct rules_scratch *scratch)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    struct rules_buffer answer = {0};
    int status = 0;
    while (status == 0 && (size = getline(&line, &room, in)) >= 0) {
        if (size > 0 && line[size - 1] == '\n')
            size--;
        answer.size = 0;
        if (size > LINE_MAX_BYTES)
            put_error(&answer, "Json", 1, 1, "the line is too long", NULL);
        else
            eval_jsonl_line(line, (size_t)size, context, scratch, &answer);
        /* Whoever waits for the answer before sending the next line gets it. */
        if (answer.failed || fwrite(answer.data, 1, answer.size, out) != answer.size || fflush(out) != 0)
            status = 1;
    }
    if (ferror(in))
        status = 1;
    free(line);
    rules_buffer_free(&answer);
    return status;
}
