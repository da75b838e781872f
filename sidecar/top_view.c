/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/top_view.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sidecar/top_text.h"

enum { NAME_MAX_SIZE = 512, COLUMNS_MAX = 10, ROOM_TO_WRAP = 8, ROOM_TO_WARN = 3, PLAIN_EVENTS = 20 };

const char *const top_sort_name[TOP_SORTS] = {"requests", "connections", "bytes", "refused"};

static const char bold[] = "\x1b[1m", dim[] = "\x1b[2m", red[] = "\x1b[31m", yellow[] = "\x1b[33m",
                  green[] = "\x1b[32m", turned[] = "\x1b[7m", none[] = "";

/* --- figures --- */

/* The sum of a family over the lines whose labels have LABEL. */
static double count_of(const struct json_node *status, const char *family, const char *label)
{
    const struct json_node *lines = json_get(json_get(status, "counters"), family);
    double sum = 0;
    for (const struct json_node *n = lines ? lines->child : NULL; n; n = n->next) {
        if (strstr(n->key, label))
            sum += n->number;
    }
    return sum;
}

void top_counts_take(const struct json_node *status, struct top_counts *c)
{
    *c = (struct top_counts){
        .at = json_number_of(status, "now_ms") / 1000,
        .started_at = json_number_of(status, "started_at"),
        .requests = count_of(status, "requests_total", ""),
        .errors4 = count_of(status, "requests_total", "code=\"4"),
        .errors5 = count_of(status, "requests_total", "code=\"5"),
        .handshakes = count_of(status, "handshakes_total", "result=\"ok\""),
        .failed = count_of(status, "handshakes_total", "result=\"failed\""),
        .in = count_of(status, "bytes_total", "from=\"client\""),
        .out = count_of(status, "bytes_total", "from=\"service\""),
    };
}

/* --- names --- */

static const char *san_of(const struct json_node *cert, const char *kind)
{
    size_t n = strlen(kind);
    for (const struct json_node *san = json_items_of(cert, "sans"); san; san = san->next) {
        if (strncmp(san->text, kind, n) == 0)
            return san->text;
    }
    return NULL;
}

/* The first CN of a subject as text, with its "CN=". */
static bool common_name(const char *subject, char *out, size_t size)
{
    const char *p = subject;
    while ((p = strstr(p, "CN=")) != NULL && p != subject && !strchr(",/+ ", p[-1]))
        p += 3;
    if (p == NULL)
        return false;
    size_t n = 0;
    while (p[n] && p[n] != ',' && p[n] != '+')
        n += p[n] == '\\' && p[n + 1] ? 2 : 1;
    (void)snprintf(out, size, "%.*s", (int)n, p);
    return true;
}

void top_view_name(const struct json_node *cert, const char *domain, char *out, size_t size)
{
    const char *uri = san_of(cert, "URI:"), *subject = json_text_of(cert, "subject"),
               *dns = san_of(cert, "DNS:");
    size_t n = strlen(domain);
    if (uri)
        (void)snprintf(out, size, "%s", n && strncmp(uri + 4, domain, n) == 0 ? uri + 4 + n : uri + 4);
    else if (!common_name(subject, out, size))
        (void)snprintf(out, size, "%.*s", dns || *subject ? (int)size : 16,
                       dns        ? dns
                       : *subject ? subject
                                  : json_text_of(cert, "sha256"));
    if (*out == '\0')
        (void)snprintf(out, size, "-");
}

/* "spiffe://DOMAIN" of the own name, or "". */
static void own_domain(const struct json_node *own, char *out, size_t size)
{
    const char *uri = san_of(own, "URI:spiffe://");
    const char *end = uri ? strchr(uri + 13, '/') : NULL;
    (void)snprintf(out, size, "%.*s", end ? (int)(end - uri - 4) : 0, end ? uri + 4 : "");
}

/* --- lines --- */

struct page {
    const struct top_view *view;
    struct rules_buffer *out;
    unsigned lines; /* drawn */
    size_t cells;   /* used of the line that is open */
};

/* A piece of the line, at most what is left of it. CELLS 0: as wide as it is. */
static void piece(struct page *p, const char *style, const char *text, size_t cells, bool right)
{
    size_t left = p->view->width - p->cells, want = cells ? cells : top_text_cells(text);
    if (want > left)
        want = left;
    if (want == 0)
        return;
    bool styled = *style && !p->view->plain;
    if (styled)
        rules_buffer_text(p->out, style);
    top_text_put(p->out, text, want, right);
    if (styled)
        rules_buffer_text(p->out, "\x1b[0m");
    p->cells += want;
}

static void end_line(struct page *p)
{
    if (!p->view->plain)
        top_text_put(p->out, "", p->view->width - p->cells, false);
    while (p->view->plain && p->out->size && p->out->data[p->out->size - 1] == ' ')
        p->out->size--;
    rules_buffer_text(p->out, "\n");
    p->cells = 0;
    p->lines++;
}

static unsigned lines_left(const struct page *p)
{
    unsigned height = p->view->height;
    return height == 0 ? 1U << 20 : height > p->lines ? height - p->lines : 0;
}

/* A name and its figure, and a gap; on a line of its own where this one is full and there is room below. */
static void figure(struct page *p, const char *name, const char *value, const char *style)
{
    size_t cells = top_text_cells(name) + 1 + top_text_cells(value);
    if (p->cells && p->cells + cells > p->view->width && lines_left(p) > ROOM_TO_WRAP)
        end_line(p);
    if (*name) {
        piece(p, dim, name, 0, false);
        piece(p, none, " ", 0, false);
    }
    piece(p, style, value, 0, false);
    piece(p, none, "   ", 0, false);
}

static void amount(struct page *p, const char *name, double n, const char *style)
{
    char text[TOP_AMOUNT];
    top_text_number(n, text);
    figure(p, name, text, style);
}

/* --- the head --- */

static void draw_first_line(struct page *p)
{
    const struct top_view *v = p->view;
    const struct json_node *own = json_get(v->status, "own");
    const char *state = json_text_of(v->status, "state");
    bool ready = json_true_of(v->status, "ready");
    char name[NAME_MAX_SIZE], left[TOP_AMOUNT], text[TOP_AMOUNT + 16];
    top_view_name(own, "", name, sizeof name);
    figure(p, "", name, bold);
    if (v->trouble)
        figure(p, "", "NO ANSWER", red);
    else
        figure(p, "",
               ready                                      ? "ready"
               : strcmp(state, "serving") == 0 || !*state ? "not ready"
                                                          : state,
               ready ? green : red);
    if (json_get(own, "not_after_at")) {
        double from = json_number_of(own, "not_before_at"), to = json_number_of(own, "not_after_at");
        top_text_span(to - v->now.at, left);
        (void)snprintf(text, sizeof text, "%s%s", left, to > v->now.at ? " left" : ": expired");
        figure(p, "certificate", text,
               to - v->now.at < (to - from) / 10  ? red
               : to - v->now.at < (to - from) / 4 ? yellow
                                                  : none);
    }
    top_text_span(v->now.at - v->now.started_at, left);
    figure(p, "up", left, none);
    top_text_bytes(json_number_of(v->status, "memory_bytes"), left);
    figure(p, "memory", left, none);
    amount(p, "generation", json_number_of(v->status, "generation"), none);
    figure(p, "", json_text_of(v->status, "version"), dim);
    if (v->paused)
        figure(p, "", "PAUSED", yellow);
    end_line(p);
}

static void rate(struct page *p, const char *name, double now, double before, const char *style)
{
    double seconds = p->view->now.at - p->view->before.at, n = now > before ? (now - before) / seconds : 0;
    char text[TOP_AMOUNT + 8], number[TOP_AMOUNT];
    top_text_number(n, number);
    (void)snprintf(text, sizeof text, "%s/s", number);
    figure(p, name, text, n > 0 ? style : none);
}

static void byte_rate(struct page *p, const char *name, double now, double before)
{
    double seconds = p->view->now.at - p->view->before.at;
    char text[TOP_AMOUNT + 8], number[TOP_AMOUNT];
    top_text_bytes(now > before ? (now - before) / seconds : 0, number);
    (void)snprintf(text, sizeof text, "%s/s", number);
    figure(p, name, text, none);
}

static void draw_rates(struct page *p)
{
    const struct top_counts *now = &p->view->now, *before = &p->view->before;
    const struct json_node *open = json_get(p->view->status, "sessions_open");
    amount(p, "connections in", json_number_of(open, "inbound"), none);
    amount(p, "out", json_number_of(open, "outbound"), none);
    if (before->at > 0 && now->at > before->at && now->started_at == before->started_at) {
        rate(p, "requests", now->requests, before->requests, none);
        rate(p, "4xx", now->errors4, before->errors4, yellow);
        rate(p, "5xx", now->errors5, before->errors5, red);
        rate(p, "handshakes", now->handshakes, before->handshakes, none);
        rate(p, "failed", now->failed, before->failed, red);
        byte_rate(p, "from clients", now->in, before->in);
        byte_rate(p, "from services", now->out, before->out);
    }
    end_line(p);
}

static void warn(struct page *p, const char *style, const char *what, const char *why)
{
    if (lines_left(p) <= ROOM_TO_WARN)
        return;
    piece(p, style, what, 0, false);
    piece(p, style, why, 0, false);
    end_line(p);
}

/* What an operator must read: one line each, none when all is well. */
static void draw_warnings(struct page *p)
{
    const struct json_node *status = p->view->status;
    if (p->view->trouble)
        warn(p, red, p->view->trouble, "");
    for (const struct json_node *r = json_items_of(status, "reasons"); r && !json_true_of(status, "ready");
         r = r->next)
        warn(p, red, "not ready: ", r->text);
    if (json_true_of(status, "config_failing"))
        warn(p, yellow, "the configuration on disk is refused; the old one stays in service", "");
    if (json_true_of(status, "credentials_failing"))
        warn(p, yellow, "the credentials on disk are refused; the old ones stay in service", "");
}

/* --- tables --- */

struct column {
    const char *title;
    unsigned cells; /* 0: takes what the others leave; there is one such */
    unsigned from;  /* shown on screens at least this wide */
    bool right;
};

struct table {
    const struct column *column;
    unsigned count;
    unsigned rest; /* cells of the one that takes what is left */
};

static struct table table_of(const struct column *column, unsigned count, unsigned width)
{
    struct table t = {column, count, 0};
    unsigned used = 0;
    for (unsigned i = 0; i < count; i++) {
        if (column[i].cells && width >= column[i].from)
            used += column[i].cells + 1;
    }
    t.rest = width > used ? width - used : 0;
    return t;
}

static void draw_row(struct page *p, const struct table *t, const char *const *text, const char *const *style)
{
    for (unsigned i = 0; i < t->count; i++) {
        const struct column *c = &t->column[i];
        unsigned cells = c->cells ? c->cells : t->rest;
        if (p->view->width < c->from || cells == 0)
            continue;
        if (i > 0)
            piece(p, none, " ", 0, false);
        piece(p, style ? style[i] : turned, text[i], cells, c->right);
    }
    end_line(p);
}

static void draw_title(struct page *p, const struct table *t)
{
    const char *text[COLUMNS_MAX], *style[COLUMNS_MAX];
    for (unsigned i = 0; i < t->count; i++) {
        text[i] = t->column[i].title;
        style[i] = dim;
    }
    draw_row(p, t, text, style);
}

static const struct column peer_columns[] = {
    {"PEER", 0, 0, false}, {"CONNS", 7, 60, true},     {"OPEN", 6, 80, true},     {"REQUESTS", 8, 0, true},
    {"IN", 7, 80, true},   {"OUT", 7, 80, true},       {"BLOCKED", 7, 100, true}, {"REFUSED", 7, 40, true},
    {"SEEN", 7, 90, true}, {"REASON", 34, 140, false},
};
enum { PEER_COLUMNS = sizeof peer_columns / sizeof *peer_columns };

static void draw_peer(struct page *p, const struct table *t, const struct json_node *peer, const char *domain)
{
    static const char *const counted[] = {"connections", "open",    "requests", "bytes_in",
                                          "bytes_out",   "blocked", "refused"};
    enum { COUNTED = sizeof counted / sizeof *counted, BLOCKED = 6, REFUSED = 7, SEEN = 8, REASON = 9 };
    char name[NAME_MAX_SIZE], number[COUNTED + 1][TOP_AMOUNT], reason[NAME_MAX_SIZE];
    const char *text[PEER_COLUMNS], *style[PEER_COLUMNS];
    bool quarantined = json_true_of(peer, "quarantined");
    top_view_name(peer, domain, name, sizeof name);
    const char *last = json_text_of(peer, "last_reason");
    (void)snprintf(reason, sizeof reason, "%s%s%s", quarantined ? "in quarantine" : "",
                   quarantined && *last ? "; " : "", last);
    text[0] = name;
    style[0] = quarantined ? red : none;
    for (unsigned i = 0; i < COUNTED; i++) {
        double n = json_number_of(peer, counted[i]);
        if (strncmp(counted[i], "bytes", 5) == 0)
            top_text_bytes(n, number[i]);
        else
            top_text_number(n, number[i]);
        text[1 + i] = number[i];
        style[1 + i] = n == 0 ? dim : 1 + i >= BLOCKED ? red : none;
    }
    double seen = json_number_of(peer, "last_seen_at");
    if (seen > 0)
        top_text_span(p->view->now.at > seen ? p->view->now.at - seen : 0, number[COUNTED]);
    else
        (void)snprintf(number[COUNTED], TOP_AMOUNT, "-");
    text[SEEN] = number[COUNTED];
    text[REASON] = reason;
    style[SEEN] = style[REASON] = none;
    draw_row(p, t, text, style);
}

static void draw_peers(struct page *p, const char *domain, unsigned lines)
{
    struct table t = table_of(peer_columns, PEER_COLUMNS, p->view->width);
    unsigned end = p->lines + lines;
    if (lines < 2)
        return;
    draw_title(p, &t);
    const struct json_node *peer = json_items_of(p->view->peers, "peers");
    if (peer == NULL) {
        piece(p, dim, p->view->peers ? "nobody has come yet" : "no word of peers", 0, false);
        end_line(p);
    }
    for (; peer && p->lines < end; peer = peer->next)
        draw_peer(p, &t, peer, domain);
}

/* Whether it concerns a peer, and not the sidecar itself (sidecar/admin/log.md). */
static bool is_refusal(const struct json_node *event)
{
    static const char *const of_itself[] = {"reload", "config", "credentials", "expiry", "drain",
                                            "start",  "listen", "resolver",    "log"};
    for (size_t i = 0; i < sizeof of_itself / sizeof *of_itself; i++) {
        if (strcmp(json_text_of(event, "event"), of_itself[i]) == 0)
            return false;
    }
    return true;
}

static unsigned refusals(const struct json_node *events)
{
    unsigned n = 0;
    for (const struct json_node *e = json_items_of(events, "events"); e; e = e->next)
        n += is_refusal(e);
    return n;
}

/* What happened, and what decided so, unless the message says it. */
static void tell_event(const struct json_node *event, char *out, size_t size)
{
    static const char *const deciders[] = {"rule", "ratelimit", "quarantine", "sequence"};
    const char *message = json_text_of(event, "message");
    (void)snprintf(out, size, "%s", message);
    for (size_t i = 0; i < sizeof deciders / sizeof *deciders; i++) {
        const char *name = json_text_of(event, deciders[i]);
        size_t n = strlen(out);
        if (*name && strstr(message, name) == NULL)
            (void)snprintf(out + n, size - n, ": %s %s", deciders[i], name);
    }
}

static void draw_events(struct page *p, unsigned lines)
{
    static const struct column columns[] = {{"TIME", 8, 0, false},
                                            {"KIND", 8, 60, false},
                                            {"REFUSED, AND WHY", 0, 0, false},
                                            {"WHO", 40, 100, false}};
    static const char *const style[] = {none, red, none, none};
    struct table t = table_of(columns, 4, p->view->width);
    unsigned end = p->lines + lines;
    if (lines < 2)
        return;
    draw_title(p, &t);
    for (const struct json_node *e = json_items_of(p->view->events, "events"); e && p->lines < end;
         e = e->next) {
        char clock[16] = "", what[2 * NAME_MAX_SIZE];
        struct tm tm;
        double at = json_number_of(e, "at_ms") / 1000;
        time_t seconds = at > 0 && at < 1e11 ? (time_t)at : 0;
        const char *subject = json_text_of(e, "subject"), *san = json_text_of(e, "san");
        const char *who = *san ? san : *subject ? subject : json_text_of(e, "peer");
        if (!is_refusal(e))
            continue;
        tell_event(e, what, sizeof what);
        if (localtime_r(&seconds, &tm))
            (void)strftime(clock, sizeof clock, "%H:%M:%S", &tm);
        draw_row(p, &t, (const char *const[]){clock, json_text_of(e, "event"), what, who}, style);
    }
}

static const struct column rule_columns[] = {{"RULE", 26, 0, false},
                                             {"EXPRESSION", 0, 100, false},
                                             {"ACTION", 18, 60, false},
                                             {"MATCHED", 8, 70, true},
                                             {"ACTED", 8, 0, true}};

enum rule_kind { RULE, SEQUENCE, LIMIT, RULE_KINDS };
static const char *const rule_kinds[RULE_KINDS] = {"rules", "sequences", "ratelimits"};

static void draw_rule(struct page *p, const struct table *t, const struct json_node *rule,
                      enum rule_kind kind)
{
    char action[64], span[TOP_AMOUNT], matched[TOP_AMOUNT], acted[TOP_AMOUNT];
    double n = json_number_of(rule, "acted");
    top_text_span(json_number_of(rule, "period_seconds"), span);
    if (kind == LIMIT)
        (void)snprintf(action, sizeof action, "%.0f per %s", json_number_of(rule, "requests"), span);
    else
        (void)snprintf(action, sizeof action, "%s%.40s",
                       !json_true_of(rule, "enabled")  ? "off: "
                       : json_true_of(rule, "dry_run") ? "dry run: "
                                                       : "",
                       json_text_of(rule, "action"));
    top_text_number(json_number_of(rule, "matched"), matched);
    top_text_number(n, acted);
    draw_row(p, t,
             (const char *const[]){json_text_of(rule, "name"),
                                   json_text_of(rule, kind == SEQUENCE ? "steps" : "expression"), action,
                                   kind == LIMIT ? "" : matched, acted},
             (const char *const[]){none, dim, none, none, n > 0 ? red : dim});
}

static unsigned items(const struct json_node *node, const char *key)
{
    unsigned n = 0;
    for (const struct json_node *i = json_items_of(node, key); i; i = i->next)
        n++;
    return n;
}

static void draw_rules(struct page *p, unsigned lines)
{
    struct table t = table_of(rule_columns, 5, p->view->width);
    unsigned end = p->lines + lines;
    if (lines < 2)
        return;
    draw_title(p, &t);
    for (unsigned kind = 0; kind < RULE_KINDS; kind++) {
        const struct json_node *r = json_items_of(p->view->rules, rule_kinds[kind]);
        for (; r && p->lines < end; r = r->next)
            draw_rule(p, &t, r, (enum rule_kind)kind);
    }
}

/* --- the frame --- */

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Lines of a table of N rows with its title and a blank line before; none for none. */
static unsigned lines_of(unsigned n)
{
    return n ? n + 2 : 0;
}

void top_view_draw(const struct top_view *view, struct rules_buffer *out)
{
    struct page page = {.view = view, .out = out}, *p = &page;
    char domain[NAME_MAX_SIZE];
    own_domain(json_get(view->status, "own"), domain, sizeof domain);
    if (view->status)
        draw_first_line(p);
    if (view->status && lines_left(p))
        draw_rates(p);
    draw_warnings(p);
    /* Peers get what the others leave, and at least half of it. */
    unsigned footer = view->plain ? 0 : 1, left = lines_left(p) > footer ? lines_left(p) - footer : 0;
    unsigned want_events = lines_of(refusals(view->events)), want_rules = 0;
    for (unsigned kind = 0; kind < RULE_KINDS; kind++)
        want_rules += items(view->rules, rule_kinds[kind]);
    want_rules = lines_of(want_rules);
    unsigned rules = least(want_rules, left / 5),
             events = least(want_events, view->height ? left / 3 : PLAIN_EVENTS + 2);
    unsigned peers = left - rules - events;
    if (view->status) {
        if (view->height == 0)
            peers = lines_of(items(view->peers, "peers") + 1);
        if (peers > 2) {
            end_line(p);
            draw_peers(p, domain, peers - 1);
        }
        if (events > 2) {
            end_line(p);
            draw_events(p, events - 1);
        }
        if (rules > 2) {
            end_line(p);
            draw_rules(p, rules - 1);
        }
    }
    while (view->height && lines_left(p) > footer)
        end_line(p);
    if (footer && lines_left(p)) {
        piece(p, dim, "q quit   p pause   sort by: ", 0, false);
        for (unsigned i = 0; i < TOP_SORTS; i++) {
            static const char *const label[TOP_SORTS] = {"r requests", "c connections", "b bytes",
                                                         "x refused"};
            piece(p, i == view->sort ? bold : dim, label[i], 0, false);
            piece(p, none, i == view->sort ? "*  " : "   ", 0, false);
        }
        end_line(p);
    }
}
