/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The multi-call binary: `sidecar COMMAND` and, when called by that name, `certrotate COMMAND`. */
#include <stdio.h>

int main(void)
{
    puts("outrider " OUTRIDER_VERSION);
    return 0;
}
