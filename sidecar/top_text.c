/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sidecar/top_text.h"

#include <math.h>
#include <string.h>

struct range {
    uint32_t from, to;
};

/* Without width of their own: marks that combine. */
static const struct range combining[] = {
    {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x610, 0x61a},    {0x64b, 0x65f},
    {0x900, 0x902},   {0xe31, 0xe31},   {0xe34, 0xe3a},   {0x1ab0, 0x1aff},  {0x1dc0, 0x1dff},
    {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xe0100, 0xe01ef}};
/* Two cells wide (Unicode's East Asian Width W and F, in broad strokes). */
static const struct range wide[] = {{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},
                                    {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},
                                    {0xff01, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f},
                                    {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
/* Not shown, or turns the text around: C1, soft hyphen, directions, separators, tags, private use. */
static const struct range hidden[] = {{0x80, 0x9f},     {0xad, 0xad},       {0x61c, 0x61c},
                                      {0x180e, 0x180e}, {0x200b, 0x200f},   {0x2028, 0x202e},
                                      {0x2060, 0x206f}, {0xd800, 0xf8ff},   {0xfeff, 0xfeff},
                                      {0xfff0, 0xfffb}, {0xe0000, 0xe00ff}, {0xf0000, 0x10ffff}};

#define IS_IN(c, ranges) is_in(c, ranges, sizeof(ranges) / sizeof *(ranges))

static bool is_in(uint32_t c, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (c >= ranges[i].from && c <= ranges[i].to)
            return true;
    }
    return false;
}

/* Reads one character; 0: the byte at P begins none. */
static size_t decode(const unsigned char *p, uint32_t *c)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = *p < 0x80                 ? 1
               : *p >= 0xf0 && *p < 0xf5 ? 4
               : *p >= 0xe0 && *p < 0xf0 ? 3
               : *p >= 0xc2 && *p < 0xe0 ? 2
                                         : 0;
    *c = n == 1 ? *p : *p & (0xffU >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) /* the zero byte at the end, too */
            return 0;
        *c = *c << 6 | (p[i] & 0x3fU);
    }
    return n && *c >= least[n] ? n : 0;
}

/* One character of the text as it is shown. */
struct glyph {
    char text[16];
    size_t size, cells;
    size_t taken; /* bytes of the text; 0 at its end */
};

static struct glyph glyph_at(const char *text)
{
    struct glyph g = {0};
    uint32_t c;
    if (*text == '\0')
        return g;
    size_t n = decode((const unsigned char *)text, &c);
    g.taken = n ? n : 1;
    if (n == 0 || c < 0x20 || c == 0x7f || IS_IN(c, hidden)) {
        g.size = (size_t)snprintf(g.text, sizeof g.text, n == 0 || c < 0x100 ? "\\x%02x" : "\\u{%x}",
                                  n == 0 ? (unsigned char)*text : (unsigned)c);
        g.cells = g.size;
        return g;
    }
    memcpy(g.text, text, n);
    g.size = n;
    g.cells = IS_IN(c, combining) ? 0 : IS_IN(c, wide) ? 2 : 1;
    return g;
}

size_t top_text_cells(const char *text)
{
    size_t cells = 0;
    for (struct glyph g = glyph_at(text); g.taken; g = glyph_at(text)) {
        cells += g.cells;
        text += g.taken;
    }
    return cells;
}

static void blanks(struct rules_buffer *out, size_t n)
{
    while (n--)
        rules_buffer_add(out, " ", 1);
}

void top_text_put(struct rules_buffer *out, const char *text, size_t cells, bool right)
{
    size_t have = top_text_cells(text), used = 0;
    bool cut = have > cells;
    if (right && !cut)
        blanks(out, cells - have);
    for (struct glyph g = glyph_at(text); g.taken; g = glyph_at(text)) {
        if (used + g.cells > cells - (cut && cells ? 1 : 0))
            break;
        rules_buffer_add(out, g.text, g.size);
        used += g.cells;
        text += g.taken;
    }
    if (cut && cells) {
        rules_buffer_text(out, "\u2026");
        used++;
    }
    if (cut || !right)
        blanks(out, cells - used);
}

void top_text_print(FILE *out, const char *text)
{
    for (struct glyph g = glyph_at(text); g.taken; g = glyph_at(text)) {
        (void)fwrite(g.text, 1, g.size, out);
        text += g.taken;
    }
}

void top_text_number(double n, char out[TOP_AMOUNT])
{
    if (n < 0 || !isfinite(n))
        n = 0;
    if (n < 10 && n != (double)(int)n)
        (void)snprintf(out, TOP_AMOUNT, "%.1f", n);
    else if (n < 999.5)
        (void)snprintf(out, TOP_AMOUNT, "%.0f", n);
    else if (n < 99999.5)
        (void)snprintf(out, TOP_AMOUNT, "%d,%03d", (int)(n + .5) / 1000, (int)(n + .5) % 1000);
    else if (n < 999.5e3)
        (void)snprintf(out, TOP_AMOUNT, "%.0f k", n / 1e3);
    else if (n < 999.5e6)
        (void)snprintf(out, TOP_AMOUNT, "%.*f M", n < 99.95e6, n / 1e6);
    else
        (void)snprintf(out, TOP_AMOUNT, "%.*f G", n < 99.95e9, n < 1e15 ? n / 1e9 : 999999.0);
}

void top_text_bytes(double n, char out[TOP_AMOUNT])
{
    static const char *const unit[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    unsigned u = 0;
    if (n < 0 || !isfinite(n))
        n = 0;
    for (; n >= 999.5 && u < 5; u++)
        n /= 1000;
    (void)snprintf(out, TOP_AMOUNT, "%.*f %s", u && n < 9.95, n < 1e6 ? n : 999999.0, unit[u]);
}

void top_text_span(double s, char out[TOP_AMOUNT])
{
    const char *sign = s < 0 ? "-" : "";
    double m = !isfinite(s) ? 0 : s < 0 ? -s : s;
    if (m < 60)
        (void)snprintf(out, TOP_AMOUNT, "%s%d s", sign, (int)m);
    else if (m < 3600)
        (void)snprintf(out, TOP_AMOUNT, "%s%d min", sign, (int)m / 60);
    else if (m < 172800)
        (void)snprintf(out, TOP_AMOUNT, "%s%d h", sign, (int)m / 3600);
    else if (m < 86400.0 * 800)
        (void)snprintf(out, TOP_AMOUNT, "%s%d d", sign, (int)m / 86400);
    else
        (void)snprintf(out, TOP_AMOUNT, "%s%.1f y", sign, m < 1e12 ? m / 31557600 : 99999.0);
}
