/*
 * jws.h - JSON Web Signatures in the compact form (RFC 7515), with HS256, EdDSA (Ed25519), ES256 and RS256.
 *
 * The algorithm is bound to the key, never taken from the token: a header must name a key by its kid and the one
 * algorithm of that key. crit, jku, jwk, x5u, x5c, b64 and zip are refused, members that are there twice too. Base64url
 * is strict: no padding, no other byte, unused bits zero. At most JWS_SIZE_MAX bytes. Nothing blocks. See also RFC
 * 8725.
 */
#ifndef AGENTD_JWS_H
#define AGENTD_JWS_H

#include "arena.h"
#include "base.h"
#include "buf.h"
#include "json_write.h"

enum { JWS_SIZE_MAX = 4096, JWS_SECRET_MIN = 32 };

/* What the check of a token found; the later ones are of its claims (jwt.h). */
enum jwt_result {
	JWT_VALID,
	JWT_MALFORMED,
	JWT_BAD_ALGORITHM,
	JWT_UNKNOWN_KEY,
	JWT_BAD_SIGNATURE,
	JWT_EXPIRED,
	JWT_NOT_YET,
	JWT_WRONG_ISSUER,
	JWT_WRONG_AUDIENCE,
	JWT_MISSING_CLAIM,
	JWT_REVOKED /* never said by jwt_verify(): for who knows more */
};

struct jws_key;

/* HS256. kid NULL: made of the secret's SHA-256. NULL: the secret is shorter than JWS_SECRET_MIN. */
MUST_CHECK struct jws_key *jws_key_of_secret(struct slice secret, const char *kid);
/* EdDSA, ES256 or RS256, as the key is (crypto_key.h). kid NULL: its thumbprint (RFC 7638). NULL: *why_r says why. */
MUST_CHECK struct jws_key *jws_key_of_pem(struct slice pem, const char *kid, const char **why_r);
void jws_key_free(struct jws_key *key);
/* "HS256", "EdDSA", "ES256" or "RS256". */
const char *jws_key_algorithm(const struct jws_key *key);
bool jws_key_can_sign(const struct jws_key *key);
/* Writes the public key as a JWK (RFC 7517); nothing for a secret. */
void jws_key_write(const struct jws_key *key, struct json_writer *json);

/* Appends the compact form; type is the header's typ. */
void jws_sign(const struct jws_key *key, const char *type, struct slice payload, struct buf *out);
/* Checks text with the keys; the header's typ must be type, unless that is NULL. JWT_VALID: *payload_r is the arena's.
 */
MUST_CHECK enum jwt_result jws_verify(struct jws_key *const *keys, int count, struct slice text, const char *type,
                                      struct arena *arena, struct slice *payload_r);

#endif
