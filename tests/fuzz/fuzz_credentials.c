/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any text as files of credentials: chain and key, CA bundle, CRLs and password, divided by octets of zero.
 * Files in memory stand for them.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "certrotate/credentials.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILES = 4, NOW = 1767225600 };

static char paths[FILES][64];
static int files[FILES];

static void fill(int file, const uint8_t *data, size_t size)
{
    int error = ftruncate(file, 0);
    assert(error == 0);
    ssize_t written = pwrite(file, data, size, 0);
    assert(written == (ssize_t)size);
}

static void divide(const uint8_t *data, size_t size)
{
    for (int i = 0; i < FILES; i++) {
        const uint8_t *end = i + 1 < FILES && size > 0 ? memchr(data, 0, size) : NULL;
        size_t part = end ? (size_t)(end - data) : size;
        fill(files[i], data, part);
        data += part + (end != NULL);
        size -= part + (end != NULL);
    }
}

static void judge(const struct credentials *c, bool trust_only)
{
    assert(trust_only ? c->chain_count == 0 && c->key.size == 0 : c->chain_count >= 1 && c->key.size > 0);
    assert(c->chain_count <= CREDENTIALS_CHAIN_MAX && c->root_count <= CREDENTIALS_ROOTS_MAX);
    assert(trust_only || (c->not_before <= NOW && c->not_after >= NOW));
    for (size_t i = 0; i < c->root_count; i++)
        for (size_t k = 0; k < i; k++)
            assert(c->roots[i].size != c->roots[k].size ||
                   memcmp(c->roots[i].data, c->roots[k].data, c->roots[i].size) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct credentials_error error;
    uint8_t hash[32];
    for (int i = 0; i < FILES && files[i] == 0; i++) {
        files[i] = memfd_create("file", MFD_CLOEXEC);
        assert(files[i] > 0);
        (void)snprintf(paths[i], sizeof paths[i], "/proc/self/fd/%d", files[i]);
    }
    divide(data, size);
    for (int variant = 0; variant < 4; variant++) {
        bool trust_only = variant & 1;
        struct credentials_source source = {.certificate = paths[0],
                                            .ca = paths[1],
                                            .crl = variant & 2 ? paths[2] : NULL,
                                            .password = variant & 2 ? paths[3] : NULL,
                                            .trust_only = trust_only,
                                            .max_file = 16384};
        struct credentials *c = credentials_load(&source, NOW, &error);
        assert((c == NULL) == (error.fault != CREDENTIALS_OK));
        assert((c == NULL) == (error.text[0] != '\0'));
        bool any = credentials_peek(&source, hash, NULL);
        if (c) {
            assert(any && memcmp(hash, c->hash, sizeof hash) == 0);
            judge(c, trust_only);
        }
        credentials_unref(c);
    }
    return 0;
}
