/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/value.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config/report.h"

enum { EXPANDED_MAX = CONFIG_FILE_MAX, PATH_LENGTH_MAX = 4095 };

/* --- texts and their places --- */

static const struct config_segment *segment_of(const struct config_text *text, size_t offset)
{
    size_t low = 0, high = text->segment_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (text->segment[middle].offset <= offset)
            low = middle;
        else
            high = middle;
    }
    return high > low ? &text->segment[low] : NULL;
}

struct config_place config_text_place(const struct config_text *text, size_t offset)
{
    const struct config_segment *s = segment_of(text, offset);
    struct config_place place = s ? s->place : (struct config_place){0};
    if (s && !s->fixed && offset > s->offset)
        place.column += (unsigned)(offset - s->offset);
    return place;
}

void config_value_wrong(struct config_value *v, size_t offset, size_t length, const char *suggestion,
                        const char *format, ...)
{
    v->bad = true;
    if (config_report_full(v->report)) {
        v->report->errors++;
        return;
    }
    char *message = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&message, format, args) < 0)
        message = NULL;
    va_end(args);
    const struct config_segment *s = segment_of(&v->text, offset);
    /* What goes beyond its line is underlined as far as the line goes. */
    if (s && s->fixed)
        length = s->length;
    else if (s && length > s->offset + s->length - offset)
        length = s->offset + s->length - offset;
    config_report_add(v->report, CONFIG_ERROR, config_text_place(&v->text, offset), (unsigned)length,
                      suggestion, "%s", message ? message : "out of memory");
    free(message);
}

void *config_value_more(struct config_value *v, void *array, size_t count, size_t size)
{
    if (count & (count - 1) || (count == 0 && array))
        return array;
    void *more = config_arena_alloc(v->arena, count ? count * 2 : 1, size);
    if (!more)
        v->no_memory = v->bad = true;
    else if (array)
        memcpy(more, array, count * size);
    return more;
}

static struct config_segment *add_segment(struct config_value *v, struct config_text *to)
{
    struct config_segment *more = config_value_more(v, to->segment, to->segment_count, sizeof *more);
    if (!more)
        return NULL;
    to->segment = more;
    return &to->segment[to->segment_count++];
}

/* Bytes without a place of their own; the room doubles, so that many pieces cost no more than one. */
static bool add_bytes(struct config_value *v, struct config_text *to, const char *bytes, size_t length)
{
    size_t end = to->length + length, room = 64, had = 64;
    while (room < end + 1)
        room *= 2;
    while (had < to->length + 1)
        had *= 2;
    if (!to->text || room > had) {
        char *more = config_arena_alloc(v->arena, room, 1);
        if (!more) {
            v->no_memory = v->bad = true;
            return false;
        }
        if (to->text)
            memcpy(more, to->text, to->length);
        to->text = more;
    }
    memcpy(to->text + to->length, bytes, length);
    to->text[end] = 0;
    to->length = end;
    return true;
}

void config_value_slice(struct config_value *v, const struct config_text *from_text, size_t from, size_t end,
                        struct config_text *to)
{
    size_t shift = to->length;
    const struct config_segment *s = segment_of(from_text, from),
                                *last = from_text->segment + from_text->segment_count;
    for (; s && s < last && s->offset < end; s++) {
        size_t skipped = s->offset < from ? from - s->offset : 0;
        size_t left = s + 1 < last && s[1].offset < end ? s[1].offset : end;
        struct config_segment *copy = add_segment(v, to);
        if (!copy)
            return;
        *copy = *s;
        copy->offset = s->offset + skipped - from + shift;
        if (!s->fixed) {
            copy->place.column += (unsigned)skipped;
            left -= s->offset + skipped;
            copy->length = s->length > skipped ? (unsigned)(s->length - skipped) : 0;
            if (copy->length > left)
                copy->length = (unsigned)left;
        }
    }
    add_bytes(v, to, from_text->text + from, end - from);
}

/* --- the environment --- */

static bool taken_as_is(enum config_key_type type)
{
    return type == KEY_EXPRESSION || type == KEY_EXPRESSIONS || type == KEY_HEADER;
}

/* The word for ${NAME} that spans AT to END of the text, or NULL: told. */
static const char *environment(struct config_value *v, size_t at, size_t end)
{
    const char *name = v->text.text + at + 2;
    size_t length = end - at - 3, good = 0;
    while (good < length && ((name[good] >= 'A' && name[good] <= 'Z') || name[good] == '_' ||
                             (good > 0 && name[good] >= '0' && name[good] <= '9')))
        good++;
    if (length == 0 || good < length) {
        config_value_wrong(v, at, end - at, NULL,
                           "only a name in upper case, such as ${POD_IP}, stands within ${ }");
        return NULL;
    }
    char *copy = config_arena_copy(v->arena, name, length);
    if (!copy) {
        v->no_memory = v->bad = true;
        return NULL;
    }
    const char *word = getenv(copy);
    if (!word) {
        config_value_wrong(v, at, end - at, NULL, "${%s} is not set in the environment", copy);
        return NULL;
    }
    for (const char *p = word; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            config_value_wrong(v, at, end - at, NULL, "${%s} holds a control character", copy);
            return NULL;
        }
    }
    return word;
}

void config_value_expand(struct config_value *v, const struct config_text *text)
{
    struct config_text out = {0};
    v->text = *text;
    if (taken_as_is(v->key->type) || !strstr(text->text, "${")) {
        config_value_slice(v, text, 0, text->length, &out);
        v->text = out;
        return;
    }
    size_t done = 0;
    for (const char *p; (p = strstr(text->text + done, "${"));) {
        size_t at = (size_t)(p - text->text);
        const char *close = strchr(p, '}');
        if (!close) {
            config_value_wrong(v, at, 2, NULL, "\"${\" without \"}\"");
            return;
        }
        size_t end = (size_t)(close - text->text) + 1;
        const char *word = environment(v, at, end);
        if (word && out.length + strlen(word) > EXPANDED_MAX) {
            config_value_wrong(v, at, end - at, NULL, "the value grows beyond %d bytes", EXPANDED_MAX);
            return;
        }
        if (word && !v->bad) {
            if (at > done)
                config_value_slice(v, text, done, at, &out);
            struct config_segment *s = add_segment(v, &out);
            if (!s)
                return;
            *s = (struct config_segment){.offset = out.length,
                                         .place = config_text_place(text, at),
                                         .length = (unsigned)(end - at),
                                         .fixed = true};
            if (!add_bytes(v, &out, word, strlen(word)))
                return;
        }
        done = end;
    }
    if (v->bad)
        return;
    if (done < text->length)
        config_value_slice(v, text, done, text->length, &out);
    v->text = out;
}

/* --- words --- */

bool config_value_word(const struct config_key *key, unsigned i, char *word)
{
    const char *p = key->words;
    for (; p && i > 0; i--)
        p = (p = strchr(p, '|')) ? p + 1 : NULL;
    if (!p)
        return false;
    size_t length = strcspn(p, "|");
    memcpy(word, p, length);
    word[length] = 0;
    return true;
}

/* "a, b or c" */
static void all_words(const struct config_key *key, char *out, size_t size)
{
    char word[CONFIG_NAME_MAX + 1];
    size_t used = 0, last = 0;
    out[0] = 0;
    for (unsigned i = 0; config_value_word(key, i, word); i++) {
        if (!word[0])
            continue;
        last = used;
        used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "", word);
    }
    if (last > 0) {
        char tail[CONFIG_NAME_MAX + 1];
        snprintf(tail, sizeof tail, "%s", out + last + 2);
        snprintf(out + last, size - last, " or %s", tail);
    }
}

/* The index of the word that stands there; what is none is told. */
static unsigned read_word(struct config_value *v, size_t offset, size_t length)
{
    char word[CONFIG_NAME_MAX + 1], words[512], best[CONFIG_NAME_MAX + 1] = "";
    struct config_nearest n;
    config_nearest_begin(&n, v->text.text + offset, length);
    for (unsigned i = 0; config_value_word(v->key, i, word); i++) {
        if (word[0] && strlen(word) == length && memcmp(word, v->text.text + offset, length) == 0)
            return i;
        n.best = NULL;
        if (word[0])
            config_nearest_feed(&n, word);
        if (n.best)
            memcpy(best, word, sizeof best);
    }
    all_words(v->key, words, sizeof words);
    config_value_wrong(v, offset, length, best[0] ? best : NULL, "%s is %s, not " VALUE_QUOTED, v->key->name,
                       words, VALUE_QUOTE(v, offset, length));
    return 0;
}

static void read_bool(struct config_value *v, void *out)
{
    static const struct {
        const char *word;
        bool is;
    } words[] = {{"true", true}, {"false", false}, {"yes", true},
                 {"no", false},  {"on", true},     {"off", false}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(v->text.text, words[i].word) == 0) {
            *(bool *)out = words[i].is;
            return;
        }
    }
    struct config_nearest n;
    config_nearest_begin(&n, v->text.text, v->text.length);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        config_nearest_feed(&n, words[i].word);
    config_value_wrong(v, 0, v->text.length, n.best, "%s is true or false, not " VALUE_QUOTED, v->key->name,
                       VALUE_QUOTE(v, 0, v->text.length));
}

static void read_enum(struct config_value *v, void *out)
{
    unsigned i = read_word(v, 0, v->text.length);
    if (v->key->size == sizeof(bool))
        *(bool *)out = i != 0;
    else
        memcpy(out, &i, sizeof i);
}

static void read_flag(struct config_value *v, size_t offset, size_t length, void *out)
{
    if (memchr(v->text.text + offset, ' ', length)) {
        config_value_wrong(v, offset, length, NULL, "the items of %s are separated by commas", v->key->name);
        return;
    }
    *(unsigned *)out |= 1u << read_word(v, offset, length);
}

/* --- numbers --- */

struct unit {
    const char *word;
    uint64_t size;
};

static const struct unit durations[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000},
                                        {"s", 1000},     {"ms", 1},      {NULL, 0}};
static const struct unit sizes[] = {
    {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {NULL, 0}};
static const struct unit plain[] = {{"", 1}, {NULL, 0}};

static const struct unit *units_of(const struct config_key *key)
{
    return key->type == KEY_DURATION ? durations : key->type == KEY_SIZE ? sizes : plain;
}

void config_value_amount(const struct config_key *key, uint64_t amount, char *text, size_t size)
{
    if (amount == 0 && key->words) {
        snprintf(text, size, "%s", key->words);
        return;
    }
    const struct unit *u = units_of(key);
    while (u[1].word && (amount == 0 || amount % u->size != 0))
        u++;
    snprintf(text, size, "%" PRIu64 "%s", amount / u->size, u->word);
}

static void not_a_number(struct config_value *v, const char *digits_end)
{
    const char *text = v->text.text;
    size_t length = v->text.length;
    char words[CONFIG_NAME_MAX + 8] = "", meant[32] = "";
    if (v->key->words)
        snprintf(words, sizeof words, "%s or ", v->key->words);
    if (digits_end == text && v->key->words) {
        struct config_nearest n;
        config_nearest_begin(&n, text, length);
        config_nearest_feed(&n, v->key->words);
        snprintf(meant, sizeof meant, "%s", n.best ? n.best : "");
    } else if (digits_end > text && digits_end - text < 20) {
        /* 30 is 30s, 64k or 64KB is 64KiB. */
        const char *unit = NULL;
        if (v->key->type == KEY_DURATION && *digits_end == 0)
            unit = "s";
        else if (v->key->type == KEY_SIZE)
            unit = *digits_end == 0            ? "B"
                   : strchr("kK", *digits_end) ? "KiB"
                   : strchr("mM", *digits_end) ? "MiB"
                   : strchr("gG", *digits_end) ? "GiB"
                                               : NULL;
        if (unit)
            snprintf(meant, sizeof meant, "%.*s%s", (int)(digits_end - text), text, unit);
    }
    const char *what = v->key->type == KEY_DURATION ? "a duration such as 250ms, 30s, 10m, 1h or 1d"
                       : v->key->type == KEY_SIZE   ? "a size such as 512B, 64KiB, 1MiB or 1GiB"
                                                    : "a whole number";
    config_value_wrong(v, 0, length, meant[0] ? meant : NULL, "%s is %s%s, not " VALUE_QUOTED, v->key->name,
                       words, what, VALUE_QUOTE(v, 0, length));
}

static void read_number(struct config_value *v, void *out)
{
    const char *p = v->text.text;
    uint64_t amount = 0;
    bool huge = false;
    if (v->key->words && strcmp(p, v->key->words) == 0)
        goto store;
    for (; *p >= '0' && *p <= '9'; p++)
        huge |= __builtin_mul_overflow(amount, 10, &amount) ||
                __builtin_add_overflow(amount, (unsigned)(*p - '0'), &amount);
    const struct unit *u = units_of(v->key);
    while (u->word && strcmp(u->word, p) != 0)
        u++;
    /* Off is 0 with or without a unit. */
    if (p == v->text.text || (!u->word && !(*p == 0 && amount == 0 && !huge))) {
        not_a_number(v, p);
        return;
    }
    if (u->word)
        huge |= __builtin_mul_overflow(amount, u->size, &amount);
    if (huge || amount < v->key->min || (v->key->max && amount > v->key->max)) {
        char low[32], high[32];
        config_value_amount(v->key, v->key->words ? 1 : v->key->min, low, sizeof low);
        config_value_amount(v->key, v->key->max, high, sizeof high);
        config_value_wrong(v, 0, v->text.length, NULL, "%s is %s%s%s to %s, not " VALUE_QUOTED, v->key->name,
                           v->key->words ? v->key->words : "", v->key->words ? " or " : "", low, high,
                           VALUE_QUOTE(v, 0, v->text.length));
        return;
    }
store:
    if (v->key->size == sizeof(unsigned))
        *(unsigned *)out = (unsigned)amount;
    else
        *(uint64_t *)out = amount;
}

/* --- texts and lists --- */

static void read_string(struct config_value *v, void *out)
{
    if (v->key->type == KEY_PATH && v->text.length > PATH_LENGTH_MAX)
        config_value_wrong(v, 0, v->text.length, NULL, "a path has at most %d bytes", PATH_LENGTH_MAX);
    *(char **)out = v->text.text;
}

/* Within an expression, the offset of the quote that closes the string opened at QUOTE; the text's length if
 * none. */
size_t config_value_string_end(const char *text, size_t quote)
{
    /* r"..." and r#"..."# know no escapes and end in as many # as they began with. */
    size_t hashes = 0, i = quote + 1;
    while (hashes < quote && text[quote - 1 - hashes] == '#')
        hashes++;
    bool raw = hashes < quote && text[quote - 1 - hashes] == 'r';
    for (; text[i]; i++) {
        if (!raw && text[i] == '\\' && text[i + 1])
            i++;
        else if (text[i] == '"' && (!raw || strspn(text + i + 1, "#") >= hashes))
            break;
    }
    return i;
}

/* The end of the list's item at FROM: the next comma, for expressions outside of quotes and brackets. */
static size_t item_end(const struct config_value *v, size_t from)
{
    const char *text = v->text.text;
    if (v->key->type != KEY_EXPRESSIONS)
        return from + strcspn(text + from, ",");
    unsigned depth = 0;
    for (size_t i = from; text[i]; i++) {
        if (text[i] == '"') {
            i = config_value_string_end(text, i);
            if (!text[i])
                return i;
        } else if (strchr("([{", text[i])) {
            depth++;
        } else if (strchr(")]}", text[i]) && depth > 0) {
            depth--;
        } else if (text[i] == ',' && depth == 0) {
            return i;
        }
    }
    return v->text.length;
}

static void read_list(struct config_value *v,
                      void (*each)(struct config_value *v, size_t offset, size_t length, void *out),
                      void *out)
{
    size_t from = 0;
    for (;;) {
        size_t end = item_end(v, from), first = from, last = end;
        while (first < last && strchr(" \t", v->text.text[first]))
            first++;
        while (last > first && strchr(" \t", v->text.text[last - 1]))
            last--;
        if (first < last)
            each(v, first, last - first, out);
        else if (end < v->text.length)
            config_value_wrong(v, end, 1, NULL, "nothing stands before this comma");
        else
            config_value_wrong(v, from ? from - 1 : 0, 1, NULL, "nothing follows this comma");
        if (end >= v->text.length || v->no_memory)
            return;
        from = end + 1;
    }
}

static void add_string(struct config_value *v, size_t offset, char *item, struct config_strings *out)
{
    char **items = config_value_more(v, out->item, out->count, sizeof *items);
    struct config_place *places = config_value_more(v, out->place, out->count, sizeof *places);
    if (!items || !places || !item) {
        v->no_memory = v->bad = true;
        return;
    }
    out->item = items;
    out->place = places;
    items[out->count] = item;
    places[out->count++] = config_text_place(&v->text, offset);
}

static void read_item(struct config_value *v, size_t offset, size_t length, void *out)
{
    add_string(v, offset, config_arena_copy(v->arena, v->text.text + offset, length), out);
}

static void read_hostname_item(struct config_value *v, size_t offset, size_t length, void *out)
{
    char *name = config_value_hostname(v, offset, length, true);
    if (name)
        add_string(v, offset, name, out);
}

static void read_addr_item(struct config_value *v, size_t offset, size_t length, void *out)
{
    struct config_addrs *addrs = out;
    struct config_addr *items = config_value_more(v, addrs->item, addrs->count, sizeof *items);
    struct config_place *places = config_value_more(v, addrs->place, addrs->count, sizeof *places);
    if (!items || !places)
        return;
    addrs->item = items;
    addrs->place = places;
    places[addrs->count] = config_text_place(&v->text, offset);
    config_value_addr(v, offset, length, &items[addrs->count++]);
}

static void read_cidr_item(struct config_value *v, size_t offset, size_t length, void *out)
{
    struct config_cidrs *cidrs = out;
    struct config_cidr *items = config_value_more(v, cidrs->item, cidrs->count, sizeof *items);
    if (!items)
        return;
    cidrs->item = items;
    config_value_cidr(v, offset, length, &items[cidrs->count++]);
}

/* Digits from TEXT to END, no more than the key allows; false where they are no such number. */
static bool range_number(const struct config_value *v, const char *text, const char *end, uint32_t *out)
{
    uint64_t number = 0;
    if (text == end || end - text > 10)
        return false;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9')
            return false;
        number = number * 10 + (unsigned)(*text - '0');
    }
    *out = (uint32_t)number;
    return number >= v->key->min && number <= v->key->max;
}

static void read_range_item(struct config_value *v, size_t offset, size_t length, void *out)
{
    struct config_ranges *ranges = out;
    struct config_range *items = config_value_more(v, ranges->item, ranges->count, sizeof *items);
    const char *text = v->text.text + offset, *end = text + length, *dash = memchr(text, '-', length);
    if (!items)
        return;
    ranges->item = items;
    struct config_range *range = &items[ranges->count++];
    if (!range_number(v, text, dash ? dash : end, &range->first) ||
        !range_number(v, dash ? dash + 1 : text, end, &range->last))
        config_value_wrong(v, offset, length, NULL,
                           VALUE_QUOTED " is neither a number from %llu to %llu nor FIRST-LAST of such",
                           VALUE_QUOTE(v, offset, length), (unsigned long long)v->key->min,
                           (unsigned long long)v->key->max);
    else if (range->first > range->last)
        config_value_wrong(v, offset, length, NULL, VALUE_QUOTED " ends before it begins",
                           VALUE_QUOTE(v, offset, length));
}

static void read_expression_item(struct config_value *v, size_t offset, size_t length, void *out)
{
    struct config_texts *texts = out;
    struct config_text *items = config_value_more(v, texts->item, texts->count, sizeof *items);
    if (!items)
        return;
    texts->item = items;
    config_value_slice(v, &v->text, offset, offset + length, &items[texts->count++]);
}

/* --- all of them --- */

/* Habits from other INI dialects that would end up within the value. Whether one was told. */
static bool told_habit(struct config_value *v)
{
    const char *text = v->text.text;
    size_t length = v->text.length;
    for (size_t i = 0; i + 1 < length; i++) {
        if (strchr(" \t", text[i]) && text[i + 1] == '#') {
            config_value_wrong(v, i + 1, length - i - 1, NULL, "a comment stands on a line of its own");
            return true;
        }
    }
    if (length >= 2 && (text[0] == '"' || text[0] == '\'') && text[length - 1] == text[0]) {
        char *bare = config_arena_copy(v->arena, text + 1, length - 2);
        config_value_wrong(v, 0, length, bare, "values are written without quotes");
        return true;
    }
    return false;
}

void config_value_read(struct config_value *v, void *out)
{
    if (v->bad)
        return;
    if (!taken_as_is(v->key->type) && v->key->type != KEY_STRING && told_habit(v))
        return;
    switch (v->key->type) {
    case KEY_BOOL: read_bool(v, out); break;
    case KEY_ENUM: read_enum(v, out); break;
    case KEY_FLAGS: read_list(v, read_flag, out); break;
    case KEY_NUMBER:
    case KEY_DURATION:
    case KEY_SIZE: read_number(v, out); break;
    case KEY_STRING:
    case KEY_PATH: read_string(v, out); break;
    case KEY_HOSTNAME: *(char **)out = config_value_hostname(v, 0, v->text.length, false); break;
    case KEY_ADDR: config_value_addr(v, 0, v->text.length, out); break;
    case KEY_ADDRS: read_list(v, read_addr_item, out); break;
    case KEY_TARGET: config_value_target(v, 0, v->text.length, out); break;
    case KEY_CIDRS: read_list(v, read_cidr_item, out); break;
    case KEY_RANGES: read_list(v, read_range_item, out); break;
    case KEY_STRINGS:
    case KEY_INBOUNDS: read_list(v, read_item, out); break;
    case KEY_HOSTNAMES: read_list(v, read_hostname_item, out); break;
    case KEY_EXPRESSION:
    case KEY_HEADER: *(struct config_text *)out = v->text; break;
    case KEY_EXPRESSIONS: read_list(v, read_expression_item, out); break;
    }
}
