/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "certrotate/journal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certrotate/key.h"
#include "certrotate/x509.h"

/*
 * First line:  outrider-journal 1 RANDOM
 * then:        SUM TIME KIND FIELDS...
 * SUM: the first 16 octets, in hex, of SHA-256 over the line before's SUM (the first line: itself) and the
 * rest of this line.
 */
#define MAGIC "outrider-journal 1 "
enum { SUM = 32, LINE_MAX_TEXT = 8192 };

static const char *const KINDS[] = {
    [JOURNAL_CA] = "ca", [JOURNAL_ISSUE] = "issue", [JOURNAL_REVOKE] = "revoke", [JOURNAL_CRL] = "crl"};

/* Serial numbers to records: open addressing, at most half full; a slot holds an index plus one. */
struct by_serial {
    uint32_t *slot;
    size_t size; /* a power of two, or 0 */
    size_t used;
};

struct journal {
    int fd; /* -1: not to write */
    char *path;
    off_t size;     /* of what is good */
    char last[128]; /* what the next checksum builds on */
    struct journal_record *record;
    size_t count;
    struct by_serial issued, revoked;
};

bool journal_begin(char out[64], size_t *length)
{
    uint64_t random[2];
    if (!key_random(random, sizeof random))
        return false;
    *length = (size_t)snprintf(out, 64, MAGIC "%016" PRIx64 "%016" PRIx64 "\n", random[0], random[1]);
    return true;
}

/* SUM over the previous sum and REST, a line without its own sum. */
static void checksum(const char *last, const char *rest, size_t size, char sum[SUM + 1])
{
    uint8_t digest[32];
    size_t n = strlen(last);
    char *both = malloc(n + 1 + size);
    memset(digest, 0, sizeof digest);
    if (both) {
        memcpy(both, last, n);
        both[n] = ' ';
        memcpy(both + n + 1, rest, size);
        x509_sha256((struct x509_slice){(uint8_t *)both, n + 1 + size}, digest);
        free(both);
    }
    x509_hex((struct x509_slice){digest, SUM / 2}, false, sum, SUM + 1);
}

/* --- lines --- */

/* Cuts the next word off; a word is never empty. */
static bool word(char **rest, char *out, size_t size)
{
    size_t n = strcspn(*rest, " ");
    if (n == 0 || n >= size)
        return false;
    memcpy(out, *rest, n);
    out[n] = 0;
    *rest += n + ((*rest)[n] == ' ');
    return true;
}

static bool number(char **rest, int64_t *out)
{
    char text[24], *end;
    if (!word(rest, text, sizeof text))
        return false;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && *end == 0 && !isspace((unsigned char)text[0]);
}

/* Reads what stands behind the sum; the text is copied. */
static bool parse_record(char *rest, struct journal_record *r)
{
    char kind[16];
    int64_t n;
    *r = (struct journal_record){0};
    if (!number(&rest, &r->time) || !word(&rest, kind, sizeof kind))
        return false;
    size_t k = 0;
    while (k < sizeof KINDS / sizeof *KINDS && strcmp(KINDS[k], kind) != 0)
        k++;
    r->kind = (enum journal_kind)k;
    switch (r->kind) {
    case JOURNAL_CA:
    case JOURNAL_ISSUE:
        if (!word(&rest, r->serial, sizeof r->serial) || !word(&rest, r->issuer, sizeof r->issuer) ||
            !word(&rest, r->sha256, sizeof r->sha256) || !number(&rest, &r->not_after))
            return false;
        r->text = strdup(rest);
        return r->text != NULL;
    case JOURNAL_REVOKE:
        if (!word(&rest, r->serial, sizeof r->serial) || !number(&rest, &n))
            return false;
        r->reason = (int)n;
        return *rest == 0;
    case JOURNAL_CRL:
        if (!word(&rest, r->issuer, sizeof r->issuer) || !number(&rest, &n) || n < 0 ||
            !number(&rest, &r->not_after))
            return false;
        r->number = (uint64_t)n;
        return *rest == 0;
    }
    return false;
}

/* Writes what stands behind the sum; false when it does not fit or would not read back. */
static bool format_record(const struct journal_record *r, char *out, size_t size)
{
    int n = snprintf(out, size, "%" PRId64 " %s ", r->time, KINDS[r->kind]);
    char *p = out + n;
    size_t left = size - (size_t)n;
    switch (r->kind) {
    case JOURNAL_CA:
    case JOURNAL_ISSUE:
        n = snprintf(p, left, "%s %s %s %" PRId64 " %s", r->serial, r->issuer, r->sha256, r->not_after,
                     r->text ? r->text : "");
        break;
    case JOURNAL_REVOKE: n = snprintf(p, left, "%s %d", r->serial, r->reason); break;
    case JOURNAL_CRL:
        n = snprintf(p, left, "%s %" PRIu64 " %" PRId64, r->issuer, r->number, r->not_after);
        break;
    }
    return n >= 0 && (size_t)n < left && !strpbrk(out, "\r\n");
}

/* --- records in memory --- */

/* The slot of SERIAL, or the empty one where it would stand (FNV-1a). */
static uint32_t *find_slot(const struct by_serial *t, const struct journal_record *records,
                           const char *serial)
{
    uint32_t hash = 2166136261u;
    for (const char *p = serial; *p; p++)
        hash = (hash ^ (uint8_t)*p) * 16777619u;
    size_t i = hash & (t->size - 1);
    while (t->slot[i] && strcmp(records[t->slot[i] - 1].serial, serial) != 0)
        i = (i + 1) & (t->size - 1);
    return &t->slot[i];
}

static bool reserve_slot(struct by_serial *t, const struct journal_record *records)
{
    if (t->used * 2 < t->size)
        return true;
    struct by_serial grown = {.size = t->size ? t->size * 2 : 64, .used = t->used};
    grown.slot = calloc(grown.size, sizeof *grown.slot);
    if (!grown.slot)
        return false;
    for (size_t i = 0; i < t->size; i++)
        if (t->slot[i])
            *find_slot(&grown, records, records[t->slot[i] - 1].serial) = t->slot[i];
    free(t->slot);
    *t = grown;
    return true;
}

/* Room for one record more: doubled at the powers of two. */
static bool reserve(struct journal *j)
{
    if (j->count >= UINT32_MAX - 1 || !reserve_slot(&j->issued, j->record) ||
        !reserve_slot(&j->revoked, j->record))
        return false;
    if ((j->count & (j->count - 1)) != 0)
        return true;
    size_t room = j->count ? j->count * 2 : 1;
    struct journal_record *grown = realloc(j->record, room * sizeof *grown);
    if (grown)
        j->record = grown;
    return grown != NULL;
}

/* Keeps a record for which there is room; of several with one serial the first is found. */
static void keep(struct journal *j, const struct journal_record *r)
{
    j->record[j->count++] = *r;
    if (r->kind == JOURNAL_CRL)
        return;
    struct by_serial *t = r->kind == JOURNAL_REVOKE ? &j->revoked : &j->issued;
    uint32_t *slot = find_slot(t, j->record, r->serial);
    if (*slot == 0) {
        *slot = (uint32_t)j->count;
        t->used++;
    }
}

static const struct journal_record *look_up(const struct journal *j, const struct by_serial *t,
                                            const char *serial)
{
    uint32_t found = t->size ? *find_slot(t, j->record, serial) : 0;
    return found ? &j->record[found - 1] : NULL;
}

/* --- reading --- */

static bool read_line(struct journal *j, char *line, size_t size, size_t at, struct failure *f)
{
    char sum[SUM + 1];
    struct journal_record r;
    if (at == 1) {
        if (strncmp(line, MAGIC, strlen(MAGIC)) != 0 || size >= sizeof j->last)
            return failure(f, "%s: not a journal of this program", j->path);
        memcpy(j->last, line, size + 1);
        return true;
    }
    if (size <= SUM || line[SUM] != ' ')
        return failure(f, "%s: damaged at line %zu: no checksum", j->path, at);
    checksum(j->last, line + SUM + 1, size - SUM - 1, sum);
    if (memcmp(sum, line, SUM) != 0)
        return failure(f, "%s: damaged at line %zu: wrong checksum", j->path, at);
    if (!parse_record(line + SUM + 1, &r))
        return failure(f, "%s: damaged at line %zu: not a record", j->path, at);
    if (!reserve(j)) {
        free(r.text);
        return failure(f, "out of memory");
    }
    keep(j, &r);
    memcpy(j->last, sum, sizeof sum);
    return true;
}

static bool read_all(struct journal *j, int fd, struct failure *f)
{
    struct stat st;
    FILE *in = NULL;
    char *line = NULL;
    size_t room = 0, at = 0;
    ssize_t n;
    int copy = dup(fd);
    bool ok = false;
    if (copy < 0 || fstat(fd, &st) != 0 || !(in = fdopen(copy, "r"))) {
        failure_errno(f, "%s", j->path);
        if (copy >= 0)
            close(copy);
        return false;
    }
    if (st.st_size > JOURNAL_BYTES_MAX) {
        failure(f, "%s: too large", j->path);
        goto done;
    }
    errno = 0;
    while ((n = getline(&line, &room, in)) > 0) {
        /*
         * The last line without an end, or (where the system went down, not only the process) with pages
         * that were never written: an append that did not get through.
         */
        bool last = j->size + n == st.st_size;
        if (last && (line[n - 1] != '\n' || memchr(line, 0, (size_t)n)))
            break;
        line[n - 1] = 0;
        if (!read_line(j, line, (size_t)n - 1, ++at, f))
            goto done;
        j->size += n;
    }
    if (ferror(in))
        failure_errno(f, "%s", j->path);
    else if (at == 0)
        failure(f, "%s: not a journal of this program", j->path);
    else
        ok = true;
done:
    free(line);
    fclose(in);
    return ok;
}

struct journal *journal_open(const char *path, bool to_write, struct failure *f)
{
    struct journal *j = calloc(1, sizeof *j);
    int fd = -1;
    if (!j || !(j->path = strdup(path))) {
        failure(f, "out of memory");
        goto fail;
    }
    j->fd = -1;
    fd = open(path, (to_write ? O_RDWR | O_APPEND : O_RDONLY) | O_CLOEXEC);
    if (fd < 0 || flock(fd, to_write ? LOCK_EX : LOCK_SH) != 0) {
        failure_errno(f, "%s", path);
        goto fail;
    }
    if (!read_all(j, fd, f))
        goto fail;
    if (!to_write) {
        close(fd);
        return j;
    }
    if (ftruncate(fd, j->size) != 0 || fsync(fd) != 0) {
        failure_errno(f, "%s", path);
        goto fail;
    }
    j->fd = fd;
    return j;
fail:
    if (fd >= 0)
        close(fd);
    journal_close(j);
    return NULL;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    if (j->path && j->fd > 0)
        close(j->fd);
    for (size_t i = 0; i < j->count; i++)
        free(j->record[i].text);
    free(j->record);
    free(j->issued.slot);
    free(j->revoked.slot);
    free(j->path);
    free(j);
}

/* --- appending --- */

static bool write_line(struct journal *j, const char *line, size_t size, struct failure *f)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = write(j->fd, line + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            goto fail;
        done += (size_t)n;
    }
    if (fsync(j->fd) == 0)
        return true;
fail:
    failure_errno(f, "%s", j->path);
    /* Half a line must not stand before the next one; if it cannot be removed, nothing may follow it. */
    if (ftruncate(j->fd, j->size) != 0) {
        close(j->fd);
        j->fd = -1;
    }
    return false;
}

bool journal_append(struct journal *j, const struct journal_record *record, struct failure *f)
{
    char line[SUM + 1 + LINE_MAX_TEXT + 2];
    char sum[SUM + 1], *rest = line + SUM + 1;
    struct journal_record r = *record;
    if (j->fd < 0)
        return failure(f, "%s: not open for writing", j->path);
    if (!format_record(record, rest, LINE_MAX_TEXT))
        return failure(f, "%s: the record does not fit a line", j->path);
    size_t size = strlen(rest);
    checksum(j->last, rest, size, sum);
    memcpy(line, sum, SUM);
    line[SUM] = ' ';
    rest[size] = '\n';
    if (!reserve(j) || (record->text && !(r.text = strdup(record->text))))
        return failure(f, "out of memory");
    if (!write_line(j, line, SUM + 1 + size + 1, f)) {
        free(r.text);
        return false;
    }
    j->size += (off_t)(SUM + 1 + size + 1);
    memcpy(j->last, sum, sizeof sum);
    keep(j, &r);
    return true;
}

/* --- looking up --- */

size_t journal_count(const struct journal *j)
{
    return j->count;
}

const struct journal_record *journal_get(const struct journal *j, size_t index)
{
    return &j->record[index];
}

const struct journal_record *journal_issued(const struct journal *j, const char *serial)
{
    return look_up(j, &j->issued, serial);
}

const struct journal_record *journal_revoked(const struct journal *j, const char *serial)
{
    return look_up(j, &j->revoked, serial);
}
