/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where a connection wanted to go before the kernel redirected it here (nftables' redirect). */
#ifndef SIDECAR_NET_ORIGDST_H
#define SIDECAR_NET_ORIGDST_H

#include <stdbool.h>

#include "sidecar/net/addr.h"

/*
 * The original destination of the accepted connection FD, IPv4 or IPv6. False with *WHY in static words where
 * it was not redirected but came here by itself, and for a destination that is this host's loopback: going on
 * with either would make the listener an open proxy, or a circle.
 */
bool net_origdst(int fd, union net_addr *out, const char **why) __attribute__((warn_unused_result));

/* Whether this host has ::1 to listen on. */
bool net_has_ipv6_loopback(void);

#endif
