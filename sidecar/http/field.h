/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What both HTTP codecs and the header plan share: a run of bytes and a header field.
 */
#ifndef OUTRIDER_SIDECAR_HTTP_FIELD_H
#define OUTRIDER_SIDECAR_HTTP_FIELD_H

#include <stdbool.h>
#include <stddef.h>

/* A run of bytes; never NUL-terminated. */
struct http_str {
    const char *p;
    size_t n;
};

#define HTTP_STR(literal) ((struct http_str){(literal), sizeof(literal) - 1})

/* One header field. */
struct http_field {
    struct http_str name; /* lower case */
    struct http_str value;
    const char *spelling; /* the name as received, or as HTTP/1 shall send it: name.n bytes; NULL: name */
    bool sensitive;       /* HTTP/2: never indexed (RFC 7541, 7.1.3); kept when passed on */
    bool drop;            /* a callback sets this to leave the field out */
    bool sound; /* somebody has looked at it (headers.h at what it adds, hpack.h at what HTTP/2 brings): it
                   can neither split a message nor break the rules for characters (RFC 9113, 8.2.1) */
    bool hop;   /* HTTP/1: removed or written anew by the codec itself, whatever a callback says */
};

#endif
