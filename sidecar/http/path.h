/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A request's path as rules see it (RFC 3986, 6.2.2): one spelling for what servers would take for the same.
 *
 * Unreserved characters are decoded, the hex digits of other escapes upper-cased, slashes merged, dot
 * segments removed, in this order.
 */
#ifndef OUTRIDER_SIDECAR_HTTP_PATH_H
#define OUTRIDER_SIDECAR_HTTP_PATH_H

#include <stddef.h>

/* Where servers differ in what they make of a path; a rule on such a path may be got round. Bits. */
enum http_path_ambiguity {
    HTTP_PATH_NUL = 1 << 0,       /* %00 */
    HTTP_PATH_SLASH = 1 << 1,     /* %2f */
    HTTP_PATH_BACKSLASH = 1 << 2, /* \ or %5c */
    HTTP_PATH_ESCAPE = 1 << 3,    /* % without two hex digits */
    HTTP_PATH_DOUBLE = 1 << 4,    /* %25 before two hex digits: escaped twice */
    HTTP_PATH_ABOVE = 1 << 5,     /* dot segments that lead above the root */
    HTTP_PATH_PARAMETER = 1 << 6, /* a dot segment with a parameter: /..;x/ */
    HTTP_PATH_CONTROL = 1 << 7,   /* an escaped control character, or UTF-8 longer than needed */
};

/* Writes the normal form of PATH (without query) to OUT, which has room for SIZE bytes, at least 1, and may
 * be PATH. Returns its length, never more than SIZE but for an empty path, which becomes "/". AMBIGUITY gets
 * the bits above. What does not begin with a slash ("*") is copied. */
size_t http_path_normalise(const char *path, size_t size, char *out, unsigned *ambiguity);

/* The first of the bits in words ("an escaped slash"); "" if none. Static. */
const char *http_path_ambiguity_text(unsigned ambiguity);

#endif
