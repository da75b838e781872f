/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "certrotate/policy.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "certrotate/key.h"
#include "certrotate/labels.h"

enum policy_key { KEY_DNS, KEY_URI, KEY_IP, KEY_EMAIL, KEY_SUBJECT, KEY_KEYS, KEY_MAX_LIFETIME, KEY_COUNT };

static const char *const KEYS[] = {
    [KEY_DNS] = "dns",
    [KEY_URI] = "uri",
    [KEY_IP] = "ip",
    [KEY_EMAIL] = "email",
    [KEY_SUBJECT] = "subject",
    [KEY_KEYS] = "keys",
    [KEY_MAX_LIFETIME] = "max_lifetime",
};

struct policy {
    char *name;
    char *text; /* the values below point into it */
    struct {
        enum policy_key key;
        const char *value;
    } * rule;
    size_t count;
    int64_t max_lifetime;
};

bool policy_duration(const char *text, int64_t *seconds)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}, {'y', 31536000}};
    char *end;
    if (!isdigit((unsigned char)text[0]))
        return false;
    long long n = strtoll(text, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (end[0] == units[i].unit && end[1] == 0 && n > 0 && n <= 1000000000 / units[i].seconds * 10) {
            *seconds = n * units[i].seconds;
            return true;
        }
    return false;
}

/* --- reading --- */

/* An address, or a network as ADDRESS/BITS: its octets and bits. */
static bool parse_network(const char *text, uint8_t ip[16], size_t *octets, unsigned *bits)
{
    char address[64];
    size_t n = strcspn(text, "/");
    if (n >= sizeof address)
        return false;
    memcpy(address, text, n);
    address[n] = 0;
    *octets = inet_pton(AF_INET, address, ip) == 1 ? 4 : inet_pton(AF_INET6, address, ip) == 1 ? 16 : 0;
    *bits = (unsigned)*octets * 8;
    if (*octets == 0 || text[n] == 0)
        return *octets > 0;
    char *end;
    unsigned long b = strtoul(text + n + 1, &end, 10);
    if (!isdigit((unsigned char)text[n + 1]) || *end != 0 || b > *bits)
        return false;
    *bits = (unsigned)b;
    return true;
}

/* Whether a value can be what its key wants. */
static bool is_good(enum policy_key key, const char *value)
{
    uint8_t ip[16];
    size_t octets;
    unsigned bits;
    enum key_spec spec;
    if (key == KEY_KEYS)
        return key_spec_parse(value, &spec);
    if (strcmp(value, "*") == 0)
        return true;
    switch (key) {
    case KEY_DNS: return !strchr(value + (strncmp(value, "*.", 2) == 0), '*') && !strchr(value, '/');
    case KEY_URI: return strstr(value, "://") != NULL || strchr(value, ':') != NULL;
    case KEY_IP: return parse_network(value, ip, &octets, &bits);
    case KEY_EMAIL: return strchr(value, '@') != NULL;
    case KEY_SUBJECT: return strchr(value, '=') != NULL && value[0] != '=';
    default: return false;
    }
}

static char *trim(char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    for (size_t n = strlen(s); n > 0 && isspace((unsigned char)s[n - 1]);)
        s[--n] = 0;
    return s;
}

static bool add_values(struct policy *p, enum policy_key key, char *values, size_t line, struct failure *f)
{
    char *save = NULL;
    if (key == KEY_MAX_LIFETIME)
        return policy_duration(values, &p->max_lifetime) ||
               failure(f, "%s:%zu: not a duration (30m, 24h, 90d): %s", p->name, line, values);
    for (char *v = strtok_r(values, ",", &save); v; v = strtok_r(NULL, ",", &save)) {
        v = trim(v);
        if (*v == 0)
            continue;
        if (!is_good(key, v))
            return failure(f, "%s:%zu: not a value of `%s`: %s", p->name, line, KEYS[key], v);
        void *grown = realloc(p->rule, (p->count + 1) * sizeof *p->rule);
        if (!grown)
            return failure(f, "out of memory");
        p->rule = grown;
        p->rule[p->count].key = key;
        p->rule[p->count++].value = v;
    }
    return true;
}

static bool read_line(struct policy *p, char *text, size_t line, struct failure *f)
{
    text = trim(text);
    if (*text == 0 || *text == '#')
        return true;
    char *equals = strchr(text, '=');
    if (!equals)
        return failure(f, "%s:%zu: want KEY = VALUE: %s", p->name, line, text);
    *equals = 0;
    const char *name = trim(text);
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (strcmp(KEYS[i], name) == 0)
            return add_values(p, (enum policy_key)i, trim(equals + 1), line, f);
    return failure(f, "%s:%zu: unknown key: %s", p->name, line, name);
}

struct policy *policy_read(const char *name, const char *text, struct failure *f)
{
    struct policy *p = calloc(1, sizeof *p);
    if (!p || !(p->name = strdup(name)) || !(p->text = strdup(text))) {
        failure(f, "out of memory");
        goto fail;
    }
    size_t line = 1;
    for (char *at = p->text, *next; at; at = next, line++) {
        next = strchr(at, '\n');
        if (next)
            *next++ = 0;
        if (!read_line(p, at, line, f))
            goto fail;
    }
    if (p->max_lifetime == 0) {
        failure(f, "%s: max_lifetime is missing", name);
        goto fail;
    }
    return p;
fail:
    policy_free(p);
    return NULL;
}

void policy_free(struct policy *policy)
{
    if (!policy)
        return;
    free(policy->rule);
    free(policy->text);
    free(policy->name);
    free(policy);
}

int64_t policy_max_lifetime(const struct policy *policy)
{
    return policy->max_lifetime;
}

/* --- patterns --- */

/* PATTERN: a name; *.suffix: one label more; .suffix: one or more labels more. */
static bool match_dns(const char *pattern, const char *name)
{
    if (pattern[0] == '*' && pattern[1] == '.') {
        const char *dot = strchr(name, '.');
        return dot && dot > name && strcasecmp(dot, pattern + 1) == 0;
    }
    size_t n = strlen(name), p = strlen(pattern);
    if (pattern[0] == '.')
        return n > p && strcasecmp(name + n - p, pattern) == 0;
    return strcasecmp(pattern, name) == 0;
}

/* A segment that is empty or leads elsewhere is matched by no star. */
static bool is_plain_segment(const char *s, size_t n)
{
    return n > 0 && !(n == 1 && s[0] == '.') && !(n == 2 && s[0] == '.' && s[1] == '.') &&
           !memchr(s, '%', n) && !memchr(s, '?', n) && !memchr(s, '#', n);
}

/* Segment by segment: one that is * alone matches one, or, where it is the last, one or more. */
static bool match_uri(const char *pattern, const char *uri)
{
    for (;;) {
        size_t p = strcspn(pattern, "/"), u = strcspn(uri, "/");
        bool star = p == 1 && pattern[0] == '*';
        if (star ? !is_plain_segment(uri, u) : p != u || memcmp(pattern, uri, p) != 0)
            return false;
        bool last = pattern[p] == 0;
        if (uri[u] == 0)
            return last;
        if (last && !star)
            return false;
        if (!last)
            pattern += p + 1;
        uri += u + 1;
    }
}

static bool match_ip(const char *pattern, struct x509_slice ip)
{
    uint8_t net[16];
    size_t octets;
    unsigned bits;
    if (!parse_network(pattern, net, &octets, &bits) || octets != ip.size)
        return false;
    for (unsigned i = 0; i < bits; i++)
        if ((net[i / 8] ^ ip.data[i / 8]) & (0x80 >> i % 8))
            return false;
    return true;
}

static bool match_email(const char *pattern, const char *email)
{
    const char *at = strrchr(email, '@');
    return pattern[0] == '*' && pattern[1] == '@' ? at && strcasecmp(at, pattern + 1) == 0
                                                  : strcmp(pattern, email) == 0;
}

/* Whether any rule of KEY fits TEXT (an IP address: OCTETS). */
static bool allowed(const struct policy *p, enum policy_key key, const char *text, struct x509_slice octets)
{
    for (size_t i = 0; i < p->count; i++) {
        const char *v = p->rule[i].value;
        if (p->rule[i].key != key)
            continue;
        if (strcmp(v, "*") == 0)
            return true;
        if (key == KEY_DNS     ? match_dns(v, text)
            : key == KEY_URI   ? match_uri(v, text)
            : key == KEY_IP    ? match_ip(v, octets)
            : key == KEY_EMAIL ? match_email(v, text)
                               : strcmp(v, text) == 0)
            return true;
    }
    return false;
}

/* --- checking --- */

static bool check_sans(const struct policy *p, const struct x509 *request, struct failure *f)
{
    static const enum policy_key keys[] = {[X509_SAN_DNS] = KEY_DNS,
                                           [X509_SAN_URI] = KEY_URI,
                                           [X509_SAN_IP] = KEY_IP,
                                           [X509_SAN_EMAIL] = KEY_EMAIL};
    static const enum label labels[] = {[X509_SAN_DNS] = LABEL_DNS,
                                        [X509_SAN_URI] = LABEL_URI,
                                        [X509_SAN_IP] = LABEL_IP,
                                        [X509_SAN_EMAIL] = LABEL_EMAIL};
    if (request->san_has_other)
        return failure(f,
                       "it asks for a subject alternative name that is no DNS name, URI, IP or mail address");
    if (request->san_too_many)
        return failure(f, "it asks for more than %d subject alternative names", X509_SANS_MAX);
    for (size_t i = 0; i < request->san_count; i++) {
        const struct x509_san *san = &request->san[i];
        char text[4096];
        if (san->kind == X509_SAN_IP)
            inet_ntop(san->value.size == 4 ? AF_INET : AF_INET6, san->value.data, text, sizeof text);
        else if (san->value.size < sizeof text)
            snprintf(text, sizeof text, "%.*s", (int)san->value.size, (const char *)san->value.data);
        else
            return failure(f, "it asks for a name that is too long");
        /* What is no name at all may end like one, and be read as something else elsewhere. */
        if (!labels_check(labels[san->kind], text, f))
            return false;
        if (!allowed(p, keys[san->kind], text, san->value))
            return failure(f, "the policy %s does not allow the %s %s", p->name, KEYS[keys[san->kind]], text);
    }
    return true;
}

/* "CN=web" against the rules CN=web and CN=*. */
static bool check_subject(const struct policy *p, const struct x509 *request, struct failure *f)
{
    struct x509_attribute list[X509_ATTRIBUTES_MAX];
    int count = x509_name_attributes(request->subject, list, X509_ATTRIBUTES_MAX);
    const struct x509_slice none = {NULL, 0};
    for (int i = 0; i < count; i++) {
        char type[128], any[160], text[1024];
        const char *name = x509_oid_name(list[i].oid);
        if (name)
            snprintf(type, sizeof type, "%s", name);
        else
            x509_oid_text(list[i].oid, type, sizeof type);
        snprintf(any, sizeof any, "%s=*", type);
        int n = snprintf(text, sizeof text, "%s=%.*s", type, (int)list[i].value.size,
                         (const char *)list[i].value.data);
        /* An octet that ends the text early would let the rest through unseen. */
        bool whole = n == (int)(strlen(type) + 1 + list[i].value.size) && (size_t)n < sizeof text;
        if (!allowed(p, KEY_SUBJECT, any, none) && !(whole && allowed(p, KEY_SUBJECT, text, none)))
            return failure(f, "the policy %s does not allow the subject's %s", p->name, whole ? text : type);
    }
    return true;
}

static bool check_key(const struct policy *p, const struct x509 *request, struct failure *f)
{
    char name[32];
    if (request->key_type == X509_KEY_OTHER)
        return failure(f, "its key is of a kind that is not supported");
    if (request->key_type == X509_KEY_ED25519)
        snprintf(name, sizeof name, "ed25519");
    else
        snprintf(name, sizeof name, "%s%u", request->key_type == X509_KEY_RSA ? "rsa" : "p",
                 request->key_bits);
    for (size_t i = 0; i < p->count; i++)
        if (p->rule[i].key == KEY_KEYS && strcmp(p->rule[i].value, name) == 0)
            return true;
    return failure(f, "the policy %s does not allow a key of type %s", p->name, name);
}

bool policy_check(const struct policy *policy, const struct x509 *request, int64_t lifetime,
                  struct failure *f)
{
    if (lifetime > policy->max_lifetime)
        return failure(f, "the policy %s allows a lifetime of %lld s, not of %lld s", policy->name,
                       (long long)policy->max_lifetime, (long long)lifetime);
    if (request->is_ca)
        return failure(f, "it asks to be a certificate authority");
    if (request->unknown_critical || request->has_name_constraints)
        return failure(f, "it asks for an extension that is not supported");
    if (request->san_count == 0 && x509_name_attributes(request->subject, NULL, 0) == 0)
        return failure(f, "it names nobody: neither a subject nor a subject alternative name");
    return check_key(policy, request, f) && check_subject(policy, request, f) &&
           check_sans(policy, request, f);
}
