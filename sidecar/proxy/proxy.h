/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The running sidecar: the main thread, which loads, watches, answers health checks, and tells the workers.
 * No payload byte passes here.
 *
 *   STARTING   waits for valid credentials, at most start_timeout; not ready
 *   SERVING    ready; SIGHUP, a changed configuration file or changed credentials bring a new snapshot
 *   LEAVING    SIGTERM came: not ready any more, but still accepting (drain_delay)
 *   DRAINING   no inbound is accepted; outbound is, until all sessions have ended or drain_timeout is over
 */
#ifndef SIDECAR_PROXY_PROXY_H
#define SIDECAR_PROXY_PROXY_H

/* `sidecar run -c FILE`. Returns the exit status: 0 after a drain, 1 for what cannot be started, 2 for usage.
 */
int proxy_main(int argc, char **argv);

#endif
