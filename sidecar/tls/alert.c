/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sees wolfSSL's internals (5.9.2); besides it only record.c does. */
#include <wolfssl/options.h>
#include <wolfssl/internal.h>

#include <wolfssl/error-ssl.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include "sidecar/tls/alert.h"

/*
 * With both bits set, wolfSSL asks for a certificate, parses it and demands CertificateVerify, but checks no
 * path, no validity, and adds no intermediate to the store that all connections of the context share. The
 * public call sets only one of them.
 */
void tls_wolfssl_leave_trust_to_us(WOLFSSL_CTX *ctx)
{
    ctx->verifyPeer = 1;
    ctx->verifyNone = 1;
}

bool tls_wolfssl_can_go_on(const WOLFSSL *ssl, int code)
{
    if (code == 0)
        return true;
    /* Earlier than that the leaf itself was not understood. */
    return ssl->options.asyncState == TLS_ASYNC_FINALIZE && code != PEER_KEY_ERROR && code != MEMORY_E &&
           code != MEMORY_ERROR;
}

bool tls_wolfssl_peer_presented(const WOLFSSL *ssl)
{
    return ssl->options.havePeerCert;
}

bool tls_wolfssl_peer_proved(const WOLFSSL *ssl)
{
    /* In TLS 1.2 a server proves it by its signature over ServerKeyExchange. */
    bool verify = ssl->options.side == WOLFSSL_SERVER_END || IsAtLeastTLSv1_3(ssl->version);
    return ssl->options.havePeerCert && ssl->options.peerAuthGood && (!verify || ssl->options.havePeerVerify);
}

bool tls_wolfssl_no_common_group(const WOLFSSL *ssl)
{
    /* What is left of our groups after the client's have been looked at. wolfSSL would go on to ask for a
     * group that the client does not have. */
    for (const TLSX *x = ssl->extensions; x; x = x->next)
        if (x->type == TLSX_SUPPORTED_GROUPS)
            return x->data == NULL;
    return false;
}

const uint8_t *tls_wolfssl_alpn_offered(const WOLFSSL *ssl, size_t *size)
{
    *size = ssl->alpn_peer_requested_length;
    return *size > 0 ? ssl->alpn_peer_requested : NULL;
}

bool tls_wolfssl_between_records(const WOLFSSL *ssl)
{
    /* A header that has come is done with, and processReply beyond its 0. */
    return ssl->buffers.inputBuffer.length == ssl->buffers.inputBuffer.idx &&
           ssl->options.processReply == 0 && ssl->buffers.clearOutputBuffer.length == 0;
}

bool tls_wolfssl_extended_master_secret(const WOLFSSL *ssl)
{
    return IsAtLeastTLSv1_3(ssl->version) || ssl->options.haveEMS;
}

void tls_wolfssl_restart_ticket_nonces(WOLFSSL *ssl)
{
    ssl->session->ticketNonce.len = 0;
}

WOLFSSL_SESSION *tls_wolfssl_take_ticket(WOLFSSL *ssl, size_t max)
{
    WOLFSSL_SESSION *own = ssl->session, *copy = NULL;
    if (own->ticketLen > 0 && own->ticketLen <= max) {
        copy = wolfSSL_SESSION_dup(own);
        /* Else the next ClientHello would offer this group alone, whether or not the server still has it. */
        if (copy)
            copy->namedGroup = 0;
    }
    if (own->ticketLenAlloc > 0) {
        XFREE(own->ticket, ssl->heap, DYNAMIC_TYPE_SESSION_TICK);
        own->ticket = own->staticTicket;
        own->ticketLenAlloc = 0;
    }
    own->ticketLen = 0;
    return copy;
}

void tls_wolfssl_shrink(WOLFSSL *ssl)
{
    /* The tickets that were offered. */
    TLSX_Remove(&ssl->extensions, TLSX_PRE_SHARED_KEY, ssl->heap);
    TLSX_Remove(&ssl->extensions, TLSX_SESSION_TICKET, ssl->heap);
    /* Kept by wolfSSL for session tickets that are asked for later; ours have been given by now. */
    if (IsAtLeastTLSv1_3(ssl->version) && ssl->options.weOwnRng && ssl->rng) {
        wc_FreeRng(ssl->rng);
        XFREE(ssl->rng, ssl->heap, DYNAMIC_TYPE_RNG);
        ssl->rng = NULL;
        ssl->options.weOwnRng = 0;
    }
}

void tls_wolfssl_send_alert(WOLFSSL *ssl, bool fatal, enum tls_alert alert)
{
    (void)SendAlert(ssl, fatal ? alert_fatal : alert_warning, (int)alert);
    if (!fatal)
        ssl->options.sentNotify = 1;
}

bool tls_wolfssl_asked(const WOLFSSL *ssl)
{
    return ssl->options.side == WOLFSSL_CLIENT_END && ssl->options.sendVerify != 0;
}

bool tls_wolfssl_showed(const WOLFSSL *ssl)
{
    return ssl->options.side == WOLFSSL_CLIENT_END && ssl->options.sendVerify == SEND_CERT;
}

static const struct {
    int code;
    enum tls_alert alert;
    const char *words;
} errors[] = {
    {VERSION_ERROR, TLS_ALERT_PROTOCOL_VERSION, "no common protocol version"},
    {MATCH_SUITE_ERROR, TLS_ALERT_HANDSHAKE_FAILURE, "no common cipher suite"},
    {ECC_CURVETYPE_ERROR, TLS_ALERT_HANDSHAKE_FAILURE, "no common group"},
    {ECC_CURVE_ERROR, TLS_ALERT_HANDSHAKE_FAILURE, "no common group"},
    {BAD_KEY_SHARE_DATA, TLS_ALERT_ILLEGAL_PARAMETER, "no common group"},
    {UNKNOWN_RECORD_TYPE, TLS_ALERT_UNEXPECTED_MESSAGE, "not TLS"},
    {UNKNOWN_ALPN_PROTOCOL_NAME_E, TLS_ALERT_NO_APPLICATION_PROTOCOL, "no common application protocol"},
    {UNKNOWN_SNI_HOST_NAME_E, TLS_ALERT_UNRECOGNIZED_NAME, "unknown server name"},
    {NO_PEER_CERT, TLS_ALERT_HANDSHAKE_FAILURE, "no certificate presented"},
    {NO_PEER_VERIFY, TLS_ALERT_HANDSHAKE_FAILURE, "peer did not prove that it has the certificate's key"},
    {SIG_VERIFY_E, TLS_ALERT_HANDSHAKE_FAILURE, "peer did not prove that it has the certificate's key"},
    {VERIFY_CERT_ERROR, TLS_ALERT_HANDSHAKE_FAILURE, "peer did not prove that it has the certificate's key"},
    {VERIFY_SIGN_ERROR, TLS_ALERT_HANDSHAKE_FAILURE, "peer did not prove that it has the certificate's key"},
    {VERIFY_FINISHED_ERROR, TLS_ALERT_HANDSHAKE_FAILURE, "the handshake was tampered with"},
    {WOLFSSL_ERROR_ZERO_RETURN, TLS_ALERT_USER_CANCELED, "peer closed the connection in the handshake"},
    {ZERO_RETURN, TLS_ALERT_USER_CANCELED, "peer closed the connection in the handshake"},
    {MAX_CHAIN_ERROR, TLS_ALERT_BAD_CERTIFICATE, "too many certificates presented"},
    {ASN_PARSE_E, TLS_ALERT_BAD_CERTIFICATE, "the certificate presented is malformed"},
    {MEMORY_E, TLS_ALERT_INTERNAL_ERROR, "out of memory"},
    {MEMORY_ERROR, TLS_ALERT_INTERNAL_ERROR, "out of memory"},
    {WOLFSSL_ERROR_WANT_WRITE, TLS_ALERT_INTERNAL_ERROR, "peer asks for more answers than there is room for"},
    {HANDSHAKE_SIZE_ERROR, TLS_ALERT_DECODE_ERROR, "handshake message too long"},
    {OUT_OF_ORDER_E, TLS_ALERT_UNEXPECTED_MESSAGE, "handshake message out of order"},
    {DUPLICATE_MSG_E, TLS_ALERT_UNEXPECTED_MESSAGE, "handshake message sent twice"},
    {SANITY_MSG_E, TLS_ALERT_UNEXPECTED_MESSAGE, "handshake message out of order"},
    {SIDE_ERROR, TLS_ALERT_UNEXPECTED_MESSAGE, "handshake message out of order"},
    {INVALID_PARAMETER, TLS_ALERT_ILLEGAL_PARAMETER, "illegal value in a TLS message"},
    {UNSUPPORTED_EXTENSION, TLS_ALERT_ILLEGAL_PARAMETER, "TLS extension that was not asked for"},
    {DUPLICATE_TLS_EXT_E, TLS_ALERT_ILLEGAL_PARAMETER, "TLS extension sent twice"},
    {AES_GCM_AUTH_E, TLS_ALERT_BAD_RECORD_MAC, "TLS record damaged, replayed or forged"},
    {VERIFY_MAC_ERROR, TLS_ALERT_BAD_RECORD_MAC, "TLS record damaged, replayed or forged"},
    {MAC_CMP_FAILED_E, TLS_ALERT_BAD_RECORD_MAC, "TLS record damaged, replayed or forged"},
    {DECRYPT_ERROR, TLS_ALERT_BAD_RECORD_MAC, "TLS record damaged, replayed or forged"},
    {SANITY_CIPHER_E, TLS_ALERT_BAD_RECORD_MAC, "TLS record damaged, replayed or forged"},
    {LENGTH_ERROR, TLS_ALERT_RECORD_OVERFLOW, "TLS record too long"},
    {EMPTY_RECORD_LIMIT_E, TLS_ALERT_UNEXPECTED_MESSAGE, "too many empty TLS records"},
    {ALERT_COUNT_E, TLS_ALERT_UNEXPECTED_MESSAGE, "too many alerts"},
    {BUFFER_ERROR, TLS_ALERT_DECODE_ERROR, "malformed TLS message"},
    {BUFFER_E, TLS_ALERT_DECODE_ERROR, "malformed TLS message"},
    {PARSE_ERROR, TLS_ALERT_DECODE_ERROR, "malformed TLS message"},
};

const char *tls_wolfssl_error(int code, enum tls_alert *alert)
{
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].code == code) {
            *alert = errors[i].alert;
            return errors[i].words;
        }
    *alert = TLS_ALERT_HANDSHAKE_FAILURE;
    return wolfSSL_ERR_reason_error_string((unsigned long)code);
}

const char *tls_alert_name(enum tls_alert alert)
{
    switch ((int)alert) {
    case 0: return "close_notify";
    case 10: return "unexpected_message";
    case 20: return "bad_record_mac";
    case 22: return "record_overflow";
    case 40: return "handshake_failure";
    case 42: return "bad_certificate";
    case 43: return "unsupported_certificate";
    case 44: return "certificate_revoked";
    case 45: return "certificate_expired";
    case 46: return "certificate_unknown";
    case 47: return "illegal_parameter";
    case 48: return "unknown_ca";
    case 49: return "access_denied";
    case 50: return "decode_error";
    case 51: return "decrypt_error";
    case 70: return "protocol_version";
    case 71: return "insufficient_security";
    case 80: return "internal_error";
    case 86: return "inappropriate_fallback";
    case 90: return "user_canceled";
    case 100: return "no_renegotiation";
    case 109: return "missing_extension";
    case 110: return "unsupported_extension";
    case 112: return "unrecognized_name";
    case 113: return "bad_certificate_status_response";
    case 115: return "unknown_psk_identity";
    case 116: return "certificate_required";
    case 120: return "no_application_protocol";
    default: return "unknown";
    }
}

enum tls_alert tls_status_alert(enum tls_status status)
{
    switch (status) {
    case TLS_TRUSTED: return TLS_ALERT_NONE;
    case TLS_NONE_PRESENTED: return TLS_ALERT_CERTIFICATE_REQUIRED;
    case TLS_ISSUER_UNKNOWN: return TLS_ALERT_UNKNOWN_CA;
    case TLS_EXPIRED:
    case TLS_NOT_YET_VALID: return TLS_ALERT_CERTIFICATE_EXPIRED;
    case TLS_REVOKED: return TLS_ALERT_CERTIFICATE_REVOKED;
    case TLS_WRONG_USAGE:
    case TLS_UNKNOWN_CRITICAL:
    case TLS_WEAK: return TLS_ALERT_UNSUPPORTED_CERTIFICATE;
    case TLS_CRL_MISSING:
    case TLS_CRL_EXPIRED: return TLS_ALERT_CERTIFICATE_UNKNOWN;
    case TLS_OUT_OF_MEMORY: return TLS_ALERT_INTERNAL_ERROR;
    default: return TLS_ALERT_BAD_CERTIFICATE;
    }
}
