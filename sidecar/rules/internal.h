/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Private to sidecar/rules/: the program as a tree in one arena, and what its modules share.
 */
#ifndef SIDECAR_RULES_INTERNAL_H
#define SIDECAR_RULES_INTERNAL_H

#include "sidecar/rules/rules.h"
#include "sidecar/rules/list.h"
#include "sidecar/rules/memory.h"
#include "sidecar/rules/regex.h"

/* --- Sets --- */

struct int_range {
    int64_t low, high;
};

struct v4_range {
    uint32_t low, high;
};

struct v6_range {
    unsigned __int128 low, high;
};

/* Sorted, disjoint, not even adjacent. */
struct int_set {
    struct int_range *item;
    size_t count;
};

struct ip_set {
    struct v4_range *v4;
    struct v6_range *v6;
    size_t v4_count, v6_count;
};

/* A hash table with open addressing; a slot is a part of the hash above, the item's number plus one below. */
struct bytes_set {
    struct rules_bytes *item;
    size_t count;
    uint64_t *slot; /* NULL: so few that they are searched one by one */
    size_t mask;
};

uint64_t rules_hash(const uint8_t *data, size_t size);
void set_int_sort(struct int_set *set);
void set_ip_sort(struct ip_set *set);

/* SLOT has MASK + 1 zeroed entries, more than twice the items; drops duplicates. */
void set_bytes_fill(struct bytes_set *set, uint64_t *slot, size_t mask);
size_t set_bytes_slots(size_t count); /* how many, a power of two */

bool set_int_has(const struct int_set *set, int64_t value);
bool set_ip_has(const struct ip_set *set, const struct rules_ip *ip);
bool set_bytes_has(const struct bytes_set *set, const uint8_t *data, size_t size);

/* --- Wildcards --- */

enum { WILDCARD_CAPTURES_MAX = 32 };

/* Literal parts between stars: COUNT parts, COUNT - 1 stars. */
struct wildcard {
    struct rules_bytes *part;
    uint16_t **next; /* of each part: where the search goes on after a mismatch (Knuth-Morris-Pratt) */
    size_t count;
    bool strict;
};

/* Reads PATTERN; NULL, or what is wrong with it (static), at *AT. "" is returned without memory. */
const char *wildcard_compile(struct rules_arena *arena, const uint8_t *pattern, size_t size, bool strict,
                             struct wildcard *wildcard, size_t *at);

/* Whether the whole value matches; STARS, if not NULL, gets what each of the first ROOM stars took. */
bool wildcard_match(const struct wildcard *wildcard, const uint8_t *data, size_t size,
                    struct rules_bytes *stars, size_t room);

/* --- The tree --- */

enum node_kind {
    NODE_FIELD,
    NODE_LITERAL, /* only as an argument, or as a whole value program */
    NODE_INDEX,   /* base[index]... */
    NODE_CALL,
    NODE_TRUTH, /* a value of type Bool or Array(Bool) as a condition */
    NODE_COMPARE,
    NODE_NOT,
    NODE_AND,
    NODE_OR,
    NODE_XOR,
    NODE_ANY,
    NODE_ALL,
};

enum compare_op {
    CMP_EQ, /* the six orderings first */
    CMP_NE,
    CMP_GE,
    CMP_LE,
    CMP_GT,
    CMP_LT,
    CMP_IN,
    CMP_IN_LIST,
    CMP_BIT_AND,
    CMP_CONTAINS,
    CMP_MATCHES,
    CMP_WILDCARD,
    CMP_STRICT_WILDCARD,
};

struct index {
    enum index_kind { INDEX_EACH, INDEX_KEY, INDEX_NUMBER } kind;
    uint32_t number;
    struct rules_bytes key;
};

struct function;

struct node {
    uint8_t kind;   /* enum node_kind */
    uint8_t phases; /* of all fields below */
    bool each;      /* a value with [*] in it */
    uint8_t op;     /* COMPARE: enum compare_op */
    uint32_t type;
    uint32_t at, length; /* span in the source */
    union {
        unsigned field;
        struct rules_value literal;
        struct {
            struct node *base;
            struct index *index;
            unsigned count;
            unsigned first_each; /* number of the first [*], or COUNT */
        } index;
        struct {
            const struct function *function;
            struct node **arg;
            unsigned count;
            bool mapped; /* the first argument has [*] */
            void *data;  /* what the function made of its literals */
        } call;
        struct {
            struct node *left;
            struct node *right; /* a value; NULL: a literal */
            bool missing_is_unequal;
            union {
                struct rules_value literal; /* orderings, &, contains; the pattern's text of a wildcard */
                struct int_set *ints;
                struct ip_set *ips;
                struct bytes_set *strings;
                struct {
                    const struct rules_list *list;
                    struct rules_bytes name;
                } list;
                struct {
                    const struct regex *regex;
                    struct rules_bytes pattern;
                } regex;
            };
            struct wildcard *wildcard;
        } compare;
        struct {
            struct node **operand; /* NOT, TRUTH, ANY, ALL: one */
            unsigned count;
        } logic;
    };
};

struct rules_program {
    struct rules_arena arena;
    struct node *root;
    char *text;
    size_t text_size;
    uint8_t phases;
    bool missing_is_unequal;
    uint64_t fields[RULES_FIELD_WORDS];
    struct regex **regex;
    unsigned regex_count;
    size_t regex_memory;
    const struct rules_scheme *scheme;
};

/* --- The parser --- */

struct parser {
    const char *text;  /* as given */
    size_t start, end; /* without white space around */
    size_t at;
    const struct rules_env *env;
    const struct rules_limits *limits;
    struct rules_program *program;
    struct rules_error *error;
    unsigned depth;
    unsigned regex_replaces;
};

/*
 * Each function of the parser returns true, or false with the parser's error set. The two macros say so where
 * an analyser sees only one file.
 */
void parser_set_error(struct parser *p, enum rules_error_kind kind, size_t at, size_t length,
                      const char *format, ...) __attribute__((format(printf, 5, 6), cold));
void parser_set_no_memory(struct parser *p);
#define parser_fail(...) (parser_set_error(__VA_ARGS__), false)
#define parser_no_memory(p) (parser_set_no_memory(p), false)
void parser_suggest(struct parser *p, const char *format, ...) __attribute__((format(printf, 2, 3), cold));

/* Moves past blanks; whether TEXT comes next; the same, and moves past it. */
void lex_space(struct parser *p);
bool lex_peek(const struct parser *p, const char *text);
bool lex_take(struct parser *p, const char *text);

/* Length of the identifier at AT; 0: none; a dangling dot is left out. */
size_t lex_identifier(const struct parser *p, size_t at);
bool lex_int(struct parser *p, int64_t *value);

/* A quoted or raw string, or where BYTES a byte string; VALUE is in the arena. */
bool lex_string(struct parser *p, bool bytes, struct rules_bytes *value);
bool lex_string_starts(const struct parser *p); /* " or r" or r# */
bool lex_regex(struct parser *p, struct rules_bytes *pattern);
bool lex_ip(struct parser *p, struct rules_ip *ip);
bool lex_ip_item(struct parser *p, struct rules_ip *low, struct rules_ip *high);
bool lex_set(struct parser *p, struct node *compare);

bool parse_filter(struct parser *p, struct node **node);
bool parse_expression(struct parser *p, struct node **node);
bool parse_expression_starts(const struct parser *p);   /* "(", not, any( ... */
bool parse_value(struct parser *p, struct node **node); /* field or call, with indexes */
bool parse_comparison(struct parser *p, struct node *value, struct node **node); /* what follows a value */
bool parse_comparison_starts(const struct parser *p); /* after blanks: an operator? */
bool parse_whole_value(struct parser *p, struct node **node);
bool parse_whole_key(struct parser *p, struct node **node); /* arrays as well */
bool parse_enter(struct parser *p, size_t at);              /* one level deeper; undo by p->depth-- */
bool parse_call(struct parser *p, const struct function *function, size_t at, struct node **node);

enum arg_want { ARG_ANY, ARG_REGEX };
bool parse_arg(struct parser *p, enum arg_want want, struct node **node);

struct node *parse_node(struct parser *p, enum node_kind kind, uint32_t type, size_t at, size_t end);

/* Compiles and keeps a regex for the program; PATTERN_AT is where it stands. */
const struct regex *parse_regex(struct parser *p, struct rules_bytes pattern, size_t at, size_t length,
                                bool captures);

/* --- What rules, limits and sequences have in common --- */

/* Where they apply: names of inbounds; COUNT 0: every one. */
struct where {
    const char **inbound;
    size_t count;
};
bool where_copy(struct where *to, struct rules_arena *arena, const char *const *inbound, size_t count);
bool where_has(const struct where *where, const char *inbound);

/* What the programs of a plan need. */
struct needs {
    uint8_t phases;
    uint64_t fields[RULES_FIELD_WORDS];
};
void needs_add(struct needs *needs, const struct rules_program *program); /* NULL is fine */
bool needs_has(const struct needs *needs, unsigned field);

char *rules_arena_text(struct rules_arena *arena, const char *text);

/* A mistake that is at no place of a text. Returns false. */
bool rules_add_failed(struct rules_error *error, enum rules_error_kind kind, const char *message);

/* --- Functions --- */

struct run {
    struct rules_context *context;
    struct rules_scratch *scratch;
};

/* Takes SIZE bytes of the scratch; NULL (and the overflow flag) when they do not fit. */
void *run_take(struct run *run, size_t size);

enum param_kind { PARAM_VALUE = 1, PARAM_LITERAL = 2, PARAM_BOTH = 3 };

enum param_type {
    PARAM_BOOL = 1 << RULES_BOOL,
    PARAM_INT = 1 << RULES_INT,
    PARAM_BYTES = 1 << RULES_BYTES,
    PARAM_IP = 1 << RULES_IP,
    PARAM_ARRAY = 1 << 8,
    PARAM_MAP = 1 << 9,
};

struct param {
    uint8_t kind;
    uint16_t types;
    bool regex;
};

struct function {
    const char *name;
    uint32_t result;        /* 0: CHECK finds it out */
    uint8_t required, most; /* arguments; beyond the table the last parameter repeats */
    uint8_t params;
    bool with_missing; /* RUN is called though arguments are missing */
    struct param param[6];
    /* Checks what the table cannot say, after it; sets node->type where it is 0, node->call.data. */
    bool (*check)(struct parser *p, struct node *call);
    void (*run)(struct run *run, const struct node *call, const struct rules_value *arg, unsigned count,
                struct rules_value *out);
};

const struct function *function_find(const char *name, size_t size);
extern const struct function *const function_tables[]; /* each ends with a nameless one; then NULL */
extern const struct function functions_text[], functions_data[];

/* Fails with "InvalidArgumentValue". */
bool function_literal_error(struct parser *p, const struct node *arg, const char *message);

/* The standard or the URL alphabet; padding may be left out. OUT has room for as many bytes as IN. */
bool rules_base64_decode(struct rules_bytes in, bool url, uint8_t *out, size_t *size);

/* --- Evaluating --- */

/* Lies in the run's context. */
const struct rules_value *eval_field(struct run *run, unsigned field);
bool eval_bool(struct run *run, const struct node *node);
void eval_value(struct run *run, const struct node *node, struct rules_value *out);

/* --- Text --- */

void print_node(struct rules_buffer *out, const struct rules_program *program, const struct node *node);
void print_string(struct rules_buffer *out, struct rules_bytes bytes); /* quoted */

/* Edit distance, swaps of neighbours included, of at most 64 characters; letters without case cost nothing
 * less. */
unsigned rules_distance(const char *a, size_t a_size, const char *b, size_t b_size);
bool rules_utf8_valid(const uint8_t *data, size_t size, size_t *bad);
size_t rules_utf8_put(uint32_t code, uint8_t *out); /* up to 4 bytes */
int rules_hex(int c);                               /* or -1 */

#endif
