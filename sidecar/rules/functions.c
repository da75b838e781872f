/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Functions on strings, arrays, maps and addresses (rules-language section 11.2). */
#include <inttypes.h>
#include <string.h>

#include "sidecar/rules/internal.h"

#define STRINGS RULES_ARRAY_OF(RULES_BYTES)

const struct function *function_find(const char *name, size_t size)
{
    for (size_t i = 0; function_tables[i]; i++)
        for (const struct function *f = function_tables[i]; f->name; f++)
            if (strncmp(f->name, name, size) == 0 && f->name[size] == 0)
                return f;
    return NULL;
}

bool function_literal_error(struct parser *p, const struct node *arg, const char *message)
{
    return parser_fail(p, RULES_INVALID_ARGUMENT_VALUE, arg->at, arg->length, "%s", message);
}

static bool wrong_type(struct parser *p, const struct node *arg, const char *function, uint32_t want)
{
    char a[RULES_TYPE_TEXT], b[RULES_TYPE_TEXT];
    return parser_fail(p, RULES_INVALID_ARGUMENT_TYPE, arg->at, arg->length, "%s() needs %s here, not %s",
                       function, rules_type_text(want, a, sizeof a), rules_type_text(arg->type, b, sizeof b));
}

#define RUN(name)                                                                                   \
    static void run_##name(struct run *run, const struct node *node, const struct rules_value *arg, \
                           unsigned count, struct rules_value *out)

#define UNUSED (void)run, (void)node, (void)count

/* --- Strings --- */

static void change_case(struct run *run, struct rules_bytes in, uint8_t first, struct rules_value *out)
{
    size_t i = 0;
    while (i < in.size && (uint8_t)(in.data[i] - first) >= 26)
        i++;
    if (i == in.size) {
        *out = rules_bytes(in.data, in.size);
        return;
    }
    uint8_t *copy = run_take(run, in.size);
    if (!copy)
        return;
    for (i = 0; i < in.size; i++) {
        uint8_t c = in.data[i];
        copy[i] = (uint8_t)(c - first) < 26 ? c ^ 0x20 : c;
    }
    *out = rules_bytes(copy, in.size);
}

RUN(lower)
{
    UNUSED;
    change_case(run, arg[0].bytes, 'A', out);
}

RUN(upper)
{
    UNUSED;
    change_case(run, arg[0].bytes, 'a', out);
}

RUN(len)
{
    UNUSED;
    *out = rules_int((int64_t)(arg[0].type == RULES_BYTES ? arg[0].bytes.size : arg[0].array.count));
}

RUN(starts_with)
{
    UNUSED;
    struct rules_bytes all = arg[0].bytes, part = arg[1].bytes;
    *out =
        rules_bool(all.size >= part.size && (part.size == 0 || memcmp(all.data, part.data, part.size) == 0));
}

RUN(ends_with)
{
    UNUSED;
    struct rules_bytes all = arg[0].bytes, part = arg[1].bytes;
    *out = rules_bool(all.size >= part.size &&
                      (part.size == 0 || memcmp(all.data + all.size - part.size, part.data, part.size) == 0));
}

static void concat_bytes(struct run *run, const struct rules_value *arg, unsigned count, size_t size,
                         struct rules_value *out)
{
    uint8_t *joined = run_take(run, size);
    if (!joined)
        return;
    size_t n = 0;
    for (unsigned i = 0; i < count; i++) {
        if (rules_missing(&arg[i]) || arg[i].bytes.size == 0)
            continue;
        memcpy(joined + n, arg[i].bytes.data, arg[i].bytes.size);
        n += arg[i].bytes.size;
    }
    *out = rules_bytes(joined, n);
}

static void concat_arrays(struct run *run, const struct rules_value *arg, unsigned count, size_t size,
                          uint32_t type, struct rules_value *out)
{
    struct rules_value *joined = run_take(run, size * sizeof *joined);
    if (!joined)
        return;
    size_t n = 0;
    for (unsigned i = 0; i < count; i++) {
        if (rules_missing(&arg[i]) || arg[i].array.count == 0)
            continue;
        memcpy(joined + n, arg[i].array.item, arg[i].array.count * sizeof *joined);
        n += arg[i].array.count;
    }
    out->type = type;
    out->array.item = joined;
    out->array.count = n;
}

RUN(concat)
{
    UNUSED;
    size_t size = 0;
    uint32_t type = RULES_MISSING;
    for (unsigned i = 0; i < count; i++) {
        if (rules_missing(&arg[i]))
            continue;
        type = arg[i].type;
        size += type == RULES_BYTES ? arg[i].bytes.size : arg[i].array.count;
    }
    if (type == RULES_BYTES)
        concat_bytes(run, arg, count, size, out);
    else if (type != RULES_MISSING)
        concat_arrays(run, arg, count, size, type, out);
}

/* All arguments have one type, which is the result's. */
static bool check_same(struct parser *p, struct node *call)
{
    for (unsigned i = 1; i < call->call.count; i++)
        if (call->call.arg[i]->type != call->call.arg[0]->type)
            return wrong_type(p, call->call.arg[i], call->call.function->name, call->call.arg[0]->type);
    call->type = call->call.arg[0]->type;
    return true;
}

RUN(coalesce)
{
    UNUSED;
    for (unsigned i = 0; i < count; i++) {
        if (rules_missing(&arg[i]))
            continue;
        *out = arg[i];
        return;
    }
}

/* An offset from the literal: negative counts from the end; clamped to 0..size. */
static size_t offset(int64_t at, size_t size)
{
    if (at < 0)
        return (uint64_t) - (at + 1) >= size ? 0 : size - (size_t)(-at);
    return (uint64_t)at > size ? size : (size_t)at;
}

RUN(substring)
{
    UNUSED;
    struct rules_bytes all = arg[0].bytes;
    size_t start = offset(arg[1].integer, all.size);
    size_t end = count > 2 ? offset(arg[2].integer, all.size) : all.size;
    *out = start < end ? rules_bytes(all.data + start, end - start) : rules_bytes("", 0);
}

RUN(remove_bytes)
{
    UNUSED;
    uint8_t *kept = run_take(run, arg[0].bytes.size);
    bool unwanted[256] = {false};
    if (!kept)
        return;
    for (size_t i = 0; i < arg[1].bytes.size; i++)
        unwanted[arg[1].bytes.data[i]] = true;
    size_t n = 0;
    for (size_t i = 0; i < arg[0].bytes.size; i++)
        if (!unwanted[arg[0].bytes.data[i]])
            kept[n++] = arg[0].bytes.data[i];
    *out = rules_bytes(kept, n);
}

RUN(to_string)
{
    UNUSED;
    if (arg[0].type == RULES_BOOL) {
        *out = arg[0].boolean ? rules_bytes("true", 4) : rules_bytes("false", 5);
        return;
    }
    char *text = run_take(run, RULES_IP_TEXT);
    if (!text)
        return;
    size_t size = arg[0].type == RULES_IP ? rules_ip_text(&arg[0].ip, text)
                                          : (size_t)snprintf(text, RULES_IP_TEXT, "%" PRId64, arg[0].integer);
    *out = rules_bytes(text, size);
}

static bool check_split(struct parser *p, struct node *call)
{
    int64_t limit = call->call.arg[2]->literal.integer;
    if (call->call.arg[1]->literal.bytes.size == 0)
        return function_literal_error(p, call->call.arg[1], "the separator must not be empty");
    if (limit < 1 || limit > 128)
        return function_literal_error(p, call->call.arg[2], "the limit is between 1 and 128");
    return true;
}

RUN(split)
{
    UNUSED;
    struct rules_bytes rest = arg[0].bytes, separator = arg[1].bytes;
    size_t limit = (size_t)arg[2].integer, n = 0;
    struct rules_value *part = run_take(run, limit * sizeof *part);
    if (!part)
        return;
    while (n + 1 < limit) {
        const uint8_t *found =
            rest.size >= separator.size ? memmem(rest.data, rest.size, separator.data, separator.size) : NULL;
        if (!found)
            break;
        size_t size = (size_t)(found - rest.data);
        part[n++] = rules_bytes(rest.data, size);
        rest.data += size + separator.size;
        rest.size -= size + separator.size;
    }
    part[n++] = rules_bytes(rest.data, rest.size);
    out->type = STRINGS;
    out->array.item = part;
    out->array.count = n;
}

static bool check_join(struct parser *p, struct node *call)
{
    if (call->call.arg[0]->type != STRINGS)
        return wrong_type(p, call->call.arg[0], "join", STRINGS);
    return true;
}

RUN(join)
{
    UNUSED;
    struct rules_bytes separator = arg[1].bytes;
    size_t size = 0, n = 0;
    for (size_t i = 0; i < arg[0].array.count; i++)
        size += arg[0].array.item[i].bytes.size + (i ? separator.size : 0);
    uint8_t *joined = run_take(run, size);
    if (!joined)
        return;
    for (size_t i = 0; i < arg[0].array.count; i++) {
        struct rules_bytes item = arg[0].array.item[i].bytes;
        if (i && separator.size) {
            memcpy(joined + n, separator.data, separator.size);
            n += separator.size;
        }
        if (item.size)
            memcpy(joined + n, item.data, item.size);
        n += item.size;
    }
    *out = rules_bytes(joined, n);
}

/* --- Maps and arrays --- */

RUN(has_key)
{
    UNUSED;
    *out = rules_bool(rules_map_find(&arg[0].map, arg[1].bytes.data, arg[1].bytes.size));
}

static bool check_has_value(struct parser *p, struct node *call)
{
    uint32_t inner = rules_type_inner(call->call.arg[0]->type);
    char type[RULES_TYPE_TEXT];
    if (rules_type_layer(inner))
        return parser_fail(p, RULES_INVALID_ARGUMENT_TYPE, call->call.arg[0]->at, call->call.arg[0]->length,
                           "has_value() needs elements of a plain type, not %s",
                           rules_type_text(inner, type, sizeof type));
    if (call->call.arg[1]->type != inner)
        return wrong_type(p, call->call.arg[1], "has_value", inner);
    return true;
}

RUN(has_value)
{
    UNUSED;
    bool found = false;
    if (rules_type_layer(arg[0].type) == RULES_ARRAY)
        for (size_t i = 0; i < arg[0].array.count && !found; i++)
            found = rules_value_equal(&arg[0].array.item[i], &arg[1]);
    else
        for (size_t i = 0; i < arg[0].map.count && !found; i++)
            found = rules_value_equal(&arg[0].map.entry[i].value, &arg[1]);
    *out = rules_bool(found);
}

/* --- Addresses --- */

static bool check_bits(struct parser *p, const struct node *arg, int64_t most)
{
    if (arg->literal.integer >= 1 && arg->literal.integer <= most)
        return true;
    return function_literal_error(p, arg,
                                  most == 32 ? "the prefix length is between 1 and 32"
                                             : "the prefix length is between 1 and 128");
}

static bool check_cidr(struct parser *p, struct node *call)
{
    return check_bits(p, call->call.arg[1], 32) && check_bits(p, call->call.arg[2], 128);
}

static bool check_cidr6(struct parser *p, struct node *call)
{
    return check_bits(p, call->call.arg[1], 128);
}

RUN(cidr)
{
    UNUSED;
    *out = arg[0];
    rules_ip_mask(&out->ip, (unsigned)arg[arg[0].ip.family == 4 ? 1 : 2].integer);
}

RUN(cidr6)
{
    UNUSED;
    *out = arg[0];
    if (out->ip.family == 6)
        rules_ip_mask(&out->ip, (unsigned)arg[1].integer);
}

#define V PARAM_VALUE
#define L PARAM_LITERAL
#define B PARAM_BOTH
#define ANY_TYPE (PARAM_BOOL | PARAM_INT | PARAM_BYTES | PARAM_IP | PARAM_ARRAY | PARAM_MAP)

static const struct function functions[] = {
    {"lower", RULES_BYTES, 1, 1, 1, false, {{V, PARAM_BYTES, false}}, NULL, run_lower},
    {"upper", RULES_BYTES, 1, 1, 1, false, {{V, PARAM_BYTES, false}}, NULL, run_upper},
    {"len", RULES_INT, 1, 1, 1, false, {{V, PARAM_BYTES | PARAM_ARRAY, false}}, NULL, run_len},
    {"starts_with",
     RULES_BOOL,
     2,
     2,
     2,
     false,
     {{V, PARAM_BYTES, false}, {L, PARAM_BYTES, false}},
     NULL,
     run_starts_with},
    {"ends_with",
     RULES_BOOL,
     2,
     2,
     2,
     false,
     {{V, PARAM_BYTES, false}, {L, PARAM_BYTES, false}},
     NULL,
     run_ends_with},
    {"concat", 0, 2, 32, 1, true, {{B, PARAM_BYTES | PARAM_ARRAY, false}}, check_same, run_concat},
    {"coalesce", 0, 1, 64, 1, true, {{B, ANY_TYPE, false}}, check_same, run_coalesce},
    {"substring",
     RULES_BYTES,
     2,
     3,
     3,
     false,
     {{V, PARAM_BYTES, false}, {L, PARAM_INT, false}, {L, PARAM_INT, false}},
     NULL,
     run_substring},
    {"remove_bytes",
     RULES_BYTES,
     2,
     2,
     2,
     false,
     {{V, PARAM_BYTES, false}, {L, PARAM_BYTES, false}},
     NULL,
     run_remove_bytes},
    {"to_string",
     RULES_BYTES,
     1,
     1,
     1,
     false,
     {{V, PARAM_INT | PARAM_BOOL | PARAM_IP, false}},
     NULL,
     run_to_string},
    {"split",
     STRINGS,
     3,
     3,
     3,
     false,
     {{V, PARAM_BYTES, false}, {L, PARAM_BYTES, false}, {L, PARAM_INT, false}},
     check_split,
     run_split},
    {"join",
     RULES_BYTES,
     2,
     2,
     2,
     false,
     {{V, PARAM_ARRAY, false}, {B, PARAM_BYTES, false}},
     check_join,
     run_join},
    {"has_key",
     RULES_BOOL,
     2,
     2,
     2,
     false,
     {{V, PARAM_MAP, false}, {B, PARAM_BYTES, false}},
     NULL,
     run_has_key},
    {"has_value",
     RULES_BOOL,
     2,
     2,
     2,
     false,
     {{V, PARAM_ARRAY | PARAM_MAP, false}, {B, PARAM_BOOL | PARAM_INT | PARAM_BYTES | PARAM_IP, false}},
     check_has_value,
     run_has_value},
    {"cidr",
     RULES_IP,
     3,
     3,
     3,
     false,
     {{V, PARAM_IP, false}, {L, PARAM_INT, false}, {L, PARAM_INT, false}},
     check_cidr,
     run_cidr},
    {"cidr6",
     RULES_IP,
     2,
     2,
     2,
     false,
     {{V, PARAM_IP, false}, {L, PARAM_INT, false}},
     check_cidr6,
     run_cidr6},
    {.name = NULL},
};

const struct function *const function_tables[] = {functions, functions_text, functions_data, NULL};
