#include "routes/text/decode.h"

#include <stdint.h>

/* One more than a digit's number; 0 for what is none. */
static const unsigned char digits[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,  ['I'] = 9,
    ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18,
    ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27,
    ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36,
    ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45,
    ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54,
    ['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63,
    ['/'] = 64,
};

/* The last two or three characters: one or two bytes, the other bits 0. */
static bool decode_rest(const unsigned char *in, size_t left, char *out, size_t *len)
{
    unsigned a, b, c;

    *len = 0;
    if (left == 0)
        return true;
    if (left == 1 || !digits[in[0]] || !digits[in[1]] || (left == 3 && !digits[in[2]]))
        return false;
    a = digits[in[0]] - 1u;
    b = digits[in[1]] - 1u;
    c = left == 3 ? digits[in[2]] - 1u : 0;
    if (left == 3 ? (c & 3) != 0 : (b & 15) != 0)
        return false;
    out[0] = (char)(a << 2 | b >> 4);
    if (left == 3)
        out[1] = (char)(b << 4 | c >> 2);
    *len = left - 1;
    return true;
}

bool decode_base64(struct bytes text, char *out, size_t *len)
{
    const unsigned char *in = (const unsigned char *)text.ptr;
    size_t left = text.len, rest;
    char *start = out;

    if (left % 4 == 0)
        for (int i = 0; i < 2 && left > 0 && in[left - 1] == '='; i++)
            left--;
    for (; left >= 4; left -= 4, in += 4, out += 3) {
        unsigned a = digits[in[0]], b = digits[in[1]], c = digits[in[2]], d = digits[in[3]];
        uint32_t group;

        if (!a || !b || !c || !d)
            return false;
        group = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
        out[0] = (char)(group >> 16);
        out[1] = (char)(group >> 8);
        out[2] = (char)group;
    }
    if (!decode_rest(in, left, out, &rest))
        return false;
    *len = (size_t)(out - start) + rest;
    return true;
}
