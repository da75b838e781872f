/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The main thread's state, for the files that make it up: proxy.c (start and command), reload.c (new
 * snapshots), status.c (health, once a second), expiry.c, figures.c (metrics), admin.c (the HTTP listeners),
 * act.c (what they may change), drain.c (the end).
 */
#ifndef SIDECAR_PROXY_PROXY_PRIVATE_H
#define SIDECAR_PROXY_PROXY_PRIVATE_H

#include <stdio.h>
#include <uv.h>

#include "certrotate/watch.h"
#include "sidecar/admin/metrics.h"
#include "sidecar/admin/peer_lines.h"
#include "sidecar/admin/server.h"
#include "sidecar/proxy/gather.h"
#include "sidecar/proxy/listeners.h"
#include "sidecar/proxy/sources.h"
#include "sidecar/proxy/worker.h"

enum proxy_state { PROXY_STARTING, PROXY_SERVING, PROXY_LEAVING, PROXY_DRAINING };

enum { PROXY_WORKERS_MAX = 64 };

struct proxy {
    uv_loop_t loop;
    const char *path;
    struct log *log;
    struct worker_shared shared;
    unsigned count;
    struct worker *workers[PROXY_WORKERS_MAX];
    struct counters counters; /* the main thread's own */

    enum proxy_state state;
    struct snapshot_config *config;
    struct sources *sources;
    struct snapshot *snapshot; /* NULL: nothing valid yet */
    struct listeners *listeners;
    struct server *health, *admin;
    struct gather_hub *hub;
    struct endpoint_io probe_io; /* of probes of the service */
    unsigned scrapings;          /* requests for /metrics that wait for a service */
    int64_t started_at;          /* seconds since 1970 */
    struct notify *notify;       /* of all that follows files */
    struct watch *config_watch;
    uint64_t config_hash;
    struct watch *lists_watch; /* the files of [list NAME] */
    uint64_t lists_hash;       /* of what they held when last tried since the configuration was taken */
    bool lists_failed;         /* that attempt failed */
    bool config_failed;        /* the file that is there now cannot be used */
    struct {
        char serial[128], sha256[65];
        uint64_t config;
    } told; /* in the log, of what is in service; "" and 0: nothing yet */

    uv_signal_t sigterm, sigint, sighup;
    uv_timer_t timer; /* start_timeout, then the drain */
    uv_timer_t beat;
    unsigned beats;
    size_t quarantined; /* certificates, when last counted */
    uint64_t drain_began, drain_quiet_since;
    uint64_t drain_ended; /* sessions that had ended by then */
    bool drain_by_admin;  /* the signal that follows is no second one */
    int log_level;        /* for a time, in place of the configuration's; -1: none */
    uv_timer_t log_timer; /* until then */
    uint64_t trim_peak;
    struct peer_lines *peer_lines;
    struct proxy_expiry *expiry; /* expiry.c's: what has been warned about */
    size_t expiry_count;
    int status;
    bool stopping;
};

static inline const struct config *proxy_config(const struct proxy *p)
{
    return p->config->config;
}

/* Of all workers. */
uint64_t proxy_sum(const struct proxy *p, enum counter id);
uint64_t proxy_open_sessions(const struct proxy *p);

/* --- reload.c --- */

/*
 * Takes NEXT into service with the credentials that it names, all or nothing; at the start it may wait for
 * them. True: NEXT is the proxy's. False: nothing has changed, ERROR says why.
 */
bool proxy_take_config(struct proxy *p, struct snapshot_config *next, char error[SNAPSHOT_ERROR]);
/* Reads the configuration file again; WHY is for the log. False: it was not taken, TOLD (of SNAPSHOT_ERROR
 * bytes, or NULL) says why. */
bool proxy_reload(struct proxy *p, const char *why, char *told);
/* Reloads when the file's content changes. */
void proxy_watch_config(struct proxy *p);
/* The log follows the configuration. */
void proxy_apply_log_settings(struct proxy *p);
/* A line on what is in service, and on what was before it. */
void proxy_say_snapshot(struct proxy *p, const char *why);

/* --- status.c --- */

enum { PROXY_REASONS = 16, PROXY_REASON = 160 };

/* Why not, in words, a cause each. */
struct proxy_reasons {
    unsigned count;
    char text[PROXY_REASONS][PROXY_REASON];
};

/* Every worker's loop has answered of late. */
bool proxy_is_alive(const struct proxy *p, struct proxy_reasons *reasons);
/* Callers may come: credentials are valid, all workers listen and answer, no drain has begun. */
bool proxy_is_ready(const struct proxy *p, struct proxy_reasons *reasons);
/* All workers have begun to listen; true from then on. */
bool proxy_has_started(const struct proxy *p, struct proxy_reasons *reasons);
void proxy_beat(struct proxy *p); /* once in PROXY_BEAT ms */
enum { PROXY_BEAT = 1000 };

/* --- expiry.c --- */

/* A line for each certificate or list in service whose end comes near, or has come. */
void proxy_warn_expiry(struct proxy *p);

/* --- figures.c --- */

void proxy_render_metrics(const struct proxy *p, struct metrics_text *out);
uint64_t proxy_resident_bytes(void); /* 0: unknown */

/* --- admin.c --- */

/* Opens what [sidecar] health and admin name. False: ERROR says why; proxy_admin_stop() then, too. */
bool proxy_admin_start(struct proxy *p, char error[SNAPSHOT_ERROR]);
void proxy_admin_stop(struct proxy *p);
/* What they serve, for people. */
void proxy_admin_help(FILE *out);

/* --- act.c: what the admin listener may change, over its UNIX socket alone. ARG: the proxy --- */

void proxy_act_lift(struct server_request *request, void *arg);
void proxy_act_log(struct server_request *request, void *arg);
void proxy_act_reload(struct server_request *request, void *arg);
void proxy_act_drain(struct server_request *request, void *arg);

/* --- drain.c --- */

/* The first call drains; a second one, or one before serving began, ends at once. WHY: the signal's name. */
void proxy_leave(struct proxy *p, const char *why);
/* Closes all handles of the loop: it then runs out. */
void proxy_stop(struct proxy *p);

#endif
