/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/table.h"

#include <string.h>

#include "config/config.h"

/* clang-format off */
#define ONE(section) sizeof(struct config_##section), offsetof(struct config, section), 0
#define MANY(section) sizeof(struct config_##section), offsetof(struct config, section), offsetof(struct config, section##_count)

const struct config_section config_sections[SECTION_COUNT] = {
    {"sidecar", SECTION_SIDECAR, NAMED_NO, ONE(sidecar), "The process: workers, the health and admin listeners, limits, logs."},
    {"tls", SECTION_TLS, NAMED_NO, ONE(tls), "The sidecar's own certificate, whom it trusts, and what a handshake may use."},
    {"ca", SECTION_CA, NAMED_YES, MANY(ca), "Bring your own CA: other trust for callers that ask for one of these hostnames (by SNI). A caller that asks for another name, or for none, is judged by [tls]."},
    {"inbound", SECTION_INBOUND, NAMED_YES, MANY(inbound), "Mutual TLS in, the local service behind."},
    {"outbound", SECTION_OUTBOUND, NAMED_YES, MANY(outbound), "Plaintext from the local service, mutual TLS to the peer. It has an address of its own (`listen` and `connect`), or takes captured connections by their `destinations`; of several that fit, the first in the file counts, and what fits none is refused. Who answers must carry a name of `allow_san`, or `server_name` where there is no `allow_san`."},
    {"capture", SECTION_CAPTURE, NAMED_NO, ONE(capture), "Transparent mode: `sidecar redirect` has the kernel lead the application's TCP connections here, and callers of the port that an inbound forwards to, to that inbound."},
    {"rules", SECTION_RULES, NAMED_NO, ONE(rules), "What holds where no rule decides."},
    {"rule", SECTION_RULE, NAMED_YES, MANY(rule), "A rule. Rules run in the order of the file; the first `block`, `allow` or `skip` that matches ends it."},
    {"list", SECTION_LIST, NAMED_YES, MANY(list), "A named list, for `in $NAME` in expressions. The name holds only a-z, 0-9, `_` and, not at either end, `.`."},
    {"ratelimit", SECTION_RATELIMIT, NAMED_YES, MANY(ratelimit), "A rate limit over a sliding window. Limits run after the rules, in the order of the file."},
    {"expression", SECTION_EXPRESSION, NAMED_YES, MANY(expression), "An expression with a name: a step of sequences."},
    {"sequence", SECTION_SEQUENCE, NAMED_YES, MANY(sequence), "Requests of one certificate in the order that is expected. A step may come again, and the first always; a later one that comes without the one before it, itself in order, breaks the sequence. A request counts when it comes, whatever the service answers; one that is refused does not. Callers without a certificate get no further than the first step. Sequences run after the rate limits, in the order of the file."},
    {"quarantine", SECTION_QUARANTINE, NAMED_YES, MANY(quarantine), "A certificate of which too many requests were blocked, or broke a sequence that is no dry run, is refused for a time: each new connection, each HTTP request, and open TCP connections after `trust_grace`. An administrator can lift it."},
    {"headers", SECTION_HEADERS, NAMED_MAY, MANY(headers), "Which headers tell the service who called. `[headers NAME]` replaces `[headers]` as a whole for its inbounds and hostnames; of several that fit, the first counts. A header that could be set here is always removed from what callers send."},
    {"probe", SECTION_PROBE, NAMED_YES, MANY(probe), "A probe of the local service, for whoever asks the health listener for `/probes/NAME`: kubelet, which cannot come to the service itself under mutual TLS. 200 where it is well, else 503 and why. Nothing but what is declared here can be asked for."},
    {"scrape", SECTION_SCRAPE, NAMED_YES, MANY(scrape), "Figures of the local service, which `/metrics` serves with the sidecar's own: nobody else can come to them under mutual TLS. In Prometheus' text format; with several of these sections each sample tells by the label `scrape` whose it is; families whose names begin with `outrider_` are left out. `outrider_scrape_up` tells whether the service answered."},
};

#define AT(section, field) .at = offsetof(struct config_##section, field), .size = sizeof(((struct config_##section *)0)->field)
#define ARRAY(section, field) .at = offsetof(struct config_##section, field), .size = sizeof(void *), .count = offsetof(struct config_##section, field##_count)
#define IS(text) .fallback = (text)
#define MUST .required = true
#define WORDS(text) .words = (text)
#define FROM(low, high) .min = (low), .max = (high)
#define SECOND UINT64_C(1000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define KIB UINT64_C(1024)

#define ACTIONS_TWO "block||log"
#define LIMITS(SECTION, section, connect) \
    {SECTION, KEY_NUMBER, "max_connections", AT(section, limits.max_connections), IS("off"), WORDS("off"), FROM(0, 100000000), .help = "Sessions at once here; beyond it, new ones wait to be accepted."}, \
    {SECTION, KEY_DURATION, "connect_timeout", AT(section, limits.connect_timeout), IS(connect), FROM(1, HOUR), .help = "For connecting onwards, all addresses of a name together."}, \
    {SECTION, KEY_DURATION, "idle_timeout", AT(section, limits.idle_timeout), IS("off"), WORDS("off"), FROM(0, 30 * DAY), .help = "Ends a session without a byte either way."}, \
    {SECTION, KEY_DURATION, "half_close_timeout", AT(section, limits.half_close_timeout), IS("off"), WORDS("off"), FROM(0, 30 * DAY), .help = "Ends a session that one side has closed, without a byte from the other."}, \
    {SECTION, KEY_DURATION, "total_timeout", AT(section, limits.total_timeout), IS("off"), WORDS("off"), FROM(0, 365 * DAY), .help = "Ends a session of this age."}, \
    {SECTION, KEY_DURATION, "keepalive", AT(section, limits.keepalive), IS("60s"), WORDS("off"), FROM(0, DAY), .help = "Idle time until the first TCP keepalive probe, on both legs."}

const struct config_key config_keys[] = {
    {SECTION_SIDECAR, KEY_NUMBER, "workers", AT(sidecar, workers), IS("auto"), WORDS("auto"), FROM(0, 256), .help = "Threads that carry traffic. `auto` follows the cgroup's CPU limit, rounded up; without a limit, at most two."},
    {SECTION_SIDECAR, KEY_ADDR, "health", AT(sidecar, health), .help = "Where `/healthz`, `/readyz` and `/metrics` are served; may face the pod's address."},
    {SECTION_SIDECAR, KEY_ADDRS, "admin", AT(sidecar, admin), .help = "Where the status page and everything else is served: loopback addresses, and UNIX sockets, which only the sidecar's own user may open. State changes only over a UNIX socket. Over TCP, Host must be a loopback name or address, with any port (`kubectl port-forward`), and a browser's Origin the same."},
    {SECTION_SIDECAR, KEY_DURATION, "drain_timeout", AT(sidecar, drain_timeout), IS("25s"), FROM(0, DAY), .help = "From SIGTERM to the end, whatever still runs. Keep it below the pod's terminationGracePeriodSeconds."},
    {SECTION_SIDECAR, KEY_DURATION, "drain_delay", AT(sidecar, drain_delay), IS("3s"), FROM(0, DAY), .help = "How long inbounds go on accepting after readiness went off, so that load balancers can notice; part of `drain_timeout`."},
    {SECTION_SIDECAR, KEY_DURATION, "start_timeout", AT(sidecar, start_timeout), IS("60s"), WORDS("off"), FROM(0, DAY), .help = "How long to wait, not ready, for valid credentials at start. `off`: for ever."},
    {SECTION_SIDECAR, KEY_NUMBER, "max_connections", AT(sidecar, max_connections), IS("off"), WORDS("off"), FROM(0, 100000000), .help = "Sessions at once, all listeners together. `off`: as many as there are file descriptors for."},
    {SECTION_SIDECAR, KEY_NUMBER, "max_handshakes", AT(sidecar, max_handshakes), IS("512"), FROM(1, 1000000), .help = "Handshakes at once; each holds up to 17 KiB. Beyond it, new connections wait to be accepted."},
    {SECTION_SIDECAR, KEY_ENUM, "log_format", AT(sidecar, log_format), IS("json"), WORDS("json|text"), .help = "How log lines look, on standard error."},
    {SECTION_SIDECAR, KEY_ENUM, "log_level", AT(sidecar, log_level), IS("info"), WORDS("error|warn|info|debug"), .help = "The least important line that is still written."},
    {SECTION_SIDECAR, KEY_BOOL, "log_sessions", AT(sidecar, log_sessions), IS("true"), .help = "A line for each session that ends."},
    {SECTION_SIDECAR, KEY_BOOL, "log_requests", AT(sidecar, log_requests), IS("true"), .help = "A line for each HTTP request."},
    {SECTION_SIDECAR, KEY_NUMBER, "log_requests_every", AT(sidecar, log_requests_every), IS("1"), FROM(1, 1000000), .help = "Of the requests that went well, only each so manieth has its line, which tells how many had none. Refused and failed ones always have."},
    {SECTION_SIDECAR, KEY_NUMBER, "log_refused_per_second", AT(sidecar, log_refused_per_second), IS("10"), WORDS("off"), FROM(0, 1000000), .help = "Lines in a second for connections and requests that were refused or whose service was not reached, all causes together (twice as many at once, after a quiet time); those of one kind, the same cause and the same caller, have no more than that in ten seconds. Each worker has its share of both. What is left out is counted in the next line that is written: as `repeated` those of its kind, as `not_logged` all others. `off`: no limit."},
    {SECTION_SIDECAR, KEY_NUMBER, "peers_tracked", AT(sidecar, peers_tracked), IS("1000"), FROM(16, 1000000), .help = "Certificates of callers that are counted one by one, for `/peers`, for metrics and for `outrider.cert_connections` and `outrider.cert_requests`; where there are more, the busiest. These two count what came to all workers since the start of the process, this connection and this request included. About 1 KiB each."},
    {SECTION_SIDECAR, KEY_NUMBER, "metrics_peers", AT(sidecar, metrics_peers), IS("20"), FROM(0, 1000), .help = "Callers that `/metrics` names; the rest is one line, `other`."},

    {SECTION_TLS, KEY_PATH, "directory", AT(tls, directory), .help = "A mounted folder with certificate, key, CA bundle and CRLs, followed as it changes."},
    {SECTION_TLS, KEY_ENUM, "layout", AT(tls, layout), IS("auto"), WORDS("auto|kubernetes|spiffe|bundle|single|files"), .help = "Which files to expect. `kubernetes`: tls.crt, tls.key, ca.crt, crl.pem. `spiffe`: svid.pem, svid_key.pem, svid_bundle.pem. `bundle`: key and chain in one file, as a podCertificate volume has it. `single`: the only PEM file that holds a key. `files`: those named here. `auto`: the first that fits."},
    {SECTION_TLS, KEY_PATH, "certificate", AT(tls, certificate), .help = "File of the own chain, leaf first. A file named here replaces the layout's; relative names are below `directory`."},
    {SECTION_TLS, KEY_PATH, "key", AT(tls, key), .help = "File of the private key: PKCS#8, SEC1 or PKCS#1."},
    {SECTION_TLS, KEY_PATH, "ca", AT(tls, ca), .help = "File of the trusted roots."},
    {SECTION_TLS, KEY_PATH, "crl", AT(tls, crl), .help = "File of one or several CRLs."},
    {SECTION_TLS, KEY_PATH, "password_file", AT(tls, password_file), .help = "File whose first line decrypts the private key."},
    {SECTION_TLS, KEY_BOOL, "strict_permissions", AT(tls, strict_permissions), IS("false"), .help = "Refuse a private key that a foreign group or others may read or write."},
    {SECTION_TLS, KEY_ENUM, "crl_missing", AT(tls, crl_missing), IS("accept"), WORDS("accept|reject"), .help = "A certificate whose issuer has no CRL. `reject` holds where there is no CRL at all, too."},
    {SECTION_TLS, KEY_ENUM, "crl_expired", AT(tls, crl_expired), IS("reject"), WORDS("reject|warn"), .help = "A certificate whose issuer's CRL is past its nextUpdate."},
    {SECTION_TLS, KEY_ENUM, "on_untrusted", AT(tls, on_untrusted), IS("close"), WORDS("close|drain|keep"), .help = "What becomes of a live session whose peer is no longer trusted."},
    {SECTION_TLS, KEY_DURATION, "trust_grace", AT(tls, trust_grace), IS("10s"), FROM(0, DAY), .help = "How long a drained TCP session still has."},
    {SECTION_TLS, KEY_ENUM, "resumption", AT(tls, resumption), IS("off"), WORDS("off|on"), .help = "Session tickets. They never outlive or cross trust, hostname or CA association."},
    {SECTION_TLS, KEY_DURATION, "poll", AT(tls, poll), IS("auto"), WORDS("auto"), FROM(0, DAY), .help = "How often files are looked at even without an event. `auto`: 10s, or 800ms where there are no events."},
    {SECTION_TLS, KEY_ENUM, "min_version", AT(tls, min_version), IS("1.2"), WORDS("1.2|1.3"), .help = "The oldest TLS version."},
    {SECTION_TLS, KEY_STRINGS, "ciphers", AT(tls, ciphers), .help = "Cipher suites by IANA or OpenSSL name, most wanted first. Default: all with AEAD and ephemeral keys."},
    {SECTION_TLS, KEY_STRINGS, "groups", AT(tls, groups), .help = "Key exchange groups, most wanted first: X25519MLKEM768, X25519, P-256, P-384. Default: the first three; of an outbound that may speak TLS 1.2 all four, since a server's certificate on P-384 needs that group there."},
    {SECTION_TLS, KEY_ENUM, "client_auth", AT(tls, client_auth), IS("require"), WORDS("require|request|none"), .help = "Whether callers must show a certificate. With `request`, who has none is let in as not verified, for rules to judge. So a certificate can be demanded for some paths alone, without any renegotiation: `[rules] default = allow`, and a rule that blocks where `not cf.tls_client_auth.cert_verified and starts_with(http.request.uri.path, \"/admin\")`."},
    {SECTION_TLS, KEY_DURATION, "handshake_timeout", AT(tls, handshake_timeout), IS("10s"), FROM(1, HOUR), .help = "For a TLS handshake, from the connection on."},

    {SECTION_CA, KEY_PATH, "file", AT(ca, file), MUST, .help = "File of the trusted roots."},
    {SECTION_CA, KEY_HOSTNAMES, "hostnames", AT(ca, hostnames), MUST, .help = "The names, exact or `*.suffix`, that choose this trust."},
    {SECTION_CA, KEY_INBOUNDS, "inbounds", AT(ca, inbounds), .help = "The inbounds it serves. Default: all."},
    {SECTION_CA, KEY_PATH, "crl", AT(ca, crl), .help = "File of one or several CRLs for this trust."},
    {SECTION_CA, KEY_ENUM, "crl_missing", AT(ca, crl_missing), WORDS("accept|reject"), .help = "As in [tls]. Default: what [tls] says."},
    {SECTION_CA, KEY_ENUM, "crl_expired", AT(ca, crl_expired), WORDS("reject|warn"), .help = "As in [tls]. Default: what [tls] says."},

    {SECTION_INBOUND, KEY_ADDR, "listen", AT(inbound, listen), MUST, .help = "Where callers connect to."},
    {SECTION_INBOUND, KEY_TARGET, "forward", AT(inbound, forward), MUST, .help = "The local service."},
    {SECTION_INBOUND, KEY_ENUM, "protocol", AT(inbound, protocol), IS("auto"), WORDS("auto|tcp|http"), .help = "What is spoken. `auto` looks at ALPN, then at the first bytes."},
    {SECTION_INBOUND, KEY_ENUM, "tcp_fallback", AT(inbound, tcp_fallback_allow), IS("refuse"), WORDS("refuse|allow"), .help = "With `protocol = auto`, whether to pass what is not HTTP although rules on `http.*`, rate limits or [headers] apply here."},
    {SECTION_INBOUND, KEY_ENUM, "client_auth", AT(inbound, client_auth), WORDS("require|request|none"), .help = "As in [tls]. Default: what [tls] says."},
    {SECTION_INBOUND, KEY_STRINGS, "allow_san", AT(inbound, allow_san), .help = "Who may call, by SAN: DNS name, IP address or URI, exact or with `*`. Default: whoever the trust accepts."},
    {SECTION_INBOUND, KEY_ENUM, "revoked", AT(inbound, revoked), IS("refuse"), WORDS("refuse|rule"), .help = "A revoked certificate: refused in the handshake, or left to the rules (`cf.tls_client_auth.cert_revoked`)."},
    {SECTION_INBOUND, KEY_ENUM, "path_ambiguity", AT(inbound, path_ambiguity), IS("refuse"), WORDS("refuse|pass"), .help = "Paths with `%00`, `%2f`, a backslash and the like, where a rule looks at the path."},
    {SECTION_INBOUND, KEY_ENUM, "plaintext", AT(inbound, plaintext_allow), IS("refuse"), WORDS("refuse|allow"), .help = "Whether callers without TLS are let in, for a migration; they count as not verified."},
    {SECTION_INBOUND, KEY_ENUM, "proxy_protocol", AT(inbound, proxy_in), IS("off"), WORDS("off|require"), .help = "Whether callers must begin with a PROXY protocol header (v1 or v2)."},
    {SECTION_INBOUND, KEY_CIDRS, "proxy_from", AT(inbound, proxy_from), .help = "Who may send that header."},
    {SECTION_INBOUND, KEY_ENUM, "send_proxy", AT(inbound, proxy_out), IS("off"), WORDS("off|v1|v2"), .help = "The PROXY protocol header to send to the service; v2 carries what is known of the TLS session."},
    {SECTION_INBOUND, KEY_STRINGS, "alpn", AT(inbound, alpn), .help = "Protocols to agree on by ALPN, most wanted first."},
    {SECTION_INBOUND, KEY_DURATION, "request_timeout", AT(inbound, request_timeout), IS("30s"), WORDS("off"), FROM(0, DAY), .help = "HTTP: for a request's head as a whole, and for each next piece of its body. HTTP/2: for the preface and the ACK of SETTINGS, too; bodies of gRPC, whose calls have deadlines of their own, may pause for as long as they like."},
    {SECTION_INBOUND, KEY_DURATION, "response_timeout", AT(inbound, response_timeout), IS("off"), WORDS("off"), FROM(0, DAY), .help = "HTTP: for the service to begin its answer, and for each next piece of it."},
    {SECTION_INBOUND, KEY_DURATION, "keepalive_timeout", AT(inbound, keepalive_timeout), IS("75s"), WORDS("off"), FROM(0, DAY), .help = "HTTP: how long a connection may wait for its next request."},
    LIMITS(SECTION_INBOUND, inbound, "5s"),

    {SECTION_OUTBOUND, KEY_ADDR, "listen", AT(outbound, listen), .help = "Where the local service connects to: a loopback address or a UNIX socket."},
    {SECTION_OUTBOUND, KEY_TARGET, "connect", AT(outbound, connect), .help = "The peer."},
    {SECTION_OUTBOUND, KEY_CIDRS, "destinations", AT(outbound, destinations), .help = "In place of `listen` and `connect`: captured connections to these networks."},
    {SECTION_OUTBOUND, KEY_RANGES, "ports", AT(outbound, ports), FROM(1, 65535), .help = "On these ports. Default: all."},
    {SECTION_OUTBOUND, KEY_ENUM, "passthrough", AT(outbound, passthrough), IS("refuse"), WORDS("refuse|allow"), .help = "`allow`: what is captured for these destinations goes on as it is, without TLS."},
    {SECTION_OUTBOUND, KEY_ENUM, "protocol", AT(outbound, http), IS("tcp"), WORDS("tcp|http"), .help = "What the local service speaks. `tcp`: anything; nothing is looked at or waited for, `alpn` is offered as it stands, and each local connection has one to the peer. `http`: the first bytes, which an HTTP client always sends, tell whether h2 or http/1.1 is offered to the peer by ALPN; who sends none within `handshake_timeout` or speaks no HTTP is refused. A peer that does not agree on h2 is sent none: the call fails with 502, or UNAVAILABLE for gRPC. Requests of HTTP/1.1 are written anew, as on inbounds; the peer is connected to when one asks for it, and a connection left idle serves the next local connection to the same destination."},
    {SECTION_OUTBOUND, KEY_HOSTNAME, "server_name", AT(outbound, server_name), .help = "The name to ask for (SNI). Default: the host of `connect`, where that is a name."},
    {SECTION_OUTBOUND, KEY_STRINGS, "allow_san", AT(outbound, allow_san), .help = "Who may answer, by SAN, as for inbounds. Default: `server_name`."},
    {SECTION_OUTBOUND, KEY_ENUM, "send_proxy", AT(outbound, proxy_out), IS("off"), WORDS("off|v1|v2"), .help = "The PROXY protocol header to send to the peer, within TLS."},
    {SECTION_OUTBOUND, KEY_STRINGS, "alpn", AT(outbound, alpn), .help = "Protocols to offer by ALPN, most wanted first."},
    {SECTION_OUTBOUND, KEY_NUMBER, "pool_size", AT(outbound, pool_size), IS("32"), WORDS("off"), FROM(0, 10000), .help = "HTTP: idle connections kept here, by each worker. None is kept with `send_proxy`, which speaks for one caller."},
    {SECTION_OUTBOUND, KEY_DURATION, "pool_idle", AT(outbound, pool_idle), IS("30s"), FROM(SECOND, DAY), .help = "HTTP: for how long; less where the peer says so by `Keep-Alive: timeout`. Keep it below the time after which the peer closes them."},
    {SECTION_OUTBOUND, KEY_DURATION, "pool_age", AT(outbound, pool_age), IS("10m"), WORDS("off"), FROM(0, 30 * DAY), .help = "HTTP: a connection older than this is not kept."},
    {SECTION_OUTBOUND, KEY_ENUM, "pool_for", AT(outbound, pool_any), IS("repeatable"), WORDS("repeatable|any"), .help = "HTTP: which requests may begin on an idle connection. `repeatable`: those of an idempotent method whose body, if any, is at hand: should the peer close the connection just then, they are sent once more on a new one. `any`: others as well, to which this race then shows as 502."},
    {SECTION_OUTBOUND, KEY_DURATION, "request_timeout", AT(outbound, request_timeout), IS("30s"), WORDS("off"), FROM(0, DAY), .help = "HTTP: as for inbounds."},
    {SECTION_OUTBOUND, KEY_DURATION, "response_timeout", AT(outbound, response_timeout), IS("off"), WORDS("off"), FROM(0, DAY), .help = "HTTP: for the peer to begin its answer, and for each next piece of it."},
    {SECTION_OUTBOUND, KEY_DURATION, "keepalive_timeout", AT(outbound, keepalive_timeout), IS("75s"), WORDS("off"), FROM(0, DAY), .help = "HTTP: how long a local connection may wait for its next request."},
    LIMITS(SECTION_OUTBOUND, outbound, "10s"),

    {SECTION_CAPTURE, KEY_NUMBER, "port", AT(capture, port), IS("off"), WORDS("off"), FROM(0, 65535), .help = "Port of the capture listener, on 127.0.0.1 and ::1."},
    {SECTION_CAPTURE, KEY_RANGES, "uids", AT(capture, uids), IS("65532"), FROM(0, 4294967294), .help = "Users whose connections are left alone: the sidecar's own first of all."},
    {SECTION_CAPTURE, KEY_RANGES, "exclude_ports", AT(capture, exclude_ports), FROM(1, 65535), .help = "Ports that are left alone, both ways. 53, DNS, always is."},
    {SECTION_CAPTURE, KEY_CIDRS, "exclude", AT(capture, exclude), .help = "Destinations that are left alone."},

    {SECTION_RULES, KEY_ENUM, "default", AT(rules, fallback), IS("auto"), WORDS("auto|allow|deny"), .help = "`auto` lets verified, unrevoked peers pass and no one else."},
    {SECTION_RULES, KEY_SIZE, "expression_max", AT(rules, expression_max), IS("4KiB"), FROM(64, 64 * KIB), .help = "The longest expression."},
    {SECTION_RULES, KEY_NUMBER, "regexes_max", AT(rules, regexes_max), IS("64"), FROM(0, 1024), .help = "How many regular expressions one expression may have."},
    {SECTION_RULES, KEY_SIZE, "regex_max", AT(rules, regex_max), IS("10MiB"), FROM(4 * KIB, 10 * 1024 * KIB), .help = "The largest of them, by the memory that it takes when it is compiled; all of an expression together may take four times as much."},
    {SECTION_RULES, KEY_NUMBER, "ratelimit_entries", AT(rules, ratelimit_entries), IS("16384"), FROM(16, 10000000), .help = "How many sets of characteristics all rate limits together remember, in about 600 bytes each; beyond it, the one that was used longest ago gives way. Taken when a limit is first there: a change takes a restart."},
    {SECTION_RULES, KEY_NUMBER, "certificate_entries", AT(rules, certificate_entries), IS("4096"), FROM(16, 1000000), .help = "The same of certificates: how many each of quarantine and sequences remembers, in about 250 bytes each, each section counted for itself."},

    {SECTION_RULE, KEY_EXPRESSION, "expression", AT(rule, expression), MUST, .help = "What it matches, in the rule language."},
    {SECTION_RULE, KEY_ENUM, "action", AT(rule, action), IS("block"), WORDS("block|allow|log|skip"), .help = "What happens then. `skip` leaves out the remaining rules."},
    {SECTION_RULE, KEY_NUMBER, "status", AT(rule, status), IS("403"), FROM(400, 599), .help = "Status of the answer to a blocked HTTP request."},
    {SECTION_RULE, KEY_STRING, "body", AT(rule, body), .help = "Body of that answer."},
    {SECTION_RULE, KEY_BOOL, "enabled", AT(rule, enabled), IS("true"), .help = "Whether it runs."},
    {SECTION_RULE, KEY_BOOL, "dry_run", AT(rule, dry_run), IS("false"), .help = "Count and log only what it would have done."},
    {SECTION_RULE, KEY_INBOUNDS, "inbound", AT(rule, inbound), .help = "The inbounds where it applies. Default: all."},

    {SECTION_LIST, KEY_ENUM, "kind", AT(list, kind), IS("auto"), WORDS("auto|string|integer|ip|fingerprint|serial"), .help = "What its members are; fingerprints and serials are compared without regard to case, colons, leading zeros and `0x`. `auto`: by the fields that rules compare with it."},
    {SECTION_LIST, KEY_STRINGS, "values", AT(list, values), .help = "Members, here."},
    {SECTION_LIST, KEY_PATH, "file", AT(list, file), .help = "Members, one a line, in a file that is followed as it changes."},

    {SECTION_RATELIMIT, KEY_EXPRESSION, "expression", AT(ratelimit, expression), MUST, .help = "Which requests it can act on."},
    {SECTION_RATELIMIT, KEY_EXPRESSIONS, "characteristics", AT(ratelimit, characteristics), MUST, .help = "What requests are told apart by: each distinct set of values has a counter of its own."},
    {SECTION_RATELIMIT, KEY_NUMBER, "requests", AT(ratelimit, requests), MUST, FROM(1, 1000000000), .help = "How many may pass within the period."},
    {SECTION_RATELIMIT, KEY_DURATION, "period", AT(ratelimit, period), MUST, FROM(SECOND, DAY), .help = "The window."},
    {SECTION_RATELIMIT, KEY_EXPRESSION, "counting_expression", AT(ratelimit, counting_expression), .help = "Which requests are counted. Default: `expression`. Up to eight of the limits of an inbound may look at the response here."},
    {SECTION_RATELIMIT, KEY_DURATION, "mitigation_timeout", AT(ratelimit, mitigation_timeout), IS("off"), WORDS("off"), FROM(0, 30 * DAY), .help = "How long the action stays on. `off`: only what is over the limit is acted on."},
    {SECTION_RATELIMIT, KEY_ENUM, "action", AT(ratelimit, action), IS("block"), WORDS(ACTIONS_TWO), .help = "What happens to a request over the limit."},
    {SECTION_RATELIMIT, KEY_NUMBER, "status", AT(ratelimit, status), IS("429"), FROM(400, 599), .help = "Status of the answer to it."},
    {SECTION_RATELIMIT, KEY_STRING, "body", AT(ratelimit, body), .help = "Body of that answer."},
    {SECTION_RATELIMIT, KEY_INBOUNDS, "inbound", AT(ratelimit, inbound), .help = "The inbounds where it applies. Default: all."},

    {SECTION_EXPRESSION, KEY_EXPRESSION, "expression", AT(expression, expression), MUST, .help = "Which requests it stands for, in the rule language."},

    {SECTION_SEQUENCE, KEY_EXPRESSION, "sequence", AT(sequence, steps), MUST, .help = "The steps: two to eight names of `[expression NAME]`, as in `login -> cart -> pay`. A request that is several of them must be in order as each."},
    {SECTION_SEQUENCE, KEY_DURATION, "window", AT(sequence, window), IS("10m"), FROM(SECOND, 30 * DAY), .help = "How long after a step the next may come."},
    {SECTION_SEQUENCE, KEY_ENUM, "action", AT(sequence, action), IS("block"), WORDS(ACTIONS_TWO), .help = "What happens to a request that breaks it. With `log` it passes, and counts for `[quarantine]` all the same."},
    {SECTION_SEQUENCE, KEY_NUMBER, "status", AT(sequence, status), IS("403"), FROM(400, 599), .help = "Status of the answer to it."},
    {SECTION_SEQUENCE, KEY_STRING, "body", AT(sequence, body), .help = "Body of that answer."},
    {SECTION_SEQUENCE, KEY_BOOL, "enabled", AT(sequence, enabled), IS("true"), .help = "Whether it runs."},
    {SECTION_SEQUENCE, KEY_BOOL, "dry_run", AT(sequence, dry_run), IS("false"), .help = "Count and log only what it would have done."},
    {SECTION_SEQUENCE, KEY_INBOUNDS, "inbound", AT(sequence, inbound), .help = "The inbounds where it applies. Default: all."},

    {SECTION_QUARANTINE, KEY_NUMBER, "threshold", AT(quarantine, threshold), MUST, FROM(1, 1000000), .help = "How many such requests are too many."},
    {SECTION_QUARANTINE, KEY_DURATION, "period", AT(quarantine, period), MUST, FROM(SECOND, DAY), .help = "Within what time."},
    {SECTION_QUARANTINE, KEY_DURATION, "duration", AT(quarantine, duration), MUST, FROM(SECOND, 365 * DAY), .help = "For how long the certificate is refused."},
    {SECTION_QUARANTINE, KEY_ENUM, "action", AT(quarantine, action), IS("block"), WORDS(ACTIONS_TWO), .help = "Whether it is refused, or only logged."},
    {SECTION_QUARANTINE, KEY_INBOUNDS, "inbound", AT(quarantine, inbound), .help = "The inbounds where it counts and is refused. Default: all."},

    {SECTION_HEADERS, KEY_FLAGS, "forward", AT(headers, forward), WORDS("cloudflare|xfcc|rfc9440"), .help = "The caller's certificate: `Cf-Client-Cert-Der-Base64` and `Cf-Client-Cert-Sha256`; `X-Forwarded-Client-Cert` (Envoy's); `Client-Cert` and `Client-Cert-Chain`."},
    {SECTION_HEADERS, KEY_ENUM, "xfcc_mode", AT(headers, xfcc_mode), IS("sanitize_set"), WORDS("sanitize_set|append_forward|sanitize|forward_only|always_forward_only"), .help = "What becomes of an `X-Forwarded-Client-Cert` that the caller sent, as in Envoy. Those that keep it need `trusted_proxy_san`."},
    {SECTION_HEADERS, KEY_FLAGS, "xfcc_details", AT(headers, xfcc_details), IS("subject, uri, dns"), WORDS("subject|uri|dns|cert|chain"), .help = "What it says beside By and Hash."},
    {SECTION_HEADERS, KEY_STRINGS, "trusted_proxy_san", AT(headers, trusted_proxy_san), .help = "Callers, by SAN, whose own `X-Forwarded-Client-Cert` is believed."},
    {SECTION_HEADERS, KEY_BOOL, "x_forwarded_for", AT(headers, x_forwarded_for), IS("false"), .help = "Set `X-Forwarded-For`."},
    {SECTION_HEADERS, KEY_BOOL, "x_forwarded_proto", AT(headers, x_forwarded_proto), IS("false"), .help = "Set `X-Forwarded-Proto`."},
    {SECTION_HEADERS, KEY_BOOL, "forwarded", AT(headers, forwarded), IS("false"), .help = "Set `Forwarded` (RFC 7239)."},
    {SECTION_HEADERS, KEY_ENUM, "traceparent", AT(headers, traceparent), IS("pass"), WORDS("pass|sampled|unsampled"), .help = "A `traceparent` (W3C Trace Context) passes. `sampled`, `unsampled`: where it is absent or malformed one is made, with this flag; a `tracestate` beside it goes."},
    {SECTION_HEADERS, KEY_ENUM, "request_id", AT(headers, request_id), IS("pass"), WORDS("pass|make"), .help = "`make`: an `X-Request-Id` where it is absent, or no word of 1 to 128 visible characters."},
    {SECTION_HEADERS, KEY_INBOUNDS, "inbounds", AT(headers, inbounds), .help = "The inbounds where it applies. Default: all; with `outbounds` alone, none."},
    {SECTION_HEADERS, KEY_STRINGS, "outbounds", AT(headers, outbounds), .help = "The outbounds with `protocol = http` where it applies: there, `response.NAME`, of fields of the server's certificate, goes back to the local service, and `traceparent` and `request_id` hold; nothing else of it does. Default: all; with `inbounds` alone, none."},
    {SECTION_HEADERS, KEY_HOSTNAMES, "hostnames", AT(headers, hostnames), .help = "The hosts asked for, exact or `*.suffix`, where it applies. Default: all."},
    {SECTION_HEADERS, KEY_SIZE, "max_value", AT(headers, max_value), IS("8KiB"), FROM(256, 64 * KIB), .help = "A value beyond this is left out, and counted."},
    {SECTION_HEADERS, KEY_HEADER, "request.", ARRAY(headers, request), .help = "A header to the service, from an expression or a field."},
    {SECTION_HEADERS, KEY_HEADER, "response.", ARRAY(headers, response), .help = "A header back to the caller."},

    {SECTION_PROBE, KEY_ENUM, "kind", AT(probe, kind), IS("http"), WORDS("http|tcp|grpc"), .help = "`http`: status 200 to 399 to a GET. `tcp`: a connection. `grpc`: SERVING from the standard health service, in plaintext."},
    {SECTION_PROBE, KEY_TARGET, "connect", AT(probe, connect), MUST, .help = "The local service: a loopback address or a UNIX socket."},
    {SECTION_PROBE, KEY_STRING, "request", AT(probe, request), .help = "For `http`, the path and query, `/` by default. For `grpc`, the name of the service; by default the server as a whole."},
    {SECTION_PROBE, KEY_DURATION, "timeout", AT(probe, timeout), IS("1s"), FROM(1, 60 * SECOND), .help = "For all of it. Keep it at or below the probe's timeoutSeconds."},

    {SECTION_SCRAPE, KEY_TARGET, "connect", AT(scrape, connect), MUST, .help = "The local service: a loopback address or a UNIX socket."},
    {SECTION_SCRAPE, KEY_STRING, "request", AT(scrape, request), IS("/metrics"), .help = "Path and query of its figures."},
    {SECTION_SCRAPE, KEY_DURATION, "timeout", AT(scrape, timeout), IS("2s"), FROM(1, 60 * SECOND), .help = "For all of it. Keep it below the scrape_timeout of whoever asks."},
};
/* clang-format on */

const size_t config_key_count = sizeof config_keys / sizeof *config_keys;
_Static_assert(sizeof config_keys / sizeof *config_keys <= CONFIG_KEYS_MAX, "CONFIG_KEYS_MAX is too small");

const struct config_section *config_section_find(const char *word, size_t length)
{
    for (size_t i = 0; i < SECTION_COUNT; i++)
        if (strlen(config_sections[i].word) == length && memcmp(config_sections[i].word, word, length) == 0)
            return &config_sections[i];
    return NULL;
}

const struct config_key *config_key_find(enum config_section_id section, const char *name)
{
    for (const struct config_key *k = config_keys; k < config_keys + config_key_count; k++) {
        if (k->section != section)
            continue;
        size_t prefix = strlen(k->name);
        if (k->type == KEY_HEADER ? strncmp(k->name, name, prefix) == 0 : strcmp(k->name, name) == 0)
            return k;
    }
    return NULL;
}

bool config_key_continues(const struct config_key *key)
{
    switch (key->type) {
    case KEY_FLAGS:
    case KEY_ADDRS:
    case KEY_CIDRS:
    case KEY_RANGES:
    case KEY_STRINGS:
    case KEY_HOSTNAMES:
    case KEY_INBOUNDS:
    case KEY_EXPRESSION:
    case KEY_EXPRESSIONS:
    case KEY_HEADER: return true;
    default: return false;
    }
}
