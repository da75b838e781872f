/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a session ended, told once: a line in the log, counters. */
#ifndef SIDECAR_PROXY_REPORT_H
#define SIDECAR_PROXY_REPORT_H

#include "sidecar/proxy/session.h"

/* Before anything of S is released. WHY: in words, or NULL. */
void report_session(const struct session *s, enum session_end end, const char *why);

#endif
