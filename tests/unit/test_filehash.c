/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that are followed: what changes is seen, and what is no file keeps nobody waiting. */
#include "scratch.h"

#include "config/config.h"
#include "config/report.h"
#include "sidecar/proxy/filehash.h"
#include "sidecar/proxy/policy_lists.h"

static struct scratch s;
static char path[256], told[512];

static int setup(void **state)
{
    (void)state;
    s = scratch_new();
    scratch_path(&s, "list", path);
    told[0] = 0;
    alarm(20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    alarm(0);
    scratch_free(&s);
    return 0;
}

static void content_counts(void **state)
{
    (void)state;
    assert_int_equal(filehash(path), 0);
    scratch_write(&s, "list", "=a\n");
    uint64_t a = filehash(path);
    assert_int_equal(a, filehash_more(FILEHASH_EMPTY, "a\n", 2));
    scratch_rename_over(&s, "list", "=b\n");
    assert_int_not_equal(filehash(path), a);
    scratch_write(&s, "list", "=");
    assert_int_equal(filehash(path), FILEHASH_EMPTY);
}

static void not_files(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(filehash(path), 0);
    unlink(path);
    assert_int_equal(symlink("/dev/zero", path), 0);
    assert_int_equal(filehash(path), 0);
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(filehash(path), 0);
}

static void tell(void *arg, struct config_place place, size_t length, const char *name, const char *message)
{
    (void)arg, (void)place, (void)length;
    assert_string_equal(name, "l");
    snprintf(told, sizeof told, "%s", message);
}

/* A list whose file becomes a FIFO is a mistake like others, and is seen to have changed. */
static void lists(void **state)
{
    (void)state;
    char text[512];
    struct config_report report = {0};
    uint64_t now;
    snprintf(text, sizeof text,
             "[tls]\ndirectory = /x\n[inbound web]\nlisten = 127.0.0.1:1\nforward = 127.0.0.1:2\n"
             "[list l]\nfile = %s\n",
             path);
    struct config *config = config_parse("x.ini", text, strlen(text), &report);
    assert_non_null(config);
    scratch_write(&s, "list", "=one\ntwo\n");
    struct policy_lists *lists = policy_lists_new(config, tell, NULL);
    assert_non_null(policy_lists_find(lists, "l", 1, RULES_BYTES, -1));
    assert_int_equal(policy_lists_entries(lists, 0), 2);
    assert_false(policy_lists_changed(lists, &now));
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_true(policy_lists_changed(lists, &now));
    policy_lists_free(lists);
    assert_string_equal(told, "");
    lists = policy_lists_new(config, tell, NULL);
    assert_null(policy_lists_find(lists, "l", 1, RULES_BYTES, -1));
    assert_non_null(strstr(told, "/list: not a regular file"));
    policy_lists_free(lists);
    config_free(config);
    config_report_clear(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(content_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(not_files, setup, teardown),
        cmocka_unit_test_setup_teardown(lists, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
