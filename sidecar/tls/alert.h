/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What wolfSSL has no public call for, and its errors in words. Private to this room: only alert.c and
 * record.c see wolfSSL's internals.
 */
#ifndef SIDECAR_TLS_ALERT_H
#define SIDECAR_TLS_ALERT_H

#include <stdbool.h>
#include <stddef.h>

#include <wolfssl/ssl.h>

#include "sidecar/tls/stream.h"

/*
 * Certificates are asked for and their possession is proved, but no path is looked at, nothing enters the
 * context's store, and no alert about trust is sent: all that is the judge's. To be called after
 * wolfSSL_CTX_set_verify().
 */
void tls_wolfssl_leave_trust_to_us(WOLFSSL_CTX *ctx);

/*
 * In the verify callback, the judge being content: whether wolfSSL's error CODE leaves a usable leaf. It does
 * if it is about other certificates of the chain, or about what only the judge decides.
 */
bool tls_wolfssl_can_go_on(const WOLFSSL *ssl, int code);

/* Whether the peer presented a certificate in this handshake, and whether it proved that it has the key. */
bool tls_wolfssl_peer_presented(const WOLFSSL *ssl);
bool tls_wolfssl_peer_proved(const WOLFSSL *ssl);

/* Server, its extensions being read: whether the client offered groups, but none of ours. */
bool tls_wolfssl_no_common_group(const WOLFSSL *ssl);

/*
 * Server, its extensions being read: the protocols that the client offers, each behind its length in one
 * octet (RFC 7301 section 3.1). NULL: none.
 */
const uint8_t *tls_wolfssl_alpn_offered(const WOLFSSL *ssl, size_t *size);

/* Whether the session's secret is tied to its handshake (RFC 7627; always so in TLS 1.3). */
bool tls_wolfssl_extended_master_secret(const WOLFSSL *ssl);

/*
 * Server of TLS 1.3, the ClientHello having been answered: wolfSSL goes on counting where the session's
 * ticket was, and after 255 resumptions in a row fails the handshake. Nonces need only differ within a
 * connection.
 */
void tls_wolfssl_restart_ticket_nonces(WOLFSSL *ssl);

/*
 * Client: the connection forgets the ticket that it was given last. Returns a session to go on from by that
 * ticket, to be freed by wolfSSL_SESSION_free(); NULL: the ticket is longer than MAX bytes, or memory is out.
 */
WOLFSSL_SESSION *tls_wolfssl_take_ticket(WOLFSSL *ssl, size_t max);

/* Frees what a finished handshake leaves behind and an open connection never needs. */
void tls_wolfssl_shrink(WOLFSSL *ssl);

/* Nothing of a record has come of which the rest has not. */
bool tls_wolfssl_between_records(const WOLFSSL *ssl);

/* Appends an alert by the send callback, under whatever keys are in use. */
void tls_wolfssl_send_alert(WOLFSSL *ssl, bool fatal, enum tls_alert alert);

/* Client: whether the server asked for a certificate, and whether ours went out. */
bool tls_wolfssl_asked(const WOLFSSL *ssl);
bool tls_wolfssl_showed(const WOLFSSL *ssl);

/* What wolfSSL's error CODE means to people, and the alert that tells the peer. Never a mere number. */
const char *tls_wolfssl_error(int code, enum tls_alert *alert);

#endif
