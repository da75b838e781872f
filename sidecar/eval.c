/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/eval.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sidecar/eval_facts.h"
#include "sidecar/eval_jsonl.h"
#include "sidecar/rules/list.h"
#include "sidecar/rules/reference.h"
#include "sidecar/rules/value_json.h"

enum { LISTS_MAX = 64, POOL_SIZE = 4 * 1024 * 1024, FILE_MAX = 256 * 1024 * 1024 };

struct given_list {
    const char *name;
    size_t name_size;
    const char *path;
    bool has_kind;
    enum rules_list_kind kind;
    struct rules_list *list;
};

struct eval {
    const char *expression;
    const char *certificate, *request_file, *method, *url;
    bool unverified, revoked, as_value, json;
    struct eval_request request;
    char **set; /* FIELD=VALUE */
    size_t sets;
    struct given_list list[LISTS_MAX];
    size_t lists;
    char *texts[LISTS_MAX + 2]; /* files that values point into */
    size_t text_count;
    struct rules_context *context;
    struct rules_arena arena;
    struct facts facts;
    struct tls_stream_info tls; /* of a request or certificate that came by TLS */
    struct tls_verdict verdict;
    struct tls_peers *peers;
    struct tls_peer *peer;
    struct rules_scratch scratch;
    char problem[256]; /* of a list */
};

static const char usage[] =
    "Usage: sidecar eval -e EXPRESSION [OPTION]... [URL]\n"
    "       sidecar eval --jsonl < INPUT\n"
    "Evaluates an expression of the rule language and shows why it gives what it gives.\n"
    "\n"
    "  -e, --expression=TEXT   the expression\n"
    "      --value             it may have any type (as request.NAME in [headers])\n"
    "      --cert=FILE         the client's certificate, and after it its chain (PEM or DER)\n"
    "      --unverified        the certificate is not trusted\n"
    "      --revoked           the certificate is revoked\n"
    "      --request=FILE      a request as it is sent: line and headers\n"
    "  -X, --method=METHOD     the request's method (GET)\n"
    "  -H, --header=LINE       a header of the request, \"Name: value\"; may be repeated\n"
    "      --set=FIELD=VALUE   any field; VALUE is JSON, or for a string plain text\n"
    "      --list=NAME=FILE    the list $NAME, one member a line; NAME:KIND=FILE says its kind: strings,\n"
    "                          integers, ips, fingerprints or serials\n"
    "      --json              the result as JSON\n"
    "      --jsonl             one JSON object a line from standard input, one result a line:\n"
    "                          {\"expression\": \"...\", \"fields\": {\"ip.src\": \"10.0.0.1\"}, \"lists\": "
    "{\"a\": [1]}}\n"
    "      --reference         prints all operators, fields and functions instead\n"
    "      --help              this text\n"
    "\n"
    "Exit status: 0 evaluated, 1 a mistake in the expression or in a file, 2 wrong usage.\n";

static int complain(const char *subject, const char *words)
{
    fprintf(stderr, "sidecar eval: %s: %s\n", subject, words);
    return 1;
}

/* The whole file, zero-terminated; NULL after saying why not. */
static char *read_file(struct eval *e, const char *path, size_t *size)
{
    struct rules_buffer text = {0};
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    char piece[65536];
    size_t n;
    if (!in) {
        complain(path, strerror(errno));
        return NULL;
    }
    while ((n = fread(piece, 1, sizeof piece, in)) > 0 && text.size < FILE_MAX)
        rules_buffer_add(&text, piece, n);
    bool bad = ferror(in) || text.size >= FILE_MAX;
    *size = text.size;
    rules_buffer_add(&text, "", 1);
    if (in != stdin)
        fclose(in);
    if (bad || text.failed) {
        complain(path, bad ? "cannot be read, or is too large" : "out of memory");
        rules_buffer_free(&text);
        return NULL;
    }
    if (e->text_count < sizeof e->texts / sizeof *e->texts)
        e->texts[e->text_count++] = (char *)text.data;
    return (char *)text.data;
}

/* --- Options --- */

static bool list_kind(const char *text, size_t size, enum rules_list_kind *kind)
{
    static const char *const names[] = {"strings", "integers", "ips", "fingerprints", "serials"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i]) == size && memcmp(names[i], text, size) == 0) {
            *kind = (enum rules_list_kind)i;
            return true;
        }
    }
    return false;
}

static bool add_list(struct eval *e, const char *text)
{
    const char *equals = strchr(text, '=');
    if (!equals || e->lists == LISTS_MAX)
        return false;
    struct given_list *list = &e->list[e->lists++];
    const char *colon = memchr(text, ':', (size_t)(equals - text));
    list->name = text;
    list->name_size = (size_t)((colon ? colon : equals) - text);
    list->path = equals + 1;
    list->has_kind = colon;
    return !colon || list_kind(colon + 1, (size_t)(equals - colon) - 1, &list->kind);
}

static bool add_header(struct eval *e, const char *text)
{
    const char *colon = strchr(text, ':');
    struct rules_pair *header = realloc(e->request.header, (e->request.headers + 1) * sizeof *header);
    if (header)
        e->request.header = header;
    if (!colon || colon == text || !header)
        return false;
    header += e->request.headers++;
    header->name = (struct rules_bytes){(const uint8_t *)text, (size_t)(colon - text)};
    const char *value = colon + 1 + strspn(colon + 1, " \t");
    header->value = (struct rules_bytes){(const uint8_t *)value, strlen(value)};
    return true;
}

static bool add_set(struct eval *e, char *text)
{
    if (!strchr(text, '='))
        return false;
    char **set = realloc(e->set, (e->sets + 1) * sizeof *set);
    if (!set)
        return false;
    e->set = set;
    set[e->sets++] = text;
    return true;
}

enum {
    OPT_VALUE = 256,
    OPT_CERT,
    OPT_UNVERIFIED,
    OPT_REVOKED,
    OPT_REQUEST,
    OPT_SET,
    OPT_LIST,
    OPT_JSON,
    OPT_JSONL,
    OPT_REFERENCE,
    OPT_HELP
};

/* 0: go on; else -1 help was asked for, -2 wrong usage, 1 --jsonl, 2 --reference. */
static int options(struct eval *e, int argc, char **argv)
{
    static const struct option longs[] = {{"expression", required_argument, NULL, 'e'},
                                          {"value", no_argument, NULL, OPT_VALUE},
                                          {"cert", required_argument, NULL, OPT_CERT},
                                          {"unverified", no_argument, NULL, OPT_UNVERIFIED},
                                          {"revoked", no_argument, NULL, OPT_REVOKED},
                                          {"request", required_argument, NULL, OPT_REQUEST},
                                          {"method", required_argument, NULL, 'X'},
                                          {"header", required_argument, NULL, 'H'},
                                          {"set", required_argument, NULL, OPT_SET},
                                          {"list", required_argument, NULL, OPT_LIST},
                                          {"json", no_argument, NULL, OPT_JSON},
                                          {"jsonl", no_argument, NULL, OPT_JSONL},
                                          {"help", no_argument, NULL, OPT_HELP},
                                          {"reference", no_argument, NULL, OPT_REFERENCE},
                                          {NULL, 0, NULL, 0}};
    bool jsonl = false, good = true;
    int c;
    optind = 1;
    while (good && (c = getopt_long(argc, argv, "e:X:H:", longs, NULL)) != -1) {
        switch (c) {
        case 'e': e->expression = optarg; break;
        case OPT_VALUE: e->as_value = true; break;
        case OPT_CERT: e->certificate = optarg; break;
        case OPT_UNVERIFIED: e->unverified = true; break;
        case OPT_REVOKED: e->revoked = true; break;
        case OPT_REQUEST: e->request_file = optarg; break;
        case 'X': e->method = optarg; break;
        case 'H': good = add_header(e, optarg); break;
        case OPT_SET: good = add_set(e, optarg); break;
        case OPT_LIST: good = add_list(e, optarg); break;
        case OPT_JSON: e->json = true; break;
        case OPT_JSONL: jsonl = true; break;
        case OPT_HELP: return -1;
        case OPT_REFERENCE: return 2;
        default: return -2;
        }
        if (!good)
            fprintf(stderr, "sidecar eval: cannot be understood: %s\n", optarg);
    }
    if (optind < argc)
        e->url = argv[optind++];
    if (!good || optind < argc)
        return -2;
    return jsonl ? 1 : e->expression ? 0 : -2;
}

/* --- Facts --- */

static bool set_certificate(struct eval *e)
{
    size_t size;
    char *text = read_file(e, e->certificate, &size);
    if (!text)
        return false;
    const char *wrong = eval_peer(e->peers, (const uint8_t *)text, size, &e->peer);
    if (wrong) {
        complain(e->certificate, wrong);
        return false;
    }
    e->verdict.status = e->unverified ? TLS_ISSUER_UNKNOWN : e->revoked ? TLS_REVOKED : TLS_TRUSTED;
    e->verdict.revoked_leaf = e->verdict.status == TLS_REVOKED;
    (void)snprintf(e->verdict.words, sizeof e->verdict.words, "%s",
                   e->unverified ? "not verified, as --unverified says"
                   : e->revoked  ? "revoked, as --revoked says"
                                 : "trusted");
    e->verdict.issuer = eval_issuer(e->peer);
    e->facts.peer = e->peer;
    e->facts.verdict = &e->verdict;
    e->facts.tls = &e->tls;
    return true;
}

static struct rules_bytes bytes_of(const char *text)
{
    return (struct rules_bytes){(const uint8_t *)text, strlen(text)};
}

static bool set_request(struct eval *e, int64_t now_ms)
{
    if (e->request_file) {
        size_t size;
        char *text = read_file(e, e->request_file, &size);
        const char *wrong = text ? eval_request_read(&e->request, text, size) : NULL;
        if (wrong)
            complain(e->request_file, wrong);
        if (!text || wrong)
            return false;
    } else if (!e->url && !e->method && e->request.headers == 0) {
        return true;
    }
    if (e->method || !e->request.method.size)
        e->request.method = bytes_of(e->method ? e->method : "GET");
    if (e->url || !e->request.target.size)
        e->request.target = bytes_of(e->url ? e->url : "/");
    if (!e->request.version.size)
        e->request.version = bytes_of("HTTP/1.1");
    if (e->url && strncmp(e->url, "https://", 8) == 0)
        e->facts.tls = &e->tls;
    if (eval_request_facts(&e->facts, &e->request, &e->arena, now_ms))
        return true;
    complain("request", "out of memory");
    return false;
}

/* A JSON value, or for a string field, what is no JSON as it stands. */
static bool set_field(struct eval *e, char *text)
{
    char *equals = strchr(text, '='), *given = equals + 1;
    int field = rules_scheme_find(e->context->scheme, text, (size_t)(equals - text));
    if (field < 0) {
        complain(text, "there is no such field");
        return false;
    }
    uint32_t type = e->context->scheme->field[field].type;
    bool bare = (type == RULES_BYTES || type == RULES_IP) && *given != '"' && *given != '{' &&
                strcmp(given, "null") != 0;
    struct rules_value value;
    const char *wrong = NULL;
    if (bare) {
        value = rules_bytes(given, strlen(given));
        if (type == RULES_IP) {
            value.type = RULES_IP;
            wrong = rules_ip_parse(given, strlen(given), &value.ip) ? NULL : "expected an IP address";
        }
    } else {
        struct json json;
        json_start(&json, given, strlen(given));
        wrong = rules_value_from_json(&json, json_next(&json), type, &e->arena, &value);
        if (!wrong && json_next(&json) != JSON_END)
            wrong = "text after the value";
    }
    if (wrong)
        complain(text, wrong);
    else
        rules_context_set(e->context, (unsigned)field, &value);
    return !wrong;
}

static bool set_all(struct eval *e)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (!facts_init(&e->facts, POOL_SIZE) || !(e->peers = tls_peers_new(0)))
        return false;
    e->facts.now = now.tv_sec;
    if (e->certificate && !set_certificate(e))
        return false;
    if (!set_request(e, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000))
        return false;
    for (size_t i = 0; i < e->sets; i++)
        if (!set_field(e, e->set[i]))
            return false;
    return true;
}

static const struct rules_list *find_list(void *arg, const char *name, size_t size, uint32_t type, int field)
{
    struct eval *e = arg;
    for (size_t i = 0; i < e->lists; i++) {
        struct given_list *given = &e->list[i];
        if (given->name_size != size || memcmp(given->name, name, size) != 0)
            continue;
        if (given->list)
            return given->list;
        size_t length, line;
        char *text = read_file(e, given->path, &length);
        given->list = rules_list_new(given->has_kind ? given->kind : rules_list_kind_for(type, field));
        if (!text || !given->list)
            return NULL;
        const char *wrong = rules_list_add_lines(given->list, text, length, &line);
        if (wrong)
            fprintf(stderr, "sidecar eval: %s:%zu: %s\n", given->path, line, wrong);
        return !wrong && rules_list_finish(given->list) ? given->list : NULL;
    }
    return NULL;
}

/* --- Output --- */

static void value_text(const struct rules_value *value, struct rules_buffer *out)
{
    if (rules_missing(value))
        rules_buffer_text(out, "(missing)");
    else
        rules_value_to_json(value, out);
}

static void print_plain(void *arg, unsigned depth, const char *text, const struct rules_value *value)
{
    struct rules_buffer out = {0};
    (void)arg;
    value_text(value, &out);
    printf("%*s%s  =>  %.*s\n", (int)(2 * depth), "", text, (int)out.size, out.data ? (char *)out.data : "");
    rules_buffer_free(&out);
}

struct json_tree {
    struct rules_buffer *out;
    unsigned depth;
    bool open;
};

static void close_to(struct json_tree *tree, unsigned depth)
{
    for (; tree->open && tree->depth > depth; tree->depth--)
        rules_buffer_text(tree->out, "]}");
    if (tree->open && tree->depth == depth)
        rules_buffer_text(tree->out, "]}");
}

static void print_json(void *arg, unsigned depth, const char *text, const struct rules_value *value)
{
    struct json_tree *tree = arg;
    if (tree->open && depth <= tree->depth) {
        close_to(tree, depth);
        rules_buffer_text(tree->out, ", ");
    }
    rules_buffer_text(tree->out, "{\"expression\": ");
    rules_json_string(text, strlen(text), tree->out);
    rules_buffer_text(tree->out, ", \"value\": ");
    rules_value_to_json(value, tree->out);
    rules_buffer_text(tree->out, ", \"parts\": [");
    tree->depth = depth;
    tree->open = true;
}

static void warn(void *arg, size_t offset, size_t length, const char *message)
{
    const struct eval *e = arg;
    fprintf(stderr, "warning: \"%.*s\": %s\n", (int)length, e->expression + offset, message);
}

static bool show(struct eval *e, const struct rules_program *program)
{
    struct rules_value value;
    struct rules_buffer out = {0};
    bool ok;
    rules_eval_value(program, e->context, &e->scratch, &value);
    if (e->json) {
        struct json_tree tree = {.out = &out};
        rules_buffer_text(&out, "{\"result\": ");
        rules_value_to_json(&value, &out);
        rules_buffer_text(&out, ", \"explanation\": ");
        ok = rules_explain(program, e->context, &e->scratch, print_json, &tree);
        close_to(&tree, 0);
        rules_buffer_text(&out, "}\n");
        fwrite(out.data, 1, out.size, stdout);
    } else {
        value_text(&value, &out);
        printf("%.*s\n\n", (int)out.size, (char *)out.data);
        ok = rules_explain(program, e->context, &e->scratch, print_plain, NULL);
    }
    if (e->scratch.overflow || e->facts.pool.full)
        complain("evaluation", "a value was too large and counts as missing");
    ok = ok && !out.failed;
    rules_buffer_free(&out);
    return ok;
}

static void show_error(const struct eval *e, const struct rules_error *error)
{
    if (!e->json) {
        rules_error_print(error, e->expression, strlen(e->expression), stderr);
        return;
    }
    struct rules_buffer out = {0};
    eval_jsonl_error(&out, error);
    fwrite(out.data, 1, out.size, stdout);
    rules_buffer_free(&out);
}

static int run(struct eval *e)
{
    struct rules_env env = {.scheme = rules_scheme_standard(), .list = find_list, .list_arg = e};
    struct rules_error error;
    rules_context_init(e->context, env.scheme, facts_get, &e->facts);
    if (!set_all(e))
        return 1;
    size_t size = strlen(e->expression);
    struct rules_program *program = e->as_value ? rules_compile_value(&env, e->expression, size, &error)
                                                : rules_compile(&env, e->expression, size, &error);
    if (!program) {
        show_error(e, &error);
        return 1;
    }
    rules_program_warn(program, warn, e);
    bool ok = show(e, program);
    rules_free(program);
    return ok ? 0 : complain("evaluation", "out of memory");
}

int eval_main(int argc, char **argv)
{
    struct eval *e = calloc(1, sizeof *e);
    int status = 1;
    if (!e || !(e->context = malloc(sizeof *e->context)) ||
        !rules_scratch_init(&e->scratch, 64 * RULES_SCRATCH_DEFAULT)) {
        complain("start", "out of memory");
        goto done;
    }
    switch (options(e, argc, argv)) {
    case 0: status = run(e); break;
    case 1: status = eval_jsonl(stdin, stdout, e->context, &e->scratch); break;
    case 2: status = rules_reference_print(stdout) ? 0 : 1; break;
    case -1:
        fputs(usage, stdout);
        status = 0;
        break;
    default: fputs("Try: sidecar eval --help\n", stderr); status = 2;
    }
    if (fflush(stdout) != 0)
        status = complain("output", strerror(errno));
done:
    if (!e)
        return status;
    for (size_t i = 0; i < e->lists; i++)
        rules_list_free(e->list[i].list);
    for (size_t i = 0; i < e->text_count; i++)
        free(e->texts[i]);
    rules_scratch_clear(&e->scratch);
    rules_arena_free(&e->arena);
    tls_peer_unref(e->peer);
    tls_peers_free(e->peers);
    facts_clear(&e->facts);
    free(e->request.header);
    free(e->set);
    free(e->context);
    free(e);
    return status;
}
