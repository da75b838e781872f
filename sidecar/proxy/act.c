/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the admin listener may change; server.h has seen to it that it came over the UNIX socket. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/proxy/proxy_private.h"
#include "sidecar/proxy/tell.h"

enum { LOG_FOR_MAX = 24 * 3600 /* s */ };

/* "60s", "5m", "1h" as seconds; 0: it is no such time, or longer than LOG_FOR_MAX. */
static uint64_t seconds_of(const char *text)
{
    char *unit;
    uint64_t n = strtoul(text, &unit, 10);
    if (text[0] < '0' || text[0] > '9' || n > LOG_FOR_MAX || unit[0] == '\0' || unit[1] != '\0')
        return 0;
    uint64_t seconds = *unit == 's' ? n : *unit == 'm' ? n * 60 : *unit == 'h' ? n * 3600 : 0;
    return seconds <= LOG_FOR_MAX ? seconds : 0;
}

static bool is_hex_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool fingerprint_of(const char *text, uint8_t out[QUARANTINE_FINGERPRINT])
{
    for (size_t i = 0; i < QUARANTINE_FINGERPRINT; i++) {
        char digits[3] = {0};
        for (size_t k = 0; k < 2; k++) {
            if (!is_hex_digit(digits[k] = text[2 * i + k]))
                return false;
        }
        out[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return text[2 * QUARANTINE_FINGERPRINT] == '\0';
}

void proxy_act_lift(struct server_request *request, void *arg)
{
    struct proxy *p = arg;
    uint8_t fingerprint[QUARANTINE_FINGERPRINT];
    if (!fingerprint_of(request->rest, fingerprint)) {
        server_answer_text(request, 400, "after /quarantine/ stands a SHA-256 fingerprint, 64 hex digits\n");
        return;
    }
    size_t lifted =
        p->shared.quarantine ? quarantine_lift(p->shared.quarantine, fingerprint, uv_now(&p->loop)) : 0;
    if (lifted == 0) {
        server_answer_text(request, 404, "this certificate is in no quarantine\n");
        return;
    }
    struct log_line line;
    log_begin(&line, p->log, LOG_WARN, "quarantine", "lifted over the admin socket");
    log_text(&line, "sha256", request->rest);
    log_end(&line);
    struct json_write json = {0};
    json_object(&json, NULL);
    json_bool(&json, "done", true);
    json_number(&json, "lifted", lifted);
    json_object_end(&json);
    tell_answer(request, &json);
}

static void on_log_time(uv_timer_t *timer)
{
    struct proxy *p = timer->data;
    p->log_level = -1;
    proxy_apply_log_settings(p);
    log_say(p->log, LOG_INFO, "log", "the level is the configuration's again");
}

void proxy_act_log(struct server_request *request, void *arg)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    struct proxy *p = arg;
    char level[16] = "", time[16] = "60s";
    (void)server_query(request, "level", level, sizeof level);
    (void)server_query(request, "for", time, sizeof time);
    int chosen = -1;
    for (int i = LOG_ERROR; i <= LOG_DEBUG; i++) {
        if (strcmp(level, levels[i]) == 0)
            chosen = i;
    }
    uint64_t seconds = seconds_of(time);
    if (chosen < 0 || seconds == 0) {
        server_answer_text(request, 400,
                           "level is error, warn, info or debug; for is a time up to 24h, as 60s\n");
        return;
    }
    log_say(p->log, LOG_INFO, "log", "level %s for %llu s, over the admin socket", level,
            (unsigned long long)seconds);
    p->log_level = chosen;
    proxy_apply_log_settings(p);
    (void)uv_timer_start(&p->log_timer, on_log_time, seconds * 1000, 0);
    struct json_write json = {0};
    json_object(&json, NULL);
    json_bool(&json, "done", true);
    json_text(&json, "level", level);
    json_seconds(&json, "for_seconds", seconds * 1000000000);
    json_object_end(&json);
    tell_answer(request, &json);
}

void proxy_act_reload(struct server_request *request, void *arg)
{
    struct proxy *p = arg;
    char error[SNAPSHOT_ERROR];
    if (!proxy_reload(p, "asked for over the admin socket", error)) {
        server_answer_text(request, 409, "not taken: %s; what was in service stays\n", error);
        return;
    }
    struct json_write json = {0};
    json_object(&json, NULL);
    json_bool(&json, "done", true);
    json_number(&json, "generation", p->snapshot ? p->snapshot->generation : 0);
    json_object_end(&json);
    tell_answer(request, &json);
}

void proxy_act_drain(struct server_request *request, void *arg)
{
    struct proxy *p = arg;
    if (p->state == PROXY_STARTING) {
        server_answer_text(request, 409, "it has not begun to serve: there is nothing to drain\n");
        return;
    }
    if (p->state == PROXY_SERVING) {
        proxy_leave(p, "asked for over the admin socket");
        p->drain_by_admin = true;
    }
    struct json_write json = {0};
    json_object(&json, NULL);
    json_bool(&json, "done", true);
    json_number(&json, "sessions_open", proxy_open_sessions(p));
    json_seconds(&json, "timeout_seconds", proxy_config(p)->sidecar.drain_timeout * 1000000);
    json_object_end(&json);
    tell_answer(request, &json);
}
