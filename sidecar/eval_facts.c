/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/eval_facts.h"

#include <stdlib.h>
#include <string.h>

#include "certrotate/der.h"
#include "certrotate/pem.h"
#include "certrotate/verify.h"

const char *eval_peer(struct tls_peers *peers, const uint8_t *text, size_t size, struct tls_peer **peer)
{
    struct pem_set set = {0};
    struct tls_der chain[TLS_CHAIN_MAX];
    enum tls_status status;
    size_t count = 0;
    *peer = NULL;
    const char *wrong = pem_read(text, size, TLS_CHAIN_MAX, &set);
    for (size_t i = 0; !wrong && i < set.count; i++)
        if (set.block[i].kind == PEM_CERTIFICATE)
            chain[count++] = (struct tls_der){set.block[i].data, set.block[i].size};
    if (!wrong && count == 0)
        wrong = "there is no certificate in it";
    if (!wrong)
        *peer = tls_peers_intern(peers, chain, count, &status, &wrong);
    pem_free(&set);
    return *peer ? NULL : wrong;
}

struct tls_issuer eval_issuer(const struct tls_peer *peer)
{
    struct x509 leaf, issuer;
    if (x509_parse(peer->chain[0].data, peer->chain[0].size, &leaf) != NULL)
        return (struct tls_issuer){0};
    for (size_t i = 0; i < peer->chain_count; i++)
        if (x509_parse(peer->chain[i].data, peer->chain[i].size, &issuer) == NULL &&
            der_same(issuer.subject, leaf.issuer) &&
            x509_verify(&issuer, leaf.tbs, leaf.signature_algorithm, leaf.signature) == NULL)
            return (struct tls_issuer){issuer.ski, issuer.serial, issuer.serial_negative};
    return (struct tls_issuer){leaf.aki, leaf.aki_serial, false};
}

/* --- requests --- */

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
        *path = (struct rules_bytes){(const uint8_t *)"/", 1};
}

static struct http_str str_of(struct rules_bytes from)
{
    return (struct http_str){(const char *)from.data, from.size};
}

/* The proxy's codec hands on names in lower case, with the spelling beside them. */
static struct http_field *fields_of(const struct eval_request *request, struct rules_arena *arena)
{
    struct http_field *field = rules_arena_take(arena, (request->headers + 1) * sizeof *field);
    for (size_t i = 0; field && i < request->headers; i++) {
        struct rules_bytes name = request->header[i].name;
        char *lower = rules_arena_copy(arena, name.data, name.size);
        if (lower == NULL)
            return NULL;
        for (size_t k = 0; k < name.size; k++)
            if (lower[k] >= 'A' && lower[k] <= 'Z')
                lower[k] = (char)(lower[k] + 'a' - 'A');
        field[i].name = (struct http_str){lower, name.size};
        field[i].spelling = (const char *)name.data;
        field[i].value = str_of(request->header[i].value);
    }
    return field;
}

bool eval_request_facts(struct facts *facts, const struct eval_request *request, struct rules_arena *arena,
                        int64_t now_ms)
{
    struct rules_bytes host = rules_derive_header(request->header, request->headers, "host"), path, query;
    struct facts_request *to = rules_arena_take(arena, sizeof *to);
    struct http_field *fields = fields_of(request, arena);
    char *version = rules_arena_take(arena, request->version.size + 1);
    if (!to || !fields || !version)
        return false;
    split_target(request->target, &host, &path, &query);
    memcpy(version, request->version.data, request->version.size);
    *to = (struct facts_request){.method = str_of(request->method),
                                 .target = str_of(request->target),
                                 .host = str_of(host),
                                 .path = str_of(path),
                                 .query = str_of(query),
                                 .version = version,
                                 .fields = fields,
                                 .field_count = request->headers,
                                 .at_ms = (uint64_t)now_ms};
    facts->request = to;
    return true;
}
