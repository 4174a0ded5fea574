/* crypto_key.c - see crypto_key.h. A signature that cannot be read is a wrong one: OpenSSL's error queue is left empty.
 */
#include "crypto_key.h"

#include <limits.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

enum { P256_SIZE = 32, RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192, RSA_EXPONENT_MIN = 65537 };

struct crypto_key {
	EVP_PKEY *pair;
	enum crypto_key_kind kind;
	bool is_private;
};

/* Nobody is there to be asked for a password. */
static int
no_password(char *out, int size, int writing, void *arg)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static bool
has_sound_exponent(EVP_PKEY *pair)
{
	BIGNUM *exponent = NULL;
	bool sound = EVP_PKEY_get_bn_param(pair, OSSL_PKEY_PARAM_RSA_E, &exponent) == 1 && BN_is_odd(exponent) &&
	             BN_num_bits(exponent) <= 64 && BN_get_word(exponent) >= RSA_EXPONENT_MIN;

	BN_free(exponent);
	return sound;
}

static const char *
find_kind(EVP_PKEY *pair, enum crypto_key_kind *kind_r)
{
	char group[32] = "";
	int bits;

	if (EVP_PKEY_is_a(pair, "ED25519")) {
		*kind_r = CRYPTO_KEY_ED25519;
		return NULL;
	}
	if (EVP_PKEY_is_a(pair, "EC")) {
		*kind_r = CRYPTO_KEY_P256;
		if (EVP_PKEY_get_group_name(pair, group, sizeof(group), NULL) != 1 || strcmp(group, "prime256v1") != 0)
			return "is on another curve than P-256 (prime256v1)";
		return NULL;
	}
	if (!EVP_PKEY_is_a(pair, "RSA"))
		return "is not an Ed25519, P-256 or RSA key";
	*kind_r = CRYPTO_KEY_RSA;
	bits = EVP_PKEY_get_bits(pair);
	if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
		return "is an RSA key of less than 2048 or more than 8192 bits";
	return has_sound_exponent(pair) ? NULL : "is an RSA key with an exponent that is even or less than 65537";
}

static EVP_PKEY *
read_pair(struct slice pem, bool *is_private_r)
{
	BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
	EVP_PKEY *pair;

	INVARIANT(bio);
	pair = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	*is_private_r = pair != NULL;
	if (!pair) {
		(void)BIO_reset(bio);
		pair = PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL);
	}
	BIO_free(bio);
	ERR_clear_error();
	return pair;
}

static bool
is_consistent(EVP_PKEY *pair, bool is_private)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, pair, NULL);
	bool consistent;

	INVARIANT(context);
	consistent = (is_private ? EVP_PKEY_pairwise_check(context) : EVP_PKEY_public_check(context)) == 1;
	EVP_PKEY_CTX_free(context);
	ERR_clear_error();
	return consistent;
}

struct crypto_key *
crypto_key_read(struct slice pem, const char **why_r)
{
	struct crypto_key *key;
	EVP_PKEY *pair;
	bool is_private;

	if (pem.len > INT_MAX || !(pair = read_pair(pem, &is_private))) {
		*why_r = "is not a key in PEM, or has a password";
		return NULL;
	}
	key = mem_zero(sizeof(*key));
	key->pair = pair;
	key->is_private = is_private;
	*why_r = find_kind(pair, &key->kind);
	if (!*why_r && !is_consistent(pair, is_private))
		*why_r = "is broken: its numbers do not belong together";
	if (!*why_r)
		return key;
	crypto_key_free(key);
	return NULL;
}

void
crypto_key_free(struct crypto_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pair);
	free(key);
}

enum crypto_key_kind
crypto_key_kind(const struct crypto_key *key)
{
	return key->kind;
}

bool
crypto_key_is_private(const struct crypto_key *key)
{
	return key->is_private;
}

/* Ed25519 hashes by itself. */
static const char *
digest_of(const struct crypto_key *key)
{
	return key->kind == CRYPTO_KEY_ED25519 ? NULL : "SHA256";
}

/* From ASN.1 to two numbers of fixed size. */
static void
unwrap_p256(const uint8_t *der, size_t len, struct buf *out)
{
	const uint8_t *at = der;
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)len);
	uint8_t *to = (uint8_t *)buf_reserve(out, 2 * P256_SIZE);

	INVARIANT(pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), to, P256_SIZE) == P256_SIZE);
	INVARIANT(BN_bn2binpad(ECDSA_SIG_get0_s(pair), to + P256_SIZE, P256_SIZE) == P256_SIZE);
	out->len += 2 * P256_SIZE;
	ECDSA_SIG_free(pair);
}

void
crypto_key_sign(const struct crypto_key *key, struct slice data, struct buf *out)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t signature[RSA_BITS_MAX / 8];
	size_t len = sizeof(signature);

	INVARIANT(context && key->is_private);
	INVARIANT(EVP_DigestSignInit_ex(context, NULL, digest_of(key), NULL, NULL, key->pair, NULL) == 1);
	INVARIANT(EVP_DigestSign(context, signature, &len, (const uint8_t *)data.data, data.len) == 1);
	EVP_MD_CTX_free(context);
	if (key->kind == CRYPTO_KEY_P256)
		unwrap_p256(signature, len, out);
	else
		buf_add(out, signature, len);
}

/* From two numbers to ASN.1; *der_r is to be freed by OPENSSL_free(). */
static int
wrap_p256(struct slice signature, uint8_t **der_r)
{
	ECDSA_SIG *pair = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn((const uint8_t *)signature.data, P256_SIZE, NULL);
	BIGNUM *s = BN_bin2bn((const uint8_t *)signature.data + P256_SIZE, P256_SIZE, NULL);
	int len;

	INVARIANT(pair && r && s && ECDSA_SIG_set0(pair, r, s) == 1);
	*der_r = NULL;
	len = i2d_ECDSA_SIG(pair, der_r);
	ECDSA_SIG_free(pair);
	INVARIANT(len > 0);
	return len;
}

static bool
verify(const struct crypto_key *key, struct slice data, const uint8_t *signature, size_t len)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good;

	INVARIANT(context && EVP_DigestVerifyInit_ex(context, NULL, digest_of(key), NULL, NULL, key->pair, NULL) == 1);
	good = EVP_DigestVerify(context, signature, len, (const uint8_t *)data.data, data.len) == 1;
	EVP_MD_CTX_free(context);
	ERR_clear_error();
	return good;
}

bool
crypto_key_verify(const struct crypto_key *key, struct slice data, struct slice signature)
{
	uint8_t *der;
	bool good;
	int len;

	if (key->kind != CRYPTO_KEY_P256)
		return verify(key, data, (const uint8_t *)signature.data, signature.len);
	if (signature.len != 2 * P256_SIZE)
		return false;
	len = wrap_p256(signature, &der);
	good = verify(key, data, der, (size_t)len);
	OPENSSL_free(der);
	return good;
}

/* size 0: as many bytes as the number has. */
static void
add_number(const struct crypto_key *key, const char *parameter, int size, struct buf *out)
{
	BIGNUM *number = NULL;
	char *to;

	INVARIANT(EVP_PKEY_get_bn_param(key->pair, parameter, &number) == 1);
	size = size ? size : BN_num_bytes(number);
	to = buf_reserve(out, (size_t)size);
	INVARIANT(BN_bn2binpad(number, (uint8_t *)to, size) == size);
	out->len += (size_t)size;
	BN_free(number);
}

void
crypto_key_public(const struct crypto_key *key, const char *name, struct buf *out)
{
	size_t len = P256_SIZE;

	if (key->kind == CRYPTO_KEY_ED25519) {
		INVARIANT(EVP_PKEY_get_raw_public_key(key->pair, (uint8_t *)buf_reserve(out, len), &len) == 1);
		out->len += len;
	} else if (key->kind == CRYPTO_KEY_P256) {
		add_number(key, *name == 'x' ? OSSL_PKEY_PARAM_EC_PUB_X : OSSL_PKEY_PARAM_EC_PUB_Y, P256_SIZE, out);
	} else {
		add_number(key, *name == 'n' ? OSSL_PKEY_PARAM_RSA_N : OSSL_PKEY_PARAM_RSA_E, 0, out);
	}
}
