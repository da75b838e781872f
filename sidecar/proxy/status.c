/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "sidecar/proxy/proxy_private.h"

enum {
    BEAT_LATE = 10000, /* ms after which a worker that does not answer counts as stuck */
    TRIM_AFTER = 256,  /* connections closed that make giving memory back worth it */
    COUNT_BEATS = 5,   /* after so many quarantine is counted, and what is over there forgotten */
};

/* --- health --- */

static void add_reason(struct proxy_reasons *reasons, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_reason(struct proxy_reasons *reasons, const char *format, ...)
{
    va_list args;
    if (reasons->count == PROXY_REASONS)
        return;
    va_start(args, format);
    (void)vsnprintf(reasons->text[reasons->count++], PROXY_REASON, format, args);
    va_end(args);
}

static void alive_reasons(const struct proxy *p, struct proxy_reasons *reasons)
{
    uint64_t now = uv_hrtime() / 1000000;
    for (unsigned i = 0; i < p->count; i++) {
        uint64_t beat = worker_beat(p->workers[i]);
        if (now > beat + BEAT_LATE)
            add_reason(reasons, "worker %u has not answered for %llu s", i,
                       (unsigned long long)(now - beat) / 1000);
    }
}

static void start_reasons(const struct proxy *p, struct proxy_reasons *reasons)
{
    for (size_t i = 0; i < sources_count(p->sources); i++) {
        if (sources_credentials(p->sources)[i] == NULL)
            add_reason(reasons, "%s: no valid credentials yet", sources_name(p->sources, i));
    }
    for (unsigned i = 0; reasons->count == 0 && i < p->count; i++) {
        if (worker_adopted(p->workers[i]) == 0)
            add_reason(reasons, "worker %u is not listening yet", i);
    }
}

bool proxy_is_alive(const struct proxy *p, struct proxy_reasons *reasons)
{
    reasons->count = 0;
    alive_reasons(p, reasons);
    return reasons->count == 0;
}

bool proxy_has_started(const struct proxy *p, struct proxy_reasons *reasons)
{
    reasons->count = 0;
    for (unsigned i = 0; i < p->count; i++) {
        if (worker_adopted(p->workers[i]) == 0) {
            start_reasons(p, reasons);
            return false;
        }
    }
    return true;
}

bool proxy_is_ready(const struct proxy *p, struct proxy_reasons *reasons)
{
    const struct credentials *own = p->snapshot ? p->snapshot->trust[0].credentials : NULL;
    reasons->count = 0;
    if (p->state >= PROXY_LEAVING)
        add_reason(reasons, "draining");
    start_reasons(p, reasons);
    alive_reasons(p, reasons);
    if (own && own->chain_count != 0 && own->not_after < time(NULL))
        add_reason(reasons, "own certificate has expired");
    return reasons->count == 0;
}

/* --- once a second --- */

/* After a burst of connections has gone, their memory goes back to the system. */
static void trim_memory(struct proxy *p)
{
    uint64_t open = proxy_open_sessions(p);
    if (open > p->trim_peak)
        p->trim_peak = open;
    if (p->trim_peak < open + TRIM_AFTER || open > p->trim_peak / 2)
        return;
    p->trim_peak = open;
    (void)malloc_trim(0);
}

void proxy_beat(struct proxy *p)
{
    for (unsigned i = 0; i < p->count; i++)
        worker_poke(p->workers[i]);
    proxy_warn_expiry(p);
    trim_memory(p);
    if (++p->beats % COUNT_BEATS == 0 && p->shared.quarantine)
        p->quarantined = quarantine_count(p->shared.quarantine, uv_now(&p->loop));
}
