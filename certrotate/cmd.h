/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the commands of certrotate share: options, messages, files. Private to cmd*.c. */
#ifndef CERTROTATE_CMD_H
#define CERTROTATE_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "certrotate/ca.h"
#include "certrotate/failure.h"
#include "certrotate/key.h"
#include "certrotate/labels.h"
#include "certrotate/policy.h"

enum { CMD_OK = 0, CMD_FAILED = 1, CMD_USAGE = 2, CMD_DONE = -1 };

/* Groups of options; a command takes some of them. */
enum cmd_options_group {
    CMD_CA = 1 << 0,           /* --ca */
    CMD_LABELS = 1 << 1,       /* --cn --o ... --dns --uri --ip --email */
    CMD_KEY = 1 << 2,          /* --key */
    CMD_LIFETIME = 1 << 3,     /* --lifetime */
    CMD_OUT = 1 << 4,          /* --out */
    CMD_SIGN = 1 << 5,         /* --policy --usage */
    CMD_INTERMEDIATE = 1 << 6, /* --intermediate --intermediate-lifetime */
    CMD_KEY_OUT = 1 << 7,      /* --key-out */
    CMD_REASON = 1 << 8,       /* --reason */
    CMD_NEXT_UPDATE = 1 << 9,  /* --next-update */
    CMD_INTO = 1 << 10,        /* --into */
    CMD_JSON = 1 << 11,        /* --json */
    CMD_ROTATE = 1 << 12,      /* --once --at --jitter --interval --exec */
    CMD_VERIFY = 1 << 13,      /* --layout --password-file --trust-only --strict-permissions */
};

enum { CMD_INTO_MAX = 64 };

struct cmd {
    const char *name;  /* "ca init" */
    const char *usage; /* printed by --help */
    unsigned groups;
    /* Options. */
    const char *ca;
    struct labels labels;
    enum key_spec key;
    bool key_given;
    int64_t lifetime; /* 0: not given */
    const char *out;
    const char *policy;
    unsigned eku; /* 0: not given */
    bool intermediate;
    int64_t intermediate_lifetime;
    const char *key_out;
    int reason;
    int64_t next_update;
    const char *into[CMD_INTO_MAX];
    size_t into_count;
    bool json;
    bool once;
    double at;     /* part of the lifetime after which it is renewed */
    double jitter; /* and how much earlier, at random */
    int64_t interval;
    const char *exec;
    const char *layout;
    const char *password_file;
    bool trust_only;
    bool strict_permissions;
    /* What is no option. */
    char **argument;
    int argument_count;
};

/* Fills CMD in (name, usage and groups are set) from ARGV, whose first is the command's own word. Returns
 * CMD_OK, CMD_DONE after --help, or CMD_USAGE with a message printed. */
int cmd_parse(struct cmd *cmd, int argc, char **argv);

/* Prints "certrotate: TEXT" to stderr and returns CMD_FAILED or CMD_USAGE. */
int cmd_failed(const struct failure *f);
int cmd_usage(const struct cmd *cmd, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Now, seconds since 1970. */
int64_t cmd_now(void);

/* Writes text to PATH (replacing it) or, when PATH is NULL or "-", to stdout. */
bool cmd_write(const char *path, const char *text, size_t size, struct failure *f)
    __attribute__((warn_unused_result));

/* Reads the policy: --policy, or the authority's own. */
struct policy *cmd_policy(const struct cmd *cmd, const struct ca *ca, struct failure *f)
    __attribute__((warn_unused_result));

/* Checks and signs a request in DER for the lifetime and usage of CMD; appends the certificate's DER. */
bool cmd_sign(const struct cmd *cmd, struct ca *ca, struct x509_slice request, struct der_out *cert,
              struct failure *f) __attribute__((warn_unused_result));

/* A fresh key in KEY and, signed by it, a request for these names (DER). Free both. */
bool cmd_request(enum key_spec spec, struct x509_slice subject, struct x509_slice sans, struct key **key,
                 struct der_out *request, struct failure *f) __attribute__((warn_unused_result));

/* Makes a key, signs a certificate for these names and publishes both with ca.crt and crl.pem in DIRECTORY.
 * SERIAL (48 octets) may be NULL. */
bool cmd_issue(const struct cmd *cmd, struct ca *ca, enum key_spec spec, struct x509_slice subject,
               struct x509_slice sans, const char *directory, char *serial, struct failure *f)
    __attribute__((warn_unused_result));

/* Publishes the authority's ca.crt and crl.pem in DIRECTORY; certificate and key stay. */
bool cmd_republish(const struct ca *ca, const char *directory, struct failure *f)
    __attribute__((warn_unused_result));

/* The commands: ARGV[0] is their own word. */
int cmd_ca(int argc, char **argv);
int cmd_csr(int argc, char **argv);
int cmd_sign_main(int argc, char **argv);
int cmd_issue_main(int argc, char **argv);
int cmd_revoke(int argc, char **argv);
int cmd_crl(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_rotate(int argc, char **argv);

#endif
