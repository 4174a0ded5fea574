/* password.c - see password.h; the only caller of libargon2. */
#include "password.h"
#include "crypto.h"

#include <argon2.h>

enum { MEMORY_KIB = 19 * 1024, PASSES = 2, LANES = 1, SALT_BYTES = 16, DIGEST_BYTES = 32 };

/* Nobody's password, at the same cost. */
static void
hash_for_nothing(struct slice password)
{
	char hash[PASSWORD_HASH_SIZE];

	password.len = MIN(password.len, (size_t)PASSWORD_LENGTH_MAX);
	(void)!password_hash(password, hash);
}

bool
password_hash(struct slice password, char out[PASSWORD_HASH_SIZE])
{
	uint8_t salt[SALT_BYTES];

	if (password.len > PASSWORD_LENGTH_MAX)
		return false;
	crypto_random(salt, sizeof(salt));
	return argon2id_hash_encoded(PASSES, MEMORY_KIB, LANES, password.data, password.len, salt, sizeof(salt),
	                             DIGEST_BYTES, out, PASSWORD_HASH_SIZE) == ARGON2_OK;
}

bool
password_verify(struct slice password, const char *encoded)
{
	if (!encoded || password.len > PASSWORD_LENGTH_MAX) {
		hash_for_nothing(password);
		return false;
	}
	return argon2id_verify(encoded, password.data, password.len) == ARGON2_OK;
}

bool
password_is_outdated(const char *encoded)
{
	unsigned memory, passes;

	return sscanf(encoded, "$argon2id$v=19$m=%u,t=%u,", &memory, &passes) != 2 || memory < MEMORY_KIB ||
	       passes < PASSES;
}
