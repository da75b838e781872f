/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sidecar eval --jsonl`: many expressions, each with its own fields and lists, one JSON object a line. */
#ifndef SIDECAR_EVAL_JSONL_H
#define SIDECAR_EVAL_JSONL_H

#include <stdio.h>

#include "sidecar/rules/memory.h"
#include "sidecar/rules/rules.h"

/* Reads IN to its end and answers each line on OUT, in order. Returns the exit status. */
int eval_jsonl(FILE *in, FILE *out, struct rules_context *context, struct rules_scratch *scratch);

/* Answers one line: appends the result, newline included, to OUT. */
void eval_jsonl_line(const char *line, size_t size, struct rules_context *context,
                     struct rules_scratch *scratch, struct rules_buffer *out);

/* {"error": "UnknownIdentifier", "line": 1, "column": 5, "message": "..."} and a newline. */
void eval_jsonl_error(struct rules_buffer *out, const struct rules_error *error);

#endif
