#include "routes/namespaces/cursor.h"

#include <sodium.h>

/* BLAKE2b over kind, namespace, NUL (which no namespace has) and prefix. */
static void make_check(unsigned char out[CURSOR_CHECK_BYTES], char kind, struct bytes ns, struct bytes prefix)
{
    unsigned char digest[crypto_generichash_BYTES_MIN];
    crypto_generichash_state state;

    crypto_generichash_init(&state, NULL, 0, sizeof digest);
    crypto_generichash_update(&state, (const unsigned char *)&kind, 1);
    if (ns.len > 0)
        crypto_generichash_update(&state, (const unsigned char *)ns.ptr, ns.len);
    crypto_generichash_update(&state, (const unsigned char *)"", 1);
    if (prefix.len > 0)
        crypto_generichash_update(&state, (const unsigned char *)prefix.ptr, prefix.len);
    crypto_generichash_final(&state, digest, sizeof digest);
    memcpy(out, digest, CURSOR_CHECK_BYTES);
}

size_t cursor_write(char out[CURSOR_TEXT_MAX], char kind, struct bytes ns, struct bytes prefix,
                    struct bytes engine_cursor)
{
    unsigned char plain[CURSOR_CHECK_BYTES + ENGINE_CURSOR_MAX];
    char text[CURSOR_TEXT_MAX + 1];

    make_check(plain, kind, ns, prefix);
    if (engine_cursor.len > 0)
        memcpy(plain + CURSOR_CHECK_BYTES, engine_cursor.ptr, engine_cursor.len);
    sodium_bin2base64(text, sizeof text, plain, CURSOR_CHECK_BYTES + engine_cursor.len,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    memcpy(out, text, strlen(text));
    return strlen(text);
}

bool cursor_read(struct bytes text, char kind, struct bytes ns, struct bytes prefix, char out[ENGINE_CURSOR_MAX],
                 size_t *len)
{
    unsigned char plain[CURSOR_CHECK_BYTES + ENGINE_CURSOR_MAX], check[CURSOR_CHECK_BYTES];
    size_t plain_len = 0;

    if (sodium_base642bin(plain, sizeof plain, text.ptr, text.len, NULL, &plain_len, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        plain_len < CURSOR_CHECK_BYTES)
        return false;
    make_check(check, kind, ns, prefix);
    if (memcmp(plain, check, CURSOR_CHECK_BYTES) != 0)
        return false;
    *len = plain_len - CURSOR_CHECK_BYTES;
    memcpy(out, plain + CURSOR_CHECK_BYTES, *len);
    return true;
}
