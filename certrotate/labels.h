/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who a certificate is for: the names given on the command line, checked, and as DER. */
#ifndef CERTROTATE_LABELS_H
#define CERTROTATE_LABELS_H

#include <stdbool.h>
#include <stddef.h>

#include "certrotate/der_write.h"
#include "certrotate/failure.h"

enum label {
    /* The subject, in the order in which it is written. */
    LABEL_C,
    LABEL_ST,
    LABEL_L,
    LABEL_O,
    LABEL_OU,
    LABEL_CN,
    /* Subject alternative names. */
    LABEL_DNS,
    LABEL_URI,
    LABEL_IP,
    LABEL_EMAIL,
    LABEL_COUNT
};

enum { LABELS_MAX = 100 };

/* Zero-initialised it is empty. Texts are borrowed. */
struct labels {
    struct {
        enum label label;
        const char *text;
    } item[LABELS_MAX];
    size_t count;
};

/* Whether TEXT is a name of this kind; else F says why not. */
bool labels_check(enum label label, const char *text, struct failure *f) __attribute__((warn_unused_result));

/* Adds one; false: it is not a name of its kind, and F says why. */
bool labels_add(struct labels *l, enum label label, const char *text, struct failure *f)
    __attribute__((warn_unused_result));

bool labels_has_san(const struct labels *l);

/* Appends the subject as a Name; the SANs as GeneralNames without their SEQUENCE, in the order given. */
void labels_put_subject(const struct labels *l, struct der_out *out);
void labels_put_sans(const struct labels *l, struct der_out *out);

#endif
