/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Messages of nf_tables as bytes: attributes in attributes, in a buffer that grows. Pure.
 *
 * Whoever writes goes on after memory has run out; the buffer remembers it (failed).
 */
#ifndef SIDECAR_REDIRECT_NETLINK_H
#define SIDECAR_REDIRECT_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sidecar/redirect_rules.h"

struct netlink_buffer {
    uint8_t *data;
    size_t size, room;
    uint32_t messages; /* begun so far; the next one's sequence number */
    bool failed;
};

/* A message of TYPE; it ends where the next one begins, or with netlink_end(). Returns its offset. */
size_t netlink_begin(struct netlink_buffer *b, uint16_t type, uint16_t flags, uint8_t family,
                     uint16_t resource);
void netlink_end(struct netlink_buffer *b, size_t message);

/* One attribute; a nest's attributes stand between its two calls. */
void netlink_put(struct netlink_buffer *b, uint16_t type, const void *data, size_t size);
void netlink_put_text(struct netlink_buffer *b, uint16_t type, const char *text);
void netlink_put_u32(struct netlink_buffer *b, uint16_t type, uint32_t value); /* in network order */
size_t netlink_nest(struct netlink_buffer *b, uint16_t type);
void netlink_nest_end(struct netlink_buffer *b, size_t nest);

/* The expressions of a rule, one NFTA_RULE_EXPRESSIONS nest. */
void netlink_rule(struct netlink_buffer *b, const struct redirect_rule *rule);

/*
 * Whether the attributes WANT (SIZE bytes) all stand among HAVE with the same content, nests alike; HAVE, the
 * kernel's own account, may have more. Lists must be of the same length.
 */
bool netlink_covers(const uint8_t *have, size_t have_size, const uint8_t *want, size_t want_size);

/* The payload of the first attribute of TYPE in DATA; NULL: there is none. */
const uint8_t *netlink_find(const uint8_t *data, size_t size, uint16_t type, size_t *found);

#endif
