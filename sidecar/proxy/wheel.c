/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/wheel.h"

#include <string.h>

/* The tick at which DUE has certainly passed. */
static uint64_t tick_of(uint64_t due)
{
    return due / WHEEL_TICK + (due % WHEEL_TICK != 0);
}

void wheel_init(struct wheel *wheel, uint64_t now)
{
    memset(wheel, 0, sizeof *wheel);
    wheel->tick = now / WHEEL_TICK;
}

void wheel_set(struct wheel *wheel, struct wheel_entry *entry, uint64_t due)
{
    wheel_clear(wheel, entry);
    uint64_t tick = tick_of(due);
    if (tick <= wheel->tick)
        tick = wheel->tick + 1;
    struct wheel_entry **slot = &wheel->slot[tick % WHEEL_SLOTS];
    entry->due = due;
    entry->next = *slot;
    if (entry->next)
        entry->next->prev = &entry->next;
    entry->prev = slot;
    *slot = entry;
    wheel->count++;
}

void wheel_clear(struct wheel *wheel, struct wheel_entry *entry)
{
    if (entry->prev == NULL)
        return;
    *entry->prev = entry->next;
    if (entry->next)
        entry->next->prev = entry->prev;
    entry->next = NULL;
    entry->prev = NULL;
    wheel->count--;
}

struct wheel_entry *wheel_expire(struct wheel *wheel, uint64_t now)
{
    uint64_t last = now / WHEEL_TICK;
    if (wheel->count == 0) {
        if (wheel->tick < last)
            wheel->tick = last;
        return NULL;
    }
    /* After a long sleep one round over all slots sees everything that is due. */
    if (last > wheel->tick + WHEEL_SLOTS)
        wheel->tick = last - WHEEL_SLOTS;
    while (wheel->tick < last) {
        struct wheel_entry *e = wheel->slot[(wheel->tick + 1) % WHEEL_SLOTS];
        for (; e; e = e->next) {
            if (e->due <= now) {
                wheel_clear(wheel, e);
                return e;
            }
        }
        wheel->tick++;
    }
    return NULL;
}

uint64_t wheel_next(const struct wheel *wheel, uint64_t now)
{
    if (wheel->count == 0)
        return UINT64_MAX;
    for (uint64_t t = wheel->tick + 1; t <= wheel->tick + WHEEL_SLOTS; t++) {
        if (wheel->slot[t % WHEEL_SLOTS] == NULL)
            continue;
        uint64_t at = t * WHEEL_TICK;
        return at > now ? at - now : 0;
    }
    return UINT64_MAX;
}
