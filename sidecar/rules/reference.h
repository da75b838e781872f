/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The rule language for its users: every operator, field and function, from the tables it is compiled by. */
#ifndef SIDECAR_RULES_REFERENCE_H
#define SIDECAR_RULES_REFERENCE_H

#include <stdbool.h>
#include <stdio.h>

/* Markdown. False: a function has no description. */
bool rules_reference_print(FILE *out);

#endif
