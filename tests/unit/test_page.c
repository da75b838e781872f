/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "sidecar/admin/page.h"

static void test_takes_gzip(void **state)
{
    static const char *const yes[] = {"gzip",
                                      "gzip, deflate, br, zstd",
                                      "br;q=1.0, gzip;q=0.8, *;q=0.1",
                                      "GZIP",
                                      "x-gzip",
                                      "*",
                                      "deflate , gzip ;q=0.001",
                                      "identity;q=0,\tgzip"};
    static const char *const no[] = {"",      "identity",       "br, deflate", "gzip;q=0", "gzip; Q=0.000, *",
                                     "*;q=0", "gzipped, agzip", ",,;;=",       "gzip;q=0."};
    (void)state;
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (!page_takes_gzip(yes[i]))
            fail_msg("\"%s\" is not taken for yes", yes[i]);
    }
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        if (page_takes_gzip(no[i]))
            fail_msg("\"%s\" is taken for yes", no[i]);
    }
}

static void test_page_is_built_in(void **state)
{
    (void)state;
    assert_true(page_gzip_size > 4000);
    assert_int_equal(page_gzip[0], 0x1f);
    assert_int_equal(page_gzip[1], 0x8b);
    assert_non_null(strstr(page_fields, "default-src 'none'"));
    assert_null(strstr(page_fields, "unsafe"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_takes_gzip),
                                       cmocka_unit_test(test_page_is_built_in)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
