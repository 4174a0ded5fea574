/*
 * crypto.h - digests, randomness and encodings; the only file that calls OpenSSL's digest and random functions.
 *
 * Nothing here blocks (the random source is seeded at start). Functions that cannot fail with a sane library abort
 * the process if they do: a control plane without randomness must not go on.
 */
#ifndef AGENTD_CRYPTO_H
#define AGENTD_CRYPTO_H

#include "base.h"
#include "buf.h"

enum { CRYPTO_SHA256_SIZE = 32 };

void crypto_random(void *out, size_t len);
void crypto_sha256(struct slice data, uint8_t out[CRYPTO_SHA256_SIZE]);
/* In hex, with a NUL. Proves nothing: only for names that others make so (Redis names scripts by it). */
void crypto_sha1_hex(struct slice data, char out[41]);

/* HMAC-SHA256 with a key prepared once: about a microsecond a call. new never returns NULL; free wipes. */
struct crypto_hmac;
struct crypto_hmac *crypto_hmac_new(struct slice key);
void crypto_hmac_free(struct crypto_hmac *hmac);
void crypto_hmac_sign(struct crypto_hmac *hmac, struct slice data, uint8_t out[CRYPTO_SHA256_SIZE]);

/* HKDF-SHA256 without salt (RFC 5869): a key for one purpose, which info names, out of a secret for many. */
void crypto_derive(struct slice secret, const char *info, uint8_t *out, size_t len);

/* Time depends on len only. */
MUST_CHECK bool crypto_equal(const void *a, const void *b, size_t len);
/* Overwrites memory in a way that the compiler keeps. */
void crypto_wipe(void *data, size_t len);

/* RFC 4648 section 5 without padding. Decoding is strict: no padding, no other byte, unused bits zero. */
void crypto_base64url_encode(struct buf *out, struct slice data);
/* out has room for text.len bytes. */
MUST_CHECK bool crypto_base64url_decode(struct slice text, uint8_t *out, size_t *len_r);

/* Lower-case hex, 2 * len characters and a NUL. */
void crypto_hex(const uint8_t *data, size_t len, char *out);
/* CRC-32 (IEEE 802.3, as zlib). */
uint32_t crypto_crc32(struct slice data);
/* SipHash-2-4 with a 16-byte key: for tables that strangers fill. */
uint64_t crypto_siphash(const uint8_t key[16], struct slice data);

#endif
