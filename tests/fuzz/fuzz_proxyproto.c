/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * PROXY protocol headers from outside: no reading beyond the bytes given, the verdict on a prefix never
 * contradicts that on the whole, and what was understood survives being written and read again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/net/proxyproto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
    if (!truth)
        abort();
}

static void check_prefix(const uint8_t *data, size_t size, enum proxyproto_result whole,
                         const struct proxyproto *p)
{
    struct proxyproto part;
    uint8_t *copy = malloc(size ? size : 1);
    if (size)
        memcpy(copy, data, size);
    enum proxyproto_result result = proxyproto_parse(copy, size, &part);
    free(copy);
    if (result == PROXYPROTO_OK)
        require(whole == PROXYPROTO_OK && part.consumed == p->consumed && part.consumed <= size);
    if (result == PROXYPROTO_BAD)
        require(whole == PROXYPROTO_BAD && part.error);
    if (result == PROXYPROTO_MORE)
        require(size < PROXYPROTO_MAX && (whole != PROXYPROTO_OK || size < p->consumed));
}

static void read_tlvs(const struct proxyproto *p)
{
    struct proxyproto_slice rest = p->tlvs, sub;
    struct proxyproto_tlv tlv;
    size_t total = 0;
    uint8_t client;
    uint32_t verify;
    while (proxyproto_tlv_next(&rest, &tlv)) {
        total += 3 + tlv.value.size;
        if (tlv.type == PROXYPROTO_SSL && proxyproto_ssl(tlv.value, &client, &verify, &sub))
            proxyproto_find(sub, PROXYPROTO_SSL_CN);
    }
    require(total == p->tlvs.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxyproto p, again;
    uint8_t out[PROXYPROTO_MAX];
    enum proxyproto_result whole = proxyproto_parse(data, size, &p);
    size_t near = size < 120 ? size : 120;
    for (size_t n = 0; n < near; n++)
        check_prefix(data, n, whole, &p);
    check_prefix(data, size, whole, &p);
    if (whole != PROXYPROTO_OK)
        return 0;
    require(p.consumed <= size && p.consumed <= PROXYPROTO_MAX);
    check_prefix(data, p.consumed, whole, &p);
    check_prefix(data, p.consumed - 1, whole, &p);
    read_tlvs(&p);

    struct proxyproto_say say = {.local = p.local, .alpn = p.tlvs, .crc32c = true};
    if (p.proxied) {
        say.source = &p.source.sa;
        say.destination = &p.destination.sa;
    }
    if (say.alpn.size > PROXYPROTO_TLV_MAX - 10)
        say.alpn.size = PROXYPROTO_TLV_MAX - 10;
    size_t written = proxyproto_write_v2(&say, out, sizeof(out));
    require(proxyproto_parse(out, written, &again) == PROXYPROTO_OK && again.consumed == written);
    require(again.proxied == p.proxied && again.local == p.local);
    if (p.proxied)
        require(net_addr_equal(&again.source.sa, &p.source.sa) &&
                net_addr_equal(&again.destination.sa, &p.destination.sa));
    written = proxyproto_write_v1(&say, out, sizeof(out));
    require(written <= PROXYPROTO_V1_MAX && proxyproto_parse(out, written, &again) == PROXYPROTO_OK);
    if (p.proxied)
        require(net_addr_equal(&again.source.sa, &p.source.sa));
    return 0;
}
