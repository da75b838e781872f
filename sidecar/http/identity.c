/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/http/identity.h"

#include <stdlib.h>
#include <string.h>

#include "sidecar/http/chars.h"

/* Writes, or only counts while p is NULL. */
struct text {
    char *p;
    size_t n;
};

static void put(struct text *t, const char *bytes, size_t size)
{
    if (t->p && size)
        memcpy(t->p + t->n, bytes, size);
    t->n += size;
}

static void put_text(struct text *t, const char *text)
{
    put(t, text, strlen(text));
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t identity_base64(const uint8_t *data, size_t size, char *out)
{
    if (!out)
        return (size + 2) / 3 * 4;
    char *p = out;
    for (size_t i = 0; i < size; i += 3) {
        size_t have = size - i;
        unsigned v = (unsigned)data[i] << 16;
        if (have > 1)
            v |= (unsigned)data[i + 1] << 8;
        if (have > 2)
            v |= data[i + 2];
        *p++ = base64_digits[v >> 18];
        *p++ = base64_digits[v >> 12 & 63];
        *p++ = have > 1 ? base64_digits[v >> 6 & 63] : '=';
        *p++ = have > 2 ? base64_digits[v & 63] : '=';
    }
    return (size_t)(p - out);
}

static void put_base64(struct text *t, const uint8_t *data, size_t size)
{
    t->n += identity_base64(data, size, t->p ? t->p + t->n : NULL);
}

size_t identity_rfc9440(const struct identity_der *certs, size_t count, char *out)
{
    struct text t = {out, 0};
    for (size_t i = 0; i < count; i++) {
        put_text(&t, i ? ", :" : ":");
        put_base64(&t, certs[i].data, certs[i].size);
        put_text(&t, ":");
    }
    return t.n;
}

/* As Envoy escapes PEM: newline, blank, plus, slash, equals sign, and nothing else. */
static void put_escaped(struct text *t, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        switch (bytes[i]) {
        case '\n': put_text(t, "%0A"); break;
        case ' ': put_text(t, "%20"); break;
        case '+': put_text(t, "%2B"); break;
        case '/': put_text(t, "%2F"); break;
        case '=': put_text(t, "%3D"); break;
        default: put(t, &bytes[i], 1);
        }
    }
}

static void put_pem(struct text *t, const struct identity_der *cert)
{
    enum { LINE = 48 }; /* bytes in the 64 characters of a line (RFC 7468) */
    static const char begin[] = "-----BEGIN CERTIFICATE-----\n", end[] = "-----END CERTIFICATE-----\n";
    put_escaped(t, begin, sizeof(begin) - 1);
    for (size_t i = 0; i < cert->size; i += LINE) {
        char line[LINE / 3 * 4 + 1];
        size_t n = identity_base64(cert->data + i, cert->size - i < LINE ? cert->size - i : LINE, line);
        line[n++] = '\n';
        put_escaped(t, line, n);
    }
    put_escaped(t, end, sizeof(end) - 1);
}

size_t identity_pem_escaped(const struct identity_der *certs, size_t count, char *out)
{
    struct text t = {out, 0};
    for (size_t i = 0; i < count; i++)
        put_pem(&t, &certs[i]);
    return t.n;
}

/*
 * Readers of XFCC differ in whether a backslash escapes anything but a quote, so none may stand before a
 * quote, be it the closing one: RFC 2253 lets both be written as hex pairs, which nobody can misread. Control
 * characters and what is not ASCII likewise.
 */
static void put_subject(struct text *t, const char *subject)
{
    static const char hex[] = "0123456789ABCDEF";
    put_text(t, "Subject=\"");
    for (const char *p = subject; *p; p++) {
        bool pair = *p == '\\' && p[1];
        char c = pair ? p[1] : *p;
        if (c == '"' || c == '\\' || (!http_is(c, HTTP_TARGET | HTTP_TOKEN) && c != ' ')) {
            char escaped[3] = {'\\', hex[(uint8_t)c >> 4], hex[(uint8_t)c & 15]};
            put(t, escaped, 3);
        } else {
            put(t, p, pair ? 2 : 1);
        }
        p += pair;
    }
    put_text(t, "\"");
}

/* Whether NAME can stand in an element, quoted if need be, and be read by everybody as what it is. */
static bool fit(const char *name)
{
    for (; *name; name++)
        if (!http_is(*name, HTTP_VALUE) || (uint8_t)*name >= 0x80 || strchr(" \t\"\\", *name))
            return false;
    return true;
}

/* ;KEY=NAME for each that is fit; returns how many. */
static size_t put_names(struct text *t, const char *key, const char *const *names, size_t count)
{
    size_t written = 0;
    for (size_t i = 0; i < count; i++) {
        if (!fit(names[i]))
            continue;
        const char *quote = strpbrk(names[i], ",;=") ? "\"" : "";
        put_text(t, t->n ? ";" : "");
        put_text(t, key);
        put_text(t, "=");
        put_text(t, quote);
        put_text(t, names[i]);
        put_text(t, quote);
        written++;
    }
    return written;
}

size_t identity_xfcc(const struct identity_source *source, unsigned details, char *out)
{
    struct text t = {out, 0};
    put_names(&t, "By", source->by, source->by_count);
    put_text(&t, t.n ? ";Hash=" : "Hash=");
    put_text(&t, source->sha256);
    if (details & IDENTITY_CERT) {
        put_text(&t, ";Cert=\"");
        t.n += identity_pem_escaped(source->chain, 1, out ? out + t.n : NULL);
        put_text(&t, "\"");
    }
    if (details & IDENTITY_CHAIN) {
        put_text(&t, ";Chain=\"");
        t.n += identity_pem_escaped(source->chain, source->chain_count, out ? out + t.n : NULL);
        put_text(&t, "\"");
    }
    if (details & IDENTITY_SUBJECT) {
        put_text(&t, ";");
        put_subject(&t, source->subject);
    }
    if (details & IDENTITY_URI && !put_names(&t, "URI", source->uri, source->uri_count))
        put_text(&t, ";URI=");
    if (details & IDENTITY_DNS)
        put_names(&t, "DNS", source->dns, source->dns_count);
    return t.n;
}

struct identity *identity_new(const struct identity_source *source, unsigned details)
{
    size_t leaf = identity_rfc9440(source->chain, 1, NULL);
    size_t rest = identity_rfc9440(source->chain + 1, source->chain_count - 1, NULL);
    size_t xfcc = identity_xfcc(source, details, NULL);
    size_t sha256 = strlen(source->sha256);
    struct identity *id = malloc(sizeof(*id) + leaf + rest + xfcc + sha256);
    if (!id)
        return NULL;
    char *p = (char *)(id + 1);
    id->rfc9440 = (struct http_str){p, leaf};
    identity_rfc9440(source->chain, 1, p);
    id->der_base64 = (struct http_str){p + 1, leaf - 2}; /* the same without its colons */
    p += leaf;
    id->rfc9440_chain = (struct http_str){p, rest};
    identity_rfc9440(source->chain + 1, source->chain_count - 1, p);
    p += rest;
    id->xfcc = (struct http_str){p, xfcc};
    identity_xfcc(source, details, p);
    p += xfcc;
    id->sha256 = (struct http_str){p, sha256};
    memcpy(p, source->sha256, sha256);
    return id;
}

bool identity_xfcc_valid(const char *text, size_t size)
{
    size_t i = 0;
    while (true) { /* one pair */
        while (i < size && (text[i] == ' ' || text[i] == '\t'))
            i++;
        size_t key = i;
        while (i < size && http_is(text[i], HTTP_ALNUM))
            i++;
        if (i == key || i == size || text[i++] != '=')
            return false;
        if (i < size && text[i] == '"') {
            for (i++; i < size && text[i] != '"'; i++) {
                if (text[i] != '\\')
                    continue;
                /* a backslash before a backslash or at the end is read in two ways */
                if (i + 1 == size || text[i + 1] == '\\')
                    return false;
                i++;
            }
            if (i++ >= size)
                return false;
        } else {
            while (i < size && text[i] != ',' && text[i] != ';') {
                if (text[i] == '=' || text[i] == '"')
                    return false;
                i++;
            }
        }
        while (i < size && (text[i] == ' ' || text[i] == '\t'))
            i++;
        if (i == size)
            return true;
        if (text[i] != ',' && text[i] != ';')
            return false;
        i++;
    }
}

size_t identity_forwarded(const char *address, const char *proto, struct http_str host, char *out)
{
    struct text t = {out, 0};
    bool v6 = strchr(address, ':') != NULL;
    put_text(&t, "for=");
    put_text(&t, v6 ? "\"[" : "");
    put_text(&t, *address ? address : "unknown");
    put_text(&t, v6 ? "]\"" : "");
    if (http_host_valid(host)) {
        bool token = http_all(host.p, host.n, HTTP_TOKEN);
        put_text(&t, token ? ";host=" : ";host=\"");
        put(&t, host.p, host.n);
        put_text(&t, token ? "" : "\"");
    }
    put_text(&t, ";proto=");
    put_text(&t, proto);
    return t.n;
}
