/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/value.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

enum {
    HOSTNAME_LENGTH_MAX = 253, /* RFC 1035, section 2.3.4, without the root's dot */
    LABEL_MAX = 63,
    LITERAL_MAX = INET6_ADDRSTRLEN,
};

/* An address without brackets; false where it is none. */
static bool parse_ip(const char *text, size_t length, struct sockaddr_storage *out)
{
    char copy[LITERAL_MAX];
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = 0;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, copy, &in.sin_addr) == 1)
        memcpy(out, &in, sizeof in);
    else if (inet_pton(AF_INET6, copy, &in6.sin6_addr) == 1)
        memcpy(out, &in6, sizeof in6);
    else
        return false;
    return true;
}

static void set_port(struct sockaddr_storage *ip, uint16_t port)
{
    if (ip->ss_family == AF_INET)
        ((struct sockaddr_in *)ip)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)ip)->sin6_port = htons(port);
}

/* 1 to 65535, or 0 where it is no port. */
static uint16_t parse_port(const char *text, size_t length)
{
    unsigned port = 0;
    if (length == 0 || length > 5)
        return 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    return port > 65535 ? 0 : (uint16_t)port;
}

/* --- host names --- */

static bool word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Where LENGTH bytes of text are no name: the offset, with WHY; LENGTH where they are one. */
static size_t wrong_name(const char *text, size_t length, const char **why)
{
    size_t label = 0;
    bool digits = true;
    if (length > HOSTNAME_LENGTH_MAX) {
        *why = "a name has at most 253 bytes";
        return 0;
    }
    for (size_t i = 0; i <= length; i++) {
        if (i < length && text[i] != '.') {
            *why = "a name holds only letters, digits, \"-\", \"_\" and \".\"";
            if (!word_byte(text[i]))
                return i;
            continue;
        }
        *why = i == label ? "a part of the name is empty" : "a part of a name has at most 63 bytes";
        if (i == label || i - label > LABEL_MAX)
            return i == label && i > 0 ? i - 1 : label;
        *why = "a part of a name neither begins nor ends with \"-\"";
        if (text[label] == '-' || text[i - 1] == '-')
            return text[label] == '-' ? label : i - 1;
        digits = strspn(text + label, "0123456789") >= i - label;
        label = i + 1;
    }
    /* The last part decides: what looks like an address is never asked of DNS. */
    *why = "this looks like an address, but is none";
    return digits ? 0 : length;
}

char *config_value_hostname(struct config_value *v, size_t offset, size_t length, bool wildcard)
{
    const char *text = v->text.text + offset, *why;
    size_t start = wildcard && length > 2 && text[0] == '*' && text[1] == '.' ? 2 : 0;
    struct sockaddr_storage ip;
    if (parse_ip(text, length, &ip)) {
        config_value_wrong(v, offset, length, NULL, "%s takes a DNS name, not an address", v->key->name);
        return NULL;
    }
    if (length > 1 && text[length - 1] == '.') {
        char *bare = config_arena_copy(v->arena, text, length - 1);
        config_value_wrong(v, offset + length - 1, 1, bare, "%s takes a name without a dot at its end",
                           v->key->name);
        return NULL;
    }
    size_t at = wrong_name(text + start, length - start, &why) + start;
    if (at < length) {
        config_value_wrong(v, offset + at, at > start ? 1 : length - start, NULL,
                           VALUE_QUOTED " is not a DNS name%s: %s", VALUE_QUOTE(v, offset, length),
                           wildcard ? " or *.suffix" : "", why);
        return NULL;
    }
    char *name = config_arena_copy(v->arena, text, length);
    if (!name) {
        v->no_memory = v->bad = true;
        return NULL;
    }
    for (char *p = name; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + 32);
    return name;
}

/* --- addresses --- */

/* The path of unix:/path, or NULL: told. */
static char *unix_path(struct config_value *v, size_t offset, size_t length)
{
    const char *path = v->text.text + offset + 5;
    size_t size = length - 5;
    if (size == 0 || path[0] != '/') {
        config_value_wrong(v, offset, length, NULL,
                           "a UNIX socket is written unix:/path, with an absolute path");
        return NULL;
    }
    if (size >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
        config_value_wrong(v, offset, length, NULL,
                           "the path of a UNIX socket has at most %zu bytes, not %zu",
                           sizeof(((struct sockaddr_un *)0)->sun_path) - 1, size);
        return NULL;
    }
    char *copy = config_arena_copy(v->arena, path, size);
    if (!copy)
        v->no_memory = v->bad = true;
    return copy;
}

/* HOST:PORT or [HOST]:PORT taken apart. False: told. */
struct host_port {
    size_t host, host_length; /* without brackets; in the text */
    bool brackets;
    uint16_t port;
};

static bool split(struct config_value *v, size_t offset, size_t length, struct host_port *out)
{
    const char *text = v->text.text + offset, *any = v->key->type == KEY_ADDR ? "0.0.0.0" : "127.0.0.1";
    size_t colon = length;
    while (colon > 0 && text[colon - 1] != ':')
        colon--;
    char meant[96] = "";
    struct sockaddr_storage ip;
    if (length < 64 && parse_ip(text, length, &ip) && ip.ss_family == AF_INET6)
        snprintf(meant, sizeof meant, "[%.*s]:8443", (int)length, text);
    if (colon == 0 && parse_port(text, length)) {
        snprintf(meant, sizeof meant, "%s:%.*s", any, (int)length, text);
        config_value_wrong(v, offset, length, meant, "there is no address before the port");
        return false;
    }
    if (colon == 0 || meant[0] || text[length - 1] == ']') {
        config_value_wrong(v, offset, length, meant[0] ? meant : NULL, VALUE_QUOTED " has no port",
                           VALUE_QUOTE(v, offset, length));
        return false;
    }
    out->host = offset;
    out->host_length = colon - 1;
    out->brackets = out->host_length >= 2 && text[0] == '[' && text[colon - 2] == ']';
    if (out->brackets) {
        out->host++;
        out->host_length -= 2;
    }
    out->port = parse_port(text + colon, length - colon);
    if (out->port == 0) {
        config_value_wrong(v, offset + colon, length - colon, NULL, "a port is 1 to 65535, not " VALUE_QUOTED,
                           VALUE_QUOTE(v, offset + colon, length - colon));
        return false;
    }
    if (out->host_length == 0) {
        snprintf(meant, sizeof meant, "%s:%u", any, out->port);
        config_value_wrong(v, offset, length, meant, "there is no address before the port");
        return false;
    }
    if (!out->brackets && memchr(text, ':', out->host_length)) {
        const char *scheme = memmem(text, length, "://", 3);
        snprintf(meant, sizeof meant, "[%.*s]:%u", out->host_length < 64 ? (int)out->host_length : 0, text,
                 out->port);
        if (scheme)
            snprintf(meant, sizeof meant, "%.*s", (int)(text + length - scheme - 3), scheme + 3);
        bool good = scheme || parse_ip(text, out->host_length, &ip);
        config_value_wrong(v, offset, length, good ? meant : NULL, "%s: " VALUE_QUOTED,
                           scheme ? "no scheme stands before an address"
                                  : "an IPv6 address stands in brackets before its port",
                           VALUE_QUOTE(v, offset, length));
        return false;
    }
    return true;
}

void config_value_addr(struct config_value *v, size_t offset, size_t length, struct config_addr *out)
{
    const char *text = v->text.text + offset;
    struct host_port hp;
    if (length >= 5 && memcmp(text, "unix:", 5) == 0) {
        out->path = unix_path(v, offset, length);
        out->kind = out->path ? CONFIG_ADDR_UNIX : CONFIG_ADDR_NONE;
    } else if (split(v, offset, length, &hp)) {
        char meant[32] = "";
        const char *host = v->text.text + hp.host;
        if (hp.host_length == 9 && memcmp(host, "localhost", 9) == 0)
            snprintf(meant, sizeof meant, "127.0.0.1:%u", hp.port);
        if (!parse_ip(host, hp.host_length, &out->ip) || (out->ip.ss_family == AF_INET6) != hp.brackets) {
            config_value_wrong(
                v, offset, length, meant[0] ? meant : NULL,
                "%s takes an address such as 0.0.0.0:8443, [::]:8443 or unix:/path, not " VALUE_QUOTED,
                v->key->name, VALUE_QUOTE(v, offset, length));
            return;
        }
        set_port(&out->ip, hp.port);
        out->kind = CONFIG_ADDR_IP;
    }
    out->text = config_arena_copy(v->arena, text, length);
    if (!out->text)
        v->no_memory = v->bad = true;
}

void config_value_target(struct config_value *v, size_t offset, size_t length, struct config_target *out)
{
    const char *text = v->text.text + offset, *why = "";
    struct host_port hp;
    if (length >= 5 && memcmp(text, "unix:", 5) == 0) {
        out->path = unix_path(v, offset, length);
        out->kind = out->path ? CONFIG_TARGET_UNIX : CONFIG_TARGET_NONE;
    } else if (split(v, offset, length, &hp)) {
        const char *host = v->text.text + hp.host;
        struct sockaddr_storage ip;
        bool literal = parse_ip(host, hp.host_length, &ip);
        /* The root's dot keeps DNS from adding search domains. */
        size_t name = hp.host_length - (hp.host_length > 1 && host[hp.host_length - 1] == '.');
        if (literal ? (ip.ss_family == AF_INET6) != hp.brackets
                    : hp.brackets || wrong_name(host, name, &why) < name) {
            config_value_wrong(v, hp.host, hp.host_length, NULL,
                               VALUE_QUOTED " is neither a DNS name nor an address%s%s",
                               VALUE_QUOTE(v, hp.host, hp.host_length), why[0] && !hp.brackets ? ": " : "",
                               hp.brackets ? "" : why);
            return;
        }
        out->host = config_arena_copy(v->arena, host, hp.host_length);
        out->port = hp.port;
        out->kind = CONFIG_TARGET_HOST;
    }
    out->text = config_arena_copy(v->arena, text, length);
    if (!out->text || (out->kind == CONFIG_TARGET_HOST && !out->host))
        v->no_memory = v->bad = true;
}

/* Clears the bits behind the prefix; whether any was set. */
static bool clear_host_bits(struct sockaddr_storage *ip, unsigned bits)
{
    unsigned char *bytes = ip->ss_family == AF_INET
                               ? (unsigned char *)&((struct sockaddr_in *)ip)->sin_addr
                               : (unsigned char *)&((struct sockaddr_in6 *)ip)->sin6_addr;
    size_t size = ip->ss_family == AF_INET ? 4 : 16;
    bool any = false;
    for (size_t i = 0; i < size; i++) {
        unsigned keep = bits >= (i + 1) * 8 ? 8 : bits <= i * 8 ? 0 : bits - (unsigned)i * 8;
        unsigned char mask = (unsigned char)(0xff00u >> keep);
        any |= (bytes[i] & ~mask) != 0;
        bytes[i] &= mask;
    }
    return any;
}

void config_value_cidr(struct config_value *v, size_t offset, size_t length, struct config_cidr *out)
{
    const char *text = v->text.text + offset;
    const char *slash = memchr(text, '/', length);
    size_t host = slash ? (size_t)(slash - text) : length;
    if (!parse_ip(text, host, &out->ip)) {
        config_value_wrong(v, offset, length, NULL,
                           VALUE_QUOTED " is not an address or a network such as 10.0.0.0/8 or fd00::/8",
                           VALUE_QUOTE(v, offset, length));
        return;
    }
    unsigned most = out->ip.ss_family == AF_INET ? 32 : 128, bits = most;
    if (slash) {
        bool zero = length - host == 2 && slash[1] == '0';
        bits = parse_port(slash + 1, length - host - 1);
        if ((bits == 0 && !zero) || bits > most || (slash[1] == '0' && !zero)) {
            config_value_wrong(v, offset + host + 1, length - host - 1, NULL,
                               "a prefix has 0 to %u bits, not " VALUE_QUOTED, most,
                               VALUE_QUOTE(v, offset + host + 1, length - host - 1));
            return;
        }
    }
    out->bits = (uint8_t)bits;
    if (clear_host_bits(&out->ip, bits)) {
        char address[LITERAL_MAX], meant[LITERAL_MAX + 8];
        const void *bytes = most == 32 ? (const void *)&((struct sockaddr_in *)&out->ip)->sin_addr
                                       : (const void *)&((struct sockaddr_in6 *)&out->ip)->sin6_addr;
        inet_ntop(out->ip.ss_family, bytes, address, sizeof address);
        snprintf(meant, sizeof meant, "%s/%u", address, bits);
        config_value_wrong(v, offset, length, meant, VALUE_QUOTED " has bits set behind its prefix",
                           VALUE_QUOTE(v, offset, length));
    }
}
