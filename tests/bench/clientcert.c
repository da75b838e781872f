/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Preloaded into wrk and h2load, which have no option for it: every OpenSSL context gets the client
 * certificate of CLIENT_CERT and CLIENT_KEY. Built by bench.py as a shared object; needs no header of
 * OpenSSL.
 */

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILETYPE_PEM = 1 };

void *SSL_CTX_new(const void *method);

void *SSL_CTX_new(const void *method)
{
    void *(*make)(const void *) = (void *(*)(const void *))dlsym(RTLD_NEXT, "SSL_CTX_new");
    int (*chain)(void *, const char *) =
        (int (*)(void *, const char *))dlsym(RTLD_NEXT, "SSL_CTX_use_certificate_chain_file");
    int (*key)(void *, const char *, int) =
        (int (*)(void *, const char *, int))dlsym(RTLD_NEXT, "SSL_CTX_use_PrivateKey_file");
    const char *cert_file = getenv("CLIENT_CERT"), *key_file = getenv("CLIENT_KEY");
    void *ctx = make(method);
    if (ctx == NULL || cert_file == NULL || key_file == NULL || chain(ctx, cert_file) != 1 ||
        key(ctx, key_file, FILETYPE_PEM) != 1) {
        fprintf(stderr, "clientcert: cannot use CLIENT_CERT and CLIENT_KEY\n");
        exit(1);
    }
    return ctx;
}
