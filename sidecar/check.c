/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/check.h"

#include <getopt.h>
#include <string.h>

#include "sidecar/tls/tls.h"

static struct config_place place_of(const struct config_strings *strings, size_t i)
{
    return strings->place ? strings->place[i] : (struct config_place){0, 0};
}

static void check_names(const struct config_strings *names, bool (*known)(const char *), const char *what,
                        struct config_report *report)
{
    for (size_t i = 0; i < names->count; i++) {
        if (!known(names->item[i]))
            config_report_add(report, CONFIG_ERROR, place_of(names, i), (unsigned)strlen(names->item[i]),
                              NULL, "unknown %s \"%s\"", what, names->item[i]);
    }
}

static void check_patterns(const struct config_strings *patterns, struct config_report *report)
{
    struct tls_san_pattern pattern;
    for (size_t i = 0; i < patterns->count; i++) {
        const char *wrong = tls_san_compile(patterns->item[i], &pattern);
        if (wrong)
            config_report_add(report, CONFIG_ERROR, place_of(patterns, i),
                              (unsigned)strlen(patterns->item[i]), NULL, "allow_san \"%s\": %s",
                              patterns->item[i], wrong);
    }
}

struct config *check_load(const char *path, struct config_report *report, struct proxy_policy **policy)
{
    char error[POLICY_ERROR];
    struct proxy_policy *made = NULL;
    if (policy)
        *policy = NULL;
    struct config *config = config_scan_file(path, report);
    if (config == NULL)
        return NULL;
    check_names(&config->tls.ciphers, tls_cipher_known, "cipher suite", report);
    check_names(&config->tls.groups, tls_group_known, "group", report);
    for (size_t i = 0; i < config->inbound_count; i++)
        check_patterns(&config->inbound[i].allow_san, report);
    for (size_t i = 0; i < config->outbound_count; i++)
        check_patterns(&config->outbound[i].allow_san, report);
    made = proxy_policy_new(config, report, error);
    if (made && report->errors == 0) {
        if (policy)
            *policy = made;
        else
            proxy_policy_free(made);
        return config;
    }
    proxy_policy_free(made);
    config_free(config);
    return NULL;
}

static void usage(FILE *out)
{
    (void)fputs("usage: sidecar check -c FILE\n"
                "\n"
                "Reads a configuration and prints every mistake with its place.\n"
                "\n"
                "  -c, --config FILE   the configuration; - is standard input\n"
                "      --reference     prints the reference of all sections and keys instead\n"
                "  -q, --quiet         prints nothing when all is well\n"
                "  -h, --help          this text\n"
                "\n"
                "Exit status: 0 valid, 1 not valid, 2 wrong usage.\n",
                out);
}

int check_main(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"reference", no_argument, NULL, 'r'},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *path = NULL;
    bool quiet = false;
    int option;
    while ((option = getopt_long(argc, argv, "c:qh", options, NULL)) != -1) {
        switch (option) {
        case 'c': path = optarg; break;
        case 'q': quiet = true; break;
        case 'r': config_reference_print(stdout); return 0;
        case 'h': usage(stdout); return 0;
        default: usage(stderr); return 2;
        }
    }
    if (path == NULL || optind != argc) {
        usage(stderr);
        return 2;
    }
    struct config_report report;
    struct proxy_policy *policy = NULL;
    struct config *config = check_load(path, &report, &policy);
    bool valid = config != NULL;
    config_report_print(&report, stderr);
    if (valid && !quiet)
        (void)printf("%s: valid\n", path);
    config_report_clear(&report);
    proxy_policy_free(policy);
    config_free(config);
    return valid ? 0 : 1;
}
