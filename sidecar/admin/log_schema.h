/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What lines of the log may hold: every event and every field there is. Builds with sanitizers check each
 * line against it, a unit test every call in the source, and log.md is written from it.
 */
#ifndef SIDECAR_ADMIN_LOG_SCHEMA_H
#define SIDECAR_ADMIN_LOG_SCHEMA_H

#include <stddef.h>
#include <stdio.h>

struct log_event {
    const char *name;
    const char *stream; /* "sessions", "requests", "audit", "process" */
    const char *meaning;
};

struct log_field {
    const char *name;
    enum log_type { LOG_TYPE_TEXT, LOG_TYPE_NUMBER, LOG_TYPE_BOOL } type;
    const char *events; /* where it may stand, separated by blanks; "*": in every line */
    const char *meaning;
};

extern const struct log_event log_events[];
extern const size_t log_event_count;
extern const struct log_field log_fields[];
extern const size_t log_field_count;

/* NULL: there is none. */
const struct log_event *log_event_find(const char *name);
const struct log_field *log_field_find(const char *name);

/* The reference, as Markdown. */
void log_schema_print(FILE *out);

#endif
