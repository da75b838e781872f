/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Figures as text: the Prometheus exposition format, version 0.0.4. */
#ifndef SIDECAR_ADMIN_METRICS_H
#define SIDECAR_ADMIN_METRICS_H

#include <stdbool.h>

#include "sidecar/admin/counters.h"

/* A text that grows; FAILED once memory ran out. Free TEXT. */
struct metrics_text {
    char *text;
    size_t size, capacity;
    bool failed;
};

void metrics_append(struct metrics_text *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Renders the sum of COUNT sets of counters: all families of COUNTERS. */
void metrics_counters(struct metrics_text *out, const struct counters *const *sets, size_t count);

/* Opens a family: its HELP and TYPE lines. Samples follow by metrics_append(). */
void metrics_family(struct metrics_text *out, const char *name, const char *type, const char *help);

#endif
