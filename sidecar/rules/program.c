/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a text to a program. */
#include <stdlib.h>
#include <string.h>

#include "sidecar/rules/internal.h"

const struct rules_limits rules_limits_default = {
    .text = 4096, .nesting = 128, .regexes = 64, .regex_memory = 10 * 1024 * 1024};

enum { NESTING_MOST = 128 };

/* Length of the white space character (Unicode) at AT, or 0. */
static size_t white(const char *text, size_t size, size_t at)
{
    unsigned char c = (unsigned char)text[at];
    if ((c >= 9 && c <= 13) || c == ' ')
        return 1;
    if (size - at >= 2 && c == 0xc2 && (text[at + 1] == '\x85' || text[at + 1] == '\xa0'))
        return 2;
    if (size - at < 3)
        return 0;
    uint32_t code = (uint32_t)(c & 0x0f) << 12 | (uint32_t)((unsigned char)text[at + 1] & 0x3f) << 6 |
                    ((unsigned char)text[at + 2] & 0x3f);
    bool is = (c & 0xf0) == 0xe0 && (code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 ||
                                     code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000);
    return is ? 3 : 0;
}

static void trim(struct parser *p)
{
    size_t n;
    while (p->start < p->end && (n = white(p->text, p->end, p->start)))
        p->start += n;
    for (;;) {
        size_t last = p->end;
        while (last > p->start && ((unsigned char)p->text[last - 1] & 0xc0) == 0x80)
            last--;
        if (last == p->start || !white(p->text, p->end, last - 1))
            return;
        p->end = last - 1;
    }
}

static struct rules_program *compile(const struct rules_env *env, const char *text, size_t size,
                                     struct rules_error *error,
                                     bool (*parse)(struct parser *, struct node **))
{
    struct rules_error unused;
    struct parser p = {.text = text,
                       .end = size,
                       .env = env,
                       .limits = env->limits ? env->limits : &rules_limits_default,
                       .error = error ? error : &unused};
    struct rules_limits capped = *p.limits;
    if (capped.nesting > NESTING_MOST)
        capped.nesting = NESTING_MOST;
    p.limits = &capped;
    memset(p.error, 0, sizeof *p.error);
    size_t bad;
    if (size > UINT32_MAX / 2) {
        parser_set_error(&p, RULES_TOO_LONG, 0, 0, "the text is too long");
        return NULL;
    }
    trim(&p);
    p.at = p.start;
    if (p.end - p.start > p.limits->text) {
        parser_set_error(&p, RULES_TOO_LONG, p.start + p.limits->text, 0, "longer than %zu bytes",
                         p.limits->text);
        return NULL;
    }
    if (!rules_utf8_valid((const uint8_t *)text + p.start, p.end - p.start, &bad)) {
        parser_set_error(&p, RULES_INVALID_UTF8, p.start + bad, 1, "not UTF-8");
        return NULL;
    }
    p.program = calloc(1, sizeof *p.program);
    if (!p.program)
        goto fail;
    p.program->scheme = env->scheme;
    p.program->missing_is_unequal = env->missing_is_unequal;
    p.program->text_size = size;
    char *copy = rules_arena_take(&p.program->arena, size + 1);
    if (!copy)
        goto fail;
    memcpy(copy, text, size);
    p.program->text = copy;
    if (!parse(&p, &p.program->root))
        goto bad;
    p.program->phases = p.program->root->phases;
    return p.program;
fail:
    parser_set_no_memory(&p);
bad:
    rules_free(p.program);
    return NULL;
}

struct rules_program *rules_compile(const struct rules_env *env, const char *text, size_t size,
                                    struct rules_error *error)
{
    return compile(env, text, size, error, parse_filter);
}

struct rules_program *rules_compile_value(const struct rules_env *env, const char *text, size_t size,
                                          struct rules_error *error)
{
    return compile(env, text, size, error, parse_whole_value);
}

struct rules_program *rules_compile_key(const struct rules_env *env, const char *text, size_t size,
                                        struct rules_error *error)
{
    return compile(env, text, size, error, parse_whole_key);
}

/* Where in the text the byte numbered OFFSET of a regex literal at AT stands: escaped quotes take two there.
 */
static size_t regex_place(const struct parser *p, size_t at, size_t offset)
{
    bool raw = p->text[at] == 'r', class = false;
    while (p->text[at] != '"')
        at++;
    at++;
    for (size_t i = 0; i < offset && at < p->end; i++, at++) {
        char c = p->text[at];
        if (raw)
            continue;
        if (c == '\\' && at + 1 < p->end) {
            if (p->text[at + 1] != '"' || class) {
                at++;
                i++; /* both bytes are kept */
                continue;
            }
            at++;
        } else {
            class = class ? c != ']' : c == '[';
        }
    }
    return at < p->end ? at : p->end;
}

static bool keep_regex(struct rules_program *program, struct regex *regex)
{
    struct regex **grown = realloc(program->regex, (program->regex_count + 1) * sizeof *grown);
    if (!grown)
        return false;
    program->regex = grown;
    grown[program->regex_count++] = regex;
    program->regex_memory += regex_memory(regex);
    return true;
}

/* All regexes of one expression together may be as large as a few of the largest. */
enum { LARGE_REGEXES = 4 };

const struct regex *parse_regex(struct parser *p, struct rules_bytes pattern, size_t at, size_t length,
                                bool captures)
{
    struct rules_program *program = p->program;
    size_t most = p->limits->regex_memory,
           all = most > SIZE_MAX / LARGE_REGEXES ? most : LARGE_REGEXES * most;
    if (program->regex_count >= p->limits->regexes) {
        parser_set_error(p, RULES_TOO_MANY, at, length, "more than %u regular expressions",
                         p->limits->regexes);
        return NULL;
    }
    size_t left = all > program->regex_memory ? all - program->regex_memory : 1;
    struct regex_limits limits = {.memory = left < most ? left : most, .captures = captures};
    struct regex_error error = {.words = "out of memory"};
    struct regex *regex = regex_compile((const char *)pattern.data, pattern.size, &limits, &error);
    if (!regex) {
        size_t from = regex_place(p, at, error.offset);
        size_t to = regex_place(p, at, error.offset + error.length);
        parser_set_error(p, RULES_PARSE_REGEX, from, to - from, "bad regular expression: %s", error.words);
        return NULL;
    }
    if (!keep_regex(program, regex)) {
        regex_free(regex);
        parser_set_no_memory(p);
        return NULL;
    }
    return regex;
}

void rules_free(struct rules_program *program)
{
    if (!program)
        return;
    for (unsigned i = 0; i < program->regex_count; i++)
        regex_free(program->regex[i]);
    free(program->regex);
    rules_arena_free(&program->arena);
    free(program);
}

uint32_t rules_program_type(const struct rules_program *program)
{
    return program->root->type;
}

uint8_t rules_program_phases(const struct rules_program *program)
{
    return program->phases;
}

const char *rules_program_text(const struct rules_program *program)
{
    return program->text;
}
