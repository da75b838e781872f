/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/admin/metrics.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void metrics_append(struct metrics_text *out, const char *format, ...)
{
    va_list args;
    while (!out->failed) {
        va_start(args, format);
        int n = vsnprintf(out->text ? out->text + out->size : NULL, out->capacity - out->size, format, args);
        va_end(args);
        if (n >= 0 && (size_t)n < out->capacity - out->size) {
            out->size += (size_t)n;
            return;
        }
        size_t capacity = out->capacity * 2 + 4096;
        char *text = n < 0 ? NULL : realloc(out->text, capacity);
        if (text == NULL) {
            out->failed = true;
            return;
        }
        out->text = text;
        out->capacity = capacity;
    }
}

void metrics_family(struct metrics_text *out, const char *name, const char *type, const char *help)
{
    metrics_append(out, "# HELP outrider_%s %s\n# TYPE outrider_%s %s\n", name, help, name, type);
}

static void row(struct metrics_text *out, const char *name, const char *labels,
                const struct counters *const *sets, size_t count, enum counter id)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += counter_read(sets[i], id);
    if (*labels)
        metrics_append(out, "outrider_%s{%s} %llu\n", name, labels, (unsigned long long)sum);
    else
        metrics_append(out, "outrider_%s %llu\n", name, (unsigned long long)sum);
}

void metrics_counters(struct metrics_text *out, const struct counters *const *sets, size_t count)
{
    const char *name = "";
#define FAMILY(n, type, help) metrics_family(out, name = n, type, help);
#define ROW(id, labels) row(out, name, labels, sets, count, COUNTER_##id);
    COUNTERS(FAMILY, ROW)
#undef ROW
#undef FAMILY
}
