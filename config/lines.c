/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/lines.h"

#include <ini.h>
#include <string.h>

#include "config/report.h"

/*
 * inih calls reader() for a line and, from within, on_value() with what it made of it. Both share this state:
 * the reader has already found out what the line must give, and on_value() holds inih to it. A line that inih
 * would cut or read differently is replaced by an empty one.
 */
struct lines {
    struct config_arena *arena;
    struct config_report *report;
    const char *text;
    size_t length;
    size_t at;     /* of the next line */
    unsigned line; /* the current one */
    size_t start;  /* of the current line */

    struct config_lines_section *first, *section;
    size_t section_count;
    struct config_lines_entry *entry; /* the one that an indented line continues; NULL: none */
    bool lost;                        /* the entry an indented line would continue was told to be wrong */
    bool indented;                    /* keys of this section are indented, which was told already */
    bool no_memory;

    size_t room;  /* of the entry's joined text */
    struct feed { /* what was fed last, and what inih must find in it */
        enum feed_kind { FEED_NOTHING, FEED_KEY, FEED_MORE, FEED_PIECE } kind;
        size_t name, name_size; /* in the text */
        size_t value, size;
    } feed;
    size_t piece, piece_end; /* the rest of a line too long for inih, fed as continuation lines */
    enum feed_kind piece_kind;
};

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct config_place place_of(const struct lines *l, size_t offset)
{
    return (struct config_place){.line = l->line, .column = (unsigned)(offset - l->start) + 1};
}

#define complain(l, offset, size, suggestion, ...)                                                  \
    config_report_add((l)->report, CONFIG_ERROR, place_of(l, offset), (unsigned)(size), suggestion, \
                      __VA_ARGS__)

/* --- what inih says --- */

/* Appends to the entry's value: after one blank, or right behind (a piece of the same line). */
static bool append(struct lines *l, const char *text, size_t size, struct config_place place, bool glue)
{
    struct config_text *t = &l->entry->value;
    size_t blanks = t->length > 0 && !glue, count = t->segment_count, end = t->length + blanks + size;
    if (end + 1 > l->room) {
        size_t room = end + 1 + (l->room ? end : 0);
        char *more = config_arena_alloc(l->arena, room, 1);
        if (!more)
            return false;
        if (t->length)
            memcpy(more, t->text, t->length);
        t->text = more;
        l->room = room;
    }
    if (blanks)
        t->text[t->length] = ' ';
    memcpy(t->text + t->length + blanks, text, size);
    t->text[end] = 0;
    if (glue && count > 0) {
        t->segment[count - 1].length += (unsigned)size;
    } else {
        if ((count & (count - 1)) == 0) {
            struct config_segment *more =
                config_arena_alloc(l->arena, count ? count * 2 : 1, sizeof *t->segment);
            if (!more)
                return false;
            if (count)
                memcpy(more, t->segment, count * sizeof *more);
            t->segment = more;
        }
        t->segment[t->segment_count++] =
            (struct config_segment){.offset = t->length + blanks, .place = place, .length = (unsigned)size};
    }
    t->length = end;
    return true;
}

static bool add_entry(struct lines *l, size_t name, size_t size)
{
    struct config_lines_entry *e = config_arena_alloc(l->arena, 1, sizeof *e);
    if (!e || !(e->name = config_arena_copy(l->arena, l->text + name, size)))
        return false;
    e->place = place_of(l, name);
    if (l->section->last)
        l->section->last->next = e;
    else
        l->section->first = e;
    l->section->last = l->entry = e;
    l->room = 0;
    return true;
}

static bool same(const struct lines *l, size_t offset, size_t size, const char *text)
{
    return strlen(text) == size && memcmp(text, l->text + offset, size) == 0;
}

/* Nonzero where inih found in the line all that the reader found, and nothing else. */
static int on_value(void *user, const char *section, const char *name, const char *value)
{
    (void)section;
    struct lines *l = user;
    struct feed f = l->feed;
    bool named =
        f.kind == FEED_KEY ? same(l, f.name, f.name_size, name) : l->entry && !strcmp(name, l->entry->name);
    if (f.kind == FEED_NOTHING || !named || !same(l, f.value, f.size, value))
        return 0;
    l->feed.kind = FEED_NOTHING;
    if (f.kind == FEED_KEY && !add_entry(l, f.name, f.name_size))
        l->no_memory = true; /* and nothing to append to */
    else if (f.size && !append(l, value, f.size, place_of(l, f.value), f.kind == FEED_PIECE))
        l->no_memory = true;
    return 1;
}

/* --- what a line must give --- */

/* The first byte that no configuration file holds: a control character, or what is not UTF-8. SIZE if none.
 */
static size_t bad_byte(const char *text, size_t size, const char **what)
{
    const unsigned char *u = (const unsigned char *)text;
    for (size_t i = 0; i < size;) {
        *what = u[i] == 0 ? "a zero byte" : "a control character";
        if ((u[i] < 0x20 && u[i] != '\t') || u[i] == 0x7f)
            return i;
        size_t n = u[i] < 0x80                   ? 1
                   : u[i] >= 0xc2 && u[i] < 0xe0 ? 2
                   : u[i] >= 0xe0 && u[i] < 0xf0 ? 3
                   : u[i] >= 0xf0 && u[i] < 0xf5 ? 4
                                                 : 0;
        *what = "a byte that is not UTF-8";
        if (n == 0 || n > size - i)
            return i;
        for (size_t k = 1; k < n; k++)
            if ((u[i + k] & 0xc0) != 0x80)
                return i;
        i += n;
    }
    return size;
}

/* Where inih would take ` ;` for a comment; END if nowhere. */
static size_t inline_comment(const struct lines *l, size_t from, size_t end)
{
    for (size_t i = from; i + 1 < end; i++)
        if (blank(l->text[i]) && l->text[i + 1] == ';')
            return i + 1;
    return end;
}

static size_t skip_blanks(const struct lines *l, size_t from, size_t end)
{
    while (from < end && blank(l->text[from]))
        from++;
    return from;
}

static size_t drop_blanks(const struct lines *l, size_t from, size_t end)
{
    while (end > from && blank(l->text[end - 1]))
        end--;
    return end;
}

/* Whether the value from..end holds a ` ;`, which is told. */
static bool cut_by_comment(struct lines *l, size_t from, size_t end)
{
    size_t at = inline_comment(l, from, end);
    if (at == end)
        return false;
    complain(
        l, at, end - at, NULL,
        "\" ;\" would cut the value here: a comment stands on a line of its own; in an expression, write "
        "\\x3b within quotes");
    return true;
}

static void lose_entry(struct lines *l)
{
    l->entry = NULL;
    l->lost = true;
}

/* `[kind]` or `[kind name]` between FROM and END, blanks around it gone. */
static void read_section(struct lines *l, size_t from, size_t end)
{
    l->entry = NULL;
    l->lost = l->indented = false;
    struct config_lines_section *s = config_arena_alloc(l->arena, 1, sizeof *s);
    if (!s) {
        l->no_memory = true;
        return;
    }
    if (l->section)
        l->section->next = s;
    else
        l->first = s;
    l->section = s;
    s->place = place_of(l, from);
    const char *close = memchr(l->text + from, ']', end - from);
    size_t stop = close ? (size_t)(close - l->text) : end;
    s->length = (unsigned)(stop + (close != NULL) - from);
    if (++l->section_count > CONFIG_SECTIONS_MAX) {
        if (l->section_count == CONFIG_SECTIONS_MAX + 1)
            complain(l, from, s->length, NULL, "more than %d sections", CONFIG_SECTIONS_MAX);
        return;
    }
    if (!close) {
        complain(l, end, 1, NULL, "the section's name is not closed by \"]\"");
        return;
    }
    if (stop + 1 < end) {
        size_t rest = skip_blanks(l, stop + 1, end);
        complain(l, rest, end - rest, NULL, "nothing may follow a section's name on its line%s",
                 l->text[rest] == '#' || l->text[rest] == ';' ? ": a comment stands on a line of its own"
                                                              : "");
    }
    from = skip_blanks(l, from + 1, stop);
    stop = drop_blanks(l, from, stop);
    if (from == stop) {
        complain(l, from, 1, NULL, "the section has no name");
        return;
    }
    if (stop - from > CONFIG_NAME_MAX) {
        complain(l, from, stop - from, NULL, "the section's name has %zu bytes; at most %d are read",
                 stop - from, CONFIG_NAME_MAX);
        return;
    }
    size_t word = from;
    while (word < stop && !blank(l->text[word]))
        word++;
    size_t name = skip_blanks(l, word, stop);
    s->kind = config_section_find(l->text + from, word - from);
    if (!s->kind) {
        struct config_nearest n;
        config_nearest_begin(&n, l->text + from, word - from);
        for (size_t i = 0; i < SECTION_COUNT && !config_report_full(l->report); i++)
            config_nearest_feed(&n, config_sections[i].word);
        complain(l, from, word - from, n.best, "there is no section [%.*s]", (int)(word - from),
                 l->text + from);
        return;
    }
    if (name < stop) {
        s->name_place = place_of(l, name);
        s->name = config_arena_copy(l->arena, l->text + name, stop - name);
        l->no_memory |= !s->name;
    }
}

/* An entry for a line whose value was told to be wrong, so that nobody misses the key. */
static void add_broken(struct lines *l, size_t from, size_t end)
{
    const char *sep = memchr(l->text + from, '=', end - from);
    size_t stop = sep ? drop_blanks(l, from, (size_t)(sep - l->text)) : from;
    if (l->section && stop > from && stop - from <= CONFIG_NAME_MAX) {
        if (add_entry(l, from, stop - from))
            l->entry->broken = true;
        else
            l->no_memory = true;
    }
    lose_entry(l);
}

/* `name = value` between FROM and END. False: told to be wrong, nothing to feed. */
static bool read_key(struct lines *l, size_t from, size_t end)
{
    lose_entry(l);
    size_t sep = from;
    while (sep < end && l->text[sep] != '=' && l->text[sep] != ':')
        sep++;
    size_t stop = drop_blanks(l, from, sep);
    if (sep == end) {
        complain(l, from, end - from, NULL, "expected \"key = value\" or \"[section]\"");
        return false;
    }
    if (l->text[sep] == ':') {
        complain(l, sep, 1, "=", "a key is followed by \"=\", not by \":\"");
        return false;
    }
    if (stop == from) {
        complain(l, from, 1, NULL, "there is no key before the \"=\"");
        return false;
    }
    if (stop - from > CONFIG_NAME_MAX) {
        complain(l, from, stop - from, NULL, "the key has %zu bytes; at most %d are read", stop - from,
                 CONFIG_NAME_MAX);
        return false;
    }
    if (inline_comment(l, from, sep) != sep) {
        complain(l, from, stop - from, NULL, "a key holds no \";\"");
        return false;
    }
    if (!l->section) {
        complain(l, from, stop - from, NULL, "the key stands before the first [section]");
        return false;
    }
    l->feed = (struct feed){.kind = FEED_KEY, .name = from, .name_size = stop - from};
    l->feed.value = skip_blanks(l, sep + 1, end);
    l->feed.size = end - l->feed.value;
    if (cut_by_comment(l, sep + 1, end)) {
        l->feed.kind = FEED_NOTHING;
        add_broken(l, from, end);
        return false;
    }
    return true;
}

/* Whether an indented line is a key of this section that slid to the right. */
static bool slid_key(const struct lines *l, size_t from, size_t end)
{
    char name[CONFIG_NAME_MAX + 1];
    const char *sep = memchr(l->text + from, '=', end - from);
    if (!sep || !l->section || !l->section->kind)
        return false;
    size_t stop = drop_blanks(l, from, (size_t)(sep - l->text));
    bool comparison = sep + 1 < l->text + end && sep[1] == '=';
    if (comparison || stop - from > CONFIG_NAME_MAX)
        return false;
    memcpy(name, l->text + from, stop - from);
    name[stop - from] = 0;
    return config_key_find(l->section->kind->id, name) != NULL;
}

/* The key that read_key() found, without inih: the file is wrong already, this only finds further mistakes.
 */
static void take_key(struct lines *l)
{
    struct feed f = l->feed;
    l->feed.kind = FEED_NOTHING;
    if (!add_entry(l, f.name, f.name_size) ||
        (f.size && !append(l, l->text + f.value, f.size, place_of(l, f.value), false)))
        l->no_memory = true;
    lose_entry(l);
}

/* A line that begins with a blank. False: nothing to feed. */
static bool read_indented(struct lines *l, size_t from, size_t end)
{
    if (l->text[from] == '[' && l->text[end - 1] == ']') {
        size_t word = from + 1;
        while (word < end - 1 && !blank(l->text[word]))
            word++;
        if (config_section_find(l->text + from + 1, word - from - 1)) {
            complain(l, from, end - from, NULL, "a section starts at the first column");
            read_section(l, from, end);
            return false;
        }
    }
    bool slid = slid_key(l, from, end);
    if (slid || (!l->entry && !l->lost)) {
        if (!l->indented)
            complain(l, from, end - from, NULL,
                     "keys start at the first column: an indented line continues the value above it");
        l->indented = true;
        if (slid && read_key(l, from, end))
            take_key(l);
        l->lost = true;
        return false;
    }
    if (!l->entry)
        return false;
    if (cut_by_comment(l, from, end)) {
        l->entry->broken = true;
        return false;
    }
    l->feed = (struct feed){.kind = FEED_MORE, .value = from, .size = end - from};
    return true;
}

/* --- feeding inih --- */

static char *feed_line(char *buffer, const char *text, size_t size)
{
    memcpy(buffer, text, size);
    buffer[size] = '\n';
    buffer[size + 1] = 0;
    return buffer;
}

/* The next piece of a long line, cut where neither blanks nor what looks like a comment could get lost. */
static char *feed_piece(struct lines *l, char *buffer, size_t room)
{
    size_t cut = l->piece_end, longest = l->piece + room - 3;
    if (cut > longest) {
        cut = longest;
        while (cut > l->piece &&
               (blank(l->text[cut - 1]) || blank(l->text[cut]) || l->text[cut] == ';' || l->text[cut] == '#'))
            cut--;
    }
    if (cut == l->piece) {
        complain(l, l->piece, 1, NULL, "the line is too long to be read: continue it on an indented line");
        l->piece = l->piece_end;
        l->entry->broken = true;
        lose_entry(l);
        return feed_line(buffer, "", 0);
    }
    l->feed = (struct feed){.kind = l->piece_kind, .value = l->piece, .size = cut - l->piece};
    l->piece_kind = FEED_PIECE;
    buffer[0] = ' ';
    feed_line(buffer + 1, l->text + l->piece, l->feed.size);
    l->piece = cut;
    return buffer;
}

/* What read_key() or read_indented() found between the line's start and END. */
static char *feed_found(struct lines *l, char *buffer, size_t room, size_t end)
{
    if (end - l->start + 2 <= room)
        return feed_line(buffer, l->text + l->start, end - l->start);
    l->piece = l->feed.value;
    l->piece_end = end;
    l->piece_kind = l->feed.kind == FEED_MORE ? FEED_MORE : FEED_PIECE;
    if (l->feed.kind == FEED_MORE)
        return feed_piece(l, buffer, room);
    l->feed.size = 0;
    memcpy(buffer, l->text + l->feed.name, l->feed.name_size);
    return feed_line(buffer + l->feed.name_size, "=", 1) - l->feed.name_size;
}

/* inih's ini_reader: a line, or a part of one, that inih cannot misread. */
static char *reader(char *buffer, int size, void *stream)
{
    struct lines *l = stream;
    size_t room = (size_t)size;
    if (l->feed.kind != FEED_NOTHING) {
        complain(l, l->feed.value, l->feed.size, NULL, "the line cannot be read");
        l->feed.kind = FEED_NOTHING;
        l->piece = l->piece_end;
        lose_entry(l);
    }
    if (l->no_memory || size < CONFIG_NAME_MAX + 16)
        return NULL;
    if (l->piece < l->piece_end)
        return feed_piece(l, buffer, room);
    if (l->at >= l->length)
        return NULL;
    const char *newline = memchr(l->text + l->at, '\n', l->length - l->at);
    size_t end = newline ? (size_t)(newline - l->text) : l->length;
    l->start = l->at;
    l->at = end + 1;
    l->line++;
    if (end > l->start && l->text[end - 1] == '\r')
        end--;
    const char *what = NULL;
    size_t bad = bad_byte(l->text + l->start, end - l->start, &what);
    if (bad < end - l->start) {
        complain(l, l->start + bad, 1, NULL, "the line holds %s", what);
        if (!blank(l->text[l->start]))
            add_broken(l, l->start, l->start + bad);
        else if (l->entry)
            l->entry->broken = true;
        lose_entry(l);
        return feed_line(buffer, "", 0);
    }
    end = drop_blanks(l, l->start, end);
    size_t from = skip_blanks(l, l->start, end);
    if (from == end || l->text[from] == '#' || l->text[from] == ';')
        return feed_line(buffer, "", 0);
    if (l->text[l->start] == '[') {
        read_section(l, from, end);
        return feed_line(buffer, "[]", 2);
    }
    bool found = from > l->start ? read_indented(l, from, end) : read_key(l, from, end);
    return found ? feed_found(l, buffer, room, end) : feed_line(buffer, "", 0);
}

struct config_lines_section *config_lines_read(struct config_arena *arena, const char *text, size_t length,
                                               struct config_report *report, bool *ok)
{
    struct lines l = {.arena = arena, .report = report, .text = text, .length = length};
    int at = ini_parse_stream(reader, &l, on_value, &l);
    /* The reader feeds nothing that inih could find wrong. */
    if ((at != 0 || l.at < length) && report->errors == 0 && !l.no_memory)
        config_report_add(report, CONFIG_ERROR, (struct config_place){0}, 0, NULL, "the file cannot be read");
    *ok = !l.no_memory;
    return l.first;
}
