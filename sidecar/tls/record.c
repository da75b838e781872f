/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sees wolfSSL's internals (5.9.2); besides it only alert.c does. */
#include <wolfssl/options.h>
#include <wolfssl/internal.h>

#include <string.h>

#include <wolfssl/wolfcrypt/aes.h>

#include "sidecar/tls/alert.h"
#include "sidecar/tls/record.h"

enum { KEY_RECORDS = 0x016a09e6 }; /* 2^24.5, RFC 8446 section 5.5; wolfSSL's own limit */

/* RFC 8446 section 5: header, content type behind the plaintext, tag. */
enum { HEADER = 5, TYPE = 1, TAG = 16, NONCE = 12, INNER_MAX = TLS_READ_ROOM };

/* Of application data in TLS 1.3 and nothing else that wolfSSL might have begun. */
static bool is_plain_going(const WOLFSSL *ssl)
{
    return IsAtLeastTLSv1_3(ssl->version) && ssl->specs.bulk_cipher_algorithm == wolfssl_aes_gcm &&
           ssl->specs.aead_mac_size == TAG && ssl->options.handShakeDone &&
           ssl->pendingAlert.level == alert_none;
}

/* RFC 8446 section 5.3. */
static void make_nonce(uint8_t nonce[NONCE], const uint8_t iv[NONCE], uint32_t high, uint32_t low)
{
    memcpy(nonce, iv, NONCE);
    uint64_t sequence = (uint64_t)high << 32 | low;
    for (int i = 0; i < 8; i++)
        nonce[NONCE - 1 - i] ^= (uint8_t)(sequence >> (8 * i));
}

size_t tls_record_read(WOLFSSL *ssl, struct tls_io *io, uint8_t *data, size_t cap)
{
    const uint8_t *record = io->in;
    if (io->in_size < HEADER || record[0] != application_data || record[1] != SSLv3_MAJOR ||
        record[2] != TLSv1_2_MINOR || !is_plain_going(ssl) || ssl->decrypt.aes == NULL ||
        ssl->keys.keyUpdateRespond || !tls_wolfssl_between_records(ssl))
        return 0;
    size_t size = (size_t)record[3] << 8 | record[4];
    if (io->in_size - HEADER < size || size <= TYPE + TAG || size > INNER_MAX + TAG || size - TAG > cap)
        return 0;
    size_t inner = size - TAG;
    uint8_t nonce[NONCE];
    make_nonce(nonce, ssl->keys.aead_dec_imp_IV, ssl->keys.peer_sequence_number_hi,
               ssl->keys.peer_sequence_number_lo);
    if (wc_AesGcmDecrypt(ssl->decrypt.aes, data, record + HEADER, (word32)inner, nonce, NONCE,
                         record + HEADER + inner, TAG, record, HEADER) != 0)
        return 0;
    /* Padding is zeros behind the content type. */
    while (inner > 0 && data[inner - 1] == 0)
        inner--;
    if (inner <= TYPE || data[inner - 1] != application_data)
        return 0;
    if (++ssl->keys.peer_sequence_number_lo == 0)
        ssl->keys.peer_sequence_number_hi++;
    ssl->options.emptyRecordCount = 0;
    io->in += HEADER + size;
    io->in_size -= HEADER + size;
    return inner - TYPE;
}

/* Whether the next record may go out under this key; else wolfSSL makes a new one. */
static bool is_key_fresh(const WOLFSSL *ssl)
{
    return ssl->keys.sequence_number_hi == 0 && ssl->keys.sequence_number_lo < KEY_RECORDS;
}

size_t tls_record_write(WOLFSSL *ssl, struct tls_io *io, const uint8_t *data, size_t size)
{
    size_t done = 0;
    if (!is_plain_going(ssl) || ssl->encrypt.aes == NULL || ssl->buffers.outputBuffer.length != 0)
        return 0;
    while (done < size && is_key_fresh(ssl)) {
        size_t n = size - done < TLS_RECORD_PLAIN_MAX ? size - done : TLS_RECORD_PLAIN_MAX;
        size_t inner = n + TYPE;
        uint8_t *record = io->out + io->out_size, *text = record + HEADER, nonce[NONCE];
        record[0] = application_data;
        record[1] = SSLv3_MAJOR;
        record[2] = TLSv1_2_MINOR;
        record[3] = (uint8_t)((inner + TAG) >> 8);
        record[4] = (uint8_t)(inner + TAG);
        memcpy(text, data + done, n);
        text[n] = application_data;
        make_nonce(nonce, ssl->keys.aead_enc_imp_IV, ssl->keys.sequence_number_hi,
                   ssl->keys.sequence_number_lo);
        if (wc_AesGcmEncrypt(ssl->encrypt.aes, text, text, (word32)inner, nonce, NONCE, text + inner, TAG,
                             record, HEADER) != 0)
            break;
        if (++ssl->keys.sequence_number_lo == 0)
            ssl->keys.sequence_number_hi++;
        io->out_size += HEADER + inner + TAG;
        done += n;
    }
    return done;
}
