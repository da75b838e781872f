/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The sockets that the process listens on, one a worker and address, kept over reloads: what stays in the
 * configuration keeps its socket and its backlog. Main thread only.
 */
#ifndef SIDECAR_PROXY_LISTENERS_H
#define SIDECAR_PROXY_LISTENERS_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "sidecar/net/listen.h"
#include "sidecar/proxy/worker.h"

struct listeners;

struct listeners *listeners_new(unsigned workers) __attribute__((warn_unused_result));
void listeners_free(struct listeners *listeners); /* unlinks UNIX sockets; closes nothing */

/*
 * Opens what CONFIG names and is not open yet. True: listeners_sockets() now speaks of CONFIG. False, with
 * ERROR in words: nothing has changed.
 */
bool listeners_update(struct listeners *listeners, const struct config *config, char error[NET_LISTEN_ERROR])
    __attribute__((warn_unused_result));

/*
 * The sockets of one worker, for worker_adopt(); to be called once a worker after each update. Returns their
 * number; *SOCKETS is valid until the next call.
 */
size_t listeners_sockets(struct listeners *listeners, unsigned worker, const struct worker_socket **sockets);

#endif
