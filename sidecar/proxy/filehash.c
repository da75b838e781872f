/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/filehash.h"

#include <stdio.h>

uint64_t filehash_more(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ p[i]) * UINT64_C(1099511628211);
    return hash;
}

uint64_t filehash(const char *path)
{
    unsigned char buffer[16384];
    uint64_t hash = FILEHASH_EMPTY;
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return 0;
    size_t n;
    while ((n = fread(buffer, 1, sizeof buffer, f)) != 0)
        hash = filehash_more(hash, buffer, n);
    (void)fclose(f);
    return hash;
}
