/* SPDX-License-Identifier: GPL-3.0-or-later */
/* headers.h: headers_identify(). */
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "sidecar/http/chars.h"
#include "sidecar/http/headers.h"

/* --- what is well-formed --- */

static bool lower_hex(const char *p, size_t n, bool *zero)
{
    *zero = true;
    for (size_t i = 0; i < n; i++) {
        if (!http_is(p[i], HTTP_DIGIT) && (p[i] < 'a' || p[i] > 'f'))
            return false;
        *zero &= p[i] == '0';
    }
    return true;
}

/* VERSION "-" TRACE "-" PARENT "-" FLAGS; later versions may go on after another dash. */
static bool is_traceparent(struct http_str v)
{
    enum { TRACE = 3, PARENT = 36, FLAGS = 53 };
    bool zero, no_trace, no_parent;
    if (v.n < HEADERS_TRACEPARENT || v.p[TRACE - 1] != '-' || v.p[PARENT - 1] != '-' || v.p[FLAGS - 1] != '-')
        return false;
    if (!lower_hex(v.p, 2, &zero) || (v.p[0] == 'f' && v.p[1] == 'f'))
        return false;
    if (v.n > HEADERS_TRACEPARENT && (zero || v.p[HEADERS_TRACEPARENT] != '-'))
        return false;
    return lower_hex(v.p + TRACE, 32, &no_trace) && lower_hex(v.p + PARENT, 16, &no_parent) &&
           lower_hex(v.p + FLAGS, 2, &zero) && !no_trace && !no_parent;
}

static bool is_request_id(struct http_str v)
{
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] <= ' ' || v.p[i] > '~')
            return false;
    return v.n != 0 && v.n <= HEADERS_REQUEST_ID_MAX;
}

/* --- making --- */

/* xorshift128+: these need to differ, not to be secret. */
static uint64_t next_random(struct headers_out *out)
{
    uint64_t *s = out->random;
    while (s[0] == 0 && s[1] == 0) {
        struct timespec now;
        if (getrandom(s, sizeof(out->random), GRND_NONBLOCK) == (ssize_t)sizeof(out->random))
            continue;
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        s[0] = (uint64_t)now.tv_nsec ^ (uint64_t)(uintptr_t)out;
        s[1] = (uint64_t)now.tv_sec + 1;
    }
    uint64_t a = s[0], b = s[1];
    s[0] = b;
    a ^= a << 23;
    s[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
    return s[1] + b;
}

/* The highest DIGITS hex digits of VALUE. */
static void put_hex(char *to, size_t digits, uint64_t value)
{
    for (size_t i = 0; i < digits; i++)
        to[i] = "0123456789abcdef"[value >> (4 * (15 - i)) & 15];
}

static struct http_str make_traceparent(struct headers_out *out, bool sampled)
{
    static const char form[] = "00-................................-................-00";
    char *p = out->made;
    memcpy(p, form, HEADERS_TRACEPARENT);
    put_hex(p + 3, 16, next_random(out) | 1); /* neither may be all zeros */
    put_hex(p + 19, 16, next_random(out));
    put_hex(p + 36, 16, next_random(out) | 1);
    if (sampled)
        p[HEADERS_TRACEPARENT - 1] = '1';
    return (struct http_str){p, HEADERS_TRACEPARENT};
}

/* A UUID, version 4 (RFC 9562, 5.4). */
static struct http_str make_request_id(struct headers_out *out)
{
    static const char form[] = "........-....-4...-....-............";
    char *p = out->made + HEADERS_TRACEPARENT;
    uint64_t a = next_random(out), b = next_random(out);
    memcpy(p, form, HEADERS_UUID);
    put_hex(p, 8, a);
    put_hex(p + 9, 4, a << 32);
    put_hex(p + 15, 3, a << 48);
    put_hex(p + 19, 4, b >> 2 | UINT64_C(1) << 63);
    put_hex(p + 24, 12, b << 16);
    return (struct http_str){p, HEADERS_UUID};
}

/* --- finding --- */

static bool is(const struct http_field *f, struct http_str name)
{
    return !f->drop && !f->hop && f->name.n == name.n && memcmp(f->name.p, name.p, name.n) == 0;
}

/* The one field of that name: p NULL if there is none, n 0 if there are several. */
static struct http_str only(const struct http_field *fields, size_t n, struct http_str name)
{
    struct http_str value = {NULL, 0};
    for (size_t i = 0; i < n; i++)
        if (is(&fields[i], name))
            value = value.p ? (struct http_str){value.p, 0} : fields[i].value;
    return value;
}

static void drop(struct http_field *fields, size_t n, struct http_str name)
{
    for (size_t i = 0; i < n; i++)
        if (is(&fields[i], name))
            fields[i].drop = true;
}

static void add(struct headers_out *out, struct http_str name, const char *spelling, struct http_str value)
{
    if (out->nadd < HEADERS_ADD_MAX)
        out->add[out->nadd++] =
            (struct http_field){.name = name, .value = value, .spelling = spelling, .sound = true};
    else
        out->left_out++;
}

void headers_identify(const struct headers_plan *plan, struct http_field *fields, size_t nfields,
                      struct headers_out *out, struct headers_ids *ids)
{
    const struct http_str trace = HTTP_STR("traceparent"), id = HTTP_STR("x-request-id");
    struct http_str own = only(out->add, out->nadd, trace);
    ids->traceparent = own.p ? own : only(fields, nfields, trace);
    if (!is_traceparent(ids->traceparent)) {
        ids->traceparent = (struct http_str){NULL, 0};
        if (plan && plan->traceparent != HEADERS_TRACEPARENT_PASS && !own.p) {
            drop(fields, nfields, trace);
            drop(fields, nfields, HTTP_STR("tracestate"));
            ids->traceparent = make_traceparent(out, plan->traceparent == HEADERS_TRACEPARENT_SAMPLED);
            add(out, trace, NULL, ids->traceparent);
        }
    }
    own = only(out->add, out->nadd, id);
    ids->request_id = own.p ? own : only(fields, nfields, id);
    if (!is_request_id(ids->request_id)) {
        ids->request_id = (struct http_str){NULL, 0};
        if (plan && plan->request_id && !own.p) {
            drop(fields, nfields, id);
            ids->request_id = make_request_id(out);
            add(out, id, "X-Request-Id", ids->request_id);
        }
    }
}
