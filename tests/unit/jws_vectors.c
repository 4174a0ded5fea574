/*
 * jws_vectors.c - runs a file of Wycheproof's vectors of JSON Web Signatures against shared/jws.c; speaks TAP.
 *
 *     jws_vectors json_web_signature_test.json
 *
 * A vector is accepted if it is labelled valid, its key's algorithm is one of agentd's, and all of it is base64url;
 * every other must be refused. Four labels of the file are not believed, and said so: 372 and 373 are called valid
 * though they have a character that RFC 7515 (sections 2 and 5.2) has refused; 367 and 370 are called invalid for their
 * padding, but are the very bytes of 357, which is called valid.
 */
#include "base.h"

#include "jwk_pem.h"
#include "jws.h"

static int counts[3]; /* refused as they should be, accepted, wrong */

static bool
has_word(const json_t *list, const char *word)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (strcmp(json_string_value(item), word) == 0)
			return true;
	}
	return false;
}

/* A key for other uses is none; of those that are left some are of kinds that agentd does not have. */
static struct jws_key *
read_key(const json_t *jwk)
{
	const char *use = json_string_value(json_object_get(jwk, "use")), *why;
	const char *kid = json_string_value(json_object_get(jwk, "kid"));
	const json_t *operations = json_object_get(jwk, "key_ops");
	const char *algorithm = json_string_value(json_object_get(jwk, "alg"));
	struct jws_key *key;
	uint8_t secret[1024];
	char *pem;

	if ((use && strcmp(use, "sig") != 0) || (operations && !has_word(operations, "verify")))
		return NULL;
	if (strcmp(json_string_value(json_object_get(jwk, "kty")), "oct") == 0)
		return jws_key_of_secret((struct slice){(const char *)secret, jwk_bytes(jwk, "k", secret, sizeof(secret))},
		                         kid);
	pem = jwk_pem(jwk, false);
	key = pem ? jws_key_of_pem(slice_of(pem), kid, &why) : NULL;
	free(pem);
	/* Bound to another algorithm: not a key of ours. */
	if (key && algorithm && strcmp(algorithm, jws_key_algorithm(key)) != 0) {
		jws_key_free(key);
		return NULL;
	}
	return key;
}

static bool
is_called_valid(const json_t *vector)
{
	return strcmp(json_string_value(json_object_get(vector, "result")), "valid") == 0;
}

/* The same bytes are called valid by another vector of the group. */
static bool
is_valid_somewhere(const json_t *group, const json_t *vector)
{
	const json_t *other;
	size_t i;

	json_array_foreach(json_object_get(group, "tests"), i, other)
	{
		if (is_called_valid(other) && json_equal(json_object_get(other, "jws"), json_object_get(vector, "jws")))
			return true;
	}
	return false;
}

static bool
is_base64url(const char *text)
{
	return text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")] == '\0';
}

static bool
is_enabled(const json_t *jwk)
{
	const char *algorithm = json_string_value(json_object_get(jwk, "alg"));

	return algorithm && (strcmp(algorithm, "HS256") == 0 || strcmp(algorithm, "ES256") == 0 ||
	                     strcmp(algorithm, "RS256") == 0 || strcmp(algorithm, "EdDSA") == 0);
}

static void
run(struct jws_key *key, const json_t *jwk, const json_t *group, const json_t *vector)
{
	const json_t *jws = json_object_get(vector, "jws");
	char *text = json_is_string(jws) ? mem_string(json_string_value(jws)) : json_dumps(jws, 0);
	bool valid = is_valid_somewhere(group, vector);
	bool expected = valid && is_enabled(jwk) && is_base64url(text);
	struct arena arena = ARENA_EMPTY;
	struct slice payload;
	bool found = jws_verify(&key, key ? 1 : 0, slice_of(text), NULL, &arena, &payload) == JWT_VALID;

	if (found == expected)
		counts[found]++;
	else
		printf("# vector %lld (%s): %s\n", (long long)json_integer_value(json_object_get(vector, "tcId")),
		       json_string_value(json_object_get(vector, "comment")), found ? "accepted" : "refused");
	if (valid && !is_called_valid(vector))
		printf("# vector %lld is called invalid, and valid under another number\n",
		       (long long)json_integer_value(json_object_get(vector, "tcId")));
	counts[2] += found != expected;
	if (valid && !expected)
		printf("# vector %lld is valid elsewhere and refused here: %s\n",
		       (long long)json_integer_value(json_object_get(vector, "tcId")),
		       is_enabled(jwk) ? "not base64url" : json_string_value(json_object_get(jwk, "alg")));
	arena_reset(&arena);
	free(text);
}

int
main(int argc, char **argv)
{
	json_error_t error;
	json_t *file = argc == 2 ? json_load_file(argv[1], 0, &error) : NULL;
	const json_t *group, *vector;
	size_t i, j;

	if (!file) {
		printf("Bail out! usage: jws_vectors FILE (Wycheproof's json_web_signature_test.json)\n");
		return 2;
	}
	json_array_foreach(json_object_get(file, "testGroups"), i, group)
	{
		const json_t *public = json_object_get(group, "public");
		const json_t *jwk = public ? public : json_object_get(group, "private");
		struct jws_key *key = read_key(jwk);

		json_array_foreach(json_object_get(group, "tests"), j, vector) run(key, jwk, group, vector);
		jws_key_free(key);
	}
	printf("1..1\n%sok 1 - of %d vectors %d are accepted, %d refused, %d wrong\n",
	       counts[2] || !counts[1] ? "not " : "", counts[0] + counts[1] + counts[2], counts[1], counts[0], counts[2]);
	json_decref(file);
	return counts[2] || !counts[1] ? 1 : 0;
}
