/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a sidecar would have in service, for commands: a configuration with its credentials as one snapshot,
 * and one worker's contexts of it. Nothing listens, nothing is followed.
 */
#ifndef SIDECAR_OFFLINE_H
#define SIDECAR_OFFLINE_H

#include "sidecar/proxy/snapshot.h"

struct offline {
    struct snapshot *snapshot; /* its config and policy, too */
    struct tls_peers *peers;
    struct runtime *runtime;
};

/*
 * The configuration at PATH, checked (problems go to standard error), or, where PATH is NULL, none but the
 * defaults with the credentials of CERT_DIR, which must outlive it. NULL: it has been said why.
 */
struct config *offline_config(const char *path, const char *cert_dir, struct proxy_policy **policy)
    __attribute__((warn_unused_result));

/*
 * Reads the credentials and builds the rest; takes CONFIG and POLICY over whatever comes of it. ANONYMOUS:
 * without an own certificate. False: ERROR in words, and nothing to close.
 */
bool offline_open(struct offline *offline, struct config *config, struct proxy_policy *policy, bool anonymous,
                  char error[SNAPSHOT_ERROR]) __attribute__((warn_unused_result));
void offline_close(struct offline *offline);

#endif
