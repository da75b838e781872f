/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory that lives and dies together: the configuration's, and what reading it needs. */
#ifndef CONFIG_ARENA_H
#define CONFIG_ARENA_H

#include <stddef.h>

struct config_arena;

struct config_arena *config_arena_new(void); /* NULL: no memory */
void config_arena_free(struct config_arena *arena);

/* COUNT * SIZE zeroed bytes, aligned for anything. NULL: no memory. */
void *config_arena_alloc(struct config_arena *arena, size_t count, size_t size);

/* A copy of LENGTH bytes and a zero byte. */
char *config_arena_copy(struct config_arena *arena, const char *text, size_t length);

#endif
