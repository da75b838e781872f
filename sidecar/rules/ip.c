/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/rules/ip.h"

#include <stdio.h>
#include <string.h>

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex(char c)
{
    if (digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* One decimal number up to 255; strict: at most three digits, no leading zero. */
static bool parse_part(const char **p, const char *end, bool strict, uint8_t *part)
{
    const char *start = *p;
    unsigned value = 0;
    while (*p < end && digit(**p)) {
        value = value * 10 + (unsigned)(**p - '0');
        if (value > 255)
            return false;
        (*p)++;
    }
    if (*p == start || (strict && *p - start > 1 && *start == '0'))
        return false;
    *part = (uint8_t)value;
    return true;
}

/* Dotted decimal; exactly four parts, or where LENIENT one to four. */
static bool parse_v4(const char *p, const char *end, bool lenient, uint8_t *addr)
{
    for (int i = 0; i < 4; i++) {
        if (i > 0) {
            if (p == end)
                return lenient;
            if (*p++ != '.')
                return false;
        }
        if (!parse_part(&p, end, !lenient, &addr[i]))
            return false;
    }
    return p == end;
}

/* Groups of hex digits up to END or a double colon; the last two may be dotted decimal. */
static int parse_groups(const char **p, const char *end, uint8_t *out, int max)
{
    int n = 0;
    while (n < max) {
        const char *q = *p;
        if (n > 0) {
            if (q == end || *q != ':' || (q + 1 < end && q[1] == ':'))
                break;
            q++;
        }
        const char *start = q;
        unsigned value = 0;
        while (q < end && q - start < 5 && hex(*q) >= 0)
            value = value << 4 | (unsigned)hex(*q++);
        if (q < end && *q == '.') {
            if (n + 2 > max || !parse_v4(start, end, false, out + 2 * n))
                return -1;
            *p = end;
            return n + 2;
        }
        if (q == start) {
            if (n > 0)
                return -1;
            break;
        }
        if (q - start > 4)
            return -1;
        out[2 * n] = (uint8_t)(value >> 8);
        out[2 * n + 1] = (uint8_t)value;
        n++;
        *p = q;
    }
    return n;
}

static bool parse_v6(const char *p, const char *end, uint8_t *addr)
{
    uint8_t head[16], tail[16];
    int nhead = parse_groups(&p, end, head, 8);
    if (nhead < 0)
        return false;
    memcpy(addr, head, (size_t)nhead * 2);
    if (nhead == 8)
        return p == end;
    if (end - p < 2 || p[0] != ':' || p[1] != ':')
        return false;
    p += 2;
    int ntail = parse_groups(&p, end, tail, 7 - nhead);
    if (ntail < 0 || p != end)
        return false;
    memcpy(addr + 16 - 2 * ntail, tail, (size_t)ntail * 2);
    return true;
}

static bool parse_address(const char *text, size_t size, bool lenient, struct rules_ip *ip)
{
    memset(ip, 0, sizeof *ip);
    if (memchr(text, ':', size)) {
        ip->family = 6;
        return parse_v6(text, text + size, ip->addr);
    }
    ip->family = 4;
    return parse_v4(text, text + size, lenient, ip->addr);
}

bool rules_ip_parse(const char *text, size_t size, struct rules_ip *ip)
{
    return parse_address(text, size, false, ip);
}

static enum rules_ip_result parse_network(const char *text, const char *slash, const char *end,
                                          struct rules_ip *low, struct rules_ip *high)
{
    const char *p = slash + 1;
    uint8_t bits;
    if (!parse_address(text, (size_t)(slash - text), true, low) || !parse_part(&p, end, false, &bits) ||
        p != end || bits > (low->family == 4 ? 32 : 128))
        return RULES_IP_BAD;
    *high = *low;
    unsigned size = low->family == 4 ? 32 : 128;
    for (unsigned i = bits; i < size; i++) {
        uint8_t bit = (uint8_t)(0x80 >> (i & 7));
        if (low->addr[i >> 3] & bit)
            return RULES_IP_HOST_BITS;
        high->addr[i >> 3] |= bit;
    }
    return RULES_IP_OK;
}

enum rules_ip_result rules_ip_parse_item(const char *text, size_t size, struct rules_ip *low,
                                         struct rules_ip *high)
{
    const char *dots = memmem(text, size, "..", 2);
    if (dots) {
        size_t first = (size_t)(dots - text);
        if (!parse_address(text, first, false, low) ||
            !parse_address(dots + 2, size - first - 2, false, high))
            return RULES_IP_BAD;
        if (low->family != high->family || rules_ip_compare(low, high) > 0)
            return RULES_IP_BAD_RANGE;
        return RULES_IP_OK;
    }
    const char *slash = memchr(text, '/', size);
    if (slash)
        return parse_network(text, slash, text + size, low, high);
    if (!parse_address(text, size, true, low))
        return RULES_IP_BAD;
    *high = *low;
    return RULES_IP_OK;
}

int rules_ip_compare(const struct rules_ip *a, const struct rules_ip *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    return memcmp(a->addr, b->addr, sizeof a->addr);
}

void rules_ip_mask(struct rules_ip *ip, unsigned bits)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned keep = bits > 8 * i ? bits - 8 * i : 0;
        if (keep < 8)
            ip->addr[i] &= (uint8_t)(0xff00 >> keep);
    }
}

unsigned __int128 rules_ip_v6(const struct rules_ip *ip)
{
    unsigned __int128 number = 0;
    for (int i = 0; i < 16; i++)
        number = number << 8 | ip->addr[i];
    return number;
}

struct rules_ip rules_ip_from_v4(uint32_t number)
{
    return (struct rules_ip){
        .family = 4,
        .addr = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number}};
}

struct rules_ip rules_ip_from_v6(unsigned __int128 number)
{
    struct rules_ip ip = {.family = 6};
    for (int i = 15; i >= 0; i--, number >>= 8)
        ip.addr[i] = (uint8_t)number;
    return ip;
}

static size_t text_v4(const uint8_t *addr, char *out)
{
    return (size_t)snprintf(out, 16, "%u.%u.%u.%u", addr[0], addr[1], addr[2], addr[3]);
}

size_t rules_ip_text(const struct rules_ip *ip, char *out)
{
    if (ip->family == 4)
        return text_v4(ip->addr, out);
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (memcmp(ip->addr, mapped, sizeof mapped) == 0) {
        memcpy(out, "::ffff:", 7);
        return 7 + text_v4(ip->addr + 12, out + 7);
    }
    /* The longest run of two or more zero groups, the first of those, becomes "::". */
    unsigned group[8];
    int best = -1, best_length = 1;
    for (int i = 0; i < 8; i++)
        group[i] = (unsigned)ip->addr[2 * i] << 8 | ip->addr[2 * i + 1];
    for (int i = 0; i < 8; i++) {
        int length = 0;
        while (i + length < 8 && group[i + length] == 0)
            length++;
        if (length > best_length) {
            best = i;
            best_length = length;
        }
        if (length > 0)
            i += length - 1;
    }
    size_t n = 0;
    for (int i = 0; i < 8; i++) {
        if (i == best) {
            memcpy(out + n, "::", 2);
            n += 2;
            i += best_length - 1;
            continue;
        }
        if (n > 0 && out[n - 1] != ':')
            out[n++] = ':';
        n += (size_t)snprintf(out + n, 5, "%x", group[i]);
    }
    out[n] = 0;
    return n;
}
