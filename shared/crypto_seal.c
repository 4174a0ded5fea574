/* crypto_seal.c - see crypto_seal.h. The layout is nonce (12 bytes), ciphertext, tag (16 bytes). */
#include "crypto_seal.h"

#include "crypto.h"

#include <limits.h>
#include <openssl/evp.h>

enum { NONCE = 12, TAG = 16 };

_Static_assert(NONCE + TAG == CRYPTO_SEAL_MORE, "what a seal adds");

void
crypto_seal(const uint8_t key[CRYPTO_SEAL_KEY], struct slice about, struct slice text, struct buf *out)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t *nonce = (uint8_t *)buf_reserve(out, text.len + CRYPTO_SEAL_MORE), *at = nonce + NONCE;
	int len;

	INVARIANT(context && text.len < INT_MAX - CRYPTO_SEAL_MORE && about.len < INT_MAX);
	crypto_random(nonce, NONCE);
	INVARIANT(EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, nonce) == 1);
	INVARIANT(EVP_EncryptUpdate(context, NULL, &len, (const uint8_t *)about.data, (int)about.len) == 1);
	INVARIANT(EVP_EncryptUpdate(context, at, &len, (const uint8_t *)text.data, (int)text.len) == 1);
	at += len;
	INVARIANT(EVP_EncryptFinal_ex(context, at, &len) == 1 && len == 0);
	INVARIANT(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG, at) == 1);
	EVP_CIPHER_CTX_free(context);
	out->len += text.len + CRYPTO_SEAL_MORE;
}

bool
crypto_unseal(const uint8_t key[CRYPTO_SEAL_KEY], struct slice about, struct slice sealed, struct buf *out)
{
	const uint8_t *nonce = (const uint8_t *)sealed.data;
	size_t size = sealed.len - CRYPTO_SEAL_MORE;
	EVP_CIPHER_CTX *context;
	uint8_t *text, tag[TAG];
	bool good;
	int len;

	if (sealed.len < CRYPTO_SEAL_MORE || sealed.len >= INT_MAX)
		return false;
	context = EVP_CIPHER_CTX_new();
	text = (uint8_t *)buf_reserve(out, size + 1);
	memcpy(tag, nonce + NONCE + size, TAG);
	INVARIANT(context && EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, nonce) == 1);
	INVARIANT(EVP_DecryptUpdate(context, NULL, &len, (const uint8_t *)about.data, (int)about.len) == 1);
	INVARIANT(EVP_DecryptUpdate(context, text, &len, nonce + NONCE, (int)size) == 1);
	INVARIANT(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1);
	good = EVP_DecryptFinal_ex(context, text + len, &len) == 1;
	if (good)
		out->len += size;
	else
		crypto_wipe(text, size);
	EVP_CIPHER_CTX_free(context);
	return good;
}
