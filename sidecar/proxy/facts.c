/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/http/identity.h"
#include "sidecar/http/path.h"

/* Rules-language section 16: what is larger is left out, and said to be. */
enum { RFC9440_MAX = 10 * 1024, RFC9440_CHAIN_MAX = 16 * 1024, ATTRIBUTES_MAX = 32 };

static struct http_str moved(struct http_str from, char **to)
{
    struct http_str copy = {from.p ? *to : NULL, from.n};
    if (from.p && from.n != 0)
        memcpy(*to, from.p, from.n);
    *to += from.n;
    return copy;
}

struct facts_request *facts_request_copy(const struct facts_request *r)
{
    size_t size = r->method.n + r->target.n + r->host.n + r->path.n + r->query.n, count = 0;
    for (size_t i = 0; i < r->field_count; i++) {
        if (!r->fields[i].drop)
            size += r->fields[i].name.n * 2 + r->fields[i].value.n;
    }
    struct facts_request *copy = malloc(sizeof *copy + r->field_count * sizeof *r->fields + size);
    if (copy == NULL)
        return NULL;
    struct http_field *field = (struct http_field *)(copy + 1);
    char *text = (char *)(field + r->field_count);
    *copy = *r;
    copy->method = moved(r->method, &text);
    copy->target = moved(r->target, &text);
    copy->host = moved(r->host, &text);
    copy->path = moved(r->path, &text);
    copy->query = moved(r->query, &text);
    for (size_t i = 0; i < r->field_count; i++) {
        const struct http_field *from = &r->fields[i];
        if (from->drop)
            continue;
        field[count] = *from;
        field[count].name = moved(from->name, &text);
        field[count].value = moved(from->value, &text);
        if (from->spelling)
            field[count].spelling = moved((struct http_str){from->spelling, from->name.n}, &text).p;
        count++;
    }
    copy->fields = field;
    copy->field_count = count;
    return copy;
}

bool facts_init(struct facts *f, size_t pool)
{
    memset(f, 0, sizeof *f);
    f->pool.base = malloc(pool);
    f->pool.size = pool;
    f->leaf = malloc(sizeof *f->leaf);
    if (f->pool.base && f->leaf)
        return true;
    facts_clear(f);
    return false;
}

void facts_clear(struct facts *f)
{
    free(f->pool.base);
    free(f->leaf);
    memset(f, 0, sizeof *f);
}

void facts_reset(struct facts *f)
{
    struct rules_pool pool = {.base = f->pool.base, .size = f->pool.size};
    struct x509 *leaf = f->leaf;
    memset(f, 0, sizeof *f);
    f->pool = pool;
    f->leaf = leaf;
}

/* --- making values --- */

static void *take(struct facts *f, size_t size)
{
    size_t start = (f->pool.used + 15) & ~(size_t)15;
    if (start > f->pool.size || size > f->pool.size - start) {
        f->pool.full = true;
        return NULL;
    }
    f->pool.used = start + size;
    return f->pool.base + start;
}

/* A fact of which there is no value (no certificate, no TLS) has the field's absent one: false. */
static bool text(const char *from, struct rules_value *value)
{
    if (from == NULL)
        return false;
    *value = rules_bytes(from, strlen(from));
    return true;
}

static bool str(struct http_str from, struct rules_value *value)
{
    if (from.p == NULL)
        return false;
    *value = rules_bytes(from.p, from.n);
    return true;
}

static bool number(int64_t from, struct rules_value *value)
{
    *value = rules_int(from);
    return true;
}

static bool boolean(bool from, struct rules_value *value)
{
    *value = rules_bool(from);
    return true;
}

static bool hex(struct facts *f, const uint8_t *data, size_t size, struct rules_value *value)
{
    char *out = take(f, 2 * size + 1);
    if (out == NULL)
        return false;
    *value = rules_bytes(out, x509_hex((struct x509_slice){data, size}, false, out, 2 * size + 1));
    return true;
}

static bool base64(struct facts *f, const uint8_t *data, size_t size, struct rules_value *value)
{
    char *out = take(f, (size + 2) / 3 * 4 + 1);
    if (out == NULL)
        return false;
    *value = rules_bytes(out, identity_base64(data, size, out));
    return true;
}

static struct rules_ip ip_of(const uint8_t *bytes, size_t size)
{
    struct rules_ip ip = {.family = size == 4 ? 4 : 6};
    memcpy(ip.addr, bytes, size == 4 ? 4 : 16);
    return ip;
}

static bool address(const union net_addr *addr, struct rules_value *value)
{
    if (addr && addr->sa.sa_family == AF_INET)
        *value = rules_ip(ip_of((const uint8_t *)&addr->in.sin_addr, 4));
    else if (addr && addr->sa.sa_family == AF_INET6)
        *value = rules_ip(ip_of((const uint8_t *)&addr->in6.sin6_addr, 16));
    else
        return false;
    return true;
}

static bool port(const union net_addr *addr, struct rules_value *value)
{
    return addr && number(net_addr_port(&addr->sa), value);
}

static const union net_addr *local(struct facts *f)
{
    return f->local ? f->local(f->local_arg) : NULL;
}

/* --- the certificate --- */

static const struct x509 *leaf(struct facts *f)
{
    if (f->peer == NULL || f->leaf == NULL)
        return NULL;
    if (!f->leaf_parsed)
        f->leaf_parsed = x509_parse(f->peer->chain[0].data, f->peer->chain[0].size, f->leaf) == NULL;
    return f->leaf_parsed ? f->leaf : NULL;
}

static bool sans(struct facts *f, enum tls_san_kind kind, struct rules_value *value)
{
    size_t count = 0;
    struct rules_value *item = f->peer ? take(f, (f->peer->san_count + 1) * sizeof *item) : NULL;
    uint32_t inner = kind == TLS_SAN_IP ? RULES_IP : RULES_BYTES;
    if (item == NULL)
        return false;
    f->pool.full = f->peer->san_too_many;
    for (size_t i = 0; i < f->peer->san_count; i++) {
        const struct tls_san *san = &f->peer->san[i];
        if (san->kind == kind)
            item[count++] = kind == TLS_SAN_IP ? rules_ip(ip_of(san->ip, san->ip_size))
                                               : rules_bytes(san->text, san->text_size);
    }
    *value = (struct rules_value){.type = RULES_ARRAY_OF(inner), .array = {item, count}};
    return true;
}

static const struct tls_san *spiffe(struct facts *f)
{
    for (size_t i = 0; f->peer && i < f->peer->san_count; i++) {
        const struct tls_san *san = &f->peer->san[i];
        if (san->kind == TLS_SAN_URI && strncmp(san->text, "spiffe://", 9) == 0)
            return san;
    }
    f->pool.full = f->peer && f->peer->san_too_many;
    return NULL;
}

static bool spiffe_id(struct facts *f, struct rules_value *value)
{
    const struct tls_san *id = spiffe(f);
    return id && text(id->text, value);
}

static bool trust_domain(struct facts *f, struct rules_value *value)
{
    const struct tls_san *id = spiffe(f);
    if (id == NULL)
        return false;
    *value = rules_bytes(id->text + 9, strcspn(id->text + 9, "/"));
    return true;
}

static bool names(struct facts *f, const char *type, struct rules_value *value)
{
    const struct x509 *cert = leaf(f);
    struct rules_value *item = cert ? take(f, ATTRIBUTES_MAX * sizeof *item) : NULL;
    size_t count = 0, length;
    if (item == NULL)
        return false;
    while (count < ATTRIBUTES_MAX && x509_name_attribute(cert->subject, type, count, NULL, 0, &length)) {
        char *out = take(f, length + 1);
        if (out == NULL || !x509_name_attribute(cert->subject, type, count, out, length + 1, NULL))
            break;
        item[count++] = rules_bytes(out, length);
    }
    f->pool.full |= count == ATTRIBUTES_MAX && x509_name_attribute(cert->subject, type, count, NULL, 0, NULL);
    *value = (struct rules_value){.type = RULES_T_STRINGS, .array = {item, count}};
    return true;
}

static bool chain_fingerprints(struct facts *f, struct rules_value *value)
{
    struct rules_value *item = f->peer ? take(f, f->peer->chain_count * sizeof *item) : NULL;
    size_t count = 0;
    if (item == NULL)
        return false;
    for (size_t i = 1; i < f->peer->chain_count; i++) {
        uint8_t digest[32];
        x509_sha256(f->peer->chain[i], digest);
        if (!hex(f, digest, sizeof digest, &item[count]))
            break;
        count++;
    }
    *value = (struct rules_value){.type = RULES_T_STRINGS, .array = {item, count}};
    return true;
}

/* FIRST to the end of the chain; TOO_LARGE asks only whether it is. */
static bool rfc9440(struct facts *f, size_t first, size_t count, size_t most, bool too_large,
                    struct rules_value *value)
{
    struct identity_der der[TLS_CHAIN_MAX];
    size_t size = 0;
    if (f->peer == NULL || first + count > f->peer->chain_count || count > TLS_CHAIN_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        der[i] = (struct identity_der){f->peer->chain[first + i].data, f->peer->chain[first + i].size};
        size += (der[i].size + 2) / 3 * 4 + 4;
    }
    size -= count ? 2 : 0; /* ":b64:" each, ", " between */
    if (too_large)
        return boolean(size > most, value);
    char *out = size <= most ? take(f, size + 1) : NULL;
    if (out == NULL)
        return false;
    *value = rules_bytes(out, identity_rfc9440(der, count, out));
    return true;
}

static bool date(struct facts *f, int64_t at, struct rules_value *value)
{
    char *out = f->peer ? take(f, 40) : NULL;
    if (out == NULL)
        return false;
    *value = rules_bytes(out, x509_time_text(at, out, 40));
    return true;
}

static bool key_type(struct facts *f, struct rules_value *value)
{
    static const char *const types[] = {
        [X509_KEY_OTHER] = "", [X509_KEY_RSA] = "RSA", [X509_KEY_EC] = "EC", [X509_KEY_ED25519] = "Ed25519"};
    const struct x509 *cert = leaf(f);
    return cert && text(types[cert->key_type], value);
}

static bool is_verified(const struct facts *f)
{
    return f->peer && f->verdict && (f->verdict->status == TLS_TRUSTED || f->verdict->revoked_leaf);
}

/* Only what was proven: the leaf's own authority key identifier is the word of whoever signed it. */
static bool issuer_text(struct facts *f, bool serial, struct rules_value *value)
{
    if (!is_verified(f))
        return false;
    const struct tls_issuer *issuer = &f->verdict->issuer;
    size_t room = 2 * (serial ? issuer->serial.size : issuer->ski.size) + 2;
    char *out = take(f, room);
    if (out == NULL)
        return false;
    size_t size = serial ? x509_integer_hex(issuer->serial, issuer->serial_negative, out, room)
                         : x509_hex(issuer->ski, true, out, room);
    *value = rules_bytes(out, size);
    return true;
}

static bool certificate(struct facts *f, unsigned field, struct rules_value *value)
{
    const struct tls_peer *p = f->peer;
    if (p == NULL)
        return false;
    size_t more = p->chain_count - 1;
    switch (field) {
    case RULES_FIELD_CERT_PRESENTED: return boolean(true, value);
    case RULES_FIELD_CERT_VERIFIED: return boolean(is_verified(f), value);
    case RULES_FIELD_CERT_REVOKED: return boolean(f->verdict && f->verdict->revoked_leaf, value);
    case RULES_FIELD_CERT_SUBJECT:
    case RULES_FIELD_CERT_SUBJECT_RFC2253: return text(p->subject, value);
    case RULES_FIELD_CERT_SUBJECT_LEGACY: return text(p->subject_legacy, value);
    case RULES_FIELD_CERT_ISSUER:
    case RULES_FIELD_CERT_ISSUER_RFC2253: return text(p->issuer, value);
    case RULES_FIELD_CERT_ISSUER_LEGACY: return text(p->issuer_legacy, value);
    case RULES_FIELD_CERT_SERIAL: return text(p->serial, value);
    case RULES_FIELD_CERT_ISSUER_SERIAL: return issuer_text(f, true, value);
    case RULES_FIELD_CERT_SHA256: return text(p->sha256, value);
    case RULES_FIELD_CERT_SHA1: return text(p->sha1, value);
    case RULES_FIELD_CERT_NOT_BEFORE: return date(f, p->not_before, value);
    case RULES_FIELD_CERT_NOT_AFTER: return date(f, p->not_after, value);
    case RULES_FIELD_CERT_SKI: return text(p->ski, value);
    case RULES_FIELD_CERT_ISSUER_SKI: return issuer_text(f, false, value);
    case RULES_FIELD_CERT_RFC9440: return rfc9440(f, 0, 1, RFC9440_MAX, false, value);
    case RULES_FIELD_CERT_RFC9440_TOO_LARGE: return rfc9440(f, 0, 1, RFC9440_MAX, true, value);
    case RULES_FIELD_CERT_CHAIN_RFC9440: return rfc9440(f, 1, more, RFC9440_CHAIN_MAX, false, value);
    case RULES_FIELD_CERT_CHAIN_RFC9440_TOO_LARGE: return rfc9440(f, 1, more, RFC9440_CHAIN_MAX, true, value);
    case RULES_FIELD_SPIFFE_ID: return spiffe_id(f, value);
    case RULES_FIELD_TRUST_DOMAIN: return trust_domain(f, value);
    case RULES_FIELD_SAN_DNS: return sans(f, TLS_SAN_DNS, value);
    case RULES_FIELD_SAN_URI: return sans(f, TLS_SAN_URI, value);
    case RULES_FIELD_SAN_IP: return sans(f, TLS_SAN_IP, value);
    case RULES_FIELD_SAN_EMAIL: return sans(f, TLS_SAN_EMAIL, value);
    case RULES_FIELD_SUBJECT_CN: return names(f, "CN", value);
    case RULES_FIELD_SUBJECT_O: return names(f, "O", value);
    case RULES_FIELD_SUBJECT_OU: return names(f, "OU", value);
    case RULES_FIELD_CHAIN_SHA256: return chain_fingerprints(f, value);
    case RULES_FIELD_KEY_TYPE: return key_type(f, value);
    case RULES_FIELD_KEY_BITS: return leaf(f) && number(f->leaf->key_bits, value);
    case RULES_FIELD_SECONDS_TO_EXPIRY: return number(p->not_after - f->now, value);
    case RULES_FIELD_VERIFY_ERROR: return !is_verified(f) && f->verdict && text(f->verdict->words, value);
    default: return false;
    }
}

/* --- the connection --- */

/* Section 15.3: TLS 1.3 suites carry Cloudflare's names, the others OpenSSL's. */
static bool cipher(const struct tls_stream_info *info, struct rules_value *value)
{
    static const char *const names13[][2] = {
        {"TLS_AES_128_GCM_SHA256", "AEAD-AES128-GCM-SHA256"},
        {"TLS_AES_256_GCM_SHA384", "AEAD-AES256-GCM-SHA384"},
        {"TLS_CHACHA20_POLY1305_SHA256", "AEAD-CHACHA20-POLY1305-SHA256"},
    };
    for (size_t i = 0; info->cipher && i < sizeof names13 / sizeof *names13; i++) {
        if (strcmp(info->cipher, names13[i][0]) == 0)
            return text(names13[i][1], value);
    }
    return text(info->cipher, value);
}

static bool counted(const struct facts *f, enum ledger_count what, struct rules_value *value)
{
    return f->ledger && f->peer && number((int64_t)ledger_sum(f->ledger, f->ticket, what), value);
}

static bool connection(struct facts *f, unsigned field, struct rules_value *value)
{
    const struct tls_hello *h = f->hello;
    switch (field) {
    case RULES_FIELD_SSL: return boolean(f->tls != NULL, value);
    case RULES_FIELD_IP_SRC: return address(f->source, value);
    case RULES_FIELD_SRC_PORT: return f->source && number(net_addr_port(&f->source->sa), value);
    case RULES_FIELD_SERVER_IP: return address(local(f), value);
    case RULES_FIELD_SERVER_PORT: return port(local(f), value);
    case RULES_FIELD_TLS_VERSION: return f->tls && text(f->tls->version, value);
    case RULES_FIELD_TLS_CIPHER: return f->tls && cipher(f->tls, value);
    case RULES_FIELD_TLS_HELLO_LENGTH: return h && number(h->length, value);
    case RULES_FIELD_TLS_RANDOM: return h && base64(f, h->random, sizeof h->random, value);
    case RULES_FIELD_TLS_CIPHERS_SHA1: return h && base64(f, h->ciphers_sha1, 20, value);
    case RULES_FIELD_TLS_EXTENSIONS_SHA1: return h && base64(f, h->extensions_sha1, 20, value);
    case RULES_FIELD_TLS_EXTENSIONS_SHA1_LE: return h && base64(f, h->extensions_sha1_le, 20, value);
    case RULES_FIELD_INBOUND: return text(f->inbound, value);
    case RULES_FIELD_DIRECTION: return text(f->inbound ? "inbound" : "outbound", value);
    case RULES_FIELD_CA: return text(f->ca, value);
    case RULES_FIELD_SNI: return f->tls && text(f->tls->sni, value);
    case RULES_FIELD_ALPN: return f->tls && text(f->tls->alpn, value);
    case RULES_FIELD_CERT_CONNECTIONS: return counted(f, LEDGER_CONNECTIONS, value);
    case RULES_FIELD_RESUMED: return f->tls && boolean(f->tls->resumed, value);
    default: return certificate(f, field, value);
    }
}

/* --- the request and its response --- */

static struct rules_pair *pairs(struct facts *f, const struct http_field *fields, size_t count, size_t *out)
{
    struct rules_pair *pair = take(f, (count + 1) * sizeof *pair);
    size_t n = 0;
    for (size_t i = 0; pair && i < count; i++) {
        if (!fields[i].drop)
            pair[n++] = (struct rules_pair){{(const uint8_t *)fields[i].name.p, fields[i].name.n},
                                            {(const uint8_t *)fields[i].value.p, fields[i].value.n}};
    }
    *out = n;
    return pair;
}

/* The request's fields as pairs, with the names in lower case; NULL: no room. */
static const struct rules_pair *headers(struct facts *f)
{
    if (f->pair == NULL)
        f->pair = pairs(f, f->request->fields, f->request->field_count, &f->pair_count);
    return f->pair;
}

/* The names as they were received. */
static bool spelled_names(struct facts *f, const struct http_field *fields, size_t count,
                          struct rules_value *value)
{
    struct rules_value *item = take(f, (count + 1) * sizeof *item);
    size_t n = 0;
    if (item == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!fields[i].drop)
            item[n++] =
                rules_bytes(fields[i].spelling ? fields[i].spelling : fields[i].name.p, fields[i].name.n);
    }
    *value = (struct rules_value){.type = RULES_T_STRINGS, .array = {item, n}};
    return true;
}

static struct rules_bytes bytes_of(struct http_str s)
{
    return (struct rules_bytes){(const uint8_t *)s.p, s.n};
}

static struct rules_value clean_path(struct facts *f)
{
    struct http_str raw = f->request->path;
    unsigned ambiguity = 0;
    char *out = f->path.p ? NULL : take(f, raw.n + 1);
    if (out) {
        f->path = (struct http_str){out, http_path_normalise(raw.p, raw.n, out, &ambiguity)};
        f->ambiguous = ambiguity != 0;
    } else if (f->path.p == NULL) {
        f->ambiguous = true;
        return rules_bytes("", 0);
    }
    return rules_bytes(f->path.p, f->path.n);
}

static bool joined(struct facts *f, const struct http_str *part, size_t count, struct rules_value *value)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += part[i].n;
    char *out = take(f, size + 1);
    if (out == NULL)
        return false;
    size = 0;
    for (size_t i = 0; i < count; i++) {
        if (part[i].n != 0)
            memcpy(out + size, part[i].p, part[i].n);
        size += part[i].n;
    }
    *value = rules_bytes(out, size);
    return true;
}

/* Path and query, with or without scheme and host before them. */
static bool uri(struct facts *f, struct http_str path, bool full, struct rules_value *value)
{
    const struct facts_request *r = f->request;
    struct http_str question = r->query.p ? HTTP_STR("?") : (struct http_str){"", 0};
    struct http_str query = r->query.p ? r->query : (struct http_str){"", 0};
    struct http_str scheme = f->tls ? HTTP_STR("https://") : HTTP_STR("http://");
    struct http_str part[] = {scheme, r->host, path, question, query};
    return joined(f, full ? part : part + 2, full ? 5 : 3, value);
}

static struct http_str str_of(const struct rules_value *value)
{
    return (struct http_str){(const char *)value->bytes.data, value->bytes.size};
}

static bool args(struct facts *f, unsigned field, struct rules_value *value)
{
    size_t count = 0;
    struct http_str query = f->request->query.p ? f->request->query : (struct http_str){"", 0};
    const struct rules_pair *pair = rules_derive_args(&f->pool, bytes_of(query), &count);
    if (field == RULES_FIELD_ARGS || field == RULES_FIELD_RAW_ARGS)
        *value = rules_derive_map(&f->pool, pair, count, false);
    else if (field == RULES_FIELD_ARGS_NAMES || field == RULES_FIELD_RAW_ARGS_NAMES)
        *value = rules_derive_names(&f->pool, pair, count);
    else
        *value = rules_derive_values(&f->pool, pair, count);
    return true;
}

static bool one_header(struct facts *f, const char *name, struct rules_value *value)
{
    if (headers(f) == NULL)
        return false;
    struct rules_bytes found = rules_derive_header(f->pair, f->pair_count, name);
    *value = rules_bytes(found.data, found.size);
    return true;
}

static bool cookies(struct facts *f, struct rules_value *value)
{
    size_t count = 0;
    if (headers(f) == NULL)
        return false;
    const struct rules_pair *pair = rules_derive_cookies(&f->pool, f->pair, f->pair_count, &count);
    *value = rules_derive_map(&f->pool, pair, count, false);
    return true;
}

static bool languages(struct facts *f, struct rules_value *value)
{
    if (headers(f) == NULL)
        return false;
    *value = rules_derive_languages(&f->pool, rules_derive_header(f->pair, f->pair_count, "accept-language"));
    return true;
}

static bool request(struct facts *f, unsigned field, struct rules_value *value)
{
    const struct facts_request *r = f->request;
    struct rules_value path;
    switch (field) {
    case RULES_FIELD_CERT_REQUESTS: return counted(f, LEDGER_REQUESTS, value);
    case RULES_FIELD_HOST: return str(r->host, value);
    case RULES_FIELD_METHOD: return str(r->method, value);
    case RULES_FIELD_VERSION: return text(r->version, value);
    case RULES_FIELD_PATH: *value = clean_path(f); return true;
    case RULES_FIELD_RAW_PATH: return str(r->path, value);
    case RULES_FIELD_EXTENSION:
        path = clean_path(f);
        *value = rules_derive_extension(&f->pool, path.bytes);
        return true;
    case RULES_FIELD_RAW_EXTENSION: *value = rules_derive_extension(&f->pool, bytes_of(r->path)); return true;
    case RULES_FIELD_QUERY:
    case RULES_FIELD_RAW_QUERY: return str(r->query, value);
    case RULES_FIELD_URI: path = clean_path(f); return uri(f, str_of(&path), false, value);
    case RULES_FIELD_RAW_URI: return uri(f, r->path, false, value);
    case RULES_FIELD_FULL_URI: path = clean_path(f); return uri(f, str_of(&path), true, value);
    case RULES_FIELD_RAW_FULL_URI: return uri(f, r->path, true, value);
    case RULES_FIELD_ARGS:
    case RULES_FIELD_ARGS_NAMES:
    case RULES_FIELD_ARGS_VALUES:
    case RULES_FIELD_RAW_ARGS:
    case RULES_FIELD_RAW_ARGS_NAMES:
    case RULES_FIELD_RAW_ARGS_VALUES: return args(f, field, value);
    case RULES_FIELD_HEADERS:
        if (headers(f) == NULL)
            return false;
        *value = rules_derive_map(&f->pool, f->pair, f->pair_count, true);
        return true;
    case RULES_FIELD_HEADERS_NAMES: return spelled_names(f, r->fields, r->field_count, value);
    case RULES_FIELD_HEADERS_VALUES:
        if (headers(f) == NULL)
            return false;
        *value = rules_derive_values(&f->pool, f->pair, f->pair_count);
        return true;
    case RULES_FIELD_COOKIES: return cookies(f, value);
    case RULES_FIELD_COOKIE: return one_header(f, "cookie", value);
    case RULES_FIELD_USER_AGENT: return one_header(f, "user-agent", value);
    case RULES_FIELD_REFERER: return one_header(f, "referer", value);
    case RULES_FIELD_X_FORWARDED_FOR: return one_header(f, "x-forwarded-for", value);
    case RULES_FIELD_LANGUAGES: return languages(f, value);
    case RULES_FIELD_TIMESTAMP_SEC: return number((int64_t)(r->at_ms / 1000), value);
    case RULES_FIELD_TIMESTAMP_MSEC: return number((int64_t)(r->at_ms % 1000), value);
    default: return false;
    }
}

static bool response(struct facts *f, unsigned field, struct rules_value *value)
{
    const struct facts_response *r = f->response;
    size_t count = 0;
    if (field == RULES_FIELD_RESPONSE_CODE)
        return number(r->status, value);
    if (field == RULES_FIELD_RESPONSE_HEADERS_NAMES || field == RULES_FIELD_RAW_RESPONSE_HEADERS_NAMES)
        return spelled_names(f, r->fields, r->field_count, value);
    const struct rules_pair *pair = pairs(f, r->fields, r->field_count, &count);
    if (pair == NULL)
        return false;
    switch (field) {
    case RULES_FIELD_RESPONSE_HEADERS:
    case RULES_FIELD_RAW_RESPONSE_HEADERS:
        *value = rules_derive_map(&f->pool, pair, count, true);
        return true;
    case RULES_FIELD_RESPONSE_HEADERS_VALUES:
    case RULES_FIELD_RAW_RESPONSE_HEADERS_VALUES:
        *value = rules_derive_values(&f->pool, pair, count);
        return true;
    case RULES_FIELD_RESPONSE_MEDIA_TYPE:
        *value = rules_derive_media_type(&f->pool, rules_derive_header(pair, count, "content-type"));
        return true;
    default: return false;
    }
}

static bool get(struct facts *f, unsigned field, struct rules_value *value)
{
    if (field >= RULES_FIELD_RESPONSE_CODE)
        return f->response && response(f, field, value);
    if (field >= RULES_FIELD_CERT_REQUESTS)
        return f->request && request(f, field, value);
    return connection(f, field, value);
}

/* What did not fit is not absent: it might be what a rule asks for. */
bool facts_get(void *arg, unsigned field, struct rules_value *value)
{
    struct facts *f = arg;
    f->pool.full = false;
    bool got = get(f, field, value);
    if (!f->pool.full)
        return got;
    *value = (struct rules_value){.type = RULES_TOO_LARGE};
    return true;
}

struct http_str facts_text(struct facts *f, const struct rules_value *value)
{
    char *out;
    switch (value->type) {
    case RULES_BYTES:
        out = take(f, value->bytes.size + 1);
        if (out && value->bytes.size != 0)
            memcpy(out, value->bytes.data, value->bytes.size);
        return (struct http_str){out, out ? value->bytes.size : 0};
    case RULES_BOOL: return value->boolean ? HTTP_STR("true") : HTTP_STR("false");
    case RULES_INT:
        out = take(f, 24);
        return out ? (struct http_str){out, (size_t)snprintf(out, 24, "%lld", (long long)value->integer)}
                   : (struct http_str){NULL, 0};
    case RULES_IP:
        out = take(f, RULES_IP_TEXT);
        return out ? (struct http_str){out, rules_ip_text(&value->ip, out)} : (struct http_str){NULL, 0};
    default: return (struct http_str){NULL, 0};
    }
}
