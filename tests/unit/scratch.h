/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A directory of credentials to play with, below /tmp. File contents are given as names of files of the test
 * PKI, joined: "leaf.pem intermediate.pem"; "" is an empty file, and what begins with '=' is literal text.
 */
#ifndef TESTS_UNIT_SCRATCH_H
#define TESTS_UNIT_SCRATCH_H

#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pki.h"

struct scratch {
    char path[64];
    unsigned generation;
};

/* One file to be: name and contents. */
struct scratch_file {
    const char *name;
    const char *contents;
};

static inline int scratch_unlink(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static inline void scratch_remove_tree(const char *path)
{
    nftw(path, scratch_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

static inline struct scratch scratch_new(void)
{
    struct scratch s = {"/tmp/outrider-test-XXXXXX", 0};
    assert_non_null(mkdtemp(s.path));
    return s;
}

static inline void scratch_free(struct scratch *s)
{
    scratch_remove_tree(s->path);
}

static inline void scratch_path(const struct scratch *s, const char *name, char out[256])
{
    assert_in_range(snprintf(out, 256, "%s/%s", s->path, name), 1, 255);
}

static inline struct x509_slice scratch_contents(const char *contents)
{
    enum { ROOM = 262144 };
    static uint8_t data[ROOM];
    size_t size = 0;
    char names[1024], *save = NULL;
    if (contents[0] == '=')
        return (struct x509_slice){(const uint8_t *)contents + 1, strlen(contents) - 1};
    assert_true(strlen(contents) < sizeof names);
    strcpy(names, contents);
    for (char *name = strtok_r(names, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
        char path[256];
        snprintf(path, sizeof path, PKI_FOLDER "/%s", name);
        FILE *f = fopen(path, "rb");
        if (!f)
            fail_msg("%s is not there", path);
        size += fread(data + size, 1, ROOM - size, f);
        fclose(f);
        assert_true(size < ROOM);
    }
    return (struct x509_slice){data, size};
}

/* Writes SIZE octets into the file that is there, or a new one, in place. */
static inline void scratch_write_octets(const struct scratch *s, const char *name, int flags,
                                        const void *data, size_t size)
{
    char path[256];
    scratch_path(s, name, path);
    int fd = open(path, O_WRONLY | O_CREAT | flags, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
    close(fd);
}

static inline void scratch_write(const struct scratch *s, const char *name, const char *contents)
{
    struct x509_slice text = scratch_contents(contents);
    scratch_write_octets(s, name, O_TRUNC, text.data, text.size);
}

static inline void scratch_delete(const struct scratch *s, const char *name)
{
    char path[256];
    scratch_path(s, name, path);
    scratch_remove_tree(path);
}

/* Writes beside and renames over. */
static inline void scratch_rename_over(const struct scratch *s, const char *name, const char *contents)
{
    char from[256], to[256];
    scratch_write(s, ".new", contents);
    scratch_path(s, ".new", from);
    scratch_path(s, name, to);
    assert_int_equal(rename(from, to), 0);
}

/*
 * As the kubelet's AtomicWriter does it: a new time-stamped folder, `..data_tmp` pointing there renamed to
 * `..data`, symlinks at the top where they are missing, the old folder removed.
 */
static inline void scratch_swap(struct scratch *s, const struct scratch_file *files, size_t count)
{
    char folder[64], name[320], old[256], path[256];
    snprintf(folder, sizeof folder, "..2026_01_01_00_00_%06u", ++s->generation);
    scratch_path(s, folder, path);
    assert_int_equal(mkdir(path, 0755), 0);
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%s/%s", folder, files[i].name);
        scratch_write(s, name, files[i].contents);
    }
    char link[256], temporary[256];
    scratch_path(s, "..data", link);
    scratch_path(s, "..data_tmp", temporary);
    ssize_t length = readlink(link, old, sizeof old - 1);
    assert_int_equal(symlink(folder, temporary), 0);
    assert_int_equal(rename(temporary, link), 0);
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "..data/%s", files[i].name);
        scratch_path(s, files[i].name, path);
        if (access(path, F_OK) != 0)
            assert_int_equal(symlink(name, path), 0);
    }
    if (length > 0) {
        old[length] = '\0';
        scratch_delete(s, old);
    }
}

#endif
