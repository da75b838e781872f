/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the kernel is to redirect, as a list of rules: from the configuration, into nft's language for people,
 * and (redirect_kernel.h) into the kernel. Pure.
 *
 * Two chains of the table `inet outrider`, both for new TCP connections, the first rule that fits decides:
 * inbound leads callers of the port that an inbound forwards to, to that inbound's own port; outbound leads
 * the application's connections to the capture listener. Loopback, UDP, DNS and the sidecar's own user are
 * never touched, which is also why nothing can go in circles.
 */
#ifndef SIDECAR_REDIRECT_RULES_H
#define SIDECAR_REDIRECT_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config/config.h"

enum redirect_match {
    REDIRECT_NOT_TCP,
    REDIRECT_LOOPBACK, /* comes in or goes out by the interface lo */
    REDIRECT_UID,      /* first..last */
    REDIRECT_TO,       /* destination in cidr */
    REDIRECT_PORT,     /* destination port first..last */
    REDIRECT_REST,
};

struct redirect_rule {
    bool outbound; /* of the chain outbound */
    enum redirect_match match;
    uint32_t first, last;
    struct config_cidr cidr;
    uint16_t port; /* led to this port of the host itself; 0: left alone */
};

struct redirect_rules {
    struct redirect_rule *rule; /* those of inbound first */
    size_t count;
};

/*
 * The rules of CONFIG, owned by the caller. False with ERROR in static words: CONFIG has no [capture] port,
 * or two inbounds forward to one port, or memory is out.
 */
bool redirect_rules_from(const struct config *config, struct redirect_rules *rules, const char **error)
    __attribute__((warn_unused_result));
void redirect_rules_clear(struct redirect_rules *rules);

/* As a script for `nft -f`, which puts them in place of what the table held. */
void redirect_rules_print(const struct redirect_rules *rules, FILE *out);

#endif
