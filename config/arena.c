/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_BLOCK = 8 << 10 };

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    alignas(max_align_t) unsigned char data[];
};

struct config_arena {
    struct arena_block *block;
};

struct config_arena *config_arena_new(void)
{
    return calloc(1, sizeof(struct config_arena));
}

void config_arena_free(struct config_arena *arena)
{
    if (!arena)
        return;
    for (struct arena_block *b = arena->block; b;) {
        struct arena_block *next = b->next;
        free(b);
        b = next;
    }
    free(arena);
}

void *config_arena_alloc(struct config_arena *arena, size_t count, size_t size)
{
    if (size && count > (SIZE_MAX / 4) / size)
        return NULL;
    size_t need = count * size;
    need = (need + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    struct arena_block *b = arena->block;
    if (!b || b->size - b->used < need) {
        size_t room = need > ARENA_BLOCK ? need : ARENA_BLOCK;
        b = calloc(1, sizeof *b + room);
        if (!b)
            return NULL;
        b->size = room;
        /* A block made for one large piece goes behind the one that still has room. */
        if (arena->block && need > ARENA_BLOCK) {
            b->next = arena->block->next;
            arena->block->next = b;
        } else {
            b->next = arena->block;
            arena->block = b;
        }
    }
    void *p = b->data + b->used;
    b->used += need;
    return p;
}

char *config_arena_copy(struct config_arena *arena, const char *text, size_t length)
{
    char *copy = config_arena_alloc(arena, length + 1, 1);
    if (copy)
        memcpy(copy, text, length);
    return copy;
}
