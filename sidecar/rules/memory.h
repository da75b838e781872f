/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Memory of programs, lists and values: an arena that is freed as a whole, and bytes that grow.
 */
#ifndef SIDECAR_RULES_MEMORY_H
#define SIDECAR_RULES_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rules_arena_block;

/* Begins as {0}. */
struct rules_arena {
    struct rules_arena_block *block;
    size_t memory; /* bytes taken from the heap */
};

void *rules_arena_take(struct rules_arena *arena,
                       size_t size); /* zeroed, aligned to 16; NULL without memory */
void *rules_arena_copy(struct rules_arena *arena, const void *data, size_t size);
void rules_arena_free(struct rules_arena *arena);

/* Begins as {0}. */
struct rules_buffer {
    uint8_t *data;
    size_t size, room;
    bool failed; /* no memory: what was added since is lost */
};

void rules_buffer_add(struct rules_buffer *buffer, const void *data, size_t size);
void rules_buffer_text(struct rules_buffer *buffer, const char *text);
/* At most 255 characters. */
void rules_buffer_format(struct rules_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void rules_buffer_free(struct rules_buffer *buffer);

#endif
