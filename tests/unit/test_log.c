/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sidecar/admin/log.h"
#include "sidecar/admin/metrics.h"

static char out[1 << 16];

static char *written(int fd)
{
    (void)lseek(fd, 0, SEEK_SET);
    ssize_t n = read(fd, out, sizeof out - 1);
    out[n > 0 ? n : 0] = '\0';
    (void)close(fd);
    return out;
}

static int scratch(void)
{
    char path[] = "/tmp/outrider-log.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)unlink(path);
    return fd;
}

static void json_is_escaped(void **state)
{
    int fd = scratch();
    struct log *log = log_new(fd, true, LOG_INFO);
    struct log_line line;
    (void)state;
    log_begin(&line, log, LOG_WARN, "refused", "a \"b\"\n\\");
    log_text(&line, "subject", "CN=x\r\n{\"level\":\"error\"}");
    log_text(&line, "issuer", NULL);
    log_number(&line, "bytes_in", 18446744073709551615u);
    log_bool(&line, "verified", false);
    log_end(&line);
    log_free(log);
    char *text = written(fd);
    assert_non_null(
        strstr(text, "\"level\":\"warn\",\"event\":\"refused\",\"message\":\"a \\\"b\\\"\\n\\\\\""));
    assert_non_null(strstr(text, "\"subject\":\"CN=x\\u000d\\n{\\\"level\\\":\\\"error\\\"}\""));
    assert_non_null(strstr(text, "\"bytes_in\":18446744073709551615,\"verified\":false}\n"));
    assert_null(strstr(text, "issuer"));
    assert_int_equal(strcspn(text, "\n"), strlen(text) - 1);
}

static void text_quotes_what_could_forge_a_field(void **state)
{
    int fd = scratch();
    struct log *log = log_new(fd, false, LOG_INFO);
    struct log_line line;
    (void)state;
    log_begin(&line, log, LOG_INFO, "session", NULL);
    log_text(&line, "sni", "plain.example");
    log_text(&line, "subject", "x verified=true");
    log_text(&line, "san", "\xc3\xa9\xf0\x9f\x92\xa9\xff");
    log_number(&line, "bytes_in", 7);
    log_bool(&line, "verified", false);
    log_end(&line);
    log_say(log, LOG_WARN, "config", "a \"b\": c\n\\");
    log_say(log, LOG_DEBUG, "session", "not wanted");
    log_free(log);
    char *text = written(fd);
    assert_non_null(strstr(text, " info  session sni=plain.example subject=\"x verified=true\" "
                                 "san=\"\\u00e9\\ud83d\\udca9\\ufffd\" bytes_in=7 verified=false\n"));
    assert_non_null(strstr(text, " warn  config: a \"b\": c\\n\\\\\n"));
    assert_null(strstr(text, "not wanted"));
}

static void a_field_that_does_not_fit_is_left_out(void **state)
{
    static char large[LOG_LINE_MAX + 1];
    int fd = scratch();
    struct log *log = log_new(fd, true, LOG_INFO);
    struct log_line line;
    (void)state;
    memset(large, 'a', sizeof large - 1);
    log_begin(&line, log, LOG_INFO, "session", NULL);
    log_text(&line, "san", large);
    log_text(&line, "sni", "b");
    log_end(&line);
    log_free(log);
    char *text = written(fd);
    assert_null(strstr(text, "\"san\""));
    assert_non_null(strstr(text, ",\"sni\":\"b\"}\n"));
}

/* A request's line of its own making must not go without it. */
static void a_long_message_is_cut(void **state)
{
    static char large[LOG_LINE_MAX + 1];
    static const char *const units[] = {"a", "\x01", "\xf0\x9f\x92\xa9"};
    (void)state;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        int fd = scratch();
        struct log *log = log_new(fd, i != 0, LOG_INFO);
        struct log_line line;
        memset(large, 0, sizeof large);
        for (size_t n = 0; n + 8 < sizeof large; n += strlen(units[i]))
            memcpy(large + n, units[i], strlen(units[i]));
        memcpy(large, "GET", 3);
        if (i == 2)
            large[3] = ' ';
        log_begin(&line, log, LOG_INFO, "request", large);
        log_text(&line, "sni", "b");
        log_end(&line);
        log_free(log);
        char *text = written(fd);
        assert_non_null(strstr(text, "GET"));
        assert_non_null(strstr(text, i == 0 ? "aaa... sni=b\n" : "...\",\"sni\":\"b\"}\n"));
        assert_null(strstr(text, "\\..."));
        assert_true(strlen(text) > LOG_LINE_MAX / 2 && strlen(text) < LOG_LINE_MAX / 2 + 200);
    }
}

/* Nobody reads the pipe: lines are dropped and counted, and the one who logs goes on. */
static void a_full_pipe_drops_and_counts(void **state)
{
    int ends[2];
    char *text = malloc(1 << 20);
    size_t size = 0;
    (void)state;
    assert_int_equal(pipe(ends), 0);
    struct log *log = log_new(ends[1], true, LOG_INFO);
    for (int i = 0; i < 10000; i++)
        log_say(log, LOG_INFO, "session", "line %d of many that nobody reads at first", i);
    assert_true(log_dropped(log) > 0);
    /* Reading again: the writer catches up, and the next line tells what was lost. */
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    bool told = false;
    for (int i = 0; i < 5000 && !told; i++) {
        ssize_t n = read(ends[0], text + size, (1 << 20) - 1 - size);
        size += n > 0 ? (size_t)n : 0;
        text[size] = '\0';
        if (n <= 0) {
            log_say(log, LOG_INFO, "session", "after");
            (void)usleep(1000);
        }
        told = strstr(text, "\"dropped\":") != NULL;
    }
    assert_true(told);
    log_free(log);
    (void)close(ends[0]);
    (void)close(ends[1]);
    free(text);
}

struct seen {
    unsigned count, refused, blocked, reloads;
    bool good;
};

static void see(void *arg, const struct log_kept *kept)
{
    struct seen *seen = arg;
    char number[32];
    (void)snprintf(number, sizeof number, ",\"bytes_in\":%u", 999 - seen->blocked);
    if (strcmp(kept->event, "blocked") == 0) {
        seen->good =
            seen->good && kept->size == strlen(number) && memcmp(kept->fields, number, kept->size) == 0;
        seen->good = seen->good && !kept->has_message && strcmp(kept->level, "info") == 0;
        seen->blocked++;
    }
    seen->refused += strcmp(kept->event, "refused") == 0 && kept->has_message;
    seen->reloads += strcmp(kept->event, "reload") == 0;
    seen->count++;
}

/* Whatever the level, and however many requests are blocked: reloads and refusals are still there. */
static void recent_lines_are_kept(void **state)
{
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    struct log *log = log_new(ends[1], false, LOG_ERROR);
    struct seen seen = {.good = true};
    struct log_line line;
    log_say(log, LOG_INFO, "reload", "started");
    log_say(log, LOG_DEBUG, "reload", "not kept");
    log_say(log, LOG_WARN, "refused", "expired");
    log_say(log, LOG_INFO, "session", "not kept");
    log_say(log, LOG_INFO, "request", "not kept");
    for (unsigned i = 0; i < 1000; i++) {
        log_begin(&line, log, LOG_INFO, "blocked", NULL);
        log_number(&line, "bytes_in", i);
        log_end(&line);
    }
    log_recent(log, 10000, see, &seen);
    assert_true(seen.good);
    assert_int_equal(seen.count, LOG_RECENT + 2);
    assert_int_equal(seen.blocked, LOG_RECENT);
    assert_int_equal(seen.refused, 1);
    assert_int_equal(seen.reloads, 1);
    seen = (struct seen){.good = true};
    log_recent(log, 3, see, &seen);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.blocked, 3);
    (void)close(ends[1]);
    log_free(log);
    assert_int_equal(read(ends[0], out, sizeof out), 0);
    (void)close(ends[0]);
}

static void counters_add_up_over_threads(void **state)
{
    struct counters a = {0}, b = {0};
    const struct counters *sets[] = {&a, &b};
    struct metrics_text text = {0};
    (void)state;
    counter_add(&a, COUNTER_OPEN_IN, 5);
    counter_sub(&a, COUNTER_OPEN_IN, 2);
    counter_add(&b, COUNTER_OPEN_IN, 40);
    metrics_counters(&text, sets, 2);
    assert_false(text.failed);
    assert_non_null(strstr(text.text, "# TYPE outrider_connections_open gauge\n"
                                      "outrider_connections_open{direction=\"inbound\"} 43\n"));
    assert_non_null(strstr(text.text, "\noutrider_accept_errors_total 0\n"));
    free(text.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_escaped),
        cmocka_unit_test(text_quotes_what_could_forge_a_field),
        cmocka_unit_test(a_field_that_does_not_fit_is_left_out),
        cmocka_unit_test(a_long_message_is_cut),
        cmocka_unit_test(a_full_pipe_drops_and_counts),
        cmocka_unit_test(recent_lines_are_kept),
        cmocka_unit_test(counters_add_up_over_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
