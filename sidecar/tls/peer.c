/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/tls/peer.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include "certrotate/der.h"

enum {
    BUCKETS_START_LOG = 6,
    JUDGED_MAX = 4, /* verdicts kept per peer: a few CA associations, in both directions */
};

/* A verdict, for one trust and purpose; the list of a peer begins with the last used. */
struct tls_peer_judged {
    struct tls_peer_judged *next;
    enum tls_purpose purpose;
    int64_t judged_at;
    struct tls_verdict verdict;
};

struct tls_peers {
    struct tls_peer **buckets;
    size_t bucket_count; /* a power of two */
    unsigned shift;      /* 64 - its logarithm */
    size_t count;
    struct tls_peer *idle_first, *idle_last; /* the longest idle one is last */
    size_t idle_bytes, idle_bytes_max;
    uint64_t factor; /* odd and secret, so that nobody can choose certificates that share a bucket */
};

/* --- one block of memory per peer --- */

/* Measures while BASE is NULL; then the same calls hand out that many bytes. */
struct arena {
    char *base;
    size_t used;
};

static void *reserve(struct arena *a, size_t size)
{
    void *p = a->base ? a->base + a->used : NULL;
    a->used += size;
    return p;
}

typedef size_t (*name_text_fn)(struct x509_slice name, char *out, size_t size);

static const char *name_text(struct arena *a, name_text_fn text, struct x509_slice name)
{
    size_t size = text(name, NULL, 0) + 1;
    char *out = reserve(a, size);
    if (out)
        text(name, out, size);
    return out;
}

static const char *hex_text(struct arena *a, struct x509_slice octets)
{
    size_t size = x509_hex(octets, true, NULL, 0) + 1;
    char *out = reserve(a, size);
    if (out)
        x509_hex(octets, true, out, size);
    return out;
}

static const char *serial_text(struct arena *a, const struct x509 *cert)
{
    size_t size = x509_serial_hex(cert, NULL, 0) + 1;
    char *out = reserve(a, size);
    if (out)
        x509_serial_hex(cert, out, size);
    return out;
}

/* Printable ASCII as it is, everything else as \xXX. */
static size_t escape(struct x509_slice in, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;
    for (size_t i = 0; i < in.size; i++) {
        uint8_t c = in.data[i];
        bool plain = c >= 0x20 && c < 0x7f && c != '\\';
        if (out && plain)
            out[n] = (char)c;
        else if (out)
            memcpy(out + n, (char[4]){'\\', 'x', digits[c >> 4], digits[c & 15]}, 4);
        n += plain ? 1 : 4;
    }
    if (out)
        out[n] = 0;
    return n;
}

static const char *common_name(struct arena *a, const struct x509 *cert)
{
    struct x509_attribute list[X509_ATTRIBUTES_MAX];
    struct x509_slice value = {NULL, 0};
    int count = x509_name_attributes(cert->subject, list, X509_ATTRIBUTES_MAX);
    for (int i = 0; i < count; i++)
        if (der_equal(list[i].oid, "\x55\x04\x03", 3))
            value = list[i].value;
    char *out = reserve(a, escape(value, NULL) + 1);
    if (out)
        escape(value, out);
    return out;
}

static void fill_san(struct arena *a, const struct x509_san *from, struct tls_san *to)
{
    static const enum tls_san_kind kind[] = {[X509_SAN_DNS] = TLS_SAN_DNS,
                                             [X509_SAN_URI] = TLS_SAN_URI,
                                             [X509_SAN_IP] = TLS_SAN_IP,
                                             [X509_SAN_EMAIL] = TLS_SAN_EMAIL};
    struct tls_san san = {.kind = kind[from->kind]};
    char ip[INET6_ADDRSTRLEN];
    struct x509_slice text = from->value;
    if (san.kind == TLS_SAN_IP) {
        san.ip_size = (uint8_t)from->value.size;
        memcpy(san.ip, from->value.data, from->value.size);
        inet_ntop(san.ip_size == 4 ? AF_INET : AF_INET6, san.ip, ip, sizeof ip);
        text = (struct x509_slice){(const uint8_t *)ip, strlen(ip)};
    }
    char *out = reserve(a, escape(text, NULL) + 1);
    if (!out)
        return;
    san.text_size = (uint32_t)escape(text, out);
    san.text = out;
    *to = san;
}

/* What needs room beside the struct. While measuring, PEER is a scratch one. */
static void fill(struct arena *a, const struct x509 *leaf, const struct tls_der *chain, size_t count,
                 struct tls_peer *peer)
{
    struct tls_der *der = reserve(a, count * sizeof *der);
    struct tls_san *san = reserve(a, leaf->san_count * sizeof *san);
    for (size_t i = 0; i < count; i++) {
        uint8_t *copy = reserve(a, chain[i].size);
        if (copy && chain[i].size > 0)
            memcpy(copy, chain[i].data, chain[i].size);
        if (der)
            der[i] = (struct tls_der){copy, chain[i].size};
    }
    for (size_t i = 0; i < leaf->san_count; i++)
        fill_san(a, &leaf->san[i], san ? &san[i] : NULL);
    peer->chain = der;
    peer->san = san;
    peer->subject = name_text(a, x509_name_rfc2253, leaf->subject);
    peer->issuer = name_text(a, x509_name_rfc2253, leaf->issuer);
    peer->subject_legacy = name_text(a, x509_name_legacy, leaf->subject);
    peer->issuer_legacy = name_text(a, x509_name_legacy, leaf->issuer);
    peer->common_name = common_name(a, leaf);
    peer->serial = serial_text(a, leaf);
    peer->ski = hex_text(a, leaf->ski);
}

/* STATUS and ERROR are changed where it is not memory that is missing. */
static struct tls_peer *new_peer(const struct tls_der *chain, size_t count, enum tls_status *status,
                                 const char **error)
{
    struct x509 leaf;
    struct tls_peer scratch;
    struct arena measure = {NULL, 0};
    const char *wrong = x509_parse(chain[0].data, chain[0].size, &leaf);
    if (wrong) {
        *status = TLS_MALFORMED;
        *error = wrong;
        return NULL;
    }
    fill(&measure, &leaf, chain, count, &scratch);
    size_t bytes = sizeof scratch + measure.used;
    struct tls_peer *peer = calloc(1, bytes);
    if (!peer)
        return NULL;
    struct arena arena = {(char *)(peer + 1), 0};
    fill(&arena, &leaf, chain, count, peer);
    assert(arena.used == measure.used);
    peer->chain_count = count;
    peer->san_count = leaf.san_count;
    peer->san_too_many = leaf.san_too_many;
    peer->not_before = leaf.not_before;
    peer->not_after = leaf.not_after;
    peer->bytes = bytes;
    uint8_t sha1[20];
    x509_sha256(leaf.der, peer->fingerprint);
    x509_sha1(leaf.der, sha1);
    x509_hex((struct x509_slice){peer->fingerprint, 32}, false, peer->sha256, sizeof peer->sha256);
    x509_hex((struct x509_slice){sha1, 20}, false, peer->sha1, sizeof peer->sha1);
    return peer;
}

static void free_peer(struct tls_peer *peer)
{
    if (peer->extra_free)
        peer->extra_free(peer->extra);
    while (peer->judged) {
        struct tls_peer_judged *next = peer->judged->next;
        free(peer->judged);
        peer->judged = next;
    }
    free(peer);
}

/* --- the table --- */

struct tls_peers *tls_peers_new(size_t idle_bytes)
{
    struct tls_peers *table = calloc(1, sizeof *table);
    if (!table)
        return NULL;
    table->idle_bytes_max = idle_bytes;
    table->bucket_count = (size_t)1 << BUCKETS_START_LOG;
    table->shift = 64 - BUCKETS_START_LOG;
    table->buckets = calloc(table->bucket_count, sizeof(struct tls_peer *));
    if (!table->buckets ||
        getrandom(&table->factor, sizeof table->factor, 0) != (ssize_t)sizeof table->factor) {
        free(table->buckets);
        free(table);
        return NULL;
    }
    table->factor |= 1;
    return table;
}

/* Multiply-shift: two hashes share a bucket no oftener than by chance, whoever has made them. */
static struct tls_peer **bucket_of(struct tls_peers *table, const uint8_t hash[32])
{
    uint64_t part;
    memcpy(&part, hash, sizeof part);
    return &table->buckets[(part * table->factor) >> table->shift];
}

/* Without memory for more buckets the lists just grow longer. */
static void grow(struct tls_peers *table)
{
    struct tls_peer **old = table->buckets,
                    **fresh = calloc(table->bucket_count * 2, sizeof(struct tls_peer *));
    size_t old_count = table->bucket_count;
    if (!fresh)
        return;
    table->buckets = fresh;
    table->bucket_count *= 2;
    table->shift--;
    for (size_t i = 0; i < old_count; i++)
        while (old[i]) {
            struct tls_peer *peer = old[i];
            old[i] = peer->hash_next;
            struct tls_peer **bucket = bucket_of(table, peer->chain_hash);
            peer->hash_next = *bucket;
            *bucket = peer;
        }
    free(old);
}

static void idle_remove(struct tls_peers *table, struct tls_peer *peer)
{
    if (peer->idle_prev)
        peer->idle_prev->idle_next = peer->idle_next;
    else
        table->idle_first = peer->idle_next;
    if (peer->idle_next)
        peer->idle_next->idle_prev = peer->idle_prev;
    else
        table->idle_last = peer->idle_prev;
    peer->idle_prev = peer->idle_next = NULL;
    table->idle_bytes -= peer->bytes;
}

static void idle_add(struct tls_peers *table, struct tls_peer *peer)
{
    peer->idle_next = table->idle_first;
    if (table->idle_first)
        table->idle_first->idle_prev = peer;
    else
        table->idle_last = peer;
    table->idle_first = peer;
    table->idle_bytes += peer->bytes;
}

static void drop_oldest(struct tls_peers *table)
{
    struct tls_peer *peer = table->idle_last;
    idle_remove(table, peer);
    struct tls_peer **at = bucket_of(table, peer->chain_hash);
    while (*at != peer)
        at = &(*at)->hash_next;
    *at = peer->hash_next;
    table->count--;
    free_peer(peer);
}

void tls_peers_free(struct tls_peers *table)
{
    if (!table)
        return;
    while (table->idle_last)
        drop_oldest(table);
    assert(table->count == 0);
    free(table->buckets);
    free(table);
}

size_t tls_peers_count(const struct tls_peers *table)
{
    return table->count;
}

/* --- interning --- */

static bool chain_hash(const struct tls_der *chain, size_t count, uint8_t hash[32])
{
    wc_Sha256 sha;
    bool ok = true;
    if (wc_InitSha256(&sha) != 0)
        return false;
    for (size_t i = 0; ok && i < count; i++) {
        /* Where one certificate ends and the next begins is part of what is hashed. */
        uint32_t size = (uint32_t)chain[i].size;
        ok = wc_Sha256Update(&sha, (const uint8_t *)&size, sizeof size) == 0 &&
             (size == 0 || wc_Sha256Update(&sha, chain[i].data, size) == 0);
    }
    ok = ok && wc_Sha256Final(&sha, hash) == 0;
    wc_Sha256Free(&sha);
    return ok;
}

struct tls_peer *tls_peers_find(struct tls_peers *table, const uint8_t hash[32])
{
    for (struct tls_peer *p = *bucket_of(table, hash); p; p = p->hash_next)
        if (memcmp(p->chain_hash, hash, sizeof p->chain_hash) == 0) {
            if (p->refs == 0)
                idle_remove(table, p);
            p->refs++;
            return p;
        }
    return NULL;
}

struct tls_peer *tls_peers_intern(struct tls_peers *table, const struct tls_der *chain, size_t count,
                                  enum tls_status *status, const char **error)
{
    uint8_t hash[32];
    if (count == 0) {
        *status = TLS_NONE_PRESENTED;
        *error = "no certificate";
        return NULL;
    }
    bool too_long = count > TLS_CHAIN_MAX;
    for (size_t i = 0; i < count; i++)
        too_long |= chain[i].size > TLS_CERT_SIZE_MAX;
    if (too_long) {
        *status = TLS_TOO_LONG;
        *error = "certificate chain too long";
        return NULL;
    }
    *status = TLS_OUT_OF_MEMORY;
    *error = "out of memory";
    if (!chain_hash(chain, count, hash))
        return NULL;
    struct tls_peer *peer = tls_peers_find(table, hash);
    if (!peer)
        peer = new_peer(chain, count, status, error);
    if (!peer || peer->table)
        return peer;
    if (table->count >= table->bucket_count)
        grow(table);
    memcpy(peer->chain_hash, hash, sizeof hash);
    struct tls_peer **bucket = bucket_of(table, hash);
    peer->hash_next = *bucket;
    *bucket = peer;
    peer->table = table;
    peer->refs = 1;
    table->count++;
    return peer;
}

struct tls_peer *tls_peer_ref(struct tls_peer *peer)
{
    assert(peer->refs > 0);
    peer->refs++;
    return peer;
}

void tls_peer_unref(struct tls_peer *peer)
{
    if (!peer)
        return;
    assert(peer->refs > 0);
    if (--peer->refs > 0)
        return;
    struct tls_peers *table = peer->table;
    idle_add(table, peer);
    while (table->idle_bytes > table->idle_bytes_max)
        drop_oldest(table);
}

/* --- verdicts --- */

/* The place for a verdict by GENERATION and PURPOSE, at the head of the list; NULL when out of memory. */
static struct tls_peer_judged *judged_for(struct tls_peer *peer, uint64_t generation,
                                          enum tls_purpose purpose, bool *found)
{
    struct tls_peer_judged **at = &peer->judged, **last = NULL;
    size_t count = 0;
    *found = false;
    for (; *at; at = &(*at)->next) {
        *found = (*at)->verdict.generation == generation && (*at)->purpose == purpose;
        if (*found)
            break;
        last = at;
        count++;
    }
    if (!*found && count >= JUDGED_MAX)
        at = last; /* the one not used for longest */
    struct tls_peer_judged *judged = *at;
    if (judged) {
        *at = judged->next;
    } else {
        judged = calloc(1, sizeof *judged);
        if (!judged)
            return NULL;
        peer->bytes += sizeof *judged;
    }
    judged->next = peer->judged;
    peer->judged = judged;
    return judged;
}

const struct tls_verdict *tls_peer_verdict(struct tls_peer *peer, const struct tls_trust *trust,
                                           enum tls_purpose purpose, int64_t now)
{
    static const struct tls_verdict no_memory = {.status = TLS_OUT_OF_MEMORY, .words = "out of memory"};
    bool found;
    assert(peer->refs > 0);
    struct tls_peer_judged *judged = judged_for(peer, tls_trust_generation(trust), purpose, &found);
    if (!judged)
        return &no_memory;
    /* A clock that was set back makes every verdict doubtful, too. */
    if (!found || now >= judged->verdict.recheck_at || now < judged->judged_at) {
        judged->verdict = tls_judge(trust, peer->chain, peer->chain_count, purpose, now);
        judged->purpose = purpose;
        judged->judged_at = now;
    }
    return &judged->verdict;
}

const struct tls_verdict *tls_peer_last_verdict(const struct tls_peer *peer, const struct tls_trust *trust,
                                                enum tls_purpose purpose)
{
    for (const struct tls_peer_judged *j = peer->judged; j; j = j->next)
        if (j->verdict.generation == tls_trust_generation(trust) && j->purpose == purpose)
            return &j->verdict;
    return NULL;
}
