/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Keeps web pages away from a listener on loopback. A page that has its own name resolve to 127.0.0.1 (DNS
 * rebinding) sends that name as Host; a page of another site that has the browser ask names itself in Origin
 * (RFC 6454). Neither passes. Pure: text in, verdict out.
 */
#ifndef SIDECAR_ADMIN_GUARD_H
#define SIDECAR_ADMIN_GUARD_H

#include <stdbool.h>

#include "sidecar/http/field.h"

/*
 * Whether HOST (as Host has it, perhaps with a port) is a loopback name or address. Whatever the port: a
 * rebound name is told by the name, and a tunnel (kubectl port-forward) may begin at another port than ours.
 */
bool guard_host(struct http_str host);

/* Whether ORIGIN is the site itself: "http://" and HOST, letters in either case. */
bool guard_origin(struct http_str origin, struct http_str host);

#endif
