/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/admin/metrics.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- text --- */

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

static bool ends(const char *name, size_t size, const char *with)
{
    size_t n = strlen(with);
    return size > n && strncmp(name + size - n, with, n) == 0;
}

/* A family's name in OpenMetrics is that of its samples without the suffix of its type. */
static size_t base_size(const char *name, const char *type)
{
    size_t size = strlen(name);
    const char *suffix = strcmp(type, "counter") == 0 ? "_total" : strcmp(type, "info") == 0 ? "_info" : "";
    return *suffix && ends(name, size, suffix) ? size - strlen(suffix) : size;
}

static const char *unit_of(const char *name, size_t size)
{
    if (strncmp(name, "bytes", size) == 0)
        return "bytes";
    return ends(name, size, "_seconds") ? "seconds" : ends(name, size, "_bytes") ? "bytes" : NULL;
}

static void open_family(struct metrics_text *out, const char *name, const char *type, const char *help)
{
    size_t base = base_size(name, type);
    const char *unit = unit_of(name, base);
    out->name = name;
    if (!out->openmetrics) {
        metrics_append(out, "# HELP outrider_%s %s\n# TYPE outrider_%s %s\n", name, help, name,
                       strcmp(type, "info") == 0 ? "gauge" : type);
        return;
    }
    metrics_append(out, "# HELP outrider_%.*s %s\n# TYPE outrider_%.*s %s\n", (int)base, name, help,
                   (int)base, name, type);
    if (unit)
        metrics_append(out, "# UNIT outrider_%.*s %s\n", (int)base, name, unit);
}

static void begin_sample(struct metrics_text *out, const char *label, const char *value)
{
    metrics_append(out, "outrider_%s", out->name);
    if (label == NULL) {
        metrics_append(out, " ");
        return;
    }
    metrics_append(out, "{%s=\"", label);
    while (*value) {
        size_t plain = strcspn(value, "\\\"\n");
        metrics_append(out, "%.*s", (int)plain, value);
        value += plain;
        if (*value)
            metrics_append(out, "\\%c", *value == '\n' ? 'n' : *value);
        value += *value != '\0';
    }
    metrics_append(out, "\"} ");
}

void metrics_integer(struct metrics_text *out, const char *label, const char *value, uint64_t number)
{
    begin_sample(out, label, value);
    metrics_append(out, "%llu\n", (unsigned long long)number);
}

void metrics_seconds(struct metrics_text *out, const char *label, const char *value, double seconds)
{
    begin_sample(out, label, value);
    metrics_append(out, "%.6f\n", seconds);
}

void metrics_end(struct metrics_text *out)
{
    if (out->openmetrics)
        metrics_append(out, "# EOF\n");
}

/* --- families that are counted --- */

static void row(struct metrics_text *out, const char *labels, const struct counters *const *sets,
                size_t count, enum counter id)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += counter_read(sets[i], id);
    metrics_append(out, *labels ? "outrider_%s{%s} %llu\n" : "outrider_%s%s %llu\n", out->name, labels,
                   (unsigned long long)sum);
}

static void histogram(struct metrics_text *out, const char *labels, const struct counters *const *sets,
                      size_t count, enum histogram_id id)
{
    static const uint32_t bounds[] = HISTOGRAM_BOUNDS;
    uint64_t reached = 0, sum = 0;
    for (unsigned b = 0; b < HISTOGRAM_BUCKETS; b++) {
        char bound[24] = "+Inf";
        if (b < sizeof bounds / sizeof *bounds) {
            /* The shortest decimal with a point: OpenMetrics wants it so. */
            (void)snprintf(bound, sizeof bound, "%u.%06u", bounds[b] / 1000000, bounds[b] % 1000000);
            for (size_t n = strlen(bound); bound[n - 1] == '0' && bound[n - 2] != '.'; n--)
                bound[n - 1] = '\0';
        }
        for (size_t i = 0; i < count; i++)
            reached += __atomic_load_n(&sets[i]->histogram[id].bucket[b], __ATOMIC_RELAXED);
        metrics_append(out, "outrider_%s_bucket{%s,le=\"%s\"} %llu\n", out->name, labels, bound,
                       (unsigned long long)reached);
    }
    for (size_t i = 0; i < count; i++)
        sum += __atomic_load_n(&sets[i]->histogram[id].sum, __ATOMIC_RELAXED);
    metrics_append(out, "outrider_%s_sum{%s} %.6f\noutrider_%s_count{%s} %llu\n", out->name, labels,
                   (double)sum / 1e9, out->name, labels, (unsigned long long)reached);
}

void metrics_counters(struct metrics_text *out, const struct counters *const *sets, size_t count)
{
#define FAMILY(name, type, help) open_family(out, name, type, help);
#define ROW(id, labels) row(out, labels, sets, count, COUNTER_##id);
    COUNTERS(FAMILY, ROW)
#undef ROW
#define ROW(id, labels) histogram(out, labels, sets, count, HISTOGRAM_##id);
    HISTOGRAMS(FAMILY, ROW)
#undef ROW
#undef FAMILY
}

/* --- families that are looked up --- */

static const struct {
    const char *name, *type, *labels, *help;
} families[] = {
#define FAMILY(id, name, type, labels, help) {name, type, labels, help},
    METRICS(FAMILY)
#undef FAMILY
};

void metrics_family(struct metrics_text *out, enum metric id)
{
    open_family(out, families[id].name, families[id].type, families[id].help);
}

/* --- the format --- */

/* Thousandths. */
static unsigned quality(const char *params, size_t size)
{
    for (const char *p = params, *end = params + size; p + 3 <= end; p++) {
        if (p[0] != ';' || strncasecmp(p + 1 + strspn(p + 1, " \t"), "q=", 2) != 0)
            continue;
        double q = strtod(p + 1 + strspn(p + 1, " \t") + 2, NULL);
        return !(q > 0) ? 0 : q >= 1 ? 1000 : (unsigned)(q * 1000); /* "nan" is none */
    }
    return 1000;
}

bool metrics_wants_openmetrics(const char *accept)
{
    unsigned open = 0, plain = 0;
    while (accept && *accept) {
        accept += strspn(accept, " \t,");
        size_t size = strcspn(accept, ","), type = strcspn(accept, ",; \t");
        const char *params = accept + type;
        unsigned q = quality(params, size - type);
        /* Prometheus offers older and newer versions, too. */
        const char *version = memmem(params, size - type, "version=", 8);
        if (type == 28 && strncasecmp(accept, "application/openmetrics-text", 28) == 0) {
            if ((version == NULL || strncmp(version + 8, "1.0.0", 5) == 0) && q > open)
                open = q;
        } else if ((type == 10 && strncasecmp(accept, "text/plain", 10) == 0) ||
                   (type == 6 && strncasecmp(accept, "text/*", 6) == 0) ||
                   (type == 3 && strncmp(accept, "*/*", 3) == 0)) {
            if (q > plain)
                plain = q;
        }
        accept += size;
    }
    return open > 0 && open >= plain;
}

const char *metrics_content_type(bool openmetrics)
{
    return openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                       : "text/plain; version=0.0.4; charset=utf-8";
}

/* --- the reference --- */

static void refer(FILE *out, const char *name, const char *type, const char *labels, const char *help)
{
    fprintf(out, "| `outrider_%s` | %s | %s%s%s | %s |\n", name, type, *labels ? "`" : "", labels,
            *labels ? "`" : "", help);
}

/* The names among labels as a row has them: `a="x",b="y"`. */
static void names_of(const char *row, char *names, size_t size)
{
    size_t used = 0;
    names[0] = '\0';
    while (*row && used < size) {
        size_t n = strcspn(row, "=");
        used += (size_t)snprintf(names + used, size - used, "%s%.*s", used ? "`, `" : "", (int)n, row);
        row += n;
        for (int quotes = 0; *row && quotes < 2; row++)
            quotes += *row == '"';
        row += *row == ',';
    }
}

void metrics_reference_print(FILE *out)
{
    static const struct {
        const char *name, *type, *help, *row;
    } counted[] = {
#define FAMILY(name, type, help) {name, type, help, ""},
#define ROW(id, labels) {"", "", "", labels},
        COUNTERS(FAMILY, ROW) HISTOGRAMS(FAMILY, ROW)
#undef ROW
#undef FAMILY
    };
    char labels[128];
    fputs("# The metrics\n\n"
          "<!-- Written from sidecar/admin/counters.h and metrics.h; `OUTRIDER_REGENERATE=1 "
          "build/release/tests/test_metrics` writes it anew. -->\n\n"
          "`/metrics` answers in Prometheus' text format, or in OpenMetrics 1.0.0 where the Accept header "
          "asks for it.\nCounters count since the start of the process; those of rules and rate limits since "
          "the configuration was last\nread. Every label has a bounded set of values: names from the "
          "configuration, or of the table here; `caller` has\nat most `metrics_peers` names and `other`.\n\n"
          "| family | type | labels | meaning |\n|---|---|---|---|\n",
          out);
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++) {
        if (*counted[i].name == '\0')
            continue;
        names_of(counted[i + 1].row, labels, sizeof labels);
        refer(out, counted[i].name, counted[i].type, labels, counted[i].help);
    }
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        refer(out, families[i].name, families[i].type, families[i].labels, families[i].help);
}
