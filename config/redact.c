/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/redact.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/lines.h"
#include "config/value.h"

static const char redacted[] = "redacted";

/* Whether a name sounds of a secret. */
static bool sounds_secret(const char *text, size_t size)
{
    static const char *const words[] = {"auth",  "cookie", "credential", "key",
                                        "passw", "secret", "session",    "token"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t n = strlen(words[i]);
        for (size_t at = 0; at + n <= size; at++) {
            if (strncasecmp(text + at, words[i], n) == 0)
                return true;
        }
    }
    return false;
}

/* The string that begins at or behind AT: its quotes, and whether it stands between brackets. */
static bool next_string(const char *text, size_t at, size_t *open, size_t *close, bool *name)
{
    const char *quote = strchr(text + at, '"');
    if (quote == NULL)
        return false;
    *open = (size_t)(quote - text);
    *close = config_value_string_end(text, *open);
    size_t before = *open;
    while (before > 0 && strchr(" \t", text[before - 1]))
        before--;
    *name = before > 0 && text[before - 1] == '[';
    return true;
}

/* Whether it looks at something whose name sounds of a secret: a string between brackets, or a field. */
static bool looks_at_secret(const char *text)
{
    size_t at = 0, open, close;
    bool name;
    if (strstr(text, "http.cookie") || strstr(text, "cookies"))
        return true;
    while (next_string(text, at, &open, &close, &name)) {
        if (name && sounds_secret(text + open + 1, close - open - 1))
            return true;
        if (text[close] == '\0')
            return false;
        at = close + 1;
    }
    return false;
}

/* Text that grows, with line breaks where the file had them. */
struct out {
    config_put_fn put;
    void *arg;
    const struct config_text *lines; /* NULL: none */
    size_t segment;                  /* the next one to begin */
};

/* Writes FROM to END of the text that LINES are of. */
static void copy(struct out *out, const char *text, size_t from, size_t end)
{
    while (out->lines && out->segment < out->lines->segment_count &&
           out->lines->segment[out->segment].offset < end) {
        size_t offset = out->lines->segment[out->segment++].offset;
        if (offset <= from || offset == 0)
            continue;
        size_t last = offset; /* a blank joined the lines */
        while (last > from && (text[last - 1] == ' ' || text[last - 1] == '\t'))
            last--;
        out->put(out->arg, text + from, last - from);
        out->put(out->arg, "\n    ", 5);
        from = offset;
    }
    out->put(out->arg, text + from, end - from);
}

static void redact_strings(struct out *out, const char *text, bool all)
{
    size_t at = 0, open, close;
    bool name;
    all = all || looks_at_secret(text);
    while (all && next_string(text, at, &open, &close, &name)) {
        if (text[close] == '\0')
            break;
        copy(out, text, at, open + 1);
        if (name)
            copy(out, text, open + 1, close);
        else
            out->put(out->arg, redacted, sizeof redacted - 1);
        at = close;
        out->put(out->arg, text + at++, 1);
    }
    copy(out, text, at, strlen(text));
}

void config_redact_expression(const char *text, bool all, config_put_fn put, void *arg)
{
    struct out out = {put, arg, NULL, 0};
    redact_strings(&out, text ? text : "", all);
}

/* --- a whole configuration --- */

struct buffer {
    char *text;
    size_t size, room;
    bool failed;
};

static void add(void *arg, const char *text, size_t size)
{
    struct buffer *b = arg;
    if (b->failed || b->room - b->size < size + 1) {
        size_t room = (b->size + size + 1) * 2;
        char *more = b->failed ? NULL : realloc(b->text, room);
        if (more == NULL) {
            b->failed = true;
            return;
        }
        b->text = more;
        b->room = room;
    }
    memcpy(b->text + b->size, text, size);
    b->size += size;
}

static void add_text(struct buffer *b, const char *text)
{
    add(b, text, strlen(text));
}

static bool is_one_string(const char *text)
{
    return text[0] == '"' && text[config_value_string_end(text, 0)] == '"' &&
           text[config_value_string_end(text, 0) + 1] == '\0';
}

static bool has_key(const struct config_lines_section *s, const char *name)
{
    for (const struct config_lines_entry *e = s->first; e; e = e->next) {
        if (strcmp(e->name, name) == 0)
            return true;
    }
    return false;
}

static void add_value(struct buffer *b, const struct config_lines_section *s,
                      const struct config_lines_entry *e)
{
    struct out out = {add, b, &e->value, 0};
    const char *text = e->value.text;
    const struct config_key *key = e->key;
    const char *query =
        key && key->type == KEY_STRING && strcmp(key->name, "request") == 0 ? strchr(text, '?') : NULL;
    if (query) {
        copy(&out, text, 0, (size_t)(query - text) + 1);
        add_text(b, redacted);
    } else if (key && key->section == SECTION_LIST && strcmp(key->name, "values") == 0 && s->name &&
               sounds_secret(s->name, strlen(s->name)) && !has_key(s, "kind")) {
        add_text(b, redacted);
    } else if (key && key->type == KEY_HEADER) {
        redact_strings(&out, text, is_one_string(text) || sounds_secret(e->name, strlen(e->name)));
    } else if (key && (key->type == KEY_EXPRESSION || key->type == KEY_EXPRESSIONS)) {
        redact_strings(&out, text, false);
    } else {
        copy(&out, text, 0, e->value.length);
    }
}

char *config_redact(struct config_arena *arena, const struct config_lines_section *first)
{
    struct buffer b = {0};
    for (const struct config_lines_section *s = first; s; s = s->next) {
        if (s->kind == NULL)
            continue;
        add_text(&b, b.size ? "\n[" : "[");
        add_text(&b, s->kind->word);
        if (s->name) {
            add_text(&b, " ");
            add_text(&b, s->name);
        }
        add_text(&b, "]\n");
        for (const struct config_lines_entry *e = s->first; e; e = e->next) {
            if (e->value.text == NULL)
                continue;
            add_text(&b, e->name);
            add_text(&b, " = ");
            add_value(&b, s, e);
            add_text(&b, "\n");
        }
    }
    char *text = b.failed ? NULL : config_arena_copy(arena, b.size ? b.text : "", b.size);
    free(b.text);
    return text;
}
