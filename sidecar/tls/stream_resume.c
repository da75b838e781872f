/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Resumption. wolfSSL's verify callback never runs on it, so whom a session belongs to is decided here: by
 * what only we can have sealed into its ticket (server), or by what we kept beside the session (client). The
 * judge then judges that peer as of now, and a peer that is not trusted is none to resume with.
 */
#include "sidecar/tls/stream_private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sidecar/tls/alert.h"

enum {
    CHAIN_HASH = sizeof((struct tls_peer *)NULL)->chain_hash,
    FOREIGN_TICKET_MAX = 4096, /* bytes of a server's ticket that are worth keeping */
};

static bool asks_for_certificate(const struct tls_ctx *ctx)
{
    return !ctx->server || ctx->client_auth != TLS_CLIENT_AUTH_NONE;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Whether PEER (NULL: nobody, where nobody is asked) may go on from a session; *UNTIL: shortened to when. */
static bool may_resume(struct tls_ctx *ctx, struct tls_peer *peer, int64_t now, int64_t *until)
{
    char words[8];
    if ((peer != NULL) != asks_for_certificate(ctx) || !tls_ctx_admits(ctx, peer, now, words, sizeof words))
        return false;
    if (!peer)
        return true;
    const struct tls_verdict *v = tls_peer_verdict(peer, ctx->trust, tls_ctx_purpose(ctx), now);
    *until = sooner(*until, v->recheck_at);
    return v->status == TLS_TRUSTED && now < *until;
}

void tls_stream_forget_resumption(struct tls_stream *s)
{
    if (s->resumption)
        tls_peer_unref(s->resumption->peer);
    free(s->resumption);
    s->resumption = NULL;
}

/* Whether the ticket taken, or the session offered, is of this very handshake. */
static bool is_current(const struct tls_stream *s)
{
    /* After a HelloRetryRequest, a second ClientHello without the ticket must not live on the first one's. */
    return s->resumption && (!s->ctx->server || s->resumption->hello == s->hellos);
}

bool tls_stream_take_resumed(struct tls_stream *s)
{
    if (!s->ctx->resumption || !is_current(s) || s->presented || tls_wolfssl_peer_presented(s->wolfssl) ||
        !tls_wolfssl_extended_master_secret(s->wolfssl))
        return false;
    s->resumed = true;
    s->peer = s->resumption->peer;
    s->resumption->peer = NULL;
    s->until = s->resumption->until;
    s->judged_at = time(NULL);
    if (s->peer)
        s->status =
            (uint8_t)tls_peer_verdict(s->peer, s->ctx->trust, tls_ctx_purpose(s->ctx), s->judged_at)->status;
    s->verified = s->peer && s->status == TLS_TRUSTED;
    return true;
}

/* --- server --- */

/* Who goes on by the ticket that is about to be given, and until when; 0: nobody, the ticket is born dead. */
static int64_t ticket_for(const struct tls_stream *s, int64_t now, struct tls_peer **peer)
{
    int64_t until = now + TLS_TICKET_LIFETIME;
    *peer = NULL;
    if (!tls_wolfssl_extended_master_secret(s->wolfssl))
        return 0; /* RFC 7627 section 5.3: such a session could be somebody else's */
    if (wolfSSL_session_reused(s->wolfssl)) {
        /* Before finish(). Nobody goes on and on without proving again that he has the key. */
        if (!is_current(s) || s->presented)
            return 0;
        *peer = s->resumption->peer;
        until = s->resumption->until;
    } else if (asks_for_certificate(s->ctx)) {
        if (!tls_wolfssl_peer_proved(s->wolfssl))
            return 0;
        *peer = s->peer;
    }
    return may_resume(s->ctx, *peer, now, &until) ? until : 0;
}

static int give_ticket(struct tls_stream *s, struct tls_ticket *t, int *size)
{
    struct tls_peer *peer;
    int64_t now = time(NULL), until = ticket_for(s, now, &peer);
    if ((size_t)*size < t->size + CHAIN_HASH)
        return WOLFSSL_TICKET_RET_FATAL;
    memset(t->data + t->size, 0, CHAIN_HASH);
    if (until > 0 && peer)
        memcpy(t->data + t->size, peer->chain_hash, CHAIN_HASH);
    t->size += CHAIN_HASH;
    *size = (int)t->size;
    /* Read by wolfSSL right after this. */
    wolfSSL_CTX_set_TicketHint(s->ctx->wolfssl, until > now ? (int)(until - now) : 0);
    return tls_ticket_seal(&s->ctx->ticket_keys, t, until, s->sni) ? WOLFSSL_TICKET_RET_OK
                                                                   : WOLFSSL_TICKET_RET_FATAL;
}

/* Fills R from an opened ticket. */
static bool find_peer(struct tls_stream *s, const uint8_t hash[CHAIN_HASH], int64_t now,
                      struct tls_resumption *r)
{
    static const uint8_t nobody[CHAIN_HASH];
    if (memcmp(hash, nobody, CHAIN_HASH) != 0) {
        r->peer = tls_peers_find(s->ctx->peers, hash);
        if (!r->peer)
            return false; /* of another worker, or long gone */
    }
    return may_resume(s->ctx, r->peer, now, &r->until);
}

static bool take_ticket(struct tls_stream *s, const struct tls_ticket *t)
{
    struct tls_resumption r = {.hello = s->hellos};
    int64_t now = time(NULL);
    /* In TLS 1.2 it is an extension like others, before the hello callback; a PSK is looked at after that. */
    r.hello = (uint8_t)(r.hello + (wolfSSL_version(s->wolfssl) != TLS1_3_VERSION));
    memcpy(r.iv, t->iv, sizeof r.iv);
    /*
     * One ticket alone: wolfSSL opens all that a client offers before it chooses, and whoever had seen
     * somebody else's could offer it beside his own to be taken for the other.
     */
    if (s->state != HANDSHAKE || t->size < CHAIN_HASH ||
        (s->resumption && memcmp(s->resumption->iv, r.iv, sizeof r.iv) != 0))
        return false;
    tls_stream_forget_resumption(s);
    if (!tls_ticket_open(&s->ctx->ticket_keys, t, now, s->sni, &r.until))
        return false;
    bool ok = find_peer(s, t->data + t->size - CHAIN_HASH, now, &r);
    s->resumption = ok ? malloc(sizeof r) : NULL;
    if (s->resumption) {
        *s->resumption = r;
        return true;
    }
    tls_peer_unref(r.peer);
    explicit_bzero(t->data, t->size);
    return false;
}

int tls_stream_ticket_callback(WOLFSSL *ssl, unsigned char *name, unsigned char *iv, unsigned char *mac,
                               int seal, unsigned char *data, int data_size, int *size, void *arg)
{
    (void)arg;
    struct tls_stream *s = wolfSSL_GetIOReadCtx(ssl);
    struct tls_ticket t = {.name = name, .iv = iv, .mac = mac, .data = data, .size = (size_t)data_size};
    if (seal)
        return give_ticket(s, &t, size);
    if (!take_ticket(s, &t))
        return WOLFSSL_TICKET_RET_REJECT; /* then a full handshake */
    *size = data_size - CHAIN_HASH;
    /* TLS 1.3 gives a new ticket by itself. */
    return wolfSSL_version(ssl) == TLS1_3_VERSION ? WOLFSSL_TICKET_RET_OK : WOLFSSL_TICKET_RET_CREATE;
}

/* --- client --- */

static void session_free(struct tls_session *session)
{
    wolfSSL_SESSION_free(session->wolfssl);
    tls_peer_unref(session->peer);
}

void tls_ctx_forget_sessions(struct tls_ctx *ctx)
{
    while (ctx->session_count > 0)
        session_free(&ctx->sessions[--ctx->session_count]);
}

void tls_stream_offer_session(struct tls_stream *s)
{
    struct tls_ctx *ctx = s->ctx;
    int64_t now = time(NULL);
    while (!s->resumption && ctx->session_count > 0) {
        /* The newest; each is used once (RFC 8446 appendix C.4). */
        struct tls_session session = ctx->sessions[--ctx->session_count];
        bool fresh = now < session.until && session.until - now <= TLS_TICKET_LIFETIME;
        struct tls_resumption *r =
            fresh && may_resume(ctx, session.peer, now, &session.until) ? malloc(sizeof *r) : NULL;
        if (r && wolfSSL_set_session(s->wolfssl, session.wolfssl) == WOLFSSL_SUCCESS) {
            /* With a session of TLS 1.2 wolfSSL offers that version alone. */
            *r = (struct tls_resumption){.peer = tls_peer_ref(session.peer),
                                         .until = session.until,
                                         .binds = ctx->max_version == TLS_VERSION_1_3 &&
                                                  wolfSSL_version(s->wolfssl) != TLS1_3_VERSION};
            s->resumption = r;
        } else {
            free(r);
        }
        session_free(&session);
    }
}

int tls_stream_ticket_came(WOLFSSL *ssl, const unsigned char *ticket, int size, void *arg)
{
    (void)ssl;
    (void)ticket;
    (void)size;
    struct tls_stream *s = arg;
    s->ticket_came = s->ticket = true;
    return 0;
}

void tls_stream_keep_session(struct tls_stream *s)
{
    struct tls_ctx *ctx = s->ctx;
    int64_t now = time(NULL);
    struct tls_session session = {.until = s->until};
    s->ticket_came = false;
    /* Declined, a session that bound us to the old version must not lead to the next one. */
    bool bound = s->resumption && s->resumption->binds && !s->resumed;
    bool keep = ctx->resumption && s->verified && s->state == OPEN && !bound &&
                tls_wolfssl_extended_master_secret(s->wolfssl) &&
                may_resume(ctx, s->peer, now, &session.until);
    session.wolfssl = tls_wolfssl_take_ticket(s->wolfssl, keep ? FOREIGN_TICKET_MAX : 0);
    if (!session.wolfssl)
        return;
    session.peer = tls_peer_ref(s->peer);
    if (ctx->session_count == TLS_SESSIONS_MAX) {
        session_free(&ctx->sessions[0]);
        memmove(ctx->sessions, ctx->sessions + 1, sizeof ctx->sessions - sizeof *ctx->sessions);
        ctx->session_count--;
    }
    ctx->sessions[ctx->session_count++] = session;
}
