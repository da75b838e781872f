/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /certs: the own chain, and whom each set of peers is judged by. */
#include "sidecar/proxy/proxy_private.h"
#include "sidecar/proxy/tell.h"

static void certificates(struct json_write *json, const char *key, const struct x509_slice *der, size_t count)
{
    json_array(json, key);
    for (size_t i = 0; i < count; i++)
        tell_certificate(json, NULL, der[i]);
    json_array_end(json);
}

static void crls(struct json_write *json, const struct crl_index *index)
{
    struct crl_list list;
    char text[1024];
    json_array(json, "crls");
    for (size_t i = 0; crl_index_list(index, i, &list); i++) {
        (void)x509_name_rfc2253(list.issuer, text, sizeof text);
        json_object(json, NULL);
        json_text(json, "issuer", text);
        json_number(json, "entries", list.entries);
        json_signed(json, "this_update_at", list.this_update);
        if (list.next_update != 0)
            json_signed(json, "next_update_at", list.next_update);
        else
            json_null(json, "next_update_at");
        json_object_end(json);
    }
    json_array_end(json);
}

static void ca(struct json_write *json, const struct snapshot *s, size_t i)
{
    const struct credentials *c = s->trust[i].credentials;
    const struct config_ca *config = i == 0 ? NULL : &s->config->ca[i - 1];
    json_object(json, NULL);
    json_text(json, "name", config ? config->name : "");
    json_array(json, "hostnames");
    for (size_t k = 0; config && k < config->hostnames.count; k++)
        json_text(json, NULL, config->hostnames.item[k]);
    json_array_end(json);
    certificates(json, "roots", c->roots, c->root_count);
    crls(json, c->crls);
    json_object_end(json);
}

void tell_certs(const struct proxy *p, struct json_write *json)
{
    const struct snapshot *s = p->snapshot;
    const struct credentials *own = s ? s->trust[0].credentials : NULL;
    json_object(json, "own");
    certificates(json, "chain", own ? own->chain : NULL, own ? own->chain_count : 0);
    json_object_end(json);
    json_array(json, "cas");
    for (size_t i = 0; s && i < s->trust_count; i++)
        ca(json, s, i);
    json_array_end(json);
}
