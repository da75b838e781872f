/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fields that follow from others: paths, arguments, cookies, headers (rules-language section 15.5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sidecar/rules/derive.h"
#include "sidecar/rules/value_json.h"

static uint8_t memory[65536];

static struct rules_pool pool_of(size_t size)
{
    return (struct rules_pool){.base = memory, .size = size};
}

static struct rules_bytes text(const char *s)
{
    return (struct rules_bytes){(const uint8_t *)s, strlen(s)};
}

static void is(struct rules_value value, const char *json)
{
    struct rules_buffer out = {0};
    rules_value_to_json(&value, &out);
    rules_buffer_add(&out, "", 1);
    assert_string_equal((char *)out.data, json);
    rules_buffer_free(&out);
}

static void test_extension(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"/foo", ""},        {"/.mp3", ""},       {"/.foo.mp3", "mp3"},
        {"/foo.mp3", "mp3"}, {"/foo.MP3", "mp3"}, {"/foo.tar.bz2", "bz2"},
        {"/foo.", ""},       {"/", ""},           {"", ""},
        {"/a.b/c", ""},      {"/a.b/c.d", "d"},   {"/a/..", ""},
        {"/a.x/", ""},       {"foo.x", "x"},      {"/..x", "x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rules_pool pool = pool_of(sizeof memory);
        struct rules_bytes extension = rules_derive_extension(&pool, text(cases[i][0])).bytes;
        if (extension.size != strlen(cases[i][1]) || memcmp(extension.data, cases[i][1], extension.size) != 0)
            fail_msg("%s: %.*s", cases[i][0], (int)extension.size, extension.data);
    }
}

static void test_args(void **state)
{
    (void)state;
    struct rules_pool pool = pool_of(sizeof memory);
    size_t count;
    const struct rules_pair *pair =
        rules_derive_args(&pool, text("search=red+apples&x&y=&=z&&x=%20&search=b=c"), &count);
    is(rules_derive_map(&pool, pair, count, false),
       "{\"\": [\"z\"], \"search\": [\"red+apples\", \"b=c\"], \"x\": [\"\", \"%20\"], \"y\": [\"\"]}");
    is(rules_derive_names(&pool, pair, count), "[\"search\", \"x\", \"y\", \"\", \"x\", \"search\"]");
    is(rules_derive_values(&pool, pair, count), "[\"red+apples\", \"\", \"\", \"z\", \"%20\", \"b=c\"]");
    rules_derive_args(&pool, (struct rules_bytes){NULL, 0}, &count);
    assert_int_equal(count, 0);
    rules_derive_args(&pool, text(""), &count);
    assert_int_equal(count, 0);
    rules_derive_args(&pool, text("&&"), &count);
    assert_int_equal(count, 0);
}

static void test_headers(void **state)
{
    (void)state;
    struct rules_pool pool = pool_of(sizeof memory);
    const struct rules_pair header[] = {
        {text("Host"), text("a")},
        {text("X-A"), text("1")},
        {text("cookie"), text("app=test; b=1;c")},
        {text("x-a"), text("2, 3")},
        {text("COOKIE"), text(" b = 2")},
        {text("a"), text("")},
        {text("Cookie"), text("%62=3; =e")},
    };
    size_t count, n = sizeof header / sizeof *header;
    is(rules_derive_map(&pool, header, n, true),
       "{\"a\": [\"\"], \"cookie\": [\"app=test; b=1;c\", \" b = 2\", \"%62=3; =e\"], \"host\": [\"a\"], "
       "\"x-a\": [\"1\", \"2, 3\"]}");
    is(rules_derive_names(&pool, header, 3), "[\"Host\", \"X-A\", \"cookie\"]");
    const struct rules_pair *cookie = rules_derive_cookies(&pool, header, n, &count);
    is(rules_derive_map(&pool, cookie, count, false),
       "{\"\": [\"e\"], \"app\": [\"test\"], \"b\": [\"1\", \"2\", \"3\"], \"c\": [\"\"]}");
    assert_int_equal(rules_derive_header(header, n, "x-a").size, 1);
    assert_int_equal(rules_derive_header(header, n, "nope").size, 0);
    assert_false(pool.full);
}

static void test_languages_and_media_type(void **state)
{
    (void)state;
    struct rules_pool pool = pool_of(sizeof memory);
    is(rules_derive_languages(&pool, text("fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5")),
       "[\"fr-CH\", \"fr\", \"en\", \"de\"]");
    is(rules_derive_languages(&pool, text("de;q=0.1,en ; q=0.55, x;q=0, y;q=abc,fr;q=1.000,es;q=2")),
       "[\"fr\", \"en\", \"de\"]");
    is(rules_derive_languages(&pool, text("")), "[]");
    is(rules_derive_languages(&pool, text(",, ;q=1")), "[]");
    /* More than are told apart are told of. */
    char many[32 * 4 + 8] = "a0";
    for (int i = 1; i < 32; i++)
        sprintf(many + strlen(many), ",a%d", i);
    assert_int_equal(rules_derive_languages(&pool, text(many)).array.count, 32);
    assert_false(pool.full);
    strcat(many, ",b");
    assert_int_equal(rules_derive_languages(&pool, text(many)).array.count, 32);
    assert_true(pool.full);
    is(rules_derive_media_type(&pool, text("Text/HTML; charset=utf-8")), "\"text/html\"");
    is(rules_derive_media_type(&pool, text("application/json")), "\"application/json\"");
    is(rules_derive_media_type(&pool, text("")), "\"\"");
}

/* Whatever the size of the pool: nothing beyond it, and what is given is whole. */
static void test_small_pools(void **state)
{
    (void)state;
    struct rules_pair header[20];
    char name[20][8];
    for (int i = 0; i < 20; i++) {
        snprintf(name[i], sizeof name[i], "N-%d", i % 7);
        header[i] = (struct rules_pair){text(name[i]), text("v")};
    }
    for (size_t size = 0; size < 4096; size += 8) {
        struct rules_pool pool = pool_of(size);
        size_t count;
        struct rules_value map = rules_derive_map(&pool, header, 20, true);
        if (!pool.full)
            assert_int_equal(map.map.count, 7);
        rules_derive_args(&pool, text("a=b&c=d&e=f"), &count);
        rules_derive_names(&pool, header, 20);
        rules_derive_languages(&pool, text("a,b,c"));
        assert_true(pool.used <= size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_extension),   cmocka_unit_test(test_args),
        cmocka_unit_test(test_headers),     cmocka_unit_test(test_languages_and_media_type),
        cmocka_unit_test(test_small_pools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
