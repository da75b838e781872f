/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The encoders of both formats, the Accept header, the histograms, the lines by caller; and the reference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reference.h"
#include "sidecar/admin/metrics.h"
#include "sidecar/admin/peer_lines.h"

static void has(const struct metrics_text *out, const char *text)
{
    if (out->text == NULL || strstr(out->text, text) == NULL)
        fail_msg("not found: %s\nin:\n%s", text, out->text ? out->text : "");
}

static void has_not(const struct metrics_text *out, const char *text)
{
    if (strstr(out->text, text))
        fail_msg("found: %s", text);
}

static void each_format_has_its_names(void **state)
{
    (void)state;
    for (int open = 0; open < 2; open++) {
        struct metrics_text out = {.openmetrics = open};
        struct counters c = {0};
        const struct counters *sets[] = {&c};
        counter_add(&c, COUNTER_BYTES_DOWN_IN, 7);
        metrics_counters(&out, sets, 1);
        metrics_family(&out, METRIC_BUILD);
        metrics_integer(&out, "version", "1.2", 1);
        metrics_family(&out, METRIC_PROCESS_CPU);
        metrics_seconds(&out, NULL, NULL, 1.5);
        metrics_family(&out, METRIC_CA_NOT_AFTER);
        metrics_integer(&out, "ca", "a\"b\\c\nd", 12);
        metrics_end(&out);
        has(&out, "outrider_bytes_total{direction=\"inbound\",from=\"client\"} 7\n");
        has(&out, "outrider_build_info{version=\"1.2\"} 1\n");
        has(&out, "\noutrider_process_cpu_seconds_total 1.500000\n");
        has(&out, "outrider_ca_not_after_timestamp_seconds{ca=\"a\\\"b\\\\c\\nd\"} 12\n");
        has(&out, "# TYPE outrider_connections_open gauge\n");
        has(&out, open ? "# TYPE outrider_bytes counter\n# UNIT outrider_bytes bytes\n"
                       : "# TYPE outrider_bytes_total counter\n");
        has(&out, open ? "# TYPE outrider_build info\n" : "# TYPE outrider_build_info gauge\n");
        has(&out,
            open
                ? "# TYPE outrider_process_cpu_seconds counter\n# UNIT outrider_process_cpu_seconds seconds\n"
                : "# TYPE outrider_process_cpu_seconds_total counter\n");
        if (open) {
            assert_string_equal(out.text + out.size - 6, "# EOF\n");
        } else {
            has_not(&out, "# UNIT");
            has_not(&out, "# EOF");
        }
        free(out.text);
    }
}

static void histograms_add_up(void **state)
{
    struct metrics_text out = {.openmetrics = true};
    struct counters a = {0}, b = {0};
    const struct counters *sets[] = {&a, &b};
    (void)state;
    histogram_add(&a, HISTOGRAM_REQUEST_IN, 0);
    histogram_add(&a, HISTOGRAM_REQUEST_IN, 250000);     /* is within 0.00025 */
    histogram_add(&b, HISTOGRAM_REQUEST_IN, 250001);     /* is not */
    histogram_add(&b, HISTOGRAM_REQUEST_IN, 2000000000); /* 2 s */
    histogram_add(&b, HISTOGRAM_REQUEST_IN, 99000000000);
    metrics_counters(&out, sets, 2);
    has(&out, "# TYPE outrider_request_duration_seconds histogram\n"
              "# UNIT outrider_request_duration_seconds seconds\n");
    has(&out, "outrider_request_duration_seconds_bucket{direction=\"inbound\",le=\"0.00025\"} 2\n");
    has(&out, "outrider_request_duration_seconds_bucket{direction=\"inbound\",le=\"0.0005\"} 3\n");
    has(&out, "outrider_request_duration_seconds_bucket{direction=\"inbound\",le=\"1.0\"} 3\n");
    has(&out, "outrider_request_duration_seconds_bucket{direction=\"inbound\",le=\"2.5\"} 4\n");
    has(&out, "outrider_request_duration_seconds_bucket{direction=\"inbound\",le=\"10.0\"} 4\n");
    has(&out, "outrider_request_duration_seconds_bucket{direction=\"inbound\",le=\"+Inf\"} 5\n"
              "outrider_request_duration_seconds_sum{direction=\"inbound\"} 101.000500\n"
              "outrider_request_duration_seconds_count{direction=\"inbound\"} 5\n");
    free(out.text);
}

static void the_accept_header_chooses(void **state)
{
    static const struct {
        const char *accept;
        bool openmetrics;
    } cases[] = {
        {NULL, false},
        {"", false},
        {"*/*", false},
        {"text/plain", false},
        {"application/openmetrics-text", true},
        {"application/openmetrics-text; version=1.0.0; charset=utf-8", true},
        {"application/openmetrics-text;version=0.0.1", false},
        {"application/openmetrics-text;version=2.0.0", false},
        {"Application/OpenMetrics-Text;Version=1.0.0", true},
        {"application/openmetrics-text;q=0", false},
        {"application/openmetrics-text;q=0.2,text/plain;q=0.5", false},
        {"text/plain;q=0.5,application/openmetrics-text;version=1.0.0;q=0.75", true},
        /* Prometheus' own. */
        {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/"
         "plain;version=0.0.4;q=0.5,*/*;q=0.1",
         true},
        {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/"
         "plain;version=1.0.0;escaping=allow-utf-8;q=0.4,*/*;q=0.1",
         true},
        {"application/openmetrics-textual", false},
        {",,,;;;q=,", false},
        {"application/openmetrics-text;q=;version=", false},
        {"application/openmetrics-text;q=nan", false},
        {"application/openmetrics-text; q", true},
        {"application/openmetrics-text;", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (metrics_wants_openmetrics(cases[i].accept) != cases[i].openmetrics)
            fail_msg("%s", cases[i].accept);
    }
}

/* --- lines by caller --- */

static struct ledger_ticket enter(struct ledger *l, unsigned id, const char *name, bool verified)
{
    uint8_t fingerprint[32] = {(uint8_t)id, (uint8_t)(id >> 8)};
    struct ledger_identity identity = {.fingerprint = fingerprint, .name = name, .certificate = ""};
    struct ledger_ticket t = {0};
    assert_true(ledger_enter(l, &identity, verified, 1, &t));
    return t;
}

static struct metrics_text render(struct peer_lines *lines, struct ledger *l, size_t most)
{
    struct metrics_text out = {0};
    peer_lines_update(lines, l, most);
    peer_lines_render(lines, &out);
    return out;
}

static void the_busiest_callers_have_a_line_each(void **state)
{
    struct ledger *l = ledger_new(16, 1);
    struct peer_lines *lines = peer_lines_new();
    struct ledger_ticket a = enter(l, 1, "spiffe://a", true), b = enter(l, 2, "spiffe://b", true);
    struct ledger_ticket c = enter(l, 3, "spiffe://c", true), stranger = enter(l, 4, "evil", false);
    (void)state;
    ledger_add(l, 0, &a, LEDGER_REQUESTS, 100);
    ledger_add(l, 0, &b, LEDGER_REQUESTS, 50);
    ledger_add(l, 0, &c, LEDGER_REQUESTS, 5);
    ledger_add(l, 0, &stranger, LEDGER_REFUSED, 3);
    struct metrics_text out = render(lines, l, 2);
    has(&out, "outrider_caller_requests_total{caller=\"spiffe://a\"} 100\n");
    has(&out, "outrider_caller_requests_total{caller=\"spiffe://b\"} 50\n");
    has(&out, "outrider_caller_requests_total{caller=\"other\"} 5\n");
    has(&out, "outrider_caller_refused_total{caller=\"other\"} 3\n");
    has_not(&out, "spiffe://c");
    has_not(&out, "evil");
    free(out.text);
    /* One whose name is that of the others' line does not make a second one of it. */
    struct ledger_ticket sly = enter(l, 6, "other", true);
    struct peer_lines *few = peer_lines_new();
    out = render(few, l, 16);
    ledger_add(l, 0, &sly, LEDGER_REQUESTS, 9);
    free(out.text);
    out = render(few, l, 16);
    has(&out, "outrider_caller_requests_total{caller=\"other\"} 9\n");
    has_not(&out, "outrider_caller_requests_total{caller=\"other\"} 0\n");
    free(out.text);
    peer_lines_free(few);
    /* A successor of A, with another certificate, goes on in its line. */
    struct ledger_ticket a2 = enter(l, 5, "spiffe://a", true);
    ledger_add(l, 0, &a2, LEDGER_REQUESTS, 10);
    /* C becomes busier than B, by far: it has the line from then on, and nobody's line goes back. */
    ledger_add(l, 0, &c, LEDGER_REQUESTS, 500);
    out = render(lines, l, 2);
    has(&out, "outrider_caller_requests_total{caller=\"spiffe://a\"} 110\n");
    has(&out, "outrider_caller_requests_total{caller=\"other\"} 505\n");
    free(out.text);
    ledger_add(l, 0, &c, LEDGER_REQUESTS, 7);
    ledger_add(l, 0, &b, LEDGER_REQUESTS, 1);
    out = render(lines, l, 2);
    has(&out, "outrider_caller_requests_total{caller=\"spiffe://c\"} 7\n");
    has(&out, "outrider_caller_requests_total{caller=\"other\"} 506\n");
    has_not(&out, "spiffe://b");
    free(out.text);
    /* Fewer lines, and none. */
    out = render(lines, l, 0);
    has_not(&out, "spiffe://");
    has(&out, "outrider_caller_requests_total{caller=\"other\"} 506\n");
    free(out.text);
    peer_lines_free(lines);
    ledger_free(l);
}

/* --- the tables --- */

/* Names by the conventions: what ends in _total is a counter and the other way round, units are base units.
 */
static void names_follow_the_conventions(void **state)
{
    static const char *const bad[] = {"_ms",    "_milliseconds", "_minutes", "_kb",     "_kib",
                                      "_count", "_sum",          "_bucket",  "_created"};
    static const struct {
        const char *name, *type, *help;
    } all[] = {
#define FAMILY(name, type, help) {name, type, help},
#define ROW(id, labels)
        COUNTERS(FAMILY, ROW) HISTOGRAMS(FAMILY, ROW)
#undef FAMILY
#define FAMILY(id, name, type, labels, help) {name, type, help},
            METRICS(FAMILY)
#undef FAMILY
#undef ROW
    };
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const char *name = all[i].name;
        size_t n = strlen(name);
        bool total = n > 6 && strcmp(name + n - 6, "_total") == 0;
        if (total != (strcmp(all[i].type, "counter") == 0))
            fail_msg("%s is a %s", name, all[i].type);
        assert_true(strspn(name, "abcdefghijklmnopqrstuvwxyz_") == n);
        for (size_t b = 0; b < sizeof bad / sizeof *bad; b++) {
            if (n > strlen(bad[b]) && strcmp(name + n - strlen(bad[b]), bad[b]) == 0)
                fail_msg("%s", name);
        }
        assert_true(all[i].help[strlen(all[i].help) - 1] == '.');
        assert_null(strpbrk(all[i].help, "|\\\n"));
        for (size_t k = 0; k < i; k++) {
            if (strcmp(all[k].name, name) == 0)
                fail_msg("%s is there twice", name);
        }
    }
}

/* config/metrics.md is what the tables say; OUTRIDER_REGENERATE=1 writes it. */
static void the_reference_is_current(void **state)
{
    char *now = NULL;
    size_t size;
    FILE *f = open_memstream(&now, &size);
    (void)state;
    metrics_reference_print(f);
    fclose(f);
    reference_is("config/metrics.md", now);
    free(now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_format_has_its_names),
        cmocka_unit_test(histograms_add_up),
        cmocka_unit_test(the_accept_header_chooses),
        cmocka_unit_test(the_busiest_callers_have_a_line_each),
        cmocka_unit_test(names_follow_the_conventions),
        cmocka_unit_test(the_reference_is_current),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
