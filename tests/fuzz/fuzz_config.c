/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a configuration: read, compiled whatever is wrong with it, reported, freed. */
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "sidecar/proxy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every place that a text leads to stands in the file. */
static void check_text(const struct config_text *t, const char *text, size_t size)
{
    for (size_t i = 0; t->text && i < t->length; i++) {
        struct config_place place = config_text_place(t, i);
        if (place.line == 0)
            abort();
        const char *line = text, *end = text + size;
        for (unsigned n = 1; n < place.line; n++) {
            const char *newline = memchr(line, '\n', (size_t)(end - line));
            if (!newline)
                abort();
            line = newline + 1;
        }
        /* A blank joins two lines: it stands behind the end of the first. */
        if (t->text[i] != ' ' &&
            (place.column == 0 || line + place.column > end || line[place.column - 1] != t->text[i]))
            abort();
    }
}

/* What a check does after the file was read, without its lists' files. REPORT: of the same text. */
static void compile(const char *text, size_t size, const struct config_report *report)
{
    struct config_report own;
    char error[POLICY_ERROR];
    struct config *config = config_scan("fuzz.ini", text, size, &own);
    if (own.errors != report->errors)
        abort();
    for (size_t i = 0; config && i < config->list_count; i++)
        config->list[i].file = NULL;
    struct proxy_policy *policy = config ? proxy_policy_new(config, &own, error) : NULL;
    if (policy == NULL && own.errors == 0)
        abort();
    proxy_policy_free(policy);
    config_report_clear(&own);
    config_free(config);
}

/* What may be shown of it is a configuration again, of which the same may be shown. */
static void check_effective(const struct config *config)
{
    struct config_report report;
    size_t size = strlen(config->effective);
    if (size > CONFIG_FILE_MAX)
        return;
    struct config *again = config_parse("fuzz.ini", config->effective, size, &report);
    if (again == NULL || strcmp(again->effective, config->effective) != 0)
        abort();
    config_report_clear(&report);
    config_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_report report;
    char *text = malloc(size ? size : 1), *out = NULL;
    size_t length;
    if (!text)
        abort();
    memcpy(text, data, size);
    struct config *config = config_parse("fuzz.ini", text, size, &report);
    if ((config != NULL) != (report.errors == 0))
        abort();
    compile(text, size, &report);
    if (config)
        check_effective(config);
    size_t bom = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    for (size_t i = 0; config && i < config->rule_count; i++)
        check_text(&config->rule[i].expression, text + bom, size - bom);
    for (size_t i = 0; config && i < config->ratelimit_count; i++)
        for (size_t j = 0; j < config->ratelimit[i].characteristics.count; j++)
            check_text(&config->ratelimit[i].characteristics.item[j], text + bom, size - bom);
    FILE *f = open_memstream(&out, &length);
    if (!f)
        abort();
    config_report_print(&report, f);
    fclose(f);
    for (size_t i = 0; i < length; i++)
        if ((out[i] >= 0 && out[i] < 0x20 && out[i] != '\n' && out[i] != '\t') || out[i] == 0x7f)
            abort();
    free(out);
    free(text);
    config_report_clear(&report);
    config_free(config);
    return 0;
}
