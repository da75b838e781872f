/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is counted. Each thread counts in a struct counters of its own, without locks; whoever renders adds
 * them up. One row of the table below is one metric line: its identifier, family, labels.
 */
#ifndef SIDECAR_ADMIN_COUNTERS_H
#define SIDECAR_ADMIN_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

/* FAMILY(name, type, help) opens a family; ROW(id, labels) is one of its lines. Names without the prefix. */
#define COUNTERS(FAMILY, ROW)                                                                      \
    FAMILY("connections_accepted_total", "counter", "Connections accepted.")                       \
    ROW(ACCEPTED_IN, "direction=\"inbound\"")                                                      \
    ROW(ACCEPTED_OUT, "direction=\"outbound\"")                                                    \
    FAMILY("connections_open", "gauge", "Connections that are open now.")                          \
    ROW(OPEN_IN, "direction=\"inbound\"")                                                          \
    ROW(OPEN_OUT, "direction=\"outbound\"")                                                        \
    FAMILY("accept_waits_total", "counter",                                                        \
           "Times that a connection had to wait because a limit was reached.")                     \
    ROW(ACCEPT_WAITS, "")                                                                          \
    FAMILY("accept_errors_total", "counter", "Failed accepts: descriptors or memory ran out.")     \
    ROW(ACCEPT_ERRORS, "")                                                                         \
    FAMILY("handshakes_total", "counter", "TLS handshakes that ended.")                            \
    ROW(HANDSHAKE_OK_IN, "direction=\"inbound\",result=\"ok\"")                                    \
    ROW(HANDSHAKE_FAILED_IN, "direction=\"inbound\",result=\"failed\"")                            \
    ROW(HANDSHAKE_OK_OUT, "direction=\"outbound\",result=\"ok\"")                                  \
    ROW(HANDSHAKE_FAILED_OUT, "direction=\"outbound\",result=\"failed\"")                          \
    FAMILY("handshakes_resumed_total", "counter", "Of them, those on an earlier session.")         \
    ROW(RESUMED_IN, "direction=\"inbound\"")                                                       \
    ROW(RESUMED_OUT, "direction=\"outbound\"")                                                     \
    FAMILY("handshake_versions_total", "counter", "Handshakes that came about, by TLS version.")   \
    ROW(VERSION_1_2, "version=\"TLSv1.2\"")                                                        \
    ROW(VERSION_1_3, "version=\"TLSv1.3\"")                                                        \
    FAMILY("handshake_ciphers_total", "counter", "Handshakes that came about, by cipher suite.")   \
    ROW(CIPHER_AES128_13, "cipher=\"TLS_AES_128_GCM_SHA256\"")                                     \
    ROW(CIPHER_AES256_13, "cipher=\"TLS_AES_256_GCM_SHA384\"")                                     \
    ROW(CIPHER_CHACHA_13, "cipher=\"TLS_CHACHA20_POLY1305_SHA256\"")                               \
    ROW(CIPHER_ECDSA_AES128, "cipher=\"ECDHE-ECDSA-AES128-GCM-SHA256\"")                           \
    ROW(CIPHER_RSA_AES128, "cipher=\"ECDHE-RSA-AES128-GCM-SHA256\"")                               \
    ROW(CIPHER_ECDSA_AES256, "cipher=\"ECDHE-ECDSA-AES256-GCM-SHA384\"")                           \
    ROW(CIPHER_RSA_AES256, "cipher=\"ECDHE-RSA-AES256-GCM-SHA384\"")                               \
    ROW(CIPHER_ECDSA_CHACHA, "cipher=\"ECDHE-ECDSA-CHACHA20-POLY1305\"")                           \
    ROW(CIPHER_RSA_CHACHA, "cipher=\"ECDHE-RSA-CHACHA20-POLY1305\"")                               \
    ROW(CIPHER_OTHER, "cipher=\"other\"")                                                          \
    FAMILY("handshake_groups_total", "counter",                                                    \
           "Handshakes that came about, by key exchange group; none where one was resumed.")       \
    ROW(GROUP_X25519MLKEM768, "group=\"X25519MLKEM768\"")                                          \
    ROW(GROUP_X25519, "group=\"X25519\"")                                                          \
    ROW(GROUP_P256, "group=\"P-256\"")                                                             \
    ROW(GROUP_P384, "group=\"P-384\"")                                                             \
    ROW(GROUP_NONE, "group=\"none\"")                                                              \
    ROW(GROUP_OTHER, "group=\"other\"")                                                            \
    FAMILY("handshake_failures_total", "counter", "Handshakes that failed, by cause.")             \
    ROW(CAUSE_NONE_PRESENTED, "cause=\"none_presented\"")                                          \
    ROW(CAUSE_MALFORMED, "cause=\"malformed\"")                                                    \
    ROW(CAUSE_TOO_LONG, "cause=\"too_long\"")                                                      \
    ROW(CAUSE_ISSUER_UNKNOWN, "cause=\"issuer_unknown\"")                                          \
    ROW(CAUSE_BAD_SIGNATURE, "cause=\"bad_signature\"")                                            \
    ROW(CAUSE_EXPIRED, "cause=\"expired\"")                                                        \
    ROW(CAUSE_NOT_YET_VALID, "cause=\"not_yet_valid\"")                                            \
    ROW(CAUSE_REVOKED, "cause=\"revoked\"")                                                        \
    ROW(CAUSE_CONSTRAINED, "cause=\"constrained\"")                                                \
    ROW(CAUSE_WEAK, "cause=\"weak\"")                                                              \
    ROW(CAUSE_CRL_MISSING, "cause=\"crl_missing\"")                                                \
    ROW(CAUSE_CRL_EXPIRED, "cause=\"crl_expired\"")                                                \
    ROW(CAUSE_NAME_NOT_ALLOWED, "cause=\"name_not_allowed\"")                                      \
    ROW(CAUSE_PROTOCOL_VERSION, "cause=\"protocol_version\"")                                      \
    ROW(CAUSE_NOTHING_COMMON, "cause=\"nothing_common\"")                                          \
    ROW(CAUSE_PEER_ALERT, "cause=\"peer_alert\"")                                                  \
    ROW(CAUSE_NOT_TLS, "cause=\"not_tls\"")                                                        \
    ROW(CAUSE_PEER_CLOSED, "cause=\"peer_closed\"")                                                \
    ROW(CAUSE_TIMEOUT, "cause=\"timeout\"")                                                        \
    ROW(CAUSE_OTHER, "cause=\"other\"")                                                            \
    FAMILY("connections_refused_total", "counter",                                                 \
           "Connections that TLS let in and policy refused, by what.")                             \
    ROW(CONNECTIONS_BLOCKED, "by=\"rule\"")                                                        \
    ROW(CONNECTIONS_UNVERIFIED, "by=\"default\"")                                                  \
    ROW(CONNECTIONS_QUARANTINE, "by=\"quarantine\"")                                               \
    ROW(CONNECTIONS_PROTOCOL, "by=\"protocol\"")                                                   \
    FAMILY("sessions_ended_total", "counter", "Connections that ended, by how.")                   \
    ROW(END_CLOSED, "reason=\"closed\"")                                                           \
    ROW(END_RESET, "reason=\"reset\"")                                                             \
    ROW(END_TRUNCATED, "reason=\"truncated\"")                                                     \
    ROW(END_REFUSED, "reason=\"refused\"")                                                         \
    ROW(END_CONNECT, "reason=\"connect_failed\"")                                                  \
    ROW(END_TIMEOUT, "reason=\"timeout\"")                                                         \
    ROW(END_UNTRUSTED, "reason=\"untrusted\"")                                                     \
    ROW(END_DRAINED, "reason=\"drained\"")                                                         \
    ROW(END_ERROR, "reason=\"error\"")                                                             \
    FAMILY("requests_total", "counter", "HTTP requests that ended, by the class of their status.") \
    ROW(REQUESTS_1XX, "code=\"1xx\"")                                                              \
    ROW(REQUESTS_2XX, "code=\"2xx\"")                                                              \
    ROW(REQUESTS_3XX, "code=\"3xx\"")                                                              \
    ROW(REQUESTS_4XX, "code=\"4xx\"")                                                              \
    ROW(REQUESTS_5XX, "code=\"5xx\"")                                                              \
    ROW(REQUESTS_NONE, "code=\"none\"")                                                            \
    FAMILY("requests_refused_total", "counter", "HTTP requests answered here by policy.")          \
    ROW(REQUESTS_BLOCKED, "by=\"rule\"")                                                           \
    ROW(REQUESTS_LIMITED, "by=\"ratelimit\"")                                                      \
    ROW(REQUESTS_QUARANTINE, "by=\"quarantine\"")                                                  \
    ROW(REQUESTS_SEQUENCE, "by=\"sequence\"")                                                      \
    ROW(REQUESTS_UNVERIFIED, "by=\"default\"")                                                     \
    ROW(REQUESTS_HOST, "by=\"host\"")                                                              \
    ROW(REQUESTS_PATH, "by=\"path\"")                                                              \
    FAMILY("requests_repeated_total", "counter",                                                   \
           "HTTP requests sent once more because the idle connection they began on had ended.")    \
    ROW(REQUESTS_REPEATED, "")                                                                     \
    FAMILY("peer_connections_total", "counter",                                                    \
           "Connections to peers that HTTP requests were given, by where they came from.")         \
    ROW(PEER_CONNECTIONS_NEW, "from=\"handshake\"")                                                \
    ROW(PEER_CONNECTIONS_POOL, "from=\"pool\"")                                                    \
    FAMILY("pool_idle_connections", "gauge", "Idle connections to peers, kept for reuse.")         \
    ROW(POOL_IDLE, "")                                                                             \
    FAMILY("pool_closed_total", "counter", "Idle connections to peers that were closed, by why.")  \
    ROW(POOL_CLOSED_PEER, "reason=\"peer\"")                                                       \
    ROW(POOL_CLOSED_AGE, "reason=\"age\"")                                                         \
    ROW(POOL_CLOSED_FULL, "reason=\"full\"")                                                       \
    ROW(POOL_CLOSED_RELOAD, "reason=\"reload\"")                                                   \
    ROW(POOL_CLOSED_UNTRUSTED, "reason=\"untrusted\"")                                             \
    ROW(POOL_CLOSED_DRAIN, "reason=\"drain\"")                                                     \
    FAMILY("quarantined_total", "counter", "Certificates that went into quarantine.")              \
    ROW(QUARANTINED, "")                                                                           \
    FAMILY("headers_left_out_total", "counter", "Header values over the budget, not sent.")        \
    ROW(HEADERS_LEFT_OUT, "")                                                                      \
    FAMILY("bytes_total", "counter", "Payload bytes relayed, by where they came from.")            \
    ROW(BYTES_DOWN_IN, "direction=\"inbound\",from=\"client\"")                                    \
    ROW(BYTES_UP_IN, "direction=\"inbound\",from=\"service\"")                                     \
    ROW(BYTES_DOWN_OUT, "direction=\"outbound\",from=\"client\"")                                  \
    ROW(BYTES_UP_OUT, "direction=\"outbound\",from=\"service\"")                                   \
    FAMILY("sessions_judged_total", "counter",                                                     \
           "Live sessions judged again after a change of trust or time.")                          \
    ROW(JUDGED_KEPT, "verdict=\"kept\"")                                                           \
    ROW(JUDGED_ENDED, "verdict=\"ended\"")                                                         \
    FAMILY("reloads_total", "counter", "Configurations and credentials taken or refused.")         \
    ROW(RELOAD_CONFIG_OK, "what=\"config\",result=\"ok\"")                                         \
    ROW(RELOAD_CONFIG_FAILED, "what=\"config\",result=\"failed\"")                                 \
    ROW(RELOAD_CREDENTIALS_OK, "what=\"credentials\",result=\"ok\"")                               \
    ROW(RELOAD_CREDENTIALS_FAILED, "what=\"credentials\",result=\"failed\"")

enum counter {
#define FAMILY(name, type, help)
#define ROW(id, labels) COUNTER_##id,
    COUNTERS(FAMILY, ROW)
#undef ROW
#undef FAMILY
        COUNTER_COUNT
};

/* Distributions of how long something took, in the same way. */
#define HISTOGRAMS(FAMILY, ROW)                                                                \
    FAMILY("handshake_duration_seconds", "histogram",                                          \
           "Handshakes that came about: from a whole ClientHello (inbound) or the connection " \
           "(outbound) to their end.")                                                         \
    ROW(HANDSHAKE_IN, "direction=\"inbound\"")                                                 \
    ROW(HANDSHAKE_OUT, "direction=\"outbound\"")                                               \
    FAMILY("request_duration_seconds", "histogram",                                            \
           "HTTP requests: from their whole head to the end of request and response.")         \
    ROW(REQUEST_IN, "direction=\"inbound\"")                                                   \
    ROW(REQUEST_OUT, "direction=\"outbound\"")

enum histogram_id {
#define FAMILY(name, type, help)
#define ROW(id, labels) HISTOGRAM_##id,
    HISTOGRAMS(FAMILY, ROW)
#undef ROW
#undef FAMILY
        HISTOGRAM_COUNT
};

/* Upper bounds, in microseconds; what is longer is in the last bucket of all. */
#define HISTOGRAM_BOUNDS                                                                                    \
    {                                                                                                       \
        250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, \
            10000000                                                                                        \
    }
enum { HISTOGRAM_BUCKETS = 16 };

struct histogram {
    uint64_t bucket[HISTOGRAM_BUCKETS];
    uint64_t sum; /* ns */
};

struct counters {
    uint64_t value[COUNTER_COUNT];
    struct histogram histogram[HISTOGRAM_COUNT];
};

/* By the owning thread alone. */
static inline void counter_add(struct counters *c, enum counter id, uint64_t n)
{
    __atomic_store_n(&c->value[id], c->value[id] + n, __ATOMIC_RELAXED);
}

static inline void counter_sub(struct counters *c, enum counter id, uint64_t n)
{
    __atomic_store_n(&c->value[id], c->value[id] - n, __ATOMIC_RELAXED);
}

static inline void histogram_add(struct counters *c, enum histogram_id id, uint64_t ns)
{
    static const uint32_t bounds[] = HISTOGRAM_BOUNDS;
    struct histogram *h = &c->histogram[id];
    uint64_t us = (ns + 999) / 1000;
    unsigned at = 0;
    while (at < HISTOGRAM_BUCKETS - 1 && us > bounds[at])
        at++;
    __atomic_store_n(&h->bucket[at], h->bucket[at] + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&h->sum, h->sum + ns, __ATOMIC_RELAXED);
}

/* By any thread. */
static inline uint64_t counter_read(const struct counters *c, enum counter id)
{
    return __atomic_load_n(&c->value[id], __ATOMIC_RELAXED);
}

#endif
