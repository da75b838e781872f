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

struct counters {
    uint64_t value[COUNTER_COUNT];
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

/* By any thread. */
static inline uint64_t counter_read(const struct counters *c, enum counter id)
{
    return __atomic_load_n(&c->value[id], __ATOMIC_RELAXED);
}

#endif
