/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SIDECAR_PROBE_H
#define SIDECAR_PROBE_H

/* `sidecar probe HOST:PORT`: a mutual TLS connection as the sidecar makes it, each step explained. */
int probe_main(int argc, char **argv);

#endif
