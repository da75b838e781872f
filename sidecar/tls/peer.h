/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who a peer is: its certificates and what they say, interned once per worker and shared by all its sessions.
 *
 * A table belongs to one worker (no locks). A peer is counted; when its last session goes it may stay a while
 * among the idle ones (bounded), so that a caller that reconnects costs no new parsing and no new verdict.
 */
#ifndef SIDECAR_TLS_PEER_H
#define SIDECAR_TLS_PEER_H

#include "sidecar/tls/trust.h"

enum tls_san_kind { TLS_SAN_DNS, TLS_SAN_URI, TLS_SAN_IP, TLS_SAN_EMAIL };

struct tls_san {
    enum tls_san_kind kind;
    uint8_t ip_size; /* IP: 4 or 16 */
    uint8_t ip[16];  /* IP: the address */
    uint32_t text_size;
    const char *text; /* printable ASCII or escaped; IP: as text. Zero-terminated; never a zero byte within */
};

struct tls_peer {
    /* Set once by tls_peers_intern(), then constant. Texts end in zero and are never NULL. */
    const struct tls_der *chain; /* as presented, leaf first; own memory of the peer */
    size_t chain_count;
    const char *subject; /* RFC 2253 */
    const char *issuer;
    const char *subject_legacy; /* /C=.../CN=... */
    const char *issuer_legacy;
    const char *common_name; /* last CN of the subject, for logs only; "" if none */
    const char *serial;      /* hex, upper-case */
    const char *ski; /* hex, upper-case; "" if absent. The issuer's: struct tls_verdict has it proven */
    char sha256[65]; /* fingerprint of the leaf, hex, lower-case */
    char sha1[41];
    uint8_t fingerprint[32]; /* SHA-256 of the leaf */
    uint8_t chain_hash[32];  /* of the chain as presented: the same in every worker's table */
    int64_t not_before;      /* seconds since 1970 */
    int64_t not_after;
    const struct tls_san *san;
    size_t san_count;
    bool san_too_many; /* there are more, of which SAN has no room (X509_SANS_MAX) */

    /* Room for what later modules make of it once (ready header text); freed by EXTRA_FREE with the peer. */
    void *extra;
    void (*extra_free)(void *extra);

    /* Private to peer.c. */
    struct tls_peers *table;
    struct tls_peer *hash_next;
    struct tls_peer *idle_prev, *idle_next;
    struct tls_peer_judged *judged;
    uint32_t refs;
    size_t bytes;
};

struct tls_peers; /* the table of one worker */

/* IDLE_BYTES: memory that peers without a session may hold. NULL when out of memory. */
struct tls_peers *tls_peers_new(size_t idle_bytes) __attribute__((warn_unused_result));
void tls_peers_free(struct tls_peers *table);          /* every peer must have been released */
size_t tls_peers_count(const struct tls_peers *table); /* idle ones included */

/*
 * Finds or makes the peer of this very CHAIN (leaf first). Returns it with one more reference, or NULL when
 * there is none, the leaf is not a certificate, the chain is beyond TLS_CHAIN_MAX or TLS_CERT_SIZE_MAX, or
 * memory is out; STATUS then says which (NONE_PRESENTED, MALFORMED, TOO_LONG, OUT_OF_MEMORY), and ERROR in
 * words (a static string).
 */
struct tls_peer *tls_peers_intern(struct tls_peers *table, const struct tls_der *chain, size_t count,
                                  enum tls_status *status, const char **error)
    __attribute__((warn_unused_result));
/* The peer with this chain_hash, idle or not, with one more reference; NULL: not here (any more). */
struct tls_peer *tls_peers_find(struct tls_peers *table, const uint8_t chain_hash[32])
    __attribute__((warn_unused_result));
struct tls_peer *tls_peer_ref(struct tls_peer *peer);
void tls_peer_unref(struct tls_peer *peer); /* NULL is fine */

/*
 * The verdict on PEER, judged once per trust and purpose and kept until its recheck_at; with peers interned
 * this is what makes judging all live sessions again cheap. Never NULL. Valid until the next call for this
 * peer.
 */
const struct tls_verdict *tls_peer_verdict(struct tls_peer *peer, const struct tls_trust *trust,
                                           enum tls_purpose purpose, int64_t now);
/* The verdict as it was made last, however long ago. NULL: none is kept. */
const struct tls_verdict *tls_peer_last_verdict(const struct tls_peer *peer, const struct tls_trust *trust,
                                                enum tls_purpose purpose);

#endif
