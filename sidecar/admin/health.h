/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The health listener: /healthz, /readyz, /metrics and the declared /probes/NAME over plain HTTP/1.1, one
 * request a connection, on the main thread's loop. It tells nothing secret and changes nothing: it may face
 * the pod's address.
 */
#ifndef SIDECAR_ADMIN_HEALTH_H
#define SIDECAR_ADMIN_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "config/config.h"
#include "sidecar/admin/metrics.h"

enum {
    HEALTH_REASON = 512,
    HEALTH_CONNECTIONS = 64,
    HEALTH_REQUEST_MAX = 8192,
    HEALTH_TIMEOUT = 5000 /* ms */
};

struct health_calls {
    /* False: REASON says why, one cause a line. */
    bool (*alive)(void *arg, char reason[HEALTH_REASON]);
    bool (*ready)(void *arg, char reason[HEALTH_REASON]);
    void (*metrics)(void *arg, struct metrics_text *out);
    const struct config *(*config)(void *arg); /* whose probes may be asked for */
};

struct health;

/* Serves on the listening socket FD, taken over. NULL when out of memory. CALLS must outlive it. */
struct health *health_start(uv_loop_t *loop, int fd, const struct health_calls *calls, void *arg)
    __attribute__((warn_unused_result));
/* Stops at once; freed when the loop has run the close callbacks. NULL is fine. */
void health_stop(struct health *health);

#endif
