/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The PROXY protocol, versions 1 and 2 (haproxy's doc/proxy-protocol.txt): reading a header that precedes a
 * stream, and writing one. Pure: bytes in, addresses and TLVs out. Nothing is allocated.
 *
 * Whether a header may be believed is the caller's matter (proxy_from).
 */
#ifndef SIDECAR_NET_PROXYPROTO_H
#define SIDECAR_NET_PROXYPROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sidecar/net/addr.h"

/* Limits: the longest line of version 1, CRLF included; the TLVs of version 2; and the longest header of all.
 */
#define PROXYPROTO_V1_MAX 107u
#define PROXYPROTO_TLV_MAX 4096u
#define PROXYPROTO_MAX (16u + 216u + PROXYPROTO_TLV_MAX)

/* Types of TLVs. */
enum {
    PROXYPROTO_ALPN = 0x01,
    PROXYPROTO_AUTHORITY = 0x02, /* the SNI */
    PROXYPROTO_CRC32C = 0x03,
    PROXYPROTO_NOOP = 0x04,
    PROXYPROTO_UNIQUE_ID = 0x05,
    PROXYPROTO_SSL = 0x20,
    PROXYPROTO_NETNS = 0x30,
    /* within PROXYPROTO_SSL, after its five bytes of client bits and verify */
    PROXYPROTO_SSL_VERSION = 0x21,
    PROXYPROTO_SSL_CN = 0x22,
    PROXYPROTO_SSL_CIPHER = 0x23,
    PROXYPROTO_SSL_SIG_ALG = 0x24,
    PROXYPROTO_SSL_KEY_ALG = 0x25,
    PROXYPROTO_SSL_GROUP = 0x26
};

/* Client bits of PROXYPROTO_SSL. */
enum {
    PROXYPROTO_CLIENT_SSL = 0x01,       /* the client came over TLS */
    PROXYPROTO_CLIENT_CERT_CONN = 0x02, /* it gave a certificate over this connection */
    PROXYPROTO_CLIENT_CERT_SESS = 0x04  /* it gave one at least once over the TLS session */
};

/* Some bytes of somebody's buffer; data is NULL where there is nothing at all. */
struct proxyproto_slice {
    const uint8_t *data;
    size_t size;
};

struct proxyproto_tlv {
    uint8_t type;
    struct proxyproto_slice value;
};

enum proxyproto_result {
    PROXYPROTO_OK,   /* a whole header was read */
    PROXYPROTO_MORE, /* so far so good: call again with these bytes and more */
    PROXYPROTO_BAD   /* not a PROXY header, or a wrong one; final */
};

/* What a header said. */
struct proxyproto {
    unsigned version; /* 1 or 2 */
    size_t consumed;  /* bytes of the header: the stream proper begins after them */
    /*
     * False: the header names no address to use (LOCAL, UNKNOWN, or a family other than TCP over IP), so that
     * the connection's own addresses hold; source and destination are AF_UNSPEC.
     */
    bool proxied;
    bool local;            /* version 2's LOCAL: the proxy's own connection, a health check say; no TLVs */
    union net_addr source; /* IPv4-mapped addresses are brought to IPv4 */
    union net_addr destination;
    struct proxyproto_slice tlvs; /* all of them, checked; points into DATA as given to proxyproto_parse() */
    const char *error;            /* PROXYPROTO_BAD: what is wrong, in words; static */
};

/*
 * Reads the SIZE bytes received so far. It says BAD as soon as that is certain, never asks for MORE beyond
 * PROXYPROTO_MAX bytes, and is strict: the exact form of version 1 (single spaces, no leading zeros,
 * addresses of the family named), version 2's lengths and known families, well-formed TLVs, and the CRC32C
 * TLV where present.
 */
enum proxyproto_result proxyproto_parse(const uint8_t *data, size_t size, struct proxyproto *out);

/*
 * Takes the next TLV off REST (a list of TLVs, such as tlvs above). False at its end and, for lists that were
 * not checked (the inside of an SSL TLV), where it is malformed.
 */
bool proxyproto_tlv_next(struct proxyproto_slice *rest, struct proxyproto_tlv *tlv);

/* The first TLV of TYPE. Data NULL when there is none; one of length zero has data. */
struct proxyproto_slice proxyproto_find(struct proxyproto_slice tlvs, uint8_t type);

/* What a SSL TLV says. False when malformed. SUB: its own TLVs (PROXYPROTO_SSL_*). VERIFY 0: verified. */
bool proxyproto_ssl(struct proxyproto_slice value, uint8_t *client, uint32_t *verify,
                    struct proxyproto_slice *sub);

/* What to tell in a header. Slices and texts that are empty or NULL are left out. */
struct proxyproto_say {
    const struct sockaddr
        *source; /* NULL or not IP (either of the two): version 1 says UNKNOWN, version 2 UNSPEC */
    const struct sockaddr *destination;
    /* version 2 only */
    bool local;                   /* LOCAL: nothing below is sent */
    struct proxyproto_slice alpn; /* as negotiated, without length byte */
    const char *authority;        /* SNI */
    bool ssl;                     /* send a SSL TLV, of the fields below */
    uint8_t client;               /* PROXYPROTO_CLIENT_* */
    uint32_t verify;              /* 0: a certificate was given and verified */
    const char *ssl_version;      /* "TLSv1.3" */
    const char *cipher;           /* "TLS_AES_128_GCM_SHA256" */
    const char *group;            /* "X25519" */
    const char *common_name;      /* the peer's */
    const char *sig_alg;          /* of the peer's certificate, "SHA256" */
    const char *key_alg;          /* of the peer's key, "EC256" */
    bool crc32c;                  /* add a CRC32C TLV over all of it */
};

/*
 * Write a header into OUT (SIZE bytes). Return its length, 0 when it does not fit; PROXYPROTO_MAX always
 * suffices for what the parser would take, and version 1 for PROXYPROTO_V1_MAX. Where one address is IPv4 and
 * the other IPv6, both are sent as IPv6.
 */
size_t proxyproto_write_v1(const struct proxyproto_say *say, uint8_t *out, size_t size);
size_t proxyproto_write_v2(const struct proxyproto_say *say, uint8_t *out, size_t size);

#endif
