/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/sweep.h"

bool sweep_under_way(const struct sweep *sweep)
{
    return sweep->at || sweep->again;
}

void sweep_start(struct sweep *sweep, struct session *first)
{
    if (sweep_under_way(sweep))
        sweep->again = true;
    else
        sweep->at = first;
}

struct session *sweep_next(struct sweep *sweep, struct session *first)
{
    if (sweep->at == NULL && sweep->again) {
        sweep->again = false;
        sweep->at = first;
    }
    struct session *next = sweep->at;
    if (next)
        sweep->at = next->next;
    return next;
}

void sweep_leave(struct sweep *sweep, const struct session *session)
{
    if (sweep->at == session)
        sweep->at = session->next;
}
