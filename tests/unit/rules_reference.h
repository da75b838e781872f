/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A second evaluator of the rule language for property tests, written from its specification alone: slow and
 * plain. It makes random expressions, writes them as text in one of many notations, and says what they give.
 */
#ifndef TESTS_UNIT_RULES_REFERENCE_H
#define TESTS_UNIT_RULES_REFERENCE_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules_scheme.h"

/* Everything is taken from one pool that is emptied for each expression. */
struct ref {
    uint64_t random;
    char pool[1 << 20];
    size_t used;
    struct rules_value field[RULES_FIELDS_MAX]; /* by number */
    const struct rules_scheme *scheme;
};

static void *ref_take(struct ref *r, size_t size)
{
    r->used = (r->used + 15) & ~(size_t)15;
    if (r->used + size > sizeof r->pool)
        abort();
    void *taken = memset(r->pool + r->used, 0, size);
    r->used += size;
    return taken;
}

static unsigned ref_random(struct ref *r, unsigned below)
{
    r->random = r->random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(r->random >> 33) % below;
}

/* --- Random values --- */

static struct rules_bytes ref_bytes(struct ref *r)
{
    static const char letters[] = "aabbAB*\\\"\xff\xc3\x00 ";
    size_t size = ref_random(r, 5);
    uint8_t *data = ref_take(r, size + 1);
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)letters[ref_random(r, ref_random(r, 3) ? 6 : sizeof letters - 1)];
    return (struct rules_bytes){data, size};
}

static struct rules_ip ref_ip(struct ref *r)
{
    static const char *const texts[] = {"10.0.0.1", "10.0.0.2",        "10.1.0.0",
                                        "0.0.0.0",  "255.255.255.255", "::1",
                                        "::",       "::ffff:10.0.0.1", "2001:db8::1"};
    const char *text = texts[ref_random(r, 9)];
    struct rules_ip ip;
    if (!rules_ip_parse(text, strlen(text), &ip))
        abort();
    return ip;
}

static struct rules_value ref_value(struct ref *r, uint32_t type, bool may_miss)
{
    struct rules_value v = {.type = type};
    if (may_miss && ref_random(r, 6) == 0)
        return (struct rules_value){.type = RULES_MISSING};
    size_t count = ref_random(r, 4);
    if (rules_type_layer(type) == RULES_ARRAY) {
        struct rules_value *item = ref_take(r, count * sizeof *item);
        for (size_t i = 0; i < count; i++)
            item[i] = ref_value(r, rules_type_inner(type), false);
        v.array.item = item;
        v.array.count = count;
    } else if (rules_type_layer(type) == RULES_MAP) {
        static const char *const keys[] = {"", "a", "b", "k\""};
        struct rules_entry *entry = ref_take(r, 4 * sizeof *entry);
        size_t n = 0;
        for (size_t i = 0; i < 4; i++) {
            if (ref_random(r, 2))
                continue;
            entry[n].key = (struct rules_bytes){(const uint8_t *)keys[i], strlen(keys[i])};
            entry[n++].value = ref_value(r, rules_type_inner(type), false);
        }
        v.map.entry = entry;
        v.map.count = n;
    } else if (type == RULES_BOOL) {
        v.boolean = ref_random(r, 2);
    } else if (type == RULES_INT) {
        v.integer = ref_random(r, 20) ? (int)ref_random(r, 7) - 2 : ref_random(r, 2) ? INT64_MIN : INT64_MAX;
    } else if (type == RULES_BYTES) {
        v.bytes = ref_bytes(r);
    } else {
        v.ip = ref_ip(r);
    }
    return v;
}

/* --- Expressions --- */

enum ref_kind {
    REF_FIELD,
    REF_CALL,
    REF_LITERAL,
    REF_TRUTH,
    REF_COMPARE,
    REF_NOT,
    REF_LOGIC,
    REF_QUANTIFIER
};

struct ref_index {
    char kind; /* '*', 'n', 'k' */
    unsigned number;
    const char *key;
};

struct ref_node {
    enum ref_kind kind;
    uint32_t type; /* of the value with its indexes; with [*] of one element */
    bool each;
    unsigned field;
    const char *name; /* function, operator, quantifier, logical word */
    struct rules_value literal;
    struct ref_node *arg[4]; /* operands */
    unsigned args;
    struct ref_index index[3];
    unsigned indexes;
    /* The right side of a comparison. */
    struct rules_value item[3], high[3]; /* set; ranges from item to high */
    unsigned items;
};

static struct ref_node *ref_node(struct ref *r, enum ref_kind kind, uint32_t type)
{
    struct ref_node *n = ref_take(r, sizeof *n);
    n->kind = kind;
    n->type = type;
    return n;
}

static struct ref_node *ref_literal(struct ref *r, uint32_t type)
{
    struct ref_node *n = ref_node(r, REF_LITERAL, type);
    n->literal = ref_value(r, type, false);
    return n;
}

static const char *const ref_keys[] = {"", "a", "b", "k\"", "zz"};

/* Appends an index that TYPE allows; EACH: [*] may be used. */
static void ref_add_index(struct ref *r, struct ref_node *n, bool each)
{
    struct ref_index *index = &n->index[n->indexes++];
    if (each && ref_random(r, 2)) {
        index->kind = '*';
        n->each = true;
    } else if (rules_type_layer(n->type) == RULES_ARRAY) {
        index->kind = 'n';
        index->number = ref_random(r, 4);
    } else {
        index->kind = 'k';
        index->key = ref_keys[ref_random(r, 5)];
    }
    n->type = rules_type_inner(n->type);
}

static struct ref_node *ref_make_value(struct ref *r, uint32_t type, int each, int depth);
static struct ref_node *ref_make_bool(struct ref *r, int depth);
static struct ref_node *ref_make_bools(struct ref *r, int depth);

/* A field from which TYPE is reached by indexes; EACH: 0 without [*], 1 with at least one, -1 as it comes. */
static struct ref_node *ref_make_field(struct ref *r, uint32_t type, int each)
{
    for (;;) {
        unsigned extra = sizeof test_extra_fields / sizeof *test_extra_fields;
        unsigned field = (unsigned)r->scheme->count - 1 - ref_random(r, extra);
        struct ref_node *n = ref_node(r, REF_FIELD, r->scheme->field[field].type);
        n->field = field;
        while (n->type != type && rules_type_layer(n->type))
            ref_add_index(r, n, each != 0);
        if (n->type == type && (each < 0 || n->each == (each == 1)))
            return n;
    }
}

/* A call that gives RESULT; its first argument may have [*]: then it gives an array of them. */
static struct ref_node *ref_make_call(struct ref *r, uint32_t type, int depth)
{
    static const uint32_t strings = RULES_ARRAY_OF(RULES_BYTES);
    struct ref_node *n = ref_node(r, REF_CALL, type);
    unsigned choice = ref_random(r, 8);
    if (type == RULES_BYTES) {
        static const char *const names[] = {"lower",     "upper",     "concat",       "coalesce",
                                            "substring", "to_string", "remove_bytes", "join"};
        n->name = names[choice];
        n->args = 1;
        if (choice == 5) {
            uint32_t of[] = {RULES_INT, RULES_BOOL, RULES_IP};
            uint32_t inner = of[ref_random(r, 3)];
            n->arg[0] = inner == RULES_BOOL && ref_random(r, 2) ? ref_make_bool(r, depth - 1)
                                                                : ref_make_value(r, inner, 0, depth - 1);
        } else {
            n->arg[0] = ref_make_value(r, choice == 7 ? strings : RULES_BYTES, 0, depth - 1);
        }
        if (choice == 2 || choice == 3) {
            n->args = 2 + ref_random(r, 2);
            for (unsigned i = 1; i < n->args; i++)
                n->arg[i] = ref_random(r, 2) ? ref_literal(r, RULES_BYTES)
                                             : ref_make_value(r, RULES_BYTES, 0, depth - 1);
        } else if (choice == 4) {
            n->args = 2 + ref_random(r, 2);
            for (unsigned i = 1; i < n->args; i++)
                n->arg[i] = ref_literal(r, RULES_INT);
        } else if (choice >= 6) {
            n->args = 2;
            n->arg[1] = ref_literal(r, RULES_BYTES);
        }
    } else if (type == RULES_INT) {
        n->name = "len";
        n->args = 1;
        n->arg[0] = ref_make_value(r, choice % 2 ? RULES_BYTES : strings, 0, depth - 1);
    } else if (type == RULES_BOOL) {
        static const char *const names[] = {"starts_with", "ends_with", "has_key", "has_value"};
        n->name = names[choice % 4];
        n->args = 2;
        n->arg[0] = ref_make_value(r,
                                   choice % 4 < 2    ? RULES_BYTES
                                   : choice % 4 == 2 ? RULES_MAP_OF(RULES_BYTES)
                                                     : strings,
                                   0, depth - 1);
        n->arg[1] = ref_literal(r, RULES_BYTES);
    } else if (type == RULES_IP) {
        n->name = "coalesce";
        n->args = 2;
        n->arg[0] = ref_make_value(r, RULES_IP, 0, depth - 1);
        n->arg[1] = ref_literal(r, RULES_IP);
    } else if (type == RULES_ARRAY_OF(RULES_BOOL)) {
        static const char *const names[] = {"starts_with", "ends_with"};
        n->name = names[choice % 2];
        n->args = 2;
        n->arg[0] = ref_make_field(r, RULES_BYTES, 1);
        n->arg[1] = ref_literal(r, RULES_BYTES);
    } else { /* strings */
        static const char *const names[] = {"split", "concat", "lower"};
        n->name = names[choice % 3];
        n->args = choice % 3 == 0 ? 3 : choice % 3 == 1 ? 2 : 1;
        n->arg[0] = choice % 3 == 2 ? ref_make_field(r, RULES_BYTES, 1)
                                    : ref_make_value(r, choice % 3 ? strings : RULES_BYTES, 0, depth - 1);
        if (choice % 3 == 0) {
            n->arg[1] = ref_literal(r, RULES_BYTES);
            if (n->arg[1]->literal.bytes.size == 0)
                n->arg[1]->literal.bytes = (struct rules_bytes){(const uint8_t *)"a", 1};
            n->arg[2] = ref_literal(r, RULES_INT);
            n->arg[2]->literal.integer = 1 + ref_random(r, 4);
        } else if (choice % 3 == 1) {
            n->arg[1] = ref_make_value(r, strings, 0, depth - 1);
        }
    }
    return n;
}

static struct ref_node *ref_make_value(struct ref *r, uint32_t type, int each, int depth)
{
    static const uint32_t strings = RULES_ARRAY_OF(RULES_BYTES);
    if (depth > 0 && ref_random(r, 3) == 0) {
        if (each == 1 || (each < 0 && ref_random(r, 2))) {
            if (type == RULES_BYTES) {
                struct ref_node *n = ref_make_call(r, strings, depth);
                n->index[0].kind = '*';
                n->indexes = 1;
                n->each = true;
                n->type = type;
                return n;
            }
        } else if (type == RULES_BYTES && ref_random(r, 4) == 0) {
            struct ref_node *n = ref_make_call(r, strings, depth);
            n->index[0].kind = 'n';
            n->index[0].number = ref_random(r, 3);
            n->indexes = 1;
            n->type = type;
            return n;
        } else if (!rules_type_layer(type) || type == strings) {
            return ref_make_call(r, type, depth);
        }
    }
    return ref_make_field(r, type, each);
}

static struct ref_node *ref_make_compare(struct ref *r, int each, int depth)
{
    static const char *const orders[] = {"eq", "ne", "ge", "le", "gt", "lt"};
    static const uint32_t types[] = {RULES_BYTES, RULES_INT, RULES_IP};
    uint32_t type = types[ref_random(r, 3)];
    struct ref_node *n = ref_node(r, REF_COMPARE, each ? RULES_ARRAY_OF(RULES_BOOL) : RULES_BOOL);
    n->arg[0] = ref_make_value(r, type, each, depth);
    unsigned choice = ref_random(r, 4);
    if (choice == 0) {
        n->name = "in";
        n->items = ref_random(r, 4);
        for (unsigned i = 0; i < n->items; i++) {
            n->item[i] = n->high[i] = ref_value(r, type, false);
            if (type == RULES_INT && ref_random(r, 2) && n->item[i].integer < 100)
                n->high[i].integer += ref_random(r, 3);
        }
    } else if (choice == 1 && type != RULES_IP) {
        static const char *const words[] = {"contains", "wildcard", "strict wildcard"};
        n->name = type == RULES_INT ? "&" : words[ref_random(r, 3)];
        n->arg[1] = ref_literal(r, type);
        if (type == RULES_BYTES && n->name[0] != 'c') {
            /* A valid pattern: no backslash, no two stars in a row. */
            uint8_t *p = ref_take(r, 5);
            size_t size = 0;
            for (size_t i = 0; i < 4; i++) {
                uint8_t c = (uint8_t) "ab*A?"[ref_random(r, 5)];
                if (c != '*' || size == 0 || p[size - 1] != '*')
                    p[size++] = c;
            }
            n->arg[1]->literal.bytes = (struct rules_bytes){p, size};
        }
    } else {
        n->name = orders[ref_random(r, 6)];
        n->arg[1] = ref_random(r, 3) ? ref_literal(r, type) : ref_make_value(r, type, 0, depth - 1);
    }
    return n;
}

static struct ref_node *ref_make_logic(struct ref *r, bool bools, int depth)
{
    static const char *const words[] = {"and", "or", "xor"};
    struct ref_node *n = ref_node(r, REF_LOGIC, bools ? RULES_ARRAY_OF(RULES_BOOL) : RULES_BOOL);
    n->name = words[ref_random(r, 3)];
    n->args = 2;
    for (unsigned i = 0; i < 2; i++)
        n->arg[i] = bools ? ref_make_bools(r, depth - 1) : ref_make_bool(r, depth - 1);
    return n;
}

static struct ref_node *ref_wrap(struct ref *r, enum ref_kind kind, uint32_t type, struct ref_node *arg)
{
    struct ref_node *n = ref_node(r, kind, type);
    n->arg[0] = arg;
    n->args = 1;
    return n;
}

static struct ref_node *ref_make_bools(struct ref *r, int depth)
{
    static const uint32_t bools = RULES_ARRAY_OF(RULES_BOOL);
    switch (depth > 0 ? ref_random(r, 6) : ref_random(r, 3)) {
    case 0: return ref_make_compare(r, 1, depth - 1);
    case 1: return ref_wrap(r, REF_TRUTH, bools, ref_make_field(r, bools, 0));
    case 2:
        return ref_wrap(r, REF_TRUTH, bools,
                        ref_random(r, 2) ? ref_make_field(r, RULES_BOOL, 1) : ref_make_call(r, bools, 1));
    case 3: return ref_wrap(r, REF_NOT, bools, ref_make_bools(r, depth - 1));
    default: return ref_make_logic(r, true, depth);
    }
}

static struct ref_node *ref_make_quantifier(struct ref *r, int depth)
{
    static const uint32_t bools = RULES_ARRAY_OF(RULES_BOOL);
    struct ref_node *arg;
    switch (ref_random(r, 3)) {
    case 0:
        arg = ref_random(r, 2) ? ref_make_field(r, bools, 0) : ref_make_call(r, bools, 1);
        break; /* direct */
    case 1: arg = ref_make_compare(r, 1, depth - 1); break;
    default: arg = ref_make_bools(r, depth - 1);
    }
    struct ref_node *n = ref_wrap(r, REF_QUANTIFIER, RULES_BOOL, arg);
    n->name = ref_random(r, 2) ? "any" : "all";
    return n;
}

static struct ref_node *ref_make_bool(struct ref *r, int depth)
{
    switch (depth > 0 ? ref_random(r, 7) : ref_random(r, 2)) {
    case 0: return ref_make_compare(r, 0, depth);
    case 1: return ref_wrap(r, REF_TRUTH, RULES_BOOL, ref_make_value(r, RULES_BOOL, 0, depth));
    case 2: return ref_wrap(r, REF_NOT, RULES_BOOL, ref_make_bool(r, depth - 1));
    case 3:
    case 4: return ref_make_quantifier(r, depth);
    default: return ref_make_logic(r, false, depth);
    }
}

/* --- As text --- */

struct ref_text {
    char text[65536];
    size_t size;
};

static void ref_put(struct ref_text *t, const char *text)
{
    size_t size = strlen(text);
    if (t->size + size >= sizeof t->text)
        abort();
    memcpy(t->text + t->size, text, size + 1);
    t->size += size;
}

static void ref_space(struct ref *r, struct ref_text *t)
{
    static const char *const spaces[] = {"", "", " ", "  ", "\n", " \r\n"};
    ref_put(t, spaces[ref_random(r, 6)]);
}

/* A quoted string, each byte in some notation that is right for it. */
static void ref_put_bytes(struct ref *r, struct ref_text *t, struct rules_bytes b)
{
    char one[8];
    ref_put(t, "\"");
    for (size_t i = 0; i < b.size; i++) {
        uint8_t c = b.data[i];
        bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
        if (plain && ref_random(r, 4))
            snprintf(one, sizeof one, "%c", c);
        else if ((c == '"' || c == '\\') && ref_random(r, 2))
            snprintf(one, sizeof one, "\\%c", c);
        else
            snprintf(one, sizeof one, ref_random(r, 2) ? "\\x%02X" : "\\%03o", c);
        ref_put(t, one);
    }
    ref_put(t, "\"");
}

static void ref_put_literal(struct ref *r, struct ref_text *t, const struct rules_value *v, bool argument)
{
    char text[RULES_IP_TEXT];
    if (v->type == RULES_BYTES) {
        ref_put_bytes(r, t, v->bytes);
    } else if (v->type == RULES_IP) {
        rules_ip_text(&v->ip, text);
        ref_put(t, text);
    } else if (v->integer >= 0 && !argument && ref_random(r, 3) == 0) {
        snprintf(text, sizeof text, ref_random(r, 2) ? "0x%" PRIx64 : "0%" PRIo64, (uint64_t)v->integer);
        ref_put(t, text);
    } else {
        snprintf(text, sizeof text, "%" PRId64, v->integer);
        ref_put(t, text);
    }
}

static void ref_put_node(struct ref *r, struct ref_text *t, const struct ref_node *n, int strength);

static void ref_put_indexes(struct ref *r, struct ref_text *t, const struct ref_node *n)
{
    for (unsigned i = 0; i < n->indexes; i++) {
        char number[16];
        ref_put(t, "[");
        ref_space(r, t);
        if (n->index[i].kind == 'k') {
            ref_put_bytes(r, t,
                          (struct rules_bytes){(const uint8_t *)n->index[i].key, strlen(n->index[i].key)});
        } else {
            snprintf(number, sizeof number, "%u", n->index[i].number);
            ref_put(t, n->index[i].kind == '*' ? "*" : number);
        }
        ref_space(r, t);
        ref_put(t, "]");
    }
}

/* As an argument: a truth or a joined condition needs its own parentheses. */
static void ref_put_arg(struct ref *r, struct ref_text *t, const struct ref_node *n)
{
    bool wrapped = n->kind == REF_TRUTH || n->kind == REF_LOGIC;
    if (n->kind == REF_LITERAL) {
        ref_put_literal(r, t, &n->literal, true);
        return;
    }
    ref_put(t, wrapped ? "(" : "");
    ref_put_node(r, t, n, wrapped ? 0 : 9);
    ref_put(t, wrapped ? ")" : "");
}

static const char *ref_notation(struct ref *r, const char *word)
{
    static const char *const signs[][2] = {{"eq", "=="},  {"ne", "!="}, {"ge", ">="},        {"le", "<="},
                                           {"gt", ">"},   {"lt", "<"},  {"and", "&&"},       {"or", "||"},
                                           {"xor", "^^"}, {"not", "!"}, {"&", "bitwise_and"}};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (strcmp(signs[i][0], word) == 0)
            return signs[i][ref_random(r, 2)];
    return word;
}

static void ref_put_compare(struct ref *r, struct ref_text *t, const struct ref_node *n)
{
    ref_put_node(r, t, n->arg[0], 9);
    ref_put(t, " ");
    ref_space(r, t);
    ref_put(t, ref_notation(r, n->name));
    ref_put(t, " ");
    ref_space(r, t);
    if (strcmp(n->name, "in") != 0) {
        if (n->arg[1]->kind == REF_LITERAL)
            ref_put_literal(r, t, &n->arg[1]->literal, false);
        else
            ref_put_node(r, t, n->arg[1], 9);
        return;
    }
    ref_put(t, "{");
    for (unsigned i = 0; i < n->items; i++) {
        ref_put(t, " ");
        ref_put_literal(r, t, &n->item[i], false);
        if (n->item[i].type == RULES_INT && n->high[i].integer != n->item[i].integer) {
            ref_put(t, "..");
            ref_put_literal(r, t, &n->high[i], false);
        }
    }
    ref_space(r, t);
    ref_put(t, "}");
}

/* STRENGTH: how strongly what stands around binds; 0 nothing, 1 or, 2 xor, 3 and, 4 not. */
static void ref_put_node(struct ref *r, struct ref_text *t, const struct ref_node *n, int strength)
{
    int own = n->kind != REF_LOGIC ? 9 : n->name[0] == 'o' ? 1 : n->name[0] == 'x' ? 2 : 3;
    bool condition = n->kind >= REF_TRUTH;
    bool wrapped = condition && strength < 9 && (own < strength || ref_random(r, 6) == 0);
    if (wrapped) {
        ref_put(t, "(");
        ref_space(r, t);
    }
    switch (n->kind) {
    case REF_FIELD:
        ref_put(t, r->scheme->field[n->field].name);
        ref_put_indexes(r, t, n);
        break;
    case REF_CALL:
        ref_put(t, n->name);
        ref_put(t, "(");
        for (unsigned i = 0; i < n->args; i++) {
            ref_space(r, t);
            ref_put_arg(r, t, n->arg[i]);
            ref_space(r, t);
            ref_put(t, i + 1 < n->args ? "," : "");
        }
        ref_put(t, ")");
        ref_put_indexes(r, t, n);
        break;
    case REF_TRUTH: ref_put_node(r, t, n->arg[0], 9); break;
    case REF_COMPARE: ref_put_compare(r, t, n); break;
    case REF_NOT:
        ref_put(t, ref_notation(r, "not"));
        ref_put(t, " ");
        ref_put_node(r, t, n->arg[0], 4);
        break;
    case REF_QUANTIFIER:
        ref_put(t, n->name);
        ref_space(r, t);
        ref_put(t, "(");
        ref_space(r, t);
        ref_put_arg(r, t, n->arg[0]);
        ref_space(r, t);
        ref_put(t, ")");
        break;
    default:
        /* Of the same strength: left to right, so only the right one needs parentheses. */
        ref_put_node(r, t, n->arg[0], own);
        ref_put(t, " ");
        ref_put(t, ref_notation(r, n->name));
        ref_put(t, " ");
        ref_put_node(r, t, n->arg[1], own + 1);
    }
    if (wrapped) {
        ref_space(r, t);
        ref_put(t, ")");
    }
}

/* --- What it gives --- */

static struct rules_value ref_eval(struct ref *r, const struct ref_node *n);

static const struct rules_value ref_missing = {.type = RULES_MISSING};

static struct rules_value ref_array(uint32_t element, const struct rules_value *item, size_t count)
{
    struct rules_value v = {.type = RULES_ARRAY_OF(element)};
    v.array.item = item;
    v.array.count = count;
    return v;
}

/* The indexes, one after the other, on a list of values: [*] makes several of each. */
static struct rules_value ref_follow(struct ref *r, const struct ref_node *n, struct rules_value base)
{
    struct rules_value *list = ref_take(r, sizeof *list);
    size_t count = 1;
    bool each = false;
    if (rules_missing(&base))
        return ref_missing;
    list[0] = base;
    for (unsigned i = 0; i < n->indexes; i++) {
        struct rules_value *next = ref_take(r, 256 * sizeof *next);
        size_t found = 0;
        for (size_t k = 0; k < count; k++) {
            const struct rules_value *v = &list[k];
            bool map = rules_type_layer(v->type) == RULES_MAP;
            size_t elements = map ? v->map.count : v->array.count;
            for (size_t e = 0; e < elements; e++) {
                bool wanted =
                    n->index[i].kind == '*' || (!map && e == n->index[i].number) ||
                    (map && n->index[i].kind == 'k' && v->map.entry[e].key.size == strlen(n->index[i].key) &&
                     memcmp(v->map.entry[e].key.data, n->index[i].key, strlen(n->index[i].key)) == 0);
                if (wanted && found < 256)
                    next[found++] = map ? v->map.entry[e].value : v->array.item[e];
            }
        }
        if (!each && n->index[i].kind != '*' && found == 0)
            return ref_missing;
        each |= n->index[i].kind == '*';
        list = next;
        count = found;
    }
    return each ? ref_array(n->type, list, count) : list[0];
}

static struct rules_value ref_changed(struct ref *r, struct rules_bytes in, bool upper)
{
    uint8_t *out = ref_take(r, in.size + 1);
    for (size_t i = 0; i < in.size; i++) {
        out[i] = in.data[i];
        if (upper ? out[i] >= 'a' && out[i] <= 'z' : out[i] >= 'A' && out[i] <= 'Z')
            out[i] ^= 32;
    }
    return rules_bytes(out, in.size);
}

static bool ref_is_part(struct rules_bytes all, size_t at, struct rules_bytes part)
{
    if (at + part.size > all.size)
        return false;
    for (size_t i = 0; i < part.size; i++)
        if (all.data[at + i] != part.data[i])
            return false;
    return true;
}

static struct rules_value ref_split(struct ref *r, struct rules_bytes all, struct rules_bytes by,
                                    int64_t limit)
{
    struct rules_value *part = ref_take(r, 8 * sizeof *part);
    size_t n = 0, from = 0;
    for (size_t at = 0; at < all.size && (int64_t)n + 1 < limit;) {
        if (!ref_is_part(all, at, by)) {
            at++;
            continue;
        }
        part[n++] = rules_bytes(all.data + from, at - from);
        from = at = at + by.size;
    }
    part[n++] = rules_bytes(all.data + from, all.size - from);
    return ref_array(RULES_BYTES, part, n);
}

static struct rules_value ref_substring(struct rules_bytes all, const struct rules_value *arg, unsigned args)
{
    __int128 size = (__int128)all.size, start = arg[1].integer, end = args > 2 ? arg[2].integer : size;
    if (start < 0)
        start += size;
    if (end < 0)
        end += size;
    start = start < 0 ? 0 : start > size ? size : start;
    end = end < 0 ? 0 : end > size ? size : end;
    return start < end ? rules_bytes(all.data + (size_t)start, (size_t)(end - start)) : rules_bytes("", 0);
}

static struct rules_value ref_join(struct ref *r, const struct rules_value *array, struct rules_bytes by)
{
    uint8_t *out = ref_take(r, 4096);
    size_t n = 0;
    for (size_t i = 0; i < array->array.count; i++) {
        for (size_t k = 0; i > 0 && k < by.size; k++)
            out[n++] = by.data[k];
        for (size_t k = 0; k < array->array.item[i].bytes.size; k++)
            out[n++] = array->array.item[i].bytes.data[k];
    }
    return rules_bytes(out, n);
}

static struct rules_value ref_concat(struct ref *r, const struct rules_value *arg, unsigned args)
{
    struct rules_value *item = ref_take(r, 256 * sizeof *item);
    size_t n = 0;
    uint32_t type = RULES_MISSING;
    for (unsigned i = 0; i < args; i++) {
        if (rules_missing(&arg[i]))
            continue;
        type = arg[i].type;
        if (type == RULES_BYTES)
            item[n++] = arg[i];
        for (size_t k = 0; type != RULES_BYTES && k < arg[i].array.count; k++)
            item[n++] = arg[i].array.item[k];
    }
    if (type == RULES_MISSING)
        return ref_missing;
    struct rules_value all = ref_array(RULES_BYTES, item, n);
    return type == RULES_BYTES ? ref_join(r, &all, (struct rules_bytes){NULL, 0}) : all;
}

static struct rules_value ref_apply(struct ref *r, const struct ref_node *n, const struct rules_value *arg)
{
    const char *name = n->name;
    if (strcmp(name, "concat") == 0)
        return ref_concat(r, arg, n->args);
    if (strcmp(name, "coalesce") == 0) {
        for (unsigned i = 0; i < n->args; i++)
            if (!rules_missing(&arg[i]))
                return arg[i];
        return ref_missing;
    }
    for (unsigned i = 0; i < n->args; i++)
        if (rules_missing(&arg[i]))
            return ref_missing;
    struct rules_bytes a = arg[0].bytes, b = n->args > 1 ? arg[1].bytes : a;
    if (strcmp(name, "lower") == 0 || strcmp(name, "upper") == 0)
        return ref_changed(r, a, name[0] == 'u');
    if (strcmp(name, "len") == 0)
        return rules_int(arg[0].type == RULES_BYTES ? (int64_t)a.size : (int64_t)arg[0].array.count);
    if (strcmp(name, "starts_with") == 0)
        return rules_bool(ref_is_part(a, 0, b));
    if (strcmp(name, "ends_with") == 0)
        return rules_bool(a.size >= b.size && ref_is_part(a, a.size - b.size, b));
    if (strcmp(name, "substring") == 0)
        return ref_substring(a, arg, n->args);
    if (strcmp(name, "join") == 0)
        return ref_join(r, &arg[0], b);
    if (strcmp(name, "split") == 0)
        return ref_split(r, a, b, arg[2].integer);
    bool found = false;
    if (strcmp(name, "has_key") == 0) {
        for (size_t i = 0; i < arg[0].map.count; i++)
            found |= arg[0].map.entry[i].key.size == b.size && ref_is_part(arg[0].map.entry[i].key, 0, b);
        return rules_bool(found);
    }
    if (strcmp(name, "has_value") == 0) {
        for (size_t i = 0; i < arg[0].array.count; i++)
            found |=
                arg[0].array.item[i].bytes.size == b.size && ref_is_part(arg[0].array.item[i].bytes, 0, b);
        return rules_bool(found);
    }
    if (strcmp(name, "remove_bytes") == 0) {
        uint8_t *out = ref_take(r, a.size + 1);
        size_t size = 0;
        for (size_t i = 0; i < a.size; i++) {
            bool drop = false;
            for (size_t k = 0; k < b.size; k++)
                drop |= a.data[i] == b.data[k];
            if (!drop)
                out[size++] = a.data[i];
        }
        return rules_bytes(out, size);
    }
    if (strcmp(name, "to_string") == 0) {
        char *out = ref_take(r, RULES_IP_TEXT);
        if (arg[0].type == RULES_BOOL)
            strcpy(out, arg[0].boolean ? "true" : "false");
        else if (arg[0].type == RULES_INT)
            snprintf(out, RULES_IP_TEXT, "%" PRId64, arg[0].integer);
        else
            rules_ip_text(&arg[0].ip, out);
        return rules_bytes(out, strlen(out));
    }
    abort();
}

static struct rules_value ref_call(struct ref *r, const struct ref_node *n)
{
    struct rules_value arg[4];
    for (unsigned i = 0; i < n->args; i++)
        arg[i] = ref_eval(r, n->arg[i]);
    if (!n->arg[0]->each)
        return ref_apply(r, n, arg);
    struct rules_value all = arg[0];
    if (rules_missing(&all))
        return ref_missing;
    struct rules_value *item = ref_take(r, 256 * sizeof *item);
    size_t count = 0;
    uint32_t type = RULES_BYTES;
    for (size_t i = 0; i < all.array.count; i++) {
        arg[0] = all.array.item[i];
        struct rules_value one = ref_apply(r, n, arg);
        if (rules_missing(&one))
            continue;
        type = one.type;
        item[count++] = one;
    }
    if (count == 0 && (strcmp(n->name, "starts_with") == 0 || strcmp(n->name, "ends_with") == 0))
        type = RULES_BOOL;
    return ref_array(type, item, count);
}

static int ref_order(const struct rules_value *a, const struct rules_value *b)
{
    if (a->type == RULES_INT)
        return a->integer < b->integer ? -1 : a->integer > b->integer;
    if (a->type == RULES_IP)
        return memcmp(a->ip.addr, b->ip.addr, 16);
    for (size_t i = 0; i < a->bytes.size && i < b->bytes.size; i++)
        if (a->bytes.data[i] != b->bytes.data[i])
            return a->bytes.data[i] < b->bytes.data[i] ? -1 : 1;
    return a->bytes.size < b->bytes.size ? -1 : a->bytes.size > b->bytes.size;
}

static bool ref_wildcard(const uint8_t *p, size_t p_size, const uint8_t *v, size_t v_size, bool strict)
{
    if (p_size == 0)
        return v_size == 0;
    if (*p == '*') {
        for (size_t skip = 0; skip <= v_size; skip++)
            if (ref_wildcard(p + 1, p_size - 1, v + skip, v_size - skip, strict))
                return true;
        return false;
    }
    if (v_size == 0)
        return false;
    uint8_t a = *p, b = *v;
    if (!strict && a >= 'A' && a <= 'Z')
        a += 32;
    if (!strict && b >= 'A' && b <= 'Z')
        b += 32;
    return a == b && ref_wildcard(p + 1, p_size - 1, v + 1, v_size - 1, strict);
}

/* One comparison of two values that are there, or not. */
static bool ref_compare(const struct ref_node *n, const struct rules_value *a, const struct rules_value *b)
{
    if (rules_missing(a) || (b && rules_missing(b)))
        return false;
    if (strcmp(n->name, "in") == 0) {
        for (unsigned i = 0; i < n->items; i++) {
            bool same_family = a->type != RULES_IP || a->ip.family == n->item[i].ip.family;
            if (same_family && ref_order(a, &n->item[i]) >= 0 && ref_order(a, &n->high[i]) <= 0)
                return true;
        }
        return false;
    }
    if (n->name[0] == '&')
        return (a->integer & b->integer) != 0;
    if (strcmp(n->name, "contains") == 0) {
        for (size_t i = 0; i <= a->bytes.size; i++)
            if (ref_is_part(a->bytes, i, b->bytes))
                return true;
        return false;
    }
    if (strstr(n->name, "wildcard"))
        return ref_wildcard(b->bytes.data, b->bytes.size, a->bytes.data, a->bytes.size, n->name[0] == 's');
    if (a->type == RULES_IP && a->ip.family != b->ip.family)
        return n->name[0] == 'n';
    int order = ref_order(a, b);
    switch (n->name[0] << 8 | n->name[1]) {
    case 'e' << 8 | 'q': return order == 0;
    case 'n' << 8 | 'e': return order != 0;
    case 'g' << 8 | 'e': return order >= 0;
    case 'l' << 8 | 'e': return order <= 0;
    case 'g' << 8 | 't': return order > 0;
    default: return order < 0;
    }
}

/* A condition over arrays: a missing array counts as an empty one. */
static struct rules_value ref_bools(struct ref *r, const struct ref_node *n)
{
    struct rules_value *item = ref_take(r, 256 * sizeof *item), a, b;
    size_t count = 0;
    if (n->kind == REF_TRUTH) {
        a = ref_eval(r, n->arg[0]);
        return rules_missing(&a) ? ref_array(RULES_BOOL, item, 0) : a;
    }
    if (n->kind == REF_COMPARE) {
        a = ref_eval(r, n->arg[0]);
        b = n->arg[1] ? ref_eval(r, n->arg[1]) : ref_missing;
        for (size_t i = 0; !rules_missing(&a) && i < a.array.count; i++)
            item[count++] = rules_bool(ref_compare(n, &a.array.item[i], n->arg[1] ? &b : NULL));
        return ref_array(RULES_BOOL, item, count);
    }
    a = ref_bools(r, n->arg[0]);
    b = n->kind == REF_NOT ? a : ref_bools(r, n->arg[1]);
    for (size_t i = 0; i < a.array.count && i < b.array.count; i++) {
        bool x = a.array.item[i].boolean, y = b.array.item[i].boolean;
        item[count++] = rules_bool(n->kind == REF_NOT  ? !x
                                   : n->name[0] == 'a' ? x && y
                                   : n->name[0] == 'o' ? x || y
                                                       : x != y);
    }
    return ref_array(RULES_BOOL, item, count);
}

static bool ref_bool(struct ref *r, const struct ref_node *n)
{
    struct rules_value a, b;
    switch (n->kind) {
    case REF_TRUTH: a = ref_eval(r, n->arg[0]); return !rules_missing(&a) && a.boolean;
    case REF_COMPARE:
        a = ref_eval(r, n->arg[0]);
        b = n->arg[1] ? ref_eval(r, n->arg[1]) : ref_missing;
        return ref_compare(n, &a, n->arg[1] ? &b : NULL);
    case REF_NOT: return !ref_bool(r, n->arg[0]);
    case REF_QUANTIFIER:
        a = ref_eval(r, n->arg[0]);
        if (rules_missing(&a))
            return false;
        for (size_t i = 0; i < a.array.count; i++)
            if (a.array.item[i].boolean == (n->name[1] == 'n'))
                return n->name[1] == 'n';
        return n->name[1] != 'n';
    default: {
        bool x = ref_bool(r, n->arg[0]), y = ref_bool(r, n->arg[1]);
        return n->name[0] == 'a' ? x && y : n->name[0] == 'o' ? x || y : x != y;
    }
    }
}

static struct rules_value ref_eval(struct ref *r, const struct ref_node *n)
{
    switch (n->kind) {
    case REF_FIELD: return ref_follow(r, n, r->field[n->field]);
    case REF_CALL: return ref_follow(r, n, ref_call(r, n));
    case REF_LITERAL: return n->literal;
    default: break;
    }
    return n->type == RULES_BOOL ? rules_bool(ref_bool(r, n)) : ref_bools(r, n);
}

#endif
