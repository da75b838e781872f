/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "scratch.h"
#include "certrotate/credentials.h"

static struct scratch s;
static struct credentials_error error;

static int setup(void **state)
{
    (void)state;
    s = scratch_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scratch_free(&s);
    pki_free_all();
    return 0;
}

static struct credentials_source here(void)
{
    return (struct credentials_source){.directory = s.path};
}

static struct credentials *load(void)
{
    struct credentials_source source = here();
    return credentials_load(&source, PKI_NOW, &error);
}

/* Loads SOURCE and expects a set. */
static struct credentials *good(const struct credentials_source *source)
{
    struct credentials *c = credentials_load(source, PKI_NOW, &error);
    if (!c)
        fail_msg("%s: %s", credentials_fault_name(error.fault), error.text);
    assert_int_equal(error.fault, CREDENTIALS_OK);
    return c;
}

/* Loads SOURCE and expects FAULT, with WORDS in its text. */
static void bad(const struct credentials_source *source, enum credentials_fault fault, const char *words)
{
    struct credentials *c = credentials_load(source, PKI_NOW, &error);
    assert_null(c);
    if (error.fault != fault || !strstr(error.text, words))
        fail_msg("%s: %s", credentials_fault_name(error.fault), error.text);
}

static void bad_here(enum credentials_fault fault, const char *words)
{
    struct credentials_source source = here();
    bad(&source, fault, words);
}

static void same(struct x509_slice a, const char *name)
{
    struct x509_slice b = pki_der(name);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
}

static void write_kubernetes(void)
{
    scratch_write(&s, "tls.crt", "leaf.pem intermediate.pem");
    scratch_write(&s, "tls.key", "leaf.key.pem");
    scratch_write(&s, "ca.crt", "root.pem");
}

/* --- layouts --- */

static void kubernetes(void **state)
{
    (void)state;
    write_kubernetes();
    scratch_write(&s, "crl.pem", "root.crl.pem intermediate.crl.pem");
    struct credentials_source source = here();
    struct credentials *c = good(&source);
    assert_int_equal(c->layout, CREDENTIALS_KUBERNETES);
    assert_string_equal(c->directory, s.path);
    assert_int_equal(c->chain_count, 2);
    same(c->chain[0], "leaf");
    same(c->chain[1], "intermediate");
    same(c->key, "leaf.key");
    assert_int_equal(c->key_type, X509_KEY_EC);
    assert_int_equal(c->root_count, 1);
    same(c->roots[0], "root");
    assert_int_equal(crl_index_stats(c->crls).lists, 2);
    assert_int_equal(c->not_before, 1577836800);
    assert_int_equal(c->not_after, 4733510400);
    assert_int_equal(c->roots_not_after, 4733510400);
    assert_string_equal(c->warnings, "");
    assert_ptr_equal(credentials_ref(c), c);
    credentials_unref(c);
    credentials_unref(c);
    credentials_unref(NULL);
}

static void spiffe(void **state)
{
    (void)state;
    scratch_write(&s, "svid.pem", "leaf_ed25519.pem intermediate.pem");
    scratch_write(&s, "svid_key.pem", "leaf_ed25519.key.pem");
    scratch_write(&s, "svid_bundle.pem", "root.pem root2.pem");
    struct credentials *c = load();
    assert_non_null(c);
    assert_int_equal(c->layout, CREDENTIALS_SPIFFE);
    assert_int_equal(c->key_type, X509_KEY_ED25519);
    assert_int_equal(c->root_count, 2);
    assert_null(c->crls);
    credentials_unref(c);
}

static void bundle(void **state)
{
    static const char *const names[] = {"credentials.pem", "credential-bundle.pem", "credentialbundle.pem",
                                        "tls.pem"};
    static const char *const companions[] = {"ca.crt", "ca.pem", "trust-bundle.pem", "ca.crt"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        scratch_write(&s, names[i], "leaf.key.pem leaf.pem intermediate.pem");
        scratch_write(&s, companions[i], "root.pem");
        struct credentials *c = load();
        assert_non_null(c);
        assert_int_equal(c->layout, CREDENTIALS_BUNDLE);
        assert_int_equal(c->chain_count, 2);
        assert_int_equal(c->root_count, 1);
        credentials_unref(c);
        scratch_delete(&s, names[i]);
        scratch_delete(&s, companions[i]);
    }
}

static void single(void **state)
{
    (void)state;
    scratch_write(&s, "haproxy.pem", "leaf.pem intermediate.pem leaf.key.pem");
    scratch_write(&s, "ca.pem", "root.pem");
    scratch_write(&s, "other.pem", "root2.pem");
    struct credentials *c = load();
    assert_non_null(c);
    assert_int_equal(c->layout, CREDENTIALS_SINGLE);
    same(c->chain[0], "leaf");
    same(c->roots[0], "root");
    credentials_unref(c);
    scratch_write(&s, "other.pem", "leaf_client.pem leaf_client.key.pem");
    bad_here(CREDENTIALS_UNPARSABLE, "several *.pem hold a private key");
    scratch_delete(&s, "other.pem");
    scratch_delete(&s, "haproxy.pem");
    bad_here(CREDENTIALS_MISSING, "no certificate and key in it");
}

static void named_files(void **state)
{
    (void)state;
    char certificate[256], key[256];
    scratch_write(&s, "a", "leaf.pem");
    scratch_write(&s, "b", "leaf.sec1.pem");
    scratch_write(&s, "c", "root.pem");
    scratch_write(&s, "both", "leaf.pem leaf.key.pem");
    scratch_write(&s, "ca.crt", "root2.pem");
    scratch_path(&s, "a", certificate);
    scratch_path(&s, "b", key);
    struct credentials_source source = {.certificate = certificate, .key = key};
    struct credentials *c = good(&source);
    assert_int_equal(c->layout, CREDENTIALS_FILES);
    assert_int_equal(c->root_count, 0);
    assert_int_equal(c->roots_not_after, 0);
    credentials_unref(c);
    source = (struct credentials_source){
        .directory = s.path, .layout = CREDENTIALS_FILES, .certificate = "both", .ca = "c"};
    c = good(&source);
    same(c->roots[0], "root");
    credentials_unref(c);
    /* A layout guessed, with one name replaced: the CA bundle is still looked for. */
    source = (struct credentials_source){.directory = s.path, .certificate = "both"};
    c = good(&source);
    same(c->roots[0], "root2");
    credentials_unref(c);
    source = (struct credentials_source){.directory = s.path, .layout = CREDENTIALS_FILES};
    bad(&source, CREDENTIALS_MISSING, "no certificate is named");
    source = (struct credentials_source){.directory = s.path, .certificate = "a", .key = "none"};
    bad(&source, CREDENTIALS_MISSING, "/none: No such file");
    /* What is named must be there, although the layout's own may be missing. */
    source = (struct credentials_source){.directory = s.path, .certificate = "both", .crl = "x.pem"};
    bad(&source, CREDENTIALS_MISSING, "/x.pem: No such file");
    source = (struct credentials_source){.directory = "/nonexistent"};
    bad(&source, CREDENTIALS_MISSING, "/nonexistent: No such file");
}

static void trust_alone(void **state)
{
    (void)state;
    char ca[256];
    scratch_write(&s, "partners.pem", "root.pem root2.pem");
    scratch_write(&s, "crl.pem", "root.crl.pem");
    scratch_path(&s, "partners.pem", ca);
    struct credentials_source source = {.trust_only = true, .ca = ca};
    struct credentials *c = good(&source);
    assert_null(c->chain);
    assert_null(c->key.data);
    assert_int_equal(c->root_count, 2);
    assert_null(c->crls);
    credentials_unref(c);
    source.directory = s.path;
    source.ca = "partners.pem";
    c = good(&source);
    assert_non_null(c->crls);
    credentials_unref(c);
    source.ca = NULL;
    bad(&source, CREDENTIALS_MISSING, "ca.crt");
    source = (struct credentials_source){.trust_only = true};
    bad(&source, CREDENTIALS_MISSING, "no CA bundle is named");
}

static void layout_names(void **state)
{
    (void)state;
    enum credentials_layout layout = CREDENTIALS_AUTO;
    assert_string_equal(credentials_layout_name(CREDENTIALS_SPIFFE), "spiffe");
    assert_true(credentials_layout_parse("files", &layout));
    assert_int_equal(layout, CREDENTIALS_FILES);
    assert_false(credentials_layout_parse("Files", &layout));
    assert_string_equal(credentials_fault_name(CREDENTIALS_UNREADABLE), "unreadable");
    assert_string_equal(credentials_fault_name(CREDENTIALS_BAD_CRL), "bad_crl");
    assert_string_equal(credentials_fault_name(CREDENTIALS_NOT_YET_VALID), "not_yet_valid");
}

/* --- encodings of the key --- */

static void kinds_of_keys(void **state)
{
    static const char *const pairs[][2] = {
        {"leaf.pem", "leaf.sec1.pem"},
        {"leaf.pem", "leaf.key.der"},
        {"leaf.der", "leaf.key.pem"},
        {"leaf_rsa2048.pem", "leaf_rsa2048.key.pem"},
        {"leaf_rsa2048.pem", "leaf_rsa2048.pkcs1.pem"},
        {"leaf_p384.pem", "leaf_p384.key.pem"},
        {"leaf_p521.pem", "leaf_p521.key.pem"},
        {"leaf_ed25519.pem", "leaf_ed25519.key.pem"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        scratch_write(&s, "tls.crt", pairs[i][0]);
        scratch_write(&s, "tls.key", pairs[i][1]);
        struct credentials_source source = here();
        credentials_unref(good(&source));
    }
}

static void encrypted_key(void **state)
{
    (void)state;
    write_kubernetes();
    scratch_write(&s, "tls.key", "leaf.encrypted.pem");
    bad_here(CREDENTIALS_UNPARSABLE, "encrypted and no password file");
    struct credentials_source source = here();
    source.password = "password";
    bad(&source, CREDENTIALS_MISSING, "/password: No such file");
    scratch_write(&s, "password", "=wrong\n");
    bad(&source, CREDENTIALS_UNPARSABLE, "tls.key: wrong password");
    static const char *const forms[] = {"=secret", "=secret\n", "=secret\r\nmore\n"};
    for (size_t i = 0; i < 3; i++) {
        scratch_write(&s, "password", forms[i]);
        struct credentials *c = good(&source);
        same(c->key, "leaf.key");
        credentials_unref(c);
    }
}

/* --- bad sets --- */

static void missing(void **state)
{
    (void)state;
    scratch_write(&s, "tls.crt", "leaf.pem");
    bad_here(CREDENTIALS_MISSING, "/tls.key: No such file");
    scratch_delete(&s, "tls.crt");
    scratch_write(&s, "tls.key", "leaf.key.pem");
    bad_here(CREDENTIALS_MISSING, "/tls.crt: No such file");
    scratch_write(&s, "tls.crt", "leaf.pem");
    struct credentials_source source = here();
    credentials_unref(good(&source));
    source.ca_required = true;
    bad(&source, CREDENTIALS_MISSING, "/ca.crt: No such file");
    scratch_delete(&s, "tls.key");
    scratch_delete(&s, "tls.crt");
    scratch_write(&s, "svid.pem", "leaf.pem");
    bad_here(CREDENTIALS_MISSING, "/svid_key.pem: No such file");
}

static void empty(void **state)
{
    (void)state;
    write_kubernetes();
    scratch_write(&s, "tls.key", "");
    bad_here(CREDENTIALS_EMPTY, "/tls.key: empty");
    write_kubernetes();
    scratch_write(&s, "tls.crt", "");
    bad_here(CREDENTIALS_EMPTY, "/tls.crt: empty");
    write_kubernetes();
    scratch_write(&s, "ca.crt", "");
    struct credentials_source source = here();
    struct credentials *c = good(&source);
    assert_int_equal(c->root_count, 0);
    assert_non_null(strstr(c->warnings, "/ca.crt: empty"));
    credentials_unref(c);
    source.ca_required = true;
    bad(&source, CREDENTIALS_EMPTY, "/ca.crt: empty");
    write_kubernetes();
    scratch_write(&s, "crl.pem", "");
    bad_here(CREDENTIALS_EMPTY, "/crl.pem: empty");
}

static void too_large(void **state)
{
    (void)state;
    write_kubernetes();
    struct credentials_source source = here();
    source.max_file = 512;
    bad(&source, CREDENTIALS_TOO_LARGE, "/tls.crt: larger than 512 bytes");
    char path[256];
    scratch_path(&s, "ca.crt", path);
    assert_int_equal(truncate(path, CREDENTIALS_BUNDLE_MAX + 1), 0);
    bad_here(CREDENTIALS_TOO_LARGE, "/ca.crt: larger than 8388608 bytes");
}

static void not_files(void **state)
{
    (void)state;
    char path[256];
    write_kubernetes();
    scratch_delete(&s, "tls.key");
    scratch_path(&s, "tls.key", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    bad_here(CREDENTIALS_UNREADABLE, "/tls.key: not a regular file");
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    bad_here(CREDENTIALS_UNREADABLE, "/tls.key: not a regular file");
    rmdir(path);
    assert_int_equal(symlink("tls.key", path), 0);
    bad_here(CREDENTIALS_UNREADABLE, "/tls.key: Too many levels of symbolic links");
}

static void unparsable(void **state)
{
    (void)state;
    static const struct {
        const char *file, *contents, *words;
    } cases[] = {
        {"tls.crt", "=nothing here", "/tls.crt: no certificate in it"},
        {"tls.crt", "leaf.key.pem", "/tls.crt: no certificate in it"},
        {"tls.crt", "=-----BEGIN CERTIFICATE-----\nMII", "/tls.crt: a PEM block does not end"},
        {"tls.crt", "=-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n",
         "/tls.crt: certificate 1: not a certificate"},
        {"tls.key", "leaf.pem", "/tls.key: no private key in it"},
        {"tls.key", "leaf.key.pem leaf_client.key.pem", "/tls.key: more than one private key"},
        {"tls.key", "=-----BEGIN PRIVATE KEY-----\nMAMCAQE=\n-----END PRIVATE KEY-----\n",
         "/tls.key: the private key cannot be used"},
        {"tls.key", "leaf_rsa2048.key.pem", "/tls.key: the private key cannot be used"},
        {"ca.crt", "=nothing here", "/ca.crt: no certificate in it"},
        {"ca.crt", "=-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n",
         "/ca.crt: certificate 1"},
        {"tls.crt", "leaf_k256.pem", "not supported"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_kubernetes();
        scratch_write(&s, cases[i].file, cases[i].contents);
        bad_here(CREDENTIALS_UNPARSABLE, cases[i].words);
    }
    write_kubernetes();
    scratch_write(&s, "tls.crt", "leaf_rsa1024.pem");
    scratch_write(&s, "tls.key", "leaf_rsa1024.key.pem");
    bad_here(CREDENTIALS_UNPARSABLE, "weak");
}

static void mismatched(void **state)
{
    (void)state;
    write_kubernetes();
    scratch_write(&s, "tls.key", "leaf_client.key.pem");
    bad_here(CREDENTIALS_MISMATCH, "/tls.key: the private key belongs to another certificate");
    /* The chain in the wrong order is as good as a mismatch. */
    write_kubernetes();
    scratch_write(&s, "tls.crt", "intermediate.pem leaf.pem");
    bad_here(CREDENTIALS_MISMATCH, "belongs to another certificate");
}

static void out_of_time(void **state)
{
    (void)state;
    write_kubernetes();
    scratch_write(&s, "tls.crt", "leaf_expired.pem");
    scratch_write(&s, "tls.key", "leaf_expired.key.pem");
    bad_here(CREDENTIALS_EXPIRED, "has expired on Jan  1 00:00:00 2021 GMT");
    scratch_write(&s, "tls.crt", "leaf_future.pem");
    scratch_write(&s, "tls.key", "leaf_future.key.pem");
    bad_here(CREDENTIALS_NOT_YET_VALID, "is valid from Jan  1 00:00:00 2110 GMT on");
    /* Both ends are included (RFC 5280 section 4.1.2.5). */
    struct credentials_source source = here();
    struct credentials *c = credentials_load(&source, 4417977600, &error);
    assert_non_null(c);
    credentials_unref(c);
    assert_null(credentials_load(&source, 4417977599, &error));
    c = credentials_load(&source, 4733510400, &error);
    assert_non_null(c);
    credentials_unref(c);
    assert_null(credentials_load(&source, 4733510401, &error));
    assert_int_equal(error.fault, CREDENTIALS_EXPIRED);
}

static void permissions(void **state)
{
    (void)state;
    char path[256], password[256];
    write_kubernetes();
    scratch_write(&s, "tls.key", "leaf.encrypted.pem");
    scratch_write(&s, "password", "=secret");
    scratch_path(&s, "tls.key", path);
    scratch_path(&s, "password", password);
    struct credentials_source source = here();
    source.password = "password";
    chmod(path, 0644);
    chmod(password, 0600);
    credentials_unref(good(&source));
    source.strict_permissions = true;
    bad(&source, CREDENTIALS_PERMISSIONS, "/tls.key: everybody may read or write it (mode 0644)");
    chmod(path, 0602);
    bad(&source, CREDENTIALS_PERMISSIONS, "/tls.key: everybody");
    chmod(path, 0640); /* our own group */
    credentials_unref(good(&source));
    chmod(path, 0600);
    chmod(password, 0604);
    bad(&source, CREDENTIALS_PERMISSIONS, "/password: everybody");
    chmod(password, 0600);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 0, 54321), 0);
        credentials_unref(good(&source));
        chmod(path, 0660);
        bad(&source, CREDENTIALS_PERMISSIONS, "/tls.key: another group may read or write it (mode 0660)");
    }
    /* A file that holds certificate and key is a key. */
    scratch_write(&s, "one", "leaf.pem leaf.key.pem");
    source = here();
    source.certificate = "one";
    source.strict_permissions = true;
    bad(&source, CREDENTIALS_PERMISSIONS, "/one: everybody");
}

static void bad_crls(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"intermediate_forged.crl.pem",
         "/crl.pem: the signature is wrong (CRL of CN=intermediate,O=Outrider)"},
        {"root.crl.pem intermediate_forged.crl.pem", "the signature is wrong"},
        {"intermediate_sha1.crl.pem", "weak"},
        {"intermediate_unknown.crl.pem", "unknown critical extension"},
        {"root.pem", "/crl.pem: no CRL in it"},
        {"=-----BEGIN X509 CRL-----\nMAMCAQE=\n-----END X509 CRL-----\n", "/crl.pem: not a CRL"},
        {"=-----BEGIN X509 CRL-----\nMAMC", "/crl.pem: a PEM block does not end"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_kubernetes();
        scratch_write(&s, "crl.pem", cases[i][0]);
        bad_here(CREDENTIALS_BAD_CRL, cases[i][1]);
    }
    scratch_write(&s, "crl.pem", "intermediate.crl.der");
    struct credentials_source source = here();
    struct credentials *c = good(&source);
    assert_int_equal(crl_index_stats(c->crls).entries, 2);
    credentials_unref(c);
}

/* --- what is told and kept --- */

static void warnings(void **state)
{
    (void)state;
    write_kubernetes();
    scratch_write(&s, "tls.crt", "leaf.pem root.pem intermediate_expired.pem");
    scratch_write(&s, "ca.crt", "root.pem root_expired.pem root.crl.pem");
    scratch_write(&s, "crl.pem", "intermediate_delta.crl.pem");
    struct credentials_source source = here();
    struct credentials *c = good(&source);
    assert_non_null(
        strstr(c->warnings, "/tls.crt: the chain is out of order: certificate 2 (CN=root,O=Outrider)"));
    assert_non_null(
        strstr(c->warnings, "certificate 3 of the chain (CN=intermediate_expired,O=Outrider) has expired\n"));
    assert_non_null(strstr(c->warnings, "/ca.crt: the CA CN=root_expired,O=Outrider has expired\n"));
    assert_non_null(strstr(c->warnings, "/ca.crt: the CRL in it is not read"));
    assert_non_null(
        strstr(c->warnings, "/crl.pem: the CRL of CN=intermediate,O=Outrider is left out: it is a delta"));
    assert_null(strstr(c->warnings, "/crl.pem: a CRL has expired"));
    assert_int_equal(c->roots_not_after, 1609459200);
    credentials_unref(c);
    scratch_write(&s, "crl.pem", "root.crl.pem intermediate_expired.crl.pem");
    c = good(&source);
    assert_non_null(strstr(c->warnings, "/crl.pem: a CRL has expired\n"));
    credentials_unref(c);
}

/* More than fit: whole lines only. */
static void warnings_are_bounded(void **state)
{
    (void)state;
    write_kubernetes();
    scratch_write(&s, "crl.pem",
                  "intermediate_delta.crl.pem intermediate_delta.crl.pem intermediate_delta.crl.pem "
                  "intermediate_delta.crl.pem intermediate_delta.crl.pem intermediate_delta.crl.pem");
    char contents[20000] = "";
    struct x509_slice crl = pki_file("intermediate_delta.crl.pem");
    size_t used = 0;
    while (used + crl.size < sizeof contents) {
        memcpy(contents + used, crl.data, crl.size);
        used += crl.size;
    }
    for (int i = 0; i < 5; i++)
        scratch_write_octets(&s, "crl.pem", O_APPEND, contents, used);
    struct credentials_source source = here();
    struct credentials *c = good(&source);
    size_t length = strlen(c->warnings);
    assert_true(length > 3000 && length < 4096);
    assert_int_equal(c->warnings[length - 1], '\n');
    credentials_unref(c);
}

static void duplicates(void **state)
{
    (void)state;
    write_kubernetes();
    scratch_write(&s, "ca.crt", "root.pem root2.pem root.pem root_renewed.pem root2.pem");
    struct credentials_source source = here();
    struct credentials *c = good(&source);
    assert_int_equal(c->root_count, 3);
    same(c->roots[0], "root");
    same(c->roots[1], "root2");
    same(c->roots[2], "root_renewed");
    credentials_unref(c);
}

static void many_certificates(void **state)
{
    (void)state;
    char contents[1024] = "leaf.pem";
    write_kubernetes();
    for (int i = 1; i < CREDENTIALS_CHAIN_MAX; i++)
        strcat(contents, " intermediate.pem");
    scratch_write(&s, "tls.crt", contents);
    struct credentials_source source = here();
    struct credentials *c = good(&source);
    assert_int_equal(c->chain_count, CREDENTIALS_CHAIN_MAX);
    credentials_unref(c);
    strcat(contents, " root.pem");
    scratch_write(&s, "tls.crt", contents);
    bad(&source, CREDENTIALS_UNPARSABLE, "/tls.crt: more than 16 certificates");
}

static void hashes(void **state)
{
    (void)state;
    uint8_t peeked[32], before[32];
    struct credentials_source source = here();
    assert_false(credentials_peek(&source, before, NULL));
    write_kubernetes();
    struct credentials *a = good(&source);
    assert_true(credentials_peek(&source, peeked, NULL));
    assert_memory_equal(peeked, a->hash, 32);
    assert_memory_not_equal(peeked, before, 32);
    /* A new certificate is no change of trust. */
    scratch_write(&s, "tls.crt", "leaf_renewed.pem intermediate.pem");
    scratch_write(&s, "tls.key", "leaf_renewed.key.pem");
    struct credentials *b = good(&source);
    assert_memory_not_equal(a->hash, b->hash, 32);
    assert_memory_equal(a->trust_hash, b->trust_hash, 32);
    credentials_unref(b);
    /* A CRL is. */
    scratch_write(&s, "crl.pem", "root.crl.pem");
    b = good(&source);
    assert_memory_not_equal(a->trust_hash, b->trust_hash, 32);
    credentials_unref(b);
    credentials_unref(a);
    /* What is missing or bad has a hash as well, each its own. */
    scratch_delete(&s, "tls.key");
    assert_true(credentials_peek(&source, before, NULL));
    scratch_write(&s, "tls.key", "");
    assert_true(credentials_peek(&source, peeked, NULL));
    assert_memory_not_equal(peeked, before, 32);
    scratch_delete(&s, "tls.key");
    assert_true(credentials_peek(&source, peeked, NULL));
    assert_memory_equal(peeked, before, 32);
}

/* --- generations --- */

static const struct scratch_file FIRST[] = {
    {"tls.crt", "leaf.pem intermediate.pem"}, {"tls.key", "leaf.key.pem"}, {"ca.crt", "root.pem"}};
static const struct scratch_file SECOND[] = {{"tls.crt", "leaf_renewed.pem intermediate.pem"},
                                             {"tls.key", "leaf_renewed.key.pem"},
                                             {"ca.crt", "root2.pem"}};

static void generations(void **state)
{
    (void)state;
    struct credentials_source source = here();
    scratch_swap(&s, FIRST, 3);
    struct credentials *c = good(&source);
    same(c->chain[0], "leaf");
    credentials_unref(c);
    scratch_swap(&s, SECOND, 3);
    c = good(&source);
    same(c->chain[0], "leaf_renewed");
    same(c->roots[0], "root2");
    credentials_unref(c);
    /* Absolute names into the volume are of one generation too, through `..data`: what lies at the top does
     * not count. */
    char certificate[256], key[256];
    scratch_delete(&s, "tls.key");
    scratch_write(&s, "tls.key", "leaf.key.pem");
    scratch_path(&s, "tls.crt", certificate);
    scratch_path(&s, "tls.key", key);
    source = (struct credentials_source){.certificate = certificate, .key = key};
    credentials_unref(good(&source));
    /* A file that the volume does not hold is taken from beside it. */
    scratch_write(&s, "crl.pem", "root2.crl.pem");
    source = here();
    c = good(&source);
    assert_non_null(c->crls);
    credentials_unref(c);
}

static void symlinked_directory(void **state)
{
    (void)state;
    char link[256], target[256];
    scratch_path(&s, "real", target);
    scratch_path(&s, "link", link);
    mkdir(target, 0700);
    assert_int_equal(symlink("real", link), 0);
    scratch_write(&s, "real/tls.crt", "leaf.pem");
    scratch_write(&s, "real/tls.key", "leaf.key.pem");
    struct credentials_source source = {.directory = link};
    credentials_unref(good(&source));
}

static void expiry_levels(void **state)
{
    (void)state;
    assert_int_equal(credentials_expiry_level(0, 3000, 0), CREDENTIALS_FRESH);
    assert_int_equal(credentials_expiry_level(0, 3000, 1999), CREDENTIALS_FRESH);
    assert_int_equal(credentials_expiry_level(0, 3000, 2000), CREDENTIALS_THIRD);
    assert_int_equal(credentials_expiry_level(0, 3000, 2699), CREDENTIALS_THIRD);
    assert_int_equal(credentials_expiry_level(0, 3000, 2700), CREDENTIALS_TENTH);
    assert_int_equal(credentials_expiry_level(0, 3000, 2940), CREDENTIALS_FIFTIETH);
    assert_int_equal(credentials_expiry_level(0, 3000, 3000), CREDENTIALS_FIFTIETH);
    assert_int_equal(credentials_expiry_level(0, 3000, 3001), CREDENTIALS_OVER);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(kubernetes),
        TEST(spiffe),
        TEST(bundle),
        TEST(single),
        TEST(named_files),
        TEST(trust_alone),
        TEST(layout_names),
        TEST(kinds_of_keys),
        TEST(encrypted_key),
        TEST(missing),
        TEST(empty),
        TEST(too_large),
        TEST(not_files),
        TEST(unparsable),
        TEST(mismatched),
        TEST(out_of_time),
        TEST(permissions),
        TEST(bad_crls),
        TEST(warnings),
        TEST(warnings_are_bounded),
        TEST(duplicates),
        TEST(many_certificates),
        TEST(hashes),
        TEST(generations),
        TEST(symlinked_directory),
        TEST(expiry_levels),
    };
    umask(022);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
