/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether a file's content has changed: by a hash (FNV-1a) that tells a change and keeps no secret. */
#ifndef SIDECAR_PROXY_FILEHASH_H
#define SIDECAR_PROXY_FILEHASH_H

#include <stddef.h>
#include <stdint.h>

#define FILEHASH_EMPTY UINT64_C(14695981039346656037)

/* The hash of what HASH stands for with DATA behind it. */
uint64_t filehash_more(uint64_t hash, const void *data, size_t size);
/* Of a file as it is now; 0: it cannot be read. */
uint64_t filehash(const char *path);

#endif
