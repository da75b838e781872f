/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/proxy/sources.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct source {
    struct sources *all;
    char name[80];
    struct credentials_source from; /* strings of the configuration */
    struct follow *follow;
};

struct sources {
    const struct sources_calls *calls;
    void *arg;
    size_t count;
    struct source *source;
    struct credentials **credentials; /* parallel */
};

static void on_loaded(struct credentials *c, void *arg)
{
    struct source *s = arg;
    size_t index = (size_t)(s - s->all->source);
    credentials_unref(s->all->credentials[index]);
    s->all->credentials[index] = credentials_ref(c);
    s->all->calls->loaded(s->all->arg, s->all, index);
}

static void on_failed(const struct credentials_error *error, void *arg)
{
    struct source *s = arg;
    s->all->calls->failed(s->all->arg, s->all, (size_t)(s - s->all->source), error);
}

struct credentials_source sources_where(const struct config *config, size_t index)
{
    if (index > 0) {
        const struct config_ca *ca = &config->ca[index - 1];
        return (struct credentials_source){.layout = CREDENTIALS_FILES,
                                           .ca = ca->file,
                                           .crl = ca->crl,
                                           .trust_only = true,
                                           .ca_required = true};
    }
    const struct config_tls *tls = &config->tls;
    return (struct credentials_source){
        .directory = tls->directory,
        .layout = (enum credentials_layout)tls->layout,
        .certificate = tls->certificate,
        .key = tls->key,
        .ca = tls->ca,
        .crl = tls->crl,
        .password = tls->password_file,
        .strict_permissions = tls->strict_permissions,
        .ca_required = true,
    };
}

static void describe(struct sources *all, const struct config *config, size_t index)
{
    struct source *s = &all->source[index];
    s->all = all;
    s->from = sources_where(config, index);
    if (index == 0)
        (void)snprintf(s->name, sizeof s->name, "[tls]");
    else
        (void)snprintf(s->name, sizeof s->name, "[ca %s]", config->ca[index - 1].name);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_source(const struct credentials_source *a, const struct credentials_source *b)
{
    return same_text(a->directory, b->directory) && a->layout == b->layout &&
           same_text(a->certificate, b->certificate) && same_text(a->key, b->key) &&
           same_text(a->ca, b->ca) && same_text(a->crl, b->crl) && same_text(a->password, b->password) &&
           a->trust_only == b->trust_only && a->strict_permissions == b->strict_permissions;
}

static void inherit(struct sources *all, const struct sources *old, size_t index)
{
    for (size_t i = 0; old && i < old->count; i++) {
        if (old->credentials[i] && same_source(&all->source[index].from, &old->source[i].from)) {
            all->credentials[index] = credentials_ref(old->credentials[i]);
            return;
        }
    }
}

struct sources *sources_start(uv_loop_t *loop, struct notify *notify, const struct config *config,
                              const struct sources *old, const struct sources_calls *calls, void *arg,
                              int *error)
{
    struct sources *all = calloc(1, sizeof *all);
    *error = UV_ENOMEM;
    if (all == NULL)
        return NULL;
    all->calls = calls;
    all->arg = arg;
    all->count = 1 + config->ca_count;
    all->source = calloc(all->count, sizeof *all->source);
    all->credentials = calloc(all->count, sizeof(struct credentials *));
    if (all->source == NULL || all->credentials == NULL)
        goto fail;
    for (size_t i = 0; i < all->count; i++) {
        describe(all, config, i);
        inherit(all, old, i);
    }
    for (size_t i = 0; i < all->count; i++) {
        struct follow_options options = {.source = all->source[i].from,
                                         .poll_ms = (unsigned)config->tls.poll,
                                         .notify = notify,
                                         .loaded = on_loaded,
                                         .failed = on_failed,
                                         .arg = &all->source[i]};
        *error = follow_start(loop, &options, &all->source[i].follow);
        if (*error != 0)
            goto fail;
    }
    return all;
fail:
    sources_stop(all);
    return NULL;
}

void sources_unfollow(struct sources *all)
{
    for (size_t i = 0; all->source && i < all->count; i++) {
        follow_stop(all->source[i].follow);
        all->source[i].follow = NULL;
    }
}

void sources_stop(struct sources *all)
{
    if (all == NULL)
        return;
    sources_unfollow(all);
    for (size_t i = 0; all->credentials && i < all->count; i++)
        credentials_unref(all->credentials[i]);
    free(all->source);
    free(all->credentials);
    free(all);
}

size_t sources_count(const struct sources *all)
{
    return all->count;
}

const char *sources_name(const struct sources *all, size_t index)
{
    return all->source[index].name;
}

struct credentials *const *sources_credentials(const struct sources *all)
{
    return all->credentials;
}

bool sources_complete(const struct sources *all)
{
    for (size_t i = 0; i < all->count; i++) {
        if (all->credentials[i] == NULL)
            return false;
    }
    return true;
}

bool sources_failing(const struct sources *all, size_t index)
{
    return all->source[index].follow && follow_stats(all->source[index].follow).failing;
}
