/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any octets as a PEM or DER file; what is read can be written and read again. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "certrotate/pem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pem_set set, again;
    if (pem_read(data, size, 8, &set)) {
        assert(set.count == 0 && !set.block);
        return 0;
    }
    assert(set.count <= 8);
    for (size_t i = 0; i < set.count; i++) {
        struct pem_block *b = &set.block[i];
        char *text = pem_write("CERTIFICATE", b->data, b->size, NULL);
        assert(text && !pem_read((const uint8_t *)text, strlen(text), 1, &again));
        assert(again.count == 1 && again.block[0].size == b->size);
        assert(memcmp(again.block[0].data, b->data, b->size) == 0);
        pem_free(&again);
        free(text);
    }
    pem_free(&set);
    return 0;
}
