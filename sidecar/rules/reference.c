/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/rules/reference.h"

#include <string.h>

#include "sidecar/rules/internal.h"

/* clang-format off */
static const char *const field_help[] = {
    [RULES_FIELD_TRUE] = "Always true. For never, write `not true`.",
    [RULES_FIELD_SSL] = "Whether the caller speaks TLS.",
    [RULES_FIELD_IP_SRC] = "The caller's address; with a PROXY header, the one it tells.",
    [RULES_FIELD_SERVER_IP] = "The address that was connected to.",
    [RULES_FIELD_SERVER_PORT] = "Its port.",
    [RULES_FIELD_CLIENT_TCP] = "True: there is no QUIC here.",
    [RULES_FIELD_TLS_VERSION] = "`TLSv1.2` or `TLSv1.3`.",
    [RULES_FIELD_TLS_CIPHER] = "The suite: `AEAD-AES128-GCM-SHA256` and its like with TLS 1.3, else OpenSSL's name.",
    [RULES_FIELD_TLS_HELLO_LENGTH] = "Bytes of the ClientHello.",
    [RULES_FIELD_TLS_RANDOM] = "Base64 of its random.",
    [RULES_FIELD_TLS_CIPHERS_SHA1] = "Base64 of the SHA-1 of the suites it offers.",
    [RULES_FIELD_TLS_EXTENSIONS_SHA1] = "Base64 of the SHA-1 of its extensions' numbers.",
    [RULES_FIELD_TLS_EXTENSIONS_SHA1_LE] = "The same with numbers in little-endian order.",
    [RULES_FIELD_CERT_PRESENTED] = "Whether a certificate was shown, good or not.",
    [RULES_FIELD_CERT_VERIFIED] = "Whether it is trusted. True of a revoked one as well.",
    [RULES_FIELD_CERT_REVOKED] = "Whether it is trusted but for its revocation.",
    [RULES_FIELD_CERT_SUBJECT] = "Subject, RFC 2253.",
    [RULES_FIELD_CERT_SUBJECT_RFC2253] = "The same.",
    [RULES_FIELD_CERT_SUBJECT_LEGACY] = "Subject with slashes: `/O=Shop/CN=orders`.",
    [RULES_FIELD_CERT_ISSUER] = "Issuer, RFC 2253.",
    [RULES_FIELD_CERT_ISSUER_RFC2253] = "The same.",
    [RULES_FIELD_CERT_ISSUER_LEGACY] = "Issuer with slashes.",
    [RULES_FIELD_CERT_SERIAL] = "Serial number, capital hexadecimal digits.",
    [RULES_FIELD_CERT_ISSUER_SERIAL] = "That of the certificate whose key signed it; empty where it is not trusted.",
    [RULES_FIELD_CERT_SHA256] = "SHA-256 fingerprint, small hexadecimal digits.",
    [RULES_FIELD_CERT_SHA1] = "SHA-1 fingerprint, small hexadecimal digits.",
    [RULES_FIELD_CERT_NOT_BEFORE] = "Valid from: `Mar 21 13:35:00 2026 GMT`.",
    [RULES_FIELD_CERT_NOT_AFTER] = "Valid until.",
    [RULES_FIELD_CERT_SKI] = "Subject key identifier, capital hexadecimal digits.",
    [RULES_FIELD_CERT_ISSUER_SKI] = "That of the certificate whose key signed it; empty where it is not trusted.",
    [RULES_FIELD_CERT_RFC9440] = "The certificate as RFC 9440 writes it; empty beyond 10 KiB.",
    [RULES_FIELD_CERT_RFC9440_TOO_LARGE] = "Whether it is beyond that.",
    [RULES_FIELD_CERT_CHAIN_RFC9440] = "The other certificates that were sent; empty beyond 16 KiB.",
    [RULES_FIELD_CERT_CHAIN_RFC9440_TOO_LARGE] = "Whether they are beyond that.",
    [RULES_FIELD_INBOUND] = "Name of the `[inbound]`.",
    [RULES_FIELD_DIRECTION] = "`inbound`.",
    [RULES_FIELD_CA] = "Name of the `[ca]` that the caller's SNI has chosen; empty: `[tls]`'s.",
    [RULES_FIELD_SNI] = "The server name that was asked for.",
    [RULES_FIELD_ALPN] = "The protocol that was agreed on.",
    [RULES_FIELD_SRC_PORT] = "The caller's port.",
    [RULES_FIELD_SPIFFE_ID] = "The certificate's first `spiffe://` URI.",
    [RULES_FIELD_TRUST_DOMAIN] = "Its trust domain.",
    [RULES_FIELD_SAN_DNS] = "The certificate's DNS names.",
    [RULES_FIELD_SAN_URI] = "Its URIs.",
    [RULES_FIELD_SAN_IP] = "Its IP addresses.",
    [RULES_FIELD_SAN_EMAIL] = "Its mail addresses.",
    [RULES_FIELD_SUBJECT_CN] = "Common names of its subject.",
    [RULES_FIELD_SUBJECT_O] = "Organisations of its subject.",
    [RULES_FIELD_SUBJECT_OU] = "Organisational units of its subject.",
    [RULES_FIELD_CHAIN_SHA256] = "SHA-256 fingerprints of the other certificates that were sent.",
    [RULES_FIELD_KEY_TYPE] = "`EC`, `RSA` or `Ed25519`.",
    [RULES_FIELD_KEY_BITS] = "Size of the key.",
    [RULES_FIELD_SECONDS_TO_EXPIRY] = "Until it expires.",
    [RULES_FIELD_RESUMED] = "Whether the session was resumed.",
    [RULES_FIELD_VERIFY_ERROR] = "Why it is not verified, in words.",
    [RULES_FIELD_CERT_CONNECTIONS] = "Connections of this certificate so far.",
    [RULES_FIELD_CERT_REQUESTS] = "Requests of this certificate so far.",
    [RULES_FIELD_HOST] = "Host, with its port where there is one.",
    [RULES_FIELD_METHOD] = "Method.",
    [RULES_FIELD_VERSION] = "`HTTP/1.0`, `HTTP/1.1` or `HTTP/2`.",
    [RULES_FIELD_FULL_URI] = "Scheme, host, path and query.",
    [RULES_FIELD_URI] = "Path and query.",
    [RULES_FIELD_PATH] = "Path, normalised (RFC 3986): servers that write it differently mean the same.",
    [RULES_FIELD_EXTENSION] = "What follows the last dot of its last segment, in small letters.",
    [RULES_FIELD_QUERY] = "Query, without the question mark.",
    [RULES_FIELD_ARGS] = "Its arguments, not decoded: name to values.",
    [RULES_FIELD_ARGS_NAMES] = "Their names, in order.",
    [RULES_FIELD_ARGS_VALUES] = "Their values, in order.",
    [RULES_FIELD_HEADERS] = "Headers: name in small letters to values. Those that tell who calls are the sidecar's own.",
    [RULES_FIELD_HEADERS_NAMES] = "Names of all header lines, as they were received.",
    [RULES_FIELD_HEADERS_VALUES] = "Their values.",
    [RULES_FIELD_HEADERS_TRUNCATED] = "False: all headers are there.",
    [RULES_FIELD_COOKIES] = "Cookies: name to values.",
    [RULES_FIELD_COOKIE] = "The header `Cookie`.",
    [RULES_FIELD_USER_AGENT] = "The header `User-Agent`.",
    [RULES_FIELD_REFERER] = "The header `Referer`.",
    [RULES_FIELD_X_FORWARDED_FOR] = "The header `X-Forwarded-For`.",
    [RULES_FIELD_LANGUAGES] = "Languages of `Accept-Language`, most wanted first.",
    [RULES_FIELD_TIMESTAMP_SEC] = "When the request came, in seconds since 1970.",
    [RULES_FIELD_TIMESTAMP_MSEC] = "Milliseconds of that second.",
    [RULES_FIELD_RAY_ID] = "Empty: requests have no such number here.",
    [RULES_FIELD_RAW_FULL_URI] = "As it was received.",
    [RULES_FIELD_RAW_URI] = "As it was received.",
    [RULES_FIELD_RAW_PATH] = "As it was received.",
    [RULES_FIELD_RAW_EXTENSION] = "As it was received.",
    [RULES_FIELD_RAW_QUERY] = "As it was received.",
    [RULES_FIELD_RAW_ARGS] = "As they were received.",
    [RULES_FIELD_RAW_ARGS_NAMES] = "As they were received.",
    [RULES_FIELD_RAW_ARGS_VALUES] = "As they were received.",
    [RULES_FIELD_RESPONSE_CODE] = "Status.",
    [RULES_FIELD_RESPONSE_HEADERS] = "Headers: name in small letters to values.",
    [RULES_FIELD_RESPONSE_HEADERS_NAMES] = "Names of all header lines.",
    [RULES_FIELD_RESPONSE_HEADERS_VALUES] = "Their values.",
    [RULES_FIELD_RESPONSE_MEDIA_TYPE] = "Media type of `Content-Type`, in small letters, without parameters.",
    [RULES_FIELD_RAW_RESPONSE_HEADERS] = "As they were received.",
    [RULES_FIELD_RAW_RESPONSE_HEADERS_NAMES] = "As they were received.",
    [RULES_FIELD_RAW_RESPONSE_HEADERS_VALUES] = "As they were received.",
};
_Static_assert(sizeof field_help / sizeof *field_help == RULES_FIELD_COUNT, "every field has its help");

static const struct {
    const char *name, *call, *help;
} function_help[] = {
    {"lower", "lower(text)", "ASCII letters made small."},
    {"upper", "upper(text)", "ASCII letters made capital."},
    {"len", "len(text or array)", "How many bytes, or elements."},
    {"starts_with", "starts_with(text, \"start\")", "Whether it begins so."},
    {"ends_with", "ends_with(text, \"end\")", "Whether it ends so."},
    {"concat", "concat(a, b, ...)", "Texts, or arrays, one after the other; what is missing is passed over."},
    {"coalesce", "coalesce(a, b, ...)", "The first that is not missing."},
    {"substring", "substring(text, from [, to])", "Bytes FROM up to TO, which is left out; negative counts from the end."},
    {"remove_bytes", "remove_bytes(text, \"bytes\")", "Without every byte that is among these."},
    {"to_string", "to_string(value)", "A number, a truth value or an address as text."},
    {"split", "split(text, \"separator\", limit)", "At most LIMIT parts; the last has the rest."},
    {"join", "join(array, separator)", "Texts with the separator between."},
    {"has_key", "has_key(map, key)", "Whether the map has the key."},
    {"has_value", "has_value(array or map, value)", "Whether some element equals the value."},
    {"cidr", "cidr(address, bits4, bits6)", "The network's address, of so many bits for IPv4 and IPv6."},
    {"cidr6", "cidr6(address, bits)", "The same for IPv6; IPv4 stays as it is."},
    {"lookup_json_string", "lookup_json_string(text, key, ...)", "A string in JSON, by keys and numbers of elements."},
    {"lookup_json_integer", "lookup_json_integer(text, key, ...)", "A whole number in JSON."},
    {"sha256", "sha256(text)", "32 bytes."},
    {"is_timed_hmac_valid_v0", "is_timed_hmac_valid_v0(\"key\", text, seconds, now [, separator [, \"s\"]])", "Whether the text ends with a time and a valid HMAC-SHA256 that is not older."},
    {"url_decode", "url_decode(text [, \"ru\"])", "Percent-decoded; `r`: again until nothing changes, `u`: `%uXXXX` as well."},
    {"decode_base64", "decode_base64(text)", "Missing where it is not Base64."},
    {"encode_base64", "encode_base64(text [, \"up\"])", "Base64; `u`: of URLs, `p`: with padding."},
    {"remove_query_args", "remove_query_args(query, \"name\", ...)", "A query without these arguments."},
    {"regex_replace", "regex_replace(text, \"pattern\", \"replacement\")", "The first match replaced; `${1}` is what a group took."},
    {"wildcard_replace", "wildcard_replace(text, \"pattern\", \"replacement\" [, \"s\"])", "The whole replaced; `${1}` is what a star took; `s`: case counts."},
};
/* clang-format on */

static const char preface[] =
    "# The rule language\n"
    "\n"
    "Written from the tables that expressions are compiled by; not to be edited. `sidecar eval --reference` "
    "prints\n"
    "it. The language is Cloudflare's: what is written for a WAF there about client certificates works "
    "here.\n"
    "\n"
    "    cf.tls_client_auth.cert_verified and not http.request.uri.path in {\"/admin\" \"/debug\"}\n"
    "\n"
    "| operators | of | meaning |\n"
    "|---|---|---|\n"
    "| `eq` `==`, `ne` `!=` | Bytes, Int, Ip | equal, not equal; both are false where the value is missing "
    "|\n"
    "| `lt` `<`, `le` `<=`, `gt` `>`, `ge` `>=` | Bytes, Int, Ip | order |\n"
    "| `in {...}`, `in $list` | Bytes, Int, Ip | among: `{\"a\" \"b\"}`, `{1 5..9}`, `{10.0.0.0/8 ::1}`, a "
    "`[list NAME]` |\n"
    "| `contains` | Bytes | holds this text |\n"
    "| `matches` `~` | Bytes | a regular expression, of Rust's dialect, by bytes |\n"
    "| `wildcard`, `strict wildcard` | Bytes | the whole, `*` for any bytes; `strict`: case counts |\n"
    "| `&` `bitwise_and` | Int | some bit of both is set |\n"
    "| `not` `!`, `and` `&&`, `xor` `^^`, `or` <code>&#124;&#124;</code> | Bool | from the strongest to the "
    "weakest |\n"
    "| `any(...)`, `all(...)` | Array(Bool) | of a comparison with `[*]`: `any(outrider.san.dns[*] eq "
    "\"a\")` |\n"
    "\n"
    "`map[\"key\"]` and `array[0]` take an element, `[*]` each of them. What is not there is missing, and a "
    "comparison\n"
    "with it false. Texts are `\"quoted\"` (escapes `\\\"`, `\\\\`, `\\xHH`) or `r\"raw\"`.\n";

static void print_fields(FILE *out, uint8_t phase, const char *title)
{
    const struct rules_scheme *scheme = rules_scheme_standard();
    char type[RULES_TYPE_TEXT];
    fprintf(out, "\n## %s\n\n| field | type | meaning |\n|---|---|---|\n", title);
    for (size_t i = 0; i < scheme->count; i++) {
        const struct rules_field *field = &scheme->field[i];
        if (field->phase == phase || (phase == RULES_CONNECTION && field->phase == 0))
            fprintf(out, "| `%s` | %s | %s |\n", field->name, rules_type_text(field->type, type, sizeof type),
                    field_help[i]);
    }
}

bool rules_reference_print(FILE *out)
{
    bool whole = true;
    char type[RULES_TYPE_TEXT];
    fputs(preface, out);
    print_fields(out, RULES_CONNECTION, "The connection and its certificate");
    print_fields(out, RULES_REQUEST, "HTTP: the request");
    print_fields(out, RULES_RESPONSE, "HTTP: the answer (`counting_expression`, `response.NAME`)");
    fputs("\n## Functions\n\n| function | gives | meaning |\n|---|---|---|\n", out);
    for (size_t table = 0; function_tables[table]; table++) {
        for (const struct function *f = function_tables[table]; f->name; f++) {
            size_t i = 0, count = sizeof function_help / sizeof *function_help;
            while (i < count && strcmp(function_help[i].name, f->name) != 0)
                i++;
            whole = whole && i < count;
            if (i < count)
                fprintf(out, "| `%s` | %s | %s |\n", function_help[i].call,
                        f->result ? rules_type_text(f->result, type, sizeof type) : "as its arguments",
                        function_help[i].help);
        }
    }
    return whole;
}
