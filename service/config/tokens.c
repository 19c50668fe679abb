#include "service/config/tokens.h"

#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "service/config/tokens_private.h"

_Static_assert(TOKEN_HASH_BYTES == crypto_hash_sha256_BYTES, "tokens are kept as SHA-256");

size_t tokens_count(const struct tokens *tokens)
{
    return tokens ? tokens->count : 0;
}

/* Open addressing with linear probing. A hash is as good as random bits: its
 * first ones will do. */
static size_t slot_of(const unsigned char hash[TOKEN_HASH_BYTES])
{
    return ((size_t)hash[0] << 8 | hash[1]) % TOKEN_SLOTS;
}

void tokens_settle(struct tokens *tokens)
{
    for (size_t i = 0; i < tokens->count; i++) {
        size_t slot = slot_of(tokens->items[i].hash);

        while (tokens->slots[slot] != 0)
            slot = (slot + 1) % TOKEN_SLOTS;
        tokens->slots[slot] = (uint16_t)(i + 1);
    }
}

const struct token *tokens_find(const struct tokens *tokens, struct bytes secret)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    const struct token *found = NULL;

    crypto_hash_sha256(hash, (const unsigned char *)secret.ptr, secret.len);
    for (size_t slot = slot_of(hash); !found && tokens->slots[slot] != 0; slot = (slot + 1) % TOKEN_SLOTS) {
        const struct token *token = &tokens->items[tokens->slots[slot] - 1];

        if (sodium_memcmp(hash, token->hash, sizeof hash) == 0)
            found = token;
    }
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

struct tokens *tokens_ref(struct tokens *tokens)
{
    atomic_fetch_add_explicit(&tokens->refs, 1, memory_order_relaxed);
    return tokens;
}

void tokens_unref(struct tokens *tokens)
{
    if (!tokens || atomic_fetch_sub_explicit(&tokens->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < tokens->count; i++)
        free(tokens->items[i].reaches);
    free(tokens);
}
