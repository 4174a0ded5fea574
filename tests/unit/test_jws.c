/*
 * test_jws.c - signatures of tokens with each algorithm: the examples of RFC 7515 and RFC 8037, thumbprints of RFC 7638
 * and RFC 8037, what was signed here, and the ways in which one key or algorithm is passed off as another.
 */
#include "base.h"

#include "crypto.h"
#include "crypto_key.h"
#include "jwk_pem.h"
#include "jws.h"
#include "jwt.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

/* RFC 8037, appendix A. */
#define ED25519                                                                                   \
	"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"," \
	"\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"
/* RFC 7515, appendix A.3. */
#define P256                                                                                   \
	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}"
/* RFC 7515, appendix A.2. */
#define RSA                                                                                                            \
	"{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1P" \
	"t0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KX" \
	"BdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFk" \
	"MLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\",\"d\":\"Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO" \
	"97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3" \
	"Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPD" \
	"VZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ\",\"p\":\"4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3" \
	"jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgI" \
	"PgtldC-KDV5z-y2XDwGUc\",\"q\":\"uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7" \
	"C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc\",\"dp\":\"BwKfV3Akq" \
	"5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy" \
	"7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0\",\"dq\":\"h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwk" \
	"OlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlq" \
	"vd0tIiTHU\",\"qi\":\"IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7" \
	"YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U\"}"
/* RFC 7638, section 3.1. */
#define RSA_7638                                                                                                       \
	"{\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_" \
	"BJECP"                                                                                                            \
	"ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZg" \
	"nYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF4"  \
	"4-csFCur-kEgU8awapJzKnqDKgw\",\"e\":\"AQAB\"}"

#define ES256_JWS                                                                                  \
	"eyJhbGciOiJFUzI1NiJ9."                                                                        \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl" \
	"fQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
#define EDDSA_JWS                                                                           \
	"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-" \
	"09PGcvMg3AIbQR6dWbhijcNR4ki4i"                                                         \
	"ylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
#define RS256_JWS                                                                                                 \
	"eyJhbGciOiJSUzI1NiJ9."                                                                                       \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl"                \
	"fQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"                    \
	"O8W2Fp5jujGbds9uJdbF9CUAr7t"                                                                                 \
	"1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--" \
	"xi12jzDw"                                                                                                    \
	"usC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_"        \
	"IoypGlUPQGe77Rw"

static const char *const all_keys[] = {ED25519, P256, RSA};

static char *
pem_of(const char *jwk, bool is_private)
{
	json_t *json = json_loads(jwk, 0, NULL);
	char *pem = json ? jwk_pem(json, is_private) : NULL;

	json_decref(json);
	assert_non_null(pem);
	return pem;
}

static struct jws_key *
key_of(const char *jwk, bool is_private, const char *kid)
{
	char *pem = pem_of(jwk, is_private);
	const char *why = "not said";
	struct jws_key *key = jws_key_of_pem(slice_of(pem), kid, &why);

	free(pem);
	if (!key)
		fail_msg("%s", why);
	return key;
}

static enum jwt_result
verify(struct jws_key *key, struct slice text, const char *type, char payload_r[200])
{
	struct arena arena = ARENA_EMPTY;
	struct slice payload = SLICE_NONE;
	enum jwt_result result = jws_verify(&key, 1, text, type, &arena, &payload);

	if (result == JWT_VALID)
		snprintf(payload_r, 200, "%.*s", SLICE_ARG(payload));
	arena_reset(&arena);
	return result;
}

/* A key without a kid takes headers without one: only tests have such keys. */
static void
test_examples_of_the_rfcs(void **state UNUSED)
{
	static const struct {
		const char *jwk, *jws, *algorithm, *begins;
	} examples[] = {{ED25519, EDDSA_JWS, "EdDSA", "Example of Ed25519 signing"},
	                {P256, ES256_JWS, "ES256", "{\"iss\":\"joe\","},
	                {RSA, RS256_JWS, "RS256", "{\"iss\":\"joe\","}};
	char payload[200];

	for (size_t i = 0; i < ARRAY_LENGTH(examples); i++)
		for (size_t j = 0; j < ARRAY_LENGTH(examples); j++) {
			struct jws_key *key = key_of(examples[i].jwk, false, "");
			enum jwt_result result = verify(key, slice_of(examples[j].jws), NULL, payload);

			assert_string_equal(jws_key_algorithm(key), examples[i].algorithm);
			assert_false(jws_key_can_sign(key));
			assert_int_equal(result, i == j ? JWT_VALID : JWT_BAD_ALGORITHM);
			if (i == j)
				assert_memory_equal(payload, examples[i].begins, strlen(examples[i].begins));
			jws_key_free(key);
		}
}

/* Ed25519 and PKCS #1 are deterministic: what is signed here is what the RFCs have. */
static void
test_signatures_are_those_of_the_rfcs(void **state UNUSED)
{
	static const char *const examples[][2] = {{ED25519, EDDSA_JWS}, {RSA, RS256_JWS}};

	for (size_t i = 0; i < ARRAY_LENGTH(examples); i++) {
		char *pem = pem_of(examples[i][0], true);
		const char *why, *dot = strrchr(examples[i][1], '.');
		struct crypto_key *key = crypto_key_read(slice_of(pem), &why);
		struct buf signature = {0}, text = {0};

		assert_non_null(key);
		assert_true(crypto_key_is_private(key));
		crypto_key_sign(key, (struct slice){examples[i][1], (size_t)(dot - examples[i][1])}, &signature);
		crypto_base64url_encode(&text, buf_slice(&signature));
		assert_true(slice_is(buf_slice(&text), dot + 1));
		crypto_key_free(key);
		buf_free(&signature);
		buf_free(&text);
		free(pem);
	}
}

static void
test_thumbprints(void **state UNUSED)
{
	static const char *const expected[][2] = {
	    {ED25519, "\"kid\":\"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCr"},
	    {RSA_7638, "\"kid\":\"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs\",\"n\":\"0vx7agoebGcQSuuP"},
	    {P256, "\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	           "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"}};

	for (size_t i = 0; i < ARRAY_LENGTH(expected); i++) {
		struct jws_key *key = key_of(expected[i][0], false, NULL);
		struct json_writer json;
		struct buf text = {0};

		json_write_begin(&json, &text);
		jws_key_write(key, &json);
		buf_add_byte(&text, '\0');
		if (!strstr(text.data, expected[i][1]))
			fail_msg("%s", text.data);
		assert_non_null(strstr(text.data, "\"use\":\"sig\""));
		buf_free(&text);
		jws_key_free(key);
	}
}

static void
test_private_key_shows_its_public_half_only(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LENGTH(all_keys); i++) {
		struct jws_key *private = key_of(all_keys[i], true, NULL), *public = key_of(all_keys[i], false, NULL);
		struct json_writer json;
		struct buf a = {0}, b = {0};

		json_write_begin(&json, &a);
		jws_key_write(private, &json);
		json_write_begin(&json, &b);
		jws_key_write(public, &json);
		assert_true(slice_equal(buf_slice(&a), buf_slice(&b)));
		assert_null(memmem(a.data, a.len, "\"d\"", 3));
		buf_free(&a);
		buf_free(&b);
		jws_key_free(private);
		jws_key_free(public);
	}
}

static void
test_round_trip_and_any_change(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LENGTH(all_keys); i++) {
		struct jws_key *signs = key_of(all_keys[i], true, NULL), *checks = key_of(all_keys[i], false, NULL);
		struct buf token = {0};
		char payload[200];

		jws_sign(signs, "at+jwt", SLICE("{\"a\":1}"), &token);
		assert_int_equal(verify(checks, buf_slice(&token), "at+jwt", payload), JWT_VALID);
		assert_string_equal(payload, "{\"a\":1}");
		assert_int_equal(verify(checks, buf_slice(&token), "JWT", payload), JWT_MALFORMED);
		for (size_t at = 0; at < token.len; at += i == 2 ? 7 : 1) {
			char kept = token.data[at];

			token.data[at] = kept == 'A' ? 'B' : 'A';
			assert_int_not_equal(verify(checks, buf_slice(&token), "at+jwt", payload), JWT_VALID);
			token.data[at] = kept;
		}
		assert_int_not_equal(verify(checks, (struct slice){token.data, token.len - 1}, "at+jwt", payload), JWT_VALID);
		buf_free(&token);
		jws_key_free(signs);
		jws_key_free(checks);
	}
}

/* A token of that header, with an HMAC of the key's public PEM: what a verifier takes who believes the header. */
static struct buf
confuse(const char *header, struct slice secret)
{
	struct crypto_hmac *hmac = crypto_hmac_new(secret);
	uint8_t signature[CRYPTO_SHA256_SIZE];
	struct buf token = {0};

	crypto_base64url_encode(&token, slice_of(header));
	buf_add_text(&token, ".e30");
	crypto_hmac_sign(hmac, buf_slice(&token), signature);
	buf_add_byte(&token, '.');
	crypto_base64url_encode(&token, (struct slice){(char *)signature, sizeof(signature)});
	crypto_hmac_free(hmac);
	return token;
}

static void
test_public_key_is_no_secret(void **state UNUSED)
{
	static const char *const headers[] = {"{\"alg\":\"HS256\",\"kid\":\"k\"}", "{\"alg\":\"none\",\"kid\":\"k\"}",
	                                      "{\"alg\":\"hs256\",\"kid\":\"k\"}", "{\"kid\":\"k\"}",
	                                      "{\"alg\":[\"RS256\",\"HS256\"],\"kid\":\"k\"}"};
	char payload[200];

	for (size_t i = 0; i < ARRAY_LENGTH(all_keys); i++) {
		struct jws_key *key = key_of(all_keys[i], false, "k");
		char *pem = pem_of(all_keys[i], false);

		for (size_t j = 0; j < ARRAY_LENGTH(headers); j++) {
			struct buf token = confuse(headers[j], slice_of(pem));

			assert_int_equal(verify(key, buf_slice(&token), NULL, payload), JWT_BAD_ALGORITHM);
			buf_free(&token);
		}
		free(pem);
		jws_key_free(key);
	}
}

static void
test_keys_that_are_refused(void **state UNUSED)
{
	static const struct {
		const char *jwk, *why;
	} keys[] = {
	    /* RFC 7515, appendix A.4: P-521. */
	    {"{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_"
	     "NjFZ6OvLFV1jSfS9"
	     "tsz4qUxcWceqwQGk\",\"y\":\"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-"
	     "x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3k"
	     "yMj2\"}",
	     "curve"},
	    /* Made for this test: 1024 bits, and an exponent of 3. */
	    {"{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-"
	     "4qPCJrcS2mJPMEzP1Pt0B"
	     "m4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63ko\",\"e\":\"AQAB\"}",
	     "2048"},
	    {"{\"kty\":\"RSA\",\"n\":"
	     "\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJEC"
	     "PebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"
	     "FDW2QvzqY368QQMicAtaSqzs8KJ"
	     "ZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_"
	     "xBniIqbw0Ls1j"
	     "F44-csFCur-kEgU8awapJzKnqDKgw\",\"e\":\"Aw\"}",
	     "exponent"},
	};
	const char *why = NULL;
	char *broken = mem_string(RSA), *pem;

	memcpy(strstr(broken, "\"dq\":\"h"), "\"dq\":\"i", 7);
	pem = pem_of(broken, true);
	free(broken);
	assert_null(jws_key_of_pem(slice_of(pem), NULL, &why));
	assert_non_null(strstr(why, "do not belong together"));
	free(pem);
	for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
		pem = pem_of(keys[i].jwk, false);

		assert_null(jws_key_of_pem(slice_of(pem), NULL, &why));
		if (!strstr(why, keys[i].why))
			fail_msg("%s does not name %s", why, keys[i].why);
		free(pem);
	}
	assert_null(jws_key_of_pem(SLICE("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), NULL, &why));
	assert_null(jws_key_of_pem(SLICE(""), NULL, &why));
	/* With a password: nobody is there to be asked. */
	assert_null(jws_key_of_pem(SLICE("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
	                                 "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAiVZ6m4nT1cWwICCAAw\n"
	                                 "-----END ENCRYPTED PRIVATE KEY-----\n"),
	                           NULL, &why));
	assert_null(jws_key_of_secret(SLICE("31 characters are not enough..."), NULL));
}

static struct jwt_claims
ada(void)
{
	return (struct jwt_claims){.user_id = SLICE("u-1"),
	                           .username = SLICE("ada"),
	                           .role = SLICE("viewer"),
	                           .tenant = SLICE("acme"),
	                           .tenant_id = 1,
	                           .issued_at = 1700000000,
	                           .expires_at = 1700000900};
}

static struct jwt_keys *
keys_of(const char *key, const char *previous, const struct slice *secrets, int count)
{
	char *pem = key ? pem_of(key, true) : NULL, *previous_pem = previous ? pem_of(previous, false) : NULL;
	struct jwt_setup setup = {.key = slice_of(pem),
	                          .previous_key = slice_of(previous_pem),
	                          .secrets = secrets,
	                          .secret_count = count,
	                          .issuer = "agentd"};
	const char *why;
	struct jwt_keys *keys = jwt_keys_new(&setup, &why);

	free(pem);
	free(previous_pem);
	assert_non_null(keys);
	return keys;
}

static enum jwt_result
check(const struct jwt_keys *by, const struct jwt_keys *with)
{
	struct arena arena = ARENA_EMPTY;
	struct jwt_claims claims = ada();
	struct buf token = {0};
	enum jwt_result result;

	jwt_create(by, &claims, &token);
	result = jwt_verify(with, buf_slice(&token), 1700000001, &arena, &claims);
	arena_reset(&arena);
	buf_free(&token);
	return result;
}

/* From a secret to a key pair, from that to another, and back: each step with an overlap. */
static void
test_tokens_live_through_a_change_of_algorithm(void **state UNUSED)
{
	struct slice secret = SLICE("correct horse battery staple, twice.");
	struct jwt_keys *steps[] = {keys_of(NULL, NULL, &secret, 1), keys_of(ED25519, NULL, &secret, 1),
	                            keys_of(P256, ED25519, NULL, 0), keys_of(RSA, P256, NULL, 0),
	                            keys_of(NULL, RSA, &secret, 1)};
	size_t count = ARRAY_LENGTH(steps);
	struct buf text = {0};

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < count; j++) {
			bool same_secret = i % 4 == 0 && (j == 1 || j % 4 == 0);
			enum jwt_result expected = i == j || i + 1 == j || same_secret ? JWT_VALID : JWT_UNKNOWN_KEY;

			assert_int_equal(check(steps[i], steps[j]), expected);
		}
	jwt_keys_write(steps[0], &text);
	assert_true(slice_is(buf_slice(&text), "{\"keys\":[]}"));
	text.len = 0;
	jwt_keys_write(steps[2], &text);
	buf_add_byte(&text, '\0');
	assert_non_null(strstr(text.data, "{\"keys\":[{\"kty\":\"EC\","));
	assert_non_null(strstr(text.data, "},{\"kty\":\"OKP\","));
	buf_free(&text);
	for (size_t i = 0; i < count; i++)
		jwt_keys_free(steps[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_examples_of_the_rfcs),
	    cmocka_unit_test(test_signatures_are_those_of_the_rfcs),
	    cmocka_unit_test(test_thumbprints),
	    cmocka_unit_test(test_private_key_shows_its_public_half_only),
	    cmocka_unit_test(test_round_trip_and_any_change),
	    cmocka_unit_test(test_public_key_is_no_secret),
	    cmocka_unit_test(test_keys_that_are_refused),
	    cmocka_unit_test(test_tokens_live_through_a_change_of_algorithm),
	};

	return cmocka_run_group_tests_name("jws", tests, NULL, NULL);
}
