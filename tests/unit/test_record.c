/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Records that pass wolfSSL by (sidecar/tls/record.h): whatever is done with or without it, the two ends
 * agree on every byte, key and number.
 */
#include <wolfssl/options.h>
#include <wolfssl/internal.h>

#define CRL_MISSING crl_missing /* wolfSSL has an enumerator of that name */
#include "tls_pair.h"

#include "sidecar/tls/record.h"
#include "sidecar/tls/stream_private.h"

enum { WORN_OUT = 0x016a09e6 }; /* records under one key: 2^24.5 */

static WOLFSSL *wolfssl_of(const struct pair_end *e)
{
    return e->stream->wolfssl;
}

static uint64_t sequence_out(const struct pair_end *e)
{
    return (uint64_t)wolfssl_of(e)->keys.sequence_number_hi << 32 | wolfssl_of(e)->keys.sequence_number_lo;
}

/* Both ends are NUMBER records further than they are. */
static void skip_to(struct pair_end *from, struct pair_end *to, uint64_t number)
{
    wolfssl_of(from)->keys.sequence_number_hi = wolfssl_of(to)->keys.peer_sequence_number_hi =
        (word32)(number >> 32);
    wolfssl_of(from)->keys.sequence_number_lo = wolfssl_of(to)->keys.peer_sequence_number_lo = (word32)number;
}

/* What a peer may send that our own writing never does: INNER with its content type and padding as it is. */
static void seal(struct pair_end *from, const uint8_t *inner, size_t size)
{
    WOLFSSL *ssl = wolfssl_of(from);
    uint8_t *record = from->io.out + from->io.out_size, nonce[12];
    uint64_t number = sequence_out(from);
    const uint8_t header[] = {23, 3, 3, (uint8_t)((size + 16) >> 8), (uint8_t)(size + 16)};
    memcpy(record, header, sizeof header);
    memcpy(nonce, ssl->keys.aead_enc_imp_IV, sizeof nonce);
    for (int i = 0; i < 8; i++)
        nonce[11 - i] ^= (uint8_t)(number >> (8 * i));
    assert_int_equal(wc_AesGcmEncrypt(ssl->encrypt.aes, record + 5, inner, (word32)size, nonce, sizeof nonce,
                                      record + 5 + size, 16, record, 5),
                     0);
    number++;
    ssl->keys.sequence_number_hi = (word32)(number >> 32);
    ssl->keys.sequence_number_lo = (word32)number;
    from->io.out_size += 5 + size + 16;
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* --- */

/* Only what is told of in record.h passes wolfSSL by. */
static void which_records(void **state)
{
    (void)state;
    static const struct {
        const char *cipher;
        bool own;
    } cases[] = {
        {"TLS_AES_128_GCM_SHA256", true},
        {"TLS_AES_256_GCM_SHA384", true},
        {"TLS_CHACHA20_POLY1305_SHA256", false},
        {"ECDHE-ECDSA-AES128-GCM-SHA256", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair p;
        uint8_t data[TLS_READ_ROOM];
        pair_open(&p, &(struct pair_spec){.client = {.ciphers = ONE(cases[i].cipher)}});
        pair_up(&p);
        size_t size = tls_record_write(wolfssl_of(&p.client), &p.client.io, (const uint8_t *)"hello", 5);
        assert_int_equal(size, cases[i].own ? 5 : 0);
        assert_int_equal(p.client.io.out_size, cases[i].own ? 5 + 22 : 0);
        if (size == 0)
            assert_int_equal(tls_stream_write(p.client.stream, (const uint8_t *)"hello", 5), TLS_OK);
        pair_carry(&p.client, &p.server);
        /* In parts, or without room, it is wolfSSL's. */
        pair_offer(&p.server, p.server.inbox_size - 1);
        assert_int_equal(tls_record_read(wolfssl_of(&p.server), &p.server.io, data, sizeof data), 0);
        pair_offer(&p.server, SIZE_MAX);
        assert_int_equal(tls_record_read(wolfssl_of(&p.server), &p.server.io, data, 5), 0);
        assert_int_equal(p.server.io.in_size, p.server.inbox_size);
        size = tls_record_read(wolfssl_of(&p.server), &p.server.io, data, sizeof data);
        assert_int_equal(size, cases[i].own ? 5 : 0);
        assert_int_equal(p.server.io.in_size, cases[i].own ? 0 : p.server.inbox_size);
        if (size == 0)
            assert_int_equal(tls_stream_read(p.server.stream, data, sizeof data, &size), TLS_OK);
        assert_int_equal(size, 5);
        assert_memory_equal(data, "hello", 5);
        pair_taken(&p.server);
        pair_close(&p);
    }
}

/* Writes by our own code or by wolfSSL, reads by either, in parts of any size, with new keys now and then. */
static void mixed_with_wolfssl(void **state)
{
    (void)state;
    enum { MOST = 40000, ROUNDS = 400 };
    static const char *const ciphers[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                          "TLS_CHACHA20_POLY1305_SHA256"};
    static uint8_t sent[MOST], got[MOST + TLS_READ_ROOM];
    uint32_t seed = 1;
    for (size_t cipher = 0; cipher < 3; cipher++) {
        struct pair p;
        pair_open(&p, &(struct pair_spec){.client = {.ciphers = ONE(ciphers[cipher])}});
        pair_up(&p);
        for (int round = 0; round < ROUNDS; round++) {
            struct pair_end *from = next_random(&seed) % 2 ? &p.client : &p.server;
            struct pair_end *to = from == &p.client ? &p.server : &p.client;
            size_t size = next_random(&seed) % (next_random(&seed) % 4 ? 100 : MOST), read = 0, chunk;
            for (size_t i = 0; i < size; i++)
                sent[i] = (uint8_t)next_random(&seed);
            if (next_random(&seed) % 10 == 0)
                assert_int_equal(wolfSSL_update_keys(wolfssl_of(from)), WOLFSSL_SUCCESS);
            if (next_random(&seed) % 2)
                assert_int_equal(tls_stream_write(from->stream, sent, size), TLS_OK);
            else if (size > 0)
                assert_int_equal(wolfSSL_write(wolfssl_of(from), sent, (int)size), size);
            pair_carry(from, to);
            while (to->inbox_size > 0) {
                chunk = 1 + next_random(&seed) % (next_random(&seed) % 2 ? 100 : 2 * MOST);
                pair_offer(to, chunk);
                for (;;) {
                    size_t n = 0;
                    int by_wolfssl = next_random(&seed) % 3 == 0 ? 1 : 0;
                    size_t cap = next_random(&seed) % 2 ? sizeof got - read : 1 + next_random(&seed) % 100;
                    if (by_wolfssl) {
                        int r = wolfSSL_read(wolfssl_of(to), got + read,
                                             (int)(cap < sizeof got - read ? cap : sizeof got - read));
                        n = r > 0 ? (size_t)r : 0;
                    } else {
                        enum tls_result result = tls_stream_read(
                            to->stream, got + read, cap < sizeof got - read ? cap : sizeof got - read, &n);
                        assert_int_equal(result, n > 0 ? TLS_OK : TLS_WANT);
                    }
                    read += n;
                    if (n == 0)
                        break;
                }
                pair_taken(to);
            }
            assert_int_equal(read, size);
            assert_memory_equal(sent, got, size);
            /* Answers to key updates. */
            pair_carry(to, from);
            assert_int_equal(pair_read(from, got, sizeof got, &read, SIZE_MAX), TLS_WANT);
            assert_int_equal(read, 0);
        }
        pair_close(&p);
    }
}

/* RFC 8446 section 5.4. */
static void padding(void **state)
{
    (void)state;
    static uint8_t inner[TLS_READ_ROOM + 1], data[2 * TLS_READ_ROOM];
    struct pair p;
    size_t n;
    pair_open(&p, &(struct pair_spec){0});
    pair_up(&p);
    memcpy(inner, "abc\0\0\x17", 6);
    for (size_t size = 6; size <= TLS_READ_ROOM; size = size * 3 + 1)
        for (int small = 0; small < 2; small++) {
            seal(&p.client, inner, size < TLS_READ_ROOM / 3 ? size : TLS_READ_ROOM);
            pair_carry(&p.client, &p.server);
            assert_int_equal(pair_read(&p.server, data, small ? 100 : sizeof data, &n, SIZE_MAX), TLS_WANT);
            assert_int_equal(n, 5);
            assert_memory_equal(data, inner, 5);
        }
    pair_says(&p, true, "on");
    pair_says(&p, false, "and back");
    pair_close(&p);
}

/* What is no application data behind its type, and what breaks the rules, is wolfSSL's to judge. */
static void what_is_refused(void **state)
{
    (void)state;
    static uint8_t inner[TLS_READ_ROOM + 1], data[2 * TLS_READ_ROOM];
    static const struct {
        const char *inner;
        size_t size;
        enum tls_result result;
        enum tls_alert alert;
    } cases[] = {
        {"\0\0\0\0", 4, TLS_FAILED, TLS_ALERT_NONE},                           /* no type at all */
        {"\x15", 1, TLS_FAILED, TLS_ALERT_NONE},                               /* no alert */
        {"ab\x63", 3, TLS_FAILED, TLS_ALERT_NONE},                             /* no such type */
        {"\1\x14", 2, TLS_FAILED, TLS_ALERT_UNEXPECTED_MESSAGE},               /* ChangeCipherSpec */
        {"\1\0\x15", 3, TLS_CLOSED, TLS_ALERT_NONE},                           /* close_notify */
        {"abc\x17", TLS_READ_ROOM + 1, TLS_FAILED, TLS_ALERT_RECORD_OVERFLOW}, /* a byte too much padding */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair p;
        size_t n;
        pair_open(&p, &(struct pair_spec){0});
        pair_up(&p);
        memset(inner, 0, sizeof inner);
        memcpy(inner, cases[i].inner, cases[i].size < 4 ? cases[i].size : 4);
        assert_int_equal(tls_stream_write(p.client.stream, (const uint8_t *)"first", 5), TLS_OK);
        seal(&p.client, inner, cases[i].size);
        pair_carry(&p.client, &p.server);
        if (pair_read(&p.server, data, sizeof data, &n, SIZE_MAX) != cases[i].result)
            fail_msg("case %zu", i);
        assert_int_equal(n, 5);
        assert_memory_equal(data, "first", 5);
        if (cases[i].alert != TLS_ALERT_NONE)
            assert_int_equal(tls_stream_alert_sent(p.server.stream), cases[i].alert);
        pair_close(&p);
    }
}

/* A header came, and of what it announces nothing yet. */
static void rests(void **state)
{
    (void)state;
    struct pair p;
    uint8_t data[TLS_READ_ROOM];
    size_t n;
    pair_open(&p, &(struct pair_spec){0});
    pair_up(&p);
    assert_true(tls_stream_rests(p.server.stream));
    assert_int_equal(tls_stream_write(p.client.stream, (const uint8_t *)"\x17\3\3", 3), TLS_OK);
    pair_carry(&p.client, &p.server);
    while (p.server.inbox_size > 1) {
        pair_offer(&p.server, 1);
        assert_int_equal(tls_stream_read(p.server.stream, data, sizeof data, &n), TLS_WANT);
        pair_taken(&p.server);
        assert_false(tls_stream_rests(p.server.stream));
    }
    pair_offer(&p.server, 1);
    assert_int_equal(tls_stream_read(p.server.stream, data, sizeof data, &n), TLS_OK);
    pair_taken(&p.server);
    assert_int_equal(n, 3);
    assert_true(tls_stream_rests(p.server.stream));
    pair_close(&p);
}

/* 32 empty records in a row are too many; others between them begin the count anew. */
static void empty_records(void **state)
{
    (void)state;
    struct pair p;
    uint8_t data[TLS_READ_ROOM];
    size_t n;
    pair_open(&p, &(struct pair_spec){0});
    pair_up(&p);
    for (int i = 0; i < 100; i++) {
        bool empty = i % 21 != 20;
        seal(&p.client, (const uint8_t *)(empty ? "\x17\0" : "x\x17"), i % 2 && empty ? 1 : 2);
        pair_carry(&p.client, &p.server);
        pair_offer(&p.server, SIZE_MAX);
        assert_int_equal(tls_record_read(wolfssl_of(&p.server), &p.server.io, data, sizeof data),
                         empty ? 0 : 1);
        if (empty) {
            assert_int_equal(p.server.io.in_size, p.server.inbox_size);
            assert_int_equal(tls_stream_read(p.server.stream, data, sizeof data, &n), TLS_WANT);
        }
        pair_taken(&p.server);
    }
    for (int i = 0; i < 32; i++)
        seal(&p.client, (const uint8_t *)"\x17", 1);
    pair_carry(&p.client, &p.server);
    assert_int_equal(pair_read(&p.server, data, sizeof data, &n, SIZE_MAX), TLS_FAILED);
    assert_string_equal(tls_stream_error_text(p.server.stream), "too many empty TLS records");
    pair_close(&p);
}

/* RFC 8446 section 5.5: a key that has made so many records makes no more. */
static void a_key_worn_out(void **state)
{
    (void)state;
    enum { SIZE = 10 * TLS_RECORD_PLAIN_MAX };
    uint8_t *sent = calloc(1, SIZE), *got = malloc(SIZE + 1);
    assert_true(sent && got);
    for (size_t i = 0; i < SIZE; i++)
        sent[i] = (uint8_t)(i * 2654435761u >> 13);
    for (int server = 0; server < 2; server++) {
        struct pair p;
        size_t n;
        pair_open(&p, &(struct pair_spec){0});
        pair_up(&p);
        struct pair_end *from = server ? &p.server : &p.client, *to = server ? &p.client : &p.server;
        skip_to(from, to, WORN_OUT - 4);
        assert_int_equal(tls_stream_write(from->stream, sent, SIZE), TLS_OK);
        assert_true(from->io.out_size <= tls_stream_out_bound(SIZE));
        assert_int_equal(sequence_out(from), 6);
        pair_carry(from, to);
        assert_int_equal(pair_read(to, got, SIZE + 1, &n, SIZE_MAX), TLS_WANT);
        assert_int_equal(n, SIZE);
        assert_memory_equal(sent, got, SIZE);
        pair_carry(to, from);
        pair_says(&p, server, "after");
        pair_says(&p, !server, "after");
        assert_int_equal(sequence_out(from), 7);
        pair_close(&p);
    }
    free(sent);
    free(got);
}

/* Who is less careful than we with his keys is followed beyond 2^32 records. */
static void numbers_beyond_32_bits(void **state)
{
    (void)state;
    struct pair p;
    uint8_t data[TLS_READ_ROOM];
    size_t n;
    pair_open(&p, &(struct pair_spec){0});
    pair_up(&p);
    skip_to(&p.client, &p.server, UINT32_MAX - 1);
    for (int i = 0; i < 4; i++)
        seal(&p.client, (const uint8_t *)"x\x17", 2);
    pair_carry(&p.client, &p.server);
    assert_int_equal(pair_read(&p.server, data, sizeof data, &n, SIZE_MAX), TLS_WANT);
    assert_int_equal(n, 4);
    assert_int_equal(wolfssl_of(&p.server)->keys.peer_sequence_number_hi, 1);
    assert_int_equal(wolfssl_of(&p.server)->keys.peer_sequence_number_lo, 2);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(which_records),  cmocka_unit_test(mixed_with_wolfssl),
        cmocka_unit_test(padding),        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(rests),          cmocka_unit_test(empty_records),
        cmocka_unit_test(a_key_worn_out), cmocka_unit_test(numbers_beyond_32_bits),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
