/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fields that follow from others (rules-language section 15.5): maps of headers, arguments and cookies, the
 * extension and the normalised form of a path, languages, the media type.
 *
 * What is made lies in a pool of the caller's; where it does not fit, the pool's FULL is set and the result
 * is what did fit.
 */
#ifndef SIDECAR_RULES_DERIVE_H
#define SIDECAR_RULES_DERIVE_H

#include "sidecar/rules/value.h"

/* Memory that is handed out from front to back; begin again by USED = 0. */
struct rules_pool {
    uint8_t *base;
    size_t size, used;
    bool full;
};

struct rules_pair {
    struct rules_bytes name, value;
};

/* Map(Array(Bytes)): the values of each name in order; where LOWER, names without regard to ASCII case. */
struct rules_value rules_derive_map(struct rules_pool *pool, const struct rules_pair *pair, size_t count,
                                    bool lower);
/* Array(Bytes): the names, or the values, in order. */
struct rules_value rules_derive_names(struct rules_pool *pool, const struct rules_pair *pair, size_t count);
struct rules_value rules_derive_values(struct rules_pool *pool, const struct rules_pair *pair, size_t count);

/* The parameters of a query, not decoded; the number goes to *COUNT. */
const struct rules_pair *rules_derive_args(struct rules_pool *pool, struct rules_bytes query, size_t *count);

/* The cookies of the Cookie lines among HEADER; names are percent-decoded, values are not. */
const struct rules_pair *rules_derive_cookies(struct rules_pool *pool, const struct rules_pair *header,
                                              size_t headers, size_t *count);

/* Bytes: of "/a/foo.TAR" it is "tar". */
struct rules_value rules_derive_extension(struct rules_pool *pool, struct rules_bytes path);

/* Array(Bytes): the languages of an Accept-Language header by descending quality, "*" left out. */
struct rules_value rules_derive_languages(struct rules_pool *pool, struct rules_bytes header);

/* Bytes: of "Text/HTML; charset=utf-8" it is "text/html". */
struct rules_value rules_derive_media_type(struct rules_pool *pool, struct rules_bytes header);

/* The value of the first header called NAME (lower-case), or "". */
struct rules_bytes rules_derive_header(const struct rules_pair *header, size_t count, const char *name);

#endif
