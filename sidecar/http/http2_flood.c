/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/http/http2_private.h"

enum { HELD_S = 10, STEP_MS = 10, EARNED = 4000 };

static int64_t rate(const struct http2_conn *c, int which)
{
    switch (which) {
    case HTTP2_RATE_RESET: return c->limits->resets_per_second;
    case HTTP2_RATE_PING: return c->limits->pings_per_second;
    case HTTP2_RATE_SETTINGS: return c->limits->settings_per_second;
    default: return c->limits->empties_per_second;
    }
}

/* Tokens count in thousandths, so a rate per second is one per millisecond. */
void http2_tokens_fill(struct http2_conn *c)
{
    uint64_t now = c->sink->now_ms, passed = now - c->filled_ms;
    if (c->filled_ms == UINT64_MAX || passed > HELD_S * 1000)
        passed = HELD_S * 1000;
    else if (passed < STEP_MS)
        return;
    c->filled_ms = now;
    for (int side = HTTP2_DOWN; side <= HTTP2_UP; side++) {
        for (int i = 0; i < HTTP2_RATES; i++) {
            int64_t *tokens = &c->peer[side].tokens[i], most = rate(c, i) * HELD_S * 1000;
            *tokens += rate(c, i) * (int64_t)passed;
            if (*tokens > most)
                *tokens = most;
        }
    }
}

bool http2_token(struct http2_conn *c, enum http2_side side, enum http2_rate which)
{
    int64_t *tokens = &c->peer[side].tokens[which];
    if (*tokens < 1000)
        return false;
    *tokens -= 1000;
    return true;
}

void http2_tokens_earn(struct http2_conn *c)
{
    int64_t most = rate(c, HTTP2_RATE_PING) * HELD_S * 1000;
    for (int side = HTTP2_DOWN; side <= HTTP2_UP; side++) {
        int64_t *tokens = &c->peer[side].tokens[HTTP2_RATE_PING];
        *tokens = *tokens + EARNED < most ? *tokens + EARNED : most;
    }
}
