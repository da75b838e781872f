/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The figures of several services as one text, in which each family stands together and has one head. */
#include <stdlib.h>
#include <string.h>

#include "sidecar/admin/scrape.h"

static const char HEAD[][8] = {"# HELP ", "# TYPE "};
enum { HELP, TYPE, HEADS, HEAD_SIZE = 7 };

struct words {
    const char *p;
    size_t n;
};

/* Lines of one service that follow each other and are of one family. */
struct scrape_run {
    struct words name; /* of the family */
    struct words text; /* whole lines; what is not wanted may be among them */
    const char *label;
    size_t number;
};

/* --- lines --- */

/* Takes the next line off TEXT, without what ends it and without the blanks it begins with. */
static struct words next_line(struct words *text)
{
    const char *end = memchr(text->p, '\n', text->n);
    struct words line = {text->p, end ? (size_t)(end - text->p) : text->n};
    size_t taken = line.n + (end != NULL);
    *text = (struct words){text->p + taken, text->n - taken};
    if (line.n != 0 && line.p[line.n - 1] == '\r')
        line.n--;
    for (; line.n != 0 && *line.p == ' '; line.n--)
        line.p++;
    return line;
}

/* Which head the line is; HEADS: none. */
static unsigned head_of(struct words line)
{
    unsigned head = 0;
    while (head < HEADS && (line.n < HEAD_SIZE || memcmp(line.p, HEAD[head], HEAD_SIZE) != 0))
        head++;
    return head;
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == ':';
}

/* The name that the line is about; N 0: the line is of no use. */
static struct words name_of(struct words line)
{
    struct words name = line;
    if (line.n == 0 || memchr(line.p, '\0', line.n))
        return (struct words){0};
    if (head_of(line) != HEADS)
        name = (struct words){line.p + HEAD_SIZE, line.n - HEAD_SIZE};
    size_t n = 0;
    while (n < name.n && is_name(name.p[n]))
        n++;
    name.n = n;
    static const char own[] = "outrider_"; /* nobody speaks for the sidecar */
    if (n >= sizeof own - 1 && memcmp(name.p, own, sizeof own - 1) == 0)
        name = (struct words){0};
    return name;
}

static bool same(struct words a, struct words b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static bool is(struct words a, const char *text)
{
    return same(a, (struct words){text, strlen(text)});
}

/* --- taking --- */

/* The parts of a histogram or a summary have names of their own. */
static bool is_part(struct words family, struct words name)
{
    if (name.n <= family.n || memcmp(name.p, family.p, family.n) != 0)
        return false;
    struct words end = {name.p + family.n, name.n - family.n};
    return is(end, "_bucket") || is(end, "_sum") || is(end, "_count");
}

static bool has_parts(struct words type_line, struct words name)
{
    struct words type = {name.p + name.n, type_line.n - HEAD_SIZE - name.n};
    return is(type, " histogram") || is(type, " summary");
}

static struct scrape_run *add_run(struct scrape_merge *m)
{
    if (m->count == SCRAPE_RUNS)
        return NULL;
    if (m->count == m->capacity) {
        size_t capacity = 2 * m->capacity + 64;
        struct scrape_run *more = realloc(m->run, capacity * sizeof *more);
        if (more == NULL)
            return NULL;
        m->run = more;
        m->capacity = capacity;
    }
    return &m->run[m->count++];
}

bool scrape_merge_take(struct scrape_merge *m, const char *label, const char *text, size_t size)
{
    size_t before = m->count;
    struct words rest = {text, size}, family = {0};
    bool parts = false;
    while (rest.n != 0) {
        struct words line = next_line(&rest), name = name_of(line);
        if (name.n == 0)
            continue;
        bool same_family = family.n != 0 && (same(name, family) || (parts && is_part(family, name)));
        struct scrape_run *run = same_family ? &m->run[m->count - 1] : add_run(m);
        if (run == NULL) {
            m->count = before;
            return false;
        }
        if (!same_family) {
            *run = (struct scrape_run){name, {line.p, 0}, label, m->count};
            family = name;
            parts = false;
        }
        run->text.n = (size_t)(line.p + line.n - run->text.p);
        if (head_of(line) == TYPE)
            parts = has_parts(line, name);
    }
    return true;
}

/* --- writing --- */

/* Whether the labels, as they follow the brace, have one of this name. */
static bool has_label(struct words labels, struct words name)
{
    const char *p = labels.p, *end = p + labels.n;
    while (p < end && *p != '}') {
        const char *from = p;
        while (p < end && is_name(*p))
            p++;
        if (p < end && p != from && *p == '=' && same((struct words){from, (size_t)(p - from)}, name))
            return true;
        if (p < end && *p == '"') {
            for (p++; p < end && *p != '"'; p++)
                p += *p == '\\';
        }
        p++;
    }
    return false;
}

/* A sample; where there are several services, with the label that tells whose it is. */
static void write_sample(struct metrics_text *out, struct words line, const char *label)
{
    static const struct words name = {"scrape", 6};
    size_t n = name_of(line).n;
    struct words rest = {line.p + n, line.n - n};
    bool braced = rest.n != 0 && rest.p[0] == '{';
    if (braced)
        rest = (struct words){rest.p + 1, rest.n - 1};
    if (label == NULL || (braced && has_label(rest, name))) {
        metrics_append(out, "%.*s\n", (int)line.n, line.p);
        return;
    }
    for (; braced && rest.n != 0 && rest.p[0] == ' '; rest.n--)
        rest.p++;
    bool more = braced && rest.n != 0 && rest.p[0] != '}';
    metrics_append(out, "%.*s{scrape=\"%s\"%s%.*s\n", (int)n, line.p, label,
                   more     ? ","
                   : braced ? ""
                            : "}",
                   (int)rest.n, rest.p);
}

/* The first head of the kind among COUNT runs of a family. */
static void write_head(struct metrics_text *out, const struct scrape_run *run, size_t count, unsigned head)
{
    for (size_t i = 0; i < count; i++) {
        struct words rest = run[i].text;
        while (rest.n != 0) {
            struct words line = next_line(&rest);
            if (name_of(line).n != 0 && head_of(line) == head) {
                metrics_append(out, "%.*s\n", (int)line.n, line.p);
                return;
            }
        }
    }
}

static void write_samples(struct metrics_text *out, const struct scrape_run *run)
{
    struct words rest = run->text;
    while (rest.n != 0) {
        struct words line = next_line(&rest);
        if (name_of(line).n != 0 && head_of(line) == HEADS)
            write_sample(out, line, run->label);
    }
}

static int by_name(const void *a, const void *b)
{
    const struct scrape_run *x = a, *y = b;
    size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
    int order = memcmp(x->name.p, y->name.p, n);
    if (order == 0)
        order = (x->name.n > y->name.n) - (x->name.n < y->name.n);
    return order ? order : x->number < y->number ? -1 : 1;
}

void scrape_merge_write(struct scrape_merge *m, struct metrics_text *out)
{
    if (m->count)
        qsort(m->run, m->count, sizeof *m->run, by_name);
    for (size_t i = 0, next; i < m->count; i = next) {
        for (next = i + 1; next < m->count && same(m->run[next].name, m->run[i].name);)
            next++;
        for (unsigned head = 0; head < HEADS; head++)
            write_head(out, &m->run[i], next - i, head);
        for (size_t j = i; j < next; j++)
            write_samples(out, &m->run[j]);
    }
    free(m->run);
    *m = (struct scrape_merge){0};
}
