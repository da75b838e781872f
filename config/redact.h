/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The configuration as it may be shown: secrets left out, and still one that would be accepted. A file holds
 * no key and no password, only their paths; what may be secret in it are strings within expressions (the
 * value of a header that the service asks for, or that a rule compares with) and in the queries of requests.
 * Variables of the environment stay as they are written, ${NAME}.
 */
#ifndef CONFIG_REDACT_H
#define CONFIG_REDACT_H

#include <stdbool.h>
#include <stddef.h>

#include "config/arena.h"

struct config_lines_section;

typedef void (*config_put_fn)(void *arg, const char *text, size_t size);

/*
 * Writes an expression by PUT. Where it looks at a header, cookie or the like whose name sounds of a secret,
 * or where ALL is set, its strings are "redacted", but those between brackets, which are names.
 */
void config_redact_expression(const char *text, bool all, config_put_fn put, void *arg);

/* All sections with the keys that were set, as INI. NULL without memory. */
char *config_redact(struct config_arena *arena, const struct config_lines_section *first);

#endif
