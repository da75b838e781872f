/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A look at a ClientHello before TLS starts (RFC 8446 section 4.1.2): the name asked for, to choose a context
 * by, and what the rule fields cf.tls_client_* tell. Strict, allocates nothing, works on the bytes received
 * so far: a ClientHello may be split over segments and over records.
 */
#ifndef SIDECAR_TLS_HELLO_H
#define SIDECAR_TLS_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TLS_HELLO_MAX = 16 * 1024,  /* bytes of ClientHello, handshake header included, that are looked at */
    TLS_HELLO_RECORDS_MAX = 64, /* records that it may be split over */
    TLS_HELLO_ALPN_MAX = 16,    /* protocols reported */
};

enum tls_hello_result {
    TLS_HELLO_OK,
    TLS_HELLO_MORE,    /* looks like TLS so far; needs more bytes */
    TLS_HELLO_NOT_TLS, /* the first bytes (1 to 6) cannot begin a TLS connection: plaintext */
    TLS_HELLO_BAD,     /* TLS, but malformed, or beyond TLS_HELLO_MAX or TLS_HELLO_RECORDS_MAX */
};

struct tls_hello {
    char sni[256]; /* host_name, lower-case, without a final dot; "" if none */
    bool has_sni;
    struct tls_hello_alpn {
        const uint8_t *data; /* within the scratch given to tls_hello_parse() */
        uint8_t size;
    } alpn[TLS_HELLO_ALPN_MAX];
    size_t alpn_count;
    uint16_t legacy_version;
    uint16_t max_version; /* highest 03xx of supported_versions (0 if none); without it legacy_version */
    bool offers_1_2, offers_1_3;
    uint32_t length;    /* of the handshake message, its 4-byte header included: cf.tls_client_hello_length */
    uint8_t random[32]; /* cf.tls_client_random */
    uint8_t ciphers_sha1[20];       /* of the cipher suites as sent, 2 bytes each: cf.tls_ciphers_sha1 */
    uint8_t extensions_sha1[20];    /* of the extension types, 2 bytes each, in order as sent:
                                       cf.tls_client_extensions_sha1 */
    uint8_t extensions_sha1_le[20]; /* the same with types in little-endian byte order */
    bool has_session_ticket; /* asks to resume: a ticket (TLS 1.2) or a pre_shared_key (1.3) is there */
    bool early_data;
};

/*
 * DATA: all bytes received so far, from the connection's first. SCRATCH: TLS_HELLO_MAX bytes, where the
 * message is put together; must live as long as HELLO, which is filled only when the result is OK. Consumes
 * nothing: the same bytes go to the stream afterwards.
 */
enum tls_hello_result tls_hello_parse(const uint8_t *data, size_t size, uint8_t *scratch,
                                      struct tls_hello *hello) __attribute__((warn_unused_result));

/* What is wrong with a hello that is BAD, in words (a static string); "" if it is not. */
const char *tls_hello_error(const uint8_t *data, size_t size, uint8_t *scratch);

#endif
