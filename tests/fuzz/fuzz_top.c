/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an admin listener might answer, as a tree and as a frame: two bytes for the screen's size, then JSON.
 */
#include <stdlib.h>

#include "sidecar/top_text.h"
#include "sidecar/top_view.h"

/* Colours and lines' ends are all that may be in a frame of control bytes. */
static void check(const struct rules_buffer *out, bool plain)
{
    for (size_t i = 0; i < out->size; i++) {
        if (out->data[i] < 0x20 && out->data[i] != '\n' && (plain || out->data[i] != 0x1b))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rules_arena arena = {0};
    struct rules_buffer out = {0};
    const char *error = NULL;
    if (size < 2)
        return 0;
    struct top_view view = {.width = data[0] + 1U, .height = data[1] & 0x7f, .plain = data[1] >> 7};
    const struct json_node *tree = json_tree(&arena, data + 2, size - 2, &error);
    if (tree == NULL && error == NULL)
        abort();
    view.status = json_get(tree, "status") ? json_get(tree, "status") : tree;
    view.peers = view.events = view.rules = tree;
    top_counts_take(view.status, &view.now);
    view.before = view.now;
    view.before.at = view.now.at / 2;
    top_view_draw(&view, &out);
    check(&out, view.plain);
    rules_buffer_free(&out);
    rules_arena_free(&arena);
    return 0;
}
