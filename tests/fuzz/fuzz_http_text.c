/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Small readers of what callers write: paths, hosts, lists of X-Forwarded-Client-Cert elements. */
#include <stdlib.h>
#include <string.h>

#include "sidecar/http/chars.h"
#include "sidecar/http/identity.h"
#include "sidecar/http/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Once normal, a path stays so, unless it had a stray percent sign. */
static void path(const char *text, size_t size)
{
    char *out = malloc(size ? size : 1), *again = malloc(size ? size : 1);
    unsigned ambiguity, second;
    size_t n = http_path_normalise(text, size, out, &ambiguity);
    if (n > size && size)
        abort();
    size_t m = http_path_normalise(out, n, again, &second);
    if (!(ambiguity & HTTP_PATH_ESCAPE) && (m != n || memcmp(out, again, n)))
        abort();
    free(out);
    free(again);
}

/* Two lists that can be read can be read as one. */
static void xfcc(const char *text, size_t size)
{
    bool whole = identity_xfcc_valid(text, size);
    for (size_t i = 0; i < size; i++)
        if (text[i] == ',' && identity_xfcc_valid(text, i) &&
            identity_xfcc_valid(text + i + 1, size - i - 1) && !whole)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    path(text, size);
    xfcc(text, size);
    struct http_str host = {text, size}, element;
    if (http_host_valid(host) && !http_all(text, size, HTTP_TARGET))
        abort();
    while (http_list_next(&host, &element))
        if (!element.n || memchr(element.p, ',', element.n))
            abort();
    return 0;
}
