/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any text: it compiles, and then prints and compiles to the same again; or it is a mistake with a place in
 * it. */
#include <stdlib.h>
#include <string.h>

#include "sidecar/rules/list.h"
#include "sidecar/rules/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct rules_list *find_list(void *arg, const char *name, size_t size, uint32_t type, int field)
{
    struct rules_list **lists = arg;
    (void)field;
    if (size != 1 || *name != 'l')
        return NULL;
    return lists[type == RULES_INT ? 0 : type == RULES_IP ? 1 : 2];
}

static void ignore(void *arg, size_t offset, size_t length, const char *message)
{
    const size_t *size = arg;
    if (offset + length > *size || !*message)
        abort();
}

static void check_error(const struct rules_error *error, size_t size)
{
    if (error->kind == RULES_OK || !error->message[0] || !error->line || !error->column ||
        error->offset + error->length > size)
        abort();
    if (strlen(rules_error_kind_name(error->kind)) < 3)
        abort();
}

static void check_program(const struct rules_env *env, const struct rules_program *program, size_t size)
{
    struct rules_error error;
    struct rules_env wide = *env;
    struct rules_limits limits = *env->limits;
    size_t printed_size, again_size;
    limits.text = 1 << 20;
    wide.limits = &limits;
    rules_program_warn(program, ignore, &size);
    if (!rules_program_implies(program, program))
        abort();
    char *printed = rules_program_print(program, &printed_size);
    struct rules_program *again = rules_compile(&wide, printed, printed_size, &error);
    if (!again)
        abort();
    char *twice = rules_program_print(again, &again_size);
    if (printed_size != again_size || memcmp(printed, twice, again_size) != 0)
        abort();
    rules_free(again);
    free(printed);
    free(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct rules_limits limits = {
        .text = 4096, .nesting = 128, .regexes = 8, .regex_memory = 1 << 16};
    static const enum rules_list_kind kinds[] = {RULES_LIST_INTEGERS, RULES_LIST_IPS, RULES_LIST_STRINGS};
    struct rules_list *lists[3];
    for (int i = 0; i < 3; i++) {
        lists[i] = rules_list_new(kinds[i]);
        if (rules_list_add(lists[i], i == 1 ? "::1" : "1", i == 1 ? 3 : 1) || !rules_list_finish(lists[i]))
            abort();
    }
    struct rules_env env = {
        .scheme = rules_scheme_standard(), .limits = &limits, .list = find_list, .list_arg = lists};
    struct rules_error error;
    /* Exactly as long as it is, so that a read beyond its end is seen. */
    char *text = malloc(size ? size : 1);
    if (size)
        memcpy(text, data, size);
    struct rules_program *program = rules_compile(&env, text, size, &error);
    if (program)
        check_program(&env, program, size);
    else
        check_error(&error, size);
    rules_free(program);
    program = rules_compile_value(&env, text, size, &error);
    if (!program)
        check_error(&error, size);
    rules_free(program);
    program = rules_compile_key(&env, text, size, &error);
    if (!program)
        check_error(&error, size);
    rules_free(program);
    for (int i = 0; i < 3; i++)
        rules_list_free(lists[i]);
    free(text);
    return 0;
}
