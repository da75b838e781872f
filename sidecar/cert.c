/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/cert.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sidecar/proxy/tell.h"
#include "sidecar/top_text.h"

enum { TEXT = 512, DATE = 40 };

static void date_text(int64_t at, char out[DATE])
{
    time_t t = (time_t)at;
    struct tm tm;
    if (!gmtime_r(&t, &tm) || strftime(out, DATE, "%Y-%m-%d %H:%M:%S GMT", &tm) == 0)
        (void)snprintf(out, DATE, "%" PRId64, at);
}

static void digest_text(struct tls_der der, char out[TEXT])
{
    uint8_t digest[32];
    x509_sha256(der, digest);
    (void)x509_hex((struct x509_slice){digest, sizeof digest}, false, out, TEXT);
}

static void line(FILE *out, int indent, const char *label, const char *text)
{
    (void)fprintf(out, "%*s%-9s ", indent, "", label);
    top_text_print(out, *text ? text : "(none)");
    (void)putc('\n', out);
}

void cert_print(FILE *out, int indent, struct tls_der der, int64_t now)
{
    struct x509 *cert = malloc(sizeof *cert);
    const char *wrong = cert ? x509_parse(der.data, der.size, cert) : "out of memory";
    char text[TEXT], from[DATE], until[DATE];
    if (wrong) {
        line(out, indent, "malformed", wrong);
        free(cert);
        return;
    }
    (void)x509_name_rfc2253(cert->subject, text, sizeof text);
    line(out, indent, "subject", text);
    (void)x509_name_rfc2253(cert->issuer, text, sizeof text);
    line(out, indent, "issuer", text);
    (void)x509_serial_hex(cert, text, sizeof text);
    line(out, indent, "serial", text);
    digest_text(der, text);
    line(out, indent, "sha256", text);
    date_text(cert->not_before, from);
    date_text(cert->not_after, until);
    (void)fprintf(out, "%*s%-9s %s to %s%s\n", indent, "", "valid", from, until,
                  now > cert->not_after    ? ", which is over"
                  : now < cert->not_before ? ", which is still to come"
                                           : "");
    line(out, indent, "key", tell_key_text(cert, text, sizeof text));
    for (size_t i = 0; i < cert->san_count; i++) {
        tell_san_text(&cert->san[i], text, sizeof text);
        line(out, indent, i ? "" : "names", text);
    }
    free(cert);
}

/* --- paths --- */

static const char *const crl_states[] = {
    [CRL_GOOD] = "good", [CRL_REVOKED] = "revoked", [CRL_MISSING] = "missing", [CRL_EXPIRED] = "expired"};

static void subject_of(struct tls_der der, char out[TEXT])
{
    struct x509 *cert = malloc(sizeof *cert);
    *out = '\0';
    if (cert && x509_parse(der.data, der.size, cert) == NULL &&
        x509_name_rfc2253(cert->subject, out, TEXT) == 0 && cert->san_count != 0)
        tell_san_text(&cert->san[0], out, TEXT);
    free(cert);
}

static void crl_words(const struct tls_judged_step *step, char out[TEXT])
{
    char date[DATE], next[DATE];
    date_text(step->hit.this_update, date);
    date_text(step->hit.next_update, next);
    switch (step->crl) {
    case CRL_GOOD: (void)snprintf(out, TEXT, "not on its issuer's revocation list of %s", date); break;
    case CRL_REVOKED:
        date_text(step->hit.revoked_at, next);
        (void)snprintf(out, TEXT, "on its issuer's revocation list of %s: since %s, %s", date, next,
                       crl_reason_name(step->hit.reason));
        break;
    case CRL_MISSING: (void)snprintf(out, TEXT, "there is no revocation list of its issuer"); break;
    case CRL_EXPIRED:
        (void)snprintf(out, TEXT, "not on its issuer's revocation list of %s, which is good until %s", date,
                       next);
        break;
    }
}

void cert_print_path(FILE *out, int indent, const struct tls_judged *judged)
{
    char text[TEXT];
    for (size_t i = 0; i < judged->count; i++) {
        const struct tls_judged_step *step = &judged->step[i];
        subject_of(step->cert, text);
        (void)fprintf(out, "%*s%s", indent, "", i ? "issued by " : "");
        top_text_print(out, text);
        (void)fputs(i + 1 == judged->count ? ", of the CA bundle" : "", out);
        if (step->crl_known) {
            crl_words(step, text);
            (void)fprintf(out, "; %s", text);
        }
        (void)putc('\n', out);
    }
}

static void put_time(struct json_write *json, const char *key, bool known, int64_t at)
{
    if (known)
        json_signed(json, key, at);
    else
        json_null(json, key);
}

void cert_json_path(struct json_write *json, const char *key, const struct tls_judged *judged)
{
    char text[TEXT];
    json_array(json, key);
    for (size_t i = 0; i < judged->count; i++) {
        const struct tls_judged_step *step = &judged->step[i];
        json_object(json, NULL);
        subject_of(step->cert, text);
        json_text(json, "subject", text);
        digest_text(step->cert, text);
        json_text(json, "sha256", text);
        if (!step->crl_known) {
            json_null(json, "crl");
        } else {
            bool found = step->crl != CRL_MISSING, revoked = step->crl == CRL_REVOKED;
            json_object(json, "crl");
            json_text(json, "status", crl_states[step->crl]);
            put_time(json, "this_update_at", found, step->hit.this_update);
            put_time(json, "next_update_at", found && step->hit.next_update != 0, step->hit.next_update);
            put_time(json, "revoked_at", revoked, step->hit.revoked_at);
            json_text(json, "reason", revoked ? crl_reason_name(step->hit.reason) : NULL);
            json_object_end(json);
        }
        json_object_end(json);
    }
    json_array_end(json);
}
