/*
 * test_jwt.c - tokens: made and checked, made elsewhere by the RFCs, and every way found to make a wrong one pass.
 *
 * Forged tokens are signed with the right secret, so that what is refused is refused for what they say.
 */
#include "base.h"

#include "crypto.h"
#include "jwt.h"
#include "uuid.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#define SECRET SLICE("correct horse battery staple, twice.")
#define OLD_SECRET SLICE("an older secret that is being rotated out")
#define JTI "0192f7c4-0000-7000-8000-000000000001"
/* The key id of SECRET: the first 8 bytes of its SHA-256. */
#define KID "d9d272843a16cb99"
#define HEADER "{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"" KID "\"}"
#define NAMES "\"iss\":\"agentd\",\"aud\":\"agentd\","
#define WHO \
	"\"sub\":\"u-1\",\"user_id\":\"u-1\",\"username\":\"ada\",\"role\":\"operator\",\"tenant\":\"acme\",\"tid\":7,"
#define ID "\"jti\":\"" JTI "\","
#define TIMES "\"iat\":1700000000,\"exp\":1700003600"
#define PAYLOAD "{" NAMES WHO ID TIMES "}"

enum { ISSUED_S = 1700000000, EXPIRES_S = 1700003600 };

struct fixture {
	struct jwt_keys *keys;
	struct arena arena;
	struct jwt_claims claims; /* of the last check */
};

static struct jwt_keys *
keys_of(const struct slice *secrets, int count, const char *issuer)
{
	const char *why = NULL;
	struct jwt_keys *keys =
	    jwt_keys_new(&(struct jwt_setup){.secrets = secrets, .secret_count = count, .issuer = issuer}, &why);

	assert_true(keys || why);
	return keys;
}

static int
set_up(void **state)
{
	static struct fixture fixture;

	fixture.keys = keys_of(&SECRET, 1, "agentd");
	*state = &fixture;
	return fixture.keys ? 0 : -1;
}

static int
tear_down(void **state)
{
	struct fixture *fixture = *state;

	jwt_keys_free(fixture->keys);
	arena_reset(&fixture->arena);
	return 0;
}

static enum jwt_result
verify(struct fixture *fixture, struct slice token, int64_t now_s)
{
	return jwt_verify(fixture->keys, token, now_s, &fixture->arena, &fixture->claims);
}

/* A token of these texts, rightly signed with SECRET. */
static struct buf
forge(struct slice header, struct slice payload)
{
	struct crypto_hmac *hmac = crypto_hmac_new(SECRET);
	uint8_t signature[CRYPTO_SHA256_SIZE];
	struct buf token = {0};

	crypto_base64url_encode(&token, header);
	buf_add_byte(&token, '.');
	crypto_base64url_encode(&token, payload);
	crypto_hmac_sign(hmac, buf_slice(&token), signature);
	buf_add_byte(&token, '.');
	crypto_base64url_encode(&token, (struct slice){(char *)signature, sizeof(signature)});
	crypto_hmac_free(hmac);
	return token;
}

static void
assert_forged(struct fixture *fixture, struct slice header, struct slice payload, enum jwt_result expected)
{
	struct buf token = forge(header, payload);
	enum jwt_result result = verify(fixture, buf_slice(&token), ISSUED_S);

	if (result != expected)
		fail_msg("%.*s %.*s: %s, not %s", SLICE_ARG(header), SLICE_ARG(payload), jwt_result_code(result),
		         jwt_result_code(expected));
	buf_free(&token);
}

static const struct jwt_claims ada = {
    .user_id = SLICE("u-1"),
    .username = SLICE("ada \"the\" 1st \xc3\xa9"),
    .role = SLICE("operator"),
    .tenant = SLICE("acme"),
    .tenant_id = INT64_MAX,
    .session = SLICE("s-1"),
    .issued_at = ISSUED_S,
    .expires_at = EXPIRES_S,
};

static void
assert_slice(struct slice found, struct slice expected)
{
	if (!slice_equal(found, expected) || !found.data != !expected.data)
		fail_msg("found \"%.*s\", expected \"%.*s\"", SLICE_ARG(found), SLICE_ARG(expected));
}

static void
test_round_trip(void **state)
{
	struct fixture *fixture = *state;
	struct jwt_claims *claims = &fixture->claims;
	struct buf token = {0};
	uint8_t bytes[UUID_SIZE];

	buf_add_text(&token, "Bearer ");
	jwt_create(fixture->keys, &ada, &token);
	buf_drop(&token, 7);
	assert_int_equal(verify(fixture, buf_slice(&token), ISSUED_S), JWT_VALID);
	assert_slice(claims->user_id, ada.user_id);
	assert_slice(claims->username, ada.username);
	assert_slice(claims->role, ada.role);
	assert_slice(claims->tenant, ada.tenant);
	assert_slice(claims->session, ada.session);
	assert_true(claims->tenant_id == ada.tenant_id);
	assert_true(claims->issued_at == ISSUED_S && claims->expires_at == EXPIRES_S);
	assert_true(uuid_parse(claims->jti, bytes));
	buf_free(&token);
}

/* Two tokens of one second differ, and a given jti is kept; without a session there is none. */
static void
test_identity(void **state)
{
	struct fixture *fixture = *state;
	struct jwt_claims claims = ada;
	struct buf first = {0}, second = {0};

	jwt_create(fixture->keys, &ada, &first);
	jwt_create(fixture->keys, &ada, &second);
	assert_false(slice_equal(buf_slice(&first), buf_slice(&second)));
	claims.jti = SLICE(JTI);
	claims.session = SLICE_NONE;
	buf_clear(&first, SIZE_MAX);
	jwt_create(fixture->keys, &claims, &first);
	assert_int_equal(verify(fixture, buf_slice(&first), ISSUED_S), JWT_VALID);
	assert_slice(fixture->claims.jti, SLICE(JTI));
	assert_slice(fixture->claims.session, SLICE_NONE);
	buf_free(&first);
	buf_free(&second);
}

/* Made by another program from the RFCs: other member order, spaces. */
static void
test_made_elsewhere(void **state)
{
	static const char token[] =
	    "eyJ0eXAiOiAiYXQrand0IiwgImtpZCI6ICJkOWQyNzI4NDNhMTZjYjk5IiwgImFsZyI6ICJIUzI1NiJ9."
	    "eyJpc3MiOiAiYWdlbnRkIiwgImF1ZCI6ICJhZ2VudGQiLCAic3ViIjogInUtMSIsICJ1c2VyX2lkIjogInUtMSIsICJ1c2VybmFtZSI6ICJhZG"
	    "EiLCAicm9sZSI6ICJvcGVyYXRvciIsICJ0ZW5hbnQiOiAiYWNtZSIsICJ0aWQiOiA3LCAianRpIjogIjAxOTJmN2M0LTAwMDAtNzAwMC04MDAw"
	    "LTAwMDAwMDAwMDAwMSIsICJzaWQiOiAicy0xIiwgImlhdCI6IDE3MDAwMDAwMDAsICJleHAiOiAxNzAwMDAzNjAwfQ."
	    "mR3mY9bTrM2O3LF9DSSwN4kwjZuZgbsT0hmVB0xP_TI";
	struct fixture *fixture = *state;

	assert_int_equal(verify(fixture, SLICE(token), ISSUED_S), JWT_VALID);
	assert_slice(fixture->claims.username, SLICE("ada"));
	assert_slice(fixture->claims.session, SLICE("s-1"));
	assert_int_equal(fixture->claims.tenant_id, 7);
}

/* Every byte of a token counts: any other base64url digit or dot anywhere spoils it, and so does any cut or addition.
 */
static void
test_any_change(void **state)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ ";
	struct fixture *fixture = *state;
	struct buf token = forge(SLICE(HEADER), SLICE(PAYLOAD));

	assert_int_equal(verify(fixture, buf_slice(&token), ISSUED_S), JWT_VALID);
	for (size_t i = 0; i < token.len; i++) {
		char right = token.data[i];

		for (const char *digit = digits; *digit; digit++) {
			token.data[i] = *digit;
			if (*digit != right && verify(fixture, buf_slice(&token), ISSUED_S) == JWT_VALID)
				fail_msg("'%c' at %zu was taken", *digit, i);
		}
		token.data[i] = right;
		assert_int_not_equal(verify(fixture, (struct slice){token.data, i}, ISSUED_S), JWT_VALID);
		arena_reset(&fixture->arena);
	}
	buf_add_byte(&token, 'A');
	assert_int_not_equal(verify(fixture, buf_slice(&token), ISSUED_S), JWT_VALID);
	buf_free(&token);
}

static void
test_headers(void **state)
{
	static const struct {
		struct slice header;
		enum jwt_result result;
	} cases[] = {
	    {SLICE(HEADER), JWT_VALID},
	    {SLICE("{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"" KID "\",\"cty\":\"x\"}"), JWT_VALID},
	    {SLICE("{\"alg\":\"none\",\"typ\":\"at+jwt\",\"kid\":\"" KID "\"}"), JWT_BAD_ALGORITHM},
	    {SLICE("{\"alg\":\"None\",\"typ\":\"at+jwt\",\"kid\":\"" KID "\"}"), JWT_BAD_ALGORITHM},
	    {SLICE("{\"alg\":\"\",\"typ\":\"at+jwt\",\"kid\":\"" KID "\"}"), JWT_BAD_ALGORITHM},
	    {SLICE("{\"alg\":\"hs256\",\"typ\":\"at+jwt\",\"kid\":\"" KID "\"}"), JWT_BAD_ALGORITHM},
	    {SLICE("{\"alg\":\"HS512\",\"typ\":\"at+jwt\",\"kid\":\"" KID "\"}"), JWT_BAD_ALGORITHM},
	    {SLICE("{\"alg\":\"RS256\",\"typ\":\"at+jwt\",\"kid\":\"" KID "\"}"), JWT_BAD_ALGORITHM},
	    {SLICE("{\"alg\":[\"HS256\"],\"typ\":\"at+jwt\",\"kid\":\"" KID "\"}"), JWT_BAD_ALGORITHM},
	    {SLICE("{\"typ\":\"at+jwt\",\"kid\":\"" KID "\"}"), JWT_BAD_ALGORITHM},
	    {SLICE("{\"alg\":\"HS256\",\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"" KID "\"}"), JWT_MALFORMED},
	    {SLICE("{\"alg\":\"none\",\"\\u0061lg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"" KID "\"}"), JWT_MALFORMED},
	    {SLICE("{\"alg\":\"HS256\",\"kid\":\"" KID "\"}"), JWT_MALFORMED},
	    {SLICE("{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"" KID "\"}"), JWT_MALFORMED},
	    {SLICE("{\"alg\":\"HS256\",\"typ\":null,\"kid\":\"" KID "\"}"), JWT_MALFORMED},
	    {SLICE("{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}"), JWT_UNKNOWN_KEY},
	    {SLICE("{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"\"}"), JWT_UNKNOWN_KEY},
	    {SLICE("{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":0}"), JWT_UNKNOWN_KEY},
	    {SLICE("{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"d9d272843a16cb9\"}"), JWT_UNKNOWN_KEY},
	    {SLICE(""), JWT_MALFORMED},
	    {SLICE("[]"), JWT_MALFORMED},
	    {SLICE("\"HS256\""), JWT_MALFORMED},
	    {SLICE(HEADER " x"), JWT_MALFORMED},
	    {SLICE("\xef\xbb\xbf" HEADER), JWT_MALFORMED},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		assert_forged(*state, cases[i].header, SLICE(PAYLOAD), cases[i].result);
}

static void
test_refused_header_members(void **state)
{
	static const char *const members[] = {
	    "\"crit\":[\"exp\"]",
	    "\"crit\":[]",
	    "\"jku\":\"https://a.example/jwks\"",
	    "\"x5u\":\"https://a.example/x\"",
	    "\"x5c\":[]",
	    "\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}",
	    "\"jwk\":null",
	    "\"b64\":false",
	    "\"zip\":\"DEF\"",
	};
	struct buf header = {0};

	for (size_t i = 0; i < ARRAY_LENGTH(members); i++) {
		header.len = 0;
		buf_printf(&header, "{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",%s}", KID, members[i]);
		assert_forged(*state, buf_slice(&header), SLICE(PAYLOAD), JWT_MALFORMED);
	}
	buf_free(&header);
}

static void
test_payloads(void **state)
{
	static const struct {
		struct slice payload;
		enum jwt_result result;
	} cases[] = {
	    {SLICE(PAYLOAD), JWT_VALID},
	    {SLICE("{" NAMES WHO ID TIMES ",\"nbf\":1700000060,\"extra\":{\"a\":[1]}}"), JWT_VALID},
	    {SLICE("{" NAMES WHO ID TIMES ",\"nbf\":1700000061}"), JWT_NOT_YET},
	    {SLICE("{" NAMES WHO ID TIMES ",\"nbf\":9223372036854775807}"), JWT_NOT_YET},
	    {SLICE("{" NAMES WHO ID TIMES ",\"nbf\":\"1700000000\"}"), JWT_MALFORMED},
	    {SLICE("{" NAMES WHO ID TIMES ",\"nbf\":9223372036854775808}"), JWT_MALFORMED},
	    {SLICE("{" NAMES WHO ID TIMES ",\"exp\":1900000000}"), JWT_MALFORMED},
	    {SLICE("{" NAMES WHO ID TIMES ",\"\\u0065xp\":1900000000}"), JWT_MALFORMED},
	    {SLICE("{" NAMES WHO ID "\"iat\":1700000061,\"exp\":1700003600}"), JWT_NOT_YET},
	    {SLICE("{" NAMES WHO ID "\"iat\":1700000060,\"exp\":1700003600}"), JWT_VALID},
	    {SLICE("{" NAMES WHO ID "\"iat\":1700000000,\"exp\":1700000000}"), JWT_EXPIRED},
	    {SLICE("{" NAMES WHO ID "\"iat\":1700000000,\"exp\":-1}"), JWT_EXPIRED},
	    {SLICE("{" NAMES WHO ID "\"iat\":1700000000,\"exp\":\"1700003600\"}"), JWT_MALFORMED},
	    {SLICE("{" NAMES WHO ID "\"iat\":1700000000,\"exp\":1e10}"), JWT_MALFORMED},
	    {SLICE("{" NAMES WHO ID "\"iat\":1700000000,\"exp\":null}"), JWT_MALFORMED},
	    {SLICE("{" NAMES WHO ID "\"iat\":1700000000}"), JWT_MISSING_CLAIM},
	    {SLICE("{" NAMES WHO ID "\"exp\":1700003600}"), JWT_MISSING_CLAIM},
	    {SLICE("{" NAMES WHO TIMES "}"), JWT_MISSING_CLAIM},
	    {SLICE("{" NAMES WHO "\"jti\":\"\"," TIMES "}"), JWT_MISSING_CLAIM},
	    {SLICE("{" NAMES WHO "\"jti\":\"1\"," TIMES "}"), JWT_MALFORMED},
	    {SLICE("{" NAMES WHO "\"jti\":1," TIMES "}"), JWT_MALFORMED},
	    {SLICE("{" NAMES ID TIMES "}"), JWT_MISSING_CLAIM},
	    {SLICE("{" NAMES WHO ID TIMES ",\"sid\":1}"), JWT_MALFORMED},
	    {SLICE("{\"aud\":\"agentd\"," WHO ID TIMES "}"), JWT_MISSING_CLAIM},
	    {SLICE("{\"iss\":\"agentd\"," WHO ID TIMES "}"), JWT_MISSING_CLAIM},
	    {SLICE("{\"iss\":\"other\",\"aud\":\"agentd\"," WHO ID TIMES "}"), JWT_WRONG_ISSUER},
	    {SLICE("{\"iss\":\"agentd\\u0020\",\"aud\":\"agentd\"," WHO ID TIMES "}"), JWT_WRONG_ISSUER},
	    {SLICE("{\"iss\":\"agentd\",\"aud\":\"other\"," WHO ID TIMES "}"), JWT_WRONG_AUDIENCE},
	    {SLICE("{\"iss\":\"agentd\",\"aud\":[\"agentd\",\"other\"]," WHO ID TIMES "}"), JWT_WRONG_AUDIENCE},
	    {SLICE(""), JWT_MALFORMED},
	    {SLICE("[]"), JWT_MALFORMED},
	    {SLICE(PAYLOAD "{}"), JWT_MALFORMED},
	    {SLICE("{" NAMES WHO ID TIMES ",\"x\":\"\xff\"}"), JWT_MALFORMED},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		assert_forged(*state, SLICE(HEADER), cases[i].payload, cases[i].result);
}

/* Each part of who it is must be there, must not be empty, and sub must be the user. */
static void
test_principal(void **state)
{
	static const char *const members[] = {"\"sub\":\"u-1\"",    "\"user_id\":\"u-1\"", "\"username\":\"ada\"",
	                                      "\"role\":\"admin\"", "\"tenant\":\"acme\"", "\"tid\":7"};
	struct buf payload = {0};

	for (size_t missing = 0; missing < ARRAY_LENGTH(members); missing++) {
		payload.len = 0;
		buf_add_text(&payload, "{" NAMES);
		for (size_t i = 0; i < ARRAY_LENGTH(members); i++)
			if (i != missing)
				buf_printf(&payload, "%s,", members[i]);
		buf_add_text(&payload, ID TIMES "}");
		assert_forged(*state, SLICE(HEADER), buf_slice(&payload), JWT_MISSING_CLAIM);
	}
	buf_free(&payload);
	assert_forged(*state, SLICE(HEADER),
	              SLICE("{" NAMES "\"sub\":\"u-2\",\"user_id\":\"u-1\",\"username\":\"ada\",\"role\":\"operator\","
	                    "\"tenant\":\"acme\",\"tid\":7," ID TIMES "}"),
	              JWT_MALFORMED);
	assert_forged(*state, SLICE(HEADER),
	              SLICE("{" NAMES "\"sub\":\"u-1\",\"user_id\":\"u-1\",\"username\":\"ada\",\"role\":\"\","
	                    "\"tenant\":\"acme\",\"tid\":7," ID TIMES "}"),
	              JWT_MISSING_CLAIM);
}

static void
test_expiry(void **state)
{
	struct fixture *fixture = *state;
	struct buf token = forge(SLICE(HEADER), SLICE(PAYLOAD));

	assert_int_equal(verify(fixture, buf_slice(&token), EXPIRES_S - 1), JWT_VALID);
	assert_int_equal(verify(fixture, buf_slice(&token), EXPIRES_S), JWT_EXPIRED);
	assert_int_equal(verify(fixture, buf_slice(&token), ISSUED_S - 60), JWT_VALID);
	assert_int_equal(verify(fixture, buf_slice(&token), ISSUED_S - 61), JWT_NOT_YET);
	buf_free(&token);
}

/* Texts that are no token at all, and signatures that are none. */
static void
test_forms(void **state)
{
	struct fixture *fixture = *state;
	struct buf token = forge(SLICE(HEADER), SLICE(PAYLOAD));
	size_t signed_len = token.len - 43;
	static const char *const texts[] = {"", ".", "..", "...", "a.b", "a.b.c.d", "e30.e30.", "e30..e30", ".e30.e30"};

	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
		assert_int_not_equal(verify(fixture, slice_of(texts[i]), ISSUED_S), JWT_VALID);
	assert_int_equal(verify(fixture, SLICE_NONE, ISSUED_S), JWT_MALFORMED);
	/* No signature, a short one, a padded one, a long one, and one whose last digit has unused bits set. */
	assert_int_equal(verify(fixture, (struct slice){token.data, signed_len}, ISSUED_S), JWT_BAD_SIGNATURE);
	assert_int_equal(verify(fixture, (struct slice){token.data, signed_len + 40}, ISSUED_S), JWT_BAD_SIGNATURE);
	buf_add_byte(&token, '=');
	assert_int_equal(verify(fixture, buf_slice(&token), ISSUED_S), JWT_MALFORMED);
	token.len--;
	buf_add_text(&token, "AAAAA");
	assert_int_equal(verify(fixture, buf_slice(&token), ISSUED_S), JWT_BAD_SIGNATURE);
	token.len -= 5;
	token.data[token.len - 1]++;
	assert_int_equal(verify(fixture, buf_slice(&token), ISSUED_S), JWT_MALFORMED);
	buf_free(&token);
}

/* A wrong signature is noticed before anything in the payload, be it expired or no JSON. */
static void
test_signature_first(void **state)
{
	struct fixture *fixture = *state;
	struct buf token = forge(SLICE(HEADER), SLICE("{\"exp\":1"));

	assert_int_equal(verify(fixture, buf_slice(&token), ISSUED_S), JWT_MALFORMED);
	token.data[token.len - 10] = token.data[token.len - 10] == 'A' ? 'B' : 'A';
	assert_int_equal(verify(fixture, buf_slice(&token), ISSUED_S), JWT_BAD_SIGNATURE);
	buf_free(&token);
	token = forge(SLICE(HEADER), SLICE(PAYLOAD));
	token.data[token.len - 10] = token.data[token.len - 10] == 'A' ? 'B' : 'A';
	assert_int_equal(verify(fixture, buf_slice(&token), EXPIRES_S + 1), JWT_BAD_SIGNATURE);
	buf_free(&token);
}

/* 4096 bytes pass, one more does not; the padding is a claim that nobody reads. */
static void
test_size(void **state)
{
	struct fixture *fixture = *state;
	bool passed = false, refused = false;
	struct buf payload = {0};

	for (size_t len = 2600; len < 2800; len++) {
		struct buf token;
		enum jwt_result result;

		payload.len = 0;
		buf_add_text(&payload, "{" NAMES WHO ID TIMES ",\"x\":\"");
		memset(buf_reserve(&payload, len), 'x', len);
		payload.len += len;
		buf_add_text(&payload, "\"}");
		token = forge(SLICE(HEADER), buf_slice(&payload));
		result = verify(fixture, buf_slice(&token), ISSUED_S);
		assert_int_equal(result, token.len <= JWS_SIZE_MAX ? JWT_VALID : JWT_MALFORMED);
		passed |= result == JWT_VALID;
		refused |= result != JWT_VALID;
		buf_free(&token);
	}
	assert_true(passed && refused);
	buf_free(&payload);
}

/* The new secret signs, both verify; after the old one is gone its tokens are unknown, never valid. */
static void
test_rotation(void **state UNUSED)
{
	const struct slice secrets[] = {SECRET, OLD_SECRET};
	struct jwt_keys *old = keys_of(&secrets[1], 1, "agentd"), *both = keys_of(secrets, 2, "agentd");
	struct jwt_keys *new = keys_of(&secrets[0], 1, "agentd");
	struct buf by_old = {0}, by_both = {0};
	struct arena arena = ARENA_EMPTY;
	struct jwt_claims claims;

	assert_true(old && both && new);
	jwt_create(old, &ada, &by_old);
	jwt_create(both, &ada, &by_both);
	assert_int_equal(jwt_verify(both, buf_slice(&by_old), ISSUED_S, &arena, &claims), JWT_VALID);
	assert_int_equal(jwt_verify(both, buf_slice(&by_both), ISSUED_S, &arena, &claims), JWT_VALID);
	assert_int_equal(jwt_verify(new, buf_slice(&by_both), ISSUED_S, &arena, &claims), JWT_VALID);
	assert_int_equal(jwt_verify(new, buf_slice(&by_old), ISSUED_S, &arena, &claims), JWT_UNKNOWN_KEY);
	assert_int_equal(jwt_verify(old, buf_slice(&by_both), ISSUED_S, &arena, &claims), JWT_UNKNOWN_KEY);
	buf_free(&by_old);
	buf_free(&by_both);
	jwt_keys_free(old);
	jwt_keys_free(both);
	jwt_keys_free(new);
	arena_reset(&arena);
}

static void
test_keys_refused(void **state UNUSED)
{
	const struct slice many[] = {SECRET, SECRET, SECRET, SECRET, SECRET};
	const struct slice weak[] = {SECRET, SLICE("31 bytes, which is one too few.")};

	assert_int_equal(weak[1].len, 31);
	assert_null(keys_of(many, 0, "agentd"));
	assert_null(keys_of(many, JWT_KEYS_MAX + 1, "agentd"));
	assert_null(keys_of(weak, 2, "agentd"));
	assert_null(keys_of(many, 1, ""));
	assert_null(keys_of(many, 1, NULL));
	jwt_keys_free(NULL);
}

static void
test_words(void **state UNUSED)
{
	assert_string_equal(jwt_result_code(JWT_EXPIRED), "expired");
	assert_string_equal(jwt_result_code(JWT_BAD_SIGNATURE), "bad_signature");
	assert_string_equal(jwt_result_code(JWT_MISSING_CLAIM), "missing_claim");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),      cmocka_unit_test(test_identity),
	    cmocka_unit_test(test_made_elsewhere),  cmocka_unit_test(test_any_change),
	    cmocka_unit_test(test_headers),         cmocka_unit_test(test_refused_header_members),
	    cmocka_unit_test(test_payloads),        cmocka_unit_test(test_principal),
	    cmocka_unit_test(test_expiry),          cmocka_unit_test(test_forms),
	    cmocka_unit_test(test_signature_first), cmocka_unit_test(test_size),
	    cmocka_unit_test(test_rotation),        cmocka_unit_test(test_keys_refused),
	    cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests_name("jwt", tests, set_up, tear_down);
}
