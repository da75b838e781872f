/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The judge over whatever a peer presents. The input is a purpose, then certificates, each after its length
 * in two octets. Signatures being what a fuzzer cannot forge, the certificates are also judged as if each had
 * signed the one before.
 */
#include <stdlib.h>
#include <string.h>

#include "../unit/make_cert.h"
#include "sidecar/tls/path.h"

enum { NOW = 1767225600 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tls_trust *make_trust(void)
{
    struct make_cert plans[] = {
        {.subject = "O=x,CN=R", .key = 1, .ca = true, .permitted = "DNS:example|dir:O=x"},
        {.subject = "CN=Q", .key = 2, .ca = true, .not_after = "20210101"},
        {.subject = "CN=A", .issuer = "O=x,CN=R", .key = 3, .by = 1, .ca = true},
    };
    struct x509_slice roots[3];
    char error[200];
    for (size_t i = 0; i < 3; i++)
        roots[i] = make_cert(&plans[i]);
    struct tls_trust *trust = tls_trust_new(roots, 3, NULL, error, sizeof error);
    if (!trust)
        abort();
    for (size_t i = 0; i < 3; i++)
        free((void *)(uintptr_t)roots[i].data);
    return trust;
}

static void check(const struct tls_verdict *v)
{
    size_t length = strnlen(v->words, sizeof v->words);
    if (length == 0 || length == sizeof v->words || (unsigned)v->status >= TLS_STATUS_COUNT ||
        (v->revoked_leaf && v->status != TLS_REVOKED) || v->recheck_at <= NOW)
        abort();
    for (size_t i = 0; i < length; i++)
        if (v->words[i] < 0x20 || v->words[i] > 0x7e)
            abort();
}

/* As a path whose signatures are good. */
static void judge_path(const struct tls_der *chain, size_t count, enum tls_purpose purpose)
{
    static struct x509 certs[TLS_PATH_MAX];
    struct tls_path path = {.count = count};
    struct tls_trust_options options = {.crls = NULL};
    struct tls_path_rules rules = {.options = &options,
                                   .purpose = purpose,
                                   .now = NOW,
                                   .signatures = TLS_SIGNATURES_MAX,
                                   .comparisons = TLS_COMPARISONS_MAX};
    struct tls_verdict verdict;
    if (count == 0 || count > TLS_PATH_MAX)
        return;
    for (size_t i = 0; i < count; i++) {
        if (x509_parse(chain[i].data, chain[i].size, &certs[i]))
            return;
        path.cert[i] = &certs[i];
    }
    tls_path_judge(&path, &rules, &verdict);
    check(&verdict);
    for (size_t i = 1; i < count; i++)
        if (verdict.status == TLS_TRUSTED && !certs[i].is_ca)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tls_trust *trust;
    struct tls_der chain[TLS_CHAIN_MAX + 1];
    size_t count = 0;
    if (!trust)
        trust = make_trust();
    if (size == 0)
        return 0;
    enum tls_purpose purpose = data[0] & 1 ? TLS_PURPOSE_SERVER : TLS_PURPOSE_CLIENT;
    for (size_t at = 1; at + 2 <= size && count <= TLS_CHAIN_MAX; count++) {
        size_t n = (size_t)data[at] << 8 | data[at + 1];
        at += 2;
        n = n < size - at ? n : size - at;
        chain[count] = (struct tls_der){data + at, n};
        at += n;
    }
    struct tls_verdict verdict = tls_judge(trust, chain, count, purpose, NOW);
    check(&verdict);
    judge_path(chain, count, purpose);
    return 0;
}
