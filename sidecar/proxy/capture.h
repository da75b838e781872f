/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Captured connections: which [outbound] they belong to, by where they wanted to go. */
#ifndef SIDECAR_PROXY_CAPTURE_H
#define SIDECAR_PROXY_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "sidecar/net/addr.h"
#include "sidecar/proxy/worker.h"

/* The first outbound whose destinations and ports have TO. False: none. */
bool capture_choose(const struct config *config, const struct sockaddr *to, size_t *index);

/*
 * For FD from the capture listener: where it wanted to go, and its outbound by the worker's snapshot. False:
 * it goes nowhere; this is logged and counted, and FD is reset and closed.
 */
bool capture_accept(struct worker *worker, int fd, const struct sockaddr *peer, union net_addr *to,
                    size_t *index);

#endif
