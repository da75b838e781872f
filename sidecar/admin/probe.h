/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Probing the local service for whoever asks the health listener for /probes/NAME: an HTTP request, a TCP
 * connection, or a gRPC health check (grpc.health.v1.Health/Check), one a question, nothing kept.
 */
#ifndef SIDECAR_ADMIN_PROBE_H
#define SIDECAR_ADMIN_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "config/config.h"
#include "sidecar/net/endpoint.h"

enum { PROBE_REQUEST_MAX = 1024, PROBE_ANSWER_MAX = 4096 };

/* --- what is said: pure --- */

enum probe_verdict { PROBE_MORE, PROBE_GOOD, PROBE_BAD };

/* Writes what to ask for a probe of KIND into OUT. Returns its size; 0: REQUEST is too long. Nothing for TCP.
 */
size_t probe_request(enum config_probe_kind kind, const char *request, uint8_t out[PROBE_REQUEST_MAX]);

/* Judges the SIZE bytes of the answer so far. PROBE_BAD: *WHY is static words, or NUMBER says the status. */
enum probe_verdict probe_read(enum config_probe_kind kind, const uint8_t *data, size_t size, const char **why,
                              unsigned *number);

/* --- asking --- */

struct probe;

/* WHY: in words; valid during the call. Called once, unless cancelled. */
typedef void (*probe_cb)(void *arg, bool good, const char *why);

/*
 * Asks as CONFIG says (copied), within its timeout. MIND: CB may come before it returns, which then is NULL;
 * it is NULL too, after CB, when memory runs out. The probe is gone once CB was called.
 */
struct probe *probe_start(uv_loop_t *loop, struct endpoint_io *io, const struct config_probe *config,
                          probe_cb cb, void *arg) __attribute__((warn_unused_result));
void probe_cancel(struct probe *probe); /* no callback; NULL is fine */

#endif
