/* SPDX-License-Identifier: GPL-3.0-or-later */
/* revoke, crl */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certrotate/cmd.h"

#define HELP_CRL                                                                                         \
    "  --ca DIR            the authority ($CERTROTATE_CA, else ./ca)\n"                                  \
    "  --next-update TIME  when the list is out of date: 24h, 7d (default)\n"                            \
    "  --into DIR          bring ca.crt and crl.pem into this directory of credentials, as `certrotate " \
    "issue`\n"                                                                                           \
    "                      made it; may come several times\n"

static const char USAGE_REVOKE[] =
    "Usage: certrotate revoke [OPTION]... CERTIFICATE...\n"
    "\n"
    "Revokes certificates of this authority and signs a new list (crl.pem in its directory). A certificate "
    "is\n"
    "named by its serial number in hex, its SHA-256 fingerprint (64 hex digits), or a file that holds it.\n"
    "\n"
    "  --reason WORD       unspecified (default) keyCompromise cACompromise affiliationChanged superseded\n"
    "                      cessationOfOperation certificateHold privilegeWithdrawn aACompromise\n" HELP_CRL
    "  --help\n";

static const char USAGE_CRL[] = "Usage: certrotate crl [OPTION]...\n"
                                "\n"
                                "Signs new certificate revocation lists, one for each authority whose key is "
                                "at hand, and writes them to\n"
                                "crl.pem in the authority's directory.\n"
                                "\n"
                                "  --out FILE          a copy (- is stdout)\n" HELP_CRL "  --help\n";

/* New lists, and into every directory that wants them: one that fails keeps none of the others from theirs.
 */
static bool renew_lists(const struct cmd *cmd, struct ca *ca, struct failure *f)
{
    size_t size;
    struct failure later;
    char *text = ca_crl(ca, cmd->next_update, cmd_now(), &size, f);
    bool ok = text && (!cmd->out || cmd_write(cmd->out, text, size, f));
    for (size_t i = 0; text && i < cmd->into_count; i++)
        ok = cmd_republish(ca, cmd->into[i], ok ? f : &later) && ok;
    free(text);
    return ok;
}

static bool revoke_one(const struct cmd *cmd, struct ca *ca, const char *what, struct failure *f)
{
    char serial[48];
    bool already;
    if (!ca_find(ca, what, serial, f) || !ca_revoke(ca, serial, cmd->reason, cmd_now(), &already, f))
        return false;
    printf("%s %s\n", already ? "was revoked already:" : "revoked", serial);
    return true;
}

int cmd_revoke(int argc, char **argv)
{
    struct cmd cmd = {
        .name = "revoke", .usage = USAGE_REVOKE, .groups = CMD_CA | CMD_REASON | CMD_NEXT_UPDATE | CMD_INTO};
    struct failure f;
    int status = cmd_parse(&cmd, argc, argv);
    if (status != CMD_OK)
        return status;
    if (cmd.argument_count == 0)
        return cmd_usage(&cmd, "want a serial number, a fingerprint or a file");
    struct ca *ca = ca_open(cmd.ca, true, &f);
    bool ok = ca != NULL;
    for (int i = 0; ok && i < cmd.argument_count; i++)
        ok = revoke_one(&cmd, ca, cmd.argument[i], &f);
    /* What was revoked before one failed shall be in the lists all the same. */
    struct failure crl;
    bool listed = ca && renew_lists(&cmd, ca, ok ? &f : &crl);
    ca_close(ca);
    return ok && listed ? CMD_OK : cmd_failed(&f);
}

int cmd_crl(int argc, char **argv)
{
    struct cmd cmd = {
        .name = "crl", .usage = USAGE_CRL, .groups = CMD_CA | CMD_NEXT_UPDATE | CMD_INTO | CMD_OUT};
    struct failure f;
    int status = cmd_parse(&cmd, argc, argv);
    if (status != CMD_OK)
        return status;
    if (cmd.argument_count > 0)
        return cmd_usage(&cmd, "unexpected: %s", cmd.argument[0]);
    struct ca *ca = ca_open(cmd.ca, true, &f);
    bool ok = ca && renew_lists(&cmd, ca, &f);
    ca_close(ca);
    return ok ? CMD_OK : cmd_failed(&f);
}
