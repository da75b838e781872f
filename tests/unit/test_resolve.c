/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sidecar/net/resolve.h against a DNS server of the test's own, with a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_dns.h"
#include "sidecar/net/resolve.h"

static char dir[] = "/tmp/outrider-resolve-XXXXXX";

struct world {
    uv_loop_t loop;
    struct fake_dns dns;
    struct resolver *resolver;
    uint64_t clock;
};

/* What one lookup came to. */
struct heard {
    struct resolver_lookup lookup;
    struct world *world;
    unsigned calls;
    char text[600]; /* addresses, or the error */
    bool stale;
    const char *then;         /* look this up from within the callback */
    struct heard *then_heard; /* into this */
    bool close;               /* end the resolver from within the callback */
};

static void on_answer(void *arg, const struct resolver_answer *answer)
{
    struct heard *h = arg;
    h->calls++;
    h->stale = answer->stale;
    h->text[0] = 0;
    assert_true((answer->count == 0) == (answer->error != NULL));
    for (size_t i = 0; i < answer->count; i++) {
        char one[NET_ADDR_TEXT];
        net_addr_text(&answer->addr[i].sa, one, sizeof(one));
        snprintf(h->text + strlen(h->text), sizeof(h->text) - strlen(h->text), "%s%s", i ? " " : "", one);
    }
    if (answer->error)
        snprintf(h->text, sizeof(h->text), "%s", answer->error);
    if (h->close) {
        resolver_close(h->world->resolver);
        h->world->resolver = NULL;
    } else if (h->then) {
        resolver_lookup(h->world->resolver, &h->then_heard->lookup, h->then, 1, on_answer, h->then_heard);
    }
}

static uint64_t test_clock(void *arg)
{
    return *(uint64_t *)arg;
}

static void write_file(const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void begin_with(struct world *w, struct resolver_options options)
{
    char path[200];
    const char *error = NULL;
    memset(w, 0, sizeof(*w));
    w->clock = 1000000;
    uv_loop_init(&w->loop);
    assert_true(fake_dns_start(&w->dns, &w->loop));
    snprintf(path, sizeof(path), "%s/resolv.conf", dir);
    options.servers = w->dns.servers;
    options.resolv_conf = path;
    options.env_hosts = true;
    options.now = test_clock;
    options.now_arg = &w->clock;
    w->resolver = resolver_new(&w->loop, &options, &error);
    assert_non_null(w->resolver);
}

static void begin(struct world *w)
{
    begin_with(w, (struct resolver_options){0});
}

static void end(struct world *w)
{
    resolver_close(w->resolver);
    fake_dns_stop(&w->dns);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0);
}

static bool ask(struct world *w, struct heard *h, const char *host)
{
    memset(h, 0, sizeof(*h));
    h->world = w;
    bool waits = resolver_lookup(w->resolver, &h->lookup, host, 80, on_answer, h);
    assert_int_equal(h->calls, !waits);
    return waits;
}

static void wait_for(struct world *w, struct heard *h)
{
    while (h->calls == 0)
        uv_run(&w->loop, UV_RUN_ONCE);
    assert_int_equal(h->calls, 1);
}

/* Looks up and returns the answer as text. */
static const char *answer(struct world *w, struct heard *h, const char *host)
{
    if (ask(w, h, host))
        wait_for(w, h);
    return h->text;
}

static void four(void **state)
{
    (void)state;
    struct world w;
    struct heard h;
    begin(&w);
    fake_dns_add(&w.dns, "a.test", FAKE_A, 60, "127.0.0.9");
    assert_string_equal(answer(&w, &h, "a.test"), "127.0.0.9:80");
    assert_int_equal(w.dns.udp_queries, 2); /* A and AAAA */
    assert_false(h.stale);
    assert_false(ask(&w, &h, "A.Test")); /* the cache, whatever the case */
    assert_string_equal(h.text, "127.0.0.9:80");
    assert_int_equal(w.dns.udp_queries, 2);
    assert_int_equal(resolver_stats(w.resolver)->hits, 1);
    assert_int_equal(resolver_stats(w.resolver)->queries, 1);
    end(&w);
}

static void both_families_alternate(void **state)
{
    (void)state;
    struct world w;
    struct heard h;
    begin(&w);
    fake_dns_add(&w.dns, "b.test", FAKE_A, 60, "127.0.0.1");
    fake_dns_add(&w.dns, "b.test", FAKE_A, 60, "127.0.0.2");
    fake_dns_add(&w.dns, "b.test", FAKE_A, 60, "127.0.0.3");
    fake_dns_add(&w.dns, "b.test", FAKE_AAAA, 60, "::1");
    answer(&w, &h, "b.test");
    /* Which family is first, and which address, is RFC 6724's and the machine's matter. */
    bool six_first = h.text[0] == '[';
    unsigned colons = 0, seen[4] = {0};
    for (int i = 0; i < 3; i++) {
        if (i)
            assert_false(ask(&w, &h, "b.test"));
        char *first = strtok(h.text, " "), *second = strtok(NULL, " ");
        colons += (unsigned)(strcmp(six_first ? first : second, "[::1]:80") == 0);
        const char *four_text = six_first ? second : first;
        assert_memory_equal(four_text, "127.0.0.", 8);
        seen[four_text[8] - '0']++;
        assert_non_null(strtok(NULL, " "));
        assert_non_null(strtok(NULL, " "));
        assert_null(strtok(NULL, " "));
    }
    assert_int_equal(colons, 3);
    for (int i = 1; i <= 3; i++)
        assert_int_equal(seen[i], 1); /* each was first of its family once */
    end(&w);
}

static void aliases(void **state)
{
    (void)state;
    struct world w;
    struct heard h;
    begin(&w);
    fake_dns_add(&w.dns, "www.test", FAKE_CNAME, 5, "real.test");
    fake_dns_add(&w.dns, "real.test", FAKE_A, 100, "127.0.0.7");
    assert_string_equal(answer(&w, &h, "www.test"), "127.0.0.7:80");
    /* The shortest TTL of the chain counts. */
    w.clock += 4999;
    assert_false(ask(&w, &h, "www.test"));
    w.clock += 1;
    assert_true(ask(&w, &h, "www.test"));
    wait_for(&w, &h);
    end(&w);
}

static void times_to_live(void **state)
{
    (void)state;
    struct world w;
    struct heard h;
    begin(&w);
    fake_dns_add(&w.dns, "t.test", FAKE_A, 30, "127.0.0.1");
    fake_dns_add(&w.dns, "zero.test", FAKE_A, 0, "127.0.0.2");
    fake_dns_add(&w.dns, "long.test", FAKE_A, 86400, "127.0.0.3");
    const struct {
        const char *name;
        uint64_t ms;
    } want[] = {{"t.test", 30000}, {"zero.test", 1000}, {"long.test", 300000}};
    for (size_t i = 0; i < 3; i++) {
        answer(&w, &h, want[i].name);
        w.clock += want[i].ms - 1;
        assert_false(ask(&w, &h, want[i].name));
        w.clock += 1;
        assert_true(ask(&w, &h, want[i].name));
        wait_for(&w, &h);
    }
    /* A new answer replaces the old one. */
    w.dns.record[0].value = "127.0.0.99";
    w.clock += 30000000;
    assert_string_equal(answer(&w, &h, "t.test"), "127.0.0.99:80");
    end(&w);
}

static void no_such_host(void **state)
{
    (void)state;
    struct world w;
    struct heard h;
    begin(&w);
    assert_string_equal(answer(&w, &h, "none.test"), "no such host");
    unsigned queries = w.dns.udp_queries;
    uint64_t pause[] = {1000, 2000, 4000, 5000, 5000};
    for (size_t i = 0; i < 5; i++) { /* kept for longer and longer */
        w.clock += pause[i] - 1;
        assert_false(ask(&w, &h, "none.test"));
        assert_string_equal(h.text, "no such host");
        assert_int_equal(w.dns.udp_queries, queries);
        w.clock += 1;
        assert_true(ask(&w, &h, "none.test"));
        wait_for(&w, &h);
        assert_true(w.dns.udp_queries > queries);
        queries = w.dns.udp_queries;
    }
    /* Once it exists it is found. */
    fake_dns_add(&w.dns, "none.test", FAKE_A, 60, "127.0.0.1");
    w.clock += 5000;
    assert_string_equal(answer(&w, &h, "none.test"), "127.0.0.1:80");
    /* And once it is gone it is gone: an answer, no failure to get one. */
    w.dns.count = 0;
    w.clock += 60000;
    assert_string_equal(answer(&w, &h, "none.test"), "no such host");
    w.clock += 500; /* pauses are short again */
    assert_false(ask(&w, &h, "none.test"));
    w.clock += 500;
    assert_true(ask(&w, &h, "none.test"));
    wait_for(&w, &h);

    fake_dns_add(&w.dns, "empty.test", FAKE_CNAME + 100, 1, "");
    assert_string_equal(answer(&w, &h, "empty.test"), "the name has no address");
    end(&w);
}

static void stale_on_error(void **state)
{
    (void)state;
    struct world w;
    struct heard h;
    begin_with(&w, (struct resolver_options){.tries = 1});
    fake_dns_add(&w.dns, "s.test", FAKE_A, 10, "127.0.0.1");
    answer(&w, &h, "s.test");
    w.dns.rcode = FAKE_SERVFAIL;
    w.clock += 10000;
    assert_true(ask(&w, &h, "s.test")); /* the first one waits for the server's word */
    wait_for(&w, &h);
    assert_string_equal(h.text, "127.0.0.1:80");
    assert_true(h.stale);
    assert_false(ask(&w, &h, "s.test"));
    assert_true(h.stale);

    /* While it goes on nobody waits: the refresh runs beside. */
    w.clock += 1000;
    unsigned queries = w.dns.udp_queries;
    assert_false(ask(&w, &h, "s.test"));
    assert_true(h.stale);
    for (int i = 0; i < 50 && resolver_stats(w.resolver)->failures < 2; i++)
        uv_run(&w.loop, UV_RUN_ONCE);
    assert_true(w.dns.udp_queries > queries);
    assert_int_equal(resolver_stats(w.resolver)->failures, 2);
    assert_int_equal(resolver_stats(w.resolver)->stale, 3);

    /* 60 s after the TTL it is over. */
    w.clock = 1000000 + 10000 + 60000;
    assert_true(ask(&w, &h, "s.test"));
    wait_for(&w, &h);
    assert_non_null(strstr(h.text, "SERVFAIL"));
    assert_false(h.stale);

    w.dns.rcode = 0;
    w.clock += 5000;
    assert_string_equal(answer(&w, &h, "s.test"), "127.0.0.1:80");
    assert_false(h.stale);
    end(&w);
}

static void gone_while_stale(void **state)
{
    (void)state;
    struct world w;
    struct heard h;
    begin_with(&w, (struct resolver_options){.tries = 1});
    fake_dns_add(&w.dns, "g.test", FAKE_A, 10, "127.0.0.1");
    answer(&w, &h, "g.test");
    w.clock += 10000;
    w.dns.rcode = FAKE_SERVFAIL;
    answer(&w, &h, "g.test");
    assert_true(h.stale);
    w.dns.rcode = 0;
    w.dns.count = 0;
    w.clock += 1000;
    assert_false(ask(&w, &h, "g.test")); /* starts the refresh that hears of it */
    uint64_t failures = resolver_stats(w.resolver)->failures;
    while (resolver_stats(w.resolver)->failures == failures)
        uv_run(&w.loop, UV_RUN_ONCE);
    assert_false(ask(&w, &h, "g.test"));
    assert_string_equal(h.text, "no such host");
    end(&w);
}

static void failing_servers(void **state)
{
    (void)state;
    struct world w;
    struct heard h;
    begin_with(&w, (struct resolver_options){.tries = 2, .timeout = 20});
    w.dns.rcode = FAKE_REFUSED;
    assert_non_null(strstr(answer(&w, &h, "r.test"), "REFUSED"));
    w.dns.silent = true;
    assert_string_equal(answer(&w, &h, "q.test"), "no DNS server answered in time");
    end(&w);

    /* Nobody at the port. A refusal that another query's sendto() hears of costs c-ares a timeout. */
    const char *error;
    begin_with(&w, (struct resolver_options){.tries = 1, .timeout = 20});
    fake_dns_stop(&w.dns);
    uv_run(&w.loop, UV_RUN_NOWAIT);
    assert_memory_equal(answer(&w, &h, "x.test"), "no DNS server ", 14);
    resolver_close(w.resolver);
    uv_run(&w.loop, UV_RUN_DEFAULT);

    struct resolver_options options = {.servers = "rubbish"};
    assert_null(resolver_new(&w.loop, &options, &error));
    assert_true(strlen(error) > 0);
    assert_int_equal(uv_loop_close(&w.loop), 0);
}

static void truncated_goes_to_tcp(void **state)
{
    (void)state;
    struct world w;
    struct heard h;
    begin(&w);
    w.dns.truncate = true;
    char text[40][16];
    for (int i = 0; i < 40; i++) {
        snprintf(text[i], sizeof(text[i]), "127.0.1.%d", i);
        fake_dns_add(&w.dns, "many.test", FAKE_A, 60, text[i]);
    }
    answer(&w, &h, "many.test");
    assert_true(w.dns.udp_queries >= 2);
    assert_true(w.dns.tcp_queries >= 2);
    unsigned count = 1;
    for (const char *c = h.text; *c; c++)
        count += *c == ' ';
    assert_int_equal(count, RESOLVER_ADDRS);
    end(&w);
}

static void merged(void **state)
{
    (void)state;
    struct world w;
    struct heard a, b, c;
    begin(&w);
    fake_dns_add(&w.dns, "m.test", FAKE_A, 60, "127.0.0.1");
    assert_true(ask(&w, &a, "m.test"));
    assert_true(ask(&w, &b, "m.TEST"));
    assert_true(ask(&w, &c, "m.test"));
    resolver_cancel(&b.lookup);
    resolver_cancel(&b.lookup);
    wait_for(&w, &c);
    wait_for(&w, &a);
    assert_int_equal(b.calls, 0);
    assert_string_equal(a.text, "127.0.0.1:80");
    assert_int_equal(w.dns.udp_queries, 2);
    resolver_cancel(&a.lookup); /* after the fact: fine */

    /* All cancelled: the answer is cached all the same. */
    w.clock += 60000;
    assert_true(ask(&w, &a, "m.test"));
    resolver_cancel(&a.lookup);
    while (w.dns.udp_queries < 4)
        uv_run(&w.loop, UV_RUN_ONCE);
    for (int i = 0; i < 3; i++)
        uv_run(&w.loop, UV_RUN_NOWAIT);
    assert_false(ask(&w, &b, "m.test"));
    assert_int_equal(a.calls, 0);
    end(&w);
}

static void hosts_and_search(void **state)
{
    (void)state;
    struct world w;
    struct heard h;
    write_file("hosts", "127.0.0.55 box.test box\n# comment\n::1 box6\n");
    write_file("resolv.conf", "search one.test two.test\noptions ndots:2\n");
    begin(&w);
    assert_string_equal(answer(&w, &h, "box"), "127.0.0.55:80");
    assert_string_equal(answer(&w, &h, "box6"), "[::1]:80");
    assert_int_equal(w.dns.udp_queries, 0);

    fake_dns_add(&w.dns, "api.shop.two.test", FAKE_A, 60, "127.0.0.66");
    fake_dns_add(&w.dns, "api.shop", FAKE_A, 60, "127.0.0.67");
    assert_string_equal(answer(&w, &h, "api.shop"), "127.0.0.66:80");  /* one dot: searched first */
    assert_string_equal(answer(&w, &h, "api.shop."), "127.0.0.67:80"); /* absolute */
    fake_dns_add(&w.dns, "a.b.c", FAKE_A, 60, "127.0.0.68");
    fake_dns_add(&w.dns, "a.b.c.one.test", FAKE_A, 60, "127.0.0.69");
    assert_string_equal(answer(&w, &h, "a.b.c"), "127.0.0.68:80"); /* two dots: itself first */
    end(&w);
    write_file("hosts", "");
    write_file("resolv.conf", "search search.test\n");
}

static void reloaded(void **state)
{
    (void)state;
    struct world w;
    struct heard h, waiting;
    write_file("resolv.conf", "search old.test\n");
    begin(&w);
    fake_dns_add(&w.dns, "svc.old.test", FAKE_A, 60, "127.0.0.1");
    fake_dns_add(&w.dns, "svc.new.test", FAKE_A, 60, "127.0.0.2");
    assert_string_equal(answer(&w, &h, "svc"), "127.0.0.1:80");
    write_file("resolv.conf", "search new.test\n");
    assert_string_equal(answer(&w, &h, "svc"), "127.0.0.1:80");

    w.dns.silent = true;
    assert_true(ask(&w, &waiting, "later.test"));
    while (strcmp(w.dns.last, "later.test") != 0)
        uv_run(&w.loop, UV_RUN_ONCE);
    w.dns.silent = false;
    fake_dns_add(&w.dns, "later.test", FAKE_A, 60, "127.0.0.3");
    assert_true(resolver_reload(w.resolver));
    assert_int_equal(waiting.calls, 0);
    wait_for(&w, &waiting); /* asked again of the new ones, long before its timeout */
    assert_string_equal(waiting.text, "127.0.0.3:80");
    assert_string_equal(answer(&w, &h, "svc"), "127.0.0.2:80");
    end(&w);
    write_file("resolv.conf", "search search.test\n");
}

static void bounded(void **state)
{
    (void)state;
    struct world w;
    struct heard h, p, q;
    begin_with(&w, (struct resolver_options){.max_names = 2});
    fake_dns_add(&w.dns, "a.test", FAKE_A, 60, "127.0.0.1");
    fake_dns_add(&w.dns, "b.test", FAKE_A, 60, "127.0.0.2");
    fake_dns_add(&w.dns, "c.test", FAKE_A, 60, "127.0.0.3");
    answer(&w, &h, "a.test");
    answer(&w, &h, "b.test");
    assert_false(ask(&w, &h, "a.test"));
    answer(&w, &h, "c.test"); /* pushes b out, which was used longest ago */
    assert_false(ask(&w, &h, "a.test"));
    assert_true(ask(&w, &p, "b.test"));
    assert_true(ask(&w, &q, "c.test") || q.calls == 1);
    wait_for(&w, &p);
    wait_for(&w, &q);

    w.dns.silent = true;
    assert_true(ask(&w, &p, "d.test"));
    assert_true(ask(&w, &q, "e.test"));
    assert_false(ask(&w, &h, "f.test"));
    assert_string_equal(h.text, "too many names are being looked up");
    resolver_cancel(&p.lookup);
    end(&w); /* with a lookup that still waits */
    assert_int_equal(q.calls, 0);
}

static void bad_names(void **state)
{
    (void)state;
    struct world w;
    struct heard h;
    char name[300];
    begin(&w);
    assert_false(ask(&w, &h, ""));
    assert_string_equal(h.text, "not a valid host name");
    memset(name, 'a', 254);
    name[254] = 0;
    assert_false(ask(&w, &h, name));
    assert_string_equal(h.text, "not a valid host name");
    name[200] = 0; /* one label of more than 63 */
    answer(&w, &h, name);
    assert_string_equal(h.text, "not a valid host name");
    answer(&w, &h, "a..test");
    assert_string_equal(h.text, "not a valid host name");
    end(&w);
}

static void from_the_callback(void **state)
{
    (void)state;
    struct world w;
    struct heard a, b, c, d;
    begin(&w);
    fake_dns_add(&w.dns, "a.test", FAKE_A, 60, "127.0.0.1");
    fake_dns_add(&w.dns, "b.test", FAKE_A, 60, "127.0.0.2");
    memset(&b, 0, sizeof(b));
    assert_true(ask(&w, &a, "a.test"));
    a.then = "b.test";
    a.then_heard = &b;
    b.world = &w;
    wait_for(&w, &b);
    assert_string_equal(b.text, "127.0.0.2:1");

    assert_true(ask(&w, &c, "c.test"));
    assert_true(ask(&w, &d, "c.test"));
    c.close = true;
    wait_for(&w, &c);
    assert_int_equal(d.calls, 0); /* forgotten with the resolver */
    resolver_cancel(&d.lookup);
    end(&w);
}

static int setup(void **state)
{
    (void)state;
    char path[200];
    if (!mkdtemp(dir))
        return -1;
    write_file("resolv.conf", "search search.test\n");
    write_file("hosts", "");
    snprintf(path, sizeof(path), "%s/hosts", dir);
    return setenv("CARES_HOSTS", path, 1);
}

static int teardown(void **state)
{
    (void)state;
    char path[200];
    snprintf(path, sizeof(path), "%s/resolv.conf", dir);
    unlink(path);
    snprintf(path, sizeof(path), "%s/hosts", dir);
    unlink(path);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four),
        cmocka_unit_test(both_families_alternate),
        cmocka_unit_test(aliases),
        cmocka_unit_test(times_to_live),
        cmocka_unit_test(no_such_host),
        cmocka_unit_test(stale_on_error),
        cmocka_unit_test(gone_while_stale),
        cmocka_unit_test(failing_servers),
        cmocka_unit_test(truncated_goes_to_tcp),
        cmocka_unit_test(merged),
        cmocka_unit_test(hosts_and_search),
        cmocka_unit_test(reloaded),
        cmocka_unit_test(bounded),
        cmocka_unit_test(bad_names),
        cmocka_unit_test(from_the_callback),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
