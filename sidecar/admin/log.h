/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Structured log lines, as JSON or as text for people, written by a thread of its own: whoever logs never
 * waits for the reader. When the queue is full, lines are dropped and counted, and a line says so later.
 *
 * A line is built on the caller's stack: log_begin(), fields, log_end(). Values are escaped; whatever a peer
 * sent can neither end a line nor forge a field. Fields that do not fit are left out.
 *
 * The last lines of what an operator asks for first (refusals, reloads, credentials, the drain) are kept in
 * memory as well, whatever the level is and whether or not somebody reads: log_recent().
 */
#ifndef SIDECAR_ADMIN_LOG_H
#define SIDECAR_ADMIN_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log; /* safe to use from any thread */

enum {
    LOG_LINE_MAX = 4096,
    LOG_QUEUE = 256 * 1024,
    LOG_RECENT = 256, /* lines of each kind that are kept: refused connections, blocked requests, the rest */
};

/* Writes to FD (not closed). NULL when out of memory or a thread cannot be had. */
struct log *log_new(int fd, bool json, enum log_level level) __attribute__((warn_unused_result));
/* Writes what is queued, for at most a second, and frees. */
void log_free(struct log *log);

/* May be changed at any time. */
void log_set(struct log *log, bool json, enum log_level level);
/* Whether a line may be worth building: it would be written, or be a warning and perhaps kept. */
bool log_wants(const struct log *log, enum log_level level);
uint64_t log_dropped(const struct log *log); /* lines, since the start */

struct log_line {
    struct log *log; /* NULL: nobody wants this line */
    bool written;    /* else it is only kept */
    bool has_message;
    uint8_t kept; /* by which kind; LOG_KEPT_NOT: not */
    enum log_level level;
    const char *event; /* as which it is kept */
    uint64_t at_ms;
    size_t fields; /* in text: what follows the event */
    size_t size;
    char text[LOG_LINE_MAX]; /* JSON; made text, where that is wanted, at the end */
};

/* EVENT: what happened, and every KEY: as log_schema.c lists them. MESSAGE: in words, of
 * which half the line is taken at most, or NULL. */
void log_begin(struct log_line *line, struct log *log, enum log_level level, const char *event,
               const char *message);
/* Keeps the line as EVENT, a static text, whatever its own is. */
void log_keep(struct log_line *line, const char *event);
void log_text(struct log_line *line, const char *key, const char *value); /* NULL or "" is left out */
void log_number(struct log_line *line, const char *key, uint64_t value);
void log_bool(struct log_line *line, const char *key, bool value);
void log_end(struct log_line *line);

/* A line that was kept. */
struct log_kept {
    uint64_t at_ms; /* since 1970 */
    const char *level, *event;
    const char
        *fields; /* members of a JSON object with a comma before each, the message first, if there is one */
    size_t size;
    bool has_message;
};

/* Shows at most LIMIT kept lines to SEE, the newest first. Any thread; SEE may not log. */
void log_recent(struct log *log, size_t limit, void (*see)(void *arg, const struct log_kept *kept),
                void *arg);

/* A whole line: EVENT and a message made by printf's rules. */
void log_say(struct log *log, enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
