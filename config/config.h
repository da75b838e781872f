/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The configuration: an INI file read into typed, validated, immutable structs.
 *
 * config_load() reads, checks every line and every combination, and reports all mistakes, not just the first.
 * Everything a struct config points to lives and dies with it; nothing in it changes after config_load().
 * Durations are milliseconds, sizes are bytes; 0 means "off" where the key's help says so.
 *
 * What only another room can judge (rule expressions, SAN patterns, names of ciphers and groups) is kept as
 * text together with its place, so that the room can add its own problems to the same report:
 * config_report_add().
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

enum {
    CONFIG_FILE_MAX = 1 << 20, /* bytes of a configuration file */
    CONFIG_NAME_MAX = 49,      /* bytes of a key, and of what stands between the brackets of a section */
};

/* Where in the file something was said; line 0 means "nowhere: a default". */
struct config_place {
    unsigned line;   /* from 1 */
    unsigned column; /* from 1, in bytes */
};

/* A list separated by commas; place says where each item stands. */
struct config_strings {
    char **item;
    struct config_place *place;
    size_t count;
};

/*
 * Text for another room to compile. Lines that continue it are joined by one blank; the segments, ascending
 * by offset, lead from an offset in the text back to the file.
 */
struct config_segment {
    size_t offset;
    struct config_place place;
    unsigned length; /* bytes that stand there in the file */
    bool fixed;      /* came from the environment: all of it stands at this one place */
};

struct config_text {
    char *text; /* ends in a zero byte; NULL: not given */
    size_t length;
    struct config_segment *segment;
    size_t segment_count;
};

struct config_texts {
    struct config_text *item;
    size_t count;
};

/* An address to listen on or a literal address to connect to: IP and port, or a UNIX socket. */
struct config_addr {
    enum config_addr_kind { CONFIG_ADDR_NONE, CONFIG_ADDR_IP, CONFIG_ADDR_UNIX } kind;
    struct sockaddr_storage ip; /* CONFIG_ADDR_IP; port in network order within */
    char *path;                 /* CONFIG_ADDR_UNIX, written unix:/path */
    char *text;                 /* as it was written */
};

struct config_addrs {
    struct config_addr *item;
    struct config_place *place;
    size_t count;
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
    struct sockaddr_storage ip; /* bits beyond the prefix are zero; port 0 */
    uint8_t bits;
};

struct config_cidrs {
    struct config_cidr *item;
    size_t count;
};

/* A list of numbers and spans: 22, 9000-9100. */
struct config_range {
    uint32_t first, last; /* inclusive */
};

struct config_ranges {
    struct config_range *item;
    size_t count;
};

enum config_client_auth { CONFIG_CLIENT_AUTH_REQUIRE, CONFIG_CLIENT_AUTH_REQUEST, CONFIG_CLIENT_AUTH_NONE };
enum config_protocol { CONFIG_PROTOCOL_AUTO, CONFIG_PROTOCOL_TCP, CONFIG_PROTOCOL_HTTP };
/* The same as enum headers_traceparent. */
enum config_traceparent {
    CONFIG_TRACEPARENT_PASS,
    CONFIG_TRACEPARENT_SAMPLED,
    CONFIG_TRACEPARENT_UNSAMPLED,
};
enum config_log_format { CONFIG_LOG_JSON, CONFIG_LOG_TEXT };
enum config_log_level { CONFIG_LOG_ERROR, CONFIG_LOG_WARN, CONFIG_LOG_INFO, CONFIG_LOG_DEBUG };
enum config_proxy_in { CONFIG_PROXY_IN_OFF, CONFIG_PROXY_IN_REQUIRE };
enum config_proxy_out { CONFIG_PROXY_OUT_OFF, CONFIG_PROXY_OUT_V1, CONFIG_PROXY_OUT_V2 };
enum config_tls_version { CONFIG_TLS_1_2, CONFIG_TLS_1_3 };
enum config_layout { /* in the order of certrotate's enum credentials_layout */
                     CONFIG_LAYOUT_AUTO,
                     CONFIG_LAYOUT_KUBERNETES,
                     CONFIG_LAYOUT_SPIFFE,
                     CONFIG_LAYOUT_BUNDLE,
                     CONFIG_LAYOUT_SINGLE,
                     CONFIG_LAYOUT_FILES,
};
enum config_crl_missing { CONFIG_CRL_MISSING_ACCEPT, CONFIG_CRL_MISSING_REJECT };
enum config_crl_expired { CONFIG_CRL_EXPIRED_REJECT, CONFIG_CRL_EXPIRED_WARN };
enum config_on_untrusted { CONFIG_ON_UNTRUSTED_CLOSE, CONFIG_ON_UNTRUSTED_DRAIN, CONFIG_ON_UNTRUSTED_KEEP };
enum config_revoked { CONFIG_REVOKED_REFUSE, CONFIG_REVOKED_RULE };
enum config_path_ambiguity { CONFIG_PATH_AMBIGUITY_REFUSE, CONFIG_PATH_AMBIGUITY_PASS };
enum config_rules_default { CONFIG_RULES_AUTO, CONFIG_RULES_ALLOW, CONFIG_RULES_DENY };
enum config_action { CONFIG_ACTION_BLOCK, CONFIG_ACTION_ALLOW, CONFIG_ACTION_LOG, CONFIG_ACTION_SKIP };
enum config_list_kind {
    CONFIG_LIST_AUTO, /* by the fields that rules compare with it */
    CONFIG_LIST_STRING,
    CONFIG_LIST_INTEGER,
    CONFIG_LIST_IP,
    CONFIG_LIST_FINGERPRINT,
    CONFIG_LIST_SERIAL,
};
enum config_forward { /* bits */
                      CONFIG_FORWARD_CLOUDFLARE = 1 << 0,
                      CONFIG_FORWARD_XFCC = 1 << 1,
                      CONFIG_FORWARD_RFC9440 = 1 << 2,
};
enum config_probe_kind { CONFIG_PROBE_HTTP, CONFIG_PROBE_TCP, CONFIG_PROBE_GRPC };
enum config_xfcc_mode {
    CONFIG_XFCC_SANITIZE_SET,
    CONFIG_XFCC_APPEND_FORWARD,
    CONFIG_XFCC_SANITIZE,
    CONFIG_XFCC_FORWARD_ONLY,
    CONFIG_XFCC_ALWAYS_FORWARD_ONLY,
};
enum config_xfcc_detail { /* bits; By and Hash are always there */
                          CONFIG_XFCC_SUBJECT = 1 << 0,
                          CONFIG_XFCC_URI = 1 << 1,
                          CONFIG_XFCC_DNS = 1 << 2,
                          CONFIG_XFCC_CERT = 1 << 3,
                          CONFIG_XFCC_CHAIN = 1 << 4,
};

/* [sidecar]: the process. */
struct config_sidecar {
    unsigned workers;          /* 0: auto, by the cgroup's CPU limit, else at most two */
    struct config_addr health; /* kind NONE: no health listener */
    struct config_addrs admin; /* loopback or UNIX */
    uint64_t drain_timeout;    /* ms */
    uint64_t drain_delay; /* ms that inbounds go on accepting after readiness went off; below drain_timeout */
    uint64_t start_timeout;   /* ms to wait for valid credentials at start; 0: for ever */
    uint64_t max_connections; /* sessions at once, all listeners; 0: no limit but the descriptors' */
    uint64_t max_handshakes;  /* half-open sessions at once */
    enum config_log_format log_format;
    enum config_log_level log_level;
    bool log_sessions;               /* a line for each session that ends */
    bool log_requests;               /* a line for each HTTP request */
    uint64_t log_requests_every;     /* of those that went well, each how manieth has a line */
    uint64_t log_refused_per_second; /* lines for refused handshakes, then counted; 0: no limit */
    uint64_t peers_tracked;          /* certificates of callers that are counted one by one */
    uint64_t metrics_peers;          /* callers that metrics name */
};

/* [tls]: own identity, trust, and what the handshake may use. Defaults of every inbound and outbound. */
struct config_tls {
    char *
        directory; /* of tls.crt, tls.key, ca.crt, crl.pem or another layout that certrotate knows; or NULL */
    enum config_layout layout;
    char *certificate; /* these replace the layout's names; relative to directory, or absolute; or NULL */
    char *key;
    char *ca;
    char *crl;
    char *password_file;
    bool strict_permissions;
    enum config_crl_missing crl_missing;
    enum config_crl_expired crl_expired;
    enum config_on_untrusted on_untrusted; /* what becomes of live sessions */
    uint64_t trust_grace;                  /* ms a drained TCP session still has */
    bool resumption;
    uint64_t poll; /* ms; 0: automatic */
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
    char *file;                          /* PEM or DER bundle */
    char *crl;                           /* of this trust; NULL: none */
    enum config_crl_missing crl_missing; /* [tls]'s unless said here */
    enum config_crl_expired crl_expired;
    struct config_strings hostnames; /* exact or *.suffix, lower-case */
    struct config_strings inbounds;  /* names; none: every inbound */
};

/* What inbounds and outbounds have in common: one hop. */
struct config_limits {
    uint64_t max_connections;    /* 0: no limit of its own */
    uint64_t connect_timeout;    /* ms, for all addresses together */
    uint64_t idle_timeout;       /* ms without a byte either way; 0: off */
    uint64_t half_close_timeout; /* ms without a byte once one side has closed; 0: off */
    uint64_t total_timeout;      /* ms a session may last; 0: off */
    uint64_t keepalive;          /* ms of idleness until the first TCP keepalive probe; 0: off */
};

/* [inbound NAME]: mutual TLS in, the local service behind. */
struct config_inbound {
    char *name;
    struct config_place place;
    struct config_addr listen;
    struct config_target forward;
    enum config_protocol protocol;
    bool tcp_fallback_allow; /* tcp_fallback = allow | refuse: with protocol = auto, pass what is not HTTP
                                although rules on http.*, rate limits or [headers] apply */
    enum config_client_auth client_auth; /* [tls]'s unless said here */
    struct config_strings allow_san;     /* none: any peer that the trust accepts */
    enum config_revoked revoked;
    enum config_path_ambiguity path_ambiguity;
    bool plaintext_allow; /* plaintext = allow | refuse */
    enum config_proxy_in proxy_in;
    struct config_cidrs proxy_from;
    enum config_proxy_out proxy_out;
    struct config_strings alpn; /* offered to callers, in order; none: whatever they ask for is left open */
    uint64_t request_timeout;   /* ms; HTTP: a head as a whole, the next piece of a body; 0: off */
    uint64_t response_timeout;  /* ms; HTTP: until an answer begins, the next piece of it; 0: off */
    uint64_t keepalive_timeout; /* ms; HTTP/1: until the next request begins; 0: off */
    struct config_limits limits;
};

/* [outbound NAME]: plaintext from the local service, mutual TLS to the peer. */
struct config_outbound {
    char *name;
    struct config_place place;
    struct config_addr listen; /* kind NONE: it has destinations instead */
    struct config_target connect;
    struct config_cidrs destinations; /* captured connections to these, on these ports (none: on all) */
    struct config_ranges ports;
    bool passthrough;  /* captured connections go on as they are, without TLS */
    char *server_name; /* SNI, lower-case, and the SAN demanded where allow_san is absent; the host of
                          connect where that is a name and nothing is said here; else NULL */
    struct config_strings allow_san; /* none: server_name must be a SAN */
    enum config_proxy_out proxy_out; /* sent to the peer inside TLS */
    struct config_strings alpn;
    bool http;          /* protocol = http: requests are looked at, and idle connections kept for others */
    bool pool_any;      /* pool_for = any: requests that cannot be repeated go out on those, too */
    uint64_t pool_size; /* idle connections, each worker; 0: none */
    uint64_t pool_idle; /* ms that one is kept */
    uint64_t pool_age;  /* ms after which one is not kept any more; 0: off */
    uint64_t request_timeout;   /* as an inbound's */
    uint64_t response_timeout;  /* likewise */
    uint64_t keepalive_timeout; /* likewise */
    struct config_limits limits;
};

/* [capture]: the application's connections, redirected here by the kernel (`sidecar redirect`). */
struct config_capture {
    unsigned port;                /* on 127.0.0.1 and ::1; 0: nothing is captured */
    struct config_addr listen[2]; /* those two, once port is set */
    struct config_ranges uids;    /* whose connections are the sidecar's own, or not to be captured */
    struct config_ranges exclude_ports;
    struct config_cidrs exclude;
};

/* [rules]: what holds where no rule decides. */
struct config_rules {
    enum config_rules_default fallback; /* default = auto | allow | deny */
    uint64_t expression_max;            /* bytes of one expression */
    uint64_t regexes_max;               /* in one expression */
    uint64_t regex_max;                 /* bytes of one, compiled */
    uint64_t ratelimit_entries;         /* of the table of all rate limits */
    uint64_t certificate_entries;       /* of quarantine's table, and of that of sequences */
};

/* [rule NAME], in file order. */
struct config_rule {
    char *name;
    struct config_place place;
    struct config_text expression;
    enum config_action action;
    unsigned status; /* of the answer to HTTP */
    char *body;      /* NULL: the usual one */
    bool enabled;
    bool dry_run;
    struct config_strings inbound; /* names; none: every inbound */
};

/* [list NAME]: named members for `in $NAME`. */
struct config_list {
    char *name;
    struct config_place place;
    enum config_list_kind kind;
    struct config_strings values;
    char *file; /* one member a line; NULL: none. Both may be given. */
};

/* [ratelimit NAME], in file order. */
struct config_ratelimit {
    char *name;
    struct config_place place;
    struct config_text expression;
    struct config_texts characteristics; /* at least one */
    uint64_t requests;
    uint64_t period;                        /* ms */
    struct config_text counting_expression; /* text NULL: as expression */
    uint64_t mitigation_timeout;            /* ms; 0: only what is over the limit is acted on */
    enum config_action action;              /* BLOCK or LOG */
    unsigned status;
    char *body;
    struct config_strings inbound;
};

/* [expression NAME]: a step of sequences. */
struct config_expression {
    char *name;
    struct config_place place;
    struct config_text expression;
};

/* [sequence NAME], in file order. */
struct config_sequence {
    char *name;
    struct config_place place;
    struct config_text steps;  /* names of expressions with -> between them */
    uint64_t window;           /* ms */
    enum config_action action; /* BLOCK or LOG */
    unsigned status;
    char *body;
    bool enabled;
    bool dry_run;
    struct config_strings inbound;
};

/* [quarantine NAME]: a certificate that is blocked too often is refused for a time. */
struct config_quarantine {
    char *name;
    struct config_place place;
    uint64_t threshold;        /* requests that are blocked or break a sequence */
    uint64_t period;           /* ms, in which they are counted */
    uint64_t duration;         /* ms, for which the certificate is refused */
    enum config_action action; /* BLOCK or LOG */
    struct config_strings inbound;
};

/* request.NAME or response.NAME of [headers]: a header from an expression or a field. */
struct config_header {
    char *name; /* as written: a token by RFC 9110 */
    struct config_place place;
    struct config_text value;
};

/* [headers] (name NULL) and [headers NAME], in file order. */
struct config_headers {
    char *name;
    struct config_place place;
    unsigned forward; /* bits of enum config_forward */
    enum config_xfcc_mode xfcc_mode;
    unsigned xfcc_details;                   /* bits of enum config_xfcc_detail */
    struct config_strings trusted_proxy_san; /* callers whose own XFCC may be kept */
    bool x_forwarded_for;
    bool x_forwarded_proto;
    bool forwarded; /* RFC 7239 */
    enum config_traceparent traceparent;
    bool request_id;                 /* make X-Request-Id where it is absent or malformed */
    struct config_strings inbounds;  /* names; none: every inbound, or none where there are outbounds */
    struct config_strings outbounds; /* names; none: every outbound, or none where there are inbounds */
    struct config_strings hostnames; /* exact or *.suffix, lower-case; none: every host */
    uint64_t max_value;              /* bytes of one header value; what is larger is left out */
    struct config_header *request;   /* to the service */
    size_t request_count;
    struct config_header *response; /* back to the caller */
    size_t response_count;
};

/* [probe NAME]: /probes/NAME of the health listener asks the local service. */
struct config_probe {
    char *name; /* part of a path */
    struct config_place place;
    enum config_probe_kind kind;
    struct config_target connect; /* loopback or UNIX */
    char *request;                /* HTTP: path, "/" unless said; gRPC: service, or NULL */
    uint64_t timeout;             /* ms */
};

/* [scrape NAME]: the service's own figures, in /metrics beside the sidecar's. */
struct config_scrape {
    char *name;
    struct config_place place;
    struct config_target connect; /* loopback or UNIX */
    char *request;                /* path and query */
    uint64_t timeout;             /* ms */
};

struct config {
    char *path;    /* of the file, as given */
    uint64_t hash; /* of its text: tells one from another (FNV-1a), and is no secret */
    struct config_sidecar sidecar;
    struct config_tls tls;
    struct config_capture capture;
    struct config_rules rules;
    struct config_ca *ca;
    size_t ca_count;
    struct config_inbound *inbound;
    size_t inbound_count;
    struct config_outbound *outbound;
    size_t outbound_count;
    struct config_rule *rule;
    size_t rule_count;
    struct config_list *list;
    size_t list_count;
    struct config_ratelimit *ratelimit;
    size_t ratelimit_count;
    struct config_expression *expression;
    size_t expression_count;
    struct config_sequence *sequence;
    size_t sequence_count;
    struct config_quarantine *quarantine;
    size_t quarantine_count;
    struct config_headers *headers;
    size_t headers_count;
    struct config_probe *probe;
    size_t probe_count;
    struct config_scrape *scrape;
    size_t scrape_count;
    char *effective;            /* all that was set, as INI without secrets (config/redact.h) */
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
    struct config_problem *problem; /* at most CONFIG_PROBLEMS_MAX */
    size_t count;
    size_t errors; /* those with severity CONFIG_ERROR, also those beyond the maximum */
    char *text;    /* the file, to quote from */
    size_t text_length;
};

enum { CONFIG_PROBLEMS_MAX = 500 };

/*
 * Reads PATH ("-" is standard input). Returns the configuration, owned by the caller (config_free), or NULL
 * when there is at least one error. REPORT is filled either way and owned by the caller
 * (config_report_clear); it need not be initialised. Touches no file but PATH and no global but the
 * environment (`${NAME}`).
 */
struct config *config_load(const char *path, struct config_report *report)
    __attribute__((warn_unused_result));

/* The same from memory; PATH is only quoted in messages. TEXT need not end in a zero byte. */
struct config *config_parse(const char *path, const char *text, size_t length, struct config_report *report)
    __attribute__((warn_unused_result));

/*
 * The same two, but where there are errors they return what could be read nevertheless, so that other rooms
 * can add theirs to the report. It is good for nothing else: names of sections and texts may be NULL in it,
 * and what was wrong has its default.
 */
struct config *config_scan_file(const char *path, struct config_report *report)
    __attribute__((warn_unused_result));
struct config *config_scan(const char *path, const char *text, size_t length, struct config_report *report)
    __attribute__((warn_unused_result));

void config_free(struct config *config); /* NULL is fine */

/* Where the byte at OFFSET (up to the length itself) of a text stands in the file. */
struct config_place config_text_place(const struct config_text *text, size_t offset);

/*
 * Adds a problem found by another room, with the line at PLACE quoted and LENGTH bytes of it underlined (0
 * counts as 1). SUGGESTION may be NULL. Both texts are copied. Without memory the problem is still counted.
 */
void config_report_add(struct config_report *report, enum config_severity severity, struct config_place place,
                       unsigned length, const char *suggestion, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* Prints every problem as people read them: file:line:column, message, the line, a caret, the suggestion. */
void config_report_print(const struct config_report *report, FILE *out);
void config_report_clear(struct config_report *report);

/* Writes the reference of all sections and keys, from the very table that the loader reads by (Markdown). */
void config_reference_print(FILE *out);

#endif
