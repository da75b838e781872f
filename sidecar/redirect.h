/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sidecar redirect`: the kernel's part of transparent mode, set up by an init container with CAP_NET_ADMIN.
 */
#ifndef SIDECAR_REDIRECT_H
#define SIDECAR_REDIRECT_H

/* 0: done, or as it should be; 1: not; 2: wrong usage. */
int redirect_main(int argc, char **argv);

#endif
