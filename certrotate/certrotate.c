/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "certrotate/certrotate.h"

#include <stdio.h>
#include <string.h>

#include "certrotate/cmd.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} COMMANDS[] = {
    {"ca", cmd_ca},         {"csr", cmd_csr}, {"sign", cmd_sign_main}, {"issue", cmd_issue_main},
    {"revoke", cmd_revoke}, {"crl", cmd_crl}, {"show", cmd_show},      {"verify", cmd_verify},
    {"rotate", cmd_rotate},
};

static const char USAGE[] =
    "Usage: certrotate COMMAND [OPTION]...\n"
    "\n"
    "A small certificate authority, and certificates that renew themselves.\n"
    "\n"
    "  ca init      make an authority in a directory\n"
    "  ca prepare, ca switch, ca retire\n"
    "               replace it by a new one, step by step\n"
    "  issue        make a key and a certificate, in a directory that a sidecar follows\n"
    "  csr          make a key and a signing request\n"
    "  sign         sign a request, if the policy allows it\n"
    "  revoke       revoke certificates by serial number, fingerprint or file\n"
    "  crl          sign a new revocation list\n"
    "  show         what a certificate, request, list or directory says\n"
    "  verify       whether a directory is one that a sidecar would load\n"
    "  rotate       keep the credentials in a directory fresh\n"
    "  help         this text\n"
    "  version\n"
    "\n"
    "`certrotate COMMAND --help` tells the options of each. Exit status: 0 done, 1 failed, 2 wrong usage.\n";

int certrotate_main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < sizeof COMMANDS / sizeof *COMMANDS; i++)
        if (strcmp(COMMANDS[i].name, name) == 0) {
            int status = COMMANDS[i].run(argc - 1, argv + 1);
            return status == CMD_DONE ? CMD_OK : status;
        }
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        printf("%s", USAGE);
        return CMD_OK;
    }
    if (strcmp(name, "version") == 0 || strcmp(name, "--version") == 0) {
        puts("certrotate (outrider) " OUTRIDER_VERSION);
        return CMD_OK;
    }
    fprintf(stderr, *name ? "certrotate: no such command: %s\n%s" : "certrotate: want a command%s\n%s", name,
            USAGE);
    return CMD_USAGE;
}
