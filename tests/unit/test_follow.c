/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sets of credentials as they rotate on disk. Unless a test is about polling, the poll is far away. */
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <uv.h>

#include "scratch.h"
#include "certrotate/watch.h"

enum { FAR_MS = 600000, QUIET_MS = 5, TOO_LONG_MS = 10000 };

static struct scratch s;
static uv_loop_t loop;
static struct follow *follow;
static int64_t now;
static unsigned loaded, failed;
static struct credentials *last;
static struct credentials_error last_error;

static void (*meanwhile)(void); /* happens while a set is read: between the look at it and the reading */

/* Stands in for the C library's. */
time_t time(time_t *out)
{
    void (*happens)(void) = meanwhile;
    meanwhile = NULL;
    if (happens)
        happens();
    if (out)
        *out = (time_t)now;
    return (time_t)now;
}

static void (*right_after)(void); /* happens when a set has been read, before anything else does */

static void on_loaded(struct credentials *c, void *arg)
{
    void (*happens)(void) = right_after;
    right_after = NULL;
    if (happens)
        happens();
    assert_ptr_equal(arg, &loop);
    loaded++;
    credentials_unref(last);
    last = credentials_ref(c);
}

static void on_failed(const struct credentials_error *error, void *arg)
{
    assert_ptr_equal(arg, &loop);
    failed++;
    last_error = *error;
}

static void start(struct follow_options options)
{
    options.source.directory = s.path;
    options.loaded = on_loaded;
    options.failed = on_failed;
    options.arg = &loop;
    if (options.poll_ms == 0)
        options.poll_ms = FAR_MS;
    options.debounce_ms = QUIET_MS;
    assert_int_equal(follow_start(&loop, &options, &follow), 0);
}

static void start_here(void)
{
    start((struct follow_options){0});
}

/* --- running the loop --- */

static void on_too_long(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static void on_closed(uv_handle_t *handle)
{
    (void)handle;
}

/* Runs the loop until *COUNT is WANTED, or for MS. */
static bool run(const unsigned *count, unsigned wanted, unsigned ms)
{
    bool over = false;
    uv_timer_t timer;
    uv_timer_init(&loop, &timer);
    timer.data = &over;
    uv_update_time(&loop);
    uv_timer_start(&timer, on_too_long, ms, 0);
    while (!over && *count < wanted)
        uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, on_closed);
    uv_run(&loop, UV_RUN_NOWAIT);
    return !over;
}

static void settle(unsigned ms)
{
    const unsigned none = 0;
    run(&none, 1, ms);
}

/* The next set must come, with LEAF, whatever errors come in between. */
static void expect_leaf(const char *leaf)
{
    struct x509_slice der = pki_der(leaf);
    unsigned wanted = loaded + 1;
    if (!run(&loaded, wanted, TOO_LONG_MS))
        fail_msg("%s did not come: %s", leaf, last_error.text);
    assert_int_equal(last->chain[0].size, der.size);
    assert_memory_equal(last->chain[0].data, der.data, der.size);
    pki_free_all();
}

static void expect_failure(enum credentials_fault fault, const char *words)
{
    if (!run(&failed, failed + 1, TOO_LONG_MS))
        fail_msg("no failure told: %s", words);
    if (last_error.fault != fault || !strstr(last_error.text, words))
        fail_msg("%s: %s", credentials_fault_name(last_error.fault), last_error.text);
    assert_true(follow_stats(follow).failing);
}

static int setup(void **state)
{
    (void)state;
    s = scratch_new();
    now = PKI_NOW;
    loaded = failed = 0;
    last_error = (struct credentials_error){0};
    return uv_loop_init(&loop);
}

static int teardown(void **state)
{
    (void)state;
    follow_stop(follow);
    follow = NULL;
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    credentials_unref(last);
    last = NULL;
    scratch_free(&s);
    pki_free_all();
    return 0;
}

static const struct scratch_file OLD[] = {
    {"tls.crt", "leaf.pem intermediate.pem"}, {"tls.key", "leaf.key.pem"}, {"ca.crt", "root.pem"}};
static const struct scratch_file NEW[] = {{"tls.crt", "leaf_renewed.pem intermediate.pem"},
                                          {"tls.key", "leaf_renewed.key.pem"},
                                          {"ca.crt", "root.pem"}};
static const struct scratch_file TORN[] = {
    {"tls.crt", "leaf_renewed.pem intermediate.pem"}, {"tls.key", "leaf.key.pem"}, {"ca.crt", "root.pem"}};

static void write_old(void)
{
    for (int i = 0; i < 3; i++)
        scratch_write(&s, OLD[i].name, OLD[i].contents);
}

/* --- the four kinds of update --- */

static void first_set_at_once(void **state)
{
    (void)state;
    write_old();
    start_here();
    assert_int_equal(loaded, 1);
    assert_int_equal(failed, 0);
    assert_int_equal(follow_stats(follow).loads, 1);
    assert_false(follow_stats(follow).failing);
}

static void swap_new(void)
{
    scratch_swap(&s, NEW, 3);
}

static void rename_new(void)
{
    for (int i = 0; i < 3; i++)
        scratch_rename_over(&s, NEW[i].name, NEW[i].contents);
}

/* Nothing is lost between the first reading and the first wait for events: the watch stands before. */
static void changed_at_the_start(void **state)
{
    (void)state;
    scratch_swap(&s, OLD, 3);
    right_after = swap_new;
    start_here();
    assert_int_equal(loaded, 1);
    expect_leaf("leaf_renewed");
}

static void renamed_over_at_the_start(void **state)
{
    (void)state;
    write_old();
    right_after = rename_new;
    start_here();
    assert_int_equal(loaded, 1);
    expect_leaf("leaf_renewed");
}

static void changed_while_it_is_read(void **state)
{
    static const struct scratch_file other[] = {{"tls.crt", "leaf.pem intermediate.pem"},
                                                {"tls.key", "leaf.key.pem"},
                                                {"ca.crt", "root.pem intermediate.pem"}};
    (void)state;
    scratch_swap(&s, OLD, 3);
    start_here();
    assert_int_equal(loaded, 1);
    meanwhile = swap_new;
    scratch_swap(&s, other, 3);
    expect_leaf("leaf_renewed");
    assert_null(meanwhile);
    settle(100);
    assert_int_equal(loaded, 2);
}

static void data_swap_as_the_kubelet_does_it(void **state)
{
    (void)state;
    scratch_swap(&s, OLD, 3);
    start_here();
    assert_int_equal(loaded, 1);
    for (int i = 0; i < 100; i++) {
        bool even = i % 2 == 0;
        scratch_swap(&s, even ? NEW : OLD, 3);
        expect_leaf(even ? "leaf_renewed" : "leaf");
    }
    assert_int_equal(loaded, 101);
    assert_int_equal(failed, 0);
    assert_int_equal(follow_stats(follow).loads, 101);
}

static void rename_over(void **state)
{
    (void)state;
    write_old();
    start_here();
    for (int round = 0; round < 2; round++) {
        scratch_rename_over(&s, "tls.key", "leaf_renewed.key.pem");
        scratch_rename_over(&s, "tls.crt", "leaf_renewed.pem intermediate.pem");
        expect_leaf("leaf_renewed");
        scratch_rename_over(&s, "tls.crt", "leaf.pem intermediate.pem");
        /* With time in between: what is there now does not fit together. */
        expect_failure(CREDENTIALS_MISMATCH, "/tls.key: the private key belongs to another certificate");
        scratch_rename_over(&s, "tls.key", "leaf.key.pem");
        expect_leaf("leaf");
        assert_false(follow_stats(follow).failing);
    }
}

static void write_in_place_in_two_halves(void **state)
{
    (void)state;
    write_old();
    start_here();
    for (int round = 0; round < 2; round++) {
        struct x509_slice text = pki_file("leaf_renewed.pem");
        scratch_write(&s, "tls.key", "leaf_renewed.key.pem");
        scratch_write_octets(&s, "tls.crt", O_TRUNC, text.data, text.size / 2);
        expect_failure(CREDENTIALS_UNPARSABLE, "/tls.crt: a PEM block does not end");
        scratch_write_octets(&s, "tls.crt", O_APPEND, text.data + text.size / 2, text.size - text.size / 2);
        expect_leaf("leaf_renewed");
        write_old();
        expect_leaf("leaf");
    }
}

static void delete_and_recreate(void **state)
{
    (void)state;
    write_old();
    start_here();
    for (int round = 0; round < 2; round++) {
        scratch_delete(&s, "tls.crt");
        scratch_delete(&s, "tls.key");
        scratch_delete(&s, "ca.crt");
        expect_failure(CREDENTIALS_MISSING, "no certificate and key in it");
        for (int i = 0; i < 3; i++)
            scratch_write(&s, NEW[i].name, NEW[i].contents);
        expect_leaf("leaf_renewed");
        /* The directory itself. */
        scratch_remove_tree(s.path);
        assert_int_equal(mkdir(s.path, 0700), 0);
        write_old();
        expect_leaf("leaf");
    }
}

/* A CSI driver may keep every time stamp. */
static void time_stamps_kept(void **state)
{
    (void)state;
    struct timeval stamps[2] = {{1700000000, 0}, {1700000000, 0}};
    char path[256];
    scratch_write(&s, "tls.crt", "leaf.pem leaf.key.pem");
    scratch_path(&s, "tls.crt", path);
    utimes(path, stamps);
    start((struct follow_options){.source = {.certificate = "tls.crt"}, .poll_only = true, .poll_ms = 10});
    assert_int_equal(loaded, 1);
    scratch_write(&s, "tls.crt", "leaf_client.pem leaf_client.key.pem");
    utimes(path, stamps);
    expect_leaf("leaf_client");
    /* New stamps on old content are nothing. */
    utimes(path, NULL);
    settle(50);
    assert_int_equal(loaded, 2);
}

static void poll_alone(void **state)
{
    (void)state;
    scratch_swap(&s, OLD, 3);
    start((struct follow_options){.poll_only = true, .poll_ms = 10});
    for (int i = 0; i < 10; i++) {
        bool even = i % 2 == 0;
        scratch_swap(&s, even ? NEW : OLD, 3);
        expect_leaf(even ? "leaf_renewed" : "leaf");
    }
    assert_int_equal(failed, 0);
}

/* --- bad sets --- */

static void bad_then_good_again_and_again(void **state)
{
    (void)state;
    scratch_swap(&s, OLD, 3);
    start_here();
    for (unsigned i = 1; i <= 10; i++) {
        bool even = i % 2 == 0;
        scratch_swap(&s, TORN, 3);
        expect_failure(CREDENTIALS_MISMATCH, "belongs to another certificate");
        assert_int_equal(loaded, i);
        scratch_swap(&s, even ? OLD : NEW, 3);
        expect_leaf(even ? "leaf" : "leaf_renewed");
        assert_int_equal(failed, i);
        assert_int_equal(follow_stats(follow).failures, i);
        assert_false(follow_stats(follow).failing);
    }
}

static void nothing_at_first(void **state)
{
    (void)state;
    start_here();
    assert_int_equal(loaded, 0);
    assert_int_equal(failed, 1);
    assert_int_equal(last_error.fault, CREDENTIALS_MISSING);
    scratch_swap(&s, OLD, 3);
    expect_leaf("leaf");
}

/* Each cause once, however often it is met, until a good set came. */
static void told_once(void **state)
{
    (void)state;
    write_old();
    start((struct follow_options){.poll_only = true, .poll_ms = 5});
    for (int i = 0; i < 4; i++) {
        scratch_write(&s, "tls.key", "leaf_client.key.pem");
        follow_poke(follow);
        scratch_write(&s, "tls.key", "");
        follow_poke(follow);
        settle(20);
    }
    assert_int_equal(failed, 2);
    assert_int_equal(follow_stats(follow).failures, 2);
    assert_true(follow_stats(follow).failing);
    scratch_write(&s, "tls.key", "leaf.key.pem");
    follow_poke(follow);
    /* What was in service all the time is not handed out again. */
    assert_int_equal(loaded, 1);
    assert_false(follow_stats(follow).failing);
    scratch_write(&s, "tls.key", "");
    follow_poke(follow);
    assert_int_equal(failed, 3);
}

/* Without a descriptor nothing can be seen: one word, and the set in service is as good as before. */
static void out_of_descriptors(void **state)
{
    (void)state;
    struct rlimit limit, low;
    write_old();
    start((struct follow_options){.poll_only = true, .poll_ms = 5});
    assert_int_equal(loaded, 1);
    int lowest = dup(0);
    assert_true(lowest >= 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
    close(lowest);
    low = limit;
    for (int i = 0; i < 3; i++) {
        low.rlim_cur = (rlim_t)(lowest + i); /* none, one, two: less than it takes */
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
        follow_poke(follow);
        settle(20);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(failed, 1);
    assert_int_equal(last_error.fault, CREDENTIALS_NO_DESCRIPTORS);
    assert_false(follow_stats(follow).failing);
    follow_poke(follow);
    assert_int_equal(loaded, 1);
    scratch_swap(&s, NEW, 3);
    expect_leaf("leaf_renewed");
}

/* Time alone makes a set valid: it is tried again without any event. */
static void valid_later(void **state)
{
    (void)state;
    write_old();
    start((struct follow_options){0});
    scratch_write(&s, "tls.key", "leaf_future.key.pem");
    scratch_write(&s, "tls.crt", "leaf_future.pem");
    expect_failure(CREDENTIALS_NOT_YET_VALID, "/tls.crt: the certificate is valid from");
    now = 4417977600;
    expect_leaf("leaf_future");
}

static void expired_while_the_clock_is_wrong(void **state)
{
    (void)state;
    now = 4733510401;
    write_old();
    start((struct follow_options){.poll_ms = 5});
    assert_int_equal(last_error.fault, CREDENTIALS_EXPIRED);
    settle(30);
    assert_int_equal(failed, 1);
    now = PKI_NOW;
    expect_leaf("leaf");
}

static void wrong_crl_keeps_the_old_set(void **state)
{
    (void)state;
    write_old();
    scratch_write(&s, "crl.pem", "intermediate.crl.pem");
    start_here();
    assert_int_equal(loaded, 1);
    scratch_rename_over(&s, "crl.pem", "intermediate_forged.crl.pem");
    expect_failure(CREDENTIALS_BAD_CRL, "/crl.pem: the signature is wrong");
    scratch_rename_over(&s, "crl.pem", "intermediate_newer.crl.pem");
    expect_leaf("leaf");
    assert_int_equal(
        crl_index_lookup(last->crls, pki_cert("intermediate"), pki_cert("leaf_client"), PKI_NOW, NULL),
        CRL_REVOKED);
}

/* --- a set that lost something --- */

/* Between two pokes the loop does not run, so that no time passes for it. */
static void loss_of_crls_must_last(void **state)
{
    (void)state;
    write_old();
    scratch_write(&s, "crl.pem", "intermediate.crl.pem");
    start((struct follow_options){.poll_only = true});
    /* Deleted and written again: no set without CRLs is handed out. */
    scratch_delete(&s, "crl.pem");
    follow_poke(follow);
    follow_poke(follow);
    assert_int_equal(loaded, 1);
    scratch_write(&s, "crl.pem", "intermediate_newer.crl.pem");
    follow_poke(follow);
    assert_int_equal(loaded, 2);
    assert_non_null(last->crls);
    /* Gone for good. */
    scratch_delete(&s, "crl.pem");
    follow_poke(follow);
    assert_int_equal(loaded, 2);
    expect_leaf("leaf");
    assert_null(last->crls);
    assert_int_equal(failed, 0);
}

static void loss_of_ca_must_last(void **state)
{
    (void)state;
    write_old();
    start((struct follow_options){.poll_only = true});
    scratch_delete(&s, "ca.crt");
    follow_poke(follow);
    scratch_write(&s, "ca.crt", "root.pem");
    follow_poke(follow);
    scratch_write(&s, "ca.crt", "");
    follow_poke(follow);
    assert_int_equal(loaded, 1);
    expect_leaf("leaf");
    assert_int_equal(last->root_count, 0);
}

/* --- the rest --- */

static void files_elsewhere(void **state)
{
    (void)state;
    char ca[256], folder[256];
    scratch_path(&s, "elsewhere", folder);
    mkdir(folder, 0700);
    write_old();
    scratch_write(&s, "elsewhere/ca.pem", "root.pem");
    scratch_path(&s, "elsewhere/ca.pem", ca);
    /* Copied: what the caller does with its strings afterwards does not matter. */
    char *copy = strdup(ca);
    start((struct follow_options){.source = {.ca = copy}});
    memset(copy, 'x', strlen(copy));
    free(copy);
    assert_int_equal(loaded, 1);
    scratch_rename_over(&s, "elsewhere/ca.pem", "root2.pem");
    expect_leaf("leaf");
    assert_memory_not_equal(last->hash, last->trust_hash, 32);
}

static void poke(void **state)
{
    (void)state;
    write_old();
    start((struct follow_options){.poll_only = true});
    follow_poke(follow);
    assert_int_equal(loaded, 1);
    scratch_write(&s, "tls.crt", "leaf_renewed.pem");
    scratch_write(&s, "tls.key", "leaf_renewed.key.pem");
    follow_poke(follow);
    assert_int_equal(loaded, 2);
}

static void stop_when_loaded(struct credentials *c, void *arg)
{
    (void)c;
    loaded++;
    follow_stop(*(struct follow **)arg);
}

static void stopped_in_callback(void **state)
{
    (void)state;
    struct follow *f;
    write_old();
    struct follow_options options = {
        .source = {.directory = s.path}, .loaded = stop_when_loaded, .failed = on_failed, .arg = &f};
    assert_int_equal(follow_start(&loop, &options, &f), 0);
    assert_int_equal(loaded, 1);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    follow_stop(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(first_set_at_once),
        TEST(changed_at_the_start),
        TEST(renamed_over_at_the_start),
        TEST(changed_while_it_is_read),
        TEST(data_swap_as_the_kubelet_does_it),
        TEST(rename_over),
        TEST(write_in_place_in_two_halves),
        TEST(delete_and_recreate),
        TEST(time_stamps_kept),
        TEST(poll_alone),
        TEST(bad_then_good_again_and_again),
        TEST(nothing_at_first),
        TEST(told_once),
        TEST(out_of_descriptors),
        TEST(valid_later),
        TEST(expired_while_the_clock_is_wrong),
        TEST(wrong_crl_keeps_the_old_set),
        TEST(loss_of_crls_must_last),
        TEST(loss_of_ca_must_last),
        TEST(files_elsewhere),
        TEST(poke),
        TEST(stopped_in_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
