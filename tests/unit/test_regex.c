/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The dialect of regular expressions: what each element matches, and what is refused where. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "sidecar/rules/regex_internal.h"

struct vector {
    const char *pattern;
    size_t pattern_size;
    const char *subject; /* NULL: the pattern is refused */
    size_t size;         /* or the offset */
    size_t length;
    const char *words;
    bool match;
};

#define Y(p, s)                                         \
    {                                                   \
        p, sizeof p - 1, s, sizeof s - 1, 0, NULL, true \
    }
#define N(p, s)                                          \
    {                                                    \
        p, sizeof p - 1, s, sizeof s - 1, 0, NULL, false \
    }
#define E(p, offset, length, words)                         \
    {                                                       \
        p, sizeof p - 1, NULL, offset, length, words, false \
    }

static void check_match(const struct vector *v, struct regex_scratch *scratch)
{
    struct regex_error error;
    struct regex *regex = regex_compile(v->pattern, v->pattern_size, NULL, &error);
    struct regex *finder =
        regex_compile(v->pattern, v->pattern_size, &(struct regex_limits){.captures = true}, &error);
    const uint8_t *data = (const uint8_t *)v->subject;
    struct regex_span span[1];
    if (!regex || !finder)
        fail_msg("%s: %s at %zu", v->pattern, error.words, error.offset);
    /* The second time the cache knows the states. */
    for (int i = 0; i < 2; i++)
        if (regex_match(regex, scratch, data, v->size) != v->match)
            fail_msg("%s on %s: %s", v->pattern, v->subject, v->match ? "should match" : "should not match");
    if (regex_dfa_match(regex, scratch, data, v->size) != v->match)
        fail_msg("%s on %s: the automaton differs", v->pattern, v->subject);
    if (regex_nfa_match(regex, scratch, data, v->size) != v->match)
        fail_msg("%s on %s: the steps differ", v->pattern, v->subject);
    if (regex_find(finder, scratch, data, v->size, span, 1) != v->match)
        fail_msg("%s on %s: finding differs", v->pattern, v->subject);
    regex_free(regex);
    regex_free(finder);
}

static void check_error(const struct vector *v)
{
    struct regex_error error;
    struct regex *regex = regex_compile(v->pattern, v->pattern_size, NULL, &error);
    if (regex)
        fail_msg("%s: should be refused", v->pattern);
    if (error.offset != v->size || error.length != v->length || !strstr(error.words, v->words))
        fail_msg("%s: {%zu, %zu, \"%s\"} and not {%zu, %zu, \"%s\"}", v->pattern, error.offset, error.length,
                 error.words, v->size, v->length, v->words);
    assert_true(error.offset + error.length <= v->pattern_size);
}

static void run(const struct vector *v, size_t count)
{
    struct regex_scratch *scratch = regex_scratch_new(0);
    assert_non_null(scratch);
    for (size_t i = 0; i < count; i++)
        if (v[i].subject)
            check_match(&v[i], scratch);
        else
            check_error(&v[i]);
    regex_scratch_free(scratch);
}

#define RUN(vectors) run(vectors, sizeof vectors / sizeof *vectors)

static void test_literals(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        Y("", ""),
        Y("", "abc"),
        Y("a", "a"),
        Y("a", "xxa"),
        N("a", ""),
        N("a", "A"),
        N("abc", "ab"),
        Y("abc", "xabcx"),
        N("abc", "abx abxc ab"),
        Y("aab", "aaab"),
        Y("é", "caf\xc3\xa9"),
        N("é", "\xc3"),
        Y("^é{2}$", "éé"),
        N("^é{2}$", "é"),
        N("^é{2}$", "\xc3\xa9\xa9"),
        Y("^é+$", "ééé"),
        N("^é+$", "\xc3\xa9\xa9"),
        Y("€", "x€y"),
        Y("^🐈$", "🐈"),
        Y("^🐈?$", ""),
        N("^🐈?$", "\xf0"),
        Y("]", "]"),
        Y("}", "}"),
        Y("a}", "a}"),
        Y("a]b", "a]b"),
        Y("-", "-"),
        Y("&&", "&&"),
        Y("~", "~"),
        Y("\"", "\""),
        Y("a\0b", "xa\0by"),
        N("a\0b", "a\0\0b"),
        Y("\n", "\n"),
        Y("/a/b", "/a/b/c"),
        Y(",", ","),
        Y(" ", " "),
        Y("a b", "a b"),
        Y("#a", "#a"),
        Y("ab|cd", "xcdx"),
        N("ab|cd", "acbd"),
    };
    RUN(vectors);
}

static void test_dot(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        Y("^.$", "a"),
        Y("^.$", "\xff"),
        Y("^.$", "\0"),
        N("^.$", "é"),
        N("^.$", "\n"),
        Y("^.$", "\r"),
        N("^.$", ""),
        Y("(?s)^.$", "\n"),
        Y("(?s:^.$)", "\r"),
        N("(?R)^.$", "\r"),
        N("(?R)^.$", "\n"),
        Y("(?sR)^.$", "\r"),
        Y("(?sR)^.$", "\n"),
        Y("(?R)^.$", "x"),
        N("a.b", "a\nb"),
        Y("a.b", "a\0b"),
        Y("(?s)a.b", "a\nb"),
        N("(?s)a(?-s).b", "a\nb"),
        E("(?s-s)a.b", 4, 1, "twice"),
        Y("a..b", "aé b é aéb"),
        Y("^..$", "é"),
    };
    RUN(vectors);
}

static void test_perl_classes(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        Y("^\\d$", "0"),         Y("^\\d$", "9"),         N("\\d", "a/:"),         N("\\d", "\xd9\xa0"),
        Y("^\\D$", "a"),         Y("^\\D$", "\xff"),      Y("^\\D$", "\n"),        N("\\D", "0123"),
        N("^\\D$", "é"),         Y("^\\w$", "_"),         Y("^\\w$", "z"),         Y("^\\w$", "Z"),
        Y("^\\w$", "5"),         N("\\w", "-é@[`{"),      Y("^\\W$", "-"),         Y("^\\W$", "\xff"),
        N("\\W", "aZ_9"),        Y("^\\W\\W$", "é"),      Y("^\\s$", "\t"),        Y("^\\s$", "\n"),
        Y("^\\s$", "\v"),        Y("^\\s$", "\f"),        Y("^\\s$", "\r"),        Y("^\\s$", " "),
        N("\\s", "a\0\x08\x0e"), N("\\s", "\xc2\xa0"),    Y("^\\S$", "a"),         Y("^\\S$", "\0"),
        N("\\S", " \t\r\n\v\f"), Y("^[\\d\\s]+$", "1 2"), N("^[\\d\\s]+$", "1a2"), Y("^[^\\d]$", "a"),
        N("^[^\\d]$", "1"),      Y("[\\w-]", "-"),        Y("^[\\D\\d]$", "\xfe"), Y("^[\\W]$", "\x80"),
    };
    RUN(vectors);
}

static void test_words(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        Y("\\bfoo\\b", "a foo b"),
        N("\\bfoo\\b", "afoo"),
        N("\\bfoo\\b", "foob"),
        Y("\\bfoo\\b", "foo"),
        Y("\\bfoo\\b", "éfooé"),
        N("\\b", ""),
        N("\\b", "-- -"),
        Y("\\B", ""),
        Y("\\B", "ab"),
        N("^\\B", "a"),
        Y("a\\Bb", "ab"),
        N("a\\bb", "ab"),
        Y("\\b{start}foo", "a foo"),
        N("\\b{start}foo", "afoo"),
        N("foo\\b{start}", "foo"),
        Y("foo\\b{end}", "foo bar"),
        N("foo\\b{end}", "foob"),
        N("\\b{end}foo", "foo"),
        Y("\\b{end}", "a"),
        Y("\\b{end}", " a "),
        N("\\b{end}", "  "),
        Y("\\b{start}", " a"),
        Y("\\b{start-half}foo", "-foo"),
        N("\\b{start-half}foo", "xfoo"),
        Y("\\b{start-half}-", "-"),
        N("\\b{start-half}-", "x-"),
        Y("foo\\b{end-half}", "foo-"),
        Y("-\\b{end-half}", "--"),
        N("-\\b{end-half}", "-a"),
        Y("\\<foo\\>", "a foo"),
        N("\\<foo\\>", "afoo"),
        N("\\<foo\\>", "foos"),
        Y("\\b{2}a", "a"),
        Y("(?x)\\b{ start }a", "a"),
        E("\\b{ start }a", 2, 3, "expected a number"),
        Y("x\\b$", "x"),
        N("-\\b$", "-"),
        Y("^\\b\\w", "a"),
        N("^\\b\\w", "-a"),
        Y("\\b^a", "a"),
        Y("$\\b", "a"),
        N("$\\b", "a-"),
        Y("\\w\\b\\W", "a-"),
        N("\\w\\b\\w", "aa"),
        Y("\\B-\\B", "--"),
        Y("(?:\\b|x)y", "-y"),
        Y("(?:\\b|x)y", "xy"),
        N("(?:\\b|x)y", "zy"),
        Y("\\bunion\\b.*\\bselect\\b", "a union all select 1"),
        N("\\bunion\\b.*\\bselect\\b", "a union all selected"),
        E("\\b{foo}", 2, 5, "{start}"),
        E("\\b{start", 2, 6, "not closed"),
        E("\\b{", 2, 1, "not closed"),
        E("\\b{start}{", 9, 1, "not closed"),
        E("[\\b]", 1, 2, "not allowed in a class"),
        E("[\\<]", 1, 2, "not allowed"),
        E("[a\\B]", 2, 2, "not allowed"),
        E("[a-\\z]", 3, 2, "not allowed"),
    };
    RUN(vectors);
}

static void test_anchors(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        Y("^a", "ab"),
        N("^b", "ab"),
        Y("b$", "ab"),
        N("a$", "ab"),
        N("a$", "a\n"),
        Y("^$", ""),
        N("^$", "a"),
        N("^$", "\n"),
        Y("^abc$", "abc"),
        N("^abc$", "abcd"),
        N("^abc$", "xabc"),
        Y("\\Aa", "ab"),
        N("\\Ab", "ab"),
        Y("b\\z", "ab"),
        N("b\\z", "ab\n"),
        Y("(?m)^b", "a\nb"),
        Y("(?m)a$", "a\nb"),
        Y("(?m)^$", "a\n"),
        Y("(?m)^bar$", "foo\nbar\nbaz"),
        N("(?m)^bar$", "foo\nbarx"),
        N("(?m)\\Ab", "a\nb"),
        N("(?m)a\\z", "a\nb"),
        N("(?m)^b", "a\rb"),
        N("(?m)a$", "a\rb"),
        Y("(?mR)^b", "a\rb"),
        Y("(?mR)a$", "a\rb"),
        Y("(?mR)a$", "a\r\nb"),
        Y("(?mR)^b", "a\r\nb"),
        N("(?mR)\r$", "\r\n"),
        N("(?mR)^\n", "\r\n"),
        Y("(?mR)^\n", "\n\n"),
        Y("(?mR)\n^$", "\r\n"),
        Y("(?mR)\r$", "\r\r"),
        N("(?R)^b", "a\nb"),
        Y("(?m)(?-m)^a$", "a"),
        N("(?m)(?-m)^a$", "a\n"),
        N("a^b", "ab"),
        N("a$b", "ab"),
        Y("(?m)a$\n^b", "a\nb"),
        Y("(^a|b)c", "bc"),
        Y("(^a|b)c", "ac"),
        N("(^a|b)c", "xac"),
        Y("^*a", "xa"),
        Y("(^)*a", "xa"),
        N("^+a", "xa"),
        Y("$^", ""),
        N("$^", "a"),
        Y("a*$", "bbb"),
        Y("^a*", "bbb"),
        Y("(?:^a|^b)", "b"),
        N("(?:^a|^b)", "xb"),
        Y("x|^a$", "xa"),
        Y("^^a$$", "a"),
        Y("(?mR)$^", ""),
        Y("(?mR)$^", "a\n"),
        N("(?mR)a$^", "a"),
        Y("^*\\b{end}", " a"),
        Y("(?:^a)?\\b{end}", " a"),
        N("(?:a$)b", "ab"),
        Y("(?:a$|b)c?", "ba"),
        Y("^(?:)a", "a"),
        N("(?m)^a\\z", "a\nb"),
        E("a\\Z", 1, 2, "end of the text is \\z"),
    };
    RUN(vectors);
}

static void test_escapes(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        Y("\\x41", "A"),
        Y("^\\xff$", "\xff"),
        Y("^\\x80$", "\x80"),
        N("^\\xe9$", "é"),
        Y("^\\x{e9}$", "é"),
        Y("^\\u00e9$", "é"),
        Y("^\\u{e9}$", "é"),
        Y("^\\U000000E9$", "é"),
        Y("^\\U{1F408}$", "🐈"),
        Y("\\x{0}", "\0"),
        Y("^\\x{00000000000041}$", "A"),
        Y("\\x7f", "\x7f"),
        Y("^\\a\\f\\t\\n\\r\\v$", "\a\f\t\n\r\v"),
        Y("^\\.$", "."),
        N("^\\.$", "a"),
        Y("^\\\\\\+\\*\\?\\(\\)\\|\\[\\]\\{\\}\\^\\$\\#\\&\\-\\~$", "\\+*?()|[]{}^$#&-~"),
        Y("^\\!\\\"\\%\\'\\,\\/\\:\\;\\=\\@\\_\\`\\ $", "!\"%',/:;=@_` "),
        Y("\\\n", "\n"),
        Y("\\\x7f", "\x7f"),
        Y("[\\x41-\\x43]", "B"),
        Y("^[\\x80-\\xff]$", "\xfe"),
        Y("^[\\u0041]$", "A"),
        Y("^[\\]]$", "]"),
        Y("[\\n]", "\n"),
        Y("^[\\.\\-]+$", ".-"),
        Y("\\x4A+", "JJ"),
        E("\\e", 0, 2, "unknown"),
        E("\\h", 0, 2, "unknown"),
        E("a\\R", 1, 2, "unknown"),
        E("\\K", 0, 2, "unknown"),
        E("\\G", 0, 2, "unknown"),
        E("\\Q", 0, 2, "unknown"),
        E("\\C", 0, 2, "unknown"),
        E("\\X", 0, 2, "unknown"),
        E("\\N", 0, 2, "unknown"),
        E("\\cA", 0, 2, "unknown"),
        E("\\0", 0, 2, "back-ref"),
        E("(a)\\1", 3, 2, "back-ref"),
        E("\\9", 0, 2, "back-ref"),
        E("\\pL", 0, 2, "Unicode classes"),
        E("\\p{Greek}", 0, 2, "Unicode classes"),
        E("\\PL", 0, 2, "Unicode classes"),
        E("[\\pL]", 1, 2, "Unicode classes"),
        E("a\\", 1, 1, "ends within"),
        E("\\x", 0, 2, "ends within"),
        E("\\x4", 0, 3, "ends within"),
        E("\\xg0", 2, 1, "hexadecimal digit"),
        E("\\x4g", 3, 1, "hexadecimal digit"),
        E("\\x{}", 0, 4, "no hexadecimal"),
        E("\\x{41", 0, 5, "ends within"),
        E("\\x{4x}", 4, 1, "hexadecimal digit"),
        E("\\u004", 0, 5, "ends within"),
        E("\\ud800", 0, 6, "Unicode character"),
        E("\\x{110000}", 0, 10, "Unicode character"),
        E("\\U0000004", 0, 9, "ends within"),
        E("\\é", 0, 3, "unknown"),
        E("\\xé0", 2, 2, "hexadecimal digit"),
        E("[a-\\", 3, 1, "ends within"),
    };
    RUN(vectors);
}

static void test_groups_and_flags(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        Y("(a)(b)", "ab"),
        Y("(?:ab)+", "abab"),
        Y("(?P<n>a)", "a"),
        Y("(?<n>a)", "a"),
        Y("(?<_a1.b[c]>a)", "a"),
        Y("(?<é>a)", "a"),
        Y("()", ""),
        Y("()a", "a"),
        Y("(?:)", "x"),
        Y("(|a)b", "b"),
        Y("((((a))))", "a"),
        Y("(?i)abc", "aBC"),
        N("(?i)é", "É"),
        Y("(?i)é", "é"),
        Y("(?i:a)b", "Ab"),
        N("(?i:a)b", "AB"),
        Y("a(?i)b|c", "C"),
        Y("a(?i)b|c", "aB"),
        N("a(?i)b|c", "Ab"),
        Y("(a(?i)b)c", "aBc"),
        N("(a(?i)b)c", "aBC"),
        Y("(?i)[a-c]", "B"),
        Y("(?i)[^a]", "b"),
        N("(?i)[^a]", "A"),
        N("(?i)[[:^lower:]]", "A"),
        Y("(?i)[[:lower:]]", "A"),
        Y("(?i)(?-i)a", "a"),
        N("(?i)(?-i:a)", "A"),
        E("(?i-i)a", 4, 1, "twice"),
        Y("(?i)(?-i)a|(?i)b", "B"),
        Y("(?i)\\x41", "a"),
        Y("(?i)\\u0041", "a"),
        N("(?i)@", "`"),
        N("(?i)[@]", "`"),
        N("(?i)\\[", "{"),
        Y("(?i)k", "K"),
        N("(?i)k", "\xe2\x84\xaa"),
        Y("(?-u)a", "a"),
        Y("(?-u:.)", "\xff"),
        Y("(?im-sx)^a", "b\nA"),
        Y("(?U)a*?b", "ab"),
        Y("(?imsRUx)a", "A"),
        Y("(?x) a b # comment \n c", "abc"),
        N("(?x)a b", "a b"),
        Y("(?x)a\\ b", "a b"),
        Y("(?x)[a b]", "b"),
        N("(?x)^[a b]$", " "),
        Y("(?x)[a\\ b]", " "),
        Y("(?x)a[# ]x]\n b]c", "abc"),
        Y("(?x: a b ) c", "ab c"),
        Y("(?x)( ?: a )", "a"),
        Y("(?x)a {2}", "aa"),
        Y("(?x)a{2} ?", "aa"),
        Y("(?x)\\x 4 1", "A"),
        Y("(?x)a\xc2\xa0\xe2\x80\xa8"
          "b",
          "ab"),
        N("(?x)[a - c]", "-"),
        Y("(?x)[a - c]", "b"),
        Y("(?x)#\na", "a"),
        Y("(?x)#", ""),
        Y("(?x)a\xe2\x80\x83\xe3\x80\x80"
          "b",
          "ab"),
        Y("(?x)a # b", "a"),
        Y("((?x) a )b c", "ab c"),
        Y("(?x)[a -\n]", "-"),
        E("(", 0, 1, "not closed"),
        E("a(b", 1, 1, "not closed"),
        E(")", 0, 1, "no group"),
        E("a)b", 1, 1, "no group"),
        E("(?", 0, 2, "not closed"),
        E("(?i", 0, 3, "not closed"),
        E("(?)", 0, 3, "no flags"),
        E("(?i)*", 4, 1, "nothing"),
        E("a(?i)*", 5, 1, "nothing"),
        E("a(?i){2}", 5, 1, "nothing"),
        E("(?z)", 2, 1, "no such flag"),
        E("(?ii)", 3, 1, "twice"),
        E("(?i-m", 0, 5, "not closed"),
        E("(?i-)", 3, 1, "no flag after"),
        E("(?-)", 2, 1, "no flag after"),
        E("(?--i)", 3, 1, "second -"),
        E("(?-:a)", 2, 1, "no flag after"),
        E("(?u)a", 2, 1, "Unicode mode"),
        E("(?iu)a", 3, 1, "Unicode mode"),
        E("(?u:a)", 2, 1, "Unicode mode"),
        E("a(?=b)", 1, 3, "look-around"),
        E("(?!a)", 0, 3, "look-around"),
        E("(?<=a)", 0, 3, "look-around"),
        E("(?<!a)", 0, 3, "look-around"),
        E("(?>a)", 2, 1, "no such flag"),
        E("(?#a)", 2, 1, "no such flag"),
        E("(?P=n)", 2, 1, "no such flag"),
        E("(?'n'a)", 2, 1, "no such flag"),
        E("(?P<n", 0, 5, "name is not closed"),
        E("(?<>a)", 0, 4, "name is empty"),
        E("(?<1a>b)", 3, 1, "not allowed"),
        E("(?<a-b>c)", 4, 1, "not allowed"),
        E("(?<n>a)(?<n>b)", 10, 1, "another group"),
        E("(?R", 0, 3, "not closed"),
        E("(?P>n)", 2, 1, "no such flag"),
        E("(?|a)", 2, 1, "no such flag"),
        E("(?i:a", 0, 1, "not closed"),
        E("(?é)", 2, 2, "no such flag"),
        E("(a|b", 0, 1, "not closed"),
        E("(?<n>a)|(?P<m>b)|(?<n>)", 20, 1, "another"),
    };
    RUN(vectors);
}

static void test_repetition(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        Y("^a*$", ""),
        Y("^a*$", "aaa"),
        N("^a*$", "ab"),
        Y("^a+$", "a"),
        N("^a+$", ""),
        Y("^a?$", ""),
        N("^a?$", "aa"),
        Y("^a{2}$", "aa"),
        N("^a{2}$", "a"),
        N("^a{2}$", "aaa"),
        Y("^a{2,}$", "aaaa"),
        N("^a{2,}$", "a"),
        Y("^a{2,3}$", "aaa"),
        N("^a{2,3}$", "aaaa"),
        N("^a{2,3}$", "a"),
        Y("^a{0}$", ""),
        N("^a{0}$", "a"),
        Y("^a{0,}b$", "b"),
        Y("^a{ 2 , 3 }$", "aa"),
        Y("^a{ 2 ,}$", "aa"),
        Y("^a{\t2\n}$", "aa"),
        Y("^a{02}$", "aa"),
        Y("a++", "a"),
        Y("^a**$", "aa"),
        Y("^(?:a+)+$", "aaa"),
        Y("a*?", ""),
        Y("a+?b", "aab"),
        Y("a??b", "b"),
        Y("a{2}?b", "aab"),
        Y("a{1,2}?", "a"),
        Y("^(ab){2}$", "abab"),
        N("^(ab){2}$", "aba"),
        Y("^(a|b)*$", "abba"),
        N("^(a|b)*$", "abc"),
        Y("^(a*)*$", "aaa"),
        N("^(a*)*$", "aab"),
        Y("^(a*)+b$", "aab"),
        Y("^(a?){3}$", "aa"),
        Y("^(?:a?){3}a{3}$", "aaa"),
        Y("(){3}", ""),
        Y("(){4294967295}a", "a"),
        Y("\\b{1000000}a", "a"),
        Y("^^*a", "a"),
        Y("a{1001}?|b", "b"),
        Y("^.{3}$", "abc"),
        N("^.{3}$", "ab\n"),
        Y("^[ab]{2,4}c$", "ababc"),
        Y("x*", "y"),
        Y("^(?:(?:ab)*c)*$", "ababcc"),
        N("^(?:(?:ab)*c)*$", "abac"),
        Y("(a{0}b)c", "bc"),
        Y("a|b*", "z"),
        E("*", 0, 1, "nothing"),
        E("+a", 0, 1, "nothing"),
        E("?", 0, 1, "nothing"),
        E("{2}", 0, 1, "nothing"),
        E("(*a)", 1, 1, "nothing"),
        E("a|*", 2, 1, "nothing"),
        E("(?:+)", 3, 1, "nothing"),
        E("a{", 1, 1, "not closed"),
        E("a{2", 1, 2, "not closed"),
        E("a{2,", 1, 3, "not closed"),
        E("a{2,3", 1, 4, "not closed"),
        E("a{x}", 1, 2, "expected a number"),
        E("a{}", 1, 2, "expected a number"),
        E("a{,3}", 1, 4, "expected a number"),
        E("a{,}", 1, 3, "expected a number"),
        E("a{2, }", 1, 5, "expected a number"),
        E("a{2x}", 1, 3, "expected a number"),
        E("a{3,2}", 1, 5, "more than"),
        E("a{4294967296}", 2, 10, "too large"),
        E("a{1,99999999999999999999}", 4, 20, "too large"),
        E("a{-1}", 1, 2, "expected a number"),
        E("((a{100}){100}){100}", 0, 20, "too large"),
        E("a{4294967295}", 0, 13, "too large"),
        E("(?:(?:){0}a|){4294967294}", 0, 25, "too large"),
        Y("a{1001}|b", "b"),
        Y("(a{100}){100}|b", "b"),
        E("^*{2", 2, 2, "not closed"),
    };
    RUN(vectors);
}

static void test_alternation(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        Y("|a", ""),
        Y("a||b", "x"),
        Y("^(?:a||b)$", "b"),
        N("^(?:a|b)$", ""),
        Y("a|", "x"),
        Y("^(?:|)$", ""),
        Y("|", ""),
        Y("^(?:foo|bar|baz)$", "baz"),
        N("^(?:foo|bar|baz)$", "ba"),
        Y("^a|b$", "ax"),
        Y("^a|b$", "xb"),
        N("^a|b$", "xax"),
        Y("(a|ab)(c|bcd)$", "abcd"),
        Y("GET|POST", "POST /"),
        N("GET|POST", "PUT /"),
    };
    RUN(vectors);
}

static void test_classes(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        Y("^[abc]$", "b"),
        N("^[abc]$", "d"),
        Y("^[^abc]$", "d"),
        N("^[^abc]$", "a"),
        Y("^[^a]$", "\n"),
        Y("^[^a]$", "\xff"),
        N("^[^a]$", "é"),
        Y("^[a-c]$", "b"),
        N("^[a-c]$", "d"),
        Y("^[]]$", "]"),
        Y("^[]a]+$", "a]"),
        Y("^[^]]$", "a"),
        N("^[^]]$", "]"),
        Y("^[-a]+$", "-a"),
        Y("^[a-]+$", "-a"),
        Y("^[^-a]$", "b"),
        N("^[^-a]$", "-"),
        Y("^[--a]+$", "-a"),
        N("^[--a]$", "."),
        Y("^[---]$", "-"),
        Y("^[]-a]+$", "]-a"),
        N("^[]-a]$", "^"),
        Y("^[a\\]b]$", "]"),
        Y("^[.*+?{}()|^$]+$", ".*+?{}()|^$"),
        Y("^[&]$", "&"),
        Y("^[a&b]+$", "a&b"),
        Y("^[~]$", "~"),
        Y("^[a~b]+$", "a~b"),
        Y("^[\\x00-\\xff]$", "\0"),
        Y("^[!-~]$", "~"),
        Y("^[a-zA-Z0-9_-]+$", "a-Z_9"),
        Y("^[[a][b]]$", "b"),
        Y("^[a[b-d]e]$", "c"),
        Y("^[^[ab]]$", "c"),
        N("^[^[ab]]$", "a"),
        Y("^[[^a]]$", "b"),
        Y("^[[^a]a]$", "a"),
        Y("^[a-z&&[aeiou]]$", "e"),
        N("^[a-z&&[aeiou]]$", "f"),
        Y("^[a-z&&[^aeiou]]$", "f"),
        Y("^[a-z--aeiou]$", "f"),
        N("^[a-z--aeiou]$", "e"),
        Y("^[a-c~~b-d]+$", "ad"),
        N("^[a-c~~b-d]$", "b"),
        Y("^[a-z&&b-y--m]$", "c"),
        N("^[a-z&&b-y--m]$", "m"),
        N("^[a-z&&b-y--m]$", "z"),
        Y("^[a--b&&a]$", "a"),
        N("[a&&b]", "ab"),
        N("[a&&]", "a"),
        N("[&&a]", "a"),
        Y("^[^a&&b]$", "a"),
        Y("^[^a&&b]$", "z"),
        Y("^[\\w--\\d]$", "a"),
        N("^[\\w--\\d]$", "5"),
        Y("(?i)^[a&&A]$", "a"),
        N("^[a&&A]$", "a"),
        N("(?i)[a~~A]", "aA"),
        N("(?i)[A--a]", "aA"),
        Y("(?i)^[a-z--B]$", "A"),
        N("(?i)^[a-z--B]$", "b"),
        Y("^[[:alpha:]]$", "a"),
        N("^[[:alpha:]]$", "1"),
        Y("^[[:^alpha:]]$", "1"),
        N("^[[:^alpha:]]$", "a"),
        Y("^[[:alnum:]_]+$", "a1_"),
        Y("^[[:ascii:]]$", "\x7f"),
        N("^[[:ascii:]]$", "\x80"),
        Y("^[[:blank:]]+$", " \t"),
        N("^[[:blank:]]$", "\n"),
        Y("^[[:cntrl:]]+$", "\0\x1f\x7f"),
        N("[[:cntrl:]]", " "),
        Y("^[[:digit:]]$", "7"),
        Y("^[[:graph:]]+$", "!~"),
        N("[[:graph:]]", " \x7f"),
        Y("^[[:lower:]]$", "z"),
        N("^[[:lower:]]$", "Z"),
        Y("^[[:print:]]+$", " ~"),
        N("[[:print:]]", "\x7f\t"),
        Y("^[[:punct:]]+$", "!/:@[`{~"),
        N("[[:punct:]]", "a0Z "),
        Y("^[[:space:]]+$", " \t\n\v\f\r"),
        Y("^[[:upper:]]$", "Q"),
        Y("^[[:word:]]+$", "aZ0_"),
        N("[[:word:]]", "-"),
        Y("^[[:xdigit:]]+$", "09afAF"),
        N("[[:xdigit:]]", "gG"),
        Y("^[[:foo:]]+$", "fo:"),
        N("^[[:foo:]]$", "["),
        Y("^[:alpha:]+$", "alph:"),
        N("^[:alpha:]$", "b"),
        Y("^[[:alpha:][:digit:]]+$", "a1"),
        Y("^[a[:^digit:]]$", "\xff"),
        Y("^[[:alpha:]--[aeiou]]$", "b"),
        Y("^[[:word]]$", "w"),
        Y("^[a-c-e]+$", "b-e"),
        N("^[a-c-e]$", "d"),
    };
    static const struct vector errors[] = {
        E("[", 0, 1, "not closed"),           E("[]", 0, 1, "not closed"),
        E("[^", 0, 1, "not closed"),          E("[^]", 0, 1, "not closed"),
        E("[a", 0, 1, "not closed"),          E("a[b", 1, 1, "not closed"),
        E("[a-", 0, 1, "not closed"),         E("[-", 0, 1, "not closed"),
        E("[a&&", 0, 1, "not closed"),        E("[[a]", 0, 1, "not closed"),
        E("[a[b]", 0, 1, "not closed"),       E("[a[b", 2, 1, "not closed"),
        E("[z-a]", 1, 3, "ends before"),      E("[a-\\d]", 3, 2, "end of a range"),
        E("[\\d-a]", 1, 2, "end of a range"), E("[é]", 1, 2, "one byte"),
        E("[a-é]", 3, 2, "one byte"),         E("[é-z]", 1, 2, "one byte"),
        E("[\\x{e9}]", 1, 6, "one byte"),     E("[\\u00e9]", 1, 6, "one byte"),
        E("(?i)[é]", 5, 2, "one byte"),       E("[\\xff-\\x80]", 1, 9, "ends before"),
        E("[[:alpha:]", 0, 1, "not closed"),  E("[a-[b]]", 1, 3, "ends before"),
    };
    RUN(vectors);
    RUN(errors);
}

static void test_bytes(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        Y("\\x00", "a\0b"),         Y("a.*b", "a\0\xff\0b"),
        Y("^\\xff+$", "\xff\xff"),  Y("\\xff\\xfe", "\x00\xff\xfe"),
        N("\\xff", "\xfe"),         Y("[^\\x00]$", "\0a"),
        Y("é\\xff", "é\xff"),       Y("^(?:\\x00|\\xff)+$", "\0\xff\0"),
        Y("\\W\\xff\\W", "-\xff-"), Y("\\xc3\\xa9", "é"),
    };
    RUN(vectors);
    struct regex_error error;
    assert_null(regex_compile("a\xff", 2, NULL, &error));
    assert_int_equal(error.offset, 1);
    assert_null(regex_compile("\xc3", 1, NULL, &error));
    assert_null(regex_compile("\xed\xa0\x80", 3, NULL, &error));
    assert_null(regex_compile("\xe0\x80\x80", 3, NULL, &error));
    assert_null(regex_compile("\xf4\x90\x80\x80", 4, NULL, &error));
    assert_null(regex_compile("\xc0\x80", 2, NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literals),
        cmocka_unit_test(test_dot),
        cmocka_unit_test(test_perl_classes),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_anchors),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_groups_and_flags),
        cmocka_unit_test(test_repetition),
        cmocka_unit_test(test_alternation),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
