/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The frames of `sidecar top`, the text on them, and the tree of JSON beneath. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/top_text.h"
#include "sidecar/top_view.h"

static const char *put(const char *text, size_t cells, bool right)
{
    static char shown[512];
    struct rules_buffer out = {0};
    top_text_put(&out, text, cells, right);
    assert_true(out.size < sizeof shown);
    memcpy(shown, out.data ? (const void *)out.data : "", out.size);
    shown[out.size] = '\0';
    rules_buffer_free(&out);
    return shown;
}

static void test_text(void **state)
{
    (void)state;
    assert_string_equal(put("abc", 5, false), "abc  ");
    assert_string_equal(put("abc", 5, true), "  abc");
    assert_string_equal(put("abcdef", 4, false), "abc…");
    assert_string_equal(put("abcdef", 4, true), "abc…");
    assert_string_equal(put("abcd", 4, false), "abcd");
    assert_string_equal(put("abc", 1, false), "…");
    assert_string_equal(put("abc", 0, false), "");
    assert_string_equal(put("", 3, false), "   ");
    /* Wide characters take two cells, combining ones none; neither is cut in two. */
    assert_int_equal(top_text_cells("日本"), 4);
    assert_string_equal(put("日本語", 4, false), "日… ");
    assert_string_equal(put("日本語", 5, false), "日本…");
    assert_int_equal(top_text_cells("e\u0301a"), 2);
    assert_string_equal(put("Zürich", 6, false), "Zürich");
}

static void test_escapes(void **state)
{
    (void)state;
    assert_string_equal(put("a\x1b[31mb", 10, false), "a\\x1b[31mb");
    assert_string_equal(put("a\x1b[31mb", 4, false), "a…  "); /* an escape is shown whole or not at all */
    assert_string_equal(put("\x07\x7f\n", 12, false), "\\x07\\x7f\\x0a");
    assert_string_equal(put("\xc2\x9b"
                            "31m",
                            8, false),
                        "\\x9b31m ");                                 /* C1, as UTF-8 */
    assert_string_equal(put("\u202egnp", 11, false), "\\u{202e}gnp"); /* turns text around */
    assert_string_equal(put("\xff\xc3", 8, false), "\\xff\\xc3");     /* no UTF-8 */
    assert_string_equal(put("\xc0\x80\xe0\x80\x80", 20, false), "\\xc0\\x80\\xe0\\x80\\x80");
    assert_string_equal(put("\xed\xa0\x80", 12, false), "\\u{d800}    "); /* a surrogate */
}

static void test_amounts(void **state)
{
    static const struct {
        double n;
        const char *number, *bytes, *span;
    } cases[] = {{0, "0", "0 B", "0 s"},
                 {0.25, "0.2", "0 B", "0 s"},
                 {9.96, "10.0", "10 B", "9 s"},
                 {999, "999", "999 B", "16 min"},
                 {12345, "12,345", "12 kB", "3 h"},
                 {99999, "99,999", "100 kB", "27 h"},
                 {999999, "1.0 M", "1.0 MB", "11 d"},
                 {5242880, "5.2 M", "5.2 MB", "60 d"},
                 {123456789, "123 M", "123 MB", "3.9 y"},
                 {-5, "0", "0 B", "-5 s"},
                 {1e300, "999999 G", "999999 PB", "99999.0 y"}};
    char text[TOP_AMOUNT];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        top_text_number(cases[i].n, text);
        assert_string_equal(text, cases[i].number);
        top_text_bytes(cases[i].n, text);
        assert_string_equal(text, cases[i].bytes);
        top_text_span(cases[i].n, text);
        assert_string_equal(text, cases[i].span);
    }
}

static const struct json_node *tree(struct rules_arena *arena, const char *text)
{
    const char *error = "";
    const struct json_node *node = json_tree(arena, text, strlen(text), &error);
    if (node == NULL)
        fail_msg("%s: %s", error, text);
    return node;
}

static void test_tree(void **state)
{
    struct rules_arena arena = {0};
    const char *error = "";
    const struct json_node *n = tree(
        &arena, "{\"a\": [1, -2.5e1, \"x\\u00e9\\\"\", true, null, {}], \"b\": {\"c\": \"d\"}, \"a\": 7}");
    (void)state;
    const struct json_node *item = json_items_of(n, "a");
    assert_true(item->number == 1);
    item = item->next;
    assert_true(item->number == -25);
    item = item->next;
    assert_string_equal(item->text, "xé\"");
    assert_int_equal(item->next->kind, JSON_TRUE);
    assert_int_equal(item->next->next->kind, JSON_NULL);
    assert_null(item->next->next->next->child);
    assert_null(item->next->next->next->next);
    assert_string_equal(json_text_of(json_get(n, "b"), "c"), "d");
    assert_string_equal(json_text_of(n, "b"), "");
    assert_string_equal(json_text_of(NULL, "b"), "");
    assert_null(json_get(item, "a"));
    assert_null(json_items_of(n, "b"));
    assert_null(json_tree(&arena, "{\"a\": 1", 7, &error));
    assert_string_not_equal(error, "");
    assert_null(json_tree(&arena, "", 0, &error));
    rules_arena_free(&arena);
}

static void test_names(void **state)
{
    static const struct {
        const char *cert, *domain, *name;
    } cases[] = {
        {"{\"sans\":[\"DNS:a\",\"URI:spiffe://td/ns/x\"],\"subject\":\"CN=y\"}", "spiffe://td", "/ns/x"},
        {"{\"sans\":[\"URI:spiffe://td2/ns/x\"]}", "spiffe://td/", "spiffe://td2/ns/x"},
        {"{\"sans\":[\"URI:spiffe://td/ns/x\"]}", "", "spiffe://td/ns/x"},
        {"{\"sans\":[\"DNS:a\"],\"subject\":\"O=z, CN=y\\\\,x, OU=w\"}", "", "CN=y\\,x"},
        {"{\"sans\":[\"DNS:a\"],\"subject\":\"O=XCN=y\"}", "", "DNS:a"},
        {"{\"subject\":\"O=z\"}", "", "O=z"},
        {"{\"sha256\":\"0123456789abcdef0123\"}", "", "0123456789abcdef"},
        {"null", "", "-"},
        {"[]", "", "-"},
    };
    struct rules_arena arena = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[64];
        top_view_name(tree(&arena, cases[i].cert), cases[i].domain, name, sizeof name);
        assert_string_equal(name, cases[i].name);
    }
    rules_arena_free(&arena);
}

#define HOSTILE "\\u001b]0;x\\u0007\\n\\u202e\\u009b2J 日本 <b>"

static const char status_text[] =
    "{\"state\":\"serving\",\"ready\":false,\"reasons\":[\"" HOSTILE
    "\",\"two\",\"three\",\"four\",\"five\"],\"now_ms\":1700000010000,"
    "\"started_at\":1700000000,\"own\":{\"subject\":\"CN=me\",\"sans\":[\"URI:spiffe://td/"
    "me\"],\"not_before_at\":1690000000,"
    "\"not_after_at\":1700000100},\"config_failing\":true,\"version\":\"" HOSTILE
    "\",\"sessions_open\":{\"inbound\":3},"
    "\"counters\":{\"requests_total\":{\"code=\\\"2xx\\\"\":100,\"code=\\\"5xx\\\"\":20}}}";
static const char peers_text[] =
    "{\"peers\":[{\"subject\":\"CN=" HOSTILE
    "\",\"sans\":[],\"connections\":5,\"requests\":12345,\"refused\":2,\"last_reason\":\"" HOSTILE
    "\"},{\"sans\":[\"URI:spiffe://td/a/rather/long/name/that/does/not/fit/"
    "everywhere\"],\"quarantined\":true}]}";
static const char events_text[] =
    "{\"events\":[{\"event\":\"refused\",\"message\":\"" HOSTILE "\",\"at_ms\":1700000009000},"
    "{\"event\":\"blocked\",\"message\":\"GET "
    "/x\",\"rule\":\"no-x\"},{\"event\":\"blocked\",\"message\":\"by no-y\",\"rule\":\"no-y\"},"
    "{\"event\":\"reload\",\"message\":\"not this\"}]}";
static const char rules_text[] =
    "{\"rules\":[{\"name\":\"" HOSTILE "\",\"action\":\"block\",\"enabled\":true,\"acted\":3}],"
    "\"ratelimits\":[{\"name\":\"slow\",\"requests\":10,\"period_seconds\":60,\"acted\":1}]}";

static struct top_view view_of(struct rules_arena *arena)
{
    struct top_view view = {.status = tree(arena, status_text),
                            .peers = tree(arena, peers_text),
                            .events = tree(arena, events_text),
                            .rules = tree(arena, rules_text),
                            .width = 160};
    top_counts_take(view.status, &view.now);
    return view;
}

/* Lines and cells as promised, and no control byte but colours. */
static void check_frame(const struct top_view *view, struct rules_buffer *out)
{
    unsigned lines = 0;
    char line[8192];
    for (size_t at = 0; at < out->size; lines++) {
        size_t n = 0;
        for (; out->data[at] != '\n'; at++) {
            if (out->data[at] == 0x1b) { /* a colour: to its m */
                assert_false(view->plain);
                assert_int_equal(out->data[at + 1], '[');
                for (at += 2; out->data[at] != 'm'; at++)
                    assert_true(out->data[at] >= '0' && out->data[at] <= '9');
                continue;
            }
            assert_true(out->data[at] >= 0x20 && out->data[at] != 0x7f && n < sizeof line - 1);
            line[n++] = (char)out->data[at];
        }
        line[n] = '\0';
        at++;
        if (view->plain)
            assert_true(top_text_cells(line) <= view->width);
        else if (top_text_cells(line) != view->width)
            fail_msg("%u x %u: line %u has %zu cells: %s", view->width, view->height, lines,
                     top_text_cells(line), line);
    }
    if (view->height)
        assert_int_equal(lines, view->height);
    assert_false(out->failed);
}

static void test_every_size(void **state)
{
    struct rules_arena arena = {0};
    struct top_view view = view_of(&arena);
    (void)state;
    for (unsigned trouble = 0; trouble < 3; trouble++) {
        for (view.width = 1; view.width <= 210; view.width += 1 + view.width / 40) {
            for (view.height = 1; view.height <= 60; view.height++) {
                struct rules_buffer out = {0};
                top_view_draw(&view, &out);
                check_frame(&view, &out);
                rules_buffer_free(&out);
            }
        }
        view.trouble = HOSTILE;
        if (trouble == 1)
            view.status = view.peers = view.rules = view.events = NULL;
    }
    rules_arena_free(&arena);
}

static char *frame(const struct top_view *view)
{
    struct rules_buffer out = {0};
    top_view_draw(view, &out);
    check_frame(view, &out);
    rules_buffer_add(&out, "", 1);
    return (char *)out.data;
}

static void has(const char *text, const char *what)
{
    if (strstr(text, what) == NULL)
        fail_msg("no \"%s\" in:\n%s", what, text);
}

static void test_contents(void **state)
{
    struct rules_arena arena = {0};
    struct top_view view = view_of(&arena);
    (void)state;
    view.plain = true;
    /* Five seconds before, 20 requests less of the one and 10 of the other kind. */
    view.before = view.now;
    view.before.at -= 5;
    view.before.requests -= 30;
    view.before.errors5 -= 10;
    char *text = frame(&view);
    has(text, "spiffe://td/me   not ready   certificate 1 min left");
    has(text, "not ready: \\x1b]0;x\\x07\\x0a\\u{202e}\\x9b2J 日本 <b>\n");
    has(text, "the configuration on disk is refused");
    has(text, "connections in 3   out 0   requests 6/s   4xx 0/s   5xx 2/s");
    has(text, "12,345");
    has(text, "/a/rather/long");
    has(text, "in quarantine");
    has(text, " refused  \\x1b]0;x");
    has(text, "GET /x: rule no-x");
    has(text, "blocked  by no-y");
    has(text, "10 per 1 min");
    assert_null(strstr(text, "not this"));
    free(text);
    /* Started anew in between: no rates, rather than wrong ones. */
    view.before.started_at -= 1;
    text = frame(&view);
    assert_null(strstr(text, "/s"));
    free(text);
    /* On a screen: the keys, what it is sorted by, that it is paused. */
    view.plain = false;
    view.height = 24;
    view.width = 100;
    view.paused = true;
    view.sort = TOP_BY_BYTES;
    text = frame(&view);
    has(text, "PAUSED");
    has(text, "\x1b[1mb bytes\x1b[0m*");
    has(text, "q quit");
    free(text);
    rules_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text),    cmocka_unit_test(test_escapes),
                                       cmocka_unit_test(test_amounts), cmocka_unit_test(test_tree),
                                       cmocka_unit_test(test_names),   cmocka_unit_test(test_every_size),
                                       cmocka_unit_test(test_contents)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
