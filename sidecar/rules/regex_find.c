/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The search that tells where: threads in the order in which the pattern prefers them, each with the places
 * of its groups (Pike's machine). The one that matches ends those that are less preferred.
 */
#include <string.h>

#include "sidecar/rules/regex_internal.h"

enum { SLOTS_MOST = 2 * (REGEX_CAPTURES_MAX + 1), SLOT_NONE = UINT32_MAX };

/* Nodes in order of preference, and for each node its slots. */
struct threads {
    uint32_t *list;
    uint32_t count;
    uint32_t *slots;
};

/* To do: look into a node, or give a slot its earlier value back. */
struct task {
    uint32_t node; /* REGEX_NONE: restore */
    uint32_t slot, value;
};

struct find {
    const struct regex *regex;
    const uint8_t *data;
    size_t size;
    uint64_t *visited;
    struct task *stack;
    struct threads now, then;
    uint32_t slot[SLOTS_MOST]; /* of the thread at hand */
};

size_t regex_find_memory(size_t nodes)
{
    size_t words = (nodes + 63) / 64;
    return words * sizeof(uint64_t) + (nodes + 2) * sizeof(struct task) +
           2 * nodes * (1 + SLOTS_MOST) * sizeof(uint32_t);
}

static void find_init(struct find *find, void *memory)
{
    size_t nodes = find->regex->count, slots = nodes * find->regex->slots;
    find->visited = memory;
    find->now.list = (uint32_t *)(find->visited + (nodes + 63) / 64);
    find->then.list = find->now.list + nodes;
    find->now.slots = find->then.list + nodes;
    find->then.slots = find->now.slots + slots;
    find->stack = (struct task *)(void *)(find->then.slots + slots);
}

static unsigned context_before(const struct find *find, size_t at)
{
    return at == 0 ? CONTEXT_EDGE : regex_context(find->data[at - 1]);
}

static unsigned context_after(const struct find *find, size_t at)
{
    return at == find->size ? CONTEXT_EDGE : regex_context(find->data[at]);
}

static bool seen(struct find *find, uint32_t number)
{
    uint64_t bit = UINT64_C(1) << number % 64, *word = &find->visited[number / 64];
    bool was = *word & bit;
    *word |= bit;
    return was;
}

static void thread_add(struct find *find, struct threads *threads, uint32_t number)
{
    threads->list[threads->count++] = number;
    memcpy(threads->slots + (size_t)number * find->regex->slots, find->slot,
           find->regex->slots * sizeof *find->slot);
}

/* Adds the threads that a node leads to at a place, with the slots at hand. */
static void follow(struct find *find, struct threads *threads, uint32_t number, size_t at)
{
    struct task *stack = find->stack;
    size_t depth = 0;
    stack[depth++] = (struct task){.node = number};
    while (depth > 0) {
        struct task task = stack[--depth];
        if (task.node == REGEX_NONE) {
            find->slot[task.slot] = task.value;
            continue;
        }
        if (seen(find, task.node))
            continue;
        const struct regex_node *node = &find->regex->node[task.node];
        switch ((enum regex_op)node->op) {
        case OP_RANGE:
        case OP_SET:
        case OP_MATCH: thread_add(find, threads, task.node); break;
        case OP_FAIL: break;
        case OP_SPLIT:
            stack[depth++] = (struct task){.node = node->other};
            stack[depth++] = (struct task){.node = node->out};
            break;
        case OP_SAVE:
            stack[depth++] = (struct task){REGEX_NONE, node->other, find->slot[node->other]};
            stack[depth++] = (struct task){.node = node->out};
            find->slot[node->other] = (uint32_t)at;
            break;
        case OP_LOOK:
            if (regex_look_holds(node->low, context_before(find, at), context_after(find, at)) == REGEX_YES)
                stack[depth++] = (struct task){.node = node->out};
            break;
        }
    }
}

static bool takes(const struct regex *regex, const struct regex_node *node, unsigned byte)
{
    if (node->op == OP_RANGE)
        return byte >= node->low && byte <= node->high;
    return node->op == OP_SET && regex_set_has(&regex->set[node->other], byte);
}

/* Moves the threads over the byte at a place. True: one matched there, and its slots are in BEST. */
static bool step(struct find *find, size_t at, uint32_t *best)
{
    size_t width = find->regex->slots;
    memset(find->visited, 0, (find->regex->count + 63) / 64 * sizeof *find->visited);
    find->then.count = 0;
    for (uint32_t i = 0; i < find->now.count; i++) {
        uint32_t number = find->now.list[i];
        const struct regex_node *node = &find->regex->node[number];
        const uint32_t *slots = find->now.slots + number * width;
        if (node->op == OP_MATCH) {
            memcpy(best, slots, width * sizeof *best);
            return true;
        }
        if (at < find->size && takes(find->regex, node, find->data[at])) {
            memcpy(find->slot, slots, width * sizeof *find->slot);
            follow(find, &find->then, node->out, at + 1);
        }
    }
    return false;
}

/* Adds a thread that begins here, liked less than all others. */
static void begin(struct find *find, size_t at)
{
    /* The nodes of the others are seen still. */
    memset(find->slot, 0xff, sizeof find->slot);
    follow(find, &find->now, find->regex->start, at);
}

bool regex_find(const struct regex *regex, struct regex_scratch *scratch, const uint8_t *data, size_t size,
                struct regex_span *span, size_t count)
{
    uint32_t best[SLOTS_MOST];
    bool found = false;
    if (regex->slots == 0 || size >= SLOT_NONE || !regex_match(regex, scratch, data, size))
        return false;
    struct find find = {.regex = regex, .data = data, .size = size};
    find_init(&find, scratch->work);
    memset(find.visited, 0, (regex->count + 63) / 64 * sizeof *find.visited);
    for (size_t at = 0; at <= size; at++) {
        if (!found)
            begin(&find, at);
        if (find.now.count == 0 && found)
            break;
        found |= step(&find, at, best);
        struct threads swap = find.now;
        find.now = find.then;
        find.then = swap;
    }
    for (size_t i = 0; found && i < count; i++) {
        bool has = i * 2 < regex->slots && best[i * 2] != SLOT_NONE && best[i * 2 + 1] != SLOT_NONE;
        span[i] =
            has ? (struct regex_span){best[i * 2], best[i * 2 + 1]} : (struct regex_span){SIZE_MAX, SIZE_MAX};
    }
    return found;
}
