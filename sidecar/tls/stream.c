/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/tls/stream_private.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <wolfssl/error-ssl.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include "sidecar/tls/alert.h"
#include "sidecar/tls/record.h"

static const struct tls_verdict none_presented = {.status = TLS_NONE_PRESENTED,
                                                  .words = "no certificate presented"};
static const struct tls_verdict too_long = {.status = TLS_TOO_LONG,
                                            .words = "too many certificates presented, or too long ones"};
static const struct tls_verdict malformed = {.status = TLS_MALFORMED,
                                             .words = "the certificate presented is malformed"};
static const struct tls_verdict out_of_memory = {.status = TLS_OUT_OF_MEMORY, .words = "out of memory"};

/* --- failing ------------------------------------------------------------------------------------------- */

/* The first cause stays. */
static void note_error(struct tls_stream *s, const char *words)
{
    if (!s->error && words)
        s->error = strdup(words);
    s->state = FAILED;
}

static enum tls_result refuse(struct tls_stream *s, enum tls_alert alert, const char *words)
{
    note_error(s, words);
    if (!s->muted && s->alert_received == TLS_ALERT_NONE) {
        size_t before = s->io->out_size;
        tls_wolfssl_send_alert(s->wolfssl, true, alert);
        if (s->io->out_size > before)
            s->alert_sent = (int16_t)alert;
        s->muted = true;
    }
    return TLS_FAILED;
}

static void note_alerts(struct tls_stream *s)
{
    WOLFSSL_ALERT_HISTORY history;
    if (wolfSSL_get_alert_history(s->wolfssl, &history) != WOLFSSL_SUCCESS)
        return;
    if (s->alert_sent == TLS_ALERT_NONE && history.last_tx.level == alert_fatal)
        s->alert_sent = (int16_t)history.last_tx.code;
    /* RFC 8446 section 6: all but these two are fatal in TLS 1.3, whatever level they claim. */
    bool fatal = history.last_rx.level == alert_fatal ||
                 (wolfSSL_version(s->wolfssl) == TLS1_3_VERSION && history.last_rx.level >= 0 &&
                  history.last_rx.code != close_notify && history.last_rx.code != TLS_ALERT_USER_CANCELED);
    if (s->alert_received == TLS_ALERT_NONE && fatal && history.last_rx.code != close_notify)
        s->alert_received = (int16_t)history.last_rx.code;
}

/* wolfSSL failed with CODE. */
static enum tls_result fail(struct tls_stream *s, int code)
{
    if (s->state == FAILED)
        return TLS_FAILED;
    note_alerts(s);
    char words[128];
    if (s->alert_received != TLS_ALERT_NONE) {
        snprintf(words, sizeof words, "peer sent alert %s", tls_alert_name(s->alert_received));
        note_error(s, words);
        return TLS_FAILED;
    }
    enum tls_alert alert = TLS_ALERT_INTERNAL_ERROR;
    const char *text = tls_wolfssl_error(code, &alert);
    if (code == UNKNOWN_RECORD_TYPE && s->state == OPEN)
        text = "unknown type of TLS record";
    /* The first bytes of a plaintext greeting have that length where a record would have its own. */
    if (code == LENGTH_ERROR && s->state == HANDSHAKE &&
        !tls_cipher_by_id((unsigned)wolfSSL_get_current_cipher_suite(s->wolfssl)))
        text = "not TLS";
    if (code == MAX_CHAIN_ERROR) {
        s->presented = true;
        s->status = TLS_TOO_LONG;
    }
    if (s->alert_sent != TLS_ALERT_NONE) {
        s->muted = true;
        alert = s->alert_sent;
    }
    return refuse(s, alert, text);
}

void tls_stream_alert(struct tls_stream *s, enum tls_alert alert, const char *words)
{
    if (words) {
        free(s->error);
        s->error = NULL;
    }
    refuse(s, alert, words);
}

/* --- wolfSSL's callbacks ------------------------------------------------------------------------------- */

int tls_stream_send_callback(WOLFSSL *ssl, char *data, int size, void *arg)
{
    struct tls_stream *s = arg;
    struct tls_io *io = s->io;
    if (s->muted)
        return size;
    /* wolfSSL would swallow that, and heap up answers to key updates without a bound. */
    s->overflow |= io->out_cap - io->out_size < (size_t)size;
    if (s->overflow)
        return WOLFSSL_CBIO_ERR_WANT_WRITE;
    memcpy(io->out + io->out_size, data, (size_t)size);
    io->out_size += (size_t)size;
    /* wolfSSL likes to send a second, vaguer alert: nothing follows a fatal one. */
    if (s->state == HANDSHAKE) {
        WOLFSSL_ALERT_HISTORY history;
        s->muted = wolfSSL_get_alert_history(ssl, &history) == WOLFSSL_SUCCESS &&
                   history.last_tx.level == alert_fatal;
    }
    return size;
}

int tls_stream_receive_callback(WOLFSSL *ssl, char *data, int size, void *arg)
{
    (void)ssl;
    struct tls_io *io = ((struct tls_stream *)arg)->io;
    if (io->in_size == 0)
        return WOLFSSL_CBIO_ERR_WANT_READ;
    size_t n = io->in_size < (size_t)size ? io->in_size : (size_t)size;
    memcpy(data, io->in, n);
    io->in += n;
    io->in_size -= n;
    return (int)n;
}

/* RFC 6066 section 3: a host name is compared without regard to case and is sent without a final dot. */
static bool same_name(const char *a, const char *b)
{
    if (!a || !b)
        return a == b;
    size_t n = strlen(a), m = strlen(b);
    n -= n > 0 && a[n - 1] == '.';
    m -= m > 0 && b[m - 1] == '.';
    return n == m && strncasecmp(a, b, n) == 0;
}

static const char *negotiated_sni(WOLFSSL *ssl)
{
    void *name = NULL;
    unsigned short size = wolfSSL_SNI_GetRequest(ssl, WOLFSSL_SNI_HOST_NAME, &name);
    return size > 0 ? name : NULL;
}

/* NAMES with commas between them. wolfSSL only reads them, whatever the type says. */
static bool use_alpn(WOLFSSL *ssl, const char *names)
{
    return wolfSSL_UseALPN(ssl, (char *)(uintptr_t)names, (unsigned)strlen(names),
                           WOLFSSL_ALPN_FAILED_ON_MISMATCH) == WOLFSSL_SUCCESS;
}

/*
 * wolfSSL goes by the client's order of ALPN names; ours is to count (RFC 7301 section 3.2): it is given the
 * one name that we choose. Returns whether the handshake may go on.
 */
static bool choose_alpn(struct tls_stream *s, WOLFSSL *ssl)
{
    size_t size;
    const uint8_t *offered = tls_wolfssl_alpn_offered(ssl, &size);
    if (!s->ctx->alpn_list || !offered)
        return true;
    s->alpn = NULL;
    for (char **p = s->ctx->alpn_list; *p && !s->alpn; p++)
        for (size_t at = 0; at < size; at += 1u + offered[at])
            if (offered[at] == strlen(*p) && offered[at] < size - at &&
                memcmp(offered + at + 1, *p, offered[at]) == 0)
                s->alpn = *p;
    if (!s->alpn)
        return !s->ctx->alpn_strict;
    return use_alpn(ssl, s->alpn);
}

/* At each ClientHello, its extensions being read. */
int tls_stream_hello_callback(WOLFSSL *ssl, int *alert, void *arg)
{
    (void)arg;
    struct tls_stream *s = wolfSSL_GetIOReadCtx(ssl);
    const char *wrong = NULL;
    s->hellos++;
    if (!same_name(negotiated_sni(ssl), s->sni)) {
        /* The context was chosen by the name peeked, so no other may be negotiated. */
        *alert = TLS_ALERT_ILLEGAL_PARAMETER;
        wrong = "server name differs from the one the context was chosen by";
    } else if (tls_wolfssl_no_common_group(ssl)) {
        *alert = TLS_ALERT_HANDSHAKE_FAILURE;
        wrong = "no common group";
    } else if (!choose_alpn(s, ssl)) {
        *alert = TLS_ALERT_NO_APPLICATION_PROTOCOL;
        wrong = "no common application protocol";
    }
    if (!wrong)
        return noack_return;
    free(s->error);
    s->error = strdup(wrong);
    return fatal_return;
}

/* Why somebody is refused who is not admitted. */
static enum tls_alert refusal(const struct tls_stream *s, bool revoked_leaf)
{
    bool trusted =
        s->status == TLS_TRUSTED || (s->status == TLS_REVOKED && revoked_leaf && s->ctx->revoked_allowed);
    return trusted ? TLS_ALERT_ACCESS_DENIED : tls_status_alert((enum tls_status)s->status);
}

/* The whole chain, at the end of wolfSSL's Certificate processing and before CertificateVerify. */
static bool judge(struct tls_stream *s, const WOLFSSL_X509_STORE_CTX *store)
{
    struct tls_der chain[TLS_CHAIN_MAX];
    char words[512];
    const char *wrong = NULL;
    s->presented = true;
    s->judged_at = time(NULL);
    if (store->totalCerts > TLS_CHAIN_MAX) {
        s->status = TLS_TOO_LONG;
        refuse(s, TLS_ALERT_BAD_CERTIFICATE, "too many certificates presented");
        return false;
    }
    for (int i = 0; i < store->totalCerts; i++)
        chain[i] = (struct tls_der){.data = store->certs[i].buffer, .size = store->certs[i].length};
    enum tls_status status = TLS_MALFORMED;
    s->peer = tls_peers_intern(s->ctx->peers, chain, (size_t)store->totalCerts, &status, &wrong);
    if (!s->peer) {
        s->status = (uint8_t)status;
        snprintf(words, sizeof words, "%s%s",
                 status == TLS_MALFORMED ? "the certificate presented is malformed: " : "", wrong);
        refuse(s, tls_status_alert(status), words);
        return false;
    }
    const struct tls_verdict *v =
        tls_peer_verdict(s->peer, s->ctx->trust, tls_ctx_purpose(s->ctx), s->judged_at);
    s->status = (uint8_t)v->status;
    s->verified = v->status == TLS_TRUSTED;
    s->until = s->judged_at + TLS_TICKET_LIFETIME;
    enum tls_alert alert = refusal(s, v->revoked_leaf);
    if (!tls_ctx_admits(s->ctx, s->peer, s->judged_at, words, sizeof words)) {
        refuse(s, alert, words);
        return false;
    }
    if (!tls_wolfssl_can_go_on(s->wolfssl, store->error)) {
        refuse(s, TLS_ALERT_UNSUPPORTED_CERTIFICATE, tls_wolfssl_error(store->error, &alert));
        return false;
    }
    return true;
}

/*
 * Called once for each leaf (and never for others: tls_wolfssl_leave_trust_to_us()). Returns 0 to end the
 * handshake. A "no" is never taken back, and nothing above the leaf is ever overridden.
 */
int tls_stream_verify_callback(int preverify, WOLFSSL_X509_STORE_CTX *store)
{
    (void)preverify;
    struct tls_stream *s = store->userCtx;
    if (!s || s->state != HANDSHAKE)
        return 0;
    if (store->error_depth != 0 || s->presented) {
        refuse(s, TLS_ALERT_UNEXPECTED_MESSAGE, "a certificate was presented where none is expected");
        return 0;
    }
    /* An empty Certificate message (RFC 8446 section 4.4.2): finish() decides on that. */
    bool go_on = store->totalCerts < 1 || judge(s, store);
    if (s->ctx->server && !s->verified)
        wolfSSL_no_ticket_TLSv13(s->wolfssl);
    return go_on;
}

/* --- life ---------------------------------------------------------------------------------------------- */

struct tls_stream *tls_stream_new(struct tls_ctx *ctx, struct tls_io *io, const char *peeked_sni)
{
    struct tls_stream *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->ctx = tls_ctx_ref(ctx);
    s->io = io;
    s->alert_sent = s->alert_received = TLS_ALERT_NONE;
    if (ctx->server && peeked_sni) {
        s->sni = strdup(peeked_sni);
        if (!s->sni)
            goto fail;
    }
    s->wolfssl = wolfSSL_new(ctx->wolfssl);
    if (!s->wolfssl)
        goto fail;
    wolfSSL_SetIOReadCtx(s->wolfssl, s);
    wolfSSL_SetIOWriteCtx(s->wolfssl, s);
    wolfSSL_SetCertCbCtx(s->wolfssl, s);
    if (!ctx->server && ctx->alpn && !use_alpn(s->wolfssl, ctx->alpn))
        goto fail;
    /* Under TLS 1.2 a server of wolfSSL minds only the groups of the connection, not those of the context. */
    if (ctx->server && ctx->min_version == TLS_VERSION_1_2 &&
        wolfSSL_set_groups(s->wolfssl, ctx->groups, ctx->group_count) != WOLFSSL_SUCCESS)
        goto fail;
    if (!ctx->server) {
        wolfSSL_set_SessionTicket_cb(s->wolfssl, tls_stream_ticket_came, s);
        tls_stream_offer_session(s);
    }
    return s;
fail:
    tls_stream_free(s);
    return NULL;
}

bool tls_stream_offer_alpn(struct tls_stream *s, const char *protocol)
{
    assert(!s->ctx->server && !s->ctx->alpn);
    s->offered = protocol;
    return use_alpn(s->wolfssl, protocol);
}

void tls_stream_free(struct tls_stream *s)
{
    if (!s)
        return;
    s->muted = true;
    if (s->wolfssl)
        wolfSSL_free(s->wolfssl);
    tls_stream_forget_resumption(s);
    tls_peer_unref(s->peer);
    tls_ctx_unref(s->ctx);
    free(s->sni);
    free(s->error);
    free(s);
}

/* --- handshake ----------------------------------------------------------------------------------------- */

static bool note_facts(struct tls_stream *s)
{
    s->cipher = tls_cipher_by_id((unsigned)wolfSSL_get_current_cipher_suite(s->wolfssl));
    s->group = tls_ctx_group_name(s->ctx, wolfSSL_get_curve_name(s->wolfssl));
    char *name = NULL;
    unsigned short size = 0;
    if (!s->ctx->server && (s->ctx->alpn || s->offered) &&
        wolfSSL_ALPN_GetProtocol(s->wolfssl, &name, &size) == WOLFSSL_SUCCESS) {
        if (s->offered && strlen(s->offered) == size && memcmp(s->offered, name, size) == 0)
            s->alpn = s->offered;
        for (char **p = s->ctx->alpn_list; p && *p; p++)
            if (strlen(*p) == size && memcmp(*p, name, size) == 0)
                s->alpn = *p;
    }
    /* In TLS 1.2 a resumed session is not based on a new key exchange. */
    return s->cipher && (s->group || (s->resumed && wolfSSL_version(s->wolfssl) != TLS1_3_VERSION));
}

/* wolfSSL is content. Nothing of that is believed: what counts is what was seen in this very handshake. */
static enum tls_result finish(struct tls_stream *s)
{
    bool asked = !s->ctx->server || s->ctx->client_auth != TLS_CLIENT_AUTH_NONE;
    bool old = wolfSSL_version(s->wolfssl) != TLS1_3_VERSION;
    char words[512];
    if (wolfSSL_session_reused(s->wolfssl) && !tls_stream_take_resumed(s))
        return refuse(s, TLS_ALERT_HANDSHAKE_FAILURE, "a session was resumed past the judge");
    if (old && (s->ctx->min_version == TLS_VERSION_1_3 || wolfSSL_version(s->wolfssl) != TLS1_2_VERSION))
        return refuse(s, TLS_ALERT_PROTOCOL_VERSION, "no common protocol version");
    if (s->ctx->server && !same_name(negotiated_sni(s->wolfssl), s->sni))
        return refuse(s, TLS_ALERT_ILLEGAL_PARAMETER,
                      "server name differs from the one the context was chosen by");
    if (s->presented != tls_wolfssl_peer_presented(s->wolfssl) || (s->presented && !asked))
        return refuse(s, TLS_ALERT_HANDSHAKE_FAILURE, "a certificate was presented past the judge");
    if (s->presented && !tls_wolfssl_peer_proved(s->wolfssl))
        return refuse(s, TLS_ALERT_HANDSHAKE_FAILURE, "peer did not prove that it has the certificate's key");
    if (!tls_ctx_admits(s->ctx, s->peer, time(NULL), words, sizeof words)) {
        enum tls_alert none = old ? TLS_ALERT_HANDSHAKE_FAILURE : TLS_ALERT_CERTIFICATE_REQUIRED;
        return refuse(s, s->peer ? refusal(s, true) : none, words);
    }
    if (!note_facts(s))
        return refuse(s, TLS_ALERT_HANDSHAKE_FAILURE,
                      "peer chose a cipher suite or group that was not offered");
    tls_wolfssl_shrink(s->wolfssl);
    s->state = OPEN;
    s->opened = true;
    if (s->ticket_came)
        tls_stream_keep_session(s);
    tls_stream_forget_resumption(s);
    return TLS_OK;
}

enum tls_result tls_stream_handshake(struct tls_stream *s)
{
    if (s->state == FAILED)
        return TLS_FAILED;
    if (s->state == OPEN)
        return TLS_OK;
    if (s->ctx->server && s->resumption)
        tls_wolfssl_restart_ticket_nonces(s->wolfssl);
    int done = s->ctx->server ? wolfSSL_accept(s->wolfssl) : wolfSSL_connect(s->wolfssl);
    if (s->state == FAILED)
        return TLS_FAILED;
    if (done == WOLFSSL_SUCCESS)
        return finish(s);
    int code = wolfSSL_get_error(s->wolfssl, done);
    if (code == WOLFSSL_ERROR_WANT_READ)
        return TLS_WANT;
    return fail(s, code);
}

/* --- data ---------------------------------------------------------------------------------------------- */

enum tls_result tls_stream_read(struct tls_stream *s, uint8_t *data, size_t cap, size_t *size)
{
    *size = 0;
    if (s->state != OPEN)
        return TLS_FAILED;
    if (s->closed_by_peer)
        return TLS_CLOSED;
    *size = tls_record_read(s->wolfssl, s->io, data, cap);
    if (*size > 0)
        return TLS_OK;
    if (s->io->in_size == 0 && tls_wolfssl_between_records(s->wolfssl))
        return TLS_WANT;
    int n = wolfSSL_read(s->wolfssl, data, cap > INT32_MAX ? INT32_MAX : (int)cap);
    if (s->ticket_came)
        tls_stream_keep_session(s);
    if (s->overflow)
        return fail(s, WOLFSSL_ERROR_WANT_WRITE);
    if (n > 0) {
        *size = (size_t)n;
        return TLS_OK;
    }
    int code = wolfSSL_get_error(s->wolfssl, n);
    if (code == WOLFSSL_ERROR_WANT_READ)
        return TLS_WANT;
    if (code == WOLFSSL_ERROR_ZERO_RETURN) {
        s->closed_by_peer = true;
        return TLS_CLOSED;
    }
    return fail(s, code);
}

bool tls_stream_pending(const struct tls_stream *s)
{
    return s->state == OPEN && wolfSSL_pending(s->wolfssl) > 0;
}

bool tls_stream_rests(const struct tls_stream *s)
{
    return s->state == OPEN && !s->closed_by_us && !s->closed_by_peer && !tls_stream_pending(s) &&
           tls_wolfssl_between_records(s->wolfssl);
}

size_t tls_stream_out_bound(size_t size)
{
    /* One record more: an answer to a key update, or the sequence number's limit, may go first. */
    return size + (size / TLS_RECORD_PLAIN_MAX + 2) * TLS_RECORD_OVERHEAD_MAX;
}

enum tls_result tls_stream_write(struct tls_stream *s, const uint8_t *data, size_t size)
{
    /* Under TLS 1.3 wolfSSL would let a server write before the client has proved who it is. */
    if (s->state != OPEN || s->closed_by_us)
        return TLS_FAILED;
    assert(s->io->out_cap - s->io->out_size >= tls_stream_out_bound(size) && size <= INT32_MAX);
    if (size == 0)
        return TLS_OK;
    size_t done = tls_record_write(s->wolfssl, s->io, data, size);
    if (done == size)
        return TLS_OK;
    int n = wolfSSL_write(s->wolfssl, data + done, (int)(size - done));
    if (n == (int)(size - done))
        return TLS_OK;
    return fail(s, wolfSSL_get_error(s->wolfssl, n));
}

enum tls_result tls_stream_close_notify(struct tls_stream *s)
{
    if (s->state != OPEN)
        return TLS_FAILED;
    if (!s->closed_by_us)
        tls_wolfssl_send_alert(s->wolfssl, false, (enum tls_alert)close_notify);
    s->closed_by_us = true;
    return TLS_OK;
}

/* --- facts --------------------------------------------------------------------------------------------- */

const char *tls_stream_error_text(const struct tls_stream *s)
{
    if (s->error)
        return s->error;
    return s->state == FAILED ? "out of memory" : "";
}

enum tls_alert tls_stream_alert_sent(const struct tls_stream *s)
{
    return s->alert_sent;
}

enum tls_alert tls_stream_alert_received(const struct tls_stream *s)
{
    return s->alert_received;
}

struct tls_stream_info tls_stream_info(const struct tls_stream *s)
{
    struct tls_stream_info info = {.sni = s->ctx->server ? s->sni : s->ctx->sni};
    const struct tls_cipher *cipher = s->cipher;
    info.asked = tls_wolfssl_asked(s->wolfssl);
    info.showed = tls_wolfssl_showed(s->wolfssl);
    info.ticket = s->ticket;
    if (!cipher && s->state == FAILED)
        cipher = tls_cipher_by_id((unsigned)wolfSSL_get_current_cipher_suite(s->wolfssl));
    if (!cipher)
        return info;
    info.version = wolfSSL_version(s->wolfssl) == TLS1_3_VERSION ? "TLSv1.3" : "TLSv1.2";
    info.cipher = cipher->openssl;
    info.cipher_iana = cipher->iana;
    info.group = s->group ? s->group : tls_ctx_group_name(s->ctx, wolfSSL_get_curve_name(s->wolfssl));
    info.alpn = s->alpn;
    info.resumed = s->resumed;
    info.verified = s->verified && s->opened;
    return info;
}

struct tls_peer *tls_stream_peer(const struct tls_stream *s)
{
    return s->peer;
}

const struct tls_verdict *tls_stream_verdict(const struct tls_stream *s)
{
    if (s->peer) {
        /* Others may have had the peer judged since; to judge anew as of then is for where that differs. */
        const struct tls_verdict *last =
            tls_peer_last_verdict(s->peer, s->ctx->trust, tls_ctx_purpose(s->ctx));
        if (last && last->status == (enum tls_status)s->status)
            return last;
        return tls_peer_verdict(s->peer, s->ctx->trust, tls_ctx_purpose(s->ctx), s->judged_at);
    }
    if (!s->presented)
        return &none_presented;
    switch (s->status) {
    case TLS_OUT_OF_MEMORY: return &out_of_memory;
    case TLS_TOO_LONG: return &too_long;
    default: return &malformed;
    }
}

struct tls_ctx *tls_stream_ctx(const struct tls_stream *s)
{
    return s->ctx;
}

bool tls_stream_admitted(const struct tls_stream *s, const struct tls_ctx *ctx, int64_t now, char *words,
                         size_t words_size)
{
    if (s->verified && s->peer) {
        const struct tls_verdict *v = tls_peer_verdict(s->peer, ctx->trust, tls_ctx_purpose(ctx), now);
        if (v->status != TLS_TRUSTED &&
            !(v->status == TLS_REVOKED && v->revoked_leaf && ctx->revoked_allowed)) {
            snprintf(words, words_size, "%s", v->words);
            return false;
        }
    }
    return s->state == OPEN && tls_ctx_admits(ctx, s->peer, now, words, words_size);
}
