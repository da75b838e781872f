/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sidecar top`: a live view of a running sidecar, by its admin listener. */
#ifndef SIDECAR_TOP_H
#define SIDECAR_TOP_H

int top_main(int argc, char **argv);

#endif
