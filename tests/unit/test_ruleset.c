/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rules in order: decisions, what connections fold, dry runs, counters, plans, warnings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "rules_scheme.h"
#include "sidecar/rules/ruleset.h"

struct fixture {
    struct rules_context context;
    struct rules_scratch scratch;
    struct rules_arena arena;
    struct ruleset *ruleset;
    struct ruleset_counter counter[100];
    uint64_t state[8];
    struct ruleset_decision decision;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    rules_context_init(&f->context, rules_scheme_standard(), NULL, NULL);
    assert_true(rules_scratch_init(&f->scratch, RULES_SCRATCH_DEFAULT));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    ruleset_free(f->ruleset);
    rules_scratch_clear(&f->scratch);
    rules_arena_free(&f->arena);
    free(f);
    return 0;
}

static void begin(struct fixture *f, enum ruleset_default fallback)
{
    ruleset_free(f->ruleset);
    f->ruleset = ruleset_new(fallback);
    assert_non_null(f->ruleset);
    memset(f->counter, 0, sizeof f->counter);
    rules_context_reset(&f->context, 0xff);
}

static void add_full(struct fixture *f, struct ruleset_rule rule)
{
    static const struct rules_env env_of_all = {0};
    struct rules_env env = env_of_all;
    struct rules_error error;
    env.scheme = rules_scheme_standard();
    rule.expression_size = strlen(rule.expression);
    if (!ruleset_add(f->ruleset, &env, &rule, &error))
        fail_msg("%s: %s", rule.expression, error.message);
}

static void add(struct fixture *f, enum ruleset_action action, const char *expression)
{
    char name[16];
    snprintf(name, sizeof name, "r%zu", ruleset_count(f->ruleset));
    add_full(
        f, (struct ruleset_rule){.name = name, .expression = expression, .action = action, .enabled = true});
}

static void facts(struct fixture *f, uint8_t reset, const char *json)
{
    rules_context_reset(&f->context, reset);
    const char *wrong = test_context_set(&f->context, &f->arena, json, strlen(json));
    if (wrong)
        fail_msg("%s: %s", json, wrong);
}

static void connect(struct fixture *f, bool final)
{
    const struct ruleset_plan *plan = ruleset_plan(f->ruleset, "web");
    assert_non_null(plan);
    assert_true(ruleset_plan_state_words(plan) <= 8);
    ruleset_connect(plan, &f->context, &f->scratch, final, f->state, f->counter, &f->decision);
}

static void request(struct fixture *f)
{
    ruleset_request(ruleset_plan(f->ruleset, "web"), &f->context, &f->scratch, f->state, f->counter,
                    &f->decision);
}

static void is(const struct fixture *f, enum ruleset_verdict verdict, int rule)
{
    if (f->decision.verdict != verdict || f->decision.rule != rule)
        fail_msg("verdict %d by %d, not %d by %d", f->decision.verdict, f->decision.rule, verdict, rule);
}

#define VERIFIED "\"cf.tls_client_auth.cert_presented\": true, \"cf.tls_client_auth.cert_verified\": true"

static void test_defaults(void **state)
{
    struct fixture *f = *state;
    begin(f, RULESET_AUTO);
    connect(f, false);
    is(f, RULESET_REFUSE, -1);
    assert_int_equal(f->decision.reason, RULESET_BY_DEFAULT);
    facts(f, 0xff, "{" VERIFIED "}");
    connect(f, false);
    is(f, RULESET_PASS, -1);
    facts(f, 0xff, "{" VERIFIED ", \"cf.tls_client_auth.cert_revoked\": true}");
    connect(f, false);
    is(f, RULESET_REFUSE, -1);
    facts(f, 0xff, "{\"cf.tls_client_auth.cert_verified\": null}");
    connect(f, true);
    is(f, RULESET_REFUSE, -1);
    begin(f, RULESET_ALLOW_ALL);
    connect(f, true);
    is(f, RULESET_PASS, -1);
    begin(f, RULESET_DENY_ALL);
    facts(f, 0xff, "{" VERIFIED "}");
    connect(f, true);
    is(f, RULESET_REFUSE, -1);
}

static void test_order(void **state)
{
    struct fixture *f = *state;
    begin(f, RULESET_AUTO);
    add(f, RULESET_LOG, "ssl");
    add(f, RULESET_ALLOW, "cf.tls_client_auth.cert_serial eq \"01\"");
    add(f, RULESET_BLOCK, "cf.tls_client_auth.cert_serial in {\"01\" \"02\"}");
    add(f, RULESET_SKIP, "cf.tls_client_auth.cert_serial eq \"03\"");
    add(f, RULESET_BLOCK, "true");
    facts(f, 0xff, "{" VERIFIED ", \"ssl\": true, \"cf.tls_client_auth.cert_serial\": \"01\"}");
    connect(f, false);
    is(f, RULESET_PASS, 1);
    assert_int_equal(f->decision.notes, 1);
    assert_int_equal(f->decision.note[0], 0);
    facts(f, 0xff, "{" VERIFIED ", \"cf.tls_client_auth.cert_serial\": \"02\"}");
    connect(f, false);
    is(f, RULESET_REFUSE, 2);
    assert_int_equal(f->decision.status, 403);
    assert_int_equal(f->decision.notes, 0);
    /* A skip leaves it to the default. */
    facts(f, 0xff, "{" VERIFIED ", \"cf.tls_client_auth.cert_serial\": \"03\"}");
    connect(f, false);
    is(f, RULESET_PASS, -1);
    facts(f, 0xff, "{\"cf.tls_client_auth.cert_serial\": \"03\"}");
    connect(f, false);
    is(f, RULESET_REFUSE, -1);
    facts(f, 0xff, "{" VERIFIED ", \"cf.tls_client_auth.cert_serial\": \"04\"}");
    connect(f, false);
    is(f, RULESET_REFUSE, 4);
    assert_int_equal(f->counter[0].evaluated, 5);
    assert_int_equal(f->counter[0].matched, 1);
    assert_int_equal(f->counter[1].acted, 1);
    assert_int_equal(f->counter[2].evaluated, 4);
    assert_int_equal(f->counter[2].acted, 1);
    assert_int_equal(f->counter[3].acted, 2);
    assert_int_equal(f->counter[4].evaluated, 1);
}

static void test_requests(void **state)
{
    struct fixture *f = *state;
    begin(f, RULESET_AUTO);
    add(f, RULESET_BLOCK, "http.host eq \"pinned\" and cf.tls_client_auth.cert_serial ne \"01\"");
    add(f, RULESET_ALLOW, "http.request.uri.path eq \"/public\"");
    add(f, RULESET_BLOCK, "not cf.tls_client_auth.cert_verified");
    add(f, RULESET_BLOCK, "http.request.method eq \"DELETE\"");
    /* The serial is right: rule 0 is out; the caller is verified: rule 2 is out. */
    facts(f, 0xff, "{" VERIFIED ", \"cf.tls_client_auth.cert_serial\": \"01\"}");
    connect(f, false);
    is(f, RULESET_WAIT, -1);
    assert_int_equal(f->state[1], 0xa);
    assert_int_equal(f->state[0], 0);
    facts(f, RULES_REQUEST, "{\"http.host\": \"pinned\"}");
    request(f);
    is(f, RULESET_PASS, -1);
    facts(f, RULES_REQUEST, "{\"http.host\": \"pinned\", \"http.request.method\": \"DELETE\"}");
    request(f);
    is(f, RULESET_REFUSE, 3);
    facts(f, RULES_REQUEST, "{\"http.request.uri.path\": \"/public\", \"http.request.method\": \"DELETE\"}");
    request(f);
    is(f, RULESET_PASS, 1);
    assert_int_equal(f->counter[0].evaluated, 1);
    assert_int_equal(f->counter[1].evaluated, 3);
    /* Another serial: rule 0 is open. */
    facts(f, 0xff, "{" VERIFIED ", \"cf.tls_client_auth.cert_serial\": \"02\"}");
    connect(f, false);
    is(f, RULESET_WAIT, -1);
    facts(f, RULES_REQUEST, "{\"http.host\": \"pinned\"}");
    request(f);
    is(f, RULESET_REFUSE, 0);
    facts(f, RULES_REQUEST, "{\"http.host\": \"other\"}");
    request(f);
    is(f, RULESET_PASS, -1);
    /* Unverified: rule 2 decides what the public path does not; the connection cannot be refused yet. */
    facts(f, 0xff, "{}");
    connect(f, false);
    is(f, RULESET_WAIT, -1);
    assert_int_equal(f->state[0], 0x4);
    facts(f, RULES_REQUEST, "{\"http.request.uri.path\": \"/public\"}");
    request(f);
    is(f, RULESET_PASS, 1);
    facts(f, RULES_REQUEST, "{}");
    request(f);
    is(f, RULESET_REFUSE, 2);
    /* Without requests to come, those fields have their absent values. */
    facts(f, 0xff, "{" VERIFIED "}");
    connect(f, true);
    is(f, RULESET_PASS, -1);
    facts(f, 0xff, "{}");
    connect(f, true);
    is(f, RULESET_REFUSE, 2);
}

/* A block by facts of the connection refuses at once if only rules that log stand open before it. */
static void test_early_refusal(void **state)
{
    struct fixture *f = *state;
    begin(f, RULESET_ALLOW_ALL);
    add(f, RULESET_LOG, "http.host eq \"x\"");
    add_full(f, (struct ruleset_rule){.name = "dry",
                                      .expression = "http.host eq \"y\"",
                                      .action = RULESET_ALLOW,
                                      .enabled = true,
                                      .dry_run = true});
    add(f, RULESET_BLOCK, "ip.src in {10.0.0.0/8}");
    add(f, RULESET_ALLOW, "ip.src in {192.0.2.0/24}");
    facts(f, 0xff, "{\"ip.src\": \"10.0.0.1\"}");
    connect(f, false);
    is(f, RULESET_REFUSE, 2);
    facts(f, 0xff, "{\"ip.src\": \"192.0.2.1\"}");
    connect(f, false);
    is(f, RULESET_WAIT, -1);
    facts(f, RULES_REQUEST, "{\"http.host\": \"y\"}");
    request(f);
    is(f, RULESET_PASS, 3);
    assert_int_equal(f->decision.notes, 1);
    assert_int_equal(f->decision.note[0], 1);
    assert_int_equal(f->counter[1].matched, 1);
    assert_int_equal(f->counter[1].acted, 0);
}

static void test_dry_run_and_disabled(void **state)
{
    struct fixture *f = *state;
    begin(f, RULESET_ALLOW_ALL);
    add_full(
        f,
        (struct ruleset_rule){
            .name = "dry", .expression = "true", .action = RULESET_BLOCK, .enabled = true, .dry_run = true});
    add_full(f, (struct ruleset_rule){.name = "off", .expression = "true", .action = RULESET_BLOCK});
    connect(f, true);
    is(f, RULESET_PASS, -1);
    assert_int_equal(f->decision.notes, 1);
    assert_int_equal(f->counter[0].matched, 1);
    assert_int_equal(f->counter[0].acted, 0);
    assert_int_equal(f->counter[1].evaluated, 0);
    begin(f, RULESET_ALLOW_ALL);
    for (int i = 0; i < 20; i++)
        add(f, RULESET_LOG, "true");
    connect(f, true);
    assert_int_equal(f->decision.notes, 20);
    assert_int_equal(f->decision.note[7], 7);
}

static void test_inbounds(void **state)
{
    struct fixture *f = *state;
    static const char *const others[] = {"api", "web2"}, *const web[] = {"web"};
    begin(f, RULESET_ALLOW_ALL);
    add_full(f, (struct ruleset_rule){.name = "others",
                                      .expression = "true",
                                      .action = RULESET_BLOCK,
                                      .enabled = true,
                                      .inbound = others,
                                      .inbounds = 2});
    add_full(f, (struct ruleset_rule){.name = "web",
                                      .expression = "ssl",
                                      .action = RULESET_BLOCK,
                                      .enabled = true,
                                      .inbound = web,
                                      .inbounds = 1,
                                      .status = 451,
                                      .body = "no"});
    connect(f, true);
    is(f, RULESET_PASS, -1);
    facts(f, 0xff, "{\"ssl\": true}");
    connect(f, true);
    is(f, RULESET_REFUSE, 1);
    assert_int_equal(f->decision.status, 451);
    assert_string_equal(f->decision.body, "no");
    const struct ruleset_plan *api = ruleset_plan(f->ruleset, "api");
    ruleset_connect(api, &f->context, &f->scratch, true, NULL, NULL, &f->decision);
    is(f, RULESET_REFUSE, 0);
    assert_ptr_equal(ruleset_plan(f->ruleset, "api"), api);
    assert_int_equal(ruleset_plan_phases(api), 0);
    assert_false(ruleset_plan_uses(api, RULES_FIELD_SSL));
    assert_true(ruleset_plan_uses(ruleset_plan(f->ruleset, "web"), RULES_FIELD_SSL));
}

/* More rules than a word has bits, of all kinds: the same result as evaluating one after the other. */
static void test_many(void **state)
{
    struct fixture *f = *state;
    char text[100], json[200];
    begin(f, RULESET_ALLOW_ALL);
    for (int i = 0; i < 99; i++) {
        snprintf(text, sizeof text,
                 i % 3 ? "outrider.src_port == %d" : "outrider.src_port == %d and http.host eq \"h%d\"", i,
                 i);
        add(f, i % 2 ? RULESET_BLOCK : RULESET_ALLOW, text);
    }
    for (int port = 0; port < 100; port++) {
        for (int host = 0; host < 100; host++) {
            snprintf(json, sizeof json, "{\"outrider.src_port\": %d}", port);
            facts(f, 0xff, json);
            connect(f, false);
            snprintf(json, sizeof json, "{\"http.host\": \"h%d\"}", host);
            facts(f, RULES_REQUEST, json);
            if (f->decision.verdict == RULESET_WAIT)
                request(f);
            bool hit = port < 99 && (port % 3 || port == host);
            is(f, hit && port % 2 ? RULESET_REFUSE : RULESET_PASS, hit ? port : -1);
        }
    }
}

/* What cannot be evaluated refuses where a block asks, and never lets pass. */
static void test_doubt(void **state)
{
    struct fixture *f = *state;
    struct rules_scratch small, roomy = f->scratch;
    assert_true(rules_scratch_init(&small, 256));
    begin(f, RULESET_ALLOW_ALL);
    add(f, RULESET_ALLOW, "not concat(http.host, http.host) contains \"x\"");
    add(f, RULESET_BLOCK, "concat(http.host, http.host) contains \"x\"");
    char json[600];
    snprintf(json, sizeof json, "{\"http.host\": \"%0500d\"}", 0);
    connect(f, false);
    is(f, RULESET_WAIT, -1);
    facts(f, RULES_REQUEST, json);
    f->scratch = small;
    request(f);
    is(f, RULESET_REFUSE, 1);
    assert_int_equal(f->decision.reason, RULESET_BY_DOUBT);
    connect(f, true);
    is(f, RULESET_REFUSE, 1);
    assert_int_equal(f->decision.reason, RULESET_BY_DOUBT);
    f->scratch = roomy;
    request(f);
    is(f, RULESET_PASS, 0);
    rules_scratch_clear(&small);
}

/* A field whose value could not be held is not one that is absent. */
static void test_field_too_large(void **state)
{
    struct fixture *f = *state;
    const struct rules_value too_large = {.type = RULES_TOO_LARGE};
    begin(f, RULESET_ALLOW_ALL);
    add(f, RULESET_ALLOW, "not any(http.request.uri.args.names[*] eq \"evil\")");
    add(f, RULESET_BLOCK, "ssl and http.host eq \"other\" and len(http.request.uri.args.names) gt 5");
    add(f, RULESET_BLOCK, "any(http.request.uri.args.names[*] eq \"evil\")");
    facts(f, 0xff, "{\"ssl\": true, \"http.host\": \"h\"}");
    rules_context_set(&f->context, RULES_FIELD_ARGS_NAMES, &too_large);
    connect(f, false);
    request(f);
    is(f, RULESET_REFUSE, 2);
    assert_int_equal(f->decision.reason, RULESET_BY_DOUBT);
    facts(f, RULES_REQUEST, "{\"http.host\": \"h\"}");
    request(f);
    is(f, RULESET_PASS, 0);
}

static void test_errors(void **state)
{
    struct fixture *f = *state;
    struct rules_env env = {.scheme = rules_scheme_standard()};
    struct rules_error error;
    struct ruleset_rule rule = {.name = "r", .expression = "http.response.code == 200", .enabled = true};
    begin(f, RULESET_AUTO);
    rule.expression_size = strlen(rule.expression);
    assert_false(ruleset_add(f->ruleset, &env, &rule, &error));
    assert_int_equal(error.kind, RULES_WRONG_PHASE);
    rule.expression = "ssl and";
    rule.expression_size = strlen(rule.expression);
    assert_false(ruleset_add(f->ruleset, &env, &rule, &error));
    assert_int_equal(ruleset_count(f->ruleset), 0);
}

struct warnings {
    char text[4096];
};

static void note_warning(void *arg, size_t rule, size_t offset, size_t length, const char *message)
{
    struct warnings *w = arg;
    (void)offset;
    (void)length;
    size_t n = strlen(w->text);
    snprintf(w->text + n, sizeof w->text - n, "%zu: %s\n", rule, message);
}

static void test_warnings(void **state)
{
    struct fixture *f = *state;
    struct warnings w = {""};
    begin(f, RULESET_AUTO);
    add(f, RULESET_BLOCK, "http.host eq \"a\" or ssl");
    add(f, RULESET_ALLOW, "ssl");
    add(f, RULESET_ALLOW, "ssl and http.host eq \"b\"");
    add(f, RULESET_LOG, "http.host eq \"a\" or ssl");
    add(f, RULESET_BLOCK, "http.host in {}");
    add(f, RULESET_BLOCK, "cf.tls_client_auth.cert_serial eq \"ab\"");
    add(f, RULESET_BLOCK, "http.request.headers[\"X-A\"][0] eq \"1\"");
    add(f, RULESET_BLOCK, "true or http.host eq \"z\"");
    add(f, RULESET_BLOCK, "http.host eq \"q\"");
    ruleset_warn(f->ruleset, note_warning, &w);
    const char *const parts[] = {"1: never reached: the rule r0", "2: never reached: the rule r1",
                                 "3: never reached: the rule r0", "4: never matches",
                                 "5: the field has capital",      "6: names of headers",
                                 "7: matches everything",         "8: never reached: the rule r7"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strstr(w.text, parts[i]))
            fail_msg("no \"%s\" in\n%s", parts[i], w.text);
    assert_null(strstr(w.text, "0:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_early_refusal),
        cmocka_unit_test(test_dry_run_and_disabled),
        cmocka_unit_test(test_inbounds),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_doubt),
        cmocka_unit_test(test_field_too_large),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_warnings),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
