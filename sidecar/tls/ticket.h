/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Session tickets (RFC 8446 section 4.6.1, RFC 5077), sealed: the state of a session that its client carries
 * for us. Private to this room.
 *
 * Keys come from a secret that all workers share, for one trust and one scope, so that a ticket opens nowhere
 * else; the server name is sealed in as well. Each ticket has a key of its own, by its random IV, so that
 * their number has no limit. Who may go on from a session is not decided here, but by stream_resume.c.
 */
#ifndef SIDECAR_TLS_TICKET_H
#define SIDECAR_TLS_TICKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TLS_TICKET_LIFETIME = 3600, /* seconds that a full handshake may be gone on from */
    TLS_TICKET_NAME_SIZE = 16,  /* these three as wolfSSL lays a ticket out */
    TLS_TICKET_IV_SIZE = 16,
    TLS_TICKET_MAC_SIZE = 32,
};

struct tls_ticket_keys {
    uint8_t name[8]; /* tells, in the clear, which keys a ticket was sealed with */
    uint8_t secret[32];
};

/* The parts of a ticket, in memory of the caller's. */
struct tls_ticket {
    uint8_t *name; /* TLS_TICKET_NAME_SIZE bytes: that of the keys, and until when it is good */
    uint8_t *iv;   /* TLS_TICKET_IV_SIZE bytes */
    uint8_t *mac;  /* TLS_TICKET_MAC_SIZE bytes */
    uint8_t *data; /* sealed and opened in place */
    size_t size;
};

/* SECRET has TLS_TICKET_SECRET_SIZE bytes. False: out of memory. */
bool tls_ticket_keys_init(struct tls_ticket_keys *keys, const uint8_t *secret, uint64_t generation,
                          const char *scope) __attribute__((warn_unused_result));

/* Seals data, good until UNTIL (seconds since 1970), and fills the other parts. SNI may be NULL. */
bool tls_ticket_seal(const struct tls_ticket_keys *keys, const struct tls_ticket *ticket, int64_t until,
                     const char *sni) __attribute__((warn_unused_result));

/*
 * Opens it, at NOW, for the caller who asks for SNI. False: not sealed with these keys, or for another name;
 * damaged; or its time is over, then and in any other case with data in whatever state. *UNTIL: see above.
 */
bool tls_ticket_open(const struct tls_ticket_keys *keys, const struct tls_ticket *ticket, int64_t now,
                     const char *sni, int64_t *until) __attribute__((warn_unused_result));

#endif
