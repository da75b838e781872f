/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Named lists: members, normal forms, mistakes, sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "sidecar/rules/fields.h"
#include "sidecar/rules/list.h"

static struct rules_list *list_of(enum rules_list_kind kind, const char *text)
{
    size_t line;
    struct rules_list *list = rules_list_new(kind);
    const char *wrong = rules_list_add_lines(list, text, strlen(text), &line);
    if (wrong)
        fail_msg("line %zu: %s", line, wrong);
    assert_true(rules_list_finish(list));
    return list;
}

static bool has(const struct rules_list *list, const char *text)
{
    struct rules_value value = rules_bytes(text, strlen(text));
    return rules_list_has(list, &value);
}

static bool has_int(const struct rules_list *list, int64_t number)
{
    struct rules_value value = rules_int(number);
    return rules_list_has(list, &value);
}

static bool has_ip(const struct rules_list *list, const char *text)
{
    struct rules_value value = {.type = RULES_IP};
    assert_true(rules_ip_parse(text, strlen(text), &value.ip));
    return rules_list_has(list, &value);
}

static void test_strings(void **state)
{
    (void)state;
    struct rules_list *list = list_of(RULES_LIST_STRINGS, "\xef\xbb\xbf"
                                                          "first\r\n  a b  \n#no\n\nx # y\nfirst\nlast");
    assert_int_equal(rules_list_count(list), 4);
    assert_true(has(list, "first"));
    assert_true(has(list, "a b"));
    assert_true(has(list, "x # y"));
    assert_true(has(list, "last"));
    assert_false(has(list, ""));
    assert_false(has(list, "#no"));
    assert_false(has(list, "First"));
    assert_false(has(list, "firs"));
    assert_false(has_int(list, 1));
    rules_list_free(list);
    list = rules_list_new(RULES_LIST_STRINGS);
    assert_null(rules_list_add(list, "", 0));
    assert_null(rules_list_add(list, "a\0b", 3));
    assert_true(rules_list_finish(list));
    assert_true(has(list, ""));
    assert_false(has(list, "a"));
    struct rules_value zero = rules_bytes("a\0b", 3);
    assert_true(rules_list_has(list, &zero));
    rules_list_free(list);
    list = list_of(RULES_LIST_STRINGS, "");
    assert_false(has(list, ""));
    assert_int_equal(rules_list_count(list), 0);
    rules_list_free(list);
}

static void test_integers(void **state)
{
    (void)state;
    struct rules_list *list = list_of(RULES_LIST_INTEGERS, "5\n 7..9 # seven to nine\n0x20\n-4..-2\n010\n10\n"
                                                           "9223372036854775807\n-9223372036854775808");
    static const int64_t in[] = {5, 7, 8, 9, 10, 32, -4, -3, -2, INT64_MAX, INT64_MIN};
    static const int64_t out[] = {4, 6, 11, 20, 31, 33, -5, -1, 0, INT64_MAX - 1, INT64_MIN + 1};
    for (size_t i = 0; i < sizeof in / sizeof *in; i++) {
        if (!has_int(list, in[i]))
            fail_msg("%lld is in", (long long)in[i]);
        if (has_int(list, out[i]))
            fail_msg("%lld is not in", (long long)out[i]);
    }
    assert_false(has(list, "5"));
    /* Seven to nine, octal ten and ten are one range. */
    assert_int_equal(rules_list_count(list), 6);
    rules_list_free(list);
}

static void test_ips(void **state)
{
    (void)state;
    struct rules_list *list =
        list_of(RULES_LIST_IPS, "10.0.0.0/8\n192.0.2.7\n198.51.100.5..198.51.100.9\n2001:db8::/32\n::1\n"
                                "10.1.0.0/16\n11.0.0.0/8\n");
    assert_true(has_ip(list, "10.255.255.255"));
    assert_true(has_ip(list, "11.255.255.255"));
    assert_false(has_ip(list, "12.0.0.0"));
    assert_false(has_ip(list, "9.255.255.255"));
    assert_true(has_ip(list, "192.0.2.7"));
    assert_false(has_ip(list, "192.0.2.8"));
    assert_true(has_ip(list, "198.51.100.9"));
    assert_false(has_ip(list, "198.51.100.10"));
    assert_true(has_ip(list, "2001:db8:ffff::1"));
    assert_false(has_ip(list, "2001:db9::"));
    assert_true(has_ip(list, "::1"));
    assert_false(has_ip(list, "::ffff:10.0.0.1"));
    assert_int_equal(rules_list_count(list), 5);
    rules_list_free(list);
    list = list_of(RULES_LIST_IPS, "0.0.0.0/0\n::/0");
    assert_true(has_ip(list, "255.255.255.255"));
    assert_true(has_ip(list, "0.0.0.0"));
    assert_true(has_ip(list, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
    rules_list_free(list);
}

static void test_hex(void **state)
{
    (void)state;
    struct rules_list *list =
        list_of(RULES_LIST_SERIALS, "0x01\n52:7E:0f:20\n00\n00FF00 # why\n-0A\n  0Xab cd\n");
    static const char *const in[] = {"01", "1",    "0001",   "527E0F20", "527e0f20", "00",
                                     "0",  "FF00", "00ff00", "-0A",      "-a",       "ABCD"};
    static const char *const out[] = {"",  "02",  "10", "527E0F2", "FF",     "0A",
                                      "A", "-01", "x",  "0x",      "FF00FF", "AB"};
    for (size_t i = 0; i < sizeof in / sizeof *in; i++) {
        if (!has(list, in[i]))
            fail_msg("%s is in", in[i]);
        if (has(list, out[i]))
            fail_msg("%s is not in", out[i]);
    }
    rules_list_free(list);
    list = list_of(
        RULES_LIST_FINGERPRINTS,
        "AF:36:3D:C8:5B:C9:42:A8:92:D3:CE:E9:79:61:90:FD:B3:6D:89:CD:58:8A:4F:1C:B1:7C:74:A9:43:43:97:14\n"
        "0x933AD5282c560ae3f482a43ecd73bc9de878a190\n"
        "00000000000000000000000000000000000000ab\n");
    assert_true(has(list, "af363dc85bc942a892d3cee9796190fdb36d89cd588a4f1cb17c74a943439714"));
    assert_true(has(list, "AF363DC85BC942A892D3CEE9796190FDB36D89CD588A4F1CB17C74A943439714"));
    assert_true(has(list, "933ad5282c560ae3f482a43ecd73bc9de878a190"));
    assert_true(has(list, "00000000000000000000000000000000000000ab"));
    assert_false(has(list, "ab"));
    assert_false(has(list, ""));
    assert_false(has(list, "af363dc85bc942a892d3cee9796190fdb36d89cd588a4f1cb17c74a94343971"));
    /* In whatever form: each letter as a capital, or replaced by what borders on hex digits. */
    const char *plain = "933ad5282c560ae3f482a43ecd73bc9de878a190";
    for (size_t i = 0; i < 40; i++) {
        char other[41];
        strcpy(other, plain);
        other[i] = (char)(other[i] >= 'a' ? other[i] - 32 : other[i]);
        assert_true(has(list, other));
        for (const char *c = "/:`g@G\x80\xb9\xe1 "; *c; c++) {
            other[i] = *c;
            assert_false(has(list, other));
        }
    }
    rules_list_free(list);
}

static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        enum rules_list_kind kind;
        const char *text;
        size_t line;
    } cases[] = {
        {RULES_LIST_INTEGERS, "1\n\n# x\nx\n2", 4},
        {RULES_LIST_INTEGERS, "1 2", 1},
        {RULES_LIST_INTEGERS, "9..7", 1},
        {RULES_LIST_INTEGERS, "9223372036854775808", 1},
        {RULES_LIST_INTEGERS, "08", 1},
        {RULES_LIST_INTEGERS, "1..", 1},
        {RULES_LIST_IPS, "10.0.0.1/8", 1},
        {RULES_LIST_IPS, "::1\n10.0.0.256", 2},
        {RULES_LIST_IPS, "example.com", 1},
        {RULES_LIST_IPS, "::2..::1", 1},
        {RULES_LIST_IPS, "10.0.0.0/33", 1},
        {RULES_LIST_SERIALS, "01\nxyz", 2},
        {RULES_LIST_SERIALS, "0x", 1},
        {RULES_LIST_SERIALS, ":", 1},
        {RULES_LIST_SERIALS, "-", 1},
        {RULES_LIST_FINGERPRINTS, "abcd", 1},
        {RULES_LIST_FINGERPRINTS, "-33ad5282c560ae3f482a43ecd73bc9de878a190", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t line = 0;
        struct rules_list *list = rules_list_new(cases[i].kind);
        if (!rules_list_add_lines(list, cases[i].text, strlen(cases[i].text), &line))
            fail_msg("%s is no mistake", cases[i].text);
        assert_int_equal(line, cases[i].line);
        rules_list_free(list);
    }
}

static void test_kinds(void **state)
{
    (void)state;
    assert_int_equal(rules_list_kind_for(RULES_INT, -1), RULES_LIST_INTEGERS);
    assert_int_equal(rules_list_kind_for(RULES_IP, RULES_FIELD_IP_SRC), RULES_LIST_IPS);
    assert_int_equal(rules_list_kind_for(RULES_BYTES, RULES_FIELD_CERT_SERIAL), RULES_LIST_SERIALS);
    assert_int_equal(rules_list_kind_for(RULES_BYTES, RULES_FIELD_CERT_SHA256), RULES_LIST_FINGERPRINTS);
    assert_int_equal(rules_list_kind_for(RULES_BYTES, RULES_FIELD_CERT_ISSUER_SKI), RULES_LIST_FINGERPRINTS);
    assert_int_equal(rules_list_kind_for(RULES_BYTES, RULES_FIELD_HOST), RULES_LIST_STRINGS);
    assert_int_equal(rules_list_kind_for(RULES_BYTES, -1), RULES_LIST_STRINGS);
}

/* Sanitizers and emulation slow it down, and what they look for shows in fewer. */
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
enum { MEMBERS = 1000000 };
#else
enum { MEMBERS = 100000 };
#endif

/* A million of each kind load within two seconds; every member is found, and what lies between is not. */
static void large(enum rules_list_kind kind, size_t members)
{
    size_t room = members * 48, n = 0, line;
    char *text = malloc(room);
    assert_non_null(text);
    for (size_t i = 0; i < members; i++) {
        unsigned a = (unsigned)(i * 2 + 1);
        int size;
        if (kind == RULES_LIST_INTEGERS)
            size = snprintf(text + n, room - n, "%u\n", a);
        else if (kind == RULES_LIST_IPS && i % 2)
            size = snprintf(text + n, room - n, "2001:db8::%x:%x\n", a >> 16, a & 0xffff);
        else if (kind == RULES_LIST_IPS)
            size =
                snprintf(text + n, room - n, "%u.%u.%u.%u\n", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
        else if (kind == RULES_LIST_FINGERPRINTS)
            size = snprintf(text + n, room - n, "%040X\n", a);
        else
            size = snprintf(text + n, room - n, "%x\n", a);
        n += (size_t)size;
    }
    struct timespec from, to;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    struct rules_list *list = rules_list_new(kind);
    const char *wrong = rules_list_add_lines(list, text, n, &line);
    if (wrong)
        fail_msg("%zu: %s", line, wrong);
    assert_true(rules_list_finish(list));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    print_message("kind %d: %zu members in %.0f ms, %.1f MB\n", kind, members,
                  (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6,
                  (double)rules_list_memory(list) / 1e6);
    assert_true(MEMBERS < 1000000 || to.tv_sec - from.tv_sec < 2);
    assert_int_equal(rules_list_count(list), members);
    for (size_t i = 0; i < members; i += 7) {
        char hex[48];
        for (unsigned a = (unsigned)(i * 2); a <= i * 2 + 1; a++) {
            struct rules_value value = rules_int(a);
            if (kind == RULES_LIST_IPS)
                value = rules_ip(i % 2 ? rules_ip_from_v6(((unsigned __int128)0x20010db8 << 96) + a)
                                       : rules_ip_from_v4(a));
            else if (kind != RULES_LIST_INTEGERS)
                value =
                    rules_bytes(hex, (size_t)snprintf(hex, sizeof hex,
                                                      kind == RULES_LIST_FINGERPRINTS ? "%040x" : "%x", a));
            if (rules_list_has(list, &value) != a % 2)
                fail_msg("kind %d: %u", kind, a);
        }
    }
    rules_list_free(list);
    free(text);
}

static void test_large(void **state)
{
    (void)state;
    for (unsigned kind = RULES_LIST_STRINGS; kind <= RULES_LIST_SERIALS; kind++)
        large((enum rules_list_kind)kind, MEMBERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings), cmocka_unit_test(test_integers), cmocka_unit_test(test_ips),
        cmocka_unit_test(test_hex),     cmocka_unit_test(test_mistakes), cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
