/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sidecar/net/proxyproto.h: the specification's examples, headers as haproxy 2.6 sends them, bad ones, our
 * own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/net/proxyproto.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(literal) (const uint8_t *)(literal), sizeof(literal) - 1

/*
 * Parses every prefix in memory of its own, so that reading beyond is seen: each but the whole must ask for
 * more, and the whole, with and without bytes behind it, must be taken.
 */
static void take(const uint8_t *data, size_t size, struct proxyproto *p)
{
    for (size_t n = 0; n < size; n++) {
        uint8_t *copy = malloc(n ? n : 1);
        if (n)
            memcpy(copy, data, n);
        if (proxyproto_parse(copy, n, p) != PROXYPROTO_MORE)
            fail_msg("%zu of %zu bytes: not MORE (%s)", n, size, p->error ? p->error : "ok");
        free(copy);
    }
    uint8_t *more = malloc(size + 3);
    memcpy(more, data, size);
    memcpy(more + size, "\r\nx", 3);
    if (proxyproto_parse(more, size + 3, p) != PROXYPROTO_OK)
        fail_msg("%s", p->error);
    assert_int_equal(p->consumed, size);
    free(more);
    assert_int_equal(proxyproto_parse(data, size, p), PROXYPROTO_OK);
    assert_int_equal(p->consumed, size);
    assert_null(p->error);
}

static void check_addresses(const struct proxyproto *p, const char *source, const char *destination)
{
    char text[NET_ADDR_TEXT];
    assert_true(p->proxied);
    assert_string_equal(net_addr_text(&p->source.sa, text, sizeof(text)), source);
    assert_string_equal(net_addr_text(&p->destination.sa, text, sizeof(text)), destination);
}

static void check_unknown(const struct proxyproto *p)
{
    assert_false(p->proxied);
    assert_int_equal(p->source.sa.sa_family, AF_UNSPEC);
    assert_int_equal(p->destination.sa.sa_family, AF_UNSPEC);
}

/* Where it is bad it stays bad, whatever follows; EARLIEST: how many bytes suffice to know. */
static void check_bad(const uint8_t *data, size_t size, size_t earliest)
{
    struct proxyproto p;
    for (size_t n = 0; n <= size; n++) {
        uint8_t *copy = malloc(n ? n : 1);
        if (n)
            memcpy(copy, data, n);
        enum proxyproto_result result = proxyproto_parse(copy, n, &p);
        free(copy);
        if (result != (n < earliest ? PROXYPROTO_MORE : PROXYPROTO_BAD))
            fail_msg("%.40s: %zu of %zu bytes: %d", (const char *)data, n, size, result);
        assert_true((result == PROXYPROTO_BAD) == (p.error != NULL));
    }
}

static void check_slice(struct proxyproto_slice s, const char *text)
{
    assert_non_null(s.data);
    assert_int_equal(s.size, strlen(text));
    assert_memory_equal(s.data, text, s.size);
}

static void v1(void **state)
{
    (void)state;
    struct proxyproto p;
    take(BYTES("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"), &p);
    check_addresses(&p, "192.168.0.1:56324", "192.168.0.11:443");
    assert_int_equal(p.version, 1);
    assert_int_equal(p.tlvs.size, 0);
    take(BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), &p);
    check_addresses(&p, "255.255.255.255:65535", "255.255.255.255:65535");
    take(BYTES("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
               "65535 65535\r\n"),
         &p);
    check_addresses(&p, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
                    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
    take(BYTES("PROXY TCP6 ::1 ::ffff:10.0.0.1 1 0\r\n"), &p);
    check_addresses(&p, "[::1]:1", "10.0.0.1:0");
    take(BYTES("PROXY UNKNOWN\r\n"), &p);
    check_unknown(&p);
    assert_false(p.local);
    take(BYTES("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
               "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
         &p);
    check_unknown(&p);
    assert_int_equal(p.consumed, PROXYPROTO_V1_MAX);
    take(BYTES("PROXY UNKNOWN what ever\r\n"), &p);
    check_unknown(&p);
}

static void v1_bad(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "PROXY\tTCP4 1.2.3.4 1.2.3.5 1 2\r\n",
        "PROXY  TCP4 1.2.3.4 1.2.3.5 1 2\r\n",
        "proxy TCP4 1.2.3.4 1.2.3.5 1 2\r\n",
        "POST / HTTP/1.1\r\n",
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP4 \r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.5 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.5 1 \r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.5 1 2 \r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.5 1 2 3\r\n",
        "PROXY TCP4 1.2.3.4  1.2.3.5 1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.5 01 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.5 1 00\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.5 1 65536\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.5 1 99999\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.5 1 655360\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.5 -1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.5 +1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.5 a 2\r\n",
        "PROXY TCP4 1.2.3.04 1.2.3.5 1 2\r\n",
        "PROXY TCP4 1.2.3 1.2.3.5 1 2\r\n",
        "PROXY TCP4 1.2.3.256 1.2.3.5 1 2\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 1.2.3.4 1.2.3.5 1 2\r\n",
        "PROXY TCP6 [::1] ::1 1 2\r\n",
        "PROXY TCP6 fe80::1%1 ::1 1 2\r\n",
        "PROXY TCP6 ::1 ::1::1 1 2\r\n",
        "PROXY TCP5 1.2.3.4 1.2.3.5 1 2\r\n",
        "PROXY TCP44 1.2.3.4 1.2.3.5 1 2\r\n",
        "PROXY UDP4 1.2.3.4 1.2.3.5 1 2\r\n",
        "PROXY UNKNOWNX\r\n",
        "PROXY UNKNOW\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.5 1 2\n",
        "PROXY TCP4 1.2.3.4 1.2.3.5 1 2\r\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.5 1 2\rx\n",
        "PROXY UNKNOWN a\rb\r\n",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        size_t same = 0;
        while (same < 6 && lines[i][same] == "PROXY "[same])
            same++;
        check_bad((const uint8_t *)lines[i], strlen(lines[i]), same < 6 ? same + 1 : strlen(lines[i]));
    }
    check_bad(BYTES("PROXY UNKNOWN a\0b\r\n"), 19);
    check_bad(BYTES("PROXY TCP4 1.2.3.4\0 1.2.3.5 1 2\r\n"), 33);

    /* 108 bytes, and no end at all. */
    char line[200];
    memset(line, 'x', sizeof(line));
    memcpy(line, "PROXY UNKNOWN ", 14);
    memcpy(line + 106, "\r\n", 2);
    check_bad((const uint8_t *)line, 108, 107);
    memset(line + 106, 'x', 2);
    check_bad((const uint8_t *)line, sizeof(line), 107);
}

static void v2(void **state)
{
    (void)state;
    struct proxyproto p;
    take(BYTES(SIGNATURE "\x21\x11\x00\x0c\xc0\xa8\x00\x01\xc0\xa8\x00\x0b\xdc\x04\x01\xbb"), &p);
    assert_int_equal(p.version, 2);
    check_addresses(&p, "192.168.0.1:56324", "192.168.0.11:443");
    take(BYTES(SIGNATURE "\x21\x21\x00\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
                         "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\x01\x00\x50\x01\xbb"),
         &p);
    check_addresses(&p, "[2001:db8::1]:80", "10.0.0.1:443");

    /* Nothing to use: LOCAL whatever it carries, UNSPEC, UDP, UNIX. */
    take(BYTES(SIGNATURE "\x20\x00\x00\x00"), &p);
    check_unknown(&p);
    assert_true(p.local);
    take(BYTES(SIGNATURE "\x20\x11\x00\x05 rubb"), &p);
    check_unknown(&p);
    assert_true(p.local);
    assert_int_equal(p.tlvs.size, 0);
    take(BYTES(SIGNATURE "\x20\xff\x00\x01x"), &p);
    assert_true(p.local);
    take(BYTES(SIGNATURE "\x21\x00\x00\x00"), &p);
    check_unknown(&p);
    assert_false(p.local);
    take(BYTES(SIGNATURE "\x21\x00\x00\x05\x02\x00\x02hi"), &p);
    check_unknown(&p);
    check_slice(proxyproto_find(p.tlvs, PROXYPROTO_AUTHORITY), "hi");
    take(BYTES(SIGNATURE "\x21\x12\x00\x0c\xc0\xa8\x00\x01\xc0\xa8\x00\x0b\xdc\x04\x01\xbb"), &p);
    check_unknown(&p);
    uint8_t un[16 + 216 + 4] = SIGNATURE "\x21\x31\x00\xdc";
    memcpy(un + sizeof(un) - 4, "\x05\x00\x01z", 4);
    take(un, sizeof(un), &p);
    check_unknown(&p);
    check_slice(proxyproto_find(p.tlvs, PROXYPROTO_UNIQUE_ID), "z");
}

static void v2_tlvs(void **state)
{
    (void)state;
    struct proxyproto p;
    take(BYTES(SIGNATURE "\x21\x11\x00\x18\x7f\0\0\x01\x7f\0\0\x02\x00\x01\x00\x02"
                         "\x04\x00\x00\x01\x00\x02h2\xee\x00\x01!"),
         &p);
    check_slice(proxyproto_find(p.tlvs, PROXYPROTO_ALPN), "h2");
    check_slice(proxyproto_find(p.tlvs, PROXYPROTO_NOOP), "");
    check_slice(proxyproto_find(p.tlvs, 0xee), "!");
    assert_null(proxyproto_find(p.tlvs, PROXYPROTO_AUTHORITY).data);

    /* The longest list is taken, one byte more refused at the length. */
    uint8_t *big = calloc(1, PROXYPROTO_MAX);
    memcpy(big, SIGNATURE "\x21\x11\x10\x0c", 16); /* 12 + 4096 */
    memcpy(big + 28, "\x04\x0f\xfd", 3);           /* 3 + 4093 */
    assert_int_equal(proxyproto_parse(big, 27 + 4096, &p), PROXYPROTO_MORE);
    assert_int_equal(proxyproto_parse(big, 28 + 4096, &p), PROXYPROTO_OK);
    assert_int_equal(p.consumed, 28 + 4096);
    assert_true(p.consumed <= PROXYPROTO_MAX);
    memcpy(big + 14, "\x10\x0d", 2);
    check_bad(big, 28, 16);
    free(big);
}

static void v2_bad(void **state)
{
    (void)state;
    check_bad(BYTES("GET / HTTP/1.1\r\n"), 1);
    check_bad(BYTES("\x16\x03\x01\x02\x00"), 1);
    check_bad(BYTES("\r\n\r\nGET"), 5);
    check_bad(BYTES("\r\n\r\n\0\r\nQUIT\r"), 12);
    check_bad(BYTES(SIGNATURE "\x11\x11\x00\x0c"), 13);
    check_bad(BYTES(SIGNATURE "\x31\x11\x00\x0c"), 13);
    check_bad(BYTES(SIGNATURE "\x22\x11\x00\x0c"), 13);
    check_bad(BYTES(SIGNATURE "\x21\x10\x00\x0c"), 14);
    check_bad(BYTES(SIGNATURE "\x21\x13\x00\x0c"), 14);
    check_bad(BYTES(SIGNATURE "\x21\x41\x00\x0c"), 14);
    check_bad(BYTES(SIGNATURE "\x21\x01\x00\x0c"), 14);
    check_bad(BYTES(SIGNATURE "\x21\x11\x00\x0b"), 16);
    check_bad(BYTES(SIGNATURE "\x21\x21\x00\x23"), 16);
    check_bad(BYTES(SIGNATURE "\x21\x31\x00\xd7"), 16);
    check_bad(BYTES(SIGNATURE "\x21\x11\xff\xff"), 16);
    check_bad(BYTES(SIGNATURE "\x20\x00\xff\xff"), 16);
    /* TLVs: cut off in the head, in the value, a length beyond the end. */
    check_bad(BYTES(SIGNATURE "\x21\x00\x00\x01\x01"), 17);
    check_bad(BYTES(SIGNATURE "\x21\x00\x00\x02\x01\x00"), 18);
    check_bad(BYTES(SIGNATURE "\x21\x00\x00\x03\x01\x00\x01"), 19);
    check_bad(BYTES(SIGNATURE "\x21\x00\x00\x05\x01\xff\xffxx"), 21);
    /* Checksums: of a wrong size, wrong, two. */
    check_bad(BYTES(SIGNATURE "\x21\x00\x00\x06\x03\x00\x03xxx"), 22);
    check_bad(BYTES(SIGNATURE "\x21\x00\x00\x07\x03\x00\x04xxxx"), 23);
}

/* With TLS, a client certificate, SNI and checksum: send-proxy-v2-ssl-cn and every option. */
static const char haproxy_cert[] =
    "0d0a0d0a000d0a515549540a2111007e7f0000017f000001e46e52d00300042ed8486e010008687474702f312e31020008"
    "7376632e746573742000520700000000210007544c5376312e3322000b636c69656e742e74657374250005454332353624"
    "001165636473612d776974682d534841323536230016544c535f4145535f3235365f47434d5f534841333834";
/* The same without a client certificate. */
static const char haproxy_bare[] =
    "0d0a0d0a000d0a515549540a2111005a7f0000017f000001e47c52d00300043ab4b56f2000440100000000210007544c53"
    "76312e33250005454332353624001165636473612d776974682d534841323536230016544c535f4145535f3235365f4743"
    "4d5f534841333834";

static size_t unhex(const char *hex, uint8_t *out)
{
    size_t n = 0;
    for (unsigned byte; sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
        out[n] = (uint8_t)byte;
    return n;
}

static void from_haproxy(void **state)
{
    (void)state;
    struct proxyproto p;
    struct proxyproto_slice sub;
    uint8_t data[300], client;
    uint32_t verify;
    size_t size = unhex(haproxy_cert, data);
    take(data, size, &p);
    check_addresses(&p, "127.0.0.1:58478", "127.0.0.1:21200");
    check_slice(proxyproto_find(p.tlvs, PROXYPROTO_ALPN), "http/1.1");
    check_slice(proxyproto_find(p.tlvs, PROXYPROTO_AUTHORITY), "svc.test");
    assert_true(proxyproto_ssl(proxyproto_find(p.tlvs, PROXYPROTO_SSL), &client, &verify, &sub));
    assert_int_equal(client, 7);
    assert_int_equal(verify, 0);
    check_slice(proxyproto_find(sub, PROXYPROTO_SSL_VERSION), "TLSv1.3");
    check_slice(proxyproto_find(sub, PROXYPROTO_SSL_CN), "client.test");
    check_slice(proxyproto_find(sub, PROXYPROTO_SSL_CIPHER), "TLS_AES_256_GCM_SHA384");
    check_slice(proxyproto_find(sub, PROXYPROTO_SSL_KEY_ALG), "EC256");

    /* Each byte counts for the checksum, save the one that says that there is a checksum. */
    for (size_t i = 16; i < size; i++) {
        if (i == 28)
            continue;
        data[i] ^= 0x20;
        assert_int_equal(proxyproto_parse(data, size, &p), PROXYPROTO_BAD);
        data[i] ^= 0x20;
    }
    size = unhex(haproxy_bare, data);
    take(data, size, &p);
    assert_true(proxyproto_ssl(proxyproto_find(p.tlvs, PROXYPROTO_SSL), &client, &verify, &sub));
    assert_int_equal(client, PROXYPROTO_CLIENT_SSL);
}

static void bad_ssl(void **state)
{
    (void)state;
    struct proxyproto_slice sub;
    uint8_t client;
    uint32_t verify;
    assert_false(proxyproto_ssl((struct proxyproto_slice){NULL, 0}, &client, &verify, &sub));
    assert_false(proxyproto_ssl((struct proxyproto_slice){BYTES("\1\0\0\0")}, &client, &verify, &sub));
    assert_true(proxyproto_ssl((struct proxyproto_slice){BYTES("\1\0\0\1\2")}, &client, &verify, &sub));
    assert_int_equal(verify, 258);
    assert_int_equal(sub.size, 0);
    assert_false(
        proxyproto_ssl((struct proxyproto_slice){BYTES("\1\0\0\1\2\x21\0\2x")}, &client, &verify, &sub));
}

static union net_addr addr(const char *host, uint16_t port)
{
    union net_addr a;
    assert_true(net_addr_literal(host, port, &a));
    return a;
}

static void check_v1(const char *from, const char *to, const char *line)
{
    union net_addr a = addr(from, 1), b = addr(to, 65535);
    struct proxyproto_say say = {.source = &a.sa, .destination = &b.sa};
    uint8_t out[PROXYPROTO_V1_MAX];
    size_t size = proxyproto_write_v1(&say, out, sizeof(out));
    assert_int_equal(size, strlen(line));
    assert_memory_equal(out, line, size);
    for (size_t n = 0; n < size; n++)
        assert_int_equal(proxyproto_write_v1(&say, out, n), 0);
    struct proxyproto p;
    take(out, size, &p);
    assert_true(net_addr_equal(&p.source.sa, &a.sa));
    assert_true(net_addr_equal(&p.destination.sa, &b.sa));
}

static void writes_v1(void **state)
{
    (void)state;
    check_v1("10.0.0.1", "10.0.0.2", "PROXY TCP4 10.0.0.1 10.0.0.2 1 65535\r\n");
    check_v1("::1", "2001:db8::2", "PROXY TCP6 ::1 2001:db8::2 1 65535\r\n");
    check_v1("::ffff:10.0.0.1", "10.0.0.2", "PROXY TCP4 10.0.0.1 10.0.0.2 1 65535\r\n");
    check_v1("::1", "10.0.0.2", "PROXY TCP6 ::1 ::ffff:10.0.0.2 1 65535\r\n");
    struct proxyproto_say say = {.source = NULL};
    uint8_t out[PROXYPROTO_V1_MAX];
    assert_int_equal(proxyproto_write_v1(&say, out, sizeof(out)), 15);
    assert_memory_equal(out, "PROXY UNKNOWN\r\n", 15);
}

/* The very bytes that haproxy sends for the same facts, up to the order of the TLVs. */
static void writes_v2(void **state)
{
    (void)state;
    union net_addr a = addr("127.0.0.1", 58478), b = addr("::ffff:127.0.0.1", 21200);
    struct proxyproto_say say = {
        .source = &a.sa,
        .destination = &b.sa,
        .alpn = {BYTES("http/1.1")},
        .authority = "svc.test",
        .ssl = true,
        .client = PROXYPROTO_CLIENT_SSL | PROXYPROTO_CLIENT_CERT_CONN | PROXYPROTO_CLIENT_CERT_SESS,
        .verify = 0x01020304,
        .ssl_version = "TLSv1.3",
        .cipher = "TLS_AES_256_GCM_SHA384",
        .group = "X25519",
        .common_name = "client.test",
        .sig_alg = "ecdsa-with-SHA256",
        .key_alg = "EC256",
        .crc32c = true,
    };
    uint8_t out[PROXYPROTO_MAX], client;
    uint32_t verify;
    struct proxyproto p;
    struct proxyproto_slice sub;
    size_t size = proxyproto_write_v2(&say, out, sizeof(out));
    assert_int_equal(size, (sizeof(haproxy_cert) - 1) / 2 + 3 + 6); /* and the group */
    for (size_t n = 0; n < size; n++)
        assert_int_equal(proxyproto_write_v2(&say, out, n), 0);
    assert_int_equal(proxyproto_write_v2(&say, out, size), size);
    take(out, size, &p);
    check_addresses(&p, "127.0.0.1:58478", "127.0.0.1:21200");
    check_slice(proxyproto_find(p.tlvs, PROXYPROTO_ALPN), "http/1.1");
    check_slice(proxyproto_find(p.tlvs, PROXYPROTO_AUTHORITY), "svc.test");
    assert_int_equal(proxyproto_find(p.tlvs, PROXYPROTO_CRC32C).size, 4);
    assert_true(proxyproto_ssl(proxyproto_find(p.tlvs, PROXYPROTO_SSL), &client, &verify, &sub));
    assert_int_equal(client, 7);
    assert_int_equal(verify, 0x01020304);
    check_slice(proxyproto_find(sub, PROXYPROTO_SSL_VERSION), "TLSv1.3");
    check_slice(proxyproto_find(sub, PROXYPROTO_SSL_CN), "client.test");
    check_slice(proxyproto_find(sub, PROXYPROTO_SSL_CIPHER), "TLS_AES_256_GCM_SHA384");
    check_slice(proxyproto_find(sub, PROXYPROTO_SSL_GROUP), "X25519");
    check_slice(proxyproto_find(sub, PROXYPROTO_SSL_SIG_ALG), "ecdsa-with-SHA256");
    check_slice(proxyproto_find(sub, PROXYPROTO_SSL_KEY_ALG), "EC256");

    /* Without an IP address, and for the proxy's own connection. */
    say = (struct proxyproto_say){.source = &a.sa, .authority = "hi"};
    size = proxyproto_write_v2(&say, out, sizeof(out));
    assert_int_equal(size, 21);
    assert_memory_equal(out, SIGNATURE "\x21\x00\x00\x05\x02\x00\x02hi", size);
    say.local = true;
    size = proxyproto_write_v2(&say, out, sizeof(out));
    assert_int_equal(size, 16);
    assert_memory_equal(out, SIGNATURE "\x20\x00\x00\x00", size);

    a = addr("2001:db8::1", 80);
    say = (struct proxyproto_say){.source = &a.sa, .destination = &b.sa};
    size = proxyproto_write_v2(&say, out, sizeof(out));
    assert_int_equal(size, 16 + 36);
    take(out, size, &p);
    check_addresses(&p, "[2001:db8::1]:80", "127.0.0.1:21200");

    /* A length that the format cannot carry does not wrap. */
    size_t huge = 70000;
    char *name = malloc(huge + 1);
    uint8_t *room = malloc(huge + 100);
    memset(name, 'n', huge);
    name[huge] = 0;
    say.authority = name;
    assert_int_equal(proxyproto_write_v2(&say, room, huge + 100), 0);
    free(name);
    free(room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v1),      cmocka_unit_test(v1_bad),    cmocka_unit_test(v2),
        cmocka_unit_test(v2_tlvs), cmocka_unit_test(v2_bad),    cmocka_unit_test(from_haproxy),
        cmocka_unit_test(bad_ssl), cmocka_unit_test(writes_v1), cmocka_unit_test(writes_v2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
