/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The lines of a file as sections and entries, by inih, with the place of each. Every way in which inih would
 * silently cut or reinterpret a line is told as a problem here, or kept from happening.
 */
#ifndef CONFIG_LINES_H
#define CONFIG_LINES_H

#include "config/arena.h"
#include "config/config.h"
#include "config/table.h"

enum { CONFIG_SECTIONS_MAX = 4096 };

/* `name = value`, in the order of the file. */
struct config_lines_entry {
    struct config_lines_entry *next;
    const char *name;
    struct config_place place;    /* of the name */
    struct config_text value;     /* may be empty; a segment for each line */
    bool broken;                  /* a mistake in the value was told already */
    const struct config_key *key; /* filled by whoever reads the entries; NULL: not known */
};

/* `[kind name]` and what follows it. */
struct config_lines_section {
    struct config_lines_section *next;
    const struct config_section *kind; /* NULL: not known, and told */
    const char *name;                  /* NULL: none was given */
    struct config_place place;         /* of the bracket */
    unsigned length;                   /* with both brackets */
    struct config_place name_place;
    struct config_lines_entry *first, *last;
    struct config_lines_entry
        *seen[CONFIG_KEYS_MAX]; /* filled by whoever reads the entries, by place in the table */
};

/* Reads TEXT; problems go to the report. NULL: no memory. */
struct config_lines_section *config_lines_read(struct config_arena *arena, const char *text, size_t length,
                                               struct config_report *report, bool *ok);

#endif
