/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Probes of the local service: [probe NAME] in the configuration, what is asked, how answers are judged. */
#include "config_expect.h"

#include "sidecar/admin/probe.h"

#define HEALTH "[sidecar]\nhealth = 0.0.0.0:9\n" BASE

static void test_config(void **state)
{
    (void)state;
    struct config *c =
        good(HEALTH "[probe app]\nconnect = 127.0.0.1:8080\n"
                    "[probe live]\nconnect = [::1]:1\nrequest = /live?x=1\ntimeout = 3s\n"
                    "[probe db]\nkind = tcp\nconnect = unix:/run/db\n"
                    "[probe orders.v1]\nkind = grpc\nconnect = 127.0.0.1:2\nrequest = shop.Orders\n");
    assert_int_equal(c->probe_count, 4);
    assert_int_equal(c->probe[0].kind, CONFIG_PROBE_HTTP);
    assert_string_equal(c->probe[0].request, "/");
    assert_int_equal(c->probe[0].timeout, 1000);
    assert_string_equal(c->probe[1].request, "/live?x=1");
    assert_null(c->probe[2].request);
    assert_int_equal(c->probe[3].kind, CONFIG_PROBE_GRPC);
    config_free(c);
    static const struct mistake mistakes[] = {
        {"far", HEALTH "[probe a]\nconnect = 10.0.0.1:80\n",
         "10:11+11 a probe connects only to a loopback address or a UNIX socket\n"},
        {"name", HEALTH "[probe a]\nconnect = localhost:80\n",
         "10:11+12 a probe connects only to a loopback address or a UNIX socket\n"},
        {"path", HEALTH "[probe a/b]\nconnect = 127.0.0.1:80\n",
         "9:9+1 the name of a [probe] holds only letters, digits, \"_\", \".\" and \"-\"\n"},
        {"request", HEALTH "[probe a]\nconnect = 127.0.0.1:80\nrequest = x\n",
         "11:11+1 request is a path, which begins with / and has no blank\n"},
        {"split", HEALTH "[probe a]\nconnect = 127.0.0.1:80\nrequest = / HTTP/1.1\n",
         "11:11+10 request is a path, which begins with / and has no blank\n"},
        {"tcp", HEALTH "[probe a]\nkind = tcp\nconnect = 127.0.0.1:80\nrequest = /\n",
         "12:11+1 a TCP probe asks for nothing\n"},
        {"nobody", BASE "[probe a]\nconnect = 127.0.0.1:80\n",
         "7:1+9 warning: nobody can ask for this probe: [sidecar] health is not set\n"},
    };
    for (size_t i = 0; i < COUNT(mistakes); i++)
        expect(&mistakes[i]);
}

static void test_request(void **state)
{
    (void)state;
    uint8_t out[PROBE_REQUEST_MAX];
    char big[PROBE_REQUEST_MAX + 1];
    size_t n = probe_request(CONFIG_PROBE_HTTP, "/live", out);
    assert_memory_equal(out, "GET /live HTTP/1.1\r\nHost: localhost\r\n", 37);
    assert_memory_equal(out + n - 4, "\r\n\r\n", 4);
    assert_int_equal(probe_request(CONFIG_PROBE_TCP, "", out), 0);
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    assert_int_equal(probe_request(CONFIG_PROBE_HTTP, big, out), 0);
    assert_int_equal(probe_request(CONFIG_PROBE_GRPC, big, out), 0);
    n = probe_request(CONFIG_PROBE_GRPC, "a.B", out);
    assert_memory_equal(out + n - 10, "\0\0\0\0\5\n\3a.B", 10);
}

/* VERDICT after all of it, PROBE_MORE after any part of it that is shorter than DECIDES. */
static void judge(enum config_probe_kind kind, const void *bytes, size_t size, enum probe_verdict verdict,
                  const char *words, size_t decides)
{
    const char *why;
    unsigned number;
    for (size_t i = 0; i < size; i++) {
        uint8_t *cut = malloc(i + 1);
        memcpy(cut, bytes, i);
        enum probe_verdict part = probe_read(kind, cut, i, &why, &number);
        assert_int_equal(part, i < decides ? PROBE_MORE : verdict);
        free(cut);
    }
    assert_int_equal(probe_read(kind, bytes, size, &why, &number), verdict);
    if (words)
        assert_string_equal(why, words);
}
#define HTTP(text, verdict, words, decides) \
    judge(CONFIG_PROBE_HTTP, text, sizeof text - 1, verdict, words, decides)
#define GRPC(text, verdict, words) \
    judge(CONFIG_PROBE_GRPC, text, sizeof text - 1, verdict, words, sizeof text - 1)
#define SETTINGS "\0\0\0\4\0\0\0\0\0"
#define HEADERS "\0\0\1\1\4\0\0\0\1\x88"

static void test_answers(void **state)
{
    (void)state;
    HTTP("HTTP/1.1 200 OK\r\n", PROBE_GOOD, NULL, 12);
    HTTP("HTTP/1.0 302", PROBE_GOOD, NULL, 12);
    HTTP("HTTP/1.1 400 Bad", PROBE_BAD, NULL, 12);
    HTTP("HTTP/1.1 199 x", PROBE_BAD, NULL, 12);
    HTTP("HTTP/1.1 503 x", PROBE_BAD, NULL, 12);
    HTTP("HTTP/1.1 2x0 x", PROBE_BAD, "the answer is not HTTP", 12);
    HTTP("SSH-2.0", PROBE_BAD, "the answer is not HTTP", 1);
    GRPC(SETTINGS HEADERS "\0\0\7\0\0\0\0\0\1\0\0\0\0\2\x08\1", PROBE_GOOD, "not serving");
    GRPC(SETTINGS HEADERS "\0\0\7\0\0\0\0\0\1\0\0\0\0\2\x08\2", PROBE_BAD, "not serving");
    GRPC(SETTINGS HEADERS "\0\0\5\0\0\0\0\0\1\0\0\0\0\0", PROBE_BAD, "not serving");
    GRPC(SETTINGS HEADERS "\0\0\x0a\0\x08\0\0\0\1\2\0\0\0\0\2\x08\1\0\0", PROBE_GOOD, NULL);
    GRPC(SETTINGS HEADERS "\0\0\2\0\x08\0\0\0\1\2\0", PROBE_BAD, "a gRPC message that is none");
    GRPC(SETTINGS "\0\0\1\1\5\0\0\0\1\x88", PROBE_BAD, "no gRPC health service, or not for this name");
    GRPC(SETTINGS "\0\0\4\3\0\0\0\0\1\0\0\0\1", PROBE_BAD, "no gRPC health service, or not for this name");
    judge(CONFIG_PROBE_GRPC, "HTTP/1.1 400 Bad", 16, PROBE_BAD, "an answer that is too large, or no HTTP/2",
          9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
