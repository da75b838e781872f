/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The fields: one table of number, name, type, phase and the value where the thing does not exist.
 *
 * CONNECTION fields are facts of the connection and its certificate, known once the handshake is done;
 * REQUEST and RESPONSE fields change with every request. Where "absent" is NONE the field is missing.
 */
#ifndef SIDECAR_RULES_FIELDS_H
#define SIDECAR_RULES_FIELDS_H

#include "sidecar/rules/value.h"

enum rules_phase { RULES_CONNECTION = 1, RULES_REQUEST = 2, RULES_RESPONSE = 4 };

#define RULES_T_STRINGS RULES_ARRAY_OF(RULES_BYTES)
#define RULES_T_HEADERS RULES_MAP_OF(RULES_ARRAY_OF(RULES_BYTES))

/* X(NUMBER, name, type, phase, absent) */
#define RULES_FIELDS(X)                                                                                      \
    X(TRUE, "true", RULES_BOOL, 0, YES)                                                                      \
    /* The connection. */                                                                                    \
    X(SSL, "ssl", RULES_BOOL, RULES_CONNECTION, EMPTY)                                                       \
    X(IP_SRC, "ip.src", RULES_IP, RULES_CONNECTION, NONE)                                                    \
    X(SERVER_IP, "cf.edge.server_ip", RULES_IP, RULES_CONNECTION, NONE)                                      \
    X(SERVER_PORT, "cf.edge.server_port", RULES_INT, RULES_CONNECTION, EMPTY)                                \
    X(CLIENT_TCP, "cf.edge.client_tcp", RULES_BOOL, RULES_CONNECTION, YES)                                   \
    X(TLS_VERSION, "cf.tls_version", RULES_BYTES, RULES_CONNECTION, EMPTY)                                   \
    X(TLS_CIPHER, "cf.tls_cipher", RULES_BYTES, RULES_CONNECTION, EMPTY)                                     \
    X(TLS_HELLO_LENGTH, "cf.tls_client_hello_length", RULES_INT, RULES_CONNECTION, EMPTY)                    \
    X(TLS_RANDOM, "cf.tls_client_random", RULES_BYTES, RULES_CONNECTION, EMPTY)                              \
    X(TLS_CIPHERS_SHA1, "cf.tls_ciphers_sha1", RULES_BYTES, RULES_CONNECTION, EMPTY)                         \
    X(TLS_EXTENSIONS_SHA1, "cf.tls_client_extensions_sha1", RULES_BYTES, RULES_CONNECTION, EMPTY)            \
    X(TLS_EXTENSIONS_SHA1_LE, "cf.tls_client_extensions_sha1_le", RULES_BYTES, RULES_CONNECTION, EMPTY)      \
    /* The client's certificate. */                                                                          \
    X(CERT_PRESENTED, "cf.tls_client_auth.cert_presented", RULES_BOOL, RULES_CONNECTION, EMPTY)              \
    X(CERT_VERIFIED, "cf.tls_client_auth.cert_verified", RULES_BOOL, RULES_CONNECTION, EMPTY)                \
    X(CERT_REVOKED, "cf.tls_client_auth.cert_revoked", RULES_BOOL, RULES_CONNECTION, EMPTY)                  \
    X(CERT_SUBJECT, "cf.tls_client_auth.cert_subject_dn", RULES_BYTES, RULES_CONNECTION, EMPTY)              \
    X(CERT_SUBJECT_RFC2253, "cf.tls_client_auth.cert_subject_dn_rfc2253", RULES_BYTES, RULES_CONNECTION,     \
      EMPTY)                                                                                                 \
    X(CERT_SUBJECT_LEGACY, "cf.tls_client_auth.cert_subject_dn_legacy", RULES_BYTES, RULES_CONNECTION,       \
      EMPTY)                                                                                                 \
    X(CERT_ISSUER, "cf.tls_client_auth.cert_issuer_dn", RULES_BYTES, RULES_CONNECTION, EMPTY)                \
    X(CERT_ISSUER_RFC2253, "cf.tls_client_auth.cert_issuer_dn_rfc2253", RULES_BYTES, RULES_CONNECTION,       \
      EMPTY)                                                                                                 \
    X(CERT_ISSUER_LEGACY, "cf.tls_client_auth.cert_issuer_dn_legacy", RULES_BYTES, RULES_CONNECTION, EMPTY)  \
    X(CERT_SERIAL, "cf.tls_client_auth.cert_serial", RULES_BYTES, RULES_CONNECTION, EMPTY)                   \
    X(CERT_ISSUER_SERIAL, "cf.tls_client_auth.cert_issuer_serial", RULES_BYTES, RULES_CONNECTION, EMPTY)     \
    X(CERT_SHA256, "cf.tls_client_auth.cert_fingerprint_sha256", RULES_BYTES, RULES_CONNECTION, EMPTY)       \
    X(CERT_SHA1, "cf.tls_client_auth.cert_fingerprint_sha1", RULES_BYTES, RULES_CONNECTION, EMPTY)           \
    X(CERT_NOT_BEFORE, "cf.tls_client_auth.cert_not_before", RULES_BYTES, RULES_CONNECTION, EMPTY)           \
    X(CERT_NOT_AFTER, "cf.tls_client_auth.cert_not_after", RULES_BYTES, RULES_CONNECTION, EMPTY)             \
    X(CERT_SKI, "cf.tls_client_auth.cert_ski", RULES_BYTES, RULES_CONNECTION, EMPTY)                         \
    X(CERT_ISSUER_SKI, "cf.tls_client_auth.cert_issuer_ski", RULES_BYTES, RULES_CONNECTION, EMPTY)           \
    X(CERT_RFC9440, "cf.tls_client_auth.cert_rfc9440", RULES_BYTES, RULES_CONNECTION, EMPTY)                 \
    X(CERT_RFC9440_TOO_LARGE, "cf.tls_client_auth.cert_rfc9440_too_large", RULES_BOOL, RULES_CONNECTION,     \
      EMPTY)                                                                                                 \
    X(CERT_CHAIN_RFC9440, "cf.tls_client_auth.cert_chain_rfc9440", RULES_BYTES, RULES_CONNECTION, EMPTY)     \
    X(CERT_CHAIN_RFC9440_TOO_LARGE, "cf.tls_client_auth.cert_chain_rfc9440_too_large", RULES_BOOL,           \
      RULES_CONNECTION, EMPTY)                                                                               \
    /* What a mesh has and an edge has not. */                                                               \
    X(INBOUND, "outrider.inbound", RULES_BYTES, RULES_CONNECTION,                                            \
      EMPTY) /* name of the listener's section */                                                            \
    X(DIRECTION, "outrider.direction", RULES_BYTES, RULES_CONNECTION, EMPTY) /* inbound, outbound */         \
    X(CA, "outrider.ca", RULES_BYTES, RULES_CONNECTION, EMPTY) /* [ca NAME] chosen by SNI; "": [tls]'s */    \
    X(SNI, "outrider.sni", RULES_BYTES, RULES_CONNECTION, EMPTY)                                             \
    X(ALPN, "outrider.alpn", RULES_BYTES, RULES_CONNECTION, EMPTY)                                           \
    X(SRC_PORT, "outrider.src_port", RULES_INT, RULES_CONNECTION, EMPTY)                                     \
    X(SPIFFE_ID, "outrider.spiffe_id", RULES_BYTES, RULES_CONNECTION, EMPTY)                                 \
    X(TRUST_DOMAIN, "outrider.trust_domain", RULES_BYTES, RULES_CONNECTION, EMPTY)                           \
    X(SAN_DNS, "outrider.san.dns", RULES_T_STRINGS, RULES_CONNECTION, EMPTY)                                 \
    X(SAN_URI, "outrider.san.uri", RULES_T_STRINGS, RULES_CONNECTION, EMPTY)                                 \
    X(SAN_IP, "outrider.san.ip", RULES_ARRAY_OF(RULES_IP), RULES_CONNECTION, EMPTY)                          \
    X(SAN_EMAIL, "outrider.san.email", RULES_T_STRINGS, RULES_CONNECTION, EMPTY)                             \
    X(SUBJECT_CN, "outrider.subject.cn", RULES_T_STRINGS, RULES_CONNECTION, EMPTY)                           \
    X(SUBJECT_O, "outrider.subject.o", RULES_T_STRINGS, RULES_CONNECTION, EMPTY)                             \
    X(SUBJECT_OU, "outrider.subject.ou", RULES_T_STRINGS, RULES_CONNECTION, EMPTY)                           \
    X(CHAIN_SHA256, "outrider.chain_fingerprints", RULES_T_STRINGS, RULES_CONNECTION, EMPTY) /* issuers' */  \
    X(KEY_TYPE, "outrider.key_type", RULES_BYTES, RULES_CONNECTION, EMPTY) /* EC, RSA, Ed25519 */            \
    X(KEY_BITS, "outrider.key_bits", RULES_INT, RULES_CONNECTION, EMPTY)                                     \
    X(SECONDS_TO_EXPIRY, "outrider.seconds_to_expiry", RULES_INT, RULES_CONNECTION, EMPTY)                   \
    X(RESUMED, "outrider.resumed", RULES_BOOL, RULES_CONNECTION, EMPTY)                                      \
    X(VERIFY_ERROR, "outrider.verify_error", RULES_BYTES, RULES_CONNECTION, EMPTY) /* in words */            \
    X(CERT_CONNECTIONS, "outrider.cert_connections", RULES_INT, RULES_CONNECTION, EMPTY)                     \
    X(CERT_REQUESTS, "outrider.cert_requests", RULES_INT, RULES_REQUEST, EMPTY)                              \
    /* The request. */                                                                                       \
    X(HOST, "http.host", RULES_BYTES, RULES_REQUEST, EMPTY)                                                  \
    X(METHOD, "http.request.method", RULES_BYTES, RULES_REQUEST, EMPTY)                                      \
    X(VERSION, "http.request.version", RULES_BYTES, RULES_REQUEST, EMPTY)                                    \
    X(FULL_URI, "http.request.full_uri", RULES_BYTES, RULES_REQUEST, EMPTY)                                  \
    X(URI, "http.request.uri", RULES_BYTES, RULES_REQUEST, EMPTY)                                            \
    X(PATH, "http.request.uri.path", RULES_BYTES, RULES_REQUEST, SLASH)                                      \
    X(EXTENSION, "http.request.uri.path.extension", RULES_BYTES, RULES_REQUEST, EMPTY)                       \
    X(QUERY, "http.request.uri.query", RULES_BYTES, RULES_REQUEST, EMPTY)                                    \
    X(ARGS, "http.request.uri.args", RULES_T_HEADERS, RULES_REQUEST, EMPTY)                                  \
    X(ARGS_NAMES, "http.request.uri.args.names", RULES_T_STRINGS, RULES_REQUEST, EMPTY)                      \
    X(ARGS_VALUES, "http.request.uri.args.values", RULES_T_STRINGS, RULES_REQUEST, EMPTY)                    \
    X(HEADERS, "http.request.headers", RULES_T_HEADERS, RULES_REQUEST, EMPTY)                                \
    X(HEADERS_NAMES, "http.request.headers.names", RULES_T_STRINGS, RULES_REQUEST, EMPTY)                    \
    X(HEADERS_VALUES, "http.request.headers.values", RULES_T_STRINGS, RULES_REQUEST, EMPTY)                  \
    X(HEADERS_TRUNCATED, "http.request.headers.truncated", RULES_BOOL, RULES_REQUEST, EMPTY)                 \
    X(COOKIES, "http.request.cookies", RULES_T_HEADERS, RULES_REQUEST, EMPTY)                                \
    X(COOKIE, "http.cookie", RULES_BYTES, RULES_REQUEST, EMPTY)                                              \
    X(USER_AGENT, "http.user_agent", RULES_BYTES, RULES_REQUEST, EMPTY)                                      \
    X(REFERER, "http.referer", RULES_BYTES, RULES_REQUEST, EMPTY)                                            \
    X(X_FORWARDED_FOR, "http.x_forwarded_for", RULES_BYTES, RULES_REQUEST, EMPTY)                            \
    X(LANGUAGES, "http.request.accepted_languages", RULES_T_STRINGS, RULES_REQUEST, EMPTY)                   \
    X(TIMESTAMP_SEC, "http.request.timestamp.sec", RULES_INT, RULES_REQUEST, EMPTY)                          \
    X(TIMESTAMP_MSEC, "http.request.timestamp.msec", RULES_INT, RULES_REQUEST, EMPTY)                        \
    X(RAY_ID, "cf.ray_id", RULES_BYTES, RULES_REQUEST, EMPTY)                                                \
    /* The request as it was received. */                                                                    \
    X(RAW_FULL_URI, "raw.http.request.full_uri", RULES_BYTES, RULES_REQUEST, EMPTY)                          \
    X(RAW_URI, "raw.http.request.uri", RULES_BYTES, RULES_REQUEST, EMPTY)                                    \
    X(RAW_PATH, "raw.http.request.uri.path", RULES_BYTES, RULES_REQUEST, SLASH)                              \
    X(RAW_EXTENSION, "raw.http.request.uri.path.extension", RULES_BYTES, RULES_REQUEST, EMPTY)               \
    X(RAW_QUERY, "raw.http.request.uri.query", RULES_BYTES, RULES_REQUEST, EMPTY)                            \
    X(RAW_ARGS, "raw.http.request.uri.args", RULES_T_HEADERS, RULES_REQUEST, EMPTY)                          \
    X(RAW_ARGS_NAMES, "raw.http.request.uri.args.names", RULES_T_STRINGS, RULES_REQUEST, EMPTY)              \
    X(RAW_ARGS_VALUES, "raw.http.request.uri.args.values", RULES_T_STRINGS, RULES_REQUEST, EMPTY)            \
    /* The response. */                                                                                      \
    X(RESPONSE_CODE, "http.response.code", RULES_INT, RULES_RESPONSE, EMPTY)                                 \
    X(RESPONSE_HEADERS, "http.response.headers", RULES_T_HEADERS, RULES_RESPONSE, EMPTY)                     \
    X(RESPONSE_HEADERS_NAMES, "http.response.headers.names", RULES_T_STRINGS, RULES_RESPONSE, EMPTY)         \
    X(RESPONSE_HEADERS_VALUES, "http.response.headers.values", RULES_T_STRINGS, RULES_RESPONSE, EMPTY)       \
    X(RESPONSE_MEDIA_TYPE, "http.response.content_type.media_type", RULES_BYTES, RULES_RESPONSE, EMPTY)      \
    X(RAW_RESPONSE_HEADERS, "raw.http.response.headers", RULES_T_HEADERS, RULES_RESPONSE, EMPTY)             \
    X(RAW_RESPONSE_HEADERS_NAMES, "raw.http.response.headers.names", RULES_T_STRINGS, RULES_RESPONSE, EMPTY) \
    X(RAW_RESPONSE_HEADERS_VALUES, "raw.http.response.headers.values", RULES_T_STRINGS, RULES_RESPONSE, EMPTY)

enum rules_field_id {
#define X(number, name, type, phase, absent) RULES_FIELD_##number,
    RULES_FIELDS(X)
#undef X
        RULES_FIELD_COUNT
};

#endif
