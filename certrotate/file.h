/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Files that are whole or not there: written beside, synced, and put in place by one rename, so that a
 * process killed at any point leaves the old state or the new one.
 */
#ifndef CERTROTATE_FILE_H
#define CERTROTATE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "certrotate/failure.h"

/*
 * Reads a regular file of at most MAX octets into heap memory (a zero behind it, not counted; wipe it if it
 * is a key). NULL: F says why, errno is ENOENT where it is missing.
 */
uint8_t *file_read(const char *path, size_t max, size_t *size, struct failure *f)
    __attribute__((warn_unused_result));

/* Creates PATH, which must not exist (O_EXCL), with exactly MODE, and syncs it and its directory. */
bool file_create(const char *path, const void *data, size_t size, mode_t mode, struct failure *f)
    __attribute__((warn_unused_result));

/* Creates or replaces PATH in one step, and syncs. */
bool file_replace(const char *path, const void *data, size_t size, mode_t mode, struct failure *f)
    __attribute__((warn_unused_result));

/* Points the symbolic link PATH at TARGET in one step, and syncs; PATH may exist as a link only. */
bool file_link(const char *path, const char *target, struct failure *f) __attribute__((warn_unused_result));

/* Makes what was created, renamed or removed in DIRECTORY last. */
bool file_sync_directory(const char *directory, struct failure *f) __attribute__((warn_unused_result));

/* Makes a directory and what is missing above it; one that is there is fine. */
bool file_make_directory(const char *path, struct failure *f) __attribute__((warn_unused_result));

/* Removes a directory that holds nothing but files; what is not there is fine. */
bool file_remove_directory(const char *path, struct failure *f);

/* "DIRECTORY/NAME" in heap memory; NULL when out of memory. The part before the last slash, or ".". */
char *file_join(const char *directory, const char *name);
char *file_directory(const char *path);

/* Appends 8 random octets in hex to PREFIX, in heap memory; NULL on failure. */
char *file_random_name(const char *prefix);

#endif
