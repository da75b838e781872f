/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "config/config.h"
#include "config/table.h"
#include "config/value.h"

static const char preface[] =
    "# The configuration\n"
    "\n"
    "<!-- Written from config/table.c; `OUTRIDER_REGENERATE=1 build/release/tests/test_config` writes it "
    "anew. -->\n"
    "\n"
    "One INI file in UTF-8, at most 1 MiB. `sidecar check -c FILE` tells every mistake in it.\n"
    "\n"
    "- Sections are `[kind]` or `[kind NAME]`; keys are `key = value`. Both start at the first column, and "
    "each stands "
    "once.\n"
    "- A comment is a line of its own that begins with `#` or `;`. Nothing after a value is a comment, and ` "
    ";` within "
    "a value is refused; in an expression, write `\\x3b` within quotes.\n"
    "- Lists and expressions may go on on further lines that begin with blanks; a line break counts as one "
    "blank.\n"
    "- `${NAME}` stands for a variable of the environment (the name in upper case; it must be set). It is "
    "not "
    "looked for in expressions.\n"
    "- Values are written without quotes, but for strings within expressions.\n"
    "- The names of sections and of keys have at most 49 bytes.\n"
    "\n"
    "## Values\n"
    "\n"
    "| type | how it is written |\n"
    "|---|---|\n"
    "| bool | `true` or `false`; also `yes`, `no`, `on`, `off` |\n"
    "| number | decimal digits |\n"
    "| duration | a whole number with a unit: `250ms`, `30s`, `10m`, `1h`, `1d` |\n"
    "| size | a whole number with a unit: `512B`, `64KiB`, `1MiB`, `1GiB` |\n"
    "| text | as it stands |\n"
    "| path | of a file or folder, without quotes |\n"
    "| host name | a DNS name, in either case, without a dot at its end |\n"
    "| address | to listen on: `0.0.0.0:8443`, `[::]:8443` or `unix:/path` |\n"
    "| addresses | a list of such |\n"
    "| target | to connect to: `name:port`, `192.0.2.1:port`, `[2001:db8::1]:port` or `unix:/path` |\n"
    "| networks | a list of `10.0.0.0/8`, `fd00::/8`; an address alone is one host |\n"
    "| spans | a list of numbers and `FIRST-LAST` |\n"
    "| list | items separated by commas |\n"
    "| host names | a list of names; `*.example.com` stands for all names below example.com |\n"
    "| inbounds | a list of the NAMEs of `[inbound NAME]` sections |\n"
    "| expression | in the rule language |\n"
    "| expressions | a list of fields or functions of them |\n";

static const char *type_word(enum config_key_type type)
{
    switch (type) {
    case KEY_BOOL: return "bool";
    case KEY_ENUM: return "";
    case KEY_FLAGS: return "list of ";
    case KEY_NUMBER: return "number";
    case KEY_DURATION: return "duration";
    case KEY_SIZE: return "size";
    case KEY_STRING: return "text";
    case KEY_PATH: return "path";
    case KEY_HOSTNAME: return "host name";
    case KEY_ADDR: return "address";
    case KEY_ADDRS: return "addresses";
    case KEY_TARGET: return "target";
    case KEY_CIDRS: return "networks";
    case KEY_RANGES: return "spans";
    case KEY_STRINGS: return "list";
    case KEY_HOSTNAMES: return "host names";
    case KEY_INBOUNDS: return "inbounds";
    case KEY_EXPRESSION:
    case KEY_HEADER: return "expression";
    case KEY_EXPRESSIONS: return "expressions";
    }
    return "";
}

static void print_type(const struct config_key *k, FILE *out)
{
    char word[CONFIG_NAME_MAX + 1], low[32], high[32];
    bool number = k->type == KEY_NUMBER || k->type == KEY_DURATION || k->type == KEY_SIZE, more = false;
    fputs(type_word(k->type), out);
    if (number) {
        /* Off is no number of the range. */
        config_value_amount(k, k->words ? 1 : k->min, low, sizeof low);
        config_value_amount(k, k->max, high, sizeof high);
        fprintf(out, ", %s to %s", low, high);
        if (k->words)
            fprintf(out, ", or `%s`", k->words);
        return;
    }
    for (unsigned i = 0; config_value_word(k, i, word); i++) {
        if (word[0])
            fprintf(out, "%s`%s`", more ? ", " : "", word);
        more |= word[0] != 0;
    }
}

static void print_key(const struct config_key *k, FILE *out)
{
    fprintf(out, "| `%s%s` | ", k->name, k->type == KEY_HEADER ? "NAME" : "");
    print_type(k, out);
    if (k->required)
        fputs(" | must be given", out);
    else if (k->fallback)
        fprintf(out, " | `%s`", k->fallback);
    else
        fputs(" |", out);
    fprintf(out, " | %s |\n", k->help);
}

void config_reference_print(FILE *out)
{
    fputs(preface, out);
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        const struct config_section *s = &config_sections[i];
        fprintf(out, "\n## [%s%s]\n\n%s\n\n| key | type | default | meaning |\n|---|---|---|---|\n", s->word,
                s->named == NAMED_YES   ? " NAME"
                : s->named == NAMED_MAY ? "] and [headers NAME"
                                        : "",
                s->help);
        for (const struct config_key *k = config_keys; k < config_keys + config_key_count; k++)
            if (k->section == s->id)
                print_key(k, out);
    }
}
