/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SIDECAR_EXPLAIN_H
#define SIDECAR_EXPLAIN_H

/* `sidecar explain`: whether a certificate would be accepted by a configuration, by whom, or why not. */
int explain_main(int argc, char **argv);

#endif
