/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/tls/hello.h"

#include <string.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/sha.h>

enum {
    RECORD_HEADER = 5,
    RECORD_HANDSHAKE = 22,
    RECORD_MAX = 1 << 14,
    MESSAGE_HEADER = 4,
    MESSAGE_CLIENT_HELLO = 1,
    HOST_NAME_MAX_SIZE = 253,
};

enum extension {
    EXT_SERVER_NAME = 0,
    EXT_ALPN = 16,
    EXT_SESSION_TICKET = 35,
    EXT_PRE_SHARED_KEY = 41,
    EXT_EARLY_DATA = 42,
    EXT_SUPPORTED_VERSIONS = 43,
};

/* What is still to be read. Each take_* moves it on, or returns false. */
struct bytes {
    const uint8_t *p;
    size_t n;
};

static bool take(struct bytes *in, size_t n, struct bytes *out)
{
    if (in->n < n)
        return false;
    *out = (struct bytes){in->p, n};
    in->p += n;
    in->n -= n;
    return true;
}

static bool take_u8(struct bytes *in, uint8_t *value)
{
    struct bytes b;
    if (!take(in, 1, &b))
        return false;
    *value = b.p[0];
    return true;
}

static bool take_u16(struct bytes *in, uint16_t *value)
{
    struct bytes b;
    if (!take(in, 2, &b))
        return false;
    *value = (uint16_t)(b.p[0] << 8 | b.p[1]);
    return true;
}

/* A vector with a length of one or two octets in front. */
static bool take_vector8(struct bytes *in, struct bytes *out)
{
    uint8_t n;
    return take_u8(in, &n) && take(in, n, out);
}

static bool take_vector16(struct bytes *in, struct bytes *out)
{
    uint16_t n;
    return take_u16(in, &n) && take(in, n, out);
}

/* --- records (RFC 8446 section 5.1) --- */

/* Whether the first bytes can begin a ClientHello: record header and message type. */
static bool plausible(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] != RECORD_HANDSHAKE)
        return false;
    if (size > 1 && data[1] != 3)
        return false;
    if (size > 2 && data[2] > 4)
        return false;
    if (size > 4) {
        unsigned length = (unsigned)data[3] << 8 | data[4];
        if (length == 0 || length > RECORD_MAX)
            return false;
    }
    return size <= 5 || data[5] == MESSAGE_CLIENT_HELLO;
}

/*
 * Puts the message together in SCRATCH: OK with its *SIZE (header included), MORE, or BAD with WHY. Only
 * whole records matter but for the message's own header, which tells early that it is too long.
 */
static enum tls_hello_result gather(const uint8_t *data, size_t size, uint8_t *scratch, size_t *message,
                                    const char **why)
{
    struct bytes in = {data, size};
    size_t have = 0, want = 0;
    for (unsigned records = 0; want == 0 || have < want; records++) {
        if (in.n > 0 && in.p[0] != RECORD_HANDSHAKE) {
            *why = "another record amid the ClientHello";
            return TLS_HELLO_BAD;
        }
        if (records == TLS_HELLO_RECORDS_MAX) {
            *why = "ClientHello split over too many records";
            return TLS_HELLO_BAD;
        }
        if (in.n < RECORD_HEADER)
            return TLS_HELLO_MORE;
        size_t length = (size_t)in.p[3] << 8 | in.p[4];
        if (in.p[1] != 3 || length == 0 || length > RECORD_MAX) {
            *why = "malformed record header";
            return TLS_HELLO_BAD;
        }
        in.p += RECORD_HEADER;
        in.n -= RECORD_HEADER;
        size_t part = length < in.n ? length : in.n;
        size_t room = TLS_HELLO_MAX - have;
        memcpy(scratch + have, in.p, part < room ? part : room);
        have += part;
        if (want == 0 && have >= MESSAGE_HEADER) {
            want = MESSAGE_HEADER + ((size_t)scratch[1] << 16 | (size_t)scratch[2] << 8 | scratch[3]);
            if (want > TLS_HELLO_MAX) {
                *why = "ClientHello too long";
                return TLS_HELLO_BAD;
            }
        }
        /* Nothing may follow in the same flight's handshake records. */
        if (want != 0 && have - part + length > want) {
            *why = "bytes after the ClientHello in its record";
            return TLS_HELLO_BAD;
        }
        if (part < length)
            return TLS_HELLO_MORE;
        in.p += length;
        in.n -= length;
    }
    *message = want;
    return TLS_HELLO_OK;
}

/* --- extensions --- */

/* Letters, digits, hyphens and underscores in labels: an SNI is compared, logged and seen by rules. */
static bool host_name(struct bytes name, char *out)
{
    if (name.n > 0 && name.p[name.n - 1] == '.')
        name.n--;
    if (name.n == 0 || name.n > HOST_NAME_MAX_SIZE)
        return false;
    char before = '.';
    for (size_t i = 0; i < name.n; i++) {
        char c = (char)name.p[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c | 0x20);
        bool ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!ok && (c != '.' || before == '.'))
            return false;
        out[i] = before = c;
    }
    out[name.n] = 0;
    return before != '.';
}

/* RFC 6066 section 3: one name of type host_name; no other type was ever defined. */
static const char *server_name(struct bytes in, struct tls_hello *hello)
{
    struct bytes list, name;
    uint8_t type;
    if (!take_vector16(&in, &list) || in.n || !take_u8(&list, &type) || type != 0 ||
        !take_vector16(&list, &name) || list.n)
        return "malformed server_name extension";
    if (!host_name(name, hello->sni))
        return "server_name is not a host name";
    hello->has_sni = true;
    return NULL;
}

/* RFC 7301 section 3.1 */
static const char *protocols(struct bytes in, struct tls_hello *hello)
{
    struct bytes list, name;
    if (!take_vector16(&in, &list) || in.n || !list.n)
        return "malformed ALPN extension";
    while (list.n) {
        if (!take_vector8(&list, &name) || !name.n)
            return "malformed ALPN extension";
        if (hello->alpn_count < TLS_HELLO_ALPN_MAX)
            hello->alpn[hello->alpn_count++] = (struct tls_hello_alpn){name.p, (uint8_t)name.n};
    }
    return NULL;
}

/* RFC 8446 section 4.2.1; GREASE (RFC 8701), drafts and DTLS are no versions of TLS. */
static const char *versions(struct bytes in, struct tls_hello *hello)
{
    struct bytes list;
    uint16_t version;
    if (!take_vector8(&in, &list) || in.n || !list.n || list.n % 2)
        return "malformed supported_versions extension";
    hello->max_version = 0;
    hello->offers_1_2 = hello->offers_1_3 = false;
    while (take_u16(&list, &version)) {
        hello->offers_1_2 |= version == 0x0303;
        hello->offers_1_3 |= version == 0x0304;
        if (version >> 8 == 3 && version > hello->max_version)
            hello->max_version = version;
    }
    return NULL;
}

static const char *extension(uint16_t type, struct bytes body, bool last, struct tls_hello *hello)
{
    switch (type) {
    case EXT_SERVER_NAME: return server_name(body, hello);
    case EXT_ALPN: return protocols(body, hello);
    case EXT_SUPPORTED_VERSIONS: return versions(body, hello);
    case EXT_SESSION_TICKET: hello->has_session_ticket |= body.n > 0; break;
    case EXT_EARLY_DATA: hello->early_data = true; break;
    case EXT_PRE_SHARED_KEY:
        hello->has_session_ticket = true;
        if (!last)
            return "pre_shared_key is not the last extension"; /* RFC 8446 section 4.2.11 */
        break;
    default: break;
    }
    return NULL;
}

static const char *extensions(struct bytes in, struct tls_hello *hello)
{
    uint8_t seen[65536 / 8] = {0};
    wc_Sha big, little;
    if (wc_InitSha(&big) || wc_InitSha(&little))
        return "SHA-1 is not to be had";
    while (in.n) {
        uint16_t type;
        struct bytes body;
        const uint8_t *head = in.p;
        if (!take_u16(&in, &type) || !take_vector16(&in, &body))
            return "malformed extensions";
        if (seen[type / 8] & 1u << type % 8)
            return "an extension twice";
        seen[type / 8] |= (uint8_t)(1u << type % 8);
        const uint8_t turned[2] = {head[1], head[0]};
        if (wc_ShaUpdate(&big, head, 2) || wc_ShaUpdate(&little, turned, 2))
            return "SHA-1 is not to be had";
        const char *why = extension(type, body, in.n == 0, hello);
        if (why)
            return why;
    }
    if (wc_ShaFinal(&big, hello->extensions_sha1) || wc_ShaFinal(&little, hello->extensions_sha1_le))
        return "SHA-1 is not to be had";
    return NULL;
}

/* --- the message (RFC 8446 section 4.1.2) --- */

static const char *client_hello(struct bytes in, struct tls_hello *hello)
{
    struct bytes random, session, ciphers, compression, list = {NULL, 0};
    memset(hello, 0, sizeof *hello);
    hello->length = (uint32_t)in.n;
    in.p += MESSAGE_HEADER;
    in.n -= MESSAGE_HEADER;
    if (!take_u16(&in, &hello->legacy_version) || !take(&in, sizeof hello->random, &random) ||
        !take_vector8(&in, &session) || !take_vector16(&in, &ciphers) || !take_vector8(&in, &compression))
        return "ClientHello cut short";
    if (hello->legacy_version >> 8 != 3)
        return "not a version of TLS";
    if (session.n > 32)
        return "session identifier too long";
    if (ciphers.n == 0 || ciphers.n % 2)
        return "malformed cipher suites";
    if (compression.n == 0 || !memchr(compression.p, 0, compression.n))
        return "the null compression method is not offered";
    /* TLS 1.2 knows a ClientHello without extensions. */
    if (in.n && (!take_vector16(&in, &list) || in.n))
        return "malformed extensions";
    memcpy(hello->random, random.p, random.n);
    hello->max_version = hello->legacy_version;
    hello->offers_1_2 = hello->legacy_version >= 0x0303;
    if (wc_ShaHash(ciphers.p, (word32)ciphers.n, hello->ciphers_sha1))
        return "SHA-1 is not to be had";
    return extensions(list, hello);
}

static enum tls_hello_result parse(const uint8_t *data, size_t size, uint8_t *scratch,
                                   struct tls_hello *hello, const char **why)
{
    size_t message;
    *why = "";
    if (!plausible(data, size))
        return TLS_HELLO_NOT_TLS;
    enum tls_hello_result result = gather(data, size, scratch, &message, why);
    if (result != TLS_HELLO_OK)
        return result;
    const char *wrong = client_hello((struct bytes){scratch, message}, hello);
    if (!wrong)
        return TLS_HELLO_OK;
    *why = wrong;
    return TLS_HELLO_BAD;
}

enum tls_hello_result tls_hello_parse(const uint8_t *data, size_t size, uint8_t *scratch,
                                      struct tls_hello *hello)
{
    const char *why;
    return parse(data, size, scratch, hello, &why);
}

const char *tls_hello_error(const uint8_t *data, size_t size, uint8_t *scratch)
{
    struct tls_hello hello;
    const char *why;
    (void)parse(data, size, scratch, &hello, &why);
    return why;
}
