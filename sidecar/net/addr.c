/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/net/addr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

void net_addr_set(union net_addr *out, const struct sockaddr *from)
{
    union net_addr addr;
    memset(&addr, 0, sizeof(addr));
    if (from && from->sa_family == AF_INET) {
        memcpy(&addr.in, from, sizeof(addr.in));
        memset(addr.in.sin_zero, 0, sizeof(addr.in.sin_zero));
    } else if (from && from->sa_family == AF_INET6) {
        struct sockaddr_in6 six;
        memcpy(&six, from, sizeof(six));
        if (IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) {
            addr.in.sin_family = AF_INET;
            addr.in.sin_port = six.sin6_port;
            memcpy(&addr.in.sin_addr, six.sin6_addr.s6_addr + 12, 4);
        } else {
            addr.in6 = six;
        }
    }
    *out = addr;
}

static const char *unix_text(const struct sockaddr *addr, char *out, size_t size)
{
    struct sockaddr_un un;
    memcpy(&un, addr, sizeof(un));
    const char *path = un.sun_path;
    size_t room = sizeof(un.sun_path);
    bool abstract = path[0] == 0 && path[1] != 0;
    if (abstract) {
        path++;
        room--;
    }
    snprintf(out, size, "unix:%s%.*s", abstract ? "@" : "", (int)strnlen(path, room), path);
    return out;
}

/* As inet_ntop() writes it, without printf(): each request has one. */
static void ipv4_text(const uint8_t ip[4], char out[INET6_ADDRSTRLEN])
{
    for (int i = 0; i < 4; i++) {
        unsigned n = ip[i];
        if (n >= 100)
            *out++ = (char)('0' + n / 100);
        if (n >= 10)
            *out++ = (char)('0' + n / 10 % 10);
        *out++ = (char)('0' + n % 10);
        *out++ = i < 3 ? '.' : '\0';
    }
}

/* BARE: without port and brackets. */
static const char *text(const struct sockaddr *from, char *out, size_t size, bool bare)
{
    if (from && from->sa_family == AF_UNIX)
        return unix_text(from, out, size);

    union net_addr addr;
    char host[INET6_ADDRSTRLEN];
    char zone[16] = "";
    net_addr_set(&addr, from);
    if (addr.sa.sa_family == AF_INET) {
        ipv4_text((const uint8_t *)&addr.in.sin_addr, host);
    } else if (addr.sa.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &addr.in6.sin6_addr, host, sizeof(host));
        if (addr.in6.sin6_scope_id)
            snprintf(zone, sizeof(zone), "%%%u", (unsigned)addr.in6.sin6_scope_id);
    } else {
        snprintf(out, size, "unknown");
        return out;
    }
    size_t length = strlen(host);
    if (bare && !*zone && length < size)
        memcpy(out, host, length + 1);
    else if (bare)
        snprintf(out, size, "%s%s", host, zone);
    else if (addr.sa.sa_family == AF_INET)
        snprintf(out, size, "%s:%u", host, ntohs(addr.in.sin_port));
    else
        snprintf(out, size, "[%s%s]:%u", host, zone, ntohs(addr.in6.sin6_port));
    return out;
}

const char *net_addr_text(const struct sockaddr *addr, char *out, size_t size)
{
    return text(addr, out, size, false);
}

const char *net_addr_host_text(const struct sockaddr *addr, char *out, size_t size)
{
    return text(addr, out, size, true);
}

/* A zone is an interface's name or its number. */
static bool parse_zone(const char *zone, uint32_t *id)
{
    unsigned number = if_nametoindex(zone);
    if (!number) {
        size_t digits = strspn(zone, "0123456789");
        if (!digits || digits > 9 || zone[digits])
            return false;
        number = (unsigned)strtoul(zone, NULL, 10);
    }
    *id = number;
    return number != 0;
}

bool net_addr_literal(const char *host, uint16_t port, union net_addr *out)
{
    char copy[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
    size_t length = strlen(host);
    bool brackets = length >= 2 && host[0] == '[' && host[length - 1] == ']';
    if (brackets) {
        host++;
        length -= 2;
    }
    if (length >= sizeof(copy))
        return false;
    memcpy(copy, host, length);
    copy[length] = 0;

    union net_addr addr;
    memset(&addr, 0, sizeof(addr));
    if (!brackets && inet_pton(AF_INET, copy, &addr.in.sin_addr) == 1) {
        addr.in.sin_family = AF_INET;
        addr.in.sin_port = htons(port);
    } else {
        char *zone = strchr(copy, '%');
        if (zone)
            *zone++ = 0;
        memset(&addr, 0, sizeof(addr));
        if (inet_pton(AF_INET6, copy, &addr.in6.sin6_addr) != 1)
            return false;
        if (zone && !parse_zone(zone, &addr.in6.sin6_scope_id))
            return false;
        addr.in6.sin6_family = AF_INET6;
        addr.in6.sin6_port = htons(port);
    }
    *out = addr;
    return true;
}

uint16_t net_addr_port(const struct sockaddr *from)
{
    union net_addr addr;
    net_addr_set(&addr, from);
    switch (addr.sa.sa_family) {
    case AF_INET: return ntohs(addr.in.sin_port);
    case AF_INET6: return ntohs(addr.in6.sin6_port);
    default: return 0;
    }
}

socklen_t net_addr_size(const struct sockaddr *addr)
{
    switch (addr->sa_family) {
    case AF_INET: return sizeof(struct sockaddr_in);
    case AF_INET6: return sizeof(struct sockaddr_in6);
    default: return 0;
    }
}

bool net_addr_equal(const struct sockaddr *a, const struct sockaddr *b)
{
    union net_addr x, y;
    net_addr_set(&x, a);
    net_addr_set(&y, b);
    if (x.sa.sa_family != y.sa.sa_family)
        return false;
    if (x.sa.sa_family == AF_INET)
        return x.in.sin_port == y.in.sin_port && x.in.sin_addr.s_addr == y.in.sin_addr.s_addr;
    return x.sa.sa_family == AF_INET6 && x.in6.sin6_port == y.in6.sin6_port &&
           x.in6.sin6_scope_id == y.in6.sin6_scope_id &&
           memcmp(&x.in6.sin6_addr, &y.in6.sin6_addr, sizeof(x.in6.sin6_addr)) == 0;
}

bool net_addr_is_loopback(const struct sockaddr *from)
{
    if (from && from->sa_family == AF_UNIX)
        return true;
    union net_addr addr;
    net_addr_set(&addr, from);
    if (addr.sa.sa_family == AF_INET)
        return ntohl(addr.in.sin_addr.s_addr) >> 24 == 127;
    return addr.sa.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&addr.in6.sin6_addr);
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    if (memcmp(a, b, bits / 8) != 0)
        return false;
    unsigned rest = bits % 8;
    return !rest || !((a[bits / 8] ^ b[bits / 8]) >> (8 - rest));
}

bool net_addr_in(const struct sockaddr *from, const struct sockaddr *block_from, unsigned bits)
{
    union net_addr addr, block;
    net_addr_set(&addr, from);
    if (block_from->sa_family == AF_INET6 && bits < 96) {
        memset(&block, 0, sizeof(block));
        memcpy(&block.in6, block_from, sizeof(block.in6));
    } else {
        net_addr_set(&block, block_from);
        if (block_from->sa_family == AF_INET6 && block.sa.sa_family == AF_INET)
            bits -= 96;
    }
    if (addr.sa.sa_family != block.sa.sa_family)
        return false;
    if (addr.sa.sa_family == AF_INET)
        return bits <= 32 &&
               same_bits((const uint8_t *)&addr.in.sin_addr, (const uint8_t *)&block.in.sin_addr, bits);
    return addr.sa.sa_family == AF_INET6 && bits <= 128 &&
           same_bits(addr.in6.sin6_addr.s6_addr, block.in6.sin6_addr.s6_addr, bits);
}

uint64_t net_addr_network(const struct sockaddr *addr)
{
    union net_addr ip;
    uint64_t network = 0;
    net_addr_set(&ip, addr);
    if (ip.sa.sa_family == AF_INET)
        network = UINT64_MAX << 32 | ip.in.sin_addr.s_addr; /* no IPv6 address begins like that */
    else if (ip.sa.sa_family == AF_INET6)
        memcpy(&network, &ip.in6.sin6_addr, sizeof network);
    return network;
}
