/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/tls/ctx_private.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <wolfssl/error-ssl.h>

#include "sidecar/tls/alert.h"

/* In the order of preference by default. Nothing but ECDHE and AEAD. */
static const struct tls_cipher ciphers[] = {
    {0x1301, TLS_VERSION_1_3, "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", "TLS13-AES128-GCM-SHA256"},
    {0x1302, TLS_VERSION_1_3, "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", "TLS13-AES256-GCM-SHA384"},
    {0x1303, TLS_VERSION_1_3, "TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256",
     "TLS13-CHACHA20-POLY1305-SHA256"},
    {0xc02b, TLS_VERSION_1_2, "ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
     "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {0xc02f, TLS_VERSION_1_2, "ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
     "ECDHE-RSA-AES128-GCM-SHA256"},
    {0xc02c, TLS_VERSION_1_2, "ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
     "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {0xc030, TLS_VERSION_1_2, "ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
     "ECDHE-RSA-AES256-GCM-SHA384"},
    {0xcca9, TLS_VERSION_1_2, "ECDHE-ECDSA-CHACHA20-POLY1305",
     "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {0xcca8, TLS_VERSION_1_2, "ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
     "ECDHE-RSA-CHACHA20-POLY1305"},
};

/*
 * The first three are the default, in this order of preference. A client that may speak TLS 1.2 has all of
 * them: there the list is also that of the curves a server's certificate may have (RFC 8422 section 5.1.1).
 */
static const struct group {
    const char *name;
    const char *alias; /* as OpenSSL's lists have it */
    const char *wolfssl;
    int id;
} groups[TLS_GROUP_COUNT] = {
    {"X25519MLKEM768", "X25519MLKEM768", "X25519MLKEM768", WOLFSSL_X25519MLKEM768},
    {"X25519", "X25519", "X25519", WOLFSSL_ECC_X25519},
    {"P-256", "secp256r1", "SECP256R1", WOLFSSL_ECC_SECP256R1},
    {"P-384", "secp384r1", "SECP384R1", WOLFSSL_ECC_SECP384R1},
};

enum {
    CIPHER_COUNT = sizeof ciphers / sizeof *ciphers,
    GROUP_DEFAULTS = 3,
    OWN_CHAIN_MAX = 9, /* more is not taken by wolfSSL as a peer */
    RSA_BITS_MIN = 2048,
    EC_BITS_MIN = 256,
};

static void say(char *error, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void say(char *error, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (size > 0)
        vsnprintf(error, size, format, args);
    va_end(args);
}

static const struct tls_cipher *cipher_by_name(const char *name)
{
    for (size_t i = 0; i < CIPHER_COUNT; i++)
        if (strcasecmp(name, ciphers[i].openssl) == 0 || strcasecmp(name, ciphers[i].iana) == 0 ||
            strcasecmp(name, ciphers[i].wolfssl) == 0)
            return &ciphers[i];
    return NULL;
}

static const struct group *group_by_name(const char *name)
{
    for (size_t i = 0; i < TLS_GROUP_COUNT; i++)
        if (strcasecmp(name, groups[i].name) == 0 || strcasecmp(name, groups[i].alias) == 0)
            return &groups[i];
    return NULL;
}

const struct tls_cipher *tls_cipher_by_id(unsigned id)
{
    for (size_t i = 0; i < CIPHER_COUNT; i++)
        if (ciphers[i].id == id)
            return &ciphers[i];
    return NULL;
}

const char *tls_ctx_group_name(const struct tls_ctx *ctx, const char *wolfssl_name)
{
    for (size_t i = 0; wolfssl_name && i < TLS_GROUP_COUNT; i++)
        for (int k = 0; k < ctx->group_count; k++)
            if (ctx->groups[k] == groups[i].id && strcasecmp(wolfssl_name, groups[i].wolfssl) == 0)
                return groups[i].name;
    return NULL;
}

bool tls_cipher_known(const char *name)
{
    return cipher_by_name(name) != NULL;
}

bool tls_group_known(const char *name)
{
    return group_by_name(name) != NULL;
}

bool tls_global_init(char *error, size_t error_size)
{
    int code = wolfSSL_Init();
    if (code == WOLFSSL_SUCCESS)
        return true;
    enum tls_alert alert;
    say(error, error_size, "wolfSSL does not start: %s", tls_wolfssl_error(code, &alert));
    return false;
}

void tls_global_cleanup(void)
{
    wolfSSL_Cleanup();
}

/* --- building ------------------------------------------------------------------------------------------ */

static void text_list_free(char **list, size_t count)
{
    for (size_t i = 0; list && i < count; i++)
        free(list[i]);
    free(list);
}

/* The suites as asked for: which versions they leave, and wolfSSL's list of them. NULL with ERROR if bad. */
static char *cipher_list(const struct tls_options *options, bool *has_1_2, bool *has_1_3, char *error,
                         size_t error_size)
{
    char list[CIPHER_COUNT * 48];
    size_t used = 0;
    bool taken[CIPHER_COUNT] = {false};
    *has_1_2 = *has_1_3 = false;
    for (size_t i = 0; options->ciphers ? options->ciphers[i] != NULL : i < CIPHER_COUNT; i++) {
        const struct tls_cipher *c = options->ciphers ? cipher_by_name(options->ciphers[i]) : &ciphers[i];
        if (!c) {
            say(error, error_size, "unknown cipher %s", options->ciphers[i]);
            return NULL;
        }
        if (taken[c - ciphers] || (c->version == TLS_VERSION_1_2 && options->min_version == TLS_VERSION_1_3))
            continue;
        taken[c - ciphers] = true;
        *(c->version == TLS_VERSION_1_3 ? has_1_3 : has_1_2) = true;
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ":" : "", c->wolfssl);
    }
    if (used == 0) {
        say(error, error_size, "no cipher is left: the list has none for the versions allowed");
        return NULL;
    }
    char *copy = strdup(list);
    if (!copy)
        say(error, error_size, "out of memory");
    return copy;
}

static bool set_groups(struct tls_ctx *ctx, const char *const *names, char *error, size_t error_size)
{
    int *ids = ctx->groups, count = 0;
    if (!names) {
        bool all = !ctx->server && ctx->min_version == TLS_VERSION_1_2;
        for (; count < (all ? TLS_GROUP_COUNT : GROUP_DEFAULTS); count++)
            ids[count] = groups[count].id;
    }
    for (size_t i = 0; names && names[i]; i++) {
        const struct group *g = group_by_name(names[i]);
        bool again = false;
        for (int k = 0; g && k < count; k++)
            again |= ids[k] == g->id;
        if (!g) {
            say(error, error_size, "unknown group %s", names[i]);
            return false;
        }
        if (!again)
            ids[count++] = g->id;
    }
    if (count == 0) {
        say(error, error_size, "the list of groups is empty");
        return false;
    }
    ctx->group_count = count;
    if (wolfSSL_CTX_set_groups(ctx->wolfssl, ids, count) != WOLFSSL_SUCCESS) {
        say(error, error_size, "a group is not supported by this build of wolfSSL");
        return false;
    }
    return true;
}

static bool set_credentials(WOLFSSL_CTX *wolfssl, const struct tls_credentials *own, char *error,
                            size_t error_size)
{
    size_t size = 0, at = 0;
    if (own->chain_count > OWN_CHAIN_MAX) {
        say(error, error_size, "more than %d certificates in the own chain", OWN_CHAIN_MAX);
        return false;
    }
    for (size_t i = 0; i < own->chain_count; i++)
        size += own->chain[i].size;
    uint8_t *all = malloc(size ? size : 1);
    if (!all) {
        say(error, error_size, "out of memory");
        return false;
    }
    for (size_t i = 0; i < own->chain_count; i++) {
        memcpy(all + at, own->chain[i].data, own->chain[i].size);
        at += own->chain[i].size;
    }
    int code =
        wolfSSL_CTX_use_certificate_chain_buffer_format(wolfssl, all, (long)size, WOLFSSL_FILETYPE_ASN1);
    free(all);
    if (code != WOLFSSL_SUCCESS) {
        say(error, error_size, "own certificate not usable: %s",
            wolfSSL_ERR_reason_error_string((unsigned long)code));
        return false;
    }
    code =
        wolfSSL_CTX_use_PrivateKey_buffer(wolfssl, own->key.data, (long)own->key.size, WOLFSSL_FILETYPE_ASN1);
    if (code != WOLFSSL_SUCCESS) {
        say(error, error_size, "private key not usable: %s",
            wolfSSL_ERR_reason_error_string((unsigned long)code));
        return false;
    }
    if (!own->matched && wolfSSL_CTX_check_private_key(wolfssl) != WOLFSSL_SUCCESS) {
        say(error, error_size, "private key does not match the certificate");
        return false;
    }
    return true;
}

static bool set_alpn(struct tls_ctx *ctx, const char *const *names, char *error, size_t error_size)
{
    size_t count = 0, size = 1, at = 0;
    for (; names && names[count]; count++) {
        size_t n = strlen(names[count]);
        if (n == 0 || n > 255 || strchr(names[count], ',')) {
            say(error, error_size, "bad ALPN name \"%s\"", names[count]);
            return false;
        }
        size += n + 1;
    }
    if (count == 0)
        return true;
    ctx->alpn = calloc(1, size);
    ctx->alpn_list = calloc(count + 1, sizeof *ctx->alpn_list);
    for (size_t i = 0; ctx->alpn && ctx->alpn_list && i < count; i++) {
        at += (size_t)snprintf(ctx->alpn + at, size - at, "%s%s", i ? "," : "", names[i]);
        ctx->alpn_list[i] = strdup(names[i]);
        if (!ctx->alpn_list[i])
            break;
    }
    if (ctx->alpn && ctx->alpn_list && ctx->alpn_list[count - 1])
        return true;
    say(error, error_size, "out of memory");
    return false;
}

static bool set_names(struct tls_ctx *ctx, const struct tls_options *options, char *error, size_t error_size)
{
    const char *const *names = options->allow_san;
    size_t count = names ? options->allow_san_count : 0;
    if (!ctx->server && options->server_name) {
        uint8_t ip[16];
        const char *name = options->server_name;
        struct tls_san_pattern pattern;
        const char *wrong = tls_san_compile(name, &pattern);
        if (!wrong && pattern.kind != TLS_SAN_PATTERN_DNS && pattern.kind != TLS_SAN_PATTERN_IP)
            wrong = "neither a host name nor an IP address";
        if (wrong) {
            say(error, error_size, "server_name %s: %s", name, wrong);
            return false;
        }
        /* RFC 6066 section 3: literal addresses are not permitted in SNI. */
        if (inet_pton(AF_INET, name, ip) != 1 && inet_pton(AF_INET6, name, ip) != 1) {
            ctx->sni = strdup(name);
            if (!ctx->sni || wolfSSL_CTX_UseSNI(ctx->wolfssl, WOLFSSL_SNI_HOST_NAME, name,
                                                (unsigned short)strlen(name)) != WOLFSSL_SUCCESS) {
                say(error, error_size, "out of memory");
                return false;
            }
        }
        if (count == 0) {
            names = &options->server_name;
            count = 1;
        }
    }
    if (!ctx->server && count == 0) {
        say(error, error_size, "neither server_name nor allow_san says whom to expect");
        return false;
    }
    ctx->allow = calloc(count ? count : 1, sizeof *ctx->allow);
    ctx->allow_text = calloc(count ? count : 1, sizeof *ctx->allow_text);
    for (; ctx->allow && ctx->allow_text && ctx->allow_count < count; ctx->allow_count++) {
        size_t i = ctx->allow_count;
        ctx->allow_text[i] = strdup(names[i]);
        if (!ctx->allow_text[i])
            break;
        const char *wrong = tls_san_compile(ctx->allow_text[i], &ctx->allow[i]);
        if (wrong) {
            say(error, error_size, "allow_san %s: %s", names[i], wrong);
            ctx->allow_count++;
            return false;
        }
    }
    if (ctx->allow && ctx->allow_text && ctx->allow_count == count)
        return true;
    say(error, error_size, "out of memory");
    return false;
}

static WOLFSSL_METHOD *method(bool server, bool has_1_3)
{
    if (!has_1_3)
        return server ? wolfTLSv1_2_server_method() : wolfTLSv1_2_client_method();
    /* The methods of 1.3 alone would find no common suite where it is the version that is not common. */
    return server ? wolfSSLv23_server_method() : wolfSSLv23_client_method();
}

static bool set_resumption(struct tls_ctx *ctx, const struct tls_options *options, bool has_1_3)
{
    WOLFSSL_CTX *w = ctx->wolfssl;
    wolfSSL_CTX_set_session_cache_mode(w, WOLFSSL_SESS_CACHE_OFF);
    /* RFC 8446 section 4.2.9: never without a new key exchange. */
    if (has_1_3 && wolfSSL_CTX_only_dhe_psk(w) != 0)
        return false;
    if (!options->resumption)
        return wolfSSL_CTX_NoTicketTLSv12(w) == WOLFSSL_SUCCESS &&
               (!ctx->server || !has_1_3 || wolfSSL_CTX_no_ticket_TLSv13(w) == 0) &&
               wolfSSL_CTX_set_TicketEncCb(w, NULL) == WOLFSSL_SUCCESS;
    ctx->resumption = true;
    /* A server needs that for a new ticket in place of one that was refused. */
    if (wolfSSL_CTX_UseSessionTicket(w) != WOLFSSL_SUCCESS)
        return false;
    return !ctx->server || (tls_ticket_keys_init(&ctx->ticket_keys, options->ticket_secret,
                                                 tls_trust_generation(ctx->trust), options->ticket_scope) &&
                            wolfSSL_CTX_set_timeout(w, TLS_TICKET_LIFETIME) == WOLFSSL_SUCCESS &&
                            wolfSSL_CTX_set_TicketEncCb(w, tls_stream_ticket_callback) == WOLFSSL_SUCCESS);
}

/* What is the same for every context: trust left to the judge, and nothing weak. */
static bool set_policy(struct tls_ctx *ctx)
{
    WOLFSSL_CTX *w = ctx->wolfssl;
    int mode = WOLFSSL_VERIFY_PEER;
    if (ctx->server && ctx->client_auth == TLS_CLIENT_AUTH_REQUIRE)
        mode |= WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    if (ctx->server && ctx->client_auth == TLS_CLIENT_AUTH_NONE) {
        wolfSSL_CTX_set_verify(w, WOLFSSL_VERIFY_NONE, tls_stream_verify_callback);
    } else {
        wolfSSL_CTX_set_verify(w, mode, tls_stream_verify_callback);
        tls_wolfssl_leave_trust_to_us(w);
    }
    wolfSSL_CTX_SetIOSend(w, tls_stream_send_callback);
    wolfSSL_CTX_SetIORecv(w, tls_stream_receive_callback);
    if (ctx->server)
        wolfSSL_CTX_set_servername_callback(w, tls_stream_hello_callback);
    return wolfSSL_CTX_SetMinRsaKey_Sz(w, RSA_BITS_MIN) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_SetMinEccKey_Sz(w, EC_BITS_MIN) == WOLFSSL_SUCCESS;
}

static struct tls_ctx *new (bool server, const struct tls_credentials *own, struct tls_trust *trust,
                            struct tls_peers *peers, const struct tls_options *options, char *error,
                            size_t error_size)
{
    say(error, error_size, "out of memory");
    bool has_1_2, has_1_3;
    char *list = NULL;
    struct tls_ctx *ctx = calloc(1, sizeof *ctx);
    if (!ctx)
        return NULL;
    ctx->refs = 1;
    ctx->server = server;
    ctx->revoked_allowed = server && options->revoked_allowed;
    ctx->alpn_strict = options->alpn_strict;
    ctx->client_auth = server ? options->client_auth : TLS_CLIENT_AUTH_REQUIRE;
    ctx->trust = tls_trust_ref(trust);
    ctx->peers = peers;
    if (server && (!own || own->chain_count == 0)) {
        say(error, error_size, "a server needs a certificate");
        goto fail;
    }
    list = cipher_list(options, &has_1_2, &has_1_3, error, error_size);
    if (!list)
        goto fail;
    ctx->wolfssl = wolfSSL_CTX_new(method(server, has_1_3));
    if (!ctx->wolfssl || !set_policy(ctx) || !set_resumption(ctx, options, has_1_3))
        goto fail;
    if (wolfSSL_CTX_SetMinVersion(ctx->wolfssl, has_1_2 ? WOLFSSL_TLSV1_2 : WOLFSSL_TLSV1_3) !=
        WOLFSSL_SUCCESS)
        goto fail;
    ctx->min_version = has_1_2 ? TLS_VERSION_1_2 : TLS_VERSION_1_3;
    ctx->max_version = has_1_3 ? TLS_VERSION_1_3 : TLS_VERSION_1_2;
    if (wolfSSL_CTX_set_cipher_list(ctx->wolfssl, list) != WOLFSSL_SUCCESS) {
        say(error, error_size, "a cipher is not supported by this build of wolfSSL");
        goto fail;
    }
    if (!set_groups(ctx, options->groups, error, error_size) ||
        !set_alpn(ctx, options->alpn, error, error_size) || !set_names(ctx, options, error, error_size) ||
        (own && own->chain_count > 0 && !set_credentials(ctx->wolfssl, own, error, error_size)))
        goto fail;
    free(list);
    return ctx;
fail:
    free(list);
    tls_ctx_unref(ctx);
    return NULL;
}

struct tls_ctx *tls_ctx_new_server(const struct tls_credentials *own, struct tls_trust *trust,
                                   struct tls_peers *peers, const struct tls_options *options, char *error,
                                   size_t error_size)
{
    return new (true, own, trust, peers, options, error, error_size);
}

struct tls_ctx *tls_ctx_new_client(const struct tls_credentials *own, struct tls_trust *trust,
                                   struct tls_peers *peers, const struct tls_options *options, char *error,
                                   size_t error_size)
{
    return new (false, own, trust, peers, options, error, error_size);
}

struct tls_ctx *tls_ctx_ref(struct tls_ctx *ctx)
{
    ctx->refs++;
    return ctx;
}

void tls_ctx_unref(struct tls_ctx *ctx)
{
    if (!ctx || --ctx->refs > 0)
        return;
    tls_ctx_forget_sessions(ctx);
    if (ctx->wolfssl)
        wolfSSL_CTX_free(ctx->wolfssl);
    explicit_bzero(&ctx->ticket_keys, sizeof ctx->ticket_keys);
    size_t alpn = 0;
    while (ctx->alpn_list && ctx->alpn_list[alpn])
        alpn++;
    text_list_free(ctx->alpn_list, alpn);
    free(ctx->alpn);
    text_list_free(ctx->allow_text, ctx->allow_count);
    free(ctx->allow);
    free(ctx->sni);
    tls_trust_unref(ctx->trust);
    free(ctx);
}

struct tls_trust *tls_ctx_trust(const struct tls_ctx *ctx)
{
    return ctx->trust;
}

enum tls_purpose tls_ctx_purpose(const struct tls_ctx *ctx)
{
    return ctx->server ? TLS_PURPOSE_CLIENT : TLS_PURPOSE_SERVER;
}

/* --- who is let in ------------------------------------------------------------------------------------- */

/* "peer's certificate lacks the name demanded: wanted a or b, has DNS:c" */
static void name_words(const struct tls_ctx *ctx, const struct tls_peer *peer, char *words, size_t size)
{
    char wanted[256] = "", has[256];
    size_t used = 0;
    for (size_t i = 0; i < ctx->allow_count && used < sizeof wanted; i++) {
        int n = snprintf(wanted + used, sizeof wanted - used, "%s%s", i ? " or " : "", ctx->allow_text[i]);
        used += n > 0 ? (size_t)n : 0;
    }
    if (used >= sizeof wanted)
        memcpy(wanted + sizeof wanted - 4, "...", 4);
    tls_san_describe(peer, has, sizeof has);
    say(words, size, "peer's certificate lacks the name demanded: wanted %s, has %s", wanted,
        *has ? has : "none");
}

bool tls_ctx_admits(const struct tls_ctx *ctx, struct tls_peer *peer, int64_t now, char *words,
                    size_t words_size)
{
    say(words, words_size, "%s", "");
    if (ctx->server && ctx->client_auth == TLS_CLIENT_AUTH_NONE)
        return true;
    /* A name can only be demanded of somebody who is known: then request demands a certificate, too. */
    bool optional = ctx->server && ctx->client_auth == TLS_CLIENT_AUTH_REQUEST && ctx->allow_count == 0;
    if (!peer) {
        say(words, words_size, "%s", optional ? "" : "no certificate presented");
        return optional;
    }
    const struct tls_verdict *v = tls_peer_verdict(peer, ctx->trust, tls_ctx_purpose(ctx), now);
    bool revoked = v->status == TLS_REVOKED && v->revoked_leaf;
    if (v->status != TLS_TRUSTED && !(revoked ? ctx->revoked_allowed : optional)) {
        say(words, words_size, "%s", v->words);
        return false;
    }
    if (ctx->allow_count > 0 && !tls_san_match_peer(ctx->allow, ctx->allow_count, peer)) {
        name_words(ctx, peer, words, words_size);
        return false;
    }
    return true;
}
