/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/admin/page.h"

#include <string.h>
#include <strings.h>

/* What stands at *AT up to the next SEPARATOR or the end, without the white space around it; moves past it.
 */
static size_t element(const char **at, char separator, const char **text)
{
    const char *from = *at + strspn(*at, " \t"), *to = strchr(from, separator);
    if (to == NULL)
        to = from + strlen(from);
    *at = *to ? to + 1 : to;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
        to--;
    *text = from;
    return (size_t)(to - from);
}

/* q=0, q=0.0 and the like: not wanted. */
static bool is_weight_zero(const char *text, size_t size)
{
    return size >= 3 && strncasecmp(text, "q=0", 3) == 0 && strspn(text + 3, ".0") >= size - 3;
}

bool page_takes_gzip(const char *accept_encoding)
{
    const char *at = accept_encoding;
    bool any = false;
    while (*at) {
        const char *text, *name, *within;
        char coding[64];
        size_t n = element(&at, ',', &text);
        if (n >= sizeof coding)
            continue;
        memcpy(coding, text, n);
        coding[n] = '\0';
        within = coding;
        size_t named = element(&within, ';', &name);
        bool wanted = true;
        while (*within) {
            n = element(&within, ';', &text);
            wanted &= !is_weight_zero(text, n);
        }
        if ((named == 4 && strncasecmp(name, "gzip", 4) == 0) ||
            (named == 6 && strncasecmp(name, "x-gzip", 6) == 0))
            return wanted; /* by name: whatever * says */
        any |= named == 1 && *name == '*' && wanted;
    }
    return any;
}

void page_serve(struct server_request *request, void *arg)
{
    (void)arg;
    if (!page_takes_gzip(request->accept_encoding)) {
        server_answer_text(
            request, 406,
            "the status page is kept compressed: ask with Accept-Encoding: gzip (curl --compressed); "
            "/status, /peers and /events tell the same as JSON\n");
        return;
    }
    server_answer(request, &(struct server_answer){.status = 200,
                                                   .type = "text/html; charset=utf-8",
                                                   .fields = page_fields,
                                                   .body = page_gzip,
                                                   .size = page_gzip_size});
}
