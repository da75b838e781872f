/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Credentials put into a directory as the kubelet does it: a new folder with all files, the symbolic link
 * `..data` swapped to it in one step, the old folder removed. A reader sees the old set or the new one.
 */
#ifndef CERTROTATE_PUBLISH_H
#define CERTROTATE_PUBLISH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "certrotate/failure.h"

enum { PUBLISH_FILES_MAX = 16 };

struct publish_file {
    const char *name; /* tls.crt */
    const void *data;
    size_t size;
    mode_t mode;
};

/*
 * Makes DIRECTORY (0755) and what is missing above it, and swaps the set in, named after NOW. A link of each
 * name leads through ..data; a name that is something else than a link is not touched but is an error. Waits
 * for others that publish there. KEEP takes over the files of the old set that FILES does not name.
 */
bool publish(const char *directory, const struct publish_file *files, size_t count, bool keep, int64_t now,
             struct failure *f) __attribute__((warn_unused_result));

#endif
