/* jwk_pem.h - test keys that RFCs and vector files give as JWKs, in the form that agentd reads. Aborts on nonsense. */
#ifndef AGENTD_TEST_JWK_PEM_H
#define AGENTD_TEST_JWK_PEM_H

#include "base.h"

#include <jansson.h>

/* PEM of a public key (members of RFC 7518 and RFC 8037), or of the private one; to be freed. NULL: of no use to
 * anybody. */
char *jwk_pem(const json_t *jwk, bool is_private);
/* The bytes of a base64url member. */
size_t jwk_bytes(const json_t *jwk, const char *name, uint8_t *out, size_t size);

#endif
