/* names.h - keyed hashes of names.
 *
 * SipHash under a key of the store's own (Aumasson, Bernstein: "SipHash: a
 * fast short-input PRF", 2012), so that nobody can choose names that meet in
 * one bucket. Pure functions. */
#pragma once

#include <sodium.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t name_hash(const unsigned char *hash_key, const void *text, size_t len)
{
    unsigned char out[crypto_shorthash_BYTES];
    uint64_t hash;

    crypto_shorthash(out, text, len, hash_key);
    memcpy(&hash, out, sizeof hash);
    return hash;
}
