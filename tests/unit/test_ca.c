/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The certificate authority and its commands, killed at every step that changes the disk: this program's own
 * write(), rename() ... stand in for libc's and end the process at the Nth call, in a child.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "certrotate/ca.h"
#include "certrotate/certrotate.h"
#include "certrotate/crl_parse.h"
#include "certrotate/file.h"
#include "certrotate/verify.h"

/* --- the calls that change the disk --- */

enum { KILLED = 99 };
static int steps_left = -1; /* -1: no end */
static bool full;           /* writes fail as on a full disk, after half of the data */

static void step(void)
{
    if (steps_left >= 0 && steps_left-- == 0)
        _exit(KILLED);
}

ssize_t write(int fd, const void *data, size_t size)
{
    if (full && fd > 2) {
        if (size < 2) {
            errno = ENOSPC;
            return -1;
        }
        return syscall(SYS_write, fd, data, size / 2);
    }
    if (steps_left == 0 && size > 1)
        syscall(SYS_write, fd, data, size / 2);
    step();
    return syscall(SYS_write, fd, data, size);
}

/* A killed process loses nothing that it wrote; the disk need not be waited for. */
int fsync(int fd)
{
    (void)fd;
    step();
    return 0;
}

int rename(const char *from, const char *to)
{
    step();
    return (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}

int symlink(const char *target, const char *path)
{
    step();
    return (int)syscall(SYS_symlinkat, target, AT_FDCWD, path);
}

int unlink(const char *path)
{
    step();
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int unlinkat(int fd, const char *path, int flags)
{
    step();
    return (int)syscall(SYS_unlinkat, fd, path, flags);
}

int rmdir(const char *path)
{
    step();
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
}

int mkdir(const char *path, mode_t mode)
{
    step();
    return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

int ftruncate(int fd, off_t size)
{
    step();
    return (int)syscall(SYS_ftruncate, fd, size);
}

/* --- running commands --- */

static char home[64];

static int enter(void **state)
{
    (void)state;
    snprintf(home, sizeof home, "/tmp/outrider-ca-XXXXXX");
    return mkdtemp(home) && chdir(home) == 0 ? 0 : -1;
}

static int leave(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", home);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

/* Runs a command line in a child that ends at step LIMIT (-1: never); its exit status. */
static int run(int limit, const char *line)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        char text[1024], *argv[64], *save = NULL;
        int argc = 0, null = open("/dev/null", O_WRONLY);
        snprintf(text, sizeof text, "certrotate %s", line);
        for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save))
            argv[argc++] = w;
        argv[argc] = NULL;
        dup2(null, 1);
        if (limit >= 0 || getenv("QUIET"))
            dup2(null, 2);
        steps_left = limit;
        int status = certrotate_main(argc, argv);
        steps_left = -1;
        fflush(NULL);
        /* exit(): a leak sanitizer looks then. */
        if (limit < 0)
            exit(status);
        _exit(status);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#define OK(line) assert_int_equal(run(-1, line), 0)

static void refused(const char *line)
{
    setenv("QUIET", "1", 1);
    assert_int_equal(run(-1, line), 1);
    unsetenv("QUIET");
}

static void wrong_usage(const char *line)
{
    setenv("QUIET", "1", 1);
    assert_int_equal(run(-1, line), 2);
    unsetenv("QUIET");
}

/* --- what must hold --- */

struct loaded {
    uint8_t *text;
    struct pem_set set;
    size_t size;
};

static struct loaded load(const char *path)
{
    struct loaded l;
    struct failure f;
    l.text = file_read(path, 1 << 20, &l.size, &f);
    if (!l.text)
        fail_msg("%s", f.text);
    assert_null(pem_read(l.text, l.size, 16, &l.set));
    assert_true(l.set.count > 0);
    return l;
}

static void unload(struct loaded *l)
{
    free(l->text);
    pem_free(&l->set);
}

/* The authority opens, its CRLs are whole and carry good signatures; fills in the number of the first. */
static void authority_is_whole(uint64_t *crl_number)
{
    struct failure f;
    struct ca *ca = ca_open("ca", true, &f);
    if (!ca)
        fail_msg("%s", f.text);
    struct loaded l = load("ca/crl.pem");
    for (size_t i = 0; i < l.set.count; i++) {
        struct crl crl;
        bool found = false;
        assert_null(crl_parse(l.set.block[i].data, l.set.block[i].size, &crl));
        for (size_t k = 0; k < ca->count; k++)
            if (der_same(ca->authority[k].cert.subject, crl.issuer))
                found |=
                    !x509_verify(&ca->authority[k].cert, crl.tbs, crl.signature_algorithm, crl.signature);
        /* After a retirement that was cut short, one list may still be of the retired authority. */
        assert_true(found || i > 0 || access("ca/retired-1", F_OK) == 0);
        if (i == 0 && crl_number) {
            *crl_number = 0;
            for (size_t k = 0; k < crl.number.size; k++)
                *crl_number = *crl_number << 8 | crl.number.data[k];
        }
    }
    unload(&l);
    ca_close(ca);
}

/* What DIRECTORY shows is one set: the key belongs to the certificate, which the journal knows. */
static void credentials_are_whole(const char *directory)
{
    char path[256];
    struct failure f;
    struct x509 leaf;
    struct stat st;
    snprintf(path, sizeof path, "%s/..data", directory);
    if (lstat(path, &st) != 0)
        return;
    snprintf(path, sizeof path, "%s/..data/tls.crt", directory);
    struct loaded cert = load(path);
    snprintf(path, sizeof path, "%s/..data/tls.key", directory);
    struct loaded key = load(path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    snprintf(path, sizeof path, "%s/..data/crl.pem", directory);
    struct loaded crl = load(path);
    assert_null(x509_parse(cert.set.block[0].data, cert.set.block[0].size, &leaf));
    assert_null(
        x509_key_matches(&leaf, (struct x509_slice){key.set.block[0].data, key.set.block[0].size}, NULL));
    struct ca *ca = ca_open("ca", false, &f);
    assert_non_null(ca);
    char serial[48];
    x509_serial_hex(&leaf, serial, sizeof serial);
    assert_non_null(journal_issued(ca->journal, serial));
    ca_close(ca);
    unload(&cert);
    unload(&key);
    unload(&crl);
}

static int entries(const char *directory, const char *prefix)
{
    int n = 0;
    struct dirent *e;
    DIR *dir = opendir(directory);
    assert_non_null(dir);
    while ((e = readdir(dir)))
        n += strncmp(e->d_name, prefix, strlen(prefix)) == 0;
    closedir(dir);
    return n;
}

static void serial_of(const char *path, char serial[48])
{
    struct x509 leaf;
    struct loaded l = load(path);
    assert_null(x509_parse(l.set.block[0].data, l.set.block[0].size, &leaf));
    x509_serial_hex(&leaf, serial, 48);
    unload(&l);
}

/* Whether ca/crl.pem lists SERIAL; its reason. */
static bool is_listed(const char *serial, int *reason)
{
    bool found = false;
    struct loaded l = load("ca/crl.pem");
    for (size_t i = 0; i < l.set.count; i++) {
        struct crl crl;
        struct crl_entry e;
        assert_null(crl_parse(l.set.block[i].data, l.set.block[i].size, &crl));
        while (crl_next(&crl.entries, &e) == 1) {
            char hex[48];
            x509_integer_hex(e.serial, e.serial_negative, hex, sizeof hex);
            if (strcmp(hex, serial) == 0) {
                found = true;
                *reason = e.reason;
            }
        }
    }
    unload(&l);
    return found;
}

/* --- killed at every step --- */

static void init_is_all_or_nothing(void **state)
{
    (void)state;
    int n = 0, status;
    while ((status = run(n, "ca init --intermediate")) == KILLED) {
        struct stat st;
        assert_true(lstat("ca", &st) != 0 || (authority_is_whole(NULL), true));
        if (stat("ca", &st) == 0) {
            OK("issue --out web --dns a.example");
            assert_int_equal(system("rm -rf ca"), 0);
        }
        n++;
    }
    assert_int_equal(status, 0);
    assert_true(n > 20);
    authority_is_whole(NULL);
    refused("ca init");
}

static void issue_is_all_or_nothing(void **state)
{
    (void)state;
    int n = 0, status;
    OK("ca init");
    while ((status = run(n++, "issue --out web --cn web --dns a.example")) == KILLED) {
        authority_is_whole(NULL);
        credentials_are_whole("web");
        /* Every other time something is there already. */
        if (n % 2 == 0)
            OK("issue --out web --cn web --dns a.example");
    }
    assert_int_equal(status, 0);
    assert_true(n > 20);
    credentials_are_whole("web");
    assert_int_equal(entries("web", "..2"), 1);
    assert_int_equal(entries("web", "tls"), 2);
}

static void no_revocation_is_lost(void **state)
{
    (void)state;
    int n = 0, status, reason = -2;
    uint64_t last = 0, number = 0;
    OK("ca init");
    do {
        char serial[48], line[128];
        OK("issue --out web --dns a.example");
        serial_of("web/tls.crt", serial);
        snprintf(line, sizeof line, "revoke --reason keyCompromise %s", serial);
        status = run(n++, line);
        authority_is_whole(&number);
        assert_true(number >= last);
        OK(line);
        authority_is_whole(&number);
        assert_true(number > last);
        last = number;
        assert_true(is_listed(serial, &reason));
        assert_int_equal(reason, 1);
    } while (status == KILLED);
    assert_int_equal(status, 0);
    assert_true(n > 6);
    assert_int_equal(entries("ca", "crl.pem"), entries("ca", "crl.pem.tmp-") + 1);
}

static void a_rollover_can_be_repeated(void **state)
{
    (void)state;
    static const char *const order[] = {"ca prepare", "ca switch", "ca retire"};
    int n = 0;
    bool killed = true;
    while (killed) {
        killed = false;
        OK("ca init --intermediate --cn Test");
        for (size_t i = 0; i < 3; i++) {
            if (run(n, order[i]) == KILLED) {
                killed = true;
                OK("issue --out web --dns a.example");
                credentials_are_whole("web");
                authority_is_whole(NULL);
                struct stat st;
                bool done =
                    (i == 1 && entries("ca", "issuer-2") == 1) || (i == 2 && stat("ca/retired-1", &st) == 0);
                /* Repeating a step that was done after all is an error that does no harm. */
                setenv("QUIET", "1", 1);
                int again = run(-1, order[i]);
                unsetenv("QUIET");
                assert_true(again == 0 || done);
            }
        }
        authority_is_whole(NULL);
        OK("crl");
        OK("issue --out web --dns a.example");
        struct loaded l = load("ca/ca.crt");
        assert_int_equal(l.set.count, 1);
        unload(&l);
        assert_int_equal(entries("ca", "retired-1"), 1);
        assert_int_equal(system("rm -rf ca web"), 0);
        n++;
    }
    assert_true(n > 10);
}

static void rotation_is_all_or_nothing(void **state)
{
    (void)state;
    int n = 0, status;
    OK("ca init");
    OK("issue --out web --dns a.example --usage client --key ed25519");
    /* New lists and a new certificate are due each time. */
    while (OK("crl --next-update 1s"), (status = run(n++, "rotate --once --out web --at 0")) == KILLED) {
        authority_is_whole(NULL);
        credentials_are_whole("web");
    }
    assert_int_equal(status, 0);
    assert_true(n > 20);
    credentials_are_whole("web");
    assert_int_equal(entries("web", "..2"), 1);
    struct x509 leaf;
    struct loaded l = load("web/tls.crt");
    assert_null(x509_parse(l.set.block[0].data, l.set.block[0].size, &leaf));
    assert_int_equal(leaf.eku, X509_EKU_CLIENT_AUTH);
    assert_int_equal(leaf.key_type, X509_KEY_ED25519);
    assert_int_equal(leaf.san_count, 1);
    unload(&l);
}

/* The serial number in web/, after a rotation that must work. */
static void rotate(const char *options, char serial[48])
{
    char line[256];
    snprintf(line, sizeof line, "rotate --once --out web %s", options);
    OK(line);
    credentials_are_whole("web");
    serial_of("web/tls.crt", serial);
}

static bool same_file(const char *a, const char *b)
{
    char line[256];
    snprintf(line, sizeof line, "cmp -s %s %s", a, b);
    return system(line) == 0;
}

static void what_is_due_is_renewed(void **state)
{
    (void)state;
    char first[48], next[48], line[256];
    refused("rotate --once --out web");
    OK("ca init");
    refused("rotate --once --out web");
    rotate("--dns a.example", first);
    rotate("", next);
    assert_string_equal(first, next);
    rotate("--dns a.example --at 90%", next);
    assert_string_equal(first, next);
    rotate("--dns b.example", next);
    assert_string_not_equal(first, next);
    rotate("--at 0", first);
    assert_string_not_equal(first, next);
    /* Lists and roots alone. */
    OK("crl");
    assert_false(same_file("ca/crl.pem", "web/crl.pem"));
    rotate("", next);
    assert_string_equal(first, next);
    assert_true(same_file("ca/crl.pem", "web/crl.pem"));
    OK("ca prepare");
    rotate("", next);
    assert_string_equal(first, next);
    assert_true(same_file("ca/ca.crt", "web/ca.crt"));
    OK("ca switch");
    rotate("", next);
    assert_string_not_equal(first, next);
    OK("ca retire");
    rotate("", first);
    assert_string_equal(first, next);
    assert_true(same_file("ca/ca.crt", "web/ca.crt"));
    /* A key that is gone; a revoked certificate, which still gets the new lists. */
    assert_int_equal(unlink("web/tls.key"), 0);
    rotate("", next);
    assert_string_not_equal(first, next);
    snprintf(line, sizeof line, "revoke %s", next);
    OK(line);
    refused("rotate --once --out web --at 0");
    serial_of("web/tls.crt", first);
    assert_string_equal(first, next);
    assert_true(same_file("ca/crl.pem", "web/crl.pem"));
    OK("verify web");
    OK("show web ca");
    OK("show --json web ca");
    refused("verify ca nothing");
    refused("show nothing");
}

static void the_command_runs_after_a_change(void **state)
{
    (void)state;
    OK("ca init");
    OK("rotate --once --out web --dns a.example --exec touch${IFS}$CERTROTATE_DIR.1");
    assert_int_equal(access("web.1", F_OK), 0);
    OK("rotate --once --out web --exec touch${IFS}$CERTROTATE_DIR.2");
    assert_int_not_equal(access("web.2", F_OK), 0);
    refused("rotate --once --out web --at 0 --exec exit${IFS}3");
}

/* --- the journal --- */

static struct journal *journal(bool to_write)
{
    struct failure f;
    struct journal *j = journal_open("journal", to_write, &f);
    if (!j)
        fail_msg("%s", f.text);
    return j;
}

static void new_journal(void)
{
    char first[64];
    size_t size;
    struct failure f;
    unlink("journal");
    assert_true(journal_begin(first, &size));
    assert_true(file_create("journal", first, size, 0600, &f));
}

static struct journal_record record(int i)
{
    static char subject[32];
    struct journal_record r = {.kind = JOURNAL_ISSUE, .time = 1000 + i, .not_after = 2000 + i};
    snprintf(r.serial, sizeof r.serial, "%04X", i);
    snprintf(r.issuer, sizeof r.issuer, "AA");
    memset(r.sha256, 'a', 64);
    snprintf(subject, sizeof subject, "CN=name %d", i);
    r.text = subject;
    return r;
}

static void append(int from, int to)
{
    struct failure f;
    struct journal *j = journal(true);
    for (int i = from; i < to; i++) {
        struct journal_record r = record(i);
        if (!journal_append(j, &r, &f))
            fail_msg("%s", f.text);
    }
    journal_close(j);
}

static void records_come_back(void **state)
{
    (void)state;
    struct failure f;
    new_journal();
    append(0, 40);
    struct journal *j = journal(true);
    struct journal_record revoke = {.kind = JOURNAL_REVOKE, .time = 5, .serial = "0007", .reason = 4};
    struct journal_record crl = {
        .kind = JOURNAL_CRL, .time = 6, .issuer = "AA", .number = 9, .not_after = 77};
    struct journal_record bad = record(1);
    static char two_lines[] = "two\nlines";
    bad.text = two_lines;
    assert_true(journal_append(j, &revoke, &f));
    assert_true(journal_append(j, &crl, &f));
    assert_false(journal_append(j, &bad, &f));
    journal_close(j);
    j = journal(false);
    assert_int_equal(journal_count(j), 42);
    for (int i = 0; i < 40; i++) {
        struct journal_record want = record(i);
        const struct journal_record *r = journal_get(j, i);
        assert_int_equal(r->kind, JOURNAL_ISSUE);
        assert_int_equal(r->time, want.time);
        assert_int_equal(r->not_after, want.not_after);
        assert_string_equal(r->serial, want.serial);
        assert_string_equal(r->sha256, want.sha256);
        assert_string_equal(r->text, want.text);
    }
    assert_int_equal(journal_revoked(j, "0007")->reason, 4);
    assert_null(journal_revoked(j, "0008"));
    assert_null(journal_issued(j, "0099"));
    assert_int_equal(journal_get(j, 41)->number, 9);
    assert_int_equal(journal_get(j, 41)->not_after, 77);
    assert_false(journal_append(j, &crl, &f));
    journal_close(j);
}

/* 20,000 records: found at once, and the first of two with one serial number. */
static void many_records(void **state)
{
    (void)state;
    struct failure f;
    new_journal();
    append(0, 20000);
    struct journal *j = journal(true);
    struct journal_record again = record(5);
    again.time = 9;
    assert_true(journal_append(j, &again, &f));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 20000; i++) {
            struct journal_record want = record(i);
            const struct journal_record *r = journal_issued(j, want.serial);
            assert_non_null(r);
            assert_int_equal(r->time, want.time);
            assert_null(journal_revoked(j, want.serial));
        }
        assert_null(journal_issued(j, "ABCDEF"));
        journal_close(j);
        j = journal(false);
    }
    journal_close(j);
}

static char *slurp(size_t *size)
{
    struct failure f;
    char *text = (char *)file_read("journal", 1 << 20, size, &f);
    assert_non_null(text);
    return text;
}

static void spill(const char *text, size_t size)
{
    struct failure f;
    assert_true(file_replace("journal", text, size, 0600, &f));
}

static void every_cut_keeps_what_was_whole(void **state)
{
    (void)state;
    size_t size;
    new_journal();
    append(0, 3);
    char *text = slurp(&size);
    size_t first = strcspn(text, "\n") + 1;
    for (size_t cut = first; cut <= size; cut++) {
        size_t lines = 0;
        for (size_t i = 0; i < cut; i++)
            lines += text[i] == '\n';
        spill(text, cut);
        struct journal *j = journal(false);
        assert_int_equal(journal_count(j), lines - 1);
        journal_close(j);
        append(10, 11);
        j = journal(false);
        assert_int_equal(journal_count(j), lines);
        assert_string_equal(journal_get(j, lines - 1)->serial, "000A");
        journal_close(j);
    }
    /* A page that the system never wrote reads as zeros. */
    memset(text + size - 30, 0, 20);
    spill(text, size);
    struct journal *j = journal(true);
    assert_int_equal(journal_count(j), 2);
    journal_close(j);
    free(text);
}

static void damage_is_refused(const char *text, size_t size)
{
    struct failure f;
    spill(text, size);
    assert_null(journal_open("journal", false, &f));
    assert_null(journal_open("journal", true, &f));
    assert_non_null(strstr(f.text, "journal"));
}

static void every_change_is_noticed(void **state)
{
    (void)state;
    size_t size;
    new_journal();
    append(0, 3);
    char *text = slurp(&size);
    for (size_t i = 0; i < size; i++) {
        char old = text[i];
        if (i == size - 1)
            break; /* the last line's end: a torn line, see above */
        text[i] = old == 'x' ? 'y' : 'x';
        damage_is_refused(text, size);
        text[i] = old;
    }
    /* A line that is gone; two lines that changed places. */
    char *a = text + strcspn(text, "\n") + 1, *b = a + strcspn(a, "\n") + 1, *c = b + strcspn(b, "\n") + 1;
    char *other = malloc(size);
    size_t head = (size_t)(a - text);
    memcpy(other, text, head);
    memcpy(other + head, b, size - (size_t)(b - text));
    damage_is_refused(other, size - (size_t)(b - a));
    memcpy(other + head, b, (size_t)(c - b));
    memcpy(other + head + (c - b), a, (size_t)(b - a));
    memcpy(other + (c - text), c, size - (size_t)(c - text));
    damage_is_refused(other, size);
    damage_is_refused("", 0);
    damage_is_refused("something else\n", 15);
    free(other);
    free(text);
}

static void writers_take_turns(void **state)
{
    (void)state;
    new_journal();
    pid_t pid[4];
    for (int p = 0; p < 4; p++)
        if ((pid[p] = fork()) == 0) {
            struct failure f;
            for (int i = 0; i < 10; i++) {
                struct journal *j = journal_open("journal", true, &f);
                struct journal_record r = record(p * 10 + i);
                if (!j || !journal_append(j, &r, &f))
                    _exit(1);
                journal_close(j);
            }
            _exit(0);
        }
    for (int p = 0; p < 4; p++) {
        int status;
        waitpid(pid[p], &status, 0);
        assert_int_equal(status, 0);
    }
    struct journal *j = journal(false);
    assert_int_equal(journal_count(j), 40);
    journal_close(j);
}

static void a_full_disk_leaves_no_half_line(void **state)
{
    (void)state;
    struct failure f;
    new_journal();
    append(0, 2);
    struct journal *j = journal(true);
    struct journal_record r = record(7);
    full = true;
    bool ok = journal_append(j, &r, &f);
    full = false;
    assert_false(ok);
    assert_non_null(strstr(f.text, "No space"));
    assert_int_equal(journal_count(j), 2);
    assert_true(journal_append(j, &r, &f));
    journal_close(j);
    j = journal(false);
    assert_int_equal(journal_count(j), 3);
    journal_close(j);
}

/* --- commands --- */

static void certificates_say_what_was_asked(void **state)
{
    (void)state;
    static const char *const keys[] = {"p256", "p384", "p521", "rsa2048", "ed25519"};
    static const unsigned bits[] = {256, 384, 521, 2048, 256};
    char line[256];
    for (size_t i = 0; i < 5; i++) {
        struct x509 leaf, ca;
        snprintf(line, sizeof line, "ca init --ca ca%zu --key %s --cn Root --country DE", i, keys[i]);
        OK(line);
        snprintf(line, sizeof line,
                 "issue --ca ca%zu --out web --key %s --cn web --o Shop --ou A --ou B --dns a.example --uri "
                 "spiffe://td/a --ip 10.0.0.1 --ip fd00::1 --email a@b.example --lifetime 1h --usage client",
                 i, keys[i]);
        OK(line);
        struct loaded l = load("web/tls.crt"), r = load("web/ca.crt");
        assert_int_equal(l.set.count, 1);
        assert_null(x509_parse(l.set.block[0].data, l.set.block[0].size, &leaf));
        assert_null(x509_parse(r.set.block[0].data, r.set.block[0].size, &ca));
        assert_null(x509_verify(&ca, leaf.tbs, leaf.signature_algorithm, leaf.signature));
        assert_null(x509_verify(&ca, ca.tbs, ca.signature_algorithm, ca.signature));
        assert_int_equal(leaf.key_bits, bits[i]);
        assert_int_equal(leaf.version, 3);
        assert_int_equal(leaf.san_count, 5);
        assert_int_equal(leaf.eku, X509_EKU_CLIENT_AUTH);
        assert_true(leaf.has_basic_constraints && !leaf.is_ca);
        assert_int_equal(leaf.key_usage, X509_KU_DIGITAL_SIGNATURE | (i == 3 ? X509_KU_KEY_ENCIPHERMENT : 0));
        assert_int_equal(leaf.not_after - leaf.not_before, 3600 + CA_BACKDATE);
        assert_true(der_same(leaf.aki, ca.ski) && ca.ski.size == 20);
        assert_true(ca.is_ca && ca.path_len == 0);
        assert_int_equal(ca.key_usage, X509_KU_KEY_CERT_SIGN | X509_KU_CRL_SIGN);
        char text[128];
        x509_name_rfc2253(leaf.subject, text, sizeof text);
        assert_string_equal(text, "CN=web,OU=B,OU=A,O=Shop");
        x509_name_rfc2253(leaf.issuer, text, sizeof text);
        assert_string_equal(text, "CN=Root,C=DE");
        unload(&l);
        unload(&r);
    }
}

static void requests_are_signed_within_the_policy(void **state)
{
    (void)state;
    struct failure f;
    OK("ca init");
    OK("csr --key-out k --out r --cn web --dns web.example --uri spiffe://td/ns/a/sa/b");
    struct stat st;
    assert_int_equal(stat("k", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    OK("sign --out cert r");
    struct loaded c = load("cert"), k = load("k");
    struct x509 leaf;
    assert_null(x509_parse(c.set.block[0].data, c.set.block[0].size, &leaf));
    assert_int_equal(leaf.san_count, 2);
    assert_null(x509_key_matches(&leaf, (struct x509_slice){k.set.block[0].data, k.set.block[0].size}, NULL));
    unload(&c);
    unload(&k);
    refused("csr --key-out k --out r2 --dns other.example"); /* the key's file exists */
    refused("sign --lifetime 91d r");
    refused("sign k");
    refused("sign missing");
    refused("sign --policy missing r");
    static const char strict[] = "max_lifetime = 1h\nkeys = p256\ndns = *.example\nuri = spiffe://td/ns/a/*\n"
                                 "subject = CN=web\n";
    assert_true(file_create("strict", strict, strlen(strict), 0644, &f));
    OK("sign --policy strict r");
    OK("csr --key-out k2 --out r2 --cn web --dns web.other --uri spiffe://td/ns/a/sa/b");
    refused("sign --policy strict r2");
    /* A request that was changed after it was signed. */
    struct loaded r = load("r");
    for (size_t i = 0; i < r.set.block[0].size; i++)
        if (memcmp(r.set.block[0].data + i, "web.example", 11) == 0)
            r.set.block[0].data[i] = 'x';
    assert_true(file_create("forged", r.set.block[0].data, r.set.block[0].size, 0644, &f));
    unload(&r);
    refused("sign forged");
}

static void certificates_are_found_to_be_revoked(void **state)
{
    (void)state;
    char serial[48], line[256];
    int reason = 0;
    OK("ca init --intermediate");
    OK("issue --out a --dns a.example");
    OK("issue --out b --dns b.example");
    OK("issue --out c --dns c.example");
    OK("revoke a/tls.crt --into b");
    serial_of("a/tls.crt", serial);
    assert_true(is_listed(serial, &reason));
    assert_int_equal(reason, -1);
    struct loaded l = load("b/crl.pem");
    assert_int_equal(l.set.count, 2);
    unload(&l);
    credentials_are_whole("b");
    assert_int_equal(entries("b", "..2"), 1);
    serial_of("b/tls.crt", serial);
    assert_false(is_listed(serial, &reason));
    l = load("b/tls.crt");
    uint8_t digest[32];
    char hex[65];
    x509_sha256((struct x509_slice){l.set.block[0].data, l.set.block[0].size}, digest);
    x509_hex((struct x509_slice){digest, 32}, false, hex, sizeof hex);
    snprintf(line, sizeof line, "revoke --reason superseded %s", hex);
    OK(line);
    assert_true(is_listed(serial, &reason));
    assert_int_equal(reason, 4);
    /* The intermediate, by the second certificate of a chain: in the root's list. */
    char *pem = pem_write("CERTIFICATE", l.set.block[1].data, l.set.block[1].size, NULL);
    struct failure f;
    assert_true(file_create("intermediate", pem, strlen(pem), 0644, &f));
    free(pem);
    unload(&l);
    OK("revoke intermediate");
    serial_of("intermediate", serial);
    assert_true(is_listed(serial, &reason));
    refused("revoke ca/ca.crt");
    refused("revoke 1234");
    refused("revoke nothing/here");
    refused("revoke ca/policy");
    wrong_usage("revoke");
    wrong_usage("revoke --reason because 12");
}

static void usage(void **state)
{
    (void)state;
    static const char *const commands[] = {"",     "ca init", "ca prepare", "ca", "csr",
                                           "sign", "issue",   "revoke",     "crl"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        char line[64];
        snprintf(line, sizeof line, "%s --help", commands[i]);
        OK(line);
    }
    wrong_usage("");
    wrong_usage("nonsense");
    wrong_usage("ca");
    wrong_usage("ca nonsense");
    wrong_usage("ca init --dns a.example");
    wrong_usage("ca init --key rsa1024");
    wrong_usage("ca init extra");
    wrong_usage("ca init --lifetime 10");
    wrong_usage("issue --dns a.example");
    wrong_usage("issue --out web");
    wrong_usage("issue --out web --ip 300.1.1.1");
    wrong_usage("issue --out web --dns a..example");
    wrong_usage("issue --out web --uri nonsense");
    wrong_usage("issue --out web --usage all --dns a.example");
    wrong_usage("issue --out");
    wrong_usage("csr --cn a");
    wrong_usage("sign");
    wrong_usage("crl --reason superseded");
    wrong_usage("show");
    wrong_usage("verify");
    wrong_usage("verify --layout files web");
    wrong_usage("rotate");
    wrong_usage("rotate --out web --at 3/2");
    wrong_usage("rotate --out web --at x");
    refused("issue --out web --dns a.example");
}

/* A file that is in the way is not touched. */
static void what_is_in_the_way_stays(void **state)
{
    (void)state;
    struct failure f;
    OK("ca init");
    assert_int_equal(mkdir("web", 0755), 0);
    assert_true(file_create("web/tls.crt", "mine", 4, 0644, &f));
    refused("issue --out web --dns a.example");
    size_t size;
    char *text = (char *)file_read("web/tls.crt", 10, &size, &f);
    assert_string_equal(text, "mine");
    free(text);
    assert_int_equal(entries("web", "..2"), 0);
    assert_int_equal(mkdir("full", 0755), 0);
    assert_true(file_create("full/x", "mine", 4, 0644, &f));
    refused("ca init --ca full");
    assert_int_equal(entries("full", "x"), 1);
    assert_int_equal(entries(".", "full.init-"), 0);
    refused("crl --into full");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, enter, leave)
    const struct CMUnitTest tests[] = {
        TEST(init_is_all_or_nothing),
        TEST(issue_is_all_or_nothing),
        TEST(no_revocation_is_lost),
        TEST(a_rollover_can_be_repeated),
        TEST(rotation_is_all_or_nothing),
        TEST(what_is_due_is_renewed),
        TEST(the_command_runs_after_a_change),
        TEST(records_come_back),
        TEST(many_records),
        TEST(every_cut_keeps_what_was_whole),
        TEST(every_change_is_noticed),
        TEST(writers_take_turns),
        TEST(a_full_disk_leaves_no_half_line),
        TEST(certificates_say_what_was_asked),
        TEST(requests_are_signed_within_the_policy),
        TEST(certificates_are_found_to_be_revoked),
        TEST(usage),
        TEST(what_is_in_the_way_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
