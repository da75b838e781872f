/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/redirect_kernel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sidecar/redirect_netlink.h"

#define TABLE "outrider"
#define PRIORITY ((uint32_t)-100) /* dstnat */
enum { ANSWER = 64 * 1024 };

static const struct chain {
    const char *name;
    uint32_t hook;
} chains[2] = {{"inbound", NF_INET_PRE_ROUTING}, {"outbound", NF_INET_LOCAL_OUT}};

static uint16_t type_of(unsigned message)
{
    return (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message);
}

static bool say(char error[REDIRECT_ERROR], const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool say(char error[REDIRECT_ERROR], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(error, REDIRECT_ERROR, format, args);
    va_end(args);
    return false;
}

static bool refused(char error[REDIRECT_ERROR], const char *what, int err)
{
    const char *hint = err == EPERM || err == EACCES ? " (it needs CAP_NET_ADMIN)"
                       : err == EPROTONOSUPPORT || err == EOPNOTSUPP || err == EAFNOSUPPORT || err == EINVAL
                           ? " (does the kernel have nf_tables with nat and redirect?)"
                           : "";
    return say(error, "%s: %s%s", what, strerror(err), hint);
}

static int open_socket(char error[REDIRECT_ERROR])
{
    struct sockaddr_nl own = {.nl_family = AF_NETLINK};
    struct timeval patience = {.tv_sec = 10};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&own, sizeof own) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0)
        return fd;
    (void)refused(error, "netfilter's netlink socket", errno);
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

static bool send_all(int fd, const struct netlink_buffer *b, char error[REDIRECT_ERROR])
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    if (b->failed)
        return say(error, "out of memory");
    if (sendto(fd, b->data, b->size, 0, (struct sockaddr *)&kernel, sizeof kernel) == (ssize_t)b->size)
        return true;
    return refused(error, "nf_tables", errno);
}

/*
 * Reads answers until the one that ends them: DONE of a dump, or the acknowledgement of message LAST. EACH
 * sees every other message; false from it ends the reading.
 */
static bool answers(int fd, uint32_t last, bool (*each)(void *arg, const struct nlmsghdr *), void *arg,
                    char error[REDIRECT_ERROR])
{
    uint8_t *buffer = malloc(ANSWER);
    bool ok = false;
    if (buffer == NULL)
        return say(error, "out of memory");
    for (;;) {
        ssize_t n = recv(fd, buffer, ANSWER, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            (void)refused(error, "nf_tables", n < 0 ? errno : EIO);
            goto done;
        }
        size_t left = (size_t)n;
        for (struct nlmsghdr *m = (struct nlmsghdr *)(void *)buffer; NLMSG_OK(m, left);
             m = NLMSG_NEXT(m, left)) {
            if (m->nlmsg_type == NLMSG_ERROR) {
                int err = -((const struct nlmsgerr *)NLMSG_DATA(m))->error;
                if (err != 0) {
                    (void)refused(error, "nf_tables", err);
                    goto done;
                }
                ok = m->nlmsg_seq == last;
            } else if (m->nlmsg_type == NLMSG_DONE) {
                ok = true;
            } else if (each && !each(arg, m)) {
                goto done;
            }
            if (ok)
                goto done;
        }
    }
done:
    free(buffer);
    return ok;
}

/* --- changing --- */

static void begin_batch(struct netlink_buffer *b, uint16_t type)
{
    netlink_end(b, netlink_begin(b, type, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
}

static void put_table(struct netlink_buffer *b, unsigned message, uint16_t flags)
{
    size_t m = netlink_begin(b, type_of(message), flags, NFPROTO_INET, 0);
    netlink_put_text(b, NFTA_TABLE_NAME, TABLE);
    netlink_end(b, m);
}

static void put_chain_attributes(struct netlink_buffer *b, const struct chain *chain)
{
    netlink_put_text(b, NFTA_CHAIN_TABLE, TABLE);
    netlink_put_text(b, NFTA_CHAIN_NAME, chain->name);
    size_t hook = netlink_nest(b, NFTA_CHAIN_HOOK);
    netlink_put_u32(b, NFTA_HOOK_HOOKNUM, chain->hook);
    netlink_put_u32(b, NFTA_HOOK_PRIORITY, PRIORITY);
    netlink_nest_end(b, hook);
    netlink_put_u32(b, NFTA_CHAIN_POLICY, NF_ACCEPT);
    netlink_put_text(b, NFTA_CHAIN_TYPE, "nat");
}

static void put_rules(struct netlink_buffer *b, const struct redirect_rules *rules)
{
    for (size_t c = 0; c < 2; c++) {
        size_t m = netlink_begin(b, type_of(NFT_MSG_NEWCHAIN), NLM_F_CREATE, NFPROTO_INET, 0);
        put_chain_attributes(b, &chains[c]);
        netlink_end(b, m);
    }
    for (size_t i = 0; i < rules->count; i++) {
        size_t m = netlink_begin(b, type_of(NFT_MSG_NEWRULE), NLM_F_CREATE | NLM_F_APPEND, NFPROTO_INET, 0);
        netlink_put_text(b, NFTA_RULE_TABLE, TABLE);
        netlink_put_text(b, NFTA_RULE_CHAIN, chains[rules->rule[i].outbound].name);
        netlink_rule(b, &rules->rule[i]);
        netlink_end(b, m);
    }
}

/* The table away, whether it was there or not; then, with RULES, a new one. */
static bool replace(const struct redirect_rules *rules, char error[REDIRECT_ERROR])
{
    struct netlink_buffer b = {0};
    int fd = open_socket(error);
    if (fd < 0)
        return false;
    begin_batch(&b, NFNL_MSG_BATCH_BEGIN);
    put_table(&b, NFT_MSG_NEWTABLE, NLM_F_CREATE);
    put_table(&b, NFT_MSG_DELTABLE, rules ? 0 : NLM_F_ACK);
    uint32_t last = b.messages - 1;
    if (rules) {
        put_table(&b, NFT_MSG_NEWTABLE, NLM_F_CREATE);
        put_rules(&b, rules);
        /* Only the last one is acknowledged: errors are told anyway. */
        put_table(&b, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_ACK);
        last = b.messages - 1;
    }
    begin_batch(&b, NFNL_MSG_BATCH_END);
    bool ok = send_all(fd, &b, error) && answers(fd, last, NULL, NULL, error);
    free(b.data);
    (void)close(fd);
    return ok;
}

bool redirect_kernel_apply(const struct redirect_rules *rules, char error[REDIRECT_ERROR])
{
    return replace(rules, error);
}

bool redirect_kernel_remove(char error[REDIRECT_ERROR])
{
    return replace(NULL, error);
}

/* --- checking --- */

struct check {
    const struct redirect_rules *rules;
    const struct chain *chain;
    size_t next;  /* rule of the chain that must come */
    bool chained; /* the chain is there */
    char *error;
};

static const uint8_t *attributes(const struct nlmsghdr *m, size_t *size)
{
    *size = m->nlmsg_len > NLMSG_SPACE(sizeof(struct nfgenmsg))
                ? m->nlmsg_len - NLMSG_SPACE(sizeof(struct nfgenmsg))
                : 0;
    return (const uint8_t *)m + NLMSG_SPACE(sizeof(struct nfgenmsg));
}

static bool text_is(const uint8_t *data, size_t size, uint16_t type, const char *text)
{
    size_t found;
    const uint8_t *value = netlink_find(data, size, type, &found);
    return value && found == strlen(text) + 1 && memcmp(value, text, found) == 0;
}

static bool check_chain(void *arg, const struct nlmsghdr *m)
{
    struct check *c = arg;
    struct netlink_buffer want = {0};
    size_t size;
    const uint8_t *have = attributes(m, &size);
    if (!text_is(have, size, NFTA_CHAIN_TABLE, TABLE) ||
        !text_is(have, size, NFTA_CHAIN_NAME, c->chain->name))
        return true;
    put_chain_attributes(&want, c->chain);
    bool ok = !want.failed && netlink_covers(have, size, want.data, want.size);
    free(want.data);
    c->chained = true;
    return ok || say(c->error, "the chain %s is not as it should be", c->chain->name);
}

static size_t skip_to(const struct check *c, size_t from)
{
    while (from < c->rules->count && c->rules->rule[from].outbound != (c->chain == &chains[1]))
        from++;
    return from;
}

static bool check_rule(void *arg, const struct nlmsghdr *m)
{
    struct check *c = arg;
    struct netlink_buffer want = {0};
    size_t size;
    const uint8_t *have = attributes(m, &size);
    if (!text_is(have, size, NFTA_RULE_TABLE, TABLE) || !text_is(have, size, NFTA_RULE_CHAIN, c->chain->name))
        return true;
    c->next = skip_to(c, c->next);
    if (c->next == c->rules->count)
        return say(c->error, "the chain %s has rules that are not ours", c->chain->name);
    netlink_rule(&want, &c->rules->rule[c->next]);
    bool ok = !want.failed && netlink_covers(have, size, want.data, want.size);
    free(want.data);
    c->next++;
    return ok || say(c->error, "a rule of the chain %s is another one", c->chain->name);
}

static bool dump(int fd, struct check *c, unsigned message, uint16_t table, uint16_t chain,
                 bool (*each)(void *arg, const struct nlmsghdr *))
{
    struct netlink_buffer b = {0};
    size_t m = netlink_begin(&b, type_of(message), NLM_F_DUMP, NFPROTO_INET, 0);
    netlink_put_text(&b, table, TABLE);
    netlink_put_text(&b, chain, c->chain->name);
    netlink_end(&b, m);
    bool ok = send_all(fd, &b, c->error) && answers(fd, UINT32_MAX, each, c, c->error);
    free(b.data);
    return ok;
}

bool redirect_kernel_check(const struct redirect_rules *rules, char error[REDIRECT_ERROR])
{
    bool ok = true;
    for (size_t i = 0; i < 2 && ok; i++) {
        struct check c = {.rules = rules, .chain = &chains[i], .error = error};
        int fd = open_socket(error);
        if (fd < 0)
            return false;
        ok = dump(fd, &c, NFT_MSG_GETCHAIN, NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME, check_chain) &&
             (c.chained || say(error, "the rules are not in the kernel")) &&
             dump(fd, &c, NFT_MSG_GETRULE, NFTA_RULE_TABLE, NFTA_RULE_CHAIN, check_rule) &&
             (skip_to(&c, c.next) == rules->count ||
              say(error, "rules of the chain %s are missing", chains[i].name));
        (void)close(fd);
    }
    return ok;
}
