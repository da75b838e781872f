/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Records of application data under TLS 1.3 and AES-GCM, without wolfSSL's buffers: decrypted from where they
 * were received to where they are wanted, encrypted where they are sent from. wolfSSL would copy each byte
 * twice, and allocate and clear a buffer for each record. Private to this room.
 *
 * Keys, sequence numbers and all else stay wolfSSL's, and are afterwards as if it had done it. What is not
 * plainly such a record (other suites and versions, a record that came in parts, handshake messages, alerts,
 * empty, padded beyond measure or damaged ones, a key worn out) is not touched: wolfSSL is called next and
 * decides.
 */
#ifndef SIDECAR_TLS_RECORD_H
#define SIDECAR_TLS_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include <wolfssl/ssl.h>

#include "sidecar/tls/stream.h"

/* Takes one record off IO's input. Returns its plaintext's size, now in DATA; 0: it is left to wolfSSL. Of
 * DATA's CAP bytes others than those may have been overwritten, in either case. */
size_t tls_record_read(WOLFSSL *ssl, struct tls_io *io, uint8_t *data, size_t cap);

/* Appends records to IO's output, which has room for them. Returns how many bytes of DATA they hold; the rest
 * is left to wolfSSL. */
size_t tls_record_write(WOLFSSL *ssl, struct tls_io *io, const uint8_t *data, size_t size);

#endif
