/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the files of the regex engine share: a pattern becomes a tree (regex_parse.c, regex_scan.c,
 * regex_class.c), the tree an automaton (regex_nfa.c), and searches run it as a lazy DFA (regex_dfa.c,
 * regex_step.c) or with captures (regex_find.c).
 */
#ifndef SIDECAR_RULES_REGEX_INTERNAL_H
#define SIDECAR_RULES_REGEX_INTERNAL_H

#include "sidecar/rules/regex.h"

/* ---- Sets of bytes ----------------------------------------------------------------------------------- */

struct regex_set {
    uint64_t bits[4];
};

static inline bool regex_set_has(const struct regex_set *set, unsigned byte)
{
    return set->bits[byte / 64] >> byte % 64 & 1;
}

void regex_set_add(struct regex_set *set, unsigned low, unsigned high);
void regex_set_union(struct regex_set *set, const struct regex_set *other);
void regex_set_negate(struct regex_set *set);
void regex_set_fold(struct regex_set *set); /* adds the other case of each ASCII letter */

/* ---- The tree ---------------------------------------------------------------------------------------- */

enum regex_look {
    LOOK_TEXT_START,
    LOOK_TEXT_END,
    LOOK_LINE_START,
    LOOK_LINE_END,
    LOOK_LINE_START_R, /* lines end in \r\n, \r or \n */
    LOOK_LINE_END_R,
    LOOK_WORD,
    LOOK_NOT_WORD,
    LOOK_WORD_START,
    LOOK_WORD_END,
    LOOK_WORD_START_HALF,
    LOOK_WORD_END_HALF,
};

enum regex_kind {
    AST_EMPTY,
    AST_BYTE,
    AST_SET,
    AST_LOOK,
    AST_CONCAT,
    AST_ALTERNATION,
    AST_REPEAT,
    AST_GROUP
};

enum { REGEX_NONE = UINT32_MAX, REGEX_ENDLESS = UINT32_MAX };

/* Children are linked from the last to the first, the order in which the automaton is built. */
struct regex_ast {
    uint8_t kind;
    uint8_t byte; /* of AST_BYTE; the look of AST_LOOK */
    bool greedy;
    bool nullable; /* may match nothing */
    bool empty;    /* cannot match anything else */
    uint16_t height;
    uint32_t child;    /* the last child */
    uint32_t previous; /* the sibling before this one */
    uint32_t number;   /* AST_SET: which; AST_GROUP: which capture, 0: none */
    uint32_t min, max; /* AST_REPEAT */
};

enum { FLAG_I = 1, FLAG_M = 2, FLAG_S = 4, FLAG_R = 8, FLAG_SWAP = 16, FLAG_X = 32 };

struct regex_name {
    uint32_t offset, length;
};

/* A stack or array that grows. */
struct regex_array {
    void *data;
    uint32_t count, room;
};

struct regex_parser {
    const char *text; /* UTF-8 */
    size_t size, at;
    uint8_t flags;
    unsigned nesting;
    bool repeatable; /* what stands before may be repeated */
    bool flags_seen; /* in this concatenation */
    uint32_t groups;
    struct regex_array ast, set, item, frame, name;
    struct regex_error *error;
};

/* Reads the whole pattern; the root, or REGEX_NONE with the error set. */
uint32_t regex_parse(struct regex_parser *p);
void regex_parser_clear(struct regex_parser *p);

/* Both return false. */
bool regex_fail(struct regex_parser *p, size_t at, size_t length, const char *format, ...)
    __attribute__((format(printf, 4, 5), cold));
bool regex_no_memory(struct regex_parser *p);

/* Room for one more element of SIZE bytes; NULL without memory. */
void *regex_array_add(struct regex_array *array, size_t size);

static inline struct regex_ast *regex_ast_at(const struct regex_parser *p, uint32_t number)
{
    return (struct regex_ast *)p->ast.data + number;
}

/* ---- Reading characters (regex_scan.c) --------------------------------------------------------------- */

#define REGEX_EOF UINT32_MAX

/* Whether TEXT is UTF-8; *BAD: where it is not. */
bool regex_utf8_valid(const char *text, size_t size, size_t *bad);

/* The character at the place, or REGEX_EOF; the one after it, that one after white space where x is on. */
uint32_t regex_char(const struct regex_parser *p);
uint32_t regex_peek(const struct regex_parser *p);
uint32_t regex_peek_far(const struct regex_parser *p);

/* Bytes of the character at the place; 0 at the end. */
size_t regex_width(const struct regex_parser *p);

/* Moves past a character; past white space and comments where x is on; past both. False: at the end. */
bool regex_next(struct regex_parser *p);
void regex_skip(struct regex_parser *p);
bool regex_next_skip(struct regex_parser *p);
bool regex_is_white(uint32_t c);

/* What stands for one place in a text: the outcome of reading an escape or a plain character. */
struct regex_primitive {
    enum { PRIMITIVE_CHAR, PRIMITIVE_BYTE, PRIMITIVE_LOOK, PRIMITIVE_SET } kind;
    size_t at;
    uint32_t c; /* PRIMITIVE_BYTE: a raw byte above 7F; PRIMITIVE_LOOK: which */
    struct regex_set set;
};

/* At a backslash. */
bool regex_escape(struct regex_parser *p, struct regex_primitive *primitive);

/* At a bracket: a whole class, folded and negated. *HEIGHT: how deep it nests. */
bool regex_class(struct regex_parser *p, struct regex_set *set, unsigned *height);

/* ---- The automaton (regex_nfa.c) --------------------------------------------------------------------- */

enum regex_op { OP_RANGE, OP_SET, OP_LOOK, OP_SPLIT, OP_SAVE, OP_MATCH, OP_FAIL };

struct regex_node {
    uint8_t op;
    uint8_t low, high; /* OP_RANGE; LOW: the look of OP_LOOK */
    uint32_t out;
    uint32_t other; /* OP_SPLIT: the branch liked less; OP_SET: which; OP_SAVE: the slot */
};

/* What is known of the byte on one side of a place; CONTEXT_UNKNOWN alone where it is not looked at yet. */
enum {
    CONTEXT_EDGE = 1, /* the start or the end of the text */
    CONTEXT_LF = 2,
    CONTEXT_CR = 4,
    CONTEXT_WORD = 8,
    CONTEXT_UNKNOWN = 16,
};

static inline unsigned regex_context(unsigned byte)
{
    bool word = (byte >= '0' && byte <= '9') || ((byte | 32) >= 'a' && (byte | 32) <= 'z') || byte == '_';
    return byte == '\n' ? CONTEXT_LF : byte == '\r' ? CONTEXT_CR : word ? CONTEXT_WORD : 0;
}

/* What a pattern without a choice is: a text that must stand somewhere, first, last, or alone. */
enum regex_whole { WHOLE_NOT, WHOLE_ANYWHERE, WHOLE_FIRST, WHOLE_LAST, WHOLE_ALONE };

struct regex {
    uint64_t id[2]; /* a hash of the pattern: by it a scratch knows the regex again */
    struct regex_node *node;
    uint32_t count, start;
    struct regex_set *set;
    uint32_t sets;
    uint32_t classes; /* of bytes that the pattern does not tell apart; one more is the end of the text */
    uint8_t remember; /* CONTEXT_* of the byte before that looks may ask for */
    uint8_t class_of[256];
    uint8_t byte_of[256];   /* one byte of each class */
    bool anchored;          /* a match begins only at the start of the text */
    uint32_t groups, slots; /* SLOTS: 2 for each group that can be told of, and the whole; 0: no captures */
    enum regex_whole whole;
    bool literal_first; /* a match begins with the literal */
    uint32_t rare;      /* place in LITERAL of the byte that is rarest in texts */
    uint32_t literal_size;
    uint8_t *literal; /* stands in every match */
};

enum {
    REGEX_NODE_CHARGE = 24, /* what the limit counts for a node, however many bytes it really has */
    REGEX_CAPTURES_CHARGE = 168,
};

/* Fills in the automaton and its byte classes from the tree at ROOT; false with the parser's error set. */
bool regex_build(struct regex *regex, struct regex_parser *p, uint32_t root,
                 const struct regex_limits *limits);

/* Finds what literal every match holds (regex_literal.c). False without memory. */
bool regex_find_literal(struct regex *regex, const struct regex_parser *p, uint32_t root);

/* Where the literal stands first in DATA, or NULL. Linear time. */
const uint8_t *regex_literal_search(const struct regex *regex, const uint8_t *data, size_t size);

/* ---- Searching --------------------------------------------------------------------------------------- */

/* The working memory of one search, carved from the scratch for one regex. */
struct regex_step {
    const struct regex *regex;
    uint64_t *visited, *member; /* bits of nodes */
    uint32_t *from, *list;      /* nodes, ascending */
    uint32_t *stack;
    size_t words;
};

size_t regex_step_memory(size_t nodes);
void regex_step_init(struct regex_step *step, const struct regex *regex, void *memory);

/* A step's outcome: how many nodes LIST then has (a match may begin later if there are none), or one of
 * these. */
enum { STEP_MATCH = UINT32_MAX, STEP_DEAD = UINT32_MAX - 1 };

/* The nodes at the start of the text. */
uint32_t regex_step_start(struct regex_step *step);

/*
 * From the nodes FROM (COUNT; may be the step's own list) over a byte, or over the end of the text where BYTE
 * is REGEX_EOF. PREVIOUS is the context of the byte before.
 */
uint32_t regex_step_over(struct regex_step *step, const uint32_t *from, uint32_t count, unsigned previous,
                         uint32_t byte);

/* Whether nodes look at the next byte. */
bool regex_step_pending(const struct regex *regex, const uint32_t *list, uint32_t count);

/* CONTEXT_UNKNOWN in NEXT: perhaps. */
enum regex_truth { REGEX_NO, REGEX_YES, REGEX_PERHAPS };
enum regex_truth regex_look_holds(unsigned look, unsigned previous, unsigned next);

struct regex_scratch {
    uint8_t *base; /* the cache; offsets into it are at least ARENA_FIRST */
    uint32_t room, used;
    uint32_t *dfa_bucket, *state_bucket;
    uint32_t state_mask;
    uint64_t scanned; /* bytes, since the cache was emptied last */
    uint32_t states;  /* made since */
    uint32_t flushes; /* how often that was */
    void *work;
    size_t mapped;
};

size_t regex_work_memory(void); /* what any search may need beside the cache */
size_t regex_find_memory(size_t nodes);

/* The search by the automaton alone: with the cache, and step by step without. */
bool regex_dfa_match(const struct regex *regex, struct regex_scratch *scratch, const uint8_t *data,
                     size_t size);
bool regex_nfa_match(const struct regex *regex, struct regex_scratch *scratch, const uint8_t *data,
                     size_t size);

#endif
