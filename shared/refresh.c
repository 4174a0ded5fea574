/*
 * refresh.c - see refresh.h. The bytes of a token: tenant (4, big endian), session (16), random (32), code (16): the
 * first half of an HMAC-SHA256 of what stands before it.
 */
#include "refresh.h"

#include "crypto_seal.h"

#include <endian.h>

enum { KEYS_MAX = 2, TENANT = 4, RANDOM = 32, SIGNED = TENANT + UUID_SIZE + RANDOM, CODE = 16, BYTES = SIGNED + CODE };

static const char prefix[] = "agd_rt_";

enum { PREFIX_SIZE = sizeof(prefix) - 1 };

/* A secret is used for one thing only: each use has a key of its own. */
struct key {
	struct crypto_hmac *codes;
	struct crypto_hmac *seals;
};

struct refresh_keys {
	struct key keys[KEYS_MAX];
	int count;
};

static struct crypto_hmac *
derive(struct slice secret, struct slice purpose)
{
	struct crypto_hmac *parent = crypto_hmac_new(secret), *child;
	uint8_t key[CRYPTO_SHA256_SIZE];

	crypto_hmac_sign(parent, purpose, key);
	child = crypto_hmac_new((struct slice){(const char *)key, sizeof(key)});
	crypto_wipe(key, sizeof(key));
	crypto_hmac_free(parent);
	return child;
}

struct refresh_keys *
refresh_keys_new(const struct slice *secrets, int count)
{
	struct refresh_keys *keys = mem_zero(sizeof(*keys));

	INVARIANT(count >= 1 && count <= KEYS_MAX);
	keys->count = count;
	for (int i = 0; i < count; i++) {
		keys->keys[i].codes = derive(secrets[i], SLICE("agentd refresh token"));
		keys->keys[i].seals = derive(secrets[i], SLICE("agentd refresh answer"));
	}
	return keys;
}

void
refresh_keys_free(struct refresh_keys *keys)
{
	if (!keys)
		return;
	for (int i = 0; i < keys->count; i++) {
		crypto_hmac_free(keys->keys[i].codes);
		crypto_hmac_free(keys->keys[i].seals);
	}
	free(keys);
}

static void
hash_text(struct slice text, char hash_r[REFRESH_HASH_SIZE])
{
	uint8_t digest[CRYPTO_SHA256_SIZE];

	crypto_sha256(text, digest);
	crypto_hex(digest, sizeof(digest), hash_r);
}

void
refresh_create(struct refresh_keys *keys, int64_t tenant, const char *session, struct refresh_token *token_r,
               char text_r[REFRESH_TEXT_SIZE])
{
	uint8_t bytes[SIGNED + CRYPTO_SHA256_SIZE];
	uint32_t number = htobe32((uint32_t)tenant);
	struct buf text = {0};

	INVARIANT(tenant >= 0 && tenant <= INT32_MAX);
	memcpy(bytes, &number, TENANT);
	INVARIANT(uuid_parse(slice_of(session), bytes + TENANT));
	crypto_random(bytes + TENANT + UUID_SIZE, RANDOM);
	crypto_hmac_sign(keys->keys[0].codes, (struct slice){(const char *)bytes, SIGNED}, bytes + SIGNED);
	buf_add_text(&text, prefix);
	crypto_base64url_encode(&text, (struct slice){(const char *)bytes, BYTES});
	INVARIANT(text.len == REFRESH_TEXT_SIZE - 1);
	memcpy(text_r, text.data, text.len);
	text_r[text.len] = '\0';
	token_r->tenant = tenant;
	uuid_format(bytes + TENANT, token_r->session);
	hash_text(buf_slice(&text), token_r->hash);
	crypto_wipe(text.data, text.len);
	crypto_wipe(bytes, sizeof(bytes));
	buf_free(&text);
}

static bool
has_code(struct refresh_keys *keys, const uint8_t *bytes)
{
	uint8_t code[CRYPTO_SHA256_SIZE];
	bool found = false;

	for (int i = 0; i < keys->count; i++) {
		crypto_hmac_sign(keys->keys[i].codes, (struct slice){(const char *)bytes, SIGNED}, code);
		found |= crypto_equal(code, bytes + SIGNED, CODE);
	}
	return found;
}

bool
refresh_parse(struct refresh_keys *keys, struct slice text, struct refresh_token *token_r)
{
	uint8_t bytes[REFRESH_TEXT_SIZE];
	uint32_t number;
	size_t len;

	if (text.len != REFRESH_TEXT_SIZE - 1 || memcmp(text.data, prefix, PREFIX_SIZE) != 0)
		return false;
	if (!crypto_base64url_decode((struct slice){text.data + PREFIX_SIZE, text.len - PREFIX_SIZE}, bytes, &len) ||
	    len != BYTES || !has_code(keys, bytes))
		return false;
	memcpy(&number, bytes, TENANT);
	token_r->tenant = be32toh(number);
	uuid_format(bytes + TENANT, token_r->session);
	hash_text(text, token_r->hash);
	crypto_wipe(bytes, sizeof(bytes));
	return true;
}

void
refresh_seal(struct refresh_keys *keys, struct slice text, struct slice answer, struct buf *out)
{
	uint8_t key[CRYPTO_SEAL_KEY];
	struct buf sealed = {0};

	crypto_hmac_sign(keys->keys[0].seals, text, key);
	crypto_seal(key, SLICE(""), answer, &sealed);
	crypto_base64url_encode(out, buf_slice(&sealed));
	crypto_wipe(key, sizeof(key));
	buf_free(&sealed);
}

bool
refresh_unseal(struct refresh_keys *keys, struct slice text, struct slice sealed, struct buf *out)
{
	uint8_t key[CRYPTO_SEAL_KEY], *bytes = mem_alloc(sealed.len + 1);
	bool good = false;
	size_t len;

	if (crypto_base64url_decode(sealed, bytes, &len))
		for (int i = 0; i < keys->count && !good; i++) {
			crypto_hmac_sign(keys->keys[i].seals, text, key);
			good = crypto_unseal(key, SLICE(""), (struct slice){(const char *)bytes, len}, out);
		}
	crypto_wipe(key, sizeof(key));
	free(bytes);
	return good;
}
