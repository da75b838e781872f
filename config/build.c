/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/build.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/report.h"
#include "config/value.h"

enum {
    HEADERS_MAX = 256,
    FIELD_MAX =
        sizeof(struct config_target) + sizeof(struct config_addr), /* more than any field of a key has */
};

/* The structs that can be many begin alike. */
#define NAMED(section)                                                             \
    _Static_assert(offsetof(struct config_##section, name) == 0 &&                 \
                       offsetof(struct config_##section, place) == sizeof(char *), \
                   "name and place come first")
NAMED(ca);
NAMED(inbound);
NAMED(outbound);
NAMED(rule);
NAMED(list);
NAMED(ratelimit);
NAMED(expression);
NAMED(sequence);
NAMED(quarantine);
NAMED(headers);
NAMED(probe);
NAMED(scrape);

const char *config_build_label(const struct config_lines_section *s, char text[CONFIG_LABEL_MAX])
{
    snprintf(text, CONFIG_LABEL_MAX, "[%s%s%s]", s->kind->word, s->name ? " " : "", s->name ? s->name : "");
    return text;
}

struct config_lines_entry *config_build_entry(const struct config_lines_section *s, const char *key)
{
    const struct config_key *k = s ? config_key_find(s->kind->id, key) : NULL;
    return k ? s->seen[k - config_keys] : NULL;
}

void config_build_tell(struct config_build *b, enum config_severity severity,
                       const struct config_lines_section *s, const char *key, const char *suggestion,
                       const char *format, ...)
{
    char *message = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&message, format, args) < 0)
        message = NULL;
    va_end(args);
    const struct config_lines_entry *e = key ? config_build_entry(s, key) : NULL;
    struct config_place place = {0};
    unsigned length = 0;
    if (e && e->value.segment_count) {
        place = e->value.segment[0].place;
        length = e->value.segment[0].length;
    } else if (s) {
        place = s->place;
        length = s->length;
    }
    config_report_add(b->report, severity, place, length, suggestion, "%s",
                      message ? message : "out of memory");
    free(message);
}

bool config_build_applies(const struct config_strings *inbounds, const char *name)
{
    for (size_t i = 0; i < inbounds->count; i++)
        if (strcmp(inbounds->item[i], name) == 0)
            return true;
    return inbounds->count == 0;
}

/* --- names of sections --- */

/* Where a name holds what it must not; its length where it is good. */
static size_t wrong_name(const struct config_lines_section *s)
{
    const char *name = s->name;
    size_t length = strlen(name), good;
    if (s->kind->id != SECTION_LIST) {
        good = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
        return good;
    }
    good = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.");
    if (good == length && name[0] == '.')
        return 0;
    return good == length && name[length - 1] == '.' ? length - 1 : good;
}

static void check_name(struct config_build *b, struct config_lines_section *s)
{
    const char *word = s->kind->word;
    if (!s->name) {
        if (s->kind->named == NAMED_YES)
            config_report_add(b->report, CONFIG_ERROR, s->place, s->length, NULL,
                              "[%s] needs a name of its own: [%s NAME]", word, word);
        return;
    }
    size_t at = wrong_name(s), length = strlen(s->name);
    struct config_place place = s->name_place;
    if (s->kind->named == NAMED_NO) {
        config_report_add(b->report, CONFIG_ERROR, place, (unsigned)length, NULL,
                          "[%s] stands only once and takes no name", word);
    } else if (at < length) {
        place.column += (unsigned)at;
        config_report_add(b->report, CONFIG_ERROR, place, 1, NULL, "the name of a [%s] holds only %s", word,
                          s->kind->id == SECTION_LIST ? "a-z, 0-9, \"_\" and, within, \".\""
                                                      : "letters, digits, \"_\", \".\" and \"-\"");
    }
}

static bool same_section(const struct config_lines_section *a, const struct config_lines_section *b)
{
    if (a->kind != b->kind)
        return false;
    return a->kind->named == NAMED_NO ||
           (a->name && b->name ? strcmp(a->name, b->name) == 0 : a->name == b->name);
}

static void check_twice(struct config_build *b, const struct config_lines_section *first,
                        const struct config_lines_section *s)
{
    char label[CONFIG_LABEL_MAX];
    if (s->kind->named == NAMED_YES && !s->name)
        return;
    for (const struct config_lines_section *f = first; f != s; f = f->next) {
        if (same_section(f, s)) {
            config_report_add(b->report, CONFIG_ERROR, s->place, s->length, NULL,
                              "%s stands twice; the first is on line %u", config_build_label(s, label),
                              f->place.line);
            return;
        }
    }
}

/* --- keys --- */

static void unknown_key(struct config_build *b, const struct config_lines_section *s,
                        const struct config_lines_entry *e)
{
    char label[CONFIG_LABEL_MAX];
    const char *owner = NULL;
    if (config_report_full(b->report)) {
        b->report->errors++;
        return;
    }
    struct config_nearest n;
    config_nearest_begin(&n, e->name, strlen(e->name));
    for (const struct config_key *k = config_keys; k < config_keys + config_key_count; k++) {
        if (k->section == s->kind->id && k->type != KEY_HEADER)
            config_nearest_feed(&n, k->name);
        else if (!owner && strcmp(k->name, e->name) == 0)
            owner = config_sections[k->section].word;
    }
    config_report_add(b->report, CONFIG_ERROR, e->place, (unsigned)strlen(e->name), n.best,
                      "there is no key %s in %s%s%s%s", e->name, config_build_label(s, label),
                      owner ? "; it belongs in [" : "", owner ? owner : "", owner ? "]" : "");
}

/* The text of request.NAME or response.NAME gets a place in the array; NULL: told, or no memory. */
static struct config_text *add_header(struct config_value *v, const struct config_lines_entry *e, char *data)
{
    struct config_header **array = (void *)(data + v->key->at);
    size_t *count = (void *)(data + v->key->count), prefix = strlen(v->key->name);
    const char *name = e->name + prefix;
    struct config_place place = {.line = e->place.line, .column = e->place.column + (unsigned)prefix};
    /* RFC 9110, section 5.6.2: a token. */
    size_t good =
        strspn(name, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    if (name[good] || good == 0) {
        place.column += (unsigned)good;
        config_report_add(v->report, CONFIG_ERROR, place, 1, NULL,
                          good ? "a header's name does not hold this" : "the header's name is missing");
        return NULL;
    }
    for (size_t i = 0; i < *count; i++) {
        if (strcasecmp((*array)[i].name, name) == 0) {
            config_report_add(v->report, CONFIG_ERROR, e->place, (unsigned)strlen(e->name), NULL,
                              "%s stands twice; the first is on line %u", e->name, (*array)[i].place.line);
            return NULL;
        }
    }
    if (*count == HEADERS_MAX) {
        config_report_add(v->report, CONFIG_ERROR, e->place, (unsigned)strlen(e->name), NULL,
                          "more than %d headers in one section", HEADERS_MAX);
        return NULL;
    }
    struct config_header *more = config_value_more(v, *array, *count, sizeof *more);
    char *copy = config_arena_copy(v->arena, name, strlen(name));
    if (!more || !copy) {
        v->no_memory = true;
        return NULL;
    }
    *array = more;
    more[*count] = (struct config_header){.name = copy, .place = place};
    return &more[(*count)++].value;
}

/* False: no memory. */
static bool read_entry(struct config_build *b, struct config_lines_section *s, struct config_lines_entry *e,
                       char *data)
{
    char label[CONFIG_LABEL_MAX];
    unsigned length = (unsigned)strlen(e->name);
    e->key = config_key_find(s->kind->id, e->name);
    if (!e->key) {
        unknown_key(b, s, e);
        return true;
    }
    struct config_lines_entry **seen = &s->seen[e->key - config_keys];
    if (*seen && e->key->type != KEY_HEADER) {
        config_report_add(b->report, CONFIG_ERROR, e->place, length, NULL,
                          "%s stands twice in %s; the first is on line %u", e->name,
                          config_build_label(s, label), (*seen)->place.line);
        return true;
    }
    if (!*seen)
        *seen = e;
    if (e->broken)
        return true;
    if (e->value.length == 0) {
        config_report_add(b->report, CONFIG_ERROR, e->place, length, NULL, "%s has no value", e->name);
        return true;
    }
    if (e->value.segment_count > 1 && !config_key_continues(e->key)) {
        config_report_add(b->report, CONFIG_ERROR, e->value.segment[1].place, e->value.segment[1].length,
                          NULL, "the value of %s stands on one line; keys start at the first column",
                          e->name);
        return true;
    }
    struct config_value v = {.arena = b->arena, .report = b->report, .key = e->key};
    void *out = data + e->key->at;
    if (e->key->type == KEY_HEADER) {
        out = add_header(&v, e, data);
        if (!out)
            return !v.no_memory;
    }
    /* A list's default is replaced, not added to; and where the value is wrong, it stands, for further
     * checks. */
    char fallback[FIELD_MAX];
    size_t size = e->key->type == KEY_HEADER ? sizeof(struct config_text) : e->key->size;
    memcpy(fallback, out, size);
    memset(out, 0, size);
    config_value_expand(&v, &e->value);
    if (v.text.length == 0 && !v.bad)
        config_value_wrong(&v, 0, 1, NULL, "%s has no value", e->name);
    config_value_read(&v, out);
    if (v.bad)
        memcpy(out, fallback, size);
    return !v.no_memory;
}

static bool set_defaults(struct config_build *b, enum config_section_id id, char *data)
{
    for (const struct config_key *k = config_keys; k < config_keys + config_key_count; k++) {
        if (k->section != id || !k->fallback)
            continue;
        struct config_value v = {.arena = b->arena, .report = b->report, .key = k};
        v.text.length = strlen(k->fallback);
        v.text.text = config_arena_copy(b->arena, k->fallback, v.text.length);
        if (!v.text.text)
            return false;
        config_value_read(&v, data + k->at);
        if (v.no_memory)
            return false;
    }
    return true;
}

static void check_required(struct config_build *b, const struct config_lines_section *s)
{
    char label[CONFIG_LABEL_MAX];
    for (const struct config_key *k = config_keys; k < config_keys + config_key_count; k++)
        if (k->section == s->kind->id && k->required && !s->seen[k - config_keys])
            config_report_add(b->report, CONFIG_ERROR, s->place, s->length, NULL,
                              "%s has no key %s, which it needs", config_build_label(s, label), k->name);
}

/* --- sections --- */

/* Arrays for all kinds, as long as the file has sections. */
static bool make_room(struct config_build *b, const struct config_lines_section *first)
{
    for (const struct config_lines_section *s = first; s; s = s->next)
        if (s->kind)
            b->count[s->kind->id]++;
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        const struct config_section *kind = &config_sections[i];
        char *field = (char *)b->config + kind->at;
        b->origin[i] = config_arena_alloc(b->arena, b->count[i] + 1, sizeof(void *));
        if (!b->origin[i])
            return false;
        if (kind->count) {
            void *array = config_arena_alloc(b->arena, b->count[i], kind->size);
            if (!array)
                return false;
            memcpy(field, &array, sizeof array);
            *(size_t *)(void *)((char *)b->config + kind->count) = b->count[i];
        } else if (!set_defaults(b, kind->id, field)) {
            return false;
        }
        b->count[i] = 0;
    }
    return true;
}

static bool read_section(struct config_build *b, struct config_lines_section *s)
{
    char *field = (char *)b->config + s->kind->at, *data = field;
    b->origin[s->kind->id][b->count[s->kind->id]] = s;
    if (s->kind->count) {
        void *array;
        memcpy(&array, field, sizeof array);
        data = (char *)array + b->count[s->kind->id] * s->kind->size;
        if (s->name && !(*(char **)(void *)data = config_arena_copy(b->arena, s->name, strlen(s->name))))
            return false;
        *(struct config_place *)(void *)(data + sizeof(char *)) = s->place;
        if (!set_defaults(b, s->kind->id, data))
            return false;
    }
    b->count[s->kind->id]++;
    for (struct config_lines_entry *e = s->first; e; e = e->next)
        if (!read_entry(b, s, e, data))
            return false;
    check_required(b, s);
    return true;
}

bool config_build_sections(struct config_build *b, struct config_lines_section *first)
{
    if (!make_room(b, first))
        return false;
    for (struct config_lines_section *s = first; s; s = s->next) {
        if (!s->kind)
            continue;
        check_name(b, s);
        check_twice(b, first, s);
        if (!read_section(b, s))
            return false;
    }
    return true;
}
