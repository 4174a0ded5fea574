/*
 * jwt.c - see jwt.h. One table says which claim is which member of struct jwt_claims; making and checking both walk
 * it. aud is the issuer's name as one string: this program talks to itself, so the array form of RFC 7519 is not taken.
 */
#include "jwt.h"

#include "json_read.h"
#include "json_write.h"
#include "uuid.h"

enum { LEEWAY_S = 60 };

static const char token_type[] = "at+jwt";

struct jwt_keys {
	struct jws_key *keys[JWT_KEYS_MAX]; /* the first signs */
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

static bool
add_key(struct jwt_keys *keys, struct jws_key *key)
{
	if (key)
		keys->keys[keys->count++] = key;
	return key != NULL;
}

static bool
add_keys(struct jwt_keys *keys, const struct jwt_setup *setup, const char **why_r)
{
	if (setup->key.data && !add_key(keys, jws_key_of_pem(setup->key, NULL, why_r)))
		return false;
	*why_r = "is shorter than 32 characters";
	for (int i = 0; i < setup->secret_count; i++)
		if (!add_key(keys, jws_key_of_secret(setup->secrets[i], NULL)))
			return false;
	if (setup->previous_key.data && !add_key(keys, jws_key_of_pem(setup->previous_key, NULL, why_r)))
		return false;
	*why_r = "is a public key, which cannot sign";
	return jws_key_can_sign(keys->keys[0]);
}

struct jwt_keys *
jwt_keys_new(const struct jwt_setup *setup, const char **why_r)
{
	int count = setup->secret_count + (setup->key.data != NULL) + (setup->previous_key.data != NULL);
	struct jwt_keys *keys;

	*why_r = "there is no key that signs, or no name for the issuer";
	if ((!setup->key.data && setup->secret_count < 1) || count > JWT_KEYS_MAX || !setup->issuer || !*setup->issuer)
		return NULL;
	keys = mem_zero(sizeof(*keys));
	keys->issuer = mem_string(setup->issuer);
	if (add_keys(keys, setup, why_r))
		return keys;
	jwt_keys_free(keys);
	return NULL;
}

void
jwt_keys_free(struct jwt_keys *keys)
{
	if (!keys)
		return;
	for (int i = 0; i < keys->count; i++)
		jws_key_free(keys->keys[i]);
	free(keys->issuer);
	free(keys);
}

void
jwt_keys_write(const struct jwt_keys *keys, struct buf *out)
{
	struct json_writer json;

	json_write_begin(&json, out);
	json_write_object_open(&json);
	json_write_key(&json, "keys");
	json_write_array_open(&json);
	for (int i = 0; i < keys->count; i++)
		jws_key_write(keys->keys[i], &json);
	json_write_array_close(&json);
	json_write_object_close(&json);
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
	struct jwt_claims all = *claims;
	char made[UUID_TEXT_SIZE];
	uint8_t bytes[UUID_SIZE];
	struct buf payload = {0};
	struct json_writer json;

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
	jws_sign(keys->keys[0], token_type, buf_slice(&payload), out);
	buf_free(&payload);
}

/* Absent unless the member is a string. */
static struct slice
get_text(const struct json *json, const char *name, struct arena *arena)
{
	int at = json_get(json, 0, name);

	return at == JSON_NONE || json_type(json, at) != JSON_STRING ? SLICE_NONE : json_string(json, at, arena);
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
	struct slice bytes;
	struct json payload;
	struct json_error error;
	enum jwt_result result = jws_verify(keys->keys, keys->count, text, token_type, arena, &bytes);

	if (result != JWT_VALID)
		return result;
	/* json_parse() refuses members that are there twice. */
	if (!json_parse(arena, bytes, &payload, &error) || json_type(&payload, 0) != JSON_OBJECT)
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
