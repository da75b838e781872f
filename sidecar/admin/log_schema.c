/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/admin/log_schema.h"

#include <string.h>

#define SESSION "session refused"
#define UPSTREAM SESSION " upstream"
#define PEOPLE SESSION " request blocked rule ratelimit sequence quarantine"

const struct log_event log_events[] = {
    {"session", "sessions", "A session has ended: with whom, how, how much."},
    {"refused", "audit", "A connection or its handshake was refused: who it was, and why in words."},
    {"upstream", "audit",
     "A connection to the service or peer of HTTP requests did not come about, or is not trusted any more; "
     "the "
     "callers' go on."},
    {"request", "requests",
     "An HTTP request was answered; of those that went well, some: `log_requests_every`."},
    {"blocked", "audit", "An HTTP request was refused, where requests as such are not logged."},
    {"rule", "audit", "A rule that only logs, or is a dry run, matches."},
    {"ratelimit", "audit", "A rate limit that only logs is exceeded."},
    {"sequence", "audit", "A sequence that only logs is not kept."},
    {"quarantine", "audit", "A certificate goes into quarantine, or is let out."},
    {"reload", "audit",
     "A configuration or credentials were put in service: own certificate, and the one before."},
    {"credentials", "audit", "Credentials on disk that cannot be used, or are in need of care."},
    {"config", "audit", "A configuration that cannot be used, or is in need of care."},
    {"expiry", "audit",
     "The own certificate or one of a CA bundle expires soon, or has; a revocation list has."},
    {"drain", "process", "The process is leaving: readiness off, listeners closed, sessions ended."},
    {"start", "process", "The process cannot start."},
    {"listen", "process", "A listener cannot be had."},
    {"resolver", "process", "Names cannot be looked up."},
    {"log", "process",
     "Lines were dropped, because nobody read fast enough; or the level was changed for a time."},
};
const size_t log_event_count = sizeof log_events / sizeof *log_events;

const struct log_field log_fields[] = {
    {"time", LOG_TYPE_TEXT, "*", "When, in UTC: `2026-01-31T12:00:00.123Z`."},
    {"level", LOG_TYPE_TEXT, "*", "`error`, `warn`, `info` or `debug`."},
    {"event", LOG_TYPE_TEXT, "*", "What happened: one of the above."},
    {"message", LOG_TYPE_TEXT, "*", "The same in words: the cause of a refusal, of a failure."},
    {"inbound", LOG_TYPE_TEXT, PEOPLE " upstream", "Name of the section."},
    {"outbound", LOG_TYPE_TEXT, UPSTREAM " request",
     "Name of the section; `[capture]` where none was found."},
    {"end", LOG_TYPE_TEXT, SESSION,
     "How it ended: `closed`, `reset`, `truncated`, `refused`, `connect_failed`, `timeout`, `untrusted`, "
     "`drained`, "
     "`error`."},
    {"peer", LOG_TYPE_TEXT, PEOPLE, "Who connected: address and port, or `unix`."},
    {"destination", LOG_TYPE_TEXT, UPSTREAM, "Where a captured connection was going."},
    {"subject", LOG_TYPE_TEXT, UPSTREAM " quarantine reload", "Of the certificate, RFC 2253."},
    {"san", LOG_TYPE_TEXT, UPSTREAM " request", "Subject alternative names of the peer's certificate."},
    {"serial", LOG_TYPE_TEXT, UPSTREAM " reload", "Of the certificate, in upper-case hex."},
    {"sha256", LOG_TYPE_TEXT, UPSTREAM " request blocked quarantine reload",
     "Fingerprint of the certificate, in lower-case hex."},
    {"issuer", LOG_TYPE_TEXT, UPSTREAM, "Of the peer's certificate, RFC 2253."},
    {"tls", LOG_TYPE_TEXT, UPSTREAM, "`TLSv1.3` or `TLSv1.2`."},
    {"cipher", LOG_TYPE_TEXT, UPSTREAM, "Suite, by OpenSSL's name."},
    {"group", LOG_TYPE_TEXT, UPSTREAM, "Of the key exchange."},
    {"sni", LOG_TYPE_TEXT, UPSTREAM, "The name that was asked for."},
    {"alpn", LOG_TYPE_TEXT, UPSTREAM, "The protocol that was agreed on."},
    {"verified", LOG_TYPE_BOOL, UPSTREAM,
     "Whether the handshake was completed with a certificate that is trusted."},
    {"resumed", LOG_TYPE_BOOL, UPSTREAM, "`true` where the session was gone on from."},
    {"alert_sent", LOG_TYPE_TEXT, UPSTREAM, "Fatal TLS alert that the peer was told."},
    {"alert_received", LOG_TYPE_TEXT, UPSTREAM, "Fatal TLS alert that the peer told us."},
    {"rule", LOG_TYPE_TEXT, PEOPLE, "Name of the [rule NAME] that decided."},
    {"ratelimit", LOG_TYPE_TEXT, "request blocked ratelimit",
     "Name of the [ratelimit NAME] that is exceeded."},
    {"quarantine", LOG_TYPE_TEXT, "request blocked quarantine", "Name of the [quarantine NAME]."},
    {"sequence", LOG_TYPE_TEXT, "request blocked sequence", "Name of the [sequence NAME]."},
    {"step", LOG_TYPE_TEXT, "request blocked sequence", "The step of it that was not kept."},
    {"dry_run", LOG_TYPE_BOOL, "rule ratelimit sequence", "Whether it is one: it would have had effect."},
    {"status", LOG_TYPE_NUMBER, "request blocked", "Of the answer; 0: there was none."},
    {"outcome", LOG_TYPE_TEXT, "request blocked", "What became of the request."},
    {"why", LOG_TYPE_TEXT, "request blocked", "The same in words."},
    {"decision", LOG_TYPE_TEXT, "request blocked",
     "`pass`, or what refused it: a `rule`, `ratelimit`, `quarantine` or `sequence`, its `host` or `path`."},
    {"request_id", LOG_TYPE_TEXT, "request blocked", "Its `X-Request-Id`, as it came or was made."},
    {"traceparent", LOG_TYPE_TEXT, "request blocked",
     "Its `traceparent`, likewise, where that is well-formed."},
    {"grpc_status", LOG_TYPE_NUMBER, "request blocked", "Of the answer's trailers."},
    {"protocol", LOG_TYPE_TEXT, "request blocked", "`HTTP/1.1` or `HTTP/2`."},
    {"first_byte_ms", LOG_TYPE_NUMBER, "request blocked", "Until the answer began."},
    {"duration_ms", LOG_TYPE_NUMBER, SESSION " request blocked", "From beginning to end."},
    {"bytes_in", LOG_TYPE_NUMBER, SESSION " request blocked", "From who connected."},
    {"bytes_out", LOG_TYPE_NUMBER, SESSION " request blocked", "To who connected."},
    {"repeated", LOG_TYPE_NUMBER, UPSTREAM " blocked",
     "How often this very line was left out since it was written last."},
    {"not_logged", LOG_TYPE_NUMBER, UPSTREAM " request blocked rule ratelimit sequence",
     "Lines left out since, of whatever cause: `log_refused_per_second`; of requests: `log_requests_every`."},
    {"generation", LOG_TYPE_NUMBER, "reload", "Number of the snapshot."},
    {"not_after", LOG_TYPE_TEXT, "reload expiry",
     "When the own certificate expires, or that which the line is about."},
    {"ca", LOG_TYPE_TEXT, "expiry", "Name of the section [ca NAME] it is of; absent: [tls]."},
    {"roots", LOG_TYPE_NUMBER, "reload", "Certificates in the CA bundle."},
    {"old_serial", LOG_TYPE_TEXT, "reload",
     "Serial number of the own certificate before, where it has changed."},
    {"old_sha256", LOG_TYPE_TEXT, "reload", "Its fingerprint."},
    {"config", LOG_TYPE_TEXT, "reload", "Hash of the configuration in service, where it has changed."},
    {"old_config", LOG_TYPE_TEXT, "reload", "Hash of the one before."},
    {"dropped", LOG_TYPE_NUMBER, "log", "How many."},
};
const size_t log_field_count = sizeof log_fields / sizeof *log_fields;

const struct log_event *log_event_find(const char *name)
{
    for (size_t i = 0; i < log_event_count; i++)
        if (strcmp(log_events[i].name, name) == 0)
            return &log_events[i];
    return NULL;
}

const struct log_field *log_field_find(const char *name)
{
    for (size_t i = 0; i < log_field_count; i++)
        if (strcmp(log_fields[i].name, name) == 0)
            return &log_fields[i];
    return NULL;
}

void log_schema_print(FILE *out)
{
    static const char *const types[] = {"text", "number", "boolean"};
    (void)fputs(
        "# The log\n"
        "\n"
        "Written from `sidecar/admin/log_schema.c`; not to be edited. Lines go to standard error, as JSON\n"
        "or, with `log_format = text`, as `TIME LEVEL EVENT: MESSAGE FIELD=VALUE ...`. A field that has\n"
        "no value is left out. What peers sent is escaped: it can neither end a line nor forge a field.\n"
        "Nothing secret is ever logged. Who does not read fast enough loses lines, which are counted;\n"
        "nobody waits for the reader. Of refusals of one kind (who, where, why) the first ones are\n"
        "written, the others counted: `log_refused_per_second`.\n"
        "\n"
        "| event | stream | meaning |\n|---|---|---|\n",
        out);
    for (size_t i = 0; i < log_event_count; i++)
        (void)fprintf(out, "| `%s` | %s | %s |\n", log_events[i].name, log_events[i].stream,
                      log_events[i].meaning);
    (void)fputs("\n| field | type | events | meaning |\n|---|---|---|---|\n", out);
    for (size_t i = 0; i < log_field_count; i++)
        (void)fprintf(out, "| `%s` | %s | %s | %s |\n", log_fields[i].name, types[log_fields[i].type],
                      strcmp(log_fields[i].events, "*") == 0 ? "all" : log_fields[i].events,
                      log_fields[i].meaning);
}
