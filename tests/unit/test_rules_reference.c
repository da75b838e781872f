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

#include "reference.h"
#include "sidecar/rules/reference.h"
#include "sidecar/rules/rules.h"

static void test_current(void **state)
{
    (void)state;
    char *now = NULL;
    size_t size;
    FILE *f = open_memstream(&now, &size);
    assert_true(rules_reference_print(f));
    fclose(f);
    reference_is("config/rules.md", now);
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
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_current)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
