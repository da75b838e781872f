/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "certrotate/pem.h"

#include <stdlib.h>
#include <string.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/coding.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include "certrotate/der.h"

void pem_wipe(void *data, size_t size)
{
    if (data && size > 0)
        explicit_bzero(data, size);
}

void pem_wipe_free(void *data, size_t size)
{
    pem_wipe(data, size);
    free(data);
}

bool pem_is_key(enum pem_kind kind)
{
    return kind == PEM_KEY_PKCS8 || kind == PEM_KEY_PKCS8_SECRET || kind == PEM_KEY_SEC1 ||
           kind == PEM_KEY_PKCS1;
}

void pem_free(struct pem_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        pem_wipe_free(set->block[i].data, set->block[i].size);
    free(set->block);
    *set = (struct pem_set){NULL, 0};
}

/* Takes ownership of DATA, on failure too. */
static const char *add_block(struct pem_set *set, size_t max, enum pem_kind kind, uint8_t *data, size_t size)
{
    struct pem_block *grown = NULL;
    const char *wrong = "too many objects";
    if (set->count < max) {
        wrong = "out of memory";
        /* Grows by doubling, at the powers of two. */
        grown = set->block;
        if ((set->count & (set->count - 1)) == 0)
            grown = realloc(set->block, (set->count ? set->count * 2 : 1) * sizeof *grown);
    }
    if (!grown) {
        pem_wipe_free(data, size);
        return wrong;
    }
    set->block = grown;
    set->block[set->count++] = (struct pem_block){kind, data, size};
    return NULL;
}

/* --- DER: which object it is --- */

/* Certificates, CRLs and requests are all SEQUENCE {SEQUENCE, AlgorithmIdentifier, BIT STRING}. */
static enum pem_kind signed_kind(struct der tbs)
{
    uint8_t tag[5] = {0};
    for (size_t i = 0; i < 5 && !der_empty(&tbs); i++)
        if (!der_any(&tbs, &tag[i], NULL, NULL))
            return PEM_OTHER;
    if (tag[0] == DER_CONTEXT_CONS(0))
        return PEM_CERTIFICATE;
    const uint8_t *t = tag[0] == DER_INTEGER ? tag + 1 : tag;
    if (t[0] != DER_SEQUENCE || t[1] != DER_SEQUENCE)
        return PEM_OTHER;
    if (t[2] == DER_UTC_TIME || t[2] == DER_GENERALIZED_TIME)
        return PEM_CRL;
    if (t == tag)
        return PEM_OTHER;
    return t[2] == DER_SEQUENCE ? PEM_CERTIFICATE : t[2] == DER_CONTEXT_CONS(0) ? PEM_REQUEST : PEM_OTHER;
}

static enum pem_kind der_kind(struct der in)
{
    struct der first;
    uint8_t tag[3] = {0};
    if (!der_any(&in, &tag[0], &first, NULL) || !der_any(&in, &tag[1], NULL, NULL))
        return PEM_OTHER;
    if (!der_empty(&in) && !der_any(&in, &tag[2], NULL, NULL))
        return PEM_OTHER;
    if (tag[0] == DER_SEQUENCE && tag[1] == DER_SEQUENCE && tag[2] == DER_BIT_STRING && der_empty(&in))
        return signed_kind(first);
    if (tag[0] == DER_SEQUENCE && tag[1] == DER_OCTET_STRING && tag[2] == 0)
        return PEM_KEY_PKCS8_SECRET;
    if (tag[0] != DER_INTEGER)
        return PEM_OTHER;
    return tag[1] == DER_SEQUENCE && tag[2] == DER_OCTET_STRING ? PEM_KEY_PKCS8
           : tag[1] == DER_OCTET_STRING                         ? PEM_KEY_SEC1
           : tag[1] == DER_INTEGER && tag[2] == DER_INTEGER     ? PEM_KEY_PKCS1
                                                                : PEM_OTHER;
}

/* Whether TEXT is one DER SEQUENCE and nothing else. */
static bool is_der(const uint8_t *text, size_t size, struct der *content)
{
    struct der in = der_from(text, size);
    return der_take(&in, DER_SEQUENCE, content) && der_empty(&in);
}

/* --- PEM --- */

static const struct {
    const char *label;
    enum pem_kind kind;
} LABELS[] = {
    {"CERTIFICATE", PEM_CERTIFICATE},
    {"X509 CERTIFICATE", PEM_CERTIFICATE},
    {"X509 CRL", PEM_CRL},
    {"CERTIFICATE REQUEST", PEM_REQUEST},
    {"NEW CERTIFICATE REQUEST", PEM_REQUEST},
    {"PRIVATE KEY", PEM_KEY_PKCS8},
    {"ENCRYPTED PRIVATE KEY", PEM_KEY_PKCS8_SECRET},
    {"EC PRIVATE KEY", PEM_KEY_SEC1},
    {"RSA PRIVATE KEY", PEM_KEY_PKCS1},
};

static enum pem_kind label_kind(struct x509_slice label)
{
    for (size_t i = 0; i < sizeof LABELS / sizeof *LABELS; i++)
        if (der_equal(label, LABELS[i].label, strlen(LABELS[i].label)))
            return LABELS[i].kind;
    return PEM_OTHER;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Takes the next line without its end and without blanks around it. */
static bool next_line(struct x509_slice *text, struct x509_slice *line)
{
    if (text->size == 0)
        return false;
    const uint8_t *end = memchr(text->data, '\n', text->size);
    size_t size = end ? (size_t)(end - text->data) : text->size;
    *line = (struct x509_slice){text->data, size};
    text->data += size + (end != NULL);
    text->size -= size + (end != NULL);
    while (line->size > 0 && is_blank(line->data[line->size - 1]))
        line->size--;
    while (line->size > 0 && is_blank(*line->data)) {
        line->data++;
        line->size--;
    }
    return true;
}

/* Whether LINE is `-----WORD LABEL-----`; LABEL is cut out of it. */
static bool boundary(struct x509_slice line, const char *word, struct x509_slice *label)
{
    static const char dashes[] = "-----";
    size_t head = 5 + strlen(word) + 1;
    if (line.size < head + 5 || memcmp(line.data, dashes, 5) != 0 ||
        memcmp(line.data + 5, word, strlen(word)) != 0 || line.data[head - 1] != ' ' ||
        memcmp(line.data + line.size - 5, dashes, 5) != 0)
        return false;
    *label = (struct x509_slice){line.data + head, line.size - head - 5};
    return true;
}

/* What is public need not take wolfCrypt's constant time, which is ten times as long. N: whole groups of
 * four, of which the last may end with padding. */
static bool decode_public(const uint8_t *packed, size_t n, uint8_t *out, word32 *length)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t place[256] = {0}; /* in the alphabet, from 1; 0: it is not there */
    for (uint8_t i = 0; i < 64; i++)
        place[(uint8_t)alphabet[i]] = i + 1;
    unsigned padding = (packed[n - 1] == '=') + (packed[n - 2] == '=');
    place['='] = padding ? 1 : 0;
    uint8_t *to = out;
    for (size_t i = 0; i < n; i += 4) {
        uint32_t a = place[packed[i]], b = place[packed[i + 1]], c = place[packed[i + 2]],
                 d = place[packed[i + 3]];
        if (a == 0 || b == 0 || c == 0 || d == 0)
            return false;
        uint32_t group = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
        *to++ = (uint8_t)(group >> 16);
        *to++ = (uint8_t)(group >> 8);
        *to++ = (uint8_t)group;
    }
    *length = (word32)((size_t)(to - out) - padding);
    return true;
}

/* Decodes Base64 between two boundaries into new memory. */
static const char *decode(struct x509_slice body, bool secret, uint8_t **data, size_t *size)
{
    uint8_t *packed = malloc(body.size + 1);
    uint8_t *out = malloc(body.size + 1);
    const char *wrong = "out of memory";
    size_t n = 0;
    if (!packed || !out)
        goto fail;
    wrong = "a PEM block is not Base64";
    for (size_t i = 0; i < body.size; i++) {
        if (is_blank(body.data[i]))
            continue;
        /* Padding ends it: nothing but more padding may follow. */
        if (n > 0 && packed[n - 1] == '=' && body.data[i] != '=')
            goto fail;
        packed[n++] = body.data[i];
    }
    if (n == 0 || n % 4 != 0 || n > UINT32_MAX || packed[n - 3] == '=')
        goto fail;
    word32 length = (word32)body.size;
    bool ok =
        secret ? Base64_Decode(packed, (word32)n, out, &length) == 0 : decode_public(packed, n, out, &length);
    if (!ok || length == 0)
        goto fail;
    pem_wipe_free(packed, n);
    *data = out;
    *size = length;
    return NULL;
fail:
    if (packed)
        pem_wipe_free(packed, n);
    if (out)
        pem_wipe_free(out, body.size);
    return wrong;
}

/* Finds the end of a block with LABEL; BODY becomes what stands between. */
static const char *find_end(struct x509_slice *text, struct x509_slice label, struct x509_slice *body)
{
    struct x509_slice line, end_label;
    const uint8_t *from = text->data;
    while (next_line(text, &line)) {
        if (boundary(line, "END", &end_label)) {
            if (!der_same(label, end_label))
                return "a PEM block ends with another label than it begins with";
            *body = (struct x509_slice){from, (size_t)(line.data - from)};
            return NULL;
        }
        if (boundary(line, "BEGIN", &end_label))
            break;
    }
    return "a PEM block does not end";
}

static const char *read_block(struct x509_slice *text, struct x509_slice label, size_t max,
                              struct pem_set *set)
{
    struct x509_slice body;
    enum pem_kind kind = label_kind(label);
    uint8_t *data;
    size_t size;
    const char *wrong = find_end(text, label, &body);
    if (wrong || kind == PEM_OTHER)
        return wrong;
    if (body.size > 0 && memchr(body.data, ':', body.size))
        return pem_is_key(kind)
                   ? "the key is encrypted in OpenSSL's old way (convert it: openssl pkcs8 -topk8)"
                   : "a PEM block has headers";
    wrong = decode(body, pem_is_key(kind), &data, &size);
    return wrong ? wrong : add_block(set, max, kind, data, size);
}

static const char *read_pem(struct x509_slice text, size_t max, struct pem_set *set)
{
    struct x509_slice line, label;
    while (next_line(&text, &line)) {
        if (!boundary(line, "BEGIN", &label))
            continue;
        const char *wrong = read_block(&text, label, max, set);
        if (wrong)
            return wrong;
    }
    return NULL;
}

const char *pem_read(const uint8_t *text, size_t size, size_t max, struct pem_set *set)
{
    struct der content;
    const char *wrong;
    *set = (struct pem_set){NULL, 0};
    if (is_der(text, size, &content)) {
        uint8_t *copy = malloc(size);
        if (!copy)
            return "out of memory";
        memcpy(copy, text, size);
        wrong = add_block(set, max, der_kind(content), copy, size);
    } else {
        wrong = read_pem((struct x509_slice){text, size}, max, set);
        if (!wrong && set->count == 0 && size > 0 && text[0] == DER_SEQUENCE)
            wrong = "neither PEM nor a single DER object";
    }
    if (wrong)
        pem_free(set);
    return wrong;
}

const char *pem_decrypt(struct pem_block *block, const char *password, size_t size)
{
    struct der content;
    if (block->kind != PEM_KEY_PKCS8_SECRET)
        return "not an encrypted private key";
    if (block->size > INT32_MAX || size > INT32_MAX)
        return "the key is too large";
    int length = wc_DecryptPKCS8Key(block->data, (word32)block->size, password, (int)size);
    if (length == MEMORY_E)
        return "out of memory";
    if (length <= 0 || (size_t)length > block->size || !is_der(block->data, (size_t)length, &content) ||
        der_kind(content) != PEM_KEY_PKCS8)
        return "wrong password, or an encryption that is not supported (PBES2 with AES is)";
    pem_wipe(block->data + length, block->size - (size_t)length);
    block->size = (size_t)length;
    block->kind = PEM_KEY_PKCS8;
    return NULL;
}

char *pem_write(const char *label, const uint8_t *der, size_t size, size_t *length)
{
    size_t edges = 2 * strlen(label) + sizeof "-----BEGIN -----\n-----END -----\n";
    if (size > INT32_MAX / 2)
        return NULL;
    /* wolfCrypt breaks the lines at 64 characters, the last one included. */
    size_t room = edges + (size + 2) / 3 * 4 + size / 48 + 2;
    char *out = malloc(room);
    if (!out)
        return NULL;
    char *p = stpcpy(stpcpy(stpcpy(out, "-----BEGIN "), label), "-----\n");
    word32 left = (word32)(room - (size_t)(p - out));
    if (Base64_Encode(der, (word32)size, (byte *)p, &left) != 0) {
        pem_wipe_free(out, room);
        return NULL;
    }
    p = stpcpy(stpcpy(stpcpy(p + left, "-----END "), label), "-----\n");
    if (length)
        *length = (size_t)(p - out);
    return out;
}
