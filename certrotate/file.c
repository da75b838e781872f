/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "certrotate/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certrotate/key.h"
#include "certrotate/pem.h"

char *file_join(const char *directory, const char *name)
{
    char *out;
    size_t n = strlen(directory);
    const char *slash = n > 0 && directory[n - 1] == '/' ? "" : "/";
    return asprintf(&out, "%s%s%s", directory, slash, name) < 0 ? NULL : out;
}

char *file_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return strdup(".");
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

char *file_random_name(const char *prefix)
{
    uint64_t number;
    char *out;
    if (!key_random(&number, sizeof number))
        return NULL;
    return asprintf(&out, "%s%016llx", prefix, (unsigned long long)number) < 0 ? NULL : out;
}

uint8_t *file_read(const char *path, size_t max, size_t *size, struct failure *f)
{
    struct stat st;
    uint8_t *data = NULL;
    size_t done = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        failure_errno(f, "%s", path);
        return NULL;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        errno = EINVAL;
        failure(f, "%s: not a regular file", path);
        goto fail;
    }
    if ((uint64_t)st.st_size > max) {
        errno = EFBIG;
        failure(f, "%s: larger than %zu bytes", path, max);
        goto fail;
    }
    data = malloc((size_t)st.st_size + 1);
    if (!data) {
        failure_errno(f, "%s", path);
        goto fail;
    }
    while (done < (size_t)st.st_size) {
        ssize_t n = read(fd, data + done, (size_t)st.st_size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            failure_errno(f, "%s", path);
            goto fail;
        }
        if (n == 0)
            break;
        done += (size_t)n;
    }
    data[done] = 0;
    *size = done;
    close(fd);
    return data;
fail:
    if (data)
        pem_wipe_free(data, done);
    close(fd);
    return NULL;
}

bool file_sync_directory(const char *directory, struct failure *f)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return failure_errno(f, "%s", directory);
    /* Some file systems cannot sync a directory and say EINVAL: nothing more can be done there. */
    bool ok = fsync(fd) == 0 || errno == EINVAL || failure_errno(f, "%s", directory);
    close(fd);
    return ok;
}

static bool sync_parent(const char *path, struct failure *f)
{
    char *directory = file_directory(path);
    bool ok = directory ? file_sync_directory(directory, f) : failure(f, "out of memory");
    free(directory);
    return ok;
}

/* Creates and syncs a file; on failure nothing is left of it. */
static bool write_new(const char *path, const void *data, size_t size, mode_t mode, struct failure *f)
{
    const uint8_t *p = data;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return failure_errno(f, "%s", path);
    while (size > 0) {
        ssize_t n = write(fd, p, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            goto fail;
        p += n;
        size -= (size_t)n;
    }
    /* The umask has no say: a certificate is public, a key is not. */
    if (fchmod(fd, mode) != 0 || fsync(fd) != 0)
        goto fail;
    if (close(fd) == 0)
        return true;
    fd = -1;
fail:
    failure_errno(f, "%s", path);
    if (fd >= 0)
        close(fd);
    unlink(path);
    return false;
}

bool file_create(const char *path, const void *data, size_t size, mode_t mode, struct failure *f)
{
    return write_new(path, data, size, mode, f) && sync_parent(path, f);
}

bool file_replace(const char *path, const void *data, size_t size, mode_t mode, struct failure *f)
{
    char *prefix, *temporary = NULL;
    if (asprintf(&prefix, "%s.tmp-", path) < 0)
        return failure(f, "out of memory");
    temporary = file_random_name(prefix);
    free(prefix);
    if (!temporary)
        return failure(f, "out of memory or randomness");
    bool ok = write_new(temporary, data, size, mode, f);
    if (ok && rename(temporary, path) != 0) {
        ok = failure_errno(f, "%s", path);
        unlink(temporary);
    }
    free(temporary);
    return ok && sync_parent(path, f);
}

bool file_link(const char *path, const char *target, struct failure *f)
{
    struct stat st;
    char *temporary;
    if (lstat(path, &st) == 0 && !S_ISLNK(st.st_mode))
        return failure(f, "%s: exists and is not a symbolic link", path);
    if (asprintf(&temporary, "%s_tmp", path) < 0)
        return failure(f, "out of memory");
    bool ok = (unlink(temporary) == 0 || errno == ENOENT) && symlink(target, temporary) == 0 &&
              rename(temporary, path) == 0;
    if (!ok)
        failure_errno(f, "%s", path);
    free(temporary);
    return ok && sync_parent(path, f);
}

bool file_make_directory(const char *path, struct failure *f)
{
    char *part = strdup(path);
    bool ok = part || failure(f, "out of memory");
    for (char *p = part; ok && p;) {
        p = strchr(p + strspn(p, "/"), '/');
        if (p)
            *p = 0;
        ok = *part == 0 || mkdir(part, 0755) == 0 || errno == EEXIST || failure_errno(f, "%s", part);
        if (p)
            *p = '/';
    }
    free(part);
    return ok;
}

bool file_remove_directory(const char *path, struct failure *f)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    if (!dir)
        return errno == ENOENT || failure_errno(f, "%s", path);
    while ((entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unlinkat(dirfd(dir), entry->d_name, 0) != 0 && errno != ENOENT) {
            failure_errno(f, "%s/%s", path, entry->d_name);
            closedir(dir);
            return false;
        }
    closedir(dir);
    return rmdir(path) == 0 || errno == ENOENT || failure_errno(f, "%s", path);
}
