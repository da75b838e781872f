/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rotate: keeps the credentials in a directory fresh. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "certrotate/cmd.h"
#include "certrotate/crl_parse.h"
#include "certrotate/file.h"

static const char USAGE[] =
    "Usage: certrotate rotate --out DIR [OPTION]...\n"
    "\n"
    "Keeps the credentials in DIR fresh, as `certrotate issue` made them, until it is told to end. The key "
    "and\n"
    "the certificate are renewed, for the same names, when their time comes, when the authority was "
    "replaced\n"
    "(certrotate ca switch), or when other names are given; ca.crt and crl.pem whenever they have changed. "
    "The\n"
    "revocation lists are signed anew when half of their time is over. A certificate that was revoked is "
    "not\n"
    "renewed.\n"
    "\n"
    "  --out DIR             the directory; where it holds nothing yet, names are needed\n"
    "  --cn, --o, --ou, --country, --state, --locality, --dns, --uri, --ip, --email\n"
    "                        the names (those of the certificate that is there)\n"
    "  --key TYPE            p256 p384 p521 rsa2048 rsa3072 rsa4096 ed25519 (as the key that is there, else "
    "p256)\n"
    "  --ca DIR              the authority ($CERTROTATE_CA, else ./ca)\n"
    "  --lifetime TIME       of new certificates (24h, or the policy's maximum if that is less)\n"
    "  --policy FILE         what may be issued (the authority's own file `policy`)\n"
    "  --usage WHAT          server, client or both (as the certificate that is there, else both)\n"
    "  --at PART             renew after this part of the lifetime: 2/3 (default), 0.5, 80%\n"
    "  --jitter PART         and up to this part of the lifetime earlier, different for each certificate "
    "(0.1)\n"
    "  --interval TIME       look at least this often (60s); also at once on SIGHUP\n"
    "  --next-update TIME    lifetime of revocation lists (7d)\n"
    "  --exec COMMAND        run by /bin/sh after each change, $CERTROTATE_DIR names the directory\n"
    "  --once                do what is due now, and end\n"
    "  --help\n"
    "\n"
    "What fails is said on stderr and tried again; with --once the exit status is 1.\n";

/* What DIR holds. */
struct present {
    bool whole; /* certificate and key are there and can be read */
    struct pem_set set;
    struct x509 leaf;
    uint8_t *bundle, *crl;
    size_t bundle_size, crl_size;
};

static uint8_t *read_in(const char *directory, const char *name, size_t *size)
{
    struct failure ignored;
    char *path = file_join(directory, name);
    uint8_t *data = path ? file_read(path, 64 << 20, size, &ignored) : NULL;
    free(path);
    return data;
}

/* What cannot be read is as good as missing: it is made anew, or names are missing and that is said. */
static void look(const char *directory, struct present *p)
{
    size_t size;
    memset(p, 0, sizeof *p);
    uint8_t *text = read_in(directory, "tls.crt", &size);
    if (text && !pem_read(text, size, 16, &p->set) && p->set.count > 0 &&
        !x509_parse(p->set.block[0].data, p->set.block[0].size, &p->leaf)) {
        uint8_t *key = read_in(directory, "tls.key", &size);
        p->whole = key != NULL;
        if (key)
            pem_wipe_free(key, size);
    } else {
        pem_free(&p->set);
    }
    free(text);
    p->bundle = read_in(directory, "ca.crt", &p->bundle_size);
    p->crl = read_in(directory, "crl.pem", &p->crl_size);
}

static void forget(struct present *p)
{
    pem_free(&p->set);
    free(p->bundle);
    free(p->crl);
}

/*
 * When the certificate is to be renewed; the same at every look, different for each certificate. It counts
 * from when the certificate was made, not from the earlier time for which it was made valid.
 */
static int64_t due_at(const struct cmd *cmd, const struct x509 *leaf)
{
    uint8_t digest[32];
    x509_sha256(leaf->der, digest);
    double random = (digest[0] << 16 | digest[1] << 8 | digest[2]) / 16777216.0;
    double lifetime = (double)(leaf->not_after - leaf->not_before - CA_BACKDATE);
    double part = cmd->at - cmd->jitter * random;
    return leaf->not_before + CA_BACKDATE + (int64_t)(part > 0 ? lifetime * part : 0);
}

/* Half of the time of the lists is over, or there are none that can be read. */
static bool lists_are_due(const struct ca *ca, int64_t now)
{
    struct failure ignored;
    struct pem_set set;
    size_t size, lists = 0, keys = 0;
    char *text = ca_last_crl(ca, &size, &ignored);
    if (!text || pem_read((uint8_t *)text, size, 64, &set)) {
        free(text);
        return true;
    }
    bool due = false;
    for (size_t i = 0; i < set.count; i++, lists++) {
        struct crl crl;
        due |= crl_parse(set.block[i].data, set.block[i].size, &crl) != NULL ||
               now >= crl.this_update + (crl.next_update - crl.this_update) / 2;
    }
    for (size_t i = 0; i < ca->count; i++)
        keys += ca->authority[i].key != NULL;
    pem_free(&set);
    free(text);
    return due || lists != keys;
}

static bool same_names(const struct x509 *leaf, const struct der_out *subject, const struct der_out *sans)
{
    return der_same(leaf->subject, der_out_slice(subject)) && der_same(leaf->san_names, der_out_slice(sans));
}

/* Why the certificate is to be made now, or NULL. */
static const char *why_renew(const struct cmd *cmd, const struct ca *ca, const struct present *p,
                             const struct der_out *subject, const struct der_out *sans, int64_t now)
{
    const struct ca_authority *issuer = ca_issuer(ca);
    if (!p->whole)
        return "there was none";
    if (cmd->labels.count > 0 && !same_names(&p->leaf, subject, sans))
        return "other names";
    if (!der_same(p->leaf.aki, issuer->cert.ski) || !der_same(p->leaf.issuer, issuer->cert.subject))
        return "another authority";
    return now >= due_at(cmd, &p->leaf) ? "its time has come" : NULL;
}

static enum key_spec spec_for(const struct cmd *cmd, const struct present *p)
{
    enum key_spec spec = KEY_P256;
    char name[32];
    if (cmd->key_given || !p->whole)
        return cmd->key;
    snprintf(name, sizeof name, "%s%u", p->leaf.key_type == X509_KEY_RSA ? "rsa" : "p", p->leaf.key_bits);
    if (p->leaf.key_type == X509_KEY_ED25519)
        spec = KEY_ED25519;
    else if (!key_spec_parse(name, &spec))
        spec = KEY_P256;
    return spec;
}

static bool renew(const struct cmd *cmd, struct ca *ca, const struct present *p,
                  const struct der_out *subject, const struct der_out *sans, const char *why,
                  struct failure *f)
{
    char old[48] = "", serial[48];
    bool named = cmd->labels.count > 0;
    if (!named && p->set.count == 0)
        return failure(f, "%s: no certificate there: names (--cn, --dns, --uri ...) are needed", cmd->out);
    if (p->set.count > 0)
        x509_serial_hex(&p->leaf, old, sizeof old);
    if (*old && journal_revoked(ca->journal, old))
        return failure(f, "%s: its certificate %s was revoked and is not renewed", cmd->out, old);
    struct cmd as_before = *cmd;
    if (as_before.eku == 0 && p->set.count > 0)
        as_before.eku = p->leaf.eku & (X509_EKU_SERVER_AUTH | X509_EKU_CLIENT_AUTH);
    if (!cmd_issue(&as_before, ca, spec_for(cmd, p), named ? der_out_slice(subject) : p->leaf.subject,
                   named ? der_out_slice(sans) : p->leaf.san_names, cmd->out, serial, f))
        return false;
    printf("%s: renewed (%s): %s\n", cmd->out, why, serial);
    return true;
}

/* Whether ca.crt and crl.pem in the directory are those of the authority. */
static bool trust_is_current(const struct ca *ca, const struct present *p)
{
    struct failure ignored;
    size_t bundle_size, crl_size;
    char *bundle = ca_bundle(ca, &bundle_size), *crl = ca_last_crl(ca, &crl_size, &ignored);
    bool same = bundle && crl && p->bundle && p->crl && bundle_size == p->bundle_size &&
                crl_size == p->crl_size && memcmp(bundle, p->bundle, bundle_size) == 0 &&
                memcmp(crl, p->crl, crl_size) == 0;
    free(bundle);
    free(crl);
    return same;
}

/* One look; *CHANGED tells whether the directory was, *DUE when the certificate will be renewed (0: as soon
 * as possible). */
static bool rotate_once(const struct cmd *cmd, int64_t now, bool *changed, int64_t *due, struct failure *f)
{
    struct der_out subject = {0}, sans = {0};
    struct present *p = calloc(1, sizeof *p);
    struct ca *ca = ca_open(cmd->ca, true, f);
    bool ok = p && ca;
    *changed = false;
    *due = 0;
    if (!p)
        failure(f, "out of memory");
    if (!ok)
        goto done;
    labels_put_subject(&cmd->labels, &subject);
    labels_put_sans(&cmd->labels, &sans);
    if (lists_are_due(ca, now)) {
        size_t size;
        char *lists = ca_crl(ca, cmd->next_update, now, &size, f);
        ok = lists != NULL;
        free(lists);
    }
    look(cmd->out, p);
    const char *why = why_renew(cmd, ca, p, &subject, &sans, now);
    if (ok && why) {
        ok = renew(cmd, ca, p, &subject, &sans, why, f);
        *changed = ok;
    }
    /* What can no longer be renewed shall still learn whom to trust. */
    if (!*changed && p->whole && !trust_is_current(ca, p)) {
        struct failure again;
        *changed = cmd_republish(ca, cmd->out, ok ? f : &again);
        ok = ok && *changed;
        if (*changed)
            printf("%s: new ca.crt or crl.pem\n", cmd->out);
    }
    if (ok) {
        forget(p);
        look(cmd->out, p);
        *due = p->whole ? due_at(cmd, &p->leaf) : 0;
    }
    forget(p);
done:
    der_out_free(&subject);
    der_out_free(&sans);
    ca_close(ca);
    free(p);
    return ok;
}

/* Runs --exec; the signals that we block are its own again. */
static bool run_command(const struct cmd *cmd, const sigset_t *before, struct failure *f)
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        return failure_errno(f, "cannot run %s", cmd->exec);
    if (pid == 0) {
        sigprocmask(SIG_SETMASK, before, NULL);
        setenv("CERTROTATE_DIR", cmd->out, 1);
        execl("/bin/sh", "sh", "-c", cmd->exec, (char *)NULL);
        _exit(127);
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return failure_errno(f, "cannot wait for %s", cmd->exec);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    return WIFEXITED(status) ? failure(f, "%s: exit status %d", cmd->exec, WEXITSTATUS(status))
                             : failure(f, "%s: killed by signal %d", cmd->exec, WTERMSIG(status));
}

static bool rotate_and_run(const struct cmd *cmd, const sigset_t *before, int64_t *due)
{
    struct failure f;
    bool changed;
    bool ok = rotate_once(cmd, cmd_now(), &changed, due, &f);
    if (ok && changed && cmd->exec)
        ok = run_command(cmd, before, &f);
    if (!ok)
        cmd_failed(&f);
    fflush(stdout);
    return ok;
}

int cmd_rotate(int argc, char **argv)
{
    struct cmd cmd = {.name = "rotate",
                      .usage = USAGE,
                      .groups = CMD_CA | CMD_LABELS | CMD_KEY | CMD_LIFETIME | CMD_SIGN | CMD_OUT |
                                CMD_NEXT_UPDATE | CMD_ROTATE};
    sigset_t signals, before;
    int64_t due;
    int status = cmd_parse(&cmd, argc, argv);
    if (status != CMD_OK)
        return status;
    if (cmd.argument_count > 0)
        return cmd_usage(&cmd, "unexpected: %s", cmd.argument[0]);
    if (!cmd.out)
        return cmd_usage(&cmd, "--out is needed");
    /* Blocked, a signal never ends a rotation half-way, nor is one lost between two looks. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, &before);
    bool ok = rotate_and_run(&cmd, &before, &due);
    while (!cmd.once) {
        int64_t wait = cmd.interval, now = cmd_now();
        if (ok && due - now < wait)
            wait = due > now ? due - now : 1;
        struct timespec time = {.tv_sec = (time_t)wait};
        int signal = sigtimedwait(&signals, NULL, &time);
        if (signal == SIGTERM || signal == SIGINT)
            return CMD_OK;
        if (signal < 0 && errno != EAGAIN && errno != EINTR)
            return CMD_FAILED;
        ok = rotate_and_run(&cmd, &before, &due);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return ok ? CMD_OK : CMD_FAILED;
}
