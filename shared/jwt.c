/*
 * jwt.c - see jwt.h. One table says which claim is which member of struct jwt_claims; making and checking both walk
 * it. Nothing of the payload is looked at before the signature was found right. aud is the issuer's name as one
 * string: this program talks to itself, so the array form of RFC 7519 is not taken.
 */
#include "jwt.h"

#include "crypto.h"
#include "json_read.h"
#include "json_write.h"
#include "uuid.h"

enum { KID_BYTES = 8, LEEWAY_S = 60 };

static const char token_type[] = "at+jwt";

struct jwt_key {
	const char *algorithm; /* the only one that this key is used with */
	char kid[2 * KID_BYTES + 1];
	struct crypto_hmac *hmac;
	struct buf header; /* encoded, with the dot */
};

struct jwt_keys {
	struct jwt_key keys[JWT_KEYS_MAX]; /* the first signs */
	int count;
	char *issuer;
};

enum claim_type { CLAIM_TEXT, CLAIM_INTEGER };

/* Tokens made here carry every required claim, so a checked one always describes a whole principal. */
static const struct claim_row {
	const char *name;
	size_t offset;
	enum claim_type type;
	bool required;
} claim_rows[] = {
    {"sub", offsetof(struct jwt_claims, user_id), CLAIM_TEXT, true},
    {"user_id", offsetof(struct jwt_claims, user_id), CLAIM_TEXT, true},
    {"username", offsetof(struct jwt_claims, username), CLAIM_TEXT, true},
    {"role", offsetof(struct jwt_claims, role), CLAIM_TEXT, true},
    {"tenant", offsetof(struct jwt_claims, tenant), CLAIM_TEXT, true},
    {"tid", offsetof(struct jwt_claims, tenant_id), CLAIM_INTEGER, true},
    {"jti", offsetof(struct jwt_claims, jti), CLAIM_TEXT, true},
    {"sid", offsetof(struct jwt_claims, session), CLAIM_TEXT, false},
    {"rev", offsetof(struct jwt_claims, changes), CLAIM_INTEGER, false},
    {"iat", offsetof(struct jwt_claims, issued_at), CLAIM_INTEGER, true},
    {"exp", offsetof(struct jwt_claims, expires_at), CLAIM_INTEGER, true},
};

static void
key_init(struct jwt_key *key, struct slice secret)
{
	uint8_t digest[CRYPTO_SHA256_SIZE];
	struct buf text = {0};
	struct json_writer json;

	crypto_sha256(secret, digest);
	crypto_hex(digest, KID_BYTES, key->kid);
	crypto_wipe(digest, sizeof(digest));
	key->algorithm = "HS256";
	key->hmac = crypto_hmac_new(secret);

	json_write_begin(&json, &text);
	json_write_object_open(&json);
	json_write_member_text(&json, "alg", key->algorithm);
	json_write_member_text(&json, "typ", token_type);
	json_write_member_text(&json, "kid", key->kid);
	json_write_object_close(&json);
	crypto_base64url_encode(&key->header, buf_slice(&text));
	buf_add_byte(&key->header, '.');
	buf_free(&text);
}

struct jwt_keys *
jwt_keys_new(const struct slice *secrets, int count, const char *issuer)
{
	struct jwt_keys *keys;

	if (count < 1 || count > JWT_KEYS_MAX || !issuer || !*issuer)
		return NULL;
	for (int i = 0; i < count; i++)
		if (secrets[i].len < JWT_SECRET_MIN)
			return NULL;
	keys = mem_zero(sizeof(*keys));
	keys->count = count;
	keys->issuer = mem_string(issuer);
	for (int i = 0; i < count; i++)
		key_init(&keys->keys[i], secrets[i]);
	return keys;
}

void
jwt_keys_free(struct jwt_keys *keys)
{
	if (!keys)
		return;
	for (int i = 0; i < keys->count; i++) {
		crypto_hmac_free(keys->keys[i].hmac);
		buf_free(&keys->keys[i].header);
	}
	free(keys->issuer);
	free(keys);
}

static void
write_claims(struct json_writer *json, const struct jwt_claims *claims)
{
	for (size_t i = 0; i < ARRAY_LENGTH(claim_rows); i++) {
		const struct claim_row *row = &claim_rows[i];
		const char *member = (const char *)claims + row->offset;

		if (row->type == CLAIM_INTEGER) {
			json_write_member_int(json, row->name, *(const int64_t *)(const void *)member);
		} else {
			struct slice text = *(const struct slice *)(const void *)member;

			INVARIANT(text.len || !row->required);
			if (text.data)
				json_write_member_string(json, row->name, text);
		}
	}
}

void
jwt_create(const struct jwt_keys *keys, const struct jwt_claims *claims, struct buf *out)
{
	const struct jwt_key *key = &keys->keys[0];
	struct jwt_claims all = *claims;
	char made[UUID_TEXT_SIZE];
	uint8_t bytes[CRYPTO_SHA256_SIZE];
	struct buf payload = {0};
	struct json_writer json;
	size_t start = out->len;

	if (!all.jti.data) {
		uuid_new(made);
		all.jti = slice_of(made);
	}
	INVARIANT(uuid_parse(all.jti, bytes));
	json_write_begin(&json, &payload);
	json_write_object_open(&json);
	json_write_member_text(&json, "iss", keys->issuer);
	json_write_member_text(&json, "aud", keys->issuer);
	write_claims(&json, &all);
	json_write_object_close(&json);

	buf_add_slice(out, buf_slice(&key->header));
	crypto_base64url_encode(out, buf_slice(&payload));
	crypto_hmac_sign(key->hmac, (struct slice){out->data + start, out->len - start}, bytes);
	buf_add_byte(out, '.');
	crypto_base64url_encode(out, (struct slice){(const char *)bytes, sizeof(bytes)});
	buf_free(&payload);
}

/* The three parts, and what is signed: the first two with the dot between them. */
struct token {
	struct slice header, payload, signature, signed_text;
};

static bool
split(struct slice text, struct token *token_r)
{
	const char *end, *first, *second;

	if (text.len == 0 || text.len > JWT_SIZE_MAX)
		return false;
	end = text.data + text.len;
	first = memchr(text.data, '.', text.len);
	second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
	if (!second)
		return false;
	token_r->header = (struct slice){text.data, (size_t)(first - text.data)};
	token_r->payload = (struct slice){first + 1, (size_t)(second - first - 1)};
	token_r->signature = (struct slice){second + 1, (size_t)(end - second - 1)};
	token_r->signed_text = (struct slice){text.data, (size_t)(second - text.data)};
	return true;
}

/* Base64url of a strict JSON object; json_parse() refuses duplicate members. */
static bool
decode_object(struct slice text, struct arena *arena, struct json *json_r)
{
	uint8_t *bytes = arena_alloc(arena, text.len);
	struct json_error error;
	size_t len;

	return crypto_base64url_decode(text, bytes, &len) &&
	       json_parse(arena, (struct slice){(const char *)bytes, len}, json_r, &error) &&
	       json_type(json_r, 0) == JSON_OBJECT;
}

/* Absent unless the member is a string. */
static struct slice
get_text(const struct json *json, const char *name, struct arena *arena)
{
	int at = json_get(json, 0, name);

	return at == JSON_NONE || json_type(json, at) != JSON_STRING ? SLICE_NONE : json_string(json, at, arena);
}

static enum jwt_result
find_key(const struct jwt_keys *keys, struct slice encoded, struct arena *arena, const struct jwt_key **key_r)
{
	/* Members that would let a token say where its key is or how it must be read. */
	static const char *const refused[] = {"crit", "jku", "jwk", "x5u", "x5c", "b64", "zip"};
	struct json header;
	struct slice kid, algorithm;

	if (!decode_object(encoded, arena, &header))
		return JWT_MALFORMED;
	for (size_t i = 0; i < ARRAY_LENGTH(refused); i++)
		if (json_get(&header, 0, refused[i]) != JSON_NONE)
			return JWT_MALFORMED;
	if (!slice_is(get_text(&header, "typ", arena), token_type))
		return JWT_MALFORMED;
	kid = get_text(&header, "kid", arena);
	algorithm = get_text(&header, "alg", arena);
	for (int i = 0; i < keys->count; i++) {
		*key_r = &keys->keys[i];
		if (slice_is(kid, (*key_r)->kid))
			return slice_is(algorithm, (*key_r)->algorithm) ? JWT_VALID : JWT_BAD_ALGORITHM;
	}
	return JWT_UNKNOWN_KEY;
}

static enum jwt_result
check_signature(const struct jwt_key *key, const struct token *token, struct arena *arena)
{
	uint8_t *given = arena_alloc(arena, token->signature.len);
	uint8_t expected[CRYPTO_SHA256_SIZE];
	size_t len;

	if (!crypto_base64url_decode(token->signature, given, &len))
		return JWT_MALFORMED;
	crypto_hmac_sign(key->hmac, token->signed_text, expected);
	return len == sizeof(expected) && crypto_equal(given, expected, len) ? JWT_VALID : JWT_BAD_SIGNATURE;
}

static enum jwt_result
read_claim(const struct json *json, const struct claim_row *row, struct arena *arena, void *member)
{
	int at = json_get(json, 0, row->name);
	struct slice text;

	if (at == JSON_NONE)
		return row->required ? JWT_MISSING_CLAIM : JWT_VALID;
	if (row->type == CLAIM_INTEGER)
		return json_int(json, at, member) ? JWT_VALID : JWT_MALFORMED;
	text = get_text(json, row->name, arena);
	if (!text.data)
		return JWT_MALFORMED;
	if (row->required && text.len == 0)
		return JWT_MISSING_CLAIM;
	memcpy(member, &text, sizeof(text));
	return JWT_VALID;
}

/* Every claim has its type, and those that must agree do. */
static enum jwt_result
read_claims(const struct json *json, struct arena *arena, struct jwt_claims *claims_r)
{
	uint8_t bytes[UUID_SIZE];

	*claims_r = (struct jwt_claims){0};
	for (size_t i = 0; i < ARRAY_LENGTH(claim_rows); i++) {
		enum jwt_result result = read_claim(json, &claim_rows[i], arena, (char *)claims_r + claim_rows[i].offset);

		if (result != JWT_VALID)
			return result;
	}
	/* user_id was read last into the member that they share. */
	if (!slice_equal(get_text(json, "sub", arena), claims_r->user_id) || !uuid_parse(claims_r->jti, bytes))
		return JWT_MALFORMED;
	return JWT_VALID;
}

static enum jwt_result
check_names(const struct json *json, const char *issuer, struct arena *arena)
{
	if (json_get(json, 0, "iss") == JSON_NONE || json_get(json, 0, "aud") == JSON_NONE)
		return JWT_MISSING_CLAIM;
	if (!slice_is(get_text(json, "iss", arena), issuer))
		return JWT_WRONG_ISSUER;
	return slice_is(get_text(json, "aud", arena), issuer) ? JWT_VALID : JWT_WRONG_AUDIENCE;
}

static enum jwt_result
check_times(const struct json *json, const struct jwt_claims *claims, int64_t now_s)
{
	int not_before = json_get(json, 0, "nbf");
	int64_t start_s = claims->issued_at;

	if (now_s >= claims->expires_at)
		return JWT_EXPIRED;
	if (start_s > now_s + LEEWAY_S)
		return JWT_NOT_YET;
	if (not_before == JSON_NONE)
		return JWT_VALID;
	if (!json_int(json, not_before, &start_s))
		return JWT_MALFORMED;
	return start_s > now_s + LEEWAY_S ? JWT_NOT_YET : JWT_VALID;
}

enum jwt_result
jwt_verify(const struct jwt_keys *keys, struct slice text, int64_t now_s, struct arena *arena,
           struct jwt_claims *claims_r)
{
	const struct jwt_key *key = NULL;
	struct token token;
	struct json payload;
	enum jwt_result result;

	if (!split(text, &token))
		return JWT_MALFORMED;
	if ((result = find_key(keys, token.header, arena, &key)) != JWT_VALID)
		return result;
	if ((result = check_signature(key, &token, arena)) != JWT_VALID)
		return result;
	if (!decode_object(token.payload, arena, &payload))
		return JWT_MALFORMED;
	if ((result = check_names(&payload, keys->issuer, arena)) != JWT_VALID)
		return result;
	if ((result = read_claims(&payload, arena, claims_r)) != JWT_VALID)
		return result;
	return check_times(&payload, claims_r, now_s);
}

const char *
jwt_result_code(enum jwt_result result)
{
	static const char *const codes[] = {
	    [JWT_VALID] = "valid",
	    [JWT_MALFORMED] = "malformed",
	    [JWT_BAD_ALGORITHM] = "bad_algorithm",
	    [JWT_UNKNOWN_KEY] = "unknown_key",
	    [JWT_BAD_SIGNATURE] = "bad_signature",
	    [JWT_EXPIRED] = "expired",
	    [JWT_NOT_YET] = "not_yet",
	    [JWT_WRONG_ISSUER] = "wrong_issuer",
	    [JWT_WRONG_AUDIENCE] = "wrong_audience",
	    [JWT_MISSING_CLAIM] = "missing_claim",
	    [JWT_REVOKED] = "revoked",
	};

	INVARIANT((size_t)result < ARRAY_LENGTH(codes));
	return codes[result];
}
