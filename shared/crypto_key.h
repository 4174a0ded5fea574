/*
 * crypto_key.h - key pairs that sign: Ed25519, ECDSA on P-256 with SHA-256, RSA PKCS #1 v1.5 with SHA-256.
 *
 * What a key is decides how it signs; there is nothing to choose. RSA has 2048 to 8192 bits and an odd exponent of
 * 65537 at least. Signatures have the form of RFC 7518 and RFC 8037 (ECDSA: r and s, 32 bytes each). Signing takes
 * 50 us, with RSA about a millisecond. A key belongs to one thread.
 */
#ifndef AGENTD_CRYPTO_KEY_H
#define AGENTD_CRYPTO_KEY_H

#include "base.h"
#include "buf.h"

enum crypto_key_kind { CRYPTO_KEY_ED25519, CRYPTO_KEY_P256, CRYPTO_KEY_RSA };

struct crypto_key;

/* From PEM without a password: a private key (PKCS #8 or its own form) or a public one. NULL: *why_r says why. */
MUST_CHECK struct crypto_key *crypto_key_read(struct slice pem, const char **why_r);
void crypto_key_free(struct crypto_key *key);

enum crypto_key_kind crypto_key_kind(const struct crypto_key *key);
bool crypto_key_is_private(const struct crypto_key *key);

/* Appends the signature; the key must be private. */
void crypto_key_sign(const struct crypto_key *key, struct slice data, struct buf *out);
MUST_CHECK bool crypto_key_verify(const struct crypto_key *key, struct slice data, struct slice signature);

/* Appends a number of the public key, big endian: Ed25519 "x", P-256 "x" and "y" (32 bytes each), RSA "n" and "e". */
void crypto_key_public(const struct crypto_key *key, const char *name, struct buf *out);

#endif
