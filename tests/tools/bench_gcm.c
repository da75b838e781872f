/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What wolfCrypt's AES-128-GCM does on one core, records of 16 KiB one after another, both ways:
 * bench_gcm [SECONDS] prints "encrypt N decrypt N", GiB per CPU second. No proxy on it can be faster in bulk.
 */
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/aes.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RECORD = 16384, TURN = 256, TAG = 16, NONCE = 12, AAD = 5 };

static uint8_t clear[RECORD], sealed[RECORD], tag[TAG];

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double speed(Aes *aes, int decrypt, double seconds)
{
    static const uint8_t nonce[NONCE] = {1}, aad[AAD] = {23, 3, 3, 64, 17};
    double began = now(), spent;
    uint64_t bytes = 0;
    do {
        for (int i = 0; i < TURN; i++) {
            int rc = decrypt ? wc_AesGcmDecrypt(aes, clear, sealed, RECORD, nonce, NONCE, tag, TAG, aad, AAD)
                             : wc_AesGcmEncrypt(aes, sealed, clear, RECORD, nonce, NONCE, tag, TAG, aad, AAD);
            if (rc != 0) {
                fprintf(stderr, "bench_gcm: error %d\n", rc);
                exit(1);
            }
        }
        bytes += (uint64_t)RECORD * TURN;
        spent = now() - began;
    } while (spent < seconds);
    return (double)bytes / (1 << 30) / spent;
}

int main(int argc, char **argv)
{
    static const uint8_t key[16] = {1, 2, 3};
    double seconds = argc > 1 ? atof(argv[1]) : 1;
    Aes aes;
    if (wc_AesInit(&aes, NULL, INVALID_DEVID) != 0 || wc_AesGcmSetKey(&aes, key, sizeof key) != 0)
        return 1;
    double encrypt = speed(&aes, 0, seconds), decrypt = speed(&aes, 1, seconds);
    printf("encrypt %.3f decrypt %.3f\n", encrypt, decrypt);
    wc_AesFree(&aes);
    return 0;
}
