/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "sidecar/proxy/proxy_private.h"

enum {
    BEAT_LATE = 10000, /* ms after which a worker that does not answer counts as stuck */
    TRIM_AFTER = 256,  /* connections closed that make giving memory back worth it */
    COUNT_BEATS = 5,   /* after so many quarantine is counted, and what is over there forgotten */
};

/* --- health --- */

static void add_reason(struct proxy_reasons *reasons, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_reason(struct proxy_reasons *reasons, const char *format, ...)
{
    va_list args;
    if (reasons->count == PROXY_REASONS)
        return;
    va_start(args, format);
    (void)vsnprintf(reasons->text[reasons->count++], PROXY_REASON, format, args);
    va_end(args);
}

static void alive_reasons(const struct proxy *p, struct proxy_reasons *reasons)
{
    uint64_t now = uv_hrtime() / 1000000;
    for (unsigned i = 0; i < p->count; i++) {
        uint64_t beat = worker_beat(p->workers[i]);
        if (now > beat + BEAT_LATE)
            add_reason(reasons, "worker %u has not answered for %llu s", i,
                       (unsigned long long)(now - beat) / 1000);
    }
}

static void start_reasons(const struct proxy *p, struct proxy_reasons *reasons)
{
    for (size_t i = 0; i < sources_count(p->sources); i++) {
        if (sources_credentials(p->sources)[i] == NULL)
            add_reason(reasons, "%s: no valid credentials yet", sources_name(p->sources, i));
    }
    for (unsigned i = 0; reasons->count == 0 && i < p->count; i++) {
        if (worker_adopted(p->workers[i]) == 0)
            add_reason(reasons, "worker %u is not listening yet", i);
    }
}

bool proxy_is_alive(const struct proxy *p, struct proxy_reasons *reasons)
{
    reasons->count = 0;
    alive_reasons(p, reasons);
    return reasons->count == 0;
}

bool proxy_has_started(const struct proxy *p, struct proxy_reasons *reasons)
{
    reasons->count = 0;
    for (unsigned i = 0; i < p->count; i++) {
        if (worker_adopted(p->workers[i]) == 0) {
            start_reasons(p, reasons);
            return false;
        }
    }
    return true;
}

bool proxy_is_ready(const struct proxy *p, struct proxy_reasons *reasons)
{
    const struct credentials *own = p->snapshot ? p->snapshot->trust[0].credentials : NULL;
    reasons->count = 0;
    if (p->state >= PROXY_LEAVING)
        add_reason(reasons, "draining");
    start_reasons(p, reasons);
    alive_reasons(p, reasons);
    if (own && own->chain_count != 0 && own->not_after < time(NULL))
        add_reason(reasons, "own certificate has expired");
    return reasons->count == 0;
}

static void expiry_metrics(const struct proxy *p, struct metrics_text *out)
{
    if (p->snapshot == NULL)
        return;
    int64_t now = time(NULL);
    metrics_family(out, "certificate_expiry_seconds", "gauge", "Seconds until the own certificate expires.");
    metrics_append(out, "outrider_certificate_expiry_seconds %lld\n",
                   (long long)(p->snapshot->trust[0].credentials->not_after - now));
    metrics_family(out, "ca_expiry_seconds", "gauge",
                   "Seconds until the first certificate of a CA bundle expires.");
    for (size_t i = 0; i < p->snapshot->trust_count; i++) {
        const struct credentials *c = p->snapshot->trust[i].credentials;
        if (c->roots_not_after != 0)
            metrics_append(out, "outrider_ca_expiry_seconds{ca=\"%s\"} %lld\n",
                           i == 0 ? "" : p->snapshot->config->ca[i - 1].name,
                           (long long)(c->roots_not_after - now));
    }
    metrics_family(out, "crl_entries", "gauge", "Revoked certificates in the CRLs in service.");
    metrics_family(out, "crl_expiry_seconds", "gauge", "Seconds until the first CRL is due for renewal.");
    for (size_t i = 0; i < p->snapshot->trust_count; i++) {
        const struct credentials *c = p->snapshot->trust[i].credentials;
        const char *name = i == 0 ? "" : p->snapshot->config->ca[i - 1].name;
        if (c->crls == NULL)
            continue;
        struct crl_stats stats = crl_index_stats(c->crls);
        metrics_append(out, "outrider_crl_entries{ca=\"%s\"} %zu\n", name, stats.entries);
        if (stats.next_update != 0)
            metrics_append(out, "outrider_crl_expiry_seconds{ca=\"%s\"} %lld\n", name,
                           (long long)(stats.next_update - now));
    }
}

static void stall_metrics(const struct proxy *p, struct metrics_text *out)
{
    metrics_family(out, "loop_stall_seconds_max", "gauge",
                   "Longest time that a worker was kept from its sockets in the last half minute.");
    for (unsigned i = 0; i < p->count; i++)
        metrics_append(out, "outrider_loop_stall_seconds_max{worker=\"%u\"} %.6f\n", i,
                       (double)stall_longest(&p->workers[i]->stall) / 1e9);
    metrics_family(out, "reload_stall_seconds", "gauge",
                   "Longest time that the last reload kept a worker from its sockets.");
    for (unsigned i = 0; i < p->count; i++)
        metrics_append(out, "outrider_reload_stall_seconds{worker=\"%u\"} %.6f\n", i,
                       (double)stall_reload(&p->workers[i]->stall) / 1e9);
}

enum rule_figure { EVALUATED, MATCHED, ACTED };

static uint64_t rule_sum(struct ruleset_counter *const *counters, unsigned workers, size_t rule,
                         enum rule_figure figure)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < workers; i++) {
        const struct ruleset_counter *c = &counters[i][rule];
        const uint64_t *value = figure == EVALUATED ? &c->evaluated
                                : figure == MATCHED ? &c->matched
                                                    : &c->acted;
        sum += __atomic_load_n(value, __ATOMIC_RELAXED);
    }
    return sum;
}

/* Names of rules, limits and sequences are the configuration's own: their number is bounded. */
static void rule_metrics(const struct proxy *p, struct metrics_text *out)
{
    static const struct {
        const char *name, *help;
    } rule_figures[] =
        {
            [EVALUATED] = {"rule_evaluated_total", "Times that a rule was evaluated."},
            [MATCHED] = {"rule_matched_total", "Times that a rule matched."},
            [ACTED] = {"rule_acted_total", "Times that a rule matched and was no dry run."},
        },
      sequence_figures[] = {
          [EVALUATED] = {"sequence_evaluated_total", "Requests that a sequence was asked about."},
          [MATCHED] = {"sequence_matched_total", "Requests that broke a sequence."},
          [ACTED] = {"sequence_acted_total", "Requests that broke a sequence which was no dry run."},
      };
    const struct snapshot_config *shared = p->config;
    const struct ratelimits *limits = shared->policy->limits;
    for (int f = EVALUATED; f <= ACTED; f++) {
        metrics_family(out, rule_figures[f].name, "counter", rule_figures[f].help);
        for (size_t i = 0; i < ruleset_count(shared->policy->rules); i++)
            metrics_append(
                out, "outrider_%s{rule=\"%s\"} %llu\n", rule_figures[f].name,
                ruleset_name(shared->policy->rules, i),
                (unsigned long long)rule_sum(shared->rule_counters, shared->workers, i, (enum rule_figure)f));
    }
    for (int f = EVALUATED; f <= ACTED; f++) {
        metrics_family(out, sequence_figures[f].name, "counter", sequence_figures[f].help);
        for (size_t i = 0; i < sequences_count(shared->policy->sequences); i++)
            metrics_append(out, "outrider_%s{sequence=\"%s\"} %llu\n", sequence_figures[f].name,
                           sequences_name(shared->policy->sequences, i),
                           (unsigned long long)rule_sum(shared->sequence_counters, shared->workers, i,
                                                        (enum rule_figure)f));
    }
    metrics_family(out, "ratelimit_acted_total", "counter", "Requests over a rate limit.");
    for (size_t i = 0; i < ratelimits_count(limits); i++) {
        uint64_t sum = 0;
        for (unsigned w = 0; w < shared->workers; w++)
            sum += __atomic_load_n(&shared->limit_counters[w][i].acted, __ATOMIC_RELAXED);
        metrics_append(out, "outrider_ratelimit_acted_total{ratelimit=\"%s\"} %llu\n",
                       ratelimits_name(limits, i), (unsigned long long)sum);
    }
}

/* What is remembered of callers. */
static void table_metrics(const struct proxy *p, struct metrics_text *out)
{
    static const char *const name[] = {"ratelimit", "quarantine", "sequence"};
    struct rules_lru_stats stats[3] = {0};
    if (p->shared.limits)
        rules_lru_stats(p->shared.limits, &stats[0]);
    if (p->shared.quarantine)
        quarantine_stats(p->shared.quarantine, &stats[1]);
    if (p->shared.sequences)
        rules_lru_stats(p->shared.sequences, &stats[2]);
    metrics_family(out, "table_entries", "gauge", "Entries of what is remembered of callers.");
    for (int i = 0; i < 3; i++)
        metrics_append(out, "outrider_table_entries{table=\"%s\"} %zu\n", name[i], stats[i].used);
    metrics_family(out, "table_bytes", "gauge", "Memory taken for it, used or not.");
    for (int i = 0; i < 3; i++)
        metrics_append(out, "outrider_table_bytes{table=\"%s\"} %zu\n", name[i], stats[i].memory);
    metrics_family(out, "table_evicted_total", "counter", "Entries that gave way to others.");
    for (int i = 0; i < 3; i++)
        metrics_append(out, "outrider_table_evicted_total{table=\"%s\"} %llu\n", name[i],
                       (unsigned long long)stats[i].evicted);
    metrics_family(out, "quarantine_entries", "gauge", "Certificates in quarantine, some seconds ago.");
    metrics_append(out, "outrider_quarantine_entries %zu\n", p->quarantined);
}

void proxy_render_metrics(const struct proxy *p, struct metrics_text *out)
{
    const struct counters *sets[PROXY_WORKERS_MAX + 1];
    struct proxy_reasons reasons;
    for (unsigned i = 0; i < p->count; i++)
        sets[i] = &p->workers[i]->counters;
    sets[p->count] = &p->counters;
    metrics_counters(out, sets, p->count + 1);
    metrics_family(out, "ready", "gauge", "1 while /readyz says yes.");
    metrics_append(out, "outrider_ready %d\n", proxy_is_ready(p, &reasons));
    metrics_family(out, "reload_failing", "gauge",
                   "1 while the configuration or credentials on disk cannot be used.");
    metrics_append(out, "outrider_reload_failing{what=\"config\"} %d\n", p->config_failed);
    bool failing = false;
    for (size_t i = 0; i < sources_count(p->sources); i++)
        failing = failing || sources_failing(p->sources, i);
    metrics_append(out, "outrider_reload_failing{what=\"credentials\"} %d\n", failing);
    metrics_family(out, "snapshot_generation", "gauge", "Number of the snapshot in service.");
    metrics_append(out, "outrider_snapshot_generation %llu\n",
                   (unsigned long long)(p->snapshot ? p->snapshot->generation : 0));
    expiry_metrics(p, out);
    rule_metrics(p, out);
    table_metrics(p, out);
    metrics_family(out, "workers", "gauge", "Worker threads.");
    metrics_append(out, "outrider_workers %u\n", p->count);
    stall_metrics(p, out);
    metrics_family(out, "log_lines_dropped_total", "counter",
                   "Log lines dropped because the reader was slow.");
    metrics_append(out, "outrider_log_lines_dropped_total %llu\n", (unsigned long long)log_dropped(p->log));
    metrics_family(out, "build_info", "gauge", "The version that runs.");
    metrics_append(out, "outrider_build_info{version=\"%s\"} 1\n", OUTRIDER_VERSION);
}

/* --- once a second --- */

/* A line when a third, a tenth and a fiftieth of a lifetime is left, and when it is over. */
static void warn_expiry(struct proxy *p)
{
    const struct credentials *own = p->snapshot ? p->snapshot->trust[0].credentials : NULL;
    if (own == NULL || own->chain_count == 0)
        return;
    enum credentials_expiry level = credentials_expiry_level(own->not_before, own->not_after, time(NULL));
    if (level == CREDENTIALS_FRESH || p->expiry_told[level] == (uint64_t)own->not_after)
        return;
    char text[64];
    (void)x509_time_text(own->not_after, text, sizeof text);
    p->expiry_told[level] = (uint64_t)own->not_after;
    log_say(p->log, level == CREDENTIALS_OVER ? LOG_ERROR : LOG_WARN, "expiry",
            level == CREDENTIALS_OVER ? "own certificate has expired (%s)"
                                      : "own certificate expires soon (%s)",
            text);
}

/* After a burst of connections has gone, their memory goes back to the system. */
static void trim_memory(struct proxy *p)
{
    uint64_t open = proxy_open_sessions(p);
    if (open > p->trim_peak)
        p->trim_peak = open;
    if (p->trim_peak < open + TRIM_AFTER || open > p->trim_peak / 2)
        return;
    p->trim_peak = open;
    (void)malloc_trim(0);
}

void proxy_beat(struct proxy *p)
{
    for (unsigned i = 0; i < p->count; i++)
        worker_poke(p->workers[i]);
    warn_expiry(p);
    trim_memory(p);
    if (++p->beats % COUNT_BEATS == 0 && p->shared.quarantine)
        p->quarantined = quarantine_count(p->shared.quarantine, uv_now(&p->loop));
}
