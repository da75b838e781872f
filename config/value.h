/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One value: text into the typed field that the table says, every mistake told with its place. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "config/arena.h"
#include "config/config.h"
#include "config/table.h"

struct config_value {
    struct config_arena *arena;
    struct config_report *report;
    const struct config_key *key;
    struct config_text text; /* after config_value_expand() */
    bool bad;                /* a mistake was told */
    bool no_memory;
};

/* Copies the text, with each ${NAME} replaced by the environment's word for it but in expressions. */
void config_value_expand(struct config_value *v, const struct config_text *text);

/*
 * Reads the text, which is not empty, as the key's type into the field at OUT (KEY_HEADER: into a struct
 * config_text). On a mistake, v->bad is set and OUT is not to be used.
 */
void config_value_read(struct config_value *v, void *out);

/* Appends bytes FROM to END of a text to another, with the places of all of them. */
void config_value_slice(struct config_value *v, const struct config_text *from_text, size_t from, size_t end,
                        struct config_text *to);

/* Tells a mistake in LENGTH bytes at OFFSET of the text. */
void config_value_wrong(struct config_value *v, size_t offset, size_t length, const char *suggestion,
                        const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The values that have a shape of their own, between OFFSET and OFFSET + LENGTH of the text (value_net.c). */
void config_value_addr(struct config_value *v, size_t offset, size_t length, struct config_addr *out);
void config_value_target(struct config_value *v, size_t offset, size_t length, struct config_target *out);
void config_value_cidr(struct config_value *v, size_t offset, size_t length, struct config_cidr *out);

/* A copy in lower case of a host name; WILDCARD lets it begin with "*.". NULL: told, or no memory. */
char *config_value_hostname(struct config_value *v, size_t offset, size_t length, bool wildcard);

/* Within an expression, the offset of the quote that closes the string opened at QUOTE; the text's length if
 * none. */
size_t config_value_string_end(const char *text, size_t quote);

/* For messages: at most 60 bytes of a span within quotes. */
#define VALUE_QUOTED "\"%.*s%s\""
#define VALUE_QUOTE(v, offset, length) \
    (int)((length) > 60 ? 60 : (length)), (v)->text.text + (offset), (length) > 60 ? "..." : ""

/* A number of the key's type as people write it: 30s, 64KiB, off. */
void config_value_amount(const struct config_key *key, uint64_t amount, char *text, size_t size);

/* The key's I-th word into WORD (CONFIG_NAME_MAX + 1 bytes), "" where that index is left out; false: no more.
 */
bool config_value_word(const struct config_key *key, unsigned i, char *word);

/* A grown array with room for one more item of SIZE bytes, at the end and zeroed; NULL: no memory. */
void *config_value_more(struct config_value *v, void *array, size_t count, size_t size);

#endif
