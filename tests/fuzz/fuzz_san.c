/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Patterns and names: the input is a pattern, a zero, a kind, and the text of a SAN. */
#include <stdlib.h>
#include <string.h>

#include "sidecar/tls/san.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    size_t pattern_size = zero ? (size_t)(zero - data) : size;
    char *text = strndup((const char *)data, pattern_size);
    struct tls_san_pattern pattern;
    if (!text || tls_san_compile(text, &pattern)) {
        free(text);
        return 0;
    }
    size_t left = zero ? size - pattern_size - 1 : 0;
    if (left > 0) {
        /* Exactly as long as it is, so that a read beyond its end is seen. */
        char *name = malloc(left);
        if (!name)
            abort();
        memcpy(name, zero + 2, left - 1);
        name[left - 1] = 0;
        struct tls_san san = {.kind = (enum tls_san_kind)(zero[1] % 4),
                              .text = name,
                              .text_size = (uint32_t)strlen(name),
                              .ip_size = left > 16 ? 16 : 4};
        memcpy(san.ip, name, left < san.ip_size ? left : san.ip_size);
        struct tls_peer peer = {.san = &san, .san_count = 1};
        bool matched = tls_san_match_peer(&pattern, 1, &peer);
        /* A dot segment or a stranger's trust domain never passes a pattern with a wildcard. */
        if (matched && pattern.kind == TLS_SAN_PATTERN_URI && strchr(text, '*') &&
            (strstr(name, "/../") || strstr(name, "//../") || strchr(name, '\\')))
            abort();
        char line[40];
        tls_san_describe(&peer, line, 1 + left % sizeof line);
        free(name);
    }
    free(text);
    return 0;
}
