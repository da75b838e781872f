/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The certrotate command. */
#ifndef CERTROTATE_CERTROTATE_H
#define CERTROTATE_CERTROTATE_H

/* ARGV[0] is the program's name. Returns the exit status: 0, 1 when it failed, 2 for wrong usage. */
int certrotate_main(int argc, char **argv);

#endif
