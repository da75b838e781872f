/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sidecar eval --jsonl` line by line, and the reader of JSON beneath it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sidecar/eval_jsonl.h"
#include "sidecar/rules/json.h"
#include "sidecar/rules/value_json.h"

static void answers(const char *line, const char *expect)
{
    struct rules_context *context = malloc(sizeof *context);
    struct rules_scratch scratch;
    struct rules_buffer out = {0};
    assert_true(rules_scratch_init(&scratch, RULES_SCRATCH_DEFAULT));
    eval_jsonl_line(line, strlen(line), context, &scratch, &out);
    rules_buffer_add(&out, "", 1);
    if (strncmp((char *)out.data, expect, strlen(expect)) != 0)
        fail_msg("%s\n  gives %s\n  not   %s", line, out.data, expect);
    assert_int_equal(out.data[out.size - 2], '\n');
    rules_buffer_free(&out);
    rules_scratch_clear(&scratch);
    free(context);
}

static void test_results(void **state)
{
    (void)state;
    answers("{\"expression\": \"true\"}", "{\"result\": true}\n");
    answers("{\"expression\": \"not true\", \"fields\": {}, \"lists\": {}}", "{\"result\": false}\n");
    answers("{\"fields\": {\"http.host\": \"a\"}, \"expression\": \"http.host eq \\\"a\\\"\"}",
            "{\"result\": true}\n");
    answers(
        "{\"expression\": \"http.host eq \\\"\\\\xff\\\"\", \"fields\": {\"http.host\": {\"$hex\": \"FF\"}}}",
        "{\"result\": true}\n");
    answers("{\"expression\": \"ip.src in {10.0.0.0/8}\", \"fields\": {\"ip.src\": \"10.1.2.3\"}}",
            "{\"result\": true}\n");
    answers("{\"expression\": \"http.host ne \\\"a\\\"\", \"fields\": {\"http.host\": null}}",
            "{\"result\": false}\n");
    answers("{\"expression\": \"http.host ne \\\"a\\\"\"}", "{\"result\": true}\n");
    answers("{\"expression\": \"http.request.uri.path eq \\\"/\\\"\"}", "{\"result\": true}\n");
    answers("{\"expression\": \"cf.edge.server_port == 443\", \"fields\": {\"cf.edge.server_port\": 443}}",
            "{\"result\": true}\n");
    answers("{\"expression\": \"any(http.request.headers[\\\"a\\\"][*] eq \\\"2\\\")\", \"fields\": "
            "{\"http.request.headers\": {\"b\": [], \"a\": [\"1\", {\"$hex\": \"32\"}]}}}",
            "{\"result\": true}\n");
    answers("{\"expression\": \"len(http.request.headers.names) == 2\", \"fields\": "
            "{\"http.request.headers.names\": [\"x\", null, \"y\"]}}",
            "{\"result\": true}\n");
    answers("{\"expression\": \"http.host in $a\", \"fields\": {\"http.host\": \"x\"}, \"lists\": {\"a\": "
            "[\"x\"]}}",
            "{\"result\": true}\n");
    answers("{\"expression\": \"cf.edge.server_port in $a\", \"fields\": {\"cf.edge.server_port\": 5}, "
            "\"lists\": "
            "{\"a\": [1, 5]}}",
            "{\"result\": true}\n");
    answers("{\"expression\": \"ip.src in $a.b\", \"fields\": {\"ip.src\": \"::1\"}, \"lists\": {\"a.b\": "
            "[\"10.0.0.0/8\", \"::/64\"]}}",
            "{\"result\": true}\n");
    answers("{\"expression\": \"http.host in $a\", \"lists\": {\"a\": []}, \"unknown\": [1, {\"x\": []}]}",
            "{\"result\": false}\n");
}

static void test_errors(void **state)
{
    (void)state;
    answers("{\"expression\": \"http.hots eq \\\"a\\\"\"}",
            "{\"error\": \"UnknownIdentifier\", \"line\": 1, \"column\": 1, \"message\": "
            "\"there is no field or function \\\"http.hots\\\"\", \"suggestion\": \"http.host\"}\n");
    answers("{\"expression\": \"ssl and\\n  ssl ==\"}", "{\"error\": \"EOF\", \"line\": 2, \"column\": 7, ");
    answers("{\"expression\": \"\"}", "{\"error\": \"EOF\", \"line\": 1, \"column\": 1, ");
    answers("{\"expression\": \"http.host in $a\"}",
            "{\"error\": \"UnknownList\", \"line\": 1, \"column\": 14, ");
    answers("{\"expression\": \"http.host in $a\", \"lists\": {\"a\": [1]}}",
            "{\"error\": \"InvalidList\", ");
    answers("{\"expression\": \"ip.src in $a\", \"lists\": {\"a\": [\"x\"]}}",
            "{\"error\": \"InvalidList\", ");
    answers("{\"expression\": \"cf.edge.server_port in $a\", \"lists\": {\"a\": [\"1\"]}}",
            "{\"error\": \"InvalidList\", ");
    answers("{\"expression\": \"http.host in $a\", \"lists\": {\"a\": \"x\"}}",
            "{\"error\": \"InvalidList\", ");
    answers("{\"expression\": \"ssl\", \"fields\": {\"nope\": 1}}", "{\"error\": \"InvalidField\", ");
    answers("{\"expression\": \"ssl\", \"fields\": {\"true\": false}}", "{\"error\": \"InvalidField\", ");
    answers("{\"expression\": \"ssl\", \"fields\": {\"ssl\": 1}}", "{\"error\": \"InvalidField\", ");
    answers("{\"expression\": \"ssl\", \"fields\": {\"ip.src\": \"1.2.3\"}}",
            "{\"error\": \"InvalidField\", ");
    answers("{\"expression\": \"ssl\", \"fields\": {\"cf.edge.server_port\": 1.5}}",
            "{\"error\": \"InvalidField\", ");
    answers("{\"expression\": \"ssl\", \"fields\": {\"cf.edge.server_port\": \"1\"}}",
            "{\"error\": \"InvalidField\", ");
    answers("{\"expression\": \"ssl\", \"fields\": {\"http.host\": [\"a\"]}}",
            "{\"error\": \"InvalidField\", ");
    answers("{\"expression\": \"ssl\", \"fields\": {\"http.host\": {\"$hex\": \"f\"}}}",
            "{\"error\": \"InvalidField\", ");
    answers("{\"expression\": \"ssl\", \"fields\": {\"http.host\": {\"$hex\": \"zz\"}}}",
            "{\"error\": \"InvalidField\", ");
    answers("{\"expression\": \"ssl\", \"fields\": {\"http.host\": {\"hex\": \"00\"}}}",
            "{\"error\": \"InvalidField\", ");
    answers("{\"expression\": \"ssl\", \"fields\": []}", "{\"error\": \"InvalidField\", ");
    answers("{\"fields\": {}}", "{\"error\": \"Json\", ");
    answers("{\"expression\": 1}", "{\"error\": \"Json\", ");
    answers("", "{\"error\": \"Json\", ");
    answers("[]", "{\"error\": \"Json\", ");
    answers("{\"expression\": \"ssl\"", "{\"error\": \"Json\", ");
    answers("{\"expression\": \"ssl\"} x", "{\"error\": \"Json\", ");
    answers("{\"expression\": \"ssl\",}", "{\"error\": \"Json\", ");
    answers("{\"expression\": \"\\ud800\"}", "{\"error\": \"Json\", ");
    answers("{\"expression\": \"\xff\"}", "{\"error\": \"Json\", ");
}

static bool valid(const char *text)
{
    struct json json;
    enum json_event event;
    json_start(&json, text, strlen(text));
    while ((event = json_next(&json)) != JSON_END)
        if (event == JSON_BAD)
            return false;
    return true;
}

static void test_json(void **state)
{
    (void)state;
    static const char *const good[] = {"1",
                                       "-0",
                                       "0.5",
                                       "1e5",
                                       "1E+5",
                                       "-1.5e-3",
                                       "\"\"",
                                       "\"a\\u0041\\n\"",
                                       "true",
                                       "false",
                                       "null",
                                       "[]",
                                       "{}",
                                       " [ 1 , [ ] , { } ] ",
                                       "{\"a\":{\"b\":[1,2,{\"c\":null}]}}",
                                       "\"\\ud83d\\ude00\"",
                                       "\t\r\n1\n"};
    static const char *const bad[] = {"",
                                      " ",
                                      "01",
                                      "1.",
                                      ".5",
                                      "1e",
                                      "+1",
                                      "-",
                                      "1 2",
                                      "tru",
                                      "nul",
                                      "True",
                                      "[1,]",
                                      "[,1]",
                                      "[1 2]",
                                      "[",
                                      "]",
                                      "{",
                                      "}",
                                      "{1:2}",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{\"a\":1,}",
                                      "{\"a\" 1}",
                                      "{\"a\":1 \"b\":2}",
                                      "[}",
                                      "{]",
                                      "\"",
                                      "\"\\x\"",
                                      "\"\\u12\"",
                                      "\"\\ud83d\"",
                                      "\"\\ude00\"",
                                      "\"\\ud83d\\u0041\"",
                                      "\"\n\"",
                                      "\"\xc3\"",
                                      "'a'",
                                      "[1]]",
                                      "{\"a\":1}}",
                                      "NaN",
                                      "1e5.5",
                                      "\"a\"b",
                                      "[1,,2]",
                                      "{\"a\":1,,\"b\":2}"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!valid(good[i]))
            fail_msg("good: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (valid(bad[i]))
            fail_msg("bad: %s", bad[i]);
    char deep[2 * JSON_DEPTH_MAX + 8];
    for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(deep, '[', depth);
        memset(deep + depth, ']', depth);
        deep[2 * depth] = 0;
        assert_int_equal(valid(deep), depth == JSON_DEPTH_MAX);
    }
}

static void test_escape(void **state)
{
    (void)state;
    struct rules_buffer out = {0};
    rules_json_string("a\"\\\n\x01\x7f\xff\xc3\xa9z", 10, &out);
    rules_buffer_add(&out, "", 1);
    assert_string_equal((char *)out.data, "\"a\\\"\\\\\\n\\u0001\\u007f\\ufffd\xc3\xa9z\"");
    assert_true(valid((char *)out.data));
    rules_buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_escape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
