/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "certrotate/publish.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "certrotate/file.h"
#include "certrotate/key.h"
#include "certrotate/pem.h"

/* Folders of ours: ..2026_01_02_03_04_05.0123456789 */
static bool is_generation(const char *name)
{
    static const char shape[] = "..dddd_dd_dd_dd_dd_dd.";
    for (size_t i = 0; shape[i]; i++)
        if (shape[i] == 'd' ? name[i] < '0' || name[i] > '9' : name[i] != shape[i])
            return false;
    return name[sizeof shape - 1] != 0;
}

static bool generation_name(int64_t now, char out[64])
{
    uint64_t random;
    struct tm tm;
    time_t t = (time_t)now;
    if (!key_random(&random, sizeof random) || !gmtime_r(&t, &tm))
        return false;
    size_t n = strftime(out, 64, "..%Y_%m_%d_%H_%M_%S.", &tm);
    snprintf(out + n, 64 - n, "%010llu", (unsigned long long)(random % 10000000000));
    return true;
}

static bool write_generation(const char *directory, const char *generation, const struct publish_file *files,
                             size_t count, struct failure *f)
{
    char *folder = file_join(directory, generation);
    bool ok = folder || failure(f, "out of memory");
    if (ok && mkdir(folder, 0755) != 0)
        ok = failure_errno(f, "%s", folder);
    for (size_t i = 0; ok && i < count; i++) {
        char *path = file_join(folder, files[i].name);
        ok = path ? file_create(path, files[i].data, files[i].size, files[i].mode, f)
                  : failure(f, "out of memory");
        free(path);
    }
    if (!ok && folder) {
        struct failure ignored;
        file_remove_directory(folder, &ignored);
    }
    free(folder);
    return ok;
}

/* NAME -> ..data/NAME, where it is not so already. */
static bool link_name(const char *directory, const char *name, struct failure *f)
{
    char target[NAME_MAX + 16], have[sizeof target];
    snprintf(target, sizeof target, "..data/%s", name);
    char *path = file_join(directory, name);
    if (!path)
        return failure(f, "out of memory");
    ssize_t n = readlink(path, have, sizeof have - 1);
    if (n >= 0)
        have[n] = 0;
    bool ok = (n >= 0 && strcmp(have, target) == 0) || file_link(path, target, f);
    free(path);
    return ok;
}

/* Whether a name in the way would keep the set from being seen. */
static bool names_are_free(const char *directory, const struct publish_file *files, size_t count,
                           struct failure *f)
{
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        struct stat st;
        char *path = file_join(directory, files[i].name);
        if (!path)
            return failure(f, "out of memory");
        if (lstat(path, &st) == 0 && !S_ISLNK(st.st_mode))
            ok = failure(f, "%s: exists and is not a symbolic link of ours", path);
        free(path);
    }
    return ok;
}

/* Removes the folders that ..data does not lead to: the old one, and what killed runs left. */
static bool remove_old(const char *directory, const char *current, struct failure *f)
{
    const struct dirent *entry;
    bool ok = true;
    DIR *dir = opendir(directory);
    if (!dir)
        return failure_errno(f, "%s", directory);
    while (ok && (entry = readdir(dir))) {
        if (!is_generation(entry->d_name) || strcmp(entry->d_name, current) == 0)
            continue;
        char *path = file_join(directory, entry->d_name);
        ok = path ? file_remove_directory(path, f) : failure(f, "out of memory");
        free(path);
    }
    closedir(dir);
    return ok;
}

static bool publish_locked(const char *directory, const struct publish_file *files, size_t count, int64_t now,
                           struct failure *f)
{
    char generation[64];
    if (!names_are_free(directory, files, count, f))
        return false;
    if (!generation_name(now, generation))
        return failure(f, "no randomness");
    if (!write_generation(directory, generation, files, count, f) || !file_sync_directory(directory, f))
        return false;
    char *data = file_join(directory, "..data");
    bool ok = data ? file_link(data, generation, f) : failure(f, "out of memory");
    free(data);
    for (size_t i = 0; ok && i < count; i++)
        ok = link_name(directory, files[i].name, f);
    return ok && file_sync_directory(directory, f) && remove_old(directory, generation, f);
}

/* --- what stays as it is --- */

static bool is_named(const struct publish_file *files, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(files[i].name, name) == 0)
            return true;
    return false;
}

/* Heap memory behind the files that are kept. */
struct kept {
    char *name;
    uint8_t *data;
};

static bool read_kept(const char *folder, const char *name, struct publish_file *file, struct kept *kept,
                      struct failure *f)
{
    struct stat st;
    char *path = file_join(folder, name);
    kept->name = strdup(name);
    bool ok = (path && kept->name) || failure(f, "out of memory");
    if (ok && stat(path, &st) != 0)
        ok = failure_errno(f, "%s", path);
    if (ok) {
        file->name = kept->name;
        file->mode = st.st_mode & 0777;
        file->data = kept->data = file_read(path, 64 << 20, &file->size, f);
        ok = kept->data != NULL;
    }
    free(path);
    return ok;
}

/* Adds the files in FOLDER that are not named yet to ALL. */
static bool add_kept(const char *folder, DIR *dir, struct publish_file *all, struct kept *kept, size_t *count,
                     struct failure *f)
{
    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.' || is_named(all, *count, entry->d_name))
            continue;
        if (*count == PUBLISH_FILES_MAX)
            return failure(f, "%s: more than %d files", folder, PUBLISH_FILES_MAX);
        bool ok = read_kept(folder, entry->d_name, &all[*count], &kept[*count], f);
        ++*count;
        if (!ok)
            return false;
    }
    return true;
}

static bool publish_and_keep(const char *directory, const struct publish_file *files, size_t count,
                             int64_t now, struct failure *f)
{
    struct publish_file all[PUBLISH_FILES_MAX] = {0};
    struct kept kept[PUBLISH_FILES_MAX] = {0};
    size_t total = count;
    memcpy(all, files, count * sizeof *files);
    char *folder = file_join(directory, "..data");
    DIR *dir = folder ? opendir(folder) : NULL;
    bool ok = dir ? add_kept(folder, dir, all, kept, &total, f) : failure_errno(f, "%s/..data", directory);
    if (dir)
        closedir(dir);
    free(folder);
    ok = ok && publish_locked(directory, all, total, now, f);
    for (size_t i = 0; i < PUBLISH_FILES_MAX; i++) {
        if (kept[i].data)
            pem_wipe_free(kept[i].data, all[i].size);
        free(kept[i].name);
    }
    return ok;
}

bool publish(const char *directory, const struct publish_file *files, size_t count, bool keep, int64_t now,
             struct failure *f)
{
    if (!file_make_directory(directory, f))
        return false;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX) != 0) {
        failure_errno(f, "%s", directory);
        if (fd >= 0)
            close(fd);
        return false;
    }
    bool ok = keep ? publish_and_keep(directory, files, count, now, f)
                   : publish_locked(directory, files, count, now, f);
    close(fd);
    return ok;
}
