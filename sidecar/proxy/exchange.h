/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One request and its response, whichever HTTP carries them: judged by rules and rate limits, given the
 * headers that say who called, and told in the access log. The codecs' callbacks; CTX is a struct codec.
 *
 * An outbound's requests are the local service's own: they pass unjudged. What is known of the server's
 * certificate may go back with the response.
 *
 * Answers of our own have a body of one line: text, or {"error": TEXT} where Accept asks for JSON; TEXT is a
 * rule's public message or says what failed, never where or why.
 */
#ifndef SIDECAR_PROXY_EXCHANGE_H
#define SIDECAR_PROXY_EXCHANGE_H

#include <stdbool.h>

#include "sidecar/http/http1.h"
#include "sidecar/http/http2.h"

void exchange_request1(void *ctx, struct http1_request *request, struct http1_verdict *verdict);
void exchange_response1(void *ctx, struct http1_response *response);
bool exchange_trailer1(void *ctx, enum http1_side side, const struct http_field *field);
void exchange_end1(void *ctx, const struct http1_end *end);
void exchange_answer1(void *ctx, void *user, struct http1_verdict *verdict);

void exchange_request2(void *ctx, struct http2_request *request, struct http2_verdict *verdict);
void exchange_response2(void *ctx, struct http2_response *response);
bool exchange_trailer2(void *ctx, enum http2_side side, const struct http_field *field);
void exchange_end2(void *ctx, const struct http2_end *end);

#endif
