/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What /metrics tells, looked up on the main thread: nobody waits for a worker, and what would cost a walk
 * over many things is counted now and then by proxy_beat().
 */
#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sidecar/admin/peer_lines.h"
#include "sidecar/proxy/proxy_private.h"
#include "sidecar/proxy/session.h"

static void one(struct metrics_text *out, enum metric family, uint64_t number)
{
    metrics_family(out, family);
    metrics_integer(out, NULL, NULL, number);
}

/* --- certificates --- */

static const char *ca_name(const struct snapshot *snapshot, size_t i)
{
    return i == 0 ? "" : snapshot->config->ca[i - 1].name;
}

static void expiry(const struct snapshot *snapshot, struct metrics_text *out)
{
    const struct credentials *own = snapshot->trust[0].credentials;
    if (own->chain_count != 0) {
        one(out, METRIC_NOT_BEFORE, (uint64_t)own->not_before);
        one(out, METRIC_NOT_AFTER, (uint64_t)own->not_after);
    }
    metrics_family(out, METRIC_CA_NOT_AFTER);
    for (size_t i = 0; i < snapshot->trust_count; i++) {
        const struct credentials *c = snapshot->trust[i].credentials;
        if (c->roots_not_after > 0)
            metrics_integer(out, "ca", ca_name(snapshot, i), (uint64_t)c->roots_not_after);
    }
    metrics_family(out, METRIC_CRL_ENTRIES);
    for (size_t i = 0; i < snapshot->trust_count; i++) {
        const struct credentials *c = snapshot->trust[i].credentials;
        if (c->crls)
            metrics_integer(out, "ca", ca_name(snapshot, i), crl_index_stats(c->crls).entries);
    }
    metrics_family(out, METRIC_CRL_NEXT_UPDATE);
    for (size_t i = 0; i < snapshot->trust_count; i++) {
        const struct credentials *c = snapshot->trust[i].credentials;
        if (c->crls && crl_index_stats(c->crls).next_update > 0)
            metrics_integer(out, "ca", ca_name(snapshot, i), (uint64_t)crl_index_stats(c->crls).next_update);
    }
}

/* --- rules --- */

/* The three figures that rules have, and sequences, in the order of their families. */
enum { EVALUATED, MATCHED, ACTED, FIGURES };

static void three(struct metrics_text *out, enum metric first, const char *label,
                  struct ruleset_counter *const *counters, unsigned workers, size_t count,
                  const char *(*name)(const struct proxy_policy *policy, size_t i),
                  const struct proxy_policy *policy)
{
    for (int f = EVALUATED; f < FIGURES; f++) {
        metrics_family(out, first + (enum metric)f);
        for (size_t i = 0; i < count; i++) {
            uint64_t sum = 0;
            for (unsigned w = 0; w < workers; w++) {
                const struct ruleset_counter *c = &counters[w][i];
                sum += __atomic_load_n(f == EVALUATED ? &c->evaluated
                                       : f == MATCHED ? &c->matched
                                                      : &c->acted,
                                       __ATOMIC_RELAXED);
            }
            metrics_integer(out, label, name(policy, i), sum);
        }
    }
}

static const char *rule_name(const struct proxy_policy *policy, size_t i)
{
    return ruleset_name(policy->rules, i);
}

static const char *sequence_name(const struct proxy_policy *policy, size_t i)
{
    return sequences_name(policy->sequences, i);
}

static void limits(const struct proxy *p, struct metrics_text *out)
{
    const struct snapshot_config *shared = p->config;
    const struct ratelimits *limits = shared->policy->limits;
    metrics_family(out, METRIC_RATELIMIT_ACTED);
    for (size_t i = 0; i < ratelimits_count(limits); i++) {
        uint64_t sum = 0;
        for (unsigned w = 0; w < shared->workers; w++)
            sum += __atomic_load_n(&shared->limit_counters[w][i].acted, __ATOMIC_RELAXED);
        metrics_integer(out, "ratelimit", ratelimits_name(limits, i), sum);
    }
}

/* What is remembered of callers. */
static void tables(const struct proxy *p, struct metrics_text *out)
{
    static const char *const name[] = {"ratelimit", "quarantine", "sequence"};
    static const enum metric families[] = {METRIC_TABLE_ENTRIES, METRIC_TABLE_BYTES, METRIC_TABLE_EVICTED};
    struct rules_lru_stats stats[3] = {0};
    if (p->shared.limits)
        rules_lru_stats(p->shared.limits, &stats[0]);
    if (p->shared.quarantine)
        quarantine_stats(p->shared.quarantine, &stats[1]);
    if (p->shared.sequences)
        rules_lru_stats(p->shared.sequences, &stats[2]);
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        metrics_family(out, families[f]);
        for (int i = 0; i < 3; i++)
            metrics_integer(out, "table", name[i],
                            families[f] == METRIC_TABLE_ENTRIES ? stats[i].used
                            : families[f] == METRIC_TABLE_BYTES ? stats[i].memory
                                                                : stats[i].evicted);
    }
    one(out, METRIC_QUARANTINE, p->quarantined);
}

/* Names of rules, limits and sequences are the configuration's own: their number is bounded. */
static void rules(const struct proxy *p, struct metrics_text *out)
{
    const struct snapshot_config *shared = p->config;
    const struct proxy_policy *policy = shared->policy;
    three(out, METRIC_RULE_EVALUATED, "rule", shared->rule_counters, shared->workers,
          ruleset_count(policy->rules), rule_name, policy);
    three(out, METRIC_SEQUENCE_EVALUATED, "sequence", shared->sequence_counters, shared->workers,
          sequences_count(policy->sequences), sequence_name, policy);
    limits(p, out);
    tables(p, out);
}

/* --- callers --- */

static void peers(const struct proxy *p, struct metrics_text *out)
{
    struct ledger_stats stats = ledger_stats(p->shared.ledger);
    metrics_family(out, METRIC_PEERS_TRACKED);
    metrics_integer(out, "verified", "true", stats.tracked);
    metrics_integer(out, "verified", "false", stats.strangers);
    peer_lines_update(p->peer_lines, p->shared.ledger, proxy_config(p)->sidecar.metrics_peers);
    peer_lines_render(p->peer_lines, out);
}

/* --- the process --- */

static void workers(const struct proxy *p, struct metrics_text *out)
{
    static const enum metric families[] = {METRIC_LOOP_STALL, METRIC_LOOP_BUSY, METRIC_RELOAD_STALL};
    one(out, METRIC_WORKERS, p->count);
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        metrics_family(out, families[f]);
        for (unsigned i = 0; i < p->count; i++) {
            const struct stall *stall = &p->workers[i]->stall;
            uint64_t ns = families[f] == METRIC_LOOP_STALL  ? stall_longest(stall)
                          : families[f] == METRIC_LOOP_BUSY ? stall_busy(stall)
                                                            : stall_reload(stall);
            char number[12];
            (void)snprintf(number, sizeof number, "%u", i);
            metrics_seconds(out, "worker", number, (double)ns / 1e9);
        }
    }
}

static void memory(const struct proxy *p, struct metrics_text *out)
{
    uint64_t crls = 0;
    for (size_t i = 0; p->snapshot && i < p->snapshot->trust_count; i++) {
        const struct credentials *c = p->snapshot->trust[i].credentials;
        crls += c->crls ? crl_index_stats(c->crls).bytes : 0;
    }
    metrics_family(out, METRIC_MEMORY);
    metrics_integer(out, "purpose", "sessions", proxy_open_sessions(p) * sizeof(struct session));
    metrics_integer(out, "purpose", "peers", ledger_stats(p->shared.ledger).memory);
    metrics_integer(out, "purpose", "lists", policy_lists_memory(p->config->policy->lists));
    metrics_integer(out, "purpose", "crls", crls);
}

uint64_t proxy_resident_bytes(void)
{
    unsigned long long size, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f && fscanf(f, "%llu %llu", &size, &resident) != 2)
        resident = 0;
    if (f)
        (void)fclose(f);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* The kernel tells since 6.2; an older one has us count, which takes a millisecond for some thousands. */
static uint64_t open_descriptors(void)
{
    struct stat st;
    uint64_t n = 0;
    if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
        return (uint64_t)st.st_size;
    DIR *dir = opendir("/proc/self/fd");
    for (const struct dirent *entry; dir && (entry = readdir(dir)) != NULL;)
        n += entry->d_name[0] != '.';
    if (dir)
        (void)closedir(dir);
    return n > 1 ? n - 1 : 0; /* without this one */
}

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void process(const struct proxy *p, struct metrics_text *out)
{
    struct rusage usage = {0};
    struct rlimit files = {0};
    (void)getrusage(RUSAGE_SELF, &usage);
    (void)getrlimit(RLIMIT_NOFILE, &files);
    one(out, METRIC_PROCESS_MEMORY, proxy_resident_bytes());
    metrics_family(out, METRIC_PROCESS_CPU);
    metrics_seconds(out, NULL, NULL, seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
    one(out, METRIC_PROCESS_START, (uint64_t)p->started_at);
    one(out, METRIC_PROCESS_FDS, open_descriptors());
    one(out, METRIC_PROCESS_FDS_MAX, files.rlim_cur);
}

void proxy_render_metrics(const struct proxy *p, struct metrics_text *out)
{
    const struct counters *sets[PROXY_WORKERS_MAX + 1];
    struct proxy_reasons reasons;
    bool failing = false;
    for (unsigned i = 0; i < p->count; i++)
        sets[i] = &p->workers[i]->counters;
    sets[p->count] = &p->counters;
    metrics_counters(out, sets, p->count + 1);
    one(out, METRIC_READY, proxy_is_ready(p, &reasons));
    for (size_t i = 0; i < sources_count(p->sources); i++)
        failing = failing || sources_failing(p->sources, i);
    metrics_family(out, METRIC_RELOAD_FAILING);
    metrics_integer(out, "what", "config", p->config_failed);
    metrics_integer(out, "what", "credentials", failing);
    one(out, METRIC_GENERATION, p->snapshot ? p->snapshot->generation : 0);
    if (p->snapshot)
        expiry(p->snapshot, out);
    rules(p, out);
    peers(p, out);
    workers(p, out);
    one(out, METRIC_LOG_DROPPED, log_dropped(p->log));
    memory(p, out);
    metrics_family(out, METRIC_BUILD);
    metrics_integer(out, "version", OUTRIDER_VERSION, 1);
    process(p, out);
    metrics_end(out);
}
