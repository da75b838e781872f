/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sidecar/http/headers.h: what a caller says of itself goes, what we know of it comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/http/chars.h"
#include "sidecar/http/headers.h"

static const struct identity someone = {
    .der_base64 = HTTP_STR("DER"),
    .sha256 = HTTP_STR("5a5a"),
    .rfc9440 = HTTP_STR(":DER:"),
    .rfc9440_chain = HTTP_STR(":CA1:, :CA2:"),
    .xfcc = HTTP_STR("By=me;Hash=5a5a"),
};
static const struct headers_caller verified = {&someone, false, "192.0.2.1", "https"};
static const struct headers_caller trusted = {&someone, true, "192.0.2.1", "https"};
static const struct headers_caller nobody = {NULL, false, "192.0.2.1", "https"};
static const struct headers_caller trusted_nobody = {NULL, true, "192.0.2.1", "https"};

static struct headers_names *names_for(const struct headers_plan *plan)
{
    struct headers_names *names = headers_names_new();
    assert_non_null(names);
    assert_true(headers_names_add_plan(names, plan));
    return names;
}

/*
 * Runs the plan over fields given as "name: value" lines (names are lowered as a codec does), and returns
 * what the service would get: "name=value|" for those kept, then "Spelling:value|" for those added.
 */
static char *plan_fields(const struct headers_plan *plan, const struct headers_caller *caller,
                         const char *host, const struct http_str *values, const char *lines,
                         struct headers_out *out)
{
    static char text[65536];
    struct http_field fields[32];
    char *copy = strdup(lines);
    size_t n = 0;
    for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n")) {
        char *colon = strchr(line, ':');
        char *value = colon + 1;
        for (char *p = line; p < colon; p++)
            *p = http_lower(*p);
        fields[n++] =
            (struct http_field){.name = {line, (size_t)(colon - line)}, .value = {value, strlen(value)}};
    }
    struct headers_names *names = names_for(plan);
    headers_request(names, plan, caller, (struct http_str){host, strlen(host)}, values, fields, n, out);
    char *p = text;
    *p = 0;
    for (size_t i = 0; i < n; i++)
        if (!fields[i].drop)
            p += sprintf(p, "%.*s=%.*s|", (int)fields[i].name.n, fields[i].name.p, (int)fields[i].value.n,
                         fields[i].value.p);
    for (size_t i = 0; i < out->nadd; i++) {
        const struct http_field *f = &out->add[i];
        const char *spelling = f->spelling ? f->spelling : f->name.p;
        assert_true(f->name.n && http_all(f->name.p, f->name.n, HTTP_TOKEN));
        for (size_t k = 0; k < f->name.n; k++)
            assert_int_equal(f->name.p[k], http_lower(spelling[k]));
        p += sprintf(p, "%.*s:%.*s|", (int)f->name.n, spelling, (int)f->value.n, f->value.p);
    }
    headers_names_free(names);
    free(copy);
    return text;
}

static void check(const struct headers_plan *plan, const struct headers_caller *caller, const char *lines,
                  const char *expected, unsigned left_out)
{
    struct headers_out *out = calloc(1, sizeof(*out));
    assert_string_equal(plan_fields(plan, caller, "h.example", NULL, lines, out), expected);
    assert_int_equal(out->left_out, left_out);
    headers_out_clear(out);
    free(out);
}

static void name_set(void **state)
{
    (void)state;
    struct headers_names *names = headers_names_new();
    assert_false(headers_names_has(names, "client-cert", 11));
    assert_true(headers_names_add_identity(names));
    assert_true(headers_names_add(names, "X-Own_Name", 10));
    assert_true(headers_names_add(names, "x-own-name", 10));
    static const char *const in[] = {
        "Cf-Client-Cert-Der-Base64",
        "CF-CLIENT-CERT-SHA256",
        "client-cert",
        "CLIENT_CERT",
        "Client_Cert-Chain",
        "x-forwarded-client-cert",
        "X_Forwarded_Client_Cert",
        "x.forwarded.client.cert",
        "X~FORWARDED!CLIENT'CERT",
        "cf-cert-revoked",
        "cf-cert-verified",
        "cf-cert-presented",
        "Cf_Cert_Issuer_Dn",
        "Cf-Cert-Subject-Dn",
        "Cf-Cert-Issuer-Dn-Rfc2253",
        "Cf-Cert-Subject-Dn-Rfc2253",
        "Cf-Cert-Issuer-Dn-Legacy",
        "Cf-Cert-Subject-Dn-Legacy",
        "Cf-Cert-Serial",
        "Cf-Cert-Issuer-Serial",
        "Cf-Cert-Fingerprint-Sha256",
        "Cf-Cert-Fingerprint-Sha1",
        "Cf-Cert-Not-Before",
        "Cf-Cert-Not-After",
        "Cf-Cert-Ski",
        "Cf-Cert-Issuer-Ski",
        "X-OWN-NAME",
        "x_own_name",
    };
    static const char *const out[] = {
        "",
        "c",
        "client-cer",
        "client-certs",
        "clientcert",
        "x-client-cert",
        "cf-connecting-ip",
        "content-type",
        "x-forwarded-for",
        "forwarded",
        "x-forwarded-proto",
        "cf-cert-sk1",
        "host",
        "cookie",
    };
    for (size_t i = 0; i < sizeof(in) / sizeof(*in); i++)
        if (!headers_names_has(names, in[i], strlen(in[i])))
            fail_msg("%s", in[i]);
    for (size_t i = 0; i < sizeof(out) / sizeof(*out); i++)
        if (headers_names_has(names, out[i], strlen(out[i])))
            fail_msg("%s", out[i]);
    /* many: it grows */
    char name[80];
    for (int i = 0; i < 1000; i++) {
        int n = sprintf(name, "X-Name-%d%.*s", i, i % 60,
                        "............................................................");
        assert_true(headers_names_add(names, name, (size_t)n));
    }
    for (int i = 0; i < 1000; i++) {
        int n = sprintf(name, "x_name_%d%.*s", i, i % 60,
                        "____________________________________________________________");
        assert_true(headers_names_has(names, name, (size_t)n));
    }
    assert_true(headers_names_has(names, "client-cert", 11));
    headers_names_free(names);
    headers_names_free(NULL);
}

static void spoofed(void **state)
{
    (void)state;
    static const char *const custom[] = {"X-Client-Serial"};
    const struct headers_plan plan = {.max_value = 8192, .request = custom, .request_count = 1};
    const struct http_str unset = {NULL, 0};
    struct headers_out *out = calloc(1, sizeof(*out));
    assert_string_equal(plan_fields(&plan, &verified, "h", &unset,
                                    "A:1\nCf-Client-Cert-Sha256:f\nCLIENT_CERT:f\nclient-cert-chain:f\n"
                                    "X_Forwarded-Client.Cert:f\nx-client-serial:f\nX_Client_Serial:f\n"
                                    "X-Forwarded-For:1.2.3.4\nForwarded:for=x\nB:2",
                                    out),
                        "a=1|x-forwarded-for=1.2.3.4|forwarded=for=x|b=2|");
    headers_out_clear(out);
    free(out);
    /* without a plan: only removed */
    struct headers_names *names = names_for(&plan);
    struct http_field fields[] = {{.name = HTTP_STR("client_cert"), .value = HTTP_STR("x")},
                                  {.name = HTTP_STR("a"), .value = HTTP_STR("x")}};
    struct headers_out bare = {.nadd = 7};
    headers_request(names, NULL, NULL, HTTP_STR(""), NULL, fields, 2, &bare);
    assert_true(fields[0].drop);
    assert_false(fields[1].drop);
    assert_int_equal(bare.nadd, 0);
    assert_true(headers_trailer_drop(names, &fields[0]));
    assert_false(headers_trailer_drop(names, &fields[1]));
    headers_names_free(names);
}

static void certificates(void **state)
{
    (void)state;
    struct headers_plan plan = {.forward = HEADERS_CLOUDFLARE | HEADERS_RFC9440 | HEADERS_XFCC,
                                .max_value = 8192};
    static const char all[] = "Cf-Client-Cert-Der-Base64:DER|Cf-Client-Cert-Sha256:5a5a|Client-Cert::DER:|"
                              "Client-Cert-Chain::CA1:, :CA2:|X-Forwarded-Client-Cert:By=me;Hash=5a5a|";
    check(&plan, &verified, "Client-Cert:spoof", all, 0);
    check(&plan, &nobody, "Client-Cert:spoof\nX:y", "x=y|", 0);
    plan.forward = HEADERS_CLOUDFLARE;
    check(&plan, &verified, "", "Cf-Client-Cert-Der-Base64:DER|Cf-Client-Cert-Sha256:5a5a|", 0);
    /* budgets */
    plan.forward = HEADERS_CLOUDFLARE | HEADERS_RFC9440 | HEADERS_XFCC;
    plan.max_value = 11;
    check(&plan, &verified, "", "Cf-Client-Cert-Der-Base64:DER|Cf-Client-Cert-Sha256:5a5a|Client-Cert::DER:|",
          2);
    plan.max_value = 4;
    check(&plan, &verified, "", "Cf-Client-Cert-Der-Base64:DER|Cf-Client-Cert-Sha256:5a5a|", 2);
    plan.max_value = 3;
    check(&plan, &verified, "", "Cf-Client-Cert-Der-Base64:DER|", 3);
}

static void xfcc_modes(void **state)
{
    (void)state;
    static const char in[] = "X-Forwarded-Client-Cert:By=a;Hash=b\nX-Forwarded-Client-Cert:By=c\n"
                             "X_Forwarded_Client_Cert:By=evil\nX:y";
    static const char kept[] = "x-forwarded-client-cert=By=a;Hash=b|x-forwarded-client-cert=By=c|x=y|";
    static const char own[] = "x=y|X-Forwarded-Client-Cert:By=me;Hash=5a5a|";
    static const char appended[] = "x=y|X-Forwarded-Client-Cert:By=a;Hash=b,By=c,By=me;Hash=5a5a|";
    static const char gone[] = "x=y|";
    static const struct {
        enum headers_xfcc mode;
        const char *untrusted, *trusted, *nobody, *trusted_nobody;
    } table[] = {
        {HEADERS_SANITIZE_SET, own, own, gone, gone},
        {HEADERS_APPEND_FORWARD, own, appended, gone, gone},
        {HEADERS_SANITIZE, gone, gone, gone, gone},
        {HEADERS_FORWARD_ONLY, gone, kept, gone, gone},
        {HEADERS_ALWAYS_FORWARD_ONLY, gone, kept, gone, kept},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        struct headers_plan plan = {.forward = HEADERS_XFCC, .xfcc_mode = table[i].mode, .max_value = 8192};
        check(&plan, &verified, in, table[i].untrusted, 0);
        check(&plan, &trusted, in, table[i].trusted, 0);
        check(&plan, &nobody, in, table[i].nobody, 0);
        check(&plan, &trusted_nobody, in, table[i].trusted_nobody, 0);
        plan.forward = 0;
        check(&plan, &trusted, in, gone, 0);
    }
    /* what cannot be read as a list is not appended to */
    struct headers_plan plan = {
        .forward = HEADERS_XFCC, .xfcc_mode = HEADERS_APPEND_FORWARD, .max_value = 40};
    check(&plan, &trusted, "X-Forwarded-Client-Cert:By=\"a", "X-Forwarded-Client-Cert:By=me;Hash=5a5a|", 1);
    check(&plan, &trusted, "X-Forwarded-Client-Cert:By=a\nX-Forwarded-Client-Cert:\\",
          "X-Forwarded-Client-Cert:By=me;Hash=5a5a|", 1);
    check(&plan, &trusted, "X-Forwarded-Client-Cert:", "X-Forwarded-Client-Cert:By=me;Hash=5a5a|", 0);
    check(&plan, &trusted, "X:y", own, 0);
    check(&plan, &trusted, "X-Forwarded-Client-Cert:By=01234567890123456789012345", "", 1);
}

static void forwarded_for(void **state)
{
    (void)state;
    const struct headers_plan plan = {
        .x_forwarded_for = true, .x_forwarded_proto = true, .forwarded = true, .max_value = 8192};
    static const char in[] = "X-Forwarded-For:1.1.1.1\nX-Forwarded-For:2.2.2.2\nX-Forwarded-Proto:http\n"
                             "Forwarded:for=1.1.1.1\nX_FORWARDED_FOR:3.3.3.3";
    check(&plan, &verified, in,
          "X-Forwarded-For:192.0.2.1|X-Forwarded-Proto:https|Forwarded:for=192.0.2.1;host=h.example;proto="
          "https|",
          0);
    check(&plan, &nobody, in,
          "X-Forwarded-For:192.0.2.1|X-Forwarded-Proto:https|Forwarded:for=192.0.2.1;host=h.example;proto="
          "https|",
          0);
    check(&plan, &trusted, in,
          "X-Forwarded-For:1.1.1.1, 2.2.2.2, 192.0.2.1|X-Forwarded-Proto:http|"
          "Forwarded:for=1.1.1.1, for=192.0.2.1;host=h.example;proto=https|",
          0);
    check(&plan, &trusted, "X-Forwarded-Proto:gopher\nX-Forwarded-For:",
          "X-Forwarded-For:192.0.2.1|X-Forwarded-Proto:https|Forwarded:for=192.0.2.1;host=h.example;proto="
          "https|",
          0);
}

static void named(void **state)
{
    (void)state;
    static const char *const names[] = {"X-Serial", "X-Empty", "X-Unset", "Content-Length",
                                        "X-Split",  "X-Blank", "x-nul"};
    const struct headers_plan plan = {
        .max_value = 8, .request = names, .request_count = 7, .response = names, .response_count = 2};
    struct http_str values[] = {HTTP_STR("0A1B"),      HTTP_STR(""),       {NULL, 0},  HTTP_STR("7"),
                                HTTP_STR("a\r\nB: c"), HTTP_STR(" a\tb "), {"a\0b", 3}};
    struct headers_out *out = calloc(1, sizeof(*out));
    assert_string_equal(plan_fields(&plan, &nobody, "h", values, "X-serial:spoof", out),
                        "X-Serial:0A1B|X-Blank:a\tb|");
    assert_int_equal(out->left_out, 3);
    values[0] = HTTP_STR("123456789");
    assert_string_equal(plan_fields(&plan, &nobody, "h", values, "", out), "X-Blank:a\tb|");
    assert_int_equal(out->left_out, 4);
    /* a response */
    values[0] = HTTP_STR("0A1B");
    struct http_field fields[] = {{.name = HTTP_STR("x_serial"), .value = HTTP_STR("x")},
                                  {.name = HTTP_STR("x-empty"), .value = HTTP_STR("x")},
                                  {.name = HTTP_STR("x-blank"), .value = HTTP_STR("x")}};
    headers_response(&plan, values, fields, 3, out);
    assert_true(fields[0].drop);
    assert_true(fields[1].drop);
    assert_false(fields[2].drop);
    assert_int_equal(out->nadd, 1);
    assert_memory_equal(out->add[0].name.p, "x-serial", 8);
    assert_memory_equal(out->add[0].spelling, "X-Serial", 8);
    headers_out_clear(out);
    free(out);
    /* no more than there is room for */
    const char *many[HEADERS_ADD_MAX + 5];
    struct http_str one[HEADERS_ADD_MAX + 5];
    for (size_t i = 0; i < HEADERS_ADD_MAX + 5; i++) {
        many[i] = "X-Same";
        one[i] = HTTP_STR("1");
    }
    const struct headers_plan big = {.max_value = 8, .response = many, .response_count = HEADERS_ADD_MAX + 5};
    out = calloc(1, sizeof(*out));
    headers_response(&big, one, NULL, 0, out);
    assert_int_equal(out->nadd, HEADERS_ADD_MAX);
    assert_int_equal(out->left_out, 5);
    headers_out_clear(out);
    free(out);
}

static void forbidden(void **state)
{
    (void)state;
    static const char *const no[] = {"",
                                     "Host",
                                     "CONNECTION",
                                     "content_length",
                                     "Transfer-Encoding",
                                     "TE",
                                     "Upgrade",
                                     "Keep-Alive",
                                     "Proxy-Connection",
                                     "Trailer",
                                     "Expect",
                                     "HTTP2-Settings",
                                     ":path",
                                     "a b",
                                     "a:",
                                     "a\n",
                                     "\xc3\xa9"};
    static const char *const yes[] = {"X", "Hosts", "X-Host", "Content-Type", "Retry-After", "te-a"};
    for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++)
        if (!headers_forbidden(no[i], strlen(no[i])))
            fail_msg("%s", no[i]);
    for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++)
        if (headers_forbidden(yes[i], strlen(yes[i])))
            fail_msg("%s", yes[i]);
    assert_true(headers_value_ok(HTTP_STR("")));
    assert_true(headers_value_ok(HTTP_STR("a b\t\xff")));
    assert_false(headers_value_ok(HTTP_STR(" a")));
    assert_false(headers_value_ok(HTTP_STR("a\t")));
    assert_false(headers_value_ok(HTTP_STR("a\nb")));
    assert_false(headers_value_ok(HTTP_STR("a\rb")));
    assert_false(headers_value_ok((struct http_str){"\0", 1}));
    assert_false(headers_value_ok(HTTP_STR("\x7f")));
}

/* What becomes of Traceparent, Tracestate and X-Request-Id. */
static void identify(enum headers_traceparent trace, bool id, const char *trace_in, const char *id_in,
                     bool trace_made, bool id_made)
{
    const struct headers_plan plan = {.traceparent = trace, .request_id = id};
    struct headers_ids ids;
    static struct headers_out out;
    char one[256], two[256];
    struct http_field fields[] = {
        {.name = HTTP_STR("traceparent"), .value = {trace_in, trace_in ? strlen(trace_in) : 0}},
        {.name = HTTP_STR("tracestate"), .value = HTTP_STR("a=b")},
        {.name = HTTP_STR("x-request-id"), .value = {id_in, id_in ? strlen(id_in) : 0}}};
    fields[0].drop = !trace_in;
    fields[2].drop = !id_in;
    for (int again = 0; again < 2; again++) {
        struct http_field copy[3];
        memcpy(copy, fields, sizeof(copy));
        out.nadd = 0;
        headers_identify(&plan, copy, 3, &out, &ids);
        assert_int_equal(out.nadd, trace_made + id_made);
        assert_int_equal(copy[0].drop, !trace_in || trace_made);
        assert_int_equal(copy[1].drop, trace_made);
        assert_int_equal(copy[2].drop, !id_in || id_made);
        char *text = again ? two : one;
        snprintf(text, sizeof(one), "%.*s %.*s", (int)ids.traceparent.n, ids.traceparent.p,
                 (int)ids.request_id.n, ids.request_id.p);
    }
    /* what was made is never the same twice, what came is */
    assert_int_equal(strcmp(one, two) != 0, trace_made || id_made);
    if (trace_made) {
        /* what is made would be believed */
        char made[HEADERS_TRACEPARENT + 1];
        snprintf(made, sizeof(made), "%.*s", (int)ids.traceparent.n, ids.traceparent.p);
        assert_true(strlen(made) == HEADERS_TRACEPARENT &&
                    made[54] == (trace == HEADERS_TRACEPARENT_SAMPLED ? '1' : '0'));
        identify(HEADERS_TRACEPARENT_SAMPLED, false, made, NULL, false, false);
    }
    if (id_made)
        assert_true(ids.request_id.n == HEADERS_UUID && ids.request_id.p[14] == '4' &&
                    strchr("89ab", ids.request_id.p[19]));
    headers_out_clear(&out);
}

static void identified(void **state)
{
    (void)state;
    const enum headers_traceparent pass = HEADERS_TRACEPARENT_PASS, yes = HEADERS_TRACEPARENT_SAMPLED,
                                   no = HEADERS_TRACEPARENT_UNSAMPLED;
    static const char good[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    static const char *const bad[] = {"",
                                      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
                                      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
                                      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what",
                                      "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                      "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                                      "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
                                      "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                      "0g-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                      "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01what",
                                      "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
                                      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x"};
    char longest[HEADERS_REQUEST_ID_MAX + 2];
    identify(yes, true, good, "mine", false, false);
    identify(yes, true, NULL, NULL, true, true);
    identify(no, true, NULL, "mine", true, false);
    identify(pass, false, NULL, NULL, false, false);
    identify(pass, true, bad[1], NULL, false, true);
    identify(yes, false, "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what", NULL, false, false);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        identify(yes, false, bad[i], NULL, true, false);
    memset(longest, 'a', sizeof(longest));
    longest[HEADERS_REQUEST_ID_MAX + 1] = 0;
    identify(pass, true, NULL, longest, false, true);
    identify(pass, true, NULL, longest + 1, false, false);
    identify(pass, true, NULL, "", false, true);
    identify(pass, true, NULL, "two words", false, true);
    identify(pass, true, NULL, "caf\xc3\xa9", false, true);
    /* what Connection nominates goes no further (RFC 9110, 7.6.1), and tells nothing apart */
    {
        static struct headers_out own;
        const struct headers_plan plan = {.traceparent = yes, .request_id = true};
        struct headers_ids ids;
        struct http_field fields[] = {
            {.name = HTTP_STR("traceparent"), .value = {good, strlen(good)}, .hop = true},
            {.name = HTTP_STR("x-request-id"), .value = HTTP_STR("mine"), .hop = true}};
        headers_identify(&plan, fields, 2, &own, &ids);
        assert_int_equal(own.nadd, 2);
        assert_int_equal(ids.request_id.n, HEADERS_UUID);
        headers_out_clear(&own);
    }
    /* two of them are none; one that request.NAME sets is nobody's to replace */
    static struct headers_out out;
    struct headers_ids ids;
    const struct headers_plan plan = {.traceparent = HEADERS_TRACEPARENT_SAMPLED, .request_id = true};
    struct http_field twice[] = {{.name = HTTP_STR("x-request-id"), .value = HTTP_STR("a")},
                                 {.name = HTTP_STR("x-request-id"), .value = HTTP_STR("b")}};
    out.add[0] = (struct http_field){.name = HTTP_STR("traceparent"), .value = HTTP_STR("ours")};
    out.nadd = 1;
    headers_identify(&plan, twice, 2, &out, &ids);
    assert_true(twice[0].drop && twice[1].drop);
    assert_int_equal(out.nadd, 2);
    assert_null(ids.traceparent.p);
    headers_out_clear(&out);
}

/* Values are looked at eight bytes at a time: every byte, wherever it stands. */
static void values(void **state)
{
    (void)state;
    char text[27];
    for (size_t size = 1; size <= sizeof(text); size++)
        for (size_t at = 0; at < size; at++)
            for (unsigned c = 0; c < 256; c++)
                for (unsigned beside = 0; beside < 2; beside++) {
                    memset(text, beside ? 0x80 : '~', size);
                    text[at] = (char)c;
                    bool good = c == '\t' || (c >= ' ' && c != 0x7f);
                    if (http_all(text, size, HTTP_VALUE) != good)
                        fail_msg("byte %u at %zu of %zu", c, at, size);
                }
    assert_true(http_all("", 0, HTTP_VALUE));
    assert_false(http_all("12345678 12345678", 17, HTTP_DIGIT));
}

/* Likewise names: every character that one may have. */
static void lowered(void **state)
{
    (void)state;
    char text[27], low[sizeof(text)];
    for (size_t size = 1; size <= sizeof(text); size++)
        for (size_t at = 0; at < size; at++)
            for (unsigned c = 0; c < 128; c++)
                for (unsigned beside = 0; beside < 2; beside++) {
                    memset(text, beside ? 'Z' : '~', size);
                    text[at] = (char)c;
                    memset(low, 0, sizeof(low));
                    http_lower_token(text, size, low);
                    for (size_t i = 0; i < sizeof(low); i++)
                        assert_int_equal(low[i], i < size ? http_lower(text[i]) : 0);
                }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_set),   cmocka_unit_test(spoofed),       cmocka_unit_test(certificates),
        cmocka_unit_test(xfcc_modes), cmocka_unit_test(forwarded_for), cmocka_unit_test(named),
        cmocka_unit_test(forbidden),  cmocka_unit_test(identified),    cmocka_unit_test(values),
        cmocka_unit_test(lowered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
