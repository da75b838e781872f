/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/tls/constraints.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "certrotate/der.h"
#include "sidecar/tls/san.h"

/* Tags of GeneralName (RFC 5280 section 4.2.1.6) that are processed. */
enum form {
    FORM_EMAIL = DER_CONTEXT(1),
    FORM_DNS = DER_CONTEXT(2),
    FORM_DIRECTORY = DER_CONTEXT_CONS(4),
    FORM_URI = DER_CONTEXT(6),
    FORM_IP = DER_CONTEXT(7),
};

/* Whether a name stands within a subtree. MAYBE: in part, or it cannot be told: neither permitted nor clear
 * of what is excluded. */
enum within { NO, MAYBE, YES };

struct span {
    const char *p;
    size_t n;
};

struct check {
    struct der permitted, excluded; /* GeneralSubtrees, each possibly empty */
    unsigned *budget;
    char *name;
    size_t name_size;
};

static struct span span_of(struct x509_slice s)
{
    return (struct span){(const char *)s.data, s.size};
}

static struct span skip(struct span s, size_t n)
{
    return (struct span){s.p + n, s.n - n};
}

static bool same_folded(struct span a, struct span b)
{
    return a.n == b.n && strncasecmp(a.p, b.p, a.n) == 0;
}

/* --- hosts --- */

static bool is_host(struct span s)
{
    return tls_san_is_dns_name(s.p, s.n);
}

/* Whether HOST ends in SUFFIX with at least one label in front; SUFFIX has no leading dot. */
static bool is_below(struct span host, struct span suffix)
{
    return host.n > suffix.n + 1 && host.p[host.n - suffix.n - 1] == '.' &&
           same_folded(skip(host, host.n - suffix.n), suffix);
}

/* e-mail and URI: "host" is that host alone, ".domain" what is below it. */
static enum within match_host(struct span subtree, struct span host)
{
    if (!is_host(host) || subtree.n == 0)
        return MAYBE;
    if (subtree.p[0] == '.')
        return is_below(host, skip(subtree, 1)) ? YES : NO;
    return same_folded(host, subtree) ? YES : NO;
}

/* DNS: "domain" is the domain and what is below it. An empty subtree is everything. */
static enum within match_dns(struct span subtree, struct span name)
{
    bool wildcard = name.n > 2 && name.p[0] == '*' && name.p[1] == '.';
    struct span rest = wildcard ? skip(name, 2) : name;
    if (!is_host(rest))
        return MAYBE;
    if (subtree.n == 0)
        return YES;
    bool only_below = subtree.p[0] == '.';
    struct span domain = only_below ? skip(subtree, 1) : subtree;
    if (is_below(rest, domain))
        return YES;
    if (same_folded(rest, domain) && (wildcard || !only_below))
        return YES;
    /* A star could stand for the subtree's first label. */
    if (wildcard && !only_below && is_below(domain, rest) && !memchr(domain.p, '.', domain.n - rest.n - 1))
        return MAYBE;
    return NO;
}

static enum within match_email(struct span subtree, struct span name)
{
    const char *at = memchr(name.p, '@', name.n);
    if (!at || at == name.p)
        return MAYBE;
    struct span local = {name.p, (size_t)(at - name.p)}, host = skip(name, local.n + 1);
    const char *want_at = memchr(subtree.p, '@', subtree.n);
    if (!want_at)
        return match_host(subtree, host);
    struct span want = {subtree.p, (size_t)(want_at - subtree.p)};
    enum within within = match_host(skip(subtree, want.n + 1), host);
    if (within != YES)
        return within;
    /* Case may matter in a local part (RFC 5321 section 2.4), but hardly ever does. */
    if (want.n == local.n && memcmp(want.p, local.p, want.n) == 0)
        return YES;
    return same_folded(want, local) ? MAYBE : NO;
}

/* Only a URI with a host name can be told to be within (RFC 5280): no address, no userinfo's trickery. */
static enum within match_uri(struct span subtree, struct span uri)
{
    size_t start = 0;
    while (start < uri.n && uri.p[start] != ':' && uri.p[start] != '/')
        start++;
    if (start == 0 || start + 3 > uri.n || memcmp(uri.p + start, "://", 3) != 0)
        return MAYBE;
    struct span host = skip(uri, start + 3);
    size_t n = 0;
    while (n < host.n && !strchr("/?#", host.p[n]))
        n++;
    host.n = n;
    if (memchr(host.p, '@', host.n))
        return MAYBE;
    const char *colon = memchr(host.p, ':', host.n);
    if (colon)
        host.n = (size_t)(colon - host.p);
    return match_host(subtree, host);
}

/* An address and its mask against an address. */
static enum within match_ip(struct x509_slice subtree, struct x509_slice address)
{
    if (subtree.size != 2 * address.size)
        return NO;
    for (size_t i = 0; i < address.size; i++)
        if ((subtree.data[i] ^ address.data[i]) & subtree.data[address.size + i])
            return NO;
    return YES;
}

/* --- directory names --- */

static bool is_text_tag(uint8_t tag)
{
    return tag == DER_UTF8_STRING || tag == DER_PRINTABLE_STRING || tag == DER_IA5_STRING ||
           tag == DER_NUMERIC_STRING || tag == DER_VISIBLE_STRING;
}

static bool is_wide_tag(uint8_t tag)
{
    return tag == DER_BMP_STRING || tag == DER_UNIVERSAL_STRING || tag == DER_T61_STRING;
}

static struct span trim(struct span s)
{
    while (s.n > 0 && s.p[0] == ' ')
        s = skip(s, 1);
    while (s.n > 0 && s.p[s.n - 1] == ' ')
        s.n--;
    return s;
}

/* The next octet in lower case, a run of blanks as one; -1 at the end. */
static int next_folded(struct span *s)
{
    if (s->n == 0)
        return -1;
    int c = (unsigned char)*s->p;
    do
        *s = skip(*s, 1);
    while (c == ' ' && s->n > 0 && *s->p == ' ');
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* RFC 5280 section 7.1 as far as ASCII goes; beyond it, what differs may still be the same to others. */
static enum within same_value(const struct x509_attribute *a, const struct x509_attribute *b)
{
    if (der_same(a->whole, b->whole))
        return YES;
    bool texts = is_text_tag(a->tag) && is_text_tag(b->tag);
    if (!texts)
        return (is_text_tag(a->tag) || is_wide_tag(a->tag)) && (is_text_tag(b->tag) || is_wide_tag(b->tag))
                   ? MAYBE
                   : NO;
    struct span x = trim(span_of(a->value)), y = trim(span_of(b->value));
    bool differ = false, foreign = false;
    int c, d;
    do {
        c = next_folded(&x);
        d = next_folded(&y);
        differ |= c != d;
        foreign |= c >= 0x80 || d >= 0x80;
    } while (c >= 0 || d >= 0);
    return !differ ? YES : foreign ? MAYBE : NO;
}

/* How many attributes stand in the RDN that begins at LIST[0]. */
static size_t rdn_size(const struct x509_attribute *list, size_t count)
{
    size_t n = 1;
    while (n < count && list[n].joins)
        n++;
    return n;
}

static enum within same_rdn(const struct x509_attribute *a, const struct x509_attribute *b, size_t count)
{
    enum within all = YES;
    for (size_t i = 0; i < count; i++) {
        enum within best = NO;
        for (size_t k = 0; k < count; k++) {
            if (!der_same(a[i].oid, b[k].oid))
                continue;
            enum within w = same_value(&a[i], &b[k]);
            best = w > best ? w : best;
        }
        all = best < all ? best : all;
    }
    return all;
}

/* Whether SUBTREE's RDNs are the first ones of NAME. */
static enum within match_directory(struct x509_slice subtree, struct x509_slice name, unsigned *budget)
{
    struct x509_attribute want[X509_ATTRIBUTES_MAX], have[X509_ATTRIBUTES_MAX];
    int want_count = x509_name_attributes(subtree, want, X509_ATTRIBUTES_MAX);
    int have_count = x509_name_attributes(name, have, X509_ATTRIBUTES_MAX);
    if (want_count < 0 || have_count < 0)
        return MAYBE;
    size_t i = 0, k = 0;
    enum within all = YES;
    while (i < (size_t)want_count) {
        if (k == (size_t)have_count)
            return NO;
        size_t n = rdn_size(want + i, (size_t)want_count - i), m = rdn_size(have + k, (size_t)have_count - k);
        if (n != m)
            return NO;
        *budget -= *budget < n * n ? *budget : (unsigned)(n * n);
        enum within w = same_rdn(want + i, have + k, n);
        all = w < all ? w : all;
        i += n;
        k += m;
    }
    return all;
}

/* --- subtrees --- */

static enum within match(uint8_t form, struct x509_slice subtree, struct x509_slice name, unsigned *budget)
{
    switch (form) {
    case FORM_EMAIL: return match_email(span_of(subtree), span_of(name));
    case FORM_DNS: return match_dns(span_of(subtree), span_of(name));
    case FORM_DIRECTORY: return match_directory(subtree, name, budget);
    case FORM_URI: return match_uri(span_of(subtree), span_of(name));
    case FORM_IP: return match_ip(subtree, name);
    default: return MAYBE;
    }
}

/* Takes one GeneralSubtree; its minimum must be left out, as DER demands of a default, and no maximum given.
 */
static bool take_subtree(struct der *in, uint8_t *form, struct x509_slice *base)
{
    struct der subtree, content;
    if (!der_take(in, DER_SEQUENCE, &subtree) || !der_any(&subtree, form, &content, NULL) ||
        !der_empty(&subtree))
        return false;
    *base = der_rest(&content);
    return true;
}

static bool is_ascii(struct x509_slice s)
{
    for (size_t i = 0; i < s.size; i++)
        if (s.data[i] <= 0x20 || s.data[i] >= 0x7f)
            return false;
    return true;
}

static bool is_subtree_processed(uint8_t form, struct x509_slice base)
{
    switch (form) {
    case FORM_EMAIL:
    case FORM_DNS:
    case FORM_URI: return is_ascii(base);
    case FORM_DIRECTORY: return x509_name_attributes(base, NULL, 0) >= 0;
    case FORM_IP: return base.size == 8 || base.size == 32;
    default: return false;
    }
}

static bool are_subtrees_processed(struct der in, unsigned *budget)
{
    uint8_t form;
    struct x509_slice base;
    while (!der_empty(&in)) {
        if (*budget == 0 || !take_subtree(&in, &form, &base) || !is_subtree_processed(form, base))
            return false;
        --*budget;
    }
    return true;
}

static enum tls_constraints_result read_constraints(const struct x509 *ca, struct check *check)
{
    struct der value = der_from_slice(ca->name_constraints), in;
    bool permitted, excluded;
    check->permitted = check->excluded = der_from(NULL, 0);
    if (!der_take(&value, DER_SEQUENCE, &in) || !der_empty(&value) ||
        !der_maybe(&in, DER_CONTEXT_CONS(0), &check->permitted, &permitted) ||
        !der_maybe(&in, DER_CONTEXT_CONS(1), &check->excluded, &excluded) || !der_empty(&in) ||
        (!permitted && !excluded) || (permitted && der_empty(&check->permitted)) ||
        (excluded && der_empty(&check->excluded)))
        return TLS_CONSTRAINTS_UNSUPPORTED;
    if (are_subtrees_processed(check->permitted, check->budget) &&
        are_subtrees_processed(check->excluded, check->budget))
        return TLS_CONSTRAINTS_OK;
    return *check->budget == 0 ? TLS_CONSTRAINTS_TOO_COMPLEX : TLS_CONSTRAINTS_UNSUPPORTED;
}

/* --- names --- */

static void describe(const struct check *check, uint8_t form, struct x509_slice name)
{
    char text[100];
    const char *label = form == FORM_EMAIL ? "email"
                        : form == FORM_DNS ? "DNS"
                        : form == FORM_URI ? "URI"
                                           : "IP";
    if (form == FORM_DIRECTORY) {
        x509_name_rfc2253(name, check->name, check->name_size);
        return;
    }
    if (form == FORM_IP) {
        if (!inet_ntop(name.size == 4 ? AF_INET : AF_INET6, name.data, text, sizeof text))
            text[0] = 0;
    } else {
        size_t n = 0;
        for (; n < name.size && n < sizeof text - 1; n++)
            text[n] = name.data[n] >= 0x20 && name.data[n] < 0x7f ? (char)name.data[n] : '?';
        text[n] = 0;
    }
    snprintf(check->name, check->name_size, "%s:%s", label, text);
}

static enum tls_constraints_result check_name(const struct check *check, uint8_t form, struct x509_slice name)
{
    uint8_t of;
    struct x509_slice base;
    struct der in = check->permitted;
    bool asked = false, outside = false;
    enum within best = NO;
    while (take_subtree(&in, &of, &base) && best != YES) {
        if (*check->budget == 0)
            return TLS_CONSTRAINTS_TOO_COMPLEX;
        --*check->budget;
        if (of != form)
            continue;
        asked = true;
        best = match(form, base, name, check->budget);
    }
    outside = asked && best != YES;
    for (in = check->excluded; !outside && take_subtree(&in, &of, &base);) {
        if (*check->budget == 0)
            return TLS_CONSTRAINTS_TOO_COMPLEX;
        --*check->budget;
        outside = of == form && match(form, base, name, check->budget) != NO;
    }
    if (!outside)
        return TLS_CONSTRAINTS_OK;
    describe(check, form, name);
    return TLS_CONSTRAINTS_OUTSIDE;
}

/* The subject itself, and the mail addresses in it that certificates carried there of old. */
static enum tls_constraints_result check_subject(const struct check *check, struct x509_slice subject)
{
    struct x509_attribute list[X509_ATTRIBUTES_MAX];
    int count = x509_name_attributes(subject, list, X509_ATTRIBUTES_MAX);
    enum tls_constraints_result result = TLS_CONSTRAINTS_OK;
    if (count > 0)
        result = check_name(check, FORM_DIRECTORY, subject);
    for (int i = 0; result == TLS_CONSTRAINTS_OK && i < count; i++) {
        const char *type = x509_oid_name(list[i].oid);
        if (type && strcmp(type, "emailAddress") == 0)
            result = check_name(check, FORM_EMAIL, list[i].value);
    }
    return result;
}

enum tls_constraints_result tls_constraints_check(const struct x509 *ca, const struct x509 *cert,
                                                  unsigned *budget, char *name, size_t name_size)
{
    struct check check = {.budget = budget, .name = name, .name_size = name_size};
    enum tls_constraints_result result = read_constraints(ca, &check);
    if (result == TLS_CONSTRAINTS_OK)
        result = check_subject(&check, cert->subject);
    /* All of them: also those that struct x509 has no room for. */
    struct der names = der_from_slice(cert->san_names), content;
    while (result == TLS_CONSTRAINTS_OK && !der_empty(&names)) {
        uint8_t form;
        if (!der_any(&names, &form, &content, NULL))
            return TLS_CONSTRAINTS_UNSUPPORTED;
        result = check_name(&check, form, der_rest(&content));
    }
    return result;
}
