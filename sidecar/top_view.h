/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One frame of `sidecar top`: what the admin listener has answered, laid out for a screen. Nothing but memory
 * in and memory out.
 */
#ifndef SIDECAR_TOP_VIEW_H
#define SIDECAR_TOP_VIEW_H

#include "sidecar/json_tree.h"

enum top_sort { TOP_BY_REQUESTS, TOP_BY_CONNECTIONS, TOP_BY_BYTES, TOP_BY_REFUSED, TOP_SORTS };
/* As the listener's `by` has it. */
extern const char *const top_sort_name[TOP_SORTS];

/* Figures that are counted up, at one moment. */
struct top_counts {
    double at; /* seconds */
    double started_at;
    double requests, errors4, errors5, handshakes, failed, in, out;
};

void top_counts_take(const struct json_node *status, struct top_counts *counts);

struct top_view {
    const struct json_node *status, *peers, *rules, *events; /* NULL: not had */
    struct top_counts now, before;                           /* BEFORE.at 0: no rates yet */
    const char *trouble;                                     /* why there is no answer; NULL: there is */
    enum top_sort sort;
    bool paused;
    bool plain; /* without colours, blanks at the ends of lines, and the line of keys */
    unsigned width;
    unsigned height; /* lines; 0: as many as there are */
};

/*
 * Appends the frame: lines of exactly WIDTH cells (with PLAIN: at most), each with a newline; HEIGHT of them,
 * where that is not 0. Without PLAIN there are colours (SGR) in it, no other control bytes.
 */
void top_view_draw(const struct top_view *view, struct rules_buffer *out);

/*
 * What to call the owner of a certificate: the URI, the common name, a DNS name, the fingerprint. Of a SPIFFE
 * name in the trust domain DOMAIN ("" for none) that is left out.
 */
void top_view_name(const struct json_node *cert, const char *domain, char *out, size_t size);

#endif
