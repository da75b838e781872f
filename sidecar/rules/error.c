/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <string.h>

#include "sidecar/rules/internal.h"

static const char *const names[] = {
    [RULES_OK] = "Ok",
    [RULES_EXPECTED_NAME] = "ExpectedName",
    [RULES_EXPECTED_LITERAL] = "ExpectedLiteral",
    [RULES_UNKNOWN_IDENTIFIER] = "UnknownIdentifier",
    [RULES_EOF] = "EOF",
    [RULES_PARSE_INT] = "ParseInt",
    [RULES_PARSE_NETWORK] = "ParseNetwork",
    [RULES_PARSE_REGEX] = "ParseRegex",
    [RULES_PARSE_WILDCARD] = "ParseWildcard",
    [RULES_COUNT_MISMATCH] = "CountMismatch",
    [RULES_INVALID_CHARACTER_ESCAPE] = "InvalidCharacterEscape",
    [RULES_INVALID_RAW_STRING_HASH_COUNT] = "InvalidRawStringHashCount",
    [RULES_MISSING_ENDING_QUOTE] = "MissingEndingQuote",
    [RULES_INVALID_LIST_NAME] = "InvalidListName",
    [RULES_INCOMPATIBLE_RANGE_BOUNDS] = "IncompatibleRangeBounds",
    [RULES_UNSUPPORTED_OP] = "UnsupportedOp",
    [RULES_TYPE_MISMATCH] = "TypeMismatch",
    [RULES_INVALID_INDEX_ACCESS] = "InvalidIndexAccess",
    [RULES_INVALID_MAP_EACH_ACCESS] = "InvalidMapEachAccess",
    [RULES_INVALID_ARGUMENTS_COUNT] = "InvalidArgumentsCount",
    [RULES_INVALID_ARGUMENT_KIND] = "InvalidArgumentKind",
    [RULES_INVALID_ARGUMENT_TYPE] = "InvalidArgumentType",
    [RULES_INVALID_ARGUMENT_VALUE] = "InvalidArgumentValue",
    [RULES_NESTING_LIMIT_EXCEEDED] = "NestingLimitExceeded",
    [RULES_UNKNOWN_LIST] = "UnknownList",
    [RULES_WRONG_PHASE] = "WrongPhase",
    [RULES_TOO_LONG] = "TooLong",
    [RULES_TOO_MANY] = "TooMany",
    [RULES_INVALID_UTF8] = "InvalidUtf8",
    [RULES_OUT_OF_MEMORY] = "OutOfMemory",
};

const char *rules_error_kind_name(enum rules_error_kind kind)
{
    return (unsigned)kind < sizeof names / sizeof *names ? names[kind] : "Unknown";
}

/* Characters of TEXT: bytes that do not continue one. */
static size_t characters(const char *text, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++)
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

void parser_set_error(struct parser *p, enum rules_error_kind kind, size_t at, size_t length,
                      const char *format, ...)
{
    struct rules_error *error = p->error;
    memset(error, 0, sizeof *error);
    error->kind = kind;
    error->offset = at;
    error->length = length;
    error->line = 1;
    size_t line = 0;
    for (size_t i = 0; i < at; i++) {
        if (p->text[i] == '\n') {
            error->line++;
            line = i + 1;
        }
    }
    error->column = (unsigned)characters(p->text + line, at - line) + 1;
    bool expected = kind == RULES_EXPECTED_NAME || kind == RULES_EXPECTED_LITERAL || kind == RULES_EOF;
    if (expected && at < p->end && p->text[at] == '\t')
        format = "a tab may not stand within an expression";
    va_list args;
    va_start(args, format);
    int size = vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    /* A message that was cut may end within a character. */
    if ((size_t)size >= sizeof error->message) {
        size_t bad;
        if (!rules_utf8_valid((const uint8_t *)error->message, sizeof error->message - 1, &bad))
            error->message[bad] = 0;
    }
}

void parser_set_no_memory(struct parser *p)
{
    parser_set_error(p, RULES_OUT_OF_MEMORY, p->at, 0, "out of memory");
}

void parser_suggest(struct parser *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(p->error->suggestion, sizeof p->error->suggestion, format, args);
    va_end(args);
}

void rules_error_print(const struct rules_error *error, const char *text, size_t size, FILE *out)
{
    size_t offset = error->offset < size ? error->offset : size;
    size_t start = offset, end = offset;
    while (start > 0 && text[start - 1] != '\n')
        start--;
    while (end < size && text[end] != '\n' && text[end] != '\r')
        end++;
    size_t stop = offset + error->length < end ? offset + error->length : end;
    fprintf(out, "%u:%u: %s: %s\n", error->line, error->column, rules_error_kind_name(error->kind),
            error->message);
    fputs("  | ", out);
    for (size_t i = start; i < end; i++) {
        unsigned char c = (unsigned char)text[i];
        putc(c < 0x20 || c == 0x7f ? ' ' : c, out);
    }
    fprintf(out, "\n  | %*s", (int)characters(text + start, offset - start), "");
    size_t width = characters(text + offset, stop - offset);
    for (size_t i = 0; i == 0 || i < width; i++)
        putc('^', out);
    putc('\n', out);
    if (error->suggestion[0])
        fprintf(out, "  = did you mean: %s\n", error->suggestion);
}

enum { DISTANCE_MAX = 64 };

/* Optimal string alignment: insertions, deletions, changes, and swaps of neighbours; case counts as well. */
unsigned rules_distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    unsigned row[3][DISTANCE_MAX + 1];
    if (a_size > DISTANCE_MAX || b_size > DISTANCE_MAX)
        return DISTANCE_MAX;
    for (unsigned j = 0; j <= b_size; j++)
        row[0][j] = j;
    for (unsigned i = 1; i <= a_size; i++) {
        unsigned *above2 = row[(i + 1) % 3], *above = row[(i - 1) % 3], *here = row[i % 3];
        here[0] = i;
        for (unsigned j = 1; j <= b_size; j++) {
            unsigned best = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (here[j - 1] + 1 < best)
                best = here[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && above2[j - 2] + 1 < best)
                best = above2[j - 2] + 1;
            here[j] = best;
        }
    }
    return row[a_size % 3][b_size];
}

bool rules_utf8_valid(const uint8_t *data, size_t size, size_t *bad)
{
    for (size_t i = 0; i < size;) {
        uint8_t c = data[i];
        size_t more = c < 0x80 ? 0 : c >= 0xc2 && c < 0xe0 ? 1 : c >= 0xe0 && c < 0xf0 ? 2 : 3;
        bool good = c < 0x80 || (c >= 0xc2 && c < 0xf5);
        if (good && size - i <= more)
            good = false;
        for (size_t k = 1; good && k <= more; k++)
            good = (data[i + k] & 0xc0) == 0x80;
        /* Overlong forms, surrogates, and beyond U+10FFFF. */
        if (good && more >= 2) {
            uint8_t d = data[i + 1];
            good = !((c == 0xe0 && d < 0xa0) || (c == 0xed && d >= 0xa0) || (c == 0xf0 && d < 0x90) ||
                     (c == 0xf4 && d >= 0x90));
        }
        if (!good) {
            *bad = i;
            return false;
        }
        i += more + 1;
    }
    return true;
}

size_t rules_utf8_put(uint32_t code, uint8_t *out)
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xc0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xe0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (code & 0x3f));
    return 4;
}

int rules_hex(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}
