/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The figures of the local services, to be served with the sidecar's own: [scrape NAME]. One port then serves
 * a pod's metrics, and the service's own needs no hole in mutual TLS.
 *
 * Text format 0.0.4. What a service says of families that begin with "outrider_" is left out, so that nobody
 * speaks for the sidecar; other comments than HELP and TYPE go, too. A family stands together, whoever says
 * something of it, and has the first HELP and TYPE that was said of it.
 */
#ifndef SIDECAR_ADMIN_SCRAPE_H
#define SIDECAR_ADMIN_SCRAPE_H

#include <uv.h>

#include "config/config.h"
#include "sidecar/admin/metrics.h"
#include "sidecar/net/endpoint.h"

enum {
    SCRAPE_MAX = 8 << 20,  /* bytes of one service's answer */
    SCRAPE_RUNS = 1 << 17, /* of all: pieces of their texts that are of one family each */
};

/* Texts of services that become one; begins as {0}. */
struct scrape_merge {
    struct scrape_run *run;
    size_t count, capacity;
};

/*
 * Takes TEXT, which must stay until all is written. Its samples get the label scrape="LABEL", unless LABEL is
 * NULL or they have one of that name. False: too many families, or out of memory; nothing of it was taken.
 */
bool scrape_merge_take(struct scrape_merge *merge, const char *label, const char *text, size_t size)
    __attribute__((warn_unused_result));
/* Appends it all to OUT, by family name, and lets go of what MERGE holds. */
void scrape_merge_write(struct scrape_merge *merge, struct metrics_text *out);

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
