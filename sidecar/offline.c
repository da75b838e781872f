/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/offline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sidecar/check.h"
#include "sidecar/proxy/sources.h"

struct config *offline_config(const char *path, const char *cert_dir, struct proxy_policy **policy)
{
    static const char defaults[] = "[tls]\ndirectory = replaced\n[inbound any]\nlisten = 127.0.0.1:1\n"
                                   "forward = 127.0.0.1:2\n";
    struct config_report report;
    struct config *config;
    char error[POLICY_ERROR];
    if (path) {
        config = check_load(path, &report, policy);
        config_report_print(&report, stderr);
    } else {
        config = config_parse("defaults", defaults, sizeof defaults - 1, &report);
        *policy = config ? proxy_policy_new(config, &report, error) : NULL;
        if (*policy == NULL) {
            config_free(config);
            config = NULL;
            (void)fputs("out of memory\n", stderr);
        }
    }
    config_report_clear(&report);
    if (config && cert_dir) {
        config->tls.directory = (char *)(uintptr_t)cert_dir;
        config->tls.layout = CONFIG_LAYOUT_AUTO;
        config->tls.certificate = config->tls.key = config->tls.ca = config->tls.crl = NULL;
        config->tls.password_file = NULL;
    }
    return config;
}

static bool load(const struct config *config, bool anonymous, struct credentials **credentials,
                 char error[SNAPSHOT_ERROR])
{
    for (size_t i = 0; i < 1 + config->ca_count; i++) {
        struct credentials_source source = sources_where(config, i);
        struct credentials_error why;
        source.trust_only = source.trust_only || anonymous;
        credentials[i] = credentials_load(&source, time(NULL), &why);
        if (credentials[i] == NULL) {
            (void)snprintf(error, SNAPSHOT_ERROR, "%s", why.text);
            return false;
        }
    }
    return true;
}

bool offline_open(struct offline *o, struct config *config, struct proxy_policy *policy, bool anonymous,
                  char error[SNAPSHOT_ERROR])
{
    size_t count = 1 + config->ca_count;
    struct credentials **credentials = calloc(count, sizeof(struct credentials *));
    struct snapshot_config *shared = snapshot_config_new(config, policy, 1);
    *o = (struct offline){0};
    (void)snprintf(error, SNAPSHOT_ERROR, "out of memory");
    if (credentials && shared && tls_global_init(error, SNAPSHOT_ERROR) &&
        load(config, anonymous, credentials, error))
        o->snapshot = snapshot_new(shared, credentials, NULL, error);
    for (size_t i = 0; credentials && i < count; i++)
        credentials_unref(credentials[i]);
    free(credentials);
    snapshot_config_unref(shared);
    o->peers = o->snapshot ? tls_peers_new(0) : NULL;
    o->runtime = o->peers ? runtime_new(o->snapshot, o->peers, error) : NULL;
    if (o->runtime)
        return true;
    offline_close(o);
    return false;
}

void offline_close(struct offline *o)
{
    runtime_unref(o->runtime);
    tls_peers_free(o->peers);
    snapshot_unref(o->snapshot);
    tls_global_cleanup();
    *o = (struct offline){0};
}
