/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/http/headers.h"

#include <stdlib.h>
#include <string.h>

#include "sidecar/http/chars.h"

/* --- names --- */

static struct http_str str(const char *text)
{
    return (struct http_str){text, strlen(text)};
}

static uint32_t hash_name(const char *name, size_t size)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < size; i++)
        h = (h ^ (uint8_t)http_canonical(name[i])) * 16777619u;
    return h;
}

struct headers_names {
    struct http_str *slot; /* open addressing, at most half full; p owned */
    size_t slots;          /* a power of two */
    size_t count;
    uint64_t lengths; /* bit n: a name of n bytes; 63: of 63 or more */
    uint64_t initials;
};

static uint64_t length_bit(size_t size)
{
    return (uint64_t)1 << (size < 63 ? size : 63);
}

static uint64_t initial_bit(const char *name)
{
    return (uint64_t)1 << ((uint8_t)http_canonical(*name) & 63);
}

struct headers_names *headers_names_new(void)
{
    struct headers_names *names = calloc(1, sizeof(*names));
    if (!names)
        return NULL;
    names->slots = 64;
    names->slot = calloc(names->slots, sizeof(*names->slot));
    if (!names->slot) {
        free(names);
        return NULL;
    }
    return names;
}

void headers_names_free(struct headers_names *names)
{
    if (!names)
        return;
    for (size_t i = 0; i < names->slots; i++)
        free((char *)(uintptr_t)names->slot[i].p);
    free(names->slot);
    free(names);
}

/* The slot where the name is or would be. */
static struct http_str *find(struct http_str *slot, size_t slots, const char *name, size_t size)
{
    size_t i = hash_name(name, size) & (slots - 1);
    while (slot[i].p && !http_same_name(slot[i], (struct http_str){name, size}))
        i = (i + 1) & (slots - 1);
    return &slot[i];
}

static bool grow(struct headers_names *names)
{
    size_t slots = names->slots * 2;
    struct http_str *slot = calloc(slots, sizeof(*slot));
    if (!slot)
        return false;
    for (size_t i = 0; i < names->slots; i++)
        if (names->slot[i].p)
            *find(slot, slots, names->slot[i].p, names->slot[i].n) = names->slot[i];
    free(names->slot);
    names->slot = slot;
    names->slots = slots;
    return true;
}

bool headers_names_add(struct headers_names *names, const char *name, size_t size)
{
    if (!size)
        return true;
    if ((names->count + 1) * 2 > names->slots && !grow(names))
        return false;
    struct http_str *slot = find(names->slot, names->slots, name, size);
    if (slot->p)
        return true;
    char *copy = malloc(size);
    if (!copy)
        return false;
    memcpy(copy, name, size);
    *slot = (struct http_str){copy, size};
    names->count++;
    names->lengths |= length_bit(size);
    names->initials |= initial_bit(name);
    return true; /* cppcheck-suppress memleak ; the slot owns it */
}

bool headers_names_add_identity(struct headers_names *names)
{
    static const char *const identity[] = {
        "cf-client-cert-der-base64", "cf-client-cert-sha256",      "client-cert",
        "client-cert-chain",         "x-forwarded-client-cert",    "cf-cert-revoked",
        "cf-cert-verified",          "cf-cert-presented",          "cf-cert-issuer-dn",
        "cf-cert-subject-dn",        "cf-cert-issuer-dn-rfc2253",  "cf-cert-subject-dn-rfc2253",
        "cf-cert-issuer-dn-legacy",  "cf-cert-subject-dn-legacy",  "cf-cert-serial",
        "cf-cert-issuer-serial",     "cf-cert-fingerprint-sha256", "cf-cert-fingerprint-sha1",
        "cf-cert-not-before",        "cf-cert-not-after",          "cf-cert-ski",
        "cf-cert-issuer-ski"};
    for (size_t i = 0; i < sizeof(identity) / sizeof(*identity); i++)
        if (!headers_names_add(names, identity[i], strlen(identity[i])))
            return false;
    return true;
}

bool headers_names_has(const struct headers_names *names, const char *name, size_t size)
{
    if (!size || !(names->lengths & length_bit(size)) || !(names->initials & initial_bit(name)))
        return false;
    return find(names->slot, names->slots, name, size)->p != NULL;
}

bool headers_forbidden(const char *name, size_t size)
{
    static const char *const framing[] = {"connection",     "content-length", "expect",           "host",
                                          "http2-settings", "keep-alive",     "proxy-connection", "te",
                                          "trailer",        "upgrade",        "transfer-encoding"};
    if (!size || !http_all(name, size, HTTP_TOKEN))
        return true;
    for (size_t i = 0; i < sizeof(framing) / sizeof(*framing); i++)
        if (http_same_name((struct http_str){name, size}, str(framing[i])))
            return true;
    return false;
}

bool headers_value_ok(struct http_str value)
{
    return http_value_ok(value);
}

/* --- plans --- */

bool headers_names_add_plan(struct headers_names *names, const struct headers_plan *plan)
{
    const struct {
        bool set;
        const char *name;
    } own[] = {{plan->x_forwarded_for, "x-forwarded-for"},
               {plan->x_forwarded_proto, "x-forwarded-proto"},
               {plan->forwarded, "forwarded"}};
    for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
        if (own[i].set && !headers_names_add(names, own[i].name, strlen(own[i].name)))
            return false;
    for (size_t i = 0; i < plan->request_count; i++)
        if (!headers_names_add(names, plan->request[i], strlen(plan->request[i])))
            return false;
    return headers_names_add_identity(names);
}

void headers_out_clear(struct headers_out *out)
{
    free(out->text);
    out->text = NULL;
    out->room = out->nadd = 0;
}

/* A value put together, or a name lowered, in out->text. */
struct build {
    struct headers_out *out;
    size_t used;
    size_t max_value;
};

/* Makes room for SIZE more bytes in all: what is built must not move. */
static bool reserve(struct headers_out *out, size_t size)
{
    if (size <= out->room)
        return true;
    char *text = malloc(size);
    if (!text)
        return false;
    free(out->text);
    out->text = text;
    out->room = size;
    return true;
}

/* A value that identity.h made: it is good, and may be as long as certificates are. */
static void add_made(struct build *b, struct http_str name, const char *spelling, struct http_str value)
{
    struct headers_out *out = b->out;
    if (!value.n)
        return;
    if (value.n > b->max_value || out->nadd == HEADERS_ADD_MAX) {
        out->left_out++;
        return;
    }
    out->add[out->nadd++] =
        (struct http_field){.name = name, .value = value, .spelling = spelling, .sound = true};
}

static void add(struct build *b, struct http_str name, const char *spelling, struct http_str value)
{
    if (headers_value_ok(value))
        add_made(b, name, spelling, value);
    else
        b->out->left_out++;
}

#define ADD(b, lower, spelling, value) add((b), HTTP_STR(lower), (spelling), (value))
#define ADD_MADE(b, lower, spelling, value) add_made((b), HTTP_STR(lower), (spelling), (value))

static void copy(struct build *b, struct http_str s)
{
    if (s.n)
        memcpy(b->out->text + b->used, s.p, s.n);
    b->used += s.n;
}

/* Exactly this name: what a trusted proxy says under another spelling is nobody's word. */
static bool is(const struct http_field *field, const char *name)
{
    return field->name.n == strlen(name) && !memcmp(field->name.p, name, field->name.n);
}

static size_t joined_size(const struct http_field *fields, size_t nfields, const char *name)
{
    size_t size = 0;
    for (size_t i = 0; i < nfields; i++)
        if (is(&fields[i], name))
            size += fields[i].value.n + 2;
    return size;
}

/* The fields' values and OWN, as one list. */
static struct http_str join(struct build *b, const struct http_field *fields, size_t nfields,
                            const char *name, struct http_str separator, struct http_str own)
{
    size_t start = b->used;
    for (size_t i = 0; i < nfields; i++) {
        if (!is(&fields[i], name) || !fields[i].value.n)
            continue;
        copy(b, fields[i].value);
        copy(b, separator);
    }
    copy(b, own);
    return (struct http_str){b->out->text + start, b->used - start};
}

static bool xfcc_readable(const struct http_field *fields, size_t nfields)
{
    for (size_t i = 0; i < nfields; i++)
        if (is(&fields[i], "x-forwarded-client-cert") && fields[i].value.n &&
            !identity_xfcc_valid(fields[i].value.p, fields[i].value.n))
            return false;
    return true;
}

/* The caller's own X-Forwarded-Client-Cert is passed on as it is. */
static bool xfcc_kept(const struct headers_plan *plan, const struct headers_caller *caller)
{
    if (!(plan->forward & HEADERS_XFCC) || !caller->trusted)
        return false;
    return plan->xfcc_mode == HEADERS_ALWAYS_FORWARD_ONLY ||
           (plan->xfcc_mode == HEADERS_FORWARD_ONLY && caller->identity);
}

static void add_xfcc(struct build *b, const struct headers_plan *plan, const struct headers_caller *caller,
                     const struct http_field *fields, size_t nfields)
{
    struct http_str own = caller->identity->xfcc;
    if (plan->xfcc_mode == HEADERS_SANITIZE_SET ||
        (plan->xfcc_mode == HEADERS_APPEND_FORWARD && !caller->trusted)) {
        ADD_MADE(b, "x-forwarded-client-cert", "X-Forwarded-Client-Cert", own);
    } else if (plan->xfcc_mode == HEADERS_APPEND_FORWARD) {
        if (xfcc_readable(fields, nfields))
            own = join(b, fields, nfields, "x-forwarded-client-cert", HTTP_STR(","), own);
        else
            b->out->left_out++;
        ADD(b, "x-forwarded-client-cert", "X-Forwarded-Client-Cert", own);
    }
}

static void add_identity(struct build *b, const struct headers_plan *plan,
                         const struct headers_caller *caller, const struct http_field *fields, size_t nfields)
{
    const struct identity *id = caller->identity;
    if (plan->forward & HEADERS_CLOUDFLARE) {
        ADD_MADE(b, "cf-client-cert-der-base64", "Cf-Client-Cert-Der-Base64", id->der_base64);
        ADD_MADE(b, "cf-client-cert-sha256", "Cf-Client-Cert-Sha256", id->sha256);
    }
    if (plan->forward & HEADERS_RFC9440) {
        size_t before = b->out->nadd;
        ADD_MADE(b, "client-cert", "Client-Cert", id->rfc9440);
        if (b->out->nadd > before) /* RFC 9440, 2.3: never the chain alone */
            ADD_MADE(b, "client-cert-chain", "Client-Cert-Chain", id->rfc9440_chain);
    }
    if (plan->forward & HEADERS_XFCC)
        add_xfcc(b, plan, caller, fields, nfields);
}

static void add_forwarded(struct build *b, const struct headers_plan *plan,
                          const struct headers_caller *caller, struct http_str host,
                          const struct http_field *fields, size_t nfields)
{
    size_t kept = caller->trusted ? nfields : 0;
    if (plan->x_forwarded_for) {
        ADD(b, "x-forwarded-for", "X-Forwarded-For",
            join(b, fields, kept, "x-forwarded-for", HTTP_STR(", "), str(caller->address)));
    }
    if (plan->x_forwarded_proto) {
        struct http_str proto = str(caller->proto);
        for (size_t i = 0; i < kept; i++) /* the scheme that the first proxy saw */
            if (is(&fields[i], "x-forwarded-proto") &&
                (http_same(fields[i].value, "http") || http_same(fields[i].value, "https")))
                proto = fields[i].value;
        ADD(b, "x-forwarded-proto", "X-Forwarded-Proto", proto);
    }
    if (plan->forwarded) {
        size_t size = identity_forwarded(caller->address, caller->proto, host, b->out->text + b->used);
        struct http_str own = {b->out->text + b->used, size};
        b->used += size;
        ADD(b, "forwarded", "Forwarded", join(b, fields, kept, "forwarded", HTTP_STR(", "), own));
    }
}

/* Adds VALUES under NAMES, for which reserve() was called with what names_size() says. */
static void add_named(struct build *b, const char *const *names, size_t count, const struct http_str *values)
{
    for (size_t i = 0; i < count; i++) {
        struct http_str name = {b->out->text + b->used, strlen(names[i])};
        if (!values[i].p)
            continue;
        if (headers_forbidden(names[i], name.n)) {
            b->out->left_out++;
            continue;
        }
        for (size_t k = 0; k < name.n; k++)
            b->out->text[b->used++] = http_lower(names[i][k]);
        add(b, name, names[i], http_trim(values[i]));
    }
}

static size_t names_size(const char *const *names, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += strlen(names[i]);
    return size;
}

void headers_request(const struct headers_names *names, const struct headers_plan *plan,
                     const struct headers_caller *caller, struct http_str host, const struct http_str *values,
                     struct http_field *fields, size_t nfields, struct headers_out *out)
{
    out->nadd = 0;
    out->left_out = 0;
    bool keep = plan && xfcc_kept(plan, caller);
    for (size_t i = 0; i < nfields; i++)
        if (headers_names_has(names, fields[i].name.p, fields[i].name.n) &&
            !(keep && is(&fields[i], "x-forwarded-client-cert")))
            fields[i].drop = true;
    if (!plan)
        return;
    size_t size = names_size(plan->request, plan->request_count) + strlen(caller->address);
    if (caller->trusted && caller->identity)
        size += caller->identity->xfcc.n + joined_size(fields, nfields, "x-forwarded-client-cert");
    if (caller->trusted)
        size += joined_size(fields, nfields, "x-forwarded-for") + joined_size(fields, nfields, "forwarded");
    if (plan->forwarded)
        size += 2 * identity_forwarded(caller->address, caller->proto, host, NULL);
    if (!reserve(out, size)) {
        out->left_out++; /* out of memory: nothing is said rather than half of it */
        return;
    }
    struct build b = {out, 0, plan->max_value};
    if (caller->identity)
        add_identity(&b, plan, caller, fields, nfields);
    add_forwarded(&b, plan, caller, host, fields, nfields);
    add_named(&b, plan->request, plan->request_count, values);
}

void headers_response(const struct headers_plan *plan, const struct http_str *values,
                      struct http_field *fields, size_t nfields, struct headers_out *out)
{
    out->nadd = 0;
    out->left_out = 0;
    for (size_t i = 0; i < nfields; i++)
        for (size_t k = 0; k < plan->response_count; k++)
            if (http_same_name(fields[i].name, str(plan->response[k])))
                fields[i].drop = true;
    if (!reserve(out, names_size(plan->response, plan->response_count))) {
        out->left_out++;
        return;
    }
    struct build b = {out, 0, plan->max_value};
    add_named(&b, plan->response, plan->response_count, values);
}
