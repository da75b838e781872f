/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/admin/ledger.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_LEAST = 16, NONE = 0 };

/* One worker's counts for one slot. They only grow: a new owner of the slot begins at what it finds. */
struct counts {
    uint64_t count[LEDGER_COUNTS];
    int64_t seen;
};

struct slot {
    uint8_t fingerprint[32];
    uint32_t next;   /* in the chain of its hash */
    uint32_t place;  /* in the heap of its set */
    uint64_t weight; /* at least as long ago as the heap was looked at: it never shrinks */
    uint64_t missed;
    uint64_t base[LEDGER_COUNTS];  /* of the sum of all workers, when the owner came */
    uint64_t taken[LEDGER_COUNTS]; /* of what the owner counted */
    char *text;                    /* all that follow, in one allocation */
    struct ledger_identity identity;
    int64_t first_seen;
    char section[LEDGER_SECTION];
    char reason[LEDGER_REASON];
};

/* Slots FIRST .. FIRST + ROOM - 1; the heap has the one with the least weight at its top. */
struct set {
    uint32_t first, room, used;
    uint32_t *heap, *chain;
    uint32_t mask;
};

struct ledger {
    pthread_mutex_t lock;
    unsigned workers;
    size_t slots;           /* and slot 0, of those without one */
    struct slot **slot;     /* made when first used, then kept */
    uint32_t *owner;        /* atomic */
    struct counts **counts; /* by worker and slot; NULL until the first certificate comes */
    struct set known, strangers;
    uint64_t gone[LEDGER_COUNTS];  /* what former owners counted */
    uint64_t taken[LEDGER_COUNTS]; /* of the others' sum */
    size_t text_bytes;
};

static uint64_t load(const uint64_t *at)
{
    return __atomic_load_n(at, __ATOMIC_RELAXED);
}

static bool set_init(struct set *set, uint32_t first, size_t room)
{
    uint32_t chains = 16;
    while (chains < room)
        chains *= 2;
    *set = (struct set){.first = first, .room = (uint32_t)room, .mask = chains - 1};
    set->heap = calloc(room, sizeof *set->heap);
    set->chain = calloc(chains, sizeof *set->chain);
    return set->heap && set->chain;
}

struct ledger *ledger_new(size_t capacity, unsigned workers)
{
    struct ledger *l = calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    if (capacity < CAPACITY_LEAST)
        capacity = CAPACITY_LEAST;
    size_t strangers = capacity / 4 < CAPACITY_LEAST ? CAPACITY_LEAST : capacity / 4;
    (void)pthread_mutex_init(&l->lock, NULL);
    l->slots = capacity + strangers;
    l->slot = calloc(l->slots + 1, sizeof(struct slot *));
    l->owner = calloc(l->slots + 1, sizeof *l->owner);
    l->counts = calloc(workers, sizeof(struct counts *));
    l->workers = workers;
    bool good = l->slot && l->owner && l->counts && set_init(&l->known, 1, capacity) &&
                set_init(&l->strangers, (uint32_t)capacity + 1, strangers);
    if (good)
        return l;
    ledger_free(l);
    return NULL;
}

static void set_clear(struct set *set)
{
    free(set->heap);
    free(set->chain);
}

void ledger_free(struct ledger *l)
{
    if (l == NULL)
        return;
    for (size_t i = 0; l->slot && i <= l->slots; i++) {
        if (l->slot[i])
            free(l->slot[i]->text);
        free(l->slot[i]);
    }
    for (unsigned i = 0; l->counts && i < l->workers; i++)
        free(l->counts[i]);
    set_clear(&l->known);
    set_clear(&l->strangers);
    free(l->slot);
    free(l->owner);
    free(l->counts);
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
}

static uint64_t sum_of(const struct ledger *l, uint32_t number, enum ledger_count what)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < l->workers; i++)
        sum += l->counts[i] ? load(&l->counts[i][number].count[what]) : 0;
    return sum;
}

/* Room for counts, which a sidecar that nobody calls does without. Who counts has had a ticket by then. */
static bool make_room(struct ledger *l)
{
    bool good = true;
    for (unsigned i = 0; good && i < l->workers; i++) {
        if (l->counts[i] == NULL)
            l->counts[i] = calloc(l->slots + 1, sizeof(struct counts));
        good = l->counts[i] != NULL;
    }
    return good;
}

/* Since the owner came. */
static uint64_t owned(const struct ledger *l, uint32_t number, enum ledger_count what)
{
    uint64_t sum = sum_of(l, number, what);
    return sum - __atomic_load_n(&l->slot[number]->base[what], __ATOMIC_ACQUIRE);
}

/* --- the heap: weights in it may be old, and the top is brought up to date before it is believed --- */

static void place(struct ledger *l, struct set *set, uint32_t at, uint32_t number)
{
    set->heap[at] = number;
    l->slot[number]->place = at;
}

static uint64_t weight_at(const struct ledger *l, const struct set *set, uint32_t at)
{
    return l->slot[set->heap[at]]->weight;
}

static void sink(struct ledger *l, struct set *set, uint32_t at)
{
    uint32_t number = set->heap[at];
    uint64_t weight = l->slot[number]->weight;
    for (uint32_t child = at * 2 + 1; child < set->used; child = at * 2 + 1) {
        if (child + 1 < set->used && weight_at(l, set, child + 1) < weight_at(l, set, child))
            child++;
        if (weight <= weight_at(l, set, child))
            break;
        place(l, set, at, set->heap[child]);
        at = child;
    }
    place(l, set, at, number);
}

static void rise(struct ledger *l, struct set *set, uint32_t at)
{
    uint32_t number = set->heap[at];
    uint64_t weight = l->slot[number]->weight;
    while (at > 0 && weight < weight_at(l, set, (at - 1) / 2)) {
        place(l, set, at, set->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(l, set, at, number);
}

static uint64_t weigh(const struct ledger *l, uint32_t number)
{
    return l->slot[number]->missed + owned(l, number, LEDGER_CONNECTIONS) +
           owned(l, number, LEDGER_REQUESTS) + owned(l, number, LEDGER_REFUSED);
}

/* The slot that counted least. */
static uint32_t least(struct ledger *l, struct set *set)
{
    for (;;) {
        struct slot *top = l->slot[set->heap[0]];
        uint64_t weight = weigh(l, set->heap[0]);
        if (weight == top->weight)
            return set->heap[0];
        top->weight = weight;
        sink(l, set, 0);
    }
}

/* --- slots --- */

static uint32_t *chain_of(const struct set *set, const uint8_t *fingerprint)
{
    uint32_t hash;
    memcpy(&hash, fingerprint, sizeof hash);
    return &set->chain[hash & set->mask];
}

static uint32_t find(const struct ledger *l, const struct set *set, const uint8_t *fingerprint)
{
    uint32_t number = *chain_of(set, fingerprint);
    while (number != NONE && memcmp(l->slot[number]->fingerprint, fingerprint, 32) != 0)
        number = l->slot[number]->next;
    return number;
}

static void unlink_slot(struct ledger *l, struct set *set, uint32_t number)
{
    uint32_t *link = chain_of(set, l->slot[number]->fingerprint);
    while (*link != number)
        link = &l->slot[*link]->next;
    *link = l->slot[number]->next;
}

static const char *copied(char **to, const char *from)
{
    size_t size = strlen(from) + 1;
    const char *copy = memcpy(*to, from, size);
    *to += size;
    return copy;
}

static size_t text_size(const struct ledger_identity *i)
{
    return strlen(i->name) + strlen(i->certificate) + 2;
}

/* Takes TEXT over, with room for all of IDENTITY. */
static void settle(struct slot *slot, const struct ledger_identity *identity, char *text)
{
    struct ledger_identity *own = &slot->identity;
    slot->text = text;
    memcpy(slot->fingerprint, identity->fingerprint, sizeof slot->fingerprint);
    own->fingerprint = slot->fingerprint;
    own->name = copied(&text, identity->name);
    own->certificate = copied(&text, identity->certificate);
    slot->section[0] = slot->reason[0] = '\0';
}

/*
 * A slot changes hands: what its owner counted goes to the others, what nobody has taken yet included, and
 * the next one begins from there.
 */
static void change_hands(struct ledger *l, uint32_t number)
{
    struct slot *slot = l->slot[number];
    /* Odd meanwhile; who sees a new base sees that, too: ledger_sum(). */
    __atomic_store_n(&l->owner[number], l->owner[number] + 1, __ATOMIC_RELAXED);
    for (int c = 0; c < LEDGER_COUNTS; c++) {
        uint64_t sum = sum_of(l, number, c);
        l->gone[c] += sum - slot->base[c];
        l->taken[c] += slot->taken[c];
        __atomic_store_n(&slot->base[c], sum, __ATOMIC_RELEASE);
        slot->taken[c] = 0;
    }
}

static void forget(struct ledger *l, struct set *set, uint32_t number)
{
    struct slot *slot = l->slot[number];
    unlink_slot(l, set, number);
    l->text_bytes -= text_size(&slot->identity);
    free(slot->text);
    slot->text = NULL;
}

/* A slot without an owner, its weight that of the last one; NONE: out of memory. */
static uint32_t free_slot(struct ledger *l, struct set *set)
{
    if (set->used == set->room) {
        uint32_t number = least(l, set);
        l->slot[number]->missed = l->slot[number]->weight;
        forget(l, set, number);
        return number;
    }
    uint32_t number = set->first + set->used;
    if (l->slot[number] == NULL)
        l->slot[number] = calloc(1, sizeof *l->slot[number]);
    if (l->slot[number] == NULL)
        return NONE;
    l->slot[number]->missed = l->slot[number]->weight = 0;
    place(l, set, set->used++, number);
    rise(l, set, l->slot[number]->place);
    return number;
}

static uint32_t make_slot(struct ledger *l, struct set *set, const struct ledger_identity *identity,
                          int64_t now)
{
    size_t size = text_size(identity);
    char *text = make_room(l) ? malloc(size) : NULL;
    uint32_t number = text ? free_slot(l, set) : NONE;
    if (number == NONE) {
        free(text);
        return NONE;
    }
    struct slot *slot = l->slot[number];
    change_hands(l, number);
    settle(slot, identity, text);
    l->text_bytes += size;
    slot->first_seen = now;
    uint32_t *chain = chain_of(set, identity->fingerprint);
    slot->next = *chain;
    *chain = number;
    __atomic_store_n(&l->owner[number], l->owner[number] + 1, __ATOMIC_RELEASE);
    return number;
}

/* --- by workers --- */

static bool give_ticket(const struct ledger *l, uint32_t number, struct ledger_ticket *ticket)
{
    ticket->slot = number;
    ticket->owner = number != NONE ? l->owner[number] : 0;
    return number != NONE;
}

bool ledger_find(struct ledger *l, const uint8_t fingerprint[32], bool verified, struct ledger_ticket *ticket)
{
    (void)pthread_mutex_lock(&l->lock);
    uint32_t number = find(l, &l->known, fingerprint);
    if (number == NONE && !verified)
        number = find(l, &l->strangers, fingerprint);
    bool found = give_ticket(l, number, ticket);
    (void)pthread_mutex_unlock(&l->lock);
    return found;
}

bool ledger_enter(struct ledger *l, const struct ledger_identity *identity, bool verified, int64_t now,
                  struct ledger_ticket *ticket)
{
    (void)pthread_mutex_lock(&l->lock);
    uint32_t number = find(l, &l->known, identity->fingerprint);
    if (number == NONE && !verified)
        number = find(l, &l->strangers, identity->fingerprint);
    if (number == NONE)
        number = make_slot(l, verified ? &l->known : &l->strangers, identity, now);
    bool good = give_ticket(l, number, ticket);
    (void)pthread_mutex_unlock(&l->lock);
    return good;
}

bool ledger_holds(const struct ledger *l, const struct ledger_ticket *ticket)
{
    return ticket->slot != NONE &&
           __atomic_load_n(&l->owner[ticket->slot], __ATOMIC_ACQUIRE) == ticket->owner;
}

/*
 * Between the look at the ticket and the count the slot may change hands: one event then goes to the wrong
 * one. No count is ever set back, so nothing worse can happen.
 */
void ledger_add(struct ledger *l, unsigned worker, const struct ledger_ticket *ticket, enum ledger_count what,
                uint64_t n)
{
    struct counts *counts = l->counts[worker];
    if (counts == NULL) /* memory ran out before there was a ticket */
        return;
    uint64_t *count = &counts[ledger_holds(l, ticket) ? ticket->slot : NONE].count[what];
    __atomic_store_n(count, *count + n, __ATOMIC_RELAXED);
}

void ledger_seen(struct ledger *l, unsigned worker, const struct ledger_ticket *ticket, int64_t now)
{
    if (ledger_holds(l, ticket))
        __atomic_store_n(&l->counts[worker][ticket->slot].seen, now, __ATOMIC_RELAXED);
}

uint64_t ledger_sum(const struct ledger *l, const struct ledger_ticket *ticket, enum ledger_count what)
{
    uint64_t sum = ledger_holds(l, ticket) ? owned(l, ticket->slot, what) : 0;
    return ledger_holds(l, ticket) ? sum : 0;
}

static void keep_text(char *to, size_t size, const char *from)
{
    if (from && strncmp(to, from, size - 1) != 0) {
        size_t n = strnlen(from, size - 1);
        memcpy(to, from, n);
        to[n] = '\0';
    }
}

void ledger_note(struct ledger *l, const struct ledger_ticket *ticket, const char *section,
                 const char *reason)
{
    (void)pthread_mutex_lock(&l->lock);
    if (ledger_holds(l, ticket)) {
        keep_text(l->slot[ticket->slot]->section, LEDGER_SECTION, section);
        keep_text(l->slot[ticket->slot]->reason, LEDGER_REASON, reason);
    }
    (void)pthread_mutex_unlock(&l->lock);
}

/* --- reading --- */

static void fill_view(struct ledger *l, uint32_t number, bool take, struct ledger_view *view)
{
    struct slot *slot = l->slot[number];
    *view = (struct ledger_view){.slot = number,
                                 .owner = l->owner[number],
                                 .verified = number < l->strangers.first,
                                 .identity = slot->identity,
                                 .first_seen = slot->first_seen,
                                 .last_seen = slot->first_seen,
                                 .section = slot->section,
                                 .reason = slot->reason,
                                 .missed = slot->missed};
    for (unsigned i = 0; i < l->workers; i++) {
        int64_t seen = __atomic_load_n(&l->counts[i][number].seen, __ATOMIC_RELAXED);
        if (seen > view->last_seen)
            view->last_seen = seen;
    }
    for (int c = 0; c < LEDGER_COUNTS; c++) {
        view->count[c] = owned(l, number, c);
        view->fresh[c] = view->count[c] - slot->taken[c];
        if (take)
            slot->taken[c] = view->count[c];
    }
}

static bool in_use(const struct ledger *l, uint32_t number)
{
    const struct set *set = number < l->strangers.first ? &l->known : &l->strangers;
    return number - set->first < set->used && l->slot[number]->text != NULL;
}

void ledger_each(struct ledger *l, bool take, void (*see)(void *arg, const struct ledger_view *view),
                 void *arg)
{
    for (uint32_t number = 1; number <= l->slots; number++) {
        struct ledger_view view;
        (void)pthread_mutex_lock(&l->lock);
        if (in_use(l, number)) {
            fill_view(l, number, take, &view);
            see(arg, &view);
        } else if (number < l->strangers.first) {
            number = l->strangers.first - 1; /* slots are used in order */
        } else {
            number = (uint32_t)l->slots;
        }
        (void)pthread_mutex_unlock(&l->lock);
    }
}

bool ledger_look(struct ledger *l, uint32_t slot, uint32_t owner,
                 void (*see)(void *arg, const struct ledger_view *view), void *arg)
{
    struct ledger_view view;
    (void)pthread_mutex_lock(&l->lock);
    bool there = slot != NONE && slot <= l->slots && in_use(l, slot) && l->owner[slot] == owner;
    if (there) {
        fill_view(l, slot, false, &view);
        see(arg, &view);
    }
    (void)pthread_mutex_unlock(&l->lock);
    return there;
}

void ledger_others(struct ledger *l, bool take, uint64_t count[LEDGER_COUNTS], uint64_t fresh[LEDGER_COUNTS])
{
    (void)pthread_mutex_lock(&l->lock);
    for (int c = 0; c < LEDGER_COUNTS; c++) {
        count[c] = sum_of(l, NONE, c) + l->gone[c];
        fresh[c] = count[c] - l->taken[c];
        if (take)
            l->taken[c] = count[c];
    }
    (void)pthread_mutex_unlock(&l->lock);
}

struct ledger_stats ledger_stats(struct ledger *l)
{
    struct ledger_stats stats = {.capacity = l->known.room, .stranger_capacity = l->strangers.room};
    (void)pthread_mutex_lock(&l->lock);
    stats.tracked = l->known.used;
    stats.strangers = l->strangers.used;
    stats.memory = sizeof *l + l->text_bytes +
                   (stats.tracked + stats.strangers) *
                       (sizeof(struct slot) + l->workers * sizeof(struct counts) + 4 * sizeof(uint32_t));
    (void)pthread_mutex_unlock(&l->lock);
    return stats;
}
