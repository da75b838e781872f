/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /peers: what each certificate of a caller has done, the busiest first, and the sum of those beyond. */
#include <stdlib.h>
#include <string.h>

#include "sidecar/proxy/proxy_private.h"
#include "sidecar/proxy/tell.h"

/* A certificate that may be told of, and what they are sorted by. */
struct item {
    uint32_t slot, owner;
    uint64_t rank, events;
    int64_t seen;
};

struct peers {
    const struct proxy *proxy;
    struct json_write *json;
    const char *by;
    struct item *item;
    size_t count, room;
    bool failed;
};

static uint64_t rank_of(const char *by, const uint64_t count[LEDGER_COUNTS])
{
    if (strcmp(by, "connections") == 0)
        return count[LEDGER_CONNECTIONS];
    if (strcmp(by, "bytes") == 0)
        return count[LEDGER_RECEIVED] + count[LEDGER_SENT];
    if (strcmp(by, "refused") == 0)
        return count[LEDGER_REFUSED] + count[LEDGER_BLOCKED];
    return count[LEDGER_REQUESTS];
}

static void collect(void *arg, const struct ledger_view *view)
{
    struct peers *peers = arg;
    if (peers->count == peers->room) {
        size_t room = peers->room * 2 + 64;
        struct item *more = realloc(peers->item, room * sizeof *more);
        if (more == NULL) {
            peers->failed = true;
            return;
        }
        peers->item = more;
        peers->room = room;
    }
    peers->item[peers->count++] =
        (struct item){.slot = view->slot,
                      .owner = view->owner,
                      .rank = rank_of(peers->by, view->count),
                      .events = view->count[LEDGER_CONNECTIONS] + view->count[LEDGER_REQUESTS] +
                                view->count[LEDGER_REFUSED],
                      .seen = view->last_seen};
}

static int more_first(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? 1 : -1;
    if (x->events != y->events)
        return x->events < y->events ? 1 : -1;
    return (x->seen < y->seen) - (x->seen > y->seen);
}

static void counts(struct json_write *json, const uint64_t count[LEDGER_COUNTS])
{
    json_number(json, "connections", count[LEDGER_CONNECTIONS]);
    json_number(json, "open", ledger_open(count));
    json_number(json, "requests", count[LEDGER_REQUESTS]);
    json_number(json, "bytes_in", count[LEDGER_RECEIVED]);
    json_number(json, "bytes_out", count[LEDGER_SENT]);
    json_number(json, "blocked", count[LEDGER_BLOCKED]);
    json_number(json, "refused", count[LEDGER_REFUSED]);
}

static bool is_quarantined(const struct proxy *p, const uint8_t fingerprint[32])
{
    const struct proxy_policy *policy = p->config->policy;
    for (size_t i = 0; p->shared.quarantine && i < policy->config->quarantine_count; i++) {
        if (quarantine_left(p->shared.quarantine, &policy->quarantine[i].rule, fingerprint,
                            uv_now(&p->loop)) != 0)
            return true;
    }
    return false;
}

static void tell_one(void *arg, const struct ledger_view *view)
{
    const struct peers *peers = arg;
    struct json_write *json = peers->json;
    json_object(json, NULL);
    json_ready(json, NULL, view->identity.certificate, strlen(view->identity.certificate));
    json_bool(json, "verified", view->verified);
    json_text(json, "last_inbound", *view->section ? view->section : NULL);
    counts(json, view->count);
    json_signed(json, "first_seen_at", view->first_seen);
    json_signed(json, "last_seen_at", view->last_seen);
    json_text(json, "last_reason", *view->reason ? view->reason : NULL);
    json_bool(json, "quarantined", is_quarantined(peers->proxy, view->identity.fingerprint));
    json_number(json, "error_at_most", view->missed);
    json_object_end(json);
}

static void add_up(void *arg, const struct ledger_view *view)
{
    uint64_t *sum = arg;
    for (int c = 0; c < LEDGER_COUNTS; c++)
        sum[c] += view->count[c];
}

bool tell_peers(const struct proxy *p, struct json_write *json, size_t top, const char *by)
{
    struct ledger *ledger = p->shared.ledger;
    struct ledger_stats stats = ledger_stats(ledger);
    struct peers peers = {.proxy = p, .json = json, .by = by};
    uint64_t others[LEDGER_COUNTS], fresh[LEDGER_COUNTS];
    ledger_each(ledger, false, collect, &peers);
    ledger_others(ledger, false, others, fresh);
    if (peers.count != 0)
        qsort(peers.item, peers.count, sizeof *peers.item, more_first);
    json_number(json, "capacity", stats.capacity + stats.stranger_capacity);
    json_number(json, "tracked", stats.tracked + stats.strangers);
    json_array(json, "peers");
    for (size_t i = 0; i < peers.count && i < top; i++)
        (void)ledger_look(ledger, peers.item[i].slot, peers.item[i].owner, tell_one, &peers);
    json_array_end(json);
    for (size_t i = top; i < peers.count; i++)
        (void)ledger_look(ledger, peers.item[i].slot, peers.item[i].owner, add_up, others);
    json_object(json, "others");
    json_null(json, "sha256");
    counts(json, others);
    json_object_end(json);
    free(peers.item);
    return !peers.failed;
}
