/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { NEAREST_MAX = CONFIG_NAME_MAX, QUOTE_MAX = 160 };

void config_report_begin(struct config_report *report, const char *path, const char *text, size_t length)
{
    memset(report, 0, sizeof *report);
    report->path = strdup(path);
    /* Lines end in zero bytes here, so that a problem's source can point into it. */
    report->text = malloc(length + 1);
    if (!report->text)
        return;
    report->text_length = length;
    for (size_t i = 0; i < length; i++)
        report->text[i] = text[i] == '\n' ? 0 : text[i] == 0 ? 1 : text[i];
    report->text[length] = 0;
}

void config_report_no_memory(struct config_report *report)
{
    config_report_add(report, CONFIG_ERROR, (struct config_place){0}, 0, NULL, "out of memory");
}

bool config_report_full(const struct config_report *report)
{
    return report->count >= CONFIG_PROBLEMS_MAX;
}

void config_report_clear(struct config_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        free(report->problem[i].message);
        free(report->problem[i].suggestion);
    }
    free(report->problem);
    free(report->path);
    free(report->text);
    memset(report, 0, sizeof *report);
}

static char *report_line(const struct config_report *report, unsigned line)
{
    if (line == 0 || !report->text)
        return NULL;
    char *p = report->text, *end = report->text + report->text_length;
    for (unsigned i = 1; i < line; i++) {
        p += strlen(p) + 1;
        if (p > end)
            return NULL;
    }
    return p;
}

static bool before(struct config_place a, struct config_place b)
{
    return a.line != b.line ? a.line < b.line : a.column < b.column;
}

void config_report_add(struct config_report *report, enum config_severity severity, struct config_place place,
                       unsigned length, const char *suggestion, const char *format, ...)
{
    if (severity == CONFIG_ERROR)
        report->errors++;
    if (config_report_full(report))
        return;
    if ((report->count & (report->count - 1)) == 0) {
        size_t room = report->count ? report->count * 2 : 1;
        struct config_problem *more = realloc(report->problem, room * sizeof *more);
        if (!more)
            return;
        report->problem = more;
    }
    struct config_problem p = {.severity = severity, .place = place, .length = length ? length : 1};
    va_list args;
    va_start(args, format);
    if (vasprintf(&p.message, format, args) < 0)
        p.message = NULL;
    va_end(args);
    if (!p.message)
        return;
    p.suggestion = suggestion ? strdup(suggestion) : NULL;
    p.source = report_line(report, place.line);
    size_t i = report->count++;
    for (; i > 0 && before(place, report->problem[i - 1].place); i--)
        report->problem[i] = report->problem[i - 1];
    report->problem[i] = p;
}

/* --- printing --- */

/* Bytes of the character at P as far as it is well-formed UTF-8 and harmless to a terminal; else 0. */
static size_t printable(const char *p, size_t left)
{
    const unsigned char *u = (const unsigned char *)p;
    if (u[0] < 0x80)
        return u[0] >= 0x20 && u[0] != 0x7f;
    size_t n = u[0] >= 0xf0 && u[0] < 0xf5   ? 4
               : u[0] >= 0xe0 && u[0] < 0xf0 ? 3
               : u[0] >= 0xc2 && u[0] < 0xe0 ? 2
                                             : 0;
    if (n == 0 || n > left || (u[0] == 0xc2 && u[1] < 0xa0))
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((u[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

/* Prints LENGTH bytes with what could upset a terminal as `?`, or, as a MASK, the same width in blanks or
 * carets. */
static void print_safely(FILE *out, const char *text, size_t length, char mask)
{
    for (size_t i = 0; i < length;) {
        size_t n = printable(text + i, length - i);
        if (text[i] == '\t' && mask != '^') {
            fputc('\t', out);
            n = 1;
        } else if (mask) {
            fputc(mask, out);
        } else if (n == 0) {
            fputc('?', out);
        } else {
            fwrite(text + i, 1, n, out);
        }
        i += n ? n : 1;
    }
}

static void print_source(const struct config_problem *p, FILE *out)
{
    const char *line = p->source;
    size_t length = strlen(line), at = p->place.column ? p->place.column - 1 : 0, marked = p->length;
    if (length > 0 && line[length - 1] == '\r')
        length--;
    if (at > length)
        at = length;
    if (marked > length - at)
        marked = length > at ? length - at : 1;
    /* Of a long line, the part around the mistake. */
    size_t from = 0, to = length;
    if (length > QUOTE_MAX) {
        from = at > QUOTE_MAX / 2 ? at - QUOTE_MAX / 2 : 0;
        to = length - from > QUOTE_MAX ? from + QUOTE_MAX : length;
        if (marked > to - at)
            marked = to > at ? to - at : 1;
    }
    fprintf(out, "%5u | %s", p->place.line, from ? "... " : "");
    print_safely(out, line + from, to - from, 0);
    fprintf(out, "%s\n      | %s", to < length ? " ..." : "", from ? "    " : "");
    print_safely(out, line + from, at - from, ' ');
    if (at < length)
        print_safely(out, line + at, marked, '^');
    else
        fputc('^', out);
    fputc('\n', out);
}

static void print_text(FILE *out, const char *text)
{
    print_safely(out, text, strlen(text), 0);
}

void config_report_print(const struct config_report *report, FILE *out)
{
    size_t shown = 0;
    for (size_t i = 0; i < report->count; i++) {
        const struct config_problem *p = &report->problem[i];
        print_text(out, report->path ? report->path : "?");
        if (p->place.line)
            fprintf(out, ":%u:%u", p->place.line, p->place.column);
        fputs(p->severity == CONFIG_ERROR ? ": error: " : ": warning: ", out);
        print_text(out, p->message);
        fputc('\n', out);
        if (p->source)
            print_source(p, out);
        if (p->suggestion) {
            fputs("      = did you mean \"", out);
            print_text(out, p->suggestion);
            fputs("\"?\n", out);
        }
        shown += p->severity == CONFIG_ERROR;
    }
    if (report->errors > shown) {
        print_text(out, report->path ? report->path : "?");
        fprintf(out, ": error: and %zu more\n", report->errors - shown);
    }
}

/* --- the nearest word --- */

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* Damerau-Levenshtein in the restricted form: nothing is edited twice. Letters in either case are the same.
 */
static unsigned distance(const char *a, size_t n, const char *b, size_t m)
{
    unsigned row[3][NEAREST_MAX + 1];
    for (unsigned j = 0; j <= m; j++)
        row[0][j] = j;
    for (unsigned i = 1; i <= n; i++) {
        unsigned *now = row[i % 3], *last = row[(i + 2) % 3], *older = row[(i + 1) % 3];
        now[0] = i;
        for (unsigned j = 1; j <= m; j++) {
            char x = lower(a[i - 1]), y = lower(b[j - 1]);
            now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == lower(b[j - 2]) && y == lower(a[i - 2]) && older[j - 2] + 1 < now[j])
                now[j] = older[j - 2] + 1;
        }
    }
    return row[n % 3][m];
}

void config_nearest_begin(struct config_nearest *n, const char *word, size_t length)
{
    *n = (struct config_nearest){
        .word = word, .length = length, .distance = (length < 3 ? 1 : (unsigned)length / 3) + 1};
}

void config_nearest_feed(struct config_nearest *n, const char *candidate)
{
    size_t length = strlen(candidate);
    if (n->length == 0 || n->length > NEAREST_MAX || length > NEAREST_MAX)
        return;
    unsigned d = distance(n->word, n->length, candidate, length);
    if (d < n->distance && d < (length > n->length ? length : n->length)) {
        n->distance = d;
        n->best = candidate;
    }
}
