/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A client of a sidecar's admin listener, for the commands that look at one that runs: it blocks, and makes a
 * connection for each question.
 */
#ifndef SIDECAR_CLIENT_H
#define SIDECAR_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "config/config.h"

enum { CLIENT_ERROR = 320, CLIENT_ANSWER_MAX = 64 << 20 };

/* Where the listener is; begins as {0}. */
struct client_place {
    struct config *config; /* the address is its */
    const struct config_addr *at;
};

/*
 * By ADDRESS as it stands in a configuration (127.0.0.1:9901, unix:/path), or else as the configuration file
 * CONFIG says, where a UNIX socket is preferred, since state changes only over one. Exactly one of the two is
 * not NULL. False: ERROR says why.
 */
bool client_find(const char *address, const char *config, struct client_place *place,
                 char error[CLIENT_ERROR]) __attribute__((warn_unused_result));
void client_place_free(struct client_place *place);

/* Process number of who listens there; 0: it is not known, as over TCP or from another PID namespace. */
pid_t client_process(const struct client_place *place);

struct client_answer {
    int status;
    char *body; /* SIZE bytes and a zero byte, without line ends behind; never NULL after an answer */
    size_t size;
};

/*
 * Asks METHOD TARGET and waits for the whole answer, TIMEOUT ms at most. False: there was none, ERROR says
 * why; an answer of any status is one. The answer is the caller's to free with client_answer_free().
 */
bool client_ask(const struct client_place *place, const char *method, const char *target, unsigned timeout,
                struct client_answer *answer, char error[CLIENT_ERROR]) __attribute__((warn_unused_result));
void client_answer_free(struct client_answer *answer);

#endif
