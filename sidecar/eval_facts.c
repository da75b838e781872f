/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/eval_facts.h"

#include <stdlib.h>
#include <string.h>

#include "certrotate/pem.h"
#include "certrotate/x509.h"
#include "sidecar/http/path.h"

/* ---- Certificates
 * ---------------------------------------------------------------------------------------------- */

enum { CHAIN_MAX = 16, RFC9440_MAX = 10 * 1024, RFC9440_CHAIN_MAX = 16 * 1024 };

struct facts {
    struct rules_context *context;
    struct rules_arena *arena;
    bool no_memory;
};

static void set(struct facts *f, unsigned field, struct rules_value value)
{
    rules_context_set(f->context, field, &value);
}

static struct rules_value copied(struct facts *f, const void *data, size_t size)
{
    void *copy = rules_arena_copy(f->arena, data, size);
    f->no_memory |= !copy;
    return rules_bytes(copy ? copy : "", copy ? size : 0);
}

/* A text that a function writes as snprintf does. */
#define SET_TEXT(f, field, write)                    \
    do {                                             \
        char small[1];                               \
        char *out = small;                           \
        size_t size = sizeof small;                  \
        size_t length = write;                       \
        size = length + 1;                           \
        out = rules_arena_take((f)->arena, size);    \
        (f)->no_memory |= !out;                      \
        if (out) {                                   \
            write;                                   \
            set(f, field, rules_bytes(out, length)); \
        }                                            \
    } while (0)

static void set_hex(struct facts *f, unsigned field, const uint8_t *data, size_t count, bool upper)
{
    SET_TEXT(f, field, x509_hex((struct x509_slice){data, count}, upper, out, size));
}

static void set_names(struct facts *f, unsigned field, const struct x509 *cert, const char *type)
{
    struct rules_value item[32], array = {.type = RULES_ARRAY_OF(RULES_BYTES)};
    size_t n = 0, length;
    while (n < 32 && x509_name_attribute(cert->subject, type, n, NULL, 0, &length)) {
        char *text = rules_arena_take(f->arena, length + 1);
        f->no_memory |= !text;
        if (!text || !x509_name_attribute(cert->subject, type, n, text, length + 1, NULL))
            break;
        item[n++] = rules_bytes(text, length);
    }
    array.array.item = rules_arena_copy(f->arena, item, n * sizeof *item);
    array.array.count = array.array.item ? n : 0;
    set(f, field, array);
}

static struct rules_value san_value(struct facts *f, const struct x509_san *san)
{
    struct rules_ip ip = {.family = san->value.size == 4 ? 4 : 6};
    if (san->kind != X509_SAN_IP)
        return copied(f, san->value.data, san->value.size);
    memcpy(ip.addr, san->value.data, san->value.size < 16 ? san->value.size : 16);
    return rules_ip(ip);
}

static void set_sans(struct facts *f, unsigned field, const struct x509 *cert, enum x509_san_kind kind)
{
    struct rules_value item[X509_SANS_MAX];
    struct rules_value array = {.type = RULES_ARRAY_OF(kind == X509_SAN_IP ? RULES_IP : RULES_BYTES)};
    size_t n = 0;
    for (size_t i = 0; i < cert->san_count; i++)
        if (cert->san[i].kind == kind)
            item[n++] = san_value(f, &cert->san[i]);
    array.array.item = rules_arena_copy(f->arena, item, n * sizeof *item);
    array.array.count = array.array.item ? n : 0;
    set(f, field, array);
}

static void set_spiffe(struct facts *f, const struct x509 *cert)
{
    for (size_t i = 0; i < cert->san_count; i++) {
        struct x509_slice uri = cert->san[i].value;
        if (cert->san[i].kind != X509_SAN_URI || uri.size < 9 || memcmp(uri.data, "spiffe://", 9) != 0)
            continue;
        const uint8_t *slash = memchr(uri.data + 9, '/', uri.size - 9);
        size_t domain = slash ? (size_t)(slash - uri.data) - 9 : uri.size - 9;
        set(f, RULES_FIELD_SPIFFE_ID, copied(f, uri.data, uri.size));
        set(f, RULES_FIELD_TRUST_DOMAIN, copied(f, uri.data + 9, domain));
        return;
    }
}

static void add_base64(struct rules_buffer *out, const uint8_t *data, size_t size)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t group = (uint32_t)data[i] << 16 | (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                         (left > 2 ? data[i + 2] : 0);
        char text[4] = {letters[group >> 18], letters[group >> 12 & 63],
                        left > 1 ? letters[group >> 6 & 63] : '=', left > 2 ? letters[group & 63] : '='};
        rules_buffer_add(out, text, sizeof text);
    }
}

static void set_rfc9440(struct facts *f, const struct x509 *cert, size_t count, unsigned field,
                        unsigned too_large, size_t most)
{
    struct rules_buffer out = {0};
    for (size_t i = 0; i < count; i++) {
        rules_buffer_text(&out, i ? ", :" : ":");
        add_base64(&out, cert[i].der.data, cert[i].der.size);
        rules_buffer_text(&out, ":");
    }
    f->no_memory |= out.failed;
    if (out.size > most)
        set(f, too_large, rules_bool(true));
    else
        set(f, field, copied(f, out.data, out.size));
    rules_buffer_free(&out);
}

static void set_key(struct facts *f, const struct x509 *cert)
{
    static const char *const names[] = {[X509_KEY_OTHER] = "other",
                                        [X509_KEY_RSA] = "RSA",
                                        [X509_KEY_EC] = "EC",
                                        [X509_KEY_ED25519] = "Ed25519"};
    size_t type = (size_t)cert->key_type < sizeof names / sizeof *names ? (size_t)cert->key_type : 0;
    set(f, RULES_FIELD_KEY_TYPE, rules_bytes(names[type], strlen(names[type])));
    set(f, RULES_FIELD_KEY_BITS, rules_int(cert->key_bits));
}

static void set_leaf(struct facts *f, const struct x509 *cert, int64_t now)
{
    uint8_t digest[32];
    SET_TEXT(f, RULES_FIELD_CERT_SUBJECT, x509_name_rfc2253(cert->subject, out, size));
    SET_TEXT(f, RULES_FIELD_CERT_SUBJECT_RFC2253, x509_name_rfc2253(cert->subject, out, size));
    SET_TEXT(f, RULES_FIELD_CERT_SUBJECT_LEGACY, x509_name_legacy(cert->subject, out, size));
    SET_TEXT(f, RULES_FIELD_CERT_ISSUER, x509_name_rfc2253(cert->issuer, out, size));
    SET_TEXT(f, RULES_FIELD_CERT_ISSUER_RFC2253, x509_name_rfc2253(cert->issuer, out, size));
    SET_TEXT(f, RULES_FIELD_CERT_ISSUER_LEGACY, x509_name_legacy(cert->issuer, out, size));
    SET_TEXT(f, RULES_FIELD_CERT_SERIAL, x509_serial_hex(cert, out, size));
    SET_TEXT(f, RULES_FIELD_CERT_NOT_BEFORE, x509_time_text(cert->not_before, out, size));
    SET_TEXT(f, RULES_FIELD_CERT_NOT_AFTER, x509_time_text(cert->not_after, out, size));
    x509_sha256(cert->der, digest);
    set_hex(f, RULES_FIELD_CERT_SHA256, digest, 32, false);
    x509_sha1(cert->der, digest);
    set_hex(f, RULES_FIELD_CERT_SHA1, digest, 20, false);
    set_hex(f, RULES_FIELD_CERT_SKI, cert->ski.data, cert->ski.size, true);
    set_names(f, RULES_FIELD_SUBJECT_CN, cert, "CN");
    set_names(f, RULES_FIELD_SUBJECT_O, cert, "O");
    set_names(f, RULES_FIELD_SUBJECT_OU, cert, "OU");
    set_sans(f, RULES_FIELD_SAN_DNS, cert, X509_SAN_DNS);
    set_sans(f, RULES_FIELD_SAN_URI, cert, X509_SAN_URI);
    set_sans(f, RULES_FIELD_SAN_IP, cert, X509_SAN_IP);
    set_sans(f, RULES_FIELD_SAN_EMAIL, cert, X509_SAN_EMAIL);
    set_spiffe(f, cert);
    set_key(f, cert);
    set(f, RULES_FIELD_SECONDS_TO_EXPIRY, rules_int(cert->not_after - now));
}

static void set_issuers(struct facts *f, const struct x509 *cert, size_t count)
{
    struct rules_value item[CHAIN_MAX], array = {.type = RULES_ARRAY_OF(RULES_BYTES)};
    for (size_t i = 1; i < count; i++) {
        bool direct = cert[i].subject.size == cert[0].issuer.size &&
                      memcmp(cert[i].subject.data, cert[0].issuer.data, cert[0].issuer.size) == 0;
        uint8_t digest[32];
        char text[65];
        x509_sha256(cert[i].der, digest);
        x509_hex((struct x509_slice){digest, 32}, false, text, sizeof text);
        item[i - 1] = copied(f, text, 64);
        if (!direct)
            continue;
        SET_TEXT(f, RULES_FIELD_CERT_ISSUER_SERIAL, x509_serial_hex(&cert[i], out, size));
        set_hex(f, RULES_FIELD_CERT_ISSUER_SKI, cert[i].ski.data, cert[i].ski.size, true);
    }
    array.array.item = rules_arena_copy(f->arena, item, (count - 1) * sizeof *item);
    array.array.count = array.array.item ? count - 1 : 0;
    set(f, RULES_FIELD_CHAIN_SHA256, array);
}

const char *eval_certificate(struct rules_context *context, struct rules_arena *arena, const uint8_t *text,
                             size_t size, int64_t now)
{
    struct facts f = {.context = context, .arena = arena};
    struct pem_set set_of = {0};
    size_t count = 0;
    struct x509 *cert = calloc(CHAIN_MAX, sizeof *cert);
    const char *wrong = cert ? pem_read(text, size, CHAIN_MAX, &set_of) : "out of memory";
    for (size_t i = 0; !wrong && i < set_of.count; i++)
        if (set_of.block[i].kind == PEM_CERTIFICATE)
            wrong = x509_parse(set_of.block[i].data, set_of.block[i].size, &cert[count++]);
    if (!wrong && count == 0)
        wrong = "there is no certificate in it";
    if (!wrong) {
        set(&f, RULES_FIELD_SSL, rules_bool(true));
        set(&f, RULES_FIELD_CERT_PRESENTED, rules_bool(true));
        set_leaf(&f, cert, now);
        /* Where the issuer was not sent, the leaf's authority key identifier tells its key all the same. */
        set_hex(&f, RULES_FIELD_CERT_ISSUER_SKI, cert->aki.data, cert->aki.size, true);
        set_issuers(&f, cert, count);
        set_rfc9440(&f, cert, 1, RULES_FIELD_CERT_RFC9440, RULES_FIELD_CERT_RFC9440_TOO_LARGE, RFC9440_MAX);
        set_rfc9440(&f, cert + 1, count - 1, RULES_FIELD_CERT_CHAIN_RFC9440,
                    RULES_FIELD_CERT_CHAIN_RFC9440_TOO_LARGE, RFC9440_CHAIN_MAX);
        wrong = f.no_memory ? "out of memory" : NULL;
    }
    pem_free(&set_of);
    free(cert);
    return wrong;
}

/* ---- Requests
 * ---------------------------------------------------------------------------------------------------- */

static struct rules_bytes token(const char **p, const char *end, char until)
{
    const char *start = *p, *found = memchr(start, until, (size_t)(end - start));
    const char *stop = found ? found : end;
    *p = found ? found + 1 : end;
    return (struct rules_bytes){(const uint8_t *)start, (size_t)(stop - start)};
}

static struct rules_bytes line_of(const char **p, const char *end)
{
    struct rules_bytes line = token(p, end, '\n');
    if (line.size > 0 && line.data[line.size - 1] == '\r')
        line.size--;
    return line;
}

const char *eval_request_read(struct eval_request *request, const char *text, size_t size)
{
    const char *p = text, *end = text + size;
    struct rules_bytes line = line_of(&p, end);
    const char *word = (const char *)line.data, *stop = word + line.size;
    request->method = token(&word, stop, ' ');
    request->target = token(&word, stop, ' ');
    request->version = token(&word, stop, ' ');
    if (request->version.size < 6 || memcmp(request->version.data, "HTTP/", 5) != 0)
        return "the first line is not METHOD TARGET HTTP/VERSION";
    while (p < end) {
        line = line_of(&p, end);
        if (line.size == 0)
            break;
        const uint8_t *colon = memchr(line.data, ':', line.size);
        if (!colon || colon == line.data)
            return "a header line has no name and colon";
        struct rules_pair *header = realloc(request->header, (request->headers + 1) * sizeof *header);
        if (!header)
            return "out of memory";
        request->header = header;
        header += request->headers++;
        header->name = (struct rules_bytes){line.data, (size_t)(colon - line.data)};
        header->value = (struct rules_bytes){colon + 1, line.size - header->name.size - 1};
        while (header->value.size > 0 && (*header->value.data == ' ' || *header->value.data == '\t')) {
            header->value.data++;
            header->value.size--;
        }
        while (header->value.size > 0 && (header->value.data[header->value.size - 1] == ' ' ||
                                          header->value.data[header->value.size - 1] == '\t'))
            header->value.size--;
    }
    return NULL;
}

static struct rules_value joined(struct facts *f, struct rules_bytes a, struct rules_bytes b,
                                 struct rules_bytes c)
{
    struct rules_buffer out = {0};
    rules_buffer_add(&out, a.data, a.size);
    rules_buffer_add(&out, b.data, b.size);
    rules_buffer_add(&out, c.data, c.size);
    struct rules_value value = copied(f, out.data, out.size);
    rules_buffer_free(&out);
    return value;
}

#define TEXT(literal) ((struct rules_bytes){(const uint8_t *)(literal), sizeof(literal) - 1})

static struct rules_value plain(struct rules_bytes bytes)
{
    return rules_bytes(bytes.data, bytes.size);
}

static struct rules_bytes clean_path(struct facts *f, struct rules_bytes path)
{
    unsigned ambiguity;
    char *out = rules_arena_copy(f->arena, path.size ? path.data : TEXT("/").data, path.size ? path.size : 1);
    f->no_memory |= out == NULL;
    if (out == NULL)
        return TEXT("");
    return (struct rules_bytes){(uint8_t *)out, http_path_normalise(out, path.size, out, &ambiguity)};
}

static void set_uri(struct facts *f, struct rules_pool *pool, const struct eval_request *request,
                    struct rules_bytes host, struct rules_bytes path, struct rules_bytes query)
{
    size_t count;
    struct rules_bytes mark = query.data ? TEXT("?") : TEXT("");
    struct rules_bytes clean = clean_path(f, path);
    struct rules_bytes scheme = request->scheme.size ? request->scheme : TEXT("http");
    struct rules_value origin = joined(f, scheme, TEXT("://"), host);
    struct rules_value uri = joined(f, clean, mark, query), raw = joined(f, path, mark, query);
    const struct rules_pair *arg = rules_derive_args(pool, query, &count);
    struct rules_value map = rules_derive_map(pool, arg, count, false);
    struct rules_value names = rules_derive_names(pool, arg, count);
    struct rules_value values = rules_derive_values(pool, arg, count);
    set(f, RULES_FIELD_PATH, plain(clean));
    set(f, RULES_FIELD_RAW_PATH, plain(path));
    set(f, RULES_FIELD_EXTENSION, rules_derive_extension(pool, clean));
    set(f, RULES_FIELD_RAW_EXTENSION, rules_derive_extension(pool, path));
    set(f, RULES_FIELD_QUERY, plain(query));
    set(f, RULES_FIELD_RAW_QUERY, plain(query));
    set(f, RULES_FIELD_URI, uri);
    set(f, RULES_FIELD_RAW_URI, raw);
    set(f, RULES_FIELD_FULL_URI, joined(f, origin.bytes, uri.bytes, TEXT("")));
    set(f, RULES_FIELD_RAW_FULL_URI, joined(f, origin.bytes, raw.bytes, TEXT("")));
    set(f, RULES_FIELD_ARGS, map);
    set(f, RULES_FIELD_RAW_ARGS, map);
    set(f, RULES_FIELD_ARGS_NAMES, names);
    set(f, RULES_FIELD_RAW_ARGS_NAMES, names);
    set(f, RULES_FIELD_ARGS_VALUES, values);
    set(f, RULES_FIELD_RAW_ARGS_VALUES, values);
}

/* Splits a target: origin-form, or absolute-form whose host then counts. */
static void split_target(struct rules_bytes target, struct rules_bytes *host, struct rules_bytes *path,
                         struct rules_bytes *query)
{
    const uint8_t *colon = memmem(target.data, target.size, "://", 3);
    const uint8_t *end = target.data + target.size, *at = target.data;
    if (colon && target.size > 0 && *target.data != '/') {
        at = colon + 3;
        const uint8_t *slash = at;
        while (slash < end && *slash != '/' && *slash != '?')
            slash++;
        *host = (struct rules_bytes){at, (size_t)(slash - at)};
        at = slash;
    }
    const uint8_t *mark = memchr(at, '?', (size_t)(end - at));
    *path = (struct rules_bytes){at, (size_t)((mark ? mark : end) - at)};
    *query = mark ? (struct rules_bytes){mark + 1, (size_t)(end - mark) - 1} : (struct rules_bytes){NULL, 0};
    if (path->size == 0)
        *path = TEXT("/");
}

void eval_request_facts(struct rules_context *context, struct rules_arena *arena, struct rules_pool *pool,
                        const struct eval_request *request, int64_t now_ms)
{
    struct facts f = {.context = context, .arena = arena};
    const struct rules_pair *header = request->header;
    struct rules_bytes host = rules_derive_header(header, request->headers, "host"), path, query;
    size_t count;
    split_target(request->target, &host, &path, &query);
    set(&f, RULES_FIELD_HOST, plain(host));
    set(&f, RULES_FIELD_METHOD, plain(request->method));
    set(&f, RULES_FIELD_VERSION, plain(request->version));
    set_uri(&f, pool, request, host, path, query);
    set(&f, RULES_FIELD_HEADERS, rules_derive_map(pool, header, request->headers, true));
    set(&f, RULES_FIELD_HEADERS_NAMES, rules_derive_names(pool, header, request->headers));
    set(&f, RULES_FIELD_HEADERS_VALUES, rules_derive_values(pool, header, request->headers));
    const struct rules_pair *cookie = rules_derive_cookies(pool, header, request->headers, &count);
    set(&f, RULES_FIELD_COOKIES, rules_derive_map(pool, cookie, count, false));
    set(&f, RULES_FIELD_COOKIE, plain(rules_derive_header(header, request->headers, "cookie")));
    set(&f, RULES_FIELD_USER_AGENT, plain(rules_derive_header(header, request->headers, "user-agent")));
    set(&f, RULES_FIELD_REFERER, plain(rules_derive_header(header, request->headers, "referer")));
    set(&f, RULES_FIELD_X_FORWARDED_FOR,
        plain(rules_derive_header(header, request->headers, "x-forwarded-for")));
    set(&f, RULES_FIELD_LANGUAGES,
        rules_derive_languages(pool, rules_derive_header(header, request->headers, "accept-language")));
    set(&f, RULES_FIELD_TIMESTAMP_SEC, rules_int(now_ms / 1000));
    set(&f, RULES_FIELD_TIMESTAMP_MSEC, rules_int(now_ms % 1000));
}
