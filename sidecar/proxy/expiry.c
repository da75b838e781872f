/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines in the log for what expires in service: the own certificate, CA certificates, revocation lists. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sidecar/proxy/proxy_private.h"

enum what { OWN, ROOTS, CRLS, WHATS };

/* What was said last of one thing of one trust. */
struct proxy_expiry {
    int64_t not_after;
    enum credentials_expiry level;
};

static bool is_new(struct proxy *p, size_t trust, enum what what, int64_t not_after,
                   enum credentials_expiry level)
{
    size_t at = trust * WHATS + what;
    if (level == CREDENTIALS_FRESH)
        return false;
    if (at >= p->expiry_count) {
        size_t count = (trust + 1) * WHATS;
        struct proxy_expiry *more = realloc(p->expiry, count * sizeof *more);
        if (more == NULL)
            return false;
        memset(more + p->expiry_count, 0, (count - p->expiry_count) * sizeof *more);
        p->expiry = more;
        p->expiry_count = count;
    }
    struct proxy_expiry *told = &p->expiry[at];
    if (told->not_after == not_after && told->level >= level)
        return false;
    *told = (struct proxy_expiry){not_after, level};
    return true;
}

/* A line when a third, a tenth and a fiftieth of a lifetime is left, and when it is over. */
static void look(struct proxy *p, size_t trust, enum what what, int64_t not_before, int64_t not_after)
{
    static const char *const words[WHATS][2] = {
        [OWN] = {"own certificate expires soon", "own certificate has expired"},
        [ROOTS] = {"a CA certificate expires soon", "a CA certificate has expired"},
        [CRLS] = {"", "a revocation list has expired"},
    };
    enum credentials_expiry level = credentials_expiry_level(not_before, not_after, time(NULL));
    bool over = level == CREDENTIALS_OVER;
    struct log_line line;
    char text[64];
    if (!is_new(p, trust, what, not_after, level) || !log_wants(p->log, over ? LOG_ERROR : LOG_WARN))
        return;
    (void)x509_time_text(not_after, text, sizeof text);
    log_begin(&line, p->log, over ? LOG_ERROR : LOG_WARN, "expiry", words[what][over]);
    if (trust != 0)
        log_text(&line, "ca", p->snapshot->config->ca[trust - 1].name);
    log_text(&line, "not_after", text);
    log_end(&line);
}

void proxy_warn_expiry(struct proxy *p)
{
    for (size_t i = 0; p->snapshot && i < p->snapshot->trust_count; i++) {
        const struct credentials *c = p->snapshot->trust[i].credentials;
        if (c->chain_count != 0)
            look(p, i, OWN, c->not_before, c->not_after);
        if (c->roots_not_after != 0)
            look(p, i, ROOTS, c->roots_not_before, c->roots_not_after);
        /* Lists are replaced shortly before: that one is due soon is no news. */
        int64_t due = c->crls ? crl_index_stats(c->crls).next_update : 0;
        if (due != 0 && due < time(NULL))
            look(p, i, CRLS, due, due);
    }
}
