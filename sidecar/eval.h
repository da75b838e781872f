/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command `sidecar eval`: an expression, its result and why. */
#ifndef SIDECAR_EVAL_H
#define SIDECAR_EVAL_H

/*
 * ARGV[0] is "eval". Returns the exit status: 0 evaluated, 1 a mistake in the expression or in a file, 2
 * wrong usage.
 */
int eval_main(int argc, char **argv);

#endif
