/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The whole check of a configuration (sidecar/check.h): every mistake at once, whichever room finds it. */
#include "config_expect.h"

#include <unistd.h>

#include "sidecar/check.h"

static const struct mistake cases[] = {
    {"nothing wrong", BASE "[rule r]\nexpression = http.host eq \"x\"\n", NULL},
    {"each room has its own to tell",
     "[sidecar]\nworkes = 2\n[tls]\ndirectory = /t\nciphers = NONSENSE\ngroups = X25519, X25518\n"
     "[inbound web]\nlisten = 0.0.0.0:1\nforward = 127.0.0.1:2\nprotocol = http\nallow_san = spiffe://a b\n"
     "[rule r]\nexpression = http.hots eq 1\n[list l]\nkind = integer\nvalues = 1, x\n"
     "[rule s]\nexpression = ip.src eq 1.2.3.400\n",
     "2:1+6 there is no key workes in [sidecar] -> workers\n"
     "5:11+8 unknown cipher suite \"NONSENSE\"\n"
     "6:18+6 unknown group \"X25518\"\n"
     "11:13+12 allow_san \"spiffe://a b\": a character that no URI may contain\n"
     "13:14+9 there is no field or function \"http.hots\" -> http.host\n"
     "16:13+1 not a whole number\n"
     "18:24+9 \"1.2.3.400\" is not an IP address\n"},
    {"what is missing is told once",
     BASE "[rule]\nexpression = ssl\n[rule a]\naction = block\n[ratelimit l]\nexpression = ssl\n"
          "requests = 1\nperiod = 1s\n[list]\nvalues = a\n[headers]\nrequest.X =\n[rule b]\nexpression = "
          "nonsense\n",
     "7:1+6 [rule] needs a name of its own: [rule NAME]\n"
     "9:1+8 [rule a] has no key expression, which it needs\n"
     "11:1+13 [ratelimit l] has no key characteristics, which it needs\n"
     "15:1+6 [list] needs a name of its own: [list NAME]\n"
     "18:1+9 request.X has no value\n"
     "20:14+8 there is no field or function \"nonsense\"\n"},
    {"rule on requests where anything may come, told once",
     "[tls]\ndirectory = /t\n[inbound a]\nlisten = [::]:1\nforward = a:1\n[rule r]\nexpression = http.host "
     "eq \"x\"\n[rule s]\nexpression = http.host eq \"y\"\n",
     "3:1+11 [rule r] (line 6) looks at requests and cannot hold for what is not HTTP: write protocol = "
     "http, or tcp_fallback = allow to let it pass\n"},
    {"a field of requests that is not called http",
     "[tls]\ndirectory = /t\n[inbound a]\nlisten = [::]:1\nforward = a:1\n[rule r]\nexpression = "
     "outrider.cert_requests gt 5\n",
     "3:1+11 [rule r] (line 6) looks at requests and cannot hold for what is not HTTP: write protocol = "
     "http, or tcp_fallback = allow to let it pass\n"},
    {"rule on requests, tcp_fallback",
     "[tls]\ndirectory = /t\n[inbound a]\nlisten = [::]:1\nforward = a:1\ntcp_fallback = allow\n[rule "
     "r]\nexpression = http.host eq \"x\"\n",
     NULL},
    {"rule on connections alone, whatever its strings say",
     "[tls]\ndirectory = /t\n[inbound a]\nlisten = [::]:1\nforward = a:1\n[rule r]\nexpression = ssl and "
     "cf.tls_version eq \"http.host\"\n",
     NULL},
    {"disabled rule on requests",
     "[tls]\ndirectory = /t\n[inbound a]\nlisten = [::]:1\nforward = a:1\n[rule r]\nexpression = http.host "
     "eq \"x\"\nenabled = false\n",
     NULL},
    {"rule on requests for another inbound",
     "[tls]\ndirectory = /t\n[inbound a]\nlisten = [::]:1\nforward = a:1\n[inbound b]\nlisten = "
     "[::]:2\nforward = a:1\nprotocol = http\n[rule r]\nexpression = http.host eq \"x\"\ninbound = b\n",
     NULL},
    {"rule on requests at a tcp inbound",
     "[tls]\ndirectory = /t\n[inbound a]\nlisten = [::]:1\nforward = a:1\nprotocol = tcp\n[rule "
     "r]\nexpression = http.host eq \"x\"\n",
     "8:14+16 warning: [rule r] looks at requests and has no effect on [inbound a]: its protocol is tcp\n"},
    {"rule on requests, one inbound of two is tcp",
     BASE "[inbound b]\nlisten = [::]:1\nforward = a:1\nprotocol = tcp\n[rule r]\nexpression = http.host eq "
          "\"x\"\n",
     NULL},
};

static void all_mistakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char path[] = "/tmp/outrider-check-XXXXXX";
        int fd = mkstemp(path);
        size_t size = strlen(cases[i].text);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, cases[i].text, size), size);
        close(fd);
        struct config_report report;
        struct proxy_policy *policy;
        struct config *config = check_load(path, &report, &policy);
        char *found = problems_of(&report);
        const char *wanted = cases[i].problems ? cases[i].problems : "";
        unlink(path);
        if (strcmp(found, wanted) != 0)
            fail_msg("%s: expected\n%sfound\n%s", cases[i].name, wanted, found);
        assert_int_equal(config != NULL, report.errors == 0);
        assert_int_equal(policy != NULL, config != NULL);
        free(found);
        proxy_policy_free(policy);
        config_free(config);
        config_report_clear(&report);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
