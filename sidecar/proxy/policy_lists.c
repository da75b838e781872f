/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/policy_lists.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/proxy/filehash.h"

enum { FILE_MAX = 256 << 20, KINDS = 5, MESSAGE = 512 };

struct entry {
    struct rules_list *of_kind[KINDS];
    uint64_t hash; /* of its file, as it was read; 0: it was not */
    bool failed;   /* told once */
};

struct policy_lists {
    const struct config *config;
    policy_lists_tell_fn tell;
    void *arg;
    struct entry entry[]; /* parallel to config->list */
};

struct policy_lists *policy_lists_new(const struct config *config, policy_lists_tell_fn tell, void *arg)
{
    struct policy_lists *lists = calloc(1, sizeof *lists + config->list_count * sizeof *lists->entry);
    if (lists == NULL)
        return NULL;
    lists->config = config;
    lists->tell = tell;
    lists->arg = arg;
    return lists;
}

void policy_lists_free(struct policy_lists *lists)
{
    for (size_t i = 0; lists && i < lists->config->list_count; i++) {
        for (size_t k = 0; k < KINDS; k++)
            rules_list_free(lists->entry[i].of_kind[k]);
    }
    free(lists);
}

/* Heap memory; NULL: WHY says why. */
static char *read_file(const char *path, size_t *size, const char **why)
{
    FILE *f = filehash_open(path);
    char *text = NULL;
    size_t room = 0;
    *size = 0;
    *why = NULL;
    while (f && *why == NULL && !feof(f)) {
        if (*size == room) {
            room = room ? room * 2 : 65536;
            char *more = room <= FILE_MAX ? realloc(text, room) : NULL;
            if (more == NULL) {
                *why = room > FILE_MAX ? "the file is too large" : "out of memory";
                break;
            }
            text = more;
        }
        *size += fread(text + *size, 1, room - *size, f);
        if (ferror(f))
            *why = strerror(errno);
    }
    if (f == NULL)
        *why = errno == EINVAL ? "not a regular file" : strerror(errno);
    else
        (void)fclose(f);
    if (*why == NULL)
        return text;
    free(text);
    return NULL;
}

static const char *fill_from_file(struct rules_list *list, const char *path, uint64_t *hash,
                                  char message[MESSAGE])
{
    const char *why;
    size_t size, line = 0;
    char *text = read_file(path, &size, &why);
    if (text) {
        *hash = filehash_more(FILEHASH_EMPTY, text, size);
        why = rules_list_add_lines(list, text, size, &line);
        free(text);
    }
    if (why == NULL)
        return NULL;
    if (line != 0)
        (void)snprintf(message, MESSAGE, "%s, line %zu: %s", path, line, why);
    else
        (void)snprintf(message, MESSAGE, "%s: %s", path, why);
    return message;
}

static const struct rules_list *make_list(struct policy_lists *lists, size_t index, enum rules_list_kind kind)
{
    const struct config_list *config = &lists->config->list[index];
    struct entry *entry = &lists->entry[index];
    char message[MESSAGE];
    if (entry->of_kind[kind] || entry->failed)
        return entry->of_kind[kind];
    struct rules_list *list = rules_list_new(kind);
    const char *wrong = list ? NULL : "out of memory";
    for (size_t i = 0; wrong == NULL && i < config->values.count; i++) {
        wrong = rules_list_add(list, config->values.item[i], strlen(config->values.item[i]));
        if (wrong)
            lists->tell(lists->arg, config->values.place[i], strlen(config->values.item[i]), config->name,
                        wrong);
    }
    if (wrong == NULL && config->file &&
        (wrong = fill_from_file(list, config->file, &entry->hash, message)) != NULL)
        lists->tell(lists->arg, config->place, 1, config->name, wrong);
    if (wrong == NULL && !rules_list_finish(list)) {
        wrong = "out of memory";
        lists->tell(lists->arg, config->place, 1, NULL, wrong);
    }
    if (wrong) {
        rules_list_free(list);
        entry->failed = true;
        return NULL;
    }
    entry->of_kind[kind] = list;
    return list;
}

const struct rules_list *policy_lists_find(void *arg, const char *name, size_t size, uint32_t type, int field)
{
    struct policy_lists *lists = arg;
    const struct config *config = lists->config;
    for (size_t i = 0; i < config->list_count; i++) {
        const struct config_list *list = &config->list[i];
        if (list->name == NULL || strlen(list->name) != size || memcmp(list->name, name, size) != 0)
            continue;
        switch (list->kind) {
        case CONFIG_LIST_STRING: return make_list(lists, i, RULES_LIST_STRINGS);
        case CONFIG_LIST_INTEGER: return make_list(lists, i, RULES_LIST_INTEGERS);
        case CONFIG_LIST_IP: return make_list(lists, i, RULES_LIST_IPS);
        case CONFIG_LIST_FINGERPRINT: return make_list(lists, i, RULES_LIST_FINGERPRINTS);
        case CONFIG_LIST_SERIAL: return make_list(lists, i, RULES_LIST_SERIALS);
        case CONFIG_LIST_AUTO: break;
        }
        return make_list(lists, i, rules_list_kind_for(type, field));
    }
    return NULL;
}

bool policy_lists_changed(const struct policy_lists *lists, uint64_t *now)
{
    bool changed = false;
    *now = FILEHASH_EMPTY;
    for (size_t i = 0; i < lists->config->list_count; i++) {
        if (lists->entry[i].hash == 0)
            continue;
        uint64_t hash = filehash(lists->config->list[i].file);
        changed |= hash != lists->entry[i].hash;
        *now = filehash_more(*now, &hash, sizeof hash);
    }
    return changed;
}

bool policy_lists_read(struct policy_lists *lists)
{
    static const enum rules_list_kind kinds[] = {[CONFIG_LIST_AUTO] = RULES_LIST_STRINGS,
                                                 [CONFIG_LIST_STRING] = RULES_LIST_STRINGS,
                                                 [CONFIG_LIST_INTEGER] = RULES_LIST_INTEGERS,
                                                 [CONFIG_LIST_IP] = RULES_LIST_IPS,
                                                 [CONFIG_LIST_FINGERPRINT] = RULES_LIST_FINGERPRINTS,
                                                 [CONFIG_LIST_SERIAL] = RULES_LIST_SERIALS};
    const struct config *config = lists->config;
    bool whole = true;
    for (size_t i = 0; i < config->list_count; i++) {
        if (config->list[i].name == NULL)
            whole = false;
        else if (config->list[i].kind != CONFIG_LIST_AUTO)
            (void)make_list(lists, i, kinds[config->list[i].kind]);
    }
    return whole;
}

size_t policy_lists_entries(const struct policy_lists *lists, size_t index)
{
    for (size_t k = 0; k < KINDS; k++) {
        if (lists->entry[index].of_kind[k])
            return rules_list_count(lists->entry[index].of_kind[k]);
    }
    return 0;
}

size_t policy_lists_memory(const struct policy_lists *lists)
{
    size_t bytes = 0;
    for (size_t i = 0; i < lists->config->list_count; i++) {
        for (size_t k = 0; k < KINDS; k++)
            bytes += lists->entry[i].of_kind[k] ? rules_list_memory(lists->entry[i].of_kind[k]) : 0;
    }
    return bytes;
}
