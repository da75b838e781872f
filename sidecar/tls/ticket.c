/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/tls/ticket.h"

#include <ctype.h>
#include <string.h>
#include <sys/random.h>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/hmac.h>

#include "sidecar/tls/ctx.h"

enum { TAG_SIZE = 16, NONCE_SIZE = 12, KEY_SIZE = 32, AUTHENTIC_MAX = TLS_TICKET_NAME_SIZE + 256 };

static void put_be64(uint8_t out[8], uint64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (56 - 8 * i));
}

static uint64_t get_be64(const uint8_t in[8])
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | in[i];
    return value;
}

bool tls_ticket_keys_init(struct tls_ticket_keys *keys, const uint8_t *secret, uint64_t generation,
                          const char *scope)
{
    uint8_t salt[8], out[sizeof keys->name + sizeof keys->secret];
    put_be64(salt, generation);
    bool ok = wc_HKDF(WC_SHA256, secret, TLS_TICKET_SECRET_SIZE, salt, sizeof salt, (const uint8_t *)scope,
                      (word32)strlen(scope), out, sizeof out) == 0;
    if (ok) {
        memcpy(keys->name, out, sizeof keys->name);
        memcpy(keys->secret, out + sizeof keys->name, sizeof keys->secret);
    }
    explicit_bzero(out, sizeof out);
    return ok;
}

/* What is sealed in without being encrypted: the name, which says until when, and the server name. */
static size_t authentic(const struct tls_ticket *ticket, const char *sni, uint8_t out[AUTHENTIC_MAX])
{
    size_t n = sni ? strlen(sni) : 0;
    /* RFC 6066 section 3: without regard to case, and sent without a final dot. */
    n -= n > 0 && sni[n - 1] == '.';
    if (n > AUTHENTIC_MAX - TLS_TICKET_NAME_SIZE)
        return 0;
    memcpy(out, ticket->name, TLS_TICKET_NAME_SIZE);
    for (size_t i = 0; i < n; i++)
        out[TLS_TICKET_NAME_SIZE + i] = (uint8_t)tolower((unsigned char)sni[i]);
    return TLS_TICKET_NAME_SIZE + n;
}

/* Encrypts or decrypts with the key of this very ticket, which no other has: its nonce can be constant. */
static bool cipher(const struct tls_ticket_keys *keys, const struct tls_ticket *ticket, const char *sni,
                   bool seal)
{
    static const char purpose[] = "outrider session ticket";
    static const uint8_t nonce[NONCE_SIZE];
    uint8_t key[KEY_SIZE], aad[AUTHENTIC_MAX];
    Aes aes;
    size_t aad_size = authentic(ticket, sni, aad);
    bool ok = aad_size > 0 && wc_AesInit(&aes, NULL, INVALID_DEVID) == 0;
    if (!ok)
        return false;
    ok = wc_HKDF(WC_SHA256, keys->secret, sizeof keys->secret, ticket->iv, TLS_TICKET_IV_SIZE,
                 (const uint8_t *)purpose, sizeof purpose - 1, key, sizeof key) == 0 &&
         wc_AesGcmSetKey(&aes, key, sizeof key) == 0;
    if (ok && seal)
        ok = wc_AesGcmEncrypt(&aes, ticket->data, ticket->data, (word32)ticket->size, nonce, sizeof nonce,
                              ticket->mac, TAG_SIZE, aad, (word32)aad_size) == 0;
    else if (ok)
        ok = wc_AesGcmDecrypt(&aes, ticket->data, ticket->data, (word32)ticket->size, nonce, sizeof nonce,
                              ticket->mac, TAG_SIZE, aad, (word32)aad_size) == 0;
    wc_AesFree(&aes);
    explicit_bzero(key, sizeof key);
    return ok;
}

bool tls_ticket_seal(const struct tls_ticket_keys *keys, const struct tls_ticket *ticket, int64_t until,
                     const char *sni)
{
    memcpy(ticket->name, keys->name, sizeof keys->name);
    put_be64(ticket->name + sizeof keys->name, (uint64_t)until);
    memset(ticket->mac, 0, TLS_TICKET_MAC_SIZE);
    return getrandom(ticket->iv, TLS_TICKET_IV_SIZE, 0) == TLS_TICKET_IV_SIZE &&
           cipher(keys, ticket, sni, true);
}

bool tls_ticket_open(const struct tls_ticket_keys *keys, const struct tls_ticket *ticket, int64_t now,
                     const char *sni, int64_t *until)
{
    static const uint8_t zeros[TLS_TICKET_MAC_SIZE - TAG_SIZE];
    if (memcmp(ticket->name, keys->name, sizeof keys->name) != 0 ||
        memcmp(ticket->mac + TAG_SIZE, zeros, sizeof zeros) != 0)
        return false;
    /* More than a lifetime ahead: the clock was set back since. */
    uint64_t end = get_be64(ticket->name + sizeof keys->name);
    if (now < 0 || end <= (uint64_t)now || end - (uint64_t)now > TLS_TICKET_LIFETIME)
        return false;
    *until = (int64_t)end;
    return cipher(keys, ticket, sni, false);
}
