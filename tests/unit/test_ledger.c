/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ledger: whom it keeps, how far its counts can be off, and that none is lost, with several threads too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "sidecar/admin/ledger.h"

static void fingerprint_of(unsigned id, uint8_t out[32])
{
    memset(out, 0, 32);
    /* Many share a chain. */
    out[0] = (uint8_t)(id % 7);
    memcpy(out + 8, &id, sizeof id);
}

static unsigned id_of(const uint8_t *fingerprint)
{
    unsigned id;
    memcpy(&id, fingerprint + 8, sizeof id);
    return id;
}

static struct ledger_ticket enter(struct ledger *l, unsigned id, bool verified)
{
    uint8_t fingerprint[32];
    char name[32];
    struct ledger_ticket t = {0};
    fingerprint_of(id, fingerprint);
    if (ledger_find(l, fingerprint, verified, &t))
        return t;
    (void)snprintf(name, sizeof name, "caller %u", id);
    struct ledger_identity identity = {
        .fingerprint = fingerprint, .name = name, .certificate = "a certificate"};
    assert_true(ledger_enter(l, &identity, verified, 100 + id, &t));
    return t;
}

struct seen {
    unsigned count;
    uint64_t sum[LEDGER_COUNTS], fresh[LEDGER_COUNTS];
    struct ledger_view last; /* its texts are gone */
    unsigned wanted;         /* LAST is of this one */
    uint64_t shown[4096], missed[4096];
    bool there[4096];
};

static void see(void *arg, const struct ledger_view *view)
{
    struct seen *s = arg;
    unsigned id = id_of(view->identity.fingerprint);
    s->count++;
    for (int c = 0; c < LEDGER_COUNTS; c++) {
        s->sum[c] += view->count[c];
        s->fresh[c] += view->fresh[c];
    }
    if (id == s->wanted)
        s->last = *view;
    if (id < 4096) {
        s->there[id] = true;
        s->shown[id] =
            view->count[LEDGER_CONNECTIONS] + view->count[LEDGER_REQUESTS] + view->count[LEDGER_REFUSED];
        s->missed[id] = view->missed;
    }
}

static struct seen *look(struct ledger *l, bool take, unsigned wanted)
{
    static struct seen s;
    memset(&s, 0, sizeof s);
    s.wanted = wanted;
    ledger_each(l, take, see, &s);
    return &s;
}

static void counts_are_exact_while_there_is_room(void **state)
{
    struct ledger *l = ledger_new(16, 2);
    struct ledger_ticket a = enter(l, 1, true), b = enter(l, 2, true), again = enter(l, 1, true);
    (void)state;
    assert_int_equal(a.slot, again.slot);
    assert_int_not_equal(a.slot, b.slot);
    ledger_add(l, 0, &a, LEDGER_CONNECTIONS, 1);
    ledger_add(l, 1, &a, LEDGER_CONNECTIONS, 1);
    ledger_add(l, 1, &a, LEDGER_RECEIVED, 70);
    ledger_add(l, 0, &b, LEDGER_REQUESTS, 5);
    ledger_seen(l, 1, &a, 500);
    ledger_note(l, &a, "web", "rule no-admin refuses");
    assert_int_equal(ledger_sum(l, &a, LEDGER_CONNECTIONS), 2);
    assert_int_equal(ledger_sum(l, &b, LEDGER_REQUESTS), 5);
    struct seen *s = look(l, false, 1);
    assert_int_equal(s->count, 2);
    assert_int_equal(s->last.count[LEDGER_CONNECTIONS], 2);
    assert_int_equal(s->last.count[LEDGER_RECEIVED], 70);
    assert_int_equal(s->last.first_seen, 101);
    assert_int_equal(s->last.last_seen, 500);
    assert_true(s->last.verified);
    assert_int_equal(s->last.missed, 0);
    struct ledger_stats stats = ledger_stats(l);
    assert_int_equal(stats.capacity, 16);
    assert_int_equal(stats.tracked, 2);
    assert_int_equal(stats.strangers, 0);
    assert_true(stats.memory > 0);
    ledger_free(l);
}

static void the_one_that_counted_least_gives_way(void **state)
{
    struct ledger *l = ledger_new(16, 1);
    struct ledger_ticket t[17];
    uint64_t count[LEDGER_COUNTS], fresh[LEDGER_COUNTS];
    (void)state;
    for (unsigned i = 0; i < 16; i++) {
        t[i] = enter(l, i, true);
        ledger_add(l, 0, &t[i], LEDGER_CONNECTIONS, i == 5 ? 3 : 10 + i);
    }
    t[16] = enter(l, 16, true);
    ledger_add(l, 0, &t[16], LEDGER_CONNECTIONS, 1);
    assert_false(ledger_holds(l, &t[5]));
    for (unsigned i = 0; i < 17; i++)
        assert_true(i == 5 || ledger_holds(l, &t[i]));
    assert_int_equal(ledger_sum(l, &t[5], LEDGER_CONNECTIONS), 0);
    struct seen *s = look(l, false, 16);
    assert_int_equal(s->last.count[LEDGER_CONNECTIONS], 1);
    assert_int_equal(s->last.missed, 3);
    /* What the former owner had, and what its void ticket counts, is the others'. */
    ledger_add(l, 0, &t[5], LEDGER_CLOSED, 1);
    ledger_others(l, false, count, fresh);
    assert_int_equal(count[LEDGER_CONNECTIONS], 3);
    assert_int_equal(count[LEDGER_CLOSED], 1);
    assert_int_equal(ledger_sum(l, &t[16], LEDGER_CLOSED), 0);
    /* It comes back: the newcomer, least of all with what it may have missed, gives way in turn. */
    t[5] = enter(l, 5, true);
    assert_false(ledger_holds(l, &t[16]));
    assert_int_equal(look(l, false, 5)->last.missed, 4);
    ledger_free(l);
}

static void strangers_do_not_push_out_the_known(void **state)
{
    struct ledger *l = ledger_new(64, 1);
    struct ledger_ticket known = enter(l, 0, true), stranger;
    (void)state;
    for (unsigned i = 1; i < 2000; i++) {
        stranger = enter(l, i, false);
        ledger_add(l, 0, &stranger, LEDGER_REFUSED, 1);
    }
    assert_true(ledger_holds(l, &known));
    assert_int_equal(ledger_stats(l).tracked, 1);
    assert_int_equal(ledger_stats(l).strangers, 16);
    /* A known one that is refused later is still found where it was; a stranger verified later moves. */
    assert_int_equal(enter(l, 0, false).slot, known.slot);
    struct ledger_ticket moved = enter(l, 1999, true);
    assert_int_not_equal(moved.slot, stranger.slot);
    assert_int_equal(enter(l, 1999, false).slot, moved.slot);
    ledger_free(l);
}

/* Space-saving's two promises, on a skewed stream; and that every event is in some sum. */
static void who_causes_many_events_is_kept_and_errors_are_bounded(void **state)
{
    enum { ROOM = 40, IDS = 3000, EVENTS = 60000 };
    static uint64_t truth[4096];
    uint64_t taken[LEDGER_COUNTS] = {0}, count[LEDGER_COUNTS], fresh[LEDGER_COUNTS];
    struct ledger *l = ledger_new(ROOM, 3);
    (void)state;
    memset(truth, 0, sizeof truth);
    srand(7);
    for (unsigned i = 0; i < EVENTS; i++) {
        unsigned r = (unsigned)rand() % 1000, id = r < 600 ? r % 12 : (unsigned)rand() % IDS;
        struct ledger_ticket t = enter(l, id, true);
        ledger_add(l, i % 3, &t, i % 5 ? LEDGER_REQUESTS : LEDGER_CONNECTIONS, 1);
        truth[id]++;
        if (i % 777 == 0) {
            struct seen *s = look(l, true, 0);
            ledger_others(l, true, count, fresh);
            for (int c = 0; c < LEDGER_COUNTS; c++)
                taken[c] += s->fresh[c] + fresh[c];
        }
    }
    struct seen *s = look(l, true, 0);
    ledger_others(l, true, count, fresh);
    assert_int_equal(s->count, ROOM);
    assert_int_equal(s->sum[LEDGER_REQUESTS] + s->sum[LEDGER_CONNECTIONS] + count[LEDGER_REQUESTS] +
                         count[LEDGER_CONNECTIONS],
                     EVENTS);
    assert_int_equal(taken[LEDGER_REQUESTS] + taken[LEDGER_CONNECTIONS] + s->fresh[LEDGER_REQUESTS] +
                         s->fresh[LEDGER_CONNECTIONS] + fresh[LEDGER_REQUESTS] + fresh[LEDGER_CONNECTIONS],
                     EVENTS);
    for (unsigned id = 0; id < IDS; id++) {
        if (truth[id] > EVENTS / ROOM)
            assert_true(s->there[id]);
        if (s->there[id]) {
            assert_true(s->shown[id] <= truth[id]);
            assert_true(truth[id] <= s->shown[id] + s->missed[id]);
            assert_true(s->missed[id] <= EVENTS / ROOM);
        }
    }
    ledger_free(l);
}

static void long_texts_are_cut(void **state)
{
    struct ledger *l = ledger_new(16, 1);
    struct ledger_ticket t = enter(l, 1, true);
    char longer[400];
    (void)state;
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    ledger_note(l, &t, longer, longer);
    ledger_note(l, &t, NULL, longer);
    (void)look(l, false, 1);
    ledger_free(l);
}

static void check_texts(void *arg, const struct ledger_view *view)
{
    (void)arg;
    assert_string_equal(view->identity.name, "caller 1");
    assert_string_equal(view->identity.certificate, "a certificate");
    assert_string_equal(view->section, "web");
    assert_string_equal(view->reason, "because");
}

/* One that began and ended while the two were summed: nobody is told of 2^64 - 1 open ones. */
static void open_ones_are_never_fewer_than_none(void **state)
{
    uint64_t count[LEDGER_COUNTS] = {[LEDGER_OPENED] = 7, [LEDGER_CLOSED] = 5};
    (void)state;
    assert_int_equal(ledger_open(count), 2);
    count[LEDGER_CLOSED] = 8;
    assert_int_equal(ledger_open(count), 0);
}

static void one_can_be_looked_at(void **state)
{
    struct ledger *l = ledger_new(16, 1);
    struct ledger_ticket t = enter(l, 1, true);
    (void)state;
    ledger_note(l, &t, "web", "because");
    assert_true(ledger_look(l, t.slot, t.owner, check_texts, NULL));
    assert_false(ledger_look(l, t.slot, t.owner + 2, check_texts, NULL));
    assert_false(ledger_look(l, t.slot + 1, t.owner, check_texts, NULL));
    assert_false(ledger_look(l, 0, 0, check_texts, NULL));
    assert_false(ledger_look(l, 100000, 0, check_texts, NULL));
    ledger_free(l);
}

/* --- threads --- */

enum { THREADS = 4, ROUNDS = 20000 };

struct thread {
    pthread_t id;
    struct ledger *ledger;
    unsigned number;
};

static void *work(void *arg)
{
    struct thread *me = arg;
    unsigned random = me->number + 1;
    for (unsigned i = 0; i < ROUNDS; i++) {
        random = random * 1103515245 + 12345;
        struct ledger_ticket t = enter(me->ledger, (random >> 16) % 60, (random >> 8) % 4 != 0);
        ledger_add(me->ledger, me->number, &t, LEDGER_CONNECTIONS, 1);
        for (int k = 0; k < 3; k++)
            ledger_add(me->ledger, me->number, &t, LEDGER_REQUESTS, 1);
        /* A sum never goes wild, whoever takes the slot meanwhile. */
        assert_true(ledger_sum(me->ledger, &t, LEDGER_REQUESTS) <= (uint64_t)THREADS * ROUNDS * 3);
        ledger_seen(me->ledger, me->number, &t, i);
        if (i % 64 == 0)
            ledger_note(me->ledger, &t, "web", "why");
    }
    return NULL;
}

static void nothing_is_lost_among_threads(void **state)
{
    struct ledger *l = ledger_new(16, THREADS);
    struct thread thread[THREADS];
    uint64_t count[LEDGER_COUNTS], fresh[LEDGER_COUNTS];
    (void)state;
    for (unsigned i = 0; i < THREADS; i++) {
        thread[i] = (struct thread){.ledger = l, .number = i};
        assert_int_equal(pthread_create(&thread[i].id, NULL, work, &thread[i]), 0);
    }
    for (int i = 0; i < 50; i++) {
        (void)look(l, true, 0);
        ledger_others(l, true, count, fresh);
    }
    for (unsigned i = 0; i < THREADS; i++)
        (void)pthread_join(thread[i].id, NULL);
    struct seen *s = look(l, false, 0);
    ledger_others(l, false, count, fresh);
    assert_int_equal(s->sum[LEDGER_CONNECTIONS] + count[LEDGER_CONNECTIONS], THREADS * ROUNDS);
    assert_int_equal(s->sum[LEDGER_REQUESTS] + count[LEDGER_REQUESTS], THREADS * ROUNDS * 3);
    ledger_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_exact_while_there_is_room),
        cmocka_unit_test(the_one_that_counted_least_gives_way),
        cmocka_unit_test(strangers_do_not_push_out_the_known),
        cmocka_unit_test(who_causes_many_events_is_kept_and_errors_are_bounded),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(open_ones_are_never_fewer_than_none),
        cmocka_unit_test(one_can_be_looked_at),
        cmocka_unit_test(nothing_is_lost_among_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
