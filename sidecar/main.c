/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The multi-call binary: `sidecar COMMAND` and, when called by that name, `certrotate COMMAND`. */
#include <stdio.h>
#include <string.h>

#include "certrotate/certrotate.h"

int main(int argc, char **argv)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *name = slash ? slash + 1 : argc > 0 ? argv[0] : "";
    if (strcmp(name, "certrotate") == 0)
        return certrotate_main(argc, argv);
    if (argc > 1 && strcmp(argv[1], "certrotate") == 0)
        return certrotate_main(argc - 1, argv + 1);
    puts("outrider " OUTRIDER_VERSION);
    return 0;
}
