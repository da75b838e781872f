/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certrotate/cmd.h"

static const char USAGE_INIT[] =
    "Usage: certrotate ca init [OPTION]...\n"
    "\n"
    "Makes a certificate authority in the directory --ca, which must not exist or be empty.\n"
    "\n"
    "  --ca DIR                      the authority ($CERTROTATE_CA, else ./ca)\n"
    "  --cn, --o, --ou, --country, --state, --locality TEXT\n"
    "                                its subject (CN=Outrider CA); --o and --ou may come several times\n"
    "  --key TYPE                    p256 (default) p384 p521 rsa2048 rsa3072 rsa4096 ed25519\n"
    "  --lifetime TIME               of the root (10y)\n"
    "  --intermediate                an intermediate signs, so that the root's key (issuer-1/root.key) can "
    "be\n"
    "                                kept elsewhere\n"
    "  --intermediate-lifetime TIME  (3y)\n"
    "  --help\n"
    "\n"
    "Times: 90s 30m 24h 7d 2w 1y. The directory then holds: ca.crt, the roots to trust; crl.pem; policy, "
    "what\n"
    "may be issued (edit it); journal, what was issued and revoked; issuer/, certificates and keys.\n";

static const char USAGE_ROLL[] =
    "Usage: certrotate ca prepare|switch|retire [--ca DIR]\n"
    "\n"
    "Replaces an authority by a new one, in three steps that can each be repeated:\n"
    "\n"
    "  prepare  makes a new root (and intermediate) like the old one and adds it to ca.crt\n"
    "  switch   lets the new one sign\n"
    "  retire   takes the old root out of ca.crt; its files move to retired-N/\n"
    "\n"
    "Let `certrotate rotate` (or `certrotate crl --into`) bring ca.crt to every peer between the steps, and "
    "let\n"
    "every certificate be renewed between switch and retire.\n"
    "\n"
    "  --ca DIR   the authority ($CERTROTATE_CA, else ./ca)\n"
    "  --help\n";

static const char USAGE[] = "Usage: certrotate ca init|prepare|switch|retire [OPTION]...\n"
                            "Try `certrotate ca init --help`, `certrotate ca prepare --help`.\n";

static int ca_init_main(int argc, char **argv)
{
    struct cmd cmd = {.name = "ca init",
                      .usage = USAGE_INIT,
                      .groups = CMD_CA | CMD_LABELS | CMD_KEY | CMD_LIFETIME | CMD_INTERMEDIATE};
    struct failure f;
    int status = cmd_parse(&cmd, argc, argv);
    if (status != CMD_OK)
        return status;
    if (cmd.argument_count > 0)
        return cmd_usage(&cmd, "unexpected: %s", cmd.argument[0]);
    if (labels_has_san(&cmd.labels))
        return cmd_usage(&cmd, "an authority has no --dns, --uri, --ip or --email");
    if (cmd.labels.count == 0 && !labels_add(&cmd.labels, LABEL_CN, "Outrider CA", &f))
        return cmd_failed(&f);
    struct ca_options options = {
        .directory = cmd.ca,
        .spec = cmd.key,
        .subject = &cmd.labels,
        .lifetime = cmd.lifetime ? cmd.lifetime : 10LL * 365 * 86400,
        .intermediate = cmd.intermediate,
        .intermediate_lifetime = cmd.intermediate_lifetime ? cmd.intermediate_lifetime : 3LL * 365 * 86400,
    };
    if (!ca_init(&options, cmd_now(), &f))
        return cmd_failed(&f);
    printf("made a certificate authority in %s\n", cmd.ca);
    return CMD_OK;
}

static int roll_main(const char *step, int argc, char **argv)
{
    struct cmd cmd = {.name = "ca prepare|switch|retire", .usage = USAGE_ROLL, .groups = CMD_CA};
    struct failure f;
    int status = cmd_parse(&cmd, argc, argv);
    if (status != CMD_OK)
        return status;
    if (cmd.argument_count > 0)
        return cmd_usage(&cmd, "unexpected: %s", cmd.argument[0]);
    struct ca *ca = ca_open(cmd.ca, true, &f);
    if (!ca)
        return cmd_failed(&f);
    bool ok = strcmp(step, "prepare") == 0  ? ca_prepare(ca, cmd_now(), &f)
              : strcmp(step, "switch") == 0 ? ca_switch(ca, &f)
                                            : ca_retire(ca, cmd_now(), &f);
    ca_close(ca);
    if (!ok)
        return cmd_failed(&f);
    printf("%s: %s is done\n", cmd.ca, step);
    return CMD_OK;
}

int cmd_ca(int argc, char **argv)
{
    const char *step = argc > 1 ? argv[1] : "";
    if (strcmp(step, "init") == 0)
        return ca_init_main(argc - 1, argv + 1);
    if (strcmp(step, "prepare") == 0 || strcmp(step, "switch") == 0 || strcmp(step, "retire") == 0)
        return roll_main(step, argc - 1, argv + 1);
    if (strcmp(step, "--help") == 0 || strcmp(step, "-h") == 0) {
        printf("%s", USAGE);
        return CMD_OK;
    }
    fprintf(stderr, "certrotate ca: want init, prepare, switch or retire\n%s", USAGE);
    return CMD_USAGE;
}
