/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/top.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "sidecar/client.h"
#include "sidecar/top_text.h"
#include "sidecar/top_view.h"

enum { TIMEOUT = 2000 /* ms for an answer */, ONCE_WIDTH = 160, PARTS = 4, TARGET_SIZE = 64 };

struct top {
    struct client_place place;
    struct top_view view;
    struct rules_arena arena; /* of the trees */
    unsigned interval;        /* ms */
    bool once;
    struct termios before; /* of the terminal */
    sigset_t waiting;      /* the signal mask while waiting */
    char trouble[CLIENT_ERROR];
};

/* --- asking --- */

/* One answer as a tree in ARENA. */
static const struct json_node *ask(struct top *top, struct rules_arena *arena, const char *target)
{
    struct client_answer answer;
    const char *error = NULL;
    if (!client_ask(&top->place, "GET", target, TIMEOUT, &answer, top->trouble))
        return NULL;
    const struct json_node *tree =
        answer.status == 200 ? json_tree(arena, answer.body, answer.size, &error) : NULL;
    if (answer.status != 200)
        (void)snprintf(top->trouble, sizeof top->trouble, "%s answers %d: %.200s", target, answer.status,
                       answer.body);
    else if (tree == NULL)
        (void)snprintf(top->trouble, sizeof top->trouble, "%s answers what is not JSON: %s", target, error);
    client_answer_free(&answer);
    return tree;
}

/*
 * Asks for everything anew. When the status does not come, the last figures stay, and why is told; what else
 * does not come is merely absent.
 */
static void ask_all(struct top *top)
{
    struct rules_arena arena = {0};
    char peers[TARGET_SIZE];
    struct top_view *v = &top->view;
    const struct json_node *status = ask(top, &arena, "/status");
    if (status == NULL) {
        rules_arena_free(&arena);
        v->trouble = top->trouble;
        return;
    }
    v->trouble = NULL;
    v->status = status;
    (void)snprintf(peers, sizeof peers, "/peers?top=100&by=%s", top_sort_name[v->sort]);
    v->peers = ask(top, &arena, peers);
    v->events = ask(top, &arena, "/events?limit=100");
    v->rules = ask(top, &arena, "/rules");
    rules_arena_free(&top->arena);
    top->arena = arena;
    v->before = v->now;
    top_counts_take(status, &v->now);
}

/* --- the terminal --- */

static volatile sig_atomic_t caught; /* a signal that ends it */

static void on_signal(int number)
{
    if (number != SIGWINCH)
        caught = number;
}

static void write_all(const void *data, size_t size)
{
    const char *p = data;
    while (size) {
        ssize_t n = write(STDOUT_FILENO, p, size);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return;
        if (n > 0) {
            p += n;
            size -= (size_t)n;
        }
    }
}

/* Another screen, keys as they are pressed, no cursor. Signals come only while waiting. */
static bool screen_enter(struct top *top)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH};
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t blocked;
    if (tcgetattr(STDIN_FILENO, &top->before) != 0)
        return false;
    (void)sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        (void)sigaddset(&blocked, numbers[i]);
        (void)sigaction(numbers[i], &action, NULL);
    }
    (void)sigprocmask(SIG_BLOCK, &blocked, &top->waiting);
    struct termios raw = top->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    raw.c_cc[VSUSP] = _POSIX_VDISABLE; /* ^Z would leave the terminal as it is */
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    static const char enter[] = "\x1b[?1049h\x1b[?25l\x1b[2J";
    write_all(enter, sizeof enter - 1);
    return true;
}

static void screen_leave(const struct top *top)
{
    static const char leave[] = "\x1b[0m\x1b[?25h\x1b[?1049l";
    write_all(leave, sizeof leave - 1);
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &top->before);
    (void)sigprocmask(SIG_SETMASK, &top->waiting, NULL);
}

static void screen_draw(struct top *top)
{
    struct winsize size = {0};
    struct rules_buffer frame = {0}, out = {0};
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
    top->view.width = known ? size.ws_col : 80;
    top->view.height = known ? size.ws_row : 24;
    top_view_draw(&top->view, &frame);
    /* Lines are as wide as the screen: each is placed, so that none wraps. */
    unsigned row = 1;
    for (size_t from = 0; from < frame.size; row++) {
        const uint8_t *end = memchr(frame.data + from, '\n', frame.size - from);
        size_t n = end ? (size_t)(end - frame.data) - from : frame.size - from;
        rules_buffer_format(&out, "\x1b[%u;1H", row);
        rules_buffer_add(&out, frame.data + from, n);
        from += n + 1;
    }
    if (!frame.failed && !out.failed)
        write_all(out.data, out.size);
    rules_buffer_free(&frame);
    rules_buffer_free(&out);
}

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

enum happening { TIME_UP, REDRAW, ASK_AGAIN, END };

static enum happening on_key(struct top *top, char key)
{
    static const char sorts[TOP_SORTS] = {'r', 'c', 'b', 'x'};
    if (key == 'q' || key == 'Q')
        return END;
    if (key == 'p') {
        top->view.paused = !top->view.paused;
        return top->view.paused ? REDRAW : ASK_AGAIN;
    }
    for (unsigned i = 0; i < TOP_SORTS; i++) {
        if (key == sorts[i]) {
            top->view.sort = (enum top_sort)i;
            return ASK_AGAIN;
        }
    }
    return REDRAW;
}

/* Waits for a key, a signal or the time UNTIL. */
static enum happening wait_for(struct top *top, int64_t until)
{
    for (;;) {
        struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
        int64_t left = until - now_ms();
        if (left <= 0 && !top->view.paused)
            return TIME_UP;
        struct timespec t = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
        int n = ppoll(&p, 1, top->view.paused ? NULL : &t, &top->waiting);
        if (caught || (n > 0 && p.revents & (POLLHUP | POLLERR | POLLNVAL)))
            return END;
        if (n < 0)
            return REDRAW; /* the screen has another size */
        char key;
        ssize_t got = n > 0 ? read(STDIN_FILENO, &key, 1) : 0;
        if (n > 0 && got == 0)
            return END;
        if (got == 1)
            return on_key(top, key);
    }
}

static int live(struct top *top)
{
    if (!isatty(STDOUT_FILENO) || !screen_enter(top)) {
        (void)fputs("sidecar top: this is no terminal: --once prints one frame\n", stderr);
        return 2;
    }
    enum happening next = TIME_UP;
    int64_t until = 0;
    while (next != END) {
        if (next != REDRAW) {
            ask_all(top);
            until = now_ms() + top->interval;
        }
        screen_draw(top);
        next = wait_for(top, until);
    }
    screen_leave(top);
    if (caught) { /* it ends as by the signal */
        (void)signal(caught, SIG_DFL);
        (void)raise(caught);
    }
    return 0;
}

/* --- one frame --- */

static unsigned columns(void)
{
    const char *text = getenv("COLUMNS");
    char *end = NULL;
    unsigned long n = text ? strtoul(text, &end, 10) : 0;
    return n >= 20 && n <= 1000 && *end == '\0' ? (unsigned)n : ONCE_WIDTH;
}

/* Two questions, an interval apart, for the rates. */
static int once(struct top *top)
{
    struct rules_buffer out = {0};
    ask_all(top);
    if (top->view.trouble == NULL) {
        struct timespec t = {.tv_sec = top->interval / 1000, .tv_nsec = top->interval % 1000 * 1000000L};
        (void)nanosleep(&t, NULL);
        ask_all(top);
    }
    if (top->view.trouble) {
        (void)fputs("sidecar top: ", stderr);
        top_text_print(stderr, top->trouble);
        (void)fputc('\n', stderr);
        return 1;
    }
    top->view.plain = true;
    top->view.width = columns();
    top_view_draw(&top->view, &out);
    write_all(out.data, out.size);
    bool good = !out.failed;
    rules_buffer_free(&out);
    return good ? 0 : 1;
}

static void usage(FILE *out)
{
    (void)fputs("usage: sidecar top -c FILE | --admin ADDRESS [OPTION]...\n"
                "\n"
                "Shows what a running sidecar does, live, by its admin listener.\n"
                "\n"
                "  -c, --config FILE      the sidecar's configuration, which names the listener\n"
                "  -a, --admin ADDRESS    the listener itself: 127.0.0.1:9901 or unix:/path\n"
                "  -i, --interval SECONDS between two looks, 0.1 to 60 (1)\n"
                "  -s, --sort BY          requests, connections, bytes or refused (requests)\n"
                "  -1, --once             prints one frame as plain text; as wide as $COLUMNS says (160)\n"
                "  -h, --help             this text\n"
                "\n"
                "Keys: q ends it, p pauses, r c b x sort by requests, connections, bytes, refused.\n"
                "Exit status: 0 ended by q or a frame printed, 1 no answer, 2 wrong usage.\n",
                out);
}

static bool read_interval(const char *text, unsigned *ms)
{
    char *end;
    double s = strtod(text, &end);
    if (end == text || *end || !(s >= 0.1 && s <= 60))
        return false;
    *ms = (unsigned)(s * 1000);
    return true;
}

static bool read_sort(const char *text, enum top_sort *sort)
{
    for (unsigned i = 0; i < TOP_SORTS; i++) {
        if (strcmp(text, top_sort_name[i]) == 0) {
            *sort = (enum top_sort)i;
            return true;
        }
    }
    return false;
}

int top_main(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"admin", required_argument, NULL, 'a'},
                                            {"interval", required_argument, NULL, 'i'},
                                            {"sort", required_argument, NULL, 's'},
                                            {"once", no_argument, NULL, '1'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct top top = {.interval = 1000};
    const char *config = NULL, *admin = NULL;
    bool good = true;
    int option;
    while (good && (option = getopt_long(argc, argv, "c:a:i:s:1h", options, NULL)) != -1) {
        switch (option) {
        case 'c': config = optarg; break;
        case 'a': admin = optarg; break;
        case 'i': good = read_interval(optarg, &top.interval); break;
        case 's': good = read_sort(optarg, &top.view.sort); break;
        case '1': top.once = true; break;
        case 'h': usage(stdout); return 0;
        default: good = false;
        }
    }
    if (!good || optind != argc || !config == !admin) {
        usage(stderr);
        return 2;
    }
    if (!client_find(admin, config, &top.place, top.trouble)) {
        (void)fprintf(stderr, "sidecar top: %s\n", top.trouble);
        return 2;
    }
    int status = top.once ? once(&top) : live(&top);
    rules_arena_free(&top.arena);
    client_place_free(&top.place);
    return status;
}
