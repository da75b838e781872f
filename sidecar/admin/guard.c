/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/admin/guard.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "sidecar/net/addr.h"

static bool is_port(const char *p, size_t n)
{
    uint32_t port = 0;
    if (n == 0 || n > 5)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        port = port * 10 + (uint32_t)(p[i] - '0');
    }
    return port != 0 && port <= UINT16_MAX;
}

bool guard_host(struct http_str host)
{
    char name[64];
    union net_addr literal;
    size_t n = host.n;
    /* The colon of a port, not one within an IPv6 address in brackets. */
    const char *colon = n != 0 && host.p[n - 1] != ']' ? memrchr(host.p, ':', n) : NULL;
    if (colon) {
        n = (size_t)(colon - host.p);
        if (!is_port(colon + 1, host.n - n - 1))
            return false;
    }
    if (n == 0 || n >= sizeof name)
        return false;
    memcpy(name, host.p, n);
    name[n] = '\0';
    if (strcasecmp(name, "localhost") == 0)
        return true;
    /* An IPv6 address stands in brackets there. */
    if ((name[0] == '[') != (memchr(name, ':', n) != NULL))
        return false;
    return net_addr_literal(name, 0, &literal) && net_addr_is_loopback(&literal.sa);
}

bool guard_origin(struct http_str origin, struct http_str host)
{
    static const char scheme[] = "http://";
    size_t n = sizeof scheme - 1;
    return origin.n == n + host.n && strncasecmp(origin.p, scheme, n) == 0 &&
           strncasecmp(origin.p + n, host.p, host.n) == 0;
}
