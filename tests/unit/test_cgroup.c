/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/proxy/cgroup.h"

static char root[64];

static void put(const char *path, const char *text)
{
    char command[512], full[256];
    (void)snprintf(full, sizeof full, "%s%s", root, path);
    (void)snprintf(command, sizeof command, "mkdir -p $(dirname %s)", full);
    assert_int_equal(system(command), 0);
    FILE *f = fopen(full, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int fresh_root(void **state)
{
    (void)state;
    (void)strcpy(root, "/tmp/outrider-cgroup.XXXXXX");
    return mkdtemp(root) == NULL;
}

static int remove_root(void **state)
{
    char command[128];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

static void v2_is_rounded_up(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/kubepods/pod1/c1\n");
    put("/sys/fs/cgroup/kubepods/pod1/c1/cpu.max", "150000 100000\n");
    assert_int_equal(cgroup_cpus(root), 2);
    put("/sys/fs/cgroup/kubepods/pod1/c1/cpu.max", "5000 100000\n");
    assert_int_equal(cgroup_cpus(root), 1);
}

static void v2_without_a_limit(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/a\n");
    put("/sys/fs/cgroup/a/cpu.max", "max 100000\n");
    assert_int_equal(cgroup_cpus(root), 0);
}

static void a_parent_may_be_stricter(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/a/b\n");
    put("/sys/fs/cgroup/a/b/cpu.max", "800000 100000\n");
    put("/sys/fs/cgroup/a/cpu.max", "300000 100000\n");
    assert_int_equal(cgroup_cpus(root), 3);
}

static void a_container_sees_its_group_as_the_root(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/cpu.max", "100000 100000\n");
    assert_int_equal(cgroup_cpus(root), 1);
}

static void v1(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "4:cpuset:/x\n3:cpu,cpuacct:/docker/c\n1:name=systemd:/docker/c\n");
    put("/sys/fs/cgroup/cpu,cpuacct/docker/c/cpu.cfs_quota_us", "250000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/docker/c/cpu.cfs_period_us", "100000\n");
    assert_int_equal(cgroup_cpus(root), 3);
    put("/sys/fs/cgroup/cpu,cpuacct/docker/c/cpu.cfs_quota_us", "-1\n");
    assert_int_equal(cgroup_cpus(root), 0);
}

static void nonsense_is_no_limit(void **state)
{
    (void)state;
    assert_int_equal(cgroup_cpus(root), 0);
    put("/proc/self/cgroup", "garbage\n0::\n::\n");
    put("/sys/fs/cgroup/cpu.max", "-5 0\n");
    assert_int_equal(cgroup_cpus(root), 0);
}

static void workers_are_at_least_one(void **state)
{
    (void)state;
    assert_in_range(cgroup_workers(), 1, 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(v2_is_rounded_up, fresh_root, remove_root),
        cmocka_unit_test_setup_teardown(v2_without_a_limit, fresh_root, remove_root),
        cmocka_unit_test_setup_teardown(a_parent_may_be_stricter, fresh_root, remove_root),
        cmocka_unit_test_setup_teardown(a_container_sees_its_group_as_the_root, fresh_root, remove_root),
        cmocka_unit_test_setup_teardown(v1, fresh_root, remove_root),
        cmocka_unit_test_setup_teardown(nonsense_is_no_limit, fresh_root, remove_root),
        cmocka_unit_test(workers_are_at_least_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
