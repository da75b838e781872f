/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Functions on JSON, and the cryptographic ones (rules-language sections 11.2, 11.3). */
#include <string.h>

#include <wolfssl/wolfcrypt/hmac.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include "sidecar/rules/internal.h"
#include "sidecar/rules/json.h"

#define RUN(name)                                                                                   \
    static void run_##name(struct run *run, const struct node *node, const struct rules_value *arg, \
                           unsigned count, struct rules_value *out)

#define UNUSED (void)run, (void)node, (void)count

/* --- JSON --- */

/* Following a path through a document: the innermost open containers that are on it, and what lies beside. */
struct lookup {
    const struct rules_value *key; /* COUNT of them */
    unsigned count;
    unsigned on;        /* open containers on the path */
    unsigned off;       /* open containers within the innermost of those, beside the path */
    uint64_t index[64]; /* of the next element of each container on the path that is an array */
    bool match;         /* the next value is the one that the key names */
    bool found;
    struct json token; /* the value found */
    enum json_event event;
};

/* Whether the key that was just read is the one on the path. */
static bool key_is(const struct json *json, const struct rules_value *key, struct run *run)
{
    if (key->type != RULES_BYTES || json->size < key->bytes.size)
        return false;
    if (!json->escaped)
        return json->size == key->bytes.size &&
               (json->size == 0 || memcmp(json->text, key->bytes.data, json->size) == 0);
    size_t mark = run->scratch->used;
    uint8_t *text = run_take(run, json->size);
    bool same = false;
    if (text) {
        size_t size = json_unescape(json, text);
        same = size == key->bytes.size && memcmp(text, key->bytes.data, size) == 0;
    }
    run->scratch->used = mark;
    return same;
}

static bool opens(enum json_event event)
{
    return event == JSON_OBJECT || event == JSON_ARRAY;
}

/* A value that may be on the path. The last of several members of one name counts. */
static void lookup_value(struct lookup *l, const struct json *json, enum json_event event)
{
    bool match = l->match;
    l->match = false;
    if (l->on > 0 && l->key[l->on - 1].type == RULES_INT)
        match = (int64_t)l->index[l->on - 1]++ == l->key[l->on - 1].integer;
    if (!match) {
        l->off += opens(event);
        return;
    }
    l->found = false;
    if (l->on == l->count) {
        l->found = !opens(event);
        l->token = *json;
        l->event = event;
        l->off += opens(event);
        return;
    }
    if (event == (l->key[l->on].type == RULES_INT ? JSON_ARRAY : JSON_OBJECT))
        l->index[l->on++] = 0;
    else
        l->off += opens(event);
}

static bool lookup(struct run *run, struct rules_bytes document, struct lookup *l)
{
    struct json json;
    json_start(&json, document.data, document.size);
    l->match = true;
    for (;;) {
        enum json_event event = json_next(&json);
        switch (event) {
        case JSON_END: return l->found;
        case JSON_BAD: return false;
        case JSON_OBJECT_END:
        case JSON_ARRAY_END:
            if (l->off > 0)
                l->off--;
            else
                l->on--;
            break;
        case JSON_KEY:
            if (l->off == 0)
                l->match = key_is(&json, &l->key[l->on - 1], run);
            break;
        default:
            if (l->off > 0)
                l->off += opens(event);
            else
                lookup_value(l, &json, event);
        }
    }
}

RUN(lookup_json_string)
{
    UNUSED;
    struct lookup l = {.key = arg + 1, .count = count - 1};
    if (!lookup(run, arg[0].bytes, &l) || l.event != JSON_STRING)
        return;
    if (!l.token.escaped) {
        *out = rules_bytes(l.token.text, l.token.size);
        return;
    }
    uint8_t *text = run_take(run, l.token.size);
    if (text)
        *out = rules_bytes(text, json_unescape(&l.token, text));
}

RUN(lookup_json_integer)
{
    UNUSED;
    struct lookup l = {.key = arg + 1, .count = count - 1};
    int64_t number;
    if (lookup(run, arg[0].bytes, &l) && l.event == JSON_NUMBER && json_integer(&l.token, &number))
        *out = rules_int(number);
}

/* --- Digests --- */

RUN(sha256)
{
    UNUSED;
    uint8_t *digest = run_take(run, WC_SHA256_DIGEST_SIZE);
    wc_Sha256 sha;
    if (!digest || wc_InitSha256(&sha) != 0)
        return;
    bool ok = wc_Sha256Update(&sha, arg[0].bytes.data, (word32)arg[0].bytes.size) == 0 &&
              wc_Sha256Final(&sha, digest) == 0;
    wc_Sha256Free(&sha);
    if (ok)
        *out = rules_bytes(digest, WC_SHA256_DIGEST_SIZE);
}

enum { STAMP = 10, MAC_URL = 43 };

static bool check_hmac(struct parser *p, struct node *call)
{
    struct node **arg = call->call.arg;
    if (call->call.count > 4 && arg[4]->literal.integer < 0)
        return function_literal_error(p, arg[4], "the separator's length must not be negative");
    if (call->call.count > 5 && (arg[5]->literal.bytes.size != 1 || arg[5]->literal.bytes.data[0] != 's'))
        return function_literal_error(p, arg[5], "the only flag is \"s\"");
    return true;
}

/* Finds the MAC at the end of the value: 43 characters of the URL alphabet, or what follows the last dash. */
static bool split_mac(struct rules_bytes value, bool url, struct rules_bytes *head,
                      uint8_t mac[WC_SHA256_DIGEST_SIZE])
{
    uint8_t text[3 * 44], decoded[sizeof text];
    size_t dash = value.size, n = 0, size;
    if (url) {
        if (value.size < MAC_URL + 1)
            return false;
        dash = value.size - MAC_URL - 1;
    } else {
        while (dash > 0 && value.data[dash - 1] != '-')
            dash--;
        if (dash-- == 0)
            return false;
    }
    struct rules_bytes tail = {value.data + dash + 1, value.size - dash - 1};
    if (value.data[dash] != '-' || tail.size > sizeof text)
        return false;
    for (size_t i = 0; i < tail.size; i++) {
        int high = -1, low = -1;
        if (!url && tail.data[i] == '%' && tail.size - i > 2) {
            high = rules_hex(tail.data[i + 1]);
            low = rules_hex(tail.data[i + 2]);
        }
        if (high >= 0 && low >= 0) {
            text[n++] = (uint8_t)(high << 4 | low);
            i += 2;
        } else if (!url && tail.data[i] == '+') {
            return false; /* it stands for a blank */
        } else {
            text[n++] = tail.data[i];
        }
    }
    *head = (struct rules_bytes){value.data, dash};
    if (n != (url ? MAC_URL : 44) ||
        !rules_base64_decode((struct rules_bytes){text, n}, url, decoded, &size) ||
        size != WC_SHA256_DIGEST_SIZE)
        return false;
    memcpy(mac, decoded, size);
    return true;
}

static bool hmac(struct rules_bytes key, struct rules_bytes message, struct rules_bytes stamp, uint8_t *out)
{
    Hmac state;
    if (wc_HmacInit(&state, NULL, INVALID_DEVID) != 0)
        return false;
    bool ok = wc_HmacSetKey(&state, WC_SHA256, key.data, (word32)key.size) == 0 &&
              wc_HmacUpdate(&state, message.data, (word32)message.size) == 0 &&
              wc_HmacUpdate(&state, stamp.data, (word32)stamp.size) == 0 && wc_HmacFinal(&state, out) == 0;
    wc_HmacFree(&state);
    return ok;
}

RUN(is_timed_hmac_valid_v0)
{
    UNUSED;
    uint8_t given[WC_SHA256_DIGEST_SIZE], right[WC_SHA256_DIGEST_SIZE], differ = 0;
    struct rules_bytes head;
    *out = rules_bool(false);
    if (!split_mac(arg[1].bytes, count > 5, &head, given) || head.size < STAMP)
        return;
    struct rules_bytes stamp = {head.data + head.size - STAMP, STAMP};
    uint64_t separator = count > 4 ? (uint64_t)arg[4].integer : 0;
    int64_t time = 0, expires;
    for (size_t i = 0; i < STAMP; i++) {
        if (stamp.data[i] < '0' || stamp.data[i] > '9')
            return;
        time = time * 10 + (stamp.data[i] - '0');
    }
    if (head.size - STAMP < separator)
        return;
    struct rules_bytes message = {head.data, head.size - STAMP - (size_t)separator};
    if (!hmac(arg[0].bytes, message, stamp, right))
        return;
    for (size_t i = 0; i < sizeof right; i++)
        differ |= (uint8_t)(given[i] ^ right[i]);
    bool fresh = __builtin_add_overflow(time, arg[2].integer, &expires) ? arg[2].integer > 0
                                                                        : arg[3].integer < expires;
    *out = rules_bool(differ == 0 && fresh);
}

#define V PARAM_VALUE
#define L PARAM_LITERAL
#define B PARAM_BOTH

const struct function functions_data[] = {
    {"lookup_json_string",
     RULES_BYTES,
     2,
     64,
     2,
     false,
     {{V, PARAM_BYTES, false}, {L, PARAM_BYTES | PARAM_INT, false}},
     NULL,
     run_lookup_json_string},
    {"lookup_json_integer",
     RULES_INT,
     2,
     64,
     2,
     false,
     {{V, PARAM_BYTES, false}, {L, PARAM_BYTES | PARAM_INT, false}},
     NULL,
     run_lookup_json_integer},
    {"sha256", RULES_BYTES, 1, 1, 1, false, {{B, PARAM_BYTES, false}}, NULL, run_sha256},
    {"is_timed_hmac_valid_v0",
     RULES_BOOL,
     4,
     6,
     6,
     false,
     {{L, PARAM_BYTES, false},
      {V, PARAM_BYTES, false},
      {L, PARAM_INT, false},
      {V, PARAM_INT, false},
      {L, PARAM_INT, false},
      {L, PARAM_BYTES, false}},
     check_hmac,
     run_is_timed_hmac_valid_v0},
    {.name = NULL},
};
