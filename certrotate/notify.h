/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * inotify on one loop: one descriptor for all who watch there. A place is asked only for what matters there,
 * and the kernel reports nothing else: who watches for names in a busy directory is not woken by what is
 * written to files in it, and need not wait until the kernel has marked every name it knows there (a mask
 * that concerns a directory's files costs that: 20 ms and more in a /tmp of a machine that has been up for
 * long).
 */
#ifndef CERTROTATE_NOTIFY_H
#define CERTROTATE_NOTIFY_H

#include <uv.h>

struct notify;
struct notify_place;

enum notify_kind {
    NOTIFY_NAME,      /* of a directory: one name that comes, goes, or is replaced */
    NOTIFY_DIRECTORY, /* of a directory: every name, and what is written to the files */
    NOTIFY_FILE,      /* of a file, by whichever name it is written to: content and permissions */
};

/* Something befell the place. Must add and remove none. */
typedef void (*notify_fn)(void *arg);

/* References are counted: a new one has one. NULL: out of memory. The descriptor is opened with the first
 * place. */
struct notify *notify_new(uv_loop_t *loop) __attribute__((warn_unused_result));
struct notify *notify_ref(struct notify *n);
/* The last one closes it, and memory is freed once the loop has run: no place may be left. NULL is fine. */
void notify_unref(struct notify *n);

/*
 * Asks for what KIND says of PATH; NAME is that of NOTIFY_NAME. Strings are copied. NULL: the system will not
 * have it (no instance or no watch left for this user, no permission, not there), or out of memory.
 */
struct notify_place *notify_add(struct notify *n, enum notify_kind kind, const char *path, const char *name,
                                notify_fn fn, void *arg) __attribute__((warn_unused_result));
void notify_remove(struct notify *n, struct notify_place *place);

#endif
