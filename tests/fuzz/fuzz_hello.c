/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The first bytes of a connection: whatever they are, and however they come in pieces. */
#include <stdlib.h>
#include <string.h>

#include "sidecar/tls/hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *scratch = malloc(TLS_HELLO_MAX);
    struct tls_hello hello, again;
    if (!scratch)
        abort();
    enum tls_hello_result whole = tls_hello_parse(data, size, scratch, &hello);
    if ((whole == TLS_HELLO_BAD) != (tls_hello_error(data, size, scratch)[0] != 0))
        abort();
    if (whole == TLS_HELLO_OK) {
        if (hello.has_sni != (hello.sni[0] != 0) || hello.length > TLS_HELLO_MAX)
            abort();
        for (size_t i = 0; i < hello.alpn_count; i++)
            if (hello.alpn[i].data < scratch ||
                hello.alpn[i].data + hello.alpn[i].size > scratch + hello.length)
                abort();
    }
    /* What was seen of a part is never taken back by the rest, but for MORE. */
    enum tls_hello_result part = tls_hello_parse(data, size / 2, scratch, &again);
    if (part != TLS_HELLO_MORE && part != whole)
        abort();
    free(scratch);
    return 0;
}
