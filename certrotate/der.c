/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "certrotate/der.h"

#include <assert.h>
#include <string.h>

struct der der_from(const uint8_t *data, size_t size)
{
    return (struct der){data, data ? data + size : data};
}

struct der der_from_slice(struct x509_slice slice)
{
    return der_from(slice.data, slice.size);
}

size_t der_left(const struct der *in)
{
    return (size_t)(in->end - in->p);
}

bool der_empty(const struct der *in)
{
    return in->p == in->end;
}

int der_peek(const struct der *in)
{
    return der_empty(in) ? -1 : *in->p;
}

bool der_any(struct der *in, uint8_t *tag, struct der *content, struct x509_slice *whole)
{
    const uint8_t *p = in->p;
    size_t left = der_left(in);

    /* A tag number of 31 announces more tag octets: nothing in RFC 5280 has them. */
    if (left < 2 || (p[0] & 0x1f) == 0x1f)
        return false;
    size_t length = p[1];
    size_t header = 2;
    if (length & 0x80) {
        size_t octets = length & 0x7f;
        /* Four length octets reach beyond every limit of ours; zero octets is BER's indefinite form. */
        if (octets == 0 || octets > 4 || left < 2 + octets || p[2] == 0)
            return false;
        length = 0;
        for (size_t i = 0; i < octets; i++)
            length = length << 8 | p[2 + i];
        if (length < 0x80)
            return false;
        header += octets;
    }
    if (length > left - header)
        return false;
    if (tag)
        *tag = p[0];
    if (content)
        *content = der_from(p + header, length);
    if (whole)
        *whole = (struct x509_slice){p, header + length};
    in->p = p + header + length;
    return true;
}

bool der_take(struct der *in, uint8_t tag, struct der *content)
{
    return der_peek(in) == tag && der_any(in, NULL, content, NULL);
}

bool der_take_whole(struct der *in, uint8_t tag, struct der *content, struct x509_slice *whole)
{
    return der_peek(in) == tag && der_any(in, NULL, content, whole);
}

bool der_maybe(struct der *in, uint8_t tag, struct der *content, bool *found)
{
    *found = der_peek(in) == tag;
    return !*found || der_any(in, NULL, content, NULL);
}

bool der_bool(struct der *in, bool *value)
{
    struct der content;
    if (!der_take(in, DER_BOOLEAN, &content) || der_left(&content) != 1)
        return false;
    *value = *content.p != 0;
    return *content.p == 0x00 || *content.p == 0xff;
}

bool der_integer(struct der *in, struct x509_slice *magnitude, bool *negative)
{
    struct der content;
    if (!der_take(in, DER_INTEGER, &content) || der_empty(&content))
        return false;
    struct x509_slice s = der_rest(&content);
    if (s.size > 1 &&
        ((s.data[0] == 0x00 && !(s.data[1] & 0x80)) || (s.data[0] == 0xff && (s.data[1] & 0x80))))
        return false;
    *negative = s.data[0] & 0x80;
    if (s.size > 1 && s.data[0] == 0x00) {
        s.data++;
        s.size--;
    }
    *magnitude = s;
    return true;
}

bool der_uint(struct der *in, uint32_t max, uint32_t *value)
{
    struct x509_slice s;
    bool negative;
    if (!der_integer(in, &s, &negative) || negative || s.size > 4)
        return false;
    uint32_t v = 0;
    for (size_t i = 0; i < s.size; i++)
        v = v << 8 | s.data[i];
    *value = v;
    return v <= max;
}

bool der_bits(struct der *in, struct x509_slice *bits, unsigned *unused)
{
    struct der content;
    if (!der_take(in, DER_BIT_STRING, &content) || der_empty(&content) || *content.p > 7)
        return false;
    *unused = *content.p++;
    *bits = der_rest(&content);
    if (*unused == 0)
        return true;
    return bits->size > 0 && !(bits->data[bits->size - 1] & ((1u << *unused) - 1));
}

/* Two decimal digits at P, or -1. */
static int two_digits(const uint8_t *p)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
        return -1;
    return (p[0] - '0') * 10 + (p[1] - '0');
}

/* Days from 1970-01-01 in the proleptic Gregorian calendar. */
static int64_t days_from_civil(int year, int month, int day)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    assert(month >= 1 && month <= 12);
    int64_t y = year - 1;
    int64_t days = 365 * y + y / 4 - y / 100 + y / 400 + before[month - 1] + day - 1;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (leap && month > 2)
        days++;
    return days - 719162;
}

static bool valid_day(int year, int month, int day)
{
    static const int length[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12 || day < 1)
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= length[month - 1] + (leap && month == 2);
}

bool der_time(struct der *in, int64_t *seconds)
{
    uint8_t tag;
    struct der content;
    if (!der_any(in, &tag, &content, NULL))
        return false;
    const uint8_t *p = content.p;
    int year;
    if (tag == DER_UTC_TIME && der_left(&content) == 13) {
        year = two_digits(p);
        if (year < 0)
            return false;
        year += year < 50 ? 2000 : 1900;
        p += 2;
    } else if (tag == DER_GENERALIZED_TIME && der_left(&content) == 15) {
        int high = two_digits(p), low = two_digits(p + 2);
        if (high < 0 || low < 0)
            return false;
        year = high * 100 + low;
        p += 4;
    } else {
        return false;
    }
    int month = two_digits(p), day = two_digits(p + 2), hour = two_digits(p + 4), minute = two_digits(p + 6),
        second = two_digits(p + 8);
    if (year < 1 || !valid_day(year, month, day) || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
        second < 0 || second > 59 || p[10] != 'Z')
        return false;
    *seconds = ((days_from_civil(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    return true;
}

bool der_equal(struct x509_slice slice, const void *data, size_t size)
{
    return slice.size == size && (size == 0 || memcmp(slice.data, data, size) == 0);
}

bool der_same(struct x509_slice a, struct x509_slice b)
{
    return der_equal(a, b.data, b.size);
}

struct x509_slice der_rest(const struct der *in)
{
    return (struct x509_slice){in->p, der_left(in)};
}
