/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * HPACK (RFC 7541): header blocks to fields and back, a decoder or an encoder for each direction of a
 * connection. Memory in, memory out.
 *
 *   hpack.c          the static and the dynamic table
 *   hpack_decode.c   blocks to fields
 *   hpack_huffman.c  its strings
 *   hpack_encode.c   fields to blocks
 *
 * The encoder is made for proxies: fields come again on every request, and what the table has costs one look
 * and one byte. It writes no Huffman codes, which cost more than the bytes that they spare, and puts nothing
 * into the table that pushes out what is in use for something that does not come again.
 */
#ifndef OUTRIDER_SIDECAR_HTTP_HPACK_H
#define OUTRIDER_SIDECAR_HTTP_HPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sidecar/http/field.h"

enum {
    HPACK_STATIC = 61, /* entries of the static table, numbered from 1 */
    HPACK_ENTRY = 32,  /* what an entry counts beside its bytes (4.1) */
};

/* --- tables --- */

struct hpack_entry {
    uint32_t at;              /* in the table's text: the name, and then the value */
    uint32_t name, value;     /* bytes */
    uint32_t hash, name_hash; /* the encoder's */
    uint32_t last;            /* the encoder's: the block that said it last */
    bool again;               /* the encoder's: more than one did */
    bool sound;               /* the decoder's: see http_field */
};

/* A dynamic table (2.3.2). Zero-initialised but for max; owns its memory, which grows with its contents. */
struct hpack_table {
    struct hpack_entry *entry; /* a ring; the oldest is number first, modulo cap */
    uint32_t first, count, cap;
    char *text; /* of the entries, oldest first, from begin to end */
    uint32_t begin, end, room;
    uint32_t size, max; /* as section 4.1 counts; the limit in force */
};

/* The number of an entry counts on from the first one ever: it is that of the table as long as it lives. */
static inline bool hpack_lives(const struct hpack_table *t, uint32_t number)
{
    return number - t->first < t->count;
}

static inline struct hpack_entry *hpack_entry(const struct hpack_table *t, uint32_t number)
{
    return &t->entry[number & (t->cap - 1)];
}

/* Another limit: evicts what is too much. */
void hpack_table_limit(struct hpack_table *t, uint32_t max);
/* Adds a copy of a field that is not of the table's text; NULL: it is too large, and has emptied the table,
 * or there is no memory: then *no_memory is set. */
struct hpack_entry *hpack_table_add(struct hpack_table *t, struct http_str name, struct http_str value,
                                    bool *no_memory);
void hpack_table_clear(struct hpack_table *t); /* frees */

struct hpack_static {
    struct http_str name, value;
};
extern const struct hpack_static hpack_static[1 + HPACK_STATIC];
/* The first with this name; 0: none. */
unsigned hpack_static_find(struct http_str name);

/* --- decoding --- */

struct hpack_decoder {
    struct hpack_table table;
    uint32_t limit;  /* on the table size that a block may state */
    bool must_lower; /* the next block has to state one of at most limit (4.2) */
};

void hpack_decoder_init(struct hpack_decoder *d, uint32_t limit);
void hpack_decoder_clear(struct hpack_decoder *d); /* frees */
/* The peer has acknowledged our table size. */
void hpack_decoder_limit(struct hpack_decoder *d, uint32_t limit);

/* A block being decoded. */
struct hpack_block {
    const uint8_t *p, *end;
    char *text, *text_end; /* where strings go that cannot stay where they are; text moves on */
    bool begun;            /* a field has been read; to be false at first */
};
/* Bytes of text that a block of SIZE bytes may need, if each field's are given back before the next (see
 * text): a string of Huffman codes grows to 8/5, and a name may come from a table of TABLE bytes. */
static inline size_t hpack_text_bound(size_t size, size_t table)
{
    return 2 * size + table;
}

enum hpack_result {
    HPACK_FIELD,    /* *field is the next */
    HPACK_END,      /* there is no more */
    HPACK_BROKEN,   /* the decoder is of no use any more; likewise: */
    HPACK_NO_MEMORY /* or the block's text was too short */
};
/* Name and value lie in the block, its text, or the static table. sensitive and sound are set, the rest is
 * zero. */
enum hpack_result hpack_decode(struct hpack_decoder *d, struct hpack_block *block, struct http_field *field)
    __attribute__((warn_unused_result));

/* SIZE bytes of Huffman codes (5.2) to text, at most SIZE * 8 / 5 bytes at OUT. Returns its end; NULL:
 * malformed. */
char *hpack_huffman(const uint8_t *p, size_t size, char *out);

/* --- encoding --- */

enum { HPACK_SLOTS = 256, HPACK_WINDOW = 4 };

struct hpack_encoder {
    struct hpack_table table;
    uint32_t limit;    /* on the table, whatever the peer allows */
    uint32_t block;    /* which is being written, counted from 1 */
    bool tell;         /* the next block begins with table sizes: */
    uint32_t smallest; /* if it is smaller than the table's limit, this one too */
    uint32_t slots[HPACK_SLOTS], names[HPACK_SLOTS]; /* numbers of entries, by hash and name_hash */
};

/* LIMIT bytes of table at most; the peer's is 4096 at first (RFC 9113, 6.5.2). */
void hpack_encoder_init(struct hpack_encoder *e, uint32_t limit);
void hpack_encoder_clear(struct hpack_encoder *e); /* frees */
/* The peer's table has changed to SIZE bytes, with SMALLEST the smallest size on the way. Tells it. */
void hpack_encoder_limit(struct hpack_encoder *e, uint32_t smallest, uint32_t size);

enum { HPACK_BEGIN_BOUND = 12, HPACK_FIELD_BOUND = 18 };
/* Begins a block at P, which takes at most HPACK_BEGIN_BOUND bytes. Returns the end of what is written. */
uint8_t *hpack_encode_begin(struct hpack_encoder *e, uint8_t *p);
/* Writes a field at P: at most HPACK_FIELD_BOUND bytes and those of name and value. NULL: out of memory; the
 * encoder is of no use any more. */
uint8_t *hpack_encode(struct hpack_encoder *e, struct http_str name, struct http_str value, bool sensitive,
                      uint8_t *p) __attribute__((warn_unused_result));

#endif
