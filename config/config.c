/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/build.h"
#include "config/redact.h"
#include "config/report.h"

struct config *config_scan(const char *path, const char *text, size_t length, struct config_report *report)
{
    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        length -= 3;
    }
    if (length > CONFIG_FILE_MAX) {
        config_report_begin(report, path, "", 0);
        config_report_add(report, CONFIG_ERROR, (struct config_place){0}, 0, NULL,
                          "the file has more than %d bytes (1 MiB)", CONFIG_FILE_MAX);
        return NULL;
    }
    config_report_begin(report, path, text, length);
    struct config_arena *arena = config_arena_new(), *scratch = config_arena_new();
    struct config_build b = {.arena = arena, .report = report};
    bool ok = report->path && report->text && arena && scratch;
    struct config_lines_section *first = NULL;
    if (ok)
        first = config_lines_read(scratch, text, length, report, &ok);
    if (ok)
        ok = (b.config = config_arena_alloc(arena, 1, sizeof *b.config)) &&
             (b.config->path = config_arena_copy(arena, path, strlen(path))) &&
             config_build_sections(&b, first) && config_check_all(&b) &&
             (b.config->effective = config_redact(arena, first));
    if (!ok)
        config_report_no_memory(report);
    config_arena_free(scratch);
    if (!ok) {
        config_arena_free(arena);
        return NULL;
    }
    b.config->arena = arena;
    b.config->hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < length; i++)
        b.config->hash = (b.config->hash ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
    return b.config;
}

struct config *config_parse(const char *path, const char *text, size_t length, struct config_report *report)
{
    struct config *config = config_scan(path, text, length, report);
    if (report->errors == 0)
        return config;
    config_free(config);
    return NULL;
}

/* At most one byte more than a configuration may have. NULL: errno says why. */
static char *read_file(const char *path, size_t *length)
{
    bool standard_input = strcmp(path, "-") == 0;
    /* The shell's <(...) is a pipe; a FIFO that nobody writes to is empty, and would keep us for ever. */
    int fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0 && !standard_input && fcntl(fd, F_SETFL, 0) != 0) {
        close(fd);
        fd = -1;
    }
    size_t room = CONFIG_FILE_MAX + 4, used = 0;
    char *text = fd < 0 ? NULL : malloc(room);
    while (text && used < room) {
        ssize_t n = read(fd, text + used, room - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int saved = errno;
            free(text);
            text = NULL;
            errno = saved;
        }
        if (n <= 0)
            break;
        used += (size_t)n;
    }
    int saved = errno;
    if (fd >= 0 && !standard_input)
        close(fd);
    errno = saved;
    *length = used;
    return text;
}

struct config *config_scan_file(const char *path, struct config_report *report)
{
    size_t length;
    char *text = read_file(path, &length);
    if (!text) {
        const char *why = strerror(errno);
        config_report_begin(report, path, "", 0);
        config_report_add(report, CONFIG_ERROR, (struct config_place){0}, 0, NULL, "cannot be read: %s", why);
        return NULL;
    }
    struct config *config = config_scan(path, text, length, report);
    free(text);
    return config;
}

struct config *config_load(const char *path, struct config_report *report)
{
    struct config *config = config_scan_file(path, report);
    if (report->errors == 0)
        return config;
    config_free(config);
    return NULL;
}

void config_free(struct config *config)
{
    if (config)
        config_arena_free(config->arena);
}
