/*
 * jwt.h - access tokens: JSON Web Tokens (RFC 7519, RFC 8725) in the form of jws.h: make and check.
 *
 * A checked token has typ at+jwt and a kid that names a key here, with that key's algorithm; iss and aud are compared,
 * sub, jti, iat and exp are required, nbf is obeyed; 60 s of leeway for iat and nbf only. Nothing blocks.
 */
#ifndef AGENTD_JWT_H
#define AGENTD_JWT_H

#include "arena.h"
#include "base.h"
#include "buf.h"
#include "jws.h"

enum { JWT_KEYS_MAX = 4 };

struct jwt_keys; /* the keys that are accepted, and the one that signs */

/* Which keys; all verify, so that one can be taken over by the next with an overlap. Everything is borrowed. */
struct jwt_setup {
	struct slice key;            /* PEM of the private key that signs; absent: the first secret signs */
	struct slice previous_key;   /* PEM of a public or private key; may be absent */
	const struct slice *secrets; /* each is at least JWS_SECRET_MIN bytes */
	int secret_count;
	const char *issuer; /* both iss and aud */
};

/* NULL: *why_r says why. */
MUST_CHECK struct jwt_keys *jwt_keys_new(const struct jwt_setup *setup, const char **why_r);
void jwt_keys_free(struct jwt_keys *keys);
/* The public keys as a JWK Set (RFC 7517): empty when tokens are signed with a secret. */
void jwt_keys_write(const struct jwt_keys *keys, struct buf *out);

struct jwt_claims {
	struct slice user_id; /* also sub */
	struct slice username;
	struct slice role;
	struct slice tenant; /* the tenant's name */
	int64_t tenant_id;
	struct slice jti;     /* a UUID; jwt_create makes one when absent */
	struct slice session; /* claim sid: the login session, may be absent */
	int64_t changes;      /* claim rev: the number of the newest change when it was issued (shared/changes.h) */
	int64_t issued_at;    /* seconds since 1970 */
	int64_t expires_at;
};

/* Appends the compact form to out. iss, aud, sub, jti are set here; issued_at and expires_at are the caller's. */
void jwt_create(const struct jwt_keys *keys, const struct jwt_claims *claims, struct buf *out);

/* Checks token at now_s; on JWT_VALID *claims_r borrows from the arena. The signature is checked before any claim. */
MUST_CHECK enum jwt_result jwt_verify(const struct jwt_keys *keys, struct slice token, int64_t now_s,
                                      struct arena *arena, struct jwt_claims *claims_r);
/* A stable snake_case word for each result: "expired", "bad_signature", ... */
const char *jwt_result_code(enum jwt_result result);

#endif
