/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /rules, /config and /quarantine: what decides who may pass, and what came of it. */
#include <time.h>

#include "config/redact.h"
#include "sidecar/proxy/proxy_private.h"
#include "sidecar/proxy/tell.h"

static const char *action_name(enum config_action action)
{
    static const char *const names[] = {[CONFIG_ACTION_BLOCK] = "block",
                                        [CONFIG_ACTION_ALLOW] = "allow",
                                        [CONFIG_ACTION_LOG] = "log",
                                        [CONFIG_ACTION_SKIP] = "skip"};
    return names[action];
}

static void add(void *arg, const char *text, size_t size)
{
    rules_buffer_add(arg, text, size);
}

/* Strings that may be secrets are left out, as in /config. */
static void expression(struct json_write *json, const char *key, const struct config_text *text)
{
    struct rules_buffer shown = {0};
    config_redact_expression(text->text, false, add, &shown);
    json_bytes(json, key, shown.data, shown.size);
    json->out.failed = json->out.failed || shown.failed;
    rules_buffer_free(&shown);
}

static void names(struct json_write *json, const char *key, const struct config_strings *strings)
{
    json_array(json, key);
    for (size_t i = 0; i < strings->count; i++)
        json_text(json, NULL, strings->item[i]);
    json_array_end(json);
}

static uint64_t read_counter(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* Of one rule or sequence, all workers'. */
static void counters(struct json_write *json, struct ruleset_counter *const *all, unsigned workers, size_t i)
{
    uint64_t evaluated = 0, matched = 0, acted = 0;
    for (unsigned w = 0; w < workers; w++) {
        evaluated += read_counter(&all[w][i].evaluated);
        matched += read_counter(&all[w][i].matched);
        acted += read_counter(&all[w][i].acted);
    }
    json_number(json, "evaluated", evaluated);
    json_number(json, "matched", matched);
    json_number(json, "acted", acted);
}

static void rule(struct json_write *json, const struct snapshot_config *shared, size_t i)
{
    const struct config_rule *config = &shared->config->rule[i];
    json_object(json, NULL);
    json_text(json, "name", config->name);
    expression(json, "expression", &config->expression);
    json_text(json, "action", action_name(config->action));
    json_bool(json, "enabled", config->enabled);
    json_bool(json, "dry_run", config->dry_run);
    names(json, "inbounds", &config->inbound);
    counters(json, shared->rule_counters, shared->workers, i);
    json_object_end(json);
}

static void sequence(struct json_write *json, const struct snapshot_config *shared, size_t i)
{
    const struct config_sequence *config = &shared->config->sequence[i];
    json_object(json, NULL);
    json_text(json, "name", config->name);
    json_text(json, "steps", config->steps.text);
    json_seconds(json, "window_seconds", config->window * 1000000);
    json_text(json, "action", action_name(config->action));
    json_bool(json, "enabled", config->enabled);
    json_bool(json, "dry_run", config->dry_run);
    names(json, "inbounds", &config->inbound);
    counters(json, shared->sequence_counters, shared->workers, i);
    json_object_end(json);
}

static void ratelimit(struct json_write *json, const struct snapshot_config *shared, size_t i)
{
    const struct config_ratelimit *config = &shared->config->ratelimit[i];
    uint64_t acted = 0;
    for (unsigned w = 0; w < shared->workers; w++)
        acted += read_counter(&shared->limit_counters[w][i].acted);
    json_object(json, NULL);
    json_text(json, "name", config->name);
    expression(json, "expression", &config->expression);
    json_number(json, "requests", config->requests);
    json_seconds(json, "period_seconds", config->period * 1000000);
    json_number(json, "acted", acted);
    json_object_end(json);
}

static void list(struct json_write *json, const struct snapshot_config *shared, size_t i)
{
    const struct config_list *config = &shared->config->list[i];
    json_object(json, NULL);
    json_text(json, "name", config->name);
    json_number(json, "entries", policy_lists_entries(shared->policy->lists, i));
    json_text(json, "file", config->file);
    json_object_end(json);
}

static void quarantine(struct json_write *json, const struct config_quarantine *config)
{
    json_object(json, NULL);
    json_text(json, "name", config->name);
    json_number(json, "threshold", config->threshold);
    json_seconds(json, "period_seconds", config->period * 1000000);
    json_seconds(json, "duration_seconds", config->duration * 1000000);
    json_object_end(json);
}

void tell_rules(const struct proxy *p, struct json_write *json)
{
    static const char *const fallbacks[] = {
        [CONFIG_RULES_AUTO] = "auto", [CONFIG_RULES_ALLOW] = "allow", [CONFIG_RULES_DENY] = "deny"};
    const struct snapshot_config *shared = p->config;
    const struct config *config = shared->config;
    json_text(json, "default", fallbacks[config->rules.fallback]);
    json_array(json, "rules");
    for (size_t i = 0; i < config->rule_count; i++)
        rule(json, shared, i);
    json_array_end(json);
    json_array(json, "ratelimits");
    for (size_t i = 0; i < config->ratelimit_count; i++)
        ratelimit(json, shared, i);
    json_array_end(json);
    json_array(json, "lists");
    for (size_t i = 0; i < config->list_count; i++)
        list(json, shared, i);
    json_array_end(json);
    json_array(json, "quarantines");
    for (size_t i = 0; i < config->quarantine_count; i++)
        quarantine(json, &config->quarantine[i]);
    json_array_end(json);
    json_array(json, "sequences");
    for (size_t i = 0; i < config->sequence_count; i++)
        sequence(json, shared, i);
    json_array_end(json);
}

void tell_config(const struct proxy *p, struct json_write *json)
{
    json_text(json, "path", p->path);
    json_text(json, "text", proxy_config(p)->effective);
}

/* --- quarantine --- */

struct quarantined {
    struct json_write *json;
    uint64_t now; /* ms of the loop's clock */
    int64_t wall; /* seconds since 1970 */
};

static void see(void *arg, const struct quarantine_entry *entry)
{
    const struct quarantined *q = arg;
    char sha256[2 * QUARANTINE_FINGERPRINT + 1];
    (void)x509_hex((struct x509_slice){entry->fingerprint, QUARANTINE_FINGERPRINT}, false, sha256,
                   sizeof sha256);
    json_object(q->json, NULL);
    json_text(q->json, "quarantine", entry->rule);
    json_text(q->json, "sha256", sha256);
    /* The clock of the worker that put it there may be a moment ahead of ours. */
    json_signed(q->json, "since_at", q->wall + ((int64_t)entry->since - (int64_t)q->now) / 1000);
    json_signed(q->json, "until_at", q->wall + ((int64_t)entry->until - (int64_t)q->now + 999) / 1000);
    json_number(q->json, "noted", entry->noted);
    json_object_end(q->json);
}

void tell_quarantine(const struct proxy *p, struct json_write *json)
{
    struct quarantined q = {json, uv_now(&p->loop), time(NULL)};
    json_array(json, "entries");
    if (p->shared.quarantine)
        quarantine_list(p->shared.quarantine, q.now, see, &q);
    json_array_end(json);
}
