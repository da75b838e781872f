/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The configuration: an INI file read into typed, validated, immutable structs.
 *
 * config_load() reads, checks every line and every combination, and reports all mistakes, not just the first.
 * Everything a struct config points to lives and dies with it; nothing in it changes after config_load().
 * Durations are milliseconds, sizes are bytes; 0 means "off" where the key's help says so.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

/* Where in the file something was said; line 0 means "nowhere: a default". */
struct config_place {
    unsigned line;   /* from 1 */
    unsigned column; /* from 1, in bytes */
};

struct config_strings {
    char **item;
    size_t count;
};

/* An address to listen on or a literal address to connect to: IP and port, or a UNIX socket. */
struct config_addr {
    enum config_addr_kind { CONFIG_ADDR_NONE, CONFIG_ADDR_IP, CONFIG_ADDR_UNIX } kind;
    struct sockaddr_storage ip; /* CONFIG_ADDR_IP; port in network order within */
    char *path;                 /* CONFIG_ADDR_UNIX, written unix:/path */
    char *text;                 /* as it was written */
};

/* Where to connect to: host name or address literal and port, or a UNIX socket. */
struct config_target {
    enum config_target_kind { CONFIG_TARGET_NONE, CONFIG_TARGET_HOST, CONFIG_TARGET_UNIX } kind;
    char *host; /* name or literal, without brackets */
    uint16_t port;
    char *path;
    char *text;
};

struct config_cidr {
    struct sockaddr_storage ip;
    uint8_t bits;
};

struct config_cidrs {
    struct config_cidr *item;
    size_t count;
};

enum config_client_auth { CONFIG_CLIENT_AUTH_REQUIRE, CONFIG_CLIENT_AUTH_REQUEST, CONFIG_CLIENT_AUTH_NONE };
enum config_protocol { CONFIG_PROTOCOL_AUTO, CONFIG_PROTOCOL_TCP, CONFIG_PROTOCOL_HTTP };
enum config_log_format { CONFIG_LOG_JSON, CONFIG_LOG_TEXT };
enum config_log_level { CONFIG_LOG_ERROR, CONFIG_LOG_WARN, CONFIG_LOG_INFO, CONFIG_LOG_DEBUG };
enum config_proxy_in { CONFIG_PROXY_IN_OFF, CONFIG_PROXY_IN_REQUIRE };
enum config_proxy_out { CONFIG_PROXY_OUT_OFF, CONFIG_PROXY_OUT_V1, CONFIG_PROXY_OUT_V2 };
enum config_tls_version { CONFIG_TLS_1_2, CONFIG_TLS_1_3 };

/* [sidecar]: the process. */
struct config_sidecar {
    unsigned workers;          /* 0: auto, by the cgroup's CPU limit, else at most two */
    struct config_addr health; /* kind NONE: no health listener */
    struct config_addr admin;
    uint64_t drain_timeout;  /* ms */
    uint64_t start_timeout;  /* ms to wait for valid credentials at start; 0: for ever */
    uint64_t max_connections; /* sessions at once, all listeners; 0: no limit but the descriptors' */
    uint64_t max_handshakes;  /* half-open sessions at once */
    enum config_log_format log_format;
    enum config_log_level log_level;
    uint64_t log_refused_per_second; /* lines for refused handshakes, then counted; 0: no limit */
};

/* [tls]: own identity, trust, and what the handshake may use. Defaults of every inbound and outbound. */
struct config_tls {
    char *directory; /* of tls.crt, tls.key, ca.crt, crl.pem or another layout that certrotate knows */
    enum config_tls_version min_version;
    struct config_strings ciphers; /* IANA or OpenSSL names, in order of preference; none: the defaults */
    struct config_strings groups;  /* X25519MLKEM768, X25519, P-256, P-384 */
    enum config_client_auth client_auth;
    uint64_t handshake_timeout; /* ms */
};

/* [ca NAME]: other trust for callers that ask for one of these hostnames by SNI. */
struct config_ca {
    char *name;
    struct config_place place;
    char *file;                      /* PEM or DER bundle */
    struct config_strings hostnames; /* exact or *.suffix, lower-case */
    struct config_strings inbounds;  /* names; none: every inbound */
};

/* What inbounds and outbounds have in common: one hop. */
struct config_limits {
    uint64_t max_connections; /* 0: no limit of its own */
    uint64_t connect_timeout; /* ms, for all addresses together */
    uint64_t idle_timeout;    /* ms without a byte either way; 0: off */
    uint64_t half_close_timeout; /* ms without a byte once one side has closed; 0: off */
    uint64_t total_timeout;   /* ms a session may last; 0: off */
    uint64_t keepalive;       /* ms of idleness until the first TCP keepalive probe; 0: off */
};

/* [inbound NAME]: mutual TLS in, the local service behind. */
struct config_inbound {
    char *name;
    struct config_place place;
    struct config_addr listen;
    struct config_target forward;
    enum config_protocol protocol;
    enum config_client_auth client_auth; /* [tls]'s unless said here */
    struct config_strings allow_san;     /* none: any peer that the trust accepts */
    bool plaintext_allow;                /* plaintext = allow | refuse */
    enum config_proxy_in proxy_in;
    struct config_cidrs proxy_from;
    enum config_proxy_out proxy_out;
    struct config_strings alpn; /* offered to callers, in order; none: whatever they ask for is left open */
    struct config_limits limits;
};

/* [outbound NAME]: plaintext from the local service, mutual TLS to the peer. */
struct config_outbound {
    char *name;
    struct config_place place;
    struct config_addr listen;
    struct config_target connect;
    char *server_name;               /* SNI, and the SAN demanded where allow_san is absent */
    struct config_strings allow_san; /* none: server_name must be a SAN */
    enum config_proxy_out proxy_out; /* sent to the peer inside TLS */
    struct config_strings alpn;
    struct config_limits limits;
};

struct config {
    char *path; /* of the file, as given */
    struct config_sidecar sidecar;
    struct config_tls tls;
    struct config_ca *ca;
    size_t ca_count;
    struct config_inbound *inbound;
    size_t inbound_count;
    struct config_outbound *outbound;
    size_t outbound_count;
    struct config_arena *arena; /* everything above */
};

/* One mistake (or warning) of a configuration file. */
struct config_problem {
    enum config_severity { CONFIG_ERROR, CONFIG_WARNING } severity;
    struct config_place place; /* line 0: of the file as a whole */
    unsigned length;           /* bytes to underline from place, at least 1 */
    char *message;             /* what is wrong, without a full stop */
    char *suggestion;          /* what was probably meant, or NULL */
    char *source;              /* the line as it stands in the file, or NULL */
};

struct config_report {
    char *path;
    struct config_problem *problem;
    size_t count;
    size_t errors; /* those with severity CONFIG_ERROR */
};

/*
 * Reads PATH ("-" is standard input). Returns the configuration, owned by the caller (config_free), or NULL
 * when there is at least one error. REPORT is filled either way and owned by the caller (config_report_clear).
 */
struct config *config_load(const char *path, struct config_report *report) __attribute__((warn_unused_result));

/* The same from memory; PATH is only quoted in messages. TEXT need not end in a zero byte. */
struct config *config_parse(const char *path, const char *text, size_t length, struct config_report *report)
    __attribute__((warn_unused_result));

void config_free(struct config *config);

/* Prints every problem as people read them: file:line:column, message, the line, a caret, the suggestion. */
void config_report_print(const struct config_report *report, FILE *out);
void config_report_clear(struct config_report *report);

/* Writes the reference of all sections and keys, from the very table that the loader reads by (Markdown). */
void config_reference_print(FILE *out);

#endif
