/*
 * apikey.c - see apikey.h. There is one valid text for each key: hex is lower case, base64url is canonical and the
 * checksum is compared as text. The secret part leaves no copy behind on the stack.
 */
#include "apikey.h"

#include "buf.h"

enum { PREFIX_SIZE = 7, RANDOM_SIZE = 32, SECRET_AT = APIKEY_ID_SIZE, CHECKSUM_AT = SECRET_AT + 43, CHECKSUM_SIZE = 6 };

static const char prefixes[][PREFIX_SIZE + 1] = {[APIKEY_SECRET] = "agd_sk_", [APIKEY_PUBLIC] = "agd_pk_"};

/* Six base62 digits, the highest first, of the checksum of text. */
static void
checksum(struct slice text, char out[CHECKSUM_SIZE])
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	uint32_t crc = crypto_crc32(text);

	for (int i = CHECKSUM_SIZE - 1; i >= 0; i--) {
		out[i] = digits[crc % 62];
		crc /= 62;
	}
}

void
apikey_create(enum apikey_type type, struct apikey *key_r, char text_r[APIKEY_TEXT_SIZE])
{
	uint8_t id[8], secret[RANDOM_SIZE];
	struct buf text = {0};

	crypto_random(id, sizeof(id));
	crypto_random(secret, sizeof(secret));
	key_r->type = type;
	memcpy(key_r->id, prefixes[type], PREFIX_SIZE);
	crypto_hex(id, sizeof(id), key_r->id + PREFIX_SIZE);
	crypto_sha256((struct slice){(const char *)secret, sizeof(secret)}, key_r->hash);

	buf_add_text(&text, key_r->id);
	buf_add_byte(&text, '.');
	crypto_base64url_encode(&text, (struct slice){(const char *)secret, sizeof(secret)});
	INVARIANT(text.len == CHECKSUM_AT);
	memcpy(text_r, text.data, text.len);
	checksum(buf_slice(&text), text_r + CHECKSUM_AT);
	text_r[APIKEY_TEXT_SIZE - 1] = '\0';
	crypto_wipe(text.data, text.len);
	buf_free(&text);
	crypto_wipe(secret, sizeof(secret));
}

static bool
parse_id(struct slice text, struct apikey *key_r)
{
	if (memcmp(text.data, prefixes[APIKEY_SECRET], PREFIX_SIZE) == 0)
		key_r->type = APIKEY_SECRET;
	else if (memcmp(text.data, prefixes[APIKEY_PUBLIC], PREFIX_SIZE) == 0)
		key_r->type = APIKEY_PUBLIC;
	else
		return false;
	for (size_t i = PREFIX_SIZE; i < APIKEY_ID_SIZE - 1; i++)
		if (!((text.data[i] >= '0' && text.data[i] <= '9') || (text.data[i] >= 'a' && text.data[i] <= 'f')))
			return false;
	memcpy(key_r->id, text.data, APIKEY_ID_SIZE - 1);
	key_r->id[APIKEY_ID_SIZE - 1] = '\0';
	return text.data[APIKEY_ID_SIZE - 1] == '.';
}

bool
apikey_parse(struct slice text, struct apikey *key_r)
{
	uint8_t secret[43];
	char expected[CHECKSUM_SIZE];
	size_t len;
	bool ok;

	if (text.len != APIKEY_TEXT_SIZE - 1 || !parse_id(text, key_r))
		return false;
	checksum((struct slice){text.data, CHECKSUM_AT}, expected);
	if (memcmp(text.data + CHECKSUM_AT, expected, CHECKSUM_SIZE) != 0)
		return false;
	ok = crypto_base64url_decode((struct slice){text.data + SECRET_AT, 43}, secret, &len);
	if (ok)
		crypto_sha256((struct slice){(const char *)secret, len}, key_r->hash);
	crypto_wipe(secret, sizeof(secret));
	return ok;
}

bool
apikey_looks_like(struct slice text)
{
	return text.len >= 4 && memcmp(text.data, "agd_", 4) == 0;
}
