/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Scrapes of the local service: [scrape NAME] in the configuration, answers read, figures merged. */
#include "config_expect.h"

#include "sidecar/admin/scrape.h"

#define HEALTH "[sidecar]\nhealth = 0.0.0.0:9\n" BASE

static void test_config(void **state)
{
    (void)state;
    struct config *c = good(HEALTH "[scrape app]\nconnect = 127.0.0.1:8080\n"
                                   "[scrape db]\nconnect = unix:/run/db\nrequest = /x?y=1\ntimeout = 5s\n");
    assert_int_equal(c->scrape_count, 2);
    assert_string_equal(c->scrape[0].request, "/metrics");
    assert_int_equal(c->scrape[0].timeout, 2000);
    assert_string_equal(c->scrape[1].request, "/x?y=1");
    config_free(c);
    static const struct mistake mistakes[] = {
        {"far", HEALTH "[scrape a]\nconnect = 10.0.0.1:80\n",
         "10:11+11 figures come only from a loopback address or a UNIX socket\n"},
        {"path", HEALTH "[scrape a]\nconnect = 127.0.0.1:80\nrequest = x\n",
         "11:11+1 request is a path, which begins with / and has no blank\n"},
        {"name", HEALTH "[scrape a\"b]\nconnect = 127.0.0.1:80\n",
         "9:10+1 the name of a [scrape] holds only letters, digits, \"_\", \".\" and \"-\"\n"},
        {"nobody", BASE "[scrape a]\nconnect = 127.0.0.1:80\n",
         "7:1+10 warning: nobody can ask for these figures: neither health nor admin of [sidecar] is set\n"},
    };
    for (size_t i = 0; i < COUNT(mistakes); i++)
        expect(&mistakes[i]);
}

static void merged(const char *text, const char *want)
{
    struct metrics_text out = {0};
    struct scrape_merge merge = {0};
    metrics_append(&out, "%s", "");
    assert_true(scrape_merge_take(&merge, NULL, text, strlen(text)));
    scrape_merge_write(&merge, &out);
    assert_string_equal(out.text, want);
    free(out.text);
}

static void test_merge(void **state)
{
    (void)state;
    merged("", "");
    merged("a 1", "a 1\n");
    merged("# HELP a What.\n# TYPE a counter\r\na{x=\"y\"} 1\n\n# a remark\n  b 2 3\n# EOF\n",
           "# HELP a What.\n# TYPE a counter\na{x=\"y\"} 1\nb 2 3\n");
    /* Nobody speaks for the sidecar. */
    merged("outrider_ready 0\n# TYPE outrider_ready gauge\n# HELP outrider_ready x\n outrider_ready{a=\"b\"} "
           "1\nready 1\n",
           "ready 1\n");
}

/* Two services. */
static void merged_two(const char *a, const char *b, const char *want)
{
    struct metrics_text out = {0};
    struct scrape_merge merge = {0};
    metrics_append(&out, "%s", "");
    assert_true(scrape_merge_take(&merge, "a", a, strlen(a)));
    assert_true(scrape_merge_take(&merge, "b", b, strlen(b)));
    scrape_merge_write(&merge, &out);
    assert_string_equal(out.text, want);
    free(out.text);
}

static void test_families(void **state)
{
    (void)state;
    /* One block, one head; whose it is told by a label. */
    merged_two("# HELP up Of a.\n# TYPE up gauge\nup 1\n# TYPE z gauge\nz{x=\"1\"} 1\n",
               "# TYPE a counter\na{} 2\n# TYPE up gauge\n# HELP up Of b.\nup{ } 0 "
               "12345\nup{x=\"}\",y=\"\\\"\"} 2\n",
               "# TYPE a counter\na{scrape=\"b\"} 2\n"
               "# HELP up Of a.\n# TYPE up gauge\nup{scrape=\"a\"} 1\nup{scrape=\"b\"} 0 12345\n"
               "up{scrape=\"b\",x=\"}\",y=\"\\\"\"} 2\n"
               "# TYPE z gauge\nz{scrape=\"a\",x=\"1\"} 1\n");
    /* The parts of a histogram stay with it. */
    merged_two("# TYPE t histogram\nt_bucket{le=\"+Inf\"} 1\nt_sum 1\nt_count 1\nt_max 3\n",
               "t_count_x 1\n# TYPE t histogram\nt_bucket{le=\"+Inf\"} 2\nt_sum 2\nt_count 2\n",
               "# TYPE t histogram\nt_bucket{scrape=\"a\",le=\"+Inf\"} 1\nt_sum{scrape=\"a\"} 1\n"
               "t_count{scrape=\"a\"} 1\nt_bucket{scrape=\"b\",le=\"+Inf\"} 2\nt_sum{scrape=\"b\"} 2\n"
               "t_count{scrape=\"b\"} 2\nt_count_x{scrape=\"b\"} 1\nt_max{scrape=\"a\"} 3\n");
    /* Samples that have such a label keep it; a family that comes again is put together. */
    merged_two("x{y=\"scrape=\",scrape=\"own\"} 1\ny 1\nx{y=\"scrape=\"} 2\n", "",
               "x{y=\"scrape=\",scrape=\"own\"} 1\nx{scrape=\"a\",y=\"scrape=\"} 2\ny{scrape=\"a\"} 1\n");
    /* Odd lines spoil no other. */
    merged_two("{\n}\n<html>\n# TYPE\n# HELP \n-\nx", "x{\n\"", "x{scrape=\"a\"}\nx{scrape=\"b\"\n");
    merged("b 1\na 2\nb 3\n", "a 2\nb 1\nb 3\n");
}

static void test_too_many_families(void **state)
{
    (void)state;
    size_t size = 6 * (size_t)SCRAPE_RUNS;
    char *text = malloc(size + 1);
    struct metrics_text out = {0};
    struct scrape_merge merge = {0};
    assert_non_null(text);
    for (size_t i = 0; i < SCRAPE_RUNS; i++)
        memcpy(text + 6 * i, i % 2 ? "aaa 1\n" : "bbb 1\n", 6);
    assert_true(scrape_merge_take(&merge, "a", "c 1", 3));
    assert_false(scrape_merge_take(&merge, "b", text, size));
    assert_true(scrape_merge_take(&merge, "c", text, 60));
    assert_int_equal(merge.count, 11);
    scrape_merge_write(&merge, &out);
    assert_non_null(strstr(out.text, "\nc{scrape=\"a\"} 1\n"));
    free(out.text);
    free(text);
}

/* Whole, and byte by byte. */
static void answers(const char *text, bool ends, const char *error, const char *body)
{
    for (size_t step = 1; step <= strlen(text); step += strlen(text) - 1) {
        struct scrape_answer *a = scrape_answer_new();
        size_t size, i = 0;
        assert_non_null(a);
        while (i < strlen(text) &&
               scrape_answer_feed(a, text + i, i + step > strlen(text) ? strlen(text) - i : step))
            i += step;
        if (ends)
            scrape_answer_finish(a);
        const char *got = scrape_answer_body(a, &size);
        if (error)
            assert_string_equal(scrape_answer_error(a), error);
        else
            assert_null(scrape_answer_error(a));
        if (body) {
            assert_int_equal(size, strlen(body));
            assert_memory_equal(got, body, size);
        }
        scrape_answer_free(a);
    }
}

static void test_answers(void **state)
{
    (void)state;
    answers("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\na 1\n", false, NULL, "a 1\n");
    answers("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na \r\n2\r\n1\n\r\n0\r\n\r\n", false,
            NULL, "a 1\n");
    answers("HTTP/1.0 200 OK\r\n\r\na 1\n", true, NULL, "a 1\n");
    answers("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\na 1\n", false, NULL,
            "a 1\n");
    answers("HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n", false, "status 404", NULL);
    /* Cut off: not taken for the whole. */
    answers("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na 1\n", true, "closed without an answer", NULL);
    answers("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na \r\n", true,
            "closed without an answer", NULL);
    answers("SSH-2.0-x\r\n", false, "an answer that is not HTTP", NULL);
    answers("HTTP/1.1 200 OK\r\n", true, "closed without an answer", NULL);
}

static void test_size(void **state)
{
    (void)state;
    static char text[65536];
    struct scrape_answer *a = scrape_answer_new();
    size_t fed = 0, size;
    assert_true(scrape_answer_feed(a, "HTTP/1.0 200 OK\r\n\r\n", 19));
    memset(text, 'a', sizeof text);
    while (fed <= SCRAPE_MAX && scrape_answer_feed(a, text, sizeof text))
        fed += sizeof text;
    assert_int_equal(fed, SCRAPE_MAX);
    assert_string_equal(scrape_answer_error(a), "an answer that is too large");
    (void)scrape_answer_body(a, &size);
    assert_true(size <= SCRAPE_MAX);
    scrape_answer_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config),   cmocka_unit_test(test_merge),
        cmocka_unit_test(test_families), cmocka_unit_test(test_too_many_families),
        cmocka_unit_test(test_answers),  cmocka_unit_test(test_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
