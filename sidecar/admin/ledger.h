/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The ledger: what each certificate has done here, for as many certificates as there is room for.
 *
 * Certificates share numbered slots, known ones (verified) and strangers (refused, or let in unverified) each
 * their own, so that strangers never push out those who belong. Every worker has an array of counts of its
 * own, parallel to the slots, and counts there without a lock; the lock is taken where a connection begins or
 * is refused, to find its slot. Who has no slot takes the one that counted least (space-saving, Metwally,
 * Agrawal and El Abbadi 2005): whoever causes more than 1/slots of all events is sure to have one. An event
 * is a connection, a request or a refusal. Counts are exact since a certificate got its slot; before that it
 * may have had as many events as the slot's former owner had in all, and no more: view.missed.
 *
 * A ticket is what a connection holds. It says which slot, and which owner of it: once that is another, the
 * ticket is void, and what it counts goes to the others' sum until the connection has been entered again.
 */
#ifndef SIDECAR_ADMIN_LEDGER_H
#define SIDECAR_ADMIN_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ledger_count {
    LEDGER_CONNECTIONS, /* let in */
    LEDGER_OPENED,      /* of these and of those entered again: open are OPENED - CLOSED */
    LEDGER_CLOSED,
    LEDGER_REQUESTS,
    LEDGER_RECEIVED, /* payload bytes from the caller */
    LEDGER_SENT,     /* and to it */
    LEDGER_BLOCKED,  /* connections and requests that policy refused */
    LEDGER_REFUSED,  /* handshakes that failed with this certificate shown */
    LEDGER_COUNTS
};

enum { LEDGER_REASON = 160, LEDGER_SECTION = 50 };

/* What a certificate says; everything is copied. */
struct ledger_identity {
    const uint8_t *fingerprint; /* 32 bytes */
    const char *name;           /* who that is, in few words: the same for its successors */
    const char *certificate;    /* its fields, as whoever reads the ledger wants them */
};

struct ledger_ticket {
    uint32_t slot;   /* 0: none */
    uint32_t owner;  /* of the slot, by number */
    uint32_t missed; /* requests counted while void */
};

struct ledger;

/* CAPACITY slots for known certificates (at least 16), and a quarter for strangers. NULL without memory. */
struct ledger *ledger_new(size_t capacity, unsigned workers) __attribute__((warn_unused_result));
void ledger_free(struct ledger *ledger); /* NULL is fine */

/* --- by workers, each with its number --- */

/* Finds the certificate: one VERIFIED now among the known, else wherever it is. False: it has no slot. */
bool ledger_find(struct ledger *ledger, const uint8_t fingerprint[32], bool verified,
                 struct ledger_ticket *ticket);
/* The same, and gives it a slot. False: out of memory, the ticket is void. NOW: seconds since 1970. */
bool ledger_enter(struct ledger *ledger, const struct ledger_identity *identity, bool verified, int64_t now,
                  struct ledger_ticket *ticket);

/* Without a lock. */
bool ledger_holds(const struct ledger *ledger, const struct ledger_ticket *ticket);
void ledger_add(struct ledger *ledger, unsigned worker, const struct ledger_ticket *ticket,
                enum ledger_count what, uint64_t n);
/* When it was seen last, where the ticket holds. */
void ledger_seen(struct ledger *ledger, unsigned worker, const struct ledger_ticket *ticket, int64_t now);
/* Of the certificate, by all workers, since it got its slot; 0 where the ticket is void. */
uint64_t ledger_sum(const struct ledger *ledger, const struct ledger_ticket *ticket, enum ledger_count what);

/* By what section it came, and why it was refused; NULL: nothing to say. Cut to what there is room for. */
void ledger_note(struct ledger *ledger, const struct ledger_ticket *ticket, const char *section,
                 const char *reason);

/* --- by whoever reads --- */

struct ledger_view {
    uint32_t slot, owner;
    bool verified;                   /* when it was entered */
    struct ledger_identity identity; /* borrowed */
    int64_t first_seen, last_seen;
    const char *section, *reason; /* the last ones; "" */
    uint64_t count[LEDGER_COUNTS];
    uint64_t fresh[LEDGER_COUNTS]; /* since they were taken last */
    uint64_t missed;               /* at most: events before it got its slot */
};

/* Calls SEE for each slot in use, the ledger locked for as long as that takes, and not from one to the next:
 * it must be quick. TAKE: what is fresh is taken. */
void ledger_each(struct ledger *ledger, bool take, void (*see)(void *arg, const struct ledger_view *view),
                 void *arg);
/* For one; false: the slot has another owner now. */
bool ledger_look(struct ledger *ledger, uint32_t slot, uint32_t owner,
                 void (*see)(void *arg, const struct ledger_view *view), void *arg);
/* The sum of those without a slot: COUNT since the beginning, FRESH since it was taken last. */
void ledger_others(struct ledger *ledger, bool take, uint64_t count[LEDGER_COUNTS],
                   uint64_t fresh[LEDGER_COUNTS]);

/* Connections open, of a view's counts. They are summed one after the other while workers count on. */
static inline uint64_t ledger_open(const uint64_t count[LEDGER_COUNTS])
{
    return count[LEDGER_OPENED] > count[LEDGER_CLOSED] ? count[LEDGER_OPENED] - count[LEDGER_CLOSED] : 0;
}

struct ledger_stats {
    size_t capacity, tracked;            /* known ones */
    size_t stranger_capacity, strangers; /* and the rest */
    size_t memory;                       /* bytes in use */
};
struct ledger_stats ledger_stats(struct ledger *ledger);

#endif
