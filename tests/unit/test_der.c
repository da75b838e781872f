/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "certrotate/der.h"

/* A case: octets, whether they are accepted, and what they mean. */
#define OCTETS(s)                           \
    {                                       \
        (const uint8_t *)(s), sizeof(s) - 1 \
    }

/* The octets in heap memory of their own, so that ASan sees each read beyond them. */
static struct der fresh(struct x509_slice s, uint8_t **memory)
{
    *memory = malloc(s.size ? s.size : 1);
    if (s.size)
        memcpy(*memory, s.data, s.size);
    return der_from(*memory, s.size);
}

static void elements(void **state)
{
    (void)state;
    static const struct {
        struct x509_slice in;
        bool ok;
        size_t content;
    } cases[] = {
        {OCTETS(""), false, 0},
        {OCTETS("\x30"), false, 0},
        {OCTETS("\x30\x00"), true, 0},
        {OCTETS("\x30\x01"), false, 0},
        {OCTETS("\x30\x01\x00"), true, 1},
        {OCTETS("\x30\x01\x00\xff"), true, 1},
        {OCTETS("\x30\x80\x00\x00"), false, 0}, /* indefinite */
        {OCTETS("\x30\x81\x01\x00"), false, 0}, /* not minimal */
        {OCTETS("\x30\x81\x7f"), false, 0},     /* not minimal and short */
        {OCTETS("\x30\x82\x00\x80"), false, 0}, /* a leading zero */
        {OCTETS("\x30\x81"), false, 0},         /* the length is cut */
        {OCTETS("\x30\x82\x01"), false, 0},
        {OCTETS("\x30\x84\xff\xff\xff\xff"), false, 0}, /* beyond the end */
        {OCTETS("\x30\x85\x01\x00\x00\x00\x00"), false, 0},
        {OCTETS("\x30\xff"), false, 0},
        {OCTETS("\x1f\x01\x00"), false, 0}, /* several tag octets */
        {OCTETS("\xbf\x81\x01\x00"), false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t *memory, tag;
        struct der content;
        struct x509_slice whole;
        struct der in = fresh(cases[i].in, &memory);
        assert_int_equal(der_any(&in, &tag, &content, &whole), cases[i].ok);
        if (cases[i].ok) {
            assert_int_equal(der_left(&content), cases[i].content);
            assert_int_equal(whole.size, cases[i].content + 2);
            assert_ptr_equal(in.p, memory + whole.size);
            assert_int_equal(tag, 0x30);
        } else {
            assert_ptr_equal(in.p, memory);
        }
        free(memory);
    }
}

static void long_lengths(void **state)
{
    (void)state;
    static const size_t sizes[] = {127, 128, 255, 256, 65535, 65536};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t n = sizes[i];
        uint8_t *memory = calloc(1, n + 5);
        size_t header = n < 128 ? 2 : n < 256 ? 3 : n < 65536 ? 4 : 5;
        memory[0] = 0x04;
        memory[1] = (uint8_t)(header == 2 ? n : 0x80 | (header - 2));
        for (size_t k = 0; k < header - 2; k++)
            memory[2 + k] = (uint8_t)(n >> (8 * (header - 3 - k)));
        struct der in = der_from(memory, n + header), content;
        assert_true(der_take(&in, DER_OCTET_STRING, &content));
        assert_int_equal(der_left(&content), n);
        assert_true(der_empty(&in));
        in = der_from(memory, n + header - 1);
        assert_false(der_take(&in, DER_OCTET_STRING, &content));
        free(memory);
    }
    /* As many octets as 82 00 80 says are there: only the zero is wrong. */
    uint8_t *zero = calloc(1, 4 + 128);
    memcpy(zero, "\x04\x82\x00\x80", 4);
    struct der in = der_from(zero, 4 + 128), content;
    assert_false(der_take(&in, DER_OCTET_STRING, &content));
    zero[1] = 0x81;
    zero[2] = 0x81;
    assert_true(der_take(&in, DER_OCTET_STRING, &content));
    free(zero);
}

static void optional_elements(void **state)
{
    (void)state;
    struct x509_slice s = OCTETS("\x02\x01\x05");
    struct der in = der_from_slice(s), content;
    bool found = true;
    assert_true(der_maybe(&in, DER_SEQUENCE, &content, &found));
    assert_false(found);
    assert_true(der_maybe(&in, DER_INTEGER, &content, &found));
    assert_true(found);
    assert_int_equal(der_peek(&in), -1);
    assert_true(der_maybe(&in, DER_INTEGER, &content, &found));
    assert_false(found);
    struct x509_slice cut = OCTETS("\x02\x05\x05");
    in = der_from_slice(cut);
    assert_false(der_maybe(&in, DER_INTEGER, &content, &found));
    assert_false(der_take(&in, DER_SEQUENCE, &content));
}

static void booleans(void **state)
{
    (void)state;
    static const struct {
        struct x509_slice in;
        bool ok, value;
    } cases[] = {
        {OCTETS("\x01\x01\xff"), true, true},       {OCTETS("\x01\x01\x00"), true, false},
        {OCTETS("\x01\x01\x01"), false, true},      {OCTETS("\x01\x00"), false, false},
        {OCTETS("\x01\x02\xff\xff"), false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t *memory;
        bool value;
        struct der in = fresh(cases[i].in, &memory);
        assert_int_equal(der_bool(&in, &value), cases[i].ok);
        if (cases[i].ok)
            assert_int_equal(value, cases[i].value);
        free(memory);
    }
}

static void integers(void **state)
{
    (void)state;
    static const struct {
        struct x509_slice in;
        bool ok, negative;
        size_t size;
        uint32_t value; /* as der_uint() */
        bool fits;
    } cases[] = {
        {OCTETS("\x02\x01\x00"), true, false, 1, 0, true},
        {OCTETS("\x02\x01\x7f"), true, false, 1, 127, true},
        {OCTETS("\x02\x02\x00\x80"), true, false, 1, 128, true},
        {OCTETS("\x02\x01\x80"), true, true, 1, 0, false},
        {OCTETS("\x02\x02\xff\x7f"), true, true, 2, 0, false},
        {OCTETS("\x02\x05\x00\xff\xff\xff\xff"), true, false, 4, 0xffffffff, true},
        {OCTETS("\x02\x05\x01\x00\x00\x00\x00"), true, false, 5, 0, false},
        {OCTETS("\x02\x00"), false, false, 0, 0, false},
        {OCTETS("\x02\x02\x00\x7f"), false, false, 0, 0, false},
        {OCTETS("\x02\x02\xff\x80"), false, false, 0, 0, false},
        {OCTETS("\x02\x02\x00\x00"), false, false, 0, 0, false},
        {OCTETS("\x04\x01\x00"), false, false, 0, 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t *memory;
        struct x509_slice s;
        bool negative;
        uint32_t value;
        struct der in = fresh(cases[i].in, &memory);
        struct der again = in;
        assert_int_equal(der_integer(&in, &s, &negative), cases[i].ok);
        if (cases[i].ok) {
            assert_int_equal(s.size, cases[i].size);
            assert_int_equal(negative, cases[i].negative);
        }
        assert_int_equal(der_uint(&again, UINT32_MAX, &value), cases[i].fits);
        if (cases[i].fits)
            assert_int_equal(value, cases[i].value);
        free(memory);
    }
    struct x509_slice five = OCTETS("\x02\x01\x05");
    uint32_t value;
    struct der in = der_from_slice(five);
    assert_false(der_uint(&in, 4, &value));
}

static void bit_strings(void **state)
{
    (void)state;
    static const struct {
        struct x509_slice in;
        bool ok;
        size_t size;
        unsigned unused;
    } cases[] = {
        {OCTETS("\x03\x01\x00"), true, 0, 0},      {OCTETS("\x03\x02\x00\xff"), true, 1, 0},
        {OCTETS("\x03\x02\x07\x80"), true, 1, 7},  {OCTETS("\x03\x02\x01\x01"), false, 0, 0},
        {OCTETS("\x03\x02\x08\x00"), false, 0, 0}, {OCTETS("\x03\x01\x01"), false, 0, 0},
        {OCTETS("\x03\x00"), false, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t *memory;
        struct x509_slice bits;
        unsigned unused;
        struct der in = fresh(cases[i].in, &memory);
        assert_int_equal(der_bits(&in, &bits, &unused), cases[i].ok);
        if (cases[i].ok) {
            assert_int_equal(bits.size, cases[i].size);
            assert_int_equal(unused, cases[i].unused);
        }
        free(memory);
    }
}

static void times(void **state)
{
    (void)state;
    static const struct {
        const char *text; /* 13 characters: UTCTime, else GeneralizedTime */
        bool ok;
        int64_t seconds;
    } cases[] = {
        {"700101000000Z", true, 0},
        {"691231235959Z", true, -1},
        {"491231235959Z", true, 2524607999},
        {"500101000000Z", true, -631152000},
        {"20500101000000Z", true, 2524608000},
        {"20000229000000Z", true, 951782400},
        {"21000228235959Z", true, 4107542399},
        {"21000301000000Z", true, 4107542400},
        {"99991231235959Z", true, 253402300799},
        {"00010101000000Z", true, -62135596800},
        {"00000101000000Z", false, 0},
        {"19000229000000Z", false, 0},
        {"20230229000000Z", false, 0},
        {"20230431000000Z", false, 0},
        {"20231301000000Z", false, 0},
        {"20230001000000Z", false, 0},
        {"20230100000000Z", false, 0},
        {"20230101240000Z", false, 0},
        {"20230101006000Z", false, 0},
        {"20230101000060Z", false, 0},
        {"20230101000000", false, 0},
        {"20230101000000z", false, 0},
        {"20230101000000.5Z", false, 0},
        {"202301010000Z", false, 0},
        {"2301010000Z", false, 0},
        {"230101000000+0000", false, 0},
        {"2a0101000000Z", false, 0},
        {"23 101000000Z", false, 0},
        {"", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t octets[32], *memory;
        int64_t seconds = 0;
        size_t n = strlen(cases[i].text);
        octets[0] = n == 13 ? DER_UTC_TIME : DER_GENERALIZED_TIME;
        octets[1] = (uint8_t)n;
        memcpy(octets + 2, cases[i].text, n);
        struct der in = fresh((struct x509_slice){octets, n + 2}, &memory);
        if (der_time(&in, &seconds) != cases[i].ok)
            fail_msg("%s", cases[i].text);
        if (cases[i].ok)
            assert_true(seconds == cases[i].seconds);
        free(memory);
    }
}

static void comparisons(void **state)
{
    (void)state;
    struct x509_slice a = OCTETS("abc"), b = OCTETS("abd"), none = {NULL, 0};
    assert_true(der_equal(a, "abc", 3));
    assert_false(der_equal(a, "abcd", 4));
    assert_false(der_same(a, b));
    assert_true(der_same(none, none));
    assert_false(der_same(a, none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements), cmocka_unit_test(long_lengths), cmocka_unit_test(optional_elements),
        cmocka_unit_test(booleans), cmocka_unit_test(integers),     cmocka_unit_test(bit_strings),
        cmocka_unit_test(times),    cmocka_unit_test(comparisons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
