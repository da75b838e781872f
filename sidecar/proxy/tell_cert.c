/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <arpa/inet.h>
#include <stdio.h>

#include "sidecar/proxy/tell.h"

void tell_san_text(const struct x509_san *name, char *out, size_t size)
{
    static const char *const kinds[] = {
        [X509_SAN_DNS] = "DNS", [X509_SAN_URI] = "URI", [X509_SAN_IP] = "IP", [X509_SAN_EMAIL] = "email"};
    char address[INET6_ADDRSTRLEN];
    if (name->kind == X509_SAN_IP)
        (void)snprintf(
            out, size, "IP:%s",
            inet_ntop(name->value.size == 4 ? AF_INET : AF_INET6, name->value.data, address, sizeof address));
    else
        (void)snprintf(out, size, "%s:%.*s", kinds[name->kind], (int)name->value.size,
                       (const char *)name->value.data);
}

const char *tell_key_text(const struct x509 *cert, char *out, size_t size)
{
    switch (cert->key_type) {
    case X509_KEY_RSA: (void)snprintf(out, size, "RSA %u", cert->key_bits); break;
    case X509_KEY_EC: (void)snprintf(out, size, "EC P-%u", cert->key_bits); break;
    case X509_KEY_ED25519: return "Ed25519";
    case X509_KEY_OTHER: return "other";
    }
    return out;
}

void tell_certificate_fields(struct json_write *json, const struct x509 *cert)
{
    char text[2048];
    uint8_t digest[32];
    (void)x509_name_rfc2253(cert->subject, text, sizeof text);
    json_text(json, "subject", text);
    (void)x509_name_rfc2253(cert->issuer, text, sizeof text);
    json_text(json, "issuer", text);
    (void)x509_serial_hex(cert, text, sizeof text);
    json_text(json, "serial", text);
    x509_sha256(cert->der, digest);
    (void)x509_hex((struct x509_slice){digest, sizeof digest}, false, text, sizeof text);
    json_text(json, "sha256", text);
    json_array(json, "sans");
    for (size_t i = 0; i < cert->san_count; i++) {
        tell_san_text(&cert->san[i], text, sizeof text);
        json_text(json, NULL, text);
    }
    json_array_end(json);
    json_signed(json, "not_before_at", cert->not_before);
    json_signed(json, "not_after_at", cert->not_after);
    json_text(json, "key", tell_key_text(cert, text, sizeof text));
}

void tell_certificate(struct json_write *json, const char *key, struct x509_slice der)
{
    struct x509 cert;
    if (x509_parse(der.data, der.size, &cert) != NULL) {
        json_null(json, key);
        return;
    }
    json_object(json, key);
    tell_certificate_fields(json, &cert);
    json_object_end(json);
}
