/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rule language by its specification: vectors from data/rules/NAME.txt. Lines there:
 *
 *   context JSON        the fields from here on; those left out have their absent values
 *   T EXPR, F EXPR      compiles, and is true or false
 *   E KIND COLUMN EXPR  is an error of this kind at this column; "-": any kind, 0: any column
 *   V EXPR => JSON      a value expression and what it gives
 *   # ...               nothing
 *
 * In EXPR, a tab is written <TAB>, a newline <LF>, a carriage return <CR>.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "rules_scheme.h"

struct fixture {
    struct test_scheme scheme;
    struct rules_context context;
    struct rules_scratch scratch;
    struct rules_arena arena;
    struct rules_list *list[8];
    size_t vectors, failed;
    const char *file;
    unsigned line;
    bool missing_is_unequal;
};

static const struct {
    const char *name;
    enum rules_list_kind kind;
    const char *text;
} test_lists[] = {
    {"words", RULES_LIST_STRINGS, "alpha\nbeta gamma\n# comment\n\n  delta  \n"},
    {"numbers", RULES_LIST_INTEGERS, "1\n5..9\n0x10\n-3"},
    {"nets", RULES_LIST_IPS, "10.0.0.0/8\n192.0.2.1 # one\n2001:db8::/32\n198.51.100.5..198.51.100.9"},
    {"prints", RULES_LIST_FINGERPRINTS,
     "AF:36:3D:C8:5B:C9:42:A8:92:D3:CE:E9:79:61:90:FD:B3:6D:89:CD:58:8A:4F:1C:B1:7C:74:A9:43:43:97:14\n"
     "0x933ad5282c560ae3f482a43ecd73bc9de878a190"},
    {"serials", RULES_LIST_SERIALS, "0x01\n52:7e:0f:20\n00FF00\n-0A"},
    {"cf.open_proxies", RULES_LIST_IPS, "203.0.113.7"},
};

static const struct rules_list *find_list(void *arg, const char *name, size_t size, uint32_t type, int field)
{
    struct fixture *f = arg;
    (void)type;
    (void)field;
    for (size_t i = 0; i < sizeof test_lists / sizeof *test_lists; i++)
        if (strlen(test_lists[i].name) == size && memcmp(test_lists[i].name, name, size) == 0)
            return f->list[i];
    return NULL;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    test_scheme_init(&f->scheme);
    rules_context_init(&f->context, &f->scheme.scheme, NULL, NULL);
    assert_true(rules_scratch_init(&f->scratch, RULES_SCRATCH_DEFAULT));
    for (size_t i = 0; i < sizeof test_lists / sizeof *test_lists; i++) {
        size_t line;
        f->list[i] = rules_list_new(test_lists[i].kind);
        assert_null(rules_list_add_lines(f->list[i], test_lists[i].text, strlen(test_lists[i].text), &line));
        assert_true(rules_list_finish(f->list[i]));
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof test_lists / sizeof *test_lists; i++)
        rules_list_free(f->list[i]);
    rules_scratch_clear(&f->scratch);
    rules_arena_free(&f->arena);
    free(f);
    return 0;
}

static void wrong(struct fixture *f, const char *text, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void wrong(struct fixture *f, const char *text, const char *format, ...)
{
    va_list args;
    f->failed++;
    fprintf(stderr, "%s:%u: ", f->file, f->line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n    %s\n", text);
}

static struct rules_env env_of(struct fixture *f)
{
    return (struct rules_env){.scheme = &f->scheme.scheme,
                              .list = find_list,
                              .list_arg = f,
                              .missing_is_unequal = f->missing_is_unequal};
}

/* What is printed compiles again and prints the same. */
static void check_print(struct fixture *f, const struct rules_program *program, const char *text, bool expect)
{
    struct rules_env env = env_of(f);
    struct rules_error error;
    size_t size;
    char *printed = rules_program_print(program, &size);
    assert_non_null(printed);
    struct rules_limits limits = rules_limits_default;
    limits.text = 1 << 20;
    env.limits = &limits;
    struct rules_program *again = rules_compile(&env, printed, size, &error);
    if (!again) {
        wrong(f, text, "printed as %s, which is an error: %s at %zu", printed, error.message, error.offset);
    } else {
        char *twice = rules_program_print(again, NULL);
        if (strcmp(twice, printed) != 0)
            wrong(f, text, "printed as %s, then as %s", printed, twice);
        if (rules_eval(again, &f->context, &f->scratch) != expect)
            wrong(f, text, "printed as %s it gives another result", printed);
        free(twice);
    }
    rules_free(again);
    free(printed);
}

static void check_result(struct fixture *f, const char *text, bool expect)
{
    struct rules_env env = env_of(f);
    struct rules_error error;
    struct rules_program *program = rules_compile(&env, text, strlen(text), &error);
    if (!program) {
        wrong(f, text, "%s: %s at column %u", rules_error_kind_name(error.kind), error.message, error.column);
        return;
    }
    if (rules_eval(program, &f->context, &f->scratch) != expect)
        wrong(f, text, "is %s", expect ? "false" : "true");
    if (f->scratch.overflow)
        wrong(f, text, "overflow");
    if (rules_eval_partly(program, &f->context, &f->scratch, 0xff) != (expect ? RULES_TRUE : RULES_FALSE))
        wrong(f, text, "is something else evaluated partly");
    check_print(f, program, text, expect);
    rules_free(program);
}

static void check_error(struct fixture *f, const char *kind, unsigned column, const char *text)
{
    struct rules_env env = env_of(f);
    struct rules_error error;
    struct rules_program *program = rules_compile(&env, text, strlen(text), &error);
    if (program) {
        wrong(f, text, "is no error");
        rules_free(program);
        return;
    }
    if (strcmp(kind, "-") != 0 && strcmp(kind, rules_error_kind_name(error.kind)) != 0)
        wrong(f, text, "is %s (%s), not %s", rules_error_kind_name(error.kind), error.message, kind);
    if (column && error.column != column)
        wrong(f, text, "is at column %u, not %u", error.column, column);
    if (!error.message[0] || error.offset + error.length > strlen(text))
        wrong(f, text, "has no message, or a span beyond the text");
}

static void check_value(struct fixture *f, char *text)
{
    struct rules_env env = env_of(f);
    struct rules_error error;
    char *arrow = strstr(text, " => ");
    if (!arrow) {
        wrong(f, text, "has no =>");
        return;
    }
    *arrow = 0;
    struct rules_program *program = rules_compile_value(&env, text, strlen(text), &error);
    if (!program) {
        wrong(f, text, "%s: %s at column %u", rules_error_kind_name(error.kind), error.message, error.column);
        return;
    }
    struct rules_value value;
    struct rules_buffer out = {0};
    rules_eval_value(program, &f->context, &f->scratch, &value);
    if (!rules_missing(&value) && value.type != rules_program_type(program))
        wrong(f, text, "gives another type than it says");
    rules_value_to_json(&value, &out);
    rules_buffer_add(&out, "", 1);
    if (strcmp((char *)out.data, arrow + 4) != 0)
        wrong(f, text, "gives %s, not %s", out.data, arrow + 4);
    rules_buffer_free(&out);
    rules_free(program);
}

static void unescape(char *text)
{
    static const struct {
        const char *word;
        char c;
    } words[] = {{"<TAB>", '\t'}, {"<LF>", '\n'}, {"<CR>", '\r'}};
    for (size_t i = 0; i < 3; i++) {
        char *found;
        while ((found = strstr(text, words[i].word))) {
            size_t length = strlen(words[i].word);
            *found = words[i].c;
            memmove(found + 1, found + length, strlen(found + length) + 1);
        }
    }
}

static void check_line(struct fixture *f, char *line)
{
    if (!*line || *line == '#')
        return;
    if (strncmp(line, "context ", 8) == 0) {
        rules_context_reset(&f->context, 0xff);
        const char *bad = test_context_set(&f->context, &f->arena, line + 8, strlen(line + 8));
        if (bad)
            wrong(f, line, "%s", bad);
        return;
    }
    f->vectors++;
    unescape(line);
    if (line[0] == 'E') {
        char kind[40];
        unsigned column;
        int n = 0;
        if (sscanf(line, "E %39s %u%n", kind, &column, &n) != 2)
            wrong(f, line, "is no vector");
        else
            check_error(f, kind, column, line + n + (line[n] == ' '));
    } else if (line[0] == 'V') {
        check_value(f, line + 2);
    } else if (line[0] == 'T' || line[0] == 'F') {
        check_result(f, line + 2, line[0] == 'T');
    } else {
        wrong(f, line, "is no vector");
    }
}

static void run_file(void **state, const char *name, size_t least)
{
    struct fixture *f = *state;
    char path[256], *line = NULL;
    size_t room = 0;
    ssize_t size;
    snprintf(path, sizeof path, "tests/unit/data/rules/%s.txt", name);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    f->file = path;
    f->line = 0;
    f->vectors = f->failed = 0;
    rules_context_reset(&f->context, 0xff);
    while ((size = getline(&line, &room, in)) >= 0) {
        f->line++;
        if (size > 0 && line[size - 1] == '\n')
            line[size - 1] = 0;
        check_line(f, line);
    }
    free(line);
    fclose(in);
    if (f->failed)
        fail_msg("%zu of %zu vectors of %s fail", f->failed, f->vectors, path);
    assert_true(f->vectors >= least);
}

#define FILE_TEST(name, least)            \
    static void test_##name(void **state) \
    {                                     \
        run_file(state, #name, least);    \
    }

FILE_TEST(lexical, 60)
FILE_TEST(literals, 120)
FILE_TEST(operators, 100)
FILE_TEST(logic, 40)
FILE_TEST(indexing, 80)
FILE_TEST(missing, 60)
FILE_TEST(wildcards, 40)
FILE_TEST(functions, 150)
FILE_TEST(errors, 60)
FILE_TEST(certificates, 30)
FILE_TEST(regexes, 60)

static void test_missing_is_unequal(void **state)
{
    struct fixture *f = *state;
    f->file = "missing_is_unequal";
    f->missing_is_unequal = true;
    rules_context_reset(&f->context, 0xff);
    f->failed = 0;
    check_result(f, "ma[\"x\"][0] ne \"a\"", true);
    check_result(f, "ma[\"x\"][0] eq \"a\"", false);
    check_result(f, "addr != 10.0.0.1", true);
    check_result(f, "any(ma[\"x\"][*] ne \"a\")", false);
    check_result(f, "lower(ma[\"x\"][0]) != s", true);
    check_result(f, "s != ma[\"x\"][0]", true);
    f->missing_is_unequal = false;
    assert_int_equal(f->failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lexical),   cmocka_unit_test(test_literals),
        cmocka_unit_test(test_operators), cmocka_unit_test(test_logic),
        cmocka_unit_test(test_indexing),  cmocka_unit_test(test_missing),
        cmocka_unit_test(test_wildcards), cmocka_unit_test(test_functions),
        cmocka_unit_test(test_errors),    cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_regexes),   cmocka_unit_test(test_missing_is_unequal),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
