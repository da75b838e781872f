/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "certrotate/pem.h"

/* "MAMCAQE=" is SEQUENCE {INTEGER 1}. */
#define BLOCK(label) "-----BEGIN " label "-----\nMAMCAQE=\n-----END " label "-----\n"

static const char *read_text(const char *text, size_t max, struct pem_set *set)
{
    return pem_read((const uint8_t *)text, strlen(text), max, set);
}

static void blocks_and_text_around_them(void **state)
{
    (void)state;
    struct pem_set set;
    assert_null(read_text("a comment\n" BLOCK("CERTIFICATE") "\r\n0 s:more\n  " BLOCK("X509 CRL")
                              BLOCK("EC PARAMETERS") BLOCK("PRIVATE KEY") BLOCK("EC PRIVATE KEY")
                                  BLOCK("RSA PRIVATE KEY") BLOCK("ENCRYPTED PRIVATE KEY")
                                      BLOCK("CERTIFICATE REQUEST"),
                          7, &set));
    static const enum pem_kind kinds[] = {PEM_CERTIFICATE, PEM_CRL,       PEM_KEY_PKCS8,
                                          PEM_KEY_SEC1,    PEM_KEY_PKCS1, PEM_KEY_PKCS8_SECRET,
                                          PEM_REQUEST};
    assert_int_equal(set.count, 7);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(set.block[i].kind, kinds[i]);
        assert_int_equal(set.block[i].size, 5);
        assert_memory_equal(set.block[i].data, "\x30\x03\x02\x01\x01", 5);
    }
    pem_free(&set);
    assert_int_equal(set.count, 0);
}

static void nothing_is_no_error(void **state)
{
    (void)state;
    struct pem_set set;
    assert_null(read_text("", 4, &set));
    assert_int_equal(set.count, 0);
    assert_null(read_text("no block here\n", 4, &set));
    assert_int_equal(set.count, 0);
    assert_null(pem_read(NULL, 0, 4, &set));
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *wrong;
    } cases[] = {
        {"-----BEGIN CERTIFICATE-----\nMAMCAQE=\n", "a PEM block does not end"},
        {"-----BEGIN CERTIFICATE-----\nMAMCAQE=\n" BLOCK("X509 CRL"), "a PEM block does not end"},
        {"-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END X509 CRL-----\n",
         "a PEM block ends with another label than it begins with"},
        {"-----BEGIN CERTIFICATE-----\nMAMC*QE=\n-----END CERTIFICATE-----\n", "a PEM block is not Base64"},
        {"-----BEGIN CERTIFICATE-----\nMAMCAQE\n-----END CERTIFICATE-----\n", "a PEM block is not Base64"},
        {"-----BEGIN CERTIFICATE-----\nMAMCAQ==MAMC\n-----END CERTIFICATE-----\n",
         "a PEM block is not Base64"},
        {"-----BEGIN CERTIFICATE-----\nMAM=====\n-----END CERTIFICATE-----\n", "a PEM block is not Base64"},
        {"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "a PEM block is not Base64"},
        {"-----BEGIN CERTIFICATE-----\n====\n-----END CERTIFICATE-----\n", "a PEM block is not Base64"},
        {"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nMAMCAQE=\n-----END EC PRIVATE KEY-----\n",
         "the key is encrypted in OpenSSL's old way (convert it: openssl pkcs8 -topk8)"},
        {"0 not DER, and no PEM either", "neither PEM nor a single DER object"},
        {BLOCK("CERTIFICATE") BLOCK("CERTIFICATE") BLOCK("CERTIFICATE"), "too many objects"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pem_set set;
        const char *wrong = read_text(cases[i].text, 2, &set);
        assert_non_null(wrong);
        assert_string_equal(wrong, cases[i].wrong);
        assert_int_equal(set.count, 0);
        assert_null(set.block);
    }
}

static void write_then_read(void **state)
{
    (void)state;
    uint8_t data[200];
    for (size_t size = 1; size <= sizeof data; size++) {
        struct pem_set set;
        size_t length;
        for (size_t i = 0; i < size; i++)
            data[i] = (uint8_t)(i * 7 + size);
        char *text = pem_write("CERTIFICATE", data, size, &length);
        assert_non_null(text);
        assert_int_equal(length, strlen(text));
        for (const char *p = text; *p; p += strcspn(p, "\n") + 1)
            assert_true(strcspn(p, "\n") > 0 && strcspn(p, "\n") <= 64);
        assert_null(read_text(text, 1, &set));
        assert_int_equal(set.count, 1);
        assert_int_equal(set.block[0].size, size);
        assert_memory_equal(set.block[0].data, data, size);
        pem_free(&set);
        free(text);
    }
}

/* What is secret and what is public is decoded by different code, to the same. */
static void secret_and_public_alike(void **state)
{
    (void)state;
    static const char *const labels[] = {"PRIVATE KEY", "CERTIFICATE"};
    unsigned accepted = 0, random = 1;
    for (unsigned round = 0; round < 20000; round++) {
        char body[17];
        size_t length = 4 * (1 + round % 4);
        struct pem_set set[2];
        const char *wrong[2];
        for (size_t i = 0; i < length; i++) {
            random = random * 1103515245 + 12345;
            body[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[random >> 26];
        }
        if (round & 16)
            body[length - 1] = '=';
        if (round & 32)
            body[length - 2] = '=';
        if (round & 64)
            body[random % length] = (char)(33 + (random >> 8) % 220);
        if (memchr(body, ':', length) || memchr(body, '-', length))
            continue;
        body[length] = '\0';
        for (int i = 0; i < 2; i++) {
            char text[128];
            (void)snprintf(text, sizeof text, "-----BEGIN %s-----\n%s\n-----END %s-----\n", labels[i], body,
                           labels[i]);
            wrong[i] = read_text(text, 1, &set[i]);
        }
        if (!wrong[0] != !wrong[1])
            fail_msg("%s: %s, %s", body, wrong[0] ? wrong[0] : "read", wrong[1] ? wrong[1] : "read");
        if (!wrong[0]) {
            accepted++;
            assert_int_equal(set[0].block[0].size, set[1].block[0].size);
            assert_memory_equal(set[0].block[0].data, set[1].block[0].data, set[0].block[0].size);
        }
        pem_free(&set[0]);
        pem_free(&set[1]);
    }
    assert_in_range(accepted, 1000, 19000);
}

/* openssl genpkey -algorithm ED25519 -aes256 -pass pass:secret */
static const char SECRET[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                             "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAihp581mPjozgICCAAw\n"
                             "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEO3JR8KyxQRtapIJeSdUJv4EQNoF\n"
                             "HQiUiJ6zaVNrG9Cdqz9ijla5G2EUpa6dP92a+vE5JiRW39KsRJyFRwy/4c6GaVc2\n"
                             "CZm6AR5ERmKLsLUmt9s=\n"
                             "-----END ENCRYPTED PRIVATE KEY-----\n";

static void decrypt(void **state)
{
    (void)state;
    struct pem_set set;
    assert_null(read_text(SECRET, 1, &set));
    assert_int_equal(set.block[0].kind, PEM_KEY_PKCS8_SECRET);
    assert_true(pem_is_key(set.block[0].kind));
    assert_null(pem_decrypt(&set.block[0], "secret", 6));
    assert_int_equal(set.block[0].kind, PEM_KEY_PKCS8);
    assert_int_equal(set.block[0].size, 48);
    assert_non_null(pem_decrypt(&set.block[0], "secret", 6));
    pem_free(&set);
    static const char *const wrong[] = {"Secret", "secre", "", "secret\n"};
    for (size_t i = 0; i < 4; i++) {
        assert_null(read_text(SECRET, 1, &set));
        assert_non_null(pem_decrypt(&set.block[0], wrong[i], strlen(wrong[i])));
        assert_int_equal(set.block[0].kind, PEM_KEY_PKCS8_SECRET);
        pem_free(&set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_and_text_around_them),
        cmocka_unit_test(nothing_is_no_error),
        cmocka_unit_test(refused),
        cmocka_unit_test(write_then_read),
        cmocka_unit_test(secret_and_public_alike),
        cmocka_unit_test(decrypt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
