/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A service's answer to a scrape, in two portions, and its figures merged: nothing of the sidecar's own is in
 * them. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/admin/scrape.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scrape_answer *answer = scrape_answer_new();
    struct metrics_text out = {0};
    struct scrape_merge merge = {0};
    size_t n, cut = size ? data[0] % size : 0;
    if (answer == NULL)
        abort();
    if (scrape_answer_feed(answer, data, cut) && scrape_answer_feed(answer, data + cut, size - cut))
        scrape_answer_finish(answer);
    const char *body = scrape_answer_body(answer, &n);
    /* False: too many families. */
    bool taken = scrape_merge_take(&merge, "a", body, n);
    taken = scrape_merge_take(&merge, NULL, (const char *)data, size) && taken;
    taken = scrape_merge_take(&merge, "c", (const char *)data, cut) && taken;
    (void)taken;
    scrape_merge_write(&merge, &out);
    for (char *line = out.text; line && *line; line = strchr(line, '\n') + 1) {
        if (strncmp(line, "outrider_", 9) == 0 || strncmp(line, "# TYPE outrider_", 16) == 0)
            abort();
    }
    free(out.text);
    scrape_answer_free(answer);
    return 0;
}
