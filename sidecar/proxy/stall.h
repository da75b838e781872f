/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How long a loop is kept from its sockets: its longest turn of late, from waking until it waits again, and
 * the longest piece of work that the last reload gave it. Kept by the loop's thread, read by any.
 */
#ifndef SIDECAR_PROXY_STALL_H
#define SIDECAR_PROXY_STALL_H

#include <stdint.h>
#include <uv.h>

enum { STALL_WINDOW = 15 }; /* s: what is told is the longest of this window and the one before it */

struct stall {
    uv_prepare_t prepare;
    uv_check_t check;
    /* ns of uv_hrtime() */
    uint64_t polled; /* when the loop went to wait */
    uint64_t woken;  /* when it had something to do; 0: not yet */
    uint64_t window_end;
    uint64_t longest, longest_before; /* atomic */
    uint64_t busy;                    /* atomic: all turns together */
    uint64_t reload;                  /* atomic */
};

/* A negative UV_ error. The handles do not keep the loop alive, but are to be closed: stall_close(). */
int stall_init(struct stall *stall, uv_loop_t *loop);
void stall_close(struct stall *stall);

/* A turn took NS, and ended at NOW. */
void stall_note_turn(struct stall *stall, uint64_t now, uint64_t ns);
/* ns; up to a millisecond more than it was. */
uint64_t stall_longest(const struct stall *stall);

uint64_t stall_busy(const struct stall *stall); /* ns in turns, all together */

void stall_reload_begins(struct stall *stall);
/* A piece of the reload's work, done in one go, began at START (uv_hrtime()) and has ended. */
void stall_reload_worked(struct stall *stall, uint64_t start);
uint64_t stall_reload(const struct stall *stall); /* ns */

#endif
