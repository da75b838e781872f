/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The judge on name constraints: which names a CA may vouch for. */
#include "judge.h"

/* --- name constraints --- */

static void test_name_constraints_of_openssl(void **state)
{
    (void)state;
    expect("root", "leaf_nc_good intermediate_constrained", TLS_TRUSTED);
    expect_words(
        "root", "leaf_nc_dns intermediate_constrained", TLS_NAME_CONSTRAINTS, 0,
        "name outside of the constraints of CN=intermediate_constrained,O=Outrider: DNS:a.other.example");
    expect_words(
        "root", "leaf_nc_ip intermediate_constrained", TLS_NAME_CONSTRAINTS, 0,
        "name outside of the constraints of CN=intermediate_constrained,O=Outrider: IP:198.51.100.1");
    expect("root", "leaf_nc_uri intermediate_constrained", TLS_NAME_CONSTRAINTS);
    expect("root", "leaf_nc_excluded intermediate_constrained", TLS_NAME_CONSTRAINTS);
}

/* Judges a leaf with SUBJECT and SAN below a CA with these constraints. */
static enum tls_status constrained(const char *permitted, const char *excluded, const char *subject,
                                   const char *san)
{
    clean(NULL);
    make("R", (struct make_cert){.subject = "O=x,CN=R", .key = 1, CA});
    make("A", (struct make_cert){.subject = "O=x,CN=A",
                                 .issuer = "O=x,CN=R",
                                 .key = 2,
                                 .by = 1,
                                 .permitted = permitted,
                                 .excluded = excluded,
                                 CA});
    make("l", (struct make_cert){.subject = subject, .issuer = "O=x,CN=A", .key = 3, .by = 2, .san = san});
    return judge("R", "l A").status;
}

struct constrained {
    const char *subtree, *name;
    bool permitted; /* when the subtree is */
    bool excluded;
};

/* Whether NAME passes when SUBTREE alone is permitted, and when it is excluded. */
static void constrained_table(const struct constrained *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum tls_status p = constrained(table[i].subtree, NULL, "CN=l", table[i].name);
        enum tls_status e = constrained(NULL, table[i].subtree, "CN=l", table[i].name);
        if ((p == TLS_TRUSTED) != table[i].permitted || (p != TLS_TRUSTED && p != TLS_NAME_CONSTRAINTS))
            fail_msg("%s permitted, %s: %s", table[i].subtree, table[i].name, tls_status_name(p));
        if ((e != TLS_TRUSTED) != table[i].excluded || (e != TLS_TRUSTED && e != TLS_NAME_CONSTRAINTS))
            fail_msg("%s excluded, %s: %s", table[i].subtree, table[i].name, tls_status_name(e));
    }
}

#define TABLE(t) constrained_table((t), sizeof(t) / sizeof *(t))

static void test_name_constraints_on_dns(void **state)
{
    (void)state;
    static const struct constrained table[] = {
        {"DNS:good.example", "DNS:good.example", true, true},
        {"DNS:good.example", "DNS:GOOD.Example", true, true},
        {"DNS:good.example", "DNS:a.b.good.example", true, true},
        {"DNS:good.example", "DNS:notgood.example", false, false},
        {"DNS:good.example", "DNS:good.example.evil", false, false},
        {"DNS:good.example", "DNS:example", false, false},
        {"DNS:good.example", "DNS:good.example|DNS:evil.example", false, true},
        {"DNS:.good.example", "DNS:a.good.example", true, true},
        {"DNS:.good.example", "DNS:good.example", false, false},
        {"DNS:", "DNS:anything", true, true},
        /* A wildcard speaks for all it can stand for. */
        {"DNS:good.example", "DNS:*.good.example", true, true},
        {"DNS:.good.example", "DNS:*.good.example", true, true},
        {"DNS:a.good.example", "DNS:*.good.example", false, true},
        {"DNS:a.b.good.example", "DNS:*.good.example", false, false},
        {"DNS:.a.good.example", "DNS:*.good.example", false, false},
        {"DNS:good.example", "DNS:*.evil.example", false, false},
        /* What is no name is on neither side. */
        {"DNS:good.example", "DNS:a.good.example.", false, true},
        {"DNS:good.example", "DNS:a b.good.example", false, true},
        {"DNS:good.example", "DNS:*", false, true},
        {"DNS:good.example", "DNS:a*.good.example", false, true},
        /* Other forms are not asked about. */
        {"DNS:good.example", "URI:spiffe://evil/x|IP:10.0.0.1|email:a@evil.example|other:", true, false},
    };
    TABLE(table);
}

static void test_name_constraints_on_uris(void **state)
{
    (void)state;
    static const struct constrained table[] = {
        {"URI:td.example", "URI:spiffe://td.example/ns/x", true, true},
        {"URI:td.example", "URI:spiffe://TD.example/ns/x", true, true},
        {"URI:td.example", "URI:https://td.example:8443/x", true, true},
        {"URI:td.example", "URI:https://td.example?x", true, true},
        {"URI:td.example", "URI:spiffe://a.td.example/x", false, false},
        {"URI:.td.example", "URI:spiffe://a.td.example/x", true, true},
        {"URI:.td.example", "URI:spiffe://td.example/x", false, false},
        {"URI:td.example", "URI:spiffe://evil/td.example", false, false},
        {"URI:td.example", "URI:spiffe://evil?@td.example/", false, false},
        /* No host that could be told: RFC 5280 section 4.2.1.10. */
        {"URI:td.example", "URI:spiffe://td.example@evil/x", false, true},
        {"URI:td.example", "URI:spiffe://evil@td.example/x", false, true},
        {"URI:td.example", "URI:spiffe://td.example:x@evil/x", false, true},
        {"URI:td.example", "URI:urn:td.example", false, true},
        {"URI:td.example", "URI:spiffe://10.0.0.1/x", false, true},
        {"URI:td.example", "URI:spiffe://[fd00::1]/x", false, true},
        {"URI:td.example", "URI:spiffe:///x", false, true},
        {"URI:td.example", "URI:td.example", false, true},
        {"URI:", "URI:spiffe://td.example/x", false, true},
    };
    TABLE(table);
}

static void test_name_constraints_on_addresses(void **state)
{
    (void)state;
    static const struct constrained table[] = {
        {"IP:10.0.0.0/255.0.0.0", "IP:10.1.2.3", true, true},
        {"IP:10.0.0.0/255.0.0.0", "IP:11.1.2.3", false, false},
        {"IP:10.1.2.3/255.255.255.255", "IP:10.1.2.3", true, true},
        {"IP:0.0.0.0/0.0.0.0", "IP:10.1.2.3", true, true},
        {"IP:0.0.0.0/0.0.0.0", "IP:fd00::1", false, false},
        {"IP:fd00::/ffff::", "IP:fd00::1", true, true},
        {"IP:fd00::/ffff::", "IP:fd01::1", false, false},
        {"IP:::/::", "IP:fd01::1", true, true},
        {"IP:::/::", "IP:10.0.0.1", false, false},
    };
    TABLE(table);
}

static void test_name_constraints_on_email(void **state)
{
    (void)state;
    static const struct constrained table[] = {
        {"email:good.example", "email:a@good.example", true, true},
        {"email:good.example", "email:a@GOOD.example", true, true},
        {"email:good.example", "email:a@b.good.example", false, false},
        {"email:.good.example", "email:a@b.good.example", true, true},
        {"email:.good.example", "email:a@good.example", false, false},
        {"email:a@good.example", "email:a@good.example", true, true},
        {"email:a@good.example", "email:b@good.example", false, false},
        {"email:a@good.example", "email:A@good.example", false, true},
        {"email:good.example", "email:good.example", false, true},
        {"email:good.example", "email:a@evil@good.example", false, true},
        {"email:good.example", "email:@good.example", false, true},
    };
    TABLE(table);
    /* Also those in the subject, where they stood of old. */
    assert_int_equal(constrained("email:good.example", NULL, "CN=l,emailAddress=a@good.example", NULL),
                     TLS_TRUSTED);
    assert_int_equal(constrained("email:good.example", NULL, "CN=l,emailAddress=a@evil.example", NULL),
                     TLS_NAME_CONSTRAINTS);
    assert_int_equal(
        constrained(NULL, "email:evil.example", "CN=l,emailAddress=a@evil.example", "email:a@b.example"),
        TLS_NAME_CONSTRAINTS);
}

static void test_name_constraints_on_directory_names(void **state)
{
    (void)state;
    static const struct {
        const char *subtree, *subject, *san;
        bool permitted, excluded;
    } table[] = {
        {"dir:O=x", "O=x,CN=l", NULL, true, true},
        {"dir:O=x", "O=x", NULL, true, true},
        {"dir:O=x", "O=X,CN=l", NULL, true, true},
        {"dir:O=two  words", "O= Two words ,CN=l", NULL, true, true},
        {"dir:O=x", "O=y,CN=l", NULL, false, false},
        {"dir:O=x", "CN=l,O=x", NULL, false, false},
        {"dir:O=x", "CN=x", NULL, false, false},
        {"dir:O=x,CN=a", "O=x", NULL, false, false},
        {"dir:O=x,CN=a", "O=x,CN=a,CN=b", NULL, true, true},
        {"dir:O=x", "O=x,+CN=y", NULL, false, false},
        {"dir:O=x,+CN=y", "O=x,+CN=y,CN=z", NULL, true, true},
        {"dir:O=x,+CN=y", "CN=y,+O=x,CN=z", NULL, true, true},
        {"dir:", "O=y,CN=l", NULL, true, true},
        /* What others may fold to the same is neither permitted nor clear of what is excluded. */
        {"dir:O=\xc3\xa9", "O=\xc3\xa9,CN=l", NULL, true, true},
        {"dir:O=\xc3\xa9", "O=\xc3\x89,CN=l", NULL, false, true},
        {"dir:O=x", "O=\xef\xbd\x98,CN=l", NULL, false, true},
        /* In the SANs as well. */
        {"dir:O=x", "O=x,CN=l", "dir:O=x,CN=m", true, true},
        {"dir:O=x", "O=x,CN=l", "dir:O=y,CN=m", false, true},
        {"dir:O=x", "", "dir:O=y", false, false},
        /* No name, nothing to be within. */
        {"dir:O=x", "", "DNS:a.example", true, false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        enum tls_status p = constrained(table[i].subtree, NULL, table[i].subject, table[i].san);
        enum tls_status e = constrained(NULL, table[i].subtree, table[i].subject, table[i].san);
        if ((p == TLS_TRUSTED) != table[i].permitted)
            fail_msg("%s permitted, %s: %s", table[i].subtree, table[i].subject, tls_status_name(p));
        if ((e != TLS_TRUSTED) != table[i].excluded)
            fail_msg("%s excluded, %s: %s", table[i].subtree, table[i].subject, tls_status_name(e));
    }
    /* Another string type may hide the same letters. */
    make("R", (struct make_cert){.subject = "CN=R", .key = 1, CA, .excluded = "dir:O=evil"});
    make("b", (struct make_cert){
                  .subject = "O=evil", .issuer = "CN=R", .key = 2, .by = 1, .string_tag = DER_BMP_STRING});
    make("p", (struct make_cert){
                  .subject = "O=Evil", .issuer = "CN=R", .key = 2, .by = 1, .string_tag = DER_IA5_STRING});
    expect("R", "b", TLS_ISSUER_UNKNOWN); /* the issuer's name is in the other type, too */
    make("Rb",
         (struct make_cert){
             .subject = "CN=RR", .key = 1, CA, .excluded = "dir:O=evil,CN=x", .string_tag = DER_BMP_STRING});
    make("bb",
         (struct make_cert){
             .subject = "O=evil,CN=x", .issuer = "CN=RR", .key = 2, .by = 1, .string_tag = DER_BMP_STRING});
    make("bc",
         (struct make_cert){
             .subject = "O=Evil,CN=x", .issuer = "CN=RR", .key = 2, .by = 1, .string_tag = DER_BMP_STRING});
    expect("Rb", "bb", TLS_NAME_CONSTRAINTS);
    expect("Rb", "bc", TLS_NAME_CONSTRAINTS);
}

static void test_name_constraints_of_every_issuer(void **state)
{
    (void)state;
    /* Of the root as of each intermediate; on intermediates, but not on those that a CA issued to itself. */
    make("R", (struct make_cert){.subject = "O=x,CN=R", .key = 1, CA, .permitted = "DNS:example|dir:O=x"});
    make("A", (struct make_cert){.subject = "O=x,CN=A",
                                 .issuer = "O=x,CN=R",
                                 .key = 2,
                                 .by = 1,
                                 CA,
                                 .excluded = "DNS:evil.example"});
    make("E", (struct make_cert){.subject = "O=evil,CN=E", .issuer = "O=x,CN=R", .key = 3, .by = 1, CA});
    make("ok", (struct make_cert){
                   .subject = "", .issuer = "O=x,CN=A", .key = 9, .by = 2, .san = "DNS:good.example"});
    make("no1", (struct make_cert){
                    .subject = "", .issuer = "O=x,CN=A", .key = 9, .by = 2, .san = "DNS:evil.example"});
    make("no2",
         (struct make_cert){.subject = "", .issuer = "O=x,CN=A", .key = 9, .by = 2, .san = "DNS:other.test"});
    make("no3", (struct make_cert){.subject = "O=x,CN=l", .issuer = "O=evil,CN=E", .key = 9, .by = 3});
    expect("R", "ok A", TLS_TRUSTED);
    expect_words("R", "no1 A", TLS_NAME_CONSTRAINTS, 0,
                 "name outside of the constraints of CN=A,O=x: DNS:evil.example");
    expect_words("R", "no2 A", TLS_NAME_CONSTRAINTS, 0,
                 "name outside of the constraints of CN=R,O=x: DNS:other.test");
    expect_words("R", "no3 E", TLS_NAME_CONSTRAINTS, 1,
                 "name outside of the constraints of CN=R,O=x: CN=E,O=evil");

    make("T", (struct make_cert){.subject = "O=t,CN=T", .key = 4, CA, .permitted = "dir:O=u"});
    make("T2", (struct make_cert){.subject = "O=t,CN=T", .issuer = "O=t,CN=T", .key = 5, .by = 4, CA});
    make("lu", (struct make_cert){.subject = "O=u", .issuer = "O=t,CN=T", .key = 9, .by = 5});
    make("lt", (struct make_cert){.subject = "O=t,CN=T", .issuer = "O=t,CN=T", .key = 9, .by = 5});
    expect("T", "lu T2", TLS_TRUSTED);
    expect("T", "lt T2", TLS_NAME_CONSTRAINTS);
}

static void test_name_constraints_that_cannot_be_processed(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        size_t size;
    } bad[] = {
        {"", 0},
        {"\xa0\x00", 2}, /* no subtree */
        {"\xa1\x00", 2},
        {"\xa0\x06\x30\x04\x88\x02\x2a\x03", 8}, /* registeredID */
        {"\xa0\x09\x30\x07\x82\x02"
         "ab"
         "\x80\x01\x00",
         11}, /* a minimum, although the default */
        {"\xa0\x09\x30\x07\x82\x02"
         "ab"
         "\x80\x01\x01",
         11},
        {"\xa0\x09\x30\x07\x82\x02"
         "ab"
         "\x81\x01\x01",
         11},                                             /* a maximum */
        {"\xa0\x08\x30\x06\x87\x04\x0a\x00\x00\x00", 10}, /* an address without a mask */
        {"\xa0\x06\x30\x04\x82\x02"
         "a\xc3",
         8},
        {"\xa0\x06\x30\x04\xa4\x02\x05\x00", 8}, /* no name */
        {"\xa1\x06\x30\x04\x82\x02"
         "ab"
         "\xa0\x06\x30\x04\x82\x02"
         "ab",
         16}, /* out of order */
        {"\xa0\x06\x30\x04\x82\x02"
         "ab"
         "\x05\x00",
         10},
        {"\xa0\x04\x82\x02"
         "ab",
         6},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        clean(NULL);
        make("R", (struct make_cert){.subject = "CN=R",
                                     .key = 1,
                                     CA,
                                     .constraints = (const uint8_t *)bad[i].value,
                                     .constraints_size = bad[i].size});
        make("l", (struct make_cert){.subject = "", .issuer = "CN=R", .key = 9, .by = 1, .san = "DNS:ab"});
        expect_words("R", "l", TLS_NAME_CONSTRAINTS, 1, "name constraints that cannot be processed: CN=R");
    }
    assert_int_equal(constrained("other:", NULL, "CN=l", NULL), TLS_NAME_CONSTRAINTS);
}

static void test_name_constraints_bomb(void **state)
{
    (void)state;
    enum { MANY = 3000 };
    char *list = malloc(MANY * 8), *at = list;
    for (size_t i = 0; i < MANY; i++)
        at += sprintf(at, "%sDNS:a%c", i ? "|" : "", (char)('a' + i % 26));
    char *names = malloc(100 * 8);
    at = names;
    for (size_t i = 0; i < 100; i++)
        at += sprintf(at, "%sDNS:zz", i ? "|" : "");
    assert_int_equal(constrained(NULL, list, "CN=l", "DNS:zz"), TLS_TRUSTED);
    assert_int_equal(constrained(NULL, list, "CN=l", names), TLS_TOO_COMPLEX);
    /* Permitted by the last one each. */
    strcpy(list + strlen(list) - 2, "zz");
    assert_int_equal(constrained(list, NULL, "CN=l", "DNS:zz"), TLS_TRUSTED);
    assert_int_equal(constrained(list, NULL, "CN=l", names), TLS_TOO_COMPLEX);
    free(list);
    free(names);
}

/* Attributes of one RDN are compared each with each. */
static void test_name_constraints_bomb_of_attributes(void **state)
{
    (void)state;
    enum { MANY = 60, ATTRIBUTES = 50 };
    char subject[ATTRIBUTES * 6 + 1] = "", list[MANY * (ATTRIBUTES * 6 + 8)] = "";
    for (size_t i = 0; i < ATTRIBUTES; i++)
        strcat(subject, i ? ",+O=a" : "O=a");
    for (size_t i = 0; i < MANY; i++) {
        strcat(strcat(list, i ? "|dir:" : "dir:"), subject);
        list[strlen(list) - 1] = 'b';
    }
    assert_int_equal(constrained(NULL, "dir:O=b", subject, NULL), TLS_TRUSTED);
    assert_int_equal(constrained(NULL, list, subject, NULL), TLS_TOO_COMPLEX);
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, clean)
    const struct CMUnitTest tests[] = {
        T(test_name_constraints_of_openssl),
        T(test_name_constraints_on_dns),
        T(test_name_constraints_on_uris),
        T(test_name_constraints_on_addresses),
        T(test_name_constraints_on_email),
        T(test_name_constraints_on_directory_names),
        T(test_name_constraints_of_every_issuer),
        T(test_name_constraints_that_cannot_be_processed),
        T(test_name_constraints_bomb),
        T(test_name_constraints_bomb_of_attributes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
