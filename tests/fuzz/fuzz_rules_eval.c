/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A line of `sidecar eval --jsonl`; whatever compiles is evaluated with much and with little memory, in
 * parts, and explained, and gives the same each time that nothing overflowed.
 */
#include <stdlib.h>
#include <string.h>

#include "sidecar/eval_jsonl.h"
#include "sidecar/rules/rules.h"
#include "sidecar/rules/value_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void see(void *arg, unsigned depth, const char *text, const struct rules_value *value)
{
    struct rules_buffer out = {0};
    bool *first = arg;
    rules_value_to_json(value, &out);
    if (depth == 0 && (!*first || !*text))
        abort();
    *first = false;
    rules_buffer_free(&out);
}

static void again(const char *text, size_t size, struct rules_context *context, struct rules_scratch *scratch)
{
    struct rules_env env = {.scheme = rules_scheme_standard()};
    struct rules_error error;
    struct rules_program *program = rules_compile(&env, text, size, &error);
    if (!program)
        return;
    bool result = rules_eval(program, context, scratch), first = true;
    bool whole = !scratch->overflow;
    enum rules_verdict verdict = rules_eval_partly(program, context, scratch, RULES_CONNECTION);
    if (whole && verdict != RULES_OPEN && (verdict == RULES_TRUE) != result)
        abort();
    rules_explain(program, context, scratch, see, &first);
    size_t room = scratch->size;
    for (scratch->size = 0; scratch->size < 2048; scratch->size += 96) {
        bool other = rules_eval(program, context, scratch);
        if (whole && !scratch->overflow && other != result)
            abort();
    }
    scratch->size = room;
    rules_free(program);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rules_context *context;
    static struct rules_scratch scratch;
    if (!context) {
        context = malloc(sizeof *context);
        if (!context || !rules_scratch_init(&scratch, 1 << 16))
            abort();
    }
    char *text = malloc(size ? size : 1);
    if (size)
        memcpy(text, data, size);
    struct rules_buffer out = {0};
    eval_jsonl_line(text, size, context, &scratch, &out);
    if (out.size < 3 || out.data[0] != '{' || out.data[out.size - 1] != '\n')
        abort();
    /* The answer is JSON itself. */
    struct json json;
    enum json_event event;
    json_start(&json, out.data, out.size);
    while ((event = json_next(&json)) != JSON_END)
        if (event == JSON_BAD)
            abort();
    /* The expression once more, on its own: what fields held is gone by now. */
    rules_context_init(context, rules_scheme_standard(), NULL, NULL);
    again(text, size, context, &scratch);
    rules_buffer_free(&out);
    free(text);
    return 0;
}
