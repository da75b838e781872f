/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The Huffman code of RFC 7541, appendix B. It is canonical: codes of a length follow one another, so that a
 * few numbers say the long ones; the short ones, of up to eight bits, are nearly all that occur. */
#include <endian.h>
#include <string.h>

#include "sidecar/http/hpack.h"

/* By the next eight bits: the code's length in the upper byte, the character in the lower; 0: it is longer.
 */
static const uint16_t brief[256] = {
    0x530, 0x530, 0x530, 0x530, 0x530, 0x530, 0x530, 0x530, 0x531, 0x531, 0x531, 0x531, 0x531, 0x531, 0x531,
    0x531, 0x532, 0x532, 0x532, 0x532, 0x532, 0x532, 0x532, 0x532, 0x561, 0x561, 0x561, 0x561, 0x561, 0x561,
    0x561, 0x561, 0x563, 0x563, 0x563, 0x563, 0x563, 0x563, 0x563, 0x563, 0x565, 0x565, 0x565, 0x565, 0x565,
    0x565, 0x565, 0x565, 0x569, 0x569, 0x569, 0x569, 0x569, 0x569, 0x569, 0x569, 0x56f, 0x56f, 0x56f, 0x56f,
    0x56f, 0x56f, 0x56f, 0x56f, 0x573, 0x573, 0x573, 0x573, 0x573, 0x573, 0x573, 0x573, 0x574, 0x574, 0x574,
    0x574, 0x574, 0x574, 0x574, 0x574, 0x620, 0x620, 0x620, 0x620, 0x625, 0x625, 0x625, 0x625, 0x62d, 0x62d,
    0x62d, 0x62d, 0x62e, 0x62e, 0x62e, 0x62e, 0x62f, 0x62f, 0x62f, 0x62f, 0x633, 0x633, 0x633, 0x633, 0x634,
    0x634, 0x634, 0x634, 0x635, 0x635, 0x635, 0x635, 0x636, 0x636, 0x636, 0x636, 0x637, 0x637, 0x637, 0x637,
    0x638, 0x638, 0x638, 0x638, 0x639, 0x639, 0x639, 0x639, 0x63d, 0x63d, 0x63d, 0x63d, 0x641, 0x641, 0x641,
    0x641, 0x65f, 0x65f, 0x65f, 0x65f, 0x662, 0x662, 0x662, 0x662, 0x664, 0x664, 0x664, 0x664, 0x666, 0x666,
    0x666, 0x666, 0x667, 0x667, 0x667, 0x667, 0x668, 0x668, 0x668, 0x668, 0x66c, 0x66c, 0x66c, 0x66c, 0x66d,
    0x66d, 0x66d, 0x66d, 0x66e, 0x66e, 0x66e, 0x66e, 0x670, 0x670, 0x670, 0x670, 0x672, 0x672, 0x672, 0x672,
    0x675, 0x675, 0x675, 0x675, 0x73a, 0x73a, 0x742, 0x742, 0x743, 0x743, 0x744, 0x744, 0x745, 0x745, 0x746,
    0x746, 0x747, 0x747, 0x748, 0x748, 0x749, 0x749, 0x74a, 0x74a, 0x74b, 0x74b, 0x74c, 0x74c, 0x74d, 0x74d,
    0x74e, 0x74e, 0x74f, 0x74f, 0x750, 0x750, 0x751, 0x751, 0x752, 0x752, 0x753, 0x753, 0x754, 0x754, 0x755,
    0x755, 0x756, 0x756, 0x757, 0x757, 0x759, 0x759, 0x76a, 0x76a, 0x76b, 0x76b, 0x771, 0x771, 0x776, 0x776,
    0x777, 0x777, 0x778, 0x778, 0x779, 0x779, 0x77a, 0x77a, 0x826, 0x82a, 0x82c, 0x83b, 0x858, 0x85a, 0,
    0,
};

/* The codes of each length above eight: the first, left-justified, and where its character stands. */
static const struct {
    uint8_t length, at;
    uint32_t from;
} lengths[] = {
    {10, 0, 0xfe000000},   {11, 5, 0xff400000},   {12, 8, 0xffa00000},   {13, 10, 0xffc00000},
    {14, 16, 0xfff00000},  {15, 18, 0xfff80000},  {19, 21, 0xfffe0000},  {20, 24, 0xfffe6000},
    {21, 32, 0xfffee000},  {22, 45, 0xffff4800},  {23, 71, 0xffffb000},  {24, 100, 0xffffea00},
    {25, 112, 0xfffff600}, {26, 116, 0xfffff800}, {27, 131, 0xfffffbc0}, {28, 150, 0xfffffe20},
    {30, 179, 0xfffffff0},
};

/* The characters with long codes by their codes; what follows the last is the end of strings, which none
 * contains. */
static const uint8_t character[] = {
    33,  34,  40,  41,  63,  39,  43,  124, 35,  62,  0,   36,  64,  91,  93,  126, 94,  125, 60,  96,  123,
    92,  195, 208, 128, 130, 131, 162, 184, 194, 224, 226, 153, 161, 167, 172, 176, 177, 179, 209, 216, 217,
    227, 229, 230, 129, 132, 133, 134, 136, 146, 154, 156, 160, 163, 164, 169, 170, 173, 178, 181, 185, 186,
    187, 189, 190, 196, 198, 228, 232, 233, 1,   135, 137, 138, 139, 140, 141, 143, 147, 149, 150, 151, 152,
    155, 157, 158, 165, 166, 168, 174, 175, 180, 182, 183, 188, 191, 197, 231, 239, 9,   142, 144, 145, 148,
    159, 171, 206, 215, 225, 236, 237, 199, 207, 234, 235, 192, 193, 200, 201, 202, 205, 210, 213, 218, 219,
    238, 240, 242, 243, 255, 203, 204, 211, 212, 214, 221, 222, 223, 241, 244, 245, 246, 247, 248, 250, 251,
    252, 253, 254, 2,   3,   4,   5,   6,   7,   8,   11,  12,  14,  15,  16,  17,  18,  19,  20,  21,  23,
    24,  25,  26,  27,  28,  29,  30,  31,  127, 220, 249, 10,  13,  22,
};

char *hpack_huffman(const uint8_t *p, size_t size, char *out)
{
    const uint8_t *end = p + size;
    uint64_t bits = 0; /* those to come, from the highest on; what is behind them does not count */
    unsigned have = 0;
    for (;;) {
        if (end - p >= 8) {
            uint64_t next;
            memcpy(&next, p, sizeof(next));
            bits |= be64toh(next) >> have;
            p += (63 - have) / 8;
            have |= 56;
        }
        while (have <= 56 && p < end) {
            bits |= (uint64_t)*p++ << (56 - have);
            have += 8;
        }
        unsigned code, length;
        while ((code = brief[bits >> 56]) && (length = code >> 8) <= have) {
            *out++ = (char)(code & 0xff);
            bits <<= length;
            have -= length;
        }
        if (p < end && have <= 56)
            continue;
        /* What is left may be padding: fewer than eight bits, all ones (5.2). */
        if (have < 8)
            return bits >> (63 - have) >> 1 == (1u << have) - 1 ? out : NULL;
        unsigned k = sizeof(lengths) / sizeof(lengths[0]) - 1;
        while (bits >> 32 < lengths[k].from)
            k--;
        length = lengths[k].length;
        size_t at = lengths[k].at + (((bits >> 32) - lengths[k].from) >> (32 - length));
        if (length > have || at >= sizeof(character))
            return NULL;
        *out++ = (char)character[at];
        bits <<= length;
        have -= length;
    }
}
