/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <signal.h>

#include "sidecar/proxy/proxy_private.h"

enum {
    DRAIN_POLL = 50,    /* ms */
    DRAIN_QUIET = 1000, /* ms without a session until a drain is over */
};

/* --- the end --- */

/* Nothing new is taken into service any more. The kernel needs a moment to let watches go, seconds on a busy
 * machine, and whoever closes an inotify descriptor waits for it: so the sooner the better. */
static void unfollow(struct proxy *p)
{
    watch_stop(p->config_watch);
    watch_stop(p->lists_watch);
    p->config_watch = p->lists_watch = NULL;
    if (p->sources)
        sources_unfollow(p->sources);
}

void proxy_stop(struct proxy *p)
{
    if (p->stopping)
        return;
    p->stopping = true;
    proxy_admin_stop(p);
    unfollow(p);
    sources_stop(p->sources);
    p->sources = NULL;
    notify_unref(p->notify);
    uv_close((uv_handle_t *)&p->sigterm, NULL);
    uv_close((uv_handle_t *)&p->sigint, NULL);
    uv_close((uv_handle_t *)&p->sighup, NULL);
    /* It ends well, whatever is sent meanwhile. */
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    uv_close((uv_handle_t *)&p->timer, NULL);
    uv_close((uv_handle_t *)&p->beat, NULL);
    uv_close((uv_handle_t *)&p->log_timer, NULL);
}

static uint64_t accepted(const struct proxy *p)
{
    return proxy_sum(p, COUNTER_ACCEPTED_IN) + proxy_sum(p, COUNTER_ACCEPTED_OUT);
}

static void on_drain(uv_timer_t *timer)
{
    struct proxy *p = timer->data;
    const struct config_sidecar *s = &proxy_config(p)->sidecar;
    uint64_t now = uv_now(&p->loop);
    uint64_t open = proxy_open_sessions(p);
    if (p->state == PROXY_LEAVING && now - p->drain_began >= s->drain_delay) {
        p->state = PROXY_DRAINING;
        p->drain_quiet_since = now;
        for (unsigned i = 0; i < p->count; i++)
            worker_close_listeners(p->workers[i], false);
        log_say(p->log, LOG_INFO, "drain", "inbound accepts no more; %llu sessions open",
                (unsigned long long)open);
    }
    if (open != 0)
        p->drain_quiet_since = now;
    bool over = now - p->drain_began >= s->drain_timeout;
    bool quiet = p->state == PROXY_DRAINING && open == 0 && now - p->drain_quiet_since >= DRAIN_QUIET;
    if (!over && !quiet)
        return;
    unsigned long long ended = accepted(p) - open - p->drain_ended;
    if (open != 0)
        log_say(p->log, LOG_WARN, "drain", "drain_timeout is over: %llu sessions are cut, %llu have ended",
                (unsigned long long)open, ended);
    else
        log_say(p->log, LOG_INFO, "drain", "done: %llu sessions have ended", ended);
    proxy_stop(p);
}

void proxy_leave(struct proxy *p, const char *why)
{
    /* Kubernetes sends SIGTERM after a preStop hook that drains. */
    if (p->state > PROXY_SERVING && p->drain_by_admin) {
        p->drain_by_admin = false;
        log_say(p->log, LOG_INFO, "drain", "%s: draining already; the next one ends at once", why);
        return;
    }
    if (p->state != PROXY_SERVING) {
        log_say(p->log, LOG_WARN, "drain", "%s: ends at once", why);
        proxy_stop(p);
        return;
    }
    p->state = PROXY_LEAVING;
    unfollow(p);
    p->drain_began = uv_now(&p->loop);
    p->drain_ended = accepted(p) - proxy_open_sessions(p);
    log_say(p->log, LOG_INFO, "drain", "%s: not ready any more, %llu sessions open", why,
            (unsigned long long)proxy_open_sessions(p));
    (void)uv_timer_start(&p->timer, on_drain, 0, DRAIN_POLL);
}
