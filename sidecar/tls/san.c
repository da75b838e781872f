/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/tls/san.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { DNS_NAME_MAX = 253, DNS_LABEL_MAX = 63 };

/* A piece of text without a final zero. */
struct span {
    const char *p;
    size_t n;
};

/* What a URI is made of; PATH begins with a slash or is empty. */
struct uri {
    struct span scheme, authority, path;
};

/* The C library's own look at the locale, and this must not. */
static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool is_alpha(char c)
{
    return lower(c) >= 'a' && lower(c) <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool same(struct span a, struct span b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static bool same_folded(struct span a, struct span b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

static bool has(struct span s, char c)
{
    return memchr(s.p, c, s.n) != NULL;
}

/* Cuts S at its first C: returns what stands before, and leaves in S what follows C (nothing if C is not
 * there; *FOUND tells). */
static struct span cut(struct span *s, char c, bool *found)
{
    const char *at = memchr(s->p, c, s->n);
    struct span head = {s->p, at ? (size_t)(at - s->p) : s->n};
    *found = at != NULL;
    s->p += head.n + *found;
    s->n -= head.n + *found;
    return head;
}

/* --- DNS names --- */

/* Letters, digits, hyphens, and the underscore that service names in clusters do use. */
static bool is_label(struct span label)
{
    if (label.n == 0 || label.n > DNS_LABEL_MAX || label.p[0] == '-' || label.p[label.n - 1] == '-')
        return false;
    for (size_t i = 0; i < label.n; i++)
        if (!is_alpha(label.p[i]) && !is_digit(label.p[i]) && label.p[i] != '-' && label.p[i] != '_')
            return false;
    return true;
}

/* A name that is not an address: the last label has more than digits. */
static bool is_dns_name(struct span name)
{
    if (name.n == 0 || name.n > DNS_NAME_MAX)
        return false;
    struct span label = name;
    bool more = true;
    while (more) {
        label = cut(&name, '.', &more);
        if (!is_label(label))
            return false;
    }
    for (size_t i = 0; i < label.n; i++)
        if (!is_digit(label.p[i]))
            return true;
    return false;
}

bool tls_san_is_dns_name(const char *text, size_t size)
{
    return is_dns_name((struct span){text, size});
}

static bool starts_with_star(struct span name)
{
    return name.n > 2 && name.p[0] == '*' && name.p[1] == '.';
}

static struct span skip(struct span s, size_t n)
{
    return (struct span){s.p + n, s.n - n};
}

/* What stands behind the first label, or nothing. */
static struct span parent(struct span name)
{
    bool found;
    cut(&name, '.', &found);
    return name;
}

/* A wildcard must leave at least two labels: no certificate speaks for all of a top-level domain. */
static bool is_wildcard(struct span san)
{
    return starts_with_star(san) && is_dns_name(skip(san, 2)) && has(skip(san, 2), '.');
}

static bool match_dns(struct span want, struct span san)
{
    if (is_wildcard(san))
        return same_folded(parent(want), skip(san, 2));
    return is_dns_name(san) && same_folded(want, san);
}

/* SUFFIX is the pattern without its "*.". */
static bool match_dns_suffix(struct span suffix, struct span san)
{
    if (is_wildcard(san))
        return same_folded(skip(san, 2), suffix);
    return is_dns_name(san) && same_folded(parent(san), suffix);
}

/* --- URIs --- */

static bool split_uri(struct span text, struct uri *uri)
{
    bool found;
    uri->scheme = cut(&text, ':', &found);
    if (!found || uri->scheme.n == 0 || !is_alpha(uri->scheme.p[0]))
        return false;
    for (size_t i = 0; i < uri->scheme.n; i++)
        if (!is_alpha(uri->scheme.p[i]) && !is_digit(uri->scheme.p[i]) && !strchr("+-.", uri->scheme.p[i]))
            return false;
    if (text.n < 2 || text.p[0] != '/' || text.p[1] != '/')
        return false;
    text = skip(text, 2);
    uri->authority.p = text.p;
    uri->authority.n = 0;
    while (uri->authority.n < text.n && !strchr("/?#", text.p[uri->authority.n]))
        uri->authority.n++;
    uri->path = skip(text, uri->authority.n);
    return uri->authority.n > 0;
}

/* Printable ASCII without blanks; a backslash is not in any URI, and is how a SAN's odd bytes are escaped. */
static bool is_uri_text(struct span text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] <= 0x20 || text.p[i] >= 0x7f || strchr("\\\"<>^`{|}", text.p[i]))
            return false;
    return true;
}

static bool is_star(struct span segment)
{
    return segment.n == 1 && segment.p[0] == '*';
}

static bool is_dots(struct span segment)
{
    return (segment.n == 1 || segment.n == 2) && segment.p[0] == '.' && segment.p[segment.n - 1] == '.';
}

/*
 * Whether a wildcard may stand for SEGMENT: nothing that another reader could take for a separator, an empty
 * or a dot segment, so neither percent-encoding nor a query.
 */
static bool is_plain_segment(struct span segment)
{
    if (segment.n == 0 || is_dots(segment))
        return false;
    for (size_t i = 0; i < segment.n; i++)
        if (strchr("%?#", segment.p[i]))
            return false;
    return true;
}

static bool match_path(struct span want, struct span path)
{
    bool more_want, more_path;
    if (!has(want, '*'))
        return same(want, path);
    /* Both begin with a slash: what is cut off before it is empty. */
    cut(&want, '/', &more_want);
    if (path.n == 0 || path.p[0] != '/')
        return false;
    path = skip(path, 1);
    do {
        struct span w = cut(&want, '/', &more_want), p = cut(&path, '/', &more_path);
        if (is_star(w) ? !is_plain_segment(p) : !same(w, p))
            return false;
        if (is_star(w) && !more_want) {
            while (more_path)
                if (!is_plain_segment(cut(&path, '/', &more_path)))
                    return false;
            return true;
        }
    } while (more_want && more_path);
    return !more_want && !more_path;
}

static bool match_uri(struct span want, struct span san)
{
    struct uri w, s;
    return is_uri_text(san) && split_uri(want, &w) && split_uri(san, &s) && same_folded(w.scheme, s.scheme) &&
           same_folded(w.authority, s.authority) && match_path(w.path, s.path);
}

static const char *compile_uri(struct span text)
{
    struct uri uri;
    if (!split_uri(text, &uri))
        return "not a URI of the form scheme://authority/path";
    if (!is_uri_text(text))
        return "a character that no URI may contain";
    if (has(uri.scheme, '*') || has(uri.authority, '*'))
        return "* may stand only in the path of a URI";
    if (is_dots(uri.authority))
        return "a . or .. in place of the authority of a URI";
    if (uri.path.n == 0 || (uri.path.n == 1 && uri.path.p[0] == '/'))
        return NULL;
    if (has(uri.path, '*') && (has(uri.path, '?') || has(uri.path, '#')))
        return "a URI with * can have no query and no fragment";
    if (uri.path.p[0] != '/')
        return NULL;
    struct span rest = skip(uri.path, 1);
    bool more = true;
    while (more) {
        struct span segment = cut(&rest, '/', &more);
        if (segment.n == 0)
            return "an empty segment in the path of a URI (a / too many?)";
        if (is_dots(segment))
            return "a . or .. segment in the path of a URI";
        if (has(segment, '*') && !is_star(segment))
            return "* must be a whole segment of the path";
    }
    return NULL;
}

/* --- patterns --- */

static const char *compile_dns(struct span text, struct tls_san_pattern *pattern)
{
    struct span name = text;
    bool star = starts_with_star(text);
    if (name.n > 1 && name.p[name.n - 1] == '.')
        name.n--;
    pattern->kind = star ? TLS_SAN_PATTERN_DNS_SUFFIX : TLS_SAN_PATTERN_DNS;
    pattern->text_size = name.n;
    if (star)
        name = skip(name, 2);
    if (is_dns_name(name))
        return NULL;
    if (has(name, '*'))
        return "* may stand only for the whole first label of a DNS name";
    if (has(name, '@'))
        return "an e-mail address cannot be a pattern";
    if (has(name, '/'))
        return "neither a URI (scheme://...) nor a single address (ranges are not matched)";
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] >= 0x80)
            return "not ASCII: write an international name as certificates do (xn--...)";
    return "neither a DNS name nor an address";
}

const char *tls_san_compile(const char *text, struct tls_san_pattern *pattern)
{
    struct span span = {text, strlen(text)};
    *pattern = (struct tls_san_pattern){.kind = TLS_SAN_PATTERN_ANY, .text = text, .text_size = span.n};
    if (span.n == 0)
        return "an empty pattern";
    if (is_star(span))
        return NULL;
    pattern->kind = TLS_SAN_PATTERN_IP;
    if (inet_pton(AF_INET, text, pattern->ip) == 1) {
        pattern->ip_size = 4;
        return NULL;
    }
    if (inet_pton(AF_INET6, text, pattern->ip) == 1) {
        pattern->ip_size = 16;
        return NULL;
    }
    if (strstr(text, "://")) {
        pattern->kind = TLS_SAN_PATTERN_URI;
        return compile_uri(span);
    }
    if (has(span, '['))
        return "an IPv6 address is written without brackets";
    if (has(span, ':'))
        return "neither a URI (scheme://...) nor an address; a port is no part of a name";
    return compile_dns(span, pattern);
}

bool tls_san_match(const struct tls_san_pattern *pattern, const struct tls_san *san)
{
    struct span want = {pattern->text, pattern->text_size}, have = {san->text, san->text_size};
    switch (pattern->kind) {
    case TLS_SAN_PATTERN_ANY: return true;
    case TLS_SAN_PATTERN_DNS: return san->kind == TLS_SAN_DNS && match_dns(want, have);
    case TLS_SAN_PATTERN_DNS_SUFFIX: return san->kind == TLS_SAN_DNS && match_dns_suffix(skip(want, 2), have);
    case TLS_SAN_PATTERN_IP:
        return san->kind == TLS_SAN_IP && san->ip_size == pattern->ip_size &&
               memcmp(san->ip, pattern->ip, pattern->ip_size) == 0;
    case TLS_SAN_PATTERN_URI: return san->kind == TLS_SAN_URI && match_uri(want, have);
    }
    return false;
}

bool tls_san_match_peer(const struct tls_san_pattern *patterns, size_t count, const struct tls_peer *peer)
{
    for (size_t i = 0; i < count; i++) {
        if (patterns[i].kind == TLS_SAN_PATTERN_ANY)
            return true;
        for (size_t j = 0; j < peer->san_count; j++)
            if (tls_san_match(&patterns[i], &peer->san[j]))
                return true;
    }
    return false;
}

void tls_san_describe(const struct tls_peer *peer, char *out, size_t size)
{
    static const char *const label[] = {
        [TLS_SAN_DNS] = "DNS", [TLS_SAN_URI] = "URI", [TLS_SAN_IP] = "IP", [TLS_SAN_EMAIL] = "email"};
    size_t used = 0;
    if (size == 0)
        return;
    out[0] = 0;
    for (size_t i = 0; i < peer->san_count; i++) {
        const struct tls_san *san = &peer->san[i];
        int n = snprintf(out + used, size - used, "%s%s:%s", i ? ", " : "", label[san->kind], san->text);
        if (n < 0 || (size_t)n >= size - used) {
            if (size >= 4)
                memcpy(out + size - 4, "...", 4);
            return;
        }
        used += (size_t)n;
    }
}
