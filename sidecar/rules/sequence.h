/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sequences: requests of one certificate in an order that is expected, A -> B -> C. A step may come again,
 * and the first may always come; a later step that comes without the one before it (itself rightly come)
 * within the window breaks the sequence. What was seen stands in a bounded table that all workers share.
 */
#ifndef SIDECAR_RULES_SEQUENCE_H
#define SIDECAR_RULES_SEQUENCE_H

#include "sidecar/rules/lru.h"
#include "sidecar/rules/rules.h"

enum { SEQUENCE_STEPS_MAX = 8 };

struct sequence;

/*
 * Compiles "A -> B -> C" (two to SEQUENCE_STEPS_MAX steps): names of expressions (letters, digits, - and _)
 * that FIND resolves; false from it: there is none. WINDOW is milliseconds. NULL on a mistake, which ERROR
 * tells: with its offset in TEXT, but a mistake within the expression of a step with its offset there and
 * *STEP >= 0.
 */
struct sequence *
sequence_new(const char *name, const char *text, uint64_t window, const struct rules_env *env,
             bool (*find)(void *arg, const char *name, size_t size, struct rules_bytes *expression),
             void *arg, struct rules_error *error, int *step) __attribute__((warn_unused_result));
void sequence_free(struct sequence *sequence);
const char *sequence_name(const struct sequence *sequence);
uint8_t sequence_phases(const struct sequence *sequence);
bool sequence_uses(const struct sequence *sequence, unsigned field);

/* What certificates have done; lives as long as the process. Free with rules_lru_free(). */
struct rules_lru *sequence_table_new(size_t entries, const uint8_t secret[16])
    __attribute__((warn_unused_result));

/*
 * A request of the certificate. Returns the number of the step that it takes without its predecessor, or -1:
 * it is none of the steps, or in order. NOW is milliseconds of a clock that never goes back.
 */
int sequence_request(const struct sequence *sequence, struct rules_lru *table, const uint8_t fingerprint[32],
                     struct rules_context *context, struct rules_scratch *scratch, uint64_t now);

#endif
