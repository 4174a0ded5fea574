/*
 * crypto.c - see crypto.h. OpenSSL fetches an algorithm by name at some cost, so SHA-256 is fetched once a process and
 * an HMAC context is prepared once a key. A crypto_hmac belongs to one thread; everything else may be called by any.
 */
#include "crypto.h"

#include <endian.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <pthread.h>

static EVP_MD *sha256;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void
fetch_sha256(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	INVARIANT(sha256);
}

void
crypto_random(void *out, size_t len)
{
	INVARIANT(len <= INT_MAX);
	INVARIANT(RAND_bytes(out, (int)len) == 1);
}

void
crypto_sha256(struct slice data, uint8_t out[CRYPTO_SHA256_SIZE])
{
	pthread_once(&sha256_once, fetch_sha256);
	INVARIANT(EVP_Digest(data.data, data.len, out, NULL, sha256, NULL) == 1);
}

void
crypto_sha1_hex(struct slice data, char out[41])
{
	uint8_t digest[20];

	INVARIANT(EVP_Digest(data.data, data.len, digest, NULL, EVP_sha1(), NULL) == 1);
	crypto_hex(digest, sizeof(digest), out);
}

struct crypto_hmac {
	EVP_MAC_CTX *context;
};

struct crypto_hmac *
crypto_hmac_new(struct slice key)
{
	struct crypto_hmac *hmac = mem_alloc(sizeof(*hmac));
	EVP_MAC *algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
	char digest[] = "SHA256";
	OSSL_PARAM parameters[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
	    OSSL_PARAM_construct_end(),
	};

	hmac->context = EVP_MAC_CTX_new(algorithm);
	INVARIANT(hmac->context);
	/* A NULL key would mean "the key of before", so an empty one needs an address. */
	INVARIANT(EVP_MAC_init(hmac->context, (const uint8_t *)(key.data ? key.data : ""), key.len, parameters) == 1);
	EVP_MAC_free(algorithm);
	return hmac;
}

void
crypto_hmac_free(struct crypto_hmac *hmac)
{
	if (!hmac)
		return;
	EVP_MAC_CTX_free(hmac->context);
	free(hmac);
}

void
crypto_hmac_sign(struct crypto_hmac *hmac, struct slice data, uint8_t out[CRYPTO_SHA256_SIZE])
{
	size_t len;

	/* No key and no parameters: start again with the prepared key. */
	INVARIANT(EVP_MAC_init(hmac->context, NULL, 0, NULL) == 1);
	INVARIANT(EVP_MAC_update(hmac->context, (const uint8_t *)data.data, data.len) == 1);
	INVARIANT(EVP_MAC_final(hmac->context, out, &len, CRYPTO_SHA256_SIZE) == 1 && len == CRYPTO_SHA256_SIZE);
}

void
crypto_derive(struct slice secret, const char *info, uint8_t *out, size_t len)
{
	EVP_KDF *algorithm = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *context = EVP_KDF_CTX_new(algorithm);
	char digest[] = "SHA256";
	OSSL_PARAM parameters[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
	    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret.data, secret.len),
	    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info, strlen(info)),
	    OSSL_PARAM_construct_end(),
	};

	INVARIANT(context && EVP_KDF_derive(context, out, len, parameters) == 1);
	EVP_KDF_CTX_free(context);
	EVP_KDF_free(algorithm);
}

bool
crypto_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

void
crypto_wipe(void *data, size_t len)
{
	OPENSSL_cleanse(data, len);
}

static const char base64url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void
crypto_base64url_encode(struct buf *out, struct slice data)
{
	char *to = buf_reserve(out, data.len / 3 * 4 + 4);
	uint32_t bits = 0;
	int pending = 0;

	for (size_t i = 0; i < data.len; i++) {
		bits = bits << 8 | (uint8_t)data.data[i];
		for (pending += 8; pending >= 6; pending -= 6)
			*to++ = base64url_digits[bits >> (pending - 6) & 63];
	}
	if (pending)
		*to++ = base64url_digits[bits << (6 - pending) & 63];
	out->len = (size_t)(to - out->data);
}

/* The value of a digit, or -1. */
static int
base64url_value(char digit)
{
	if (digit >= 'A' && digit <= 'Z')
		return digit - 'A';
	if (digit >= 'a' && digit <= 'z')
		return digit - 'a' + 26;
	if (digit >= '0' && digit <= '9')
		return digit - '0' + 52;
	return digit == '-' ? 62 : digit == '_' ? 63 : -1;
}

bool
crypto_base64url_decode(struct slice text, uint8_t *out, size_t *len_r)
{
	uint32_t bits = 0;
	int pending = 0;
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		int value = base64url_value(text.data[i]);

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		pending += 6;
		if (pending >= 8) {
			pending -= 8;
			out[len++] = (uint8_t)(bits >> pending);
		}
	}
	*len_r = len;
	/* Six left-over bits are a lone digit, which encodes nothing; the others must be zero. */
	return pending < 6 && (bits & ((1U << pending) - 1)) == 0;
}

void
crypto_hex(const uint8_t *data, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[data[i] >> 4];
		*out++ = digits[data[i] & 15];
	}
	*out = '\0';
}

uint32_t
crypto_crc32(struct slice data)
{
	/* Four bits at a time: entry n is n shifted through the reversed polynomial 0xedb88320. */
	static const uint32_t table[16] = {
	    0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
	    0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < data.len; i++) {
		crc ^= (uint8_t)data.data[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

static uint64_t
rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static uint64_t
load_le64(const void *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return le64toh(word);
}

static void
sip_rounds(uint64_t v[4], int rounds)
{
	while (rounds-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

static void
sip_absorb(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_rounds(v, 2);
	v[0] ^= word;
}

uint64_t
crypto_siphash(const uint8_t key[16], struct slice data)
{
	uint64_t low = load_le64(key), high = load_le64(key + 8);
	uint64_t v[4] = {low ^ 0x736f6d6570736575, high ^ 0x646f72616e646f6d, low ^ 0x6c7967656e657261,
	                 high ^ 0x7465646279746573};
	uint8_t last[8] = {0};
	size_t whole = data.len & ~(size_t)7;

	for (size_t i = 0; i < whole; i += 8)
		sip_absorb(v, load_le64(data.data + i));
	/* The last word: what is left over, and the length in the top byte. */
	if (data.len > whole)
		memcpy(last, data.data + whole, data.len - whole);
	last[7] = (uint8_t)data.len;
	sip_absorb(v, load_le64(last));
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
