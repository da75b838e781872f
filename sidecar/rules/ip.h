/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Addresses of the rule language: reading, writing, masking and ordering, the same on every C library.
 */
#ifndef SIDECAR_RULES_IP_H
#define SIDECAR_RULES_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* IPv4-mapped IPv6 is IPv6 and never equals the IPv4 address. */
struct rules_ip {
    uint8_t family;   /* 4 or 6 */
    uint8_t addr[16]; /* network order; of IPv4 the first four, the rest zero */
};

/* One plain address: strict dotted decimal, or any text form of RFC 4291. */
bool rules_ip_parse(const char *text, size_t size, struct rules_ip *ip);

/*
 * One item of a set: an address, a network with no host bits set, or a range LOW..HIGH of one family.
 * Networks and addresses may leave out trailing parts of IPv4 (10/8). Gives the first and the last address.
 */
enum rules_ip_result { RULES_IP_OK, RULES_IP_BAD, RULES_IP_HOST_BITS, RULES_IP_BAD_RANGE };
enum rules_ip_result rules_ip_parse_item(const char *text, size_t size, struct rules_ip *low,
                                         struct rules_ip *high);

/* Numeric order within a family; IPv4 before IPv6. */
int rules_ip_compare(const struct rules_ip *a, const struct rules_ip *b);

/* Clears all but the first BITS bits. */
void rules_ip_mask(struct rules_ip *ip, unsigned bits);

/* Canonical text (RFC 5952). Returns its length; OUT holds RULES_IP_TEXT bytes and ends in zero. */
enum { RULES_IP_TEXT = 46 };
size_t rules_ip_text(const struct rules_ip *ip, char *out);

static inline uint32_t rules_ip_v4(const struct rules_ip *ip)
{
    return (uint32_t)ip->addr[0] << 24 | (uint32_t)ip->addr[1] << 16 | (uint32_t)ip->addr[2] << 8 |
           ip->addr[3];
}

unsigned __int128 rules_ip_v6(const struct rules_ip *ip);
struct rules_ip rules_ip_from_v4(uint32_t number);
struct rules_ip rules_ip_from_v6(unsigned __int128 number);

#endif
