/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The table of all sections and keys. The loader reads by it, the reference is written from it, and
 * suggestions come from it: a new key is one line here (and its field in config.h).
 */
#ifndef CONFIG_TABLE_H
#define CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_section_id {
    SECTION_SIDECAR,
    SECTION_TLS,
    SECTION_CA,
    SECTION_INBOUND,
    SECTION_OUTBOUND,
    SECTION_CAPTURE,
    SECTION_RULES,
    SECTION_RULE,
    SECTION_LIST,
    SECTION_RATELIMIT,
    SECTION_EXPRESSION,
    SECTION_SEQUENCE,
    SECTION_QUARANTINE,
    SECTION_HEADERS,
    SECTION_PROBE,
    SECTION_SCRAPE,
    SECTION_COUNT,
};

struct config_section {
    const char *word;
    enum config_section_id id;
    enum { NAMED_NO, NAMED_YES, NAMED_MAY } named;
    size_t size;  /* of the struct */
    size_t at;    /* in struct config: the struct itself, or with a count the pointer to an array */
    size_t count; /* in struct config: how many; 0: there is only one */
    const char *help;
};

/* What a value is; the field's type in config.h stands behind each. */
enum config_key_type {
    KEY_BOOL,        /* bool */
    KEY_ENUM,        /* enum or bool: the index of one of words */
    KEY_FLAGS,       /* unsigned: a bit for each of words, in order; a list */
    KEY_NUMBER,      /* unsigned or uint64_t */
    KEY_DURATION,    /* uint64_t, ms */
    KEY_SIZE,        /* uint64_t, bytes */
    KEY_STRING,      /* char * */
    KEY_PATH,        /* char * */
    KEY_HOSTNAME,    /* char *, lower-case */
    KEY_ADDR,        /* struct config_addr */
    KEY_ADDRS,       /* struct config_addrs */
    KEY_TARGET,      /* struct config_target */
    KEY_CIDRS,       /* struct config_cidrs */
    KEY_RANGES,      /* struct config_ranges */
    KEY_STRINGS,     /* struct config_strings */
    KEY_HOSTNAMES,   /* struct config_strings: exact or *.suffix, lower-case */
    KEY_INBOUNDS,    /* struct config_strings: names of inbounds */
    KEY_EXPRESSION,  /* struct config_text */
    KEY_EXPRESSIONS, /* struct config_texts */
    KEY_HEADER,      /* struct config_header * and its count; the name ends in a dot and the user goes on */
};

struct config_key {
    enum config_section_id section;
    enum config_key_type type;
    const char *name;
    const char *fallback; /* the default, as one would write it; NULL: none or empty */
    const char *words;    /* KEY_ENUM, KEY_FLAGS: "a|b|c"; for numbers, the word that stands for 0 */
    const char *help;
    uint64_t min, max; /* numbers */
    uint16_t at;       /* of the field in its struct */
    uint16_t size;     /* of the field */
    uint16_t count;    /* KEY_HEADER: of the count in its struct */
    bool required;     /* there is no default */
};

enum { CONFIG_KEYS_MAX = 192 };

extern const struct config_section config_sections[SECTION_COUNT]; /* in the order of the ids */
extern const struct config_key config_keys[];                      /* section by section */
extern const size_t config_key_count;

/* The section by its word, or NULL. */
const struct config_section *config_section_find(const char *word, size_t length);

/* The key by its name, also request.ANYTHING, or NULL. */
const struct config_key *config_key_find(enum config_section_id section, const char *name);

/* Whether a value may go on on further, indented lines. */
bool config_key_continues(const struct config_key *key);

#endif
