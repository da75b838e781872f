/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/proxy.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "sidecar/check.h"
#include "sidecar/proxy/cgroup.h"
#include "sidecar/proxy/proxy_private.h"

uint64_t proxy_sum(const struct proxy *p, enum counter id)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < p->count; i++)
        n += counter_read(&p->workers[i]->counters, id);
    return n;
}

uint64_t proxy_open_sessions(const struct proxy *p)
{
    return proxy_sum(p, COUNTER_OPEN_IN) + proxy_sum(p, COUNTER_OPEN_OUT);
}

static void on_start_timeout(uv_timer_t *timer)
{
    struct proxy *p = timer->data;
    log_say(p->log, LOG_ERROR, "start", "no valid credentials within start_timeout");
    p->status = 1;
    proxy_stop(p);
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static unsigned worker_count(const struct config *config)
{
    unsigned wanted = config->sidecar.workers ? config->sidecar.workers : cgroup_workers();
    return wanted < PROXY_WORKERS_MAX ? wanted : PROXY_WORKERS_MAX;
}

static bool start_workers(struct proxy *p, char error[SNAPSHOT_ERROR])
{
    p->shared.log = p->log;
    p->listeners = listeners_new(p->shared.workers);
    p->shared.ledger = ledger_new(proxy_config(p)->sidecar.peers_tracked, p->shared.workers);
    p->peer_lines = peer_lines_new();
    if (p->listeners == NULL || p->shared.ledger == NULL || p->peer_lines == NULL) {
        (void)snprintf(error, SNAPSHOT_ERROR, "out of memory");
        return false;
    }
    while (p->count < p->shared.workers) {
        p->workers[p->count] = worker_start(p->count, &p->shared, error);
        if (p->workers[p->count] == NULL)
            return false;
        p->count++;
    }
    return true;
}

static void on_sigterm(uv_signal_t *signal, int number)
{
    proxy_leave(signal->data, number == SIGTERM ? "SIGTERM" : "SIGINT");
}

static void on_sighup(uv_signal_t *signal, int number)
{
    (void)number;
    (void)proxy_reload(signal->data, "SIGHUP", NULL);
}

static void on_beat(uv_timer_t *timer)
{
    proxy_beat(timer->data);
}

static void start_signals(struct proxy *p)
{
    (void)uv_signal_init(&p->loop, &p->sigterm);
    (void)uv_signal_init(&p->loop, &p->sigint);
    (void)uv_signal_init(&p->loop, &p->sighup);
    (void)uv_timer_init(&p->loop, &p->timer);
    (void)uv_timer_init(&p->loop, &p->beat);
    (void)uv_timer_init(&p->loop, &p->log_timer);
    p->sigterm.data = p->sigint.data = p->sighup.data = p->timer.data = p->beat.data = p->log_timer.data = p;
    (void)uv_signal_start(&p->sigterm, on_sigterm, SIGTERM);
    (void)uv_signal_start(&p->sigint, on_sigterm, SIGINT);
    (void)uv_signal_start(&p->sighup, on_sighup, SIGHUP);
    (void)uv_timer_start(&p->beat, on_beat, PROXY_BEAT, PROXY_BEAT);
    uv_unref((uv_handle_t *)&p->beat);
}

static bool start(struct proxy *p, char error[SNAPSHOT_ERROR])
{
    struct config_report report;
    struct proxy_policy *policy;
    struct config *config = check_load(p->path, &report, &policy);
    if (report.count != 0)
        config_report_print(&report, stderr);
    config_report_clear(&report);
    *error = '\0';
    if (config == NULL)
        return false;
    p->shared.workers = worker_count(config);
    p->config = snapshot_config_new(config, policy, p->shared.workers);
    if (p->config == NULL)
        return false;
    proxy_apply_log_settings(p);
    if (!tls_global_init(error, SNAPSHOT_ERROR))
        return false;
    start_signals(p);
    p->notify = notify_new(&p->loop);
    if (p->notify == NULL) {
        (void)snprintf(error, SNAPSHOT_ERROR, "out of memory");
        return false;
    }
    if (!start_workers(p, error))
        return false;
    if (config->sidecar.start_timeout)
        (void)uv_timer_start(&p->timer, on_start_timeout, config->sidecar.start_timeout, 0);
    struct snapshot_config *first = snapshot_config_ref(p->config);
    if (!proxy_take_config(p, first, error)) {
        snapshot_config_unref(first);
        return false;
    }
    if (!proxy_admin_start(p, error))
        return false;
    proxy_watch_config(p);
    if (p->snapshot)
        proxy_say_snapshot(p, "started");
    return true;
}

static int run(const char *path)
{
    struct proxy *p = calloc(1, sizeof *p);
    char error[SNAPSHOT_ERROR] = "out of memory";
    if (p == NULL || uv_loop_init(&p->loop) != 0 ||
        (p->log = log_new(STDERR_FILENO, false, LOG_INFO)) == NULL) {
        (void)fputs("sidecar: out of memory\n", stderr);
        return 1;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    p->path = path;
    p->started_at = time(NULL);
    p->log_level = -1;
    if (!start(p, error)) {
        if (*error)
            log_say(p->log, LOG_ERROR, "start", "%s", error);
        p->status = 1;
        if (p->sigterm.data)
            proxy_stop(p);
    }
    (void)uv_run(&p->loop, UV_RUN_DEFAULT);
    for (unsigned i = 0; i < p->count; i++)
        worker_stop(p->workers[i]);
    gather_hub_free(p->hub);
    (void)uv_loop_close(&p->loop);
    snapshot_unref(p->snapshot);
    snapshot_config_unref(p->config);
    listeners_free(p->listeners);
    rules_lru_free(p->shared.limits);
    quarantine_free(p->shared.quarantine);
    rules_lru_free(p->shared.sequences);
    ledger_free(p->shared.ledger);
    peer_lines_free(p->peer_lines);
    free(p->expiry);
    tls_global_cleanup();
    int status = p->status;
    log_free(p->log);
    free(p);
    return status;
}

static void usage(FILE *out)
{
    (void)fputs(
        "usage: sidecar run -c FILE\n"
        "\n"
        "Runs the sidecar. SIGHUP reloads configuration and certificates, SIGTERM drains, a second one\n"
        "ends at once.\n"
        "\n"
        "  -c, --config FILE   the configuration\n"
        "  -h, --help          this text\n",
        out);
    proxy_admin_help(out);
}

int proxy_main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    const char *path = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (option) {
        case 'c': path = optarg; break;
        case 'h': usage(stdout); return 0;
        default: usage(stderr); return 2;
        }
    }
    if (path == NULL || optind != argc) {
        usage(stderr);
        return 2;
    }
    return run(path);
}
