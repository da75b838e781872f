/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Texts of names, numbers and times, and digests: the formats of the rule fields. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/sha.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include "certrotate/der.h"
#include "certrotate/x509.h"

/* Where a text goes: LENGTH counts on when SIZE is used up. */
struct text {
    char *out;
    size_t size;
    size_t length;
};

static void put(struct text *t, char c)
{
    if (t->length + 1 < t->size)
        t->out[t->length] = c;
    t->length++;
}

static void put_string(struct text *t, const char *s)
{
    while (*s)
        put(t, *s++);
}

static void put_hex(struct text *t, uint8_t byte, bool upper)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    put(t, digits[byte >> 4]);
    put(t, digits[byte & 15]);
}

static size_t finish(struct text *t)
{
    if (t->size > 0)
        t->out[t->length < t->size ? t->length : t->size - 1] = 0;
    return t->length;
}

/* --- numbers, times, digests --- */

size_t x509_hex(struct x509_slice octets, bool upper, char *out, size_t size)
{
    struct text t = {out, size, 0};
    for (size_t i = 0; i < octets.size; i++)
        put_hex(&t, octets.data[i], upper);
    return finish(&t);
}

size_t x509_integer_hex(struct x509_slice octets, bool negative, char *out, size_t size)
{
    if (!negative)
        return x509_hex(octets, true, out, size);
    struct text t = {out, size, 0};
    /* Two's complement: the magnitude is the inverse plus one, which carries through trailing zero octets. */
    put(&t, '-');
    size_t last = octets.size;
    while (last > 0 && octets.data[last - 1] == 0)
        last--;
    for (size_t i = 0; i < octets.size; i++) {
        uint8_t inverse = (uint8_t)~octets.data[i];
        uint8_t byte = i + 1 < last ? inverse : (uint8_t)(inverse + 1);
        if (i == 0 && byte == 0 && octets.size > 1)
            continue; /* FF 7F is -81: its first octet is only sign */
        put_hex(&t, byte, true);
    }
    return finish(&t);
}

size_t x509_serial_hex(const struct x509 *cert, char *out, size_t size)
{
    return x509_integer_hex(cert->serial, cert->serial_negative, out, size);
}

/* The civil date of a day since 1970-01-01 (proleptic Gregorian calendar, years counted from March). */
static void civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = y + era * 400 + (*month <= 2);
}

size_t x509_time_text(int64_t seconds, char *out, size_t size)
{
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t days = seconds / 86400, rest = seconds % 86400, year;
    int month, day;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    civil_from_days(days, &year, &month, &day);
    int n = snprintf(out, size, "%s %2d %02d:%02d:%02d %04lld GMT", months[month - 1], day,
                     (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60), (long long)year);
    return n < 0 ? 0 : (size_t)n;
}

void x509_sha256(struct x509_slice der, uint8_t digest[32])
{
    /* Only fails without memory or on an argument that cannot be: no digest is better than a wrong one. */
    if (wc_Sha256Hash(der.data, (word32)der.size, digest) != 0)
        memset(digest, 0, 32);
}

void x509_sha1(struct x509_slice der, uint8_t digest[20])
{
    if (wc_ShaHash(der.data, (word32)der.size, digest) != 0)
        memset(digest, 0, 20);
}

/* --- object identifiers --- */

/* Short names as OpenSSL prints them, but STREET (RFC 2253 section 2.3). */
static const struct {
    const char *oid;
    const char *name;
} NAMES[] = {
    {"\x55\x04\x03", "CN"},
    {"\x55\x04\x04", "SN"},
    {"\x55\x04\x05", "serialNumber"},
    {"\x55\x04\x06", "C"},
    {"\x55\x04\x07", "L"},
    {"\x55\x04\x08", "ST"},
    {"\x55\x04\x09", "STREET"},
    {"\x55\x04\x0a", "O"},
    {"\x55\x04\x0b", "OU"},
    {"\x55\x04\x0c", "title"},
    {"\x55\x04\x0d", "description"},
    {"\x55\x04\x0f", "businessCategory"},
    {"\x55\x04\x10", "postalAddress"},
    {"\x55\x04\x11", "postalCode"},
    {"\x55\x04\x12", "postOfficeBox"},
    {"\x55\x04\x14", "telephoneNumber"},
    {"\x55\x04\x29", "name"},
    {"\x55\x04\x2a", "GN"},
    {"\x55\x04\x2b", "initials"},
    {"\x55\x04\x2c", "generationQualifier"},
    {"\x55\x04\x2d", "x500UniqueIdentifier"},
    {"\x55\x04\x2e", "dnQualifier"},
    {"\x55\x04\x41", "pseudonym"},
    {"\x55\x04\x48", "role"},
    {"\x55\x04\x61", "organizationIdentifier"},
    {"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", "emailAddress"},
    {"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x02", "unstructuredName"},
    {"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x08", "unstructuredAddress"},
    {"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01", "UID"},
    {"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", "DC"},
    {"\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x01", "jurisdictionL"},
    {"\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x02", "jurisdictionST"},
    {"\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x03", "jurisdictionC"},
};

const char *x509_oid_name(struct x509_slice oid)
{
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (der_equal(oid, NAMES[i].oid, strlen(NAMES[i].oid)))
            return NAMES[i].name;
    return NULL;
}

static void put_oid(struct text *t, struct x509_slice oid)
{
    char number[24];
    size_t i = 0;
    for (bool first = true; i < oid.size; first = false) {
        uint64_t arc = 0;
        bool big = false;
        do {
            big |= arc >> 56;
            arc = arc << 7 | (oid.data[i] & 0x7f);
        } while (oid.data[i++] & 0x80 && i < oid.size);
        if (big) {
            put_string(t, first ? "?" : ".?"); /* no registered OID has an arc beyond 63 bits */
            continue;
        }
        if (first) {
            uint64_t top = arc < 80 ? arc / 40 : 2;
            snprintf(number, sizeof number, "%u.", (unsigned)top);
            put_string(t, number);
            arc -= top * 40;
        } else {
            put(t, '.');
        }
        snprintf(number, sizeof number, "%llu", (unsigned long long)arc);
        put_string(t, number);
    }
}

size_t x509_oid_text(struct x509_slice oid, char *out, size_t size)
{
    struct text t = {out, size, 0};
    put_oid(&t, oid);
    return finish(&t);
}

/* --- names --- */

int x509_name_attributes(struct x509_slice name, struct x509_attribute *out, size_t max)
{
    struct der in = der_from_slice(name), rdns, set, pair;
    int count = 0;
    if (!der_take(&in, DER_SEQUENCE, &rdns) || !der_empty(&in))
        return -1;
    while (!der_empty(&rdns)) {
        if (!der_take(&rdns, DER_SET, &set) || der_empty(&set))
            return -1;
        for (bool joins = false; !der_empty(&set); joins = true) {
            struct x509_attribute a = {.joins = joins};
            struct der oid, value;
            if (!der_take(&set, DER_SEQUENCE, &pair) || !der_take(&pair, DER_OID, &oid) ||
                !der_any(&pair, &a.tag, &value, &a.whole) || !der_empty(&pair))
                return -1;
            a.oid = der_rest(&oid);
            a.value = der_rest(&value);
            if (a.oid.size == 0 || a.oid.data[a.oid.size - 1] & 0x80 || count == X509_ATTRIBUTES_MAX)
                return -1;
            if ((size_t)count < max)
                out[count] = a;
            count++;
        }
    }
    return count;
}

/* How many octets a character takes in a string of this type: 0: as UTF-8 already, -1: no string. */
static int character_width(uint8_t tag)
{
    switch (tag) {
    case DER_UTF8_STRING: return 0;
    case DER_NUMERIC_STRING:
    case DER_PRINTABLE_STRING:
    case DER_T61_STRING:
    case DER_IA5_STRING:
    case DER_VISIBLE_STRING: return 1; /* T61 is Latin-1 in practice */
    case DER_BMP_STRING: return 2;
    case DER_UNIVERSAL_STRING: return 4;
    default: return -1;
    }
}

/* One character of an attribute as UTF-8 octets in OUT; returns their number, 0 at the end. */
static size_t next_character(const struct x509_attribute *a, size_t *at, uint8_t out[4])
{
    int width = character_width(a->tag);
    if (*at >= a->value.size)
        return 0;
    const uint8_t *p = a->value.data + *at;
    if (width <= 0) {
        out[0] = *p;
        ++*at;
        return 1;
    }
    uint32_t c = 0;
    for (int i = 0; i < width; i++)
        c = c << 8 | p[i];
    *at += (size_t)width;
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xc0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xe0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | c >> 18);
    out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (c & 0x3f));
    return 4;
}

/* Whether the value can be shown as characters; otherwise it is shown as #hex of its DER. */
static bool is_text(const struct x509_attribute *a)
{
    int width = character_width(a->tag);
    if (width < 0 || (width > 1 && a->value.size % (size_t)width != 0))
        return false;
    for (size_t i = 0; width > 1 && i < a->value.size; i += (size_t)width) {
        const uint8_t *p = a->value.data + i;
        uint32_t c = (uint32_t)(p[width - 2] << 8 | p[width - 1]);
        if (width == 4)
            c |= (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16;
        if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
            return false;
    }
    return true;
}

/* RFC 2253 section 2.4, with every byte outside printable ASCII as \XX. */
static void put_rfc2253(struct text *t, const struct x509_attribute *a)
{
    const char *name = x509_oid_name(a->oid);
    if (name)
        put_string(t, name);
    else
        put_oid(t, a->oid);
    put(t, '=');
    if (!name || !is_text(a)) {
        put(t, '#');
        for (size_t i = 0; i < a->whole.size; i++)
            put_hex(t, a->whole.data[i], true);
        return;
    }
    uint8_t c[4];
    size_t at = 0, n;
    for (bool first = true; (n = next_character(a, &at, c)) > 0; first = false) {
        bool last = at >= a->value.size;
        if (n == 1 && c[0] >= 0x20 && c[0] < 0x7f) {
            if (strchr(",+\"\\<>;", c[0]) || (first && c[0] == '#') || ((first || last) && c[0] == ' '))
                put(t, '\\');
            put(t, (char)c[0]);
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            put(t, '\\');
            put_hex(t, c[i], true);
        }
    }
}

size_t x509_name_rfc2253(struct x509_slice name, char *out, size_t size)
{
    struct x509_attribute list[X509_ATTRIBUTES_MAX];
    struct text t = {out, size, 0};
    int count = x509_name_attributes(name, list, X509_ATTRIBUTES_MAX);
    for (int i = count - 1; i >= 0; i--) {
        put_rfc2253(&t, &list[i]);
        if (i > 0)
            put(&t, list[i].joins ? '+' : ',');
    }
    return finish(&t);
}

size_t x509_name_legacy(struct x509_slice name, char *out, size_t size)
{
    struct x509_attribute list[X509_ATTRIBUTES_MAX];
    struct text t = {out, size, 0};
    int count = x509_name_attributes(name, list, X509_ATTRIBUTES_MAX);
    for (int i = 0; i < count; i++) {
        const char *type = x509_oid_name(list[i].oid);
        put(&t, '/');
        if (type)
            put_string(&t, type);
        else
            put_oid(&t, list[i].oid);
        put(&t, '=');
        for (size_t k = 0; k < list[i].value.size; k++) {
            uint8_t c = list[i].value.data[k];
            if (c >= 0x20 && c <= 0x7e) {
                put(&t, (char)c);
                continue;
            }
            put_string(&t, "\\x");
            put_hex(&t, c, true);
        }
    }
    return finish(&t);
}

bool x509_name_attribute(struct x509_slice name, const char *type, size_t index, char *out, size_t size,
                         size_t *length)
{
    struct x509_attribute list[X509_ATTRIBUTES_MAX];
    struct text t = {out, size, 0};
    int count = x509_name_attributes(name, list, X509_ATTRIBUTES_MAX);
    for (int i = 0; i < count; i++) {
        const char *have = x509_oid_name(list[i].oid);
        if (!have || strcmp(have, type) != 0 || index-- > 0)
            continue;
        uint8_t c[4];
        size_t at = 0, n;
        /* What is no text is given as its raw octets. */
        struct x509_attribute raw = list[i];
        if (!is_text(&raw))
            raw.tag = DER_UTF8_STRING;
        while ((n = next_character(&raw, &at, c)) > 0)
            for (size_t k = 0; k < n; k++)
                put(&t, (char)c[k]);
        size_t all = finish(&t);
        if (length)
            *length = all;
        return true;
    }
    return false;
}
