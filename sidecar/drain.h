/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SIDECAR_DRAIN_H
#define SIDECAR_DRAIN_H

/* `sidecar drain`: has a sidecar that runs end in good order, and waits for it. */
int drain_main(int argc, char **argv);

#endif
