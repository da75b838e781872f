/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What sessions leave in the worker's counters and, by the certificate of a caller, in the ledger. Those that
 * we call are not in the ledger.
 */
#ifndef SIDECAR_PROXY_TALLY_H
#define SIDECAR_PROXY_TALLY_H

#include "sidecar/proxy/session.h"
#include "sidecar/proxy/worker.h"

/* The handshake of S came about: TLS lets it in. */
void tally_handshake(struct session *s);
/* It did not; WHY tells the reason. */
void tally_handshake_failed(struct session *s, enum session_end end, const char *why);
/* S ends; where its handshake was still going on, that failed. */
void tally_end(struct session *s, enum session_end end, const char *why);
/* Policy refuses the connection of S, in WORDS; UNSPOKEN: because it does not speak what it should. */
void tally_blocked(struct session *s, bool unspoken, const char *words);
/* S is closed. */
void tally_leave(struct session *s);

/* A request of S has come. NOW: seconds since 1970. */
void tally_request(struct session *s, int64_t now);
/* It was refused, as BY counts: by the KIND (rule, ratelimit ...) called NAME; NULL: by none. */
void tally_refused_request(struct session *s, enum counter by, const char *kind, const char *name);

#endif
