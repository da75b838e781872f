/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#include <strings.h>

#include "sidecar/http/chars.h"
#include "sidecar/http/http2_private.h"

/* Digits only (RFC 9110, 8.6); -1: malformed. */
static int64_t number(struct http_str s)
{
    int64_t n = 0;
    if (s.n == 0 || s.n > 18)
        return -1;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return -1;
        n = n * 10 + (s.p[i] - '0');
    }
    return n;
}

static bool is_grpc(struct http_str type)
{
    const char grpc[] = "application/grpc";
    const size_t n = sizeof(grpc) - 1;
    return type.n >= n && strncasecmp(type.p, grpc, n) == 0 &&
           (type.n == n || type.p[n] == '+' || type.p[n] == ';');
}

/* RFC 9113, 8.2.2. */
static bool of_connection(const struct http_field *f)
{
    switch (f->name.n) {
    case 2: return HTTP2_IS(f->name, "te") && !HTTP2_IS(f->value, "trailers");
    case 7: return HTTP2_IS(f->name, "upgrade");
    case 10: return HTTP2_IS(f->name, "connection") || HTTP2_IS(f->name, "keep-alive");
    case 16: return HTTP2_IS(f->name, "proxy-connection");
    case 17: return HTTP2_IS(f->name, "transfer-encoding");
    default: return false;
    }
}

/* RFC 9113, 8.3: each at most once, of the right kind, never empty. */
static bool pseudo(const struct http_field *f, enum http2_section_kind kind, struct http2_section *out)
{
    struct http_str *into = NULL;
    if (kind == HTTP2_SECTION_RESPONSE) {
        int64_t status = HTTP2_IS(f->name, ":status") && f->value.n == 3 ? number(f->value) : -1;
        if (out->status || status < 100)
            return false;
        out->status = (int)status;
        return true;
    }
    if (kind != HTTP2_SECTION_REQUEST)
        return false;
    if (HTTP2_IS(f->name, ":method"))
        into = &out->method;
    else if (HTTP2_IS(f->name, ":scheme"))
        into = &out->scheme;
    else if (HTTP2_IS(f->name, ":authority"))
        into = &out->authority;
    else if (HTTP2_IS(f->name, ":path"))
        into = &out->path;
    if (!into || into->p || f->value.n == 0)
        return false;
    *into = f->value;
    return true;
}

static bool regular(const struct http_field *f, struct http2_section *out)
{
    if (!f->sound || f->name.p[0] == ':' || of_connection(f))
        return false;
    if (HTTP2_IS(f->name, "content-length")) {
        if (out->length >= 0)
            return false;
        out->length = number(f->value);
        return out->length >= 0;
    }
    if (HTTP2_IS(f->name, "content-type"))
        out->grpc = is_grpc(f->value);
    else if (HTTP2_IS(f->name, "grpc-status"))
        out->grpc_status = (int)(f->value.n <= 3 ? number(f->value) : -1);
    return true;
}

/* The characters of RFC 3986, 3.2, but for user information, which no authority here may have. */
static bool authority_ok(struct http_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!http_is(s.p[i], HTTP_UNRESERVED) && (!s.p[i] || !strchr("!$%&'()*+,:;=[]", s.p[i])))
            return false;
    return s.n != 0;
}

/* No controls, no blanks, no fragment; what is not ASCII is the service's affair. */
static bool path_ok(struct http_str s)
{
    return s.n && http_all(s.p, s.n, HTTP_VALUE) && !memchr(s.p, ' ', s.n) && !memchr(s.p, '\t', s.n) &&
           !memchr(s.p, '#', s.n);
}

/* RFC 9113, 8.3.1. */
static bool target(struct http2_scratch *s, struct http2_section *out)
{
    struct http_str host = {0};
    for (size_t i = 0; i < out->nfields; i++) {
        if (!HTTP2_IS(out->fields[i].name, "host"))
            continue;
        if (host.p)
            return false;
        host = out->fields[i].value;
    }
    if (host.p && out->authority.p && !http2_str_is(host, out->authority.p, out->authority.n))
        return false;
    if (!out->authority.p)
        out->authority = host;
    if (s->overflow)
        return true;
    if (!out->authority.p || !authority_ok(out->authority) || !out->method.n ||
        !http_all(out->method.p, out->method.n, HTTP_TOKEN))
        return false;
    if (HTTP2_IS(out->method, "CONNECT"))
        return !out->scheme.p && !out->path.p; /* RFC 9113, 8.5 */
    if (!HTTP2_IS(out->scheme, "http") && !HTTP2_IS(out->scheme, "https"))
        return false;
    if (!path_ok(out->path))
        return false;
    return out->path.p[0] == '/' || (HTTP2_IS(out->path, "*") && HTTP2_IS(out->method, "OPTIONS"));
}

/* One Cookie field of its crumbs (RFC 9113, 8.2.3), so that rules and service see the same one. */
static void join_cookies(struct http2_scratch *s, struct http2_section *out)
{
    struct http_field *first = NULL;
    size_t kept = 0, ncookies = 0;
    for (size_t i = 0; i < out->nfields; i++)
        ncookies += HTTP2_IS(out->fields[i].name, "cookie");
    if (ncookies < 2)
        return;
    for (size_t i = 0; i < out->nfields; i++) {
        struct http_field *f = &out->fields[i];
        if (!HTTP2_IS(f->name, "cookie")) {
            out->fields[kept++] = *f;
            continue;
        }
        size_t n = f->value.n;
        if (first) {
            memcpy(s->text + s->ntext, "; ", 2);
            s->ntext += 2;
            first->value.n += 2 + n;
            first->sensitive |= f->sensitive;
        }
        memmove(s->text + s->ntext, f->value.p, n);
        if (!first) {
            out->fields[kept] = *f;
            first = &out->fields[kept++];
            first->value.p = s->text + s->ntext;
        }
        s->ntext += n;
    }
    out->nfields = kept;
}

bool http2_section_read(struct http2_scratch *s, enum http2_section_kind kind, struct http2_section *out)
{
    size_t i = 0;
    *out = (struct http2_section){.length = -1, .grpc_status = -1};
    for (; i < s->nfields && s->fields[i].name.n && s->fields[i].name.p[0] == ':'; i++)
        if (!pseudo(&s->fields[i], kind, out))
            return false;
    out->fields = s->fields + i;
    out->nfields = s->nfields - i;
    for (; i < s->nfields; i++)
        if (!regular(&s->fields[i], out))
            return false;
    if (kind == HTTP2_SECTION_RESPONSE)
        return out->status != 0 && out->status != 101; /* RFC 9113, 8.6 */
    if (kind == HTTP2_SECTION_TRAILER)
        return true;
    if (!target(s, out))
        return false;
    join_cookies(s, out);
    return true;
}
