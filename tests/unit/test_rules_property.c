/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random expressions: the same result as a second evaluator, printed and parsed again, evaluated in parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rules_reference.h"

enum { EXPRESSIONS = 30000, CONTEXTS = 2 };

static bool get(void *arg, unsigned field, struct rules_value *value)
{
    const struct ref *r = arg;
    *value = r->field[field];
    return true;
}

struct state {
    struct test_scheme scheme;
    struct ref ref;
    struct ref_text text;
    struct rules_context context;
    struct rules_scratch scratch;
};

static int setup(void **state)
{
    struct state *s = calloc(1, sizeof *s);
    assert_non_null(s);
    test_scheme_init(&s->scheme);
    s->ref.scheme = &s->scheme.scheme;
    s->ref.random = 20260101;
    rules_context_init(&s->context, s->ref.scheme, get, &s->ref);
    assert_true(rules_scratch_init(&s->scratch, 1 << 20));
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct state *s = *state;
    rules_scratch_clear(&s->scratch);
    free(s);
    return 0;
}

static struct rules_program *compile(struct state *s, const char *text, size_t size)
{
    static const struct rules_limits limits = {
        .text = 1 << 20, .nesting = 128, .regexes = 64, .regex_memory = 1 << 20};
    struct rules_env env = {.scheme = s->ref.scheme, .limits = &limits};
    struct rules_error error;
    struct rules_program *program = rules_compile(&env, text, size, &error);
    if (!program)
        fail_msg("%s\n%s at %zu: %s", text, rules_error_kind_name(error.kind), error.offset, error.message);
    return program;
}

static void check(struct state *s, const struct rules_program *program, const struct ref_node *node)
{
    size_t mark = s->ref.used;
    for (size_t i = 0; i < s->ref.scheme->count; i++)
        s->ref.field[i] = ref_value(&s->ref, s->ref.scheme->field[i].type, true);
    rules_context_reset(&s->context, 0xff);
    bool expect = ref_bool(&s->ref, node);
    bool result = rules_eval(program, &s->context, &s->scratch);
    if (s->scratch.overflow || result != expect)
        fail_msg("%s\ngives %d, not %d", s->text.text, result, expect);
    /* By the facts of the connection alone it is the same or open. */
    enum rules_verdict verdict = rules_eval_partly(program, &s->context, &s->scratch, RULES_CONNECTION);
    if (verdict != RULES_OPEN && (verdict == RULES_TRUE) != expect)
        fail_msg("%s\nis decided wrongly by the connection", s->text.text);
    s->ref.used = mark;
}

static void test_reference(void **state)
{
    struct state *s = *state;
    size_t hits = 0;
    for (unsigned i = 0; i < EXPRESSIONS; i++) {
        s->ref.used = 0;
        s->text.size = 0;
        const struct ref_node *node = ref_make_bool(&s->ref, 1 + (int)(i % 5));
        ref_put_node(&s->ref, &s->text, node, 0);
        struct rules_program *program = compile(s, s->text.text, s->text.size);
        for (unsigned k = 0; k < CONTEXTS; k++)
            check(s, program, node);
        hits += rules_eval(program, &s->context, &s->scratch);
        size_t size, size2;
        char *printed = rules_program_print(program, &size);
        assert_non_null(printed);
        struct rules_program *again = compile(s, printed, size);
        char *twice = rules_program_print(again, &size2);
        if (size != size2 || memcmp(printed, twice, size) != 0)
            fail_msg("%s\nis printed as %s\nand then as %s", s->text.text, printed, twice);
        check(s, again, node);
        free(printed);
        free(twice);
        rules_free(again);
        rules_free(program);
    }
    /* The test means something only if both results are usual. */
    assert_in_range(hits, EXPRESSIONS / 4, EXPRESSIONS * 3 / 4);
}

/* Any change of one byte of a valid text gives a program or an error with a place within the text. */
static void test_damaged(void **state)
{
    struct state *s = *state;
    for (unsigned i = 0; i < EXPRESSIONS / 3; i++) {
        s->ref.used = 0;
        s->text.size = 0;
        ref_put_node(&s->ref, &s->text, ref_make_bool(&s->ref, 3), 0);
        size_t at = ref_random(&s->ref, (unsigned)s->text.size);
        unsigned how = ref_random(&s->ref, 3);
        if (how == 0)
            s->text.text[at] = (char)ref_random(&s->ref, 256);
        else if (how == 1)
            s->text.size = at;
        else
            memmove(s->text.text + at, s->text.text + at + 1, s->text.size-- - at);
        struct rules_env env = {.scheme = s->ref.scheme};
        struct rules_error error;
        struct rules_program *program = rules_compile(&env, s->text.text, s->text.size, &error);
        if (program) {
            rules_eval(program, &s->context, &s->scratch);
        } else {
            assert_true(error.kind != RULES_OK && error.message[0] && error.line >= 1 && error.column >= 1);
            assert_true(error.offset + error.length <= s->text.size);
        }
        rules_free(program);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reference, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
