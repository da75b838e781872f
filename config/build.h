/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From sections and entries to the structs of config.h, by the table; and the checks that look at several at
 * once. */
#ifndef CONFIG_BUILD_H
#define CONFIG_BUILD_H

#include "config/arena.h"
#include "config/config.h"
#include "config/lines.h"

struct config_build {
    struct config_arena *arena;
    struct config_report *report;
    struct config *config;
    /* Where the Ith struct of a kind came from; of a section that there is only once, [0] may be NULL. */
    struct config_lines_section **origin[SECTION_COUNT];
    size_t count[SECTION_COUNT];
};

/* Fills the configuration; what is wrong is told. False: no memory. */
bool config_build_sections(struct config_build *b, struct config_lines_section *first);

/* Tells combinations that cannot work, and takes over what one section says for another. False: no memory. */
bool config_check_all(struct config_build *b);
/* Parts of it. check_where.c: what applies to which inbound; check_capture.c: outbounds and [capture]. */
bool config_check_where(struct config_build *b);
bool config_check_capture(struct config_build *b);

/* "[inbound web]" into TEXT. */
enum { CONFIG_LABEL_MAX = CONFIG_NAME_MAX + 4 };
const char *config_build_label(const struct config_lines_section *s, char text[CONFIG_LABEL_MAX]);

/* The entry of a key that the file has, or NULL. S may be NULL. */
struct config_lines_entry *config_build_entry(const struct config_lines_section *s, const char *key);

/* Tells a problem at a key's value, or, where the file does not have the key, at its section. */
void config_build_tell(struct config_build *b, enum config_severity severity,
                       const struct config_lines_section *s, const char *key, const char *suggestion,
                       const char *format, ...) __attribute__((format(printf, 6, 7)));

/* Whether a list of names of inbounds has this one; an empty list has all. */
bool config_build_applies(const struct config_strings *inbounds, const char *name);

#endif
