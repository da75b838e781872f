/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/admin/log.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sidecar/admin/log_schema.h"

struct log {
    int fd;
    bool json;            /* atomic */
    enum log_level level; /* atomic */
    uint64_t dropped;     /* atomic */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    /* Under the mutex: bytes queued from START on, round the end of the ring. */
    size_t start, used;
    uint64_t dropped_told;
    bool stop;
    char ring[LOG_QUEUE];
};

static const char *const level_names[] = {"error", "warn", "info", "debug"};

/* False: the reader is gone, or TIMEOUT (ms, -1: none) has passed. */
static bool write_all(int fd, const char *data, size_t size, int timeout)
{
    while (size != 0) {
        ssize_t n = write(fd, data, size);
        if (n > 0) {
            data += n;
            size -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            struct pollfd p = {.fd = fd, .events = POLLOUT};
            if (poll(&p, 1, timeout) == 0)
                return false;
        } else if (n < 0 && errno != EINTR) {
            return false;
        }
    }
    return true;
}

static void *writer(void *arg)
{
    struct log *log = arg;
    (void)pthread_mutex_lock(&log->mutex);
    while (true) {
        while (log->used == 0 && !log->stop)
            (void)pthread_cond_wait(&log->filled, &log->mutex);
        if (log->used == 0)
            break;
        size_t n = log->used;
        if (n > LOG_QUEUE - log->start)
            n = LOG_QUEUE - log->start;
        const char *from = log->ring + log->start;
        int timeout = log->stop ? 1000 : -1;
        (void)pthread_mutex_unlock(&log->mutex);
        bool ok = write_all(log->fd, from, n, timeout);
        (void)pthread_mutex_lock(&log->mutex);
        log->start = (log->start + n) % LOG_QUEUE;
        log->used -= n;
        if (!ok && log->stop)
            break;
    }
    (void)pthread_mutex_unlock(&log->mutex);
    return NULL;
}

struct log *log_new(int fd, bool json, enum log_level level)
{
    struct log *log = calloc(1, sizeof *log);
    if (log == NULL)
        return NULL;
    log->fd = fd;
    log->json = json;
    log->level = level;
    (void)pthread_mutex_init(&log->mutex, NULL);
    (void)pthread_cond_init(&log->filled, NULL);
    if (pthread_create(&log->thread, NULL, writer, log) != 0) {
        free(log);
        return NULL;
    }
    return log;
}

void log_free(struct log *log)
{
    if (log == NULL)
        return;
    (void)pthread_mutex_lock(&log->mutex);
    log->stop = true;
    (void)pthread_cond_signal(&log->filled);
    (void)pthread_mutex_unlock(&log->mutex);
    (void)pthread_join(log->thread, NULL);
    (void)pthread_cond_destroy(&log->filled);
    (void)pthread_mutex_destroy(&log->mutex);
    free(log);
}

void log_set(struct log *log, bool json, enum log_level level)
{
    __atomic_store_n(&log->json, json, __ATOMIC_RELAXED);
    __atomic_store_n(&log->level, level, __ATOMIC_RELAXED);
}

bool log_wants(const struct log *log, enum log_level level)
{
    return log != NULL && level <= __atomic_load_n(&log->level, __ATOMIC_RELAXED);
}

uint64_t log_dropped(const struct log *log)
{
    return __atomic_load_n(&log->dropped, __ATOMIC_RELAXED);
}

static void put(struct log *log, const char *text, size_t size)
{
    size_t at = (log->start + log->used) % LOG_QUEUE;
    size_t first = LOG_QUEUE - at < size ? LOG_QUEUE - at : size;
    memcpy(log->ring + at, text, first);
    memcpy(log->ring, text + first, size - first);
    log->used += size;
}

static void enqueue(struct log *log, const struct log_line *line)
{
    char told[160];
    (void)pthread_mutex_lock(&log->mutex);
    if (LOG_QUEUE - log->used < line->size + sizeof told) {
        __atomic_add_fetch(&log->dropped, 1, __ATOMIC_RELAXED);
    } else {
        uint64_t dropped = __atomic_load_n(&log->dropped, __ATOMIC_RELAXED);
        if (dropped != log->dropped_told) {
            int n = snprintf(told, sizeof told,
                             line->json ? "{\"level\":\"warn\",\"event\":\"log\",\"dropped\":%llu}\n"
                                        : "warn  log dropped=%llu\n",
                             (unsigned long long)(dropped - log->dropped_told));
            put(log, told, (size_t)n);
            log->dropped_told = dropped;
        }
        put(log, line->text, line->size);
        (void)pthread_cond_signal(&log->filled);
    }
    (void)pthread_mutex_unlock(&log->mutex);
}

/* Builds with sanitizers, which tests run, know every event and field. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KNOWN(what, name) assert(log_##what##_find(name))
#else
#define KNOWN(what, name) ((void)0)
#endif

/* --- building a line --- */

enum { TAIL = 3 /* closing brace, newline, zero */ };

static size_t room(const struct log_line *line)
{
    return LOG_LINE_MAX - TAIL - line->size;
}

static bool append(struct log_line *line, const char *text, size_t size)
{
    if (size > room(line))
        return false;
    memcpy(line->text + line->size, text, size);
    line->size += size;
    return true;
}

/* One character of a quoted value; JSON's escapes serve for text as well. */
static bool append_escaped(struct log_line *line, unsigned char c)
{
    char esc[8];
    if (c == '"' || c == '\\')
        return append(line, (char[]){'\\', (char)c}, 2);
    if (c >= 0x20 && c < 0x7f)
        return append(line, (const char *)&c, 1);
    int n = snprintf(esc, sizeof esc, "\\u%04x", c);
    return append(line, esc, (size_t)n);
}

static bool is_plain(const char *value)
{
    for (const unsigned char *p = (const unsigned char *)value; *p; p++) {
        if (*p <= 0x20 || *p >= 0x7f || *p == '"' || *p == '\\' || *p == '=')
            return false;
    }
    return true;
}

static bool append_key(struct log_line *line, const char *key)
{
    KNOWN(field, key);
    if (line->json)
        return append(line, ",\"", 2) && append(line, key, strlen(key)) && append(line, "\":", 2);
    return append(line, " ", 1) && append(line, key, strlen(key)) && append(line, "=", 1);
}

static bool append_quoted(struct log_line *line, const char *value)
{
    bool ok = append(line, "\"", 1);
    for (const unsigned char *p = (const unsigned char *)value; ok && *p; p++)
        ok = append_escaped(line, *p);
    return ok && append(line, "\"", 1);
}

void log_text(struct log_line *line, const char *key, const char *value)
{
    size_t before = line->size;
    if (line->log == NULL || value == NULL || *value == '\0')
        return;
    bool ok = append_key(line, key);
    if (ok && !line->json && is_plain(value))
        ok = append(line, value, strlen(value));
    else if (ok)
        ok = append_quoted(line, value);
    if (!ok)
        line->size = before;
}

static void append_bare(struct log_line *line, const char *key, const char *value)
{
    size_t before = line->size;
    if (line->log == NULL)
        return;
    if (!append_key(line, key) || !append(line, value, strlen(value)))
        line->size = before;
}

void log_number(struct log_line *line, const char *key, uint64_t value)
{
    char digits[24];
    (void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    append_bare(line, key, digits);
}

void log_bool(struct log_line *line, const char *key, bool value)
{
    append_bare(line, key, value ? "true" : "false");
}

void log_begin(struct log_line *line, struct log *log, enum log_level level, const char *event,
               const char *message)
{
    struct timespec now;
    struct tm tm;
    char stamp[40];

    line->size = 0;
    line->log = log_wants(log, level) ? log : NULL;
    if (line->log == NULL)
        return;
    KNOWN(event, event);
    line->json = __atomic_load_n(&log->json, __ATOMIC_RELAXED);
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &tm);
    size_t n = strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(stamp + n, sizeof stamp - n, ".%03dZ", (int)(now.tv_nsec / 1000000));
    if (line->json) {
        (void)append(line, "{\"time\":\"", 9);
        (void)append(line, stamp, strlen(stamp));
        (void)append(line, "\"", 1);
        log_text(line, "level", level_names[level]);
        log_text(line, "event", event);
        log_text(line, "message", message);
    } else {
        int size = snprintf(line->text, LOG_LINE_MAX - TAIL, "%s %-5s %s", stamp, level_names[level], event);
        line->size = (size_t)size;
        if (message != NULL) {
            (void)append(line, ": ", 2);
            for (const unsigned char *p = (const unsigned char *)message; *p; p++) {
                if (!(*p == '"' ? append(line, "\"", 1) : append_escaped(line, *p)))
                    break;
            }
        }
    }
}

void log_end(struct log_line *line)
{
    if (line->log == NULL)
        return;
    if (line->json)
        line->text[line->size++] = '}';
    line->text[line->size++] = '\n';
    enqueue(line->log, line);
}

void log_say(struct log *log, enum log_level level, const char *event, const char *format, ...)
{
    struct log_line line;
    char message[2048];
    va_list args;
    if (!log_wants(log, level))
        return;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    log_begin(&line, log, level, event, message);
    log_end(&line);
}
