/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/admin/peer_lines.h"

#include <stdlib.h>
#include <string.h>

/* How much busier, at least, than the one whose line it takes. */
enum { BUSIER_PERCENT = 125, BUSIER = 10 };

struct line {
    char *name;
    uint64_t weight; /* events since it has the line, and those that gave it */
    uint64_t count[LEDGER_COUNTS];
};

struct peer_lines {
    struct line *line;
    size_t count, room, most;
    uint64_t others[LEDGER_COUNTS];
    /* Of this update: the busiest without a line. */
    char *next;
    uint64_t next_weight;
};

struct peer_lines *peer_lines_new(void)
{
    return calloc(1, sizeof(struct peer_lines));
}

void peer_lines_free(struct peer_lines *lines)
{
    if (lines == NULL)
        return;
    for (size_t i = 0; i < lines->count; i++)
        free(lines->line[i].name);
    free(lines->line);
    free(lines->next);
    free(lines);
}

static uint64_t events(const uint64_t count[LEDGER_COUNTS])
{
    return count[LEDGER_CONNECTIONS] + count[LEDGER_REQUESTS] + count[LEDGER_REFUSED];
}

static void add(uint64_t to[LEDGER_COUNTS], const uint64_t from[LEDGER_COUNTS])
{
    for (int c = 0; c < LEDGER_COUNTS; c++)
        to[c] += from[c];
}

static struct line *line_of(struct peer_lines *lines, const char *name)
{
    for (size_t i = 0; i < lines->count; i++) {
        if (strcmp(lines->line[i].name, name) == 0)
            return &lines->line[i];
    }
    return NULL;
}

static struct line *add_line(struct peer_lines *lines, const char *name)
{
    if (lines->count == lines->most)
        return NULL;
    if (lines->count == lines->room) {
        size_t room = lines->most;
        struct line *more = realloc(lines->line, room * sizeof *more);
        if (more == NULL)
            return NULL;
        lines->line = more;
        lines->room = room;
    }
    char *copy = strdup(name);
    if (copy == NULL)
        return NULL;
    lines->line[lines->count] = (struct line){.name = copy};
    return &lines->line[lines->count++];
}

static const char other[] = "other";

/* Strangers choose their own names: they are of the others, as is who is called like them. */
static void see(void *arg, const struct ledger_view *view)
{
    struct peer_lines *lines = arg;
    bool named = view->verified && strcmp(view->identity.name, other) != 0;
    struct line *line = named ? line_of(lines, view->identity.name) : NULL;
    if (line == NULL && named)
        line = add_line(lines, view->identity.name);
    if (line) {
        add(line->count, view->fresh);
        line->weight += events(view->fresh);
        return;
    }
    add(lines->others, view->fresh);
    uint64_t weight = events(view->count);
    if (!named || lines->most == 0 || weight <= lines->next_weight)
        return;
    char *copy = strdup(view->identity.name);
    if (copy == NULL)
        return;
    free(lines->next);
    lines->next = copy;
    lines->next_weight = weight;
}

static struct line *least(struct peer_lines *lines)
{
    struct line *least = &lines->line[0];
    for (size_t i = 1; i < lines->count; i++) {
        if (lines->line[i].weight < least->weight)
            least = &lines->line[i];
    }
    return least;
}

static void take_over(struct peer_lines *lines)
{
    struct line *line = lines->next && lines->count != 0 ? least(lines) : NULL;
    if (line == NULL || lines->next_weight < line->weight * BUSIER_PERCENT / 100 + BUSIER)
        return;
    free(line->name);
    *line = (struct line){.name = lines->next, .weight = lines->next_weight};
    lines->next = NULL;
}

void peer_lines_update(struct peer_lines *lines, struct ledger *ledger, size_t most)
{
    uint64_t count[LEDGER_COUNTS], fresh[LEDGER_COUNTS];
    lines->most = most;
    while (lines->count > most) {
        struct line *line = least(lines);
        free(line->name);
        *line = lines->line[--lines->count];
    }
    free(lines->next);
    lines->next = NULL;
    lines->next_weight = 0;
    ledger_each(ledger, true, see, lines);
    ledger_others(ledger, true, count, fresh);
    add(lines->others, fresh);
    take_over(lines);
}

static uint64_t figure(const uint64_t count[LEDGER_COUNTS], enum metric family)
{
    switch ((int)family) {
    case METRIC_CALLER_CONNECTIONS: return count[LEDGER_CONNECTIONS];
    case METRIC_CALLER_REQUESTS: return count[LEDGER_REQUESTS];
    case METRIC_CALLER_RECEIVED: return count[LEDGER_RECEIVED];
    case METRIC_CALLER_SENT: return count[LEDGER_SENT];
    default: return count[LEDGER_REFUSED] + count[LEDGER_BLOCKED];
    }
}

void peer_lines_render(const struct peer_lines *lines, struct metrics_text *out)
{
    static const enum metric families[] = {METRIC_CALLER_CONNECTIONS, METRIC_CALLER_REQUESTS,
                                           METRIC_CALLER_RECEIVED, METRIC_CALLER_SENT, METRIC_CALLER_REFUSED};
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        metrics_family(out, families[f]);
        for (size_t i = 0; i < lines->count; i++)
            metrics_integer(out, "caller", lines->line[i].name, figure(lines->line[i].count, families[f]));
        metrics_integer(out, "caller", other, figure(lines->others, families[f]));
    }
}
