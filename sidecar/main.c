/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The multi-call binary: `sidecar COMMAND` and, when called by that name, `certrotate COMMAND`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certrotate/certrotate.h"
#include "sidecar/check.h"
#include "sidecar/drain.h"
#include "sidecar/eval.h"
#include "sidecar/explain.h"
#include "sidecar/probe.h"
#include "sidecar/proxy/proxy.h"
#include "sidecar/redirect.h"
#include "sidecar/top.h"

static int version_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    (void)puts("outrider " OUTRIDER_VERSION);
    return 0;
}

static const struct command {
    const char *name;
    int (*main)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"run", proxy_main, "runs the sidecar"},
    {"check", check_main, "checks a configuration and prints every mistake"},
    {"eval", eval_main, "shows what a rule makes of a certificate and a request, and why"},
    {"explain", explain_main, "tells whether a certificate would be accepted, by whom, or why not"},
    {"probe", probe_main, "makes a mutual TLS connection and tells each step of it"},
    {"top", top_main, "shows what a running sidecar does, live"},
    {"drain", drain_main, "has a running sidecar end in good order, and waits for it"},
    {"redirect", redirect_main, "leads the pod's connections to the sidecar (transparent mode)"},
    {"certrotate", certrotate_main, "makes, issues, revokes and rotates certificates"},
    {"version", version_main, "prints the version"},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void usage(FILE *out)
{
    (void)fputs("usage: sidecar COMMAND [OPTION]...\n\n", out);
    for (size_t i = 0; i < COMMANDS; i++)
        (void)fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
    (void)fputs("\n`sidecar COMMAND --help` tells a command's options.\n", out);
}

int main(int argc, char **argv)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *name = slash ? slash + 1 : argc > 0 ? argv[0] : "";
    /* libuv's pool serves no data path here: one thread is plenty. Set before any thread exists. */
    (void)setenv("UV_THREADPOOL_SIZE", "1", 0);
    if (strcmp(name, "certrotate") == 0)
        return certrotate_main(argc, argv);
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        usage(stdout);
        return 0;
    }
    if (argc >= 2 && strcmp(argv[1], "--version") == 0)
        return version_main(0, NULL);
    for (size_t i = 0; argc >= 2 && i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].main(argc - 1, argv + 1);
    }
    if (argc >= 2)
        (void)fprintf(stderr, "sidecar: no command \"%s\"\n", argv[1]);
    usage(stderr);
    return 2;
}
