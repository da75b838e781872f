/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sidecar/http/path.h: RFC 3986's examples, what servers disagree on, and that it never grows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "sidecar/http/path.h"

static void check(const char *path, const char *expected, unsigned ambiguity)
{
    size_t n = strlen(path);
    char *in = malloc(n + 1), *out = malloc(n ? n : 1); /* exactly as much as is asked for */
    unsigned found = ~0u;
    memcpy(in, path, n);
    size_t got = http_path_normalise(in, n, out, &found);
    if (got != strlen(expected) || memcmp(out, expected, got) || found != ambiguity)
        fail_msg("%s: %.*s, %x", path, (int)got, out, found);
    /* in place, and once is enough */
    unsigned again = 0;
    if (n) {
        assert_int_equal(http_path_normalise(in, n, in, &again), got);
        assert_memory_equal(in, out, got);
        assert_int_equal(again, found);
        assert_int_equal(http_path_normalise(in, got, in, &again), got);
        assert_memory_equal(in, out, got);
    }
    free(in);
    free(out);
}

static void normal(void **state)
{
    (void)state;
    static const char *const table[][2] = {
        {"", "/"},
        {"/", "/"},
        {"*", "*"},
        {"/a/b", "/a/b"},
        {"/a/b/", "/a/b/"},
        {"/a/./b", "/a/b"},
        {"/a/../b", "/b"},
        {"/a/b/..", "/a/"},
        {"/a/b/.", "/a/b/"},
        {"/.", "/"},
        {"/a/..", "/"},
        {"/a/b/c/./../../g", "/a/g"}, /* RFC 3986, 5.2.4 */
        {"//", "/"},
        {"///a////b//", "/a/b/"},
        {"/a//../b", "/b"},
        {"/%61%2D%2e%5F%7e%30", "/a-._~0"},
        {"/%e2%82%ac", "/%E2%82%AC"},
        {"/a%20b%3fc%23", "/a%20b%3Fc%23"},
        {"/a/%2e%2E/b", "/b"},
        {"/a/%2e/b", "/a/b"},
        {"/...", "/..."},
        {"/a/.b/..c/d..", "/a/.b/..c/d.."},
        {"/a;x=1/b", "/a;x=1/b"},
        {"/admin/%25", "/admin/%25"},
        {"/%25zz", "/%25zz"},
        {"/a%2", "/a%2"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        check(table[i][0], table[i][1], !strcmp(table[i][0], "/a%2") ? HTTP_PATH_ESCAPE : 0);
}

static void ambiguous(void **state)
{
    (void)state;
    check("/a%00b", "/a%00b", HTTP_PATH_NUL);
    check("/a%2fb", "/a%2Fb", HTTP_PATH_SLASH);
    check("/a/..%2fb", "/a/..%2Fb", HTTP_PATH_SLASH);
    check("/a\\..\\b", "/a\\..\\b", HTTP_PATH_BACKSLASH);
    check("/a%5cb", "/a%5Cb", HTTP_PATH_BACKSLASH);
    check("/%", "/%", HTTP_PATH_ESCAPE);
    check("/%4", "/%4", HTTP_PATH_ESCAPE);
    check("/%g1", "/%g1", HTTP_PATH_ESCAPE);
    check("/%u002e", "/%u002e", HTTP_PATH_ESCAPE);
    check("/%252e%252e/a", "/%252e%252e/a", HTTP_PATH_DOUBLE);
    check("/..", "/", HTTP_PATH_ABOVE);
    check("/a/../../b", "/b", HTTP_PATH_ABOVE);
    check("/%2e%2e/b", "/b", HTTP_PATH_ABOVE);
    check("/a/..;/b", "/a/..;/b", HTTP_PATH_PARAMETER);
    check("/a/..;jsessionid=1/b", "/a/..;jsessionid=1/b", HTTP_PATH_PARAMETER);
    check("/a/.;/b", "/a/.;/b", HTTP_PATH_PARAMETER);
    check("/a/%2e%2e;/b", "/a/..;/b", HTTP_PATH_PARAMETER);
    check("/a%0d%0aX:y", "/a%0D%0AX:y", HTTP_PATH_CONTROL);
    check("/a%7f", "/a%7F", HTTP_PATH_CONTROL);
    check("/%c0%ae%c0%ae/", "/%C0%AE%C0%AE/", HTTP_PATH_CONTROL);
    check("/%e0%80%af", "/%E0%80%AF", HTTP_PATH_CONTROL);
    check("/%e0%a4%80", "/%E0%A4%80", 0);
    check("/%2f%00\\", "/%2F%00\\", HTTP_PATH_SLASH | HTTP_PATH_NUL | HTTP_PATH_BACKSLASH);
    assert_string_equal(http_path_ambiguity_text(HTTP_PATH_SLASH | HTTP_PATH_NUL), "an escaped zero byte");
    assert_string_equal(http_path_ambiguity_text(HTTP_PATH_CONTROL), "an escaped control character");
    assert_string_equal(http_path_ambiguity_text(0), "");
}

/* Every path of up to 7 characters from a nasty alphabet: never longer, never a dot segment or two slashes
 * left. */
static void all_small(void **state)
{
    (void)state;
    static const char alphabet[] = "/.a%2e";
    char path[8] = "/", out[8];
    unsigned long total = 1;
    for (size_t length = 1; length <= 7; length++, total *= sizeof(alphabet) - 1) {
        for (unsigned long k = 0; k < total; k++) {
            unsigned long v = k;
            for (size_t i = 1; i < length; i++, v /= sizeof(alphabet) - 1)
                path[i] = alphabet[v % (sizeof(alphabet) - 1)];
            unsigned ambiguity;
            size_t n = http_path_normalise(path, length, out, &ambiguity);
            assert_true(n >= 1 && n <= length && out[0] == '/');
            for (size_t i = 0; i + 1 < n; i++) {
                size_t rest = n - i - 1;
                const char *s = out + i + 1;
                if (out[i] != '/')
                    continue;
                assert_false(s[0] == '/');
                assert_false(s[0] == '.' && (rest == 1 || s[1] == '/'));
                assert_false(rest >= 2 && s[0] == '.' && s[1] == '.' && (rest == 2 || s[2] == '/'));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normal),
        cmocka_unit_test(ambiguous),
        cmocka_unit_test(all_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
