/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rule language: Cloudflare's, at a mesh sidecar. A text is compiled once, against a scheme of fields,
 * into an immutable program; the program is evaluated against a context of field values, by any number of
 * threads at once, without allocating.
 *
 * All errors happen in rules_compile(); evaluation never fails. A value that cannot be had is missing.
 */
#ifndef SIDECAR_RULES_RULES_H
#define SIDECAR_RULES_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sidecar/rules/fields.h"
#include "sidecar/rules/value.h"

/* --- The scheme: which fields there are --- */

struct rules_field {
    const char *name;
    uint32_t type;             /* RULES_BYTES, RULES_ARRAY_OF(RULES_BYTES), ... */
    uint8_t phase;             /* one bit of enum rules_phase; 0: a constant */
    struct rules_value absent; /* its value where the getter has none */
};

struct rules_scheme {
    const struct rules_field *field;
    size_t count; /* at most RULES_FIELDS_MAX */
};

enum { RULES_FIELDS_MAX = 192, RULES_FIELD_WORDS = RULES_FIELDS_MAX / 64 };

/* Every field of fields.h, in the order of enum rules_field_id. */
const struct rules_scheme *rules_scheme_standard(void);

/* The number of the field called NAME, or -1. */
int rules_scheme_find(const struct rules_scheme *scheme, const char *name, size_t size);

/* --- Errors --- */

enum rules_error_kind {
    RULES_OK,
    RULES_EXPECTED_NAME,
    RULES_EXPECTED_LITERAL,
    RULES_UNKNOWN_IDENTIFIER,
    RULES_EOF,
    RULES_PARSE_INT,
    RULES_PARSE_NETWORK,
    RULES_PARSE_REGEX,
    RULES_PARSE_WILDCARD,
    RULES_COUNT_MISMATCH,
    RULES_INVALID_CHARACTER_ESCAPE,
    RULES_INVALID_RAW_STRING_HASH_COUNT,
    RULES_MISSING_ENDING_QUOTE,
    RULES_INVALID_LIST_NAME,
    RULES_INCOMPATIBLE_RANGE_BOUNDS,
    RULES_UNSUPPORTED_OP,
    RULES_TYPE_MISMATCH,
    RULES_INVALID_INDEX_ACCESS,
    RULES_INVALID_MAP_EACH_ACCESS,
    RULES_INVALID_ARGUMENTS_COUNT,
    RULES_INVALID_ARGUMENT_KIND,
    RULES_INVALID_ARGUMENT_TYPE,
    RULES_INVALID_ARGUMENT_VALUE,
    RULES_NESTING_LIMIT_EXCEEDED,
    /* Ours: */
    RULES_UNKNOWN_LIST,
    RULES_WRONG_PHASE,
    RULES_TOO_LONG,
    RULES_TOO_MANY,
    RULES_INVALID_UTF8,
    RULES_OUT_OF_MEMORY,
};

struct rules_error {
    enum rules_error_kind kind;
    size_t offset;       /* of the offending span, in bytes from the start of the text as given */
    size_t length;       /* of that span; 0 at the end of the text */
    unsigned line;       /* from 1 */
    unsigned column;     /* from 1, in characters */
    char message[224];   /* what is wrong, without a full stop */
    char suggestion[96]; /* what was probably meant ("http.host"), or "" */
};

/* "UnknownIdentifier": the kind as the specification spells it. */
const char *rules_error_kind_name(enum rules_error_kind kind);

/* Prints message, the line of TEXT it is on, a caret under the span, and the suggestion. */
void rules_error_print(const struct rules_error *error, const char *text, size_t size, FILE *out);

/* --- Compiling --- */

struct rules_list; /* list.h */
struct rules_program;

struct rules_limits {
    size_t text;         /* bytes of an expression */
    unsigned nesting;    /* levels, at most 128 */
    unsigned regexes;    /* in one expression */
    size_t regex_memory; /* bytes of one compiled regex; all of an expression have four times as many */
};

/* 4096, 128, 64, 10 MiB. */
extern const struct rules_limits rules_limits_default;

/* What a text is compiled against. */
struct rules_env {
    const struct rules_scheme *scheme; /* must outlive the programs */
    const struct rules_limits *limits; /* NULL: rules_limits_default */
    uint8_t phases;                    /* the phases whose fields may be used; 0: all */
    bool missing_is_unequal;           /* x != v is true where x is missing; default: false */
    /*
     * Finds the list $NAME for a left side of TYPE (RULES_BYTES, RULES_INT or RULES_IP), which is the field
     * numbered FIELD or an element of it, else -1. The list must outlive the programs. NULL where there is
     * none. The whole callback may be NULL: no lists.
     */
    const struct rules_list *(*list)(void *arg, const char *name, size_t size, uint32_t type, int field);
    void *list_arg;
};

/*
 * Compiles TEXT (of SIZE bytes) to a filter, which is true or false. NULL on a mistake: ERROR then tells
 * which, where and what to write instead. Free with rules_free().
 */
struct rules_program *rules_compile(const struct rules_env *env, const char *text, size_t size,
                                    struct rules_error *error) __attribute__((warn_unused_result));

/* The same for an expression of any scalar type: a field, a function call, a literal, a filter. */
struct rules_program *rules_compile_value(const struct rules_env *env, const char *text, size_t size,
                                          struct rules_error *error) __attribute__((warn_unused_result));

/* The same for what things are counted by: arrays too. */
struct rules_program *rules_compile_key(const struct rules_env *env, const char *text, size_t size,
                                        struct rules_error *error) __attribute__((warn_unused_result));

void rules_free(struct rules_program *program);

/* The type it gives (RULES_BOOL for a filter); the phases of the fields it uses. */
uint32_t rules_program_type(const struct rules_program *program);
uint8_t rules_program_phases(const struct rules_program *program);
const char *rules_program_text(const struct rules_program *program); /* as given; zero-terminated */

/* The program as canonical text, which compiles to the same program. Heap memory, or NULL without memory. */
char *rules_program_print(const struct rules_program *program, size_t *size)
    __attribute__((warn_unused_result));

/*
 * What is suspicious about a program though it compiles: it never matches, it always does, a literal is in
 * the wrong case, a header name has capitals. REPORT is called for each, with the span of the text it is
 * about.
 */
typedef void (*rules_warn_fn)(void *arg, size_t offset, size_t length, const char *message);
void rules_program_warn(const struct rules_program *program, rules_warn_fn report, void *arg);

/* Whether B surely matches whenever A does, as far as their form tells. */
bool rules_program_implies(const struct rules_program *a, const struct rules_program *b);

/*
 * Of a program, what tells quickly that it implies another, or is implied by it, in nearly every case where
 * it does not: comparing each of thousands with each would take seconds otherwise.
 */
struct rules_gist {
    uint64_t whole;    /* hash of what it says */
    uint64_t *operand; /* of each operand of the AND or OR that it is; freed by rules_gist_clear() */
    unsigned count;
    bool is_and, always;
};
bool rules_gist_of(const struct rules_program *program, struct rules_gist *gist)
    __attribute__((warn_unused_result)); /* false: out of memory */
void rules_gist_clear(struct rules_gist *gist);
/* False: rules_program_implies() is false as well. */
bool rules_gist_may_imply(const struct rules_gist *a, const struct rules_gist *b);

/* --- Evaluating --- */

struct regex_scratch;

/* Working memory of one thread. Values that functions make live here until the next evaluation. */
struct rules_scratch {
    uint8_t *base;
    size_t size, used;
    bool overflow; /* some value did not fit and was taken as missing; set by rules_eval*(), cleared by it */
    struct regex_scratch *regex;
};

enum { RULES_SCRATCH_DEFAULT = 256 * 1024 };

bool rules_scratch_init(struct rules_scratch *scratch, size_t size) __attribute__((warn_unused_result));
void rules_scratch_clear(struct rules_scratch *scratch);

/*
 * The values of the fields, got as they are needed: GET is called at most once per field until the next
 * reset; it sets *VALUE and returns true, or returns false where the field has its absent value. What it
 * points to must stay until the reset. A value of type RULES_MISSING means that it is missing, one of
 * RULES_TOO_LARGE that it could not be held: the scratch's OVERFLOW is set wherever it is used.
 */
struct rules_context {
    const struct rules_scheme *scheme;
    bool (*get)(void *arg, unsigned field, struct rules_value *value);
    void *arg;
    uint64_t ready[RULES_FIELD_WORDS];
    uint64_t of_phase[8][RULES_FIELD_WORDS]; /* by bit number of the phase */
    struct rules_value value[RULES_FIELDS_MAX];
};

void rules_context_init(struct rules_context *context, const struct rules_scheme *scheme,
                        bool (*get)(void *arg, unsigned field, struct rules_value *value), void *arg);

/* Forgets the values of the fields of PHASES (bits; all of them: 0xff). */
void rules_context_reset(struct rules_context *context, uint8_t phases);

/* Gives a field its value now. */
void rules_context_set(struct rules_context *context, unsigned field, const struct rules_value *value);

/* Evaluates a filter. */
bool rules_eval(const struct rules_program *program, struct rules_context *context,
                struct rules_scratch *scratch);

/* What is known when only the fields of PHASES are. RULES_OPEN: it depends on the others. */
enum rules_verdict { RULES_FALSE, RULES_TRUE, RULES_OPEN };
enum rules_verdict rules_eval_partly(const struct rules_program *program, struct rules_context *context,
                                     struct rules_scratch *scratch, uint8_t phases);

/* Evaluates a program of any type. The value may lie in SCRATCH, in the program or in the context. */
void rules_eval_value(const struct rules_program *program, struct rules_context *context,
                      struct rules_scratch *scratch, struct rules_value *value);

/*
 * Evaluates every sub-expression, outermost first: TEXT is its canonical form. VALUE is valid only within the
 * call. Allocates; false without memory.
 */
typedef void (*rules_explain_fn)(void *arg, unsigned depth, const char *text,
                                 const struct rules_value *value);
bool rules_explain(const struct rules_program *program, struct rules_context *context,
                   struct rules_scratch *scratch, rules_explain_fn report, void *arg);

#endif
