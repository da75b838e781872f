/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mistakes as people see them: message, caret, suggestion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sidecar/rules/rules.h"

static void prints(const char *text, const char *expect)
{
    struct rules_env env = {.scheme = rules_scheme_standard()};
    struct rules_error error;
    char *out = NULL;
    size_t size = 0;
    struct rules_program *program = rules_compile(&env, text, strlen(text), &error);
    if (program)
        fail_msg("%s is no error", text);
    FILE *file = open_memstream(&out, &size);
    rules_error_print(&error, text, strlen(text), file);
    fclose(file);
    if (strcmp(out, expect) != 0)
        fail_msg("printed:\n%s\nnot:\n%s", out, expect);
    free(out);
}

static void test_carets(void **state)
{
    (void)state;
    prints("http.hots eq \"a\"", "1:1: UnknownIdentifier: there is no field or function \"http.hots\"\n"
                                 "  | http.hots eq \"a\"\n"
                                 "  | ^^^^^^^^^\n"
                                 "  = did you mean: http.host\n");
    prints("ssl and\n  http.host = \"a\"", "2:13: ExpectedName: expected a comparison operator, not \"=\"\n"
                                           "  |   http.host = \"a\"\n"
                                           "  |             ^\n"
                                           "  = did you mean: ==\n");
    prints("http.host eq \"\xc3\xa9\" and nope",
           "1:22: UnknownIdentifier: there is no field or function \"nope\"\n"
           "  | http.host eq \"\xc3\xa9\" and nope\n"
           "  |                      ^^^^\n");
    prints("(ssl or ssl", "1:1: ExpectedLiteral: this parenthesis is not closed\n"
                          "  | (ssl or ssl\n"
                          "  | ^\n");
    prints("ssl or", "1:7: ExpectedName: expected a field or a function, not the end of the expression\n"
                     "  | ssl or\n"
                     "  |       ^\n");
    prints("", "1:1: EOF: the expression is empty\n"
               "  | \n"
               "  | ^\n");
    prints("http.host eq\t\"a\"", "1:13: ExpectedName: a tab may not stand within an expression\n"
                                  "  | http.host eq \"a\"\n  |             ^\n");
}

/* What people write by mistake, and what they are told. */
static void test_words(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message, *suggestion;
    } cases[] = {
        {"http.host EQ \"a\"", "expected a comparison operator, not \"EQ\"", "eq"},
        {"http.host is \"a\"", "expected a comparison operator, not \"is\"", "eq"},
        {"http.host like \"a*\"", "expected a comparison operator", "wildcard"},
        {"http.host containss \"a\"", "expected a string", ""},
        {"http.host contians \"a\"", "expected a comparison operator", "contains"},
        {"http.host macthes \"a\"", "expected a comparison operator", "matches"},
        {"http.host not in {\"a\"}", "expected a comparison operator", "not x in { }"},
        {"http.host starts_with \"a\"", "expected a comparison operator", "starts_with(x, \"...\")"},
        {"http.host === \"a\"", "expected a string", ""},
        {"http.host == 'a'", "strings stand in double quotes", ""},
        {"http.host == a", "there is no field or function \"a\"", "\"a\""},
        {"http.host in {\"a\", \"b\"}", "separated by blanks", ""},
        {"http.host in \"a\"", "expected { or $", "in {\"a\"}"},
        {"ip.src in 10.0.0.0/8", "expected { or $", "in {10.0.0.0/8}"},
        {"ip.src == 10.0.0.0/8", "not an IP address but a network", "in {10.0.0.0/8}"},
        {"ip.src in {10.0.0.1/8}", "host bits set", "10.0.0.0/8"},
        {"ip.src in {10.1.2.3/12}", "host bits set", "10.0.0.0/12"},
        {"ssl AND ssl", "expected \"and\", \"or\", \"xor\" or the end, not \"AND\"", "and"},
        {"ssl == true", "expected \"and\", \"or\", \"xor\" or the end, not \"==\"", ""},
        {"ssl | ssl", "not \"|\"", "or"},
        {"false", "there is no field or function \"false\"", "not true"},
        {"TRUE", "there is no field or function", "true"},
        {"HTTP.HOST eq \"a\"", "there is no field or function", "http.host"},
        {"cert_verified", "there is no field or function", "cf.tls_client_auth.cert_verified"},
        {"cf.tls_client_auth.cert_verifed", "there is no field or function",
         "cf.tls_client_auth.cert_verified"},
        {"startswith(http.host, \"a\")", "there is no field or function", "starts_with"},
        {"lowercase(http.host) eq \"a\"", "there is no field or function", ""},
        {"http.request.headers eq \"a\"", "does not apply to Map(Array(Bytes))", ""},
        {"http.request.headers[\"a\"] eq \"a\"", "does not apply to Array(Bytes); take one element", ""},
        {"http.request.headers[\"a\"]", "is not a condition", ""},
        {"http.request.headers.names[*] eq \"a\"", "any(...) or all(...)", ""},
        {"any(http.request.headers.names[*] eq \"a\" or ssl)", "need parentheses of their own: any((...))",
         ""},
        {"any(starts_with(http.request.headers.names[*], \"a\")[*])", "leave out [*]", ""},
        {"http.host[0] eq \"a\"", "Bytes has no elements", ""},
        {"http.request.headers[0][0] eq \"a\"", "indexed by a quoted key or *", ""},
        {"http.host & 1", "\"&\" does not apply to Bytes", ""},
        {"http.host eq 1", "expected a string: ", ""},
        {"http.host eq \"a\nb", "no closing quote", ""},
        {"http.host eq \"\\n\"", "unknown escape", ""},
        {"ssl # comment", "no comments", ""},
        {"ssl // comment", "no comments", ""},
        {"ssl)", "this parenthesis closes none", ""},
        {"\"a\" == http.host", "a literal may not stand here", ""},
        {"lower(\"A\") eq \"a\"", "argument 1 of lower() must be a field or a function call, not a literal",
         ""},
        {"starts_with(http.host, http.host)", "argument 2 of starts_with() must be a literal", ""},
        {"starts_with(http.host)", "starts_with() needs 2 arguments", ""},
        {"lower(http.host, http.host) eq \"a\"", "lower() takes at most 1 argument", ""},
        {"len(ip.src) == 1", "argument 1 of len() must be Bytes or Array, not Ip", ""},
        {"http.host eq ip.src", "Bytes is compared with Ip", ""},
        {"http.host in $nope", "there is no list called $nope", ""},
        {"http.host in $Nope", "a list's name has the letters", ""},
        {"http.host matches \"(\"", "bad regular expression: ", ""},
        {"http.host wildcard \"**\"", "bad wildcard: two stars in a row", ""},
        {"cf.edge.server_port == 99999999999999999999", "does not fit in 64 bits", ""},
        {"cf.edge.server_port == 08", "is not a valid octal (it begins with 0) number", ""},
        {"http.response.code == 200", "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rules_env env = {.scheme = rules_scheme_standard(),
                                .phases = RULES_CONNECTION | RULES_REQUEST};
        struct rules_error error;
        struct rules_program *program = rules_compile(&env, cases[i].text, strlen(cases[i].text), &error);
        if (program)
            fail_msg("%s is no error", cases[i].text);
        if (!strstr(error.message, cases[i].message))
            fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].text, error.message, cases[i].message);
        if (strcmp(error.suggestion, cases[i].suggestion) != 0)
            fail_msg("%s: suggests \"%s\", not \"%s\"", cases[i].text, error.suggestion, cases[i].suggestion);
    }
}

static bool compiles(const char *text, size_t size, const struct rules_limits *limits,
                     struct rules_error *error)
{
    struct rules_env env = {.scheme = rules_scheme_standard(), .limits = limits};
    struct rules_program *program = rules_compile(&env, text, size, error);
    rules_free(program);
    return program;
}

static void test_nesting(void **state)
{
    (void)state;
    static const struct {
        const char *open, *middle, *close;
    } forms[] = {{"(", "ssl", ")"}, {"not ", "ssl", ""}, {"!", "ssl", ""}, {"lower(", "http.host", ")"}};
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        for (int depth = 127; depth <= 130; depth++) {
            char text[4096] = "";
            struct rules_error error;
            for (int i = 0; i < depth; i++)
                strcat(text, forms[f].open);
            strcat(text, forms[f].middle);
            for (int i = 0; i < depth; i++)
                strcat(text, forms[f].close);
            strcat(text, f == 3 ? " eq \"\"" : "");
            bool good = compiles(text, strlen(text), NULL, &error);
            if (good != (depth <= 128))
                fail_msg("%s x %d: %d", forms[f].open, depth, good);
            if (!good)
                assert_int_equal(error.kind, RULES_NESTING_LIMIT_EXCEEDED);
        }
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct rules_error error;
    char *text = malloc(9000);
    memset(text, ' ', 9000);
    memcpy(text + 2000, "ssl", 3);
    memcpy(text + 6090, "or ssl", 6);
    assert_true(compiles(text, 9000, NULL, &error)); /* 4096: blanks around do not count */
    memset(text + 6090, ' ', 10);
    memcpy(text + 6091, "or ssl", 6);
    assert_true(compiles(text, 9000, &(struct rules_limits){5000, 128, 64, 1 << 20}, &error));
    assert_false(compiles(text, 9000, NULL, &error));
    assert_int_equal(error.kind, RULES_TOO_LONG);
    /* Many operands do not nest. */
    size_t n = 0;
    for (int i = 0; i < 580; i++)
        n += (size_t)sprintf(text + n, "%sssl", i ? " or " : "");
    assert_true(compiles(text, n, NULL, &error));
    /* Many regexes. */
    n = 0;
    for (int i = 0; i < 65; i++)
        n += (size_t)sprintf(text + n, "%shttp.host~\"a\"", i ? " or " : "");
    assert_false(compiles(text, n, NULL, &error));
    assert_int_equal(error.kind, RULES_TOO_MANY);
    assert_true(compiles(text, n - 17, NULL, &error));
    /* Bytes that are not UTF-8, and zeros. */
    assert_false(compiles("http.host eq \"\xff\"", 16, NULL, &error));
    assert_int_equal(error.kind, RULES_INVALID_UTF8);
    assert_true(compiles("http.host eq \"\0\"", 16, NULL, &error));
    assert_false(compiles("ssl\0", 4, NULL, &error));
    assert_false(compiles("\xf4\x90\x80\x80", 4, NULL, &error));
    /* Unicode white space around is trimmed, within it is a mistake. */
    assert_true(compiles("\xe2\x80\x83\xc2\xa0ssl\xe3\x80\x80\xc2\x85\v\f", 15, NULL, &error));
    assert_false(compiles("ssl\xc2\xa0or ssl", 11, NULL, &error));
    free(text);
}

/* Hashes of raw strings: 255 are good, 256 are not. */
static void test_hashes(void **state)
{
    (void)state;
    struct rules_error error;
    for (int hashes = 254; hashes <= 257; hashes++) {
        char text[1024] = "http.host eq r";
        for (int i = 0; i < hashes; i++)
            strcat(text, "#");
        strcat(text, "\"a\"");
        for (int i = 0; i < hashes; i++)
            strcat(text, "#");
        bool good = compiles(text, strlen(text), NULL, &error);
        assert_int_equal(good, hashes <= 255);
        if (!good)
            assert_int_equal(error.kind, RULES_INVALID_RAW_STRING_HASH_COUNT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_carets), cmocka_unit_test(test_words),  cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_limits), cmocka_unit_test(test_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
