/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a session ended, told once: a line in the log, counters. */
#ifndef SIDECAR_PROXY_REPORT_H
#define SIDECAR_PROXY_REPORT_H

#include "sidecar/proxy/session.h"

/* Before anything of S is released. WHY: in words, or NULL. */
void report_session(struct session *s, enum session_end end, const char *why);

/* A connection to the service or peer did not come about, or is no longer trusted: WHY, while the session of
 * S goes on. */
void report_service(const struct session *s, const char *why);

#endif
