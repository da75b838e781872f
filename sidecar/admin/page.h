/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The status page, sidecar/admin/page.html: one file that refers to nothing else and asks the admin
 * listener's JSON. page.sh compresses it when the sidecar is built, and it is kept in that form alone: every
 * browser takes gzip. Who does not say that he takes it is told so (406).
 */
#ifndef SIDECAR_ADMIN_PAGE_H
#define SIDECAR_ADMIN_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "sidecar/admin/server.h"

/* The route. ARG is not looked at. */
void page_serve(struct server_request *request, void *arg);

/* Whether the value of an Accept-Encoding takes gzip (RFC 9110, 12.5.3). */
bool page_takes_gzip(const char *accept_encoding);

/* Made by page.sh. The fields go with the page, each line with its CRLF: its coding, and a policy that lets
 * in the page's own style and script, by their hashes, and the listener itself. */
extern const unsigned char page_gzip[];
extern const size_t page_gzip_size;
extern const char page_fields[];

#endif
