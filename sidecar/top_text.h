/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Text for a terminal: widths in cells, cutting and padding, and escapes for what must not reach a terminal
 * from outside (control bytes, what turns the direction of text, bytes that are not UTF-8).
 */
#ifndef SIDECAR_TOP_TEXT_H
#define SIDECAR_TOP_TEXT_H

#include <stdio.h>

#include "sidecar/rules/memory.h"

/* The cells that the text takes once it is escaped. */
size_t top_text_cells(const char *text);

/*
 * Appends the text, escaped, cut off to CELLS with an ellipsis, or else padded with blanks to CELLS: behind
 * it, or before it with RIGHT.
 */
void top_text_put(struct rules_buffer *out, const char *text, size_t cells, bool right);

/* Writes the text, escaped, whole. */
void top_text_print(FILE *out, const char *text);

/* Amounts as people read them: 12,345 or 1.2 M; 5.2 MB; 3 d. */
enum { TOP_AMOUNT = 32 };
void top_text_number(double n, char out[TOP_AMOUNT]);
void top_text_bytes(double n, char out[TOP_AMOUNT]);
void top_text_span(double seconds, char out[TOP_AMOUNT]);

#endif
