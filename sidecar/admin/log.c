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
#include "sidecar/rules/json.h"

enum { KEPT_REFUSED, KEPT_BLOCKED, KEPT_OTHER, KEPT_KINDS, KEPT_NOT };

struct recent {
    unsigned refs; /* under the log's mutex */
    uint64_t number;
    struct log_kept kept;
    char text[];
};

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
    struct recent *recent[KEPT_KINDS][LOG_RECENT];
    size_t recent_next[KEPT_KINDS];
    uint64_t recent_count;
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
    for (size_t i = 0; i < (size_t)KEPT_KINDS * LOG_RECENT; i++)
        free(log->recent[i / LOG_RECENT][i % LOG_RECENT]);
    free(log);
}

void log_set(struct log *log, bool json, enum log_level level)
{
    __atomic_store_n(&log->json, json, __ATOMIC_RELAXED);
    __atomic_store_n(&log->level, level, __ATOMIC_RELAXED);
}

static bool is_written(const struct log *log, enum log_level level)
{
    return level <= __atomic_load_n(&log->level, __ATOMIC_RELAXED);
}

bool log_wants(const struct log *log, enum log_level level)
{
    return log != NULL && (level <= LOG_WARN || is_written(log, level));
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

/* TEXT: the line as it is to be written. */
static void enqueue(struct log *log, const char *text, size_t size)
{
    char told[160];
    (void)pthread_mutex_lock(&log->mutex);
    if (LOG_QUEUE - log->used < size + sizeof told) {
        __atomic_add_fetch(&log->dropped, 1, __ATOMIC_RELAXED);
    } else {
        uint64_t dropped = __atomic_load_n(&log->dropped, __ATOMIC_RELAXED);
        if (dropped != log->dropped_told) {
            int n = snprintf(told, sizeof told,
                             text[0] == '{' ? "{\"level\":\"warn\",\"event\":\"log\",\"dropped\":%llu}\n"
                                            : "warn  log dropped=%llu\n",
                             (unsigned long long)(dropped - log->dropped_told));
            put(log, told, (size_t)n);
            log->dropped_told = dropped;
        }
        put(log, text, size);
        (void)pthread_cond_signal(&log->filled);
    }
    (void)pthread_mutex_unlock(&log->mutex);
}

/* --- what is kept --- */

static uint8_t kept_as(const char *event, enum log_level level)
{
    static const struct {
        const char *event;
        uint8_t kind;
        enum log_level level; /* and what is worse */
    } kinds[] = {
        {"refused", KEPT_REFUSED, LOG_WARN},  {"session", KEPT_REFUSED, LOG_WARN},
        {"rule", KEPT_REFUSED, LOG_WARN},     {"blocked", KEPT_BLOCKED, LOG_INFO},
        {"request", KEPT_BLOCKED, LOG_WARN},  {"ratelimit", KEPT_REFUSED, LOG_WARN},
        {"sequence", KEPT_REFUSED, LOG_WARN},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(event, kinds[i].event) == 0)
            return level <= kinds[i].level ? kinds[i].kind : KEPT_NOT;
    }
    return level <= LOG_INFO ? KEPT_OTHER : KEPT_NOT;
}

static void unref(struct recent *r)
{
    if (r && --r->refs == 0)
        free(r);
}

static void keep(struct log *log, const struct log_line *line)
{
    size_t size = line->size - line->fields;
    struct recent *r = malloc(sizeof *r + size);
    if (r == NULL)
        return;
    memcpy(r->text, line->text + line->fields, size);
    r->refs = 1;
    r->kept = (struct log_kept){line->at_ms, level_names[line->level], line->event, r->text,
                                size,        line->has_message};
    (void)pthread_mutex_lock(&log->mutex);
    struct recent **at = &log->recent[line->kept][log->recent_next[line->kept]++ % LOG_RECENT];
    r->number = log->recent_count++;
    unref(*at);
    *at = r;
    (void)pthread_mutex_unlock(&log->mutex);
}

static int newer(const void *a, const void *b)
{
    const struct recent *x = *(struct recent *const *)a, *y = *(struct recent *const *)b;
    return x->number < y->number ? 1 : -1;
}

void log_recent(struct log *log, size_t limit, void (*see)(void *arg, const struct log_kept *kept), void *arg)
{
    struct recent *all[KEPT_KINDS * LOG_RECENT];
    size_t count = 0;
    (void)pthread_mutex_lock(&log->mutex);
    for (size_t i = 0; i < (size_t)KEPT_KINDS * LOG_RECENT; i++) {
        struct recent *r = log->recent[i / LOG_RECENT][i % LOG_RECENT];
        if (r) {
            r->refs++;
            all[count++] = r;
        }
    }
    (void)pthread_mutex_unlock(&log->mutex);
    qsort(all, count, sizeof all[0], newer);
    for (size_t i = 0; i < count && i < limit; i++)
        see(arg, &all[i]->kept);
    (void)pthread_mutex_lock(&log->mutex);
    for (size_t i = 0; i < count; i++)
        unref(all[i]);
    (void)pthread_mutex_unlock(&log->mutex);
}

/* Builds with sanitizers, which tests run, know every event and field. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KNOWN(what, name) assert(log_##what##_find(name))
#else
#define KNOWN(what, name) ((void)0)
#endif

/* --- building a line --- */

enum {
    TAIL = 3, /* closing brace, newline, zero */
    MESSAGE_MAX = LOG_LINE_MAX / 2,
};

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

struct quoting {
    struct log_line *line;
    size_t room; /* for what is within the quotes */
    bool whole;  /* so far */
};

/* As much of it as there is room for; an escape is not cut. */
static void add_piece(void *arg, const void *piece, size_t size)
{
    struct quoting *q = arg;
    size_t n = size <= q->room ? size : *(const char *)piece == '\\' ? 0 : q->room;
    if (!q->whole)
        return;
    q->whole = n == size;
    q->room -= n;
    (void)append(q->line, piece, n);
}

/* Of VALUE, at most MOST bytes as they are written. *WHOLE: whether that is all of it. */
static bool append_quoted(struct log_line *line, const char *value, size_t most, bool *whole)
{
    struct quoting q = {line, 0, true};
    if (room(line) < 2)
        return false;
    q.room = room(line) - 2 < most ? room(line) - 2 : most;
    (void)append(line, "\"", 1);
    json_escape_ascii(value, strlen(value), add_piece, &q);
    *whole = q.whole;
    return append(line, "\"", 1);
}

static bool append_key(struct log_line *line, const char *key)
{
    KNOWN(field, key);
    return append(line, ",\"", 2) && append(line, key, strlen(key)) && append(line, "\":", 2);
}

void log_text(struct log_line *line, const char *key, const char *value)
{
    size_t before = line->size;
    bool whole;
    if (line->log == NULL || value == NULL || *value == '\0')
        return;
    if (!append_key(line, key) || !append_quoted(line, value, LOG_LINE_MAX, &whole) || !whole)
        line->size = before;
}

/* What is too long for the line ends in dots: who asks for long things is not to go unnamed. */
static void add_message(struct log_line *line, const char *message)
{
    bool whole;
    if (message == NULL || *message == '\0')
        return;
    line->has_message = append_key(line, "message") && append_quoted(line, message, MESSAGE_MAX, &whole);
    if (line->has_message && !whole) {
        line->size--;
        (void)append(line, "...\"", 4);
    }
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
    line->log = NULL;
    line->has_message = false;
    if (log == NULL)
        return;
    line->written = is_written(log, level);
    line->kept = kept_as(event, level);
    if (!line->written && line->kept == KEPT_NOT)
        return;
    KNOWN(event, event);
    line->log = log;
    line->level = level;
    line->event = event;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &tm);
    line->at_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    size_t n = strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(stamp + n, sizeof stamp - n, ".%03dZ", (int)(now.tv_nsec / 1000000));
    int size = snprintf(line->text, LOG_LINE_MAX - TAIL, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"",
                        stamp, level_names[level], event);
    line->size = line->fields = (size_t)size;
    add_message(line, message);
}

void log_keep(struct log_line *line, const char *event)
{
    KNOWN(event, event);
    line->event = event;
    line->kept = kept_as(event, line->level);
}

/* --- as text, for people --- */

/* A string of the line without its quotes, and what quotes it holds as they are. */
static void put_words(struct log_line *out, const struct json *json)
{
    for (size_t i = 0; i < json->size; i++) {
        if (json->text[i] == '\\' && i + 1 < json->size && json->text[i + 1] == '"')
            i++;
        else if (json->text[i] == '\\' && i + 1 < json->size)
            (void)append(out, (const char *)&json->text[i++], 1);
        (void)append(out, (const char *)&json->text[i], 1);
    }
}

static bool is_plain(const struct json *json)
{
    for (size_t i = 0; i < json->size; i++) {
        if (json->text[i] <= ' ' || json->text[i] == '=' || json->text[i] == '\\')
            return false;
    }
    return true;
}

/* "TIME LEVEL EVENT: MESSAGE KEY=VALUE ..."; never longer than the line is as JSON. */
static void make_text(const struct log_line *line, struct log_line *out)
{
    struct json json;
    json_start(&json, line->text, line->size);
    (void)json_next(&json);
    out->size = 0;
    for (unsigned i = 0; json_next(&json) == JSON_KEY; i++) {
        const char *key = (const char *)json.text;
        size_t size = json.size;
        bool message = i == 3 && line->has_message;
        enum json_event value = json_next(&json);
        bool string = value == JSON_STRING;
        if (value == JSON_TRUE || value == JSON_FALSE) {
            json.text = (const uint8_t *)(value == JSON_TRUE ? "true" : "false");
            json.size = value == JSON_TRUE ? 4 : 5;
        }
        if (i < 3 || message) {
            (void)append(out, message ? ": " : " ", message ? 2 : i > 0);
            put_words(out, &json);
            for (size_t pad = i == 1 ? json.size : 5; pad < 5; pad++)
                (void)append(out, " ", 1);
            continue;
        }
        (void)append(out, " ", 1);
        (void)append(out, key, size);
        bool quoted = string && !is_plain(&json);
        (void)append(out, quoted ? "=\"" : "=", quoted ? 2 : 1);
        (void)append(out, (const char *)json.text, json.size);
        (void)append(out, "\"", quoted ? 1 : 0);
    }
}

void log_end(struct log_line *line)
{
    if (line->log == NULL)
        return;
    if (line->kept != KEPT_NOT)
        keep(line->log, line);
    if (!line->written)
        return;
    line->text[line->size++] = '}';
    if (!__atomic_load_n(&line->log->json, __ATOMIC_RELAXED)) {
        struct log_line text;
        make_text(line, &text);
        text.text[text.size++] = '\n';
        enqueue(line->log, text.text, text.size);
        return;
    }
    line->text[line->size++] = '\n';
    enqueue(line->log, line->text, line->size);
}

void log_say(struct log *log, enum log_level level, const char *event, const char *format, ...)
{
    struct log_line line;
    char message[2048];
    va_list args;
    if (log == NULL || (!is_written(log, level) && kept_as(event, level) == KEPT_NOT))
        return;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    log_begin(&line, log, level, event, message);
    log_end(&line);
}
