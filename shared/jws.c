/* jws.c - see jws.h. Nothing of the payload is looked at before the signature was found right. */
#include "jws.h"

#include "crypto.h"
#include "crypto_key.h"
#include "json_read.h"

enum { KID_BYTES = 8, KID_SIZE = 128 };

struct jws_key {
	const char *algorithm; /* the only one that this key is used with */
	char kid[KID_SIZE];
	struct crypto_hmac *hmac; /* of HS256, */
	struct crypto_key *pair;  /* or of the others */
};

/* How the kinds of key pairs are called in JWKs. Members are in the order of a thumbprint. */
static const struct kind {
	const char *algorithm;
	const char *type;
	const char *curve;    /* NULL: none */
	const char *names[2]; /* of the public numbers */
} kinds[] = {
    [CRYPTO_KEY_ED25519] = {"EdDSA", "OKP", "Ed25519", {"x", NULL}},
    [CRYPTO_KEY_P256] = {"ES256", "EC", "P-256", {"x", "y"}},
    [CRYPTO_KEY_RSA] = {"RS256", "RSA", NULL, {"n", "e"}},
};

static void
write_number(const struct jws_key *key, const char *name, struct json_writer *json)
{
	struct buf number = {0}, text = {0};

	crypto_key_public(key->pair, name, &number);
	crypto_base64url_encode(&text, buf_slice(&number));
	json_write_member_string(json, name, buf_slice(&text));
	buf_free(&number);
	buf_free(&text);
}

/* RFC 7638: the required members in the order of their names, without white space. */
static void
make_thumbprint(struct jws_key *key)
{
	const struct kind *kind = &kinds[crypto_key_kind(key->pair)];
	uint8_t digest[CRYPTO_SHA256_SIZE];
	struct buf text = {0}, kid = {0};
	struct json_writer json;

	json_write_begin(&json, &text);
	json_write_object_open(&json);
	if (kind->curve)
		json_write_member_text(&json, "crv", kind->curve);
	else
		write_number(key, "e", &json);
	json_write_member_text(&json, "kty", kind->type);
	write_number(key, kind->names[0], &json);
	if (kind->curve && kind->names[1])
		write_number(key, kind->names[1], &json);
	json_write_object_close(&json);
	crypto_sha256(buf_slice(&text), digest);
	crypto_base64url_encode(&kid, (struct slice){(const char *)digest, sizeof(digest)});
	snprintf(key->kid, sizeof(key->kid), "%.*s", SLICE_ARG(kid));
	buf_free(&text);
	buf_free(&kid);
}

static void
set_kid(struct jws_key *key, const char *kid)
{
	INVARIANT(strlen(kid) < KID_SIZE);
	snprintf(key->kid, sizeof(key->kid), "%s", kid);
}

struct jws_key *
jws_key_of_secret(struct slice secret, const char *kid)
{
	struct jws_key *key;
	uint8_t digest[CRYPTO_SHA256_SIZE];

	if (secret.len < JWS_SECRET_MIN)
		return NULL;
	key = mem_zero(sizeof(*key));
	key->algorithm = "HS256";
	key->hmac = crypto_hmac_new(secret);
	crypto_sha256(secret, digest);
	if (kid)
		set_kid(key, kid);
	else
		crypto_hex(digest, KID_BYTES, key->kid);
	crypto_wipe(digest, sizeof(digest));
	return key;
}

struct jws_key *
jws_key_of_pem(struct slice pem, const char *kid, const char **why_r)
{
	struct crypto_key *pair = crypto_key_read(pem, why_r);
	struct jws_key *key;

	if (!pair)
		return NULL;
	key = mem_zero(sizeof(*key));
	key->pair = pair;
	key->algorithm = kinds[crypto_key_kind(pair)].algorithm;
	if (kid)
		set_kid(key, kid);
	else
		make_thumbprint(key);
	return key;
}

void
jws_key_free(struct jws_key *key)
{
	if (!key)
		return;
	crypto_hmac_free(key->hmac);
	crypto_key_free(key->pair);
	free(key);
}

const char *
jws_key_algorithm(const struct jws_key *key)
{
	return key->algorithm;
}

bool
jws_key_can_sign(const struct jws_key *key)
{
	return key->hmac || crypto_key_is_private(key->pair);
}

void
jws_key_write(const struct jws_key *key, struct json_writer *json)
{
	const struct kind *kind;

	if (!key->pair)
		return;
	kind = &kinds[crypto_key_kind(key->pair)];
	json_write_object_open(json);
	json_write_member_text(json, "kty", kind->type);
	json_write_member_text(json, "use", "sig");
	json_write_member_text(json, "alg", kind->algorithm);
	json_write_member_text(json, "kid", key->kid);
	if (kind->curve)
		json_write_member_text(json, "crv", kind->curve);
	for (int i = 0; i < 2 && kind->names[i]; i++)
		write_number(key, kind->names[i], json);
	json_write_object_close(json);
}

static void
add_signature(const struct jws_key *key, struct slice text, struct buf *out)
{
	uint8_t *to;

	if (key->pair) {
		crypto_key_sign(key->pair, text, out);
		return;
	}
	to = (uint8_t *)buf_reserve(out, CRYPTO_SHA256_SIZE);
	crypto_hmac_sign(key->hmac, text, to);
	out->len += CRYPTO_SHA256_SIZE;
}

void
jws_sign(const struct jws_key *key, const char *type, struct slice payload, struct buf *out)
{
	struct buf header = {0}, signature = {0};
	struct json_writer json;
	size_t start = out->len;

	json_write_begin(&json, &header);
	json_write_object_open(&json);
	json_write_member_text(&json, "alg", key->algorithm);
	json_write_member_text(&json, "typ", type);
	json_write_member_text(&json, "kid", key->kid);
	json_write_object_close(&json);
	crypto_base64url_encode(out, buf_slice(&header));
	buf_add_byte(out, '.');
	crypto_base64url_encode(out, payload);
	add_signature(key, (struct slice){out->data + start, out->len - start}, &signature);
	buf_add_byte(out, '.');
	crypto_base64url_encode(out, buf_slice(&signature));
	buf_free(&header);
	buf_free(&signature);
}

/* The three parts, and what is signed: the first two with the dot between them. */
struct parts {
	struct slice header, payload, signature, signed_text;
};

static bool
split(struct slice text, struct parts *parts_r)
{
	const char *end, *first, *second;

	if (text.len == 0 || text.len > JWS_SIZE_MAX)
		return false;
	end = text.data + text.len;
	first = memchr(text.data, '.', text.len);
	second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
	if (!second)
		return false;
	parts_r->header = (struct slice){text.data, (size_t)(first - text.data)};
	parts_r->payload = (struct slice){first + 1, (size_t)(second - first - 1)};
	parts_r->signature = (struct slice){second + 1, (size_t)(end - second - 1)};
	parts_r->signed_text = (struct slice){text.data, (size_t)(second - text.data)};
	return true;
}

static bool
decode(struct slice text, struct arena *arena, struct slice *bytes_r)
{
	uint8_t *bytes = arena_alloc(arena, text.len + 1);

	bytes_r->data = (const char *)bytes;
	return crypto_base64url_decode(text, bytes, &bytes_r->len);
}

/* Absent unless the member is a string. */
static struct slice
get_text(const struct json *json, const char *name, struct arena *arena)
{
	int at = json_get(json, 0, name);

	return at == JSON_NONE || json_type(json, at) != JSON_STRING ? SLICE_NONE : json_string(json, at, arena);
}

static bool
read_header(struct slice encoded, const char *type, struct arena *arena, struct json *header_r)
{
	/* Members that would let a token say where its key is or how it must be read. */
	static const char *const refused[] = {"crit", "jku", "jwk", "x5u", "x5c", "b64", "zip"};
	struct json_error error;
	struct slice bytes;

	/* json_parse() refuses members that are there twice. */
	if (!decode(encoded, arena, &bytes) || !json_parse(arena, bytes, header_r, &error) ||
	    json_type(header_r, 0) != JSON_OBJECT)
		return false;
	for (size_t i = 0; i < ARRAY_LENGTH(refused); i++)
		if (json_get(header_r, 0, refused[i]) != JSON_NONE)
			return false;
	return !type || slice_is(get_text(header_r, "typ", arena), type);
}

static enum jwt_result
find_key(struct jws_key *const *keys, int count, const struct json *header, struct arena *arena,
         const struct jws_key **key_r)
{
	struct slice kid = get_text(header, "kid", arena);

	for (int i = 0; i < count; i++) {
		*key_r = keys[i];
		if (slice_is(kid, keys[i]->kid))
			return slice_is(get_text(header, "alg", arena), keys[i]->algorithm) ? JWT_VALID : JWT_BAD_ALGORITHM;
	}
	return JWT_UNKNOWN_KEY;
}

static bool
is_signed(const struct jws_key *key, struct slice text, struct slice signature)
{
	uint8_t expected[CRYPTO_SHA256_SIZE];

	if (key->pair)
		return crypto_key_verify(key->pair, text, signature);
	crypto_hmac_sign(key->hmac, text, expected);
	return signature.len == sizeof(expected) && crypto_equal(signature.data, expected, sizeof(expected));
}

enum jwt_result
jws_verify(struct jws_key *const *keys, int count, struct slice text, const char *type, struct arena *arena,
           struct slice *payload_r)
{
	const struct jws_key *key = NULL;
	struct parts parts;
	struct slice signature;
	struct json header;
	enum jwt_result result;

	if (!split(text, &parts) || !read_header(parts.header, type, arena, &header))
		return JWT_MALFORMED;
	if ((result = find_key(keys, count, &header, arena, &key)) != JWT_VALID)
		return result;
	if (!decode(parts.signature, arena, &signature))
		return JWT_MALFORMED;
	if (!is_signed(key, parts.signed_text, signature))
		return JWT_BAD_SIGNATURE;
	return decode(parts.payload, arena, payload_r) ? JWT_VALID : JWT_MALFORMED;
}
