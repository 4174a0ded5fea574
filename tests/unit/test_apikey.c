/* test_apikey.c - API keys: a key made elsewhere by the same description, and every single typing error refused. */
#include "base.h"

#include "apikey.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

/* Secret bytes 00..1f, id 0123456789abcdef; made by another program. */
#define FIXED "agd_sk_0123456789abcdef.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh81DtdLf"
#define FIXED_HASH "630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd"

static void
test_fixed(void **state UNUSED)
{
	struct apikey key;
	char hex[2 * CRYPTO_SHA256_SIZE + 1];

	assert_true(apikey_parse(SLICE(FIXED), &key));
	assert_int_equal(key.type, APIKEY_SECRET);
	assert_string_equal(key.id, "agd_sk_0123456789abcdef");
	crypto_hex(key.hash, sizeof(key.hash), hex);
	assert_string_equal(hex, FIXED_HASH);
}

static void
test_create(void **state UNUSED)
{
	static const enum apikey_type types[] = {APIKEY_SECRET, APIKEY_PUBLIC};
	static const char *const prefixes[] = {"agd_sk_", "agd_pk_"};
	char last[APIKEY_TEXT_SIZE] = "", text[APIKEY_TEXT_SIZE];

	for (int i = 0; i < 1000; i++) {
		struct apikey made, parsed;

		apikey_create(types[i % 2], &made, text);
		assert_int_equal(strlen(text), APIKEY_TEXT_SIZE - 1);
		assert_memory_equal(text, prefixes[i % 2], 7);
		assert_memory_equal(text, made.id, strlen(made.id));
		assert_true(apikey_parse(slice_of(text), &parsed));
		assert_int_equal(parsed.type, types[i % 2]);
		assert_string_equal(parsed.id, made.id);
		assert_memory_equal(parsed.hash, made.hash, sizeof(made.hash));
		assert_memory_not_equal(last + 7, text + 7, 16);
		assert_memory_not_equal(last + 24, text + 24, 43);
		memcpy(last, text, sizeof(last));
	}
}

/* Every other byte at every place, and every swap of neighbours. */
static void
test_typing_errors(void **state UNUSED)
{
	char text[] = FIXED;
	struct apikey key;

	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		char right = text[i];

		for (int other = 0; other < 256; other++) {
			text[i] = (char)other;
			if (text[i] != right && apikey_parse((struct slice){text, sizeof(text) - 1}, &key))
				fail_msg("byte %d at %zu was taken", other, i);
		}
		text[i] = right;
		if (i && text[i - 1] != right) {
			text[i] = text[i - 1];
			text[i - 1] = right;
			assert_false(apikey_parse((struct slice){text, sizeof(text) - 1}, &key));
			text[i - 1] = text[i];
			text[i] = right;
		}
	}
	assert_true(apikey_parse((struct slice){text, sizeof(text) - 1}, &key));
}

/* A text with a right checksum and a wrong form: for the checks behind the checksum. */
static bool
parse_with_checksum(const char *start)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	char text[APIKEY_TEXT_SIZE + 1];
	uint32_t crc = crypto_crc32(slice_of(start));
	size_t len = strlen(start);
	struct apikey key;

	assert_true(len <= 68);
	memcpy(text, start, len);
	for (size_t i = 6; i-- > 0; crc /= 62)
		text[len + i] = digits[crc % 62];
	return apikey_parse((struct slice){text, len + 6}, &key);
}

static void
test_form(void **state UNUSED)
{
	struct apikey key;

	assert_true(parse_with_checksum("agd_sk_0123456789abcdef.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"));
	assert_true(parse_with_checksum("agd_pk_0123456789abcdef.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"));
	assert_false(parse_with_checksum("agd_xk_0123456789abcdef.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"));
	assert_false(parse_with_checksum("agd_sk_0123456789ABCDEF.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"));
	assert_false(parse_with_checksum("agd_sk_0123456789abcdef-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"));
	/* The last digit's unused bits set; a digit of plain base64; one character less and more. */
	assert_false(parse_with_checksum("agd_sk_0123456789abcdef.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9"));
	assert_false(parse_with_checksum("agd_sk_0123456789abcdef.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdH+8"));
	assert_false(parse_with_checksum("agd_sk_0123456789abcdef.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh"));
	assert_false(parse_with_checksum("agd_sk_0123456789abcdef.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8A"));
	assert_false(apikey_parse(SLICE(""), &key));
	assert_false(apikey_parse(SLICE_NONE, &key));
}

static void
test_looks_like(void **state UNUSED)
{
	assert_true(apikey_looks_like(SLICE(FIXED)));
	assert_true(apikey_looks_like(SLICE("agd_sk_wrong")));
	assert_false(apikey_looks_like(SLICE("eyJhbGciOiJIUzI1NiJ9.e30.c2ln")));
	assert_false(apikey_looks_like(SLICE("agd")));
	assert_false(apikey_looks_like(SLICE_NONE));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_fixed), cmocka_unit_test(test_create),     cmocka_unit_test(test_typing_errors),
	    cmocka_unit_test(test_form),  cmocka_unit_test(test_looks_like),
	};

	return cmocka_run_group_tests_name("apikey", tests, NULL, NULL);
}
