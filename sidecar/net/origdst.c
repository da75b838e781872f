/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/net/origdst.h"

#include <string.h>
#include <unistd.h>

/* The same number for both families: SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST of the kernel's headers, which
 * do not go together with those of libc. */
enum { ORIGINAL_DST = 80 };

bool net_origdst(int fd, union net_addr *out, const char **why)
{
    struct sockaddr_storage own = {0}, original = {0};
    socklen_t own_size = sizeof own, size = sizeof original;
    out->sa.sa_family = AF_UNSPEC;
    *why = "its socket has no address";
    if (getsockname(fd, (struct sockaddr *)&own, &own_size) != 0)
        return false;
    *why = "it was not redirected here by the kernel";
    if (getsockopt(fd, own.ss_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP, ORIGINAL_DST, &original,
                   &size) != 0)
        return false;
    net_addr_set(out, (struct sockaddr *)&original);
    if (net_addr_equal(&out->sa, (struct sockaddr *)&own))
        return false;
    *why = "its destination is this host's loopback";
    if (out->sa.sa_family == AF_UNSPEC || net_addr_is_loopback(&out->sa))
        return false;
    *why = NULL;
    return true;
}

bool net_has_ipv6_loopback(void)
{
    struct sockaddr_in6 addr = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof addr) == 0;
    if (fd >= 0)
        (void)close(fd);
    return has;
}
