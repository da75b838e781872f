/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "certrotate/cmd.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "certrotate/crl.h"
#include "certrotate/file.h"
#include "certrotate/mint.h"
#include "certrotate/publish.h"
#include "certrotate/verify.h"

enum { DEFAULT_LIFETIME = 86400, POLICY_MAX = 1 << 16 };

/* --- options --- */

enum option_id {
    OPT_HELP = 'h',
    OPT_CA = 256,
    OPT_LABEL, /* + enum label */
    OPT_KEY = OPT_LABEL + LABEL_COUNT,
    OPT_LIFETIME,
    OPT_OUT,
    OPT_POLICY,
    OPT_USAGE,
    OPT_INTERMEDIATE,
    OPT_INTERMEDIATE_LIFETIME,
    OPT_KEY_OUT,
    OPT_REASON,
    OPT_NEXT_UPDATE,
    OPT_INTO,
    OPT_JSON,
    OPT_ONCE,
    OPT_AT,
    OPT_JITTER,
    OPT_INTERVAL,
    OPT_EXEC,
    OPT_LAYOUT,
    OPT_PASSWORD_FILE,
    OPT_TRUST_ONLY,
    OPT_STRICT,
};

static const struct {
    unsigned group;
    struct option option;
} OPTIONS[] = {
    {CMD_CA, {"ca", required_argument, NULL, OPT_CA}},
    {CMD_LABELS, {"country", required_argument, NULL, OPT_LABEL + LABEL_C}},
    {CMD_LABELS, {"state", required_argument, NULL, OPT_LABEL + LABEL_ST}},
    {CMD_LABELS, {"locality", required_argument, NULL, OPT_LABEL + LABEL_L}},
    {CMD_LABELS, {"o", required_argument, NULL, OPT_LABEL + LABEL_O}},
    {CMD_LABELS, {"ou", required_argument, NULL, OPT_LABEL + LABEL_OU}},
    {CMD_LABELS, {"cn", required_argument, NULL, OPT_LABEL + LABEL_CN}},
    {CMD_LABELS, {"dns", required_argument, NULL, OPT_LABEL + LABEL_DNS}},
    {CMD_LABELS, {"uri", required_argument, NULL, OPT_LABEL + LABEL_URI}},
    {CMD_LABELS, {"ip", required_argument, NULL, OPT_LABEL + LABEL_IP}},
    {CMD_LABELS, {"email", required_argument, NULL, OPT_LABEL + LABEL_EMAIL}},
    {CMD_KEY, {"key", required_argument, NULL, OPT_KEY}},
    {CMD_LIFETIME, {"lifetime", required_argument, NULL, OPT_LIFETIME}},
    {CMD_OUT, {"out", required_argument, NULL, OPT_OUT}},
    {CMD_SIGN, {"policy", required_argument, NULL, OPT_POLICY}},
    {CMD_SIGN, {"usage", required_argument, NULL, OPT_USAGE}},
    {CMD_INTERMEDIATE, {"intermediate", no_argument, NULL, OPT_INTERMEDIATE}},
    {CMD_INTERMEDIATE, {"intermediate-lifetime", required_argument, NULL, OPT_INTERMEDIATE_LIFETIME}},
    {CMD_KEY_OUT, {"key-out", required_argument, NULL, OPT_KEY_OUT}},
    {CMD_REASON, {"reason", required_argument, NULL, OPT_REASON}},
    {CMD_NEXT_UPDATE, {"next-update", required_argument, NULL, OPT_NEXT_UPDATE}},
    {CMD_INTO, {"into", required_argument, NULL, OPT_INTO}},
    {CMD_JSON, {"json", no_argument, NULL, OPT_JSON}},
    {CMD_ROTATE, {"once", no_argument, NULL, OPT_ONCE}},
    {CMD_ROTATE, {"at", required_argument, NULL, OPT_AT}},
    {CMD_ROTATE, {"jitter", required_argument, NULL, OPT_JITTER}},
    {CMD_ROTATE, {"interval", required_argument, NULL, OPT_INTERVAL}},
    {CMD_ROTATE, {"exec", required_argument, NULL, OPT_EXEC}},
    {CMD_VERIFY, {"layout", required_argument, NULL, OPT_LAYOUT}},
    {CMD_VERIFY, {"password-file", required_argument, NULL, OPT_PASSWORD_FILE}},
    {CMD_VERIFY, {"trust-only", no_argument, NULL, OPT_TRUST_ONLY}},
    {CMD_VERIFY, {"strict-permissions", no_argument, NULL, OPT_STRICT}},
};
enum { OPTION_COUNT = sizeof OPTIONS / sizeof *OPTIONS };

int cmd_failed(const struct failure *f)
{
    fprintf(stderr, "certrotate: %s\n", f->text);
    return CMD_FAILED;
}

int cmd_usage(const struct cmd *cmd, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "certrotate %s: ", cmd->name);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nTry `certrotate %s --help`.\n", cmd->name);
    va_end(args);
    return CMD_USAGE;
}

static bool duration_option(const char *text, int64_t *seconds, struct failure *f)
{
    return policy_duration(text, seconds) || failure(f, "not a duration (90s, 30m, 24h, 7d, 1y): %s", text);
}

/* "0.66", "2/3", "66%": a number from 0 to 1. */
static bool fraction_option(const char *text, double *out, struct failure *f)
{
    char *end;
    double n = strtod(text, &end);
    if (end != text && *end == '/') {
        const char *below = end + 1;
        double d = strtod(below, &end);
        n = end != below && d > 0 ? n / d : -1;
    } else if (end != text && *end == '%') {
        n /= 100;
        end++;
    }
    *out = n;
    return (end != text && *end == 0 && n >= 0 && n <= 1) ||
           failure(f, "not a part (0.66, 66%%, 2/3): %s", text);
}

static bool usage_option(const char *text, unsigned *eku, struct failure *f)
{
    *eku = strcmp(text, "server") == 0   ? X509_EKU_SERVER_AUTH
           : strcmp(text, "client") == 0 ? X509_EKU_CLIENT_AUTH
           : strcmp(text, "both") == 0   ? X509_EKU_SERVER_AUTH | X509_EKU_CLIENT_AUTH
                                         : 0;
    return *eku != 0 || failure(f, "not a usage (server, client, both): %s", text);
}

static bool reason_option(const char *text, int *reason, struct failure *f)
{
    /* removeFromCRL (8) is for delta CRLs alone; 7 is not used. */
    for (int i = 0; i <= 10; i++)
        if (i != 7 && i != 8 && strcmp(crl_reason_name(i), text) == 0) {
            *reason = i;
            return true;
        }
    return failure(f,
                   "not a reason (unspecified keyCompromise cACompromise affiliationChanged superseded "
                   "cessationOfOperation certificateHold privilegeWithdrawn aACompromise): %s",
                   text);
}

static bool take_option(struct cmd *cmd, int id, const char *value, struct failure *f)
{
    if (id >= OPT_LABEL && id < OPT_LABEL + LABEL_COUNT)
        return labels_add(&cmd->labels, (enum label)(id - OPT_LABEL), value, f);
    switch ((enum option_id)id) {
    case OPT_CA: cmd->ca = value; return true;
    case OPT_KEY:
        cmd->key_given = true;
        return key_spec_parse(value, &cmd->key) ||
               failure(f, "not a key type (p256 p384 p521 rsa2048 rsa3072 rsa4096 ed25519): %s", value);
    case OPT_LIFETIME: return duration_option(value, &cmd->lifetime, f);
    case OPT_OUT: cmd->out = value; return true;
    case OPT_POLICY: cmd->policy = value; return true;
    case OPT_USAGE: return usage_option(value, &cmd->eku, f);
    case OPT_INTERMEDIATE: cmd->intermediate = true; return true;
    case OPT_INTERMEDIATE_LIFETIME: return duration_option(value, &cmd->intermediate_lifetime, f);
    case OPT_KEY_OUT: cmd->key_out = value; return true;
    case OPT_REASON: return reason_option(value, &cmd->reason, f);
    case OPT_NEXT_UPDATE: return duration_option(value, &cmd->next_update, f);
    case OPT_INTO:
        if (cmd->into_count == CMD_INTO_MAX)
            return failure(f, "more than %d directories", CMD_INTO_MAX);
        cmd->into[cmd->into_count++] = value;
        return true;
    case OPT_JSON: cmd->json = true; return true;
    case OPT_ONCE: cmd->once = true; return true;
    case OPT_AT: return fraction_option(value, &cmd->at, f);
    case OPT_JITTER: return fraction_option(value, &cmd->jitter, f);
    case OPT_INTERVAL: return duration_option(value, &cmd->interval, f);
    case OPT_EXEC: cmd->exec = value; return true;
    case OPT_LAYOUT: cmd->layout = value; return true;
    case OPT_PASSWORD_FILE: cmd->password_file = value; return true;
    case OPT_TRUST_ONLY: cmd->trust_only = true; return true;
    case OPT_STRICT: cmd->strict_permissions = true; return true;
    default: return failure(f, "unknown option");
    }
}

static void set_defaults(struct cmd *cmd)
{
    cmd->ca = getenv("CERTROTATE_CA");
    if (!cmd->ca || !*cmd->ca)
        cmd->ca = "ca";
    cmd->key = KEY_P256;
    cmd->next_update = CA_CRL_LIFETIME;
    cmd->at = 2.0 / 3;
    cmd->jitter = 0.1;
    cmd->interval = 60;
}

int cmd_parse(struct cmd *cmd, int argc, char **argv)
{
    struct option options[OPTION_COUNT + 2];
    size_t count = 0;
    struct failure f;
    int id;
    set_defaults(cmd);
    options[count++] = (struct option){"help", no_argument, NULL, OPT_HELP};
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (OPTIONS[i].group & cmd->groups)
            options[count++] = OPTIONS[i].option;
    options[count] = (struct option){0};
    optind = 0; /* glibc and musl: start afresh */
    opterr = 0;
    while ((id = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (id == OPT_HELP) {
            printf("%s", cmd->usage);
            return CMD_DONE;
        }
        if (id == ':')
            return cmd_usage(cmd, "%s wants a value", argv[optind - 1]);
        if (id == '?')
            return cmd_usage(cmd, "unknown or ambiguous option: %s", argv[optind - 1]);
        if (!take_option(cmd, id, optarg, &f))
            return cmd_usage(cmd, "%s", f.text);
    }
    cmd->argument = argv + optind;
    cmd->argument_count = argc - optind;
    return CMD_OK;
}

/* --- shared work --- */

int64_t cmd_now(void)
{
    return (int64_t)time(NULL);
}

bool cmd_write(const char *path, const char *text, size_t size, struct failure *f)
{
    if (path && strcmp(path, "-") != 0)
        return file_replace(path, text, size, 0644, f);
    if (fwrite(text, 1, size, stdout) == size && fflush(stdout) == 0)
        return true;
    return failure_errno(f, "stdout");
}

struct policy *cmd_policy(const struct cmd *cmd, const struct ca *ca, struct failure *f)
{
    char *own = cmd->policy ? NULL : file_join(ca->directory, "policy");
    const char *path = cmd->policy ? cmd->policy : own;
    struct policy *policy = NULL;
    size_t size;
    char *text = path ? (char *)file_read(path, POLICY_MAX, &size, f) : NULL;
    if (!path)
        failure(f, "out of memory");
    if (text)
        policy = policy_read(path, text, f);
    free(text);
    free(own);
    return policy;
}

bool cmd_request(enum key_spec spec, struct x509_slice subject, struct x509_slice sans, struct key **key,
                 struct der_out *request, struct failure *f)
{
    *key = key_generate(spec, f);
    return *key && mint_request(subject, sans, *key, request, f);
}

bool cmd_sign(const struct cmd *cmd, struct ca *ca, struct x509_slice request, struct der_out *cert,
              struct failure *f)
{
    struct x509 *r = calloc(1, sizeof *r);
    struct policy *policy = r ? cmd_policy(cmd, ca, f) : NULL;
    bool ok = false;
    if (!r)
        failure(f, "out of memory");
    if (!policy)
        goto done;
    const char *wrong = x509_parse_request(request.data, request.size, r);
    if (!wrong)
        wrong = x509_verify(r, r->tbs, r->signature_algorithm, r->signature);
    if (wrong) {
        failure(f, "the request is refused: %s", wrong);
        goto done;
    }
    int64_t lifetime = cmd->lifetime;
    if (lifetime == 0)
        lifetime =
            policy_max_lifetime(policy) < DEFAULT_LIFETIME ? policy_max_lifetime(policy) : DEFAULT_LIFETIME;
    struct failure why;
    if (!policy_check(policy, r, lifetime, &why)) {
        failure(f, "the request is refused: %.480s", why.text);
        goto done;
    }
    struct ca_request wanted = {r->subject, r->san_names, r->spki, lifetime,
                                cmd->eku ? cmd->eku : X509_EKU_SERVER_AUTH | X509_EKU_CLIENT_AUTH};
    ok = ca_issue(ca, &wanted, cmd_now(), cert, f);
done:
    policy_free(policy);
    free(r);
    return ok;
}

/* The CRLs as last signed; an authority has some from its first day. */
static bool add_trust(const struct ca *ca, struct publish_file *files, size_t *count, char **bundle,
                      char **crl, struct failure *f)
{
    size_t size;
    *bundle = ca_bundle(ca, &size);
    if (!*bundle)
        return failure(f, "out of memory");
    files[(*count)++] = (struct publish_file){"ca.crt", *bundle, size, 0644};
    *crl = ca_last_crl(ca, &size, f);
    if (!*crl)
        return false;
    files[(*count)++] = (struct publish_file){"crl.pem", *crl, size, 0644};
    return true;
}

bool cmd_issue(const struct cmd *cmd, struct ca *ca, enum key_spec spec, struct x509_slice subject,
               struct x509_slice sans, const char *directory, char *serial, struct failure *f)
{
    struct der_out request = {0}, cert = {0}, secret = {0};
    struct publish_file files[4];
    size_t count = 0, chain_size, key_size = 0;
    struct key *key = NULL;
    char *chain = NULL, *key_text = NULL, *bundle = NULL, *crl = NULL;
    bool ok = cmd_request(spec, subject, sans, &key, &request, f) &&
              cmd_sign(cmd, ca, der_out_slice(&request), &cert, f);
    if (!ok)
        goto done;
    key_put_private(key, &secret);
    chain = ca_chain(ca, der_out_slice(&cert), &chain_size);
    key_text = secret.failed ? NULL : pem_write("PRIVATE KEY", secret.data, secret.size, &key_size);
    ok = (chain && key_text) || failure(f, "out of memory");
    if (!ok)
        goto done;
    files[count++] = (struct publish_file){"tls.crt", chain, chain_size, 0644};
    files[count++] = (struct publish_file){"tls.key", key_text, key_size, 0600};
    ok = add_trust(ca, files, &count, &bundle, &crl, f) &&
         publish(directory, files, count, false, cmd_now(), f);
    if (ok && serial) {
        struct x509 *x = calloc(1, sizeof *x);
        ok = x && !x509_parse(cert.data, cert.size, x) ? true : failure(f, "out of memory");
        if (ok)
            x509_serial_hex(x, serial, 48);
        free(x);
    }
done:
    if (key_text)
        pem_wipe_free(key_text, key_size);
    free(chain);
    free(bundle);
    free(crl);
    key_free(key);
    der_out_free(&request);
    der_out_free(&cert);
    der_out_free(&secret);
    return ok;
}

bool cmd_republish(const struct ca *ca, const char *directory, struct failure *f)
{
    struct publish_file files[2];
    size_t count = 0;
    char *bundle = NULL, *crl = NULL;
    bool ok = add_trust(ca, files, &count, &bundle, &crl, f) &&
              publish(directory, files, count, true, cmd_now(), f);
    free(bundle);
    free(crl);
    return ok;
}
