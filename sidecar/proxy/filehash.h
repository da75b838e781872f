/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that are followed, and whether their content has changed: by a hash (FNV-1a), which keeps no secret.
 */
#ifndef SIDECAR_PROXY_FILEHASH_H
#define SIDECAR_PROXY_FILEHASH_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define FILEHASH_EMPTY UINT64_C(14695981039346656037)

/* The hash of what HASH stands for with DATA behind it. */
uint64_t filehash_more(uint64_t hash, const void *data, size_t size);
/*
 * Opens a file to read; NULL: errno says why not, EINVAL where it is no regular file: a FIFO would keep its
 * reader waiting for ever, a device giving.
 */
FILE *filehash_open(const char *path) __attribute__((warn_unused_result));
/* Of a file as it is now; 0: it cannot be read. */
uint64_t filehash(const char *path);

#endif
