/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/tally.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sidecar/proxy/decide.h"
#include "sidecar/proxy/tell.h"

enum {
    NAME_MAX_SIZE = 128, /* of a caller, bytes */
    TEXT_MAX = 512,      /* of a subject or an issuer */
    SANS_MAX = 2048,     /* of all names together */
    ENTER_AGAIN = 10,    /* ms between two sessions that are entered anew */
};

static void count(const struct session *s, enum counter id)
{
    counter_add(&s->worker->counters, id, 1);
}

/* --- handshakes, by kind --- */

struct kind {
    const char *name;
    enum counter counter;
};

static const struct kind versions[] = {
    {"TLSv1.3", COUNTER_VERSION_1_3},
    {NULL, COUNTER_VERSION_1_2},
};

static const struct kind ciphers[] = {
    {"TLS_AES_128_GCM_SHA256", COUNTER_CIPHER_AES128_13},
    {"TLS_AES_256_GCM_SHA384", COUNTER_CIPHER_AES256_13},
    {"TLS_CHACHA20_POLY1305_SHA256", COUNTER_CIPHER_CHACHA_13},
    {"ECDHE-ECDSA-AES128-GCM-SHA256", COUNTER_CIPHER_ECDSA_AES128},
    {"ECDHE-RSA-AES128-GCM-SHA256", COUNTER_CIPHER_RSA_AES128},
    {"ECDHE-ECDSA-AES256-GCM-SHA384", COUNTER_CIPHER_ECDSA_AES256},
    {"ECDHE-RSA-AES256-GCM-SHA384", COUNTER_CIPHER_RSA_AES256},
    {"ECDHE-ECDSA-CHACHA20-POLY1305", COUNTER_CIPHER_ECDSA_CHACHA},
    {"ECDHE-RSA-CHACHA20-POLY1305", COUNTER_CIPHER_RSA_CHACHA},
    {NULL, COUNTER_CIPHER_OTHER},
};

static const struct kind groups[] = {
    {"X25519MLKEM768", COUNTER_GROUP_X25519MLKEM768},
    {"X25519", COUNTER_GROUP_X25519},
    {"P-256", COUNTER_GROUP_P256},
    {"P-384", COUNTER_GROUP_P384},
    {NULL, COUNTER_GROUP_OTHER},
};

static void count_kind(const struct session *s, const struct kind *kind, const char *name)
{
    while (kind->name && (name == NULL || strcmp(kind->name, name) != 0))
        kind++;
    count(s, kind->counter);
}

/* --- handshakes, by cause of failure --- */

static enum counter cause_of_status(enum tls_status status)
{
    switch (status) {
    case TLS_NONE_PRESENTED: return COUNTER_CAUSE_NONE_PRESENTED;
    case TLS_MALFORMED: return COUNTER_CAUSE_MALFORMED;
    case TLS_TOO_LONG:
    case TLS_TOO_COMPLEX: return COUNTER_CAUSE_TOO_LONG;
    case TLS_ISSUER_UNKNOWN: return COUNTER_CAUSE_ISSUER_UNKNOWN;
    case TLS_BAD_SIGNATURE: return COUNTER_CAUSE_BAD_SIGNATURE;
    case TLS_EXPIRED: return COUNTER_CAUSE_EXPIRED;
    case TLS_NOT_YET_VALID: return COUNTER_CAUSE_NOT_YET_VALID;
    case TLS_REVOKED: return COUNTER_CAUSE_REVOKED;
    case TLS_NOT_A_CA:
    case TLS_PATH_LENGTH:
    case TLS_NAME_CONSTRAINTS:
    case TLS_WRONG_USAGE:
    case TLS_UNKNOWN_CRITICAL: return COUNTER_CAUSE_CONSTRAINED;
    case TLS_WEAK: return COUNTER_CAUSE_WEAK;
    case TLS_CRL_MISSING: return COUNTER_CAUSE_CRL_MISSING;
    case TLS_CRL_EXPIRED: return COUNTER_CAUSE_CRL_EXPIRED;
    default: return COUNTER_CAUSE_OTHER;
    }
}

static enum counter cause_of_alert(enum tls_alert alert)
{
    switch (alert) {
    case TLS_ALERT_ACCESS_DENIED: return COUNTER_CAUSE_NAME_NOT_ALLOWED;
    case TLS_ALERT_PROTOCOL_VERSION: return COUNTER_CAUSE_PROTOCOL_VERSION;
    case TLS_ALERT_HANDSHAKE_FAILURE:
    case TLS_ALERT_NO_APPLICATION_PROTOCOL: return COUNTER_CAUSE_NOTHING_COMMON;
    case TLS_ALERT_CERTIFICATE_REQUIRED: return COUNTER_CAUSE_NONE_PRESENTED;
    case TLS_ALERT_BAD_CERTIFICATE: return COUNTER_CAUSE_MALFORMED;
    case TLS_ALERT_USER_CANCELED: return COUNTER_CAUSE_PEER_CLOSED;
    default: return COUNTER_CAUSE_OTHER;
    }
}

static enum counter cause_of(const struct session *s, enum session_end end, const char *why)
{
    const struct tls_stream *tls = s->leg[session_tls_side(s)].tls;
    if (end == SESSION_END_TIMEOUT)
        return COUNTER_CAUSE_TIMEOUT;
    if (tls == NULL)
        return s->state == SESSION_HELLO && why && strncmp(why, "plaintext", 9) == 0
                   ? COUNTER_CAUSE_NOT_TLS
                   : COUNTER_CAUSE_PEER_CLOSED;
    if (tls_stream_alert_received(tls) != TLS_ALERT_NONE)
        return COUNTER_CAUSE_PEER_ALERT;
    enum tls_status status = tls_stream_verdict(tls)->status;
    if (status != TLS_TRUSTED && status != TLS_NONE_PRESENTED)
        return cause_of_status(status);
    if (tls_stream_alert_sent(tls) == TLS_ALERT_NONE)
        return COUNTER_CAUSE_PEER_CLOSED;
    /* TLS 1.2 has no alert of its own for that. */
    if (status == TLS_NONE_PRESENTED && strstr(tls_stream_error_text(tls), "no certificate presented"))
        return COUNTER_CAUSE_NONE_PRESENTED;
    return cause_of_alert(tls_stream_alert_sent(tls));
}

/* --- the ledger --- */

static const struct tls_san *first_san(const struct tls_peer *peer, enum tls_san_kind kind,
                                       const char *prefix)
{
    for (size_t i = 0; i < peer->san_count; i++) {
        const struct tls_san *san = &peer->san[i];
        if (san->kind == kind && strncmp(san->text, prefix, strlen(prefix)) == 0)
            return san;
    }
    return NULL;
}

/* Who that is, whatever its certificate of today: the SPIFFE ID, else the first name that there is. */
static const char *name_of(const struct tls_peer *peer)
{
    const struct tls_san *san = first_san(peer, TLS_SAN_URI, "spiffe://");
    if (san == NULL)
        san = first_san(peer, TLS_SAN_URI, "");
    if (san == NULL)
        san = first_san(peer, TLS_SAN_DNS, "");
    if (san == NULL && peer->san_count != 0)
        san = &peer->san[0];
    return san ? san->text : *peer->common_name ? peer->common_name : peer->subject;
}

/* What of TEXT fits in MOST bytes, without cutting a character of UTF-8 in two. */
static size_t fitting(const char *text, size_t most)
{
    size_t n = strnlen(text, most + 1);
    if (n <= most)
        return n;
    for (n = most; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80; n--)
        continue;
    return n;
}

/* The keys of a CERT in the admin interface, of bounded size whatever the certificate has. */
static void certificate_keys(struct json_write *json, const struct tls_peer *peer)
{
    static const char *const kinds[] = {
        [TLS_SAN_DNS] = "DNS", [TLS_SAN_URI] = "URI", [TLS_SAN_IP] = "IP", [TLS_SAN_EMAIL] = "email"};
    char text[SANS_MAX];
    struct x509 leaf;
    size_t used = 0;
    json_bytes(json, "subject", peer->subject, fitting(peer->subject, TEXT_MAX));
    json_bytes(json, "issuer", peer->issuer, fitting(peer->issuer, TEXT_MAX));
    json_text(json, "serial", peer->serial);
    json_text(json, "sha256", peer->sha256);
    json_array(json, "sans");
    for (size_t i = 0; i < peer->san_count; i++) {
        const struct tls_san *san = &peer->san[i];
        used += san->text_size + 8;
        if (used > SANS_MAX)
            break;
        (void)snprintf(text, sizeof text, "%s:%s", kinds[san->kind], san->text);
        json_text(json, NULL, text);
    }
    json_array_end(json);
    json_signed(json, "not_before_at", peer->not_before);
    json_signed(json, "not_after_at", peer->not_after);
    bool parsed = x509_parse(peer->chain[0].data, peer->chain[0].size, &leaf) == NULL;
    json_text(json, "key", parsed ? tell_key_text(&leaf, text, sizeof text) : NULL);
}

/* Gives the certificate of S a slot, at the cost of parsing it where it has none yet. */
static void enter(struct session *s, const struct tls_peer *peer, bool verified)
{
    struct ledger *ledger = s->worker->shared->ledger;
    int64_t now = time(NULL);
    if (!ledger_find(ledger, peer->fingerprint, verified, &s->ticket)) {
        struct json_write json = {0};
        char name[NAME_MAX_SIZE + 1];
        size_t n = fitting(name_of(peer), NAME_MAX_SIZE);
        memcpy(name, name_of(peer), n);
        name[n] = '\0';
        certificate_keys(&json, peer);
        rules_buffer_add(&json.out, "", 1);
        if (!json.out.failed) {
            struct ledger_identity identity = {
                .fingerprint = peer->fingerprint, .name = name, .certificate = (const char *)json.out.data};
            (void)ledger_enter(ledger, &identity, verified, now, &s->ticket);
        }
        rules_buffer_free(&json.out);
    }
    ledger_seen(ledger, s->worker->index, &s->ticket, now);
}

static void add(struct session *s, enum ledger_count what, uint64_t n)
{
    ledger_add(s->worker->shared->ledger, s->worker->index, &s->ticket, what, n);
}

static const struct tls_peer *caller(const struct session *s)
{
    return s->inbound && s->leg[DOWN].tls ? tls_stream_peer(s->leg[DOWN].tls) : NULL;
}

/* --- connections --- */

void tally_handshake(struct session *s)
{
    const struct tls_stream_info info = tls_stream_info(s->leg[session_tls_side(s)].tls);
    const struct tls_peer *peer = caller(s);
    count(s, s->inbound ? COUNTER_HANDSHAKE_OK_IN : COUNTER_HANDSHAKE_OK_OUT);
    count_kind(s, versions, info.version);
    count_kind(s, ciphers, info.cipher);
    if (info.group)
        count_kind(s, groups, info.group);
    else
        count(s, COUNTER_GROUP_NONE);
    if (info.resumed)
        count(s, s->inbound ? COUNTER_RESUMED_IN : COUNTER_RESUMED_OUT);
    histogram_add(&s->worker->counters, s->inbound ? HISTOGRAM_HANDSHAKE_IN : HISTOGRAM_HANDSHAKE_OUT,
                  uv_hrtime() - s->handshake_began);
    s->handshake_began = 0;
    if (peer == NULL)
        return;
    enter(s, peer, info.verified);
    add(s, LEDGER_CONNECTIONS, 1);
    add(s, LEDGER_OPENED, 1);
    ledger_note(s->worker->shared->ledger, &s->ticket, session_name(s), NULL);
}

void tally_handshake_failed(struct session *s, enum session_end end, const char *why)
{
    const struct tls_peer *peer = caller(s);
    /* Once: what came about may still be refused. */
    if (s->handshake_began == 0 && s->state != SESSION_HELLO)
        return;
    s->handshake_began = 0;
    count(s, s->inbound ? COUNTER_HANDSHAKE_FAILED_IN : COUNTER_HANDSHAKE_FAILED_OUT);
    count(s, cause_of(s, end, why));
    if (peer == NULL)
        return;
    /* As a stranger, however good the chain: it may be shown without its key, or by who may not call here. */
    enter(s, peer, false);
    add(s, LEDGER_REFUSED, 1);
    ledger_note(s->worker->shared->ledger, &s->ticket, session_name(s), why);
    s->ticket = (struct ledger_ticket){0};
}

void tally_end(struct session *s, enum session_end end, const char *why)
{
    bool going_on = s->state == SESSION_HANDSHAKE || (s->inbound && s->state == SESSION_HELLO);
    if (going_on && end != SESSION_END_CLOSED && end != SESSION_END_DRAINED)
        tally_handshake_failed(s, end, why);
}

void tally_blocked(struct session *s, bool unspoken, const char *words)
{
    enum counter by = COUNTER_CONNECTIONS_BLOCKED;
    if (unspoken)
        by = COUNTER_CONNECTIONS_PROTOCOL;
    else if (s->rule == NULL)
        by = COUNTER_CONNECTIONS_UNVERIFIED;
    else if (decide_quarantined(s))
        by = COUNTER_CONNECTIONS_QUARANTINE;
    count(s, by);
    if (s->ticket.slot == 0)
        return;
    add(s, LEDGER_BLOCKED, 1);
    ledger_note(s->worker->shared->ledger, &s->ticket, NULL, words);
}

void tally_leave(struct session *s)
{
    if (s->ticket.slot == 0)
        return;
    add(s, LEDGER_CLOSED, 1);
    /* Only what is counted with a void ticket is kept until then: it goes to the others. */
    if (s->ticket.missed != 0)
        add(s, LEDGER_REQUESTS, s->ticket.missed);
}

/* --- requests --- */

/* Another certificate has its slot: it takes one again, now and then, with the requests that it has made. */
static void enter_again(struct session *s)
{
    const struct tls_peer *peer = caller(s);
    uint64_t now = uv_now(&s->worker->loop);
    s->ticket.missed++;
    if (peer == NULL || now < s->worker->entered_at + ENTER_AGAIN)
        return;
    s->worker->entered_at = now;
    uint32_t missed = s->ticket.missed;
    add(s, LEDGER_CLOSED, 1);
    enter(s, peer, tls_stream_info(s->leg[DOWN].tls).verified);
    s->ticket.missed = 0;
    add(s, LEDGER_OPENED, 1);
    add(s, LEDGER_REQUESTS, missed);
}

void tally_request(struct session *s, int64_t now)
{
    const struct ledger *ledger = s->worker->shared->ledger;
    if (s->ticket.slot == 0)
        return;
    if (!ledger_holds(ledger, &s->ticket)) {
        enter_again(s);
        return;
    }
    add(s, LEDGER_REQUESTS, 1);
    ledger_seen(s->worker->shared->ledger, s->worker->index, &s->ticket, now);
}

void tally_refused_request(struct session *s, enum counter by, const char *kind, const char *name)
{
    char words[LEDGER_REASON] = "no rule lets it pass";
    count(s, by);
    if (s->ticket.slot == 0)
        return;
    if (by == COUNTER_REQUESTS_HOST)
        (void)snprintf(words, sizeof words, "a host of another CA");
    else if (by == COUNTER_REQUESTS_PATH)
        (void)snprintf(words, sizeof words, "an ambiguous path");
    else if (name)
        (void)snprintf(words, sizeof words, "%s %s refuses", kind, name);
    add(s, LEDGER_BLOCKED, 1);
    ledger_note(s->worker->shared->ledger, &s->ticket, NULL, words);
}
