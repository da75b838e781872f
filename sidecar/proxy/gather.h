/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The main thread asks all workers something, each answers on its own thread, a slice a turn of its loop, and
 * the answers come back together. A worker that does not answer in time is left out: its late answer is
 * thrown away. Nothing of it is on the hot path.
 */
#ifndef SIDECAR_PROXY_GATHER_H
#define SIDECAR_PROXY_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct worker;

enum {
    GATHER_TIME = 1000,    /* ms for all workers to answer */
    GATHER_SLICE = 500000, /* ns of a worker's time at once */
};

/* What is asked. A part is what one worker answers; memory of SIZE bytes, zeroed at first. */
struct gather_question {
    size_t size;
    /*
     * On the worker's thread. False: call again with the loop's next turn, the time is over (GATHER_SLICE).
     * WORKER.ask_at may be used to walk over its sessions: set it when *BEGUN is false; a session that ends
     * moves it on.
     */
    bool (*visit)(struct worker *worker, void *part, const void *ask, bool *begun);
    /* Frees what a part holds; on any thread. NULL: nothing. */
    void (*clear)(void *part);
    /* On the main thread, once, unless cancelled: PARTS[i] is worker I's, NULL where it did not answer. Valid
     * during the call. */
    void (*done)(void *arg, void *const *parts, unsigned count);
};

/* The main thread's side of it. */
struct gather_hub;

struct gather_hub *gather_hub_new(uv_loop_t *loop, struct worker *const *workers, unsigned count)
    __attribute__((warn_unused_result)); /* NULL when out of memory */
/* What is open is cancelled; the handles close with the loop's next turns. */
void gather_hub_stop(struct gather_hub *hub);
/* After the workers have ended. */
void gather_hub_free(struct gather_hub *hub);

struct gather;

/* ASK (of ASK_SIZE bytes, copied) is for VISIT. NULL when out of memory: DONE is not called. */
struct gather *gather_start(struct gather_hub *hub, const struct gather_question *question, const void *ask,
                            size_t ask_size, void *arg) __attribute__((warn_unused_result));
void gather_cancel(struct gather *gather); /* no DONE */

/* --- for the worker --- */

/* One worker's part of a gather, in its queue. */
struct gather_part {
    struct gather_part *next;
    struct gather *gather;
    unsigned index; /* of the worker */
    bool begun;
    bool answered; /* atomic */
    void *memory;
};

/* Goes on with PART, the first in the worker's queue; true: it is over and no longer the worker's. */
bool gather_visit(struct gather_part *part, struct worker *worker);
/* The worker ends and does not answer. */
void gather_drop(struct gather_part *part);

#endif
