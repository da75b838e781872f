/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "sidecar/check.h"
#include "sidecar/proxy/filehash.h"
#include "sidecar/proxy/proxy_private.h"

/* --- snapshots --- */

/* The own certificate, and the one before where it is another. */
static void say_own(struct proxy *p, struct log_line *line, const struct credentials *own)
{
    struct x509 leaf;
    uint8_t digest[32];
    char text[512], serial[sizeof p->told.serial], sha256[65];
    if (own->chain_count == 0 || x509_parse(own->chain[0].data, own->chain[0].size, &leaf) != NULL)
        return;
    (void)x509_name_rfc2253(leaf.subject, text, sizeof text);
    log_text(line, "subject", text);
    (void)x509_serial_hex(&leaf, serial, sizeof serial);
    log_text(line, "serial", serial);
    x509_sha256(leaf.der, digest);
    (void)x509_hex((struct x509_slice){digest, sizeof digest}, false, sha256, sizeof sha256);
    log_text(line, "sha256", sha256);
    if (strcmp(p->told.sha256, sha256) != 0) {
        log_text(line, "old_serial", p->told.serial);
        log_text(line, "old_sha256", p->told.sha256);
        memcpy(p->told.serial, serial, sizeof serial);
        memcpy(p->told.sha256, sha256, sizeof sha256);
    }
    (void)x509_time_text(own->not_after, text, sizeof text);
    log_text(line, "not_after", text);
}

static void say_hash(struct log_line *line, const char *key, uint64_t hash)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%016llx", (unsigned long long)hash);
    log_text(line, key, hash ? text : NULL);
}

void proxy_say_snapshot(struct proxy *p, const char *why)
{
    const struct credentials *own = p->snapshot->trust[0].credentials;
    uint64_t config = p->snapshot->config->hash;
    struct log_line line;
    log_begin(&line, p->log, LOG_INFO, "reload", why);
    log_number(&line, "generation", p->snapshot->generation);
    say_own(p, &line, own);
    log_number(&line, "roots", own->root_count);
    if (config != p->told.config) {
        say_hash(&line, "config", config);
        say_hash(&line, "old_config", p->told.config);
        p->told.config = config;
    }
    log_end(&line);
    if (own->warnings && *own->warnings)
        log_say(p->log, LOG_WARN, "credentials", "%s", own->warnings);
}

/* What is remembered of callers stands in tables that outlive snapshots, taken when first needed. */
static bool provide_tables(struct proxy *p, const struct snapshot_config *config)
{
    const struct config_rules *sizes = &config->config->rules;
    struct worker_shared *to = &p->shared;
    uint8_t secret[16];
    bool limits = to->limits == NULL && ratelimits_count(config->policy->limits) != 0;
    bool quarantine = to->quarantine == NULL && config->config->quarantine_count != 0;
    bool sequences = to->sequences == NULL && config->config->sequence_count != 0;
    if (!limits && !quarantine && !sequences)
        return true;
    if (getrandom(secret, sizeof secret, 0) != sizeof secret)
        return false;
    if (limits)
        to->limits = ratelimit_table_new(sizes->ratelimit_entries, secret);
    if (quarantine)
        to->quarantine = quarantine_new(sizes->certificate_entries, secret);
    if (sequences)
        to->sequences = sequence_table_new(sizes->certificate_entries, secret);
    return (!limits || to->limits) && (!quarantine || to->quarantine) && (!sequences || to->sequences);
}

/* Puts CONFIG and the credentials of SOURCES in service; false: all stays as it was, ERROR says why. */
static bool put_in_service(struct proxy *p, struct snapshot_config *config, const struct sources *sources,
                           char error[SNAPSHOT_ERROR])
{
    struct snapshot *next = snapshot_new(config, sources_credentials(sources), p->snapshot, error);
    if (next == NULL)
        return false;
    if (!provide_tables(p, config)) {
        (void)snprintf(error, SNAPSHOT_ERROR, "out of memory for what is remembered of callers");
        snapshot_unref(next);
        return false;
    }
    if (!listeners_update(p->listeners, config->config, error)) {
        snapshot_unref(next);
        return false;
    }
    snapshot_unref(p->snapshot);
    p->snapshot = next;
    for (unsigned i = 0; i < p->count; i++) {
        const struct worker_socket *sockets;
        size_t count = listeners_sockets(p->listeners, i, &sockets);
        worker_adopt(p->workers[i], next, sockets, count);
    }
    return true;
}

static void begin_serving(struct proxy *p)
{
    if (p->state != PROXY_STARTING)
        return;
    p->state = PROXY_SERVING;
    (void)uv_timer_stop(&p->timer);
}

static void on_loaded(void *arg, const struct sources *sources, size_t index)
{
    struct proxy *p = arg;
    char error[SNAPSHOT_ERROR];
    if (sources != p->sources || p->state > PROXY_SERVING || !sources_complete(sources))
        return;
    if (put_in_service(p, p->config, sources, error)) {
        counter_add(&p->counters, COUNTER_RELOAD_CREDENTIALS_OK, 1);
        begin_serving(p);
        proxy_say_snapshot(p, sources_name(sources, index));
    } else {
        counter_add(&p->counters, COUNTER_RELOAD_CREDENTIALS_FAILED, 1);
        log_say(p->log, LOG_ERROR, "credentials", "%s: %s; what was in service stays",
                sources_name(sources, index), error);
    }
}

static void on_failed(void *arg, const struct sources *sources, size_t index,
                      const struct credentials_error *error)
{
    struct proxy *p = arg;
    const char *stays =
        sources_credentials(sources)[index] ? "what was in service stays" : "waiting for better";
    if (error->fault == CREDENTIALS_NO_DESCRIPTORS && sources_credentials(sources)[index]) {
        log_say(p->log, LOG_WARN, "credentials", "%s: %s; %s", sources_name(sources, index), error->text,
                stays);
        return;
    }
    counter_add(&p->counters, COUNTER_RELOAD_CREDENTIALS_FAILED, 1);
    log_say(p->log, LOG_ERROR, "credentials", "%s: %s (%s); %s", sources_name(sources, index), error->text,
            credentials_fault_name(error->fault), stays);
}

static const struct sources_calls source_calls = {on_loaded, on_failed};

/* --- the configuration --- */

static void log_report(struct proxy *p, const struct config_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct config_problem *problem = &report->problem[i];
        log_say(p->log, problem->severity == CONFIG_ERROR ? LOG_ERROR : LOG_WARN, "config",
                "%s:%u:%u: %s%s%s", report->path, problem->place.line, problem->place.column,
                problem->message, problem->suggestion ? "; did you mean " : "",
                problem->suggestion ? problem->suggestion : "");
    }
}

/* NULL: the report was logged, and FIRST is the first of its errors. */
static struct snapshot_config *load_config(struct proxy *p, char first[SNAPSHOT_ERROR])
{
    struct config_report report;
    struct proxy_policy *policy;
    struct config *config = check_load(p->path, &report, &policy);
    log_report(p, &report);
    (void)snprintf(first, SNAPSHOT_ERROR, "out of memory");
    for (size_t i = 0; i < report.count; i++) {
        const struct config_problem *problem = &report.problem[i];
        if (problem->severity != CONFIG_ERROR)
            continue;
        (void)snprintf(first, SNAPSHOT_ERROR, "%s:%u:%u: %s", report.path, problem->place.line,
                       problem->place.column, problem->message);
        break;
    }
    config_report_clear(&report);
    return config ? snapshot_config_new(config, policy, p->shared.workers) : NULL;
}

void proxy_apply_log_settings(struct proxy *p)
{
    const struct config_sidecar *s = &proxy_config(p)->sidecar;
    int level = p->log_level >= 0 ? p->log_level : (int)s->log_level;
    log_set(p->log, s->log_format == CONFIG_LOG_JSON, (enum log_level)level);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_addrs(const struct config_addrs *a, const struct config_addrs *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = same_text(a->item[i].text, b->item[i].text);
    return same;
}

/* What only a restart can change, in words; NULL: nothing of it was changed. */
static const char *needs_restart(const struct proxy *p, const struct config *next)
{
    const struct config_sidecar *now = &proxy_config(p)->sidecar;
    if (now->workers != next->sidecar.workers)
        return "workers";
    if (now->peers_tracked != next->sidecar.peers_tracked)
        return "peers_tracked";
    if (!same_text(now->health.text, next->sidecar.health.text))
        return "health";
    if (!same_addrs(&now->admin, &next->sidecar.admin))
        return "admin";
    return NULL;
}

static void on_lists_changed(void *arg)
{
    struct proxy *p = arg;
    uint64_t now;
    /* What failed and is now as it was in service is taken as well: the failure is over. */
    if ((!policy_lists_changed(p->config->policy->lists, &now) && !p->lists_failed) || now == p->lists_hash)
        return;
    p->lists_hash = now;
    (void)proxy_reload(p, "list changed", NULL);
    p->lists_failed = p->config_failed;
}

static void watch_lists(struct proxy *p)
{
    const struct config *config = proxy_config(p);
    const char **paths = calloc(config->list_count + 1, sizeof *paths);
    struct watch_options options = {
        .paths = paths, .call_first = true, .notify = p->notify, .changed = on_lists_changed, .arg = p};
    watch_stop(p->lists_watch);
    p->lists_watch = NULL;
    p->lists_hash = 0;
    p->lists_failed = false;
    for (size_t i = 0; paths && i < config->list_count; i++) {
        if (config->list[i].file)
            paths[options.path_count++] = config->list[i].file;
    }
    if (paths == NULL || (options.path_count != 0 && watch_start(&p->loop, &options, &p->lists_watch) != 0))
        log_say(p->log, LOG_WARN, "config", "files of lists cannot be watched: SIGHUP alone reloads them");
    free(paths);
}

/* Takes a new configuration, all or nothing. False: ERROR says why, or nothing where the report was logged.
 */
bool proxy_take_config(struct proxy *p, struct snapshot_config *next, char error[SNAPSHOT_ERROR])
{
    int uv_error;
    struct sources *sources =
        sources_start(&p->loop, p->notify, next->config, p->sources, &source_calls, p, &uv_error);
    if (sources == NULL) {
        (void)snprintf(error, SNAPSHOT_ERROR, "%s", uv_strerror(uv_error));
        return false;
    }
    bool ready = sources_complete(sources);
    if (!ready && p->snapshot) {
        (void)snprintf(error, SNAPSHOT_ERROR, "credentials that it names cannot be used");
        sources_stop(sources);
        return false;
    }
    if (ready && !put_in_service(p, next, sources, error)) {
        sources_stop(sources);
        return false;
    }
    sources_stop(p->sources);
    p->sources = sources;
    const char *restart = p->config && p->config != next ? needs_restart(p, next->config) : NULL;
    if (restart)
        log_say(p->log, LOG_WARN, "config", "[sidecar] %s was changed: it takes effect after a restart",
                restart);
    snapshot_config_unref(p->config);
    p->config = next;
    proxy_apply_log_settings(p);
    watch_lists(p);
    if (ready)
        begin_serving(p);
    return true;
}

bool proxy_reload(struct proxy *p, const char *why, char *told)
{
    char first[SNAPSHOT_ERROR], error[SNAPSHOT_ERROR] = "";
    if (p->state > PROXY_SERVING) {
        if (told)
            (void)snprintf(told, SNAPSHOT_ERROR, "draining");
        return false;
    }
    struct snapshot_config *next = load_config(p, first);
    p->config_failed = next == NULL || !proxy_take_config(p, next, error);
    if (p->config_failed) {
        if (told)
            (void)snprintf(told, SNAPSHOT_ERROR, "%s", next ? error : first);
        snapshot_config_unref(next);
        counter_add(&p->counters, COUNTER_RELOAD_CONFIG_FAILED, 1);
        log_say(p->log, LOG_ERROR, "config", "%s not taken%s%s; what was in service stays", p->path,
                *error ? ": " : "", error);
        return false;
    }
    counter_add(&p->counters, COUNTER_RELOAD_CONFIG_OK, 1);
    if (p->snapshot)
        proxy_say_snapshot(p, why);
    return true;
}

static void on_config_changed(void *arg)
{
    struct proxy *p = arg;
    uint64_t hash = filehash(p->path);
    if (hash == 0 || hash == p->config_hash)
        return;
    p->config_hash = hash;
    (void)proxy_reload(p, "configuration changed", NULL);
}

/* Whether PATH can be read again: a pipe cannot. */
static bool is_lasting(const char *path)
{
    struct stat st;
    return strcmp(path, "-") != 0 && (stat(path, &st) < 0 || S_ISREG(st.st_mode));
}

void proxy_watch_config(struct proxy *p)
{
    const char *const paths[] = {p->path};
    struct watch_options options = {.paths = paths,
                                    .path_count = 1,
                                    .call_first = true,
                                    .notify = p->notify,
                                    .changed = on_config_changed,
                                    .arg = p};
    p->config_hash = proxy_config(p)->hash;
    if (is_lasting(p->path) && watch_start(&p->loop, &options, &p->config_watch) != 0)
        log_say(p->log, LOG_WARN, "config", "%s cannot be watched: SIGHUP alone reloads it", p->path);
}
