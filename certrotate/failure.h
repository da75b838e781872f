/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why something failed, in words, carried up to who tells the operator. */
#ifndef CERTROTATE_FAILURE_H
#define CERTROTATE_FAILURE_H

#include <stdbool.h>

struct failure {
    char text[512];
};

/* Writes the words and returns false: `return failure(f, "...")`. */
bool failure(struct failure *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same with the system's reason behind it: "FORMAT...: Permission denied" (errno). */
bool failure_errno(struct failure *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
