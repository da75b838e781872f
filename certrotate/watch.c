/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "certrotate/watch.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
    POLL_MS = 10000,
    POLL_BLIND_MS = 800, /* where no events come: a change is seen within a second */
    DEBOUNCE_MS = 50,
    DEBOUNCE_LIMIT = 8, /* times the quiet time: so long may events follow each other until we act */
    LINKS_MAX = 40,     /* symlinks on the way, as in the kernel */
    SPOTS_MAX = 1024,
};

/* A place under watch. */
struct spot {
    enum notify_kind kind;
    struct notify_place *place;
    char *path;
    char *name; /* of NOTIFY_NAME, else NULL */
};

struct watch {
    uv_loop_t *loop;
    struct notify *notify;
    uv_timer_t poll;
    uv_timer_t debounce;
    int timers_open;
    bool stopped;
    bool blind;         /* events are missing for some path */
    uint64_t burst_end; /* loop time at which a burst of events is cut; 0: none is under way */
    struct spot *spot;
    size_t spot_count;
    struct watch_options options; /* paths are our own */
    char **paths;
};

/* --- spots --- */

static void free_spot(struct spot *spot)
{
    free(spot->path);
    free(spot->name);
}

static void remove_spots(struct watch *w, struct spot *spots, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        notify_remove(w->notify, spots[i].place);
        free_spot(&spots[i]);
    }
    free(spots);
}

static void on_debounced(uv_timer_t *timer);

/* Something happened: act once it has been quiet, but not too late. */
static void stir(struct watch *w)
{
    uint64_t now = uv_now(w->loop), quiet = w->options.debounce_ms;
    if (w->burst_end == 0)
        w->burst_end = now + quiet * DEBOUNCE_LIMIT;
    uint64_t left = w->burst_end > now ? w->burst_end - now : 0;
    uv_timer_start(&w->debounce, on_debounced, left < quiet ? left : quiet, 0);
}

static void on_event(void *arg)
{
    stir(arg);
}

/* Filesystems that others write to without the kernel noticing. */
static bool is_remote(const char *directory)
{
    static const unsigned long remote[] = {
        NFS_SUPER_MAGIC, CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC, FUSE_SUPER_MAGIC, V9FS_MAGIC, CEPH_SUPER_MAGIC,
    };
    struct statfs fs;
    if (statfs(directory, &fs) < 0)
        return false;
    for (size_t i = 0; i < sizeof remote / sizeof *remote; i++)
        if ((unsigned long)(unsigned)fs.f_type == remote[i])
            return true;
    return false;
}

static bool same_name(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool fill_spot(struct watch *w, struct spot *spot, enum notify_kind kind, const char *path,
                      const char *name)
{
    *spot = (struct spot){.kind = kind, .path = strdup(path), .name = name ? strdup(name) : NULL};
    if (spot->path && (spot->name || !name)) {
        /* ENOSPC: no watch is left for this user; EMFILE: no inotify instance; EACCES, ENOENT ... */
        spot->place = notify_add(w->notify, kind, path, name, on_event, w);
        if (spot->place)
            return true;
    }
    free_spot(spot);
    return false;
}

/* Watches PATH. What cannot be watched is left to the poll. */
static void add_spot(struct watch *w, enum notify_kind kind, const char *path, const char *name)
{
    if (w->options.poll_only)
        return;
    for (size_t i = 0; i < w->spot_count; i++)
        if (w->spot[i].kind == kind && strcmp(w->spot[i].path, path) == 0 && same_name(w->spot[i].name, name))
            return;
    struct spot *more =
        w->spot_count < SPOTS_MAX ? realloc(w->spot, (w->spot_count + 1) * sizeof *w->spot) : NULL;
    if (more)
        w->spot = more;
    if (more && fill_spot(w, &w->spot[w->spot_count], kind, path, name))
        w->spot_count++;
    else
        w->blind = true;
}

/* --- walking a path --- */

/* A way to go: DIRECTORY is resolved, REST still to be walked. */
struct way {
    char directory[PATH_MAX];
    char rest[PATH_MAX];
    unsigned links;
};

/* Puts the symlink's TARGET in front of what is still to be walked. */
static bool follow_link(struct way *way, const char *path)
{
    char target[PATH_MAX], joined[PATH_MAX];
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length <= 0 || ++way->links > LINKS_MAX)
        return false;
    target[length] = '\0';
    int n = snprintf(joined, sizeof joined, "%s/%s", target, way->rest);
    if (n < 0 || (size_t)n >= sizeof joined)
        return false;
    if (target[0] == '/')
        memcpy(way->directory, "/", 2);
    memcpy(way->rest, joined, (size_t)n + 1);
    return true;
}

/* Takes one component off; false: the way ends here, and *OPEN tells whether it ends in a directory. */
static bool step(struct watch *w, struct way *way, bool *open)
{
    char name[NAME_MAX + 1], path[PATH_MAX];
    struct stat st;
    const char *rest = way->rest + strspn(way->rest, "/");
    size_t length = strcspn(rest, "/");
    *open = length == 0;
    if (length == 0 || length > NAME_MAX)
        return false;
    memcpy(name, rest, length);
    name[length] = '\0';
    memmove(way->rest, rest + length, strlen(rest + length) + 1);
    if (strcmp(name, ".") == 0)
        return true;
    bool root = strcmp(way->directory, "/") == 0;
    int n = snprintf(path, sizeof path, "%s/%s", root ? "" : way->directory, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return false;
    /* `..` cannot change, all else can: it may be missing, a symlink, or replaced as a whole. */
    if (strcmp(name, "..") != 0)
        add_spot(w, NOTIFY_NAME, way->directory, name);
    if (lstat(path, &st) < 0) {
        /* That it becomes accessible is told by no event. */
        if (errno != ENOENT)
            w->blind = true;
        return false;
    }
    if (S_ISLNK(st.st_mode))
        return follow_link(way, path);
    if (S_ISREG(st.st_mode))
        add_spot(w, NOTIFY_FILE, path, NULL);
    if (!S_ISDIR(st.st_mode))
        return false;
    memcpy(way->directory, path, (size_t)n + 1);
    return true;
}

/* Watches every place that decides what PATH leads to. Writes to *WAY where that is. True: to a directory. */
static bool walk(struct watch *w, const char *path, struct way *way)
{
    bool open;
    way->links = 0;
    memcpy(way->directory, path[0] == '/' ? "/" : ".", 2);
    int n = snprintf(way->rest, sizeof way->rest, "%s", path);
    if (n < 0 || (size_t)n >= sizeof way->rest)
        return false;
    while (step(w, way, &open)) {
    }
    if (is_remote(way->directory))
        w->blind = true;
    return open;
}

static void look_at(struct watch *w, const char *path)
{
    struct way way;
    char data[PATH_MAX];
    if (!walk(w, path, &way))
        return;
    add_spot(w, NOTIFY_DIRECTORY, way.directory, NULL);
    int n = snprintf(data, sizeof data, "%s/..data", way.directory);
    if (n > 0 && (size_t)n < sizeof data && walk(w, data, &way))
        add_spot(w, NOTIFY_DIRECTORY, way.directory, NULL);
}

/* Everything is looked up anew, since a directory may have been replaced by one of the same name; the old
 * spots end after the new ones have begun, so that nothing is missed in between. */
static void look_again(struct watch *w)
{
    struct spot *old = w->spot;
    size_t old_count = w->spot_count;
    w->spot = NULL;
    w->spot_count = 0;
    w->blind = w->options.poll_only;
    for (size_t i = 0; i < w->options.path_count; i++)
        look_at(w, w->paths[i]);
    remove_spots(w, old, old_count);
}

/* --- the two timers --- */

static void on_poll(uv_timer_t *timer);

static void arm_poll(struct watch *w)
{
    unsigned period = w->options.poll_ms ? w->options.poll_ms : w->blind ? POLL_BLIND_MS : POLL_MS;
    uv_timer_start(&w->poll, on_poll, period, 0);
}

static void report(struct watch *w)
{
    w->burst_end = 0;
    uv_timer_stop(&w->debounce);
    look_again(w);
    arm_poll(w);
    w->options.changed(w->options.arg);
}

static void on_poll(uv_timer_t *timer)
{
    report(timer->data);
}

static void on_debounced(uv_timer_t *timer)
{
    report(timer->data);
}

/* --- life --- */

static void free_watch(struct watch *w)
{
    for (size_t i = 0; w->paths && i < w->options.path_count; i++)
        free(w->paths[i]);
    free(w->paths);
    free(w);
}

static bool copy_paths(struct watch *w, const struct watch_options *options)
{
    w->paths = calloc(options->path_count ? options->path_count : 1, sizeof(char *));
    for (size_t i = 0; w->paths && i < options->path_count; i++) {
        w->paths[i] = strdup(options->paths[i]);
        if (!w->paths[i])
            return false;
    }
    return w->paths != NULL;
}

int watch_start(uv_loop_t *loop, const struct watch_options *options, struct watch **out)
{
    struct watch *w = calloc(1, sizeof *w);
    *out = NULL;
    if (!w)
        return UV_ENOMEM;
    w->loop = loop;
    w->options = *options;
    w->options.paths = NULL;
    if (w->options.debounce_ms == 0)
        w->options.debounce_ms = DEBOUNCE_MS;
    w->notify = options->notify ? notify_ref(options->notify) : notify_new(loop);
    if (!w->notify || !copy_paths(w, options)) {
        notify_unref(w->notify);
        free_watch(w);
        return UV_ENOMEM;
    }
    /* Cannot fail in libuv. */
    uv_timer_init(loop, &w->poll);
    uv_timer_init(loop, &w->debounce);
    w->poll.data = w->debounce.data = w;
    w->timers_open = 2;
    look_again(w);
    arm_poll(w);
    if (options->call_first)
        uv_timer_start(&w->debounce, on_debounced, 0, 0);
    *out = w;
    return 0;
}

bool watch_has_events(const struct watch *w)
{
    return !w->blind;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct watch *w = handle->data;
    if (--w->timers_open == 0)
        free_watch(w);
}

void watch_stop(struct watch *w)
{
    if (!w || w->stopped)
        return;
    w->stopped = true;
    remove_spots(w, w->spot, w->spot_count);
    w->spot = NULL;
    w->spot_count = 0;
    notify_unref(w->notify);
    uv_close((uv_handle_t *)&w->poll, on_timer_closed);
    uv_close((uv_handle_t *)&w->debounce, on_timer_closed);
}
