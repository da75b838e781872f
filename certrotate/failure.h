/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why something failed, in words, carried up to who tells the operator. */
#ifndef CERTROTATE_FAILURE_H
#define CERTROTATE_FAILURE_H

#include <stdbool.h>

struct failure {
    char text[512];
};

/* Writes the words and is false: `return failure(f, "...")`. */
#define failure(f, ...) (failure_set((f), __VA_ARGS__), failure_is_false())

/* The same with the system's reason behind it: "FORMAT...: Permission denied" (errno). */
#define failure_errno(f, ...) (failure_set_errno((f), __VA_ARGS__), failure_is_false())

/* In sight of the compiler: it, and who analyses the code, shall know which way it goes on. */
static inline bool failure_is_false(void)
{
    return false;
}

void failure_set(struct failure *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
void failure_set_errno(struct failure *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
