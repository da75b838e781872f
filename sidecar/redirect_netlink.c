/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/redirect_netlink.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* --- bytes --- */

static void *room(struct netlink_buffer *b, size_t size)
{
    size_t need = NLMSG_ALIGN(size);
    if (b->room - b->size < need && !b->failed) {
        size_t more = b->room * 2 + need + 1024;
        uint8_t *data = realloc(b->data, more);
        b->failed = data == NULL;
        if (data) {
            b->data = data;
            b->room = more;
        }
    }
    if (b->failed)
        return NULL;
    void *at = b->data + b->size;
    memset(at, 0, need);
    b->size += need;
    return at;
}

size_t netlink_begin(struct netlink_buffer *b, uint16_t type, uint16_t flags, uint8_t family,
                     uint16_t resource)
{
    size_t message = b->size;
    struct nlmsghdr *header = room(b, sizeof *header + sizeof(struct nfgenmsg));
    if (header) {
        struct nfgenmsg *own = (struct nfgenmsg *)(void *)(header + 1);
        header->nlmsg_type = type;
        header->nlmsg_flags = NLM_F_REQUEST | flags;
        header->nlmsg_seq = b->messages;
        own->nfgen_family = family;
        own->version = NFNETLINK_V0;
        own->res_id = htons(resource);
    }
    b->messages++;
    return message;
}

void netlink_end(struct netlink_buffer *b, size_t message)
{
    if (!b->failed)
        ((struct nlmsghdr *)(void *)(b->data + message))->nlmsg_len = (uint32_t)(b->size - message);
}

void netlink_put(struct netlink_buffer *b, uint16_t type, const void *data, size_t size)
{
    struct nlattr *attr = room(b, sizeof *attr + size);
    if (attr == NULL)
        return;
    attr->nla_type = type;
    attr->nla_len = (uint16_t)(sizeof *attr + size);
    if (size)
        memcpy(attr + 1, data, size);
}

void netlink_put_text(struct netlink_buffer *b, uint16_t type, const char *text)
{
    netlink_put(b, type, text, strlen(text) + 1);
}

void netlink_put_u32(struct netlink_buffer *b, uint16_t type, uint32_t value)
{
    uint32_t big = htonl(value);
    netlink_put(b, type, &big, sizeof big);
}

size_t netlink_nest(struct netlink_buffer *b, uint16_t type)
{
    size_t nest = b->size;
    netlink_put(b, type | NLA_F_NESTED, NULL, 0);
    return nest;
}

void netlink_nest_end(struct netlink_buffer *b, size_t nest)
{
    if (!b->failed)
        ((struct nlattr *)(void *)(b->data + nest))->nla_len = (uint16_t)(b->size - nest);
}

/* --- expressions --- */

struct expression {
    size_t element, data;
};

static struct expression expression(struct netlink_buffer *b, const char *name)
{
    struct expression e = {.element = netlink_nest(b, NFTA_LIST_ELEM)};
    netlink_put_text(b, NFTA_EXPR_NAME, name);
    e.data = netlink_nest(b, NFTA_EXPR_DATA);
    return e;
}

static void expression_end(struct netlink_buffer *b, struct expression e)
{
    netlink_nest_end(b, e.data);
    netlink_nest_end(b, e.element);
}

static void value(struct netlink_buffer *b, uint16_t type, const void *data, size_t size)
{
    size_t nest = netlink_nest(b, type);
    netlink_put(b, NFTA_DATA_VALUE, data, size);
    netlink_nest_end(b, nest);
}

/* Each of these loads into, or works on, register 1. */
static void load_meta(struct netlink_buffer *b, uint32_t key)
{
    struct expression e = expression(b, "meta");
    netlink_put_u32(b, NFTA_META_DREG, NFT_REG_1);
    netlink_put_u32(b, NFTA_META_KEY, key);
    expression_end(b, e);
}

static void load_payload(struct netlink_buffer *b, uint32_t base, uint32_t offset, uint32_t length)
{
    struct expression e = expression(b, "payload");
    netlink_put_u32(b, NFTA_PAYLOAD_DREG, NFT_REG_1);
    netlink_put_u32(b, NFTA_PAYLOAD_BASE, base);
    netlink_put_u32(b, NFTA_PAYLOAD_OFFSET, offset);
    netlink_put_u32(b, NFTA_PAYLOAD_LEN, length);
    expression_end(b, e);
}

static void compare(struct netlink_buffer *b, uint32_t how, const void *data, size_t size)
{
    struct expression e = expression(b, "cmp");
    netlink_put_u32(b, NFTA_CMP_SREG, NFT_REG_1);
    netlink_put_u32(b, NFTA_CMP_OP, how);
    value(b, NFTA_CMP_DATA, data, size);
    expression_end(b, e);
}

static void is_tcp(struct netlink_buffer *b, uint32_t how)
{
    uint8_t tcp = IPPROTO_TCP;
    load_meta(b, NFT_META_L4PROTO);
    compare(b, how, &tcp, sizeof tcp);
}

static void compare_span(struct netlink_buffer *b, const void *first, const void *last, size_t size)
{
    if (memcmp(first, last, size) == 0) {
        compare(b, NFT_CMP_EQ, first, size);
    } else {
        compare(b, NFT_CMP_GTE, first, size);
        compare(b, NFT_CMP_LTE, last, size);
    }
}

static void match_port(struct netlink_buffer *b, const struct redirect_rule *r)
{
    uint16_t first = htons((uint16_t)r->first), last = htons((uint16_t)r->last);
    is_tcp(b, NFT_CMP_EQ);
    load_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, 2, sizeof first);
    compare_span(b, &first, &last, sizeof first);
}

static void match_uid(struct netlink_buffer *b, const struct redirect_rule *r)
{
    uint32_t first = htonl(r->first), last = htonl(r->last);
    load_meta(b, NFT_META_SKUID);
    if (r->first == r->last) {
        compare(b, NFT_CMP_EQ, &r->first, sizeof r->first);
        return;
    }
    /* The kernel has it in the host's order, and compares byte by byte. */
    struct expression e = expression(b, "byteorder");
    netlink_put_u32(b, NFTA_BYTEORDER_SREG, NFT_REG_1);
    netlink_put_u32(b, NFTA_BYTEORDER_DREG, NFT_REG_1);
    netlink_put_u32(b, NFTA_BYTEORDER_OP, NFT_BYTEORDER_HTON);
    netlink_put_u32(b, NFTA_BYTEORDER_LEN, sizeof first);
    netlink_put_u32(b, NFTA_BYTEORDER_SIZE, sizeof first);
    expression_end(b, e);
    compare_span(b, &first, &last, sizeof first);
}

static void match_destination(struct netlink_buffer *b, const struct redirect_rule *r)
{
    bool v4 = r->cidr.ip.ss_family == AF_INET;
    const void *ip = v4 ? (const void *)&((const struct sockaddr_in *)&r->cidr.ip)->sin_addr
                        : (const void *)&((const struct sockaddr_in6 *)&r->cidr.ip)->sin6_addr;
    uint8_t family = v4 ? NFPROTO_IPV4 : NFPROTO_IPV6, mask[16] = {0}, none[16] = {0};
    uint32_t size = v4 ? 4 : 16;
    for (unsigned bit = 0; bit < r->cidr.bits; bit++)
        mask[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    load_meta(b, NFT_META_NFPROTO);
    compare(b, NFT_CMP_EQ, &family, sizeof family);
    load_payload(b, NFT_PAYLOAD_NETWORK_HEADER, v4 ? 16 : 24, size);
    struct expression e = expression(b, "bitwise");
    netlink_put_u32(b, NFTA_BITWISE_SREG, NFT_REG_1);
    netlink_put_u32(b, NFTA_BITWISE_DREG, NFT_REG_1);
    netlink_put_u32(b, NFTA_BITWISE_LEN, size);
    value(b, NFTA_BITWISE_MASK, mask, size);
    value(b, NFTA_BITWISE_XOR, none, size);
    expression_end(b, e);
    compare(b, NFT_CMP_EQ, ip, size);
}

static void verdict_accept(struct netlink_buffer *b)
{
    struct expression e = expression(b, "immediate");
    netlink_put_u32(b, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    size_t data = netlink_nest(b, NFTA_IMMEDIATE_DATA), verdict = netlink_nest(b, NFTA_DATA_VERDICT);
    netlink_put_u32(b, NFTA_VERDICT_CODE, NF_ACCEPT);
    netlink_nest_end(b, verdict);
    netlink_nest_end(b, data);
    expression_end(b, e);
}

static void verdict_redirect(struct netlink_buffer *b, uint16_t to)
{
    uint16_t port = htons(to);
    struct expression e = expression(b, "immediate");
    netlink_put_u32(b, NFTA_IMMEDIATE_DREG, NFT_REG_1);
    value(b, NFTA_IMMEDIATE_DATA, &port, sizeof port);
    expression_end(b, e);
    e = expression(b, "redir");
    netlink_put_u32(b, NFTA_REDIR_REG_PROTO_MIN, NFT_REG_1);
    expression_end(b, e);
}

void netlink_rule(struct netlink_buffer *b, const struct redirect_rule *r)
{
    char lo[IFNAMSIZ] = "lo";
    size_t nest = netlink_nest(b, NFTA_RULE_EXPRESSIONS);
    switch (r->match) {
    case REDIRECT_NOT_TCP: is_tcp(b, NFT_CMP_NEQ); break;
    case REDIRECT_LOOPBACK:
        load_meta(b, r->outbound ? NFT_META_OIFNAME : NFT_META_IIFNAME);
        compare(b, NFT_CMP_EQ, lo, sizeof lo);
        break;
    case REDIRECT_UID: match_uid(b, r); break;
    case REDIRECT_TO: match_destination(b, r); break;
    case REDIRECT_PORT: match_port(b, r); break;
    case REDIRECT_REST: is_tcp(b, NFT_CMP_EQ); break;
    }
    if (r->port)
        verdict_redirect(b, r->port);
    else
        verdict_accept(b);
    netlink_nest_end(b, nest);
}

/* --- reading back --- */

/* The attribute at the front of DATA, which it is taken from; NULL: no more, or broken. */
static const struct nlattr *next(const uint8_t **data, size_t *size)
{
    const struct nlattr *attr = (const struct nlattr *)(const void *)*data;
    if (*size < sizeof *attr || attr->nla_len < sizeof *attr || attr->nla_len > *size)
        return NULL;
    size_t step = NLA_ALIGN(attr->nla_len);
    step = step > *size ? *size : step;
    *data += step;
    *size -= step;
    return attr;
}

const uint8_t *netlink_find(const uint8_t *data, size_t size, uint16_t type, size_t *found)
{
    for (const struct nlattr *attr; (attr = next(&data, &size)) != NULL;) {
        if ((attr->nla_type & NLA_TYPE_MASK) == type) {
            *found = attr->nla_len - sizeof *attr;
            return (const uint8_t *)(attr + 1);
        }
    }
    return NULL;
}

static size_t elements(const uint8_t *data, size_t size)
{
    size_t count = 0;
    while (next(&data, &size))
        count++;
    return count;
}

static bool same(const struct nlattr *have, const struct nlattr *want)
{
    size_t have_size = have->nla_len - sizeof *have, want_size = want->nla_len - sizeof *want;
    const uint8_t *have_data = (const uint8_t *)(have + 1), *want_data = (const uint8_t *)(want + 1);
    if (want->nla_type & NLA_F_NESTED)
        return netlink_covers(have_data, have_size, want_data, want_size);
    return have_size == want_size && memcmp(have_data, want_data, want_size) == 0;
}

bool netlink_covers(const uint8_t *have, size_t have_size, const uint8_t *want, size_t want_size)
{
    const uint8_t *first = want;
    size_t first_size = want_size;
    const struct nlattr *attr = next(&first, &first_size);
    /* The elements of a list go by their order; all else by type. */
    bool list = attr && (attr->nla_type & NLA_TYPE_MASK) == NFTA_LIST_ELEM &&
                (attr->nla_type & NLA_F_NESTED) && elements(want, want_size) > 1;
    if (list && elements(have, have_size) != elements(want, want_size))
        return false;
    while ((attr = next(&want, &want_size)) != NULL) {
        const uint8_t *rest = have;
        size_t rest_size = have_size;
        const struct nlattr *other;
        do {
            other = next(&rest, &rest_size);
        } while (other && (other->nla_type & NLA_TYPE_MASK) != (attr->nla_type & NLA_TYPE_MASK));
        if (other == NULL || !same(other, attr))
            return false;
        if (list) {
            have = rest;
            have_size = rest_size;
        }
    }
    return true;
}
