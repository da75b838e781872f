/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "sidecar/http/chars.h"
#include "sidecar/http/hpack.h"

enum { TABLE_DEFAULT = 4096 };

void hpack_decoder_init(struct hpack_decoder *d, uint32_t limit)
{
    *d = (struct hpack_decoder){.table.max = TABLE_DEFAULT, .limit = limit};
}

void hpack_decoder_clear(struct hpack_decoder *d)
{
    hpack_table_clear(&d->table);
}

void hpack_decoder_limit(struct hpack_decoder *d, uint32_t limit)
{
    d->limit = limit;
    if (d->table.max <= limit)
        return; /* whoever encodes may take more, and says so then */
    hpack_table_limit(&d->table, limit);
    d->must_lower = true;
}

/* An integer whose first byte has BITS bits of it (5.1). False: cut off, or beyond 32 bits. */
static bool integer(struct hpack_block *b, unsigned bits, uint32_t *n)
{
    uint32_t most = (1u << bits) - 1;
    *n = *b->p++ & most;
    if (*n < most)
        return true;
    for (unsigned shift = 0; b->p < b->end && shift < 32; shift += 7) {
        uint8_t byte = *b->p++;
        uint64_t sum = *n + ((uint64_t)(byte & 0x7f) << shift);
        if (sum > UINT32_MAX)
            return false;
        *n = (uint32_t)sum;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

static enum hpack_result string(struct hpack_block *b, struct http_str *s)
{
    uint32_t size;
    if (b->p == b->end)
        return HPACK_BROKEN;
    bool huffman = *b->p & 0x80;
    if (!integer(b, 7, &size) || size > (size_t)(b->end - b->p))
        return HPACK_BROKEN;
    const uint8_t *p = b->p;
    b->p += size;
    if (!huffman) {
        *s = (struct http_str){(const char *)p, size};
        return HPACK_FIELD;
    }
    if ((size_t)size * 8 / 5 > (size_t)(b->text_end - b->text))
        return HPACK_NO_MEMORY;
    char *end = hpack_huffman(p, size, b->text);
    if (!end)
        return HPACK_BROKEN;
    *s = (struct http_str){b->text, (size_t)(end - b->text)};
    b->text = end;
    return HPACK_FIELD;
}

/* The entry of an index beyond the static table; NULL: there is none. */
static const struct hpack_entry *dynamic(const struct hpack_decoder *d, uint32_t index)
{
    const struct hpack_table *t = &d->table;
    index -= HPACK_STATIC + 1;
    return index < t->count ? hpack_entry(t, t->first + t->count - 1 - index) : NULL;
}

/* The first SIZE bytes of an entry, which may be gone before the block ends. */
static const char *keep(const struct hpack_decoder *d, struct hpack_block *b, const struct hpack_entry *e,
                        uint32_t size)
{
    char *text = b->text;
    if (size > (size_t)(b->text_end - b->text))
        return NULL;
    if (size)
        memcpy(text, d->table.text + e->at, size);
    b->text += size;
    return text;
}

static enum hpack_result indexed(const struct hpack_decoder *d, struct hpack_block *b,
                                 struct http_field *field)
{
    uint32_t index;
    if (!integer(b, 7, &index) || index == 0)
        return HPACK_BROKEN;
    if (index <= HPACK_STATIC) {
        *field = (struct http_field){
            .name = hpack_static[index].name, .value = hpack_static[index].value, .sound = true};
        return HPACK_FIELD;
    }
    const struct hpack_entry *e = dynamic(d, index);
    if (!e)
        return HPACK_BROKEN;
    const char *text = keep(d, b, e, e->name + e->value);
    if (!text)
        return HPACK_NO_MEMORY;
    *field =
        (struct http_field){.name = {text, e->name}, .value = {text + e->name, e->value}, .sound = e->sound};
    return HPACK_FIELD;
}

/* RFC 9113, 8.2.1; those of pseudo-header fields begin with a colon. */
static bool name_ok(struct http_str name)
{
    if (name.n > 1 && name.p[0] == ':')
        name.p++, name.n--;
    return name.n && http_all(name.p, name.n, HTTP_NAME);
}

/* A field's name by BITS bits of index, or by itself; *sound: it is known to be good. */
static enum hpack_result literal_name(const struct hpack_decoder *d, struct hpack_block *b, unsigned bits,
                                      struct http_str *name, bool *sound)
{
    uint32_t index;
    if (!integer(b, bits, &index))
        return HPACK_BROKEN;
    if (index == 0) {
        enum hpack_result result = string(b, name);
        *sound = result == HPACK_FIELD && name_ok(*name);
        return result;
    }
    if (index <= HPACK_STATIC) {
        *name = hpack_static[index].name;
        *sound = true;
        return HPACK_FIELD;
    }
    const struct hpack_entry *e = dynamic(d, index);
    if (!e)
        return HPACK_BROKEN;
    *name = (struct http_str){keep(d, b, e, e->name), e->name};
    if (!name->p)
        return HPACK_NO_MEMORY;
    *sound = e->sound || name_ok(*name);
    return HPACK_FIELD;
}

static enum hpack_result literal(struct hpack_decoder *d, struct hpack_block *b, struct http_field *field)
{
    bool added = *b->p & 0x40, never = !added && *b->p & 0x10, no_memory = false;
    *field = (struct http_field){.sensitive = never};
    enum hpack_result result = literal_name(d, b, added ? 6 : 4, &field->name, &field->sound);
    if (result != HPACK_FIELD || (result = string(b, &field->value)) != HPACK_FIELD)
        return result;
    field->sound = field->sound && http_value_ok(field->value);
    if (!added)
        return HPACK_FIELD;
    struct hpack_entry *e = hpack_table_add(&d->table, field->name, field->value, &no_memory);
    if (e)
        e->sound = field->sound;
    return no_memory ? HPACK_NO_MEMORY : HPACK_FIELD;
}

/* Table sizes, at a block's beginning only (4.2). */
static bool sizes(struct hpack_decoder *d, struct hpack_block *b)
{
    while (b->p < b->end && (*b->p & 0xe0) == 0x20) {
        uint32_t size;
        if (!integer(b, 5, &size) || size > d->limit || (d->must_lower && size > d->table.max))
            return false;
        hpack_table_limit(&d->table, size);
        d->must_lower = false;
    }
    return !d->must_lower;
}

enum hpack_result hpack_decode(struct hpack_decoder *d, struct hpack_block *b, struct http_field *field)
{
    if (!b->begun && !sizes(d, b))
        return HPACK_BROKEN;
    b->begun = true;
    if (b->p == b->end)
        return HPACK_END;
    if (*b->p & 0x80)
        return indexed(d, b, field);
    if ((*b->p & 0xe0) == 0x20)
        return HPACK_BROKEN;
    return literal(d, b, field);
}
