/*
 * jwt.h - JSON Web Tokens (RFC 7519, RFC 8725) signed with HS256: make and check. Room for other algorithms is kept in
 * struct jwt_key: the algorithm is bound to the key, never taken from the token.
 *
 * A checked token has exactly alg HS256, typ at+jwt, a kid that names a key here, and no crit, jku, jwk, x5u, x5c;
 * iss and aud are compared, sub, jti, iat and exp are required, nbf is obeyed; 60 s of leeway for iat and nbf only.
 * Nothing blocks. At most JWT_SIZE_MAX bytes.
 */
#ifndef AGENTD_JWT_H
#define AGENTD_JWT_H

#include "arena.h"
#include "base.h"
#include "buf.h"

enum { JWT_SIZE_MAX = 4096, JWT_SECRET_MIN = 32, JWT_KEYS_MAX = 4 };

struct jwt_keys; /* the keys that are accepted, and the one that signs */

/*
 * secrets: count secrets, the first signs, all verify (so that a secret can be rotated with an overlap). Each is at
 * least JWT_SECRET_MIN bytes; its kid is derived from its SHA-256. issuer is copied and is both iss and aud.
 */
MUST_CHECK struct jwt_keys *jwt_keys_new(const struct slice *secrets, int count, const char *issuer);
void jwt_keys_free(struct jwt_keys *keys);

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

/* Checks token at now_s; on JWT_VALID *claims_r borrows from the arena. The signature is checked before any claim. */
MUST_CHECK enum jwt_result jwt_verify(const struct jwt_keys *keys, struct slice token, int64_t now_s,
                                      struct arena *arena, struct jwt_claims *claims_r);
/* A stable snake_case word for each result: "expired", "bad_signature", ... */
const char *jwt_result_code(enum jwt_result result);

#endif
