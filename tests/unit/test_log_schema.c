/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The log's schema against the source: every event and field that some call names is in the table, and none
 * is there that nobody writes. log.md is what the table says (OUTRIDER_REGENERATE writes it anew).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <ctype.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "reference.h"
#include "sidecar/admin/log_schema.h"

#define REFERENCE "sidecar/admin/log.md"

static char *source; /* of every file of sidecar/ but the table itself, one after the other */
static size_t source_size;

static char *read_whole(const char *path, size_t *size)
{
    FILE *in = fopen(path, "r");
    char *text = NULL;
    FILE *out = open_memstream(&text, size);
    int c;
    if (!in)
        fail_msg("%s: not there", path);
    while ((c = getc(in)) != EOF)
        putc(c, out);
    fclose(in);
    fclose(out);
    return text;
}

static int add(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)where;
    size_t n = strlen(path), size;
    if (type != FTW_F || n < 2 || strcmp(path + n - 2, ".c") != 0 || strstr(path, "log_schema.c"))
        return 0;
    char *text = read_whole(path, &size);
    source = realloc(source, source_size + size + 1);
    memcpy(source + source_size, text, size + 1);
    source_size += size;
    free(text);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return nftw("sidecar", add, 16, FTW_PHYS);
}

static int teardown(void **state)
{
    (void)state;
    free(source);
    return 0;
}

/* The end of a string literal that begins at P, its quote included. */
static const char *literal_end(const char *p)
{
    for (p++; *p && *p != '"'; p++)
        if (*p == '\\')
            p++;
    return p;
}

/* Calls SEEN with each literal in argument ARGUMENT (from 0) of the call whose parenthesis is at P. */
static void literals(const char *p, unsigned argument, void (*seen)(const char *name))
{
    unsigned depth = 0, at = 0;
    for (; *p; p++) {
        if (*p == '(')
            depth++;
        else if (*p == ')' && --depth == 0)
            return;
        else if (*p == ',' && depth == 1)
            at++;
        if (*p != '"')
            continue;
        const char *end = literal_end(p);
        char name[64];
        size_t n = (size_t)(end - p) - 1;
        if (at == argument && n < sizeof name) {
            memcpy(name, p + 1, n);
            name[n] = 0;
            seen(name);
        }
        p = end;
    }
}

static unsigned calls_seen;

static void each_call(const char *function, unsigned argument, void (*seen)(const char *name))
{
    size_t n = strlen(function);
    for (const char *p = source; (p = strstr(p, function)); p += n)
        if (p[n] == '(' && (p == source || (!isalnum((unsigned char)p[-1]) && p[-1] != '_'))) {
            calls_seen++;
            literals(p + n, argument, seen);
        }
}

static void is_event(const char *name)
{
    if (!log_event_find(name))
        fail_msg("the event \"%s\" is not in log_schema.c", name);
}

static void is_text(const char *name)
{
    const struct log_field *field = log_field_find(name);
    if (!field || field->type != LOG_TYPE_TEXT)
        fail_msg("the text field \"%s\" is not in log_schema.c", name);
}

static void is_number(const char *name)
{
    const struct log_field *field = log_field_find(name);
    if (!field || field->type != LOG_TYPE_NUMBER)
        fail_msg("the number \"%s\" is not in log_schema.c", name);
}

static void is_bool(const char *name)
{
    const struct log_field *field = log_field_find(name);
    if (!field || field->type != LOG_TYPE_BOOL)
        fail_msg("the boolean \"%s\" is not in log_schema.c", name);
}

static void what_is_written_is_known(void **state)
{
    (void)state;
    each_call("log_begin", 3, is_event);
    each_call("log_say", 2, is_event);
    each_call("log_text", 1, is_text);
    each_call("log_number", 1, is_number);
    each_call("log_bool", 1, is_bool);
    assert_true(calls_seen > 60);
}

static bool named(const char *name)
{
    char quoted[80];
    snprintf(quoted, sizeof quoted, "\"%s\"", name);
    if (strstr(source, quoted))
        return true;
    snprintf(quoted, sizeof quoted, "\\\"%s\\\"", name); /* within JSON that is written as it is */
    return strstr(source, quoted) != NULL;
}

static void what_is_known_is_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < log_event_count; i++)
        if (!named(log_events[i].name))
            fail_msg("nobody writes the event \"%s\"", log_events[i].name);
    for (size_t i = 0; i < log_field_count; i++) {
        if (!named(log_fields[i].name))
            fail_msg("nobody writes the field \"%s\"", log_fields[i].name);
        char events[256], *save = NULL;
        snprintf(events, sizeof events, "%s", log_fields[i].events);
        for (char *e = strtok_r(events, " ", &save); e; e = strtok_r(NULL, " ", &save))
            if (strcmp(e, "*") != 0 && !log_event_find(e))
                fail_msg("%s: there is no event \"%s\"", log_fields[i].name, e);
    }
}

static void the_reference_is_current(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    log_schema_print(out);
    fclose(out);
    reference_is(REFERENCE, text);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_known),
        cmocka_unit_test(what_is_known_is_written),
        cmocka_unit_test(the_reference_is_current),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
