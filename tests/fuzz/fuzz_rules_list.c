/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A list file; the first byte is its kind. Every line that could be added is a member. */
#include <stdlib.h>
#include <string.h>

#include "sidecar/rules/list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_first_line(const struct rules_list *list, enum rules_list_kind kind, const char *text,
                             size_t size)
{
    const char *end = memchr(text, '\n', size);
    size_t length = end ? (size_t)(end - text) : size;
    struct rules_value value = rules_bytes(text, length);
    if (length == 0 || strchr(" \t\r#", text[0]) || strchr(" \t\r", text[length - 1]))
        return;
    if (kind == RULES_LIST_IPS) {
        if (!rules_ip_parse(text, length, &value.ip))
            return;
        value.type = RULES_IP;
    } else if (kind == RULES_LIST_INTEGERS || memchr(text, '#', length)) {
        return;
    }
    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        return;
    if (!rules_list_has(list, &value))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum rules_list_kind kind = (enum rules_list_kind)(data[0] % 5);
    char *text = malloc(size);
    size_t line;
    memcpy(text, data + 1, size - 1);
    size--;
    struct rules_list *list = rules_list_new(kind);
    const char *wrong = rules_list_add_lines(list, text, size, &line);
    if (wrong && (!*wrong || line == 0 || line > size))
        abort();
    if (!wrong) {
        if (!rules_list_finish(list))
            abort();
        check_first_line(list, kind, text, size);
        struct rules_value value = rules_bytes(text, size);
        rules_list_has(list, &value);
        if (rules_list_count(list) > size + 1 || rules_list_memory(list) == 0)
            abort();
    }
    rules_list_free(list);
    free(text);
    return 0;
}
