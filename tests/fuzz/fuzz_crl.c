/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any octets as a CRL: read, indexed without its issuer at hand, and asked with its own issuer's name. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "certrotate/crl.h"
#include "certrotate/crl_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(const struct crl *c, struct x509_slice s)
{
    assert(s.size == 0 || (s.data >= c->der.data && s.data + s.size <= c->der.data + c->der.size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct x509 issuer, cert;
    char error[128] = "";
    struct crl crl;
    struct crl_entry entry;
    if (crl_parse(data, size, &crl))
        return 0;
    const struct x509_slice all[] = {
        crl.tbs,      crl.issuer, crl.aki, crl.number, crl.scope, crl.entries, crl.signature_algorithm,
        crl.signature};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        inside(&crl, all[i]);

    struct x509_slice whole = {data, size}, left = crl.entries;
    struct crl_index *index = crl_index_new(&whole, 1, NULL, 0, NULL, NULL, error, sizeof error);
    assert((index == NULL) == (error[0] != '\0'));
    issuer.subject = crl.issuer;
    issuer.key_type = X509_KEY_ED25519;
    issuer.public_key = (struct x509_slice){(const uint8_t *)"0123456789abcdef0123456789abcdef", 32};
    size_t count = 0;
    while (crl_next(&left, &entry) > 0 && ++count < 8) {
        inside(&crl, entry.serial);
        cert.serial = entry.serial;
        cert.serial_negative = entry.serial_negative;
        assert(crl_index_lookup(index, &issuer, &cert, 0, NULL) == CRL_MISSING);
    }
    struct crl_stats stats = crl_index_stats(index);
    assert(stats.lists <= 1 && stats.entries <= size / 3);
    crl_index_free(index);
    return 0;
}
