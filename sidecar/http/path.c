/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/http/path.h"

#include <stdbool.h>
#include <string.h>

#include "sidecar/http/chars.h"

static bool escape(const char *p, size_t n)
{
    return n >= 3 && p[0] == '%' && http_is(p[1], HTTP_HEX) && http_is(p[2], HTTP_HEX);
}

/* What an escape of BYTE, with NEXT the REST bytes behind it, may be taken for. */
static unsigned escaped_ambiguity(unsigned byte, const char *next, size_t rest)
{
    if (byte == 0)
        return HTTP_PATH_NUL;
    if (byte < 0x20 || byte == 0x7f || byte == 0xc0 || byte == 0xc1)
        return HTTP_PATH_CONTROL;
    if (byte == '/')
        return HTTP_PATH_SLASH;
    if (byte == '\\')
        return HTTP_PATH_BACKSLASH;
    if (byte == 0xe0 && escape(next, rest) && next[1] <= '9') /* E0 80..9F: overlong */
        return HTTP_PATH_CONTROL;
    if (byte == '%' && rest >= 2 && http_is(next[0], HTTP_HEX) && http_is(next[1], HTTP_HEX))
        return HTTP_PATH_DOUBLE;
    return 0;
}

/* Decodes what is unreserved, writes the hex digits of the rest in upper case, merges slashes. */
static size_t unescape(const char *path, size_t size, char *out, unsigned *ambiguity)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t n = 0;
    for (size_t i = 0; i < size;) {
        if (escape(path + i, size - i)) {
            unsigned byte = http_hex(path[i + 1]) << 4 | http_hex(path[i + 2]);
            i += 3;
            if (http_class[byte] & HTTP_UNRESERVED) {
                out[n++] = (char)byte;
                continue;
            }
            *ambiguity |= escaped_ambiguity(byte, path + i, size - i);
            out[n++] = '%';
            out[n++] = hex[byte >> 4];
            out[n++] = hex[byte & 15];
            continue;
        }
        char c = path[i++];
        if (c == '%')
            *ambiguity |= HTTP_PATH_ESCAPE;
        else if (c == '\\')
            *ambiguity |= HTTP_PATH_BACKSLASH;
        if (c != '/' || !n || out[n - 1] != '/')
            out[n++] = c;
    }
    return n;
}

/* RFC 3986, 5.2.4, in place. */
static size_t remove_dots(char *path, size_t size, unsigned *ambiguity)
{
    size_t n = 0;
    for (size_t i = 0; i < size;) { /* path[i] is a slash */
        size_t end = i + 1;
        while (end < size && path[end] != '/')
            end++;
        const char *segment = path + i + 1;
        size_t length = end - i - 1;
        bool dot = length == 1 && segment[0] == '.';
        bool up = length == 2 && segment[0] == '.' && segment[1] == '.';
        if (length >= 2 && segment[0] == '.' &&
            (segment[1] == ';' || (length >= 3 && segment[1] == '.' && segment[2] == ';')))
            *ambiguity |= HTTP_PATH_PARAMETER;
        if (dot || up) {
            if (up && !n)
                *ambiguity |= HTTP_PATH_ABOVE;
            while (up && n && path[--n] != '/')
                ;
            if (end == size)
                path[n++] = '/';
        } else {
            memmove(path + n, path + i, end - i);
            n += end - i;
        }
        i = end;
    }
    return n;
}

/* Whether it is its own normal form, as most are. */
static bool is_plain(const char *path, size_t size)
{
    if (path[0] != '/')
        return false;
    for (size_t i = 1; i < size; i++) {
        char c = path[i];
        if (http_is(c, HTTP_ALNUM))
            continue;
        if (c == '%' || c == '\\' || ((c == '/' || c == '.') && path[i - 1] == '/'))
            return false;
    }
    return true;
}

size_t http_path_normalise(const char *path, size_t size, char *out, unsigned *ambiguity)
{
    *ambiguity = 0;
    if (!size) {
        *out = '/';
        return 1;
    }
    if (is_plain(path, size)) {
        memcpy(out, path, size);
        return size;
    }
    size_t n = unescape(path, size, out, ambiguity);
    if (out[0] != '/')
        return n;
    return remove_dots(out, n, ambiguity);
}

const char *http_path_ambiguity_text(unsigned ambiguity)
{
    static const char *const text[] = {
        "an escaped zero byte",
        "an escaped slash",
        "a backslash",
        "a percent sign without two hex digits",
        "a character escaped twice",
        "dot segments that lead above the root",
        "a dot segment with a parameter",
        "an escaped control character",
    };
    for (size_t i = 0; i < sizeof(text) / sizeof(*text); i++)
        if (ambiguity & 1u << i)
            return text[i];
    return "";
}
