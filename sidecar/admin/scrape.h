/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The figures of the local services, to be served with the sidecar's own: [scrape NAME]. One port then serves
 * a pod's metrics, and the service's own needs no hole in mutual TLS.
 *
 * Text format 0.0.4. What a service says of families that begin with "outrider_" is left out, so that nobody
 * speaks for the sidecar; other comments than HELP and TYPE go, too.
 */
#ifndef SIDECAR_ADMIN_SCRAPE_H
#define SIDECAR_ADMIN_SCRAPE_H

#include <uv.h>

#include "config/config.h"
#include "sidecar/admin/metrics.h"
#include "sidecar/net/endpoint.h"

enum { SCRAPE_MAX = 8 << 20 /* bytes of one service's answer */ };

/* Appends the SIZE bytes of TEXT to OUT, as said above. */
void scrape_merge(struct metrics_text *out, const char *text, size_t size);

/* An answer that is coming: HTTP/1.1 as llhttp reads it. */
struct scrape_answer;
struct scrape_answer *scrape_answer_new(void) __attribute__((warn_unused_result));
void scrape_answer_free(struct scrape_answer *answer);
/* False: it is over, and says how: scrape_answer_error(). */
bool scrape_answer_feed(struct scrape_answer *answer, const void *data, size_t size);
/* The connection has ended. */
void scrape_answer_finish(struct scrape_answer *answer);
/* NULL: all is there, and good. Else why not, in words, valid until it is freed. */
const char *scrape_answer_error(const struct scrape_answer *answer);
const char *scrape_answer_body(const struct scrape_answer *answer, size_t *size);

struct scrape;

/* What TEXT holds becomes the callee's. */
typedef void (*scrape_cb)(void *arg, struct metrics_text *text);

/*
 * Asks all of COUNT services at once; CB gets what they said, and of each whether it did (the family
 * scrape_up). MIND: CB may come before it returns, which then is NULL.
 */
struct scrape *scrape_start(uv_loop_t *loop, struct endpoint_io *io, const struct config_scrape *config,
                            size_t count, scrape_cb cb, void *arg) __attribute__((warn_unused_result));
void scrape_cancel(struct scrape *scrape); /* no callback; NULL is fine */

#endif
