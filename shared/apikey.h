/*
 * apikey.h - the text form of API keys: make, parse, hash. Pure.
 *
 * agd_sk_<16 hex>.<43 base64url><6 base62 crc>   secret       agd_pk_...   public
 * The part before the dot is the key id. The checksum is CRC-32 of everything before it, so that a typing error is
 * refused without a look-up and secret scanners can tell a key from noise. Stored is SHA-256 of the 43 characters' 32
 * bytes.
 */
#ifndef AGENTD_APIKEY_H
#define AGENTD_APIKEY_H

#include "base.h"
#include "crypto.h"

enum { APIKEY_ID_SIZE = 24, APIKEY_TEXT_SIZE = 24 + 43 + 6 + 1 };

enum apikey_type { APIKEY_SECRET, APIKEY_PUBLIC };

struct apikey {
	enum apikey_type type;
	char id[APIKEY_ID_SIZE];          /* "agd_sk_0123456789abcdef" and a NUL */
	uint8_t hash[CRYPTO_SHA256_SIZE]; /* what is stored */
};

/* Makes a new key; text_r gets the whole key, to be shown once and wiped. */
void apikey_create(enum apikey_type type, struct apikey *key_r, char text_r[APIKEY_TEXT_SIZE]);
/* False when the form or the checksum is wrong. */
MUST_CHECK bool apikey_parse(struct slice text, struct apikey *key_r);
/* True if text begins like an API key, right or wrong. */
bool apikey_looks_like(struct slice text);

#endif
