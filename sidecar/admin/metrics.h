/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Figures as text, in the two formats that Prometheus reads: its own (version 0.0.4) and OpenMetrics 1.0.0.
 *
 * Every family stands in a table: those that threads count (counters.h) and those that are looked up when
 * somebody asks (METRICS below). Names are without the prefix `outrider_`; the unit is told by their end.
 * What is said of the process has the prefix, too: [scrape NAME] may add a service's figures, which has its
 * own.
 */
#ifndef SIDECAR_ADMIN_METRICS_H
#define SIDECAR_ADMIN_METRICS_H

#include <stdbool.h>
#include <stdio.h>

#include "sidecar/admin/counters.h"

/* FAMILY(id, name, type, labels, help) */
#define METRICS(FAMILY)                                                                                     \
    FAMILY(READY, "ready", "gauge", "", "1 while /readyz says yes.")                                        \
    FAMILY(RELOAD_FAILING, "reload_failing", "gauge", "what",                                               \
           "1 while the configuration or credentials on disk cannot be used.")                              \
    FAMILY(GENERATION, "snapshot_generation", "gauge", "", "Number of the snapshot in service.")            \
    FAMILY(NOT_BEFORE, "certificate_not_before_timestamp_seconds", "gauge", "",                             \
           "When the own certificate begins to be valid.")                                                  \
    FAMILY(NOT_AFTER, "certificate_not_after_timestamp_seconds", "gauge", "",                               \
           "When the own certificate expires.")                                                             \
    FAMILY(CA_NOT_AFTER, "ca_not_after_timestamp_seconds", "gauge", "ca",                                   \
           "When the first certificate of a CA bundle expires; ca is empty for that of [tls].")             \
    FAMILY(CRL_ENTRIES, "crl_entries", "gauge", "ca", "Revoked certificates in the CRLs.")                  \
    FAMILY(CRL_NEXT_UPDATE, "crl_next_update_timestamp_seconds", "gauge", "ca",                             \
           "When the first of the CRLs is due to be replaced, and expires.")                                \
    FAMILY(RULE_EVALUATED, "rule_evaluated_total", "counter", "rule", "Times that a rule was evaluated.")   \
    FAMILY(RULE_MATCHED, "rule_matched_total", "counter", "rule", "Times that a rule matched.")             \
    FAMILY(RULE_ACTED, "rule_acted_total", "counter", "rule",                                               \
           "Times that a rule matched and was no dry run.")                                                 \
    FAMILY(SEQUENCE_EVALUATED, "sequence_evaluated_total", "counter", "sequence",                           \
           "Requests that a sequence was asked about.")                                                     \
    FAMILY(SEQUENCE_MATCHED, "sequence_matched_total", "counter", "sequence",                               \
           "Requests that broke a sequence.")                                                               \
    FAMILY(SEQUENCE_ACTED, "sequence_acted_total", "counter", "sequence",                                   \
           "Requests that broke a sequence which was no dry run.")                                          \
    FAMILY(RATELIMIT_ACTED, "ratelimit_acted_total", "counter", "ratelimit", "Requests over a rate limit.") \
    FAMILY(TABLE_ENTRIES, "table_entries", "gauge", "table", "Entries of what is remembered of callers.")   \
    FAMILY(TABLE_BYTES, "table_bytes", "gauge", "table", "Memory taken for it, used or not.")               \
    FAMILY(TABLE_EVICTED, "table_evicted_total", "counter", "table", "Entries that gave way to others.")    \
    FAMILY(QUARANTINE, "quarantine_entries", "gauge", "", "Certificates in quarantine, some seconds ago.")  \
    FAMILY(PEERS_TRACKED, "peers_tracked", "gauge", "verified",                                             \
           "Certificates of callers that are counted one by one.")                                          \
    FAMILY(CALLER_CONNECTIONS, "caller_connections_total", "counter", "caller",                             \
           "Connections by caller: the busiest by name, all the rest as other.")                            \
    FAMILY(CALLER_REQUESTS, "caller_requests_total", "counter", "caller", "HTTP requests by caller.")       \
    FAMILY(CALLER_RECEIVED, "caller_received_bytes_total", "counter", "caller",                             \
           "Payload bytes that a caller sent.")                                                             \
    FAMILY(CALLER_SENT, "caller_sent_bytes_total", "counter", "caller",                                     \
           "Payload bytes that were sent to a caller.")                                                     \
    FAMILY(CALLER_REFUSED, "caller_refused_total", "counter", "caller",                                     \
           "Connections and requests of a caller that were refused.")                                       \
    FAMILY(WORKERS, "workers", "gauge", "", "Worker threads.")                                              \
    FAMILY(LOOP_STALL, "loop_stall_max_seconds", "gauge", "worker",                                         \
           "Longest time that a worker was kept from its sockets in the last half minute.")                 \
    FAMILY(LOOP_BUSY, "loop_busy_seconds_total", "counter", "worker",                                       \
           "Time that a worker did not wait for its sockets.")                                              \
    FAMILY(RELOAD_STALL, "reload_stall_seconds", "gauge", "worker",                                         \
           "Longest time that the last reload kept a worker from its sockets.")                             \
    FAMILY(LOG_DROPPED, "log_lines_dropped_total", "counter", "",                                           \
           "Log lines dropped because the reader was slow.")                                                \
    FAMILY(SCRAPE_UP, "scrape_up", "gauge", "scrape", "1 where the service's own figures follow.")          \
    FAMILY(MEMORY, "memory_bytes", "gauge", "purpose",                                                      \
           "Other memory by what it is for, where that is known; TLS state of open sessions is not.")       \
    FAMILY(BUILD, "build_info", "info", "version", "The version that runs.")                                \
    FAMILY(PROCESS_MEMORY, "process_resident_memory_bytes", "gauge", "",                                    \
           "Memory of the process that is resident.")                                                       \
    FAMILY(PROCESS_CPU, "process_cpu_seconds_total", "counter", "", "User and system time of the process.") \
    FAMILY(PROCESS_START, "process_start_time_seconds", "gauge", "",                                        \
           "When the process started, since 1970.")                                                         \
    FAMILY(PROCESS_FDS, "process_open_fds", "gauge", "", "Open file descriptors.")                          \
    FAMILY(PROCESS_FDS_MAX, "process_max_fds", "gauge", "", "The limit of open file descriptors.")

enum metric {
#define FAMILY(id, name, type, labels, help) METRIC_##id,
    METRICS(FAMILY)
#undef FAMILY
        METRIC_COUNT
};

/* A text that grows; FAILED once memory ran out. Free TEXT. */
struct metrics_text {
    char *text;
    size_t size, capacity;
    bool failed;
    bool openmetrics; /* the format; set it first */
    const char *name; /* of the family that is open */
};

void metrics_append(struct metrics_text *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Renders the sum of COUNT sets of counters: all families of COUNTERS and HISTOGRAMS. */
void metrics_counters(struct metrics_text *out, const struct counters *const *sets, size_t count);

/* Opens a family: its HELP, TYPE and UNIT lines. Its samples follow, and then no more of it. */
void metrics_family(struct metrics_text *out, enum metric id);

/* A sample of the open family; LABEL NULL: without labels. VALUE is escaped. */
void metrics_integer(struct metrics_text *out, const char *label, const char *value, uint64_t number);
void metrics_seconds(struct metrics_text *out, const char *label, const char *value, double seconds);

/* What OpenMetrics ends with. */
void metrics_end(struct metrics_text *out);

/* Whether an Accept header's value (NULL: none) prefers OpenMetrics to the text format, and the type of the
 * answer. */
bool metrics_wants_openmetrics(const char *accept);
const char *metrics_content_type(bool openmetrics);

/* Writes the reference of all families, from the tables that they are rendered by (Markdown). */
void metrics_reference_print(FILE *out);

#endif
