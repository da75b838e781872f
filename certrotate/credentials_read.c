/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "certrotate/credentials_read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include "certrotate/pem.h"

enum {
    PLACES_MAX = CREDENTIALS_ROLES + 1,
    SINGLES_MAX = 64, /* files *.pem that are looked into for a key */
    PASSWORD_MAX = 4096,
    CRL_FILE_MAX = CRL_BYTES_MAX / 3 * 4 + (1 << 20), /* the largest CRL, as PEM */
    TRIES = 5,                                        /* while the directory is swapped under us */
};

/* What a file is looked for by, in this order. */
struct names {
    const char *name[4];
};
static const struct names BUNDLES = {
    {"credentials.pem", "credential-bundle.pem", "credentialbundle.pem", "tls.pem"}};
static const struct names COMPANIONS = {{"ca.crt", "ca.pem", "trust-bundle.pem", "svid_bundle.pem"}};

bool credentials_fail(struct credentials_error *error, enum credentials_fault fault, const char *format, ...)
{
    va_list args;
    if (error->fault != CREDENTIALS_OK)
        return false;
    error->fault = fault;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return false;
}

static bool fail_system(struct credentials_error *error, const char *path, int number)
{
    return credentials_fail(
        error, number == ENOENT || number == ENOTDIR ? CREDENTIALS_MISSING : CREDENTIALS_UNREADABLE, "%s: %s",
        path, strerror(number));
}

/* --- places: directories, held open so that all files are of one generation --- */

struct place {
    char *path;
    int directory;
    int generation; /* what `..data` names; -1: there is none */
    int error;      /* errno of why it cannot be opened */
};

struct reader {
    const struct credentials_source *source;
    struct credentials_files *out;
    struct place place[PLACES_MAX];
    size_t place_count;
    bool starved; /* something was not looked at for want of descriptors */
};

/* FD as it was opened; without it, whether that was for want of descriptors is remembered. */
static int noting(struct reader *r, int fd)
{
    r->starved = r->starved || (fd < 0 && (errno == EMFILE || errno == ENFILE));
    return fd;
}

static struct place *open_place(struct reader *r, const char *path, size_t length)
{
    for (size_t i = 0; i < r->place_count; i++)
        if (strlen(r->place[i].path) == length && memcmp(r->place[i].path, path, length) == 0)
            return &r->place[i];
    struct place *place = &r->place[r->place_count];
    *place = (struct place){strndup(path, length), -1, -1, 0};
    if (!place->path)
        return NULL;
    r->place_count++;
    place->directory = noting(r, open(length ? place->path : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (place->directory < 0)
        place->error = errno;
    else
        place->generation = noting(r, openat(place->directory, "..data", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return place;
}

/* Whether `..data` still names what was opened. */
static bool is_current(const struct place *place)
{
    struct stat opened, now;
    if (place->directory < 0)
        return true;
    bool there = fstatat(place->directory, "..data", &now, 0) == 0;
    if (place->generation < 0)
        return !there;
    return there && fstat(place->generation, &opened) == 0 && opened.st_dev == now.st_dev &&
           opened.st_ino == now.st_ino;
}

static void close_places(struct reader *r)
{
    for (size_t i = 0; i < r->place_count; i++) {
        if (r->place[i].generation >= 0)
            close(r->place[i].generation);
        if (r->place[i].directory >= 0)
            close(r->place[i].directory);
        free(r->place[i].path);
    }
    r->place_count = 0;
}

/* Finds the place that NAME is relative to and what it is called there. */
static struct place *locate(struct reader *r, const char **name)
{
    const char *slash = strrchr(*name, '/');
    const char *directory = r->source->directory;
    if ((*name)[0] == '/') {
        struct place *place = open_place(r, *name, (size_t)(slash - *name));
        *name = slash + 1;
        return place;
    }
    return directory ? open_place(r, directory, strlen(directory)) : open_place(r, ".", 1);
}

static int open_at(struct reader *r, const struct place *place, const char *name)
{
    /* Without O_NONBLOCK a FIFO would hold us for ever. */
    int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, file = -1;
    if (place->directory < 0) {
        errno = place->error;
        return -1;
    }
    if (place->generation >= 0)
        file = openat(place->generation, name, flags);
    return noting(r, file >= 0 || (place->generation >= 0 && errno != ENOENT)
                         ? file
                         : openat(place->directory, name, flags));
}

static bool exists(struct reader *r, const char *name)
{
    struct place *place = locate(r, &name);
    int file = place ? open_at(r, place, name) : -1;
    if (file >= 0)
        close(file);
    return file >= 0 || (place && place->directory >= 0 && errno == EACCES);
}

/* --- one file --- */

static char *show_path(const struct reader *r, const char *name)
{
    char *path = NULL;
    const char *directory = r->source->directory;
    if (name[0] == '/' || !directory)
        return strdup(name);
    return asprintf(&path, "%s/%s", directory, name) < 0 ? NULL : path;
}

/* Reads FILE to its end. Old copies of a growing buffer are wiped: it may be a key. */
static bool read_all(struct credentials_error *error, int file, const char *path, size_t size, size_t max,
                     struct credentials_file *out)
{
    size_t room = size + 1;
    uint8_t *data = malloc(room);
    size_t used = 0;
    while (data) {
        ssize_t n = read(file, data + used, room - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            fail_system(error, path, errno);
            break;
        }
        used += (size_t)n;
        if (n == 0) {
            out->data = data;
            out->size = used;
            return true;
        }
        if (used > max) {
            credentials_fail(error, CREDENTIALS_TOO_LARGE, "%s: larger than %zu bytes", path, max);
            break;
        }
        if (used == room) {
            uint8_t *larger = malloc(room * 2);
            if (larger)
                memcpy(larger, data, used);
            pem_wipe_free(data, room);
            data = larger;
            room *= 2;
        }
    }
    if (!data)
        return credentials_fail(error, CREDENTIALS_UNREADABLE, "%s: out of memory", path);
    pem_wipe_free(data, room);
    return false;
}

static bool is_our_group(gid_t group)
{
    if (group == getegid())
        return true;
    int count = getgroups(0, NULL);
    gid_t *groups = count > 0 ? calloc((size_t)count, sizeof *groups) : NULL;
    bool ours = false;
    count = groups ? getgroups(count, groups) : 0;
    for (int i = 0; i < count; i++)
        ours |= groups[i] == group;
    free(groups);
    return ours;
}

static bool check_permissions(struct credentials_error *error, const char *path, const struct stat *st)
{
    const char *who = st->st_mode & (S_IROTH | S_IWOTH)                                  ? "everybody"
                      : (st->st_mode & (S_IRGRP | S_IWGRP)) && !is_our_group(st->st_gid) ? "another group"
                                                                                         : NULL;
    return !who || credentials_fail(error, CREDENTIALS_PERMISSIONS, "%s: %s may read or write it (mode %04o)",
                                    path, who, (unsigned)st->st_mode & 07777);
}

static size_t max_of(const struct reader *r, enum credentials_role role)
{
    switch (role) {
    case CREDENTIALS_CA: return CREDENTIALS_BUNDLE_MAX;
    case CREDENTIALS_CRL: return CRL_FILE_MAX;
    case CREDENTIALS_PASSWORD: return PASSWORD_MAX;
    default: return r->source->max_file ? r->source->max_file : CREDENTIALS_FILE_MAX;
    }
}

static bool read_opened(struct reader *r, enum credentials_role role, int fd, struct credentials_file *file)
{
    struct credentials_error *error = &r->out->error;
    struct stat st;
    bool secret = role == CREDENTIALS_KEY || role == CREDENTIALS_PASSWORD ||
                  (role == CREDENTIALS_CERTIFICATE && r->out->key_in_certificate);
    size_t max = max_of(r, role);
    if (fstat(fd, &st) < 0)
        return fail_system(error, file->path, errno);
    if (!S_ISREG(st.st_mode))
        return credentials_fail(error, CREDENTIALS_UNREADABLE, "%s: not a regular file", file->path);
    if (secret && r->source->strict_permissions && !check_permissions(error, file->path, &st))
        return false;
    if (st.st_size < 0 || (uintmax_t)st.st_size > max)
        return credentials_fail(error, CREDENTIALS_TOO_LARGE, "%s: larger than %zu bytes", file->path, max);
    return read_all(error, fd, file->path, (size_t)st.st_size, max, file);
}

/* Reads NAME for ROLE. OPTIONAL: it may be missing, and a CA bundle empty (cert-manager writes such a one).
 */
static bool read_file(struct reader *r, enum credentials_role role, const char *name, bool optional)
{
    struct credentials_file *file = &r->out->file[role];
    struct credentials_error *error = &r->out->error;
    const char *local = name;
    struct place *place = locate(r, &local);
    int fd = place ? open_at(r, place, local) : -1;
    int number = place ? errno : ENOMEM;
    if (fd < 0 && optional && number == ENOENT && place && place->directory >= 0)
        return true;
    file->path = show_path(r, name);
    if (!file->path || fd < 0) {
        fail_system(error, file->path ? file->path : name, number);
        if (fd >= 0)
            close(fd);
        return false;
    }
    bool ok = read_opened(r, role, fd, file);
    close(fd);
    if (ok && file->size == 0 && !(optional && role == CREDENTIALS_CA))
        return credentials_fail(error, CREDENTIALS_EMPTY, "%s: empty", file->path);
    return ok;
}

/* --- which files --- */

struct plan {
    const char *name[CREDENTIALS_ROLES]; /* NULL: none */
    bool optional[CREDENTIALS_ROLES];
    char *single; /* memory of a name that was found by looking */
};

/* The first of NAMES that is there, or NULL. */
static const char *first_of(struct reader *r, const struct names *names)
{
    for (size_t i = 0; i < sizeof names->name / sizeof *names->name; i++)
        if (names->name[i] && exists(r, names->name[i]))
            return names->name[i];
    return NULL;
}

/* Whether NAME, a file *.pem, holds a private key. */
static bool holds_key(struct reader *r, const struct place *place, const char *name)
{
    static const char mark[] = "PRIVATE KEY-----";
    struct credentials_error ignored = {0};
    struct credentials_file file = {0};
    struct stat st;
    int fd = open_at(r, place, name);
    bool found = false;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        (uintmax_t)st.st_size <= CREDENTIALS_FILE_MAX &&
        read_all(&ignored, fd, name, (size_t)st.st_size, CREDENTIALS_FILE_MAX, &file)) {
        found = memmem(file.data, file.size, mark, sizeof mark - 1) != NULL;
        pem_wipe_free(file.data, file.size);
    }
    if (fd >= 0)
        close(fd);
    return found;
}

static bool is_pem_name(const char *name)
{
    size_t length = strlen(name);
    return name[0] != '.' && length > 4 && strcmp(name + length - 4, ".pem") == 0;
}

/* Finds the only *.pem with a private key. False: an error was told. */
static bool find_single(struct reader *r, struct plan *plan)
{
    const char *here = ".";
    struct place *place = locate(r, &here);
    int from = place && place->generation >= 0 ? place->generation : place ? place->directory : -1;
    int fd = from >= 0 ? noting(r, openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) : -1;
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    bool ok = true;
    int looked = 0;
    if (!directory) {
        if (fd >= 0)
            close(fd);
        return true;
    }
    while (ok && looked < SINGLES_MAX && (entry = readdir(directory))) {
        if (!is_pem_name(entry->d_name) || !holds_key(r, place, entry->d_name))
            continue;
        looked++;
        if (plan->single)
            ok = credentials_fail(&r->out->error, CREDENTIALS_UNPARSABLE,
                                  "%s: several *.pem hold a private key: name the one to take", place->path);
        else
            plan->single = strdup(entry->d_name);
    }
    closedir(directory);
    return ok;
}

static void plan_pair(struct plan *plan, const char *certificate, const char *key)
{
    plan->name[CREDENTIALS_CERTIFICATE] = certificate;
    plan->name[CREDENTIALS_KEY] = key;
}

/* Tells the layout of the directory: the first that fits, else the first of which a part is there. */
static bool detect(struct reader *r, enum credentials_layout *layout, struct plan *plan)
{
    bool crt = exists(r, "tls.crt"), key = exists(r, "tls.key");
    bool svid = exists(r, "svid.pem"), svid_key = exists(r, "svid_key.pem");
    *layout = crt && key              ? CREDENTIALS_KUBERNETES
              : svid && svid_key      ? CREDENTIALS_SPIFFE
              : first_of(r, &BUNDLES) ? CREDENTIALS_BUNDLE
                                      : CREDENTIALS_SINGLE;
    if (*layout != CREDENTIALS_SINGLE)
        return true;
    if (crt || key)
        *layout = CREDENTIALS_KUBERNETES;
    else if (svid || svid_key)
        *layout = CREDENTIALS_SPIFFE;
    else if (!find_single(r, plan))
        return false;
    return true;
}

static bool plan_identity(struct reader *r, enum credentials_layout layout, struct plan *plan)
{
    const char *directory = r->source->directory ? r->source->directory : ".";
    const char *name = NULL;
    const struct place *place;
    switch (layout) {
    case CREDENTIALS_KUBERNETES: plan_pair(plan, "tls.crt", "tls.key"); break;
    case CREDENTIALS_SPIFFE: plan_pair(plan, "svid.pem", "svid_key.pem"); break;
    case CREDENTIALS_BUNDLE:
        name = first_of(r, &BUNDLES);
        plan_pair(plan, name ? name : BUNDLES.name[0], NULL);
        break;
    case CREDENTIALS_SINGLE:
        if (!plan->single && !find_single(r, plan))
            return false;
        if (plan->single) {
            plan_pair(plan, plan->single, NULL);
            break;
        }
        name = ".";
        place = locate(r, &name);
        if (place && place->directory < 0)
            return fail_system(&r->out->error, directory, place->error);
        return credentials_fail(
            &r->out->error, CREDENTIALS_MISSING,
            "%s: no certificate and key in it (tls.crt and tls.key, svid.pem and svid_key.pem, "
            "credentials.pem, or one *.pem with a key)",
            directory);
    default: break;
    }
    return true;
}

/* What the layout calls the CA bundle and the CRLs. */
static void plan_trust(struct reader *r, enum credentials_layout layout, struct plan *plan)
{
    const char *ca = layout == CREDENTIALS_KUBERNETES ? "ca.crt"
                     : layout == CREDENTIALS_SPIFFE   ? "svid_bundle.pem"
                                                      : first_of(r, &COMPANIONS);
    plan->name[CREDENTIALS_CA] = ca ? ca : "ca.crt";
    plan->name[CREDENTIALS_CRL] = "crl.pem";
    plan->optional[CREDENTIALS_CA] = !r->source->ca_required;
    plan->optional[CREDENTIALS_CRL] = true;
}

static bool make_plan(struct reader *r, struct plan *plan)
{
    const struct credentials_source *source = r->source;
    const char *const named[CREDENTIALS_ROLES] = {source->certificate, source->key, source->ca, source->crl,
                                                  source->password};
    enum credentials_layout layout = source->layout;
    bool alone = layout == CREDENTIALS_FILES || !source->directory;
    /* A certificate that is named needs no guess at the layout. */
    if (alone || (layout == CREDENTIALS_AUTO && (source->certificate || source->trust_only)))
        layout = CREDENTIALS_FILES;
    else if (layout == CREDENTIALS_AUTO && !detect(r, &layout, plan))
        return false;
    r->out->layout = layout;
    if (!source->trust_only && !plan_identity(r, layout, plan))
        return false;
    if (!alone)
        plan_trust(r, layout, plan);
    for (size_t i = 0; i < CREDENTIALS_ROLES; i++) {
        if (!named[i] || (source->trust_only && i != CREDENTIALS_CA && i != CREDENTIALS_CRL))
            continue;
        plan->name[i] = named[i];
        plan->optional[i] = false;
    }
    r->out->key_in_certificate = !plan->name[CREDENTIALS_KEY];
    if (!source->trust_only && !plan->name[CREDENTIALS_CERTIFICATE])
        return credentials_fail(&r->out->error, CREDENTIALS_MISSING, "no certificate is named");
    if ((source->ca_required || source->trust_only) && !plan->name[CREDENTIALS_CA])
        return credentials_fail(&r->out->error, CREDENTIALS_MISSING, "no CA bundle is named");
    if (source->trust_only)
        plan->optional[CREDENTIALS_CA] = false;
    return true;
}

/* --- all of them --- */

static void hash_file(wc_Sha256 *sha, const struct credentials_files *files, uint32_t role)
{
    const struct credentials_file *file = &files->file[role];
    uint64_t head[3] = {role, file->data != NULL, file->size};
    wc_Sha256Update(sha, (const uint8_t *)head, sizeof head);
    if (file->size > 0)
        wc_Sha256Update(sha, file->data, (word32)file->size);
}

static void hash_files(struct credentials_files *files)
{
    static const uint32_t trust[] = {CREDENTIALS_CA, CREDENTIALS_CRL};
    static const uint32_t own[] = {CREDENTIALS_CERTIFICATE, CREDENTIALS_KEY, CREDENTIALS_PASSWORD};
    wc_Sha256 sha;
    wc_InitSha256(&sha);
    for (size_t i = 0; i < sizeof trust / sizeof *trust; i++)
        hash_file(&sha, files, trust[i]);
    wc_Sha256Final(&sha, files->trust_hash); /* which begins anew */
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        hash_file(&sha, files, own[i]);
    wc_Sha256Update(&sha, files->trust_hash, sizeof files->trust_hash);
    wc_Sha256Update(&sha, (const uint8_t *)files->error.text, (word32)strlen(files->error.text));
    wc_Sha256Final(&sha, files->hash);
    wc_Sha256Free(&sha);
}

static void read_planned(struct reader *r)
{
    struct plan plan = {0};
    if (make_plan(r, &plan))
        for (size_t i = 0; i < CREDENTIALS_ROLES; i++)
            if (plan.name[i])
                read_file(r, (enum credentials_role)i, plan.name[i], plan.optional[i]);
    free(plan.single);
}

bool credentials_read(const struct credentials_source *source, struct credentials_files *out)
{
    bool current = false;
    for (int i = 0; i < TRIES && !current; i++) {
        struct reader r = {.source = source, .out = out};
        if (i > 0)
            credentials_files_free(out);
        *out = (struct credentials_files){0};
        read_planned(&r);
        current = true;
        for (size_t k = 0; k < r.place_count; k++)
            current &= is_current(&r.place[k]);
        close_places(&r);
        /* What seems to be missing then is perhaps not. */
        if (r.starved)
            out->error = (struct credentials_error){CREDENTIALS_NO_DESCRIPTORS,
                                                    "no descriptor is left to look at the credentials with"};
    }
    if (!current)
        credentials_fail(&out->error, CREDENTIALS_UNREADABLE, "%s: changes faster than it can be read",
                         source->directory ? source->directory : "the files");
    hash_files(out);
    return out->error.fault == CREDENTIALS_OK;
}

void credentials_files_free(struct credentials_files *files)
{
    for (size_t i = 0; i < CREDENTIALS_ROLES; i++) {
        free(files->file[i].path);
        pem_wipe_free(files->file[i].data, files->file[i].size);
        files->file[i] = (struct credentials_file){0};
    }
}
