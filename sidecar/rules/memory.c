/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The arena of a program, growing buffers, and the scratch of a thread. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/rules/internal.h"

enum { ALIGNMENT = 16, BLOCK_FIRST = 1024, BLOCK_MOST = 64 * 1024 };

struct rules_arena_block {
    struct rules_arena_block *next;
    size_t size, used;
    _Alignas(ALIGNMENT) uint8_t data[];
};

void *rules_arena_take(struct rules_arena *arena, size_t size)
{
    if (size > SIZE_MAX / 4)
        return NULL;
    size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    struct rules_arena_block *block = arena->block;
    if (!block || block->size - block->used < size) {
        size_t room = block ? block->size * 2 : BLOCK_FIRST;
        if (room > BLOCK_MOST)
            room = BLOCK_MOST;
        if (room < size)
            room = size;
        block = calloc(1, sizeof *block + room);
        if (!block)
            return NULL;
        block->size = room;
        block->next = arena->block;
        arena->block = block;
        arena->memory += sizeof *block + room;
    }
    void *taken = block->data + block->used;
    block->used += size;
    return taken;
}

void *rules_arena_copy(struct rules_arena *arena, const void *data, size_t size)
{
    void *copy = rules_arena_take(arena, size ? size : 1);
    if (copy && size)
        memcpy(copy, data, size);
    return copy;
}

void rules_arena_free(struct rules_arena *arena)
{
    while (arena->block) {
        struct rules_arena_block *block = arena->block;
        arena->block = block->next;
        free(block);
    }
}

static bool buffer_grow(struct rules_buffer *buffer, size_t size)
{
    if (buffer->failed)
        return false;
    if (buffer->room - buffer->size >= size)
        return true;
    size_t room = buffer->room ? buffer->room : 128;
    while (room - buffer->size < size) {
        if (room > SIZE_MAX / 4)
            goto fail;
        room *= 2;
    }
    uint8_t *data = realloc(buffer->data, room);
    if (!data)
        goto fail;
    buffer->data = data;
    buffer->room = room;
    return true;
fail:
    buffer->failed = true;
    return false;
}

void rules_buffer_add(struct rules_buffer *buffer, const void *data, size_t size)
{
    if (size == 0 || !buffer_grow(buffer, size))
        return;
    memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
}

void rules_buffer_text(struct rules_buffer *buffer, const char *text)
{
    rules_buffer_add(buffer, text, strlen(text));
}

void rules_buffer_format(struct rules_buffer *buffer, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    rules_buffer_add(buffer, text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1);
}

void rules_buffer_free(struct rules_buffer *buffer)
{
    free(buffer->data);
    memset(buffer, 0, sizeof *buffer);
}

bool rules_scratch_init(struct rules_scratch *scratch, size_t size)
{
    memset(scratch, 0, sizeof *scratch);
    scratch->base = malloc(size ? size : 1);
    scratch->size = size;
    scratch->regex = regex_scratch_new(0);
    if (scratch->base && scratch->regex)
        return true;
    rules_scratch_clear(scratch);
    return false;
}

void rules_scratch_clear(struct rules_scratch *scratch)
{
    free(scratch->base);
    regex_scratch_free(scratch->regex);
    memset(scratch, 0, sizeof *scratch);
}

void *run_take(struct run *run, size_t size)
{
    struct rules_scratch *scratch = run->scratch;
    size_t used = (scratch->used + 7) & ~(size_t)7;
    if (used > scratch->size || scratch->size - used < size) {
        scratch->overflow = true;
        return NULL;
    }
    scratch->used = used + size;
    return scratch->base + used;
}
