/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/filehash.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

uint64_t filehash_more(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ p[i]) * UINT64_C(1099511628211);
    return hash;
}

FILE *filehash_open(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    int number = fd < 0 || fstat(fd, &st) != 0 ? errno : S_ISREG(st.st_mode) ? 0 : EINVAL;
    FILE *f = number == 0 ? fdopen(fd, "r") : NULL;
    if (f)
        return f;
    number = number ? number : errno;
    if (fd >= 0)
        close(fd);
    errno = number;
    return NULL;
}

uint64_t filehash(const char *path)
{
    unsigned char buffer[16384];
    uint64_t hash = FILEHASH_EMPTY;
    FILE *f = filehash_open(path);
    if (f == NULL)
        return 0;
    size_t n;
    while ((n = fread(buffer, 1, sizeof buffer, f)) != 0)
        hash = filehash_more(hash, buffer, n);
    (void)fclose(f);
    return hash;
}
