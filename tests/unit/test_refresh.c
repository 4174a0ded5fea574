/* test_refresh.c - refresh tokens: made, known again, and refused when this server did not make them; sealed answers.
 */
#include "base.h"

#include "crypto_seal.h"
#include "refresh.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#define SECRET SLICE("correct horse battery staple, twice.")
#define OTHER SLICE("an older secret that is being rotated out")
#define SESSION "0192f7c4-0000-7000-8000-00000000000b"

static int
set_up(void **state)
{
	*state = refresh_keys_new(&SECRET, 1);
	return 0;
}

static int
tear_down(void **state)
{
	refresh_keys_free(*state);
	return 0;
}

static void
test_token_is_known_again(void **state)
{
	struct refresh_token made, read;
	char text[REFRESH_TEXT_SIZE], second[REFRESH_TEXT_SIZE];

	refresh_create(*state, 7, SESSION, &made, text);
	assert_int_equal(strlen(text), REFRESH_TEXT_SIZE - 1);
	assert_memory_equal(text, "agd_rt_", 7);
	assert_true(refresh_parse(*state, slice_of(text), &read));
	assert_int_equal(read.tenant, 7);
	assert_string_equal(read.session, SESSION);
	assert_string_equal(read.hash, made.hash);
	assert_int_equal(strlen(read.hash), 64);
	refresh_create(*state, 7, SESSION, &made, second);
	assert_string_not_equal(text, second);
	refresh_create(*state, INT32_MAX, SESSION, &made, second);
	assert_true(refresh_parse(*state, slice_of(second), &read));
	assert_int_equal(read.tenant, INT32_MAX);
}

static void
test_every_changed_character_is_noticed(void **state)
{
	struct refresh_token token;
	char text[REFRESH_TEXT_SIZE + 1];

	refresh_create(*state, 1, SESSION, &token, text);
	for (size_t i = 0; i < REFRESH_TEXT_SIZE - 1; i++) {
		char kept = text[i];

		text[i] = kept == 'A' ? 'B' : 'A';
		assert_false(refresh_parse(*state, slice_of(text), &token));
		text[i] = '=';
		assert_false(refresh_parse(*state, slice_of(text), &token));
		text[i] = kept;
	}
	assert_true(refresh_parse(*state, slice_of(text), &token));
	assert_false(refresh_parse(*state, (struct slice){text, REFRESH_TEXT_SIZE - 2}, &token));
	text[REFRESH_TEXT_SIZE - 1] = 'A';
	assert_false(refresh_parse(*state, (struct slice){text, REFRESH_TEXT_SIZE}, &token));
	assert_false(refresh_parse(*state, SLICE(""), &token));
	assert_false(refresh_parse(*state, SLICE_NONE, &token));
}

static void
test_secret_is_rotated_with_an_overlap(void **state)
{
	struct slice secrets[] = {OTHER, SECRET};
	struct refresh_keys *both = refresh_keys_new(secrets, 2), *later = refresh_keys_new(secrets, 1);
	struct buf sealed = {0}, answer = {0};
	struct refresh_token token;
	char text[REFRESH_TEXT_SIZE];

	refresh_create(*state, 1, SESSION, &token, text);
	refresh_seal(*state, slice_of(text), SLICE("{}"), &sealed);
	assert_true(refresh_parse(both, slice_of(text), &token));
	assert_true(refresh_unseal(both, slice_of(text), buf_slice(&sealed), &answer));
	assert_true(slice_is(buf_slice(&answer), "{}"));
	assert_false(refresh_parse(later, slice_of(text), &token));
	assert_false(refresh_unseal(later, slice_of(text), buf_slice(&sealed), &answer));
	refresh_create(both, 1, SESSION, &token, text);
	assert_true(refresh_parse(later, slice_of(text), &token));
	assert_false(refresh_parse(*state, slice_of(text), &token));
	refresh_keys_free(both);
	refresh_keys_free(later);
	buf_free(&sealed);
	buf_free(&answer);
}

static void
test_answer_is_for_its_token_only(void **state)
{
	static const char text[] = "{\"access_token\":\"secret\"}";
	struct buf sealed = {0}, answer = {0};

	refresh_seal(*state, SLICE("token one"), SLICE(text), &sealed);
	assert_null(memmem(sealed.data, sealed.len, "secret", 6));
	assert_false(refresh_unseal(*state, SLICE("token two"), buf_slice(&sealed), &answer));
	assert_int_equal(answer.len, 0);
	assert_true(refresh_unseal(*state, SLICE("token one"), buf_slice(&sealed), &answer));
	assert_true(slice_is(buf_slice(&answer), text));
	for (size_t i = 0; i < sealed.len; i++) {
		char kept = sealed.data[i];

		sealed.data[i] = kept == 'A' ? 'B' : 'A';
		assert_false(refresh_unseal(*state, SLICE("token one"), buf_slice(&sealed), &answer));
		sealed.data[i] = kept;
	}
	assert_false(refresh_unseal(*state, SLICE("token one"), SLICE(""), &answer));
	assert_false(refresh_unseal(*state, SLICE("token one"), SLICE("AAAA"), &answer));
	buf_free(&sealed);
	buf_free(&answer);
}

/* Test case 14 of "The Galois/Counter Mode of Operation" (McGrew, Viega): the layout is nonce, ciphertext, tag. */
static void
test_seal_is_aes_256_gcm(void **state UNUSED)
{
	static const uint8_t key[CRYPTO_SEAL_KEY], zeros[16];
	static const char sealed[] = "\0\0\0\0\0\0\0\0\0\0\0\0"
	                             "\xce\xa7\x40\x3d\x4d\x60\x6b\x6e\x07\x4e\xc5\xd3\xba\xf3\x9d\x18"
	                             "\xd0\xd1\xc8\xa7\x99\x99\x6b\xf0\x26\x5b\x98\xb5\xd4\x8a\xb9\x19";
	struct buf text = {0};

	assert_true(crypto_unseal(key, SLICE(""), SLICE(sealed), &text));
	assert_int_equal(text.len, 16);
	assert_memory_equal(text.data, zeros, 16);
	buf_free(&text);
}

static void
test_seal_of_any_size(void **state UNUSED)
{
	uint8_t key[CRYPTO_SEAL_KEY];
	char text[1000];

	crypto_random(key, sizeof(key));
	memset(text, 'x', sizeof(text));
	for (size_t len = 0; len <= sizeof(text); len += len < 40 ? 1 : 480) {
		struct buf sealed = {0}, again = {0}, out = {0};

		crypto_seal(key, SLICE(""), (struct slice){text, len}, &sealed);
		crypto_seal(key, SLICE(""), (struct slice){text, len}, &again);
		assert_int_equal(sealed.len, len + CRYPTO_SEAL_MORE);
		assert_memory_not_equal(sealed.data, again.data, sealed.len);
		assert_true(crypto_unseal(key, SLICE(""), buf_slice(&sealed), &out));
		assert_true(slice_equal(buf_slice(&out), (struct slice){text, len}));
		assert_false(crypto_unseal(key, SLICE(""), (struct slice){sealed.data, sealed.len - 1}, &out));
		buf_free(&sealed);
		buf_free(&again);
		buf_free(&out);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_token_is_known_again),
	    TEST(test_every_changed_character_is_noticed),
	    TEST(test_secret_is_rotated_with_an_overlap),
	    TEST(test_answer_is_for_its_token_only),
	    TEST(test_seal_is_aes_256_gcm),
	    TEST(test_seal_of_any_size),
	};

	return cmocka_run_group_tests_name("refresh", tests, NULL, NULL);
}
