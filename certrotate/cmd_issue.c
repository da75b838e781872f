/* SPDX-License-Identifier: GPL-3.0-or-later */
/* csr, sign, issue */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certrotate/cmd.h"
#include "certrotate/file.h"

#define HELP_LABELS                                                              \
    "  --cn, --o, --ou, --country, --state, --locality TEXT\n"                   \
    "                        the subject; --o and --ou may come several times\n" \
    "  --dns, --uri, --ip, --email NAME\n"                                       \
    "                        subject alternative names; each may come several times\n"
#define HELP_KEY "  --key TYPE            p256 (default) p384 p521 rsa2048 rsa3072 rsa4096 ed25519\n"
#define HELP_SIGN                                                                                   \
    "  --ca DIR              the authority ($CERTROTATE_CA, else ./ca)\n"                           \
    "  --lifetime TIME       90s 30m 24h 7d 2w 1y (24h, or the policy's maximum if that is less)\n" \
    "  --policy FILE         what may be issued (the authority's own file `policy`)\n"              \
    "  --usage WHAT          server, client or both (default)\n"

static const char USAGE_CSR[] =
    "Usage: certrotate csr --key-out FILE [OPTION]...\n"
    "\n"
    "Makes a private key (mode 0600, in a file that must not exist) and a certificate signing request.\n"
    "\n"
    "  --key-out FILE        the key, PKCS#8 in PEM\n"
    "  --out FILE            the request (stdout)\n" HELP_KEY HELP_LABELS "  --help\n";

static const char USAGE_SIGN[] =
    "Usage: certrotate sign [OPTION]... CSR\n"
    "\n"
    "Checks a certificate signing request (its own signature, and the policy) and signs a certificate.\n"
    "\n"
    "  --out FILE            the certificate with its chain (stdout)\n" HELP_SIGN "  --help\n"
    "\n"
    "Of the request only its subject, its subject alternative names and its key are taken over.\n";

static const char USAGE_ISSUE[] =
    "Usage: certrotate issue --out DIR [OPTION]...\n"
    "\n"
    "Makes a key and a certificate, and puts them into a directory as Kubernetes mounts a Secret: tls.crt\n"
    "(with its chain), tls.key (mode 0600), ca.crt and crl.pem, swapped in by one rename of `..data`.\n"
    "\n"
    "  --out DIR             made where it is missing, parents too; replaces what it holds\n" HELP_KEY
        HELP_LABELS HELP_SIGN "  --help\n";

/* The names of CMD as DER. */
static bool names_of(const struct cmd *cmd, struct der_out *subject, struct der_out *sans, struct failure *f)
{
    labels_put_subject(&cmd->labels, subject);
    labels_put_sans(&cmd->labels, sans);
    return (!subject->failed && !sans->failed) || failure(f, "out of memory");
}

/* The key goes to its file before the request goes out: a request without its key is worth nothing. */
static bool write_csr(const struct cmd *cmd, const struct key *key, const struct der_out *request,
                      struct failure *f)
{
    struct der_out secret = {0};
    size_t key_size = 0, size = 0;
    key_put_private(key, &secret);
    char *key_text = secret.failed ? NULL : pem_write("PRIVATE KEY", secret.data, secret.size, &key_size);
    char *text = pem_write("CERTIFICATE REQUEST", request->data, request->size, &size);
    bool ok = key_text && text ? file_create(cmd->key_out, key_text, key_size, 0600, f) &&
                                     cmd_write(cmd->out, text, size, f)
                               : failure(f, "out of memory");
    if (key_text)
        pem_wipe_free(key_text, key_size);
    free(text);
    der_out_free(&secret);
    return ok;
}

int cmd_csr(int argc, char **argv)
{
    struct cmd cmd = {
        .name = "csr", .usage = USAGE_CSR, .groups = CMD_LABELS | CMD_KEY | CMD_KEY_OUT | CMD_OUT};
    struct der_out subject = {0}, sans = {0}, request = {0};
    struct key *key = NULL;
    struct failure f;
    int status = cmd_parse(&cmd, argc, argv);
    if (status != CMD_OK)
        return status;
    if (cmd.argument_count > 0)
        return cmd_usage(&cmd, "unexpected: %s", cmd.argument[0]);
    if (!cmd.key_out || cmd.labels.count == 0)
        return cmd_usage(&cmd, "--key-out and a name (--cn, --dns, --uri ...) are needed");
    bool ok = names_of(&cmd, &subject, &sans, &f) &&
              cmd_request(cmd.key, der_out_slice(&subject), der_out_slice(&sans), &key, &request, &f) &&
              write_csr(&cmd, key, &request, &f);
    key_free(key);
    der_out_free(&subject);
    der_out_free(&sans);
    der_out_free(&request);
    return ok ? CMD_OK : cmd_failed(&f);
}

static bool sign_file(const struct cmd *cmd, const char *path, struct failure *f)
{
    struct pem_set set = {0};
    struct der_out cert = {0};
    struct ca *ca = NULL;
    char *chain = NULL;
    size_t size;
    uint8_t *text = file_read(path, 1 << 20, &size, f);
    if (!text)
        return false;
    const char *wrong = pem_read(text, size, 1, &set);
    free(text);
    if (!wrong && (set.count == 0 || set.block[0].kind != PEM_REQUEST))
        wrong = "no certificate request";
    bool ok = !wrong || failure(f, "%s: %s", path, wrong);
    ok = ok && (ca = ca_open(cmd->ca, true, f)) &&
         cmd_sign(cmd, ca, (struct x509_slice){set.block[0].data, set.block[0].size}, &cert, f);
    if (ok) {
        chain = ca_chain(ca, der_out_slice(&cert), &size);
        ok = chain ? cmd_write(cmd->out, chain, size, f) : failure(f, "out of memory");
    }
    free(chain);
    ca_close(ca);
    der_out_free(&cert);
    pem_free(&set);
    return ok;
}

int cmd_sign_main(int argc, char **argv)
{
    struct cmd cmd = {
        .name = "sign", .usage = USAGE_SIGN, .groups = CMD_CA | CMD_LIFETIME | CMD_SIGN | CMD_OUT};
    struct failure f;
    int status = cmd_parse(&cmd, argc, argv);
    if (status != CMD_OK)
        return status;
    if (cmd.argument_count != 1)
        return cmd_usage(&cmd, "want one file with a certificate request");
    return sign_file(&cmd, cmd.argument[0], &f) ? CMD_OK : cmd_failed(&f);
}

int cmd_issue_main(int argc, char **argv)
{
    struct cmd cmd = {.name = "issue",
                      .usage = USAGE_ISSUE,
                      .groups = CMD_CA | CMD_LABELS | CMD_KEY | CMD_LIFETIME | CMD_SIGN | CMD_OUT};
    struct der_out subject = {0}, sans = {0};
    struct ca *ca = NULL;
    struct failure f;
    char serial[48];
    int status = cmd_parse(&cmd, argc, argv);
    if (status != CMD_OK)
        return status;
    if (cmd.argument_count > 0)
        return cmd_usage(&cmd, "unexpected: %s", cmd.argument[0]);
    if (!cmd.out || cmd.labels.count == 0)
        return cmd_usage(&cmd, "--out and a name (--cn, --dns, --uri ...) are needed");
    bool ok =
        names_of(&cmd, &subject, &sans, &f) && (ca = ca_open(cmd.ca, true, &f)) &&
        cmd_issue(&cmd, ca, cmd.key, der_out_slice(&subject), der_out_slice(&sans), cmd.out, serial, &f);
    ca_close(ca);
    der_out_free(&subject);
    der_out_free(&sans);
    if (!ok)
        return cmd_failed(&f);
    printf("issued %s into %s\n", serial, cmd.out);
    return CMD_OK;
}
