/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/rules/sequence.h"

#include <stdlib.h>
#include <string.h>

#include "sidecar/rules/internal.h"

struct sequence {
    char *name;
    uint64_t window;
    struct rules_program *step[SEQUENCE_STEPS_MAX];
    unsigned steps;
};

/* When each step was last rightly taken, plus one; 0: never. */
struct taken {
    uint64_t at[SEQUENCE_STEPS_MAX];
};

static bool failed(struct rules_error *error, enum rules_error_kind kind, size_t at, size_t length,
                   const char *message)
{
    memset(error, 0, sizeof *error);
    error->kind = kind;
    error->offset = at;
    error->length = length;
    error->line = 1;
    error->column = (unsigned)at + 1;
    snprintf(error->message, sizeof error->message, "%s", message);
    return false;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* Reads one name; a dash that begins an arrow is not part of it. */
static size_t name_length(const char *text)
{
    size_t size = 0;
    while (name_character(text[size]) && !(text[size] == '-' && text[size + 1] == '>'))
        size++;
    return size;
}

static bool parse_steps(struct sequence *s, const char *text, const struct rules_env *env,
                        bool (*find)(void *arg, const char *name, size_t size,
                                     struct rules_bytes *expression),
                        void *arg, struct rules_error *error, int *step)
{
    struct rules_env here = *env;
    const char *p = text;
    here.phases = RULES_CONNECTION | RULES_REQUEST;
    for (;;) {
        while (blank(*p))
            p++;
        size_t size = name_length(p), at = (size_t)(p - text);
        struct rules_bytes expression;
        if (size == 0)
            return failed(error, RULES_EXPECTED_NAME, at, *p != 0, "expected the name of an expression");
        if (s->steps == SEQUENCE_STEPS_MAX)
            return failed(error, RULES_TOO_MANY, at, size, "a sequence has at most eight steps");
        if (!find(arg, p, size, &expression))
            return failed(error, RULES_UNKNOWN_IDENTIFIER, at, size, "there is no expression of this name");
        *step = (int)s->steps;
        s->step[s->steps] = rules_compile(&here, (const char *)expression.data, expression.size, error);
        if (!s->step[s->steps])
            return false;
        s->steps++;
        *step = -1;
        p += size;
        while (blank(*p))
            p++;
        if (!*p)
            break;
        if (p[0] != '-' || p[1] != '>')
            return failed(error, RULES_EXPECTED_LITERAL, (size_t)(p - text), 1, "expected ->");
        p += 2;
    }
    return s->steps >= 2 ||
           failed(error, RULES_EXPECTED_LITERAL, strlen(text), 0, "a sequence has two steps at least");
}

struct sequence *
sequence_new(const char *name, const char *text, uint64_t window, const struct rules_env *env,
             bool (*find)(void *arg, const char *name, size_t size, struct rules_bytes *expression),
             void *arg, struct rules_error *error, int *step)
{
    struct sequence *s = calloc(1, sizeof *s);
    *step = -1;
    if (!s || !(s->name = strdup(name))) {
        failed(error, RULES_OUT_OF_MEMORY, 0, 0, "out of memory");
        sequence_free(s);
        return NULL;
    }
    s->window = window;
    if (parse_steps(s, text, env, find, arg, error, step))
        return s;
    sequence_free(s);
    return NULL;
}

void sequence_free(struct sequence *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < s->steps; i++)
        rules_free(s->step[i]);
    free(s->name);
    free(s);
}

const char *sequence_name(const struct sequence *s)
{
    return s->name;
}

uint8_t sequence_phases(const struct sequence *s)
{
    uint8_t phases = 0;
    for (unsigned i = 0; i < s->steps; i++)
        phases |= rules_program_phases(s->step[i]);
    return phases;
}

bool sequence_uses(const struct sequence *s, unsigned field)
{
    for (unsigned i = 0; i < s->steps; i++)
        if (rules_program_uses(s->step[i], field))
            return true;
    return false;
}

struct rules_lru *sequence_table_new(size_t entries, const uint8_t secret[16])
{
    return rules_lru_new(entries, sizeof(struct taken), secret);
}

/* Takes the steps of the bits HIT. Where a request is several steps, one of them in order is enough. */
static int take(const struct sequence *s, struct taken *taken, unsigned hit, uint64_t now)
{
    uint64_t before[SEQUENCE_STEPS_MAX];
    int broken = -1;
    bool in_order = false;
    memcpy(before, taken->at, sizeof before);
    for (unsigned i = 0; i < s->steps; i++) {
        if (!(hit >> i & 1))
            continue;
        if (i > 0 && (before[i - 1] == 0 || now - (before[i - 1] - 1) > s->window)) {
            broken = broken < 0 ? (int)i : broken;
            continue;
        }
        taken->at[i] = now + 1;
        in_order = true;
    }
    return in_order ? -1 : broken;
}

int sequence_request(const struct sequence *s, struct rules_lru *table, const uint8_t fingerprint[32],
                     struct rules_context *context, struct rules_scratch *scratch, uint64_t now)
{
    unsigned hit = 0;
    for (unsigned i = 0; i < s->steps; i++)
        if (rules_eval(s->step[i], context, scratch))
            hit |= 1u << i;
    if (!hit)
        return -1;
    struct rules_lru_hash hash;
    uint64_t key[2];
    rules_lru_hash_start(&hash, table);
    rules_lru_hash_add(&hash, fingerprint, 32);
    rules_lru_hash_add(&hash, s->name, strlen(s->name));
    rules_lru_hash_end(&hash, key);
    int broken = take(s, rules_lru_lock(table, key, true), hit, now);
    rules_lru_unlock(table, key);
    return broken;
}
