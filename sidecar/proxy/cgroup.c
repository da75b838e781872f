/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/cgroup.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH = 4096 };

/* Reads the first line of a file; false: there is none. */
static bool first_line(const char *path, char *line, int size)
{
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    bool ok = fgets(line, size, f) != NULL;
    (void)fclose(f);
    return ok;
}

static unsigned round_up(long long quota, long long period)
{
    if (quota <= 0 || period <= 0)
        return 0;
    long long cpus = (quota + period - 1) / period;
    return cpus > 1024 ? 1024 : (unsigned)cpus;
}

/* v2: cpu.max is "QUOTA PERIOD" or "max PERIOD". */
static unsigned limit_v2(const char *dir)
{
    char path[PATH + 32], line[128];
    long long quota, period;
    (void)snprintf(path, sizeof path, "%s/cpu.max", dir);
    if (!first_line(path, line, sizeof line) || sscanf(line, "%lld %lld", &quota, &period) != 2)
        return 0;
    return round_up(quota, period);
}

static unsigned limit_v1(const char *dir)
{
    char path[PATH + 32], quota[64], period[64];
    (void)snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", dir);
    if (!first_line(path, quota, sizeof quota))
        return 0;
    (void)snprintf(path, sizeof path, "%s/cpu.cfs_period_us", dir);
    if (!first_line(path, period, sizeof period))
        return 0;
    return round_up(strtoll(quota, NULL, 10), strtoll(period, NULL, 10));
}

/* The strictest limit from MOUNT/GROUP up to MOUNT. A container may see its own group as the mount's root. */
static unsigned strictest(const char *mount, const char *group, unsigned (*limit)(const char *))
{
    char dir[PATH];
    unsigned best = 0;
    size_t mount_size = strlen(mount);
    int n = snprintf(dir, sizeof dir, "%s%s", mount, group);
    if (n < 0 || (size_t)n >= sizeof dir)
        return 0;
    while (true) {
        unsigned cpus = limit(dir);
        if (cpus != 0 && (best == 0 || cpus < best))
            best = cpus;
        char *slash = strrchr(dir, '/');
        if (strlen(dir) <= mount_size || slash == NULL)
            return best;
        *slash = '\0';
    }
}

/* Whether the comma list CONTROLLERS has "cpu". */
static bool has_cpu(const char *controllers)
{
    for (const char *p = controllers; p; p = strchr(p, ',')) {
        p += *p == ',';
        if (strncmp(p, "cpu", 3) == 0 && (p[3] == ',' || p[3] == '\0'))
            return true;
    }
    return false;
}

unsigned cgroup_cpus(const char *root)
{
    char path[PATH], line[PATH], mount[PATH];
    unsigned best = 0;
    (void)snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return 0;
    /* Each line is "ID:CONTROLLERS:GROUP"; v2's has ID 0 and no controllers. */
    while (fgets(line, sizeof line, f)) {
        unsigned cpus = 0;
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (group == NULL)
            continue;
        *group++ = '\0';
        controllers++;
        if (strcmp(group, "/") == 0)
            *group = '\0';
        if (*controllers == '\0') {
            (void)snprintf(mount, sizeof mount, "%s/sys/fs/cgroup", root);
            cpus = strictest(mount, group, limit_v2);
        } else if (has_cpu(controllers)) {
            (void)snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/%s", root, controllers);
            cpus = strictest(mount, group, limit_v1);
            if (cpus == 0) {
                (void)snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/cpu", root);
                cpus = strictest(mount, group, limit_v1);
            }
        }
        if (cpus != 0 && (best == 0 || cpus < best))
            best = cpus;
    }
    (void)fclose(f);
    return best;
}

unsigned cgroup_workers(void)
{
    cpu_set_t set;
    unsigned limit = cgroup_cpus("");
    unsigned cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
    if (limit == 0)
        limit = 2;
    return limit < cpus ? limit : cpus;
}
