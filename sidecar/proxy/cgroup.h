/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How many CPUs the process may use: the cgroup's limit (v1 and v2), not the host's core count. */
#ifndef SIDECAR_PROXY_CGROUP_H
#define SIDECAR_PROXY_CGROUP_H

/*
 * The CPU limit of the cgroup that this process is in, rounded up to whole CPUs; 0: no limit. The strictest
 * of the group and its parents counts. ROOT is "" (tests: another root that holds proc/ and sys/).
 */
unsigned cgroup_cpus(const char *root);

/* Workers by the limit, at most the CPUs that the scheduler allows; without a limit at most two. */
unsigned cgroup_workers(void);

#endif
