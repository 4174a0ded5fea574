/* test_crypto.c - digests and encodings against the published vectors; strictness; randomness across fork(). */
#include "base.h"

#include "crypto.h"
#include "crypto_seal.h"

#include <sys/wait.h>
#include <unistd.h>

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static void
assert_digest(const uint8_t digest[CRYPTO_SHA256_SIZE], const char *expected)
{
	char hex[2 * CRYPTO_SHA256_SIZE + 1];

	crypto_hex(digest, CRYPTO_SHA256_SIZE, hex);
	assert_string_equal(hex, expected);
}

/* FIPS 180-2, appendix B, and the empty message. */
static void
test_sha256(void **state UNUSED)
{
	static const struct {
		struct slice data;
		const char *digest;
	} cases[] = {
	    {SLICE(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	    {SLICE("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	    {SLICE("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
	     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	};
	uint8_t digest[CRYPTO_SHA256_SIZE];
	char *million = malloc(1000000);

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		crypto_sha256(cases[i].data, digest);
		assert_digest(digest, cases[i].digest);
	}
	assert_non_null(million);
	memset(million, 'a', 1000000);
	crypto_sha256((struct slice){million, 1000000}, digest);
	assert_digest(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(million);
}

static struct slice
repeated(char *out, int byte, size_t len)
{
	memset(out, byte, len);
	return (struct slice){out, len};
}

/* RFC 4231, cases 1 to 4, 6 and 7 (5 is about truncation), and an empty key; each twice, with one key between others.
 */
static void
test_hmac(void **state UNUSED)
{
	char k1[20], k3[20], d3[50], d4[50], k6[131];
	const struct {
		struct slice key, data;
		const char *mac;
	} cases[] = {
	    {repeated(k1, 0x0b, 20), SLICE("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
	    {SLICE("Jefe"), SLICE("what do ya want for nothing?"),
	     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
	    {repeated(k3, 0xaa, 20), repeated(d3, 0xdd, 50),
	     "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
	    {SLICE("\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20\21\22\23\24\25\26\27\30\31"), repeated(d4, 0xcd, 50),
	     "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
	    {repeated(k6, 0xaa, 131), SLICE("Test Using Larger Than Block-Size Key - Hash Key First"),
	     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	    {repeated(k6, 0xaa, 131),
	     SLICE(
	         "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be "
	         "hashed before being used by the HMAC algorithm."),
	     "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
	    {SLICE_NONE, SLICE_NONE, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
	};
	struct crypto_hmac *macs[ARRAY_LENGTH(cases)];
	uint8_t mac[CRYPTO_SHA256_SIZE];

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		macs[i] = crypto_hmac_new(cases[i].key);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
			crypto_hmac_sign(macs[i], cases[i].data, mac);
			assert_digest(mac, cases[i].mac);
		}
	}
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		crypto_hmac_free(macs[i]);
	crypto_hmac_free(NULL);
}

/* The 64 vectors of the reference implementation: key 00..0f, messages 00..n. */
static void
test_siphash(void **state UNUSED)
{
	static const uint64_t expected[64] = {
	    0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d, 0xcf2794e0277187b7,
	    0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137, 0x93f5f5799a932462, 0x9e0082df0ba9e4b0,
	    0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7, 0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee,
	    0xa129ca6149be45e5, 0x3f2acc7f57c29bdb, 0x699ae9f52cbe4794, 0x4bc1b3f0968dd39c, 0xbb6dc91da77961bd,
	    0xbed65cf21aa2ee98, 0xd0f2cbb02e3b67c7, 0x93536795e3a33e88, 0xa80c038ccd5ccec8, 0xb8ad50c6f649af94,
	    0xbce192de8a85b8ea, 0x17d835b85bbb15f3, 0x2f2e6163076bcfad, 0xde4daaaca71dc9a5, 0xa6a2506687956571,
	    0xad87a3535c49ef28, 0x32d892fad841c342, 0x7127512f72f27cce, 0xa7f32346f95978e3, 0x12e0b01abb051238,
	    0x15e034d40fa197ae, 0x314dffbe0815a3b4, 0x027990f029623981, 0xcadcd4e59ef40c4d, 0x9abfd8766a33735c,
	    0x0e3ea96b5304a7d0, 0xad0c42d6fc585992, 0x187306c89bc215a9, 0xd4a60abcf3792b95, 0xf935451de4f21df2,
	    0xa9538f0419755787, 0xdb9acddff56ca510, 0xd06c98cd5c0975eb, 0xe612a3cb9ecba951, 0xc766e62cfcadaf96,
	    0xee64435a9752fe72, 0xa192d576b245165a, 0x0a8787bf8ecb74b2, 0x81b3e73d20b49b6f, 0x7fa8220ba3b2ecea,
	    0x245731c13ca42499, 0xb78dbfaf3a8d83bd, 0xea1ad565322a1a0b, 0x60e61c23a3795013, 0x6606d7e446282b93,
	    0x6ca4ecb15c5f91e1, 0x9f626da15c9625f3, 0xe51b38608ef25f57, 0x958a324ceb064572,
	};
	uint8_t key[16];
	char message[64];

	for (int i = 0; i < 64; i++)
		message[i] = (char)i;
	memcpy(key, message, sizeof(key));
	for (size_t len = 0; len < 64; len++)
		assert_int_equal(crypto_siphash(key, (struct slice){message, len}), expected[len]);
}

static void
test_crc32(void **state UNUSED)
{
	assert_int_equal(crypto_crc32(SLICE("")), 0);
	assert_int_equal(crypto_crc32(SLICE("123456789")), 0xcbf43926);
	assert_int_equal(crypto_crc32(SLICE("The quick brown fox jumps over the lazy dog")), 0x414fa339);
	assert_int_equal(crypto_crc32(SLICE("\xff\xff\xff\xff")), 0xffffffff);
}

/* RFC 4648, section 10, without the padding, and the two digits that differ from base64. */
static void
test_base64url_vectors(void **state UNUSED)
{
	static const struct {
		struct slice data;
		const char *text;
	} cases[] = {
	    {SLICE(""), ""},
	    {SLICE("f"), "Zg"},
	    {SLICE("fo"), "Zm8"},
	    {SLICE("foo"), "Zm9v"},
	    {SLICE("foob"), "Zm9vYg"},
	    {SLICE("fooba"), "Zm9vYmE"},
	    {SLICE("foobar"), "Zm9vYmFy"},
	    {SLICE("\xfb\xff"), "-_8"},
	};
	uint8_t back[16];
	size_t len;

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct buf out = {0};

		buf_add_text(&out, "x");
		crypto_base64url_encode(&out, cases[i].data);
		assert_int_equal(out.data[0], 'x');
		assert_true(slice_is((struct slice){out.data + 1, out.len - 1}, cases[i].text));
		assert_true(crypto_base64url_decode(slice_of(cases[i].text), back, &len));
		assert_true(slice_equal((struct slice){(char *)back, len}, cases[i].data));
		buf_free(&out);
	}
}

/* Exactly one text decodes to each value: of all texts of one, two and three bytes as many are taken as there are
 * values. */
static void
test_base64url_is_canonical(void **state UNUSED)
{
	int taken[4] = {0};
	uint8_t out[4];
	size_t len;
	char text[4];

	for (unsigned n = 0; n < 1U << 24; n += n < 1U << 16 ? 1 : 257) {
		text[0] = (char)n;
		text[1] = (char)(n >> 8);
		text[2] = (char)(n >> 16);
		if (n < 1U << 8)
			taken[1] += crypto_base64url_decode((struct slice){text, 1}, out, &len);
		if (n < 1U << 16)
			taken[2] += crypto_base64url_decode((struct slice){text, 2}, out, &len);
		/* Three bytes: the last one must have its two lowest bits zero, whatever the others are. */
		if (crypto_base64url_decode((struct slice){text, 3}, out, &len))
			assert_non_null(strchr("AEIMQUYcgkosw048", text[2]));
	}
	assert_int_equal(taken[1], 0);
	assert_int_equal(taken[2], 256);
}

static void
test_base64url_refuses(void **state UNUSED)
{
	static const struct slice cases[] = {
	    SLICE("Zg=="), SLICE("Zg="),    SLICE("="),       SLICE("Zm9vY"), SLICE("Zm9+"),
	    SLICE("Zm9/"), SLICE("Zm 9"),   SLICE("Zm9v\n"),  SLICE("Zm9\0"), SLICE("Zh"),
	    SLICE("Zm9"),  SLICE("Zm9vYh"), SLICE("Zm9\xc3"), SLICE(" Zm9v"), SLICE("Zm9vZg.."),
	};
	uint8_t out[16];
	size_t len;

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		if (crypto_base64url_decode(cases[i], out, &len))
			fail_msg("\"%.*s\" was taken", SLICE_ARG(cases[i]));
}

static void
test_base64url_round_trip(void **state UNUSED)
{
	uint8_t data[100], back[140];
	struct buf text = {0};

	crypto_random(data, sizeof(data));
	for (size_t n = 0; n <= sizeof(data); n++) {
		size_t len;

		text.len = 0;
		crypto_base64url_encode(&text, (struct slice){(char *)data, n});
		assert_int_equal(text.len, (n * 4 + 2) / 3);
		assert_true(crypto_base64url_decode(buf_slice(&text), back, &len));
		assert_int_equal(len, n);
		assert_memory_equal(back, data, n);
	}
	buf_free(&text);
}

static void
test_equal_and_wipe(void **state UNUSED)
{
	char a[] = "the same sixteen", b[] = "the same sixteen";
	const char zero[sizeof(a)] = {0};

	assert_true(crypto_equal(a, b, sizeof(a)));
	b[0] ^= 1;
	assert_false(crypto_equal(a, b, sizeof(a)));
	b[0] ^= 1;
	b[15] ^= 1;
	assert_false(crypto_equal(a, b, sizeof(a)));
	assert_true(crypto_equal(a, b, 15));
	assert_true(crypto_equal(a, b, 0));
	crypto_wipe(a, sizeof(a));
	assert_memory_equal(a, zero, sizeof(a));
}

/* Two draws differ, and so do those of a parent and its child. */
static void
test_random(void **state UNUSED)
{
	uint8_t first[32], second[32], child[32];
	int ends[2], status;
	pid_t pid;

	crypto_random(first, sizeof(first));
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	crypto_random(second, sizeof(second));
	if (pid == 0)
		_exit(write(ends[1], second, sizeof(second)) != sizeof(second));
	assert_int_equal(read(ends[0], child, sizeof(child)), sizeof(child));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_memory_not_equal(first, second, sizeof(first));
	assert_memory_not_equal(first, child, sizeof(first));
	assert_memory_not_equal(second, child, sizeof(second));
	close(ends[0]);
	close(ends[1]);
}

static size_t
bytes_of(const char *hex, uint8_t *out)
{
	size_t len = strlen(hex) / 2;

	for (size_t i = 0; i < len; i++) {
		char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
		out[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return len;
}

/* RFC 5869, appendix A.3; and another purpose makes another key. */
static void
test_derive(void **state UNUSED)
{
	char secret[22], hex[2 * 42 + 1];
	uint8_t out[42], other[42];

	memset(secret, 0x0b, sizeof(secret));
	crypto_derive((struct slice){secret, sizeof(secret)}, "", out, sizeof(out));
	crypto_hex(out, sizeof(out), hex);
	assert_string_equal(hex, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
	crypto_derive((struct slice){secret, sizeof(secret)}, "else", other, sizeof(other));
	assert_memory_not_equal(out, other, sizeof(out));
}

#define GCM_KEY "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
#define GCM_TEXT                                                       \
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72" \
	"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define GCM_SEALED                                                     \
	"cafebabefacedbaddecaf888"                                         \
	"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa" \
	"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"         \
	"76fc6ece0f4e1768cddf8853bb2d551b"

/* The GCM specification's test case 16; then every bit of it turned over, and each shorter length. */
static void
test_open(void **state UNUSED)
{
	uint8_t key[32], sealed[128], about[20], text[64];
	size_t len = bytes_of(GCM_SEALED, sealed), text_len = bytes_of(GCM_TEXT, text);
	struct slice whole = {(const char *)sealed, len};
	struct slice what = {(const char *)about, bytes_of("feedfacedeadbeeffeedfacedeadbeefabaddad2", about)};
	struct buf out = {0};

	bytes_of(GCM_KEY, key);
	assert_true(crypto_unseal(key, what, whole, &out));
	assert_int_equal(out.len, text_len);
	assert_memory_equal(out.data, text, text_len);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(crypto_unseal(key, what, whole, &out));
		sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t shorter = 0; shorter < len; shorter++)
		assert_false(crypto_unseal(key, what, (struct slice){whole.data, shorter}, &out));
	about[0] ^= 1;
	assert_false(crypto_unseal(key, what, whole, &out));
	about[0] ^= 1;
	key[31] ^= 1;
	assert_false(crypto_unseal(key, what, whole, &out));
	assert_int_equal(out.len, text_len);
	buf_free(&out);
}

static void
test_seal(void **state UNUSED)
{
	uint8_t key[CRYPTO_SEAL_KEY];
	struct buf first = {0}, second = {0}, out = {0};
	char text[300];

	crypto_random(key, sizeof(key));
	crypto_random(text, sizeof(text));
	for (size_t len = 0; len <= sizeof(text); len++) {
		struct slice plain = {text, len};
		first.len = second.len = out.len = 0;
		crypto_seal(key, SLICE("about"), plain, &first);
		crypto_seal(key, SLICE("about"), plain, &second);
		assert_int_equal(first.len, len + 28);
		assert_memory_not_equal(first.data, second.data, first.len);
		assert_true(crypto_unseal(key, SLICE("about"), buf_slice(&first), &out));
		assert_true(slice_equal(buf_slice(&out), plain));
		assert_false(crypto_unseal(key, SLICE("abouT"), buf_slice(&first), &out));
		assert_false(crypto_unseal(key, SLICE(""), buf_slice(&first), &out));
	}
	buf_free(&first);
	buf_free(&second);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_derive),
	    cmocka_unit_test(test_open),
	    cmocka_unit_test(test_seal),
	    cmocka_unit_test(test_sha256),
	    cmocka_unit_test(test_hmac),
	    cmocka_unit_test(test_siphash),
	    cmocka_unit_test(test_crc32),
	    cmocka_unit_test(test_base64url_vectors),
	    cmocka_unit_test(test_base64url_is_canonical),
	    cmocka_unit_test(test_base64url_refuses),
	    cmocka_unit_test(test_base64url_round_trip),
	    cmocka_unit_test(test_equal_and_wipe),
	    cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("crypto", tests, NULL, NULL);
}
