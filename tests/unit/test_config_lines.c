/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The configuration's lines: where inih would have cut them, where each byte stands, how mistakes are
 * printed. */
#include "config_expect.h"

/* --- where inih would cut --- */

/* BASE and a rule whose expression is the rest. */
static char *with_expression(const char *expression)
{
    char *text = NULL;
    if (asprintf(&text, BASE "[rule r]\nexpression =%s\n", expression) < 0)
        fail();
    return text;
}

static void assert_expression(const char *written, const char *joined)
{
    char *text = with_expression(written);
    struct config *c = good(text);
    assert_string_equal(c->rule[0].expression.text, joined);
    assert_int_equal(c->rule[0].expression.length, strlen(joined));
    config_free(c);
    free(text);
}

/* inih as packaged reads 199 bytes of a line and drops, or takes for another line, what is beyond. */
static void test_inih_cuts_lines_at_200(void **state)
{
    (void)state;
    char words[3000] = "";
    for (size_t length = 150; length < 260; length++) {
        memset(words, 'a', length);
        words[length] = 0;
        char *text = NULL;
        assert_true(asprintf(&text, BASE "[rule r]\nexpression = %s\nbody = %s\n", words, words) > 0);
        struct config *c = good(text);
        assert_string_equal(c->rule[0].expression.text, words);
        assert_string_equal(c->rule[0].body, words);
        config_free(c);
        free(text);
    }
    /* Wherever the pieces end: at blanks, at what looks like a comment, in a character of three bytes. */
    char expression[3000], written[3010];
    for (size_t shift = 0; shift < 8; shift++) {
        size_t n = 0;
        memset(expression, 'x', shift);
        n = shift;
        while (n < 2500)
            n += (size_t)sprintf(expression + n, n % 3 ? "#;a  b" : "\u20ac#\t[=c]");
        sprintf(written, " %s", expression);
        assert_expression(written, expression);
        sprintf(written, "\n  %s", expression);
        assert_expression(written, expression);
    }
    /* Only where nothing but blanks goes on for a whole line there is no way. */
    memset(words, ' ', 500);
    memcpy(words, " ssl", 4);
    snprintf(words + 500, 20, "and ssl");
    char *text = with_expression(words);
    expect_bytes("blanks", text, strlen(text),
                 "8:16+1 the line is too long to be read: continue it on an indented line\n");
    free(text);
}

/* inih cuts the names of sections and keys to 49 bytes. */
static void test_inih_cuts_names_at_50(void **state)
{
    (void)state;
    char name[64], text[512];
    for (size_t length = 40; length < 60; length++) {
        memset(name, 'n', length);
        name[length] = 0;
        size_t section = length + strlen("rule "), key = length + strlen("request.");
        char wrong[128] = "";
        if (section > 49)
            sprintf(wrong, "7:2+%zu the section's name has %zu bytes; at most 49 are read\n", section,
                    section);
        sprintf(text, BASE "[rule %s]\nexpression = ssl\n", name);
        expect_bytes(name, text, strlen(text), wrong);
        wrong[0] = 0;
        if (key > 49)
            sprintf(wrong, "8:1+%zu the key has %zu bytes; at most 49 are read\n", key, key);
        sprintf(text, BASE "[headers]\nrequest.%s = ip.src\n", name);
        expect_bytes(name, text, strlen(text), wrong);
    }
    struct config *c = good(BASE "[headers]\nrequest.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa = ip.src\n");
    assert_int_equal(strlen(c->headers[0].request[0].name), 41);
    config_free(c);
}

/* inih takes ` ;` within a value for a comment. */
static void test_inih_cuts_values_at_semicolon(void **state)
{
    (void)state;
#define CUT                                                                                             \
    " \" ;\" would cut the value here: a comment stands on a line of its own; in an expression, write " \
    "\\x3b within "                                                                                     \
    "quotes\n"
    static const struct mistake cuts[] = {
        {"value", BASE "[sidecar]\nworkers = 1 ; one\n", "8:13+5" CUT},
        {"tab", BASE "[sidecar]\nworkers = 1\t;one\n", "8:13+4" CUT},
        {"first", BASE "[sidecar]\nworkers = ;1\n", "8:11+2" CUT},
        {"expression", BASE "[rule r]\nexpression = http.host eq \"a ;b\"\n", "8:30+3" CUT},
        {"continued", BASE "[rule r]\nexpression = ssl\n  and http.host eq \"a ;b\"\n", "9:23+3" CUT},
        {"without a blank", BASE "[rule r]\nexpression = http.host eq \"a;b\\x3b\"\n", NULL},
        {"without a blank, first", BASE "[rule r]\nexpression =;b\n", NULL},
    };
    for (size_t i = 0; i < COUNT(cuts); i++)
        expect(&cuts[i]);
    /* Also far behind the place where a long line is fed in pieces. */
    char words[900], wrong[300];
    memset(words, 'a', 600);
    words[0] = ' ';
    snprintf(words + 600, 20, " ;b");
    char *text = with_expression(words);
    sprintf(wrong, "8:%zu+2" CUT, strlen("expression =") + 602);
    expect_bytes("long", text, strlen(text), wrong);
    free(text);
}

/* inih takes a zero byte for the end of a line. */
static void test_inih_cuts_lines_at_zero(void **state)
{
    (void)state;
    static const char text[] = BASE "[rule r]\nexpression = ssl\0 and false\nbody = a\n\0\nstatus = 40\0\n";
    expect_bytes("zero", text, sizeof text - 1,
                 "8:17+1 the line holds a zero byte\n10:1+1 the line holds a zero byte\n"
                 "11:12+1 the line holds a zero byte\n");
}

/* inih takes any indented line for a continuation, also a section or a key, and a colon for an equals sign.
 */
static void test_inih_continues_indented_lines(void **state)
{
    (void)state;
    assert_expression(" a\n  b\n\tc", "a b c");
    assert_expression("\n  a\n\n  # no\n  ; nor this\n  b", "a b");
    assert_expression(" a  \n   b\t", "a b");
    assert_expression(" a\n  [x]", "a [x]");
    assert_expression(" a\n  status == 1", "a status == 1");
    assert_expression(" a:b\n  c:d", "a:b c:d");
    static const struct mistake slid[] = {
        {"section", BASE "[rule r]\nexpression = ssl\n  [sidecar]\nworkers = 0x\n",
         "9:3+9 a section starts at the first column\n10:11+2 workers is auto or a whole number, not "
         "\"0x\"\n"},
        {"key", BASE "[rule r]\nexpression = ssl\n  status = 9\n",
         "9:3+10 keys start at the first column: an indented line continues the value above it\n"
         "9:12+1 status is 400 to 599, not \"9\"\n"},
        {"named section", BASE "[rule r]\nexpression = ssl\n  [rule a]\nexpression = ssl\n",
         "9:3+8 a section starts at the first column\n"},
    };
    for (size_t i = 0; i < COUNT(slid); i++)
        expect(&slid[i]);
}

/* inih skips a byte order mark, but only for its first line. */
static void test_inih_byte_order_mark(void **state)
{
    (void)state;
    config_free(good(BOM BASE));
    config_free(good(BOM "\n" BASE));
    expect_bytes("second line", "\n" BOM BASE, strlen("\n" BOM BASE),
                 "0:0+1 [tls] names no credentials: it needs the key directory, or certificate, key and ca\n"
                 "2:1+8 expected \"key = value\" or \"[section]\"\n"
                 "3:1+9 the key stands before the first [section]\n");
}

/* --- places --- */

static void assert_place(const struct config_text *t, const char *word, unsigned line, unsigned column)
{
    const char *at = strstr(t->text, word);
    assert_non_null(at);
    struct config_place p = config_text_place(t, (size_t)(at - t->text));
    if (p.line != line || p.column != column)
        fail_msg("%s stands at %u:%u, not at %u:%u", word, p.line, p.column, line, column);
}

static void test_places(void **state)
{
    (void)state;
    char filler[400];
    memset(filler, 'f', sizeof filler - 1);
    filler[sizeof filler - 1] = 0;
    char *text = NULL;
    assert_true(asprintf(&text,
                         BASE "[rule r]\nexpression = one two\n\n   # not this\n\tthree\n  four %s five\n"
                              "[ratelimit l]\nexpression =\n  six\nrequests = 1\nperiod = 1s\n"
                              "characteristics = seven, http.request.headers[\"a,b\"],\n"
                              "  concat(eight, nine),r#\"ten\",\"#\n",
                         filler) > 0);
    struct config *c = good(text);
    const struct config_text *t = &c->rule[0].expression;
    assert_place(t, "one", 8, 14);
    assert_place(t, "two", 8, 18);
    assert_place(t, "three", 11, 2);
    assert_place(t, "four", 12, 3);
    assert_place(t, "five", 12, 408);
    /* The end of the text, and the blank that joins two lines: right behind the line. */
    struct config_place end = config_text_place(t, t->length);
    assert_int_equal(end.line, 12);
    assert_int_equal(end.column, 412);
    struct config_place joint = config_text_place(t, strlen("one two"));
    assert_int_equal(joint.line, 8);
    assert_int_equal(joint.column, 21);
    assert_place(&c->ratelimit[0].expression, "six", 15, 3);
    const struct config_texts *list = &c->ratelimit[0].characteristics;
    assert_int_equal(list->count, 4);
    assert_string_equal(list->item[1].text, "http.request.headers[\"a,b\"]");
    assert_place(&list->item[1], "headers", 18, 39);
    assert_string_equal(list->item[2].text, "concat(eight, nine)");
    assert_place(&list->item[2], "nine", 19, 17);
    assert_string_equal(list->item[3].text, "r#\"ten\",\"#");
    struct config_text none = {0};
    assert_int_equal(config_text_place(&none, 0).line, 0);
    config_free(c);
    free(text);
}

/* What another room finds wrong later is quoted and sorted in like the loader's own. */
static void test_report_of_others(void **state)
{
    (void)state;
    struct config_report r;
    const char *text = BASE "proxy_from = ::1\n[rule r]\nexpression = ssl and\n  x.y\n";
    struct config *c = config_parse("t.ini", text, strlen(text), &r);
    assert_non_null(c);
    assert_int_equal(r.count, 1);
    struct config_place at = config_text_place(&c->rule[0].expression, 8);
    config_report_add(&r, CONFIG_ERROR, at, 3, "x.z", "there is no field %s", "x.y");
    config_report_add(&r, CONFIG_WARNING, c->rule[0].place, 8, NULL, "odd");
    assert_int_equal(r.errors, 1);
    char *out = printed(&r);
    assert_string_equal(out,
                        "t.ini:7:14: warning: proxy_from has no effect without proxy_protocol = require\n"
                        "    7 | proxy_from = ::1\n"
                        "      |              ^^^\n"
                        "t.ini:8:1: warning: odd\n"
                        "    8 | [rule r]\n"
                        "      | ^^^^^^^^\n"
                        "t.ini:10:3: error: there is no field x.y\n"
                        "   10 |   x.y\n"
                        "      |   ^^^\n"
                        "      = did you mean \"x.z\"?\n");
    free(out);
    config_free(c);
    config_report_clear(&r);
}

/* --- printing --- */

static void assert_printed(const char *text, size_t length, const char *expected)
{
    struct config_report r;
    struct config *c = config_parse("t.ini", text, length, &r);
    char *out = printed(&r);
    assert_string_equal(out, expected);
    free(out);
    config_free(c);
    config_report_clear(&r);
}

static void test_print(void **state)
{
    (void)state;
#define PRINTED(text, expected) assert_printed(text, strlen(text), expected)
    PRINTED(BASE "lisen = x\n", "t.ini:7:1: error: there is no key lisen in [inbound web]\n"
                                "    7 | lisen = x\n"
                                "      | ^^^^^\n"
                                "      = did you mean \"listen\"?\n");
    /* Carets keep below what they mean behind tabs, wide letters, and at the end of a line. */
    PRINTED(BASE "[headers]\nforward =\t xfcc,\t\u20ac\u20ac , x\n",
            "t.ini:8:18: error: forward is cloudflare, xfcc or rfc9440, not \"\u20ac\u20ac\"\n"
            "    8 | forward =\t xfcc,\t\u20ac\u20ac , x\n"
            "      |          \t      \t^^\n"
            "t.ini:8:27: error: forward is cloudflare, xfcc or rfc9440, not \"x\"\n"
            "    8 | forward =\t xfcc,\t\u20ac\u20ac , x\n"
            "      |          \t      \t     ^\n");
    PRINTED(BASE "[sidecar\r\n", "t.ini:7:9: error: the section's name is not closed by \"]\"\n"
                                 "    7 | [sidecar\n"
                                 "      |         ^\n");
    /* Nothing that a terminal would obey. */
    PRINTED(BASE "[rule \x1b[31m\xc2\x9b\xff]\n", "t.ini:7:7: error: the line holds a control character\n"
                                                  "    7 | [rule ?[31m???]\n"
                                                  "      |       ^\n");
    PRINTED("", "t.ini: error: there is neither an [inbound NAME] nor an [outbound NAME]\n");
}

static void test_print_long_line(void **state)
{
    (void)state;
    char text[2000] = BASE "alpn = ", expected[1000], *p = text + strlen(text);
    memset(p, 'a', 500);
    memcpy(p + 500, ",,", 2);
    memset(p + 502, 'b', 500);
    p[1002] = 0;
    char as[81], bs[81];
    memset(as, 'a', sizeof as);
    memset(bs, 'b', sizeof bs);
    as[79] = bs[79] = 0;
    sprintf(expected,
            "t.ini:7:509: error: nothing stands before this comma\n"
            "    7 | ... %s,,%s ...\n"
            "      |     %80s^\n",
            as, bs, "");
    assert_printed(text, strlen(text), expected);
}

static void test_report_is_bounded(void **state)
{
    (void)state;
    char *text = malloc(CONFIG_FILE_MAX + 1), *p = text;
    p += sprintf(p, BASE);
    for (int i = 0; i < 20000; i++)
        p += sprintf(p, "lisen%d = 1\n", i);
    struct config_report r;
    assert_null(config_parse("t.ini", text, (size_t)(p - text), &r));
    assert_int_equal(r.count, CONFIG_PROBLEMS_MAX);
    assert_int_equal(r.errors, 20000);
    char *out = printed(&r);
    assert_non_null(strstr(out, "\nt.ini: error: and 19500 more\n"));
    free(out);
    config_report_clear(&r);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inih_cuts_lines_at_200),
        cmocka_unit_test(test_inih_cuts_names_at_50),
        cmocka_unit_test(test_inih_cuts_values_at_semicolon),
        cmocka_unit_test(test_inih_cuts_lines_at_zero),
        cmocka_unit_test(test_inih_continues_indented_lines),
        cmocka_unit_test(test_inih_byte_order_mark),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_report_of_others),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_print_long_line),
        cmocka_unit_test(test_report_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
