/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who called, ready to be written into headers: made once per peer, kept with it. */
#ifndef SIDECAR_PROXY_CALLER_H
#define SIDECAR_PROXY_CALLER_H

#include "sidecar/http/headers.h"
#include "sidecar/proxy/policy.h"
#include "sidecar/proxy/session.h"

/*
 * Fills CALLER for a request of S under a [headers] section (or NULL). Identity is there only for a peer that
 * VERDICT trusts. ADDRESS is the text's room.
 */
void caller_fill(struct headers_caller *caller, const struct session *s,
                 const struct proxy_policy_headers *headers, const struct tls_verdict *verdict,
                 char address[NET_ADDR_TEXT]);

#endif
