/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The test PKI, tests/unit/data/pki (generate.sh there says what each file is), for tests that run from the
 * top of the tree. What these return is freed with pki_free_all(), at the end of a test or of the program.
 */
#ifndef TESTS_UNIT_PKI_H
#define TESTS_UNIT_PKI_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "certrotate/pem.h"
#include "certrotate/x509.h"

#define PKI_FOLDER "tests/unit/data/pki"
/* 2026-01-01: what is not named expired or future is valid then. */
#define PKI_NOW ((int64_t)1767225600)

static void *pki_blocks[4096];
static size_t pki_block_count;

static inline void *pki_keep(void *block)
{
    assert_non_null(block);
    assert_true(pki_block_count < sizeof pki_blocks / sizeof *pki_blocks);
    pki_blocks[pki_block_count++] = block;
    return block;
}

static inline void pki_free_all(void)
{
    while (pki_block_count > 0)
        free(pki_blocks[--pki_block_count]);
}

/* The octets of FOLDER/FILE ("leaf.pem"). */
static inline struct x509_slice pki_file(const char *file)
{
    enum { ROOM = 65536 };
    char path[256];
    snprintf(path, sizeof path, PKI_FOLDER "/%s", file);
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s is not there", path);
    uint8_t *data = (uint8_t *)pki_keep(malloc(ROOM));
    size_t size = fread(data, 1, ROOM, f);
    fclose(f);
    assert_true(size > 0 && size < ROOM);
    return (struct x509_slice){data, size};
}

/* The DER of the first object in FOLDER/NAME.pem: pki_der("leaf"), pki_der("leaf.key"), pki_der("root.crl").
 */
static inline struct x509_slice pki_der(const char *name)
{
    char file[128];
    struct pem_set set;
    snprintf(file, sizeof file, "%s.pem", name);
    struct x509_slice text = pki_file(file);
    const char *wrong = pem_read(text.data, text.size, 8, &set);
    if (wrong || set.count == 0)
        fail_msg("%s: %s", name, wrong ? wrong : "nothing in it");
    struct x509_slice der = {(uint8_t *)pki_keep(set.block[0].data), set.block[0].size};
    set.block[0].data = NULL;
    set.block[0].size = 0;
    pem_free(&set);
    return der;
}

/* The certificate NAME, parsed. */
static inline struct x509 *pki_cert(const char *name)
{
    struct x509_slice der = pki_der(name);
    struct x509 *cert = (struct x509 *)pki_keep(malloc(sizeof *cert));
    const char *wrong = x509_parse(der.data, der.size, cert);
    if (wrong)
        fail_msg("%s: %s", name, wrong);
    return cert;
}

#endif
