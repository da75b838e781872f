/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any octets as a certificate, or a request for one: parsed, and if that works every text and slice is used.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "certrotate/der.h"
#include "certrotate/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(const struct x509 *c, struct x509_slice s)
{
    assert(s.size == 0 || (s.data >= c->der.data && s.data + s.size <= c->der.data + c->der.size));
}

static void use(const struct x509 *x)
{
    const struct x509 c = *x;
    char small[16], text[4096];
    const struct x509_slice all[] = {
        c.der,        c.tbs,           c.serial,
        c.issuer,     c.subject,       c.spki,
        c.public_key, c.ski,           c.aki,
        c.aki_issuer, c.aki_serial,    c.name_constraints,
        c.san_names,  c.signature_oid, c.signature_algorithm,
        c.signature,
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        inside(&c, all[i]);
    assert(c.san_count <= X509_SANS_MAX && c.version >= 1 && c.version <= 3);
    assert((c.key_type == X509_KEY_OTHER) == (c.key_bits == 0));
    for (size_t i = 0; i < c.san_count; i++) {
        inside(&c, c.san[i].value);
        if (c.san[i].kind != X509_SAN_IP)
            assert(!memchr(c.san[i].value.data, 0, c.san[i].value.size));
    }
    size_t n = x509_name_rfc2253(c.subject, text, sizeof text);
    if (n < sizeof text) {
        assert(strlen(text) == n);
        for (size_t i = 0; i < n; i++)
            assert(text[i] >= 0x20 && text[i] < 0x7f);
    }
    assert(x509_name_rfc2253(c.subject, small, sizeof small) == n);
    n = x509_name_legacy(c.issuer, text, sizeof text);
    assert(x509_name_legacy(c.issuer, NULL, 0) == n);
    x509_serial_hex(&c, text, sizeof text);
    assert(x509_time_text(c.not_before, text, sizeof text) == 24);
    x509_time_text(c.not_after, small, sizeof small);
    x509_oid_text(c.signature_oid, text, sizeof text);
    x509_name_attribute(c.subject, "CN", 0, text, sizeof text, &n);
    uint8_t digest[32];
    x509_sha256(c.der, digest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct x509 c;
    if (!x509_parse(data, size, &c)) {
        use(&c);
        assert(x509_parse_request(data, size, &c));
    } else if (!x509_parse_request(data, size, &c)) {
        use(&c);
    }
    return 0;
}
