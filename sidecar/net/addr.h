/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Socket addresses as values and as text: literals in, text out, CIDR blocks. Pure: no socket, no resolver.
 *
 * An IPv4-mapped IPv6 address (::ffff:10.0.0.1, as a dual-stack listener sees IPv4 callers) is shown and
 * matched as the IPv4 address that it is.
 */
#ifndef SIDECAR_NET_ADDR_H
#define SIDECAR_NET_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* An IP address and port in 28 bytes. sa.sa_family is AF_INET, AF_INET6, or AF_UNSPEC for "none". */
union net_addr {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

/* Room for any text of net_addr_text(), the closing zero included. */
#define NET_ADDR_TEXT 128

/*
 * Writes "10.0.0.1:80", "[2001:db8::1]:80", "[fe80::1%2]:80", "unix:/run/x.sock", "unix:@name" (abstract),
 * "unix:" (no name: a UNIX client), or "unknown" for NULL and other families. Cut off at SIZE, which must be
 * at least 1; always ends in zero. A sockaddr_un is read to its full size: clear it before the kernel fills
 * it. Returns OUT.
 */
const char *net_addr_text(const struct sockaddr *addr, char *out, size_t size);

/* The same without port and brackets: "10.0.0.1", "2001:db8::1". For UNIX as above. */
const char *net_addr_host_text(const struct sockaddr *addr, char *out, size_t size);

/*
 * Reads an address literal, "10.0.0.1", "2001:db8::1", "fe80::1%eth0" or "[2001:db8::1]", into OUT with PORT
 * (host byte order). IPv4 is strict: four decimal numbers, no leading zeros. False (OUT untouched) when HOST
 * is no literal: then it may be a name.
 */
bool net_addr_literal(const char *host, uint16_t port, union net_addr *out);

/* Port in host byte order; 0 where there is none. */
uint16_t net_addr_port(const struct sockaddr *addr);

/* Size of the sockaddr of ADDR's family, for connect() and bind(); 0 for a family that net_addr cannot hold.
 */
socklen_t net_addr_size(const struct sockaddr *addr);

/* Copies an IP sockaddr; an IPv4-mapped IPv6 address becomes plain IPv4. Other families (or NULL): AF_UNSPEC.
 */
void net_addr_set(union net_addr *out, const struct sockaddr *from);

/* True when both are IP and the same address and port, IPv4-mapped being IPv4. */
bool net_addr_equal(const struct sockaddr *a, const struct sockaddr *b);

/* The same for all that one host may come from: an IPv4 address, or the /64 of an IPv6 one; 0 for others. */
uint64_t net_addr_network(const struct sockaddr *addr);

/* True for 127.0.0.0/8 and ::1, mapped ones included, and for UNIX sockets. */
bool net_addr_is_loopback(const struct sockaddr *addr);

/*
 * True when ADDR lies in BLOCK/BITS (ports do not matter). Both are brought to IPv4 where mapped: a block
 * ::ffff:10.0.0.0/104 is 10.0.0.0/8; a mapped block shorter than /96 stays IPv6 and matches IPv6 alone. False
 * for other families, for different ones, and for BITS beyond the address.
 */
bool net_addr_in(const struct sockaddr *addr, const struct sockaddr *block, unsigned bits);

#endif
