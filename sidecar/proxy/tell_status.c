/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <time.h>

#include "sidecar/proxy/proxy_private.h"
#include "sidecar/proxy/tell.h"

static const char *const states[] = {
    [PROXY_STARTING] = "starting",
    [PROXY_SERVING] = "serving",
    [PROXY_LEAVING] = "leaving",
    [PROXY_DRAINING] = "draining",
};

static uint64_t sum_of(const struct proxy *p, enum counter id)
{
    return proxy_sum(p, id) + counter_read(&p->counters, id);
}

static void counters(const struct proxy *p, struct json_write *json)
{
    json_object(json, "counters");
    bool open = false;
#define FAMILY(name, type, help) \
    if (open)                    \
        json_object_end(json);   \
    open = true;                 \
    json_object(json, name);
#define ROW(id, labels) json_number(json, labels, sum_of(p, COUNTER_##id));
    COUNTERS(FAMILY, ROW)
#undef ROW
#undef FAMILY
    if (open)
        json_object_end(json);
    json_object_end(json);
}

void tell_status(const struct proxy *p, struct json_write *json)
{
    struct proxy_reasons reasons;
    struct timespec now;
    const struct credentials *own = p->snapshot ? p->snapshot->trust[0].credentials : NULL;
    uint64_t stall = 0;
    bool failing = false, ready = proxy_is_ready(p, &reasons);
    (void)clock_gettime(CLOCK_REALTIME, &now);
    for (size_t i = 0; i < sources_count(p->sources); i++)
        failing = failing || sources_failing(p->sources, i);
    for (unsigned i = 0; i < p->count; i++) {
        uint64_t longest = stall_longest(&p->workers[i]->stall);
        stall = longest > stall ? longest : stall;
    }
    json_text(json, "version", OUTRIDER_VERSION);
    json_text(json, "state", states[p->state]);
    json_bool(json, "ready", ready);
    json_array(json, "reasons");
    for (unsigned i = 0; i < reasons.count; i++)
        json_text(json, NULL, reasons.text[i]);
    json_array_end(json);
    json_signed(json, "started_at", p->started_at);
    json_number(json, "now_ms", (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
    json_number(json, "workers", p->count);
    json_number(json, "generation", p->snapshot ? p->snapshot->generation : 0);
    json_text(json, "config_path", p->path);
    json_bool(json, "config_failing", p->config_failed);
    json_bool(json, "credentials_failing", failing);
    if (own && own->chain_count != 0)
        tell_certificate(json, "own", own->chain[0]);
    else
        json_null(json, "own");
    json_number(json, "memory_bytes", proxy_resident_bytes());
    json_object(json, "sessions_open");
    json_number(json, "inbound", proxy_sum(p, COUNTER_OPEN_IN));
    json_number(json, "outbound", proxy_sum(p, COUNTER_OPEN_OUT));
    json_object_end(json);
    counters(p, json);
    json_seconds(json, "stall_seconds_max", stall);
}

static void event(void *arg, const struct log_kept *kept)
{
    struct json_write *json = arg;
    json_object(json, NULL);
    json_number(json, "at_ms", kept->at_ms);
    json_text(json, "level", kept->level);
    json_text(json, "event", kept->event);
    if (!kept->has_message)
        json_null(json, "message");
    rules_buffer_add(&json->out, kept->fields, kept->size);
    json_object_end(json);
}

void tell_events(const struct proxy *p, struct json_write *json, size_t limit)
{
    json_array(json, "events");
    log_recent(p->log, limit, event, json);
    json_array_end(json);
}
