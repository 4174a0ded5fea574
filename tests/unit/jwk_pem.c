/* jwk_pem.c - see jwk_pem.h. */
#include "jwk_pem.h"

#include "crypto.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

enum { NUMBER_MAX = 1024 };

size_t
jwk_bytes(const json_t *jwk, const char *name, uint8_t *out, size_t size)
{
	const char *text = json_string_value(json_object_get(jwk, name));
	uint8_t *bytes;
	size_t len;

	INVARIANT(text);
	bytes = mem_alloc(strlen(text) + 1);
	INVARIANT(crypto_base64url_decode(slice_of(text), bytes, &len) && len <= size);
	memcpy(out, bytes, len);
	free(bytes);
	return len;
}

static void
push_number(OSSL_PARAM_BLD *build, const char *parameter, const json_t *jwk, const char *name, BIGNUM **number_r)
{
	uint8_t bytes[NUMBER_MAX];
	size_t len = jwk_bytes(jwk, name, bytes, sizeof(bytes));

	*number_r = BN_bin2bn(bytes, (int)len, NULL);
	INVARIANT(*number_r && OSSL_PARAM_BLD_push_BN(build, parameter, *number_r) == 1);
}

static EVP_PKEY *
from_parameters(const char *type, OSSL_PARAM_BLD *build, int selection)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY *pair = NULL;

	INVARIANT(context && parameters && EVP_PKEY_fromdata_init(context) == 1);
	(void)EVP_PKEY_fromdata(context, &pair, selection, parameters);
	OSSL_PARAM_free(parameters);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(context);
	ERR_clear_error();
	return pair;
}

static EVP_PKEY *
read_rsa(const json_t *jwk, bool is_private)
{
	static const char *const names[][2] = {
	    {"n", OSSL_PKEY_PARAM_RSA_N},          {"e", OSSL_PKEY_PARAM_RSA_E},
	    {"d", OSSL_PKEY_PARAM_RSA_D},          {"p", OSSL_PKEY_PARAM_RSA_FACTOR1},
	    {"q", OSSL_PKEY_PARAM_RSA_FACTOR2},    {"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1},
	    {"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2}, {"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1}};
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *numbers[ARRAY_LENGTH(names)] = {NULL};
	EVP_PKEY *pair;

	for (size_t i = 0; i < (is_private ? ARRAY_LENGTH(names) : 2); i++)
		push_number(build, names[i][1], jwk, names[i][0], &numbers[i]);
	pair = from_parameters("RSA", build, is_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY);
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
		BN_free(numbers[i]);
	return pair;
}

static EVP_PKEY *
read_ec(const json_t *jwk, bool is_private)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	uint8_t point[1 + 2 * NUMBER_MAX] = {4};
	size_t len = 1 + jwk_bytes(jwk, "x", point + 1, NUMBER_MAX);
	BIGNUM *secret = NULL;
	EVP_PKEY *pair;

	len += jwk_bytes(jwk, "y", point + len, NUMBER_MAX);
	INVARIANT(OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME,
	                                          json_string_value(json_object_get(jwk, "crv")), 0) == 1);
	INVARIANT(OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, len) == 1);
	if (is_private)
		push_number(build, OSSL_PKEY_PARAM_PRIV_KEY, jwk, "d", &secret);
	pair = from_parameters("EC", build, is_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY);
	BN_free(secret);
	return pair;
}

static EVP_PKEY *
read_okp(const json_t *jwk, bool is_private)
{
	uint8_t bytes[NUMBER_MAX];
	size_t len = jwk_bytes(jwk, is_private ? "d" : "x", bytes, sizeof(bytes));

	return is_private ? EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, bytes, len)
	                  : EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes, len);
}

char *
jwk_pem(const json_t *jwk, bool is_private)
{
	const char *type = json_string_value(json_object_get(jwk, "kty"));
	EVP_PKEY *pair = strcmp(type, "RSA") == 0  ? read_rsa(jwk, is_private)
	                 : strcmp(type, "EC") == 0 ? read_ec(jwk, is_private)
	                                           : read_okp(jwk, is_private);
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *text = NULL;
	long len;

	if (pair && (is_private ? PEM_write_bio_PrivateKey(bio, pair, NULL, NULL, 0, NULL, NULL)
	                        : PEM_write_bio_PUBKEY(bio, pair)) == 1) {
		len = BIO_get_mem_data(bio, &data);
		text = mem_alloc((size_t)len + 1);
		memcpy(text, data, (size_t)len);
		text[len] = '\0';
	}
	EVP_PKEY_free(pair);
	BIO_free(bio);
	return text;
}
