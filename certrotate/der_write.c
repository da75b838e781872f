/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "certrotate/der_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "certrotate/pem.h"

void der_out_free(struct der_out *out)
{
    pem_wipe_free(out->data, out->room);
    *out = (struct der_out){0};
}

struct x509_slice der_out_slice(const struct der_out *out)
{
    return (struct x509_slice){out->data, out->size};
}

/* Makes room for MORE octets; what held a key before is wiped. */
static bool reserve(struct der_out *out, size_t more)
{
    if (out->failed || more > SIZE_MAX / 4 - out->size) {
        out->failed = true;
        return false;
    }
    if (out->size + more <= out->room)
        return true;
    size_t room = out->room ? out->room : 256;
    while (room < out->size + more)
        room *= 2;
    uint8_t *grown = malloc(room);
    if (!grown) {
        out->failed = true;
        return false;
    }
    if (out->size > 0)
        memcpy(grown, out->data, out->size);
    pem_wipe_free(out->data, out->room);
    out->data = grown;
    out->room = room;
    return true;
}

void der_put_raw(struct der_out *out, const void *data, size_t size)
{
    if (size == 0 || !reserve(out, size))
        return;
    memcpy(out->data + out->size, data, size);
    out->size += size;
}

void der_put_slice(struct der_out *out, struct x509_slice slice)
{
    der_put_raw(out, slice.data, slice.size);
}

/* Writes a minimal length and returns its octets. */
static size_t put_length(uint8_t header[9], size_t size)
{
    if (size < 0x80) {
        header[0] = (uint8_t)size;
        return 1;
    }
    size_t octets = 0;
    for (size_t rest = size; rest > 0; rest >>= 8)
        octets++;
    header[0] = (uint8_t)(0x80 | octets);
    for (size_t i = 0; i < octets; i++)
        header[1 + i] = (uint8_t)(size >> (8 * (octets - 1 - i)));
    return 1 + octets;
}

void der_put(struct der_out *out, uint8_t tag, const void *content, size_t size)
{
    uint8_t header[9];
    der_put_raw(out, &tag, 1);
    der_put_raw(out, header, put_length(header, size));
    der_put_raw(out, content, size);
}

void der_put_oid(struct der_out *out, struct x509_slice oid)
{
    der_put(out, DER_OID, oid.data, oid.size);
}

void der_put_bool(struct der_out *out, bool value)
{
    der_put(out, DER_BOOLEAN, value ? "\xff" : "\x00", 1);
}

void der_put_integer(struct der_out *out, struct x509_slice magnitude)
{
    while (magnitude.size > 1 && magnitude.data[0] == 0) {
        magnitude.data++;
        magnitude.size--;
    }
    size_t begun = der_begin(out, DER_INTEGER);
    if (magnitude.size == 0 || magnitude.data[0] & 0x80)
        der_put_raw(out, "", 1);
    der_put_slice(out, magnitude);
    der_end(out, begun);
}

void der_put_uint(struct der_out *out, uint64_t value)
{
    uint8_t octets[8];
    for (size_t i = 0; i < 8; i++)
        octets[i] = (uint8_t)(value >> (56 - 8 * i));
    der_put_integer(out, (struct x509_slice){octets, 8});
}

void der_put_bits(struct der_out *out, struct x509_slice octets)
{
    size_t begun = der_begin(out, DER_BIT_STRING);
    der_put_raw(out, "", 1);
    der_put_slice(out, octets);
    der_end(out, begun);
}

void der_put_named_bits(struct der_out *out, unsigned bits)
{
    uint8_t octets[1 + sizeof bits] = {0};
    size_t last = 0;
    for (size_t i = 0; i < 8 * sizeof bits; i++)
        if (bits & 1u << i) {
            octets[1 + i / 8] |= (uint8_t)(0x80 >> i % 8);
            last = i + 1;
        }
    octets[0] = (uint8_t)((8 - last % 8) % 8);
    der_put(out, DER_BIT_STRING, octets, 1 + (last + 7) / 8);
}

void der_put_time(struct der_out *out, int64_t seconds)
{
    char text[64];
    struct tm tm;
    time_t t = (time_t)seconds;
    if (!gmtime_r(&t, &tm) || tm.tm_year + 1900 < 1 || tm.tm_year + 1900 > 9999) {
        out->failed = true;
        return;
    }
    bool utc = tm.tm_year >= 50 && tm.tm_year < 150;
    int n = utc ? snprintf(text, sizeof text, "%02d", tm.tm_year % 100)
                : snprintf(text, sizeof text, "%04d", tm.tm_year + 1900);
    n += snprintf(text + n, sizeof text - (size_t)n, "%02d%02d%02d%02d%02dZ", tm.tm_mon + 1, tm.tm_mday,
                  tm.tm_hour, tm.tm_min, tm.tm_sec);
    der_put(out, utc ? DER_UTC_TIME : DER_GENERALIZED_TIME, text, (size_t)n);
}

size_t der_begin(struct der_out *out, uint8_t tag)
{
    der_put_raw(out, &tag, 1);
    return out->size;
}

void der_end(struct der_out *out, size_t begun)
{
    uint8_t header[9];
    if (out->failed)
        return;
    size_t size = out->size - begun;
    size_t length = put_length(header, size);
    if (!reserve(out, length))
        return;
    memmove(out->data + begun + length, out->data + begun, size);
    memcpy(out->data + begun, header, length);
    out->size += length;
}
