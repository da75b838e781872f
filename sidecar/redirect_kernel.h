/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The redirect rules in the kernel: nf_tables over netlink, without nft or any library, so that it works from
 * the image, which holds one static binary (Debian has libnftnl as a static library, but not libmnl, which it
 * stands on). Needs CAP_NET_ADMIN in the network namespace.
 */
#ifndef SIDECAR_REDIRECT_KERNEL_H
#define SIDECAR_REDIRECT_KERNEL_H

#include "sidecar/redirect_rules.h"

#define REDIRECT_ERROR 256 /* room for an error in words */

/* Puts RULES in place of whatever the table held, in one transaction: no connection slips through between. */
bool redirect_kernel_apply(const struct redirect_rules *rules, char error[REDIRECT_ERROR])
    __attribute__((warn_unused_result));

/* Removes the table; fine where there is none. */
bool redirect_kernel_remove(char error[REDIRECT_ERROR]) __attribute__((warn_unused_result));

/* Whether the kernel's table is these rules exactly. False: ERROR says what differs, or what failed. */
bool redirect_kernel_check(const struct redirect_rules *rules, char error[REDIRECT_ERROR])
    __attribute__((warn_unused_result));

#endif
