/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * TLS over memory: trust.h (roots, the judge), peer.h (who the peer is), san.h (names), ctx.h (contexts),
 * stream.h (one connection), hello.h (the first bytes). Touches wolfSSL and certrotate's pure headers,
 * nothing else.
 */
#ifndef SIDECAR_TLS_TLS_H
#define SIDECAR_TLS_TLS_H

#include "sidecar/tls/ctx.h"
#include "sidecar/tls/hello.h"
#include "sidecar/tls/peer.h"
#include "sidecar/tls/san.h"
#include "sidecar/tls/stream.h"
#include "sidecar/tls/trust.h"

#endif
