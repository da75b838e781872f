/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/drain.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sidecar/client.h"
#include "sidecar/top_text.h"

enum { ASK_MS = 5000, POLL_MS = 100, GRACE_S = 5, WAIT_S = 3600, DONE = 0, FAILED = 1, USAGE = 2, CUT = 3 };

struct options {
    const char *admin, *config;
    pid_t pid;
    bool wait;
    uint64_t timeout; /* seconds; 0: as the sidecar says */
};

static void usage(FILE *out)
{
    (void)fputs(
        "usage: sidecar drain --admin unix:/PATH [--wait]\n"
        "       sidecar drain -c FILE [--wait]\n"
        "       sidecar drain --pid PID [--wait]\n"
        "\n"
        "Has a running sidecar end in good order, as SIGTERM does: it is not ready any more, after "
        "drain_delay\n"
        "accepts no inbound connection, and ends when all sessions have, or after drain_timeout. A sidecar "
        "that\n"
        "drains already goes on with that.\n"
        "\n"
        "      --admin ADDRESS   its admin socket; only a UNIX socket takes orders\n"
        "  -c, --config FILE     the socket that `admin` in [sidecar] of this configuration names\n"
        "      --pid PID         no admin socket: SIGTERM to this process, which must be a sidecar\n"
        "      --wait            returns when it has ended\n"
        "      --timeout SECONDS waits that long at most (drain_timeout and 5 seconds; with --pid an hour)\n"
        "  -h, --help            this text\n"
        "\n"
        "Exit status: 0 it drains, or with --wait has ended; 1 it could not be asked; 2 wrong usage; 3 it "
        "has\n"
        "not ended in time.\n",
        out);
}

static bool number(const char *text, unsigned long most, unsigned long *out)
{
    char *rest;
    *out = strtoul(text, &rest, 10);
    return isdigit((unsigned char)*text) && *rest == '\0' && *out != 0 && *out <= most;
}

/* 0: go on; else 1 help, 2 wrong usage. */
static int options_read(struct options *o, int argc, char **argv)
{
    enum { ADMIN = 256, PID, WAIT, TIMEOUT };
    static const struct option longs[] = {{"admin", required_argument, NULL, ADMIN},
                                          {"config", required_argument, NULL, 'c'},
                                          {"pid", required_argument, NULL, PID},
                                          {"wait", no_argument, NULL, WAIT},
                                          {"timeout", required_argument, NULL, TIMEOUT},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    unsigned long n;
    int option;
    while ((option = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
        switch (option) {
        case ADMIN: o->admin = optarg; break;
        case 'c': o->config = optarg; break;
        case PID:
            if (!number(optarg, INT32_MAX, &n))
                return 2;
            o->pid = (pid_t)n;
            break;
        case WAIT: o->wait = true; break;
        case TIMEOUT:
            if (!number(optarg, 24 * 3600, &n))
                return 2;
            o->timeout = n;
            break;
        case 'h': return 1;
        default: return 2;
        }
    }
    return optind == argc && (o->admin != NULL) + (o->config != NULL) + (o->pid != 0) == 1 ? 0 : 2;
}

static int complain(int status, const char *words)
{
    (void)fputs("sidecar drain: ", stderr);
    top_text_print(stderr, words); /* perhaps what another process answered */
    (void)fputc('\n', stderr);
    return status;
}

static uint64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* --- by the admin socket --- */

/* By a descriptor, so that it cannot become another process meanwhile. -1: ERRNO. */
static int process_open(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

static bool process_ends(int process, uint64_t until)
{
    struct pollfd end = {.fd = process, .events = POLLIN};
    uint64_t now = now_ms();
    return poll(&end, 1, until > now ? (int)(until - now) : 0) == 1;
}

/* timeout_seconds of the answer, rounded up. */
static uint64_t timeout_of(const struct client_answer *answer)
{
    static const char key[] = "\"timeout_seconds\":";
    const char *at = strstr(answer->body, key);
    return at ? strtoull(at + sizeof key - 1, NULL, 10) + 1 : 0;
}

static bool socket_goes(const struct client_place *place, uint64_t until)
{
    struct client_answer answer;
    char error[CLIENT_ERROR];
    while (client_ask(place, "GET", "/healthz", ASK_MS, &answer, error)) {
        client_answer_free(&answer);
        if (now_ms() >= until)
            return false;
        (void)poll(NULL, 0, POLL_MS);
    }
    return true;
}

static int drain_by_socket(const struct options *o)
{
    struct client_place place;
    struct client_answer answer;
    char error[CLIENT_ERROR];
    if (!client_find(o->admin, o->config, &place, error))
        return complain(FAILED, error);
    pid_t pid = client_process(&place);
    int process = pid > 0 ? process_open(pid) : -1;
    int status = DONE;
    if (!client_ask(&place, "POST", "/drain", ASK_MS, &answer, error)) {
        status = complain(FAILED, error);
        goto done;
    }
    if (answer.status != 200)
        status = complain(FAILED, answer.size ? answer.body : "it does not take that order");
    uint64_t seconds = o->timeout ? o->timeout : timeout_of(&answer) + GRACE_S;
    uint64_t until = now_ms() + seconds * 1000;
    client_answer_free(&answer);
    if (status != DONE || !o->wait)
        goto done;
    if (process < 0) /* its socket goes with it */
        status = socket_goes(&place, until) ? DONE : CUT;
    else
        status = process_ends(process, until) ? DONE : CUT;
    if (status == CUT)
        (void)complain(CUT, "it has not ended in time");
done:
    if (process >= 0)
        (void)close(process);
    client_place_free(&place);
    return status;
}

/* --- by the process --- */

/* Whether PID runs this very program: no other one is to be ended by a mistake. */
static bool is_sidecar(pid_t pid)
{
    char path[64];
    struct stat other, own;
    (void)snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    return stat(path, &other) == 0 && stat("/proc/self/exe", &own) == 0 && other.st_dev == own.st_dev &&
           other.st_ino == own.st_ino;
}

static int drain_by_pid(const struct options *o)
{
    int fd = process_open(o->pid);
    int status = DONE;
    if (fd < 0)
        return complain(FAILED, strerror(errno));
    if (!is_sidecar(o->pid))
        status = complain(FAILED, "that process is not this program");
    else if (syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) != 0)
        status = complain(FAILED, strerror(errno));
    else if (o->wait && !process_ends(fd, now_ms() + (o->timeout ? o->timeout : WAIT_S) * 1000))
        status = complain(CUT, "it has not ended in time");
    (void)close(fd);
    return status;
}

int drain_main(int argc, char **argv)
{
    struct options o = {0};
    int wrong = options_read(&o, argc, argv);
    if (wrong) {
        usage(wrong == 1 ? stdout : stderr);
        return wrong == 1 ? 0 : USAGE;
    }
    return o.pid ? drain_by_pid(&o) : drain_by_socket(&o);
}
