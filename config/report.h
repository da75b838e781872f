/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The report of mistakes, from within: how one begins, and how a misspelt word finds its neighbour. */
#ifndef CONFIG_REPORT_H
#define CONFIG_REPORT_H

#include "config/config.h"

/* Starts an empty report on a file's text, which is copied. */
void config_report_begin(struct config_report *report, const char *path, const char *text, size_t length);

/* What cannot be told in another way: counted as an error. */
void config_report_no_memory(struct config_report *report);

/* Whether further problems are only counted, so that nobody need look for a suggestion. */
bool config_report_full(const struct config_report *report);

/*
 * The nearest word to one that is not known: feed candidates, then read best. A word is near when at most a
 * third of its letters, or one, was dropped, added, changed or swapped with its neighbour.
 */
struct config_nearest {
    const char *word;
    size_t length;
    const char *best; /* the candidate itself, or NULL */
    unsigned distance;
};
void config_nearest_begin(struct config_nearest *n, const char *word, size_t length);
void config_nearest_feed(struct config_nearest *n, const char *candidate);

#endif
