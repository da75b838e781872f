/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The poll is far away in all tests but those of the poll: what is noticed is noticed by events. */
#include <errno.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <uv.h>

#include "scratch.h"
#include "certrotate/watch.h"

enum { FAR_MS = 600000, QUIET_MS = 5, TOO_LONG_MS = 10000 };

static struct scratch s;
static uv_loop_t loop;
static struct watch *watch;
static unsigned calls;
static int no_watches; /* errno for inotify_add_watch(), or 0 */
static int descriptor; /* that was asked last */
static bool asks_for_files;

/* Stands in for the C library's, so that the system can be "full". */
int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
    if (no_watches) {
        errno = no_watches;
        return -1;
    }
    descriptor = fd;
    if ((mask & IN_ONLYDIR) && (mask & (IN_MODIFY | IN_ATTRIB)))
        asks_for_files = true;
    return (int)syscall(SYS_inotify_add_watch, fd, path, mask);
}

static void on_changed(void *arg)
{
    (void)arg;
    calls++;
}

static void start(struct watch_options options, const char *path)
{
    options.paths = &path;
    options.path_count = 1;
    options.changed = on_changed;
    if (options.poll_ms == 0)
        options.poll_ms = FAR_MS;
    if (options.debounce_ms == 0)
        options.debounce_ms = QUIET_MS;
    calls = 0;
    assert_int_equal(watch_start(&loop, &options, &watch), 0);
}

static void start_here(void)
{
    start((struct watch_options){0}, s.path);
    assert_true(watch_has_events(watch));
}

static void on_too_long(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static void on_closed(uv_handle_t *handle)
{
    (void)handle;
}

/* Runs the loop for MS or until DONE is true. */
static bool run(bool (*done)(void), unsigned ms)
{
    bool over = false;
    uv_timer_t timer;
    uv_timer_init(&loop, &timer);
    timer.data = &over;
    uv_update_time(&loop);
    uv_timer_start(&timer, on_too_long, ms, 0);
    while (!over && !done())
        uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, on_closed);
    uv_run(&loop, UV_RUN_NOWAIT);
    return !over;
}

static bool called(void)
{
    return calls > 0;
}

static bool never(void)
{
    return false;
}

/* Waits for a call, then until it is quiet again. */
static void expect_call(const char *why)
{
    if (!run(called, TOO_LONG_MS))
        fail_msg("not noticed: %s", why);
    do {
        calls = 0;
        run(never, 3 * QUIET_MS);
    } while (calls > 0);
}

static int setup(void **state)
{
    (void)state;
    s = scratch_new();
    no_watches = 0;
    asks_for_files = false;
    return uv_loop_init(&loop);
}

static int teardown(void **state)
{
    (void)state;
    watch_stop(watch);
    watch = NULL;
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    scratch_free(&s);
    pki_free_all();
    return 0;
}

static const struct scratch_file ONE[] = {{"a", "=one"}, {"b", "=one"}};

static void data_swapped_a_hundred_times(void **state)
{
    (void)state;
    scratch_swap(&s, ONE, 2);
    start_here();
    for (int i = 0; i < 100; i++) {
        calls = 0;
        scratch_swap(&s, ONE, 2);
        if (!run(called, TOO_LONG_MS))
            fail_msg("swap %d was not noticed", i + 1);
    }
}

static void written_below_data(void **state)
{
    (void)state;
    scratch_swap(&s, ONE, 2);
    start_here();
    scratch_write(&s, "..data/a", "=two");
    expect_call("a file below ..data written in place");
    scratch_swap(&s, ONE, 2);
    expect_call("a swap");
    scratch_write(&s, "..data/a", "=two");
    expect_call("a file below the new ..data written in place");
}

static void renamed_over(void **state)
{
    (void)state;
    scratch_write(&s, "a", "=one");
    start_here();
    for (int i = 0; i < 3; i++) {
        scratch_rename_over(&s, "a", "=two");
        expect_call("a file renamed over another");
    }
}

static void written_in_place(void **state)
{
    (void)state;
    scratch_write(&s, "a", "=one");
    start_here();
    for (int i = 0; i < 3; i++) {
        scratch_write_octets(&s, "a", O_TRUNC, "first ", 6);
        expect_call("the first half");
        scratch_write_octets(&s, "a", O_APPEND, "second", 6);
        expect_call("the second half");
    }
}

static void deleted_and_recreated(void **state)
{
    (void)state;
    scratch_write(&s, "a", "=one");
    start_here();
    for (int i = 0; i < 3; i++) {
        scratch_delete(&s, "a");
        expect_call("a file deleted");
        scratch_write(&s, "a", "=one");
        expect_call("a file created");
    }
}

static void directory_deleted_and_recreated(void **state)
{
    (void)state;
    char path[256];
    scratch_path(&s, "tls", path);
    mkdir(path, 0700);
    scratch_write(&s, "tls/a", "=one");
    start((struct watch_options){0}, path);
    for (int i = 0; i < 3; i++) {
        scratch_remove_tree(path);
        expect_call("the directory deleted");
        mkdir(path, 0700);
        expect_call("the directory created");
        scratch_write(&s, "tls/a", "=one");
        expect_call("a file in the new directory");
        /* Faster than we look: the new one must not be taken for the old. */
        scratch_remove_tree(path);
        mkdir(path, 0700);
        expect_call("the directory replaced");
        scratch_write(&s, "tls/a", "=one");
        expect_call("a file in the replaced directory");
    }
}

static void directory_renamed_over(void **state)
{
    (void)state;
    char path[256], other[256], away[256];
    scratch_path(&s, "tls", path);
    scratch_path(&s, "new", other);
    scratch_path(&s, "old", away);
    mkdir(path, 0700);
    start((struct watch_options){0}, path);
    mkdir(other, 0700);
    rename(path, away);
    rename(other, path);
    expect_call("another directory in its place");
    scratch_write(&s, "tls/a", "=one");
    expect_call("a file in it");
}

static void not_there_yet(void **state)
{
    (void)state;
    char path[256];
    scratch_path(&s, "one/two/three", path);
    start((struct watch_options){0}, path);
    assert_true(watch_has_events(watch));
    char part[256];
    static const char *const parts[] = {"one", "one/two", "one/two/three"};
    for (int i = 0; i < 3; i++) {
        scratch_path(&s, parts[i], part);
        mkdir(part, 0700);
        expect_call(parts[i]);
    }
    scratch_write(&s, "one/two/three/a", "=one");
    expect_call("a file in a directory that came late");
}

static void symlinks_on_the_way(void **state)
{
    (void)state;
    char path[256], link[256], a[256], b[256], temporary[256];
    scratch_path(&s, "current", link);
    scratch_path(&s, "current/tls", path);
    scratch_path(&s, "a", a);
    scratch_path(&s, "b", b);
    scratch_path(&s, "temporary", temporary);
    mkdir(a, 0700);
    mkdir(b, 0700);
    scratch_path(&s, "a/tls", a);
    scratch_path(&s, "b/tls", b);
    mkdir(a, 0700);
    mkdir(b, 0700);
    assert_int_equal(symlink("a", link), 0);
    start((struct watch_options){0}, path);
    scratch_write(&s, "a/tls/x", "=one");
    expect_call("a file where the symlink leads to");
    assert_int_equal(symlink("b", temporary), 0);
    rename(temporary, link);
    expect_call("the symlink swapped");
    scratch_write(&s, "b/tls/x", "=one");
    expect_call("a file where the symlink leads to now");
    /* A loop of symlinks is nothing to be followed. */
    unlink(link);
    assert_int_equal(symlink("current", link), 0);
    expect_call("the symlink to itself");
}

/* A single file: its neighbours do not matter. */
static void one_file(void **state)
{
    (void)state;
    char path[256], target[256];
    scratch_path(&s, "ca.crt", path);
    scratch_write(&s, "ca.crt", "=one");
    start((struct watch_options){0}, path);
    scratch_write(&s, "neighbour", "=one");
    run(never, 6 * QUIET_MS);
    assert_int_equal(calls, 0);
    scratch_rename_over(&s, "ca.crt", "=two");
    expect_call("the file renamed over");
    /* A symlink to a file elsewhere: both ends count. */
    scratch_path(&s, "elsewhere", target);
    mkdir(target, 0700);
    scratch_write(&s, "elsewhere/file", "=one");
    unlink(path);
    assert_int_equal(symlink("elsewhere/file", path), 0);
    expect_call("the file replaced by a symlink");
    scratch_write(&s, "elsewhere/file", "=two");
    expect_call("the symlink's target written");
}

/* Where a file lies, others may write as they please: the kernel is not even asked for it. */
static void strangers(void **state)
{
    (void)state;
    char path[256], other[256];
    scratch_path(&s, "ca.crt", path);
    scratch_path(&s, "folder", other);
    scratch_write(&s, "ca.crt", "=one");
    scratch_write(&s, "neighbour", "=one");
    start((struct watch_options){0}, path);
    assert_false(asks_for_files);
    scratch_write(&s, "neighbour", "=two");
    assert_int_equal(chmod(s.path, 0711), 0);
    assert_int_equal(poll(&(struct pollfd){descriptor, POLLIN, 0}, 1, 0), 0);
    /* Names that come and go are looked at in lots; ours is found among them. */
    for (int i = 0; i < 3; i++) {
        mkdir(other, 0700);
        run(never, 1);
        assert_int_equal(calls, 0);
        scratch_rename_over(&s, "ca.crt", "=two");
        remove(other);
        expect_call("the file renamed over among strangers");
    }
}

/* Seen at the file, not at its name. */
static void by_another_name(void **state)
{
    (void)state;
    char path[256], other[256];
    scratch_path(&s, "a", path);
    scratch_path(&s, "elsewhere", other);
    mkdir(other, 0700);
    scratch_path(&s, "elsewhere/b", other);
    scratch_write(&s, "a", "=one");
    assert_int_equal(link(path, other), 0);
    start((struct watch_options){0}, path);
    scratch_write(&s, "elsewhere/b", "=two");
    expect_call("written by its other name");
    assert_int_equal(chmod(other, 0600), 0);
    expect_call("its permissions");
    /* Another file now, watched in its place; and nobody waits for the old one. */
    scratch_rename_over(&s, "a", "=three");
    expect_call("renamed over");
    scratch_write(&s, "elsewhere/b", "=four");
    run(never, 6 * QUIET_MS);
    assert_int_equal(calls, 0);
    scratch_write(&s, "a", "=five");
    expect_call("the new file written");
}

/* So much happens at once that the kernel drops what follows. */
static void overflow(void **state)
{
    (void)state;
    char path[256], other[256];
    unsigned most = 16384;
    FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    if (f) {
        (void)!fscanf(f, "%u", &most);
        fclose(f);
    }
    if (most > 100000)
        skip();
    scratch_path(&s, "a", path);
    scratch_path(&s, "folder", other);
    scratch_write(&s, "a", "=one");
    start((struct watch_options){0}, path);
    for (unsigned i = 0; i < most; i += 2) {
        assert_int_equal(mkdir(other, 0700), 0);
        assert_int_equal(rmdir(other), 0);
    }
    scratch_rename_over(&s, "a", "=two");
    expect_call("the file renamed over, of which no event tells");
    scratch_rename_over(&s, "a", "=three");
    expect_call("the file renamed over");
}

/* Two that watch the same, by one descriptor: each is told, and the end of one is not that of the other. */
static void shared(void **state)
{
    (void)state;
    char path[256];
    struct watch *other;
    struct notify *notify = notify_new(&loop);
    scratch_path(&s, "a", path);
    scratch_write(&s, "a", "=one");
    start((struct watch_options){.notify = notify}, s.path);
    other = watch;
    start((struct watch_options){.notify = notify}, path);
    notify_unref(notify);
    scratch_write(&s, "a", "=two");
    expect_call("told to both");
    watch_stop(other);
    scratch_write(&s, "a", "=three");
    expect_call("told to the one that is left");
    scratch_write(&s, "b", "=three");
    run(never, 6 * QUIET_MS);
    assert_int_equal(calls, 0);
}

/* For what was read before the watch began. */
static void called_first(void **state)
{
    (void)state;
    start((struct watch_options){.call_first = true}, s.path);
    assert_int_equal(calls, 0);
    run(never, 6 * QUIET_MS);
    assert_int_equal(calls, 1);
}

static void poll_alone(void **state)
{
    (void)state;
    start((struct watch_options){.poll_only = true, .poll_ms = 10}, s.path);
    assert_false(watch_has_events(watch));
    for (int i = 0; i < 5; i++) {
        calls = 0;
        assert_true(run(called, TOO_LONG_MS));
    }
}

static void full(void **state)
{
    (void)state;
    no_watches = ENOSPC;
    start((struct watch_options){.poll_ms = 10}, s.path);
    assert_false(watch_has_events(watch));
    assert_true(run(called, TOO_LONG_MS));
    /* Room again: taken at the next poll. */
    no_watches = 0;
    calls = 0;
    assert_true(run(called, TOO_LONG_MS));
    assert_true(watch_has_events(watch));
}

/* Without events the poll quickens by itself. */
static void full_with_the_usual_poll(void **state)
{
    (void)state;
    const char *path = s.path;
    struct watch_options options = {.paths = &path, .path_count = 1, .changed = on_changed};
    no_watches = ENOSPC;
    calls = 0;
    assert_int_equal(watch_start(&loop, &options, &watch), 0);
    assert_true(run(called, 5000));
}

static unsigned writes;

static void on_write(uv_timer_t *timer)
{
    (void)timer;
    writes++;
    scratch_write_octets(&s, "a", O_APPEND, "x", 1);
}

/* Who never stops writing cannot hold us off for ever. */
static void restless(void **state)
{
    (void)state;
    uv_timer_t timer;
    scratch_write(&s, "a", "=one");
    start((struct watch_options){.debounce_ms = 100}, s.path);
    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, on_write, 0, 5);
    writes = 0;
    bool noticed = run(called, TOO_LONG_MS);
    uv_close((uv_handle_t *)&timer, on_closed);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_true(noticed);
    assert_true(writes > 1);
}

static void stop_in_callback(void *arg)
{
    (void)arg;
    calls++;
    watch_stop(watch);
    watch_stop(watch);
}

static void stopped(void **state)
{
    (void)state;
    const char *paths[] = {s.path, s.path, "/"};
    struct watch_options options = {
        .paths = paths, .path_count = 3, .changed = stop_in_callback, .debounce_ms = 1};
    calls = 0;
    assert_int_equal(watch_start(&loop, &options, &watch), 0);
    scratch_write(&s, "a", "=one");
    /* Nothing is left that would keep the loop alive. */
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(calls, 1);
    watch = NULL;
    watch_stop(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(data_swapped_a_hundred_times),
        TEST(written_below_data),
        TEST(renamed_over),
        TEST(written_in_place),
        TEST(deleted_and_recreated),
        TEST(directory_deleted_and_recreated),
        TEST(directory_renamed_over),
        TEST(not_there_yet),
        TEST(symlinks_on_the_way),
        TEST(one_file),
        TEST(strangers),
        TEST(by_another_name),
        TEST(overflow),
        TEST(shared),
        TEST(called_first),
        TEST(poll_alone),
        TEST(full),
        TEST(full_with_the_usual_poll),
        TEST(restless),
        TEST(stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
