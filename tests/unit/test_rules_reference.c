/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config/rules.md is what the tables of the language say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sidecar/rules/reference.h"
#include "sidecar/rules/rules.h"

static void test_current(void **state)
{
    (void)state;
    static const char path[] = "config/rules.md";
    char *now = NULL, *was = NULL;
    size_t size, length = 0;
    FILE *f = open_memstream(&now, &size);
    assert_true(rules_reference_print(f));
    fclose(f);
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
        fail_msg("%s is stale: run test_rules_reference again with OUTRIDER_REGENERATE=1", path);
    /* Every field is there, with a meaning. */
    const struct rules_scheme *scheme = rules_scheme_standard();
    for (size_t i = 0; i < scheme->count; i++) {
        char row[128];
        snprintf(row, sizeof row, "| `%s` | ", scheme->field[i].name);
        if (!strstr(now, row))
            fail_msg("no %s", row);
    }
    assert_null(strstr(now, "(null)"));
    free(now);
    free(was);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_current)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
