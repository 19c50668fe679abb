#include "routes/primitives/lock_token.h"

#include "routes/text/hex.h"

void lock_token_format(const unsigned char token[ENGINE_LOCK_TOKEN_BYTES], char out[LOCK_TOKEN_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < ENGINE_LOCK_TOKEN_BYTES; i++) {
        out[2 * i] = digits[token[i] >> 4];
        out[2 * i + 1] = digits[token[i] & 15];
    }
    out[LOCK_TOKEN_TEXT_SIZE - 1] = '\0';
}

bool lock_token_parse(struct bytes text, unsigned char token[ENGINE_LOCK_TOKEN_BYTES])
{
    if (text.len != LOCK_TOKEN_TEXT_SIZE - 1)
        return false;
    for (size_t i = 0; i < ENGINE_LOCK_TOKEN_BYTES; i++) {
        int high = hex_digit(text.ptr[2 * i]), low = hex_digit(text.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        token[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}
