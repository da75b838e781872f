/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Judging every live session, a few at a time. Sessions that come meanwhile stand before those that are left
 * (a worker's list has the newest first): they are judged when they come. What changes meanwhile is of
 * concern to those judged before, too: all have their turn again once this pass is over, so that changes
 * without end cannot keep the last from theirs. Pure: no loop, no clock.
 */
#ifndef SIDECAR_PROXY_SWEEP_H
#define SIDECAR_PROXY_SWEEP_H

#include <stdbool.h>

#include "sidecar/proxy/session.h"

/* Begins as {0}: nothing is under way. */
struct sweep {
    struct session *at; /* the next to be judged */
    bool again;         /* something has changed since the pass began */
};

bool sweep_under_way(const struct sweep *sweep);

/* Something has changed: all from FIRST on are to be judged. */
void sweep_start(struct sweep *sweep, struct session *first);

/* Whom to judge now, where FIRST is the first there is; NULL: all are judged. */
struct session *sweep_next(struct sweep *sweep, struct session *first);

/* SESSION is about to leave the list. */
void sweep_leave(struct sweep *sweep, const struct session *session);

#endif
