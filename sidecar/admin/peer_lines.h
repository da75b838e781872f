/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Metrics by caller, of bounded number: the busiest have a line each, by name, and what all others do is in
 * one. Every line only grows, and together they grow by what the ledger has counted, so that rates and their
 * sum are right whoever has a line. A line is given to whoever comes first; once all are taken, a caller that
 * is clearly busier than the least busy one takes over its line, one at each look.
 */
#ifndef SIDECAR_ADMIN_PEER_LINES_H
#define SIDECAR_ADMIN_PEER_LINES_H

#include "sidecar/admin/ledger.h"
#include "sidecar/admin/metrics.h"

struct peer_lines;

/* NULL without memory. */
struct peer_lines *peer_lines_new(void) __attribute__((warn_unused_result));
void peer_lines_free(struct peer_lines *lines); /* NULL is fine */

/* Takes what is fresh in LEDGER; at most MOST callers have a line from now on. */
void peer_lines_update(struct peer_lines *lines, struct ledger *ledger, size_t most);
/* The families METRIC_CALLER_... */
void peer_lines_render(const struct peer_lines *lines, struct metrics_text *out);

#endif
