/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/net/proxyproto.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* Section 2.2 of the specification. */
static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

enum { V2_HEADER = 16, V2_IPV4 = 12, V2_IPV6 = 36, V2_UNIX = 216, CMD_LOCAL = 0x20, CMD_PROXY = 0x21 };
enum {
    FAM_UNSPEC = 0x00,
    FAM_TCP4 = 0x11,
    FAM_UDP4 = 0x12,
    FAM_TCP6 = 0x21,
    FAM_UDP6 = 0x22,
    FAM_UNIX = 0x31,
    FAM_UNIX_DGRAM = 0x32
};

static const char not_proxy[] = "the connection does not begin with a PROXY header";

static enum proxyproto_result bad(struct proxyproto *out, const char *error)
{
    memset(out, 0, sizeof(*out));
    out->error = error;
    return PROXYPROTO_BAD;
}

static unsigned get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* CRC-32C (RFC 4960 appendix B, Castagnoli), half a byte at a time; goes on from CRC, begun at ~0 and
 * inverted last. */
static uint32_t crc32c(uint32_t crc, const uint8_t *data, size_t size)
{
    static const uint32_t nibble[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        crc = crc >> 4 ^ nibble[crc & 15];
        crc = crc >> 4 ^ nibble[crc & 15];
    }
    return crc;
}

/* --- version 1 --- */

/* Takes the text up to the next END off [*AT, LIMIT) into WORD. */
static bool take_word(const char **at, const char *limit, char end, char *word, size_t size)
{
    const char *stop = memchr(*at, end, (size_t)(limit - *at));
    if (!stop || stop == *at || (size_t)(stop - *at) >= size)
        return false;
    memcpy(word, *at, (size_t)(stop - *at));
    word[stop - *at] = 0;
    *at = stop + 1;
    return true;
}

static bool read_port(const char *text, uint16_t *port)
{
    size_t digits = strspn(text, "0123456789");
    unsigned value = 0;
    if (!digits || digits > 5 || text[digits] || (text[0] == '0' && digits > 1))
        return false;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (unsigned)(text[i] - '0');
    *port = (uint16_t)value;
    return value <= UINT16_MAX;
}

static bool read_address(const char *text, int family, uint16_t port, union net_addr *out)
{
    union net_addr addr;
    memset(&addr, 0, sizeof(addr));
    addr.sa.sa_family = (sa_family_t)family;
    if (family == AF_INET) {
        addr.in.sin_port = htons(port);
        if (inet_pton(AF_INET, text, &addr.in.sin_addr) != 1)
            return false;
    } else {
        addr.in6.sin6_port = htons(port);
        if (inet_pton(AF_INET6, text, &addr.in6.sin6_addr) != 1)
            return false;
    }
    net_addr_set(out, &addr.sa);
    return true;
}

static enum proxyproto_result parse_v1(const char *text, size_t size, struct proxyproto *out)
{
    static const char prefix[] = "PROXY ";
    size_t known = size < 6 ? size : 6;
    if (memcmp(text, prefix, known) != 0)
        return bad(out, not_proxy);

    size_t seen = size < PROXYPROTO_V1_MAX ? size : PROXYPROTO_V1_MAX;
    const char *lf = memchr(text, '\n', seen);
    if (!lf)
        return size < PROXYPROTO_V1_MAX ? PROXYPROTO_MORE
                                        : bad(out, "the PROXY line is longer than 107 bytes");
    const char *cr = memchr(text, '\r', (size_t)(lf - text));
    if (!cr || cr + 1 != lf || memchr(text, 0, (size_t)(lf - text)))
        return bad(out, "the PROXY line does not end in CR LF");

    memset(out, 0, sizeof(*out));
    out->version = 1;
    out->consumed = (size_t)(lf + 1 - text);
    const char *at = text + 6;
    size_t rest = (size_t)(cr - at);
    /* Section 2.1: whatever follows UNKNOWN up to CR LF is to be ignored. */
    if (rest >= 7 && memcmp(at, "UNKNOWN", 7) == 0 && (rest == 7 || at[7] == ' '))
        return PROXYPROTO_OK;

    char protocol[5], source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN], sport[6], dport[6];
    uint16_t from, to;
    if (!take_word(&at, cr, ' ', protocol, sizeof(protocol)) ||
        (strcmp(protocol, "TCP4") != 0 && strcmp(protocol, "TCP6") != 0))
        return bad(out, "the PROXY line's protocol is not TCP4, TCP6 or UNKNOWN");
    int family = protocol[3] == '4' ? AF_INET : AF_INET6;
    if (!take_word(&at, cr, ' ', source, sizeof(source)) ||
        !take_word(&at, cr, ' ', destination, sizeof(destination)) ||
        !take_word(&at, cr, ' ', sport, sizeof(sport)) || !take_word(&at, lf, '\r', dport, sizeof(dport)))
        return bad(out, "the PROXY line is not two addresses and two ports");
    if (!read_port(sport, &from) || !read_port(dport, &to))
        return bad(out, "a port of the PROXY line is wrong");
    if (!read_address(source, family, from, &out->source) ||
        !read_address(destination, family, to, &out->destination))
        return bad(out, "an address of the PROXY line is wrong");
    out->proxied = true;
    return PROXYPROTO_OK;
}

/* --- TLVs --- */

bool proxyproto_tlv_next(struct proxyproto_slice *rest, struct proxyproto_tlv *tlv)
{
    if (rest->size < 3)
        return false;
    size_t length = get16(rest->data + 1);
    if (length > rest->size - 3)
        return false;
    tlv->type = rest->data[0];
    tlv->value = (struct proxyproto_slice){rest->data + 3, length};
    rest->data += 3 + length;
    rest->size -= 3 + length;
    return true;
}

struct proxyproto_slice proxyproto_find(struct proxyproto_slice tlvs, uint8_t type)
{
    struct proxyproto_tlv tlv;
    while (proxyproto_tlv_next(&tlvs, &tlv))
        if (tlv.type == type)
            return tlv.value;
    return (struct proxyproto_slice){NULL, 0};
}

bool proxyproto_ssl(struct proxyproto_slice value, uint8_t *client, uint32_t *verify,
                    struct proxyproto_slice *sub)
{
    if (value.size < 5)
        return false;
    struct proxyproto_slice rest = {value.data + 5, value.size - 5};
    struct proxyproto_tlv tlv;
    *sub = rest;
    *client = value.data[0];
    *verify = get32(value.data + 1);
    while (proxyproto_tlv_next(&rest, &tlv))
        ;
    return rest.size == 0;
}

/* NULL when the TLVs of the header [DATA, DATA + SIZE) are well-formed, and its checksum, where it has one,
 * right. */
static const char *check_tlvs(const uint8_t *data, size_t size, struct proxyproto_slice tlvs)
{
    static const uint8_t zeros[4];
    struct proxyproto_tlv tlv;
    const uint8_t *sum = NULL;
    while (proxyproto_tlv_next(&tlvs, &tlv)) {
        if (tlv.type != PROXYPROTO_CRC32C)
            continue;
        if (tlv.value.size != 4 || sum)
            return "the PROXY header's checksum TLV is malformed";
        sum = tlv.value.data;
    }
    if (tlvs.size)
        return "the PROXY header's TLVs do not fit its length";
    if (!sum)
        return NULL;
    /* Section 2.2.3: over the whole header, the checksum itself being zero. */
    uint32_t crc = crc32c(UINT32_MAX, data, (size_t)(sum - data));
    crc = crc32c(crc, zeros, 4);
    crc = crc32c(crc, sum + 4, size - (size_t)(sum - data) - 4);
    return ~crc == get32(sum) ? NULL : "the PROXY header's checksum is wrong";
}

/* --- version 2 --- */

static void read_addresses(const uint8_t *p, uint8_t family, struct proxyproto *out)
{
    union net_addr a, b;
    memset(&a, 0, sizeof(a));
    memset(&b, 0, sizeof(b));
    if (family == FAM_TCP4) {
        a.in.sin_family = b.in.sin_family = AF_INET;
        memcpy(&a.in.sin_addr, p, 4);
        memcpy(&b.in.sin_addr, p + 4, 4);
        memcpy(&a.in.sin_port, p + 8, 2);
        memcpy(&b.in.sin_port, p + 10, 2);
    } else {
        a.in6.sin6_family = b.in6.sin6_family = AF_INET6;
        memcpy(&a.in6.sin6_addr, p, 16);
        memcpy(&b.in6.sin6_addr, p + 16, 16);
        memcpy(&a.in6.sin6_port, p + 32, 2);
        memcpy(&b.in6.sin6_port, p + 34, 2);
    }
    net_addr_set(&out->source, &a.sa);
    net_addr_set(&out->destination, &b.sa);
    out->proxied = true;
}

static bool address_size(uint8_t family, size_t *size)
{
    switch (family) {
    case FAM_UNSPEC: *size = 0; return true;
    case FAM_TCP4:
    case FAM_UDP4: *size = V2_IPV4; return true;
    case FAM_TCP6:
    case FAM_UDP6: *size = V2_IPV6; return true;
    case FAM_UNIX:
    case FAM_UNIX_DGRAM: *size = V2_UNIX; return true;
    default: return false;
    }
}

static enum proxyproto_result parse_v2(const uint8_t *data, size_t size, struct proxyproto *out)
{
    if (memcmp(data, signature, size < sizeof(signature) ? size : sizeof(signature)) != 0)
        return bad(out, not_proxy);
    if (size > 12 && data[12] >> 4 != 2)
        return bad(out, "the PROXY header is of an unknown version");
    if (size > 12 && data[12] != CMD_LOCAL && data[12] != CMD_PROXY)
        return bad(out, "the PROXY header's command is unknown");
    size_t addresses = 0;
    if (size > 13 && data[12] == CMD_PROXY && !address_size(data[13], &addresses))
        return bad(out, "the PROXY header's address family is unknown");
    if (size < V2_HEADER)
        return PROXYPROTO_MORE;
    size_t length = get16(data + 14);
    bool local = data[12] == CMD_LOCAL;
    if (length < addresses)
        return bad(out, "the PROXY header is too short for its addresses");
    if (length - addresses > PROXYPROTO_TLV_MAX)
        return bad(out, "the PROXY header is too long");
    if (size < V2_HEADER + length)
        return PROXYPROTO_MORE;

    memset(out, 0, sizeof(*out));
    out->version = 2;
    out->consumed = V2_HEADER + length;
    out->local = local;
    if (local)
        return PROXYPROTO_OK; /* section 2.2: whatever it carries is to be skipped */
    out->tlvs = (struct proxyproto_slice){data + V2_HEADER + addresses, length - addresses};
    const char *error = check_tlvs(data, out->consumed, out->tlvs);
    if (error)
        return bad(out, error);
    if (data[13] == FAM_TCP4 || data[13] == FAM_TCP6)
        read_addresses(data + V2_HEADER, data[13], out);
    return PROXYPROTO_OK;
}

enum proxyproto_result proxyproto_parse(const uint8_t *data, size_t size, struct proxyproto *out)
{
    memset(out, 0, sizeof(*out));
    if (size == 0)
        return PROXYPROTO_MORE;
    if (data[0] == 'P')
        return parse_v1((const char *)data, size, out);
    return parse_v2(data, size, out);
}

/* --- writing --- */

static void as_six(union net_addr *addr)
{
    if (addr->sa.sa_family != AF_INET)
        return;
    union net_addr six;
    memset(&six, 0, sizeof(six));
    six.in6.sin6_family = AF_INET6;
    six.in6.sin6_port = addr->in.sin_port;
    six.in6.sin6_addr.s6_addr[10] = six.in6.sin6_addr.s6_addr[11] = 0xff;
    memcpy(six.in6.sin6_addr.s6_addr + 12, &addr->in.sin_addr, 4);
    *addr = six;
}

/* Brings both to one family. False when either is not IP. */
static bool addresses_of(const struct proxyproto_say *say, union net_addr *source,
                         union net_addr *destination)
{
    net_addr_set(source, say->source);
    net_addr_set(destination, say->destination);
    if (source->sa.sa_family == AF_UNSPEC || destination->sa.sa_family == AF_UNSPEC)
        return false;
    if (source->sa.sa_family != destination->sa.sa_family) {
        as_six(source);
        as_six(destination);
    }
    return true;
}

size_t proxyproto_write_v1(const struct proxyproto_say *say, uint8_t *out, size_t size)
{
    union net_addr a, b;
    char line[PROXYPROTO_V1_MAX + 1], source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
    int length;
    if (!addresses_of(say, &a, &b)) {
        length = snprintf(line, sizeof(line), "PROXY UNKNOWN\r\n");
    } else {
        bool four = a.sa.sa_family == AF_INET;
        inet_ntop(a.sa.sa_family, four ? (void *)&a.in.sin_addr : (void *)&a.in6.sin6_addr, source,
                  sizeof(source));
        inet_ntop(a.sa.sa_family, four ? (void *)&b.in.sin_addr : (void *)&b.in6.sin6_addr, destination,
                  sizeof(destination));
        length = snprintf(line, sizeof(line), "PROXY TCP%c %s %s %u %u\r\n", four ? '4' : '6', source,
                          destination, ntohs(four ? a.in.sin_port : a.in6.sin6_port),
                          ntohs(four ? b.in.sin_port : b.in6.sin6_port));
    }
    if (length < 0 || (size_t)length > size || (size_t)length >= sizeof(line))
        return 0;
    memcpy(out, line, (size_t)length);
    return (size_t)length;
}

/* A buffer being filled; `full` is sticky. */
struct writer {
    uint8_t *out;
    size_t size, used;
    bool full;
};

static void put(struct writer *w, const void *data, size_t size)
{
    if (w->full || size > w->size - w->used) {
        w->full = true;
        return;
    }
    memcpy(w->out + w->used, data, size);
    w->used += size;
}

static void put8(struct writer *w, unsigned value)
{
    uint8_t byte = (uint8_t)value;
    put(w, &byte, 1);
}

static void put16(struct writer *w, size_t value)
{
    put8(w, (unsigned)(value >> 8));
    put8(w, (unsigned)(value & 0xff));
}

static void put32(struct writer *w, uint32_t value)
{
    put16(w, value >> 16);
    put16(w, value & 0xffff);
}

/* Fills a length in that was left open at AT, for what came after its two bytes. */
static void close_length(struct writer *w, size_t at)
{
    size_t length = w->used - at - 2;
    if (w->full || length > UINT16_MAX) {
        w->full = true;
        return;
    }
    w->out[at] = (uint8_t)(length >> 8);
    w->out[at + 1] = (uint8_t)length;
}

static void put_tlv(struct writer *w, uint8_t type, const void *data, size_t size)
{
    if (size == 0)
        return;
    put8(w, type);
    size_t at = w->used;
    put16(w, 0);
    put(w, data, size);
    close_length(w, at);
}

static void put_text(struct writer *w, uint8_t type, const char *text)
{
    put_tlv(w, type, text, text ? strlen(text) : 0);
}

static void put_ssl(struct writer *w, const struct proxyproto_say *say)
{
    put8(w, PROXYPROTO_SSL);
    size_t at = w->used;
    put16(w, 0);
    put8(w, say->client);
    put32(w, say->verify);
    put_text(w, PROXYPROTO_SSL_VERSION, say->ssl_version);
    put_text(w, PROXYPROTO_SSL_CN, say->common_name);
    put_text(w, PROXYPROTO_SSL_CIPHER, say->cipher);
    put_text(w, PROXYPROTO_SSL_SIG_ALG, say->sig_alg);
    put_text(w, PROXYPROTO_SSL_KEY_ALG, say->key_alg);
    put_text(w, PROXYPROTO_SSL_GROUP, say->group);
    close_length(w, at);
}

static void put_addresses(struct writer *w, const union net_addr *a, const union net_addr *b)
{
    if (a->sa.sa_family == AF_INET) {
        put(w, &a->in.sin_addr, 4);
        put(w, &b->in.sin_addr, 4);
        put(w, &a->in.sin_port, 2);
        put(w, &b->in.sin_port, 2);
    } else {
        put(w, &a->in6.sin6_addr, 16);
        put(w, &b->in6.sin6_addr, 16);
        put(w, &a->in6.sin6_port, 2);
        put(w, &b->in6.sin6_port, 2);
    }
}

size_t proxyproto_write_v2(const struct proxyproto_say *say, uint8_t *out, size_t size)
{
    struct writer w = {.out = out, .size = size};
    union net_addr a, b;
    bool known = !say->local && addresses_of(say, &a, &b);
    put(&w, signature, sizeof(signature));
    put8(&w, say->local ? CMD_LOCAL : CMD_PROXY);
    put8(&w, !known ? FAM_UNSPEC : a.sa.sa_family == AF_INET ? FAM_TCP4 : FAM_TCP6);
    size_t at = w.used, sum = 0;
    put16(&w, 0);
    if (known)
        put_addresses(&w, &a, &b);
    if (!say->local) {
        put_tlv(&w, PROXYPROTO_ALPN, say->alpn.data, say->alpn.size);
        put_text(&w, PROXYPROTO_AUTHORITY, say->authority);
        if (say->ssl)
            put_ssl(&w, say);
        if (say->crc32c) {
            put8(&w, PROXYPROTO_CRC32C);
            put16(&w, 4);
            sum = w.used;
            put32(&w, 0);
        }
    }
    close_length(&w, at);
    if (w.full)
        return 0;
    if (sum) {
        uint32_t crc = ~crc32c(UINT32_MAX, out, w.used);
        w.used = sum; /* it comes last */
        put32(&w, crc);
    }
    return w.used;
}
