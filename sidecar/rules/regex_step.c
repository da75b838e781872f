/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One step of the automaton over a set of its nodes. A set holds the nodes that wait for a byte and the looks
 * that cannot be decided before the next byte is known; matching is noticed as soon as it is certain.
 */
#include <string.h>

#include "sidecar/rules/regex_internal.h"

static enum regex_truth truth(bool is)
{
    return is ? REGEX_YES : REGEX_NO;
}

enum regex_truth regex_look_holds(unsigned look, unsigned previous, unsigned next)
{
    bool open = next & CONTEXT_UNKNOWN, before = previous & CONTEXT_WORD, after = next & CONTEXT_WORD;
    switch ((enum regex_look)look) {
    case LOOK_TEXT_START: return truth(previous & CONTEXT_EDGE);
    case LOOK_LINE_START: return truth(previous & (CONTEXT_EDGE | CONTEXT_LF));
    case LOOK_WORD_START_HALF: return truth(!before);
    case LOOK_LINE_START_R:
        if (!(previous & CONTEXT_CR))
            return truth(previous & (CONTEXT_EDGE | CONTEXT_LF));
        return open ? REGEX_PERHAPS : truth(!(next & CONTEXT_LF));
    case LOOK_WORD_START: return before ? REGEX_NO : open ? REGEX_PERHAPS : truth(after);
    case LOOK_WORD_END: return !before ? REGEX_NO : open ? REGEX_PERHAPS : truth(!after);
    default: break;
    }
    if (open)
        return REGEX_PERHAPS;
    switch ((enum regex_look)look) {
    case LOOK_TEXT_END: return truth(next & CONTEXT_EDGE);
    case LOOK_LINE_END: return truth(next & (CONTEXT_EDGE | CONTEXT_LF));
    case LOOK_LINE_END_R:
        return truth(next & (CONTEXT_EDGE | CONTEXT_CR) || (next & CONTEXT_LF && !(previous & CONTEXT_CR)));
    case LOOK_WORD: return truth(before != after);
    case LOOK_NOT_WORD: return truth(before == after);
    default: return truth(!after); /* LOOK_WORD_END_HALF */
    }
}

size_t regex_step_memory(size_t nodes)
{
    size_t words = (nodes + 63) / 64;
    return 2 * words * sizeof(uint64_t) + (3 * nodes + 2) * sizeof(uint32_t);
}

void regex_step_init(struct regex_step *step, const struct regex *regex, void *memory)
{
    step->regex = regex;
    step->words = (regex->count + 63) / 64;
    step->visited = memory;
    step->member = step->visited + step->words;
    step->from = (uint32_t *)(step->member + step->words);
    step->list = step->from + regex->count;
    step->stack = step->list + regex->count;
}

static void clear(struct regex_step *step)
{
    memset(step->visited, 0, 2 * step->words * sizeof *step->visited);
}

static bool test_and_set(uint64_t *bits, uint32_t number)
{
    uint64_t bit = UINT64_C(1) << number % 64, *word = &bits[number / 64];
    bool was = *word & bit;
    *word |= bit;
    return was;
}

/* Adds what is reached from a node without a byte. True: a match. */
static bool add(struct regex_step *step, uint32_t number, unsigned previous, unsigned next)
{
    const struct regex_node *nodes = step->regex->node;
    uint32_t *stack = step->stack;
    size_t depth = 0;
    stack[depth++] = number;
    while (depth > 0) {
        number = stack[--depth];
        if (test_and_set(step->visited, number))
            continue;
        const struct regex_node *node = &nodes[number];
        switch ((enum regex_op)node->op) {
        case OP_RANGE:
        case OP_SET: test_and_set(step->member, number); break;
        case OP_SAVE: stack[depth++] = node->out; break;
        case OP_SPLIT:
            /* Each node is looked into once and leaves at most one more than it took: the stack holds all. */
            stack[depth++] = node->other;
            stack[depth++] = node->out;
            break;
        case OP_LOOK:
            switch (regex_look_holds(node->low, previous, next)) {
            case REGEX_YES: stack[depth++] = node->out; break;
            case REGEX_PERHAPS: test_and_set(step->member, number); break;
            case REGEX_NO: break;
            }
            break;
        case OP_MATCH: return true;
        case OP_FAIL: break;
        }
    }
    return false;
}

static uint32_t list_members(const struct regex_step *step, uint32_t *list)
{
    uint32_t count = 0;
    for (size_t i = 0; i < step->words; i++)
        for (uint64_t word = step->member[i]; word; word &= word - 1)
            list[count++] = (uint32_t)(i * 64) + (uint32_t)__builtin_ctzll(word);
    return count;
}

/* What the step came to. */
static uint32_t finish(const struct regex_step *step)
{
    uint32_t count = list_members(step, step->list);
    return count == 0 && step->regex->anchored ? STEP_DEAD : count;
}

uint32_t regex_step_start(struct regex_step *step)
{
    clear(step);
    if (add(step, step->regex->start, CONTEXT_EDGE, CONTEXT_UNKNOWN))
        return STEP_MATCH;
    return finish(step);
}

bool regex_step_pending(const struct regex *regex, const uint32_t *list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (regex->node[list[i]].op == OP_LOOK)
            return true;
    return false;
}

/* Decides the looks among the nodes. What they lead to joins the others. */
static uint32_t decide(struct regex_step *step, const uint32_t **from, uint32_t count, unsigned previous,
                       unsigned next)
{
    clear(step);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = (*from)[i];
        const struct regex_node *node = &step->regex->node[number];
        if (node->op != OP_LOOK)
            test_and_set(step->member, number);
        else if (regex_look_holds(node->low, previous, next) == REGEX_YES &&
                 add(step, node->out, previous, next))
            return STEP_MATCH;
    }
    *from = step->from;
    return list_members(step, step->from);
}

static bool takes(const struct regex *regex, const struct regex_node *node, unsigned byte)
{
    if (node->op == OP_RANGE)
        return byte >= node->low && byte <= node->high;
    return node->op == OP_SET && regex_set_has(&regex->set[node->other], byte);
}

uint32_t regex_step_over(struct regex_step *step, const uint32_t *from, uint32_t count, unsigned previous,
                         uint32_t byte)
{
    const struct regex *regex = step->regex;
    unsigned next = byte == REGEX_EOF ? CONTEXT_EDGE : regex_context(byte);
    if (regex_step_pending(regex, from, count)) {
        count = decide(step, &from, count, previous, next);
        if (count == STEP_MATCH)
            return STEP_MATCH;
    }
    if (byte == REGEX_EOF)
        return STEP_DEAD;
    if (from == step->list) {
        memcpy(step->from, from, count * sizeof *from);
        from = step->from;
    }
    clear(step);
    for (uint32_t i = 0; i < count; i++) {
        const struct regex_node *node = &regex->node[from[i]];
        if (takes(regex, node, byte) && add(step, node->out, next, CONTEXT_UNKNOWN))
            return STEP_MATCH;
    }
    /* A match may begin anywhere. */
    if (add(step, regex->start, next, CONTEXT_UNKNOWN))
        return STEP_MATCH;
    return finish(step);
}
