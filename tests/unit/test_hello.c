/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The first bytes: what real clients send, whole and in pieces, and what nobody should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sidecar/tls/hello.h"

struct text {
    uint8_t data[70000];
    size_t size;
};

static struct text load(const char *name)
{
    static struct text t;
    char path[200];
    snprintf(path, sizeof path, "tests/unit/data/hello/%s.bin", name);
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("cannot open %s", path);
    t.size = fread(t.data, 1, sizeof t.data, f);
    fclose(f);
    return t;
}

/* Parses a copy that ends where the heap block ends. */
static enum tls_hello_result parse(const void *data, size_t size, struct tls_hello *hello)
{
    static uint8_t scratch[TLS_HELLO_MAX];
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    enum tls_hello_result result = tls_hello_parse(copy, size, scratch, hello);
    assert_int_equal(strlen(tls_hello_error(copy, size, scratch)) > 0, result == TLS_HELLO_BAD);
    free(copy);
    return result;
}

static void put(struct text *t, const void *data, size_t size)
{
    assert_true(t->size + size <= sizeof t->data);
    memcpy(t->data + t->size, data, size);
    t->size += size;
}

static void put_number(struct text *t, unsigned bytes, size_t value)
{
    while (bytes-- > 0) {
        uint8_t b = (uint8_t)(value >> 8 * bytes);
        put(t, &b, 1);
    }
}

/* The message within T's records. */
static struct text message_of(const struct text *t)
{
    struct text m = {.size = 0};
    for (size_t at = 0; m.size < 4 || m.size < 4u + (m.data[1] << 16 | m.data[2] << 8 | m.data[3]);) {
        size_t n = (size_t)t->data[at + 3] << 8 | t->data[at + 4];
        put(&m, t->data + at + 5, n);
        at += 5 + n;
    }
    return m;
}

static void put_record(struct text *t, const void *data, size_t size)
{
    put(t, "\x16\x03\x01", 3);
    put_number(t, 2, size);
    put(t, data, size);
}

static void hex(const uint8_t *data, size_t size, char *out)
{
    for (size_t i = 0; i < size; i++)
        sprintf(out + 2 * i, "%02x", data[i]);
}

struct capture {
    const char *name;
    unsigned length;
    const char *random; /* its first four bytes */
    const char *ciphers, *extensions, *extensions_le;
    const char *sni;
    size_t alpn_count;
    const char *alpn; /* the first */
    uint16_t max_version;
    bool offers_1_3, ticket, early_data;
};

/* The digests were worked out by another program. */
static const struct capture captures[] = {
    {"openssl_13", 334, "202bf1bb", "19748f0cb3f81b75fea6b2bbddae3006e39a1d17",
     "63b0c80bc03a1b4fda5ef899f227bfc436c96fb8", "e9efaadef3e6f3cad280c4cdfe1ed64d3c50db04",
     "orders.shop.svc", 2, "h2", 0x0304, true, false, false},
    {"openssl_12", 207, "df23f889", "6b7ec46e84a2a2d1e360c9f8011e121956383d02",
     "e091d06bd8bc1176a9e4735a9199ad7b3f77ad2a", "9ce72f3ea604dea7274fa818a0f124480af67b68",
     "orders.shop.svc", 0, "", 0x0303, false, false, false},
    {"openssl_nosni", 292, "9e1f8f8a", "19748f0cb3f81b75fea6b2bbddae3006e39a1d17",
     "b57f673fb74833c73c9df6a612c911c388d8970a", "bd54023848f5eceb8516810e578b52f5976a4fa9", "", 0, "",
     0x0304, true, false, false},
    {"openssl_split", 1082, "15e2f710", "19748f0cb3f81b75fea6b2bbddae3006e39a1d17",
     "63b0c80bc03a1b4fda5ef899f227bfc436c96fb8", "e9efaadef3e6f3cad280c4cdfe1ed64d3c50db04",
     "orders.shop.svc", 16, "proto00xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 0x0304, true, false, false},
    {"openssl_resume", 415, "67759eb7", "19748f0cb3f81b75fea6b2bbddae3006e39a1d17",
     "6f5c1fb6fd85483b6fe2ef357360f7285e5b17eb", "5a19df723066fc29ca90b2e16792c86f7ab86149",
     "orders.shop.svc", 0, "", 0x0304, true, true, true},
    {"curl", 512, "aa60d3b8", "19748f0cb3f81b75fea6b2bbddae3006e39a1d17",
     "b651f9827a02e59d47178e49e4e807122df7f15d", "9910a4c940911434cb08d1c642c64d161914d7fe",
     "web.example.com", 2, "h2", 0x0304, true, false, false},
    {"wolfssl_mlkem", 1409, "f877170d", "141a1d981c98ac77abea0f43bcb48baa160af76f",
     "dc6d28dbd0149f3e2f412120251646a645adfcf5", "57902bf805b3efb01b6c7b0b75774196a0bc9c32",
     "orders.shop.svc", 2, "h2", 0x0304, true, false, false},
};
enum { CAPTURE_COUNT = sizeof captures / sizeof *captures };

static void check(const struct capture *c, const struct tls_hello *hello)
{
    char text[65];
    assert_int_equal(hello->length, c->length);
    hex(hello->random, 4, text);
    assert_string_equal(text, c->random);
    hex(hello->ciphers_sha1, 20, text);
    assert_string_equal(text, c->ciphers);
    hex(hello->extensions_sha1, 20, text);
    assert_string_equal(text, c->extensions);
    hex(hello->extensions_sha1_le, 20, text);
    assert_string_equal(text, c->extensions_le);
    assert_string_equal(hello->sni, c->sni);
    assert_int_equal(hello->has_sni, c->sni[0] != 0);
    assert_int_equal(hello->alpn_count, c->alpn_count);
    if (c->alpn_count > 0) {
        assert_int_equal(hello->alpn[0].size, strlen(c->alpn));
        assert_memory_equal(hello->alpn[0].data, c->alpn, strlen(c->alpn));
    }
    assert_int_equal(hello->legacy_version, 0x0303);
    assert_int_equal(hello->max_version, c->max_version);
    assert_true(hello->offers_1_2);
    assert_int_equal(hello->offers_1_3, c->offers_1_3);
    assert_int_equal(hello->has_session_ticket, c->ticket);
    assert_int_equal(hello->early_data, c->early_data);
}

static void test_captures(void **state)
{
    (void)state;
    for (size_t i = 0; i < CAPTURE_COUNT; i++) {
        struct text t = load(captures[i].name);
        struct tls_hello hello;
        assert_int_equal(parse(t.data, t.size, &hello), TLS_HELLO_OK);
        check(&captures[i], &hello);
    }
}

static void test_every_prefix_needs_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < CAPTURE_COUNT; i++) {
        struct text t = load(captures[i].name);
        struct text m = message_of(&t);
        struct tls_hello hello;
        size_t whole = 0;
        for (size_t n = 0; n <= t.size; n++) {
            enum tls_hello_result r = parse(t.data, n, &hello);
            if (r == TLS_HELLO_OK && whole == 0)
                whole = n;
            assert_int_equal(r, whole ? TLS_HELLO_OK : TLS_HELLO_MORE);
        }
        assert_true(whole >= m.size + 5 && whole <= m.size + 3 * 5);
        check(&captures[i], &hello);
    }
}

static void test_split_over_two_records_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < CAPTURE_COUNT; i++) {
        struct text t = load(captures[i].name);
        struct text m = message_of(&t);
        struct tls_hello hello;
        for (size_t at = 1; at < m.size; at++) {
            struct text split = {.size = 0};
            put_record(&split, m.data, at);
            put_record(&split, m.data + at, m.size - at);
            assert_int_equal(parse(split.data, split.size, &hello), TLS_HELLO_OK);
            check(&captures[i], &hello);
            assert_int_equal(parse(split.data, split.size - 1, &hello), TLS_HELLO_MORE);
        }
    }
}

static void test_many_records(void **state)
{
    (void)state;
    struct text t = load("wolfssl_mlkem");
    struct text m = message_of(&t);
    struct tls_hello hello;
    for (size_t records = 63; records <= 66; records++) {
        struct text split = {.size = 0};
        for (size_t at = 0; at < records - 1; at++)
            put_record(&split, m.data + at, 1);
        put_record(&split, m.data + records - 1, m.size - records + 1);
        assert_int_equal(parse(split.data, split.size, &hello),
                         records <= TLS_HELLO_RECORDS_MAX ? TLS_HELLO_OK : TLS_HELLO_BAD);
    }
}

static void test_plaintext(void **state)
{
    (void)state;
    struct tls_hello hello;
    static const struct {
        const char *data;
        size_t size;
    } plain[] = {
        {"G", 1},
        {"GET / HTTP/1.1\r\n", 16},
        {"\0", 1},
        {"\x15\x03\x01\0\2\1\0", 7},            /* an alert */
        {"\x17\x03\x03\0\5hello", 10},          /* application data */
        {"\x80\x2e\x01\x03\x01", 5},            /* SSL 2.0 */
        {"\x16\x02", 2},                        /* another major version */
        {"\x16\x03\x05", 3},                    /* a minor one that never was */
        {"\x16\x03\x01\0\0", 5},                /* an empty record */
        {"\x16\x03\x01\x40\x01", 5},            /* one too long */
        {"\x16\x03\x01\0\x40\x02", 6},          /* a ServerHello */
        {"\x16\xfe\xff\0\0\0\0\0\0\0\0\0", 12}, /* DTLS */
    };
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        assert_int_equal(parse(plain[i].data, plain[i].size, &hello), TLS_HELLO_NOT_TLS);
    assert_int_equal(parse("", 0, &hello), TLS_HELLO_MORE);
    assert_int_equal(parse("\x16\x03\x01\x40\x00\x01", 6, &hello), TLS_HELLO_MORE);
}

/* --- hellos made by hand --- */

/* What to write where; zero: as it should be. */
struct plan {
    const char *extensions; /* their bytes, without the length in front; NULL: none, and no length */
    size_t extensions_size;
    const char *ciphers; /* length and all; NULL: one good suite */
    size_t ciphers_size;
    const char *compression;
    size_t compression_size;
    size_t session_size;
    uint16_t version;
    size_t after;    /* bytes behind the extensions */
    size_t trailing; /* bytes behind the message, within the record */
};

static struct text build(const struct plan *plan)
{
    struct text body = {.size = 0}, t = {.size = 0};
    static const uint8_t zeros[300];
    put_number(&body, 2, plan->version ? plan->version : 0x0303);
    put(&body, zeros, 32);
    put_number(&body, 1, plan->session_size);
    put(&body, zeros, plan->session_size);
    put(&body, plan->ciphers ? plan->ciphers : "\0\2\x13\x01", plan->ciphers ? plan->ciphers_size : 4);
    put(&body, plan->compression ? plan->compression : "\1\0",
        plan->compression ? plan->compression_size : 2);
    if (plan->extensions) {
        put_number(&body, 2, plan->extensions_size);
        put(&body, plan->extensions, plan->extensions_size);
    }
    put(&body, zeros, plan->after);
    struct text message = {.size = 0};
    put_number(&message, 1, 1);
    put_number(&message, 3, body.size);
    put(&message, body.data, body.size);
    put(&message, zeros, plan->trailing);
    for (size_t at = 0; at < message.size; at += 16384)
        put_record(&t, message.data + at, message.size - at < 16384 ? message.size - at : 16384);
    return t;
}

static enum tls_hello_result parse_plan(const struct plan *plan, struct tls_hello *hello)
{
    struct text t = build(plan);
    return parse(t.data, t.size, hello);
}

#define EXT(bytes)                                                  \
    {                                                               \
        .extensions = (bytes), .extensions_size = sizeof(bytes) - 1 \
    }

static void good(struct plan plan, struct tls_hello *hello)
{
    enum tls_hello_result r = parse_plan(&plan, hello);
    assert_int_equal(r, TLS_HELLO_OK);
}

static void bad(struct plan plan, const char *words)
{
    struct tls_hello hello;
    static uint8_t scratch[TLS_HELLO_MAX];
    assert_int_equal(parse_plan(&plan, &hello), TLS_HELLO_BAD);
    struct text t = build(&plan);
    const char *error = tls_hello_error(t.data, t.size, scratch);
    if (!strstr(error, words))
        fail_msg("\"%s\" does not say \"%s\"", error, words);
}

static void test_without_extensions(void **state)
{
    (void)state;
    struct tls_hello hello;
    char text[41];
    good((struct plan){0}, &hello);
    assert_int_equal(hello.length, 4 + 2 + 32 + 1 + 4 + 2);
    assert_int_equal(hello.max_version, 0x0303);
    assert_true(hello.offers_1_2);
    assert_false(hello.offers_1_3);
    assert_false(hello.has_sni);
    /* Nobody's extensions: the digest of nothing. */
    hex(hello.extensions_sha1, 20, text);
    assert_string_equal(text, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    good((struct plan)EXT(""), &hello);
    good((struct plan){.version = 0x0301}, &hello);
    assert_false(hello.offers_1_2);
    assert_int_equal(hello.max_version, 0x0301);
    /* Without supported_versions nothing above 1.2 is on offer, whatever legacy_version says. */
    good((struct plan){.version = 0x0304}, &hello);
    assert_true(hello.offers_1_2);
    assert_false(hello.offers_1_3);
}

static void test_versions(void **state)
{
    (void)state;
    struct tls_hello hello;
    good((struct plan)EXT("\0\x2b\0\3\2\3\4"), &hello);
    assert_true(hello.offers_1_3);
    assert_false(hello.offers_1_2);
    good((struct plan)EXT("\0\x2b\0\7\6\x7a\x7a\x3\x3\x7f\x1c"), &hello);
    assert_int_equal(hello.max_version, 0x0303);
    assert_false(hello.offers_1_3);
    good((struct plan)EXT("\0\x2b\0\3\2\xfa\xfa"), &hello);
    assert_int_equal(hello.max_version, 0);
    assert_false(hello.offers_1_2);
}

static void test_names(void **state)
{
    (void)state;
    struct tls_hello hello;
    good((struct plan)EXT("\0\0\0\xb\0\x9\0\0\6A_b-1."), &hello);
    assert_string_equal(hello.sni, "a_b-1");
    good((struct plan)EXT("\0\0\0\xd\0\xb\0\0\x8"
                          "10.0.0.7"),
         &hello);
    assert_string_equal(hello.sni, "10.0.0.7");

    bad((struct plan)EXT("\0\0\0\0"), "malformed server_name");
    bad((struct plan)EXT("\0\0\0\2\0\0"), "malformed server_name");
    bad((struct plan)EXT("\0\0\0\6\0\4\1\0\1a"), "malformed server_name");
    bad((struct plan)EXT("\0\0\0\7\0\4\0\0\1az"), "malformed server_name");
    bad((struct plan)EXT("\0\0\0\7\0\5\0\0\1az"), "malformed server_name");
    bad((struct plan)EXT("\0\0\0\x6\0\4\0\0\2a"), "malformed server_name");
    bad((struct plan)EXT("\0\0\0\xa\0\x8\0\0\1a\0\0\1b"), "malformed server_name");
    bad((struct plan)EXT("\0\0\0\5\0\3\0\0\0"), "not a host name");
    bad((struct plan)EXT("\0\0\0\6\0\4\0\0\1."), "not a host name");
    bad((struct plan)EXT("\0\0\0\x8\0\6\0\0\3a.."), "not a host name");
    bad((struct plan)EXT("\0\0\0\7\0\5\0\0\2.."), "not a host name");
    bad((struct plan)EXT("\0\0\0\7\0\5\0\0\2.a"), "not a host name");
    bad((struct plan)EXT("\0\0\0\x9\0\7\0\0\4a..b"), "not a host name");
    bad((struct plan)EXT("\0\0\0\x8\0\6\0\0\3a\0b"), "not a host name");
    bad((struct plan)EXT("\0\0\0\x8\0\6\0\0\3a\nb"), "not a host name");
    bad((struct plan)EXT("\0\0\0\x8\0\6\0\0\3a/b"), "not a host name");
    bad((struct plan)EXT("\0\0\0\x8\0\6\0\0\3a\xc3\xbc"), "not a host name");

    for (size_t n = 253; n <= 255; n++) {
        struct text e = {.size = 0};
        put_number(&e, 2, 0);
        put_number(&e, 2, n + 5);
        put_number(&e, 2, n + 3);
        put_number(&e, 1, 0);
        put_number(&e, 2, n);
        for (size_t i = 0; i < n; i++)
            put(&e, "x", 1);
        struct plan plan = {.extensions = (const char *)e.data, .extensions_size = e.size};
        if (n > 253)
            bad(plan, "not a host name");
        else
            good(plan, &hello);
    }
}

static void test_protocols(void **state)
{
    (void)state;
    struct tls_hello hello;
    good((struct plan)EXT("\0\x10\0\5\0\3\2h2"), &hello);
    assert_int_equal(hello.alpn_count, 1);
    /* More than are reported are read all the same. */
    good((struct plan)EXT("\0\x10\0\x24\0\x22\1a\1b\1c\1d\1e\1f\1g\1h\1i\1j\1k\1l\1m\1n\1o\1p\1q"), &hello);
    assert_int_equal(hello.alpn_count, TLS_HELLO_ALPN_MAX);
    bad((struct plan)EXT("\0\x10\0\0"), "malformed ALPN");
    bad((struct plan)EXT("\0\x10\0\2\0\0"), "malformed ALPN");
    bad((struct plan)EXT("\0\x10\0\3\0\1\0"), "malformed ALPN");
    bad((struct plan)EXT("\0\x10\0\5\0\3\3h2"), "malformed ALPN");
    bad((struct plan)EXT("\0\x10\0\6\0\3\2h2x"), "malformed ALPN");
    bad((struct plan)EXT("\0\x10\0\x24\0\x22\1a\1b\1c\1d\1e\1f\1g\1h\1i\1j\1k\1l\1m\1n\1o\1p\2q"),
        "malformed ALPN");
}

static void test_resumption(void **state)
{
    (void)state;
    struct tls_hello hello;
    good((struct plan)EXT("\0\x23\0\0"), &hello);
    assert_false(hello.has_session_ticket);
    good((struct plan)EXT("\0\x23\0\1x"), &hello);
    assert_true(hello.has_session_ticket);
    good((struct plan)EXT("\0\x2a\0\0\0\x29\0\0"), &hello);
    assert_true(hello.has_session_ticket && hello.early_data);
    bad((struct plan)EXT("\0\x29\0\0\0\x2a\0\0"), "not the last");
}

static void test_malformed(void **state)
{
    (void)state;
    struct tls_hello hello;
    bad((struct plan){.version = 0xfefd}, "not a version");
    bad((struct plan){.version = 0x0200}, "not a version");
    good((struct plan){.session_size = 32}, &hello);
    bad((struct plan){.session_size = 33}, "session identifier");
    bad((struct plan){.ciphers = "\0\0", .ciphers_size = 2}, "cipher suites");
    bad((struct plan){.ciphers = "\0\3\x13\1\x13", .ciphers_size = 5}, "cipher suites");
    bad((struct plan){.ciphers = "\xff\xfe\x13\1", .ciphers_size = 4}, "cut short");
    bad((struct plan){.compression = "\0", .compression_size = 1}, "compression");
    bad((struct plan){.compression = "\1\1", .compression_size = 2}, "compression");
    good((struct plan){.compression = "\2\1\0", .compression_size = 3}, &hello);
    bad((struct plan){.compression = "\xff\0", .compression_size = 2}, "cut short");
    bad((struct plan){.after = 1}, "malformed extensions");
    bad((struct plan){.extensions = "", .after = 1}, "malformed extensions");
    bad((struct plan)EXT("\0"), "malformed extensions");
    bad((struct plan)EXT("\0\x17\0"), "malformed extensions");
    bad((struct plan)EXT("\0\x17\0\1"), "malformed extensions");
    bad((struct plan)EXT("\0\x17\0\0\0\x17\0\0"), "twice");
    bad((struct plan)EXT("\xff\xff\0\0\xff\xff\0\0"), "twice");
    bad((struct plan)EXT("\0\x2b\0\0"), "supported_versions");
    bad((struct plan)EXT("\0\x2b\0\1\0"), "supported_versions");
    bad((struct plan)EXT("\0\x2b\0\2\1\3"), "supported_versions");
    bad((struct plan)EXT("\0\x2b\0\4\2\3\4\0"), "supported_versions");
    bad((struct plan){.trailing = 1}, "bytes after");
}

static void test_limits(void **state)
{
    (void)state;
    static char ext[20000];
    struct tls_hello hello;
    const size_t fixed = 4 + 2 + 32 + 1 + 4 + 2 + 2 + 4;
    memset(ext, 0, sizeof ext);
    ext[1] = 0x15;
    for (size_t n = TLS_HELLO_MAX - 1; n <= TLS_HELLO_MAX + 1; n++) {
        size_t padding = n - fixed;
        ext[2] = (char)(padding >> 8);
        ext[3] = (char)padding;
        struct plan plan = {.extensions = ext, .extensions_size = padding + 4};
        if (n > TLS_HELLO_MAX) {
            bad(plan, "too long");
        } else {
            good(plan, &hello);
            assert_int_equal(hello.length, n);
        }
    }
    /* Told as soon as the message's header is there. */
    assert_int_equal(parse("\x16\x03\x01\x40\x00\x01\x00\x3f\xfd", 9, &hello), TLS_HELLO_BAD);
    assert_int_equal(parse("\x16\x03\x01\x40\x00\x01\x00\x3f\xfc", 9, &hello), TLS_HELLO_MORE);
    assert_int_equal(parse("\x16\x03\x01\x00\x04\x01\xff\xff\xff", 9, &hello), TLS_HELLO_BAD);
    /* A record that reaches past the message is told before its end is there. */
    assert_int_equal(parse("\x16\x03\x01\x00\x40\x01\x00\x00\x10", 9, &hello), TLS_HELLO_BAD);
}

static void test_records_between(void **state)
{
    (void)state;
    struct tls_hello hello;
    struct text t = load("openssl_13");
    struct text m = message_of(&t);
    static const char *const between[] = {
        "\x17\x03\x03\0\1x", "\x14\x03\x03\0\1\1", "\x16\x02\x03\0\1x",
        "\x16\x03\x03\0\0",  "\x16\x03\x03\x40\1",
    };
    for (size_t i = 0; i < 5; i++) {
        struct text split = {.size = 0};
        put_record(&split, m.data, 100);
        put(&split, between[i], i < 3 ? 6 : 5);
        put_record(&split, m.data + 100, m.size - 100);
        assert_int_equal(parse(split.data, split.size, &hello), TLS_HELLO_BAD);
    }
    /* A first byte is enough. */
    struct text split = {.size = 0};
    put_record(&split, m.data, 100);
    put(&split, "\x17", 1);
    assert_int_equal(parse(split.data, split.size, &hello), TLS_HELLO_BAD);
}

/* No byte of a capture, changed, makes the parser read past an end (under ASan) or see a zero in a name. */
static void test_every_byte_changed(void **state)
{
    (void)state;
    struct text t = load("openssl_13");
    struct tls_hello hello;
    static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
    for (size_t i = 0; i < t.size; i++)
        for (size_t v = 0; v < sizeof values; v++) {
            struct text changed = t;
            changed.data[i] = values[v];
            if (parse(changed.data, changed.size, &hello) == TLS_HELLO_OK && hello.has_sni)
                assert_int_equal(strlen(hello.sni), 15);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_captures),
        cmocka_unit_test(test_every_prefix_needs_more),
        cmocka_unit_test(test_split_over_two_records_anywhere),
        cmocka_unit_test(test_many_records),
        cmocka_unit_test(test_plaintext),
        cmocka_unit_test(test_without_extensions),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_protocols),
        cmocka_unit_test(test_resumption),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_records_between),
        cmocka_unit_test(test_every_byte_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
