/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The whole check of a configuration: what config/ finds, and what only the other rooms can judge. */
#ifndef SIDECAR_CHECK_H
#define SIDECAR_CHECK_H

#include "config/config.h"
#include "sidecar/proxy/policy.h"

/*
 * As config_load(), with the names of ciphers and groups, the SAN patterns, rules and lists checked as well,
 * whatever else is wrong with the file, and *POLICY made of it, which the caller owns, too (unless POLICY is
 * NULL).
 */
struct config *check_load(const char *path, struct config_report *report, struct proxy_policy **policy)
    __attribute__((warn_unused_result));

/* `sidecar check -c FILE`: prints every mistake. 0: valid, 1: not, 2: wrong usage. */
int check_main(int argc, char **argv);

#endif
