/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/redirect.h"

#include <getopt.h>
#include <string.h>

#include "sidecar/check.h"
#include "sidecar/redirect_kernel.h"

static void usage(FILE *out)
{
    (void)fputs(
        "usage: sidecar redirect --apply|--print|--check -c FILE\n"
        "       sidecar redirect --remove\n"
        "\n"
        "Has the kernel (nftables, table inet outrider) lead the application's TCP connections to the\n"
        "sidecar, as [capture] of the configuration says. Needs CAP_NET_ADMIN, here alone.\n"
        "\n"
        "      --apply         puts the rules in place; again and again, with the same result\n"
        "      --print         prints them as a script for nft\n"
        "      --check         whether they are in place, exactly\n"
        "      --remove        takes them away\n"
        "  -c, --config FILE   the configuration; - is standard input\n"
        "  -h, --help          this text\n"
        "\n"
        "Exit status: 0 done, or in place; 1 not; 2 wrong usage.\n",
        out);
}

/* What went wrong, if anything, to standard error; then the exit status. */
static int end(bool ok, const char *error)
{
    if (!ok)
        (void)fprintf(stderr, "sidecar redirect: %s\n", error);
    return ok ? 0 : 1;
}

static int with_rules(int action, const struct redirect_rules *rules)
{
    char error[REDIRECT_ERROR] = "";
    switch (action) {
    case 'a': return end(redirect_kernel_apply(rules, error), error);
    case 'k': return end(redirect_kernel_check(rules, error), error);
    default: redirect_rules_print(rules, stdout); return 0;
    }
}

static int with_config(int action, const char *path)
{
    struct config_report report;
    struct redirect_rules rules;
    const char *cause;
    struct config *config = check_load(path, &report, NULL);
    int status = 1;
    config_report_print(&report, stderr);
    config_report_clear(&report);
    if (config == NULL)
        return 1;
    if (redirect_rules_from(config, &rules, &cause)) {
        status = with_rules(action, &rules);
        redirect_rules_clear(&rules);
    } else {
        (void)end(false, cause);
    }
    config_free(config);
    return status;
}

int redirect_main(int argc, char **argv)
{
    static const struct option options[] = {{"apply", no_argument, NULL, 'a'},
                                            {"print", no_argument, NULL, 'p'},
                                            {"check", no_argument, NULL, 'k'},
                                            {"remove", no_argument, NULL, 'r'},
                                            {"config", required_argument, NULL, 'c'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *path = NULL;
    char error[REDIRECT_ERROR] = "";
    int action = 0, option;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (option) {
        case 'c': path = optarg; break;
        case 'h': usage(stdout); return 0;
        case '?': usage(stderr); return 2;
        default:
            if (action != 0 && action != option) {
                usage(stderr);
                return 2;
            }
            action = option;
        }
    }
    if (action == 0 || optind != argc || (action != 'r' && path == NULL)) {
        usage(stderr);
        return 2;
    }
    return action == 'r' ? end(redirect_kernel_remove(error), error) : with_config(action, path);
}
