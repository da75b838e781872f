/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "certrotate/labels.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

static const struct {
    const char *name;
    uint8_t tag;
    uint8_t oid; /* last octet of 2.5.4.x */
    size_t max;  /* characters: RFC 5280 appendix A.1 upper bounds */
} KINDS[] = {
    [LABEL_C] = {"country", DER_PRINTABLE_STRING, 6, 2},
    [LABEL_ST] = {"state", DER_UTF8_STRING, 8, 128},
    [LABEL_L] = {"locality", DER_UTF8_STRING, 7, 128},
    [LABEL_O] = {"organization", DER_UTF8_STRING, 10, 64},
    [LABEL_OU] = {"organizational unit", DER_UTF8_STRING, 11, 64},
    [LABEL_CN] = {"common name", DER_UTF8_STRING, 3, 64},
    [LABEL_DNS] = {"DNS name", DER_CONTEXT(2), 0, 253},
    [LABEL_URI] = {"URI", DER_CONTEXT(6), 0, 2048},
    [LABEL_IP] = {"IP address", DER_CONTEXT(7), 0, 45},
    [LABEL_EMAIL] = {"mail address", DER_CONTEXT(1), 0, 254},
};

/* Characters of well-formed UTF-8 without control characters, or -1 (RFC 3629 section 4). */
static long utf8_length(const char *text)
{
    long count = 0;
    for (const unsigned char *p = (const unsigned char *)text; *p; count++) {
        if (*p < 0x20 || *p == 0x7f)
            return -1;
        int more = *p < 0x80                 ? 0
                   : *p >= 0xc2 && *p < 0xe0 ? 1
                   : *p >= 0xe0 && *p < 0xf0 ? 2
                   : *p >= 0xf0 && *p < 0xf5 ? 3
                                             : -1;
        if (more < 0 || (*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
            (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
            return -1;
        p++;
        for (; more > 0; more--, p++)
            if ((*p & 0xc0) != 0x80)
                return -1;
    }
    return count;
}

/* A host name of letters, digits, hyphens and underscores; `*.` may stand in front of two labels or more. */
static bool is_dns(const char *text)
{
    size_t dots = 0;
    bool wildcard = strncmp(text, "*.", 2) == 0;
    if (wildcard)
        text += 2;
    for (const char *label = text;;) {
        size_t n = strcspn(label, ".");
        if (n == 0 || n > 63 || label[0] == '-' || label[n - 1] == '-')
            return false;
        for (size_t i = 0; i < n; i++)
            if (!isalnum((unsigned char)label[i]) && label[i] != '-' && label[i] != '_')
                return false;
        if (label[n] == 0)
            break;
        label += n + 1;
        dots++;
    }
    return !wildcard || dots > 0;
}

/* scheme ":" something, of characters that RFC 3986 allows. */
static bool is_uri(const char *text)
{
    size_t scheme = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    if (scheme == 0 || !isalpha((unsigned char)text[0]) || text[scheme] != ':' || text[scheme + 1] == 0)
        return false;
    for (const char *p = text; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("-._~:/?#[]@!$&'()*+,;=%", *p))
            return false;
    return true;
}

static bool is_email(const char *text)
{
    const char *at = strrchr(text, '@');
    for (const char *p = text; *p; p++)
        if (*p <= 0x20 || *p >= 0x7f)
            return false;
    return at && at > text && is_dns(at + 1);
}

static size_t ip_octets(const char *text, uint8_t out[16])
{
    return inet_pton(AF_INET, text, out) == 1 ? 4 : inet_pton(AF_INET6, text, out) == 1 ? 16 : 0;
}

bool labels_check(enum label label, const char *text, struct failure *f)
{
    uint8_t ip[16];
    long length = utf8_length(text);
    bool ok = length > 0;
    if (ok && (size_t)length > KINDS[label].max)
        return failure(f, "the %s is longer than %zu characters: %s", KINDS[label].name, KINDS[label].max,
                       text);
    switch (label) {
    case LABEL_C:
        ok = strlen(text) == 2 && isupper((unsigned char)text[0]) && isupper((unsigned char)text[1]);
        break;
    case LABEL_DNS: ok = ok && is_dns(text); break;
    case LABEL_URI: ok = ok && is_uri(text); break;
    case LABEL_IP: ok = ip_octets(text, ip) > 0; break;
    case LABEL_EMAIL: ok = ok && is_email(text); break;
    default: break;
    }
    return ok || failure(f, "not a %s: %s", KINDS[label].name, text);
}

bool labels_add(struct labels *l, enum label label, const char *text, struct failure *f)
{
    if (!labels_check(label, text, f))
        return false;
    if (l->count == LABELS_MAX)
        return failure(f, "more than %d names", LABELS_MAX);
    l->item[l->count].label = label;
    l->item[l->count++].text = text;
    return true;
}

bool labels_has_san(const struct labels *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->item[i].label >= LABEL_DNS)
            return true;
    return false;
}

void labels_put_subject(const struct labels *l, struct der_out *out)
{
    size_t name = der_begin(out, DER_SEQUENCE);
    for (enum label label = LABEL_C; label <= LABEL_CN; label++)
        for (size_t i = 0; i < l->count; i++) {
            if (l->item[i].label != label)
                continue;
            uint8_t oid[] = {0x55, 0x04, KINDS[label].oid};
            size_t set = der_begin(out, DER_SET);
            size_t pair = der_begin(out, DER_SEQUENCE);
            der_put(out, DER_OID, oid, sizeof oid);
            der_put(out, KINDS[label].tag, l->item[i].text, strlen(l->item[i].text));
            der_end(out, pair);
            der_end(out, set);
        }
    der_end(out, name);
}

void labels_put_sans(const struct labels *l, struct der_out *out)
{
    for (size_t i = 0; i < l->count; i++) {
        uint8_t ip[16];
        if (l->item[i].label < LABEL_DNS)
            continue;
        uint8_t tag = KINDS[l->item[i].label].tag;
        if (l->item[i].label == LABEL_IP)
            der_put(out, tag, ip, ip_octets(l->item[i].text, ip));
        else
            der_put(out, tag, l->item[i].text, strlen(l->item[i].text));
    }
}
