/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The automaton made deterministic as far as subjects need it. States of all regexes of a thread share one
 * cache; when it is full it is emptied, if what it held was worth making, else the rest of the subject is
 * searched step by step. States name nodes by number and a regex by the hash of its pattern: nothing points
 * to a regex, which may be freed and compiled again while the scratch lives on.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sidecar/rules/regex_internal.h"

/* What a row of transitions holds: the offset of the next row, or one of these. */
enum { ROW_UNKNOWN, ROW_DEAD, ROW_MATCH };

enum {
    ARENA_FIRST = 16, /* no row is there */
    DFA_BUCKETS = 1024,
    BYTES_PER_BUCKET = 512,
    /* Bytes that must have been searched for each state made before the cache may be emptied. */
    WORTH = 32,
};

/* One regex in the cache. */
struct dfa {
    uint64_t id[2];
    uint32_t chain, start, nodes, classes;
};

/* One state; its nodes follow the row. */
struct state {
    uint32_t chain, hash, dfa, count, previous;
    uint32_t row[];
};

struct search {
    const struct regex *regex;
    struct regex_scratch *scratch;
    struct regex_step step;
    uint32_t dfa;
    size_t at, counted; /* bytes searched; those that the scratch knows of */
};

/* ---- The scratch ------------------------------------------------------------------------------------- */

struct regex_scratch *regex_scratch_new(size_t cache)
{
    struct regex_scratch *scratch = calloc(1, sizeof *scratch);
    if (!scratch)
        return NULL;
    cache = cache == 0 ? REGEX_CACHE_DEFAULT : cache < REGEX_CACHE_LEAST ? REGEX_CACHE_LEAST : cache;
    cache = cache > UINT32_MAX / 4 ? UINT32_MAX / 4 : cache & ~(size_t)15;
    uint32_t buckets = 1;
    while (buckets < cache / BYTES_PER_BUCKET)
        buckets *= 2;
    size_t tables = (DFA_BUCKETS + buckets) * sizeof(uint32_t);
    scratch->mapped = tables + cache + regex_work_memory();
    /* Pages that are never touched cost nothing; large pages would make most of it resident at once. */
    void *map = mmap(NULL, scratch->mapped, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) {
        free(scratch);
        return NULL;
    }
    madvise(map, scratch->mapped, MADV_NOHUGEPAGE);
    scratch->dfa_bucket = map;
    scratch->state_bucket = scratch->dfa_bucket + DFA_BUCKETS;
    scratch->state_mask = buckets - 1;
    scratch->base = (uint8_t *)map + tables;
    scratch->room = (uint32_t)cache;
    scratch->used = ARENA_FIRST;
    scratch->work = scratch->base + cache;
    return scratch;
}

void regex_scratch_free(struct regex_scratch *scratch)
{
    if (!scratch)
        return;
    munmap(scratch->dfa_bucket, scratch->mapped);
    free(scratch);
}

size_t regex_work_memory(void)
{
    size_t match = regex_step_memory(REGEX_MEMORY_MAX / REGEX_NODE_CHARGE + 1);
    size_t find = regex_find_memory(REGEX_MEMORY_MAX / REGEX_CAPTURES_CHARGE + 1);
    return match > find ? match : find;
}

static void flush(struct regex_scratch *scratch)
{
    memset(scratch->dfa_bucket, 0, (DFA_BUCKETS + scratch->state_mask + 1) * sizeof(uint32_t));
    scratch->used = ARENA_FIRST;
    scratch->scanned = 0;
    scratch->states = 0;
    scratch->flushes++;
}

/* The offset of SIZE bytes, or 0. */
static uint32_t take(struct regex_scratch *scratch, size_t size)
{
    size = (size + 7) & ~(size_t)7;
    if (scratch->room - scratch->used < size)
        return 0;
    uint32_t offset = scratch->used;
    scratch->used += (uint32_t)size;
    return offset;
}

static struct dfa *dfa_at(const struct regex_scratch *scratch, uint32_t offset)
{
    return (struct dfa *)(void *)(scratch->base + offset);
}

static uint32_t *row_at(const struct regex_scratch *scratch, uint32_t offset)
{
    return (uint32_t *)(void *)(scratch->base + offset);
}

static struct state *state_of(const struct regex_scratch *scratch, uint32_t row)
{
    return (struct state *)(void *)(scratch->base + row - offsetof(struct state, row));
}

/* ---- Making states ----------------------------------------------------------------------------------- */

static uint32_t hash_state(uint32_t dfa, unsigned previous, const uint32_t *nodes, uint32_t count)
{
    uint64_t hash = dfa * UINT64_C(0x9e3779b97f4a7c15) + previous;
    for (uint32_t i = 0; i < count; i++)
        hash = (hash ^ nodes[i]) * UINT64_C(0xff51afd7ed558ccd);
    return (uint32_t)(hash >> 32);
}

/* The row of the state with these nodes, found or made; ROW_UNKNOWN: there is no room for it. */
static uint32_t state_get(struct search *search, unsigned previous, const uint32_t *nodes, uint32_t count)
{
    struct regex_scratch *scratch = search->scratch;
    previous = regex_step_pending(search->regex, nodes, count) ? previous & search->regex->remember : 0;
    uint32_t hash = hash_state(search->dfa, previous, nodes, count), stride = search->regex->classes + 1;
    uint32_t *bucket = &scratch->state_bucket[hash & scratch->state_mask];
    for (uint32_t row = *bucket; row; row = state_of(scratch, row)->chain) {
        const struct state *state = state_of(scratch, row);
        if (state->hash == hash && state->dfa == search->dfa && state->count == count &&
            state->previous == previous && memcmp(state->row + stride, nodes, count * sizeof *nodes) == 0)
            return row;
    }
    uint32_t offset = take(scratch, sizeof(struct state) + (stride + (size_t)count) * sizeof(uint32_t));
    if (!offset)
        return ROW_UNKNOWN;
    uint32_t row = offset + (uint32_t)offsetof(struct state, row);
    struct state *state = state_of(scratch, row);
    *state = (struct state){
        .chain = *bucket, .hash = hash, .dfa = search->dfa, .count = count, .previous = previous};
    memset(state->row, 0, stride * sizeof(uint32_t));
    memcpy(state->row + stride, nodes, count * sizeof *nodes);
    *bucket = row;
    scratch->states++;
    return row;
}

/* Finds or makes the regex's place in the cache; 0: no room. */
static uint32_t dfa_get(const struct regex *regex, struct regex_scratch *scratch)
{
    uint32_t *bucket = &scratch->dfa_bucket[regex->id[0] % DFA_BUCKETS];
    for (uint32_t at = *bucket; at; at = dfa_at(scratch, at)->chain) {
        const struct dfa *dfa = dfa_at(scratch, at);
        if (dfa->id[0] == regex->id[0] && dfa->id[1] == regex->id[1] && dfa->nodes == regex->count &&
            dfa->classes == regex->classes)
            return at;
    }
    uint32_t made = take(scratch, sizeof(struct dfa));
    if (!made)
        return 0;
    *dfa_at(scratch, made) = (struct dfa){.id = {regex->id[0], regex->id[1]},
                                          .chain = *bucket,
                                          .nodes = regex->count,
                                          .classes = regex->classes};
    return *bucket = made;
}

/* Empties the cache if it has earned that, and begins it anew with this regex. */
static bool renew(struct search *search)
{
    struct regex_scratch *scratch = search->scratch;
    scratch->scanned += search->at - search->counted;
    search->counted = search->at;
    if (scratch->scanned / WORTH < scratch->states)
        return false;
    flush(scratch);
    search->dfa = dfa_get(search->regex, scratch);
    return search->dfa;
}

/* The row for COUNT nodes in the step's list; ROW_UNKNOWN: there is no room, go on without a cache. */
static uint32_t row_for(struct search *search, uint32_t count, unsigned previous)
{
    if (count == STEP_MATCH)
        return ROW_MATCH;
    if (count == STEP_DEAD)
        return ROW_DEAD;
    uint32_t row = state_get(search, previous, search->step.list, count);
    /* A state that would take much of even an empty cache is not worth it. */
    if (row == ROW_UNKNOWN && count < search->scratch->room / 64 && renew(search))
        row = state_get(search, previous, search->step.list, count);
    return row;
}

/* ---- Searching --------------------------------------------------------------------------------------- */

/* Goes on from COUNT nodes in the step's list. */
static bool walk_steps(struct regex_step *step, uint32_t count, unsigned previous, const uint8_t *data,
                       size_t size)
{
    for (size_t at = 0; count != STEP_MATCH && count != STEP_DEAD; at++) {
        uint32_t byte = at < size ? data[at] : REGEX_EOF;
        count = regex_step_over(step, step->list, count, previous, byte);
        previous = regex_context(byte);
    }
    return count == STEP_MATCH;
}

bool regex_nfa_match(const struct regex *regex, struct regex_scratch *scratch, const uint8_t *data,
                     size_t size)
{
    struct regex_step step;
    regex_step_init(&step, regex, scratch->work);
    return walk_steps(&step, regex_step_start(&step), CONTEXT_EDGE, data, size);
}

/* Past the bytes that do not change the state. */
static const uint8_t *skip_same(const uint32_t *row, uint32_t same, const uint8_t *class_of,
                                const uint8_t *at, const uint8_t *end)
{
    while (end - at >= 4) {
        uint32_t a = row[class_of[at[0]]] ^ same, b = row[class_of[at[1]]] ^ same;
        uint32_t c = row[class_of[at[2]]] ^ same, d = row[class_of[at[3]]] ^ same;
        if (a | b | c | d)
            break;
        at += 4;
    }
    while (at < end && row[class_of[*at]] == same)
        at++;
    return at;
}

/* The first state. ROW_UNKNOWN: *COUNT nodes in the step's list go on without a cache. */
static uint32_t first_row(struct search *search, uint32_t *count)
{
    search->dfa = dfa_get(search->regex, search->scratch);
    uint32_t row = search->dfa ? dfa_at(search->scratch, search->dfa)->start : ROW_UNKNOWN;
    if (row != ROW_UNKNOWN)
        return row;
    regex_step_init(&search->step, search->regex, search->scratch->work);
    *count = regex_step_start(&search->step);
    if (!search->dfa && !renew(search))
        return ROW_UNKNOWN;
    row = row_for(search, *count, CONTEXT_EDGE);
    dfa_at(search->scratch, search->dfa)->start = row;
    return row;
}

/* The transition over CLASS, worked out. ROW_UNKNOWN: *COUNT nodes in the step's list go on without a cache.
 */
static uint32_t learn(struct search *search, uint32_t row, uint32_t class, uint32_t *count)
{
    const struct regex *regex = search->regex;
    struct regex_scratch *scratch = search->scratch;
    const struct state *state = state_of(scratch, row);
    uint32_t byte = class == regex->classes ? REGEX_EOF : regex->byte_of[class];
    uint32_t flushes = scratch->flushes;
    regex_step_init(&search->step, regex, scratch->work);
    *count =
        regex_step_over(&search->step, state->row + regex->classes + 1, state->count, state->previous, byte);
    uint32_t next = row_for(search, *count, regex_context(byte));
    if (flushes == scratch->flushes) /* else the state is gone */
        row_at(scratch, row)[class] = next;
    return next;
}

bool regex_dfa_match(const struct regex *regex, struct regex_scratch *scratch, const uint8_t *data,
                     size_t size)
{
    struct search search = {.regex = regex, .scratch = scratch};
    const uint8_t *at = data, *end = data + size, *class_of = regex->class_of;
    unsigned previous = CONTEXT_EDGE;
    uint32_t count = 0, row = first_row(&search, &count);
    while (row > ROW_MATCH) {
        uint32_t class = at < end ? class_of[*at] : regex->classes, next = row_at(scratch, row)[class];
        if (next == row) {
            at = skip_same(row_at(scratch, row), row, class_of, at, end);
            continue;
        }
        if (next == ROW_UNKNOWN) {
            search.at = (size_t)(at - data);
            next = learn(&search, row, class, &count);
            previous = at < end ? regex_context(*at) : 0;
        }
        row = next;
        at += at < end;
    }
    scratch->scanned += (row == ROW_UNKNOWN ? size : (size_t)(at - data)) - search.counted;
    if (row != ROW_UNKNOWN)
        return row == ROW_MATCH;
    return walk_steps(&search.step, count, previous, at, (size_t)(end - at));
}
