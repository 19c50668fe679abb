#include "service/config/tokens.h"

#include <sodium.h>
#include <stdlib.h>

#include "service/config/tokens_private.h"

_Static_assert(TOKEN_HASH_BYTES == crypto_hash_sha256_BYTES, "tokens are kept as SHA-256");

size_t tokens_count(const struct tokens *tokens)
{
    return tokens ? tokens->count : 0;
}

const struct token *tokens_find(const struct tokens *tokens, struct bytes secret)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    const struct token *found = NULL;

    crypto_hash_sha256(hash, (const unsigned char *)secret.ptr, secret.len);
    for (size_t i = 0; i < tokens->count; i++)
        if (sodium_memcmp(hash, tokens->items[i].hash, sizeof hash) == 0)
            found = &tokens->items[i]; /* and on: how far it was must not show */
    sodium_memzero(hash, sizeof hash);
    return found;
}

bool token_covers(const struct token *token, struct bytes ns)
{
    if (token->everywhere)
        return true;
    for (size_t i = 0; i < token->reach_count; i++) {
        const struct token_reach *reach = &token->reaches[i];
        struct bytes text = bytes_of(reach->text, reach->len);

        if (reach->is_prefix ? bytes_starts_with(ns, text) : bytes_equal(ns, text))
            return true;
    }
    return false;
}

const struct file_stamp *tokens_stamp(const struct tokens *tokens)
{
    return &tokens->stamp;
}

void tokens_destroy(struct tokens *tokens)
{
    for (size_t i = 0; i < tokens_count(tokens); i++)
        free(tokens->items[i].reaches);
    free(tokens);
}
