/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Quarantine: a certificate that is refused too often, or that asks in a strange order, is refused for a
 * time.
 *
 * What is remembered of certificates stands in one bounded table that all workers share and that outlives
 * snapshots: one for those in quarantine and what led there, so that an administrator can list and lift them.
 * Times are milliseconds of a clock that never goes back.
 */
#ifndef SIDECAR_RULES_QUARANTINE_H
#define SIDECAR_RULES_QUARANTINE_H

#include "sidecar/rules/lru.h"
#include "sidecar/rules/rules.h"

enum { QUARANTINE_NAME_MAX = 64, QUARANTINE_FINGERPRINT = 32 };

/* [quarantine NAME]; belongs to a snapshot. The name is cut to QUARANTINE_NAME_MAX - 1 bytes. */
struct quarantine_rule {
    const char *name;
    uint32_t threshold; /* refusals within PERIOD that lead to it, at least 1 */
    uint64_t period;
    uint64_t duration;
};

struct quarantine;

/* ENTRIES certificates at most. NULL without memory. */
struct quarantine *quarantine_new(size_t entries, const uint8_t secret[16])
    __attribute__((warn_unused_result));
void quarantine_free(struct quarantine *quarantine);

/*
 * A certificate (SHA-256 fingerprint of the leaf) was refused, or broke a sequence. Returns whether it went
 * into quarantine just now.
 */
bool quarantine_note(struct quarantine *quarantine, const struct quarantine_rule *rule,
                     const uint8_t fingerprint[QUARANTINE_FINGERPRINT], uint64_t now);

/*
 * For how many milliseconds more the certificate is in the quarantine of RULE; 0: it is not. Takes no lock
 * while none is.
 */
uint64_t quarantine_left(struct quarantine *quarantine, const struct quarantine_rule *rule,
                         const uint8_t fingerprint[QUARANTINE_FINGERPRINT], uint64_t now);

/* How often a certificate went in or was lifted: where it has changed, live sessions are to be judged again.
 */
uint64_t quarantine_changes(const struct quarantine *quarantine);

/* One certificate in quarantine. */
struct quarantine_entry {
    uint8_t fingerprint[QUARANTINE_FINGERPRINT];
    char rule[QUARANTINE_NAME_MAX];
    uint64_t since, until;
    uint64_t noted; /* refusals that led to it, and those since */
};

/* Calls SEE for each certificate in quarantine; it must not call this module. */
void quarantine_list(struct quarantine *quarantine, uint64_t now,
                     void (*see)(void *arg, const struct quarantine_entry *entry), void *arg);

/* Frees a certificate of every quarantine. Returns of how many. */
size_t quarantine_lift(struct quarantine *quarantine, const uint8_t fingerprint[QUARANTINE_FINGERPRINT],
                       uint64_t now);

/* How many are in quarantine. To be asked now and then: what is over is forgotten by it. */
size_t quarantine_count(struct quarantine *quarantine, uint64_t now);
/* Of the table as a whole. */
void quarantine_stats(struct quarantine *quarantine, struct rules_lru_stats *stats);

#endif
