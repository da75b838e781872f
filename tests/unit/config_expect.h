/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For the tests of the configuration: texts against the problems that they must give. */
#ifndef CONFIG_EXPECT_H
#define CONFIG_EXPECT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"

/* A text's problems and its expected ones, a line each: "line:column+length [warning: ]message[ ->
 * suggestion]". */
struct mistake {
    const char *name, *text, *problems;
};

/* Six lines that are right. */
#define BASE \
    "[tls]\ndirectory = /t\n[inbound web]\nlisten = 0.0.0.0:1\nforward = 127.0.0.1:2\nprotocol = http\n"
#define BOM "\xef\xbb\xbf"
#define COUNT(array) (sizeof(array) / sizeof *(array))

static inline void set_environment(void)
{
    setenv("OUTRIDER_IP", "10.0.0.1", 1);
    setenv("OUTRIDER_PORT", "8443", 1);
    setenv("OUTRIDER_WORD", "abc", 1);
    setenv("OUTRIDER_EMPTY", "", 1);
    setenv("OUTRIDER_CONTROL", "a\nb", 1);
    setenv("OUTRIDER_LIST", "10.0.0.0/8, ::1", 1);
    unsetenv("OUTRIDER_NOT_SET");
    unsetenv("OUTRIDER_GONE");
}

static inline char *problems_of(const struct config_report *r)
{
    char *out = NULL;
    size_t size;
    FILE *f = open_memstream(&out, &size);
    for (size_t i = 0; i < r->count; i++) {
        const struct config_problem *p = &r->problem[i];
        fprintf(f, "%u:%u+%u %s%s%s%s\n", p->place.line, p->place.column, p->length,
                p->severity == CONFIG_WARNING ? "warning: " : "", p->message, p->suggestion ? " -> " : "",
                p->suggestion ? p->suggestion : "");
    }
    fclose(f);
    return out;
}

static inline char *printed(const struct config_report *r)
{
    char *out = NULL;
    size_t size;
    FILE *f = open_memstream(&out, &size);
    config_report_print(r, f);
    fclose(f);
    return out;
}

static inline void expect_bytes(const char *name, const char *text, size_t length, const char *problems)
{
    struct config_report r;
    struct config *c = config_parse("t.ini", text, length, &r);
    char *found = problems_of(&r);
    if (strcmp(found, problems) != 0)
        fail_msg("%s: expected\n%sfound\n%s", name, problems, found);
    assert_int_equal(c != NULL, r.errors == 0);
    free(found);
    config_free(c);
    config_report_clear(&r);
}

static inline void expect(const struct mistake *m)
{
    expect_bytes(m->name, m->text, strlen(m->text), m->problems ? m->problems : "");
}

/* A configuration without any problem. */
static inline struct config *good(const char *text)
{
    struct config_report r;
    struct config *c = config_parse("t.ini", text, strlen(text), &r);
    char *found = problems_of(&r);
    if (found[0])
        fail_msg("%s: %s", text, found);
    assert_non_null(c);
    free(found);
    config_report_clear(&r);
    return c;
}

#endif
