/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One question to the local service, on the main thread's loop: connects, sends, hands over what comes back,
 * within a time. Nothing is kept. For probes and scrapes.
 */
#ifndef SIDECAR_ADMIN_ASK_H
#define SIDECAR_ADMIN_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "config/config.h"
#include "sidecar/net/endpoint.h"

enum ask_end {
    ASK_ENOUGH, /* the answer is all there */
    ASK_CLOSED, /* the service ended the connection before */
    ASK_FAILED, /* no connection, or it broke, or the time is over */
};

struct ask_calls {
    /* Bytes of the answer; false: they are enough. */
    bool (*data)(void *arg, const uint8_t *data, size_t size);
    /* The last call. WHY: in words, of ASK_FAILED; valid during the call. */
    void (*end)(void *arg, enum ask_end end, const char *why);
};

struct ask;

/*
 * Sends the SIZE bytes of REQUEST (copied) to TO; where there are none, a connection is enough. TIMEOUT: ms,
 * for all of it. MIND: the end may come before it returns, which then is NULL; it is NULL too, after the end,
 * when memory runs out. CALLS must outlive it.
 */
struct ask *ask_start(uv_loop_t *loop, struct endpoint_io *io, const struct config_target *to,
                      const void *request, size_t size, uint64_t timeout, const struct ask_calls *calls,
                      void *arg) __attribute__((warn_unused_result));
void ask_cancel(struct ask *ask); /* no call any more; NULL is fine */

#endif
