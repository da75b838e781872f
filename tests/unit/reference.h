/* SPDX-License-Identifier: GPL-3.0-or-later */
/* References that are written from the code's own tables: the file must say what the tables say. */
#ifndef REFERENCE_H
#define REFERENCE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* NOW: what the file PATH must hold. With OUTRIDER_REGENERATE in the environment it is written first. */
static inline void reference_is(const char *path, const char *now)
{
    char *was = NULL;
    size_t length = 0;
    FILE *f;
    if (getenv("OUTRIDER_REGENERATE")) {
        f = fopen(path, "w");
        assert_non_null(f);
        fputs(now, f);
        fclose(f);
    }
    f = fopen(path, "r");
    assert_non_null(f);
    assert_true(getdelim(&was, &length, 0, f) > 0);
    fclose(f);
    if (strcmp(was, now) != 0)
        fail_msg("%s is stale: run this test again with OUTRIDER_REGENERATE=1", path);
    free(was);
}

#endif
