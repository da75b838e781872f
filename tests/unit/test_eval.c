/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command `sidecar eval`: facts from certificates, requests and options; what it prints; its exit status.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sidecar/eval.h"

enum { ARGS = 20 };

static char output[65536], errors[65536];

static void slurp(FILE *file, char *into)
{
    rewind(file);
    into[fread(into, 1, sizeof output - 1, file)] = 0;
    fclose(file);
}

/* Runs eval with these arguments (NULL at the end); INPUT, if not NULL, is its standard input. */
static int run(const char *input, const char *const *arg)
{
    char *argv[ARGS + 2] = {strdup("eval")};
    int argc = 1, saved[3];
    FILE *file[3] = {tmpfile(), tmpfile(), tmpfile()};
    while (arg[argc - 1] && argc < ARGS) {
        argv[argc] = strdup(arg[argc - 1]);
        argc++;
    }
    fputs(input ? input : "", file[0]);
    rewind(file[0]);
    fflush(stdout);
    fflush(stderr);
    for (int i = 0; i < 3; i++) {
        saved[i] = dup(i);
        dup2(fileno(file[i]), i);
    }
    clearerr(stdin);
    int status = eval_main(argc, argv);
    fflush(stdout);
    fflush(stderr);
    for (int i = 0; i < 3; i++) {
        dup2(saved[i], i);
        close(saved[i]);
    }
    fclose(file[0]);
    slurp(file[1], output);
    slurp(file[2], errors);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    return status;
}

#define RUN(...) run(NULL, (const char *const[]){__VA_ARGS__, NULL})

static void says(const char *text)
{
    if (!strstr(output, text))
        fail_msg("no \"%s\" in\n%s\n%s", text, output, errors);
}

static void complains(const char *text)
{
    if (!strstr(errors, text))
        fail_msg("no \"%s\" in\n%s", text, errors);
}

/* The first line is the result. */
static void gives(const char *expression, const char *result, const char *const *more)
{
    const char *arg[ARGS] = {"--value", "-e", expression};
    for (int i = 0; more[i]; i++)
        arg[3 + i] = more[i];
    int status = run(NULL, arg);
    size_t size = strlen(result);
    if (status != 0 || strncmp(output, result, size) != 0 || output[size] != '\n')
        fail_msg("%s gives %d\n%s%s\nnot %s", expression, status, output, errors, result);
}

static char path[64];

static void write_file(const char *text)
{
    snprintf(path, sizeof path, "/tmp/test_eval.XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void test_certificate(void **state)
{
    (void)state;
    static const char *const more[] = {"--cert", "tests/unit/data/pki/leaf.pem", NULL};
    static const char *const facts[][2] = {
        {"cf.tls_client_auth.cert_presented", "true"},
        {"cf.tls_client_auth.cert_verified", "true"},
        {"cf.tls_client_auth.cert_revoked", "false"},
        {"ssl", "true"},
        {"cf.tls_client_auth.cert_subject_dn", "\"CN=leaf,O=Outrider\""},
        {"cf.tls_client_auth.cert_subject_dn_rfc2253", "\"CN=leaf,O=Outrider\""},
        {"cf.tls_client_auth.cert_subject_dn_legacy", "\"/O=Outrider/CN=leaf\""},
        {"cf.tls_client_auth.cert_issuer_dn", "\"CN=intermediate,O=Outrider\""},
        {"cf.tls_client_auth.cert_issuer_dn_legacy", "\"/O=Outrider/CN=intermediate\""},
        {"cf.tls_client_auth.cert_serial", "\"1016\""},
        {"cf.tls_client_auth.cert_issuer_serial", "\"\""},
        {"cf.tls_client_auth.cert_fingerprint_sha256",
         "\"8f632de5fc0aad73a32439f004957e06bd985ab5828fc41fc2cde5501eb6e764\""},
        {"len(cf.tls_client_auth.cert_fingerprint_sha1)", "40"},
        {"cf.tls_client_auth.cert_not_before", "\"Jan  1 00:00:00 2020 GMT\""},
        {"cf.tls_client_auth.cert_not_after", "\"Jan  1 00:00:00 2120 GMT\""},
        {"cf.tls_client_auth.cert_ski", "\"BBECC35D1CC9DA4F284972BA71D7828660A2B543\""},
        {"cf.tls_client_auth.cert_issuer_ski", "\"A0A86849A73F65847388E7E1CA5861E3FE9D1908\""},
        {"starts_with(cf.tls_client_auth.cert_rfc9440, \":MII\")", "true"},
        {"ends_with(cf.tls_client_auth.cert_rfc9440, \":\")", "true"},
        {"cf.tls_client_auth.cert_chain_rfc9440", "\"\""},
        {"outrider.spiffe_id", "\"spiffe://cluster.local/ns/shop/sa/web\""},
        {"outrider.trust_domain", "\"cluster.local\""},
        {"outrider.san.dns[1]", "\"*.web.shop.svc\""},
        {"outrider.san.uri[0]", "\"spiffe://cluster.local/ns/shop/sa/web\""},
        {"outrider.san.ip[0]", "\"192.0.2.7\""},
        {"outrider.san.ip[1]", "\"2001:db8::7\""},
        {"len(outrider.san.email)", "0"},
        {"outrider.subject.cn[0]", "\"leaf\""},
        {"outrider.subject.o[0]", "\"Outrider\""},
        {"len(outrider.subject.ou)", "0"},
        {"outrider.key_type", "\"EC\""},
        {"outrider.key_bits", "256"},
        {"outrider.seconds_to_expiry > 86400", "true"},
    };
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        gives(facts[i][0], facts[i][1], more);
    static const char *const der[] = {"--cert", "tests/unit/data/pki/leaf.der", "--unverified", "--revoked",
                                      NULL};
    gives("cf.tls_client_auth.cert_serial", "\"1016\"", der);
    gives("cf.tls_client_auth.cert_verified", "false", der);
    gives("cf.tls_client_auth.cert_revoked", "false", der);
    static const char *const revoked[] = {"--cert", "tests/unit/data/pki/leaf.der", "--revoked", NULL};
    gives("cf.tls_client_auth.cert_verified and cf.tls_client_auth.cert_revoked", "true", revoked);
}

static void append(char *text, const char *name)
{
    FILE *in = fopen(name, "r");
    assert_non_null(in);
    size_t n = strlen(text);
    text[n + fread(text + n, 1, 8192, in)] = 0;
    fclose(in);
}

static void test_chain(void **state)
{
    (void)state;
    static char text[32768];
    text[0] = 0;
    append(text, "tests/unit/data/pki/leaf.pem");
    append(text, "tests/unit/data/pki/root.pem");
    append(text, "tests/unit/data/pki/intermediate.pem");
    write_file(text);
    const char *const more[] = {"--cert", path, NULL};
    gives("cf.tls_client_auth.cert_issuer_serial", "\"100B\"", more);
    gives("cf.tls_client_auth.cert_issuer_ski", "\"A0A86849A73F65847388E7E1CA5861E3FE9D1908\"", more);
    gives("len(outrider.chain_fingerprints)", "2", more);
    gives("outrider.chain_fingerprints[1]",
          "\"004d37f72f0fdd97a9af07b14eda427c1728b45ee4e73b8c2321f3fc6c911625\"", more);
    gives("len(split(cf.tls_client_auth.cert_chain_rfc9440, \":, :\", 5))", "2", more);
    unlink(path);
}

static void test_options(void **state)
{
    (void)state;
    static const char *const more[] = {"-X",
                                       "POST",
                                       "-H",
                                       "Host: ignored",
                                       "-H",
                                       "X-A: 1",
                                       "-H",
                                       "x-a:2",
                                       "-H",
                                       "Cookie: a=b; c=%20",
                                       "https://api.example.com/a//b/%7ec/../d.TAR.GZ?x=1&y&x=2",
                                       NULL};
    static const char *const facts[][2] = {
        {"http.request.method", "\"POST\""},
        {"http.host", "\"api.example.com\""},
        {"http.request.version", "\"HTTP/1.1\""},
        {"http.request.uri.path", "\"/a/b/d.TAR.GZ\""},
        {"raw.http.request.uri.path", "\"/a//b/%7ec/../d.TAR.GZ\""},
        {"http.request.uri.path.extension", "\"gz\""},
        {"http.request.uri.query", "\"x=1&y&x=2\""},
        {"http.request.uri", "\"/a/b/d.TAR.GZ?x=1&y&x=2\""},
        {"http.request.full_uri", "\"https://api.example.com/a/b/d.TAR.GZ?x=1&y&x=2\""},
        {"raw.http.request.full_uri", "\"https://api.example.com/a//b/%7ec/../d.TAR.GZ?x=1&y&x=2\""},
        {"http.request.uri.args[\"x\"][1]", "\"2\""},
        {"http.request.uri.args[\"y\"][0]", "\"\""},
        {"len(http.request.uri.args.names)", "3"},
        {"http.request.headers[\"x-a\"][1]", "\"2\""},
        {"http.request.headers.names[1]", "\"X-A\""},
        {"http.request.cookies[\"c\"][0]", "\"%20\""},
        {"http.cookie", "\"a=b; c=%20\""},
        {"http.request.timestamp.sec > 1700000000", "true"},
    };
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        gives(facts[i][0], facts[i][1], more);
    static const char *const set[] = {
        "--set", "ip.src=10.0.0.1",   "--set", "http.host=a b",
        "--set", "ssl=true",          "--set", "outrider.san.dns=[\"x\"]",
        "--set", "http.referer=null", "--set", "http.user_agent={\"$hex\": \"ff\"}",
        NULL};
    gives("ip.src in {10.0.0.0/8} and ssl", "true", set);
    gives("http.host", "\"a b\"", set);
    gives("http.referer", "(missing)", set);
    gives("http.user_agent", "{\"$hex\": \"ff\"}", set);
    gives("outrider.san.dns[0]", "\"x\"", set);
}

static void test_request_file(void **state)
{
    (void)state;
    write_file("GET /x?y HTTP/1.0\r\nHost: h\r\nAccept-Language: de;q=0.5, en\r\nUser-Agent:  me "
               "\r\n\r\nbody: no\r\n");
    const char *const more[] = {"--request", path, NULL};
    gives("http.host", "\"h\"", more);
    gives("http.request.version", "\"HTTP/1.0\"", more);
    gives("http.request.uri", "\"/x?y\"", more);
    gives("http.request.accepted_languages[0]", "\"en\"", more);
    gives("len(http.request.headers.names)", "3", more);
    gives("http.user_agent", "\"me\"", more);
    unlink(path);
    write_file("nonsense\n");
    assert_int_equal(RUN("-e", "ssl", "--request", path), 1);
    complains("first line");
    unlink(path);
    write_file("GET / HTTP/1.1\nno colon\n");
    assert_int_equal(RUN("-e", "ssl", "--request", path), 1);
    complains("colon");
    unlink(path);
}

static void test_lists(void **state)
{
    (void)state;
    char given[100];
    write_file("52:7E\n0x01\n");
    snprintf(given, sizeof given, "revoked=%s", path);
    assert_int_equal(RUN("-e", "cf.tls_client_auth.cert_serial in $revoked", "--set",
                         "cf.tls_client_auth.cert_serial=01", "--list", given),
                     0);
    says("true\n");
    snprintf(given, sizeof given, "revoked:strings=%s", path);
    assert_int_equal(RUN("-e", "cf.tls_client_auth.cert_serial in $revoked", "--set",
                         "cf.tls_client_auth.cert_serial=01", "--list", given),
                     0);
    says("false\n");
    snprintf(given, sizeof given, "revoked=%s", path);
    assert_int_equal(RUN("-e", "ip.src in $revoked", "--list", given), 1);
    complains(":1: not an IP address");
    snprintf(given, sizeof given, "revoked:nonsense=%s", path);
    assert_int_equal(RUN("-e", "ssl", "--list", given), 2);
    unlink(path);
    assert_int_equal(RUN("-e", "http.host in $nope"), 1);
    complains("no list called $nope");
}

static void test_output(void **state)
{
    (void)state;
    assert_int_equal(RUN("-e", "http.host eq \"a\" and not ssl", "-H", "Host: a"), 0);
    assert_string_equal(output, "true\n\n"
                                "http.host eq \"a\" and not ssl  =>  true\n"
                                "  http.host eq \"a\"  =>  true\n"
                                "    http.host  =>  \"a\"\n"
                                "  not ssl  =>  true\n"
                                "    ssl  =>  false\n");
    assert_int_equal(RUN("--json", "-e", "http.host eq \"a\" and not ssl", "-H", "Host: a"), 0);
    assert_string_equal(output, "{\"result\": true, \"explanation\": {\"expression\": \"http.host eq "
                                "\\\"a\\\" and not ssl\", \"value\": true, "
                                "\"parts\": [{\"expression\": \"http.host eq \\\"a\\\"\", \"value\": true, "
                                "\"parts\": [{\"expression\": "
                                "\"http.host\", \"value\": \"a\", \"parts\": []}]}, {\"expression\": \"not "
                                "ssl\", \"value\": true, \"parts\": "
                                "[{\"expression\": \"ssl\", \"value\": false, \"parts\": []}]}]}}\n");
    assert_int_equal(RUN("-e", "http.hots eq \"a\""), 1);
    complains("did you mean: http.host");
    assert_string_equal(output, "");
    assert_int_equal(RUN("--json", "-e", "http.hots eq \"a\""), 1);
    says("{\"error\": \"UnknownIdentifier\", \"line\": 1, \"column\": 1, ");
    assert_int_equal(RUN("-e", "cf.tls_client_auth.cert_serial eq \"ab\""), 0);
    complains("warning: ");
    complains("capital hexadecimal digits");
}

static void test_status(void **state)
{
    (void)state;
    assert_int_equal(RUN("--help"), 0);
    says("Usage: sidecar eval");
    assert_int_equal(RUN("--nonsense"), 2);
    assert_int_equal(run(NULL, (const char *const[]){NULL}), 2);
    assert_int_equal(RUN("-e", "ssl", "a", "b"), 2);
    assert_int_equal(RUN("-e", "ssl", "-H", "no colon"), 2);
    assert_int_equal(RUN("-e", "ssl", "--set", "no equals"), 2);
    assert_int_equal(RUN("-e", "ssl", "--set", "nope=1"), 1);
    complains("no such field");
    assert_int_equal(RUN("-e", "ssl", "--set", "ssl=1"), 1);
    assert_int_equal(RUN("-e", "ssl", "--set", "ip.src=1"), 1);
    assert_int_equal(RUN("-e", "ssl", "--cert", "/nonexistent"), 1);
    complains("/nonexistent");
    assert_int_equal(RUN("-e", "ssl", "--cert", "tests/unit/data/pki/leaf.key.pem"), 1);
    complains("no certificate");
    assert_int_equal(RUN("-e", "http.host"), 1);
}

static void test_jsonl(void **state)
{
    (void)state;
    int status = run("{\"expression\": \"true\"}\n\n{\"expression\": \"ssl\"}\r\n{\"expression\": \"x\"}",
                     (const char *const[]){"--jsonl", NULL});
    assert_int_equal(status, 0);
    const char *line = output;
    assert_true(strncmp(line, "{\"result\": true}\n", 17) == 0);
    line = strchr(line, '\n') + 1;
    assert_true(strncmp(line, "{\"error\": \"Json\", ", 18) == 0);
    line = strchr(line, '\n') + 1;
    assert_true(strncmp(line, "{\"result\": false}\n", 18) == 0);
    line = strchr(line, '\n') + 1;
    assert_true(strncmp(line, "{\"error\": \"UnknownIdentifier\", ", 31) == 0);
    line = strchr(line, '\n') + 1;
    assert_string_equal(line, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_certificate),  cmocka_unit_test(test_chain), cmocka_unit_test(test_options),
        cmocka_unit_test(test_request_file), cmocka_unit_test(test_lists), cmocka_unit_test(test_output),
        cmocka_unit_test(test_status),       cmocka_unit_test(test_jsonl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
