/* SPDX-License-Identifier: GPL-3.0-or-later */
/* show, verify */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "certrotate/cmd.h"
#include "certrotate/credentials.h"
#include "certrotate/file.h"
#include "certrotate/show.h"

static const char USAGE_SHOW[] =
    "Usage: certrotate show [--json] FILE|DIR...\n"
    "\n"
    "Tells what certificates, certificate requests and revocation lists say (PEM or DER, several in a "
    "file);\n"
    "of private keys only that they are there. A directory is an authority's, or its files are shown in "
    "turn.\n"
    "Names, serial numbers, times and fingerprints are written as the rule fields cf.tls_client_auth.* are.\n"
    "\n"
    "  --json     an array with one object for each\n"
    "  --help\n";

static int is_shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* The regular files of a directory in the order of their names; links are followed. */
static bool show_directory(struct show *s, const char *path, struct failure *f)
{
    struct dirent **list;
    int count = scandir(path, &list, is_shown, alphasort);
    bool ok = count >= 0 || failure_errno(f, "%s", path);
    size_t shown = 0;
    for (int i = 0; i < count; i++) {
        struct stat st;
        char *file = file_join(path, list[i]->d_name);
        if (ok && !file)
            ok = failure(f, "out of memory");
        if (ok && stat(file, &st) == 0 && S_ISREG(st.st_mode)) {
            ok = show_file(s, file, f);
            shown++;
        }
        free(file);
        free(list[i]);
    }
    if (count >= 0)
        free(list);
    return ok && (shown > 0 || failure(f, "%s: no files", path));
}

static bool show_path(struct show *s, const char *path, struct failure *f)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return failure_errno(f, "%s", path);
    if (!S_ISDIR(st.st_mode))
        return show_file(s, path, f);
    char *journal = file_join(path, "journal");
    bool is_ca = journal && stat(journal, &st) == 0;
    free(journal);
    return is_ca ? show_authority(s, path, f) : show_directory(s, path, f);
}

int cmd_show(int argc, char **argv)
{
    struct cmd cmd = {.name = "show", .usage = USAGE_SHOW, .groups = CMD_JSON};
    struct failure f;
    int status = cmd_parse(&cmd, argc, argv);
    if (status != CMD_OK)
        return status;
    if (cmd.argument_count == 0)
        return cmd_usage(&cmd, "want a file or a directory");
    struct show s = {.out = stdout, .json = cmd.json, .now = cmd_now()};
    show_begin(&s);
    for (int i = 0; i < cmd.argument_count; i++)
        if (!show_path(&s, cmd.argument[i], &f))
            status = cmd_failed(&f);
    show_end(&s);
    return status;
}

static const char USAGE_VERIFY[] =
    "Usage: certrotate verify [OPTION]... DIR...\n"
    "\n"
    "Loads directories of credentials exactly as the sidecar does, and says what it found or why it would "
    "not\n"
    "take them. Exit status 1 when any is refused.\n"
    "\n"
    "  --layout NAME          auto (default) kubernetes spiffe bundle single\n"
    "  --password-file FILE   its first line decrypts the key\n"
    "  --trust-only           CA bundle and revocation lists alone: no certificate, no key\n"
    "  --strict-permissions   refuse a key that group or others may read or write\n"
    "  --help\n";

static void print_credentials(const char *path, const struct credentials *c)
{
    char when[64];
    printf("%s: good (%s)\n", path, credentials_layout_name(c->layout));
    if (c->chain_count > 0) {
        struct show s = {.out = stdout, .now = cmd_now()};
        struct failure f;
        struct pem_block leaf = {PEM_CERTIFICATE, NULL, c->chain[0].size};
        leaf.data = malloc(leaf.size);
        if (leaf.data) {
            memcpy(leaf.data, c->chain[0].data, leaf.size);
            if (!show_block(&s, path, &leaf, &f))
                cmd_failed(&f);
        }
        free(leaf.data);
        printf("  %-16s %zu\n", "chain", c->chain_count);
    }
    printf("  %-16s %zu\n", "roots", c->root_count);
    if (c->roots_not_after) {
        x509_time_text(c->roots_not_after, when, sizeof when);
        printf("  %-16s %s\n", "first root ends", when);
    }
    if (c->crls) {
        struct crl_stats stats = crl_index_stats(c->crls);
        printf("  %-16s %zu, with %zu entries\n", "revocation lists", stats.lists, stats.entries);
    }
    if (*c->warnings)
        printf("warnings:\n%s\n", c->warnings);
}

int cmd_verify(int argc, char **argv)
{
    struct cmd cmd = {.name = "verify", .usage = USAGE_VERIFY, .groups = CMD_VERIFY};
    enum credentials_layout layout = CREDENTIALS_AUTO;
    int status = cmd_parse(&cmd, argc, argv);
    if (status != CMD_OK)
        return status;
    if (cmd.argument_count == 0)
        return cmd_usage(&cmd, "want a directory");
    if (cmd.layout && (!credentials_layout_parse(cmd.layout, &layout) || layout == CREDENTIALS_FILES))
        return cmd_usage(&cmd, "not a layout: %s", cmd.layout);
    for (int i = 0; i < cmd.argument_count; i++) {
        struct credentials_error error;
        struct credentials_source source = {.directory = cmd.argument[i],
                                            .layout = layout,
                                            .password = cmd.password_file,
                                            .trust_only = cmd.trust_only,
                                            .strict_permissions = cmd.strict_permissions};
        struct credentials *c = credentials_load(&source, cmd_now(), &error);
        if (c) {
            print_credentials(cmd.argument[i], c);
        } else {
            fprintf(stderr, "certrotate: %s: refused (%s): %s\n", cmd.argument[i],
                    credentials_fault_name(error.fault), error.text);
            status = CMD_FAILED;
        }
        credentials_unref(c);
    }
    return status;
}
